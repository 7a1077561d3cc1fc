// ending.h - how a start of an actor ends, as supervise.c, health.c and wait.c see it.  Room:
// actor. Includes: scope. Threads: the actor's owner.
#ifndef HYI_ACTOR_ENDING_H
#define HYI_ACTOR_ENDING_H

#include "actor/birth.h"

enum {                        // hy_actor.ending
    HYI_ENDING_TOLD = 1,      // by its supervisor
    HYI_ENDING_UNWANTED = 2,  // told to stop by somebody else: not to be started again
    HYI_ENDING_KILLED = 4,    // without `stop`
    HYI_ENDING_UNSTARTED = 8, // its `start` failed, or never ran: there is nothing to stop
    HYI_ENDING_DOOMED = 16,   // kin->doom says why
    HYI_ENDING_LATE = 32,     // start_max passed
};

// Between its spawn or an order to start and the end of that start.
static inline bool hyi_lives(const hy_actor *actor) {
    return actor->phase == HYI_UNBORN || actor->phase == HYI_STARTING ||
           actor->phase == HYI_RUNNING;
}

// It is to fail with `err` (HY_OK: to end well) as soon as that can be: never inside this call. Its
// waiting handler is cancelled. The first doom stays.
void hyi_doom(hy_actor *actor, hy_err err);
// Something that the end waits for has come: a child has ended. The actor may be gone afterwards.
void hyi_ending_go_on(hy_actor *actor);
// A limit of time has passed: start_max, stop_max.
void hyi_start_late(hy_actor *actor);
void hyi_stop_late(hy_actor *actor);
// Tells the parent; nothing where there is none. After HYI_NEWS_ENDED the parent may read all.
void hyi_tell_news(hyi_birth *birth, hyi_news news);
// The fiber whose handler waits, if it is LENT; else NULL. Then: cancels it.
void hyi_cancel_lent(hy_actor *actor, hy_err why);
const char *hyi_actor_name(const hy_actor *actor); // for people

// kin.c: with all that is in it, running nothing.
void hyi_kin_free(hy_node *node, hyi_kin *kin);

// monitor.c. The end of a start: linked ones are told, and its own monitors are over.
void hyi_links_tell(hy_actor *actor, hy_err why);
// For good: those who watch are taken out, to be told after the slot was given back.
typedef struct hyi_watched hyi_watched;
hyi_watched *hyi_watched_take(hy_actor *actor);
// Empties it; NULL is fine.
void hyi_watched_tell(hyi_watched *watched, hy_ref who, hy_err why, const char *type);
void hyi_watch(hy_actor *actor, hyi_message *message);   // SYSTEM_WATCH
void hyi_unwatch(hy_actor *actor, hyi_message *message); // SYSTEM_UNWATCH
void hyi_watch_refused(hyi_message *message);            // SYSTEM_WATCH to one that has gone
void hyi_down(hy_actor *actor, hyi_message *message);    // SYSTEM_DOWN. Handler
void hyi_watchers_free(hyi_kin *kin);

// wait.c
typedef struct hyi_waiting hyi_waiting;
void hyi_await(hy_actor *actor, hyi_message *message); // SYSTEM_WAIT
void hyi_await_refused(hyi_message *message);
void hyi_await_moved(hyi_message *message); // the waiter's thread: it is a copy of what was sent
void hyi_waiters_up(hy_actor *actor);
hyi_waiting *hyi_waiters_take(hy_actor *actor);
void hyi_waiters_tell(hyi_waiting *waiting, hy_err why); // all; NULL is fine
void hyi_waiters_free(hyi_kin *kin);
// Fiber. As hy_actor_wait_end; HY_CLOSED also when the current scope drains: then it lives still.
hy_err hyi_wait_end_or_draining(hy_ref ref);

// health.c
void hyi_health_begin(hy_actor *actor); // it is up
void hyi_health_end(hy_actor *actor);
void hyi_health_waits(hy_actor *actor);
void hyi_health_tick(hy_actor *actor);         // SYSTEM_HEALTH. Handler
bool hyi_health_is_due(const hy_actor *actor); // of one with kin: it is to be asked in hy_receive
void hyi_health_look(hy_actor *actor);         // there: asks, if so
void hyi_health_passed(hy_actor *actor);       // health_max passed while a check waits

// hoard.c: all of it, the latest first; `fini`s may wait. Called again where one failed.
void hyi_hoard_release(hy_actor *actor);
size_t hyi_hoard_bytes(const hy_actor *actor); // of hy_actor_mem
void hyi_hoard_free(hyi_kin *kin);             // memory only, running nothing

#endif
