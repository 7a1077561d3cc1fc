// above_test.c - fibers visit, are lent, move and end early, and nothing of them is left behind.
//
// An early end abandons its stack with calls open, which is what the sanitizers mind most: their
// builds run these tests too, and one test ends fibers so often that a shadow stack which nobody
// puts back would overflow.
#include "scope/above.h"
#include "scope/inside.h"
#include "scope/run_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

#include <stdlib.h>
#include <string.h>

HY_KEY(const char *, COLOUR);
HY_KEY_DEFINE(COLOUR);
HY_KEY(const char *, SHAPE);
HY_KEY_DEFINE(SHAPE);
HY_KEY(const char *, SIZE);
HY_KEY_DEFINE(SIZE);

static bool sees(const char *colour) {
    const char *seen = HY_GET(COLOUR);
    return colour && seen ? strcmp(seen, colour) == 0 : seen == colour;
}

// ---- visiting ---------------------------------------------------------------------------------

typedef struct visit_state {
    hy_scope *other;
    bool waits, moved;
    hy_err waited;
    uint32_t told, spawned;
    hy_task *lent;
} visit_state;

static hy_err visit_and_look(void *arg) {
    visit_state *v = (visit_state *)arg;
    hy_scope *home = hy_scope_current();
    CHECK(sees("home"));
    CHECK(hyi_fiber_visited() == NULL);
    for (int i = 0; i < 3; i++) {
        hyi_fiber_visit(v->other);
        CHECK(hy_scope_current() == v->other && hyi_fiber_visited() == v->other);
        CHECK(sees(i == 0 ? "other" : "bound here"));
        hy_err err = HY_BIND(v->other, COLOUR, "bound here");
        if (err == HY_OK) CHECK(sees("bound here"));
        if (err == HY_OK) {
            HY_WITH(&err, COLOUR, "in a frame") {
                HY_SCOPE(s, &err, .name = "block") {
                    CHECK(sees("in a frame"));
                }
            }
        }
        if (err == HY_OK) CHECK(sees("bound here"));
        hyi_fiber_leave();
        CHECK(hy_scope_current() == home);
        CHECK(sees("home"));
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err a_visit_sees_what_the_other_scope_has(void *unused) {
    (void)unused;
    visit_state v = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "home") {
        err = HY_BIND(s, COLOUR, "home");
        if (err == HY_OK) err = hy_scope_open(NULL, NULL, &v.other);
        if (err == HY_OK) err = HY_BIND(v.other, COLOUR, "other");
        if (err == HY_OK) err = hy_spawn(s, visit_and_look, &v, NULL, NULL);
        if (err != HY_OK) break;
    }
    return err;
}
RUN_SIM(a_visit_sees_what_the_other_scope_has)

static void never_lent(void *self, hy_task *task) {
    (void)self;
    (void)task;
    CHECK(false);
}

static hy_err visit_the_cancelled(void *arg) {
    visit_state *v = (visit_state *)arg;
    hyi_root_on_lent(hyi_current->root, never_lent, NULL);
    hy_scope_cancel(v->other, HY_TIMEOUT);
    hyi_fiber_visit(v->other);
    hyi_fiber_lend(true);
    v->waited = hy_sleep(1);
    CHECK(hyi_fiber_lends()); // a wait that is refused is none
    hyi_fiber_lend(false);
    hyi_fiber_leave();
    return hy_sleep(1);
}

static hy_err cancellation_of_the_visited_is_heard(void *unused) {
    (void)unused;
    visit_state v = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "home") {
        err = hy_scope_open(NULL, NULL, &v.other);
        if (err == HY_OK) err = hy_spawn(s, visit_the_cancelled, &v, NULL, NULL);
        if (err != HY_OK) break;
    }
    if (err == HY_OK) CHECK_EQ(v.waited, HY_TIMEOUT);
    return err == HY_TIMEOUT ? HY_OK : err; // the cancelled scope's, at its end
}
RUN_SIM(cancellation_of_the_visited_is_heard)

// ---- lending ----------------------------------------------------------------------------------

static hy_err do_nothing(void *arg) {
    ++*(uint32_t *)arg;
    return HY_OK;
}

// As a worker does: notes who it is, moves him, and spawns another one in his place.
static void on_lent(void *self, hy_task *task) {
    visit_state *v = (visit_state *)self;
    v->told++;
    v->lent = task;
    CHECK(task == hyi_current);
    CHECK(!hyi_fiber_lends());
    hy_scope *home = task->owner;
    if (!v->moved) return;
    hyi_task_move(task);
    hy_err err = hy_spawn(home, do_nothing, &v->spawned, NULL, NULL);
    if (err != HY_OK) CHECK_EQ(err, HY_NOMEM);
}

