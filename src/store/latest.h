// latest.h - the last change of every row that a stretch of journal touched.   Room: store.
// Includes: base machine. Threads: one owner.
//
// A checkpoint writes each row once, however often it changed. Rows are borrowed from the journal's
// bytes, which must stay until the set is cleared or freed.
#ifndef HYI_STORE_LATEST_H
#define HYI_STORE_LATEST_H

#include "store/skim.h"

typedef struct hyi_latest_row {
    uint64_t hash;
    uint32_t table;
    bool gone;
    hy_bytes row; // wire form; only the key if it is gone
} hyi_latest_row;

typedef struct hyi_latest {
    hy_mem *mem;
    hyi_latest_row *rows;     // in order of first change
    uint32_t *slots;          // of a hash table: index into rows + 1, or 0
    uint32_t count, capacity; // slots are twice the capacity
    hyi_skim_key keys[HY_TABLE_NUMBERS];
} hyi_latest;

// Knows the tables of one machine, by number; gaps are NULL.
void hyi_latest_init(hyi_latest *latest, hy_mem *mem,
                     const hy_table *const tables[HY_TABLE_NUMBERS]);
void hyi_latest_deinit(hyi_latest *latest);
void hyi_latest_clear(hyi_latest *latest); // keeps the storage

// Takes in one change. HY_NOMEM, HY_CORRUPT (an unknown table too).
HY_CHECKED hy_err hyi_latest_put(hyi_latest *latest, const hyi_skim_row *change, hy_why *why);

// Takes in all changes of a skimmed entry.
HY_CHECKED hy_err hyi_latest_add(hyi_latest *latest, const hyi_skim *skim, hy_why *why);

#endif
