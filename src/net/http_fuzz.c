// http_fuzz.c - any bytes as a request: head, chunked body, path, query, patterns, media.
//
// The bytes are cut in two at every call of the head's end search, and chunks are read both whole
// and byte by byte: both must agree. What is decoded must be UTF-8, and no path that is called safe
// may have a part that leaves its folder.
#include "net/http_chunk.h"
#include "net/http_head.h"
#include "net/media.h"
#include "net/uri.h"

#include "kit/kit.h"

#include <string.h>

static void fuzz_path(hy_bytes path, hy_arena *arena) {
    static hyi_uri_path parsed;
    static hyi_uri_params params;
    hy_why why;
    if (hyi_uri_path_parse(path, arena, &parsed, &why) != HY_OK) {
        HY_ASSERT(why.offset <= path.len);
        return;
    }
    params.count = 0;
    (void)hyi_uri_match("/api/:practice/slots/:slot", &parsed, &params);
    const bool is_safe = hyi_uri_path_is_safe(&parsed);
    for (uint32_t i = 0; i < parsed.count; i++) {
        HY_ASSERT(hy_text_is_utf8(parsed.segments[i]));
        HY_ASSERT(HY_IMPLIES(is_safe, !hy_bytes_equal(parsed.segments[i], HY_BYTES(".."))));
        (void)hyi_media_of_file(parsed.segments[i]);
    }
}

static void fuzz_query(hy_bytes query, hy_arena *arena) {
    static hyi_uri_params params;
    params.count = 0;
    hy_why why;
    hy_err err = hyi_uri_query_parse(query, arena, &params, &why);
    HY_ASSERT(HY_IMPLIES(err != HY_OK && err != HY_NOMEM, why.code == err));
    for (uint32_t i = 0; i < params.count; i++) {
        HY_ASSERT(hy_text_is_utf8(params.items[i].name));
        HY_ASSERT(hy_text_is_utf8(params.items[i].value));
    }
}

// The data in total, when the body is read in steps; SIZE_MAX when it is malformed.
static size_t fuzz_chunks(hy_bytes body, size_t step, size_t *out_used) {
    hyi_http_chunk chunk = { 0 };
    size_t total = 0;
    *out_used = 0;
    while (!chunk.done && *out_used < body.len) {
        hy_bytes part = { body.ptr + *out_used, body.len - *out_used };
        if (part.len > step) part.len = step;
        size_t used = 0;
        hy_bytes data;
        hy_err err = hyi_http_chunk_read(&chunk, part, &used, &data);
        *out_used += used;
        if (err != HY_OK) return SIZE_MAX;
        HY_ASSERT(used > 0 && used <= part.len);
        total += data.len;
    }
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    hy_bytes bytes = kit_guard_copy((hy_bytes){ data, size });
    size_t len = hyi_http_head_len(bytes, 0);
    for (size_t from = 0; from < len && from < 64; from++) {
        HY_ASSERT(hyi_http_head_len(bytes, from) == len);
    }
    hy_arena arena;
    hy_arena_init(&arena, kit_heap(), 1 << 22);
    static hyi_http_head head;
    uint32_t status = 0;
    hy_why why = { 0 };
    // The parser writes into the head, and a guarded copy may be written.
    if (len > 0 &&
        hyi_http_head_parse((uint8_t *)(uintptr_t)bytes.ptr, len, &head, &status, &why) == HY_OK) {
        fuzz_path(head.path, &arena);
        fuzz_query(head.query, &arena);
        for (uint32_t i = 0; i < head.header_count; i++) {
            (void)hyi_media_accepted(head.headers[i].value);
            (void)hyi_media_of(head.headers[i].value);
        }
    } else if (len > 0) {
        HY_ASSERT(status >= 400 && why.text[0] != '\0');
    }
    hy_bytes rest = { bytes.ptr + len, bytes.len - len };
    size_t used_whole, used_single;
    size_t whole = fuzz_chunks(rest, SIZE_MAX, &used_whole);
    size_t single = fuzz_chunks(rest, 1, &used_single);
    HY_ASSERT(whole == single && used_whole == used_single);
    fuzz_path(bytes, &arena);
    fuzz_query(bytes, &arena);
    hy_arena_deinit(&arena);
    kit_guard_free(bytes);
    return 0;
}
