// adversary_test.c - the room as somebody would use it who wants it to break.
//
// Each test is a moment in which two things happen that nobody thinks of together: a scope ends
// under the fiber that brings something into it, a start is called off while its group is down, a
// time lies before all time. Most were written for a fault that was there.
#include "kit/kit.h"
#include "scope/list.h"
#include "scope/run_suite.h"

HY_KEY(int *, ADVERSARY_ONE);
HY_KEY_DEFINE(ADVERSARY_ONE);
HY_KEY(int *, ADVERSARY_TWO);
HY_KEY_DEFINE(ADVERSARY_TWO);

#define CHECK_MEMORY()                                                                             \
    do {                                                                                           \
        if (kit_failed_allocation()) return HY_NOMEM;                                              \
    } while (0)

#define BOTH(name)                                                                                 \
    RUN_SIM(name)                                                                                  \
    RUN_REAL(name)

typedef struct caller { // a fiber in a call for something that another one ends
    hy_scope *scope;
    hy_port *port;
    hy_conn *conn;
    uint16_t number;
    int begun, ended;
    hy_err err;
} caller;

static hy_err await_begun(const caller *c, int count) {
    hy_err err = HY_OK;
    while (c->begun < count && err == HY_OK && !kit_failed_allocation()) {
        err = hy_yield();
    }
    return err;
}

// ---- providers --------------------------------------------------------------------------------

static int adversary_values[2];

static hy_err build_and_bind(void *self, hy_scope *scope, void **out_value) {
    (void)self;
    *out_value = &adversary_values[0];
    return HY_BIND(scope, ADVERSARY_TWO, &adversary_values[1]);
}

static hy_err a_build_may_bind_in_the_block_that_asks(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_provider provider = { .build = build_and_bind };
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_provide(s, &ADVERSARY_ONE_key, &provider));
        const int *one = HY_GET(ADVERSARY_ONE);
        CHECK_MEMORY();
        CHECK(one == &adversary_values[0]);
        CHECK(HY_GET(ADVERSARY_TWO) == &adversary_values[1]);
        HY_SCOPE(inner, &err) {
            CHECK_OK(HY_BIND(inner, ADVERSARY_TWO, &adversary_values[0]));
        }
        CHECK_OK(err);
        CHECK(HY_GET(ADVERSARY_TWO) == &adversary_values[1]);
    }
    return err;
}
RUN_SIM(a_build_may_bind_in_the_block_that_asks)

static hy_err build_slowly(void *self, hy_scope *scope, void **out_value) {
    (void)scope;
    hy_err err = hy_sleep(HY_MS(5));
    if (err == HY_OK) ++*(int *)self;
    *out_value = self;
    return err;
}

static hy_err asks_inside(void *arg) {
    (void)arg;
    (void)HY_GET(ADVERSARY_ONE);
    return HY_OK;
}

static hy_err asks_from_outside(void *arg) {
    caller *c = (caller *)arg;
    c->begun++;
    (void)hy_scope_get(c->scope, &ADVERSARY_ONE_key);
    c->ended++;
    return HY_OK;
}

// One asks inside, two outside; the scope is closed `later`.
static hy_err ask_and_close(hy_ns later) {
    hy_err err = HY_OK;
    int built = 0;
    caller c = { 0 };
    hy_provider provider = { .build = build_slowly, .self = &built };
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_scope_open(s, NULL, &c.scope));
        CHECK_OK(hy_provide(c.scope, &ADVERSARY_ONE_key, &provider));
        CHECK_OK(hy_spawn(c.scope, asks_inside, NULL, NULL, NULL));
        CHECK_OK(hy_spawn(s, asks_from_outside, &c, NULL, NULL));
        CHECK_OK(hy_spawn(s, asks_from_outside, &c, NULL, NULL));
        CHECK_OK(await_begun(&c, 2));
        CHECK_OK(hy_sleep(later));
        CHECK_OK(hy_scope_close(c.scope));
        CHECK_EQ(built, later > HY_MS(6)); // cut short, or done
    }
    CHECK_OK(err);
    CHECK_EQ(c.ended, 2);
    return HY_OK;
}

static hy_err a_scope_may_end_under_those_who_build_in_it(void *unused) {
    (void)unused;
    for (int ms = 1; ms <= 9; ms += 2) {
        if (ms != 5) CHECK_OK(ask_and_close(HY_MS(ms)));
    }
    return HY_OK;
}
RUN_SIM(a_scope_may_end_under_those_who_build_in_it)

