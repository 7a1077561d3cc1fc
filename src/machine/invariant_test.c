// invariant_test.c - what a step may break, and that somebody notices.
//
// The machine is a small calendar: bookings do not overlap (neighbours), belong to a person
// (reference), are not longer than the person may book (reference, both ways), never shrink (step),
// and their minutes add up to what a total says (aggregate). Three proofs:
//   - each kind with each policy does what the policy says;
//   - random steps are accepted exactly when a naive check of everything finds nothing wrong;
//   - a row that is corrupted behind the engine's back is found by hy_state_check, and by the next
//     step that touches it.

#include "kit/kit.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "machine/state.h"

// ---- the calendar ----

#define CAL_BOOKING(F) F(1, u32, start) F(2, u32, len) F(3, u64, person)
HY_RECORD(cal_booking, CAL_BOOKING)
HY_RECORD_DEFINE(cal_booking, CAL_BOOKING)
#define CAL_PERSON(F) F(1, u64, id) F(2, u32, len_max) F(3, u32, age)
HY_RECORD(cal_person, CAL_PERSON)
HY_RECORD_DEFINE(cal_person, CAL_PERSON)
#define CAL_TOTAL(F) F(1, u8, key) F(2, i64, minutes)
HY_RECORD(cal_total, CAL_TOTAL)
HY_RECORD_DEFINE(cal_total, CAL_TOTAL)

enum { BOOKINGS, PERSONS, TOTALS };
enum { BREAK_ROW, BREAK_NEIGHBOUR, BREAK_REFERENCE, BREAK_STEP, BREAK_SUM, BREAK_GLOBAL, BREAKS };

static bool cal_row_fits(const hy_view *view, const void *row) {
    (void)view;
    return ((const cal_booking *)row)->len > 0 && ((const cal_booking *)row)->len <= 100;
}

// Looks back only, on purpose: whoever changes a row must have the row behind it looked at too.
static bool cal_begins_after_the_last(const hy_view *view, const void *before, const void *row,
                                      const void *after) {
    (void)view, (void)after;
    const cal_booking *b = before, *r = row;
    return b == NULL || b->start + b->len <= r->start;
}

// The same rule from the other side, for the test that wants it.
static bool cal_ends_before_the_next(const hy_view *view, const void *before, const void *row,
                                     const void *after) {
    (void)view, (void)before;
    const cal_booking *r = row, *a = after;
    return a == NULL || r->start + r->len <= a->start;
}

static bool cal_person_of(const void *row, void *out_target) {
    ((cal_person *)out_target)->id = ((const cal_booking *)row)->person;
    return ((const cal_booking *)row)->person != 0;
}

static bool cal_person_may(const hy_view *view, const void *row, const void *target) {
    (void)view;
    return ((const cal_booking *)row)->len <= ((const cal_person *)target)->len_max;
}

static bool cal_never_shrinks(const hy_view *view, const void *before, const void *after) {
    (void)view;
    const cal_booking *b = before, *a = after;
    return b == NULL || a == NULL || b->len <= a->len;
}

static int64_t cal_minutes(const void *row) {
    return ((const cal_booking *)row)->len;
}

static bool cal_total_is_right(const hy_view *view, int64_t sum) {
    const cal_total *total = hy_row_get(view, TOTALS, &(cal_total){ .key = 1 });
    return sum == (total == NULL ? 0 : total->minutes);
}

static bool cal_nobody_is_old(const hy_view *view) {
    hy_cursor cursor = hy_cursor_at(view, PERSONS, NULL);
    for (const cal_person *p; (p = hy_cursor_next(&cursor)) != NULL;) {
        if (p->age > 100) return false;
    }
    return true;
}

static const hy_table cal_tables[] = {
    [BOOKINGS] = { .name = "booking", .row = &cal_booking_record, .key_count = 1, .ordered = true },
    [PERSONS] = { .name = "person", .row = &cal_person_record, .key_count = 1 },
    [TOTALS] = { .name = "total", .row = &cal_total_record, .key_count = 1 },
};
static const hy_input_kind cal_inputs[] = { { .name = "go" } };

