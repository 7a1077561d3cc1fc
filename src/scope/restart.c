// restart.c - what follows when a service falls.
//
// A service that ends by itself is put before its scope's policy. Where it is to be started again,
// three questions remain: is it too often (intensity), when (backoff), and who else goes down and
// comes up with it (the group).
//
// Too often: the times of the latest restarts lie in a ring of `max`; when it is full and its
// oldest is not yet `within` old, one more is too many, which is OTP's MaxR in MaxT to the letter.
// Then the scope fails with HY_RESTARTS. If it is the own scope of a service, that service has
// fallen, and the scope above judges it by its own policy: that is all there is to escalation.
//
// When: the first restart is at once, since most faults are passing. From the second in a row on it
// waits for a random time up to backoff_min, doubling to backoff_max ("full jitter": M. Brooker,
// "Exponential Backoff And Jitter", 2015). A service that has been up for `restarts_within` starts
// counting anew. Intensity and backoff pull against each other: where backoff_max is so long that
// `restarts_max` restarts cannot fall into `restarts_within`, the service is tried for ever.
//
// Who else: the group is always a tail of the list of services, which is in order of start: all of
// it, or from the one that fell. Its members are stopped from the end to the front, one at a time;
// then comes the backoff; then they start from the front, each when the one before is ready. A
// member that falls while the others go down is merely down; one that falls while they come up is
// one more restart, and the group begins anew, grown at the front if need be. A service in its
// first hy_start is a member like the others, and its hy_start goes on waiting; who calls hy_start
// while the group is at work waits for its end. So the order of start holds for newcomers, too.
#include "scope/service.h"

typedef struct group_wait {
    hyi_wait wait;
    hyi_link link;
} group_wait;

static bool restart_is_wanted(const hy_service *service, hy_err err);
static bool restart_is_allowed(hyi_intensity *intensity, hy_ns now);
static hy_ns restart_pause(hy_service *service);
static void restart_after(hy_service *service, hy_ns pause);
static void group_begin(hy_scope *scope, hy_service *from, hy_ns pause);
static void group_on_timer(hy_timer *timer);
static void group_answer(struct hyi_restarts *group, hy_err err);

hy_err hyi_restarts_open(hy_scope *scope) {
    hyi_more *more = hyi_scope_more(scope);
    if (!more) return HY_NOMEM;
    if (more->restarts) return HY_OK;
    uint32_t max = more->restarts_max;
    if (max > HY_RESTARTS_LIMIT) return HY_RANGE;
    size_t size = sizeof(struct hyi_restarts) + max * sizeof(hy_ns);
    struct hyi_restarts *restarts =
        (struct hyi_restarts *)hy_mem_alloc_zero(scope->root->mem, size);
    if (!restarts) return HY_NOMEM;
    restarts->scope = scope;
    restarts->timer.done = group_on_timer;
    hyi_list_init(&restarts->waiting);
    restarts->intensity = (hyi_intensity){
        .within = more->restarts_within ? more->restarts_within : HY_SECONDS(10),
        .max = max,
        .times = restarts->times,
    };
    more->restarts = restarts;
    return HY_OK;
}

void hyi_restarts_close(hy_scope *scope) {
    struct hyi_restarts *restarts = scope->more->restarts;
    if (!restarts) return;
    hy_timer_stop(scope->root->world, &restarts->timer);
    group_answer(restarts, HY_CLOSED);
    hy_mem_free(scope->root->mem, restarts,
                sizeof *restarts + restarts->intensity.max * sizeof(hy_ns));
    scope->more->restarts = NULL;
}

// ---- one that fell ----------------------------------------------------------------------------

void hyi_service_fell(hy_service *service, hy_err err) {
    hy_scope *scope = service->scope;
    service->last_err = err;
    if (service->first || scope->flags & (HYI_SCOPE_DRAINING | HYI_SCOPE_CANCELLED) ||
        scope->more->stop.phase != 0) {
        hyi_service_end(service, err); // its hy_start says so; or nothing is started any more
        return;
    }
    if (service->in_group && scope->more->restarts->phase == HYI_GROUP_DOWN &&
        restart_is_wanted(service, err)) {
        hyi_service_set(service, HYI_SERVICE_DOWN); // it would have been stopped next
        return;
    }
    hy_ending ending = {
        .scope = scope,
        .name = service->spec.name,
        .err = err,
        .is_service = true,
    };
    hy_verdict verdict = (scope->policy ? scope->policy : hy_one_for_one)(&ending);
    bool restarts = verdict >= HY_RESTART_ONE;
    if (!restarts || !restart_is_wanted(service, err)) {
        hyi_service_end(service, err);
        if (!restarts && verdict != HY_IGNORE) hyi_scope_hold(scope, verdict, err);
        return;
    }
    hy_ns now = hy_world_now(service->root->world);
    bool allowed = restart_is_allowed(&service->intensity, now) &&
                   restart_is_allowed(&scope->more->restarts->intensity, now);
    if (!allowed) {
        hyi_service_end(service, err);
        hyi_scope_hold(scope, HY_FAIL, HY_RESTARTS);
        return;
    }
    service->root->stats.restarts++;
    hy_ns pause = restart_pause(service);
    if (verdict == HY_RESTART_ONE) {
        restart_after(service, pause);
        return;
    }
    hyi_service_set(service, HYI_SERVICE_DOWN);
    hyi_link *first = hyi_list_first(&scope->more->services);
    group_begin(scope, verdict == HY_RESTART_ALL ? hyi_service_at(first) : service, pause);
}

