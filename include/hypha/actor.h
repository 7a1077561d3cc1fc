// hypha/actor.h - a mailbox, and one message at a time.              Room: actor. Includes: scope.
// Threads: HY_ANY_THREAD marks what any thread may call, foreign ones too. "Handler" marks what
// only the code of an actor may call, with the `self` that it was given, while it runs. "Fiber"
// marks calls that may wait: from any fiber of a worker's thread, and from every handler.
//
// An actor is state that nobody else touches, a mailbox, and a behaviour that handles one message
// after another. Actors live in a node, on its workers: threads, each with a world and a root scope
// of its own. Who sends knows a ref, never a pointer; a ref whose actor has gone is refused, never
// a crash.
//
// A message is delivered at most once while the node lives; of one sender to one actor in the order
// of sending (lanes apart). What is sent is counted: sent = handled + queued + dropped, by reason.
//
// The model is Hewitt's as Erlang/OTP has it (J. Armstrong, "Making reliable distributed systems in
// the presence of software errors", 2003); the queue is Vyukov's intrusive MPSC with Pony's mark
// for "empty", before which stands a plain list for senders on the same worker.
#ifndef HYPHA_ACTOR_H
#define HYPHA_ACTOR_H

#include <hypha/schema.h>
#include <hypha/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hy_node hy_node;
typedef struct hy_actor hy_actor; // what a handler is given; not to be kept

// ---- refs -------------------------------------------------------------------------------------

// Who: slot (32 bits), generation of the slot (24) and node (8). A value: copied, compared, stored,
// sent in messages (schema type u64). Outlives its actor, and survives its restarts. A slot whose
// generations are used up is never used again, so no ref ever means another actor.
typedef struct hy_ref {
    uint64_t id; // 0: nobody
} hy_ref;
#define HY_NOBODY ((hy_ref){ 0 })

static inline bool hy_ref_equal(hy_ref a, hy_ref b) {
    return a.id == b.id;
}

// ---- protocols --------------------------------------------------------------------------------
//
//     #define COUNTER(TELL, ASK, x)
//         TELL(x, 1, add, amount)                 tag, name, record (HY_RECORD)
//         ASK(x, 2, read, question, count)        and the record of the reply
//     HY_PROTOCOL(counter, COUNTER)               in a header
//     HY_PROTOCOL_DEFINE(counter, COUNTER)        in one .c file
//
// gives the type `counter_ref`, so that a message of another protocol does not compile, and for
// each message `add` the type `counter_add_message`, the number `counter_add_tag`, and
//
//     hy_err counter_tell_add(counter_ref to, const amount *message, const hy_send_options *)
//     hy_err counter_make_add(amount **out_message)
//     hy_err counter_move_add(counter_ref to, amount **message, const hy_send_options *)
//     hy_err counter_ask_read(counter_ref to, const question *, hy_ns timeout, count *out_reply)
//
// which HY_TELL, HY_MAKE, HY_MOVE and HY_ASK below call. Tags are 1..65535, and never reused: the
// records and tags are what crosses to another node.

typedef struct hy_protocol hy_protocol;
typedef struct hyi_kind_notes { // what the room found out about the records of a kind
    uint8_t body, reply;
} hyi_kind_notes;
typedef struct hy_message_kind {
    uint32_t tag, size, reply_size;
    const char *name;
    const hy_protocol *protocol;
    const hy_record *record;
    const hy_record *reply; // NULL: it is told, not asked
    hyi_kind_notes *notes;  // cleared; NULL: found out each time
} hy_message_kind;

struct hy_protocol {
    const char *name;
    const hy_message_kind *const *kinds; // in the order of the list
    uint32_t count;
};

// Lanes overtake each other, system before urgent before normal. The system lane is the node's own
// (stop, down, ended); it has no limit, because what it carries is limited by what lives.
typedef enum hy_lane { HY_LANE_NORMAL, HY_LANE_URGENT } hy_lane;

typedef struct hy_send_options {
    size_t size;
    hy_lane lane;
    hy_ns deadline;  // hy_world_now: not handled after it, but dropped (HY_DROP_LATE); 0: none
    hy_ns room_wait; // a full mailbox of HY_FULL_WAIT: how long to wait at most; 0: 5 s
} hy_send_options;

// All sends: HY_OK: it is in the mailbox, or was dropped by the policy of the mailbox, which is
// counted there. Refused, the message is dropped (tell) or stays the caller's (move):
//   HY_NOT_FOUND  nobody, or no longer: the ref's actor has gone
//   HY_LIMIT      its mailbox is full, or waiting for room took too long
//   HY_NOMEM      no memory for the message, or the node's messages_bytes_max is reached
//   HY_TYPE       the ref is of an actor that does not speak the protocol
//   HY_CLOSED     the node is being closed
// A refusal is a dead letter too.

// HY_TELL(counter, add, to, .by = 2): copies the record, with the texts, bytes and lists in it.
#define HY_TELL(protocol, name, to, ...)                                                           \
    protocol##_tell_##name((to), &(protocol##_##name##_message){ __VA_ARGS__ }, NULL)
#define HY_TELL_WITH(options, protocol, name, to, ...)                                             \
    protocol##_tell_##name((to), &(protocol##_##name##_message){ __VA_ARGS__ }, (options))

