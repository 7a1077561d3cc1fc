// attempt.c - letting actions out: attempts, deadlines, retries.
//
// Each action kind has at most one executor and a line in front of it. An attempt runs from `start`
// until the executor says done or failed, or until its deadline, when it is cancelled. A tracked
// action is tried until there is a completion; the wait between two attempts doubles with full
// jitter, so that a thousand actions that failed together do not come back together. An untracked
// one has one attempt.
//
// All attempts of one action carry the same idempotency key, in this process and in every later
// one. The completion is copied before the attempt ends, because the executor may build it inside
// the body that it was given.
#include "host/fleet.h"
#include "base/cleanup.h"
#include <string.h>

static bool attempt_start(hy_host *host, hyi_executor *executor, hyi_pending *pending);
static bool attempt_prepare(hy_host *host, hyi_pending *pending, hy_bytes wire);
static bool attempt_key(hy_host *host, hyi_pending *pending);
static void attempt_leave(hy_host *host, hyi_pending *pending);
static bool attempt_take_completion(hy_host *host, hyi_pending *pending, const void *body);
static void attempt_again(hy_host *host, hyi_pending *pending, const char *reason);
static bool attempt_give_up(hy_host *host, hyi_pending *pending);

static hyi_executor *attempt_executor(hy_host *host, const hyi_pending *pending) {
    HY_ASSERT(!pending->timer && pending->effect.kind < host->machine->action_count);
    return &host->executors[pending->effect.kind];
}

// In a fleet: a place among all hosts, or one in the line for it.
static bool attempt_has_share(hyi_executor *executor) {
    hyi_quota *share = executor->share;
    if (share == NULL || share->running < share->max) return true;
    if (executor->starved) return false;
    executor->starved = true;
    executor->next_starved = NULL;
    *(share->last != NULL ? &share->last->next_starved : &share->first) = executor;
    share->last = executor;
    return false;
}

static void attempt_share_left(hyi_quota *share) {
    HY_ASSERT(share->running > 0);
    share->running--;
    hyi_executor *first = share->first;
    if (first == NULL) return;
    share->first = first->next_starved;
    if (share->first == NULL) share->last = NULL;
    first->starved = false;
    hyi_host_pump_soon(first->host);
}

void hyi_attempt_forget(hy_host *host) {
    for (uint32_t kind = 0; kind < host->machine->action_count; kind++) {
        hyi_executor *gone = &host->executors[kind];
        hyi_quota *share = gone->share;
        if (share == NULL) continue;
        share->running -= gone->running.count; // of a host that is abandoned
        if (!gone->starved) continue;
        hyi_executor *before = NULL;
        for (hyi_executor *at = share->first; at != gone; at = at->next_starved) {
            before = at;
        }
        *(before != NULL ? &before->next_starved : &share->first) = gone->next_starved;
        if (share->last == gone) share->last = before;
        gone->starved = false;
    }
}

void hyi_attempt_dispatch(hy_host *host) {
    if (!host->started || host->closing != HYI_OPEN || host->stats.halted) return;
    for (uint32_t kind = 0; kind < host->machine->action_count; kind++) {
        hyi_executor *executor = &host->executors[kind];
        // `start` may end its attempt at once, so the line is looked at afresh each time.
        while (executor->running.count < executor->is.parallel_max &&
               executor->waiting.first != NULL && attempt_has_share(executor)) {
            hyi_pending *pending = hyi_pendings_pop(&executor->waiting);
            if (!attempt_start(host, executor, pending)) break;
        }
    }
}

void hyi_attempt_wait(hy_host *host, hyi_pending *pending) {
    hyi_executor *executor = attempt_executor(host, pending);
    if (executor->is.start == NULL) {
        pending->phase = HYI_IDLE;
        hyi_pendings_push(&host->idle, pending);
        return;
    }
    pending->phase = HYI_WAITING;
    hyi_pendings_push(&executor->waiting, pending);
}

