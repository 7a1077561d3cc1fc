// turn.c - one visit to an actor: orders, system messages, urgent ones, then normal ones.
//
// The usual visit is a loop of three steps: take the oldest message, call the behaviour, free the
// message. Everything else (orders, other phases than running, messages with flags) branches off
// once, and is below.
//
// A handler that waits keeps the fiber it runs on: the root's hook (worker.c) lends it out, and the
// worker goes on with another one. The actor is HYI_ACTOR_LENT then, bound to its worker, and may
// be visited for what is urgent: orders, and system messages that call no user code. When the
// handler returns, its visit ends on the old fiber: hyi_turn_returned.
//
// What a turn has taken out of the mailbox gives room at its end, all at once.
#include "actor/turn.h"
#include "actor/alarm.h"
#include "actor/ask.h"
#include "actor/carried.h"
#include "actor/ending.h"
#include "actor/frozen.h"
#include "actor/life.h"
#include "actor/mailbox.h"
#include "actor/numbers.h"
#include "actor/out.h"
#include "actor/queue.h"
#include "actor/share.h"
#include "actor/slab.h"

static bool turn_unusual(hyi_worker *worker, hy_actor *actor, uint8_t orders);
static hy_err turn_special(hyi_worker *worker, hy_actor *actor, hyi_message *message);
static bool turn_messages(hyi_worker *worker, hy_actor *actor, uint32_t most);
static void turn_rest(hyi_worker *worker, hy_actor *actor, uint32_t freed);
static hyi_message **turn_at_hand(const hy_actor *actor);

// ---- the usual visit --------------------------------------------------------------------------

static inline uint32_t turn_most(const hyi_worker *worker, const hy_actor *actor) {
    if (!worker->is_real) return 1;
    uint32_t most = worker->node->options.turn_max;
    if (__builtin_expect(actor->birth != NULL, 0)) {
        uint32_t own = hyi_options(actor)->turn_max;
        if (own > 0) most = own;
    }
    // Where handlers take long the clock is looked at within a turn.
    return most < worker->slice ? most : worker->slice;
}

bool hyi_turn(hyi_worker *worker, hy_actor *actor) {
    worker->running = actor;
    // Release: pairs with the acquire in the watchdog.
    atomic_store_explicit(&worker->handler_of, actor, memory_order_release);
    worker->dispatcher->freed = 0;
    uint8_t orders = hyi_orders(actor);
    if (__builtin_expect(!hyi_inbox_is_clear(actor) || (orders & HYI_ORDER_SYSTEM), 0)) {
        if (orders & HYI_ORDER_SYSTEM) {
            // Before the look: whoever pushes after it gives the order again.
            hyi_orders_clear(actor, HYI_ORDER_SYSTEM);
            (void)hyi_inbox_drain(actor);
        } else {
            (void)hyi_inbox_drain_some(actor);
        }
        if (__builtin_expect(hyi_mailbox_over(actor) > 0, 0)) hyi_mailbox_trim(actor);
    }
    if (__builtin_expect(hyi_has_numbers(actor), 0)) hyi_numbers_begin(worker, actor);
    const uint8_t special = HYI_ACTOR_LENT | HYI_ACTOR_FIBER;
    bool is_usual = actor->phase == HYI_RUNNING && !(actor->flags & special);
    if (__builtin_expect(orders != 0 || !is_usual, 0)) return turn_unusual(worker, actor, orders);
    return turn_messages(worker, actor, turn_most(worker, actor));
}

hy_err hyi_handle(hyi_worker *worker, hy_actor *actor, hyi_message *message) {
    (void)worker;
    return actor->behaviour->handle(actor, actor->state, message);
}

// The message is done with, unless somebody has taken it. On a fiber that was lent or is not.
static inline void turn_end_message(hyi_worker *worker, hyi_message **handling) {
    hyi_message *message = *handling;
    if (__builtin_expect(message != NULL, 1)) {
        *handling = NULL;
        HYI_BUMP(worker->handled, 1);
        if (__builtin_expect((message->flags & ~HYI_MESSAGE_KEPT) == 0, 1)) {
            hyi_block_give(worker, message, message->block_class);
        } else {
            hyi_message_free(message);
        }
    }
    if (__builtin_expect(worker->out_count > 0, 0)) hyi_out_flush(worker);
    if (__builtin_expect(worker->turn_arena.used_bytes > 0, 0)) hy_arena_reset(&worker->turn_arena);
}

