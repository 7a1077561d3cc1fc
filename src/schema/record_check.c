// Is a description one that the codecs, the exports and other programs can work with?
//
// Descriptions come from macros, where a number is easily given twice, and from files, where
// anything may stand. Everything the other files of this room take for granted is checked here:
// numbers and names, that types and labels go together, that every member lies inside its struct,
// and that records nest by value no deeper than HY_DEPTH_MAX.
#include <hypha/schema.h>

#include "base/memory.h"
#include "base/why.h"
#include "schema/record.h"
#include "schema/wire.h"

static hy_err check_record(const hy_record *record, hy_why *why);
static hy_err check_field(const hy_record *record, const hy_field *field, hy_why *why);
static const char *check_field_form(const hy_record *record, const hy_field *field);
static const char *check_field_layout(const hy_record *record, const hy_field *field);
static hy_err check_enum(const hy_enum *values, hy_why *why);
static hy_err check_names(const hyi_reach *reach, hy_why *why);
static hy_err check_depth(const hyi_reach *reach, hy_why *why);

// Fills `why` with "record.field" as the place.
static hy_err check_refuse(hy_why *why, const char *record, const char *field, const char *text) {
    if (why == NULL) return HY_SCHEMA;
    hyi_why_fmt(why, HY_SCHEMA, "", field[0] == '\0' ? "%s" : "%s.%s", record, field);
    char place[sizeof why->place];
    memcpy(place, why->text, sizeof place);
    place[sizeof place - 1] = '\0';
    return hy_why_set(why, HY_SCHEMA, place, text);
}

hy_err hy_record_check(const hy_record *record, hy_why *why) {
    hyi_reach reach;
    if (hyi_reach_from(&reach, &record, 1) != HY_OK) {
        return check_refuse(why, record->name, "", "it reaches more than 256 records or enums");
    }
    return hyi_reach_check(&reach, why);
}

hy_err hyi_reach_check(const hyi_reach *reach, hy_why *why) {
    for (uint32_t i = 0; i < reach->record_count; i++) {
        hy_err err = check_record(reach->records[i], why);
        if (err != HY_OK) return err;
    }
    for (uint32_t i = 0; i < reach->enum_count; i++) {
        hy_err err = check_enum(reach->enums[i], why);
        if (err != HY_OK) return err;
    }
    hy_err err = check_names(reach, why);
    return err != HY_OK ? err : check_depth(reach, why);
}

// A name that C, .proto, SQL and JSON can carry without quotes.
static bool check_name_is_plain(const char *name) {
    if (name == NULL || (name[0] >= '0' && name[0] <= '9')) return false;
    size_t len = 0;
    for (; name[len] != '\0'; len++) {
        char c = name[len];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!plain || len == HYI_NAME_MAX) return false;
    }
    return len > 0;
}

static bool check_texts_equal(const char *a, const char *b) {
    return hy_bytes_equal(hy_bytes_of(a), hy_bytes_of(b));
}

static hy_err check_record(const hy_record *record, hy_why *why) {
    if (!check_name_is_plain(record->name)) {
        return check_refuse(why, "", "", "the name of a record is not a plain word");
    }
    if (record->field_count > HY_FIELDS_MAX) {
        return check_refuse(why, record->name, "", "it has more than 256 fields");
    }
    if (record->size > HYI_RECORD_SIZE_MAX) {
        return check_refuse(why, record->name, "", "it is larger than 1 MiB");
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hy_err err = check_field(record, &fields[i], why);
        if (err != HY_OK) return err;
        for (uint32_t j = 0; j < i; j++) {
            if (fields[j].number == fields[i].number) {
                return check_refuse(why, record->name, fields[i].name,
                                    "its number was used by another field");
            }
            if (check_texts_equal(fields[j].name, fields[i].name)) {
                return check_refuse(why, record->name, fields[i].name, "two fields have this name");
            }
        }
    }
    return HY_OK;
}

static hy_err check_field(const hy_record *record, const hy_field *field, hy_why *why) {
    if (!check_name_is_plain(field->name)) {
        return check_refuse(why, record->name, "", "the name of a field is not a plain word");
    }
    const char *fault = NULL;
    if (field->type < HY_TYPE_U8 || field->type > HY_TYPE_UNKNOWN) {
        fault = "its type does not exist";
    } else if (field->label < HY_SINGLE || field->label > HY_REPEATED) {
        fault = "its label does not exist";
    } else if ((field->type == HY_TYPE_UNKNOWN) != (field->number == 0)) {
        fault = "the number 0 is for unknown fields, and for them only";
    } else if (field->number > HYI_WIRE_NUMBER_MAX) {
        fault = "its number is past 536870911";
    } else if (field->number >= 19000 && field->number <= 19999) {
        fault = "the numbers 19000 to 19999 are kept by Protocol Buffers";
    }
    if (fault == NULL) fault = check_field_form(record, field);
    if (fault == NULL) fault = check_field_layout(record, field);
    return fault == NULL ? HY_OK : check_refuse(why, record->name, field->name, fault);
}

