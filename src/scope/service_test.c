// service_test.c - services: started, restarted, stopped, given up.
//
// Under virtual time. A story holds every step of every unit (unit_suite.h), so what is compared is
// the order of things, whatever the seed makes of the delays.
#include "kit/kit.h"
#include "scope/run_suite.h"
#include "scope/unit_suite.h"
#include "base/cleanup.h"

#include <string.h>

#define ALWAYS UINT32_MAX

static hy_ns now(void) {
    return hy_world_now(hy_scope_world(hy_scope_current()));
}

// Time passes. Where memory has failed, the scope may have failed with it.
static hy_err pass(hy_ns duration) {
    hy_err err = hy_sleep(duration);
    return err != HY_OK && kit_failed_allocation() ? HY_NOMEM : err;
}

static uint64_t restarts(void) {
    return hy_scope_stats_of(hy_scope_current()).restarts;
}

// ---- starting ---------------------------------------------------------------------------------

static hy_err start_waits_until_it_is_ready(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story, .gets_ready = HY_SECONDS(3) };
    hy_err err = HY_OK;
    hy_ns began = now();
    HY_SCOPE(s, &err) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK(a.is_up);
        CHECK(now() - began >= HY_SECONDS(3));
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "a+ a* a- a."));
    return HY_OK;
}
RUN_SIM(start_waits_until_it_is_ready)

// A start that fails leaves nothing behind, whatever kind of service it would have been.
static hy_err failed_start_says_why(void *unused) {
    (void)unused;
    unit a = { .name = "a", .lives = -1, .falls = ALWAYS, .err = HY_IO };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_service *none = NULL;
        CHECK_ERR(unit_start(s, &a, HY_PERMANENT, &none), HY_IO);
        CHECK(none == NULL);
        CHECK_EQ(a.held, 0);
        CHECK_EQ(a.runs, 1);
        a.err = HY_OK; // it ends well, and was never ready
        CHECK_ERR(unit_start(s, &a, HY_PERMANENT, NULL), HY_END);
        CHECK_OK(unit_start(s, &a, HY_TRANSIENT, NULL));
    }
    CHECK_OK(err);
    CHECK_EQ(a.runs, 3);
    return HY_OK;
}
RUN_SIM(failed_start_says_why)