static const hy_invariant cal_invariants[BREAKS] = {
    [BREAK_ROW] = HY_ROW_HOLDS(BOOKINGS, HY_VETO, cal_row_fits),
    [BREAK_NEIGHBOUR] = HY_NEIGHBOURS_HOLD(BOOKINGS, HY_VETO, cal_begins_after_the_last),
    [BREAK_REFERENCE] =
        HY_REFERENCE_HOLDS(BOOKINGS, PERSONS, HY_VETO, cal_person_of, cal_person_may),
    [BREAK_STEP] = HY_STEP_HOLDS(BOOKINGS, HY_VETO, cal_never_shrinks),
    [BREAK_SUM] = HY_SUM_HOLDS(BOOKINGS, HY_VETO, cal_minutes, cal_total_is_right),
    [BREAK_GLOBAL] = HY_GLOBAL_HOLDS(HY_VETO, 1, cal_nobody_is_old),
};

static struct {
    hy_err (*step)(hy_txn *txn, const hy_input *input);
    uint32_t number;
    uint64_t dice;
} cal; // what the step under way does

static hy_err cal_step(hy_txn *txn, const hy_input *input) {
    return cal.step(txn, input);
}

typedef struct calendar {
    hy_invariant invariants[BREAKS];
    hy_machine machine;
    hy_state *state;
    hy_outcome outcome;
} calendar;

static void calendar_deinit(calendar *c) {
    c->state = hy_state_free(c->state);
}

static void calendar_describe(calendar *c) {
    memcpy(c->invariants, cal_invariants, sizeof c->invariants);
    c->machine = (hy_machine){ .name = "calendar",
                               .version = 1,
                               .tables = cal_tables,
                               .table_count = 3,
                               .inputs = cal_inputs,
                               .input_count = 1,
                               .invariants = c->invariants,
                               .invariant_count = BREAKS,
                               .step = cal_step };
}

static hy_err calendar_open(hy_mem *mem, calendar *c) {
    return hy_state_new(mem, &c->machine,
                        HY_OPTIONS(hy_state, .keep_undo = true, .record_entries = true), &c->state,
                        NULL);
}

static hy_err calendar_do(calendar *c, hy_err (*step)(hy_txn *txn, const hy_input *input)) {
    hy_input input = { .seq = hy_state_seq(c->state) + 1 };
    cal.step = step;
    return hy_state_step(c->state, &input, &c->outcome);
}

static void cal_book(hy_txn *txn, uint32_t start, uint32_t len, uint64_t person) {
    cal_total *total = hy_row_update(txn, TOTALS, &(cal_total){ .key = 1 });
    if (total == NULL) total = hy_row_insert(txn, TOTALS, &(cal_total){ .key = 1 });
    if (total != NULL) total->minutes += len;
    hy_row_insert(txn, BOOKINGS, &(cal_booking){ start, len, person });
}

static const uint32_t cal_starts[] = { 100, 150, 300 };

// Persons 1 to 3; three bookings of ten minutes each, of persons 1, 1 and 2.
static hy_err cal_begin(hy_txn *txn, const hy_input *input) {
    (void)input;
    for (uint64_t id = 1; id <= 3; id++) {
        hy_row_insert(txn, PERSONS, &(cal_person){ id, 150, 20 });
    }
    for (uint32_t i = 1; i <= 3; i++) {
        cal_book(txn, cal_starts[i - 1], 10, 1 + i / 3);
    }
    return HY_OK;
}

static cal_booking *cal_change(hy_txn *txn, uint32_t start, int64_t minutes) {
    cal_total *total = hy_row_update(txn, TOTALS, &(cal_total){ .key = 1 });
    if (total != NULL) total->minutes += minutes;
    cal_booking *row = hy_row_update(txn, BOOKINGS, &(cal_booking){ .start = start });
    if (row != NULL) row->len += (uint32_t)minutes;
    return row;
}

