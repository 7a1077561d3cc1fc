// sqlite_store.h - the parts of the SQLite driver, seen from each other.     Room: store.
// Includes: base schema machine world. Threads: the store's.
//
// sqlite_store.c    opening, closing, the driver's tables
// sqlite_link.c     the connection: pragmas, errors, statements, transactions
// sqlite_machine.c  what the file says about its machines: hy_machine, hy_checkpoint
// sqlite_instance.c the instances of a machine: their numbers, and where each stands
// sqlite_table.c    the typed SQL table of one machine table
// sqlite_attach.c   making a machine known, and moving its rows to a newer shape
// sqlite_append.c   commits and their three outcomes
// sqlite_slice.c    from the journal into the tables
// sqlite_load.c     from the tables into a state
// sqlite_journal.c  reading the journal
// sqlite_look.c     reading without the program
#ifndef HYI_STORE_SQLITE_STORE_H
#define HYI_STORE_SQLITE_STORE_H

#include "base/map.h"
#include "store/columns.h"
#include "store/describe.h"
#include "store/driver.h"
#include "store/latest.h"
#include "store/vfs.h"

#define HYI_SQLITE_APPLICATION_ID 0x48797068 // "Hyph"
#define HYI_SQLITE_FORMAT 2                  // user_version; docs/FORMATS.md
#define HYI_SQLITE_FORMAT_PLAIN 1            // of a file that has no table of instances

// A journal row's id is the number of its instance and its first seq, so that an instance's journal
// is one stretch of the table and new rows go to the end of it. The instance without a key has the
// number of its machine; those with a key have the numbers above, and ids below zero, where there
// is room for 2^23 of them with 2^40 steps each.
#define HYI_SQLITE_SEQ_BITS 48
#define HYI_SQLITE_MACHINES_MAX 32767u
#define HYI_SQLITE_KEYED_SEQ_BITS 40
#define HYI_SQLITE_KEYED_FIRST (HYI_SQLITE_MACHINES_MAX + 1)
#define HYI_SQLITE_KEYED_MAX (1u << 23)

static inline int64_t hyi_sqlite_journal_id(uint32_t number, uint64_t seq) {
    if (number <= HYI_SQLITE_MACHINES_MAX) {
        return (int64_t)((uint64_t)number << HYI_SQLITE_SEQ_BITS | seq);
    }
    uint64_t nth = number - HYI_SQLITE_KEYED_FIRST;
    return INT64_MIN + (int64_t)(nth << HYI_SQLITE_KEYED_SEQ_BITS | seq);
}

static inline uint64_t hyi_sqlite_seq_max(uint32_t number) {
    unsigned bits =
        number <= HYI_SQLITE_MACHINES_MAX ? HYI_SQLITE_SEQ_BITS : HYI_SQLITE_KEYED_SEQ_BITS;
    return (UINT64_C(1) << bits) - 1;
}

// Statements with fixed text, prepared when first needed.
typedef enum hyi_sqlite_statement {
    HYI_SQLITE_BEGIN,
    HYI_SQLITE_COMMIT,
    HYI_SQLITE_ROLLBACK,
    HYI_SQLITE_JOURNAL_ADD,
    HYI_SQLITE_JOURNAL_AT,
    HYI_SQLITE_JOURNAL_AFTER,
    HYI_SQLITE_JOURNAL_LAST,
    HYI_SQLITE_JOURNAL_SUMS,
    HYI_SQLITE_JOURNAL_BACKLOG,
    HYI_SQLITE_MACHINES,
    HYI_SQLITE_MACHINE_PUT,
    HYI_SQLITE_CHECKPOINT_AT,
    HYI_SQLITE_CHECKPOINT_PUT,
    HYI_SQLITE_INSTANCE_AT,
    HYI_SQLITE_INSTANCE_AFTER,
    HYI_SQLITE_INSTANCE_OF,
    HYI_SQLITE_INSTANCE_OWING,
    HYI_SQLITE_INSTANCE_COUNT,
    HYI_SQLITE_INSTANCE_LAST,
    HYI_SQLITE_INSTANCE_PUT,
    HYI_SQLITE_STATEMENT_COUNT
} hyi_sqlite_statement;

