// memory_disk.h - what a memory store keeps.                     Room: store. Includes: base
// machine. Threads: the store's.
//
// A disk outlives its stores. Per machine, and per instance of one: the description (an instance
// has its machine's), the rows as of `base_seq`, and the whole journal. Rows are records { u32
// table, u32 length, wire form } one behind the other.
#ifndef HYI_STORE_MEMORY_DISK_H
#define HYI_STORE_MEMORY_DISK_H

#include "store/describe.h"
#include "store/driver.h"

typedef struct hyi_memory_batch {
    uint64_t first_seq, last_seq;
    uint32_t entry_count;
    uint8_t *body;
    size_t len;
} hyi_memory_batch;

typedef struct hyi_memory_machine {
    hy_buf description;
    uint64_t empty_digest, empty_chain; // of an instance that has no step yet
    struct hyi_memory_machine *of;      // an instance: its machine; else NULL
    hy_buf key;                         // of an instance
    hy_buf rows;                        // as of base_seq
    uint64_t row_count;
    uint64_t base_seq, base_digest, base_chain;
    hyi_memory_batch *batches; // the whole journal
    uint32_t batch_count, batch_capacity;
    uint64_t entries_since_base;
    bool doubt; // an append had an unknown outcome: load before the next
} hyi_memory_machine;

struct hy_store_disk {
    hy_mem *mem;
    hyi_memory_machine **machines; // number is place + 1
    uint32_t machine_count, machine_capacity;
    bool in_use;
    hy_store_disk_faults faults;
    uint64_t append_count; // since the faults were set
    uint64_t journal_bytes;
};

static inline uint64_t hyi_memory_last_seq(const hyi_memory_machine *machine) {
    uint32_t count = machine->batch_count;
    return count == 0 ? machine->base_seq : machine->batches[count - 1].last_seq;
}

// Nothing of an instance is on the disk before its first append.
static inline bool hyi_memory_is_stored(const hyi_memory_machine *machine) {
    return machine->of == NULL || machine->batch_count > 0;
}

static inline const hyi_memory_machine *hyi_memory_described(const hyi_memory_machine *machine) {
    return machine->of != NULL ? machine->of : machine;
}

// A new machine at the end; *out_machine is empty. HY_NOMEM leaves the disk as it was.
HY_CHECKED hy_err hyi_memory_machine_add(hy_store_disk *disk, hyi_memory_machine **out_machine);
void hyi_memory_machine_drop_last(hy_store_disk *disk);

// Makes room for `count` more batches, so that adding them cannot fail.
HY_CHECKED hy_err hyi_memory_reserve(hy_store_disk *disk, hyi_memory_machine *machine,
                                     size_t count);

void hyi_memory_row_add(hy_buf *rows, uint32_t table, hy_bytes wire);
// Takes the first row off `*rest`; false at the end.
bool hyi_memory_row_next(hy_bytes *rest, uint32_t *out_table, hy_bytes *out_wire);

#endif
