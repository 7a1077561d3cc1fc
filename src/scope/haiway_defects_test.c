// haiway_defects_test.c - what Haiway gets wrong, and Hypha must not.
//
// The numbers are those of section 1.8 of the scopes' specification; docs/HAIWAY.md has the rest.
#include "scope/run_suite.h"
#include "scope/unit_suite.h"
#include "kit/kit.h"

#include <signal.h>

// ---- 1: what was acquired before a failure stays behind -----------------------------------------

#define DISPOSABLES 5

typedef struct disposable {
    struct disposables *all;
    int number, opened, closed;
} disposable;

typedef struct disposables {
    disposable of[DISPOSABLES];
    int order[DISPOSABLES * 2]; // numbers as they opened, and less 100 as they closed
    int count;
} disposables;

static void disposables_tell(disposables *all, int what) {
    CHECK(all->count < DISPOSABLES * 2);
    all->order[all->count++] = what;
}

static void disposable_close(void *object) {
    disposable *d = (disposable *)object;
    d->closed++;
    disposables_tell(d->all, d->number - 100);
}

static hy_err disposable_open(hy_scope *scope, disposables *all, int number) {
    disposable *d = &all->of[number];
    *d = (disposable){ .all = all, .number = number, .opened = 1 };
    disposables_tell(all, number);
    return hy_own(scope, d, disposable_close, 0);
}

static hy_err opens_all_but(disposables *all, int failing) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (int i = 0; i < DISPOSABLES; i++) {
            err = i == failing ? HY_IO : disposable_open(s, all, i);
            if (err != HY_OK) return err;
        }
    }
    return err;
}

// There those that had entered are not exited when one of several fails to enter.
static hy_err item_1_what_was_acquired_is_released_when_the_next_fails(void *unused) {
    (void)unused;
    for (int failing = 0; failing < DISPOSABLES; failing++) {
        disposables all = { .count = 0 };
        hy_err err = opens_all_but(&all, failing);
        for (int i = 0; i < DISPOSABLES; i++) {
            CHECK_EQ(all.of[i].closed, all.of[i].opened);
        }
        CHECK_ERR(err, HY_IO);
    }
    return HY_OK;
}
RUN_SIM(item_1_what_was_acquired_is_released_when_the_next_fails)

// ---- 2: what one scope holds has no order -------------------------------------------------------

// There a pool and its user cannot lie in one scope.
static hy_err item_2_what_uses_ends_before_what_is_used(void *unused) {
    (void)unused;
    disposables all = { .count = 0 };
    hy_err err = opens_all_but(&all, DISPOSABLES);
    if (err != HY_OK) return err;
    CHECK_EQ(all.count, DISPOSABLES * 2);
    for (int i = 0; i < DISPOSABLES; i++) {
        CHECK_EQ(all.order[i], i);
        CHECK_EQ(all.order[DISPOSABLES + i], DISPOSABLES - 1 - i - 100);
    }
    return HY_OK;
}
RUN_SIM(item_2_what_uses_ends_before_what_is_used)

// ---- 3: a task in the inner scope's context, owned by the outer one -----------------------------

typedef struct pool {
    bool open;
} pool;

HY_KEY(pool *, POOL);
HY_KEY_DEFINE(POOL);

typedef struct lifetime_hole {
    pool outer, inner;
    hy_event inner_is_gone;
    bool looked;
} lifetime_hole;

static void pool_close(void *object) {
    ((pool *)object)->open = false;
}

static hy_err look_after_the_inner_scope(void *arg) {
    lifetime_hole *h = (lifetime_hole *)arg;
    hy_err err = hy_event_wait(&h->inner_is_gone);
    if (err != HY_OK) return err;
    CHECK(!h->inner.open);
    CHECK(HY_GET(POOL) == &h->outer); // the owner's, which is open as long as the task runs
    CHECK(HY_GET(POOL)->open);
    h->looked = true;
    return HY_OK;
}

