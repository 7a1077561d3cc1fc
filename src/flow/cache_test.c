// cache_test.c - single flight, ages, eviction against a model of SIEVE, and drops that race loads.
//
// haiway_defects_test.c has the defects of scopes.md 1.8.5 by name.
#include <hypha/flow.h>

#include "kit/kit.h"
#include "scope/run_suite.h"

#include <stdio.h>
#include <string.h>

typedef struct backend {
    hy_mem *mem;
    uint32_t loads;
    hy_ns takes;
    hy_err err;
    uint32_t version;
} backend;

static hy_err load(void *self, hy_bytes key, hy_shared **out_shared) {
    backend *b = self;
    uint32_t version = ++b->loads;
    if (b->takes > 0) {
        hy_err err = hy_sleep(b->takes);
        if (err != HY_OK) return err;
    }
    if (b->err != HY_OK) return b->err;
    char text[80];
    int len = snprintf(text, sizeof text, "%.*s/%u", HY_SHOW(key), version);
    return hy_shared_copy(b->mem, (hy_bytes){ (const uint8_t *)text, (size_t)len }, out_shared);
}

static hy_mem *memory(void) {
    return hy_world_mem(hy_scope_world(hy_scope_current()));
}

// The value's text is `text`. Drops it.
static bool holds(hy_shared *shared, const char *text) {
    bool same = strcmp((const char *)shared->value, text) == 0;
    hy_shared_drop(shared);
    return same;
}

// ---- ages ----

static hy_err fresh_stale_and_gone(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .takes = HY_MS(5) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        hy_shared *value = NULL;
        err = hy_cache_open(s,
                            HY_OPTIONS(hy_cache, .time_to_live = HY_SECONDS(10),
                                       .stale = HY_SECONDS(5), .load = load, .self = &b),
                            &cache);
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        CHECK(holds(value, "k/1"));
        err = hy_sleep(HY_SECONDS(9));
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        bool kept = holds(value, "k/1");
        if (!kept) return HY_NOMEM;
        err = hy_sleep(HY_SECONDS(2));
        hy_ns before = hy_world_now(hy_scope_world(s));
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        CHECK(holds(value, "k/1")); // stale, and now
        CHECK(hy_world_now(hy_scope_world(s)) - before < HY_MS(1));
        CHECK(hy_cache_peek(cache, HY_BYTES("k")) == NULL);
        err = hy_sleep(HY_MS(50));
        if (err != HY_OK) break;
        if (b.loads == 1) return HY_NOMEM;
        CHECK_EQ(b.loads, 2);
        const hy_shared *now = hy_cache_peek(cache, HY_BYTES("k"));
        if (!now) return HY_NOMEM;
        CHECK(strcmp((const char *)now->value, "k/2") == 0);
        err = hy_sleep(HY_SECONDS(16)); // past the stale window
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        CHECK(holds(value, "k/3"));
    }
    return err;
}

static hy_err nothing_is_remembered_for_a_while(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .err = HY_NOT_FOUND };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        hy_shared *value = NULL;
        err = hy_cache_open(
            s, HY_OPTIONS(hy_cache, .negative = HY_SECONDS(1), .load = load, .self = &b), &cache);
        for (int i = 0; i < 3 && err == HY_OK; i++) {
            err = hy_cache_get(cache, HY_BYTES("k"), &value);
            if (err != HY_NOMEM) {
                CHECK_EQ(err, HY_NOT_FOUND);
                err = HY_OK;
            }
        }
        if (err != HY_OK) break;
        if (b.loads > 1) return HY_NOMEM;
        CHECK_EQ(hy_cache_stats_of(cache).negative_hits, 2);
        err = hy_sleep(HY_SECONDS(2));
        b.err = HY_OK;
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        CHECK(holds(value, "k/2"));
    }
    return err;
}

static hy_err errors_are_given_and_not_kept(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .err = HY_IO };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        hy_shared *value = NULL;
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load, .self = &b), &cache);
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_IO) break;
        b.err = HY_OK;
        err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        CHECK(holds(value, "k/2"));
    }
    return err;
}

// ---- flights ----

typedef struct asker {
    hy_cache *cache;
    uint32_t answered;
} asker;

static hy_err ask(void *arg) {
    asker *a = arg;
    hy_shared *value = NULL;
    hy_err err = hy_cache_get(a->cache, HY_BYTES("k"), &value);
    if (err != HY_OK) return err;
    a->answered += holds(value, "k/1");
    return HY_OK;
}