// Without a copy: made in memory that can be sent, all zero; then filled; then moved. HY_MOVE takes
// *message and makes it NULL on HY_OK. What strings and lists point to is hy_message_alloc's.
#define HY_MAKE(protocol, name, out_message) protocol##_make_##name(out_message)
#define HY_MOVE(protocol, name, to, message) protocol##_move_##name((to), (message), NULL)
// For a message that was made, or taken, and is not sent. NULL is fine.
HY_API HY_ANY_THREAD void hy_message_drop(void *message);
// Memory of the message, freed with it; 16-aligned, not cleared. NULL: none left.
HY_API HY_ANY_THREAD void *hy_message_alloc(void *message, size_t size);
// Something large that travels with it: `drop(object)` is called with the end of the message, on
// whichever worker, unless hy_message_detach took it out. One for each message: HY_EXISTS. HY_NOMEM
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_message_attach(void *message, void *object,
                                                         void (*drop)(void *object));
HY_API HY_ANY_THREAD void *hy_message_detach(void *message); // NULL: there is none

// Handler. The message that is being handled becomes the caller's, to be changed, moved on
// (HY_MOVE) or dropped, instead of ending with the handler. Of a shared one it is a copy, deep.
// NULL: no memory for that; or it is not the message at hand. Kept in the state it leaks when the
// actor is killed, unless it is owned: hy_actor_own(self, message, hy_message_drop).
HY_API void *hy_message_take(hy_actor *self, const void *message);

// Shared: made once, changed never again, sent to many. hy_frozen is counted: hy_frozen_unref when
// nothing more is sent. HY_FREEZE takes *message and makes it NULL on HY_OK.
typedef struct hy_frozen hy_frozen;
#define HY_FREEZE(protocol, name, message, out_frozen)                                             \
    protocol##_freeze_##name((message), (out_frozen))
#define HY_SHARE(protocol, name, to, frozen) protocol##_share_##name((to), (frozen), NULL)
HY_API HY_ANY_THREAD hy_frozen *hy_frozen_ref(hy_frozen *frozen);
HY_API HY_ANY_THREAD void hy_frozen_unref(hy_frozen *frozen); // NULL is fine

// ---- behaviours -------------------------------------------------------------------------------
//
//     typedef struct counter { uint64_t n; } counter;
//     HY_BEHAVIOUR(counter, COUNTER, counter, counter)     name, list, protocol, type of the state
//     static hy_err counter_on_add(hy_actor *self, counter *state, const amount *message) { ... }
//     static hy_err counter_on_read(hy_actor *self, counter *state, const question *message,
//                                   count *out_reply) { ... }
//     static const hy_actor_type counter_type = { .name = "counter", .first = &counter_behaviour,
//                                                 .state_size = sizeof(counter) };
//
// A handler that is missing does not compile. A behaviour may have a shorter list than its
// protocol: what it has no handler for goes to the dead letters (HY_DROP_UNHANDLED).
//
// What a handler of a told message returns, other than HY_OK, is the actor's failure, and its
// supervisor decides. What a handler of an asked one returns is the answer; to fail as well it
// calls hy_fail. A handler may wait (hy_sleep, HY_ASK, channels, connections): it then keeps its
// stack, its worker goes on with others, and its actor handles nothing else until it returns.

typedef struct hyi_message hyi_message;

typedef struct hy_behaviour {
    const char *name;
    const hy_protocol *protocol;
    hy_err (*handle)(hy_actor *self, void *state, hyi_message *message);
} hy_behaviour;

// The end of an actor that was monitored or linked.
typedef struct hy_down {
    hy_ref who;
    uint64_t monitor;  // as hy_monitor gave it; 0: by a link
    hy_err why;        // HY_OK: it ended well
    const char *type;  // its type's name
    uint64_t incident; // for the logs; 0: it ended well
} hy_down;

typedef struct hy_actor_type {
    const char *name;
    const hy_behaviour *first; // NULL: with `run`, or an actor that has only children
    size_t state_size;         // cleared before each start
    size_t arg_size;           // copied at the spawn, for this and later starts; 0: passed as it is
    // All may be NULL. The factory: fresh state, before any message. May wait, up to start_max.
    hy_err (*start)(hy_actor *self, void *state, const void *arg);
    // After the last message of this start, also after a failure, when `state` is as it was then;
    // not if `start` failed. What the actor owns is released after it.
    void (*stop)(hy_actor *self, void *state, hy_err why);
    // An actor that is monitored or linked has ended. NULL: the end of a linked one is one's own
    // failure with the same error, unless it ended well; of others nothing is noticed.
    hy_err (*down)(hy_actor *self, void *state, const hy_down *down);
    // Asked every `health_every`, between two messages. An error counts as a failure of the check.
    hy_err (*health)(hy_actor *self, void *state);
    // A fiber actor: instead of handlers, one function in blocking style that calls hy_receive.
    hy_err (*run)(hy_actor *self, void *state);
    const hy_protocol *protocol; // with `run`; else the behaviour's
    uint64_t idempotent;         // bit N: tag N is handled again after a failure (tags below 64)
    hy_stack stack;              // with `run`
} hy_actor_type;

// ---- spawning ---------------------------------------------------------------------------------

