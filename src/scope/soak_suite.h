// soak_suite.h - a parent that lives long.               Room: scope (tests). Includes: base world.
// Threads: the calling one.
//
// A server's scope sees millions of children, and may keep nothing of any: no record, no slot in an
// array, no memory of its allocator.
#ifndef HYI_SCOPE_SOAK_SUITE_H
#define HYI_SCOPE_SOAK_SUITE_H

#include <hypha/scope.h>

// Runs `children` in one scope of the real world: tasks, tasks that are awaited, blocks and dynamic
// scopes. Checks that after a first thousand the memory of the world does not grow by a byte.
HY_CHECKED hy_err soak_run(hy_mem *mem, uint64_t children);

#endif