static hy_err start_that_takes_too_long_is_a_timeout(void *unused) {
    (void)unused;
    unit a = { .name = "a", .gets_ready = -1 };
    hy_err err = HY_OK;
    hy_ns began = now();
    HY_SCOPE(s, &err) {
        hy_service_spec spec = { .fn = unit_run, .arg = &a, .ready_max = HY_SECONDS(2) };
        CHECK_ERR(hy_start(s, &spec, NULL), HY_TIMEOUT);
        CHECK_EQ(a.held, 0);
        CHECK(now() - began < HY_SECONDS(3));
        CHECK_OK(hy_check()); // the timeout was the service's own
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(start_that_takes_too_long_is_a_timeout)

// Who is cancelled while it starts something takes it along.
static hy_err cancelled_starter_leaves_nothing(void *unused) {
    (void)unused;
    unit a = { .name = "a", .gets_ready = HY_SECONDS(10) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_err inner = HY_OK;
        HY_SCOPE(t, &inner, .timeout = HY_SECONDS(1)) {
            CHECK_ERR(unit_start(s, &a, HY_PERMANENT, NULL), HY_TIMEOUT);
            CHECK_EQ(a.held, 0);
        }
        if (inner == HY_NOMEM) return HY_NOMEM;
        CHECK_ERR(inner, HY_TIMEOUT);
        CHECK_OK(pass(HY_SECONDS(60)));
        CHECK_EQ(a.runs, 1);
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(cancelled_starter_leaves_nothing)

// ---- restarting one ---------------------------------------------------------------------------

static hy_err restart_releases_and_acquires_again(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story, .lives = HY_MS(5), .falls = 1, .err = HY_IO };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(pass(HY_SECONDS(1)));
        CHECK(a.is_up || kit_failed_allocation());
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "a+ a* a! a. a+ a* a- a."));
    return HY_OK;
}
RUN_SIM(restart_releases_and_acquires_again)
RUN_REAL(restart_releases_and_acquires_again)

static hy_err kinds_of_restart(void *unused) {
    (void)unused;
    static const struct {
        hy_restart restart;
        hy_err err;
        uint32_t runs;
    } cases[] = {
        { HY_TEMPORARY, HY_OK, 1 }, { HY_TEMPORARY, HY_IO, 1 }, { HY_TRANSIENT, HY_OK, 1 },
        { HY_TRANSIENT, HY_IO, 2 }, { HY_PERMANENT, HY_OK, 2 }, { HY_PERMANENT, HY_IO, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unit a = { .name = "a", .lives = HY_MS(5), .falls = 1, .err = cases[i].err };
        hy_err err = HY_OK;
        HY_SCOPE(s, &err) {
            hy_service *service = NULL;
            CHECK_OK(unit_start(s, &a, cases[i].restart, &service));
            CHECK_OK(pass(HY_SECONDS(1)));
            if (kit_failed_allocation()) continue;
            CHECK_EQ(a.runs, cases[i].runs);
            hy_service_state state = hy_service_state_of(service);
            CHECK_EQ(state.ready, cases[i].runs == 2);
            CHECK_ERR(state.last_err, cases[i].err);
            CHECK_EQ(state.starts, cases[i].runs);
            CHECK_ERR(hy_service_stop(service, 0), cases[i].runs == 2 ? HY_OK : cases[i].err);
        }
        CHECK_OK(err);
    }
    return HY_OK;
}
RUN_SIM(kinds_of_restart)

// The first restart is at once. From the second on the pauses are random, below a limit that
// doubles; after a quiet time the first one is at once again.
static hy_err backoff_grows_and_is_forgotten(void *unused) {
    (void)unused;
    hy_ns longest[6] = { 0 };
    for (int round = 0; round < 40; round++) {
        unit a = { .name = "a", .lives = HY_MS(1), .falls = 6, .err = HY_IO };
        hy_service_spec spec = { .fn = unit_run,
                                 .arg = &a,
                                 .restart = HY_PERMANENT,
                                 .restarts_max = UINT32_MAX,
                                 .restarts_within = HY_SECONDS(5),
                                 .backoff_min = HY_MS(100),
                                 .backoff_max = HY_MS(800) };
        hy_err err = HY_OK;
        HY_SCOPE(s, &err) {
            CHECK_OK(hy_start(s, &spec, NULL));
            hy_ns before = a.began;
            for (uint32_t i = 0; i < 6; i++) {
                while (a.runs == i + 1) {
                    CHECK_OK(pass(HY_MS(1)));
                }
                hy_ns pause = a.began - before;
                before = a.began;
                if (pause > longest[i]) longest[i] = pause;
            }
            CHECK_OK(pass(HY_SECONDS(6)));
            CHECK(a.is_up);
            CHECK_EQ(a.runs, 7);
        }
        CHECK_OK(err);
    }
    const hy_ns slack = HY_MS(10); // it lives for 1 ms, and timers are late
    CHECK(longest[0] < slack);
    hy_ns limit = HY_MS(100);
    for (int i = 1; i < 6; i++) {
        CHECK(longest[i] <= limit + slack);
        CHECK(longest[i] > limit / 2); // of 40 throws one is in the upper half
        if (limit < HY_MS(800)) limit *= 2;
    }
    return HY_OK;
}
RUN_SIM(backoff_grows_and_is_forgotten)

static hy_err quiet_time_resets_the_backoff(void *unused) {
    (void)unused;
    unit a = { .name = "a", .lives = HY_SECONDS(20), .falls = 5, .err = HY_IO };
    hy_service_spec spec = { .fn = unit_run,
                             .arg = &a,
                             .restart = HY_PERMANENT,
                             .restarts_max = 1,
                             .backoff_min = HY_SECONDS(100),
                             .backoff_max = HY_SECONDS(100) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_start(s, &spec, NULL));
        CHECK_OK(pass(HY_SECONDS(101)));
        CHECK_EQ(a.runs, 6); // five falls, each after a quiet time, none had to wait
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(quiet_time_resets_the_backoff)

// ---- too often --------------------------------------------------------------------------------

static hy_err too_many_restarts_fail_the_scope(void *unused) {
    (void)unused;
    unit a = { .name = "a", .lives = HY_MS(1), .falls = ALWAYS, .err = HY_IO };
    unit b = { .name = "b" };
    hy_service_spec spec = {
        .fn = unit_run, .arg = &a, .restart = HY_PERMANENT, .restarts_max = 3
    };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_OK(hy_start(s, &spec, NULL));
        hy_err told = hy_sleep(HY_SECONDS(60));
        CHECK(told == HY_CANCELLED || told == HY_NOMEM);
    }
    CHECK_ERR(err, HY_RESTARTS);
    CHECK(a.runs == 4 || kit_failed_allocation()); // the first, and three restarts
    CHECK_EQ(b.held, 0);
    return HY_OK;
}
RUN_SIM(too_many_restarts_fail_the_scope)

// Two services, each within its own limit, are too much for the scope's.
static hy_err scope_has_a_limit_of_its_own(void *unused) {
    (void)unused;
    unit a = { .name = "a", .lives = HY_SECONDS(1), .falls = 2, .err = HY_IO };
    unit b = { .name = "b", .lives = HY_SECONDS(1), .falls = 2, .err = HY_IO };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .restarts_max = 3, .restarts_within = HY_SECONDS(60)) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        hy_err told = hy_sleep(HY_SECONDS(60));
        CHECK(told == HY_CANCELLED || told == HY_NOMEM);
    }
    CHECK_ERR(err, HY_RESTARTS);
    CHECK_EQ(restarts(), 3);
    return HY_OK;
}
RUN_SIM(scope_has_a_limit_of_its_own)

