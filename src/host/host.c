// host.c - one machine on one store: opening, calls, looks, observers.
//
// The essay on how the parts work together is in host/inside.h. The rule that keeps this room
// simple: a public call only notes what is wanted and asks the world to run the pump soon; the pump
// does everything, and is the only place from which the user's functions are called.
#include "host/inside.h"
#include "base/cleanup.h"
#include <string.h>

static void host_posted(hy_post *post);
static void host_release_looks(hy_host *host);
static void host_defaults(hy_host *host, const hy_host_options *options);
static void host_look_now(hy_host *host, hy_look *look);
static void host_take(hy_host *host, hyi_store_call *filled);
static hy_err host_last_now(const hy_host *host, hyi_store_call *call, hy_why *why);
static hy_err host_admit(const hy_host *host, const hy_call *call, bool internal);
static void host_enqueue(hy_host *host, hy_call *call, uint64_t action_id);

static void host_freep(hy_host **host) {
    if (*host != NULL) hyi_host_free(*host);
}

hy_err hy_host_open(hy_world *world, hy_store *store, const hy_machine *machine,
                    const hy_host_options *options, hy_host **out_host, hy_why *why) {
    hy_err err = hy_machine_check(machine, why);
    if (err != HY_OK) return err;
    HY_CLEANUP(host_freep) hy_host *host = NULL;
    err = hyi_host_new(world, store, machine, options, &host, why);
    if (err == HY_OK) err = store->driver->attach(store, machine, &host->machine_number, why);
    hyi_store_call filled = { 0 };
    if (err == HY_OK) err = hyi_host_fill(host, &filled, why);
    if (err != HY_OK) return err;
    host_take(host, &filled);
    err = hyi_pending_restore(host);
    if (err != HY_OK) return hy_why_set(why, err, machine->name, "no memory for the ledger");
    *out_host = host;
    host = NULL;
    return HY_OK;
}

hy_err hyi_host_new(hy_world *world, hy_store *store, const hy_machine *machine,
                    const hy_host_options *options, hy_host **out_host, hy_why *why) {
    hy_mem *mem = hy_world_mem(world);
    HY_CLEANUP(host_freep) hy_host *host = hy_mem_alloc_zero(mem, sizeof *host);
    if (host == NULL) return hy_why_set(why, HY_NOMEM, machine->name, "no memory for the host");
    host->world = world;
    host->mem = mem;
    host->store = store;
    host->machine = machine;
    host->building = &host->batches[0];
    host->post.done = host_posted;
    host->timer.done = hyi_wakeup_fired;
    host->armed_at = host->store_retry_at = host->dirty_at = HY_NEVER;
    host->close_deadline = HY_NEVER;
    host_defaults(host, options);
    hyi_batch_init(&host->batches[0], mem);
    hyi_batch_init(&host->batches[1], mem);
    hy_buf_init(&host->waiting_reply, mem, 0);
    hy_arena_init(&host->waiting_arena, mem, 0);
    hyi_pending_map_init(&host->pending);
    host->executors = hy_mem_alloc_zero(mem, (machine->action_count + 1) * sizeof *host->executors);
    if (host->executors == NULL) return hy_why_set(why, HY_NOMEM, machine->name, "no memory");
    for (uint32_t kind = 0; kind < machine->action_count; kind++) {
        host->executors[kind].host = host;
    }
    hy_err err = hy_timer_at(world, &host->timer, HY_NEVER); // room for it from now on
    if (err != HY_OK) return hy_why_set(why, err, machine->name, "no memory for a timer");
    hy_timer_stop(world, &host->timer);
    *out_host = host;
    host = NULL;
    return HY_OK;
}

static void host_defaults(hy_host *host, const hy_host_options *options) {
    hy_host_options *is = &host->options;
    if (options != NULL) {
        HY_ASSERT(options->size >= sizeof(size_t));
        memcpy(is, options, options->size < sizeof *is ? options->size : sizeof *is);
    }
    if (is->queue_max == 0) is->queue_max = 4096;
    if (is->batch_max == 0) is->batch_max = 4096;
    if (is->batch_bytes_max == 0) is->batch_bytes_max = (size_t)4 << 20;
    if (is->checkpoint_idle_ns == 0) is->checkpoint_idle_ns = HY_MS(50);
}

