// stage.h - what the stages of a flow share.                       Room: flow. Includes: scope.
// Threads: the world's.
//
// A flow is a tree of stages: sources at the top, one stage at the bottom that somebody asks. Each
// stage embeds a hy_flow first and has two functions. `next` asks the stages above by hy_flow_next.
// `shut` lets go of what the stage holds outside (a channel, a fiber) and is called once; the
// stages above are shut by the caller.
//
//     open --error of its own, end, shut from below--> ended --close, end of the scope--> freed
//
// `ended` alone says whether an error is the end: HY_TIMEOUT and a caller's cancellation are not.
#ifndef HYI_FLOW_STAGE_H
#define HYI_FLOW_STAGE_H

#include <hypha/flow.h>

typedef struct hyi_stage {
    const char *name;
    hy_err (*next)(hy_flow *flow, void *out_item, hy_ns deadline);
    // NULL: holds nothing. `scope_ends`: the scope's tasks and services have ended already.
    void (*shut)(hy_flow *flow, bool scope_ends);
} hyi_stage;

struct hy_flow {
    const hyi_stage *stage;
    hy_scope *scope;
    hy_mem *mem;
    size_t size, item_size; // size: of the whole stage
    hy_flow *above;         // of stages with one above
    hy_flow **aboves;       // all of them; &above where there is one
    uint32_t above_count;
    bool ended, is_shut;
    bool asked; // somebody is in its next
    hy_err end_err;
};

// Storage of `size` bytes, cleared behind the hy_flow, for a stage of `scope` below `above` (NULL:
// none). The stage fills in the rest, then calls hyi_flow_keep. HY_NOMEM: `above` is closed.
HY_CHECKED hy_err hyi_flow_new(hy_scope *scope, const hyi_stage *stage, size_t size,
                               size_t item_size, hy_flow *above, hy_flow **out_flow);
// Gives it to its scope. On an error it is closed, with what is above.
HY_CHECKED hy_err hyi_flow_keep(hy_flow *flow, hy_flow **out_flow);

// The stage ends here and now: the stages above are shut. Gives `err`.
hy_err hyi_flow_end(hy_flow *flow, hy_err err);

// For `next` of stages with one above: its answer, and its end is this one's too.
static inline hy_err hyi_flow_ask(hy_flow *flow, void *out_item, hy_ns deadline) {
    hy_err err = hy_flow_next(flow->above, out_item, deadline);
    return err != HY_OK && flow->above->ended ? hyi_flow_end(flow, err) : err;
}

#endif