void hyi_attempt_drop(hy_host *host, hyi_pending *pending) {
    HY_ASSERT(pending->phase == HYI_RUNNING);
    const hy_executor *is = &attempt_executor(host, pending)->is;
    attempt_leave(host, pending);
    if (is->cancel != NULL) is->cancel(is->self, &pending->effect);
}

void hyi_attempt_due(hy_host *host, hyi_pending *pending) {
    switch (pending->phase) {
    case HYI_RUNNING:
        host->stats.deadlines_passed++;
        hyi_attempt_drop(host, pending);
        attempt_again(host, pending, "the deadline of the attempt passed");
        break;
    case HYI_BACKOFF: hyi_attempt_wait(host, pending); break;
    case HYI_REDELIVER: hyi_pending_complete(host, pending); break;
    default: HY_ASSERT(false);
    }
}

// Between nothing and min * 2^(tries-1), at most max.
hy_ns hyi_attempt_backoff(hy_host *host, hy_ns min, hy_ns max, uint32_t tries) {
    HY_ASSERT(min > 0 && max >= min && tries > 0);
    hy_ns most = min;
    for (uint32_t i = 1; i < tries && most < max; i++) {
        most = most > max / 2 ? max : most * 2;
    }
    return (hy_ns)(hy_world_random(host->world) % ((uint64_t)most + 1));
}

uint32_t hyi_attempt_running(const hy_host *host) {
    uint32_t count = 0;
    for (uint32_t kind = 0; kind < host->machine->action_count; kind++) {
        count += host->executors[kind].running.count;
    }
    return count;
}

void hy_effect_done(hy_host *host, hy_effect *effect, const void *completion_body) {
    if (effect->errand_ != NULL) {
        hyi_errand_done(effect, completion_body);
        return;
    }
    hyi_pending *pending = (hyi_pending *)effect;
    HY_ASSERT(pending->phase == HYI_RUNNING);
    attempt_leave(host, pending);
    if (!pending->tracked) {
        hyi_pending_end(host, pending);
        hyi_host_pump_soon(host);
        return;
    }
    if (!attempt_take_completion(host, pending, completion_body)) {
        attempt_again(host, pending, "the completion could not be copied");
        return;
    }
    hyi_pending_complete(host, pending);
}

void hy_effect_failed(hy_host *host, hy_effect *effect, const char *reason) {
    if (effect->errand_ != NULL) {
        hyi_errand_failed(effect, reason);
        return;
    }
    hyi_pending *pending = (hyi_pending *)effect;
    HY_ASSERT(pending->phase == HYI_RUNNING);
    attempt_leave(host, pending);
    attempt_again(host, pending, reason);
}

// False: this executor should rest for now.
static bool attempt_start(hy_host *host, hyi_executor *executor, hyi_pending *pending) {
    hy_bytes wire = pending->wire;
    if (pending->tracked) {
        const hy_ledger_row *row = hyi_pending_row(host, pending);
        if (row == NULL) {
            pending->phase = HYI_PARKED;
            hyi_pendings_push(&host->parked, pending);
            return true;
        }
        wire = row->body;
        hy_arena_reset(&pending->arena);
    }
    if (!attempt_prepare(host, pending, wire)) {
        attempt_again(host, pending, "no memory for the attempt");
        return false;
    }
    const hy_ns now = hy_world_now(host->world);
    pending->phase = HYI_RUNNING;
    pending->effect.attempt++;
    pending->effect.deadline = now + executor->is.attempt_max_ns;
    pending->effect.executor_data = NULL;
    hyi_pendings_push(&executor->running, pending);
    if (executor->share != NULL) executor->share->running++;
    hyi_due_add(&host->dues, &pending->due, pending->effect.deadline);
    host->stats.attempts++;
    if (pending->effect.attempt > 1) host->stats.retries++;
    executor->is.start(executor->is.self, &pending->effect);
    return true;
}

