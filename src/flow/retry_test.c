// retry_test.c - retry, budget, limit in time, hedge: when another call is made, and when not.
//
// The callee counts its calls, so each test says how many there must have been. A run in which an
// allocation fails may have one less: without memory for a timer the error is given at once.
#include <hypha/flow.h>

#include "kit/kit.h"
#include "scope/run_suite.h"

typedef struct trouble {
    uint32_t calls, good_at; // good_at 0: never
    hy_err err, seen_last;
    uint32_t seen_call;
    hy_ns takes;
} trouble;

static hy_err troubled(void *arg) {
    trouble *t = arg;
    t->calls++;
    t->seen_call = hy_retry_here().call;
    t->seen_last = hy_retry_here().last_err;
    if (t->takes > 0) {
        hy_err err = hy_sleep(t->takes);
        if (err != HY_OK) return err;
    }
    return t->calls == t->good_at ? HY_OK : t->err;
}

static hy_err calls_until_it_is_good(void *unused) {
    (void)unused;
    trouble t = { .good_at = 3, .err = HY_BUSY };
    hy_err err = hy_retry(NULL, troubled, &t);
    if (err == HY_BUSY) return HY_NOMEM; // no timer to wait with: the error at once
    if (err != HY_OK) return err;
    CHECK_EQ(t.calls, 3);
    CHECK_EQ(t.seen_call, 3);
    CHECK_EQ(t.seen_last, HY_BUSY);
    CHECK_EQ(hy_retry_here().call, 1);
    return HY_OK;
}

static hy_err gives_the_last_error_after_calls_max(void *unused) {
    (void)unused;
    trouble t = { .err = HY_IO };
    hy_err err =
        hy_retry(HY_OPTIONS(hy_retry, .calls_max = 5, .backoff = HY_BACKOFF_NONE), troubled, &t);
    if (err == HY_NOMEM) return err;
    CHECK_EQ(err, HY_IO);
    CHECK_EQ(t.calls, 5);
    return HY_OK;
}

static hy_err what_is_not_worth_it_is_called_once(void *unused) {
    (void)unused;
    trouble t = { .err = HY_MALFORMED };
    hy_err err = hy_retry(NULL, troubled, &t);
    if (err == HY_NOMEM) return err;
    CHECK_EQ(err, HY_MALFORMED);
    CHECK_EQ(t.calls, 1);
    return HY_OK;
}

static hy_err delays_double_without_jitter(void *unused) {
    (void)unused;
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_ns begin = hy_world_now(world);
    trouble t = { .err = HY_IO };
    hy_err err = hy_retry(HY_OPTIONS(hy_retry, .calls_max = 5, .delay = HY_MS(100),
                                     .delay_max = HY_MS(400), .no_jitter = true),
                          troubled, &t);
    if (err == HY_NOMEM || t.calls < 5) return HY_NOMEM;
    hy_ns took = hy_world_now(world) - begin; // 100 + 200 + 400 + 400, and late timers
    CHECK(took >= HY_MS(1100) && took < HY_MS(1150));
    return HY_OK;
}

static hy_err deadline_that_cuts_the_wait_ends_it_now(void *unused) {
    (void)unused;
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_ns begin = hy_world_now(world);
    trouble t = { .err = HY_IO };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(1)) {
        err = hy_retry(HY_OPTIONS(hy_retry, .backoff = HY_BACKOFF_CONSTANT, .delay = HY_SECONDS(5),
                                  .delay_max = HY_SECONDS(5)),
                       troubled, &t);
        break;
    }
    if (err == HY_NOMEM) return err;
    CHECK_EQ(err, HY_IO);
    CHECK_EQ(t.calls, 1);
    CHECK(hy_world_now(world) - begin < HY_MS(100));
    return HY_OK;
}

static hy_err cancelled_is_never_retried(void *unused) {
    (void)unused;
    trouble t = { .err = HY_TIMEOUT, .takes = HY_SECONDS(1) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_MS(50)) {
        err = hy_retry(NULL, troubled, &t);
        break;
    }
    if (err == HY_NOMEM) return err;
    CHECK_EQ(err, HY_TIMEOUT);
    CHECK_EQ(t.calls, 1);
    return HY_OK;
}

