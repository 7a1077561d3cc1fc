// hypha/host.h - machines as durable services.                                       Room: host.
// Includes: machine scope actor, and through them base, schema and world.
// Threads: everything on the world's thread; only the commit itself runs as blocking work.
//
// A host runs one machine on one store: it takes calls into a bounded queue, steps them in batches,
// commits, and only then lets replies and actions out. While one commit is in flight the next batch
// is stepped. "Not committed" rolls memory back and refuses those calls; "unknown" reloads from the
// store and answers each call by what the store knows.
#ifndef HYPHA_HOST_H
#define HYPHA_HOST_H

#include <hypha/actor.h>
#include <hypha/machine.h>
#include <hypha/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hy_host hy_host;

typedef struct hy_host_options {
    size_t size;
    uint32_t queue_max; // calls waiting to be stepped; 0: 4,096. One more is refused with HY_LIMIT
    uint32_t batch_max; // steps in one commit; 0: 4,096
    size_t batch_bytes_max;   // 0: 4 MiB
    uint32_t answers_max;     // remembered idempotency keys; 0: 65,536
    bool twin;                // run every step twice (tests)
    hy_guard *guard;          // protect rows from raw writes (tests)
    hy_ns checkpoint_idle_ns; // idle for so long: checkpoint; 0: 50 ms
    // hy_host_open_in only: told how its close went (as in hy_host_close), `host` being gone.
    void (*closed)(void *self, hy_err err);
    void *closed_self;
} hy_host_options;

// Loads the machine from the store, re-emits what the ledger holds (once executors are known and
// hy_host_start is called). Borrows world, store and machine until close.
HY_API HY_CHECKED hy_err hy_host_open(hy_world *world, hy_store *store, const hy_machine *machine,
                                      const hy_host_options *options, hy_host **out_host,
                                      hy_why *why);

// ---- calls ------------------------------------------------------------------------------------

// One request. The caller owns the record and what it points to until `done`, which is called once,
// and only after the answer is durable (or the call was refused and nothing changed).
typedef struct hy_call hy_call;
struct hy_call {
    uint32_t kind;    // of the machine's inputs; an internal one is refused
    const void *body; // the kind's record
    hy_bytes key;     // idempotency key, or empty; at most HY_KEY_BYTES_MAX
    void (*done)(hy_call *call);

    hy_err err; // the answer: HY_OK, HY_REJECT, HY_INVARIANT, HY_LIMIT, HY_NOT_COMMITTED ...
    uint32_t rejection;    // with HY_REJECT: index into the machine's rejections
    bool duplicate;        // answered from memory of the key
    uint64_t seq;          // of the step
    hy_bytes reply;        // wire form; borrowed during `done`
    const char *invariant; // with HY_INVARIANT

    struct hy_call *next_; // the host's
    void *host_;
    uint64_t host_seq_; // before the step: the action it completes
};

// HY_OK: `done` will be called. HY_LIMIT (queue full), HY_CLOSED, HY_HALTED, HY_UNKNOWN_KIND,
// HY_TOO_LARGE (key): it will not.
HY_API HY_CHECKED hy_err hy_host_submit(hy_host *host, hy_call *call);

// Reads. `look` runs now on the state as it stands; `done` once everything it may have seen is
// durable.
typedef struct hy_look hy_look;
struct hy_look {
    void (*look)(hy_look *look, const hy_view *view);
    void (*done)(hy_look *look); // look->err: HY_OK, or HY_NOT_COMMITTED: what was seen is not
                                 // true; look again
    hy_err err;
    uint64_t seq;          // of the latest step that was seen; from `look` on
    struct hy_look *next_; // the host's
};
HY_API HY_CHECKED hy_err hy_host_look(hy_host *host, hy_look *look); // HY_CLOSED

// Changed rows of each step, in order, after they are durable: the change feed. Of the machine's
// tables and of its ledger (table number HY_LEDGER). Rows are borrowed until `changed` returns.
typedef struct hy_observer {
    void (*changed)(void *self, uint64_t seq, uint32_t table, const void *before,
                    const void *after);
    void *self;
} hy_observer;
HY_API HY_CHECKED hy_err hy_host_observe(hy_host *host,
                                         const hy_observer *observer); // copies; HY_LIMIT at 16

