// breaker_test.c - opens at the share, probes, closes; a caller's own cancel is nobody's failure.
//
// Time is virtual, so the windows and the pauses of a breaker cost nothing, and every change of
// mode happens at a moment that the test chose.
#include <hypha/flow.h>

#include "kit/kit.h"
#include "scope/run_suite.h"

static hy_err answer(void *arg) {
    return *(hy_err *)arg;
}

static hy_err answer_late(void *arg) {
    (void)arg;
    return hy_sleep(HY_SECONDS(10));
}

static hy_err call(hy_breaker *breaker, hy_err outcome) {
    return hy_breaker_call(breaker, answer, &outcome);
}

static hy_err opens_probes_and_closes(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_breaker *b = NULL;
        err = hy_breaker_open(s, HY_OPTIONS(hy_breaker, .calls_min = 10, .open_for = HY_SECONDS(1)),
                              &b);
        if (err != HY_OK) break;
        for (int i = 0; i < 9; i++)
            CHECK_EQ(call(b, HY_IO), HY_IO);
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_CLOSED); // below calls_min
        CHECK_EQ(call(b, HY_IO), HY_IO);
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_OPEN);
        CHECK_EQ(call(b, HY_OK), HY_BUSY); // not called
        err = hy_sleep(HY_MS(1100));
        if (err != HY_OK) break;
        CHECK_EQ(call(b, HY_OK), HY_OK);
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_PROBING);
        CHECK_EQ(call(b, HY_IO), HY_IO); // one probe fails: open again, for twice as long
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_OPEN);
        err = hy_sleep(HY_MS(1100));
        if (err != HY_OK) break;
        CHECK_EQ(call(b, HY_OK), HY_BUSY);
        err = hy_sleep(HY_MS(1100));
        if (err != HY_OK) break;
        for (int i = 0; i < 3; i++)
            CHECK_EQ(call(b, HY_OK), HY_OK);
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_CLOSED);
    }
    return err;
}

static hy_err old_failures_fade(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_breaker *b = NULL;
        err = hy_breaker_open(s, HY_OPTIONS(hy_breaker, .calls_min = 10), &b);
        for (int i = 0; i < 9 && err == HY_OK; i++)
            CHECK_EQ(call(b, HY_IO), HY_IO);
        if (err == HY_OK) err = hy_sleep(HY_SECONDS(11));
        if (err != HY_OK) break;
        for (int i = 0; i < 9; i++)
            CHECK_EQ(call(b, HY_OK), HY_OK);
        CHECK_EQ(call(b, HY_IO), HY_IO);
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_CLOSED);
    }
    return err;
}

static hy_err refusals_are_answers_and_cancels_are_ours(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_breaker *b = NULL;
        err = hy_breaker_open(s, HY_OPTIONS(hy_breaker, .calls_min = 1), &b);
        if (err != HY_OK) break;
        CHECK_EQ(call(b, HY_NOT_FOUND), HY_NOT_FOUND);
        CHECK_EQ(call(b, HY_REJECT), HY_REJECT);
        hy_err inner = HY_OK;
        HY_SCOPE(t, &inner, .name = "cancelled") {
            hy_scope_cancel(t, HY_CANCELLED);
            CHECK_EQ(hy_breaker_call(b, answer_late, NULL), HY_CANCELLED);
        }
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_CLOSED);
        hy_breaker *slow = NULL;
        err = hy_breaker_open(s, HY_OPTIONS(hy_breaker, .calls_min = 1, .slow = HY_MS(10)), &slow);
        if (err != HY_OK) break;
        CHECK_EQ(hy_breaker_try(slow), HY_OK);
        hy_breaker_told(slow, HY_OK, HY_MS(20));
        CHECK_EQ(hy_breaker_mode_of(slow), HY_BREAKER_OPEN);
    }
    return err;
}

static hy_breaker *broken(hy_scope *s, const hy_breaker_options *options) {
    hy_breaker *b = NULL;
    if (hy_breaker_open(s, options, &b) != HY_OK) return NULL;
    CHECK_EQ(call(b, HY_IO), HY_IO);
    CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_OPEN);
    return b;
}

