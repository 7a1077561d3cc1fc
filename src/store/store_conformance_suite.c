// store_conformance_suite.c - see the header. Each test is a sentence about the port.
//
// Tests know a store only through its maker, so the same sentence is tried on every driver. Faults
// that a maker cannot make are left out (a NULL in the maker), never imitated.
#include "store/store_conformance_suite.h"

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"

#define TELLER(name, machine)                                                                      \
    HY_CLEANUP(teller_deinit) teller name = { 0 };                                                 \
    teller_init(&name, maker, (machine), 7)

// Passes HY_NOMEM up from a teller's call; all else must work.
#define MUST(call)                                                                                 \
    do {                                                                                           \
        hy_why must_why = { 0 };                                                                   \
        hy_why *why = &must_why;                                                                   \
        const hy_err must_err = (call);                                                            \
        if (must_err == HY_NOMEM || (must_err != HY_OK && kit_failed_allocation())) {              \
            return HY_NOMEM;                                                                       \
        }                                                                                          \
        if (must_err != HY_OK) {                                                                   \
            kit_fail(__FILE__, __LINE__, "%s: %s at %s: %s", #call, hy_err_name(must_err),         \
                     must_why.place, must_why.text);                                               \
        }                                                                                          \
        (void)why;                                                                                 \
    } while (0)

// The outcome of an append. Where memory was taken away it may be any.
#define OUTCOME(call, expected)                                                                    \
    do {                                                                                           \
        const hy_commit outcome_got = (call);                                                      \
        if (outcome_got != (expected) && kit_failed_allocation()) return HY_NOMEM;                 \
        CHECK_EQ(outcome_got, (expected));                                                         \
    } while (0)

hy_err conform_an_empty_store_gives_an_empty_state(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    CHECK_EQ(hy_state_seq(t.state), 0);
    teller_check_state(&t);
    MUST(t.store->driver->checkpoint(t.store, why));
    CHECK(t.store->driver->append(t.store, NULL, 0, NULL) == HY_COMMITTED);
    return HY_OK;
}

hy_err conform_what_was_committed_is_loaded(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 3, 5));
    uint64_t seq = hy_state_seq(t.state);
    MUST(teller_reload(&t, why));
    CHECK_EQ(hy_state_seq(t.state), seq);
    teller_check_state(&t);
    CHECK_OK(hy_state_check(t.state, NULL));
    return HY_OK;
}

hy_err conform_what_was_committed_outlives_the_store(const store_maker *maker) {
    TELLER(t, &vault_machine);
    for (int round = 0; round < 3; round++) {
        MUST(teller_open(&t, why));
        teller_check_state(&t);
        CHECK_EQ(hy_state_seq(t.state), (uint64_t)round * 8);
        MUST(teller_run(&t, 2, 4));
        teller_close(&t);
    }
    return HY_OK;
}

hy_err conform_a_checkpoint_changes_nothing_that_is_loaded(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    for (int round = 0; round < 4; round++) {
        MUST(teller_run(&t, 1, 6));
        MUST(t.store->driver->checkpoint(t.store, why));
        MUST(teller_reload(&t, why));
        teller_check_state(&t);
        CHECK_EQ(hy_state_seq(t.state), (uint64_t)(round + 1) * 6);
    }
    return HY_OK;
}

hy_err conform_slices_end_anywhere(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 4, 9));
    bool more = true;
    while (more) {
        MUST(hy_store_checkpoint_slice(t.store, &more, why));
        MUST(teller_reload(&t, why));
        teller_check_state(&t);
        CHECK_EQ(hy_state_seq(t.state), 36);
    }
    return HY_OK;
}

hy_err conform_a_refused_batch_leaves_no_trace(const store_maker *maker) {
    if (maker->refuse_next == NULL) return HY_OK;
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 2, 3));
    MUST(teller_step(&t, 3));
    maker->refuse_next(maker->self);
    hy_why said = { 0 };
    OUTCOME(teller_commit(&t, &said), HY_COMMIT_REFUSED);
    CHECK(said.code != HY_OK && said.text[0] != 0);
    maker->heal(maker->self);
    CHECK_EQ(hy_state_seq(t.state), 6);
    teller_check_state(&t);
    MUST(teller_run(&t, 1, 4)); // the place is free again
    teller_close(&t);
    MUST(teller_open(&t, why));
    CHECK_EQ(hy_state_seq(t.state), 10);
    teller_check_state(&t);
    return HY_OK;
}

