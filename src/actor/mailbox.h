// mailbox.h - a mailbox that is full, and who waits for room.       Room: actor. Includes: scope.
// Threads: as said for each function.
//
// Whether a mailbox is full is one look at two numbers of the actor (hyi_mailbox_is_full). This is
// what happens then: one of six policies, and waiting.
//
// Waiters are kept here, not at the actor, because they may be of any worker: in the record of the
// mailbox, under a lock that only those take who wait or wake. Who begins to wait pokes the actor
// with HYI_ORDER_ROOM, after which its owner looks for waiters at the end of each turn (`awaited`),
// in order of arrival, until none is left. So no wake-up is lost, and actors for which nobody waits
// pay for it with one branch a turn.
//
// A sender that is woken finds a place that is counted as taken already, so nobody can be faster.
// It uses it (HYI_SEND_PROMISED), or gives it back.
#ifndef HYI_ACTOR_MAILBOX_H
#define HYI_ACTOR_MAILBOX_H

#include "actor/inside.h"

#define HYI_MAILBOX_CAPACITY 1024u // where options say nothing

void hyi_room_give(hy_actor *actor, uint32_t freed); // see below

// Any thread: by how many messages it is over its limit; 0: just full; below 0: there is room.
static inline int32_t hyi_mailbox_over(const hy_actor *actor) {
    // Relaxed: the limit is exact for its owner, and old by a moment for others.
    uint32_t limit = atomic_load_explicit(&actor->inbox_limit, memory_order_relaxed);
    uint32_t sent = atomic_load_explicit(&actor->inbox_sent, memory_order_relaxed);
    return (int32_t)(sent - limit);
}
static inline bool hyi_mailbox_is_full(const hy_actor *actor) {
    return hyi_mailbox_over(actor) >= 0;
}

// The owner. `count` messages came into local (below 0: left the mailbox) without passing the
// inbox.
static inline void hyi_mailbox_count(hy_actor *actor, int32_t count) {
    uint32_t limit = atomic_load_explicit(&actor->inbox_limit, memory_order_relaxed);
    atomic_store_explicit(&actor->inbox_limit, limit - (uint32_t)count, memory_order_relaxed);
}

// The owner, when `freed` messages are out of the mailbox: those who wait for room come first.
static inline void hyi_mailbox_freed(hy_actor *actor, uint32_t freed) {
    if (__builtin_expect(actor->awaited, 0)) hyi_room_give(actor, freed);
    hyi_mailbox_count(actor, -(int32_t)freed);
}

// What a sender does whose message finds no room.
typedef enum hyi_full_verdict {
    HYI_FULL_PUSH = 1,  // goes on as if there was room
    HYI_FULL_PROMISED,  // goes on; its place is in inbox_sent already
    HYI_FULL_DROP,      // drops it for `reason`, and returns `err`; HY_OK: frees a moved one, too
    HYI_FULL_ELSEWHERE, // sends it to `elsewhere`; full as well, it is HY_LIMIT, HY_DROP_FULL
} hyi_full_verdict;
typedef struct hyi_full_answer {
    hyi_full_verdict verdict;
    hy_drop reason;
    hy_err err;
    hy_ref elsewhere;
} hyi_full_answer;

// Any thread: `actor` was found by `to`, and full (hyi_mailbox_is_full). May wait, when a fiber
// calls: afterwards the actor is to be looked up again. `room_wait`: of the options, or 0.
hyi_full_answer hyi_mailbox_full(hy_ref to, hy_actor *actor, hy_ns room_wait);
// Any thread: a promised place is used, by a push that follows and counts it again; or it is given
// back, because the sender does not send after all.
void hyi_promise_use(hy_ref to, hy_actor *actor);
void hyi_promise_return(hy_ref to);

// The owner, in a turn: HYI_ORDER_ROOM was seen.
void hyi_room_awaited(hy_actor *actor);
// The owner, where actor->awaited, at the end of a turn: `freed` places are about to be given back
// to inbox_limit; as many waiters get one each. What the limit then grows by is still `freed`.
void hyi_room_give(hy_actor *actor, uint32_t freed);
// HY_FULL_DROP_OLD, at the begin of a turn, when the inbox has been drained: others may have passed
// the limit; gives up the oldest. Nothing happens to other mailboxes.
void hyi_mailbox_trim(hy_actor *actor);

// Before the launch. Sets inbox_limit. `options` are the actor's; NULL: the default. HY_NOMEM,
// HY_RANGE (capacity past 2^24, no such policy, a redirect to nobody, or to another node).
HY_CHECKED hy_err hyi_mailbox_begin(hy_node *node, hy_actor *actor,
                                    const hy_mailbox_options *options);
// The actor has ended for good: its generation has grown; `orders` are those it had until then.
// Whoever waits for room is told that there is nobody.
void hyi_mailbox_end(hy_node *node, hy_actor *actor, uint8_t orders);

// What the owner sees of its mailbox.
uint32_t hyi_mailbox_capacity(const hy_actor *actor);
HY_ANY_THREAD uint32_t hyi_mailbox_capacity_from_outside(const hy_actor *actor);

HY_CHECKED hy_err hyi_mailboxes_open(hy_node *node); // HY_NOMEM
void hyi_mailboxes_close(hy_node *node);             // after all actors; fine if it was not opened

// ---- between mailbox.c and room.c -------------------------------------------------------------

// The record of an actor whose mailbox is not the default one, or that somebody waits for.
struct hyi_mailbox {
    hy_ref of; // the actor with this policy; HY_NOBODY: made by a waiter, the default policy
    hy_ref redirect;
    uint32_t capacity;
    uint8_t full;      // hy_full
    uint32_t promised; // places that waiters have been given, and not used; locked
    uint32_t returned; // of those: that come back, because they will not be used
    hyi_list waiting;  // in order of arrival; locked
    // The owner's: up to `kept_last` no message of the local list can be given up. Good as long as
    // the list begins with the same message and none was handled.
    hyi_message *kept_first, *kept_last;
    uint32_t kept_handled;
};

// Any thread: the lock of a slot's record, and the record. NULL: there is none.
pthread_mutex_t *hyi_mailbox_lock(struct hyi_mailboxes *all, uint32_t slot);
struct hyi_mailbox *hyi_mailbox_at(struct hyi_mailboxes *all, uint32_t slot);
struct hyi_mailbox *hyi_mailbox_made(struct hyi_mailboxes *all, uint32_t slot); // NULL: no memory
void hyi_mailbox_settle(struct hyi_mailboxes *all, uint32_t slot); // frees it if nobody needs it

// Any thread: waits for a place, and has it then (HY_OK: promised). HY_LIMIT: the caller cannot
// wait, or it took too long (room_wait; 0: 5 s); HY_NOT_FOUND; why its scope was cancelled.
HY_CHECKED hy_err hyi_room_wait_place(hy_ref to, const hy_actor *actor, hy_ns room_wait);
// Locked: takes all waiters out; hyi_room_tell_all, unlocked, tells them `err`.
void hyi_room_take_all(struct hyi_mailbox *box, hyi_list *out_told, hy_err err);
void hyi_room_tell_all(hyi_list *told);

#endif
