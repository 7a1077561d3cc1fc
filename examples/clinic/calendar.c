// calendar.c - what can be booked.
//
// A slot is free when it lies inside one shift of its dentist and touches no booking. Bookings are
// ordered by practice, dentist, day and minute, so only the two neighbours of a slot are looked at.
// Nothing here overflows: minutes are compared after they were bounded by the day, days after they
// were bounded by CLINIC_DAYS_AHEAD_MAX.

#include "calendar.h"

#define CALENDAR_MINUTE HY_SECONDS(60)

uint32_t calendar_day_of(hy_ns now) {
    return now <= 0 ? 0 : (uint32_t)(now / (CALENDAR_MINUTE * CLINIC_DAY_MINUTES));
}

uint32_t calendar_weekday_of(uint32_t day) {
    return (uint32_t)(((uint64_t)day + 3) % 7); // 1970-01-01 was a Thursday
}

hy_ns calendar_instant_of(uint32_t day, uint32_t minute) {
    return ((hy_ns)day * CLINIC_DAY_MINUTES + minute) * CALENDAR_MINUTE;
}

bool calendar_has_begun(uint32_t day, uint32_t minute, hy_ns now) {
    return calendar_instant_of(day, minute) < now;
}

// ---- one slot ----

bool calendar_is_in_shift(const hy_view *view, const calendar_slot *slot) {
    uint32_t weekday = calendar_weekday_of(slot->day);
    hy_cursor cursor = hy_cursor_at(
        view, CLINIC_SHIFTS,
        &(clinic_shift){ slot->practice, slot->dentist, weekday, slot->minute + 1, 0 });
    const clinic_shift *shift = hy_cursor_prev(&cursor); // the last that starts by then
    return shift != NULL && shift->practice == slot->practice && shift->dentist == slot->dentist &&
           shift->weekday == weekday && slot->minute + slot->minutes <= shift->end;
}

static bool calendar_overlaps(const clinic_booking *booking, const calendar_slot *slot) {
    return booking != NULL && booking->practice == slot->practice &&
           booking->dentist == slot->dentist && booking->day == slot->day &&
           booking->minute < slot->minute + slot->minutes &&
           slot->minute < booking->minute + booking->minutes;
}

bool calendar_is_free(const hy_view *view, const calendar_slot *slot) {
    hy_cursor ahead = hy_cursor_at(
        view, CLINIC_BOOKINGS,
        &(clinic_booking){ slot->practice, slot->dentist, slot->day, slot->minute, 0, 0 });
    hy_cursor back = ahead;
    return !calendar_overlaps(hy_cursor_next(&ahead), slot) &&
           !calendar_overlaps(hy_cursor_prev(&back), slot);
}

uint32_t calendar_refusal(const hy_view *view, const calendar_slot *slot, hy_ns now) {
    if (hy_row_get(view, CLINIC_PRACTICES, &(clinic_practice){ .practice = slot->practice }) ==
        NULL) {
        return CLINIC_UNKNOWN_PRACTICE;
    }
    const clinic_dentist dentist = { .practice = slot->practice, .dentist = slot->dentist };
    if (hy_row_get(view, CLINIC_DENTISTS, &dentist) == NULL) return CLINIC_UNKNOWN_DENTIST;
    if (slot->minute % CLINIC_GRID_MINUTES != 0) return CLINIC_OFF_GRID;
    if (slot->minute >= CLINIC_DAY_MINUTES) return CLINIC_OUTSIDE_HOURS;
    if (slot->day > calendar_day_of(now) + CLINIC_DAYS_AHEAD_MAX) return CLINIC_TOO_FAR_AHEAD;
    if (calendar_has_begun(slot->day, slot->minute, now)) return CLINIC_IN_THE_PAST;
    if (!calendar_is_in_shift(view, slot)) return CLINIC_OUTSIDE_HOURS;
    return calendar_is_free(view, slot) ? 0 : CLINIC_SLOT_TAKEN;
}

// ---- any slot ----

typedef struct calendar_search {
    const hy_view *view;
    hy_ns now;
    calendar_slot best; // best.minute is CLINIC_DAY_MINUTES until there is one
} calendar_search;

// The earliest free time of one shift within `range`, if it is before the best so far. The grid
// hangs on midnight, never on where the range begins.
static void calendar_search_shift(calendar_search *search, const clinic_shift *shift,
                                  const clinic_range *range) {
    uint32_t start = shift->start > range->start ? shift->start : range->start;
    uint32_t end = shift->end < range->end ? shift->end : range->end;
    calendar_slot slot = search->best;
    slot.dentist = shift->dentist;
    slot.minute = (start + CLINIC_GRID_MINUTES - 1) / CLINIC_GRID_MINUTES * CLINIC_GRID_MINUTES;
    for (; slot.minute + slot.minutes <= end && slot.minute < search->best.minute;
         slot.minute += CLINIC_GRID_MINUTES) {
        if (calendar_has_begun(slot.day, slot.minute, search->now)) continue;
        if (!calendar_is_free(search->view, &slot)) continue;
        search->best = slot;
        return;
    }
}

// All shifts of a weekday: of one dentist, or of all of the practice.
static void calendar_search_range(calendar_search *search, uint32_t dentist,
                                  const clinic_range *range) {
    uint32_t practice = search->best.practice;
    uint32_t weekday = calendar_weekday_of(search->best.day);
    hy_cursor dentists =
        hy_cursor_at(search->view, CLINIC_DENTISTS,
                     &(clinic_dentist){ .practice = practice, .dentist = dentist });
    for (const clinic_dentist *d; (d = hy_cursor_next(&dentists)) != NULL;) {
        if (d->practice != practice || (dentist != 0 && d->dentist != dentist)) return;
        hy_cursor shifts = hy_cursor_at(search->view, CLINIC_SHIFTS,
                                        &(clinic_shift){ practice, d->dentist, weekday, 0, 0 });
        for (const clinic_shift *s; (s = hy_cursor_next(&shifts)) != NULL;) {
            if (s->practice != practice || s->dentist != d->dentist || s->weekday != weekday) break;
            calendar_search_shift(search, s, range);
        }
    }
}

bool calendar_find(const hy_view *view, const clinic_request_any *wanted, uint32_t minutes,
                   hy_ns now, calendar_slot *out_slot) {
    uint32_t today = calendar_day_of(now);
    calendar_search search = { .view = view, .now = now };
    for (size_t i = 0; i < wanted->days.len; i++) {
        uint32_t day = wanted->days.ptr[i];
        if (day < today || day > today + CLINIC_DAYS_AHEAD_MAX) continue;
        for (size_t j = 0; j < wanted->ranges.len; j++) {
            search.best = (calendar_slot){ wanted->practice, 0, day, CLINIC_DAY_MINUTES, minutes };
            calendar_search_range(&search, wanted->dentist, &wanted->ranges.ptr[j]);
            if (search.best.minute == CLINIC_DAY_MINUTES) continue;
            *out_slot = search.best;
            return true;
        }
    }
    return false;
}
