// flow_merge.c - several flows as one, in the order in which items come.
//
// Asking a flow may wait, so each of the flows above has a fiber that asks it: a pump. It asks for
// one item, stands in line with it, and asks for the next only when the merge is asked again. So an
// item is valid until the next question, as everywhere, and the merge holds one item of each flow.
// The end of a flow stands in line like an item, behind what came before it.
//
// The pumps run in a service of the flow's scope, which is started by the first question. Not as
// tasks: a scope waits for its tasks before it ends, and nobody may ever ask for what a pump has
// taken. Services end after the tasks, and before the stages are released.
//
//     asking --item--> in line --given--> held --next question--> asking
//     asking --end or error--> in line --told--> over
#include "flow/stage.h"

#include "scope/list.h"
#include "scope/wait.h"

#include <string.h>

#define MERGE_MAX 64u

typedef struct merge_stage merge_stage;

typedef enum merge_state { MERGE_ASKING, MERGE_IN_LINE, MERGE_HELD, MERGE_OVER } merge_state;

typedef struct merge_pump {
    merge_stage *merge;
    hy_flow *above;
    merge_state state;
    hyi_link in_line;
    hy_err err; // HY_OK: `item` is there
    void *item;
    hy_event go; // ask for the next
} merge_pump;

struct merge_stage {
    hy_flow flow;
    hy_merge_end end;
    hy_service *service;   // once it has been asked
    bool serving;          // the service's function runs
    hy_err serving_err;    // it could not start all pumps
    uint32_t asking_count; // flows that have not ended
    hyi_list line;         // pumps, in order of arrival
    merge_pump *given;     // whose item was given last; goes on with the next question
    hyi_wait *waiting;     // of the fiber that asks; NULL: it does not wait
    merge_pump pumps[];
};

typedef struct merge_wait {
    hyi_wait wait;
    merge_stage *merge;
} merge_wait;

static hy_err merge_next(hy_flow *flow, void *out_item, hy_ns deadline);
static void merge_shut(hy_flow *flow, bool scope_ends);
static hy_err merge_begin(merge_stage *merge);
static hy_err merge_give(merge_stage *merge, merge_pump *pump, void *out_item);
static hy_err merge_serve(void *arg);
static hy_err merge_pump_run(void *arg);
static void merge_wake(merge_stage *merge);
static hy_err merge_wait_for(merge_stage *merge, hy_ns deadline, bool firm);

hy_err hy_flow_merge(hy_flow *const *from, uint32_t count, hy_merge_end end, hy_flow **out_flow) {
    static const hyi_stage stage = { "merge", merge_next, merge_shut };
    HY_ASSERT(count > 0);
    size_t item_size = from[0]->item_size;
    size_t item_room = (item_size + 15) & ~(size_t)15;
    size_t front = (sizeof(merge_stage) + count * sizeof(merge_pump) + 15) & ~(size_t)15;
    size_t size = front + count * (item_room + sizeof(hy_flow *));
    hy_flow *flow;
    hy_err err = count <= MERGE_MAX ? HY_OK : HY_LIMIT;
    if (err == HY_OK) err = hyi_flow_new(from[0]->scope, &stage, size, item_size, NULL, &flow);
    if (err != HY_OK) {
        for (uint32_t i = 0; i < count; i++) {
            hy_flow_close(from[i]);
        }
        return err;
    }
    merge_stage *merge = (merge_stage *)flow;
    merge->end = end;
    merge->asking_count = count;
    hyi_list_init(&merge->line);
    uint8_t *items = (uint8_t *)flow + front;
    flow->aboves = (hy_flow **)(void *)(items + count * item_room);
    flow->above_count = count;
    for (uint32_t i = 0; i < count; i++) {
        HY_ASSERT(from[i]->item_size == item_size);
        HY_ASSERT(from[i]->scope == flow->scope);
        flow->aboves[i] = from[i];
        merge->pumps[i] =
            (merge_pump){ .merge = merge, .above = from[i], .item = items + i * item_room };
        hyi_list_init(&merge->pumps[i].in_line);
    }
    return hyi_flow_keep(flow, out_flow);
}

// ---- who asks -----------------------------------------------------------------------------------