// ---- times ------------------------------------------------------------------------------------

static hy_err times_before_all_time_have_passed(void *unused) {
    (void)unused;
    CHECK_OK(hy_sleep(HY_MS(5)));
    CHECK_OK(hy_sleep(INT64_MIN));
    CHECK_OK(hy_sleep_until(INT64_MIN));
    const hy_ns times[] = { -1, INT64_MIN };
    for (int i = 0; i < 2; i++) {
        hy_err by_timeout = HY_OK, by_deadline = HY_OK, tightened = HY_OK;
        HY_SCOPE(s, &by_timeout, .timeout = times[i]) {
            by_timeout = hy_sleep(0);
        }
        CHECK_ERR(by_timeout, HY_TIMEOUT);
        HY_SCOPE(s, &by_deadline, .deadline = times[i]) {
            CHECK(hy_baggage_here().time_left == 1);
        }
        CHECK_ERR(by_deadline, HY_TIMEOUT);
        HY_SCOPE(s, &tightened) {
            CHECK_OK(hy_scope_tighten(s, times[i]));
            HY_SCOPE(shield, NULL, .shield = HY_NEVER) {
                CHECK(hy_scope_deadline(shield) == HY_NEVER);
            }
        }
        CHECK_ERR(tightened, HY_TIMEOUT);
    }
    return HY_OK;
}
RUN_SIM(times_before_all_time_have_passed)

static hy_err times_without_end_have_none(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_NEVER, .deadline = HY_NEVER, .shield = HY_NEVER) {
        CHECK(hy_scope_deadline(s) == HY_NEVER);
        HY_SCOPE(almost, &err, .timeout = HY_NEVER - 1) {
            CHECK(hy_scope_deadline(almost) == HY_NEVER);
            CHECK_OK(hy_sleep(1));
        }
    }
    return err;
}
RUN_SIM(times_without_end_have_none)

static hy_err a_shield_gives_its_time_however_late_it_is(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_MS(10)) {
        HY_SCOPE(slow, NULL, .shield = HY_NEVER) {
            CHECK_OK(hy_sleep(HY_SECONDS(10)));
        }
        hy_ns began = hy_world_now(hy_scope_world(s));
        HY_SCOPE(farewell, &inner, .shield = HY_SECONDS(1)) {
            inner = hy_sleep(HY_SECONDS(5));
            CHECK_MEMORY();
            CHECK(hy_world_now(hy_scope_world(s)) - began >= HY_SECONDS(1));
        }
        CHECK_ERR(inner, HY_TIMEOUT);
    }
    CHECK_ERR(err, HY_TIMEOUT);
    return HY_OK;
}
RUN_SIM(a_shield_gives_its_time_however_late_it_is)

// ---- services ---------------------------------------------------------------------------------

typedef struct flapper {
    hy_scope *scope;
    int runs, falls;    // so many runs end with an error
    hy_ns lives, wakes; // a run's life; how long the third takes to be ready
    hy_err err;
} flapper;

static hy_err flap(void *arg) {
    flapper *f = (flapper *)arg;
    f->runs++;
    hy_err err = f->runs == 3 && f->wakes > 0 ? hy_sleep(f->wakes) : HY_OK;
    if (err != HY_OK) return err;
    hy_ready();
    if (f->runs > f->falls) return hy_wait_draining();
    err = f->lives > 0 ? hy_sleep(f->lives) : HY_OK;
    return err == HY_OK ? HY_IO : err;
}

static hy_err start_flapper(flapper *f, hy_service **out_service) {
    return hy_start(f->scope,
                    &(hy_service_spec){ .size = sizeof(hy_service_spec),
                                        .name = "flapper",
                                        .fn = flap,
                                        .arg = f,
                                        .restart = HY_PERMANENT,
                                        .backoff_min = HY_MS(500),
                                        .ready_max = HY_NEVER },
                    out_service);
}

static hy_err a_pause_cut_short_by_hand_is_over(void *unused) {
    (void)unused;
    flapper f = { .falls = 2, .wakes = HY_SECONDS(30) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        f.scope = s;
        hy_service *service = NULL;
        CHECK_OK(start_flapper(&f, &service));
        while (!hy_service_state_of(service).waiting) {
            CHECK_OK(hy_sleep(HY_US(10)));
            CHECK_MEMORY();
        }
        CHECK_OK(hy_service_restart(service)); // ready long after the pause would have ended
        CHECK_MEMORY();
        CHECK_EQ(f.runs, 3);
        break;
    }
    return err;
}
RUN_SIM(a_pause_cut_short_by_hand_is_over)

