// action.c - what a step wants done outside: emitted, filed in the ledger, taken out again.
//
// A tracked action and its ledger row are born in one transaction; its completion takes the row out
// in the transaction that it starts. So after any crash the ledger is exactly what is still owed,
// and a second completion finds nothing to complete.

#include "machine/state.h"

// Encodes the body into the step's arena. Failure sticks.
static hy_bytes action_encode(hy_txn *txn, const hy_record *record, const void *body) {
    if (record == NULL) return (hy_bytes){ NULL, 0 };
    hy_buf *scratch = &txn->state->scratch;
    hy_buf_clear(scratch);
    hy_err err = hy_wire_encode(record, body, scratch);
    if (err != HY_OK) {
        hyi_txn_fail(txn, err);
        return (hy_bytes){ NULL, 0 };
    }
    bool copied = false;
    hy_bytes bytes = hy_arena_copy(&txn->state->arena, hy_buf_bytes(scratch), &copied);
    if (!copied) hyi_txn_fail(txn, HY_NOMEM);
    return bytes;
}

static uint64_t action_file(hy_txn *txn, hy_action action) {
    hy_state *state = txn->state;
    if (state->action_count == HY_ACTIONS_PER_STEP) hyi_txn_fail(txn, HY_LIMIT);
    action.id = hy_row_next_id(txn, HY_LEDGER);
    if (action.tracked) {
        hy_ledger_row row = { .id = action.id,
                              .seq = txn->input->seq,
                              .due = action.due,
                              .kind = action.kind,
                              .body = action.body };
        hy_row_insert(txn, HY_LEDGER, &row);
    }
    if (txn->failed != HY_OK) return 0;
    state->actions[state->action_count++] = action;
    return action.id;
}

uint64_t hy_action_emit(hy_txn *txn, uint32_t kind, const void *body) {
    const hy_machine *machine = txn->state->machine;
    HY_ASSERT(kind < machine->action_count);
    if (txn->failed != HY_OK) return 0;
    const hy_action_kind *action = &machine->actions[kind];
    hy_bytes bytes = action_encode(txn, action->body, body);
    return action_file(txn, (hy_action){ .kind = kind, .tracked = action->tracked, .body = bytes });
}

uint64_t hy_action_at(hy_txn *txn, uint32_t input_kind, hy_ns due, const void *body) {
    const hy_machine *machine = txn->state->machine;
    HY_ASSERT(input_kind < machine->input_count && machine->inputs[input_kind].internal);
    if (txn->failed != HY_OK) return 0;
    // A timer is told from an action by its due; one that is due at 1970 is due at once all the
    // same.
    hy_ns when = due == 0 ? 1 : due;
    hy_bytes bytes = action_encode(txn, machine->inputs[input_kind].body, body);
    return action_file(
        txn, (hy_action){ .kind = input_kind, .due = when, .tracked = true, .body = bytes });
}

// What this very step emitted is taken back as a whole: nothing may be done that the ledger does
// not know.
bool hy_action_cancel(hy_txn *txn, uint64_t action_id) {
    hy_state *state = txn->state;
    if (!hy_row_delete(txn, HY_LEDGER, &(hy_ledger_row){ .id = action_id })) return false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->action_count; i++) {
        if (state->actions[i].id != action_id) state->actions[kept++] = state->actions[i];
    }
    state->action_count = kept;
    return true;
}

bool hy_action_is_pending(const hy_view *view, uint64_t action_id) {
    return hy_row_get(view, HY_LEDGER, &(hy_ledger_row){ .id = action_id }) != NULL;
}
