// node.h - a node and its keeper, the fiber that opens and closes it.       Room: actor.
// Includes: scope. Threads: the keeper's, which is worker 0's, but where said.
#ifndef HYI_ACTOR_NODE_H
#define HYI_ACTOR_NODE_H

#include "actor/inside.h"
#include "scope/root_mem.h"

typedef struct hyi_worker_thread hyi_worker_thread;

typedef struct hyi_keeper {
    hy_node node;
    hy_world *world;
    hyi_root_mem tracked;       // a simulated world's: hy_node_abandon
    hyi_worker_thread *threads; // of workers 1.., in an array; NULL: there are none
    hy_preset context;          // what the node's scope binds, for them
    hy_event changed;
    hy_post look;
    _Atomic uint32_t look_asked;
    bool opening; // hy_node_open has not returned: it frees
    bool told;    // to stop
    bool is_cut;  // its time is over
    bool ended;
} hyi_keeper;

// The keeper is to look: what was written before is seen by it.
HY_ANY_THREAD void hyi_node_look(hy_node *node);

#endif
