// model_test.c - rules: what they refuse and where, JSON with aliases and defaults, the schema.
//
// And the check of models themselves, which finds a wrong rule when the program starts.
#include <hypha/value.h>

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "schema/schema_suite.h"
#include "value/value_suite.h"

static hy_err the_model_of_the_suite_is_right(hy_mem *mem) {
    (void)mem;
    hy_why why;
    CHECK_OK(hy_model_check(&suite_user_model, &why));
    CHECK_OK(hy_model_check(&suite_plain_model, &why));
    return HY_OK;
}

static hy_err refuses_one(const hy_record *record, hy_rule rule, const char *place) {
    hy_shape shape = { .record = record, .rules = &rule, .rule_count = 1 };
    hy_model model = { .record = &suite_user_record, .shapes = &shape, .shape_count = 1 };
    hy_why why;
    CHECK_ERR(hy_model_check(&model, &why), HY_SCHEMA);
    CHECK_BYTES(hy_bytes_of(why.place), hy_bytes_of(place));
    return HY_OK;
}

static bool accept_any(hy_text text) {
    return text.len < SIZE_MAX;
}

static hy_err wrong_rules_are_found(hy_mem *mem) {
    (void)mem;
    const hy_record *user = &suite_user_record;
    static const hy_range empty = { 2, 1 }, fine = { 1, 2 }, vast = { 0, INT64_MAX };
    CHECK_OK(refuses_one(user, (hy_rule){ .field = "nme" }, "suite_user.nme"));
    CHECK_OK(refuses_one(user, (hy_rule){ .field = "name", .range = &fine }, "suite_user.name"));
    CHECK_OK(refuses_one(user, (hy_rule){ .field = "age", .range = &empty }, "suite_user.age"));
    CHECK_OK(refuses_one(user, (hy_rule){ .field = "age", .length = &fine }, "suite_user.age"));
    CHECK_OK(refuses_one(user, (hy_rule){ .field = "age", .count = &fine }, "suite_user.age"));
    CHECK_OK(
        refuses_one(user, (hy_rule){ .field = "weight", .range = &vast }, "suite_user.weight"));
    CHECK_OK(
        refuses_one(user, (hy_rule){ .field = "age", .accepts = accept_any }, "suite_user.age"));
    CHECK_OK(refuses_one(user, (hy_rule){ .field = "age", .alias = "name" }, "suite_user.age"));
    CHECK_OK(refuses_one(user, (hy_rule){ .field = "age", .alias = "a\"b" }, "suite_user.age"));
    CHECK_OK(refuses_one(
        user,
        (hy_rule){ .field = "age", .required = true, .fallback = HY_MEMBER(suite_user, age, 1) },
        "suite_user.age"));
    CHECK_OK(refuses_one(
        user,
        (hy_rule){ .field = "age", .range = &fine, .fallback = HY_MEMBER(suite_user, age, 3) },
        "suite_user.age"));
    CHECK_OK(refuses_one(&suite_contact_record, (hy_rule){ .field = "phone", .required = true },
                         "suite_contact.phone"));
    CHECK_OK(refuses_one(&suite_tree_record, (hy_rule){ .field = "value" }, "suite_tree"));
    return HY_OK;
}

// Each of these breaks one rule of the suite.
static hy_err broken_rules_are_told_with_their_path(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user good;
    CHECK_OK(suite_user_make(&arena, 5, &good));
    hy_why why;
    CHECK_OK(hy_model_verify(&suite_user_model, &good, &why));
    hy_text tags[] = { HY_BYTES("a"), HY_BYTES("b"), HY_BYTES(""),
                       HY_BYTES("d"), HY_BYTES("e"), HY_BYTES("f") };
    suite_user bad[9];
    const char *places[9] = { "name",    "email", "age",  "weight", "tags",
                              "tags[2]", "name",  "role", "contact" };
    for (uint32_t i = 0; i < 9; i++) {
        bad[i] = good;
    }
    bad[0].name = HY_BYTES("");
    bad[1].email = HY_BYTES("nowhere");
    bad[2].age = 151;
    bad[3].weight = -1.25;
    bad[4].tags.ptr = tags;
    bad[4].tags.len = 6;
    bad[5].tags.ptr = tags;
    bad[5].tags.len = 4;
    bad[6].name = HY_BYTES("\xff");
    bad[7].role = UINT32_MAX;
    bad[8].contact.which = 9;
    for (uint32_t i = 0; i < 9; i++) {
        hy_err err = hy_model_verify(&suite_user_model, &bad[i], &why);
        CHECK_ERR(err, i == 6 ? HY_NOT_UTF8 : HY_RANGE);
        CHECK_BYTES(hy_bytes_of(why.place), hy_bytes_of(places[i]));
    }
    good.slots.ptr[4].minute = 1440;
    CHECK_ERR(hy_model_verify(&suite_user_model, &good, &why), HY_RANGE);
    CHECK_TEXT(hy_bytes_of(why.place), "slots[4].minute");
    return HY_OK;
}