// The typed table of one machine table.
typedef struct hyi_sqlite_table {
    const hy_table *table; // NULL: the machine has none of this number
    hyi_columns columns;
    sqlite3_stmt *put, *remove, *walk; // prepared when first needed
} hyi_sqlite_table;

// What the tables hold.
typedef struct hyi_sqlite_checkpoint {
    uint64_t seq, digest, chain;
} hyi_sqlite_mark;

// A machine that was attached: what all its instances share.
typedef struct hyi_sqlite_machine {
    uint32_t number;
    hyi_description description; // the program's own
    hy_arena arena;              // of the columns
    hyi_sqlite_table tables[HY_TABLE_NUMBERS];
    hyi_latest latest;
    hyi_sqlite_mark empty; // of an instance that has no step yet
    bool has_empty;
} hyi_sqlite_machine;

// One machine's state in the file: the machine's own (no key), or one of many, by key.
typedef struct hyi_sqlite_instance {
    hyi_sqlite_machine *machine;
    uint32_t number;
    uint32_t same_hash; // place of another instance whose key has the same hash; HYI_NONE: none
    bool stored;        // the file knows it; else its first append tells the file
    bool doubt;         // an append had an unknown outcome: load before the next
    bool dirty;         // in the list of those that have journal after their checkpoint
    struct hyi_sqlite_instance *next_dirty;
    struct hyi_sqlite_instance *next_moved; // by the slice that is under way
    hyi_sqlite_mark checkpoint, moved;      // what the tables hold; will hold after this slice
    uint64_t last_seq;                      // of the journal
    uint64_t backlog_bytes, moved_bytes;    // journaled after the checkpoint
    // Where a slice ended inside a batch: the next begins there, if it begins at that seq.
    struct {
        int64_t batch_id;
        uint64_t seq;
        size_t offset;
    } rest;
    uint32_t key_len;
    char key[];
} hyi_sqlite_instance;

typedef struct hyi_sqlite {
    hyi_store base;
    hy_world *world;
    hy_mem *mem;
    hy_store_sqlite_options options; // with the defaults filled in
    char *path, *lock_path;
    size_t path_size, lock_path_size; // of their memory
    hy_file *lock;
    hyi_vfs vfs;
    bool own_files; // I/O goes through the world, and nobody shares the file
    sqlite3 *db;
    sqlite3_stmt *statements[HYI_SQLITE_STATEMENT_COUNT];
    bool broken; // a transaction ended in a way that only a new connection can judge
    hyi_sqlite_machine **machines;
    uint32_t machine_count, machine_capacity;
    bool has_keyed;         // the file has a table of instances
    uint32_t keyed_next;    // the number of the next new instance; 0: the file was not asked yet
    uint64_t backlog_bytes; // of all instances
    hyi_sqlite_instance **instances;
    uint32_t instance_count, instance_capacity;
    hyi_map instance_numbers, instance_keys; // to a place in `instances`
    hyi_sqlite_instance *dirty_first, *dirty_last;
    uint64_t wal_pages, wal_goal; // in the write-ahead log now; when to copy them next
    uint32_t slice_rows;          // that one slice may write: follows what slices cost
    hy_store_recovery recovery;
    hy_arena scratch; // of one call
    hy_buf wire;      // of one row
} hyi_sqlite;

// ---- sqlite_link.c ------------------------------------------------------------------------------

