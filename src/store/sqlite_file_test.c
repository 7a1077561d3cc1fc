// sqlite_file_test.c - files as they are met in the world: foreign, newer, cut, damaged, locked,
// looked at or changed by a person.
//
// Every refusal must come with a text that says what to do, and must leave the file as it was. The
// tests that need a sqlite3 shell beside the store use the real world and a folder of their own;
// what can be simulated is.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "store/teller_suite.h"

// ---- a folder, a world and a teller -------------------------------------------------------------

typedef struct file_bed {
    hy_world *world;
    char folder[64], path[80];
    hy_store_sqlite_options options;
    store_maker maker;
    teller teller;
    hy_why why;
} file_bed;

static hy_err bed_open_store(void *self, hy_store **out_store, hy_why *why) {
    file_bed *bed = self;
    return hy_store_sqlite_open(bed->world, bed->path, &bed->options, out_store, why);
}

static void bed_path(const file_bed *bed, const char *tail, char out[128]) {
    snprintf(out, 128, "%s%s", bed->path, tail);
}

static void bed_deinit(file_bed *bed) {
    static const char *const tails[] = { "", "-wal", "-shm", "-lock", "-journal" };
    teller_deinit(&bed->teller);
    bed->world = hy_world_close(bed->world);
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        char path[128];
        bed_path(bed, tails[i], path);
        unlink(path);
    }
    CHECK_EQ(rmdir(bed->folder), 0);
}

static void bed_init(file_bed *bed) {
    *bed = (file_bed){ .options = { .size = sizeof bed->options, .busy_timeout = HY_MS(1) } };
    snprintf(bed->folder, sizeof bed->folder, "%s/hypha-store-XXXXXX", P_tmpdir);
    CHECK(mkdtemp(bed->folder) != NULL);
    snprintf(bed->path, sizeof bed->path, "%s/vault.db", bed->folder);
    CHECK(hy_world_open(NULL, &bed->world) == HY_OK);
    bed->maker = (store_maker){ .open = bed_open_store, .self = bed, .mem = kit_heap() };
    teller_init(&bed->teller, &bed->maker, &vault_machine, 7);
}

#define BED(name)                                                                                  \
    HY_CLEANUP(bed_deinit) file_bed name;                                                          \
    bed_init(&name)

// A store with some history; open if `open`.
static void bed_fill(file_bed *bed, bool open) {
    CHECK(teller_open(&bed->teller, &bed->why) == HY_OK);
    CHECK(teller_run(&bed->teller, 6, 20) == HY_OK);
    CHECK(bed->teller.store->driver->checkpoint(bed->teller.store, &bed->why) == HY_OK);
    if (!open) teller_close(&bed->teller);
}

// Opening must be refused with `expected` and a text that has `word` in it.
static void bed_refused(file_bed *bed, hy_err expected, const char *word) {
    memset(&bed->why, 0, sizeof bed->why);
    hy_err err = teller_open(&bed->teller, &bed->why);
    if (err != expected) kit_fail(__FILE__, __LINE__, "%s: %s", hy_err_name(err), bed->why.text);
    if (strstr(bed->why.text, word) == NULL) kit_fail(__FILE__, __LINE__, "%s", bed->why.text);
    CHECK_EQ(bed->why.code, expected);
    CHECK(bed->why.place[0] != 0);
    teller_close(&bed->teller);
}

static void bed_opens(file_bed *bed) {
    hy_err err = teller_open(&bed->teller, &bed->why);
    if (err != HY_OK) kit_fail(bed->why.place, 0, "%s: %s", hy_err_name(err), bed->why.text);
    teller_check_state(&bed->teller);
}

// ---- a person with a sqlite3 shell --------------------------------------------------------------

static sqlite3 *person_open(const file_bed *bed) {
    sqlite3 *db = NULL;
    CHECK_EQ(sqlite3_open(bed->path, &db), SQLITE_OK);
    return db;
}

