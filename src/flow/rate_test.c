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

RUN_SIM(window_never_starts_more)
RUN_SIM(bucket_gives_a_burst_and_then_a_pace)
RUN_SIM(too_much_and_too_late_are_said_at_once)
RUN_SIM(who_leaves_lets_the_next_one_go)

KIT_TESTS(KIT_TEST(sim_window_never_starts_more),
          KIT_TEST(sim_bucket_gives_a_burst_and_then_a_pace),
          KIT_TEST(sim_too_much_and_too_late_are_said_at_once),
          KIT_TEST(sim_who_leaves_lets_the_next_one_go))
