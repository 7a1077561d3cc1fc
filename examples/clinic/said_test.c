// said_test.c - the provider's words: what is understood, and that nothing else is.

#include "server/said.h"

#include <string.h>

#include "kit/kit.h"

static said_what said_of(const char *text, char key[CLINIC_HOLD_TEXT_MAX]) {
    hy_bytes guarded = kit_guard_copy(hy_bytes_of(text));
    said_what said = said_read(guarded, key);
    kit_guard_free(guarded);
    return said;
}

static hy_err words_are_understood(hy_mem *mem) {
    (void)mem;
    char key[CLINIC_HOLD_TEXT_MAX];
    CHECK(said_of("{\"hold\":7,\"key\":\"c1-2\",\"status\":\"held\"}", key) == SAID_HELD);
    CHECK(strcmp(key, "c1-2") == 0);
    CHECK(said_of("{\"status\":\"declined\"}", key) == SAID_DECLINED);
    CHECK(key[0] == 0);
    CHECK(said_of("{\"status\":\"captured\"}", NULL) == SAID_CAPTURED);
    CHECK(said_of(" { \"x\" : [ {\"status\":\"held\"} ] , \"status\" : \"released\" } ", key) ==
          SAID_RELEASED);
    return HY_OK;
}

static hy_err nothing_else_is_understood(hy_mem *mem) {
    (void)mem;
    char key[CLINIC_HOLD_TEXT_MAX];
    static const char *const unclear[] = {
        "",
        "held",
        "\"held\"",
        "[{\"status\":\"held\"}]",
        "{\"status\":\"Held\"}",
        "{\"status\":7}",
        "{\"status\":{\"status\":\"held\"}}",
        "{\"x\":{\"status\":\"held\"}}",
        "{\"status\":\"held\"",
        "{\"key\":\"c1-2\",\"status\":\"held\"} {}",
        "{\"status\":\"held\",}",
    };
    for (size_t i = 0; i < sizeof unclear / sizeof unclear[0]; i++) {
        CHECK(said_of(unclear[i], key) == SAID_UNCLEAR);
        CHECK(key[0] == 0);
    }
    return HY_OK;
}

static hy_err keys_that_cannot_be_ours_are_left_out(hy_mem *mem) {
    (void)mem;
    char key[CLINIC_HOLD_TEXT_MAX];
    CHECK(said_of("{\"key\":\"c123456789012345678901234567890123456789\",\"status\":\"held\"}",
                  key) == SAID_HELD);
    CHECK(key[0] == 0);
    CHECK(said_of("{\"key\":\"c\\u0031\",\"status\":\"held\"}", key) == SAID_HELD);
    CHECK(key[0] == 0);
    CHECK(said_of("{\"key\":{\"key\":\"c1\"},\"status\":\"held\"}", key) == SAID_HELD);
    CHECK(key[0] == 0);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(words_are_understood), KIT_TEST_ONCE(nothing_else_is_understood),
          KIT_TEST_ONCE(keys_that_cannot_be_ours_are_left_out))