static hy_err drain_without_being_ready(void *arg) {
    (void)arg;
    return hy_wait_draining();
}

static hy_err starts_what_is_never_ready(void *arg) {
    flapper *f = (flapper *)arg;
    hy_service_spec spec = { .size = sizeof spec,
                             .name = "never ready",
                             .fn = drain_without_being_ready,
                             .restart = HY_PERMANENT,
                             .ready_max = HY_NEVER };
    f->err = hy_start(f->scope, &spec, NULL);
    return HY_OK;
}

static hy_err a_start_is_called_off_while_its_group_is_down(void *unused) {
    (void)unused;
    for (int ms = 0; ms < 120; ms += 7) {
        flapper f = { .falls = 5, .lives = HY_MS(10) };
        hy_err err = HY_OK;
        HY_SCOPE(s, &err, .policy = hy_one_for_all) {
            f.scope = s;
            CHECK_OK(start_flapper(&f, NULL));
            hy_task *starter = NULL;
            CHECK_OK(hy_spawn(s, starts_what_is_never_ready, &f, NULL, &starter));
            CHECK_OK(hy_sleep(HY_MS(ms)));
            hy_task_cancel(starter, HY_OK);
            CHECK_OK(hy_await(starter));
            CHECK_ERR(f.err, HY_CANCELLED);
            break;
        }
        CHECK_OK(err);
    }
    return HY_OK;
}
RUN_SIM(a_start_is_called_off_while_its_group_is_down)

static hy_err hangs_the_second_time(void *arg) {
    flapper *f = (flapper *)arg;
    if (f->runs++ > 0) return hy_sleep(HY_NEVER);
    hy_ready();
    return HY_IO;
}

// It waits for the group, and is not of the scope.
static hy_err a_scope_ends_under_the_one_who_waits_to_start(void *unused) {
    (void)unused;
    flapper f = { 0 }, late = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(100)) {
        CHECK_OK(hy_scope_open(s, HY_OPTIONS(hy_scope, .policy = hy_one_for_all), &f.scope));
        late.scope = f.scope;
        hy_service_spec spec = { .size = sizeof spec,
                                 .name = "hangs",
                                 .fn = hangs_the_second_time,
                                 .arg = &f,
                                 .restart = HY_PERMANENT,
                                 .ready_max = HY_NEVER };
        CHECK_OK(hy_start(f.scope, &spec, NULL));
        CHECK_OK(hy_sleep(HY_MS(20)));
        CHECK_OK(hy_spawn(s, starts_what_is_never_ready, &late, NULL, NULL));
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK_OK(hy_scope_close(f.scope));
    }
    CHECK_OK(err);
    CHECK_ERR(late.err, HY_CLOSED);
    return HY_OK;
}
RUN_SIM(a_scope_ends_under_the_one_who_waits_to_start)

static hy_err drains(void *unused) {
    (void)unused;
    hy_ready();
    return hy_wait_draining();
}

static const hy_service_spec draining = { .size = sizeof draining, .fn = drains };

// Its own services are what the stop looks at when it calls the start off.
static hy_err never_gets_ready_but_has_services(void *arg) {
    CHECK_OK(hy_start(NULL, &draining, NULL));
    ++*(int *)arg;
    return hy_sleep(HY_NEVER);
}

static hy_err starts_from_outside(void *arg) {
    caller *c = (caller *)arg;
    hy_service_spec spec = { .size = sizeof spec,
                             .name = "starting",
                             .fn = never_gets_ready_but_has_services,
                             .arg = &c->begun };
    c->err = hy_start(c->scope, &spec, NULL);
    return HY_OK;
}

// The stop calls the start off, and with that its first step is over before it has begun.
static hy_err a_stop_may_be_over_at_once(void *unused) {
    (void)unused;
    caller c = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_scope_open(s, NULL, &c.scope));
        CHECK_OK(hy_spawn(s, starts_from_outside, &c, NULL, NULL));
        CHECK_OK(await_begun(&c, 1));
        hy_scope_stop(c.scope, HY_MS(10));
        CHECK_OK(hy_sleep(HY_MS(20)));
        CHECK_ERR(c.err, HY_CLOSED);
        CHECK_OK(hy_scope_close(c.scope));
    }
    return err;
}
RUN_SIM(a_stop_may_be_over_at_once)

