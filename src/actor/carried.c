// carried.c - what a message carries besides its body: deadline and baggage.
//
// A send that needs more than a copied struct is dressed here: what the struct points to, the lane,
// the deadline, the baggage of the sender's scope. All of it is measured first, so a message moves
// to a larger block at most once, and nothing has to be taken back when memory is short.
//
// Time travels as what is left of it (hy_baggage); but within one node sender and handler share a
// clock, so what the message waited is taken off before the handler gets it.
#include "actor/carried.h"
#include "actor/for_broker.h"

#include "scope/inside.h"

#include <string.h>

// ---- the sender's side ------------------------------------------------------------------------

bool hyi_carries(void) {
    const hy_task *task = hyi_current;
    if (!task) return false;
    const hy_scope *scope = task->scope, *common = hyi_here ? hyi_here->scope : NULL;
    if (scope == common) return false; // a handler that was given nothing
    if (scope->root->observer && scope->root->observer->baggage) return true;
    if (!common) return scope->baggage || scope->deadline != HY_NEVER;
    // What all handlers have anyway, because the node's scope has it, need not be carried.
    return scope->baggage != common->baggage || scope->deadline != common->deadline;
}

typedef struct carried_needs {
    size_t used; // header and body
    size_t deep; // behind the body
    bool more, baggage;
} carried_needs;

static hy_err carried_measure(const hy_message_kind *kind, const hyi_message *message,
                              const hy_send_options *options, bool copies, carried_needs *out) {
    *out = (carried_needs){ .used = sizeof *message + kind->size };
    if (message->flags & HYI_MESSAGE_SHARED) out->used = 2 * sizeof *message;
    out->baggage = hyi_carries();
    out->more = out->baggage || (options && options->deadline != 0);
    if (!copies || hyi_deep_is_flat(kind)) return HY_OK;
    return hyi_deep_size(kind->record, message + 1, &out->deep);
}

// Room for all of it, and the texts and lists copied.
static hy_err carried_grow(const hy_message_kind *kind, hyi_message **message,
                           const carried_needs *needs) {
    size_t used = needs->used;
    if (needs->deep) used = ((used + 15) & ~(size_t)15) + needs->deep;
    hyi_message *old = *message;
    uint8_t flags = (uint8_t)(old->flags | (needs->more ? HYI_MESSAGE_MORE : 0));
    if (used + hyi_tail_size(flags) > hyi_block_size(old, old->block_class)) {
        // Only header and body are there to be moved; what is behind the body comes afterwards.
        uint8_t block_class;
        hyi_message *larger = hyi_block_alloc(used + hyi_tail_size(flags), &block_class);
        if (!larger) return HY_NOMEM;
        memcpy(larger, old, needs->used);
        larger->block_class = block_class;
        size_t tail = hyi_tail_size(old->flags);
        memcpy((uint8_t *)larger + hyi_block_size(larger, block_class) - tail,
               (uint8_t *)old + hyi_block_size(old, old->block_class) - tail, tail);
        hyi_block_free(old, old->block_class);
        *message = larger;
    }
    if (needs->deep) {
        hyi_deep_move(kind->record, *message + 1, (uint8_t *)*message + used - needs->deep);
    }
    return HY_OK;
}

hy_err hyi_message_deepen(const hy_message_kind *kind, void **copy) {
    hyi_message *message = (hyi_message *)*copy - 1;
    carried_needs needs = { .used = sizeof *message + kind->size, .more = true };
    hy_err err = HY_OK;
    if (!hyi_deep_is_flat(kind)) err = hyi_deep_size(kind->record, *copy, &needs.deep);
    if (err == HY_OK) err = carried_grow(kind, &message, &needs);
    *copy = message + 1;
    return err;
}

// Where it already has some, of the one who sent it first (a message that was taken and is moved
// on), the latest sender's counts.
static bool carried_pack(hyi_more_tail *more) {
    if (!more->baggage) {
        more->baggage = hyi_block_alloc(sizeof *more->baggage, &more->baggage_class);
        if (!more->baggage) return false;
    }
    *more->baggage = hy_baggage_here();
    bool timed = more->baggage->time_left != HY_NEVER;
    more->packed_at = timed ? hy_world_now(hyi_current->root->world) : 0;
    return true;
}

hy_err hyi_message_dress(const hy_message_kind *kind, hyi_message **message,
                         const hy_send_options *options, bool copies) {
    carried_needs needs;
    hy_err err = carried_measure(kind, *message, options, copies, &needs);
    if (err == HY_OK) err = carried_grow(kind, message, &needs);
    if (err != HY_OK) return err;
    if (options && options->lane == HY_LANE_URGENT) (*message)->flags |= HYI_MESSAGE_URGENT;
    if (!needs.more) return HY_OK;
    hyi_more_tail *more = hyi_more_begin(*message);
    if (options && options->deadline) more->deadline = options->deadline;
    return needs.baggage && !carried_pack(more) ? HY_NOMEM : HY_OK;
}

// ---- the handler's side -----------------------------------------------------------------------

bool hyi_message_is_late(const hyi_worker *worker, hyi_message *message) {
    const hyi_more_tail *more = hyi_more_of(message);
    return more && more->deadline != 0 && worker->batch_began > more->deadline;
}

// What is left of the sender's time, less what the message waited.
static hy_ns carried_time_left(const hyi_more_tail *more, hy_ns now) {
    hy_ns left = more->baggage->time_left;
    if (left == 0 || left == HY_NEVER) return HY_NEVER;
    left -= now - more->packed_at;
    return left > 0 ? left : 1; // 0 would say that there is no deadline
}

// Baggage without a time left, and nobody who observes scopes: the scope need not keep a copy.
static hy_err carried_lightly(hy_actor *actor, hyi_message *message, const hy_baggage *baggage,
                              hy_err *out_scope_err) {
    hy_err err = HY_OK;
    HY_SCOPE(scope, out_scope_err, .name = "message") {
        scope->baggage = baggage; // its block's is a copy on the stack that outlives it
        err = actor->behaviour->handle(actor, actor->state, message);
    }
    return err;
}

static hy_err carried_fully(hy_actor *actor, hyi_message *message, const hy_baggage *baggage,
                            hy_err *out_scope_err) {
    hy_err err = HY_NOMEM;
    HY_SCOPE(scope, out_scope_err, .name = "message", .baggage = baggage) {
        err = actor->behaviour->handle(actor, actor->state, message);
    }
    return err;
}

hy_err hyi_handle_carried(hyi_worker *worker, hy_actor *actor, hyi_message *message) {
    const hyi_more_tail *more = hyi_more_of(message);
    if (!more || !more->baggage) return actor->behaviour->handle(actor, actor->state, message);
    hy_baggage baggage = *more->baggage;
    baggage.time_left = carried_time_left(more, worker->batch_began);
    hy_err scope_err = HY_OK;
    bool is_light = baggage.time_left == HY_NEVER && !hyi_current->root->observer;
    hy_err err = is_light ? carried_lightly(actor, message, &baggage, &scope_err)
                          : carried_fully(actor, message, &baggage, &scope_err);
    // That the sender's time ran out is no failure of a handler that is content.
    bool cut = scope_err == HY_TIMEOUT || scope_err == HY_CANCELLED;
    return err == HY_OK && !cut ? scope_err : err;
}

const hy_baggage *hy_message_baggage(const hy_actor *self) {
    hyi_message *message = hyi_handling(self);
    const hyi_more_tail *more = message ? hyi_more_of(message) : NULL;
    return more ? more->baggage : NULL;
}
