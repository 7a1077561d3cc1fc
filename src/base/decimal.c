// decimal.c - decimal numerals to binary and back, exactly.
//
// Doubles are converted with big integers, the plain way: read as a fraction of two of them,
// divide, round once; printed with Steele and White's method (known as Dragon4), which makes digits
// until what is left is closer to this double than to its neighbours. Tables of powers would be
// several times faster; they would also be ten kilobytes that nobody can check by reading.
//
// Sizes: a numeral is cut after 800 digits, with a last digit 1 standing for whatever was not zero
// behind; no double needs more than 768 to be told from the next half-way point. The largest number
// that occurs is then 10^(800 + 330), under 3,800 bits.
#include "base/decimal.h"

#include "base/memory.h"

#define DECIMAL_DIGITS_MAX 800
#define DECIMAL_LIMBS 128u // of 32 bits

#define DECIMAL_FRACTION_BITS 52
#define DECIMAL_EXPONENT_MAX 2047 // all ones: infinity and NaN

// ---- big integers: as many limbs as needed, least first; len 0 is zero ----

typedef struct decimal_big {
    uint32_t len;
    uint32_t limbs[DECIMAL_LIMBS];
} decimal_big;

static void big_push(decimal_big *big, uint32_t limb) {
    if (limb == 0) return;
    HY_ASSERT(big->len < DECIMAL_LIMBS);
    big->limbs[big->len++] = limb;
}

static void big_set(decimal_big *big, uint64_t value) {
    big->len = 0;
    if (value == 0) return;
    big->limbs[0] = (uint32_t)value;
    big->len = 1;
    big_push(big, (uint32_t)(value >> 32));
}

