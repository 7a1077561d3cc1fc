// describe.c - a machine as bytes, back, and whether a newer machine may follow an older one.
//
// The record below is the format (docs/FORMATS.md shows it). Records of tables, inputs, replies and
// actions are collected into one list for hy_schema_encode and named by their place in it, from 1,
// so that 0 can mean "no body".
//
// Tables, inputs and actions are numbered by their place, and journal, ledger and counters hold
// those numbers: so the check insists that what was stored keeps its place and only the end grows.
#include "store/describe.h"

#include "base/memory.h"
#include "base/why.h"
#include "store/convert.h"

#define DESCRIPTION_TABLE(F)                                                                       \
    F(1, u32, number)                                                                              \
    F(2, str, name)                                                                                \
    F(3, u32, record)                                                                              \
    F(4, u32, key_count)                                                                           \
    F(5, bool, ordered)                                                                            \
    F(6, u32, rows_max)
HY_RECORD(description_table, DESCRIPTION_TABLE)
HY_RECORD_DEFINE(description_table, DESCRIPTION_TABLE)

#define DESCRIPTION_INPUT(F)                                                                       \
    F(1, str, name)                                                                                \
    F(2, u32, body)                                                                                \
    F(3, u32, reply)                                                                               \
    F(4, bool, internal)
HY_RECORD(description_input, DESCRIPTION_INPUT)
HY_RECORD_DEFINE(description_input, DESCRIPTION_INPUT)

#define DESCRIPTION_ACTION(F)                                                                      \
    F(1, str, name)                                                                                \
    F(2, u32, body)                                                                                \
    F(3, bool, tracked)                                                                            \
    F(4, u32, completion)
HY_RECORD(description_action, DESCRIPTION_ACTION)
HY_RECORD_DEFINE(description_action, DESCRIPTION_ACTION)

#define DESCRIPTION_REJECTION(F)                                                                   \
    F(1, str, name)                                                                                \
    F(2, str, text)                                                                                \
    F(3, u32, http_status)
HY_RECORD(description_rejection, DESCRIPTION_REJECTION)
HY_RECORD_DEFINE(description_rejection, DESCRIPTION_REJECTION)

#define DESCRIPTION(F)                                                                             \
    F(1, str, name)                                                                                \
    F(2, u32, version)                                                                             \
    F(3, list(rec(description_table)), tables)                                                     \
    F(4, list(rec(description_input)), inputs)                                                     \
    F(5, list(rec(description_action)), actions)                                                   \
    F(6, list(rec(description_rejection)), rejections)                                             \
    F(7, bytes, records)
HY_RECORD(description_form, DESCRIPTION)
HY_RECORD_DEFINE(description_form, DESCRIPTION)

void hyi_describe(const hy_machine *machine, hyi_description *out_description) {
    out_description->machine = machine;
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        out_description->tables[i] = hy_machine_table(machine, i);
    }
}

// ---- encoding -----------------------------------------------------------------------------------

// The records in order of first mention, each once.
typedef struct describe_records {
    const hy_record **list;
    uint32_t count, capacity;
} describe_records;

static uint32_t describe_number(describe_records *records, const hy_record *record) {
    if (record == NULL) return 0;
    for (uint32_t i = 0; i < records->count; i++) {
        if (records->list[i] == record) return i + 1;
    }
    HY_ASSERT(records->count < records->capacity);
    records->list[records->count++] = record;
    return records->count;
}

static void *describe_list(hy_arena *arena, size_t count, size_t size) {
    void *list = hy_arena_alloc(arena, (count + 1) * size); // never of no bytes
    if (list != NULL) memset(list, 0, (count + 1) * size);
    return list;
}

static bool describe_tables(const hyi_description *from, description_form *to,
                            describe_records *records, hy_arena *arena) {
    to->tables.ptr = describe_list(arena, HY_TABLE_NUMBERS, sizeof to->tables.ptr[0]);
    if (to->tables.ptr == NULL) return false;
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        const hy_table *table = from->tables[i];
        if (table == NULL) continue;
        to->tables.ptr[to->tables.len++] = (description_table){
            .number = i,
            .name = hy_bytes_of(table->name),
            .record = describe_number(records, table->row),
            .key_count = table->key_count,
            .ordered = table->ordered,
            .rows_max = table->rows_max,
        };
    }
    return true;
}

