// A JSON object as a record, strictly.
//
// People and browsers write JSON, so a mistake is answered with the place of the field and a
// sentence, never repaired: unknown names, a name given twice, another type, a number out of range,
// null. What is missing is zero. A value has one form only: an enum its label (or a number that has
// none), a union an object with at most one name, bytes base64, 64 bits a number or a string of
// digits.
//
// The reader of base checks the syntax, and its errors have line and column for a place; those made
// here have the path of the field. Records nest at most HY_DEPTH_MAX deep, which bounds the
// recursion.
#include <hypha/schema.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/why.h"
#include "schema/base64.h"
#include "schema/field_list.h"
#include "schema/field_path.h"
#include "schema/json_hooks.h"
#include "schema/record.h"

typedef struct json_decoder {
    const hyi_json_hooks *hooks; // or NULL
    hyi_json json;
    hy_arena *arena;
    hy_why *why;
    hyi_field_path path;
} json_decoder;

// Which fields of one object were met.
typedef struct json_decode_seen {
    uint64_t words[HY_FIELDS_MAX / 64];
} json_decode_seen;

static hy_err json_decode_object(json_decoder *decoder, const hy_record *record, uint8_t *value);
static hy_err json_decode_member(json_decoder *decoder, const hy_record *record,
                                 const hyi_json_token *key, json_decode_seen *seen, uint8_t *value);
static hy_err json_decode_complete(json_decoder *decoder, const hy_record *record,
                                   const json_decode_seen *seen, uint64_t offset, uint8_t *value);
static hy_err json_decode_list(json_decoder *decoder, const hy_field *field,
                               const hyi_json_token *token, uint8_t *member);
static hy_err json_decode_value(json_decoder *decoder, hyi_field_step step,
                                const hyi_json_token *token, uint8_t *to);
static hy_err json_decode_nested(json_decoder *decoder, hyi_field_step step,
                                 const hyi_json_token *token, uint8_t *to);
static hy_err json_decode_scalar(json_decoder *decoder, const hy_field *field,
                                 const hyi_json_token *token, uint8_t *to);
static hy_err json_decode_unsigned(const hy_field *field, const hyi_json_token *token, uint8_t *to);
static hy_err json_decode_signed(const hy_field *field, const hyi_json_token *token, uint8_t *to);
static hy_err json_decode_enum(const hy_field *field, const hyi_json_token *token, uint8_t *to);
static hy_err json_decode_f64(const hyi_json_token *token, uint8_t *to);
static hy_err json_decode_text(json_decoder *decoder, const hy_field *field,
                               const hyi_json_token *token, uint8_t *to);
static hy_err json_decode_refuse_unknown(json_decoder *decoder, const hyi_json_token *key);
static const char *json_decode_reason(const hy_field *field, hy_err err);

static hy_err json_decode_fail(json_decoder *decoder, hyi_field_step step, hy_err code,
                               uint64_t offset, const char *text) {
    return hyi_field_path_fail(&decoder->path, step, decoder->why, code, offset, text);
}

hy_err hy_json_decode(const hy_record *record, hy_bytes text, hy_arena *arena, void *out_value,
                      hy_why *why) {
    return hyi_json_decode_with(NULL, record, text, arena, out_value, why);
}

hy_err hyi_json_decode_with(const hyi_json_hooks *hooks, const hy_record *record, hy_bytes text,
                            hy_arena *arena, void *out_value, hy_why *why) {
    json_decoder decoder;
    decoder.hooks = hooks;
    hyi_json_init(&decoder.json, text, 0, why);
    decoder.arena = arena;
    decoder.why = why;
    decoder.path.depth = 0;
    memset(out_value, 0, record->size);
    hyi_json_token token;
    hy_err err = hyi_json_next(&decoder.json, &token);
    hyi_field_step here = { .field = NULL, .index = HYI_NO_INDEX };
    if (err == HY_OK && token.kind != HYI_JSON_OBJECT_BEGIN) {
        err = json_decode_fail(&decoder, here, HY_TYPE, token.offset, "an object is expected here");
    }
    if (err == HY_OK) err = json_decode_object(&decoder, record, (uint8_t *)out_value);
    if (err == HY_OK) err = hyi_json_next(&decoder.json, &token); // the end, or an error
    if (err != HY_OK) memset(out_value, 0, record->size);
    return err;
}

