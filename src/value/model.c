// Models: finding the rule for a field, and checking that rules and records fit.
//
// Rules stand in tables beside the record and name fields as words, so a mistake in one is found
// when the program starts, by hy_model_check, and not by the first value that meets it.
#include "value/model.h"

#include "base/memory.h"
#include "base/why.h"
#include "schema/record.h"

const hy_shape *hyi_model_shape(const hy_model *model, const hy_record *record) {
    for (uint32_t i = 0; i < model->shape_count; i++) {
        if (model->shapes[i].record == record) return &model->shapes[i];
    }
    return NULL;
}

static bool model_same(const char *a, const char *b) {
    return a == b || hy_bytes_equal(hy_bytes_of(a), hy_bytes_of(b));
}

const hy_rule *hyi_model_rule(const hy_model *model, const hy_record *record,
                              const hy_field *field) {
    const hy_shape *shape = hyi_model_shape(model, record);
    for (uint32_t i = 0; shape != NULL && i < shape->rule_count; i++) {
        if (model_same(shape->rules[i].field, field->name)) return &shape->rules[i];
    }
    return NULL;
}

// ---- check ------------------------------------------------------------------------------------

static hy_err model_refuse(hy_why *why, const char *record, const char *field, const char *text) {
    if (why == NULL) return HY_SCHEMA;
    hyi_why_fmt(why, HY_SCHEMA, "", field == NULL ? "%s" : "%s.%s", record, field);
    char place[sizeof why->place];
    memcpy(place, why->text, sizeof place);
    place[sizeof place - 1] = '\0';
    return hy_why_set(why, HY_SCHEMA, place, text);
}

// What JSON can carry between quotes as it is.
static bool model_needs_no_escape(const char *text) {
    hy_text name = hy_bytes_of(text);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 0x20 || name.ptr[i] == '"' || name.ptr[i] == '\\') return false;
    }
    return name.len > 0 && hy_text_is_utf8(name);
}

static bool model_is_number(const hy_field *field) {
    return field->type <= HY_TYPE_F64 && field->type != HY_TYPE_BOOL;
}

static bool model_is_text(const hy_field *field) {
    return field->type == HY_TYPE_STR || field->type == HY_TYPE_BYTES;
}

static const char *model_range_fault(const hy_field *field, const hy_rule *rule) {
    if (rule->range != NULL) {
        if (!model_is_number(field)) return "a range is for numbers";
        if (rule->range->min > rule->range->max) return "its range is empty";
        int64_t most = INT64_C(1) << 53;
        if (field->type == HY_TYPE_F64 && (rule->range->min < -most || rule->range->max > most)) {
            return "the ends of a double's range lie within 2^53";
        }
    }
    if (rule->length != NULL) {
        if (!model_is_text(field)) return "a length is for texts and bytes";
        if (rule->length->min > rule->length->max) return "its length is an empty range";
    }
    if (rule->count == NULL) return NULL;
    if (field->label != HY_REPEATED) return "a count is for lists";
    return rule->count->min > rule->count->max ? "its count is an empty range" : NULL;
}

static const char *model_rule_fault(const hy_record *record, const hy_field *field,
                                    const hy_rule *rule) {
    const char *fault = model_range_fault(field, rule);
    if (fault != NULL) return fault;
    if (field->type == HY_TYPE_UNKNOWN) return "unknown fields have no rules";
    if (rule->accepts != NULL && !model_is_text(field)) return "a form is for texts and bytes";
    bool defaults = rule->fallback != NULL || rule->make != NULL;
    if (rule->fallback != NULL && rule->make != NULL) return "it has two defaults";
    if (rule->required && defaults) return "what is required needs no default";
    if (record->is_union && (rule->required || defaults)) {
        return "a member of a union has no default and is not required";
    }
    if (rule->alias != NULL && !model_needs_no_escape(rule->alias)) {
        return "its alias must be a word without quotes and backslashes";
    }
    return NULL;
}

// Outside a name must mean one field.
static hy_err model_check_names(const hy_shape *shape, uint32_t index, hy_why *why) {
    const hy_rule *rule = &shape->rules[index];
    for (uint32_t i = 0; i < index; i++) {
        if (model_same(shape->rules[i].field, rule->field)) {
            return model_refuse(why, shape->record->name, rule->field, "it has two rules");
        }
        if (rule->alias == NULL || shape->rules[i].alias == NULL) continue;
        if (model_same(shape->rules[i].alias, rule->alias)) {
            return model_refuse(why, shape->record->name, rule->field,
                                "another field has its alias");
        }
    }
    if (rule->alias == NULL) return HY_OK;
    const hy_field *other = hyi_record_field_named(shape->record, hy_bytes_of(rule->alias));
    if (other == NULL || model_same(other->name, rule->field)) return HY_OK;
    return model_refuse(why, shape->record->name, rule->field,
                        "its alias is the name of another field");
}

static hy_err model_check_shape(const hy_shape *shape, hy_why *why) {
    for (uint32_t i = 0; i < shape->rule_count; i++) {
        const hy_rule *rule = &shape->rules[i];
        const hy_field *field = hyi_record_field_named(shape->record, hy_bytes_of(rule->field));
        if (field == NULL) {
            return model_refuse(why, shape->record->name, rule->field, "there is no such field");
        }
        const char *fault = model_rule_fault(shape->record, field, rule);
        if (fault != NULL) return model_refuse(why, shape->record->name, rule->field, fault);
        hy_err err = model_check_names(shape, i, why);
        if (err != HY_OK) return err;
        if (rule->fallback == NULL) continue;
        hy_model alone = { .record = shape->record, .shapes = shape, .shape_count = 1 };
        hyi_verifier verifier = { .model = &alone, .why = why };
        err = hyi_verify_member(&verifier, shape->record, field, (const uint8_t *)rule->fallback);
        if (err != HY_OK) {
            return model_refuse(why, shape->record->name, rule->field,
                                "its default does not keep its own rule");
        }
    }
    return HY_OK;
}

hy_err hy_model_check(const hy_model *model, hy_why *why) {
    hy_err err = hy_record_check(model->record, why);
    if (err != HY_OK) return err;
    if (model->record->is_union) {
        return model_refuse(why, model->record->name, NULL, "a value is a record, not a union");
    }
    hyi_reach reach;
    if (hyi_reach_from(&reach, &model->record, 1) != HY_OK) return HY_SCHEMA;
    for (uint32_t i = 0; i < model->shape_count; i++) {
        const hy_shape *shape = &model->shapes[i];
        if (hyi_reach_record(&reach, shape->record) == HYI_REACH_MAX) {
            return model_refuse(why, shape->record->name, NULL, "the model does not contain it");
        }
        if (hyi_model_shape(model, shape->record) != shape) {
            return model_refuse(why, shape->record->name, NULL, "it has two shapes");
        }
        err = model_check_shape(shape, why);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}
