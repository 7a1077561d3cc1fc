// Base64, strictly: every sequence of bytes has exactly one text, and no other text is read.
//
// Otherwise one value would have several forms in JSON, and a digest or a signature over the text
// would not be one over the value. So the padding must be there, the bits behind the last byte must
// be zero, and neither line breaks nor the URL alphabet are taken.
#include "schema/base64.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(uint8_t digit);

void hyi_base64_encode(hy_bytes bytes, hy_buf *out) {
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.ptr[i] << 16;
        if (left > 1) group |= (uint32_t)bytes.ptr[i + 1] << 8;
        if (left > 2) group |= bytes.ptr[i + 2];
        char text[4] = { base64_digits[group >> 18], base64_digits[group >> 12 & 63],
                         left > 1 ? base64_digits[group >> 6 & 63] : '=',
                         left > 2 ? base64_digits[group & 63] : '=' };
        hy_buf_add(out, text, sizeof text);
    }
}

// Four digits are three bytes; the padding says that the last one or two are not there.
hy_err hyi_base64_decode(hy_text text, hy_arena *arena, hy_bytes *out_bytes) {
    *out_bytes = (hy_bytes){ .ptr = NULL, .len = 0 };
    if (text.len == 0) return HY_OK;
    if (text.len % 4 != 0) return HY_MALFORMED;
    size_t padding = 0;
    while (padding < 2 && text.ptr[text.len - 1 - padding] == '=') {
        padding += 1;
    }
    uint8_t *bytes = (uint8_t *)hy_arena_alloc(arena, text.len / 4 * 3);
    if (bytes == NULL) return HY_NOMEM;
    for (size_t i = 0; i < text.len; i += 4) {
        uint32_t group = 0;
        size_t missing = i + 4 == text.len ? padding : 0;
        for (size_t j = 0; j < 4; j++) {
            int value = j < 4 - missing ? base64_value(text.ptr[i + j]) : 0;
            if (value < 0) return HY_MALFORMED;
            group = group << 6 | (uint32_t)value;
        }
        if (missing > 0 && (group & ((1u << (8 * missing)) - 1)) != 0) return HY_MALFORMED;
        for (size_t j = 0; j < 3; j++) {
            bytes[i / 4 * 3 + j] = (uint8_t)(group >> (16 - 8 * j));
        }
    }
    *out_bytes = (hy_bytes){ .ptr = bytes, .len = text.len / 4 * 3 - padding };
    return HY_OK;
}

static int base64_value(uint8_t digit) {
    if (digit >= 'A' && digit <= 'Z') return digit - 'A';
    if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9') return digit - '0' + 52;
    if (digit == '+') return 62;
    return digit == '/' ? 63 : -1;
}
