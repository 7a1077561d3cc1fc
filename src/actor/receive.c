// receive.c - actors in blocking style: one function, on a fiber of its own, that takes messages.
//
// To its worker a fiber actor is an actor whose handler waits (HYI_ACTOR_LENT), from the moment its
// function begins until it returns. So orders, limits of time, cancellation and failure are those
// of every handler that waits; and what it calls may wait anywhere.
//
//     turn: up, no function runs --hyi_run_begin--> run_main on a new fiber
//     hy_receive: the last message is done with; the next one, or park
//     turn: something came --hyi_receive_look--> the fiber goes on in hy_receive
//
// Whose actor it is, by ownership, may change while it waits: nobody owns it when its mailbox was
// empty for a while. It is bound to its worker, so whoever takes it is here; hy_receive takes it
// itself where nobody has it.
//
// The stop of a fiber actor is HY_CLOSED from hy_receive: it may still clean up, ask and send.
#include "actor/alarm.h"
#include "actor/ask.h"
#include "actor/ending.h"
#include "actor/mailbox.h"
#include "actor/queue.h"
#include "actor/turn.h"

// ---- the function -----------------------------------------------------------------------------

typedef struct run_start {
    hyi_worker *worker;
    hy_actor *actor;
    uint8_t block_class;
} run_start;

static void receive_done(hyi_dispatcher *me);

static hy_err run_main(void *start_arg) {
    run_start start = *(run_start *)start_arg;
    hyi_block_free(start_arg, start.block_class);
    hy_actor *actor = start.actor;
    hyi_dispatcher me = { .worker = start.worker, .task = hyi_current, .actor = actor };
    hyi_here = start.worker;
    hy_arena_init(&me.arena, start.worker->node->mem, 0);
    hyi_list_append(&start.worker->lent, &me.link);
    hyi_task_set_word(hyi_current, &me);
    hyi_fiber_rescuable(true);
    hy_err err = HY_CANCELLED; // it was killed before it began
    if (!(actor->ending & HYI_ENDING_KILLED)) err = actor->type->run(actor, actor->state);
    if (err == HY_OK) {
        receive_done(&me);
        actor->flags |= HYI_ACTOR_ENDING; // it ends well
    }
    (void)hyi_turn_returned(start.worker, &me, err);
    return HY_OK;
}

void hyi_run_begin(hyi_worker *worker, hy_actor *actor) {
    uint8_t block_class = 0;
    run_start *start = NULL;
    hy_err err = hyi_kin_of(actor) ? hyi_spawn_refuses(worker->scope) : HY_NOMEM;
    if (err == HY_OK) start = (run_start *)hyi_block_alloc(sizeof *start, &block_class);
    if (err == HY_OK && !start) err = HY_NOMEM;
    if (err == HY_OK) {
        *start = (run_start){ worker, actor, block_class };
        hy_spawn_options options = { .size = sizeof options,
                                     .name = actor->type->name,
                                     .stack = actor->type->stack };
        err = hy_spawn(worker->scope, run_main, start, &options, NULL);
    }
    if (err != HY_OK) {
        if (start) hyi_block_free(start, block_class);
        hyi_failed(actor, err, NULL, NULL);
        return;
    }
    hyi_actor_bind(worker, actor);
}

// ---- receiving --------------------------------------------------------------------------------

// The message at hand has been handled. One that was asked and not answered says so.
static void receive_done(hyi_dispatcher *me) {
    hyi_message *message = me->handling;
    hy_actor *actor = me->actor;
    me->handling = NULL;
    if (message) {
        HYI_BUMP(me->worker->handled, 1);
        actor->handled++;
        if (message->flags & HYI_MESSAGE_ASKED) hyi_ask_dropped(message, HY_DROP_UNHANDLED);
        hyi_message_free(message);
    }
    if (me->freed > 0) hyi_mailbox_freed(actor, me->freed);
    me->freed = 0;
    hy_arena_reset(&me->arena);
}

