// json_test.c - tokens in order, refusals with their place, texts and numbers in every form.
//
// Good documents become a row of letters, one per token; bad ones also name line and column. All
// input lies at the edge of a page, so reading one byte too far is a crash.
#include "base/json.h"

#include "base/cleanup.h"
#include "kit/kit.h"

// The kinds of all tokens as letters, one each, then ! for a refusal.
static void read_shape(hy_bytes input, char out_shape[64], hy_why *why) {
    static const char letters[] = "$nbdtk{}[]";
    hy_bytes guarded = kit_guard_copy(input);
    hyi_json json;
    hyi_json_init(&json, guarded, 0, why);
    hyi_json_token token = { .kind = HYI_JSON_NULL };
    size_t len = 0;
    while (token.kind != HYI_JSON_END && len < 62) {
        if (hyi_json_next(&json, &token) != HY_OK) {
            out_shape[len++] = '!';
            CHECK(hyi_json_next(&json, &token) == json.failed); // and it stays so
            break;
        }
        out_shape[len++] = letters[token.kind];
    }
    out_shape[len] = 0;
    kit_guard_free(guarded);
}

static hy_err documents_become_tokens(hy_mem *mem) {
    (void)mem;
    static const struct {
        const char *input, *shape;
    } rows[] = {
        { "null", "n$" },
        { " true ", "b$" },
        { "-0.5e+10", "d$" },
        { "\"\"", "t$" },
        { "[]", "[]$" },
        { " [ ] ", "[]$" },
        { "{}", "{}$" },
        { "{\"a\":1,\"b\":[true,null],\"c\":{}}", "{kdk[bn]k{}}$" },
        { "[[],[[]],{}]", "[[][[]]{}]$" },
        { "[1,\r\n\t2]", "[dd]$" },
        { "[\"\\u0000\"]", "[t]$" },
        { "\"0123456789abcdef\"", "t$" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char shape[64];
        read_shape(hy_bytes_of(rows[i].input), shape, NULL);
        CHECK_BYTES(hy_bytes_of(shape), hy_bytes_of(rows[i].shape));
    }
    return HY_OK;
}

static hy_err bad_documents_are_refused_with_their_place(hy_mem *mem) {
    (void)mem;
    static const struct {
        const char *input, *shape, *place, *text;
    } rows[] = {
        { "", "!", "line 1, column 1", "the document ends too early" },
        { "  ", "!", "line 1, column 3", "the document ends too early" },
        { "[1,]", "[d!", "line 1, column 4", "a value is expected" },
        { "[1", "[d!", "line 1, column 3", "the document ends too early" },
        { "[1 2]", "[d!", "line 1, column 4", "a comma or a closing bracket is expected" },
        { "[1}", "[d!", "line 1, column 3", "a comma or a closing bracket is expected" },
        { "{\"a\":1]", "{kd!", "line 1, column 7", "a comma or a closing brace is expected" },
        { "{\n \"a\" 1}", "{!", "line 2, column 6", "a colon is expected" },
        { "{a:1}", "{!", "line 1, column 2", "a member's name in quotes is expected" },
        { "{\"a\":1,}", "{kd!", "line 1, column 8", "a member's name in quotes is expected" },
        { "{\"a\":}", "{k!", "line 1, column 6", "a value is expected" },
        { "{\"a\"}", "{!", "line 1, column 5", "a colon is expected" },
        { "1 2", "d!", "line 1, column 3", "nothing may follow the value" },
        { "]", "!", "line 1, column 1", "a value is expected" },
        { "nul", "!", "line 1, column 1", "only true, false and null are words" },
        { "01", "!", "line 1, column 1", "a number may not begin with 0" },
        { "-", "!", "line 1, column 2", "the document ends too early" },
        { "1.", "!", "line 1, column 3", "the document ends too early" },
        { "[1.x]", "[!", "line 1, column 4", "a digit is expected" },
        { "1e+", "!", "line 1, column 4", "the document ends too early" },
        { "+1", "!", "line 1, column 1", "a value is expected" },
        { "\"abc", "!", "line 1, column 1", "this text has no closing quote" },
        { "\"abc\\", "!", "line 1, column 5", "there is no such escape" },
        { "\"\\x\"", "!", "line 1, column 2", "there is no such escape" },
        { "\"\\u12g4\"", "!", "line 1, column 2", "there is no such escape" },
        { "\"\\ud800\"", "!", "line 1, column 2", "there is no such escape" },
        { "\"\\udc00\\ud800\"", "!", "line 1, column 2", "there is no such escape" },
        { "\"\\ud800\\", "!", "line 1, column 2", "there is no such escape" }, // the page ends
        { "\"\\ud800\\u0041\"", "!", "line 1, column 2", "there is no such escape" },
        { "\"a\tb\"", "!", "line 1, column 3", "control characters must be escaped" },
        { "\"\xc3\xa9\xff\"", "!", "line 1, column 3", "this is not UTF-8" },
        { "\"\xed\xa0\x80\"", "!", "line 1, column 2", "this is not UTF-8" },
        { "[\n\n  tru]", "[!", "line 3, column 3", "only true, false and null are words" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char shape[64];
        hy_why why = { 0 };
        read_shape(hy_bytes_of(rows[i].input), shape, &why);
        CHECK_BYTES(hy_bytes_of(shape), hy_bytes_of(rows[i].shape));
        CHECK_BYTES(hy_bytes_of(why.place), hy_bytes_of(rows[i].place));
        CHECK_BYTES(hy_bytes_of(why.text), hy_bytes_of(rows[i].text));
    }
    return HY_OK;
}

static hy_err every_cut_of_a_document_is_refused(hy_mem *mem) {
    (void)mem;
    hy_bytes whole = HY_BYTES("{\"a\\u00e9\":[1.5e3,true,null,\"x\\n\xc3\xa9\"],\"b\":{\"c\":-1}}");
    char shape[64];
    for (size_t len = 0; len < whole.len; len++) {
        hy_why why = { 0 };
        read_shape((hy_bytes){ whole.ptr, len }, shape, &why);
        CHECK(why.code != HY_OK);
        CHECK(why.offset <= len);
    }
    read_shape(whole, shape, NULL);
    CHECK_TEXT(hy_bytes_of(shape), "{k[dbnt]k{kd}}$");
    return HY_OK;
}

static hy_err depth_has_a_limit(hy_mem *mem) {
    (void)mem;
    hyi_json json;
    hyi_json_token token;
    hyi_json_init(&json, HY_BYTES("[{\"a\":[]}]"), 2, NULL);
    CHECK_OK(hyi_json_next(&json, &token));
    CHECK_OK(hyi_json_next(&json, &token));
    CHECK_OK(hyi_json_next(&json, &token));
    CHECK_ERR(hyi_json_next(&json, &token), HY_TOO_DEEP);
    uint8_t deep[HYI_JSON_DEPTH_MAX * 2 + 2];
    for (size_t depth = HYI_JSON_DEPTH_MAX; depth <= HYI_JSON_DEPTH_MAX + 1; depth++) {
        for (size_t i = 0; i < depth; i++)
            deep[i] = '[', deep[depth + i] = ']';
        hyi_json_init(&json, (hy_bytes){ deep, depth * 2 }, 0, NULL);
        CHECK_ERR(hyi_json_skip(&json), depth == HYI_JSON_DEPTH_MAX ? HY_OK : HY_TOO_DEEP);
    }
    return HY_OK;
}

static hy_err a_skipped_value_leaves_the_next_one(hy_mem *mem) {
    (void)mem;
    hyi_json json;
    hyi_json_token token;
    hyi_json_init(&json, HY_BYTES("{\"a\":{\"b\":[1,[2]]},\"c\":3,\"d\":4}"), 0, NULL);
    CHECK_OK(hyi_json_next(&json, &token));
    CHECK_OK(hyi_json_next(&json, &token));
    CHECK_OK(hyi_json_skip(&json));
    CHECK_OK(hyi_json_next(&json, &token));
    CHECK(hyi_json_text_is(&token, HY_BYTES("c")));
    CHECK_OK(hyi_json_skip(&json));
    CHECK_OK(hyi_json_next(&json, &token));
    CHECK(hyi_json_text_is(&token, HY_BYTES("d")));
    return HY_OK;
}

static hy_err texts_lose_their_escapes(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    hyi_json json;
    hyi_json_token token;
    hyi_json_init(&json, HY_BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\\ud83d\\ude00 end\""), 0,
                  NULL);
    CHECK_OK(hyi_json_next(&json, &token));
    hy_text text, wanted = HY_BYTES("\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80 end");
    CHECK_OK(hyi_json_text(&token, &arena, &text));
    CHECK_BYTES(text, wanted);
    CHECK(hyi_json_text_is(&token, wanted));
    CHECK(!hyi_json_text_is(&token, (hy_text){ wanted.ptr, wanted.len - 1 }));
    CHECK(!hyi_json_text_is(&token, HY_BYTES("\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80 enD")));
    hyi_json_init(&json, HY_BYTES("\"plain\""), 0, NULL);
    CHECK_OK(hyi_json_next(&json, &token));
    CHECK_OK(hyi_json_text(&token, &arena, &text));
    CHECK(text.ptr == json.input.ptr + 1); // borrowed
    return HY_OK;
}

static hyi_json_token number_of(const char *numeral) {
    hyi_json json;
    hyi_json_token token;
    hyi_json_init(&json, hy_bytes_of(numeral), 0, NULL);
    CHECK(hyi_json_next(&json, &token) == HY_OK);
    return token;
}

static hy_err integers_know_their_range(hy_mem *mem) {
    (void)mem;
    static const struct {
        const char *numeral;
        hy_err i64_err, u64_err;
        uint64_t value;
    } rows[] = {
        { "0", HY_OK, HY_OK, 0 },
        { "-0", HY_OK, HY_OK, 0 },
        { "9223372036854775807", HY_OK, HY_OK, INT64_MAX },
        { "9223372036854775808", HY_RANGE, HY_OK, UINT64_C(1) << 63 },
        { "-9223372036854775808", HY_OK, HY_RANGE, UINT64_C(1) << 63 },
        { "-9223372036854775809", HY_RANGE, HY_RANGE, 0 },
        { "18446744073709551615", HY_RANGE, HY_OK, UINT64_MAX },
        { "18446744073709551616", HY_RANGE, HY_RANGE, 0 },
        { "100000000000000000000", HY_RANGE, HY_RANGE, 0 },
        { "1e3", HY_OK, HY_OK, 1000 },
        { "5.0", HY_OK, HY_OK, 5 },
        { "1.50e1", HY_OK, HY_OK, 15 },
        { "5.5", HY_TYPE, HY_TYPE, 0 },
        { "1e-1", HY_TYPE, HY_TYPE, 0 },
        { "0e-5", HY_OK, HY_OK, 0 },
        { "1e99999999999999999999", HY_RANGE, HY_RANGE, 0 },
        { "true", HY_TYPE, HY_TYPE, 0 },
        { "\"1\"", HY_TYPE, HY_TYPE, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hyi_json_token token = number_of(rows[i].numeral);
        int64_t small = 0;
        uint64_t large = 0;
        CHECK_ERR(hyi_json_i64(&token, &small), rows[i].i64_err);
        CHECK_ERR(hyi_json_u64(&token, &large), rows[i].u64_err);
        if (rows[i].i64_err == HY_OK) CHECK_EQ((uint64_t)small, rows[i].value);
        if (rows[i].u64_err == HY_OK) CHECK_EQ(large, rows[i].value);
    }
    return HY_OK;
}

static hy_err doubles_that_are_not_finite_are_texts(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf buf = { 0 };
    hy_buf_init(&buf, mem, 0);
    hyi_json_writer writer;
    hyi_json_writer_init(&writer, &buf);
    hyi_json_begin_array(&writer);
    hyi_json_add_f64_bits(&writer, UINT64_C(0x7ff0000000000000));
    hyi_json_add_f64_bits(&writer, UINT64_C(0xfff0000000000000));
    hyi_json_add_f64_bits(&writer, UINT64_C(0xfff8000000000001));
    hyi_json_add_f64_bits(&writer, UINT64_C(0x3ff8000000000000));
    hyi_json_end_array(&writer);
    CHECK_OK(hyi_json_finish(&writer));
    CHECK_TEXT(hy_buf_bytes(&buf), "[\"Infinity\",\"-Infinity\",\"NaN\",1.5]");
    uint64_t bits = 0;
    hyi_json_token token = number_of("\"-Infinity\"");
    CHECK_OK(hyi_json_f64_bits(&token, &bits));
    CHECK_EQ(bits, UINT64_C(0xfff0000000000000));
    token = number_of("\"nan\"");
    CHECK_ERR(hyi_json_f64_bits(&token, &bits), HY_TYPE);
    token = number_of("1e309");
    CHECK_ERR(hyi_json_f64_bits(&token, &bits), HY_RANGE);
    return HY_OK;
}

static hy_err the_writer_places_commas_and_escapes(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf buf = { 0 };
    hy_buf_init(&buf, mem, 0);
    hyi_json_writer writer;
    hyi_json_writer_init(&writer, &buf);
    hyi_json_begin_object(&writer);
    hyi_json_key(&writer, HY_BYTES("a"));
    hyi_json_begin_array(&writer);
    hyi_json_add_i64(&writer, INT64_MIN);
    hyi_json_add_u64(&writer, UINT64_MAX);
    hyi_json_begin_object(&writer);
    hyi_json_end_object(&writer);
    hyi_json_add_null(&writer);
    hyi_json_end_array(&writer);
    hyi_json_key(&writer, HY_BYTES("q\"\\\n\r\t\x01\x1f\xc3\xa9"));
    hyi_json_add_text(&writer, (hy_text){ 0 });
    hyi_json_key(&writer, HY_BYTES("r"));
    hyi_json_add_raw(&writer, HY_BYTES("[1]"));
    hyi_json_key(&writer, HY_BYTES("b"));
    hyi_json_add_bool(&writer, false);
    hyi_json_end_object(&writer);
    CHECK_OK(hyi_json_finish(&writer));
    CHECK_TEXT(hy_buf_bytes(&buf),
               "{\"a\":[-9223372036854775808,18446744073709551615,{},null],"
               "\"q\\\"\\\\\\n\\r\\t\\u0001\\u001f\xc3\xa9\":\"\",\"r\":[1],\"b\":false}");
    return HY_OK;
}

static hy_err the_writer_refuses_what_is_not_utf8(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf buf = { 0 };
    hy_buf_init(&buf, mem, 4);
    hyi_json_writer writer;
    hyi_json_writer_init(&writer, &buf);
    hyi_json_add_text(&writer, HY_BYTES("\xff"));
    CHECK_ERR(hyi_json_finish(&writer), HY_NOT_UTF8);
    hyi_json_add_text(&writer, HY_BYTES("too long"));
    CHECK_ERR(hyi_json_finish(&writer), HY_TOO_LARGE);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(documents_become_tokens), KIT_TEST(bad_documents_are_refused_with_their_place),
          KIT_TEST(every_cut_of_a_document_is_refused), KIT_TEST(depth_has_a_limit),
          KIT_TEST(a_skipped_value_leaves_the_next_one), KIT_TEST(texts_lose_their_escapes),
          KIT_TEST(integers_know_their_range), KIT_TEST(doubles_that_are_not_finite_are_texts),
          KIT_TEST(the_writer_places_commas_and_escapes),
          KIT_TEST(the_writer_refuses_what_is_not_utf8))
