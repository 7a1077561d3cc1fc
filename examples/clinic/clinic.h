// clinic.h - the clinic as a machine: its rows, inputs, actions and rejections.
// Example: clinic. Includes: base schema machine.
//
// Several practices with dentists who work weekly shifts. A patient asks for a time; the time is
// reserved in the same step, so races are decided there and never again. Then money moves, by
// tracked actions: hold, capture, and release when something ends early.
//
//     request -> holding -> confirming -> confirmed -> releasing -> released
//                   |  \         \---------------------^   |
//                   |   \-> declined                       \-> cancelled (nothing had been held)
//                   \--------------------------------------^
//
// Days count from 1970-01-01, minutes from midnight; both are the practices' own time, which the
// example takes to be UTC. Everything starts and ends on a grid of 15 minutes.
#ifndef EXAMPLE_CLINIC_H
#define EXAMPLE_CLINIC_H

#include <hypha/machine.h>

#define CLINIC_GRID_MINUTES 15u
#define CLINIC_DAY_MINUTES 1440u
#define CLINIC_DAYS_AHEAD_MAX 365u          // how far ahead one can book
#define CLINIC_OPEN_MAX 20u                 // unfinished appointments of one patient
#define CLINIC_VISITS_MAX 60u               // all that is remembered of one patient
#define CLINIC_EVENTS_MAX 32u               // history of one appointment: the latest
#define CLINIC_KEPT_DAYS 30u                // how long a finished appointment is remembered
#define CLINIC_FORGET_MAX 256u              // appointments forgotten in one step
#define CLINIC_HOLD_MAX HY_SECONDS(15 * 60) // a payment may take so long
#define CLINIC_NAME_MAX 80u
#define CLINIC_EMAIL_MAX 120u
#define CLINIC_ANY_DAYS_MAX 31u
#define CLINIC_ANY_RANGES_MAX 8u

// ---- words ------------------------------------------------------------------------------------

#define CLINIC_TREATMENT(E)                                                                        \
    E(0, CLINIC_NO_TREATMENT, none)                                                                \
    E(1, CLINIC_CLEANING, cleaning)                                                                \
    E(2, CLINIC_CHECKUP, checkup)                                                                  \
    E(3, CLINIC_FILLING, filling)                                                                  \
    E(4, CLINIC_ROOT_CANAL, root_canal)
HY_ENUM(clinic_treatment, CLINIC_TREATMENT)

typedef struct clinic_treatment_info {
    const char *label;
    uint32_t minutes, price_cents;
} clinic_treatment_info;
// NULL: there is no such treatment.
const clinic_treatment_info *clinic_treatment_of(clinic_treatment treatment);

#define CLINIC_STATE(E)                                                                            \
    E(0, CLINIC_HOLDING, holding)       /* the provider is asked to hold the price */              \
    E(1, CLINIC_CONFIRMING, confirming) /* held; the provider is asked to take it */               \
    E(2, CLINIC_CONFIRMED, confirmed)                                                              \
    E(3, CLINIC_DECLINED, declined)   /* the provider said no */                                   \
    E(4, CLINIC_RELEASING, releasing) /* whatever was held or taken goes back */                   \
    E(5, CLINIC_RELEASED, released)   /* it went back */                                           \
    E(6, CLINIC_CANCELLED, cancelled) /* ended before anything was known to be held */
HY_ENUM(clinic_state, CLINIC_STATE)

