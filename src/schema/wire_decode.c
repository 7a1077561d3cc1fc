// Bytes of Protocol Buffers as a record.
//
// Bytes come from outside, so nothing is believed: every length is compared with what is left
// before it is used, every number with the range of its field, and nested records are bounded in
// depth. All memory comes from the caller's arena; a decode of n bytes costs at most a fixed
// multiple of n in time, and lists grow by doubling, so no order of fields makes it worse.
//
// The rules of Protocol Buffers where they leave a choice:
//   - a single field given twice: the last one wins; nested records given twice are merged;
//   - a union given two members: the last one wins; the same record member twice is merged;
//   - lists of scalars are read packed or not; an integer that does not fit its field is HY_RANGE;
//   - a known field with a foreign wire type is malformed, for no rule of evolution leads there;
//   - unknown fields, groups too, are kept byte for byte where the record keeps them, else skipped.
#include <hypha/schema.h>

#include "base/memory.h"
#include "schema/field_list.h"
#include "schema/field_path.h"
#include "schema/wire.h"

typedef struct wire_reader {
    const uint8_t *start; // of the whole input, for offsets in `why`
    hy_arena *arena;
    hy_why *why;
    hyi_field_path path;
} wire_reader;

// The part of the input that belongs to one record.
typedef struct wire_span {
    const uint8_t *at, *end;
} wire_span;

// The step of an error that is about the record itself.
static const hyi_field_step reader_here = { .field = NULL, .index = HYI_NO_INDEX };

static hy_err decode_record(wire_reader *reader, const hy_record *record, wire_span span,
                            uint8_t *value);
static hy_err decode_member(wire_reader *reader, const hy_record *record, const hy_field *field,
                            uint32_t wire, wire_span *span, uint8_t *value);
static hy_err decode_value(wire_reader *reader, hyi_field_step step, uint32_t wire, wire_span *span,
                           uint8_t *to);
static hy_err decode_varint(wire_reader *reader, hyi_field_step step, wire_span *span, uint8_t *to);
static hy_err decode_length(wire_reader *reader, hyi_field_step step, wire_span *span,
                            hy_bytes *out_body);
static hy_err decode_bytes(wire_reader *reader, hyi_field_step step, hy_bytes body, uint8_t *to);
static hy_err decode_id(wire_reader *reader, hyi_field_step step, hy_bytes body, uint8_t *to);
static hy_err decode_nested(wire_reader *reader, hyi_field_step step, hy_bytes body, uint8_t *to);
static hy_err decode_list(wire_reader *reader, const hy_field *field, uint32_t wire,
                          wire_span *span, uint8_t *member);
static hy_err decode_packed(wire_reader *reader, const hy_field *field, wire_span *span,
                            uint8_t *member);
static hy_err decode_unknown(wire_reader *reader, const hy_record *record, const uint8_t *tag_at,
                             uint64_t tag, wire_span *span, uint8_t *value);
static size_t wire_count_run(wire_span span, uint64_t tag);

hy_err hy_wire_decode(const hy_record *record, hy_bytes bytes, hy_arena *arena, void *out_value,
                      hy_why *why) {
    wire_reader reader;
    reader.start = bytes.ptr;
    reader.arena = arena;
    reader.why = why;
    reader.path.depth = 0;
    memset(out_value, 0, record->size);
    if (bytes.len == 0) return HY_OK;
    wire_span span = { .at = bytes.ptr, .end = bytes.ptr + bytes.len };
    hy_err err = decode_record(&reader, record, span, (uint8_t *)out_value);
    if (err != HY_OK) memset(out_value, 0, record->size);
    return err;
}

__attribute__((cold, noinline)) static hy_err reader_fail(wire_reader *reader, hyi_field_step step,
                                                          hy_err code, const uint8_t *at,
                                                          const char *text) {
    uint64_t offset = (uint64_t)(at - reader->start);
    return hyi_field_path_fail(&reader->path, step, reader->why, code, offset, text);
}

