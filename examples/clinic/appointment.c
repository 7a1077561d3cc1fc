// appointment.c - from a request to the end of an appointment, and the money that goes with it.
//
// Who moves an appointment where:
//
//     (none)      -> holding      appointment_request_slot, _any      emits hold, starts the expiry
//     holding     -> confirming   appointment_hold_done, it worked    emits capture
//     holding     -> declined     appointment_hold_done, it did not
//     confirming  -> confirmed    appointment_capture_done, it worked
//     any of these three
//                 -> releasing    _cancel, _expired, _capture_done    emits release
//     releasing   -> released, cancelled   appointment_release_done
//
// The slot is taken from the request on, and free from the moment that the appointment is declined
// or releasing. Whoever ends a payment early takes its pending action out of the ledger: a
// completion that comes later finds nothing to complete, and cannot bring the appointment back to
// life. The provider knows about it too: a hold that arrives there after its release is declined.
//
// Everything is bounded: by patient (open, and remembered at all), by appointment (its history),
// and by time (finished appointments are forgotten).

#include "appointment.h"

#include <string.h>

#include "calendar.h"

bool appointment_occupies(clinic_state state) {
    return state <= CLINIC_CONFIRMED;
}

bool appointment_is_open(clinic_state state) {
    return state <= CLINIC_CONFIRMED || state == CLINIC_RELEASING;
}

bool appointment_is_in_motion(clinic_state state) {
    return state == CLINIC_HOLDING || state == CLINIC_CONFIRMING || state == CLINIC_RELEASING;
}

// ---- rows that go with an appointment ----

static hy_ns appointment_now(const hy_txn *txn) {
    return hy_txn_input(txn)->now;
}

static clinic_appointment *appointment_update(hy_txn *txn, uint64_t id) {
    return hy_row_update(txn, CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = id });
}

static clinic_patient *appointment_patient(hy_txn *txn, hy_id patient) {
    return hy_row_update(txn, CLINIC_PATIENTS, &(clinic_patient){ .patient = patient });
}

static clinic_office *appointment_office(hy_txn *txn) {
    return hy_row_update(txn, CLINIC_OFFICES, &(clinic_office){ .key = 0 });
}

static void appointment_note(hy_txn *txn, clinic_appointment *a, clinic_event event) {
    hy_row_insert(txn, CLINIC_HISTORIES,
                  &(clinic_history){ a->id, a->events, appointment_now(txn), event });
    if (a->events >= CLINIC_EVENTS_MAX) {
        hy_row_delete(
            txn, CLINIC_HISTORIES,
            &(clinic_history){ .appointment = a->id, .number = a->events - CLINIC_EVENTS_MAX });
    }
    a->events++;
}

static void appointment_notify(hy_txn *txn, const clinic_appointment *a, clinic_event event) {
    hy_action_emit(txn, CLINIC_DO_NOTIFY,
                   &(clinic_notice){ a->id, event, a->name, a->email, a->day, a->minute });
}

static void appointment_take_slot(hy_txn *txn, const clinic_appointment *a) {
    hy_row_insert(
        txn, CLINIC_BOOKINGS,
        &(clinic_booking){ a->practice, a->dentist, a->day, a->minute, a->minutes, a->id });
}

static void appointment_free_slot(hy_txn *txn, const clinic_appointment *a) {
    hy_row_delete(txn, CLINIC_BOOKINGS,
                  &(clinic_booking){ a->practice, a->dentist, a->day, a->minute, 0, 0 });
}

// Finished on `day`: forgotten some time later.
static void appointment_finish_on(hy_txn *txn, clinic_appointment *a, uint32_t day) {
    if (a->forget_day != 0)
        hy_row_delete(txn, CLINIC_FORGETS, &(clinic_forget){ a->forget_day, a->id });
    a->forget_day = day + CLINIC_KEPT_DAYS;
    hy_row_insert(txn, CLINIC_FORGETS, &(clinic_forget){ a->forget_day, a->id });
}

static void appointment_set_held(hy_txn *txn, clinic_appointment *a, bool held) {
    clinic_office *office = appointment_office(txn);
    if (office == NULL || a->held == held) return;
    office->money_cents += held ? (int64_t)a->price_cents : -(int64_t)a->price_cents;
    a->held = held;
}

