// migration_test.c - a machine grows up on a SQLite file, and the plug is pulled while it does.
//
// Version 1 of a club keeps "First Last" in one text; version 2 splits it, adds a field, and has a
// table more. The file holds rows in tables and rows that are only in the journal, an action that
// is still owed and an answer that is remembered. Whatever happens on the way, the file is one of
// two things: version 1 as it was, or version 2 with everything in it.

#include "kit/kit.h"

#include <string.h>

#include <hypha/store.h>
#include <hypha/world.h>

#include "base/cleanup.h"

// ---- the two versions ----

#define CLUB_MEMBER_1(F) F(1, u64, id) F(2, str, name) F(3, i64, joined)
HY_RECORD(club_member_1, CLUB_MEMBER_1)
HY_RECORD_DEFINE(club_member_1, CLUB_MEMBER_1)
#define CLUB_MEMBER_2(F)                                                                           \
    F(1, u64, id) F(3, i64, joined) F(4, str, first) F(5, str, last) F(6, opt(u32), level)
HY_RECORD(club_member_2, CLUB_MEMBER_2)
HY_RECORD_DEFINE(club_member_2, CLUB_MEMBER_2)
#define CLUB_NOTE_1(F) F(1, u64, id) F(2, str, text)
HY_RECORD(club_note_1, CLUB_NOTE_1)
HY_RECORD_DEFINE(club_note_1, CLUB_NOTE_1)
#define CLUB_NOTE_2(F) F(1, u64, id) F(2, str, text) F(3, u32, stars)
HY_RECORD(club_note_2, CLUB_NOTE_2)
HY_RECORD_DEFINE(club_note_2, CLUB_NOTE_2)
#define CLUB_JOIN(F) F(1, str, name)
HY_RECORD(club_join, CLUB_JOIN)
HY_RECORD_DEFINE(club_join, CLUB_JOIN)

enum { MEMBERS, NOTES, BADGES };
enum { JOIN, LEAVE_OLDEST, ASK, ASKED };

static hy_err club_ask(hy_txn *txn) {
    hy_action_emit(txn, 0, NULL);
    return HY_OK;
}

static hy_err club_step_1(hy_txn *txn, const hy_input *input) {
    if (input->kind == ASK) return club_ask(txn);
    if (input->kind == ASKED) return HY_OK;
    if (input->kind == LEAVE_OLDEST) {
        hy_cursor cursor = hy_cursor_at(hy_txn_view(txn), MEMBERS, NULL);
        const club_member_1 *oldest = hy_cursor_next(&cursor);
        if (oldest != NULL) hy_row_delete(txn, MEMBERS, oldest);
        return HY_OK;
    }
    const club_join *in = input->body;
    uint64_t id = hy_row_next_id(txn, MEMBERS);
    hy_row_insert(txn, MEMBERS, &(club_member_1){ id, in->name, input->now });
    hy_row_insert(txn, NOTES, &(club_note_1){ id, in->name });
    return hy_reply(txn, in);
}

// Gives the words before and behind the first space.
static void club_split(hy_text name, hy_text *out_first, hy_text *out_last) {
    size_t at = 0;
    while (at < name.len && name.ptr[at] != ' ') {
        at++;
    }
    *out_first = (hy_text){ name.ptr, at };
    size_t skip = at < name.len ? at + 1 : at;
    *out_last = (hy_text){ name.ptr + skip, name.len - skip };
}

static hy_err club_step_2(hy_txn *txn, const hy_input *input) {
    if (input->kind == ASK) return club_ask(txn);
    if (input->kind != JOIN) return HY_OK;
    const club_join *in = input->body;
    club_member_2 row = { .id = hy_row_next_id(txn, MEMBERS), .joined = input->now };
    club_split(in->name, &row.first, &row.last);
    hy_row_insert(txn, MEMBERS, &row);
    return hy_reply(txn, in);
}

// Members called "Drop" are not taken over.
static hy_err club_migrate(const void *old_row, void *out_row, hy_arena *arena) {
    (void)arena; // the new texts lie in the old one
    const club_member_1 *old = old_row;
    club_member_2 *now = out_row;
    now->id = old->id;
    now->joined = old->joined;
    club_split(old->name, &now->first, &now->last);
    now->level.has = true;
    now->level.value = (uint32_t)old->name.len;
    return hy_bytes_equal(now->first, HY_BYTES("Drop")) ? HY_END : HY_OK;
}

