// queue.h - a mailbox: the inbox that all may push to, and the owner's list.   Room: actor.
// Includes: scope. Threads: hyi_inbox_push and _seize anybody; all else the owner.
//
// The inbox is Vyukov's intrusive MPSC queue ("Non-intrusive MPSC node-based queue" and its
// intrusive form, 1024cores.net, 2010) with Pony's EMPTY mark, and without its stub: where the stub
// stood there is a word of the actor, `inbox_oldest`. So an idle actor pins no message.
//
//     newest    oldest    means
//     EMPTY     NULL      nobody owns the actor, and nothing is there
//     OWNED     NULL      somebody owns it, and nothing is there
//     M         NULL      the first push after that is between its exchange and its store: a gap
//     M         O         O -> ... -> M, where a link may be missing still: a gap, too
//
// A push is one exchange of `newest`, and one store: to `oldest`, if it got EMPTY or OWNED back,
// else to the link of the message that it got. Whoever gets EMPTY owns the actor.
//
// Between its exchange and its store a pusher reads the generation again. As long as the store is
// outstanding the inbox is not clear, and a slot whose inbox is not clear is not given to a next
// actor (hyi_actor_gone). So if the generation is still the one that was looked for, the message
// reached whom it was for; and if it is not, then nobody can have seen the message yet, and the
// pusher marks it: a tag of 0, which its finder frees. That is how a ref never reaches another
// actor, although nothing is locked and slots are used again.
//
// The owner drains as far as the links go. The last message is taken by a compare-and-exchange of
// `newest` to OWNED; if that fails somebody has pushed behind it, and it stays until it is linked:
// the pusher still writes to it.
#ifndef HYI_ACTOR_QUEUE_H
#define HYI_ACTOR_QUEUE_H

#include "actor/inside.h"

typedef enum hyi_pushed {
    HYI_PUSHED,        // somebody else will see to it
    HYI_PUSHED_OWNING, // the caller owns the actor now
} hyi_pushed;

// Pushes the chain first .. last of `count`, linked by next_. *out_stale: the actor has ended, and
// the messages are marked; `before` is then called for each, while its body is still the caller's.
typedef struct hyi_chain {
    hyi_message *first, *last;
    uint32_t count;
} hyi_chain;
hyi_pushed hyi_inbox_push(hy_actor *actor, uint32_t generation, hyi_chain chain,
                          void (*stale)(hy_actor *actor, hyi_message *message), bool *out_stale);

// Takes in what is linked, in order: normal messages to the local list, others to their lanes.
// True: the inbox is clear. False: there is a gap, or more than can be walked at once. A turn takes
// in as many as it handles, so that each message comes into this core's cache once; but all, when a
// sender says by HYI_ORDER_SYSTEM that there is one of a higher lane among them.
bool hyi_inbox_drain(hy_actor *actor);
bool hyi_inbox_drain_some(hy_actor *actor);
static inline bool hyi_inbox_is_clear(const hy_actor *actor) {
    return atomic_load_explicit(&actor->inbox_newest, memory_order_relaxed) == HYI_INBOX_OWNED;
}

// Without a push: owns the actor if nobody does.
static inline bool hyi_inbox_seize(hy_actor *actor) {
    uintptr_t empty = HYI_INBOX_EMPTY;
    // Sequential: after an order was given; pairs with hyi_inbox_let_go.
    if (atomic_load_explicit(&actor->inbox_newest, memory_order_seq_cst) != empty) return false;
    hyi_yield_point("seize");
    // Acquire: pairs with the release in hyi_inbox_let_go: what the last owner wrote. Sequential,
    // because orders are looked at around it: see hyi_poke.
    return atomic_compare_exchange_strong_explicit(&actor->inbox_newest, &empty, HYI_INBOX_OWNED,
                                                   memory_order_seq_cst, memory_order_relaxed);
}

// The owner gives the actor up if its inbox is clear. Its lists are empty. False: it owns it still
// (or again: an order has come), and there is something to do.
bool hyi_inbox_let_go(hy_actor *actor, uint8_t worker);

// ---- the local list ---------------------------------------------------------------------------

static inline void hyi_local_append(hy_actor *actor, hyi_message *message) {
    message->next_ = NULL;
    if (actor->local_first) {
        actor->local_last->next_ = message;
    } else {
        actor->local_first = message;
    }
    actor->local_last = message;
    actor->local_count++;
}

static inline hyi_message *hyi_local_take(hy_actor *actor) {
    hyi_message *message = actor->local_first;
    if (!message) return NULL;
    actor->local_first = (hyi_message *)message->next_;
    actor->local_count--;
    return message;
}

// A message of another lane than the normal one: before those of lower lanes, behind its own.
void hyi_lane_append(hy_actor *actor, hyi_message *message);
// The next message of the highest lane that has one; NULL: none.
static inline hyi_message *hyi_lane_take(hyi_kin *kin) {
    hyi_message *message = kin->system_first;
    if (message) {
        kin->system_first = (hyi_message *)message->next_;
    } else if ((message = kin->urgent_first)) {
        kin->urgent_first = (hyi_message *)message->next_;
    }
    return message;
}
static inline hyi_message *hyi_mailbox_take(hy_actor *actor) {
    if (__builtin_expect(actor->kin != NULL, 0)) {
        hyi_message *message = hyi_lane_take(actor->kin);
        if (message) return message;
    }
    return hyi_local_take(actor);
}
static inline bool hyi_mailbox_has_some(const hy_actor *actor) {
    if (actor->local_first) return true;
    return actor->kin && (actor->kin->system_first || actor->kin->urgent_first);
}

#endif
