// clinic.c - the machine's description, and which step an input is.
//
// What an appointment may do is in appointment.c, what time is free in calendar.c, and what must
// always be true in invariants.c. Here are the setup and the daily routine.

#include "clinic.h"

#include <stdio.h>
#include <string.h>

#include "appointment.h"
#include "calendar.h"
#include "invariants.h"

#define CLINIC_ROUTINE_MINUTE 180u // of the night

// ---- the names of holds ----

size_t clinic_hold_format(uint64_t salt, uint64_t appointment, char out[CLINIC_HOLD_TEXT_MAX]) {
    int len = snprintf(out, CLINIC_HOLD_TEXT_MAX, "c%016llx-%llu", (unsigned long long)salt,
                       (unsigned long long)appointment);
    return (size_t)len;
}

uint64_t clinic_hold_parse(uint64_t salt, hy_bytes text) {
    char wanted[CLINIC_HOLD_TEXT_MAX];
    uint64_t appointment = 0;
    for (size_t i = 18; i < text.len && i < sizeof wanted; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return 0;
        appointment = appointment * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    size_t len = clinic_hold_format(salt, appointment, wanted);
    bool same = text.len == len && memcmp(wanted, text.ptr, len) == 0;
    return same ? appointment : 0;
}

// ---- setup and routine ----

static void clinic_arm_routine(hy_txn *txn, hy_ns due) {
    clinic_office *office = hy_row_update(txn, CLINIC_OFFICES, &(clinic_office){ .key = 0 });
    if (office != NULL) office->routine = hy_action_at(txn, CLINIC_IN_ROUTINE, due, NULL);
}

static hy_ns clinic_next_night(hy_ns now) {
    return calendar_instant_of(calendar_day_of(now) + 1, CLINIC_ROUTINE_MINUTE);
}

static hy_err clinic_step_setup(hy_txn *txn, const clinic_setup *in) {
    const hy_view *view = hy_txn_view(txn);
    if (hy_row_get(view, CLINIC_OFFICES, &(clinic_office){ .key = 0 }) != NULL) {
        return hy_reject(txn, CLINIC_ALREADY_SET_UP);
    }
    if (in->practices.len == 0 || in->dentists.len == 0) return hy_reject(txn, CLINIC_BAD_SETUP);
    for (size_t i = 0; i < in->practices.len; i++) {
        hy_row_insert(txn, CLINIC_PRACTICES, &in->practices.ptr[i]);
    }
    for (size_t i = 0; i < in->dentists.len; i++) {
        if (in->dentists.ptr[i].dentist == 0) return hy_reject(txn, CLINIC_BAD_SETUP); // "any"
        hy_row_insert(txn, CLINIC_DENTISTS, &in->dentists.ptr[i]);
    }
    for (size_t i = 0; i < in->shifts.len; i++) {
        hy_row_insert(txn, CLINIC_SHIFTS, &in->shifts.ptr[i]);
    }
    hy_row_insert(txn, CLINIC_OFFICES, &(clinic_office){ .salt = in->salt });
    clinic_arm_routine(txn, clinic_next_night(hy_txn_input(txn)->now));
    return HY_OK;
}

// A service that was off for weeks has much to forget: it goes on after a second, a bounded piece
// at a time, rather than in one long step.
static hy_err clinic_step_routine(hy_txn *txn) {
    hy_ns now = hy_txn_input(txn)->now;
    bool more = appointment_forget_old(txn);
    clinic_arm_routine(txn, more ? now + HY_SECONDS(1) : clinic_next_night(now));
    return HY_OK;
}

static hy_err clinic_step(hy_txn *txn, const hy_input *input) {
    switch (input->kind) {
    case CLINIC_IN_SETUP: return clinic_step_setup(txn, input->body);
    case CLINIC_IN_REQUEST_SLOT: return appointment_request_slot(txn, input->body);
    case CLINIC_IN_REQUEST_ANY: return appointment_request_any(txn, input->body);
    case CLINIC_IN_CANCEL: return appointment_cancel(txn, input->body);
    case CLINIC_IN_MOVE: return appointment_move(txn, input->body);
    case CLINIC_IN_HOLD_DONE: return appointment_hold_done(txn, input->body);
    case CLINIC_IN_CAPTURE_DONE: return appointment_capture_done(txn, input->body);
    case CLINIC_IN_RELEASE_DONE: return appointment_release_done(txn, input->body);
    case CLINIC_IN_EXPIRED: return appointment_expired(txn, input->body);
    case CLINIC_IN_ROUTINE: return clinic_step_routine(txn);
    default: return HY_UNKNOWN_KIND;
    }
}

// ---- the description ----

#define CLINIC_TABLE(name_, keys, is_ordered)                                                      \
    {                                                                                              \
        .name = #name_, .row = &clinic_##name_##_record, .key_count = (keys),                      \
        .ordered = (is_ordered)                                                                    \
    }

static const hy_table clinic_tables[] = {
    [CLINIC_PRACTICES] = CLINIC_TABLE(practice, 1, true),
    [CLINIC_DENTISTS] = CLINIC_TABLE(dentist, 2, true),
    [CLINIC_SHIFTS] = CLINIC_TABLE(shift, 4, true),
    [CLINIC_APPOINTMENTS] = CLINIC_TABLE(appointment, 1, true),
    [CLINIC_BOOKINGS] = CLINIC_TABLE(booking, 4, true),
    [CLINIC_PATIENTS] = CLINIC_TABLE(patient, 1, false),
    [CLINIC_VISITS] = CLINIC_TABLE(visit, 2, true),
    [CLINIC_HISTORIES] = CLINIC_TABLE(history, 2, true),
    [CLINIC_FORGETS] = CLINIC_TABLE(forget, 2, true),
    [CLINIC_OFFICES] = CLINIC_TABLE(office, 1, false),
};

#define CLINIC_REQUEST(name_, body_, reply_)                                                       \
    { .name = #name_, .body = &(body_), .reply = &(reply_) }
#define CLINIC_COMPLETION(name_, body_)                                                            \
    { .name = #name_, .body = &(body_), .internal = true }

static const hy_input_kind clinic_inputs[] = {
    [CLINIC_IN_SETUP] = { .name = "setup", .body = &clinic_setup_record },
    [CLINIC_IN_REQUEST_SLOT] =
        CLINIC_REQUEST(request_slot, clinic_request_slot_record, clinic_requested_record),
    [CLINIC_IN_REQUEST_ANY] =
        CLINIC_REQUEST(request_any, clinic_request_any_record, clinic_requested_record),
    [CLINIC_IN_CANCEL] = CLINIC_REQUEST(cancel, clinic_cancel_record, clinic_accepted_record),
    [CLINIC_IN_MOVE] = CLINIC_REQUEST(move, clinic_move_record, clinic_accepted_record),
    [CLINIC_IN_HOLD_DONE] = CLINIC_COMPLETION(hold_done, clinic_done_record),
    [CLINIC_IN_CAPTURE_DONE] = CLINIC_COMPLETION(capture_done, clinic_done_record),
    [CLINIC_IN_RELEASE_DONE] = CLINIC_COMPLETION(release_done, clinic_done_record),
    [CLINIC_IN_EXPIRED] = CLINIC_COMPLETION(expired, clinic_due_record),
    [CLINIC_IN_ROUTINE] = { .name = "routine", .internal = true },
};

#define CLINIC_TRACKED(name_, completion_)                                                         \
    { .name = #name_, .body = &clinic_payment_record, .tracked = true, .completion = (completion_) }

static const hy_action_kind clinic_actions[] = {
    [CLINIC_DO_HOLD] = CLINIC_TRACKED(hold, CLINIC_IN_HOLD_DONE),
    [CLINIC_DO_CAPTURE] = CLINIC_TRACKED(capture, CLINIC_IN_CAPTURE_DONE),
    [CLINIC_DO_RELEASE] = CLINIC_TRACKED(release, CLINIC_IN_RELEASE_DONE),
    [CLINIC_DO_NOTIFY] = { .name = "notify", .body = &clinic_notice_record },
};

static const hy_rejection clinic_rejections[] = {
    { NULL, NULL, 0 },
    [CLINIC_SLOT_TAKEN] = { "SLOT_TAKEN", "that time has just gone", 409 },
    [CLINIC_NO_SLOT] = { "NO_SLOT", "no free time fits what was asked for", 409 },
    [CLINIC_OFF_GRID] = { "OFF_GRID", "appointments start on the quarter-hour", 422 },
    [CLINIC_OUTSIDE_HOURS] = { "OUTSIDE_HOURS", "the dentist does not work at that time", 422 },
    [CLINIC_IN_THE_PAST] = { "IN_THE_PAST", "that time has already begun", 409 },
    [CLINIC_TOO_FAR_AHEAD] = { "TOO_FAR_AHEAD", "one can book at most a year ahead", 422 },
    [CLINIC_UNKNOWN_PRACTICE] = { "UNKNOWN_PRACTICE", "there is no such practice", 422 },
    [CLINIC_UNKNOWN_DENTIST] = { "UNKNOWN_DENTIST", "the practice has no such dentist", 422 },
    [CLINIC_UNKNOWN_TREATMENT] = { "UNKNOWN_TREATMENT", "there is no such treatment", 422 },
    [CLINIC_BAD_PATIENT] = { "BAD_PATIENT", "a request needs the patient's id", 422 },
    [CLINIC_BAD_NAME] = { "BAD_NAME", "a name has 1 to 80 bytes and no control characters", 422 },
    [CLINIC_BAD_EMAIL] = { "BAD_EMAIL", "that does not look like an e-mail address", 422 },
    [CLINIC_BAD_RANGE] = { "BAD_RANGE", "give at most 31 days and 8 ranges, each start < end",
                           422 },
    [CLINIC_NOT_FOUND] = { "NOT_FOUND", "there is no such appointment", 404 },
    [CLINIC_NOT_YOURS] = { "NOT_YOURS", "that appointment is somebody else's", 403 },
    [CLINIC_NOT_CONFIRMED] = { "NOT_CONFIRMED", "only a confirmed appointment can be moved", 409 },
    [CLINIC_ALREADY_OVER] = { "ALREADY_OVER", "that appointment has ended already", 409 },
    [CLINIC_TOO_MANY] = { "TOO_MANY", "one patient can have 20 open appointments", 409 },
    [CLINIC_NOT_EXPECTED] = { "NOT_EXPECTED", "no appointment waits for that", 409 },
    [CLINIC_ALREADY_SET_UP] = { "ALREADY_SET_UP", "the clinic has its practices already", 409 },
    [CLINIC_BAD_SETUP] = { "BAD_SETUP", "a clinic needs practices, and dentists from 1 on", 422 },
};

const hy_machine clinic_machine = {
    .name = "clinic",
    .version = 1,
    .tables = clinic_tables,
    .table_count = HY_COUNT_OF(clinic_tables),
    .inputs = clinic_inputs,
    .input_count = HY_COUNT_OF(clinic_inputs),
    .actions = clinic_actions,
    .action_count = HY_COUNT_OF(clinic_actions),
    .rejections = clinic_rejections,
    .rejection_count = HY_COUNT_OF(clinic_rejections),
    .invariants = clinic_invariants,
    .invariant_count = CLINIC_INVARIANT_COUNT,
    .step = clinic_step,
};
