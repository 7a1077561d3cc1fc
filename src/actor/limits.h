// limits.h - the limits of time that an actor sets itself.          Room: actor. Includes: scope.
// Threads: the actor's owner.
//
// Made on first use, so only where something waits, or health is looked at.
#ifndef HYI_ACTOR_LIMITS_H
#define HYI_ACTOR_LIMITS_H

#include "actor/limit.h"

typedef enum hyi_limit_kind {
    HYI_LIMIT_START, // start_max
    HYI_LIMIT_STOP,  // stop_max
    HYI_LIMIT_TICK,  // health_every
    HYI_LIMIT_CHECK, // health_max
    HYI_LIMITS
} hyi_limit_kind;

struct hyi_limits {
    hyi_limit *of[HYI_LIMITS]; // NULL: does not run
    uint32_t health_failures;  // in a row
    bool is_due;               // a fiber actor's check: at its next hy_receive
    bool is_checking;          // `health` runs
    bool is_late;              // it ran longer than health_max
};

// NULL: no memory.
struct hyi_limits *hyi_limits_of(hy_actor *actor);
// Where it runs already, or `after` is HY_NEVER, nothing happens. Without memory its time has come
// already: the actor is killed, or its start or check is late.
void hyi_limits_start(hy_actor *actor, hyi_limit_kind kind, hy_ns after);
void hyi_limits_stop(hy_actor *actor, hyi_limit_kind kind);
// A limit's message has arrived (HYI_SYSTEM_TIMEOUT, HYI_SYSTEM_HEALTH): which it is; HYI_LIMITS:
// none any more. Frees it.
hyi_limit_kind hyi_limits_passed(hy_actor *actor, hyi_message *message);
void hyi_limits_free(hyi_kin *kin);

#endif
