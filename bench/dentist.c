// dentist.c - the steps. The calendar is the ordered table of bookings: whether a slot is free is
// one seek and a look at both neighbours; the search for a free one walks bookings and the
// 15-minute grid side by side.

#include "bench/dentist.h"

HY_RECORD_DEFINE(dentist_booking, DENTIST_BOOKING)
HY_ENUM_DEFINE(dentist_status, DENTIST_STATUS)
HY_RECORD_DEFINE(dentist_request, DENTIST_REQUEST)
HY_RECORD_DEFINE(dentist_day_hours, DENTIST_DAY_HOURS)
HY_RECORD_DEFINE(dentist_request_slot, DENTIST_REQUEST_SLOT)
HY_RECORD_DEFINE(dentist_range, DENTIST_RANGE)
HY_RECORD_DEFINE(dentist_request_auto, DENTIST_REQUEST_AUTO)
HY_RECORD_DEFINE(dentist_paid, DENTIST_PAID)
HY_RECORD_DEFINE(dentist_cancel, DENTIST_CANCEL)
HY_RECORD_DEFINE(dentist_preauth, DENTIST_PREAUTH)
HY_RECORD_DEFINE(dentist_release, DENTIST_RELEASE)
HY_RECORD_DEFINE(dentist_accepted, DENTIST_ACCEPTED)

const uint16_t dentist_minutes[4] = { 15, 30, 45, 60 };
const uint32_t dentist_cents[4] = { 5000, 7500, 15000, 20000 };

enum { DENTIST_DAY = 1440, DENTIST_GRID = 15 };

// ---- the calendar ----

bool dentist_is_open(const hy_view *view, uint32_t day, uint32_t start, uint32_t end) {
    const dentist_day_hours *hours =
        hy_row_get(view, DENTIST_DAYS, &(dentist_day_hours){ .day = (uint16_t)day });
    if (hours == NULL) return false;
    return (hours->start <= start && end <= hours->end) ||
           (hours->second_start <= start && end <= hours->second_end);
}

static bool dentist_is_free(const hy_view *view, uint16_t practice, uint32_t at, uint32_t minutes) {
    dentist_booking key = { .practice = practice, .day_minute = (uint16_t)at };
    hy_cursor cursor = hy_cursor_at(view, DENTIST_BOOKINGS, &key);
    const dentist_booking *next = hy_cursor_next(&cursor);
    if (next != NULL && next->practice == practice && next->day_minute < at + minutes) return false;
    if (next != NULL) (void)hy_cursor_prev(&cursor);
    const dentist_booking *before = hy_cursor_prev(&cursor);
    return before == NULL || before->practice != practice ||
           (uint32_t)before->day_minute + before->minutes <= at;
}

static bool dentist_is_available(const hy_view *view, uint16_t practice, uint32_t at,
                                 uint32_t minutes) {
    uint32_t start = at % DENTIST_DAY;
    return dentist_is_open(view, at / DENTIST_DAY, start, start + minutes) &&
           dentist_is_free(view, practice, at, minutes);
}

// First fit on the grid that begins at `start`, or 0 (midnight on Monday: never open).
static uint32_t dentist_find_between(const hy_view *view, uint16_t practice, uint32_t start,
                                     uint32_t end, uint32_t minutes) {
    if (start + minutes > end) return 0;
    dentist_booking key = { .practice = practice, .day_minute = (uint16_t)start };
    hy_cursor cursor = hy_cursor_at(view, DENTIST_BOOKINGS, &key);
    const dentist_booking *busy = hy_cursor_prev(&cursor);
    if (busy != NULL) (void)hy_cursor_next(&cursor);
    uint32_t at = start;
    if (busy != NULL && busy->practice != practice) busy = NULL;
    for (;;) {
        uint32_t until = busy == NULL ? 0 : (uint32_t)busy->day_minute + busy->minutes;
        if (until > at) at += (until - at + DENTIST_GRID - 1) / DENTIST_GRID * DENTIST_GRID;
        if (at + minutes > end) return 0;
        busy = hy_cursor_next(&cursor);
        if (busy == NULL || busy->practice != practice || busy->day_minute >= at + minutes)
            return at;
    }
}

// The first wish that fits into one stretch of opening hours.
static uint32_t dentist_find_in(const hy_view *view, const dentist_request_auto *in, uint32_t day,
                                dentist_range hours) {
    uint32_t minutes = dentist_minutes[in->treatment], base = day * DENTIST_DAY;
    for (size_t r = 0; r < in->ranges.len; r++) {
        const dentist_range *wish = &in->ranges.ptr[r];
        uint32_t start = wish->start > hours.start ? wish->start : hours.start;
        uint32_t end = wish->end < hours.end ? wish->end : hours.end;
        uint32_t at = dentist_find_between(view, in->practice, base + start, base + end, minutes);
        if (at != 0) return at;
    }
    return 0;
}

