// pipeline.c - step, commit, and only then let out.
//
//     queue --step--> building --append--> flight --known--> done, observers, actions
//
// While `flight` is being appended the next calls are stepped into `building`; when the outcome is
// known the two change places. So a slow disk makes batches larger and not calls fewer: group
// commit needs no waiting and no tuning.
//
// Everything leaves in the order of the steps, refusals and duplicates too: a refusal may tell of a
// state that is not durable yet, and a duplicate's answer was perhaps stored a microsecond ago.
// If a commit is refused, memory goes back to the last durable step, and all that was stepped since
// is answered HY_NOT_COMMITTED.
#include "host/inside.h"
#include <string.h>

static void pipeline_fill(hy_host *host);
static void pipeline_step(hy_host *host, hy_call *call);
static void pipeline_answer(hy_call *call, hy_err err);
static void pipeline_append(hy_host *host);
static void pipeline_store_done(hy_host *host);
static void pipeline_append_done(hy_host *host);
static void pipeline_checkpoint(hy_host *host);
static void pipeline_observe(hy_host *host, const hyi_batch *batch);
static void store_run(hy_work *work);
static hy_err store_checkpoint(hyi_store_call *call);
static void store_done(hy_work *work);
static void store_told(hyi_store_call *call);

#define STORE_RETRY_NS HY_MS(1)

void hyi_pipeline_run(hy_host *host) {
    if (host->store_call.is_done) pipeline_store_done(host);
    pipeline_fill(host);
    pipeline_append(host);
    const bool all_told = host->flight == NULL && hyi_batch_is_empty(host->building);
    if (host->stats.halted && all_told) hyi_queue_refuse(host, HY_HALTED);
    pipeline_checkpoint(host);
    // The append took the building batch away: there is room for more.
    if (host->queue.count > 0 && hyi_batch_is_empty(host->building) && !host->is_uncertain) {
        hyi_host_pump_soon(host);
    }
}

static void pipeline_fill(hy_host *host) {
    const hyi_batch *building = host->building;
    // Calls that are taken in together share a time; it never goes back.
    const hy_ns wall = hy_world_wall(host->world);
    if (wall > host->last_now) host->last_now = wall;
    while (host->queue.count > 0 && !host->is_uncertain && !host->stats.halted && !host->forsaken &&
           building->calls.count < host->options.batch_max &&
           building->frames.len < host->options.batch_bytes_max) {
        hy_call *call = hyi_calls_pop(&host->queue);
        if (call->host_ == NULL) host->outside_count--;
        pipeline_step(host, call);
    }
}

static void pipeline_step(hy_host *host, hy_call *call) {
    hyi_batch *building = host->building;
    if (building->entry_count == 0) building->chain_before = hy_state_chain(host->state);
    const hy_input input = {
        .seq = hy_state_seq(host->state) + 1,
        .key = call->key,
        .now = host->last_now,
        .random = hy_world_random(host->world),
        .kind = call->kind,
        .body = call->body,
        .action_id = call->host_seq_,
    };
    hy_outcome outcome = { 0 };
    host->stepping = call;
    (void)hy_state_step(host->state, &input, &outcome);
    host->stepping = NULL;
    pipeline_answer(call, outcome.err);
    call->rejection = outcome.rejection;
    call->duplicate = outcome.duplicate;
    call->invariant = outcome.invariant;
    if (outcome.entry.len > 0) {
        call->seq = input.seq;
        if (hyi_batch_take(host, building, call, &outcome) != HY_OK) {
            hy_state_rewind(host->state, input.seq - 1);
            pipeline_answer(call, HY_NOMEM);
        }
    } else {
        bool ok = true;
        call->reply = hy_arena_copy(&building->arena, outcome.reply, &ok);
        if (!ok) pipeline_answer(call, HY_NOMEM);
    }
    building->chain_after = hy_state_chain(host->state);
    hyi_calls_push(&building->calls, call);
    if (call->err == HY_OK && outcome.invariant != NULL) host->stats.invariant_reports++;
    if (call->err == HY_HALTED) hyi_host_halt(host, outcome.invariant);
}

// An answer with nothing in it but the error.
static void pipeline_answer(hy_call *call, hy_err err) {
    *call = (hy_call){ .kind = call->kind,
                       .body = call->body,
                       .key = call->key,
                       .done = call->done,
                       .err = err,
                       .host_ = call->host_,
                       .host_seq_ = call->host_seq_ };
}

