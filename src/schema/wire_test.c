// The wire codec against hand-made bytes: each rule of Protocol Buffers once, each refusal once,
// and random records both ways. The comparison with the real protoc is in protoc_test.c.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/schema_suite.h"

// A decode of `bytes` from the edge of a page, so that one byte too far is a crash.
static hy_err wire_decode_guarded(const hy_record *record, hy_bytes bytes, hy_arena *arena,
                                  void *out_value, hy_why *why) {
    hy_bytes guarded = kit_guard_copy(bytes);
    hy_err err = hy_wire_decode(record, guarded, arena, out_value, why);
    if (why != NULL && err != HY_OK) CHECK(why->offset <= bytes.len);
    kit_guard_free(guarded);
    return err;
}

static hy_err encodes_in_order_of_number(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    suite_point point = { .x = 1, .y = -1 };
    CHECK_OK(hy_wire_encode(&suite_point_record, &point, &out));
    CHECK_TEXT(hy_buf_bytes(&out), "\x08\x02\x10\x01");
    hy_buf_clear(&out);

    // The description of suite_rest has the unknown fields in the middle; they go last.
    suite_rest rest = { .known = 7, .rest = HY_BYTES("\x28\x01"), .late = HY_BYTES("z") };
    CHECK_OK(hy_wire_encode(&suite_rest_record, &rest, &out));
    CHECK_TEXT(hy_buf_bytes(&out), "\x18\x07\xa2\x01\x01z\x28\x01");
    return HY_OK;
}

#define DISORDER(F) F(3, u8, c) F(1, u8, a) F(2, u8, b)
HY_RECORD(disorder, DISORDER)
HY_RECORD_DEFINE(disorder, DISORDER)

static hy_err sorts_descriptions_that_are_not(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    hy_buf_add(&out, "head", 4);
    disorder value = { .c = 3, .a = 1, .b = 2 };
    hy_err err = hy_wire_encode(&disorder_record, &value, &out);
    if (err != HY_OK) return err;
    CHECK_TEXT(hy_buf_bytes(&out), "head\x08\x01\x10\x02\x18\x03");
    return HY_OK;
}

static hy_err leaves_out_zero(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    suite_wide wide;
    memset(&wide, 0, sizeof wide);
    CHECK_OK(hy_wire_encode(&suite_wide_record, &wide, &out));
    CHECK_EQ(out.len, 0);
    wide.maybe_u8.has = true; // an option that is set to zero is written
    wide.a_shape.which = 2;   // and so is a member of a union
    CHECK_OK(hy_wire_encode(&suite_wide_record, &wide, &out));
    CHECK_TEXT(hy_buf_bytes(&out), "\x82\x01\x02\x10\x00\xa8\x06\x00");
    return HY_OK;
}

static hy_err random_records_come_back(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 }, again = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    hy_buf_init(&again, mem, 0);
    suite_random random = { .state = kit_seed(), .arena = &arena };
    for (int i = 0; i < 30; i++) {
        suite_wide before, after;
        random.keep_unknown = i % 2 == 0;
        random.any_f64 = true;
        random.depth_max = 3;
        CHECK_OK(suite_fill(&random, &suite_wide_record, &before));
        hy_buf_clear(&out);
        CHECK_OK(hy_wire_encode(&suite_wide_record, &before, &out));
        memset(&after, 0xee, sizeof after);
        CHECK_OK(hy_wire_decode(&suite_wide_record, hy_buf_bytes(&out), &arena, &after, NULL));
        CHECK(suite_equal(&suite_wide_record, &before, &after));
        hy_buf_clear(&again);
        CHECK_OK(hy_wire_encode(&suite_wide_record, &after, &again));
        CHECK_BYTES(hy_buf_bytes(&out), hy_buf_bytes(&again));
        hy_arena_reset(&arena);
    }
    return HY_OK;
}

