// row_copy.c - a row that outlives its table.
//
// Observers are told about a step after its commit, when memory is already further. So rows are
// copied at step time, with what they point to: strings, bytes, and those of nested records and
// options. Rows hold no lists and no unions (hypha/machine.h), which keeps this short.
#include "host/inside.h"
#include <string.h>

static bool row_own(const hy_record *record, uint8_t *row, hy_arena *arena);

const void *hyi_row_copy(const hy_record *record, const void *row, hy_arena *arena, bool *out_ok) {
    if (row == NULL || !*out_ok) return NULL;
    uint8_t *copy = hy_arena_alloc(arena, record->size);
    if (copy != NULL) memcpy(copy, row, record->size);
    *out_ok = copy != NULL && row_own(record, copy, arena);
    return *out_ok ? copy : NULL;
}

// Replaces every borrowed pointer in `row` by a copy. Records nest HY_DEPTH_MAX deep at most.
static bool row_own(const hy_record *record, uint8_t *row, hy_arena *arena) {
    const hy_field *fields = hy_record_fields(record);
    bool ok = true;
    for (uint32_t i = 0; i < record->field_count && ok; i++) {
        const hy_field *field = &fields[i];
        uint8_t *value = row + field->offset;
        HY_ASSERT(field->label != HY_REPEATED && field->type != HY_TYPE_UNION);
        if (field->label == HY_OPTIONAL) {
            if (!*(const bool *)value) continue;
            value += field->align;
        }
        switch (field->type) {
        case HY_TYPE_STR:
        case HY_TYPE_BYTES:
        case HY_TYPE_UNKNOWN: {
            hy_bytes *bytes = (hy_bytes *)value;
            *bytes = hy_arena_copy(arena, *bytes, &ok);
            break;
        }
        case HY_TYPE_RECORD: ok = row_own(field->of, value, arena); break;
        default: break;
        }
    }
    return ok;
}
