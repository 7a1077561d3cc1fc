// step.c - one input becomes one step, or nothing.
//
//   admit     known kind, not answered before, its action still in the ledger
//   attempt   the machine's function, on logged writes (twice, in test builds)
//   refuse    rolled back; a rejection is remembered for the key, and uses up a completed action
//   settle    digest, invariants, answer, chain, journal entry; then the step is kept
//
// Settling may still refuse (a veto, no memory): then the step is rolled back like any other.

#include "machine/state.h"

#include "base/digest.h"

// ---- admit ----

static hy_err step_recall(hy_state *state, const hy_input *input, hy_outcome *out) {
    if (input->key.len > HY_KEY_BYTES_MAX) return HY_TOO_LARGE;
    const hy_answer_row *answer = hyi_answer_find(state, input->key);
    if (answer == NULL) return HY_OK;
    uint64_t body_digest = hyi_answer_body_digest(state, input);
    if (body_digest == 0) return HY_NOMEM;
    if (body_digest != answer->body_digest) return HY_KEY_REUSED;
    out->duplicate = true;
    out->rejection = answer->rejection;
    out->reply = answer->reply;
    return (hy_err)answer->err;
}

// Is the action still owed, and is this the input that it waits for? Remembers where it lies.
static hy_err step_check_completion(hy_state *state, const hy_input *input) {
    const hyi_rows *ledger = state->tables[HY_LEDGER];
    uint32_t slot = hyi_rows_find(ledger, (hyi_key){ 0, input->action_id });
    state->owed_slot = slot;
    if (slot == HYI_NO_SLOT || !hyi_rows_is_live(ledger, slot)) {
        const hy_view *view = hyi_view_of(state);
        const hy_counter_row *counter =
            hy_row_get(view, HY_COUNTER, &(hy_counter_row){ .of_table = HY_LEDGER });
        bool existed = counter != NULL && input->action_id > 0 && input->action_id < counter->next;
        return existed ? HY_ALREADY_DONE : HY_NOT_FOUND;
    }
    const hy_ledger_row *row = hyi_rows_row(ledger, slot);
    uint32_t expected = row->kind;
    if (row->due == 0) {
        if (row->kind >= state->machine->action_count) return HY_UNKNOWN_KIND; // stored by another
        expected = state->machine->actions[row->kind].completion;
    }
    return expected == input->kind ? HY_OK : HY_UNKNOWN_KIND;
}

static hy_err step_admit(hy_state *state, const hy_input *input, hy_outcome *out) {
    const hy_machine *machine = state->machine;
    if (state->halted_by != NULL) {
        out->invariant = state->halted_by;
        return HY_HALTED;
    }
    if (input->kind >= machine->input_count) return HY_UNKNOWN_KIND;
    HY_ASSERT(input->seq > state->seq);
    HY_ASSERT((machine->inputs[input->kind].body == NULL) == (input->body == NULL));
    if (input->key.len > 0) {
        hy_err err = step_recall(state, input, out);
        if (err != HY_OK || out->duplicate) return err;
    }
    if (machine->inputs[input->kind].internal) return step_check_completion(state, input);
    return HY_OK;
}

// ---- attempt ----

static void step_begin(hy_state *state, const hy_input *input) {
    hyi_undo_begin(state);
    state->action_count = 0;
    state->txn = (hy_txn){ .state = state, .input = input, .random = input->random };
    if (state->machine->inputs[input->kind].internal) {
        hyi_txn_delete(&state->txn, HY_LEDGER, state->owed_slot);
    }
}

static hy_err step_attempt(hy_state *state, const hy_input *input) {
    step_begin(state, input);
    state->stepping = true;
    hy_err err = state->machine->step(&state->txn, input);
    state->stepping = false;
    if (state->txn.failed != HY_OK) err = state->txn.failed;
    if (err != HY_REJECT) state->txn.rejection = 0; // it thought of a no, and thought better of it
    return err;
}

