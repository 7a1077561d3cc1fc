// timers.c - a heap whose records know their place.
//
// Invariants: heap[i].timer->index_ == i + 1 and heap[i].due is its due; a parent is never later
// than its child; no two records have the same order_. index_ is one more than the place, so that a
// zeroed record is not running.
#include "world/timers.h"

#define TIMERS_CAPACITY_FIRST 16u
#define TIMERS_CHILDREN 4u // lie side by side, in one or two lines of the cache

void hyi_timers_init(hyi_timers *timers, hy_mem *mem) {
    *timers = (hyi_timers){ .mem = mem, .next_order = 1 };
}

void hyi_timers_deinit(hyi_timers *timers) {
    hy_mem_free(timers->mem, timers->heap, timers->capacity * sizeof *timers->heap);
    timers->heap = NULL;
    timers->count = timers->capacity = 0;
}

static bool timers_running(const hyi_timers *timers, const hy_timer *timer) {
    uint32_t index = timer->index_;
    return index != 0 && index <= timers->count && timers->heap[index - 1].timer == timer;
}

static bool timers_before(const hyi_timers_place *a, const hyi_timers_place *b) {
    if (a->due != b->due) return a->due < b->due;
    return a->timer->order_ < b->timer->order_;
}

static void timers_put(hyi_timers *timers, uint32_t place, hyi_timers_place item) {
    timers->heap[place] = item;
    item.timer->index_ = place + 1;
}

static void timers_up(hyi_timers *timers, uint32_t place, hyi_timers_place item) {
    while (place > 0) {
        uint32_t parent = (place - 1) / TIMERS_CHILDREN;
        if (!timers_before(&item, &timers->heap[parent])) break;
        timers_put(timers, place, timers->heap[parent]);
        place = parent;
    }
    timers_put(timers, place, item);
}

// The earliest of the children from `first` on.
static uint32_t timers_earliest(const hyi_timers *timers, uint32_t first) {
    uint32_t left = timers->count - first;
    uint32_t end = first + (left < TIMERS_CHILDREN ? left : TIMERS_CHILDREN);
    uint32_t earliest = first;
    for (uint32_t child = first + 1; child < end; child++) {
        if (timers_before(&timers->heap[child], &timers->heap[earliest])) earliest = child;
    }
    return earliest;
}

static void timers_down(hyi_timers *timers, uint32_t place, hyi_timers_place item) {
    for (;;) {
        uint64_t first = (uint64_t)place * TIMERS_CHILDREN + 1;
        if (first >= timers->count) break;
        uint32_t child = timers_earliest(timers, (uint32_t)first);
        if (!timers_before(&timers->heap[child], &item)) break;
        timers_put(timers, place, timers->heap[child]);
        place = child;
    }
    timers_put(timers, place, item);
}

// Puts `item` where it belongs, starting from a free `place`.
static void timers_settle(hyi_timers *timers, uint32_t place, hyi_timers_place item) {
    if (place > 0 && timers_before(&item, &timers->heap[(place - 1) / TIMERS_CHILDREN])) {
        timers_up(timers, place, item);
    } else {
        timers_down(timers, place, item);
    }
}

static hy_err timers_grow(hyi_timers *timers) {
    if (timers->count < timers->capacity) return HY_OK;
    if (timers->capacity > UINT32_MAX / 4) return HY_NOMEM;
    uint32_t capacity = timers->capacity == 0 ? TIMERS_CAPACITY_FIRST : timers->capacity * 2;
    size_t old_size = timers->capacity * sizeof *timers->heap;
    void *heap =
        timers->mem->resize(timers->mem, timers->heap, old_size, capacity * sizeof *timers->heap);
    if (!heap) return HY_NOMEM;
    timers->heap = (hyi_timers_place *)heap;
    timers->capacity = capacity;
    return HY_OK;
}

hy_err hyi_timers_start(hyi_timers *timers, hy_timer *timer, hy_ns due) {
    HY_ASSERT(timer->done != NULL);
    bool running = timers_running(timers, timer);
    hy_err err = running ? HY_OK : timers_grow(timers);
    if (err) return err;
    timer->due = due;
    timer->order_ = timers->next_order++;
    hyi_timers_place item = { due, timer };
    if (running) {
        timers_settle(timers, timer->index_ - 1, item);
    } else {
        timers_up(timers, timers->count++, item);
    }
    HY_ASSERT_SLOW(hyi_timers_holds(timers));
    return HY_OK;
}

void hyi_timers_stop(hyi_timers *timers, hy_timer *timer) {
    if (timers_running(timers, timer)) {
        uint32_t place = timer->index_ - 1;
        hyi_timers_place last = timers->heap[--timers->count];
        if (last.timer != timer) timers_settle(timers, place, last);
    }
    timer->index_ = 0;
    HY_ASSERT_SLOW(hyi_timers_holds(timers));
}

hy_timer *hyi_timers_first(const hyi_timers *timers) {
    return timers->count > 0 ? timers->heap[0].timer : NULL;
}

bool hyi_timers_holds(const hyi_timers *timers) {
    HY_ASSERT(timers->count <= timers->capacity);
    for (uint32_t i = 0; i < timers->count; i++) {
        const hyi_timers_place *item = &timers->heap[i];
        HY_ASSERT(item->timer->index_ == i + 1);
        HY_ASSERT(item->due == item->timer->due);
        HY_ASSERT(i == 0 || timers_before(&timers->heap[(i - 1) / TIMERS_CHILDREN], item));
    }
    return true;
}
