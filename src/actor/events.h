// events.h - what happened to actors, in a ring for each worker.                   Room: actor.
// Includes: scope. Threads: hyi_event and the open on the worker's; reading by anybody.
#ifndef HYI_ACTOR_EVENTS_H
#define HYI_ACTOR_EVENTS_H

#include "actor/inside.h"

// Room for events_max, a power of two at least. HY_NOMEM.
HY_CHECKED hy_err hyi_events_open(hyi_worker *worker);
void hyi_events_close(hyi_worker *worker); // works on a worker without one
// How many there were. Any thread.
HY_ANY_THREAD uint64_t hyi_events_count(const hyi_worker *worker);

#endif
