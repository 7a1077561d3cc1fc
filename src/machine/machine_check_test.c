// machine_check_test.c - every mistake in a description is refused, with the line to mend.
//
// Each test takes a good description, spoils one thing, and demands place and text of the refusal:
// they are all that the programmer sees. No state is made of a description that was refused.

#include "kit/kit.h"

#include "base/cleanup.h"
#include "machine/script_suite.h"

#define CHECK_UNION(U) U(1, u64, number) U(2, bool, flag)
HY_UNION(check_union, CHECK_UNION)
HY_UNION_DEFINE(check_union, CHECK_UNION)

#define CHECK_LIST(F) F(1, u64, id) F(2, list(u64), many)
HY_RECORD(check_list, CHECK_LIST)
HY_RECORD_DEFINE(check_list, CHECK_LIST)
#define CHECK_ONE(F) F(1, u64, id) F(2, one(check_union), either)
HY_RECORD(check_one, CHECK_ONE)
HY_RECORD_DEFINE(check_one, CHECK_ONE)
#define CHECK_MAYBE(F) F(1, u64, id) F(2, opt(rec(script_item)), maybe)
HY_RECORD(check_maybe, CHECK_MAYBE)
HY_RECORD_DEFINE(check_maybe, CHECK_MAYBE)
#define CHECK_TEXT_KEY(F) F(1, str, name) F(2, u64, value)
HY_RECORD(check_text_key, CHECK_TEXT_KEY)
HY_RECORD_DEFINE(check_text_key, CHECK_TEXT_KEY)
#define CHECK_FLOAT_KEY(F) F(1, f64, number)
HY_RECORD(check_float_key, CHECK_FLOAT_KEY)
HY_RECORD_DEFINE(check_float_key, CHECK_FLOAT_KEY)
#define CHECK_OPTION_KEY(F) F(1, opt(u32), number)
HY_RECORD(check_option_key, CHECK_OPTION_KEY)
HY_RECORD_DEFINE(check_option_key, CHECK_OPTION_KEY)
#define CHECK_LONG_KEY(F) F(1, id, a) F(2, u8, b)
HY_RECORD(check_long_key, CHECK_LONG_KEY)
HY_RECORD_DEFINE(check_long_key, CHECK_LONG_KEY)
#define CHECK_TWICE(F) F(1, u64, id) F(1, u64, other)
HY_RECORD(check_twice, CHECK_TWICE)
HY_RECORD_DEFINE(check_twice, CHECK_TWICE)
#define CHECK_PARTS_4(F, n)                                                                        \
    F(n##1, str, a##n) F(n##2, str, b##n) F(n##3, str, c##n) F(n##4, str, d##n)
#define CHECK_PARTS_16(F, n)                                                                       \
    CHECK_PARTS_4(F, n##1) CHECK_PARTS_4(F, n##2) CHECK_PARTS_4(F, n##3) CHECK_PARTS_4(F, n##4)
#define CHECK_PARTS(F)                                                                             \
    F(1, u64, id)                                                                                  \
    CHECK_PARTS_16(F, 1)                                                                           \
    CHECK_PARTS_16(F, 2) CHECK_PARTS_16(F, 3) CHECK_PARTS_16(F, 4) F(9, str, last)
HY_RECORD(check_parts, CHECK_PARTS)
HY_RECORD_DEFINE(check_parts, CHECK_PARTS)
#define CHECK_BIG(F)                                                                               \
    F(1, u64, id)                                                                                  \
    F(2, rec(script_wide), a)                                                                      \
    F(3, rec(script_wide), b) F(4, rec(script_wide), c) F(5, rec(script_wide), d)
HY_RECORD(check_big, CHECK_BIG)
HY_RECORD_DEFINE(check_big, CHECK_BIG)

// A good description whose every part may be spoiled.
typedef struct spoilt {
    hy_table tables[3];
    hy_input_kind inputs[3];
    hy_action_kind actions[2];
    hy_rejection rejections[2];
    hy_invariant invariants[1];
    hy_migration migrations[1];
    hy_machine machine;
} spoilt;

static bool check_row(const hy_view *view, const void *row) {
    (void)view, (void)row;
    return true;
}
static hy_err check_migrate(const void *old_row, void *out_row, hy_arena *arena) {
    (void)old_row, (void)out_row, (void)arena;
    return HY_OK;
}
static bool check_sum(const hy_view *view, int64_t sum) {
    (void)view, (void)sum;
    return true;
}

static void spoilt_init(spoilt *s) {
    *s = (spoilt){ .machine = script_machine };
    for (uint32_t i = 0; i < 3; i++) {
        s->tables[i] = script_machine.tables[i];
        s->inputs[i] = script_machine.inputs[i];
    }
    for (uint32_t i = 0; i < 2; i++) {
        s->actions[i] = script_machine.actions[i];
        s->rejections[i] = script_machine.rejections[i];
    }
    s->invariants[0] = (hy_invariant)HY_ROW_HOLDS(SCRIPT_ORDERED, HY_VETO, check_row);
    s->migrations[0] = (hy_migration){ SCRIPT_ORDERED, 1, &script_item_record, check_migrate };
    s->machine.version = 2;
    s->machine.tables = s->tables;
    s->machine.inputs = s->inputs;
    s->machine.actions = s->actions;
    s->machine.rejections = s->rejections;
    s->machine.invariants = s->invariants;
    s->machine.invariant_count = 1;
    s->machine.migrations = s->migrations;
    s->machine.migration_count = 1;
}

static hy_err check_refused(hy_mem *mem, const spoilt *s, const char *place, const char *text) {
    hy_why why = { 0 };
    CHECK_ERR(hy_machine_check(&s->machine, &why), HY_SCHEMA);
    kit_check_bytes(__FILE__, __LINE__, "place", hy_bytes_of(why.place), hy_bytes_of(place));
    kit_check_bytes(__FILE__, __LINE__, "text", hy_bytes_of(why.text), hy_bytes_of(text));
    CHECK_EQ(why.code, HY_SCHEMA);
    hy_state *state = NULL;
    CHECK_ERR(hy_state_new(mem, &s->machine, NULL, &state, NULL), HY_SCHEMA);
    CHECK(state == NULL);
    return HY_OK;
}

// Spoils one thing in `s` by `statement`, and expects the refusal.
#define REFUSED(statement, place, text)                                                            \
    do {                                                                                           \
        spoilt s;                                                                                  \
        spoilt_init(&s);                                                                           \
        statement;                                                                                 \
        CHECK_OK(check_refused(mem, &s, place, text));                                             \
    } while (0)

static hy_err a_good_description_passes(hy_mem *mem) {
    spoilt s;
    spoilt_init(&s);
    hy_why why = { 0 };
    CHECK_OK(hy_machine_check(&s.machine, &why));
    hy_state *state = NULL;
    CHECK_OK(hy_state_new(mem, &s.machine, NULL, &state, NULL));
    hy_state_free(state);
    return HY_OK;
}

static hy_err the_machine_itself(hy_mem *mem) {
    const char *text = "the machine needs a name of small letters";
    REFUSED(s.machine.name = NULL, "machine", text);
    REFUSED(s.machine.name = "", "machine", text);
    REFUSED(s.machine.name = "Bank", "machine", text);
    REFUSED(s.machine.name = "1bank", "machine", text);
    REFUSED(s.machine.name = "a-b", "machine", text);
    REFUSED(s.machine.name = "a_name_of_forty_nine_letters_is_one_letter_longer", "machine", text);
    text = "a machine needs a step and a version from 1";
    REFUSED(s.machine.step = NULL, "script", text);
    REFUSED(s.machine.version = 0, "script", text);
    return HY_OK;
}

static hy_err tables(hy_mem *mem) {
    REFUSED(s.machine.table_count = 65, "script", "a machine has at most 64 tables");
    REFUSED(s.tables[1].name = NULL, "script",
            "table 1 needs a name of small letters, digits and _");
    REFUSED(s.tables[2].name = "two words", "script",
            "table 2 needs a name of small letters, digits and _");
    REFUSED(s.tables[0].name = "hy_ledger", "hy_ledger",
            "names that begin with hy_ are the runtime's");
    REFUSED(s.tables[2].name = "item", "item", "two tables have the name item");
    REFUSED(s.tables[0].row = NULL, "item", "a table needs the record of its rows");
    return HY_OK;
}

static hy_err rows(hy_mem *mem) {
    const char *text = "a row holds no lists and no unions: make it a table of its own";
    REFUSED(s.tables[0].row = &check_list_record, "many", text);
    REFUSED(s.tables[0].row = &check_one_record, "either", text);
    REFUSED(s.tables[0].row = &check_maybe_record, "maybe",
            "a row holds no optional records: make its fields optional");
    REFUSED(s.tables[0].row = &check_parts_record, "item", "the row has too many separate parts");
    spoilt s;
    spoilt_init(&s);
    s.tables[0].row = &check_twice_record; // schema's own check, and its own text
    hy_why why = { 0 };
    CHECK_ERR(hy_machine_check(&s.machine, &why), HY_SCHEMA);
    CHECK(why.text[0] != 0);
    return HY_OK;
}

static hy_err keys(hy_mem *mem) {
    const char *text = "the key must be 1 to 16 of the row's fields";
    REFUSED(s.tables[0].key_count = 0, "item", text);
    REFUSED(s.tables[0].key_count = 6, "item", text);
    REFUSED((s.tables[0].row = &script_wide_record, s.tables[0].key_count = 17), "item", text);
    text = "a key field must be an integer, bool, enum or id (for text: hy_text_id)";
    REFUSED(s.tables[0].row = &check_text_key_record, "name", text);
    REFUSED(s.tables[0].row = &check_float_key_record, "number", text);
    REFUSED(s.tables[0].row = &check_option_key_record, "number", text);
    text = "the key is longer than 16 bytes";
    REFUSED((s.tables[0].row = &check_long_key_record, s.tables[0].key_count = 2), "item", text);
    REFUSED((s.tables[2].key_count = 3), "wide", text);
    return HY_OK;
}

static hy_err inputs_and_actions(hy_mem *mem) {
    REFUSED(s.inputs[2].name = NULL, "script", "input kind 2 needs a plain name");
    REFUSED(s.inputs[0].name = "Do", "script", "input kind 0 needs a plain name");
    REFUSED(s.inputs[2].name = "do", "do", "two input kinds have the name do");
    REFUSED(s.actions[1].name = "", "script", "action kind 1 needs a plain name");
    REFUSED(s.actions[1].name = "tell", "tell", "two action kinds have the name tell");
    const char *text = "a tracked action names an internal input kind as its completion";
    REFUSED(s.actions[1].completion = SCRIPT_DO, "pay", text);
    REFUSED(s.actions[1].completion = 3, "pay", text);
    text = "rejection 1 needs a name and a text";
    REFUSED(s.rejections[1].name = NULL, "script", text);
    REFUSED(s.rejections[1].name = "", "script", text);
    REFUSED(s.rejections[1].text = NULL, "script", text);
    return HY_OK;
}

static hy_err bodies(hy_mem *mem) {
    (void)mem;
    for (int part = 0; part < 4; part++) {
        spoilt s;
        spoilt_init(&s);
        if (part == 0) s.inputs[1].body = &check_twice_record;
        if (part == 1) s.inputs[1].reply = &check_twice_record;
        if (part == 2) s.actions[0].body = &check_twice_record;
        if (part == 3) s.migrations[0].from = &check_twice_record;
        hy_why why = { 0 };
        CHECK_ERR(hy_machine_check(&s.machine, &why), HY_SCHEMA);
        CHECK(why.text[0] != 0);
    }
    return HY_OK;
}

static hy_err invariants(hy_mem *mem) {
    const char *text = "the invariant lacks a policy, a table, or the function of its kind";
    REFUSED(s.invariants[0].name = NULL, "script", "invariant 0 needs a name");
    REFUSED(s.invariants[0].policy = 0, "check_row", text);
    REFUSED(s.invariants[0].policy = HY_REPORT + 1, "check_row", text);
    REFUSED(s.invariants[0].kind = 0, "check_row", text);
    REFUSED(s.invariants[0].kind = HY_INVARIANT_GLOBAL + 1, "check_row", text);
    REFUSED(s.invariants[0].table = 3, "check_row", text);
    REFUSED(s.invariants[0].table = HY_LEDGER, "check_row", text);
    REFUSED(s.invariants[0].row = NULL, "check_row", text);
    for (uint32_t kind = HY_INVARIANT_NEIGHBOUR; kind <= HY_INVARIANT_GLOBAL; kind++) {
        REFUSED(s.invariants[0].kind = kind, "check_row", text); // has none of its functions
    }
    REFUSED((s.invariants[0].kind = HY_INVARIANT_AGGREGATE, s.invariants[0].sum = check_sum),
            "check_row", text);
    return HY_OK;
}

static bool check_neighbour(const hy_view *v, const void *a, const void *b, const void *c) {
    (void)v, (void)a, (void)b, (void)c;
    return true;
}
static bool check_refer(const void *row, void *out_target) {
    (void)row, (void)out_target;
    return false;
}

static hy_err invariants_about_tables_that_cannot_have_them(hy_mem *mem) {
    const char *text = "the invariant lacks a policy, a table, or the function of its kind";
    hy_invariant neighbour = HY_NEIGHBOURS_HOLD(SCRIPT_HASHED, HY_VETO, check_neighbour);
    REFUSED(s.invariants[0] = neighbour, "check_neighbour", text);
    hy_invariant reference =
        HY_REFERENCE_HOLDS(SCRIPT_HASHED, SCRIPT_ORDERED, HY_VETO, check_refer, NULL);
    spoilt good;
    spoilt_init(&good);
    good.invariants[0] = reference;
    CHECK_OK(hy_machine_check(&good.machine, NULL));
    reference.target = 3;
    REFUSED(s.invariants[0] = reference, "check_refer", text);
    reference.target = SCRIPT_WIDES; // 1,320 bytes: more than the buffer that names a row
    REFUSED((s.invariants[0] = reference, s.tables[2].row = &check_big_record), "check_refer",
            text);
    return HY_OK;
}

static hy_err migrations(hy_mem *mem) {
    const char *text = "migration 0 lacks a table, an older version, the record of that version, "
                       "or its function";
    REFUSED(s.migrations[0].table = 3, "script", text);
    REFUSED(s.migrations[0].from = NULL, "script", text);
    REFUSED(s.migrations[0].migrate = NULL, "script", text);
    REFUSED(s.migrations[0].from_version = 0, "script", text);
    REFUSED(s.migrations[0].from_version = 2, "script", text); // of today
    return HY_OK;
}

KIT_TESTS(KIT_TEST(a_good_description_passes), KIT_TEST(the_machine_itself), KIT_TEST(tables),
          KIT_TEST(rows), KIT_TEST(keys), KIT_TEST(inputs_and_actions), KIT_TEST(bodies),
          KIT_TEST(invariants), KIT_TEST(invariants_about_tables_that_cannot_have_them),
          KIT_TEST(migrations))
