// dentist_check.c - the whole state looked at: the original's check of everything, and its hash.

#include "bench/dentist.h"

#include "base/digest.h"

enum { CHECK_BOOKINGS_MAX = 4096 };

static bool dentist_pair_overlaps(const dentist_booking *a, const dentist_booking *b) {
    return a->day_minute < b->day_minute + b->minutes && b->day_minute < a->day_minute + a->minutes;
}

bool dentist_check_all(const hy_view *view) {
    const dentist_booking *bookings[CHECK_BOOKINGS_MAX];
    size_t count = 0;
    hy_cursor cursor = hy_cursor_at(view, DENTIST_BOOKINGS, NULL);
    for (const dentist_booking *row;
         (row = hy_cursor_next(&cursor)) && count < CHECK_BOOKINGS_MAX;) {
        uint32_t day = row->day_minute / 1440, start = row->day_minute % 1440;
        if (!dentist_is_open(view, day, start, start + row->minutes)) return false;
        bookings[count++] = row;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t day = bookings[i]->day_minute / 1440; // in order: the day's bookings are together
        for (size_t j = i + 1; j < count && bookings[j]->day_minute / 1440 == day; j++) {
            if (dentist_pair_overlaps(bookings[i], bookings[j])) return false;
        }
    }
    cursor = hy_cursor_at(view, DENTIST_REQUESTS, NULL);
    for (const dentist_request *row; (row = hy_cursor_next(&cursor));) {
        if (row->status != DENTIST_CONFIRMED) continue;
        dentist_booking key = { .practice = row->practice, .day_minute = row->day_minute };
        if (hy_row_get(view, DENTIST_BOOKINGS, &key) == NULL) return false;
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