static void person_does(sqlite3 *db, const char *sql) {
    char *text = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK) {
        kit_fail(__FILE__, __LINE__, "%s: %s", sql, text);
    }
}

static int64_t person_asks(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        kit_fail(__FILE__, __LINE__, "%s: %s", sql, sqlite3_errmsg(db));
    }
    CHECK_EQ(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void bed_person_does(const file_bed *bed, const char *sql) {
    sqlite3 *db = person_open(bed);
    person_does(db, sql);
    sqlite3_close(db);
}

static hy_err a_shell_may_look_while_the_service_runs(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, true);
    sqlite3 *db = person_open(&bed);
    const hy_view *view = hy_state_view(bed.teller.state);
    CHECK_EQ(person_asks(db, "select count(*) from box"), hy_row_count(view, VAULT_BOXES));
    CHECK_EQ(person_asks(db, "select count(*) from move join box on move.box = box.number "
                             "and move.machine = box.machine"),
             hy_row_count(view, VAULT_MOVES));
    CHECK_EQ(person_asks(db, "select count(*) from hy_ledger"), hy_row_count(view, HY_LEDGER));
    person_does(db, "begin; select * from box;"); // and may take their time
    CHECK_OK(teller_run(&bed.teller, 3, 5));
    CHECK_OK(bed.teller.store->driver->checkpoint(bed.teller.store, NULL));
    person_does(db, "commit");
    const vault_book *book =
        hy_row_get(hy_state_view(bed.teller.state), VAULT_BOOKS, &(vault_book){ .key = 0 });
    CHECK_EQ(person_asks(db, "select steps from book"), book->steps);
    sqlite3_close(db);
    return HY_OK;
}

static hy_err a_shell_that_writes_keeps_appends_waiting(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, true);
    sqlite3 *db = person_open(&bed);
    person_does(db, "begin immediate");
    CHECK_OK(teller_step(&bed.teller, 3));
    CHECK_EQ(teller_commit(&bed.teller, &bed.why), HY_COMMIT_REFUSED);
    CHECK_EQ(bed.why.code, HY_BUSY);
    CHECK(strstr(bed.why.text, "shell") != NULL);
    person_does(db, "rollback");
    sqlite3_close(db);
    CHECK_OK(teller_run(&bed.teller, 1, 3));
    CHECK_OK(teller_reload(&bed.teller, NULL));
    teller_check_state(&bed.teller);
    return HY_OK;
}

static hy_err a_moved_file_gets_no_more_appends(hy_mem *mem) {
    (void)mem;
    BED(bed);
    char away[128];
    bed_fill(&bed, true);
    bed_path(&bed, ".away", away);
    CHECK_EQ(rename(bed.path, away), 0);
    CHECK_OK(teller_step(&bed.teller, 3));
    CHECK_EQ(teller_commit(&bed.teller, &bed.why), HY_COMMIT_REFUSED);
    CHECK_EQ(bed.why.code, HY_IO);
    CHECK(strstr(bed.why.text, "move it back") != NULL);
    CHECK_EQ(rename(away, bed.path), 0);
    CHECK_OK(teller_run(&bed.teller, 1, 3));
    CHECK_OK(teller_reload(&bed.teller, NULL));
    teller_check_state(&bed.teller);
    return HY_OK;
}

