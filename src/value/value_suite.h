// value_suite.h - items and records that the tests of this room share.     Room: value (tests
// only). Threads: one; the counters are the process's.
#ifndef HYPHA_VALUE_VALUE_SUITE_H
#define HYPHA_VALUE_VALUE_SUITE_H

#include <hypha/value.h>

// An item that counts how often it is held: all counts must be back to zero when all is given back.
// Its hash has `suite_hash_bits` bits, so that few bits make many collisions.
typedef struct suite_counted {
    uint64_t number; // below SUITE_COUNTED_MAX
} suite_counted;

enum { SUITE_COUNTED_MAX = 4096 };
extern const hy_item suite_counted_item;
extern const hy_item suite_wide_item; // the same with 200 bytes behind it
typedef struct suite_wide_counted {
    uint64_t number;
    uint8_t rest[200];
} suite_wide_counted;

extern uint32_t suite_hash_bits;
int64_t suite_held(void); // by all together

// A record with something of everything that values do.
#define SUITE_ROLE(E) E(0, SUITE_GUEST, guest) E(1, SUITE_MEMBER, member) E(2, SUITE_ADMIN, admin)
HY_ENUM(suite_role, SUITE_ROLE)

#define SUITE_PRICE(F) F(1, str, key) F(2, i64, value)
HY_RECORD(suite_price, SUITE_PRICE)

#define SUITE_SLOT(F) F(1, u32, minute) F(2, str, note) F(3, list(rec(suite_price)), prices)
HY_RECORD(suite_slot, SUITE_SLOT)

#define SUITE_CONTACT(U) U(1, str, phone) U(2, rec(suite_slot), visit) U(3, u32, room)
HY_UNION(suite_contact, SUITE_CONTACT)

#define SUITE_ADDRESS(F) F(1, str, city) F(2, opt(str), street) F(3, list(u8), digits)
HY_RECORD(suite_address, SUITE_ADDRESS)

#define SUITE_USER(F)                                                                              \
    F(1, str, name)                                                                                \
    F(2, str, email)                                                                               \
    F(3, u16, age)                                                                                 \
    F(4, opt(i32), score)                                                                          \
    F(5, f64, weight)                                                                              \
    F(6, enm(suite_role), role)                                                                    \
    F(7, rec(suite_address), address)                                                              \
    F(8, one(suite_contact), contact)                                                              \
    F(9, list(str), tags)                                                                          \
    F(10, list(rec(suite_slot)), slots)                                                            \
    F(11, bytes, photo)                                                                            \
    F(12, id, key)                                                                                 \
    F(13, list(rec(suite_price)), prices)                                                          \
    F(14, u64, visits)
HY_RECORD(suite_user, SUITE_USER)

// Without rules, and with: see value_suite.c.
extern const hy_model suite_plain_model;
extern const hy_model suite_user_model;

// A user whose parts are all there; its memory is the arena's. HY_NOMEM.
HY_CHECKED hy_err suite_user_make(hy_arena *arena, uint32_t slots, suite_user *out_user);

// Cleanups.
void suite_unref_vec(hy_vec **vec);
void suite_unref_map(hy_pmap **map);
void suite_unref_value(hy_value **value);

#endif