// Breaks the invariant cal.number and no other.
static hy_err cal_break(hy_txn *txn, const hy_input *input) {
    (void)input;
    switch (cal.number) {
    case BREAK_ROW: cal_change(txn, 300, 95); return HY_OK;
    case BREAK_NEIGHBOUR: cal_change(txn, 100, 41); return HY_OK;
    case BREAK_REFERENCE: hy_row_delete(txn, PERSONS, &(cal_person){ .id = 2 }); return HY_OK;
    case BREAK_STEP: cal_change(txn, 150, -1); return HY_OK;
    case BREAK_SUM: {
        cal_booking *row = hy_row_update(txn, BOOKINGS, &(cal_booking){ .start = 150 });
        if (row != NULL) row->len++;
        return HY_OK;
    }
    default: {
        cal_person *person = hy_row_update(txn, PERSONS, &(cal_person){ .id = 3 });
        if (person != NULL) person->age = 101;
        return HY_OK;
    }
    }
}

static hy_err cal_nothing(hy_txn *txn, const hy_input *input) {
    (void)txn, (void)input;
    return HY_OK;
}

// ---- each kind, each policy ----

static void check_name(const calendar *c, uint32_t which) {
    kit_check_bytes(__FILE__, __LINE__, "the name of the invariant",
                    hy_bytes_of(c->outcome.invariant), hy_bytes_of(c->invariants[which].name));
}

static hy_err calendar_break(hy_mem *mem, uint32_t which, hy_invariant_policy policy,
                             hy_err expected) {
    HY_CLEANUP(calendar_deinit) calendar c = { 0 };
    calendar_describe(&c);
    c.invariants[which].policy = policy;
    CHECK_OK(calendar_open(mem, &c));
    CHECK_OK(calendar_do(&c, cal_begin));
    CHECK(c.outcome.invariant == NULL);
    uint64_t digest = hy_state_digest(c.state), chain = hy_state_chain(c.state);
    cal.number = which;
    CHECK_ERR(calendar_do(&c, cal_break), expected);
    check_name(&c, which);
    CHECK_EQ(hy_state_digest(c.state), hy_state_digest_slow(c.state));
    CHECK_EQ(hy_state_digest(c.state) == digest, policy != HY_REPORT);
    CHECK_EQ(hy_state_chain(c.state) == chain, policy != HY_REPORT);
    CHECK_ERR(hy_state_check(c.state, NULL),
              policy == HY_REPORT && which != BREAK_STEP ? HY_INVARIANT : HY_OK);
    hy_err after = policy == HY_HALT ? HY_HALTED : HY_OK;
    CHECK_ERR(calendar_do(&c, cal_nothing), after);
    if (policy == HY_HALT) check_name(&c, which);
    return HY_OK;
}

static hy_err every_kind_obeys_every_policy(hy_mem *mem) {
    for (uint32_t which = 0; which < BREAKS; which++) {
        CHECK_OK(calendar_break(mem, which, HY_VETO, HY_INVARIANT));
        CHECK_OK(calendar_break(mem, which, HY_HALT, HY_HALTED));
        CHECK_OK(calendar_break(mem, which, HY_REPORT, HY_OK));
    }
    return HY_OK;
}

// Breaks the rows of two invariants at once.
static hy_err cal_break_two(hy_txn *txn, const hy_input *input) {
    cal.number = BREAK_ROW;
    (void)cal_break(txn, input);
    cal.number = BREAK_SUM;
    return cal_break(txn, input);
}