// Both machines of one store, in one append.
hy_err conform_several_batches_are_all_or_none(const store_maker *maker) {
    TELLER(a, &vault_machine);
    TELLER(b, &vault_other);
    b.seed = 8;
    MUST(teller_open(&a, why));
    b.store = a.store;
    hy_err err = teller_open(&b, NULL);
    b.store = NULL; // one teller closes it
    if (err != HY_OK) return err;
    for (int round = 0; round < 3; round++) {
        MUST(teller_step(&a, 3));
        MUST(teller_step(&b, 5));
        hy_batch both[2] = { a.batch, b.batch };
        both[0].machine = a.number, both[0].body = hy_buf_bytes(&a.frames);
        both[1].machine = b.number, both[1].body = hy_buf_bytes(&b.frames);
        bool refuse = round == 1 && maker->refuse_next != NULL;
        if (refuse) maker->refuse_next(maker->self);
        OUTCOME(a.store->driver->append(a.store, both, 2, NULL),
                refuse ? HY_COMMIT_REFUSED : HY_COMMITTED);
        if (refuse) maker->heal(maker->self);
        uint64_t rounds = (uint64_t)(round + 1) - (round >= 1 && maker->refuse_next != NULL);
        MUST(teller_reload(&a, why));
        b.store = a.store;
        err = teller_reload(&b, NULL);
        b.store = NULL;
        if (err != HY_OK) return err;
        CHECK_EQ(hy_state_seq(a.state), 3 * rounds);
        CHECK_EQ(hy_state_seq(b.state), 5 * rounds);
        teller_check_state(&a);
        teller_check_state(&b);
    }
    return HY_OK;
}

hy_err conform_an_unknown_outcome_is_known_after_load(const store_maker *maker) {
    if (maker->unknown_next == NULL) return HY_OK;
    for (int kept = 0; kept <= 1; kept++) {
        TELLER(t, kept ? &vault_other : &vault_machine);
        MUST(teller_open(&t, why));
        MUST(teller_run(&t, 2, 3));
        MUST(teller_step(&t, 4));
        maker->unknown_next(maker->self, kept);
        OUTCOME(teller_commit(&t, NULL), HY_COMMIT_UNKNOWN);
        maker->heal(maker->self);
        MUST(teller_reload(&t, why));
        uint64_t seq = hy_state_seq(t.state);
        CHECK(seq == 6 || seq == 10); // before or after, never between
        teller_check_state(&t);
        MUST(teller_run(&t, 1, 2));
        teller_close(&t); // what was found is what stays
        MUST(teller_open(&t, why));
        CHECK_EQ(hy_state_seq(t.state), seq + 2);
        teller_check_state(&t);
    }
    return HY_OK;
}

hy_err conform_no_append_before_load_when_unknown(const store_maker *maker) {
    if (maker->unknown_next == NULL) return HY_OK;
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 1, 3));
    MUST(teller_step(&t, 2));
    maker->unknown_next(maker->self, false);
    OUTCOME(teller_commit(&t, NULL), HY_COMMIT_UNKNOWN);
    maker->heal(maker->self);
    hy_why said = { 0 };
    MUST(teller_step(&t, 1));
    OUTCOME(teller_commit(&t, &said), HY_COMMIT_REFUSED);
    CHECK_EQ(said.code, HY_OUTCOME_UNKNOWN);
    MUST(teller_reload(&t, why));
    MUST(teller_run(&t, 1, 1));
    return HY_OK;
}

hy_err conform_a_full_disk_refuses_and_recovers(const store_maker *maker) {
    if (maker->fill_disk == NULL) return HY_OK;
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 2, 3));
    maker->fill_disk(maker->self, true);
    for (int i = 0; i < 3; i++) {
        hy_why said = { 0 };
        MUST(teller_step(&t, 3));
        OUTCOME(teller_commit(&t, &said), HY_COMMIT_REFUSED);
        if (!kit_failed_allocation()) CHECK_EQ(said.code, HY_DISK_FULL);
        teller_check_state(&t);
    }
    maker->fill_disk(maker->self, false);
    MUST(teller_run(&t, 2, 3));
    teller_close(&t);
    MUST(teller_open(&t, why));
    CHECK_EQ(hy_state_seq(t.state), 12);
    teller_check_state(&t);
    return HY_OK;
}

