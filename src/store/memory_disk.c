// memory_disk.c - storage of the memory driver: growing lists, and giving them back.
//
// Whatever can fail is done before anything changes: room is reserved first (hyi_memory_reserve),
// so that adding a batch cannot fail half way through an append of several. Invariant: counts never
// pass capacities; rows are whole records, so reading them needs no check.
#include "store/memory_disk.h"

#include "base/memory.h"

hy_err hy_store_disk_new(hy_mem *mem, hy_store_disk **out_disk) {
    hy_store_disk *disk = hy_mem_alloc_zero(mem, sizeof *disk);
    if (disk == NULL) return HY_NOMEM;
    disk->mem = mem;
    *out_disk = disk;
    return HY_OK;
}

static void memory_machine_free(hy_mem *mem, hyi_memory_machine *machine) {
    hy_buf_deinit(&machine->description);
    hy_buf_deinit(&machine->key);
    hy_buf_deinit(&machine->rows);
    for (uint32_t i = 0; i < machine->batch_count; i++) {
        hy_mem_free(mem, machine->batches[i].body, machine->batches[i].len);
    }
    hy_mem_free(mem, machine->batches, machine->batch_capacity * sizeof machine->batches[0]);
    hy_mem_free(mem, machine, sizeof *machine);
}

hy_store_disk *hy_store_disk_free(hy_store_disk *disk) {
    if (disk == NULL) return NULL;
    HY_ASSERT(!disk->in_use);
    for (uint32_t i = 0; i < disk->machine_count; i++) {
        memory_machine_free(disk->mem, disk->machines[i]);
    }
    hy_mem_free(disk->mem, disk->machines, disk->machine_capacity * sizeof disk->machines[0]);
    hy_mem_free(disk->mem, disk, sizeof *disk);
    return NULL;
}

void hy_store_disk_set_faults(hy_store_disk *disk, const hy_store_disk_faults *faults) {
    disk->faults = *faults;
    disk->append_count = 0;
}

static hy_err memory_machines_reserve(hy_store_disk *disk) {
    if (disk->machine_count < disk->machine_capacity) return HY_OK;
    uint32_t capacity = disk->machine_capacity == 0 ? 4 : 2 * disk->machine_capacity;
    size_t size = sizeof disk->machines[0];
    hyi_memory_machine **machines = disk->mem->resize(
        disk->mem, disk->machines, disk->machine_capacity * size, capacity * size);
    if (machines == NULL) return HY_NOMEM;
    disk->machines = machines;
    disk->machine_capacity = capacity;
    return HY_OK;
}

hy_err hyi_memory_machine_add(hy_store_disk *disk, hyi_memory_machine **out_machine) {
    hy_err err = memory_machines_reserve(disk);
    if (err != HY_OK) return err;
    hyi_memory_machine *machine = hy_mem_alloc_zero(disk->mem, sizeof *machine);
    if (machine == NULL) return HY_NOMEM;
    hy_buf_init(&machine->description, disk->mem, 0);
    hy_buf_init(&machine->key, disk->mem, 0);
    hy_buf_init(&machine->rows, disk->mem, 0);
    disk->machines[disk->machine_count++] = machine;
    *out_machine = machine;
    return HY_OK;
}

void hyi_memory_machine_drop_last(hy_store_disk *disk) {
    HY_ASSERT(disk->machine_count > 0);
    memory_machine_free(disk->mem, disk->machines[--disk->machine_count]);
}

hy_err hyi_memory_reserve(hy_store_disk *disk, hyi_memory_machine *machine, size_t count) {
    uint32_t capacity = machine->batch_capacity == 0 ? 16 : machine->batch_capacity;
    while (capacity - machine->batch_count < count) {
        capacity *= 2;
    }
    if (capacity == machine->batch_capacity) return HY_OK;
    hyi_memory_batch *batches =
        disk->mem->resize(disk->mem, machine->batches, machine->batch_capacity * sizeof *batches,
                          capacity * sizeof *batches);
    if (batches == NULL) return HY_NOMEM;
    machine->batches = batches;
    machine->batch_capacity = capacity;
    return HY_OK;
}

void hyi_memory_row_add(hy_buf *rows, uint32_t table, hy_bytes wire) {
    uint32_t head[2] = { table, (uint32_t)wire.len }; // never leaves this process
    hy_buf_add(rows, head, sizeof head);
    hy_buf_add(rows, wire.ptr, wire.len);
}

bool hyi_memory_row_next(hy_bytes *rest, uint32_t *out_table, hy_bytes *out_wire) {
    uint32_t head[2];
    if (rest->len == 0) return false;
    HY_ASSERT(rest->len >= sizeof head);
    memcpy(head, rest->ptr, sizeof head);
    HY_ASSERT(rest->len - sizeof head >= head[1]);
    *out_table = head[0];
    *out_wire = (hy_bytes){ rest->ptr + sizeof head, head[1] };
    *rest = (hy_bytes){ out_wire->ptr + head[1], rest->len - sizeof head - head[1] };
    return true;
}
