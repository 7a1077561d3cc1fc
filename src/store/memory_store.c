// memory_store.c - the memory driver: everything a store promises, except that it outlives the
// process.
//
// Tests and simulations run on it, so it keeps the promises of the port to the letter: it copies
// what it is given, an append is all or nothing, an unknown outcome stays unknown until the machine
// is loaded, and machines evolve as on disk. The journal is kept whole; `base` rows are brought
// forward only when the journal since then has outgrown them (memory_settle), so loading stays
// linear.
//
// Invariant: base rows plus the entries after base_seq give the state; digest and chain of base are
// those of a state that holds exactly the base rows.
#include <hypha/store.h>

#include "base/memory.h"
#include "base/why.h"
#include "store/convert.h"
#include "store/latest.h"
#include "store/memory_disk.h"

typedef struct memory_store {
    hyi_store base;
    hy_mem *mem;
    hy_store_disk *disk;
    hy_store_disk *own_disk; // the same, if nobody gave one
} memory_store;

static hyi_memory_machine *memory_at(hy_store *store, uint32_t number) {
    hy_store_disk *disk = ((memory_store *)store)->disk;
    HY_ASSERT(number >= 1 && number <= disk->machine_count);
    return disk->machines[number - 1];
}

// ---- append -------------------------------------------------------------------------------------

static hy_commit memory_refuse(hy_why *why, hy_err err, const char *text) {
    (void)hy_why_set(why, err, "memory", text);
    return HY_COMMIT_REFUSED;
}

