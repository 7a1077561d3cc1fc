// ending_test.c - the ways in which a start of an actor ends, and their limits of time.
//
// All of it in simulated worlds, so that limits can be checked to the millisecond without waiting.
// Failures are also provoked where they hurt most: in `start`, in `stop`, in the release of what an
// actor owns, while a handler waits. What always holds: everything owned is released once, the
// latest first; `stop` is called once after each start that was done, unless it was killed; and who
// waits for the end is told.
#include "actor/grove_suite.h"
#include "kit/kit.h"

#define PLANT(g, above, ...)                                                                       \
    grove_plant((g), (above), &(hy_actor_options){ .size = sizeof(hy_actor_options), __VA_ARGS__ })

static hy_err root_of(grove *g) {
    g->policy = hy_one_for_one;
    return hy_actors_in(NULL, g->node, NULL, &g->root);
}

static hy_ns now(void) {
    return hy_world_now(hy_scope_world(hy_scope_current()));
}

// ---- starts -----------------------------------------------------------------------------------

static hy_err a_start_that_fails_leaves_nothing(grove *g) {
    CHECK_OK(root_of(g));
    for (uint32_t i = 0; i < 2; i++) {
        plant *p = PLANT(g, NULL, .restart = HY_TEMPORARY);
        p->start_fails = 1;
        CHECK_OK(grove_spawn(p, i == 0 ? g->root : HY_NOBODY));
        CHECK_OK(HY_TELL(grove, note, p->ref, .number = 1));
        CHECK_ERR(hy_actor_wait_ready(p->ref.ref, HY_NEVER), HY_IO);
        CHECK(!grove_lives(p));
        CHECK_EQ(p->stops, 0);
        CHECK_EQ(p->releases, 1);
        CHECK_EQ(p->notes, 0);
        CHECK_ERR(HY_TELL(grove, note, p->ref, .number = 2), HY_NOT_FOUND);
        CHECK_ERR(hy_actor_wait_ready(p->ref.ref, HY_NEVER), HY_NOT_FOUND);
        CHECK_ERR(hy_actor_wait_end(p->ref.ref, HY_NEVER), HY_OK);
    }
    CHECK_EQ(hy_node_account(g->node).dropped[HY_DROP_ENDED], 2);
    return HY_OK;
}

static hy_err a_start_that_takes_too_long_is_a_failure(grove *g) {
    CHECK_OK(root_of(g));
    plant *p = PLANT(g, NULL, .restart = HY_TEMPORARY, .start_max = HY_SECONDS(3));
    p->start_takes = HY_SECONDS(100);
    CHECK_OK(grove_spawn(p, g->root));
    hy_ns began = now();
    CHECK_ERR(hy_actor_wait_ready(p->ref.ref, HY_NEVER), HY_TIMEOUT);
    CHECK(now() - began >= HY_SECONDS(3) && now() - began < HY_MS(3010));
    CHECK(!grove_lives(p));
    plant *q = PLANT(g, NULL, .restart = HY_TRANSIENT, .start_max = HY_SECONDS(3));
    q->start_takes = HY_SECONDS(2);
    CHECK_OK(grove_spawn(q, g->root));
    CHECK_ERR(hy_actor_wait_ready(q->ref.ref, now() + HY_SECONDS(1)), HY_TIMEOUT);
    CHECK_OK(hy_actor_wait_ready(q->ref.ref, HY_NEVER));
    CHECK_OK(grove_settle(HY_SECONDS(10)));
    CHECK(q->is_up && q->starts == 1);
    return HY_OK;
}

static hy_err who_is_told_while_it_starts_stops_afterwards(grove *g) {
    CHECK_OK(root_of(g));
    plant *p = PLANT(g, NULL, .restart = HY_PERMANENT);
    p->start_takes = HY_SECONDS(2);
    CHECK_OK(grove_spawn(p, g->root));
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    hy_actor_stop(p->ref.ref);
    CHECK_OK(hy_actor_wait_end(p->ref.ref, HY_NEVER));
    CHECK_EQ(p->starts, 1);
    CHECK_EQ(p->stops, 1);
    plant *q = PLANT(g, NULL, .restart = HY_PERMANENT); // not begun yet
    CHECK_OK(grove_spawn(q, g->root));
    hy_actor_stop(q->ref.ref);
    CHECK_OK(hy_actor_wait_end(q->ref.ref, HY_NEVER));
    CHECK_EQ(q->stops, q->starts);
    return HY_OK;
}

