// gate_test.c - never more inside than the limit, everyone in turn, nothing lost by those who
// leave.
#include <hypha/flow.h>

#include "kit/kit.h"
#include "scope/run_suite.h"

typedef struct crowd {
    hy_gate *gate;
    uint32_t inside, most, done;
    uint32_t order[64];
    hy_ns stay;
} crowd;

static hy_err visit(void *arg) {
    crowd *c = arg;
    hy_pass pass;
    hy_err err = hy_gate_enter(c->gate, &pass);
    if (err != HY_OK) return err;
    if (++c->inside > c->most) c->most = c->inside;
    err = hy_sleep(c->stay);
    c->inside--;
    hy_gate_leave(&pass, err);
    c->done += err == HY_OK;
    return err;
}

static hy_err limit_holds_and_all_get_in(void *unused) {
    (void)unused;
    crowd c = { .stay = HY_MS(1) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        err = hy_gate_open(s, HY_OPTIONS(hy_gate, .limit = 3), &c.gate);
        for (int i = 0; i < 20 && err == HY_OK; i++)
            err = hy_spawn(s, visit, &c, NULL, NULL);
        if (err == HY_OK) err = hy_scope_join(s);
        if (err != HY_OK) break;
        CHECK_EQ(c.most, 3);
        CHECK_EQ(c.done, 20);
        hy_gate_state state = hy_gate_state_of(c.gate);
        CHECK_EQ(state.entered, 20);
        CHECK_EQ(state.inside, 0);
    }
    return err;
}

static hy_err full_line_refuses(void *unused) {
    (void)unused;
    crowd c = { .stay = HY_SECONDS(1) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_collect) {
        err = hy_gate_open(s, HY_OPTIONS(hy_gate, .limit = 1, .waiting_max = 2), &c.gate);
        for (int i = 0; i < 4 && err == HY_OK; i++)
            err = hy_spawn(s, visit, &c, NULL, NULL);
        if (err != HY_OK) break;
        err = hy_scope_join(s);
        if (err != HY_LIMIT) break;
        CHECK_EQ(c.done, 3);
        CHECK_EQ(hy_gate_state_of(c.gate).refused, 1);
    }
    CHECK(err == HY_LIMIT || err == HY_NOMEM);
    return err == HY_LIMIT ? HY_OK : err;
}

static hy_err who_is_cancelled_in_the_line_takes_no_place(void *unused) {
    (void)unused;
    crowd c = { .stay = HY_MS(10) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_collect) {
        hy_task *second = NULL;
        err = hy_gate_open(s, HY_OPTIONS(hy_gate, .limit = 1), &c.gate);
        hy_pass pass = { 0 };
        if (err == HY_OK) err = hy_gate_enter(c.gate, &pass);
        if (err == HY_OK) err = hy_spawn(s, visit, &c, NULL, &second);
        if (err == HY_OK) err = hy_spawn(s, visit, &c, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(1));
        if (err != HY_OK) break;
        CHECK_EQ(hy_gate_state_of(c.gate).waiting, 2);
        hy_task_cancel(second, HY_CANCELLED);
        CHECK_EQ(hy_await(second), HY_CANCELLED);
        hy_gate_leave(&pass, HY_OK);
        hy_gate_leave(&pass, HY_OK); // twice is fine
        err = hy_scope_join(s);
        if (err == HY_OK) CHECK_EQ(c.done, 1);
    }
    return err;
}

// A far end that bears `capacity` calls at a time: beyond it, latency grows with the queue.
typedef struct far_end {
    hy_gate *gate;
    uint32_t inside, capacity;
    bool stop;
} far_end;

