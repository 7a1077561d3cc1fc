// field_list.h - lists while they are being decoded.       Room: schema. Includes: base.
// Threads: a list belongs to the one call that decodes it. Ownership: all memory is the arena's.
//
// The struct of a record has room for a pointer and a count only, and decoders meet the elements of
// a list in pieces. So a list under construction keeps its capacity in the 16 bytes before its
// first element, and grows by doubling: no order of fields makes a decode worse than linear.
#ifndef HYPHA_SCHEMA_FIELD_LIST_H
#define HYPHA_SCHEMA_FIELD_LIST_H

#include <hypha/schema.h>

#include "base/memory.h"

// What every list, and `unknown`, looks like in its struct.
typedef struct hyi_field_list {
    uint8_t *ptr;
    size_t len;
} hyi_field_list;

_Static_assert(sizeof(hyi_field_list) == sizeof(hy_bytes), "a list looks like bytes");

static inline hyi_field_list hyi_field_list_load(const uint8_t *member) {
    hyi_field_list list;
    memcpy(&list, member, sizeof list);
    return list;
}

static inline void hyi_field_list_store(uint8_t *member, hyi_field_list list) {
    memcpy(member, &list, sizeof list);
}

// Makes room for `more` elements of `size` bytes behind those of the list at `member`, and gives
// the place of the first; NULL without memory. The count stays: the caller raises it when the
// elements are whole. The list must be empty and cleared, or have grown here.
uint8_t *hyi_field_list_extend(hy_arena *arena, uint8_t *member, size_t size, size_t more);

#endif
