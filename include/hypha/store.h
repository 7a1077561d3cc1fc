// hypha/store.h - where state is kept.                  Room: store. Includes: base machine world.
// Threads: a store belongs to one thread at a time. All calls may block: call them from work.
//
// The port that a store offers to whoever runs machines is in hypha/machine.h (hy_store_driver);
// this header makes stores, and lets a tool look into them without the program that wrote them. Two
// drivers: memory (tests, simulations, things that may be lost) and SQLite (files).
#ifndef HYPHA_STORE_H
#define HYPHA_STORE_H

#include <hypha/base.h>
#include <hypha/machine.h>
#include <hypha/world.h>

#ifdef __cplusplus
extern "C" {
#endif

// Checkpoints what is journaled, then closes. What fails is left for the next open, which loses
// nothing. NULL is fine. Returns NULL.
HY_API hy_store *hy_store_close(hy_store *store);

// Moves one bounded slice of the journal into the tables, a few milliseconds of work; *out_more
// says whether another is waiting. `driver->checkpoint` is this, until nothing is left.
HY_API HY_CHECKED hy_err hy_store_checkpoint_slice(hy_store *store, bool *out_more, hy_why *why);

// ---- memory -----------------------------------------------------------------------------------

// What survives the closing of a memory store: a disk for tests. At most one store is open on it.
typedef struct hy_store_disk hy_store_disk;
HY_API HY_CHECKED hy_err hy_store_disk_new(hy_mem *mem, hy_store_disk **out_disk);
HY_API hy_store_disk *hy_store_disk_free(hy_store_disk *disk); // NULL is fine; returns NULL

// Faults of appends, counted from the call that sets them (1: the next append). 0: never.
typedef struct hy_store_disk_faults {
    size_t size;
    uint64_t bytes_max;       // journal bytes; an append beyond them is refused: HY_DISK_FULL
    uint64_t refuse_at;       // refused: HY_IO
    uint64_t unknown_lost_at; // outcome unknown; it was not stored
    uint64_t unknown_kept_at; // outcome unknown; it was stored
} hy_store_disk_faults;
HY_API void hy_store_disk_set_faults(hy_store_disk *disk, const hy_store_disk_faults *faults);

// Borrows `disk` until close; NULL: the store has its own, which ends with it. HY_NOMEM; HY_LOCKED
// if another store is open on the disk.
HY_API HY_CHECKED hy_err hy_store_memory_open(hy_mem *mem, hy_store_disk *disk,
                                              hy_store **out_store);

// ---- SQLite -----------------------------------------------------------------------------------

typedef struct hy_store_sqlite_options {
    size_t size;
    bool read_only;   // look, change nothing, take no lock: works while a service runs on the file
    bool world_files; // the real world too: all I/O through hy_file_* (always so when simulated)
    bool lazy_sync; // commits are not synced: a power cut may lose the latest, a dead process none
    uint64_t checkpoint_bytes; // journal bytes that append lets pile up; 0: 64 MiB
    uint32_t slice_bytes;      // journal bytes that one slice moves at most; 0: 256 KiB
    uint32_t page_bytes;       // of a new file, a power of two from 512 to 65536; 0: 4096
    uint32_t cache_bytes;      // of SQLite's pages; 0: 16 MiB
    uint32_t wal_bytes;        // write-ahead log that piles up before it is copied; 0: 1 MiB
    hy_ns busy_timeout;        // how long an append waits for a person's sqlite3 shell; 0: 2 s
} hy_store_sqlite_options;

// Opens the file, or makes it. Borrows `world` until close; memory comes from hy_world_mem.
// HY_FOREIGN, HY_NEWER, HY_CORRUPT, HY_READ_ONLY, HY_LOCKED, HY_NOT_FOUND (read_only), HY_IO,
// HY_DISK_FULL, HY_NOMEM: `why` says what to do.
HY_API HY_CHECKED hy_err hy_store_sqlite_open(hy_world *world, const char *path,
                                              const hy_store_sqlite_options *options,
                                              hy_store **out_store, hy_why *why);

// What opening found in the write-ahead log that the last process left behind.
typedef struct hy_store_recovery {
    uint64_t pages;     // taken over: they belong to finished commits
    uint64_t cut_bytes; // of a commit that never finished: cut off
} hy_store_recovery;
HY_API hy_store_recovery hy_store_recovered(const hy_store *store);

// ---- looking inside ---------------------------------------------------------------------------
// Needs no attach and no program: a store describes itself.

typedef struct hy_store_machine {
    // As stored: name, version, tables, inputs, actions and rejections, but no code. Records follow
    // the C layout rules. hy_machine_table gives the runtime's tables too.
    const hy_machine *described;
    uint32_t number;
    uint64_t checkpoint_seq, checkpoint_digest, checkpoint_chain; // what the tables hold
    uint64_t first_seq, last_seq; // what the journal holds; 0 when it is empty
    uint64_t batch_count, entry_count, journal_bytes;
    uint64_t instance_count; // stored under keys, besides the machine itself
    hy_bytes key;            // of an instance; empty: the machine itself
} hy_store_machine;

// All machines in order of number, in `arena`. HY_NOMEM, HY_CORRUPT, HY_IO.
HY_API HY_CHECKED hy_err hy_store_machines(hy_store *store, hy_arena *arena,
                                           const hy_store_machine **out_machines, size_t *out_count,
                                           hy_why *why);

// One of the many instances of the machine with this number, by its key, or the first whose key
// comes after `after` (as bytes; empty: the first): `number` is the instance's own then, to be used
// wherever a machine's is. In `arena`. HY_END: none comes after; HY_NOT_FOUND: none has this key.
HY_API HY_CHECKED hy_err hy_store_instance(hy_store *store, uint32_t machine, hy_bytes key,
                                           hy_arena *arena, hy_store_machine *out_instance,
                                           hy_why *why);
HY_API HY_CHECKED hy_err hy_store_instance_next(hy_store *store, uint32_t machine, hy_bytes after,
                                                hy_arena *arena, hy_store_machine *out_instance,
                                                hy_why *why);

// Walks the rows of one table as of the latest checkpoint, each checked. Ends with HY_END; a row is
// a struct of the described table's record, borrowed until the next call. Close it before the
// store.
typedef struct hy_store_rows hy_store_rows;
HY_API HY_CHECKED hy_err hy_store_rows_open(hy_store *store, uint32_t machine, uint32_t table,
                                            hy_store_rows **out_rows, hy_why *why);
HY_API HY_CHECKED hy_err hy_store_rows_next(hy_store_rows *rows, const void **out_row, hy_why *why);
HY_API void hy_store_rows_close(hy_store_rows *rows); // NULL is fine

#ifdef __cplusplus
}
#endif
#endif
