// timers.c - a binary heap whose records know their place.
//
// Invariants: heap[i]->index_ == i + 1; a parent is never later than its child; no two records have
// the same order_. index_ is one more than the place, so that a zeroed record is not running.
#include "world/timers.h"

#define TIMERS_CAPACITY_FIRST 16u

void hyi_timers_init(hyi_timers *timers, hy_mem *mem) {
    *timers = (hyi_timers){ .mem = mem, .next_order = 1 };
}

void hyi_timers_deinit(hyi_timers *timers) {
    hy_mem_free(timers->mem, timers->heap, timers->capacity * sizeof(hy_timer *));
    timers->heap = NULL;
    timers->count = timers->capacity = 0;
}

static bool timers_running(const hyi_timers *timers, const hy_timer *timer) {
    uint32_t index = timer->index_;
    return index != 0 && index <= timers->count && timers->heap[index - 1] == timer;
}

static bool timers_before(const hy_timer *a, const hy_timer *b) {
    if (a->due != b->due) return a->due < b->due;
    return a->order_ < b->order_;
}

static void timers_put(hyi_timers *timers, uint32_t place, hy_timer *timer) {
    timers->heap[place] = timer;
    timer->index_ = place + 1;
}

static void timers_up(hyi_timers *timers, uint32_t place, hy_timer *timer) {
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        if (!timers_before(timer, timers->heap[parent])) break;
        timers_put(timers, place, timers->heap[parent]);
        place = parent;
    }
    timers_put(timers, place, timer);
}

static void timers_down(hyi_timers *timers, uint32_t place, hy_timer *timer) {
    for (;;) {
        uint32_t child = place * 2 + 1;
        if (child >= timers->count) break;
        if (child + 1 < timers->count &&
            timers_before(timers->heap[child + 1], timers->heap[child])) {
            child++;
        }
        if (!timers_before(timers->heap[child], timer)) break;
        timers_put(timers, place, timers->heap[child]);
        place = child;
    }
    timers_put(timers, place, timer);
}

// Puts `timer` where it belongs, starting from a free `place`.
static void timers_settle(hyi_timers *timers, uint32_t place, hy_timer *timer) {
    if (place > 0 && timers_before(timer, timers->heap[(place - 1) / 2])) {
        timers_up(timers, place, timer);
    } else {
        timers_down(timers, place, timer);
    }
}

static hy_err timers_grow(hyi_timers *timers) {
    if (timers->count < timers->capacity) return HY_OK;
    if (timers->capacity > UINT32_MAX / 4) return HY_NOMEM;
    uint32_t capacity = timers->capacity == 0 ? TIMERS_CAPACITY_FIRST : timers->capacity * 2;
    size_t old_size = timers->capacity * sizeof(hy_timer *);
    void *heap =
        timers->mem->resize(timers->mem, timers->heap, old_size, capacity * sizeof(hy_timer *));
    if (!heap) return HY_NOMEM;
    timers->heap = (hy_timer **)heap;
    timers->capacity = capacity;
    return HY_OK;
}

hy_err hyi_timers_start(hyi_timers *timers, hy_timer *timer, hy_ns due) {
    HY_ASSERT(timer->done != NULL);
    if (timers_running(timers, timer)) {
        timer->due = due;
        timer->order_ = timers->next_order++;
        timers_settle(timers, timer->index_ - 1, timer);
        return HY_OK;
    }
    hy_err err = timers_grow(timers);
    if (err) return err;
    timer->due = due;
    timer->order_ = timers->next_order++;
    timers_up(timers, timers->count++, timer);
    HY_ASSERT_SLOW(hyi_timers_holds(timers));
    return HY_OK;
}

void hyi_timers_stop(hyi_timers *timers, hy_timer *timer) {
    if (timers_running(timers, timer)) {
        uint32_t place = timer->index_ - 1;
        hy_timer *last = timers->heap[--timers->count];
        if (last != timer) timers_settle(timers, place, last);
    }
    timer->index_ = 0;
    HY_ASSERT_SLOW(hyi_timers_holds(timers));
}

hy_timer *hyi_timers_first(const hyi_timers *timers) {
    return timers->count > 0 ? timers->heap[0] : NULL;
}

bool hyi_timers_holds(const hyi_timers *timers) {
    HY_ASSERT(timers->count <= timers->capacity);
    for (uint32_t i = 0; i < timers->count; i++) {
        HY_ASSERT(timers->heap[i]->index_ == i + 1);
        HY_ASSERT(i == 0 || timers_before(timers->heap[(i - 1) / 2], timers->heap[i]));
    }
    return true;
}
