// send.c - the ways of a message into a mailbox, and of an order.
//
// Three ways, see inside.h. To an actor of one's own worker: a list. To one that nobody owns: it is
// seized first, and then it is one's own. To another worker's, or by a thread that is no worker:
// the inbox. Whatever way a message goes it is counted as sent once, and a refusal as a drop, with
// a letter, so that the account holds in every case.
//
// `send_try` refuses without freeing: who moves a message keeps it then.
#include "actor/carried.h"
#include "actor/dead.h"
#include "actor/frozen.h"
#include "actor/alarm.h"
#include "actor/ask.h"
#include "actor/life.h"
#include "actor/mailbox.h"
#include "actor/out.h"
#include "actor/queue.h"
#include "actor/share.h"
#include "actor/slot.h"

#include "scope/inside.h"

typedef struct send_order { // one send
    hy_ref to;
    const hy_message_kind *kind;
    hyi_message *message;
    const hy_send_options *options;
} send_order;

static bool poke(hy_node *node, hy_actor *actor, uint32_t generation, uint8_t orders);
static hy_err send_elsewhere(hy_node *node, const send_order *order, hy_actor *actor);
static hy_err send_to_full(hy_node *node, const send_order *order, hy_actor *actor);
static hy_err send_from_outside(const send_order *order);

// ---- counting ---------------------------------------------------------------------------------

static inline hyi_worker *send_here(const hy_node *node) {
    hyi_worker *here = hyi_here;
    return here && here->node == node ? here : NULL;
}

static inline void send_count(hy_node *node) {
    hyi_worker *here = send_here(node);
    if (__builtin_expect(here != NULL, 1)) {
        HYI_BUMP(here->sent, 1);
    } else {
        atomic_fetch_add_explicit(&node->sent, 1, memory_order_relaxed);
    }
}

static void send_count_drop(hy_node *node, hy_drop reason) {
    hyi_worker *here = send_here(node);
    if (here) {
        HYI_BUMP(here->dropped[reason], 1);
    } else {
        atomic_fetch_add_explicit(&node->dropped[reason], 1, memory_order_relaxed);
    }
}

// Counted as sent and dropped; the message is the caller's still.
static hy_err send_refuse(hy_node *node, const send_order *order, hy_drop reason, hy_err err) {
    if (order->message->flags & HYI_MESSAGE_SYSTEM) return err;
    send_count(node);
    send_count_drop(node, reason);
    hyi_letter(node, order->to, order->kind, order->message, reason);
    if (order->message->flags & HYI_MESSAGE_ASKED) hyi_ask_dropped(order->message, reason);
    return err;
}

// A message that its sender drops: a shared one's ticket was not used.
static void send_free(hyi_message *message) {
    if (message->flags & HYI_MESSAGE_SHARED) hyi_shared_unsent(message);
    hyi_message_free(message);
}

// ---- dropping ---------------------------------------------------------------------------------

static const hy_message_kind *send_kind_of(const hy_actor_type *type, uint32_t tag) {
    const hy_protocol *protocol = type->first ? type->first->protocol : type->protocol;
    for (uint32_t i = 0; protocol && i < protocol->count; i++) {
        if (protocol->kinds[i]->tag == tag) return protocol->kinds[i];
    }
    return NULL;
}

void hyi_drop(hy_ref to, const hy_message_kind *kind, hyi_message *message, hy_drop reason) {
    hy_node *node = hyi_here ? hyi_here->node : hy_node_of(to);
    if (node && message->tag != 0) {
        send_count_drop(node, reason);
        hyi_letter(node, to, kind, message, reason);
    }
    if (message->flags & HYI_MESSAGE_ASKED) hyi_ask_dropped(message, reason);
    if (message->flags & HYI_MESSAGE_ALARM) hyi_alarm_dropped(to, message);
    hyi_message_free(message);
}

void hyi_drop_queued(hy_ref to, const hy_actor_type *type, hyi_message *message, hy_drop reason) {
    if (message->flags & HYI_MESSAGE_SYSTEM) {
        message->tag &= (uint16_t)~HYI_SYSTEM_STALE;
        if (message->tag == HYI_SYSTEM_ANSWER) {
            hyi_message_free(message);
        } else {
            hyi_system_refused(message);
        }
    } else {
        hyi_drop(to, send_kind_of(type, message->tag), message, reason);
    }
}

