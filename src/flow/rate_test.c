// rate_test.c - in no period more than the limit; nobody overtakes; nobody waits longer than
// needed.
#include <hypha/flow.h>

#include "kit/kit.h"
#include "scope/run_suite.h"

#define STARTS 40

typedef struct log {
    hy_rate *rate;
    hy_world *world;
    hy_ns starts[STARTS];
    uint32_t tickets[STARTS];
    uint32_t count, next_ticket;
} log;

static hy_err start(void *arg) {
    log *l = arg;
    uint32_t ticket = l->next_ticket++;
    hy_err err = hy_rate_take(l->rate, 1);
    if (err != HY_OK) return err;
    l->tickets[l->count] = ticket;
    l->starts[l->count++] = hy_world_now(l->world);
    return HY_OK;
}

static hy_err run_all(log *l, const hy_rate_options *options) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        l->world = hy_scope_world(s);
        err = hy_rate_open(s, options, &l->rate);
        for (int i = 0; i < STARTS && err == HY_OK; i++)
            err = hy_spawn(s, start, l, NULL, NULL);
        if (err == HY_OK) err = hy_scope_join(s);
        if (err != HY_OK) break;
    }
    return err;
}

static hy_err window_never_starts_more(void *unused) {
    (void)unused;
    log l = { 0 };
    hy_err err =
        run_all(&l, HY_OPTIONS(hy_rate, .kind = HY_RATE_WINDOW, .limit = 3, .period = HY_MS(200)));
    if (err != HY_OK) return err;
    CHECK_EQ(l.count, STARTS);
    for (uint32_t i = 3; i < STARTS; i++)
        CHECK(l.starts[i] - l.starts[i - 3] >= HY_MS(200));
    // In order of arrival; of those that may start together, any runs first.
    for (uint32_t i = 3; i < STARTS; i++)
        CHECK(l.tickets[i] > l.tickets[i - 3]);
    // Not slower than needed: lateness of timers only.
    CHECK(l.starts[STARTS - 1] - l.starts[0] < HY_MS(200) * (STARTS / 3) + HY_MS(100));
    return HY_OK;
}

static hy_err bucket_gives_a_burst_and_then_a_pace(void *unused) {
    (void)unused;
    log l = { 0 };
    hy_err err = run_all(&l, HY_OPTIONS(hy_rate, .limit = 100, .burst = 10));
    if (err != HY_OK) return err;
    CHECK_EQ(l.count, STARTS);
    CHECK(l.starts[9] - l.starts[0] < HY_MS(5));
    for (uint32_t i = 10; i < STARTS; i++)
        CHECK(l.starts[i] - l.starts[0] >= HY_MS(10) * (i - 9) - HY_MS(1));
    CHECK(l.starts[STARTS - 1] - l.starts[0] < HY_MS(10) * (STARTS - 10) + HY_MS(40));
    return HY_OK;
}

static hy_err too_much_and_too_late_are_said_at_once(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_rate *rate = NULL;
        hy_world *world = hy_scope_world(s);
        err = hy_rate_open(s, HY_OPTIONS(hy_rate, .limit = 2, .waiting_max = UINT32_MAX), &rate);
        if (err != HY_OK) break;
        CHECK_EQ(hy_rate_take(rate, 3), HY_RANGE);
        CHECK_EQ(hy_rate_try(rate, 2), HY_OK);
        CHECK_EQ(hy_rate_try(rate, 1), HY_BUSY);
        CHECK(hy_rate_wait_for(rate, 1) > HY_MS(400));
        CHECK_EQ(hy_rate_take(rate, 1), HY_LIMIT);
        hy_ns before = hy_world_now(world);
        hy_err late = HY_OK;
        HY_SCOPE(t, &late, .timeout = HY_MS(100)) {
            late = hy_rate_take(rate, 1);
            CHECK(late == HY_TIMEOUT || late == HY_NOMEM);
            if (late == HY_TIMEOUT) CHECK(hy_world_now(world) - before < HY_MS(50));
            break;
        }
        if (late == HY_NOMEM) err = late;
    }
    return err;
}

static hy_err who_leaves_lets_the_next_one_go(void *unused) {
    (void)unused;
    log l = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_collect) {
        hy_task *first = NULL;
        l.world = hy_scope_world(s);
        err = hy_rate_open(s, HY_OPTIONS(hy_rate, .limit = 1, .period = HY_SECONDS(1)), &l.rate);
        if (err == HY_OK) err = hy_rate_take(l.rate, 1);
        if (err == HY_OK) err = hy_spawn(s, start, &l, NULL, &first);
        if (err == HY_OK) err = hy_spawn(s, start, &l, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err != HY_OK) break;
        hy_ns begin = hy_world_now(l.world);
        hy_task_cancel(first, HY_CANCELLED);
        err = hy_scope_join(s);
        if (err != HY_OK) break;
        CHECK_EQ(l.count, 1);
        CHECK(l.starts[0] - begin < HY_MS(1100));
    }
    return err;
}

// ---- exact, whatever the numbers are ----

// 0.7 of a start a nanosecond: whoever rounds the share of one start gives 1, or none.
static hy_err shares_that_are_no_whole_time_do_not_add_up(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_rate *rate = NULL;
        hy_world *world = hy_scope_world(s);
        err =
            hy_rate_open(s, HY_OPTIONS(hy_rate, .limit = 7, .period = 10, .burst = 2000000), &rate);
        if (err != HY_OK) break;
        CHECK_EQ(hy_rate_try(rate, 2000000), HY_OK);
        hy_ns begin = hy_world_now(world);
        err = hy_sleep(HY_MS(1));
        if (err != HY_OK) break;
        hy_ns took = hy_world_now(world) - begin;
        int64_t count = 0;
        while (hy_rate_try(rate, 1) == HY_OK)
            count++;
        CHECK_EQ(count, took * 7 / 10 < 2000000 ? took * 7 / 10 : 2000000);
    }
    return err;
}

