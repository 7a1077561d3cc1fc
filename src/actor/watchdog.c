// watchdog.c - one thread that looks at all workers now and then.
//
// A handler that never returns holds its worker, and cannot be stopped safely: not in C. What can
// be done is to say so, early. A worker counts handlers, turns and parkings as it goes, and writes
// whose turn it is (handler_of). The watchdog reads that twice for each stuck_after. Where a worker
// has something to do, which is when it is not parked, and no count has changed for that long, it
// is stuck. It is then flagged, there is one event (HY_EVENT_STUCK), and nothing more until it goes
// on. The event names the actor of handler_of, or nobody: then some other fiber of that thread
// computes, maybe a handler that had waited before; and that is noticed only when somebody wants
// the worker.
//
// The event is written by a worker, because its ring has one writer: by another worker than the one
// that is stuck, if there is one; else by itself, when it is free again.
//
// When all workers are parked nothing can get stuck, and the watchdog sleeps without a timer. It
// says so in `asleep` and then looks at them once more; a worker that wakes clears `parked` and
// then looks at `asleep`. All four are sequentially consistent, so one of the two sees the other. A
// watchdog that is awake costs a worker one look at a line that nobody writes.
#include "actor/watchdog.h"

#define WATCHDOG_PARKED 1u // see park.c
#define WATCHDOG_PERIOD_MIN HY_MS(1)

typedef struct watchdog_view {
    hyi_worker *worker;
    const hy_actor *actor; // in whose handler it was
    uint64_t count;        // of all that it counts
    hy_ns since;           // this has been so
    atomic_bool is_stuck;  // written by the watchdog, read by anybody
    // The event that is on its way. Release by the one who is done with it, acquire by the
    // watchdog.
    atomic_bool told;
    hyi_call call;
    hy_ref who;
    hy_ns took;
} watchdog_view;

typedef struct hyi_watchdog {
    hy_node *node;
    hy_world *world; // its own, on its own thread
    hy_thread *thread;
    hy_timer timer;
    hy_post wake;
    bool stopped;                    // its thread has gone
    _Alignas(64) atomic_uint asleep; // 1: whoever makes it 0 posts `wake`
    size_t size;
    void *block;
    watchdog_view views[];
} hyi_watchdog;

// ---- looking ----------------------------------------------------------------------------------

static void watchdog_on_told(hyi_call *call, hyi_worker *worker) {
    watchdog_view *view = HYI_HOLDER(watchdog_view, call, call);
    const hy_actor *actor = hyi_find(view->who); // it may have ended meanwhile
    hyi_event(worker, HY_EVENT_STUCK, actor, (uint64_t)view->took);
    // Release: pairs with the acquire in watchdog_tell.
    atomic_store_explicit(&view->told, false, memory_order_release);
}

static void watchdog_tell(hyi_watchdog *it, watchdog_view *view, hy_ns took) {
    if (atomic_load_explicit(&view->told, memory_order_acquire)) return; // the last one's still
    atomic_store_explicit(&view->told, true, memory_order_relaxed);
    view->who = view->actor ? hyi_ref_of(view->actor) : HY_NOBODY;
    view->took = took;
    view->call.run = watchdog_on_told;
    uint32_t next = (view->worker->number + 1u) % it->node->worker_count;
    hyi_worker_call(it->node->workers[next], &view->call);
}

// Relaxed, all: what matters is whether they move.
static uint64_t watchdog_count(const hyi_worker *worker) {
    return atomic_load_explicit(&worker->handler_number, memory_order_relaxed) +
           atomic_load_explicit(&worker->turns, memory_order_relaxed) +
           atomic_load_explicit(&worker->parks, memory_order_relaxed) +
           atomic_load_explicit(&worker->wakes, memory_order_relaxed);
}

// Nothing to do, and nobody on the way to tell it otherwise. Sequential: see the essay.
static bool watchdog_is_parked(const hyi_worker *worker) {
    return atomic_load_explicit(&worker->parked, memory_order_seq_cst) == WATCHDOG_PARKED;
}

static void watchdog_look_at(hyi_watchdog *it, watchdog_view *view, hy_ns now) {
    hyi_worker *worker = view->worker;
    // Acquire: pairs with the release in hyi_turn; the actor's generation is that of this turn.
    const hy_actor *actor = atomic_load_explicit(&worker->handler_of, memory_order_acquire);
    uint64_t count = watchdog_count(worker);
    bool rests = count == 0 || watchdog_is_parked(worker); // 0: it has not begun
    if (rests || actor != view->actor || count != view->count) {
        view->actor = actor;
        view->count = count;
        view->since = now;
        atomic_store_explicit(&view->is_stuck, false, memory_order_relaxed);
        return;
    }
    hy_ns took = now - view->since;
    if (took < it->node->options.stuck_after) return;
    if (atomic_load_explicit(&view->is_stuck, memory_order_relaxed)) return;
    watchdog_tell(it, view, took);
    atomic_store_explicit(&view->is_stuck, true, memory_order_release);
}

