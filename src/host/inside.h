// inside.h - what the files of this room share. Room: host. Includes: base machine world scope
// store. Threads: a host's own world's; only what a store call runs works elsewhere: it reads what
// never changes, and writes to nothing but the call.
//
// One turn of a host, in the order of the files:
//     host.c       a call enters the queue                                   (hy_host_submit)
//     pipeline.c   calls are stepped into the building batch, one batch is appended at a time,
//                  and what became durable leaves
//     batch.c      what a step leaves behind until its commit is known
//     reload.c     an unknown commit: load again, compare, answer
//     pending.c    ledger rows that wait for their completion, found by action id
//     attempt.c    executors: attempts, deadlines, retries
//     wakeup.c     the one timer of the host, and the ledger's timers on the wall clock
//     closing.c    the way out
//     committer.c  what hosts of a fleet share: one line in front of the store
//
// Invariants
//  - At most one store call runs; the batch it works on (`flight`) is touched by nobody meanwhile.
//  - Memory is ahead of the store by exactly flight + building; durable_seq is what the store has.
//  - Callbacks run only from the pump, never inside a call of the user, so no call is re-entered.
#ifndef HYI_HOST_INSIDE_H
#define HYI_HOST_INSIDE_H

#include <hypha/host.h>
#include "host/committer.h"
#include "host/due.h"

#define HYI_OBSERVERS_MAX 16u

// ---- small lists --------------------------------------------------------------------------------

typedef struct hyi_calls { // first in, first out
    hy_call *first, *last;
    uint32_t count;
} hyi_calls;

typedef struct hyi_looks {
    hy_look *first, *last;
} hyi_looks;

void hyi_calls_push(hyi_calls *calls, hy_call *call);
hy_call *hyi_calls_pop(hyi_calls *calls); // or NULL
void hyi_looks_push(hyi_looks *looks, hy_look *look);
hy_look *hyi_looks_pop(hyi_looks *looks); // or NULL

// ---- pending: a ledger row, or an untracked action, on its way --------------------------------

typedef enum hyi_phase {
    HYI_NEW = 1,    // of a step that is not durable yet; in its batch
    HYI_IDLE,       // nobody can run it: no executor
    HYI_TIMER,      // waits for the wall clock; in host->timers
    HYI_WAITING,    // for a place at its executor; in executor->waiting
    HYI_PARKED,     // a step that is not durable took its row away; in host->parked
    HYI_RUNNING,    // an attempt is out; in executor->running, its deadline in host->dues
    HYI_BACKOFF,    // tried in vain, tried again later; in host->dues
    HYI_COMPLETING, // its completion is in the queue or in a batch
    HYI_REDELIVER,  // its completion was not taken; again later; in host->dues
} hyi_phase;

typedef struct hyi_pending {
    hy_effect effect; // first member: what the executor holds
    hy_call call;     // its completion, an input like any other
    hyi_due due;
    struct hyi_pending *same_hash;
    struct hyi_pending *prev, *next; // in at most one list
    hy_arena arena;                  // key, body and completion of the present attempt
    hy_bytes wire; // untracked: the body, in the arena; tracked ones read the ledger
    hyi_phase phase;
    uint32_t redeliveries;
    bool tracked, timer;
    bool gone; // its ledger row is durably gone; freed when its call is back
} hyi_pending;

typedef struct hyi_pendings {
    hyi_pending *first, *last;
    uint32_t count;
} hyi_pendings;

void hyi_pendings_push(hyi_pendings *list, hyi_pending *pending);
void hyi_pendings_remove(hyi_pendings *list, hyi_pending *pending);
hyi_pending *hyi_pendings_pop(hyi_pendings *list); // or NULL

// What the executors of one kind in all hosts of a fleet share: a limit, and a line.
typedef struct hyi_quota {
    uint32_t running, max;
    struct hyi_executor *first, *last; // those that wait for a place
} hyi_quota;

typedef struct hyi_executor {
    hy_executor is; // is.start == NULL: none for this action kind
    hyi_pendings waiting, running;
    hyi_quota *share; // NULL: a host alone
    hy_host *host;
    struct hyi_executor *next_starved;
    bool starved; // in the line of the share
} hyi_executor;

// By action id; open hashing, so that filing one cannot fail.
typedef struct hyi_pending_map {
    hyi_pending **buckets;
    uint32_t bucket_count, count;
    hyi_pending *few[16]; // the buckets before the first growth
} hyi_pending_map;

// ---- batches ----------------------------------------------------------------------------------

typedef struct hyi_removed { // a ledger row that a step took away
    struct hyi_removed *next;
    uint64_t action_id;
} hyi_removed;

typedef struct hyi_changed { // copies for the observers
    struct hyi_changed *next;
    uint64_t seq;
    uint32_t table;
    const void *before, *after;
} hyi_changed;

