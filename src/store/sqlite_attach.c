// sqlite_attach.c - making a machine known to a file, and moving its rows when the machine has
// changed.
//
// Three cases. A name that the file does not have: a new number, its tables, an empty checkpoint. A
// machine that is described just as before: nothing is written. One that changed: what is journaled
// is first checkpointed under the old description; then, in one transaction, columns are added or
// rows are rewritten, the digest is computed afresh from a state that holds the new rows, and the
// new description is stored. All instances of the machine change in that one transaction, because
// they share its tables and its description. A crash on the way leaves the old machine whole, and
// the next attach begins again.
#include "store/sqlite_store.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/memory.h"
#include "base/why.h"
#include "store/convert.h"

#define ATTACH_PREFIX "hy_new_" // of tables that are being made

static hy_err attach_reserve(hyi_sqlite *self) {
    if (self->machine_count == self->machine_capacity) {
        uint32_t capacity = self->machine_capacity == 0 ? 4 : 2 * self->machine_capacity;
        size_t size = sizeof self->machines[0];
        hyi_sqlite_machine **machines = self->mem->resize(
            self->mem, self->machines, self->machine_capacity * size, capacity * size);
        if (machines == NULL) return HY_NOMEM;
        self->machines = machines;
        self->machine_capacity = capacity;
    }
    return HY_OK;
}

// Digest and chain of a state with the rows that the tables hold now.
static hy_err attach_digest(hyi_sqlite *self, const hy_machine *machine, uint32_t number,
                            bool has_rows, uint64_t *out_digest, uint64_t *out_chain, hy_why *why) {
    hy_state *state = NULL;
    hy_err err = hy_state_new(self->mem, machine, NULL, &state, why);
    if (err == HY_OK && has_rows) err = hyi_sqlite_load_rows(self, number, state, why);
    if (err == HY_OK) {
        *out_digest = hy_state_digest(state);
        *out_chain = hy_state_chain(state);
    }
    hy_state_free(state);
    return err;
}

static hy_err attach_write(hyi_sqlite *self, const hy_machine *machine, uint32_t number,
                           hy_bytes schema, hy_why *why) {
    hyi_sqlite_known known = { number, machine->version, machine->name, schema };
    return hyi_sqlite_known_write(self, &known, why);
}

hy_err hyi_sqlite_empty(hyi_sqlite *self, hyi_sqlite_machine *machine, hy_why *why) {
    if (machine->has_empty) return HY_OK;
    hy_err err = attach_digest(self, machine->description.machine, machine->number, false,
                               &machine->empty.digest, &machine->empty.chain, why);
    machine->has_empty = err == HY_OK;
    return err;
}

// ---- a new machine ------------------------------------------------------------------------------

static hy_err attach_new(hyi_sqlite *self, hyi_sqlite_machine *machine, hy_bytes schema,
                         hy_why *why) {
    const hy_machine *program = machine->description.machine;
    if (self->options.read_only) {
        return hyi_why_fmt(why, HY_NOT_FOUND, program->name, "%s holds no machine %s", self->path,
                           program->name);
    }
    hy_err err = hyi_sqlite_empty(self, machine, why);
    if (err == HY_OK) err = hyi_sqlite_begin(self, why);
    if (err != HY_OK) return err;
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS && err == HY_OK; i++) {
        if (machine->tables[i].table == NULL) continue;
        err = hyi_sqlite_table_ensure(self, &machine->tables[i], "", why);
    }
    if (err == HY_OK) err = attach_write(self, program, machine->number, schema, why);
    if (err == HY_OK) {
        err = hyi_sqlite_checkpoint_write(self, machine->number, &machine->empty, why);
    }
    return hyi_sqlite_end(self, err, why);
}

// ---- a machine that changed ---------------------------------------------------------------------

// What an evolution works on.
typedef struct attach_change {
    hyi_sqlite *self;
    const hyi_description *before;
    hyi_sqlite_machine *machine;
    uint32_t *numbers; // of all its instances, its own first
    size_t count;
} attach_change;

typedef struct attach_move {
    hyi_sqlite *self;
    const attach_change *change;
    uint32_t number; // whose rows are being moved
    const hyi_conversion *conversion;
    hyi_sqlite_table from, to;
    sqlite3_stmt *rows;
    void *old_row, *new_row;
    hy_arena kept, row; // plans; one row
    hy_buf old_wire;
} attach_move;

static void attach_move_deinit(attach_move *move) {
    sqlite3_finalize(move->rows);
    hyi_sqlite_table_forget(&move->from);
    hyi_sqlite_table_forget(&move->to);
    hy_arena_deinit(&move->kept);
    hy_arena_deinit(&move->row);
    hy_buf_deinit(&move->old_wire);
}

