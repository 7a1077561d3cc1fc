// sqlite_slice.c - from the journal into the tables, a slice at a time.
//
// A slice reads journal from the checkpoint on, keeps the last change of each row, writes those
// rows and moves the checkpoint to the slice's last entry: one transaction, so rows and checkpoint
// always tell of the same moment, and a crash in between costs nothing but the slice. A slice may
// end inside a batch, and it goes through as many instances as fit into it: a thousand that have
// one step each must not cost a thousand syncs.
//
// How long a slice may take is bounded by bytes (skimming), by rows, and by the pages that it makes
// dirty: rows beside each other share a page, scattered ones cost a page each. Pages are known only
// afterwards, so the number of rows follows what the slices before have cost. No clock is asked: a
// slow disk must not make slices small and many, because each costs a sync.
#include "store/sqlite_store.h"

#include "base/memory.h"
#include "base/why.h"

#define SLICE_PAGES 128u
#define SLICE_ROWS_MIN 64u
#define SLICE_ROWS_MAX 1024u

typedef struct slice_reader {
    hyi_sqlite *self;
    hyi_sqlite_instance *instance; // whose journal is read
    uint64_t bytes_min, bytes;     // wanted; read, of all instances
    uint64_t bytes_before;         // read of the instances before this one
    uint32_t rows_before;          // written for them
    hyi_skim last;                 // seq 0: no entry yet
    int64_t after_id;
    size_t offset;              // in the batch, of the next entry
    hyi_sqlite_instance *moved; // what this slice has worked on
} slice_reader;

static bool slice_is_full(const slice_reader *reader) {
    if (reader->bytes < reader->bytes_min) return false;
    return reader->bytes >= reader->self->options.slice_bytes ||
           reader->rows_before + reader->instance->machine->latest.count >=
               reader->self->slice_rows;
}

static hy_err slice_corrupt(const slice_reader *reader, hy_why *inner, hy_why *why) {
    const hyi_sqlite_instance *instance = reader->instance;
    return hyi_why_fmt(why, HY_CORRUPT, "hy_journal",
                       "the journal of machine %u is damaged after seq %u (%s): restore a copy",
                       (uint64_t)instance->number,
                       reader->last.seq != 0 ? reader->last.seq : instance->checkpoint.seq,
                       inner->text);
}

static hy_err slice_read_body(slice_reader *reader, hy_bytes body, hy_why *why) {
    hyi_latest *latest = &reader->instance->machine->latest;
    uint64_t done = reader->instance->checkpoint.seq;
    size_t end = reader->offset + body.len;
    hy_err err = HY_OK;
    while (!slice_is_full(reader)) {
        hy_bytes entry;
        hyi_skim skim;
        hy_why inner = { 0 };
        err = hy_frame_next(&body, &entry, &inner);
        if (err == HY_END) return HY_OK;
        if (err == HY_OK) err = hyi_skim_entry(entry, &skim, &inner);
        if (err == HY_CORRUPT) return slice_corrupt(reader, &inner, why);
        if (err != HY_OK) return err;
        if (skim.seq <= done) continue;
        err = hyi_latest_add(latest, &skim, &inner);
        if (err == HY_CORRUPT) return slice_corrupt(reader, &inner, why);
        if (err != HY_OK) return err;
        reader->last = skim;
        reader->bytes += entry.len + HY_FRAME_HEAD_BYTES;
    }
    reader->offset = end - body.len;
    return HY_OK;
}

// Reading a batch again from its beginning for every slice would cost the square of its length.
static size_t slice_offset_in(const slice_reader *reader, size_t len) {
    const hyi_sqlite_instance *instance = reader->instance;
    bool goes_on = instance->rest.batch_id == reader->after_id &&
                   instance->rest.seq == instance->checkpoint.seq;
    return goes_on && instance->rest.offset < len ? instance->rest.offset : 0;
}