static hy_err lend_and_wait(void *arg) {
    visit_state *v = (visit_state *)arg;
    hyi_root_on_lent(hyi_current->root, on_lent, v);
    hyi_fiber_visit(v->other);
    hyi_fiber_lend(true);
    hy_err err = hy_yield();
    CHECK_EQ(v->told, 0);
    CHECK(hyi_fiber_lends());
    if (err == HY_OK) err = hy_sleep(1);
    if (err == HY_OK) CHECK_EQ(v->told, 1);
    if (err == HY_OK) err = hy_sleep(1);
    if (err == HY_OK) CHECK_EQ(v->told, 1);
    if (v->waits) err = hy_sleep(HY_NEVER); // no end of its own
    v->waited = err;
    bool moved = v->moved && v->told > 0;
    CHECK(hyi_fiber_visited() == (moved ? NULL : v->other));
    if (!moved) {
        hyi_fiber_lend(false);
        hyi_fiber_leave();
    }
    hyi_root_on_lent(hy_scope_current()->root, NULL, NULL);
    return err == HY_CANCELLED ? HY_OK : err;
}

static hy_err run_lending(visit_state *v) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "home", .tasks_max = 2) {
        err = hy_scope_open(NULL, HY_OPTIONS(hy_scope, .name = "other", .tasks_max = 1), &v->other);
        if (err == HY_OK) err = hy_spawn(s, lend_and_wait, v, NULL, NULL);
        while (err == HY_OK && v->told == 0)
            err = hy_yield();
        if (err != HY_OK) break;
        CHECK_EQ(v->other->task_count, v->moved);
        CHECK_EQ(v->other->live, v->moved);
        hy_task *task = v->lent;
        CHECK(task->owner == (v->moved ? v->other : s));
        if (v->waits) {
            while (err == HY_OK && (!task->wait || task->wait->deadline != HY_NEVER))
                err = hy_yield();
            if (err != HY_OK) break;
            err = hy_scope_close(v->other);
            CHECK_EQ(v->waited, HY_CANCELLED);
        }
    }
    if (err == HY_OK) CHECK_EQ(v->told, 1);
    if (err == HY_OK) CHECK_EQ(v->spawned, v->moved);
    return err;
}

static hy_err a_fiber_is_lent_once(void *unused) {
    (void)unused;
    return run_lending(&(visit_state){ .moved = false });
}
RUN_SIM(a_fiber_is_lent_once)

static hy_err a_moved_fiber_is_the_others_task(void *unused) {
    (void)unused;
    return run_lending(&(visit_state){ .moved = true });
}
RUN_SIM(a_moved_fiber_is_the_others_task)

static hy_err closing_ends_a_moved_fiber(void *unused) {
    (void)unused;
    return run_lending(&(visit_state){ .moved = true, .waits = true });
}
RUN_SIM(closing_ends_a_moved_fiber)

// ---- ending early -----------------------------------------------------------------------------

typedef struct story {
    char text[64];
    size_t len;
    uint32_t depth, ended;
    bool linger;
    hy_scope *other;
} story;

static void tell(story *s, char letter) {
    if (s->len + 1 < sizeof s->text) s->text[s->len++] = letter;
    s->text[s->len] = 0;
}

typedef struct thing {
    story *story;
    char letter;
} thing;

static void release(void *object) {
    const thing *t = (const thing *)object;
    tell(t->story, t->letter);
}

static hy_err linger(void *arg) {
    story *s = (story *)arg;
    hy_err err = hy_sleep(HY_SECONDS(1000));
    HY_SCOPE(shield, NULL, .shield = HY_NEVER) {
        if (hy_sleep(HY_MS(1)) == HY_OK) tell(s, 't');
    }
    return err;
}

// The buffer makes the frames large, and is read behind the call, so that they are frames.
static __attribute__((noinline)) uint32_t go_down_and_end(story *s, uint32_t left) {
    volatile uint32_t here[8] = { left };
    if (left == 0) {
        tell(s, '!');
        if (hyi_fiber_can_exit()) hyi_fiber_exit(HY_CORRUPT);
        return 0;
    }
    uint32_t below = go_down_and_end(s, left - 1);
    tell(s, 'X');
    return below + here[0];
}