// ---- to an actor of one's own -----------------------------------------------------------------

// True: it is in. False: a sender of another thread is in the middle of a push, so it has to go
// behind that.
static inline bool send_to_own(hyi_worker *here, hy_actor *actor, hyi_message *message) {
    if (__builtin_expect(!hyi_inbox_is_clear(actor), 0) && !hyi_inbox_drain_some(actor)) {
        return false;
    }
    if (__builtin_expect(message->flags & (HYI_MESSAGE_SYSTEM | HYI_MESSAGE_URGENT), 0)) {
        hyi_lane_append(actor, message);
        if ((message->flags & HYI_MESSAGE_SYSTEM) == 0) hyi_mailbox_count(actor, 1);
    } else {
        hyi_local_append(actor, message);
        hyi_mailbox_count(actor, 1);
    }
    hyi_make_ready(here, actor);
    return true;
}

static inline bool send_may_own(const hyi_worker *here, const hy_actor *actor) {
    uint32_t pinned = hyi_pinned(actor);
    return pinned == 0 || pinned == here->number + 1u;
}

// Does this worker own it, or can it from now on?
static inline bool send_owns(hyi_worker *here, hy_actor *actor) {
    // Relaxed: only this worker writes its own number.
    if (__builtin_expect(atomic_load_explicit(&actor->owner, memory_order_relaxed) == here->number,
                         1)) {
        return true;
    }
    return false;
}

// ---- sending ----------------------------------------------------------------------------------

// Relaxed: the actor may end while a thread that does not own it looks; then the push finds out.
static inline const hy_protocol *send_protocol_of(const hy_actor *actor) {
    const hy_actor_type *type = __atomic_load_n(&actor->type, __ATOMIC_RELAXED);
    if (__builtin_expect(!type, 0)) return NULL; // nobody's so far, whatever the ref says
    return type->first ? type->first->protocol : type->protocol;
}

static inline hy_err send_try(const send_order *order) {
    hyi_worker *here = hyi_here;
    if (__builtin_expect(!here || here->node->options.number != hyi_ref_node(order->to), 0)) {
        return send_from_outside(order);
    }
    hy_node *node = here->node;
    uint8_t lanes = order->message->flags & (HYI_MESSAGE_SYSTEM | HYI_MESSAGE_URGENT);
    if (here->out_count > 0 && !lanes &&
        hyi_out_link(here, order->to, order->kind->protocol, order->message)) {
        HYI_BUMP(here->sent, 1);
        return HY_OK;
    }
    hy_actor *actor = hyi_find_in(node, order->to);
    if (__builtin_expect(!actor || !send_owns(here, actor), 0)) {
        return send_elsewhere(node, order, actor);
    }
    if (__builtin_expect(send_protocol_of(actor) != order->kind->protocol, 0)) {
        return send_refuse(node, order, HY_DROP_UNHANDLED, HY_TYPE);
    }
    if (__builtin_expect(hyi_mailbox_is_full(actor), 0)) return send_to_full(node, order, actor);
    if (__builtin_expect(!send_to_own(here, actor, order->message), 0)) {
        return send_elsewhere(node, order, actor);
    }
    HYI_BUMP(here->sent, 1);
    return HY_OK;
}

static void send_stale(hy_actor *actor, hyi_message *message) {
    hy_node *node = hyi_node_of_actor(actor);
    send_count_drop(node, HY_DROP_NOBODY);
    const hy_message_kind *kind =
        send_kind_of(__atomic_load_n(&actor->type, __ATOMIC_RELAXED), message->tag);
    hyi_letter(node, HY_NOBODY, kind, message, HY_DROP_NOBODY);
    // It may lie in the slot until the next actor finds it: nobody shall wait for it until then.
    if (message->flags & HYI_MESSAGE_SHARED) hyi_shared_unsent(message);
    if (message->flags & HYI_MESSAGE_ASKED) hyi_ask_dropped(message, HY_DROP_NOBODY);
}