static hy_err services_below_stop_at_once_where_there_are_no_tasks(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_scope *above = NULL, *below = NULL;
    hy_service *service = NULL;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_scope_open(s, NULL, &above));
        CHECK_OK(hy_start(above, &draining, NULL));
        CHECK_OK(hy_scope_open(above, NULL, &below));
        CHECK_OK(hy_start(below, &draining, &service));
        hy_scope_stop(above, HY_SECONDS(100));
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK(!hy_service_state_of(service).ready);
        CHECK_ERR(hy_service_state_of(service).last_err, HY_CLOSED); // drained, not cancelled
    }
    return err;
}
RUN_SIM(services_below_stop_at_once_where_there_are_no_tasks)

// ---- connections ------------------------------------------------------------------------------

static hy_err accepts_for_another_scope(void *arg) {
    caller *c = (caller *)arg;
    hy_conn *conn = NULL;
    c->begun++;
    c->err = hy_accept(c->port, c->scope, &conn);
    c->ended++;
    return HY_OK;
}

static hy_err connects_for_another_scope(void *arg) {
    caller *c = (caller *)arg;
    hy_conn *conn = NULL;
    c->begun++;
    c->err = hy_conn_open(c->scope, "127.0.0.1", c->number, &conn, NULL);
    c->ended++;
    return HY_OK;
}

static hy_err end_under(hy_fn call, bool limited, hy_ns later) {
    caller c = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_scope_options options = { .size = sizeof options, .descriptors_max = limited };
        CHECK_OK(hy_port_open(s, "127.0.0.1", 0, &c.port, NULL));
        c.number = hy_port_number(c.port);
        CHECK_OK(hy_scope_open(s, &options, &c.scope));
        CHECK_OK(hy_spawn(s, call, &c, NULL, NULL));
        CHECK_OK(hy_spawn(s, call, &c, NULL, NULL));
        CHECK_OK(await_begun(&c, 2));
        if (later > 0) CHECK_OK(hy_sleep(later));
        CHECK_OK(hy_scope_close(c.scope));
    }
    CHECK_OK(err);
    CHECK_EQ(c.ended, 2);
    return HY_OK;
}

static hy_err a_scope_ends_under_those_who_accept_for_it(void *unused) {
    (void)unused;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(end_under(accepts_for_another_scope, i, 0));
        CHECK_OK(end_under(accepts_for_another_scope, i, HY_MS(1)));
    }
    return HY_OK;
}
BOTH(a_scope_ends_under_those_who_accept_for_it)

static hy_err a_scope_ends_under_those_who_connect_for_it(void *unused) {
    (void)unused;
    for (int us = 0; us < 1000; us += 100) {
        CHECK_OK(end_under(connects_for_another_scope, false, HY_US(us)));
        CHECK_OK(end_under(connects_for_another_scope, true, HY_US(us)));
    }
    return HY_OK;
}
BOTH(a_scope_ends_under_those_who_connect_for_it)

// Cancelled, and not closed yet, it tells nobody who is only about to wait for room in it.
static hy_err nobody_waits_for_room_in_a_cancelled_scope(void *unused) {
    (void)unused;
    caller c = { 0 };
    hy_conn *conn = NULL;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .descriptors_max = 2) {
        CHECK_OK(hy_port_open(s, "127.0.0.1", 0, &c.port, NULL));
        CHECK_OK(hy_scope_open(s, NULL, &c.scope));
        CHECK_OK(hy_spawn(s, accepts_for_another_scope, &c, NULL, NULL));
        CHECK_OK(await_begun(&c, 1));
        hy_scope_cancel(c.scope, HY_OK);
        CHECK_OK(hy_conn_open(s, "127.0.0.1", hy_port_number(c.port), &conn, NULL));
        CHECK_OK(hy_sleep(HY_MS(5)));
        CHECK_ERR(hy_scope_close(c.scope), HY_CANCELLED);
        CHECK_ERR(c.err, HY_CANCELLED);
    }
    return err;
}
BOTH(nobody_waits_for_room_in_a_cancelled_scope)

static hy_err closes_a_connection(void *arg) {
    caller *c = (caller *)arg;
    c->begun++;
    hy_conn_close(c->conn);
    c->ended++;
    return HY_OK;
}

