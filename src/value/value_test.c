// value_test.c - immutable records: made, read, changed, compared, and back.
//
// The random values of schema's suite have a field of every type in every form; the user of this
// room's suite has rules.
#include <hypha/value.h>

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "schema/schema_suite.h"
#include "value/value_suite.h"

static const hy_model wide_model = { .record = &suite_wide_record };

static hy_err any_struct_comes_back_as_it_was(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, kit_heap(), 0);
    uint64_t seed = kit_seed();
    for (uint32_t round = 0; round < 300; round++) {
        hy_arena_reset(&arena);
        suite_random random = { .state = kit_random(&seed),
                                .arena = &arena,
                                .keep_unknown = true,
                                .any_f64 = true,
                                .depth_max = 1 + round % 4 };
        static suite_wide from, back;
        CHECK_OK(suite_fill(&random, &suite_wide_record, &from));
        HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
        HY_CLEANUP(suite_unref_value) hy_value *again = NULL;
        CHECK_OK(hy_value_new(mem, &wide_model, &from, &value, NULL));
        CHECK(hy_value_holds(value));
        CHECK_OK(hy_value_plain(value, &arena, &back));
        CHECK(suite_equal(&suite_wide_record, &from, &back));
        CHECK_OK(hy_value_new(mem, &wide_model, &back, &again, NULL));
        CHECK(hy_value_equal(value, again));
        CHECK_EQ(hy_value_hash(value), hy_value_hash(again));
    }
    return HY_OK;
}

static hy_err a_value_owns_its_copy(hy_mem *mem) {
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    char name[] = "Ada";
    hy_text tags[] = { HY_BYTES("x"), { (uint8_t *)name, 3 } };
    suite_user user = { .name = { (uint8_t *)name, 3 }, .tags = { tags, 2 } };
    CHECK_OK(hy_value_new(mem, &suite_plain_model, &user, &value, NULL));
    memset(name, '-', 3);
    const suite_user *read = hy_value_get(value);
    CHECK_TEXT(read->name, "Ada");
    CHECK_EQ(read->tags.len, 2);
    CHECK_TEXT(*HY_AT(read->tags, 1), "Ada");
    CHECK(HY_AT(read->tags, 2) == NULL);
    CHECK_TEXT(*HY_AT(user.tags, 1), "---"); // the same reader for a plain struct
    return HY_OK;
}

// What is not named is the very same: the address of its bytes.
static hy_err a_change_shares_what_it_does_not_name(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&arena, 100, &user));
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    HY_CLEANUP(suite_unref_value) hy_value *old = NULL;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &user, &value, NULL));
    old = hy_value_ref(value);
    CHECK_OK(hy_value_with(&value,
                           HY_CHANGES(HY_SET(suite_user, age, 37),
                                      HY_SET(suite_user, photo, HY_BYTES("\0\1\2")), // as it is
                                      HY_SET(suite_user, address, { .city = HY_BYTES("Paris") })),
                           NULL));
    CHECK(value != old);
    CHECK(hy_value_holds(value));
    const suite_user *a = hy_value_get(old), *b = hy_value_get(value);
    CHECK_EQ(a->age, 36);
    CHECK_EQ(b->age, 37);
    CHECK_TEXT(a->address.city, "London");
    CHECK_TEXT(b->address.city, "Paris");
    CHECK(a->email.ptr == b->email.ptr);
    CHECK(a->photo.ptr == b->photo.ptr);
    CHECK(HY_AT(a->slots, 50) == HY_AT(b->slots, 50));
    CHECK(!hy_value_equal(value, old));
    return HY_OK;
}