// ---- effects ----------------------------------------------------------------------------------

// One attempt at one action. The executor keeps the pointer until it ends it with done or failed,
// or is told `cancel` at the deadline (the pointer is dead afterwards).
typedef struct hy_effect {
    const char *key; // idempotency key for the outside: "machine/action id", in a fleet
                     // "machine/key/action id"
    uint64_t action_id;
    uint32_t kind;
    const void *body;    // the kind's record, decoded
    uint32_t attempt;    // 1, 2 ...
    bool restored;       // emitted before this process started: ask before you repeat
    hy_ns deadline;      // hy_world_now
    void *executor_data; // the executor's own
    hy_why *why;         // for a hy_attempt: where it may say why it failed; else NULL
    hy_host *host;       // whose it is: for hy_effect_done and hy_effect_failed
    hy_bytes instance;   // in a fleet: the machine's key
    void *errand_;       // a fleet's: it came from another thread
} hy_effect;

typedef struct hy_executor {
    uint32_t kind; // action kind
    void *self;
    void (*start)(void *self, hy_effect *effect);
    void (*cancel)(void *self, hy_effect *effect); // NULL: nothing to clean up
    hy_ns attempt_max_ns;                          // 0: 10 s
    hy_ns backoff_min_ns;                          // 0: 100 ms; doubles, with full jitter,
    hy_ns backoff_max_ns;                          // up to this; 0: 30 s
    // Tracked: 0 means for ever. After the last, `give_up` fills the cleared completion record
    // (what it points to must live until it returns) and says true; false: keep trying.
    uint32_t attempts_max;
    bool (*give_up)(void *self, const hy_effect *effect, void *out_completion_body);
    uint32_t parallel_max; // attempts at a time; 0: 64
} hy_executor;

// Copies; before start. An action kind without an executor stays in the ledger until there is one.
// HY_UNKNOWN_KIND, HY_EXISTS, HY_MISSING (attempts_max without give_up), HY_CLOSED (started).
HY_API HY_CHECKED hy_err hy_host_executor(hy_host *host, const hy_executor *executor);
// Ends an attempt of a tracked action with its completion (copied), of an untracked one with NULL.
// May be called inside `start`. When the completion cannot be kept (no memory, text that is not
// UTF-8) the attempt counts as failed. A completion that the machine rejects (HY_REJECT) ends the
// action; one that it could not take (an invariant, a limit, a commit that failed) is offered again
// later, and the outside is not asked again.
HY_API void hy_effect_done(hy_host *host, hy_effect *effect, const void *completion_body);
// Ends an attempt that did not work: tracked ones are tried again later, untracked ones are
// forgotten.
HY_API void hy_effect_failed(hy_host *host, hy_effect *effect, const char *reason);
// A completion that came by another way than the executor (a webhook): an input like any other;
// HY_ALREADY_DONE reaches `done` when the ledger does not hold the action any more.
// `call->kind` is the completion's input kind. HY_LIMIT: more of these wait than the ledger has
// rows.
HY_API HY_CHECKED hy_err hy_host_complete(hy_host *host, uint64_t action_id, hy_call *call);

// ---- running and ending -----------------------------------------------------------------------

HY_API void hy_host_start(hy_host *host); // timers and restored actions begin
// Stops taking calls, waits for what is in the queue and in flight (until `deadline`), checkpoints,
// then frees `host` and calls `closed` as the last thing. Tracked actions stay in the ledger for
// the next start. HY_OK, HY_TIMEOUT (calls were answered HY_CLOSED, attempts cancelled), or the
// checkpoint's error. Attempts that run may end until the deadline; no new ones start. A commit in
// flight is always waited for.
HY_API void hy_host_close(hy_host *host, void (*closed)(void *self, hy_err err), void *self,
                          hy_ns deadline);
// What a crash does to a host: its memory is given back, nobody is told, nothing is stored. Only
// after hy_sim_restart, when the world has forgotten everything that was under way.
HY_API void hy_host_abandon(hy_host *host); // NULL is fine

