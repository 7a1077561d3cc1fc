// crash_script_suite.h - a run that can be played again and again.         For the tests of this
// room.
//
// The entries of a run are made once, by a machine in memory. Playing appends them to a SQLite
// store in a simulated world, with checkpoints and reopenings between, until something fails.
// Judging restarts what can be restarted, opens again, and insists that the store holds what was
// confirmed, and of the commit in flight all or nothing.
#ifndef HYI_STORE_CRASH_SCRIPT_SUITE_H
#define HYI_STORE_CRASH_SCRIPT_SUITE_H

#include "store/teller_suite.h"

#define CRASH_SCRIPT_BATCHES_MAX 200

typedef struct crash_script {
    hy_store_disk *disk; // keeps the bodies
    hy_store *store;
    teller maker_teller; // keeps the marks
    hy_batch batches[CRASH_SCRIPT_BATCHES_MAX];
    uint32_t batch_count;
} crash_script;

typedef struct crash_play {
    hy_store *store; // open, unless a call of open or attach failed
    uint32_t number;
    uint64_t confirmed; // seq of the last batch that was COMMITTED
    uint64_t in_flight; // last seq of a batch whose outcome is unknown; 0: none
    bool stopped;       // a call failed: the play is over
    bool lazy;          // the store is opened with lazy_sync; set before the play
    hy_why why;         // what it said
} crash_play;

// `entries` inputs that were accepted, in batches of 10 to 50 (or of `batch`, if not 0).
void crash_script_make(crash_script *script, uint32_t entries, uint32_t batch);
void crash_script_free(crash_script *script);

// From the first batch that the store does not have, to the end or the first failure.
void crash_play_run(crash_play *play, const crash_script *script, hy_world *world);
// Opens, attaches and loads, as far as that works.
void crash_play_recover(crash_play *play, hy_world *world);
// Closes what is open, and forgets it.
void crash_play_close(crash_play *play);
// Opens again (the world must be healthy) and checks; then appends what is missing of one more
// batch.
void crash_play_judge(crash_play *play, const crash_script *script, hy_world *world);

#endif