static hy_err each_call_has_its_own_limit(void *unused) {
    (void)unused;
    trouble t = { .err = HY_IO, .takes = HY_SECONDS(1) };
    hy_err err = hy_retry(HY_OPTIONS(hy_retry, .each_max = HY_MS(50)), troubled, &t);
    if (err == HY_NOMEM) return err;
    CHECK_EQ(err, HY_TIMEOUT);
    CHECK_EQ(t.calls, 3);
    return HY_OK;
}

static hy_err budget_bounds_the_share_of_retries(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_budget *budget = NULL;
        uint32_t calls = 0;
        err = hy_budget_open(
            s, HY_OPTIONS(hy_budget, .percent = 10, .per_second = 1, .ttl = HY_SECONDS(10)),
            &budget);
        for (int i = 0; i < 1000 && err == HY_OK; i++) {
            trouble t = { .err = HY_BUSY };
            hy_err call = hy_retry(
                HY_OPTIONS(hy_retry, .calls_max = 4, .budget = budget, .backoff = HY_BACKOFF_NONE),
                troubled, &t);
            if (call == HY_NOMEM) err = call;
            calls += t.calls;
        }
        if (err != HY_OK) break;
        CHECK_EQ(calls, 1000 + 100 + 10); // 10 % of 1,000, and 1 a second of 10 s
    }
    return err;
}

// ---- within ----

typedef struct slow {
    bool cleaned;
    hy_ns cleaning;
} slow;

static hy_err slow_work(void *arg) {
    slow *w = arg;
    hy_err err = hy_sleep(HY_SECONDS(10));
    hy_err cleaning = HY_OK;
    HY_SCOPE(s, &cleaning, .shield = HY_SECONDS(1)) {
        cleaning = hy_sleep(w->cleaning);
        w->cleaned = cleaning == HY_OK;
    }
    return err;
}

static hy_err limit_in_time_waits_for_the_cleaning_up(void *unused) {
    (void)unused;
    slow w = { .cleaning = HY_MS(100) };
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_ns begin = hy_world_now(world);
    hy_err err = hy_within(HY_MS(50), slow_work, &w);
    if (err == HY_NOMEM || (err == HY_TIMEOUT && !w.cleaned)) return HY_NOMEM;
    CHECK_EQ(err, HY_TIMEOUT);
    CHECK(w.cleaned); // before the caller goes on
    CHECK(hy_world_now(world) - begin >= HY_MS(150));
    return HY_OK;
}

// ---- hedge ----

typedef struct hedged {
    hy_ns takes[4];
    hy_err errs[4];
    uint32_t begun, ended;
} hedged;

static hy_err hedged_call(void *arg, uint32_t copy) {
    hedged *h = arg;
    h->begun++;
    hy_err err = hy_sleep(h->takes[copy]);
    h->ended++;
    return err != HY_OK ? err : h->errs[copy];
}

static hy_err second_copy_wins_and_the_first_has_ended(void *unused) {
    (void)unused;
    hedged h = { .takes = { HY_SECONDS(10), HY_MS(5) } };
    uint32_t winner = 9;
    hy_err err = hy_hedge(HY_OPTIONS(hy_hedge, .delay = HY_MS(50)), hedged_call, &h, &winner);
    if (err != HY_OK) return err;
    if (h.begun < 2) return HY_NOMEM;
    CHECK_EQ(winner, 1);
    CHECK_EQ(h.begun, 2);
    CHECK_EQ(h.ended, 2);
    return HY_OK;
}

static hy_err quick_first_copy_stays_alone(void *unused) {
    (void)unused;
    hedged h = { .takes = { HY_MS(5), HY_MS(5) } };
    uint32_t winner = 9;
    hy_err err = hy_hedge(HY_OPTIONS(hy_hedge, .delay = HY_MS(50)), hedged_call, &h, &winner);
    if (err != HY_OK) return err;
    CHECK_EQ(winner, 0);
    CHECK_EQ(h.begun, 1);
    return HY_OK;
}

