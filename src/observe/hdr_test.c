// hdr_test.c - percentiles against the sorted values, over all sizes; merging; want of memory.
//
// The values are of every magnitude that 64 bits have, so that each octave is met; a histogram made
// of two halves must answer as the one that saw all.
#include <hypha/observe.h>

#include "base/rng.h"
#include "kit/kit.h"

#include <stdlib.h>

#define VALUES 5000

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t next(uint64_t *state) { // of any size
    return hyi_splitmix64(state) >> (hyi_splitmix64(state) % 64);
}

static hy_err percentiles_are_within_a_step(hy_mem *mem) {
    static uint64_t values[VALUES];
    uint64_t state = kit_seed();
    hy_hdr all, half[2];
    hy_hdr_init(&all, mem);
    hy_hdr_init(&half[0], mem);
    hy_hdr_init(&half[1], mem);
    for (int i = 0; i < VALUES; i++) {
        values[i] = next(&state);
        hy_hdr_add(&all, values[i]);
        hy_hdr_add(&half[i % 2], values[i]);
    }
    hy_hdr_merge(&half[0], &half[1]);
    uint64_t lost = all.lost + half[0].lost;
    qsort(values, VALUES, sizeof values[0], by_size);
    for (uint32_t ppm = 0; lost == 0 && ppm <= 1000000; ppm += 12500) {
        uint64_t rank = ((uint64_t)VALUES * ppm + 999999) / 1000000;
        uint64_t exact = values[rank == 0 ? 0 : rank - 1];
        uint64_t got = hy_hdr_percentile(&all, ppm);
        CHECK(got >= exact && got - exact <= exact / 128);
        CHECK_EQ(got, hy_hdr_percentile(&half[0], ppm));
    }
    CHECK_EQ(all.count + all.lost, VALUES);
    CHECK_EQ(half[0].count + half[0].lost, VALUES);
    if (lost == 0) {
        CHECK_EQ(all.min, values[0]);
        CHECK_EQ(all.max, values[VALUES - 1]);
    }
    hy_hdr_deinit(&all);
    hy_hdr_deinit(&half[0]);
    hy_hdr_deinit(&half[1]);
    return lost == 0 ? HY_OK : HY_NOMEM;
}

static hy_err edges_have_a_place(hy_mem *mem) {
    const uint64_t edges[] = { 0, 1, 127, 128, 129, 255, 256, UINT64_MAX - 1, UINT64_MAX };
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        hy_hdr hdr;
        hy_hdr_init(&hdr, mem);
        hy_hdr_add(&hdr, edges[i]);
        bool lost = hdr.lost > 0;
        if (!lost) CHECK_EQ(hy_hdr_percentile(&hdr, 500000), edges[i]);
        hy_hdr_deinit(&hdr);
        if (lost) return HY_NOMEM;
        CHECK_EQ(hy_hdr_percentile(&hdr, 500000), 0);
    }
    return HY_OK;
}

// Without memory for a part of it nothing is merged: what can be asked fits together.
static hy_err merge_is_all_or_nothing(hy_mem *mem) {
    hy_hdr into, from;
    hy_hdr_init(&into, mem);
    hy_hdr_init(&from, mem);
    hy_hdr_add(&into, 5);
    hy_hdr_add(&from, 7);
    hy_hdr_add(&from, 1000000);
    hy_hdr_add(&from, UINT64_MAX);
    uint64_t had = into.count, more = from.count, lost = into.lost + from.lost;
    hy_hdr_merge(&into, &from);
    CHECK_EQ(into.count + into.lost, had + more + lost);
    CHECK(into.count == had || into.count == had + more);
    if (into.count == had && had == 1) CHECK_EQ(into.max, 5);
    if (into.count == 4) CHECK_EQ(into.sum, UINT64_MAX);
    if (into.count > 0) CHECK_EQ(hy_hdr_percentile(&into, 1000000), into.max);
    bool whole = into.lost == 0;
    hy_hdr_deinit(&into);
    hy_hdr_deinit(&from);
    return whole ? HY_OK : HY_NOMEM;
}

KIT_TESTS(KIT_TEST(percentiles_are_within_a_step), KIT_TEST(edges_have_a_place),
          KIT_TEST(merge_is_all_or_nothing))
