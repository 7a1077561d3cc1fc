// 02_fan_out.c - ask four shards at once, and be done after half a second, whatever they do.
//
// One scope is the whole story: it carries the deadline to all four, cancels the slow one when the
// time has passed, waits until it has let go of what it held, and only then lets the caller go on.
// With hy_collect an error of one shard is no reason to give up the others.

#include <hypha/scope.h>
#include <stdio.h>

typedef struct shard {
    const char *name;
    hy_ns takes;
    hy_err fails;
    hy_err err; // how it went
    uint32_t found;
} shard;

static void let_go(void *object) {
    printf("  %s lets go of its connection\n", ((const shard *)object)->name);
}

static hy_err ask(void *arg) {
    shard *s = arg;
    hy_err err = HY_OK;
    HY_SCOPE(request, &err, .name = s->name) {
        err = hy_own(request, s, let_go, 0);
        if (err == HY_OK) err = hy_sleep(s->takes); // a cancellation point, as every wait is
        if (err == HY_OK) err = s->fails;
        if (err == HY_OK) s->found = (uint32_t)(s->takes / HY_MS(1));
    }
    s->err = err;
    return err;
}

static hy_err fan_out(void *unused) {
    (void)unused;
    shard shards[] = { { .name = "north", .takes = HY_MS(10) },
                       { .name = "east", .takes = HY_MS(20) },
                       { .name = "south", .takes = HY_MS(30), .fails = HY_IO },
                       { .name = "west", .takes = HY_SECONDS(60) } };
    hy_err err = HY_OK;
    HY_SCOPE(all, &err, .name = "search", .timeout = HY_MS(500), .policy = hy_collect) {
        for (int i = 0; i < 4 && err == HY_OK; i++)
            err = hy_spawn(all, ask, &shards[i], NULL, NULL);
        if (err != HY_OK) break; // cancels what was begun
    }
    printf("search: %s\n", hy_err_name(err));
    for (int i = 0; i < 4; i++)
        printf("  %-5s %-10s %u found\n", shards[i].name, hy_err_name(shards[i].err),
               shards[i].found);
    return HY_OK;
}

int main(void) {
    hy_world *world = NULL;
    hy_err err = hy_world_open(NULL, &world);
    if (err == HY_OK) err = hy_root_run(world, NULL, fan_out, NULL);
    hy_world_close(world);
    return (int)err;
}
