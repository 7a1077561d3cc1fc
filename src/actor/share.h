// share.h - how ready actors get to workers: own queue, shared list, injected.     Room: actor.
// Includes: scope. Threads: hyi_inject, hyi_any_worker and hyi_worker_wake anybody; all else the
// worker's own.
#ifndef HYI_ACTOR_SHARE_H
#define HYI_ACTOR_SHARE_H

#include "actor/inside.h"

// An actor that is nobody's, and has something to do, for `worker` alone to take.
HY_ANY_THREAD void hyi_inject(hyi_worker *worker, hy_actor *actor);
HY_ANY_THREAD hyi_worker *hyi_any_worker(hy_node *node);
// Sees to it that the worker looks at what there is, from another thread or its own.
HY_ANY_THREAD void hyi_worker_wake(hyi_worker *worker);

// The next ready actor, out of the queue; NULL: none on this worker, and none that it could take.
hy_actor *hyi_share_next(hyi_worker *worker);
// At the end of a slice: takes in what was injected, runs calls, shares what is too much here.
void hyi_share_slice(hyi_worker *worker);
// What was injected, and the calls. Also when a worker has stopped: calls may still have come.
void hyi_share_take_in(hyi_worker *worker);
// All that linger, and up to 16 behind the first of the ready ones: handlers take long.
void hyi_share_all(hyi_worker *worker);
// Between two turns, with more than one ready: shares, once a slice, or always while others are
// idle. So whoever becomes idle while the next handler takes long finds something.
void hyi_share_with_idle(hyi_worker *worker);
// Is there anything that the worker could run? Before it sleeps.
bool hyi_share_has_some(const hyi_worker *worker);

// An idle actor stays owned for a while.
void hyi_linger(hyi_worker *worker, hy_actor *actor);
void hyi_linger_forget(hyi_worker *worker, hy_actor *actor); // it ends, or moves
void hyi_linger_look(hyi_worker *worker);   // those that got something become ready
void hyi_linger_let_go(hyi_worker *worker); // the same, and all others are given up

// What a worker does when it runs out of things to do, and what ends it.
void hyi_park_worker(hyi_worker *worker); // fiber
void hyi_park_open(hyi_worker *worker);
void hyi_park_set(hyi_worker *worker);             // from now on others post
bool hyi_park_is_posted(const hyi_worker *worker); // its post is under way
// A message that waited in a mailbox is dropped, with a letter; counted for the worker at hand.
void hyi_drop_queued(hy_ref to, const hy_actor_type *type, hyi_message *message, hy_drop reason);
void hyi_node_one_less(hy_node *node); // an actor ended while the node closes

#endif
