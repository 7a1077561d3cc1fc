// inside.h - what the files of the room share.                      Room: actor. Includes: scope.
// Threads: said for each field; "owner" is the worker that owns the actor, see below.
//
// Five structs. A message is 16 bytes and a body, in a block of a worker's slab. An actor is 128
// bytes in a slot that is never unmapped; what few have (children, monitors, a name, a mailbox of
// another kind) is its `kin`, made on first use. A worker is a thread with a world, a root scope
// and a dispatcher: the fiber that takes one ready actor after another and runs its turn. A node is
// its workers and its slots.
//
// ---- who may touch an actor: ownership --------------------------------------------------------
//
//      un-owned --a send finds EMPTY--> owned, ready <--> owned, running
//         ^                                 |  ^              |
//         |                    (surplus)    v  | taken        | nothing left
//         |                               shared              v
//         +------ mark EMPTY (CAS) ----------------------- lingering
//
// An actor is owned by one worker or by none. Only a worker itself writes its own number into
// `owner`, and only the owner takes it out again: so "do I own it?" is one plain look, always
// right, though what anybody else reads there may be old. The owner alone touches the first cache
// line.
//
// A mailbox is one queue in two parts. `inbox` is Vyukov's intrusive MPSC queue: one exchange of
// the newest, then a link; see queue.h. `inbox_newest` is HYI_INBOX_EMPTY: nobody owns the actor;
// HYI_INBOX_OWNED: somebody does, and there is nothing in it; or the newest message. `local` is a
// plain list of the owner's, always the older part: what is drained from the inbox is appended to
// it.
//
//     a send, sender's worker owns the actor:    (1) inbox is not empty: drain it into local;
//                                                (2) if that met a gap (a sender between exchange
//                                                    and link), go by the inbox;
//                                                (3) append to local; not ready? now it is.
//     by anybody else:                           exchange into inbox; whoever gets EMPTY back owns
//                                                the actor from then on, and makes it ready.
//
// So of one sender to one actor the order of sending is the order in the queue, wherever the sender
// has moved meanwhile: what it sent before is in local, or in the inbox before what it sends now.
//
// Lingering: an actor that has emptied its mailbox stays owned for a while (a short queue of them),
// which saves a ping-pong all atomics. It is looked at again when that queue is full, after every
// so many turns, and before the worker parks; then it is ready again or marked EMPTY.
//
// Shared: at the end of a slice (some hundred handlers, or some ten microseconds) a worker puts up
// to 16 of its ready actors into a list under a lock, un-owned in the sense of `owner`, from which
// anybody, it too, takes; so what waits behind a long handler can be run by others. Where handlers
// take long, slices are short, all that linger are let go, and all but the next ready one is
// shared. A worker with more than one ready actor shares between two turns, too: once a slice, and
// whenever others are idle. Whoever shares wakes one parked worker, if there is one.
//
// Out: a handler's second and further messages to one foreign actor are linked and pushed with one
// exchange: 16 of them, or at the end of the handler. Nothing is in there when a handler has ended,
// so an actor that moves takes nothing with it, and leaves nothing. See out.h.
//
// Orders (stop, kill, and more by system messages) are bits beside the generation, in one word, so
// an order never reaches a slot's next actor: hyi_poke sets them and, where EMPTY stands, takes
// ownership and makes the actor ready. Who marks EMPTY looks at them again after it.
#ifndef HYI_ACTOR_INSIDE_H
#define HYI_ACTOR_INSIDE_H

#include <hypha/actor.h>

#include "base/cleanup.h"
#include "scope/list.h"

#include <pthread.h>
#include <stdatomic.h>

#define HYI_NO_OWNER UINT8_MAX
#define HYI_WORKERS_MAX 64u
#define HYI_BLOCK_CLASSES 6u
#define HYI_SLOT_BYTES 128u
#define HYI_CHUNK_SLOTS 1024u // of one chunk
#define HYI_INLINE_STATE 8u   // bytes of state that lie in the slot; larger ones in a block

