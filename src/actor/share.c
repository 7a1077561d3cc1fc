// share.c - which worker runs a ready actor.
//
// A worker's ready actors stand in a plain list. What is too much for it it puts in a shared list
// under a lock, where everybody may take them, it too: see the essay in inside.h. Both directions
// happen once a slice (some hundred handlers), and once more in a slice when others are idle, so a
// busy worker pays nothing for being helped. Actors that only one worker may run, or that no worker
// sent to, are injected: a list under a lock, which the worker looks at once a slice and before it
// sleeps.
//
// Lingering: a ring of up to 128 idle actors that are owned still. HYI_ACTOR_LINGERS says that an
// actor is in the ring, whether it is ready again or not.
#include "actor/share.h"
#include "actor/frozen.h"
#include "actor/life.h"
#include "actor/queue.h"

#define SHARE_MAX 16u
#ifdef HY_PARANOID
#define LINGER_MAX 3u // mean
#else
#define LINGER_MAX 128u
#endif
_Static_assert(sizeof(((hyi_worker *)0)->lingering) / sizeof(hy_actor *) >= LINGER_MAX, "the ring");

static bool share_take_back(hyi_worker *worker);
static bool share_take(hyi_worker *worker);
static void share_give(hyi_worker *worker, uint32_t keep, uint32_t count);
static void share_some(hyi_worker *worker);

// ---- ready ------------------------------------------------------------------------------------

void hyi_make_ready(hyi_worker *worker, hy_actor *actor) {
    if (actor->flags & HYI_ACTOR_READY) return;
    actor->flags |= HYI_ACTOR_READY;
    actor->next = NULL;
    if (worker->ready_first) {
        worker->ready_last->next = actor;
    } else {
        worker->ready_first = actor;
    }
    worker->ready_last = actor;
    worker->ready_count++;
    if (__builtin_expect(worker->dispatcher_parked, 0)) hyi_worker_attend(worker);
}

static hy_actor *share_take_first(hyi_worker *worker) {
    hy_actor *actor = worker->ready_first;
    worker->ready_first = actor->next;
    worker->ready_count--;
    return actor;
}

// A simulated world throws its dice among the oldest.
static hy_actor *share_choose(hyi_worker *worker) {
    uint32_t count = worker->ready_count < SHARE_MAX ? worker->ready_count : SHARE_MAX;
    uint32_t choice = hy_world_choose(worker->world, count);
    if (choice == 0) return share_take_first(worker);
    hy_actor *before = worker->ready_first;
    for (uint32_t i = 1; i < choice; i++)
        before = before->next;
    hy_actor *actor = before->next;
    before->next = actor->next;
    if (worker->ready_last == actor) worker->ready_last = before;
    worker->ready_count--;
    return actor;
}

// With many ready ones their lines have left the cache since they ran, and so have their messages.
// So those of the two that come next are fetched: of the one after the next the actor, of the next
// one, whose actor was fetched a turn before, the message.
static inline void share_fetch(const hy_actor *next) {
    if (!next) return;
    __builtin_prefetch(next->local_first);
    const hy_actor *then = next->next;
    if (!then) return;
    __builtin_prefetch(then);
    __builtin_prefetch(&then->inbox_newest);
}

hy_actor *hyi_share_next(hyi_worker *worker) {
    if (__builtin_expect(worker->ready_count == 0, 0)) {
        hyi_frozen_flush(worker);
        hyi_linger_look(worker);
        if (worker->ready_count == 0 && !share_take_back(worker) && !share_take(worker)) {
            hyi_linger_let_go(worker);
            if (worker->ready_count == 0) return NULL;
        }
    }
    if (!worker->is_real) return share_choose(worker);
    hy_actor *actor = share_take_first(worker);
    share_fetch(worker->ready_first);
    return actor;
}

// ---- injected, and calls ----------------------------------------------------------------------

