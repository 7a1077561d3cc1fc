// decimal.h - decimal numerals, integers and doubles.         Room: base. Includes: hypha/base.h.
// Threads: values. Nothing here allocates or uses floating point: doubles are their 64 bits.
//
// A numeral is what JSON calls a number: -?digits[.digits][(e|E)[+-]digits]. The caller has checked
// that; hyi_json_next has.
#ifndef HYI_BASE_DECIMAL_H
#define HYI_BASE_DECIMAL_H

#include <hypha/base.h>

// A numeral as sign, magnitude. HY_TYPE when it is not an integer, HY_RANGE past 64 bits.
HY_CHECKED hy_err hyi_decimal_to_u64(hy_bytes numeral, uint64_t *out_magnitude,
                                     bool *out_is_negative);

// The nearest double, ties to even (IEEE 754). HY_RANGE when it would be infinite.
HY_CHECKED hy_err hyi_decimal_to_f64(hy_bytes numeral, uint64_t *out_bits);

// The shortest numeral that reads back as the same bits, and of those the nearest; written like
// JavaScript does, but keeping the sign of zero. Returns its length; the number must be finite.
#define HYI_DECIMAL_TEXT_MAX 32u
size_t hyi_decimal_from_f64(uint64_t bits, char out_text[HYI_DECIMAL_TEXT_MAX]);

#endif
