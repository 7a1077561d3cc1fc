// sqlite_look.c - reading a store without the program that wrote it.
//
// Everything comes from the descriptions in hy_machine: a table is walked with the same plans and
// the same checks as when a program loads it, only that its records were decoded and not compiled.
#include "store/sqlite_store.h"

#include "base/memory.h"
#include "base/why.h"

static hy_err look_journal(hyi_sqlite *self, hy_store_machine *machine, hy_why *why) {
    sqlite3_stmt *sums;
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_JOURNAL_SUMS, &sums, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(sums, 1, hyi_sqlite_journal_id(machine->number, 0));
    sqlite3_bind_int64(sums, 2,
                       hyi_sqlite_journal_id(machine->number, hyi_sqlite_seq_max(machine->number)));
    int rc = sqlite3_step(sums);
    if (rc == SQLITE_ROW) {
        machine->batch_count = (uint64_t)sqlite3_column_int64(sums, 0);
        machine->entry_count = (uint64_t)sqlite3_column_int64(sums, 1);
        machine->journal_bytes = (uint64_t)sqlite3_column_int64(sums, 2);
        machine->first_seq = (uint64_t)sqlite3_column_int64(sums, 3);
        machine->last_seq = (uint64_t)sqlite3_column_int64(sums, 4);
    } else {
        err = hyi_sqlite_fail(self, rc, "hy_journal", why);
    }
    sqlite3_reset(sums);
    return err;
}

// What `number` holds: the machine itself, or one of its instances.
static hy_err look_machine(hyi_sqlite *self, const hyi_sqlite_known *known, uint32_t number,
                           hy_arena *arena, hy_store_machine *machine, hy_why *why) {
    hyi_description description;
    hyi_sqlite_mark checkpoint;
    hy_err err = hyi_description_decode(known->schema, arena, &description, why);
    if (err == HY_OK) err = hyi_sqlite_checkpoint_read(self, number, &checkpoint, why);
    if (err != HY_OK) return err;
    *machine = (hy_store_machine){ .described = description.machine,
                                   .number = number,
                                   .checkpoint_seq = checkpoint.seq,
                                   .checkpoint_digest = checkpoint.digest,
                                   .checkpoint_chain = checkpoint.chain };
    if (number == known->number) {
        err = hyi_sqlite_keyed_count(self, number, &machine->instance_count, why);
    }
    return err == HY_OK ? look_journal(self, machine, why) : err;
}

hy_err hyi_sqlite_machines(hy_store *store, hy_arena *arena, const hy_store_machine **out_machines,
                           size_t *out_count, hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    hyi_sqlite_known *known = NULL;
    size_t count = 0;
    hy_err err = hyi_sqlite_relink(self, why);
    if (err == HY_OK) err = hyi_sqlite_known_all(self, arena, &known, &count, why);
    if (err != HY_OK) return err;
    hy_store_machine *machines = hy_arena_alloc(arena, (count + 1) * sizeof *machines);
    if (machines == NULL) return HY_NOMEM;
    for (size_t i = 0; i < count; i++) {
        err = look_machine(self, &known[i], known[i].number, arena, &machines[i], why);
        if (err != HY_OK) return err;
    }
    *out_machines = machines;
    *out_count = count;
    return HY_OK;
}

// ---- instances ----------------------------------------------------------------------------------

// HY_END: the store has no such machine.
static hy_err look_known(hyi_sqlite *self, uint32_t machine, hy_arena *arena,
                         hyi_sqlite_known *out_known, hy_why *why) {
    hyi_sqlite_known *known = NULL;
    size_t count = 0;
    hy_err err = hyi_sqlite_known_all(self, arena, &known, &count, why);
    if (err != HY_OK) return err;
    for (size_t i = 0; i < count; i++) {
        if (known[i].number != machine) continue;
        *out_known = known[i];
        return HY_OK;
    }
    return HY_END;
}

static hy_err look_keyed(hyi_sqlite *self, const hyi_sqlite_keyed *keyed, hy_arena *arena,
                         hy_store_machine *out_instance, hy_why *why) {
    hyi_sqlite_known known;
    hy_err err = look_known(self, keyed->machine, arena, &known, why);
    if (err == HY_END) {
        return hyi_why_fmt(why, HY_CORRUPT, "hy_instance", "there is no machine %u",
                           (uint64_t)keyed->machine);
    }
    if (err == HY_OK) err = look_machine(self, &known, keyed->number, arena, out_instance, why);
    if (err == HY_OK) out_instance->key = keyed->key;
    return err;
}

