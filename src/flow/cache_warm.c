// cache_warm.c - loading many keys before they are asked for.
//
// So many fibers as may load at a time take keys from one counter, so a slow key holds up one fiber
// and not the rest. What is there already costs a look.
#include "flow/cache.h"

typedef struct warming {
    hy_cache *cache;
    const hy_bytes *keys;
    size_t count, next, failed;
} warming;

static hy_err warm_run(void *arg) {
    warming *all = arg;
    while (all->next < all->count) {
        hy_shared *shared = NULL;
        hy_err err = hy_cache_get(all->cache, all->keys[all->next++], &shared);
        hy_shared_drop(shared);
        all->failed += err != HY_OK;
        err = hy_check();
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

hy_err hy_cache_warm(hy_cache *cache, const hy_bytes *keys, size_t count, uint32_t limit,
                     size_t *out_failed) {
    warming all = { cache, keys, count, 0, 0 };
    if (limit == 0) limit = cache->options.loads_max;
    if (limit > count) limit = (uint32_t)count;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "cache warm") {
        uint32_t begun = 0;
        while (begun < limit && err == HY_OK) {
            err = hy_spawn(scope, warm_run, &all, NULL, NULL);
            begun += err == HY_OK;
        }
        if (begun > 0 && hy_check() == HY_OK) err = HY_OK; // fewer fibers load all the same
        if (err != HY_OK) break;
    }
    if (out_failed) *out_failed = all.failed + (all.count - all.next);
    return err;
}