void hyi_out_push(hy_node *node, hy_actor *actor, uint32_t generation, hyi_message *first,
                  hyi_message *last, uint32_t count) {
    bool stale = false;
    hyi_chain chain = { .first = first, .last = last, .count = count };
    // Stale ones are counted and told of here, and whoever finds them frees them.
    if (hyi_inbox_push(actor, generation, chain, send_stale, &stale) == HYI_PUSHED_OWNING) {
        hyi_life_place(node, actor);
    }
}

// The actor was nobody's, and is this worker's from now on. True: it is the one that was meant, and
// has the message.
static bool send_seized(hyi_worker *here, const send_order *order, hy_actor *actor) {
    if (!send_may_own(here, actor)) { // another one, that came into the slot meanwhile
        hyi_life_place(here->node, actor);
        return false;
    }
    atomic_store_explicit(&actor->owner, here->number, memory_order_relaxed);
    uint32_t life = atomic_load_explicit(&actor->life, memory_order_relaxed);
    if (life >> 8 == hyi_ref_generation(order->to) && send_to_own(here, actor, order->message)) {
        return true;
    }
    hyi_make_ready(here, actor);
    return false;
}

// By the inbox, unless nobody owns the actor. To the sender it is taken in every case.
static hy_err send_push(hy_node *node, const send_order *order, hy_actor *actor) {
    hyi_worker *here = send_here(node);
    hyi_message *message = order->message;
    uint32_t generation = hyi_ref_generation(order->to);
    bool is_plain = (message->flags & (HYI_MESSAGE_SYSTEM | HYI_MESSAGE_URGENT)) == 0;
    if (!(message->flags & HYI_MESSAGE_SYSTEM)) send_count(node);
    if (here && send_may_own(here, actor) && hyi_inbox_seize(actor)) {
        if (send_seized(here, order, actor)) return HY_OK;
    } else if (here && is_plain) {
        hyi_out_note(here, actor, order->to, order->kind->protocol);
    }
    hyi_out_push(node, actor, generation, message, message, 1);
    // A lane that overtakes: the owner is to look through the whole inbox.
    if (!is_plain) (void)poke(node, actor, generation, HYI_ORDER_SYSTEM);
    return HY_OK;
}

static hy_err send_gone(hy_node *node, const send_order *order) {
    bool closing = atomic_load_explicit(&node->closing, memory_order_relaxed);
    return send_refuse(node, order, HY_DROP_NOBODY, closing ? HY_CLOSED : HY_NOT_FOUND);
}

// To an actor that this thread does not own, or not known to.
static hy_err send_elsewhere(hy_node *node, const send_order *order, hy_actor *actor) {
    if (!actor) return send_gone(node, order);
    if (order->kind && send_protocol_of(actor) != order->kind->protocol) {
        return send_refuse(node, order, HY_DROP_UNHANDLED, HY_TYPE);
    }
    if (order->kind && hyi_mailbox_is_full(actor)) return send_to_full(node, order, actor);
    return send_push(node, order, actor);
}

static hy_err send_from_outside(const send_order *order) {
    uint8_t number = hyi_ref_node(order->to);
    hy_node *node = order->to.id ? hyi_node_hold(number) : NULL;
    if (!node) {
        // Nobody's message is counted where this thread works, or nowhere.
        return hyi_here ? send_gone(hyi_here->node, order) : HY_NOT_FOUND;
    }
    // Its memory is this node's still: see node_free.
    if (hyi_here) atomic_store_explicit(&hyi_here->node->exported, true, memory_order_relaxed);
    hy_err err = send_elsewhere(node, order, hyi_find_in(node, order->to));
    hyi_node_let_go(number);
    return err;
}

// ---- full -------------------------------------------------------------------------------------

static hy_err send_redirected(hy_node *node, const send_order *order, hy_ref to) {
    hy_actor *actor = hyi_find_in(node, to);
    send_order again = *order;
    again.to = to;
    if (!actor) return send_gone(node, &again);
    // One that does not speak the protocol is no help either.
    bool speaks = send_protocol_of(actor) == order->kind->protocol;
    if (!speaks || hyi_mailbox_is_full(actor)) {
        return send_refuse(node, &again, HY_DROP_FULL, HY_LIMIT);
    }
    return send_push(node, &again, actor);
}

