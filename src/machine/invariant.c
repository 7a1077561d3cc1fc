// invariant.c - checks what a step touched, or everything.
//
// A refused step touched nothing, so nothing is checked. An accepted one is checked row by row of
// its undo log: the log knows the old bytes (step invariants, aggregates) and the new ones. The
// full check is the slow twin: it must find whatever the incremental one should have prevented.

#include "machine/state.h"

#include "base/memory.h"
#include "base/why.h"

typedef struct invariant_check {
    const hy_state *state;
    const hy_view *view;
    const hy_invariant *invariant;
} invariant_check;

// ---- one row ----

static bool invariant_reference_holds(const invariant_check *check, const void *row) {
    const hy_invariant *invariant = check->invariant;
    uint64_t target_row[HYI_REFERRED_ROW_BYTES_MAX / sizeof(uint64_t)];
    memset(target_row, 0, HYI_KEY_END_MAX);
    if (!invariant->refer(row, target_row)) return true;
    const void *found = hy_row_get(check->view, invariant->target, target_row);
    if (found == NULL) return false;
    return invariant->holds == NULL || invariant->holds(check->view, row, found);
}

static bool invariant_neighbours_hold(const invariant_check *check, const void *row) {
    hy_cursor back = hy_cursor_at(check->view, check->invariant->table, row);
    hy_cursor ahead = back;
    const void *before = hy_cursor_prev(&back);
    (void)hy_cursor_next(&ahead); // the row itself
    return check->invariant->neighbour(check->view, before, row, hy_cursor_next(&ahead));
}

// A row came, went or changed: the rows on both sides have another neighbour too, and the invariant
// may look to one side only. One search serves all three.
static bool invariant_all_sides_hold(const invariant_check *check, const hy_change *change) {
    bool (*holds)(const hy_view *, const void *, const void *, const void *) =
        check->invariant->neighbour;
    const void *row = change->after;
    hy_cursor back = hy_cursor_at(check->view, change->table, row != NULL ? row : change->before);
    hy_cursor ahead = back;
    const void *before = hy_cursor_prev(&back);
    if (row != NULL) (void)hy_cursor_next(&ahead);
    const void *after = hy_cursor_next(&ahead);
    if (row != NULL && !holds(check->view, before, row, after)) return false;
    if (before != NULL &&
        !holds(check->view, hy_cursor_prev(&back), before, row != NULL ? row : after)) {
        return false;
    }
    if (after == NULL) return true;
    return holds(check->view, row != NULL ? row : before, after, hy_cursor_next(&ahead));
}

static bool invariant_change_holds(const invariant_check *check, const hy_change *change) {
    const hy_invariant *invariant = check->invariant;
    switch (invariant->kind) {
    case HY_INVARIANT_ROW:
        return change->after == NULL || invariant->row(check->view, change->after);
    case HY_INVARIANT_REFERENCE:
        return change->after == NULL || invariant_reference_holds(check, change->after);
    case HY_INVARIANT_STEP: return invariant->step(check->view, change->before, change->after);
    case HY_INVARIANT_NEIGHBOUR: return invariant_all_sides_hold(check, change);
    case HY_INVARIANT_AGGREGATE:
    case HY_INVARIANT_GLOBAL: return true; // once a step, below
    }
    return true;
}

// ---- once a step ----

static bool invariant_step_holds(const invariant_check *check, uint32_t index) {
    const hy_invariant *invariant = check->invariant;
    if (invariant->kind == HY_INVARIANT_AGGREGATE) {
        return invariant->sum(check->view, check->state->derived[index].sum);
    }
    if (invariant->kind == HY_INVARIANT_GLOBAL) {
        // Paced by seq, which restarts and rewinds keep: a replay must meet the same verdicts.
        bool due = invariant->every != 0 && check->state->txn.input->seq / invariant->every !=
                                                check->state->seq / invariant->every;
        return !due || invariant->global(check->view);
    }
    return true;
}

// Tells what is broken; true: the step must go.
static bool invariant_is_fatal(const hy_invariant *invariant, const hy_invariant **out_broken) {
    *out_broken = invariant;
    return invariant->policy != HY_REPORT;
}

