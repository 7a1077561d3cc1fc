// fleet.c - many machines of one kind on one store: opening, calls, closing.
//
// The essay on how the parts work together is in host/fleet.h. A call finds its member, which is
// woken if it sleeps, and is from then on a call of that member's host; so everything that hosts
// promise holds here, and nothing of it is written twice.
#include "host/fleet.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/options.h"
#include "base/why.h"
#include "store/driver.h"

static void fleet_drained(void *self, hy_err err);

// ---- opening ------------------------------------------------------------------------------------

static void fleet_defaults(hy_fleet *fleet, const hy_fleet_options *options) {
    hy_fleet_options *is = &fleet->options;
    hyi_options_read(is, sizeof *is, options);
    if (is->machines_max == 0) is->machines_max = 4096;
    if (is->group_bytes_max == 0) is->group_bytes_max = (size_t)16 << 20;
    if (is->checkpoint_idle_ns == 0) is->checkpoint_idle_ns = HY_MS(50);
    if (is->queue_max == 0) is->queue_max = 1024;
    if (is->batch_max == 0) is->batch_max = 1024;
    if (is->batch_bytes_max == 0) is->batch_bytes_max = (size_t)1 << 20;
}

static bool fleet_has_started(const hyi_home *home) {
    return ((const hy_fleet *)home)->started;
}

static hy_err fleet_prepare(hy_fleet *fleet, hy_why *why) {
    const hy_store_driver *driver = fleet->store->driver;
    const size_t kinds = fleet->machine->action_count + (size_t)1;
    fleet->executors = hy_mem_alloc_zero(fleet->mem, kinds * sizeof *fleet->executors);
    fleet->shares = hy_mem_alloc_zero(fleet->mem, kinds * sizeof *fleet->shares);
    hy_err err = fleet->executors == NULL || fleet->shares == NULL ? HY_NOMEM : HY_OK;
    if (err == HY_OK) err = hy_timer_at(fleet->world, &fleet->timer, HY_NEVER);
    if (err == HY_OK) hy_timer_stop(fleet->world, &fleet->timer);
    // One key is all that `owed_after` ever holds: with room for it, waking debtors cannot fail.
    if (err == HY_OK && hy_buf_reserve(&fleet->owed_after, HY_INSTANCE_KEY_MAX) == NULL) {
        err = HY_NOMEM;
    }
    hy_buf_clear(&fleet->owed_after);
    if (err == HY_OK) {
        err = hyi_committer_init(&fleet->committer, fleet->world, fleet->store,
                                 fleet->options.group_bytes_max, fleet->options.checkpoint_idle_ns);
    }
    if (err != HY_OK) return hy_why_set(why, err, fleet->machine->name, "no memory for the fleet");
    return driver->attach(fleet->store, fleet->machine, &fleet->machine_number, why);
}

static void fleet_freep(hy_fleet **fleet) {
    if (*fleet != NULL) hyi_fleet_free(*fleet);
}

hy_err hy_fleet_open(hy_world *world, hy_store *store, const hy_machine *machine,
                     const hy_fleet_options *options, hy_fleet **out_fleet, hy_why *why) {
    hy_err err = hy_machine_check(machine, why);
    if (err != HY_OK) return err;
    if (store->driver->instance == NULL || store->driver->owing == NULL) {
        return hyi_why_fmt(why, HY_UNSUPPORTED, machine->name,
                           "a %s store cannot hold one machine many times", store->driver->name);
    }
    hy_mem *mem = hy_world_mem(world);
    HY_CLEANUP(fleet_freep) hy_fleet *fleet = hy_mem_alloc_zero(mem, sizeof *fleet);
    if (fleet == NULL) return hy_why_set(why, HY_NOMEM, machine->name, "no memory for the fleet");
    fleet->home = (hyi_home){ .committer = &fleet->committer,
                              .pumped = hyi_member_pumped,
                              .freed = hyi_member_freed,
                              .has_started = fleet_has_started };
    fleet->world = world;
    fleet->mem = mem;
    fleet->store = store;
    fleet->machine = machine;
    fleet->timer.done = hyi_owed_fired;
    fleet->armed_at = fleet->close_deadline = HY_NEVER;
    fleet_defaults(fleet, options);
    hyi_members_init(fleet);
    hy_buf_init(&fleet->owed_keys, mem, 0);
    hy_buf_init(&fleet->owed_after, mem, 0);
    err = fleet_prepare(fleet, why);
    if (err != HY_OK) return err;
    *out_fleet = fleet;
    fleet = NULL;
    return HY_OK;
}

