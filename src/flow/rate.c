// rate.c - so many in a time.
//
// Token bucket: as "virtual scheduling" (ITU-T I.371, the generic cell rate algorithm): one number,
// the time at which the bucket would be full again. A take moves it by its share of the period, and
// is allowed while it lies at most one burst ahead of now. Nothing is refilled, nothing drifts: the
// time is counted in shares of a nanosecond, `limit` to each, so the share of one start is a whole
// number, the period.
//
// Sliding window: a ring of the start times of the last `limit`; one more may start when the oldest
// is a period old. Exact, at 8 bytes a start.
//
// Those who wait stand in one line, and one timer calls the first when its time has come, so nobody
// overtakes and nobody wakes for nothing.
#include "flow/line.h"
#include "base/options.h"

#include <hypha/flow.h>

// In 128 bits nothing overflows: times are below 2^63, limits and bursts below 2^32.
typedef __int128 rate_wide __attribute__((aligned(8)));

struct hy_rate {
    hy_world *world;
    hy_mem *mem;
    hy_rate_options options;
    hyi_line line;
    hy_timer timer;
    rate_wide full_at; // tokens; in shares
    uint32_t next;     // window: place of the oldest start
    hy_ns starts[];    // window
};

static hy_ns rate_no_later_than_never(rate_wide time) {
    return time < HY_NEVER ? (hy_ns)time : HY_NEVER;
}

static rate_wide rate_full_at(const hy_rate *rate, hy_ns now) {
    rate_wide here = (rate_wide)now * rate->options.limit;
    return rate->full_at > here ? rate->full_at : here;
}

static hy_ns rate_tokens_at(const hy_rate *rate, uint64_t count, hy_ns now) {
    rate_wide more = (rate_wide)count - rate->options.burst;
    rate_wide at = rate_full_at(rate, now) + more * rate->options.period;
    uint32_t limit = rate->options.limit;
    if (at <= (rate_wide)now * limit) return now;
    return rate_no_later_than_never((at + limit - 1) / limit);
}

// Of more than the ring has, the time is that of single starts: the soonest it can be.
static hy_ns rate_window_at(const hy_rate *rate, uint64_t count, hy_ns now) {
    uint64_t limit = rate->options.limit;
    hy_ns start = rate->starts[(rate->next + (count - 1) % limit) % limit];
    rate_wide at = (rate_wide)((count - 1) / limit) * rate->options.period;
    at += start == INT64_MIN ? now : (rate_wide)start + rate->options.period;
    return at < now ? now : rate_no_later_than_never(at);
}

// When `count` more may start. Never before now: the past is as good as now.
static hy_ns rate_ready_at(const hy_rate *rate, uint64_t count, hy_ns now) {
    return rate->options.kind == HY_RATE_WINDOW ? rate_window_at(rate, count, now)
                                                : rate_tokens_at(rate, count, now);
}

static void rate_start(hy_rate *rate, uint32_t count, hy_ns now) {
    if (rate->options.kind != HY_RATE_WINDOW) {
        rate->full_at = rate_full_at(rate, now) + (rate_wide)rate->options.period * count;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        rate->starts[rate->next] = now;
        rate->next = rate->next + 1 < rate->options.limit ? rate->next + 1 : 0;
    }
}

// The alarm for the first in the line. A time that never comes needs none.
static hy_err rate_alarm_at(hy_rate *rate, hy_ns at) {
    if (at < HY_NEVER) return hy_timer_at(rate->world, &rate->timer, at);
    hy_timer_stop(rate->world, &rate->timer);
    return HY_OK;
}

static uint32_t rate_most(const hy_rate *rate) {
    return rate->options.kind == HY_RATE_WINDOW ? rate->options.limit : rate->options.burst;
}

// Calls all whose time has come, and sets the alarm for the next.
static void rate_turn(hy_rate *rate) {
    hy_ns now = hy_world_now(rate->world);
    for (uint32_t count; (count = hyi_line_first(&rate->line)) > 0;) {
        hy_ns at = rate_ready_at(rate, count, now);
        if (at > now) {
            // Without memory for the timer the first one is let go with that.
            if (rate_alarm_at(rate, at) == HY_OK) return;
            hyi_line_call(&rate->line, HY_NOMEM);
            continue;
        }
        rate_start(rate, count, now);
        hyi_line_call(&rate->line, HY_OK);
    }
    hy_timer_stop(rate->world, &rate->timer);
}

