// Descriptions: finding things in them, what can be reached from them, and their digest.
//
// Records name each other, in circles too (through lists), so nothing here follows a name by
// calling itself: hyi_reach_from walks all of them with a list that is its own queue.
//
// The digest says whether two programs mean the same. It covers what is agreed between programs
// (names, numbers, types, labels, enum values) and not what a compiler decides (offsets, sizes),
// and it names other records by their place in the reach, because addresses mean nothing elsewhere.
#include "schema/record.h"

#include "base/digest.h"
#include "base/memory.h"

static bool reach_add_record(hyi_reach *reach, const hy_record *record);
static bool reach_add_enum(hyi_reach *reach, const hy_enum *values);
static bool reach_waits(const hyi_reach *sorted, const hy_record *record);
static uint64_t record_digest_one(uint64_t hash, const hyi_reach *reach, const hy_record *record);
static uint64_t record_digest_enum(uint64_t hash, const hy_enum *values);

const hy_field *hyi_record_field(const hy_record *record, uint32_t number) {
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (fields[i].number == number) return &fields[i];
    }
    return NULL;
}

const hy_field *hyi_record_field_named(const hy_record *record, hy_text name) {
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (hy_bytes_equal(hy_bytes_of(fields[i].name), name)) return &fields[i];
    }
    return NULL;
}

const hy_enum_value *hyi_enum_value(const hy_enum *values, uint32_t number) {
    for (uint32_t i = 0; i < values->value_count; i++) {
        if (values->values[i].number == number) return &values->values[i];
    }
    return NULL;
}

const hy_enum_value *hyi_enum_value_labelled(const hy_enum *values, hy_text label) {
    for (uint32_t i = 0; i < values->value_count; i++) {
        if (hy_bytes_equal(hy_bytes_of(values->values[i].label), label)) return &values->values[i];
    }
    return NULL;
}

uint32_t hyi_field_stored_size(const hy_field *field) {
    if (field->label == HY_REPEATED) return sizeof(hy_bytes);
    if (field->label == HY_OPTIONAL) return field->align + field->size;
    return field->size;
}

hy_err hyi_reach_from(hyi_reach *out_reach, const hy_record *const *records, size_t count) {
    out_reach->record_count = 0;
    out_reach->enum_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!reach_add_record(out_reach, records[i])) return HY_LIMIT;
    }
    for (uint32_t i = 0; i < out_reach->record_count; i++) {
        const hy_record *record = out_reach->records[i];
        const hy_field *fields = hy_record_fields(record);
        for (uint32_t j = 0; j < record->field_count; j++) {
            if (fields[j].of != NULL && !reach_add_record(out_reach, fields[j].of)) return HY_LIMIT;
            if (fields[j].values != NULL && !reach_add_enum(out_reach, fields[j].values)) {
                return HY_LIMIT;
            }
        }
    }
    return HY_OK;
}

// Takes the first record that names no untaken one, again and again; in a circle simply the first.
void hyi_reach_sort(hyi_reach *reach) {
    hyi_reach sorted = { .record_count = 0 };
    while (sorted.record_count < reach->record_count) {
        const hy_record *first = NULL, *ready = NULL;
        for (uint32_t i = 0; i < reach->record_count && ready == NULL; i++) {
            const hy_record *record = reach->records[i];
            if (hyi_reach_record(&sorted, record) != HYI_REACH_MAX) continue;
            if (first == NULL) first = record;
            if (!reach_waits(&sorted, record)) ready = record;
        }
        sorted.records[sorted.record_count++] = ready != NULL ? ready : first;
    }
    memcpy(reach->records, sorted.records, sorted.record_count * sizeof sorted.records[0]);
}

static bool reach_waits(const hyi_reach *sorted, const hy_record *record) {
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_record *of = fields[i].of;
        if (of == NULL || of == record) continue;
        if (hyi_reach_record(sorted, of) == HYI_REACH_MAX) return true;
    }
    return false;
}

uint32_t hyi_reach_record(const hyi_reach *reach, const hy_record *record) {
    for (uint32_t i = 0; i < reach->record_count; i++) {
        if (reach->records[i] == record) return i;
    }
    return HYI_REACH_MAX;
}

uint32_t hyi_reach_enum(const hyi_reach *reach, const hy_enum *values) {
    for (uint32_t i = 0; i < reach->enum_count; i++) {
        if (reach->enums[i] == values) return i;
    }
    return HYI_REACH_MAX;
}

static bool reach_add_record(hyi_reach *reach, const hy_record *record) {
    if (hyi_reach_record(reach, record) != HYI_REACH_MAX) return true;
    if (reach->record_count == HYI_REACH_MAX) return false;
    reach->records[reach->record_count++] = record;
    return true;
}

static bool reach_add_enum(hyi_reach *reach, const hy_enum *values) {
    if (hyi_reach_enum(reach, values) != HYI_REACH_MAX) return true;
    if (reach->enum_count == HYI_REACH_MAX) return false;
    reach->enums[reach->enum_count++] = values;
    return true;
}

// Beyond the limit of the reach (which hy_record_check refuses) the first records decide.
uint64_t hy_record_digest(const hy_record *record) {
    hyi_reach reach;
    hy_err err = hyi_reach_from(&reach, &record, 1);
    HY_ASSERT(err == HY_OK || err == HY_LIMIT);
    uint64_t hash = HYI_FNV1A_START;
    for (uint32_t i = 0; i < reach.record_count; i++) {
        hash = record_digest_one(hash, &reach, reach.records[i]);
    }
    return hash;
}

static uint64_t record_digest_number(uint64_t hash, uint32_t number) {
    uint8_t bytes[4] = { (uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                         (uint8_t)(number >> 24) };
    return hyi_fnv1a(hash, bytes, sizeof bytes);
}

// With its length in front, so that no two sequences of names run together to the same bytes.
static uint64_t record_digest_text(uint64_t hash, const char *text) {
    hy_bytes bytes = hy_bytes_of(text);
    hash = record_digest_number(hash, (uint32_t)bytes.len);
    return hyi_fnv1a(hash, bytes.ptr, bytes.len);
}

static uint64_t record_digest_one(uint64_t hash, const hyi_reach *reach, const hy_record *record) {
    hash = record_digest_text(hash, record->name);
    hash = record_digest_number(hash, record->is_union);
    hash = record_digest_number(hash, record->field_count);
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_field *field = &fields[i];
        hash = record_digest_number(hash, field->number);
        hash = record_digest_text(hash, field->name);
        hash = record_digest_number(hash, field->type);
        hash = record_digest_number(hash, field->label);
        if (field->of != NULL) {
            hash = record_digest_number(hash, hyi_reach_record(reach, field->of));
        }
        if (field->values != NULL) hash = record_digest_enum(hash, field->values);
    }
    return hash;
}

static uint64_t record_digest_enum(uint64_t hash, const hy_enum *values) {
    hash = record_digest_text(hash, values->name);
    hash = record_digest_number(hash, values->value_count);
    for (uint32_t i = 0; i < values->value_count; i++) {
        hash = record_digest_number(hash, values->values[i].number);
        hash = record_digest_text(hash, values->values[i].constant);
        hash = record_digest_text(hash, values->values[i].label);
    }
    return hash;
}
