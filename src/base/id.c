// id.c - 128-bit ids and their text (RFC 9562).
//
// Version 7: 48 bits of Unix milliseconds, the version, 12 random bits, the variant, 62 random
// bits. Ids made later compare greater, so they are kind to ordered tables. Parsing takes any
// version: ids from other systems must pass through unchanged.
#include <hypha/base.h>

static bool id_has_dash_at(size_t at) {
    return at == 8 || at == 13 || at == 18 || at == 23;
}

hy_id hy_id_at(hy_ns wall, uint64_t random_hi, uint64_t random_lo) {
    uint64_t ms = wall < 0 ? 0 : (uint64_t)wall / 1000000;
    return (hy_id){ .hi = ms << 16 | UINT64_C(0x7000) | (random_hi & 0xfff),
                    .lo = UINT64_C(1) << 63 | (random_lo & (UINT64_MAX >> 2)) };
}

void hy_id_format(hy_id id, char out_text[HY_ID_TEXT_LEN + 1]) {
    size_t nibble = 0;
    for (size_t at = 0; at < HY_ID_TEXT_LEN; at++) {
        if (id_has_dash_at(at)) {
            out_text[at] = '-';
            continue;
        }
        uint64_t half = nibble < 16 ? id.hi : id.lo;
        out_text[at] = "0123456789abcdef"[half >> (60 - nibble % 16 * 4) & 15];
        nibble++;
    }
    out_text[HY_ID_TEXT_LEN] = 0;
}

// 0 to 15, or 16 for a byte that is no hexadecimal digit.
static uint32_t id_nibble(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10u : 16;
}

hy_err hy_id_parse(hy_bytes text, hy_id *out_id) {
    if (text.len != HY_ID_TEXT_LEN) return HY_MALFORMED;
    hy_id id = { 0 };
    for (size_t at = 0; at < HY_ID_TEXT_LEN; at++) {
        if (id_has_dash_at(at)) {
            if (text.ptr[at] != '-') return HY_MALFORMED;
            continue;
        }
        uint32_t nibble = id_nibble(text.ptr[at]);
        if (nibble > 15) return HY_MALFORMED;
        id.hi = id.hi << 4 | id.lo >> 60;
        id.lo = id.lo << 4 | nibble;
    }
    *out_id = id;
    return HY_OK;
}
