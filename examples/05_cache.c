// 05_cache.c - a cache that is warm before the first request, and asks once for each key.
//
// Warming loads a hundred users, ten at a time. Then fifty fibers ask for one that is not there
// yet: one load, fifty answers. The back end counts how often it is asked, and how many ask at a
// time.

#include <hypha/flow.h>
#include <stdio.h>
#include <string.h>

typedef struct backend {
    uint32_t asked, at_once, most_at_once;
} backend;

static hy_err load(void *self, hy_bytes key, hy_shared **out_shared) {
    backend *b = self;
    char text[64];
    b->asked++;
    if (++b->at_once > b->most_at_once) b->most_at_once = b->at_once;
    hy_err err = hy_sleep(HY_MS(2)); // a query
    b->at_once--;
    if (err != HY_OK) return err;
    int len = snprintf(text, sizeof text, "the record of %.*s", HY_SHOW(key));
    return hy_shared_copy(hy_mem_system(), (hy_bytes){ (const uint8_t *)text, (size_t)len },
                          out_shared);
}

static hy_cache *users;

static hy_err request(void *arg) {
    uint32_t *answered = arg;
    hy_shared *user = NULL;
    hy_err err = hy_cache_get(users, HY_BYTES("user-500"), &user);
    if (err != HY_OK) return err;
    *answered += strcmp((const char *)user->value, "the record of user-500") == 0;
    hy_shared_drop(user);
    return HY_OK;
}

static hy_err warm(hy_cache *cache) {
    static char names[100][24];
    hy_bytes keys[100];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(names[i], sizeof names[i], "user-%d", i);
        keys[i] = hy_bytes_of(names[i]);
    }
    size_t failed = 0;
    hy_err err = hy_cache_warm(cache, keys, 100, 10, &failed);
    printf("warm: %u entries, %zu failed\n", hy_cache_stats_of(cache).entries, failed);
    return err;
}

static hy_err app(void *unused) {
    (void)unused;
    backend back = { 0 };
    uint32_t answered = 0;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "app") {
        err = hy_cache_open(scope,
                            HY_OPTIONS(hy_cache, .entries_max = 1000,
                                       .time_to_live = HY_SECONDS(60), .load = load, .self = &back),
                            &users);
        if (err == HY_OK) err = warm(users);
        printf("back end: asked %u times, at most %u at a time\n", back.asked, back.most_at_once);
        for (int i = 0; i < 50 && err == HY_OK; i++)
            err = hy_spawn(scope, request, &answered, NULL, NULL);
        if (err == HY_OK) err = hy_scope_join(scope);
        printf("fifty requests for one new user: %u answered, back end asked %u times more\n",
               answered, back.asked - 100);
        if (err != HY_OK) break;
    }
    return err;
}

int main(void) {
    hy_world *world = NULL;
    hy_err err = hy_world_open(NULL, &world);
    if (err == HY_OK) err = hy_root_run(world, NULL, app, NULL);
    hy_world_close(world);
    return (int)err;
}
