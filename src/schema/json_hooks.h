// json_hooks.h - JSON with other names, defaults and notes.   Room: schema. Includes: base.
// Threads: constant tables; the functions work only on what they are given.
//
// A record's description says what its bytes are, and nothing about taste. Rooms above that know
// more (aliases, defaults, what must be given) hand it to the codec by these hooks; each may be
// NULL, and a NULL table is plain JSON.
#ifndef HYPHA_SCHEMA_JSON_HOOKS_H
#define HYPHA_SCHEMA_JSON_HOOKS_H

#include <hypha/schema.h>

#include "base/json.h"

typedef struct hyi_json_hooks {
    const void *context; // handed to each of them

    // The name of a field outside, when it is not the one in C: else NULL. Both are read, this one
    // is written. It must not need escapes.
    const char *(*name)(const void *context, const hy_record *record, const hy_field *field);

    // Called when an object was read whole. `seen` has a bit for each field that was given; the
    // hook may fill others, borrowing from constants or `arena`. On an error *out_field is the one
    // to blame.
    hy_err (*complete)(const void *context, const hy_record *record, const uint64_t *seen,
                       hy_arena *arena, uint8_t *value, const hy_field **out_field);

    // Appends members (", \"maximum\": 5") to a field's object in a JSON Schema; `of_element` for
    // the elements of a list, else for the field. And those of the record's object (field NULL).
    void (*note)(const void *context, const hy_record *record, const hy_field *field,
                 bool of_element, hy_buf *out);
} hyi_json_hooks;

static inline const char *hyi_json_name(const hyi_json_hooks *hooks, const hy_record *record,
                                        const hy_field *field) {
    const char *name = NULL;
    if (hooks != NULL && hooks->name != NULL) name = hooks->name(hooks->context, record, field);
    return name != NULL ? name : field->name;
}

// hy_json_encode, hy_json_decode and hy_export_json_schema with hooks (or NULL).
HY_CHECKED hy_err hyi_json_encode_with(const hyi_json_hooks *hooks, const hy_record *record,
                                       const void *value, hy_buf *out);
HY_CHECKED hy_err hyi_json_decode_with(const hyi_json_hooks *hooks, const hy_record *record,
                                       hy_bytes text, hy_arena *arena, void *out_value,
                                       hy_why *why);
HY_CHECKED hy_err hyi_export_json_schema_with(const hyi_json_hooks *hooks,
                                              const hy_record *const *records, size_t count,
                                              hy_buf *out);

// One member of a record as a JSON value; an unset option is null.
HY_CHECKED hy_err hyi_json_encode_member(const hyi_json_hooks *hooks, const hy_field *field,
                                         const void *member, hy_buf *out);

#endif