static bool describe_kinds(const hy_machine *from, description_form *to, describe_records *records,
                           hy_arena *arena) {
    to->inputs.ptr = describe_list(arena, from->input_count, sizeof to->inputs.ptr[0]);
    to->actions.ptr = describe_list(arena, from->action_count, sizeof to->actions.ptr[0]);
    to->rejections.ptr = describe_list(arena, from->rejection_count, sizeof to->rejections.ptr[0]);
    if (!to->inputs.ptr || !to->actions.ptr || !to->rejections.ptr) return false;
    for (uint32_t i = 0; i < from->input_count; i++) {
        const hy_input_kind *kind = &from->inputs[i];
        to->inputs.ptr[i] =
            (description_input){ hy_bytes_of(kind->name), describe_number(records, kind->body),
                                 describe_number(records, kind->reply), kind->internal };
    }
    for (uint32_t i = 0; i < from->action_count; i++) {
        const hy_action_kind *kind = &from->actions[i];
        to->actions.ptr[i] =
            (description_action){ hy_bytes_of(kind->name), describe_number(records, kind->body),
                                  kind->tracked, kind->completion };
    }
    for (uint32_t i = 0; i < from->rejection_count; i++) {
        const hy_rejection *no = &from->rejections[i];
        to->rejections.ptr[i] = (description_rejection){ hy_bytes_of(no->name),
                                                         hy_bytes_of(no->text), no->http_status };
    }
    to->inputs.len = from->input_count;
    to->actions.len = from->action_count;
    to->rejections.len = from->rejection_count;
    return true;
}

static hy_err describe_encode(const hyi_description *from, hy_arena *arena, hy_buf *schema,
                              hy_buf *out) {
    const hy_machine *machine = from->machine;
    describe_records records = { .capacity = HY_TABLE_NUMBERS + 2 * machine->input_count +
                                             machine->action_count };
    records.list = describe_list(arena, records.capacity, sizeof records.list[0]);
    description_form to = { .name = hy_bytes_of(machine->name), .version = machine->version };
    if (records.list == NULL || !describe_tables(from, &to, &records, arena) ||
        !describe_kinds(machine, &to, &records, arena)) {
        return HY_NOMEM;
    }
    hy_err err = hy_schema_encode(records.list, records.count, schema);
    if (err != HY_OK) return err;
    to.records = hy_buf_bytes(schema);
    return hy_wire_encode(&description_form_record, &to, out);
}

hy_err hyi_description_encode(const hyi_description *description, hy_buf *out) {
    hy_arena arena;
    hy_arena_init(&arena, out->mem, 0);
    hy_buf schema;
    hy_buf_init(&schema, out->mem, 0);
    hy_err err = describe_encode(description, &arena, &schema, out);
    hy_buf_deinit(&schema);
    hy_arena_deinit(&arena);
    return err;
}

// ---- decoding -----------------------------------------------------------------------------------

typedef struct describe_reader {
    hy_arena *arena;
    const hy_record *const *records;
    size_t record_count;
    hy_err err;
} describe_reader;

// A NUL-ended copy.
static const char *describe_name(describe_reader *reader, hy_bytes text) {
    bool ok = false;
    hy_bytes copy = hy_arena_copy(reader->arena, text, &ok);
    if (!ok) reader->err = HY_NOMEM;
    return ok ? (const char *)copy.ptr : "";
}

static const hy_record *describe_record(describe_reader *reader, uint32_t number) {
    if (number > reader->record_count) reader->err = HY_CORRUPT;
    return number == 0 || number > reader->record_count ? NULL : reader->records[number - 1];
}