static hy_err failed_copy_is_followed_at_once(void *unused) {
    (void)unused;
    hedged h = { .takes = { HY_MS(1), HY_MS(1), HY_MS(1) }, .errs = { HY_IO, HY_BUSY, HY_IO } };
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_ns begin = hy_world_now(world);
    hy_err err = hy_hedge(HY_OPTIONS(hy_hedge, .delay = HY_SECONDS(60), .copies_max = 3),
                          hedged_call, &h, NULL);
    if (err == HY_NOMEM || h.begun < 3) return HY_NOMEM;
    CHECK_EQ(err, HY_IO); // the first error
    CHECK_EQ(h.begun, 3);
    CHECK(hy_world_now(world) - begin < HY_SECONDS(1));
    return HY_OK;
}

// ---- at the ends of time ----

static hy_err retry_that_is_not_made_withdraws_nothing(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_budget *budget = NULL;
        err = hy_budget_open(
            s, HY_OPTIONS(hy_budget, .percent = 1, .per_second = 1, .ttl = HY_SECONDS(1)), &budget);
        if (err != HY_OK) break;
        trouble t = { .err = HY_IO };
        hy_retry_options wait = { .size = sizeof wait,
                                  .budget = budget,
                                  .backoff = HY_BACKOFF_CONSTANT,
                                  .delay = HY_SECONDS(5) };
        hy_err late = HY_OK;
        HY_SCOPE(in, &late, .timeout = HY_MS(100)) {
            late = hy_retry(&wait, troubled, &t);
        }
        if (late == HY_NOMEM) return late;
        CHECK_EQ(t.calls, 1);
        wait.backoff = HY_BACKOFF_NONE;
        late = hy_retry(&wait, troubled, &t);
        if (late == HY_NOMEM) return late;
        CHECK_EQ(t.calls, 3); // the one retry of the budget is there
    }
    return err;
}

static hy_ns never(void *self, hy_err err, uint32_t calls) {
    (void)self;
    (void)err;
    (void)calls;
    return HY_NEVER;
}

static hy_err delays_may_be_for_ever(void *unused) {
    (void)unused;
    trouble t = { .err = HY_IO };
    hy_err err = hy_retry(HY_OPTIONS(hy_retry, .delay_fn = never), troubled, &t);
    if (err == HY_NOMEM) return err;
    CHECK_EQ(err, HY_IO);
    CHECK_EQ(t.calls, 1);
    hy_world *world = hy_scope_world(hy_scope_current());
    const hy_backoff all[] = { HY_BACKOFF_EXPONENTIAL, HY_BACKOFF_CONSTANT,
                               HY_BACKOFF_DECORRELATED };
    for (size_t i = 0; i < 3; i++) {
        t.calls = 0;
        hy_ns begin = hy_world_now(world);
        err = hy_retry(HY_OPTIONS(hy_retry, .backoff = all[i], .delay = HY_SECONDS(60),
                                  .delay_max = HY_SECONDS(20), .no_jitter = true),
                       troubled, &t);
        if (err == HY_NOMEM || t.calls < 3) return HY_NOMEM;
        hy_ns took = hy_world_now(world) - begin;
        if (all[i] == HY_BACKOFF_CONSTANT) CHECK(took >= HY_SECONDS(120));
        if (all[i] != HY_BACKOFF_CONSTANT) CHECK(took <= HY_SECONDS(41));
        t.calls = 0;
        begin = hy_world_now(world);
        err = hy_retry(
            HY_OPTIONS(hy_retry, .backoff = all[i], .delay = HY_SECONDS(60), .no_jitter = true),
            troubled, &t);
        if (err == HY_NOMEM || t.calls < 3) return HY_NOMEM;
        CHECK(hy_world_now(world) - begin >= HY_SECONDS(120)); // no delay_max was asked for
    }
    return HY_OK;
}

// ---- within, at its ends ----

static hy_err count_up(void *arg) {
    ++*(uint32_t *)arg;
    return HY_OK;
}

