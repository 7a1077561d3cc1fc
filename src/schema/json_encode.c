// A record as one JSON object on one line.
//
// Every single field is written, zero or not, because a reader in a browser wants to find it; what
// is left out is what is not there: an unset option, an unset union, unknown fields. JavaScript
// reads numbers as doubles, so integers past 2^53 go as strings. NaN and infinity have no JSON:
// HY_RANGE.
#include <hypha/schema.h>

#include "base/json.h"
#include "base/memory.h"
#include "schema/base64.h"
#include "schema/field_list.h"
#include "schema/json_hooks.h"
#include "schema/record.h"

#define JSON_EXACT_MAX (INT64_C(1) << 53) // the last integer of which a double misses no neighbour

typedef struct json_encoder {
    const hyi_json_hooks *hooks; // or NULL
    hyi_json_writer writer;
    uint32_t depth;
} json_encoder;

static hy_err json_encode_record(json_encoder *encoder, const hy_record *record,
                                 const uint8_t *value);
static hy_err json_encode_field(json_encoder *encoder, const hy_record *record,
                                const hy_field *field, const uint8_t *member);
static hy_err json_encode_list(json_encoder *encoder, const hy_field *field, const uint8_t *member);
static hy_err json_encode_value(json_encoder *encoder, const hy_field *field, const uint8_t *at);
static hy_err json_encode_f64(json_encoder *encoder, const uint8_t *at);
static hy_err json_encode_enum(json_encoder *encoder, const hy_field *field, const uint8_t *at);
static void json_encode_unsigned(json_encoder *encoder, uint64_t value);
static void json_encode_signed(json_encoder *encoder, int64_t value);
static void json_encode_id(json_encoder *encoder, const uint8_t *at);
static void json_encode_base64(json_encoder *encoder, hy_bytes bytes);

hy_err hy_json_encode(const hy_record *record, const void *value, hy_buf *out) {
    return hyi_json_encode_with(NULL, record, value, out);
}

hy_err hyi_json_encode_with(const hyi_json_hooks *hooks, const hy_record *record, const void *value,
                            hy_buf *out) {
    if (out->failed != HY_OK) return out->failed;
    size_t start = out->len;
    json_encoder encoder = { .hooks = hooks };
    hyi_json_writer_init(&encoder.writer, out);
    hy_err err = json_encode_record(&encoder, record, (const uint8_t *)value);
    if (err == HY_OK) err = hyi_json_finish(&encoder.writer);
    if (err != HY_OK) out->len = start;
    return err;
}

hy_err hyi_json_encode_member(const hyi_json_hooks *hooks, const hy_field *field,
                              const void *member, hy_buf *out) {
    if (out->failed != HY_OK) return out->failed;
    size_t start = out->len;
    json_encoder encoder = { .hooks = hooks };
    hyi_json_writer_init(&encoder.writer, out);
    const uint8_t *at = (const uint8_t *)member;
    hy_err err = HY_OK;
    if (field->label == HY_REPEATED) {
        err = json_encode_list(&encoder, field, at);
    } else if (field->label == HY_OPTIONAL && *at == 0) {
        hyi_json_add_null(&encoder.writer);
    } else {
        err = json_encode_value(&encoder, field,
                                field->label == HY_OPTIONAL ? at + field->align : at);
    }
    if (err == HY_OK) err = hyi_json_finish(&encoder.writer);
    if (err != HY_OK) out->len = start;
    return err;
}

static hy_err json_encode_record(json_encoder *encoder, const hy_record *record,
                                 const uint8_t *value) {
    if (encoder->depth == HY_DEPTH_MAX) return HY_TOO_DEEP;
    encoder->depth += 1;
    hyi_json_begin_object(&encoder->writer);
    const hy_field *fields = hy_record_fields(record);
    uint32_t which = 0;
    if (record->is_union) memcpy(&which, value, sizeof which);
    bool found = false;
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (record->is_union && fields[i].number != which) continue;
        found = true;
        hy_err err = json_encode_field(encoder, record, &fields[i], value + fields[i].offset);
        if (err != HY_OK) return err;
    }
    if (which != 0 && !found) return HY_RANGE; // a tag that names no member
    hyi_json_end_object(&encoder->writer);
    encoder->depth -= 1;
    return HY_OK;
}

static bool json_encode_leaves_out(const hy_field *field, const uint8_t *member) {
    if (field->type == HY_TYPE_UNKNOWN) return true;
    if (field->label == HY_OPTIONAL) return *member == 0;
    if (field->label != HY_SINGLE || field->type != HY_TYPE_UNION) return false;
    uint32_t which;
    memcpy(&which, member, sizeof which);
    return which == 0;
}

static hy_err json_encode_field(json_encoder *encoder, const hy_record *record,
                                const hy_field *field, const uint8_t *member) {
    if (json_encode_leaves_out(field, member)) return HY_OK;
    hyi_json_key(&encoder->writer, hy_bytes_of(hyi_json_name(encoder->hooks, record, field)));
    if (field->label == HY_REPEATED) return json_encode_list(encoder, field, member);
    return json_encode_value(encoder, field,
                             field->label == HY_OPTIONAL ? member + field->align : member);
}

