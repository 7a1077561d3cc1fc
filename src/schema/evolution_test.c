// Each rule of evolution as a row of a table: what the field was, what it is, and whether that
// goes.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/schema_suite.h"

static const hy_enum_value first_values[] = { { 0, "IDLE", "idle" },
                                              { 1, "BUSY", "busy" },
                                              { 2, "DONE", "done" } };
static const hy_enum_value fewer_values[] = { { 0, "IDLE", "idle" }, { 2, "DONE", "done" } };
static const hy_enum_value renamed_values[] = { { 0, "IDLE", "idle" },
                                                { 1, "ACTIVE", "active" },
                                                { 3, "LATE", "late" } };
static const hy_enum_value moved_values[] = { { 0, "IDLE", "idle" }, { 3, "DONE", "finished" } };
static const hy_enum_value label_moved_values[] = { { 0, "IDLE", "idle" }, { 3, "READY", "done" } };
static const hy_enum first_enum = { "first", first_values, 3 };
static const hy_enum fewer_enum = { "fewer", fewer_values, 2 };
static const hy_enum renamed_enum = { "renamed", renamed_values, 3 };
static const hy_enum moved_enum = { "moved", moved_values, 2 };
static const hy_enum label_moved_enum = { "label_moved", label_moved_values, 2 };

// suite_point with one more field, with a narrower one, and as a union.
#define POINT_3D(F) F(1, i32, x) F(2, i64, y) F(3, i32, z)
HY_RECORD(point_3d, POINT_3D)
HY_RECORD_DEFINE(point_3d, POINT_3D)
#define POINT_SMALL(F) F(1, i32, x) F(2, i16, y)
HY_RECORD(point_small, POINT_SMALL)
HY_RECORD_DEFINE(point_small, POINT_SMALL)
#define POINT_EITHER(U) U(1, i32, x) U(2, i32, y)
HY_UNION(point_either, POINT_EITHER)
HY_UNION_DEFINE(point_either, POINT_EITHER)

typedef struct evolution_row {
    hy_field before, after;
    bool goes;
} evolution_row;

