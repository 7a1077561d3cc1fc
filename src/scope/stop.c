// stop.c - stopping in two phases: first it is known, then it is done.
//
// A stop makes the scope drain: at once everybody in it can see that it will end, intake gives
// HY_CLOSED, and work in progress goes on. Things then end in the order in which they need each
// other: tasks, services from the latest started to the first, resources. Each gets its share of
// the grace, the time left divided by the number of things left, so what one does not use the next
// ones get; at the end of its share it is cancelled. (All tasks together are one thing. Resources
// are not counted: they get what is left over, and a tenth in any case.) A service is stopped by
// stopping its own scope with its share as the grace, so the same rule holds all the way down.
//
// Services do not drain with the tasks. The last requests still need the database; its service
// learns of the stop when they are done. From the first moment of a stop on, though, nothing is
// started any more: a service that falls stays down, a pause before a restart ends there and then,
// and a service that is being started for the first time is called off.
//
// Cancelling is the same walk with no grace. A cancelled task may still need its services to clean
// up, so a scope's services end after its tasks then, too, in reverse order, one at a time.
//
// Who drives it. hy_scope_stop may be called from the world's callbacks and must not fail, so there
// is no fiber for it: a fiber needs memory and could itself be cancelled. The record lies in
// hyi_more, and moves at three moments: at the call, when something has ended (hyi_stop_progress,
// from the ends of tasks, services and scopes), and when the timer of the present share falls due.
//
//     0 --stop--> tasks --all ended--> services --all ended--> over
//
// A dynamic scope takes both steps by itself. A block does not leave the first one before its body
// has, because the body is its most important task: the fiber that comes to the end of the block
// says so by hyi_services_stop_all. That call is also how the services of a scope end that nobody
// stopped. Resources are released by whoever closes the scope, with what is left (hyi_stop_left).
//
// Defined, and tested: a second stop shortens the grace and never lengthens it; a cancel ends it; a
// stop of a scope below another that stops keeps the earlier end. Without memory for a timer there
// is no grace: what is waited for is cancelled at once.
#include "scope/root_signals.h"
#include "scope/service.h"

#define STOP_FLAGS (HYI_SCOPE_DRAINING | HYI_SCOPE_CANCELLED | HYI_SCOPE_ENDING)

typedef enum stop_phase { STOP_NONE, STOP_TASKS, STOP_SERVICES, STOP_OVER } stop_phase;

typedef struct stop_wait {
    hyi_wait wait;
    hyi_link link;
} stop_wait;

static void stop_begin(hy_scope *scope, hy_ns until);
static void stop_prepare(hy_scope *scope, hy_ns until);
static void stop_begin_below(hy_scope *scope, hy_ns until);
static void stop_tasks(hy_scope *scope);
static bool stop_has_services(const hy_scope *scope);
static bool stop_tasks_are_over(hy_scope *scope);
static void stop_step(hy_scope *scope);
static void stop_next_service(hy_scope *scope, bool shortened);
static void stop_on_timer(hy_timer *timer);

// ---- time -------------------------------------------------------------------------------------

hy_ns hyi_stop_max(const hy_scope *scope) {
    hy_ns own = scope->more ? scope->more->stop_max : 0;
    return own > 0 ? own : HYI_STOP_MAX_DEFAULT;
}

hy_ns hyi_stop_end(const hy_world *world, hy_ns grace) {
    return hy_ns_add(hy_world_now(world), grace);
}

hy_ns hyi_stop_until(const hy_world *world, hy_ns until) {
    if (until == HY_NEVER) return HY_NEVER;
    hy_ns now = hy_world_now(world);
    return until > now ? until - now : 0;
}

hy_ns hyi_stop_share(hy_ns left, uint32_t shares) {
    return left == HY_NEVER ? HY_NEVER : left / (hy_ns)(shares > 0 ? shares : 1);
}

// For tasks and services. A tenth is kept back where there are resources, which mostly need little.
static hy_ns stop_left(const hy_scope *scope) {
    if (scope->more->stop.is_cut) return 0;
    hy_ns left = hyi_stop_until(scope->root->world, scope->more->stop.until);
    return left == HY_NEVER || !scope->owned ? left : left - left / 10;
}