static hy_err periods_may_be_for_ever(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        for (int kind = HY_RATE_TOKENS; kind <= (int)HY_RATE_WINDOW && err == HY_OK; kind++) {
            hy_rate *rate = NULL;
            err = hy_rate_open(s,
                               HY_OPTIONS(hy_rate, .kind = (hy_rate_kind)kind, .limit = 2,
                                          .period = HY_NEVER, .burst = 4),
                               &rate);
            if (err != HY_OK) break;
            uint32_t most = kind == HY_RATE_TOKENS ? 4 : 2;
            CHECK_EQ(hy_rate_try(rate, most), HY_OK);
            CHECK_EQ(hy_rate_try(rate, 1), HY_BUSY);
            CHECK(hy_rate_wait_for(rate, 1) > HY_NEVER / 4);
            CHECK_EQ(hy_rate_wait_for(rate, most + 1), HY_NEVER);
            hy_err late = HY_OK;
            HY_SCOPE(t, &late, .timeout = HY_SECONDS(1)) {
                late = hy_rate_take(rate, 1);
            }
            if (late == HY_NOMEM) return late;
            CHECK_EQ(late, HY_TIMEOUT);
        }
    }
    return err;
}

// ---- the line counts ----

typedef struct taker {
    hy_rate *rate;
    uint32_t count;
    hy_err err;
    hy_ns at;
} taker;

static hy_err take(void *arg) {
    taker *t = arg;
    t->err = hy_rate_take(t->rate, t->count);
    t->at = hy_world_now(hy_scope_world(hy_scope_current()));
    return t->err;
}

static hy_err who_comes_too_late_behind_others_is_told_at_once(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    taker first = { .count = 10 }, late = { .count = 1 };
    HY_SCOPE(s, &err, .policy = hy_collect) {
        for (int kind = HY_RATE_TOKENS; kind <= (int)HY_RATE_WINDOW && err == HY_OK; kind++) {
            err = hy_rate_open(s, HY_OPTIONS(hy_rate, .kind = (hy_rate_kind)kind, .limit = 10),
                               &first.rate);
            if (err == HY_OK) err = hy_rate_take(first.rate, 10);
            if (err == HY_OK) err = hy_spawn(s, take, &first, NULL, NULL);
            if (err == HY_OK) err = hy_sleep(HY_MS(10));
            if (err != HY_OK) break;
            hy_ns wait = hy_rate_wait_for(first.rate, 1); // the ten before it take a second
            CHECK(wait > HY_MS(980));
            late.rate = first.rate;
            hy_ns begin = hy_world_now(hy_scope_world(s));
            err = hy_within(HY_MS(500), take, &late);
            if (err == HY_NOMEM) break;
            CHECK_EQ(err, HY_TIMEOUT);
            CHECK(late.at - begin < HY_MS(10));
            err = hy_scope_join(s);
            if (err == HY_OK) CHECK_EQ(first.err, HY_OK);
        }
    }
    return err;
}

static hy_err who_leaves_lets_a_smaller_one_go_whatever_it_was_told(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    taker large = { .count = 100 }, small = { .count = 1 };
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        hy_task *first = NULL;
        err = hy_rate_open(s, HY_OPTIONS(hy_rate, .limit = 1, .burst = 100), &large.rate);
        small.rate = large.rate;
        if (err == HY_OK) err = hy_rate_take(large.rate, 50);
        if (err == HY_OK) err = hy_spawn(s, take, &large, NULL, &first);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err == HY_OK) err = hy_spawn(s, take, &small, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err != HY_OK) break;
        hy_ns begin = hy_world_now(hy_scope_world(s));
        hy_task_cancel(first, HY_CLOSED);
        err = hy_scope_join(s);
        if (err != HY_OK) break;
        if (small.err == HY_NOMEM || large.err == HY_NOMEM) return HY_NOMEM;
        CHECK_EQ(small.err, HY_OK);
        CHECK(small.at - begin < HY_MS(100));
    }
    return err;
}

RUN_SIM(window_never_starts_more)
RUN_SIM(bucket_gives_a_burst_and_then_a_pace)
RUN_SIM(too_much_and_too_late_are_said_at_once)
RUN_SIM(who_leaves_lets_the_next_one_go)
RUN_SIM(shares_that_are_no_whole_time_do_not_add_up)
RUN_SIM(periods_may_be_for_ever)
RUN_SIM(who_comes_too_late_behind_others_is_told_at_once)
RUN_SIM(who_leaves_lets_a_smaller_one_go_whatever_it_was_told)

KIT_TESTS(KIT_TEST(sim_window_never_starts_more),
          KIT_TEST(sim_bucket_gives_a_burst_and_then_a_pace),
          KIT_TEST(sim_too_much_and_too_late_are_said_at_once),
          KIT_TEST(sim_who_leaves_lets_the_next_one_go),
          KIT_TEST_ONCE(sim_shares_that_are_no_whole_time_do_not_add_up),
          KIT_TEST(sim_periods_may_be_for_ever),
          KIT_TEST(sim_who_comes_too_late_behind_others_is_told_at_once),
          KIT_TEST(sim_who_leaves_lets_a_smaller_one_go_whatever_it_was_told))