typedef enum hy_full { // what a full mailbox does
    HY_FULL_FAIL,      // refuses: HY_LIMIT
    HY_FULL_WAIT,      // a sender that can wait waits for room, in order of arrival; others are
                       // refused, and so is the actor itself
    HY_FULL_DROP_NEW,  // the message is gone
    HY_FULL_DROP_OLD, // the oldest normal one makes room, but for asked ones and alarms; where none
                      // can be given up, as DROP_NEW
    HY_FULL_REDIRECT, // goes to `redirect` instead, once; then as FAIL
    HY_FULL_STOP,     // the actor fails with HY_LIMIT
} hy_full;

typedef struct hy_mailbox_options {
    uint32_t capacity; // messages waiting, stashed, or at hand of a handler that waits; 0: 1,024;
                       // at most 2^24. Other workers' senders may pass it by what they send in the
                       // same moment (16 each), and with DROP_OLD by as much again until the
                       // actor's turn
    hy_full full;
    hy_ref redirect;
} hy_mailbox_options;

typedef struct hy_actor_options {
    size_t size;
    const char *name; // for people; copied, up to 63 bytes. NULL: the type's
    hy_mailbox_options mailbox;
    uint32_t worker;   // 0: any, and it may move; n: worker n - 1, and it stays
    size_t memory_max; // of hy_actor_mem, state and messages in the mailbox apart; 0: no limit
    uint32_t turn_max; // messages handled in a row; 0: the node's

    // As a child, by its supervisor.
    hy_restart restart;       // default HY_TEMPORARY
    uint32_t restarts_max;    // within restarts_within; one more and the supervisor fails with
                              // HY_RESTARTS. 0: 5; UINT32_MAX: no limit
    hy_ns restarts_within;    // 0: 10 s
    hy_ns backoff_min;        // before the second restart in a row, the first being at once; 0: 100
    hy_ns backoff_max;        // ms, doubling with full jitter up to this; 0: 10 s
    hy_ns start_max;          // 0: 30 s; later is HY_TIMEOUT
    hy_ns stop_max;           // from stop to kill; 0: 5 s
    uint32_t poison_after;    // an idempotent message that failed so often is given up; 0: 3
    hy_ns health_every;       // 0: never
    hy_ns health_max;         // 0: 1 s
    uint32_t health_failures; // in a row, that make a failure (HY_TIMEOUT, or the check's); 0: 3

    // As a supervisor of its own children.
    hy_policy policy;               // NULL: hy_one_for_one
    uint32_t children_restarts_max; // of all together, within children_restarts_within; 0: no limit
    hy_ns children_restarts_within; // 0: 10 s
    uint32_t children_max;          // 0: no limit
} hy_actor_options;

// An actor below `parent`, which supervises it; HY_NOBODY: below nobody, then it is never started
// again, and ends with the node. `type` is borrowed for ever, `arg` as the type says. The ref is
// good at once: what is sent waits for the start. Children stop in reverse order of their spawn,
// before their parent stops and before it is started again. HY_NOMEM, HY_LIMIT (actors_max,
// children_max), HY_NOT_FOUND (no such parent), HY_CLOSED (it, or the node, is stopping), HY_RANGE.
// Where another worker has the parent at the moment, its refusal is what the child ends with.
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_spawn_actor(hy_node *node, hy_ref parent,
                                                      const hy_actor_type *type, const void *arg,
                                                      const hy_actor_options *options,
                                                      hy_ref *out_ref);