hyi_worker *hyi_any_worker(hy_node *node) {
    hyi_worker *best = node->workers[0];
    for (uint32_t i = 1; i < node->worker_count; i++) {
        hyi_worker *worker = node->workers[i];
        // Relaxed: a hint.
        if (atomic_load_explicit(&worker->parked, memory_order_relaxed) == 0) continue;
        if (atomic_load_explicit(&best->parked, memory_order_relaxed) == 0) best = worker;
    }
    return best;
}

void hyi_inject(hyi_worker *worker, hy_actor *actor) {
    actor->next = NULL;
    hyi_yield_point("inject");
    pthread_mutex_lock(&worker->inject_lock);
    if (worker->inject_first) {
        worker->inject_last->next = actor;
    } else {
        worker->inject_first = actor;
    }
    worker->inject_last = actor;
    // Sequential: before the look at `parked` in hyi_worker_wake; pairs with hyi_park_worker.
    atomic_fetch_add_explicit(&worker->inject_count, 1, memory_order_seq_cst);
    pthread_mutex_unlock(&worker->inject_lock);
    hyi_worker_wake(worker);
}

void hyi_worker_call(hyi_worker *worker, hyi_call *call) {
    call->next = NULL;
    pthread_mutex_lock(&worker->inject_lock);
    if (worker->calls_first) {
        worker->calls_last->next = call;
    } else {
        worker->calls_first = call;
    }
    worker->calls_last = call;
    atomic_fetch_add_explicit(&worker->inject_count, 1, memory_order_seq_cst); // as above
    pthread_mutex_unlock(&worker->inject_lock);
    hyi_worker_wake(worker);
}

void hyi_share_take_in(hyi_worker *worker) {
    if (atomic_load_explicit(&worker->inject_count, memory_order_relaxed) == 0) return;
    pthread_mutex_lock(&worker->inject_lock);
    hy_actor *actor = worker->inject_first;
    hyi_call *call = worker->calls_first;
    worker->inject_first = NULL;
    worker->calls_first = NULL;
    atomic_store_explicit(&worker->inject_count, 0, memory_order_relaxed);
    pthread_mutex_unlock(&worker->inject_lock);
    while (actor) {
        hy_actor *next = actor->next;
        atomic_store_explicit(&actor->owner, worker->number, memory_order_relaxed);
        hyi_make_ready(worker, actor);
        actor = next;
    }
    while (call) {
        hyi_call *next = call->next;
        call->run(call, worker); // it may be gone afterwards
        call = next;
    }
}

// ---- shared -----------------------------------------------------------------------------------

// Under the lock: the whole list.
static hy_actor *share_all_of(hyi_worker *worker, uint32_t *out_count) {
    hy_actor *first = worker->shared_first;
    *out_count = atomic_load_explicit(&worker->shared_count, memory_order_relaxed);
    worker->shared_first = worker->shared_last = NULL;
    atomic_store_explicit(&worker->shared_count, 0, memory_order_relaxed);
    return first;
}

static void share_own_all(hyi_worker *worker, hy_actor *actor, uint32_t count) {
    while (count-- > 0) {
        hy_actor *next = actor->next;
        atomic_store_explicit(&actor->owner, worker->number, memory_order_relaxed);
        hyi_make_ready(worker, actor);
        actor = next;
    }
}

// What nobody wanted is the worker's own again.
static bool share_take_back(hyi_worker *worker) {
    if (atomic_load_explicit(&worker->shared_count, memory_order_relaxed) == 0) return false;
    uint32_t count = 0;
    pthread_mutex_lock(&worker->share_lock);
    hy_actor *first = share_all_of(worker, &count);
    pthread_mutex_unlock(&worker->share_lock);
    // They are older than what is ready now.
    hy_actor *newer_first = worker->ready_first, *newer_last = worker->ready_last;
    uint32_t newer_count = worker->ready_count;
    worker->ready_first = NULL;
    worker->ready_count = 0;
    share_own_all(worker, first, count);
    if (newer_first && worker->ready_first) {
        worker->ready_last->next = newer_first;
        worker->ready_last = newer_last;
    } else if (newer_first) {
        worker->ready_first = newer_first;
        worker->ready_last = newer_last;
    }
    worker->ready_count += newer_count;
    return count > 0;
}

