// health_test.c - checks that fail, that wait, and that do not get their turn.
//
// A check is due at a time that is known, so in a simulated world it can be counted exactly. What
// must hold: only failures in a row count; a check that waits, or waits for its turn, for longer
// than health_max has failed, whatever it says itself; the next one is due after the end of this
// one; and fiber actors, whose handler always waits, are asked while they receive.
#include "actor/grove_suite.h"
#include "kit/kit.h"

#define PLANT(g, ...)                                                                              \
    grove_plant((g), NULL, &(hy_actor_options){ .size = sizeof(hy_actor_options), __VA_ARGS__ })

static hy_err plant_up(grove *g, plant *p) {
    hy_err err = hy_actors_in(NULL, g->node, NULL, &g->root);
    if (err == HY_OK) err = grove_spawn(p, g->root);
    return err == HY_OK ? hy_actor_wait_ready(p->ref.ref, HY_NEVER) : err;
}

static hy_err so_many_failed_checks_are_a_failure(grove *g) {
    plant *p =
        PLANT(g, .restart = HY_PERMANENT, .health_every = HY_SECONDS(1), .health_failures = 3);
    CHECK_OK(plant_up(g, p));
    CHECK_OK(grove_settle(HY_MS(5500)));
    CHECK(p->is_up && p->starts == 1);
    p->is_sick = true;
    CHECK_OK(grove_settle(HY_SECONDS(2)));
    p->is_sick = false; // two in a row: forgotten
    CHECK_OK(grove_settle(HY_SECONDS(2)));
    CHECK_EQ(p->starts, 1);
    uint64_t failed = grove_events(g->node, HY_EVENT_HEALTH);
    CHECK(failed == 1 || failed == 2);
    p->is_sick = true;
    CHECK_OK(grove_settle(HY_SECONDS(4)));
    CHECK_EQ(p->starts, 2);
    CHECK_EQ(p->stopped_with, HY_BUSY);
    CHECK_EQ(grove_events(g->node, HY_EVENT_HEALTH), failed + 3);
    return HY_OK;
}

// It neither fails nor ends; the checks do not get their turn.
static hy_err a_handler_that_waits_too_long_is_unhealthy(grove *g) {
    plant *p = PLANT(g, .restart = HY_PERMANENT, .health_every = HY_SECONDS(10),
                     .health_max = HY_SECONDS(1), .health_failures = 2);
    CHECK_OK(plant_up(g, p));
    CHECK_OK(HY_TELL(grove, sleep, p->ref, .number = 10500)); // past one check, but not by 1 s
    CHECK_OK(grove_settle(HY_SECONDS(15)));
    CHECK_EQ(grove_events(g->node, HY_EVENT_HEALTH), 0);
    CHECK_OK(grove_let_fall(p, GROVE_WAIT));
    CHECK_OK(grove_settle(HY_SECONDS(40)));
    CHECK_EQ(p->starts, 2);
    CHECK_EQ(p->stops, 1);
    CHECK_EQ(p->stopped_with, HY_TIMEOUT);
    CHECK(p->is_up);
    return HY_OK;
}

// ---- a check that waits -----------------------------------------------------------------------

typedef struct slow {
    hy_ns takes;
    uint32_t checks, starts;
    hy_err waited;
} slow;

static hy_err slow_start(hy_actor *self, void *state, const void *arg) {
    (void)self;
    *(slow **)state = (slow *)(uintptr_t)arg;
    (*(slow **)state)->starts++;
    return HY_OK;
}

static hy_err slow_health(hy_actor *self, void *state) {
    (void)self;
    slow *s = *(slow **)state;
    s->checks++;
    s->waited = hy_sleep(s->takes);
    return HY_OK; // it does not say so itself
}

static const hy_actor_type slow_type = {
    .name = "slow", .state_size = sizeof(slow *), .start = slow_start, .health = slow_health
};

