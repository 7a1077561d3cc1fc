// crash_test.c - a machine that crashes takes its helpers with it, and gives their memory back.
//
// A crash runs nothing: no finalizer, no drop. What a helper holds must therefore be memory of its
// scope, which the root gives back as a whole. The kit demands that nothing is left.
#include <hypha/flow.h>

#include "base/cleanup.h"
#include "kit/kit.h"

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err load(void *self, hy_bytes key, hy_shared **out_shared) {
    (void)self;
    (void)key;
    (void)out_shared;
    return hy_sleep(HY_SECONDS(3600)); // the crash comes first
}

static hy_err ask(void *arg) {
    hy_shared *value = NULL;
    return hy_cache_get(arg, HY_BYTES("k"), &value);
}

static hy_err at_work(void *arg) {
    (void)arg;
    hy_scope *scope = hy_scope_current();
    hy_cache *cache = NULL;
    hy_gate *gate = NULL;
    hy_rate *rate = NULL;
    hy_breaker *breaker = NULL;
    hy_budget *budget = NULL;
    hy_err err = hy_cache_open(scope, HY_OPTIONS(hy_cache, .load = load), &cache);
    if (err == HY_OK) err = hy_gate_open(scope, NULL, &gate);
    if (err == HY_OK) {
        err = hy_rate_open(scope, HY_OPTIONS(hy_rate, .kind = HY_RATE_WINDOW, .limit = 9), &rate);
    }
    if (err == HY_OK) err = hy_breaker_open(scope, NULL, &breaker);
    if (err == HY_OK) err = hy_budget_open(scope, NULL, &budget);
    if (err == HY_OK) err = hy_spawn(scope, ask, cache, NULL, NULL);
    return err == HY_OK ? hy_sleep(HY_SECONDS(3600)) : err;
}

static void never(void *self, hy_err err) {
    *(hy_err *)self = err;
}

static hy_err crash_gives_all_memory_back(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    hy_root *root = NULL;
    hy_err ended = HY_OK;
    CHECK_OK(hy_root_start(world, NULL, at_work, NULL, never, &ended, &root));
    hy_sim_advance(world, HY_SECONDS(1));
    if (ended != HY_OK) return ended; // it could not even begin, for want of memory
    hy_sim_restart(world);
    hy_root_abandon(root);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(crash_gives_all_memory_back))
