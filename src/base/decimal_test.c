// decimal_test.c - doubles and their shortest numerals.
//
// Known hard cases by value, and random ones against the C library, which is allowed to use
// floating point here: the twin must be as unlike the code as possible.
#include "base/decimal.h"

#include "kit/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static hy_err doubles_have_one_shortest_numeral(hy_mem *mem) {
    (void)mem;
    static const struct {
        uint64_t bits;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { UINT64_C(0x8000000000000000), "-0" },
        { UINT64_C(0x3ff0000000000000), "1" },
        { UINT64_C(0xbff8000000000000), "-1.5" },
        { UINT64_C(0x3fb999999999999a), "0.1" },
        { UINT64_C(0x0000000000000001), "5e-324" },
        { UINT64_C(0x000fffffffffffff), "2.225073858507201e-308" },
        { UINT64_C(0x0010000000000000), "2.2250738585072014e-308" },
        { UINT64_C(0x7fefffffffffffff), "1.7976931348623157e+308" },
        { UINT64_C(0x44b52d02c7e14af6), "1e+23" },
        { UINT64_C(0x444b1ae4d6e2ef50), "1e+21" },
        { UINT64_C(0x4415af1d78b58c40), "100000000000000000000" },
        { UINT64_C(0x4340000000000000), "9007199254740992" },
        { UINT64_C(0x3eb0c6f7a0b5ed8d), "0.000001" },
        { UINT64_C(0x3e7ad7f29abcaf48), "1e-7" },
        { UINT64_C(0x40c81c8000000000), "12345" },
        { UINT64_C(0x40fe240c9fbe76c9), "123456.789" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[HYI_DECIMAL_TEXT_MAX];
        size_t len = hyi_decimal_from_f64(rows[i].bits, text);
        CHECK_BYTES(((hy_bytes){ (const uint8_t *)text, len }), hy_bytes_of(rows[i].text));
        uint64_t bits = 1;
        CHECK_OK(hyi_decimal_to_f64(hy_bytes_of(rows[i].text), &bits));
        CHECK_EQ(bits, rows[i].bits);
    }
    return HY_OK;
}

static hy_err numerals_on_the_border_round_to_even(hy_mem *mem) {
    (void)mem;
    static const struct {
        const char *text;
        uint64_t bits;
    } rows[] = {
        { "9007199254740993", UINT64_C(0x4340000000000000) },
        { "9007199254740993.00000000000000000000000001", UINT64_C(0x4340000000000001) },
        { "9007199254740995", UINT64_C(0x4340000000000002) },
        { "1e-400", 0 },
        { "-1e-400", UINT64_C(0x8000000000000000) },
        { "0e99999999999999999999", 0 },
        { "2.4703282292062327208e-324", 0 }, // just under half of the smallest
        { "2.4703282292062327209e-324", 1 }, // just over it
        { "2.2250738585072011e-308", UINT64_C(0x000fffffffffffff) }, // once hung a famous parser
        { "1.7976931348623158e308", UINT64_C(0x7fefffffffffffff) },
        { "0.000000000000000000000000000000000000000000000001e48", UINT64_C(0x3ff0000000000000) },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t bits = 7;
        CHECK_OK(hyi_decimal_to_f64(hy_bytes_of(rows[i].text), &bits));
        CHECK_EQ(bits, rows[i].bits);
    }
    uint64_t bits;
    CHECK_ERR(hyi_decimal_to_f64(HY_BYTES("1.7976931348623159e308"), &bits), HY_RANGE);
    CHECK_ERR(hyi_decimal_to_f64(HY_BYTES("1e999999999999999"), &bits), HY_RANGE);
    return HY_OK;
}

// 2^53 + 1 lies between two doubles; a digit far behind the last one that is kept must still count.
static hy_err a_digit_far_behind_breaks_the_tie(hy_mem *mem) {
    (void)mem;
    char text[1002];
    size_t len = (size_t)sprintf(text, "9007199254740993.");
    memset(text + len, '0', sizeof text - len);
    uint64_t bits = 0;
    CHECK_OK(hyi_decimal_to_f64((hy_bytes){ (const uint8_t *)text, 1000 }, &bits));
    CHECK_EQ(bits, UINT64_C(0x4340000000000000));
    text[999] = '1';
    CHECK_OK(hyi_decimal_to_f64((hy_bytes){ (const uint8_t *)text, 1000 }, &bits));
    CHECK_EQ(bits, UINT64_C(0x4340000000000001));
    return HY_OK;
}