// Copies the next batch's body (what is left of it) into the scratch arena, where it stays until
// the instance's rows are written. HY_END.
static hy_err slice_next_batch(slice_reader *reader, hy_bytes *out_body, hy_why *why) {
    sqlite3_stmt *after;
    hy_err err = hyi_sqlite_get(reader->self, HYI_SQLITE_JOURNAL_AFTER, &after, why);
    if (err != HY_OK) return err;
    uint32_t number = reader->instance->number;
    sqlite3_bind_int64(after, 1, reader->after_id);
    sqlite3_bind_int64(after, 2, hyi_sqlite_journal_id(number, hyi_sqlite_seq_max(number)));
    int rc = sqlite3_step(after);
    if (rc == SQLITE_ROW) {
        bool ok = false;
        reader->after_id = sqlite3_column_int64(after, 0);
        hy_bytes body = { sqlite3_column_blob(after, 4), (size_t)sqlite3_column_bytes(after, 4) };
        reader->offset = slice_offset_in(reader, body.len);
        body = (hy_bytes){ body.ptr + reader->offset, body.len - reader->offset };
        *out_body = hy_arena_copy(&reader->self->scratch, body, &ok);
        err = ok ? HY_OK : HY_NOMEM;
    } else {
        err = rc == SQLITE_DONE ? HY_END : hyi_sqlite_fail(reader->self, rc, "hy_journal", why);
    }
    sqlite3_reset(after);
    return err;
}

// The batch that holds the entry after the checkpoint may begin before it.
static hy_err slice_find_start(slice_reader *reader, hy_why *why) {
    sqlite3_stmt *at;
    hy_err err = hyi_sqlite_get(reader->self, HYI_SQLITE_JOURNAL_AT, &at, why);
    if (err != HY_OK) return err;
    uint32_t number = reader->instance->number;
    uint64_t next = reader->instance->checkpoint.seq + 1;
    sqlite3_bind_int64(at, 1, hyi_sqlite_journal_id(number, 0));
    sqlite3_bind_int64(at, 2, hyi_sqlite_journal_id(number, next));
    int rc = sqlite3_step(at);
    reader->after_id = hyi_sqlite_journal_id(number, 0);
    if (rc == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(at, 0);
        reader->after_id = (uint64_t)sqlite3_column_int64(at, 2) >= next ? id - 1 : id;
    } else if (rc != SQLITE_DONE) {
        err = hyi_sqlite_fail(reader->self, rc, "hy_journal", why);
    }
    sqlite3_reset(at);
    return err;
}

static hy_err slice_gather(slice_reader *reader, hy_why *why) {
    hy_err err = slice_find_start(reader, why);
    while (err == HY_OK && !slice_is_full(reader)) {
        hy_bytes body;
        err = slice_next_batch(reader, &body, why);
        if (err == HY_OK) err = slice_read_body(reader, body, why);
    }
    return err == HY_END ? HY_OK : err;
}

// Writes what was gathered of one instance, and how far its tables are then.
static hy_err slice_write(slice_reader *reader, hy_why *why) {
    hyi_sqlite *self = reader->self;
    hyi_sqlite_instance *instance = reader->instance;
    hyi_sqlite_machine *machine = instance->machine;
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < machine->latest.count && err == HY_OK; i++) {
        const hyi_latest_row *row = &machine->latest.rows[i];
        hyi_sqlite_table *table = &machine->tables[row->table];
        err = row->gone
                  ? hyi_sqlite_table_remove(self, table, instance->number, row->row, why)
                  : hyi_sqlite_table_put(self, table, instance->number, "", NULL, row->row, why);
    }
    if (err != HY_OK) return err;
    instance->moved =
        (hyi_sqlite_mark){ reader->last.seq, reader->last.digest, reader->last.chain };
    return hyi_sqlite_checkpoint_write(self, instance->number, &instance->moved, why);
}

// `rows` were written and made `pages` dirty: how many may the next slice write?
static void slice_learn(hyi_sqlite *self, uint32_t rows, uint64_t pages) {
    bool was_full = rows >= self->slice_rows;
    if (pages == 0 || rows == 0 || (!was_full && pages <= SLICE_PAGES)) return;
    uint64_t fits = (uint64_t)rows * SLICE_PAGES / pages;
    if (fits > 2 * (uint64_t)self->slice_rows) fits = 2 * (uint64_t)self->slice_rows;
    if (fits < SLICE_ROWS_MIN) fits = SLICE_ROWS_MIN;
    if (fits > SLICE_ROWS_MAX) fits = SLICE_ROWS_MAX;
    self->slice_rows = (uint32_t)fits;
}