void hy_fleet_start(hy_fleet *fleet) {
    HY_ASSERT(!fleet->started && !fleet->closing);
    fleet->started = true;
    for (uint32_t i = 0; i < fleet->bucket_count; i++) {
        for (hyi_member *member = fleet->buckets[i]; member != NULL; member = member->same_hash) {
            hy_host *host = member->host;
            if (host != NULL && !host->is_opening && host->open_err == HY_OK) hy_host_start(host);
        }
    }
    hyi_owed_begin(fleet);
}

void hyi_fleet_free(hy_fleet *fleet) {
    hy_mem *mem = fleet->mem;
    const size_t kinds = fleet->machine->action_count + (size_t)1;
    hyi_members_free(fleet);
    hy_timer_stop(fleet->world, &fleet->timer);
    hyi_committer_deinit(&fleet->committer);
    if (fleet->executors != NULL) {
        for (uint32_t kind = 0; kind < fleet->machine->action_count; kind++) {
            hyi_fiber_executor_forget(&fleet->executors[kind]);
        }
        hy_mem_free(mem, fleet->executors, kinds * sizeof *fleet->executors);
    }
    if (fleet->shares != NULL) hy_mem_free(mem, fleet->shares, kinds * sizeof *fleet->shares);
    hy_buf_deinit(&fleet->owed_keys);
    hy_buf_deinit(&fleet->owed_after);
    hy_mem_free(mem, fleet, sizeof *fleet);
}

void hy_fleet_abandon(hy_fleet *fleet) {
    if (fleet != NULL) hyi_fleet_free(fleet);
}

// ---- calls --------------------------------------------------------------------------------------

static hy_err fleet_host(hy_fleet *fleet, hy_bytes key, hy_host **out_host) {
    hyi_member *member = NULL;
    if (fleet->closing) return HY_CLOSED;
    hy_err err = hyi_member_wake(fleet, key, &member);
    if (err == HY_OK) *out_host = member->host;
    return err;
}

// A call that was refused leaves the host as it was: it is looked at again, and may be idle.
static hy_err fleet_after(hy_host *host, hy_err err) {
    if (err != HY_OK) hyi_host_pump_soon(host);
    return err;
}

hy_err hy_fleet_submit(hy_fleet *fleet, hy_bytes key, hy_call *call) {
    hy_host *host = NULL;
    hy_err err = fleet_host(fleet, key, &host);
    return err == HY_OK ? fleet_after(host, hy_host_submit(host, call)) : err;
}

hy_err hy_fleet_complete(hy_fleet *fleet, hy_bytes key, uint64_t action_id, hy_call *call) {
    hy_host *host = NULL;
    hy_err err = fleet_host(fleet, key, &host);
    return err == HY_OK ? fleet_after(host, hy_host_complete(host, action_id, call)) : err;
}

hy_err hy_fleet_look(hy_fleet *fleet, hy_bytes key, hy_look *look) {
    hy_host *host = NULL;
    hy_err err = fleet_host(fleet, key, &host);
    return err == HY_OK ? fleet_after(host, hy_host_look(host, look)) : err;
}

// ---- effects and observers ----------------------------------------------------------------------

hy_err hy_fleet_executor(hy_fleet *fleet, const hy_executor *executor) {
    if (fleet->started) return HY_CLOSED;
    const hy_err err = hyi_executor_check(fleet->machine, executor);
    if (err != HY_OK) return err;
    hy_executor *place = &fleet->executors[executor->kind];
    if (place->start != NULL) return HY_EXISTS;
    *place = hyi_executor_filled(executor);
    fleet->shares[executor->kind].max = place->parallel_max;
    return HY_OK;
}

hy_err hy_fleet_executor_in(hy_scope *scope, hy_fleet *fleet, const hy_executor *limits,
                            hy_attempt run) {
    hy_executor ours;
    hy_err err = hyi_fiber_executor_make(scope, fleet->machine, limits, run, &ours);
    if (err == HY_OK) err = hy_fleet_executor(fleet, &ours);
    if (err != HY_OK) return err;
    return hyi_fiber_executor_own(&fleet->executors[limits->kind],
                                  &fleet->shares[limits->kind].max);
}

hy_err hy_fleet_observe(hy_fleet *fleet, const hy_fleet_observer *observer) {
    HY_ASSERT(observer->changed != NULL);
    if (fleet->member_count > 0) return HY_CLOSED;
    if (fleet->observer_count == HYI_OBSERVERS_MAX) return HY_LIMIT;
    fleet->observers[fleet->observer_count++] = *observer;
    return HY_OK;
}

// ---- stats --------------------------------------------------------------------------------------