// ---- payments ----

static void appointment_ask_provider(hy_txn *txn, clinic_appointment *a, uint32_t kind) {
    const clinic_office *office = appointment_office(txn);
    if (office == NULL) return;
    char hold[CLINIC_HOLD_TEXT_MAX];
    size_t len = clinic_hold_format(office->salt, a->id, hold);
    a->action = hy_action_emit(
        txn, kind,
        &(clinic_payment){ a->id, { (const uint8_t *)hold, len }, a->price_cents, a->patient });
}

static void appointment_stop_waiting(hy_txn *txn, clinic_appointment *a) {
    if (a->action != 0) hy_action_cancel(txn, a->action);
    if (a->expiry != 0) hy_action_cancel(txn, a->expiry);
    a->action = 0;
    a->expiry = 0;
}

// No longer waits for anything, and does not occupy its slot.
static void appointment_give_up_slot(hy_txn *txn, clinic_appointment *a) {
    appointment_stop_waiting(txn, a);
    appointment_free_slot(txn, a);
}

static void appointment_release(hy_txn *txn, clinic_appointment *a, clinic_event because) {
    appointment_give_up_slot(txn, a);
    a->state = CLINIC_RELEASING;
    if (a->forget_day != 0) {
        hy_row_delete(txn, CLINIC_FORGETS, &(clinic_forget){ a->forget_day, a->id });
        a->forget_day = 0;
    }
    appointment_note(txn, a, because);
    appointment_ask_provider(txn, a, CLINIC_DO_RELEASE);
    appointment_note(txn, a, CLINIC_RELEASE_ASKED);
    appointment_notify(txn, a, because);
}

static void appointment_end(hy_txn *txn, clinic_appointment *a, clinic_state state) {
    a->state = state;
    appointment_finish_on(txn, a, calendar_day_of(appointment_now(txn)));
    clinic_patient *patient = appointment_patient(txn, a->patient);
    if (patient != NULL) patient->open--;
}

// ---- forgetting ----

static void appointment_forget(hy_txn *txn, uint64_t id) {
    clinic_appointment *a = appointment_update(txn, id);
    if (a == NULL) return;
    hy_row_delete(txn, CLINIC_FORGETS, &(clinic_forget){ a->forget_day, id });
    for (uint32_t i = 0; i < a->events && i < CLINIC_EVENTS_MAX; i++) {
        hy_row_delete(txn, CLINIC_HISTORIES,
                      &(clinic_history){ .appointment = id, .number = a->events - 1 - i });
    }
    if (appointment_occupies(a->state)) appointment_free_slot(txn, a);
    clinic_office *office = appointment_office(txn);
    if (office != NULL && a->held) {
        office->money_cents -= a->price_cents;
        office->earned_cents += a->price_cents;
    }
    clinic_patient *patient = appointment_patient(txn, a->patient);
    if (patient != NULL) {
        hy_row_delete(txn, CLINIC_VISITS, &(clinic_visit){ patient->number, id });
        if (appointment_is_open(a->state)) patient->open--;
        if (--patient->visits == 0) hy_row_delete(txn, CLINIC_PATIENTS, patient);
    }
    hy_row_delete(txn, CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = id });
}

bool appointment_forget_old(hy_txn *txn) {
    uint32_t today = calendar_day_of(appointment_now(txn));
    for (uint32_t i = 0; i <= CLINIC_FORGET_MAX; i++) {
        hy_cursor cursor = hy_cursor_at(hy_txn_view(txn), CLINIC_FORGETS, NULL);
        const clinic_forget *oldest = hy_cursor_next(&cursor);
        if (oldest == NULL || oldest->day > today || hy_txn_failed(txn) != HY_OK) return false;
        if (i < CLINIC_FORGET_MAX) appointment_forget(txn, oldest->appointment);
    }
    return true;
}

// The oldest that is over, to make room for a new one.
static void appointment_forget_oldest_of(hy_txn *txn, const clinic_patient *patient) {
    const hy_view *view = hy_txn_view(txn);
    hy_cursor cursor = hy_cursor_at(view, CLINIC_VISITS, &(clinic_visit){ patient->number, 0 });
    for (const clinic_visit *v; (v = hy_cursor_next(&cursor)) != NULL;) {
        if (v->patient_number != patient->number) return;
        const clinic_appointment *a =
            hy_row_get(view, CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = v->appointment });
        if (a == NULL || appointment_is_open(a->state)) continue;
        appointment_forget(txn, a->id);
        return;
    }
}

