// driver.h - what every driver of this room offers beyond the port.     Room: store. Includes:
// machine. Threads: as hypha/store.h says.
//
// The port (hy_store_driver) is what a host needs; the rest of hypha/store.h works on any store
// through the table below. Each driver's struct begins with hyi_store.
#ifndef HYI_STORE_DRIVER_H
#define HYI_STORE_DRIVER_H

#include <hypha/store.h>

typedef struct hyi_store_driver {
    hy_store_recovery (*recovered)(const hy_store *store);
    hy_err (*machines)(hy_store *store, hy_arena *arena, const hy_store_machine **out_machines,
                       size_t *out_count, hy_why *why);
    hy_err (*instance_next)(hy_store *store, uint32_t machine, hy_bytes after, hy_arena *arena,
                            hy_store_machine *out_instance, hy_why *why);
    hy_err (*instance_look)(hy_store *store, uint32_t machine, hy_bytes key, hy_arena *arena,
                            hy_store_machine *out_instance, hy_why *why);
    hy_err (*rows_open)(hy_store *store, uint32_t machine, uint32_t table, hy_store_rows **out_rows,
                        hy_why *why);
} hyi_store_driver;

typedef struct hyi_store {
    hy_store port;
    const hyi_store_driver *more;
} hyi_store;

// First member of every driver's own cursors, so that `next` and `close` find their driver.
struct hy_store_rows {
    hy_err (*next)(hy_store_rows *rows, const void **out_row, hy_why *why);
    void (*close)(hy_store_rows *rows);
};

struct hy_journal_cursor {
    hy_store *store;
};

// Drops frames from the front of `batch` until its first entry has seq >= from_seq. HY_CORRUPT.
HY_CHECKED hy_err hyi_batch_from(hy_batch *batch, uint64_t from_seq, hy_why *why);

// Loads the entries of a batch that come after `after_seq` into the state. HY_CORRUPT, HY_NOMEM ...
HY_CHECKED hy_err hyi_batch_load(const hy_batch *batch, uint64_t after_seq, hy_state *state,
                                 hy_why *why);

// Whether a key may name an instance: nothing, or text of at most HY_INSTANCE_KEY_MAX bytes.
// HY_TOO_LARGE, HY_MALFORMED.
HY_CHECKED hy_err hyi_instance_key_check(hy_bytes key, hy_why *why);

#endif
