// Any text as a record: refused, or a value that is the same after JSON and after the wire.
//
// The first byte picks the record, the rest is the text.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/schema_suite.h"

static const hy_record *const json_record_fuzz_records[] = { &suite_wide_record, &suite_nest_record,
                                                             &suite_tree_record,
                                                             &suite_shape_record };

typedef union json_record_fuzz_value {
    suite_wide wide;
    suite_nest nest;
    suite_tree tree;
    suite_shape shape;
} json_record_fuzz_value;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const hy_record *record = json_record_fuzz_records[data[0] % 4];
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf text = { 0 }, wire = { 0 };
    hy_arena_init(&arena, kit_heap(), (size_t)1 << 26);
    hy_buf_init(&text, kit_heap(), 0);
    hy_buf_init(&wire, kit_heap(), 0);
    json_record_fuzz_value value, back;
    memset(&value, 0xaa, sizeof value);
    hy_why why = { .place = "" };
    hy_err err = hy_json_decode(record, (hy_bytes){ data + 1, size - 1 }, &arena, &value, &why);
    if (err != HY_OK) {
        CHECK_EQ(why.code, err);
        CHECK(why.offset <= size - 1);
        return 0;
    }
    CHECK_EQ(hy_json_encode(record, &value, &text), HY_OK);
    CHECK_EQ(hy_json_decode(record, hy_buf_bytes(&text), &arena, &back, NULL), HY_OK);
    CHECK(suite_equal(record, &value, &back));
    CHECK_EQ(hy_wire_encode(record, &value, &wire), HY_OK);
    CHECK_EQ(hy_wire_decode(record, hy_buf_bytes(&wire), &arena, &back, NULL), HY_OK);
    CHECK(suite_equal(record, &value, &back));
    return 0;
}