// Half of what another one shares, and at least one.
static hy_actor *share_half_of(hyi_worker *from, uint32_t *out_count) {
    pthread_mutex_lock(&from->share_lock);
    uint32_t there = atomic_load_explicit(&from->shared_count, memory_order_relaxed);
    uint32_t count = (there + 1) / 2;
    hy_actor *first = from->shared_first, *last = first;
    for (uint32_t i = 1; i < count; i++)
        last = last->next;
    if (count > 0) {
        from->shared_first = last->next;
        if (!last->next) from->shared_last = NULL;
    }
    atomic_store_explicit(&from->shared_count, there - count, memory_order_relaxed);
    pthread_mutex_unlock(&from->share_lock);
    *out_count = count;
    return first;
}

static bool share_take(hyi_worker *worker) {
    hy_node *node = worker->node;
    for (uint32_t i = 1; i < node->worker_count; i++) {
        hyi_worker *from = node->workers[(worker->number + i) % node->worker_count];
        if (atomic_load_explicit(&from->shared_count, memory_order_relaxed) == 0) continue;
        uint32_t count = 0;
        hyi_yield_point("share: before taking");
        hy_actor *first = share_half_of(from, &count);
        hyi_yield_point("share: taken, not owned");
        share_own_all(worker, first, count);
        HYI_BUMP(worker->taken, count);
        if (count > 0) return true;
    }
    return false;
}

static void share_wake_one(hyi_worker *worker) {
    hy_node *node = worker->node;
    for (uint32_t i = 1; i < node->worker_count; i++) {
        hyi_worker *other = node->workers[(worker->number + i) % node->worker_count];
        if (atomic_load_explicit(&other->parked, memory_order_seq_cst) != 1) continue;
        hyi_worker_wake(other);
        return;
    }
}

// The worker keeps the `keep` oldest; of those behind them, as far as is looked, up to `count` that
// may move go.
static void share_give(hyi_worker *worker, uint32_t keep, uint32_t count) {
    hy_actor *first = NULL, *last = NULL, *before = NULL, **link = &worker->ready_first;
    uint32_t given = 0;
    for (uint32_t looked = 0; *link && given < count && looked < keep + 4 * count; looked++) {
        hy_actor *actor = *link;
        if (looked < keep || hyi_pinned(actor)) {
            before = actor;
            link = &actor->next;
            continue;
        }
        *link = actor->next;
        if (worker->ready_last == actor) worker->ready_last = before;
        worker->ready_count--;
        actor->flags &= (uint8_t)~HYI_ACTOR_READY;
        if (actor->flags & HYI_ACTOR_LINGERS) hyi_linger_forget(worker, actor);
        atomic_store_explicit(&actor->owner, HYI_NO_OWNER, memory_order_relaxed);
        actor->next = NULL;
        if (last) {
            last->next = actor;
        } else {
            first = actor;
        }
        last = actor;
        given++;
    }
    if (given == 0) return;
    hyi_yield_point("share: nobody's yet");
    pthread_mutex_lock(&worker->share_lock);
    if (worker->shared_first) {
        worker->shared_last->next = first;
    } else {
        worker->shared_first = first;
    }
    worker->shared_last = last;
    // Sequential: before the look at `parked`; pairs with hyi_park_worker.
    atomic_fetch_add_explicit(&worker->shared_count, given, memory_order_seq_cst);
    pthread_mutex_unlock(&worker->share_lock);
    HYI_BUMP(worker->shared_out, given);
    share_wake_one(worker);
}

void hyi_share_slice(hyi_worker *worker) {
    hyi_frozen_flush(worker);
    hyi_share_take_in(worker);
    hyi_linger_look(worker);
    if (worker->node->worker_count == 1) return;
    (void)share_take_back(worker);
    worker->woke_one = false;
    // Where handlers take long nobody may wait behind the next one.
    if (worker->slow) {
        hyi_share_all(worker);
    } else {
        share_some(worker);
    }
}

