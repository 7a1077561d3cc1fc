// line.c - a log record or a span as one line.
//
// For people: time, level, scope, text, then the fields as name=value, quoted where a value has
// spaces; durations in the unit that reads best. For programs: one JSON object a line.
#include "observe/watch.h"

#include "base/decimal.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

// ---- values ----

static void line_digits(hy_buf *out, uint64_t value, int width) {
    char text[24];
    int len = snprintf(text, sizeof text, "%0*llu", width, (unsigned long long)value);
    hy_buf_add(out, text, (size_t)len);
}

// 250ns, 3.2us, 12ms, 1.5s
static void line_duration(hy_buf *out, hy_ns ns) {
    static const struct {
        hy_ns unit;
        const char *name;
    } units[] = { { HY_SECONDS(1), "s" }, { HY_MS(1), "ms" }, { HY_US(1), "us" }, { 1, "ns" } };
    uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0) hy_buf_add_text(out, "-");
    size_t i = 0;
    while (i < 3 && value < (uint64_t)units[i].unit)
        i++;
    uint64_t unit = (uint64_t)units[i].unit;
    hy_buf_add_u64(out, value / unit);
    uint64_t tenths = value % unit * 10 / unit;
    if (tenths > 0 && value / unit < 100) {
        hy_buf_add_text(out, ".");
        hy_buf_add_u64(out, tenths);
    }
    hy_buf_add_text(out, units[i].name);
}

static hy_text line_utf8(hy_text text) {
    return hy_text_is_utf8(text) ? text : hy_bytes_of("(not UTF-8)");
}

// A program's own words: names, and what a log says.
static void line_words(hy_buf *out, const char *words) {
    hy_text text = line_utf8(hy_bytes_of(words));
    hy_buf_add(out, text.ptr, text.len);
}

static bool line_is_plain(hy_text text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return false;
    }
    return text.len > 0;
}

static void line_text(hy_buf *out, hy_text text) {
    text = line_utf8(text);
    if (line_is_plain(text)) {
        hy_buf_add(out, text.ptr, text.len);
        return;
    }
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hyi_json_add_text(&json, text);
}

static void line_id(hy_buf *out, hy_id id) {
    char text[HY_ID_TEXT_LEN + 1];
    hy_id_format(id, text);
    hy_buf_add_text(out, text);
}

static void line_f64(hy_buf *out, double value) {
    char text[HYI_DECIMAL_TEXT_MAX];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (__builtin_isfinite(value)) {
        hy_buf_add(out, text, hyi_decimal_from_f64(bits, text));
    } else {
        hy_buf_add_text(out, __builtin_isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
    }
}

static void line_value(hy_buf *out, const hy_log_field *field) {
    switch (field->kind) {
    case HY_FIELD_U64: hy_buf_add_u64(out, field->as.u64); break;
    case HY_FIELD_I64:
        if (field->as.i64 < 0) hy_buf_add_text(out, "-");
        hy_buf_add_u64(out,
                       field->as.i64 < 0 ? 0 - (uint64_t)field->as.i64 : (uint64_t)field->as.i64);
        break;
    case HY_FIELD_BOOL: hy_buf_add_text(out, field->as.boolean ? "true" : "false"); break;
    case HY_FIELD_F64: line_f64(out, field->as.f64); break;
    case HY_FIELD_TEXT: line_text(out, field->as.text); break;
    case HY_FIELD_NS: line_duration(out, field->as.i64); break;
    case HY_FIELD_ERR: hy_buf_add_text(out, hy_err_name((hy_err)field->as.u64)); break;
    case HY_FIELD_ID: line_id(out, field->as.id); break;
    default: hy_buf_add_text(out, "?"); break;
    }
}

// ---- for people ----

static const char *line_level(hy_level level) {
    if (level >= HY_LEVEL_ERROR) return "ERROR";
    if (level >= HY_LEVEL_WARN) return "WARN ";
    if (level >= HY_LEVEL_INFO) return "INFO ";
    return level >= HY_LEVEL_DEBUG ? "DEBUG" : "TRACE";
}

static void line_clock(hy_buf *out, hy_ns wall) {
    uint64_t ms = (uint64_t)(wall > 0 ? wall : 0) / 1000000;
    line_digits(out, ms / 3600000 % 24, 2);
    hy_buf_add_text(out, ":");
    line_digits(out, ms / 60000 % 60, 2);
    hy_buf_add_text(out, ":");
    line_digits(out, ms / 1000 % 60, 2);
    hy_buf_add_text(out, ".");
    line_digits(out, ms % 1000, 3);
}

static void line_fields(hy_buf *out, const hy_log_field *fields, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        hy_buf_add_text(out, " ");
        line_words(out, fields[i].name);
        hy_buf_add_text(out, "=");
        line_value(out, &fields[i]);
    }
}

static void line_log_text(const hy_log_record *record, hy_buf *out) {
    line_clock(out, record->wall);
    hy_buf_add_text(out, " ");
    hy_buf_add_text(out, line_level(record->level));
    hy_buf_add_text(out, " ");
    line_words(out, record->scope);
    hy_buf_add_text(out, ": ");
    line_words(out, record->text);
    line_fields(out, record->fields, record->field_count);
}

