// wheel.h - many limits of time that rarely pass.                  Room: actor. Includes: world
// scope. Threads: the worker's.
//
// Timeouts of asks, alarms, and limits of starts and stops: nearly all are taken back before they
// are due, so arming and disarming must cost next to nothing, and being exact to the nanosecond
// buys nothing. This is the hierarchical timing wheel of G. Varghese and T. Lauck ("Hashed and
// hierarchical timing wheels", SOSP 1987): eight levels of 64 places, a place of one level as long
// as the whole level below it. Arming and disarming are O(1), and neither asks a system for memory.
//
// A record is armed never early, and late by less than a tick (half a millisecond), and by what the
// worker computes at that time. The wheel keeps one timer of its world for all, and none while it
// is empty, but for a moment: see hyi_wheel_rest.
//
// Records are embedded in what they limit, and fire once. Which arming a late event belongs to is
// for those to say who own the record: asks and alarms have numbers that are never used again.
#ifndef HYI_ACTOR_WHEEL_H
#define HYI_ACTOR_WHEEL_H

#include <hypha/world.h>

#include "scope/list.h"

#define HYI_WHEEL_TICK_BITS 19u // a tick is 2^19 ns
#define HYI_WHEEL_LEVELS 8u     // 8 * 6 bits of ticks are more than all that hy_ns can say
#define HYI_WHEEL_PLACES 64u

// Zeroed but for `fire`: not armed.
typedef struct hyi_due {
    hyi_link link;
    void (*fire)(struct hyi_due *due); // it is not armed any more, and may be armed again
    hy_ns at;                          // when; while it waits to be settled, how long after that
    uint32_t place;                    // 0: not armed
} hyi_due;

typedef struct hyi_wheel {
    hy_world *world;
    hy_mem *mem;
    hy_timer timer;
    uint64_t elapsed; // ticks: all that is due before has fired
    uint64_t wakes;   // when `timer` runs: its tick
    uint32_t count;   // armed
    bool lazy;        // a real world's
    bool firing;
    bool timed;  // `timer` runs
    bool posted; // `post` is with the world
    hy_post post;
    hyi_list fresh;                   // armed, and the clock not looked at yet
    uint64_t taken[HYI_WHEEL_LEVELS]; // bit n: place n is not empty
    hyi_list places[HYI_WHEEL_LEVELS][HYI_WHEEL_PLACES];
} hyi_wheel;

// `mem` and `world` are borrowed. HY_NOMEM.
HY_CHECKED hy_err hyi_wheel_open(hy_world *world, hy_mem *mem, hyi_wheel **out_wheel);
// Is its post with the world? Then it cannot be closed yet, but after the next round.
static inline bool hyi_wheel_is_posted(const hyi_wheel *wheel) {
    return wheel->posted;
}
// From now on it looks at the clock at once, as in a simulated world: before it is closed.
void hyi_wheel_no_posts(hyi_wheel *wheel);
// Forgets what is armed. NULL is fine.
void hyi_wheel_close(hyi_wheel *wheel);

// Fires `after` from now (below 0: as 0), in a later callback of the world, never from inside this
// call. Borrows `due`, which is not armed. HY_NOMEM: no timer, not armed.
HY_CHECKED hy_err hyi_wheel_arm(hyi_wheel *wheel, hyi_due *due, hy_ns after);
void hyi_wheel_disarm(hyi_wheel *wheel, hyi_due *due); // fine when it is not armed

static inline bool hyi_wheel_is_armed(const hyi_due *due) {
    return due->place != 0;
}

bool hyi_wheel_holds(const hyi_wheel *wheel);

#endif
