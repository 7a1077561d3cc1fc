// flow.c - flows: how stages are made, asked, ended and freed; map, filter, take.
//
// Nothing here runs by itself. To ask a flow is to call down a chain of functions, and the only
// stages with fibers of their own are merges (flow_merge.c). Ending goes the other way: a stage
// that ends shuts what is above it at once, so that whoever feeds the source hears of it (HY_CLOSED
// from hy_send), and those below find out when they ask next.
//
// Each stage is owned by its scope, later ones below earlier ones, so the scope's end releases them
// from the bottom up. hy_flow_close does the same early.
#include "flow/stage.h"

#include <string.h>

static void flow_shut(hy_flow *flow, bool scope_ends);
static void flow_free(hy_flow *flow);
static void flow_release(void *object);

// ---- stages -------------------------------------------------------------------------------------

hy_err hyi_flow_new(hy_scope *scope, const hyi_stage *stage, size_t size, size_t item_size,
                    hy_flow *above, hy_flow **out_flow) {
    hy_mem *mem = hy_scope_mem(scope);
    hy_flow *flow = mem != NULL ? hy_mem_alloc_zero(mem, size) : NULL;
    if (flow == NULL) {
        hy_flow_close(above);
        return HY_NOMEM;
    }
    *flow = (hy_flow){
        .stage = stage,
        .scope = scope,
        .mem = mem,
        .size = size,
        .item_size = item_size,
        .above = above,
        .above_count = above != NULL,
    };
    flow->aboves = &flow->above;
    *out_flow = flow;
    return HY_OK;
}

hy_err hyi_flow_keep(hy_flow *flow, hy_flow **out_flow) {
    hy_flow *above = flow->above;
    hy_err err = hy_own(flow->scope, flow, flow_release, 0);
    if (err != HY_OK) {
        hy_flow_close(above);
        return err;
    }
    *out_flow = flow;
    return HY_OK;
}

static void flow_free(hy_flow *flow) {
    hy_mem_free(flow->mem, flow, flow->size);
}

// The scope's: at its end, or because hy_flow_close says so; then it has been shut.
static void flow_release(void *object) {
    hy_flow *flow = object;
    flow_shut(flow, true);
    flow_free(flow);
}

static void flow_shut(hy_flow *flow, bool scope_ends) {
    if (flow->is_shut) return;
    flow->is_shut = true;
    if (!flow->ended) {
        flow->ended = true;
        flow->end_err = HY_CLOSED;
    }
    if (flow->stage->shut != NULL) flow->stage->shut(flow, scope_ends);
    for (uint32_t i = 0; i < flow->above_count; i++) {
        flow_shut(flow->aboves[i], scope_ends);
    }
}

hy_err hyi_flow_end(hy_flow *flow, hy_err err) {
    if (!flow->ended) {
        flow->ended = true;
        flow->end_err = err;
        flow_shut(flow, false);
    }
    return flow->end_err;
}

hy_err hy_flow_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    if (flow->ended) return flow->end_err;
    HY_ASSERT(!flow->asked);
    flow->asked = true;
    err = flow->stage->next(flow, out_item, deadline);
    flow->asked = false;
    return err;
}

void hy_flow_close(hy_flow *flow) {
    if (flow == NULL) return;
    HY_ASSERT(!flow->asked);
    flow_shut(flow, false);
    for (uint32_t i = 0; i < flow->above_count; i++) {
        hy_flow_close(flow->aboves[i]);
    }
    hy_err err = hy_release(flow->scope, flow);
    HY_ASSERT(err == HY_OK);
}

// ---- map ----------------------------------------------------------------------------------------

typedef struct flow_mapped {
    hy_flow flow;
    hy_err (*fn)(void *arg, const void *item, void *out_item);
    void *arg;
    bool has_item; // taken, and `fn` has not answered for it
    max_align_t item[];
} flow_mapped;

// A call that was cut short by the caller's cancellation is made again for whoever asks next; its
// item would be lost otherwise.
static hy_err flow_map_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    flow_mapped *mapped = (flow_mapped *)flow;
    if (!mapped->has_item) {
        hy_err err = hyi_flow_ask(flow, mapped->item, deadline);
        if (err != HY_OK) return err;
        mapped->has_item = true;
    }
    hy_err err = mapped->fn(mapped->arg, mapped->item, out_item);
    if (err != HY_OK && hy_check() != HY_OK) return err;
    mapped->has_item = false;
    return err == HY_OK ? HY_OK : hyi_flow_end(flow, err);
}

hy_err hy_flow_map(hy_flow *from, size_t item_size,
                   hy_err (*fn)(void *arg, const void *item, void *out_item), void *arg,
                   hy_flow **out_flow) {
    static const hyi_stage stage = { "map", flow_map_next, NULL };
    hy_flow *flow;
    hy_err err = hyi_flow_new(from->scope, &stage, sizeof(flow_mapped) + from->item_size, item_size,
                              from, &flow);
    if (err != HY_OK) return err;
    flow_mapped *mapped = (flow_mapped *)flow;
    mapped->fn = fn;
    mapped->arg = arg;
    return hyi_flow_keep(flow, out_flow);
}

// ---- filter -------------------------------------------------------------------------------------

typedef struct flow_filtered {
    hy_flow flow;
    bool (*fn)(void *arg, const void *item);
    void *arg;
} flow_filtered;

static hy_err flow_filter_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    flow_filtered *filtered = (flow_filtered *)flow;
    for (;;) {
        hy_err err = hyi_flow_ask(flow, out_item, deadline);
        if (err != HY_OK || filtered->fn(filtered->arg, out_item)) return err;
    }
}

hy_err hy_flow_filter(hy_flow *from, bool (*fn)(void *arg, const void *item), void *arg,
                      hy_flow **out_flow) {
    static const hyi_stage stage = { "filter", flow_filter_next, NULL };
    hy_flow *flow;
    hy_err err =
        hyi_flow_new(from->scope, &stage, sizeof(flow_filtered), from->item_size, from, &flow);
    if (err != HY_OK) return err;
    flow_filtered *filtered = (flow_filtered *)flow;
    filtered->fn = fn;
    filtered->arg = arg;
    return hyi_flow_keep(flow, out_flow);
}

// ---- take ---------------------------------------------------------------------------------------

typedef struct flow_taken {
    hy_flow flow;
    uint64_t left;
} flow_taken;

// The source is let go with the last item, not when somebody asks for one more.
static hy_err flow_take_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    flow_taken *taken = (flow_taken *)flow;
    if (taken->left == 0) return hyi_flow_end(flow, HY_END);
    hy_err err = hyi_flow_ask(flow, out_item, deadline);
    if (err != HY_OK) return err;
    if (--taken->left == 0) (void)hyi_flow_end(flow, HY_END);
    return HY_OK;
}

hy_err hy_flow_take(hy_flow *from, uint64_t count, hy_flow **out_flow) {
    static const hyi_stage stage = { "take", flow_take_next, NULL };
    hy_flow *flow;
    hy_err err =
        hyi_flow_new(from->scope, &stage, sizeof(flow_taken), from->item_size, from, &flow);
    if (err != HY_OK) return err;
    ((flow_taken *)flow)->left = count;
    return hyi_flow_keep(flow, out_flow);
}