static hy_err load_goes_on_without_the_one_who_began_it(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .takes = HY_MS(50) };
    asker a = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_collect) {
        hy_task *first = NULL;
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load, .self = &b), &a.cache);
        if (err == HY_OK) err = hy_spawn(s, ask, &a, NULL, &first);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err == HY_OK) err = hy_spawn(s, ask, &a, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err != HY_OK) break;
        hy_task_cancel(first, HY_CANCELLED);
        err = hy_await(first);
        if (err == HY_CANCELLED) err = hy_scope_join(s);
        if (err != HY_OK) break;
        CHECK_EQ(a.answered, 1);
        CHECK_EQ(b.loads, 1);
    }
    return err;
}

static hy_err load_that_nobody_waits_for_is_cancelled(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .takes = HY_SECONDS(60) };
    asker a = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_collect) {
        hy_task *only = NULL;
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load, .self = &b), &a.cache);
        if (err == HY_OK) err = hy_spawn(s, ask, &a, NULL, &only);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err != HY_OK) break;
        hy_task_cancel(only, HY_CANCELLED);
        err = hy_await(only);
        if (err != HY_CANCELLED) break;
        hy_ns before = hy_world_now(hy_scope_world(s));
        err = hy_scope_join(s); // does not wait a minute
        if (err != HY_OK) break;
        CHECK(hy_world_now(hy_scope_world(s)) - before < HY_SECONDS(1));
    }
    return err;
}

static hy_err drop_wins_over_a_load_under_way(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .takes = HY_MS(50) };
    asker a = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load, .self = &b), &a.cache);
        if (err == HY_OK) err = hy_spawn(s, ask, &a, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err == HY_OK) err = hy_cache_drop(a.cache, HY_BYTES("k"));
        if (err == HY_OK) err = hy_scope_join(s);
        if (err != HY_OK) break;
        CHECK_EQ(a.answered, 1); // who asked before gets what was loaded
        CHECK(hy_cache_peek(a.cache, HY_BYTES("k")) == NULL);
    }
    return err;
}

// ---- eviction ----

#define MODEL_SIZE 8

typedef struct model { // oldest first
    uint32_t keys[MODEL_SIZE];
    bool marks[MODEL_SIZE];
    uint32_t count, hand;
} model;

static bool model_hit(model *m, uint32_t key) {
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->keys[i] != key) continue;
        m->marks[i] = true;
        return true;
    }
    return false;
}

static void model_add(model *m, uint32_t key) {
    if (m->count == MODEL_SIZE) {
        while (m->marks[m->hand]) {
            m->marks[m->hand] = false;
            m->hand = (m->hand + 1) % m->count;
        }
        for (uint32_t i = m->hand; i + 1 < m->count; i++) {
            m->keys[i] = m->keys[i + 1];
            m->marks[i] = m->marks[i + 1];
        }
        m->count--;
        if (m->hand == m->count) m->hand = 0;
    }
    m->keys[m->count] = key;
    m->marks[m->count++] = false;
}

static hy_err evicts_as_sieve_does(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        model m = { 0 };
        hy_world *world = hy_scope_world(s);
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .entries_max = MODEL_SIZE), &cache);
        for (int i = 0; i < 5000 && err == HY_OK; i++) {
            uint32_t key = (uint32_t)(hy_world_random(world) % 20 * (hy_world_random(world) % 3));
            hy_bytes bytes = { (const uint8_t *)&key, sizeof key };
            hy_shared *value = NULL;
            hy_err got = hy_cache_get(cache, bytes, &value);
            bool hit = model_hit(&m, key);
            CHECK_EQ(got == HY_OK, hit);
            hy_shared_drop(value);
            if (hit) continue;
            model_add(&m, key);
            hy_shared *copy = NULL;
            err = hy_shared_copy(memory(), bytes, &copy);
            if (err == HY_OK) err = hy_cache_put(cache, bytes, copy, 0);
        }
        if (err != HY_OK) break;
        CHECK_EQ(hy_cache_stats_of(cache).entries, MODEL_SIZE);
        hy_cache_clear(cache);
        CHECK_EQ(hy_cache_stats_of(cache).bytes, 0);
    }
    return err;
}