static hy_err a_scope_ends_under_the_one_who_closes_for_it(void *unused) {
    (void)unused;
    caller c = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_port_open(s, "127.0.0.1", 0, &c.port, NULL));
        CHECK_OK(hy_scope_open(s, HY_OPTIONS(hy_scope, .descriptors_max = 1), &c.scope));
        CHECK_OK(hy_conn_open(c.scope, "127.0.0.1", hy_port_number(c.port), &c.conn, NULL));
        CHECK_OK(hy_spawn(s, closes_a_connection, &c, NULL, NULL));
        CHECK_OK(await_begun(&c, 1));
        CHECK_OK(hy_scope_close(c.scope));
        CHECK_EQ(c.ended, c.begun);
    }
    return err;
}
BOTH(a_scope_ends_under_the_one_who_closes_for_it)

// ---- roots ------------------------------------------------------------------------------------

typedef struct nagging { // a post that cancels and stops the root, again and again, until `done`
    hy_post post;
    hy_world *world;
    hy_root *root;
    bool done;
} nagging;

static void nag(hy_post *post) {
    nagging *n = HYI_HOLDER(nagging, post, post);
    if (n->done) return;
    hy_scope_cancel(hy_root_scope(n->root), HY_OK);
    hy_scope_stop(hy_root_scope(n->root), 0);
    hy_world_post(n->world, post);
}

static void nag_no_more(void *self, hy_err err) {
    ((nagging *)self)->done = err == HY_OK || err == HY_CANCELLED;
}

static hy_err yields_once(void *unused) {
    (void)unused;
    return hy_yield();
}

static hy_err a_root_can_be_cancelled_until_it_is_done(hy_mem *mem) {
    for (int real = 0; real < 2; real++) {
        nagging n = { .post.done = nag };
        if (real) CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &n.world));
        hy_sim_options sim = { .size = sizeof sim, .mem = mem, .seed = kit_seed() };
        if (!real) CHECK_OK(hy_sim_open(&sim, &n.world));
        hy_err err = hy_root_start(n.world, NULL, yields_once, NULL, nag_no_more, &n, &n.root);
        if (err == HY_OK) {
            hy_world_post(n.world, &n.post);
            hy_world_run(n.world);
            CHECK(n.done);
        }
        hy_world_close(n.world);
        CHECK_OK(err);
    }
    return HY_OK;
}

static hy_err stops_its_world_again_and_again(void *world) {
    hy_world_stop((hy_world *)world);
    hy_err err = hy_sleep(HY_SECONDS(1000));
    HY_SCOPE(s, NULL, .shield = HY_NEVER) {
        for (int i = 0; i < 3 && hy_sleep(HY_US(100)) == HY_OK; i++) {
            hy_world_stop((hy_world *)world);
        }
    }
    return err;
}

static hy_err a_root_ends_however_often_its_world_is_stopped(hy_mem *mem) {
    hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    hy_err err = hy_root_run(world, NULL, stops_its_world_again_and_again, world);
    hy_world_close(world);
    CHECK_ERR(err, HY_CANCELLED);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(sim_a_build_may_bind_in_the_block_that_asks),
          KIT_TEST(sim_a_scope_may_end_under_those_who_build_in_it),
          KIT_TEST(sim_times_before_all_time_have_passed),
          KIT_TEST(sim_times_without_end_have_none),
          KIT_TEST(sim_a_shield_gives_its_time_however_late_it_is),
          KIT_TEST_ONCE(sim_a_pause_cut_short_by_hand_is_over),
          KIT_TEST_ONCE(sim_a_start_is_called_off_while_its_group_is_down),
          KIT_TEST_ONCE(sim_a_scope_ends_under_the_one_who_waits_to_start),
          KIT_TEST_ONCE(sim_a_stop_may_be_over_at_once),
          KIT_TEST_ONCE(sim_services_below_stop_at_once_where_there_are_no_tasks),
          KIT_TEST_ONCE(sim_a_scope_ends_under_those_who_accept_for_it),
          KIT_TEST_ONCE(real_a_scope_ends_under_those_who_accept_for_it),
          KIT_TEST_ONCE(sim_a_scope_ends_under_those_who_connect_for_it),
          KIT_TEST_ONCE(real_a_scope_ends_under_those_who_connect_for_it),
          KIT_TEST_ONCE(sim_nobody_waits_for_room_in_a_cancelled_scope),
          KIT_TEST_ONCE(real_nobody_waits_for_room_in_a_cancelled_scope),
          KIT_TEST_ONCE(sim_a_scope_ends_under_the_one_who_closes_for_it),
          KIT_TEST_ONCE(real_a_scope_ends_under_the_one_who_closes_for_it),
          KIT_TEST(a_root_can_be_cancelled_until_it_is_done),
          KIT_TEST_ONCE(a_root_ends_however_often_its_world_is_stopped))