static uint32_t dentist_find(const hy_view *view, const dentist_request_auto *in) {
    for (size_t d = 0; d < in->days.len; d++) {
        dentist_day_hours key = { .day = in->days.ptr[d] };
        const dentist_day_hours *hours = hy_row_get(view, DENTIST_DAYS, &key);
        if (hours == NULL) continue;
        dentist_range first = { hours->start, hours->end };
        dentist_range second = { hours->second_start, hours->second_end };
        uint32_t at = dentist_find_in(view, in, key.day, first);
        if (at == 0) at = dentist_find_in(view, in, key.day, second);
        if (at != 0) return at;
    }
    return 0;
}

// ---- the steps ----

static hy_err dentist_accept(hy_txn *txn, dentist_request request) {
    request.id = hy_row_next_id(txn, DENTIST_REQUESTS);
    dentist_preauth preauth = { .user = request.user,
                                .cents = dentist_cents[request.treatment],
                                .request = request.id };
    request.action = hy_action_emit(txn, DENTIST_DO_PREAUTH, &preauth);
    hy_row_insert(txn, DENTIST_REQUESTS, &request);
    return hy_reply(txn, &(dentist_accepted){ .request = request.id, .action = request.action });
}

static hy_err dentist_step_slot(hy_txn *txn, const dentist_request_slot *in) {
    const hy_view *view = hy_txn_view(txn);
    if (!dentist_is_available(view, in->practice, in->day_minute, dentist_minutes[in->treatment])) {
        return hy_reject(txn, DENTIST_SLOT_NOT_AVAILABLE);
    }
    return dentist_accept(txn, (dentist_request){ .user = in->user,
                                                  .practice = in->practice,
                                                  .day_minute = in->day_minute,
                                                  .treatment = in->treatment,
                                                  .name = in->name,
                                                  .email = in->email });
}

static hy_err dentist_step_auto(hy_txn *txn, const dentist_request_auto *in) {
    uint32_t at = dentist_find(hy_txn_view(txn), in);
    if (at == 0) return hy_reject(txn, DENTIST_NO_SLOT_FOUND);
    return dentist_accept(txn, (dentist_request){ .user = in->user,
                                                  .practice = in->practice,
                                                  .day_minute = (uint16_t)at,
                                                  .treatment = in->treatment,
                                                  .name = in->name,
                                                  .email = in->email });
}

static hy_err dentist_book(hy_txn *txn, dentist_request *request, uint32_t cents) {
    dentist_booking booking = { .practice = request->practice,
                                .day_minute = request->day_minute,
                                .minutes = dentist_minutes[request->treatment],
                                .treatment = request->treatment,
                                .user = request->user,
                                .request = request->id,
                                .paid_cents = cents };
    request->status = DENTIST_CONFIRMED;
    hy_row_insert(txn, DENTIST_BOOKINGS, &booking);
    return HY_OK;
}

// The request is finished without a booking; the live mix forgets it.
static void dentist_finish(hy_txn *txn, dentist_request *request, dentist_status status,
                           bool forget) {
    request->status = status;
    if (forget) hy_row_delete(txn, DENTIST_REQUESTS, request);
}

static hy_err dentist_step_paid(hy_txn *txn, const dentist_paid *in, bool forget) {
    dentist_request *request =
        hy_row_update(txn, DENTIST_REQUESTS, &(dentist_request){ .id = in->request });
    if (request == NULL) return hy_reject(txn, DENTIST_INVALID_REQUEST);
    if (!in->worked) {
        dentist_finish(txn, request, DENTIST_NO_SLOT, forget);
        return HY_OK;
    }
    if (dentist_is_available(hy_txn_view(txn), request->practice, request->day_minute,
                             dentist_minutes[request->treatment])) {
        return dentist_book(txn, request, in->cents);
    }
    dentist_finish(txn, request, DENTIST_TAKEN, forget);
    uint64_t release =
        hy_action_emit(txn, DENTIST_DO_RELEASE, &(dentist_release){ .request = in->request });
    return hy_reply(txn, &(dentist_accepted){ .request = in->request, .action = release });
}