// ---- a new one ----

static bool appointment_text_is_plain(hy_text text, size_t len_max) {
    bool visible = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return false;
        visible = visible || text.ptr[i] != ' ';
    }
    return visible && text.len <= len_max;
}

// One @ with something before it, and a dot inside what follows. The rest is the mail server's.
static bool appointment_email_is_plausible(hy_text email) {
    const uint8_t *end = email.ptr + email.len;
    if (!appointment_text_is_plain(email, CLINIC_EMAIL_MAX)) return false;
    if (memchr(email.ptr, ' ', email.len) != NULL) return false;
    const uint8_t *at = memchr(email.ptr, '@', email.len);
    if (at == NULL || at == email.ptr) return false;
    size_t domain = (size_t)(end - at) - 1;
    if (domain < 3 || memchr(at + 1, '@', domain) != NULL) return false;
    return at[1] != '.' && end[-1] != '.' && memchr(at + 1, '.', domain) != NULL;
}

typedef struct appointment_person {
    hy_id patient;
    hy_text name, email;
} appointment_person;

static uint32_t appointment_person_refusal(const appointment_person *person) {
    if (person->patient.hi == 0 && person->patient.lo == 0) return CLINIC_BAD_PATIENT;
    if (!appointment_text_is_plain(person->name, CLINIC_NAME_MAX)) return CLINIC_BAD_NAME;
    if (!appointment_email_is_plausible(person->email)) return CLINIC_BAD_EMAIL;
    return 0;
}

// The patient's row with room for one more, or NULL: too many are open, or the step failed.
static clinic_patient *appointment_admit(hy_txn *txn, hy_id id) {
    clinic_patient *patient = appointment_patient(txn, id);
    if (patient == NULL) {
        uint64_t number = hy_row_next_id(txn, CLINIC_PATIENTS);
        return hy_row_insert(txn, CLINIC_PATIENTS, &(clinic_patient){ id, number, 0, 0 });
    }
    if (patient->open >= CLINIC_OPEN_MAX) return NULL;
    if (patient->visits < CLINIC_VISITS_MAX) return patient;
    appointment_forget_oldest_of(txn, patient);
    return appointment_patient(txn, id);
}

// The slot is free and the person is somebody: reserve it, and ask for the money.
static hy_err appointment_open(hy_txn *txn, const appointment_person *person,
                               const calendar_slot *slot, clinic_treatment treatment) {
    clinic_patient *patient = appointment_admit(txn, person->patient);
    if (patient == NULL) return hy_reject(txn, CLINIC_TOO_MANY);
    uint64_t id = hy_row_next_id(txn, CLINIC_APPOINTMENTS);
    clinic_appointment row = {
        .id = id,
        .patient = person->patient,
        .practice = slot->practice,
        .dentist = slot->dentist,
        .day = slot->day,
        .minute = slot->minute,
        .minutes = slot->minutes,
        .treatment = treatment,
        .state = CLINIC_HOLDING,
        .price_cents = clinic_treatment_of(treatment)->price_cents,
        .name = person->name,
        .email = person->email,
    };
    clinic_appointment *a = hy_row_insert(txn, CLINIC_APPOINTMENTS, &row);
    if (a == NULL) return hy_txn_failed(txn);
    patient->open++;
    patient->visits++;
    hy_row_insert(txn, CLINIC_VISITS, &(clinic_visit){ patient->number, id });
    appointment_take_slot(txn, a);
    appointment_note(txn, a, CLINIC_RESERVED);
    appointment_ask_provider(txn, a, CLINIC_DO_HOLD);
    appointment_note(txn, a, CLINIC_HOLD_ASKED);
    a->expiry = hy_action_at(txn, CLINIC_IN_EXPIRED, appointment_now(txn) + CLINIC_HOLD_MAX,
                             &(clinic_due){ id });
    return hy_reply(txn, &(clinic_requested){ id, slot->dentist, slot->day, slot->minute });
}

