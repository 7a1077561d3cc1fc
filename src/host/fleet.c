// fleet.c - many machines of one kind on one store: opening, whom a call goes to, closing.
//
// The essay on how the parts work together is in host/fleet.h. Without a node there is one part, on
// this thread, and every call goes straight to it. With one there is a part on each worker, and
// what goes there and comes back are letters, errands and news.
#include "host/fleet.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/options.h"
#include "base/why.h"

#define FLEET_SETTLE_NS HY_MS(1)

static void fleet_drained(void *self, hy_err err);
static void fleet_fired(hy_timer *timer);
static void fleet_settled(hy_fleet *fleet);

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
    fleet->node = is->node;
    fleet->part_count = is->node != NULL ? hy_node_workers(is->node) : 1;
}

static hy_err fleet_allocate(hy_fleet *fleet) {
    hy_mem *mem = fleet->mem;
    const size_t kinds = fleet->machine->action_count + (size_t)1;
    fleet->executors = hy_mem_alloc_zero(mem, kinds * sizeof *fleet->executors);
    fleet->places = hy_mem_alloc_zero(mem, kinds * sizeof *fleet->places);
    fleet->parts = hy_mem_alloc_zero(mem, fleet->part_count * sizeof *fleet->parts);
    fleet->workers = hy_mem_alloc_zero(mem, fleet->part_count * sizeof *fleet->workers);
    const bool has_all = fleet->executors != NULL && fleet->places != NULL &&
                         fleet->parts != NULL && fleet->workers != NULL;
    hy_err err = has_all ? hy_timer_at(fleet->world, &fleet->timer, HY_NEVER) : HY_NOMEM;
    if (err == HY_OK) hy_timer_stop(fleet->world, &fleet->timer);
    if (err != HY_OK) return err;
    return hyi_committer_init(&fleet->committer, fleet->world, fleet->store,
                              fleet->options.group_bytes_max, fleet->options.checkpoint_idle_ns);
}

static hy_err fleet_prepare(hy_fleet *fleet, hy_why *why) {
    const hy_store_driver *driver = fleet->store->driver;
    hy_err err = fleet_allocate(fleet);
    if (err != HY_OK) return hy_why_set(why, err, fleet->machine->name, "no memory for the fleet");
    err = driver->attach(fleet->store, fleet->machine, &fleet->machine_number, why);
    if (err != HY_OK) return err;
    if (fleet->node != NULL) {
        err = hyi_workers_open(fleet);
    } else {
        err = hyi_part_init(&fleet->parts[0], fleet, fleet->world, fleet->options.machines_max);
    }
    fleet->parts_open = err == HY_OK ? fleet->part_count : 0;
    if (err != HY_OK) return hy_why_set(why, err, fleet->machine->name, hy_err_text(err));
    return HY_OK;
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
    fleet->world = world;
    fleet->mem = mem;
    fleet->store = store;
    fleet->machine = machine;
    fleet->close_deadline = HY_NEVER;
    fleet->timer.done = fleet_fired;
    fleet_defaults(fleet, options);
    err = fleet_prepare(fleet, why);
    if (err != HY_OK) return err;
    *out_fleet = fleet;
    fleet = NULL;
    return HY_OK;
}

void hy_fleet_start(hy_fleet *fleet) {
    HY_ASSERT(!fleet->started && !fleet->closing);
    fleet->started = true;
    if (fleet->node != NULL) {
        hyi_workers_start(fleet);
    } else {
        hyi_part_start(&fleet->parts[0]);
    }
}

void hyi_fleet_free(hy_fleet *fleet) {
    hy_mem *mem = fleet->mem;
    const size_t kinds = fleet->machine->action_count + (size_t)1;
    hy_timer_stop(fleet->world, &fleet->timer);
    for (uint32_t i = 0; i < fleet->part_count && fleet->parts_open > 0; i++) {
        hyi_part_deinit(&fleet->parts[i]);
    }
    hyi_carries_free(fleet);
    hyi_committer_deinit(&fleet->committer);
    for (uint32_t kind = 0; fleet->executors != NULL && kind < kinds; kind++) {
        hyi_fiber_executor_forget(&fleet->executors[kind]);
    }
    hy_mem_free(mem, fleet->executors, fleet->executors ? kinds * sizeof *fleet->executors : 0);
    hy_mem_free(mem, fleet->places, fleet->places ? kinds * sizeof *fleet->places : 0);
    hy_mem_free(mem, fleet->parts, fleet->parts ? fleet->part_count * sizeof *fleet->parts : 0);
    hy_mem_free(mem, fleet->workers,
                fleet->workers ? fleet->part_count * sizeof *fleet->workers : 0);
    hy_mem_free(mem, fleet, sizeof *fleet);
}

