// convert.h - a stored row of an older machine becomes a row of today's.   Room: store. Includes:
// machine. Threads: pure functions on what they are given.
//
// Two ways: the machine's migration for that table and version, or, where there is none, the rules
// of Protocol Buffers (hyi_description_check has made sure that they suffice).
#ifndef HYI_STORE_CONVERT_H
#define HYI_STORE_CONVERT_H

#include "store/describe.h"

typedef struct hyi_conversion {
    uint32_t table; // number
    const hy_table *from, *to;
    const hy_migration *migration; // or NULL
    bool rewrites; // false: stored rows are rows of today's, fields may have been added
} hyi_conversion;

// The migration that applies to rows of `table` written by version `from_version`: the one with the
// smallest from_version that is not below it (between the two the row did not change). NULL: none.
const hy_migration *hyi_migration_find(const hy_machine *machine, uint32_t table,
                                       uint32_t from_version);

// How the rows of one table have to change; false: not at all (also for a table that is new).
bool hyi_conversion_plan(const hyi_description *before, const hy_machine *machine, uint32_t table,
                         hyi_conversion *out_conversion);

// Fills `out_row` (a struct of conversion->to->row) from the wire form of an old row; strings are
// in `arena` or borrowed from `wire`. HY_END: the migration drops the row.
HY_CHECKED hy_err hyi_convert_row(const hyi_conversion *conversion, hy_bytes wire, hy_arena *arena,
                                  void *out_row, hy_why *why);

#endif
