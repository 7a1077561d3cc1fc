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

// Any thread.
static inline bool hyi_mailbox_is_full(hy_actor *actor) {
    // Relaxed: the limit is exact for its owner, and old by a moment for others.
    uint32_t limit = atomic_load_explicit(&actor->inbox_limit, memory_order_relaxed);
    uint32_t sent = atomic_load_explicit(&actor->inbox_sent, memory_order_relaxed);
    return (int32_t)(limit - sent) <= 0;
}

// The owner. `count` messages came into local (below 0: left the mailbox) without passing the
// inbox.
static inline void hyi_mailbox_count(hy_actor *actor, int32_t count) {
    uint32_t limit = atomic_load_explicit(&actor->inbox_limit, memory_order_relaxed);
    atomic_store_explicit(&actor->inbox_limit, limit - (uint32_t)count, memory_order_relaxed);
}

// What a sender does whose message finds no room.
typedef enum hyi_full_verdict {
    HYI_FULL_PUSH = 1, // goes on as if there was room
    HYI_FULL_PROMISED, // goes on; its place is in inbox_sent already (see hyi_promise_used)
    HYI_FULL_REFUSED,  // HY_LIMIT, or what *out_err says: counted, a dead letter; not freed
    HYI_FULL_DROPPED,  // HY_OK: counted, a dead letter; not freed
    HYI_FULL_ELSEWHERE // goes to *out_to, whose full mailbox refuses: once
} hyi_full_verdict;

// Any thread: `actor` was found by `to`, and full. May wait, when a fiber calls; so afterwards the
// actor is to be looked up again, and the worker of the thread is the same.
hyi_full_verdict hyi_mailbox_full(hy_ref to, hy_actor *actor, const hy_message_kind *kind,
                                  hyi_message *message, const hy_send_options *options,
                                  hy_ref *out_to, hy_err *out_err);
// The sender has a promise. The owner pushed to local: the place was counted twice. Others: they
// did not count it again, and need nothing of this.
static inline void hyi_promise_used_by_owner(hy_actor *actor) {
    hyi_mailbox_count(actor, -1);
}
// Any thread: it will not be used: the actor had gone, or the sender was cancelled.
void hyi_promise_return(hy_ref to);

// The owner, in a turn. HYI_ORDER_ROOM was seen, in whatever phase: those who wait for an actor
// that has gone are told so.
void hyi_room_awaited(hy_actor *actor);
// At the end of a turn, where actor->awaited: `freed` places are about to be given back to
// inbox_limit; as many waiters get one of them. What the limit then grows by is still `freed`.
void hyi_room_give(hy_actor *actor, uint32_t freed);
// HY_FULL_DROP_OLD, when a turn begins: others may have passed the limit; gives up the oldest.
void hyi_mailbox_trim(hy_actor *actor);

// At the spawn, before the ref is known to anybody; `options` are the actor's. Sets inbox_limit.
// HY_NOMEM, HY_RANGE (capacity past 2^24, no such policy, a redirect to nobody).
HY_CHECKED hy_err hyi_mailbox_begin(hy_node *node, hy_actor *actor,
                                    const hy_mailbox_options *options);
// The actor has ended for good, its generation has grown, and its queue is empty.
void hyi_mailbox_end(hy_actor *actor);

// Of the lane: where an urgent message goes in the owner's hands. Always done, without memory too.
void hyi_lane_urgent(hy_actor *actor, hyi_message *message);

HY_CHECKED hy_err hyi_mailboxes_open(hy_node *node);
void hyi_mailboxes_close(hy_node *node);

#endif
