// wide.h - the 128-bit product of two 64-bit numbers.        Room: base. Includes: hypha/base.h.
// Threads: values.
//
// wasm32 knows __int128 but calls a library for its product, which the pure rooms do not have;
// there four products of 32 bits give the same.
#ifndef HYI_BASE_WIDE_H
#define HYI_BASE_WIDE_H

#include <hypha/base.h>

// Returns the lower half of a * b and gives the upper one.
#if defined(__SIZEOF_INT128__) && !defined(__wasm__)
static inline uint64_t hyi_wide_multiply(uint64_t a, uint64_t b, uint64_t *out_hi) {
    unsigned __int128 product = (unsigned __int128)a * b;
    *out_hi = (uint64_t)(product >> 64);
    return (uint64_t)product;
}
#else
static inline uint64_t hyi_wide_multiply(uint64_t a, uint64_t b, uint64_t *out_hi) {
    uint64_t a_lo = (uint32_t)a, a_hi = a >> 32, b_lo = (uint32_t)b, b_hi = b >> 32;
    uint64_t lo_lo = a_lo * b_lo, cross = a_hi * b_lo;
    uint64_t middle = (lo_lo >> 32) + (uint32_t)cross + a_lo * b_hi;
    *out_hi = a_hi * b_hi + (cross >> 32) + (middle >> 32);
    return middle << 32 | (uint32_t)lo_lo;
}
#endif

#endif