static uint8_t *memory_copy(hy_mem *mem, hy_bytes bytes) {
    uint8_t *copy = hy_mem_alloc(mem, bytes.len);
    if (copy != NULL) memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

// Copies all bodies and makes room, so that what follows cannot fail. False: HY_NOMEM, nothing
// held.
static bool memory_prepare(memory_store *self, const hy_batch *batches, size_t count,
                           uint8_t **bodies) {
    bool ok = true;
    size_t made = 0;
    for (; made < count && ok; made++) {
        hyi_memory_machine *machine = memory_at(&self->base.port, batches[made].machine);
        bodies[made] = memory_copy(self->disk->mem, batches[made].body);
        ok = bodies[made] != NULL && hyi_memory_reserve(self->disk, machine, count) == HY_OK;
    }
    for (size_t i = 0; i < made && !ok; i++) {
        hy_mem_free(self->disk->mem, bodies[i], batches[i].body.len);
    }
    return ok;
}

static void memory_keep(memory_store *self, const hy_batch *batches, size_t count,
                        uint8_t **bodies) {
    for (size_t i = 0; i < count; i++) {
        const hy_batch *batch = &batches[i];
        hyi_memory_machine *machine = memory_at(&self->base.port, batch->machine);
        machine->batches[machine->batch_count++] =
            (hyi_memory_batch){ batch->first_seq, batch->last_seq, batch->entry_count, bodies[i],
                                batch->body.len };
        machine->entries_since_base += batch->entry_count;
        self->disk->journal_bytes += batch->body.len;
    }
}

// Whether an append may begin at all, apart from memory.
static hy_commit memory_allows(memory_store *self, const hy_batch *batches, size_t count,
                               hy_why *why) {
    const hy_store_disk_faults *faults = &self->disk->faults;
    uint64_t bytes = self->disk->journal_bytes;
    for (size_t i = 0; i < count; i++) {
        hyi_memory_machine *machine = memory_at(&self->base.port, batches[i].machine);
        if (machine->doubt) {
            return memory_refuse(why, HY_OUTCOME_UNKNOWN,
                                 "the outcome of an earlier append is unknown: load first");
        }
        HY_ASSERT(batches[i].entry_count > 0 && batches[i].body.len > 0);
        HY_ASSERT(batches[i].first_seq > hyi_memory_last_seq(machine));
        bytes += batches[i].body.len;
    }
    uint64_t number = ++self->disk->append_count;
    if (faults->bytes_max != 0 && bytes > faults->bytes_max) {
        return memory_refuse(why, HY_DISK_FULL, "the disk is full: free some space");
    }
    if (number == faults->refuse_at) return memory_refuse(why, HY_IO, "the device failed");
    return HY_COMMITTED;
}

static hy_commit memory_append(hy_store *store, const hy_batch *batches, size_t count,
                               hy_why *why) {
    memory_store *self = (memory_store *)store;
    if (count == 0) return HY_COMMITTED;
    hy_commit allowed = memory_allows(self, batches, count, why);
    if (allowed != HY_COMMITTED) return allowed;

    const hy_store_disk_faults *faults = &self->disk->faults;
    uint64_t number = self->disk->append_count;
    bool lost = number == faults->unknown_lost_at, kept = number == faults->unknown_kept_at;
    if (!lost) {
        uint8_t **bodies = hy_mem_alloc_zero(self->mem, count * sizeof *bodies);
        bool ok = bodies != NULL && memory_prepare(self, batches, count, bodies);
        if (ok) memory_keep(self, batches, count, bodies);
        hy_mem_free(self->mem, bodies, bodies == NULL ? 0 : count * sizeof *bodies);
        if (!ok) return memory_refuse(why, HY_NOMEM, "no memory");
    }
    if (!lost && !kept) return HY_COMMITTED;
    for (size_t i = 0; i < count; i++) {
        memory_at(store, batches[i].machine)->doubt = true;
    }
    (void)hy_why_set(why, HY_OUTCOME_UNKNOWN, "memory", "the device failed while it was writing");
    return HY_COMMIT_UNKNOWN;
}

// ---- rows as of a point -------------------------------------------------------------------------

// Takes all base rows and all later entries into `latest`, and the numbers of the last entry.
static hy_err memory_gather(const hyi_memory_machine *machine, hyi_latest *latest, hyi_skim *last,
                            hy_why *why) {
    hy_bytes rest = hy_buf_bytes(&machine->rows);
    hyi_skim_row row = { 0 };
    hy_err err = HY_OK;
    while (err == HY_OK && hyi_memory_row_next(&rest, &row.table, &row.row)) {
        err = hyi_latest_put(latest, &row, why);
    }
    for (uint32_t i = 0; i < machine->batch_count && err == HY_OK; i++) {
        const hyi_memory_batch *batch = &machine->batches[i];
        if (batch->last_seq <= machine->base_seq) continue;
        hy_bytes frames = { batch->body, batch->len }, entry;
        while (err == HY_OK && (err = hy_frame_next(&frames, &entry, why)) == HY_OK) {
            err = hyi_skim_entry(entry, last, why);
            if (err == HY_OK) err = hyi_latest_add(latest, last, why);
        }
        if (err == HY_END) err = HY_OK;
    }
    return err;
}

// Brings the base rows up to the last entry.
static hy_err memory_settle(hyi_memory_machine *machine, const hyi_description *description,
                            hy_mem *mem, hy_why *why) {
    if (machine->entries_since_base == 0) return HY_OK;
    hyi_latest latest;
    hyi_latest_init(&latest, mem, description->tables);
    hyi_skim last = { 0 };
    hy_buf rows;
    hy_buf_init(&rows, machine->rows.mem, 0);
    hy_err err = memory_gather(machine, &latest, &last, why);
    uint64_t row_count = 0;
    for (uint32_t i = 0; i < latest.count && err == HY_OK; i++) {
        if (latest.rows[i].gone) continue;
        hyi_memory_row_add(&rows, latest.rows[i].table, latest.rows[i].row);
        row_count++;
    }
    hyi_latest_deinit(&latest);
    if (err == HY_OK) err = rows.failed;
    if (err != HY_OK) {
        hy_buf_deinit(&rows);
        return err;
    }
    hy_buf_deinit(&machine->rows);
    machine->rows = rows;
    machine->row_count = row_count;
    machine->base_seq = last.seq;
    machine->base_digest = last.digest;
    machine->base_chain = last.chain;
    machine->entries_since_base = 0;
    return HY_OK;
}

// The same for a caller that has no description at hand.
static hy_err memory_settle_alone(hyi_memory_machine *machine, hy_mem *mem, hy_why *why) {
    if (machine->entries_since_base == 0) return HY_OK;
    hy_arena arena;
    hy_arena_init(&arena, mem, 0);
    hyi_description description;
    hy_bytes described = hy_buf_bytes(&hyi_memory_described(machine)->description);
    hy_err err = hyi_description_decode(described, &arena, &description, why);
    if (err == HY_OK) err = memory_settle(machine, &description, mem, why);
    hy_arena_deinit(&arena);
    return err;
}

static uint64_t memory_count(const hy_state *state) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        bool is = hy_machine_table(hy_state_machine(state), i) != NULL;
        if (is) count += hy_row_count(hy_state_view(state), i);
    }
    return count;
}