// Half of what is ready, from the middle: the oldest are next here anyway.
static void share_some(hyi_worker *worker) {
    uint32_t half = worker->ready_count / 2;
    if (half > SHARE_MAX) half = SHARE_MAX;
    if (half > 0) share_give(worker, half, half);
}

void hyi_share_with_idle(hyi_worker *worker) {
    if (worker->woke_one && atomic_load_explicit(&worker->node->idle, memory_order_relaxed) == 0) {
        return;
    }
    // What was shared before and not taken is enough.
    if (atomic_load_explicit(&worker->shared_count, memory_order_relaxed) > 0) return;
    worker->woke_one = true;
    share_some(worker);
}

void hyi_share_all(hyi_worker *worker) {
    hyi_linger_let_go(worker);
    if (worker->node->worker_count > 1 && worker->ready_count > 0) {
        share_give(worker, 1, SHARE_MAX);
    }
}

bool hyi_share_has_some(const hyi_worker *worker) {
    const hy_node *node = worker->node;
    if (worker->ready_count > 0) return true;
    // Sequential: after `parked` was set; pairs with hyi_inject, hyi_worker_call and share_give.
    if (atomic_load_explicit(&worker->inject_count, memory_order_seq_cst) > 0) return true;
    for (uint32_t i = 0; i < node->worker_count; i++) {
        if (atomic_load_explicit(&node->workers[i]->shared_count, memory_order_seq_cst) > 0) {
            return true;
        }
    }
    return false;
}

// ---- lingering --------------------------------------------------------------------------------

static inline hy_actor **linger_at(hyi_worker *worker, uint32_t index) {
    return &worker->lingering[(worker->lingering_first + index) % LINGER_MAX];
}

// Out of the ring. True: it is idle, and the worker owns it still.
static bool linger_is_idle(hyi_worker *worker, hy_actor *actor, bool let_go) {
    actor->flags &= (uint8_t)~HYI_ACTOR_LINGERS;
    if (actor->flags & HYI_ACTOR_READY) return false;
    if (hyi_inbox_is_clear(actor) && hyi_orders(actor) == 0) {
        if (!let_go) return true;
        if (hyi_inbox_let_go(actor, worker->number)) return false;
    }
    hyi_make_ready(worker, actor);
    return false;
}

static hy_actor *linger_take(hyi_worker *worker) {
    hy_actor *actor = *linger_at(worker, 0);
    worker->lingering_first = (worker->lingering_first + 1) % LINGER_MAX;
    worker->lingering_count--;
    return actor;
}

void hyi_linger(hyi_worker *worker, hy_actor *actor) {
    if (actor->flags & HYI_ACTOR_LINGERS) return;
    if (worker->lingering_count == LINGER_MAX) {
        (void)linger_is_idle(worker, linger_take(worker), true);
    }
    actor->flags |= HYI_ACTOR_LINGERS;
    *linger_at(worker, worker->lingering_count++) = actor;
}

void hyi_linger_look(hyi_worker *worker) {
    for (uint32_t left = worker->lingering_count; left > 0; left--) {
        hy_actor *actor = linger_take(worker);
        if (!linger_is_idle(worker, actor, false)) continue;
        actor->flags |= HYI_ACTOR_LINGERS;
        *linger_at(worker, worker->lingering_count++) = actor;
    }
}

void hyi_linger_let_go(hyi_worker *worker) {
    while (worker->lingering_count > 0)
        (void)linger_is_idle(worker, linger_take(worker), true);
}

void hyi_linger_forget(hyi_worker *worker, hy_actor *actor) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < worker->lingering_count; i++) {
        hy_actor *at = *linger_at(worker, i);
        if (at != actor) *linger_at(worker, kept++) = at;
    }
    worker->lingering_count = kept;
    actor->flags &= (uint8_t)~HYI_ACTOR_LINGERS;
}
