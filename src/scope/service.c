// service.c - services: functions that a scope keeps up.
//
// A service is a record in its scope's list and, while it runs, a fiber. The fiber opens the
// service's own scope on its stack, runs the function, and closes the scope: so a restart gives
// back everything that the service held and acquires it again, and nothing of a failed run is left
// for the next one to trip over. What must survive lies in the scope above, or in a store.
//
// The fiber is in no scope's list of tasks. Joining a scope waits for its tasks, and then its
// services are stopped: they live for those who use them.
//
// Three parties talk to the record: the fiber (hy_ready, and its end), those who wait for it
// (hy_start, hy_service_stop, hy_service_restart; each is answered once and does not look at the
// record afterwards, which may be gone), and the stop of its scope. Whatever the fiber's end means
// is decided in hyi_service_task_ended, on the world's stack: there is one place where a service
// goes from running to not running.
//
// Measured against Erlang/OTP's supervisor(3). The same: the three kinds of restart; one_for_one,
// one_for_all, rest_for_one; start in order, each ready before the next begins; stop in reverse;
// intensity and period; a supervisor that gives up is its own supervisor's failed child. Different:
//   - Intensity is counted for each service, and for the whole scope only where that is asked for.
//     In OTP one noisy child uses up what its quiet sisters are allowed.
//   - The first restart is at once, later ones wait, with jitter: an outage of something that all
//     nodes depend on must not make them knock in step. OTP restarts without a pause.
//   - hy_start that fails leaves nothing behind; a failed start within a restart counts as one more
//     restart, as in OTP.
//   - A transient service that ended well is forgotten, and not started again with its group.
//   - There is no auto_shutdown: a policy that answers HY_FINISH for a service does the same.
//   - simple_one_for_one has no form of its own: records are small, and hy_start is the call.
//   - A new specification does not replace an old one at run time; stop the service, start another.
#include "scope/service.h"
#include "scope/root_signals.h"

#include <string.h>

#define SERVICE_READY_MAX HY_SECONDS(30)
#define SERVICE_RESTARTS_MAX 5u

// The own scope lies at the start, so a scope that is marked as a service's leads to its service.
typedef struct service_block {
    hy_scope scope;
    hy_service *service;
} service_block;

typedef enum service_wish { SERVICE_WANTS_UP = 1, SERVICE_WANTS_END } service_wish;

typedef struct service_wait {
    hyi_wait wait;
    hyi_link link;
    service_wish wish;
    bool answered; // by the service; else the waiting fiber was told something
} service_wait;

static hy_err service_new(hy_scope *scope, const hy_service_spec *spec, hy_service **out_service);
static void service_hold(hy_service *service);
static void service_let_go(hy_service *service);
static void service_free_if_over(hy_service *service);
static void service_call_off(hy_service *service);
static void service_on_timer(hy_timer *timer);
static void service_answer(hy_service *service, service_wish wish, hy_err err);
static hy_err service_await(hy_service *service, service_wish wish, const char *what, bool firm,
                            bool *out_answered);

// ---- starting ---------------------------------------------------------------------------------

hy_err hy_start(hy_scope *scope, const hy_service_spec *spec, hy_service **out_service) {
    HY_ASSERT(hyi_current != NULL); // it waits: only from a fiber
    HY_ASSERT(spec->fn != NULL);
    if (!scope) scope = hyi_current->scope;
    hy_err err = hyi_group_await(scope);
    if (err != HY_OK) return err;
    if (hyi_scope_refuses(scope) != HY_OK) return HY_CLOSED;
    hy_service *service = NULL;
    err = service_new(scope, spec, &service);
    if (err != HY_OK) return err;
    service_hold(service);
    service->kept = out_service != NULL;
    err = hyi_service_launch(service);
    if (err != HY_OK) {
        service->kept = false;
        hyi_service_end(service, err);
    } else {
        bool answered = false;
        err = service_await(service, SERVICE_WANTS_UP, "start", false, &answered);
        if (!answered) service_call_off(service);
    }
    if (err == HY_OK && out_service) *out_service = service;
    service_let_go(service);
    return err;
}

// The fiber that was starting it has been cancelled. What it began must not go on behind its back.
static void service_call_off(hy_service *service) {
    service->kept = false;
    if (service->phase == HYI_SERVICE_ENDED) return;
    if (!service->task) { // down with its group
        hy_scope *scope = service->scope;
        hyi_service_end(service, HY_CANCELLED);
        hyi_group_step(scope);
        return;
    }
    bool answered = false;
    service->again = service->in_group = false;
    hyi_service_tell(service, 0);
    (void)service_await(service, SERVICE_WANTS_END, "start", true, &answered);
}

