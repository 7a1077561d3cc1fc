// record.h - looking things up in descriptions.            Room: schema. Includes: base.
// Threads: descriptions are constant; a reach belongs to the one call that made it.
#ifndef HYPHA_SCHEMA_RECORD_H
#define HYPHA_SCHEMA_RECORD_H

#include <hypha/schema.h>

#define HYI_NAME_MAX 63   // characters of a record's, field's or enum's name
#define HYI_REACH_MAX 256 // records, and enums, that one call may meet
#define HYI_RECORD_SIZE_MAX (1u << 20)
#define HYI_ENUM_VALUES_MAX 1024

// The field with that number or name, or NULL. Number 0 finds the unknown fields.
const hy_field *hyi_record_field(const hy_record *record, uint32_t number);
const hy_field *hyi_record_field_named(const hy_record *record, hy_text name);

// The value with that number or label, or NULL.
const hy_enum_value *hyi_enum_value(const hy_enum *values, uint32_t number);
const hy_enum_value *hyi_enum_value_labelled(const hy_enum *values, hy_text label);

// The bytes a field takes in its struct: of an option with its flag, of a list its pointer and
// count.
uint32_t hyi_field_stored_size(const hy_field *field);

// All records and enums that can be met from some records, each once: first the given records, then
// what their fields name, in the order in which they are met. The order depends on nothing but the
// descriptions, so digests and exports may use it.
typedef struct hyi_reach {
    const hy_record *records[HYI_REACH_MAX];
    const hy_enum *enums[HYI_REACH_MAX];
    uint32_t record_count, enum_count;
} hyi_reach;

// HY_LIMIT past HYI_REACH_MAX; then `out_reach` holds the first of them.
HY_CHECKED hy_err hyi_reach_from(hyi_reach *out_reach, const hy_record *const *records,
                                 size_t count);

// Puts each record behind those that its fields name; a circle is begun where it was met first.
void hyi_reach_sort(hyi_reach *reach);

// What hy_record_check does, for all of them at once. HY_SCHEMA.
HY_CHECKED hy_err hyi_reach_check(const hyi_reach *reach, hy_why *why);

// The place in `reach`, or HYI_REACH_MAX.
uint32_t hyi_reach_record(const hyi_reach *reach, const hy_record *record);
uint32_t hyi_reach_enum(const hyi_reach *reach, const hy_enum *values);

#endif
