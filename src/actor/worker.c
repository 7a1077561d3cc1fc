// worker.c - the dispatcher: the fiber that runs one turn after another.
//
// It gives way to the other fibers, timers and sockets of its thread after each slice: so many
// handlers as take some ten microseconds, found out as the scheduler of fibers does it (fiber.c). A
// simulated world's slice is one turn, so that everything else can come between any two messages.
//
// A handler that waits takes the fiber away: the root's hook is told right before the fiber parks,
// the actor is marked LENT, and a new dispatcher is spawned, unless nothing is to be done, when it
// finds that out and parks. When the handler returns its fiber finishes the visit, and becomes the
// dispatcher again if there is none, or ends. Without memory for a new dispatcher the worker waits
// for one of those that are lent, or for the next thing that makes an actor ready.
//
// Invariant: `dispatcher_parked` is set exactly while nobody looks for ready actors: the dispatcher
// is parked, or there is none and none is coming.
#include "actor/worker.h"
#include "actor/ask.h"
#include "actor/events.h"
#include "actor/life.h"
#include "actor/mailbox.h"
#include "actor/out.h"
#include "actor/queue.h"
#include "actor/share.h"
#include "actor/slab.h"
#include "actor/turn.h"
#include "actor/wheel.h"

#define WORKER_SLICE_MAX 256u
#define WORKER_SLICE_LONG_NS HY_US(100)
#define WORKER_SLICE_SHORT_NS HY_US(20)
#define WORKER_NAPS 16u          // of so many one is measured
#define WORKER_SLOW_NS HY_US(50) // of one handler

_Thread_local hyi_worker *hyi_here __attribute__((tls_model("initial-exec")));

// ---- slices -----------------------------------------------------------------------------------

static void worker_set_clock(hyi_worker *worker, hy_ns now) {
    worker->batch_began = now;
    worker->batch_stamp = (uint32_t)(now >> 20);
}

static void worker_look_at_clock(hyi_worker *worker) {
    worker_set_clock(worker, hy_world_now(worker->world));
}

static void worker_measure(hyi_worker *worker) {
    hy_ns before = worker->batch_began;
    uint8_t weight = worker->clocked;
    worker_look_at_clock(worker);
    worker->clocked = 1;
    if (weight == 0) return; // nobody knows since when
    hy_ns took = worker->batch_began - before;
    HYI_BUMP(worker->busy, took * weight);
    if (took > WORKER_SLICE_LONG_NS) {
        worker->slice = worker->slice / 4 + 1;
    } else if (took < WORKER_SLICE_SHORT_NS && worker->slice < WORKER_SLICE_MAX) {
        worker->slice *= 2;
    }
    worker->slow = took > WORKER_SLOW_NS * worker->slice;
}

static void worker_end_slice(hyi_worker *worker) {
    if (worker->is_real) worker_measure(worker);
    hyi_share_slice(worker);
    (void)hy_yield();
    hyi_here = worker;
    worker_look_at_clock(worker);
    worker->clocked = 1;
    worker->slice_left = worker->slice;
}

// Woken for a single message, as by a fiber that asks, two looks at the clock would cost as much as
// all the rest. So it is looked at before and after only one of so many naps, which then counts for
// all of them; in the others the fibers' clock is good enough.
static void worker_nap(hyi_worker *worker) {
    if (worker->is_real && worker->clocked) worker_measure(worker);
    hyi_park_worker(worker);
    hyi_here = worker;
    if (!worker->is_real) {
        worker_end_slice(worker);
        return;
    }
    worker->clocked = 0;
    if (++worker->naps % WORKER_NAPS == 0) {
        worker_look_at_clock(worker);
        worker->clocked = WORKER_NAPS;
    } else {
        hy_ns clock = hyi_root_clock(worker->root);
        if (clock > worker->batch_began) worker_set_clock(worker, clock);
    }
    hyi_share_slice(worker);
    worker->slice_left = worker->slice;
}

// ---- the dispatcher ---------------------------------------------------------------------------

static void worker_take_over(hyi_worker *worker, hyi_dispatcher *me) {
    worker->dispatcher = me;
    worker->dispatcher_parked = false;
    hyi_fiber_lend(true);
    worker_look_at_clock(worker);
    worker->clocked = 1;
    worker->slice_left = worker->slice;
}

