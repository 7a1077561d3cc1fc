// Descriptions as bytes and back: the same meaning, the very layout that the compiler chose, rows
// that can be read with what was read, and refusals of everything that would not hold.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/record.h"
#include "schema/schema_suite.h"

#define NARROW(F) F(1, u8, a) F(2, bool, b)
HY_RECORD(narrow, NARROW)
HY_RECORD_DEFINE(narrow, NARROW)
#define NARROW_EITHER(U) U(1, str, b) U(2, u8, a)
HY_UNION(narrow_either, NARROW_EITHER)
HY_UNION_DEFINE(narrow_either, NARROW_EITHER)
#define PADDED(F)                                                                                  \
    F(1, u8, a)                                                                                    \
    F(2, u64, b)                                                                                   \
    F(3, u16, c)                                                                                   \
    F(4, opt(u16), d)                                                                              \
    F(5, opt(rec(narrow)), e)                                                                      \
    F(6, one(narrow_either), f)                                                                    \
    F(7, list(one(narrow_either)), g)                                                              \
    F(8, u8, h) F(9, opt(f64), i) F(10, opt(one(suite_shape)), j) F(11, u8, k)
HY_RECORD(padded, PADDED)
HY_RECORD_DEFINE(padded, PADDED)

static hy_err describe_round_trip(hy_mem *mem, const hy_record *const *records, size_t count,
                                  hy_arena *arena, const hy_record *const **out_records) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    CHECK_OK(hy_schema_encode(records, count, &out));
    size_t back = 0;
    hy_bytes guarded = kit_guard_copy(hy_buf_bytes(&out));
    hy_err err = hy_schema_decode(guarded, arena, out_records, &back, NULL);
    kit_guard_free(guarded);
    if (err == HY_OK) CHECK_EQ(back, count);
    return err;
}

static hy_err the_layout_is_the_compilers(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    const hy_record *records[] = { &suite_wide_record, &padded_record, &suite_shape_record };
    const hy_record *const *back;
    CHECK_OK(describe_round_trip(mem, records, 3, &arena, &back));
    hyi_reach here, there;
    CHECK_OK(hyi_reach_from(&here, records, 3));
    CHECK_OK(hyi_reach_from(&there, back, 3));
    CHECK_EQ(here.record_count, there.record_count);
    for (uint32_t i = 0; i < here.record_count; i++) {
        const hy_record *a = here.records[i], *b = there.records[i];
        CHECK(strcmp(a->name, b->name) == 0);
        CHECK_EQ(a->size, b->size);
        CHECK_EQ(a->field_count, b->field_count);
        CHECK_EQ(hy_record_digest(a), hy_record_digest(b));
        for (uint32_t j = 0; j < a->field_count; j++) {
            const hy_field *x = &hy_record_fields(a)[j], *y = &hy_record_fields(b)[j];
            CHECK_EQ(x->offset, y->offset);
            CHECK_EQ(x->size, y->size);
            CHECK_EQ(x->align, y->align);
        }
    }
    return HY_OK;
}

static hy_err rows_are_read_with_it(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    const hy_record *records[] = { &suite_wide_record };
    const hy_record *const *back;
    CHECK_OK(describe_round_trip(mem, records, 1, &arena, &back));
    suite_random random = { .state = kit_seed(), .arena = &arena, .depth_max = 2 };
    suite_wide before, after;
    CHECK_OK(suite_fill(&random, &suite_wide_record, &before));
    CHECK_OK(hy_wire_encode(&suite_wide_record, &before, &out));
    CHECK_OK(hy_wire_decode(back[0], hy_buf_bytes(&out), &arena, &after, NULL));
    CHECK(suite_equal(&suite_wide_record, &before, &after));
    return HY_OK;
}

static hy_err a_record_given_twice_comes_back_twice(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    const hy_record *records[] = { &suite_point_record, &suite_tree_record, &suite_point_record };
    const hy_record *const *back;
    CHECK_OK(describe_round_trip(mem, records, 3, &arena, &back));
    CHECK(back[0] == back[2]);
    CHECK(strcmp(back[1]->name, "suite_tree") == 0);
    CHECK(hy_record_fields(back[1])[1].of == back[1]);
    CHECK_OK(describe_round_trip(mem, records, 0, &arena, &back));
    return HY_OK;
}

