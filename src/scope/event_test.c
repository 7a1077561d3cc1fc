// event_test.c - flags that fibers wait for.
//
// The waiters form a ring without a head, so leaving it is tried from every place in it; and no
// test may leave the event with a pointer to a fiber that is gone.
#include "kit/kit.h"
#include "scope/run_suite.h"

#include <pthread.h>
#include <sched.h>

typedef struct waiter {
    hy_event *event;
    hy_err err;
    bool done;
} waiter;

static hy_err waits(void *arg) {
    waiter *w = arg;
    w->err = hy_event_wait(w->event);
    w->done = true;
    return HY_OK;
}

static hy_err setting_wakes_all_and_stays(void *unused) {
    (void)unused;
    hy_event event = { 0 };
    waiter w[3] = { { &event, HY_OK, false }, { &event, HY_OK, false }, { &event, HY_OK, false } };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        for (int i = 0; i < 3; i++) {
            CHECK_OK(hy_spawn(s, waits, &w[i], NULL, NULL));
        }
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK(!w[0].done);
        hy_event_set(&event);
        CHECK(event.waiters_ == NULL);
        CHECK_OK(hy_scope_join(s));
        CHECK(w[0].done && w[1].done && w[2].done);
        CHECK_OK(hy_event_wait(&event)); // at once
        hy_event_clear(&event);
        hy_event_clear(&event);
        CHECK(!event.is_set);
    }
    return err;
}
RUN_SIM(setting_wakes_all_and_stays)
RUN_REAL(setting_wakes_all_and_stays)

// The first, the last, and the only one leave the line.
static hy_err cancelled_waiters_leave_no_trace(void *unused) {
    (void)unused;
    static const int orders[4][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 }, { 1, 2, 0 } };
    hy_err err = HY_OK;
    for (int k = 0; k < 4 && err == HY_OK; k++) {
        hy_event event = { 0 };
        waiter w[3] = { { .event = &event }, { .event = &event }, { .event = &event } };
        hy_task *tasks[3];
        HY_SCOPE(s, &err, .name = "test") {
            for (int i = 0; i < 3; i++) {
                CHECK_OK(hy_spawn(s, waits, &w[i], NULL, &tasks[i]));
            }
            CHECK_OK(hy_sleep(HY_MS(1)));
            for (int i = 0; i < 2; i++) {
                hy_task_cancel(tasks[orders[k][i]], HY_CANCELLED);
            }
            CHECK_OK(hy_sleep(HY_MS(1)));
            CHECK(event.waiters_ != NULL);
            hy_event_set(&event);
            CHECK_OK(hy_scope_join(s));
        }
        if (err != HY_OK) break;
        CHECK_EQ(w[orders[k][0]].err, HY_CANCELLED);
        CHECK_EQ(w[orders[k][1]].err, HY_CANCELLED);
        CHECK_OK(w[orders[k][2]].err);
    }
    return err;
}
RUN_SIM(cancelled_waiters_leave_no_trace)

static hy_err a_cancelled_fiber_does_not_wait(void *unused) {
    (void)unused;
    hy_event event = { .is_set = true };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        HY_SCOPE(inner, NULL, .name = "inner") {
            hy_scope_cancel(inner, HY_REJECT);
            CHECK_ERR(hy_event_wait(&event), HY_REJECT);
        }
        HY_SCOPE(late, NULL, .name = "late", .timeout = HY_MS(5)) {
            hy_event_clear(&event);
            CHECK_ERR(hy_event_wait(&event), HY_TIMEOUT);
            CHECK(event.waiters_ == NULL);
        }
    }
    return err;
}
RUN_SIM(a_cancelled_fiber_does_not_wait)

// ---- from another thread ------------------------------------------------------------------------

typedef struct distant {
    hy_world *world;
    hy_remote_event remote;
} distant;

static void *set_from_a_thread(void *arg) {
    distant *d = arg;
    for (int i = 0; i < 1000; i++) // the other side is asleep by then, or it is not: both are fine
        sched_yield();
    hy_remote_event_set(d->world, &d->remote);
    return NULL;
}

// There is nothing else to do: only the promise of a post keeps the world running.
static hy_err another_thread_sets_it(void *unused) {
    (void)unused;
    distant d = { .world = hy_scope_world(hy_scope_current()) };
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, set_from_a_thread, &d), 0);
    hy_err err = hy_remote_event_wait(&d.remote);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return err;
}
RUN_REAL(another_thread_sets_it)

KIT_TESTS(KIT_TEST(sim_setting_wakes_all_and_stays), KIT_TEST(real_setting_wakes_all_and_stays),
          KIT_TEST(sim_cancelled_waiters_leave_no_trace),
          KIT_TEST(sim_a_cancelled_fiber_does_not_wait), KIT_TEST_ONCE(real_another_thread_sets_it))
