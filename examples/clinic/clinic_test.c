// clinic_test.c - what the clinic promises, and the defects of the example it grew out of.
//
// The machine is stepped directly, every step twice (twin), with rows that cannot be written behind
// the log's back. After each input all invariants are checked over all rows.

#include "clinic.h"

#include "appointment.h"
#include "base/cleanup.h"
#include "calendar.h"
#include "kit/kit.h"
#include <hypha/world.h>

#define DAY HY_SECONDS(86400)
#define MONDAY 20458u // 2026-01-05
#define MINUTES(n) HY_SECONDS((n)*60)

static const hy_id ALICE = { 0xa11ce, 1 };
static const hy_id BOB = { 0xb0b, 2 };

typedef struct desk {
    hy_state *state;
    uint64_t seq;
    hy_ns now;
    hy_outcome outcome;
} desk;

static void desk_deinit(desk *d) {
    d->state = hy_state_free(d->state);
}

static const hy_view *desk_view(const desk *d) {
    return hy_state_view(d->state);
}

static hy_err desk_send(desk *d, uint32_t kind, const void *body, uint64_t action_id) {
    d->now += HY_MS(1);
    hy_input input = { .seq = ++d->seq,
                       .now = d->now,
                       .random = d->seq * 31,
                       .kind = kind,
                       .body = body,
                       .action_id = action_id };
    hy_err err = hy_state_step(d->state, &input, &d->outcome);
    hy_why why = { 0 };
    if (err != HY_NOMEM && hy_state_check(d->state, &why) != HY_OK) {
        kit_fail(__FILE__, __LINE__, "after input %s: %s", clinic_machine.inputs[kind].name,
                 why.text);
    }
    return err;
}

// Opens at eight on Monday.
static hy_err desk_init(hy_mem *mem, desk *d) {
    hy_why why = { 0 };
    hy_err err = hy_state_new(mem, &clinic_machine,
                              HY_OPTIONS(hy_state, .twin = true, .guard = hy_guard_pages()),
                              &d->state, &why);
    if (err != HY_OK) return err;
    d->now = calendar_instant_of(MONDAY, 8 * 60);
    clinic_setup setup = clinic_demo(0x5eed);
    return desk_send(d, CLINIC_IN_SETUP, &setup, 0);
}

// ---- asking ----

static clinic_request_slot desk_slot(hy_id patient, uint32_t minute, clinic_treatment treatment) {
    return (clinic_request_slot){ .patient = patient,
                                  .name = HY_BYTES("Alice Example"),
                                  .email = HY_BYTES("alice@example.com"),
                                  .practice = 1,
                                  .dentist = 1,
                                  .day = MONDAY,
                                  .minute = minute,
                                  .treatment = treatment };
}

static hy_err desk_request(desk *d, hy_id patient, uint32_t minute, clinic_treatment treatment) {
    clinic_request_slot body = desk_slot(patient, minute, treatment);
    return desk_send(d, CLINIC_IN_REQUEST_SLOT, &body, 0);
}

// `body` must be rejected with `rejection`, and nothing may change.
static hy_err desk_refused(desk *d, uint32_t kind, const void *body, uint32_t rejection) {
    uint64_t digest = hy_state_digest(d->state);
    CHECK_ERR(desk_send(d, kind, body, 0), HY_REJECT);
    CHECK_EQ(d->outcome.rejection, rejection);
    CHECK_EQ(d->outcome.action_count, 0);
    CHECK_EQ(hy_state_digest_slow(d->state), digest);
    return HY_OK;
}

static const clinic_appointment *desk_appointment(const desk *d, uint64_t id) {
    return hy_row_get(desk_view(d), CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = id });
}

static uint32_t desk_bookings(const desk *d) {
    return hy_row_count(desk_view(d), CLINIC_BOOKINGS);
}

static uint32_t desk_pending(const desk *d) {
    return hy_row_count(desk_view(d), HY_LEDGER) - 1; // less the routine
}

// ---- the provider's answers ----

static hy_err desk_done(desk *d, uint32_t kind, uint64_t appointment, uint64_t action,
                        bool worked) {
    return desk_send(d, kind, &(clinic_done){ appointment, worked }, action);
}

