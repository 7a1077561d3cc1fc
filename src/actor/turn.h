// turn.h - what a visit to an actor and the fibers that run visits need of each other.  Room:
// actor. Includes: scope. Threads: the worker's.
#ifndef HYI_ACTOR_TURN_H
#define HYI_ACTOR_TURN_H

#include "actor/inside.h"
#include "scope/above.h"

// Of a fiber that was lent, when the visit it was lent in is over: its actor is like others again,
// and gets a turn. The fiber is no dispatcher still.
void hyi_dispatcher_return(hyi_worker *worker, hyi_dispatcher *me);
// The actor is LENT from now on, and stays on this worker.
void hyi_actor_bind(hyi_worker *worker, hy_actor *actor);
// hy_fail: ends the visit under way on the running fiber with the actor's failure. The fiber is in
// no block any more, and is to end.
void hyi_turn_fail(hyi_dispatcher *me, hy_actor *actor, hy_err err, const char *text);

// The root of a worker: handlers that use up their stack fail. fail.c.
void hyi_fail_watch(hyi_worker *worker);

// The handler has waited, and returned `err`; or a fiber actor's function has: the rest of the
// visit. The running fiber is the dispatcher no more. True.
bool hyi_turn_returned(hyi_worker *worker, hyi_dispatcher *me, hy_err err);
// A message with flags that is no system message: is it not to be handled? Then it is dropped.
bool hyi_turn_drops(hyi_worker *worker, hy_actor *actor, hyi_message *message);
// A system message that is no `then`'s.
void hyi_turn_system(hy_actor *actor, hyi_message *message);

// receive.c. A turn of a fiber actor that is up and whose function does not run: begins it, on a
// fiber of its own. Or the start has failed.
void hyi_run_begin(hyi_worker *worker, hy_actor *actor);
// A turn of a fiber actor that waits in hy_receive (kin->receiver): is there something for it?
void hyi_receive_look(hy_actor *actor);

#endif
