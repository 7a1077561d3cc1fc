// JSON both ways: random records come back, every form is what the header says, and each mistake is
// refused with its place. Base64 is tested here too, for nothing else uses it.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/base64.h"
#include "schema/schema_suite.h"

static hy_err json_decode_guarded(const hy_record *record, hy_bytes text, hy_arena *arena,
                                  void *out_value, hy_why *why) {
    hy_bytes guarded = kit_guard_copy(text);
    hy_err err = hy_json_decode(record, guarded, arena, out_value, why);
    kit_guard_free(guarded);
    return err;
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
        random.depth_max = 3;
        CHECK_OK(suite_fill(&random, &suite_wide_record, &before));
        hy_buf_clear(&out);
        CHECK_OK(hy_json_encode(&suite_wide_record, &before, &out));
        memset(&after, 0xee, sizeof after);
        CHECK_OK(json_decode_guarded(&suite_wide_record, hy_buf_bytes(&out), &arena, &after, NULL));
        CHECK(suite_equal(&suite_wide_record, &before, &after));
        hy_buf_clear(&again);
        CHECK_OK(hy_json_encode(&suite_wide_record, &after, &again));
        CHECK_BYTES(hy_buf_bytes(&out), hy_buf_bytes(&again));
        hy_arena_reset(&arena);
    }
    return HY_OK;
}

static hy_err forms_are_those_of_the_header(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    suite_rest rest = { .known = 7, .rest = HY_BYTES("\x28\x01"), .late = HY_BYTES("a\"\n") };
    CHECK_OK(hy_json_encode(&suite_rest_record, &rest, &out));
    CHECK_TEXT(hy_buf_bytes(&out), "{\"known\":7,\"late\":\"a\\\"\\n\"}");
    hy_buf_clear(&out);
    suite_nest nest = { .name = HY_BYTES("n") }; // the union is unset, so it is not there
    CHECK_OK(hy_json_encode(&suite_nest_record, &nest, &out));
    CHECK_TEXT(hy_buf_bytes(&out),
               "{\"name\":\"n\",\"points\":[],\"tail\":{\"known\":0,\"late\":\"\"}}");
    hy_buf_clear(&out);
    suite_shape shape = { .which = 6, .owner = { 0x0123456789abcdef, 0xfedcba9876543210 } };
    CHECK_OK(hy_json_encode(&suite_shape_record, &shape, &out));
    CHECK_TEXT(hy_buf_bytes(&out), "{\"owner\":\"01234567-89ab-cdef-fedc-ba9876543210\"}");
    hy_buf_clear(&out);
    shape = (suite_shape){ .which = 4, .color = SUITE_BLUE };
    CHECK_OK(hy_json_encode(&suite_shape_record, &shape, &out));
    CHECK_TEXT(hy_buf_bytes(&out), "{\"color\":\"dark_blue\"}");
    hy_buf_clear(&out);
    shape.color = 5; // of a newer program: by its number, both ways
    CHECK_OK(hy_json_encode(&suite_shape_record, &shape, &out));
    CHECK_TEXT(hy_buf_bytes(&out), "{\"color\":5}");
    CHECK_OK(json_decode_guarded(&suite_shape_record, hy_buf_bytes(&out), &arena, &shape, NULL));
    CHECK_EQ(shape.color, 5);
    return HY_OK;
}

#define LARGE(F)                                                                                   \
    F(1, u64, u) F(2, i64, i) F(3, f64, f) F(4, bytes, b) F(5, opt(rec(suite_point)), o)
HY_RECORD(large, LARGE)
HY_RECORD_DEFINE(large, LARGE)

