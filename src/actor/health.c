// health.c - looking after actors that do not fail, but do not work either.
//
// Every health_every a limit comes back as a message (SYSTEM_HEALTH), and `health` is called
// between two messages. An error of it, or one that waits for longer than health_max, is a failed
// check; so is an actor whose handler waits for so long that the check does not get its turn within
// health_max. As many as health_failures in a row are the actor's failure: with what the check
// said, or HY_TIMEOUT. Each failed check is an event.
//
// A fiber actor is asked in hy_receive, on its own fiber.
//
// The next check is due health_every after the end of this one: a slow check is not asked again
// meanwhile. A handler that computes for ever is not seen here, but by the watchdog.
#include "actor/ending.h"
#include "actor/limits.h"

static void health_check(hy_actor *actor);
static void health_next(hy_actor *actor, hy_err err);

void hyi_health_begin(hy_actor *actor) {
    struct hyi_limits *limits = hyi_limits_of(actor);
    if (limits) limits->health_failures = 0;
    hyi_limits_start(actor, HYI_LIMIT_TICK, hyi_options(actor)->health_every);
}

void hyi_health_end(hy_actor *actor) {
    hyi_limits_stop(actor, HYI_LIMIT_TICK);
    hyi_limits_stop(actor, HYI_LIMIT_CHECK);
    struct hyi_limits *limits = actor->kin ? actor->kin->limits : NULL;
    if (limits) limits->is_checking = limits->is_due = false;
}

void hyi_health_tick(hy_actor *actor) {
    if (actor->phase != HYI_RUNNING) return;
    if ((actor->flags & HYI_ACTOR_LENT) == 0) {
        health_check(actor);
        return;
    }
    actor->kin->limits->is_due = (actor->flags & HYI_ACTOR_FIBER) != 0;
    hyi_limits_start(actor, HYI_LIMIT_CHECK, hyi_options(actor)->health_max);
}

bool hyi_health_is_due(const hy_actor *actor) {
    return actor->kin->limits && actor->kin->limits->is_due;
}

void hyi_health_look(hy_actor *actor) {
    if (!hyi_health_is_due(actor)) return;
    actor->kin->limits->is_due = false;
    hyi_limits_stop(actor, HYI_LIMIT_CHECK);
    health_check(actor);
}

static void health_check(hy_actor *actor) {
    struct hyi_limits *limits = actor->kin->limits;
    limits->is_checking = true;
    limits->is_late = false;
    if (actor->flags & HYI_ACTOR_LENT) hyi_health_waits(actor); // nobody tells when it does
    hy_err err = actor->type->health(actor, actor->state);
    if (limits->is_late) err = HY_TIMEOUT;
    limits->is_checking = false;
    hyi_limits_stop(actor, HYI_LIMIT_CHECK);
    health_next(actor, err);
}

// The check waits: not for longer than health_max.
void hyi_health_waits(hy_actor *actor) {
    const struct hyi_limits *limits = actor->kin ? actor->kin->limits : NULL;
    if (!limits || !limits->is_checking) return;
    hyi_limits_start(actor, HYI_LIMIT_CHECK, hyi_options(actor)->health_max);
}

void hyi_health_passed(hy_actor *actor) {
    struct hyi_limits *limits = actor->kin->limits;
    if (actor->phase != HYI_RUNNING) return;
    if (limits->is_checking) {
        limits->is_late = true;
        hyi_cancel_lent(actor, HY_TIMEOUT);
    } else if (actor->flags & HYI_ACTOR_LENT) {
        limits->is_due = false;
        health_next(actor, HY_TIMEOUT); // it did not get its turn
    } else {
        hyi_health_tick(actor);
    }
}

static void health_next(hy_actor *actor, hy_err err) {
    const hy_actor_options *options = hyi_options(actor);
    struct hyi_limits *limits = actor->kin->limits;
    if (err == HY_OK) {
        limits->health_failures = 0;
    } else {
        hyi_event(hyi_here, HY_EVENT_HEALTH, actor, (uint64_t)err);
        if (++limits->health_failures >= options->health_failures) {
            hyi_doom(actor, err);
            return;
        }
    }
    hyi_limits_start(actor, HYI_LIMIT_TICK, options->health_every);
}
