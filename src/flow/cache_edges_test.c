// cache_edges_test.c - the cache when calls meet: drops, puts and loads of one key, callbacks that
// call back, levels that are half there.
//
// The loader says how often it was asked, in the value, so a test sees which load a value is of.
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
} backend;

static hy_mem *memory(void) {
    return hy_world_mem(hy_scope_world(hy_scope_current()));
}

static hy_err load(void *self, hy_bytes key, hy_shared **out_shared) {
    backend *b = self;
    uint32_t version = ++b->loads;
    hy_err err = hy_sleep(b->takes);
    if (err == HY_OK) err = b->err;
    if (err != HY_OK) return err;
    char text[80];
    int len = snprintf(text, sizeof text, "%.*s/%u", HY_SHOW(key), version);
    return hy_shared_copy(b->mem, (hy_bytes){ (const uint8_t *)text, (size_t)len }, out_shared);
}

static bool holds(hy_shared *shared, const char *text) {
    bool same = strcmp((const char *)shared->value, text) == 0;
    hy_shared_drop(shared);
    return same;
}

static hy_err put_text(hy_cache *cache, const char *key, const char *text) {
    hy_shared *shared = NULL;
    hy_err err = hy_shared_copy(memory(), hy_bytes_of(text), &shared);
    return err != HY_OK ? err : hy_cache_put(cache, hy_bytes_of(key), shared, 0);
}

typedef struct asker {
    hy_cache *cache;
    char got[32];
} asker;

static hy_err ask(void *arg) {
    asker *a = arg;
    hy_shared *value = NULL;
    hy_err err = hy_cache_get(a->cache, HY_BYTES("k"), &value);
    if (err != HY_OK) return err;
    snprintf(a->got, sizeof a->got, "%s", (const char *)value->value);
    hy_shared_drop(value);
    return HY_OK;
}

// ---- drops and puts during a load ----

static hy_err who_asks_after_a_drop_gets_what_was_loaded_after_it(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .takes = HY_MS(50) };
    asker before = { 0 }, after = { 0 }, cleared = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load, .self = &b), &cache);
        before.cache = after.cache = cleared.cache = cache;
        if (err == HY_OK) err = hy_spawn(s, ask, &before, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err == HY_OK) err = hy_cache_drop(cache, HY_BYTES("k"));
        if (err == HY_OK) err = hy_spawn(s, ask, &after, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err != HY_OK) break;
        hy_cache_clear(cache);
        err = ask(&cleared);
        if (err != HY_OK) break;
    }
    if (err != HY_OK) return err;
    CHECK(strcmp(before.got, "k/1") == 0);
    CHECK(strcmp(after.got, "k/2") == 0);
    CHECK(strcmp(cleared.got, "k/3") == 0);
    return HY_OK;
}

static hy_err put_wins_over_a_load_under_way(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .takes = HY_MS(50) };
    asker a = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load, .self = &b), &a.cache);
        if (err == HY_OK) err = hy_spawn(s, ask, &a, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err == HY_OK) err = put_text(a.cache, "k", "written");
        if (err == HY_OK) err = hy_scope_join(s);
        if (err == HY_OK) err = ask(&a);
        if (err != HY_OK) break;
        CHECK(strcmp(a.got, "written") == 0);
    }
    return err;
}

static hy_err put_that_fails_leaves_no_older_value(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .bytes_max = 10), &cache);
        if (err == HY_OK) err = put_text(cache, "k", "old");
        if (err != HY_OK) break;
        hy_err put = put_text(cache, "k", "much too large");
        if (put == HY_NOMEM) return put;
        CHECK_EQ(put, HY_TOO_LARGE);
        CHECK(hy_cache_peek(cache, HY_BYTES("k")) == NULL);
        CHECK_EQ(hy_cache_stats_of(cache).bytes, 0);
    }
    return err;
}

static hy_err keys_have_bounds(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        static const uint8_t bytes[65537];
        const hy_bytes empty = { bytes, 0 }, large = { bytes, sizeof bytes };
        hy_cache *cache = NULL;
        hy_shared *value = NULL;
        err = hy_cache_open(s, NULL, &cache);
        if (err == HY_OK) err = hy_shared_copy(memory(), HY_BYTES("v"), &value);
        if (err != HY_OK) break;
        hy_shared_keep(value);
        CHECK_EQ(hy_cache_put(cache, empty, value, 0), HY_RANGE);
        CHECK_EQ(hy_cache_put(cache, large, value, 0), HY_TOO_LARGE);
        CHECK_EQ(hy_cache_get(cache, empty, &value), HY_RANGE);
        CHECK_EQ(hy_cache_get(cache, large, &value), HY_TOO_LARGE);
        CHECK(hy_cache_peek(cache, empty) == NULL);
        CHECK_EQ(hy_cache_drop(cache, empty), HY_RANGE);
    }
    return err;
}

// ---- refreshes ----