#define WAS(number_, name_, type_, label_, ...)                                                    \
    { .number = number_, .name = name_, .type = HY_TYPE_##type_, .label = HY_##label_, __VA_ARGS__ }
#define PLAIN(type, label) WAS(1, "a", type, label, )
#define OF(type, record_) WAS(1, "a", type, SINGLE, .of = &record_##_record)
#define AMONG(values_) WAS(1, "a", ENUM, SINGLE, .values = &values_##_enum)

static const evolution_row evolution_rows[] = {
    // fields come, go and are renamed; numbers stay
    { PLAIN(U8, SINGLE), WAS(2, "b", STR, SINGLE, ), true },
    { PLAIN(U8, SINGLE), WAS(1, "b", U8, SINGLE, ), true },
    { PLAIN(U8, SINGLE), WAS(2, "a", U8, SINGLE, ), false },
    { PLAIN(U8, SINGLE), WAS(1, "b", STR, SINGLE, ), false },
    // widening
    { PLAIN(U8, SINGLE), PLAIN(U16, SINGLE), true },
    { PLAIN(U8, SINGLE), PLAIN(U32, SINGLE), true },
    { PLAIN(U32, SINGLE), PLAIN(U64, SINGLE), true },
    { PLAIN(U32, SINGLE), PLAIN(U8, SINGLE), false },
    { PLAIN(U64, SINGLE), PLAIN(U32, SINGLE), false },
    { PLAIN(I8, SINGLE), PLAIN(I64, SINGLE), true },
    { PLAIN(I64, SINGLE), PLAIN(I32, SINGLE), false },
    { PLAIN(U8, SINGLE), PLAIN(I16, SINGLE), false },
    { PLAIN(I8, SINGLE), PLAIN(U16, SINGLE), false },
    { PLAIN(BOOL, SINGLE), PLAIN(U8, SINGLE), true },
    { PLAIN(U8, SINGLE), PLAIN(BOOL, SINGLE), false },
    { PLAIN(U8, REPEATED), PLAIN(U32, REPEATED), true },
    // texts, bytes, ids
    { PLAIN(STR, SINGLE), PLAIN(BYTES, SINGLE), true },
    { PLAIN(BYTES, SINGLE), PLAIN(STR, SINGLE), false },
    { PLAIN(ID, SINGLE), PLAIN(BYTES, SINGLE), true },
    { PLAIN(BYTES, SINGLE), PLAIN(ID, SINGLE), false },
    { PLAIN(STR, SINGLE), PLAIN(ID, SINGLE), false },
    { PLAIN(STR, SINGLE), PLAIN(U32, SINGLE), false },
    { PLAIN(F64, SINGLE), PLAIN(U64, SINGLE), false },
    { PLAIN(I64, SINGLE), PLAIN(F64, SINGLE), false },
    // labels
    { PLAIN(U8, SINGLE), PLAIN(U8, OPTIONAL), true },
    { PLAIN(U8, OPTIONAL), PLAIN(U8, SINGLE), true },
    { PLAIN(U8, OPTIONAL), PLAIN(U16, SINGLE), true },
    { PLAIN(U8, SINGLE), PLAIN(U8, REPEATED), false },
    { PLAIN(U8, REPEATED), PLAIN(U8, SINGLE), false },
    { PLAIN(STR, OPTIONAL), PLAIN(STR, REPEATED), false },
    // enums
    { AMONG(first), AMONG(first), true },
    { AMONG(first), AMONG(fewer), true },
    { AMONG(fewer), AMONG(first), true },
    { AMONG(first), AMONG(renamed), true },
    { AMONG(first), AMONG(moved), false },
    { AMONG(first), AMONG(label_moved), false },
    { AMONG(first), PLAIN(U32, SINGLE), true },
    { AMONG(first), PLAIN(U16, SINGLE), false },
    { PLAIN(U8, SINGLE), AMONG(first), false },
    // records and unions
    { OF(RECORD, suite_point), OF(RECORD, point_3d), true },
    { OF(RECORD, point_3d), OF(RECORD, suite_point), false },
    { OF(RECORD, suite_point), OF(RECORD, point_small), false },
    { OF(RECORD, suite_point), OF(UNION, point_either), false },
    { OF(UNION, point_either), OF(UNION, point_either), true },
    { OF(RECORD, suite_point), PLAIN(BYTES, SINGLE), false },
    { OF(RECORD, suite_tree), OF(RECORD, suite_tree), true },
    { OF(RECORD, suite_wide), OF(RECORD, suite_wide), true },
};

static hy_err the_table_holds(hy_mem *mem) {
    (void)mem;
    for (size_t i = 0; i < sizeof evolution_rows / sizeof evolution_rows[0]; i++) {
        const evolution_row *row = &evolution_rows[i];
        hy_record before = { .name = "old", .size = 1, .field_count = 1, .fields = &row->before };
        hy_record after = { .name = "new", .size = 1, .field_count = 1, .fields = &row->after };
        hy_why why = { .place = "" };
        hy_err err = hy_evolution_check(&before, &after, &why);
        if (err != (row->goes ? HY_OK : HY_SCHEMA)) {
            kit_fail(__FILE__, __LINE__, "row %d: %s %s", (int)i, hy_err_name(err), why.text);
        }
        CHECK_EQ(hy_evolution_check(&before, &after, NULL), err);
    }
    return HY_OK;
}

static hy_err the_place_is_the_field_that_breaks(hy_mem *mem) {
    (void)mem;
    hy_field before[2] = { WAS(1, "a", U8, SINGLE, ),
                           WAS(2, "where", RECORD, REPEATED, .of = &suite_point_record) };
    hy_field after[2] = { before[0], WAS(2, "where", RECORD, REPEATED, .of = &point_small_record) };
    hy_record old = { .name = "visit", .size = 1, .field_count = 2, .fields = before };
    hy_record new = { .name = "visit", .size = 1, .field_count = 2, .fields = after };
    hy_why why;
    CHECK_ERR(hy_evolution_check(&old, &new, &why), HY_SCHEMA);
    CHECK_TEXT(hy_bytes_of(why.place), "suite_point.y");
    after[0].type = HY_TYPE_STR;
    CHECK_ERR(hy_evolution_check(&old, &new, &why), HY_SCHEMA);
    CHECK_TEXT(hy_bytes_of(why.place), "visit.a");
    CHECK_ERR(hy_evolution_check(&suite_point_record, &point_either_record, &why), HY_SCHEMA);
    CHECK_TEXT(hy_bytes_of(why.place), "suite_point");
    return HY_OK;
}

// The rules against the codec: what the check allows, the codec does read.
static hy_err widened_bytes_are_read(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    suite_point old = { .x = -5, .y = INT32_MIN };
    CHECK_OK(hy_wire_encode(&suite_point_record, &old, &out));
    point_3d wide;
    CHECK_OK(hy_wire_decode(&point_3d_record, hy_buf_bytes(&out), &arena, &wide, NULL));
    CHECK_EQ(wide.x, -5);
    CHECK_EQ(wide.y, INT32_MIN);
    CHECK_EQ(wide.z, 0);
    hy_buf_clear(&out);
    wide.z = 8;
    CHECK_OK(hy_wire_encode(&point_3d_record, &wide, &out));
    CHECK_OK(hy_wire_decode(&suite_point_record, hy_buf_bytes(&out), &arena, &old, NULL));
    CHECK_EQ(old.y, INT32_MIN);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(the_table_holds), KIT_TEST(the_place_is_the_field_that_breaks),
          KIT_TEST(widened_bytes_are_read))