typedef struct hyi_batch {
    hyi_calls calls; // stepped, in order; with and without an entry
    hyi_looks looks; // have seen the state after these calls
    hy_buf frames;   // what the store gets
    uint32_t entry_count;
    uint64_t first_seq, last_seq; // of the entries
    uint64_t chain_before, chain_after;
    hy_arena arena;     // replies and the lists below
    hyi_pendings added; // actions and timers of these steps
    hyi_removed *removed, **removed_tail;
    hyi_changed *changed, **changed_tail;
    struct hyi_news *news; // on a worker: what will carry the changes, made before it is needed
} hyi_batch;

void hyi_batch_init(hyi_batch *batch, hy_mem *mem);
void hyi_batch_clear(hy_host *host, hyi_batch *batch); // frees what was never made durable
void hyi_batch_deinit(hy_host *host, hyi_batch *batch);
bool hyi_batch_is_empty(const hyi_batch *batch); // no call, no look

// Notes an accepted step: its entry, actions, changes, and the reply for `call`. HY_NOMEM: the
// batch is as before, and the caller undoes the step.
HY_CHECKED hy_err hyi_batch_take(hy_host *host, hyi_batch *batch, hy_call *call,
                                 const hy_outcome *outcome);

// News that have nothing to say yet. NULL: no memory; freeing NULL is fine.
struct hyi_news *hyi_news_new(hy_mem *mem);
void hyi_news_free(hy_mem *mem, struct hyi_news *news);

// A row and everything it points to, in `arena`. NULL gives NULL and is no failure (*out_ok).
const void *hyi_row_copy(const hy_record *record, const void *row, hy_arena *arena, bool *out_ok);

// ---- of a fleet -------------------------------------------------------------------------------

// What a fleet is to its hosts; a host alone has none.
typedef struct hyi_home {
    hyi_committer *committer;
    void (*pumped)(struct hyi_home *home, hy_host *host); // the last thing of a turn: may free it
    void (*freed)(struct hyi_home *home, hy_host *host);
    bool (*has_started)(const struct hyi_home *home);
    // On a worker, else NULL: has the pump run in a turn of the machine's actor; and takes changed
    // rows to where the observers are.
    void (*pump_soon)(struct hyi_home *home, hy_host *host);
    void (*tell)(struct hyi_home *home, hy_host *host, struct hyi_batch *batch);
} hyi_home;

// ---- the host ---------------------------------------------------------------------------------

typedef enum hyi_closing { HYI_OPEN, HYI_DRAINING, HYI_EXPIRED } hyi_closing;

struct hy_host {
    hy_world *world;
    hy_mem *mem;
    hy_store *store;
    const hy_machine *machine;
    uint32_t machine_number; // in the store; an instance's own
    hyi_home *home;          // NULL: a host alone
    void *home_place;        // the fleet's own
    hy_bytes key;            // of the instance; the fleet's
    bool is_opening;         // it has no state yet
    bool forsaken;           // a turn did not return: its state means nothing any more
    hy_call *stepping;       // the call that is being stepped
    hy_err open_err;         // it could not be loaded: it takes nothing any more
    hy_host_options options; // with the defaults filled in
    hy_state *state;
    hy_ns last_now; // of the latest input: the machine's clock never goes back

    hyi_calls queue;
    uint32_t outside_count; // of the queue: those that count against queue_max
    hyi_batch batches[2];
    hyi_batch *building;
    hyi_batch *flight; // being appended or uncertain; or NULL
    hyi_looks looks;   // saw nothing that is not durable
    hyi_looks early;   // came before there was a state
    bool is_uncertain; // the flight's outcome is not known: nothing is stepped
    hyi_store_call store_call;
    hy_ns store_retry_at;   // HY_NEVER: nothing to repeat
    uint32_t store_retries; // in a row

    hy_observer observers[HYI_OBSERVERS_MAX];
    uint32_t observer_count;

    hyi_executor *executors; // one per action kind
    hyi_pending_map pending;
    hyi_pendings parked;
    hyi_pendings idle;
    hyi_dues dues;        // hy_world_now: deadlines, retries
    hyi_dues timers;      // hy_world_wall
    uint32_t timer_count; // in `timers`
    bool started;

    hy_timer timer;
    hy_ns armed_at; // of the timer; HY_NEVER: not running
    hy_post post;
    bool posted;    // the pump will run
    bool pumping;   // it runs now
    hy_ns dirty_at; // of the latest commit that no checkpoint covers; HY_NEVER: none

    hyi_closing closing;
    hy_ns close_deadline;
    void (*closed)(void *self, hy_err err);
    void *closed_self;
    hy_err close_err;
    hy_buf waiting_reply; // of hy_host_call
    hy_arena waiting_arena;
    const hy_record *waiting_record;
    bool owns_world; // and the store: hy_host_open_file made them

    hy_host_stats stats;
};

// host.c
// A host without a state: everything that can fail for want of memory. HY_NOMEM.
HY_CHECKED hy_err hyi_host_new(hy_world *world, hy_store *store, const hy_machine *machine,
                               const hy_host_options *options, hy_host **out_host, hy_why *why);
