// utf8.c - checking, reading and writing UTF-8.
//
// Validity follows the table of RFC 3629 section 4: the first byte fixes the length and the allowed
// range of the second byte, which is where overlong forms, surrogates and numbers past 0x10ffff are
// refused. Plain ASCII is checked eight bytes at a time.
#include "base/utf8.h"
#include "base/memory.h"

#define UTF8_HIGH_BITS UINT64_C(0x8080808080808080)

static bool utf8_is_tail(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

// The range that RFC 3629 allows for the byte behind `first`.
static bool utf8_second_fits(uint8_t first, uint8_t second) {
    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most;
}

static size_t utf8_expected_len(uint8_t first) {
    if (first < 0x80) return 1;
    if (first < 0xc2) return 0; // a tail byte, or the overlong forms c0 and c1
    if (first < 0xe0) return 2;
    if (first < 0xf0) return 3;
    return first < 0xf5 ? 4 : 0;
}

size_t hyi_utf8_decode(hy_bytes bytes, uint32_t *out_code_point) {
    if (bytes.len == 0) return 0;
    const uint8_t *p = bytes.ptr;
    size_t len = utf8_expected_len(p[0]);
    if (len == 0 || len > bytes.len) return 0;
    if (len == 1) {
        *out_code_point = p[0];
        return 1;
    }
    if (!utf8_second_fits(p[0], p[1])) return 0;
    uint32_t code_point = p[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if (!utf8_is_tail(p[i])) return 0;
        code_point = code_point << 6 | (p[i] & 0x3fu);
    }
    *out_code_point = code_point;
    return len;
}

size_t hyi_utf8_encode(uint32_t code_point, uint8_t out_bytes[4]) {
    if (code_point < 0x80) {
        out_bytes[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point >= 0xd800 && code_point <= 0xdfff) return 0;
    if (code_point > 0x10ffff) return 0;
    size_t len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1;) {
        out_bytes[i] = (uint8_t)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out_bytes[0] = (uint8_t)((0xf00u >> len) | code_point);
    return len;
}

size_t hyi_utf8_valid_len(hy_bytes bytes) {
    size_t at = 0;
    while (at < bytes.len) {
        uint64_t word;
        while (bytes.len - at >= sizeof word) {
            memcpy(&word, bytes.ptr + at, sizeof word);
            if (word & UTF8_HIGH_BITS) break;
            at += sizeof word;
        }
        if (at == bytes.len) break;
        uint32_t code_point;
        size_t len = hyi_utf8_decode((hy_bytes){ bytes.ptr + at, bytes.len - at }, &code_point);
        if (len == 0) return at;
        at += len;
    }
    return at;
}

size_t hyi_utf8_cut(hy_bytes bytes, size_t len_max) {
    if (bytes.len <= len_max) return bytes.len;
    // A character has at most three tail bytes; more of them are not text, and are cut anywhere.
    for (size_t back = 0; back < 4 && back <= len_max; back++) {
        if (!utf8_is_tail(bytes.ptr[len_max - back])) return len_max - back;
    }
    return len_max;
}

bool hy_text_is_utf8(hy_bytes bytes) {
    return hyi_utf8_valid_len(bytes) == bytes.len;
}
