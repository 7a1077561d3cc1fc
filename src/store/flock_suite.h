// flock_suite.h - many instances of one machine on one store, as a fleet would run them.   For the
// tests of this room.
//
// A flock is a line of tellers, each with a key and a run of its own (the first without a key: the
// machine itself), that commit together: one append takes the batches of all that have stepped.
#ifndef HYI_STORE_FLOCK_SUITE_H
#define HYI_STORE_FLOCK_SUITE_H

#include "store/teller_suite.h"

#define FLOCK_MAX 24

typedef struct flock {
    const store_maker *maker;
    const hy_machine *machine;
    uint32_t count;
    hy_store *store;
    uint32_t machine_number;
    char keys[FLOCK_MAX][8]; // "", "k1", "k2" ...
    teller tellers[FLOCK_MAX];
} flock;

void flock_init(flock *f, const store_maker *maker, const hy_machine *machine, uint32_t count);
void flock_deinit(flock *f);

// Opens the store if it is closed, attaches, loads all. HY_NOMEM and whatever the store says.
hy_err flock_open(flock *f, hy_why *why);
void flock_close(flock *f);
hy_err flock_reload(flock *f, hy_why *why); // all instances

// `entries` more steps of one. What it has stepped goes with the next commit.
hy_err flock_step(flock *f, uint32_t index, uint32_t entries);
// One append of everything that was stepped. Committed: released; refused: rewound; unknown:
// nothing is done to the states.
hy_commit flock_commit(flock *f, hy_why *why);
// Every teller steps `entries`, then all commit, which must work.
hy_err flock_run(flock *f, uint32_t rounds, uint32_t entries);
void flock_check(const flock *f); // every state is as it was after its seq

#endif
