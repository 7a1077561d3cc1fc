// txn.c - what a step may do: every write is logged here first, or it does not happen.
//
// The first failure sticks (txn->failed): later calls do nothing, and the step is rolled back
// whatever it returns. So a step needs no check after each write, and a forgotten one cannot do
// harm.

#include "machine/state.h"

#include "base/memory.h"
#include "base/rng.h"

const hy_view *hy_txn_view(const hy_txn *txn) {
    return hyi_view_of(txn->state);
}
const hy_input *hy_txn_input(const hy_txn *txn) {
    return txn->input;
}
hy_err hy_txn_failed(const hy_txn *txn) {
    return txn->failed;
}
uint64_t hy_txn_random(hy_txn *txn) {
    return hyi_splitmix64(&txn->random);
}

void hyi_txn_fail(hy_txn *txn, hy_err err) {
    if (txn->failed == HY_OK) txn->failed = err;
}

void *hy_txn_alloc(hy_txn *txn, size_t size) {
    void *ptr = hy_arena_alloc(&txn->state->arena, size);
    if (ptr == NULL) {
        hyi_txn_fail(txn, HY_NOMEM);
        return NULL;
    }
    memset(ptr, 0, size);
    return ptr;
}

// ---- the log ----

static inline hyi_undo_entry *txn_log(hy_txn *txn, uint32_t table, uint64_t old_mark) {
    hy_state *state = txn->state;
    if (state->undo.entries.count >= state->options.undo_rows_max) {
        hyi_txn_fail(txn, HY_LIMIT);
        return NULL;
    }
    hyi_undo_entry *entry = hyi_queue_push(&state->undo.entries, 1);
    if (entry == NULL) {
        hyi_txn_fail(txn, HY_NOMEM);
        return NULL;
    }
    *entry = (hyi_undo_entry){ .table = table, .old_mark = old_mark };
    return entry;
}

static void txn_unlog(hy_state *state) {
    hyi_queue_cut(&state->undo.entries, hyi_queue_end(&state->undo.entries) - 1);
}

void *hyi_txn_touch(hy_txn *txn, uint32_t table, uint32_t slot) {
    hy_state *state = txn->state;
    hyi_rows *rows = state->tables[table];
    uint64_t mark = *hyi_rows_mark(rows, slot);
    uint64_t *row = hyi_rows_row(rows, slot);
    if (mark >> 1 == state->step) return row;

    hyi_undo_entry *entry = txn_log(txn, table, mark);
    if (entry == NULL) return NULL;
    size_t size = (rows->layout.row_size + 7u) & ~(size_t)7;
    uint64_t position = hyi_queue_end(&state->undo.bytes);
    void *old = hyi_queue_push(&state->undo.bytes, size);
    if (old == NULL) {
        txn_unlog(state);
        hyi_txn_fail(txn, HY_NOMEM);
        return NULL;
    }
    entry->slot = slot;
    entry->bytes = position;
    hyi_rows_copy(old, row, rows->layout.row_size);
    hyi_rows_open(rows, slot);
    row[-1] = HYI_MARK(state->step, mark & HYI_MARK_LIVE);
    return row;
}

// ---- blobs ----

static bool txn_log_blob(hy_txn *txn, hy_bytes bytes, bool made) {
    if (bytes.len == 0) return true;
    hyi_undo_blob *blob = hyi_queue_push(&txn->state->undo.blobs, 1);
    if (blob == NULL) {
        hyi_txn_fail(txn, HY_NOMEM);
        return false;
    }
    *blob = (hyi_undo_blob){ .bytes = bytes, .made = made };
    return true;
}

static bool txn_put_blob(hy_txn *txn, hy_bytes *member, hy_bytes value) {
    hy_bytes copy;
    if (!hyi_blobs_copy(&txn->state->blobs, value, &copy)) {
        hyi_txn_fail(txn, HY_NOMEM);
        return false;
    }
    if (!txn_log_blob(txn, copy, true)) {
        hyi_blobs_free(&txn->state->blobs, copy);
        return false;
    }
    if (!txn_log_blob(txn, *member, false)) return false;
    *member = copy;
    return true;
}

