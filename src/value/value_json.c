// JSON of values: the codec of schema, with the aliases and defaults of a model.
//
// Nothing is read or written here: the hooks say what fields are called outside, fill in what was
// not given, and note limits in the JSON Schema. Reading makes a plain struct in an arena, which
// then becomes a value like any other, rules and all; writing lays lists out plainly first.
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "schema/json_hooks.h"
#include "schema/record.h"
#include "value/model.h"
#include "value/object.h"

static const char *json_alias(const void *context, const hy_record *record, const hy_field *field) {
    const hy_rule *rule = hyi_model_rule((const hy_model *)context, record, field);
    return rule == NULL ? NULL : rule->alias;
}

static hy_err json_complete(const void *context, const hy_record *record, const uint64_t *seen,
                            hy_arena *arena, uint8_t *value, const hy_field **out_field) {
    const hy_model *model = (const hy_model *)context;
    const hy_shape *shape = hyi_model_shape(model, record);
    if (shape == NULL || record->is_union) return HY_OK;
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < shape->rule_count; i++) {
        const hy_rule *rule = &shape->rules[i];
        if (!rule->required && rule->fallback == NULL && rule->make == NULL) continue;
        const hy_field *field = hyi_record_field_named(record, hy_bytes_of(rule->field));
        HY_ASSERT(field != NULL); // the model was checked
        size_t index = (size_t)(field - fields);
        if ((seen[index / 64] >> index % 64 & 1) != 0) continue;
        *out_field = field;
        if (rule->required) return HY_MISSING;
        uint8_t *member = value + field->offset;
        if (rule->fallback != NULL) {
            memcpy(member, rule->fallback, hyi_field_stored_size(field));
            continue;
        }
        hy_err err = rule->make(model->context, arena, member);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// ---- notes in the schema ----------------------------------------------------------------------

static void json_note_number(hy_buf *out, const char *name, int64_t number) {
    hy_buf_add_text(out, name);
    if (number < 0) hy_buf_add_text(out, "-");
    hy_buf_add_u64(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void json_note_text(hy_buf *out, const char *name, const char *text) {
    if (text == NULL) return;
    hy_buf_add_text(out, name);
    hyi_json_writer writer;
    hyi_json_writer_init(&writer, out);
    hyi_json_add_text(&writer, hy_bytes_of(text));
}

// The names of limits: of one value, and of a list. A range stands apart, because the type of the
// field has a minimum and a maximum already.
static void json_note_cell(hy_buf *out, const hy_field *field, const hy_rule *rule) {
    if (rule->range != NULL) {
        json_note_number(out, ", \"allOf\": [{\"minimum\": ", rule->range->min);
        json_note_number(out, ", \"maximum\": ", rule->range->max);
        hy_buf_add_text(out, "}]");
    }
    if (rule->length != NULL && field->type == HY_TYPE_STR) {
        json_note_number(out, ", \"minLength\": ", rule->length->min);
        json_note_number(out, ", \"maxLength\": ", rule->length->max);
    }
    if (rule->fragment == NULL) return;
    hy_buf_add_text(out, ", ");
    hy_buf_add_text(out, rule->fragment);
}

static void json_note_field(const hyi_json_hooks *hooks, const hy_field *field, const hy_rule *rule,
                            hy_buf *out) {
    if (rule->count != NULL) {
        json_note_number(out, ", \"minItems\": ", rule->count->min);
        json_note_number(out, ", \"maxItems\": ", rule->count->max);
    }
    json_note_text(out, ", \"description\": ", rule->description);
    if (rule->fallback == NULL) return;
    hy_buf_add_text(out, ", \"default\": ");
    hy_err err = hyi_json_encode_member(hooks, field, rule->fallback, out);
    if (err != HY_OK) hy_buf_add_text(out, "null"); // no memory is remembered by the buffer
}

static void json_note_record(const hy_model *model, const hy_record *record, hy_buf *out) {
    const hy_shape *shape = hyi_model_shape(model, record);
    if (shape == NULL) return;
    json_note_text(out, ", \"description\": ", shape->description);
    bool any = false;
    for (uint32_t i = 0; i < shape->rule_count; i++) {
        const hy_rule *rule = &shape->rules[i];
        if (!rule->required) continue;
        hy_buf_add_text(out, any ? ", \"" : ", \"required\": [\"");
        hy_buf_add_text(out, rule->alias != NULL ? rule->alias : rule->field);
        hy_buf_add_text(out, "\"");
        any = true;
    }
    if (any) hy_buf_add_text(out, "]");
}

static void json_note(const void *context, const hy_record *record, const hy_field *field,
                      bool of_element, hy_buf *out);

static hyi_json_hooks json_hooks(const hy_model *model) {
    return (hyi_json_hooks){
        .context = model, .name = json_alias, .complete = json_complete, .note = json_note
    };
}

static void json_note(const void *context, const hy_record *record, const hy_field *field,
                      bool of_element, hy_buf *out) {
    const hy_model *model = (const hy_model *)context;
    if (field == NULL) {
        json_note_record(model, record, out);
        return;
    }
    const hy_rule *rule = hyi_model_rule(model, record, field);
    if (rule == NULL) return;
    hyi_json_hooks hooks = json_hooks(model);
    if (of_element || field->label != HY_REPEATED) json_note_cell(out, field, rule);
    if (!of_element) json_note_field(&hooks, field, rule, out);
}

hy_err hy_model_export_json_schema(const hy_model *model, hy_buf *out) {
    hyi_json_hooks hooks = json_hooks(model);
    return hyi_export_json_schema_with(&hooks, &model->record, 1, out);
}

// ---- values -----------------------------------------------------------------------------------

hy_err hy_value_from_json(hy_mem *mem, const hy_model *model, hy_bytes text, hy_value **out_value,
                          hy_why *why) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    void *plain = hy_arena_alloc(&arena, model->record->size);
    if (plain == NULL) return hy_why_set(why, HY_NOMEM, "", "no memory for the value");
    hyi_json_hooks hooks = json_hooks(model);
    hy_err err = hyi_json_decode_with(&hooks, model->record, text, &arena, plain, why);
    return err != HY_OK ? err : hy_value_new(mem, model, plain, out_value, why);
}

hy_err hy_value_to_json(const hy_value *value, hy_buf *out) {
    const hy_record *record = value->model->record;
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, value->mem, 0);
    void *plain = hy_arena_alloc(&arena, record->size);
    if (plain == NULL) return HY_NOMEM;
    hy_err err = hy_value_plain(value, &arena, plain);
    if (err != HY_OK) return err;
    hyi_json_hooks hooks = json_hooks(value->model);
    return hyi_json_encode_with(&hooks, record, plain, out);
}
