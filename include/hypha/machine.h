// hypha/machine.h - state that changes by a pure step.          Room: machine. Includes: base
// schema. Threads: a state and its transaction belong to one owner at a time; descriptions are
// constant.
//
// A machine is a constant description: tables, inputs, actions, invariants and one function
//     step(txn, input) -> HY_OK | hy_reject(...)
// that knows nothing but the state it may read and the input. Whatever a refused step wrote is
// rolled back; what an accepted step wrote, and the actions it emitted, go to the store as one
// entry. Who calls the step: `host` (durable, with effects), tests and simulations (hy_state_step).
#ifndef HYPHA_MACHINE_H
#define HYPHA_MACHINE_H

#include <hypha/base.h>
#include <hypha/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hy_state hy_state; // all rows of one machine, in memory
typedef struct hy_view hy_view;   // reading them
typedef struct hy_txn hy_txn;     // reading and writing them, inside one step

// ---- what a machine is made of ----------------------------------------------------------------

// The first `key_count` fields of the row are its key: integers, bools, enums and ids, at most 16
// bytes together (for a text key use hy_text_id). The rest of a row may also hold str, bytes,
// options and nested records, but no lists and no unions: a list is a table of its own.
typedef struct hy_table {
    const char *name;
    const hy_record *row;
    uint32_t key_count;
    bool ordered;      // rows can be walked in key order; else found by key only (and cheaper)
    uint32_t rows_max; // 0: HY_ROWS_MAX_DEFAULT. One more is refused with HY_LIMIT
} hy_table;

#define HY_ROWS_MAX_DEFAULT (1u << 20)
#define HY_TABLES_MAX 64
#define HY_KEY_BYTES_MAX 64    // of an idempotency key
#define HY_ACTIONS_PER_STEP 64 // emitted by one step; one more refuses the step

// A kind of input: a request from outside, the completion of an action, or a timer that fired.
typedef struct hy_input_kind {
    const char *name;
    const hy_record *body;  // NULL: no body
    const hy_record *reply; // NULL: no reply
    bool internal;          // completions and timers: refused when they come from outside
} hy_input_kind;

// A kind of action. A tracked one stays in the runtime's ledger until its completion, an input of
// kind `completion`, is accepted; an untracked one is tried once after the commit.
typedef struct hy_action_kind {
    const char *name;
    const hy_record *body;
    bool tracked;
    uint32_t completion; // index into `inputs`; only for tracked ones
} hy_action_kind;

// Why a step said no: a stable name for programs, a sentence for people. Code 0 is not used.
typedef struct hy_rejection {
    const char *name;
    const char *text;
    uint32_t http_status; // 0: 409
} hy_rejection;

// Everything a step may know about the world outside its state.
typedef struct hy_input {
    uint64_t seq; // 1, 2, 3 ... per machine
    hy_bytes key; // idempotency key, or empty
    hy_ns now;    // wall clock when the input was taken in
    uint64_t random;
    uint32_t kind;      // index into `inputs`
    const void *body;   // the kind's record; NULL if it has none
    uint64_t action_id; // completions and timers: which action
} hy_input;

// ---- invariants -------------------------------------------------------------------------------

typedef enum hy_invariant_policy {
    HY_VETO = 1, // roll the step back, answer HY_INVARIANT
    HY_HALT,     // roll back and take no further input: HY_HALTED until somebody looks
    HY_REPORT,   // keep the step, count and tell
} hy_invariant_policy;

typedef enum hy_invariant_kind {
    HY_INVARIANT_ROW = 1,   // of each touched row
    HY_INVARIANT_NEIGHBOUR, // of each touched row and the rows before and after it (ordered tables)
    HY_INVARIANT_REFERENCE, // a touched row's `field` names an existing row that satisfies `holds`
    HY_INVARIANT_STEP,      // of each touched row before and after the step
    HY_INVARIANT_AGGREGATE, // of a sum kept over all rows of a table
    HY_INVARIANT_GLOBAL,    // of everything: every `every` seqs and when asked
} hy_invariant_kind;