// Blocks: loads the instance into `call`. The host itself is only read: it may be on another
// thread.
HY_CHECKED hy_err hyi_host_fill(const hy_host *host, hyi_store_call *call, hy_why *why);
// In a fleet: begins to load, on the committer's thread; what comes meanwhile waits.
void hyi_host_begin(hy_host *host);
void hyi_host_fill_asked(hyi_store_call *call); // on another thread
void hyi_host_begun(hy_host *host);             // it is loaded, or is not
// Nothing waits but points in time, so that it could be loaded again as well as stay.
bool hyi_host_is_idle(const hy_host *host);
// Its turn did not return. What it holds is answered; what is being stored is waited for.
void hyi_host_forsake(hy_host *host, void (*closed)(void *self, hy_err err), void *self);
void hyi_host_pump_now(hy_host *host);  // from the world; on a worker, in the next turn
void hyi_host_take_turn(hy_host *host); // in a turn of its actor
HY_CHECKED hy_err hyi_executor_check(const hy_machine *machine, const hy_executor *executor);
hy_executor hyi_executor_filled(const hy_executor *executor); // its defaults
void hyi_host_pump(hy_host *host);                            // does what can be done now
void hyi_host_pump_soon(hy_host *host);
void hyi_host_halt(hy_host *host, const char *by);
void hyi_host_free(hy_host *host); // everything but the store

// pipeline.c
void hyi_pipeline_run(hy_host *host);
void hyi_pipeline_refuse(hy_host *host, hyi_batch *batch, hy_err err); // nothing of it came true
void hyi_pipeline_settle(hy_host *host, hyi_batch *batch);             // all of it came true
HY_CHECKED hy_err hyi_store_start(hy_host *host, hyi_store_op op);
void hyi_queue_refuse(hy_host *host, hy_err err); // answers all calls that were not stepped

// reload.c
void hyi_reload_begin(hy_host *host);
void hyi_reload_run(hyi_store_call *call); // on another thread
void hyi_reload_done(hy_host *host);
void hyi_reload_again(hy_host *host); // the pause is over
HY_CHECKED hy_err hyi_reload_state(const hy_host *host, uint32_t number, hy_state **out_state,
                                   hy_why *why);

// pending.c
void hyi_pending_map_init(hyi_pending_map *map);
hyi_pending *hyi_pending_new(hy_host *host, uint64_t action_id, uint32_t kind); // or NULL
void hyi_pending_free(hy_host *host, hyi_pending *pending);
void hyi_pending_end(hy_host *host, hyi_pending *pending);  // out of the map, and free
void hyi_pending_file(hy_host *host, hyi_pending *pending); // its step is durable
void hyi_pending_gone(hy_host *host, uint64_t action_id);   // its row is durably gone
void hyi_pending_unpark(hy_host *host);
void hyi_pending_begin_idle(hy_host *host);
HY_CHECKED hy_err hyi_pending_restore(hy_host *host); // all rows of the ledger
void hyi_pending_free_all(hy_host *host);
const hy_ledger_row *hyi_pending_row(const hy_host *host, const hyi_pending *pending); // or NULL
// Sends the completion that lies in pending->call through the queue; it counts on nobody's limit.
void hyi_pending_complete(hy_host *host, hyi_pending *pending);

// attempt.c
void hyi_attempt_dispatch(hy_host *host);                   // starts what may run
void hyi_attempt_wait(hy_host *host, hyi_pending *pending); // puts it in line
void hyi_attempt_drop(hy_host *host, hyi_pending *pending); // running: tells the executor
void hyi_attempt_due(hy_host *host, hyi_pending *pending);  // its time in host->dues has come
hy_ns hyi_attempt_backoff(hy_host *host, hy_ns min, hy_ns max, uint32_t tries);
uint32_t hyi_attempt_running(const hy_host *host);
void hyi_attempt_forget(hy_host *host); // its executors leave the lines of their shares

// wakeup.c
void hyi_wakeup_fired(hy_timer *timer);
void hyi_wakeup_arm(hy_host *host);
void hyi_wakeup_dues(hy_host *host); // everything whose time has come

// attempt_fiber.c
void hyi_fiber_executors_forget(hy_host *host); // the host goes away before their scopes
void hyi_fiber_executor_forget(hy_executor *is);
// An executor whose attempts are fibers of `scope`; to be registered, and then owned by the scope,
// which makes *places 0 at its end.
HY_CHECKED hy_err hyi_fiber_executor_make(hy_scope *scope, const hy_machine *machine,
                                          const hy_executor *limits, hy_attempt run,
                                          hy_executor *out_executor);
HY_CHECKED hy_err hyi_fiber_executor_own(hy_executor *is, uint32_t *places);

// closing.c
bool hyi_closing_advance(hy_host *host); // true: the host is gone

#endif