// Answers what the appointment waits for.
static hy_err desk_answer(desk *d, uint64_t id, bool worked) {
    static const uint32_t kinds[] = { [CLINIC_HOLDING] = CLINIC_IN_HOLD_DONE,
                                      [CLINIC_CONFIRMING] = CLINIC_IN_CAPTURE_DONE,
                                      [CLINIC_RELEASING] = CLINIC_IN_RELEASE_DONE };
    const clinic_appointment *a = desk_appointment(d, id);
    return desk_done(d, kinds[a->state], id, a->action, worked);
}

static hy_err desk_confirm(desk *d, hy_id patient, uint32_t minute, clinic_treatment treatment,
                           uint64_t *out_id) {
    hy_err err = desk_request(d, patient, minute, treatment);
    if (err != HY_OK) return err;
    hy_cursor last =
        hy_cursor_at(desk_view(d), CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = UINT64_MAX });
    *out_id = ((const clinic_appointment *)hy_cursor_prev(&last))->id;
    err = desk_answer(d, *out_id, true);
    return err == HY_OK ? desk_answer(d, *out_id, true) : err;
}

// ---- the way of one appointment ----

static hy_err description_is_sound(hy_mem *mem) {
    (void)mem;
    hy_why why = { 0 };
    CHECK_OK(hy_machine_check(&clinic_machine, &why));
    return HY_OK;
}

static hy_err request_reserves_holds_and_confirms(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_HOLDING);
    CHECK_EQ(desk_bookings(&d), 1);
    CHECK_EQ(desk_pending(&d), 2); // the hold and its expiry
    CHECK_OK(desk_answer(&d, 1, true));
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_CONFIRMING);
    CHECK_OK(desk_answer(&d, 1, true));
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_CONFIRMED);
    CHECK_EQ(desk_appointment(&d, 1)->price_cents, 7500);
    CHECK_EQ(desk_pending(&d), 0);
    CHECK_EQ(desk_bookings(&d), 1);
    return HY_OK;
}

static hy_err race_is_decided_at_the_request(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    clinic_request_slot same = desk_slot(BOB, 540, CLINIC_CLEANING);
    clinic_request_slot inside = desk_slot(BOB, 555, CLINIC_CLEANING);
    clinic_request_slot after = desk_slot(BOB, 570, CLINIC_CLEANING);
    CHECK_OK(desk_refused(&d, CLINIC_IN_REQUEST_SLOT, &same, CLINIC_SLOT_TAKEN));
    CHECK_OK(desk_refused(&d, CLINIC_IN_REQUEST_SLOT, &inside, CLINIC_SLOT_TAKEN));
    CHECK_OK(desk_send(&d, CLINIC_IN_REQUEST_SLOT, &after, 0));
    CHECK_EQ(desk_bookings(&d), 2);
    return HY_OK;
}

static hy_err declined_payment_frees_the_slot(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    CHECK_OK(desk_answer(&d, 1, false));
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_DECLINED);
    CHECK_EQ(desk_bookings(&d), 0);
    CHECK_EQ(desk_pending(&d), 0);
    CHECK_OK(desk_request(&d, BOB, 540, CLINIC_CHECKUP));
    return HY_OK;
}

static hy_err payment_that_takes_too_long_is_given_up(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    uint64_t hold = desk_appointment(&d, 1)->action;
    uint64_t expiry = desk_appointment(&d, 1)->expiry;
    d.now += CLINIC_HOLD_MAX;
    CHECK_OK(desk_send(&d, CLINIC_IN_EXPIRED, &(clinic_due){ 1 }, expiry));
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_RELEASING);
    CHECK_EQ(desk_bookings(&d), 0);
    CHECK_ERR(desk_done(&d, CLINIC_IN_HOLD_DONE, 1, hold, true), HY_ALREADY_DONE);
    CHECK_OK(desk_answer(&d, 1, true));
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_CANCELLED);
    return HY_OK;
}