static hy_err dentist_step_cancel(hy_txn *txn, const dentist_cancel *in) {
    const dentist_request *request =
        hy_row_get(hy_txn_view(txn), DENTIST_REQUESTS, &(dentist_request){ .id = in->request });
    if (request == NULL || request->status != DENTIST_CONFIRMED) {
        return hy_reject(txn, DENTIST_INVALID_REQUEST);
    }
    hy_row_delete(
        txn, DENTIST_BOOKINGS,
        &(dentist_booking){ .practice = request->practice, .day_minute = request->day_minute });
    hy_row_delete(txn, DENTIST_REQUESTS, request);
    return HY_OK;
}

static hy_err dentist_step_open_week(hy_txn *txn) {
    static const uint8_t hours[][4] = {
        { 9, 12, 14, 17 }, { 9, 12, 13, 16 }, { 9, 12, 14, 18 }, { 10, 13, 14, 17 }, { 9, 15, 0, 0 }
    };
    for (uint16_t day = 0; day < sizeof hours / sizeof hours[0]; day++) {
        dentist_day_hours row = { .day = day,
                                  .start = (uint16_t)(hours[day][0] * 60),
                                  .end = (uint16_t)(hours[day][1] * 60),
                                  .second_start = (uint16_t)(hours[day][2] * 60),
                                  .second_end = (uint16_t)(hours[day][3] * 60) };
        hy_row_insert(txn, DENTIST_DAYS, &row);
    }
    return HY_OK;
}

static hy_err dentist_run(hy_txn *txn, const hy_input *input, bool forget) {
    switch (input->kind) {
    case DENTIST_IN_SLOT: return dentist_step_slot(txn, input->body);
    case DENTIST_IN_AUTO: return dentist_step_auto(txn, input->body);
    case DENTIST_IN_PAID: return dentist_step_paid(txn, input->body, forget);
    case DENTIST_IN_CANCEL: return dentist_step_cancel(txn, input->body);
    case DENTIST_IN_OPEN_WEEK: return dentist_step_open_week(txn);
    default: return HY_OK; // released: nothing more to do
    }
}

static hy_err dentist_step(hy_txn *txn, const hy_input *input) {
    return dentist_run(txn, input, false);
}

static hy_err dentist_live_step(hy_txn *txn, const hy_input *input) {
    return dentist_run(txn, input, true);
}

// ---- invariants ----

static bool dentist_booking_in_hours(const hy_view *view, const void *row) {
    const dentist_booking *booking = row;
    uint32_t start = booking->day_minute % DENTIST_DAY;
    return dentist_is_open(view, booking->day_minute / DENTIST_DAY, start,
                           start + booking->minutes);
}

static bool dentist_no_overlap(const hy_view *view, const void *before, const void *row,
                               const void *after) {
    (void)view;
    const dentist_booking *p = before;
    const dentist_booking *b = row;
    const dentist_booking *n = after;
    if (n != NULL && n->practice == b->practice && n->day_minute < b->day_minute + b->minutes) {
        return false;
    }
    return p == NULL || p->practice != b->practice || p->day_minute + p->minutes <= b->day_minute;
}

static bool dentist_booking_names_request(const void *row, void *out_target) {
    ((dentist_request *)out_target)->id = ((const dentist_booking *)row)->request;
    return true;
}

static bool dentist_request_is_confirmed(const hy_view *view, const void *row, const void *target) {
    (void)view;
    const dentist_booking *booking = row;
    const dentist_request *request = target;
    return request->status == DENTIST_CONFIRMED && request->user == booking->user &&
           request->treatment == booking->treatment;
}

static bool dentist_request_names_booking(const void *row, void *out_target) {
    const dentist_request *request = row;
    dentist_booking *booking = out_target;
    booking->practice = request->practice;
    booking->day_minute = request->day_minute;
    return request->status == DENTIST_CONFIRMED;
}

static bool dentist_booking_is_for_request(const hy_view *view, const void *row,
                                           const void *target) {
    (void)view;
    return ((const dentist_booking *)target)->request == ((const dentist_request *)row)->id;
}

// The original lets a late answer overwrite an early one, so every move from anywhere is legal here
// but one: what was booked or refused never waits again, and what was asked for stays the same.
static bool dentist_request_moves_on(const hy_view *view, const void *before, const void *after) {
    (void)view;
    const dentist_request *b = before;
    const dentist_request *a = after;
    if (b == NULL || a == NULL) return true;
    bool same =
        b->user == a->user && b->day_minute == a->day_minute && b->treatment == a->treatment;
    return same && (a->status != DENTIST_AWAITING || b->status == DENTIST_AWAITING);
}

static int64_t dentist_one(const void *row) {
    return ((const dentist_request *)row)->status == DENTIST_CONFIRMED;
}

