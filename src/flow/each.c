// each.c - one function for each of many items, a few at a time.
//
// No fiber for each item: as many fibers as the limit allows take the next index until none is
// left, so a million items cost a million calls and a few stacks. The fibers are tasks of a block
// scope; failing fast is that scope's policy, and so is waiting for what the calls left behind.
//
// Whoever finds the scope cancelled takes no further index. So after the first error at most
// `limit` calls are still under way, and each of them has been told.
#include "flow/limit.h"

#include <hypha/flow.h>

typedef struct each_run {
    size_t count, next;
    hy_err (*fn)(void *arg, size_t index);
    void *arg;
    const hy_map_options *options;
} each_run;

static const hy_map_options each_defaults = { .size = sizeof(hy_map_options) };

static hy_err each_worker(void *arg);
static hy_err each_spawn(hy_scope *scope, each_run *run, uint32_t limit);

hy_err hy_map_each(size_t count, hy_err (*fn)(void *arg, size_t index), void *arg,
                   const hy_map_options *options) {
    each_run run = { count, 0, fn, arg, options != NULL ? options : &each_defaults };
    for (size_t i = 0; run.options->results != NULL && i < count; i++) {
        run.options->results[i] = HY_CANCELLED;
    }
    hy_err err = hy_check();
    if (err != HY_OK) return err;

    const char *name = run.options->name != NULL ? run.options->name : "map";
    uint32_t limit = hyi_flow_limit(hy_scope_world(hy_scope_current()), run.options->limit);
    HY_SCOPE(scope, &err, .name = name) {
        err = each_spawn(scope, &run, limit);
        if (err != HY_OK) break;
    }
    return err;
}

// Spawning waits at a scope's limit of tasks; by then the first fibers may have done it all.
static hy_err each_spawn(hy_scope *scope, each_run *run, uint32_t limit) {
    const hy_spawn_options *options =
        HY_OPTIONS(hy_spawn, .name = "map", .stack = run->options->stack);
    for (uint32_t i = 0; i < limit && i < run->count && run->next < run->count; i++) {
        hy_err err = hy_spawn(scope, each_worker, run, options, NULL);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err each_worker(void *arg) {
    each_run *run = arg;
    const hy_map_options *options = run->options;
    while (run->next < run->count) {
        hy_err cancelled = hy_check();
        if (cancelled != HY_OK) return cancelled;
        size_t index = run->next++;
        hy_err err = run->fn(run->arg, index);
        if (options->results != NULL) options->results[index] = err;
        if (err == HY_OK) continue;
        if (options->errors == HY_MAP_FAIL_FAST) return err;
        if (hy_check() == HY_OK && options->failed != NULL) {
            options->failed(options->self, index, err);
        }
    }
    return HY_OK;
}