// ---- stops ------------------------------------------------------------------------------------

static hy_err a_stop_that_takes_too_long_is_cut(grove *g) {
    CHECK_OK(root_of(g));
    plant *p = PLANT(g, NULL, .stop_max = HY_SECONDS(4));
    p->stop_takes = HY_SECONDS(100);
    CHECK_OK(grove_spawn(p, g->root));
    CHECK_OK(hy_actor_wait_ready(p->ref.ref, HY_NEVER));
    hy_ns began = now();
    hy_actor_stop(p->ref.ref);
    CHECK_OK(hy_actor_wait_end(p->ref.ref, HY_NEVER));
    CHECK(now() - began >= HY_SECONDS(4) && now() - began < HY_MS(4010));
    CHECK_EQ(p->stops, 1);
    CHECK_EQ(p->releases, 1);
    return HY_OK;
}

static hy_err a_handler_that_waits_may_finish_until_stop_max(grove *g) {
    CHECK_OK(root_of(g));
    plant *p = PLANT(g, NULL, .stop_max = HY_SECONDS(4));
    CHECK_OK(grove_spawn(p, g->root));
    CHECK_OK(grove_let_fall(p, GROVE_WAIT));
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    hy_ns began = now();
    hy_actor_stop(p->ref.ref);
    CHECK_ERR(hy_actor_wait_end(p->ref.ref, HY_NEVER), HY_CANCELLED); // killed
    CHECK(now() - began >= HY_SECONDS(4) && now() - began < HY_MS(4010));
    CHECK_EQ(p->stops, 0);
    CHECK_EQ(p->releases, 1);
    return HY_OK;
}

static hy_err a_kill_does_not_wait_and_others_go_on(grove *g) {
    CHECK_OK(root_of(g));
    plant *p = PLANT(g, NULL, .restart = HY_PERMANENT, .restarts_max = UINT32_MAX);
    plant *q = PLANT(g, NULL, .restart = HY_TEMPORARY);
    CHECK_OK(grove_spawn(p, g->root));
    CHECK_OK(grove_spawn(q, g->root));
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_OK(grove_let_fall(p, GROVE_WAIT));
        CHECK_OK(grove_settle(HY_SECONDS(20)));
        hy_actor_kill(p->ref.ref);
        CHECK_OK(grove_settle(HY_SECONDS(20)));
        CHECK_EQ(p->starts, i + 2);
        CHECK_EQ(p->stops, 0);
        // The fiber that was cancelled handles nothing more: whoever waits now waits.
        grove_word word = { 0 };
        CHECK_OK(HY_ASK(grove, count, q->ref, 0, &word, .number = 1));
        CHECK_OK(HY_TELL(grove, sleep, q->ref, .number = 1000));
        CHECK_OK(grove_settle(HY_MS(500)));
        CHECK_EQ(q->notes, i);
        CHECK_OK(grove_settle(HY_MS(600)));
        CHECK_EQ(q->notes, i + 1);
    }
    return HY_OK;
}

// While the fiber of the killed one has not run yet, all others begin to wait.
static hy_err a_cancelled_fiber_runs_nobody_else(grove *g) {
    CHECK_OK(root_of(g));
    plant *p = PLANT(g, NULL, .restart = HY_PERMANENT, .restarts_max = UINT32_MAX);
    plant *q = PLANT(g, NULL, .restart = HY_TEMPORARY);
    CHECK_OK(grove_spawn(p, g->root));
    CHECK_OK(grove_spawn(q, g->root));
    for (uint32_t i = 0; i < 20; i++) {
        CHECK_OK(grove_let_fall(p, GROVE_WAIT));
        CHECK_OK(grove_settle(HY_SECONDS(20)));
        hy_actor_kill(p->ref.ref);
        CHECK_OK(HY_TELL(grove, sleep, q->ref, .number = 1000));
        CHECK_OK(HY_TELL(grove, sleep, p->ref, .number = 1000));
        CHECK_OK(grove_settle(HY_SECONDS(20)));
        CHECK_EQ(p->notes, i + 1);
        CHECK_EQ(q->notes, i + 1);
        CHECK_EQ(q->starts, 1);
        CHECK_EQ(p->starts, i + 2);
    }
    return HY_OK;
}