// ---- rows ----

static uint32_t txn_find_live(const hyi_rows *rows, const void *key_row) {
    uint32_t slot = hyi_rows_find(rows, hyi_layout_key(&rows->layout, key_row));
    return slot != HYI_NO_SLOT && hyi_rows_is_live(rows, slot) ? slot : HYI_NO_SLOT;
}

// A slot for a new row with this key: its own, or the one where a dead row with that key still
// lies.
static void *txn_claim(hy_txn *txn, uint32_t table, hyi_key key, uint32_t *out_slot) {
    hyi_rows *rows = txn->state->tables[table];
    hyi_undo_entry *entry = txn_log(txn, table, 0);
    if (entry == NULL) return NULL;
    hy_err err = hyi_rows_add(rows, key, out_slot);
    if (err == HY_OK) {
        entry->slot = *out_slot;
        hyi_rows_open(rows, *out_slot);
        return hyi_rows_row(rows, *out_slot);
    }
    txn_unlog(txn->state);
    if (err == HY_EXISTS && !hyi_rows_is_live(rows, *out_slot)) {
        // Whether the dead row is still there depends on when deletes became durable; so the limit
        // counts here too, or a replay could refuse what was once accepted.
        if (rows->count < rows->rows_max) return hyi_txn_touch(txn, table, *out_slot);
        err = HY_LIMIT;
    }
    hyi_txn_fail(txn, err);
    return NULL;
}

void *hy_row_insert(hy_txn *txn, uint32_t table, const void *row) {
    hyi_rows *rows = hyi_state_rows(txn->state, table);
    if (txn->failed != HY_OK) return NULL;
    rows->writes++;
    uint32_t slot = HYI_NO_SLOT;
    uint8_t *place = txn_claim(txn, table, hyi_layout_key(&rows->layout, row), &slot);
    if (place == NULL) return NULL;

    // Whole before the first blob is copied, so that a failure half-way leaves a row to roll back.
    const hyi_layout *layout = &rows->layout;
    memcpy(place, row, layout->row_size);
    for (uint32_t i = 0; i < layout->blob_count; i++) {
        *hyi_blob_at(&layout->blobs[i], place) = (hy_bytes){ NULL, 0 };
    }
    hyi_rows_set_mark(rows, slot, HYI_MARK(txn->state->step, true));
    for (uint32_t i = 0; i < layout->blob_count; i++) {
        hy_bytes value = hyi_blob_of(&layout->blobs[i], row);
        if (!txn_put_blob(txn, hyi_blob_at(&layout->blobs[i], place), value)) return NULL;
    }
    return place;
}

void *hy_row_update(hy_txn *txn, uint32_t table, const void *key_row) {
    hyi_rows *rows = hyi_state_rows(txn->state, table);
    if (txn->failed != HY_OK) return NULL;
    uint32_t slot = txn_find_live(rows, key_row);
    if (slot == HYI_NO_SLOT) return NULL;
    rows->writes++;
    return hyi_txn_touch(txn, table, slot);
}

bool hy_row_set_bytes(hy_txn *txn, uint32_t table, void *row, size_t offset, hy_bytes value) {
    hyi_rows *rows = hyi_state_rows(txn->state, table);
    if (txn->failed != HY_OK || row == NULL) return false;
    HY_ASSERT(((const uint64_t *)row)[-1] >> 1 == txn->state->step); // from insert or update
    const hyi_blob_member *member = NULL;
    for (uint32_t i = 0; i < rows->layout.blob_count && member == NULL; i++) {
        if (rows->layout.blobs[i].offset == offset) member = &rows->layout.blobs[i];
    }
    HY_ASSERT(member != NULL); // `offset` must be that of a str or bytes member
    if (member->has_offset != HYI_NO_OFFSET) ((uint8_t *)row)[member->has_offset] = 1;
    hy_bytes *at = hyi_blob_at(member, row);
    return hy_bytes_equal(*at, value) || txn_put_blob(txn, at, value);
}

