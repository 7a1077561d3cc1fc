// hypha/schema.h - a record is described once.                    Room: schema. Includes: base.
// Threads: descriptions are constant; every other call works only on what it is given.
//
// One X-macro list gives the C struct and its description; from the description come the wire codec
// (Protocol Buffers), JSON, SQL columns, .proto and TypeScript text, and the evolution check.
//
//     #define SLOT(F)                                 (each line ends in a backslash)
//         F(1, u32, practice)
//         F(2, u16, minute)
//         F(3, opt(str), note)
//         F(4, list(rec(interval)), alternatives)
//         F(5, enm(slot_state), state)
//     HY_RECORD(slot, SLOT)            in a header: the struct `slot`, and `extern slot_record`
//     HY_RECORD_DEFINE(slot, SLOT)     in one .c file: the description
//
// Field types: u8 u16 u32 u64 i8 i16 i32 i64 bool f64 str bytes id, enm(E), rec(R), one(U),
// list(any of these), opt(any of these). A list or an option of lists is not offered (nor does
// Protocol Buffers have one); put a record between.
//
// Limits: HY_FIELDS_MAX fields a record, HY_DEPTH_MAX records inside each other.
#ifndef HYPHA_SCHEMA_H
#define HYPHA_SCHEMA_H

#include <hypha/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HY_FIELDS_MAX 256
#define HY_DEPTH_MAX 32

// ---- descriptions -----------------------------------------------------------------------------

typedef enum hy_type {
    HY_TYPE_U8 = 1,
    HY_TYPE_U16,
    HY_TYPE_U32,
    HY_TYPE_U64,
    HY_TYPE_I8,
    HY_TYPE_I16,
    HY_TYPE_I32,
    HY_TYPE_I64,
    HY_TYPE_BOOL,
    HY_TYPE_F64,
    HY_TYPE_STR,     // hy_text
    HY_TYPE_BYTES,   // hy_bytes
    HY_TYPE_ID,      // hy_id, 16 bytes on the wire
    HY_TYPE_ENUM,    // uint32_t
    HY_TYPE_RECORD,  // the struct, inline
    HY_TYPE_UNION,   // the tagged union, inline
    HY_TYPE_UNKNOWN, // hy_bytes: fields of a newer version, kept as they came
} hy_type;

typedef enum hy_label { HY_SINGLE = 1, HY_OPTIONAL, HY_REPEATED } hy_label;

typedef struct hy_record hy_record;

typedef struct hy_enum_value {
    uint32_t number;
    const char *constant; // "SLOT_FREE": the name in C and .proto
    const char *label;    // "free": the name in JSON and SQL
} hy_enum_value;

typedef struct hy_enum {
    const char *name;
    const hy_enum_value *values;
    uint32_t value_count;
} hy_enum;

typedef struct hy_field {
    uint32_t number; // on the wire; 0 only for `unknown`
    const char *name;
    hy_type type;
    hy_label label;
    uint32_t offset;       // of the member in its struct
    uint32_t size;         // of one value of the type (of an element, for a list)
    uint32_t align;        // of one value; for an option, also the value's offset after `has`
    const hy_record *of;   // of a record or union
    const hy_enum *values; // of an enum
} hy_field;

// A record, or (is_union) a tagged union: then each field is a member that lies at its offset and
// the tag, a uint32_t at offset 0, holds the number of the member that is set, or 0 for none.
struct hy_record {
    const char *name;
    uint32_t size;
    uint32_t field_count;
    bool is_union;
    const hy_field *fields;             // one of the two is set: a table, or
    const hy_field *(*fields_of)(void); // a function that gives it
};

static inline const hy_field *hy_record_fields(const hy_record *record) {
    return record->fields != NULL ? record->fields : record->fields_of();
}

// ---- the macros -------------------------------------------------------------------------------

#define HY_RECORD(name, LIST)                                                                      \
    typedef struct name {                                                                          \
        LIST(HYI_MEMBER)                                                                           \
    } name;                                                                                        \
    extern const hy_record name##_record;

