// slot.h - the nodes of the process, and the slots of each.               Room: actor.
// Includes: scope. Threads: said for each function.
//
// A node has up to actors_max slots, in chunks that are never unmapped while it is open: so whoever
// follows a ref reads an actor's memory, if perhaps not its actor any more. A slot that is given
// back has a new generation; when those are used up it is never used again.
//
// Nodes are found by the number in a ref. A worker finds its own through itself; others go through
// a table, and hold the node while they look: hy_node_close waits for them.
#ifndef HYI_ACTOR_SLOT_H
#define HYI_ACTOR_SLOT_H

#include "actor/inside.h"

HY_CHECKED hy_err hyi_slots_open(hy_node *node); // HY_NOMEM
void hyi_slots_close(hy_node *node);             // fine if it was not opened, or in half

// By number, for threads that are no workers of the node. NULL: there is none. Else the node stays
// until hyi_node_let_go.
HY_ANY_THREAD hy_node *hyi_node_hold(uint8_t number);
HY_ANY_THREAD void hyi_node_let_go(uint8_t number);
HY_CHECKED hy_err hyi_node_enter(hy_node *node); // HY_EXISTS: its number is taken
void hyi_node_show(hy_node *node);               // it is open: others may find it
bool hyi_node_is_entered(const hy_node *node);   // without a look at it: it may be gone
void hyi_node_forget(hy_node *node);             // waits until nobody holds it

// Of a node that the caller holds or works for. NULL: there is none, or no longer.
HY_ANY_THREAD hy_actor *hyi_find_in(const hy_node *node, hy_ref ref);

// As hyi_find, for threads that are no workers of the node: what was found stays memory until
// hyi_find_let_go, by the same thread, which does not wait in between. NULL: nothing is held.
HY_ANY_THREAD hy_actor *hyi_find_hold(hy_ref ref);
HY_ANY_THREAD void hyi_find_let_go(hy_ref ref);

// A slot that is nobody's. HY_LIMIT, HY_NOMEM.
HY_ANY_THREAD HY_CHECKED hy_err hyi_slot_take(hy_node *node, hy_actor **out_actor);
// Gives a slot back whose actor has gone (its generation has grown) or never was.
void hyi_slot_give(hy_node *node, hy_actor *actor);
// How many live. Exact when nothing runs.
HY_ANY_THREAD int64_t hyi_node_born(const hy_node *node);
// The slots so far, living or not, in order. NULL: no such.
hy_actor *hyi_slot_at(const hy_node *node, uint32_t index);
static inline bool hyi_slot_lives(const hy_actor *actor) {
    return actor->phase != HYI_FREE;
}

static inline uint32_t hyi_ref_generation(hy_ref ref) {
    return (uint32_t)(ref.id >> 32) & HYI_GENERATION_MAX;
}
static inline uint8_t hyi_ref_node(hy_ref ref) {
    return (uint8_t)(ref.id >> 56);
}
static inline hy_node *hyi_node_of_actor(const hy_actor *actor) {
    extern _Atomic(hy_node *) hyi_nodes[256];
    return atomic_load_explicit(&hyi_nodes[actor->node], memory_order_relaxed);
}

#endif
