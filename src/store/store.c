// store.c - what is the same for every driver: dispatch, and reading batches.
//
// The calls of hypha/store.h find their driver through the table in driver.h. Batches are the same
// bytes everywhere, so cutting one at a seq and loading one into a state live here.
// Invariant: every store handed out begins with an hyi_store.
#include <hypha/store.h>

#include "base/why.h"
#include "store/driver.h"
#include "store/skim.h"

hy_store *hy_store_close(hy_store *store) {
    if (store != NULL) store->driver->close(store);
    return NULL;
}

static const hyi_store_driver *store_more(const hy_store *store) {
    return ((const hyi_store *)store)->more;
}

hy_err hy_store_checkpoint_slice(hy_store *store, bool *out_more, hy_why *why) {
    if (store->driver->checkpoint_slice != NULL) {
        return store->driver->checkpoint_slice(store, out_more, why);
    }
    *out_more = false;
    return store->driver->checkpoint(store, why);
}

hy_store_recovery hy_store_recovered(const hy_store *store) {
    return store_more(store)->recovered(store);
}

hy_err hy_store_machines(hy_store *store, hy_arena *arena, const hy_store_machine **out_machines,
                         size_t *out_count, hy_why *why) {
    return store_more(store)->machines(store, arena, out_machines, out_count, why);
}

hy_err hy_store_instance_next(hy_store *store, uint32_t machine, hy_bytes after, hy_arena *arena,
                              hy_store_machine *out_instance, hy_why *why) {
    return store_more(store)->instance_next(store, machine, after, arena, out_instance, why);
}

hy_err hy_store_instance(hy_store *store, uint32_t machine, hy_bytes key, hy_arena *arena,
                         hy_store_machine *out_instance, hy_why *why) {
    return store_more(store)->instance_look(store, machine, key, arena, out_instance, why);
}

hy_err hyi_instance_key_check(hy_bytes key, hy_why *why) {
    bool has_zero = false;
    for (size_t i = 0; i < key.len; i++) {
        has_zero = has_zero || key.ptr[i] == 0;
    }
    if (key.len > HY_INSTANCE_KEY_MAX) {
        return hy_why_set(why, HY_TOO_LARGE, "key", "a machine's key has at most 80 bytes");
    }
    if (!has_zero && hy_text_is_utf8(key)) return HY_OK;
    return hy_why_set(why, HY_MALFORMED, "key", "a machine's key is text without zero bytes");
}

hy_err hy_store_rows_open(hy_store *store, uint32_t machine, uint32_t table,
                          hy_store_rows **out_rows, hy_why *why) {
    return store_more(store)->rows_open(store, machine, table, out_rows, why);
}

hy_err hy_store_rows_next(hy_store_rows *rows, const void **out_row, hy_why *why) {
    return rows->next(rows, out_row, why);
}

void hy_store_rows_close(hy_store_rows *rows) {
    if (rows != NULL) rows->close(rows);
}

// ---- batches, for all drivers -------------------------------------------------------------------

static hy_err store_next_seq(hy_bytes *rest, hy_bytes *out_entry, uint64_t *out_seq, hy_why *why) {
    hy_err err = hy_frame_next(rest, out_entry, why);
    if (err != HY_OK) return err;
    hyi_skim skim;
    err = hyi_skim_entry(*out_entry, &skim, why);
    if (err == HY_OK) *out_seq = skim.seq;
    return err;
}

hy_err hyi_batch_from(hy_batch *batch, uint64_t from_seq, hy_why *why) {
    while (batch->first_seq < from_seq) {
        hy_bytes rest = batch->body, entry;
        uint64_t seq = 0;
        hy_err err = store_next_seq(&rest, &entry, &seq, why);
        if (err == HY_OK && seq < from_seq) {
            batch->body = rest;
            batch->entry_count--;
            continue;
        }
        if (err == HY_OK) batch->first_seq = seq;
        if (err == HY_END) err = HY_CORRUPT; // last_seq promised more
        return err;
    }
    return HY_OK;
}

hy_err hyi_batch_load(const hy_batch *batch, uint64_t after_seq, hy_state *state, hy_why *why) {
    hy_batch rest = *batch;
    if (rest.last_seq <= after_seq) return HY_OK;
    hy_err err = hyi_batch_from(&rest, after_seq + 1, why);
    while (err == HY_OK) {
        hy_bytes entry;
        err = hy_frame_next(&rest.body, &entry, why);
        if (err == HY_OK) err = hy_state_load_entry(state, entry, why);
    }
    return err == HY_END ? HY_OK : err;
}
