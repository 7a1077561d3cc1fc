// schema_suite.h - records that the tests of this room share.     Room: schema (tests only).
// Threads: none; the random state is the caller's.
//
// `suite_wide` has a field of every type in every form, so a codec that handles it handles all. The
// generator and the comparison work from the description, like the codecs, but are written apart
// from them and in the plainest way.
#ifndef HYPHA_SCHEMA_SCHEMA_SUITE_H
#define HYPHA_SCHEMA_SCHEMA_SUITE_H

#include <hypha/schema.h>

#define SUITE_COLOR(E) E(0, SUITE_RED, red) E(1, SUITE_GREEN, green) E(7, SUITE_BLUE, dark_blue)
HY_ENUM(suite_color, SUITE_COLOR)

#define SUITE_POINT(F) F(1, i32, x) F(2, i32, y)
HY_RECORD(suite_point, SUITE_POINT)

#define SUITE_REST(F) F(3, u8, known) F(0, unknown, rest) F(20, str, late)
HY_RECORD(suite_rest, SUITE_REST)

#define SUITE_SHAPE(U)                                                                             \
    U(1, rec(suite_point), point)                                                                  \
    U(2, u16, radius)                                                                              \
    U(3, str, note)                                                                                \
    U(4, enm(suite_color), color)                                                                  \
    U(5, f64, weight)                                                                              \
    U(6, id, owner)                                                                                \
    U(700, rec(suite_rest), rest)
HY_UNION(suite_shape, SUITE_SHAPE)

#define SUITE_NEST(F)                                                                              \
    F(1, str, name)                                                                                \
    F(2, list(rec(suite_point)), points)                                                           \
    F(3, one(suite_shape), shape)                                                                  \
    F(4, rec(suite_rest), tail)
HY_RECORD(suite_nest, SUITE_NEST)

// A record inside itself, through a list.
typedef struct suite_tree suite_tree;
extern const hy_record suite_tree_record;
#define SUITE_TREE(F) F(1, u32, value) F(2, list(rec(suite_tree)), children)
HY_RECORD(suite_tree, SUITE_TREE)

#define SUITE_EACH(F, base, FORM, prefix)                                                          \
    F(base + 1, FORM(u8), prefix##_u8)                                                             \
    F(base + 2, FORM(u16), prefix##_u16)                                                           \
    F(base + 3, FORM(u32), prefix##_u32)                                                           \
    F(base + 4, FORM(u64), prefix##_u64)                                                           \
    F(base + 5, FORM(i8), prefix##_i8)                                                             \
    F(base + 6, FORM(i16), prefix##_i16)                                                           \
    F(base + 7, FORM(i32), prefix##_i32)                                                           \
    F(base + 8, FORM(i64), prefix##_i64)                                                           \
    F(base + 9, FORM(bool), prefix##_bool)                                                         \
    F(base + 10, FORM(f64), prefix##_f64)                                                          \
    F(base + 11, FORM(str), prefix##_str)                                                          \
    F(base + 12, FORM(bytes), prefix##_bytes)                                                      \
    F(base + 13, FORM(id), prefix##_id)                                                            \
    F(base + 14, FORM(enm(suite_color)), prefix##_color)                                           \
    F(base + 15, FORM(rec(suite_nest)), prefix##_nest)                                             \
    F(base + 16, FORM(one(suite_shape)), prefix##_shape)

#define SUITE_WIDE(F)                                                                              \
    F(1, u8, a_u8)                                                                                 \
    F(2, u16, a_u16)                                                                               \
    F(3, u32, a_u32)                                                                               \
    F(4, u64, a_u64)                                                                               \
    F(5, i8, a_i8)                                                                                 \
    F(6, i16, a_i16)                                                                               \
    F(7, i32, a_i32)                                                                               \
    F(8, i64, a_i64)                                                                               \
    F(9, bool, a_bool)                                                                             \
    F(10, f64, a_f64)                                                                              \
    F(11, str, a_str)                                                                              \
    F(12, bytes, a_bytes)                                                                          \
    F(13, id, a_id)                                                                                \
    F(14, enm(suite_color), a_color)                                                               \
    F(15, rec(suite_nest), a_nest)                                                                 \
    F(16, one(suite_shape), a_shape)                                                               \
    SUITE_EACH(F, 100, opt, maybe)                                                                 \
    SUITE_EACH(F, 200, list, many)                                                                 \
    F(2000, rec(suite_tree), tree)                                                                 \
    F(0, unknown, rest)
HY_RECORD(suite_wide, SUITE_WIDE)

// What the generator may make.
typedef struct suite_random {
    uint64_t state;     // of kit_random; the caller seeds it
    hy_arena *arena;    // holds strings and lists
    bool keep_unknown;  // fill `unknown` fields
    bool any_f64;       // infinities too (never NaN: it equals nothing in text)
    uint32_t depth_max; // below it lists are empty
} suite_random;

// Fills `out_value` (record->size bytes) with a random value. HY_NOMEM.
HY_CHECKED hy_err suite_fill(suite_random *random, const hy_record *record, void *out_value);

// Equal field by field; doubles by their bits; of a union only the member that is set.
bool suite_equal(const hy_record *record, const void *a, const void *b);

#endif