static hy_err columns_are_what_a_person_expects(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, true);
    sqlite3 *db = person_open(&bed);
    hy_cursor cursor = hy_cursor_at(hy_state_view(bed.teller.state), VAULT_BOXES, NULL);
    const vault_box *box;
    while ((box = hy_cursor_next(&cursor)) != NULL) {
        char sql[256], token[HY_ID_TEXT_LEN + 1];
        hy_id_format(box->token, token);
        snprintf(sql, sizeof sql,
                 "select count(*) from box where number = %llu and cents = %lld and mask = %lld "
                 "and place_floor = %u and token = '%s' and locked = %d and note is %s null",
                 (unsigned long long)box->number, (long long)box->cents, (long long)box->mask,
                 box->place.floor, token, box->locked, box->note.has ? "not" : "");
        CHECK_EQ(person_asks(db, sql), 1);
    }
    CHECK(person_asks(db, "select count(*) from box where state = 'frozen'") > 0);
    CHECK(person_asks(db, "select count(*) from box where state = '99'") > 0); // has no label
    CHECK_EQ(person_asks(db, "pragma application_id"), 0x48797068);
    CHECK_EQ(person_asks(db, "pragma user_version"), 1);
    sqlite3_close(db);
    return HY_OK;
}

// A file from before there were instances stays what it is until it gets the first of them.
static hy_err the_first_key_changes_the_format(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, false);
    sqlite3 *db = person_open(&bed);
    CHECK_EQ(person_asks(db, "pragma user_version"), 1);
    bed_opens(&bed);
    teller *t = &bed.teller;
    uint32_t machine = t->number;
    uint64_t seq = hy_state_seq(t->state);
    CHECK(t->store->driver->instance(t->store, machine, HY_BYTES("north"), &t->number, NULL) ==
          HY_OK);
    CHECK_EQ(person_asks(db, "pragma user_version"), 2);
    CHECK_EQ(person_asks(db, "select count(*) from hy_instance"), 0);
    CHECK(teller_reload(t, NULL) == HY_OK && hy_state_seq(t->state) == 0);
    CHECK(teller_run(t, 1, 20) == HY_OK);
    CHECK(t->store->driver->checkpoint(t->store, NULL) == HY_OK);
    CHECK_EQ(person_asks(db, "select number from hy_instance where key = 'north'"), t->number);
    CHECK(person_asks(db, "select count(*) from book join hy_instance on number = book.machine") >
          0);
    teller_close(t);
    CHECK(bed_open_store(&bed, &t->store, NULL) == HY_OK);
    CHECK(t->store->driver->attach(t->store, &vault_machine, &t->number, NULL) == HY_OK);
    CHECK(t->number == machine && teller_reload(t, NULL) == HY_OK);
    CHECK_EQ(hy_state_seq(t->state), seq);
    sqlite3_close(db);
    return HY_OK;
}

static hy_err a_damaged_instance_is_found(hy_mem *mem) {
    (void)mem;
    BED(bed);
    teller *t = &bed.teller;
    bed_fill(&bed, true);
    CHECK(t->store->driver->instance(t->store, t->number, HY_BYTES("north"), &t->number, NULL) ==
          HY_OK);
    CHECK(teller_reload(t, NULL) == HY_OK && teller_run(t, 1, 3) == HY_OK);
    teller_close(t);
    bed_person_does(&bed, "update hy_instance set number = number + 1");
    CHECK(bed_open_store(&bed, &t->store, NULL) == HY_OK);
    CHECK(t->store->driver->attach(t->store, &vault_machine, &t->number, NULL) == HY_OK);
    CHECK_ERR(
        t->store->driver->instance(t->store, t->number, HY_BYTES("north"), &t->number, &bed.why),
        HY_CORRUPT);
    CHECK(strstr(bed.why.text, "instance") != NULL);
    return HY_OK;
}

static hy_err a_row_changed_by_hand_is_found(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, false);
    bed_person_does(&bed,
                    "update move set cents = cents + 1 where box = (select min(box) from move) "
                    "and nth = 0");
    bed_refused(&bed, HY_CORRUPT, "CRC");
    CHECK(strncmp(bed.why.place, "move(", 5) == 0);
    CHECK(strstr(bed.why.place, ", 0)") != NULL);
    bed_person_does(&bed,
                    "update move set cents = cents - 1 where box = (select min(box) from move) "
                    "and nth = 0");
    bed_opens(&bed);
    return HY_OK;
}

