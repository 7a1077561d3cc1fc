// crc32c.c - CRC-32C by slicing: eight bytes for eight look-ups that do not wait for each other.
//
// Slice k, entry i is the remainder of byte i followed by k zero bytes. A remainder is linear in
// its bits: so only the eight powers of two of each slice are written down here, and the compiler
// joins the other 248 entries from them.
#include "base/digest.h"
#include "base/memory.h"

#define CRC_ENTRY(i, b0, b1, b2, b3, b4, b5, b6, b7)                                               \
    (((i)&1 ? b0 : 0) ^ ((i)&2 ? b1 : 0) ^ ((i)&4 ? b2 : 0) ^ ((i)&8 ? b3 : 0) ^                   \
     ((i)&16 ? b4 : 0) ^ ((i)&32 ? b5 : 0) ^ ((i)&64 ? b6 : 0) ^ ((i)&128 ? b7 : 0))
#define CRC_4(i, ...)                                                                              \
    CRC_ENTRY(i, __VA_ARGS__), CRC_ENTRY((i) + 1, __VA_ARGS__), CRC_ENTRY((i) + 2, __VA_ARGS__),   \
        CRC_ENTRY((i) + 3, __VA_ARGS__)
#define CRC_16(i, ...)                                                                             \
    CRC_4(i, __VA_ARGS__), CRC_4((i) + 4, __VA_ARGS__), CRC_4((i) + 8, __VA_ARGS__),               \
        CRC_4((i) + 12, __VA_ARGS__)
#define CRC_64(i, ...)                                                                             \
    CRC_16(i, __VA_ARGS__), CRC_16((i) + 16, __VA_ARGS__), CRC_16((i) + 32, __VA_ARGS__),          \
        CRC_16((i) + 48, __VA_ARGS__)
#define CRC_SLICE(...)                                                                             \
    {                                                                                              \
        CRC_64(0, __VA_ARGS__), CRC_64(64, __VA_ARGS__), CRC_64(128, __VA_ARGS__),                 \
            CRC_64(192, __VA_ARGS__)                                                               \
    }

// The first slice's entry for 128 is the polynomial itself, bits reversed: 0x82f63b78.
static const uint32_t crc_slices[8][256] = {
    CRC_SLICE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
              0x82f63b78),
    CRC_SLICE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
              0xfbc3faf9),
    CRC_SLICE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
              0x8b277743),
    CRC_SLICE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
              0x52a0c93f),
    CRC_SLICE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
              0x6ea2d55c),
    CRC_SLICE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
              0x1c08b7d6),
    CRC_SLICE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
              0xf56e0ef4),
    CRC_SLICE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
              0x34019664),
};

// Joined byte by byte, so that any byte order gives the same; compilers see one load.
static inline uint32_t crc_read32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t hyi_crc32c(uint32_t crc, const void *ptr, size_t size) {
    const uint8_t *p = (const uint8_t *)ptr;
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t lo = crc ^ crc_read32(p), hi = crc_read32(p + 4);
        crc = crc_slices[7][lo & 255] ^ crc_slices[6][lo >> 8 & 255] ^
              crc_slices[5][lo >> 16 & 255] ^ crc_slices[4][lo >> 24] ^ crc_slices[3][hi & 255] ^
              crc_slices[2][hi >> 8 & 255] ^ crc_slices[1][hi >> 16 & 255] ^
              crc_slices[0][hi >> 24];
    }
    for (; size > 0; size--, p++)
        crc = crc >> 8 ^ crc_slices[0][(crc ^ *p) & 255];
    return ~crc;
}
