// rows.h - the rows of one table in memory.                      Room: machine. Includes: base
// schema. Threads: one owner. Limits: rows_max of the table.
//
// A row lives in a slot: 8 bytes of mark, then the struct. The mark holds the number of the step
// that touched the row last and whether the row is live. A deleted row stays in its slot, and its
// key in the index, until the delete is durable: so undoing a delete needs no memory and cannot
// fail.
#ifndef HYI_MACHINE_ROWS_H
#define HYI_MACHINE_ROWS_H

#include <hypha/machine.h>
#include "base/memory.h"
#include "machine/blobs.h"
#include "machine/index.h"
#include "machine/layout.h"

typedef struct hyi_rows {
    hyi_layout layout;
    hy_mem *mem;
    hyi_blobs *blobs;
    hy_guard *guard; // or NULL
    uint8_t **slabs;
    uint32_t slab_count, slab_room;
    uint32_t stride, slab_shift, slab_mask;
    uint32_t rows_max;
    uint32_t slot_count; // slots ever used
    uint32_t free_slot;  // first of the free ones, HYI_NO_SLOT; the list runs through their rows
    uint32_t count;      // live rows
    uint32_t writes;     // inserts, updates, deletes: each ends the cursors on the table
    bool ordered;
    hyi_tree tree;   // ordered tables
    hyi_index index; // the others
} hyi_rows;

#define HYI_NO_SLOT UINT32_MAX
#define HYI_MARK_LIVE UINT64_C(1)
#define HYI_MARK(step, live) ((uint64_t)(step) << 1 | ((live) ? HYI_MARK_LIVE : 0))

// Borrows `blobs`, where its strings and bytes live, and takes its memory.
HY_CHECKED hy_err hyi_rows_init(hyi_rows *rows, hyi_blobs *blobs, hy_guard *guard,
                                const hy_table *table, hy_why *why);
void hyi_rows_deinit(hyi_rows *rows); // frees the rows' blobs too; works on a zeroed one

static inline uint64_t *hyi_rows_mark(const hyi_rows *rows, uint32_t slot) {
    uint8_t *slab = rows->slabs[slot >> rows->slab_shift];
    return (uint64_t *)(void *)(slab + (size_t)(slot & rows->slab_mask) * rows->stride);
}
static inline void *hyi_rows_row(const hyi_rows *rows, uint32_t slot) {
    return hyi_rows_mark(rows, slot) + 1;
}
static inline bool hyi_rows_is_live(const hyi_rows *rows, uint32_t slot) {
    return (*hyi_rows_mark(rows, slot) & HYI_MARK_LIVE) != 0;
}

// Copies a row between places of the runtime's own, which are whole words: short rows are the rule,
// and a call of memcpy would cost more than the copy.
static inline void hyi_rows_copy(void *to, const void *from, uint32_t row_size) {
    uint8_t *at = to;
    const uint8_t *source = from;
    uint32_t left = (row_size + 7) & ~7u;
    for (; left >= 32; left -= 32, at += 32, source += 32) {
        memcpy(at, source, 32);
    }
    for (; left > 0; left -= 8, at += 8, source += 8) {
        memcpy(at, source, 8);
    }
}

// The slot that the key's index entry names, live or dead; HYI_NO_SLOT if there is none.
uint32_t hyi_rows_find(const hyi_rows *rows, hyi_key key);

// A new slot with the key in the index; the row is not written, the mark is 0. HY_EXISTS: gives the
// slot, live or dead, that has the key. HY_LIMIT, HY_NOMEM.
HY_CHECKED hy_err hyi_rows_add(hyi_rows *rows, hyi_key key, uint32_t *out_slot);
// Takes the slot and its index entry away. The row must be dead or never have been written; its
// blobs are the caller's.
void hyi_rows_drop(hyi_rows *rows, uint32_t slot);

// Guarded tables: lets the row be written, or protects it again. Nothing otherwise.
void hyi_rows_protect(const hyi_rows *rows, uint32_t slot, bool writable);
static inline void hyi_rows_open(const hyi_rows *rows, uint32_t slot) {
    if (rows->guard != NULL) hyi_rows_protect(rows, slot, true);
}
static inline void hyi_rows_seal(const hyi_rows *rows, uint32_t slot) {
    if (rows->guard != NULL) hyi_rows_protect(rows, slot, false);
}

// Sets mark and live flag, and keeps `count` right.
static inline void hyi_rows_set_mark(hyi_rows *rows, uint32_t slot, uint64_t mark) {
    uint64_t *at = hyi_rows_mark(rows, slot);
    rows->count += (uint32_t)(mark & HYI_MARK_LIVE) - (uint32_t)(*at & HYI_MARK_LIVE);
    *at = mark;
}

#endif
