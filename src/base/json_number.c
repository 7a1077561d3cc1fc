// json_number.c - what a number token means, in the form that its reader asks for.
//
// A reader of a field knows whether it wants an integer or a double; converting earlier would lose
// digits. Doubles that are not finite are texts, as in the JSON mapping of Protocol Buffers.
#include "base/json.h"

#include "base/decimal.h"

#define JSON_INFINITY_BITS UINT64_C(0x7ff0000000000000)
#define JSON_NAN_BITS UINT64_C(0x7ff8000000000000)
#define JSON_SIGN_BIT (UINT64_C(1) << 63)

hy_err hyi_json_i64(const hyi_json_token *token, int64_t *out_value) {
    if (token->kind != HYI_JSON_NUMBER) return HY_TYPE;
    uint64_t magnitude;
    bool is_negative;
    hy_err err = hyi_decimal_to_u64(token->raw, &magnitude, &is_negative);
    if (err != HY_OK) return err;
    if (magnitude > (uint64_t)INT64_MAX + is_negative) return HY_RANGE;
    *out_value = (int64_t)(is_negative ? 0 - magnitude : magnitude);
    return HY_OK;
}

hy_err hyi_json_u64(const hyi_json_token *token, uint64_t *out_value) {
    if (token->kind != HYI_JSON_NUMBER) return HY_TYPE;
    uint64_t magnitude;
    bool is_negative;
    hy_err err = hyi_decimal_to_u64(token->raw, &magnitude, &is_negative);
    if (err != HY_OK) return err;
    if (is_negative && magnitude != 0) return HY_RANGE;
    *out_value = magnitude;
    return HY_OK;
}

hy_err hyi_json_f64_bits(const hyi_json_token *token, uint64_t *out_bits) {
    if (token->kind == HYI_JSON_NUMBER) return hyi_decimal_to_f64(token->raw, out_bits);
    if (token->kind != HYI_JSON_TEXT) return HY_TYPE;
    if (hyi_json_text_is(token, HY_BYTES("NaN"))) {
        *out_bits = JSON_NAN_BITS;
    } else if (hyi_json_text_is(token, HY_BYTES("Infinity"))) {
        *out_bits = JSON_INFINITY_BITS;
    } else if (hyi_json_text_is(token, HY_BYTES("-Infinity"))) {
        *out_bits = JSON_INFINITY_BITS | JSON_SIGN_BIT;
    } else {
        return HY_TYPE;
    }
    return HY_OK;
}

void hyi_json_add_f64_bits(hyi_json_writer *writer, uint64_t bits) {
    bool is_finite = (bits & JSON_INFINITY_BITS) != JSON_INFINITY_BITS;
    if (is_finite) {
        char text[HYI_DECIMAL_TEXT_MAX];
        size_t len = hyi_decimal_from_f64(bits, text);
        hyi_json_add_raw(writer, (hy_bytes){ (const uint8_t *)text, len });
    } else if ((bits & ~JSON_SIGN_BIT) != JSON_INFINITY_BITS) {
        hyi_json_add_text(writer, HY_BYTES("NaN"));
    } else {
        bool is_negative = (bits & JSON_SIGN_BIT) != 0;
        hyi_json_add_text(writer, is_negative ? HY_BYTES("-Infinity") : HY_BYTES("Infinity"));
    }
}
