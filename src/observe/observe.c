// observe.c - the watcher: opened beside a root, told by its scopes, asked by anybody.
//
// All rings are made here, at the start: what is watched later can neither fail for want of memory
// nor make it grow. The watcher outlives its root, so that the root's own span still has a place.
#include "observe/watch.h"
#include "base/options.h"

#include "scope/above.h"

static const hy_scope_observer observe_scopes = { .opened = hyi_span_opened,
                                                  .closed = hyi_span_closed,
                                                  .baggage = hyi_span_baggage };

const hy_scope_observer *hy_observe_scopes(void) {
    return &observe_scopes;
}

// The watcher of a scope's root. Another observer than ours may be there.
hy_observe *hyi_observe_of(const hy_scope *scope) {
    return (hy_observe *)hyi_scope_observed_by(scope, &observe_scopes);
}

hy_observe *hy_observe_here(void) {
    const hy_scope *scope = hy_scope_current();
    return scope ? hyi_observe_of(scope) : NULL;
}

void hy_observe_level(hy_observe *observe, hy_level level) {
    observe->options.level = level;
}

// ---- opening and closing ----

static hy_observe_options observe_options(const hy_observe_options *given) {
    hy_observe_options o;
    hyi_options_read(&o, sizeof o, given);
    if (o.level == 0) o.level = HY_LEVEL_INFO;
    if (o.slow == 0) o.slow = HY_SECONDS(1);
    if (o.spans_kept == 0) o.spans_kept = 256;
    if (o.logs_kept == 0) o.logs_kept = 256;
    if (o.sample_ppm == 0) o.sample_ppm = 1000000;
    return o;
}

static bool observe_ring(hy_observe *observe, hyi_span_ring *ring, uint32_t capacity) {
    ring->next = 1;
    ring->slots =
        (hyi_kept_span *)hy_mem_alloc_zero(observe->mem, capacity * sizeof(hyi_kept_span));
    if (ring->slots) ring->capacity = capacity;
    return ring->slots != NULL;
}

hy_err hy_observe_open(hy_world *world, const hy_observe_options *options,
                       hy_observe **out_observe) {
    hy_mem *mem = hy_world_mem(world);
    hy_observe *observe = (hy_observe *)hy_mem_alloc_zero(mem, sizeof *observe);
    if (!observe) return HY_NOMEM;
    observe->world = world;
    observe->is_real = hy_world_is_real(world);
    observe->mem = mem;
    observe->options = observe_options(options);
    observe->next_log = 1;
    observe->logs =
        (hyi_kept_log *)hy_mem_alloc_zero(mem, observe->options.logs_kept * sizeof(hyi_kept_log));
    bool ok = observe->logs != NULL;
    ok = ok && observe_ring(observe, &observe->spans, observe->options.spans_kept);
    ok = ok && observe_ring(observe, &observe->slow, observe->options.spans_kept);
    if (!ok) {
        hy_observe_close(observe);
        return HY_NOMEM;
    }
    *out_observe = observe;
    return HY_OK;
}

void hy_observe_close(hy_observe *observe) {
    if (!observe) return;
    // Its root is still there; but a simulated one may have crashed, with its spans open.
    HY_ASSERT(observe->spans_open == 0 || !observe->is_real);
    hy_mem *mem = observe->mem;
    hyi_metrics_free(observe);
    hyi_spans_free(observe);
    hy_mem_free(mem, observe->spans.slots, observe->spans.capacity * sizeof(hyi_kept_span));
    hy_mem_free(mem, observe->slow.slots, observe->slow.capacity * sizeof(hyi_kept_span));
    hy_mem_free(mem, observe->logs, observe->options.logs_kept * sizeof(hyi_kept_log));
    hy_mem_free(mem, observe, sizeof *observe);
}