// ---- in scopes --------------------------------------------------------------------------------
//
// The same host, for programs whose parts are fibers (hypha/scope.h).

// As hy_host_open; the host belongs to `scope`, which closes it after its tasks and services,
// waiting `close_max` at most (0: its share of the scope's stop).
HY_API HY_CHECKED hy_err hy_host_open_in(hy_scope *scope, hy_store *store,
                                         const hy_machine *machine, const hy_host_options *options,
                                         hy_ns close_max, hy_host **out_host, hy_why *why);
// Fiber. Submits `call` and waits for its answer: call->err, or why it was not taken. `done` is not
// used. Cancellation does not cut the wait, because the answer is on its way; who is cancelled
// before that submits nothing. The reply is copied into the current scope (HY_NOMEM: the call was
// answered, call->seq is its step).
HY_API HY_CHECKED hy_err hy_host_ask(hy_host *host, hy_call *call);
// Fiber. The same for hy_host_complete.
HY_API HY_CHECKED hy_err hy_host_ask_complete(hy_host *host, uint64_t action_id, hy_call *call);
// Fiber. Runs look->look and waits until what it saw is durable. look->err, or HY_CLOSED.
HY_API HY_CHECKED hy_err hy_host_see(hy_host *host, hy_look *look);

// An executor in blocking style: each attempt is a task of `scope`, in a scope of its own that ends
// at the effect's deadline. `effect` is a copy for the attempt. HY_OK ends it well: of a tracked
// action with the completion that `run` has filled (cleared before; what it points to may be memory
// of the attempt's scope, hy_scope_alloc). An error is a failed attempt, hy_effect_failed, for the
// reason in effect->why or the error's text. Where the scope takes nothing new because it is being
// stopped, attempts fail, and the ledger keeps the action; so it does when the scope has ended.
// `limits` as in hy_host_executor, its `start` and `cancel` unused. Errors as there.
typedef hy_err (*hy_attempt)(void *self, const hy_effect *effect, void *out_completion);
HY_API HY_CHECKED hy_err hy_host_executor_in(hy_scope *scope, hy_host *host,
                                             const hy_executor *limits, hy_attempt run);

// For small programs and tools, which have nothing else to do. `open_file` makes a world and a
// SQLite store of its own, which `finish` closes too. `call` submits and runs the world until the
// answer is there; its reply lives until the next call. `finish` has ten seconds of patience; NULL
// is fine.
HY_API HY_CHECKED hy_err hy_host_open_file(const char *path, const hy_machine *machine,
                                           hy_host **out_host, hy_why *why);
HY_API HY_CHECKED hy_err hy_host_call(hy_host *host, hy_call *call); // call->err, or a refusal
// The reply to the latest `call`, decoded: a struct of the kind's reply record, whose strings live
// until the next call. HY_MISSING: there was none.
HY_API HY_CHECKED hy_err hy_host_reply(hy_host *host, void *out_reply);
HY_API hy_err hy_host_finish(hy_host *host);

typedef struct hy_host_stats {
    uint64_t accepted, refused, duplicates, commits, commits_refused, commits_unknown, reloads;
    uint64_t attempts, retries, completions, timers_fired, invariant_reports;
    uint32_t queue_count, in_flight_count, pending_actions;
    uint64_t durable_seq;
    bool halted;
    char halted_by[80]; // the invariant, with policy HY_HALT
    uint64_t checkpoints, checkpoints_failed;
    uint64_t completions_refused; // not taken; they are offered again
    uint64_t attempts_failed, deadlines_passed, gave_up;
    uint64_t untracked_dropped; // no executor, or too many waiting
    uint32_t without_executor;  // actions in the ledger that nobody here can run
    bool reloading;             // an unknown commit is being found out
    char last_failure[80];      // the latest reason that an attempt gave
    char store_trouble[160];    // of the store's last failure; empty: it has committed since
} hy_host_stats;
HY_API hy_host_stats hy_host_stats_of(const hy_host *host);
// Appends them as one JSON object, for a console (docs/FORMATS.md). HY_NOMEM, HY_TOO_LARGE, and
// HY_NOT_UTF8 where a name is no text.
HY_API HY_CHECKED hy_err hy_host_stats_json(const char *name, const hy_host_stats *stats,
                                            hy_buf *out);