static void pipeline_append(hy_host *host) {
    if (host->is_uncertain || host->forsaken) return;
    if (host->flight == NULL) {
        hyi_batch *batch = host->building;
        if (hyi_batch_is_empty(batch)) return;
        if (batch->entry_count > 0 && host->store_call.op != HYI_STORE_FREE) return;
        host->building = batch == &host->batches[0] ? &host->batches[1] : &host->batches[0];
        if (batch->entry_count == 0) { // nothing to store, and all before it is durable
            hyi_pipeline_settle(host, batch);
            return;
        }
        host->flight = batch;
    }
    if (host->store_call.op != HYI_STORE_FREE) return;
    const hy_err err = hyi_store_start(host, HYI_APPEND);
    if (err == HY_OK) return;
    if (err == HY_CLOSED) { // the world is going: surely nothing was stored
        hyi_batch *flight = host->flight;
        host->flight = NULL;
        if (!host->forsaken) hy_state_rewind(host->state, flight->first_seq - 1);
        hyi_pipeline_refuse(host, flight, HY_NOT_COMMITTED);
        hyi_pipeline_refuse(host, host->building, HY_NOT_COMMITTED);
    }
}

// When nothing was asked of the store for a while, it may tidy up.
static void pipeline_checkpoint(hy_host *host) {
    const bool is_idle = host->store_call.op == HYI_STORE_FREE && host->flight == NULL &&
                         hyi_batch_is_empty(host->building) && !host->is_uncertain;
    if (!is_idle || host->dirty_at == HY_NEVER) return;
    const hy_ns idle_ns = hy_world_now(host->world) - host->dirty_at;
    if (idle_ns < host->options.checkpoint_idle_ns) return;
    const hy_err err = hyi_store_start(host, HYI_CHECKPOINT);
    HY_ASSERT(HY_IMPLIES(err != HY_OK, host->store_retry_at != HY_NEVER)); // it wakes us again
}

// ---- what happens to a batch ------------------------------------------------------------------

void hyi_pipeline_settle(hy_host *host, hyi_batch *batch) {
    if (batch->entry_count > 0) {
        HY_ASSERT(batch->last_seq > host->stats.durable_seq);
        if (!host->forsaken) hy_state_release(host->state, batch->last_seq);
        host->stats.durable_seq = batch->last_seq;
        host->stats.commits++;
        // In a fleet the committer tidies up, for all.
        if (host->home == NULL) host->dirty_at = hy_world_now(host->world);
    }
    hy_call *call = NULL;
    while ((call = hyi_calls_pop(&batch->calls)) != NULL) {
        if (call->duplicate) {
            host->stats.duplicates++;
        } else if (call->err == HY_OK) {
            host->stats.accepted++;
        } else {
            host->stats.refused++;
        }
        call->done(call);
    }
    hy_look *look = NULL;
    while ((look = hyi_looks_pop(&batch->looks)) != NULL) {
        look->err = HY_OK;
        look->done(look);
    }
    const bool is_told_elsewhere = host->home != NULL && host->home->tell != NULL;
    if (!is_told_elsewhere) pipeline_observe(host, batch);
    hyi_pending *pending = NULL;
    while ((pending = hyi_pendings_pop(&batch->added)) != NULL) {
        hyi_pending_file(host, pending);
    }
    for (const hyi_removed *removed = batch->removed; removed != NULL; removed = removed->next) {
        hyi_pending_gone(host, removed->action_id);
    }
    hyi_pending_unpark(host);
    if (is_told_elsewhere && batch->changed != NULL) host->home->tell(host->home, host, batch);
    hyi_batch_clear(host, batch);
}

void hyi_pipeline_refuse(hy_host *host, hyi_batch *batch, hy_err err) {
    hy_call *call = NULL;
    while ((call = hyi_calls_pop(&batch->calls)) != NULL) {
        pipeline_answer(call, err);
        host->stats.refused++;
        call->done(call);
    }
    hy_look *look = NULL;
    while ((look = hyi_looks_pop(&batch->looks)) != NULL) {
        look->err = HY_NOT_COMMITTED;
        look->done(look);
    }
    hyi_batch_clear(host, batch);
    hyi_pending_unpark(host);
}

void hyi_queue_refuse(hy_host *host, hy_err err) {
    // Calls that arrive meanwhile are refused by hy_host_submit, so this ends.
    hy_call *call = NULL;
    while ((call = hyi_calls_pop(&host->queue)) != NULL) {
        if (call->host_ == NULL) host->outside_count--;
        pipeline_answer(call, err);
        host->stats.refused++;
        call->done(call);
    }
}

static void pipeline_observe(hy_host *host, const hyi_batch *batch) {
    for (const hyi_changed *changed = batch->changed; changed != NULL; changed = changed->next) {
        for (uint32_t i = 0; i < host->observer_count; i++) {
            const hy_observer *observer = &host->observers[i];
            observer->changed(observer->self, changed->seq, changed->table, changed->before,
                              changed->after);
        }
    }
}

// ---- the store --------------------------------------------------------------------------------

