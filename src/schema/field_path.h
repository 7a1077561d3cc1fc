// field_path.h - where in a value a decoder is.            Room: schema. Includes: base.
// Threads: a path belongs to the one call that walks.
//
// Decoders push a step when they enter a nested record and pop it when they leave, which costs two
// stores; only an error turns the steps into words such as "alternatives[2].minute".
#ifndef HYPHA_SCHEMA_FIELD_PATH_H
#define HYPHA_SCHEMA_FIELD_PATH_H

#include <hypha/schema.h>

#define HYI_NO_INDEX SIZE_MAX // the step is not an element of a list

typedef struct hyi_field_step {
    const hy_field *field;
    size_t index;
} hyi_field_step;

// `depth` counts the steps in use; the rest is not cleared, because a path is made per decode.
typedef struct hyi_field_path {
    uint32_t depth;
    hyi_field_step steps[HY_DEPTH_MAX];
} hyi_field_path;

// Enters `field`. False when values would lie deeper than HY_DEPTH_MAX records in each other.
static inline bool hyi_field_path_push(hyi_field_path *path, const hy_field *field, size_t index) {
    if (path->depth + 1 >= HY_DEPTH_MAX) return false;
    path->steps[path->depth++] = (hyi_field_step){ .field = field, .index = index };
    return true;
}

static inline void hyi_field_path_pop(hyi_field_path *path) {
    path->depth -= 1;
}

// Fills `why` (NULL is fine) with the path, then `last` (field NULL: the record itself). Gives
// `code`.
hy_err hyi_field_path_fail(const hyi_field_path *path, hyi_field_step last, hy_why *why,
                           hy_err code, uint64_t offset, const char *text);

#endif