static hy_err open_and_bind(hy_scope *scope, pool *p) {
    p->open = true;
    hy_err err = hy_own(scope, p, pool_close, 0);
    return err == HY_OK ? HY_BIND(scope, POOL, p) : err;
}

// There the task is owned by an ancestor and sees what the nested scope bound, whose disposables
// are gone while it still runs. Here it sees the context of the scope that owns it.
static hy_err item_3_no_task_sees_values_that_end_before_it(void *unused) {
    (void)unused;
    lifetime_hole h = { .looked = false };
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err) {
        CHECK_OK(open_and_bind(outer, &h.outer));
        HY_SCOPE(inner, &err) {
            CHECK_OK(open_and_bind(inner, &h.inner));
            CHECK(HY_GET(POOL) == &h.inner);
            CHECK_OK(hy_spawn(outer, look_after_the_inner_scope, &h, NULL, NULL));
        }
        CHECK_OK(err);
        hy_event_set(&h.inner_is_gone);
    }
    CHECK_OK(err);
    CHECK(h.looked);
    return HY_OK;
}
RUN_SIM(item_3_no_task_sees_values_that_end_before_it)

// ---- 4: a timeout that does not wait, or never comes back
// ----------------------------------------

static hy_err cleans_up_slowly(void *arg) {
    hy_err err = hy_sleep(HY_SECONDS(1000));
    HY_SCOPE(s, NULL, .shield = HY_SECONDS(9)) {
        if (hy_sleep(HY_SECONDS(3)) == HY_OK) *(bool *)arg = true;
    }
    return err;
}

// There the caller goes on while the other one cleans up.
static hy_err item_4_a_timeout_waits_for_the_clean_up(void *unused) {
    (void)unused;
    bool clean = false;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(1)) {
        CHECK_OK(hy_spawn(s, cleans_up_slowly, &clean, NULL, NULL));
    }
    CHECK_ERR(err, HY_TIMEOUT);
    CHECK(clean);
    return HY_OK;
}
RUN_SIM(item_4_a_timeout_waits_for_the_clean_up)

static hy_err cancels_itself(void *arg) {
    hy_task_cancel(*(hy_task **)arg, HY_CANCELLED);
    return hy_sleep(HY_SECONDS(1000));
}

// There nobody wakes the caller of a task that cancels itself: its timer went first.
static hy_err item_4_who_cancels_itself_is_not_waited_for_in_vain(void *unused) {
    (void)unused;
    hy_ns began = hy_world_now(hy_scope_world(hy_scope_current()));
    hy_task *task = NULL;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(100)) {
        CHECK_OK(hy_spawn(s, cancels_itself, &task, NULL, &task));
        CHECK_ERR(hy_await(task), HY_CANCELLED);
        CHECK_OK(hy_check()); // it was that task alone
    }
    CHECK_OK(err);
    CHECK(hy_world_now(hy_scope_world(hy_scope_current())) - began < HY_SECONDS(1));
    return HY_OK;
}
RUN_SIM(item_4_who_cancels_itself_is_not_waited_for_in_vain)

// ---- 10: no deadline, no order, and handlers that come with an import ---------------------------

static bool sigterm_is_handled(void) {
    struct sigaction action;
    CHECK_EQ(sigaction(SIGTERM, NULL, &action), 0);
    return action.sa_handler != SIG_DFL;
}

static hy_err look_at_sigterm(void *arg) {
    *(bool *)arg = sigterm_is_handled();
    return HY_OK;
}

// There importing the package installs handlers. Here a root that is asked for them has them, and
// takes them away again.
static hy_err item_10_handlers_are_installed_only_when_asked_for(hy_mem *mem) {
    for (int asked = 0; asked < 2; asked++) {
        CHECK(!sigterm_is_handled());
        hy_world *world = NULL;
        CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
        bool during = false;
        hy_root_options options = { .size = sizeof options, .signals = asked == 1 };
        hy_err err = hy_root_run(world, &options, look_at_sigterm, &during);
        hy_world_close(world);
        CHECK_OK(err);
        CHECK_EQ(during, asked == 1);
        CHECK(!sigterm_is_handled());
    }
    return HY_OK;
}

