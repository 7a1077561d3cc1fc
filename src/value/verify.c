// Do the fields of a struct keep the rules of their model?
//
// Each rule speaks of one field, so a change of some fields asks only theirs; rules about several
// fields at once belong to the shape and see the whole record. What a codec could not write again
// is refused here too, with the place: text that is not UTF-8, enums past 31 bits, tags that name
// no member, records nested too deeply. Reading goes through hy_list_span, so a struct that a
// caller made and one inside a value are verified by the same code.
#include "value/model.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "base/why.h"
#include "value/image.h"

static hy_err verify_record(hyi_verifier *verifier, const hy_record *record, const uint8_t *image);

static hy_err verify_fail(hyi_verifier *verifier, hyi_field_step step, hy_err code,
                          const char *text) {
    return hyi_field_path_fail(&verifier->path, step, verifier->why, code, 0, text);
}

hy_err hy_model_verify(const hy_model *model, const void *value, hy_why *why) {
    hyi_verifier verifier = { .model = model, .why = why };
    return verify_record(&verifier, model->record, (const uint8_t *)value);
}

static hy_err verify_record(hyi_verifier *verifier, const hy_record *record, const uint8_t *image) {
    if (record->is_union) {
        uint32_t which;
        memcpy(&which, image, sizeof which);
        const hy_field *field = hyi_union_member(record, image);
        hyi_field_step here = { .field = NULL, .index = HYI_NO_INDEX };
        if (field == NULL && which != 0) {
            return verify_fail(verifier, here, HY_RANGE, "the union has no such member");
        }
        if (field == NULL) return HY_OK;
        return hyi_verify_member(verifier, record, field, image + field->offset);
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hy_err err = hyi_verify_member(verifier, record, &fields[i], image + fields[i].offset);
        if (err != HY_OK) return err;
    }
    return hyi_verify_whole(verifier, record, image);
}

hy_err hyi_verify_member(hyi_verifier *verifier, const hy_record *record, const hy_field *field,
                         const uint8_t *member) {
    const hy_rule *rule = hyi_model_rule(verifier->model, record, field);
    hyi_field_step step = { .field = field, .index = HYI_NO_INDEX };
    hy_err err = HY_OK;
    if (field->label == HY_REPEATED) {
        hy_bytes list;
        memcpy(&list, member, sizeof list);
        err = hyi_verify_count(verifier, rule, field, list.len);
        const void *cells;
        size_t at = 0;
        for (size_t n; (n = hy_list_span(member, field->size, at, &cells)) > 0; at += n) {
            for (size_t i = 0; i < n && err == HY_OK; i++) {
                step.index = at + i;
                err =
                    hyi_verify_cell(verifier, rule, step, (const uint8_t *)cells + i * field->size);
            }
            if (err != HY_OK) return err;
        }
    } else if (field->label == HY_SINGLE) {
        err = hyi_verify_cell(verifier, rule, step, member);
    } else if (*member != 0) {
        err = hyi_verify_cell(verifier, rule, step, member + field->align);
    }
    return err != HY_OK ? err : hyi_verify_field(verifier, rule, field, member);
}

hy_err hyi_verify_count(hyi_verifier *verifier, const hy_rule *rule, const hy_field *field,
                        size_t count) {
    hyi_field_step step = { .field = field, .index = HYI_NO_INDEX };
    if (count > HY_VALUE_COUNT_MAX) {
        return verify_fail(verifier, step, HY_LIMIT, "the list is too long");
    }
    if (rule == NULL || rule->count == NULL) return HY_OK;
    if ((int64_t)count >= rule->count->min && (int64_t)count <= rule->count->max) return HY_OK;
    return verify_fail(verifier, step, HY_RANGE,
                       (int64_t)count < rule->count->min ? "the list has too few elements"
                                                         : "the list has too many elements");
}

// Calls a function of the model and puts the path in front of the place that it may have named.
static hy_err verify_call(hyi_verifier *verifier, hyi_field_step step,
                          hy_err (*verify)(void *context, const void *at, hy_why *why),
                          const void *at) {
    hy_why said = { .code = HY_OK };
    hy_err err = verify(verifier->model->context, at, &said);
    if (err == HY_OK || verifier->why == NULL) return err;
    const char *text = said.text[0] != '\0' ? said.text : "its verifier refused it";
    (void)verify_fail(verifier, step, err, text);
    if (said.place[0] == '\0') return err;
    hy_why *why = verifier->why;
    hyi_why_fmt(&said, err, "", "%s%s%s", why->place, why->place[0] != '\0' ? "." : "", said.place);
    char place[sizeof why->place];
    memcpy(place, said.text, sizeof place);
    place[hyi_utf8_cut((hy_bytes){ (const uint8_t *)place, sizeof place }, sizeof place - 1)] = 0;
    char kept[sizeof why->text];
    memcpy(kept, why->text, sizeof kept);
    return hy_why_set(why, err, place, kept);
}

hy_err hyi_verify_field(hyi_verifier *verifier, const hy_rule *rule, const hy_field *field,
                        const uint8_t *member) {
    if (rule == NULL || rule->verify == NULL) return HY_OK;
    hyi_field_step step = { .field = field, .index = HYI_NO_INDEX };
    return verify_call(verifier, step, rule->verify, member);
}