static hy_err a_report_does_not_hide_a_veto(hy_mem *mem) {
    for (int halt = 0; halt < 2; halt++) {
        HY_CLEANUP(calendar_deinit) calendar c = { 0 };
        calendar_describe(&c);
        c.invariants[BREAK_ROW].policy = HY_REPORT;
        if (halt) c.invariants[BREAK_SUM].policy = HY_HALT;
        CHECK_OK(calendar_open(mem, &c));
        CHECK_OK(calendar_do(&c, cal_begin));
        CHECK_ERR(calendar_do(&c, cal_break_two), halt ? HY_HALTED : HY_INVARIANT);
        check_name(&c, BREAK_SUM);
    }
    return HY_OK;
}

static hy_err two_reports_keep_the_step(hy_mem *mem) {
    HY_CLEANUP(calendar_deinit) calendar c = { 0 };
    calendar_describe(&c);
    c.invariants[BREAK_ROW].policy = HY_REPORT;
    c.invariants[BREAK_SUM].policy = HY_REPORT;
    CHECK_OK(calendar_open(mem, &c));
    CHECK_OK(calendar_do(&c, cal_begin));
    CHECK_OK(calendar_do(&c, cal_break_two));
    CHECK(c.outcome.invariant != NULL); // one of the two is named
    CHECK_EQ(hy_state_seq(c.state), 2);
    return HY_OK;
}

// A halt is of the process, not of the rows: who looks and starts again goes on.
static hy_err halted_machine_takes_nothing_in(hy_mem *mem) {
    HY_CLEANUP(calendar_deinit) calendar c = { 0 };
    calendar_describe(&c);
    c.invariants[BREAK_SUM].policy = HY_HALT;
    CHECK_OK(calendar_open(mem, &c));
    CHECK_OK(calendar_do(&c, cal_begin));
    cal.number = BREAK_SUM;
    CHECK_ERR(calendar_do(&c, cal_break), HY_HALTED);
    hy_state_rewind(c.state, 0);
    CHECK_ERR(calendar_do(&c, cal_begin), HY_HALTED);
    CHECK_EQ(hy_state_seq(c.state), 0);
    return HY_OK;
}

// ---- when a global invariant is asked ----

static hy_err cal_make_old(hy_txn *txn, const hy_input *input) {
    cal.number = BREAK_GLOBAL;
    return cal_break(txn, input);
}

// Asked when seq passes a multiple of `every`: the same after a restart or a rewind.
static hy_err global_check_is_paced_by_seq(hy_mem *mem) {
    HY_CLEANUP(calendar_deinit) calendar c = { 0 };
    HY_CLEANUP(calendar_deinit) calendar loaded = { 0 };
    calendar_describe(&c);
    calendar_describe(&loaded);
    c.invariants[BREAK_GLOBAL].every = loaded.invariants[BREAK_GLOBAL].every = 4;
    CHECK_OK(calendar_open(mem, &c));
    CHECK_OK(calendar_open(mem, &loaded));
    hy_err (*const steps[])(hy_txn *, const hy_input *) = { cal_begin, cal_nothing, cal_make_old };
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_OK(calendar_do(&c, steps[i]));
        CHECK_OK(hy_state_load_entry(loaded.state, c.outcome.entry, NULL));
    }
    CHECK_ERR(calendar_do(&c, cal_nothing), HY_INVARIANT);
    CHECK_ERR(calendar_do(&loaded, cal_nothing), HY_INVARIANT);
    hy_state_rewind(c.state, 1);
    CHECK_OK(calendar_do(&c, cal_nothing));
    hy_input input = { .seq = 6 }; // a gap that passes 4, when all is well
    cal.step = cal_nothing;
    CHECK_OK(hy_state_step(c.state, &input, &c.outcome));
    CHECK_OK(calendar_do(&c, cal_make_old)); // 7: nobody looks
    input.seq = 9;
    cal.step = cal_nothing;
    CHECK_ERR(hy_state_step(c.state, &input, &c.outcome), HY_INVARIANT);
    check_name(&c, BREAK_GLOBAL);
    return HY_OK;
}

// ---- random steps: accepted exactly when the naive check finds nothing ----