static hy_err bytes_are_bounded_and_given_values_stay(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        static const uint8_t block[400];
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .bytes_max = 1000), &cache);
        hy_shared *held = NULL;
        for (uint32_t i = 0; i < 10 && err == HY_OK; i++) {
            hy_shared *copy = NULL;
            err = hy_shared_copy(memory(), (hy_bytes){ block, sizeof block }, &copy);
            if (err != HY_OK) break;
            if (i == 0) held = hy_shared_keep(copy);
            err = hy_cache_put(cache, (hy_bytes){ (const uint8_t *)&i, sizeof i }, copy, 0);
            CHECK(hy_cache_stats_of(cache).bytes <= 1000);
        }
        if (held) CHECK_EQ(held->bytes, sizeof block); // evicted long since
        hy_shared_drop(held);
        hy_shared *large = NULL;
        static const uint8_t too_large[2000];
        if (err == HY_OK) {
            err = hy_shared_copy(memory(), (hy_bytes){ too_large, sizeof too_large }, &large);
        }
        if (err != HY_OK) break;
        CHECK_EQ(hy_cache_put(cache, HY_BYTES("large"), large, 0), HY_TOO_LARGE);
    }
    return err;
}

// ---- level 2 ----

typedef struct second {
    hy_mem *mem;
    hy_shared *value;
    uint32_t gets, puts, drops;
    hy_err err;
} second;

static hy_err second_get(void *self, hy_bytes key, hy_shared **out_shared, hy_ns *out_time_left) {
    (void)key;
    second *l2 = self;
    l2->gets++;
    if (l2->err != HY_OK) return l2->err;
    if (!l2->value) return HY_NOT_FOUND;
    *out_shared = hy_shared_keep(l2->value);
    *out_time_left = HY_SECONDS(1);
    return HY_OK;
}

static hy_err second_put(void *self, hy_bytes key, const hy_shared *value, hy_ns time_to_live) {
    (void)key;
    (void)time_to_live;
    second *l2 = self;
    l2->puts++;
    hy_shared_drop(l2->value);
    l2->value = NULL;
    return hy_shared_copy(l2->mem, (hy_bytes){ value->value, value->bytes }, &l2->value);
}

static hy_err second_drop(void *self, hy_bytes key) {
    (void)key;
    second *l2 = self;
    l2->drops++;
    hy_shared_drop(l2->value);
    l2->value = NULL;
    return HY_OK;
}

static hy_err second_level_is_asked_first_and_told(void *unused) {
    (void)unused;
    backend b = { .mem = memory() };
    second l2 = { .mem = memory() };
    hy_cache_level2 port = { second_get, second_put, second_drop, &l2 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        hy_shared *value = NULL;
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load, .self = &b, .level2 = &port),
                            &cache);
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        CHECK(holds(value, "k/1"));
        CHECK_EQ(l2.puts, 1);
        hy_cache_clear(cache);
        err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        CHECK_EQ(holds(value, "k/1"), b.loads == 1); // from level 2, if it could be kept there
        l2.err = HY_IO;                              // a level 2 that fails is a miss
        hy_cache_clear(cache);
        err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err != HY_OK) break;
        hy_shared_drop(value);
        CHECK(hy_cache_stats_of(cache).level2_errors >= 1);
        err = hy_cache_drop(cache, HY_BYTES("k"));
        CHECK_EQ(l2.drops, 1);
    }
    hy_shared_drop(l2.value);
    return err;
}

RUN_SIM(fresh_stale_and_gone)
RUN_SIM(nothing_is_remembered_for_a_while)
RUN_SIM(errors_are_given_and_not_kept)
RUN_SIM(load_goes_on_without_the_one_who_began_it)
RUN_SIM(load_that_nobody_waits_for_is_cancelled)
RUN_SIM(drop_wins_over_a_load_under_way)
RUN_SIM(evicts_as_sieve_does)
RUN_SIM(bytes_are_bounded_and_given_values_stay)
RUN_SIM(second_level_is_asked_first_and_told)

KIT_TESTS(KIT_TEST(sim_fresh_stale_and_gone), KIT_TEST(sim_nothing_is_remembered_for_a_while),
          KIT_TEST(sim_errors_are_given_and_not_kept),
          KIT_TEST(sim_load_goes_on_without_the_one_who_began_it),
          KIT_TEST(sim_load_that_nobody_waits_for_is_cancelled),
          KIT_TEST(sim_drop_wins_over_a_load_under_way), KIT_TEST_ONCE(sim_evicts_as_sieve_does),
          KIT_TEST(sim_bytes_are_bounded_and_given_values_stay),
          KIT_TEST(sim_second_level_is_asked_first_and_told))