static hy_err ranges_end_where_they_say(hy_mem *mem) {
    (void)mem;
    static const struct {
        double weight;
        bool fits;
    } weights[] = { { -1, true }, { -1.0000001, false }, { 500, true },    { 500.0001, false },
                    { 0, true },  { -0.0, true },        { 1e300, false }, { -1e300, false } };
    hy_why why;
    suite_user user = { .name = HY_BYTES("x") };
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        user.weight = weights[i].weight;
        hy_err err = hy_model_verify(&suite_user_model, &user, &why);
        CHECK_EQ(err, weights[i].fits ? HY_OK : HY_RANGE);
    }
    static const hy_range to_one = { 0, 1 };
    static const hy_rule rule = { .field = "weight", .range = &to_one };
    static const hy_shape shape = { .record = &suite_user_record, .rules = &rule, .rule_count = 1 };
    static const hy_model model = { .record = &suite_user_record,
                                    .shapes = &shape,
                                    .shape_count = 1 };
    user.weight = -0.0;
    CHECK_OK(hy_model_verify(&model, &user, &why));
    user.weight = 0;
    user.name = HY_BYTES("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                         "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                         "\xc3\xa9\xc3\xa9"); // 20 characters, 40 bytes
    CHECK_OK(hy_model_verify(&suite_user_model, &user, &why));
    return HY_OK;
}

// ---- JSON -------------------------------------------------------------------------------------

static hy_err defaults_and_aliases_are_read(hy_mem *mem) {
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    hy_why why;
    CHECK_OK(hy_value_from_json(mem, &suite_user_model,
                                HY_BYTES("{\"e-mail\":\"a@b\",\"slots\":[{\"at\":5},"
                                         "{\"minute\":6}],\"n\":7}"),
                                &value, &why));
    CHECK(hy_value_holds(value));
    const suite_user *user = hy_value_get(value);
    CHECK_TEXT(user->name, "nobody");
    CHECK_TEXT(user->email, "a@b");
    CHECK_EQ(user->age, 18);
    CHECK_EQ(user->role, SUITE_MEMBER);
    CHECK_EQ(user->visits, 7);
    CHECK_EQ(HY_AT(user->slots, 1)->minute, 6);
    HY_CLEANUP(hy_buf_deinit) hy_buf text = { 0 };
    hy_buf_init(&text, mem, 0);
    CHECK_OK(hy_value_to_json(value, &text));
    CHECK_TEXT(hy_buf_bytes(&text),
               "{\"name\":\"nobody\",\"e-mail\":\"a@b\",\"age\":18,\"weight\":0,"
               "\"role\":\"member\",\"address\":{\"city\":\"\",\"digits\":[]},\"tags\":[],"
               "\"slots\":[{\"at\":5,\"note\":\"\",\"prices\":[]},"
               "{\"at\":6,\"note\":\"\",\"prices\":[]}],\"photo\":\"\","
               "\"key\":\"00000000-0000-0000-0000-000000000000\",\"prices\":[],\"n\":7}");
    return HY_OK;
}

static hy_err bad_json_is_refused_with_its_place(hy_mem *mem) {
    static const struct {
        const char *text, *place;
        hy_err err;
    } bad[] = {
        { "{}", "email", HY_MISSING },
        { "{\"e-mail\":\"\",\"email\":\"\"}", "email", HY_MALFORMED },
        { "{\"e-mail\":\"\",\"x\":1}", "", HY_UNKNOWN_FIELD },
        { "{\"e-mail\":\"\",\"age\":-1}", "age", HY_RANGE },
        { "{\"e-mail\":\"\",\"age\":151}", "age", HY_RANGE },
        { "{\"e-mail\":\"x\"}", "email", HY_RANGE },
        { "{\"e-mail\":\"\",\"slots\":[{\"at\":1},{\"at\":2000}]}", "slots[1].minute", HY_RANGE },
        { "{\"e-mail\":\"\",\"slots\":[{\"at\":1},{\"at\":0}]}", "", HY_INVARIANT },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hy_value *value = NULL;
        hy_why why;
        hy_err err =
            hy_value_from_json(mem, &suite_user_model, hy_bytes_of(bad[i].text), &value, &why);
        CHECK_ERR(err, bad[i].err);
        CHECK_BYTES(hy_bytes_of(why.place), hy_bytes_of(bad[i].place));
        CHECK(value == NULL);
    }
    return HY_OK;
}

static hy_err any_value_survives_json(hy_mem *mem) {
    static const hy_model wide_model = { .record = &suite_wide_record };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    uint64_t seed = kit_seed();
    for (uint32_t round = 0; round < 100; round++) {
        hy_arena_reset(&arena);
        suite_random random = { .state = kit_random(&seed), .arena = &arena, .depth_max = 3 };
        static suite_wide from;
        CHECK_OK(suite_fill(&random, &suite_wide_record, &from));
        HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
        HY_CLEANUP(suite_unref_value) hy_value *back = NULL;
        HY_CLEANUP(hy_buf_deinit) hy_buf text = { 0 };
        hy_buf_init(&text, mem, 0);
        CHECK_OK(hy_value_new(mem, &wide_model, &from, &value, NULL));
        CHECK_OK(hy_value_to_json(value, &text));
        CHECK_OK(hy_value_from_json(mem, &wide_model, hy_buf_bytes(&text), &back, NULL));
        CHECK(hy_value_equal(value, back));
    }
    return HY_OK;
}

static hy_err the_schema_says_what_the_rules_say(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf text = { 0 };
    hy_buf_init(&text, mem, 0);
    CHECK_OK(hy_model_export_json_schema(&suite_user_model, &text));
    kit_golden("value_suite.json", hy_buf_bytes(&text));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(the_model_of_the_suite_is_right), KIT_TEST(wrong_rules_are_found),
          KIT_TEST(broken_rules_are_told_with_their_path), KIT_TEST(ranges_end_where_they_say),
          KIT_TEST(defaults_and_aliases_are_read), KIT_TEST(bad_json_is_refused_with_its_place),
          KIT_TEST_ONCE(any_value_survives_json), KIT_TEST(the_schema_says_what_the_rules_say))
