// spawn.c - a new actor: its slot, its options, and its place below a parent.
//
// The children of an actor are listed by its owner. An actor lists its own children at once, and
// their start is the next thing that happens; so does the worker that owns it, unless others wait
// to be adopted. Anybody else makes the child, which rests, and sends its birth to the parent
// (SYSTEM_ADOPT); the parent lists it and orders it to start, or lets it go: HY_CLOSED or HY_LIMIT
// then is what it ended with. The ref is good in both cases, and what is sent to it waits.
//
// An actor below nobody without options has no birth and no kin: its slot is all.
#include "actor/adopt.h"
#include "actor/ask.h"
#include "actor/ending.h"
#include "actor/mailbox.h"
#include "actor/queue.h"
#include "actor/rearing.h"
#include "actor/slot.h"

#include <string.h>

const hy_actor_type hy_supervisor_type = { .name = "supervisor" };

typedef struct spawn_order {
    hy_node *node;
    hy_ref parent_ref;
    hy_actor *parent; // NULL: nobody
    bool is_direct;   // the caller may list it at once
    const hy_actor_options *options;
    hyi_spec *spec;
} spawn_order;

typedef struct spawn_adoption { // SYSTEM_ADOPT
    hyi_message message;
    hyi_birth *birth;
} spawn_adoption;

static hy_err spawn_spec(spawn_order *order);
static hy_err spawn_dress(const spawn_order *order, hy_actor *actor);
static hy_err spawn_direct(const spawn_order *order, hy_actor *actor);
static hy_err spawn_by_message(const spawn_order *order, hy_actor *actor);

// May the caller touch the parent's kin? An actor its own in any case: while its handler waits it
// is nobody's, but bound to this worker.
static bool spawn_is_own(const hy_actor *parent) {
    return hyi_here && parent->node == hyi_here->node->options.number && hyi_actor_here() == parent;
}

static bool spawn_owns(const hy_actor *parent) {
    return hyi_here && parent->node == hyi_here->node->options.number &&
           // Relaxed: only this worker writes its own number.
           atomic_load_explicit(&parent->owner, memory_order_relaxed) == hyi_here->number;
}

// Children are listed in order of spawn: behind those whose adoption is on its way.
static bool spawn_must_queue(const hy_actor *parent) {
    return !hyi_inbox_is_clear(parent) || (parent->kin && parent->kin->system_first);
}

hy_err hy_spawn_actor(hy_node *node, hy_ref parent, const hy_actor_type *type, const void *arg,
                      const hy_actor_options *options, hy_ref *out_ref) {
    spawn_order order = { .node = node, .parent_ref = parent, .options = options };
    // Relaxed: a spawn at the same time as the close is before it or after it.
    if (atomic_load_explicit(&node->closing, memory_order_relaxed)) return HY_CLOSED;
    hy_err err = HY_OK;
    if (parent.id != 0) {
        order.parent = hyi_find_in(node, parent);
        if (!order.parent || hy_node_of(parent) != node) return HY_NOT_FOUND;
        bool is_own = spawn_is_own(order.parent), is_owned = is_own || spawn_owns(order.parent);
        if (is_owned) err = hyi_rearing_admits(order.parent);
        if (err != HY_OK) return err;
        order.is_direct = is_own || (is_owned && !spawn_must_queue(order.parent));
    }
    err = spawn_spec(&order);
    if (err != HY_OK) return err;
    hy_actor *actor = NULL;
    err = hyi_actor_new(node, type, arg, &actor);
    if (err != HY_OK) {
        if (order.spec) hyi_spec_unref(node, order.spec);
        return err;
    }
    actor->ending = 0;
    *out_ref = hyi_ref_of(actor);
    err = spawn_dress(&order, actor);
    if (err == HY_OK) {
        if (hyi_here && hyi_here->node == node) hyi_event(hyi_here, HY_EVENT_SPAWNED, actor, 0);
        if (!order.parent) {
            hyi_actor_launch(actor);
            return HY_OK;
        }
        err = order.is_direct ? spawn_direct(&order, actor) : spawn_by_message(&order, actor);
    }
    if (err != HY_OK) {
        hyi_birth_free(node, actor->birth);
        actor->birth = NULL;
        hyi_actor_discard(actor);
        *out_ref = HY_NOBODY;
    }
    return err;
}

