// said_fuzz.c - any bytes as the provider's words: never a crash, and a key only with a meaning
// that is whole.

#include "server/said.h"

#include <string.h>

#include "kit/kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char key[CLINIC_HOLD_TEXT_MAX];
    memset(key, 'x', sizeof key);
    said_what said = said_read((hy_bytes){ data, size }, key);
    HY_ASSERT(said <= SAID_RELEASED);
    HY_ASSERT(memchr(key, 0, sizeof key) != NULL);
    uint64_t appointment = clinic_hold_parse(0, hy_bytes_of(key));
    char text[CLINIC_HOLD_TEXT_MAX];
    size_t len = clinic_hold_format(0, appointment, text);
    HY_ASSERT(HY_IMPLIES(appointment != 0, strlen(key) == len && memcmp(key, text, len) == 0));
    return 0;
}