// ---- escalation -------------------------------------------------------------------------------

typedef struct nest {
    unit inner;
    unit_story *story;
    uint32_t runs;
} nest;

static hy_err nest_run(void *arg) {
    nest *n = (nest *)arg;
    n->runs++;
    n->inner.falls = n->runs < 3 ? ALWAYS : 0; // the third time all is well
    n->inner.runs = 0;
    unit_tell(n->story, "nest", "+");
    hy_service_spec spec = { .fn = unit_run,
                             .arg = &n->inner,
                             .restart = HY_PERMANENT,
                             .restarts_max = 2,
                             .backoff_min = 1,
                             .backoff_max = 1 };
    hy_err err = hy_start(NULL, &spec, NULL);
    if (err != HY_OK) return err;
    hy_ready();
    err = hy_wait_draining();
    return err == HY_CLOSED ? HY_OK : err;
}

// A supervisor that gives up is a service that has fallen: the scope above restarts it, with all
// that was in it.
static hy_err escalation_restarts_the_outer_service(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    nest n = { .inner = { .name = "i", .story = &story, .lives = HY_MS(1), .err = HY_IO },
               .story = &story };
    hy_service_spec spec = { .fn = nest_run, .arg = &n, .restart = HY_PERMANENT };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_service *outer = NULL;
        CHECK_OK(hy_start(s, &spec, &outer));
        CHECK_OK(pass(HY_SECONDS(5)));
        if (kit_failed_allocation()) continue;
        hy_service_state state = hy_service_state_of(outer);
        CHECK(state.ready);
        CHECK_ERR(state.last_err, HY_RESTARTS);
        CHECK_EQ(n.runs, 3);
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "nest+ i+ i* i! i. i+ i* i! i. i+ i* i! i. "
                                "nest+ i+ i* i! i. i+ i* i! i. i+ i* i! i. "
                                "nest+ i+ i* i- i."));
    return HY_OK;
}
RUN_SIM(escalation_restarts_the_outer_service)

