// path.h - where a path leads in a value.                      Room: value. Includes: base, schema.
// Threads: one owner; a place is lost when the value changes.
#ifndef HYPHA_VALUE_PATH_H
#define HYPHA_VALUE_PATH_H

#include <hypha/value.h>

#define HYI_PATH_WHOLE 0u // the field as it is
#define HYI_PATH_INDEX 1u // the element `index` of its list
#define HYI_PATH_KEY 2u   // the entry with that key; its `value` is the next step

// The way that was gone: the record in which each step begins, and where the entries of keys are.
typedef struct hyi_place {
    const uint8_t *at; // what is there; NULL for nothing
    bool reached;      // all before the last step is there (for a new key: before its entry)
    uint32_t record_count;
    const hy_record *records[HY_PATH_STEPS_MAX];
    const uint8_t *images[HY_PATH_STEPS_MAX];
    size_t indexes[HY_PATH_STEPS_MAX]; // of elements and entries; SIZE_MAX where there is none
} hyi_place;

void hyi_path_walk(const hy_value *value, const hy_path *path, hyi_place *out_place);

static inline const hy_path_step *hyi_path_last(const hy_path *path) {
    return &path->steps[path->step_count - 1];
}

static inline hy_text hyi_path_key(const hy_path *path, const hy_path_step *step) {
    return (hy_text){ path->keys + step->key_start, step->key_len };
}

// The fields of an entry, or NULL when a list of `record` is no map.
const hy_field *hyi_entry_key(const hy_record *record);
const hy_field *hyi_entry_value(const hy_record *record);

// The order of what lies at the end of a path and a value of the same type.
int hyi_path_compare(const hy_path *path, const uint8_t *at, const uint8_t *with);

// Fills `why` with the path as text. Returns `code`.
hy_err hyi_path_fail(const hy_path *path, hy_why *why, hy_err code, const char *text);

#endif