static hy_err integers_are_exact(hy_mem *mem) {
    (void)mem;
    uint64_t magnitude = 0;
    bool is_negative = true;
    CHECK_OK(hyi_decimal_to_u64(HY_BYTES("18446744073709551615"), &magnitude, &is_negative));
    CHECK_EQ(magnitude, UINT64_MAX);
    CHECK(!is_negative);
    CHECK_ERR(hyi_decimal_to_u64(HY_BYTES("18446744073709551616"), &magnitude, &is_negative),
              HY_RANGE);
    CHECK_ERR(hyi_decimal_to_u64(HY_BYTES("-0.5"), &magnitude, &is_negative), HY_TYPE);
    return HY_OK;
}

// A numeral of any length and exponent, valid, with a closing NUL.
static size_t random_numeral(uint64_t *state, char out[1200]) {
    size_t len = 0, digit_count = 1 + kit_random(state) % (kit_random(state) % 20 == 0 ? 1000 : 22);
    size_t point = kit_random(state) % (digit_count + 3);
    if (kit_random(state) % 2 == 0) out[len++] = '-';
    for (size_t i = 0; i < digit_count; i++) {
        uint64_t draw = kit_random(state);
        out[len++] = (char)(i == 0 ? '1' + draw % 9 : '0' + draw % 10);
        if (i == point && i + 1 < digit_count) out[len++] = '.';
    }
    int exponent = (int)(kit_random(state) % 720) - 360;
    return len + (size_t)sprintf(out + len, "e%d", exponent);
}

static hy_err the_c_library_agrees(hy_mem *mem) {
    (void)mem;
    uint64_t state = kit_seed();
    for (uint32_t i = 0; i < 30000; i++) {
        char text[1200];
        uint64_t bits = 0;
        hy_bytes numeral = { (const uint8_t *)text, random_numeral(&state, text) };
        uint64_t wanted = bits_of(strtod(text, NULL));
        bool is_infinite = (wanted << 1) == UINT64_C(0xffe0000000000000);
        CHECK_ERR(hyi_decimal_to_f64(numeral, &bits), is_infinite ? HY_RANGE : HY_OK);
        if (!is_infinite) CHECK_EQ(bits, wanted);
    }
    return HY_OK;
}

static size_t count_digits(const char *text) {
    size_t count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (count == 0 && *text == '0')) continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        count++;
    }
    return count - zeros;
}

// Any bits: the numeral reads back as the same bits, and one digit less does not.
static hy_err printed_doubles_read_back_and_none_is_shorter(hy_mem *mem) {
    (void)mem;
    uint64_t state = kit_seed();
    for (uint32_t i = 0; i < 30000; i++) {
        uint64_t bits = kit_random(&state), again = 0;
        if (i % 3 == 0) bits = bits_of((double)(bits % 100000000) / 1000);
        if (i % 7 == 0) bits &= UINT64_C(0xfff0000000000000);  // powers of two
        if (i % 11 == 0) bits &= UINT64_C(0x000fffffffffffff); // subnormal
        if ((bits >> 52 & 2047) == 2047 || bits << 1 == 0) continue;
        char text[HYI_DECIMAL_TEXT_MAX + 1], shorter[64];
        size_t len = hyi_decimal_from_f64(bits, text);
        text[len] = 0;
        CHECK_OK(hyi_decimal_to_f64((hy_bytes){ (const uint8_t *)text, len }, &again));
        CHECK_EQ(again, bits);
        CHECK_EQ(bits_of(strtod(text, NULL)), bits);
        size_t digits = count_digits(text);
        if (digits < 2) continue;
        double value;
        memcpy(&value, &bits, sizeof value);
        snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, value);
        CHECK(bits_of(strtod(shorter, NULL)) != bits);
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(doubles_have_one_shortest_numeral),
          KIT_TEST(numerals_on_the_border_round_to_even),
          KIT_TEST(a_digit_far_behind_breaks_the_tie), KIT_TEST(integers_are_exact),
          KIT_TEST(the_c_library_agrees), KIT_TEST(printed_doubles_read_back_and_none_is_shorter))
