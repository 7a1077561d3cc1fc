// works.h - blocking work that waits for a thread, by kind.        Room: world. Includes: base.
// Threads: the owner's; the real world keeps it under the lock of its pool.
//
// Each kind has a queue, in order of submitting, and a limit of how much of it may run at once.
// What may start is taken in turns among the kinds, so a long queue of one holds up no other.
// Nothing is allocated: the link and the state lie in the records. A record is believed to wait
// here only when it carries the generation of now, so one that a restart forgot does no harm.
#ifndef HYI_WORLD_WORKS_H
#define HYI_WORLD_WORKS_H

#include <hypha/world.h>

#define HYI_WORKS_WAITING_MAX 1024u

typedef enum hyi_work_state {
    HYI_WORK_OUT,     // not submitted, or its `done` was called
    HYI_WORK_WAITING, // in a queue
    HYI_WORK_TAKEN,   // given by hyi_works_take
    HYI_WORK_RAN,     // simulated only: `run` has returned
} hyi_work_state;

typedef struct hyi_works_kind {
    hy_work *first, *last; // waiting
    uint32_t waiting, running, at_once;
} hyi_works_kind;

typedef struct hyi_works {
    hyi_works_kind kinds[HY_WORK_KINDS];
    uint32_t waiting_max; // of one kind
    uint32_t turn;        // the kind that is asked first
    uint64_t generation;
} hyi_works;

// `at_once` has a number for each kind, `waiting_max` is for all; 0: the default.
void hyi_works_init(hyi_works *works, const uint32_t *at_once, uint32_t waiting_max);
uint32_t hyi_works_at_once(const hyi_works *works); // of all kinds together
// Borrows `work` until it is taken or removed. HY_LIMIT: too much of its kind is waiting.
HY_CHECKED hy_err hyi_works_add(hyi_works *works, hy_work *work);
// Gives what starts next, which then holds a place of its kind; NULL: nothing may start.
hy_work *hyi_works_take(hyi_works *works);
uint32_t hyi_works_startable(const hyi_works *works);   // how often take would give something
void hyi_works_leave(hyi_works *works, uint32_t kind);  // gives back the place of one that ran
void hyi_works_remove(hyi_works *works, hy_work *work); // one that is waiting
void hyi_works_forget(hyi_works *works);                // everything, without touching the records

hyi_work_state hyi_works_state(const hyi_works *works, const hy_work *work);
void hyi_works_set_state(const hyi_works *works, hy_work *work, hyi_work_state state);
bool hyi_works_knows(const hyi_works *works, const hy_work *work); // false: of before a forget

// The link of a record inside a list; one list at a time.
static inline hy_work *hyi_work_next(const hy_work *work) {
    return (hy_work *)work->private_[0];
}

static inline void hyi_work_link(hy_work *work, hy_work *next) {
    work->private_[0] = next;
}

#endif
