// answers.h - what the page is told, as records, and how they are read from the state.
// Example: clinic, server. Includes: base schema machine host.
//
// Each answer_* function reads a view and fills the cleared `out`. Texts and lists lie in `arena`,
// so the answer outlives the view. HY_NOMEM; other errors are named.
#ifndef EXAMPLE_CLINIC_ANSWERS_H
#define EXAMPLE_CLINIC_ANSWERS_H

#include "clinic.h"
#include "server/notes.h"
#include "server/practices.h"

// ---- /api/clinic ----

#define ANSWER_TREATMENT(F)                                                                        \
    F(1, enm(clinic_treatment), treatment)                                                         \
    F(2, str, label)                                                                               \
    F(3, u32, minutes)                                                                             \
    F(4, u32, price_cents)
HY_RECORD(answer_treatment, ANSWER_TREATMENT)

#define ANSWER_CLINIC(F)                                                                           \
    F(1, list(rec(clinic_practice)), practices)                                                    \
    F(2, list(rec(clinic_dentist)), dentists)                                                      \
    F(3, list(rec(answer_treatment)), treatments)                                                  \
    F(4, u32, today)                                                                               \
    F(5, u32, now_minute)
HY_RECORD(answer_clinic, ANSWER_CLINIC)

hy_err answer_clinic_read(const hy_view *view, hy_ns now, hy_arena *arena, answer_clinic *out);

// ---- /api/week ----

#define ANSWER_SLOT_STATE(E)                                                                       \
    E(0, ANSWER_FREE, free) E(1, ANSWER_HELD, held) E(2, ANSWER_CONFIRMED, confirmed)
HY_ENUM(answer_slot_state, ANSWER_SLOT_STATE)

// What others see of an appointment: nothing but that its time is taken.
answer_slot_state answer_slot_state_of(clinic_state state);

#define ANSWER_SHIFT(F) F(1, u32, dentist) F(2, u32, day) F(3, u32, start) F(4, u32, end)
HY_RECORD(answer_shift, ANSWER_SHIFT)

#define ANSWER_BOOKING(F)                                                                          \
    F(1, u32, dentist)                                                                             \
    F(2, u32, day)                                                                                 \
    F(3, u32, minute)                                                                              \
    F(4, u32, minutes)                                                                             \
    F(5, enm(answer_slot_state), state)                                                            \
    F(6, bool, mine)
HY_RECORD(answer_booking, ANSWER_BOOKING)

#define ANSWER_WEEK(F)                                                                             \
    F(1, u32, practice)                                                                            \
    F(2, u32, day)                                                                                 \
    F(3, list(rec(answer_shift)), shifts)                                                          \
    F(4, list(rec(answer_booking)), bookings)                                                      \
    F(5, u64, seq)
HY_RECORD(answer_week, ANSWER_WEEK)

// Seven days from `day` on. `patient` may be zero: then nothing is "mine". HY_NOT_FOUND: there is
// no such practice.
hy_err answer_week_read(const hy_view *view, uint32_t practice, uint32_t day, hy_id patient,
                        hy_arena *arena, answer_week *out);

// ---- /api/mine ----

#define ANSWER_EVENT(F) F(1, i64, at) /* ms since 1970 */ F(2, str, what)
HY_RECORD(answer_event, ANSWER_EVENT)

#define ANSWER_APPOINTMENT(F)                                                                      \
    F(1, u64, appointment)                                                                         \
    F(2, u32, practice)                                                                            \
    F(3, u32, dentist)                                                                             \
    F(4, u32, day)                                                                                 \
    F(5, u32, minute)                                                                              \
    F(6, u32, minutes)                                                                             \
    F(7, enm(clinic_treatment), treatment)                                                         \
    F(8, enm(clinic_state), state)                                                                 \
    F(9, u32, price_cents)                                                                         \
    F(10, list(rec(answer_event)), history)
HY_RECORD(answer_appointment, ANSWER_APPOINTMENT)

#define ANSWER_MINE(F) F(1, list(rec(answer_appointment)), appointments)
HY_RECORD(answer_mine, ANSWER_MINE)

typedef struct answer_source {
    const hy_view *view;
    uint32_t practice; // whose view it is
} answer_source;

// `appointment` is its number inside the practice; the answer has the one outside. HY_NOT_FOUND:
// there is no such appointment.
hy_err answer_appointment_read(const answer_source *source, uint64_t appointment, hy_arena *arena,
                               answer_appointment *out);
hy_err answer_mine_read(const answer_source *source, hy_id patient, hy_arena *arena,
                        answer_mine *out);

// What the service is trying just now, put among the history in order of time. Notes belong to the
// service's thread, and views to a practice's: so this comes after the reading. HY_NOMEM.
hy_err answer_notes_add(const clinic_notes *notes, hy_arena *arena,
                        answer_appointment *appointment);

// One list behind the other. HY_NOMEM.
hy_err answer_clinic_join(hy_arena *arena, answer_clinic *all, const answer_clinic *more);
hy_err answer_mine_join(hy_arena *arena, answer_mine *all, const answer_mine *more);

// ---- the live feed ----

#define ANSWER_HELLO(F) F(1, str, type) F(2, u64, seq)
HY_RECORD(answer_hello, ANSWER_HELLO)

#define ANSWER_LIVE_SLOT(F)                                                                        \
    F(1, str, type)                                                                                \
    F(2, u32, dentist)                                                                             \
    F(3, u32, day)                                                                                 \
    F(4, u32, minute)                                                                              \
    F(5, u32, minutes)                                                                             \
    F(6, enm(answer_slot_state), state)                                                            \
    F(7, u64, seq)
HY_RECORD(answer_live_slot, ANSWER_LIVE_SLOT)

#define ANSWER_LIVE_APPOINTMENT(F) F(1, str, type) F(2, rec(answer_appointment), appointment)
HY_RECORD(answer_live_appointment, ANSWER_LIVE_APPOINTMENT)

#define ANSWER_LIVE_STATUS(F) F(1, str, type) F(2, str, provider)
HY_RECORD(answer_live_status, ANSWER_LIVE_STATUS)

// ---- /health, and answers that say little ----

#define ANSWER_HEALTH(F)                                                                           \
    F(1, str, status) /* ok, or halted */                                                          \
    F(2, str, provider)                                                                            \
    F(3, u64, durable_seq)                                                                         \
    F(4, u32, queue)                                                                               \
    F(5, u32, in_flight)                                                                           \
    F(6, u32, pending_actions)                                                                     \
    F(7, u64, accepted)                                                                            \
    F(8, u64, refused)                                                                             \
    F(9, u64, duplicates)                                                                          \
    F(10, u64, commits)                                                                            \
    F(11, u64, retries)                                                                            \
    F(12, u32, connections)                                                                        \
    F(13, str, halted_by)                                                                          \
    F(14, str, last_failure)                                                                       \
    F(15, str, store_trouble)
HY_RECORD(answer_health, ANSWER_HEALTH)

#define ANSWER_DONE(F) F(1, bool, changed)
HY_RECORD(answer_done, ANSWER_DONE)

#endif