static bool watchdog_all_parked(const hyi_watchdog *it) {
    for (uint32_t i = 0; i < it->node->worker_count; i++) {
        if (!watchdog_is_parked(it->views[i].worker)) return false;
    }
    return true;
}

static void watchdog_start_timer(hyi_watchdog *it) {
    hy_ns period = it->node->options.stuck_after / 2;
    if (period < WATCHDOG_PERIOD_MIN) period = WATCHDOG_PERIOD_MIN;
    hy_err err = hy_timer_at(it->world, &it->timer, hy_ns_add(hy_world_now(it->world), period));
    HY_ASSERT(err == HY_OK); // it has had its place in the heap since hyi_watchdog_open
}

static void watchdog_look(hyi_watchdog *it) {
    hy_ns now = hy_world_now(it->world);
    for (uint32_t i = 0; i < it->node->worker_count; i++)
        watchdog_look_at(it, &it->views[i], now);
    if (watchdog_all_parked(it)) {
        atomic_store_explicit(&it->asleep, 1, memory_order_seq_cst);
        hyi_yield_point("watchdog: asleep");
        if (watchdog_all_parked(it)) return;
        // If somebody else has made it 0, his post is under way, and starts the timer.
        if (atomic_exchange_explicit(&it->asleep, 0, memory_order_seq_cst) == 0) return;
    }
    watchdog_start_timer(it);
}

static void watchdog_on_timer(hy_timer *timer) {
    watchdog_look(HYI_HOLDER(hyi_watchdog, timer, timer));
}

static void watchdog_on_wake(hy_post *post) {
    hyi_watchdog *it = HYI_HOLDER(hyi_watchdog, wake, post);
    if (!it->stopped) watchdog_start_timer(it);
}

void hyi_watchdog_wake(hyi_watchdog *it) {
    if (atomic_load_explicit(&it->asleep, memory_order_seq_cst) == 0) return;
    if (atomic_exchange_explicit(&it->asleep, 0, memory_order_seq_cst) == 0) return;
    hy_world_post(it->world, &it->wake);
}

bool hyi_watchdog_is_stuck(const hyi_worker *worker) {
    const hyi_watchdog *it = worker->node->watchdog;
    // Acquire: pairs with the release in watchdog_look_at: what was told has been.
    return it && atomic_load_explicit(&it->views[worker->number].is_stuck, memory_order_acquire);
}

bool hyi_watchdog_sleeps(const hy_node *node) {
    const hyi_watchdog *it = node->watchdog;
    return it && atomic_load_explicit(&it->asleep, memory_order_relaxed) != 0;
}

// ---- opening and closing ----------------------------------------------------------------------

static void watchdog_run(void *arg) {
    hyi_watchdog *it = (hyi_watchdog *)arg;
    watchdog_look(it);
    hy_world_run(it->world);
}

static hyi_watchdog *watchdog_new(hy_node *node) {
    size_t size = sizeof(hyi_watchdog) + node->worker_count * sizeof(watchdog_view) + 64;
    void *block = hy_mem_alloc_zero(node->mem, size);
    if (!block) return NULL;
    hyi_watchdog *it = (hyi_watchdog *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    it->block = block;
    it->size = size;
    it->node = node;
    it->timer.done = watchdog_on_timer;
    it->wake.done = watchdog_on_wake;
    for (uint32_t i = 0; i < node->worker_count; i++)
        it->views[i].worker = node->workers[i];
    return it;
}

static hy_err watchdog_start(hyi_watchdog *it, hy_world *world) {
    hy_err err = hy_world_open(HY_OPTIONS(hy_world, .mem = it->node->mem), &it->world);
    if (err == HY_OK) err = hy_timer_at(it->world, &it->timer, HY_NEVER);
    if (err == HY_OK) hy_world_expect(it->world, true); // it ends when it is stopped
    if (err == HY_OK) {
        err = hy_thread_start(world, HY_OPTIONS(hy_thread, .name = "hypha-watchdog"), watchdog_run,
                              it, &it->thread);
    }
    return err;
}

hy_err hyi_watchdog_open(hy_node *node, hy_world *world) {
    if (!node->is_real) return HY_OK;
    node->watchdog = watchdog_new(node);
    if (!node->watchdog) return HY_NOMEM;
    return watchdog_start(node->watchdog, world);
}

void hyi_watchdog_stop(hy_node *node) {
    hyi_watchdog *it = node->watchdog;
    if (!it || !it->thread) return;
    hy_world_stop(it->world);
    hy_thread_join(it->thread);
    it->thread = NULL;
    it->stopped = true;
}

void hyi_watchdog_close(hy_node *node) {
    hyi_watchdog *it = node->watchdog;
    if (!it) return;
    HY_ASSERT(!it->thread);
    if (it->world) {
        hy_timer_stop(it->world, &it->timer);
        hy_world_close(it->world);
    }
    hy_mem_free(node->mem, it->block, it->size);
    node->watchdog = NULL;
}
