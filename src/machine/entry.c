// entry.c - a step as the journal keeps it, and back into a state without running any step.
//
// An entry holds both sides of a step: the input, so that the step can be run again and audited,
// and the changed rows, so that nothing must be run to recover. Each proves the other: after the
// rows are applied the digest must be the one that the step left. Damage is an error with a place,
// never a guess.

#include "machine/state.h"

#include "base/memory.h"
#include "base/why.h"

HY_RECORD_DEFINE(hy_entry_change, HY_ENTRY_CHANGE)
HY_RECORD_DEFINE(hy_entry_action, HY_ENTRY_ACTION)
HY_RECORD_DEFINE(hy_entry, HY_ENTRY)

// ---- writing ----

static hy_err entry_encode(hy_state *state, const hy_record *record, const void *value,
                           hy_bytes *out_bytes) {
    hy_buf_clear(&state->scratch);
    hy_err err = hy_wire_encode(record, value, &state->scratch);
    if (err != HY_OK) return err;
    bool copied = false;
    *out_bytes = hy_arena_copy(&state->arena, hy_buf_bytes(&state->scratch), &copied);
    return copied ? HY_OK : HY_NOMEM;
}

// A deleted row is told by its key alone: the other fields are cleared before it is encoded.
static hy_err entry_encode_key(hy_state *state, const hyi_rows *rows, const void *row,
                               hy_bytes *out_bytes) {
    uint8_t *key_row = hy_arena_alloc(&state->arena, rows->layout.row_size);
    if (key_row == NULL) return HY_NOMEM;
    memset(key_row, 0, rows->layout.row_size);
    for (uint32_t i = 0; i < rows->layout.key_count; i++) {
        const hyi_key_part *part = &rows->layout.key[i];
        memcpy(key_row + part->offset, (const uint8_t *)row + part->offset, part->size);
    }
    return entry_encode(state, rows->layout.table->row, key_row, out_bytes);
}