static hy_err end_in_blocks(void *arg) {
    story *s = (story *)arg;
    thing a = { s, 'a' }, b = { s, 'b' }, c = { s, 'c' };
    hy_err err = HY_OK;
    HY_WITH(&err, COLOUR, "red") {
        HY_SCOPE(outer, &err, .name = "outer") {
            err = hy_own(outer, &a, release, 0);
            if (err == HY_OK) err = hy_own(outer, &b, release, 0);
            if (err == HY_OK && s->linger) err = hy_spawn(outer, linger, s, NULL, NULL);
            if (err != HY_OK) break;
            HY_WITH(&err, SHAPE, "round") {
                HY_WITH(&err, SIZE, "small") {
                    HY_SCOPE(inner, &err, .name = "inner", .timeout = HY_SECONDS(100)) {
                        err = hy_own(inner, &c, release, 0);
                        if (err == HY_OK) err = hy_yield();
                        if (err != HY_OK) break;
                        (void)go_down_and_end(s, s->depth);
                    }
                    if (err == HY_OK) tell(s, 'X');
                }
            }
            break; // reached only without memory: nobody waits for the one who lingers
        }
    }
    return err;
}

static hy_err run_story(story *s) {
    hy_err err = HY_OK;
    const hy_scope *here = hy_scope_current();
    HY_SCOPE(all, &err, .name = "all", .policy = hy_collect) {
        hy_task *task = NULL;
        err = hy_spawn(all, end_in_blocks, s, NULL, &task);
        if (err != HY_OK) break;
        err = hy_await(task);
        CHECK(err == HY_CORRUPT || err == HY_NOMEM);
        CHECK(hyi_list_is_empty(&all->children));
        CHECK_EQ(all->task_count, 0);
    }
    CHECK(hy_scope_current() == here);
    return err == HY_CORRUPT ? HY_OK : err;
}

static hy_err an_early_end_closes_everything_in_order(void *unused) {
    (void)unused;
    story s = { .depth = 7 };
    hy_err err = run_story(&s);
    if (err == HY_OK) CHECK(strcmp(s.text, "!cba") == 0);
    return err;
}
RUN_SIM(an_early_end_closes_everything_in_order)
RUN_REAL(an_early_end_closes_everything_in_order)

static hy_err an_early_end_waits_for_its_tasks(void *unused) {
    (void)unused;
    story s = { .depth = 7, .linger = true };
    hy_err err = run_story(&s);
    if (err == HY_OK) CHECK(strcmp(s.text, "!ctba") == 0);
    return err;
}
RUN_SIM(an_early_end_waits_for_its_tasks)
RUN_REAL(an_early_end_waits_for_its_tasks)

enum { ENDS = 2000, ENDS_DEPTH = 50 };

static hy_err many_early_ends_leave_nothing(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    story s = { .depth = ENDS_DEPTH };
    size_t mapped = 0;
    for (uint32_t i = 0; i < ENDS && err == HY_OK; i++) {
        s.len = 0;
        err = run_story(&s);
        if (i == 10) mapped = hyi_stacks_mapped(hyi_current->root->stacks);
    }
    if (err == HY_OK) CHECK_EQ(hyi_stacks_mapped(hyi_current->root->stacks), mapped);
    return err;
}
RUN_REAL(many_early_ends_leave_nothing)

// A dispatcher that fails while it visits, with a wait on the way out: lent, then gone.
static hy_err visit_and_end(void *arg) {
    story *s = (story *)arg;
    thing a = { s, 'a' };
    hy_err err = HY_OK;
    hyi_fiber_visit(s->other);
    HY_WITH(&err, COLOUR, "red") {
        HY_SCOPE(block, &err, .name = "block", .timeout = HY_SECONDS(2000)) {
            err = hy_own(block, &a, release, 0);
            if (err == HY_OK) err = hy_spawn(block, linger, s, NULL, NULL);
            if (err == HY_OK) err = hy_yield();
            if (err == HY_OK) (void)go_down_and_end(s, 5);
        }
    }
    hyi_fiber_leave();
    return err;
}

static hy_err an_early_end_leaves_its_visit(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    story s = { 0 };
    hy_task *task = NULL;
    HY_SCOPE(home, &err, .name = "home", .policy = hy_collect) {
        err = hy_scope_open(NULL, HY_OPTIONS(hy_scope, .name = "other"), &s.other);
        if (err == HY_OK) err = hy_spawn(home, visit_and_end, &s, NULL, &task);
        if (err == HY_OK) err = hy_await(task);
        if (err == HY_CORRUPT) CHECK(strcmp(s.text, "!ta") == 0);
    }
    return err == HY_CORRUPT ? HY_OK : err;
}
RUN_SIM(an_early_end_leaves_its_visit)