// Everything, from the rows alone. `before`: as it was, for the step invariant; or NULL.
static bool naive_holds(const hy_view *view, const hy_state *before) {
    int64_t minutes = 0;
    for (uint32_t start = 0; start < 64; start++) {
        const cal_booking *row = hy_row_get(view, BOOKINGS, &(cal_booking){ .start = start });
        if (row == NULL) continue;
        minutes += row->len;
        if (row->len == 0 || row->len > 100) return false;
        for (uint32_t other = start + 1; other < start + row->len && other < 64; other++) {
            if (hy_row_get(view, BOOKINGS, &(cal_booking){ .start = other }) != NULL) return false;
        }
        const cal_person *p = hy_row_get(view, PERSONS, &(cal_person){ .id = row->person });
        if (row->person != 0 && (p == NULL || row->len > p->len_max)) return false;
        const cal_booking *was =
            before == NULL ? NULL : hy_row_get(hy_state_view(before), BOOKINGS, row);
        if (was != NULL && was->len > row->len) return false;
    }
    const cal_total *total = hy_row_get(view, TOTALS, &(cal_total){ .key = 1 });
    return minutes == (total == NULL ? 0 : total->minutes) && cal_nobody_is_old(view);
}

static uint64_t cal_draw(uint64_t below) {
    return kit_random(&cal.dice) % below;
}

static void cal_change_person(hy_txn *txn, uint64_t id) {
    if (cal_draw(3) == 0) hy_row_delete(txn, PERSONS, &(cal_person){ .id = id });
    const cal_person *there = hy_row_get(hy_txn_view(txn), PERSONS, &(cal_person){ .id = id });
    uint32_t age = cal_draw(20) == 0 ? 101 : 30;
    if (there == NULL) hy_row_insert(txn, PERSONS, &(cal_person){ id, 9, age });
}

// A few changes of everything, sometimes wrong.
static hy_err cal_random(hy_txn *txn, const hy_input *input) {
    (void)input;
    for (uint64_t i = 1 + cal_draw(4); i > 0 && hy_txn_failed(txn) == HY_OK; i--) {
        uint32_t start = (uint32_t)cal_draw(64);
        const hy_view *view = hy_txn_view(txn);
        const cal_booking *row = hy_row_get(view, BOOKINGS, &(cal_booking){ .start = start });
        uint64_t what = cal_draw(8);
        if (what == 0) cal_change_person(txn, 1 + cal_draw(6));
        if (row == NULL && what > 1) {
            cal_book(txn, start, (uint32_t)cal_draw(11), cal_draw(7));
        } else if (row != NULL && what < 4) {
            cal_change(txn, start, -(int64_t)row->len);
            hy_row_delete(txn, BOOKINGS, &(cal_booking){ .start = start });
        } else if (row != NULL) {
            cal_booking *now = cal_change(txn, start, (int64_t)cal_draw(5) - 1);
            if (now != NULL) now->person = cal_draw(7);
        }
    }
    if (cal_draw(30) == 0) cal_change(txn, 99, 1); // no such booking: the total is wrong
    return HY_OK;
}

// The same step on a machine without invariants, which the naive check then judges.
static hy_err random_step_agrees(calendar *c, calendar *free, calendar *last) {
    uint64_t dice = cal.dice;
    hy_err err = calendar_do(c, cal_random);
    cal.dice = dice;
    hy_err free_err = calendar_do(free, cal_random);
    if (err == HY_NOMEM || free_err == HY_NOMEM) return HY_NOMEM;
    CHECK_ERR(free_err, HY_OK);
    bool holds = naive_holds(hy_state_view(free->state), last->state);
    CHECK_ERR(err, holds ? HY_OK : HY_INVARIANT);
    if (!holds) {
        CHECK(c->outcome.invariant != NULL);
        hy_state_rewind(free->state, hy_state_seq(free->state) - 1);
    } else {
        CHECK_OK(hy_state_load_entry(last->state, c->outcome.entry, NULL));
    }
    CHECK_EQ(hy_state_digest(c->state), hy_state_digest(free->state));
    return hy_state_check(c->state, NULL);
}

