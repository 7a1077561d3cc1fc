// columns.c - moving values between structs and SQLite.
//
// What goes in must come out bit for bit, because a row's CRC is over its wire form. SQLite would
// change two things: a NaN becomes NULL and a negative zero loses its sign. So a number that is one
// of these is stored as a BLOB of its 8 bytes, which no affinity touches. Unsigned 64-bit numbers
// are stored as signed ones with the same bits.
//
// A cell that is not what the column's form allows (a person edited the file, or bits rotted) is
// HY_CORRUPT here or is caught by the row's CRC; it is never an overflow.
#include "store/columns.h"

#include "base/memory.h"
#include "base/why.h"
#include "schema/sql.h"

static hyi_column_form columns_form_of(const hy_sql_column *from) {
    if (hyi_sql_column_is_wire(from)) return HYI_COLUMN_WIRE;
    switch (from->value_type) {
    case HY_TYPE_BOOL: return HYI_COLUMN_BOOL;
    case HY_TYPE_U8: return HYI_COLUMN_U8;
    case HY_TYPE_U16: return HYI_COLUMN_U16;
    case HY_TYPE_U32: return HYI_COLUMN_U32;
    case HY_TYPE_I8: return HYI_COLUMN_I8;
    case HY_TYPE_I16: return HYI_COLUMN_I16;
    case HY_TYPE_I32: return HYI_COLUMN_I32;
    case HY_TYPE_U64:
    case HY_TYPE_I64: return HYI_COLUMN_64;
    case HY_TYPE_F64: return HYI_COLUMN_F64;
    case HY_TYPE_STR: return HYI_COLUMN_TEXT;
    case HY_TYPE_ID: return HYI_COLUMN_ID;
    case HY_TYPE_ENUM: return HYI_COLUMN_ENUM;
    default: return HYI_COLUMN_BLOB;
    }
}

static void columns_plan(const hy_sql_column *from, hyi_column *to) {
    *to = (hyi_column){ .type = from->type, .form = columns_form_of(from) };
    memcpy(to->name, from->name, sizeof to->name);
    to->leaf = from->path[from->depth - 1];
    for (uint32_t i = 0; i < from->depth; i++) {
        const hy_field *field = from->path[i];
        to->offset += field->offset;
        bool is_cell = to->form == HYI_COLUMN_WIRE && i + 1 == from->depth;
        if (field->label != HY_OPTIONAL || is_cell) continue;
        to->has_offset[to->has_count++] = to->offset;
        to->offset += field->align; // where the value of an option lies behind its flag
    }
}

hy_err hyi_columns_make(hy_arena *arena, const hy_record *record, uint32_t key_count,
                        hyi_columns *out_columns, hy_why *why) {
    hy_sql_column *made = hy_arena_alloc(arena, HY_SQL_COLUMNS_MAX * sizeof *made);
    if (made == NULL) return HY_NOMEM;
    uint32_t count = 0;
    hy_err err = hy_sql_columns(record, made, &count);
    if (err != HY_OK) {
        return hyi_why_fmt(why, err, record->name, "record %s cannot be a row of a SQL table: %s",
                           record->name, hy_err_text(err));
    }
    HY_ASSERT(key_count <= count); // a key field is one column
    hyi_column *list = hy_arena_alloc(arena, (count + 1) * sizeof *list);
    if (list == NULL) return HY_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        columns_plan(&made[i], &list[i]);
    }
    *out_columns = (hyi_columns){ record, list, count, key_count };
    return HY_OK;
}

// ---- binding ------------------------------------------------------------------------------------

static int columns_bind_f64(sqlite3_stmt *statement, int index, const uint8_t *at) {
    double value;
    uint64_t bits;
    memcpy(&value, at, sizeof value);
    memcpy(&bits, at, sizeof bits);
    bool is_plain = value == value && bits != UINT64_C(1) << 63;
    if (is_plain) return sqlite3_bind_double(statement, index, value);
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(bits >> (8 * i));
    }
    return sqlite3_bind_blob(statement, index, bytes, sizeof bytes, SQLITE_TRANSIENT);
}

static const void *columns_ptr(hy_bytes bytes) {
    return bytes.len == 0 ? (const void *)"" : bytes.ptr; // NULL would bind a NULL
}

static int columns_bind_enum(sqlite3_stmt *statement, int index, const hy_enum *values,
                             uint32_t number) {
    for (uint32_t i = 0; i < values->value_count; i++) {
        if (values->values[i].number != number) continue;
        return sqlite3_bind_text(statement, index, values->values[i].label, -1, SQLITE_STATIC);
    }
    return sqlite3_bind_int64(statement, index, number); // of a newer program: a number
}