// ---- services -----------------------------------------------------------------------------------

static hy_err end_the_first_run(void *arg) {
    story *s = (story *)arg;
    static thing a; // outlives the function: it is owned by the service's scope
    a = (thing){ s, 'a' };
    hy_err err = hy_own(hy_scope_current(), &a, release, 0);
    if (err != HY_OK) return err;
    hy_ready();
    if (s->ended++ == 0) (void)go_down_and_end(s, 3);
    return hy_wait_draining() == HY_CLOSED ? HY_OK : HY_CANCELLED;
}

static hy_err a_service_that_ends_early_comes_up_again(void *unused) {
    (void)unused;
    story s = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(all, &err, .name = "all") {
        err = hy_start(all,
                       &(hy_service_spec){ .size = sizeof(hy_service_spec),
                                           .name = "unit",
                                           .fn = end_the_first_run,
                                           .arg = &s,
                                           .restart = HY_PERMANENT },
                       NULL);
        while (err == HY_OK && s.ended < 2)
            err = hy_sleep(HY_MS(1));
        if (err != HY_OK) break;
        hy_scope_stop(all, 0);
    }
    if (err == HY_OK && !kit_failed_allocation()) CHECK(strcmp(s.text, "!aa") == 0);
    return err == HY_RESTARTS && kit_failed_allocation() ? HY_NOMEM : err;
}
RUN_SIM(a_service_that_ends_early_comes_up_again)

// ---- where a fiber must return ------------------------------------------------------------------

static void end_in_a_release(void *unused) {
    (void)unused;
    if (!hyi_fiber_can_exit()) hyi_fiber_exit(HY_CORRUPT);
}

static hy_err own_a_bad_one(void *arg) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "block") {
        CHECK(hyi_fiber_can_exit());
        err = hy_own(s, arg, end_in_a_release, 0);
    }
    return err;
}

static hy_err build_badly(void *self, hy_scope *scope, void **out_value) {
    (void)self;
    (void)scope;
    (void)out_value;
    hyi_fiber_exit(HY_CORRUPT);
}

static hy_err ask_a_bad_provider(void *unused) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "block") {
        err = hy_provide(s, &COLOUR_key, &(hy_provider){ .build = build_badly });
        if (err == HY_OK && !sees(unused)) break;
    }
    return err;
}

static hy_err end_the_body(void *unused) {
    (void)unused;
    hyi_fiber_exit(HY_CORRUPT);
}

static hy_err in_a_task(void *fn) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "block") {
        err = hy_spawn(s, *(const hy_fn *)fn, NULL, NULL, NULL);
    }
    return err;
}

static void run_dying(void *fn) {
    (void)run_in_sim(hy_mem_system(), in_a_task, fn);
}

static void run_dying_body(void *fn) {
    (void)run_in_sim(hy_mem_system(), *(const hy_fn *)fn, NULL);
}

static hy_err what_must_return_cannot_end_early(hy_mem *mem) {
    (void)mem;
    hy_fn fns[] = { own_a_bad_one, ask_a_bad_provider, end_the_body };
    for (size_t i = 0; i < 3; i++) {
        CHECK(kit_death(i == 2 ? run_dying_body : run_dying, &fns[i]));
        CHECK(strstr(kit_last_words(), "these must return") != NULL);
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(sim_a_visit_sees_what_the_other_scope_has),
          KIT_TEST(sim_cancellation_of_the_visited_is_heard), KIT_TEST(sim_a_fiber_is_lent_once),
          KIT_TEST(sim_a_moved_fiber_is_the_others_task), KIT_TEST(sim_closing_ends_a_moved_fiber),
          KIT_TEST(sim_an_early_end_closes_everything_in_order),
          KIT_TEST(real_an_early_end_closes_everything_in_order),
          KIT_TEST(sim_an_early_end_waits_for_its_tasks),
          KIT_TEST(real_an_early_end_waits_for_its_tasks),
          KIT_TEST_ONCE(real_many_early_ends_leave_nothing),
          KIT_TEST(sim_an_early_end_leaves_its_visit),
          KIT_TEST(sim_a_service_that_ends_early_comes_up_again),
          KIT_TEST_ONCE(what_must_return_cannot_end_early))