hy_err conform_one_store_at_a_time(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 1, 3));
    hy_store *second = NULL;
    hy_err err = maker->open(maker->self, &second, NULL);
    hy_store_close(second);
    CHECK_ERR(err, HY_LOCKED);
    MUST(teller_run(&t, 1, 3));
    teller_close(&t);
    MUST(teller_open(&t, why)); // the lock went with the store
    teller_check_state(&t);
    return HY_OK;
}

hy_err conform_machines_keep_their_numbers(const store_maker *maker) {
    uint32_t first = 0, second = 0;
    for (int round = 0; round < 2; round++) {
        hy_store *store = NULL;
        uint32_t a = 0, b = 0;
        MUST(maker->open(maker->self, &store, why));
        hy_err err = HY_OK;
        if (round == 0) err = store->driver->attach(store, &vault_machine, &a, NULL);
        if (err == HY_OK) err = store->driver->attach(store, &vault_other, &b, NULL);
        if (err == HY_OK && round == 1) {
            err = store->driver->attach(store, &vault_machine, &a, NULL);
        }
        hy_store_close(store);
        if (err == HY_NOMEM || kit_failed_allocation()) return HY_NOMEM;
        CHECK_OK(err);
        CHECK(a != b && a != 0 && b != 0);
        if (round == 1) {
            CHECK_EQ(a, first);
            CHECK_EQ(b, second);
        }
        first = a, second = b;
    }
    return HY_OK;
}

// ---- the journal --------------------------------------------------------------------------------

// Reads from `from` to the end; every entry must be the next one.
static hy_err conform_read_journal(teller *t, uint64_t from, hy_state *replayed) {
    hy_journal_cursor *cursor = NULL;
    const hy_store_driver *driver = t->store->driver;
    hy_arena arena;
    uint64_t next = from;
    hy_why said = { 0 };
    hy_arena_init(&arena, t->maker->mem, 0);
    hy_err err = driver->journal_open(t->store, t->number, from, &cursor, &said);
    while (err == HY_OK) {
        hy_batch batch;
        hy_bytes bytes;
        err = driver->journal_next(cursor, &batch, &said);
        if (err != HY_OK) break;
        CHECK_EQ(batch.first_seq, next);
        uint32_t count = 0;
        while (err == HY_OK && (err = hy_frame_next(&batch.body, &bytes, &said)) == HY_OK) {
            hy_entry entry;
            hy_arena_reset(&arena);
            err = hy_entry_decode(bytes, &arena, &entry, &said);
            if (err != HY_OK) break;
            CHECK_EQ(entry.seq, next);
            CHECK_EQ(entry.digest, teller_mark_at(t, next).digest);
            if (replayed != NULL) err = hy_state_replay(replayed, &entry, &said);
            next++, count++;
        }
        if (err == HY_END) err = HY_OK;
        if (err == HY_OK) {
            CHECK_EQ(batch.last_seq, next - 1);
            CHECK_EQ(batch.entry_count, count);
        }
    }
    driver->journal_close(cursor);
    hy_arena_deinit(&arena);
    if (err != HY_END) return err;
    CHECK_EQ(next, hy_state_seq(t->state) + 1 > from ? hy_state_seq(t->state) + 1 : from);
    return HY_OK;
}

hy_err conform_the_journal_is_read_from_any_seq(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(conform_read_journal(&t, 1, NULL)); // there is none yet
    MUST(teller_run(&t, 3, 4));
    MUST(t.store->driver->checkpoint(t.store, why));
    MUST(teller_run(&t, 1, 1));
    for (uint64_t from = 1; from <= 15; from++) {
        MUST(conform_read_journal(&t, from, NULL));
    }
    t.store->driver->journal_close(NULL);
    return HY_OK;
}

hy_err conform_the_journal_replays(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 4, 10));
    hy_state *replayed = NULL;
    MUST(hy_state_new(maker->mem, &vault_machine, HY_OPTIONS(hy_state, .record_entries = true),
                      &replayed, why));
    hy_err err = conform_read_journal(&t, 1, replayed);
    if (err == HY_OK) CHECK_EQ(hy_state_digest(replayed), hy_state_digest(t.state));
    hy_state_free(replayed);
    MUST(err);
    return HY_OK;
}