static hy_err parents_stop_after_their_children(grove *g) {
    CHECK_OK(root_of(g));
    plant *top = PLANT(g, NULL, .restart = HY_PERMANENT);
    for (uint32_t i = 0; i < 3; i++) {
        plant *middle = PLANT(g, top, .restart = HY_PERMANENT);
        for (uint32_t j = 0; j < 3; j++)
            PLANT(g, middle, .restart = HY_PERMANENT)->stop_takes = HY_MS(100) * (hy_ns)j;
    }
    CHECK_OK(grove_spawn(top, g->root));
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    hy_ns began = now();
    g->is_closing = true; // the plants check the order
    hy_actor_stop(top->ref.ref);
    CHECK_OK(hy_actor_wait_end(top->ref.ref, HY_NEVER));
    CHECK(now() - began >= HY_MS(900) && now() - began < HY_SECONDS(2));
    for (uint32_t i = 0; i < g->count; i++)
        CHECK_EQ(g->plants[i].stops, 1);
    return HY_OK;
}

// All below go with it, without `stop`.
static hy_err a_kill_takes_all_below_along(grove *g) {
    CHECK_OK(root_of(g));
    plant *top = PLANT(g, NULL, .restart = HY_TEMPORARY);
    plant *middle = PLANT(g, top, .restart = HY_PERMANENT);
    plant *low = PLANT(g, middle, .restart = HY_PERMANENT);
    plant *waits = PLANT(g, middle, .restart = HY_PERMANENT);
    CHECK_OK(grove_spawn(top, g->root));
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    CHECK_OK(grove_let_fall(waits, GROVE_WAIT));
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    hy_ns began = now();
    hy_actor_kill(top->ref.ref);
    CHECK_ERR(hy_actor_wait_end(top->ref.ref, HY_NEVER), HY_CANCELLED);
    CHECK(now() - began < HY_MS(10));
    CHECK_OK(grove_settle(HY_MS(10))); // the slots are given back
    CHECK(!grove_lives(low) && !grove_lives(waits) && !grove_lives(middle));
    for (uint32_t i = 0; i < g->count; i++)
        CHECK(g->plants[i].stops == 0 && g->plants[i].releases == 1);
    return HY_OK;
}

// ---- failing on the way out -------------------------------------------------------------------

typedef struct wreck {
    char order[16];
    uint32_t count;
    bool fails_in_stop, fails_in_fini;
    hy_actor *self;
} wreck;

static void wreck_note(wreck *w, char what) {
    if (w->count < sizeof w->order - 1) w->order[w->count++] = what;
}

static void wreck_close_a(void *object) {
    wreck_note((wreck *)object, 'a');
}

static void wreck_close_b(void *object) {
    wreck *w = (wreck *)object;
    wreck_note(w, 'b');
    if (w->fails_in_fini) hy_fail(w->self, HY_IO, "fini");
}

static void wreck_close_c(void *object) {
    wreck_note((wreck *)object, 'c');
}

static hy_err wreck_start(hy_actor *self, void *state, const void *arg) {
    wreck *w = (wreck *)(uintptr_t)arg;
    *(wreck **)state = w;
    w->self = self;
    hy_err err = hy_actor_own(self, w, wreck_close_a);
    if (err == HY_OK) err = hy_actor_own(self, w, wreck_close_b);
    if (err == HY_OK) err = hy_actor_own(self, w, wreck_close_c);
    void *lost = hy_actor_alloc(self, 100); // given back with all else
    (void)lost;
    return err;
}