static bool dentist_confirmed_are_booked(const hy_view *view, int64_t sum) {
    return sum == (int64_t)hy_row_count(view, DENTIST_BOOKINGS);
}

static const hy_invariant dentist_invariants[] = {
    HY_ROW_HOLDS(DENTIST_BOOKINGS, HY_VETO, dentist_booking_in_hours),
    HY_NEIGHBOURS_HOLD(DENTIST_BOOKINGS, HY_VETO, dentist_no_overlap),
    HY_REFERENCE_HOLDS(DENTIST_BOOKINGS, DENTIST_REQUESTS, HY_VETO, dentist_booking_names_request,
                       dentist_request_is_confirmed),
    HY_REFERENCE_HOLDS(DENTIST_REQUESTS, DENTIST_BOOKINGS, HY_VETO, dentist_request_names_booking,
                       dentist_booking_is_for_request),
    HY_STEP_HOLDS(DENTIST_REQUESTS, HY_VETO, dentist_request_moves_on),
    HY_SUM_HOLDS(DENTIST_REQUESTS, HY_VETO, dentist_one, dentist_confirmed_are_booked),
};

// ---- the descriptions ----

static const hy_table dentist_tables[] = {
    [DENTIST_BOOKINGS] = { .name = "booking",
                           .row = &dentist_booking_record,
                           .key_count = 2,
                           .ordered = true },
    [DENTIST_REQUESTS] = { .name = "request",
                           .row = &dentist_request_record,
                           .key_count = 1,
                           .rows_max = 1u << 28 },
    [DENTIST_DAYS] = { .name = "day_hours", .row = &dentist_day_hours_record, .key_count = 1 },
};
static const hy_input_kind dentist_inputs[] = {
    [DENTIST_IN_SLOT] = { .name = "request_slot",
                          .body = &dentist_request_slot_record,
                          .reply = &dentist_accepted_record },
    [DENTIST_IN_AUTO] = { .name = "request_auto",
                          .body = &dentist_request_auto_record,
                          .reply = &dentist_accepted_record },
    [DENTIST_IN_PAID] = { .name = "paid",
                          .body = &dentist_paid_record,
                          .reply = &dentist_accepted_record,
                          .internal = true }, // only if too late
    [DENTIST_IN_RELEASED] = { .name = "released",
                              .body = &dentist_release_record,
                              .internal = true },
    [DENTIST_IN_CANCEL] = { .name = "cancel", .body = &dentist_cancel_record },
    [DENTIST_IN_OPEN_WEEK] = { .name = "open_week" },
};
static const hy_action_kind dentist_actions[] = {
    [DENTIST_DO_PREAUTH] = { .name = "preauth",
                             .body = &dentist_preauth_record,
                             .tracked = true,
                             .completion = DENTIST_IN_PAID },
    [DENTIST_DO_RELEASE] = { .name = "release",
                             .body = &dentist_release_record,
                             .tracked = true,
                             .completion = DENTIST_IN_RELEASED },
};
static const hy_rejection dentist_rejections[] = {
    { NULL, NULL, 0 },
    [DENTIST_SLOT_NOT_AVAILABLE] = { "SLOT_NOT_AVAILABLE", "the slot is not available", 0 },
    [DENTIST_NO_SLOT_FOUND] = { "NO_SLOT_FOUND", "no slot fits the wishes", 0 },
    [DENTIST_INVALID_REQUEST] = { "INVALID_REQUEST", "there is no such request", 404 },
};

#define DENTIST_MACHINE(step_, invariants_, count_)                                                \
    {                                                                                              \
        .name = "dentist", .version = 1, .tables = dentist_tables,                                 \
        .table_count = HY_COUNT_OF(dentist_tables), .inputs = dentist_inputs,                      \
        .input_count = HY_COUNT_OF(dentist_inputs), .actions = dentist_actions,                    \
        .action_count = HY_COUNT_OF(dentist_actions), .rejections = dentist_rejections,            \
        .rejection_count = HY_COUNT_OF(dentist_rejections), .invariants = (invariants_),           \
        .invariant_count = (count_), .step = (step_)                                               \
    }
const hy_machine dentist_machine =
    DENTIST_MACHINE(dentist_step, dentist_invariants, HY_COUNT_OF(dentist_invariants));
const hy_machine dentist_bare_machine = DENTIST_MACHINE(dentist_step, NULL, 0);
const hy_machine dentist_live_machine =
    DENTIST_MACHINE(dentist_live_step, dentist_invariants, HY_COUNT_OF(dentist_invariants));