// HY_SCHEMA if two rows have one key, which only a migration can make.
static hy_err memory_load_rows(hy_bytes rows, hy_state *state, hy_mem *mem, hy_why *why) {
    hy_arena arena;
    hy_arena_init(&arena, mem, 0);
    hy_err err = HY_OK;
    uint32_t number;
    uint64_t count = 0;
    hy_bytes wire;
    for (; err == HY_OK && hyi_memory_row_next(&rows, &number, &wire); count++) {
        const hy_table *table = hy_machine_table(hy_state_machine(state), number);
        HY_ASSERT(table != NULL); // attach has seen to it
        hy_arena_reset(&arena);
        void *row = hy_arena_alloc(&arena, table->row->size);
        err = row == NULL ? HY_NOMEM : hy_wire_decode(table->row, wire, &arena, row, why);
        if (err == HY_OK) err = hy_state_load_row(state, number, row, why);
    }
    hy_arena_deinit(&arena);
    if (err != HY_OK || memory_count(state) == count) return err;
    return hy_why_set(why, HY_SCHEMA, hy_state_machine(state)->name,
                      "two rows have the same key after the migration");
}

static hy_err memory_load(hy_store *store, uint32_t number, hy_state *state, hy_why *why) {
    hyi_memory_machine *machine = memory_at(store, number);
    hy_mem *mem = ((memory_store *)store)->mem;
    hy_err err = memory_load_rows(hy_buf_bytes(&machine->rows), state, mem, why);
    if (err == HY_OK) {
        err = hy_state_loaded(state, machine->base_seq, machine->base_digest, machine->base_chain,
                              why);
    }
    for (uint32_t i = 0; i < machine->batch_count && err == HY_OK; i++) {
        const hyi_memory_batch *from = &machine->batches[i];
        hy_batch batch = {
            number, from->entry_count, from->first_seq, from->last_seq, { from->body, from->len }
        };
        err = hyi_batch_load(&batch, machine->base_seq, state, why);
    }
    if (err == HY_OK) machine->doubt = false;
    return err;
}

// Worth it once the journal since the base is longer than the base: then every entry is moved once
// on average, however long the store lives.
static hy_err memory_checkpoint(hy_store *store, hy_why *why) {
    memory_store *self = (memory_store *)store;
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < self->disk->machine_count && err == HY_OK; i++) {
        hyi_memory_machine *machine = self->disk->machines[i];
        if (machine->entries_since_base <= machine->row_count) continue;
        err = memory_settle_alone(machine, self->mem, why);
    }
    return err;
}

// ---- attach -------------------------------------------------------------------------------------

// Digest and chain of a state that holds `rows`; the chain of an empty one is what it starts with.
static hy_err memory_digest(const hy_machine *machine, hy_bytes rows, hy_mem *mem,
                            uint64_t *out_digest, uint64_t *out_chain, hy_why *why) {
    hy_state *state = NULL;
    hy_err err = hy_state_new(mem, machine, NULL, &state, why);
    if (err == HY_OK) err = memory_load_rows(rows, state, mem, why);
    if (err == HY_OK) {
        *out_digest = hy_state_digest(state);
        *out_chain = hy_state_chain(state);
    }
    hy_state_free(state);
    return err;
}

// What a new instance of the machine begins with.
static hy_err memory_find_empty(memory_store *self, hyi_memory_machine *stored,
                                const hy_machine *machine, hy_why *why) {
    return memory_digest(machine, (hy_bytes){ 0 }, self->mem, &stored->empty_digest,
                         &stored->empty_chain, why);
}