static void line_span_text(const hy_span *span, hy_buf *out) {
    line_clock(out, span->wall_start);
    hy_buf_add_text(out, span->slow ? " SLOW  " : " SPAN  ");
    line_words(out, span->name);
    hy_buf_add_text(out, ": ");
    line_duration(out, span->duration);
    if (span->err != HY_OK) {
        hy_buf_add_text(out, " ");
        hy_buf_add_text(out, hy_err_name(span->err));
    }
    line_fields(out, span->fields, span->field_count);
}

// ---- for programs ----

static void json_member(hyi_json_writer *json, const char *name) {
    hyi_json_key(json, line_utf8(hy_bytes_of(name)));
}

static void json_text(hyi_json_writer *json, const char *name, const char *text) {
    json_member(json, name);
    hyi_json_add_text(json, line_utf8(hy_bytes_of(text)));
}

static void json_count(hyi_json_writer *json, const char *name, uint64_t count) {
    json_member(json, name);
    hyi_json_add_u64(json, count);
}

static void json_hex(hyi_json_writer *json, const char *name, uint64_t hi, uint64_t lo, bool wide) {
    char text[40];
    int len = wide ? snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)hi,
                              (unsigned long long)lo)
                   : snprintf(text, sizeof text, "%016llx", (unsigned long long)lo);
    json_member(json, name);
    hyi_json_add_text(json, (hy_text){ (const uint8_t *)text, (size_t)len });
}

static void json_value(hyi_json_writer *json, const hy_log_field *field) {
    char text[HY_ID_TEXT_LEN + 1];
    uint64_t bits;
    switch (field->kind) {
    case HY_FIELD_U64: hyi_json_add_u64(json, field->as.u64); break;
    case HY_FIELD_I64:
    case HY_FIELD_NS: hyi_json_add_i64(json, field->as.i64); break;
    case HY_FIELD_BOOL: hyi_json_add_bool(json, field->as.boolean); break;
    case HY_FIELD_F64:
        memcpy(&bits, &field->as.f64, sizeof bits);
        if (__builtin_isfinite(field->as.f64)) {
            hyi_json_add_f64_bits(json, bits);
        } else {
            hyi_json_add_null(json);
        }
        break;
    case HY_FIELD_TEXT: hyi_json_add_text(json, line_utf8(field->as.text)); break;
    case HY_FIELD_ERR:
        hyi_json_add_text(json, hy_bytes_of(hy_err_name((hy_err)field->as.u64)));
        break;
    case HY_FIELD_ID:
        hy_id_format(field->as.id, text);
        hyi_json_add_text(json, hy_bytes_of(text));
        break;
    default: hyi_json_add_null(json); break;
    }
}

static void json_trace(hyi_json_writer *json, hy_id trace, uint64_t span) {
    if ((trace.hi | trace.lo) != 0) json_hex(json, "trace", trace.hi, trace.lo, true);
    if (span != 0) json_hex(json, "span", 0, span, false);
}

// In an object of their own, so that no name of a program meets one of ours.
static void json_fields(hyi_json_writer *json, const hy_log_field *fields, uint32_t count) {
    if (count == 0) return;
    json_member(json, "fields");
    hyi_json_begin_object(json);
    for (uint32_t i = 0; i < count; i++) {
        json_member(json, fields[i].name);
        json_value(json, &fields[i]);
    }
    hyi_json_end_object(json);
}

static void line_log_json(const hy_log_record *record, hy_buf *out) {
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hyi_json_begin_object(&json);
    json_member(&json, "wall_ns");
    hyi_json_add_i64(&json, record->wall);
    hy_text level = hy_bytes_of(line_level(record->level));
    if (level.ptr[level.len - 1] == ' ') level.len--;
    json_member(&json, "level");
    hyi_json_add_text(&json, level);
    json_text(&json, "scope", record->scope);
    json_text(&json, "text", record->text);
    json_trace(&json, record->trace, record->span);
    json_fields(&json, record->fields, record->field_count);
    if (record->fields_dropped > 0) json_count(&json, "fields_dropped", record->fields_dropped);
    hyi_json_end_object(&json);
}

static void line_span_json(const hy_span *span, hy_buf *out) {
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hyi_json_begin_object(&json);
    json_member(&json, "wall_ns");
    hyi_json_add_i64(&json, span->wall_start);
    json_text(&json, "name", span->name);
    json_member(&json, "duration_ns");
    hyi_json_add_i64(&json, span->duration);
    json_text(&json, "status", hy_err_name(span->err));
    json_trace(&json, span->trace, span->span);
    if (span->parent != 0) json_hex(&json, "parent", 0, span->parent, false);
    if (span->remote_parent) {
        json_member(&json, "remote_parent");
        hyi_json_add_bool(&json, true);
    }
    json_fields(&json, span->fields, span->field_count);
    if (span->events > 0) json_count(&json, "events", span->events);
    hyi_json_end_object(&json);
}

void hy_log_line(const hy_log_record *record, bool json, hy_buf *out) {
    if (json) {
        line_log_json(record, out);
    } else {
        line_log_text(record, out);
    }
}

void hy_span_line(const hy_span *span, bool json, hy_buf *out) {
    if (json) {
        line_span_json(span, out);
    } else {
        line_span_text(span, out);
    }
}
