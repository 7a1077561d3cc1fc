// wakeup.c - the one timer of a host.
//
// Deadlines, retries, idle checkpoints and the close deadline are points on the monotonic clock;
// the ledger's timers are points on the wall clock, which people and NTP move. So the host never
// sleeps past a second while the ledger holds a timer: then it looks at the wall again.
//
// The world's timer is moved only to an earlier time; waking early costs one look and nothing else.
// Starting it can fail for want of memory, though hy_host_open has made the world find room for it
// once: then it is tried again whenever something else wakes the host. Asking without a pause would
// keep the loop busy just when the machine is in trouble.
#include "host/inside.h"

#define WAKEUP_WALL_NS HY_SECONDS(1)
#define WAKEUP_RETRY_NS HY_MS(100)

static void wakeup_ledger_timer(hy_host *host, hyi_pending *pending);
static hy_ns wakeup_next(const hy_host *host);

static hyi_pending *wakeup_owner(hyi_due *due) {
    return (hyi_pending *)(void *)((uint8_t *)due - offsetof(hyi_pending, due));
}

void hyi_wakeup_fired(hy_timer *timer) {
    hy_host *host = (hy_host *)(void *)((uint8_t *)timer - offsetof(hy_host, timer));
    host->armed_at = HY_NEVER;
    hyi_host_pump_now(host);
}

void hyi_wakeup_dues(hy_host *host) {
    const hy_ns now = hy_world_now(host->world);
    hyi_due *due = NULL;
    while ((due = hyi_due_take(&host->dues, now)) != NULL) {
        hyi_attempt_due(host, wakeup_owner(due));
    }
    if (host->store_retry_at <= now) {
        host->store_retry_at = HY_NEVER;
        hyi_reload_again(host); // an append is started again by the pipeline
    }
    if (!host->started || host->closing != HYI_OPEN || host->stats.halted) return;
    const hy_ns wall = hy_world_wall(host->world);
    while ((due = hyi_due_take(&host->timers, wall)) != NULL) {
        wakeup_ledger_timer(host, wakeup_owner(due));
    }
}

void hyi_wakeup_arm(hy_host *host) {
    const hy_ns next = wakeup_next(host);
    if (next >= host->armed_at) return;
    host->armed_at = next;
    if (hy_timer_at(host->world, &host->timer, next) == HY_OK) return;
    host->armed_at = HY_NEVER;
}

// The timer's input is built from its ledger row.
static void wakeup_ledger_timer(hy_host *host, hyi_pending *pending) {
    const hy_ledger_row *row = hyi_pending_row(host, pending);
    host->timer_count--;
    if (row == NULL) {
        pending->phase = HYI_PARKED;
        hyi_pendings_push(&host->parked, pending);
        return;
    }
    const hy_record *record = host->machine->inputs[row->kind].body;
    void *body = NULL;
    hy_arena_reset(&pending->arena);
    if (record != NULL) {
        body = hy_arena_alloc(&pending->arena, record->size);
        if (body == NULL ||
            hy_wire_decode(record, row->body, &pending->arena, body, NULL) != HY_OK) {
            host->timer_count++;
            hyi_due_add(&host->timers, &pending->due, hy_world_wall(host->world) + WAKEUP_RETRY_NS);
            return;
        }
    }
    pending->call = (hy_call){ .kind = row->kind, .body = body };
    hyi_pending_complete(host, pending);
}

static hy_ns wakeup_earlier(hy_ns a, hy_ns b) {
    return a < b ? a : b;
}

static hy_ns wakeup_next(const hy_host *host) {
    hy_ns next = host->store_retry_at;
    if (host->dues.first != NULL) next = wakeup_earlier(next, host->dues.first->at);
    const bool checkpoint_waits = host->dirty_at != HY_NEVER && host->flight == NULL &&
                                  host->store_call.op == HYI_STORE_FREE &&
                                  host->store_retry_at == HY_NEVER;
    if (checkpoint_waits) {
        next = wakeup_earlier(next, host->dirty_at + host->options.checkpoint_idle_ns);
    }
    if (host->closing == HYI_DRAINING) next = wakeup_earlier(next, host->close_deadline);
    const bool timers_run = host->started && host->closing == HYI_OPEN && !host->stats.halted;
    if (timers_run && host->timers.first != NULL) {
        const hy_ns at = host->timers.first->at, wall = hy_world_wall(host->world);
        const hy_ns wait = at <= wall ? 0 : wakeup_earlier(at - wall, WAKEUP_WALL_NS);
        next = wakeup_earlier(next, hy_world_now(host->world) + wait);
    }
    return next;
}