// Typed: counter_ref c; err = HY_SPAWN(counter, node, parent, &counter_type, &arg, NULL, &c);
#define HY_SPAWN(protocol, node, parent, type, arg, options, out_ref)                              \
    hy_spawn_actor((node), (parent), (type), (arg), (options), hyi_out_ref_##protocol(out_ref))

// A type without behaviour or state, for actors that only supervise.
HY_API extern const hy_actor_type hy_supervisor_type;

// Fiber. Waits until the actor has started, or has ended: HY_OK, what its start returned,
// HY_NOT_FOUND, HY_TIMEOUT at `deadline`.
HY_API HY_CHECKED hy_err hy_actor_wait_ready(hy_ref ref, hy_ns deadline);
// Fiber. Waits until the actor has ended for good: why. HY_OK also for one that is long gone.
// HY_TIMEOUT at `deadline`.
HY_API hy_err hy_actor_wait_end(hy_ref ref, hy_ns deadline);

// Tells it to stop: after the message at hand and before all others; children first, then `stop`,
// within `stop_max`, after which it is killed. A supervisor does not start it again. Nobody is
// fine.
HY_API HY_ANY_THREAD void hy_actor_stop(hy_ref ref);
// Without its `stop`, and a handler that waits is cancelled (HY_CANCELLED). A handler that computes
// cannot be interrupted: it ends first. To its supervisor this is a failure with HY_CANCELLED, and
// may be followed by another start. All below are killed with it.
HY_API HY_ANY_THREAD void hy_actor_kill(hy_ref ref);
HY_API HY_ANY_THREAD bool hy_actor_is_alive(hy_ref ref); // not gone: it may be between two starts

// Actors as a part of a scope: gives a supervisor whose actors stop, in reverse order, when `scope`
// is closed, after its tasks; its failure is put before the scope's policy, as a service's is, but
// it cannot be started again: a policy that wants that fails the scope with HY_RESTARTS.
// `options` are the supervisor's. Fiber. HY_NOMEM, HY_CLOSED, HY_LIMIT.
HY_API HY_CHECKED hy_err hy_actors_in(hy_scope *scope, hy_node *node,
                                      const hy_actor_options *options, hy_ref *out_supervisor);

// ---- in a handler -----------------------------------------------------------------------------

HY_API hy_ref hy_self(const hy_actor *self);
HY_API hy_node *hy_actor_node(const hy_actor *self);
HY_API hy_ref hy_actor_parent(const hy_actor *self);
HY_API hy_world *hy_actor_world(
    const hy_actor *self);                // of the worker; another one in the next turn
HY_API void hy_actor_end(hy_actor *self); // stops after this handler, and ends well

// Fails the actor here and now, from any depth: does not return. The stack is abandoned: what is
// registered (blocks of scopes, hy_actor_own, hy_actor_mem) is released, what locals hold by other
// means leaks. `text` (may be NULL) is copied for the logs, 120 bytes of it.
HY_API HY_NORETURN void hy_fail(hy_actor *self, hy_err err, const char *text);
#define HY_FAIL_UNLESS(self, condition)                                                            \
    ((condition) ? (void)0 : hy_fail((self), HY_INVARIANT, #condition))

// Until the end of this start: memory counted against memory_max (beyond it the actor fails with
// HY_LIMIT, unless it asked the mem itself, which says NULL), and things to be closed, latest
// first. hy_actor_own takes `object` in every case: on HY_NOMEM `fini` has been called.
HY_API hy_mem *hy_actor_mem(hy_actor *self);
HY_API void *hy_actor_alloc(hy_actor *self, size_t size); // cleared; never NULL: fails the actor
HY_API HY_CHECKED hy_err hy_actor_own(hy_actor *self, void *object, void (*fini)(void *object));
HY_API void *hy_turn_alloc(hy_actor *self, size_t size); // until this handler returns; never NULL

// Handles what comes from now on, beginning with the next message. The same protocol; not for fiber
// actors, which have no behaviour.
HY_API void hy_become(hy_actor *self, const hy_behaviour *behaviour);
// The message at hand waits, and is handled again, before all others of its lane, after
// hy_unstash; in order. It counts as queued. HY_NOMEM; HY_LIMIT: `capacity` messages are
// stashed.
HY_API HY_CHECKED hy_err hy_stash(hy_actor *self, const void *message);
HY_API void hy_unstash(hy_actor *self);

// A word about the end of `who` for good (not when it is started again), also when it has ended by
// now (HY_NOT_FOUND: nobody knows any more how). Monitors end with this start of `self`. HY_NOMEM,
// also as a word, where `who` has no memory for it; HY_NOT_FOUND (another node's).
HY_API HY_CHECKED hy_err hy_monitor(hy_actor *self, hy_ref who, uint64_t *out_monitor);
HY_API void hy_unmonitor(hy_actor *self, uint64_t monitor); // no word comes after it
// Both ways: whoever ends with an error takes the other along, unless that has a `down`. Each end
// of a start counts, and is the end of the link. Twice is fine. HY_NOMEM, HY_NOT_FOUND as above.
HY_API HY_CHECKED hy_err hy_link(hy_actor *self, hy_ref who);
HY_API void hy_unlink(hy_actor *self, hy_ref who);

// What the sender's scope carried (hy_baggage): trace, tenant, time left. NULL: nothing. A handler
// that opens scopes, sends or asks passes it on by itself.
HY_API const hy_baggage *hy_message_baggage(const hy_actor *self);

// ---- asking -----------------------------------------------------------------------------------

// Fiber. Sends, and waits for the reply until `timeout` (from now; 0: 5 s), or until the deadline
// or cancellation of the scope that asks. A reply that comes later is dropped. What the reply
// points to lives as long as the handler, or the innermost scope of a fiber. What the other
// answered; as for all sends; HY_TIMEOUT; HY_CLOSED: it ended before it answered; HY_UNSUPPORTED:
// it has no handler for it; HY_DEADLOCK: the one that is asked waits, in up to 8 steps, for an
// answer of the one that asks.
#define HY_ASK(protocol, name, to, timeout, out_reply, ...)                                        \
    protocol##_ask_##name((to), &(protocol##_##name##_message){ __VA_ARGS__ }, (timeout),          \
                          (out_reply))
// Handler, not waiting: `then` runs as a turn of this actor, with what HY_ASK would have given; the
// reply lives until it returns. Not after the actor was started again. What `then` returns is the
// actor's failure. On another answer than HY_OK it will not run: as for HY_ASK; HY_CLOSED: this
// actor is stopping.
//     static hy_err counted(hy_actor *self, void *state, hy_err err, const void *reply)
typedef hy_err (*hy_then)(hy_actor *self, void *state, hy_err err, const void *reply);
#define HY_ASK_THEN(protocol, name, self, to, timeout, then, ...)                                  \
    protocol##_ask_then_##name((self), (to), &(protocol##_##name##_message){ __VA_ARGS__ },        \
                               (timeout), (then))

// Handler of an asked message: the answer comes later, from anywhere, once (a second one is
// dropped). Its handler then returns HY_OK, and `out_reply` is not looked at.
typedef struct hy_asker {
    uint64_t private_[2];
} hy_asker;
HY_API hy_asker hy_answer_later(hy_actor *self);
#define HY_ANSWER(protocol, name, asker, ...)                                                      \
    protocol##_answer_##name((asker), HY_OK, &(protocol##_##name##_reply){ __VA_ARGS__ })
HY_API HY_ANY_THREAD void hy_answer_err(hy_asker asker, hy_err err); // not HY_OK

// Fiber actors. The next message, or HY_TIMEOUT at `deadline`, HY_CLOSED when the actor is told to
// stop. Borrowed until the next hy_receive. An asked one is answered by the protocol's
// `counter_reply_read(self, &reply)`, at most once, else with HY_UNSUPPORTED.
typedef struct hy_received {
    uint32_t tag;
    const void *body;
} hy_received;
HY_API HY_CHECKED hy_err hy_receive(hy_actor *self, hy_ns deadline, hy_received *out_received);

// ---- timers as messages -----------------------------------------------------------------------

// Handler. Sends the message to oneself `after` from now, and every `every` from then on (0: once).
// Never early, late by up to a millisecond. Alarms end with this start of the actor. Of one that
// repeats at most one waits in the mailbox. A full mailbox delays them. HY_NOMEM; HY_CLOSED: it is
// stopping.
typedef struct hy_alarm {
    uint64_t id; // 0: none
} hy_alarm;
#define HY_AFTER(protocol, name, self, after, every, out_alarm, ...)                               \
    protocol##_after_##name((self), &(protocol##_##name##_message){ __VA_ARGS__ }, (after),        \
                            (every), (out_alarm))
