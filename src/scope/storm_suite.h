// storm_suite.h - random trees of scopes, and what must be true of every one.
//                                                        Room: scope (tests). Includes: base world.
#ifndef HYI_SCOPE_STORM_SUITE_H
#define HYI_SCOPE_STORM_SUITE_H

#include <hypha/scope.h>

// What happens at one of the calls that may wait.
typedef enum storm_blow {
    STORM_NOTHING,
    STORM_FAIL,       // it fails
    STORM_CANCEL,     // the innermost scope is cancelled, before the call
    STORM_CANCEL_ALL, // the whole tree is
    STORM_STOP_ALL,   // the whole tree is stopped
    STORM_BLOWS,
} storm_blow;

typedef struct storm_plan {
    uint64_t seed;
    storm_blow blow;
    uint32_t at; // at which of the calls, from 1
} storm_plan;

typedef struct storm_report {
    hy_err err;     // of the tree; HY_DEADLOCK: somebody waits, and nothing can happen
    uint32_t calls; // that may wait
    uint32_t tasks, scopes, resources;
    uint64_t digest; // of the simulated world
} storm_report;

// Runs one tree in a world of its own. Checks that each resource was released once, in reverse
// order of owning and after all below had ended, and that no fiber outlived its scope.
HY_CHECKED hy_err storm_run(hy_mem *mem, const storm_plan *plan, storm_report *out_report);

#endif