static hy_err no_time_is_no_call(void *unused) {
    (void)unused;
    uint32_t calls = 0;
    CHECK_EQ(hy_within(0, count_up, &calls), HY_TIMEOUT);
    CHECK_EQ(hy_within(-HY_SECONDS(1), count_up, &calls), HY_TIMEOUT);
    CHECK_EQ(calls, 0);
    hy_err err = hy_within(HY_NEVER, count_up, &calls);
    if (err == HY_OK) CHECK_EQ(calls, 1);
    return err;
}

typedef struct starter {
    hy_ns child_takes;
    bool child_done;
} starter;

static hy_err child(void *arg) {
    starter *s = arg;
    hy_err err = hy_sleep(s->child_takes);
    s->child_done = err == HY_OK;
    return err;
}

static hy_err start_and_go(void *arg) {
    return hy_spawn(NULL, child, arg, NULL, NULL);
}

static hy_err what_the_call_started_belongs_to_it(void *unused) {
    (void)unused;
    starter s = { .child_takes = HY_MS(20) };
    hy_err err = hy_within(HY_MS(100), start_and_go, &s);
    if (err != HY_OK) return err;
    CHECK(s.child_done);
    s = (starter){ .child_takes = HY_SECONDS(10) };
    err = hy_within(HY_MS(100), start_and_go, &s);
    if (err == HY_NOMEM) return err;
    CHECK_EQ(err, HY_TIMEOUT);
    CHECK(!s.child_done);
    return HY_OK;
}

static hy_err answer_after_the_time(void *arg) {
    (void)arg;
    hy_err err = hy_sleep(HY_SECONDS(10));
    return err == HY_NOMEM ? err : HY_OK; // it has its answer, and does not care
}

static hy_err answer_that_comes_late_is_an_answer(void *unused) {
    (void)unused;
    return hy_within(HY_MS(50), answer_after_the_time, NULL);
}

// ---- hedge, at its ends ----

static hy_err first_copy_may_have_all_the_time(void *unused) {
    (void)unused;
    hedged h = { .takes = { HY_SECONDS(1000) } };
    uint32_t winner = 9;
    hy_err err = hy_hedge(HY_OPTIONS(hy_hedge, .delay = HY_NEVER), hedged_call, &h, &winner);
    if (err != HY_OK || h.begun > 1) return HY_NOMEM; // the first failed without memory
    CHECK_EQ(winner, 0);
    CHECK_EQ(h.begun, 1);
    return HY_OK;
}

static hy_err fail_later(void *arg) {
    (void)arg;
    hy_err err = hy_sleep(HY_MS(5));
    return err == HY_OK ? HY_CORRUPT : err;
}

// Copy 0 fails through what it started; copy 1 wins.
static hy_err call_with_children(void *arg, uint32_t copy) {
    uint32_t *calls = arg;
    ++*calls;
    if (copy == 0) {
        hy_err err = hy_spawn(NULL, fail_later, NULL, NULL, NULL);
        return err == HY_OK ? hy_sleep(HY_SECONDS(10)) : err;
    }
    return hy_sleep(HY_MS(1));
}

static hy_err what_losers_started_is_no_error_of_the_winner(void *unused) {
    (void)unused;
    uint32_t calls = 0, winner = 9;
    hy_err err =
        hy_hedge(HY_OPTIONS(hy_hedge, .delay = HY_SECONDS(1)), call_with_children, &calls, &winner);
    if (kit_failed_allocation()) return HY_NOMEM;
    CHECK_EQ(err, HY_OK);
    CHECK_EQ(winner, 1);
    return HY_OK;
}

// The room for tasks is used up, so the second copy waits for it; the first wins meanwhile.
static hy_err copy_that_waited_for_room_is_not_called_after_the_end(void *unused) {
    (void)unused;
    hedged h = { .takes = { HY_MS(30), HY_MS(30) } };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .tasks_max = 1) {
        err = hy_hedge(HY_OPTIONS(hy_hedge, .delay = HY_MS(5)), hedged_call, &h, NULL);
    }
    if (err != HY_OK) return err;
    CHECK_EQ(h.begun, 1);
    return HY_OK;
}