// Everything by which two runs of one step could differ.
static uint64_t step_print(const hy_state *state, hy_err err) {
    uint64_t print = hyi_chain((uint64_t)err, state->txn.rejection);
    uint64_t end = hyi_queue_end(&state->undo.entries);
    for (uint64_t at = state->undo.entries_first; at < end; at++) {
        const hyi_undo_entry *entry = hyi_undo_entry_at(&state->undo, at);
        const hyi_rows *rows = state->tables[entry->table];
        hy_change change = hyi_undo_change(state, entry);
        uint64_t row = change.after == NULL ? 0 : hyi_layout_digest(&rows->layout, change.after);
        print = hyi_chain(print, hyi_chain(entry->table, row));
    }
    for (uint32_t i = 0; i < state->action_count; i++) {
        const hy_action *action = &state->actions[i];
        print = hyi_chain(
            print, hyi_digest(action->id + action->kind, action->body.ptr, action->body.len) +
                       (uint64_t)action->due);
    }
    return hyi_digest(print, state->txn.reply.ptr, state->txn.reply.len);
}

static hy_err step_attempt_twice(hy_state *state, const hy_input *input) {
    hy_err err = step_attempt(state, input);
    if (err == HY_NOMEM) return err; // memory is not input: the second run might find some
    uint64_t first = step_print(state, err);
    hyi_undo_cancel(state);
    err = step_attempt(state, input);
    if (err == HY_NOMEM || step_print(state, err) == first) return err;
    return HY_NONDETERMINISTIC;
}

// ---- settle ----

// A step that wrote a key field would leave a journal that no state can load. For an updated row
// that is cheap to see, always; a new one must be searched for.
static bool step_old_key_is_kept(const hyi_layout *layout, const hy_change *change) {
    if (change->before == NULL || change->after == NULL) return true;
    return hyi_key_equal(hyi_layout_key(layout, change->before),
                         hyi_layout_key(layout, change->after));
}

static bool step_new_key_is_kept(const hyi_rows *rows, const hy_change *change) {
    if (change->before != NULL || change->after == NULL) return true;
    uint32_t slot = hyi_rows_find(rows, hyi_layout_key(&rows->layout, change->after));
    return slot != HYI_NO_SLOT && hyi_rows_row(rows, slot) == change->after;
}

// The digest after the step, from the rows it touched. Failure sticks to the transaction.
static uint64_t step_digest(hy_state *state) {
    uint64_t digest = state->digest;
    for (uint32_t i = 0; i < state->change_count; i++) {
        const hy_change *change = &state->changes[i];
        if (!hyi_table_is_digested(change->table)) continue;
        const hyi_layout *layout = &state->tables[change->table]->layout;
        HY_ASSERT(step_old_key_is_kept(layout, change));
        HY_ASSERT_SLOW(step_new_key_is_kept(state->tables[change->table], change));
        HY_ASSERT_SLOW(hyi_txn_owns_blobs(state, change));
        if (change->before != NULL) digest -= hyi_layout_digest(layout, change->before);
        if (change->after != NULL) {
            void *row = (void *)(uintptr_t)change->after;
            if (hyi_txn_normalise(&state->txn, layout, row) != HY_OK) break;
            digest += hyi_layout_digest(layout, change->after);
        }
    }
    return digest;
}

static void step_underive(hy_state *state, uint32_t count) {
    for (uint32_t i = count; i > 0; i--) {
        hyi_derived_unchange(state, &state->changes[i - 1]);
    }
}

static hy_err step_derive(hy_state *state) {
    for (uint32_t i = 0; i < state->change_count; i++) {
        hy_err err = hyi_derived_change(state, &state->changes[i]);
        if (err == HY_OK) continue;
        step_underive(state, i);
        return err;
    }
    return HY_OK;
}

static hy_err step_check(hy_state *state, hy_outcome *out) {
    const hy_invariant *broken = NULL;
    hy_err err = hyi_invariants_check_touched(state, &broken);
    if (broken == NULL) return HY_OK;
    out->invariant = broken->name;
    if (err != HY_OK && broken->policy == HY_HALT) {
        state->halted_by = broken->name;
        return HY_HALTED;
    }
    return err;
}

static uint64_t step_chain(const hy_state *state, const hy_input *input, uint64_t digest,
                           hy_err err) {
    uint64_t chain = hyi_chain(state->chain, digest);
    chain = hyi_chain(chain, input->seq);
    chain = hyi_chain(chain, (uint64_t)err << 32 | state->txn.rejection);
    for (uint32_t i = 0; i < state->action_count; i++) {
        const hy_action *action = &state->actions[i];
        chain = hyi_digest(hyi_chain(chain, action->id), action->body.ptr, action->body.len);
    }
    return hyi_digest(chain, state->txn.reply.ptr, state->txn.reply.len);
}