#define CLINIC_EVENT(E)                                                                            \
    E(0, CLINIC_RESERVED, reserved)                                                                \
    E(1, CLINIC_HOLD_ASKED, hold_asked)                                                            \
    E(2, CLINIC_HOLD_PLACED, hold_placed)                                                          \
    E(3, CLINIC_HOLD_DECLINED, hold_declined)                                                      \
    E(4, CLINIC_CAPTURE_ASKED, capture_asked)                                                      \
    E(5, CLINIC_CAPTURE_DONE, capture_done)                                                        \
    E(6, CLINIC_CAPTURE_REFUSED, capture_refused)                                                  \
    E(7, CLINIC_CANCEL_ASKED, cancel_asked)                                                        \
    E(8, CLINIC_TIME_IS_UP, time_is_up)                                                            \
    E(9, CLINIC_RELEASE_ASKED, release_asked)                                                      \
    E(10, CLINIC_RELEASE_DONE, release_done)                                                       \
    E(11, CLINIC_MOVED, moved)
HY_ENUM(clinic_event, CLINIC_EVENT)

// The sentence of an event, for people.
const char *clinic_event_text(clinic_event event);

// ---- rows -------------------------------------------------------------------------------------

#define CLINIC_PRACTICE(F) F(1, u32, practice) F(2, str, name) F(3, str, street)
HY_RECORD(clinic_practice, CLINIC_PRACTICE)

#define CLINIC_DENTIST(F)                                                                          \
    F(1, u32, practice)                                                                            \
    F(2, u32, dentist)                                                                             \
    F(3, str, name)                                                                                \
    F(4, u32, colour) /* a hue, 0 to 359 */
HY_RECORD(clinic_dentist, CLINIC_DENTIST)

#define CLINIC_SHIFT(F) /* weekly; weekday 0 is Monday */                                          \
    F(1, u32, practice)                                                                            \
    F(2, u32, dentist)                                                                             \
    F(3, u32, weekday)                                                                             \
    F(4, u32, start)                                                                               \
    F(5, u32, end)
HY_RECORD(clinic_shift, CLINIC_SHIFT)

#define CLINIC_APPOINTMENT(F)                                                                      \
    F(1, u64, id)                                                                                  \
    F(2, id, patient)                                                                              \
    F(3, u32, practice)                                                                            \
    F(4, u32, dentist)                                                                             \
    F(5, u32, day)                                                                                 \
    F(6, u32, minute)                                                                              \
    F(7, u32, minutes)                                                                             \
    F(8, enm(clinic_treatment), treatment)                                                         \
    F(9, enm(clinic_state), state)                                                                 \
    F(10, u32, price_cents)                                                                        \
    F(11, bool, held)      /* the provider holds or has taken the price */                         \
    F(12, u64, action)     /* that is pending; 0: none */                                          \
    F(13, u64, expiry)     /* the timer that ends a payment that takes too long; 0: none */        \
    F(14, u32, forget_day) /* a row of the table `forget`; 0: not finished */                      \
    F(15, u32, events)     /* how many there were */                                               \
    F(16, str, name)                                                                               \
    F(17, str, email)
HY_RECORD(clinic_appointment, CLINIC_APPOINTMENT)

#define CLINIC_BOOKING(F) /* time that is taken, whether held or confirmed */                      \
    F(1, u32, practice)                                                                            \
    F(2, u32, dentist)                                                                             \
    F(3, u32, day)                                                                                 \
    F(4, u32, minute)                                                                              \
    F(5, u32, minutes)                                                                             \
    F(6, u64, appointment)
HY_RECORD(clinic_booking, CLINIC_BOOKING)

#define CLINIC_PATIENT(F) /* as long as an appointment of theirs is remembered */                  \
    F(1, id, patient)                                                                              \
    F(2, u64, number)                                                                              \
    F(3, u32, open)   /* unfinished appointments */                                                \
    F(4, u32, visits) /* all */
HY_RECORD(clinic_patient, CLINIC_PATIENT)

#define CLINIC_VISIT(F) /* the appointments of a patient */                                        \
    F(1, u64, patient_number)                                                                      \
    F(2, u64, appointment)
HY_RECORD(clinic_visit, CLINIC_VISIT)

#define CLINIC_HISTORY(F)                                                                          \
    F(1, u64, appointment)                                                                         \
    F(2, u32, number)                                                                              \
    F(3, i64, at) /* ns since 1970 */                                                              \
    F(4, enm(clinic_event), event)