static hy_err cells_of_the_wrong_kind_are_found(hy_mem *mem) {
    (void)mem;
    static const char *const harm[] = {
        "update box set cents = 'much'",
        "update box set locked = 2",
        "update box set token = 'me'",
        "update box set state = 'odd'",
        "update box set place_floor = 70000",
        "update box set place_shelf = -129",
        "update box set rate = x'00'",
        "update box set owner = x'ff'",
        "update box set owner = cast(x'ff' as text)",
        "update box set stamp = 'text'",
        "update box set [limit] = 1.5",
        "update box set row_crc = -1",
    };
    for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
        BED(bed);
        bed_fill(&bed, false);
        bed_person_does(&bed, harm[i]);
        bed_refused(&bed, HY_CORRUPT, "CRC");
        CHECK(strncmp(bed.why.place, "box(", 4) == 0);
    }
    return HY_OK;
}

static hy_err missing_pieces_are_found(hy_mem *mem) {
    (void)mem;
    static const char *const harm[] = {
        "delete from box where number = (select max(number) from box)",
        "insert into move select machine, box, nth + 1000, cents, row_crc from move limit 1",
        "drop table move",
        "drop table hy_journal",
        "delete from hy_checkpoint",
        "update hy_checkpoint set seq = seq - 1",
        "update hy_machine set version = 0",
        "update hy_machine set schema = x'00'",
        "delete from hy_journal where id = (select max(id) from hy_journal)",
    };
    for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
        BED(bed);
        bed_fill(&bed, false);
        bed_person_does(&bed, harm[i]);
        bed_refused(&bed, HY_CORRUPT, "");
    }
    return HY_OK;
}

// ---- files of others, and pieces of files -------------------------------------------------------

static void bed_write(const file_bed *bed, const char *bytes, size_t len) {
    FILE *file = fopen(bed->path, "wb");
    CHECK(file != NULL);
    CHECK_EQ(fwrite(bytes, 1, len, file), len);
    CHECK_EQ(fclose(file), 0);
}

static int64_t bed_size(const file_bed *bed) {
    struct stat info;
    CHECK_EQ(stat(bed->path, &info), 0);
    return info.st_size;
}

static hy_err a_text_file_is_not_ours(hy_mem *mem) {
    (void)mem;
    BED(bed);
    char text[3000];
    memset(text, 'x', sizeof text);
    bed_write(&bed, text, sizeof text);
    bed_refused(&bed, HY_FOREIGN, "not a Hypha store");
    CHECK_EQ(bed_size(&bed), sizeof text);
    return HY_OK;
}

static hy_err another_programs_database_is_not_ours(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_person_does(&bed, "create table mine(a)");
    bed_refused(&bed, HY_FOREIGN, "another program");
    bed_person_does(&bed, "drop table mine; pragma application_id = 17");
    bed_refused(&bed, HY_FOREIGN, "another program");
    return HY_OK;
}

static hy_err an_empty_file_is_taken(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_write(&bed, "", 0);
    bed_fill(&bed, false);
    bed_opens(&bed);
    return HY_OK;
}

static hy_err a_newer_file_is_refused(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, false);
    bed_person_does(&bed, "pragma user_version = 3");
    bed_refused(&bed, HY_NEWER, "newer Hypha");
    bed_person_does(&bed, "pragma user_version = 1");
    bed_opens(&bed);
    return HY_OK;
}

static hy_err a_cut_file_is_found(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, false);
    for (int64_t size = bed_size(&bed) - 1; size > 100; size = size * 3 / 4) {
        CHECK_EQ(truncate(bed.path, size), 0);
        bed_refused(&bed, HY_CORRUPT, "restore a copy");
    }
    return HY_OK;
}

static hy_err a_missing_folder_is_named(hy_mem *mem) {
    (void)mem;
    BED(bed);
    char kept[80];
    memcpy(kept, bed.path, sizeof kept);
    snprintf(bed.path, sizeof bed.path, "%s/none/vault.db", bed.folder);
    bed_refused(&bed, HY_NOT_FOUND, "none");
    memcpy(bed.path, kept, sizeof kept);
    bed.options.read_only = true;
    bed_refused(&bed, HY_NOT_FOUND, "vault.db");
    return HY_OK;
}