static bool attempt_prepare(hy_host *host, hyi_pending *pending, hy_bytes wire) {
    if (!attempt_key(host, pending)) return false;
    const hy_record *record = host->machine->actions[pending->effect.kind].body;
    pending->effect.body = NULL;
    if (record == NULL) return true;
    void *body = hy_arena_alloc(&pending->arena, record->size);
    if (body == NULL) return false;
    pending->effect.body = body;
    return hy_wire_decode(record, wire, &pending->arena, body, NULL) == HY_OK;
}

static bool attempt_key(hy_host *host, hyi_pending *pending) {
    HY_CLEANUP(hy_buf_deinit) hy_buf key = { 0 };
    hy_buf_init(&key, host->mem, 0);
    hy_buf_add_text(&key, host->machine->name);
    hy_buf_add_text(&key, "/");
    if (host->key.len > 0) {
        hy_buf_add(&key, host->key.ptr, host->key.len);
        hy_buf_add_text(&key, "/");
    }
    hy_buf_add_u64(&key, pending->effect.action_id);
    bool ok = key.failed == HY_OK;
    if (ok)
        pending->effect.key =
            (const char *)hy_arena_copy(&pending->arena, hy_buf_bytes(&key), &ok).ptr;
    return ok;
}

// The attempt is over; what follows is the caller's to say.
static void attempt_leave(hy_host *host, hyi_pending *pending) {
    hyi_executor *executor = attempt_executor(host, pending);
    hyi_pendings_remove(&executor->running, pending);
    if (executor->share != NULL) attempt_share_left(executor->share);
    hyi_due_remove(&host->dues, &pending->due);
}

static bool attempt_take_completion(hy_host *host, hyi_pending *pending, const void *body) {
    const uint32_t kind = host->machine->actions[pending->effect.kind].completion;
    const hy_record *record = host->machine->inputs[kind].body;
    pending->call = (hy_call){ .kind = kind };
    if (record == NULL) return true;
    HY_ASSERT(body != NULL);
    HY_CLEANUP(hy_buf_deinit) hy_buf wire = { 0 };
    hy_buf_init(&wire, host->mem, 0);
    if (hy_wire_encode(record, body, &wire) != HY_OK) return false;
    void *copy = hy_arena_alloc(&pending->arena, record->size);
    if (copy == NULL) return false;
    pending->call.body = copy;
    return hy_wire_decode(record, hy_buf_bytes(&wire), &pending->arena, copy, NULL) == HY_OK;
}

// After an attempt that brought no completion.
static void attempt_again(hy_host *host, hyi_pending *pending, const char *reason) {
    const hy_executor *is = &attempt_executor(host, pending)->is;
    host->stats.attempts_failed++;
    hy_why trouble = { 0 };
    (void)hy_why_set(&trouble, HY_OK, reason, "");
    memcpy(host->stats.last_failure, trouble.place, sizeof host->stats.last_failure);
    hyi_host_pump_soon(host);
    if (!pending->tracked) {
        hyi_pending_end(host, pending);
        return;
    }
    const bool is_last = is->attempts_max != 0 && pending->effect.attempt >= is->attempts_max;
    if (is_last && attempt_give_up(host, pending)) return;
    const uint32_t tries = pending->effect.attempt > 0 ? pending->effect.attempt : 1;
    pending->phase = HYI_BACKOFF;
    hyi_due_add(&host->dues, &pending->due,
                hy_world_now(host->world) +
                    hyi_attempt_backoff(host, is->backoff_min_ns, is->backoff_max_ns, tries));
}

static bool attempt_give_up(hy_host *host, hyi_pending *pending) {
    const hy_executor *is = &attempt_executor(host, pending)->is;
    const uint32_t kind = host->machine->actions[pending->effect.kind].completion;
    const hy_record *record = host->machine->inputs[kind].body;
    void *body = NULL;
    if (record != NULL) {
        body = hy_arena_alloc(&pending->arena, record->size);
        if (body == NULL) return false;
        memset(body, 0, record->size);
    }
    if (!is->give_up(is->self, &pending->effect, body)) return false;
    if (!attempt_take_completion(host, pending, body)) return false;
    host->stats.gave_up++;
    hyi_pending_complete(host, pending);
    return true;
}
