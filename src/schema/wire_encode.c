// A record as bytes of Protocol Buffers, in one pass.
//
// This is on the durable hot path: every changed row, input and action of every step comes through
// here. So the writer keeps its place in two pointers, the buffer is asked for room once per record
// (scalars then only compare two pointers), and nested messages are not measured first: one byte is
// left for the length, and a body of 128 bytes or more is moved up by the bytes its length needs.
//
// Invariants: out->ptr <= at <= end, and end is where the room of the buffer ends; on any error the
// buffer has the length it had before. What this file writes, wire_decode.c reads back: so it
// refuses what the decoder would refuse (enums beyond 31 bits, depth, text that is not UTF-8,
// unknown fields that do not parse).
//
// Fields go in order of number. Descriptions nearly always have them in that order; when one has
// not, the record is begun again with a search for the next number.
#include <hypha/schema.h>

#include "base/memory.h"
#include "schema/wire.h"

#define ENCODE_TAGGED_MAX 15 // bytes of the longest tag and varint: 5 + 10

typedef struct wire_writer {
    hy_buf *out;
    uint8_t *at;  // where the next byte goes
    uint8_t *end; // behind the room that the buffer has
    uint32_t depth;
    hy_err err; // set when a function gives false
} wire_writer;

static bool encode_record(wire_writer *writer, const hy_record *record, const uint8_t *value);
static bool encode_fields_by_number(wire_writer *writer, const hy_record *record,
                                    const uint8_t *value);
static bool encode_union(wire_writer *writer, const hy_record *record, const uint8_t *value);
static bool encode_field(wire_writer *writer, const hy_field *field, const uint8_t *at);
static bool encode_list(wire_writer *writer, const hy_field *field, const uint8_t *at);
static bool encode_packed(wire_writer *writer, const hy_field *field, const uint8_t *ptr,
                          size_t count);
static bool encode_value(wire_writer *writer, const hy_field *field, const uint8_t *at,
                         bool even_zero);
static bool encode_scalar(wire_writer *writer, const hy_field *field, const uint8_t *at,
                          bool even_zero);
static bool encode_f64(wire_writer *writer, const hy_field *field, const uint8_t *at,
                       bool even_zero);
static bool encode_bytes(wire_writer *writer, const hy_field *field, const uint8_t *at,
                         bool even_zero);
static bool encode_id(wire_writer *writer, const hy_field *field, const uint8_t *at,
                      bool even_zero);
static bool encode_nested(wire_writer *writer, const hy_field *field, const uint8_t *at,
                          bool even_zero);
static bool encode_unknown(wire_writer *writer, const hy_field *fields, uint32_t count,
                           const uint8_t *value);
static bool writer_grow(wire_writer *writer, size_t more);
static bool writer_put_slowly(wire_writer *writer, const uint8_t *bytes, size_t len);
static bool writer_close(wire_writer *writer, size_t body);

hy_err hy_wire_encode(const hy_record *record, const void *value, hy_buf *out) {
    if (out->failed != HY_OK) return out->failed;
    size_t start = out->len;
    wire_writer writer = { .out = out, .err = HY_OK };
    writer.at = out->ptr == NULL ? NULL : out->ptr + out->len;
    writer.end = out->ptr == NULL ? NULL : out->ptr + out->capacity;
    if (encode_record(&writer, record, (const uint8_t *)value)) {
        if (writer.at != NULL) out->len = (size_t)(writer.at - out->ptr);
        return HY_OK;
    }
    HY_ASSERT(writer.err != HY_OK);
    out->len = start;
    return writer.err;
}

static bool writer_fail(wire_writer *writer, hy_err err) {
    writer->err = err;
    return false;
}

static inline size_t writer_room(const wire_writer *writer) {
    return (size_t)(writer->end - writer->at);
}

static inline size_t writer_position(const wire_writer *writer) {
    return writer->at == NULL ? 0 : (size_t)(writer->at - writer->out->ptr);
}