hy_err hyi_host_fill(const hy_host *host, hyi_store_call *call, hy_why *why) {
    hy_store *store = host->store;
    hy_err err = HY_OK;
    call->number = host->machine_number;
    if (host->key.len > 0) {
        err = store->driver->instance(store, host->machine_number, host->key, &call->number, why);
    }
    if (err == HY_OK) err = hyi_reload_state(host, call->number, &call->state, why);
    if (err == HY_OK) err = host_last_now(host, call, why);
    if (err != HY_OK) call->state = hy_state_free(call->state);
    return err;
}

static void host_take(hy_host *host, hyi_store_call *filled) {
    host->machine_number = filled->number;
    host->last_now = filled->last_now;
    host->state = filled->state;
    filled->state = NULL;
    host->stats.durable_seq = hy_state_seq(host->state);
}

// ---- in a fleet -------------------------------------------------------------------------------

void hyi_host_fill_asked(hyi_store_call *call) {
    call->err = hyi_host_fill(call->host, call, &call->why);
}

void hyi_host_begin(hy_host *host) {
    HY_ASSERT(host->home != NULL && host->state == NULL);
    host->is_uncertain = host->is_opening = true; // nothing is stepped yet
    const hy_err err = hyi_store_start(host, HYI_ASK);
    HY_ASSERT(err == HY_OK); // a committer takes everything
}

void hyi_host_begun(hy_host *host) {
    hy_err err = host->store_call.err;
    if (err == HY_OK) host_take(host, &host->store_call);
    if (err == HY_OK) err = hyi_pending_restore(host);
    host->open_err = err;
    host->is_uncertain = host->is_opening = false;
    hyi_looks early = host->early;
    host->early = (hyi_looks){ 0 };
    hy_look *look = NULL;
    while ((look = hyi_looks_pop(&early)) != NULL) {
        if (err == HY_OK) {
            host_look_now(host, look);
        } else {
            look->err = err;
            hyi_looks_push(&host->looks, look);
        }
    }
    if (err != HY_OK) {
        hyi_queue_refuse(host, err);
    } else if (host->home->has_started(host->home)) {
        hy_host_start(host);
    }
}

void hyi_host_forsake(hy_host *host, void (*closed)(void *self, hy_err err), void *self) {
    host->forsaken = true;
    host->pumping = false;
    hy_call *lost = host->stepping;
    host->stepping = NULL;
    if (lost != NULL) hyi_calls_push(&host->building->calls, lost); // to be refused with the rest
    hy_host_close(host, closed, self, hy_world_now(host->world));
}

bool hyi_host_is_idle(const hy_host *host) {
    if (host->posted || host->pumping || host->closing != HYI_OPEN) return false;
    if (host->open_err != HY_OK) return true;
    const bool is_quiet = host->queue.count == 0 && host->flight == NULL &&
                          hyi_batch_is_empty(host->building) && host->looks.first == NULL &&
                          host->store_call.op == HYI_STORE_FREE && !host->is_uncertain;
    if (!is_quiet || host->stats.halted) return false;
    return host->pending.count == host->idle.count + host->timer_count;
}

// The machine's clock never goes back, not even when the wall clock did while nobody ran.
static hy_err host_last_now(const hy_host *host, hyi_store_call *call, hy_why *why) {
    const hy_store_driver *driver = host->store->driver;
    const uint64_t last_seq = hy_state_seq(call->state);
    if (last_seq == 0) return HY_OK;
    hy_journal_cursor *cursor = NULL;
    hy_err err = driver->journal_open(host->store, call->number, last_seq, &cursor, why);
    if (err != HY_OK) return err;
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, host->mem, 0);
    hy_batch batch = { 0 };
    while ((err = driver->journal_next(cursor, &batch, why)) == HY_OK) {
        hy_bytes rest = batch.body, bytes = { 0 };
        hy_entry entry = { 0 };
        while ((err = hy_frame_next(&rest, &bytes, why)) == HY_OK) {
            err = hy_entry_decode(bytes, &arena, &entry, why);
            if (err != HY_OK) break;
            if (entry.now > call->last_now) call->last_now = entry.now;
        }
        if (err != HY_END) break;
    }
    driver->journal_close(cursor);
    return err == HY_END ? HY_OK : err;
}

void hyi_host_free(hy_host *host) {
    hy_mem *mem = host->mem;
    if (host->home != NULL) host->home->freed(host->home, host);
    hy_timer_stop(host->world, &host->timer);
    if (host->executors != NULL) hyi_attempt_forget(host);
    hyi_pending_free_all(host);
    hy_buf_deinit(&host->waiting_reply);
    hy_arena_deinit(&host->waiting_arena);
    hyi_batch_deinit(host, &host->batches[0]);
    hyi_batch_deinit(host, &host->batches[1]);
    (void)hy_state_free(host->state);
    (void)hy_state_free(host->store_call.state);
    if (host->executors != NULL) {
        hy_mem_free(mem, host->executors,
                    (host->machine->action_count + 1) * sizeof *host->executors);
    }
    hy_mem_free(mem, host, sizeof *host);
}

