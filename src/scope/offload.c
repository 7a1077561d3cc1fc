// offload.c - blocking work on the world's threads, while the fiber waits.
//
// The record lies on the fiber's stack, so the fiber cannot leave before the work is out of the
// world's hands: withdrawn, when it has not begun, or done. Work that runs cannot be stopped; a
// fiber that is cancelled meanwhile waits on, firmly. What it is told then is that the work has
// run, because that is what it must not get wrong; its next wait says that it was cancelled.
#include "scope/inside.h"

typedef struct offload {
    hyi_wait wait;
    hy_work work;
    hy_world *world;
    void (*fn)(void *arg);
    void *arg;
    bool parked;    // `wait` is waiting
    bool withdrawn; // it will not run
    bool done;
} offload;

static void offload_run(hy_work *work) {
    const offload *it = HYI_HOLDER(const offload, work, work);
    it->fn(it->arg);
}

static void offload_done(hy_work *work) {
    offload *it = HYI_HOLDER(offload, work, work);
    it->done = true;
    if (!it->parked) return; // cancelled, and not yet back
    it->parked = false;
    hyi_wake(it->wait.task, HY_OK);
}

static void offload_unhook(hyi_wait *wait) {
    offload *it = HYI_HOLDER(offload, wait, wait);
    it->parked = false;
    it->withdrawn = hy_world_unwork(it->world, &it->work) == HY_OK;
}

hy_err hy_offload(uint32_t kind, void (*fn)(void *arg), void *arg) {
    HY_ASSERT(hyi_current);
    hy_err err = hyi_cancel_reason(hyi_current);
    if (err != HY_OK) return err;
    offload it = {
        .wait = { .unhook = offload_unhook, .what = "blocking work", .deadline = HY_NEVER },
        .work = { .run = offload_run, .done = offload_done, .kind = kind },
        .world = hyi_current->root->world,
        .fn = fn,
        .arg = arg,
    };
    err = hy_world_work(it.world, &it.work);
    if (err != HY_OK) return err;
    it.parked = true;
    err = hyi_park(&it.wait);
    if (it.withdrawn) return err;
    while (!it.done) {
        it.wait.firm = true;
        it.parked = true;
        err = hyi_park(&it.wait);
        HY_ASSERT(err == HY_OK);
    }
    return HY_OK;
}
