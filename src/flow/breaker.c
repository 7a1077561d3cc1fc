// breaker.c - stop calling what does not answer.
//
//            failures reach the share                    all probes succeed
//     CLOSED -----------------------> OPEN -----------> PROBING ------------> CLOSED
//                                      ^   open_for       |
//                                      +------------------+  one probe fails: twice as long
//
// Calls of the window are counted in ten slices by time, so old failures fade by a tenth at a time.
// While probing, only `probes` calls are under way at a time; everyone else is refused as if it
// were open. Probes that do not report do not block the breaker: after another open_for, others may
// take their place; when they do report after all, that counts. Reports of calls that began before
// the breaker last changed its mode say nothing of how it is now, and are not counted.
#include <hypha/flow.h>
#include "base/options.h"

#define BREAKER_SLICES 10
#define BREAKER_OPEN_MAX HY_SECONDS(60)

typedef struct breaker_slice {
    uint32_t calls, failures;
} breaker_slice;

struct hy_breaker {
    hy_world *world;
    hy_mem *mem;
    hy_breaker_options options;
    hy_breaker_mode mode;
    breaker_slice slices[BREAKER_SLICES];
    int64_t slice; // number of the current one
    hy_ns since;   // when it came into its mode
    hy_ns until;   // open: when probes begin; probing: when others may take their place
    hy_ns open_for;
    uint32_t probes_begun, probes_good;
};

static bool breaker_failed(const hy_breaker *breaker, hy_err err, hy_ns took) {
    if (breaker->options.slow > 0 && took > breaker->options.slow) return true;
    if (breaker->options.failed) return breaker->options.failed(breaker->options.self, err);
    return hy_err_is_fault(err) || err == HY_TIMEOUT || err == HY_BUSY || err == HY_CLOSED ||
           err == HY_LIMIT;
}

static breaker_slice *breaker_current(hy_breaker *breaker, hy_ns now) {
    int64_t slice = now / (breaker->options.window / BREAKER_SLICES);
    int64_t gone = slice - breaker->slice;
    for (int64_t i = 1; i <= gone && i <= BREAKER_SLICES; i++)
        breaker->slices[(breaker->slice + i) % BREAKER_SLICES] = (breaker_slice){ 0 };
    breaker->slice = slice;
    return &breaker->slices[slice % BREAKER_SLICES];
}

static void breaker_enter(hy_breaker *breaker, hy_breaker_mode mode, hy_ns now) {
    breaker->mode = mode;
    breaker->since = now;
}

// A pause that is longer than a minute already stays as it is.
static void breaker_trip(hy_breaker *breaker, hy_ns now) {
    breaker_enter(breaker, HY_BREAKER_OPEN, now);
    breaker->until = hy_ns_add(now, breaker->open_for);
    hy_ns most = breaker->options.open_for;
    if (most < BREAKER_OPEN_MAX) most = BREAKER_OPEN_MAX;
    breaker->open_for = breaker->open_for < most / 2 ? breaker->open_for * 2 : most;
}

static void breaker_close(hy_breaker *breaker, hy_ns now) {
    breaker_enter(breaker, HY_BREAKER_CLOSED, now);
    breaker->open_for = breaker->options.open_for;
    for (uint32_t i = 0; i < BREAKER_SLICES; i++)
        breaker->slices[i] = (breaker_slice){ 0 };
}

static bool breaker_is_bad(const hy_breaker *breaker) {
    uint64_t calls = 0, failures = 0;
    for (uint32_t i = 0; i < BREAKER_SLICES; i++) {
        calls += breaker->slices[i].calls;
        failures += breaker->slices[i].failures;
    }
    return calls >= breaker->options.calls_min &&
           failures * 100 >= calls * breaker->options.failure_percent;
}

