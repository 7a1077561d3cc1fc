// Any text as a path: refused with a place, or one that can be followed and changed.
//
// Where a path leads somewhere, what is there is put back (nothing changes), the option is unset,
// the list is popped; the value must hold after each.
#include "kit/kit.h"

#include <hypha/value.h>

#include "base/cleanup.h"
#include "value/value_suite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    hy_path path;
    hy_why why = { .place = "" };
    hy_err err = hy_path_parse(&path, &suite_user_record, (hy_text){ data, size }, &why);
    if (err != HY_OK) {
        CHECK_EQ(why.code, err);
        CHECK(why.offset <= size);
        return 0;
    }
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    hy_arena_init(&arena, kit_heap(), 0);
    suite_user user;
    CHECK_EQ(suite_user_make(&arena, 40, &user), HY_OK);
    CHECK_EQ(hy_value_new(kit_heap(), &suite_plain_model, &user, &value, NULL), HY_OK);
    HY_CLEANUP(suite_unref_value) hy_value *old = hy_value_ref(value);
    bool is_element;
    const hy_field *field = hy_path_field(&path, &is_element);
    const void *there = hy_path_get(value, &path);
    if (there != NULL) {
        CHECK_EQ(hy_path_set(&value, &path, there, &why), HY_OK);
        CHECK(value == old);
    }
    if (field->label == HY_OPTIONAL) {
        err = hy_path_set(&value, &path, NULL, &why);
        CHECK(err == HY_OK || err == HY_NOT_FOUND);
        CHECK(hy_path_get(value, &path) == NULL);
    }
    if (field->label == HY_REPEATED && !is_element && there != NULL) {
        err = hy_path_pop(&value, &path, &why);
        CHECK(err == HY_OK || err == HY_END);
    }
    CHECK(hy_value_holds(value));
    CHECK(hy_value_holds(old));
    return 0;
}
