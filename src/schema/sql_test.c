// Records as columns: the flattening, what may be NULL, the cells in wire form, and the limits.
//
// The columns are compared as the text of a table, which is how one would review them.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/schema_suite.h"
#include "schema/sql.h"

#define SQL_PLACE(F) F(1, u16, floor) F(2, opt(str), room)
HY_RECORD(sql_place, SQL_PLACE)
HY_RECORD_DEFINE(sql_place, SQL_PLACE)

#define SQL_HINTS(F) F(1, opt(str), note) F(2, opt(f64), weight)
HY_RECORD(sql_hints, SQL_HINTS)
HY_RECORD_DEFINE(sql_hints, SQL_HINTS)

#define SQL_ROW(F)                                                                                 \
    F(1, id, key)                                                                                  \
    F(2, u64, user)                                                                                \
    F(3, enm(suite_color), color)                                                                  \
    F(4, rec(sql_place), at)                                                                       \
    F(5, opt(rec(sql_place)), before)                                                              \
    F(6, opt(rec(sql_hints)), hints)                                                               \
    F(7, list(u32), numbers)                                                                       \
    F(8, one(suite_shape), shape)                                                                  \
    F(9, f64, weight)                                                                              \
    F(10, opt(bool), paid)                                                                         \
    F(11, bytes, photo)                                                                            \
    F(0, unknown, rest)
HY_RECORD(sql_row, SQL_ROW)
HY_RECORD_DEFINE(sql_row, SQL_ROW)

static hy_err records_become_columns(hy_mem *mem) {
    (void)mem;
    static hy_sql_column columns[HY_SQL_COLUMNS_MAX];
    uint32_t count = 0;
    CHECK_OK(hy_sql_columns(&sql_row_record, columns, &count));
    char text[2048];
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s %s%s%s\n", columns[i].name,
                                columns[i].type, columns[i].nullable ? "" : " NOT NULL",
                                hyi_sql_column_is_wire(&columns[i]) ? " -- wire" : "");
    }
    CHECK_TEXT(hy_bytes_of(text), "key TEXT NOT NULL\n"
                                  "user INTEGER NOT NULL\n"
                                  "color TEXT NOT NULL\n"
                                  "at_floor INTEGER NOT NULL\n"
                                  "at_room TEXT\n"
                                  "before_floor INTEGER\n"
                                  "before_room TEXT\n"
                                  "hints BLOB -- wire\n"
                                  "numbers BLOB NOT NULL -- wire\n"
                                  "shape BLOB NOT NULL -- wire\n"
                                  "weight REAL NOT NULL\n"
                                  "paid INTEGER\n"
                                  "photo BLOB NOT NULL\n"
                                  "rest BLOB NOT NULL\n");
    CHECK_EQ(columns[6].depth, 2);
    CHECK(strcmp(columns[6].path[0]->name, "before") == 0);
    CHECK(strcmp(columns[6].path[1]->name, "room") == 0);
    CHECK_EQ(columns[6].value_type, HY_TYPE_STR);
    return HY_OK;
}

static hy_err cells_come_back(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf cell = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&cell, mem, 0);
    uint32_t numbers[] = { 5, 0, 70000 };
    sql_row row = { .numbers = { numbers, 3 }, .hints = { .has = true } }, back = { .user = 9 };
    const hy_field *fields = hy_record_fields(&sql_row_record);
    const hy_field *list = &fields[6], *hints = &fields[5];
    CHECK_OK(hyi_sql_cell_encode(list, &row.numbers, &cell));
    CHECK_OK(hyi_sql_cell_decode(list, hy_buf_bytes(&cell), &arena, &back.numbers, NULL));
    CHECK_EQ(back.numbers.len, 3);
    CHECK_EQ(back.numbers.ptr[2], 70000);
    CHECK_EQ(back.user, 9); // nothing but the member was touched
    hy_buf_clear(&cell);
    CHECK_OK(hyi_sql_cell_encode(hints, &row.hints, &cell));
    CHECK_OK(hyi_sql_cell_decode(hints, hy_buf_bytes(&cell), &arena, &back.hints, NULL));
    CHECK_EQ(back.hints.has, true); // there, though all in it is unset
    hy_why why;
    CHECK_ERR(hyi_sql_cell_decode(list, HY_BYTES("\x3a\x09\x01"), &arena, &back.numbers, &why),
              HY_MALFORMED);
    CHECK_TEXT(hy_bytes_of(why.place), "numbers[0]");
    return HY_OK;
}

#define SQL_D1(F) F(1, u8, a)
#define SQL_D2(F) F(1, rec(sql_d1), b)
#define SQL_D3(F) F(1, rec(sql_d2), c)
#define SQL_D4(F) F(1, rec(sql_d3), d)
#define SQL_D5(F) F(1, rec(sql_d4), e)
HY_RECORD(sql_d1, SQL_D1)
HY_RECORD(sql_d2, SQL_D2)
HY_RECORD(sql_d3, SQL_D3)
HY_RECORD(sql_d4, SQL_D4)
HY_RECORD(sql_d5, SQL_D5)
HY_RECORD_DEFINE(sql_d1, SQL_D1)
HY_RECORD_DEFINE(sql_d2, SQL_D2)
HY_RECORD_DEFINE(sql_d3, SQL_D3)
HY_RECORD_DEFINE(sql_d4, SQL_D4)
HY_RECORD_DEFINE(sql_d5, SQL_D5)

#define SQL_TWINS(F) F(1, rec(sql_d1), x) F(2, u8, X_A)
HY_RECORD(sql_twins, SQL_TWINS)
HY_RECORD_DEFINE(sql_twins, SQL_TWINS)

#define SQL_LONG(F)                                                                                \
    F(1, rec(sql_d1), a2345678901234567890123456789012345678901234567890123456789012)
HY_RECORD(sql_long, SQL_LONG)
HY_RECORD_DEFINE(sql_long, SQL_LONG)

#define SQL_HUGE(F)                                                                                \
    F(1, rec(suite_wide), a)                                                                       \
    F(2, rec(suite_wide), b)                                                                       \
    F(3, rec(suite_wide), c) F(4, rec(suite_wide), d) F(5, rec(suite_wide), e)
HY_RECORD(sql_huge, SQL_HUGE)
HY_RECORD_DEFINE(sql_huge, SQL_HUGE)

static hy_err what_is_no_row_is_refused(hy_mem *mem) {
    (void)mem;
    static hy_sql_column columns[HY_SQL_COLUMNS_MAX];
    uint32_t count = 77;
    CHECK_OK(hy_sql_columns(&sql_d4_record, columns, &count));
    CHECK_EQ(count, 1);
    CHECK_TEXT(hy_bytes_of(columns[0].name), "d_c_b_a");
    CHECK_ERR(hy_sql_columns(&sql_d5_record, columns, &count), HY_UNSUPPORTED);
    CHECK_ERR(hy_sql_columns(&suite_shape_record, columns, &count), HY_UNSUPPORTED);
    CHECK_ERR(hy_sql_columns(&sql_twins_record, columns, &count), HY_SCHEMA);
    CHECK_ERR(hy_sql_columns(&sql_long_record, columns, &count), HY_LIMIT);
    CHECK_ERR(hy_sql_columns(&sql_huge_record, columns, &count), HY_LIMIT);
    CHECK_EQ(count, 1); // written on success only
    return HY_OK;
}

KIT_TESTS(KIT_TEST(records_become_columns), KIT_TEST(cells_come_back),
          KIT_TEST(what_is_no_row_is_refused))