// ---- looking inside -----------------------------------------------------------------------------

static hy_err conform_find(hy_store *store, hy_arena *arena, uint32_t number,
                           const hy_store_machine **out_machine) {
    const hy_store_machine *machines;
    size_t count;
    hy_err err = hy_store_machines(store, arena, &machines, &count, NULL);
    if (err != HY_OK) return err;
    for (size_t i = 0; i < count; i++) {
        if (machines[i].number == number) *out_machine = &machines[i];
    }
    return HY_OK;
}

hy_err conform_a_store_describes_itself(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 3, 4));
    HY_CLEANUP(hy_arena_deinit) hy_arena arena;
    hy_arena_init(&arena, maker->mem, 0);
    const hy_store_machine *machine = NULL;
    MUST(conform_find(t.store, &arena, t.number, &machine));
    CHECK(machine != NULL);
    const hy_machine *described = machine->described;
    CHECK(strcmp(described->name, "vault") == 0);
    CHECK_EQ(described->version, 1);
    CHECK_EQ(described->table_count, vault_machine.table_count);
    CHECK_EQ(described->input_count, vault_machine.input_count);
    CHECK_EQ(described->action_count, vault_machine.action_count);
    CHECK_EQ(described->rejection_count, vault_machine.rejection_count);
    CHECK(strcmp(described->rejections[1].name, "NO_BOX") == 0);
    CHECK(strcmp(described->inputs[VAULT_IN_RANG].name, "rang") == 0);
    CHECK(described->inputs[VAULT_IN_RANG].internal);
    CHECK_EQ(hy_record_digest(described->inputs[VAULT_IN_PAY].reply),
             hy_record_digest(&vault_put_record));
    CHECK_EQ(hy_record_digest(described->tables[VAULT_BOXES].row),
             hy_record_digest(&vault_box_record));
    CHECK_EQ(machine->first_seq, 1);
    CHECK_EQ(machine->last_seq, 12);
    CHECK_EQ(machine->batch_count, 3);
    CHECK_EQ(machine->entry_count, 12);
    CHECK(machine->journal_bytes > 0);
    return HY_OK;
}

// A row that was read without the program is the row that the program has.
static hy_err conform_compare_row(hy_state *state, uint32_t table, const hy_record *record,
                                  const void *row, hy_mem *mem) {
    const hy_table *own = hy_machine_table(hy_state_machine(state), table);
    hy_arena arena;
    hy_buf was, is;
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&was, mem, 0);
    hy_buf_init(&is, mem, 0);
    void *key = hy_arena_alloc(&arena, own->row->size);
    hy_err err = key == NULL ? HY_NOMEM : hy_wire_encode(record, row, &was);
    if (err == HY_OK) err = hy_wire_decode(own->row, hy_buf_bytes(&was), &arena, key, NULL);
    const void *found = err == HY_OK ? hy_row_get(hy_state_view(state), table, key) : NULL;
    if (err == HY_OK) CHECK(found != NULL);
    if (err == HY_OK) err = hy_wire_encode(own->row, found, &is);
    if (err == HY_OK) CHECK_BYTES(hy_buf_bytes(&was), hy_buf_bytes(&is));
    hy_buf_deinit(&was);
    hy_buf_deinit(&is);
    hy_arena_deinit(&arena);
    return err;
}

static hy_err conform_walk(teller *t, const hy_store_machine *machine, uint32_t number) {
    hy_store_rows *rows = NULL;
    const hy_table *table = hy_machine_table(machine->described, number);
    hy_err err = hy_store_rows_open(t->store, t->number, number, &rows, NULL);
    uint32_t count = 0;
    while (err == HY_OK) {
        const void *row;
        err = hy_store_rows_next(rows, &row, NULL);
        if (err != HY_OK) break;
        err = conform_compare_row(t->state, number, table->row, row, t->maker->mem);
        count++;
    }
    hy_store_rows_close(rows);
    if (err == HY_END) CHECK_EQ(count, hy_row_count(hy_state_view(t->state), number));
    return err == HY_END ? HY_OK : err;
}

