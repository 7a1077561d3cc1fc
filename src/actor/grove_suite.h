// grove_suite.h - trees of actors that fail when told to.        Room: actor (tests). Includes:
// scope. Threads: plants are looked at by the test when nothing moves, and by their own actors.
//
// A plant is a place in a tree: what is to be there, and what has happened there so far. Its actor
// is spawned by its parent's `start`, as real supervisors do it, or for the children of the root by
// the test. What every start and stop must find holds is checked right there:
//
//   - nobody runs twice at a time, nor begins while something of the last start is still held
//   - nobody begins before its parent has begun, nor is up when its parent has stopped
//   - who is told to stop by its parent finds that its younger siblings have ended
//
// Plain fields, though workers are many: supervision itself must order all this, or tsan complains.
#ifndef HYI_ACTOR_GROVE_SUITE_H
#define HYI_ACTOR_GROVE_SUITE_H

#include <hypha/actor.h>

#include <stdatomic.h>

#define GROVE_FALL(F) F(1, u32, how)
HY_RECORD(grove_fall, GROVE_FALL)
#define GROVE_WORD(F) F(1, u64, number)
HY_RECORD(grove_word, GROVE_WORD)
#define GROVE(TELL, ASK, x)                                                                        \
    TELL(x, 1, fall, grove_fall)                                                                   \
    TELL(x, 2, note, grove_word)                                                                   \
    TELL(x, 3, retry, grove_fall)                                                                  \
    ASK(x, 4, count, grove_word, grove_word)                                                       \
    TELL(x, 5, sleep, grove_word)
HY_PROTOCOL(grove, GROVE);

typedef enum grove_how {
    GROVE_ERROR = 1, // the handler returns HY_IO
    GROVE_FAIL,      // hy_fail, deep
    GROVE_MEMORY,    // more than memory_max
    GROVE_END,       // hy_actor_end
    GROVE_WAIT,      // waits for ever
    GROVE_KILL,      // by the test
    GROVE_STOP,      // by the test
    GROVE_SICK,      // by the test: its health checks fail
    GROVE_HOWS
} grove_how;

#define GROVE_PLANTS 40u
#define GROVE_CHILDREN 4u

typedef struct plant {
    struct grove *grove;
    struct plant *above;
    uint32_t index;  // among its siblings
    uint32_t number; // in the grove
    hy_actor_options options;
    struct plant *children[GROVE_CHILDREN];
    uint32_t child_count;
    grove_ref ref;
    // What happens.
    _Atomic uint32_t start_fails; // so many of the next starts
    _Atomic bool is_sick;
    _Atomic uint64_t ref_id; // for who is not ordered with the spawn
    bool is_begun, is_held, is_up, is_told, is_over;
    uint32_t starts, stops, releases, notes;
    hy_err stopped_with;
    hy_ns began;
    uint64_t began_as, released_as; // the how-manieth thing that happened in the grove
    hy_ns start_takes, stop_takes;  // they wait so long
    uint64_t random;
} plant;

typedef struct grove {
    hy_node *node;
    plant plants[GROVE_PLANTS];
    uint32_t count;
    hy_ref root;      // the supervisor of the first ones
    hy_policy policy; // the root's
    bool is_closing;  // all are told to stop: in reverse order
    bool is_wild;     // falls come at any time, also while others are told to stop
    _Atomic uint64_t happened;
} grove;

extern const hy_actor_type grove_type;

plant *grove_plant(grove *g, plant *above, const hy_actor_options *options);
// As a child of `parent`, which is the caller or known to live.
HY_CHECKED hy_err grove_spawn(plant *p, hy_ref parent);
HY_CHECKED hy_err grove_let_fall(plant *p, grove_how how);
bool grove_lives(const plant *p); // its actor is known to the node

// A node of its own in a simulated world (`digest` may be NULL), or in the real one with so many
// workers. The account is checked when `body` has returned and all is quiet; then all is closed.
typedef hy_err (*grove_body)(grove *g);
hy_err grove_in_sim(hy_mem *mem, uint64_t seed, grove *g, grove_body body, uint64_t *out_digest);
hy_err grove_in_real(hy_mem *mem, uint32_t workers, grove *g, grove_body body);

// Fiber. Virtual time passes, whatever moves comes to rest.
hy_err grove_settle(hy_ns time);
// Events of this kind so far, on all workers.
uint64_t grove_events(const hy_node *node, hy_node_event_kind kind);

// Defines sim_<name> for the kit, from `static hy_err <name>(grove *g)`.
#define GROVE_SIM(name)                                                                            \
    static hy_err sim_##name(hy_mem *mem) {                                                        \
        static grove g;                                                                            \
        g = (grove){ .count = 0 };                                                                 \
        return grove_in_sim(mem, kit_seed(), &g, name, NULL);                                      \
    }

#endif