// Its message will not be handled any more, even where it is in the mailbox already. Twice is fine.
HY_API void hy_alarm_stop(hy_actor *self, hy_alarm alarm);

// ---- room in a mailbox ------------------------------------------------------------------------

// Fiber. Waits until the mailbox of `to` has room. HY_NOT_FOUND (also another node's), HY_TIMEOUT,
// HY_DEADLOCK (its own actor's). The room may be gone again when the caller sends.
HY_API HY_CHECKED hy_err hy_wait_room(hy_ref to, hy_ns deadline);
// Handler. `then` runs as a turn of this actor when there is room (HY_OK) or nobody any more
// (HY_NOT_FOUND). HY_NOMEM.
HY_API HY_CHECKED hy_err hy_room_then(hy_actor *self, hy_ref to, hy_then then);

// ---- nodes ------------------------------------------------------------------------------------

typedef struct hy_node_options {
    size_t size;
    const char *name;          // NULL: "node"
    uint8_t number;            // in refs, 1..255; 0: 1
    uint32_t workers;          // 0: one for each core; at most 64. A simulated world has one
    bool pin;                  // each worker to a core of its own
    uint32_t actors_max;       // 0: 2^24
    size_t messages_bytes_max; // of all messages; 0: no limit but memory
    uint32_t turn_max;         // messages of one actor in a row; 0: 64
    hy_ns stuck_after;         // a handler that computes for so long is reported; 0: 1 s
    const char *incident_path; // where a record of a fatal signal is written; NULL: not
    uint32_t events_max;       // kept for each worker; 0: 1,024
    uint32_t dead_letters_max; // kept for looking; 0: 256
    hy_ns stop_max;            // grace of the node's close; 0: 10 s
    bool deterministic_ids;    // tests: incidents count from 1
} hy_node_options;

// Fiber. A node in `scope` (NULL: the current one): its thread is worker 0; the others are started.
// Ends with the scope, after its tasks, as a service: actors stop, in reverse order, those below
// nobody last. Actors see what `scope` binds now (HY_GET): values that all threads may use; what
// providers would build is seen only if it was built by now. HY_NOMEM, HY_LIMIT, HY_CLOSED,
// HY_RANGE, HY_EXISTS (the number is taken). Limit: one node a thread, unless no handler of either
// waits.
HY_API HY_CHECKED hy_err hy_node_open(hy_scope *scope, const hy_node_options *options,
                                      hy_node **out_node);
HY_API uint32_t hy_node_workers(const hy_node *node);
// After hy_sim_restart, before the root is abandoned: gives all memory back and runs nothing. NULL
// is fine, and so are a node that has closed, and one that hy_node_open (which sets *out_node
// before it waits) had not opened yet.
HY_API void hy_node_abandon(hy_node *node);
HY_API hy_node *hy_node_of(hy_ref ref); // NULL: of no node in this process

// ---- dead letters and accounting --------------------------------------------------------------

typedef enum hy_drop {
    HY_DROP_NOBODY = 1, // no such actor, or no longer
    HY_DROP_FULL,       // refused by a full mailbox
    HY_DROP_NEW,        // given up by its policy
    HY_DROP_OLD,
    HY_DROP_LATE,      // its deadline passed in the mailbox
    HY_DROP_UNHANDLED, // the behaviour has no handler
    HY_DROP_FAILED,    // its handler failed, and it is not idempotent
    HY_DROP_POISON,    // its handler failed too often
    HY_DROP_ENDED,     // in the mailbox when the actor ended for good
    HY_DROP_ANSWER,    // an answer that nobody waits for any more
    HY_DROP_ALARM,     // of an alarm that was stopped
    HY_DROP_SHUT,      // the node closed
    HY_DROP_COUNT
} hy_drop;
HY_API const char *hy_drop_name(hy_drop drop); // "nobody", "full", ...