static hy_err memory_attach_new(memory_store *self, const hy_machine *machine,
                                const hy_buf *description, hy_why *why) {
    hyi_memory_machine *made;
    hy_err err = hyi_memory_machine_add(self->disk, &made);
    if (err != HY_OK) return err;
    hy_buf_add(&made->description, description->ptr, description->len);
    err = made->description.failed;
    if (err == HY_OK) err = memory_find_empty(self, made, machine, why);
    made->base_digest = made->empty_digest;
    made->base_chain = made->empty_chain;
    if (err != HY_OK) hyi_memory_machine_drop_last(self->disk);
    return err;
}

// One row as the new machine has it, or nothing if its migration drops it.
static hy_err memory_convert_row(const hyi_conversion *conversion, hy_bytes wire, hy_arena *arena,
                                 hy_buf *rows, hy_buf *scratch, hy_why *why) {
    const hy_record *record = conversion->to->row;
    void *row = hy_arena_alloc(arena, record->size);
    if (row == NULL) return HY_NOMEM;
    hy_err err = hyi_convert_row(conversion, wire, arena, row, why);
    if (err == HY_END) return HY_OK;
    if (err != HY_OK) return err;
    hy_buf_clear(scratch);
    err = hy_wire_encode(record, row, scratch);
    if (err == HY_OK) hyi_memory_row_add(rows, conversion->table, hy_buf_bytes(scratch));
    return err == HY_OK ? rows->failed : err;
}

static hy_err memory_convert(const hyi_memory_machine *stored, const hyi_description *before,
                             const hy_machine *machine, hy_mem *mem, hy_buf *rows, hy_why *why) {
    hy_arena arena;
    hy_arena_init(&arena, mem, 0);
    hy_buf scratch;
    hy_buf_init(&scratch, mem, 0);
    hy_bytes rest = hy_buf_bytes(&stored->rows), wire;
    uint32_t table;
    hy_err err = HY_OK;
    while (err == HY_OK && hyi_memory_row_next(&rest, &table, &wire)) {
        hyi_conversion conversion;
        bool converts = hyi_conversion_plan(before, machine, table, &conversion);
        hy_arena_reset(&arena);
        if (converts && conversion.rewrites) {
            err = memory_convert_row(&conversion, wire, &arena, rows, &scratch, why);
        } else {
            hyi_memory_row_add(rows, table, wire);
            err = rows->failed;
        }
    }
    hy_buf_deinit(&scratch);
    hy_arena_deinit(&arena);
    return err;
}

// What one instance becomes.
typedef struct memory_change {
    hyi_memory_machine *stored;
    hy_buf rows;
    uint64_t digest;
} memory_change;

static hy_err memory_change_make(memory_store *self, memory_change *change,
                                 const hyi_description *before, const hy_machine *machine,
                                 hy_why *why) {
    uint64_t chain;
    hy_err err = memory_settle(change->stored, before, self->mem, why);
    if (err == HY_OK) {
        err = memory_convert(change->stored, before, machine, self->mem, &change->rows, why);
    }
    if (err != HY_OK) return err;
    return memory_digest(machine, hy_buf_bytes(&change->rows), self->mem, &change->digest, &chain,
                         why);
}

// The machine and all its instances, each beside what is stored of it.
static hy_err memory_changes_make(memory_store *self, hyi_memory_machine *stored,
                                  const hy_machine *machine, hy_arena *arena,
                                  memory_change **out_changes, size_t *out_count, hy_why *why) {
    const hy_store_disk *disk = self->disk;
    hyi_description before;
    memory_change *changes = hy_arena_alloc(arena, disk->machine_count * sizeof *changes);
    if (changes == NULL) return HY_NOMEM;
    *out_changes = changes;
    hy_err err = hyi_description_decode(hy_buf_bytes(&stored->description), arena, &before, why);
    if (err == HY_OK) err = hyi_description_check(&before, machine, why);
    for (uint32_t i = 0; i < disk->machine_count && err == HY_OK; i++) {
        hyi_memory_machine *one = disk->machines[i];
        if (hyi_memory_described(one) != stored) continue;
        memory_change *change = &changes[(*out_count)++];
        *change = (memory_change){ .stored = one };
        hy_buf_init(&change->rows, disk->mem, 0);
        err = memory_change_make(self, change, &before, machine, why);
    }
    return err;
}