static hy_err cancelling_gives_the_money_back(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    uint64_t id = 0;
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_confirm(&d, ALICE, 540, CLINIC_CHECKUP, &id));
    const clinic_cancel cancel = { ALICE, id };
    CHECK_OK(desk_refused(&d, CLINIC_IN_CANCEL, &(clinic_cancel){ BOB, id }, CLINIC_NOT_YOURS));
    CHECK_OK(desk_refused(&d, CLINIC_IN_CANCEL, &(clinic_cancel){ ALICE, 99 }, CLINIC_NOT_FOUND));
    CHECK_OK(desk_send(&d, CLINIC_IN_CANCEL, &cancel, 0));
    CHECK_EQ(desk_appointment(&d, id)->state, CLINIC_RELEASING);
    CHECK_EQ(desk_bookings(&d), 0);
    CHECK_OK(desk_refused(&d, CLINIC_IN_CANCEL, &cancel, CLINIC_ALREADY_OVER));
    CHECK_OK(desk_answer(&d, id, true));
    CHECK_EQ(desk_appointment(&d, id)->state, CLINIC_RELEASED);
    CHECK_OK(desk_refused(&d, CLINIC_IN_CANCEL, &cancel, CLINIC_ALREADY_OVER));
    return HY_OK;
}

static hy_err refused_capture_is_released(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    CHECK_OK(desk_answer(&d, 1, true));
    CHECK_OK(desk_answer(&d, 1, false));
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_RELEASING);
    CHECK_OK(desk_answer(&d, 1, true));
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_RELEASED);
    return HY_OK;
}

static hy_err move_is_one_step(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    uint64_t id = 0;
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_confirm(&d, ALICE, 540, CLINIC_CHECKUP, &id));
    CHECK_OK(desk_request(&d, BOB, 600, CLINIC_CHECKUP));
    clinic_move move = { ALICE, id, 1, MONDAY, 600 };
    CHECK_OK(desk_refused(&d, CLINIC_IN_MOVE, &move, CLINIC_SLOT_TAKEN));
    CHECK_EQ(desk_appointment(&d, id)->minute, 540);
    move.minute = 555; // into a part of its own time
    CHECK_OK(desk_send(&d, CLINIC_IN_MOVE, &move, 0));
    move = (clinic_move){ ALICE, id, 2, MONDAY + 1, 720 };
    CHECK_OK(desk_send(&d, CLINIC_IN_MOVE, &move, 0));
    CHECK_EQ(desk_appointment(&d, id)->dentist, 2);
    CHECK_EQ(desk_appointment(&d, id)->price_cents, 7500);
    CHECK_EQ(desk_bookings(&d), 2);
    CHECK_OK(desk_refused(&d, CLINIC_IN_MOVE, &(clinic_move){ BOB, 2, 1, MONDAY, 540 },
                          CLINIC_NOT_CONFIRMED));
    return HY_OK;
}

static hy_err any_finds_the_earliest_time(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    uint32_t days[] = { MONDAY, MONDAY + 1 };
    clinic_range ranges[] = { { 547, 720 }, { 0, 1440 } };
    clinic_request_any any = { .patient = ALICE,
                               .name = HY_BYTES("Alice"),
                               .email = HY_BYTES("a@b.c"),
                               .practice = 1,
                               .dentist = 1,
                               .days = { days, 2 },
                               .ranges = { ranges, 1 },
                               .treatment = CLINIC_ROOT_CANAL };
    CHECK_OK(desk_send(&d, CLINIC_IN_REQUEST_ANY, &any, 0));
    CHECK_EQ(desk_appointment(&d, 1)->minute, 555); // the grid hangs on midnight
    CHECK_OK(desk_send(&d, CLINIC_IN_REQUEST_ANY, &any, 0));
    CHECK_EQ(desk_appointment(&d, 2)->minute, 615);
    CHECK_OK(desk_send(&d, CLINIC_IN_REQUEST_ANY, &any, 0)); // only 675 to 720 is left
    CHECK_EQ(desk_appointment(&d, 3)->day, MONDAY + 1);
    any.dentist = 0;
    any.ranges.len = 2;
    CHECK_OK(desk_send(&d, CLINIC_IN_REQUEST_ANY, &any, 0));
    CHECK_EQ(desk_appointment(&d, 4)->dentist, 2);
    CHECK_EQ(desk_appointment(&d, 4)->minute, 555);
    any.dentist = 1;
    any.days.len = 1;
    any.ranges.len = 1;
    CHECK_OK(desk_refused(&d, CLINIC_IN_REQUEST_ANY, &any, CLINIC_NO_SLOT));
    return HY_OK;
}

