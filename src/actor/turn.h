// turn.h - what a visit to an actor and the fibers that run visits need of each other.  Room:
// actor. Includes: scope. Threads: the worker's.
#ifndef HYI_ACTOR_TURN_H
#define HYI_ACTOR_TURN_H

#include "actor/inside.h"
#include "scope/above.h"

// Of a fiber that was lent, when the visit it was lent in is over: its actor is like others again,
// and gets a turn. The fiber is no dispatcher still.
void hyi_dispatcher_return(hyi_worker *worker, hyi_dispatcher *me);
// hy_fail: ends the visit under way on the running fiber with the actor's failure. The fiber is in
// no block any more, and is to end.
void hyi_turn_fail(hyi_dispatcher *me, hy_actor *actor, hy_err err, const char *text);

#endif
