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

RUN_SIM(opens_probes_and_closes)
RUN_SIM(old_failures_fade)
RUN_SIM(refusals_are_answers_and_cancels_are_ours)

KIT_TESTS(KIT_TEST(sim_opens_probes_and_closes), KIT_TEST(sim_old_failures_fade),
          KIT_TEST(sim_refusals_are_answers_and_cancels_are_ours))