static hy_err spawn_spec(spawn_order *order) {
    if (order->is_direct) {
        return hyi_rearing_spec(order->parent, order->options, &order->spec);
    }
    if (order->options) return hyi_spec_make(order->node, order->options, &order->spec);
    if (order->parent) order->spec = &hyi_spec_default;
    return HY_OK;
}

// Options, before anybody knows the ref. From here on the birth has the spec.
static hy_err spawn_dress(const spawn_order *order, hy_actor *actor) {
    if (order->spec && (order->parent || !order->spec->is_static)) {
        hy_actor *parent = order->is_direct ? order->parent : NULL;
        actor->birth = hyi_birth_new(actor, parent, order->spec);
        if (!actor->birth) {
            hyi_spec_unref(order->node, order->spec);
            return HY_NOMEM;
        }
    }
    const hy_actor_options *options = order->options;
    if (!options) return HY_OK;
    atomic_store_explicit(&actor->pinned, (uint8_t)options->worker, memory_order_relaxed);
    if (options->name) {
        hyi_kin *kin = hyi_kin_of(actor);
        if (!kin) return HY_NOMEM;
        size_t len = strlen(options->name);
        if (len >= sizeof kin->name) len = sizeof kin->name - 1;
        memcpy(kin->name, options->name, len);
    }
    const hy_mailbox_options *mailbox = &options->mailbox;
    bool is_usual = mailbox->capacity == 0 && mailbox->full == HY_FULL_FAIL;
    return is_usual ? HY_OK : hyi_mailbox_begin(order->node, actor, mailbox);
}

static hy_err spawn_direct(const spawn_order *order, hy_actor *actor) {
    if (!hyi_rearing_of(order->parent)) return HY_NOMEM;
    bool starts = hyi_rearing_add(order->parent, actor->birth);
    if (!starts) actor->phase = HYI_RESTING;
    hyi_actor_launch(actor);
    return HY_OK;
}

static hy_err spawn_by_message(const spawn_order *order, hy_actor *actor) {
    uint8_t block_class = 0;
    spawn_adoption *adoption = (spawn_adoption *)hyi_block_alloc(sizeof *adoption, &block_class);
    if (!adoption) return HY_NOMEM;
    *adoption = (spawn_adoption){
        .message = { .tag = HYI_SYSTEM_ADOPT,
                     .flags = HYI_MESSAGE_SYSTEM,
                     .block_class = block_class },
        .birth = actor->birth,
    };
    actor->phase = HYI_RESTING;
    hyi_actor_launch(actor);
    hy_err err = hyi_send(order->parent_ref, NULL, &adoption->message, NULL);
    (void)err; // it has gone just now: the child ends with HY_CLOSED (hyi_adopt_refused)
    return HY_OK;
}

// ---- the parent -------------------------------------------------------------------------------

// Nobody will start it. Written while it rests, so the order is what publishes it.
static void adopt_let_go(hyi_birth *birth, hy_err why) {
    birth->ended_with = why;
    hyi_child_go(birth, HYI_WISH_END, 0);
}

static hyi_birth *adopt_take(hyi_message *message) {
    spawn_adoption *adoption = HYI_HOLDER(spawn_adoption, message, message);
    hyi_birth *birth = adoption->birth;
    hyi_block_free(adoption, message->block_class);
    return birth;
}

void hyi_adopt(hy_actor *actor, hyi_message *message) {
    hyi_birth *birth = adopt_take(message);
    hy_err err = hyi_rearing_admits(actor);
    if (err == HY_OK && !hyi_rearing_of(actor)) err = HY_NOMEM;
    if (err != HY_OK) {
        adopt_let_go(birth, err);
        return;
    }
    birth->adopter = actor;
    if (hyi_rearing_add(actor, birth)) hyi_poke(birth->actor, HYI_ORDER_START);
}

void hyi_adopt_refused(hyi_message *message) {
    adopt_let_go(adopt_take(message), HY_CLOSED);
}

// ---- who one is -------------------------------------------------------------------------------

hy_ref hy_self(const hy_actor *self) {
    return hyi_ref_of(self);
}

hy_node *hy_actor_node(const hy_actor *self) {
    return hyi_node_of_actor(self);
}

hy_ref hy_actor_parent(const hy_actor *self) {
    return self->birth && self->birth->parent ? hyi_ref_of(self->birth->parent) : HY_NOBODY;
}

hy_world *hy_actor_world(const hy_actor *self) {
    return hyi_worker_of(self)->world;
}
