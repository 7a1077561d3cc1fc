// deep.c - measures and copies what a record points to.
//
// One walk does both: without a place to copy to it only measures, with one it also copies. So the
// two cannot disagree about what is there. Views of no bytes point nowhere afterwards, because what
// they pointed to is the sender's.
//
// The walk is over a description that is fixed at compile time, nested HY_DEPTH_MAX deep at most,
// and over lists that the sender filled; it runs in the sender's call.
#include "actor/deep.h"

#include <string.h>

typedef struct deep_walk {
    uint8_t *into; // NULL: measures
    size_t used;
    hy_err err;
} deep_walk;

static void deep_record(deep_walk *walk, const hy_record *record, uint8_t *value, uint32_t depth);

// ---- is there anything ------------------------------------------------------------------------

static bool deep_is_flat(const hy_record *record, uint32_t depth) {
    if (depth > HY_DEPTH_MAX) return false; // so that the walk, which can refuse, looks at it
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_field *field = &fields[i];
        if (field->label == HY_REPEATED) return false;
        switch (field->type) {
        case HY_TYPE_STR:
        case HY_TYPE_BYTES:
        case HY_TYPE_UNKNOWN: return false;
        case HY_TYPE_RECORD:
        case HY_TYPE_UNION:
            if (!deep_is_flat(field->of, depth + 1)) return false;
            break;
        default: break;
        }
    }
    return true;
}

bool hyi_deep_record_is_flat(const hy_record *record) {
    return record == NULL || deep_is_flat(record, 1);
}

uint8_t hyi_deep_look(const hy_record *record, uint8_t *note) {
    uint8_t found = note ? __atomic_load_n(note, __ATOMIC_RELAXED) : (uint8_t)HYI_KIND_UNKNOWN;
    if (found != HYI_KIND_UNKNOWN) return found;
    found = hyi_deep_record_is_flat(record) ? HYI_KIND_FLAT : HYI_KIND_DEEP;
    // Relaxed: whoever does not see it finds out the same.
    if (note) __atomic_store_n(note, found, __ATOMIC_RELAXED);
    return found;
}

// ---- the walk ---------------------------------------------------------------------------------

// Room for `size` bytes; copies them where it does. Gives where they are, which is `from` while
// only measuring.
static uint8_t *deep_take(deep_walk *walk, const void *from, size_t size, size_t align) {
    size_t at = (walk->used + align - 1) & ~(align - 1);
    if (size > HYI_DEEP_BYTES_MAX || at + size > HYI_DEEP_BYTES_MAX) walk->err = HY_TOO_LARGE;
    if (walk->err != HY_OK) return NULL;
    walk->used = at + size;
    if (walk->into == NULL) return (uint8_t *)(uintptr_t)from;
    memcpy(walk->into + at, from, size);
    return walk->into + at;
}

static void deep_value(deep_walk *walk, const hy_field *field, uint8_t *value, uint32_t depth) {
    switch (field->type) {
    case HY_TYPE_STR:
    case HY_TYPE_BYTES:
    case HY_TYPE_UNKNOWN: {
        hy_bytes *bytes = (hy_bytes *)(void *)value;
        const uint8_t *taken = bytes->len ? deep_take(walk, bytes->ptr, bytes->len, 1) : NULL;
        if (walk->into) bytes->ptr = taken;
        break;
    }
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: deep_record(walk, field->of, value, depth + 1); break;
    default: break;
    }
}

static void deep_list(deep_walk *walk, const hy_field *field, uint8_t *value, uint32_t depth) {
    struct {
        uint8_t *ptr;
        size_t len;
    } list;
    memcpy(&list, value, sizeof list); // every list is this pair, whatever it is a list of
    size_t size;
    if (__builtin_mul_overflow(list.len, (size_t)field->size, &size)) size = SIZE_MAX;
    list.ptr = list.len ? deep_take(walk, list.ptr, size, field->align) : NULL;
    bool is_plain = field->type != HY_TYPE_STR && field->type != HY_TYPE_BYTES &&
                    field->type != HY_TYPE_UNKNOWN && field->type != HY_TYPE_RECORD &&
                    field->type != HY_TYPE_UNION;
    for (size_t i = 0; !is_plain && i < list.len && walk->err == HY_OK; i++) {
        deep_value(walk, field, list.ptr + i * field->size, depth);
    }
    if (walk->into) memcpy(value, &list, sizeof list);
}

static void deep_field(deep_walk *walk, const hy_field *field, uint8_t *value, uint32_t depth) {
    switch (field->label) {
    case HY_REPEATED: deep_list(walk, field, value, depth); break;
    case HY_OPTIONAL:
        if (*(const bool *)value) deep_value(walk, field, value + field->align, depth);
        break;
    default: deep_value(walk, field, value, depth); break;
    }
}

static void deep_record(deep_walk *walk, const hy_record *record, uint8_t *value, uint32_t depth) {
    if (depth > HY_DEPTH_MAX) walk->err = HY_TOO_DEEP;
    const hy_field *fields = hy_record_fields(record);
    uint32_t which = 0;
    if (record->is_union) memcpy(&which, value, sizeof which);
    for (uint32_t i = 0; i < record->field_count && walk->err == HY_OK; i++) {
        if (record->is_union && fields[i].number != which) continue;
        deep_field(walk, &fields[i], value + fields[i].offset, depth);
    }
}

hy_err hyi_deep_size(const hy_record *record, const void *value, size_t *out_size) {
    deep_walk walk = { .into = NULL };
    deep_record(&walk, record, (uint8_t *)(uintptr_t)value, 1); // reads only: it measures
    if (walk.err == HY_OK) *out_size = walk.used;
    return walk.err;
}

void hyi_deep_move(const hy_record *record, void *value, void *into) {
    deep_walk walk = { .into = into };
    deep_record(&walk, record, value, 1);
    HY_ASSERT(walk.err == HY_OK); // hyi_deep_size said so of the same value
}