// ---- groups -----------------------------------------------------------------------------------

static hy_err one_for_one_leaves_the_others_alone(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story }, c = { .name = "c", .story = &story };
    unit b = { .name = "b", .story = &story, .lives = HY_SECONDS(1), .falls = 1, .err = HY_IO };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &c, HY_PERMANENT, NULL));
        unit_forget(&story);
        CHECK_OK(pass(HY_SECONDS(2)));
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "b! b. b+ b* c- c. b- b. a- a."));
    return HY_OK;
}
RUN_SIM(one_for_one_leaves_the_others_alone)

static hy_err one_for_all_goes_down_backwards_and_up_forwards(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story, .gets_ready = HY_MS(50), .lingers = HY_MS(50) };
    unit b = { .name = "b", .story = &story, .lives = HY_SECONDS(1), .falls = 1, .err = HY_IO };
    unit c = { .name = "c", .story = &story, .lingers = HY_MS(50) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_one_for_all) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &c, HY_TRANSIENT, NULL));
        unit_forget(&story);
        CHECK_OK(pass(HY_SECONDS(3)));
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "b! b. c- c. a- a. a+ a* b+ b* c+ c* c- c. b- b. a- a."));
    return HY_OK;
}
RUN_SIM(one_for_all_goes_down_backwards_and_up_forwards)

static hy_err rest_for_one_takes_those_after_it(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story }, c = { .name = "c", .story = &story };
    unit b = { .name = "b", .story = &story, .lives = HY_SECONDS(1), .falls = 1, .err = HY_IO };
    unit d = { .name = "d", .story = &story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_rest_for_one) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &c, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &d, HY_TEMPORARY, NULL)); // goes down, and does not come up
        unit_forget(&story);
        CHECK_OK(pass(HY_SECONDS(3)));
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "b! b. d- d. c- c. b+ b* c+ c* c- c. b- b. a- a."));
    return HY_OK;
}
RUN_SIM(rest_for_one_takes_those_after_it)

// One that falls while the group comes up is one restart more, and the group begins anew.
static hy_err fall_within_a_group_start(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story };
    unit b = { .name = "b", .story = &story, .err = HY_IO };
    unit c = { .name = "c", .story = &story, .lives = HY_SECONDS(1), .falls = 1, .err = HY_IO };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_one_for_all) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &c, HY_PERMANENT, NULL));
        b.lives = -1;
        b.falls = 2; // its next run ends before it is ready
        unit_forget(&story);
        CHECK_OK(pass(HY_SECONDS(5)));
        CHECK(restarts() == 2 || kit_failed_allocation());
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "c! c. b- b. a- a. a+ a* b+ b! b. a- a. a+ a* b+ b* c+ c* "
                                "c- c. b- b. a- a."));
    return HY_OK;
}
RUN_SIM(fall_within_a_group_start)

// ---- by hand ----------------------------------------------------------------------------------

static hy_err stop_and_restart_by_hand(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story, .lingers = HY_MS(10) };
    unit b = { .name = "b", .story = &story, .lingers = HY_SECONDS(100) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_service *one = NULL, *two = NULL;
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, &one));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, &two));
        CHECK_OK(hy_service_restart(one));
        CHECK(a.is_up);
        CHECK_EQ(restarts(), 0);
        hy_ns began = now();
        CHECK_ERR(hy_service_stop(two, HY_SECONDS(2)), HY_CANCELLED); // it lingered too long
        CHECK(now() - began >= HY_MS(1800)); // a tenth is kept back for its resource
        CHECK(now() - began < HY_SECONDS(3));
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "a+ a* b+ b* a- a. a+ a* bx b. a- a."));
    return HY_OK;
}
RUN_SIM(stop_and_restart_by_hand)