static hy_err ignores_the_stop(void *arg) {
    hy_err err = hy_sleep(HY_NEVER);
    unit_tell((unit_story *)arg, "task", err == HY_CANCELLED ? "x" : "?");
    return err;
}

// There everything in the background is cancelled at once and waited for without a bound. Here
// those who use come before what they use, and the whole has one limit, whoever ignores it.
static hy_err item_10_stop_has_a_deadline_and_an_order(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story, .deaf = true };
    unit b = { .name = "b", .story = &story };
    hy_ns began = 0;
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_OK(hy_spawn(s, ignores_the_stop, &story, NULL, NULL));
        CHECK_OK(hy_sleep(HY_MS(10)));
        unit_forget(&story);
        began = hy_world_now(world);
        hy_scope_stop(s, HY_SECONDS(5));
    }
    CHECK_ERR(err, HY_CANCELLED); // not everybody came to an end by himself
    CHECK(hy_world_now(world) - began <= HY_SECONDS(5));
    CHECK(unit_story_is(&story, "taskx b- b. ax a."));
    return HY_OK;
}
RUN_SIM(item_10_stop_has_a_deadline_and_an_order)

// ---- 11: no restart, no readiness, no inherited deadline, no back-pressure on spawn -------------

static hy_err item_11_what_falls_is_started_again(void *unused) {
    (void)unused;
    unit a = { .name = "a", .gets_ready = HY_MS(300), .lives = HY_MS(1), .falls = 3, .err = HY_IO };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_service *service = NULL;
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, &service));
        CHECK(a.is_up); // ready when hy_start returns
        CHECK_OK(hy_sleep(HY_SECONDS(30)));
        hy_service_state state = hy_service_state_of(service);
        CHECK(state.ready);
        CHECK_EQ(state.starts, 4);
        CHECK_ERR(state.last_err, HY_IO);
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(item_11_what_falls_is_started_again)

static hy_err item_11_deadlines_are_inherited(void *unused) {
    (void)unused;
    hy_err outer = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &outer, .timeout = HY_SECONDS(1)) {
        HY_SCOPE(t, &inner, .timeout = HY_SECONDS(60)) {
            CHECK_EQ(hy_scope_deadline(t), hy_scope_deadline(s)); // it only tightens
            inner = hy_sleep(HY_SECONDS(10));
        }
    }
    CHECK_ERR(inner, HY_TIMEOUT);
    CHECK_ERR(outer, HY_TIMEOUT);
    return HY_OK;
}
RUN_SIM(item_11_deadlines_are_inherited)

static hy_err naps(void *arg) {
    (void)arg;
    return hy_sleep(HY_SECONDS(1));
}

static hy_err item_11_spawn_waits_for_room(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .tasks_max = 10) {
        for (int i = 0; i < 100; i++) {
            CHECK_OK(hy_spawn(s, naps, NULL, NULL, NULL));
            CHECK(hy_scope_stats_of(s).fibers <= 11); // and this one
        }
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(item_11_spawn_waits_for_room)

KIT_TESTS(KIT_TEST(sim_item_1_what_was_acquired_is_released_when_the_next_fails),
          KIT_TEST(sim_item_2_what_uses_ends_before_what_is_used),
          KIT_TEST_ONCE(sim_item_4_a_timeout_waits_for_the_clean_up),
          KIT_TEST(sim_item_4_who_cancels_itself_is_not_waited_for_in_vain),
          KIT_TEST(sim_item_3_no_task_sees_values_that_end_before_it),
          KIT_TEST_ONCE(item_10_handlers_are_installed_only_when_asked_for),
          KIT_TEST_ONCE(sim_item_10_stop_has_a_deadline_and_an_order),
          KIT_TEST_ONCE(sim_item_11_what_falls_is_started_again),
          KIT_TEST_ONCE(sim_item_11_deadlines_are_inherited),
          KIT_TEST_ONCE(sim_item_11_spawn_waits_for_room))