static hy_err stale_value_that_is_gone_at_the_source_is_gone_here(void *unused) {
    (void)unused;
    backend b = { .mem = memory() };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        asker a = { 0 };
        err = hy_cache_open(s,
                            HY_OPTIONS(hy_cache, .load = load, .self = &b,
                                       .time_to_live = HY_SECONDS(1), .stale = HY_NEVER),
                            &a.cache);
        if (err == HY_OK) err = ask(&a);
        if (err == HY_OK) err = hy_sleep(HY_SECONDS(2));
        b.err = HY_NOT_FOUND;
        if (err == HY_OK) err = ask(&a); // stale
        if (err == HY_OK) err = hy_sleep(HY_MS(50));
        if (kit_failed_allocation()) return HY_NOMEM;
        if (err != HY_OK) break;
        CHECK_EQ(b.loads, 2); // in the background
        err = ask(&a);
        if (kit_failed_allocation()) return HY_NOMEM;
        CHECK_EQ(err, HY_NOT_FOUND);
        err = HY_OK;
    }
    return err;
}

static hy_err refresh_that_was_dropped_does_not_stop_later_ones(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .takes = HY_MS(20) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        asker a = { 0 };
        err = hy_cache_open(s,
                            HY_OPTIONS(hy_cache, .load = load, .self = &b, .bytes_max = 64,
                                       .time_to_live = HY_MS(100), .stale = HY_NEVER),
                            &a.cache);
        if (err == HY_OK) err = ask(&a);
        if (err == HY_OK) err = hy_sleep(HY_MS(200));
        if (err == HY_OK) err = ask(&a); // begins the refresh
        if (err == HY_OK) err = hy_sleep(HY_MS(5));
        if (err == HY_OK) err = hy_cache_drop(a.cache, HY_BYTES("k"));
        if (err == HY_OK) err = put_text(a.cache, "k", "put");
        if (err == HY_OK) err = hy_sleep(HY_MS(200));
        if (err == HY_OK) err = ask(&a);
        if (err != HY_OK || b.loads < 2) break;
        CHECK(strcmp(a.got, "put") == 0);
        err = hy_sleep(HY_MS(50));
        if (err == HY_OK) err = ask(&a);
        if (err != HY_OK || b.loads < 3) break;
        if (kit_failed_allocation()) break;
        CHECK(strcmp(a.got, "k/3") == 0);
    }
    return err;
}

static hy_err hog(void *arg) {
    (void)arg;
    return hy_sleep(HY_SECONDS(60));
}

static hy_err stale_value_is_given_at_once_where_there_is_no_room_to_refresh(void *unused) {
    (void)unused;
    backend b = { .mem = memory(), .takes = HY_MS(5) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "full", .tasks_max = 1) {
        asker a = { 0 };
        err = hy_cache_open(s,
                            HY_OPTIONS(hy_cache, .load = load, .self = &b,
                                       .time_to_live = HY_SECONDS(1), .stale = HY_NEVER),
                            &a.cache);
        if (err == HY_OK) err = ask(&a);
        if (err == HY_OK) err = hy_sleep(HY_SECONDS(2));
        if (err == HY_OK) err = hy_spawn(s, hog, NULL, NULL, NULL);
        hy_ns begin = hy_world_now(hy_scope_world(s));
        if (err == HY_OK) err = ask(&a);
        if (err != HY_OK) break;
        CHECK(hy_world_now(hy_scope_world(s)) - begin < HY_SECONDS(1));
        break;
    }
    return err;
}

// ---- evicted calls back ----

typedef struct nosy {
    hy_cache *cache;
    uint32_t told;
} nosy;

static void evicted_calls(void *self, hy_bytes key, const hy_shared *value) {
    nosy *n = self;
    n->told++;
    CHECK(value != NULL && key.len > 0);
    CHECK(hy_cache_peek(n->cache, key) == NULL); // it has gone already
    CHECK_EQ(hy_cache_drop(n->cache, key), HY_OK);
    hy_shared *found = NULL;
    CHECK_EQ(hy_cache_get(n->cache, key, &found), HY_NOT_FOUND);
    if (n->told % 3 == 0) hy_cache_clear(n->cache);
}

static hy_err evicted_may_call_the_cache(void *unused) {
    (void)unused;
    nosy n = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        err = hy_cache_open(s,
                            HY_OPTIONS(hy_cache, .entries_max = 2, .evicted = evicted_calls,
                                       .self = &n, .time_to_live = HY_MS(100)),
                            &n.cache);
        for (int i = 0; i < 20 && err == HY_OK; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i);
            err = put_text(n.cache, key, key);
        }
        if (err == HY_OK) err = hy_sleep(HY_MS(200));
        if (err != HY_OK) break;
        hy_shared *value = NULL;
        CHECK_EQ(hy_cache_get(n.cache, HY_BYTES("k19"), &value), HY_NOT_FOUND);
        CHECK(n.told >= 10);
    }
    return err;
}

static void drop_calls(void *self, const void *value) {
    (void)value;
    nosy *n = self;
    n->told++;
    hy_cache_clear(n->cache);
}

