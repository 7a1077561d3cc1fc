// life.c - how a slot becomes an actor, and is a slot again.
//
// A new actor has a slot, state, and nothing in its mailbox; whoever made it hands it to a worker
// (hyi_actor_launch), and its first turn runs its start. The ref is good from the moment it is
// made: what is sent before the start waits.
//
// The end has two parts. hyi_actor_gone makes the refs stale: from there on no push reaches the
// actor, but those under way. hyi_life_over drains until none is under way, and gives the slot
// back. In between the actor is HYI_ENDED, and owned.
//
//     pusher: exchange of newest  -> look at the generation
//     owner:  generation grows    -> look at newest
//
// All four are sequentially consistent. So a pusher that still finds the old generation has its
// message seen by the owner, and counted; and one that does not marks its message, see queue.h.
//
// The state lies in the slot if it is small, else in a block; behind it lies the argument: a copy,
// or the pointer.
#include "actor/life.h"
#include "actor/birth.h"
#include "actor/ending.h"
#include "actor/mailbox.h"
#include "actor/queue.h"
#include "actor/share.h"
#include "actor/slot.h"

#include <string.h>

#define LIFE_INLINE 0x40u  // state_class: the state lies in the slot
#define LIFE_HAS_ARG 0x80u // behind it is the argument
#define LIFE_CLASS 0x3fu

// ---- the state and the argument ---------------------------------------------------------------

static size_t life_arg_offset(const hy_actor_type *type) {
    size_t align = type->arg_size > 0 ? 16 : sizeof(void *);
    return (type->state_size + align - 1) & ~(align - 1);
}

static bool life_make_state(hy_actor *actor, const hy_actor_type *type, const void *arg) {
    size_t size = type->state_size;
    uint8_t has_arg = 0;
    if (arg) {
        has_arg = LIFE_HAS_ARG;
        size = life_arg_offset(type) + (type->arg_size > 0 ? type->arg_size : sizeof arg);
    }
    if (size <= HYI_INLINE_STATE) {
        actor->state = actor->inline_state;
        actor->state_class = LIFE_INLINE | has_arg;
    } else {
        uint8_t block_class = 0;
        actor->state = hyi_block_alloc(size, &block_class);
        if (!actor->state) return false;
        actor->state_class = block_class | has_arg;
    }
    if (!arg) return true;
    void *at = (uint8_t *)actor->state + life_arg_offset(type);
    if (type->arg_size > 0) {
        memcpy(at, arg, type->arg_size);
    } else {
        memcpy(at, &arg, sizeof arg);
    }
    return true;
}

static void life_free_state(hy_actor *actor) {
    if (!(actor->state_class & LIFE_INLINE) && actor->state) {
        hyi_block_free(actor->state, actor->state_class & LIFE_CLASS);
    }
    actor->state = NULL;
}

const void *hyi_actor_arg(const hy_actor *actor) {
    if (!(actor->state_class & LIFE_HAS_ARG)) return NULL;
    const void *at = (const uint8_t *)actor->state + life_arg_offset(actor->type);
    if (actor->type->arg_size > 0) return at;
    const void *arg = NULL;
    memcpy(&arg, at, sizeof arg);
    return arg;
}

// ---- the beginning ----------------------------------------------------------------------------

// Refs to it are good from here on. Orders that were given to a free slot are nobody's.
static void life_begin(hy_actor *actor) {
    uint32_t generation = atomic_load_explicit(&actor->life, memory_order_relaxed) >> 8;
    HY_ASSERT_SLOW(generation % 2 == 0);
    // Release: pairs with the acquire in hyi_find_in.
    atomic_store_explicit(&actor->life, (generation + 1) << 8, memory_order_release);
}

// Nothing waits there, and as much as usual may.
static void life_empty_mailbox(hy_actor *actor) {
    uint32_t sent = atomic_load_explicit(&actor->inbox_sent, memory_order_relaxed);
    atomic_store_explicit(&actor->inbox_limit, sent + HYI_MAILBOX_CAPACITY, memory_order_relaxed);
}

hy_err hyi_actor_new(hy_node *node, const hy_actor_type *type, const void *arg,
                     hy_actor **out_actor) {
    HY_ASSERT(HY_IMPLIES(type->arg_size > 0, arg));
    hy_actor *actor = NULL;
    hy_err err = hyi_slot_take(node, &actor);
    if (err != HY_OK) return err;
    __atomic_store_n(&actor->type, type, __ATOMIC_RELAXED); // late senders of the last actor look
    if (!life_make_state(actor, type, arg)) {
        hyi_slot_give(node, actor);
        return HY_NOMEM;
    }
    actor->behaviour = type->first;
    actor->kin = NULL;
    actor->birth = NULL;
    actor->ending = 0;
    actor->local_first = NULL;
    actor->next = NULL;
    actor->local_count = actor->handled = 0;
    actor->flags = type->run ? HYI_ACTOR_FIBER : 0;
    actor->awaited = 0;
    atomic_store_explicit(&actor->pinned, 0, memory_order_relaxed);
    actor->phase = HYI_UNBORN;
    atomic_store_explicit(&actor->waits_for, 0, memory_order_relaxed);
    life_empty_mailbox(actor);
    life_begin(actor);
    *out_actor = actor;
    return HY_OK;
}

