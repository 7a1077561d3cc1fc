// pmap_test.c - maps against a plain table, over random histories of many versions.
//
// Keys are small numbers, so the twin is an array. Their hashes are cut to few bits in some runs:
// then most keys collide, and every level and the merging of collisions is used.
#include <hypha/value.h>

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "value/value_suite.h"

enum { VERSIONS = 6, KEYS = 600 };

typedef struct map_twin {
    hy_pmap *map;
    uint16_t values[KEYS]; // plus one; 0 is not there
    size_t count;
} map_twin;

typedef struct map_history {
    map_twin twins[VERSIONS];
    uint64_t state;
} map_history;

static uint64_t history_draw(map_history *history, uint64_t below) {
    return kit_random(&history->state) % below;
}

static void history_end(map_history *history) {
    for (uint32_t i = 0; i < VERSIONS; i++) {
        suite_unref_map(&history->twins[i].map);
    }
}

static void twin_check(const map_twin *twin) {
    CHECK(hy_pmap_holds(twin->map));
    CHECK_EQ(hy_pmap_count(twin->map), twin->count);
    bool met[KEYS] = { false };
    size_t count = 0;
    hy_pmap_cursor cursor = hy_pmap_first(twin->map);
    for (const void *key, *value; hy_pmap_next(&cursor, &key, &value); count++) {
        const suite_counted *k = key, *v = value;
        CHECK(k->number < KEYS);
        CHECK(!met[k->number]);
        met[k->number] = true;
        CHECK_EQ(v->number + 1, twin->values[k->number]);
    }
    CHECK_EQ(count, twin->count);
    for (uint64_t key = 0; key < KEYS; key++) {
        const suite_counted *got = hy_pmap_get(twin->map, &key);
        CHECK((got != NULL) == (twin->values[key] != 0));
        if (got != NULL) CHECK_EQ(got->number + 1, twin->values[key]);
    }
}

static hy_err twin_change(map_twin *twin, uint64_t key, uint64_t value, bool put) {
    if (put) {
        hy_err err = hy_pmap_put(&twin->map, &key, &value);
        if (err != HY_OK) return err;
        twin->count += twin->values[key] == 0;
        twin->values[key] = (uint16_t)(value + 1);
        return HY_OK;
    }
    hy_err err = hy_pmap_remove(&twin->map, &key);
    if (err == HY_NOMEM) return err;
    CHECK((err == HY_NOT_FOUND) == (twin->values[key] == 0));
    if (err == HY_OK) twin->count -= 1;
    twin->values[key] = 0;
    return HY_OK;
}

static hy_err history_step(map_history *history, uint32_t run_max) {
    map_twin *twin = &history->twins[history_draw(history, VERSIONS)];
    if (history_draw(history, 3) == 0) {
        map_twin *from = &history->twins[history_draw(history, VERSIONS)];
        hy_pmap *map = hy_pmap_ref(from->map);
        hy_pmap_unref(twin->map);
        if (twin != from) *twin = *from;
        twin->map = map;
    }
    uint64_t put_percent = history_draw(history, 2) == 0 ? 80 : 15;
    for (uint64_t run = 1 + history_draw(history, run_max); run > 0; run--) {
        uint64_t key = history_draw(history, KEYS), value = history_draw(history, 4);
        hy_err err = twin_change(twin, key, value, history_draw(history, 100) < put_percent);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static void diff_check(const map_twin *before, const map_twin *after) {
    size_t wanted = 0, got = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        wanted += before->values[key] != after->values[key];
    }
    hy_pmap_diff diff = hy_pmap_diff_first(before->map, after->map);
    bool met[KEYS] = { false };
    for (hy_pmap_change change; hy_pmap_diff_next(&diff, &change); got++) {
        uint64_t key = ((const suite_counted *)change.key)->number;
        const suite_counted *old = change.before, *new = change.after;
        CHECK(!met[key]);
        met[key] = true;
        CHECK_EQ(old == NULL ? 0 : old->number + 1, before->values[key]);
        CHECK_EQ(new == NULL ? 0 : new->number + 1, after->values[key]);
        CHECK(before->values[key] != after->values[key]);
    }
    CHECK_EQ(got, wanted);
}

static void pair_check(const map_twin *a, const map_twin *b) {
    bool equal = memcmp(a->values, b->values, sizeof a->values) == 0;
    CHECK(hy_pmap_equal(a->map, b->map) == equal);
    if (equal) CHECK_EQ(hy_pmap_hash(a->map), hy_pmap_hash(b->map));
    diff_check(a, b);
}

static hy_err history_run(hy_mem *mem, uint32_t hash_bits, uint32_t steps, uint32_t run_max) {
    static map_history history; // too large for the stack
    memset(&history, 0, sizeof history);
    history.state = kit_seed() + hash_bits;
    suite_hash_bits = hash_bits;
    HY_CLEANUP(suite_unref_map) hy_pmap *first = NULL;
    CHECK_OK(hy_pmap_new(mem, &suite_counted_item, &suite_counted_item, 0, &first));
    for (uint32_t i = 0; i < VERSIONS; i++) {
        history.twins[i].map = hy_pmap_ref(first);
    }
    hy_err err = HY_OK;
    for (uint32_t step = 0; step < steps && err == HY_OK; step++) {
        err = history_step(&history, run_max);
        const map_twin *a = &history.twins[step % VERSIONS];
        if (step % 4 == 0) twin_check(a);
        if (step % 4 == 1) pair_check(a, &history.twins[history_draw(&history, VERSIONS)]);
    }
    for (uint32_t i = 0; i < VERSIONS; i++) {
        twin_check(&history.twins[i]);
    }
    history_end(&history);
    suite_hash_bits = 64;
    CHECK_EQ(suite_held(), 0);
    return err;
}

static hy_err every_version_stays_what_it_was(hy_mem *mem) {
    return history_run(mem, 64, 3000, 200);
}

static hy_err colliding_keys_are_kept_apart(hy_mem *mem) {
    static const uint32_t bits[] = { 0, 1, 3, 6, 9 };
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_OK(history_run(mem, bits[i], 800, 200));
    }
    return HY_OK;
}

