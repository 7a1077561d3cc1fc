// Descriptions as a .proto file, so that every language with Protocol Buffers can read our bytes.
//
// A record is a message, a union is a message with one `oneof`, an id is `bytes` of 16. Protocol
// Buffers has no 8 and 16 bit numbers; they travel in 32 bits, and the comment behind such a field
// says what the reader in C will refuse. The first value of a proto3 enum must be zero: it is
// written first, and an enum without one gets NAME_UNSPECIFIED.
#include "schema/export.h"

#include "base/memory.h"

static void proto_enum(hy_buf *out, const hy_enum *values);
static void proto_record(hy_buf *out, const hy_record *record, const char *package);
static void proto_field(hy_buf *out, const hy_field *field, const char *package);
static void proto_type(hy_buf *out, const hy_field *field, const char *package);
static const char *proto_remark(hy_type type);

hy_err hy_export_proto(const hy_record *const *records, size_t count, const char *package,
                       hy_buf *out) {
    hyi_export text;
    if (package == NULL) package = "";
    hy_err err = hyi_export_begin(&text, records, count, out);
    if (err != HY_OK) return err;
    hy_buf_add_text(out, "// Written from the descriptions of the records; do not edit.\n"
                         "syntax = \"proto3\";\n");
    if (package[0] != '\0') {
        hy_buf_add_text(out, "\npackage ");
        hy_buf_add_text(out, package);
        hy_buf_add_text(out, ";\n");
    }
    for (uint32_t i = 0; i < text.reach.enum_count; i++) {
        proto_enum(out, text.reach.enums[i]);
    }
    for (uint32_t i = 0; i < text.reach.record_count; i++) {
        proto_record(out, text.reach.records[i], package);
    }
    return hyi_export_end(&text);
}

static void proto_enum_value(hy_buf *out, const hy_enum_value *value) {
    hy_buf_add_text(out, "  ");
    hy_buf_add_text(out, value->constant);
    hy_buf_add_text(out, " = ");
    hy_buf_add_u64(out, value->number);
    hy_buf_add_text(out, ";\n");
}

static void proto_enum_zero(hy_buf *out, const hy_enum *values) {
    const hy_enum_value *zero = hyi_enum_value(values, 0);
    if (zero != NULL) {
        proto_enum_value(out, zero);
        return;
    }
    hy_buf_add_text(out, "  ");
    for (const char *at = values->name; *at != '\0'; at++) {
        char upper = *at >= 'a' && *at <= 'z' ? (char)(*at - ('a' - 'A')) : *at;
        hy_buf_add(out, &upper, 1);
    }
    hy_buf_add_text(out, "_UNSPECIFIED = 0;\n");
}

static void proto_enum(hy_buf *out, const hy_enum *values) {
    hy_buf_add_text(out, "\nenum ");
    hy_buf_add_text(out, values->name);
    hy_buf_add_text(out, " {\n");
    proto_enum_zero(out, values);
    for (uint32_t i = 0; i < values->value_count; i++) {
        if (values->values[i].number != 0) proto_enum_value(out, &values->values[i]);
    }
    hy_buf_add_text(out, "}\n");
}

static void proto_record(hy_buf *out, const hy_record *record, const char *package) {
    hy_buf_add_text(out, "\nmessage ");
    hy_buf_add_text(out, record->name);
    hy_buf_add_text(out, " {\n");
    bool has_members = record->is_union && record->field_count > 0; // an empty oneof is no proto
    if (has_members) hy_buf_add_text(out, "  oneof which {\n");
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (fields[i].type == HY_TYPE_UNKNOWN) continue;
        hy_buf_add_text(out, has_members ? "    " : "  ");
        proto_field(out, &fields[i], package);
    }
    if (has_members) hy_buf_add_text(out, "  }\n");
    hy_buf_add_text(out, "}\n");
}

static void proto_field(hy_buf *out, const hy_field *field, const char *package) {
    if (field->label == HY_REPEATED) hy_buf_add_text(out, "repeated ");
    if (field->label == HY_OPTIONAL) hy_buf_add_text(out, "optional ");
    proto_type(out, field, package);
    hy_buf_add_text(out, " ");
    hy_buf_add_text(out, field->name);
    hy_buf_add_text(out, " = ");
    hy_buf_add_u64(out, field->number);
    hy_buf_add_text(out, ";");
    hy_buf_add_text(out, proto_remark(field->type));
    hy_buf_add_text(out, "\n");
}

// A message or enum called like a word of the language is named from the root: `.clinic.option`.
static void proto_type_named(hy_buf *out, const char *name, const char *package) {
    static const char words[] = "bool bytes double enum extend extensions fixed32 fixed64 float "
                                "group int32 int64 map message oneof option optional package "
                                "repeated required reserved rpc service sfixed32 sfixed64 sint32 "
                                "sint64 string syntax uint32 uint64";
    if (hyi_export_is_among(name, words)) {
        if (package[0] != '\0') hy_buf_add_text(out, ".");
        hy_buf_add_text(out, package);
        hy_buf_add_text(out, ".");
    }
    hy_buf_add_text(out, name);
}

static void proto_type(hy_buf *out, const hy_field *field, const char *package) {
    switch (field->type) {
    case HY_TYPE_U8:
    case HY_TYPE_U16:
    case HY_TYPE_U32: hy_buf_add_text(out, "uint32"); return;
    case HY_TYPE_U64: hy_buf_add_text(out, "uint64"); return;
    case HY_TYPE_I8:
    case HY_TYPE_I16:
    case HY_TYPE_I32: hy_buf_add_text(out, "sint32"); return;
    case HY_TYPE_I64: hy_buf_add_text(out, "sint64"); return;
    case HY_TYPE_BOOL: hy_buf_add_text(out, "bool"); return;
    case HY_TYPE_F64: hy_buf_add_text(out, "double"); return;
    case HY_TYPE_STR: hy_buf_add_text(out, "string"); return;
    case HY_TYPE_ENUM: proto_type_named(out, field->values->name, package); return;
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: proto_type_named(out, field->of->name, package); return;
    default: hy_buf_add_text(out, "bytes"); return;
    }
}

static const char *proto_remark(hy_type type) {
    switch (type) {
    case HY_TYPE_U8: return " // 8 bits";
    case HY_TYPE_U16: return " // 16 bits";
    case HY_TYPE_I8: return " // 8 bits";
    case HY_TYPE_I16: return " // 16 bits";
    case HY_TYPE_ID: return " // an id: 16 bytes";
    default: return "";
    }
}