static hy_err large_numbers_become_texts(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    large value = { .u = UINT64_C(1) << 53, .i = -(INT64_C(1) << 53), .b = HY_BYTES("\xff\xfe") };
    CHECK_OK(hy_json_encode(&large_record, &value, &out));
    CHECK_TEXT(hy_buf_bytes(&out),
               "{\"u\":9007199254740992,\"i\":-9007199254740992,\"f\":0,\"b\":\"//4=\"}");
    hy_buf_clear(&out);
    value = (large){ .u = UINT64_MAX, .i = INT64_MIN, .f = 0.1, .o = { .has = true } };
    CHECK_OK(hy_json_encode(&large_record, &value, &out));
    CHECK_TEXT(hy_buf_bytes(&out),
               "{\"u\":\"18446744073709551615\",\"i\":\"-9223372036854775808\",\"f\":0.1,"
               "\"b\":\"\",\"o\":{\"x\":0,\"y\":0}}");
    large back;
    CHECK_OK(json_decode_guarded(&large_record, hy_buf_bytes(&out), &arena, &back, NULL));
    CHECK(suite_equal(&large_record, &value, &back));
    hy_bytes numbers = HY_BYTES("{\"u\":18446744073709551615,\"i\":\"0\",\"f\":1e2}");
    CHECK_OK(json_decode_guarded(&large_record, numbers, &arena, &back, NULL));
    CHECK_EQ(back.u, UINT64_MAX);
    CHECK(back.f == 100.0);
    return HY_OK;
}

static hy_err what_has_no_json_is_refused(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    const uint64_t bits[] = { 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000 };
    for (size_t i = 0; i < 3; i++) {
        large value = { .u = 1 };
        memcpy(&value.f, &bits[i], sizeof value.f);
        CHECK_ERR(hy_json_encode(&large_record, &value, &out), HY_RANGE);
        CHECK_EQ(out.len, 0);
    }
    suite_shape shape = { .which = 99 };
    CHECK_ERR(hy_json_encode(&suite_shape_record, &shape, &out), HY_RANGE);
    shape = (suite_shape){ .which = 3, .note = HY_BYTES("\xff") };
    CHECK_ERR(hy_json_encode(&suite_shape_record, &shape, &out), HY_NOT_UTF8);
    shape = (suite_shape){ .which = 4, .color = UINT32_MAX };
    CHECK_ERR(hy_json_encode(&suite_shape_record, &shape, &out), HY_RANGE);
    CHECK_EQ(out.len, 0);
    return HY_OK;
}

typedef struct json_refusal {
    const hy_record *record;
    const char *text;
    hy_err err;
    const char *place;
    uint64_t offset;
} json_refusal;