void hy_fleet_abandon(hy_fleet *fleet) {
    if (fleet != NULL) hyi_fleet_free(fleet);
}

hyi_part *hyi_fleet_part(const hy_fleet *fleet, hy_bytes key) {
    return &fleet->parts[(hyi_member_hash(key) >> 36) % fleet->part_count];
}

// ---- between threads ----------------------------------------------------------------------------

void hyi_carry_begin(hy_fleet *fleet, hyi_carry *carry, void (*give_back)(hyi_carry *carry)) {
    // Relaxed: whoever begins one keeps the fleet open by itself.
    atomic_fetch_add_explicit(&fleet->under_way, 1, memory_order_relaxed);
    if (hy_world_is_real(fleet->world)) return;
    carry->give_back = give_back; // one thread: what a crash leaves behind can be found
    carry->next = fleet->carries;
    carry->prev = NULL;
    if (carry->next != NULL) carry->next->prev = carry;
    fleet->carries = carry;
}

void hyi_carry_end(hy_fleet *fleet, hyi_carry *carry) {
    if (!hy_world_is_real(fleet->world)) {
        *(carry->prev != NULL ? &carry->prev->next : &fleet->carries) = carry->next;
        if (carry->next != NULL) carry->next->prev = carry->prev;
    }
    carry->give_back = NULL;
}

void hyi_carry_is_over(hy_fleet *fleet) {
    // Release: pairs with the acquire in fleet_settled, after which the fleet is freed.
    atomic_fetch_sub_explicit(&fleet->under_way, 1, memory_order_release);
}

void hyi_carries_free(hy_fleet *fleet) {
    while (fleet->carries != NULL) {
        hyi_carry *carry = fleet->carries;
        fleet->carries = carry->next;
        carry->give_back(carry);
    }
}

// ---- calls --------------------------------------------------------------------------------------

hy_err hyi_fleet_call(hy_fleet *fleet, hy_bytes key, const uint64_t *action_id, hy_call *call,
                      hy_world *back) {
    if (fleet->node != NULL) return hyi_letter_call(fleet, key, action_id, call, back);
    if (action_id == NULL) return hyi_part_submit(&fleet->parts[0], key, call);
    return hyi_part_complete(&fleet->parts[0], key, *action_id, call);
}

hy_err hyi_fleet_look(hy_fleet *fleet, hy_bytes key, hy_look *look, hy_world *back) {
    if (fleet->node != NULL) return hyi_letter_look(fleet, key, look, back);
    return hyi_part_look(&fleet->parts[0], key, look);
}

hy_err hy_fleet_submit(hy_fleet *fleet, hy_bytes key, hy_call *call) {
    if (fleet->closing) return HY_CLOSED;
    return hyi_fleet_call(fleet, key, NULL, call, fleet->world);
}

hy_err hy_fleet_complete(hy_fleet *fleet, hy_bytes key, uint64_t action_id, hy_call *call) {
    if (fleet->closing) return HY_CLOSED;
    return hyi_fleet_call(fleet, key, &action_id, call, fleet->world);
}

hy_err hy_fleet_look(hy_fleet *fleet, hy_bytes key, hy_look *look) {
    if (fleet->closing) return HY_CLOSED;
    return hyi_fleet_look(fleet, key, look, fleet->world);
}

// ---- effects and observers ----------------------------------------------------------------------

hy_err hy_fleet_executor(hy_fleet *fleet, const hy_executor *executor) {
    if (fleet->started) return HY_CLOSED;
    const hy_err err = hyi_executor_check(fleet->machine, executor);
    if (err != HY_OK) return err;
    hy_executor *place = &fleet->executors[executor->kind];
    if (place->start != NULL) return HY_EXISTS;
    *place = hyi_executor_filled(executor);
    fleet->places[executor->kind] = place->parallel_max;
    if (fleet->node == NULL) fleet->parts[0].shares[executor->kind].max = place->parallel_max;
    return HY_OK;
}

hy_err hy_fleet_executor_in(hy_scope *scope, hy_fleet *fleet, const hy_executor *limits,
                            hy_attempt run) {
    hy_executor ours;
    hy_err err = hyi_fiber_executor_make(scope, fleet->machine, limits, run, &ours);
    if (err == HY_OK) err = hy_fleet_executor(fleet, &ours);
    if (err != HY_OK) return err;
    uint32_t *places = fleet->node != NULL ? &fleet->places[limits->kind]
                                           : &fleet->parts[0].shares[limits->kind].max;
    return hyi_fiber_executor_own(&fleet->executors[limits->kind], places);
}

hy_err hy_fleet_observe(hy_fleet *fleet, const hy_fleet_observer *observer) {
    HY_ASSERT(observer->changed != NULL);
    if (fleet->started) return HY_CLOSED;
    if (fleet->observer_count == HYI_OBSERVERS_MAX) return HY_LIMIT;
    fleet->observers[fleet->observer_count++] = *observer;
    return HY_OK;
}