hy_err conform_rows_are_walked_without_the_program(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    MUST(teller_run(&t, 2, 12));
    MUST(t.store->driver->checkpoint(t.store, why));
    HY_CLEANUP(hy_arena_deinit) hy_arena arena;
    hy_arena_init(&arena, maker->mem, 0);
    const hy_store_machine *machine = NULL;
    MUST(conform_find(t.store, &arena, t.number, &machine));
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        if (hy_machine_table(&vault_machine, i) != NULL) MUST(conform_walk(&t, machine, i));
    }
    hy_store_rows *rows = NULL;
    CHECK_ERR(hy_store_rows_open(t.store, t.number, 50, &rows, NULL), HY_NOT_FOUND);
    hy_store_rows_close(NULL);
    return HY_OK;
}

// ---- evolution ----------------------------------------------------------------------------------

// Leaves a closed store with two batches of the plain machine, one of them checkpointed if
// `settled`.
static hy_err conform_prepare(teller *t, bool settled) {
    MUST(teller_open(t, why));
    MUST(teller_run(t, 2, 15));
    if (settled) MUST(t->store->driver->checkpoint(t->store, why));
    MUST(teller_run(t, 1, 5));
    return HY_OK;
}

hy_err conform_fields_tables_and_inputs_may_come(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(conform_prepare(&t, true));
    uint32_t boxes = hy_row_count(hy_state_view(t.state), VAULT_BOXES);
    uint64_t chain = hy_state_chain(t.state);
    teller_close(&t);
    t.machine = &vault_wider;
    MUST(teller_open(&t, why));
    CHECK_EQ(hy_state_seq(t.state), 35);
    CHECK_EQ(hy_state_chain(t.state), chain);
    CHECK_EQ(hy_state_digest(t.state), hy_state_digest_slow(t.state));
    CHECK_EQ(hy_row_count(hy_state_view(t.state), VAULT_BOXES), boxes);
    hy_cursor cursor = hy_cursor_at(hy_state_view(t.state), VAULT_BOXES, NULL);
    const vault_wide_box *box;
    while ((box = hy_cursor_next(&cursor)) != NULL) {
        CHECK(box->number > 0 && box->owner.len > 0);
        CHECK(box->colour.len == 0 && !box->weight.has && box->height == 0);
    }
    MUST(teller_run(&t, 2, 5)); // the step knows the narrower struct, whose fields lie in front
    teller_close(&t);
    MUST(teller_open(&t, why));
    CHECK_EQ(hy_state_seq(t.state), 45);
    teller_check_state(&t);
    return HY_OK;
}

hy_err conform_fields_may_be_renamed_and_go(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(conform_prepare(&t, false));
    const vault_box *first;
    hy_cursor cursor = hy_cursor_at(hy_state_view(t.state), VAULT_BOXES, NULL);
    first = hy_cursor_next(&cursor);
    CHECK(first != NULL);
    uint64_t number = first->number;
    int64_t cents = first->cents;
    uint32_t boxes = hy_row_count(hy_state_view(t.state), VAULT_BOXES);
    teller_close(&t);
    t.machine = &vault_renamed;
    MUST(teller_open(&t, why));
    const hy_view *view = hy_state_view(t.state);
    const vault_renamed_box *now =
        hy_row_get(view, VAULT_BOXES, &(vault_renamed_box){ .number = number });
    CHECK(now != NULL && now->cents == cents && now->holder.len > 0);
    CHECK_EQ(hy_row_count(view, VAULT_BOXES), boxes);
    return HY_OK;
}

hy_err conform_migrations_move_rows(const store_maker *maker) {
    TELLER(t, &vault_machine);
    MUST(conform_prepare(&t, true));
    uint32_t kept = 0;
    hy_cursor cursor = hy_cursor_at(hy_state_view(t.state), VAULT_BOXES, NULL);
    const vault_box *box;
    while ((box = hy_cursor_next(&cursor)) != NULL) {
        kept += box->cents != 0;
    }
    uint32_t moves = hy_row_count(hy_state_view(t.state), VAULT_MOVES);
    teller_close(&t);
    t.machine = &vault_migrated;
    for (int round = 0; round < 2; round++) { // once, however often it is opened
        MUST(teller_open(&t, why));
        const hy_view *view = hy_state_view(t.state);
        CHECK_EQ(hy_state_seq(t.state), 35);
        CHECK_EQ(hy_row_count(view, VAULT_BOXES), kept);
        CHECK_EQ(hy_row_count(view, VAULT_MOVES), moves);
        cursor = hy_cursor_at(view, VAULT_BOXES, NULL);
        const vault_new_box *now;
        while ((now = hy_cursor_next(&cursor)) != NULL) {
            CHECK(now->number > 1000 && now->amount.len == 4);
        }
        teller_close(&t);
    }
    return HY_OK;
}

