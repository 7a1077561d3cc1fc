// task_test.c - tasks: who awaits whom, who is cancelled, and what policies make of their ends.
//
// Where memory fails, a scope may be cancelled before a test has come to its point; such a run ends
// at CHECK_MEMORY, after which all expectations are those of a run in which nothing went wrong.
#include "kit/kit.h"
#include "scope/run_suite.h"

#define CHECK_MEMORY()                                                                             \
    do {                                                                                           \
        if (kit_failed_allocation()) return HY_NOMEM;                                              \
    } while (0)

static hy_err succeeds(void *arg) {
    (void)arg;
    return HY_OK;
}

static hy_err fails(void *arg) {
    (void)arg;
    return HY_IO;
}

static hy_err fails_later(void *arg) {
    (void)arg;
    hy_err err = hy_sleep(HY_MS(50));
    return err == HY_OK ? HY_REJECT : err;
}

static hy_err counts(void *arg) {
    ++*(int *)arg;
    return HY_OK;
}

static hy_err sleeps_long(void *arg) {
    hy_err err = hy_sleep(HY_SECONDS(1000));
    if (err != HY_OK && err != HY_NOMEM && arg) ++*(int *)arg;
    return err;
}

static hy_err fails_when_cancelled(void *arg) {
    hy_err err = sleeps_long(arg);
    return err == HY_NOMEM ? err : HY_CORRUPT;
}

// ---- awaiting -----------------------------------------------------------------------------------

static hy_err await_gives_the_result(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_task *early = NULL, *late = NULL;
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, &early));
        CHECK_OK(hy_spawn(s, fails_later, NULL, NULL, &late));
        CHECK(!hy_task_ended(late));
        CHECK_ERR(hy_await(late), HY_REJECT);
        CHECK(hy_task_ended(early));
        CHECK_ERR(hy_await(early), HY_IO);
    }
    return err;
}
RUN_SIM(await_gives_the_result)
RUN_REAL(await_gives_the_result)

static hy_err a_handle_nobody_awaits_goes_with_the_scope(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_task *task = NULL;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, succeeds, NULL, NULL, &task));
    }
    return err;
}
RUN_SIM(a_handle_nobody_awaits_goes_with_the_scope)

static hy_err a_cancelled_await_leaves_the_task(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    hy_task *task = NULL;
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        CHECK_OK(hy_spawn(s, fails_later, NULL, NULL, &task));
        HY_SCOPE(t, &inner, .timeout = HY_MS(1)) {
            inner = hy_await(task);
        }
        CHECK_ERR(inner, HY_TIMEOUT);
        CHECK_ERR(hy_await(task), HY_REJECT);
    }
    return err;
}
RUN_SIM(a_cancelled_await_leaves_the_task)

typedef struct ring {
    hy_task *first, *second;
    hy_err first_got, second_got;
} ring;

static hy_err awaits_second(void *arg) {
    ring *r = (ring *)arg;
    r->first_got = hy_await(r->second);
    return HY_OK;
}

static hy_err awaits_first(void *arg) {
    ring *r = (ring *)arg;
    r->second_got = hy_await(r->first);
    return HY_OK;
}

static hy_err awaits_its_opener(void *arg) {
    CHECK_ERR(hy_await(*(hy_task **)arg), HY_DEADLOCK);
    return HY_OK;
}

static hy_err opens_for_one_that_awaits_it(void *arg) {
    CHECK_ERR(hy_await(*(hy_task **)arg), HY_DEADLOCK); // itself
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, awaits_its_opener, arg, NULL, NULL));
    }
    return err;
}

static hy_err waiting_for_oneself_is_refused(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_task *task = NULL;
    ring r = { 0 };
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, opens_for_one_that_awaits_it, &task, NULL, &task));
        CHECK_OK(hy_await(task));
        CHECK_OK(hy_spawn(s, awaits_second, &r, NULL, &r.first));
        hy_err spawned = hy_spawn(s, awaits_first, &r, NULL, &r.second);
        if (spawned != HY_OK) {
            r.second = r.first; // it awaits itself
            return spawned;
        }
    }
    CHECK_OK(err);
    // Whoever came second was refused; the other one got the result.
    CHECK((r.first_got == HY_DEADLOCK) != (r.second_got == HY_DEADLOCK));
    CHECK((r.first_got == HY_OK) != (r.second_got == HY_OK));
    return HY_OK;
}
RUN_SIM(waiting_for_oneself_is_refused)