static hy_err nothing_changed_is_the_same_value(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&arena, 3, &user));
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &user, &value, NULL));
    const hy_value *before = value;
    CHECK_OK(hy_value_with(&value,
                           HY_CHANGES(HY_SET(suite_user, age, 36),
                                      HY_SET(suite_user, name, HY_BYTES("Ada")),
                                      HY_SET(suite_user, score, { true, -7 })),
                           NULL));
    CHECK(value == before);
    hy_value_change all[2] = { { "slots", &user.slots }, { "prices", &user.prices } };
    CHECK_OK(hy_value_with(&value, all, 2, NULL));
    CHECK(value == before);
    return HY_OK;
}

static hy_err a_refused_change_leaves_the_value(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&arena, 3, &user));
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &user, &value, NULL));
    const hy_value *before = value;
    hy_why why;
    CHECK_ERR(hy_value_with(
                  &value,
                  HY_CHANGES(HY_SET(suite_user, name, HY_BYTES("B")), HY_SET(suite_user, age, 151)),
                  &why),
              HY_RANGE);
    CHECK_TEXT(hy_bytes_of(why.place), "age");
    suite_slot falling[] = { { .minute = 2 }, { .minute = 1 } };
    CHECK_ERR(hy_value_with(&value, HY_CHANGES(HY_SET(suite_user, slots, { falling, 2 })), &why),
              HY_INVARIANT);
    CHECK_ERR(hy_value_with(&value, &(hy_value_change){ "nme", &user.name }, 1, &why),
              HY_UNKNOWN_FIELD);
    CHECK_TEXT(hy_bytes_of(why.place), "nme");
    CHECK(value == before);
    CHECK_TEXT(((const suite_user *)hy_value_get(value))->name, "Ada");
    return HY_OK;
}

// A struct read from a value may be changed in its own copy and given back: its lists are shared.
static hy_err a_struct_of_a_value_makes_another(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&arena, 200, &user));
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    HY_CLEANUP(suite_unref_value) hy_value *other = NULL;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &user, &value, NULL));
    suite_user copy = *(const suite_user *)hy_value_get(value);
    copy.visits = 1;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &copy, &other, NULL));
    CHECK(hy_value_holds(other));
    const suite_user *a = hy_value_get(value), *b = hy_value_get(other);
    CHECK(HY_AT(a->slots, 7) == HY_AT(b->slots, 7));
    CHECK(!hy_value_equal(value, other));
    return HY_OK;
}

static hy_err depth_has_a_limit(hy_mem *mem) {
    static const hy_model tree_model = { .record = &suite_tree_record };
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    suite_tree trees[HY_DEPTH_MAX + 1];
    memset(trees, 0, sizeof trees);
    for (uint32_t i = 0; i < HY_DEPTH_MAX; i++) {
        trees[i].children.ptr = &trees[i + 1];
        trees[i].children.len = 1;
    }
    CHECK_ERR(hy_value_new(mem, &tree_model, &trees[0], &value, NULL), HY_TOO_DEEP);
    CHECK_OK(hy_value_new(mem, &tree_model, &trees[1], &value, NULL));
    CHECK(hy_value_holds(value));
    // One more child under the last, and a whole tree under the first: both too deep.
    hy_path path;
    CHECK_OK(hy_path_parse(&path, &suite_tree_record, HY_BYTES("children[0].children"), NULL));
    const suite_tree *root = hy_value_get(value);
    CHECK_ERR(hy_path_push(&value, &path, root, NULL), HY_TOO_DEEP);
    CHECK_OK(hy_path_push(&value, &path, &trees[3], NULL));
    CHECK(hy_value_holds(value));
    suite_tree leaf = { .value = 1 };
    CHECK_OK(hy_path_push(&value, &path, &leaf, NULL));
    return HY_OK;
}

