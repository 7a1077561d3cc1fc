// park.c - how a worker goes to sleep, and is woken.
//
// `parked` is a small machine of three states, because the post that wakes a worker from outside is
// one record, and must not be posted twice:
//
//      0 awake --the worker, before it looks a last time--> 1 parked --anybody--> 2 post under way
//      ^ ^------------the worker itself, woken at home----------'                     |
//      '-----------------------------the post, on the worker's thread-----------------'
//
// Who has put something where a worker will find it looks at `parked` afterwards; the worker sets
// `parked`, and looks for something afterwards. All four are sequentially consistent, so one of the
// two sees the other. A worker that goes to sleep while a post is under way stays at 2: that post
// wakes it.
//
// What wakes it at home (a fiber of the thread that sends, a timer) makes the dispatcher's fiber
// ready, and no more.
#include "actor/share.h"
#include "actor/slab.h"
#include "actor/watchdog.h"

#include "scope/above.h"

enum { PARK_AWAKE, PARK_PARKED, PARK_POSTED };

static void park_on_post(hy_post *post) {
    hyi_worker *worker = HYI_HOLDER(hyi_worker, wake, post);
    // Acquire: pairs with the exchange in hyi_worker_wake.
    atomic_store_explicit(&worker->parked, PARK_AWAKE, memory_order_seq_cst);
    hyi_worker *here = hyi_here;
    hyi_here = worker;
    hyi_worker_attend(worker);
    hyi_here = here;
}

void hyi_park_open(hyi_worker *worker) {
    worker->wake.done = park_on_post;
}

void hyi_worker_wake(hyi_worker *worker) {
    hyi_yield_point("wake");
    uint32_t parked = PARK_PARKED;
    if (atomic_load_explicit(&worker->parked, memory_order_seq_cst) != PARK_PARKED) return;
    if (!atomic_compare_exchange_strong_explicit(&worker->parked, &parked, PARK_POSTED,
                                                 memory_order_seq_cst, memory_order_relaxed)) {
        return;
    }
    hy_world_post(worker->world, &worker->wake);
    hyi_watchdog_awake(worker);
}

static void park_unset(hyi_worker *worker) {
    uint32_t parked = PARK_PARKED;
    atomic_compare_exchange_strong_explicit(&worker->parked, &parked, PARK_AWAKE,
                                            memory_order_seq_cst, memory_order_relaxed);
}

void hyi_park_set(hyi_worker *worker) {
    uint32_t awake = PARK_AWAKE;
    atomic_compare_exchange_strong_explicit(&worker->parked, &awake, PARK_PARKED,
                                            memory_order_seq_cst, memory_order_relaxed);
    hyi_yield_point("parked");
}

void hyi_park_worker(hyi_worker *worker) {
    hyi_slabs_flush(worker);
    hyi_park_set(worker);
    if (!hyi_share_has_some(worker) && !worker->leaving) {
        hyi_wait wait = { .what = "messages", .deadline = HY_NEVER, .firm = true };
        HYI_BUMP(worker->parks, 1);
        worker->dispatcher_parked = true;
        hyi_fiber_lend(false);
        atomic_fetch_add_explicit(&worker->node->idle, 1, memory_order_relaxed); // a hint
        hy_err err = hyi_park(&wait);
        atomic_fetch_sub_explicit(&worker->node->idle, 1, memory_order_relaxed);
        HY_ASSERT(err == HY_OK); // nothing but hyi_worker_attend ends it
        hyi_fiber_lend(true);
        HYI_BUMP(worker->wakes, 1);
    }
    park_unset(worker);
    hyi_watchdog_awake(worker);
}

bool hyi_park_is_posted(const hyi_worker *worker) {
    return atomic_load_explicit(&worker->parked, memory_order_seq_cst) == PARK_POSTED;
}
