// flight.h - what the cache asks of a flight beside its public calls.  Room: flow. Includes: scope.
// Threads: the world's.
#ifndef HYI_FLOW_FLIGHT_H
#define HYI_FLOW_FLIGHT_H

#include <hypha/flow.h>

#define HYI_FLIGHT_KEY_MAX 65536u

// Who asks from now on begins anew. Those who wait get what they wait for.
void hyi_flight_forget(hy_flight *flight, hy_bytes key);
void hyi_flight_forget_all(hy_flight *flight);
// hy_spawn that never waits. HY_LIMIT: also when the scope is at its tasks_max.
HY_CHECKED hy_err hyi_flight_spawn(hy_scope *scope, hy_fn fn, void *arg, const char *name);

#endif