hy_err appointment_request_slot(hy_txn *txn, const clinic_request_slot *in) {
    const appointment_person person = { in->patient, in->name, in->email };
    uint32_t refusal = appointment_person_refusal(&person);
    if (refusal != 0) return hy_reject(txn, refusal);
    const clinic_treatment_info *treatment = clinic_treatment_of(in->treatment);
    if (treatment == NULL) return hy_reject(txn, CLINIC_UNKNOWN_TREATMENT);
    const calendar_slot slot = { in->practice, in->dentist, in->day, in->minute,
                                 treatment->minutes };
    refusal = calendar_refusal(hy_txn_view(txn), &slot, appointment_now(txn));
    if (refusal != 0) return hy_reject(txn, refusal);
    return appointment_open(txn, &person, &slot, in->treatment);
}

static uint32_t appointment_any_refusal(const hy_view *view, const clinic_request_any *in) {
    const clinic_practice practice = { .practice = in->practice };
    const clinic_dentist dentist = { .practice = in->practice, .dentist = in->dentist };
    if (hy_row_get(view, CLINIC_PRACTICES, &practice) == NULL) return CLINIC_UNKNOWN_PRACTICE;
    if (in->dentist != 0 && hy_row_get(view, CLINIC_DENTISTS, &dentist) == NULL) {
        return CLINIC_UNKNOWN_DENTIST;
    }
    if (in->days.len > CLINIC_ANY_DAYS_MAX || in->ranges.len > CLINIC_ANY_RANGES_MAX) {
        return CLINIC_BAD_RANGE;
    }
    for (size_t i = 0; i < in->ranges.len; i++) {
        const clinic_range *range = &in->ranges.ptr[i];
        if (range->start >= range->end || range->end > CLINIC_DAY_MINUTES) return CLINIC_BAD_RANGE;
    }
    return 0;
}

hy_err appointment_request_any(hy_txn *txn, const clinic_request_any *in) {
    const appointment_person person = { in->patient, in->name, in->email };
    uint32_t refusal = appointment_person_refusal(&person);
    if (refusal != 0) return hy_reject(txn, refusal);
    const clinic_treatment_info *treatment = clinic_treatment_of(in->treatment);
    if (treatment == NULL) return hy_reject(txn, CLINIC_UNKNOWN_TREATMENT);
    refusal = appointment_any_refusal(hy_txn_view(txn), in);
    if (refusal != 0) return hy_reject(txn, refusal);
    calendar_slot slot;
    if (!calendar_find(hy_txn_view(txn), in, treatment->minutes, appointment_now(txn), &slot)) {
        return hy_reject(txn, CLINIC_NO_SLOT);
    }
    return appointment_open(txn, &person, &slot, in->treatment);
}

// ---- what its owner may do ----

// Gives the row in *out, or a rejection.
static uint32_t appointment_of_owner(hy_txn *txn, hy_id patient, uint64_t id,
                                     clinic_appointment **out) {
    *out = appointment_update(txn, id);
    if (*out == NULL) return CLINIC_NOT_FOUND;
    bool owner = (*out)->patient.hi == patient.hi && (*out)->patient.lo == patient.lo;
    return owner ? 0 : CLINIC_NOT_YOURS;
}

hy_err appointment_cancel(hy_txn *txn, const clinic_cancel *in) {
    clinic_appointment *a = NULL;
    uint32_t refusal = appointment_of_owner(txn, in->patient, in->appointment, &a);
    if (refusal != 0) return hy_reject(txn, refusal);
    if (!appointment_occupies(a->state)) return hy_reject(txn, CLINIC_ALREADY_OVER);
    if (a->state == CLINIC_CONFIRMED &&
        calendar_has_begun(a->day, a->minute, appointment_now(txn))) {
        return hy_reject(txn, CLINIC_IN_THE_PAST);
    }
    appointment_release(txn, a, CLINIC_CANCEL_ASKED);
    return hy_reply(txn, &(clinic_accepted){ a->id, a->state });
}