static hy_err run_agrees_with_the_naive_check(hy_mem *mem, bool looks_ahead) {
    HY_CLEANUP(calendar_deinit) calendar c = { 0 };
    HY_CLEANUP(calendar_deinit) calendar free = { 0 };
    HY_CLEANUP(calendar_deinit) calendar last = { 0 };
    calendar *all[] = { &c, &free, &last };
    for (uint32_t i = 0; i < 3; i++) {
        calendar_describe(all[i]);
        if (looks_ahead) {
            all[i]->invariants[BREAK_NEIGHBOUR].neighbour = cal_ends_before_the_next;
        }
        if (all[i] == &free) free.machine.invariant_count = 0;
        CHECK_OK(calendar_open(mem, all[i]));
    }
    cal.dice = kit_seed();
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t seq = hy_state_seq(c.state);
        CHECK_OK(random_step_agrees(&c, &free, &last));
        accepted += hy_state_seq(c.state) != seq;
        if (i % 7 == 0) hy_state_release(c.state, hy_state_seq(c.state));
        if (i % 5 == 0) hy_state_release(free.state, hy_state_seq(free.state));
    }
    CHECK(accepted > 2000 && accepted < 18000);
    // What the invariants keep beside the rows was carried through all of it, and through loading.
    CHECK_EQ(c.state->derived[BREAK_SUM].sum, last.state->derived[BREAK_SUM].sum);
    CHECK_EQ(hyi_map_count(&c.state->derived[BREAK_REFERENCE].referred),
             hyi_map_count(&last.state->derived[BREAK_REFERENCE].referred));
    return HY_OK;
}

static hy_err touched_rows_are_enough(hy_mem *mem) {
    CHECK_OK(run_agrees_with_the_naive_check(mem, false));
    return run_agrees_with_the_naive_check(mem, true);
}

static hy_err rewinding_takes_sums_and_counts_back(hy_mem *mem) {
    HY_CLEANUP(calendar_deinit) calendar c = { 0 };
    calendar_describe(&c);
    CHECK_OK(calendar_open(mem, &c));
    cal.dice = kit_seed() + 5;
    int64_t sums[400] = { 0 };
    uint32_t counts[400] = { 0 };
    for (uint32_t i = 0; i < 3000 && hy_state_seq(c.state) < 399; i++) {
        if (calendar_do(&c, cal_random) != HY_OK) continue;
        uint64_t seq = hy_state_seq(c.state);
        sums[seq] = c.state->derived[BREAK_SUM].sum;
        counts[seq] = hyi_map_count(&c.state->derived[BREAK_REFERENCE].referred);
        if (cal_draw(9) != 0) continue;
        seq -= cal_draw(seq < 40 ? seq : 40);
        hy_state_rewind(c.state, seq);
        CHECK_EQ(c.state->derived[BREAK_SUM].sum, sums[seq]);
        CHECK_EQ(hyi_map_count(&c.state->derived[BREAK_REFERENCE].referred), counts[seq]);
        CHECK(hyi_map_holds(&c.state->derived[BREAK_REFERENCE].referred));
    }
    hy_state_rewind(c.state, 0);
    CHECK_EQ(c.state->derived[BREAK_SUM].sum, 0);
    CHECK_EQ(hyi_map_count(&c.state->derived[BREAK_REFERENCE].referred), 0);
    return HY_OK;
}

