// Any bytes as a record: refused, or a value that encodes and decodes to itself for ever.
//
// The first byte picks the record, the rest is the message. The memory of one decode is limited, as
// it is behind a server; running into the limit is an answer like any other.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/schema_suite.h"

static const hy_record *const wire_fuzz_records[] = { &suite_wide_record, &suite_nest_record,
                                                      &suite_tree_record, &suite_shape_record,
                                                      &suite_rest_record };

typedef union wire_fuzz_value {
    suite_wide wide;
    suite_nest nest;
    suite_tree tree;
    suite_shape shape;
    suite_rest rest;
} wire_fuzz_value;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const hy_record *record = wire_fuzz_records[data[0] % 5];
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf first = { 0 }, second = { 0 };
    hy_arena_init(&arena, kit_heap(), (size_t)1 << 26);
    hy_buf_init(&first, kit_heap(), 0);
    hy_buf_init(&second, kit_heap(), 0);
    wire_fuzz_value value, back;
    memset(&value, 0xaa, sizeof value);
    hy_why why = { .place = "" };
    hy_err err = hy_wire_decode(record, (hy_bytes){ data + 1, size - 1 }, &arena, &value, &why);
    if (err != HY_OK) {
        CHECK_EQ(why.code, err);
        CHECK(why.offset <= size - 1);
        return 0;
    }
    CHECK_EQ(hy_wire_encode(record, &value, &first), HY_OK);
    CHECK_EQ(hy_wire_decode(record, hy_buf_bytes(&first), &arena, &back, NULL), HY_OK);
    CHECK(suite_equal(record, &value, &back));
    CHECK_EQ(hy_wire_encode(record, &back, &second), HY_OK);
    CHECK_BYTES(hy_buf_bytes(&first), hy_buf_bytes(&second));
    return 0;
}