// ---- cancelling one -----------------------------------------------------------------------------

typedef struct victim {
    int cut;
    hy_err block;
} victim;

static hy_err waits_for_a_child(void *arg) {
    victim *v = (victim *)arg;
    HY_SCOPE(s, &v->block) {
        v->block = hy_spawn(s, sleeps_long, &v->cut, NULL, NULL);
    }
    if (v->block == HY_NOMEM) return v->block;
    CHECK_ERR(hy_check(), v->block);
    return v->block;
}

static hy_err one_is_cancelled_with_its_blocks(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    int other = 0, called = 0;
    victim v = { 0 };
    hy_task *task = NULL, *unborn = NULL;
    HY_SCOPE(s, &err, .policy = hy_fail_fast) {
        CHECK_OK(hy_spawn(s, sleeps_long, &other, NULL, NULL));
        CHECK_OK(hy_spawn(s, waits_for_a_child, &v, NULL, &task));
        CHECK_OK(hy_sleep(HY_MS(10)));
        hy_task_cancel(task, HY_REJECT);
        hy_err got = hy_await(task); // its own reason: held against nobody
        CHECK_MEMORY();
        CHECK_ERR(got, HY_REJECT);
        CHECK_EQ(v.cut, 1);
        CHECK_EQ(other, 0);
        CHECK_OK(hy_spawn(s, counts, &called, NULL, &unborn));
        hy_task_cancel(unborn, HY_CANCELLED);
        CHECK_OK(hy_await(unborn)); // it runs, and waits for nothing
        CHECK_EQ(called, 1);
        CHECK_OK(hy_scope_reason(s));
        break;
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(one_is_cancelled_with_its_blocks)

static hy_err sleeps_in_a_shield(void *arg) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .shield = HY_SECONDS(9)) {
        err = hy_sleep(HY_SECONDS(2));
        if (err == HY_OK) ++*(int *)arg;
    }
    if (err == HY_OK) err = hy_check();
    return err;
}

static hy_err a_shield_holds_off_that_too(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    int slept = 0;
    hy_task *task = NULL;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, sleeps_in_a_shield, &slept, NULL, &task));
        CHECK_OK(hy_sleep(HY_MS(10)));
        hy_task_cancel(task, HY_REJECT);
        hy_err got = hy_await(task);
        CHECK_MEMORY();
        CHECK_ERR(got, HY_REJECT);
        CHECK_EQ(slept, 1);
    }
    return err;
}
RUN_SIM(a_shield_holds_off_that_too)

// ---- policies -----------------------------------------------------------------------------------

static hy_err fail_fast_cancels_the_others(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    int cut = 0;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, sleeps_long, &cut, NULL, NULL));
        CHECK_OK(hy_spawn(s, fails_later, NULL, NULL, NULL));
        CHECK_OK(hy_spawn(s, sleeps_long, &cut, NULL, NULL));
    }
    CHECK_ERR(err, HY_REJECT);
    CHECK_EQ(cut, 2);
    return HY_OK;
}
RUN_SIM(fail_fast_cancels_the_others)

static hy_err collect_lets_all_run(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    int count = 0;
    HY_SCOPE(s, &err, .policy = hy_collect) {
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK_OK(hy_spawn(s, fails_later, NULL, NULL, NULL));
        CHECK_OK(hy_sleep(HY_SECONDS(1)));
        CHECK_OK(hy_spawn(s, counts, &count, NULL, NULL));
    }
    CHECK_ERR(err, HY_IO); // the first
    CHECK_EQ(count, 1);
    return HY_OK;
}
RUN_SIM(collect_lets_all_run)