// Gives up the old slot first, so that an appointment may move into a part of its own time. Should
// the new slot not be free, the refusal gives the old one back.
hy_err appointment_move(hy_txn *txn, const clinic_move *in) {
    clinic_appointment *a = NULL;
    uint32_t refusal = appointment_of_owner(txn, in->patient, in->appointment, &a);
    if (refusal != 0) return hy_reject(txn, refusal);
    if (!appointment_occupies(a->state)) return hy_reject(txn, CLINIC_ALREADY_OVER);
    if (a->state != CLINIC_CONFIRMED) return hy_reject(txn, CLINIC_NOT_CONFIRMED);
    hy_ns now = appointment_now(txn);
    if (calendar_has_begun(a->day, a->minute, now)) return hy_reject(txn, CLINIC_IN_THE_PAST);
    appointment_free_slot(txn, a);
    const calendar_slot slot = { a->practice, in->dentist, in->day, in->minute, a->minutes };
    refusal = calendar_refusal(hy_txn_view(txn), &slot, now);
    if (refusal != 0) return hy_reject(txn, refusal);
    a->dentist = in->dentist;
    a->day = in->day;
    a->minute = in->minute;
    appointment_take_slot(txn, a);
    appointment_finish_on(txn, a, a->day);
    appointment_note(txn, a, CLINIC_MOVED);
    appointment_notify(txn, a, CLINIC_MOVED);
    return hy_reply(txn, &(clinic_accepted){ a->id, a->state });
}

// ---- what comes back from outside ----

// The row that waits for this completion in this state, or NULL.
static clinic_appointment *appointment_awaiting(hy_txn *txn, uint64_t id, clinic_state state) {
    clinic_appointment *a = appointment_update(txn, id);
    bool awaited = a != NULL && a->state == state && a->action == hy_txn_input(txn)->action_id;
    if (awaited) a->action = 0;
    return awaited ? a : NULL;
}

hy_err appointment_hold_done(hy_txn *txn, const clinic_done *in) {
    clinic_appointment *a = appointment_awaiting(txn, in->appointment, CLINIC_HOLDING);
    if (a == NULL) return hy_reject(txn, CLINIC_NOT_EXPECTED);
    if (!in->worked) {
        appointment_give_up_slot(txn, a);
        appointment_note(txn, a, CLINIC_HOLD_DECLINED);
        appointment_end(txn, a, CLINIC_DECLINED);
        appointment_notify(txn, a, CLINIC_HOLD_DECLINED);
        return HY_OK;
    }
    a->state = CLINIC_CONFIRMING;
    appointment_set_held(txn, a, true);
    appointment_note(txn, a, CLINIC_HOLD_PLACED);
    appointment_ask_provider(txn, a, CLINIC_DO_CAPTURE);
    appointment_note(txn, a, CLINIC_CAPTURE_ASKED);
    return HY_OK;
}

hy_err appointment_capture_done(hy_txn *txn, const clinic_done *in) {
    clinic_appointment *a = appointment_awaiting(txn, in->appointment, CLINIC_CONFIRMING);
    if (a == NULL) return hy_reject(txn, CLINIC_NOT_EXPECTED);
    if (!in->worked) {
        appointment_release(txn, a, CLINIC_CAPTURE_REFUSED);
        return HY_OK;
    }
    appointment_stop_waiting(txn, a);
    a->state = CLINIC_CONFIRMED;
    appointment_finish_on(txn, a, a->day);
    appointment_note(txn, a, CLINIC_CAPTURE_DONE);
    appointment_notify(txn, a, CLINIC_CAPTURE_DONE);
    return HY_OK;
}

hy_err appointment_release_done(hy_txn *txn, const clinic_done *in) {
    clinic_appointment *a = appointment_awaiting(txn, in->appointment, CLINIC_RELEASING);
    if (a == NULL) return hy_reject(txn, CLINIC_NOT_EXPECTED);
    bool held = a->held;
    appointment_set_held(txn, a, false);
    appointment_note(txn, a, CLINIC_RELEASE_DONE);
    appointment_end(txn, a, held ? CLINIC_RELEASED : CLINIC_CANCELLED);
    return HY_OK;
}

hy_err appointment_expired(hy_txn *txn, const clinic_due *in) {
    clinic_appointment *a = appointment_update(txn, in->appointment);
    if (a == NULL || a->expiry != hy_txn_input(txn)->action_id) {
        return hy_reject(txn, CLINIC_NOT_EXPECTED);
    }
    a->expiry = 0;
    appointment_release(txn, a, CLINIC_TIME_IS_UP);
    return HY_OK;
}
