// Any bytes as descriptions: refused, or descriptions that everything in this room can work with.
//
// What is accepted must come back the same from its own bytes, have the same digest, and go through
// every export, because `hypha inspect` does all of that with files from anywhere.
#include "kit/kit.h"

#include <hypha/schema.h>

#include "base/cleanup.h"

static void describe_fuzz_use(const hy_record *const *records, size_t count) {
    static hy_sql_column columns[HY_SQL_COLUMNS_MAX];
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, kit_heap(), 0);
    CHECK_EQ(hy_export_proto(records, count, "fuzz", &out), HY_OK);
    CHECK_EQ(hy_export_typescript(records, count, &out), HY_OK);
    CHECK_EQ(hy_export_json_schema(records, count, &out), HY_OK);
    for (size_t i = 0; i < count && i < 4; i++) {
        uint32_t column_count = 0;
        hy_err err = hy_sql_columns(records[i], columns, &column_count);
        CHECK(err != HY_OK || column_count <= HY_SQL_COLUMNS_MAX);
        CHECK_EQ(hy_evolution_check(records[i], records[i], NULL), HY_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf first = { 0 }, second = { 0 };
    hy_arena_init(&arena, kit_heap(), (size_t)1 << 26);
    hy_buf_init(&first, kit_heap(), 0);
    hy_buf_init(&second, kit_heap(), 0);
    const hy_record *const *records, *const *back;
    size_t count = 0, back_count = 0;
    hy_why why = { .place = "" };
    hy_err err = hy_schema_decode((hy_bytes){ data, size }, &arena, &records, &count, &why);
    if (err != HY_OK) {
        CHECK_EQ(why.code, err);
        return 0;
    }
    CHECK_EQ(hy_schema_encode(records, count, &first), HY_OK);
    CHECK_EQ(hy_schema_decode(hy_buf_bytes(&first), &arena, &back, &back_count, NULL), HY_OK);
    CHECK_EQ(count, back_count);
    for (size_t i = 0; i < count && i < 4; i++) {
        CHECK_EQ(hy_record_digest(records[i]), hy_record_digest(back[i]));
    }
    CHECK_EQ(hy_schema_encode(back, back_count, &second), HY_OK);
    CHECK_BYTES(hy_buf_bytes(&first), hy_buf_bytes(&second));
    describe_fuzz_use(records, count);
    return 0;
}