// Room for `more` bytes.
static inline bool writer_need(wire_writer *writer, size_t more) {
    return writer_room(writer) >= more || writer_grow(writer, more);
}

static bool writer_grow(wire_writer *writer, size_t more) {
    hy_buf *out = writer->out;
    out->len = writer_position(writer);
    if (hy_buf_reserve(out, more) == NULL) return writer_fail(writer, out->failed);
    writer->at = out->ptr + out->len;
    writer->end = out->ptr + out->capacity;
    return true;
}

// Asks for the room that the plain fields of a record may need, unless that would meet the limit of
// the buffer: then each field asks for what it really needs.
static bool writer_expect(wire_writer *writer, size_t more) {
    const hy_buf *out = writer->out;
    if (writer_room(writer) >= more) return true;
    if (out->bytes_max != 0 && more > out->bytes_max - writer_position(writer)) return true;
    return writer_grow(writer, more);
}

static inline bool writer_put_tagged(wire_writer *writer, uint64_t tag, uint64_t value) {
    if (writer_room(writer) >= ENCODE_TAGGED_MAX) {
        writer->at = hyi_wire_put_varint(hyi_wire_put_varint(writer->at, tag), value);
        return true;
    }
    uint8_t scratch[ENCODE_TAGGED_MAX];
    uint8_t *end = hyi_wire_put_varint(hyi_wire_put_varint(scratch, tag), value);
    return writer_put_slowly(writer, scratch, (size_t)(end - scratch));
}

static bool writer_put_slowly(wire_writer *writer, const uint8_t *bytes, size_t len) {
    if (len == 0) return true;
    if (!writer_need(writer, len)) return false;
    memcpy(writer->at, bytes, len);
    writer->at += len;
    return true;
}

// Begins something with a length: its tag and one byte for the length. Gives where the body begins.
static inline bool writer_open(wire_writer *writer, uint32_t number, size_t *out_body) {
    if (!writer_put_tagged(writer, (uint64_t)number << 3 | HYI_WIRE_LENGTH, 0)) return false;
    *out_body = writer_position(writer);
    return true;
}

// Writes the length of what was put since `body`.
static bool writer_close(wire_writer *writer, size_t body) {
    size_t len = writer_position(writer) - body;
    if (len >= 0x80) {
        size_t more = hyi_wire_varint_size(len) - 1;
        if (!writer_need(writer, more)) return false;
        uint8_t *from = writer->out->ptr + body;
        memmove(from + more, from, len);
        writer->at += more;
    }
    hyi_wire_put_varint(writer->out->ptr + body - 1, len);
    return true;
}

static bool encode_record(wire_writer *writer, const hy_record *record, const uint8_t *value) {
    if (!writer_expect(writer, (size_t)record->field_count * ENCODE_TAGGED_MAX + 1)) return false;
    if (record->is_union) return encode_union(writer, record, value);
    const hy_field *fields = hy_record_fields(record);
    size_t start = writer_position(writer);
    uint32_t last = 0;
    bool keeps_unknown = false;
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_field *field = &fields[i];
        if (field->number <= last) {
            if (field->number == 0) {
                keeps_unknown = true;
                continue;
            }
            if (last != 0) writer->at = writer->out->ptr + start;
            return encode_fields_by_number(writer, record, value);
        }
        last = field->number;
        if (!encode_field(writer, field, value + field->offset)) return false;
    }
    return !keeps_unknown || encode_unknown(writer, fields, record->field_count, value);
}

static bool encode_fields_by_number(wire_writer *writer, const hy_record *record,
                                    const uint8_t *value) {
    const hy_field *fields = hy_record_fields(record);
    uint32_t last = 0;
    for (;;) {
        const hy_field *next = NULL;
        for (uint32_t i = 0; i < record->field_count; i++) {
            uint32_t number = fields[i].number;
            if (number > last && (next == NULL || number < next->number)) next = &fields[i];
        }
        if (next == NULL) return encode_unknown(writer, fields, record->field_count, value);
        last = next->number;
        if (!encode_field(writer, next, value + next->offset)) return false;
    }
}