// Opens the connection, checks whose file it is, makes an empty one ours. Read self->path and
// options.
HY_CHECKED hy_err hyi_sqlite_link(hyi_sqlite *self, hy_why *why);
// Closes it with all statements; `settle`: lets SQLite copy its log into the file.
void hyi_sqlite_unlink(hyi_sqlite *self, bool settle);
// A new connection if this one is broken. What an unknown outcome left is then known.
HY_CHECKED hy_err hyi_sqlite_relink(hyi_sqlite *self, hy_why *why);

// Fills `why` from SQLite's code and message and gives the matching error. Not for SQLITE_OK.
hy_err hyi_sqlite_fail(hyi_sqlite *self, int rc, const char *place, hy_why *why);

// At the end of a call: no memory is told by many places that have no `why` at hand.
hy_err hyi_sqlite_told(hy_err err, hy_why *why);

// The statement, reset; *out_statement NULL on error.
HY_CHECKED hy_err hyi_sqlite_get(hyi_sqlite *self, hyi_sqlite_statement which,
                                 sqlite3_stmt **out_statement, hy_why *why);
// Prepares the text in `sql` and clears it.
HY_CHECKED hy_err hyi_sqlite_prepare(hyi_sqlite *self, hy_buf *sql, sqlite3_stmt **out_statement,
                                     hy_why *why);
// Runs one statement of no result.
HY_CHECKED hy_err hyi_sqlite_run(hyi_sqlite *self, hy_buf *sql, hy_why *why);
HY_CHECKED hy_err hyi_sqlite_run_text(hyi_sqlite *self, const char *sql, hy_why *why);
// Runs a prepared statement to its end and resets it.
HY_CHECKED hy_err hyi_sqlite_step_out(hyi_sqlite *self, sqlite3_stmt *statement, const char *place,
                                      hy_why *why);

HY_CHECKED hy_err hyi_sqlite_begin(hyi_sqlite *self, hy_why *why);
// After `err` HY_OK commits, else rolls back; gives the first error. A commit that fails breaks the
// connection, because what it did is not known.
HY_CHECKED hy_err hyi_sqlite_end(hyi_sqlite *self, hy_err err, hy_why *why);
void hyi_sqlite_rollback(hyi_sqlite *self);
// Copies the write-ahead log into the file if enough has piled up.
void hyi_sqlite_copy_log(hyi_sqlite *self);

// Appends "name", quoted for SQL.
void hyi_sqlite_add_name(hy_buf *sql, const char *prefix, const char *name);

// ---- sqlite_machine.c ---------------------------------------------------------------------------

HY_CHECKED hy_err hyi_sqlite_checkpoint_read(hyi_sqlite *self, uint32_t machine,
                                             hyi_sqlite_mark *out_checkpoint, hy_why *why);
HY_CHECKED hy_err hyi_sqlite_checkpoint_write(hyi_sqlite *self, uint32_t machine,
                                              const hyi_sqlite_mark *checkpoint, hy_why *why);

// A row of hy_machine; `schema` and `name` lie in the arena.
typedef struct hyi_sqlite_known {
    uint32_t number, version;
    const char *name;
    hy_bytes schema;
} hyi_sqlite_known;
// All machines in the file. HY_CORRUPT if one fails its check.
HY_CHECKED hy_err hyi_sqlite_known_all(hyi_sqlite *self, hy_arena *arena,
                                       hyi_sqlite_known **out_known, size_t *out_count,
                                       hy_why *why);
HY_CHECKED hy_err hyi_sqlite_known_write(hyi_sqlite *self, const hyi_sqlite_known *known,
                                         hy_why *why);

// One number asked of an instance's stretch of the journal after a seq; 0 if there is none.
HY_CHECKED hy_err hyi_sqlite_journal_ask(hyi_sqlite *self, hyi_sqlite_statement which,
                                         uint32_t number, uint64_t after_seq, uint64_t *out_value,
                                         hy_why *why);