// A tree put into itself grows by two each time, and everybody on the way must know.
static hy_err depth_is_known_after_a_change(hy_mem *mem) {
    static const hy_model tree_model = { .record = &suite_tree_record };
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    suite_tree child = { .value = 2 }, root = { .value = 1, .children = { &child, 1 } };
    CHECK_OK(hy_value_new(mem, &tree_model, &root, &value, NULL));
    hy_path path;
    CHECK_OK(hy_path_parse(&path, &suite_tree_record, HY_BYTES("children[0].children"), NULL));
    for (uint32_t depth = 2; depth <= HY_DEPTH_MAX; depth += 2) {
        hy_err err = hy_path_push(&value, &path, hy_value_get(value), NULL);
        CHECK_ERR(err, depth + 2 <= HY_DEPTH_MAX ? HY_OK : HY_TOO_DEEP);
        CHECK(hy_value_holds(value));
        suite_tree copy = *(const suite_tree *)hy_value_get(value);
        CHECK_OK(
            hy_value_with(&value, &(hy_value_change){ "value", &(uint32_t){ depth } }, 1, NULL));
        CHECK(hy_value_holds(value));
        CHECK_OK(hy_value_with(&value, &(hy_value_change){ "children", &copy.children }, 1, NULL));
        CHECK(hy_value_holds(value));
    }
    return HY_OK;
}

// As an item no model looks at it, and what is shared is not walked through.
static hy_err depth_of_shared_lists_is_known(hy_mem *mem) {
    const hy_item item = hy_item_record(&suite_tree_record);
    HY_CLEANUP(suite_unref_vec) hy_vec *trees = NULL;
    CHECK_OK(hy_vec_new(mem, &item, 0, &trees));
    suite_tree top = { .value = 0 };
    for (uint32_t depth = 1; depth <= HY_DEPTH_MAX + 1; depth++) {
        CHECK_ERR(hy_vec_push(&trees, &top), depth <= HY_DEPTH_MAX ? HY_OK : HY_TOO_DEEP);
        static suite_tree below;
        below = *(const suite_tree *)hy_vec_at(trees, hy_vec_count(trees) - 1);
        top = (suite_tree){ .value = depth, .children = { &below, 1 } };
    }
    CHECK_EQ(hy_vec_count(trees), HY_DEPTH_MAX);
    return HY_OK;
}

static hy_err values_are_items(hy_mem *mem) {
    HY_CLEANUP(suite_unref_map) hy_pmap *map = NULL;
    HY_CLEANUP(suite_unref_vec) hy_vec *slots = NULL;
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    const hy_item slot_item = hy_item_record(&suite_slot_record);
    suite_user user = { .name = HY_BYTES("Eve") };
    CHECK_OK(hy_value_new(mem, &suite_plain_model, &user, &value, NULL));
    CHECK_OK(hy_pmap_new(mem, &hy_item_text, &hy_item_value, 0, &map));
    CHECK_OK(hy_pmap_put(&map, &HY_BYTES("a"), &value));
    CHECK_OK(hy_pmap_put(&map, &HY_BYTES("b"), &value));
    hy_value *const *found = hy_pmap_get(map, &HY_BYTES("b"));
    CHECK(*found == value);
    CHECK_OK(hy_vec_new(mem, &slot_item, 0, &slots));
    suite_price price = { .key = HY_BYTES("EUR"), .value = 3 };
    for (uint32_t i = 0; i < 20; i++) {
        suite_slot slot = { .minute = i, .note = HY_BYTES("n"), .prices = { &price, 1 } };
        CHECK_OK(hy_vec_push(&slots, &slot));
    }
    const suite_slot *read = hy_vec_at(slots, 19);
    CHECK_EQ(read->minute, 19);
    CHECK_EQ(HY_AT(read->prices, 0)->value, 3);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(any_struct_comes_back_as_it_was), KIT_TEST(a_value_owns_its_copy),
          KIT_TEST(a_change_shares_what_it_does_not_name),
          KIT_TEST(nothing_changed_is_the_same_value), KIT_TEST(a_refused_change_leaves_the_value),
          KIT_TEST(a_struct_of_a_value_makes_another), KIT_TEST(depth_has_a_limit),
          KIT_TEST(depth_is_known_after_a_change), KIT_TEST(depth_of_shared_lists_is_known),
          KIT_TEST(values_are_items))
