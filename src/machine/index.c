// index.c - linear probing at a load of at most 7/8, growth by doubling.
//
// An entry belongs at its tag's home or behind it, with no empty place between; erasing keeps that
// true by moving later entries of the run back. The keys are in the rows, so growing needs no rows
// at all: the tag says where an entry belongs in any table size.

#include "machine/index.h"

#include "base/memory.h"

static void index_put(hyi_index_entry *entries, uint32_t mask, hyi_index_entry entry) {
    uint32_t at = entry.tag & mask;
    while (entries[at].slot_plus_1 != 0) {
        at = (at + 1) & mask;
    }
    entries[at] = entry;
}

hy_err hyi_index_reserve(hyi_index *index) {
    if (index->count + 1 <= index->capacity - index->capacity / 8 && index->capacity > 0)
        return HY_OK;
    uint32_t capacity = index->capacity == 0 ? 16 : index->capacity * 2;
    hyi_index_entry *entries =
        hy_mem_alloc_zero(index->mem, (size_t)capacity * sizeof(hyi_index_entry));
    if (entries == NULL) return HY_NOMEM;
    for (uint32_t i = 0; i < index->capacity; i++) {
        if (index->entries[i].slot_plus_1 != 0) index_put(entries, capacity - 1, index->entries[i]);
    }
    hy_mem_free(index->mem, index->entries, (size_t)index->capacity * sizeof(hyi_index_entry));
    index->entries = entries;
    index->capacity = capacity;
    return HY_OK;
}

void hyi_index_insert(hyi_index *index, uint32_t tag, uint32_t slot) {
    HY_ASSERT(index->count < index->capacity);
    index_put(index->entries, index->capacity - 1, (hyi_index_entry){ slot + 1, tag });
    index->count++;
}

void hyi_index_erase(hyi_index *index, uint32_t tag, uint32_t slot) {
    HY_ASSERT(index->count > 0);
    uint32_t mask = index->capacity - 1;
    uint32_t hole = tag & mask;
    while (index->entries[hole].slot_plus_1 != slot + 1) {
        HY_ASSERT(index->entries[hole].slot_plus_1 != 0);
        hole = (hole + 1) & mask;
    }
    // Whoever lies behind the hole and would like to be at it or before it moves into it.
    for (uint32_t at = (hole + 1) & mask; index->entries[at].slot_plus_1 != 0;
         at = (at + 1) & mask) {
        uint32_t home = index->entries[at].tag & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            index->entries[hole] = index->entries[at];
            hole = at;
        }
    }
    index->entries[hole] = (hyi_index_entry){ 0, 0 };
    index->count--;
}

void hyi_index_deinit(hyi_index *index) {
    hy_mem_free(index->mem, index->entries, (size_t)index->capacity * sizeof(hyi_index_entry));
    *index = (hyi_index){ .mem = index->mem };
}