typedef struct hyi_kin hyi_kin;
typedef struct hyi_birth hyi_birth; // birth.h: what its supervisor needs of it
typedef struct hyi_worker hyi_worker;

// ---- messages (message.c, slab.c) -------------------------------------------------------------

// Flags beside HYI_MESSAGE_SHARED. What a message has besides its body lies at the end of its
// block, in a fixed order: see tail.h. A message that is made or taken has room for
// HYI_MESSAGE_MORE there.
// A tag of 0 marks one that reached a slot whose actor had ended: it is freed, and no more; who
// sent it has counted it. System messages get HYI_SYSTEM_STALE instead, and are refused when found.
#define HYI_SYSTEM_STALE 0x8000u
#define HYI_MESSAGE_SYSTEM 2u // hyi_system, not a protocol's
#define HYI_MESSAGE_URGENT 4u
#define HYI_MESSAGE_ASKED 8u     // tail: asker
#define HYI_MESSAGE_MORE 16u     // tail: deadline, baggage, attachment, memory, retries
#define HYI_MESSAGE_ALARM 32u    // tail: alarm's number
#define HYI_MESSAGE_EMBEDDED 64u // part of something else (kin); not from a slab
#define HYI_MESSAGE_KEPT 128u    // taken or stashed: not freed when the handler returns

// Block classes 64/128/256/512/1024/4096 from the worker's slabs (pages of 64 KiB, aligned so that
// a block's worker is found by masking its address), larger ones from the node's mem. Freed on
// another worker they are gathered for their owner, 35 at a time, one CAS to its inbox of blocks.
// slab.c; "any thread": without a worker, the system's mem.
HY_ANY_THREAD void *hyi_block_alloc(size_t size, uint8_t *out_class);
HY_ANY_THREAD void hyi_block_free(void *block, uint8_t block_class);
// Bytes of the block, header included: at least those that were asked for. For tails (tail.h).
HY_ANY_THREAD size_t hyi_block_size(const void *block, uint8_t block_class);

typedef struct hyi_more_tail {
    hy_ns deadline;
    hy_baggage *baggage; // in a block of its own; NULL: none
    void *attached;
    void (*attached_drop)(void *object);
    void *memory;      // chained blocks of hy_message_alloc
    const char *label; // of a frozen one: its topic; in its memory
    uint32_t failures;
    uint8_t baggage_class;
    hy_ns packed_at; // hy_world_now, where the baggage has a time left
} hyi_more_tail;

// ---- actors (actor.c, slot.c, turn.c) ---------------------------------------------------------

// How far an actor is. Owner only, but for `generation` in the slot, which says whether it is
// there.
typedef enum hyi_phase {
    HYI_FREE,
    HYI_UNBORN,   // spawned; its start is the next thing that its turn does
    HYI_STARTING, // its start waits
    HYI_RUNNING,
    HYI_RESTING,   // between two starts, mailbox kept: its supervisor starts it, or lets it go
    HYI_STOPPING,  // this start ends; waits for its children to end
    HYI_LEAVING,   // its `stop` runs
    HYI_RELEASING, // what it owns is released
    HYI_ENDED,     // slot is about to be free
} hyi_phase;

typedef enum hyi_order { // bits, set by anybody
    HYI_ORDER_STOP = 1,
    HYI_ORDER_KILL = 2,
    HYI_ORDER_SYSTEM = 4, // the inbox has messages of a higher lane: look through all of it
    HYI_ORDER_LOOK = 8,   // snapshot wants its numbers
    HYI_ORDER_ROOM = 16,  // somebody began to wait for room: hyi_room_awaited
    HYI_ORDER_FULL = 32,  // HY_FULL_STOP: a send found it full: fails with HY_LIMIT
    HYI_ORDER_START = 64, // of the supervisor, to one that rests: start (again)
    HYI_ORDER_GO = 128,   // of the supervisor, to one that rests: end for good
} hyi_order;