static hy_err worker_dispatch(void *arg) {
    hyi_worker *worker = (hyi_worker *)arg;
    hyi_dispatcher me = { .worker = worker, .task = hyi_current };
    worker->dispatcher_coming = false;
    if (worker->dispatcher) return HY_OK; // one has come back meanwhile
    hyi_list_init(&me.link);
    hyi_task_set_word(me.task, &me);
    hyi_fiber_rescuable(true);
    hyi_here = worker;
    worker_take_over(worker, &me);
    for (;;) {
        hy_actor *actor = hyi_share_next(worker);
        if (!actor) {
            if (worker->leaving) break;
            worker_nap(worker);
            continue;
        }
        if (__builtin_expect(hyi_turn(worker, actor), 0)) {
            if (worker->dispatcher || worker->dispatcher_coming) return HY_OK;
            if (me.cancelled) { // its waits would be refused, whoever's they are
                worker->dispatcher_parked = true;
                hyi_worker_attend(worker);
                return HY_OK;
            }
            worker_take_over(worker, &me);
        } else if (worker->slice_left == 0 || !worker->is_real) {
            worker_end_slice(worker);
        } else if (worker->ready_count > 1 && worker->node->worker_count > 1) {
            hyi_share_with_idle(worker);
        }
    }
    worker->dispatcher = NULL;
    hyi_fiber_lend(false);
    return HY_OK;
}

void hyi_worker_attend(hyi_worker *worker) {
    if (!worker->dispatcher_parked) return;
    worker->dispatcher_parked = false;
    if (worker->dispatcher) {
        hyi_wake(worker->dispatcher->task, HY_OK);
        return;
    }
    if (worker->dispatcher_coming) return;
    hy_err err = hyi_spawn_refuses(worker->scope);
    hy_spawn_options options = { .size = sizeof options, .name = "actors" };
    if (err == HY_OK) err = hy_spawn(worker->scope, worker_dispatch, worker, &options, NULL);
    if (err == HY_OK) {
        worker->dispatcher_coming = true;
    } else {
        worker->dispatcher_parked = true; // whoever is next tries again
        hyi_park_set(worker);
    }
}

// ---- lending ----------------------------------------------------------------------------------

static bool worker_has_urgent(const hy_actor *actor) {
    return !hyi_inbox_is_clear(actor) || hyi_orders(actor) != 0 ||
           (actor->kin && actor->kin->system_first);
}

void hyi_actor_bind(hyi_worker *worker, hy_actor *actor) {
    actor->flags |= HYI_ACTOR_LENT;
    if (hyi_pinned(actor) != 0) return;
    uint8_t pinned = (uint8_t)(HYI_PINNED_LENT | (worker->number + 1u));
    atomic_store_explicit(&actor->pinned, pinned, memory_order_relaxed);
}

// On the fiber that is about to wait in a handler.
static void worker_on_lent(void *self, hy_task *task) {
    (void)self; // a root may have the workers of two nodes
    hyi_dispatcher *me = (hyi_dispatcher *)hyi_task_word(task);
    if (!me || me->actor) return;
    hyi_worker *worker = me->worker;
    hy_actor *actor = worker->running;
    HY_ASSERT(worker->dispatcher == me && actor);
    hyi_out_flush(worker);
    me->actor = actor;
    me->handling = worker->handling;
    if (me->freed > 1) { // what it handled before, in this visit
        hyi_mailbox_freed(actor, me->freed - 1);
        me->freed = 1;
    }
    me->arena = worker->turn_arena;
    hy_arena_init(&worker->turn_arena, worker->node->mem, 0);
    hyi_list_append(&worker->lent, &me->link);
    worker->running = NULL;
    atomic_store_explicit(&worker->handler_of, NULL, memory_order_relaxed);
    worker->handling = NULL;
    worker->dispatcher = NULL;
    hyi_actor_bind(worker, actor);
    actor->flags &= (uint8_t)~HYI_ACTOR_READY;
    hyi_actor_waits(actor);
    worker->dispatcher_parked = true;
    if (worker_has_urgent(actor)) {
        hyi_make_ready(worker, actor);
    } else {
        hyi_linger(worker, actor);
    }
    hyi_worker_attend(worker);
}

