// sqlite_machine.c - what the file says about its machines.
//
// hy_machine changes when a program attaches, hy_checkpoint, one row an instance, with every
// checkpoint. Both carry a CRC-32C over their values, so that a flipped bit in a number is not
// believed.
#include "store/sqlite_store.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/why.h"

// Continues a CRC with a number, little-endian.
static uint32_t machine_crc_u64(uint32_t crc, uint64_t value) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    return hyi_crc32c(crc, bytes, sizeof bytes);
}

// ---- hy_checkpoint ------------------------------------------------------------------------------

static uint32_t machine_checkpoint_crc(uint32_t machine, const hyi_sqlite_mark *checkpoint) {
    uint32_t crc = machine_crc_u64(0, machine);
    crc = machine_crc_u64(crc, checkpoint->seq);
    crc = machine_crc_u64(crc, checkpoint->digest);
    return machine_crc_u64(crc, checkpoint->chain);
}

hy_err hyi_sqlite_checkpoint_read(hyi_sqlite *self, uint32_t machine,
                                  hyi_sqlite_mark *out_checkpoint, hy_why *why) {
    sqlite3_stmt *at;
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_CHECKPOINT_AT, &at, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(at, 1, machine);
    int rc = sqlite3_step(at);
    if (rc == SQLITE_ROW) {
        *out_checkpoint = (hyi_sqlite_mark){
            .seq = (uint64_t)sqlite3_column_int64(at, 0),
            .digest = (uint64_t)sqlite3_column_int64(at, 1),
            .chain = (uint64_t)sqlite3_column_int64(at, 2),
        };
        uint32_t crc = machine_checkpoint_crc(machine, out_checkpoint);
        if (crc != (uint64_t)sqlite3_column_int64(at, 3)) rc = SQLITE_CORRUPT;
    }
    if (rc == SQLITE_DONE || rc == SQLITE_CORRUPT) {
        err = hyi_why_fmt(why, HY_CORRUPT, "hy_checkpoint",
                          "the checkpoint of machine %u is missing or damaged: restore a copy",
                          (uint64_t)machine);
    } else if (rc != SQLITE_ROW) {
        err = hyi_sqlite_fail(self, rc, "hy_checkpoint", why);
    }
    sqlite3_reset(at);
    return err;
}

hy_err hyi_sqlite_checkpoint_write(hyi_sqlite *self, uint32_t machine,
                                   const hyi_sqlite_mark *checkpoint, hy_why *why) {
    sqlite3_stmt *put;
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_CHECKPOINT_PUT, &put, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(put, 1, machine);
    sqlite3_bind_int64(put, 2, (int64_t)checkpoint->seq);
    sqlite3_bind_int64(put, 3, (int64_t)checkpoint->digest);
    sqlite3_bind_int64(put, 4, (int64_t)checkpoint->chain);
    sqlite3_bind_int64(put, 5, machine_checkpoint_crc(machine, checkpoint));
    return hyi_sqlite_step_out(self, put, "hy_checkpoint", why);
}

// ---- hy_machine ---------------------------------------------------------------------------------

static uint32_t machine_known_crc(const hyi_sqlite_known *known) {
    hy_bytes name = hy_bytes_of(known->name);
    uint32_t crc = machine_crc_u64(0, known->number);
    crc = machine_crc_u64(crc, known->version);
    crc = hyi_crc32c(crc, name.ptr, name.len);
    return hyi_crc32c(crc, known->schema.ptr, known->schema.len);
}

static hy_err machine_known_read(sqlite3_stmt *row, hy_arena *arena, hyi_sqlite_known *out_known,
                                 hy_why *why) {
    bool ok = false, ok_schema = false;
    hy_bytes name = { sqlite3_column_text(row, 1), (size_t)sqlite3_column_bytes(row, 1) };
    hy_bytes schema = { sqlite3_column_blob(row, 3), (size_t)sqlite3_column_bytes(row, 3) };
    *out_known = (hyi_sqlite_known){ .number = (uint32_t)sqlite3_column_int64(row, 0),
                                     .version = (uint32_t)sqlite3_column_int64(row, 2) };
    out_known->name = (const char *)hy_arena_copy(arena, name, &ok).ptr;
    out_known->schema = hy_arena_copy(arena, schema, &ok_schema);
    if (!ok || !ok_schema) return HY_NOMEM;
    uint64_t crc = (uint64_t)sqlite3_column_int64(row, 4);
    bool in_range = out_known->number >= 1 && out_known->number <= HYI_SQLITE_MACHINES_MAX;
    if (in_range && crc == machine_known_crc(out_known)) return HY_OK;
    return hyi_why_fmt(why, HY_CORRUPT, "hy_machine",
                       "the entry of machine %u is damaged: restore a copy",
                       (uint64_t)out_known->number);
}