static int columns_bind_id(sqlite3_stmt *statement, int index, const uint8_t *at) {
    hy_id id;
    char text[HY_ID_TEXT_LEN + 1];
    memcpy(&id, at, sizeof id);
    hy_id_format(id, text);
    return sqlite3_bind_text(statement, index, text, HY_ID_TEXT_LEN, SQLITE_TRANSIENT);
}

static int columns_bind_wire(sqlite3_stmt *statement, int index, const hy_field *leaf,
                             const uint8_t *at, hy_arena *arena) {
    hy_buf cell;
    hy_buf_init(&cell, arena->mem, 0);
    bool ok = hyi_sql_cell_encode(leaf, at, &cell) == HY_OK;
    hy_bytes copy = { 0 };
    if (ok) copy = hy_arena_copy(arena, hy_buf_bytes(&cell), &ok);
    hy_buf_deinit(&cell);
    if (!ok) return SQLITE_NOMEM;
    return sqlite3_bind_blob64(statement, index, columns_ptr(copy), copy.len, SQLITE_STATIC);
}

static int64_t columns_integer(hyi_column_form form, const uint8_t *at) {
    switch (form) {
    case HYI_COLUMN_BOOL:
    case HYI_COLUMN_U8: return *at;
    case HYI_COLUMN_U16: return *(const uint16_t *)(const void *)at;
    case HYI_COLUMN_U32: return *(const uint32_t *)(const void *)at;
    case HYI_COLUMN_I8: return *(const int8_t *)(const void *)at;
    case HYI_COLUMN_I16: return *(const int16_t *)(const void *)at;
    case HYI_COLUMN_I32: return *(const int32_t *)(const void *)at;
    default: return *(const int64_t *)(const void *)at;
    }
}

static int columns_bind_one(const hyi_column *column, sqlite3_stmt *statement, int index,
                            const uint8_t *row, hy_arena *arena) {
    const uint8_t *at = row + column->offset;
    for (uint32_t i = 0; i < column->has_count; i++) {
        if (row[column->has_offset[i]] == 0) return sqlite3_bind_null(statement, index);
    }
    switch (column->form) {
    case HYI_COLUMN_F64: return columns_bind_f64(statement, index, at);
    case HYI_COLUMN_TEXT: {
        const hy_bytes *text = (const hy_bytes *)(const void *)at;
        return sqlite3_bind_text64(statement, index, columns_ptr(*text), text->len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    }
    case HYI_COLUMN_BLOB: {
        const hy_bytes *blob = (const hy_bytes *)(const void *)at;
        return sqlite3_bind_blob64(statement, index, columns_ptr(*blob), blob->len, SQLITE_STATIC);
    }
    case HYI_COLUMN_ID: return columns_bind_id(statement, index, at);
    case HYI_COLUMN_ENUM:
        return columns_bind_enum(statement, index, column->leaf->values,
                                 *(const uint32_t *)(const void *)at);
    case HYI_COLUMN_WIRE: return columns_bind_wire(statement, index, column->leaf, at, arena);
    default: return sqlite3_bind_int64(statement, index, columns_integer(column->form, at));
    }
}

hy_err hyi_columns_bind(const hyi_columns *columns, uint32_t count, sqlite3_stmt *statement,
                        int first, const void *row, hy_arena *arena) {
    HY_ASSERT(count <= columns->count);
    int rc = SQLITE_OK;
    for (uint32_t i = 0; i < count && rc == SQLITE_OK; i++) {
        rc = columns_bind_one(&columns->list[i], statement, first + (int)i, row, arena);
    }
    HY_ASSERT(rc == SQLITE_OK || rc == SQLITE_NOMEM || rc == SQLITE_TOOBIG);
    return rc == SQLITE_OK ? HY_OK : rc == SQLITE_NOMEM ? HY_NOMEM : HY_TOO_LARGE;
}

// ---- reading ------------------------------------------------------------------------------------

static hy_bytes columns_blob(sqlite3_stmt *statement, int index) {
    const uint8_t *ptr = sqlite3_column_blob(statement, index);
    return (hy_bytes){ ptr, (size_t)sqlite3_column_bytes(statement, index) };
}

// False: the number does not fit the field.
static bool columns_put_integer(hyi_column_form form, int64_t value, uint8_t *at) {
    switch (form) {
    case HYI_COLUMN_BOOL: *at = value != 0; return value == (value != 0);
    case HYI_COLUMN_U8: *at = (uint8_t)value; return value == (uint8_t)value;
    case HYI_COLUMN_U16: *(uint16_t *)(void *)at = (uint16_t)value; return value == (uint16_t)value;
    case HYI_COLUMN_U32: *(uint32_t *)(void *)at = (uint32_t)value; return value == (uint32_t)value;
    case HYI_COLUMN_I8: *(int8_t *)(void *)at = (int8_t)value; return value == (int8_t)value;
    case HYI_COLUMN_I16: *(int16_t *)(void *)at = (int16_t)value; return value == (int16_t)value;
    case HYI_COLUMN_I32: *(int32_t *)(void *)at = (int32_t)value; return value == (int32_t)value;
    default: *(int64_t *)(void *)at = value; return true;
    }
}

static bool columns_put_f64(sqlite3_stmt *statement, int index, int type, uint8_t *at) {
    if (type != SQLITE_BLOB) {
        double value = sqlite3_column_double(statement, index);
        memcpy(at, &value, sizeof value);
        return type == SQLITE_FLOAT || type == SQLITE_INTEGER;
    }
    hy_bytes blob = columns_blob(statement, index);
    uint64_t bits = 0;
    if (blob.len != sizeof bits) return false;
    for (int i = 0; i < 8; i++) {
        bits |= (uint64_t)blob.ptr[i] << (8 * i);
    }
    memcpy(at, &bits, sizeof bits);
    return true;
}

static bool columns_put_enum(hy_bytes text, const hy_enum *values, uint8_t *at) {
    uint64_t number = 0;
    for (uint32_t i = 0; i < values->value_count; i++) {
        if (!hy_bytes_equal(text, hy_bytes_of(values->values[i].label))) continue;
        memcpy(at, &values->values[i].number, sizeof(uint32_t));
        return true;
    }
    for (size_t i = 0; i < text.len; i++) { // a number without a label; the affinity made it text
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 9) return false;
        number = 10 * number + (uint64_t)(text.ptr[i] - '0');
    }
    if (text.len == 0 || number > UINT32_MAX) return false;
    uint32_t narrow = (uint32_t)number;
    memcpy(at, &narrow, sizeof narrow);
    return true;
}