struct hy_actor {
    // First line: the owner's, in the order of use by a turn.
    hyi_message *local_first, *local_last;
    union {
        const hy_behaviour *behaviour;
        hy_err why; // that this start ends with, from HYI_STOPPING on
    };
    void *state;    // inline_state, or a block
    hy_actor *next; // in ready, shared, inject, free lists
    hyi_kin *kin;   // NULL: it has none
    uint32_t local_count;
    uint32_t handled; // wraps; the worker's counters have the totals
    uint32_t slot;
    uint8_t phase;       // hyi_phase
    uint8_t flags;       // HYI_ACTOR_*
    uint8_t awaited;     // 1: somebody waits for room: hyi_room_give at the end of the turn
    uint8_t state_class; // of the block

    // Second line: everybody's.
    _Atomic(uintptr_t) inbox_newest;     // HYI_INBOX_EMPTY, HYI_INBOX_OWNED, or a message
    _Atomic(hyi_message *) inbox_oldest; // NULL: none, or on its way
    // Room. inbox_sent: pushed by foreign senders, and places promised to waiters (mailbox.c), so
    // far. inbox_limit: the value of inbox_sent at which the mailbox is full; the owner's to write
    // (relaxed): one less for what it appends to local itself, one more for what it has handled or
    // dropped (at the end of a turn, all at once); what is drained changes nothing. So the same
    // look tells everybody, whatever the capacity: full when (int32_t)(inbox_limit - inbox_sent) <=
    // 0, and capacity less that difference is the number of messages that wait, all lanes together.
    // Begins as the capacity. The wakings of kin->mailbox's waiters come before the limit grows.
    _Atomic uint32_t inbox_sent;
    _Atomic uint32_t inbox_limit;
    // generation << 8 | hyi_order bits. It grows at the beginning, and is odd while the actor is
    // there, and at the end.
    _Atomic uint32_t life;
    _Atomic uint8_t owner; // worker number, or HYI_NO_OWNER
    // Worker number + 1; 0: any. With HYI_PINNED_LENT: until its handler has returned. The owner
    // writes; whoever has just become the owner reads.
    _Atomic uint8_t pinned;
    uint8_t node;   // number
    uint8_t ending; // owner's: bits of how this start ends; ending.c
    const hy_actor_type *type;
    // While its handler waits in an ask: the place of that ask (ask.h), else 0. Written by the
    // owner; read by anybody who asks, to find circles (cycle.c).
    _Atomic uint64_t waits_for;
    hyi_birth *birth; // NULL: below nobody, with the default options; stays for life
    uint8_t inline_state[HYI_INLINE_STATE];
};
#define HYI_INBOX_OWNED ((uintptr_t)0)
#define HYI_INBOX_EMPTY ((uintptr_t)1)
#define HYI_ORDERS 0xffu // of `life`
#define HYI_PINNED_LENT 0x80u
#define HYI_GENERATION_MAX 0xffffffu
_Static_assert(sizeof(hy_actor) == HYI_SLOT_BYTES, "an actor is a slot");
_Static_assert(offsetof(hy_actor, inline_state) % 8 == 0, "states are aligned");

enum {
    HYI_ACTOR_READY = 1,     // in the owner's ready queue, or running
    HYI_ACTOR_LINGERS = 2,   // in the owner's queue of those
    HYI_ACTOR_LENT = 8,      // a handler of it waits: turns do what is urgent, and no more
    HYI_ACTOR_FIBER = 16,    // a fiber actor
    HYI_ACTOR_INJECTED = 32, // in the list of a worker that is to take it
    HYI_ACTOR_ENDING = 64,   // hy_actor_end was called
    HYI_ACTOR_STASHED = 128, // kin->stash is not empty
};

// ---- kin (kin.c): what few actors have --------------------------------------------------------