// What stands in the bytes of a description that cannot be.
static hy_err impossible_descriptions_are_refused(hy_mem *mem) {
    // { roots: [1], records: [{ name: "r", fields: [...] }] }, the fields written by hand
    static const struct {
        hy_bytes bytes;
        hy_err err;
    } table[] = {
        { HY_BYTES("\x0a\x01\x01\x12\x03\x0a\x01r"), HY_OK },
        { HY_BYTES("\x0a\x01\x02\x12\x03\x0a\x01r"), HY_SCHEMA }, // no such root
        { HY_BYTES("\x0a\x01\x00\x12\x03\x0a\x01r"), HY_SCHEMA },
        { HY_BYTES("\x0a\x01\x01\x12\x00"), HY_SCHEMA },               // no name
        { HY_BYTES("\x0a\x01\x01\x12\x05\x0a\x03r\x00s"), HY_SCHEMA }, // a NUL in it
        { HY_BYTES("\x0a\x01\x01\x12\x0e\x0a\x01r\x1a\x09\x08\x01\x12\x01"
                   "a\x18\x01\x20\x01"),
          HY_OK }, // one u8
        { HY_BYTES("\x0a\x01\x01\x12\x0e\x0a\x01r\x1a\x09\x08\x01\x12\x01"
                   "a\x18\x12\x20\x01"),
          HY_SCHEMA }, // type 18
        { HY_BYTES("\x0a\x01\x01\x12\x0e\x0a\x01r\x1a\x09\x08\x01\x12\x01"
                   "a\x18\x01\x20\x04"),
          HY_SCHEMA }, // label 4
        { HY_BYTES("\x0a\x01\x01\x12\x10\x0a\x01r\x1a\x0b\x08\x01\x12\x01"
                   "a\x18\x0f\x20\x01\x28\x01"),
          HY_SCHEMA }, // itself, by value
        { HY_BYTES("\x0a\x01\x01\x12\x10\x0a\x01r\x1a\x0b\x08\x01\x12\x01"
                   "a\x18\x0f\x20\x03\x28\x01"),
          HY_OK }, // a list of itself
        { HY_BYTES("\x0a\x01\x01\x12\x10\x0a\x01r\x1a\x0b\x08\x01\x12\x01"
                   "a\x18\x0f\x20\x03\x28\x02"),
          HY_SCHEMA }, // a list of what is not there
        { HY_BYTES("\x0a\x01\x01\x12\x0e\x0a\x01r\x1a\x09\x08\x01\x12\x01"
                   "a\x18\x0e\x20\x01"),
          HY_SCHEMA }, // an enum of nothing
        { HY_BYTES("\x0a\x01\x01\x12\x09\x0a\x01r"), HY_MALFORMED },
        { HY_BYTES("\x12\x03\x0a\x01\xff"), HY_MALFORMED },
    };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const hy_record *const *back;
        size_t count;
        hy_why why = { .code = HY_OK };
        hy_err err = hy_schema_decode(table[i].bytes, &arena, &back, &count, &why);
        if (err != table[i].err && err != HY_NOMEM) {
            kit_fail(__FILE__, __LINE__, "row %d: %s %s", (int)i, hy_err_name(err), why.text);
        }
        if (err == HY_NOMEM) return err;
        CHECK_EQ(why.code, err);
    }
    return HY_OK;
}

// Records that double in size each time would soon be larger than memory.
static hy_err enormous_records_are_refused(hy_mem *mem) {
    enum { COUNT = 30 };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    hy_buf_add(&out, "\x0a\x01\x01", 3);
    for (int i = 0; i < COUNT; i++) {
        // { name, a: record i + 1, b: record i + 1 }; the last refers to nothing that is laid out
        uint8_t next = (uint8_t)(i + 2);
        uint8_t bytes[] = { 0x12,
                            31,
                            0x0a,
                            3,
                            'r',
                            (uint8_t)('a' + i / 10),
                            (uint8_t)('a' + i % 10),
                            0x1a,
                            11,
                            8,
                            1,
                            0x12,
                            1,
                            'a',
                            0x18,
                            15,
                            0x20,
                            1,
                            0x28,
                            next,
                            0x1a,
                            11,
                            8,
                            2,
                            0x12,
                            1,
                            'b',
                            0x18,
                            15,
                            0x20,
                            1,
                            0x28,
                            next };
        hy_buf_add(&out, bytes, sizeof bytes);
    }
    uint8_t leaf[] = { 0x12, 14, 0x0a, 1, 'z', 0x1a, 9, 8, 1, 0x12, 1, 'a', 0x18, 4, 0x20, 1 };
    hy_buf_add(&out, leaf, sizeof leaf);
    if (out.failed != HY_OK) return out.failed;
    const hy_record *const *back;
    size_t count;
    hy_why why;
    CHECK_ERR(hy_schema_decode(hy_buf_bytes(&out), &arena, &back, &count, &why), HY_SCHEMA);
    CHECK_TEXT(hy_bytes_of(why.text), "it is larger than 1 MiB");
    return HY_OK;
}

static hy_err bad_descriptions_are_not_written(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    hy_field fields[2] = { { 1, "a", HY_TYPE_U8, HY_SINGLE, 0, 1, 1, NULL, NULL },
                           { 1, "b", HY_TYPE_U8, HY_SINGLE, 1, 1, 1, NULL, NULL } };
    hy_record probe = { .name = "probe", .size = 2, .field_count = 2, .fields = fields };
    const hy_record *records[] = { &probe };
    CHECK_ERR(hy_schema_encode(records, 1, &out), HY_SCHEMA);
    CHECK_EQ(out.len, 0);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(the_layout_is_the_compilers), KIT_TEST(rows_are_read_with_it),
          KIT_TEST(a_record_given_twice_comes_back_twice),
          KIT_TEST(impossible_descriptions_are_refused), KIT_TEST(enormous_records_are_refused),
          KIT_TEST(bad_descriptions_are_not_written))