// A tag that names no member cannot be written: the value would come back as another one.
static bool encode_union(wire_writer *writer, const hy_record *record, const uint8_t *value) {
    uint32_t which;
    memcpy(&which, value, sizeof which);
    if (which == 0) return true;
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (fields[i].number == which) {
            return encode_value(writer, &fields[i], value + fields[i].offset, true);
        }
    }
    return writer_fail(writer, HY_RANGE);
}

static inline bool encode_field(wire_writer *writer, const hy_field *field, const uint8_t *at) {
    if (field->label == HY_SINGLE) return encode_value(writer, field, at, false);
    if (field->label == HY_REPEATED) return encode_list(writer, field, at);
    return *at == 0 || encode_value(writer, field, at + field->align, true);
}

static inline bool encode_value(wire_writer *writer, const hy_field *field, const uint8_t *at,
                                bool even_zero) {
    switch (field->type) {
    case HY_TYPE_F64: return encode_f64(writer, field, at, even_zero);
    case HY_TYPE_STR:
    case HY_TYPE_BYTES: return encode_bytes(writer, field, at, even_zero);
    case HY_TYPE_ID: return encode_id(writer, field, at, even_zero);
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: return encode_nested(writer, field, at, even_zero);
    default: return encode_scalar(writer, field, at, even_zero);
    }
}