// ---- stats --------------------------------------------------------------------------------------

static void fleet_visit_stats(const hyi_part *part, void *arg) {
    hyi_part_stats(part, arg);
}

hy_fleet_stats hy_fleet_stats_of(const hy_fleet *fleet) {
    hy_fleet_stats stats = { .commits = fleet->committer.groups,
                             .batches = fleet->committer.grouped,
                             .batches_max = fleet->committer.group_largest,
                             .checkpoints = fleet->committer.checkpoints,
                             .checkpoints_failed = fleet->committer.checkpoints_failed };
    memcpy(stats.machines.store_trouble, fleet->committer.trouble,
           sizeof stats.machines.store_trouble);
    for (uint32_t i = 0; i < fleet->part_count; i++) {
        const hy_err err = hyi_letter_visit(&fleet->parts[i], fleet_visit_stats, &stats);
        if (err != HY_OK) break; // cancelled: what is there is there
    }
    return stats;
}

typedef struct fleet_one {
    hy_bytes key;
    hy_host_stats stats;
    bool found;
} fleet_one;

static void fleet_visit_one(const hyi_part *part, void *arg) {
    fleet_one *one = arg;
    const hyi_member *member = hyi_member_find(part, one->key);
    one->found = member != NULL && member->host != NULL;
    if (one->found) one->stats = hy_host_stats_of(member->host);
}

hy_err hy_fleet_machine_stats(const hy_fleet *fleet, hy_bytes key, hy_host_stats *out_stats) {
    fleet_one one = { .key = key };
    if (key.len == 0) return HY_NOT_FOUND;
    hy_err err = hyi_letter_visit(hyi_fleet_part(fleet, key), fleet_visit_one, &one);
    if (err != HY_OK || !one.found) return err != HY_OK ? err : HY_NOT_FOUND;
    *out_stats = one.stats;
    return HY_OK;
}

const hy_machine *hy_fleet_machine(const hy_fleet *fleet) {
    return fleet->machine;
}

// ---- the way out --------------------------------------------------------------------------------

static void fleet_own_part_closed(hyi_part *part) {
    hyi_fleet_part_closed(part->fleet, part->close_err);
}

void hyi_fleet_part_closed(hy_fleet *fleet, hy_err err) {
    if (err != HY_OK && fleet->close_err == HY_OK) fleet->close_err = err;
    if (--fleet->parts_left > 0) return;
    hyi_committer_drain(&fleet->committer, fleet_drained, fleet);
}

void hy_fleet_close(hy_fleet *fleet, void (*closed)(void *self, hy_err err), void *self,
                    hy_ns deadline) {
    HY_ASSERT(!fleet->closing);
    fleet->closing = true;
    fleet->close_deadline = deadline;
    fleet->closed = closed;
    fleet->closed_self = self;
    fleet->parts_left = fleet->part_count;
    // Without memory for it, which there was when the fleet was opened, the checkpoint has no
    // limit.
    if (hy_timer_at(fleet->world, &fleet->timer, deadline) != HY_OK) fleet->timer.due = HY_NEVER;
    if (fleet->node != NULL) {
        hyi_workers_close(fleet);
    } else {
        hyi_part_close(&fleet->parts[0], fleet_own_part_closed);
    }
}

static void fleet_fired(hy_timer *timer) {
    hy_fleet *fleet = (hy_fleet *)(void *)((uint8_t *)timer - offsetof(hy_fleet, timer));
    if (fleet->is_drained) {
        fleet_settled(fleet);
    } else {
        hyi_committer_hurry(&fleet->committer); // the machines see to their own deadlines
    }
}

static void fleet_drained(void *self, hy_err err) {
    hy_fleet *fleet = self;
    if (fleet->close_err == HY_OK) fleet->close_err = err;
    fleet->is_drained = true;
    fleet_settled(fleet);
}

// Answers to those who asked at the last moment may still be on their way between threads.
static void fleet_settled(hy_fleet *fleet) {
    // Acquire: pairs with the release in hyi_carry_is_over.
    if (atomic_load_explicit(&fleet->under_way, memory_order_acquire) > 0) {
        const hy_ns again = hy_world_now(fleet->world) + FLEET_SETTLE_NS;
        const hy_err err = hy_timer_at(fleet->world, &fleet->timer, again);
        HY_ASSERT(err == HY_OK); // the world has had room for it since the fleet was opened
        return;
    }
    void (*closed)(void *, hy_err) = fleet->closed;
    void *closed_self = fleet->closed_self;
    const hy_err told = fleet->close_err;
    hyi_fleet_free(fleet);
    closed(closed_self, told);
}
