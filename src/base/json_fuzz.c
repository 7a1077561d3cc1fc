// json_fuzz.c - any bytes: refused with a place, or read, written and read again to the same bytes.
//
// Reading, writing and reading again must give the same bytes: so a mistake of the reader must be
// matched by the writer to stay hidden. Skipping a document must judge it as reading does.
#include "base/json.h"

#include "kit/kit.h"

typedef struct json_copy {
    hyi_json reader;
    hyi_json_writer writer;
    hy_arena arena;
} json_copy;

static void copy_number(json_copy *copy, const hyi_json_token *token) {
    int64_t small;
    uint64_t large, bits;
    if (hyi_json_i64(token, &small) == HY_OK && small != 0) { // an integer 0 has no sign
        hyi_json_add_i64(&copy->writer, small);
    } else if (hyi_json_u64(token, &large) == HY_OK && large != 0) {
        hyi_json_add_u64(&copy->writer, large);
    } else if (hyi_json_f64_bits(token, &bits) == HY_OK) {
        hyi_json_add_f64_bits(&copy->writer, bits);
    } else {
        hyi_json_add_raw(&copy->writer, token->raw);
    }
}

static void copy_token(json_copy *copy, const hyi_json_token *token) {
    hy_text text = { 0 };
    if (token->kind == HYI_JSON_TEXT || token->kind == HYI_JSON_KEY) {
        CHECK(hyi_json_text(token, &copy->arena, &text) == HY_OK);
        CHECK(hyi_json_text_is(token, text));
        CHECK(hy_text_is_utf8(text));
    }
    switch (token->kind) {
    case HYI_JSON_NULL: hyi_json_add_null(&copy->writer); break;
    case HYI_JSON_BOOL: hyi_json_add_bool(&copy->writer, token->boolean); break;
    case HYI_JSON_NUMBER: copy_number(copy, token); break;
    case HYI_JSON_TEXT: hyi_json_add_text(&copy->writer, text); break;
    case HYI_JSON_KEY: hyi_json_key(&copy->writer, text); break;
    case HYI_JSON_OBJECT_BEGIN: hyi_json_begin_object(&copy->writer); break;
    case HYI_JSON_OBJECT_END: hyi_json_end_object(&copy->writer); break;
    case HYI_JSON_ARRAY_BEGIN: hyi_json_begin_array(&copy->writer); break;
    case HYI_JSON_ARRAY_END: hyi_json_end_array(&copy->writer); break;
    case HYI_JSON_END: break;
    }
}

// Copies a document token by token; the reader's error, if there is one.
static hy_err copy_document(hy_bytes input, hy_buf *out, hy_why *why) {
    json_copy copy;
    hyi_json_init(&copy.reader, input, 16, why);
    hyi_json_writer_init(&copy.writer, out);
    hy_arena_init(&copy.arena, kit_heap(), 0);
    hyi_json_token token;
    hy_err err;
    do {
        err = hyi_json_next(&copy.reader, &token);
        if (err == HY_OK) copy_token(&copy, &token);
    } while (err == HY_OK && token.kind != HYI_JSON_END);
    if (err == HY_OK) CHECK(hyi_json_finish(&copy.writer) == HY_OK);
    hy_arena_deinit(&copy.arena);
    return err;
}

static hy_err skip_document(hy_bytes input) {
    hyi_json reader;
    hyi_json_init(&reader, input, 16, NULL);
    hyi_json_token token;
    hy_err err = hyi_json_skip(&reader);
    return err == HY_OK ? hyi_json_next(&reader, &token) : err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    hy_bytes input = { data, size };
    hy_buf once, twice;
    hy_buf_init(&once, kit_heap(), 0);
    hy_buf_init(&twice, kit_heap(), 0);
    hy_why why = { 0 };
    hy_err err = copy_document(input, &once, &why);
    CHECK(skip_document(input) == err);
    if (err == HY_OK) {
        CHECK(copy_document(hy_buf_bytes(&once), &twice, NULL) == HY_OK);
        CHECK_BYTES(hy_buf_bytes(&once), hy_buf_bytes(&twice));
    } else {
        CHECK(why.code == err);
        CHECK(why.offset <= size);
        CHECK(why.place[0] == 'l');
        CHECK(why.text[0] != 0);
    }
    hy_buf_deinit(&once);
    hy_buf_deinit(&twice);
    return 0;
}