static hy_err the_first_success_wins_a_race(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    int cut = 0;
    HY_SCOPE(s, &err, .policy = hy_race) {
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
        CHECK_OK(hy_spawn(s, sleeps_long, &cut, NULL, NULL));
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK_OK(hy_spawn(s, succeeds, NULL, NULL, NULL));
        err = hy_sleep(HY_SECONDS(1000));
        CHECK_ERR(err, HY_CANCELLED);
    }
    CHECK_OK(err);
    CHECK_MEMORY();
    CHECK_EQ(cut, 1);
    HY_SCOPE(s, &err, .policy = hy_race) {
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
        CHECK_OK(hy_spawn(s, fails_later, NULL, NULL, NULL));
    }
    CHECK_ERR(err, HY_IO); // nobody did
    return HY_OK;
}
RUN_SIM(the_first_success_wins_a_race)

static hy_err ignore_ignores(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
    }
    return err;
}
RUN_SIM(ignore_ignores)

static hy_err tasks_beside_services_fail_fast(void *unused) {
    (void)unused;
    const hy_policy policies[] = { hy_one_for_one, hy_one_for_all, hy_rest_for_one };
    for (int i = 0; i < 3; i++) {
        hy_err err = HY_OK;
        HY_SCOPE(s, &err, .policy = policies[i]) {
            CHECK_OK(hy_spawn(s, sleeps_long, NULL, NULL, NULL));
            CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
        }
        CHECK_ERR(err, HY_IO);
    }
    return HY_OK;
}
RUN_SIM(tasks_beside_services_fail_fast)

static hy_err a_real_error_while_cancelled_counts(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    int cut = 0;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, fails_when_cancelled, &cut, NULL, NULL));
        CHECK_OK(hy_spawn(s, sleeps_long, &cut, NULL, NULL));
        CHECK_OK(hy_sleep(HY_MS(1)));
        break;
    }
    CHECK_MEMORY();
    CHECK_ERR(err, HY_CORRUPT);
    CHECK_EQ(cut, 2);
    return HY_OK;
}
RUN_SIM(a_real_error_while_cancelled_counts)

static hy_ending seen;
static int seen_count;

static hy_verdict looks(const hy_ending *ending) {
    seen = *ending;
    seen_count++;
    return ending->err == HY_IO ? HY_FINISH : HY_IGNORE;
}

static hy_err a_policy_sees_every_end(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    seen_count = 0;
    HY_SCOPE(s, &err, .policy = looks) {
        CHECK_OK(hy_spawn(s, succeeds, NULL, HY_OPTIONS(hy_spawn, .name = "one"), NULL));
        CHECK_OK(hy_scope_join(s));
        CHECK(seen.scope == s);
        CHECK_TEXT(hy_bytes_of(seen.name), "one");
        CHECK_EQ(seen_count, 1);
        CHECK_OK(hy_spawn(s, sleeps_long, NULL, NULL, NULL));
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
    }
    CHECK_OK(err); // its verdict was that all is well
    CHECK_MEMORY();
    CHECK_EQ(seen_count, 3);
    return HY_OK;
}
RUN_SIM(a_policy_sees_every_end)

KIT_TESTS(KIT_TEST(sim_await_gives_the_result), KIT_TEST(real_await_gives_the_result),
          KIT_TEST(sim_a_handle_nobody_awaits_goes_with_the_scope),
          KIT_TEST(sim_a_cancelled_await_leaves_the_task),
          KIT_TEST(sim_waiting_for_oneself_is_refused),
          KIT_TEST(sim_one_is_cancelled_with_its_blocks), KIT_TEST(sim_a_shield_holds_off_that_too),
          KIT_TEST(sim_fail_fast_cancels_the_others), KIT_TEST(sim_collect_lets_all_run),
          KIT_TEST(sim_the_first_success_wins_a_race), KIT_TEST(sim_ignore_ignores),
          KIT_TEST(sim_tasks_beside_services_fail_fast),
          KIT_TEST(sim_a_real_error_while_cancelled_counts), KIT_TEST(sim_a_policy_sees_every_end))