void hy_host_abandon(hy_host *host) {
    if (host != NULL) hyi_host_free(host);
}

// ---- the pump ---------------------------------------------------------------------------------

void hyi_host_pump_soon(hy_host *host) {
    if (host->posted) return;
    host->posted = true;
    if (host->home != NULL && host->home->pump_soon != NULL) {
        host->home->pump_soon(host->home, host);
    } else {
        hy_world_post(host->world, &host->post);
    }
}

void hyi_host_pump_now(hy_host *host) {
    if (host->home != NULL && host->home->pump_soon != NULL) {
        hyi_host_pump_soon(host);
    } else {
        hyi_host_pump(host);
    }
}

void hyi_host_take_turn(hy_host *host) {
    host_posted(&host->post);
}

static void host_posted(hy_post *post) {
    hy_host *host = (hy_host *)(void *)((uint8_t *)post - offsetof(hy_host, post));
    host->posted = false;
    hyi_host_pump(host);
}

void hyi_host_pump(hy_host *host) {
    HY_ASSERT(!host->pumping); // the world calls us from its loop only
    host->pumping = true;
    hyi_wakeup_dues(host);
    hyi_pipeline_run(host);
    host_release_looks(host);
    hyi_attempt_dispatch(host);
    host->pumping = false;
    if (hyi_closing_advance(host)) return;
    hyi_wakeup_arm(host);
    if (host->home != NULL) host->home->pumped(host->home, host);
}

void hyi_host_halt(hy_host *host, const char *by) {
    if (host->stats.halted) return;
    host->stats.halted = true;
    hy_why name = { 0 };
    (void)hy_why_set(&name, HY_HALTED, by != NULL ? by : "an invariant", "");
    memcpy(host->stats.halted_by, name.place, sizeof host->stats.halted_by);
}

// ---- calls ------------------------------------------------------------------------------------

hy_err hy_host_submit(hy_host *host, hy_call *call) {
    hy_err err = host_admit(host, call, false);
    if (err != HY_OK) return err;
    if (host->outside_count >= host->options.queue_max) return HY_LIMIT;
    host_enqueue(host, call, 0);
    return HY_OK;
}

hy_err hy_host_complete(hy_host *host, uint64_t action_id, hy_call *call) {
    hy_err err = host_admit(host, call, true);
    if (err != HY_OK) return err;
    const uint64_t room = (uint64_t)host->options.queue_max + host->pending.count;
    if (host->outside_count >= room) return HY_LIMIT;
    host_enqueue(host, call, action_id);
    return HY_OK;
}

static hy_err host_admit(const hy_host *host, const hy_call *call, bool internal) {
    HY_ASSERT(call->done != NULL);
    if (host->closing != HYI_OPEN) return HY_CLOSED;
    if (host->stats.halted) return HY_HALTED;
    if (host->open_err != HY_OK) return host->open_err;
    if (call->kind >= host->machine->input_count) return HY_UNKNOWN_KIND;
    const hy_input_kind *kind = &host->machine->inputs[call->kind];
    if (kind->internal != internal) return HY_UNKNOWN_KIND;
    HY_ASSERT((kind->body == NULL) == (call->body == NULL));
    return call->key.len > HY_KEY_BYTES_MAX ? HY_TOO_LARGE : HY_OK;
}

static void host_enqueue(hy_host *host, hy_call *call, uint64_t action_id) {
    call->host_ = NULL; // an outside call; completions of our own executors carry the host
    call->host_seq_ = action_id;
    hyi_calls_push(&host->queue, call);
    host->outside_count++;
    hyi_host_pump_soon(host);
}

void hyi_calls_push(hyi_calls *calls, hy_call *call) {
    call->next_ = NULL;
    if (calls->last != NULL) {
        calls->last->next_ = call;
    } else {
        calls->first = call;
    }
    calls->last = call;
    calls->count++;
}

hy_call *hyi_calls_pop(hyi_calls *calls) {
    hy_call *first = calls->first;
    if (first == NULL) return NULL;
    HY_ASSERT(calls->count > 0);
    calls->first = first->next_;
    if (calls->first == NULL) calls->last = NULL;
    calls->count--;
    first->next_ = NULL;
    return first;
}