// An attached machine by its number, or NULL.
hyi_sqlite_machine *hyi_sqlite_machine_at(const hyi_sqlite *self, uint32_t number);
HY_CHECKED hy_err hyi_sqlite_machine_new(hyi_sqlite *self, uint32_t number,
                                         const hyi_description *description,
                                         hyi_sqlite_machine **out_machine, hy_why *why);
void hyi_sqlite_machine_free(hyi_sqlite *self, hyi_sqlite_machine *machine);

// ---- sqlite_instance.c --------------------------------------------------------------------------

// An instance that is in memory, by its number; or NULL.
hyi_sqlite_instance *hyi_sqlite_instance_find(const hyi_sqlite *self, uint32_t number);
// Takes one into memory and reads where it stands. `stored`: the file has it. On an error nothing
// has changed.
HY_CHECKED hy_err hyi_sqlite_instance_add(hyi_sqlite *self, hyi_sqlite_machine *machine,
                                          uint32_t number, hy_bytes key, bool stored, hy_why *why);
// Reads where journal and checkpoint stand: of one, of all (the connection is new).
HY_CHECKED hy_err hyi_sqlite_instance_refresh(hyi_sqlite *self, hyi_sqlite_instance *instance,
                                              hy_why *why);
HY_CHECKED hy_err hyi_sqlite_instances_refresh(hyi_sqlite *self, hy_why *why);
void hyi_sqlite_instances_free(hyi_sqlite *self);
// Puts the instance into the file, with an empty checkpoint: part of its first append.
HY_CHECKED hy_err hyi_sqlite_instance_store(hyi_sqlite *self, const hyi_sqlite_instance *instance,
                                            hy_why *why);
void hyi_sqlite_instance_grew(hyi_sqlite *self, hyi_sqlite_instance *instance, uint64_t bytes);

// A row of hy_instance; the key lies in the arena. HY_END: there is none.
typedef struct hyi_sqlite_keyed {
    uint32_t number, machine;
    hy_bytes key;
} hyi_sqlite_keyed;
HY_CHECKED hy_err hyi_sqlite_keyed_at(hyi_sqlite *self, uint32_t machine, hy_bytes key,
                                      hy_arena *arena, hyi_sqlite_keyed *out_keyed, hy_why *why);
HY_CHECKED hy_err hyi_sqlite_keyed_after(hyi_sqlite *self, uint32_t machine, hy_bytes key,
                                         hy_arena *arena, hyi_sqlite_keyed *out_keyed, hy_why *why);
HY_CHECKED hy_err hyi_sqlite_keyed_of(hyi_sqlite *self, uint32_t number, hy_arena *arena,
                                      hyi_sqlite_keyed *out_keyed, hy_why *why);
HY_CHECKED hy_err hyi_sqlite_keyed_count(hyi_sqlite *self, uint32_t machine, uint64_t *out_count,
                                         hy_why *why);
// All numbers under which the machine keeps rows, its own first.
HY_CHECKED hy_err hyi_sqlite_numbers(hyi_sqlite *self, uint32_t machine, hy_arena *arena,
                                     uint32_t **out_numbers, size_t *out_count, hy_why *why);

// ---- sqlite_table.c -----------------------------------------------------------------------------

HY_CHECKED hy_err hyi_sqlite_table_make(hy_arena *arena, const hy_table *table,
                                        hyi_sqlite_table *out_table, hy_why *why);
void hyi_sqlite_table_forget(hyi_sqlite_table *table); // finalizes its statements
// Creates the SQL table, or adds to it the columns that are missing. `prefix` goes before the name.
// HY_SCHEMA if what is there does not fit.
HY_CHECKED hy_err hyi_sqlite_table_ensure(hyi_sqlite *self, const hyi_sqlite_table *table,
                                          const char *prefix, hy_why *why);
// Writes a row whose wire form is `wire`; `row` NULL: decode it.
HY_CHECKED hy_err hyi_sqlite_table_put(hyi_sqlite *self, hyi_sqlite_table *table, uint32_t machine,
                                       const char *prefix, const void *row, hy_bytes wire,
                                       hy_why *why);