// Opening with `machine` must fail with `expected`; the plain machine then finds everything again.
static hy_err conform_refused(const store_maker *maker, const hy_machine *machine,
                              hy_err expected) {
    TELLER(t, &vault_machine);
    MUST(conform_prepare(&t, true));
    teller_close(&t);
    hy_why said = { 0 };
    t.machine = machine;
    hy_err err = teller_open(&t, &said);
    CHECK_ERR(err, expected);
    CHECK(said.text[0] != 0);
    teller_close(&t);
    t.machine = &vault_machine;
    MUST(teller_open(&t, why));
    CHECK_EQ(hy_state_seq(t.state), 35);
    teller_check_state(&t);
    return HY_OK;
}

hy_err conform_a_migration_that_fails_changes_nothing(const store_maker *maker) {
    return conform_refused(maker, &vault_failing, HY_RANGE);
}

hy_err conform_a_migration_to_equal_keys_is_refused(const store_maker *maker) {
    return conform_refused(maker, &vault_colliding, HY_SCHEMA);
}

hy_err conform_tables_that_change_places_are_refused(const store_maker *maker) {
    return conform_refused(maker, &vault_shuffled, HY_SCHEMA);
}

hy_err conform_an_older_program_is_refused(const store_maker *maker) {
    TELLER(t, &vault_migrated);
    MUST(teller_open(&t, why));
    teller_close(&t);
    hy_why said = { 0 };
    t.machine = &vault_machine;
    hy_err err = teller_open(&t, &said);
    CHECK_ERR(err, HY_NEWER);
    CHECK(said.text[0] != 0);
    return HY_OK;
}

hy_err conform_a_changed_record_is_refused(const store_maker *maker) {
    return conform_refused(maker, &vault_retyped, HY_SCHEMA);
}

// ---- everything at once -------------------------------------------------------------------------

static hy_err conform_whatever(teller *t, uint64_t dice) {
    const store_maker *maker = t->maker;
    switch (dice % 16) {
    case 0: teller_close(t); return teller_open(t, NULL);
    case 1: return t->store->driver->checkpoint(t->store, NULL);
    case 2: {
        bool more;
        return hy_store_checkpoint_slice(t->store, &more, NULL);
    }
    case 3: return teller_reload(t, NULL);
    case 4:
    case 5: {
        if (maker->refuse_next == NULL) return HY_OK;
        hy_err err = teller_step(t, 2);
        if (err != HY_OK) return err;
        maker->refuse_next(maker->self);
        OUTCOME(teller_commit(t, NULL), HY_COMMIT_REFUSED);
        maker->heal(maker->self);
        return HY_OK;
    }
    case 6:
    case 7: {
        if (maker->unknown_next == NULL) return HY_OK;
        hy_err err = teller_step(t, 3);
        if (err != HY_OK) return err;
        maker->unknown_next(maker->self, dice >> 8 & 1);
        OUTCOME(teller_commit(t, NULL), HY_COMMIT_UNKNOWN);
        maker->heal(maker->self);
        return teller_reload(t, NULL);
    }
    default: return teller_run(t, 1, 1 + (uint32_t)(dice >> 16) % 20);
    }
}

hy_err conform_a_long_run_survives_whatever_comes(const store_maker *maker) {
    if (kit_failed_allocation()) return HY_NOMEM;
    TELLER(t, &vault_machine);
    MUST(teller_open(&t, why));
    uint64_t dice = kit_seed();
    uint64_t rounds = 120;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t durable = t.durable_seq;
        MUST(conform_whatever(&t, kit_random(&dice)));
        CHECK(hy_state_seq(t.state) >= durable);
        teller_check_state(&t);
    }
    CHECK_OK(hy_state_check(t.state, NULL));
    return HY_OK;
}
