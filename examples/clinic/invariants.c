// invariants.c - what must be true of the clinic after every step, one sentence a function.
//
// References look from a touched row to the row it names. A row that was deleted names nothing, so
// where deleting could break a pair, a sum over the table counts both sides as well.
//
// Policies: what an input could cause is a veto; what only a mistake in the program could cause,
// and what concerns money, halts the clinic until somebody looks; what is merely untidy is told.

#include "invariants.h"

#include "appointment.h"
#include "calendar.h"

// ---- practices, dentists, shifts ----

static bool dentist_works_in_a_practice(const void *row, void *out_target) {
    ((clinic_practice *)out_target)->practice = ((const clinic_dentist *)row)->practice;
    return true;
}

static bool shift_is_of_a_dentist(const void *row, void *out_target) {
    const clinic_shift *shift = row;
    ((clinic_dentist *)out_target)->practice = shift->practice;
    ((clinic_dentist *)out_target)->dentist = shift->dentist;
    return true;
}

static bool shift_is_within_a_day(const hy_view *view, const void *row) {
    (void)view;
    const clinic_shift *shift = row;
    return shift->weekday < 7 && shift->start < shift->end && shift->end <= CLINIC_DAY_MINUTES &&
           shift->start % CLINIC_GRID_MINUTES == 0 && shift->end % CLINIC_GRID_MINUTES == 0;
}

static bool shifts_do_not_overlap(const hy_view *view, const void *before, const void *row,
                                  const void *after) {
    (void)view;
    (void)after; // the next row looks back at this one
    const clinic_shift *earlier = before;
    const clinic_shift *shift = row;
    bool same = earlier != NULL && earlier->practice == shift->practice &&
                earlier->dentist == shift->dentist && earlier->weekday == shift->weekday;
    return !same || earlier->end <= shift->start;
}

// ---- bookings ----

static bool booking_is_in_a_shift(const hy_view *view, const void *row) {
    const clinic_booking *b = row;
    const calendar_slot slot = { b->practice, b->dentist, b->day, b->minute, b->minutes };
    return b->minute % CLINIC_GRID_MINUTES == 0 && b->minutes > 0 &&
           calendar_is_in_shift(view, &slot);
}

static bool booking_follows(const clinic_booking *earlier, const clinic_booking *later) {
    bool same = earlier->practice == later->practice && earlier->dentist == later->dentist &&
                earlier->day == later->day;
    return !same || earlier->minute + earlier->minutes <= later->minute;
}

static bool bookings_do_not_overlap(const hy_view *view, const void *before, const void *row,
                                    const void *after) {
    (void)view;
    return (before == NULL || booking_follows(before, row)) &&
           (after == NULL || booking_follows(row, after));
}

static bool booking_and_appointment_agree(const clinic_booking *b, const clinic_appointment *a) {
    return appointment_occupies(a->state) && b->appointment == a->id &&
           b->practice == a->practice && b->dentist == a->dentist && b->day == a->day &&
           b->minute == a->minute && b->minutes == a->minutes;
}

static bool booking_is_of_an_appointment(const void *row, void *out_target) {
    ((clinic_appointment *)out_target)->id = ((const clinic_booking *)row)->appointment;
    return true;
}

static bool booking_agrees(const hy_view *view, const void *row, const void *target) {
    (void)view;
    return booking_and_appointment_agree(row, target);
}

static bool appointment_has_its_booking(const void *row, void *out_target) {
    const clinic_appointment *a = row;
    *(clinic_booking *)out_target =
        (clinic_booking){ a->practice, a->dentist, a->day, a->minute, 0, 0 };
    return appointment_occupies(a->state);
}

static bool appointment_agrees(const hy_view *view, const void *row, const void *target) {
    (void)view;
    return booking_and_appointment_agree(target, row);
}

static int64_t invariants_occupies(const void *row) {
    return appointment_occupies(((const clinic_appointment *)row)->state);
}

static bool as_many_bookings_as_appointments_that_occupy(const hy_view *view, int64_t sum) {
    return sum == hy_row_count(view, CLINIC_BOOKINGS);
}

// ---- the life of an appointment ----