static bool restart_is_wanted(const hy_service *service, hy_err err) {
    switch (service->spec.restart) {
    case HY_TEMPORARY: return false;
    case HY_TRANSIENT: return err != HY_OK;
    case HY_PERMANENT: return true;
    }
    return false;
}

static bool restart_is_allowed(hyi_intensity *intensity, hy_ns now) {
    if (intensity->max == 0) return true;
    if (intensity->count == intensity->max) {
        if (now - intensity->times[intensity->next] <= intensity->within) return false;
    } else {
        intensity->count++;
    }
    intensity->times[intensity->next] = now; // over the oldest
    intensity->next = (intensity->next + 1) % intensity->max;
    return true;
}

static hy_ns restart_pause(hy_service *service) {
    hy_world *world = service->root->world;
    bool was_quiet = service->ready_at >= service->launched_at &&
                     hy_world_now(world) - service->ready_at >= service->spec.restarts_within;
    if (was_quiet) service->restarts_in_a_row = 0;
    uint32_t nth = service->restarts_in_a_row++;
    if (nth == 0) return 0;
    hy_ns most = service->spec.backoff_min;
    for (uint32_t i = 1; i < nth && most < service->spec.backoff_max; i++) {
        most = most > service->spec.backoff_max / 2 ? service->spec.backoff_max : most * 2;
    }
    if (most > service->spec.backoff_max) most = service->spec.backoff_max;
    return 1 + (hy_ns)(hy_world_random(world) % (uint64_t)most);
}

static void restart_after(hy_service *service, hy_ns pause) {
    hy_world *world = service->root->world;
    hyi_service_set(service, HYI_SERVICE_WAITING);
    if (pause == 0) {
        hy_err err = hyi_service_launch(service);
        if (err != HY_OK) hyi_service_fell(service, err); // from now on with a pause
        return;
    }
    if (hy_timer_at(world, &service->timer, hyi_stop_end(world, pause)) == HY_OK) return;
    // Without a timer nobody would ever start it again: that must not go unnoticed.
    hy_scope *scope = service->scope;
    hyi_service_end(service, HY_NOMEM);
    hyi_scope_hold(scope, HY_FAIL, HY_NOMEM);
}

// ---- groups -----------------------------------------------------------------------------------

static void group_begin(hy_scope *scope, hy_service *from, hy_ns pause) {
    struct hyi_restarts *group = scope->more->restarts;
    hy_world *world = scope->root->world;
    for (hyi_link *link = &from->in_scope; link;
         link = hyi_list_after(&scope->more->services, link)) {
        hy_service *service = hyi_service_at(link);
        if (service->phase == HYI_SERVICE_ENDED) continue;
        service->in_group = true;
        service->again = false;
        if (service->phase == HYI_SERVICE_WAITING) {
            hy_timer_stop(world, &service->timer);
            hyi_service_set(service, HYI_SERVICE_DOWN);
        }
    }
    hy_timer_stop(world, &group->timer);
    group->phase = HYI_GROUP_DOWN;
    group->until = hyi_stop_end(world, hyi_stop_max(scope));
    group->pause = pause;
    hyi_group_step(scope);
}

// The members that still have a fiber, and the last of them.
static hy_service *group_last_up(const hy_scope *scope, uint32_t *out_count) {
    hy_service *last = NULL;
    *out_count = 0;
    const hyi_list *services = &scope->more->services;
    for (hyi_link *link = hyi_list_first(services); link; link = hyi_list_after(services, link)) {
        hy_service *service = hyi_service_at(link);
        if (!service->in_group || !service->task) continue;
        last = service;
        ++*out_count;
    }
    return last;
}

// True: all are down.
static bool group_go_down(hy_scope *scope) {
    uint32_t count = 0;
    hy_service *last = group_last_up(scope, &count);
    if (!last) return true;
    if (last->phase == HYI_SERVICE_STOPPING) return false;
    hy_ns left = hyi_stop_until(scope->root->world, scope->more->restarts->until);
    hy_ns share = hyi_stop_share(left, count);
    if (last->spec.stop_max > 0 && last->spec.stop_max < share) share = last->spec.stop_max;
    hyi_service_tell(last, share);
    return false;
}

