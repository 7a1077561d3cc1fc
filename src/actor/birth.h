// birth.h - what a supervisor needs of a child.                     Room: actor. Includes: scope.
// Threads: said for each field; "child" and "parent" are the owners of these two actors.
//
// An actor below a parent, or with options of its own, has a birth from its spawn to its end. It is
// small, so that a million idle children cost 256 bytes each, slot included: options are shared by
// children that were given equal ones (spec.c), and the times of restarts are kept only from the
// first one on.
//
// Parent and child may run on two workers. What passes between them needs no memory and cannot be
// refused: the parent gives orders (HYI_ORDER_START, HYI_ORDER_GO, KILL), the child tells news: a
// bit in `news`, and if there was none yet, the embedded note. While the child rests, between the
// news of its end and the next order, the fields of the child are the parent's to read.
#ifndef HYI_ACTOR_BIRTH_H
#define HYI_ACTOR_BIRTH_H

#include "actor/inside.h"

// Options with all defaults filled in; immutable, counted.
typedef struct hyi_spec {
    _Atomic uint32_t refs; // never 0 but in the static one, which is not counted
    bool is_static;
    hy_actor_options options;
} hyi_spec;

// For children without options. HY_RANGE: an option that cannot be; HY_NOMEM.
extern hyi_spec hyi_spec_default;
HY_CHECKED hy_err hyi_spec_make(hy_node *node, const hy_actor_options *options,
                                hyi_spec **out_spec);
hyi_spec *hyi_spec_ref(hyi_spec *spec);
void hyi_spec_unref(hy_node *node, hyi_spec *spec);

typedef enum hyi_news { // bits
    HYI_NEWS_UP = 1,
    HYI_NEWS_ENDED = 2,
    HYI_NEWS_UNWANTED = 4, // it rests, and was told to stop: not to be started again
} hyi_news;

// What the order GO means. It may be carried out late, when something else is wished already: so
// the order only says that there is a wish, and one that has been overtaken is none.
typedef enum hyi_wish {
    HYI_WISH_NONE, // that it starts, or lives on
    HYI_WISH_STOP, // nothing to one that rests: its news are on their way
    HYI_WISH_END,  // for good; it rests, and its news were taken
} hyi_wish;

// How the parent sees it.
typedef enum hyi_child_place {
    HYI_CHILD_LIVE = 1, // from the order to start it to the news of its end
    HYI_CHILD_STOPPING, // the same, but told to stop by the parent
    HYI_CHILD_PAUSED,   // will be started when its backoff has passed
    HYI_CHILD_DOWN,     // will be started by its group
} hyi_child_place;

// The latest restarts, in a ring: one more than `max` of them within a time is too many.
typedef struct hyi_recent {
    uint32_t max, count, next;
    hy_ns times[];
} hyi_recent;

struct hyi_birth {
    hy_actor *actor;
    // Child: NULL: nobody, or not adopted yet. It ends after its children, so it is there.
    hy_actor *parent;
    hy_actor *adopter;  // the parent writes, before its first order; then it is `parent`, too
    hyi_link in_parent; // parent
    hyi_message note;   // the parent's mailbox, from the first news until they are taken
    hyi_spec *spec;
    // Both; acq_rel: what the child wrote before its news is seen by who takes them.
    _Atomic uint8_t news;
    _Atomic uint8_t wish; // the parent writes, before its order (release, acquire)
    // Child; the parent's while it rests.
    uint8_t failures;            // of `suspect`
    bool is_unwanted;            // it was told to stop by somebody else than its parent
    bool tells_up;               // the parent waits for the news that it is up
    bool was_up;                 // in this start
    uint8_t place;               // parent: hyi_child_place
    bool is_in_group;            // parent
    bool is_up;                  // parent: known to be, in a group that comes up
    hy_err ended_with;           // child: the latest end
    uint32_t starts;             // child
    uint32_t restarts, in_a_row; // parent
    const hyi_message *suspect;  // child: the message that is handled again; not to be followed
    hy_ns up_at;                 // child: when its latest start was done
    hyi_recent *recent;          // parent; NULL: not started again so far
    struct hyi_limit *pause;     // parent: its backoff; NULL: none runs
};
_Static_assert(sizeof(hyi_birth) <= 128, "with a slot these are the 256 bytes of a child");

static inline const hy_actor_options *hyi_options(const hy_actor *actor) {
    return actor->birth ? &actor->birth->spec->options : &hyi_spec_default.options;
}

// The parent's, or of whoever has a child that nobody adopted. It may be gone after HYI_WISH_END.
static inline void hyi_child_go(hyi_birth *birth, hyi_wish wish, uint8_t orders) {
    atomic_store_explicit(&birth->wish, (uint8_t)wish, memory_order_release);
    hyi_poke(birth->actor, HYI_ORDER_GO | orders);
}

// Takes `spec`. NULL: no memory; then the spec is still the caller's.
hyi_birth *hyi_birth_new(hy_actor *actor, hy_actor *parent, hyi_spec *spec);
void hyi_birth_free(hy_node *node, hyi_birth *birth); // NULL is fine; in no list

// One restart more at `now`. False: one too many. HY_NOMEM in *out_err: false, too.
bool hyi_recent_allows(hy_node *node, hyi_recent **recent, uint32_t max, hy_ns within, hy_ns now,
                       hy_err *out_err);
void hyi_recent_free(hy_node *node, hyi_recent *recent);

#endif