HY_API const hy_machine *hy_host_machine(const hy_host *host);

// ---- fleets -----------------------------------------------------------------------------------
//
// Many machines of one description on one store, each under a key (text of 1 to HY_INSTANCE_KEY_MAX
// bytes): one for each practice, account, room. Each is serial, and none waits for another's steps.
// Their commits go together: while one is under way the batches of all machines gather, and then
// become one transaction, whose outcome is that of all of them.
//
// `done`, executors and observers are called on the thread that opened the fleet (of hy_fleet_ask
// and so on: any fiber of the node may call them); `look` and `give_up` where the machine is.
//
// A machine is loaded when it is first needed, and given up when it is idle and room is needed, the
// least recently used first. Those that owe something (actions, timers) are found and woken when
// the fleet starts; one that only waits for a point in time may rest until then.

typedef struct hy_fleet hy_fleet;

typedef struct hy_fleet_options {
    size_t size;
    // NULL: all machines work on this thread. Else hy_fleet_open is for fibers; each machine works
    // on the worker that its key says, in the turns of an actor of its own, and those of different
    // workers at the same time. The node must be of a scope above the fleet's. Steps have the stack
    // of a handler, 64 KiB.
    hy_node *node;
    uint32_t machines_max;    // in memory; 0: 4,096. When all of them are busy: HY_LIMIT
    size_t group_bytes_max;   // of one commit; 0: 16 MiB
    hy_ns checkpoint_idle_ns; // as in hy_host_options
    uint32_t queue_max;       // calls waiting, of each machine; 0: 1,024
    uint32_t batch_max;       // steps of one machine in one commit; 0: 1,024
    size_t batch_bytes_max;   // of each machine; 0: 1 MiB
    uint32_t answers_max;     // of each machine; 0: 65,536
    bool twin;                // as in hy_host_options, as is the rest
    hy_guard *guard;
    void (*closed)(void *self, hy_err err);
    void *closed_self;
} hy_fleet_options;

// Makes the machine known to the store, and loads none. Borrows world, store and machine until
// close. HY_UNSUPPORTED: the store cannot hold one machine many times.
HY_API HY_CHECKED hy_err hy_fleet_open(hy_world *world, hy_store *store, const hy_machine *machine,
                                       const hy_fleet_options *options, hy_fleet **out_fleet,
                                       hy_why *why);
// As hy_host_open_in.
HY_API HY_CHECKED hy_err hy_fleet_open_in(hy_scope *scope, hy_store *store,
                                          const hy_machine *machine,
                                          const hy_fleet_options *options, hy_ns close_max,
                                          hy_fleet **out_fleet, hy_why *why);
HY_API void hy_fleet_start(hy_fleet *fleet);
// As hy_host_close: every machine drains, then the store is checkpointed.
HY_API void hy_fleet_close(hy_fleet *fleet, void (*closed)(void *self, hy_err err), void *self,
                           hy_ns deadline);
HY_API void hy_fleet_abandon(hy_fleet *fleet); // as hy_host_abandon; NULL is fine

// As the calls of a host, to the machine `key`, whose bytes are copied. Besides their errors:
// HY_MALFORMED, HY_TOO_LARGE (key), HY_NOMEM, HY_LIMIT (its queue is full, or machines_max are
// busy). In `done` also why the machine could not be loaded: HY_CORRUPT, HY_IO ...
HY_API HY_CHECKED hy_err hy_fleet_submit(hy_fleet *fleet, hy_bytes key, hy_call *call);
HY_API HY_CHECKED hy_err hy_fleet_complete(hy_fleet *fleet, hy_bytes key, uint64_t action_id,
                                           hy_call *call);
