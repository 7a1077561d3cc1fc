// convert.c - which rows must change when a newer machine comes, and how.
//
// Invariant: whatever this gives for a row depends on nothing but the row and the two descriptions,
// so a conversion that was cut by a crash and begun again gives the same rows.
#include "store/convert.h"

#include "base/memory.h"
#include "base/why.h"

const hy_migration *hyi_migration_find(const hy_machine *machine, uint32_t table,
                                       uint32_t from_version) {
    const hy_migration *best = NULL;
    if (from_version >= machine->version) return NULL;
    for (uint32_t i = 0; i < machine->migration_count; i++) {
        const hy_migration *one = &machine->migrations[i];
        if (one->table != table || one->from_version < from_version) continue;
        if (best == NULL || one->from_version < best->from_version) best = one;
    }
    return best;
}

// Every value that may be stored keeps its number and its label, which is what the SQL column
// holds.
static bool convert_same_enum(const hy_enum *from, const hy_enum *to) {
    for (uint32_t i = 0; i < from->value_count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < to->value_count && !found; j++) {
            found = from->values[i].number == to->values[j].number &&
                    hy_bytes_equal(hy_bytes_of(from->values[i].label),
                                   hy_bytes_of(to->values[j].label));
        }
        if (!found) return false;
    }
    return true;
}

static bool convert_same_field(const hy_field *a, const hy_field *b) {
    if (a->number != b->number || a->type != b->type || a->label != b->label) return false;
    if (!hy_bytes_equal(hy_bytes_of(a->name), hy_bytes_of(b->name))) return false;
    if (a->type == HY_TYPE_ENUM) return convert_same_enum(a->values, b->values);
    return a->of == NULL || hy_record_digest(a->of) == hy_record_digest(b->of);
}

// Every stored field is still there under its name: then stored rows need no rewriting, because
// fields that were added are zero and zero is not on the wire.
static bool convert_only_adds(const hy_record *from, const hy_record *to) {
    for (uint32_t i = 0; i < from->field_count; i++) {
        const hy_field *field = &hy_record_fields(from)[i];
        bool found = false;
        for (uint32_t j = 0; j < to->field_count && !found; j++) {
            found = convert_same_field(field, &hy_record_fields(to)[j]);
        }
        if (!found) return false;
    }
    return true;
}

bool hyi_conversion_plan(const hyi_description *before, const hy_machine *machine, uint32_t table,
                         hyi_conversion *out_conversion) {
    const hy_table *from = before->tables[table], *to = hy_machine_table(machine, table);
    if (from == NULL || to == NULL) return false;
    const hy_migration *migration = hyi_migration_find(machine, table, before->machine->version);
    if (migration == NULL && hy_record_digest(from->row) == hy_record_digest(to->row)) return false;
    *out_conversion = (hyi_conversion){
        .table = table,
        .from = from,
        .to = to,
        .migration = migration,
        .rewrites = migration != NULL || !convert_only_adds(from->row, to->row),
    };
    return true;
}

hy_err hyi_convert_row(const hyi_conversion *conversion, hy_bytes wire, hy_arena *arena,
                       void *out_row, hy_why *why) {
    const hy_record *to = conversion->to->row;
    const hy_migration *migration = conversion->migration;
    if (migration == NULL) return hy_wire_decode(to, wire, arena, out_row, why);

    void *old_row = hy_arena_alloc(arena, migration->from->size);
    if (old_row == NULL) return HY_NOMEM;
    hy_err err = hy_wire_decode(migration->from, wire, arena, old_row, why);
    if (err != HY_OK) return err;
    memset(out_row, 0, to->size);
    err = migration->migrate(old_row, out_row, arena);
    if (err == HY_OK || err == HY_END || err == HY_NOMEM) return err;
    return hyi_why_fmt(why, err, conversion->to->name,
                       "the migration of a row of table %s from version %u failed: %s",
                       conversion->to->name, (uint64_t)migration->from_version, hy_err_text(err));
}