static hy_err merge_next(hy_flow *flow, void *out_item, hy_ns deadline) {
    merge_stage *merge = (merge_stage *)flow;
    if (merge->service == NULL) {
        hy_err err = merge_begin(merge);
        if (err != HY_OK) return err == hy_check() ? err : hyi_flow_end(flow, err);
    }
    if (merge->given != NULL) hy_event_set(&merge->given->go);
    merge->given = NULL;
    for (;;) {
        hyi_link *first = hyi_list_first(&merge->line);
        if (first != NULL) {
            merge_pump *pump = HYI_HOLDER(merge_pump, in_line, first);
            hyi_list_remove(first);
            hy_err err = merge_give(merge, pump, out_item);
            if (err == HY_OK || flow->ended) return err;
        } else if (!merge->serving) {
            return hyi_flow_end(flow, merge->serving_err);
        } else {
            hy_err err = merge_wait_for(merge, deadline, false);
            if (err != HY_OK) return err;
        }
    }
}

static hy_err merge_begin(merge_stage *merge) {
    merge->serving_err = HY_CLOSED; // the service ends before the pumps do: it was stopped
    const hy_service_spec spec = {
        .size = sizeof(hy_service_spec),
        .name = "merge",
        .fn = merge_serve,
        .arg = merge,
        .restart = HY_TEMPORARY,
        .stop_max = 1, // nothing to finish
    };
    return hy_start(merge->flow.scope, &spec, &merge->service);
}

// HY_END without the flow's end: one of several has ended.
static hy_err merge_give(merge_stage *merge, merge_pump *pump, void *out_item) {
    pump->state = pump->err == HY_OK ? MERGE_HELD : MERGE_OVER;
    if (pump->err == HY_OK) {
        memcpy(out_item, pump->item, merge->flow.item_size);
        merge->given = pump;
        return HY_OK;
    }
    merge->asking_count--;
    if (pump->err != HY_END || merge->end == HY_MERGE_FIRST || merge->asking_count == 0) {
        return hyi_flow_end(&merge->flow, pump->err);
    }
    return HY_END;
}

// The pumps must be gone before the stages above are; so this waits for them even where the fiber
// has been cancelled. They have been told, and give way where they wait.
static void merge_shut(hy_flow *flow, bool scope_ends) {
    merge_stage *merge = (merge_stage *)flow;
    hy_service *service = merge->service;
    merge->service = NULL;
    if (service == NULL || scope_ends) return;
    (void)hy_service_stop(service, 1);
    while (merge->serving) {
        (void)merge_wait_for(merge, HY_NEVER, true);
    }
}

static void merge_unhook(hyi_wait *wait) {
    HYI_HOLDER(merge_wait, wait, wait)->merge->waiting = NULL;
}

static hy_err merge_wait_for(merge_stage *merge, hy_ns deadline, bool firm) {
    HY_ASSERT(merge->waiting == NULL);
    merge_wait wait = {
        .wait = { .unhook = merge_unhook, .what = "merge", .deadline = deadline, .firm = firm },
        .merge = merge,
    };
    merge->waiting = &wait.wait;
    return hyi_park(&wait.wait);
}

static void merge_wake(merge_stage *merge) {
    hyi_wait *wait = merge->waiting;
    merge->waiting = NULL;
    if (wait != NULL) hyi_wake(wait->task, HY_OK);
}

// ---- who pumps ----------------------------------------------------------------------------------

static hy_err merge_serve(void *arg) {
    merge_stage *merge = arg;
    merge->serving = true;
    hy_ready();
    const hy_spawn_options *options = HY_OPTIONS(hy_spawn, .name = "pump");
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "merge") {
        for (uint32_t i = 0; i < merge->flow.above_count && err == HY_OK; i++) {
            err = hy_spawn(scope, merge_pump_run, &merge->pumps[i], options, NULL);
        }
        if (err != HY_OK) break;
    }
    if (err != HY_OK && hy_check() == HY_OK) merge->serving_err = err;
    merge->serving = false;
    merge_wake(merge);
    return HY_OK;
}

// It may be a second life, when who asked was cancelled during the start: it goes on where it was.
static hy_err merge_pump_run(void *arg) {
    merge_pump *pump = arg;
    while (pump->state != MERGE_OVER) {
        if (pump->state == MERGE_ASKING) {
            pump->err = hy_flow_next(pump->above, pump->item, HY_NEVER);
            if (pump->err != HY_OK && !pump->above->ended) return HY_OK; // it is being stopped
            pump->state = MERGE_IN_LINE;
            hyi_list_append(&pump->merge->line, &pump->in_line);
            merge_wake(pump->merge);
        }
        if (pump->err != HY_OK || hy_event_wait(&pump->go) != HY_OK) return HY_OK;
        hy_event_clear(&pump->go);
        pump->state = MERGE_ASKING;
    }
    return HY_OK;
}
