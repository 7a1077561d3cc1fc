// bytes_test.c - borrowed bytes.
//
// Empty bytes may have a NULL pointer: both functions meet it here, because memcmp may not.
#include "kit/kit.h"

static hy_err no_string_is_no_bytes(hy_mem *mem) {
    (void)mem;
    CHECK_EQ(hy_bytes_of(NULL).len, 0);
    CHECK_EQ(hy_bytes_of("").len, 0);
    CHECK_EQ(hy_bytes_of("abc").len, 3);
    CHECK_BYTES(HY_BYTES("a\0c"), ((hy_bytes){ (const uint8_t *)"a\0c", 3 }));
    return HY_OK;
}

static hy_err a_prefix_comes_first(hy_mem *mem) {
    (void)mem;
    static const char *const ordered[] = { "", "\x01", "a", "aa", "ab", "b", "\x80", "\xff" };
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 8; k++) {
            hy_bytes a = hy_bytes_of(ordered[i]), b = hy_bytes_of(ordered[k]);
            CHECK_EQ(hy_bytes_compare(a, b), i < k ? -1 : i > k);
            CHECK(hy_bytes_equal(a, b) == (i == k));
        }
    }
    CHECK(hy_bytes_equal((hy_bytes){ 0 }, HY_BYTES("")));
    CHECK_EQ(hy_bytes_compare((hy_bytes){ 0 }, (hy_bytes){ 0 }), 0);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(no_string_is_no_bytes), KIT_TEST(a_prefix_comes_first))