HY_CHECKED hy_err hyi_sqlite_table_remove(hyi_sqlite *self, hyi_sqlite_table *table,
                                          uint32_t machine, hy_bytes key_wire, hy_why *why);
// Walks the rows of a machine: gives a statement to hand to _next, and to finalize.
HY_CHECKED hy_err hyi_sqlite_table_walk(hyi_sqlite *self, const hyi_sqlite_table *table,
                                        uint32_t machine, sqlite3_stmt **out_statement,
                                        hy_why *why);
// Fills `row` (borrowing from the statement and `arena`), leaves its wire form in self->wire, and
// compares its CRC. HY_END, HY_CORRUPT with table and key in `place`.
HY_CHECKED hy_err hyi_sqlite_table_next(hyi_sqlite *self, const hyi_sqlite_table *table,
                                        sqlite3_stmt *statement, hy_arena *arena, void *row,
                                        hy_why *why);

// ---- the calls of the driver --------------------------------------------------------------------

hy_err hyi_sqlite_attach(hy_store *store, const hy_machine *machine, uint32_t *out_number,
                         hy_why *why);
hy_err hyi_sqlite_instance_open(hy_store *store, uint32_t machine, hy_bytes key,
                                uint32_t *out_number, hy_why *why);
hy_err hyi_sqlite_owing(hy_store *store, uint32_t machine, hy_bytes after, hy_buf *out_key,
                        hy_why *why);
// Digest and chain of a state of the machine with no rows.
HY_CHECKED hy_err hyi_sqlite_empty(hyi_sqlite *self, hyi_sqlite_machine *machine, hy_why *why);
hy_err hyi_sqlite_load(hy_store *store, uint32_t machine, hy_state *state, hy_why *why);
// The rows of the tables alone, without numbers and journal.
HY_CHECKED hy_err hyi_sqlite_load_rows(hyi_sqlite *self, uint32_t machine, hy_state *state,
                                       hy_why *why);
hy_commit hyi_sqlite_append(hy_store *store, const hy_batch *batches, size_t count, hy_why *why);
hy_err hyi_sqlite_checkpoint(hy_store *store, hy_why *why);
hy_err hyi_sqlite_checkpoint_slice(hy_store *store, bool *out_more, hy_why *why);
// One slice, of as many instances as go into it: bounded, but no less than `bytes_min` of journal.
HY_CHECKED hy_err hyi_sqlite_slice(hyi_sqlite *self, uint64_t bytes_min, hy_why *why);
// The journal of all instances of a machine goes into the tables, whatever they were described by.
HY_CHECKED hy_err hyi_sqlite_drain(hyi_sqlite *self, hyi_sqlite_machine *machine,
                                   const uint32_t *numbers, size_t count, hy_why *why);
hy_err hyi_sqlite_journal_open(hy_store *store, uint32_t machine, uint64_t from_seq,
                               hy_journal_cursor **out_cursor, hy_why *why);
hy_err hyi_sqlite_journal_next(hy_journal_cursor *cursor, hy_batch *out_batch, hy_why *why);
void hyi_sqlite_journal_close(hy_journal_cursor *cursor);
hy_err hyi_sqlite_machines(hy_store *store, hy_arena *arena, const hy_store_machine **out_machines,
                           size_t *out_count, hy_why *why);
hy_err hyi_sqlite_instance_next(hy_store *store, uint32_t machine, hy_bytes after, hy_arena *arena,
                                hy_store_machine *out_instance, hy_why *why);
hy_err hyi_sqlite_instance_look(hy_store *store, uint32_t machine, hy_bytes key, hy_arena *arena,
                                hy_store_machine *out_instance, hy_why *why);
hy_err hyi_sqlite_rows_open(hy_store *store, uint32_t machine, uint32_t table,
                            hy_store_rows **out_rows, hy_why *why);

#endif