// ---- bad requests ----

typedef struct bad_request {
    uint32_t rejection;
    clinic_request_slot body;
} bad_request;

static hy_err bad_requests_have_stable_names(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    const clinic_request_slot good = desk_slot(ALICE, 540, CLINIC_CHECKUP);
    bad_request bad[] = {
        { CLINIC_UNKNOWN_PRACTICE, good }, { CLINIC_UNKNOWN_DENTIST, good },
        { CLINIC_OUTSIDE_HOURS, good },    { CLINIC_OUTSIDE_HOURS, good },
        { CLINIC_IN_THE_PAST, good },      { CLINIC_TOO_FAR_AHEAD, good },
        { CLINIC_TOO_FAR_AHEAD, good },    { CLINIC_UNKNOWN_TREATMENT, good },
        { CLINIC_BAD_PATIENT, good },      { CLINIC_BAD_NAME, good },
        { CLINIC_BAD_NAME, good },         { CLINIC_BAD_EMAIL, good },
        { CLINIC_BAD_EMAIL, good },        { CLINIC_OUTSIDE_HOURS, good },
    };
    bad[0].body.practice = 9;
    bad[1].body.dentist = 9;
    bad[2].body.minute = 12 * 60;     // lunch
    bad[3].body.minute = 4294967280u; // on the grid, but of no day
    bad[4].body.day = MONDAY - 7;
    bad[5].body.day = MONDAY + 700;
    bad[6].body.day = UINT32_MAX;
    bad[7].body.treatment = 77;
    bad[8].body.patient = (hy_id){ 0, 0 };
    bad[9].body.name = HY_BYTES("   ");
    bad[10].body.name = HY_BYTES("two\nlines");
    bad[11].body.email = HY_BYTES("alice@example");
    bad[12].body.email = HY_BYTES("alice example@example.com");
    bad[13].body.minute = 12 * 60 - 15; // begins in time, ends in lunch
    for (size_t i = 0; i < HY_COUNT_OF(bad); i++) {
        CHECK_OK(desk_refused(&d, CLINIC_IN_REQUEST_SLOT, &bad[i].body, bad[i].rejection));
    }
    return HY_OK;
}

static hy_err one_patient_cannot_take_everything(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    clinic_request_slot body = desk_slot(ALICE, 0, CLINIC_CLEANING);
    for (uint32_t i = 0; i < CLINIC_OPEN_MAX; i++) {
        body.day = MONDAY + i / 12 * 7;
        body.minute = 540 + i % 12 * 15;
        CHECK_OK(desk_send(&d, CLINIC_IN_REQUEST_SLOT, &body, 0));
    }
    body.day = MONDAY + 14;
    CHECK_OK(desk_refused(&d, CLINIC_IN_REQUEST_SLOT, &body, CLINIC_TOO_MANY));
    body.patient = BOB;
    CHECK_OK(desk_send(&d, CLINIC_IN_REQUEST_SLOT, &body, 0));
    return HY_OK;
}

static hy_err setup_happens_once(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    clinic_setup again = clinic_demo(7);
    return desk_refused(&d, CLINIC_IN_SETUP, &again, CLINIC_ALREADY_SET_UP);
}

static hy_err hold_names_come_back(hy_mem *mem) {
    (void)mem;
    char text[CLINIC_HOLD_TEXT_MAX];
    size_t len = clinic_hold_format(UINT64_MAX, UINT64_MAX, text);
    hy_bytes bytes = { (const uint8_t *)text, len };
    CHECK(clinic_hold_parse(UINT64_MAX, bytes) == UINT64_MAX);
    CHECK_EQ(clinic_hold_parse(1, bytes), 0);
    CHECK_EQ(clinic_hold_parse(0, HY_BYTES("")), 0);
    CHECK_EQ(clinic_hold_parse(0, HY_BYTES("c0000000000000000-12")), 12);
    CHECK_EQ(clinic_hold_parse(0, HY_BYTES("c0000000000000000-012")), 0);
    return HY_OK;
}

// ---- the defects of the example that this one grew out of ----