static hy_err json_encode_list(json_encoder *encoder, const hy_field *field,
                               const uint8_t *member) {
    hyi_field_list list = hyi_field_list_load(member);
    hyi_json_begin_array(&encoder->writer);
    for (size_t i = 0; i < list.len; i++) {
        hy_err err = json_encode_value(encoder, field, list.ptr + i * field->size);
        if (err != HY_OK) return err;
    }
    hyi_json_end_array(&encoder->writer);
    return HY_OK;
}

#define JSON_LOAD(type, at)                                                                        \
    type value;                                                                                    \
    memcpy(&value, (at), sizeof value)

static hy_err json_encode_value(json_encoder *encoder, const hy_field *field, const uint8_t *at) {
    switch (field->type) {
    case HY_TYPE_U8: json_encode_unsigned(encoder, *at); break;
    case HY_TYPE_U16: {
        JSON_LOAD(uint16_t, at);
        json_encode_unsigned(encoder, value);
        break;
    }
    case HY_TYPE_U32: {
        JSON_LOAD(uint32_t, at);
        json_encode_unsigned(encoder, value);
        break;
    }
    case HY_TYPE_U64: {
        JSON_LOAD(uint64_t, at);
        json_encode_unsigned(encoder, value);
        break;
    }
    case HY_TYPE_I8: json_encode_signed(encoder, (int8_t)*at); break;
    case HY_TYPE_I16: {
        JSON_LOAD(int16_t, at);
        json_encode_signed(encoder, value);
        break;
    }
    case HY_TYPE_I32: {
        JSON_LOAD(int32_t, at);
        json_encode_signed(encoder, value);
        break;
    }
    case HY_TYPE_I64: {
        JSON_LOAD(int64_t, at);
        json_encode_signed(encoder, value);
        break;
    }
    case HY_TYPE_BOOL: hyi_json_add_bool(&encoder->writer, *at != 0); break;
    case HY_TYPE_F64: return json_encode_f64(encoder, at);
    case HY_TYPE_ENUM: return json_encode_enum(encoder, field, at);
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: return json_encode_record(encoder, field->of, at);
    case HY_TYPE_ID: json_encode_id(encoder, at); break;
    case HY_TYPE_STR: {
        JSON_LOAD(hy_bytes, at);
        hyi_json_add_text(&encoder->writer, value.len > 0 ? value : HY_BYTES(""));
        break;
    }
    default: {
        JSON_LOAD(hy_bytes, at);
        json_encode_base64(encoder, value);
        break;
    }
    }
    return HY_OK;
}

static void json_encode_unsigned(json_encoder *encoder, uint64_t value) {
    if (value <= (uint64_t)JSON_EXACT_MAX) {
        hyi_json_add_u64(&encoder->writer, value);
        return;
    }
    hyi_json_add_raw(&encoder->writer, HY_BYTES("\""));
    hy_buf_add_u64(encoder->writer.buf, value);
    hy_buf_add_text(encoder->writer.buf, "\"");
}

static void json_encode_signed(json_encoder *encoder, int64_t value) {
    if (value >= -JSON_EXACT_MAX && value <= JSON_EXACT_MAX) {
        hyi_json_add_i64(&encoder->writer, value);
        return;
    }
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    hyi_json_add_raw(&encoder->writer, value < 0 ? HY_BYTES("\"-") : HY_BYTES("\""));
    hy_buf_add_u64(encoder->writer.buf, size);
    hy_buf_add_text(encoder->writer.buf, "\"");
}

static hy_err json_encode_f64(json_encoder *encoder, const uint8_t *at) {
    JSON_LOAD(uint64_t, at);
    if ((value >> 52 & 0x7ff) == 0x7ff) return HY_RANGE; // NaN or infinity
    hyi_json_add_f64_bits(&encoder->writer, value);
    return HY_OK;
}

// A value of a newer program has no label here; it goes by its number.
static hy_err json_encode_enum(json_encoder *encoder, const hy_field *field, const uint8_t *at) {
    JSON_LOAD(uint32_t, at);
    if (value > INT32_MAX) return HY_RANGE;
    const hy_enum_value *known = hyi_enum_value(field->values, value);
    if (known != NULL) {
        hyi_json_add_text(&encoder->writer, hy_bytes_of(known->label));
    } else {
        hyi_json_add_u64(&encoder->writer, value);
    }
    return HY_OK;
}

static void json_encode_id(json_encoder *encoder, const uint8_t *at) {
    JSON_LOAD(hy_id, at);
    char text[HY_ID_TEXT_LEN + 1];
    hy_id_format(value, text);
    hyi_json_add_text(&encoder->writer, (hy_bytes){ (const uint8_t *)text, HY_ID_TEXT_LEN });
}

static void json_encode_base64(json_encoder *encoder, hy_bytes bytes) {
    hyi_json_add_raw(&encoder->writer, HY_BYTES("\""));
    hyi_base64_encode(bytes, encoder->writer.buf);
    hy_buf_add_text(encoder->writer.buf, "\"");
}