// Reads one old row and writes what has become of it. HY_END after the last.
static hy_err attach_move_row(attach_move *move, hy_why *why) {
    hyi_sqlite *self = move->self;
    const hyi_conversion *conversion = move->conversion;
    hy_arena_reset(&move->row);
    hy_arena_reset(&self->scratch);
    hy_err err =
        hyi_sqlite_table_next(self, &move->from, move->rows, &move->row, move->old_row, why);
    if (err != HY_OK) return err;
    hy_buf_clear(&move->old_wire);
    hy_buf_add(&move->old_wire, self->wire.ptr, self->wire.len);
    if (move->old_wire.failed != HY_OK) return move->old_wire.failed;
    err =
        hyi_convert_row(conversion, hy_buf_bytes(&move->old_wire), &move->row, move->new_row, why);
    if (err == HY_END) return HY_OK; // dropped
    if (err != HY_OK) return err;
    hy_buf_clear(&self->wire);
    err = hy_wire_encode(conversion->to->row, move->new_row, &self->wire);
    if (err != HY_OK) return err;
    return hyi_sqlite_table_put(self, &move->to, move->number, ATTACH_PREFIX, move->new_row,
                                hy_buf_bytes(&self->wire), why);
}

// The rows of one instance. HY_END: all of them.
static hy_err attach_move_instance(attach_move *move, hy_why *why) {
    hy_err err = HY_OK;
    if (move->rows == NULL) {
        err = hyi_sqlite_table_walk(move->self, &move->from, move->number, &move->rows, why);
    } else {
        sqlite3_reset(move->rows);
        sqlite3_bind_int64(move->rows, 1, move->number);
    }
    while (err == HY_OK) {
        err = attach_move_row(move, why);
    }
    return err;
}

static hy_err attach_move_rows(attach_move *move, hy_why *why) {
    hyi_sqlite *self = move->self;
    const hyi_conversion *conversion = move->conversion;
    hy_err err = hyi_sqlite_table_make(&move->kept, conversion->from, &move->from, why);
    if (err == HY_OK) err = hyi_sqlite_table_make(&move->kept, conversion->to, &move->to, why);
    if (err != HY_OK) return err;
    move->old_row = hy_arena_alloc(&move->kept, conversion->from->row->size);
    move->new_row = hy_arena_alloc(&move->kept, conversion->to->row->size);
    if (move->old_row == NULL || move->new_row == NULL) return HY_NOMEM;
    err = hyi_sqlite_table_ensure(self, &move->to, ATTACH_PREFIX, why);
    for (size_t i = 0; i < move->change->count && (err == HY_OK || err == HY_END); i++) {
        move->number = move->change->numbers[i];
        err = attach_move_instance(move, why);
    }
    if (err == HY_END) return HY_OK;
    if ((sqlite3_errcode(self->db) & 0xff) != SQLITE_CONSTRAINT) return err;
    return hyi_why_fmt(why, HY_SCHEMA, conversion->to->name,
                       "two rows of table %s have the same key after the migration",
                       conversion->to->name);
}

// " WHERE [NOT] (machine is ours)": the rows of all instances, or of others.
static void attach_add_whose(hy_buf *sql, const attach_change *change, bool ours) {
    hy_buf_add_text(sql, ours ? " WHERE (machine = " : " WHERE NOT (machine = ");
    hy_buf_add_u64(sql, change->machine->number);
    if (change->self->has_keyed) {
        hy_buf_add_text(sql, " OR machine IN (SELECT number FROM hy_instance WHERE machine = ");
        hy_buf_add_u64(sql, change->machine->number);
        hy_buf_add_text(sql, ")");
    }
    hy_buf_add_text(sql, ")");
}

// Does another machine keep rows in the table?
static hy_err attach_is_shared(const attach_change *change, const char *table, bool *out_shared,
                               hy_why *why) {
    hyi_sqlite *self = change->self;
    sqlite3_stmt *ask = NULL;
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    hy_buf_add_text(&sql, "SELECT 1 FROM ");
    hyi_sqlite_add_name(&sql, "", table);
    attach_add_whose(&sql, change, false);
    hy_buf_add_text(&sql, " LIMIT 1");
    hy_err err = hyi_sqlite_prepare(self, &sql, &ask, why);
    hy_buf_deinit(&sql);
    if (err != HY_OK) return err;
    int rc = sqlite3_step(ask);
    *out_shared = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) err = hyi_sqlite_fail(self, rc, table, why);
    sqlite3_finalize(ask);
    return err;
}

static void attach_add_columns(hy_buf *sql, const hyi_columns *columns) {
    hy_buf_add_text(sql, "machine");
    for (uint32_t i = 0; i < columns->count; i++) {
        hy_buf_add_text(sql, ", ");
        hyi_sqlite_add_name(sql, "", columns->list[i].name);
    }
    hy_buf_add_text(sql, ", row_crc");
}