static hy_err caller(void *arg) {
    far_end *f = arg;
    while (!f->stop) {
        hy_pass pass;
        hy_err err = hy_gate_enter(f->gate, &pass);
        if (err != HY_OK) return err;
        f->inside++;
        uint32_t over = f->inside > f->capacity ? f->inside - f->capacity : 0;
        err = hy_sleep(HY_MS(10) + HY_MS(10) * over / f->capacity);
        f->inside--;
        hy_gate_leave(&pass, err);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err adaptive_limit_follows_the_far_end(void *unused) {
    (void)unused;
    far_end f = { .capacity = 40 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        err = hy_gate_open(s, HY_OPTIONS(hy_gate, .limit = 4, .adaptive = true, .limit_max = 400),
                           &f.gate);
        for (int i = 0; i < 300 && err == HY_OK; i++)
            err = hy_spawn(s, caller, &f, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_SECONDS(5));
        if (err != HY_OK) break;
        uint32_t grown = hy_gate_state_of(f.gate).limit;
        CHECK(grown >= 20); // it found more than the four it began with
        CHECK(grown < 300); // and not all that asked
        for (int i = 0; i < 60; i++) {
            hy_pass pass = { f.gate, hy_world_now(hy_scope_world(s)) };
            err = hy_gate_enter(f.gate, &pass);
            if (err == HY_OK) err = hy_sleep(HY_MS(60));
            hy_gate_leave(&pass, err == HY_OK ? HY_TIMEOUT : err);
            if (err != HY_OK) break;
        }
        if (err != HY_OK) break;
        CHECK(hy_gate_state_of(f.gate).limit <= grown + 8);
        f.stop = true;
    }
    return err;
}

// ---- options at their ends ----

static hy_err limits_may_be_as_large_as_they_like(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_gate *gate = NULL;
        hy_pass pass;
        err = hy_gate_open(s, HY_OPTIONS(hy_gate, .limit = UINT32_MAX), &gate);
        if (err != HY_OK) break;
        CHECK_EQ(hy_gate_state_of(gate).limit, UINT32_MAX);
        err = hy_gate_open(
            s, HY_OPTIONS(hy_gate, .limit = UINT32_MAX, .adaptive = true, .limit_max = UINT32_MAX),
            &gate);
        if (err != HY_OK) break;
        CHECK_OK(hy_gate_enter(gate, &pass));
        hy_gate_leave(&pass, HY_OK);
        CHECK_EQ(hy_gate_state_of(gate).limit, UINT32_MAX);
        err = hy_gate_open(s, NULL, &gate);
        if (err != HY_OK) break;
        CHECK_EQ(hy_gate_state_of(gate).limit, 8); // 2 for each of a simulated world's 4
    }
    return err;
}

static hy_err calls_that_fail_together_cut_the_limit_once(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_gate *gate = NULL;
        hy_pass passes[100];
        err = hy_gate_open(s, HY_OPTIONS(hy_gate, .limit = 100, .adaptive = true), &gate);
        for (int i = 0; i < 100 && err == HY_OK; i++)
            err = hy_gate_enter(gate, &passes[i]);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err != HY_OK) break;
        for (int i = 0; i < 100; i++)
            hy_gate_leave(&passes[i], HY_TIMEOUT);
        CHECK_EQ(hy_gate_state_of(gate).limit, 90);
        err = hy_sleep(HY_MS(10));
        if (err != HY_OK) break;
        CHECK_OK(hy_gate_enter(gate, &passes[0]));
        err = hy_sleep(HY_MS(10));
        hy_gate_leave(&passes[0], HY_TIMEOUT); // one that began after the cut
        CHECK_EQ(hy_gate_state_of(gate).limit, 81);
    }
    return err;
}

RUN_SIM(limit_holds_and_all_get_in)
RUN_REAL(limit_holds_and_all_get_in)
RUN_SIM(full_line_refuses)
RUN_SIM(who_is_cancelled_in_the_line_takes_no_place)
RUN_SIM(adaptive_limit_follows_the_far_end)
RUN_SIM(limits_may_be_as_large_as_they_like)
RUN_SIM(calls_that_fail_together_cut_the_limit_once)

KIT_TESTS(KIT_TEST(sim_limit_holds_and_all_get_in), KIT_TEST(real_limit_holds_and_all_get_in),
          KIT_TEST(sim_full_line_refuses),
          KIT_TEST(sim_who_is_cancelled_in_the_line_takes_no_place),
          KIT_TEST_ONCE(sim_adaptive_limit_follows_the_far_end),
          KIT_TEST(sim_limits_may_be_as_large_as_they_like),
          KIT_TEST(sim_calls_that_fail_together_cut_the_limit_once))