typedef struct hy_dead_letter {
    hy_ref to;
    hy_drop reason;
    const char *protocol, *message; // names; "?" where unknown
    uint32_t tag;
    const void *body; // borrowed during the call; NULL: not at hand
    hy_ns at;
} hy_dead_letter;
// Told of each, on the worker where it happens: `heard` does not wait and may not send. One
// subscriber more than 8: HY_LIMIT. The latest are kept too: see the snapshot.
HY_API HY_CHECKED hy_err hy_dead_letters(hy_node *node,
                                         void (*heard)(void *self, const hy_dead_letter *letter),
                                         void *self);

// All messages so far, of all workers. Exact when nothing runs; `queued` includes stashed ones.
typedef struct hy_account {
    uint64_t sent, handled, queued, dropped[HY_DROP_COUNT];
} hy_account;
HY_API HY_ANY_THREAD hy_account hy_node_account(const hy_node *node);
// sent = handled + queued + dropped. Only when all workers are idle.
HY_API bool hy_account_holds(const hy_account *account);

// ---- seeing -----------------------------------------------------------------------------------

typedef enum hy_node_event_kind {
    HY_EVENT_SPAWNED = 1,
    HY_EVENT_STARTED,
    HY_EVENT_FAILED,    // value: hy_err
    HY_EVENT_RESTARTED, // value: restarts so far
    HY_EVENT_ENDED,     // value: hy_err
    HY_EVENT_RESTARTS,  // the limit of restarts was reached; value: the limit
    HY_EVENT_ESCALATED,
    HY_EVENT_HEALTH,     // a check failed; value: hy_err
    HY_EVENT_FULL,       // a mailbox was found full; value: its capacity
    HY_EVENT_DROPPED,    // value: hy_drop
    HY_EVENT_STUCK,      // value: ns so far
    HY_EVENT_POISON,     // value: tag
    HY_EVENT_SUBSCRIBED, // topics; value: subscription
    HY_EVENT_UNSUBSCRIBED,
    HY_EVENT_NODE, // value: 1 opened, 2 closing
} hy_node_event_kind;
typedef struct hy_node_event {
    uint64_t number; // of its worker, from 1, without gaps: gaps were overwritten
    hy_ns at;        // start of the batch
    uint8_t worker;
    uint8_t kind;
    hy_ref who;
    const char *type; // name of the actor's type
    uint64_t value;
} hy_node_event;
// The next event of `worker` after number *cursor (0: the oldest that is kept). False: none yet.
HY_API HY_ANY_THREAD bool hy_node_event_next(const hy_node *node, uint32_t worker, uint64_t *cursor,
                                             hy_node_event *out_event);

typedef enum hy_actor_phase {
    HY_PHASE_STARTING = 1,
    HY_PHASE_RUNNING,
    HY_PHASE_WAITING, // for its next start
    HY_PHASE_STOPPING,
    HY_PHASE_GONE,
} hy_actor_phase;
typedef struct hy_actor_stats {
    hy_ref ref, parent;
    const char *type;
    char name[64];
    uint8_t worker;
    uint8_t state; // hy_actor_phase
    uint32_t restarts, children;
    uint64_t handled, dropped;
    uint32_t queued, queued_peak, capacity, stashed;
    hy_ns busy;       // time in handlers, by whole turns
    hy_ns oldest_age; // how long the oldest message waits; 0: none
    size_t memory;    // state, hy_actor_mem
    hy_err last_err;
} hy_actor_stats;
// A fiber waits for the actor's worker, a quarter of a second at most; HY_TIMEOUT: it is stuck, and
// filled in is what can be seen from outside: type, worker, handled, queued. The same, with HY_OK,
// for those who cannot wait. Time, peak and totals are counted from the first look on. HY_NOT_FOUND
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_actor_stats_of(hy_ref ref, hy_actor_stats *out_stats);

typedef struct hy_worker_stats {
    uint64_t turns, handled, shared, taken, parks, wakes; // shared: handed to others
    uint64_t events, restarts;
    uint32_t actors, ready;
    hy_ns busy;
    size_t messages_bytes, actors_bytes;
    bool parked, stuck;
} hy_worker_stats;
HY_API HY_ANY_THREAD hy_worker_stats hy_worker_stats_of(const hy_node *node, uint32_t worker);

// Fiber. The whole node as JSON: totals, workers, the tree of actors with their numbers (at most
// `actors_max`, the busiest; 0: 1,000), the latest events and dead letters. What is on other
// workers is read by them, each between two turns. HY_NOMEM, HY_TOO_LARGE, HY_TIMEOUT (a worker is
// stuck: its part says so, the rest is there).
HY_API HY_CHECKED hy_err hy_node_snapshot(hy_node *node, uint32_t actors_max, hy_buf *out);

// ---- what the macros expand to ----------------------------------------------------------------

// A message without content: TELL(x, 3, tick, hy_nothing).
#define HY_NOTHING(F) F(1, bool, nothing)
HY_RECORD(hy_nothing, HY_NOTHING)

#define HY_PROTOCOL(name_, LIST)                                                                   \
    typedef struct name_##_ref {                                                                   \
        hy_ref ref;                                                                                \
    } name_##_ref;                                                                                 \
    extern const hy_protocol name_##_protocol;                                                     \
    __attribute__((unused)) static inline hy_ref *hyi_out_ref_##name_(name_##_ref *out) {          \
        return &out->ref;                                                                          \
    }                                                                                              \
    LIST(HYI_TELL_DECLARE, HYI_ASK_DECLARE, name_)                                                 \
    struct name_##_needs_a_semicolon