static bool invariant_change_is_fatal(const hy_state *state, const hy_change *change,
                                      const hy_invariant **out_broken) {
    if (change->table >= HY_TABLES_MAX) return false;
    invariant_check check = { state, hyi_view_of(state), NULL };
    for (uint32_t i = state->first_of_table[change->table]; i != 0;
         i = state->derived[i - 1].next_of_table) {
        check.invariant = &state->machine->invariants[i - 1];
        if (invariant_change_holds(&check, change)) continue;
        if (invariant_is_fatal(check.invariant, out_broken)) return true;
    }
    if (change->after != NULL) return false;
    for (uint32_t i = state->first_of_target[change->table]; i != 0;
         i = state->derived[i - 1].next_of_target) {
        if (!hyi_derived_is_referred(state, i - 1, change->before)) continue;
        if (invariant_is_fatal(&state->machine->invariants[i - 1], out_broken)) return true;
    }
    return false;
}

hy_err hyi_invariants_check_touched(hy_state *state, const hy_invariant **out_broken) {
    *out_broken = NULL;
    for (uint32_t i = 0; i < state->change_count; i++) {
        if (invariant_change_is_fatal(state, &state->changes[i], out_broken)) return HY_INVARIANT;
    }
    for (uint32_t i = state->first_of_step; i != 0; i = state->derived[i - 1].next_of_step) {
        const invariant_check check = { state, hyi_view_of(state),
                                        &state->machine->invariants[i - 1] };
        if (invariant_step_holds(&check, i - 1)) continue;
        if (invariant_is_fatal(check.invariant, out_broken)) return HY_INVARIANT;
    }
    return HY_OK;
}

// ---- everything ----

static bool invariant_row_holds_alone(const invariant_check *check, const void *row) {
    switch (check->invariant->kind) {
    case HY_INVARIANT_ROW: return check->invariant->row(check->view, row);
    case HY_INVARIANT_NEIGHBOUR: return invariant_neighbours_hold(check, row);
    case HY_INVARIANT_REFERENCE: return invariant_reference_holds(check, row);
    default: return true;
    }
}

static bool invariant_holds_everywhere(const invariant_check *check) {
    const hy_invariant *invariant = check->invariant;
    if (invariant->kind == HY_INVARIANT_STEP) return true; // about changes, not about states
    if (invariant->kind == HY_INVARIANT_GLOBAL) return invariant->global(check->view);
    int64_t sum = 0;
    hy_cursor cursor = hy_cursor_at(check->view, invariant->table, NULL);
    for (const void *row; (row = hy_cursor_next(&cursor)) != NULL;) {
        if (invariant->kind == HY_INVARIANT_AGGREGATE) {
            sum = hyi_derived_add(sum, invariant->measure(row));
        } else if (!invariant_row_holds_alone(check, row)) {
            return false;
        }
    }
    return invariant->kind != HY_INVARIANT_AGGREGATE || invariant->sum(check->view, sum);
}

// The ledger is the runtime's own: every pending action was numbered, and none twice (its key).
static bool invariant_ledger_holds(const hy_state *state) {
    const hy_view *view = hyi_view_of(state);
    const hy_counter_row *counter =
        hy_row_get(view, HY_COUNTER, &(hy_counter_row){ .of_table = HY_LEDGER });
    hy_cursor cursor = hy_cursor_at(view, HY_LEDGER, NULL);
    for (const hy_ledger_row *row; (row = hy_cursor_next(&cursor)) != NULL;) {
        if (counter == NULL || row->id >= counter->next || row->seq > state->seq) return false;
    }
    return true;
}

hy_err hy_state_check(const hy_state *state, hy_why *why) {
    const hy_machine *machine = state->machine;
    for (uint32_t i = 0; i < machine->invariant_count; i++) {
        const invariant_check check = { state, hyi_view_of(state), &machine->invariants[i] };
        if (!invariant_holds_everywhere(&check)) {
            return hyi_why_fmt(why, HY_INVARIANT, check.invariant->name,
                               "the invariant %s does not hold", check.invariant->name);
        }
    }
    if (!invariant_ledger_holds(state)) {
        return hy_why_set(why, HY_INVARIANT, "hy_ledger",
                          "the ledger of pending actions is broken");
    }
    if (hy_state_digest(state) != hy_state_digest_slow(state)) {
        return hy_why_set(why, HY_INVARIANT, "digest",
                          "the kept digest differs from the computed one");
    }
    return HY_OK;
}
