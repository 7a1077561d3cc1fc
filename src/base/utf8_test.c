// utf8_test.c - what RFC 3629 allows, and nothing else.
//
// All characters go there and back, and all sequences of three bytes behind a head are tried the
// other way, so the two directions cannot agree on a mistake without RFC 3629's own examples
// noticing.
#include "base/utf8.h"

#include "kit/kit.h"

static hy_err every_code_point_goes_there_and_back(hy_mem *mem) {
    (void)mem;
    for (uint32_t code_point = 0; code_point <= 0x110000; code_point++) {
        uint8_t bytes[4];
        size_t len = hyi_utf8_encode(code_point, bytes);
        bool is_character = code_point < 0xd800 || (code_point > 0xdfff && code_point <= 0x10ffff);
        CHECK((len > 0) == is_character);
        if (len == 0) continue;
        uint32_t again = 0;
        CHECK_EQ(hyi_utf8_decode((hy_bytes){ bytes, len }, &again), len);
        CHECK_EQ(again, code_point);
        CHECK_EQ(hyi_utf8_decode((hy_bytes){ bytes, len - 1 }, &again), 0);
    }
    return HY_OK;
}

// Sequences of three bytes and one more: what decodes must encode to the same bytes.
static hy_err no_other_bytes_are_valid(hy_mem *mem) {
    (void)mem;
    uint32_t valid_count = 0;
    for (uint32_t n = 0; n < 1u << 24; n += n < 0xc00000 ? 257 : 1) { // few begin with ASCII
        uint8_t bytes[4] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 0x80 }, back[4];
        uint32_t code_point;
        size_t len = hyi_utf8_decode((hy_bytes){ bytes, 4 }, &code_point);
        if (len == 0) continue;
        valid_count++;
        CHECK_EQ(hyi_utf8_encode(code_point, back), len);
        CHECK(hy_bytes_equal((hy_bytes){ bytes, len }, (hy_bytes){ back, len }));
    }
    CHECK(valid_count > 0);
    return HY_OK;
}

static hy_err the_first_mistake_is_found(hy_mem *mem) {
    (void)mem;
    static const struct {
        const char *text;
        size_t valid_len;
    } rows[] = {
        { "plain and long enough for words", 31 },
        { "12345678\xc3\xa9 12345678\xff", 19 },
        { "\xc0\x80", 0 },         // overlong
        { "\xe0\x80\x80", 0 },     // overlong
        { "\xf0\x80\x80\x80", 0 }, // overlong
        { "ok\xed\xa0\x80", 2 },   // surrogate
        { "\xf4\x90\x80\x80", 0 }, // past the last character
        { "\xf5\x80\x80\x80", 0 },
        { "a\x80", 1 },           // tail without head
        { "abcdefg\xe2\x82", 7 }, // cut
        { "\xf0\x9f\x98\x80", 4 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hy_bytes text = hy_bytes_of(rows[i].text), guarded = kit_guard_copy(text);
        CHECK_EQ(hyi_utf8_valid_len(guarded), rows[i].valid_len);
        CHECK(hy_text_is_utf8(guarded) == (rows[i].valid_len == text.len));
        kit_guard_free(guarded);
    }
    return HY_OK;
}

static hy_err a_cut_falls_between_characters(hy_mem *mem) {
    (void)mem;
    hy_bytes text = HY_BYTES("a\xc3\xa9\xf0\x9f\x98\x80z");
    static const size_t cuts[] = { 0, 1, 1, 3, 3, 3, 3, 7, 8, 8 };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        CHECK_EQ(hyi_utf8_cut(text, i), cuts[i]);
    CHECK_EQ(hyi_utf8_cut(HY_BYTES("\x80\x80\x80\x80\x80\x80"), 5), 5); // no text: anywhere
    CHECK_EQ(hyi_utf8_cut(HY_BYTES("\x80\x80"), 1), 1);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(every_code_point_goes_there_and_back), KIT_TEST(no_other_bytes_are_valid),
          KIT_TEST(the_first_mistake_is_found), KIT_TEST(a_cut_falls_between_characters))
