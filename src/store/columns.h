// columns.h - a row's struct to and from the columns of its SQL table.     Room: store.
// Includes: base schema. Threads: a plan is constant once made; reading uses the caller's arena.
//
// hy_sql_columns says which columns a record has; a plan adds where each value lies in the struct
// and how it is moved, worked out once, so that a million rows are read without looking at
// descriptions. docs/FORMATS.md says how each type is stored.
#ifndef HYI_STORE_COLUMNS_H
#define HYI_STORE_COLUMNS_H

#include <hypha/schema.h>

#include <sqlite3.h>

typedef enum hyi_column_form {
    HYI_COLUMN_BOOL = 1,
    HYI_COLUMN_U8,
    HYI_COLUMN_U16,
    HYI_COLUMN_U32,
    HYI_COLUMN_64, // of either sign: the same 64 bits
    HYI_COLUMN_I8,
    HYI_COLUMN_I16,
    HYI_COLUMN_I32,
    HYI_COLUMN_F64,
    HYI_COLUMN_TEXT,
    HYI_COLUMN_BLOB,
    HYI_COLUMN_ID,
    HYI_COLUMN_ENUM,
    HYI_COLUMN_WIRE,
} hyi_column_form;

typedef struct hyi_column {
    char name[64];
    const char *type; // of SQL
    hyi_column_form form;
    uint32_t offset;    // of the value in the row; for a wire cell of the member
    uint32_t has_count; // options on the way; the value is there if all their flags are set
    uint32_t has_offset[4];
    const hy_field *leaf;
} hyi_column;

typedef struct hyi_columns {
    const hy_record *record;
    hyi_column *list;
    uint32_t count, key_count; // the key's columns come first
} hyi_columns;

// Everything lies in `arena`. HY_NOMEM, HY_UNSUPPORTED, HY_LIMIT, HY_SCHEMA.
HY_CHECKED hy_err hyi_columns_make(hy_arena *arena, const hy_record *record, uint32_t key_count,
                                   hyi_columns *out_columns, hy_why *why);

// Binds the first `count` columns of a row to parameters first, first + 1 ... Text and blobs are
// borrowed from the row, wire cells from `arena`, until the statement is reset. HY_NOMEM.
HY_CHECKED hy_err hyi_columns_bind(const hyi_columns *columns, uint32_t count,
                                   sqlite3_stmt *statement, int first, const void *row,
                                   hy_arena *arena);

// Fills a row from result columns first, first + 1 ... Text and blobs are borrowed from the
// statement until it steps; wire cells lie in `arena`. HY_CORRUPT with the column in `place`,
// HY_NOMEM.
HY_CHECKED hy_err hyi_columns_read(const hyi_columns *columns, sqlite3_stmt *statement, int first,
                                   void *out_row, hy_arena *arena, hy_why *why);

#endif
