// sqlite_load.c - from the tables and the journal's tail into an empty state.
//
// One pass over each table, one struct on the way, no allocation a row: text is borrowed from
// SQLite's page until the state has copied it. Three checks stand behind each other: the row's CRC,
// the digest of all rows at the checkpoint, and the digest in every entry of the tail.
//
// After an append with an unknown outcome this is where it becomes known: the connection is new
// then, and what it finds is what every later open will find.
#include "store/sqlite_store.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/why.h"

// With a plan and a statement of its own; an attached machine keeps them for all its instances.
static hy_err load_table(hyi_sqlite *self, hyi_sqlite_table *plan, uint32_t table, uint32_t number,
                         hy_state *state, hy_arena *arena, hy_why *why) {
    hy_err err = HY_OK;
    void *row = hy_arena_alloc(arena, plan->table->row->size);
    if (row == NULL) return HY_NOMEM;
    if (plan->walk == NULL) {
        err = hyi_sqlite_table_walk(self, plan, number, &plan->walk, why);
    } else {
        sqlite3_bind_int64(plan->walk, 1, number);
    }
    while (err == HY_OK) {
        err = hyi_sqlite_table_next(self, plan, plan->walk, arena, row, why);
        if (err == HY_OK) err = hy_state_load_row(state, table, row, why);
    }
    sqlite3_reset(plan->walk);
    return err == HY_END ? HY_OK : err;
}

static hy_err load_unattached(hyi_sqlite *self, const hy_table *described, uint32_t table,
                              uint32_t number, hy_state *state, hy_arena *arena, hy_why *why) {
    hyi_sqlite_table plan = { 0 };
    hy_err err = hyi_sqlite_table_make(arena, described, &plan, why);
    if (err == HY_OK) err = load_table(self, &plan, table, number, state, arena, why);
    hyi_sqlite_table_forget(&plan);
    return err;
}

hy_err hyi_sqlite_load_rows(hyi_sqlite *self, uint32_t number, hy_state *state, hy_why *why) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena;
    hy_arena_init(&arena, self->mem, 0);
    const hyi_sqlite_instance *instance = hyi_sqlite_instance_find(self, number);
    hyi_sqlite_machine *machine = instance != NULL ? instance->machine : NULL;
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        const hy_table *table = hy_machine_table(hy_state_machine(state), i);
        if (table == NULL) continue;
        hy_arena_reset(&arena);
        bool is_known = machine != NULL && machine->description.tables[i] == table;
        hy_err err = is_known ? load_table(self, &machine->tables[i], i, number, state, &arena, why)
                              : load_unattached(self, table, i, number, state, &arena, why);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// `inner` says what a frame or an entry had; the place is the journal's.
static hy_err load_damaged(uint32_t machine, uint64_t seq, const hy_why *inner, hy_why *why) {
    char place[64];
    sqlite3_snprintf(sizeof place, place, "hy_journal(%u), after seq %llu", machine,
                     (unsigned long long)seq);
    return hyi_why_fmt(why, HY_CORRUPT, place, "the journal is damaged (%s): restore a copy",
                       inner->text);
}

static hy_err load_tail(hyi_sqlite *self, uint32_t machine, hy_state *state, hy_why *why) {
    hy_journal_cursor *cursor = NULL;
    uint64_t after = hy_state_seq(state);
    hy_err err = hyi_sqlite_journal_open(&self->base.port, machine, after + 1, &cursor, why);
    while (err == HY_OK) {
        hy_batch batch;
        err = hyi_sqlite_journal_next(cursor, &batch, why);
        if (err != HY_OK) break;
        hy_why inner = { 0 };
        err = hyi_batch_load(&batch, after, state, &inner);
        if (err == HY_CORRUPT) {
            err = load_damaged(machine, hy_state_seq(state), &inner, why);
        } else if (err == HY_OK && hy_state_seq(state) != batch.last_seq) {
            inner = (hy_why){ .text = "entries are missing" };
            err = load_damaged(machine, hy_state_seq(state), &inner, why);
        } else if (err != HY_OK && why != NULL) {
            *why = inner;
        }
    }
    hyi_sqlite_journal_close(cursor);
    return err == HY_END ? HY_OK : err;
}

static hy_err load_stored(hyi_sqlite *self, uint32_t number, hy_state *state, hy_why *why) {
    hyi_sqlite_mark checkpoint;
    hy_err err = hyi_sqlite_run_text(self, "BEGIN", why); // one moment for all reads
    if (err != HY_OK) return err;
    err = hyi_sqlite_checkpoint_read(self, number, &checkpoint, why);
    if (err == HY_OK) err = hyi_sqlite_load_rows(self, number, state, why);
    if (err == HY_OK) {
        err = hy_state_loaded(state, checkpoint.seq, checkpoint.digest, checkpoint.chain, why);
    }
    if (err == HY_OK) err = load_tail(self, number, state, why);
    hyi_sqlite_rollback(self);
    return err;
}

hy_err hyi_sqlite_load(hy_store *store, uint32_t number, hy_state *state, hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    hyi_sqlite_instance *instance = hyi_sqlite_instance_find(self, number);
    hy_err err = hyi_sqlite_relink(self, why); // may find out that it is stored after all
    if (err == HY_OK && instance != NULL && !instance->stored) {
        const hyi_sqlite_mark *empty = &instance->machine->empty;
        err = hy_state_loaded(state, 0, empty->digest, empty->chain, why);
    } else if (err == HY_OK) {
        err = load_stored(self, number, state, why);
    }
    if (err == HY_OK && instance != NULL) instance->doubt = false;
    return hyi_sqlite_told(err, why);
}