static hy_err d1_duplicate_completion_changes_nothing(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    uint64_t hold = desk_appointment(&d, 1)->action;
    CHECK_OK(desk_done(&d, CLINIC_IN_HOLD_DONE, 1, hold, true));
    uint64_t digest = hy_state_digest(d.state);
    CHECK_ERR(desk_done(&d, CLINIC_IN_HOLD_DONE, 1, hold, true), HY_ALREADY_DONE);
    CHECK_EQ(d.outcome.action_count, 0); // no second capture, and no release
    CHECK_EQ(hy_state_digest(d.state), digest);
    return HY_OK;
}

static hy_err d2_late_failure_changes_nothing(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    uint64_t id = 0;
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    uint64_t hold = desk_appointment(&d, 1)->action;
    CHECK_OK(desk_answer(&d, 1, true));
    CHECK_ERR(desk_done(&d, CLINIC_IN_HOLD_DONE, 1, hold, false), HY_ALREADY_DONE);
    CHECK_OK(desk_answer(&d, 1, true));
    CHECK_ERR(desk_done(&d, CLINIC_IN_HOLD_DONE, 1, hold, false), HY_ALREADY_DONE);
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_CONFIRMED);
    CHECK_OK(desk_confirm(&d, BOB, 600, CLINIC_CHECKUP, &id));
    CHECK_EQ(desk_bookings(&d), 2);
    return HY_OK;
}

static hy_err d3_failed_request_is_not_resurrected(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    uint64_t hold = desk_appointment(&d, 1)->action;
    CHECK_OK(desk_answer(&d, 1, false));
    CHECK_ERR(desk_done(&d, CLINIC_IN_HOLD_DONE, 1, hold, true), HY_ALREADY_DONE);
    CHECK_EQ(desk_appointment(&d, 1)->state, CLINIC_DECLINED);

    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP)); // and one that was cancelled meanwhile
    hold = desk_appointment(&d, 2)->action;
    CHECK_OK(desk_send(&d, CLINIC_IN_CANCEL, &(clinic_cancel){ ALICE, 2 }, 0));
    CHECK_ERR(desk_done(&d, CLINIC_IN_HOLD_DONE, 2, hold, true), HY_ALREADY_DONE);
    CHECK_OK(desk_answer(&d, 2, true));
    CHECK_EQ(desk_appointment(&d, 2)->state, CLINIC_CANCELLED);
    CHECK_EQ(desk_bookings(&d), 0);
    return HY_OK;
}

static hy_err d4_release_is_owed_until_it_is_done(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    uint64_t id = 0;
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_confirm(&d, ALICE, 540, CLINIC_CHECKUP, &id));
    CHECK_OK(desk_send(&d, CLINIC_IN_CANCEL, &(clinic_cancel){ ALICE, id }, 0));
    uint64_t release = desk_appointment(&d, id)->action;
    const hy_ledger_row *row =
        hy_row_get(desk_view(&d), HY_LEDGER, &(hy_ledger_row){ .id = release });
    CHECK(row != NULL); // what a restart emits again
    CHECK_EQ(row->kind, CLINIC_DO_RELEASE);
    CHECK_OK(desk_answer(&d, id, true));
    CHECK(!hy_action_is_pending(desk_view(&d), release));
    return HY_OK;
}

static hy_err d5_pending_actions_keep_their_order(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_OK(desk_request(&d, ALICE, 540 + i * 15, CLINIC_CLEANING));
    }
    uint64_t last = 0;
    uint32_t holds = 0;
    hy_cursor cursor = hy_cursor_at(desk_view(&d), HY_LEDGER, NULL);
    for (const hy_ledger_row *row; (row = hy_cursor_next(&cursor)) != NULL;) {
        CHECK(row->id > last);
        last = row->id;
        holds += row->due == 0;
    }
    CHECK_EQ(holds, 6);
    return HY_OK;
}

static hy_err d6_refused_request_leaves_no_trace(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    uint64_t digest = hy_state_digest(d.state);
    CHECK_ERR(desk_request(&d, BOB, 540, CLINIC_CHECKUP), HY_REJECT);
    CHECK_EQ(hy_state_digest(d.state), digest); // ids and patients too
    CHECK_EQ(hy_row_count(desk_view(&d), CLINIC_PATIENTS), 1);
    CHECK_OK(desk_request(&d, BOB, 600, CLINIC_CHECKUP));
    CHECK(desk_appointment(&d, 2) != NULL); // the refused one used no number
    return HY_OK;
}

