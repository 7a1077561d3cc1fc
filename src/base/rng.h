// rng.h - random numbers that are the same in every run.      Room: base. Includes: hypha/base.h.
// Threads: one owner. Ownership: a plain value of about 300 bytes; copy it to fork the sequence.
// Limits: 2^64 blocks of 64 bytes.
//
// ChaCha with 8 rounds, seeded and drawn as machine.md 4.8 says, word for word: whoever follows the
// same page gets the same numbers. Nothing here is for secrets: the seed has 64 bits.
#ifndef HYI_BASE_RNG_H
#define HYI_BASE_RNG_H

#include <hypha/base.h>

#define HYI_RNG_WORDS 64u

typedef struct hyi_rng {
    uint32_t words[HYI_RNG_WORDS]; // four blocks, drawn in order
    uint32_t index;                // the next word; HYI_RNG_WORDS when all are drawn
    uint32_t key[8];
    uint64_t block; // the counter of the next four blocks
} hyi_rng;

void hyi_rng_init(hyi_rng *rng, uint64_t seed);

// An own sequence for each name, so that one user of chance drawing more does not shift the others.
void hyi_rng_stream(hyi_rng *rng, uint64_t seed, hy_text name);

uint32_t hyi_rng_u32(hyi_rng *rng);
uint64_t hyi_rng_u64(hyi_rng *rng); // the first word drawn is the lower half

// Uniform in from <= n < to; from < to. The width decides how many words a draw takes and which are
// refused, so these are five functions and not one.
uint8_t hyi_rng_u8_in(hyi_rng *rng, uint8_t from, uint32_t to);
uint16_t hyi_rng_u16_in(hyi_rng *rng, uint16_t from, uint32_t to);
uint32_t hyi_rng_u32_in(hyi_rng *rng, uint32_t from, uint32_t to);
int32_t hyi_rng_i32_in(hyi_rng *rng, int32_t from, int32_t to);
uint64_t hyi_rng_usize_in(hyi_rng *rng, uint64_t from, uint64_t to);

// True in threshold of 2^64 cases: the probability p is the threshold trunc(p * 2^64).
bool hyi_rng_bool(hyi_rng *rng, uint64_t threshold);

// The next number of splitmix64: small, for seeds and shuffles. Any state will do.
uint64_t hyi_splitmix64(uint64_t *state);

#endif