// All or nothing: everything is made beside what is stored, and put in its place when it is whole.
static hy_err memory_evolve(memory_store *self, hyi_memory_machine *stored,
                            const hy_machine *machine, hy_buf *description, hy_why *why) {
    hy_arena arena;
    hy_arena_init(&arena, self->mem, 0);
    memory_change *changes = NULL;
    size_t count = 0;
    hy_err err = memory_changes_make(self, stored, machine, &arena, &changes, &count, why);
    if (err == HY_OK) err = memory_find_empty(self, stored, machine, why);
    for (size_t i = 0; i < count; i++) {
        hyi_memory_machine *one = changes[i].stored;
        if (err == HY_OK) {
            hy_buf was = one->rows;
            one->rows = changes[i].rows;
            changes[i].rows = was;
            one->base_digest = changes[i].digest;
            if (!hyi_memory_is_stored(one)) one->base_chain = stored->empty_chain;
        }
        hy_buf_deinit(&changes[i].rows);
    }
    if (err == HY_OK) {
        hy_buf old = stored->description;
        stored->description = *description;
        *description = old;
    }
    hy_arena_deinit(&arena);
    return err;
}

static uint32_t memory_find(memory_store *self, const char *name, hy_arena *arena,
                            hy_err *out_err) {
    for (uint32_t i = 0; i < self->disk->machine_count; i++) {
        hyi_description one;
        if (self->disk->machines[i]->of != NULL) continue;
        hy_bytes bytes = hy_buf_bytes(&self->disk->machines[i]->description);
        *out_err = hyi_description_decode(bytes, arena, &one, NULL);
        if (*out_err != HY_OK) return 0;
        if (hy_bytes_equal(hy_bytes_of(one.machine->name), hy_bytes_of(name))) return i + 1;
    }
    return 0;
}

static hy_err memory_attach_known(memory_store *self, const hy_machine *machine,
                                  hy_buf *description, uint32_t *out_number, hy_why *why) {
    hy_arena arena;
    hy_arena_init(&arena, self->mem, 0);
    hy_err err = HY_OK;
    uint32_t number = memory_find(self, machine->name, &arena, &err);
    hy_arena_deinit(&arena);
    if (err != HY_OK) return err;
    if (number == 0) {
        err = memory_attach_new(self, machine, description, why);
        number = self->disk->machine_count;
    } else {
        hyi_memory_machine *stored = self->disk->machines[number - 1];
        hy_bytes was = hy_buf_bytes(&stored->description), is = hy_buf_bytes(description);
        if (!hy_bytes_equal(was, is)) err = memory_evolve(self, stored, machine, description, why);
    }
    if (err == HY_OK) *out_number = number;
    return err;
}

static hy_err memory_attach(hy_store *store, const hy_machine *machine, uint32_t *out_number,
                            hy_why *why) {
    memory_store *self = (memory_store *)store;
    hy_err err = hy_machine_check(machine, why);
    if (err != HY_OK) return err;
    hyi_description description;
    hyi_describe(machine, &description);
    hy_buf encoded;
    hy_buf_init(&encoded, self->disk->mem, 0); // it may stay on the disk
    err = hyi_description_encode(&description, &encoded);
    if (err == HY_OK) err = memory_attach_known(self, machine, &encoded, out_number, why);
    hy_buf_deinit(&encoded);
    return err;
}

// ---- instances ----------------------------------------------------------------------------------

// The number of an instance, or 0.
static uint32_t memory_instance_find(const memory_store *self, const hyi_memory_machine *of,
                                     hy_bytes key) {
    for (uint32_t i = 0; i < self->disk->machine_count; i++) {
        const hyi_memory_machine *one = self->disk->machines[i];
        if (one->of == of && hy_bytes_equal(hy_buf_bytes(&one->key), key)) return i + 1;
    }
    return 0;
}

