// hdr.c - counts of values by size, with a bounded error.
//
// A value v of at least 128 lies in octave e = log2(v) and, within it, in one of 128 steps, each
// 1/128 of the octave wide: so the step's lower end is never more than 0.8 % below the value. Below
// 128 every value has a step of its own, in octave 0. (The scheme of HdrHistogram by G. Tene; the
// steps there come from a decimal precision, here from a power of two.)
//
// The counters of an octave are made when the first of its values comes: a histogram of request
// times touches five or six octaves, 1 KiB each.
#include <hypha/observe.h>

#include <string.h>

#define HDR_STEP_BITS 7u
#define HDR_STEPS (1u << HDR_STEP_BITS)
#define HDR_OCTAVES 58u
#define HDR_OCTAVE_BYTES (HDR_STEPS * sizeof(uint64_t))

void hy_hdr_init(hy_hdr *hdr, hy_mem *mem) {
    *hdr = (hy_hdr){ .mem = mem, .min = UINT64_MAX };
}

void hy_hdr_deinit(hy_hdr *hdr) {
    for (uint32_t i = 0; i < HDR_OCTAVES; i++)
        hy_mem_free(hdr->mem, hdr->octaves[i], HDR_OCTAVE_BYTES);
    hy_hdr_init(hdr, hdr->mem);
}

static uint32_t hdr_octave(uint64_t value) {
    if (value < HDR_STEPS) return 0;
    return 63u - (uint32_t)__builtin_clzll(value) - HDR_STEP_BITS + 1;
}

// In octave 1 and above the leading bit is always set, and is left out.
static uint32_t hdr_step(uint64_t value, uint32_t octave) {
    if (octave == 0) return (uint32_t)value;
    return (uint32_t)(value >> (octave - 1)) & (HDR_STEPS - 1);
}

// The largest value of the step: what a percentile gives, so that it is never too good.
static uint64_t hdr_top(uint32_t octave, uint32_t step) {
    if (octave == 0) return step;
    uint64_t low = (uint64_t)(HDR_STEPS + step) << (octave - 1);
    return low + ((UINT64_C(1) << (octave - 1)) - 1);
}

static uint64_t *hdr_octave_of(hy_hdr *hdr, uint32_t octave) {
    if (!hdr->octaves[octave]) {
        hdr->octaves[octave] = (uint64_t *)hy_mem_alloc_zero(hdr->mem, HDR_OCTAVE_BYTES);
    }
    return hdr->octaves[octave];
}

static uint64_t hdr_sum(uint64_t a, uint64_t b) {
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

void hy_hdr_add(hy_hdr *hdr, uint64_t value) {
    uint32_t octave = hdr_octave(value);
    uint64_t *steps = hdr_octave_of(hdr, octave);
    if (!steps) {
        hdr->lost++;
        return;
    }
    steps[hdr_step(value, octave)]++;
    hdr->count++;
    hdr->sum = hdr_sum(hdr->sum, value);
    if (value < hdr->min) hdr->min = value;
    if (value > hdr->max) hdr->max = value;
}

static bool hdr_make_octaves(hy_hdr *hdr, const hy_hdr *like) {
    bool made = true;
    for (uint32_t octave = 0; octave < HDR_OCTAVES; octave++)
        if (like->octaves[octave] && !hdr_octave_of(hdr, octave)) made = false;
    return made;
}

// All or nothing, so that count, sum, min and max are of the same values.
void hy_hdr_merge(hy_hdr *into, const hy_hdr *from) {
    into->lost += from->lost;
    if (!hdr_make_octaves(into, from)) {
        into->lost += from->count;
        return;
    }
    for (uint32_t octave = 0; octave < HDR_OCTAVES; octave++) {
        const uint64_t *more = from->octaves[octave];
        for (uint32_t i = 0; more && i < HDR_STEPS; i++)
            into->octaves[octave][i] += more[i];
    }
    into->count += from->count;
    into->sum = hdr_sum(into->sum, from->sum);
    if (from->min < into->min) into->min = from->min;
    if (from->max > into->max) into->max = from->max;
}

uint64_t hy_hdr_percentile(const hy_hdr *hdr, uint32_t ppm) {
    HY_ASSERT(ppm <= 1000000);
    if (hdr->count == 0) return 0;
    // The rank, rounded up, and at least the first.
    uint64_t rank = (uint64_t)(((__uint128_t)hdr->count * ppm + 999999) / 1000000);
    if (rank == 0) rank = 1;
    uint64_t seen = 0;
    for (uint32_t octave = 0; octave < HDR_OCTAVES; octave++) {
        const uint64_t *steps = hdr->octaves[octave];
        for (uint32_t i = 0; steps && i < HDR_STEPS; i++) {
            seen += steps[i];
            if (seen < rank) continue;
            uint64_t top = hdr_top(octave, i);
            return top < hdr->max ? top : hdr->max;
        }
    }
    return hdr->max;
}