HY_RECORD(clinic_history, CLINIC_HISTORY)

#define CLINIC_FORGET(F) /* finished appointments by the day on which they are forgotten */        \
    F(1, u32, day)                                                                                 \
    F(2, u64, appointment)
HY_RECORD(clinic_forget, CLINIC_FORGET)

#define CLINIC_OFFICE(F) /* one row */                                                             \
    F(1, u8, key)                                                                                  \
    F(2, u64, salt)         /* tells the holds of this clinic from those of any other */           \
    F(3, u64, routine)      /* the daily timer */                                                  \
    F(4, i64, money_cents)  /* held or taken, of all appointments that are remembered */           \
    F(5, i64, earned_cents) /* of those that are forgotten */
HY_RECORD(clinic_office, CLINIC_OFFICE)

enum {
    CLINIC_PRACTICES,
    CLINIC_DENTISTS,
    CLINIC_SHIFTS,
    CLINIC_APPOINTMENTS,
    CLINIC_BOOKINGS,
    CLINIC_PATIENTS,
    CLINIC_VISITS,
    CLINIC_HISTORIES,
    CLINIC_FORGETS,
    CLINIC_OFFICES,
};

// ---- inputs and replies -----------------------------------------------------------------------

#define CLINIC_SETUP(F) /* the first input of a new clinic */                                      \
    F(1, u64, salt)                                                                                \
    F(2, list(rec(clinic_practice)), practices)                                                    \
    F(3, list(rec(clinic_dentist)), dentists)                                                      \
    F(4, list(rec(clinic_shift)), shifts)
HY_RECORD(clinic_setup, CLINIC_SETUP)

#define CLINIC_REQUEST_SLOT(F)                                                                     \
    F(1, id, patient)                                                                              \
    F(2, str, name)                                                                                \
    F(3, str, email)                                                                               \
    F(4, u32, practice)                                                                            \
    F(5, u32, dentist)                                                                             \
    F(6, u32, day)                                                                                 \
    F(7, u32, minute)                                                                              \
    F(8, enm(clinic_treatment), treatment)
HY_RECORD(clinic_request_slot, CLINIC_REQUEST_SLOT)

#define CLINIC_RANGE(F) F(1, u32, start) F(2, u32, end)
HY_RECORD(clinic_range, CLINIC_RANGE)

// The first day that has a free time within one of the ranges; on that day the earliest time in the
// first range that has one, whoever of the dentists has it.
#define CLINIC_REQUEST_ANY(F)                                                                      \
    F(1, id, patient)                                                                              \
    F(2, str, name)                                                                                \
    F(3, str, email)                                                                               \
    F(4, u32, practice)                                                                            \
    F(5, u32, dentist) /* 0: any */                                                                \
    F(6, list(u32), days)                                                                          \
    F(7, list(rec(clinic_range)), ranges)                                                          \
    F(8, enm(clinic_treatment), treatment)
HY_RECORD(clinic_request_any, CLINIC_REQUEST_ANY)

#define CLINIC_REQUESTED(F)                                                                        \
    F(1, u64, appointment)                                                                         \
    F(2, u32, dentist)                                                                             \
    F(3, u32, day)                                                                                 \
    F(4, u32, minute)
HY_RECORD(clinic_requested, CLINIC_REQUESTED)

#define CLINIC_CANCEL(F) F(1, id, patient) F(2, u64, appointment)
HY_RECORD(clinic_cancel, CLINIC_CANCEL)

#define CLINIC_MOVE(F)                                                                             \
    F(1, id, patient)                                                                              \
    F(2, u64, appointment)                                                                         \
    F(3, u32, dentist)                                                                             \
    F(4, u32, day)                                                                                 \
    F(5, u32, minute)
HY_RECORD(clinic_move, CLINIC_MOVE)