// Others stay as they are: only this machine's rows are exchanged.
static hy_err attach_exchange_rows(attach_move *move, hy_why *why) {
    hyi_sqlite *self = move->self;
    const char *name = move->to.table->name;
    hy_err err = hyi_sqlite_table_ensure(self, &move->to, "", why);
    if (err != HY_OK) return err;
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    hy_buf_add_text(&sql, "DELETE FROM ");
    hyi_sqlite_add_name(&sql, "", name);
    attach_add_whose(&sql, move->change, true);
    hy_buf_add_text(&sql, "; INSERT INTO ");
    hyi_sqlite_add_name(&sql, "", name);
    hy_buf_add_text(&sql, "(");
    attach_add_columns(&sql, &move->to.columns);
    hy_buf_add_text(&sql, ") SELECT ");
    attach_add_columns(&sql, &move->to.columns);
    hy_buf_add_text(&sql, " FROM ");
    hyi_sqlite_add_name(&sql, ATTACH_PREFIX, name);
    hy_buf_add_text(&sql, "; DROP TABLE ");
    hyi_sqlite_add_name(&sql, ATTACH_PREFIX, name);
    err = hyi_sqlite_run(self, &sql, why);
    hy_buf_deinit(&sql);
    return err;
}

static hy_err attach_exchange_table(attach_move *move, hy_why *why) {
    const char *name = move->to.table->name;
    hy_buf sql;
    hy_buf_init(&sql, move->self->mem, 0);
    hy_buf_add_text(&sql, "DROP TABLE ");
    hyi_sqlite_add_name(&sql, "", name);
    hy_buf_add_text(&sql, "; ALTER TABLE ");
    hyi_sqlite_add_name(&sql, ATTACH_PREFIX, name);
    hy_buf_add_text(&sql, " RENAME TO ");
    hyi_sqlite_add_name(&sql, "", name);
    hy_err err = hyi_sqlite_run(move->self, &sql, why);
    hy_buf_deinit(&sql);
    return err;
}

static hy_err attach_rewrite(const attach_change *change, const hyi_conversion *conversion,
                             hy_why *why) {
    hyi_sqlite *self = change->self;
    HY_CLEANUP(attach_move_deinit)
    attach_move move = { .self = self, .change = change, .conversion = conversion };
    hy_arena_init(&move.kept, self->mem, 0);
    hy_arena_init(&move.row, self->mem, 0);
    hy_buf_init(&move.old_wire, self->mem, 0);
    bool shared = false;
    hy_err err = attach_move_rows(&move, why);
    sqlite3_reset(move.rows); // a table that is being read cannot be dropped
    if (err == HY_OK) err = attach_is_shared(change, conversion->to->name, &shared, why);
    if (err != HY_OK) return err;
    return shared ? attach_exchange_rows(&move, why) : attach_exchange_table(&move, why);
}