#define CLUB_TABLE(name_, record_, ordered_)                                                       \
    { .name = (name_), .row = &record_##_record, .key_count = 1, .ordered = (ordered_) }
static const hy_table club_tables_1[] = { CLUB_TABLE("member", club_member_1, true),
                                          CLUB_TABLE("note", club_note_1, false) };
static const hy_table club_tables_2[] = { CLUB_TABLE("member", club_member_2, true),
                                          CLUB_TABLE("note", club_note_2, false),
                                          CLUB_TABLE("badge", club_note_1, false) };
static const hy_input_kind club_inputs[] = {
    { .name = "join", .body = &club_join_record, .reply = &club_join_record },
    { .name = "leave_oldest" },
    { .name = "ask" },
    { .name = "asked", .internal = true },
};
static const hy_action_kind club_actions[] = {
    { .name = "ask", .tracked = true, .completion = ASKED },
};
static const hy_migration club_migrations[] = { { MEMBERS, 1, &club_member_1_record,
                                                  club_migrate } };

#define CLUB(version_, tables_, step_, migrations_, migration_count_)                              \
    {                                                                                              \
        .name = "club", .version = (version_), .tables = (tables_),                                \
        .table_count = HY_COUNT_OF(tables_), .inputs = club_inputs, .input_count = 4,              \
        .actions = club_actions, .action_count = 1, .migrations = (migrations_),                   \
        .migration_count = (migration_count_), .step = (step_)                                     \
    }
static const hy_machine club_1 = CLUB(1, club_tables_1, club_step_1, NULL, 0);
static const hy_machine club_2 = CLUB(2, club_tables_2, club_step_2, club_migrations, 1);
static const hy_machine club_unmigrated = CLUB(2, club_tables_2, club_step_2, NULL, 0);

// ---- a club on a file ----

typedef struct club {
    hy_world *world;
    hy_store *store;
    hy_state *state;
    uint32_t number;
    uint64_t digest, chain; // of version 1 when it died
} club;

static void club_close(club *c) {
    c->state = hy_state_free(c->state);
    c->store = hy_store_close(c->store);
}

static void club_deinit(club *c) {
    club_close(c);
    c->world = hy_world_close(c->world);
}

static hy_err club_open(club *c, const hy_machine *machine, hy_why *why) {
    hy_err err = hy_store_sqlite_open(
        c->world, "club.db", HY_OPTIONS(hy_store_sqlite, .slice_bytes = 600), &c->store, why);
    if (err == HY_OK) err = c->store->driver->attach(c->store, machine, &c->number, why);
    if (err == HY_OK) {
        err = hy_state_new(hy_mem_system(), machine, HY_OPTIONS(hy_state, .record_entries = true),
                           &c->state, why);
    }
    if (err == HY_OK) err = c->store->driver->load(c->store, c->number, c->state, why);
    if (err != HY_OK) club_close(c);
    return err;
}

static void club_must_open(club *c, const hy_machine *machine) {
    hy_why why = { 0 };
    hy_err err = club_open(c, machine, &why);
    if (err != HY_OK) kit_fail(why.place, 0, "open: %s: %s", hy_err_name(err), why.text);
}

// Steps one input and commits it.
static hy_err club_send(club *c, uint32_t kind, const char *name, const char *key,
                        uint64_t action_id) {
    club_join join = { .name = hy_bytes_of(name) };
    hy_outcome outcome;
    hy_input input = { .seq = hy_state_seq(c->state) + 1,
                       .now = HY_SECONDS(5),
                       .kind = kind,
                       .body = kind == JOIN ? &join : NULL,
                       .key = hy_bytes_of(key),
                       .action_id = action_id };
    hy_err err = hy_state_step(c->state, &input, &outcome);
    if (outcome.entry.len == 0) return outcome.duplicate ? HY_ALREADY_DONE : err;
    hy_buf frames;
    hy_buf_init(&frames, hy_mem_system(), 0);
    hy_frame_add(&frames, outcome.entry);
    hy_batch batch = { c->number, 1, input.seq, input.seq, hy_buf_bytes(&frames) };
    hy_commit commit = c->store->driver->append(c->store, &batch, 1, NULL);
    CHECK(commit == HY_COMMITTED);
    hy_buf_deinit(&frames);
    return err;
}

// Version 1 with a life behind it: some of it in the tables, some in the journal only. It dies by
// the plug: a store that is closed in peace leaves nothing in the journal.
static void club_live(club *c) {
    static const char *const names[] = { "Ann Lee",
                                         "Bob",
                                         "Cy van Dyk",
                                         "Drop Me",
                                         ("\xc3\x84nne \xc3\x9f"
                                          "er"),
                                         "",
                                         "Guy Fox",
                                         "Hal Low" };
    hy_err err = hy_sim_open(
        HY_OPTIONS(hy_sim, .seed = kit_seed(), .mem = hy_mem_system(), .event_log_max = 64),
        &c->world);
    CHECK(err == HY_OK);
    club_must_open(c, &club_1);
    for (uint32_t i = 0; i < 8; i++) {
        CHECK(club_send(c, JOIN, names[i], i == 2 ? "cy-1" : "", 0) == HY_OK);
        if (i == 3) CHECK(c->store->driver->checkpoint(c->store, NULL) == HY_OK);
    }
    CHECK(club_send(c, ASK, "", "", 0) == HY_OK);
    CHECK(club_send(c, LEAVE_OLDEST, "", "", 0) == HY_OK); // a row in the tables, gone in the tail
    c->digest = hy_state_digest(c->state);
    c->chain = hy_state_chain(c->state);
    hy_sim_restart(c->world);
    club_close(c);
}

// All of it is there, as version 2 sees it.
static void club_check_2(const club *c) {
    const hy_view *view = hy_state_view(c->state);
    CHECK_EQ(hy_state_seq(c->state), 10);
    CHECK_EQ(hy_state_digest(c->state), hy_state_digest_slow(c->state));
    CHECK_EQ(hy_row_count(view, MEMBERS), 6); // without Ann, who left, and Drop
    CHECK_EQ(hy_row_count(view, NOTES), 8);
    CHECK_EQ(hy_row_count(view, BADGES), 0);
    CHECK_EQ(hy_row_count(view, HY_LEDGER), 1);
    const club_member_2 *cy = hy_row_get(view, MEMBERS, &(club_member_2){ .id = 3 });
    CHECK(cy != NULL && cy->joined == HY_SECONDS(5) && cy->level.has);
    CHECK_TEXT(cy->first, "Cy");
    CHECK_TEXT(cy->last, "van Dyk");
    CHECK_EQ(cy->level.value, 10);
    const club_member_2 *guy = hy_row_get(view, MEMBERS, &(club_member_2){ .id = 7 });
    CHECK(guy != NULL); // was in the journal only
    CHECK_TEXT(guy->last, "Fox");
    const club_note_2 *note = hy_row_get(view, NOTES, &(club_note_2){ .id = 5 });
    CHECK(note != NULL && note->stars == 0);
    CHECK_TEXT(note->text, "\xc3\x84nne \xc3\x9f"
                           "er");
    hy_err err = hy_state_check(c->state, NULL);
    CHECK(err == HY_OK);
}

// Life goes on: what version 1 answered and owed is answered and owed.
static void club_go_on(club *c) {
    CHECK(club_send(c, JOIN, "Cy van Dyk", "cy-1", 0) == HY_ALREADY_DONE);
    CHECK(club_send(c, JOIN, "Somebody Else", "cy-1", 0) == HY_KEY_REUSED);
    CHECK(club_send(c, ASKED, "", "", 1) == HY_OK);
    CHECK(club_send(c, JOIN, "Ida New", "", 0) == HY_OK);
    club_close(c);
    club_must_open(c, &club_2);
    CHECK_EQ(hy_state_seq(c->state), 12);
    const club_member_2 *ida =
        hy_row_get(hy_state_view(c->state), MEMBERS, &(club_member_2){ .id = 9 });
    CHECK(ida != NULL && !ida->level.has); // ids go on behind version 1's
    CHECK_TEXT(ida->last, "New");
    CHECK_EQ(hy_row_count(hy_state_view(c->state), HY_LEDGER), 0);
}

static hy_err rows_and_journal_of_version_1_become_version_2(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(club_deinit) club c = { 0 };
    club_live(&c);
    for (int i = 0; i < 3; i++) { // migrated once, however often it is opened
        club_must_open(&c, &club_2);
        club_check_2(&c);
        CHECK_EQ(hy_state_chain(c.state), c.chain);
        club_close(&c);
    }
    club_must_open(&c, &club_2);
    club_go_on(&c);
    return HY_OK;
}

static hy_err the_older_program_is_sent_away(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(club_deinit) club c = { 0 };
    club_live(&c);
    club_must_open(&c, &club_2);
    club_close(&c);
    hy_why why = { 0 };
    CHECK(club_open(&c, &club_1, &why) == HY_NEWER);
    CHECK_TEXT(hy_bytes_of(why.text), "machine club was stored by version 2, this program has "
                                      "version 1: start the newer program");
    club_must_open(&c, &club_2); // and has changed nothing
    club_check_2(&c);
    return HY_OK;
}

#define CLUB_BAD(F) F(1, u64, id) F(2, u64, name)
HY_RECORD(club_bad, CLUB_BAD)
HY_RECORD_DEFINE(club_bad, CLUB_BAD)
static const hy_table club_tables_bad[] = { CLUB_TABLE("member", club_bad, true),
                                            CLUB_TABLE("note", club_note_1, false) };
static const hy_machine club_bad_1 = CLUB(1, club_tables_bad, club_step_2, NULL, 0);
static const hy_migration club_wrong_from[] = { { MEMBERS, 1, &club_bad_record, club_migrate } };
static const hy_machine club_wrong = CLUB(2, club_tables_2, club_step_2, club_wrong_from, 1);

// What stored bytes do not allow is refused with a text, and the old program finds all as it was.
static hy_err what_cannot_follow_is_refused(hy_mem *mem) {
    (void)mem;
    const hy_machine *const refused[] = { &club_bad_1, &club_wrong };
    for (size_t i = 0; i < HY_COUNT_OF(refused); i++) {
        HY_CLEANUP(club_deinit) club c = { 0 };
        club_live(&c);
        hy_why why = { 0 };
        CHECK(club_open(&c, refused[i], &why) == HY_SCHEMA);
        CHECK_TEXT(((hy_text){ (const uint8_t *)why.text, 55 }),
                   "the record of table member changed in a way that stored");
        CHECK(strstr(why.place, "name") != NULL);
        club_must_open(&c, &club_1);
        CHECK_EQ(hy_state_digest(c.state), c.digest);
        CHECK_EQ(hy_state_seq(c.state), 10);
        hy_sim_restart(c.world); // the journal's tail stays for the next
        club_close(&c);
    }
    return HY_OK;
}

// Without a migration the old field is dropped and the new ones are empty: allowed, and known.
static hy_err a_split_without_a_migration_loses_the_field(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(club_deinit) club c = { 0 };
    club_live(&c);
    club_must_open(&c, &club_unmigrated);
    const club_member_2 *cy =
        hy_row_get(hy_state_view(c.state), MEMBERS, &(club_member_2){ .id = 3 });
    CHECK(cy != NULL && cy->first.len == 0 && cy->joined == HY_SECONDS(5));
    CHECK_EQ(hy_row_count(hy_state_view(c.state), MEMBERS), 7);
    return HY_OK;
}

// ---- the plug ----

// After a crash the old program may ask first: it finds its club whole, or is sent away.
static void club_ask_old(club *c) {
    hy_err err = club_open(c, &club_1, NULL);
    CHECK(err == HY_OK || err == HY_NEWER);
    if (err == HY_NEWER) return;
    CHECK_EQ(hy_state_digest(c->state), c->digest);
    CHECK_EQ(hy_state_seq(c->state), 10);
    club_close(c);
}

// Crashes at call `at` of the upgrade. False: the upgrade was done before that call.
static bool club_crash_once(uint64_t at, uint64_t again) {
    HY_CLEANUP(club_deinit) club c = { 0 };
    club_live(&c);
    hy_sim_crash_at(c.world, hy_sim_disk_calls(c.world) + at);
    hy_err err = club_open(&c, &club_2, NULL);
    club_close(&c);
    bool crashed = hy_sim_has_crashed(c.world);
    CHECK(crashed || err == HY_OK);
    if (crashed) hy_sim_restart(c.world);
    if (crashed && again != 0) { // and once more, while it begins again
        hy_sim_crash_at(c.world, hy_sim_disk_calls(c.world) + again);
        (void)club_open(&c, &club_2, NULL);
        club_close(&c);
        if (hy_sim_has_crashed(c.world)) hy_sim_restart(c.world);
    }
    hy_sim_crash_at(c.world, 0);
    if (at % 2 == 0) club_ask_old(&c);
    club_must_open(&c, &club_2);
    club_check_2(&c);
    club_go_on(&c);
    return crashed;
}

static hy_err a_crash_at_any_call_leaves_one_version_or_the_other(hy_mem *mem) {
    (void)mem;
    uint64_t at = 1;
    while (club_crash_once(at, 0)) {
        at++;
    }
    CHECK(at > 20); // an upgrade of no calls would prove nothing
    for (uint64_t second = 1; club_crash_once(second, 1 + second * 7 % at); second += 3) {
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(rows_and_journal_of_version_1_become_version_2),
          KIT_TEST_ONCE(the_older_program_is_sent_away),
          KIT_TEST_ONCE(what_cannot_follow_is_refused),
          KIT_TEST_ONCE(a_split_without_a_migration_loses_the_field),
          KIT_TEST_ONCE(a_crash_at_any_call_leaves_one_version_or_the_other))
