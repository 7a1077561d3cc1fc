// attempt_fiber.c - executors in blocking style: an attempt is a task.
//
// The host's effect dies at its deadline, when `cancel` is called; the fiber may need a moment more
// to let go of what it holds. So the fiber works on a copy, made through the wire form, in memory
// of its own scope. Cancel only cuts the thread between the two and cancels the scope; whatever the
// fiber brings after that is dropped, and the host tries again later, with the same key.
//
// Scope and host may end in either order. With its scope gone an executor takes nothing more
// (parallel_max 0) and the ledger keeps what comes; with its host gone the scope's end has nobody
// to tell.
//
//     start --> task: copy, run --> done or failed --> the host
//                       ^  scope cancelled
//     cancel -----------+  (the host forgot the effect: nothing is told)
#include <hypha/host.h>

#include <string.h>

#include "host/inside.h"

// One per executor. It lives as long as the scope that its attempts run in.
typedef struct fiber_executor {
    const hy_machine *machine;
    uint32_t *places; // the executor's limit, at its host or fleet; NULL: that is closed
    void **told;      // where its owner finds it, to say so
    hy_scope *scope;
    hy_attempt run;
    bool (*give_up)(void *self, const hy_effect *effect, void *out_completion_body);
    void *self;
} fiber_executor;

typedef struct fiber_attempt {
    fiber_executor *executor;
    hy_effect *effect; // NULL: the host no longer wants to know
    hy_scope *scope;   // while it runs
    hy_mem *mem;
} fiber_attempt;

static void fiber_cancel(void *self, hy_effect *effect) {
    (void)self;
    fiber_attempt *attempt = effect->executor_data;
    attempt->effect = NULL;
    if (attempt->scope) hy_scope_cancel(attempt->scope, HY_TIMEOUT);
}

// The effect and everything it points to, in memory of `scope`.
static hy_err fiber_copy(const fiber_attempt *attempt, hy_arena *arena, hy_effect *out_effect) {
    const hy_effect *effect = attempt->effect;
    const hy_record *record = attempt->executor->machine->actions[effect->kind].body;
    bool ok = true;
    *out_effect = *effect;
    out_effect->executor_data = NULL;
    out_effect->key = (const char *)hy_arena_copy(arena, hy_bytes_of(effect->key), &ok).ptr;
    if (ok) out_effect->instance = hy_arena_copy(arena, effect->instance, &ok);
    if (!ok) return HY_NOMEM;
    if (record == NULL || effect->body == NULL) return HY_OK;
    hy_buf wire;
    hy_buf_init(&wire, attempt->mem, 0);
    hy_err err = hy_wire_encode(record, effect->body, &wire);
    void *body = err == HY_OK ? hy_arena_alloc(arena, record->size) : NULL;
    // The decoded record borrows from the bytes it is decoded from, so those are copied as well.
    hy_bytes kept = body ? hy_arena_copy(arena, hy_buf_bytes(&wire), &ok) : (hy_bytes){ 0 };
    if (err == HY_OK && (body == NULL || !ok)) err = HY_NOMEM;
    if (err == HY_OK) err = hy_wire_decode(record, kept, arena, body, NULL);
    hy_buf_deinit(&wire);
    out_effect->body = body;
    return err;
}

static const hy_record *fiber_completion_record(const fiber_attempt *attempt) {
    const hy_machine *machine = attempt->executor->machine;
    const hy_action_kind *kind = &machine->actions[attempt->effect->kind];
    return kind->tracked ? machine->inputs[kind->completion].body : NULL;
}

static hy_err fiber_try(fiber_attempt *attempt, hy_arena *arena, hy_why *why) {
    hy_effect effect = { 0 };
    const hy_record *record = fiber_completion_record(attempt);
    void *completion = record ? hy_arena_alloc(arena, record->size) : NULL;
    if (record && completion == NULL) return HY_NOMEM;
    if (record) memset(completion, 0, record->size);
    hy_err err = fiber_copy(attempt, arena, &effect);
    effect.why = why;
    if (err == HY_OK) err = attempt->executor->run(attempt->executor->self, &effect, completion);
    if (err != HY_OK || attempt->effect == NULL) return err;
    hy_effect *theirs = attempt->effect;
    attempt->effect = NULL;
    hy_effect_done(theirs->host, theirs, completion); // copies
    return HY_OK;
}