// Loads an integer, bool or enum as the number that its varint carries.
static inline uint64_t encode_load(hy_type type, const uint8_t *at) {
    switch (type) {
    case HY_TYPE_U8: return *at;
    case HY_TYPE_BOOL: return *at != 0;
    case HY_TYPE_I8: return hyi_wire_zigzag((int8_t)*at);
    case HY_TYPE_U16: {
        uint16_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    case HY_TYPE_I16: {
        int16_t value;
        memcpy(&value, at, sizeof value);
        return hyi_wire_zigzag(value);
    }
    case HY_TYPE_U32:
    case HY_TYPE_ENUM: {
        uint32_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    case HY_TYPE_I32: {
        int32_t value;
        memcpy(&value, at, sizeof value);
        return hyi_wire_zigzag(value);
    }
    case HY_TYPE_I64: {
        int64_t value;
        memcpy(&value, at, sizeof value);
        return hyi_wire_zigzag(value);
    }
    default: {
        uint64_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    }
}

static inline bool encode_scalar(wire_writer *writer, const hy_field *field, const uint8_t *at,
                                 bool even_zero) {
    uint64_t raw = encode_load(field->type, at);
    if (raw == 0 && !even_zero) return true;
    if (field->type == HY_TYPE_ENUM && raw > INT32_MAX) return writer_fail(writer, HY_RANGE);
    return writer_put_tagged(writer, (uint64_t)field->number << 3 | HYI_WIRE_VARINT, raw);
}

static bool encode_f64(wire_writer *writer, const hy_field *field, const uint8_t *at,
                       bool even_zero) {
    uint64_t bits; // a negative zero has a bit set, so it is written, as in proto3
    memcpy(&bits, at, sizeof bits);
    if (bits == 0 && !even_zero) return true;
    uint8_t scratch[ENCODE_TAGGED_MAX];
    uint8_t *end = hyi_wire_put_varint(scratch, (uint64_t)field->number << 3 | HYI_WIRE_FIXED64);
    end = hyi_wire_put_fixed64(end, bits);
    return writer_put_slowly(writer, scratch, (size_t)(end - scratch));
}

static bool encode_bytes(wire_writer *writer, const hy_field *field, const uint8_t *at,
                         bool even_zero) {
    hy_bytes bytes;
    memcpy(&bytes, at, sizeof bytes);
    if (bytes.len == 0 && !even_zero) return true;
    if (field->type == HY_TYPE_STR && !hy_text_is_utf8(bytes)) {
        return writer_fail(writer, HY_NOT_UTF8);
    }
    uint64_t tag = (uint64_t)field->number << 3 | HYI_WIRE_LENGTH;
    return writer_put_tagged(writer, tag, bytes.len) &&
           writer_put_slowly(writer, bytes.ptr, bytes.len);
}

static bool encode_id(wire_writer *writer, const hy_field *field, const uint8_t *at,
                      bool even_zero) {
    hy_id id;
    memcpy(&id, at, sizeof id);
    if ((id.hi | id.lo) == 0 && !even_zero) return true;
    uint8_t bytes[16];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(id.hi >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(id.lo >> (56 - 8 * i));
    }
    uint64_t tag = (uint64_t)field->number << 3 | HYI_WIRE_LENGTH;
    return writer_put_tagged(writer, tag, sizeof bytes) &&
           writer_put_slowly(writer, bytes, sizeof bytes);
}

// A single record whose fields are all zero is a zero value itself, and left out whole.
static bool encode_nested(wire_writer *writer, const hy_field *field, const uint8_t *at,
                          bool even_zero) {
    if (writer->depth + 1 >= HY_DEPTH_MAX) return writer_fail(writer, HY_TOO_DEEP);
    size_t before = writer_position(writer), body;
    if (!writer_open(writer, field->number, &body)) return false;
    writer->depth += 1;
    if (!encode_record(writer, field->of, at)) return false;
    writer->depth -= 1;
    if (writer_position(writer) == body && !even_zero) {
        writer->at = writer->out->ptr + before;
        return true;
    }
    return writer_close(writer, body);
}

static bool encode_list(wire_writer *writer, const hy_field *field, const uint8_t *at) {
    struct {
        const uint8_t *ptr;
        size_t len;
    } list;
    memcpy(&list, at, sizeof list);
    if (list.len == 0) return true;
    if (hyi_wire_type_of(field->type) != HYI_WIRE_LENGTH) {
        return encode_packed(writer, field, list.ptr, list.len);
    }
    for (size_t i = 0; i < list.len; i++) {
        if (!encode_value(writer, field, list.ptr + i * field->size, true)) return false;
    }
    return true;
}

static bool encode_packed(wire_writer *writer, const hy_field *field, const uint8_t *ptr,
                          size_t count) {
    size_t body;
    if (!writer_open(writer, field->number, &body)) return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t raw = encode_load(field->type, ptr + i * field->size);
        if (field->type == HY_TYPE_ENUM && raw > INT32_MAX) return writer_fail(writer, HY_RANGE);
        uint8_t scratch[HYI_WIRE_VARINT_MAX];
        bool fits = writer_room(writer) >= sizeof scratch;
        uint8_t *from = fits ? writer->at : scratch;
        uint8_t *to = field->type == HY_TYPE_F64 ? hyi_wire_put_fixed64(from, raw)
                                                 : hyi_wire_put_varint(from, raw);
        if (fits) {
            writer->at = to;
        } else if (!writer_put_slowly(writer, scratch, (size_t)(to - scratch))) {
            return false;
        }
    }
    return writer_close(writer, body);
}

// Kept fields go out as they came in, after a look that they are fields: a record that was filled
// by hand must not make a message that nobody can read.
static bool encode_unknown(wire_writer *writer, const hy_field *fields, uint32_t count,
                           const uint8_t *value) {
    uint32_t i = 0;
    while (i < count && fields[i].number != 0) {
        i += 1;
    }
    if (i == count) return true;
    hy_bytes kept;
    memcpy(&kept, value + fields[i].offset, sizeof kept);
    if (kept.len == 0) return true;
    const uint8_t *at = kept.ptr, *end = kept.ptr + kept.len;
    while (at < end) {
        uint64_t tag;
        const uint8_t *next = hyi_wire_read_varint(at, end, &tag);
        if (next == NULL || tag >> 3 == 0 || tag >> 3 > HYI_WIRE_NUMBER_MAX) {
            return writer_fail(writer, HY_MALFORMED);
        }
        at = next;
        hy_err err = hyi_wire_skip(&at, end, tag);
        if (err != HY_OK) return writer_fail(writer, err);
    }
    return writer_put_slowly(writer, kept.ptr, kept.len);
}
