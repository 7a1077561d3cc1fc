// sim_work.c - blocking work in the simulated world: kinds and limits as in the real one, no
// thread.
//
// Work that may start (works.h) is put into the heap of what is due; when its time comes it runs,
// whole, and gives its place to the next of its kind; `done` follows later. What has a place but
// has not run can still be withdrawn: whether a thread was quicker is drawn from the seed.
#include "world/sim.h"

static uint64_t work_number(const hy_work *work) {
    return (uint64_t)(uintptr_t)work->private_[3];
}

static void work_start_next(hyi_sim *sim);

static void work_fire_done(hyi_sim *sim, void *self) {
    hy_work *work = (hy_work *)self;
    sim->works_out--;
    hyi_sim_unpromise(sim, 1);
    hyi_works_set_state(&sim->works, work, HYI_WORK_OUT);
    hyi_sim_note(sim, "work done", work_number(work), 0);
    work->done(work);
}

static void work_fire(hyi_sim *sim, void *self) {
    hy_work *work = (hy_work *)self;
    hyi_sim_note(sim, "work run", work_number(work), 0);
    uint64_t restarts = sim->disk.generation;
    work->run(work);
    HY_ASSERT(restarts == sim->disk.generation); // hy_sim_restart is called from outside
    hyi_works_set_state(&sim->works, work, HYI_WORK_RAN);
    hyi_sim_after(sim, hyi_sim_delay(sim, HYI_DICE_WORK), work_fire_done, work);
    hyi_works_leave(&sim->works, work->kind);
    work_start_next(sim);
}

static void work_start_next(hyi_sim *sim) {
    hy_work *work;
    while ((work = hyi_works_take(&sim->works)) != NULL) {
        hy_ns delay = hyi_sim_delay(sim, HYI_DICE_WORK);
        if (work_number(work) == 0) {
            work->private_[3] = (void *)(uintptr_t)sim->next_order; // of its event in the heap
        }
        hyi_sim_note(sim, "work", work_number(work), (uint64_t)delay);
        hyi_sim_after(sim, delay, work_fire, work);
    }
}

hy_err hyi_sim_work(hy_world *world, hy_work *work) {
    hyi_sim *sim = hyi_sim_of(world);
    hy_err err = hyi_sim_promise(sim, 1);
    if (err) return err;
    err = hyi_works_add(&sim->works, work);
    if (err) {
        hyi_sim_unpromise(sim, 1);
        return err;
    }
    sim->works_out++;
    work->private_[3] = NULL;
    work_start_next(sim);
    if (hyi_works_state(&sim->works, work) != HYI_WORK_WAITING) return HY_OK;
    work->private_[3] = (void *)(uintptr_t)sim->next_order++;
    hyi_sim_note(sim, "work waits", work_number(work), work->kind);
    return HY_OK;
}

// What was pending at a restart is gone, which is what the caller wants.
hy_err hyi_sim_unwork(hy_world *world, hy_work *work) {
    hyi_sim *sim = hyi_sim_of(world);
    if (!hyi_works_knows(&sim->works, work)) return HY_OK;
    hyi_work_state state = hyi_works_state(&sim->works, work);
    HY_ASSERT(state != HYI_WORK_OUT);
    bool taken = state == HYI_WORK_TAKEN;
    bool too_late = state == HYI_WORK_RAN || (taken && hyi_sim_below(sim, HYI_DICE_UNWORK, 2) == 0);
    hyi_sim_note(sim, "work withdrawn", work_number(work), too_late ? HY_BUSY : HY_OK);
    if (too_late) return HY_BUSY;
    if (taken) {
        hyi_sim_forget(sim, work);
        hyi_works_leave(&sim->works, work->kind);
        hyi_works_set_state(&sim->works, work, HYI_WORK_OUT);
        work_start_next(sim);
    } else {
        hyi_works_remove(&sim->works, work);
    }
    sim->works_out--;
    hyi_sim_unpromise(sim, 1);
    return HY_OK;
}

void hyi_sim_work_restart(hyi_sim *sim) {
    hyi_works_forget(&sim->works);
    hyi_sim_unpromise(sim, sim->works_out);
    sim->works_out = 0;
}
