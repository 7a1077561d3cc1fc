// undo.h - what steps touched, and how to take it back.        Room: machine. Includes: base
// schema. Threads: one owner.
//
// One log is the rollback, the touched set that invariants look at, the change feed and the source
// of the journal's changes. A row is logged once a step (its mark says so). Steps lie in the log
// one behind the other until they are released (durable) or rewound (not).
//
//     entry:  which row, how its mark was, and where its old bytes are
//     bytes:  old rows
//     blobs:  strings and bytes that the step made (freed on rewind) or replaced (freed on release)
#ifndef HYI_MACHINE_UNDO_H
#define HYI_MACHINE_UNDO_H

#include "machine/queue.h"
#include "machine/rows.h"

typedef struct hyi_undo_entry {
    uint32_t table, slot;
    uint64_t old_mark; // 0: there was no row
    uint64_t bytes;    // position of the old row
} hyi_undo_entry;

typedef struct hyi_undo_blob {
    hy_bytes bytes;
    bool made; // else replaced
} hyi_undo_blob;

typedef struct hyi_undo_step {
    uint64_t seq;                   // of the input
    uint64_t step;                  // the number its rows are marked with
    uint64_t entries, bytes, blobs; // where the step begins in each queue
    uint64_t seq_before, digest_before, chain_before;
} hyi_undo_step;

typedef struct hyi_undo {
    hyi_queue steps, entries, bytes, blobs;
    uint64_t entries_first, bytes_first, blobs_first; // where the step under way begins
} hyi_undo;

void hyi_undo_init(hyi_undo *undo, hy_mem *mem);
void hyi_undo_deinit(hyi_undo *undo);

static inline hyi_undo_entry *hyi_undo_entry_at(const hyi_undo *undo, uint64_t position) {
    return hyi_queue_at(&undo->entries, position);
}
static inline const void *hyi_undo_old_row(const hyi_undo *undo, const hyi_undo_entry *entry) {
    return hyi_queue_at(&undo->bytes, entry->bytes);
}

#endif
