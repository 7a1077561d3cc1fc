// derived.c - sums and reference counts: what invariants keep so that they need not scan.
//
// They follow every changed row, forwards when a step settles and rows are loaded, backwards when
// it is undone. Backwards must not fail: the maps never shrink, and undoing newest first never
// holds more entries than there were, so no insert on the way back needs memory.

#include "machine/state.h"

#include "base/memory.h"

static void derived_link(hy_state *state, uint32_t index) {
    const hy_invariant *invariant = &state->machine->invariants[index];
    hyi_derived *derived = &state->derived[index];
    bool of_step =
        invariant->kind == HY_INVARIANT_AGGREGATE || invariant->kind == HY_INVARIANT_GLOBAL;
    if (of_step) {
        derived->next_of_step = state->first_of_step;
        state->first_of_step = index + 1;
    }
    if (invariant->kind != HY_INVARIANT_GLOBAL) {
        derived->next_of_table = state->first_of_table[invariant->table];
        state->first_of_table[invariant->table] = index + 1;
    }
    if (invariant->kind == HY_INVARIANT_REFERENCE || invariant->kind == HY_INVARIANT_AGGREGATE) {
        derived->next_kept = state->first_kept[invariant->table];
        state->first_kept[invariant->table] = index + 1;
    }
    if (invariant->kind == HY_INVARIANT_REFERENCE) {
        derived->next_of_target = state->first_of_target[invariant->target];
        state->first_of_target[invariant->target] = index + 1;
    }
}

hy_err hyi_derived_init(hy_state *state) {
    uint32_t count = state->machine->invariant_count;
    if (count == 0) return HY_OK;
    state->derived = hy_mem_alloc_zero(state->mem, count * sizeof(hyi_derived));
    if (state->derived == NULL) return HY_NOMEM;
    for (uint32_t i = count; i-- > 0;) { // from the last, so that lists run in order
        hyi_map_init(&state->derived[i].referred, state->mem, 0);
        derived_link(state, i);
    }
    return HY_OK;
}

void hyi_derived_deinit(hy_state *state) {
    if (state->derived == NULL) return;
    for (uint32_t i = 0; i < state->machine->invariant_count; i++) {
        hyi_map_deinit(&state->derived[i].referred);
    }
    hy_mem_free(state->mem, state->derived, state->machine->invariant_count * sizeof(hyi_derived));
    state->derived = NULL;
}

static const hyi_layout *derived_target(const hy_state *state, const hy_invariant *invariant) {
    return &state->tables[invariant->target]->layout;
}

// Which row the invariant's row names; false: none.
static bool derived_key(const hy_state *state, uint32_t index, const void *row, hyi_key *out_key) {
    if (row == NULL) return false;
    const hy_invariant *invariant = &state->machine->invariants[index];
    uint64_t target_row[HYI_REFERRED_ROW_BYTES_MAX / sizeof(uint64_t)];
    memset(target_row, 0, HYI_KEY_END_MAX);
    if (!invariant->refer(row, target_row)) return false;
    *out_key = hyi_layout_key(derived_target(state, invariant), target_row);
    return true;
}

static hy_err derived_name(hyi_map *map, hyi_key key) {
    uint32_t *count = hyi_map_gain(map, key);
    if (count == NULL) return HY_NOMEM;
    ++*count;
    return HY_OK;
}

static void derived_unname(hyi_map *map, hyi_key key) {
    uint32_t *count = hyi_map_at(map, key);
    HY_ASSERT(count != NULL);
    if (--*count == 0) hyi_map_erase(map, key, NULL);
}

static hy_err derived_swap_names(hy_state *state, uint32_t index, const void *gone,
                                 const void *come) {
    hyi_map *map = &state->derived[index].referred;
    hyi_key old = { 0, 0 }, new = { 0, 0 };
    bool had = derived_key(state, index, gone, &old), has = derived_key(state, index, come, &new);
    if (had && has && hyi_key_equal(old, new)) return HY_OK;
    if (had) derived_unname(map, old);
    if (!has || derived_name(map, new) == HY_OK) return HY_OK;
    if (had) HY_ASSERT(derived_name(map, old) == HY_OK); // its place is still there
    return HY_NOMEM;
}

static hy_err derived_swap(hy_state *state, uint32_t index, const void *gone, const void *come) {
    const hy_invariant *invariant = &state->machine->invariants[index];
    if (invariant->kind == HY_INVARIANT_REFERENCE) {
        return derived_swap_names(state, index, gone, come);
    }
    int64_t *sum = &state->derived[index].sum;
    if (come != NULL) *sum = hyi_derived_add(*sum, invariant->measure(come));
    if (gone != NULL) *sum = hyi_derived_subtract(*sum, invariant->measure(gone));
    return HY_OK;
}

static hy_err derived_swap_all(hy_state *state, uint32_t table, const void *gone,
                               const void *come) {
    if (table >= HY_TABLES_MAX) return HY_OK; // nobody watches the runtime's own
    uint32_t first = state->first_kept[table], failed = 0;
    for (uint32_t i = first; i != 0 && failed == 0; i = state->derived[i - 1].next_kept) {
        if (derived_swap(state, i - 1, gone, come) != HY_OK) failed = i;
    }
    if (failed == 0) return HY_OK;
    for (uint32_t i = first; i != failed; i = state->derived[i - 1].next_kept) {
        HY_ASSERT(derived_swap(state, i - 1, come, gone) == HY_OK);
    }
    return HY_NOMEM;
}

hy_err hyi_derived_change(hy_state *state, const hy_change *change) {
    return derived_swap_all(state, change->table, change->before, change->after);
}

void hyi_derived_unchange(hy_state *state, const hy_change *change) {
    hy_err err = derived_swap_all(state, change->table, change->after, change->before);
    HY_ASSERT(err == HY_OK);
}

bool hyi_derived_is_referred(const hy_state *state, uint32_t invariant, const void *target_row) {
    const hyi_layout *layout = derived_target(state, &state->machine->invariants[invariant]);
    hyi_key key = hyi_layout_key(layout, target_row);
    return hyi_map_get(&state->derived[invariant].referred, key) != HYI_NONE;
}
