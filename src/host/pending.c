// pending.c - what the ledger still waits for.
//
// Every tracked action and every timer in the durable ledger has one record here, from the commit
// that filed it to the commit that takes its row away; untracked actions have one while they run.
// The record is small and holds no body: that stays in the ledger row and is read when an attempt
// starts.
//
// A row can be missing in memory although it is durable: a step that is not committed yet completed
// or cancelled it. Then nothing is started and the record is parked until that step's fate is
// known. Rows that go are learnt from the ledger's own changes, so cancelling, an executor's
// completion and a webhook's completion all end here in the same way.
#include "host/inside.h"

static void pending_done(hy_call *call);
static void pending_map_grow(hy_host *host);
static hyi_pending **pending_find(hyi_pending_map *map, uint64_t action_id);
static void pending_forget(hy_host *host, hyi_pending *pending);
static void pending_detach(hy_host *host, hyi_pending *pending);
static void pending_begin(hy_host *host, hyi_pending *pending);

static hyi_pending *pending_of(hy_call *call) {
    return (hyi_pending *)(void *)((uint8_t *)call - offsetof(hyi_pending, call));
}

#define PENDING_REDELIVER_MIN HY_MS(10)
#define PENDING_REDELIVER_MAX HY_SECONDS(5)

void hyi_pendings_push(hyi_pendings *list, hyi_pending *pending) {
    HY_ASSERT(pending->prev == NULL && pending->next == NULL && list->first != pending);
    pending->prev = list->last;
    if (list->last != NULL) {
        list->last->next = pending;
    } else {
        list->first = pending;
    }
    list->last = pending;
    list->count++;
}

void hyi_pendings_remove(hyi_pendings *list, hyi_pending *pending) {
    HY_ASSERT(list->count > 0);
    if (pending->prev != NULL) {
        pending->prev->next = pending->next;
    } else {
        HY_ASSERT(list->first == pending);
        list->first = pending->next;
    }
    if (pending->next != NULL) {
        pending->next->prev = pending->prev;
    } else {
        HY_ASSERT(list->last == pending);
        list->last = pending->prev;
    }
    pending->prev = pending->next = NULL;
    list->count--;
}

hyi_pending *hyi_pendings_pop(hyi_pendings *list) {
    hyi_pending *first = list->first;
    if (first != NULL) hyi_pendings_remove(list, first);
    return first;
}

hyi_pending *hyi_pending_new(hy_host *host, uint64_t action_id, uint32_t kind) {
    hyi_pending *pending = hy_mem_alloc_zero(host->mem, sizeof *pending);
    if (pending == NULL) return NULL;
    pending->phase = HYI_NEW;
    pending->effect.action_id = action_id;
    pending->effect.kind = kind;
    pending->effect.host = host;
    pending->effect.instance = host->key;
    hy_arena_init(&pending->arena, host->mem, 0);
    return pending;
}

void hyi_pending_free(hy_host *host, hyi_pending *pending) {
    HY_ASSERT(!pending->due.added && pending->prev == NULL && pending->next == NULL);
    hy_arena_deinit(&pending->arena);
    hy_mem_free(host->mem, pending, sizeof *pending);
}

void hyi_pending_end(hy_host *host, hyi_pending *pending) {
    pending_forget(host, pending);
    hyi_pending_free(host, pending);
}

void hyi_pending_file(hy_host *host, hyi_pending *pending) {
    HY_ASSERT(pending->phase == HYI_NEW);
    if (!pending->tracked) {
        const hyi_executor *executor = &host->executors[pending->effect.kind];
        const bool dropped = executor->is.start == NULL ||
                             executor->waiting.count >= host->options.queue_max ||
                             host->closing != HYI_OPEN;
        if (dropped) {
            host->stats.untracked_dropped++;
            hyi_pending_free(host, pending);
            return;
        }
    }
    pending_map_grow(host);
    hyi_pending **place = pending_find(&host->pending, pending->effect.action_id);
    HY_ASSERT(*place == NULL); // ids are never used twice
    *place = pending;
    host->pending.count++;
    pending_begin(host, pending);
}