static hy_err long_pauses_stay_long(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_breaker *b =
            broken(s, HY_OPTIONS(hy_breaker, .calls_min = 1, .open_for = HY_SECONDS(600)));
        if (!b) return HY_NOMEM;
        err = hy_sleep(HY_SECONDS(601));
        if (err != HY_OK) break;
        CHECK_EQ(call(b, HY_IO), HY_IO); // the probe
        err = hy_sleep(HY_SECONDS(500));
        if (err != HY_OK) break;
        CHECK_EQ(call(b, HY_OK), HY_BUSY);
        b = broken(s, HY_OPTIONS(hy_breaker, .calls_min = 1, .open_for = HY_NEVER));
        if (!b) return HY_NOMEM;
        err = hy_sleep(HY_SECONDS(3600));
        if (err != HY_OK) break;
        CHECK_EQ(call(b, HY_OK), HY_BUSY);
    }
    return err;
}

static hy_err reports_of_before_do_not_open_it_again(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_breaker *b = broken(
            s, HY_OPTIONS(hy_breaker, .calls_min = 1, .open_for = HY_SECONDS(1), .probes = 1));
        if (!b) return HY_NOMEM;
        err = hy_sleep(HY_SECONDS(2));
        if (err != HY_OK) break;
        CHECK_EQ(call(b, HY_OK), HY_OK);
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_CLOSED);
        err = hy_sleep(HY_MS(10));
        hy_breaker_told(b, HY_TIMEOUT, HY_SECONDS(30)); // began when all was bad
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_CLOSED);
    }
    return err;
}

// Probes take longer than `open_for`, and others keep asking meanwhile.
static hy_err slow_probes_close_it_all_the_same(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_breaker *b =
            broken(s, HY_OPTIONS(hy_breaker, .calls_min = 1, .open_for = HY_MS(100), .probes = 2));
        if (!b) return HY_NOMEM;
        err = hy_sleep(HY_MS(110));
        if (err != HY_OK) break;
        CHECK_EQ(hy_breaker_try(b), HY_OK);
        CHECK_EQ(hy_breaker_try(b), HY_OK);
        CHECK_EQ(hy_breaker_try(b), HY_BUSY);
        err = hy_sleep(HY_MS(110));
        if (err != HY_OK) break;
        CHECK_EQ(hy_breaker_try(b), HY_OK); // in place of those who never reported
        err = hy_sleep(HY_MS(50));
        if (err != HY_OK) break;
        hy_breaker_told(b, HY_OK, HY_MS(160));
        hy_breaker_told(b, HY_OK, HY_MS(160));
        CHECK_EQ(hy_breaker_mode_of(b), HY_BREAKER_CLOSED);
    }
    return err;
}

typedef struct late_one {
    hy_breaker *breaker;
} late_one;

static hy_err call_late(void *arg) {
    return hy_breaker_call(((late_one *)arg)->breaker, answer_late, NULL);
}

static hy_err cancelled_call_of_before_gives_no_probe_back(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    late_one late = { NULL };
    HY_SCOPE(s, &err, .policy = hy_collect) {
        hy_task *task = NULL;
        err = hy_breaker_open(
            s, HY_OPTIONS(hy_breaker, .calls_min = 1, .open_for = HY_SECONDS(1), .probes = 1),
            &late.breaker);
        if (err == HY_OK) err = hy_spawn(s, call_late, &late, NULL, &task);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err != HY_OK) break;
        CHECK_EQ(call(late.breaker, HY_IO), HY_IO);
        err = hy_sleep(HY_SECONDS(2));
        if (err != HY_OK) break;
        CHECK_EQ(hy_breaker_try(late.breaker), HY_OK); // the only probe, under way
        hy_task_cancel(task, HY_CANCELLED);
        CHECK_EQ(hy_await(task), HY_CANCELLED);
        CHECK_EQ(hy_breaker_try(late.breaker), HY_BUSY);
    }
    return err;
}

RUN_SIM(opens_probes_and_closes)
RUN_SIM(old_failures_fade)
RUN_SIM(refusals_are_answers_and_cancels_are_ours)
RUN_SIM(long_pauses_stay_long)
RUN_SIM(reports_of_before_do_not_open_it_again)
RUN_SIM(slow_probes_close_it_all_the_same)
RUN_SIM(cancelled_call_of_before_gives_no_probe_back)

KIT_TESTS(KIT_TEST(sim_opens_probes_and_closes), KIT_TEST(sim_old_failures_fade),
          KIT_TEST(sim_refusals_are_answers_and_cancels_are_ours),
          KIT_TEST(sim_long_pauses_stay_long), KIT_TEST(sim_reports_of_before_do_not_open_it_again),
          KIT_TEST(sim_slow_probes_close_it_all_the_same),
          KIT_TEST(sim_cancelled_call_of_before_gives_no_probe_back))
