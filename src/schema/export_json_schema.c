// Descriptions as JSON Schema, draft 2020-12: what hy_json_decode accepts.
//
// Every record and enum stands once in "$defs". One record is the schema itself; of several, a
// value may be any. Nothing is required, because what is missing is zero; nothing may be added,
// because an unknown name is refused. Names and labels are plain (the check of descriptions says
// so), so no string needs an escape.
#include "schema/export.h"

#include "base/memory.h"
#include "schema/json_hooks.h"

static void schema_root(hyi_export *text, const hy_record *const *records, size_t count);
static void schema_enum(hy_buf *out, const hy_enum *values);
static void schema_record(const hyi_json_hooks *hooks, hy_buf *out, const hy_record *record);
static void schema_field(const hyi_json_hooks *hooks, hy_buf *out, const hy_record *record,
                         const hy_field *field);
static void schema_type(hy_buf *out, const hy_field *field);

hy_err hy_export_json_schema(const hy_record *const *records, size_t count, hy_buf *out) {
    return hyi_export_json_schema_with(NULL, records, count, out);
}

hy_err hyi_export_json_schema_with(const hyi_json_hooks *hooks, const hy_record *const *records,
                                   size_t count, hy_buf *out) {
    hyi_export text;
    hy_err err = hyi_export_begin(&text, records, count, out);
    if (err != HY_OK) return err;
    hy_buf_add_text(out, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n");
    schema_root(&text, records, count);
    hy_buf_add_text(out, "  \"$defs\": {");
    for (uint32_t i = 0; i < text.reach.enum_count; i++) {
        hy_buf_add_text(out, i == 0 ? "\n" : ",\n");
        schema_enum(out, text.reach.enums[i]);
    }
    for (uint32_t i = 0; i < text.reach.record_count; i++) {
        hy_buf_add_text(out, i == 0 && text.reach.enum_count == 0 ? "\n" : ",\n");
        schema_record(hooks, out, text.reach.records[i]);
    }
    hy_buf_add_text(out, "\n  }\n}\n");
    return hyi_export_end(&text);
}

static void schema_refer(hy_buf *out, const char *name) {
    hy_buf_add_text(out, "{\"$ref\": \"#/$defs/");
    hy_buf_add_text(out, name);
    hy_buf_add_text(out, "\"");
}

static void schema_root(hyi_export *text, const hy_record *const *records, size_t count) {
    hy_buf_add_text(text->out, "  \"anyOf\": [");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) hy_buf_add_text(text->out, ", ");
        schema_refer(text->out, records[i]->name);
        hy_buf_add_text(text->out, "}");
    }
    hy_buf_add_text(text->out, "],\n");
}

static void schema_name(hy_buf *out, const char *name) {
    hy_buf_add_text(out, "\"");
    hy_buf_add_text(out, name);
    hy_buf_add_text(out, "\"");
}

static void schema_enum(hy_buf *out, const hy_enum *values) {
    hy_buf_add_text(out, "    ");
    schema_name(out, values->name);
    hy_buf_add_text(out, ": {\"enum\": [");
    for (uint32_t i = 0; i < values->value_count; i++) {
        if (i > 0) hy_buf_add_text(out, ", ");
        schema_name(out, values->values[i].label);
    }
    hy_buf_add_text(out, "]}");
}

static void schema_note(const hyi_json_hooks *hooks, hy_buf *out, const hy_record *record,
                        const hy_field *field, bool of_element) {
    if (hooks == NULL || hooks->note == NULL) return;
    hooks->note(hooks->context, record, field, of_element, out);
}

static void schema_record(const hyi_json_hooks *hooks, hy_buf *out, const hy_record *record) {
    hy_buf_add_text(out, "    ");
    schema_name(out, record->name);
    hy_buf_add_text(out, ": {\"type\": \"object\", \"additionalProperties\": false,");
    if (record->is_union) hy_buf_add_text(out, " \"maxProperties\": 1,");
    hy_buf_add_text(out, " \"properties\": {");
    const hy_field *fields = hy_record_fields(record);
    bool first = true;
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_field *field = &fields[i];
        if (field->type == HY_TYPE_UNKNOWN) continue;
        hy_buf_add_text(out, first ? "\n      " : ",\n      ");
        first = false;
        schema_name(out, hyi_json_name(hooks, record, field));
        hy_buf_add_text(out, ": ");
        schema_field(hooks, out, record, field);
    }
    hy_buf_add_text(out, "}");
    schema_note(hooks, out, record, NULL, false);
    hy_buf_add_text(out, "}");
}

// A list is an object around that of its elements; notes stand before the closing brace.
static void schema_field(const hyi_json_hooks *hooks, hy_buf *out, const hy_record *record,
                         const hy_field *field) {
    bool is_list = field->label == HY_REPEATED;
    if (is_list) hy_buf_add_text(out, "{\"type\": \"array\", \"items\": ");
    schema_type(out, field);
    schema_note(hooks, out, record, field, is_list);
    hy_buf_add_text(out, "}");
    if (!is_list) return;
    schema_note(hooks, out, record, field, false);
    hy_buf_add_text(out, "}");
}

// Everything but the closing brace, behind which more may be said.
static void schema_type(hy_buf *out, const hy_field *field) {
    const char *text = NULL;
    switch (field->type) {
    case HY_TYPE_U8: text = "{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 255"; break;
    case HY_TYPE_U16: text = "{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 65535"; break;
    case HY_TYPE_U32:
        text = "{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 4294967295";
        break;
    case HY_TYPE_U64:
        text = "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, "
               "{\"type\": \"string\", \"pattern\": \"^(0|[1-9][0-9]{0,19})$\"}]";
        break;
    case HY_TYPE_I8: text = "{\"type\": \"integer\", \"minimum\": -128, \"maximum\": 127"; break;
    case HY_TYPE_I16:
        text = "{\"type\": \"integer\", \"minimum\": -32768, \"maximum\": 32767";
        break;
    case HY_TYPE_I32:
        text = "{\"type\": \"integer\", \"minimum\": -2147483648, \"maximum\": 2147483647";
        break;
    case HY_TYPE_I64:
        text = "{\"anyOf\": [{\"type\": \"integer\"}, "
               "{\"type\": \"string\", \"pattern\": \"^(0|-?[1-9][0-9]{0,18})$\"}]";
        break;
    case HY_TYPE_BOOL: text = "{\"type\": \"boolean\""; break;
    case HY_TYPE_F64: text = "{\"type\": \"number\""; break;
    case HY_TYPE_STR: text = "{\"type\": \"string\""; break;
    case HY_TYPE_ID: text = "{\"type\": \"string\", \"format\": \"uuid\""; break;
    case HY_TYPE_ENUM: schema_refer(out, field->values->name); return;
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: schema_refer(out, field->of->name); return;
    default: text = "{\"type\": \"string\", \"contentEncoding\": \"base64\""; break;
    }
    hy_buf_add_text(out, text);
}