// Fields mostly come in the order of the description, so the field after the last one is tried
// first, then the last one again (a list), and only then all of them.
static inline const hy_field *decode_find(const hy_field *fields, uint32_t count, uint32_t *next,
                                          uint64_t number) {
    if (*next < count && fields[*next].number == number) return &fields[(*next)++];
    if (*next > 0 && fields[*next - 1].number == number) return &fields[*next - 1];
    for (uint32_t i = 0; i < count; i++) {
        if (fields[i].number == number) {
            *next = i + 1;
            return &fields[i];
        }
    }
    return NULL;
}

static hy_err decode_record(wire_reader *reader, const hy_record *record, wire_span span,
                            uint8_t *value) {
    const hy_field *fields = hy_record_fields(record);
    uint32_t next = 0;
    while (span.at < span.end) {
        const uint8_t *tag_at = span.at;
        uint64_t tag;
        span.at = hyi_wire_read_varint(span.at, span.end, &tag);
        if (span.at == NULL) {
            return reader_fail(reader, reader_here, HY_MALFORMED, tag_at, "the tag is cut short");
        }
        uint64_t number = tag >> 3;
        if (number == 0 || number > HYI_WIRE_NUMBER_MAX) {
            return reader_fail(reader, reader_here, HY_MALFORMED, tag_at,
                               "the field number is out of range");
        }
        const hy_field *field = decode_find(fields, record->field_count, &next, number);
        hy_err err = field != NULL
                         ? decode_member(reader, record, field, (uint32_t)tag & 7, &span, value)
                         : decode_unknown(reader, record, tag_at, tag, &span, value);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// Finds where the value of `field` goes, and prepares the place: the flag of an option, the tag of
// a union. A union that changes its member is cleared, for the members share their bytes.
static inline hy_err decode_member(wire_reader *reader, const hy_record *record,
                                   const hy_field *field, uint32_t wire, wire_span *span,
                                   uint8_t *value) {
    uint8_t *member = value + field->offset;
    if (field->label == HY_REPEATED) return decode_list(reader, field, wire, span, member);
    if (field->label == HY_OPTIONAL) {
        *member = 1;
        member += field->align;
    } else if (record->is_union) {
        uint32_t which;
        memcpy(&which, value, sizeof which);
        if (which != field->number) memset(value, 0, record->size);
        memcpy(value, &field->number, sizeof field->number);
    }
    hyi_field_step step = { .field = field, .index = HYI_NO_INDEX };
    return decode_value(reader, step, wire, span, member);
}

static inline hy_err decode_value(wire_reader *reader, hyi_field_step step, uint32_t wire,
                                  wire_span *span, uint8_t *to) {
    hyi_wire_type expected = hyi_wire_type_of(step.field->type);
    if (wire != expected) {
        return reader_fail(reader, step, HY_MALFORMED, span->at,
                           "the wire type is not that of the field");
    }
    if (expected == HYI_WIRE_VARINT) return decode_varint(reader, step, span, to);
    if (expected == HYI_WIRE_FIXED64) {
        if (span->end - span->at < 8) {
            return reader_fail(reader, step, HY_MALFORMED, span->at, "the number is cut short");
        }
        uint64_t bits = hyi_wire_load_fixed64(span->at);
        memcpy(to, &bits, sizeof bits);
        span->at += 8;
        return HY_OK;
    }
    hy_bytes body = { .ptr = NULL };
    hy_err err = decode_length(reader, step, span, &body);
    if (err != HY_OK) return err;
    switch (step.field->type) {
    case HY_TYPE_ID: return decode_id(reader, step, body, to);
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: return decode_nested(reader, step, body, to);
    default: return decode_bytes(reader, step, body, to);
    }
}

// Stores `raw` as the integer, bool or enum that the field is. False when it does not fit.
static inline bool decode_store(hy_type type, uint64_t raw, uint8_t *to) {
    int64_t number = hyi_wire_unzigzag(raw);
    switch (type) {
    case HY_TYPE_U8: *to = (uint8_t)raw; return raw <= UINT8_MAX;
    case HY_TYPE_BOOL: *to = raw != 0; return raw <= 1;
    case HY_TYPE_U16: {
        uint16_t value = (uint16_t)raw;
        memcpy(to, &value, sizeof value);
        return raw <= UINT16_MAX;
    }
    case HY_TYPE_U32:
    case HY_TYPE_ENUM: {
        uint32_t value = (uint32_t)raw;
        memcpy(to, &value, sizeof value);
        return raw <= (type == HY_TYPE_ENUM ? (uint32_t)INT32_MAX : UINT32_MAX);
    }
    case HY_TYPE_I8: {
        int8_t value = (int8_t)number;
        memcpy(to, &value, sizeof value);
        return number == value;
    }
    case HY_TYPE_I16: {
        int16_t value = (int16_t)number;
        memcpy(to, &value, sizeof value);
        return number == value;
    }
    case HY_TYPE_I32: {
        int32_t value = (int32_t)number;
        memcpy(to, &value, sizeof value);
        return number == value;
    }
    case HY_TYPE_I64: memcpy(to, &number, sizeof number); return true;
    default: memcpy(to, &raw, sizeof raw); return true;
    }
}

static inline hy_err decode_varint(wire_reader *reader, hyi_field_step step, wire_span *span,
                                   uint8_t *to) {
    uint64_t raw;
    const uint8_t *next = hyi_wire_read_varint(span->at, span->end, &raw);
    if (next == NULL) {
        return reader_fail(reader, step, HY_MALFORMED, span->at, "the number is cut short");
    }
    if (!decode_store(step.field->type, raw, to)) {
        return reader_fail(reader, step, HY_RANGE, span->at, "the number does not fit its field");
    }
    span->at = next;
    return HY_OK;
}

static hy_err decode_length(wire_reader *reader, hyi_field_step step, wire_span *span,
                            hy_bytes *out_body) {
    uint64_t len;
    const uint8_t *body = hyi_wire_read_varint(span->at, span->end, &len);
    if (body == NULL || len > (uint64_t)(span->end - body)) {
        return reader_fail(reader, step, HY_MALFORMED, span->at,
                           "the length goes past the end of the bytes");
    }
    *out_body = (hy_bytes){ .ptr = body, .len = (size_t)len };
    span->at = body + len;
    return HY_OK;
}

static hy_err decode_bytes(wire_reader *reader, hyi_field_step step, hy_bytes body, uint8_t *to) {
    if (step.field->type == HY_TYPE_STR && !hy_text_is_utf8(body)) {
        return reader_fail(reader, step, HY_NOT_UTF8, body.ptr, "the text is not valid UTF-8");
    }
    hy_bytes copy = { .ptr = NULL, .len = 0 };
    bool ok = true;
    if (body.len > 0) copy = hy_arena_copy(reader->arena, body, &ok);
    if (!ok) return reader_fail(reader, step, HY_NOMEM, body.ptr, "no memory for the bytes");
    memcpy(to, &copy, sizeof copy);
    return HY_OK;
}

static hy_err decode_id(wire_reader *reader, hyi_field_step step, hy_bytes body, uint8_t *to) {
    hy_id id = { .hi = 0, .lo = 0 };
    if (body.len != sizeof id) {
        return reader_fail(reader, step, HY_RANGE, body.ptr, "an id has 16 bytes");
    }
    for (int i = 0; i < 8; i++) {
        id.hi = id.hi << 8 | body.ptr[i];
        id.lo = id.lo << 8 | body.ptr[8 + i];
    }
    memcpy(to, &id, sizeof id);
    return HY_OK;
}

static hy_err decode_nested(wire_reader *reader, hyi_field_step step, hy_bytes body, uint8_t *to) {
    if (!hyi_field_path_push(&reader->path, step.field, step.index)) {
        return reader_fail(reader, step, HY_TOO_DEEP, body.ptr,
                           "the records are nested too deeply");
    }
    wire_span span = { .at = body.ptr, .end = body.ptr + body.len };
    hy_err err = decode_record(reader, step.field->of, span, to);
    hyi_field_path_pop(&reader->path);
    return err;
}

static hy_err decode_list(wire_reader *reader, const hy_field *field, uint32_t wire,
                          wire_span *span, uint8_t *member) {
    hyi_wire_type natural = hyi_wire_type_of(field->type);
    if (wire == HYI_WIRE_LENGTH && natural != HYI_WIRE_LENGTH) {
        return decode_packed(reader, field, span, member);
    }
    hyi_field_list list = hyi_field_list_load(member);
    hyi_field_step step = { .field = field, .index = list.len };
    size_t room =
        list.len == 0 ? 1 + wire_count_run(*span, (uint64_t)field->number << 3 | wire) : 1;
    uint8_t *to = hyi_field_list_extend(reader->arena, member, field->size, room);
    if (to == NULL) return reader_fail(reader, step, HY_NOMEM, span->at, "no memory for the list");
    memset(to, 0, field->size);
    hy_err err = decode_value(reader, step, wire, span, to);
    if (err != HY_OK) return err;
    list = hyi_field_list_load(member);
    list.len += 1;
    hyi_field_list_store(member, list);
    return HY_OK;
}

static hy_err decode_packed(wire_reader *reader, const hy_field *field, wire_span *span,
                            uint8_t *member) {
    hyi_field_list list = hyi_field_list_load(member);
    hyi_field_step step = { .field = field, .index = list.len };
    hy_bytes body = { .ptr = NULL };
    hy_err err = decode_length(reader, step, span, &body);
    if (err != HY_OK || body.len == 0) return err;
    size_t count = body.len / 8;
    if (field->type != HY_TYPE_F64) {
        count = 0;
        for (size_t i = 0; i < body.len; i++) {
            count += body.ptr[i] < 0x80; // each number ends with such a byte
        }
    }
    wire_span inside = { .at = body.ptr, .end = body.ptr + body.len };
    uint8_t *to = hyi_field_list_extend(reader->arena, member, field->size, count);
    if (to == NULL) return reader_fail(reader, step, HY_NOMEM, body.ptr, "no memory for the list");
    list = hyi_field_list_load(member);
    uint32_t natural = hyi_wire_type_of(field->type);
    while (inside.at < inside.end) {
        step.index = list.len;
        if (count-- == 0) {
            return reader_fail(reader, step, HY_MALFORMED, inside.at, "the number is cut short");
        }
        err = decode_value(reader, step, natural, &inside, to);
        if (err != HY_OK) return err;
        to += field->size;
        list.len += 1;
    }
    hyi_field_list_store(member, list);
    return HY_OK;
}

static hy_err decode_unknown(wire_reader *reader, const hy_record *record, const uint8_t *tag_at,
                             uint64_t tag, wire_span *span, uint8_t *value) {
    hy_err err = hyi_wire_skip(&span->at, span->end, tag);
    if (err != HY_OK) {
        return reader_fail(reader, reader_here, err, tag_at, "an unknown field cannot be skipped");
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (fields[i].type != HY_TYPE_UNKNOWN) continue;
        size_t len = (size_t)(span->at - tag_at);
        uint8_t *member = value + fields[i].offset;
        uint8_t *to = hyi_field_list_extend(reader->arena, member, 1, len);
        if (to == NULL) return reader_fail(reader, reader_here, HY_NOMEM, tag_at, "no memory");
        memcpy(to, tag_at, len);
        hyi_field_list list = hyi_field_list_load(member);
        list.len += len;
        hyi_field_list_store(member, list);
    }
    return HY_OK;
}

// How many more elements of the same list follow the one whose tag was just read. Lists mostly come
// in one run, and then they get exactly the room they need.
static size_t wire_count_run(wire_span span, uint64_t tag) {
    size_t count = 0;
    uint64_t found = tag;
    while (hyi_wire_skip(&span.at, span.end, found) == HY_OK && span.at < span.end) {
        span.at = hyi_wire_read_varint(span.at, span.end, &found);
        if (span.at == NULL || found != tag) break;
        count += 1;
    }
    return count;
}