static void rate_alarm(hy_timer *timer) {
    rate_turn(HYI_HOLDER(hy_rate, timer, timer));
}

// Who left may have held up a smaller one behind it. The alarm looks, when all are gone that go.
static void rate_left(hyi_line *line) {
    hy_rate *rate = HYI_HOLDER(hy_rate, line, line);
    if (line->count == 0) return;
    hy_err err = hy_timer_at(rate->world, &rate->timer, hy_world_now(rate->world));
    (void)err; // HY_NOMEM: then it comes when it would have
}

static size_t rate_size(const hy_rate_options *options) {
    size_t starts = options->kind == HY_RATE_WINDOW ? options->limit : 0;
    return sizeof(hy_rate) + starts * sizeof(hy_ns);
}

static void rate_free(void *object) {
    hy_rate *rate = (hy_rate *)object;
    hy_timer_stop(rate->world, &rate->timer);
    hyi_line_call_all(&rate->line, HY_CLOSED);
    hy_mem_free(rate->mem, rate, rate_size(&rate->options));
}

hy_err hy_rate_open(hy_scope *scope, const hy_rate_options *options, hy_rate **out_rate) {
    hy_rate_options o;
    hyi_options_read(&o, sizeof o, options);
    HY_ASSERT(o.limit > 0 && o.period >= 0);
    if (o.period == 0) o.period = HY_SECONDS(1);
    if (o.burst == 0) o.burst = o.limit;
    if (o.waiting_max == 0) o.waiting_max = 1024;
    if (o.waiting_max == UINT32_MAX) o.waiting_max = 0;
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_scope_mem(scope);
    hy_rate *rate = mem ? (hy_rate *)hy_mem_alloc_zero(mem, rate_size(&o)) : NULL;
    if (!rate) return HY_NOMEM;
    rate->world = world;
    rate->mem = mem;
    rate->options = o;
    rate->timer.done = rate_alarm;
    hyi_line_init(&rate->line, o.waiting_max);
    rate->line.left = rate_left;
    for (uint32_t i = 0; o.kind == HY_RATE_WINDOW && i < o.limit; i++)
        rate->starts[i] = INT64_MIN;
    hy_err err = hy_own(scope, rate, rate_free, 0);
    if (err == HY_OK) *out_rate = rate;
    return err;
}

hy_err hy_rate_try(hy_rate *rate, uint32_t count) {
    HY_ASSERT(count > 0);
    if (count > rate_most(rate)) return HY_RANGE;
    hy_ns now = hy_world_now(rate->world);
    if (rate->line.count > 0 || rate_ready_at(rate, count, now) > now) return HY_BUSY;
    rate_start(rate, count, now);
    return HY_OK;
}

hy_ns hy_rate_wait_for(const hy_rate *rate, uint32_t count) {
    HY_ASSERT(count > 0);
    if (count > rate_most(rate)) return HY_NEVER;
    hy_ns now = hy_world_now(rate->world);
    hy_ns at = rate_ready_at(rate, rate->line.amount + count, now);
    return at < HY_NEVER ? at - now : HY_NEVER;
}

hy_err hy_rate_take(hy_rate *rate, uint32_t count) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    err = hy_rate_try(rate, count);
    if (err != HY_BUSY) return err;
    // To wait for what comes too late would only take a place from others.
    hy_ns at = rate_ready_at(rate, rate->line.amount + count, hy_world_now(rate->world));
    if (at > hy_scope_deadline(hy_scope_current())) return HY_TIMEOUT;
    if (rate->line.count >= rate->line.count_max) return HY_LIMIT;
    if (rate->line.count == 0) {
        err = rate_alarm_at(rate, at);
        if (err != HY_OK) return err;
    }
    return hyi_line_wait(&rate->line, count, "rate");
}