hy_err hyi_sqlite_instance_next(hy_store *store, uint32_t machine, hy_bytes after, hy_arena *arena,
                                hy_store_machine *out_instance, hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    hyi_sqlite_keyed keyed;
    hy_err err = hyi_sqlite_relink(self, why);
    if (err == HY_OK) err = hyi_sqlite_keyed_after(self, machine, after, arena, &keyed, why);
    if (err == HY_OK) err = look_keyed(self, &keyed, arena, out_instance, why);
    return hyi_sqlite_told(err, why);
}

hy_err hyi_sqlite_instance_look(hy_store *store, uint32_t machine, hy_bytes key, hy_arena *arena,
                                hy_store_machine *out_instance, hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    hyi_sqlite_keyed keyed;
    hy_err err = hyi_sqlite_relink(self, why);
    if (err == HY_OK) err = hyi_sqlite_keyed_at(self, machine, key, arena, &keyed, why);
    if (err == HY_END) {
        return hyi_why_fmt(why, HY_NOT_FOUND, self->path, "%s holds no machine of this key",
                           self->path);
    }
    if (err == HY_OK) err = look_keyed(self, &keyed, arena, out_instance, why);
    return hyi_sqlite_told(err, why);
}

// ---- rows ---------------------------------------------------------------------------------------

typedef struct sqlite_rows {
    hy_store_rows base;
    hyi_sqlite *store;
    hy_arena kept, cells; // description and plan; wire cells of the current row
    hyi_sqlite_table table;
    sqlite3_stmt *statement;
    void *row;
} sqlite_rows;

static hy_err look_rows_next(hy_store_rows *base, const void **out_row, hy_why *why) {
    sqlite_rows *rows = (sqlite_rows *)base;
    hy_arena_reset(&rows->cells);
    hy_err err = hyi_sqlite_table_next(rows->store, &rows->table, rows->statement, &rows->cells,
                                       rows->row, why);
    if (err == HY_OK) *out_row = rows->row;
    return err;
}

static void look_rows_close(hy_store_rows *base) {
    sqlite_rows *rows = (sqlite_rows *)base;
    sqlite3_finalize(rows->statement);
    hy_arena_deinit(&rows->kept);
    hy_arena_deinit(&rows->cells);
    hy_mem_free(rows->store->mem, rows, sizeof *rows);
}

static hy_err look_describe(hyi_sqlite *self, uint32_t number, hy_arena *arena,
                            hyi_description *out_description, hy_why *why) {
    hyi_sqlite_known known = { 0 };
    hyi_sqlite_keyed keyed = { .machine = number };
    hy_err err = HY_OK;
    if (number > HYI_SQLITE_MACHINES_MAX) {
        err = hyi_sqlite_keyed_of(self, number, arena, &keyed, why);
    }
    if (err == HY_OK) err = look_known(self, keyed.machine, arena, &known, why);
    if (err == HY_OK) return hyi_description_decode(known.schema, arena, out_description, why);
    if (err != HY_END) return err;
    return hyi_why_fmt(why, HY_NOT_FOUND, "hy_machine", "the store has no machine %u",
                       (uint64_t)number);
}

static hy_err look_rows_begin(sqlite_rows *rows, uint32_t machine, uint32_t table, hy_why *why) {
    hyi_sqlite *self = rows->store;
    hyi_description description;
    hy_err err = hyi_sqlite_relink(self, why);
    if (err == HY_OK) err = look_describe(self, machine, &rows->kept, &description, why);
    if (err != HY_OK) return err;
    const hy_table *described = table < HY_TABLE_NUMBERS ? description.tables[table] : NULL;
    if (described == NULL) {
        return hyi_why_fmt(why, HY_NOT_FOUND, "hy_machine", "machine %u has no table %u",
                           (uint64_t)machine, (uint64_t)table);
    }
    err = hyi_sqlite_table_make(&rows->kept, described, &rows->table, why);
    if (err != HY_OK) return err;
    rows->row = hy_arena_alloc(&rows->kept, described->row->size);
    if (rows->row == NULL) return HY_NOMEM;
    return hyi_sqlite_table_walk(self, &rows->table, machine, &rows->statement, why);
}

hy_err hyi_sqlite_rows_open(hy_store *store, uint32_t machine, uint32_t table,
                            hy_store_rows **out_rows, hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    sqlite_rows *rows = hy_mem_alloc_zero(self->mem, sizeof *rows);
    if (rows == NULL) return HY_NOMEM;
    *rows = (sqlite_rows){ .base = { look_rows_next, look_rows_close }, .store = self };
    hy_arena_init(&rows->kept, self->mem, 0);
    hy_arena_init(&rows->cells, self->mem, 0);
    hy_err err = look_rows_begin(rows, machine, table, why);
    if (err != HY_OK) look_rows_close(&rows->base);
    if (err == HY_OK) *out_rows = &rows->base;
    return err;
}
