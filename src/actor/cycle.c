// cycle.c - who would wait for himself.
//
// An actor whose handler waits for an answer handles nothing else, and so answers nobody. If those
// who wait for each other form a circle, none of them would ever go on, but for timeouts, which
// then hide the mistake. Each actor waits for at most one other: a graph with one edge from each,
// the wait-for graph of databases' lock managers. Following the edges from whom one is about to ask
// either ends, or leads back.
//
// An edge is two words: hy_actor.waits_for is the place of the ask, and the slot says who asks
// whom. Both are read while others write them: the slot counts only if its number is the same
// before and after, and only if it is an ask of the very actor that pointed to it. An edge goes
// when the ask is answered, not when the answer arrives: so one who answers may ask in return at
// once. Circles through several nodes are not looked for.
//
// Two workers that close a circle at the same time: each draws its edge first and follows the
// others' after it, all in one total order (seq_cst), so at least one of them finds it.
#include "actor/ask.h"

// Whom `ref` waits for; HY_NOBODY: no one.
static hy_ref cycle_edge(hy_ref ref) {
    hy_actor *actor = hyi_find(ref);
    if (!actor) return HY_NOBODY;
    // Partner: the store in ask.c.
    uint64_t place = atomic_load_explicit(&actor->waits_for, memory_order_seq_cst);
    if (place == 0) return HY_NOBODY;
    const hy_node *node = hyi_here->node;
    hyi_question *ask =
        hyi_place_node(place) == node->options.number ? hyi_ask_at(node, place) : NULL;
    if (!ask) return HY_NOBODY;
    uint64_t number = atomic_load_explicit(&ask->number, memory_order_acquire);
    uint64_t from = atomic_load_explicit(&ask->from, memory_order_acquire);
    uint64_t to = atomic_load_explicit(&ask->to, memory_order_acquire);
    uint64_t answered = atomic_load_explicit(&ask->answered, memory_order_acquire);
    uint64_t again = atomic_load_explicit(&ask->number, memory_order_relaxed);
    if (number == 0 || number != again || number == answered) return HY_NOBODY;
    if (from != ref.id) return HY_NOBODY;
    return (hy_ref){ to };
}

bool hyi_ask_circles(const hy_actor *self, hy_ref to) {
    hy_ref me = hyi_ref_of(self), at = to;
    for (uint32_t step = 0; step <= HYI_ASK_STEPS; step++) {
        if (hy_ref_equal(at, me)) return true;
        at = cycle_edge(at);
        if (at.id == 0) return false;
    }
    return false;
}