static bool columns_put_id(hy_bytes text, uint8_t *at) {
    hy_id id;
    if (hy_id_parse(text, &id) != HY_OK) return false;
    memcpy(at, &id, sizeof id);
    return true;
}

// All forms but the integers and wire cells.
static bool columns_put(const hyi_column *column, sqlite3_stmt *statement, int index, int type,
                        uint8_t *at) {
    if (column->form == HYI_COLUMN_F64) return columns_put_f64(statement, index, type, at);
    bool wants_blob = column->form == HYI_COLUMN_BLOB;
    if (type != (wants_blob ? SQLITE_BLOB : SQLITE_TEXT)) return false;
    hy_bytes bytes = columns_blob(statement, index); // text comes as it is, unconverted
    if (column->form == HYI_COLUMN_ENUM) return columns_put_enum(bytes, column->leaf->values, at);
    if (column->form == HYI_COLUMN_ID) return columns_put_id(bytes, at);
    memcpy(at, &bytes, sizeof bytes);
    return wants_blob || hy_text_is_utf8(bytes);
}

static hy_err columns_misfit(const hyi_column *column, hy_why *why) {
    return hyi_why_fmt(why, HY_CORRUPT, column->name, "column %s holds what its field cannot be",
                       column->name);
}

static hy_err columns_read_one(const hyi_column *column, sqlite3_stmt *statement, int index,
                               int type, uint8_t *row, hy_arena *arena, hy_why *why) {
    uint8_t *at = row + column->offset;
    if (type == SQLITE_NULL) return HY_OK; // an unset option, or a column younger than the row
    for (uint32_t i = 0; i < column->has_count; i++) {
        row[column->has_offset[i]] = 1;
    }
    if (column->form == HYI_COLUMN_WIRE) {
        hy_bytes cell = columns_blob(statement, index);
        hy_err err = hyi_sql_cell_decode(column->leaf, cell, arena, at, NULL);
        return err == HY_OK || err == HY_NOMEM ? err : columns_misfit(column, why);
    }
    bool ok =
        column->form <= HYI_COLUMN_I32
            ? type == SQLITE_INTEGER &&
                  columns_put_integer(column->form, sqlite3_column_int64(statement, index), at)
            : columns_put(column, statement, index, type, at);
    return ok ? HY_OK : columns_misfit(column, why);
}

hy_err hyi_columns_read(const hyi_columns *columns, sqlite3_stmt *statement, int first,
                        void *out_row, hy_arena *arena, hy_why *why) {
    memset(out_row, 0, columns->record->size);
    for (uint32_t i = 0; i < columns->count; i++) {
        const hyi_column *column = &columns->list[i];
        int index = first + (int)i, type = sqlite3_column_type(statement, index);
        hy_err err = columns_read_one(column, statement, index, type, out_row, arena, why);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}
