// index.h - finds the slot of a key in an unordered table.        Room: machine. Includes: base.
// Threads: one owner. Limits: 2^31 entries.
//
// Open addressing over { slot, tag }, 8 bytes an entry; the keys themselves stay in the rows, so a
// million rows of 64 bytes cost 16 MB of index. Erasing shifts back: no tombstones, no slow decay.
#ifndef HYI_MACHINE_INDEX_H
#define HYI_MACHINE_INDEX_H

#include <hypha/base.h>
#include "base/tree.h"

typedef struct hyi_index_entry {
    uint32_t slot_plus_1; // 0: empty
    uint32_t tag;         // of the key; also says where the entry would like to be
} hyi_index_entry;

typedef struct hyi_index {
    hy_mem *mem;
    hyi_index_entry *entries;
    uint32_t capacity, count; // capacity is 0 or a power of two
} hyi_index;

static inline uint32_t hyi_index_tag(hyi_key key) {
    uint64_t mixed =
        (key.lo ^ (key.hi * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xd6e8feb86659fd93);
    mixed ^= mixed >> 32;
    return (uint32_t)(mixed * UINT64_C(0xd6e8feb86659fd93) >> 32);
}

// Slots that may hold the key, in turn: start with *place = tag & mask, call until it gives
// UINT32_MAX; the caller compares the row's key.
static inline uint32_t hyi_index_next(const hyi_index *index, uint32_t tag, uint32_t *place) {
    for (;;) {
        const hyi_index_entry *entry = &index->entries[*place];
        *place = (*place + 1) & (index->capacity - 1);
        if (entry->slot_plus_1 == 0) return UINT32_MAX;
        if (entry->tag == tag) return entry->slot_plus_1 - 1;
    }
}

HY_CHECKED hy_err hyi_index_reserve(hyi_index *index);                // room for one more; HY_NOMEM
void hyi_index_insert(hyi_index *index, uint32_t tag, uint32_t slot); // after reserve
void hyi_index_erase(hyi_index *index, uint32_t tag, uint32_t slot);  // must be there
void hyi_index_deinit(hyi_index *index);

#endif