static hy_err values_that_are_dropped_may_call_the_cache(void *unused) {
    (void)unused;
    nosy n = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .entries_max = 3), &n.cache);
        for (int i = 0; i < 12 && err == HY_OK; i++) {
            hy_shared *shared = NULL;
            char key[16];
            snprintf(key, sizeof key, "k%d", i % 5);
            err = hy_shared_new(memory(), "v", 1, drop_calls, &n, &shared);
            if (err == HY_OK) err = hy_cache_put(n.cache, hy_bytes_of(key), shared, 0);
        }
        if (err != HY_OK) break;
        hy_cache_clear(n.cache);
        CHECK_EQ(n.told, 12);
        CHECK_EQ(hy_cache_stats_of(n.cache).bytes, 0);
    }
    return err;
}

// ---- level 2 ----

typedef struct second {
    hy_shared *value;
    hy_mem *mem;
    hy_ns takes;
    uint32_t drops;
} second;

static hy_err second_get(void *self, hy_bytes key, hy_shared **out_shared, hy_ns *out_time_left) {
    (void)key;
    second *l2 = self;
    if (!l2->value) return HY_NOT_FOUND;
    *out_shared = hy_shared_keep(l2->value);
    *out_time_left = HY_SECONDS(1);
    return HY_OK;
}

static hy_err second_put(void *self, hy_bytes key, const hy_shared *value, hy_ns time_to_live) {
    (void)key;
    (void)time_to_live;
    second *l2 = self;
    hy_err err = hy_sleep(l2->takes);
    if (err != HY_OK) return err;
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

static hy_err level_2_alone_is_enough(void *unused) {
    (void)unused;
    second l2 = { .mem = memory() };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_cache *cache = NULL;
        hy_shared *value = NULL;
        err = hy_cache_open(
            s, HY_OPTIONS(hy_cache, .level2 = &(hy_cache_level2){ .get = second_get, .self = &l2 }),
            &cache);
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err == HY_NOMEM) break;
        CHECK_EQ(err, HY_NOT_FOUND);
        err = hy_shared_copy(l2.mem, HY_BYTES("far"), &l2.value);
        if (err == HY_OK) err = hy_cache_get(cache, HY_BYTES("k"), &value);
        if (err == HY_OK) CHECK(holds(value, "far"));
    }
    hy_shared_drop(l2.value);
    return err;
}

static hy_err drop_while_level_2_is_told_leaves_nothing_there(void *unused) {
    (void)unused;
    second l2 = { .mem = memory(), .takes = HY_MS(50) };
    backend b = { .mem = memory() };
    hy_cache_level2 port = { second_get, second_put, second_drop, &l2 };
    asker a = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load, .self = &b, .level2 = &port),
                            &a.cache);
        if (err == HY_OK) err = hy_spawn(s, ask, &a, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(20));
        if (err == HY_OK) err = hy_cache_drop(a.cache, HY_BYTES("k"));
        if (err == HY_OK) err = hy_scope_join(s);
        if (err != HY_OK) break;
        CHECK(l2.value == NULL);
        CHECK(hy_cache_peek(a.cache, HY_BYTES("k")) == NULL);
    }
    hy_shared_drop(l2.value);
    return err;
}

RUN_SIM(who_asks_after_a_drop_gets_what_was_loaded_after_it)
RUN_SIM(put_wins_over_a_load_under_way)
RUN_SIM(put_that_fails_leaves_no_older_value)
RUN_SIM(keys_have_bounds)
RUN_SIM(stale_value_that_is_gone_at_the_source_is_gone_here)
RUN_SIM(refresh_that_was_dropped_does_not_stop_later_ones)
RUN_SIM(stale_value_is_given_at_once_where_there_is_no_room_to_refresh)
RUN_SIM(evicted_may_call_the_cache)
RUN_SIM(values_that_are_dropped_may_call_the_cache)
RUN_SIM(level_2_alone_is_enough)
RUN_SIM(drop_while_level_2_is_told_leaves_nothing_there)

KIT_TESTS(KIT_TEST(sim_who_asks_after_a_drop_gets_what_was_loaded_after_it),
          KIT_TEST(sim_put_wins_over_a_load_under_way),
          KIT_TEST(sim_put_that_fails_leaves_no_older_value), KIT_TEST(sim_keys_have_bounds),
          KIT_TEST(sim_stale_value_that_is_gone_at_the_source_is_gone_here),
          KIT_TEST(sim_refresh_that_was_dropped_does_not_stop_later_ones),
          KIT_TEST(sim_stale_value_is_given_at_once_where_there_is_no_room_to_refresh),
          KIT_TEST(sim_evicted_may_call_the_cache),
          KIT_TEST(sim_values_that_are_dropped_may_call_the_cache),
          KIT_TEST(sim_level_2_alone_is_enough),
          KIT_TEST(sim_drop_while_level_2_is_told_leaves_nothing_there))
