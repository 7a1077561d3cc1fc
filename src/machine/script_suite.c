// script_suite.c - the machine that a test writes as it goes; see the header.
//
// The step is a pointer that changes between inputs, so this machine is not a function of its
// state: twin runs and replays work only while the test leaves the pointer alone.

#include "machine/script_suite.h"

HY_RECORD_DEFINE(script_item, SCRIPT_ITEM)
HY_RECORD_DEFINE(script_wide, SCRIPT_WIDE)

script_settings script;

static const hy_table script_tables[] = {
    [SCRIPT_ORDERED] = { .name = "item",
                         .row = &script_item_record,
                         .key_count = 1,
                         .ordered = true,
                         .rows_max = SCRIPT_ROWS_MAX },
    [SCRIPT_HASHED] = { .name = "thing",
                        .row = &script_item_record,
                        .key_count = 1,
                        .rows_max = SCRIPT_ROWS_MAX },
    [SCRIPT_WIDES] = { .name = "wide", .row = &script_wide_record, .key_count = 1 },
};
static const hy_input_kind script_inputs[] = {
    [SCRIPT_DO] = { .name = "do", .reply = &script_item_record },
    [SCRIPT_DONE] = { .name = "done", .internal = true },
    [SCRIPT_RANG] = { .name = "rang", .internal = true },
};
static const hy_action_kind script_actions[] = {
    [SCRIPT_TELL] = { .name = "tell", .body = &script_item_record },
    [SCRIPT_PAY] = { .name = "pay",
                     .body = &script_item_record,
                     .tracked = true,
                     .completion = SCRIPT_DONE },
};
static const hy_rejection script_rejections[] = {
    { NULL, NULL, 0 },
    [SCRIPT_NO] = { "NO", "no", 0 },
};

static hy_err script_run(hy_txn *txn, const hy_input *input) {
    return script.step(txn, input);
}

const hy_machine script_machine = {
    .name = "script",
    .version = 1,
    .tables = script_tables,
    .table_count = HY_COUNT_OF(script_tables),
    .inputs = script_inputs,
    .input_count = HY_COUNT_OF(script_inputs),
    .actions = script_actions,
    .action_count = HY_COUNT_OF(script_actions),
    .rejections = script_rejections,
    .rejection_count = HY_COUNT_OF(script_rejections),
    .step = script_run,
};

void scripted_deinit(scripted *s) {
    s->state = hy_state_free(s->state);
}

hy_err scripted_init(hy_mem *mem, const hy_state_options *options, scripted *s) {
    return hy_state_new(mem, &script_machine, options, &s->state, NULL);
}

hy_err scripted_send(scripted *s, uint32_t kind, uint64_t action_id, hy_bytes key,
                     hy_err (*step)(hy_txn *txn, const hy_input *input)) {
    hy_input input = {
        .seq = hy_state_seq(s->state) + 1, .kind = kind, .action_id = action_id, .key = key
    };
    script.step = step;
    return hy_state_step(s->state, &input, &s->outcome);
}

hy_err scripted_do(scripted *s, hy_err (*step)(hy_txn *txn, const hy_input *input)) {
    return scripted_send(s, SCRIPT_DO, 0, (hy_bytes){ NULL, 0 }, step);
}

const script_item *scripted_item(const scripted *s, uint32_t table, uint64_t id) {
    return hy_row_get(hy_state_view(s->state), table, &(script_item){ .id = id });
}
