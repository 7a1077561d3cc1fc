// state.c - birth, death and the digest of a state.
//
// A half-made state is given back by the same free as a whole one: every part's deinit works on a
// zeroed part. Nothing is allocated before the description has been checked.

#include "machine/state.h"

#include "base/memory.h"

static const uint32_t STATE_ANSWERS_MAX = 65536;
static const uint32_t STATE_UNDO_ROWS_MAX = 1u << 20;
static const size_t STATE_STEP_BYTES_MAX = 16u << 20;

static void state_set_options(hy_state *state, const hy_state_options *options) {
    if (options != NULL) {
        size_t known = options->size < sizeof *options ? options->size : sizeof *options;
        memcpy(&state->options, options, known);
    }
    hy_state_options *set = &state->options;
    if (set->answers_max == 0) set->answers_max = STATE_ANSWERS_MAX;
    if (set->undo_rows_max == 0) set->undo_rows_max = STATE_UNDO_ROWS_MAX;
    if (set->step_bytes_max == 0) set->step_bytes_max = STATE_STEP_BYTES_MAX;
}

static hy_err state_add_tables(hy_state *state, hy_why *why) {
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        const hy_table *table = hy_machine_table(state->machine, i);
        if (table == NULL) continue;
        hyi_rows *rows = hy_mem_alloc_zero(state->mem, sizeof *rows);
        if (rows == NULL) return HY_NOMEM;
        state->tables[i] = rows;
        hy_err err = hyi_rows_init(rows, &state->blobs, state->options.guard, table, why);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

hy_err hy_state_new(hy_mem *mem, const hy_machine *machine, const hy_state_options *options,
                    hy_state **out_state, hy_why *why) {
    hy_err err = hy_machine_check(machine, why);
    if (err != HY_OK) return err;
    hy_state *state = hy_mem_alloc_zero(mem, sizeof *state);
    if (state == NULL) return HY_NOMEM;
    state->mem = mem;
    state->machine = machine;
    state_set_options(state, options);
    hyi_blobs_init(&state->blobs, mem);
    hyi_undo_init(&state->undo, mem);
    hy_arena_init(&state->arena, mem, state->options.step_bytes_max);
    hy_buf_init(&state->scratch, mem, state->options.step_bytes_max);
    hy_buf_init(&state->entry, mem, 0);
    err = state_add_tables(state, why);
    if (err == HY_OK) err = hyi_derived_init(state);
    if (err != HY_OK) {
        hy_state_free(state);
        return err;
    }
    *out_state = state;
    return HY_OK;
}

hy_state *hy_state_free(hy_state *state) {
    if (state == NULL) return NULL;
    hy_state_release(state, UINT64_MAX); // replaced strings are held by the log alone
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        if (state->tables[i] == NULL) continue;
        hyi_rows_deinit(state->tables[i]);
        hy_mem_free(state->mem, state->tables[i], sizeof(hyi_rows));
    }
    hyi_blobs_deinit(&state->blobs);
    hyi_derived_deinit(state);
    hyi_undo_deinit(&state->undo);
    hy_arena_deinit(&state->arena);
    hy_buf_deinit(&state->scratch);
    hy_buf_deinit(&state->entry);
    hy_mem_free(state->mem, state, sizeof *state);
    return NULL;
}

const hy_view *hy_state_view(const hy_state *state) {
    return hyi_view_of(state);
}
const hy_machine *hy_state_machine(const hy_state *state) {
    return state->machine;
}
uint64_t hy_state_seq(const hy_state *state) {
    return state->seq;
}
uint64_t hy_state_digest(const hy_state *state) {
    return state->digest;
}
uint64_t hy_state_chain(const hy_state *state) {
    return state->chain;
}

// The digest is a sum over rows, so one row changes it in O(1) and the order of rows is nobody's
// business; each row's term is seeded with its table.
uint64_t hy_state_digest_slow(const hy_state *state) {
    uint64_t digest = 0;
    for (uint32_t table = 0; table < HY_TABLE_NUMBERS; table++) {
        const hyi_rows *rows = state->tables[table];
        if (rows == NULL || !hyi_table_is_digested(table)) continue;
        for (uint32_t slot = 0; slot < rows->slot_count; slot++) {
            if (!hyi_rows_is_live(rows, slot)) continue;
            digest += hyi_layout_digest(&rows->layout, hyi_rows_row(rows, slot));
        }
    }
    return digest;
}

uint32_t hy_state_change_count(const hy_state *state) {
    return state->change_count;
}

hy_change hy_state_change(const hy_state *state, uint32_t index) {
    HY_ASSERT(index < state->change_count);
    return state->changes[index];
}