// Takes the members up to the closing brace; the opening one is taken already.
static hy_err json_decode_object(json_decoder *decoder, const hy_record *record, uint8_t *value) {
    json_decode_seen seen = { { 0 } };
    for (;;) {
        hyi_json_token key;
        hy_err err = hyi_json_next(&decoder->json, &key);
        if (err != HY_OK) return err;
        if (key.kind == HYI_JSON_OBJECT_END) {
            return json_decode_complete(decoder, record, &seen, key.offset, value);
        }
        HY_ASSERT(key.kind == HYI_JSON_KEY);
        err = json_decode_member(decoder, record, &key, &seen, value);
        if (err != HY_OK) return err;
    }
}

static hy_err json_decode_complete(json_decoder *decoder, const hy_record *record,
                                   const json_decode_seen *seen, uint64_t offset, uint8_t *value) {
    const hyi_json_hooks *hooks = decoder->hooks;
    if (hooks == NULL || hooks->complete == NULL) return HY_OK;
    hyi_field_step step = { .field = NULL, .index = HYI_NO_INDEX };
    hy_err err =
        hooks->complete(hooks->context, record, seen->words, decoder->arena, value, &step.field);
    if (err == HY_OK) return HY_OK;
    return json_decode_fail(decoder, step, err, offset,
                            err == HY_MISSING ? "it must be given" : "it has no default here");
}

// Unknown fields have no name outside, so theirs finds nothing.
static uint32_t json_decode_find(const json_decoder *decoder, const hy_record *record,
                                 const hyi_json_token *key) {
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (fields[i].type == HY_TYPE_UNKNOWN) continue;
        if (hyi_json_text_is(key, hy_bytes_of(fields[i].name))) return i;
        if (decoder->hooks == NULL) continue;
        const char *alias = hyi_json_name(decoder->hooks, record, &fields[i]);
        if (hyi_json_text_is(key, hy_bytes_of(alias))) return i;
    }
    return record->field_count;
}

static hy_err json_decode_member(json_decoder *decoder, const hy_record *record,
                                 const hyi_json_token *key, json_decode_seen *seen,
                                 uint8_t *value) {
    uint32_t index = json_decode_find(decoder, record, key);
    if (index == record->field_count) return json_decode_refuse_unknown(decoder, key);
    const hy_field *field = &hy_record_fields(record)[index];
    hyi_field_step step = { .field = field, .index = HYI_NO_INDEX };
    uint64_t bit = (uint64_t)1 << index % 64;
    if ((seen->words[index / 64] & bit) != 0) {
        return json_decode_fail(decoder, step, HY_MALFORMED, key->offset,
                                "the name stands here twice");
    }
    seen->words[index / 64] |= bit;
    hyi_json_token token;
    hy_err err = hyi_json_next(&decoder->json, &token);
    if (err != HY_OK) return err;
    uint8_t *member = value + field->offset;
    if (field->label == HY_REPEATED) return json_decode_list(decoder, field, &token, member);
    if (record->is_union) {
        uint32_t which;
        memcpy(&which, value, sizeof which);
        if (which != 0) {
            return json_decode_fail(decoder, step, HY_MALFORMED, key->offset,
                                    "a union has one member, and this is the second");
        }
        memcpy(value, &field->number, sizeof field->number);
    }
    if (field->label == HY_OPTIONAL) {
        *member = 1;
        member += field->align;
    }
    return json_decode_value(decoder, step, &token, member);
}

static hy_err json_decode_refuse_unknown(json_decoder *decoder, const hyi_json_token *key) {
    hyi_field_step here = { .field = NULL, .index = HYI_NO_INDEX };
    hy_err err = json_decode_fail(decoder, here, HY_UNKNOWN_FIELD, key->offset, "");
    if (decoder->why == NULL) return err;
    char place[sizeof decoder->why->place];
    memcpy(place, decoder->why->place, sizeof place);
    hyi_why_fmt(decoder->why, err, place, "there is no field called %b", &key->raw);
    decoder->why->offset = key->offset;
    return err;
}