hy_err hy_breaker_try(hy_breaker *breaker) {
    if (breaker->mode == HY_BREAKER_CLOSED) return HY_OK;
    hy_ns now = hy_world_now(breaker->world);
    if (now >= breaker->until) {
        if (breaker->mode == HY_BREAKER_OPEN) {
            breaker_enter(breaker, HY_BREAKER_PROBING, now);
            breaker->probes_good = 0;
        }
        breaker->until = hy_ns_add(now, breaker->options.open_for);
        breaker->probes_begun = 0;
    }
    if (breaker->mode == HY_BREAKER_OPEN || breaker->probes_begun >= breaker->options.probes) {
        return HY_BUSY;
    }
    breaker->probes_begun++;
    return HY_OK;
}

static void breaker_count(hy_breaker *breaker, bool failed, hy_ns now) {
    breaker_slice *slice = breaker_current(breaker, now);
    slice->calls++;
    slice->failures += failed;
    if (breaker_is_bad(breaker)) breaker_trip(breaker, now);
}

void hy_breaker_told(hy_breaker *breaker, hy_err outcome, hy_ns took) {
    hy_ns now = hy_world_now(breaker->world);
    if (took < 0) took = 0;
    if (breaker->mode == HY_BREAKER_OPEN || now - took < breaker->since) return;
    bool failed = breaker_failed(breaker, outcome, took);
    if (breaker->mode == HY_BREAKER_CLOSED) {
        breaker_count(breaker, failed, now);
    } else if (failed) {
        breaker_trip(breaker, now);
    } else if (++breaker->probes_good >= breaker->options.probes) {
        breaker_close(breaker, now);
    }
}

hy_err hy_breaker_call(hy_breaker *breaker, hy_fn fn, void *arg) {
    hy_err err = hy_breaker_try(breaker);
    if (err != HY_OK) return err;
    hy_ns begin = hy_world_now(breaker->world);
    err = fn(arg);
    // A caller that was cancelled says nothing about the one that was called.
    hy_err reason = hy_check();
    if (reason != HY_OK && err == reason && err != HY_TIMEOUT) {
        bool was_probe = breaker->mode == HY_BREAKER_PROBING && begin >= breaker->since;
        if (was_probe && breaker->probes_begun > 0) breaker->probes_begun--;
        return err;
    }
    hy_breaker_told(breaker, err, hy_world_now(breaker->world) - begin);
    return err;
}

hy_breaker_mode hy_breaker_mode_of(const hy_breaker *breaker) {
    return breaker->mode;
}

static void breaker_free(void *object) {
    hy_breaker *breaker = (hy_breaker *)object;
    hy_mem_free(breaker->mem, breaker, sizeof *breaker);
}

hy_err hy_breaker_open(hy_scope *scope, const hy_breaker_options *options,
                       hy_breaker **out_breaker) {
    hy_breaker_options o;
    hyi_options_read(&o, sizeof o, options);
    if (o.window == 0) o.window = HY_SECONDS(10);
    if (o.calls_min == 0) o.calls_min = 20;
    if (o.failure_percent == 0) o.failure_percent = 50;
    if (o.open_for == 0) o.open_for = HY_SECONDS(5);
    if (o.probes == 0) o.probes = 3;
    HY_ASSERT(o.window >= BREAKER_SLICES && o.failure_percent <= 100 && o.open_for > 0);
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_scope_mem(scope);
    hy_breaker *breaker = mem ? (hy_breaker *)hy_mem_alloc_zero(mem, sizeof *breaker) : NULL;
    if (!breaker) return HY_NOMEM;
    breaker->world = world;
    breaker->mem = mem;
    breaker->options = o;
    breaker->open_for = o.open_for;
    breaker->since = INT64_MIN; // whatever began before counts
    breaker->slice = hy_world_now(world) / (o.window / BREAKER_SLICES);
    hy_err err = hy_own(scope, breaker, breaker_free, 0);
    if (err == HY_OK) *out_breaker = breaker;
    return err;
}
