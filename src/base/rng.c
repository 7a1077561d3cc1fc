// rng.c - ChaCha8, four blocks at a time.
//
// A vector holds the same word of four blocks, so a round of all four is sixteen vector operations
// without a shuffle; plain SSE2 or NEON does it, and where there are no vectors the compiler
// unrolls. Only the result is transposed, because words are drawn block by block.
#include "base/rng.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/wide.h"

typedef uint32_t rng_lanes __attribute__((vector_size(16)));

static const uint32_t rng_constants[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

static inline rng_lanes rng_rotate(rng_lanes x, uint32_t bits) {
    return x << bits | x >> (32 - bits);
}

#define RNG_QUARTER(a, b, c, d)                                                                    \
    a += b, d = rng_rotate(d ^ a, 16), c += d, b = rng_rotate(b ^ c, 12), a += b,                  \
            d = rng_rotate(d ^ a, 8), c += d, b = rng_rotate(b ^ c, 7)

// Word i of block j is out[16 * j + i]: four rows of lanes, transposed.
static inline void rng_store(uint32_t *out, const rng_lanes rows[4]) {
    rng_lanes low01 = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
    rng_lanes low23 = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
    rng_lanes high01 = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
    rng_lanes high23 = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    rng_lanes blocks[4] = { __builtin_shufflevector(low01, low23, 0, 1, 4, 5),
                            __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                            __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                            __builtin_shufflevector(high01, high23, 2, 3, 6, 7) };
    for (uint32_t j = 0; j < 4; j++)
        memcpy(out + (size_t)j * 16, &blocks[j], sizeof blocks[j]);
}

static void rng_refill(hyi_rng *rng) {
    // Unrolled, so that the two arrays become registers also where the compiler is told to be
    // modest.
    rng_lanes start[16], x[16];
    for (uint32_t i = 0; i < 4; i++)
        start[i] = (rng_lanes){ 0 } + rng_constants[i];
    for (uint32_t i = 0; i < 8; i++)
        start[4 + i] = (rng_lanes){ 0 } + rng->key[i];
    for (uint32_t j = 0; j < 4; j++) {
        start[12][j] = (uint32_t)(rng->block + j);
        start[13][j] = (uint32_t)((rng->block + j) >> 32);
    }
    start[14] = start[15] = (rng_lanes){ 0 };
#pragma GCC unroll 16
    for (uint32_t i = 0; i < 16; i++)
        x[i] = start[i];
    for (uint32_t round = 0; round < 8; round += 2) {
        RNG_QUARTER(x[0], x[4], x[8], x[12]);
        RNG_QUARTER(x[1], x[5], x[9], x[13]);
        RNG_QUARTER(x[2], x[6], x[10], x[14]);
        RNG_QUARTER(x[3], x[7], x[11], x[15]);
        RNG_QUARTER(x[0], x[5], x[10], x[15]);
        RNG_QUARTER(x[1], x[6], x[11], x[12]);
        RNG_QUARTER(x[2], x[7], x[8], x[13]);
        RNG_QUARTER(x[3], x[4], x[9], x[14]);
    }
#pragma GCC unroll 16
    for (uint32_t i = 0; i < 16; i++)
        x[i] += start[i];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 16; i += 4)
        rng_store(rng->words + i, x + i);
    rng->block += 4;
    rng->index = 0;
}

// The key comes from a PCG32 stepper, as rand_core expands a 64-bit seed.
void hyi_rng_init(hyi_rng *rng, uint64_t seed) {
    uint64_t state = seed;
    rng->block = 0;
    rng->index = HYI_RNG_WORDS;
    memset(rng->words, 0, sizeof rng->words); // a copied generator holds no stray bytes
    for (uint32_t i = 0; i < 8; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(11634580027462260723);
        uint32_t x = (uint32_t)((state >> 18 ^ state) >> 27), turn = (uint32_t)(state >> 59);
        rng->key[i] = x >> turn | x << ((32 - turn) & 31);
    }
}

void hyi_rng_stream(hyi_rng *rng, uint64_t seed, hy_text name) {
    hyi_rng_init(rng, hyi_digest(seed, name.ptr, name.len));
}

uint32_t hyi_rng_u32(hyi_rng *rng) {
    if (rng->index >= HYI_RNG_WORDS) rng_refill(rng);
    return rng->words[rng->index++];
}

uint64_t hyi_rng_u64(hyi_rng *rng) {
    uint64_t low = hyi_rng_u32(rng);
    return low | (uint64_t)hyi_rng_u32(rng) << 32;
}

// The draws of one range: the upper half of (word * range), refused where the lower half is past
// the zone, because beyond it the words do not divide evenly.
static uint32_t rng_draw32(hyi_rng *rng, uint32_t range, uint32_t zone) {
    for (;;) {
        uint64_t product = (uint64_t)hyi_rng_u32(rng) * range;
        if ((uint32_t)product <= zone) return (uint32_t)(product >> 32);
    }
}

// 8 and 16 bits can afford the exact zone.
static uint32_t rng_draw_small(hyi_rng *rng, uint32_t range) {
    HY_ASSERT(range > 0);
    HY_ASSERT(range <= 65536);
    return rng_draw32(rng, range, UINT32_MAX - (0 - range) % range);
}

// 32 and 64 bits use the largest multiple of the range that is a power of two times it.
static uint32_t rng_draw_wide(hyi_rng *rng, uint32_t range) {
    return rng_draw32(rng, range, (range << __builtin_clz(range)) - 1);
}

uint8_t hyi_rng_u8_in(hyi_rng *rng, uint8_t from, uint32_t to) {
    HY_ASSERT(from < to);
    HY_ASSERT(to <= 256);
    return (uint8_t)(from + rng_draw_small(rng, to - from));
}

uint16_t hyi_rng_u16_in(hyi_rng *rng, uint16_t from, uint32_t to) {
    HY_ASSERT(from < to);
    HY_ASSERT(to <= 65536);
    return (uint16_t)(from + rng_draw_small(rng, to - from));
}

uint32_t hyi_rng_u32_in(hyi_rng *rng, uint32_t from, uint32_t to) {
    HY_ASSERT(from < to);
    return from + rng_draw_wide(rng, to - from);
}

int32_t hyi_rng_i32_in(hyi_rng *rng, int32_t from, int32_t to) {
    HY_ASSERT(from < to);
    return (int32_t)((uint32_t)from + rng_draw_wide(rng, (uint32_t)to - (uint32_t)from));
}

uint64_t hyi_rng_usize_in(hyi_rng *rng, uint64_t from, uint64_t to) {
    HY_ASSERT(from < to);
    uint64_t range = to - from, zone = (range << __builtin_clzll(range)) - 1;
    for (;;) {
        uint64_t drawn = 0;
        if (hyi_wide_multiply(hyi_rng_u64(rng), range, &drawn) <= zone) return from + drawn;
    }
}

bool hyi_rng_bool(hyi_rng *rng, uint64_t threshold) {
    return hyi_rng_u64(rng) < threshold;
}

uint64_t hyi_splitmix64(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
