// sqlite_table.c - the typed SQL table behind one machine table.
//
//     CREATE TABLE "booking"(machine INTEGER NOT NULL, "practice" INTEGER NOT NULL, ...,
//                            row_crc INTEGER NOT NULL, PRIMARY KEY(machine, "practice", ...))
//     WITHOUT ROWID
//
// Machines in one file may share a table (many of one kind do); each reads only its own rows. A
// column outside the key may be NULL, so that a field can become an option later; it has a default,
// so that rows from before it came read as zero. Columns that a newer shape has dropped stay while
// others use the table.
#include "store/sqlite_store.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/why.h"

hy_err hyi_sqlite_table_make(hy_arena *arena, const hy_table *table, hyi_sqlite_table *out_table,
                             hy_why *why) {
    hy_err err = hyi_columns_make(arena, table->row, table->key_count, &out_table->columns, why);
    if (err != HY_OK) return err;
    for (uint32_t i = 0; i < out_table->columns.count; i++) {
        const char *name = out_table->columns.list[i].name;
        if (sqlite3_stricmp(name, "machine") != 0 && sqlite3_stricmp(name, "row_crc") != 0) {
            continue;
        }
        return hyi_why_fmt(why, HY_SCHEMA, table->name,
                           "field %s of table %s: the SQL table has a column of that name already",
                           name, table->name);
    }
    out_table->table = table;
    return HY_OK;
}

void hyi_sqlite_table_forget(hyi_sqlite_table *table) {
    sqlite3_finalize(table->put);
    sqlite3_finalize(table->remove);
    sqlite3_finalize(table->walk);
    table->put = table->remove = table->walk = NULL;
}

// ---- the layout ---------------------------------------------------------------------------------

static const char *table_zero_label(const hyi_column *column) {
    const hy_enum *values = column->leaf->values;
    for (uint32_t i = 0; i < values->value_count; i++) {
        if (values->values[i].number == 0) return values->values[i].label;
    }
    return "0";
}

// What a row from before the column came shows; NULL for options.
static void table_add_default(hy_buf *sql, const hyi_column *column) {
    if (column->has_count > 0) return;
    hy_buf_add_text(sql, " DEFAULT ");
    switch (column->form) {
    case HYI_COLUMN_F64: hy_buf_add_text(sql, "0.0"); break;
    case HYI_COLUMN_TEXT: hy_buf_add_text(sql, "''"); break;
    case HYI_COLUMN_BLOB:
    case HYI_COLUMN_WIRE: hy_buf_add_text(sql, "x''"); break;
    case HYI_COLUMN_ID: hy_buf_add_text(sql, "'00000000-0000-0000-0000-000000000000'"); break;
    case HYI_COLUMN_ENUM:
        hy_buf_add_text(sql, "'");
        hy_buf_add_text(sql, table_zero_label(column));
        hy_buf_add_text(sql, "'");
        break;
    default: hy_buf_add_text(sql, "0"); break;
    }
}

static void table_add_column(hy_buf *sql, const hyi_column *column, bool in_key) {
    hyi_sqlite_add_name(sql, "", column->name);
    hy_buf_add_text(sql, " ");
    hy_buf_add_text(sql, column->type);
    if (in_key) {
        hy_buf_add_text(sql, " NOT NULL");
    } else {
        table_add_default(sql, column);
    }
}

static hy_err table_create(hyi_sqlite *self, const hyi_sqlite_table *table, const char *prefix,
                           hy_why *why) {
    const hyi_columns *columns = &table->columns;
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    hy_buf_add_text(&sql, "CREATE TABLE ");
    hyi_sqlite_add_name(&sql, prefix, table->table->name);
    hy_buf_add_text(&sql, "(machine INTEGER NOT NULL");
    for (uint32_t i = 0; i < columns->count; i++) {
        hy_buf_add_text(&sql, ", ");
        table_add_column(&sql, &columns->list[i], i < columns->key_count);
    }
    hy_buf_add_text(&sql, ", row_crc INTEGER NOT NULL, PRIMARY KEY(machine");
    for (uint32_t i = 0; i < columns->key_count; i++) {
        hy_buf_add_text(&sql, ", ");
        hyi_sqlite_add_name(&sql, "", columns->list[i].name);
    }
    hy_buf_add_text(&sql, ")) WITHOUT ROWID");
    hy_err err = hyi_sqlite_run(self, &sql, why);
    hy_buf_deinit(&sql);
    return err;
}

// What the SQL table has: 0 nothing of that name, 1 a column that fits, 2 one that does not.
typedef struct table_found {
    bool exists, fits;
} table_found;