HY_API HY_CHECKED hy_err hy_fleet_look(hy_fleet *fleet, hy_bytes key, hy_look *look);
// Fiber. The same in blocking style, as hy_host_ask and so on.
HY_API HY_CHECKED hy_err hy_fleet_ask(hy_fleet *fleet, hy_bytes key, hy_call *call);
HY_API HY_CHECKED hy_err hy_fleet_ask_complete(hy_fleet *fleet, hy_bytes key, uint64_t action_id,
                                               hy_call *call);
HY_API HY_CHECKED hy_err hy_fleet_see(hy_fleet *fleet, hy_bytes key, hy_look *look);
// Fiber. The first machine in the store whose key comes after `after`, in order of bytes (empty:
// the first of all). HY_END, HY_NOMEM, and what the store answers.
HY_API HY_CHECKED hy_err hy_fleet_next(hy_fleet *fleet, hy_bytes after,
                                       char out_key[HY_INSTANCE_KEY_MAX + 1], size_t *out_len);

// For all machines; before start. effect->host and effect->instance say whose effect it is;
// `parallel_max` counts the attempts of all machines together.
HY_API HY_CHECKED hy_err hy_fleet_executor(hy_fleet *fleet, const hy_executor *executor);
HY_API HY_CHECKED hy_err hy_fleet_executor_in(hy_scope *scope, hy_fleet *fleet,
                                              const hy_executor *limits, hy_attempt run);
// Changed rows of all machines, each in the order of its own steps.
typedef struct hy_fleet_observer {
    void (*changed)(void *self, hy_bytes key, uint64_t seq, uint32_t table, const void *before,
                    const void *after);
    void *self;
} hy_fleet_observer;
HY_API HY_CHECKED hy_err hy_fleet_observe(hy_fleet *fleet, const hy_fleet_observer *observer);

typedef struct hy_fleet_stats {
    hy_host_stats machines; // of all that were in memory since the fleet was opened, added up;
                            // `halted` for any; `durable_seq`, and what waits, of those now in
                            // memory; `store_trouble` of the latest commit of all
    uint32_t resident, idle, opening, asleep; // now: in memory; of those idle, or being loaded; not
                                              // in memory, with a timer that will wake them
    uint64_t opened, rested, open_failures;
    char open_trouble[160];    // why the latest could not be loaded
    uint64_t commits, batches; // groups that went to the store, and batches in them
    uint32_t batches_max;      // in one commit
    uint64_t checkpoints, checkpoints_failed;
} hy_fleet_stats;
// Both: fiber, with a node.
HY_API hy_fleet_stats hy_fleet_stats_of(const hy_fleet *fleet);
// HY_NOT_FOUND: it is not in memory.
HY_API HY_CHECKED hy_err hy_fleet_machine_stats(const hy_fleet *fleet, hy_bytes key,
                                                hy_host_stats *out_stats);
HY_API const hy_machine *hy_fleet_machine(const hy_fleet *fleet);

// ---- proving a store --------------------------------------------------------------------------

typedef struct hy_verify_options {
    size_t size;
    hy_mem *mem;                                                   // NULL: the system's
    void (*progress)(void *self, uint64_t seq, uint64_t last_seq); // NULL: nobody watches
    void *self;
    hy_buf *difference; // NULL, or gets one JSON object a line for each row that differs
    hy_bytes instance;  // key of the one to verify; empty: the machine itself
} hy_verify_options;

typedef struct hy_verify_result {
    uint64_t steps; // entries that were stepped again and met
    uint64_t seq;   // of the last entry; on a difference, of the first that differs
    uint64_t digest, chain;
} hy_verify_result;

// Steps the whole journal again from an empty state and compares every digest, then the end with
// what the store holds. Blocks; the host of this machine must not run in this process.
// HY_NONDETERMINISTIC (seq and `difference` say where), HY_UNSUPPORTED (the journal was cut, or
// another version of the machine wrote it: verify with that one), or what the store answers.
HY_API HY_CHECKED hy_err hy_host_verify(hy_store *store, const hy_machine *machine,
                                        const hy_verify_options *options,
                                        hy_verify_result *out_result, hy_why *why);

#ifdef __cplusplus
}
#endif
#endif