// Fields are the owner's unless said. System messages are the only way that others change it.
struct hyi_kin {
    hy_actor *actor;
    hyi_message *system_first, *system_last; // taken in, in order; SYSTEM lane
    hyi_message *urgent_first, *urgent_last;
    hyi_message *stash_first, *stash_last;
    uint32_t stashed;
    struct hyi_mailbox *mailbox;   // NULL: capacity 1,024, HY_FULL_FAIL; else mailbox.c
    struct hyi_rearing *rearing;   // NULL: it has no children yet; rearing.h
    struct hyi_watchers *watchers; // monitors and links, both ways; monitor.c; NULL: none
    struct hyi_waiting *waiting;   // fibers that wait for its readiness or end; wait.c
    struct hyi_limits *limits;     // of time: its start, its stop, health; limits.h; NULL: none
    struct hyi_asks *asks;         // that it has out, and the one it answers; ask.c; NULL: none
    struct hyi_alarms *alarms;     // alarm.c; NULL: none
    struct hyi_hoard *hoard;       // hy_actor_mem, hy_actor_own; hoard.c; NULL: none
    struct hyi_numbers *numbers;   // for the snapshot; numbers.c; NULL: not looked at yet
    hy_task *receiver;             // a fiber actor's fiber, while it waits in hy_receive; receive.c
    uint32_t start; // which start this is, from 1: what belongs to an older one is dead
    hy_err doom;    // what it is to fail with as soon as it can; ending.c
    char name[64];
};
// Makes it where there is none. NULL: no memory.
hyi_kin *hyi_kin_of(hy_actor *actor);

// ---- workers (worker.c, share.c, park.c) ------------------------------------------------------

typedef struct hyi_free_block {
    struct hyi_free_block *next;
} hyi_free_block;

typedef struct hyi_out { // gathered for one foreign actor within one handler
    hy_actor *to;
    hyi_message *first, *last;
    hy_ref ref;
    const hy_protocol *protocol;
    uint32_t count;
} hyi_out;

// A fiber that runs turns. It lies on the fiber's stack, and hyi_task_word leads to it.
typedef struct hyi_dispatcher {
    hyi_worker *worker;
    hy_task *task;
    hy_actor *actor;       // lent: whose handler waits; else NULL
    hyi_message *handling; // lent: what it handles
    hy_arena arena;        // lent: what hy_turn_alloc gave it
    hyi_link link;         // in worker->lent
    uint32_t freed;        // messages taken out in this visit
    uint32_t in_a_row;     // receives since it has given way; receive.c
    bool cancelled;        // lent: its handler was told to end; it dispatches no more
} hyi_dispatcher;

struct hyi_worker {
    hy_node *node;
    void *block; // that the record lies in
    hy_world *world;
    hy_root *root;               // worker 0: the scope's, borrowed
    hy_scope *scope;             // that handlers run in: context of the node
    hyi_dispatcher *dispatcher;  // NULL: none yet; hyi_worker_attend makes one
    _Atomic(hy_actor *) *chunks; // the node's
    uint32_t slots_max;          // the node's actors_max
    uint8_t node_number;
    uint8_t number;
    bool dispatcher_parked; // nobody looks for ready actors: see hyi_worker_attend
    bool dispatcher_coming; // spawned, and has not begun
    bool is_real;
    bool leaving;          // the node is closed: the dispatcher ends
    hy_actor *running;     // whose turn it is, or NULL
    hyi_message *handling; // the message at hand, or NULL
    hyi_list lent;         // hyi_dispatcher.link
    hy_actor *ready_first, *ready_last;
    uint32_t ready_count;
    hy_actor *lingering[128];
    uint32_t lingering_first, lingering_count;
    hyi_out out[4]; // out.h
    uint32_t out_count;
    uint32_t batch_stamp; // coarse clock of the turn: units of 2^20 ns
    hy_ns batch_began;
    uint8_t clocked;            // how often the time since then counts as busy; 0: it is not exact
    uint8_t naps;               // times that the dispatcher was parked; wraps
    bool slow;                  // the latest slice: its handlers took long
    bool woke_one;              // shared between two turns of this slice
    uint32_t slice, slice_left; // handlers until the clock is looked at
    hyi_free_block *free_blocks[HYI_BLOCK_CLASSES]; // slab.h
    struct hyi_slabs *slabs;                        // slab.c
    struct hyi_wheel *wheel;                        // wheel.c
    struct hyi_ring *events;                        // events.c
    hy_frozen *let_go;                              // frozen.c: refs to be given back together
    uint32_t let_go_count;
    struct hyi_asked *asks; // ask.c: slots of fibers and actors on this worker that ask
    hy_actor *free_slots;
    uint32_t free_slot_count;
    hy_arena turn_arena; // hy_turn_alloc; reset when a handler returns
    // Counters of this worker, read by others relaxed; merged on reading.
    _Atomic uint64_t sent, handled, dropped[HY_DROP_COUNT];
    _Atomic uint64_t turns, shared_out, taken, parks, wakes, restarts;
    _Atomic int64_t busy;
    _Atomic int64_t born; // actors made here less those that ended here
    // What the watchdog reads: the actor and how many handlers this worker has called.
    _Atomic uint64_t handler_number;
    _Atomic(hy_actor *) handler_of;