void hyi_pending_gone(hy_host *host, uint64_t action_id) {
    hyi_pending *pending = *pending_find(&host->pending, action_id);
    if (pending == NULL) return;
    pending_forget(host, pending);
    if (pending->phase == HYI_COMPLETING && pending->call.host_ != NULL) {
        pending->gone = true; // its call is on the way; pending_done frees it
        return;
    }
    pending_detach(host, pending);
    hyi_pending_free(host, pending);
}

void hyi_pending_unpark(hy_host *host) {
    // Those that still have no row park again later, so walk only what is here now.
    for (uint32_t n = host->parked.count; n > 0; n--) {
        pending_begin(host, hyi_pendings_pop(&host->parked));
    }
}

void hyi_pending_begin_idle(hy_host *host) {
    for (uint32_t n = host->idle.count; n > 0; n--) {
        pending_begin(host, hyi_pendings_pop(&host->idle));
    }
}

hy_err hyi_pending_restore(hy_host *host) {
    hy_cursor cursor = hy_cursor_at(hy_state_view(host->state), HY_LEDGER, NULL);
    const hy_ledger_row *row = NULL;
    while ((row = hy_cursor_next(&cursor)) != NULL) {
        hyi_pending *pending = hyi_pending_new(host, row->id, row->kind);
        if (pending == NULL) return HY_NOMEM;
        pending->tracked = true;
        pending->timer = row->due != 0;
        pending->effect.deadline = row->due;
        pending->effect.restored = true;
        hyi_pending_file(host, pending);
    }
    return HY_OK;
}

// Completions on their way whose row is gone already: they are in no map any more.
static void pending_free_sent(hy_host *host, hyi_calls *calls) {
    hy_call *call = NULL;
    while ((call = hyi_calls_pop(calls)) != NULL) {
        hyi_pending *pending = call->host_ != NULL ? pending_of(call) : NULL;
        if (pending != NULL && pending->gone) hyi_pending_free(host, pending);
    }
}

void hyi_pending_free_all(hy_host *host) {
    hyi_pending_map *map = &host->pending;
    pending_free_sent(host, &host->queue);
    pending_free_sent(host, &host->batches[0].calls);
    pending_free_sent(host, &host->batches[1].calls);
    for (uint32_t i = 0; i < map->bucket_count; i++) {
        while (map->buckets[i] != NULL) {
            hyi_pending *pending = map->buckets[i];
            map->buckets[i] = pending->same_hash;
            hy_arena_deinit(&pending->arena);
            hy_mem_free(host->mem, pending, sizeof *pending);
        }
    }
    if (map->buckets != map->few) {
        hy_mem_free(host->mem, map->buckets, map->bucket_count * sizeof *map->buckets);
    }
    hyi_pending_map_init(map);
}

const hy_ledger_row *hyi_pending_row(const hy_host *host, const hyi_pending *pending) {
    const hy_ledger_row key = { .id = pending->effect.action_id };
    return hy_row_get(hy_state_view(host->state), HY_LEDGER, &key);
}

void hyi_pending_complete(hy_host *host, hyi_pending *pending) {
    pending->phase = HYI_COMPLETING;
    hy_call *call = &pending->call;
    call->done = pending_done;
    call->host_ = host;
    call->host_seq_ = pending->effect.action_id;
    hyi_calls_push(&host->queue, call);
    hyi_host_pump_soon(host);
}

