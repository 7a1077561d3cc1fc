// numbers.h - what somebody who looks learns about actors and workers.             Room: actor.
// Includes: scope. Threads: said for each function.
//
// Only its owner may read an actor. So who wants to know makes a look: rows for actors, each of
// which is poked (HYI_ORDER_LOOK); in its next turn the owner writes its row. An actor that is idle
// is owned by whoever pokes it; one whose worker is stuck does not answer, and its row stays as it
// was. Nobody pays for this who is not looked at.
//
// What is not kept at all without a look (time in handlers, the longest queue) is counted from the
// first one on, and paid for (two readings of the clock a turn) while looks are recent.
#ifndef HYI_ACTOR_NUMBERS_H
#define HYI_ACTOR_NUMBERS_H

#include "actor/inside.h"

typedef struct hyi_look_row {
    hy_actor_stats stats; // `ref` is asked for
    bool answered;
} hyi_look_row;

// Fiber. Fills the rows, whose refs are of one node, and are sorted: by their owners, or, where
// those do not answer before `until` (hy_world_now), as far as can be seen from outside. An actor
// that has gone is HY_PHASE_GONE, and has answered. HY_TIMEOUT: somebody has not answered; or why
// the caller was cancelled.
HY_CHECKED hy_err hyi_look(hyi_look_row *rows, uint32_t count, hy_ns until);

// The owner, in a turn: HYI_ORDER_LOOK was seen.
void hyi_look_answer(hyi_worker *worker, hy_actor *actor);

// The owner: a turn of an actor that has numbers begins; it has ended.
void hyi_numbers_begin(hyi_worker *worker, hy_actor *actor);
void hyi_numbers_end(hyi_worker *worker, hy_actor *actor);
static inline bool hyi_has_numbers(const hy_actor *actor) {
    return actor->kin && actor->kin->numbers;
}
void hyi_numbers_free(hyi_kin *kin); // fine if it has none

// Any thread: how busy it looks from outside, without following anything; 0: nobody is there.
HY_ANY_THREAD uint64_t hyi_actor_glance(const hy_actor *actor);

#endif