// All tables: new ones are made, changed ones get columns or new rows.
static hy_err attach_reshape(const attach_change *change, hy_why *why) {
    hyi_sqlite_machine *machine = change->machine;
    const hy_machine *program = machine->description.machine;
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        if (machine->tables[i].table == NULL) continue;
        hyi_conversion conversion;
        bool converts = hyi_conversion_plan(change->before, program, i, &conversion);
        hy_err err = converts && conversion.rewrites
                         ? attach_rewrite(change, &conversion, why)
                         : hyi_sqlite_table_ensure(change->self, &machine->tables[i], "", why);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// The rows have changed, and so has what says that they are whole.
static hy_err attach_mark(const attach_change *change, uint32_t number, hy_why *why) {
    hyi_sqlite *self = change->self;
    hyi_sqlite_mark checkpoint;
    uint64_t chain; // goes on as it was: it tells of steps, not of rows
    hy_err err = hyi_sqlite_checkpoint_read(self, number, &checkpoint, why);
    if (err == HY_OK) {
        err = attach_digest(self, change->machine->description.machine, number, true,
                            &checkpoint.digest, &chain, why);
    }
    return err == HY_OK ? hyi_sqlite_checkpoint_write(self, number, &checkpoint, why) : err;
}

static hy_err attach_evolve(const attach_change *change, hy_bytes schema, hy_why *why) {
    hyi_sqlite *self = change->self;
    const hyi_sqlite_machine *machine = change->machine;
    hy_err err = hyi_sqlite_begin(self, why);
    if (err != HY_OK) return err;
    err = attach_reshape(change, why);
    for (size_t i = 0; i < change->count && err == HY_OK; i++) {
        err = attach_mark(change, change->numbers[i], why);
    }
    if (err == HY_OK) {
        err = attach_write(self, machine->description.machine, machine->number, schema, why);
    }
    return hyi_sqlite_end(self, err, why);
}

// Everything that is journaled goes into the tables while they still have the old shape.
static hy_err attach_drain(const attach_change *change, hy_why *why) {
    hyi_sqlite_machine *old = NULL;
    hy_err err =
        hyi_sqlite_machine_new(change->self, change->machine->number, change->before, &old, why);
    if (err != HY_OK) return err;
    err = hyi_sqlite_drain(change->self, old, change->numbers, change->count, why);
    hyi_sqlite_machine_free(change->self, old);
    return err;
}

static hy_err attach_changed(hyi_sqlite *self, hyi_sqlite_machine *machine,
                             const hyi_sqlite_known *known, hy_bytes schema, hy_arena *arena,
                             hy_why *why) {
    const hy_machine *program = machine->description.machine;
    hyi_description before;
    hy_err err = hyi_description_decode(known->schema, arena, &before, why);
    if (err == HY_OK) err = hyi_description_check(&before, program, why);
    if (err != HY_OK) return err;
    if (self->options.read_only) {
        return hyi_why_fmt(why, HY_READ_ONLY, program->name,
                           "machine %s was stored by an older program: open the store for writing "
                           "once",
                           program->name);
    }
    attach_change change = { .self = self, .before = &before, .machine = machine };
    err = hyi_sqlite_numbers(self, machine->number, arena, &change.numbers, &change.count, why);
    if (err == HY_OK) err = attach_drain(&change, why);
    return err == HY_OK ? attach_evolve(&change, schema, why) : err;
}

// ---- which of the three -------------------------------------------------------------------------

static hy_err attach_number(const hyi_sqlite_known *known, size_t count, const char *name,
                            const hyi_sqlite_known **out_known, uint32_t *out_number, hy_why *why) {
    uint32_t last = 0;
    *out_known = NULL;
    for (size_t i = 0; i < count; i++) {
        last = known[i].number;
        if (!hy_bytes_equal(hy_bytes_of(known[i].name), hy_bytes_of(name))) continue;
        *out_known = &known[i];
        *out_number = known[i].number;
        return HY_OK;
    }
    *out_number = last + 1;
    if (last < HYI_SQLITE_MACHINES_MAX) return HY_OK;
    return hy_why_set(why, HY_LIMIT, name, "a SQLite store holds at most 32,767 machines");
}

static hy_err attach_begin(hyi_sqlite *self, const hy_machine *program, hy_bytes schema,
                           hy_arena *arena, hyi_sqlite_machine **machine, hy_why *why) {
    hyi_sqlite_known *all = NULL;
    const hyi_sqlite_known *known = NULL;
    size_t count = 0;
    uint32_t number = 0;
    hyi_description description;
    hyi_describe(program, &description);
    hy_err err = hyi_sqlite_known_all(self, arena, &all, &count, why);
    if (err == HY_OK) err = attach_number(all, count, program->name, &known, &number, why);
    if (err != HY_OK) return err;
    HY_ASSERT(hyi_sqlite_machine_at(self, number) == NULL); // attached twice
    err = hyi_sqlite_machine_new(self, number, &description, machine, why);
    if (err != HY_OK) return err;
    if (known == NULL) {
        err = attach_new(self, *machine, schema, why);
    } else if (!hy_bytes_equal(known->schema, schema)) {
        err = attach_changed(self, *machine, known, schema, arena, why);
    }
    return err;
}

// In memory from now on: the machine, and the instance without a key that it has always been.
static hy_err attach_keep(hyi_sqlite *self, hyi_sqlite_machine *machine, hy_why *why) {
    hy_bytes no_key = { 0 };
    hy_err err = attach_reserve(self);
    if (err == HY_OK) {
        err = hyi_sqlite_instance_add(self, machine, machine->number, no_key, true, why);
    }
    if (err == HY_OK) self->machines[self->machine_count++] = machine;
    return err;
}

hy_err hyi_sqlite_attach(hy_store *store, const hy_machine *program, uint32_t *out_number,
                         hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    hyi_sqlite_machine *machine = NULL;
    hy_arena arena;
    hy_buf schema;
    hy_arena_init(&arena, self->mem, 0);
    hy_buf_init(&schema, self->mem, 0);
    hyi_description description;
    hy_err err = hy_machine_check(program, why);
    if (err == HY_OK) err = hyi_sqlite_relink(self, why);
    if (err == HY_OK) {
        hyi_describe(program, &description);
        err = hyi_description_encode(&description, &schema);
    }
    if (err == HY_OK) {
        err = attach_begin(self, program, hy_buf_bytes(&schema), &arena, &machine, why);
    }
    if (err == HY_OK) err = attach_keep(self, machine, why);
    if (err == HY_OK) {
        *out_number = machine->number;
    } else if (machine != NULL) {
        hyi_sqlite_machine_free(self, machine);
    }
    hy_buf_deinit(&schema);
    hy_arena_deinit(&arena);
    return hyi_sqlite_told(err, why);
}
