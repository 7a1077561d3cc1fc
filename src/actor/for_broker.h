// for_broker.h - what the room broker asks of actors.                Room: actor. Includes: scope.
// Threads: any, where not said.
//
// Tickets count how many messages of one kind of traffic wait in mailboxes. A shared message may
// carry a ticket: whoever sends it counts `sent` up, and when the message ends, handled or dropped,
// whoever owns its actor counts `done` up. So the sender knows how many are under way without
// asking anybody, and pays for it with nothing on the way that a message without a ticket takes.
// `skip` says how many of the oldest are to be dropped instead of handled.
//
// A ticket outlives its messages: the broker's subscriptions see to that.
#ifndef HYI_ACTOR_FOR_BROKER_H
#define HYI_ACTOR_FOR_BROKER_H

#include <hypha/actor.h>

#include <stdatomic.h>

typedef struct hyi_ticket {
    _Atomic uint64_t sent; // senders add
    _Atomic uint64_t done; // the owner of the actor they go to: one at a time
    _Atomic uint32_t skip; // senders add, the owner takes
} hyi_ticket;

static inline uint32_t hyi_ticket_waiting(hyi_ticket *ticket) {
    // Acquire: pairs with the release in hyi_ticket_end; a place is used again only after it.
    uint64_t done = atomic_load_explicit(&ticket->done, memory_order_acquire);
    return (uint32_t)(atomic_load_explicit(&ticket->sent, memory_order_relaxed) - done);
}

static inline void hyi_ticket_end(hyi_ticket *ticket) {
    uint64_t done = atomic_load_explicit(&ticket->done, memory_order_relaxed);
    atomic_store_explicit(&ticket->done, done + 1, memory_order_release);
}

// Is the message at hand one of those that are to be dropped?
static inline bool hyi_ticket_skips(hyi_ticket *ticket) {
    if (__builtin_expect(atomic_load_explicit(&ticket->skip, memory_order_relaxed) == 0, 1)) {
        return false;
    }
    atomic_fetch_sub_explicit(&ticket->skip, 1, memory_order_relaxed);
    return true;
}

// Takes `message` on HY_OK. `label` (copied) goes with it: hy_message_topic. HY_NOMEM.
HY_CHECKED hy_err hyi_freeze_as(const hy_message_kind *kind, void *message, hy_bytes label,
                                hy_frozen **out_frozen);
const char *hyi_message_label(const hy_actor *self, const void *body); // NULL: none; handler
const void *hyi_frozen_body(const hy_frozen *frozen);
// The texts and lists in `*copy` (hyi_message_new's), still the caller's, become its own; it may
// move to a larger block, and is like a made one afterwards. HY_NOMEM, HY_TOO_LARGE, HY_TOO_DEEP.
HY_CHECKED hy_err hyi_message_deepen(const hy_message_kind *kind, void **copy);

// Does it speak it? HY_OK, HY_NOT_FOUND, HY_TYPE.
HY_CHECKED hy_err hyi_speaks(hy_ref ref, const hy_protocol *protocol);
// About how many messages wait in its mailbox; 0: nobody.
uint32_t hyi_queued(hy_ref ref);
// `free_it` is called when the node closes, after its actors and messages have ended; where a
// simulated machine has crashed, it is not: memory is the node's then (hyi_node_mem). The record is
// the caller's, and part of what is freed. Never fails.
typedef struct hyi_later {
    struct hyi_later *next;
    void (*free_it)(struct hyi_later *later);
} hyi_later;
void hyi_node_free_later(hy_node *node, hyi_later *later);
hy_mem *hyi_node_mem(const hy_node *node);

// So many refs more, or fewer, at once.
void hyi_frozen_hold(hy_frozen *frozen, uint32_t count);
void hyi_frozen_release(hy_frozen *frozen, uint32_t count);
// As hyi_share, with a ticket (counted here; given back where the send is refused). Uses up one of
// the refs that the caller holds, in every case.
HY_CHECKED hy_err hyi_share_with(hy_ref to, const hy_message_kind *kind, hy_frozen *frozen,
                                 hyi_ticket *ticket);

#endif