    // Everybody's, on lines of their own.
    _Alignas(64) _Atomic uint32_t parked; // 1: it sleeps, or is about to: whoever makes it 2 posts
                                          // `wake`, which makes it 0
    hy_post wake;
    pthread_mutex_t share_lock;
    hy_actor *shared_first, *shared_last;
    _Atomic uint32_t shared_count;
    _Atomic(void *) blocks_inbox; // freed elsewhere; slab.c
    pthread_mutex_t inject_lock;  // actors pinned here, or sent to from no worker; and calls
    hy_actor *inject_first, *inject_last;
    struct hyi_call *calls_first, *calls_last;
    _Atomic uint32_t inject_count;
    struct hy_thread *thread; // NULL: worker 0
};

// What only the worker itself writes and others may read: no read-modify-write.
#define HYI_BUMP(counter, by)                                                                      \
    atomic_store_explicit(&(counter),                                                              \
                          atomic_load_explicit(&(counter), memory_order_relaxed) + (by),           \
                          memory_order_relaxed)

// The worker of this thread; NULL: a foreign thread.
extern _Thread_local hyi_worker *hyi_here __attribute__((tls_model("initial-exec")));

// Something to be done by `worker` on its thread, between two turns: the record is the caller's.
typedef struct hyi_call {
    struct hyi_call *next;
    void (*run)(struct hyi_call *call, hyi_worker *worker);
} hyi_call;
HY_ANY_THREAD void hyi_worker_call(hyi_worker *worker, hyi_call *call);
// On the worker's thread: there is something to do; wakes the dispatcher, or makes one.
void hyi_worker_attend(hyi_worker *worker);

struct hy_node {
    hy_scope *scope;
    hy_mem *mem;
    hy_node_options options; // with defaults filled in
    uint32_t worker_count;
    hyi_worker *workers[HYI_WORKERS_MAX];
    hy_ref top; // the node's own supervisor: below it are those with a parent of hy_actors_in
    _Atomic(hy_actor *) *chunks; // slot.c
    void **chunk_blocks;         // as they were allocated, by their first chunk
    pthread_mutex_t slots_lock;
    _Atomic uint32_t slots_used;                   // so far; never shrinks
    hy_actor *free_slots;                          // slots_lock
    _Atomic int64_t born;                          // by foreign threads, as hyi_worker.born
    _Atomic uint64_t sent, dropped[HY_DROP_COUNT]; // by foreign threads
    _Atomic size_t messages_bytes;                 // slab.c
    _Atomic uint32_t idle;                         // workers that sleep
    _Atomic bool exported; // messages of its slabs went to other nodes of the process
    _Atomic bool closing;
    _Atomic uint64_t incidents;
    struct hyi_letters *letters;     // dead.c
    struct hyi_mailboxes *mailboxes; // mailbox.c
    struct hyi_watchdog *watchdog;
    struct hyi_later *later; // slots_lock; for_broker.h
    bool is_real;
    hy_node *next; // hy_node_of
};

// ---- slot.c -----------------------------------------------------------------------------------