// For resources: what a stop here or above has left, also when a cancel has ended it for all
// others. They always get some time, however late it is: a tenth of stop_max.
hy_ns hyi_stop_left(const hy_scope *scope) {
    hy_ns most = hyi_stop_max(scope), left = most;
    bool is_stopped = scope->more && scope->more->stop.phase != STOP_NONE;
    if (is_stopped) left = hyi_stop_until(scope->root->world, scope->more->stop.until);
    for (const hy_scope *at = scope->parent; at && (at->flags & STOP_FLAGS); at = at->parent) {
        if (!at->more || at->more->stop.phase == STOP_NONE) continue;
        hy_ns above = hyi_stop_until(at->root->world, at->more->stop.until);
        if (above < left) left = above;
    }
    return left > most / 10 ? left : most / 10;
}

// ---- beginning --------------------------------------------------------------------------------

void hy_scope_stop(hy_scope *scope, hy_ns grace) {
    // Cancelled, there is no grace; but for services of a scope that is being closed, and for those
    // of one that was cancelled because the share of its tasks was over.
    bool has_grace = (scope->flags & HYI_SCOPE_LEFT) || (scope->more && scope->more->stop.phase);
    if ((scope->flags & HYI_SCOPE_CANCELLED) && !has_grace) return;
    scope->flags |= HYI_SCOPE_STOPPED;
    if (!scope->parent) hyi_root_stopping(scope->root);
    bool is_late = (scope->flags & HYI_SCOPE_ENDING) && (!scope->more || !scope->more->stop.phase);
    if (is_late) return; // nothing is left that could be stopped
    if (!hyi_scope_more(scope)) {
        hyi_scope_drain(scope);
        hy_scope_cancel(scope, HY_CANCELLED);
        return;
    }
    stop_begin(scope, hyi_stop_end(scope->root->world, grace != 0 ? grace : hyi_stop_max(scope)));
    hyi_stop_progress(scope);
}

static void stop_begin(hy_scope *scope, hy_ns until) {
    hyi_stop *stop = &scope->more->stop;
    if (stop->phase == STOP_NONE) {
        hyi_scope_drain(scope);
        stop_prepare(scope, until);
        stop_tasks(scope);
    } else if (until < stop->until) {
        stop->until = until;
        if (stop->phase == STOP_TASKS) stop_tasks(scope);
        if (stop->phase == STOP_SERVICES) stop_next_service(scope, true);
    }
}

// Calling off what is being started may end things below, which is told here (hyi_stop_progress):
// the steps begin when all services are at rest.
static void stop_prepare(hy_scope *scope, hy_ns until) {
    hyi_stop *stop = &scope->more->stop;
    stop->until = until;
    stop->timer.done = stop_on_timer;
    hyi_list_init(&stop->waiting);
    hyi_services_rest(scope);
    stop->phase = STOP_TASKS;
}

// The tasks' share begins, or is shorter than before.
static void stop_tasks(hy_scope *scope) {
    hy_world *world = scope->root->world;
    hyi_stop *stop = &scope->more->stop;
    hy_ns share = hyi_stop_share(stop_left(scope), 1 + hyi_services_live(scope));
    hy_ns end = hyi_stop_end(world, share);
    stop_begin_below(scope, end);
    if (end == HY_NEVER || stop->phase != STOP_TASKS) return;
    if (hy_timer_at(world, &stop->timer, end) == HY_OK) return;
    hyi_scope_cancel_tasks(scope, HY_CANCELLED);
}

// Scopes below that have services stop on their own account, within the tasks' share.
static void stop_begin_below(hy_scope *scope, hy_ns until) {
    for (hy_scope *at = hyi_scope_next(scope, scope, true); at;) {
        bool is_service = (at->flags & HYI_SCOPE_SERVICE) != 0;
        bool has_services = !is_service && stop_has_services(at);
        if (has_services) {
            stop_begin(at, until);
            stop_step(at); // it may have no tasks
        }
        at = hyi_scope_next(scope, at, !is_service && !has_services);
    }
}

static bool stop_has_services(const hy_scope *scope) {
    return scope->more && hyi_services_live(scope) > 0;
}

hy_err hy_wait_draining(void) {
    hyi_wait wait = { .what = "draining", .deadline = HY_NEVER, .intake = true };
    return hyi_park(&wait);
}

// ---- going on ---------------------------------------------------------------------------------

static void stop_on_timer(hy_timer *timer) {
    hyi_more *more = HYI_HOLDER(hyi_more, stop.timer, timer);
    HY_ASSERT(more->stop.phase == STOP_TASKS);
    // Where only resources are left, they have their own.
    if (more->scope->flags & HYI_SCOPE_ENDING) return;
    hyi_scope_cancel_tasks(more->scope, HY_CANCELLED);
}

