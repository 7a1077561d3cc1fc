// timers_test.c - the heap against a list that is searched.
//
// Few records and few different dues, so that equal dues, moved records and stopped ones meet
// often.
#include "kit/kit.h"
#include "base/cleanup.h"
#include "world/timers.h"

#include <string.h>

#define CLOCKS 64u

static void nothing(hy_timer *timer) {
    (void)timer;
}

// The earliest by (due, order of start), found the slow way.
static hy_timer *slow_first(hy_timer *clocks, const bool *running) {
    hy_timer *first = NULL;
    for (size_t i = 0; i < CLOCKS; i++) {
        if (!running[i]) continue;
        hy_timer *timer = &clocks[i];
        bool before = !first || timer->due < first->due ||
                      (timer->due == first->due && timer->order_ < first->order_);
        if (before) first = timer;
    }
    return first;
}

static hy_err heap_agrees_with_a_search(hy_mem *mem) {
    HY_CLEANUP(hyi_timers_deinit) hyi_timers timers;
    hyi_timers_init(&timers, mem);
    hy_timer clocks[CLOCKS];
    bool running[CLOCKS] = { false };
    for (size_t i = 0; i < CLOCKS; i++)
        clocks[i] = (hy_timer){ .done = nothing };
    uint64_t state = kit_seed();
    for (uint32_t turn = 0; turn < 5000; turn++) {
        size_t i = kit_random(&state) % CLOCKS;
        if (kit_random(&state) % 3 == 0) {
            hyi_timers_stop(&timers, &clocks[i]);
            running[i] = false;
        } else {
            CHECK_OK(hyi_timers_start(&timers, &clocks[i], (hy_ns)(kit_random(&state) % 20)));
            running[i] = true;
        }
        CHECK(hyi_timers_holds(&timers));
        CHECK(hyi_timers_first(&timers) == slow_first(clocks, running));
    }
    return HY_OK;
}

static hy_err stale_records_are_not_running(hy_mem *mem) {
    HY_CLEANUP(hyi_timers_deinit) hyi_timers timers;
    hyi_timers_init(&timers, mem);
    hy_timer a = { .done = nothing }, stale = { .done = nothing, .index_ = 1 };
    hy_timer wild = { .done = nothing, .index_ = 77 };
    CHECK_OK(hyi_timers_start(&timers, &a, 5));
    hyi_timers_stop(&timers, &stale);
    hyi_timers_stop(&timers, &wild);
    CHECK_EQ(timers.count, 1);
    CHECK(hyi_timers_first(&timers) == &a);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(heap_agrees_with_a_search), KIT_TEST(stale_records_are_not_running))