// A handler has failed, or its actor has been told to end. True: this start is over.
static bool turn_is_over(hy_actor *actor, hy_err err, hyi_message **handling) {
    if (__builtin_expect(err != HY_OK, 0)) {
        hyi_message *message = *handling;
        *handling = NULL;
        hyi_failed(actor, err, NULL, message);
        return true;
    }
    return actor->phase != HYI_RUNNING;
}

// The handler has waited, and returned: this fiber is not the dispatcher any more.
bool hyi_turn_returned(hyi_worker *worker, hyi_dispatcher *me, hy_err err) {
    hy_actor *actor = me->actor;
    hyi_here = worker;
    bool over = turn_is_over(actor, err, &me->handling);
    turn_end_message(worker, &me->handling);
    if (!over && (actor->flags & HYI_ACTOR_ENDING)) hyi_stopping(actor, HY_OK);
    hyi_mailbox_freed(actor, me->freed);
    hyi_dispatcher_return(worker, me);
    return true;
}

static bool turn_messages(hyi_worker *worker, hy_actor *actor, uint32_t most) {
    hyi_dispatcher *me = worker->dispatcher;
    while (me->freed < most) {
        hyi_message *message = hyi_mailbox_take(actor);
        if (!message) break;
        me->freed++;
        __builtin_prefetch(message->next_);
        worker->handling = message;
        hy_err err = HY_OK;
        if (__builtin_expect((message->flags & ~HYI_MESSAGE_KEPT) != 0 || message->tag == 0, 0)) {
            err = turn_special(worker, actor, message);
        } else {
            HYI_BUMP(worker->handler_number, 1);
            err = actor->behaviour->handle(actor, actor->state, message);
        }
        if (__builtin_expect(me->actor != NULL, 0)) return hyi_turn_returned(worker, me, err);
        bool over = turn_is_over(actor, err, &worker->handling);
        if (__builtin_expect(me->actor != NULL, 0)) return hyi_turn_returned(worker, me, HY_OK);
        turn_end_message(worker, &worker->handling);
        actor->handled++;
        if (__builtin_expect(over, 0)) break;
        if (__builtin_expect(actor->flags & HYI_ACTOR_ENDING, 0)) {
            hyi_stopping(actor, HY_OK);
            break;
        }
    }
    if (__builtin_expect(me->actor != NULL, 0)) return hyi_turn_returned(worker, me, HY_OK);
    turn_rest(worker, actor, me->freed);
    return false;
}

void hyi_turn_fail(hyi_dispatcher *me, hy_actor *actor, hy_err err, const char *text) {
    hyi_worker *worker = me->worker;
    hyi_message **handling = me->actor ? &me->handling : &worker->handling, *message = *handling;
    *handling = NULL;
    hyi_failed(actor, err, text, message);
    if (me->actor) {
        hyi_mailbox_freed(actor, me->freed);
        hyi_dispatcher_return(worker, me);
        return;
    }
    hy_arena_reset(&worker->turn_arena);
    turn_rest(worker, actor, me->freed);
}

// The end of a visit.
static void turn_rest(hyi_worker *worker, hy_actor *actor, uint32_t freed) {
    if (__builtin_expect(worker->out_count > 0, 0)) hyi_out_flush(worker);
    worker->running = NULL;
    atomic_store_explicit(&worker->handler_of, NULL, memory_order_relaxed);
    worker->slice_left -= freed < worker->slice_left ? freed : worker->slice_left;
    HYI_BUMP(worker->turns, 1);
    if (__builtin_expect(hyi_has_numbers(actor), 0)) hyi_numbers_end(worker, actor);
    hyi_mailbox_freed(actor, freed);
    actor->flags &= (uint8_t)~HYI_ACTOR_READY;
    if (__builtin_expect(actor->phase == HYI_ENDED, 0)) {
        if (!hyi_life_over(worker, actor)) hyi_make_ready(worker, actor);
        return;
    }
    bool is_running = actor->phase == HYI_RUNNING && !(actor->flags & HYI_ACTOR_LENT);
    bool again = is_running ? hyi_mailbox_has_some(actor)
                            : actor->phase == HYI_UNBORN && !(actor->flags & HYI_ACTOR_LENT);
    if (again || !hyi_inbox_is_clear(actor) || hyi_orders(actor) != 0) {
        hyi_make_ready(worker, actor);
    } else {
        hyi_linger(worker, actor);
    }
}