#define HY_RECORD_DEFINE(name_, LIST)                                                              \
    static const hy_field *name_##_fields(void) {                                                  \
        typedef name_ hyi_this;                                                                    \
        static const hy_field fields[] = { LIST(HYI_FIELD) };                                      \
        return fields;                                                                             \
    }                                                                                              \
    const hy_record name_##_record = { .name = #name_,                                             \
                                       .size = sizeof(name_),                                      \
                                       .field_count = 0 LIST(HYI_COUNT),                           \
                                       .fields_of = name_##_fields };

// #define SLOT_STATE(E) E(0, SLOT_FREE, free) E(1, SLOT_HELD, held)
#define HY_ENUM(name, LIST)                                                                        \
    typedef uint32_t name;                                                                         \
    enum { LIST(HYI_ENUMERATOR) };                                                                 \
    extern const hy_enum name##_enum;

#define HY_ENUM_DEFINE(name_, LIST)                                                                \
    static const hy_enum_value name_##_values[] = { LIST(HYI_ENUM_VALUE) };                        \
    const hy_enum name_##_enum = { .name = #name_,                                                 \
                                   .values = name_##_values,                                       \
                                   .value_count = 0 LIST(HYI_COUNT) };

// #define CHANGE(U) U(1, rec(booked), booked) U(2, rec(moved), moved)
// gives: typedef struct change { uint32_t which; union { booked booked; moved moved; }; } change;
#define HY_UNION(name, LIST)                                                                       \
    typedef struct name {                                                                          \
        uint32_t which;                                                                            \
        union {                                                                                    \
            LIST(HYI_MEMBER)                                                                       \
        };                                                                                         \
    } name;                                                                                        \
    extern const hy_record name##_record;

#define HY_UNION_DEFINE(name_, LIST)                                                               \
    static const hy_field *name_##_fields(void) {                                                  \
        typedef name_ hyi_this;                                                                    \
        static const hy_field fields[] = { LIST(HYI_FIELD) };                                      \
        return fields;                                                                             \
    }                                                                                              \
    const hy_record name_##_record = { .name = #name_,                                             \
                                       .size = sizeof(name_),                                      \
                                       .field_count = 0 LIST(HYI_COUNT),                           \
                                       .is_union = true,                                           \
                                       .fields_of = name_##_fields };