static hy_err a_change_without_memory_changes_nothing(hy_mem *mem) {
    hy_err err = history_run(mem, 64, 40, 12);
    return err != HY_OK ? err : history_run(mem, 2, 40, 8);
}

static hy_err order_does_not_depend_on_history(hy_mem *mem) {
    static const uint32_t bits[] = { 64, 4 };
    for (uint32_t round = 0; round < 2; round++) {
        suite_hash_bits = bits[round];
        HY_CLEANUP(suite_unref_map) hy_pmap *up = NULL;
        HY_CLEANUP(suite_unref_map) hy_pmap *down = NULL;
        CHECK_OK(hy_pmap_new(mem, &suite_counted_item, NULL, 0, &up));
        CHECK_OK(hy_pmap_new(mem, &suite_counted_item, NULL, 0, &down));
        for (uint64_t i = 0; i < 60; i++) {
            CHECK_OK(hy_pmap_put(&up, &i, NULL));
            CHECK_OK(hy_pmap_put(&down, &(uint64_t){ 119 - i }, NULL));
        }
        for (uint64_t i = 0; i < 60; i++) {
            CHECK_OK(hy_pmap_put(&down, &i, NULL));
            CHECK_OK(hy_pmap_remove(&down, &(uint64_t){ 119 - i }));
        }
        hy_pmap_cursor a = hy_pmap_first(up), b = hy_pmap_first(down);
        const void *key_a, *key_b, *none;
        for (uint32_t i = 0; i < 60; i++) {
            CHECK(hy_pmap_next(&a, &key_a, &none));
            CHECK(hy_pmap_next(&b, &key_b, &none));
            CHECK_EQ(((const suite_counted *)key_a)->number,
                     ((const suite_counted *)key_b)->number);
        }
        CHECK(hy_pmap_equal(up, down));
        CHECK_EQ(hy_pmap_hash(up), hy_pmap_hash(down));
        suite_hash_bits = 64;
    }
    return HY_OK;
}

static hy_err texts_are_keys(hy_mem *mem) {
    HY_CLEANUP(suite_unref_map) hy_pmap *map = NULL;
    HY_CLEANUP(suite_unref_map) hy_pmap *before = NULL;
    static const hy_item numbers = { .size = sizeof(uint16_t) };
    CHECK_OK(hy_pmap_new(mem, &hy_item_text, &numbers, 3, &map));
    char text[] = "one"; // copied: the caller's may change
    CHECK_OK(hy_pmap_put(&map, &(hy_text){ (uint8_t *)text, 3 }, &(uint16_t){ 1 }));
    text[0] = 'O';
    CHECK_OK(hy_pmap_put(&map, &HY_BYTES("two"), &(uint16_t){ 2 }));
    CHECK_EQ(*(const uint16_t *)hy_pmap_get(map, &HY_BYTES("one")), 1);
    CHECK(hy_pmap_get(map, &HY_BYTES("One")) == NULL);
    before = hy_pmap_ref(map);
    CHECK_OK(hy_pmap_put(&map, &HY_BYTES("two"), &(uint16_t){ 2 }));
    CHECK(map == before); // nothing changed, nothing new
    CHECK_OK(hy_pmap_put(&map, &HY_BYTES(""), &(uint16_t){ 0 }));
    CHECK_ERR(hy_pmap_put(&map, &HY_BYTES("four"), &(uint16_t){ 4 }), HY_LIMIT);
    CHECK_ERR(hy_pmap_remove(&map, &HY_BYTES("four")), HY_NOT_FOUND);
    CHECK_OK(hy_pmap_put(&map, &HY_BYTES("two"), &(uint16_t){ 22 })); // no limit for what is there
    CHECK_EQ(*(const uint16_t *)hy_pmap_get(before, &HY_BYTES("two")), 2);
    CHECK_EQ(hy_pmap_count(before), 2);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(every_version_stays_what_it_was),
          KIT_TEST_ONCE(colliding_keys_are_kept_apart),
          KIT_TEST(a_change_without_memory_changes_nothing),
          KIT_TEST(order_does_not_depend_on_history), KIT_TEST(texts_are_keys))
