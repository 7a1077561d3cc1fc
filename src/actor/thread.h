// thread.h - the threads of a node's workers but the first.                 Room: actor.
// Includes: scope. Threads: the keeper's.
#ifndef HYI_ACTOR_THREAD_H
#define HYI_ACTOR_THREAD_H

#include "actor/node.h"

// One for each worker but the first. HY_NOMEM, HY_LIMIT: some may run: stop, then free.
HY_CHECKED hy_err hyi_threads_start(hyi_keeper *keeper);
// All run, or one could not (*out_err). False: hyi_node_look comes when there is news.
bool hyi_threads_are_up(hyi_keeper *keeper, hy_err *out_err);
void hyi_threads_stop(hyi_keeper *keeper); // told, and joined; fine if none was started
void hyi_threads_free(hyi_keeper *keeper);

#endif