static hy_err d7_old_appointments_are_forgotten(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    uint64_t id = 0;
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_confirm(&d, ALICE, 540, CLINIC_CHECKUP, &id));
    CHECK_OK(desk_request(&d, BOB, 600, CLINIC_CHECKUP));
    CHECK_OK(desk_answer(&d, 2, false));
    for (uint32_t i = 0; i < CLINIC_KEPT_DAYS; i++) {
        CHECK(desk_appointment(&d, id) != NULL);
        const clinic_office *office =
            hy_row_get(desk_view(&d), CLINIC_OFFICES, &(clinic_office){ 0 });
        d.now += DAY;
        CHECK_OK(desk_send(&d, CLINIC_IN_ROUTINE, NULL, office->routine));
    }
    const hy_view *view = desk_view(&d);
    for (uint32_t table = CLINIC_APPOINTMENTS; table < CLINIC_OFFICES; table++) {
        CHECK_EQ(hy_row_count(view, table), 0);
    }
    const clinic_office *office = hy_row_get(view, CLINIC_OFFICES, &(clinic_office){ 0 });
    CHECK_EQ(office->money_cents, 0);
    CHECK_EQ(office->earned_cents, 7500);
    CHECK_EQ(hy_row_count(view, HY_LEDGER), 1); // tomorrow's routine
    return HY_OK;
}

static hy_err d7_one_patient_is_bounded(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    uint64_t id = 0;
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_confirm(&d, ALICE, 600, CLINIC_CHECKUP, &id));
    for (uint32_t i = 2; i <= CLINIC_VISITS_MAX + 6; i++) {
        CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
        CHECK_OK(desk_answer(&d, i, false));
    }
    CHECK_EQ(hy_row_count(desk_view(&d), CLINIC_APPOINTMENTS), CLINIC_VISITS_MAX);
    CHECK(desk_appointment(&d, id) != NULL); // older, but not over
    CHECK(desk_appointment(&d, 7) == NULL);
    CHECK(desk_appointment(&d, 8) != NULL);
    return HY_OK;
}

static hy_err d7_history_is_bounded(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    uint64_t id = 0;
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_confirm(&d, ALICE, 540, CLINIC_CHECKUP, &id));
    for (uint32_t i = 0; i < 2 * CLINIC_EVENTS_MAX; i++) {
        clinic_move move = { ALICE, id, 1, MONDAY, i % 2 == 0 ? 600 : 540 };
        CHECK_OK(desk_send(&d, CLINIC_IN_MOVE, &move, 0));
    }
    CHECK_EQ(hy_row_count(desk_view(&d), CLINIC_HISTORIES), CLINIC_EVENTS_MAX);
    return HY_OK;
}

static hy_err d8_times_off_the_grid_are_refused(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    uint64_t id = 0;
    CHECK_OK(desk_init(mem, &d));
    clinic_request_slot body = desk_slot(ALICE, 547, CLINIC_CHECKUP);
    CHECK_OK(desk_refused(&d, CLINIC_IN_REQUEST_SLOT, &body, CLINIC_OFF_GRID));
    CHECK_OK(desk_confirm(&d, ALICE, 540, CLINIC_CHECKUP, &id));
    clinic_move move = { ALICE, id, 1, MONDAY, 601 };
    CHECK_OK(desk_refused(&d, CLINIC_IN_MOVE, &move, CLINIC_OFF_GRID));
    return HY_OK;
}