// The policy may have waited: the actor may be gone, or have moved.
static hy_err send_to_full(hy_node *node, const send_order *order, hy_actor *actor) {
    hy_ns room_wait = order->options ? order->options->room_wait : 0;
    hyi_full_answer answer = hyi_mailbox_full(order->to, actor, room_wait);
    if (answer.verdict == HYI_FULL_ELSEWHERE) return send_redirected(node, order, answer.elsewhere);
    if (answer.verdict == HYI_FULL_DROP) {
        hy_err err = send_refuse(node, order, answer.reason, answer.err);
        if (err == HY_OK) send_free(order->message);
        return err;
    }
    actor = hyi_find_in(node, order->to);
    if (!actor) return send_gone(node, order);
    if (answer.verdict == HYI_FULL_PROMISED) hyi_promise_use(order->to, actor);
    hyi_worker *here = send_here(node);
    if (here && send_owns(here, actor) && send_to_own(here, actor, order->message)) {
        HYI_BUMP(here->sent, 1);
        return HY_OK;
    }
    return send_push(node, order, actor);
}

// ---- what the macros call ---------------------------------------------------------------------

// What most messages are: flat, without options, from a handler that carries nothing, to an actor
// that this worker owns and that has room. False: look again, more slowly; nothing has changed.
static inline bool send_is_plain(const hyi_worker *here, const hy_message_kind *kind,
                                 const hy_send_options *options) {
    const hy_task *task = hyi_current;
    return here && !options && hyi_deep_is_flat(kind) && task && task->scope == here->scope;
}

static inline bool send_plainly(hyi_worker *here, hy_ref to, const hy_message_kind *kind,
                                hyi_message *message) {
    uint32_t slot = (uint32_t)to.id;
    if (here->node_number != hyi_ref_node(to) || slot >= here->slots_max) return false;
    // Acquire: as in hyi_find_in.
    hy_actor *chunk =
        atomic_load_explicit(&here->chunks[slot / HYI_CHUNK_SLOTS], memory_order_acquire);
    if (!chunk) return false;
    hy_actor *actor = chunk + slot % HYI_CHUNK_SLOTS;
    // Relaxed: if this worker owns it nobody else ends it.
    uint32_t life = atomic_load_explicit(&actor->life, memory_order_relaxed);
    bool is_own = atomic_load_explicit(&actor->owner, memory_order_relaxed) == here->number &&
                  life >> 8 == hyi_ref_generation(to) && hyi_inbox_is_clear(actor) &&
                  !hyi_mailbox_is_full(actor) && send_protocol_of(actor) == kind->protocol &&
                  here->out_count == 0;
    if (__builtin_expect(!is_own, 0)) return false;
    hyi_local_append(actor, message);
    hyi_mailbox_count(actor, 1);
    HYI_BUMP(here->sent, 1);
    hyi_make_ready(here, actor);
    return true;
}

static hy_err tell_slowly(send_order *order) {
    hy_err err = HY_OK;
    if (hyi_needs_dress(order->kind, order->options, true)) {
        err = hyi_message_dress(order->kind, &order->message, order->options, true);
    }
    if (err == HY_OK) err = send_try(order);
    if (err != HY_OK) hyi_message_free(order->message);
    return err;
}

hy_err hyi_tell(hy_ref to, const hy_message_kind *kind, void *copy,
                const hy_send_options *options) {
    if (__builtin_expect(!copy, 0)) return HY_NOMEM;
    hyi_message *message = (hyi_message *)copy - 1;
    hyi_worker *here = hyi_here;
    if (__builtin_expect(send_is_plain(here, kind, options), 1) &&
        __builtin_expect(send_plainly(here, to, kind, message), 1)) {
        return HY_OK;
    }
    return tell_slowly(&(send_order){ to, kind, message, options });
}