hy_err hyi_verify_whole(hyi_verifier *verifier, const hy_record *record, const uint8_t *image) {
    const hy_shape *shape = hyi_model_shape(verifier->model, record);
    if (shape == NULL || shape->verify == NULL) return HY_OK;
    hyi_field_step here = { .field = NULL, .index = HYI_NO_INDEX };
    return verify_call(verifier, here, shape->verify, image);
}

// ---- one value --------------------------------------------------------------------------------

// The bits of the double next to a whole number up to 2^53, turned so that integers order them as
// in image_compare.c.
static uint64_t verify_f64_order(int64_t whole) {
    uint64_t size = whole < 0 ? 0 - (uint64_t)whole : (uint64_t)whole, bits = 0;
    if (size != 0) {
        uint32_t top = 63 - (uint32_t)__builtin_clzll(size);
        HY_ASSERT(top <= 53);
        bits = (uint64_t)(1023 + top) << 52;
        bits |= (top == 53 ? size >> 1 : size << (52 - top)) & (((uint64_t)1 << 52) - 1);
    }
    if (whole < 0) return ~(bits | (uint64_t)1 << 63);
    return bits | (uint64_t)1 << 63;
}

static bool verify_f64_in(const uint8_t *cell, const hy_range *range) {
    uint64_t bits;
    memcpy(&bits, cell, sizeof bits);
    if ((bits << 1) == 0) bits = 0; // -0 is 0
    bits ^= (bits >> 63) != 0 ? UINT64_MAX : (uint64_t)1 << 63;
    return bits >= verify_f64_order(range->min) && bits <= verify_f64_order(range->max);
}

#define VERIFY_LOAD(type)                                                                          \
    {                                                                                              \
        type loaded;                                                                               \
        memcpy(&loaded, cell, sizeof loaded);                                                      \
        number = (int64_t)loaded;                                                                  \
        break;                                                                                     \
    }

static bool verify_in_range(const hy_field *field, const uint8_t *cell, const hy_range *range) {
    int64_t number = 0;
    switch (field->type) {
    case HY_TYPE_U8: number = *cell; break;
    case HY_TYPE_U16: VERIFY_LOAD(uint16_t)
    case HY_TYPE_U32: VERIFY_LOAD(uint32_t)
    case HY_TYPE_I8: VERIFY_LOAD(int8_t)
    case HY_TYPE_I16: VERIFY_LOAD(int16_t)
    case HY_TYPE_I32: VERIFY_LOAD(int32_t)
    case HY_TYPE_I64: VERIFY_LOAD(int64_t)
    case HY_TYPE_U64: {
        uint64_t loaded;
        memcpy(&loaded, cell, sizeof loaded);
        if (loaded > INT64_MAX) return range->max == INT64_MAX; // the greatest end means none
        number = (int64_t)loaded;
        break;
    }
    default: return verify_f64_in(cell, range);
    }
    return number >= range->min && number <= range->max;
}

static size_t verify_length(const hy_field *field, hy_bytes bytes) {
    if (field->type != HY_TYPE_STR) return bytes.len;
    size_t characters = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        characters += (bytes.ptr[i] & 0xc0) != 0x80;
    }
    return characters;
}

static hy_err verify_bytes(hyi_verifier *verifier, const hy_rule *rule, hyi_field_step step,
                           const uint8_t *cell) {
    hy_bytes bytes;
    memcpy(&bytes, cell, sizeof bytes);
    if (step.field->type == HY_TYPE_STR && !hy_text_is_utf8(bytes)) {
        return verify_fail(verifier, step, HY_NOT_UTF8, "the text is not UTF-8");
    }
    if (rule == NULL) return HY_OK;
    if (rule->length != NULL) {
        int64_t length = (int64_t)verify_length(step.field, bytes);
        if (length < rule->length->min) {
            return verify_fail(verifier, step, HY_RANGE, "it is too short");
        }
        if (length > rule->length->max) {
            return verify_fail(verifier, step, HY_RANGE, "it is too long");
        }
    }
    if (rule->accepts == NULL || rule->accepts(bytes)) return HY_OK;
    return verify_fail(verifier, step, HY_RANGE, "it does not have the form that is asked for");
}

static hy_err verify_nested(hyi_verifier *verifier, hyi_field_step step, const uint8_t *cell) {
    if (!hyi_field_path_push(&verifier->path, step.field, step.index)) {
        return verify_fail(verifier, step, HY_TOO_DEEP, "the records are nested too deeply");
    }
    hy_err err = verify_record(verifier, step.field->of, cell);
    hyi_field_path_pop(&verifier->path);
    return err;
}

hy_err hyi_verify_cell(hyi_verifier *verifier, const hy_rule *rule, hyi_field_step step,
                       const uint8_t *cell) {
    switch (step.field->type) {
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: return verify_nested(verifier, step, cell);
    case HY_TYPE_STR:
    case HY_TYPE_BYTES:
    case HY_TYPE_UNKNOWN: return verify_bytes(verifier, rule, step, cell);
    case HY_TYPE_ENUM: {
        uint32_t number;
        memcpy(&number, cell, sizeof number);
        if (number <= INT32_MAX) return HY_OK;
        return verify_fail(verifier, step, HY_RANGE, "no enum has such a value");
    }
    case HY_TYPE_BOOL:
    case HY_TYPE_ID: return HY_OK;
    default:
        if (rule == NULL || rule->range == NULL) return HY_OK;
        if (verify_in_range(step.field, cell, rule->range)) return HY_OK;
        return verify_fail(verifier, step, HY_RANGE, "the number is out of range");
    }
}