// Use the macros below; each fills the members that its kind needs.
typedef struct hy_invariant {
    const char *name;
    hy_invariant_kind kind;
    hy_invariant_policy policy;
    uint32_t table, target;
    uint32_t every; // global: checked when seq passes a multiple of it; 0: only when asked
    bool (*row)(const hy_view *view, const void *row);
    bool (*neighbour)(const hy_view *view, const void *before, const void *row, const void *after);
    // Writes the key fields of the wanted row into `out_target`, or returns false for "names none".
    bool (*refer)(const void *row, void *out_target);
    bool (*holds)(const hy_view *view, const void *row, const void *target);
    bool (*step)(const hy_view *view, const void *before,
                 const void *after); // NULL: was not, is gone
    int64_t (*measure)(const void *row);
    bool (*sum)(const hy_view *view, int64_t sum);
    bool (*global)(const hy_view *view);
} hy_invariant;

#define HY_ROW_HOLDS(table_, policy_, fn)                                                          \
    { .name = #fn, .kind = HY_INVARIANT_ROW, .policy = (policy_), .table = (table_), .row = (fn) }
#define HY_NEIGHBOURS_HOLD(table_, policy_, fn)                                                    \
    {                                                                                              \
        .name = #fn, .kind = HY_INVARIANT_NEIGHBOUR, .policy = (policy_), .table = (table_),       \
        .neighbour = (fn)                                                                          \
    }
// `refer_fn` names the target; `holds_fn` (or NULL) judges the pair when the referring row is
// touched. A target that is deleted while a row names it breaks the invariant too. Where an updated
// target can break it, declare the way back as a second reference.
#define HY_REFERENCE_HOLDS(table_, target_, policy_, refer_fn, holds_fn)                           \
    {                                                                                              \
        .name = #refer_fn, .kind = HY_INVARIANT_REFERENCE, .policy = (policy_), .table = (table_), \
        .target = (target_), .refer = (refer_fn), .holds = (holds_fn)                              \
    }
#define HY_STEP_HOLDS(table_, policy_, fn)                                                         \
    { .name = #fn, .kind = HY_INVARIANT_STEP, .policy = (policy_), .table = (table_), .step = (fn) }
#define HY_SUM_HOLDS(table_, policy_, measure_fn, sum_fn)                                          \
    {                                                                                              \
        .name = #sum_fn, .kind = HY_INVARIANT_AGGREGATE, .policy = (policy_), .table = (table_),   \
        .measure = (measure_fn), .sum = (sum_fn)                                                   \
    }
#define HY_GLOBAL_HOLDS(policy_, every_, fn)                                                       \
    {                                                                                              \
        .name = #fn, .kind = HY_INVARIANT_GLOBAL, .policy = (policy_), .every = (every_),          \
        .global = (fn)                                                                             \
    }

// Rows of an older shape become rows of today's: a pure function, run when a store is opened.
typedef struct hy_migration {
    uint32_t table;
    uint32_t from_version; // of the machine that wrote the row
    const hy_record *from; // how the row looked then
    // Fills the cleared `out_row`; may borrow from `old_row` and allocate in `arena`. HY_END drops
    // the row.
    hy_err (*migrate)(const void *old_row, void *out_row, hy_arena *arena);
} hy_migration;

typedef struct hy_machine {
    const char *name; // stable: it names the machine in stores and idempotency keys
    uint32_t version; // of rows and inputs; raise it with a migration
    const hy_table *tables;
    uint32_t table_count;
    const hy_input_kind *inputs;
    uint32_t input_count;
    const hy_action_kind *actions;
    uint32_t action_count;
    const hy_rejection *rejections; // [0] is not used
    uint32_t rejection_count;
    const hy_invariant *invariants;
    uint32_t invariant_count;
    const hy_migration *migrations;
    uint32_t migration_count;
    hy_err (*step)(hy_txn *txn, const hy_input *input);
} hy_machine;

#define HY_COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
// Checks a description once; HY_SCHEMA with the place.
HY_API HY_CHECKED hy_err hy_machine_check(const hy_machine *machine, hy_why *why);

// ---- reading rows -----------------------------------------------------------------------------
// Rows are borrowed until the next write to their table. `key_row` is a row struct in which only
// the key fields are read: hy_row_get(view, BOOKING, &(booking){ .practice = 1, .minute = 540 }).

HY_API const void *hy_row_get(const hy_view *view, uint32_t table, const void *key_row); // or NULL
HY_API uint32_t hy_row_count(const hy_view *view, uint32_t table);

// Walks a table in key order, from before the first row with a key >= key_row (NULL: from the
// start). Any write to the table ends the cursor. An unordered table can be walked (key_row NULL)
// in no particular order, and therefore never inside a step: that would make the step depend on
// history.
typedef struct hy_cursor {
    const hy_view *view;
    uint32_t table;
    uint32_t index;
    void *place;
    uint32_t writes; // to the table before: paranoid builds notice a cursor that outlived one
} hy_cursor;
HY_API hy_cursor hy_cursor_at(const hy_view *view, uint32_t table, const void *key_row);
HY_API const void *hy_cursor_next(hy_cursor *cursor); // or NULL at the end
HY_API const void *hy_cursor_prev(hy_cursor *cursor); // ordered tables only; or NULL

// A 128-bit id for a text, the same everywhere and for ever: text keys become ids.
HY_API hy_id hy_text_id(hy_bytes text);

// ---- writing, inside a step -------------------------------------------------------------------
// The first failure (a limit, no memory) sticks to the transaction: later writes do nothing and
// return NULL, and the step is refused whatever it returns. So a step may write first and look
// once.

HY_API const hy_view *hy_txn_view(const hy_txn *txn);
HY_API const hy_input *hy_txn_input(const hy_txn *txn);
HY_API uint64_t hy_txn_random(hy_txn *txn); // next of a stream seeded by the input
HY_API hy_err hy_txn_failed(const hy_txn *txn);
HY_API void *hy_txn_alloc(hy_txn *txn, size_t size); // cleared; until the step ends

// Copies `row` (strings too) as a new row and returns it; HY_EXISTS sticks if the key is taken.
HY_API void *hy_row_insert(hy_txn *txn, uint32_t table, const void *row);
// The row to change in place; its old content is logged once a step. Key fields, strings and bytes
// must not be written through it. NULL (and nothing sticks) if there is no such row.
HY_API void *hy_row_update(hy_txn *txn, uint32_t table, const void *key_row);
// Puts a copy of `value` into the str or bytes member at `offset` of a row from insert or update:
// hy_row_set_bytes(txn, REQUEST, row, offsetof(request, note), text).
HY_API bool hy_row_set_bytes(hy_txn *txn, uint32_t table, void *row, size_t offset, hy_bytes value);
HY_API bool hy_row_delete(hy_txn *txn, uint32_t table, const void *key_row); // false: was not there
// 1, 2, 3 ... per table and machine; rolled back with the step, never used twice.
HY_API uint64_t hy_row_next_id(hy_txn *txn, uint32_t table);

// Says no: `code` is an index into the machine's rejections. Always returns HY_REJECT.
HY_API hy_err hy_reject(hy_txn *txn, uint32_t code);
// The answer to whoever sent the input: a value of the kind's `reply` record. Copies.
HY_API hy_err hy_reply(hy_txn *txn, const void *reply);

// Files an action; `body` is copied. A tracked one is in the ledger from now on, in this
// transaction. Gives its id (deterministic, never used twice), or 0 when the transaction failed.
HY_API uint64_t hy_action_emit(hy_txn *txn, uint32_t kind, const void *body);
// An action whose completion is a point in time: at `due` (wall clock) an input of `input_kind`
// with this body and id arrives, after any number of restarts.
HY_API uint64_t hy_action_at(hy_txn *txn, uint32_t input_kind, hy_ns due, const void *body);
// Takes a timer or a tracked action out of the ledger: its completion will be answered "already
// done".
HY_API bool hy_action_cancel(hy_txn *txn, uint64_t action_id);
HY_API bool hy_action_is_pending(const hy_view *view, uint64_t action_id);

// ---- the runtime's own tables -----------------------------------------------------------------
// They have fixed numbers behind the machine's own (which may grow), and are stored, loaded and
// shown like them. The ledger holds every tracked action and timer that has no completion yet.

#define HY_LEDGER_FIELDS(F)                                                                        \
    F(1, u64, id)                                                                                  \
    F(2, u64, seq)    /* of the input that emitted it */                                           \
    F(3, i64, due)    /* timers: wall clock; 0 for actions */                                      \
    F(4, u32, kind)   /* an action kind; for timers an input kind */                               \
    F(5, bytes, body) /* wire form */
HY_RECORD(hy_ledger_row, HY_LEDGER_FIELDS)

// The answer given to an input that carried an idempotency key.
#define HY_ANSWER_FIELDS(F)                                                                        \
    F(1, id, key_id) /* hy_text_id of the key */                                                   \
    F(2, u64, seq)                                                                                 \
    F(3, u64,                                                                                      \
      body_digest) /* of the input's kind and wire form: the same key must mean the same */        \
    F(4, u32, err) /* HY_OK or HY_REJECT ... */                                                    \
    F(5, u32, rejection)                                                                           \
    F(6, bytes, key)                                                                               \
    F(7, bytes, reply)
HY_RECORD(hy_answer_row, HY_ANSWER_FIELDS)

#define HY_ANSWER_ORDER_FIELDS(F) /* which answer is oldest, so that they can be bounded */        \
    F(1, u64, seq)                                                                                 \
    F(2, id, key_id)
HY_RECORD(hy_answer_order_row, HY_ANSWER_ORDER_FIELDS)

#define HY_COUNTER_FIELDS(F) /* the next id of each table, and of actions */                       \
    F(1, u32, of_table)                                                                            \
    F(2, u64, next)
HY_RECORD(hy_counter_row, HY_COUNTER_FIELDS)

enum {
    HY_LEDGER = HY_TABLES_MAX,
    HY_ANSWER,
    HY_ANSWER_ORDER,
    HY_COUNTER,
    HY_TABLE_NUMBERS // every table number is below this
};

// The table's description: one of the machine's, one of the four above, or NULL (a gap, or too
// large). A table's number is its place in `tables` for ever: new tables go to the end.
HY_API const hy_table *hy_machine_table(const hy_machine *machine, uint32_t table);

// ---- a state, and stepping it -----------------------------------------------------------------

typedef struct hy_state_options {
    size_t size;
    hy_guard *guard;     // tests: rows lie in pages that only logged calls open; NULL: plain memory
    bool twin;           // run every step twice and compare: HY_NONDETERMINISTIC if they differ
    bool keep_undo;      // steps stay revocable until hy_state_release (a host needs it)
    bool record_entries; // build a journal entry for every accepted step
    uint32_t answers_max;   // remembered idempotency keys; 0: 65,536. The oldest is forgotten first
    uint32_t undo_rows_max; // rows that unreleased steps may touch; 0: 1 << 20. One more: HY_LIMIT
    size_t step_bytes_max;  // arena of one step; 0: 16 MiB
} hy_state_options;

// Gives an empty state. HY_NOMEM, HY_SCHEMA.
HY_API HY_CHECKED hy_err hy_state_new(hy_mem *mem, const hy_machine *machine,
                                      const hy_state_options *options, hy_state **out_state,
                                      hy_why *why);
HY_API hy_state *hy_state_free(hy_state *state); // NULL is fine; returns NULL
HY_API const hy_view *hy_state_view(const hy_state *state);
HY_API const hy_machine *hy_state_machine(const hy_state *state);
HY_API uint64_t hy_state_seq(const hy_state *state);    // of the last accepted (or answered) input
HY_API uint64_t hy_state_digest(const hy_state *state); // of all rows; kept, O(1)
HY_API uint64_t hy_state_chain(const hy_state *state);  // of all accepted steps so far
HY_API uint64_t
hy_state_digest_slow(const hy_state *state); // computed afresh: the oracle of the above

// What a step emitted. `body` is the wire form of the kind's record.
typedef struct hy_action {
    uint64_t id;
    hy_ns due;     // timers: when; 0 for actions
    uint32_t kind; // action kind; for timers the input kind
    bool tracked;
    hy_bytes body;
} hy_action;

// How a step ended. Everything in it is borrowed until the next call on the state.
typedef struct hy_outcome {
    hy_err err;         // HY_OK; HY_REJECT and other refusals; a fault
    uint32_t rejection; // with HY_REJECT
    bool duplicate;     // the answer was given before; nothing was run
    hy_bytes reply;     // wire form of the kind's reply record
    const hy_action *actions;
    uint32_t action_count;
    uint64_t digest; // of the state afterwards
    hy_bytes entry;  // journal entry to store (record_entries); empty if there is nothing to store
    const char *invariant; // the invariant that was broken (veto, halt or report), or NULL
} hy_outcome;

// Runs one step. `input->seq` must be above hy_state_seq. A completion that the step rejects
// (HY_REJECT) is used up all the same, with nothing else changed; after any other refusal it stays
// in the ledger. Returns what `out_outcome->err` holds.
HY_API hy_err hy_state_step(hy_state *state, const hy_input *input, hy_outcome *out_outcome);

// With keep_undo: forgets how to undo steps up to `seq` (they are durable), or undoes all steps
// after `seq` (they are not), meeting digest and chain of that moment again. Neither can fail.
HY_API void hy_state_release(hy_state *state, uint64_t seq);
HY_API void hy_state_rewind(hy_state *state, uint64_t seq);

// Runs all invariants over all rows. HY_OK, or HY_INVARIANT with name and row in `why`.
HY_API HY_CHECKED hy_err hy_state_check(const hy_state *state, hy_why *why);

// The rows that the last accepted step changed, for change feeds and step diffs; NULL: was not, is
// gone.
typedef struct hy_change {
    uint32_t table;
    const void *before, *after;
} hy_change;
HY_API uint32_t hy_state_change_count(const hy_state *state);
HY_API hy_change hy_state_change(const hy_state *state, uint32_t index);

// Loading, in this order: any number of rows, then once `loaded` (which compares the digest:
// HY_CORRUPT; 0 means "rows were migrated, do not compare"), then any number of entries in order of
// seq. After an error a row or an entry may be there by half: the state is good for hy_state_free
// only.
HY_API HY_CHECKED hy_err hy_state_load_row(hy_state *state, uint32_t table, const void *row,
                                           hy_why *why);
HY_API HY_CHECKED hy_err hy_state_loaded(hy_state *state, uint64_t seq, uint64_t digest,
                                         uint64_t chain, hy_why *why);
HY_API HY_CHECKED hy_err hy_state_load_entry(hy_state *state, hy_bytes entry, hy_why *why);

// ---- the journal ------------------------------------------------------------------------------
// One entry: what came in, what was answered, which rows changed, what was emitted, the digests.

#define HY_ENTRY_CHANGE(F)                                                                         \
    F(1, u32, table)                                                                               \
    F(2, bool, gone) /* then `row` holds only the key fields */                                    \
    F(3, bytes, row) /* wire form */
HY_RECORD(hy_entry_change, HY_ENTRY_CHANGE)

#define HY_ENTRY_ACTION(F) /* untracked actions; tracked ones are rows of the ledger */            \
    F(1, u64, id)                                                                                  \
    F(2, u32, kind)                                                                                \
    F(3, bytes, body)
HY_RECORD(hy_entry_action, HY_ENTRY_ACTION)

#define HY_ENTRY(F)                                                                                \
    F(1, u64, seq)                                                                                 \
    F(2, i64, now)                                                                                 \
    F(3, u64, random)                                                                              \
    F(4, u32, kind)                                                                                \
    F(5, u64, action_id)                                                                           \
    F(6, bytes, key)                                                                               \
    F(7, bytes, body) /* wire form of the input */                                                 \
    F(8, u32, err)    /* HY_OK, or the refusal that was remembered for the key */                  \
    F(9, u32, rejection)                                                                           \
    F(10, bytes, reply)                                                                            \
    F(11, list(rec(hy_entry_change)), changes)                                                     \
    F(12, list(rec(hy_entry_action)), actions)                                                     \
    F(13, u64, digest)  /* of the state afterwards */                                              \
    F(14, u64, chain)   /* of all steps up to this one */                                          \
    F(15, u32, version) /* of the machine */
HY_RECORD(hy_entry, HY_ENTRY)

HY_API HY_CHECKED hy_err hy_entry_decode(hy_bytes bytes, hy_arena *arena, hy_entry *out_entry,
                                         hy_why *why);

// Steps the entry's input again on `state` and compares digest, chain, answer and actions with what
// the entry says: HY_NONDETERMINISTIC names the first difference in `why`.
HY_API HY_CHECKED hy_err hy_state_replay(hy_state *state, const hy_entry *entry, hy_why *why);

// ---- the store's port -------------------------------------------------------------------------
// What a driver must offer so that a machine survives. Drivers live in `store`; all calls may
// block and come from one thread at a time.

// Entries of one machine in order, each framed as { u32 length, u32 crc32c of the entry, entry
// bytes }.
typedef struct hy_batch {
    uint32_t machine; // from attach, or of an instance
    uint32_t entry_count;
    uint64_t first_seq, last_seq;
    hy_bytes body;
} hy_batch;

#define HY_INSTANCE_KEY_MAX 80 // bytes

#define HY_FRAME_HEAD_BYTES 8u
HY_API void hy_frame_add(hy_buf *out, hy_bytes entry);
// Takes the first frame off `*rest`. HY_END when it is empty; HY_CORRUPT with offset and reason.
HY_API HY_CHECKED hy_err hy_frame_next(hy_bytes *rest, hy_bytes *out_entry, hy_why *why);

typedef enum hy_commit {
    HY_COMMITTED = 1,  // durable
    HY_COMMIT_REFUSED, // nothing was stored
    HY_COMMIT_UNKNOWN, // one of the two: reload to find out
} hy_commit;

typedef struct hy_store hy_store;
typedef struct hy_journal_cursor hy_journal_cursor;

typedef struct hy_store_driver {
    const char *name;
    // Makes the machine known (tables, migrations, evolution check); gives its number in this
    // store.
    hy_err (*attach)(hy_store *store, const hy_machine *machine, uint32_t *out_number, hy_why *why);
    // Fills an empty state: rows, hy_state_loaded, then the journal's tail. Runs no step.
    hy_err (*load)(hy_store *store, uint32_t machine, hy_state *state, hy_why *why);
    // One durable write for all batches: all of them or none.
    hy_commit (*append)(hy_store *store, const hy_batch *batches, size_t count, hy_why *why);
    // Moves journaled rows into their tables; cheap when there is nothing to do.
    hy_err (*checkpoint)(hy_store *store, hy_why *why);
    // Reads the journal from the first entry with seq >= from_seq. The batch is borrowed until the
    // next.
    hy_err (*journal_open)(hy_store *store, uint32_t machine, uint64_t from_seq,
                           hy_journal_cursor **out_cursor, hy_why *why);
    hy_err (*journal_next)(hy_journal_cursor *cursor, hy_batch *out_batch, hy_why *why); // HY_END
    void (*journal_close)(hy_journal_cursor *cursor); // NULL is fine
    void (*close)(hy_store *store);
    // Optional: one bounded piece of `checkpoint`, a few milliseconds; *out_more: there is another.
    hy_err (*checkpoint_slice)(hy_store *store, bool *out_more, hy_why *why);
    // Optional: many machines of one description in one store, each by its key (text of at most
    // HY_INSTANCE_KEY_MAX bytes). Gives a number that goes wherever a machine's number goes; the
    // empty key gives the machine's own. An instance that is new is stored by its first append, and
    // leaves nothing behind before. HY_TOO_LARGE, HY_MALFORMED, HY_LIMIT, HY_NOT_FOUND (read only).
    hy_err (*instance)(hy_store *store, uint32_t machine, hy_bytes key, uint32_t *out_number,
                       hy_why *why);
    // With it: appends to `out_key` the first key after `after` of an instance that may owe
    // something (rows in its ledger, or steps that only the journal knows). HY_END.
    hy_err (*owing)(hy_store *store, uint32_t machine, hy_bytes after, hy_buf *out_key,
                    hy_why *why);
} hy_store_driver;

struct hy_store {
    const hy_store_driver *driver; // first member of every driver's own struct
};

#ifdef __cplusplus
}
#endif
#endif