#define CLINIC_ACCEPTED(F) F(1, u64, appointment) F(2, enm(clinic_state), state)
HY_RECORD(clinic_accepted, CLINIC_ACCEPTED)

// Completions name the appointment; the runtime already knows that the action is owed.
#define CLINIC_DONE(F) F(1, u64, appointment) F(2, bool, worked)
HY_RECORD(clinic_done, CLINIC_DONE)

#define CLINIC_DUE(F) F(1, u64, appointment)
HY_RECORD(clinic_due, CLINIC_DUE)

enum {
    CLINIC_IN_SETUP,
    CLINIC_IN_REQUEST_SLOT,
    CLINIC_IN_REQUEST_ANY,
    CLINIC_IN_CANCEL,
    CLINIC_IN_MOVE,
    CLINIC_IN_HOLD_DONE,    // completion; worked: held, else declined
    CLINIC_IN_CAPTURE_DONE, // completion; worked: taken, else the provider does not hold it
    CLINIC_IN_RELEASE_DONE, // completion
    CLINIC_IN_EXPIRED,      // timer of one appointment
    CLINIC_IN_ROUTINE,      // daily timer: forgets what is old
};

// ---- actions ----------------------------------------------------------------------------------

// What the provider is asked: `hold` is the provider's idempotency key, one per appointment, and
// the same in all three actions.
#define CLINIC_PAYMENT(F)                                                                          \
    F(1, u64, appointment)                                                                         \
    F(2, str, hold)                                                                                \
    F(3, u32, amount_cents)                                                                        \
    F(4, id, patient)
HY_RECORD(clinic_payment, CLINIC_PAYMENT)

#define CLINIC_NOTICE(F)                                                                           \
    F(1, u64, appointment)                                                                         \
    F(2, enm(clinic_event), event)                                                                 \
    F(3, str, name)                                                                                \
    F(4, str, email)                                                                               \
    F(5, u32, day)                                                                                 \
    F(6, u32, minute)
HY_RECORD(clinic_notice, CLINIC_NOTICE)

enum {
    CLINIC_DO_HOLD,
    CLINIC_DO_CAPTURE,
    CLINIC_DO_RELEASE,
    CLINIC_DO_NOTIFY, // untracked
};

// "c<salt, 16 hexadecimal digits>-<appointment>": what the provider knows a hold by.
#define CLINIC_HOLD_TEXT_MAX 40u
size_t clinic_hold_format(uint64_t salt, uint64_t appointment, char out[CLINIC_HOLD_TEXT_MAX]);
// 0: not a hold of the clinic with this salt.
uint64_t clinic_hold_parse(uint64_t salt, hy_bytes text);

// ---- rejections -------------------------------------------------------------------------------

enum {
    CLINIC_SLOT_TAKEN = 1,
    CLINIC_NO_SLOT,
    CLINIC_OFF_GRID,
    CLINIC_OUTSIDE_HOURS,
    CLINIC_IN_THE_PAST,
    CLINIC_TOO_FAR_AHEAD,
    CLINIC_UNKNOWN_PRACTICE,
    CLINIC_UNKNOWN_DENTIST,
    CLINIC_UNKNOWN_TREATMENT,
    CLINIC_BAD_PATIENT,
    CLINIC_BAD_NAME,
    CLINIC_BAD_EMAIL,
    CLINIC_BAD_RANGE,
    CLINIC_NOT_FOUND,
    CLINIC_NOT_YOURS,
    CLINIC_NOT_CONFIRMED,
    CLINIC_ALREADY_OVER,
    CLINIC_TOO_MANY,
    CLINIC_NOT_EXPECTED,
    CLINIC_ALREADY_SET_UP,
    CLINIC_BAD_SETUP,
};

// ---- the machine ------------------------------------------------------------------------------

extern const hy_machine clinic_machine;

// The three demo practices. Borrows constants.
clinic_setup clinic_demo(uint64_t salt);

#endif
