// life.h - what turns and nodes need of the two ends of an actor.          Room: actor.
// Includes: scope. Threads: the owner.
#ifndef HYI_ACTOR_LIFE_H
#define HYI_ACTOR_LIFE_H

#include "actor/inside.h"

// Of one that has gone (hyi_actor_gone), at the end of a turn. False: somebody is in the middle of
// a push to it; again in a later turn. True: the slot is given back, and may be another's by now.
bool hyi_life_over(hyi_worker *worker, hy_actor *actor);
// The node closes, and no thread can push any more: frees what some of them pushed to this slot
// when its last actor had just ended. Senders have counted it.
void hyi_life_wipe(hy_actor *actor);
static inline uint32_t hyi_pinned(const hy_actor *actor) {
    return atomic_load_explicit(&actor->pinned, memory_order_relaxed) & ~HYI_PINNED_LENT;
}

// Makes `actor`, which is nobody's and has something to do, ready on a worker that may have it.
HY_ANY_THREAD void hyi_life_place(hy_node *node, hy_actor *actor);

#endif