typedef struct self_stop {
    hy_service *service;
    hy_err answer;
    bool restarts;
    uint32_t runs;
} self_stop;

static hy_err self_stop_run(void *arg) {
    self_stop *it = (self_stop *)arg;
    it->runs++;
    hy_ready();
    hy_err slept = hy_sleep(HY_MS(10));
    if (slept != HY_OK) return slept;
    if (it->runs == 1) {
        it->answer =
            it->restarts ? hy_service_restart(it->service) : hy_service_stop(it->service, 0);
    }
    hy_err err = hy_wait_draining();
    return err == HY_CLOSED ? HY_OK : err;
}

static hy_err from_inside_it_is_a_request(void *unused) {
    (void)unused;
    for (int i = 0; i < 2; i++) {
        self_stop it = { .restarts = i == 1 };
        hy_service_spec spec = { .fn = self_stop_run, .arg = &it, .restart = HY_PERMANENT };
        hy_err err = HY_OK;
        HY_SCOPE(s, &err) {
            CHECK_OK(hy_start(s, &spec, &it.service));
            CHECK_OK(pass(HY_SECONDS(1)));
        }
        CHECK_OK(err);
        if (kit_failed_allocation()) return HY_NOMEM;
        CHECK_ERR(it.answer, HY_BUSY);
        CHECK_EQ(it.runs, i + 1);
    }
    return HY_OK;
}
RUN_SIM(from_inside_it_is_a_request)

typedef struct sister {
    hy_scope *scope;
    unit b;
    uint32_t runs;
} sister;

static hy_err sister_run(void *arg) {
    sister *it = (sister *)arg;
    if (++it->runs == 2) { // within a restart of all
        hy_err err = unit_start(it->scope, &it->b, HY_PERMANENT, NULL);
        if (err != HY_OK) return err;
    }
    hy_ready();
    if (it->runs == 1) return HY_IO;
    hy_err err = hy_wait_draining();
    return err == HY_CLOSED ? HY_OK : err;
}

// A service that starts another one beside itself does not wait for itself.
static hy_err services_can_start_their_sisters(void *unused) {
    (void)unused;
    sister it = { .b = { .name = "b" } };
    hy_service_spec spec = { .fn = sister_run, .arg = &it, .restart = HY_PERMANENT };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_one_for_all) {
        it.scope = s;
        hy_service *service = NULL;
        CHECK_OK(hy_start(s, &spec, &service));
        CHECK_OK(pass(HY_SECONDS(1)));
        if (kit_failed_allocation()) break;
        CHECK(hy_service_state_of(service).ready);
        CHECK(it.b.is_up);
    }
    CHECK(err == HY_OK || kit_failed_allocation());
    CHECK_EQ(it.b.held, 0);
    return HY_OK;
}
RUN_SIM(services_can_start_their_sisters)

// A restart by hand ends a pause, and says when the new run did not get ready.
static hy_err restart_by_hand_ends_a_pause(void *unused) {
    (void)unused;
    unit a = { .name = "a", .lives = HY_MS(1), .falls = 3, .err = HY_IO };
    hy_service_spec spec = { .fn = unit_run,
                             .arg = &a,
                             .restart = HY_PERMANENT,
                             .backoff_min = HY_SECONDS(1000),
                             .backoff_max = HY_SECONDS(1000) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_service *service = NULL;
        CHECK_OK(hy_start(s, &spec, &service));
        CHECK_OK(pass(HY_MS(100)));
        if (kit_failed_allocation()) break;
        CHECK(hy_service_state_of(service).waiting);
        CHECK_EQ(a.runs, 2);
        a.lives = -1;
        CHECK_ERR(hy_service_restart(service), HY_IO);
        CHECK(hy_service_state_of(service).waiting);
        CHECK_OK(hy_service_restart(service));
        CHECK(a.is_up);
        CHECK_EQ(restarts(), 3); // three falls; what was asked for by hand is not counted
    }
    CHECK(err == HY_OK || kit_failed_allocation());
    return HY_OK;
}
RUN_SIM(restart_by_hand_ends_a_pause)

