// worker.h - one worker: a thread's world, and the fibers that run turns on it.    Room: actor.
// Includes: scope. Threads: the worker's, but where said.
#ifndef HYI_ACTOR_WORKER_H
#define HYI_ACTOR_WORKER_H

#include "actor/inside.h"

// The record, with all that other rooms' files keep in it. HY_NOMEM. Any thread, before it runs.
HY_CHECKED hy_err hyi_worker_new(hy_node *node, uint8_t number, hyi_worker **out_worker);
void hyi_worker_free(hyi_worker *worker); // NULL is fine. All workers have stopped
// On the worker's thread, in a block of its own that stays until hyi_worker_stop: handlers run in
// `scope`. HY_NOMEM.
HY_CHECKED hy_err hyi_worker_start(hyi_worker *worker, hy_scope *scope);
// Fiber. No actor is there any more, and nobody will wake it but by posts that are under way.
void hyi_worker_stop(hyi_worker *worker);

#endif
