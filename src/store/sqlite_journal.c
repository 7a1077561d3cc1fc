// sqlite_journal.c - reading the journal, batch by batch.
//
// A cursor holds no statement open between two calls: each call looks up the next row and copies
// its body. So appends, rollbacks and checkpoints may go on between them, and a slow reader keeps
// nothing from being cleaned up.
#include "store/sqlite_store.h"

#include "base/why.h"

typedef struct sqlite_cursor {
    hy_journal_cursor base;
    uint32_t machine;
    uint64_t next_seq; // no batch that ends before it is of interest
    bool started;
    int64_t after_id;
    hy_buf body;
} sqlite_cursor;

hy_err hyi_sqlite_journal_open(hy_store *store, uint32_t machine, uint64_t from_seq,
                               hy_journal_cursor **out_cursor, hy_why *why) {
    (void)why;
    hyi_sqlite *self = (hyi_sqlite *)store;
    sqlite_cursor *cursor = hy_mem_alloc_zero(self->mem, sizeof *cursor);
    if (cursor == NULL) return HY_NOMEM;
    *cursor = (sqlite_cursor){ .base.store = store, .machine = machine, .next_seq = from_seq };
    hy_buf_init(&cursor->body, self->mem, 0);
    *out_cursor = &cursor->base;
    return HY_OK;
}

// Finds the row that the cursor gives next: at first the one that holds next_seq, or else the one
// after.
static hy_err journal_look(hyi_sqlite *self, sqlite_cursor *cursor, sqlite3_stmt **out_row,
                           hy_why *why) {
    const uint64_t seq_max = hyi_sqlite_seq_max(cursor->machine);
    uint64_t seq = cursor->next_seq < seq_max ? cursor->next_seq : seq_max;
    hy_err err;
    if (!cursor->started) {
        cursor->after_id = hyi_sqlite_journal_id(cursor->machine, seq);
        err = hyi_sqlite_get(self, HYI_SQLITE_JOURNAL_AT, out_row, why);
        if (err != HY_OK) return err;
        sqlite3_bind_int64(*out_row, 1, hyi_sqlite_journal_id(cursor->machine, 0));
        sqlite3_bind_int64(*out_row, 2, cursor->after_id);
        int rc = sqlite3_step(*out_row);
        if (rc == SQLITE_ROW && (uint64_t)sqlite3_column_int64(*out_row, 2) >= seq) return HY_OK;
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            return hyi_sqlite_fail(self, rc, "hy_journal", why);
        }
        sqlite3_reset(*out_row);
    }
    err = hyi_sqlite_get(self, HYI_SQLITE_JOURNAL_AFTER, out_row, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(*out_row, 1, cursor->after_id);
    sqlite3_bind_int64(*out_row, 2, hyi_sqlite_journal_id(cursor->machine, seq_max));
    int rc = sqlite3_step(*out_row);
    if (rc == SQLITE_ROW) return HY_OK;
    return rc == SQLITE_DONE ? HY_END : hyi_sqlite_fail(self, rc, "hy_journal", why);
}

static hy_err journal_take(sqlite_cursor *cursor, sqlite3_stmt *row, hy_batch *out_batch,
                           hy_why *why) {
    int64_t id = sqlite3_column_int64(row, 0);
    hy_batch batch = {
        .machine = cursor->machine,
        .first_seq = (uint64_t)sqlite3_column_int64(row, 1),
        .last_seq = (uint64_t)sqlite3_column_int64(row, 2),
        .entry_count = (uint32_t)sqlite3_column_int64(row, 3),
    };
    hy_buf_clear(&cursor->body);
    hy_buf_add(&cursor->body, sqlite3_column_blob(row, 4), (size_t)sqlite3_column_bytes(row, 4));
    if (cursor->body.failed != HY_OK) return cursor->body.failed;
    batch.body = hy_buf_bytes(&cursor->body);
    bool follows = id == hyi_sqlite_journal_id(cursor->machine, batch.first_seq) &&
                   batch.last_seq >= batch.first_seq &&
                   (!cursor->started || batch.first_seq >= cursor->next_seq);
    if (!follows) {
        return hyi_why_fmt(why, HY_CORRUPT, "hy_journal",
                           "the journal row that begins with seq %u contradicts itself: restore a "
                           "copy",
                           batch.first_seq);
    }
    hy_err err = hyi_batch_from(&batch, cursor->next_seq, why);
    if (err != HY_OK) return err;
    cursor->started = true;
    cursor->after_id = id;
    cursor->next_seq = batch.last_seq + 1;
    *out_batch = batch;
    return HY_OK;
}

hy_err hyi_sqlite_journal_next(hy_journal_cursor *base, hy_batch *out_batch, hy_why *why) {
    sqlite_cursor *cursor = (sqlite_cursor *)base;
    hyi_sqlite *self = (hyi_sqlite *)base->store;
    sqlite3_stmt *row = NULL;
    hy_err err = hyi_sqlite_relink(self, why);
    if (err == HY_OK) err = journal_look(self, cursor, &row, why);
    if (err == HY_OK) err = journal_take(cursor, row, out_batch, why);
    sqlite3_reset(row);
    return err;
}

void hyi_sqlite_journal_close(hy_journal_cursor *base) {
    if (base == NULL) return;
    sqlite_cursor *cursor = (sqlite_cursor *)base;
    hy_buf_deinit(&cursor->body);
    hy_mem_free(((hyi_sqlite *)base->store)->mem, cursor, sizeof *cursor);
}
