// Descriptions as bytes, so that a file explains itself: `hypha inspect` and every later program
// can read rows of records that they were not built with.
//
// A description is described by HY_RECORD like anything else, and so its bytes are Protocol Buffers
// too. Records and enums are named by their place in the list plus one, because addresses mean
// nothing elsewhere. The numbers of `type` and `label` are those of hy_type and hy_label: stored,
// so they never change.
//
// Reading back, nothing is believed: references are compared with the lists, the structs are laid
// out anew by the rules of C (so that a row decoded with a read description has the very struct
// that the macros would have made), and at the end the whole goes through the check of
// descriptions.
#include <hypha/schema.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "schema/record.h"

#define DESCRIBED_VALUE(F) F(1, u32, number) F(2, str, constant) F(3, str, label)
HY_RECORD(described_value, DESCRIBED_VALUE)
HY_RECORD_DEFINE(described_value, DESCRIBED_VALUE)

#define DESCRIBED_ENUM(F) F(1, str, name) F(2, list(rec(described_value)), values)
HY_RECORD(described_enum, DESCRIBED_ENUM)
HY_RECORD_DEFINE(described_enum, DESCRIBED_ENUM)

#define DESCRIBED_FIELD(F)                                                                         \
    F(1, u32, number) F(2, str, name) F(3, u32, type) F(4, u32, label) F(5, u32, refers)
HY_RECORD(described_field, DESCRIBED_FIELD)
HY_RECORD_DEFINE(described_field, DESCRIBED_FIELD)

#define DESCRIBED_RECORD(F)                                                                        \
    F(1, str, name) F(2, bool, is_union) F(3, list(rec(described_field)), fields)
HY_RECORD(described_record, DESCRIBED_RECORD)
HY_RECORD_DEFINE(described_record, DESCRIBED_RECORD)

#define DESCRIBED_SCHEMA(F)                                                                        \
    F(1, list(u32), roots)                                                                         \
    F(2, list(rec(described_record)), records) F(3, list(rec(described_enum)), enums)
HY_RECORD(described_schema, DESCRIBED_SCHEMA)
HY_RECORD_DEFINE(described_schema, DESCRIBED_SCHEMA)

_Static_assert(HY_TYPE_U8 == 1 && HY_TYPE_UNKNOWN == 17, "types are stored by number");
_Static_assert(HY_SINGLE == 1 && HY_REPEATED == 3, "labels are stored by number");

static hy_err describe_records(const hyi_reach *reach, hy_arena *arena, described_schema *schema);
static hy_err describe_record(const hyi_reach *reach, const hy_record *record, hy_arena *arena,
                              described_record *out_described);
static hy_err describe_enums(const hyi_reach *reach, hy_arena *arena, described_schema *schema);

// Room for `count` values; an empty list needs none.
static void *describe_alloc(hy_arena *arena, size_t count, size_t size) {
    void *ptr = hy_arena_alloc(arena, count * size);
    if (ptr != NULL) memset(ptr, 0, count * size);
    return ptr;
}

hy_err hy_schema_encode(const hy_record *const *records, size_t count, hy_buf *out) {
    hyi_reach reach;
    if (hyi_reach_from(&reach, records, count) != HY_OK) return HY_SCHEMA;
    hy_err err = hyi_reach_check(&reach, NULL);
    if (err != HY_OK) return err;
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, out->mem, 0);
    described_schema schema = { .roots = { NULL, 0 } };
    uint32_t *roots = (uint32_t *)describe_alloc(&arena, count, sizeof *roots);
    if (roots == NULL) return HY_NOMEM;
    for (size_t i = 0; i < count; i++) {
        roots[i] = hyi_reach_record(&reach, records[i]) + 1;
    }
    schema.roots.ptr = roots;
    schema.roots.len = count;
    err = describe_records(&reach, &arena, &schema);
    if (err == HY_OK) err = describe_enums(&reach, &arena, &schema);
    return err == HY_OK ? hy_wire_encode(&described_schema_record, &schema, out) : err;
}