static bool invariants_edge_is_legal(clinic_state from, clinic_state to) {
    switch (from) {
    case CLINIC_HOLDING:
        return to == CLINIC_CONFIRMING || to == CLINIC_DECLINED || to == CLINIC_RELEASING;
    case CLINIC_CONFIRMING: return to == CLINIC_CONFIRMED || to == CLINIC_RELEASING;
    case CLINIC_CONFIRMED: return to == CLINIC_RELEASING;
    case CLINIC_RELEASING: return to == CLINIC_RELEASED || to == CLINIC_CANCELLED;
    default: return false; // an end is an end
    }
}

static bool appointment_goes_forward(const hy_view *view, const void *before, const void *after) {
    (void)view;
    const clinic_appointment *from = before;
    const clinic_appointment *to = after;
    if (from == NULL) return to->state == CLINIC_HOLDING;
    if (to == NULL) return from->state == CLINIC_CONFIRMED || !appointment_is_open(from->state);
    return from->state == to->state || invariants_edge_is_legal(from->state, to->state);
}

static bool appointment_keeps_its_price_and_patient(const hy_view *view, const void *before,
                                                    const void *after) {
    (void)view;
    const clinic_appointment *from = before;
    const clinic_appointment *to = after;
    if (from == NULL || to == NULL) return true;
    return from->price_cents == to->price_cents && from->minutes == to->minutes &&
           from->treatment == to->treatment && from->practice == to->practice &&
           from->patient.hi == to->patient.hi && from->patient.lo == to->patient.lo;
}

static bool only_a_confirmed_appointment_moves(const hy_view *view, const void *before,
                                               const void *after) {
    (void)view;
    const clinic_appointment *from = before;
    const clinic_appointment *to = after;
    if (from == NULL || to == NULL) return true;
    bool moved = from->dentist != to->dentist || from->day != to->day || from->minute != to->minute;
    return !moved || (from->state == CLINIC_CONFIRMED && to->state == CLINIC_CONFIRMED);
}

static bool appointment_is_held_as_its_state_says(const hy_view *view, const void *row) {
    (void)view;
    const clinic_appointment *a = row;
    if (a->state == CLINIC_RELEASING) return true; // with or without money on its way back
    return a->held == (a->state == CLINIC_CONFIRMING || a->state == CLINIC_CONFIRMED);
}

// ---- pending actions: the ledger and the appointments know of the same ones ----

static bool appointment_waits_for_what_is_pending(const hy_view *view, const void *row) {
    const clinic_appointment *a = row;
    bool expires = a->state == CLINIC_HOLDING || a->state == CLINIC_CONFIRMING;
    if ((a->action != 0) != appointment_is_in_motion(a->state)) return false;
    if ((a->expiry != 0) != expires) return false;
    return (a->action == 0 || hy_action_is_pending(view, a->action)) &&
           (a->expiry == 0 || hy_action_is_pending(view, a->expiry));
}

static int64_t invariants_pending(const void *row) {
    const clinic_appointment *a = row;
    return (a->action != 0) + (a->expiry != 0);
}

static bool nothing_is_pending_without_an_appointment(const hy_view *view, int64_t sum) {
    const clinic_office *office = hy_row_get(view, CLINIC_OFFICES, &(clinic_office){ .key = 0 });
    bool routine = office != NULL && hy_action_is_pending(view, office->routine);
    return sum + routine == hy_row_count(view, HY_LEDGER);
}

// ---- money ----

static int64_t invariants_money(const void *row) {
    const clinic_appointment *a = row;
    return a->held ? a->price_cents : 0;
}

static bool money_is_what_the_appointments_say(const hy_view *view, int64_t sum) {
    const clinic_office *office = hy_row_get(view, CLINIC_OFFICES, &(clinic_office){ .key = 0 });
    return sum == (office == NULL ? 0 : office->money_cents);
}

static bool earnings_never_shrink(const hy_view *view, const void *before, const void *after) {
    (void)view;
    const clinic_office *from = before;
    const clinic_office *to = after;
    if (from == NULL) return true;
    return to != NULL && from->earned_cents <= to->earned_cents && from->salt == to->salt;
}

// ---- patients and what is remembered ----

static bool appointment_is_of_a_patient(const void *row, void *out_target) {
    ((clinic_patient *)out_target)->patient = ((const clinic_appointment *)row)->patient;
    return true;
}

