// why_test.c - the message behind an error.
//
// A message that is cut must still be UTF-8, and a message may quote the one that it replaces.
#include "base/why.h"

#include "kit/kit.h"

static hy_err nobody_needs_to_listen(hy_mem *mem) {
    (void)mem;
    CHECK(hy_why_set(NULL, HY_RANGE, "a", "b") == HY_RANGE);
    CHECK(hyi_why_fmt(NULL, HY_TYPE, "a", "%s", "b") == HY_TYPE);
    return HY_OK;
}

static hy_err a_message_keeps_code_place_and_text(hy_mem *mem) {
    (void)mem;
    hy_why why = { .offset = 9 };
    CHECK(hy_why_set(&why, HY_RANGE, "guests[2].name", "is too long") == HY_RANGE);
    CHECK(why.code == HY_RANGE);
    CHECK_EQ(why.offset, 0);
    CHECK_TEXT(hy_bytes_of(why.place), "guests[2].name");
    CHECK_TEXT(hy_bytes_of(why.text), "is too long");
    CHECK(hy_why_set(&why, HY_TYPE, NULL, NULL) == HY_TYPE);
    CHECK_EQ(why.place[0], 0);
    CHECK_EQ(why.text[0], 0);
    return HY_OK;
}

static hy_err what_is_too_long_is_cut_at_a_character(hy_mem *mem) {
    (void)mem;
    char text[401];
    for (int i = 0; i < 400; i += 2)
        text[i] = '\xc3', text[i + 1] = '\xa9';
    text[400] = 0;
    hy_why why;
    (void)hy_why_set(&why, HY_RANGE, text, text);
    CHECK_EQ(hy_bytes_of(why.place).len, sizeof why.place - 2); // an odd number of bytes is left
    CHECK_EQ(hy_bytes_of(why.text).len, sizeof why.text - 2);
    (void)hyi_why_fmt(&why, HY_RANGE, NULL, "%s%s", text, "nothing behind a cut");
    CHECK_EQ(hy_bytes_of(why.text).len, sizeof why.text - 2);
    CHECK(hy_text_is_utf8(hy_bytes_of(why.text)));
    return HY_OK;
}

static hy_err a_format_takes_six_directives(hy_mem *mem) {
    (void)mem;
    hy_why why;
    hy_bytes bytes = HY_BYTES("a\n\\\xff~");
    (void)hyi_why_fmt(&why, HY_RANGE, "p", "%s %d %d %u %x %b 100%%", "text", (int64_t)-5,
                      INT64_MIN, UINT64_MAX, UINT64_C(0xdeadbeef), &bytes);
    CHECK_TEXT(hy_bytes_of(why.text), "text -5 -9223372036854775808 18446744073709551615 deadbeef "
                                      "a\\x0a\\x5c\\xff~ 100%");
    (void)hyi_why_fmt(&why, HY_RANGE, why.place, "again: %s", why.text); // may quote itself
    CHECK_TEXT(hy_bytes_of(why.place), "p");
    CHECK(hy_bytes_equal((hy_bytes){ (const uint8_t *)why.text, 12 }, HY_BYTES("again: text ")));
    return HY_OK;
}

static void use_unknown_directive(void *arg) {
    hy_why why;
    (void)hyi_why_fmt(&why, HY_RANGE, NULL, (const char *)arg);
}

static hy_err an_unknown_directive_is_a_bad_caller(hy_mem *mem) {
    (void)mem;
    CHECK(kit_death(use_unknown_directive, "%q"));
    CHECK(kit_death(use_unknown_directive, "end %"));
    CHECK(!kit_death(use_unknown_directive, "fine"));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(nobody_needs_to_listen), KIT_TEST(a_message_keeps_code_place_and_text),
          KIT_TEST(what_is_too_long_is_cut_at_a_character), KIT_TEST(a_format_takes_six_directives),
          KIT_TEST(an_unknown_directive_is_a_bad_caller))