static hy_err service_new(hy_scope *scope, const hy_service_spec *spec, hy_service **out_service) {
    hy_err err = hyi_restarts_open(scope);
    if (err != HY_OK) return err;
    uint32_t restarts = spec->restarts_max ? spec->restarts_max : SERVICE_RESTARTS_MAX;
    if (restarts == UINT32_MAX) restarts = 0;
    if (restarts > HY_RESTARTS_LIMIT) return HY_RANGE;
    size_t size = sizeof(hy_service) + restarts * sizeof(hy_ns);
    hy_service *service = (hy_service *)hy_mem_alloc_zero(scope->root->mem, size);
    if (!service) return HY_NOMEM;
    service->scope = scope;
    service->root = scope->root;
    size_t given = spec->size > 0 ? spec->size : sizeof *spec;
    HY_ASSERT(given <= sizeof *spec); // built against a newer header
    memcpy(&service->spec, spec, given);
    service->first = true;
    service->timer.done = service_on_timer;
    hyi_list_init(&service->waiting);
    hy_service_spec *kept = &service->spec;
    if (!kept->name) kept->name = "service";
    if (!kept->restarts_within) kept->restarts_within = HY_SECONDS(10);
    if (!kept->backoff_min) kept->backoff_min = HY_MS(100);
    if (!kept->backoff_max) kept->backoff_max = HY_SECONDS(10);
    if (!kept->ready_max) kept->ready_max = SERVICE_READY_MAX;
    if (!kept->scope.name) kept->scope.name = kept->name;
    kept->scope.size = sizeof kept->scope;
    service->intensity = (hyi_intensity){
        .within = kept->restarts_within,
        .max = restarts,
        .times = service->times,
    };
    hyi_service_set(service, HYI_SERVICE_WAITING);
    hyi_list_append(&scope->more->services, &service->in_scope);
    *out_service = service;
    return HY_OK;
}

// The record stays while it is up, while somebody has the handle, and while a fiber is in a call
// that looks at it.
static void service_hold(hy_service *service) {
    service->held++;
}

static void service_let_go(hy_service *service) {
    service->held--;
    service_free_if_over(service);
}

static void service_free_if_over(hy_service *service) {
    if (service->phase != HYI_SERVICE_ENDED || service->kept || service->held) return;
    HY_ASSERT(service->task == NULL);
    HY_ASSERT(hyi_list_is_empty(&service->waiting));
    hyi_list_remove(&service->in_scope);
    hy_mem_free(service->root->mem, service,
                sizeof *service + service->intensity.max * sizeof(hy_ns));
}

void hyi_services_free(hy_scope *scope) {
    hyi_link *link = NULL;
    while ((link = hyi_list_first(&scope->more->services))) {
        hy_service *service = hyi_service_at(link);
        HY_ASSERT(service->phase == HYI_SERVICE_ENDED); // hyi_services_stop_all has seen to that
        hyi_list_remove(link);
        service->kept = false;
        service_free_if_over(service);
    }
}

void hyi_service_set(hy_service *service, hyi_service_phase phase) {
    service->phase = phase;
    service->since = hy_world_now(service->root->world);
}

// ---- one run ----------------------------------------------------------------------------------

static hy_err service_run(void *arg) {
    hy_service *service = (hy_service *)arg;
    // Told before it began, or so late that its time to get ready has passed.
    if (service->phase != HYI_SERVICE_STARTING) return HY_CANCELLED;
    if (service->late) return HY_TIMEOUT;
    service_block block = { .service = service };
    hy_err err = hyi_scope_init(&block.scope, service->root, service->scope, &service->spec.scope,
                                HYI_SCOPE_BLOCK | HYI_SCOPE_SERVICE);
    if (err != HY_OK) return err;
    block.scope.flags &= ~(uint32_t)HYI_SCOPE_DRAINING; // its turn to drain comes with its stop
    service->own = &block.scope;
    // What a stop of this scope needs is there from now on: stopping must not fail for memory.
    err = hyi_scope_more(&block.scope) ? service->spec.fn(service->spec.arg) : HY_NOMEM;
    hy_err why = hy_scope_reason(&block.scope);
    hy_err of_scope = hyi_scope_finish(&block.scope, err != HY_OK);
    service->own = NULL;
    hyi_scope_leave(&block.scope);
    return err == HY_OK || err == why ? of_scope : err; // as blocks do
}