// Columns of the table in SQL, by name; how many there are in *out_count (0: no such table).
static hy_err table_find_column(hyi_sqlite *self, sqlite3_stmt *info, const hyi_column *column,
                                int64_t key_place, table_found *out_found, hy_why *why) {
    *out_found = (table_found){ 0 };
    sqlite3_reset(info);
    int rc;
    while ((rc = sqlite3_step(info)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(info, 0);
        const char *type = (const char *)sqlite3_column_text(info, 1);
        if (name == NULL || type == NULL) return HY_NOMEM;
        out_found->exists = out_found->exists || column == NULL;
        if (column == NULL || sqlite3_stricmp(name, column->name) != 0) continue;
        *out_found = (table_found){ true, sqlite3_stricmp(type, column->type) == 0 &&
                                              sqlite3_column_int64(info, 2) == key_place };
    }
    return rc == SQLITE_DONE ? HY_OK : hyi_sqlite_fail(self, rc, NULL, why);
}

static hy_err table_add_missing(hyi_sqlite *self, const hyi_sqlite_table *table, const char *prefix,
                                const hyi_column *column, hy_why *why) {
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    hy_buf_add_text(&sql, "ALTER TABLE ");
    hyi_sqlite_add_name(&sql, prefix, table->table->name);
    hy_buf_add_text(&sql, " ADD COLUMN ");
    table_add_column(&sql, column, false);
    hy_err err = hyi_sqlite_run(self, &sql, why);
    hy_buf_deinit(&sql);
    return err;
}

static hy_err table_fit(hyi_sqlite *self, const hyi_sqlite_table *table, const char *prefix,
                        sqlite3_stmt *info, hy_why *why) {
    const hyi_columns *columns = &table->columns;
    for (uint32_t i = 0; i < columns->count; i++) {
        table_found found;
        bool in_key = i < columns->key_count;
        int64_t key_place = in_key ? (int64_t)i + 2 : 0; // 1 is `machine`
        const hyi_column *column = &columns->list[i];
        hy_err err = table_find_column(self, info, column, key_place, &found, why);
        sqlite3_reset(info); // a table that is being read cannot be altered
        if (err != HY_OK) return err;
        if (found.fits) continue;
        if (found.exists || in_key) {
            return hyi_why_fmt(why, HY_SCHEMA, table->table->name,
                               "column %s of table %s is used in another way by another machine in "
                               "this file: rename the table, or use a file of its own",
                               column->name, table->table->name);
        }
        err = table_add_missing(self, table, prefix, column, why);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

hy_err hyi_sqlite_table_ensure(hyi_sqlite *self, const hyi_sqlite_table *table, const char *prefix,
                               hy_why *why) {
    sqlite3_stmt *info = NULL;
    table_found any;
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    hy_buf_add_text(&sql, "SELECT name, type, pk FROM pragma_table_info('");
    hy_buf_add_text(&sql, prefix);
    hy_buf_add_text(&sql, table->table->name);
    hy_buf_add_text(&sql, "')");
    hy_err err = hyi_sqlite_prepare(self, &sql, &info, why);
    hy_buf_deinit(&sql);
    if (err == HY_OK) err = table_find_column(self, info, NULL, 0, &any, why);
    sqlite3_reset(info);
    if (err == HY_OK) {
        err = any.exists ? table_fit(self, table, prefix, info, why)
                         : table_create(self, table, prefix, why);
    }
    sqlite3_finalize(info);
    return err;
}

// ---- writing rows -------------------------------------------------------------------------------

static void table_add_columns(hy_buf *sql, const hyi_columns *columns) {
    for (uint32_t i = 0; i < columns->count; i++) {
        hyi_sqlite_add_name(sql, "", columns->list[i].name);
        hy_buf_add_text(sql, ", ");
    }
    hy_buf_add_text(sql, "row_crc");
}

static hy_err table_prepare_put(hyi_sqlite *self, hyi_sqlite_table *table, const char *prefix,
                                hy_why *why) {
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    // Into a table that is being made a key goes once; elsewhere a row replaces the one before.
    hy_buf_add_text(&sql, prefix[0] != 0 ? "INSERT INTO " : "INSERT OR REPLACE INTO ");
    hyi_sqlite_add_name(&sql, prefix, table->table->name);
    hy_buf_add_text(&sql, "(machine, ");
    table_add_columns(&sql, &table->columns);
    hy_buf_add_text(&sql, ") VALUES(?");
    for (uint32_t i = 0; i <= table->columns.count; i++) {
        hy_buf_add_text(&sql, ", ?");
    }
    hy_buf_add_text(&sql, ")");
    hy_err err = hyi_sqlite_prepare(self, &sql, &table->put, why);
    hy_buf_deinit(&sql);
    return err;
}

static hy_err table_prepare_remove(hyi_sqlite *self, hyi_sqlite_table *table, hy_why *why) {
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    hy_buf_add_text(&sql, "DELETE FROM ");
    hyi_sqlite_add_name(&sql, "", table->table->name);
    hy_buf_add_text(&sql, " WHERE machine = ?");
    for (uint32_t i = 0; i < table->columns.key_count; i++) {
        hy_buf_add_text(&sql, " AND ");
        hyi_sqlite_add_name(&sql, "", table->columns.list[i].name);
        hy_buf_add_text(&sql, " = ?");
    }
    hy_err err = hyi_sqlite_prepare(self, &sql, &table->remove, why);
    hy_buf_deinit(&sql);
    return err;
}

static hy_err table_decode(hyi_sqlite *self, const hyi_sqlite_table *table, hy_bytes wire,
                           void **out_row, hy_why *why) {
    const hy_record *record = table->table->row;
    *out_row = hy_arena_alloc(&self->scratch, record->size);
    if (*out_row == NULL) return HY_NOMEM;
    return hy_wire_decode(record, wire, &self->scratch, *out_row, why);
}

// Binds machine and the first `count` columns, and steps.
static hy_err table_write(hyi_sqlite *self, const hyi_sqlite_table *table, sqlite3_stmt *statement,
                          uint32_t machine, uint32_t count, const void *row, hy_why *why) {
    sqlite3_bind_int64(statement, 1, machine);
    hy_err err = hyi_columns_bind(&table->columns, count, statement, 2, row, &self->scratch);
    if (err == HY_OK) err = hyi_sqlite_step_out(self, statement, table->table->name, why);
    sqlite3_reset(statement);
    return err;
}

hy_err hyi_sqlite_table_put(hyi_sqlite *self, hyi_sqlite_table *table, uint32_t machine,
                            const char *prefix, const void *row, hy_bytes wire, hy_why *why) {
    hy_err err = HY_OK;
    void *decoded = NULL;
    if (table->put == NULL) err = table_prepare_put(self, table, prefix, why);
    if (err == HY_OK && row == NULL) err = table_decode(self, table, wire, &decoded, why);
    if (err != HY_OK) return err;
    uint32_t count = table->columns.count;
    sqlite3_bind_int64(table->put, (int)count + 2, hyi_crc32c(0, wire.ptr, wire.len));
    return table_write(self, table, table->put, machine, count, row != NULL ? row : decoded, why);
}

hy_err hyi_sqlite_table_remove(hyi_sqlite *self, hyi_sqlite_table *table, uint32_t machine,
                               hy_bytes key_wire, hy_why *why) {
    hy_err err = HY_OK;
    void *row = NULL;
    if (table->remove == NULL) err = table_prepare_remove(self, table, why);
    if (err == HY_OK) err = table_decode(self, table, key_wire, &row, why);
    if (err != HY_OK) return err;
    return table_write(self, table, table->remove, machine, table->columns.key_count, row, why);
}

// ---- reading rows -------------------------------------------------------------------------------

hy_err hyi_sqlite_table_walk(hyi_sqlite *self, const hyi_sqlite_table *table, uint32_t machine,
                             sqlite3_stmt **out_statement, hy_why *why) {
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    hy_buf_add_text(&sql, "SELECT ");
    table_add_columns(&sql, &table->columns);
    hy_buf_add_text(&sql, " FROM ");
    hyi_sqlite_add_name(&sql, "", table->table->name);
    hy_buf_add_text(&sql, " WHERE machine = ?");
    hy_err err = hyi_sqlite_prepare(self, &sql, out_statement, why);
    hy_buf_deinit(&sql);
    if (err == HY_OK) sqlite3_bind_int64(*out_statement, 1, machine);
    return err;
}

// "booking(1, 540)": where a person will find it.
static hy_err table_row_corrupt(const hyi_sqlite_table *table, sqlite3_stmt *statement,
                                const char *column, hy_why *why) {
    char place[sizeof why->place];
    int len = 0, room = (int)sizeof place;
    sqlite3_snprintf(room, place, "%s(", table->table->name);
    for (uint32_t i = 0; i < table->columns.key_count; i++) {
        len = (int)hy_bytes_of(place).len;
        const unsigned char *text = sqlite3_column_text(statement, (int)i);
        sqlite3_snprintf(room - len, place + len, "%s%s", i == 0 ? "" : ", ",
                         text == NULL ? "?" : (const char *)text);
    }
    len = (int)hy_bytes_of(place).len;
    sqlite3_snprintf(room - len, place + len, ")%s%s", column[0] != 0 ? "." : "", column);
    return hy_why_set(why, HY_CORRUPT, place,
                      "a row does not fit its CRC: it was changed from outside or damaged; restore "
                      "a copy");
}

hy_err hyi_sqlite_table_next(hyi_sqlite *self, const hyi_sqlite_table *table,
                             sqlite3_stmt *statement, hy_arena *arena, void *row, hy_why *why) {
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_DONE) return HY_END;
    if (rc != SQLITE_ROW) return hyi_sqlite_fail(self, rc, table->table->name, why);
    hy_why misfit = { 0 };
    hy_err err = hyi_columns_read(&table->columns, statement, 0, row, arena, &misfit);
    if (err == HY_CORRUPT) return table_row_corrupt(table, statement, misfit.place, why);
    if (err != HY_OK) return err;

    hy_buf_clear(&self->wire);
    err = hy_wire_encode(table->table->row, row, &self->wire);
    if (err == HY_NOMEM) return err;
    int64_t crc = sqlite3_column_int64(statement, (int)table->columns.count);
    bool fits = err == HY_OK && crc == hyi_crc32c(0, self->wire.ptr, self->wire.len);
    return fits ? HY_OK : table_row_corrupt(table, statement, "", why);
}