// Every cut of a message is refused or is the message of fewer fields; never a crash, and what an
// error leaves is a cleared record.
static hy_err every_cut_is_answered(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    suite_random random = { .state = kit_seed() + 9, .arena = &arena, .depth_max = 2 };
    suite_nest nest, cleared;
    memset(&cleared, 0, sizeof cleared);
    do {
        CHECK_OK(suite_fill(&random, &suite_nest_record, &nest));
    } while (nest.points.len == 0 || nest.shape.which == 0);
    CHECK_OK(hy_wire_encode(&suite_nest_record, &nest, &out));
    for (size_t len = 0; len < out.len; len++) {
        hy_why why;
        hy_err err = wire_decode_guarded(&suite_nest_record, (hy_bytes){ out.ptr, len }, &arena,
                                         &nest, &why);
        if (err == HY_NOMEM) return err;
        if (err != HY_OK) CHECK(memcmp(&nest, &cleared, sizeof nest) == 0);
        if (err != HY_OK) CHECK(err == HY_MALFORMED);
    }
    return HY_OK;
}

static hy_err last_one_wins_and_records_merge(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_rest rest;
    CHECK_OK(
        wire_decode_guarded(&suite_rest_record, HY_BYTES("\x18\x07\x18\x09"), &arena, &rest, NULL));
    CHECK_EQ(rest.known, 9);

    suite_nest nest; // tail.known, points[0], tail.late, points[1]
    hy_bytes bytes =
        HY_BYTES("\x22\x02\x18\x05\x12\x02\x08\x02\x22\x04\xa2\x01\x01z\x12\x02\x10\x04");
    CHECK_OK(wire_decode_guarded(&suite_nest_record, bytes, &arena, &nest, NULL));
    CHECK_EQ(nest.tail.known, 5);
    CHECK_TEXT(nest.tail.late, "z");
    CHECK_EQ(nest.points.len, 2);
    CHECK_EQ(nest.points.ptr[0].x, 1);
    CHECK_EQ(nest.points.ptr[1].y, 2);
    return HY_OK;
}

static hy_err a_union_keeps_its_last_member(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_shape shape;
    hy_bytes point_twice = HY_BYTES("\x0a\x02\x08\x02\x0a\x02\x10\x04");
    CHECK_OK(wire_decode_guarded(&suite_shape_record, point_twice, &arena, &shape, NULL));
    CHECK_EQ(shape.which, 1);
    CHECK_EQ(shape.point.x, 1);
    CHECK_EQ(shape.point.y, 2);
    hy_bytes other_between = HY_BYTES("\x0a\x02\x08\x02\x10\x63\x0a\x02\x10\x04");
    CHECK_OK(wire_decode_guarded(&suite_shape_record, other_between, &arena, &shape, NULL));
    CHECK_EQ(shape.point.x, 0);
    CHECK_EQ(shape.point.y, 2);
    return HY_OK;
}

static hy_err lists_are_read_packed_or_not(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_wide wide; // many_u8 is field 201: packed 1 2, then 3, then packed 4
    hy_bytes bytes = HY_BYTES("\xca\x0c\x02\x01\x02\xc8\x0c\x03\xca\x0c\x01\x04");
    CHECK_OK(wire_decode_guarded(&suite_wide_record, bytes, &arena, &wide, NULL));
    CHECK_EQ(wide.many_u8.len, 4);
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(wide.many_u8.ptr[i], i + 1);
    }
    CHECK_OK(
        wire_decode_guarded(&suite_wide_record, HY_BYTES("\xca\x0c\x00"), &arena, &wide, NULL));
    CHECK_EQ(wide.many_u8.len, 0);
    return HY_OK;
}

