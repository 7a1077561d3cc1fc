// id_test.c - ids as RFC 9562 writes them.
//
// The example of RFC 9562 is the judge of the layout; parsing is the inverse of formatting.
#include "kit/kit.h"

static hy_err an_id_carries_time_version_and_variant(hy_mem *mem) {
    (void)mem;
    // The example of RFC 9562, appendix A.6: 2022-02-22 14:22:22 -5.
    hy_id id = hy_id_at(HY_MS(1645557742000), 0xcc3, UINT64_C(0x18c4dc0c0c07398f));
    char text[HY_ID_TEXT_LEN + 1];
    hy_id_format(id, text);
    CHECK_TEXT(hy_bytes_of(text), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    id = hy_id_at(-1, UINT64_MAX, UINT64_MAX);
    CHECK_EQ(id.hi, 0x7fff);
    CHECK_EQ(id.lo, UINT64_MAX >> 2 | UINT64_C(1) << 63);
    return HY_OK;
}

static hy_err text_goes_there_and_back(hy_mem *mem) {
    (void)mem;
    uint64_t state = kit_seed();
    for (uint32_t i = 0; i < 500; i++) {
        hy_id id = { kit_random(&state), kit_random(&state) }, again = { 0 };
        char text[HY_ID_TEXT_LEN + 1];
        hy_id_format(id, text);
        CHECK_OK(hy_id_parse(hy_bytes_of(text), &again));
        CHECK_EQ(again.hi, id.hi);
        CHECK_EQ(again.lo, id.lo);
    }
    hy_id id;
    CHECK_OK(hy_id_parse(HY_BYTES("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &id));
    CHECK_EQ(id.hi, UINT64_C(0x017f22e279b07cc3));
    return HY_OK;
}

static hy_err other_texts_are_malformed(hy_mem *mem) {
    (void)mem;
    static const char *const bad[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279b0-7cc3-98c4-dc0c0c07398f00",
        "017f22e2x79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2-79b0-7cc3-98c4-dc0c0c0739-f",
    };
    hy_id id = { 1, 2 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERR(hy_id_parse(hy_bytes_of(bad[i]), &id), HY_MALFORMED);
    CHECK_EQ(id.hi, 1); // written only on success
    return HY_OK;
}

KIT_TESTS(KIT_TEST(an_id_carries_time_version_and_variant), KIT_TEST(text_goes_there_and_back),
          KIT_TEST(other_texts_are_malformed))
