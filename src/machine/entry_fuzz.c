// entry_fuzz.c - journal bytes as a damaged disk may give them: loaded into a bank, framed and
// bare.

#include "kit/kit.h"

#include "machine/bank_suite.h"

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t size);

static void fuzz_load(hy_bytes entry) {
    hy_state *state = NULL;
    if (hy_state_new(kit_heap(), &bank_machine, NULL, &state, NULL) != HY_OK) return;
    hy_why why = { 0 };
    hy_err err = hy_state_load_entry(state, entry, &why);
    if (err == HY_OK) HY_ASSERT(hy_state_digest(state) == hy_state_digest_slow(state));
    hy_state_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t size) {
    hy_bytes rest = { ptr, size }, entry;
    fuzz_load(rest);
    while (hy_frame_next(&rest, &entry, NULL) == HY_OK) {
        fuzz_load(entry);
    }
    return 0;
}