void hyi_stop_progress(hy_scope *scope) {
    for (; scope && (scope->flags & STOP_FLAGS); scope = scope->parent) {
        if (scope->more) stop_step(scope);
    }
}

static void stop_step(hy_scope *scope) {
    hyi_stop *stop = &scope->more->stop;
    if (stop->phase == STOP_TASKS && stop_tasks_are_over(scope)) {
        stop->phase = STOP_SERVICES;
        hy_timer_stop(scope->root->world, &stop->timer);
    }
    if (stop->phase == STOP_SERVICES) stop_next_service(scope, false);
}

static bool stop_is_quiet(hy_scope *scope) {
    if (scope->live > 0) return false;
    for (hy_scope *at = hyi_scope_next(scope, scope, true); at;) {
        bool is_service = (at->flags & HYI_SCOPE_SERVICE) != 0;
        if (!is_service) {
            if (at->flags & HYI_SCOPE_BLOCK || at->live > 0) return false;
            if (stop_has_services(at)) return false;
        }
        at = hyi_scope_next(scope, at, !is_service);
    }
    return true;
}

static bool stop_tasks_are_over(hy_scope *scope) {
    bool has_body = (scope->flags & HYI_SCOPE_BLOCK) || !scope->parent;
    return !has_body && stop_is_quiet(scope);
}

// Services are told one at a time. `shortened`: the one that has been told learns of its new share.
static void stop_next_service(hy_scope *scope, bool shortened) {
    hyi_stop *stop = &scope->more->stop;
    const hyi_list *services = &scope->more->services;
    hyi_link *link = hyi_list_last(services);
    while (link && hyi_service_at(link)->phase == HYI_SERVICE_ENDED) {
        link = hyi_list_before(services, link);
    }
    if (!link) {
        stop->phase = STOP_OVER;
        while ((link = hyi_list_first(&stop->waiting))) {
            stop_wait *wait = HYI_HOLDER(stop_wait, link, link);
            hyi_list_remove(link);
            hyi_wake(wait->wait.task, HY_OK);
        }
        return;
    }
    hy_service *service = hyi_service_at(link);
    if (service->shared && !shortened) return;
    service->shared = true;
    hy_ns share = hyi_stop_share(stop_left(scope), hyi_services_live(scope));
    if (service->spec.stop_max > 0 && service->spec.stop_max < share) {
        share = service->spec.stop_max;
    }
    hyi_service_tell(service, share);
}

// ---- without grace ----------------------------------------------------------------------------

void hyi_stop_cut(hy_scope *scope) {
    if (!scope->more) return;
    if (!scope->parent) hyi_root_stopping(scope->root);
    hyi_stop *stop = &scope->more->stop;
    if (stop->phase == STOP_NONE && hyi_services_live(scope) == 0) return;
    stop->is_cut = true;
    if (stop->phase == STOP_NONE) { // the grace is for resources
        stop_prepare(scope, hyi_stop_end(scope->root->world, hyi_stop_max(scope)));
    }
    hy_timer_stop(scope->root->world, &stop->timer); // the tasks have been told already
    if (stop->phase == STOP_SERVICES) stop_next_service(scope, true);
    hyi_stop_progress(scope);
}

// ---- at the end of a scope --------------------------------------------------------------------

void hyi_services_stop_all(hy_scope *scope, hy_ns until) {
    if (!scope->more || hyi_services_live(scope) == 0) return;
    hyi_stop *stop = &scope->more->stop;
    if (stop->phase == STOP_NONE) stop_prepare(scope, until);
    if (stop->phase == STOP_TASKS) {
        hy_timer_stop(scope->root->world, &stop->timer);
        stop->phase = STOP_SERVICES;
    }
    stop_next_service(scope, false);
    if (stop->phase == STOP_OVER) return;
    stop_wait wait = {
        .wait = { .what = "services", .deadline = HY_NEVER, .firm = true },
    };
    hyi_list_append(&stop->waiting, &wait.link);
    hy_err err = hyi_park(&wait.wait);
    HY_ASSERT(err == HY_OK);
    HY_ASSERT(stop->phase == STOP_OVER);
}

void hyi_stop_free(hy_scope *scope) {
    if (!scope->more) return;
    hy_timer_stop(scope->root->world, &scope->more->stop.timer);
    hyi_services_free(scope);
    hyi_restarts_close(scope);
}