static void wreck_stop(hy_actor *self, void *state, hy_err why) {
    (void)why;
    wreck *w = *(wreck **)state;
    wreck_note(w, 's');
    if (w->fails_in_stop) hy_fail(self, HY_CORRUPT, "stop");
}

static const hy_actor_type wreck_type = {
    .name = "wreck", .state_size = sizeof(wreck *), .start = wreck_start, .stop = wreck_stop
};

static hy_err ends_go_on_where_they_failed(grove *g) {
    for (uint32_t i = 0; i < 8; i++) {
        wreck w = { .fails_in_stop = i & 1, .fails_in_fini = i & 2 };
        hy_ref ref = HY_NOBODY;
        CHECK_OK(hy_spawn_actor(g->node, HY_NOBODY, &wreck_type, &w, NULL, &ref));
        CHECK_OK(hy_actor_wait_ready(ref, HY_NEVER));
        if (i & 4) {
            hy_actor_kill(ref);
            hy_err err = hy_actor_wait_end(ref, HY_NEVER);
            CHECK(err == HY_CANCELLED || err == HY_OK); // gone before it was asked
            CHECK_TEXT(hy_bytes_of(w.order), "cba");
        } else {
            hy_actor_stop(ref);
            CHECK_OK(hy_actor_wait_end(ref, HY_NEVER));
            CHECK_TEXT(hy_bytes_of(w.order), "scba");
        }
    }
    return HY_OK;
}

// ---- spawning ---------------------------------------------------------------------------------

static hy_err spawns_are_refused_where_nobody_could_stop_them(grove *g) {
    CHECK_OK(root_of(g));
    plant *parent = PLANT(g, NULL, .children_max = 1);
    CHECK_OK(grove_spawn(parent, g->root));
    CHECK_OK(hy_actor_wait_ready(parent->ref.ref, HY_NEVER));
    plant *first = PLANT(g, parent, .restart = HY_TEMPORARY);
    plant *second = PLANT(g, parent, .restart = HY_TEMPORARY);
    CHECK_OK(grove_spawn(first, parent->ref.ref));
    CHECK_OK(hy_actor_wait_ready(first->ref.ref, HY_NEVER));
    hy_err err = grove_spawn(second, parent->ref.ref); // told at once, or by its end
    if (err == HY_OK) err = hy_actor_wait_ready(second->ref.ref, HY_NEVER);
    CHECK(err == HY_LIMIT || err == HY_NOT_FOUND);
    hy_actor_stop(first->ref.ref);
    CHECK_OK(hy_actor_wait_end(first->ref.ref, HY_NEVER));
    CHECK_OK(grove_spawn(second, parent->ref.ref));
    CHECK_OK(hy_actor_wait_ready(second->ref.ref, HY_NEVER));
    parent->stop_takes = HY_SECONDS(1);
    hy_actor_stop(parent->ref.ref);
    CHECK_OK(grove_settle(HY_MS(100)));
    plant *third = PLANT(g, parent, .restart = HY_TEMPORARY);
    err = grove_spawn(third, parent->ref.ref);
    if (err == HY_OK) err = hy_actor_wait_ready(third->ref.ref, HY_NEVER);
    CHECK(err == HY_CLOSED || err == HY_NOT_FOUND);
    CHECK_OK(hy_actor_wait_end(parent->ref.ref, HY_NEVER));
    CHECK_ERR(grove_spawn(third, parent->ref.ref), HY_NOT_FOUND);
    CHECK_EQ(third->starts, 0);
    return HY_OK;
}

// ---- scopes -----------------------------------------------------------------------------------

