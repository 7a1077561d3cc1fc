// real_alarm.c - timers of the real world: a heap in nanoseconds, and one alarm for its first.
//
// The alarm is a timerfd on CLOCK_MONOTONIC that the loop polls. It is armed late: starting and
// stopping a timer touches the heap alone, and only when the loop is about to sleep, and the first
// timer is due before the alarm would ring, is there a system call. An alarm that rings for a timer
// that was stopped meanwhile wakes the loop for nothing, once. So a deadline that is set and lifted
// for every request costs no call but for one such ring in each of its lengths.
//
// A loop too busy to sleep reads the clock now and then (hyi_real_share) and tells us.
//
// A process out of descriptors gets no timerfd. Then libuv's timer takes its place, which counts
// milliseconds: rounded up, so a timer is up to one later, never early.
#include "world/real.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void alarm_on_ring(uv_poll_t *handle, int status, int events);

void hyi_real_alarm_open(hyi_real *real) {
    hyi_real_alarm *alarm = &real->alarm;
    alarm->at = HY_NEVER;
    uv_timer_init(&real->loop, &alarm->coarse);
    alarm->coarse.data = alarm->poll.data = real;
    alarm->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (alarm->fd < 0) return;
    if (uv_poll_init(&real->loop, &alarm->poll, alarm->fd) != 0) {
        close(alarm->fd);
        alarm->fd = -1;
        return;
    }
    int failed = uv_poll_start(&alarm->poll, UV_READABLE, alarm_on_ring);
    HY_ASSERT(failed == 0);
}

void hyi_real_alarm_close(hyi_real *real) {
    uv_close((uv_handle_t *)&real->alarm.coarse, NULL);
    if (real->alarm.fd < 0) return;
    uv_close((uv_handle_t *)&real->alarm.poll, NULL); // it is out of the loop's epoll from here on
    close(real->alarm.fd);
    real->alarm.fd = -1;
}

// ---- arming -------------------------------------------------------------------------------------

// A poll reports an alarm that has rung again and again, until it is read or armed. It will nearly
// always be armed, so it is read only when it is reported a second time.
static void alarm_on_ring(uv_poll_t *handle, int status, int events) {
    (void)status;
    (void)events;
    hyi_real_alarm *alarm = &((hyi_real *)handle->data)->alarm;
    if (alarm->unread) {
        uint64_t count;
        ssize_t got = read(alarm->fd, &count, sizeof count);
        (void)got; // what counts is that it is empty now
    }
    alarm->unread = !alarm->unread;
    alarm->rang = true;
    alarm->at = HY_NEVER;
}

static void alarm_on_coarse(uv_timer_t *handle) {
    hyi_real_alarm *alarm = &((hyi_real *)handle->data)->alarm;
    alarm->rang = true;
    alarm->at = HY_NEVER;
}

static void alarm_arm_fd(hyi_real_alarm *alarm, hy_ns due) {
    if (due < 1) due = 1; // 0 would mean: not at all
    struct itimerspec at = { .it_value = { due / HY_SECONDS(1), due % HY_SECONDS(1) } };
    int failed = timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &at, NULL);
    HY_ASSERT(failed == 0);
    alarm->unread = false;
}

static void alarm_arm_coarse(hyi_real *real, hy_ns due) {
    uint64_t ms = due > 0 ? (uint64_t)due / 1000000 + (due % 1000000 != 0) : 0;
    uint64_t loop_ms = uv_now(&real->loop);
    uv_timer_start(&real->alarm.coarse, alarm_on_coarse, ms > loop_ms ? ms - loop_ms : 0, 0);
}

void hyi_real_alarm_arm(hyi_real *real) {
    hyi_real_alarm *alarm = &real->alarm;
    const hy_timer *first = hyi_timers_first(&real->timers);
    if (!first || first->due >= alarm->at) return;
    alarm->at = first->due;
    if (alarm->fd >= 0) {
        alarm_arm_fd(alarm, first->due);
    } else {
        alarm_arm_coarse(real, first->due);
    }
}

// The handle on the timerfd is always active, so the loop is alive while it is referenced. libuv's
// timer is active only when armed: for one that is never due, it must be all the same.
void hyi_real_alarm_keep(hyi_real *real) {
    hyi_real_alarm *alarm = &real->alarm;
    bool fine = alarm->fd >= 0;
    uv_handle_t *handle = fine ? (uv_handle_t *)&alarm->poll : (uv_handle_t *)&alarm->coarse;
    if (real->timers.count == 0) {
        uv_unref(handle);
        return;
    }
    uv_ref(handle);
    if (!fine && !uv_is_active(handle))
        alarm_arm_coarse(real, hyi_timers_first(&real->timers)->due);
}

// ---- timers -------------------------------------------------------------------------------------

void hyi_real_alarm_look(hyi_real *real, hy_ns now) {
    const hy_timer *first = hyi_timers_first(&real->timers);
    if (first && first->due <= now) real->alarm.rang = true;
}

// A timer that is started from inside waits for the next round, even when it is due: otherwise a
// timer that repeats at once would never let go of the loop.
bool hyi_real_alarm_fire(hyi_real *real) {
    if (!real->alarm.rang) return false;
    real->alarm.rang = false;
    if (real->timers.count == 0) return false;
    uint64_t order_end = real->timers.next_order;
    hyi_real_share share = { 0 };
    hy_ns now = hyi_real_now(&real->base);
    bool some = false;
    for (;;) {
        hy_timer *timer = hyi_timers_first(&real->timers);
        if (!timer || timer->due > now || timer->order_ >= order_end) break;
        if (hyi_real_share_spent(real, &share)) break;
        hyi_timers_stop(&real->timers, timer);
        some = true;
        timer->done(timer);
    }
    hyi_real_alarm_look(real, now);
    return some;
}

hy_err hyi_real_timer_at(hy_world *world, hy_timer *timer, hy_ns due) {
    hyi_real *real = hyi_real_of(world);
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    return hyi_timers_start(&real->timers, timer, due);
}

void hyi_real_timer_stop(hy_world *world, hy_timer *timer) {
    hyi_real *real = hyi_real_of(world);
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    hyi_timers_stop(&real->timers, timer);
}
