// sim_signal.c - what the system around a simulated process does: signals, and who hears that the
// service is ready.
//
// A raised signal is an event in virtual time. As in Unix, one that is raised again before it has
// arrived arrives once. Each open signal has promised itself its place in the heap, so raising
// cannot fail.
#include "world/sim.h"

#include <signal.h>
#include <string.h>

#define SIGNAL_NUMBER_MAX 64

typedef struct hyi_sim_signal {
    hy_signal base;
    struct hyi_sim_signal *next, **link; // all signals of the world
    int number;
    bool raised; // an event is out
    bool dead;   // a restart came in between
    void (*call)(void *self);
    void *self;
} hyi_sim_signal;

hy_err hyi_sim_signal_open(hy_world *world, int number, void (*raised)(void *self), void *self,
                           hy_signal **out_signal) {
    hyi_sim *sim = hyi_sim_of(world);
    bool caught =
        number > 0 && number <= SIGNAL_NUMBER_MAX && number != SIGKILL && number != SIGSTOP;
    if (!caught) return HY_UNSUPPORTED;
    hyi_sim_signal *signal = (hyi_sim_signal *)hy_mem_alloc_zero(world->mem, sizeof *signal);
    if (!signal) return HY_NOMEM;
    if (hyi_sim_promise(sim, 1) != HY_OK) {
        hy_mem_free(world->mem, signal, sizeof *signal);
        return HY_NOMEM;
    }
    *signal = (hyi_sim_signal){ .base.world = world,
                                .next = sim->signals,
                                .link = &sim->signals,
                                .number = number,
                                .call = raised,
                                .self = self };
    if (signal->next) signal->next->link = &signal->next;
    sim->signals = signal;
    hyi_sim_note(sim, "signal open", (uint64_t)number, 0);
    *out_signal = &signal->base;
    return HY_OK;
}

void hyi_sim_signal_close(hy_signal *base) {
    hyi_sim_signal *signal = (hyi_sim_signal *)base;
    hyi_sim *sim = hyi_sim_of(base->world);
    if (signal->raised) hyi_sim_forget(sim, signal);
    hyi_sim_unpromise(sim, 1);
    *signal->link = signal->next;
    if (signal->next) signal->next->link = signal->link;
    hy_mem_free(sim->base.mem, signal, sizeof *signal);
}

static void signal_fire(hyi_sim *sim, void *self) {
    hyi_sim_signal *signal = (hyi_sim_signal *)self;
    signal->raised = false;
    hyi_sim_note(sim, "signal", (uint64_t)signal->number, 0);
    signal->call(signal->self);
}

void hy_sim_raise(hy_world *world, int number) {
    HY_ASSERT(!world->door->is_real);
    hyi_sim *sim = hyi_sim_of(world);
    uint64_t heard = 0;
    for (hyi_sim_signal *signal = sim->signals; signal; signal = signal->next) {
        if (signal->number != number || signal->dead) continue;
        heard++;
        if (signal->raised) continue;
        signal->raised = true;
        hyi_sim_after(sim, hyi_sim_delay(sim, HYI_DICE_SIGNAL), signal_fire, signal);
    }
    hyi_sim_note(sim, "raise", (uint64_t)number, heard);
}

// The heap is empty already.
void hyi_sim_signals_restart(hyi_sim *sim) {
    sim->notified[0] = 0;
    for (hyi_sim_signal *signal = sim->signals; signal; signal = signal->next) {
        signal->raised = false;
        signal->dead = true;
    }
}

void hyi_sim_signals_free(hyi_sim *sim) {
    while (sim->signals) {
        HY_ASSERT(sim->signals->dead || sim->disk.crashed);
        hyi_sim_signal_close(&sim->signals->base);
    }
}

// ---- the service manager ------------------------------------------------------------------------

hy_err hyi_sim_notify(hy_world *world, const char *text) {
    hyi_sim *sim = hyi_sim_of(world);
    size_t len = strlen(text);
    HY_ASSERT(len < sizeof sim->notified);
    memcpy(sim->notified, text, len + 1);
    hyi_sim_note(sim, "notify", 0, len);
    hyi_sim_note_bytes(sim, (hy_bytes){ (const uint8_t *)text, len });
    return HY_OK;
}

const char *hy_sim_notified(const hy_world *world) {
    HY_ASSERT(!world->door->is_real);
    return hyi_sim_of(world)->notified;
}