static hy_err d9_unknown_completions_are_all_answered_alike(hy_mem *mem) {
    HY_CLEANUP(desk_deinit) desk d = { 0 };
    CHECK_OK(desk_init(mem, &d));
    CHECK_OK(desk_request(&d, ALICE, 540, CLINIC_CHECKUP));
    uint64_t digest = hy_state_digest(d.state);
    static const uint32_t kinds[] = { CLINIC_IN_HOLD_DONE, CLINIC_IN_CAPTURE_DONE,
                                      CLINIC_IN_RELEASE_DONE };
    for (size_t i = 0; i < HY_COUNT_OF(kinds); i++) {
        CHECK_ERR(desk_done(&d, kinds[i], 1, 999, true), HY_NOT_FOUND);
        CHECK_ERR(desk_done(&d, kinds[i], 1, 999, false), HY_NOT_FOUND);
    }
    uint64_t hold = desk_appointment(&d, 1)->action; // one that is owed, answered by another kind
    CHECK_ERR(desk_done(&d, CLINIC_IN_RELEASE_DONE, 1, hold, true), HY_UNKNOWN_KIND);
    CHECK_EQ(hy_state_digest(d.state), digest);
    return HY_OK;
}

// ---- everything at once ----

typedef struct crowd {
    desk d;
    uint64_t random;
} crowd;

static uint32_t crowd_below(crowd *c, uint32_t bound) {
    return (uint32_t)(kit_random(&c->random) % bound);
}

// The id of an appointment that may exist.
static uint64_t crowd_some(crowd *c) {
    uint32_t count = hy_row_count(desk_view(&c->d), CLINIC_APPOINTMENTS);
    hy_cursor last = hy_cursor_at(desk_view(&c->d), CLINIC_APPOINTMENTS,
                                  &(clinic_appointment){ .id = UINT64_MAX });
    const clinic_appointment *a = hy_cursor_prev(&last);
    uint64_t newest = a == NULL ? 0 : a->id;
    return newest - crowd_below(c, count + 2);
}

static hy_err crowd_ask(crowd *c) {
    clinic_request_slot body =
        desk_slot((hy_id){ 1, 1 + crowd_below(c, 40) },
                  crowd_below(c, 100) * 15 + (crowd_below(c, 20) == 0), crowd_below(c, 6));
    body.practice = 1 + crowd_below(c, 3);
    body.dentist = 1 + crowd_below(c, 3);
    body.day = calendar_day_of(c->d.now) + crowd_below(c, 14);
    return desk_send(&c->d, CLINIC_IN_REQUEST_SLOT, &body, 0);
}

static hy_err crowd_ask_any(crowd *c) {
    uint32_t days[3];
    clinic_range ranges[2];
    for (size_t i = 0; i < 3; i++)
        days[i] = calendar_day_of(c->d.now) + crowd_below(c, 14);
    for (size_t i = 0; i < 2; i++) {
        ranges[i].start = crowd_below(c, 1000);
        ranges[i].end = ranges[i].start + crowd_below(c, 400);
    }
    clinic_request_any body = { .patient = { 1, 1 + crowd_below(c, 40) },
                                .name = HY_BYTES("Somebody"),
                                .email = HY_BYTES("s@b.dy"),
                                .practice = 1 + crowd_below(c, 3),
                                .dentist = crowd_below(c, 3),
                                .days = { days, 1 + crowd_below(c, 3) },
                                .ranges = { ranges, 1 + crowd_below(c, 2) },
                                .treatment = 1 + crowd_below(c, 4) };
    return desk_send(&c->d, CLINIC_IN_REQUEST_ANY, &body, 0);
}

static hy_err crowd_change(crowd *c) {
    uint64_t id = crowd_some(c);
    const clinic_appointment *a = desk_appointment(&c->d, id);
    hy_id patient = a == NULL || crowd_below(c, 10) == 0 ? BOB : a->patient;
    if (crowd_below(c, 2) == 0) {
        return desk_send(&c->d, CLINIC_IN_CANCEL, &(clinic_cancel){ patient, id }, 0);
    }
    clinic_move move = { patient, id, 1 + crowd_below(c, 3),
                         calendar_day_of(c->d.now) + crowd_below(c, 7), crowd_below(c, 100) * 15 };
    return desk_send(&c->d, CLINIC_IN_MOVE, &move, 0);
}