static hy_err json_decode_list(json_decoder *decoder, const hy_field *field,
                               const hyi_json_token *token, uint8_t *member) {
    hyi_field_step step = { .field = field, .index = HYI_NO_INDEX };
    if (token->kind != HYI_JSON_ARRAY_BEGIN) {
        return json_decode_fail(decoder, step, HY_TYPE, token->offset, "a list is expected here");
    }
    for (size_t count = 0;; count++) {
        hyi_json_token element;
        hy_err err = hyi_json_next(&decoder->json, &element);
        if (err != HY_OK) return err;
        if (element.kind == HYI_JSON_ARRAY_END) return HY_OK;
        step.index = count;
        uint8_t *to = hyi_field_list_extend(decoder->arena, member, field->size, 1);
        if (to == NULL) {
            return json_decode_fail(decoder, step, HY_NOMEM, element.offset,
                                    "no memory for the list");
        }
        memset(to, 0, field->size);
        err = json_decode_value(decoder, step, &element, to);
        if (err != HY_OK) return err;
        hyi_field_list list = hyi_field_list_load(member);
        list.len += 1;
        hyi_field_list_store(member, list);
    }
}

static hy_err json_decode_value(json_decoder *decoder, hyi_field_step step,
                                const hyi_json_token *token, uint8_t *to) {
    if (step.field->of != NULL) return json_decode_nested(decoder, step, token, to);
    hy_err err = json_decode_scalar(decoder, step.field, token, to);
    if (err == HY_OK) return HY_OK;
    return json_decode_fail(decoder, step, err, token->offset, json_decode_reason(step.field, err));
}

static hy_err json_decode_nested(json_decoder *decoder, hyi_field_step step,
                                 const hyi_json_token *token, uint8_t *to) {
    if (token->kind != HYI_JSON_OBJECT_BEGIN) {
        return json_decode_fail(decoder, step, HY_TYPE, token->offset,
                                "an object is expected here");
    }
    if (!hyi_field_path_push(&decoder->path, step.field, step.index)) {
        return json_decode_fail(decoder, step, HY_TOO_DEEP, token->offset,
                                "the records are nested too deeply");
    }
    hy_err err = json_decode_object(decoder, step.field->of, to);
    hyi_field_path_pop(&decoder->path);
    return err;
}

static hy_err json_decode_scalar(json_decoder *decoder, const hy_field *field,
                                 const hyi_json_token *token, uint8_t *to) {
    switch (field->type) {
    case HY_TYPE_U8:
    case HY_TYPE_U16:
    case HY_TYPE_U32:
    case HY_TYPE_U64: return json_decode_unsigned(field, token, to);
    case HY_TYPE_I8:
    case HY_TYPE_I16:
    case HY_TYPE_I32:
    case HY_TYPE_I64: return json_decode_signed(field, token, to);
    case HY_TYPE_BOOL:
        if (token->kind != HYI_JSON_BOOL) return HY_TYPE;
        *to = token->boolean;
        return HY_OK;
    case HY_TYPE_F64: return json_decode_f64(token, to);
    case HY_TYPE_ENUM: return json_decode_enum(field, token, to);
    default: return json_decode_text(decoder, field, token, to);
    }
}

static const char *json_decode_reason(const hy_field *field, hy_err err) {
    if (err == HY_NOMEM) return "no memory for the value";
    if (err == HY_RANGE) {
        return field->type == HY_TYPE_ENUM ? "the enum has no such value"
                                           : "the number does not fit its field";
    }
    switch (field->type) {
    case HY_TYPE_BOOL: return "true or false is expected here";
    case HY_TYPE_F64: return "a number is expected here";
    case HY_TYPE_ENUM: return "the label of a value is expected here";
    case HY_TYPE_STR: return "a text is expected here";
    case HY_TYPE_BYTES: return "bytes in base64 are expected here";
    case HY_TYPE_ID: return "an id of 36 characters is expected here";
    case HY_TYPE_U64:
    case HY_TYPE_I64: return "a whole number, or its digits as a text, is expected here";
    default: return "a whole number is expected here";
    }
}

// A number of 64 bits that came as text, as a token of its own; false when it is not plain digits.
static bool json_decode_digits(const hyi_json_token *token, hyi_json_token *out_number) {
    size_t at = token->raw.len > 0 && token->raw.ptr[0] == '-' ? 1 : 0;
    size_t digits = token->raw.len - at;
    if (digits == 0 || digits > 20 || (token->raw.ptr[at] == '0' && token->raw.len > 1)) {
        return false;
    }
    for (; at < token->raw.len; at++) {
        if (token->raw.ptr[at] < '0' || token->raw.ptr[at] > '9') return false;
    }
    *out_number = *token;
    out_number->kind = HYI_JSON_NUMBER;
    return true;
}