// ---- what is not usual ------------------------------------------------------------------------

// System messages that call no user code, in whatever phase.
static void turn_urgent_system(hy_actor *actor) {
    hyi_kin *kin = actor->kin;
    hyi_message *kept_first = NULL, *kept_last = NULL, *message = NULL;
    while (kin && (message = kin->system_first)) {
        kin->system_first = (hyi_message *)message->next_;
        if (hyi_system_is_urgent(message->tag) || (message->tag & HYI_SYSTEM_STALE)) {
            hyi_turn_system(actor, message);
            continue;
        }
        message->next_ = NULL;
        if (kept_last) {
            kept_last->next_ = message;
        } else {
            kept_first = message;
        }
        kept_last = message;
    }
    if (!kept_first) return;
    kept_last->next_ = kin->system_first;
    if (!kin->system_first) kin->system_last = kept_last;
    kin->system_first = kept_first;
}

// The node closes, and it is below nobody who would stop it.
static bool turn_node_stops(const hyi_worker *worker, const hy_actor *actor) {
    if (!atomic_load_explicit(&worker->node->closing, memory_order_relaxed)) return false;
    return !actor->birth || !actor->birth->parent;
}

static bool turn_unusual(hyi_worker *worker, hy_actor *actor, uint8_t orders) {
    hyi_dispatcher *me = worker->dispatcher;
    bool was_lent = actor->flags & HYI_ACTOR_LENT;
    // Relaxed: only the owner writes. It was bound while its handler waited, and is free again.
    if (!was_lent &&
        (atomic_load_explicit(&actor->pinned, memory_order_relaxed) & HYI_PINNED_LENT)) {
        atomic_store_explicit(&actor->pinned, 0, memory_order_relaxed);
    }
    uint8_t own = orders & HYI_ORDER_LOOK;
    if (own) hyi_orders_clear(actor, own);
    if (own & HYI_ORDER_LOOK) hyi_look_answer(worker, actor);
    if ((own & HYI_ORDER_LOOK) && turn_node_stops(worker, actor)) orders |= HYI_ORDER_STOP;
    if (actor->phase == HYI_ENDED) {
        turn_rest(worker, actor, 0);
        return false;
    }
    uint8_t others = orders & (uint8_t) ~(HYI_ORDER_SYSTEM | HYI_ORDER_LOOK);
    if (others) hyi_obey(actor, others);
    // What comes to one that has ended is refused with the rest of its mailbox.
    if (me->actor == NULL && actor->phase != HYI_ENDED) turn_urgent_system(actor);
    if (was_lent && actor->kin && actor->kin->receiver) hyi_receive_look(actor);
    bool is_ours = me->actor == NULL && (actor->flags & HYI_ACTOR_LENT) == 0;
    if (is_ours && actor->phase == HYI_UNBORN) hyi_begin(worker, actor);
    if (me->actor != NULL) return hyi_turn_returned(worker, me, HY_OK);
    if (is_ours && actor->phase == HYI_RUNNING) {
        if (actor->flags & HYI_ACTOR_ENDING) {
            hyi_stopping(actor, HY_OK);
            if (me->actor != NULL) return hyi_turn_returned(worker, me, HY_OK);
        } else if (actor->flags & HYI_ACTOR_FIBER) {
            hyi_run_begin(worker, actor);
            if (me->actor != NULL) return hyi_turn_returned(worker, me, HY_OK);
        } else {
            return turn_messages(worker, actor, turn_most(worker, actor));
        }
    }
    turn_rest(worker, actor, 0);
    return false;
}

void hyi_turn_system(hy_actor *actor, hyi_message *message) {
    if (message->tag & HYI_SYSTEM_STALE) {
        hyi_drop_queued(HY_NOBODY, actor->type, message, HY_DROP_NOBODY);
    } else {
        hyi_supervise(actor, message);
    }
}

