// digest.c - a fast digest, FNV-1a and CRC-32C.
//
// hyi_digest belongs to the family of wyhash and XXH3: its unit is the "folded multiply", a product
// of two 64-bit words of 128 bits whose halves are joined. Each 16 bytes of input cost one such
// multiply, and the four lanes of a 64-byte block do not wait for each other.
//
// The known weakness of the plain fold is a factor of zero, which forgets the other factor and all
// that was mixed before. Here both factors are mixed back into the result, so neither is ever lost.
//
// Short inputs are read with overlapping words: no loop over bytes, no branch per length. The
// length goes into the last fold, so that "a" and "a\0" differ.
#include "base/digest.h"
#include "base/memory.h"

// Digits of pi behind the point, made odd: numbers with nothing up their sleeve.
#define DIGEST_A UINT64_C(0x243f6a8885a308d3)
#define DIGEST_B UINT64_C(0x13198a2e03707345)
#define DIGEST_C UINT64_C(0xa4093822299f31d1)
#define DIGEST_D UINT64_C(0x082efa98ec4e6c89)
#define DIGEST_E UINT64_C(0x452821e638d01377)
#define DIGEST_F UINT64_C(0xbe5466cf34e90c6d)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline uint64_t digest_read64(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint64_t digest_read32(const uint8_t *p) {
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}
#else
static inline uint64_t digest_read32(const uint8_t *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static inline uint64_t digest_read64(const uint8_t *p) {
    return digest_read32(p) | digest_read32(p + 4) << 32;
}
#endif

// 17 to 64 bytes: one fold for each 16, the last one overlapping.
static inline uint64_t digest_middle(uint64_t seed, const uint8_t *p, size_t size) {
    uint64_t hash = hyi_digest_fold(digest_read64(p) ^ DIGEST_A, digest_read64(p + 8) ^ seed);
    if (size > 32) {
        hash ^= hyi_digest_fold(digest_read64(p + 16) ^ DIGEST_B, digest_read64(p + 24) ^ seed);
        if (size > 48) {
            hash += hyi_digest_fold(digest_read64(p + 32) ^ DIGEST_C, digest_read64(p + 40) ^ seed);
        }
    }
    const uint8_t *last = p + size - 16;
    return hash + hyi_digest_fold(digest_read64(last) ^ DIGEST_D, digest_read64(last + 8) ^ ~seed);
}

// More than 64 bytes: blocks of four lanes, then what is left (1 to 64 bytes) by its last 64 bytes.
static uint64_t digest_long(uint64_t seed, const uint8_t *p, size_t size) {
    uint64_t a = seed, b = seed ^ DIGEST_B, c = seed ^ DIGEST_C, d = seed ^ DIGEST_D;
    const uint8_t *last = p + size - 64;
    for (;;) {
        a = hyi_digest_fold(digest_read64(p) ^ DIGEST_A, digest_read64(p + 8) ^ a);
        b = hyi_digest_fold(digest_read64(p + 16) ^ DIGEST_B, digest_read64(p + 24) ^ b);
        c = hyi_digest_fold(digest_read64(p + 32) ^ DIGEST_C, digest_read64(p + 40) ^ c);
        d = hyi_digest_fold(digest_read64(p + 48) ^ DIGEST_D, digest_read64(p + 56) ^ d);
        if (p == last) break;
        p = (size_t)(last - p) < 64 ? last : p + 64;
    }
    return hyi_digest_fold(a ^ DIGEST_E, b) + hyi_digest_fold(c ^ DIGEST_F, d);
}

// 16 bytes and less: at most two words, overlapping, in one fold.
static inline uint64_t digest_short(uint64_t seed, const uint8_t *p, size_t size) {
    uint64_t a = 0, b = 0;
    if (size >= 8) {
        a = digest_read64(p);
        b = digest_read64(p + size - 8);
    } else if (size >= 4) {
        a = digest_read32(p);
        b = digest_read32(p + size - 4);
    } else if (size > 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | p[size - 1];
    }
    return hyi_digest_fold(a ^ DIGEST_A, b ^ DIGEST_B ^ seed);
}

static inline uint64_t digest_of(uint64_t seed, const uint8_t *p, size_t size) {
    uint64_t hash = size <= 16   ? digest_short(seed, p, size)
                    : size <= 64 ? digest_middle(seed, p, size)
                                 : digest_long(seed, p, size);
    return hyi_digest_fold(hash ^ DIGEST_E, seed ^ DIGEST_F ^ size);
}

uint64_t hyi_digest(uint64_t seed, const void *ptr, size_t size) {
    return digest_of(seed, (const uint8_t *)ptr, size);
}

hyi_wide_digest hyi_digest128(uint64_t seed, const void *ptr, size_t size) {
    return (hyi_wide_digest){ .hi = digest_of(seed, (const uint8_t *)ptr, size),
                              .lo = digest_of(seed + DIGEST_B, (const uint8_t *)ptr, size) };
}

uint64_t hyi_fnv1a(uint64_t hash, const void *ptr, size_t size) {
    const uint8_t *p = (const uint8_t *)ptr;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}
