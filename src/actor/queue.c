// queue.c - pushing, draining, and giving an actor up.
//
// Called by send.c (push), turn.c (drain), worker.c (let go) and slot.c (the end). The protocol is
// described in queue.h; here each atomic names its partner. Nothing here allocates but the kin of
// an actor that gets its first urgent message, and without memory for that it goes in front of the
// local list, which keeps its lane though not the numbers of it.
#include "actor/queue.h"

#define QUEUE_DRAIN_MAX 65536u // at a time: senders may be faster than the walk
#ifdef HY_PARANOID
#define QUEUE_DRAIN_SOME 3u // mean
#else
#define QUEUE_DRAIN_SOME 64u
#endif

static inline void queue_link(hyi_message *message, hyi_message *next) {
    // Release: pairs with the acquire in queue_next; the reader sees the whole message.
    __atomic_store_n(&message->next_, next, __ATOMIC_RELEASE);
}

static inline hyi_message *queue_next(const hyi_message *message) {
    // Acquire: pairs with the release in queue_link.
    return (hyi_message *)__atomic_load_n(&message->next_, __ATOMIC_ACQUIRE);
}

// ---- pushing ----------------------------------------------------------------------------------

static void queue_mark(hy_actor *actor, hyi_chain chain,
                       void (*stale)(hy_actor *actor, hyi_message *message)) {
    hyi_message *message = chain.first;
    for (uint32_t i = 0; i < chain.count; i++) {
        // Behind the last one others may have pushed by now: that link is not looked at.
        hyi_message *next = i + 1 < chain.count ? (hyi_message *)message->next_ : NULL;
        if (message->flags & HYI_MESSAGE_SYSTEM) {
            hyi_system_stale(message);
            message->tag |= HYI_SYSTEM_STALE;
        } else {
            stale(actor, message);
            message->tag = 0;
        }
        message = next;
    }
}

hyi_pushed hyi_inbox_push(hy_actor *actor, uint32_t generation, hyi_chain chain,
                          void (*stale)(hy_actor *actor, hyi_message *message), bool *out_stale) {
    __atomic_store_n(&chain.last->next_, NULL, __ATOMIC_RELAXED);
    bool takes_room = (chain.first->flags & HYI_MESSAGE_SYSTEM) == 0;
    hyi_yield_point("push: before the exchange");
    // Acquire: pairs with the release in hyi_inbox_let_go, if it gives EMPTY, and in
    // hyi_inbox_drain, if OWNED: `inbox_oldest` was cleared before. Release: pairs with the
    // exchange of the next pusher, which links behind this message. Sequential: before the look at
    // the generation; pairs with the end of an actor in hyi_actor_gone, which is the other way
    // round.
    uintptr_t before =
        atomic_exchange_explicit(&actor->inbox_newest, (uintptr_t)chain.last, memory_order_seq_cst);
    hyi_yield_point("push: in the gap");
    uint32_t life = atomic_load_explicit(&actor->life, memory_order_seq_cst);
    *out_stale = life >> 8 != generation;
    if (__builtin_expect(*out_stale, 0)) {
        queue_mark(actor, chain, stale);
    } else if (takes_room) {
        // Before the link: nobody takes a message out that is not counted yet; and the slot is this
        // actor's as long as the link is missing.
        atomic_fetch_add_explicit(&actor->inbox_sent, chain.count, memory_order_relaxed);
    }
    if (before > HYI_INBOX_EMPTY) {
        queue_link((hyi_message *)before, chain.first);
    } else {
        // Release: pairs with the acquire in hyi_inbox_drain.
        atomic_store_explicit(&actor->inbox_oldest, chain.first, memory_order_release);
    }
    return before == HYI_INBOX_EMPTY ? HYI_PUSHED_OWNING : HYI_PUSHED;
}

// ---- draining ---------------------------------------------------------------------------------

static inline void queue_take_in(hy_actor *actor, hyi_message *message) {
    if (__builtin_expect(message->flags & (HYI_MESSAGE_SYSTEM | HYI_MESSAGE_URGENT), 0)) {
        hyi_lane_append(actor, message);
    } else {
        hyi_local_append(actor, message);
    }
}

