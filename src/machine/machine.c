// machine.c - the description: its checks, and the runtime's own tables behind the machine's.
//
// A description is checked once, when a state is made; everything after trusts it. What the check
// refuses is a programmer's mistake, so the text says which line of the description to mend.

#include <hypha/machine.h>

#include "base/why.h"
#include "machine/layout.h"

HY_RECORD_DEFINE(hy_ledger_row, HY_LEDGER_FIELDS)
HY_RECORD_DEFINE(hy_answer_row, HY_ANSWER_FIELDS)
HY_RECORD_DEFINE(hy_answer_order_row, HY_ANSWER_ORDER_FIELDS)
HY_RECORD_DEFINE(hy_counter_row, HY_COUNTER_FIELDS)

// The ledger is ordered, so that what is owed is emitted again in the order it was emitted.
static const hy_table machine_own_tables[] = {
    [HY_LEDGER - HY_TABLES_MAX] = { .name = "hy_ledger",
                                    .row = &hy_ledger_row_record,
                                    .key_count = 1,
                                    .ordered = true },
    [HY_ANSWER - HY_TABLES_MAX] = { .name = "hy_answer",
                                    .row = &hy_answer_row_record,
                                    .key_count = 1,
                                    .rows_max = 1u << 26 },
    [HY_ANSWER_ORDER - HY_TABLES_MAX] = { .name = "hy_answer_order",
                                          .row = &hy_answer_order_row_record,
                                          .key_count = 1,
                                          .ordered = true,
                                          .rows_max = 1u << 26 },
    [HY_COUNTER -
        HY_TABLES_MAX] = { .name = "hy_counter", .row = &hy_counter_row_record, .key_count = 1 },
};

const hy_table *hy_machine_table(const hy_machine *machine, uint32_t table) {
    if (table < machine->table_count) return &machine->tables[table];
    if (table >= HY_TABLES_MAX && table < HY_TABLE_NUMBERS) {
        return &machine_own_tables[table - HY_TABLES_MAX];
    }
    return NULL;
}

static bool machine_name_is_plain(const char *name) {
    if (name == NULL || name[0] == 0) return false;
    for (const char *at = name; *at != 0; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || *at == '_';
        bool digit = *at >= '0' && *at <= '9';
        if (!letter && !(digit && at != name)) return false;
        if (at - name >= 48) return false;
    }
    return true;
}

// Names stand for things in stores, schemas and URLs: two of a kind may not share one.
static hy_err machine_refuse_twins(const char *what, const char *name, const char *other,
                                   hy_why *why) {
    if (!hy_bytes_equal(hy_bytes_of(name), hy_bytes_of(other))) return HY_OK;
    return hyi_why_fmt(why, HY_SCHEMA, name, "two %s have the name %s", what, name);
}

static hy_err machine_check_table(const hy_table *table, hy_why *why) {
    if (table->name[0] == 'h' && table->name[1] == 'y' && table->name[2] == '_') {
        return hy_why_set(why, HY_SCHEMA, table->name,
                          "names that begin with hy_ are the runtime's");
    }
    if (table->row == NULL) {
        return hy_why_set(why, HY_SCHEMA, table->name, "a table needs the record of its rows");
    }
    hyi_layout layout;
    hy_err err = hy_record_check(table->row, why);
    return err == HY_OK ? hyi_layout_make(table, &layout, why) : err;
}

