// timers.h - the running timers of one world, earliest first.      Room: world. Includes: base.
// Threads: the world's.
//
// A heap of the callers' records with four children to a parent, ordered by (due, order of start).
// Starting is O(log n) and allocates only when the heap grows; stopping is O(log n) and cannot
// fail. The dues lie in the heap: a comparison then touches no record, and with a million of them
// most of the time is spent waiting for memory.
// A record is believed only as far as the heap agrees: index_ must point at a slot that points
// back. So a record that outlived a restart, or was never started, is simply "not running".
#ifndef HYI_WORLD_TIMERS_H
#define HYI_WORLD_TIMERS_H

#include <hypha/world.h>

typedef struct hyi_timers_place {
    hy_ns due; // timer->due
    hy_timer *timer;
} hyi_timers_place;

typedef struct hyi_timers {
    hy_mem *mem;
    hyi_timers_place *heap; // heap[0] is the next to fire
    uint32_t count, capacity;
    uint64_t next_order; // given to the next timer that starts
} hyi_timers;

void hyi_timers_init(hyi_timers *timers, hy_mem *mem);
void hyi_timers_deinit(hyi_timers *timers); // forgets the records without touching them

// Starts or moves. Borrows `timer` until it fires or is stopped. HY_NOMEM.
HY_CHECKED hy_err hyi_timers_start(hyi_timers *timers, hy_timer *timer, hy_ns due);
void hyi_timers_stop(hyi_timers *timers, hy_timer *timer);
hy_timer *hyi_timers_first(const hyi_timers *timers); // or NULL
bool hyi_timers_holds(const hyi_timers *timers);

#endif