static hy_err describe_records(const hyi_reach *reach, hy_arena *arena, described_schema *schema) {
    schema->records.len = reach->record_count;
    schema->records.ptr =
        (described_record *)describe_alloc(arena, reach->record_count, sizeof(described_record));
    if (schema->records.ptr == NULL) return HY_NOMEM;
    for (uint32_t i = 0; i < reach->record_count; i++) {
        hy_err err = describe_record(reach, reach->records[i], arena, &schema->records.ptr[i]);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err describe_record(const hyi_reach *reach, const hy_record *record, hy_arena *arena,
                              described_record *out_described) {
    const hy_field *fields = hy_record_fields(record);
    described_field *described =
        (described_field *)describe_alloc(arena, record->field_count, sizeof(described_field));
    if (described == NULL) return HY_NOMEM;
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_field *field = &fields[i];
        described[i] = (described_field){ .number = field->number,
                                          .name = hy_bytes_of(field->name),
                                          .type = field->type,
                                          .label = field->label };
        if (field->of != NULL) described[i].refers = hyi_reach_record(reach, field->of) + 1;
        if (field->values != NULL) described[i].refers = hyi_reach_enum(reach, field->values) + 1;
    }
    out_described->name = hy_bytes_of(record->name);
    out_described->is_union = record->is_union;
    out_described->fields.ptr = described;
    out_described->fields.len = record->field_count;
    return HY_OK;
}

static hy_err describe_enums(const hyi_reach *reach, hy_arena *arena, described_schema *schema) {
    described_enum *enums =
        (described_enum *)describe_alloc(arena, reach->enum_count, sizeof(described_enum));
    if (enums == NULL) return HY_NOMEM;
    for (uint32_t i = 0; i < reach->enum_count; i++) {
        const hy_enum *values = reach->enums[i];
        described_value *described =
            (described_value *)describe_alloc(arena, values->value_count, sizeof(described_value));
        if (described == NULL) return HY_NOMEM;
        for (uint32_t j = 0; j < values->value_count; j++) {
            described[j].number = values->values[j].number;
            described[j].constant = hy_bytes_of(values->values[j].constant);
            described[j].label = hy_bytes_of(values->values[j].label);
        }
        enums[i].name = hy_bytes_of(values->name);
        enums[i].values.ptr = described;
        enums[i].values.len = values->value_count;
    }
    schema->enums.ptr = enums;
    schema->enums.len = reach->enum_count;
    return HY_OK;
}

// ---- back ------------------------------------------------------------------------------------

// What is being built: arrays in the caller's arena, filled from `schema`.
typedef struct describe_plan {
    described_schema schema;
    hy_record *records;
    hy_field **fields; // of each record, still open to change
    hy_enum *enums;
    uint32_t *aligns; // of each record; 0 until it is laid out
    hy_arena *arena;
} describe_plan;

static hy_err describe_read_enums(describe_plan *plan, hy_why *why);
static hy_err describe_read_records(describe_plan *plan, hy_why *why);
static hy_err describe_read_field(describe_plan *plan, const described_field *described,
                                  hy_field *out_field, hy_why *why);
static hy_err describe_lay_out_all(describe_plan *plan, hy_why *why);
static hy_err describe_read_roots(describe_plan *plan, const hy_record ***out_roots, hy_why *why);

// The name in a description, which the wire decoder copied with a NUL behind it. NULL for a name
// that has a NUL inside; the check of descriptions refuses NULL like any other bad name.
static const char *describe_name(hy_text name) {
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '\0') return NULL;
    }
    return (const char *)name.ptr;
}

hy_err hy_schema_decode(hy_bytes bytes, hy_arena *arena, const hy_record *const **out_records,
                        size_t *out_count, hy_why *why) {
    describe_plan plan = { .arena = arena };
    hy_err err = hy_wire_decode(&described_schema_record, bytes, arena, &plan.schema, why);
    if (err != HY_OK && err != HY_NOMEM) {
        if (why != NULL) why->code = HY_MALFORMED;
        return HY_MALFORMED;
    }
    const hy_record **roots = NULL;
    if (err == HY_OK) err = describe_read_enums(&plan, why);
    if (err == HY_OK) err = describe_read_records(&plan, why);
    if (err == HY_OK) err = describe_lay_out_all(&plan, why);
    if (err == HY_OK) err = describe_read_roots(&plan, &roots, why);
    if (err != HY_OK) return err;
    hyi_reach reach;
    if (hyi_reach_from(&reach, roots, plan.schema.roots.len) != HY_OK) {
        return hy_why_set(why, HY_SCHEMA, "", "there are more than 256 records or enums");
    }
    err = hyi_reach_check(&reach, why);
    if (err != HY_OK) return err;
    *out_records = roots;
    *out_count = plan.schema.roots.len;
    return HY_OK;
}

static hy_err describe_nomem(hy_why *why) {
    return hy_why_set(why, HY_NOMEM, "", "no memory for the descriptions");
}