static hy_err memory_instance(hy_store *store, uint32_t machine, hy_bytes key, uint32_t *out_number,
                              hy_why *why) {
    memory_store *self = (memory_store *)store;
    hyi_memory_machine *of = memory_at(store, machine), *made = NULL;
    hy_err err = hyi_instance_key_check(key, why);
    if (err != HY_OK) return err;
    uint32_t number = key.len == 0 ? machine : memory_instance_find(self, of, key);
    if (number == 0) {
        err = hyi_memory_machine_add(self->disk, &made);
        if (err != HY_OK) return err;
        hy_buf_add(&made->key, key.ptr, key.len);
        if (made->key.failed != HY_OK) {
            hyi_memory_machine_drop_last(self->disk);
            return HY_NOMEM;
        }
        made->of = of;
        made->base_digest = of->empty_digest;
        made->base_chain = of->empty_chain;
        number = self->disk->machine_count;
    }
    *out_number = number;
    return HY_OK;
}

// Whether a machine's rows hold one of the ledger, or its journal what no row shows yet.
static bool memory_owes(const hyi_memory_machine *machine) {
    hy_bytes rest = hy_buf_bytes(&machine->rows), wire;
    uint32_t table;
    if (machine->entries_since_base > 0) return true;
    while (hyi_memory_row_next(&rest, &table, &wire)) {
        if (table == HY_LEDGER) return true;
    }
    return false;
}

static hy_err memory_owing(hy_store *store, uint32_t machine, hy_bytes after, hy_buf *out_key,
                           hy_why *why) {
    (void)why;
    const hy_store_disk *disk = ((memory_store *)store)->disk;
    const hyi_memory_machine *of = memory_at(store, machine), *first = NULL;
    for (uint32_t i = 0; i < disk->machine_count; i++) {
        const hyi_memory_machine *one = disk->machines[i];
        hy_bytes key = hy_buf_bytes(&one->key);
        if (one->of != of || hy_bytes_compare(key, after) <= 0 || !memory_owes(one)) continue;
        if (first == NULL || hy_bytes_compare(key, hy_buf_bytes(&first->key)) < 0) first = one;
    }
    if (first == NULL) return HY_END;
    hy_buf_add(out_key, first->key.ptr, first->key.len);
    return out_key->failed;
}

// ---- the journal --------------------------------------------------------------------------------

typedef struct memory_cursor {
    hy_journal_cursor base;
    uint32_t machine, next; // batch
    uint64_t from_seq;
} memory_cursor;

static hy_err memory_journal_open(hy_store *store, uint32_t machine, uint64_t from_seq,
                                  hy_journal_cursor **out_cursor, hy_why *why) {
    (void)why;
    memory_cursor *cursor = hy_mem_alloc_zero(((memory_store *)store)->mem, sizeof *cursor);
    if (cursor == NULL) return HY_NOMEM;
    *cursor = (memory_cursor){ .base.store = store, .machine = machine, .from_seq = from_seq };
    *out_cursor = &cursor->base;
    return HY_OK;
}

static hy_err memory_journal_next(hy_journal_cursor *base, hy_batch *out_batch, hy_why *why) {
    memory_cursor *cursor = (memory_cursor *)base;
    const hyi_memory_machine *machine = memory_at(base->store, cursor->machine);
    while (cursor->next < machine->batch_count &&
           machine->batches[cursor->next].last_seq < cursor->from_seq) {
        cursor->next++;
    }
    if (cursor->next == machine->batch_count) return HY_END;
    const hyi_memory_batch *from = &machine->batches[cursor->next++];
    *out_batch = (hy_batch){ cursor->machine,
                             from->entry_count,
                             from->first_seq,
                             from->last_seq,
                             { from->body, from->len } };
    return hyi_batch_from(out_batch, cursor->from_seq, why);
}

static void memory_journal_close(hy_journal_cursor *cursor) {
    if (cursor == NULL) return;
    hy_mem_free(((memory_store *)cursor->store)->mem, cursor, sizeof(memory_cursor));
}

// ---- looking inside -----------------------------------------------------------------------------

static hy_err memory_look(const hyi_memory_machine *from, hy_arena *arena, hy_store_machine *to,
                          hy_why *why) {
    hyi_description description;
    hy_bytes described = hy_buf_bytes(&hyi_memory_described(from)->description);
    hy_err err = hyi_description_decode(described, arena, &description, why);
    if (err != HY_OK) return err;
    to->described = description.machine;
    to->checkpoint_seq = from->base_seq;
    to->checkpoint_digest = from->base_digest;
    to->checkpoint_chain = from->base_chain;
    to->batch_count = from->batch_count;
    for (uint32_t i = 0; i < from->batch_count; i++) {
        to->entry_count += from->batches[i].entry_count;
        to->journal_bytes += from->batches[i].len;
    }
    if (from->batch_count > 0) {
        to->first_seq = from->batches[0].first_seq;
        to->last_seq = hyi_memory_last_seq(from);
    }
    return HY_OK;
}