static bool visit_is_an_appointment(const void *row, void *out_target) {
    ((clinic_appointment *)out_target)->id = ((const clinic_visit *)row)->appointment;
    return true;
}

static bool visit_agrees(const hy_view *view, const void *row, const void *target) {
    const clinic_patient *patient =
        hy_row_get(view, CLINIC_PATIENTS,
                   &(clinic_patient){ .patient = ((const clinic_appointment *)target)->patient });
    return patient != NULL && patient->number == ((const clinic_visit *)row)->patient_number;
}

static bool patient_is_bounded(const hy_view *view, const void *row) {
    (void)view;
    const clinic_patient *patient = row;
    return patient->open <= CLINIC_OPEN_MAX && patient->visits <= CLINIC_VISITS_MAX &&
           patient->open <= patient->visits && patient->visits > 0;
}

static int64_t invariants_visits(const void *row) {
    return ((const clinic_patient *)row)->visits;
}

static bool every_appointment_is_a_visit(const hy_view *view, int64_t sum) {
    return sum == hy_row_count(view, CLINIC_APPOINTMENTS) &&
           sum == hy_row_count(view, CLINIC_VISITS);
}

static bool forget_is_of_an_appointment(const void *row, void *out_target) {
    ((clinic_appointment *)out_target)->id = ((const clinic_forget *)row)->appointment;
    return true;
}

static bool forget_agrees(const hy_view *view, const void *row, const void *target) {
    (void)view;
    return ((const clinic_forget *)row)->day == ((const clinic_appointment *)target)->forget_day;
}

static bool finished_is_forgotten_some_day(const hy_view *view, const void *row) {
    (void)view;
    const clinic_appointment *a = row;
    return (a->forget_day != 0) == !appointment_is_in_motion(a->state);
}

static int64_t invariants_finished(const void *row) {
    return ((const clinic_appointment *)row)->forget_day != 0;
}

static bool as_many_to_forget_as_finished(const hy_view *view, int64_t sum) {
    return sum == hy_row_count(view, CLINIC_FORGETS);
}

static int64_t invariants_events(const void *row) {
    uint32_t events = ((const clinic_appointment *)row)->events;
    return events < CLINIC_EVENTS_MAX ? events : CLINIC_EVENTS_MAX;
}

static bool history_is_whole_and_bounded(const hy_view *view, int64_t sum) {
    return sum == hy_row_count(view, CLINIC_HISTORIES);
}

static bool history_is_not_rewritten(const hy_view *view, const void *before, const void *after) {
    (void)view;
    const clinic_history *from = before;
    const clinic_history *to = after;
    return from == NULL || to == NULL || (from->at == to->at && from->event == to->event);
}

// ---- the slow twin: everything at once, without trusting order or sums ----

static bool invariants_day_is_clear(const hy_view *view, const clinic_booking *booking) {
    hy_cursor cursor = hy_cursor_at(
        view, CLINIC_BOOKINGS,
        &(clinic_booking){ booking->practice, booking->dentist, booking->day, 0, 0, 0 });
    for (const clinic_booking *other; (other = hy_cursor_next(&cursor)) != NULL;) {
        if (other->practice != booking->practice || other->dentist != booking->dentist ||
            other->day != booking->day) {
            return true;
        }
        bool apart = other->minute + other->minutes <= booking->minute ||
                     booking->minute + booking->minutes <= other->minute;
        if (other->minute != booking->minute && !apart) return false;
    }
    return true;
}

static bool no_two_bookings_overlap(const hy_view *view) {
    hy_cursor cursor = hy_cursor_at(view, CLINIC_BOOKINGS, NULL);
    for (const clinic_booking *b; (b = hy_cursor_next(&cursor)) != NULL;) {
        if (!invariants_day_is_clear(view, b)) return false;
    }
    return true;
}

static uint32_t invariants_open_of(const hy_view *view, uint64_t number) {
    uint32_t open = 0;
    hy_cursor cursor = hy_cursor_at(view, CLINIC_VISITS, &(clinic_visit){ number, 0 });
    for (const clinic_visit *v; (v = hy_cursor_next(&cursor)) != NULL;) {
        if (v->patient_number != number) break;
        const clinic_appointment *a =
            hy_row_get(view, CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = v->appointment });
        open += a != NULL && appointment_is_open(a->state);
    }
    return open;
}

