// span.c - scopes as spans.
//
// A span is followed while its scope is open and kept, in a ring, when it has closed; nothing waits
// for the root to end. Its trace is the parent's, or the sender's when baggage came with the scope,
// or a new one: the root and the services' own scopes live as long as the program and belong to no
// request, so what is opened right below them begins a trace.
//
// Whether a trace is sampled is decided once, where it begins, by its id, and travels with it. A
// span that was slow is kept whether it was sampled or not.
#include "observe/watch.h"

#include "scope/inside.h"

#include <string.h>

static hyi_live_span *span_live(const uint64_t slots[3]) {
    return (hyi_live_span *)(uintptr_t)slots[0];
}

hyi_live_span *hyi_span_of(const hy_scope *scope) {
    return span_live(scope->slots);
}

// ---- opening ----

static hyi_live_span *span_take(hy_observe *observe) {
    hyi_live_span *live = observe->free_spans;
    if (live) {
        observe->free_spans = live->next_free;
        return live;
    }
    live = (hyi_live_span *)hy_mem_alloc(observe->mem, sizeof *live);
    if (!live) return NULL;
    live->next_made = observe->made_spans;
    observe->made_spans = live;
    return live;
}

static bool span_is_endless(const hy_scope *scope) {
    return !scope->parent || (scope->flags & HYI_SCOPE_SERVICE) != 0;
}

static void span_begin_trace(hy_observe *observe, hyi_live_span *live) {
    live->trace = hy_id_at(live->wall_start, hy_world_random(observe->world),
                           hy_world_random(observe->world));
    // The lower half: the upper one begins with the id's variant, and is not all random.
    uint64_t dice = live->trace.lo & UINT32_MAX;
    live->sampled = dice * 1000000 >> 32 < observe->options.sample_ppm;
}

// Of the nearest scope that is followed: the room's own small scopes are not.
static const hyi_live_span *span_above(const hy_scope *scope) {
    for (const hy_scope *at = scope->parent; at; at = at->parent)
        if (hyi_span_of(at)) return hyi_span_of(at);
    return NULL;
}

static void span_join_trace(hy_observe *observe, hyi_live_span *live, const hy_scope *scope) {
    const hy_scope *parent = scope->parent;
    bool told = scope->baggage && (!parent || scope->baggage != parent->baggage);
    const hyi_live_span *above = span_above(scope);
    if (told && (scope->baggage->trace.hi | scope->baggage->trace.lo) != 0) {
        live->trace = scope->baggage->trace;
        live->parent = scope->baggage->span;
        live->remote_parent = true;
        live->sampled = scope->baggage->sampled;
        return;
    }
    if (above) live->parent = above->span;
    if (above && (above->trace.hi | above->trace.lo) != 0) {
        live->trace = above->trace;
        live->sampled = above->sampled;
        return;
    }
    if (span_is_endless(scope)) {
        live->sampled = true; // and of no trace
    } else {
        span_begin_trace(observe, live);
    }
}

void hyi_span_opened(void *self, hy_scope *scope, uint64_t slots[3]) {
    hy_observe *observe = self;
    hyi_live_span *live = span_take(observe);
    slots[0] = (uint64_t)(uintptr_t)live;
    if (!live) {
        observe->spans_lost++;
        return;
    }
    observe->spans_open++;
    hyi_live_span *next_made = live->next_made;
    memset(live, 0, offsetof(hyi_live_span, fields));
    live->next_made = next_made;
    live->start = hy_world_now(observe->world);
    live->wall_start = hy_world_wall(observe->world);
    do {
        live->span = hy_world_random(observe->world);
    } while (live->span == 0);
    span_join_trace(observe, live, scope);
}

void hyi_span_baggage(void *self, const hy_scope *scope, const uint64_t slots[3],
                      hy_baggage *out_baggage) {
    (void)self;
    (void)scope;
    const hyi_live_span *live = span_live(slots);
    if (!live) return;
    out_baggage->trace = live->trace;
    out_baggage->span = live->span;
    out_baggage->sampled = live->sampled;
}

// ---- closing ----

