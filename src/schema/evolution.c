// May a program with one description read what a program with another wrote, and back?
//
// The rules are those of Protocol Buffers ("Updating a message type"), from the side of the bytes:
//   fields        may be added and removed; a new name under the old number is a rename
//   numbers       never move: a name that appears under another number would read as lost data
//   types         may widen inside their form on the wire: u8 < u16 < u32 < u64, i8 < ... < i64,
//                 bool and enums into wider unsigned numbers, str and id into bytes
//   labels        single and optional may be exchanged; a list stays a list
//   nested        records and unions are compared field by field, whatever they are called
//   enum values   may be added, removed and renamed; never renumbered
//
// Pairs of records are put in a list that is its own queue, each pair once, so circles end.
#include <hypha/schema.h>

#include "base/memory.h"
#include "base/why.h"
#include "schema/record.h"

typedef struct evolution_pair {
    const hy_record *before, *after;
} evolution_pair;

typedef struct evolution {
    evolution_pair pairs[HYI_REACH_MAX];
    uint32_t count;
    hy_why *why;
} evolution;

static hy_err evolution_check_pair(evolution *all, evolution_pair pair);
static const char *evolution_field_fault(const hy_field *before, const hy_field *after);
static bool evolution_widens(const hy_field *before, const hy_field *after);
static const char *evolution_enum_fault(const hy_enum *before, const hy_enum *after);
static bool evolution_add(evolution *all, const hy_record *before, const hy_record *after);

static hy_err evolution_refuse(evolution *all, const hy_record *record, const hy_field *field,
                               const char *text) {
    if (all->why == NULL) return HY_SCHEMA;
    char place[2 * HYI_NAME_MAX + 2];
    size_t len = 0;
    hy_bytes parts[3] = { hy_bytes_of(record->name), HY_BYTES("."), { NULL, 0 } };
    if (field != NULL) parts[2] = hy_bytes_of(field->name);
    for (int i = 0; i < (field != NULL ? 3 : 1); i++) {
        size_t room = sizeof place - 1 - len;
        size_t more = parts[i].len < room ? parts[i].len : room;
        memcpy(place + len, parts[i].ptr, more);
        len += more;
    }
    place[len] = '\0';
    return hy_why_set(all->why, HY_SCHEMA, place, text);
}