static void describe_read_tables(describe_reader *reader, const description_form *from,
                                 hy_machine *to, hyi_description *out) {
    hy_table *tables = describe_list(reader->arena, HY_TABLE_NUMBERS, sizeof *tables);
    if (tables == NULL) {
        reader->err = HY_NOMEM;
        return;
    }
    for (size_t i = 0; i < from->tables.len && reader->err == HY_OK; i++) {
        const description_table *table = &from->tables.ptr[i];
        const hy_record *row = describe_record(reader, table->record);
        bool fits = row != NULL && table->number < HY_TABLE_NUMBERS && table->key_count > 0 &&
                    table->key_count <= row->field_count && out->tables[table->number] == NULL;
        if (!fits) {
            reader->err = HY_CORRUPT;
            return;
        }
        tables[table->number] = (hy_table){ .name = describe_name(reader, table->name),
                                            .row = row,
                                            .key_count = table->key_count,
                                            .ordered = table->ordered,
                                            .rows_max = table->rows_max };
        out->tables[table->number] = &tables[table->number];
        if (table->number < HY_TABLES_MAX) to->table_count = table->number + 1;
    }
    to->tables = tables;
}

static void describe_read_kinds(describe_reader *reader, const description_form *from,
                                hy_machine *to) {
    hy_input_kind *inputs = describe_list(reader->arena, from->inputs.len, sizeof *inputs);
    hy_action_kind *actions = describe_list(reader->arena, from->actions.len, sizeof *actions);
    hy_rejection *rejections =
        describe_list(reader->arena, from->rejections.len, sizeof *rejections);
    if (inputs == NULL || actions == NULL || rejections == NULL) {
        reader->err = HY_NOMEM;
        return;
    }
    for (size_t i = 0; i < from->inputs.len; i++) {
        const description_input *kind = &from->inputs.ptr[i];
        inputs[i] =
            (hy_input_kind){ describe_name(reader, kind->name), describe_record(reader, kind->body),
                             describe_record(reader, kind->reply), kind->internal };
    }
    for (size_t i = 0; i < from->actions.len; i++) {
        const description_action *kind = &from->actions.ptr[i];
        actions[i] = (hy_action_kind){ describe_name(reader, kind->name),
                                       describe_record(reader, kind->body), kind->tracked,
                                       kind->completion };
    }
    for (size_t i = 0; i < from->rejections.len; i++) {
        const description_rejection *no = &from->rejections.ptr[i];
        rejections[i] = (hy_rejection){ describe_name(reader, no->name),
                                        describe_name(reader, no->text), no->http_status };
    }
    to->inputs = inputs, to->input_count = (uint32_t)from->inputs.len;
    to->actions = actions, to->action_count = (uint32_t)from->actions.len;
    to->rejections = rejections, to->rejection_count = (uint32_t)from->rejections.len;
}

hy_err hyi_description_decode(hy_bytes bytes, hy_arena *arena, hyi_description *out_description,
                              hy_why *why) {
    description_form from;
    describe_reader reader = { .arena = arena };
    hy_err err = hy_wire_decode(&description_form_record, bytes, arena, &from, why);
    if (err == HY_OK) {
        err = hy_schema_decode(from.records, arena, &reader.records, &reader.record_count, why);
    }
    if (err == HY_NOMEM) return err;
    if (err != HY_OK) {
        return hy_why_set(why, HY_CORRUPT, "hy_machine.schema",
                          "the description of a machine does not follow its format");
    }
    *out_description = (hyi_description){ 0 };
    hy_machine *machine = describe_list(arena, 1, sizeof *machine);
    if (machine == NULL) return HY_NOMEM;
    machine->name = describe_name(&reader, from.name);
    machine->version = from.version;
    describe_read_tables(&reader, &from, machine, out_description);
    if (reader.err == HY_OK) describe_read_kinds(&reader, &from, machine);
    out_description->machine = machine;
    if (reader.err == HY_OK || reader.err == HY_NOMEM) return reader.err;
    return hy_why_set(why, HY_CORRUPT, "hy_machine.schema",
                      "the description of a machine contradicts itself");
}

// ---- may this machine follow that one? ----------------------------------------------------------