// ---- own policies -----------------------------------------------------------------------------

static hy_verdict first_end_is_the_end(const hy_ending *ending) {
    return ending->is_service ? HY_FINISH : hy_fail_fast(ending);
}

// OTP's auto_shutdown, without a switch for it.
static hy_err policy_can_end_the_scope(void *unused) {
    (void)unused;
    unit a = { .name = "a" }, b = { .name = "b", .lives = HY_SECONDS(1), .falls = 1 };
    hy_err err = HY_OK;
    hy_ns began = now();
    HY_SCOPE(s, &err, .policy = first_end_is_the_end) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_ERR(hy_sleep(HY_SECONDS(60)), HY_CANCELLED);
    }
    CHECK_OK(err); // it has got what it was opened for
    CHECK(now() - began < HY_SECONDS(2));
    return HY_OK;
}
RUN_SIM(policy_can_end_the_scope)

// Services that are over leave nothing behind in a scope that lives on.
static hy_err services_that_are_over_leave_nothing(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        uint32_t fibers = 0;
        for (int i = 0; i < 2000; i++) {
            unit a = { .name = "a", .falls = 1, .err = i % 2 == 0 ? HY_OK : HY_IO };
            CHECK_OK(unit_start(s, &a, HY_TEMPORARY, NULL));
            while (a.held > 0) {
                CHECK_OK(pass(HY_MS(1)));
            }
            CHECK_OK(pass(HY_MS(1)));
            if (i == 0) fibers = hy_scope_stats_of(s).fibers_peak;
        }
        CHECK_EQ(hy_scope_stats_of(s).fibers_peak, fibers);
        HY_CLEANUP(hy_buf_deinit) hy_buf tree = { 0 };
        hy_buf_init(&tree, kit_heap(), 0);
        hy_scope_tree(s, HY_TREE_TEXT, &tree);
        CHECK_TEXT(hy_buf_bytes(&tree), "scope\n");
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(services_that_are_over_leave_nothing)

KIT_TESTS(KIT_TEST(sim_start_waits_until_it_is_ready),
          KIT_TEST_ONCE(real_restart_releases_and_acquires_again),
          KIT_TEST(sim_failed_start_says_why), KIT_TEST(sim_start_that_takes_too_long_is_a_timeout),
          KIT_TEST(sim_cancelled_starter_leaves_nothing),
          KIT_TEST(sim_restart_releases_and_acquires_again), KIT_TEST(sim_kinds_of_restart),
          KIT_TEST_ONCE(sim_backoff_grows_and_is_forgotten),
          KIT_TEST_ONCE(sim_quiet_time_resets_the_backoff),
          KIT_TEST(sim_too_many_restarts_fail_the_scope),
          KIT_TEST_ONCE(sim_scope_has_a_limit_of_its_own),
          KIT_TEST(sim_escalation_restarts_the_outer_service),
          KIT_TEST(sim_one_for_one_leaves_the_others_alone),
          KIT_TEST(sim_one_for_all_goes_down_backwards_and_up_forwards),
          KIT_TEST(sim_rest_for_one_takes_those_after_it), KIT_TEST(sim_fall_within_a_group_start),
          KIT_TEST(sim_stop_and_restart_by_hand), KIT_TEST(sim_from_inside_it_is_a_request),
          KIT_TEST(sim_services_can_start_their_sisters),
          KIT_TEST(sim_restart_by_hand_ends_a_pause), KIT_TEST(sim_policy_can_end_the_scope),
          KIT_TEST_ONCE(sim_services_that_are_over_leave_nothing))