// The actor that `ref` means, or NULL. It may end at any moment after that on another worker; its
// memory stays an actor's, for the workers of its node (others: hyi_find_hold, slot.h). A push that
// follows looks at the generation again after its exchange (see queue.h): what was pushed to one
// that has ended is given to the dead letters by its new owner.
HY_ANY_THREAD hy_actor *hyi_find(hy_ref ref);
hy_ref hyi_ref_of(const hy_actor *actor);
// A slot with type, behaviour, state and phase set (HYI_UNBORN; the state is cleared by hyi_begin),
// and nobody's yet. `arg` is copied if the type says so: hyi_actor_arg gives it. Then
// hyi_actor_launch, with no more to set: from there on it may run anywhere. HY_LIMIT, HY_NOMEM.
HY_ANY_THREAD HY_CHECKED hy_err hyi_actor_new(hy_node *node, const hy_actor_type *type,
                                              const void *arg, hy_actor **out_actor);
HY_ANY_THREAD void hyi_actor_launch(hy_actor *actor);
HY_ANY_THREAD void hyi_actor_discard(hy_actor *actor); // instead of a launch
const void *hyi_actor_arg(const hy_actor *actor);
// Owner: the end for good, after all else. Its refs are stale from now on. At the end of the turn,
// or in one of its own, what is in the mailbox is dropped (HY_DROP_ENDED), kin and birth
// are freed, and the slot given back.
void hyi_actor_gone(hy_actor *actor);

// ---- queue.h/.c, send.c, turn.c ---------------------------------------------------------------

// Takes `message` in every case: queued, or dropped and counted. `kind` NULL: system.
HY_ANY_THREAD hy_err hyi_send(hy_ref to, const hy_message_kind *kind, hyi_message *message,
                              const hy_send_options *options);
// To an actor that the caller knows to live (its own child, parent): never refused, no limit.
void hyi_send_system(hy_actor *to, hyi_message *message);
HY_ANY_THREAD void hyi_poke(hy_actor *actor, uint8_t orders); // known to live
HY_ANY_THREAD bool hyi_poke_ref(hy_ref ref, uint8_t orders);  // false: it has ended
static inline uint8_t hyi_orders(const hy_actor *actor);
void hyi_orders_clear(hy_actor *actor, uint8_t orders); // owner
// Owner: it has something to do.
void hyi_make_ready(hyi_worker *worker, hy_actor *actor);
// Drops, with its reason, as a dead letter; frees.
void hyi_drop(hy_ref to, const hy_message_kind *kind, hyi_message *message, hy_drop reason);
void hyi_message_free(hyi_message *message);
// Other headers of this: actor/tail.h (what a message has besides its body), actor/deep.h (copies
// of what a body points to), actor/mailbox.h (a full one), actor/dead.h (letters), actor/carried.h
// (deadline and baggage).

// One visit: orders, system messages, urgent ones, up to turn_max normal ones. Called by the
// dispatcher with the actor owned, ready and out of the queue; leaves it ready, lingering, lent or
// ended. Failing handlers end up in hyi_failed. True: the fiber was lent in between, and is the
// dispatcher no more.
bool hyi_turn(hyi_worker *worker, hy_actor *actor);
// Calls the behaviour, no more. The message is counted as handled, and freed, by hyi_turn
// afterwards if it is still at hand. Who takes it away (hy_message_take, stash, drop) calls
// hyi_handling_over, and if it does not count as handled and gone from the mailbox, with `counts`
// false.
hy_err hyi_handle(hyi_worker *worker, hy_actor *actor, hyi_message *message);
hyi_message *hyi_handling(const hy_actor *actor); // the message at hand; NULL: none, or taken
void hyi_handling_over(hy_actor *actor, bool counts);
hyi_worker *hyi_worker_of(const hy_actor *actor); // owner: its worker

// ---- spawn.c, ending.c, supervise.c -----------------------------------------------------------