hy_err hy_evolution_check(const hy_record *before, const hy_record *after, hy_why *why) {
    evolution all;
    all.count = 0;
    all.why = why;
    if (before->is_union != after->is_union) {
        return evolution_refuse(&all, before, NULL, "a record became a union, or a union a record");
    }
    evolution_add(&all, before, after);
    for (uint32_t i = 0; i < all.count; i++) {
        hy_err err = evolution_check_pair(&all, all.pairs[i]);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err evolution_check_pair(evolution *all, evolution_pair pair) {
    const hy_field *fields = hy_record_fields(pair.before);
    for (uint32_t i = 0; i < pair.before->field_count; i++) {
        const hy_field *before = &fields[i];
        if (before->type == HY_TYPE_UNKNOWN) continue;
        const hy_field *named = hyi_record_field_named(pair.after, hy_bytes_of(before->name));
        if (named != NULL && named->number != before->number) {
            return evolution_refuse(all, pair.before, before,
                                    "the field has another number now; numbers never change");
        }
        const hy_field *after = hyi_record_field(pair.after, before->number);
        if (after == NULL) continue;
        const char *fault = evolution_field_fault(before, after);
        if (fault != NULL) return evolution_refuse(all, pair.before, before, fault);
        if (before->of != NULL && !evolution_add(all, before->of, after->of)) {
            return evolution_refuse(all, pair.before, before, "there are more than 256 records");
        }
    }
    return HY_OK;
}

static const char *evolution_field_fault(const hy_field *before, const hy_field *after) {
    if ((before->label == HY_REPEATED) != (after->label == HY_REPEATED)) {
        return "a list stays a list, and nothing else becomes one";
    }
    if (!evolution_widens(before, after)) {
        return "its type changed; a new type needs a new number";
    }
    // An enum may have become a number; then there is nothing left to compare.
    if (after->type != HY_TYPE_ENUM || before->type != HY_TYPE_ENUM) return NULL;
    return evolution_enum_fault(before->values, after->values);
}

// The forms on the wire. Types of one form may widen by rank; a form of equal ranks never changes.
typedef enum evolution_form {
    EVOLUTION_UNSIGNED = 1,
    EVOLUTION_SIGNED,
    EVOLUTION_DOUBLE,
    EVOLUTION_OCTETS,
    EVOLUTION_MESSAGE,
    EVOLUTION_ONEOF,
} evolution_form;

static evolution_form evolution_form_of(hy_type type, uint32_t *out_rank) {
    switch (type) {
    case HY_TYPE_BOOL: *out_rank = 1; return EVOLUTION_UNSIGNED;
    case HY_TYPE_U8: *out_rank = 8; return EVOLUTION_UNSIGNED;
    case HY_TYPE_U16: *out_rank = 16; return EVOLUTION_UNSIGNED;
    case HY_TYPE_ENUM: *out_rank = 31; return EVOLUTION_UNSIGNED;
    case HY_TYPE_U32: *out_rank = 32; return EVOLUTION_UNSIGNED;
    case HY_TYPE_U64: *out_rank = 64; return EVOLUTION_UNSIGNED;
    case HY_TYPE_I8: *out_rank = 8; return EVOLUTION_SIGNED;
    case HY_TYPE_I16: *out_rank = 16; return EVOLUTION_SIGNED;
    case HY_TYPE_I32: *out_rank = 32; return EVOLUTION_SIGNED;
    case HY_TYPE_I64: *out_rank = 64; return EVOLUTION_SIGNED;
    case HY_TYPE_STR: *out_rank = 1; return EVOLUTION_OCTETS;
    case HY_TYPE_ID: *out_rank = 2; return EVOLUTION_OCTETS;
    case HY_TYPE_BYTES: *out_rank = 3; return EVOLUTION_OCTETS;
    case HY_TYPE_RECORD: *out_rank = 1; return EVOLUTION_MESSAGE;
    case HY_TYPE_UNION: *out_rank = 1; return EVOLUTION_ONEOF;
    default: *out_rank = 1; return EVOLUTION_DOUBLE;
    }
}

static bool evolution_widens(const hy_field *before, const hy_field *after) {
    if (before->type == after->type) return true;
    uint32_t from, to;
    if (evolution_form_of(before->type, &from) != evolution_form_of(after->type, &to)) return false;
    // A number does not become an enum and a text no id: those mean less than their bits.
    if (after->type == HY_TYPE_ENUM || after->type == HY_TYPE_ID) return false;
    return from < to;
}

static const char *evolution_enum_fault(const hy_enum *before, const hy_enum *after) {
    for (uint32_t i = 0; i < before->value_count; i++) {
        const hy_enum_value *value = &before->values[i];
        for (uint32_t j = 0; j < after->value_count; j++) {
            const hy_enum_value *other = &after->values[j];
            bool same =
                hy_bytes_equal(hy_bytes_of(value->constant), hy_bytes_of(other->constant)) ||
                hy_bytes_equal(hy_bytes_of(value->label), hy_bytes_of(other->label));
            if (same && value->number != other->number) {
                return "a value of its enum has another number now; numbers never change";
            }
        }
    }
    return NULL;
}

static bool evolution_add(evolution *all, const hy_record *before, const hy_record *after) {
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->pairs[i].before == before && all->pairs[i].after == after) return true;
    }
    if (all->count == HYI_REACH_MAX) return false;
    all->pairs[all->count++] = (evolution_pair){ before, after };
    return true;
}