// The first member that is not up; those that are leave the group.
static hy_service *group_first_down(hy_scope *scope) {
    const hyi_list *services = &scope->more->services;
    for (hyi_link *link = hyi_list_first(services); link; link = hyi_list_after(services, link)) {
        hy_service *service = hyi_service_at(link);
        if (service->phase == HYI_SERVICE_UP) service->in_group = false;
        if (service->in_group) return service;
    }
    return NULL;
}

// True: all are up.
static bool group_come_up(hy_scope *scope) {
    for (hy_service *next; (next = group_first_down(scope));) {
        if (next->phase != HYI_SERVICE_DOWN) return false; // not ready yet, or in its own pause
        hy_err err = hyi_service_launch(next);
        if (err == HY_OK) return false;
        hyi_service_fell(next, err); // it waits, is over, or the group has begun anew
        if (scope->more->restarts->phase != HYI_GROUP_UP) return false;
    }
    return true;
}

// Who is told to go on finds the scope when he runs. Who waits does not hold up its end, or both
// would wait for a service that may never be ready.
static void group_answer(struct hyi_restarts *group, hy_err err) {
    for (hyi_link *link; (link = hyi_list_first(&group->waiting));) {
        hyi_list_remove(link);
        if (err == HY_OK) hyi_scope_live(group->scope);
        hyi_wake(HYI_HOLDER(group_wait, link, link)->wait.task, err);
    }
}

void hyi_group_step(hy_scope *scope) {
    struct hyi_restarts *group = scope->more->restarts;
    hy_world *world = scope->root->world;
    if (group->phase == HYI_GROUP_DOWN && group_go_down(scope)) {
        group->phase = HYI_GROUP_PAUSE;
        hy_err err = HY_OK;
        if (group->pause > 0) {
            err = hy_timer_at(world, &group->timer, hyi_stop_end(world, group->pause));
        } else {
            group->phase = HYI_GROUP_UP;
        }
        if (err != HY_OK) hyi_scope_hold(scope, HY_FAIL, err);
    }
    if (group->phase == HYI_GROUP_UP && group_come_up(scope)) {
        group->phase = HYI_GROUP_IDLE;
        group_answer(group, HY_OK);
    }
}

static void group_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(group_wait, wait, wait)->link);
}

// A service that starts a sister while it is itself being started must not wait for itself.
static bool group_is_inside(const hy_scope *scope) {
    const hy_scope *at = hyi_current->scope;
    while (at && at->parent != scope) {
        at = at->parent;
    }
    return at && (at->flags & HYI_SCOPE_SERVICE);
}

hy_err hyi_group_await(hy_scope *scope) {
    struct hyi_restarts *group = scope->more ? scope->more->restarts : NULL;
    if (!group || group->phase == HYI_GROUP_IDLE || group_is_inside(scope)) return HY_OK;
    group_wait wait = {
        .wait = { .unhook = group_unhook, .what = "restart", .deadline = HY_NEVER },
    };
    hyi_list_append(&group->waiting, &wait.link);
    hy_err err = hyi_park(&wait.wait);
    if (err == HY_OK) hyi_scope_unlive(scope); // group_answer
    return err;
}

static void group_on_timer(hy_timer *timer) {
    struct hyi_restarts *group = HYI_HOLDER(struct hyi_restarts, timer, timer);
    HY_ASSERT(group->phase == HYI_GROUP_PAUSE);
    group->phase = HYI_GROUP_UP;
    hyi_group_step(group->scope);
}

// ---- the end of all starting ------------------------------------------------------------------

void hyi_services_rest(hy_scope *scope) {
    struct hyi_restarts *group = scope->more->restarts;
    if (!group) return; // there never was a service
    hy_timer_stop(scope->root->world, &group->timer);
    group->phase = HYI_GROUP_IDLE;
    group_answer(group, HY_CLOSED);
    hyi_link *next = NULL;
    for (hyi_link *link = hyi_list_first(&scope->more->services); link; link = next) {
        hy_service *service = hyi_service_at(link);
        next = hyi_list_after(&scope->more->services, link);
        service->again = service->in_group = false;
        bool idle = service->phase == HYI_SERVICE_WAITING || service->phase == HYI_SERVICE_DOWN;
        if (idle)
            hyi_service_end(service, service->last_err);
        else if (service->phase == HYI_SERVICE_STARTING && service->first) {
            hyi_service_tell(service, 0); // nobody uses it yet
        }
    }
}

uint32_t hyi_services_live(const hy_scope *scope) {
    uint32_t count = 0;
    const hyi_list *services = &scope->more->services;
    for (hyi_link *link = hyi_list_first(services); link; link = hyi_list_after(services, link)) {
        count += hyi_service_at(link)->phase != HYI_SERVICE_ENDED;
    }
    return count;
}