static hy_err entry_add_changes(hy_state *state, hy_entry *entry) {
    entry->changes.ptr =
        hy_arena_alloc(&state->arena, state->change_count * sizeof(hy_entry_change));
    if (entry->changes.ptr == NULL) return HY_NOMEM;
    for (uint32_t i = 0; i < state->change_count; i++) {
        const hy_change *change = &state->changes[i];
        const hyi_rows *rows = state->tables[change->table];
        hy_entry_change *out = &entry->changes.ptr[entry->changes.len++];
        *out = (hy_entry_change){ .table = change->table, .gone = change->after == NULL };
        hy_err err = out->gone
                         ? entry_encode_key(state, rows, change->before, &out->row)
                         : entry_encode(state, rows->layout.table->row, change->after, &out->row);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err entry_add_actions(hy_state *state, hy_entry *entry) {
    entry->actions.ptr =
        hy_arena_alloc(&state->arena, state->action_count * sizeof(hy_entry_action));
    if (entry->actions.ptr == NULL) return HY_NOMEM;
    for (uint32_t i = 0; i < state->action_count; i++) {
        const hy_action *action = &state->actions[i];
        if (action->tracked) continue;
        entry->actions.ptr[entry->actions.len++] =
            (hy_entry_action){ .id = action->id, .kind = action->kind, .body = action->body };
    }
    return HY_OK;
}

hy_err hyi_entry_build(hy_state *state, const hy_input *input, hy_err err, uint64_t digest,
                       uint64_t chain) {
    hy_entry entry = { .seq = input->seq,
                       .now = input->now,
                       .random = input->random,
                       .kind = input->kind,
                       .action_id = input->action_id,
                       .key = input->key,
                       .err = (uint32_t)err,
                       .rejection = state->txn.rejection,
                       .reply = state->txn.reply,
                       .digest = digest,
                       .chain = chain,
                       .version = state->machine->version };
    const hy_record *body = state->machine->inputs[input->kind].body;
    hy_err failed = body == NULL ? HY_OK : entry_encode(state, body, input->body, &entry.body);
    if (failed == HY_OK) failed = entry_add_changes(state, &entry);
    if (failed == HY_OK) failed = entry_add_actions(state, &entry);
    if (failed != HY_OK) return failed;
    hy_buf_clear(&state->entry);
    return hy_wire_encode(&hy_entry_record, &entry, &state->entry);
}

// ---- reading ----

hy_err hy_entry_decode(hy_bytes bytes, hy_arena *arena, hy_entry *out_entry, hy_why *why) {
    return hy_wire_decode(&hy_entry_record, bytes, arena, out_entry, why);
}

// Replaces or adds a row outside any step: nothing is logged, nothing can be undone.
static hy_err entry_put(hy_state *state, uint32_t table, const void *row, hy_why *why) {
    hyi_rows *rows = state->tables[table];
    const hyi_layout *layout = &rows->layout;
    hyi_key key = hyi_layout_key(layout, row);
    uint32_t slot = HYI_NO_SLOT;
    hy_err err = hyi_rows_add(rows, key, &slot);
    bool fresh = err == HY_OK;
    if (err == HY_LIMIT) {
        return hyi_why_fmt(why, HY_LIMIT, layout->table->name,
                           "the store has more rows than rows_max (%u): raise it",
                           (uint64_t)rows->rows_max);
    }
    if (err != HY_OK && err != HY_EXISTS) return err;
    hyi_rows_open(rows, slot);
    uint8_t *place = hyi_rows_row(rows, slot);
    if (!fresh) {
        hy_change change = { .table = table, .before = place };
        err = hyi_derived_change(state, &change);
        if (err != HY_OK) return err;
        if (hyi_table_is_digested(table)) state->digest -= hyi_layout_digest(layout, place);
    }
    hy_bytes old[HYI_ROW_PARTS_MAX];
    for (uint32_t i = 0; i < layout->blob_count; i++) {
        old[i] = fresh ? (hy_bytes){ NULL, 0 } : *hyi_blob_at(&layout->blobs[i], place);
    }
    memcpy(place, row, layout->row_size);
    hyi_layout_normalise(layout, place);
    err = HY_OK;
    for (uint32_t i = 0; i < layout->blob_count; i++) {
        hy_bytes *member = hyi_blob_at(&layout->blobs[i], place);
        if (!hyi_blobs_copy(&state->blobs, hyi_blob_of(&layout->blobs[i], row), member)) {
            err = HY_NOMEM;
        }
        hyi_blobs_free(&state->blobs, old[i]);
    }
    hyi_rows_set_mark(rows, slot, HYI_MARK(state->step, true));
    hy_change change = { .table = table, .after = place };
    if (err == HY_OK) err = hyi_derived_change(state, &change);
    if (hyi_table_is_digested(table)) state->digest += hyi_layout_digest(layout, place);
    hyi_rows_seal(rows, slot);
    return err;
}

static hy_err entry_take_away(hy_state *state, uint32_t table, const void *key_row, hy_why *why) {
    hyi_rows *rows = state->tables[table];
    uint32_t slot = hyi_rows_find(rows, hyi_layout_key(&rows->layout, key_row));
    if (slot == HYI_NO_SLOT) {
        return hy_why_set(why, HY_CORRUPT, rows->layout.table->name,
                          "the journal deletes a row that is not there");
    }
    uint8_t *row = hyi_rows_row(rows, slot);
    hyi_rows_open(rows, slot);
    hy_change change = { .table = table, .before = row };
    hy_err err = hyi_derived_change(state, &change);
    if (err != HY_OK) return err;
    if (hyi_table_is_digested(table)) state->digest -= hyi_layout_digest(&rows->layout, row);
    for (uint32_t i = 0; i < rows->layout.blob_count; i++) {
        hyi_blobs_free(&state->blobs, *hyi_blob_at(&rows->layout.blobs[i], row));
    }
    hyi_rows_set_mark(rows, slot, HYI_MARK(state->step, false));
    hyi_rows_drop(rows, slot);
    return HY_OK;
}

static hy_err entry_apply_change(hy_state *state, const hy_entry_change *change, hy_why *why) {
    if (change->table >= HY_TABLE_NUMBERS || state->tables[change->table] == NULL) {
        return hyi_why_fmt(why, HY_SCHEMA, "journal", "the machine has no table number %u",
                           (uint64_t)change->table);
    }
    const hy_record *record = state->tables[change->table]->layout.table->row;
    uint8_t *row = hy_arena_alloc(&state->arena, record->size);
    if (row == NULL) return HY_NOMEM;
    hy_err err = hy_wire_decode(record, change->row, &state->arena, row, why);
    if (err != HY_OK) return err;
    return change->gone ? entry_take_away(state, change->table, row, why)
                        : entry_put(state, change->table, row, why);
}

hy_err hy_state_load_row(hy_state *state, uint32_t table, const void *row, hy_why *why) {
    HY_ASSERT(table < HY_TABLE_NUMBERS && state->tables[table] != NULL);
    HY_ASSERT(state->undo.steps.count == 0);
    return entry_put(state, table, row, why);
}

hy_err hy_state_loaded(hy_state *state, uint64_t seq, uint64_t digest, uint64_t chain,
                       hy_why *why) {
    if (digest != 0 && digest != state->digest) {
        return hyi_why_fmt(why, HY_CORRUPT, "digest",
                           "the rows' digest is %x, the store says %x: rows were lost or changed",
                           state->digest, digest);
    }
    state->seq = seq;
    state->chain = chain;
    return HY_OK;
}

// Rows that went make room before others come: the step may have done it in that order, and the
// table may be full.
static hy_err entry_apply(hy_state *state, const hy_entry *entry, hy_why *why) {
    if (entry->seq <= state->seq) {
        return hyi_why_fmt(why, HY_CORRUPT, "journal", "entry %u comes after entry %u", entry->seq,
                           state->seq);
    }
    hy_err err = HY_OK;
    for (size_t i = 0; err == HY_OK && i < 2 * entry->changes.len; i++) {
        const hy_entry_change *change = &entry->changes.ptr[i % entry->changes.len];
        if (change->gone == (i < entry->changes.len)) err = entry_apply_change(state, change, why);
    }
    return err;
}

hy_err hy_state_load_entry(hy_state *state, hy_bytes bytes, hy_why *why) {
    HY_ASSERT(state->undo.steps.count == 0);
    hy_arena_reset(&state->arena);
    state->arena.bytes_max = 0; // decoded rows may be larger than what the step wrote of them
    hy_entry entry;
    hy_err err = hy_entry_decode(bytes, &state->arena, &entry, why);
    if (err == HY_OK) err = entry_apply(state, &entry, why);
    hy_arena_reset(&state->arena);
    state->arena.bytes_max = state->options.step_bytes_max;
    if (err != HY_OK) return err;
    if (entry.digest != state->digest) {
        return hyi_why_fmt(why, HY_CORRUPT, "journal",
                           "after entry %u the digest is %x, the entry says %x", entry.seq,
                           state->digest, entry.digest);
    }
    state->seq = entry.seq;
    state->chain = entry.chain;
    return HY_OK;
}