static hy_err machine_known_list(hyi_sqlite *self, sqlite3_stmt *all, hy_arena *arena,
                                 hyi_sqlite_known **out_known, size_t *out_count, hy_why *why) {
    size_t count = 0, capacity = 0;
    hyi_sqlite_known *list = NULL;
    for (;;) {
        int rc = sqlite3_step(all);
        if (rc == SQLITE_DONE) break;
        if (rc != SQLITE_ROW) return hyi_sqlite_fail(self, rc, "hy_machine", why);
        if (count == capacity) {
            capacity = capacity == 0 ? 8 : 2 * capacity;
            hyi_sqlite_known *longer = hy_arena_alloc(arena, capacity * sizeof *longer);
            if (longer == NULL) return HY_NOMEM;
            if (count > 0) memcpy(longer, list, count * sizeof *list);
            list = longer;
        }
        hy_err err = machine_known_read(all, arena, &list[count++], why);
        if (err != HY_OK) return err;
    }
    *out_known = list;
    *out_count = count;
    return HY_OK;
}

hy_err hyi_sqlite_known_all(hyi_sqlite *self, hy_arena *arena, hyi_sqlite_known **out_known,
                            size_t *out_count, hy_why *why) {
    sqlite3_stmt *all;
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_MACHINES, &all, why);
    if (err != HY_OK) return err;
    err = machine_known_list(self, all, arena, out_known, out_count, why);
    sqlite3_reset(all);
    return err;
}

hy_err hyi_sqlite_known_write(hyi_sqlite *self, const hyi_sqlite_known *known, hy_why *why) {
    sqlite3_stmt *put;
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_MACHINE_PUT, &put, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(put, 1, known->number);
    sqlite3_bind_text(put, 2, known->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(put, 3, known->version);
    sqlite3_bind_blob64(put, 4, known->schema.ptr, known->schema.len, SQLITE_STATIC);
    sqlite3_bind_int64(put, 5, machine_known_crc(known));
    return hyi_sqlite_step_out(self, put, "hy_machine", why);
}

// ---- attached machines --------------------------------------------------------------------------

hy_err hyi_sqlite_journal_ask(hyi_sqlite *self, hyi_sqlite_statement which, uint32_t number,
                              uint64_t after_seq, uint64_t *out_value, hy_why *why) {
    sqlite3_stmt *ask;
    hy_err err = hyi_sqlite_get(self, which, &ask, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(ask, 1, hyi_sqlite_journal_id(number, after_seq));
    sqlite3_bind_int64(ask, 2, hyi_sqlite_journal_id(number, hyi_sqlite_seq_max(number)));
    int rc = sqlite3_step(ask);
    *out_value = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(ask, 0) : 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        err = hyi_sqlite_fail(self, rc, "hy_journal", why);
    }
    sqlite3_reset(ask);
    return err;
}

hyi_sqlite_machine *hyi_sqlite_machine_at(const hyi_sqlite *self, uint32_t number) {
    for (uint32_t i = 0; i < self->machine_count; i++) {
        if (self->machines[i]->number == number) return self->machines[i];
    }
    return NULL;
}

void hyi_sqlite_machine_free(hyi_sqlite *self, hyi_sqlite_machine *machine) {
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        hyi_sqlite_table_forget(&machine->tables[i]);
    }
    hyi_latest_deinit(&machine->latest);
    hy_arena_deinit(&machine->arena);
    hy_mem_free(self->mem, machine, sizeof *machine);
}

hy_err hyi_sqlite_machine_new(hyi_sqlite *self, uint32_t number, const hyi_description *description,
                              hyi_sqlite_machine **out_machine, hy_why *why) {
    hyi_sqlite_machine *machine = hy_mem_alloc_zero(self->mem, sizeof *machine);
    if (machine == NULL) return HY_NOMEM;
    machine->number = number;
    machine->description = *description;
    hy_arena_init(&machine->arena, self->mem, 0);
    hyi_latest_init(&machine->latest, self->mem, description->tables);
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS && err == HY_OK; i++) {
        const hy_table *table = description->tables[i];
        if (table == NULL) continue;
        err = hyi_sqlite_table_make(&machine->arena, table, &machine->tables[i], why);
    }
    if (err != HY_OK) {
        hyi_sqlite_machine_free(self, machine);
        return err;
    }
    *out_machine = machine;
    return HY_OK;
}
