// Descriptions as TypeScript: the types of what hy_json_encode writes.
//
// Names are those of C. A union is a type of objects with exactly one name, so that TypeScript
// narrows by `"booked" in change`; unset it is the empty object. Numbers of 64 bits arrive as
// text when they are beyond what a double holds, and their type says so.
#include "schema/export.h"

#include "base/memory.h"

static void typescript_enum(hy_buf *out, const hy_enum *values);
static void typescript_record(hy_buf *out, const hy_record *record);
static void typescript_union(hy_buf *out, const hy_record *record);
static void typescript_type(hy_buf *out, const hy_field *field);
static void typescript_name(hy_buf *out, const char *name);

hy_err hy_export_typescript(const hy_record *const *records, size_t count, hy_buf *out) {
    hyi_export text;
    hy_err err = hyi_export_begin(&text, records, count, out);
    if (err != HY_OK) return err;
    hy_buf_add_text(out, "// Written from the descriptions of the records; do not edit.\n");
    for (uint32_t i = 0; i < text.reach.enum_count; i++) {
        typescript_enum(out, text.reach.enums[i]);
    }
    for (uint32_t i = 0; i < text.reach.record_count; i++) {
        const hy_record *record = text.reach.records[i];
        if (record->is_union) {
            typescript_union(out, record);
        } else {
            typescript_record(out, record);
        }
    }
    return hyi_export_end(&text);
}

// A type may not be called like a word of the language; such a name gets a line behind it.
static void typescript_name(hy_buf *out, const char *name) {
    static const char words[] = "any await bigint boolean class debugger delete export extends "
                                "finally function implements import in instanceof interface let "
                                "never new null number object package private protected public "
                                "string super symbol this throw try typeof undefined unknown var "
                                "void with yield true false catch bool";
    hy_buf_add_text(out, name);
    if (hyi_export_is_among(name, words)) hy_buf_add_text(out, "_");
}

static void typescript_enum(hy_buf *out, const hy_enum *values) {
    hy_buf_add_text(out, "\nexport type ");
    typescript_name(out, values->name);
    hy_buf_add_text(out, " =");
    for (uint32_t i = 0; i < values->value_count; i++) {
        hy_buf_add_text(out, i == 0 ? " \"" : " | \"");
        hy_buf_add_text(out, values->values[i].label);
        hy_buf_add_text(out, "\"");
    }
    hy_buf_add_text(out, ";\n");
}

static void typescript_record(hy_buf *out, const hy_record *record) {
    hy_buf_add_text(out, "\nexport interface ");
    typescript_name(out, record->name);
    hy_buf_add_text(out, " {\n");
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_field *field = &fields[i];
        if (field->type == HY_TYPE_UNKNOWN) continue;
        bool is_list = field->label == HY_REPEATED;
        bool may_miss = field->label == HY_OPTIONAL || (field->type == HY_TYPE_UNION && !is_list);
        hy_buf_add_text(out, "  ");
        hy_buf_add_text(out, field->name);
        hy_buf_add_text(out, may_miss ? "?: " : ": ");
        if (is_list) hy_buf_add_text(out, "Array<");
        typescript_type(out, field);
        hy_buf_add_text(out, is_list ? ">;\n" : ";\n");
    }
    hy_buf_add_text(out, "}\n");
}

static void typescript_union(hy_buf *out, const hy_record *record) {
    hy_buf_add_text(out, "\nexport type ");
    typescript_name(out, record->name);
    hy_buf_add_text(out, " =\n");
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hy_buf_add_text(out, "  | { ");
        hy_buf_add_text(out, fields[i].name);
        hy_buf_add_text(out, ": ");
        typescript_type(out, &fields[i]);
        hy_buf_add_text(out, " }\n");
    }
    hy_buf_add_text(out, "  | { [name: string]: never };\n");
}

static void typescript_type(hy_buf *out, const hy_field *field) {
    switch (field->type) {
    case HY_TYPE_U64:
    case HY_TYPE_I64: hy_buf_add_text(out, "number | string"); return;
    case HY_TYPE_BOOL: hy_buf_add_text(out, "boolean"); return;
    case HY_TYPE_STR:
    case HY_TYPE_BYTES:
    case HY_TYPE_ID: hy_buf_add_text(out, "string"); return;
    case HY_TYPE_ENUM: typescript_name(out, field->values->name); return;
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: typescript_name(out, field->of->name); return;
    default: hy_buf_add_text(out, "number"); return;
    }
}
