// digest.h - short numbers for long bytes.              Room: base. Includes: hypha/base.h.
// Threads: any. Ownership: everything is borrowed. Limits: none. Nothing here can fail.
//
// Same bytes, same number, on every machine: all words are read little-endian. hyi_digest and
// hyi_digest128 are written into stores, so their results may not change (a test holds them fast).
// None of these resists an adversary who knows the seed; none is cryptographic.
#ifndef HYI_BASE_DIGEST_H
#define HYI_BASE_DIGEST_H

#include <hypha/base.h>
#include "base/wide.h"

// Fast and well mixed; `seed` gives independent functions. The seed 0 is fine.
uint64_t hyi_digest(uint64_t seed, const void *ptr, size_t size);

// Two independent digests, for keys that stand for their bytes.
typedef struct hyi_wide_digest {
    uint64_t hi, lo;
} hyi_wide_digest;
hyi_wide_digest hyi_digest128(uint64_t seed, const void *ptr, size_t size);

// FNV-1a, 64 bits. Start with HYI_FNV1A_START; pass the result on to continue.
#define HYI_FNV1A_START UINT64_C(0xcbf29ce484222325)
uint64_t hyi_fnv1a(uint64_t hash, const void *ptr, size_t size);

// CRC-32C (Castagnoli, as in RFC 3720). Start with 0; pass the result on to continue.
uint32_t hyi_crc32c(uint32_t crc, const void *ptr, size_t size);

// The unit that hyi_digest is made of (see digest.c): mixes two words into one. Inline, because
// hash tables ask for nothing more. Each factor wants a constant of its own, so that small numbers
// spread.
static inline uint64_t hyi_digest_fold(uint64_t a, uint64_t b) {
    uint64_t hi, lo = hyi_wide_multiply(a, b, &hi);
    return (lo ^ a) + (hi ^ b);
}

#endif