// Something from outside: right, wrong, early, late, twice, or of the wrong kind.
static hy_err crowd_complete(crowd *c) {
    const hy_ledger_row *row = NULL;
    hy_cursor cursor = hy_cursor_at(desk_view(&c->d), HY_LEDGER, NULL);
    for (uint32_t skip = crowd_below(c, desk_pending(&c->d) + 1) + 1; skip > 0; skip--) {
        row = hy_cursor_next(&cursor);
    }
    hy_arena arena;
    hy_arena_init(&arena, kit_heap(), 0);
    if (row->due != 0) { // a timer: only when it is time
        bool routine = row->kind == CLINIC_IN_ROUTINE;
        clinic_due due = { 0 };
        if (!routine) CHECK_OK(hy_wire_decode(&clinic_due_record, row->body, &arena, &due, NULL));
        hy_arena_deinit(&arena);
        if (row->due > c->d.now) return HY_REJECT;
        return desk_send(&c->d, row->kind, routine ? NULL : &due, row->id);
    }
    clinic_payment payment;
    CHECK_OK(hy_wire_decode(&clinic_payment_record, row->body, &arena, &payment, NULL));
    clinic_done done = { payment.appointment, crowd_below(c, 5) != 0 };
    hy_arena_deinit(&arena);
    uint64_t id = crowd_below(c, 6) == 0 ? 1 + crowd_below(c, (uint32_t)row->id + 3) : row->id;
    uint32_t kind = clinic_machine.actions[row->kind].completion;
    if (id != row->id) {
        const hy_ledger_row *other =
            hy_row_get(desk_view(&c->d), HY_LEDGER, &(hy_ledger_row){ .id = id });
        if (other != NULL) return HY_REJECT; // executors do not mix up what is owed
    }
    return desk_send(&c->d, kind, &done, id);
}

static hy_err crowd_act(crowd *c) {
    c->d.now += crowd_below(c, 50) == 0 ? HY_SECONDS(crowd_below(c, 200000)) : HY_SECONDS(1);
    uint32_t what = crowd_below(c, 100);
    if (what < 25) return crowd_ask(c);
    if (what < 40) return crowd_ask_any(c);
    if (what < 55) return crowd_change(c);
    return crowd_complete(c);
}

// Every input is checked against all invariants by desk_send; here only that nothing breaks one,
// that nothing runs over, and that enough really happened.
static hy_err crowd_of_patients_breaks_nothing(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(desk_deinit) desk start = { 0 };
    CHECK_OK(desk_init(kit_heap(), &start));
    crowd c = { .d = start, .random = kit_seed() };
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < 6000; i++) {
        hy_err err = crowd_act(&c);
        bool answer = err == HY_OK || err == HY_REJECT || err == HY_ALREADY_DONE ||
                      err == HY_NOT_FOUND || err == HY_UNKNOWN_KIND;
        if (!answer) {
            kit_fail(__FILE__, __LINE__, "input %u: %s %s", i, hy_err_name(err),
                     c.d.outcome.invariant == NULL ? "" : c.d.outcome.invariant);
        }
        accepted += err == HY_OK;
    }
    CHECK(accepted > 1500);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(description_is_sound), KIT_TEST_ONCE(hold_names_come_back),
          KIT_TEST(request_reserves_holds_and_confirms), KIT_TEST(race_is_decided_at_the_request),
          KIT_TEST(declined_payment_frees_the_slot),
          KIT_TEST(payment_that_takes_too_long_is_given_up),
          KIT_TEST(cancelling_gives_the_money_back), KIT_TEST(refused_capture_is_released),
          KIT_TEST(move_is_one_step), KIT_TEST(any_finds_the_earliest_time),
          KIT_TEST(bad_requests_have_stable_names), KIT_TEST(setup_happens_once),
          KIT_TEST_ONCE(one_patient_cannot_take_everything),
          KIT_TEST(d1_duplicate_completion_changes_nothing),
          KIT_TEST(d2_late_failure_changes_nothing), KIT_TEST(d3_failed_request_is_not_resurrected),
          KIT_TEST(d4_release_is_owed_until_it_is_done),
          KIT_TEST(d5_pending_actions_keep_their_order),
          KIT_TEST(d6_refused_request_leaves_no_trace), KIT_TEST(d7_old_appointments_are_forgotten),
          KIT_TEST_ONCE(d7_one_patient_is_bounded), KIT_TEST_ONCE(d7_history_is_bounded),
          KIT_TEST(d8_times_off_the_grid_are_refused),
          KIT_TEST(d9_unknown_completions_are_all_answered_alike),
          KIT_TEST_ONCE(crowd_of_patients_breaks_nothing))