static uint64_t memory_instance_count(const hy_store_disk *disk, const hyi_memory_machine *of) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < disk->machine_count; i++) {
        const hyi_memory_machine *one = disk->machines[i];
        count += one->of == of && hyi_memory_is_stored(one);
    }
    return count;
}

static hy_err memory_machines(hy_store *store, hy_arena *arena,
                              const hy_store_machine **out_machines, size_t *out_count,
                              hy_why *why) {
    const hy_store_disk *disk = ((memory_store *)store)->disk;
    size_t size = (disk->machine_count + 1) * sizeof(hy_store_machine);
    hy_store_machine *machines = hy_arena_alloc(arena, size);
    if (machines == NULL) return HY_NOMEM;
    memset(machines, 0, size);
    size_t count = 0;
    for (uint32_t i = 0; i < disk->machine_count; i++) {
        if (disk->machines[i]->of != NULL) continue;
        hy_store_machine *to = &machines[count++];
        to->number = i + 1;
        to->instance_count = memory_instance_count(disk, disk->machines[i]);
        hy_err err = memory_look(disk->machines[i], arena, to, why);
        if (err != HY_OK) return err;
    }
    *out_machines = machines;
    *out_count = count;
    return HY_OK;
}

static hy_err memory_look_instance(hy_store *store, uint32_t number, hy_arena *arena,
                                   hy_store_machine *out_instance, hy_why *why) {
    const hyi_memory_machine *from = memory_at(store, number);
    hy_store_machine to = { .number = number };
    bool ok = true;
    to.key = hy_arena_copy(arena, hy_buf_bytes(&from->key), &ok);
    hy_err err = ok ? memory_look(from, arena, &to, why) : HY_NOMEM;
    if (err == HY_OK) *out_instance = to;
    return err;
}

static hy_err memory_instance_next(hy_store *store, uint32_t machine, hy_bytes after,
                                   hy_arena *arena, hy_store_machine *out_instance, hy_why *why) {
    const hy_store_disk *disk = ((memory_store *)store)->disk;
    const hyi_memory_machine *of = memory_at(store, machine);
    uint32_t number = 0;
    for (uint32_t i = 0; i < disk->machine_count; i++) {
        const hyi_memory_machine *one = disk->machines[i];
        hy_bytes key = hy_buf_bytes(&one->key);
        if (one->of != of || !hyi_memory_is_stored(one)) continue;
        if (hy_bytes_compare(key, after) <= 0) continue;
        if (number != 0 &&
            hy_bytes_compare(key, hy_buf_bytes(&disk->machines[number - 1]->key)) >= 0) {
            continue;
        }
        number = i + 1;
    }
    if (number == 0) return HY_END;
    return memory_look_instance(store, number, arena, out_instance, why);
}

static hy_err memory_instance_look(hy_store *store, uint32_t machine, hy_bytes key, hy_arena *arena,
                                   hy_store_machine *out_instance, hy_why *why) {
    uint32_t number = memory_instance_find((memory_store *)store, memory_at(store, machine), key);
    if (number == 0 || !hyi_memory_is_stored(memory_at(store, number))) {
        return hy_why_set(why, HY_NOT_FOUND, "memory", "the store holds no machine of this key");
    }
    return memory_look_instance(store, number, arena, out_instance, why);
}

typedef struct memory_rows {
    hy_store_rows base;
    hy_mem *mem;
    hy_arena kept, row; // the description; the current row
    const hy_table *table;
    uint32_t number;
    hy_bytes rest;
} memory_rows;

