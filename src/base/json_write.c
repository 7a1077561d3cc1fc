// json_write.c - the writer.
//
// A comma is due before everything but the first in its level and the value behind a key. So one
// bit is enough to place commas: it is set behind a value or an end, cleared behind a begin or a
// key.
#include "base/json.h"

#include "base/memory.h"

void hyi_json_writer_init(hyi_json_writer *writer, hy_buf *buf) {
    *writer = (hyi_json_writer){ .buf = buf };
}

hy_err hyi_json_finish(const hyi_json_writer *writer) {
    HY_ASSERT(writer->depth == 0);
    if (writer->buf->failed != HY_OK) return writer->buf->failed;
    return writer->not_utf8 ? HY_NOT_UTF8 : HY_OK;
}

static void json_put(hyi_json_writer *writer, hy_bytes bytes, bool wants_comma) {
    if (writer->wants_comma) hy_buf_add(writer->buf, ",", 1);
    hy_buf_add(writer->buf, bytes.ptr, bytes.len);
    writer->wants_comma = wants_comma;
}

static void json_begin(hyi_json_writer *writer, hy_bytes bracket) {
    json_put(writer, bracket, false);
    writer->depth++;
}

static void json_end(hyi_json_writer *writer, const char *bracket) {
    HY_ASSERT(writer->depth > 0);
    writer->depth--;
    hy_buf_add(writer->buf, bracket, 1);
    writer->wants_comma = true;
}

void hyi_json_begin_object(hyi_json_writer *writer) {
    json_begin(writer, HY_BYTES("{"));
}

void hyi_json_end_object(hyi_json_writer *writer) {
    json_end(writer, "}");
}

void hyi_json_begin_array(hyi_json_writer *writer) {
    json_begin(writer, HY_BYTES("["));
}

void hyi_json_end_array(hyi_json_writer *writer) {
    json_end(writer, "]");
}

static void json_put_escape(hy_buf *buf, uint8_t byte) {
    char text[6] = { '\\', 'u', '0', '0', "01"[byte >> 4 & 1], "0123456789abcdef"[byte & 15] };
    switch (byte) {
    case '"': hy_buf_add(buf, "\\\"", 2); return;
    case '\\': hy_buf_add(buf, "\\\\", 2); return;
    case '\n': hy_buf_add(buf, "\\n", 2); return;
    case '\r': hy_buf_add(buf, "\\r", 2); return;
    case '\t': hy_buf_add(buf, "\\t", 2); return;
    default: hy_buf_add(buf, text, sizeof text);
    }
}

// Only quotes, backslashes and control characters need an escape; all else goes in runs.
static void json_put_text(hyi_json_writer *writer, hy_text text) {
    if (!hy_text_is_utf8(text)) {
        writer->not_utf8 = true;
        text.len = 0;
    }
    json_put(writer, HY_BYTES("\""), false);
    size_t run = 0;
    for (size_t at = 0; at < text.len; at++) {
        uint8_t byte = text.ptr[at];
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        hy_buf_add(writer->buf, text.ptr + run, at - run);
        json_put_escape(writer->buf, byte);
        run = at + 1;
    }
    hy_buf_add(writer->buf, text.ptr + run, text.len - run);
}

void hyi_json_key(hyi_json_writer *writer, hy_text name) {
    json_put_text(writer, name);
    hy_buf_add(writer->buf, "\":", 2);
}

void hyi_json_add_text(hyi_json_writer *writer, hy_text text) {
    json_put_text(writer, text);
    hy_buf_add(writer->buf, "\"", 1);
    writer->wants_comma = true;
}

void hyi_json_add_u64(hyi_json_writer *writer, uint64_t value) {
    json_put(writer, (hy_bytes){ 0 }, true);
    hy_buf_add_u64(writer->buf, value);
}

void hyi_json_add_i64(hyi_json_writer *writer, int64_t value) {
    if (value >= 0) {
        hyi_json_add_u64(writer, (uint64_t)value);
        return;
    }
    json_put(writer, HY_BYTES("-"), true);
    hy_buf_add_u64(writer->buf, 0 - (uint64_t)value);
}

void hyi_json_add_bool(hyi_json_writer *writer, bool value) {
    json_put(writer, value ? HY_BYTES("true") : HY_BYTES("false"), true);
}

void hyi_json_add_null(hyi_json_writer *writer) {
    json_put(writer, HY_BYTES("null"), true);
}

void hyi_json_add_raw(hyi_json_writer *writer, hy_bytes json) {
    json_put(writer, json, true);
}