static hy_err json_decode_unsigned(const hy_field *field, const hyi_json_token *token,
                                   uint8_t *to) {
    hyi_json_token number = *token;
    if (field->type == HY_TYPE_U64 && token->kind == HYI_JSON_TEXT &&
        !json_decode_digits(token, &number)) {
        return HY_TYPE;
    }
    uint64_t value;
    hy_err err = hyi_json_u64(&number, &value);
    if (err != HY_OK) return err;
    if (field->size < sizeof value && value >> (8 * field->size) != 0) return HY_RANGE;
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;
    switch (field->type) {
    case HY_TYPE_U8: memcpy(to, &u8, sizeof u8); break;
    case HY_TYPE_U16: memcpy(to, &u16, sizeof u16); break;
    case HY_TYPE_U32: memcpy(to, &u32, sizeof u32); break;
    default: memcpy(to, &value, sizeof value); break;
    }
    return HY_OK;
}

static hy_err json_decode_signed(const hy_field *field, const hyi_json_token *token, uint8_t *to) {
    hyi_json_token number = *token;
    if (field->type == HY_TYPE_I64 && token->kind == HYI_JSON_TEXT &&
        !json_decode_digits(token, &number)) {
        return HY_TYPE;
    }
    int64_t value;
    hy_err err = hyi_json_i64(&number, &value);
    if (err != HY_OK) return err;
    int8_t i8 = (int8_t)value;
    int16_t i16 = (int16_t)value;
    int32_t i32 = (int32_t)value;
    switch (field->type) {
    case HY_TYPE_I8: memcpy(to, &i8, sizeof i8); return i8 == value ? HY_OK : HY_RANGE;
    case HY_TYPE_I16: memcpy(to, &i16, sizeof i16); return i16 == value ? HY_OK : HY_RANGE;
    case HY_TYPE_I32: memcpy(to, &i32, sizeof i32); return i32 == value ? HY_OK : HY_RANGE;
    default: memcpy(to, &value, sizeof value); return HY_OK;
    }
}

static hy_err json_decode_enum(const hy_field *field, const hyi_json_token *token, uint8_t *to) {
    uint32_t number;
    if (token->kind == HYI_JSON_TEXT) {
        const hy_enum *values = field->values;
        uint32_t i = 0;
        while (i < values->value_count &&
               !hyi_json_text_is(token, hy_bytes_of(values->values[i].label))) {
            i += 1;
        }
        if (i == values->value_count) return HY_RANGE;
        number = values->values[i].number;
    } else {
        uint64_t value;
        hy_err err = hyi_json_u64(token, &value);
        if (err != HY_OK) return err;
        if (value > INT32_MAX) return HY_RANGE;
        number = (uint32_t)value;
        if (hyi_enum_value(field->values, number) != NULL) return HY_TYPE; // it has a label
    }
    memcpy(to, &number, sizeof number);
    return HY_OK;
}

static hy_err json_decode_f64(const hyi_json_token *token, uint8_t *to) {
    if (token->kind != HYI_JSON_NUMBER) return HY_TYPE; // "NaN" and its kind are not for records
    uint64_t bits;
    hy_err err = hyi_json_f64_bits(token, &bits);
    if (err != HY_OK) return err;
    memcpy(to, &bits, sizeof bits);
    return HY_OK;
}

// Texts are copied even when they could be borrowed, so that a record may outlive its decoder.
static hy_err json_decode_text(json_decoder *decoder, const hy_field *field,
                               const hyi_json_token *token, uint8_t *to) {
    if (token->kind != HYI_JSON_TEXT) return HY_TYPE;
    hy_text text;
    hy_err err = hyi_json_text(token, decoder->arena, &text);
    if (err != HY_OK) return err;
    if (field->type == HY_TYPE_ID) {
        hy_id id;
        err = hy_id_parse(text, &id);
        if (err == HY_OK) memcpy(to, &id, sizeof id);
        return err;
    }
    hy_bytes bytes = { .ptr = NULL, .len = 0 };
    bool ok = true;
    if (field->type == HY_TYPE_BYTES) {
        err = hyi_base64_decode(text, decoder->arena, &bytes);
    } else if (token->is_escaped && text.len > 0) {
        bytes = text;
    } else if (text.len > 0) {
        bytes = hy_arena_copy(decoder->arena, text, &ok);
    }
    if (err == HY_OK && !ok) err = HY_NOMEM;
    if (err == HY_OK) memcpy(to, &bytes, sizeof bytes);
    return err;
}