static hy_err describe_read_enums(describe_plan *plan, hy_why *why) {
    size_t count = plan->schema.enums.len;
    if (count > HYI_REACH_MAX) return hy_why_set(why, HY_SCHEMA, "enums", "more than 256 enums");
    plan->enums = (hy_enum *)describe_alloc(plan->arena, count, sizeof(hy_enum));
    if (plan->enums == NULL) return describe_nomem(why);
    for (size_t i = 0; i < count; i++) {
        const described_enum *described = &plan->schema.enums.ptr[i];
        if (described->values.len > HYI_ENUM_VALUES_MAX) {
            return hy_why_set(why, HY_SCHEMA, "enums", "an enum has more than 1024 values");
        }
        hy_enum_value *values = (hy_enum_value *)describe_alloc(plan->arena, described->values.len,
                                                                sizeof(hy_enum_value));
        if (values == NULL) return describe_nomem(why);
        for (size_t j = 0; j < described->values.len; j++) {
            const described_value *value = &described->values.ptr[j];
            values[j] = (hy_enum_value){ .number = value->number,
                                         .constant = describe_name(value->constant),
                                         .label = describe_name(value->label) };
        }
        plan->enums[i] = (hy_enum){ .name = describe_name(described->name),
                                    .values = values,
                                    .value_count = (uint32_t)described->values.len };
    }
    return HY_OK;
}

static hy_err describe_read_records(describe_plan *plan, hy_why *why) {
    size_t count = plan->schema.records.len;
    if (count > HYI_REACH_MAX) {
        return hy_why_set(why, HY_SCHEMA, "records", "more than 256 records");
    }
    plan->records = (hy_record *)describe_alloc(plan->arena, count, sizeof(hy_record));
    plan->fields = (hy_field **)describe_alloc(plan->arena, count, sizeof(hy_field *));
    plan->aligns = (uint32_t *)describe_alloc(plan->arena, count, sizeof(uint32_t));
    if (plan->records == NULL || plan->fields == NULL || plan->aligns == NULL) {
        return describe_nomem(why);
    }
    for (size_t i = 0; i < count; i++) {
        const described_record *described = &plan->schema.records.ptr[i];
        size_t field_count = described->fields.len;
        if (field_count > HY_FIELDS_MAX) {
            return hy_why_set(why, HY_SCHEMA, "records", "a record has more than 256 fields");
        }
        hy_field *fields = (hy_field *)describe_alloc(plan->arena, field_count, sizeof(hy_field));
        if (fields == NULL) return describe_nomem(why);
        for (size_t j = 0; j < field_count; j++) {
            hy_err err = describe_read_field(plan, &described->fields.ptr[j], &fields[j], why);
            if (err != HY_OK) return err;
        }
        plan->fields[i] = fields;
        plan->records[i] = (hy_record){ .name = describe_name(described->name),
                                        .field_count = (uint32_t)field_count,
                                        .is_union = described->is_union,
                                        .fields = fields };
    }
    return HY_OK;
}

static hy_err describe_read_field(describe_plan *plan, const described_field *described,
                                  hy_field *out_field, hy_why *why) {
    if (described->type < HY_TYPE_U8 || described->type > HY_TYPE_UNKNOWN) {
        return hy_why_set(why, HY_SCHEMA, "type", "a field has a type that does not exist");
    }
    if (described->label < HY_SINGLE || described->label > HY_REPEATED) {
        return hy_why_set(why, HY_SCHEMA, "label", "a field has a label that does not exist");
    }
    *out_field = (hy_field){ .number = described->number,
                             .name = describe_name(described->name),
                             .type = (hy_type)described->type,
                             .label = (hy_label)described->label };
    bool nests = out_field->type == HY_TYPE_RECORD || out_field->type == HY_TYPE_UNION;
    bool chooses = out_field->type == HY_TYPE_ENUM;
    size_t known = nests ? plan->schema.records.len : chooses ? plan->schema.enums.len : 0;
    if (described->refers > known || (known > 0 && described->refers == 0)) {
        return hy_why_set(why, HY_SCHEMA, "refers", "a field refers to what is not there");
    }
    if (nests && known > 0) out_field->of = &plan->records[described->refers - 1];
    if (chooses && known > 0) out_field->values = &plan->enums[described->refers - 1];
    return HY_OK;
}

