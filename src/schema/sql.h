// sql.h - the cells that SQL has no type for.              Room: schema. Includes: base.
// Threads: pure functions on what they are given.
#ifndef HYPHA_SCHEMA_SQL_H
#define HYPHA_SCHEMA_SQL_H

#include <hypha/schema.h>

// True for a column whose cells are wire form: a list, a union, or an optional record that has
// nothing but options inside. Its leaf is path[depth - 1].
bool hyi_sql_column_is_wire(const hy_sql_column *column);

// Appends the cell for the member at `member` (in its struct, `leaf->offset` not added): the wire
// form of a record with this one field. Errors of hy_wire_encode.
HY_CHECKED hy_err hyi_sql_cell_encode(const hy_field *leaf, const void *member, hy_buf *out);

// Fills the member from a cell. Errors of hy_wire_decode.
HY_CHECKED hy_err hyi_sql_cell_decode(const hy_field *leaf, hy_bytes cell, hy_arena *arena,
                                      void *out_member, hy_why *why);

#endif