void hyi_dispatcher_return(hyi_worker *worker, hyi_dispatcher *me) {
    hy_actor *actor = me->actor;
    me->actor = NULL;
    me->handling = NULL;
    hy_arena_deinit(&me->arena);
    hyi_list_remove(&me->link);
    actor->flags &= (uint8_t)~HYI_ACTOR_LENT;
    // Relaxed: see hy_actor.owner.
    if (atomic_load_explicit(&actor->owner, memory_order_relaxed) != worker->number) {
        // If this fails it is on its way here: bound to this worker until its next unusual turn.
        if (!hyi_inbox_seize(actor)) return;
        atomic_store_explicit(&actor->owner, worker->number, memory_order_relaxed);
    }
    if (atomic_load_explicit(&actor->pinned, memory_order_relaxed) & HYI_PINNED_LENT) {
        atomic_store_explicit(&actor->pinned, 0, memory_order_relaxed);
    }
    hyi_make_ready(worker, actor);
}

// ---- the record -------------------------------------------------------------------------------

hy_err hyi_worker_new(hy_node *node, uint8_t number, hyi_worker **out_worker) {
    // Lines of its own: the block is a line larger than the record.
    size_t size = sizeof(hyi_worker) + 64;
    void *block = hy_mem_alloc_zero(node->mem, size);
    if (!block) return HY_NOMEM;
    hyi_worker *worker = (hyi_worker *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    worker->block = block;
    worker->node = node;
    worker->number = number;
    worker->node_number = node->options.number;
    worker->chunks = node->chunks;
    worker->slots_max = node->options.actors_max;
    worker->is_real = node->is_real;
    worker->slice = 1;
    worker->dispatcher_parked = true;
    hyi_list_init(&worker->lent);
    hy_arena_init(&worker->turn_arena, node->mem, 0);
    pthread_mutex_init(&worker->share_lock, NULL);
    pthread_mutex_init(&worker->inject_lock, NULL);
    hyi_park_open(worker);
    hy_err err = hyi_slabs_open(worker);
    if (err == HY_OK) err = hyi_events_open(worker);
    if (err != HY_OK) {
        hyi_worker_free(worker);
        return err;
    }
    *out_worker = worker;
    return HY_OK;
}

void hyi_worker_free(hyi_worker *worker) {
    if (!worker) return;
    hy_mem *mem = worker->node->mem;
    hyi_share_take_in(worker); // answers of other threads, which came too late
    hyi_asked_free(worker);
    hyi_slabs_close(worker);
    hyi_events_close(worker);
    hy_arena_deinit(&worker->turn_arena);
    pthread_mutex_destroy(&worker->share_lock);
    pthread_mutex_destroy(&worker->inject_lock);
    hy_mem_free(mem, worker->block, sizeof(hyi_worker) + 64);
}

static hy_err worker_open_rest(hyi_worker *worker) {
    hy_err err = hyi_wheel_open(worker->world, worker->node->mem, &worker->wheel);
    return err == HY_OK ? hyi_asked_open(worker) : err;
}

static void worker_close_rest(hyi_worker *worker) {
    hyi_asked_close(worker);
    hyi_wheel_close(worker->wheel);
    worker->wheel = NULL;
}

hy_err hyi_worker_start(hyi_worker *worker, hy_scope *scope) {
    worker->scope = scope;
    worker->root = hyi_scope_root(scope);
    worker->world = hy_scope_world(scope);
    hyi_here = worker;
    hy_err err = worker_open_rest(worker);
    if (err != HY_OK) {
        worker_close_rest(worker);
        hyi_here = NULL;
        return err;
    }
    hyi_root_on_lent(worker->root, worker_on_lent, NULL);
    hyi_fail_watch(worker);
    if (worker->is_real) hy_world_expect(worker->world, true);
    worker_look_at_clock(worker);
    hyi_worker_attend(worker);
    return HY_OK;
}

void hyi_worker_stop(hyi_worker *worker) {
    worker->leaving = true;
    if (worker->dispatcher_parked && worker->dispatcher) hyi_worker_attend(worker);
    while (worker->dispatcher || worker->dispatcher_coming || hyi_park_is_posted(worker) ||
           hyi_wheel_is_posted(worker->wheel))
        (void)hy_yield();
    hyi_wheel_no_posts(worker->wheel);
    if (worker->is_real) hy_world_expect(worker->world, false);
    hyi_share_take_in(worker);
    worker_close_rest(worker);
    if (hyi_here == worker) hyi_here = NULL;
}