static bool open_counts_are_right(const hy_view *view) {
    hy_cursor cursor = hy_cursor_at(view, CLINIC_PATIENTS, NULL);
    for (const clinic_patient *p; (p = hy_cursor_next(&cursor)) != NULL;) {
        if (p->open != invariants_open_of(view, p->number)) return false;
    }
    return true;
}

// ---- the list ----

const hy_invariant clinic_invariants[CLINIC_INVARIANT_COUNT] = {
    HY_REFERENCE_HOLDS(CLINIC_DENTISTS, CLINIC_PRACTICES, HY_VETO, dentist_works_in_a_practice,
                       NULL),
    HY_REFERENCE_HOLDS(CLINIC_SHIFTS, CLINIC_DENTISTS, HY_VETO, shift_is_of_a_dentist, NULL),
    HY_ROW_HOLDS(CLINIC_SHIFTS, HY_VETO, shift_is_within_a_day),
    HY_NEIGHBOURS_HOLD(CLINIC_SHIFTS, HY_VETO, shifts_do_not_overlap),

    HY_ROW_HOLDS(CLINIC_BOOKINGS, HY_VETO, booking_is_in_a_shift),
    HY_NEIGHBOURS_HOLD(CLINIC_BOOKINGS, HY_VETO, bookings_do_not_overlap),
    HY_REFERENCE_HOLDS(CLINIC_BOOKINGS, CLINIC_APPOINTMENTS, HY_VETO, booking_is_of_an_appointment,
                       booking_agrees),
    HY_REFERENCE_HOLDS(CLINIC_APPOINTMENTS, CLINIC_BOOKINGS, HY_VETO, appointment_has_its_booking,
                       appointment_agrees),
    HY_SUM_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, invariants_occupies,
                 as_many_bookings_as_appointments_that_occupy),

    HY_STEP_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, appointment_goes_forward),
    HY_STEP_HOLDS(CLINIC_APPOINTMENTS, HY_HALT, appointment_keeps_its_price_and_patient),
    HY_STEP_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, only_a_confirmed_appointment_moves),
    HY_ROW_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, appointment_is_held_as_its_state_says),

    HY_ROW_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, appointment_waits_for_what_is_pending),
    HY_SUM_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, invariants_pending,
                 nothing_is_pending_without_an_appointment),

    HY_SUM_HOLDS(CLINIC_APPOINTMENTS, HY_HALT, invariants_money,
                 money_is_what_the_appointments_say),
    HY_STEP_HOLDS(CLINIC_OFFICES, HY_HALT, earnings_never_shrink),

    HY_REFERENCE_HOLDS(CLINIC_APPOINTMENTS, CLINIC_PATIENTS, HY_VETO, appointment_is_of_a_patient,
                       NULL),
    HY_REFERENCE_HOLDS(CLINIC_VISITS, CLINIC_APPOINTMENTS, HY_VETO, visit_is_an_appointment,
                       visit_agrees),
    HY_ROW_HOLDS(CLINIC_PATIENTS, HY_REPORT, patient_is_bounded),
    HY_SUM_HOLDS(CLINIC_PATIENTS, HY_VETO, invariants_visits, every_appointment_is_a_visit),
    HY_REFERENCE_HOLDS(CLINIC_FORGETS, CLINIC_APPOINTMENTS, HY_VETO, forget_is_of_an_appointment,
                       forget_agrees),
    HY_ROW_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, finished_is_forgotten_some_day),
    HY_SUM_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, invariants_finished, as_many_to_forget_as_finished),
    HY_SUM_HOLDS(CLINIC_APPOINTMENTS, HY_VETO, invariants_events, history_is_whole_and_bounded),
    HY_STEP_HOLDS(CLINIC_HISTORIES, HY_VETO, history_is_not_rewritten),

    HY_GLOBAL_HOLDS(HY_HALT, 4096, no_two_bookings_overlap),
    HY_GLOBAL_HOLDS(HY_HALT, 4096, open_counts_are_right),
};
