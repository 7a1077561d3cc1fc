// export.h - what the writers of .proto, TypeScript and JSON Schema share.   Room: schema.
// Includes: base. Threads: pure functions on what they are given.
#ifndef HYPHA_SCHEMA_EXPORT_H
#define HYPHA_SCHEMA_EXPORT_H

#include <hypha/schema.h>

#include "schema/record.h"

// What one export writes: all enums, then all records, each behind what it names.
typedef struct hyi_export {
    hyi_reach reach;
    hy_buf *out;
    size_t start; // where the text begins in `out`
} hyi_export;

// Checks the descriptions and puts them in order. HY_SCHEMA, or what `out` failed with before.
HY_CHECKED hy_err hyi_export_begin(hyi_export *out_export, const hy_record *const *records,
                                   size_t count, hy_buf *out);

// HY_OK, or what `out` failed with; then nothing was appended.
HY_CHECKED hy_err hyi_export_end(hyi_export *text);

// Is `word` one of the words in `list`, which are parted by spaces?
bool hyi_export_is_among(const char *word, const char *list);

#endif