static void step_seal(hy_state *state) {
    if (state->options.guard == NULL) return;
    uint64_t end = hyi_queue_end(&state->undo.entries);
    for (uint64_t at = state->undo.entries_first; at < end; at++) {
        const hyi_undo_entry *entry = hyi_undo_entry_at(&state->undo, at);
        hyi_rows_seal(state->tables[entry->table], entry->slot);
    }
}

static hy_err step_settle_checked(hy_state *state, const hy_input *input, hy_err err,
                                  hy_outcome *out) {
    hy_err failed = err == HY_OK ? step_check(state, out) : HY_OK;
    if (failed != HY_OK) return failed;

    hyi_undo_step kept = { .seq = input->seq,
                           .step = state->step,
                           .entries = state->undo.entries_first,
                           .bytes = state->undo.bytes_first,
                           .blobs = state->undo.blobs_first,
                           .seq_before = state->seq,
                           .digest_before = state->digest,
                           .chain_before = state->chain };
    uint64_t chain = step_chain(state, input, out->digest, err);
    if (state->options.record_entries) {
        failed = hyi_entry_build(state, input, err, out->digest, chain);
        if (failed != HY_OK) return failed;
        out->entry = hy_buf_bytes(&state->entry);
    }
    failed = hyi_undo_keep(state, &kept);
    if (failed != HY_OK) return failed;
    state->digest = out->digest;
    state->chain = chain;
    return HY_OK;
}

static hy_err step_settle(hy_state *state, const hy_input *input, uint64_t body_digest, hy_err err,
                          hy_outcome *out) {
    if (input->key.len > 0) hyi_answer_file(&state->txn, body_digest, err);
    hy_err failed = state->txn.failed;
    if (failed == HY_OK) failed = hyi_undo_collect(state);
    if (failed == HY_OK) {
        out->digest = step_digest(state);
        failed = state->txn.failed;
    }
    if (failed == HY_OK) failed = step_derive(state);
    if (failed == HY_OK) {
        failed = step_settle_checked(state, input, err, out);
        if (failed != HY_OK) step_underive(state, state->change_count);
    }
    if (failed != HY_OK) {
        state->change_count = 0;
        hyi_undo_cancel(state);
        state->action_count = 0;
        out->entry = (hy_bytes){ NULL, 0 };
        return failed;
    }
    state->seq = input->seq;
    step_seal(state);
    out->reply = state->txn.reply;
    out->actions = state->actions;
    out->action_count = state->action_count;
    return err;
}

// ---- the whole ----

// A rejection changes nothing, but is an answer to remember and an end of the action it completes.
static hy_err step_refuse(hy_state *state, const hy_input *input, uint64_t body_digest, hy_err err,
                          hy_outcome *out) {
    hyi_undo_cancel(state);
    uint32_t rejection = state->txn.rejection;
    state->action_count = 0;
    out->rejection = err == HY_REJECT ? rejection : 0;
    bool internal = state->machine->inputs[input->kind].internal;
    if (err != HY_REJECT || (input->key.len == 0 && !internal)) return err;
    step_begin(state, input);
    state->txn.rejection = rejection;
    return step_settle(state, input, body_digest, err, out);
}

hy_err hy_state_step(hy_state *state, const hy_input *input, hy_outcome *out_outcome) {
    hy_outcome *out = out_outcome;
    *out = (hy_outcome){ .digest = state->digest };
    if (!state->options.keep_undo) hy_state_release(state, UINT64_MAX);
    state->change_count = 0;
    hy_arena_reset(&state->arena);

    out->err = step_admit(state, input, out);
    if (out->err != HY_OK || out->duplicate) return out->err;
    uint64_t body_digest = input->key.len > 0 ? hyi_answer_body_digest(state, input) : 1;
    if (body_digest == 0) return out->err = HY_NOMEM;

    hy_err err =
        state->options.twin ? step_attempt_twice(state, input) : step_attempt(state, input);
    out->err = err == HY_OK ? step_settle(state, input, body_digest, err, out)
                            : step_refuse(state, input, body_digest, err, out);
    out->digest = state->digest;
    return out->err;
}