static hy_err actors_end_with_their_scope(grove *g) {
    hy_err err = HY_OK;
    plant *p = NULL, *q = NULL;
    HY_SCOPE(inner, &err) {
        CHECK_OK(root_of(g));
        p = PLANT(g, NULL, .restart = HY_PERMANENT);
        q = PLANT(g, NULL, .restart = HY_PERMANENT);
        CHECK_OK(grove_spawn(p, g->root));
        CHECK_OK(grove_spawn(q, g->root));
        CHECK_OK(grove_settle(HY_SECONDS(1)));
        CHECK(p->is_up && q->is_up);
        g->is_closing = true;
    }
    CHECK_OK(err);
    CHECK(!p->is_held && !q->is_held);
    CHECK_OK(grove_settle(HY_MS(10))); // their slots are given back
    CHECK(!grove_lives(p) && !grove_lives(q) && !hy_actor_is_alive(g->root));
    CHECK(p->stops == 1 && q->stops == 1);
    return HY_OK;
}

static hy_verdict verdict_given = HY_FAIL;
static hy_verdict verdict_policy(const hy_ending *ending) {
    CHECK(ending->is_service && ending->err == HY_IO);
    return verdict_given;
}

static hy_err verdicts_mean_what_they_say(grove *g) {
    CHECK_OK(root_of(g));
    static const struct {
        hy_verdict verdict;
        hy_err err;
        bool ends;
    } cases[] = { { HY_IGNORE, HY_OK, false },
                  { HY_COLLECT, HY_OK, false },
                  { HY_FAIL, HY_IO, true },
                  { HY_FINISH, HY_OK, true } };
    for (uint32_t i = 0; i < 4; i++) {
        verdict_given = cases[i].verdict;
        plant *parent = PLANT(g, NULL, .policy = verdict_policy);
        plant *child = PLANT(g, parent, .restart = HY_PERMANENT);
        CHECK_OK(grove_spawn(parent, g->root));
        CHECK_OK(grove_settle(HY_SECONDS(1)));
        CHECK_OK(grove_let_fall(child, GROVE_ERROR));
        CHECK_OK(grove_settle(HY_SECONDS(1)));
        CHECK(!grove_lives(child));
        CHECK_EQ(parent->is_up, !cases[i].ends);
        if (cases[i].ends) CHECK_EQ(parent->stopped_with, cases[i].err);
    }
    return HY_OK;
}

GROVE_SIM(a_start_that_fails_leaves_nothing)
GROVE_SIM(a_start_that_takes_too_long_is_a_failure)
GROVE_SIM(who_is_told_while_it_starts_stops_afterwards)
GROVE_SIM(a_stop_that_takes_too_long_is_cut)
GROVE_SIM(a_handler_that_waits_may_finish_until_stop_max)
GROVE_SIM(a_kill_does_not_wait_and_others_go_on)
GROVE_SIM(a_cancelled_fiber_runs_nobody_else)
GROVE_SIM(parents_stop_after_their_children)
GROVE_SIM(a_kill_takes_all_below_along)
GROVE_SIM(ends_go_on_where_they_failed)
GROVE_SIM(spawns_are_refused_where_nobody_could_stop_them)
GROVE_SIM(actors_end_with_their_scope)
GROVE_SIM(verdicts_mean_what_they_say)

KIT_TESTS(KIT_TEST_ONCE(sim_a_start_that_fails_leaves_nothing),
          KIT_TEST_ONCE(sim_a_start_that_takes_too_long_is_a_failure),
          KIT_TEST_ONCE(sim_who_is_told_while_it_starts_stops_afterwards),
          KIT_TEST_ONCE(sim_a_stop_that_takes_too_long_is_cut),
          KIT_TEST_ONCE(sim_a_handler_that_waits_may_finish_until_stop_max),
          KIT_TEST_ONCE(sim_a_kill_does_not_wait_and_others_go_on),
          KIT_TEST_ONCE(sim_a_cancelled_fiber_runs_nobody_else),
          KIT_TEST_ONCE(sim_parents_stop_after_their_children),
          KIT_TEST_ONCE(sim_a_kill_takes_all_below_along),
          KIT_TEST_ONCE(sim_ends_go_on_where_they_failed),
          KIT_TEST_ONCE(sim_spawns_are_refused_where_nobody_could_stop_them),
          KIT_TEST_ONCE(sim_actors_end_with_their_scope),
          KIT_TEST_ONCE(sim_verdicts_mean_what_they_say))