static hy_err unknown_fields_stay_in_order(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    // 5: varint in a long form; 3: known; 6: a group with a nested group and a fixed32; 7: fixed64
    hy_bytes bytes = HY_BYTES("\x28\x81\x00\x18\x07\x33\x0b\x15wxyz\x0c\x34\x39"
                              "abcdefgh");
    suite_rest rest;
    CHECK_OK(wire_decode_guarded(&suite_rest_record, bytes, &arena, &rest, NULL));
    CHECK_TEXT(rest.rest, "\x28\x81\x00\x33\x0b\x15wxyz\x0c\x34\x39"
                          "abcdefgh");
    CHECK_OK(hy_wire_encode(&suite_rest_record, &rest, &out));
    CHECK_EQ(out.len, bytes.len);
    suite_point point; // keeps none, so skips them
    CHECK_OK(wire_decode_guarded(&suite_point_record, bytes, &arena, &point, NULL));
    return HY_OK;
}

typedef struct wire_refusal {
    const hy_record *record;
    hy_bytes bytes;
    hy_err err;
    uint64_t offset;
    const char *place;
} wire_refusal;

static hy_err refuses_with_the_place(hy_mem *mem) {
    const wire_refusal table[] = {
        { &suite_wide_record, HY_BYTES("\x08\xac\x02"), HY_RANGE, 1, "a_u8" },
        { &suite_wide_record, HY_BYTES("\x10\xff\xff\x7f"), HY_RANGE, 1, "a_u16" },
        { &suite_wide_record, HY_BYTES("\x18\xff\xff\xff\xff\x7f"), HY_RANGE, 1, "a_u32" },
        { &suite_wide_record, HY_BYTES("\x28\x80\x02"), HY_RANGE, 1, "a_i8" },
        { &suite_wide_record, HY_BYTES("\x48\x02"), HY_RANGE, 1, "a_bool" },
        { &suite_wide_record, HY_BYTES("\x70\xff\xff\xff\xff\x0f"), HY_RANGE, 1, "a_color" },
        { &suite_wide_record, HY_BYTES("\x6a\x02zz"), HY_RANGE, 2, "a_id" },
        { &suite_wide_record, HY_BYTES("\x5a\x02\xc3("), HY_NOT_UTF8, 2, "a_str" },
        { &suite_wide_record, HY_BYTES("\x0a\x01\x01"), HY_MALFORMED, 1, "a_u8" },
        { &suite_wide_record, HY_BYTES("\x5a\x05zz"), HY_MALFORMED, 1, "a_str" },
        { &suite_wide_record, HY_BYTES("\x51zz"), HY_MALFORMED, 1, "a_f64" },
        { &suite_wide_record, HY_BYTES("\xca\x0c\x03\x01\x01\x80"), HY_MALFORMED, 5, "many_u8[2]" },
        { &suite_wide_record, HY_BYTES("\xca\x0c\x03\x01\xac\x02"), HY_RANGE, 4, "many_u8[1]" },
        { &suite_wide_record, HY_BYTES("\x7a\x08\x12\x00\x12\x04\x08\x01\x10\x80"), HY_MALFORMED, 9,
          "a_nest.points[1].y" },
        { &suite_wide_record, HY_BYTES("\x82\x01\x03\x12\x01z"), HY_MALFORMED, 4,
          "a_shape.radius" },
        { &suite_point_record, HY_BYTES("\x00\x01"), HY_MALFORMED, 0, "" },
        { &suite_point_record, HY_BYTES("\x80"), HY_MALFORMED, 0, "" },
        { &suite_point_record, HY_BYTES("\x3e\x01"), HY_MALFORMED, 0, "" },
        { &suite_point_record, HY_BYTES("\x34"), HY_MALFORMED, 0, "" },
        { &suite_point_record, HY_BYTES("\x33\x3c"), HY_MALFORMED, 0, "" },
        { &suite_point_record, HY_BYTES("\x2a\x05zz"), HY_MALFORMED, 0, "" },
        { &suite_point_record, HY_BYTES("\x29zz"), HY_MALFORMED, 0, "" },
        { &suite_point_record, HY_BYTES("\x80\x80\x80\x80\x80\x01"), HY_MALFORMED, 0, "" },
        { &suite_point_record, HY_BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
          HY_MALFORMED, 1, "x" },
    };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        suite_wide value;
        hy_why why = { .code = HY_OK };
        CHECK_ERR(wire_decode_guarded(table[i].record, table[i].bytes, &arena, &value, &why),
                  table[i].err);
        CHECK_EQ(why.code, table[i].err);
        CHECK_EQ(why.offset, table[i].offset);
        CHECK_BYTES(hy_bytes_of(why.place), hy_bytes_of(table[i].place));
        CHECK(why.text[0] != '\0');
    }
    return HY_OK;
}