typedef struct race {
    hy_task *caller;
    uint32_t begun;
} race;

// Copy 0 answers in spite of being cancelled.
static hy_err answer_all_the_same(void *arg, uint32_t copy) {
    race *r = arg;
    r->begun++;
    hy_err err = hy_sleep(HY_SECONDS(10));
    return copy == 0 && err == HY_CANCELLED ? HY_OK : err;
}

static hy_err hedge_of_the_race(void *arg) {
    return hy_hedge(HY_OPTIONS(hy_hedge, .delay = HY_MS(5)), answer_all_the_same, arg, NULL);
}

static hy_err answer_of_a_cancelled_hedge_is_not_lost(void *unused) {
    (void)unused;
    race r = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        err = hy_spawn(s, hedge_of_the_race, &r, NULL, &r.caller);
        if (err == HY_OK) err = hy_sleep(HY_MS(50));
        if (err != HY_OK) break;
        hy_task_cancel(r.caller, HY_CANCELLED);
        hy_err got = hy_await(r.caller);
        if (kit_failed_allocation()) return HY_NOMEM;
        CHECK_EQ(got, HY_OK);
    }
    return err;
}

RUN_SIM(calls_until_it_is_good)
RUN_SIM(gives_the_last_error_after_calls_max)
RUN_SIM(what_is_not_worth_it_is_called_once)
RUN_SIM(delays_double_without_jitter)
RUN_SIM(deadline_that_cuts_the_wait_ends_it_now)
RUN_SIM(cancelled_is_never_retried)
RUN_SIM(each_call_has_its_own_limit)
RUN_SIM(budget_bounds_the_share_of_retries)
RUN_SIM(limit_in_time_waits_for_the_cleaning_up)
RUN_SIM(second_copy_wins_and_the_first_has_ended)
RUN_SIM(quick_first_copy_stays_alone)
RUN_SIM(failed_copy_is_followed_at_once)
RUN_SIM(retry_that_is_not_made_withdraws_nothing)
RUN_SIM(delays_may_be_for_ever)
RUN_SIM(no_time_is_no_call)
RUN_SIM(what_the_call_started_belongs_to_it)
RUN_SIM(answer_that_comes_late_is_an_answer)
RUN_SIM(first_copy_may_have_all_the_time)
RUN_SIM(what_losers_started_is_no_error_of_the_winner)
RUN_SIM(copy_that_waited_for_room_is_not_called_after_the_end)
RUN_SIM(answer_of_a_cancelled_hedge_is_not_lost)

KIT_TESTS(KIT_TEST(sim_calls_until_it_is_good), KIT_TEST(sim_gives_the_last_error_after_calls_max),
          KIT_TEST(sim_what_is_not_worth_it_is_called_once),
          KIT_TEST(sim_delays_double_without_jitter),
          KIT_TEST(sim_deadline_that_cuts_the_wait_ends_it_now),
          KIT_TEST(sim_cancelled_is_never_retried), KIT_TEST(sim_each_call_has_its_own_limit),
          KIT_TEST_ONCE(sim_budget_bounds_the_share_of_retries),
          KIT_TEST(sim_limit_in_time_waits_for_the_cleaning_up),
          KIT_TEST(sim_second_copy_wins_and_the_first_has_ended),
          KIT_TEST(sim_quick_first_copy_stays_alone), KIT_TEST(sim_failed_copy_is_followed_at_once),
          KIT_TEST(sim_retry_that_is_not_made_withdraws_nothing),
          KIT_TEST(sim_delays_may_be_for_ever), KIT_TEST(sim_no_time_is_no_call),
          KIT_TEST(sim_what_the_call_started_belongs_to_it),
          KIT_TEST(sim_answer_that_comes_late_is_an_answer),
          KIT_TEST(sim_first_copy_may_have_all_the_time),
          KIT_TEST(sim_what_losers_started_is_no_error_of_the_winner),
          KIT_TEST(sim_copy_that_waited_for_room_is_not_called_after_the_end),
          KIT_TEST(sim_answer_of_a_cancelled_hedge_is_not_lost))
