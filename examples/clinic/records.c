// records.c - the descriptions behind clinic.h: from them come codec, JSON, SQL and exports.

#include "clinic.h"

HY_ENUM_DEFINE(clinic_treatment, CLINIC_TREATMENT)
HY_ENUM_DEFINE(clinic_state, CLINIC_STATE)
HY_ENUM_DEFINE(clinic_event, CLINIC_EVENT)

HY_RECORD_DEFINE(clinic_practice, CLINIC_PRACTICE)
HY_RECORD_DEFINE(clinic_dentist, CLINIC_DENTIST)
HY_RECORD_DEFINE(clinic_shift, CLINIC_SHIFT)
HY_RECORD_DEFINE(clinic_appointment, CLINIC_APPOINTMENT)
HY_RECORD_DEFINE(clinic_booking, CLINIC_BOOKING)
HY_RECORD_DEFINE(clinic_patient, CLINIC_PATIENT)
HY_RECORD_DEFINE(clinic_visit, CLINIC_VISIT)
HY_RECORD_DEFINE(clinic_history, CLINIC_HISTORY)
HY_RECORD_DEFINE(clinic_forget, CLINIC_FORGET)
HY_RECORD_DEFINE(clinic_office, CLINIC_OFFICE)

HY_RECORD_DEFINE(clinic_setup, CLINIC_SETUP)
HY_RECORD_DEFINE(clinic_request_slot, CLINIC_REQUEST_SLOT)
HY_RECORD_DEFINE(clinic_range, CLINIC_RANGE)
HY_RECORD_DEFINE(clinic_request_any, CLINIC_REQUEST_ANY)
HY_RECORD_DEFINE(clinic_requested, CLINIC_REQUESTED)
HY_RECORD_DEFINE(clinic_cancel, CLINIC_CANCEL)
HY_RECORD_DEFINE(clinic_move, CLINIC_MOVE)
HY_RECORD_DEFINE(clinic_accepted, CLINIC_ACCEPTED)
HY_RECORD_DEFINE(clinic_done, CLINIC_DONE)
HY_RECORD_DEFINE(clinic_due, CLINIC_DUE)

HY_RECORD_DEFINE(clinic_payment, CLINIC_PAYMENT)
HY_RECORD_DEFINE(clinic_notice, CLINIC_NOTICE)

static const clinic_treatment_info records_treatments[] = {
    [CLINIC_CLEANING] = { "Cleaning", 15, 5000 },
    [CLINIC_CHECKUP] = { "Checkup", 30, 7500 },
    [CLINIC_FILLING] = { "Filling", 45, 15000 },
    [CLINIC_ROOT_CANAL] = { "Root canal", 60, 20000 },
};

const clinic_treatment_info *clinic_treatment_of(clinic_treatment treatment) {
    bool known = treatment >= CLINIC_CLEANING && treatment <= CLINIC_ROOT_CANAL;
    return known ? &records_treatments[treatment] : NULL;
}

static const char *const records_event_texts[] = {
    [CLINIC_RESERVED] = "time reserved",
    [CLINIC_HOLD_ASKED] = "hold requested",
    [CLINIC_HOLD_PLACED] = "hold placed",
    [CLINIC_HOLD_DECLINED] = "payment declined, time given back",
    [CLINIC_CAPTURE_ASKED] = "payment requested",
    [CLINIC_CAPTURE_DONE] = "paid and booked",
    [CLINIC_CAPTURE_REFUSED] = "the provider did not pay, time given back",
    [CLINIC_CANCEL_ASKED] = "cancelled, time given back",
    [CLINIC_TIME_IS_UP] = "not paid in time, time given back",
    [CLINIC_RELEASE_ASKED] = "release of the money requested",
    [CLINIC_RELEASE_DONE] = "money released",
    [CLINIC_MOVED] = "moved",
};

const char *clinic_event_text(clinic_event event) {
    return event < HY_COUNT_OF(records_event_texts) ? records_event_texts[event] : "";
}