// A step without memory takes back the sums and counts that it had begun to change.
static hy_err failing_memory_leaves_sums_and_counts_right(hy_mem *mem) {
    HY_CLEANUP(calendar_deinit) calendar c = { 0 };
    calendar_describe(&c);
    c.invariants[0] =
        cal_invariants[BREAK_SUM]; // in front of the reference, whose map may not grow
    c.invariants[BREAK_SUM] = cal_invariants[0];
    CHECK_OK(calendar_open(mem, &c));
    cal.dice = kit_seed() + 6;
    for (uint32_t i = 0; i < 60; i++) {
        int64_t sum = c.state->derived[0].sum;
        uint32_t count = hyi_map_count(&c.state->derived[BREAK_REFERENCE].referred);
        hy_err err = calendar_do(&c, cal_random);
        if (err == HY_OK) continue;
        CHECK_EQ(c.state->derived[0].sum, sum);
        CHECK_EQ(hyi_map_count(&c.state->derived[BREAK_REFERENCE].referred), count);
        if (err == HY_NOMEM) return err;
    }
    return HY_OK;
}

// Persons 1 to cal.number, a booking for each, and one more for the first.
static hy_err cal_name_many(hy_txn *txn, const hy_input *input) {
    (void)input;
    for (uint32_t i = 0; i <= cal.number; i++) {
        hy_row_insert(txn, PERSONS, &(cal_person){ i + 1, 50, 20 });
        cal_book(txn, 10 * i, 5, i == cal.number ? 1 : i + 1);
    }
    return HY_OK;
}

static hy_err cal_name_another(hy_txn *txn, const hy_input *input) {
    (void)input;
    cal_change(txn, 10, 1); // whose sum is changed before the name fails
    cal_booking *row = cal_change(txn, 10 * cal.number, 0);
    if (row != NULL) row->person = cal.number + 1;
    return HY_OK;
}

// One of the four numbers fills the map of names: then the next name needs memory, after another
// was counted down and a sum was changed.
static hy_err name_that_could_not_change_is_still_counted(hy_mem *mem) {
    for (cal.number = 10; cal.number < 14; cal.number++) {
        HY_CLEANUP(calendar_deinit) calendar c = { 0 };
        calendar_describe(&c);
        CHECK_OK(calendar_open(mem, &c));
        CHECK_OK(calendar_do(&c, cal_name_many));
        const hyi_map *referred = &c.state->derived[BREAK_REFERENCE].referred;
        int64_t sum = c.state->derived[BREAK_SUM].sum;
        CHECK_EQ(hyi_map_get(referred, (hyi_key){ 0, 1 }), 2);
        hy_err err = calendar_do(&c, cal_name_another);
        CHECK_EQ(hyi_map_get(referred, (hyi_key){ 0, 1 }), err == HY_OK ? 1 : 2);
        CHECK_EQ(hyi_map_count(referred), cal.number + (err == HY_OK));
        CHECK_EQ(c.state->derived[BREAK_SUM].sum, sum + (err == HY_OK));
        CHECK_OK(err);
    }
    return HY_OK;
}

// Sums go through their ends and come back.
static hy_err cal_huge(hy_txn *txn, const hy_input *input) {
    (void)input;
    for (uint32_t i = 0; i < 4; i++) {
        hy_row_insert(txn, BOOKINGS, &(cal_booking){ .start = i, .len = 1 });
    }
    return HY_OK;
}
static int64_t cal_enormous(const void *row) {
    return ((const cal_booking *)row)->start < 2 ? INT64_MAX : INT64_MIN + 1;
}
static bool cal_is_balanced(const hy_view *view, int64_t sum) {
    (void)view;
    return sum == 0;
}

static hy_err sums_go_round_at_their_ends(hy_mem *mem) {
    HY_CLEANUP(calendar_deinit) calendar c = { 0 };
    calendar_describe(&c);
    c.machine.invariant_count = 1;
    c.invariants[0] = (hy_invariant)HY_SUM_HOLDS(BOOKINGS, HY_VETO, cal_enormous, cal_is_balanced);
    CHECK_OK(calendar_open(mem, &c));
    CHECK_OK(calendar_do(&c, cal_huge));
    CHECK_OK(hy_state_check(c.state, NULL));
    hy_state_rewind(c.state, 0);
    CHECK_EQ(c.state->derived[0].sum, 0);
    return HY_OK;
}