// ---- looks and observers ----------------------------------------------------------------------

hy_err hy_host_look(hy_host *host, hy_look *look) {
    HY_ASSERT(look->look != NULL && look->done != NULL);
    if (host->closing != HYI_OPEN) return HY_CLOSED;
    if (host->open_err != HY_OK) return host->open_err;
    if (host->is_opening) {
        hyi_looks_push(&host->early, look);
    } else {
        host_look_now(host, look);
    }
    return HY_OK;
}

static void host_look_now(hy_host *host, hy_look *look) {
    look->err = HY_OK;
    look->seq = hy_state_seq(host->state);
    look->look(look, hy_state_view(host->state));
    hyi_looks *line = &host->looks;
    if (!hyi_batch_is_empty(host->building)) {
        line = &host->building->looks;
    } else if (host->flight != NULL) {
        line = &host->flight->looks;
    }
    hyi_looks_push(line, look);
    if (line == &host->looks) hyi_host_pump_soon(host);
}

// Only those that wait now: a look that looks again from `done` gets its turn in the next round.
static void host_release_looks(hy_host *host) {
    hyi_looks ready = host->looks;
    host->looks = (hyi_looks){ 0 };
    hy_look *look = NULL;
    while ((look = hyi_looks_pop(&ready)) != NULL) {
        look->done(look);
    }
}

void hyi_looks_push(hyi_looks *looks, hy_look *look) {
    look->next_ = NULL;
    if (looks->last != NULL) {
        looks->last->next_ = look;
    } else {
        looks->first = look;
    }
    looks->last = look;
}

hy_look *hyi_looks_pop(hyi_looks *looks) {
    hy_look *first = looks->first;
    if (first == NULL) return NULL;
    looks->first = first->next_;
    if (looks->first == NULL) looks->last = NULL;
    first->next_ = NULL;
    return first;
}

hy_err hy_host_observe(hy_host *host, const hy_observer *observer) {
    HY_ASSERT(observer->changed != NULL);
    if (host->observer_count == HYI_OBSERVERS_MAX) return HY_LIMIT;
    host->observers[host->observer_count++] = *observer;
    return HY_OK;
}

// ---- effects and stats ------------------------------------------------------------------------

hy_err hyi_executor_check(const hy_machine *machine, const hy_executor *executor) {
    HY_ASSERT(executor->start != NULL);
    if (executor->kind >= machine->action_count) return HY_UNKNOWN_KIND;
    const bool must_end = executor->attempts_max != 0 && executor->give_up == NULL;
    return must_end && machine->actions[executor->kind].tracked ? HY_MISSING : HY_OK;
}

hy_executor hyi_executor_filled(const hy_executor *executor) {
    hy_executor is = *executor;
    if (is.attempt_max_ns == 0) is.attempt_max_ns = HY_SECONDS(10);
    if (is.backoff_min_ns == 0) is.backoff_min_ns = HY_MS(100);
    if (is.backoff_max_ns == 0) is.backoff_max_ns = HY_SECONDS(30);
    if (is.backoff_max_ns < is.backoff_min_ns) is.backoff_max_ns = is.backoff_min_ns;
    if (is.parallel_max == 0) is.parallel_max = 64;
    return is;
}

hy_err hy_host_executor(hy_host *host, const hy_executor *executor) {
    if (host->started) return HY_CLOSED;
    const hy_err err = hyi_executor_check(host->machine, executor);
    if (err != HY_OK) return err;
    hyi_executor *place = &host->executors[executor->kind];
    if (place->is.start != NULL) return HY_EXISTS;
    place->is = hyi_executor_filled(executor);
    return HY_OK;
}

void hy_host_start(hy_host *host) {
    HY_ASSERT(!host->started);
    host->started = true;
    hyi_pending_begin_idle(host); // the executors are known now
    hyi_host_pump_soon(host);
}

hy_host_stats hy_host_stats_of(const hy_host *host) {
    hy_host_stats stats = host->stats;
    stats.queue_count = host->queue.count;
    stats.in_flight_count = host->building->calls.count;
    if (host->flight != NULL) stats.in_flight_count += host->flight->calls.count;
    if (host->state != NULL) {
        stats.pending_actions = hy_row_count(hy_state_view(host->state), HY_LEDGER);
    }
    stats.without_executor = host->idle.count;
    return stats;
}

const hy_machine *hy_host_machine(const hy_host *host) {
    return host->machine;
}