static void big_multiply_add(decimal_big *big, uint32_t factor, uint32_t summand) {
    uint64_t carry = summand;
    for (uint32_t i = 0; i < big->len; i++) {
        carry += (uint64_t)big->limbs[i] * factor;
        big->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    big_push(big, (uint32_t)carry);
}

static void big_multiply_power_of_ten(decimal_big *big, uint32_t power) {
    for (; power >= 9; power -= 9)
        big_multiply_add(big, 1000000000, 0);
    for (; power > 0; power--)
        big_multiply_add(big, 10, 0);
}

static uint32_t big_bits(const decimal_big *big) {
    if (big->len == 0) return 0;
    return big->len * 32 - (uint32_t)__builtin_clz(big->limbs[big->len - 1]);
}

static void big_shift_left(decimal_big *big, uint32_t bits) {
    if (big->len == 0 || bits == 0) return;
    uint32_t whole = bits / 32, part = bits % 32;
    HY_ASSERT(big->len + whole < DECIMAL_LIMBS);
    uint32_t top = part == 0 ? 0 : big->limbs[big->len - 1] >> (32 - part);
    for (uint32_t i = big->len; i-- > 0;) {
        uint32_t below = part == 0 || i == 0 ? 0 : big->limbs[i - 1] >> (32 - part);
        big->limbs[i + whole] = big->limbs[i] << part | below;
    }
    memset(big->limbs, 0, whole * sizeof *big->limbs);
    big->len += whole;
    big_push(big, top);
}

static int big_compare(const decimal_big *a, const decimal_big *b) {
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    for (uint32_t i = a->len; i-- > 0;) {
        if (a->limbs[i] != b->limbs[i]) return a->limbs[i] < b->limbs[i] ? -1 : 1;
    }
    return 0;
}

// a -= b, where b <= a.
static void big_subtract(decimal_big *a, const decimal_big *b) {
    int64_t carry = 0;
    for (uint32_t i = 0; i < a->len; i++) {
        carry += (int64_t)a->limbs[i] - (i < b->len ? b->limbs[i] : 0);
        a->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    HY_ASSERT(carry == 0);
    while (a->len > 0 && a->limbs[a->len - 1] == 0)
        a->len--;
}

static void big_add(decimal_big *sum, const decimal_big *a, const decimal_big *b) {
    uint64_t carry = 0;
    uint32_t len = a->len > b->len ? a->len : b->len;
    for (uint32_t i = 0; i < len; i++) {
        carry += (i < a->len ? a->limbs[i] : 0ull) + (i < b->len ? b->limbs[i] : 0ull);
        sum->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    sum->len = len;
    big_push(sum, (uint32_t)carry);
}

// ---- numerals ----

// Walks over a numeral: sign, significant digits, and the power of ten behind the last of them.
typedef struct decimal_numeral {
    bool is_negative;
    uint32_t digit_count; // without leading and trailing zeros; at most DECIMAL_DIGITS_MAX
    int64_t exponent;     // value = digits * 10^exponent
    uint8_t digits[DECIMAL_DIGITS_MAX];
} decimal_numeral;

#define DECIMAL_EXPONENT_LIMIT 100000000 // what is written beyond this is out of any range anyway

static int64_t decimal_read_exponent(hy_bytes text) {
    size_t at = text.ptr[0] == '-' || text.ptr[0] == '+' ? 1 : 0;
    int64_t exponent = 0;
    for (; at < text.len; at++) {
        if (exponent < DECIMAL_EXPONENT_LIMIT) exponent = exponent * 10 + (text.ptr[at] - '0');
    }
    return text.ptr[0] == '-' ? -exponent : exponent;
}

static void decimal_add_digit(decimal_numeral *numeral, uint8_t digit, bool is_behind_point) {
    if (is_behind_point) numeral->exponent--;
    if (numeral->digit_count == 0 && digit == 0) return; // leading
    if (numeral->digit_count < DECIMAL_DIGITS_MAX) {
        numeral->digits[numeral->digit_count++] = digit;
        return;
    }
    numeral->exponent++;
    if (digit != 0) numeral->digits[DECIMAL_DIGITS_MAX - 1] |= 1; // "and a little more"
}

static void decimal_read(hy_bytes text, decimal_numeral *out) {
    out->is_negative = text.len > 0 && text.ptr[0] == '-';
    out->digit_count = 0;
    out->exponent = 0;
    bool is_behind_point = false;
    for (size_t at = out->is_negative ? 1 : 0; at < text.len; at++) {
        uint8_t byte = text.ptr[at];
        if (byte == '.') {
            is_behind_point = true;
        } else if (byte == 'e' || byte == 'E') {
            hy_bytes rest = { text.ptr + at + 1, text.len - at - 1 };
            HY_ASSERT(rest.len > 0);
            out->exponent += decimal_read_exponent(rest);
            break;
        } else {
            HY_ASSERT(byte >= '0');
            HY_ASSERT(byte <= '9');
            decimal_add_digit(out, byte - '0', is_behind_point);
        }
    }
    while (out->digit_count > 0 && out->digits[out->digit_count - 1] == 0) {
        out->digit_count--;
        out->exponent++;
    }
}

hy_err hyi_decimal_to_u64(hy_bytes numeral, uint64_t *out_magnitude, bool *out_is_negative) {
    decimal_numeral read;
    decimal_read(numeral, &read);
    uint64_t magnitude = 0;
    if (read.digit_count > 0) {
        if (read.exponent < 0) return HY_TYPE;
        if (read.digit_count + (uint64_t)read.exponent > 20) return HY_RANGE;
        for (uint32_t i = 0; i < read.digit_count + (uint32_t)read.exponent; i++) {
            uint64_t digit = i < read.digit_count ? read.digits[i] : 0;
            if (magnitude > (UINT64_MAX - digit) / 10) return HY_RANGE;
            magnitude = magnitude * 10 + digit;
        }
    }
    *out_magnitude = magnitude;
    *out_is_negative = read.is_negative;
    return HY_OK;
}

// ---- to a double ----

// num / den as *out_quotient * 2^*out_exponent, the quotient in 2^62 .. 2^64. What is left over is
// ORed into its last bit, which lies far below the place where it will be rounded.
static void decimal_divide(decimal_big *num, decimal_big *den, uint64_t *out_quotient,
                           int32_t *out_exponent) {
    int32_t shift = (int32_t)big_bits(den) - (int32_t)big_bits(num);
    if (shift > 0) big_shift_left(num, (uint32_t)shift);
    if (shift < 0) big_shift_left(den, (uint32_t)-shift);
    uint64_t quotient = 0;
    for (uint32_t i = 0; i < 64; i++) { // both have the same number of bits: 1/2 < num / den < 2
        quotient <<= 1;
        if (big_compare(num, den) >= 0) {
            big_subtract(num, den);
            quotient |= 1;
        }
        big_shift_left(num, 1);
    }
    *out_quotient = quotient | (num->len > 0);
    *out_exponent = -63 - shift;
}

// quotient * 2^exponent, rounded to the nearest double, ties to even.
static hy_err decimal_round(uint64_t quotient, int32_t exponent, uint64_t *out_bits) {
    HY_ASSERT(quotient != 0);
    int32_t zeros = __builtin_clzll(quotient);
    quotient <<= zeros;
    exponent -= zeros;
    // The value is in 2^(exponent + 63) .. 2^(exponent + 64). Normal doubles keep 53 bits of it,
    // subnormal ones fewer.
    int32_t biased = exponent + 63 + 1023;
    int32_t dropped = biased > 0 ? 11 : 12 - biased;
    if (dropped > 64) {
        *out_bits = 0; // less than half of the smallest
        return HY_OK;
    }
    uint64_t kept = dropped == 64 ? 0 : quotient >> dropped;
    uint64_t rest = dropped == 64 ? quotient : quotient & ((UINT64_C(1) << dropped) - 1);
    uint64_t half = UINT64_C(1) << (dropped - 1);
    if (rest > half || (rest == half && (kept & 1) != 0)) kept++;
    // A carry out of the fraction runs into the exponent by itself, which is just right.
    uint64_t bits = kept;
    if (biased > 0) bits += (uint64_t)(biased - 1) << DECIMAL_FRACTION_BITS;
    if (bits >> DECIMAL_FRACTION_BITS >= DECIMAL_EXPONENT_MAX) return HY_RANGE;
    *out_bits = bits;
    return HY_OK;
}

hy_err hyi_decimal_to_f64(hy_bytes numeral, uint64_t *out_bits) {
    decimal_numeral read;
    decimal_read(numeral, &read);
    uint64_t bits = 0, sign = (uint64_t)read.is_negative << 63;
    int64_t magnitude = read.digit_count + read.exponent; // value < 10^magnitude
    if (read.digit_count > 0 && magnitude > 310) return HY_RANGE;
    if (read.digit_count > 0 && magnitude > -330) {
        decimal_big num, den;
        big_set(&num, 0);
        big_set(&den, 1);
        for (uint32_t i = 0; i < read.digit_count; i++) {
            if (num.len == 0) {
                big_set(&num, read.digits[i]);
            } else {
                big_multiply_add(&num, 10, read.digits[i]);
            }
        }
        if (read.exponent >= 0) big_multiply_power_of_ten(&num, (uint32_t)read.exponent);
        if (read.exponent < 0) big_multiply_power_of_ten(&den, (uint32_t)-read.exponent);
        uint64_t quotient;
        int32_t exponent;
        decimal_divide(&num, &den, &quotient, &exponent);
        hy_err err = decimal_round(quotient, exponent, &bits);
        if (err != HY_OK) return err;
    }
    *out_bits = bits | sign;
    return HY_OK;
}

// ---- from a double ----

// The number that is printed is num / den; a numeral reads back as the same double when it differs
// by less than below / den downwards and above / den upwards (or by just that, if the double is
// even).
typedef struct decimal_printer {
    decimal_big num, den, below, above;
    bool is_even;
} decimal_printer;

// fraction * 2^exponent. The next double below is only half as far when the fraction is a power of
// two; so everything is counted in quarters then, and otherwise in halves.
static void decimal_start(decimal_printer *printer, uint64_t fraction, int32_t exponent,
                          bool is_lower_near) {
    uint32_t scale = is_lower_near ? 2 : 1;
    big_set(&printer->num, fraction);
    big_set(&printer->den, 1);
    big_set(&printer->below, 1);
    big_set(&printer->above, 1);
    big_shift_left(&printer->num, scale + (exponent > 0 ? (uint32_t)exponent : 0));
    big_shift_left(&printer->den, scale + (exponent < 0 ? (uint32_t)-exponent : 0));
    big_shift_left(&printer->below, exponent > 0 ? (uint32_t)exponent : 0);
    big_shift_left(&printer->above, scale - 1 + (exponent > 0 ? (uint32_t)exponent : 0));
    printer->is_even = (fraction & 1) == 0;
}

static bool decimal_is_low(const decimal_printer *printer) {
    int order = big_compare(&printer->num, &printer->below);
    return order < 0 || (order == 0 && printer->is_even);
}

static bool decimal_is_high(const decimal_printer *printer) {
    decimal_big sum;
    big_add(&sum, &printer->num, &printer->above);
    int order = big_compare(&sum, &printer->den);
    return order > 0 || (order == 0 && printer->is_even);
}

static void decimal_times_ten(decimal_printer *printer) {
    big_multiply_add(&printer->num, 10, 0);
    big_multiply_add(&printer->below, 10, 0);
    big_multiply_add(&printer->above, 10, 0);
}

// Scales to 0.1 <= num / den < 1 (or so near to 1 that the numeral is 1) and returns the power of
// ten that was taken out. The estimate from the binary exponent is right or one too small.
static int32_t decimal_scale(decimal_printer *printer, int32_t log2) {
    int32_t power = (int32_t)((log2 * INT64_C(1292913986)) >> 32) + 1; // log10(2) * 2^32
    if (power > 0) big_multiply_power_of_ten(&printer->den, (uint32_t)power);
    if (power < 0) {
        big_multiply_power_of_ten(&printer->num, (uint32_t)-power);
        big_multiply_power_of_ten(&printer->below, (uint32_t)-power);
        big_multiply_power_of_ten(&printer->above, (uint32_t)-power);
    }
    if (!decimal_is_high(printer)) return power;
    big_multiply_add(&printer->den, 10, 0);
    return power + 1;
}

// Makes digits until what is left is within the distance to the neighbours. Returns their count, at
// most 17.
static uint32_t decimal_make_digits(decimal_printer *printer, char out_digits[20]) {
    for (uint32_t count = 0;;) {
        decimal_times_ten(printer);
        char digit = '0';
        while (big_compare(&printer->num, &printer->den) >= 0) {
            big_subtract(&printer->num, &printer->den);
            digit++;
        }
        bool is_low = decimal_is_low(printer), is_high = decimal_is_high(printer);
        if (is_low && is_high) { // both are in reach: take the nearer, or the even one
            big_shift_left(&printer->num, 1);
            int order = big_compare(&printer->num, &printer->den);
            is_high = order > 0 || (order == 0 && (digit & 1) != 0);
        }
        HY_ASSERT(count < 17);
        out_digits[count++] = (char)(digit + is_high);
        if (is_low || is_high) return count;
    }
}

// ---- the shape of a numeral ----

static size_t decimal_fill(char *out, char byte, int32_t count) {
    if (count <= 0) return 0;
    memset(out, byte, (size_t)count);
    return (size_t)count;
}

static size_t decimal_copy(char *out, const char *digits, int32_t count) {
    if (count <= 0) return 0;
    memcpy(out, digits, (size_t)count);
    return (size_t)count;
}

static size_t decimal_add_exponent(char *out, int32_t exponent) {
    size_t len = 0;
    out[len++] = 'e';
    out[len++] = exponent < 0 ? '-' : '+';
    if (exponent < 0) exponent = -exponent;
    if (exponent >= 100) out[len++] = (char)('0' + exponent / 100);
    if (exponent >= 10) out[len++] = (char)('0' + exponent / 10 % 10);
    out[len++] = (char)('0' + exponent % 10);
    return len;
}

// 0.digits * 10^power: plainly up to 21 places before the point and 6 zeros behind it, otherwise
// with an exponent.
static size_t decimal_shape(char *out, const char *digits, int32_t count, int32_t power) {
    size_t len = 0;
    if (power > 0 && power <= 21) {
        int32_t whole = count < power ? count : power;
        len += decimal_copy(out, digits, whole);
        len += decimal_fill(out + len, '0', power - count);
        len += decimal_fill(out + len, '.', count > power);
        return len + decimal_copy(out + len, digits + whole, count - whole);
    }
    if (power > -6 && power <= 0) {
        len += decimal_copy(out, "0.", 2);
        len += decimal_fill(out + len, '0', -power);
        return len + decimal_copy(out + len, digits, count);
    }
    len += decimal_copy(out, digits, 1);
    len += decimal_fill(out + len, '.', count > 1);
    len += decimal_copy(out + len, digits + 1, count - 1);
    return len + decimal_add_exponent(out + len, power - 1);
}

size_t hyi_decimal_from_f64(uint64_t bits, char out_text[HYI_DECIMAL_TEXT_MAX]) {
    int32_t biased = (int32_t)(bits >> DECIMAL_FRACTION_BITS & DECIMAL_EXPONENT_MAX);
    uint64_t implied = UINT64_C(1) << DECIMAL_FRACTION_BITS, fraction = bits & (implied - 1);
    HY_ASSERT(biased != DECIMAL_EXPONENT_MAX);
    size_t len = decimal_fill(out_text, '-', bits >> 63 != 0);
    if (biased == 0 && fraction == 0) {
        out_text[len] = '0';
        return len + 1;
    }
    bool is_lower_near = fraction == 0 && biased > 1;
    if (biased > 0) fraction |= implied;
    int32_t exponent = (biased > 0 ? biased : 1) - 1023 - DECIMAL_FRACTION_BITS;
    decimal_printer printer;
    decimal_start(&printer, fraction, exponent, is_lower_near);
    int32_t power = decimal_scale(&printer, exponent + 63 - __builtin_clzll(fraction));
    char digits[20];
    uint32_t count = decimal_make_digits(&printer, digits);
    len += decimal_shape(out_text + len, digits, (int32_t)count, power);
    HY_ASSERT(len <= HYI_DECIMAL_TEXT_MAX);
    return len;
}