hy_service *hyi_service_of(hy_scope *own) {
    HY_ASSERT(own->flags & HYI_SCOPE_SERVICE);
    return ((service_block *)(void *)own)->service;
}

hy_err hyi_service_launch(hy_service *service) {
    static hyi_place place = { "service", 0, 0 };
    hy_scope *scope = service->scope;
    hy_root *root = scope->root;
    hy_err err = HY_OK;
    hy_timer_stop(root->world, &service->timer); // of a pause that is cut short
    if (service->spec.ready_max != HY_NEVER) {
        hy_ns due = hyi_stop_end(root->world, service->spec.ready_max);
        err = hy_timer_at(root->world, &service->timer, due);
    }
    if (err == HY_OK) {
        err = hyi_task_new(root, service_run, service, service->spec.stack, &place, &service->task);
    }
    if (err != HY_OK) {
        hy_timer_stop(root->world, &service->timer);
        return err;
    }
    hy_task *task = service->task;
    task->is_service = true;
    task->name = service->spec.name;
    task->owner = scope;
    task->scope = scope;
    task->table = hyi_table_keep(scope->table);
    service->starts++;
    service->late = false;
    service->shared = false;
    hyi_service_set(service, HYI_SERVICE_STARTING);
    service->launched_at = service->since;
    hyi_task_ready(task);
    return HY_OK;
}

// Either ready_max has passed, or a pause before the next start.
static void service_on_timer(hy_timer *timer) {
    hy_service *service = HYI_HOLDER(hy_service, timer, timer);
    if (service->phase == HYI_SERVICE_STARTING) {
        service->late = true;
        if (service->own) hy_scope_cancel(service->own, HY_TIMEOUT);
        return;
    }
    HY_ASSERT(service->phase == HYI_SERVICE_WAITING);
    hy_err err = hyi_service_launch(service);
    if (err != HY_OK) hyi_service_fell(service, err);
}

void hy_ready(void) {
    HY_ASSERT(hyi_current != NULL);
    hy_scope *scope = hyi_current->scope;
    while (scope->parent && !(scope->flags & HYI_SCOPE_SERVICE)) {
        scope = scope->parent;
    }
    if (!(scope->flags & HYI_SCOPE_SERVICE)) {
        hyi_root_ready(scope->root);
        return;
    }
    hy_service *service = hyi_service_of(scope);
    if (service->phase != HYI_SERVICE_STARTING || service->late) return;
    hy_timer_stop(scope->root->world, &service->timer);
    hyi_service_set(service, HYI_SERVICE_UP);
    service->first = false;
    service->ready_at = service->since;
    service_answer(service, SERVICE_WANTS_UP, HY_OK);
    if (service->in_group) hyi_group_step(service->scope);
}

// ---- the end of a run -------------------------------------------------------------------------

void hyi_service_task_ended(hy_task *task) {
    hy_service *service = (hy_service *)task->arg;
    hy_scope *scope = service->scope;
    hy_err err = service->late ? HY_TIMEOUT : task->result;
    hyi_table_drop(task->root, task->table);
    hyi_task_free(task);
    service->task = NULL;
    service->own = NULL; // also where hyi_fiber_exit closed it
    hy_timer_stop(scope->root->world, &service->timer);
    service->last_err = err;
    if (service->phase != HYI_SERVICE_STOPPING) {
        if (service->phase == HYI_SERVICE_STARTING && !service->first) {
            service_answer(service, SERVICE_WANTS_UP, err != HY_OK ? err : HY_END);
        }
        hyi_service_fell(service, err);
    } else if (service->again) {
        service->again = false;
        hyi_service_set(service, HYI_SERVICE_WAITING);
        err = hyi_service_launch(service);
        if (err != HY_OK) hyi_service_fell(service, err);
    } else if (service->in_group && (service->spec.restart != HY_TEMPORARY || service->first)) {
        hyi_service_set(service, HYI_SERVICE_DOWN);
    } else {
        hyi_service_end(service, err);
    }
    hyi_group_step(scope);
    hyi_stop_progress(scope);
}

void hyi_service_tell(hy_service *service, hy_ns grace) {
    HY_ASSERT(service->task != NULL);
    hy_timer_stop(service->root->world, &service->timer);
    if (service->phase != HYI_SERVICE_STOPPING) hyi_service_set(service, HYI_SERVICE_STOPPING);
    if (!service->own) return; // it sees the phase when it begins, or has ended its scope already
    if (grace > 0) {
        hy_scope_stop(service->own, grace);
    } else {
        hy_scope_cancel(service->own, HY_CANCELLED);
    }
}

