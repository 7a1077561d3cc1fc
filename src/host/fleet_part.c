// fleet_part.c - the machines of one thread.
//
// Everything here runs on the thread of the part's world. A call finds its member, which is woken
// if it sleeps, and is from then on a call of that member's host; so everything that hosts promise
// holds, and nothing of it is written twice.
#include "host/fleet.h"

#include <string.h>

static bool part_has_started(const hyi_home *home) {
    return ((const hyi_part *)home)->started;
}

hy_err hyi_part_init(hyi_part *part, hy_fleet *fleet, hy_world *world, uint32_t machines_max) {
    const size_t kinds = fleet->machine->action_count + (size_t)1;
    *part = (hyi_part){ .home = { .committer = &fleet->committer,
                                  .pumped = hyi_member_pumped,
                                  .freed = hyi_member_freed,
                                  .has_started = part_has_started },
                        .fleet = fleet,
                        .world = world,
                        .machines_max = machines_max,
                        .timer.done = hyi_owed_fired,
                        .armed_at = HY_NEVER };
    hyi_members_init(part);
    hy_buf_init(&part->owed_keys, fleet->mem, 0);
    hy_buf_init(&part->owed_after, fleet->mem, 0);
    part->shares = hy_mem_alloc_zero(fleet->mem, kinds * sizeof *part->shares);
    hy_err err = part->shares == NULL ? HY_NOMEM : HY_OK;
    if (err == HY_OK) err = hy_timer_at(world, &part->timer, HY_NEVER); // room from now on
    if (err == HY_OK) hy_timer_stop(world, &part->timer);
    // One key is all that `owed_after` ever holds: with room for it, noting it cannot fail.
    if (err == HY_OK && hy_buf_reserve(&part->owed_after, HY_INSTANCE_KEY_MAX) == NULL) {
        err = HY_NOMEM;
    }
    hy_buf_clear(&part->owed_after);
    if (err != HY_OK) hyi_part_deinit(part);
    return err;
}

void hyi_part_deinit(hyi_part *part) {
    const hy_fleet *fleet = part->fleet;
    if (part->world == NULL || part->is_gone) return;
    part->is_gone = true;
    hyi_members_free(part);
    hy_timer_stop(part->world, &part->timer);
    if (part->shares != NULL) {
        const size_t kinds = fleet->machine->action_count + (size_t)1;
        hy_mem_free(fleet->mem, part->shares, kinds * sizeof *part->shares);
        part->shares = NULL;
    }
    hy_buf_deinit(&part->owed_keys);
    hy_buf_deinit(&part->owed_after);
}

void hyi_part_start(hyi_part *part) {
    const hy_fleet *fleet = part->fleet;
    for (uint32_t kind = 0; part->worker != NULL && kind < fleet->machine->action_count; kind++) {
        const uint32_t max = fleet->executors[kind].parallel_max / fleet->part_count;
        part->shares[kind].max = max > 0 ? max : 1; // each worker has its share
    }
    part->started = true;
    for (uint32_t i = 0; i < part->bucket_count; i++) {
        for (hyi_member *member = part->buckets[i]; member != NULL; member = member->same_hash) {
            hy_host *host = member->host;
            if (host == NULL) continue;
            hyi_member_equip(member); // it may have been loaded before the executors were known
            if (!host->is_opening && host->open_err == HY_OK) hy_host_start(host);
        }
    }
    if (!part->closing) hyi_owed_begin(part);
}

// ---- calls --------------------------------------------------------------------------------------

static hy_err part_host(hyi_part *part, hy_bytes key, hy_host **out_host) {
    hyi_member *member = NULL;
    if (part->closing) return HY_CLOSED;
    hy_err err = hyi_member_wake(part, key, &member);
    if (err == HY_OK) *out_host = member->host;
    return err;
}

// A call that was refused leaves the host as it was: it is looked at again, and may be idle.
static hy_err part_after(hy_host *host, hy_err err) {
    if (err != HY_OK) hyi_host_pump_soon(host);
    return err;
}

hy_err hyi_part_submit(hyi_part *part, hy_bytes key, hy_call *call) {
    hy_host *host = NULL;
    hy_err err = part_host(part, key, &host);
    return err == HY_OK ? part_after(host, hy_host_submit(host, call)) : err;
}

hy_err hyi_part_complete(hyi_part *part, hy_bytes key, uint64_t action_id, hy_call *call) {
    hy_host *host = NULL;
    hy_err err = part_host(part, key, &host);
    return err == HY_OK ? part_after(host, hy_host_complete(host, action_id, call)) : err;
}

hy_err hyi_part_look(hyi_part *part, hy_bytes key, hy_look *look) {
    hy_host *host = NULL;
    hy_err err = part_host(part, key, &host);
    return err == HY_OK ? part_after(host, hy_host_look(host, look)) : err;
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

void hyi_part_stats(const hyi_part *part, hy_fleet_stats *stats) {
    hy_host_stats *sum = &stats->machines;
    stats->resident += part->resident_count;
    stats->idle += part->idle_count;
    stats->opening += part->opening_count;
    stats->asleep += part->member_count - part->resident_count;
    stats->opened += part->opened;
    stats->rested += part->rested;
    stats->open_failures += part->open_failures;
    if (part->open_trouble[0] != 0) {
        memcpy(stats->open_trouble, part->open_trouble, sizeof stats->open_trouble);
    }
    hyi_fleet_add_stats(sum, &part->gone);
    for (uint32_t i = 0; i < part->bucket_count; i++) {
        const hyi_member *member = part->buckets[i];
        for (; member != NULL; member = member->same_hash) {
            if (member->host == NULL) continue;
            const hy_host_stats one = hy_host_stats_of(member->host);
            hyi_fleet_add_stats(sum, &one);
            sum->queue_count += one.queue_count;
            sum->in_flight_count += one.in_flight_count;
            sum->pending_actions += one.pending_actions;
            sum->without_executor += one.without_executor;
            sum->reloading = sum->reloading || one.reloading;
            sum->durable_seq += one.durable_seq;
        }
    }
}

// ---- the way out --------------------------------------------------------------------------------

void hyi_part_closing_advance(hyi_part *part) {
    void (*closed)(hyi_part *) = part->closed;
    if (part->resident_count > 0 || part->owed == HYI_OWED_ASKING) return;
    part->closed = NULL;
    if (closed != NULL) closed(part);
}

static void part_member_closed(void *self, hy_err err) {
    hyi_part *part = self;
    if (err != HY_OK && part->close_err == HY_OK) part->close_err = err;
    hyi_part_closing_advance(part);
}

// Only what is in memory has anything to finish; who sleeps is in the store already.
void hyi_part_close(hyi_part *part, void (*closed)(hyi_part *part)) {
    part->closing = true;
    part->closed = closed;
    for (uint32_t i = 0; i < part->bucket_count; i++) {
        const hyi_member *member = part->buckets[i];
        for (; member != NULL; member = member->same_hash) {
            if (member->host == NULL || member->host->closing != HYI_OPEN) continue;
            hy_host_close(member->host, part_member_closed, part, part->fleet->close_deadline);
        }
    }
    hyi_part_closing_advance(part);
}
