// internal.h - what the files of the kit share.                Folder: test/kit. Includes: base.
// Threads: kit memory may be used from any thread; all else from the thread that runs the test.
//
// The allocator is told which allocation shall fail and is asked afterwards what happened; the
// runner turns that into the loop over failing allocations.
#ifndef HYPHA_TEST_KIT_INTERNAL_H
#define HYPHA_TEST_KIT_INTERNAL_H

#include "kit/kit.h"

typedef struct kit_plan {
    uint64_t fail_at; // 1 is the first allocation; 0: none fails
    bool persistent;  // all after it fail as well
} kit_plan;

typedef struct kit_account {
    uint64_t allocations; // asked for, granted or not
    uint64_t injected;    // refused because of the plan
    uint64_t live_blocks, live_bytes;
} kit_account;

// Starts a run: the counters are zero, what an earlier run left behind is forgotten.
hy_mem *kit_mem_begin(kit_plan plan);
kit_account kit_mem_account(void);

// HY_x as text, without the base room: the kit tests that room too.
const char *kit_err_name(hy_err err);

#endif
