// A record as the columns of a table.
//
// People ask tables by hand, so a column is what they would have written: numbers are INTEGER, ids
// and enums are TEXT (the 36 characters, the label), nested records are flattened to `when_minute`.
// What SQL has no form for, a list or a union, is one BLOB in wire form.
//
// Rows are read back from their columns, so the mapping must lose nothing. An optional record is
// there when one of its columns that is never NULL is not NULL; where all of its columns may be
// NULL, "there but empty" could not be told from "not there", and so it becomes a BLOB as well.
//
// Invariant: a path has at most 4 fields, which bounds the recursion.
#include "schema/sql.h"

#include "base/memory.h"
#include "schema/record.h"

#define SQL_DEPTH_MAX (sizeof(((hy_sql_column *)0)->path) / sizeof(const hy_field *))

typedef struct sql_table {
    hy_sql_column *columns;
    uint32_t count;
} sql_table;

static hy_err sql_add_record(sql_table *table, const hy_record *record,
                             const hy_sql_column *prefix);
static hy_err sql_add_field(sql_table *table, const hy_field *field, const hy_sql_column *prefix);
static hy_err sql_add_leaf(sql_table *table, const hy_sql_column *leaf);
static bool sql_name_append(hy_sql_column *column, const char *name);
static bool sql_names_equal(const char *a, const char *b);

hy_err hy_sql_columns(const hy_record *record, hy_sql_column *out_columns, uint32_t *out_count) {
    if (record->is_union) return HY_UNSUPPORTED;
    sql_table table = { .columns = out_columns, .count = 0 };
    hy_sql_column root = { .depth = 0 };
    hy_err err = sql_add_record(&table, record, &root);
    if (err == HY_OK) *out_count = table.count;
    return err;
}

bool hyi_sql_column_is_wire(const hy_sql_column *column) {
    const hy_field *leaf = column->path[column->depth - 1];
    return leaf->label == HY_REPEATED || leaf->of != NULL;
}

// The one field as a record of its own, at the start of its struct.
static hy_record sql_cell_record(const hy_field *leaf, hy_field *out_field) {
    *out_field = *leaf;
    out_field->offset = 0;
    return (hy_record){ .name = leaf->name,
                        .size = hyi_field_stored_size(leaf),
                        .field_count = 1,
                        .fields = out_field };
}

hy_err hyi_sql_cell_encode(const hy_field *leaf, const void *member, hy_buf *out) {
    hy_field field;
    hy_record record = sql_cell_record(leaf, &field);
    return hy_wire_encode(&record, member, out);
}

hy_err hyi_sql_cell_decode(const hy_field *leaf, hy_bytes cell, hy_arena *arena, void *out_member,
                           hy_why *why) {
    hy_field field;
    hy_record record = sql_cell_record(leaf, &field);
    return hy_wire_decode(&record, cell, arena, out_member, why);
}

static hy_err sql_add_record(sql_table *table, const hy_record *record,
                             const hy_sql_column *prefix) {
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hy_err err = sql_add_field(table, &fields[i], prefix);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static const char *sql_type_of(const hy_field *field) {
    if (field->label == HY_REPEATED) return "BLOB";
    switch (field->type) {
    case HY_TYPE_F64: return "REAL";
    case HY_TYPE_STR:
    case HY_TYPE_ID:
    case HY_TYPE_ENUM: return "TEXT";
    case HY_TYPE_BYTES:
    case HY_TYPE_UNKNOWN:
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: return "BLOB";
    default: return "INTEGER";
    }
}

static hy_err sql_add_field(sql_table *table, const hy_field *field, const hy_sql_column *prefix) {
    if (prefix->depth == SQL_DEPTH_MAX) return HY_UNSUPPORTED;
    hy_sql_column column = *prefix;
    if (!sql_name_append(&column, field->name)) return HY_LIMIT;
    column.path[column.depth++] = field;
    column.value_type = field->type;
    column.type = sql_type_of(field);
    column.nullable = prefix->nullable || field->label == HY_OPTIONAL;
    bool flattens = field->type == HY_TYPE_RECORD && field->label != HY_REPEATED;
    if (!flattens) return sql_add_leaf(table, &column);
    if (field->label == HY_SINGLE) return sql_add_record(table, field->of, &column);

    // Try the columns as if the record were always there: is one of them then never NULL?
    uint32_t before = table->count;
    hy_sql_column present = column;
    present.nullable = false;
    hy_err err = sql_add_record(table, field->of, &present);
    if (err != HY_OK) return err;
    bool tells_presence = false;
    for (uint32_t i = before; i < table->count; i++) {
        tells_presence = tells_presence || !table->columns[i].nullable;
        table->columns[i].nullable = true;
    }
    if (tells_presence) return HY_OK;
    table->count = before;
    return sql_add_leaf(table, &column);
}

static hy_err sql_add_leaf(sql_table *table, const hy_sql_column *leaf) {
    if (table->count == HY_SQL_COLUMNS_MAX) return HY_LIMIT;
    for (uint32_t i = 0; i < table->count; i++) {
        if (sql_names_equal(table->columns[i].name, leaf->name)) return HY_SCHEMA;
    }
    table->columns[table->count++] = *leaf;
    return HY_OK;
}

// "when" + "minute" is "when_minute".
static bool sql_name_append(hy_sql_column *column, const char *name) {
    hy_bytes before = hy_bytes_of(column->name), more = hy_bytes_of(name);
    size_t joint = before.len > 0 ? 1 : 0;
    if (before.len + joint + more.len >= sizeof column->name) return false;
    if (joint > 0) column->name[before.len] = '_';
    memcpy(column->name + before.len + joint, more.ptr, more.len);
    column->name[before.len + joint + more.len] = '\0';
    return true;
}

// SQL does not tell `Minute` from `minute`.
static bool sql_names_equal(const char *a, const char *b) {
    for (; *a != '\0' || *b != '\0'; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + ('a' - 'A')) : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + ('a' - 'A')) : *b;
        if (x != y) return false;
    }
    return true;
}
