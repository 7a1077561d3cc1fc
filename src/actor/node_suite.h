// node_suite.h - a node for one test.                    Room: actor (tests). Includes: base world
// scope. Threads: the test's. Bodies are fibers of worker 0's root, outside of actors.
#ifndef HYI_ACTOR_NODE_SUITE_H
#define HYI_ACTOR_NODE_SUITE_H

#include <hypha/actor.h>

typedef hy_err (*node_body)(hy_node *node, void *arg);

// Opens a world (simulated with the run's seed, or real), a root, and a node in it with `workers`
// workers; runs `body`; closes everything; and checks that the account of the node holds at its
// end and that no actor lives. `options` may be NULL; its `workers` is replaced.
hy_err node_in_sim(hy_mem *mem, const hy_node_options *options, node_body body, void *arg);
hy_err node_in_real(hy_mem *mem, uint32_t workers, const hy_node_options *options, node_body body,
                    void *arg);

// Defines sim_<name>, one_<name> and two_<name> for the kit (a simulated world; a real one with one
// and with two workers), from `static hy_err <name>(hy_node *node, void *unused)`.
#define NODE_SIM(name)                                                                             \
    static hy_err sim_##name(hy_mem *mem) {                                                        \
        return node_in_sim(mem, NULL, name, NULL);                                                 \
    }
#define NODE_REAL(name)                                                                            \
    static hy_err one_##name(hy_mem *mem) {                                                        \
        return node_in_real(mem, 1, NULL, name, NULL);                                             \
    }                                                                                              \
    static hy_err two_##name(hy_mem *mem) {                                                        \
        return node_in_real(mem, 2, NULL, name, NULL);                                             \
    }
#define NODE_ALL(name) NODE_SIM(name) NODE_REAL(name)

// Fiber. Waits until all that was sent has been handled or dropped: gives way until the account
// says so.
void node_settle(hy_node *node);

#endif