static bool queue_drain(hy_actor *actor, uint32_t most) {
    // Acquire: pairs with the release store in hyi_inbox_push.
    hyi_message *message = atomic_load_explicit(&actor->inbox_oldest, memory_order_acquire);
    if (!message) return hyi_inbox_is_clear(actor);
    for (uint32_t i = 0; i < most; i++) {
        hyi_message *next = queue_next(message);
        if (!next) {
            // Before the exchange: whoever finds OWNED writes to it.
            atomic_store_explicit(&actor->inbox_oldest, NULL, memory_order_relaxed);
            uintptr_t last = (uintptr_t)message;
            hyi_yield_point("drain: at the last");
            // Release: pairs with the acquire of the exchange that finds OWNED.
            if (atomic_compare_exchange_strong_explicit(&actor->inbox_newest, &last,
                                                        HYI_INBOX_OWNED, memory_order_acq_rel,
                                                        memory_order_relaxed)) {
                queue_take_in(actor, message);
                return true;
            }
            hyi_yield_point("drain: not the last");
            next = queue_next(message);
            if (!next) break;
        }
        queue_take_in(actor, message);
        message = next;
    }
    // The owner's again, because `newest` is a message: no pusher will write to it.
    atomic_store_explicit(&actor->inbox_oldest, message, memory_order_relaxed);
    return false;
}

bool hyi_inbox_drain(hy_actor *actor) {
    return queue_drain(actor, QUEUE_DRAIN_MAX);
}

bool hyi_inbox_drain_some(hy_actor *actor) {
    return queue_drain(actor, QUEUE_DRAIN_SOME);
}

// ---- giving up --------------------------------------------------------------------------------

static inline void queue_own(hy_actor *actor, uint8_t worker) {
    atomic_store_explicit(&actor->owner, worker, memory_order_relaxed); // read by nobody but itself
}

bool hyi_inbox_let_go(hy_actor *actor, uint8_t worker) {
    uintptr_t owned = HYI_INBOX_OWNED;
    if (!hyi_inbox_is_clear(actor)) return false;
    queue_own(actor, HYI_NO_OWNER);
    hyi_yield_point("let go: before EMPTY");
    // Release: pairs with the acquire in hyi_inbox_push and hyi_inbox_seize, whose caller is the
    // next owner. Sequential: before the look at the orders; hyi_poke does the two the other way
    // round, so one of both sees the other.
    if (!atomic_compare_exchange_strong_explicit(&actor->inbox_newest, &owned, HYI_INBOX_EMPTY,
                                                 memory_order_seq_cst, memory_order_relaxed)) {
        queue_own(actor, worker);
        return false;
    }
    hyi_yield_point("let go: after EMPTY");
    uint32_t life = atomic_load_explicit(&actor->life, memory_order_seq_cst);
    if (__builtin_expect((life & HYI_ORDERS) == 0, 1) || !hyi_inbox_seize(actor)) return true;
    queue_own(actor, worker);
    return false;
}

// ---- lanes ------------------------------------------------------------------------------------

static void queue_chain(hyi_message **first, hyi_message **last, hyi_message *message) {
    message->next_ = NULL;
    if (*first) {
        (*last)->next_ = message;
    } else {
        *first = message;
    }
    *last = message;
}

static inline uint32_t queue_lane_of(const hyi_message *message) {
    if (message->flags & HYI_MESSAGE_SYSTEM) return 2;
    return message->flags & HYI_MESSAGE_URGENT ? 1 : 0;
}

// Without kin: in the local list, before the first of a lower lane.
static void queue_lane_insert(hy_actor *actor, hyi_message *message) {
    hyi_message *before = NULL, *at = actor->local_first;
    while (at && queue_lane_of(at) >= queue_lane_of(message)) {
        before = at;
        at = (hyi_message *)at->next_;
    }
    message->next_ = at;
    if (before) {
        before->next_ = message;
    } else {
        actor->local_first = message;
    }
    if (!at) actor->local_last = message;
    actor->local_count++;
}

void hyi_lane_append(hy_actor *actor, hyi_message *message) {
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin) {
        queue_lane_insert(actor, message);
    } else if (message->flags & HYI_MESSAGE_SYSTEM) {
        queue_chain(&kin->system_first, &kin->system_last, message);
    } else {
        queue_chain(&kin->urgent_first, &kin->urgent_last, message);
    }
}
