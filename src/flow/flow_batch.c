// flow_batch.c - items in batches: as many as fit, or as many as came in time.
//
// The time runs from the first item of a batch, and is the deadline of the questions that follow
// it. What has been taken stays in the stage when a question ends early (a deadline, a cancelled
// caller), and the next one goes on from there.
#include "flow/stage.h"

typedef struct batch_stage {
    hy_flow flow;
    uint32_t count, count_max;
    bool given; // the items are those of the batch that was given last
    hy_ns wait_max;
    hy_ns due; // of the batch; once it has an item
    max_align_t items[];
} batch_stage;

static hy_ns batch_now(const batch_stage *batch) {
    return hy_world_now(hy_scope_world(batch->flow.scope));
}

static hy_ns batch_due(const batch_stage *batch) {
    return hy_ns_add(batch_now(batch), batch->wait_max);
}

// HY_OK: the batch is to be given.
static hy_err batch_fill(batch_stage *batch, hy_ns deadline) {
    hy_flow *above = batch->flow.above;
    while (batch->count < batch->count_max) {
        bool is_due_first = batch->count > 0 && batch->due < deadline;
        void *item = (uint8_t *)batch->items + batch->count * above->item_size;
        hy_err err = hy_flow_next(above, item, is_due_first ? batch->due : deadline);
        if (err == HY_OK) {
            if (batch->count++ == 0) batch->due = batch_due(batch);
            continue;
        }
        if (above->ended) return batch->count > 0 ? HY_OK : hyi_flow_end(&batch->flow, err);
        bool is_due = is_due_first && err == HY_TIMEOUT && hy_check() == HY_OK;
        return is_due ? HY_OK : err;
    }
    return HY_OK;
}

static hy_err batch_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    batch_stage *batch = (batch_stage *)flow;
    if (batch->given) batch->count = 0;
    batch->given = false;
    hy_err err = batch_fill(batch, deadline);
    if (err != HY_OK) return err;
    batch->given = true;
    *(hy_items *)out_item = (hy_items){ batch->items, batch->count };
    return HY_OK;
}

hy_err hy_flow_batch(hy_flow *from, uint32_t count_max, hy_ns wait_max, hy_flow **out_flow) {
    static const hyi_stage stage = { "batch", batch_next, NULL };
    HY_ASSERT(count_max > 0);
    hy_flow *flow;
    size_t size = sizeof(batch_stage) + (size_t)count_max * from->item_size;
    hy_err err = hyi_flow_new(from->scope, &stage, size, sizeof(hy_items), from, &flow);
    if (err != HY_OK) return err;
    ((batch_stage *)flow)->count_max = count_max;
    ((batch_stage *)flow)->wait_max = wait_max;
    return hyi_flow_keep(flow, out_flow);
}
