// rearing.h - an actor as the supervisor of its children.           Room: actor. Includes: scope.
// Threads: the owner of the supervisor, for all that is here.
//
//                 spawn                            order START
//      o-----------------------> live <------------------------+---------+
//                                 |  \  news: it has ended     |         |
//                  order GO, KILL |   \--> policy: again ---> paused    down
//                                 v         |      with others   |       |
//                             stopping -----+--------------------)-------+
//                                           | not again          |
//                                           v                    v
//                               let go: out of the list, order GO, which ends it for good
//
// Children are listed in order of spawn. Each start of a child ends with one piece of news, and
// each piece of news is followed by START or GO, at once or later; so a supervisor never asks
// where a child is, and never looks into one that is not resting.
#ifndef HYI_ACTOR_REARING_H
#define HYI_ACTOR_REARING_H

#include "actor/birth.h"

typedef enum hyi_group {
    HYI_GROUP_NONE,
    HYI_GROUP_DOWN_,  // members end, the latest spawned first
    HYI_GROUP_PAUSE_, // the backoff of the one that failed
    HYI_GROUP_UP_,    // members start, each when the one before is up
} hyi_group;

typedef struct hyi_rearing {
    hy_actor *actor;
    hyi_list children; // hyi_birth.in_parent, in order of spawn
    uint32_t count;
    hyi_spec *latest;       // counted; NULL: none yet
    hy_actor_options given; // what `latest` was made from, byte for byte
    hyi_recent *recent;     // restarts of all together
    uint8_t group;          // hyi_group
    hy_ns pause;            // before the group comes up
    struct hyi_limit *paused;
} hyi_rearing;

static inline hyi_birth *hyi_child_at(hyi_link *link) {
    return link ? HYI_HOLDER(hyi_birth, in_parent, link) : NULL;
}

// Made on first use. NULL: no memory.
hyi_rearing *hyi_rearing_of(hy_actor *actor);
void hyi_rearing_free(hy_actor *actor);  // all children have gone; NULL is fine
void hyi_rearing_begin(hy_actor *actor); // a new start: no restart counts any more
// May it have one child more? HY_CLOSED: it is stopping; HY_LIMIT: children_max.
HY_CHECKED hy_err hyi_rearing_admits(const hy_actor *actor);
// A spec for `options`, shared with the latest child if it can be. Counted for the caller.
// HY_RANGE, HY_NOMEM.
HY_CHECKED hy_err hyi_rearing_spec(hy_actor *actor, const hy_actor_options *options,
                                   hyi_spec **out_spec);
// One more, the last. True: it is to start at once; false: its group starts it, it is to rest.
bool hyi_rearing_add(hy_actor *actor, hyi_birth *birth);

void hyi_child_has_news(hy_actor *self, hyi_birth *child);
// A pause has passed: of `subject`, a child, or the group, then the rearing itself.
void hyi_child_again(hy_actor *self, void *subject);
// This start of `self` ends (phase HYI_STOPPING): the last child is told, if it was not; with
// `kill`, without grace. True: there is none left.
bool hyi_children_stop(hy_actor *self, bool kill);
bool hyi_rearing_holds(const hyi_rearing *rearing); // between two messages

#endif
