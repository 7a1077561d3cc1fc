// watchdog.h - notices that a handler computes for too long.                     Room: actor.
// Includes: scope world. Threads: opened and closed by the keeper; said for the rest.
#ifndef HYI_ACTOR_WATCHDOG_H
#define HYI_ACTOR_WATCHDOG_H

#include "actor/inside.h"

// Starts the thread that looks. Nothing in a simulated world. After worker 0 has started, before
// the others. HY_NOMEM, HY_LIMIT.
HY_CHECKED hy_err hyi_watchdog_open(hy_node *node, hy_world *world);
// Fine if it was not opened. Stop: it looks no more, while the workers can still be called. Close:
// no worker runs any more, and nobody sends.
void hyi_watchdog_stop(hy_node *node);
void hyi_watchdog_close(hy_node *node);

// Has it been reported, and not gone on since?
HY_ANY_THREAD bool hyi_watchdog_is_stuck(const hyi_worker *worker);
HY_ANY_THREAD bool hyi_watchdog_sleeps(const hy_node *node); // all workers are parked; for tests

// The worker has something to do again: after `parked` has been written.
HY_ANY_THREAD void hyi_watchdog_wake(struct hyi_watchdog *watchdog);
static inline void hyi_watchdog_awake(const hyi_worker *worker) {
    if (worker->node->watchdog) hyi_watchdog_wake(worker->node->watchdog);
}

#endif