static hy_err machine_check_tables(const hy_machine *machine, hy_why *why) {
    if (machine->table_count > HY_TABLES_MAX) {
        return hy_why_set(why, HY_SCHEMA, machine->name, "a machine has at most 64 tables");
    }
    for (uint32_t i = 0; i < machine->table_count; i++) {
        const hy_table *table = &machine->tables[i];
        if (!machine_name_is_plain(table->name)) {
            return hyi_why_fmt(why, HY_SCHEMA, machine->name,
                               "table %u needs a name of small letters, digits and _", (uint64_t)i);
        }
        hy_err err = machine_check_table(table, why);
        for (uint32_t j = 0; j < i && err == HY_OK; j++) {
            err = machine_refuse_twins("tables", table->name, machine->tables[j].name, why);
        }
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err machine_check_inputs(const hy_machine *machine, hy_why *why) {
    for (uint32_t i = 0; i < machine->input_count; i++) {
        const hy_input_kind *kind = &machine->inputs[i];
        if (!machine_name_is_plain(kind->name)) {
            return hyi_why_fmt(why, HY_SCHEMA, machine->name, "input kind %u needs a plain name",
                               (uint64_t)i);
        }
        hy_err err = kind->body == NULL ? HY_OK : hy_record_check(kind->body, why);
        if (err == HY_OK && kind->reply != NULL) err = hy_record_check(kind->reply, why);
        for (uint32_t j = 0; j < i && err == HY_OK; j++) {
            err = machine_refuse_twins("input kinds", kind->name, machine->inputs[j].name, why);
        }
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err machine_check_actions(const hy_machine *machine, hy_why *why) {
    for (uint32_t i = 0; i < machine->action_count; i++) {
        const hy_action_kind *kind = &machine->actions[i];
        if (!machine_name_is_plain(kind->name)) {
            return hyi_why_fmt(why, HY_SCHEMA, machine->name, "action kind %u needs a plain name",
                               (uint64_t)i);
        }
        bool completes =
            kind->completion < machine->input_count && machine->inputs[kind->completion].internal;
        if (kind->tracked && !completes) {
            return hy_why_set(why, HY_SCHEMA, kind->name,
                              "a tracked action names an internal input kind as its completion");
        }
        hy_err err = kind->body == NULL ? HY_OK : hy_record_check(kind->body, why);
        for (uint32_t j = 0; j < i && err == HY_OK; j++) {
            err = machine_refuse_twins("action kinds", kind->name, machine->actions[j].name, why);
        }
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err machine_check_rejections(const hy_machine *machine, hy_why *why) {
    for (uint32_t i = 1; i < machine->rejection_count; i++) {
        const hy_rejection *rejection = &machine->rejections[i];
        if (rejection->name == NULL || rejection->name[0] == 0 || rejection->text == NULL) {
            return hyi_why_fmt(why, HY_SCHEMA, machine->name,
                               "rejection %u needs a name and a text", (uint64_t)i);
        }
    }
    return HY_OK;
}

static hy_err machine_check_migrations(const hy_machine *machine, hy_why *why) {
    for (uint32_t i = 0; i < machine->migration_count; i++) {
        const hy_migration *one = &machine->migrations[i];
        bool whole = one->table < machine->table_count && one->from != NULL && one->migrate != NULL;
        if (!whole || one->from_version == 0 || one->from_version >= machine->version) {
            return hyi_why_fmt(why, HY_SCHEMA, machine->name,
                               "migration %u lacks a table, an older version, the record of that "
                               "version, or its function",
                               (uint64_t)i);
        }
        hy_err err = hy_record_check(one->from, why);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static bool machine_invariant_is_whole(const hy_machine *machine, const hy_invariant *invariant) {
    bool table = invariant->table < machine->table_count; // the runtime watches its own tables
    switch (invariant->kind) {
    case HY_INVARIANT_ROW: return table && invariant->row != NULL;
    case HY_INVARIANT_NEIGHBOUR:
        return table && hy_machine_table(machine, invariant->table)->ordered &&
               invariant->neighbour != NULL;
    case HY_INVARIANT_REFERENCE:
        return table && hy_machine_table(machine, invariant->target) != NULL &&
               hy_machine_table(machine, invariant->target)->row->size <=
                   HYI_REFERRED_ROW_BYTES_MAX &&
               invariant->refer != NULL;
    case HY_INVARIANT_STEP: return table && invariant->step != NULL;
    case HY_INVARIANT_AGGREGATE:
        return table && invariant->measure != NULL && invariant->sum != NULL;
    case HY_INVARIANT_GLOBAL: return invariant->global != NULL;
    }
    return false;
}

static hy_err machine_check_invariants(const hy_machine *machine, hy_why *why) {
    for (uint32_t i = 0; i < machine->invariant_count; i++) {
        const hy_invariant *invariant = &machine->invariants[i];
        bool policy = invariant->policy >= HY_VETO && invariant->policy <= HY_REPORT;
        if (invariant->name == NULL) {
            return hyi_why_fmt(why, HY_SCHEMA, machine->name, "invariant %u needs a name",
                               (uint64_t)i);
        }
        if (!policy || !machine_invariant_is_whole(machine, invariant)) {
            return hy_why_set(why, HY_SCHEMA, invariant->name,
                              "the invariant lacks a policy, a table, or the function of its kind");
        }
    }
    return HY_OK;
}

hy_err hy_machine_check(const hy_machine *machine, hy_why *why) {
    if (!machine_name_is_plain(machine->name)) {
        return hy_why_set(why, HY_SCHEMA, "machine", "the machine needs a name of small letters");
    }
    if (machine->step == NULL || machine->version == 0) {
        return hy_why_set(why, HY_SCHEMA, machine->name,
                          "a machine needs a step and a version from 1");
    }
    hy_err err = machine_check_tables(machine, why);
    if (err == HY_OK) err = machine_check_inputs(machine, why);
    if (err == HY_OK) err = machine_check_actions(machine, why);
    if (err == HY_OK) err = machine_check_rejections(machine, why);
    if (err == HY_OK) err = machine_check_migrations(machine, why);
    if (err == HY_OK) err = machine_check_invariants(machine, why);
    return err;
}