bool hyi_txn_delete(hy_txn *txn, uint32_t table, uint32_t slot) {
    hyi_rows *rows = txn->state->tables[table];
    void *row = hyi_txn_touch(txn, table, slot);
    if (row == NULL) return false;
    for (uint32_t i = 0; i < rows->layout.blob_count; i++) {
        if (!txn_log_blob(txn, *hyi_blob_at(&rows->layout.blobs[i], row), false)) return false;
    }
    hyi_rows_set_mark(rows, slot, HYI_MARK(txn->state->step, false));
    rows->writes++;
    return true;
}

bool hy_row_delete(hy_txn *txn, uint32_t table, const void *key_row) {
    hyi_rows *rows = hyi_state_rows(txn->state, table);
    if (txn->failed != HY_OK) return false;
    uint32_t slot = txn_find_live(rows, key_row);
    return slot != HYI_NO_SLOT && hyi_txn_delete(txn, table, slot);
}

hy_err hyi_txn_normalise(hy_txn *txn, const hyi_layout *layout, void *row) {
    hyi_layout_normalise(layout, row);
    const uint8_t *base = row;
    for (uint32_t i = 0; i < layout->blob_count; i++) {
        const hyi_blob_member *member = &layout->blobs[i];
        if (member->has_offset == HYI_NO_OFFSET || base[member->has_offset] != 0) continue;
        hy_bytes *hidden = hyi_blob_at(member, row);
        if (!txn_log_blob(txn, *hidden, false)) return HY_NOMEM;
        *hidden = (hy_bytes){ NULL, 0 };
    }
    return HY_OK;
}

static bool txn_made_blob(const hyi_undo *undo, const uint8_t *ptr) {
    for (uint64_t at = undo->blobs_first; at < hyi_queue_end(&undo->blobs); at++) {
        const hyi_undo_blob *blob = hyi_queue_at(&undo->blobs, at);
        if (blob->made && blob->bytes.ptr == ptr) return true;
    }
    return false;
}

bool hyi_txn_owns_blobs(const hy_state *state, const hy_change *change) {
    const hyi_layout *layout = &state->tables[change->table]->layout;
    if (change->after == NULL) return true; // a row that went
    for (uint32_t i = 0; i < layout->blob_count; i++) {
        hy_bytes now = hyi_blob_of(&layout->blobs[i], change->after);
        hy_bytes was = { NULL, 0 };
        if (change->before != NULL) was = hyi_blob_of(&layout->blobs[i], change->before);
        if (now.len == 0 || (now.ptr == was.ptr && now.len == was.len)) continue;
        if (!txn_made_blob(&state->undo, now.ptr)) return false;
    }
    return true;
}

uint64_t hy_row_next_id(hy_txn *txn, uint32_t table) {
    if (txn->failed != HY_OK) return 0;
    hy_counter_row *counter =
        hy_row_update(txn, HY_COUNTER, &(hy_counter_row){ .of_table = table });
    if (counter == NULL && txn->failed == HY_OK) {
        counter = hy_row_insert(txn, HY_COUNTER, &(hy_counter_row){ .of_table = table, .next = 1 });
    }
    return counter == NULL ? 0 : counter->next++;
}

// ---- answers to the caller ----

hy_err hy_reject(hy_txn *txn, uint32_t code) {
    HY_ASSERT(code > 0 && code < txn->state->machine->rejection_count);
    txn->rejection = code;
    return HY_REJECT;
}

hy_err hy_reply(hy_txn *txn, const void *reply) {
    const hy_record *record = txn->state->machine->inputs[txn->input->kind].reply;
    HY_ASSERT(record != NULL);
    if (txn->failed != HY_OK) return txn->failed;
    hy_buf *scratch = &txn->state->scratch;
    hy_buf_clear(scratch);
    hy_err err = hy_wire_encode(record, reply, scratch);
    bool copied = false;
    if (err == HY_OK) {
        txn->reply = hy_arena_copy(&txn->state->arena, hy_buf_bytes(scratch), &copied);
        if (!copied) err = HY_NOMEM;
    }
    if (err != HY_OK) hyi_txn_fail(txn, err);
    txn->replied = err == HY_OK;
    return err;
}
