// teller_suite.h - a machine on a store, as a host would run it.          For the tests of this
// room.
//
// Steps inputs into a batch, commits batches, and keeps the books of what must be true: digest,
// chain and seq after every entry that was ever made, so that whatever a store gives back can be
// found among them or is wrong.
#ifndef HYI_STORE_TELLER_SUITE_H
#define HYI_STORE_TELLER_SUITE_H

#include <hypha/store.h>

#include "store/vault_suite.h"

// How the tests reach one kind of store. `open` opens again what was open before.
typedef struct store_maker {
    hy_err (*open)(void *self, hy_store **out_store, hy_why *why);
    // The next append fails: refused, unknown and lost, unknown and kept. A driver may give either
    // of the two unknown ones for both. NULL-able: then the test is left out.
    void (*refuse_next)(void *self);
    void (*unknown_next)(void *self, bool kept);
    void (*fill_disk)(void *self, bool full);
    void (*heal)(void *self); // no faults any more
    void *self;
    hy_mem *mem;
} store_maker;

typedef struct teller_mark {
    uint64_t seq, digest, chain;
} teller_mark;

typedef struct teller {
    const store_maker *maker;
    const hy_machine *machine;
    uint64_t seed;
    hy_store *store;
    uint32_t number;
    hy_state *state;
    hy_buf frames; // the batch that is being made
    hy_batch batch;
    uint64_t next_draw; // which input of the run comes next
    uint64_t durable_seq;
    hy_buf marks; // teller_mark after every entry, in order
} teller;

void teller_init(teller *t, const store_maker *maker, const hy_machine *machine, uint64_t seed);
void teller_deinit(teller *t);

// Opens the store if it is closed, attaches, loads. HY_NOMEM and whatever the store says.
hy_err teller_open(teller *t, hy_why *why);
void teller_close(teller *t);
// Throws the state away and loads it again.
hy_err teller_reload(teller *t, hy_why *why);

// Takes the next inputs of the run until `count` entries are in the batch.
hy_err teller_step(teller *t, uint32_t count);
// Appends the batch. Committed: released; refused: rewound, and the run goes back to where the
// batch began; unknown: nothing is done to the state.
hy_commit teller_commit(teller *t, hy_why *why);
// step and commit, which must work.
hy_err teller_run(teller *t, uint32_t batches, uint32_t entries);

// The mark of a seq; seq 0: the empty state.
teller_mark teller_mark_at(const teller *t, uint64_t seq);
// The state is exactly as it was after its seq, and its kept digest is right.
void teller_check_state(const teller *t);

#endif