static void span_keep(hyi_span_ring *ring, const hy_span *span) {
    hyi_kept_span *kept = &ring->slots[ring->next++ % ring->capacity];
    kept->span = *span;
    hyi_keep_name(kept->name, sizeof kept->name, span->name);
    kept->span.name = kept->name;
    kept->span.field_count = hyi_keep_fields(kept->fields, HY_SPAN_FIELDS_MAX, kept->texts,
                                             HYI_TEXT_ROOM, span->fields, span->field_count);
    kept->span.fields = kept->fields;
}

static void span_tell(hy_observe *observe, const hy_span *span) {
    for (size_t i = 0; i < sizeof observe->options.sinks / sizeof observe->options.sinks[0]; i++) {
        const hy_sink *sink = &observe->options.sinks[i];
        if (sink->span) sink->span(sink->self, span);
    }
}

void hyi_span_closed(void *self, hy_scope *scope, uint64_t slots[3], hy_err err) {
    hy_observe *observe = self;
    hyi_live_span *live = span_live(slots);
    if (!live) return;
    hy_ns duration = hy_world_now(observe->world) - live->start;
    hy_span span = { .trace = live->trace,
                     .span = live->span,
                     .parent = live->parent,
                     .remote_parent = live->remote_parent,
                     .name = hy_scope_name(scope),
                     .wall_start = live->wall_start,
                     .duration = duration,
                     .err = err,
                     .fields = live->fields,
                     .field_count = live->field_count,
                     .events = live->events,
                     .slow = duration > observe->options.slow && !span_is_endless(scope) };
    if (live->sampled || span.slow) {
        span_tell(observe, &span);
        span_keep(&observe->spans, &span);
    }
    if (span.slow) {
        span_keep(&observe->slow, &span);
        hy_log_field took[] = { HY_WITH_NS("took", duration),
                                HY_WITH_NS("threshold", observe->options.slow), HY_WITH_ERR(err) };
        hyi_log_to(observe, scope, HY_LEVEL_WARN, "slow", took, 3);
    }
    slots[0] = 0;
    live->next_free = observe->free_spans;
    observe->free_spans = live;
    observe->spans_open--;
}

void hyi_spans_free(hy_observe *observe) {
    observe->free_spans = NULL;
    for (hyi_live_span *live; (live = observe->made_spans) != NULL;) {
        observe->made_spans = live->next_made;
        hy_mem_free(observe->mem, live, sizeof *live);
    }
}

// ---- what a program says of its span ----

static hy_log_field *span_field(hyi_live_span *live, const char *name) {
    for (uint32_t i = 0; i < live->field_count; i++)
        if (strcmp(live->fields[i].name, name) == 0) return &live->fields[i];
    if (live->field_count >= HY_SPAN_FIELDS_MAX) return NULL;
    return &live->fields[live->field_count++];
}

void hy_span_set(hy_log_field field) {
    hy_observe *observe = hy_observe_here();
    hyi_live_span *live = observe ? hyi_span_of(hy_scope_current()) : NULL;
    hy_log_field *place = live ? span_field(live, field.name) : NULL;
    if (!place) return;
    size_t index = (size_t)(place - live->fields);
    (void)hyi_keep_fields(place, 1, live->texts[index], sizeof live->texts[index], &field, 1);
}

void hy_span_event(const char *text) {
    hy_observe *observe = hy_observe_here();
    if (!observe) return;
    hy_scope *scope = hy_scope_current();
    hyi_live_span *live = hyi_span_of(scope);
    if (live) live->events++;
    hyi_log_to(observe, scope, HY_LEVEL_TRACE, text, NULL, 0);
}

bool hy_span_next(const hy_observe *observe, bool slow, uint64_t *cursor, hy_span *out_span) {
    const hyi_span_ring *ring = slow ? &observe->slow : &observe->spans;
    uint64_t oldest = ring->next > ring->capacity ? ring->next - ring->capacity : 1;
    uint64_t number = *cursor + 1 > oldest ? *cursor + 1 : oldest;
    if (number >= ring->next) return false;
    *out_span = ring->slots[number % ring->capacity].span;
    *cursor = number;
    return true;
}