static hy_err memory_rows_next(hy_store_rows *base, const void **out_row, hy_why *why) {
    memory_rows *rows = (memory_rows *)base;
    uint32_t number;
    hy_bytes wire;
    do {
        if (!hyi_memory_row_next(&rows->rest, &number, &wire)) return HY_END;
    } while (number != rows->number);
    hy_arena_reset(&rows->row);
    void *row = hy_arena_alloc(&rows->row, rows->table->row->size);
    if (row == NULL) return HY_NOMEM;
    hy_err err = hy_wire_decode(rows->table->row, wire, &rows->row, row, why);
    if (err == HY_OK) *out_row = row;
    return err;
}

static void memory_rows_close(hy_store_rows *base) {
    memory_rows *rows = (memory_rows *)base;
    hy_arena_deinit(&rows->kept);
    hy_arena_deinit(&rows->row);
    hy_mem_free(rows->mem, rows, sizeof *rows);
}

static hy_err memory_rows_begin(memory_rows *rows, hyi_memory_machine *machine, hy_why *why) {
    hyi_description description;
    hy_bytes described = hy_buf_bytes(&hyi_memory_described(machine)->description);
    hy_err err = hyi_description_decode(described, &rows->kept, &description, why);
    if (err == HY_OK) err = memory_settle(machine, &description, rows->mem, why);
    if (err != HY_OK) return err;
    rows->table = rows->number < HY_TABLE_NUMBERS ? description.tables[rows->number] : NULL;
    rows->rest = hy_buf_bytes(&machine->rows);
    if (rows->table != NULL) return HY_OK;
    return hy_why_set(why, HY_NOT_FOUND, "table", "the machine has no table of that number");
}

static hy_err memory_rows_open(hy_store *store, uint32_t machine, uint32_t table,
                               hy_store_rows **out_rows, hy_why *why) {
    hy_mem *mem = ((memory_store *)store)->mem;
    memory_rows *rows = hy_mem_alloc_zero(mem, sizeof *rows);
    if (rows == NULL) return HY_NOMEM;
    *rows = (memory_rows){ { memory_rows_next, memory_rows_close }, .mem = mem, .number = table };
    hy_arena_init(&rows->kept, mem, 0);
    hy_arena_init(&rows->row, mem, 0);
    hy_err err = memory_rows_begin(rows, memory_at(store, machine), why);
    if (err != HY_OK) memory_rows_close(&rows->base);
    if (err == HY_OK) *out_rows = &rows->base;
    return err;
}

static hy_store_recovery memory_recovered(const hy_store *store) {
    (void)store;
    return (hy_store_recovery){ 0 };
}

// ---- opening and closing ------------------------------------------------------------------------

static void memory_close(hy_store *store) {
    memory_store *self = (memory_store *)store;
    for (uint32_t i = 0; i < self->disk->machine_count; i++) {
        self->disk->machines[i]->doubt = false; // the next store loads in any case
    }
    self->disk->in_use = false;
    hy_store_disk_free(self->own_disk);
    hy_mem_free(self->mem, self, sizeof *self);
}

static const hy_store_driver memory_driver = {
    .name = "memory",
    .attach = memory_attach,
    .load = memory_load,
    .append = memory_append,
    .checkpoint = memory_checkpoint,
    .journal_open = memory_journal_open,
    .journal_next = memory_journal_next,
    .journal_close = memory_journal_close,
    .close = memory_close,
    .instance = memory_instance,
    .owing = memory_owing,
};

static const hyi_store_driver memory_more = {
    .recovered = memory_recovered,
    .machines = memory_machines,
    .instance_next = memory_instance_next,
    .instance_look = memory_instance_look,
    .rows_open = memory_rows_open,
};

hy_err hy_store_memory_open(hy_mem *mem, hy_store_disk *disk, hy_store **out_store) {
    if (disk != NULL && disk->in_use) return HY_LOCKED;
    memory_store *self = hy_mem_alloc_zero(mem, sizeof *self);
    if (self == NULL) return HY_NOMEM;
    hy_err err = disk == NULL ? hy_store_disk_new(mem, &self->own_disk) : HY_OK;
    if (err != HY_OK) {
        hy_mem_free(mem, self, sizeof *self);
        return err;
    }
    self->base = (hyi_store){ { &memory_driver }, &memory_more };
    self->mem = mem;
    self->disk = disk == NULL ? self->own_disk : disk;
    self->disk->in_use = true;
    *out_store = &self->base.port;
    return HY_OK;
}