static void pending_done(hy_call *call) {
    hyi_pending *pending = pending_of(call);
    hy_host *host = call->host_;
    call->host_ = NULL;
    const bool is_accepted =
        call->err == HY_OK || call->err == HY_REJECT; // a rejection ends it too
    if (is_accepted) {
        if (pending->timer) {
            host->stats.timers_fired++;
        } else {
            host->stats.completions++;
        }
    }
    const bool is_unknown = call->err == HY_ALREADY_DONE || call->err == HY_NOT_FOUND;
    if (is_unknown && !pending->gone) {
        pending_forget(host, pending);
        pending->gone = true;
    }
    if (pending->gone) {
        hyi_pending_free(host, pending);
        return;
    }
    // Accepted: the row that went is in the same batch, and hyi_pending_gone follows. Halted or
    // closing: the next process restores it.
    if (is_accepted || call->err == HY_HALTED || call->err == HY_CLOSED) return;
    if (call->err != HY_NOT_COMMITTED) host->stats.completions_refused++;
    pending->phase = HYI_REDELIVER;
    pending->redeliveries++;
    const hy_ns delay = hyi_attempt_backoff(host, PENDING_REDELIVER_MIN, PENDING_REDELIVER_MAX,
                                            pending->redeliveries);
    hyi_due_add(&host->dues, &pending->due, hy_world_now(host->world) + delay);
}

// Where a record waits first, or again.
static void pending_begin(hy_host *host, hyi_pending *pending) {
    if (pending->timer) {
        pending->phase = HYI_TIMER;
        host->timer_count++;
        hyi_due_add(&host->timers, &pending->due, pending->effect.deadline);
        return;
    }
    hyi_attempt_wait(host, pending);
}

// Takes a record out of whatever it waits in.
static void pending_detach(hy_host *host, hyi_pending *pending) {
    switch (pending->phase) {
    case HYI_NEW: HY_ASSERT(false); break;
    case HYI_IDLE: hyi_pendings_remove(&host->idle, pending); break;
    case HYI_TIMER:
        host->timer_count--;
        hyi_due_remove(&host->timers, &pending->due);
        break;
    case HYI_WAITING:
        hyi_pendings_remove(&host->executors[pending->effect.kind].waiting, pending);
        break;
    case HYI_PARKED: hyi_pendings_remove(&host->parked, pending); break;
    case HYI_RUNNING: hyi_attempt_drop(host, pending); break;
    case HYI_BACKOFF:
    case HYI_REDELIVER: hyi_due_remove(&host->dues, &pending->due); break;
    case HYI_COMPLETING: break;
    }
}

// ---- the map ----------------------------------------------------------------------------------

void hyi_pending_map_init(hyi_pending_map *map) {
    *map = (hyi_pending_map){ .bucket_count = (uint32_t)(sizeof map->few / sizeof map->few[0]) };
    map->buckets = map->few;
}

// Action ids are 1, 2, 3 ..., so their low bits spread by themselves.
static hyi_pending **pending_find(hyi_pending_map *map, uint64_t action_id) {
    hyi_pending **place = &map->buckets[action_id & (map->bucket_count - 1)];
    while (*place != NULL && (*place)->effect.action_id != action_id) {
        place = &(*place)->same_hash;
    }
    return place;
}

static void pending_forget(hy_host *host, hyi_pending *pending) {
    hyi_pending **place = pending_find(&host->pending, pending->effect.action_id);
    HY_ASSERT(*place == pending);
    *place = pending->same_hash;
    pending->same_hash = NULL;
    host->pending.count--;
}

// Without memory the chains just get longer.
static void pending_map_grow(hy_host *host) {
    hyi_pending_map *map = &host->pending;
    if (map->count < map->bucket_count || map->bucket_count >= (1u << 30)) return;
    const uint32_t old_count = map->bucket_count;
    hyi_pending **old = map->buckets;
    hyi_pending **buckets = hy_mem_alloc_zero(host->mem, old_count * 2 * sizeof *buckets);
    if (buckets == NULL) return;
    map->buckets = buckets;
    map->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            hyi_pending *pending = old[i];
            old[i] = pending->same_hash;
            pending->same_hash = NULL;
            *pending_find(map, pending->effect.action_id) = pending;
        }
    }
    if (old != map->few) hy_mem_free(host->mem, old, old_count * sizeof *old);
}
