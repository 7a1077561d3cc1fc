// revoke.c - how a step's log ends: cancelled at once, rewound later, or released for good.
//
//   begin --> (writes) --> cancel                    refused: nothing happened
//                     \--> keep --> release          durable: old strings and dead rows go
//                               \-> rewind           not durable: every row as it was
//
// None of these allocates (but keep), so none can fail half-way.

#include "machine/state.h"

#include "base/memory.h"

void hyi_undo_begin(hy_state *state) {
    state->step++;
    state->undo.entries_first = hyi_queue_end(&state->undo.entries);
    state->undo.bytes_first = hyi_queue_end(&state->undo.bytes);
    state->undo.blobs_first = hyi_queue_end(&state->undo.blobs);
}

hy_err hyi_undo_keep(hy_state *state, const hyi_undo_step *step) {
    hyi_undo_step *kept = hyi_queue_push(&state->undo.steps, 1);
    if (kept == NULL) return HY_NOMEM;
    *kept = *step;
    return HY_OK;
}

hy_change hyi_undo_change(const hy_state *state, const hyi_undo_entry *entry) {
    const hyi_rows *rows = state->tables[entry->table];
    hy_change change = { .table = entry->table };
    if ((entry->old_mark & HYI_MARK_LIVE) != 0) {
        change.before = hyi_undo_old_row(&state->undo, entry);
    }
    if (hyi_rows_is_live(rows, entry->slot)) change.after = hyi_rows_row(rows, entry->slot);
    return change;
}

hy_err hyi_undo_collect(hy_state *state) {
    const hyi_undo *undo = &state->undo;
    uint64_t end = hyi_queue_end(&undo->entries);
    size_t room = (size_t)(end - undo->entries_first) * sizeof(hy_change);
    state->changes = hy_arena_alloc(&state->arena, room);
    state->change_count = 0;
    if (state->changes == NULL) return HY_NOMEM;
    for (uint64_t at = undo->entries_first; at < end; at++) {
        hy_change change = hyi_undo_change(state, hyi_undo_entry_at(undo, at));
        if (change.before == NULL && change.after == NULL) continue; // came and went
        state->changes[state->change_count++] = change;
    }
    return HY_OK;
}

// A row was deleted, the delete was released while a later step used the row again, and now that
// step is undone: nobody else will take the dead row away.
static bool revoke_is_dead_for_good(const hy_state *state, uint64_t mark) {
    if ((mark & HYI_MARK_LIVE) != 0) return false;
    const hyi_queue *steps = &state->undo.steps;
    if (steps->count == 0) return true;
    const hyi_undo_step *oldest = hyi_queue_at(steps, steps->front);
    return mark >> 1 < oldest->step;
}

static void revoke_entry(hy_state *state, const hyi_undo_entry *entry) {
    hyi_rows *rows = state->tables[entry->table];
    hyi_rows_open(rows, entry->slot);
    if (entry->old_mark == 0) {
        hyi_rows_set_mark(rows, entry->slot, 0);
        hyi_rows_drop(rows, entry->slot);
        return;
    }
    hyi_rows_copy(hyi_rows_row(rows, entry->slot), hyi_undo_old_row(&state->undo, entry),
                  rows->layout.row_size);
    hyi_rows_set_mark(rows, entry->slot, entry->old_mark);
    if (revoke_is_dead_for_good(state, entry->old_mark)) {
        hyi_rows_drop(rows, entry->slot);
        return;
    }
    hyi_rows_seal(rows, entry->slot);
}

// Undoes everything behind the three places, newest first.
static void revoke_to(hy_state *state, uint64_t entries, uint64_t bytes, uint64_t blobs) {
    hyi_undo *undo = &state->undo;
    for (uint64_t at = hyi_queue_end(&undo->entries); at > entries; at--) {
        revoke_entry(state, hyi_undo_entry_at(undo, at - 1));
    }
    for (uint64_t at = hyi_queue_end(&undo->blobs); at > blobs; at--) {
        const hyi_undo_blob *blob = hyi_queue_at(&undo->blobs, at - 1);
        if (blob->made) hyi_blobs_free(&state->blobs, blob->bytes);
    }
    hyi_queue_cut(&undo->entries, entries);
    hyi_queue_cut(&undo->bytes, bytes);
    hyi_queue_cut(&undo->blobs, blobs);
}

void hyi_undo_cancel(hy_state *state) {
    const hyi_undo *undo = &state->undo;
    if (hyi_queue_end(&undo->entries) == undo->entries_first) return; // no row, so no blob either
    revoke_to(state, undo->entries_first, undo->bytes_first, undo->blobs_first);
}

void hy_state_rewind(hy_state *state, uint64_t seq) {
    HY_ASSERT(state->options.keep_undo);
    hyi_undo *undo = &state->undo;
    while (undo->steps.count > 0) {
        hyi_undo_step step =
            *(hyi_undo_step *)hyi_queue_at(&undo->steps, hyi_queue_end(&undo->steps) - 1);
        if (step.seq <= seq) break;
        for (uint64_t at = hyi_queue_end(&undo->entries); at > step.entries; at--) {
            const hyi_undo_entry *entry = hyi_undo_entry_at(undo, at - 1);
            hy_change change = hyi_undo_change(state, entry);
            hyi_derived_unchange(state, &change);
        }
        revoke_to(state, step.entries, step.bytes, step.blobs);
        hyi_queue_cut(&undo->steps, hyi_queue_end(&undo->steps) - 1);
        state->seq = step.seq_before;
        state->digest = step.digest_before;
        state->chain = step.chain_before;
    }
    HY_ASSERT(state->seq <= seq); // what was released cannot be undone
    state->change_count = 0;      // whatever the last step changed, it did not
}

// The step's deletes become final, unless a later step has touched the row again.
static void revoke_drop_dead(hy_state *state, const hyi_undo_entry *entry, uint64_t step) {
    hyi_rows *rows = state->tables[entry->table];
    uint64_t mark = *hyi_rows_mark(rows, entry->slot);
    if (mark >> 1 == step && (mark & HYI_MARK_LIVE) == 0) hyi_rows_drop(rows, entry->slot);
}

static void revoke_release_first(hy_state *state) {
    hyi_undo *undo = &state->undo;
    const hyi_undo_step *step = hyi_queue_at(&undo->steps, undo->steps.front);
    bool is_last = undo->steps.count == 1;
    uint64_t entries = is_last ? hyi_queue_end(&undo->entries) : step[1].entries;
    uint64_t bytes = is_last ? hyi_queue_end(&undo->bytes) : step[1].bytes;
    uint64_t blobs = is_last ? hyi_queue_end(&undo->blobs) : step[1].blobs;
    for (uint64_t at = step->entries; at < entries; at++) {
        revoke_drop_dead(state, hyi_undo_entry_at(undo, at), step->step);
    }
    for (uint64_t at = step->blobs; at < blobs; at++) {
        const hyi_undo_blob *blob = hyi_queue_at(&undo->blobs, at);
        if (!blob->made) hyi_blobs_free(&state->blobs, blob->bytes);
    }
    hyi_queue_forget(&undo->entries, entries);
    hyi_queue_forget(&undo->bytes, bytes);
    hyi_queue_forget(&undo->blobs, blobs);
    hyi_queue_forget(&undo->steps, undo->steps.front + 1);
}

void hy_state_release(hy_state *state, uint64_t seq) {
    while (state->undo.steps.count > 0) {
        const hyi_undo_step *step = hyi_queue_at(&state->undo.steps, state->undo.steps.front);
        if (step->seq > seq) break;
        revoke_release_first(state);
    }
}
