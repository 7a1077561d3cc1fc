// flow_source.c - where flows begin: a function, a channel, an array; and flowing into a channel.
//
// A source that gives an error ends there, except for two that only mean "not now": HY_TIMEOUT when
// the deadline has indeed come, and the reason of a cancelled caller.
#include "flow/stage.h"

#include <string.h>

#define SOURCE_ITEM_FEW 256

// ---- a function ---------------------------------------------------------------------------------

typedef struct source_own {
    hy_flow flow;
    hy_flow_source source;
} source_own;

static hy_err source_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    const hy_flow_source *source = &((source_own *)flow)->source;
    hy_err err = source->next(source->self, out_item, deadline);
    if (err == HY_OK || err == hy_check()) return err;
    if (err == HY_TIMEOUT && deadline <= hy_world_now(hy_scope_world(flow->scope))) return err;
    return hyi_flow_end(flow, err);
}

static void source_shut(hy_flow *flow, bool scope_ends) {
    (void)scope_ends;
    const hy_flow_source *source = &((source_own *)flow)->source;
    if (source->close != NULL) source->close(source->self);
}

hy_err hy_flow_open(hy_scope *scope, size_t item_size, const hy_flow_source *source,
                    hy_flow **out_flow) {
    static const hyi_stage stage = { "source", source_next, source_shut };
    hy_flow *flow;
    hy_err err = hyi_flow_new(scope, &stage, sizeof(source_own), item_size, NULL, &flow);
    if (err != HY_OK) {
        if (source->close != NULL) source->close(source->self);
        return err;
    }
    ((source_own *)flow)->source = *source;
    return hyi_flow_keep(flow, out_flow);
}

// ---- a channel ----------------------------------------------------------------------------------

typedef struct source_chan {
    hy_flow flow;
    hy_chan *chan;
} source_chan;

static hy_err source_chan_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    hy_case one = { .chan = ((source_chan *)flow)->chan, .recv = out_item };
    if (deadline == HY_NEVER) {
        one.err = hy_recv(one.chan, out_item);
        if (one.err == hy_check()) return one.err;
    } else {
        uint32_t index;
        hy_err err = hy_select(&one, 1, deadline, &index);
        if (err != HY_OK) return err;
    }
    return one.err == HY_OK ? HY_OK : hyi_flow_end(flow, one.err);
}

static void source_chan_shut(hy_flow *flow, bool scope_ends) {
    (void)scope_ends;
    hy_chan_close(((source_chan *)flow)->chan);
}

hy_err hy_flow_of_chan(hy_scope *scope, hy_chan *chan, hy_flow **out_flow) {
    static const hyi_stage stage = { "channel", source_chan_next, source_chan_shut };
    hy_flow *flow;
    size_t item_size = hy_chan_state_of(chan).item_size;
    hy_err err = hyi_flow_new(scope, &stage, sizeof(source_chan), item_size, NULL, &flow);
    if (err != HY_OK) {
        hy_chan_close(chan);
        return err;
    }
    ((source_chan *)flow)->chan = chan;
    return hyi_flow_keep(flow, out_flow);
}

// ---- an array -----------------------------------------------------------------------------------

typedef struct source_array {
    hy_flow flow;
    const uint8_t *items;
    size_t left;
} source_array;

static hy_err source_array_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    (void)deadline;
    source_array *array = (source_array *)flow;
    if (array->left == 0) return hyi_flow_end(flow, HY_END);
    memcpy(out_item, array->items, flow->item_size);
    array->items += flow->item_size;
    array->left--;
    return HY_OK;
}

hy_err hy_flow_of_array(hy_scope *scope, const void *items, size_t item_size, size_t count,
                        hy_flow **out_flow) {
    static const hyi_stage stage = { "array", source_array_next, NULL };
    hy_flow *flow;
    hy_err err = hyi_flow_new(scope, &stage, sizeof(source_array), item_size, NULL, &flow);
    if (err != HY_OK) return err;
    ((source_array *)flow)->items = items;
    ((source_array *)flow)->left = count;
    return hyi_flow_keep(flow, out_flow);
}

// ---- into a channel -----------------------------------------------------------------------------

static hy_err source_pour(hy_flow *from, hy_chan *chan, void *item) {
    for (;;) {
        hy_err err = hy_flow_next(from, item, HY_NEVER);
        if (err == HY_OK) err = hy_send(chan, item);
        if (err != HY_OK) return err;
    }
}

hy_err hy_flow_into(hy_flow *from, hy_chan *chan) {
    HY_ASSERT(from->item_size == hy_chan_state_of(chan).item_size);
    max_align_t few[SOURCE_ITEM_FEW / sizeof(max_align_t)];
    bool is_few = from->item_size <= sizeof few;
    hy_mem *mem = from->mem;
    size_t item_size = from->item_size;
    void *item = is_few ? few : hy_mem_alloc(mem, item_size);
    hy_err err = item != NULL ? source_pour(from, chan, item) : HY_NOMEM;
    if (!is_few) hy_mem_free(mem, item, item_size);
    if (err == HY_END) err = HY_OK;
    hy_flow_close(from);
    if (err == HY_OK) {
        hy_chan_close(chan);
    } else {
        hy_chan_fail(chan, err);
    }
    return err;
}