// One instance's part of the slice.
static hy_err slice_instance(slice_reader *reader, hy_why *why) {
    hyi_sqlite_instance *instance = reader->instance;
    hy_arena_reset(&reader->self->scratch);
    hyi_latest_clear(&instance->machine->latest);
    reader->last = (hyi_skim){ 0 };
    reader->offset = 0;
    reader->bytes_before = reader->bytes;
    hy_err err = slice_gather(reader, why);
    if (err != HY_OK) return err;
    if (reader->last.seq == 0) {
        hy_why inner = { .text = "entries are missing" };
        return slice_corrupt(reader, &inner, why);
    }
    err = slice_write(reader, why);
    if (err != HY_OK) return err;
    reader->rows_before += instance->machine->latest.count + 1; // and its checkpoint
    instance->moved_bytes = reader->bytes - reader->bytes_before;
    instance->rest.batch_id = reader->after_id;
    instance->rest.seq = instance->moved.seq; // means nothing if this does not come true
    instance->rest.offset = reader->offset;
    instance->next_moved = reader->moved;
    reader->moved = instance;
    return HY_OK;
}

static void slice_take_over(slice_reader *reader) {
    for (; reader->moved != NULL; reader->moved = reader->moved->next_moved) {
        hyi_sqlite_instance *moved = reader->moved;
        uint64_t bytes = moved->moved_bytes;
        moved->checkpoint = moved->moved;
        moved->backlog_bytes -= bytes < moved->backlog_bytes ? bytes : moved->backlog_bytes;
    }
}

// Through the instances that are linked from `first` on, until the slice is full.
static hy_err slice_run(slice_reader *reader, hyi_sqlite_instance *first, hy_why *why) {
    hyi_sqlite *self = reader->self;
    uint64_t pages_before = self->wal_pages;
    hy_err err = hyi_sqlite_begin(self, why);
    if (err != HY_OK) return err;
    for (reader->instance = first; err == HY_OK && reader->instance != NULL;
         reader->instance = reader->instance->next_dirty) {
        hyi_latest_clear(&reader->instance->machine->latest);
        if (slice_is_full(reader)) break;
        if (reader->instance->checkpoint.seq >= reader->instance->last_seq) continue;
        err = slice_instance(reader, why);
    }
    err = hyi_sqlite_end(self, err, why);
    if (err != HY_OK) return err;
    if (self->wal_pages > pages_before) { // else the log began anew
        slice_learn(self, reader->rows_before, self->wal_pages - pages_before);
    }
    slice_take_over(reader);
    hyi_sqlite_copy_log(self);
    return HY_OK;
}

hy_err hyi_sqlite_slice(hyi_sqlite *self, uint64_t bytes_min, hy_why *why) {
    slice_reader reader = { .self = self, .bytes_min = bytes_min };
    hy_err err = slice_run(&reader, self->dirty_first, why);
    if (err != HY_OK) return err;
    self->backlog_bytes -= reader.bytes < self->backlog_bytes ? reader.bytes : self->backlog_bytes;
    hyi_sqlite_instance *first;
    while ((first = self->dirty_first) != NULL && first->checkpoint.seq >= first->last_seq) {
        self->dirty_first = first->next_dirty;
        if (self->dirty_first == NULL) self->dirty_last = NULL;
        first->next_dirty = NULL;
        first->dirty = false;
    }
    return HY_OK;
}

hy_err hyi_sqlite_drain(hyi_sqlite *self, hyi_sqlite_machine *machine, const uint32_t *numbers,
                        size_t count, hy_why *why) {
    hy_err err = HY_OK;
    for (size_t i = 0; i < count && err == HY_OK; i++) {
        hyi_sqlite_instance one = { .machine = machine, .number = numbers[i], .stored = true };
        err = hyi_sqlite_instance_refresh(self, &one, why);
        while (err == HY_OK && one.checkpoint.seq < one.last_seq) {
            slice_reader reader = { .self = self };
            err = slice_run(&reader, &one, why);
        }
    }
    return err;
}

hy_err hyi_sqlite_checkpoint_slice(hy_store *store, bool *out_more, hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    *out_more = false;
    if (self->options.read_only) return HY_OK;
    hy_err err = hyi_sqlite_relink(self, why);
    if (err == HY_OK && self->dirty_first != NULL) err = hyi_sqlite_slice(self, 0, why);
    *out_more = self->dirty_first != NULL;
    return hyi_sqlite_told(err, why);
}

hy_err hyi_sqlite_checkpoint(hy_store *store, hy_why *why) {
    bool more = true;
    hy_err err = HY_OK;
    while (more && err == HY_OK) {
        err = hyi_sqlite_checkpoint_slice(store, &more, why);
    }
    return err;
}