bool hyi_turn_drops(hyi_worker *worker, hy_actor *actor, hyi_message *message) {
    hy_drop reason = HY_DROP_COUNT;
    if (message->tag == 0) {
        hyi_mailbox_count(actor, 1); // it took no room, and gives none back: it was for another
        reason = HY_DROP_NOBODY;
    } else if ((message->flags & HYI_MESSAGE_SHARED) && hyi_shared_skips(message)) {
        reason = HY_DROP_OLD;
    } else if ((message->flags & HYI_MESSAGE_MORE) && hyi_message_is_late(worker, message)) {
        reason = HY_DROP_LATE;
    } else if ((message->flags & HYI_MESSAGE_ALARM) && !hyi_alarm_stands(actor, message)) {
        reason = HY_DROP_ALARM;
    }
    if (reason == HY_DROP_COUNT) return false;
    hyi_drop_queued(hyi_ref_of(actor), actor->type, message, reason);
    return true;
}

// Of hyi_then_call. It stays at hand meanwhile: if its function fails, it is freed by hyi_failed.
static hy_err turn_then(hyi_worker *worker, hy_actor *actor, hyi_message *message) {
    worker->handling = message;
    hy_err err = hyi_then_call(actor, message);
    *turn_at_hand(actor) = NULL; // where it is now: the function may have waited
    hyi_message_free(message);
    return err;
}

// A message with flags. The message at hand is over when it is not to be counted as handled.
static hy_err turn_special(hyi_worker *worker, hy_actor *actor, hyi_message *message) {
    if (message->flags & HYI_MESSAGE_SYSTEM) {
        hyi_mailbox_count(actor, 1); // it took no room, and gives none back
        worker->handling = NULL;
        if (message->tag != HYI_SYSTEM_ANSWER && message->tag != HYI_SYSTEM_ROOM) {
            hyi_turn_system(actor, message);
            return HY_OK;
        }
        return turn_then(worker, actor, message);
    }
    if (hyi_turn_drops(worker, actor, message)) {
        worker->handling = NULL;
        return HY_OK;
    }
    HYI_BUMP(worker->handler_number, 1);
    if (message->flags & HYI_MESSAGE_MORE) return hyi_handle_carried(worker, actor, message);
    return hyi_handle(worker, actor, message);
}

// ---- the message at hand ----------------------------------------------------------------------

hyi_worker *hyi_worker_of(const hy_actor *actor) {
    const hyi_worker *here = hyi_here;
    uint8_t owner = atomic_load_explicit(&actor->owner, memory_order_relaxed);
    if (owner == HYI_NO_OWNER) owner = here->number; // lent: it is bound to this worker
    return here->node->workers[owner];
}

static hyi_message **turn_at_hand(const hy_actor *actor) {
    hyi_worker *worker = hyi_worker_of(actor);
    if (worker->running == actor) return &worker->handling;
    hyi_dispatcher *at = hyi_current ? (hyi_dispatcher *)hyi_task_word(hyi_current) : NULL;
    return at && at->actor == actor ? &at->handling : NULL;
}

hyi_message *hyi_handling(const hy_actor *actor) {
    hyi_message **at = turn_at_hand(actor);
    return at ? *at : NULL;
}

void hyi_handling_over(hy_actor *actor, bool counts) {
    hyi_message **at = turn_at_hand(actor);
    HY_ASSERT(at && *at);
    *at = NULL;
    if (counts) {
        HYI_BUMP(hyi_here->handled, 1);
    } else {
        hyi_mailbox_count(actor, 1);
    }
}

hy_err hyi_unhandled(hy_actor *self, hyi_message *message) {
    hyi_message **at = turn_at_hand(self);
    if (at && *at == message) *at = NULL;
    hyi_drop_queued(hyi_ref_of(self), self->type, message, HY_DROP_UNHANDLED);
    return HY_OK;
}

void *hy_turn_alloc(hy_actor *self, size_t size) {
    hyi_worker *worker = hyi_worker_of(self);
    hyi_dispatcher *at = (hyi_dispatcher *)hyi_task_word(hyi_current);
    bool is_lent = at && at->actor == self;
    void *ptr = hy_arena_alloc(is_lent ? &at->arena : &worker->turn_arena, size);
    if (!ptr) hy_fail(self, HY_NOMEM, "hy_turn_alloc");
    return ptr;
}