// A length of 127 takes one byte, one of 128 two: the body moves up.
static hy_err bodies_move_up_for_long_lengths(hy_mem *mem) {
    static const uint8_t letters[20000] = { 0 };
    static const size_t sizes[] = { 120, 121, 122, 123, 124, 125, 126, 16370, 16380, 16381, 20000 };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        suite_wide before, after;
        memset(&before, 0, sizeof before);
        before.a_u8 = 1;
        before.a_nest.name = (hy_bytes){ letters, sizes[i] };
        before.maybe_u8.has = true;
        hy_buf_clear(&out);
        CHECK_OK(hy_wire_encode(&suite_wide_record, &before, &out));
        CHECK_OK(hy_wire_decode(&suite_wide_record, hy_buf_bytes(&out), &arena, &after, NULL));
        CHECK(suite_equal(&suite_wide_record, &before, &after));
    }
    CHECK_EQ(out.len, 2 + (1 + 3) + (1 + 3) + 20000 + 3);
    return HY_OK;
}

// A chain of `depth` trees inside each other, built from the inside out.
static hy_err wire_deep_tree(hy_arena *arena, size_t depth, suite_tree **out_tree) {
    suite_tree *inner = NULL;
    for (size_t i = 0; i < depth; i++) {
        suite_tree *tree = hy_arena_alloc(arena, sizeof *tree);
        if (tree == NULL) return HY_NOMEM;
        *tree = (suite_tree){ .value = 1 };
        tree->children.ptr = inner;
        tree->children.len = inner != NULL;
        inner = tree;
    }
    *out_tree = inner;
    return HY_OK;
}

static hy_err depth_is_bounded_both_ways(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    suite_tree *tree, back;
    CHECK_OK(wire_deep_tree(&arena, HY_DEPTH_MAX, &tree));
    CHECK_OK(hy_wire_encode(&suite_tree_record, tree, &out));
    CHECK_OK(hy_wire_decode(&suite_tree_record, hy_buf_bytes(&out), &arena, &back, NULL));
    CHECK(suite_equal(&suite_tree_record, tree, &back));

    hy_buf_clear(&out);
    CHECK_OK(wire_deep_tree(&arena, HY_DEPTH_MAX + 1, &tree));
    CHECK_ERR(hy_wire_encode(&suite_tree_record, tree, &out), HY_TOO_DEEP);
    CHECK_EQ(out.len, 0);

    uint8_t bytes[2 * (HY_DEPTH_MAX + 1)];
    size_t len = 0;
    for (size_t i = 0; i < HY_DEPTH_MAX; i++) {
        bytes[len++] = 0x12;
        bytes[len++] = (uint8_t)(2 * (HY_DEPTH_MAX - 1 - i));
    }
    hy_why why;
    CHECK_ERR(hy_wire_decode(&suite_tree_record, (hy_bytes){ bytes, len }, &arena, &back, &why),
              HY_TOO_DEEP);
    CHECK(strncmp(why.place, "children[0].children[0].", 24) == 0);
    CHECK(strcmp(why.place + strlen(why.place) - 3, "...") == 0);

    memset(bytes, 0x33, HY_DEPTH_MAX + 1); // groups in each other
    CHECK_ERR(hy_wire_decode(&suite_tree_record, (hy_bytes){ bytes, HY_DEPTH_MAX + 1 }, &arena,
                             &back, NULL),
              HY_TOO_DEEP);
    return HY_OK;
}