// ---- rows that were corrupted behind the engine's back ----

static hy_err cal_touch(hy_txn *txn, const hy_input *input) {
    (void)input;
    cal_booking *row = hy_row_update(txn, BOOKINGS, &(cal_booking){ .start = cal.number });
    if (row != NULL && row->person == 0) row->person = 1;
    return HY_OK;
}

// Spoils one thing about the booking; gives the invariant that must notice.
static uint32_t calendar_corrupt(uint64_t how, cal_booking *row) {
    switch (how) {
    case 0: row->len = 0; return BREAK_ROW;
    case 1: row->len = 101 + (uint32_t)cal_draw(1000); return BREAK_ROW;
    case 2: row->person = 50 + cal_draw(100); return BREAK_REFERENCE;
    default: row->len += 1; return BREAK_SUM;
    }
}

static hy_err corrupted_rows_are_found(hy_mem *mem) {
    cal.dice = kit_seed() + 3;
    for (uint32_t round = 0; round < 200; round++) {
        HY_CLEANUP(calendar_deinit) calendar c = { 0 };
        calendar_describe(&c);
        CHECK_OK(calendar_open(mem, &c));
        CHECK_OK(calendar_do(&c, cal_begin));
        hy_state_release(c.state, 1);
        cal.number = cal_starts[cal_draw(3)];
        cal_booking row = *(const cal_booking *)hy_row_get(hy_state_view(c.state), BOOKINGS,
                                                           &(cal_booking){ .start = cal.number });
        uint32_t which = calendar_corrupt(cal_draw(4), &row);
        CHECK_OK(hy_state_load_row(c.state, BOOKINGS, &row, NULL));
        hy_why why = { 0 };
        CHECK_ERR(hy_state_check(c.state, &why), HY_INVARIANT);
        kit_check_bytes(__FILE__, __LINE__, "why.place", hy_bytes_of(why.place),
                        hy_bytes_of(c.invariants[which].name));
        CHECK_ERR(calendar_do(&c, cal_touch), HY_INVARIANT);
        check_name(&c, which);
    }
    return HY_OK;
}

// Changed bytes that break no invariant are still found: the kept digest no longer fits.
static hy_err flipped_bits_are_found_by_the_digest(hy_mem *mem) {
    cal.dice = kit_seed() + 4;
    for (uint32_t round = 0; round < 200; round++) {
        HY_CLEANUP(calendar_deinit) calendar c = { 0 };
        calendar_describe(&c);
        CHECK_OK(calendar_open(mem, &c));
        CHECK_OK(calendar_do(&c, cal_begin));
        const void *row =
            hy_row_get(hy_state_view(c.state), PERSONS, &(cal_person){ .id = 1 + cal_draw(3) });
        uint64_t bit = cal_draw(6 * 8); // of len_max and the lower half of age
        uint8_t *bytes = (uint8_t *)(uintptr_t)row + offsetof(cal_person, len_max);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_ERR(hy_state_check(c.state, NULL), HY_INVARIANT);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_OK(hy_state_check(c.state, NULL));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(every_kind_obeys_every_policy), KIT_TEST(a_report_does_not_hide_a_veto),
          KIT_TEST(two_reports_keep_the_step), KIT_TEST(halted_machine_takes_nothing_in),
          KIT_TEST(global_check_is_paced_by_seq), KIT_TEST_ONCE(touched_rows_are_enough),
          KIT_TEST_ONCE(rewinding_takes_sums_and_counts_back),
          KIT_TEST(failing_memory_leaves_sums_and_counts_right),
          KIT_TEST(name_that_could_not_change_is_still_counted),
          KIT_TEST(sums_go_round_at_their_ends), KIT_TEST_ONCE(corrupted_rows_are_found),
          KIT_TEST_ONCE(flipped_bits_are_found_by_the_digest))
