// retry.c - call again, but not for ever, not at once, and not when it makes things worse.
//
// Full jitter is the default because it spreads those who failed together best (M. Brooker,
// "Exponential Backoff And Jitter", 2015): the wait is random between nothing and the exponential
// bound. Decorrelated jitter takes a random time between the base and three times the last wait.
//
// Three things end the tries before calls_max: an error that is not worth it, a budget that is used
// up, and a deadline that would come before the next call could begin. The last one gives the error
// now: whoever waits can use the time that is left.
#include "flow/budget.h"
#include "base/options.h"

#include <hypha/flow.h>

HY_KEY(const hy_retry_state *, HYI_RETRY);
HY_KEY_DEFINE(HYI_RETRY);

static bool retry_worth(hy_err err) {
    switch (err) {
    case HY_BUSY:
    case HY_TIMEOUT:
    case HY_LIMIT:
    case HY_CLOSED:
    case HY_IO:
    case HY_NOT_COMMITTED: return true;
    default: return false;
    }
}

static hy_ns retry_random(hy_world *world, hy_ns low, hy_ns high) {
    uint64_t span = (uint64_t)(high - low) + 1;
    return low + (hy_ns)((__uint128_t)hy_world_random(world) * span >> 64);
}

static hy_ns retry_bound(const hy_retry_options *o, uint32_t calls) {
    hy_ns bound = o->delay;
    for (uint32_t i = 1; i < calls && bound < o->delay_max; i++)
        bound *= 2; // below delay_max <= HY_NEVER / 2
    return bound < o->delay_max ? bound : o->delay_max;
}

// The wait after `calls` calls; `last` is the wait before the latest of them.
static hy_ns retry_delay(const hy_retry_options *o, hy_world *world, hy_err err, uint32_t calls,
                         hy_ns last) {
    if (o->delay_fn) return o->delay_fn(o->self, err, calls);
    hy_ns bound;
    switch (o->backoff) {
    case HY_BACKOFF_NONE: return 0;
    case HY_BACKOFF_CONSTANT: return o->delay;
    case HY_BACKOFF_DECORRELATED:
        bound = last > o->delay_max / 3 ? o->delay_max : last * 3;
        return retry_random(world, o->delay < bound ? o->delay : bound, bound);
    default:
        bound = retry_bound(o, calls);
        return o->no_jitter ? bound : retry_random(world, 0, bound);
    }
}

static hy_retry_options retry_options(const hy_retry_options *given) {
    hy_retry_options o;
    hyi_options_read(&o, sizeof o, given);
    if (o.calls_max == 0) o.calls_max = 3;
    if (o.delay == 0) o.delay = HY_MS(20);
    if (o.delay_max == 0) o.delay_max = o.delay > HY_SECONDS(1) ? o.delay : HY_SECONDS(1);
    if (o.delay_max > HY_NEVER / 2) o.delay_max = HY_NEVER / 2;
    HY_ASSERT(o.delay > 0 && o.delay_max > 0);
    return o;
}

static hy_err retry_call(const hy_retry_options *o, const hy_retry_state *state, hy_fn fn,
                         void *arg) {
    hy_err err = HY_OK;
    HY_WITH(&err, HYI_RETRY, state) {
        err = o->each_max > 0 ? hy_within(o->each_max, fn, arg) : fn(arg);
    }
    return err;
}

hy_err hy_retry(const hy_retry_options *options, hy_fn fn, void *arg) {
    hy_retry_options o = retry_options(options);
    hy_scope *scope = hy_scope_current();
    hy_world *world = hy_scope_world(scope);
    hy_retry_state state = { .call = 1 };
    hy_ns wait = o.delay;
    hyi_budget_deposit(o.budget);
    for (;; state.call++) {
        hy_err err = retry_call(&o, &state, fn, arg);
        if (err == HY_OK || state.call >= o.calls_max) return err;
        hy_err stopped = hy_check();
        if (stopped != HY_OK) return err;
        bool worth = o.worth ? o.worth(o.self, err, state.call) : retry_worth(err);
        if (!worth) return err;
        wait = retry_delay(&o, world, err, state.call, wait);
        if (wait >= hy_scope_deadline(scope) - hy_world_now(world)) return err;
        if (!hyi_budget_withdraw(o.budget)) return err; // the last to be asked: it costs something
        if (wait > 0 && hy_sleep(wait) != HY_OK) return err;
        state.last_err = err;
    }
}

hy_retry_state hy_retry_here(void) {
    const hy_retry_state *state = hy_scope_current() ? HY_GET(HYI_RETRY) : NULL;
    return state ? *state : (hy_retry_state){ .call = 1 };
}