static hy_err describe_read_roots(describe_plan *plan, const hy_record ***out_roots, hy_why *why) {
    size_t count = plan->schema.roots.len;
    const hy_record **roots =
        (const hy_record **)describe_alloc(plan->arena, count, sizeof(hy_record *));
    if (roots == NULL) return describe_nomem(why);
    for (size_t i = 0; i < count; i++) {
        uint32_t root = plan->schema.roots.ptr[i];
        if (root == 0 || root > plan->schema.records.len) {
            return hy_why_set(why, HY_SCHEMA, "roots", "a record is named that is not there");
        }
        roots[i] = &plan->records[root - 1];
    }
    *out_roots = roots;
    return HY_OK;
}

// ---- layout ----------------------------------------------------------------------------------

static bool describe_lay_out(describe_plan *plan, size_t index);
static bool describe_size_field(const describe_plan *plan, hy_field *field);

// A record can be laid out when those inside it are, so rounds are made until nothing moves. What
// is left then lies in itself. Elements of lists lie elsewhere and get their size at the end.
static hy_err describe_lay_out_all(describe_plan *plan, hy_why *why) {
    size_t count = plan->schema.records.len, done = 0, before;
    do {
        before = done;
        for (size_t i = 0; i < count; i++) {
            if (plan->aligns[i] == 0 && describe_lay_out(plan, i)) done += 1;
            if (plan->records[i].size > HYI_RECORD_SIZE_MAX) {
                return hy_why_set(why, HY_SCHEMA, plan->records[i].name, "it is larger than 1 MiB");
            }
        }
    } while (done > before);
    if (done < count) {
        return hy_why_set(why, HY_SCHEMA, "records", "a record lies inside itself");
    }
    for (size_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < plan->records[i].field_count; j++) {
            bool sized = describe_size_field(plan, &plan->fields[i][j]);
            HY_ASSERT(sized);
        }
    }
    return HY_OK;
}

static uint32_t describe_round_up(uint32_t size, uint32_t align) {
    return (size + align - 1) & ~(align - 1);
}

// False while the record of the field has no layout yet.
static bool describe_size_field(const describe_plan *plan, hy_field *field) {
    switch (field->type) {
    case HY_TYPE_U8:
    case HY_TYPE_I8:
    case HY_TYPE_BOOL: field->size = 1; break;
    case HY_TYPE_U16:
    case HY_TYPE_I16: field->size = 2; break;
    case HY_TYPE_U32:
    case HY_TYPE_I32:
    case HY_TYPE_ENUM: field->size = 4; break;
    case HY_TYPE_U64:
    case HY_TYPE_I64: field->size = 8; break;
    case HY_TYPE_F64:
        field->size = sizeof(double);
        field->align = _Alignof(double);
        return true;
    case HY_TYPE_ID:
        field->size = sizeof(hy_id);
        field->align = _Alignof(hy_id);
        return true;
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: {
        if (field->of == NULL) return false;
        size_t index = (size_t)(field->of - plan->records);
        field->size = plan->records[index].size;
        field->align = plan->aligns[index];
        return field->align != 0;
    }
    default:
        field->size = sizeof(hy_bytes);
        field->align = _Alignof(hy_bytes);
        return true;
    }
    field->align = field->size == 8 ? (uint32_t) _Alignof(uint64_t) : field->size;
    return true;
}

static bool describe_lay_out(describe_plan *plan, size_t index) {
    hy_record *record = &plan->records[index];
    hy_field *fields = plan->fields[index];
    uint32_t align = record->is_union ? (uint32_t) _Alignof(uint32_t) : 1;
    for (uint32_t i = 0; i < record->field_count; i++) {
        bool is_list = fields[i].label == HY_REPEATED;
        if (!is_list && !describe_size_field(plan, &fields[i])) return false;
        uint32_t own = is_list ? (uint32_t) _Alignof(hy_bytes) : fields[i].align;
        if (own > align) align = own;
    }
    uint32_t end = record->is_union ? (uint32_t)sizeof(uint32_t) : 0;
    uint32_t members = describe_round_up(end, align); // where those of a union lie, all of them
    for (uint32_t i = 0; i < record->field_count; i++) {
        bool is_list = fields[i].label == HY_REPEATED;
        uint32_t own = is_list ? (uint32_t) _Alignof(hy_bytes) : fields[i].align;
        fields[i].offset = record->is_union ? members : describe_round_up(end, own);
        uint32_t behind = fields[i].offset + hyi_field_stored_size(&fields[i]);
        if (behind > end) end = behind;
    }
    record->size = describe_round_up(end, align);
    plan->aligns[index] = align;
    return true;
}