static hy_err a_check_that_takes_too_long_has_failed(grove *g) {
    static slow s; // its actor ends after this body
    s = (slow){ .takes = HY_MS(900) };
    CHECK_OK(hy_actors_in(NULL, g->node, NULL, &g->root));
    hy_ref ref = HY_NOBODY;
    const hy_actor_options options = { .size = sizeof options,
                                       .restart = HY_PERMANENT,
                                       .health_every = HY_SECONDS(1),
                                       .health_failures = 2 };
    CHECK_OK(hy_spawn_actor(g->node, g->root, &slow_type, &s, &options, &ref));
    CHECK_OK(grove_settle(HY_SECONDS(10)));
    CHECK_EQ(s.checks, 5); // the next one is due after the end of this one
    CHECK_EQ(s.waited, HY_OK);
    CHECK_EQ(s.starts, 1);
    s.takes = HY_SECONDS(100);
    CHECK_OK(grove_settle(HY_SECONDS(5)));
    CHECK_EQ(s.starts, 2);
    CHECK_EQ(s.waited, HY_TIMEOUT);
    CHECK_EQ(grove_events(g->node, HY_EVENT_HEALTH), 2);
    s.takes = 0;
    CHECK_OK(grove_settle(HY_SECONDS(5))); // no check is under way
    return HY_OK;
}

// ---- fiber actors -----------------------------------------------------------------------------

typedef struct reader {
    uint32_t starts, checks, messages;
    bool is_sick, sleeps;
} reader;

static hy_err reader_start(hy_actor *self, void *state, const void *arg) {
    (void)self;
    *(reader **)state = (reader *)(uintptr_t)arg;
    (*(reader **)state)->starts++;
    return HY_OK;
}

static hy_err reader_health(hy_actor *self, void *state) {
    (void)self;
    reader *r = *(reader **)state;
    r->checks++;
    return r->is_sick ? HY_BUSY : HY_OK;
}

static hy_err reader_run(hy_actor *self, void *state) {
    reader *r = *(reader **)state;
    hy_received received;
    hy_err err = HY_OK;
    while ((err = hy_receive(self, HY_NEVER, &received)) == HY_OK) {
        r->messages++;
        if (r->sleeps) (void)hy_sleep(HY_SECONDS(1000000));
    }
    return err == HY_CLOSED ? HY_OK : err;
}

static const hy_actor_type reader_type = { .name = "reader",
                                           .state_size = sizeof(reader *),
                                           .start = reader_start,
                                           .health = reader_health,
                                           .run = reader_run,
                                           .protocol = &grove_protocol };

static hy_err fiber_actors_are_asked_while_they_receive(grove *g) {
    static reader r; // its actor ends after this body
    r = (reader){ .is_sick = false };
    CHECK_OK(hy_actors_in(NULL, g->node, NULL, &g->root));
    grove_ref ref;
    const hy_actor_options options = { .size = sizeof options,
                                       .restart = HY_PERMANENT,
                                       .health_every = HY_SECONDS(1),
                                       .health_failures = 2 };
    CHECK_OK(HY_SPAWN(grove, g->node, g->root, &reader_type, &r, &options, &ref));
    CHECK_OK(grove_settle(HY_MS(10500)));
    CHECK_EQ(r.checks, 10);
    CHECK_OK(HY_TELL(grove, note, ref, .number = 1));
    CHECK_OK(grove_settle(HY_MS(10)));
    CHECK(r.messages == 1 && r.starts == 1);
    r.is_sick = true;
    CHECK_OK(grove_settle(HY_SECONDS(2)));
    CHECK_EQ(r.starts, 2);
    r.is_sick = false;
    r.sleeps = true;
    CHECK_OK(HY_TELL(grove, note, ref, .number = 2));
    CHECK_OK(grove_settle(HY_SECONDS(7))); // checks that do not get their turn
    CHECK_EQ(r.starts, 3);
    CHECK_EQ(grove_events(g->node, HY_EVENT_HEALTH), 4);
    return HY_OK;
}

GROVE_SIM(so_many_failed_checks_are_a_failure)
GROVE_SIM(a_handler_that_waits_too_long_is_unhealthy)
GROVE_SIM(a_check_that_takes_too_long_has_failed)
GROVE_SIM(fiber_actors_are_asked_while_they_receive)

KIT_TESTS(KIT_TEST_ONCE(sim_so_many_failed_checks_are_a_failure),
          KIT_TEST_ONCE(sim_a_handler_that_waits_too_long_is_unhealthy),
          KIT_TEST_ONCE(sim_a_check_that_takes_too_long_has_failed),
          KIT_TEST_ONCE(sim_fiber_actors_are_asked_while_they_receive))
