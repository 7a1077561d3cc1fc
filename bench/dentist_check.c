// dentist_check.c - the whole state looked at: the original's check of everything, and its hash.

#include "bench/dentist.h"

#include <string.h>

#include "base/digest.h"

enum {
    CHECK_DAY = 1440,
    CHECK_DAYS = 7,
    CHECK_LANES = 8,
    CHECK_GROUPS = CHECK_DAY / 15 / CHECK_LANES
};

typedef int16_t check_lanes __attribute__((vector_size(2 * CHECK_LANES)));

// The bookings of one day in minutes, and every minute of the week at which one begins.
typedef struct dentist_week {
    uint32_t day;
    size_t count;
    check_lanes starts[CHECK_GROUPS], ends[CHECK_GROUPS];
    uint64_t begins[(CHECK_DAYS * CHECK_DAY + 63) / 64];
} dentist_week;

static bool dentist_hours_hold(const dentist_week *week, const dentist_day_hours *hours) {
    const int16_t *starts = (const void *)week->starts, *ends = (const void *)week->ends;
    for (size_t i = 0; i < week->count; i++) {
        bool first = hours->start <= starts[i] && ends[i] <= hours->end;
        bool second = hours->second_start <= starts[i] && ends[i] <= hours->second_end;
        if (!first && !second) return false;
    }
    return true;
}

// All pairs, as the original does, though the calendar is in order and neighbours would do: every
// booking must meet itself and no other. The last group is filled up with what meets nobody.
static bool dentist_day_holds(const hy_view *view, dentist_week *week) {
    if (week->count == 0) return true;
    dentist_day_hours key = { .day = (uint16_t)week->day };
    const dentist_day_hours *hours = hy_row_get(view, DENTIST_DAYS, &key);
    if (hours == NULL || !dentist_hours_hold(week, hours)) return false;
    size_t groups = (week->count + CHECK_LANES - 1) / CHECK_LANES;
    for (size_t i = week->count; i < groups * CHECK_LANES; i++) {
        week->starts[i / CHECK_LANES][i % CHECK_LANES] = INT16_MAX;
        week->ends[i / CHECK_LANES][i % CHECK_LANES] = 0;
    }
    const int16_t *starts = (const void *)week->starts, *ends = (const void *)week->ends;
    check_lanes meetings = { 0 };
    for (size_t i = 0; i < week->count; i++) {
        check_lanes start = starts[i] - (check_lanes){ 0 }, end = ends[i] - (check_lanes){ 0 };
        for (size_t group = 0; group < groups; group++) {
            meetings -= (start < week->ends[group]) & (week->starts[group] < end);
        }
    }
    int32_t sum = 0;
    for (size_t i = 0; i < CHECK_LANES; i++) {
        sum += meetings[i];
    }
    return sum == (int32_t)week->count;
}

static bool dentist_week_add(const hy_view *view, dentist_week *week, const dentist_booking *row) {
    uint32_t day = row->day_minute / CHECK_DAY, start = row->day_minute % CHECK_DAY;
    if (day != week->day) {
        if (!dentist_day_holds(view, week)) return false;
        week->day = day;
        week->count = 0;
    }
    if (week->count == CHECK_GROUPS * CHECK_LANES || day >= CHECK_DAYS) return false;
    week->starts[week->count / CHECK_LANES][week->count % CHECK_LANES] = (int16_t)start;
    week->ends[week->count / CHECK_LANES][week->count % CHECK_LANES] =
        (int16_t)(start + row->minutes);
    week->count++;
    week->begins[row->day_minute / 64] |= UINT64_C(1) << row->day_minute % 64;
    return true;
}

static bool dentist_begins_at(const dentist_week *week, uint32_t minute) {
    if (minute >= CHECK_DAYS * CHECK_DAY) return false;
    return (week->begins[minute / 64] >> minute % 64 & 1) != 0;
}

bool dentist_check_all(const hy_view *view) {
    dentist_week week;
    week.day = 0;
    week.count = 0;
    memset(week.begins, 0, sizeof week.begins);
    hy_cursor cursor = hy_cursor_at(view, DENTIST_BOOKINGS, NULL);
    for (const dentist_booking *row; (row = hy_cursor_next(&cursor));) {
        if (!dentist_week_add(view, &week, row)) return false;
    }
    if (!dentist_day_holds(view, &week)) return false;
    cursor = hy_cursor_at(view, DENTIST_REQUESTS, NULL);
    for (const dentist_request *row; (row = hy_cursor_next(&cursor));) {
        if (row->status != DENTIST_CONFIRMED) continue;
        if (!dentist_begins_at(&week, row->day_minute)) return false;
    }
    return true;
}

uint64_t dentist_next_id(const hy_view *view) {
    const hy_counter_row *counter =
        hy_row_get(view, HY_COUNTER, &(hy_counter_row){ .of_table = DENTIST_REQUESTS });
    return counter == NULL ? 1 : counter->next;
}

uint64_t dentist_state_hash(const hy_view *view) {
    uint64_t hash = HYI_FNV1A_START;
    hy_cursor cursor = hy_cursor_at(view, DENTIST_BOOKINGS, NULL);
    for (const dentist_booking *row; (row = hy_cursor_next(&cursor));) {
        uint8_t day = (uint8_t)(row->day_minute / 1440);
        uint16_t minute = row->day_minute % 1440;
        hash = hyi_fnv1a(hash, &day, 1);
        hash = hyi_fnv1a(hash, &minute, 2);
        hash = hyi_fnv1a(hash, &row->treatment, 1);
        hash = hyi_fnv1a(hash, &row->user, 8);
    }
    uint64_t next = dentist_next_id(view);
    for (uint64_t id = 1; id < next; id++) { // requests by id, which are never removed here
        const dentist_request *row =
            hy_row_get(view, DENTIST_REQUESTS, &(dentist_request){ .id = id });
        if (row == NULL) continue;
        uint8_t status = (uint8_t)row->status;
        hash = hyi_fnv1a(hash, &row->id, 8);
        hash = hyi_fnv1a(hash, &status, 1);
    }
    return hyi_fnv1a(hash, &next, 8);
}
