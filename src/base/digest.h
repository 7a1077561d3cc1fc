// digest.h - short numbers for long bytes.              Room: base. Includes: hypha/base.h.
// Threads: any. Ownership: everything is borrowed. Limits: none. Nothing here can fail.
//
// Same bytes, same number, on every machine: all words are read little-endian. hyi_digest and
// hyi_digest128 are written into stores, so their results may not change (a test holds them fast).
// None of these resists an adversary who knows the seed; none is cryptographic.
#ifndef HYI_BASE_DIGEST_H
#define HYI_BASE_DIGEST_H

#include <hypha/base.h>

// Fast and well mixed; `seed` gives independent functions. The seed 0 is fine.
uint64_t hyi_digest(uint64_t seed, const void *ptr, size_t size);

// Two independent digests, for keys that stand for their bytes.
typedef struct hyi_wide_digest {
    uint64_t hi, lo;
} hyi_wide_digest;
hyi_wide_digest hyi_digest128(uint64_t seed, const void *ptr, size_t size);

// Mixes two words into one; what hyi_digest is made of. Good for chaining and for hash tables.
uint64_t hyi_digest_pair(uint64_t a, uint64_t b);

// FNV-1a, 64 bits. Start with HYI_FNV1A_START; pass the result on to continue.
#define HYI_FNV1A_START UINT64_C(0xcbf29ce484222325)
uint64_t hyi_fnv1a(uint64_t hash, const void *ptr, size_t size);

// CRC-32C (Castagnoli, as in RFC 3720). Start with 0; pass the result on to continue.
uint32_t hyi_crc32c(uint32_t crc, const void *ptr, size_t size);

#endif