hy_err hyi_store_start(hy_host *host, hyi_store_op op) {
    hyi_store_call *call = &host->store_call;
    HY_ASSERT(call->op == HYI_STORE_FREE && !call->is_done);
    *call =
        (hyi_store_call){ .work = { .run = store_run, .done = store_done, .kind = HY_WORK_SQLITE },
                          .op = op,
                          .world = host->world,
                          .host = host,
                          .ask = op == HYI_ASK ? hyi_host_fill_asked : hyi_reload_run,
                          .told = store_told };
    if (op == HYI_APPEND) {
        const hyi_batch *flight = host->flight;
        call->batch = (hy_batch){ .machine = host->machine_number,
                                  .entry_count = flight->entry_count,
                                  .first_seq = flight->first_seq,
                                  .last_seq = flight->last_seq,
                                  .body = hy_buf_bytes(&flight->frames) };
    }
    host->store_retry_at = HY_NEVER;
    if (host->home != NULL) {
        hyi_committer_submit(host->home->committer, call);
        return HY_OK;
    }
    const hy_err err = hy_world_work(host->world, &call->work);
    if (err == HY_OK) return HY_OK;
    call->op = HYI_STORE_FREE;
    host->store_retry_at = hy_world_now(host->world) + STORE_RETRY_NS;
    return err;
}

// On another thread: what it reads was written before hy_world_work, what it writes is read after
// done.
static void store_run(hy_work *work) {
    hyi_store_call *call =
        (hyi_store_call *)(void *)((uint8_t *)work - offsetof(hyi_store_call, work));
    hy_store *store = call->host->store;
    switch (call->op) {
    case HYI_APPEND:
        call->commit = store->driver->append(store, &call->batch, 1, &call->why);
        break;
    case HYI_CHECKPOINT: call->err = store_checkpoint(call); break;
    case HYI_LOAD: hyi_reload_run(call); break;
    case HYI_ASK:
    case HYI_STORE_FREE: HY_ASSERT(false);
    }
}

// A piece at a time where the driver offers that, so that a call that comes now waits only briefly.
static hy_err store_checkpoint(hyi_store_call *call) {
    hy_store *store = call->host->store;
    if (store->driver->checkpoint_slice == NULL) {
        return store->driver->checkpoint(store, &call->why);
    }
    return store->driver->checkpoint_slice(store, &call->has_more, &call->why);
}

static void store_done(hy_work *work) {
    hyi_store_call *call =
        (hyi_store_call *)(void *)((uint8_t *)work - offsetof(hyi_store_call, work));
    store_told(call);
}

static void store_told(hyi_store_call *call) {
    call->is_done = true;
    hyi_host_pump_now(call->host);
}

static void pipeline_store_done(hy_host *host) {
    hyi_store_call *call = &host->store_call;
    const hyi_store_op op = call->op;
    call->is_done = false;
    call->op = HYI_STORE_FREE;
    if (call->why.text[0] != 0) {
        memcpy(host->stats.store_trouble, call->why.text, sizeof host->stats.store_trouble);
    } else if (op == HYI_APPEND && call->commit == HY_COMMITTED) {
        host->stats.store_trouble[0] = 0; // it is over
    }
    switch (op) {
    case HYI_APPEND: pipeline_append_done(host); break;
    case HYI_LOAD: hyi_reload_done(host); break;
    case HYI_ASK: hyi_host_begun(host); break;
    case HYI_CHECKPOINT:
        // A failed one loses nothing: the journal has it all. The next commit asks again.
        if (call->err == HY_OK && call->has_more) break; // still dirty: go on unless a call comes
        host->dirty_at = HY_NEVER;
        if (call->err == HY_OK) {
            host->stats.checkpoints++;
        } else {
            host->stats.checkpoints_failed++;
            host->close_err = call->err;
        }
        break;
    case HYI_STORE_FREE: HY_ASSERT(false);
    }
}

static void pipeline_append_done(hy_host *host) {
    hyi_batch *flight = host->flight;
    switch (host->store_call.commit) {
    case HY_COMMITTED:
        host->flight = NULL;
        hyi_pipeline_settle(host, flight);
        return;
    case HY_COMMIT_REFUSED:
        // The store lost what it had confirmed before, or does not know: only loading tells.
        if (host->store_call.why.code == HY_OUTCOME_UNKNOWN) break;
        host->stats.commits_refused++;
        host->flight = NULL;
        if (!host->forsaken) hy_state_rewind(host->state, flight->first_seq - 1);
        hyi_pipeline_refuse(host, flight, HY_NOT_COMMITTED);
        hyi_pipeline_refuse(host, host->building, HY_NOT_COMMITTED);
        return;
    case HY_COMMIT_UNKNOWN: break;
    }
    hyi_reload_begin(host); // also for a driver that answers nonsense
}