static hy_err fiber_run(void *arg) {
    fiber_attempt *attempt = arg;
    hy_err err = HY_OK;
    hy_why why = { 0 };
    if (attempt->effect) {
        hy_ns deadline = attempt->effect->deadline;
        HY_SCOPE(scope, &err, .name = "attempt", .deadline = deadline) {
            hy_arena arena;
            hy_arena_init(&arena, attempt->mem, 0);
            attempt->scope = scope;
            err = fiber_try(attempt, &arena, &why);
            attempt->scope = NULL;
            hy_arena_deinit(&arena);
        }
    }
    if (attempt->effect) {
        const char *reason = why.text[0] != 0 ? why.text : hy_err_text(err);
        hy_effect_failed(attempt->effect->host, attempt->effect, reason);
    }
    hy_mem_free(attempt->mem, attempt, sizeof *attempt);
    return HY_OK; // a failed attempt is nobody else's failure
}

static void fiber_start(void *self, hy_effect *effect) {
    fiber_executor *executor = self;
    hy_mem *mem = hy_world_mem(hy_scope_world(executor->scope));
    fiber_attempt *attempt = hy_mem_alloc_zero(mem, sizeof *attempt);
    hy_err err = HY_NOMEM;
    if (attempt) {
        *attempt = (fiber_attempt){ .executor = executor, .effect = effect, .mem = mem };
        effect->executor_data = attempt;
        err = hy_spawn(executor->scope, fiber_run, attempt, HY_OPTIONS(hy_spawn, .name = "attempt"),
                       NULL);
    }
    if (err == HY_OK) return;
    hy_mem_free(mem, attempt, sizeof *attempt);
    hy_effect_failed(effect->host, effect, hy_err_text(err));
}

// No attempt is left: they were tasks of the scope.
static void fiber_scope_ended(void *object) {
    fiber_executor *executor = object;
    if (executor->places == NULL) return;
    *executor->places = 0;
    *executor->told = NULL;
}

void hyi_fiber_executor_forget(hy_executor *is) {
    if (is->start == fiber_start && is->self) ((fiber_executor *)is->self)->places = NULL;
}

void hyi_fiber_executors_forget(hy_host *host) {
    if (host->home != NULL) return; // they are the fleet's
    for (uint32_t kind = 0; kind < host->machine->action_count; kind++) {
        hyi_fiber_executor_forget(&host->executors[kind].is);
    }
}

static bool fiber_give_up(void *self, const hy_effect *effect, void *out_completion_body) {
    fiber_executor *executor = self;
    return executor->give_up(executor->self, effect, out_completion_body);
}

hy_err hyi_fiber_executor_make(hy_scope *scope, const hy_machine *machine,
                               const hy_executor *limits, hy_attempt run,
                               hy_executor *out_executor) {
    fiber_executor *executor = hy_scope_alloc(scope, sizeof *executor);
    if (executor == NULL) return HY_NOMEM;
    *executor = (fiber_executor){ .machine = machine,
                                  .scope = scope,
                                  .run = run,
                                  .give_up = limits->give_up,
                                  .self = limits->self };
    *out_executor = *limits;
    out_executor->self = executor;
    out_executor->start = fiber_start;
    out_executor->cancel = fiber_cancel;
    if (limits->give_up) out_executor->give_up = fiber_give_up;
    return HY_OK;
}

hy_err hyi_fiber_executor_own(hy_executor *is, uint32_t *places) {
    fiber_executor *executor = is->self;
    executor->places = places;
    executor->told = &is->self;
    return hy_own(executor->scope, executor, fiber_scope_ended, 0);
}

hy_err hy_host_executor_in(hy_scope *scope, hy_host *host, const hy_executor *limits,
                           hy_attempt run) {
    hy_executor ours;
    hy_err err = hyi_fiber_executor_make(scope, host->machine, limits, run, &ours);
    if (err == HY_OK) err = hy_host_executor(host, &ours);
    if (err != HY_OK) return err;
    hy_executor *is = &host->executors[limits->kind].is;
    return hyi_fiber_executor_own(is, &is->parallel_max);
}
