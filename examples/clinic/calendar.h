// calendar.h - days, shifts and free times.        Example: clinic. Includes: base schema machine.
//
// All functions are pure and read only the view.
#ifndef EXAMPLE_CLINIC_CALENDAR_H
#define EXAMPLE_CLINIC_CALENDAR_H

#include "clinic.h"

// A place in the calendar: what a booking would occupy.
typedef struct calendar_slot {
    uint32_t practice, dentist, day, minute, minutes;
} calendar_slot;

uint32_t calendar_day_of(hy_ns now);
uint32_t calendar_weekday_of(uint32_t day);               // 0 is Monday
hy_ns calendar_instant_of(uint32_t day, uint32_t minute); // ns since 1970
bool calendar_has_begun(uint32_t day, uint32_t minute, hy_ns now);

bool calendar_is_in_shift(const hy_view *view, const calendar_slot *slot);
bool calendar_is_free(const hy_view *view, const calendar_slot *slot);

// Why `slot` cannot be booked now: a rejection, or 0 when it can.
uint32_t calendar_refusal(const hy_view *view, const calendar_slot *slot, hy_ns now);

// The first slot that satisfies the request (see CLINIC_REQUEST_ANY); false: there is none.
bool calendar_find(const hy_view *view, const clinic_request_any *wanted, uint32_t minutes,
                   hy_ns now, calendar_slot *out_slot);

#endif
