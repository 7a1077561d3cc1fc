// map_test.c - the hash index against a plain list.
//
// Keys come from a small set, so that every run inserts, meets and erases each of them many times,
// and the probing wraps round the end of the table.
#include "base/map.h"

#include "base/cleanup.h"
#include "kit/kit.h"

enum { KEYS = 700 };

static hyi_key key_of(uint32_t n) {
    return (hyi_key){ n % 2 ? n : 0, n % 2 ? 0 : n };
}

static hy_err agrees_with_a_list(hy_mem *mem) {
    uint32_t list[KEYS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++)
        list[i] = HYI_NONE;
    HY_CLEANUP(hyi_map_deinit) hyi_map map = { 0 };
    hyi_map_init(&map, mem, KEYS - 20);
    uint64_t state = kit_seed();
    for (uint32_t i = 0; i < 60000; i++) {
        uint32_t n = (uint32_t)(kit_random(&state) % KEYS), value = 0;
        bool grows = i / 10000 % 2 == 0;
        CHECK_EQ(hyi_map_get(&map, key_of(n)), list[n]);
        if (kit_random(&state) % 10 < (grows ? 8 : 2)) {
            hy_err err = hyi_map_insert(&map, key_of(n), i);
            if (err == HY_NOMEM) return err;
            CHECK_ERR(err, list[n] != HYI_NONE ? HY_EXISTS : count == KEYS - 20 ? HY_LIMIT : HY_OK);
            if (err == HY_OK) list[n] = i, count++;
        } else {
            CHECK(hyi_map_erase(&map, key_of(n), &value) == (list[n] != HYI_NONE));
            if (list[n] != HYI_NONE) {
                CHECK_EQ(value, list[n]);
                list[n] = HYI_NONE;
                count--;
            }
        }
        CHECK_EQ(hyi_map_count(&map), count);
        if (i % 97 == 0) CHECK(hyi_map_holds(&map));
    }
    return HY_OK;
}

// In the smallest table every second run of places goes round the end.
static hy_err runs_go_round_the_end(hy_mem *mem) {
    uint64_t state = kit_seed();
    for (uint32_t trial = 0; trial < 300; trial++) {
        HY_CLEANUP(hyi_map_deinit) hyi_map map = { 0 };
        hyi_map_init(&map, mem, 0);
        uint32_t base = (uint32_t)kit_random(&state);
        for (uint32_t i = 0; i < 11; i++)
            CHECK_OK(hyi_map_insert(&map, key_of(base + i), i));
        CHECK_EQ(map.place_count, 16);
        for (uint32_t i = 0; i < 11; i++) {
            CHECK(hyi_map_erase(&map, key_of(base + i * 7 % 11), NULL));
            CHECK(hyi_map_holds(&map));
        }
    }
    return HY_OK;
}

static hy_err an_insert_that_fails_changes_nothing(hy_mem *mem) {
    HY_CLEANUP(hyi_map_deinit) hyi_map map = { 0 };
    hyi_map_init(&map, mem, 0);
    for (uint32_t i = 0; i < 2000; i++) {
        hy_err err = hyi_map_insert(&map, key_of(i), i);
        CHECK_EQ(hyi_map_count(&map), err == HY_OK ? i + 1 : i);
        CHECK_EQ(hyi_map_get(&map, key_of(i)), err == HY_OK ? i : HYI_NONE);
        CHECK_OK(err);
    }
    return HY_OK;
}

static hy_err a_reserve_is_enough(hy_mem *mem) {
    HY_CLEANUP(hyi_map_deinit) hyi_map map = { 0 };
    hyi_map_init(&map, mem, 0);
    CHECK_OK(hyi_map_insert(&map, key_of(999999), 1));
    CHECK_OK(hyi_map_reserve(&map, 5000));
    const struct hyi_map_place *places = map.places;
    for (uint32_t i = 0; i < 5000; i++)
        CHECK_OK(hyi_map_insert(&map, key_of(i), i));
    CHECK(map.places == places);
    return HY_OK;
}

static hy_err a_million_entries_cost_forty_bytes_each_at_most(hy_mem *mem) {
    HY_CLEANUP(hyi_map_deinit) hyi_map map = { 0 };
    hyi_map_init(&map, mem, 0);
    for (uint32_t i = 0; i < 1000000; i++) {
        CHECK_OK(hyi_map_insert(&map, key_of(i), i));
        CHECK(i < 1000 || (uint64_t)map.place_count * 20 <= (uint64_t)(i + 1) * 40);
    }
    return HY_OK;
}

static hy_err value_can_be_changed_in_place(hy_mem *mem) {
    hyi_map map;
    hyi_map_init(&map, mem, 0);
    hyi_key key = { 0, 7 };
    CHECK(hyi_map_at(&map, key) == NULL);
    uint32_t *count = hyi_map_gain(&map, key);
    if (count == NULL) return HY_NOMEM;
    CHECK_EQ(*count, 0);
    *count = 3;
    CHECK(hyi_map_gain(&map, key) == count);
    CHECK(hyi_map_at(&map, key) == count);
    CHECK_EQ(hyi_map_get(&map, key), 3);
    CHECK(hyi_map_erase(&map, key, NULL));
    CHECK(hyi_map_at(&map, key) == NULL);
    hyi_map_deinit(&map);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(value_can_be_changed_in_place), KIT_TEST_ONCE(agrees_with_a_list),
          KIT_TEST_ONCE(runs_go_round_the_end), KIT_TEST(an_insert_that_fails_changes_nothing),
          KIT_TEST(a_reserve_is_enough),
          KIT_TEST_ONCE(a_million_entries_cost_forty_bytes_each_at_most))