static hy_err encoder_refuses_what_cannot_come_back(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    suite_wide wide;
    memset(&wide, 0, sizeof wide);
    wide.a_color = (uint32_t)INT32_MAX + 1;
    CHECK_ERR(hy_wire_encode(&suite_wide_record, &wide, &out), HY_RANGE);
    wide.a_color = 0;
    wide.a_shape.which = 99;
    CHECK_ERR(hy_wire_encode(&suite_wide_record, &wide, &out), HY_RANGE);
    wide.a_shape.which = 0;
    wide.a_str = HY_BYTES("\xff");
    CHECK_ERR(hy_wire_encode(&suite_wide_record, &wide, &out), HY_NOT_UTF8);
    wide.a_str = HY_BYTES("");
    wide.rest = HY_BYTES("\x08");
    CHECK_ERR(hy_wire_encode(&suite_wide_record, &wide, &out), HY_MALFORMED);
    CHECK_EQ(out.len, 0);
    CHECK_EQ(out.failed, HY_OK);
    return HY_OK;
}

// Exactly as many bytes as are needed are enough, one fewer is not; and what was in the buffer
// stays.
static hy_err limits_are_exact(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf whole = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&whole, mem, 0);
    suite_random random = { .state = kit_seed() + 1, .arena = &arena, .depth_max = 3 };
    suite_nest nest;
    do {
        CHECK_OK(suite_fill(&random, &suite_nest_record, &nest));
    } while (nest.points.len < 2);
    CHECK_OK(hy_wire_encode(&suite_nest_record, &nest, &whole));
    for (size_t limit = 1; limit <= whole.len; limit++) {
        HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
        hy_buf_init(&out, mem, limit);
        hy_err err = hy_wire_encode(&suite_nest_record, &nest, &out);
        CHECK_ERR(err, limit < whole.len ? HY_TOO_LARGE : HY_OK);
        CHECK_EQ(out.failed, err);
        if (err == HY_OK) CHECK_BYTES(hy_buf_bytes(&out), hy_buf_bytes(&whole));
        if (err != HY_OK) CHECK_EQ(out.len, 0);
    }
    return HY_OK;
}

// The time a decode takes may not depend on the order of fields: two lists element by element in
// turn.
static hy_err alternating_lists_stay_linear(hy_mem *mem) {
    enum { PAIRS = 20000 };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf in = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&in, mem, 0);
    for (int i = 0; i < PAIRS; i++) {
        hy_buf_add(&in, "\xc8\x0c\x01\xd0\x0c\x02", 6);
    }
    if (in.failed != HY_OK) return in.failed;
    suite_wide wide;
    CHECK_OK(hy_wire_decode(&suite_wide_record, hy_buf_bytes(&in), &arena, &wide, NULL));
    CHECK_EQ(wide.many_u8.len, PAIRS);
    CHECK_EQ(wide.many_u16.len, PAIRS);
    CHECK_EQ(wide.many_u16.ptr[PAIRS - 1], 2);
    CHECK(arena.used_bytes < 16 * PAIRS);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(encodes_in_order_of_number), KIT_TEST(sorts_descriptions_that_are_not),
          KIT_TEST(leaves_out_zero), KIT_TEST(random_records_come_back),
          KIT_TEST(every_cut_is_answered), KIT_TEST(last_one_wins_and_records_merge),
          KIT_TEST(a_union_keeps_its_last_member), KIT_TEST(lists_are_read_packed_or_not),
          KIT_TEST(unknown_fields_stay_in_order), KIT_TEST(refuses_with_the_place),
          KIT_TEST(depth_is_bounded_both_ways), KIT_TEST(encoder_refuses_what_cannot_come_back),
          KIT_TEST(bodies_move_up_for_long_lengths), KIT_TEST(limits_are_exact),
          KIT_TEST(alternating_lists_stay_linear))