static const json_refusal json_refusals[] = {
    { &suite_wide_record, "{\"a_u8\":256}", HY_RANGE, "a_u8", 8 },
    { &suite_wide_record, "{\"a_u8\":-1}", HY_RANGE, "a_u8", 8 },
    { &suite_wide_record, "{\"a_u8\":1.5}", HY_TYPE, "a_u8", 8 },
    { &suite_wide_record, "{\"a_u8\":\"1\"}", HY_TYPE, "a_u8", 8 },
    { &suite_wide_record, "{\"a_u8\":null}", HY_TYPE, "a_u8", 8 },
    { &suite_wide_record, "{\"maybe_u8\":null}", HY_TYPE, "maybe_u8", 12 },
    { &suite_wide_record, "{\"a_u16\":65536}", HY_RANGE, "a_u16", 9 },
    { &suite_wide_record, "{\"a_u32\":4294967296}", HY_RANGE, "a_u32", 9 },
    { &suite_wide_record, "{\"a_u64\":18446744073709551616}", HY_RANGE, "a_u64", 9 },
    { &suite_wide_record, "{\"a_u64\":\"18446744073709551616\"}", HY_RANGE, "a_u64", 9 },
    { &suite_wide_record, "{\"a_u64\":\"\"}", HY_TYPE, "a_u64", 9 },
    { &suite_wide_record, "{\"a_u64\":\"01\"}", HY_TYPE, "a_u64", 9 },
    { &suite_wide_record, "{\"a_u64\":\"1e3\"}", HY_TYPE, "a_u64", 9 },
    { &suite_wide_record, "{\"a_i64\":\"-\"}", HY_TYPE, "a_i64", 9 },
    { &suite_wide_record, "{\"a_i64\":\"-9223372036854775809\"}", HY_RANGE, "a_i64", 9 },
    { &suite_wide_record, "{\"a_i8\":128}", HY_RANGE, "a_i8", 8 },
    { &suite_wide_record, "{\"a_i16\":-32769}", HY_RANGE, "a_i16", 9 },
    { &suite_wide_record, "{\"a_i32\":2147483648}", HY_RANGE, "a_i32", 9 },
    { &suite_wide_record, "{\"a_bool\":1}", HY_TYPE, "a_bool", 10 },
    { &suite_wide_record, "{\"a_f64\":\"NaN\"}", HY_TYPE, "a_f64", 9 },
    { &suite_wide_record, "{\"a_f64\":1e999}", HY_RANGE, "a_f64", 9 },
    { &suite_wide_record, "{\"a_str\":1}", HY_TYPE, "a_str", 9 },
    { &suite_wide_record, "{\"a_bytes\":\"A\"}", HY_MALFORMED, "a_bytes", 11 },
    { &suite_wide_record, "{\"a_id\":\"zz\"}", HY_MALFORMED, "a_id", 8 },
    { &suite_wide_record, "{\"a_color\":\"pink\"}", HY_RANGE, "a_color", 11 },
    { &suite_wide_record, "{\"a_color\":1}", HY_TYPE, "a_color", 11 },
    { &suite_wide_record, "{\"a_color\":2147483648}", HY_RANGE, "a_color", 11 },
    { &suite_wide_record, "{\"a_nest\":[]}", HY_TYPE, "a_nest", 10 },
    { &suite_wide_record, "{\"many_u8\":{}}", HY_TYPE, "many_u8", 11 },
    { &suite_wide_record, "{\"many_u8\":[1,2,300]}", HY_RANGE, "many_u8[2]", 16 },
    { &suite_wide_record, "{\"many_nest\":[{},{\"points\":[{\"x\":true}]}]}", HY_TYPE,
      "many_nest[1].points[0].x", 33 },
    { &suite_wide_record, "{\"a_shape\":{\"radius\":1,\"note\":\"\"}}", HY_MALFORMED,
      "a_shape.note", 23 },
    { &suite_wide_record, "{\"a_u8\":1,\"a_u16\":1,\"a_u8\":1}", HY_MALFORMED, "a_u8", 20 },
    { &suite_wide_record, "{\"a_u8\":1,\"a_\\u0075\\u0038\":1}", HY_MALFORMED, "a_u8", 10 },
    { &suite_wide_record, "{\"a_nest\":{\"tail\":{\"nope\":1}}}", HY_UNKNOWN_FIELD, "a_nest.tail",
      19 },
    { &suite_wide_record, "{\"rest\":\"\"}", HY_UNKNOWN_FIELD, "", 1 },
    { &suite_point_record, "[]", HY_TYPE, "", 0 },
    { &suite_point_record, "{\"x\":1", HY_MALFORMED, "line 1, column 7", 6 },
    { &suite_point_record, "{} 1", HY_MALFORMED, "line 1, column 4", 3 },
    { &suite_point_record, "", HY_MALFORMED, "line 1, column 1", 0 },
};

static hy_err mistakes_are_refused_with_their_place(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    for (size_t i = 0; i < sizeof json_refusals / sizeof json_refusals[0]; i++) {
        const json_refusal *row = &json_refusals[i];
        suite_wide value, cleared;
        hy_why why = { .place = "" };
        hy_err err = json_decode_guarded(row->record, hy_bytes_of(row->text), &arena, &value, &why);
        if (err == HY_NOMEM) return err;
        if (err != row->err || why.code != err || why.offset != row->offset ||
            strcmp(why.place, row->place) != 0) {
            kit_fail(__FILE__, __LINE__, "%s gives %s at '%s', %d: %s", row->text, hy_err_name(err),
                     why.place, (int)why.offset, why.text);
        }
        memset(&cleared, 0, sizeof cleared);
        CHECK(memcmp(&value, &cleared, row->record->size) == 0);
        CHECK_EQ(json_decode_guarded(row->record, hy_bytes_of(row->text), &arena, &value, NULL),
                 err);
    }
    hy_why why;
    suite_point point;
    CHECK_ERR(hy_json_decode(&suite_point_record, HY_BYTES("{\"zoom\":1}"), &arena, &point, &why),
              HY_UNKNOWN_FIELD);
    CHECK_TEXT(hy_bytes_of(why.text), "there is no field called zoom");
    return HY_OK;
}