static const char *check_field_form(const hy_record *record, const hy_field *field) {
    bool nests = field->type == HY_TYPE_RECORD || field->type == HY_TYPE_UNION;
    if (nests != (field->of != NULL)) return "a record or union, and nothing else, names one";
    if (nests && field->of->is_union != (field->type == HY_TYPE_UNION)) {
        return "a union was described as a record, or a record as a union";
    }
    if ((field->type == HY_TYPE_ENUM) != (field->values != NULL)) {
        return "an enum, and nothing else, names its values";
    }
    bool plain = field->label == HY_SINGLE;
    if (field->type == HY_TYPE_UNKNOWN && (!plain || record->is_union)) {
        return "unknown fields are kept once, in a record";
    }
    if (record->is_union && check_texts_equal(field->name, "which")) {
        return "`which` is the name of the tag";
    }
    return record->is_union && !plain ? "a member of a union is neither a list nor an option"
                                      : NULL;
}

static uint32_t check_size_of(const hy_field *field) {
    switch (field->type) {
    case HY_TYPE_U8:
    case HY_TYPE_I8:
    case HY_TYPE_BOOL: return 1;
    case HY_TYPE_U16:
    case HY_TYPE_I16: return 2;
    case HY_TYPE_U32:
    case HY_TYPE_I32:
    case HY_TYPE_ENUM: return 4;
    case HY_TYPE_ID: return sizeof(hy_id);
    case HY_TYPE_STR:
    case HY_TYPE_BYTES:
    case HY_TYPE_UNKNOWN: return sizeof(hy_bytes);
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: return field->of->size;
    default: return 8;
    }
}

static const char *check_field_layout(const hy_record *record, const hy_field *field) {
    if (field->size != check_size_of(field)) return "its size is not that of its type";
    if (field->align == 0 || field->align > 16 || (field->align & (field->align - 1)) != 0) {
        return "its alignment is not 1, 2, 4, 8 or 16";
    }
    uint32_t size = hyi_field_stored_size(field);
    bool inside = size <= record->size && field->offset <= record->size - size;
    if (record->is_union && field->offset < sizeof(uint32_t)) inside = false;
    return inside ? NULL : "it lies outside its struct";
}

// A label stands in JSON between quotes, so it may have more than a name, but nothing to be
// escaped.
static bool check_label_is_printable(const char *label) {
    if (label == NULL || label[0] == '\0') return false;
    for (; *label != '\0'; label++) {
        if (*label < ' ' || *label > '~' || *label == '"' || *label == '\\') return false;
    }
    return true;
}

static hy_err check_enum(const hy_enum *values, hy_why *why) {
    if (!check_name_is_plain(values->name)) {
        return check_refuse(why, "", "", "the name of an enum is not a plain word");
    }
    if (values->value_count == 0 || values->value_count > HYI_ENUM_VALUES_MAX) {
        return check_refuse(why, values->name, "", "it has no values, or more than 1024");
    }
    for (uint32_t i = 0; i < values->value_count; i++) {
        const hy_enum_value *value = &values->values[i];
        if (!check_name_is_plain(value->constant) || !check_label_is_printable(value->label)) {
            return check_refuse(why, values->name, "", "the name of a value is not a plain word");
        }
        if (value->number > INT32_MAX) {
            return check_refuse(why, values->name, value->constant,
                                "its number is past 2147483647");
        }
        for (uint32_t j = 0; j < i; j++) {
            const hy_enum_value *other = &values->values[j];
            if (other->number == value->number) {
                return check_refuse(why, values->name, value->constant,
                                    "its number was used by another value");
            }
            if (check_texts_equal(other->constant, value->constant) ||
                check_texts_equal(other->label, value->label)) {
                return check_refuse(why, values->name, value->constant,
                                    "two values have this name");
            }
        }
    }
    return HY_OK;
}

// The exports write all of them into one file, so records and enums share one set of names.
static hy_err check_names(const hyi_reach *reach, hy_why *why) {
    uint32_t count = reach->record_count + reach->enum_count;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = i < reach->record_count ? reach->records[i]->name
                                                   : reach->enums[i - reach->record_count]->name;
        for (uint32_t j = 0; j < i; j++) {
            const char *other = j < reach->record_count
                                    ? reach->records[j]->name
                                    : reach->enums[j - reach->record_count]->name;
            if (check_texts_equal(name, other)) {
                return check_refuse(why, name, "", "two records or enums have this name");
            }
        }
    }
    return HY_OK;
}

// How many records lie inside each other when every single one is there. Each round carries depths
// one field further; what still grows after HY_DEPTH_MAX rounds is too deep, or lies in itself.
static hy_err check_depth(const hyi_reach *reach, hy_why *why) {
    uint8_t depth[HYI_REACH_MAX];
    memset(depth, 1, sizeof depth);
    for (uint32_t round = 0; round < HY_DEPTH_MAX; round++) {
        bool changed = false;
        for (uint32_t i = 0; i < reach->record_count; i++) {
            const hy_record *record = reach->records[i];
            const hy_field *fields = hy_record_fields(record);
            for (uint32_t j = 0; j < record->field_count; j++) {
                if (fields[j].of == NULL || fields[j].label == HY_REPEATED) continue;
                uint8_t deeper = (uint8_t)(depth[hyi_reach_record(reach, fields[j].of)] + 1);
                if (deeper <= depth[i]) continue;
                if (deeper > HY_DEPTH_MAX) {
                    return check_refuse(why, record->name, fields[j].name,
                                        "records lie more than 32 deep in each other");
                }
                depth[i] = deeper;
                changed = true;
            }
        }
        if (!changed) return HY_OK;
    }
    return HY_OK;
}