static hy_err a_file_that_cannot_be_written_is_named(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, false);
    bool is_root = geteuid() == 0; // who may write everywhere
    CHECK_EQ(chmod(bed.folder, 0777), 0);
    CHECK_EQ(chmod(bed.path, 0444), 0);
    char lock[128];
    bed_path(&bed, "-lock", lock);
    CHECK_EQ(chmod(lock, 0666), 0);
    if (is_root) CHECK_EQ(seteuid(65534), 0);
    bed_refused(&bed, HY_READ_ONLY, "right to write");
    bed.options.read_only = true;
    bed_opens(&bed); // looking is allowed
    teller_close(&bed.teller);
    bed.options.read_only = false;
    if (is_root) CHECK_EQ(seteuid(0), 0);
    CHECK_EQ(chmod(bed.path, 0644), 0);
    bed_opens(&bed);
    return HY_OK;
}

// ---- readers and locks --------------------------------------------------------------------------

static hy_err a_second_service_is_refused(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, true);
    hy_store *second = NULL;
    CHECK_EQ(bed_open_store(&bed, &second, &bed.why), HY_LOCKED);
    CHECK(strstr(bed.why.text, "stop it first") != NULL);
    CHECK_OK(teller_run(&bed.teller, 1, 2));
    return HY_OK;
}

static hy_err reading_needs_no_lock_and_changes_nothing(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, true);
    CHECK_OK(teller_run(&bed.teller, 2, 5)); // journaled, not yet in the tables
    hy_store *reader = NULL;
    uint32_t number = 0;
    hy_state *state = NULL;
    hy_store_sqlite_options options = bed.options;
    options.read_only = true;
    CHECK_OK(hy_store_sqlite_open(bed.world, bed.path, &options, &reader, &bed.why));
    CHECK_OK(reader->driver->attach(reader, &vault_machine, &number, &bed.why));
    CHECK_OK(hy_state_new(kit_heap(), &vault_machine, NULL, &state, NULL));
    CHECK_OK(reader->driver->load(reader, number, state, &bed.why));
    CHECK_EQ(hy_state_digest(state), hy_state_digest(bed.teller.state));
    CHECK_OK(teller_step(&bed.teller, 1));
    hy_batch batch = bed.teller.batch;
    batch.machine = number, batch.body = hy_buf_bytes(&bed.teller.frames);
    CHECK_EQ(reader->driver->append(reader, &batch, 1, &bed.why), HY_COMMIT_REFUSED);
    CHECK_EQ(bed.why.code, HY_READ_ONLY);
    CHECK_OK(reader->driver->checkpoint(reader, NULL));
    CHECK_EQ(reader->driver->attach(reader, &vault_other, &number, &bed.why), HY_NOT_FOUND);
    hy_state_free(state);
    hy_store_close(reader);
    CHECK_EQ(teller_commit(&bed.teller, NULL), HY_COMMITTED);
    teller_close(&bed.teller);
    bed.options.read_only = true;
    bed.teller.machine = &vault_wider;
    bed_refused(&bed, HY_READ_ONLY, "older program");
    return HY_OK;
}

static hy_err a_described_machine_can_be_loaded(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, true);
    CHECK_OK(teller_run(&bed.teller, 1, 4));
    hy_arena arena;
    hy_arena_init(&arena, kit_heap(), 0);
    const hy_store_machine *machines;
    size_t count;
    hy_state *state = NULL;
    CHECK_OK(hy_store_machines(bed.teller.store, &arena, &machines, &count, NULL));
    CHECK_EQ(count, 1);
    hy_machine described = *machines[0].described;
    described.step = vault_machine.step; // never called, but a machine has one
    CHECK_OK(hy_state_new(kit_heap(), &described, NULL, &state, &bed.why));
    CHECK_OK(bed.teller.store->driver->load(bed.teller.store, 1, state, &bed.why));
    CHECK_EQ(hy_state_digest(state), hy_state_digest(bed.teller.state));
    hy_state_free(state);
    hy_arena_deinit(&arena);
    return HY_OK;
}