static hy_err depth_is_bounded_both_ways(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf text = { 0 }, out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&text, mem, 0);
    hy_buf_init(&out, mem, 0);
    suite_tree tree, outer;
    for (int depth = HY_DEPTH_MAX; depth <= HY_DEPTH_MAX + 1; depth++) {
        hy_buf_clear(&text);
        for (int i = 1; i < depth; i++) {
            hy_buf_add_text(&text, "{\"value\":0,\"children\":[");
        }
        hy_buf_add_text(&text, "{\"value\":0,\"children\":[]}");
        for (int i = 1; i < depth; i++) {
            hy_buf_add_text(&text, "]}");
        }
        if (text.failed != HY_OK) return text.failed;
        hy_err err = hy_json_decode(&suite_tree_record, hy_buf_bytes(&text), &arena, &outer, NULL);
        CHECK_ERR(err, depth == HY_DEPTH_MAX ? HY_OK : HY_TOO_DEEP);
        if (err == HY_OK) tree = outer;
    }
    CHECK_OK(hy_json_encode(&suite_tree_record, &tree, &out));
    hy_buf_clear(&out);
    outer = (suite_tree){ .children = { &tree, 1 } };
    CHECK_ERR(hy_json_encode(&suite_tree_record, &outer, &out), HY_TOO_DEEP);
    CHECK_EQ(out.len, 0);
    return HY_OK;
}

static hy_err base64_has_one_text_for_each(hy_mem *mem) {
    static const struct {
        hy_bytes bytes;
        hy_bytes text;
    } pairs[] = { { HY_BYTES(""), HY_BYTES("") },
                  { HY_BYTES("f"), HY_BYTES("Zg==") },
                  { HY_BYTES("fo"), HY_BYTES("Zm8=") },
                  { HY_BYTES("foo"), HY_BYTES("Zm9v") },
                  { HY_BYTES("foobar"), HY_BYTES("Zm9vYmFy") },
                  { HY_BYTES("\xfb\xff\xbf"), HY_BYTES("+/+/") } };
    static const hy_bytes wrong[] = { HY_BYTES("Z"),     HY_BYTES("Zg"),       HY_BYTES("Zg="),
                                      HY_BYTES("Zh=="),  HY_BYTES("Zm9="),     HY_BYTES("===="),
                                      HY_BYTES("Z==="),  HY_BYTES("Zg==Zg=="), HY_BYTES("-_-_"),
                                      HY_BYTES("Zm 9v"), HY_BYTES("Zm9\n") };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
        hy_buf_init(&out, mem, 0);
        hyi_base64_encode(pairs[i].bytes, &out);
        if (out.failed != HY_OK) return out.failed;
        CHECK_BYTES(hy_buf_bytes(&out), pairs[i].text);
        hy_bytes back;
        CHECK_OK(hyi_base64_decode(pairs[i].text, &arena, &back));
        CHECK_BYTES(back, pairs[i].bytes);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        hy_bytes back;
        CHECK_ERR(hyi_base64_decode(wrong[i], &arena, &back), HY_MALFORMED);
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(random_records_come_back), KIT_TEST(forms_are_those_of_the_header),
          KIT_TEST(large_numbers_become_texts), KIT_TEST(what_has_no_json_is_refused),
          KIT_TEST(mistakes_are_refused_with_their_place), KIT_TEST(depth_is_bounded_both_ways),
          KIT_TEST(base64_has_one_text_for_each))