void hyi_service_end(hy_service *service, hy_err err) {
    bool is_told = service->phase == HYI_SERVICE_STOPPING ||
                   (!service->task && hyi_scope_refuses(service->scope) != HY_OK);
    hy_err up = is_told && service->phase != HYI_SERVICE_STARTING ? HY_CLOSED : err;
    if (up == HY_OK && service->spec.restart == HY_PERMANENT) up = HY_END;
    if (service->first && up != HY_OK) service->kept = false; // hy_start gives no handle
    service->last_err = err;
    service->in_group = false;
    hy_timer_stop(service->root->world, &service->timer);
    hyi_service_set(service, HYI_SERVICE_ENDED);
    service_answer(service, SERVICE_WANTS_UP, up);
    service_answer(service, SERVICE_WANTS_END, err);
    service_free_if_over(service);
}

// ---- waiting for a service --------------------------------------------------------------------

static void service_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(service_wait, wait, wait)->link);
}

static void service_answer(hy_service *service, service_wish wish, hy_err err) {
    hyi_link *link = hyi_list_first(&service->waiting);
    while (link) {
        service_wait *wait = HYI_HOLDER(service_wait, link, link);
        link = hyi_list_after(&service->waiting, link);
        if (wait->wish != wish) continue;
        hyi_list_remove(&wait->link);
        wait->answered = true;
        hyi_wake(wait->wait.task, err);
    }
}

static hy_err service_await(hy_service *service, service_wish wish, const char *what, bool firm,
                            bool *out_answered) {
    service_wait wait = {
        .wait = { .unhook = service_unhook, .what = what, .deadline = HY_NEVER, .firm = firm },
        .wish = wish,
    };
    hyi_list_append(&service->waiting, &wait.link);
    hy_err err = hyi_park(&wait.wait);
    *out_answered = wait.answered;
    return err;
}

// ---- at the handle ----------------------------------------------------------------------------

static hy_ns service_grace(const hy_service *service, hy_ns asked) {
    if (asked != 0) return asked;
    return service->spec.stop_max > 0 ? service->spec.stop_max : hyi_stop_max(service->scope);
}

static bool service_is_inside(const hy_service *service) {
    return service->own && hyi_scope_is_below(hyi_current->scope, service->own);
}

hy_err hy_service_stop(hy_service *service, hy_ns grace) {
    HY_ASSERT(hyi_current != NULL);
    HY_ASSERT(service->kept);
    hy_err err = service->last_err;
    service->kept = false;
    if (!service->task) {
        if (service->phase != HYI_SERVICE_ENDED) {
            hy_scope *scope = service->scope;
            hyi_service_end(service, err);
            hyi_group_step(scope);
        } else {
            service_free_if_over(service);
        }
        return err;
    }
    service->again = service->in_group = false;
    hyi_service_tell(service, service_grace(service, grace));
    if (service_is_inside(service)) return HY_BUSY;
    service_hold(service);
    bool answered = false;
    err = service_await(service, SERVICE_WANTS_END, "stop", false, &answered);
    if (!answered && service->task) hyi_service_tell(service, 0);
    service_let_go(service);
    return err;
}

hy_err hy_service_restart(hy_service *service) {
    HY_ASSERT(hyi_current != NULL);
    HY_ASSERT(service->kept);
    if (service->phase == HYI_SERVICE_ENDED || hyi_scope_refuses(service->scope) != HY_OK) {
        return HY_CLOSED;
    }
    if (service->task) {
        service->again = !service->in_group; // a group starts its members itself
        hyi_service_tell(service, service_grace(service, 0));
        if (service_is_inside(service)) return HY_BUSY;
    } else if (service->phase == HYI_SERVICE_WAITING) {
        hy_err err = hyi_service_launch(service);
        if (err != HY_OK) {
            hyi_service_fell(service, err); // a pause again, or the end of trying
            return err;
        }
    }
    bool answered = false;
    return service_await(service, SERVICE_WANTS_UP, "restart", false, &answered);
}

hy_service_state hy_service_state_of(const hy_service *service) {
    return (hy_service_state){
        .name = service->spec.name,
        .ready = service->phase == HYI_SERVICE_UP,
        .draining = service->phase == HYI_SERVICE_STOPPING,
        .waiting = service->phase == HYI_SERVICE_WAITING || service->phase == HYI_SERVICE_DOWN,
        .starts = service->starts,
        .last_err = service->last_err,
        .since = service->since,
    };
}