#define HY_PROTOCOL_DEFINE(name_, LIST)                                                            \
    LIST(HYI_TELL_DEFINE, HYI_ASK_DEFINE, name_)                                                   \
    static const hy_message_kind *const name_##_kinds[] = { LIST(HYI_KIND_OF, HYI_ASK_KIND_OF,     \
                                                                 name_) };                         \
    const hy_protocol name_##_protocol = { .name = #name_,                                         \
                                           .kinds = name_##_kinds,                                 \
                                           .count =                                                \
                                               sizeof name_##_kinds / sizeof name_##_kinds[0] }

#define HYI_KIND_OF(x, number, name, record_) &x##_##name##_kind,
#define HYI_ASK_KIND_OF(x, number, name, record_, reply_) &x##_##name##_kind,
#define HYI_TELL_DEFINE(x, number, name_, record_)                                                 \
    static hyi_kind_notes x##_##name_##_notes;                                                     \
    const hy_message_kind x##_##name_##_kind = { .tag = (number),                                  \
                                                 .size = sizeof(record_),                          \
                                                 .name = #name_,                                   \
                                                 .protocol = &x##_protocol,                        \
                                                 .record = &record_##_record,                      \
                                                 .notes = &x##_##name_##_notes };
#define HYI_ASK_DEFINE(x, number, name_, record_, reply_)                                          \
    static hyi_kind_notes x##_##name_##_notes;                                                     \
    const hy_message_kind x##_##name_##_kind = { .tag = (number),                                  \
                                                 .size = sizeof(record_),                          \
                                                 .name = #name_,                                   \
                                                 .protocol = &x##_protocol,                        \
                                                 .record = &record_##_record,                      \
                                                 .reply_size = sizeof(reply_),                     \
                                                 .reply = &reply_##_record,                        \
                                                 .notes = &x##_##name_##_notes };

#define HYI_MESSAGE_DECLARE(x, number, name, record_)                                              \
    typedef record_ x##_##name##_message;                                                          \
    enum { x##_##name##_tag = (number) };                                                          \
    extern const hy_message_kind x##_##name##_kind;                                                \
    _Static_assert((number) > 0 && (number) < 65536, "tags are 1..65535");                         \
    __attribute__((unused)) static inline record_ *hyi_copy_##x##_##name(const record_ *message) { \
        record_ *copy = (record_ *)hyi_message_new(&x##_##name##_kind, sizeof(record_));           \
        if (copy) *copy = *message;                                                                \
        return copy;                                                                               \
    }

#define HYI_TELL_DECLARE(x, number, name, record_)                                                 \
    HYI_MESSAGE_DECLARE(x, number, name, record_)                                                  \
    HY_CHECKED __attribute__((unused)) static inline hy_err x##_tell_##name(                       \
        x##_ref to, const record_ *message, const hy_send_options *options) {                      \
        return hyi_tell(to.ref, &x##_##name##_kind, hyi_copy_##x##_##name(message), options);      \
    }                                                                                              \
    HY_CHECKED                                                                                     \
    __attribute__((unused)) static inline hy_err x##_make_##name(record_ **out_message) {          \
        void *made = hyi_message_make(&x##_##name##_kind);                                         \
        if (!made) return HY_NOMEM;                                                                \
        *out_message = (record_ *)made;                                                            \
        return HY_OK;                                                                              \
    }                                                                                              \
    HY_CHECKED __attribute__((unused)) static inline hy_err x##_move_##name(                       \
        x##_ref to, record_ **message, const hy_send_options *options) {                           \
        hy_err err = hyi_move(to.ref, &x##_##name##_kind, *message, options);                      \
        if (err == HY_OK) *message = NULL;                                                         \
        return err;                                                                                \
    }                                                                                              \
    HY_CHECKED __attribute__((unused)) static inline hy_err x##_freeze_##name(                     \
        record_ **message, hy_frozen **out_frozen) {                                               \
        hy_err err = hyi_freeze(&x##_##name##_kind, *message, out_frozen);                         \
        if (err == HY_OK) *message = NULL;                                                         \
        return err;                                                                                \
    }                                                                                              \
    HY_CHECKED __attribute__((unused)) static inline hy_err x##_share_##name(                      \
        x##_ref to, hy_frozen *frozen, const hy_send_options *options) {                           \
        return hyi_share(to.ref, &x##_##name##_kind, frozen, options);                             \
    }                                                                                              \
    HY_CHECKED __attribute__((unused)) static inline hy_err x##_after_##name(                      \
        hy_actor *self, const record_ *message, hy_ns after, hy_ns every, hy_alarm *out_alarm) {   \
        return hyi_after(self, &x##_##name##_kind, hyi_copy_##x##_##name(message), after, every,   \
                         out_alarm);                                                               \
    }