hy_err hyi_move(hy_ref to, const hy_message_kind *kind, void *message,
                const hy_send_options *options) {
    HY_ASSERT(message != NULL);
    send_order order = { to, kind, (hyi_message *)message - 1, options };
    HY_ASSERT(order.message->tag == kind->tag);
    order.message->stamp = hyi_here ? hyi_here->batch_stamp : 0;
    order.message->flags &= (uint8_t)~HYI_MESSAGE_URGENT; // of the send it was taken from
    if (hyi_needs_dress(kind, options, false)) {
        hy_err err = hyi_message_dress(kind, &order.message, options, false);
        if (err != HY_OK) return err;
        HY_ASSERT(order.message + 1 == message); // it had room for all that is added
    }
    return send_try(&order);
}

// `to` is the ref that found the actor, not what its slot says by now: it may have ended since, and
// a push that asked the slot who it is for would leave the message in a free one, or to the next.
static void send_system(hy_node *node, hy_actor *actor, hy_ref to, hyi_message *message) {
    hyi_worker *here = send_here(node);
    message->stamp = here ? here->batch_stamp : 0;
    send_order order = { to, NULL, message, NULL };
    if (here && send_owns(here, actor) && send_to_own(here, actor, message)) return;
    (void)send_push(node, &order, actor);
}

hy_err hyi_send(hy_ref to, const hy_message_kind *kind, hyi_message *message,
                const hy_send_options *options) {
    send_order order = { to, kind, message, options };
    hy_err err = HY_OK;
    if (kind) {
        err = send_try(&order);
        if (err != HY_OK) send_free(message);
        return err;
    }
    message->flags |= HYI_MESSAGE_SYSTEM;
    uint8_t number = hyi_ref_node(to);
    hy_node *node = to.id ? hyi_node_hold(number) : NULL;
    hy_actor *actor = node ? hyi_find_in(node, to) : NULL;
    hyi_yield_point("send: found");
    if (actor) {
        send_system(node, actor, to, message);
    } else {
        err = HY_NOT_FOUND;
    }
    if (node) hyi_node_let_go(number);
    if (err != HY_OK) hyi_drop_queued(to, NULL, message, HY_DROP_NOBODY);
    return err;
}

void hyi_send_system(hy_actor *to, hyi_message *message) {
    message->flags |= HYI_MESSAGE_SYSTEM;
    send_system(hyi_node_of_actor(to), to, hyi_ref_of(to), message);
}

// ---- orders -----------------------------------------------------------------------------------

static void poke_place(hy_node *node, hy_actor *actor) {
    hyi_worker *here = send_here(node);
    if (here && here->out_count > 0) hyi_out_flush(here); // it may become this worker's
    if (here && send_owns(here, actor)) {
        hyi_make_ready(here, actor);
    } else if (hyi_inbox_seize(actor)) {
        hyi_life_place(node, actor);
    }
}

static bool poke(hy_node *node, hy_actor *actor, uint32_t generation, uint8_t orders) {
    uint32_t life = atomic_load_explicit(&actor->life, memory_order_relaxed);
    do {
        if (life >> 8 != generation) return false;
        hyi_yield_point("poke");
        // Sequential: before the look at EMPTY in hyi_inbox_seize; hyi_inbox_let_go does the two
        // the other way round.
    } while (!atomic_compare_exchange_weak_explicit(&actor->life, &life, life | orders,
                                                    memory_order_seq_cst, memory_order_relaxed));
    poke_place(node, actor);
    return true;
}

bool hyi_poke_ref(hy_ref ref, uint8_t orders) {
    uint8_t number = hyi_ref_node(ref);
    hy_node *node = ref.id ? hyi_node_hold(number) : NULL;
    if (!node) return false;
    hy_actor *actor = hyi_find_in(node, ref);
    bool done = actor && poke(node, actor, hyi_ref_generation(ref), orders);
    hyi_node_let_go(number);
    return done;
}

void hyi_poke(hy_actor *actor, uint8_t orders) {
    uint32_t life = atomic_load_explicit(&actor->life, memory_order_relaxed);
    (void)poke(hyi_node_of_actor(actor), actor, life >> 8, orders);
}

void hyi_orders_clear(hy_actor *actor, uint8_t orders) {
    // Acquire: pairs with the release of whoever gave them; what was written before is seen.
    atomic_fetch_and_explicit(&actor->life, ~(uint32_t)orders, memory_order_acq_rel);
}
