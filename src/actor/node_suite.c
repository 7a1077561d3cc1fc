// node_suite.c - a node for one test.
//
// The node is opened in a scope of its own below the root, so that it is closed, and its account
// complete, before the world is. The account is looked at when all actors have ended: an owned
// record of that scope is released after its services.
#include "actor/node_suite.h"

#include "actor/inside.h"
#include "actor/slot.h"
#include "base/cleanup.h"
#include "kit/kit.h"

typedef struct suite_run {
    const hy_node_options *options;
    uint32_t workers;
    node_body body;
    void *arg;
} suite_run;

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

void node_settle(hy_node *node) {
    for (;;) {
        hy_account account = hy_node_account(node);
        uint64_t done = account.handled;
        for (uint32_t i = 0; i < HY_DROP_COUNT; i++)
            done += account.dropped[i];
        if (account.sent == done) return;
        hy_err err = hy_sleep(HY_US(50));
        if (err != HY_OK) return;
    }
}

static hy_err suite_body(void *arg) {
    const suite_run *run = (const suite_run *)arg;
    hy_node_options options = { .size = sizeof options };
    if (run->options) options = *run->options;
    options.workers = run->workers;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "test") {
        hy_node *node = NULL;
        err = hy_node_open(scope, &options, &node);
        if (err == HY_OK) err = run->body(node, run->arg);
    }
    return err;
}

static hy_err suite_run_in(hy_world *world, const suite_run *run) {
    return hy_root_run(world, NULL, suite_body, (void *)(uintptr_t)run);
}

hy_err node_in_sim(hy_mem *mem, const hy_node_options *options, node_body body, void *arg) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    return suite_run_in(world, &(suite_run){ options, 1, body, arg });
}

hy_err node_in_real(hy_mem *mem, uint32_t workers, const hy_node_options *options, node_body body,
                    void *arg) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    return suite_run_in(world, &(suite_run){ options, workers, body, arg });
}