static bool describe_same_name(const char *a, const char *b) {
    return hy_bytes_equal(hy_bytes_of(a), hy_bytes_of(b));
}

// Of two records under one name: `what` is "table", "input" ...
static hy_err describe_check_record(const hy_record *before, const hy_record *after,
                                    const char *what, const char *name, hy_why *why) {
    if (before == NULL && after == NULL) return HY_OK;
    hy_why inner = { 0 };
    hy_err err = HY_SCHEMA;
    if (before != NULL && after != NULL) err = hy_evolution_check(before, after, &inner);
    if (err != HY_SCHEMA) return err;
    char place[sizeof inner.place];
    memcpy(place, inner.place, sizeof place);
    return hyi_why_fmt(why, HY_SCHEMA, place,
                       "the record of %s %s changed in a way that stored bytes do not allow: %s",
                       what, name, inner.text[0] != 0 ? inner.text : "it came or went");
}

static hy_err describe_check_table(const hyi_description *before, const hy_machine *machine,
                                   uint32_t number, hy_why *why) {
    const hy_table *was = before->tables[number], *is = hy_machine_table(machine, number);
    if (was == NULL) return HY_OK;
    if (is == NULL || !describe_same_name(was->name, is->name)) {
        return hyi_why_fmt(
            why, HY_SCHEMA, was->name,
            "stored table %u is '%s', the program says '%s': keep every table in its "
            "place and add new ones at the end",
            (uint64_t)number, was->name, is == NULL ? "nothing" : is->name);
    }
    const hy_migration *migration = hyi_migration_find(machine, number, before->machine->version);
    const hy_record *readable = migration != NULL ? migration->from : is->row;
    hy_err err = describe_check_record(was->row, readable, "table", was->name, why);
    if (err != HY_OK || migration != NULL) return err;

    bool same_key = was->key_count == is->key_count;
    for (uint32_t i = 0; same_key && i < was->key_count; i++) {
        same_key = hy_record_fields(was->row)[i].number == hy_record_fields(is->row)[i].number;
    }
    if (same_key) return HY_OK;
    return hyi_why_fmt(
        why, HY_SCHEMA, was->name,
        "the key of table %s changed: raise the machine's version and give a migration", was->name);
}

static hy_err describe_check_kinds(const hy_machine *was, const hy_machine *is, hy_why *why) {
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < was->input_count && err == HY_OK; i++) {
        const hy_input_kind *old = &was->inputs[i];
        if (i >= is->input_count || !describe_same_name(old->name, is->inputs[i].name)) {
            return hyi_why_fmt(why, HY_SCHEMA, old->name,
                               "stored input %u is '%s': keep every input in its place and add new "
                               "ones at the end",
                               (uint64_t)i, old->name);
        }
        err = describe_check_record(old->body, is->inputs[i].body, "input", old->name, why);
        if (err == HY_OK) {
            err = describe_check_record(old->reply, is->inputs[i].reply, "reply", old->name, why);
        }
    }
    for (uint32_t i = 0; i < was->action_count && err == HY_OK; i++) {
        const hy_action_kind *old = &was->actions[i];
        if (i >= is->action_count || !describe_same_name(old->name, is->actions[i].name)) {
            return hyi_why_fmt(
                why, HY_SCHEMA, old->name,
                "stored action %u is '%s': keep every action in its place and add new "
                "ones at the end",
                (uint64_t)i, old->name);
        }
        err = describe_check_record(old->body, is->actions[i].body, "action", old->name, why);
    }
    return err;
}

hy_err hyi_description_check(const hyi_description *before, const hy_machine *machine,
                             hy_why *why) {
    const hy_machine *was = before->machine;
    if (was->version > machine->version) {
        return hyi_why_fmt(
            why, HY_NEWER, was->name,
            "machine %s was stored by version %u, this program has version %u: start "
            "the newer program",
            was->name, (uint64_t)was->version, (uint64_t)machine->version);
    }
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        hy_err err = describe_check_table(before, machine, i, why);
        if (err != HY_OK) return err;
    }
    return describe_check_kinds(was, machine, why);
}
