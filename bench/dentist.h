// dentist.h - the dentist's calendar as a machine, rule for rule as its golden vectors were made.
//
// One practice or sixty-four (the live mix). Requests do not reserve: whoever's payment succeeds
// first gets the slot. Known weaknesses of the original (late and double completions) are part of
// what is replicated; examples/clinic is the grown-up version.
#ifndef HYPHA_BENCH_DENTIST_H
#define HYPHA_BENCH_DENTIST_H

#include <hypha/machine.h>

// Occupied time. The key orders bookings as the checks walk them; whose it is stands in the
// request.
#define DENTIST_BOOKING(F)                                                                         \
    F(1, u16, practice)                                                                            \
    F(2, u16, day_minute) /* day * 1440 + minute; Monday is 0 */                                   \
    F(3, u16, minutes)                                                                             \
    F(4, u8, treatment)                                                                            \
    F(5, u64, user)                                                                                \
    F(6, u64, request)                                                                             \
    F(7, u32, paid_cents)
HY_RECORD(dentist_booking, DENTIST_BOOKING)

#define DENTIST_STATUS(E)                                                                          \
    E(0, DENTIST_AWAITING, awaiting)                                                               \
    E(2, DENTIST_CONFIRMED, confirmed) E(3, DENTIST_TAKEN, taken) E(4, DENTIST_NO_SLOT, no_slot)
HY_ENUM(dentist_status, DENTIST_STATUS)

#define DENTIST_REQUEST(F)                                                                         \
    F(1, u64, id)                                                                                  \
    F(2, u64, user)                                                                                \
    F(3, u64, action)                                                                              \
    F(4, enm(dentist_status), status)                                                              \
    F(5, u16, practice)                                                                            \
    F(6, u16, day_minute)                                                                          \
    F(7, u8, treatment)                                                                            \
    F(8, str, name)                                                                                \
    F(9, str, email)
HY_RECORD(dentist_request, DENTIST_REQUEST)

#define DENTIST_DAY_HOURS(F) /* the same in every practice; a second range of 0..0 is none */      \
    F(1, u16, day)                                                                                 \
    F(2, u16, start)                                                                               \
    F(3, u16, end)                                                                                 \
    F(4, u16, second_start)                                                                        \
    F(5, u16, second_end)
HY_RECORD(dentist_day_hours, DENTIST_DAY_HOURS)

enum { DENTIST_BOOKINGS, DENTIST_REQUESTS, DENTIST_DAYS };

#define DENTIST_REQUEST_SLOT(F)                                                                    \
    F(1, u64, user)                                                                                \
    F(2, str, name) F(3, str, email) F(4, u16, practice) F(5, u16, day_minute) F(6, u8, treatment)
HY_RECORD(dentist_request_slot, DENTIST_REQUEST_SLOT)

#define DENTIST_RANGE(F) F(1, u16, start) F(2, u16, end)
HY_RECORD(dentist_range, DENTIST_RANGE)
#define DENTIST_REQUEST_AUTO(F)                                                                    \
    F(1, u64, user)                                                                                \
    F(2, str, name)                                                                                \
    F(3, str, email)                                                                               \
    F(4, u16, practice)                                                                            \
    F(5, list(u8), days) F(6, list(rec(dentist_range)), ranges) F(7, u8, treatment)
HY_RECORD(dentist_request_auto, DENTIST_REQUEST_AUTO)

#define DENTIST_PAID(F) F(1, u64, request) F(2, bool, worked) F(3, u32, cents)
HY_RECORD(dentist_paid, DENTIST_PAID)
#define DENTIST_CANCEL(F) F(1, u64, request)
HY_RECORD(dentist_cancel, DENTIST_CANCEL)
#define DENTIST_PREAUTH(F) F(1, u64, user) F(2, u32, cents) F(3, u64, request)
HY_RECORD(dentist_preauth, DENTIST_PREAUTH)
#define DENTIST_RELEASE(F) F(1, u64, request)
HY_RECORD(dentist_release, DENTIST_RELEASE)
#define DENTIST_ACCEPTED(F) F(1, u64, request) F(2, u64, action)
HY_RECORD(dentist_accepted, DENTIST_ACCEPTED)

enum {
    DENTIST_IN_SLOT,
    DENTIST_IN_AUTO,
    DENTIST_IN_PAID,      // completion of a preauth
    DENTIST_IN_RELEASED,  // completion of a release
    DENTIST_IN_CANCEL,    // live mix
    DENTIST_IN_OPEN_WEEK, // once, before everything: the opening hours
};
enum { DENTIST_DO_PREAUTH, DENTIST_DO_RELEASE };
enum { DENTIST_SLOT_NOT_AVAILABLE = 1, DENTIST_NO_SLOT_FOUND, DENTIST_INVALID_REQUEST };

extern const uint16_t dentist_minutes[4];
extern const uint32_t dentist_cents[4];

extern const hy_machine dentist_machine;      // with every invariant
extern const hy_machine dentist_bare_machine; // without: the replica mode checks everything itself
// The live mix prunes what is finished, or the state would only grow.
extern const hy_machine dentist_live_machine;

// Do these minutes of a day lie within one stretch of opening hours?
bool dentist_is_open(const hy_view *view, uint32_t day, uint32_t start, uint32_t end);

// The original's check of everything: all pairs of bookings, all requests. True when it holds.
bool dentist_check_all(const hy_view *view);

// The digest of the golden vectors.
uint64_t dentist_state_hash(const hy_view *view);
uint64_t dentist_next_id(const hy_view *view);

#endif
