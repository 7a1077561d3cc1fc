// pool_test.c - slabs of equal objects.
//
// What others build on is the index: dense, stable, and the one given back last comes first.
#include "base/pool.h"

#include "base/cleanup.h"
#include "kit/kit.h"

static hy_err objects_keep_their_address_and_index(hy_mem *mem) {
    enum { COUNT = 3000 };
    static uint32_t indexes[COUNT];
    static uint64_t *objects[COUNT];
    HY_CLEANUP(hyi_pool_deinit) hyi_pool pool = { 0 };
    hyi_pool_init(&pool, mem, 24, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        objects[i] = (uint64_t *)hyi_pool_take(&pool, &indexes[i]);
        if (!objects[i]) return HY_NOMEM;
        *objects[i] = i;
        CHECK_EQ(indexes[i], i);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK(hyi_pool_at(&pool, indexes[i]) == objects[i]);
        CHECK_EQ(*objects[i], i);
        CHECK_EQ(hyi_pool_index_of(&pool, objects[i]), i);
    }
    uint32_t index = 0;
    CHECK(hyi_pool_is_full(&pool));
    CHECK(!hyi_pool_take(&pool, &index));
    CHECK_EQ(hyi_pool_index_of(&pool, &index), HYI_NONE);
    return HY_OK;
}

static hy_err what_was_given_last_is_taken_first(hy_mem *mem) {
    HY_CLEANUP(hyi_pool_deinit) hyi_pool pool = { 0 };
    hyi_pool_init(&pool, mem, 1, 0);
    uint32_t index = 0;
    for (uint32_t i = 0; i < 5; i++)
        if (!hyi_pool_take(&pool, &index)) return HY_NOMEM;
    hyi_pool_give(&pool, 1);
    hyi_pool_give(&pool, 3);
    CHECK_EQ(pool.used_count, 3);
    CHECK(hyi_pool_take(&pool, &index));
    CHECK_EQ(index, 3);
    CHECK(hyi_pool_take(&pool, &index));
    CHECK_EQ(index, 1);
    CHECK(hyi_pool_take(&pool, &index));
    CHECK_EQ(index, 5);
    return HY_OK;
}

static hy_err takes_within_the_reserve_do_not_fail(hy_mem *mem) {
    HY_CLEANUP(hyi_pool_deinit) hyi_pool pool = { 0 };
    hyi_pool_init(&pool, mem, 64, 1000);
    CHECK_OK(hyi_pool_reserve(&pool, 700));
    uint32_t index = 0;
    for (uint32_t i = 0; i < 700; i++)
        CHECK(hyi_pool_take(&pool, &index));
    CHECK_OK(hyi_pool_reserve(&pool, UINT32_MAX)); // no more than count_max is ever needed
    CHECK(pool.slab_count << pool.slab_shift < 2000);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(objects_keep_their_address_and_index),
          KIT_TEST(what_was_given_last_is_taken_first),
          KIT_TEST(takes_within_the_reserve_do_not_fail))