void hyi_fleet_add_stats(hy_host_stats *sum, const hy_host_stats *of) {
    sum->accepted += of->accepted;
    sum->refused += of->refused;
    sum->duplicates += of->duplicates;
    sum->commits += of->commits;
    sum->commits_refused += of->commits_refused;
    sum->commits_unknown += of->commits_unknown;
    sum->reloads += of->reloads;
    sum->attempts += of->attempts;
    sum->retries += of->retries;
    sum->completions += of->completions;
    sum->timers_fired += of->timers_fired;
    sum->invariant_reports += of->invariant_reports;
    sum->completions_refused += of->completions_refused;
    sum->attempts_failed += of->attempts_failed;
    sum->deadlines_passed += of->deadlines_passed;
    sum->gave_up += of->gave_up;
    sum->untracked_dropped += of->untracked_dropped;
    if (of->halted && !sum->halted) memcpy(sum->halted_by, of->halted_by, sizeof sum->halted_by);
    sum->halted = sum->halted || of->halted;
    if (of->last_failure[0] != 0) {
        memcpy(sum->last_failure, of->last_failure, sizeof sum->last_failure);
    }
}

hy_fleet_stats hy_fleet_stats_of(const hy_fleet *fleet) {
    hy_fleet_stats stats = { .machines = fleet->gone,
                             .resident = fleet->resident_count,
                             .idle = fleet->idle_count,
                             .opening = fleet->opening_count,
                             .asleep = fleet->member_count - fleet->resident_count,
                             .opened = fleet->opened,
                             .rested = fleet->rested,
                             .open_failures = fleet->open_failures,
                             .commits = fleet->committer.groups,
                             .batches = fleet->committer.grouped,
                             .batches_max = fleet->committer.group_largest,
                             .checkpoints = fleet->committer.checkpoints,
                             .checkpoints_failed = fleet->committer.checkpoints_failed };
    hy_host_stats *sum = &stats.machines;
    for (uint32_t i = 0; i < fleet->bucket_count; i++) {
        const hyi_member *member = fleet->buckets[i];
        for (; member != NULL; member = member->same_hash) {
            if (member->host == NULL) continue;
            const hy_host_stats one = hy_host_stats_of(member->host);
            hyi_fleet_add_stats(sum, &one);
            sum->queue_count += one.queue_count;
            sum->in_flight_count += one.in_flight_count;
            sum->pending_actions += one.pending_actions;
            sum->without_executor += one.without_executor;
            sum->reloading = sum->reloading || one.reloading;
            if (one.store_trouble[0] != 0) {
                memcpy(sum->store_trouble, one.store_trouble, sizeof sum->store_trouble);
            }
        }
    }
    return stats;
}

hy_err hy_fleet_machine_stats(const hy_fleet *fleet, hy_bytes key, hy_host_stats *out_stats) {
    const hyi_member *member = key.len > 0 ? hyi_member_find(fleet, key) : NULL;
    if (member == NULL || member->host == NULL) return HY_NOT_FOUND;
    *out_stats = hy_host_stats_of(member->host);
    return HY_OK;
}

const hy_machine *hy_fleet_machine(const hy_fleet *fleet) {
    return fleet->machine;
}

// ---- the way out --------------------------------------------------------------------------------

static void fleet_member_closed(void *self, hy_err err) {
    hy_fleet *fleet = self;
    if (err != HY_OK && fleet->close_err == HY_OK) fleet->close_err = err;
    hyi_fleet_closing_advance(fleet);
}

void hyi_fleet_closing_advance(hy_fleet *fleet) {
    if (fleet->resident_count > 0) return;
    hyi_committer_drain(&fleet->committer, fleet_drained, fleet);
}

// Only what is in memory has anything to finish; who sleeps is in the store already.
void hy_fleet_close(hy_fleet *fleet, void (*closed)(void *self, hy_err err), void *self,
                    hy_ns deadline) {
    HY_ASSERT(!fleet->closing);
    fleet->closing = true;
    fleet->close_deadline = deadline;
    fleet->closed = closed;
    fleet->closed_self = self;
    hyi_owed_arm(fleet);
    for (uint32_t i = 0; i < fleet->bucket_count; i++) {
        const hyi_member *member = fleet->buckets[i];
        for (; member != NULL; member = member->same_hash) {
            if (member->host != NULL) {
                hy_host_close(member->host, fleet_member_closed, fleet, deadline);
            }
        }
    }
    hyi_fleet_closing_advance(fleet);
}

static void fleet_drained(void *self, hy_err err) {
    hy_fleet *fleet = self;
    void (*closed)(void *, hy_err) = fleet->closed;
    void *closed_self = fleet->closed_self;
    const hy_err told = fleet->close_err != HY_OK ? fleet->close_err : err;
    hyi_fleet_free(fleet);
    closed(closed_self, told);
}