void hyi_life_place(hy_node *node, hy_actor *actor) {
    hyi_worker *here = hyi_here;
    bool is_here = here && here->node == node;
    uint32_t pinned = hyi_pinned(actor);
    if (is_here && (pinned == 0 || pinned == here->number + 1u)) {
        atomic_store_explicit(&actor->owner, here->number, memory_order_relaxed);
        hyi_make_ready(here, actor);
    } else {
        hyi_inject(pinned ? node->workers[pinned - 1] : hyi_any_worker(node), actor);
    }
}

void hyi_actor_launch(hy_actor *actor) {
    hyi_life_place(hyi_node_of_actor(actor), actor);
}

// ---- the end ----------------------------------------------------------------------------------

static void life_free_rest(hy_actor *actor) {
    hy_node *node = hyi_node_of_actor(actor);
    if (actor->kin) hyi_kin_free(node, actor->kin);
    if (actor->birth) hyi_birth_free(node, actor->birth);
    actor->kin = NULL;
    actor->birth = NULL;
}

void hyi_actor_gone(hy_actor *actor) {
    uint32_t generation = atomic_load_explicit(&actor->life, memory_order_relaxed) >> 8;
    actor->phase = HYI_ENDED;
    // Sequential: pairs with the look at the generation in hyi_inbox_push, see above.
    uint32_t life =
        atomic_exchange_explicit(&actor->life, (generation + 1) << 8, memory_order_seq_cst);
    hyi_yield_point("gone");
    hyi_mailbox_end(hyi_node_of_actor(actor), actor, (uint8_t)(life & HYI_ORDERS));
}

void hyi_actor_discard(hy_actor *actor) {
    hyi_actor_gone(actor);
    actor->phase = HYI_FREE;
    life_free_rest(actor);
    life_free_state(actor);
    hyi_slot_give(hyi_node_of_actor(actor), actor);
}

// The ref that it had.
static hy_ref life_old_ref(const hy_actor *actor) {
    hy_ref ref = hyi_ref_of(actor);
    return (hy_ref){ ref.id - ((uint64_t)1 << 32) };
}

static uint32_t life_drop_all(hy_actor *actor) {
    uint32_t count = 0;
    hyi_message *message = NULL;
    while ((message = hyi_mailbox_take(actor))) {
        count++;
        hyi_drop_queued(life_old_ref(actor), actor->type, message, HY_DROP_ENDED);
    }
    while (actor->kin && (message = actor->kin->stash_first)) {
        actor->kin->stash_first = (hyi_message *)message->next_;
        hyi_drop_queued(life_old_ref(actor), actor->type, message, HY_DROP_ENDED);
    }
    return count;
}

bool hyi_life_over(hyi_worker *worker, hy_actor *actor) {
    HY_ASSERT(actor->phase == HYI_ENDED);
    // Sequential: after the generation has grown, see above.
    bool is_clear =
        atomic_load_explicit(&actor->inbox_newest, memory_order_seq_cst) == HYI_INBOX_OWNED;
    if (__builtin_expect(!is_clear, 0)) is_clear = hyi_inbox_drain(actor);
    life_drop_all(actor);
    if (!is_clear) return false;
    if (actor->flags & HYI_ACTOR_LINGERS) hyi_linger_forget(worker, actor);
    life_free_rest(actor);
    life_free_state(actor);
    atomic_store_explicit(&actor->owner, HYI_NO_OWNER, memory_order_relaxed);
    actor->phase = HYI_FREE;
    life_empty_mailbox(actor);
    hyi_slot_give(worker->node, actor);
    if (__builtin_expect(atomic_load_explicit(&worker->node->closing, memory_order_relaxed), 0)) {
        hyi_node_one_less(worker->node);
    }
    return true;
}

void hyi_life_wipe(hy_actor *actor) {
    hyi_message *message = atomic_load_explicit(&actor->inbox_oldest, memory_order_relaxed);
    atomic_store_explicit(&actor->inbox_oldest, NULL, memory_order_relaxed);
    while (message) {
        hyi_message *next = (hyi_message *)message->next_;
        hyi_message_free(message);
        message = next;
    }
}
