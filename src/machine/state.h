// state.h - the inside of hy_state and hy_txn.                  Room: machine. Includes: base
// schema. Threads: one owner.
#ifndef HYI_MACHINE_STATE_H
#define HYI_MACHINE_STATE_H

#include <hypha/machine.h>
#include "base/digest.h"
#include "base/map.h"
#include "machine/undo.h"

// Kept by an aggregate invariant: the sum. By a reference invariant: how often each row is named.
// And the invariant's places in four lists, so that a changed row meets only those it concerns.
typedef struct hyi_derived {
    int64_t sum;
    hyi_map referred;
    uint32_t next_of_table, next_kept, next_of_target, next_of_step; // number + 1; 0 ends a list
} hyi_derived;

struct hy_txn {
    hy_state *state;
    const hy_input *input;
    hy_err failed; // the first failure; sticks
    uint32_t rejection;
    uint64_t random;
    hy_bytes reply; // in the state's step arena
    bool replied;
};

struct hy_state {
    hy_mem *mem;
    const hy_machine *machine;
    hy_state_options options;
    hyi_rows *tables[HY_TABLE_NUMBERS]; // NULL where there is none
    hyi_blobs blobs;

    uint64_t step; // number of the step under way or done last; marks rows
    uint64_t seq, digest, chain;
    hyi_derived *derived;                    // one for each of the machine's invariants
    uint32_t first_of_table[HY_TABLES_MAX];  // about its rows
    uint32_t first_kept[HY_TABLES_MAX];      // of these, those that keep something beside its rows
    uint32_t first_of_target[HY_TABLES_MAX]; // references to its rows
    uint32_t first_of_step;                  // sums and globals: once a step
    const char *halted_by;                   // the invariant, or NULL

    hyi_undo undo;
    hy_change *changes; // of the step under way or done last; in the arena
    uint32_t change_count;

    hy_arena arena; // of one step: decoded bodies, actions, replies
    hy_buf scratch; // encodings on their way into the arena
    hy_buf entry;   // the last step's journal entry
    hy_action actions[HY_ACTIONS_PER_STEP];
    uint32_t action_count;

    uint32_t owed_slot; // in the ledger: the action that the input under way completes
    bool stepping;      // a step function is running
    hy_txn txn;
};

static inline const hy_state *hyi_state_of(const hy_view *view) {
    return (const void *)view;
}
static inline const hy_view *hyi_view_of(const hy_state *state) {
    return (const void *)state;
}

static inline hyi_rows *hyi_state_rows(const hy_state *state, uint32_t table) {
    HY_ASSERT(table < HY_TABLE_NUMBERS && state->tables[table] != NULL);
    return state->tables[table];
}

// Chains two words. The constants keep small numbers apart.
static inline uint64_t hyi_chain(uint64_t a, uint64_t b) {
    return hyi_digest_fold(a ^ UINT64_C(0x9e3779b97f4a7c15), b ^ UINT64_C(0xd1b54a32d192ed03));
}

// Answers are remembered beside the state: they are not part of what a refusal must leave
// unchanged.
static inline bool hyi_table_is_digested(uint32_t table) {
    return table != HY_ANSWER && table != HY_ANSWER_ORDER;
}

// txn.c: the only ways a row changes inside a step.
void *hyi_txn_touch(hy_txn *txn, uint32_t table, uint32_t slot); // logs once a step; NULL: failed
bool hyi_txn_delete(hy_txn *txn, uint32_t table, uint32_t slot); // false: failed
void hyi_txn_fail(hy_txn *txn, hy_err err);
// Clears what unset options still hold, so that equal rows have equal bytes and a text that was
// unset does not come back when somebody sets the flag again. HY_NOMEM.
HY_CHECKED hy_err hyi_txn_normalise(hy_txn *txn, const hyi_layout *layout, void *row);
// False if the step wrote a string or bytes member itself, not through hy_row_set_bytes.
bool hyi_txn_owns_blobs(const hy_state *state, const hy_change *change);

// revoke.c: how a step's log ends.
void hyi_undo_begin(hy_state *state);  // a new step number, an empty log
void hyi_undo_cancel(hy_state *state); // rolls the step under way back
HY_CHECKED hy_err hyi_undo_keep(hy_state *state, const hyi_undo_step *step); // HY_NOMEM

// Collects what the step under way changed into state->changes, once for all who look at it.
HY_CHECKED hy_err hyi_undo_collect(hy_state *state); // HY_NOMEM

// What the entry did to its row: as it was and as it is; NULL where there was or is none.
hy_change hyi_undo_change(const hy_state *state, const hyi_undo_entry *entry);

// invariant.c: over the rows the step under way touched. HY_OK, HY_INVARIANT with the one that
// failed. A broken one with policy HY_REPORT is named and the check goes on.
hy_err hyi_invariants_check_touched(hy_state *state, const hy_invariant **out_broken);

// derived.c: what the invariants keep beside the rows. Sums go round at their ends, so that a sum
// passes through anything and comes back right.
static inline int64_t hyi_derived_add(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}
static inline int64_t hyi_derived_subtract(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
HY_CHECKED hy_err hyi_derived_init(hy_state *state); // HY_NOMEM
void hyi_derived_deinit(hy_state *state);
HY_CHECKED hy_err hyi_derived_change(hy_state *state, const hy_change *change); // HY_NOMEM
void hyi_derived_unchange(hy_state *state, const hy_change *change); // newest first; cannot fail
bool hyi_derived_is_referred(const hy_state *state, uint32_t invariant, const void *target_row);

// answer.c: remembered idempotency keys.
const hy_answer_row *hyi_answer_find(const hy_state *state, hy_bytes key);
void hyi_answer_file(hy_txn *txn, uint64_t body_digest, hy_err err); // fails the txn if it cannot
uint64_t hyi_answer_body_digest(hy_state *state, const hy_input *input); // 0: no memory

// entry.c
HY_CHECKED hy_err hyi_entry_build(hy_state *state, const hy_input *input, hy_err err,
                                  uint64_t digest, uint64_t chain);

#endif