#define HYI_ASK_DECLARE(x, number, name, record_, reply_)                                          \
    HYI_MESSAGE_DECLARE(x, number, name, record_)                                                  \
    typedef reply_ x##_##name##_reply;                                                             \
    HY_CHECKED __attribute__((unused)) static inline hy_err x##_ask_##name(                        \
        x##_ref to, const record_ *message, hy_ns timeout, reply_ *out_reply) {                    \
        return hyi_ask(to.ref, &x##_##name##_kind, hyi_copy_##x##_##name(message), timeout,        \
                       out_reply);                                                                 \
    }                                                                                              \
    HY_CHECKED __attribute__((unused)) static inline hy_err x##_ask_then_##name(                   \
        hy_actor *self, x##_ref to, const record_ *message, hy_ns timeout, hy_then then) {         \
        return hyi_ask_then(self, to.ref, &x##_##name##_kind, hyi_copy_##x##_##name(message),      \
                            timeout, then);                                                        \
    }                                                                                              \
    __attribute__((unused)) static inline void x##_answer_##name(hy_asker asker, hy_err err,       \
                                                                 const reply_ *reply) {            \
        hyi_answer(asker, &x##_##name##_kind, err, reply);                                         \
    }                                                                                              \
    __attribute__((unused)) static inline void x##_reply_##name(hy_actor *self,                    \
                                                                const reply_ *reply) {             \
        hyi_answer(hy_answer_later(self), &x##_##name##_kind, HY_OK, reply);                       \
    }

// One for each behaviour, in the .c file that has its handlers.
#define HY_BEHAVIOUR(name_, LIST, protocol_, state_)                                               \
    typedef state_ hyi_state_##name_;                                                              \
    LIST(HYI_ON_TELL, HYI_ON_ASK, name_)                                                           \
    static hy_err hyi_handle_##name_(hy_actor *self, void *state_at, hyi_message *message) {       \
        hyi_state_##name_ *state = (hyi_state_##name_ *)state_at;                                  \
        switch (message->tag) { LIST(HYI_CASE_TELL, HYI_CASE_ASK, name_) }                         \
        return hyi_unhandled(self, message);                                                       \
    }                                                                                              \
    static const hy_behaviour name_##_behaviour = { .name = #name_,                                \
                                                    .protocol = &protocol_##_protocol,             \
                                                    .handle = hyi_handle_##name_ }

#define HYI_ON_TELL(x, number, name, record_)                                                      \
    static hy_err x##_on_##name(hy_actor *self, hyi_state_##x *state, const record_ *message);
#define HYI_ON_ASK(x, number, name, record_, reply_)                                               \
    static hy_err x##_on_##name(hy_actor *self, hyi_state_##x *state, const record_ *message,      \
                                reply_ *out_reply);
#define HYI_CASE_TELL(x, number, name, record_)                                                    \
    case (number):                                                                                 \
        return x##_on_##name(self, state, (const record_ *)hyi_message_body(message));
#define HYI_CASE_ASK(x, number, name, record_, reply_)                                             \
    case (number): {                                                                               \
        reply_ reply = { 0 };                                                                      \
        hy_err err =                                                                               \
            x##_on_##name(self, state, (const record_ *)hyi_message_body(message), &reply);        \
        return hyi_answer_now(self, message, err, &reply, sizeof(reply_));                         \
    }

// What lies before every message's body.
struct hyi_message {
    void *next_; // of what it is queued in; read and written atomically there
    uint16_t tag;
    uint8_t flags;       // HYI_MESSAGE_*
    uint8_t block_class; // of the memory it lies in
    uint32_t stamp;      // of the batch that it was sent in: for its age
};
#define HYI_MESSAGE_SHARED 1u // the body is a pointer to a frozen one
static inline void *hyi_message_body(hyi_message *message) {
    void *body = message + 1;
    if (__builtin_expect((message->flags & HYI_MESSAGE_SHARED) != 0, 0)) body = *(void **)body;
    return body;
}

HY_API HY_ANY_THREAD void *hyi_message_new(const hy_message_kind *kind, size_t size); // or NULL
HY_API HY_ANY_THREAD void *hyi_message_make(const hy_message_kind *kind);             // cleared
// Takes `copy`, whose texts and lists are still the caller's. NULL: HY_NOMEM.
HY_API HY_ANY_THREAD HY_CHECKED hy_err hyi_tell(hy_ref to, const hy_message_kind *kind, void *copy,
                                                const hy_send_options *options);
HY_API HY_ANY_THREAD HY_CHECKED hy_err hyi_move(hy_ref to, const hy_message_kind *kind,
                                                void *message, const hy_send_options *options);
HY_API HY_ANY_THREAD HY_CHECKED hy_err hyi_freeze(const hy_message_kind *kind, void *message,
                                                  hy_frozen **out_frozen);
HY_API HY_ANY_THREAD HY_CHECKED hy_err hyi_share(hy_ref to, const hy_message_kind *kind,
                                                 hy_frozen *frozen, const hy_send_options *options);
HY_API HY_CHECKED hy_err hyi_after(hy_actor *self, const hy_message_kind *kind, void *copy,
                                   hy_ns after, hy_ns every, hy_alarm *out_alarm);
HY_API HY_CHECKED hy_err hyi_ask(hy_ref to, const hy_message_kind *kind, void *copy, hy_ns timeout,
                                 void *out_reply);
HY_API HY_CHECKED hy_err hyi_ask_then(hy_actor *self, hy_ref to, const hy_message_kind *kind,
                                      void *copy, hy_ns timeout, hy_then then);
HY_API HY_ANY_THREAD void hyi_answer(hy_asker asker, const hy_message_kind *kind, hy_err err,
                                     const void *reply);
HY_API hy_err hyi_answer_now(hy_actor *self, hyi_message *message, hy_err err, const void *reply,
                             size_t reply_size);
HY_API hy_err hyi_unhandled(hy_actor *self, hyi_message *message);

#ifdef __cplusplus
}
#endif
#endif