// Is it this worker's, and has taken in what came? If not, a turn is on its way.
static bool receive_own(hyi_worker *worker, hy_actor *actor) {
    // Relaxed: see hy_actor.owner.
    if (atomic_load_explicit(&actor->owner, memory_order_relaxed) != worker->number) {
        if (!hyi_inbox_seize(actor)) return false;
        atomic_store_explicit(&actor->owner, worker->number, memory_order_relaxed);
        hyi_make_ready(worker, actor); // so that it is given up again
    }
    if (!hyi_inbox_is_clear(actor)) (void)hyi_inbox_drain(actor);
    return true;
}

// System messages that call its code, between two receives. True: the message is done with.
static bool receive_aside(hyi_dispatcher *me, hyi_message *message, hy_err *out_err) {
    hy_actor *actor = me->actor;
    if (message->flags & HYI_MESSAGE_SYSTEM) {
        if (message->tag == HYI_SYSTEM_ANSWER || message->tag == HYI_SYSTEM_ROOM) {
            me->handling = message; // so that a failure frees it
            *out_err = hyi_then_call(actor, message);
            me->handling = NULL;
            hyi_message_free(message);
        } else {
            hyi_turn_system(actor, message);
        }
        return true;
    }
    me->freed++;
    bool unusual = (message->flags & ~HYI_MESSAGE_KEPT) != 0 || message->tag == 0;
    return unusual && hyi_turn_drops(me->worker, actor, message);
}

// One that always has something to receive, be it from itself, is not alone on its worker.
static void receive_give_way(hyi_dispatcher *me) {
    uint32_t most = me->worker->is_real ? me->worker->node->options.turn_max : 1;
    if (++me->in_a_row < most) return;
    me->in_a_row = 0;
    (void)hy_yield(); // whether it was cancelled is looked at by whoever receives
    hyi_here = me->worker;
}

// The next message to be handled; NULL: there is none now, or *out_err.
static hyi_message *receive_take(hyi_dispatcher *me, hy_err *out_err) {
    hy_actor *actor = me->actor;
    while (*out_err == HY_OK && !(actor->flags & HYI_ACTOR_ENDING)) {
        hyi_message *message = receive_own(me->worker, actor) ? hyi_mailbox_take(actor) : NULL;
        if (!message || !receive_aside(me, message, out_err)) return message;
        receive_give_way(me);
    }
    return NULL;
}

static void receive_unhook(hyi_wait *wait) {
    hyi_dispatcher *me = (hyi_dispatcher *)hyi_task_word(wait->task);
    me->actor->kin->receiver = NULL;
}

hy_err hy_receive(hy_actor *self, hy_ns deadline, hy_received *out_received) {
    hyi_dispatcher *me = (hyi_dispatcher *)hyi_task_word(hyi_current);
    HY_ASSERT(me && me->actor == self && self->type->run); // in its run
    receive_done(me);
    receive_give_way(me);
    hy_err err = hy_check();
    for (;;) {
        hyi_health_look(self);
        hyi_message *message = err == HY_OK ? receive_take(me, &err) : NULL;
        if (message) {
            me->handling = message;
            *out_received = (hy_received){ message->tag, hyi_message_body(message) };
            return HY_OK;
        }
        if (err != HY_OK) return err;
        if (self->flags & HYI_ACTOR_ENDING) return HY_CLOSED;
        hyi_wait wait = { .unhook = receive_unhook, .what = "receive", .deadline = deadline };
        self->kin->receiver = hyi_current;
        err = hyi_park(&wait);
        hyi_here = me->worker;
    }
}

void hyi_receive_look(hy_actor *actor) {
    bool is_ending = (actor->flags & HYI_ACTOR_ENDING) != 0;
    if (!hyi_mailbox_has_some(actor) && !is_ending && !hyi_health_is_due(actor)) return;
    hy_task *task = actor->kin->receiver;
    actor->kin->receiver = NULL;
    hyi_wake(task, HY_OK);
}
