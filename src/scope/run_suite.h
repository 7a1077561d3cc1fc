// run_suite.h - a root for one test.                     Room: scope (tests). Includes: base world.
// Threads: the test's. A body is a fiber's function; what it returns is what the test returns.
#ifndef HYI_SCOPE_RUN_SUITE_H
#define HYI_SCOPE_RUN_SUITE_H

#include <hypha/scope.h>

// Runs `body` as a root of its own world, simulated with the seed of the run, or real, and gives
// the root's error. The world is closed again.
hy_err run_in_sim(hy_mem *mem, hy_fn body, void *arg);
hy_err run_in_real(hy_mem *mem, hy_fn body, void *arg);

// Defines sim_<name> and real_<name> for the kit, from `static hy_err <name>(void *unused)`.
#define RUN_SIM(name)                                                                              \
    static hy_err sim_##name(hy_mem *mem) {                                                        \
        return run_in_sim(mem, name, NULL);                                                        \
    }
#define RUN_REAL(name)                                                                             \
    static hy_err real_##name(hy_mem *mem) {                                                       \
        return run_in_real(mem, name, NULL);                                                       \
    }

#endif
