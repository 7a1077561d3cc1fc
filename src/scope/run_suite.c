// run_suite.c - a root for one test.
//
// The world is closed on every way out, because the kit asks for all memory after each run.
#include "scope/run_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

hy_err run_in_sim(hy_mem *mem, hy_fn body, void *arg) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    return hy_root_run(world, NULL, body, arg);
}

hy_err run_in_real(hy_mem *mem, hy_fn body, void *arg) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    return hy_root_run(world, NULL, body, arg);
}