// The start hook, in the actor's first turn of a start (phase HYI_UNBORN): state cleared, behaviour
// set. Afterwards it runs, or has failed. Handler: user code is called, which may wait.
void hyi_begin(hyi_worker *worker, hy_actor *actor);
// This start of `actor` is over: a handler failed, it was told to stop, or killed. Children first,
// then `stop`, then what it owns; then the parent is told, and decides; without one it is gone.
// Handler. May free the slot: look at the phase in a copy of the ref, or not at all. `at_hand`: the
// message whose handler failed, or NULL (none, or it was taken): it is queued again where the type
// is idempotent, else dropped; the caller frees it no more.
void hyi_failed(hy_actor *actor, hy_err err, const char *text, hyi_message *at_hand);
void hyi_stopping(hy_actor *actor, hy_err why);
// What orders ask for but SYSTEM and LOOK, which are the turn's: called at the beginning of every
// visit that finds some, also of an actor that is LENT or rests. Handler, unless LENT.
void hyi_obey(hy_actor *actor, uint8_t orders);
// A system message of this file's kinds (ENDED ADOPT AGAIN DOWN WATCH UNWATCH HEALTH WAIT TIMEOUT).
// Takes it. All but DOWN are given at once, also while LENT, resting or stopping, when no user code
// is called; DOWN only while it runs and is not LENT: else it waits, and is no news to a next
// start. Handler.
void hyi_supervise(hy_actor *actor, hyi_message *message);
static inline bool hyi_system_is_urgent(uint16_t tag); // true: of those that do not wait
// One of the same, to an actor that has gone: whoever waits for an answer gets it. Takes it.
HY_ANY_THREAD void hyi_system_refused(hyi_message *message);
// One whose push came too late: the slot may be free, and nobody find it there for long. Whoever
// waits for an answer gets it now; the message itself is to be found, and freed, later.
HY_ANY_THREAD void hyi_system_stale(hyi_message *message);
// From the root's lent hook, when a handler or hook of `actor` is about to wait: limits of time.
void hyi_actor_waits(hy_actor *actor);

// System messages: `tag` of a message with HYI_MESSAGE_SYSTEM.
typedef enum hyi_system_tag {
    HYI_SYSTEM_ENDED = 1, // from a child: there is news of it (birth->note)
    HYI_SYSTEM_ADOPT,     // to a parent: a child that somebody else spawned below it
    HYI_SYSTEM_AGAIN,     // to oneself: the backoff has passed: start the child
    HYI_SYSTEM_DOWN,      // to a monitor, or a linked one
    HYI_SYSTEM_WATCH,     // monitor or link me; and their ends
    HYI_SYSTEM_UNWATCH,
    HYI_SYSTEM_ANSWER,  // to an asker that is an actor: `then` is to be called
    HYI_SYSTEM_ROOM,    // there is room
    HYI_SYSTEM_HEALTH,  // time for a check
    HYI_SYSTEM_WAIT,    // tell me when ready, ended
    HYI_SYSTEM_TIMEOUT, // a limit of time of its own has passed: start_max, stop_max
} hyi_system_tag;
static inline bool hyi_system_is_urgent(uint16_t tag) {
    return tag == HYI_SYSTEM_ENDED || tag == HYI_SYSTEM_ADOPT || tag == HYI_SYSTEM_AGAIN ||
           tag == HYI_SYSTEM_WATCH || tag == HYI_SYSTEM_UNWATCH || tag == HYI_SYSTEM_WAIT ||
           tag == HYI_SYSTEM_TIMEOUT || tag == HYI_SYSTEM_HEALTH;
}

// ---- events.c, numbers.c ----------------------------------------------------------------------

void hyi_event(hyi_worker *worker, hy_node_event_kind kind, const hy_actor *actor, uint64_t value);

// ---- inline ------------------------------------------------------------------------------------

static inline uint8_t hyi_orders(const hy_actor *actor) {
    return (uint8_t)(atomic_load_explicit(&actor->life, memory_order_relaxed) & HYI_ORDERS);
}

// A point where another thread may come in between: the systematic scheduler of the tests takes the
// turn away there. Nothing in all other builds.
#ifdef HYI_SYSTEMATIC
void hyi_systematic_yield(const char *name);
#define hyi_yield_point(name) hyi_systematic_yield(name)
#else
#define hyi_yield_point(name) ((void)0)
#endif

#endif