#define HYI_MEMBER(number, type, member) HYI_C_##type member;
#define HYI_COUNT(number, type, member) +1
#define HYI_ENUMERATOR(number, constant, label) constant = (number),
#define HYI_ENUM_VALUE(number, constant, label) { (number), #constant, #label },
#define HYI_FIELD(number_, type_, member)                                                          \
    { .number = (number_), .name = #member, .offset = offsetof(hyi_this, member), HYI_D_##type_ },

// How each type word looks in C ...
#define HYI_C_u8 uint8_t
#define HYI_C_u16 uint16_t
#define HYI_C_u32 uint32_t
#define HYI_C_u64 uint64_t
#define HYI_C_i8 int8_t
#define HYI_C_i16 int16_t
#define HYI_C_i32 int32_t
#define HYI_C_i64 int64_t
#define HYI_C_bool bool
#define HYI_C__Bool bool
#define HYI_C_f64 double
#define HYI_C_str hy_text
#define HYI_C_bytes hy_bytes
#define HYI_C_id hy_id
#define HYI_C_unknown hy_bytes
#define HYI_C_enm(name) name
#define HYI_C_rec(name) name
#define HYI_C_one(name) name
#define HYI_C_list(type)                                                                           \
    struct {                                                                                       \
        HYI_C_##type *ptr;                                                                         \
        size_t len;                                                                                \
    }
#define HYI_C_opt(type)                                                                            \
    struct {                                                                                       \
        bool has;                                                                                  \
        HYI_C_##type value;                                                                        \
    }

// ... and in the description. D is a whole field, V is one value (inside list or opt).
#define HYI_V(kind, ctype) .type = (kind), .size = sizeof(ctype), .align = _Alignof(ctype)
#define HYI_V_u8 HYI_V(HY_TYPE_U8, uint8_t)
#define HYI_V_u16 HYI_V(HY_TYPE_U16, uint16_t)
#define HYI_V_u32 HYI_V(HY_TYPE_U32, uint32_t)
#define HYI_V_u64 HYI_V(HY_TYPE_U64, uint64_t)
#define HYI_V_i8 HYI_V(HY_TYPE_I8, int8_t)
#define HYI_V_i16 HYI_V(HY_TYPE_I16, int16_t)
#define HYI_V_i32 HYI_V(HY_TYPE_I32, int32_t)
#define HYI_V_i64 HYI_V(HY_TYPE_I64, int64_t)
#define HYI_V_bool HYI_V(HY_TYPE_BOOL, bool)
#define HYI_V__Bool HYI_V(HY_TYPE_BOOL, bool)
#define HYI_V_f64 HYI_V(HY_TYPE_F64, double)
#define HYI_V_str HYI_V(HY_TYPE_STR, hy_text)
#define HYI_V_bytes HYI_V(HY_TYPE_BYTES, hy_bytes)
#define HYI_V_id HYI_V(HY_TYPE_ID, hy_id)
#define HYI_V_enm(name) HYI_V(HY_TYPE_ENUM, name), .values = &name##_enum
#define HYI_V_rec(name) HYI_V(HY_TYPE_RECORD, name), .of = &name##_record
#define HYI_V_one(name) HYI_V(HY_TYPE_UNION, name), .of = &name##_record

#define HYI_D_u8 HYI_V_u8, .label = HY_SINGLE
#define HYI_D_u16 HYI_V_u16, .label = HY_SINGLE
#define HYI_D_u32 HYI_V_u32, .label = HY_SINGLE
#define HYI_D_u64 HYI_V_u64, .label = HY_SINGLE
#define HYI_D_i8 HYI_V_i8, .label = HY_SINGLE
#define HYI_D_i16 HYI_V_i16, .label = HY_SINGLE
#define HYI_D_i32 HYI_V_i32, .label = HY_SINGLE
#define HYI_D_i64 HYI_V_i64, .label = HY_SINGLE
#define HYI_D_bool HYI_V_bool, .label = HY_SINGLE
#define HYI_D__Bool HYI_V_bool, .label = HY_SINGLE
#define HYI_D_f64 HYI_V_f64, .label = HY_SINGLE
#define HYI_D_str HYI_V_str, .label = HY_SINGLE
#define HYI_D_bytes HYI_V_bytes, .label = HY_SINGLE
#define HYI_D_id HYI_V_id, .label = HY_SINGLE
#define HYI_D_unknown HYI_V(HY_TYPE_UNKNOWN, hy_bytes), .label = HY_SINGLE
#define HYI_D_enm(name) HYI_V_enm(name), .label = HY_SINGLE
#define HYI_D_rec(name) HYI_V_rec(name), .label = HY_SINGLE
#define HYI_D_one(name) HYI_V_one(name), .label = HY_SINGLE
#define HYI_D_list(type) HYI_V_##type, .label = HY_REPEATED
#define HYI_D_opt(type) HYI_V_##type, .label = HY_OPTIONAL

// Checks a description: numbers unique and in 1..2^29-1 outside 19000..19999, names unique and
// plain, within the limits. HY_SCHEMA with the place. Call it once at start; `machine` does for its
// records.
HY_API HY_CHECKED hy_err hy_record_check(const hy_record *record, hy_why *why);

// ---- Protocol Buffers wire format -------------------------------------------------------------

// Appends the encoding of `value` (a struct of `record`). Zero values of single fields are left
// out, as in proto3. Fields go in order of number; kept unknown fields follow. HY_NOMEM,
// HY_TOO_LARGE (the buffer's limit), HY_NOT_UTF8; and for what could not be decoded again: HY_RANGE
// (an enum past 31 bits, a union's tag that is no member), HY_TOO_DEEP, HY_MALFORMED (kept bytes
// that are no fields). On an error the buffer holds what it held before.
HY_API HY_CHECKED hy_err hy_wire_encode(const hy_record *record, const void *value, hy_buf *out);

// Decodes into `out_value` (record->size bytes, any content; left cleared on error). Strings, bytes
// and lists are copied into `arena`. Unknown fields are kept where the record has an `unknown`
// field (at most once, written F(0, unknown, rest)), else skipped. HY_MALFORMED, HY_NOT_UTF8,
// HY_RANGE, HY_TOO_DEEP, HY_NOMEM; `why` (or NULL) gets the path to the field and the offset.
HY_API HY_CHECKED hy_err hy_wire_decode(const hy_record *record, hy_bytes bytes, hy_arena *arena,
                                        void *out_value, hy_why *why);

// ---- JSON -------------------------------------------------------------------------------------

// One object on one line. Names as in C; u64 and i64 beyond 2^53 become strings, bytes base64, ids
// their text, enums their label, an unset option and an unset union are left out.
HY_API HY_CHECKED hy_err hy_json_encode(const hy_record *record, const void *value, hy_buf *out);

// Strict: unknown names, duplicate names, wrong types and numbers out of range are refused, with
// the path in `why`. Missing single fields are zero. Same errors as the wire, and HY_TYPE,
// HY_UNKNOWN_FIELD.
HY_API HY_CHECKED hy_err hy_json_decode(const hy_record *record, hy_bytes text, hy_arena *arena,
                                        void *out_value, hy_why *why);

// ---- text for other worlds --------------------------------------------------------------------

// Each appends the text for all records, with what they reach (enums, nested records) once and
// first.
HY_API HY_CHECKED hy_err hy_export_proto(const hy_record *const *records, size_t count,
                                         const char *package, hy_buf *out);
HY_API HY_CHECKED hy_err hy_export_typescript(const hy_record *const *records, size_t count,
                                              hy_buf *out);
HY_API HY_CHECKED hy_err hy_export_json_schema(const hy_record *const *records, size_t count,
                                               hy_buf *out);

// SQL columns of a record that is a row: nested records and options flatten to `a_b` columns,
// an option adds NULL, a list or a union becomes one BLOB column of its wire form, and so does an
// optional record with nothing but options inside (else "there" and "not there" would look alike).
typedef struct hy_sql_column {
    char name[64];
    const char *type; // "INTEGER" "TEXT" "BLOB" "REAL"
    bool nullable;
    hy_type value_type; // of the leaf
    uint32_t depth;     // fields on the way from the row to the leaf
    const hy_field *path[4];
} hy_sql_column;
#define HY_SQL_COLUMNS_MAX 256
// Ids and enums (their label) are TEXT. Writes at most HY_SQL_COLUMNS_MAX columns; HY_LIMIT (also a
// name past 63 characters), HY_UNSUPPORTED (nested deeper than 4, a union), HY_SCHEMA (two columns
// of one name; SQL does not tell `a` from `A`).
HY_API HY_CHECKED hy_err hy_sql_columns(const hy_record *record, hy_sql_column *out_columns,
                                        uint32_t *out_count);

// ---- evolution and self-description -----------------------------------------------------------

// May bytes written with `before` be read with `after`, and back? The rules of Protocol Buffers:
// fields may be added and removed, renamed and widened inside their wire type; never retyped.
// HY_SCHEMA with the place of the first field that breaks them.
HY_API HY_CHECKED hy_err hy_evolution_check(const hy_record *before, const hy_record *after,
                                            hy_why *why);

// Descriptions as bytes (so that a file explains itself), and back into `arena` (the structs then
// follow the C layout rules, so decoded rows have offsets). HY_MALFORMED, HY_SCHEMA, HY_NOMEM.
HY_API HY_CHECKED hy_err hy_schema_encode(const hy_record *const *records, size_t count,
                                          hy_buf *out);
HY_API HY_CHECKED hy_err hy_schema_decode(hy_bytes bytes, hy_arena *arena,
                                          const hy_record *const **out_records, size_t *out_count,
                                          hy_why *why);

// The same for equal descriptions, whatever program they were built in.
HY_API uint64_t hy_record_digest(const hy_record *record);

#ifdef __cplusplus
}
#endif
#endif
