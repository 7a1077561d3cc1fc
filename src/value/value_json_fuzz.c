// Any text as a value with rules: refused, or one that is the same after JSON and keeps the rules.
//
// The first byte picks the model, the rest is the text.
#include "kit/kit.h"

#include <hypha/value.h>

#include "base/cleanup.h"
#include "value/value_suite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const hy_model *model = data[0] % 2 == 0 ? &suite_user_model : &suite_plain_model;
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    HY_CLEANUP(suite_unref_value) hy_value *back = NULL;
    HY_CLEANUP(hy_buf_deinit) hy_buf text = { 0 };
    hy_buf_init(&text, kit_heap(), 0);
    hy_why why = { .place = "" };
    hy_err err =
        hy_value_from_json(kit_heap(), model, (hy_bytes){ data + 1, size - 1 }, &value, &why);
    if (err != HY_OK) {
        CHECK_EQ(why.code, err);
        CHECK(value == NULL);
        return 0;
    }
    CHECK(hy_value_holds(value));
    CHECK_EQ(hy_model_verify(model, hy_value_get(value), NULL), HY_OK);
    CHECK_EQ(hy_value_to_json(value, &text), HY_OK);
    CHECK_EQ(hy_value_from_json(kit_heap(), model, hy_buf_bytes(&text), &back, NULL), HY_OK);
    CHECK(hy_value_equal(value, back));
    CHECK_EQ(hy_value_hash(value), hy_value_hash(back));
    return 0;
}
