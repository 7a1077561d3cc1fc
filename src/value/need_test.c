// need_test.c - requirements on values: every kind, their nesting, and filtering.
//
// One user, and for each kind of condition one that he meets and one that he does not.
#include <hypha/value.h>

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "value/value_suite.h"

static hy_path path_of(const char *text) {
    hy_path path;
    CHECK(hy_path_parse(&path, &suite_user_record, hy_bytes_of(text), NULL) == HY_OK);
    return path;
}

#define OPERANDS(...)                                                                              \
    (const void *const[]){ __VA_ARGS__ },                                                          \
        sizeof((const void *const[]){ __VA_ARGS__ }) / sizeof(const void *)

static bool meets(const hy_value *value, hy_need_kind kind, const char *text,
                  const void *const *operands, size_t count) {
    hy_path path = path_of(text);
    hy_need need = {
        .kind = kind, .path = &path, .operands = operands, .operand_count = (uint32_t)count
    };
    hy_why why = { .place = "" };
    hy_err err = hy_need_check(&need, value, &why);
    CHECK(err == HY_OK || err == HY_REJECT);
    if (err == HY_REJECT) CHECK_BYTES(hy_bytes_of(why.place), hy_bytes_of(text));
    return err == HY_OK;
}

static hy_err each_kind_is_met_or_not(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&arena, 5, &user));
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &user, &value, NULL));
    uint16_t a35 = 35, a36 = 36, a37 = 37;
    int32_t minus = -7;
    hy_text none = HY_BYTES("none"), ada = HY_BYTES("Ada"), new = HY_BYTES("new");
    double w60 = 60.5, w62 = 62, below = -62;
    CHECK(meets(value, HY_NEED_EQUAL, "age", OPERANDS(&a36)));
    CHECK(!meets(value, HY_NEED_EQUAL, "age", OPERANDS(&a37)));
    CHECK(meets(value, HY_NEED_EQUAL, "score", OPERANDS(&minus)));
    CHECK(!meets(value, HY_NEED_EQUAL, "address.street", OPERANDS(&none))); // nothing is there
    CHECK(meets(value, HY_NEED_NOT_EQUAL, "address.street", OPERANDS(&none)));
    CHECK(meets(value, HY_NEED_NOT_EQUAL, "age", OPERANDS(&a37)));
    CHECK(!meets(value, HY_NEED_NOT_EQUAL, "name", OPERANDS(&ada)));
    CHECK(meets(value, HY_NEED_BELOW, "age", OPERANDS(&a37)));
    CHECK(!meets(value, HY_NEED_BELOW, "age", OPERANDS(&a36)));
    CHECK(meets(value, HY_NEED_ABOVE, "age", OPERANDS(&a35)));
    CHECK(meets(value, HY_NEED_ABOVE, "weight", OPERANDS(&w60)));
    CHECK(meets(value, HY_NEED_BELOW, "weight", OPERANDS(&w62)));
    CHECK(meets(value, HY_NEED_ABOVE, "weight", OPERANDS(&below)));
    CHECK(meets(value, HY_NEED_EQUAL, "tags", OPERANDS(&user.tags)));
    CHECK(meets(value, HY_NEED_CONTAINS, "tags", OPERANDS(&new)));
    CHECK(!meets(value, HY_NEED_CONTAINS, "tags", OPERANDS(&none)));
    CHECK(meets(value, HY_NEED_CONTAINS, "slots", OPERANDS(&user.slots.ptr[4])));
    CHECK(meets(value, HY_NEED_CONTAINS_ANY, "tags", OPERANDS(&none, &new)));
    CHECK(!meets(value, HY_NEED_CONTAINS_ANY, "tags", OPERANDS(&none, &ada)));
    CHECK(meets(value, HY_NEED_CONTAINED_IN, "name", OPERANDS(&none, &ada)));
    CHECK(!meets(value, HY_NEED_CONTAINED_IN, "name", OPERANDS(&none, &new)));
    CHECK(meets(value, HY_NEED_TEXT_MATCH, "email", OPERANDS(&HY_BYTES("ORG example"))));
    CHECK(!meets(value, HY_NEED_TEXT_MATCH, "email", OPERANDS(&HY_BYTES("org com"))));
    return HY_OK;
}

static hy_err conditions_are_joined(hy_mem *mem) {
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    suite_user user = { .name = HY_BYTES("Bo"), .age = 3 };
    CHECK_OK(hy_value_new(mem, &suite_plain_model, &user, &value, NULL));
    hy_path age = path_of("age"), name = path_of("name");
    uint16_t three = 3, four = 4;
    hy_text bo = HY_BYTES("Bo");
    const void *const threes[] = { &three }, *const fours[] = { &four }, *const bos[] = { &bo };
    hy_need parts[] = { { HY_NEED_EQUAL, &age, threes, 1, NULL, 0 },
                        { HY_NEED_EQUAL, &age, fours, 1, NULL, 0 },
                        { HY_NEED_EQUAL, &name, bos, 1, NULL, 0 } };
    hy_need all = { .kind = HY_NEED_ALL, .parts = parts, .part_count = 3 };
    hy_need any = { .kind = HY_NEED_ANY, .parts = parts, .part_count = 3 };
    hy_why why;
    CHECK_ERR(hy_need_check(&all, value, &why), HY_REJECT);
    CHECK_TEXT(hy_bytes_of(why.place), "age");
    CHECK_OK(hy_need_check(&any, value, NULL));
    all.part_count = 1;
    CHECK_OK(hy_need_check(&all, value, NULL));
    any.parts = &parts[1];
    any.part_count = 1;
    CHECK_ERR(hy_need_check(&any, value, NULL), HY_REJECT);
    all.part_count = any.part_count = 0;
    CHECK_OK(hy_need_check(&all, value, NULL));
    CHECK_ERR(hy_need_check(&any, value, NULL), HY_REJECT);
    all.parts = &all; // without an end
    all.part_count = 1;
    CHECK_ERR(hy_need_check(&all, value, NULL), HY_TOO_DEEP);
    return HY_OK;
}

static hy_err a_filter_keeps_what_meets_the_need(hy_mem *mem) {
    HY_CLEANUP(suite_unref_vec) hy_vec *values = NULL;
    HY_CLEANUP(suite_unref_vec) hy_vec *young = NULL;
    CHECK_OK(hy_vec_new(mem, &hy_item_value, 0, &values));
    for (uint16_t i = 0; i < 40; i++) {
        HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
        suite_user user = { .age = (uint16_t)(i * 7 % 40) };
        CHECK_OK(hy_value_new(mem, &suite_plain_model, &user, &value, NULL));
        CHECK_OK(hy_vec_push(&values, &value));
    }
    hy_path age = path_of("age");
    uint16_t ten = 10;
    const void *const operands[] = { &ten };
    hy_need need = {
        .kind = HY_NEED_BELOW, .path = &age, .operands = operands, .operand_count = 1
    };
    CHECK_OK(hy_need_filter(&need, values, &young));
    CHECK_EQ(hy_vec_count(young), 10);
    CHECK_EQ(hy_vec_count(values), 40);
    for (size_t i = 0; i < 10; i++) {
        const hy_value *const *value = hy_vec_at(young, i);
        CHECK(((const suite_user *)hy_value_get(*value))->age < 10);
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(each_kind_is_met_or_not), KIT_TEST(conditions_are_joined),
          KIT_TEST(a_filter_keeps_what_meets_the_need))