// ---- schemas that SQL has no room for -----------------------------------------------------------

static hy_err column_names_of_ours_are_refused(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed.teller.machine = &vault_reserved;
    bed_refused(&bed, HY_SCHEMA, "machine");
    bed.teller.machine = &vault_machine;
    bed_opens(&bed);
    return HY_OK;
}

static hy_err machines_that_share_a_table_evolve_one_by_one(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed_fill(&bed, false);
    uint64_t digest = teller_mark_at(&bed.teller, 120).digest;
    teller other;
    teller_init(&other, &bed.maker, &vault_other, 9);
    CHECK_OK(teller_open(&other, &bed.why));
    CHECK_OK(teller_run(&other, 2, 20));
    teller_close(&other);
    bed.teller.machine =
        &vault_renamed; // the rows of `vault` are rewritten beside those of `other`
    CHECK_OK(teller_open(&bed.teller, &bed.why));
    CHECK_EQ(hy_state_seq(bed.teller.state), 120);
    CHECK(hy_state_digest(bed.teller.state) != digest);
    teller_close(&bed.teller);
    CHECK_OK(teller_open(&other, &bed.why));
    CHECK_EQ(hy_state_seq(other.state), 40);
    teller_check_state(&other);
    teller_deinit(&other);
    return HY_OK;
}

static hy_err lazy_syncing_is_written_down(hy_mem *mem) {
    (void)mem;
    BED(bed);
    bed.options.lazy_sync = true;
    bed_fill(&bed, true);
    sqlite3 *db = person_open(&bed);
    CHECK_EQ(person_asks(db, "select count(*) from hy_meta where key = 'lazy_sync'"), 1);
    teller_close(&bed.teller);
    bed.options.lazy_sync = false;
    bed_opens(&bed);
    CHECK_EQ(person_asks(db, "select count(*) from hy_meta where key = 'lazy_sync'"), 0);
    sqlite3_close(db);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(a_shell_may_look_while_the_service_runs),
          KIT_TEST_ONCE(a_shell_that_writes_keeps_appends_waiting),
          KIT_TEST_ONCE(a_moved_file_gets_no_more_appends),
          KIT_TEST_ONCE(columns_are_what_a_person_expects),
          KIT_TEST_ONCE(the_first_key_changes_the_format),
          KIT_TEST_ONCE(a_damaged_instance_is_found), KIT_TEST_ONCE(a_row_changed_by_hand_is_found),
          KIT_TEST_ONCE(cells_of_the_wrong_kind_are_found), KIT_TEST_ONCE(missing_pieces_are_found),
          KIT_TEST_ONCE(a_text_file_is_not_ours),
          KIT_TEST_ONCE(another_programs_database_is_not_ours),
          KIT_TEST_ONCE(an_empty_file_is_taken), KIT_TEST_ONCE(a_newer_file_is_refused),
          KIT_TEST_ONCE(a_cut_file_is_found), KIT_TEST_ONCE(a_missing_folder_is_named),
          KIT_TEST_ONCE(a_file_that_cannot_be_written_is_named),
          KIT_TEST_ONCE(a_second_service_is_refused),
          KIT_TEST_ONCE(reading_needs_no_lock_and_changes_nothing),
          KIT_TEST_ONCE(a_described_machine_can_be_loaded),
          KIT_TEST_ONCE(column_names_of_ours_are_refused),
          KIT_TEST_ONCE(machines_that_share_a_table_evolve_one_by_one),
          KIT_TEST_ONCE(lazy_syncing_is_written_down))
