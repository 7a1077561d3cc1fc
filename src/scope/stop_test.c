// stop_test.c - the two-phase stop: who learns of it when, who ends when, and what interrupts it.
//
// Under virtual time. Words in a story are those of unit_suite.h, and "t-" and the like for tasks.
// Times are compared with room for the seed's delays.
#include "kit/kit.h"
#include "base/cleanup.h"
#include "scope/run_suite.h"
#include "scope/unit_suite.h"

#include <string.h>

static hy_ns now(void) {
    return hy_world_now(hy_scope_world(hy_scope_current()));
}

// Time passes. Where memory has failed, the scope may have failed with it.
static hy_err pass(hy_ns duration) {
    hy_err err = hy_sleep(duration);
    return err != HY_OK && kit_failed_allocation() ? HY_NOMEM : err;
}

static bool about(hy_ns got, hy_ns wanted) {
    return got > wanted - HY_MS(50) && got < wanted + HY_MS(200);
}

// A task that drains, takes its time, and ends; the unit's fields say how.
static hy_err errand(void *arg) {
    unit *u = (unit *)arg;
    u->is_up = true;
    hy_err err = u->deaf ? hy_sleep(HY_NEVER) : hy_wait_draining();
    if (err == HY_CLOSED) {
        err = u->lingers > 0 ? hy_sleep(u->lingers) : HY_OK;
    }
    u->is_up = false;
    unit_tell(u->story, u->name, err == HY_OK ? "-" : "x");
    return err;
}

// Units lie on the stack of their test, so their scope must be gone on every way out.
static hy_err close_now(hy_scope **scope) {
    hy_scope *s = *scope;
    *scope = NULL;
    return s ? hy_scope_close(s) : HY_OK;
}

static void close_quietly(hy_scope **scope) {
    hy_err err = close_now(scope);
    (void)err;
}

static void tell_r(void *object) {
    unit_tell((unit_story *)object, "r", ".");
}

// ---- order ------------------------------------------------------------------------------------

static hy_err tasks_then_services_then_resources(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story }, b = { .name = "b", .story = &story };
    unit t = { .name = "t", .story = &story, .lingers = HY_SECONDS(1) };
    HY_CLEANUP(close_quietly) hy_scope *s = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &s));
    CHECK_OK(hy_own(s, &story, tell_r, 0));
    CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
    CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
    CHECK_OK(hy_spawn(s, errand, &t, NULL, NULL));
    CHECK_OK(pass(HY_MS(10)));
    unit_forget(&story);
    hy_scope_stop(s, HY_SECONDS(10));
    CHECK_ERR(hy_spawn(s, errand, &t, NULL, NULL), HY_CLOSED);
    CHECK_ERR(unit_start(s, &a, HY_PERMANENT, NULL), HY_CLOSED);
    CHECK_OK(pass(HY_MS(500)));
    if (!kit_failed_allocation()) {
        CHECK(t.is_up); // at work still, and so are the services that it may need
        CHECK(a.is_up);
        CHECK(b.is_up);
    }
    CHECK_OK(pass(HY_SECONDS(1)));
    CHECK(unit_story_is(&story, "t- b- b. a- a.")); // nobody has joined or closed it
    CHECK_OK(close_now(&s));
    CHECK(unit_story_is(&story, "t- b- b. a- a. r."));
    return HY_OK;
}
RUN_SIM(tasks_then_services_then_resources)

// A body in its block is the most important task: services wait for it.
static hy_err services_outlive_the_body(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        hy_scope_stop(s, HY_SECONDS(10));
        CHECK(hy_draining());
        CHECK_ERR(hy_wait_draining(), HY_CLOSED);
        CHECK_OK(pass(HY_SECONDS(1))); // no intake: it goes on
        CHECK(a.is_up || kit_failed_allocation());
        unit_tell(&story, "body", "-");
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "a+ a* body- a- a."));
    return HY_OK;
}
RUN_SIM(services_outlive_the_body)

// A scope below ends with all that is in it before the services that it may use.
static hy_err scopes_below_end_first(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story }, b = { .name = "b", .story = &story };
    unit c = { .name = "c", .story = &story }, t = { .name = "t", .story = &story };
    HY_CLEANUP(close_quietly) hy_scope *s = NULL;
    hy_scope *below = NULL, *between = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &s));
    CHECK_OK(hy_scope_open(s, NULL, &between));
    CHECK_OK(hy_scope_open(between, NULL, &below));
    CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
    CHECK_OK(unit_start(below, &b, HY_PERMANENT, NULL));
    CHECK_OK(unit_start(s, &c, HY_PERMANENT, NULL));
    CHECK_OK(hy_spawn(below, errand, &t, NULL, NULL));
    CHECK_OK(pass(HY_MS(10)));
    unit_forget(&story);
    hy_scope_stop(s, HY_SECONDS(10));
    CHECK_ERR(unit_start(below, &b, HY_PERMANENT, NULL), HY_CLOSED);
    CHECK_OK(pass(HY_SECONDS(1)));
    CHECK(unit_story_is(&story, "t- b- b. c- c. a- a."));
    CHECK_OK(close_now(&s));
    return HY_OK;
}
RUN_SIM(scopes_below_end_first)

// Cancelling keeps the order: a cancelled task may still need its services to clean up.
static hy_err cancel_keeps_the_order(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story }, b = { .name = "b", .story = &story };
    unit t = { .name = "t", .story = &story, .deaf = true };
    HY_CLEANUP(close_quietly) hy_scope *s = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &s));
    CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
    CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
    CHECK_OK(hy_spawn(s, errand, &t, NULL, NULL));
    CHECK_OK(pass(HY_MS(10)));
    unit_forget(&story);
    hy_scope_cancel(s, HY_IO);
    CHECK_OK(pass(HY_SECONDS(1)));
    CHECK(unit_story_is(&story, "tx bx b. ax a."));
    CHECK_ERR(close_now(&s), HY_IO);
    return HY_OK;
}
RUN_SIM(cancel_keeps_the_order)

static hy_err deadline_keeps_the_order(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story }, b = { .name = "b", .story = &story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(1)) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_ERR(hy_sleep(HY_NEVER), HY_TIMEOUT);
        unit_tell(&story, "body", "x");
    }
    if (err == HY_NOMEM) return err;
    CHECK_ERR(err, HY_TIMEOUT);
    CHECK(unit_story_is(&story, "a+ a* b+ b* bodyx bx b. ax a."));
    return HY_OK;
}
RUN_SIM(deadline_keeps_the_order)

// ---- the grace --------------------------------------------------------------------------------

// Nobody listens: each gets its share, and what it does not use is the next one's.
static hy_err grace_is_divided(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story, .deaf = true };
    unit b = { .name = "b", .story = &story, .lingers = HY_SECONDS(1) };
    unit c = { .name = "c", .story = &story, .deaf = true };
    unit t = { .name = "t", .story = &story, .deaf = true };
    HY_CLEANUP(close_quietly) hy_scope *s = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &s));
    // Without resources of their own, which would keep back a tenth.
    unit *units[] = { &a, &b, &c };
    for (int i = 0; i < 3; i++) {
        CHECK_OK(unit_start(s, units[i], HY_PERMANENT, NULL));
    }
    CHECK_OK(hy_spawn(s, errand, &t, NULL, NULL));
    CHECK_OK(pass(HY_MS(10)));
    unit_forget(&story);
    hy_ns began = now();
    hy_scope_stop(s, HY_SECONDS(40));
    hy_ns ended[4] = { 0 };
    unit *order[] = { &t, &c, &b, &a };
    for (int i = 0; i < 4; i++) {
        while (i == 0 ? order[i]->is_up : order[i]->held > 0) {
            CHECK_OK(pass(HY_MS(5)));
        }
        ended[i] = now() - began;
    }
    if (!kit_failed_allocation()) {
        CHECK(about(ended[0], HY_SECONDS(10)));           // 40 s for four
        CHECK(about(ended[1], HY_MS(10000 + 9000)));      // 30 s for three, but a tenth
        CHECK(about(ended[2], ended[1] + HY_SECONDS(1))); // it needs no more
        hy_ns left = HY_SECONDS(40) - ended[2];
        CHECK(about(ended[3], ended[2] + left - left / 10));
        CHECK(unit_story_is(&story, "tx cx c. b- b. ax a."));
    }
    hy_err err = close_now(&s);
    CHECK(err == HY_CANCELLED || err == HY_NOMEM); // the tasks did not make it
    return HY_OK;
}
RUN_SIM(grace_is_divided)

static hy_err service_can_have_less(void *unused) {
    (void)unused;
    unit a = { .name = "a", .deaf = true };
    hy_service_spec spec = { .fn = unit_run, .arg = &a, .stop_max = HY_SECONDS(2) };
    hy_err err = HY_OK;
    hy_ns began = 0;
    HY_SCOPE(s, &err, .stop_max = HY_SECONDS(100)) {
        CHECK_OK(hy_start(s, &spec, NULL));
        began = now();
    }
    CHECK_OK(err);
    CHECK(now() - began < HY_SECONDS(3));
    return HY_OK;
}
RUN_SIM(service_can_have_less)

// In a service, too: its own services end after its body, within its share.
static hy_err nested_run(void *arg) {
    unit *u = (unit *)arg;
    CHECK_OK(unit_start(NULL, u, HY_PERMANENT, NULL));
    CHECK_OK(unit_start(NULL, u + 1, HY_PERMANENT, NULL));
    hy_ready();
    hy_err err = hy_wait_draining();
    unit_tell(u->story, "body", err == HY_CLOSED ? "-" : "x");
    return err == HY_CLOSED ? HY_OK : err;
}

static hy_err same_rule_all_the_way_down(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit inner[2] = { { .name = "a", .story = &story, .deaf = true },
                      { .name = "b", .story = &story } };
    unit c = { .name = "c", .story = &story };
    hy_service_spec spec = { .fn = nested_run, .arg = inner, .restart = HY_PERMANENT };
    hy_err err = HY_OK;
    hy_ns began = 0;
    HY_SCOPE(s, &err, .stop_max = HY_SECONDS(20)) {
        CHECK_OK(hy_start(s, &spec, NULL));
        CHECK_OK(unit_start(s, &c, HY_PERMANENT, NULL));
        unit_forget(&story);
        began = now();
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "c- c. body- b- b. ax a."));
    CHECK(now() - began <= HY_SECONDS(20));
    CHECK(now() - began > HY_SECONDS(17) || kit_failed_allocation());
    return HY_OK;
}
RUN_SIM(same_rule_all_the_way_down)

// ---- a stop that meets something --------------------------------------------------------------

static hy_err stop_ends_a_backoff(void *unused) {
    (void)unused;
    unit a = { .name = "a", .lives = 1, .falls = UINT32_MAX, .err = HY_IO };
    hy_service_spec spec = { .fn = unit_run,
                             .arg = &a,
                             .restart = HY_PERMANENT,
                             .backoff_min = HY_SECONDS(1000),
                             .backoff_max = HY_SECONDS(1000) };
    HY_CLEANUP(close_quietly) hy_scope *s = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &s));
    hy_service *service = NULL;
    CHECK_OK(hy_start(s, &spec, &service));
    CHECK_OK(pass(HY_MS(100)));
    CHECK(hy_service_state_of(service).waiting || kit_failed_allocation());
    hy_ns began = now();
    hy_scope_stop(s, HY_SECONDS(10));
    CHECK(!hy_service_state_of(service).waiting);
    CHECK_ERR(hy_service_restart(service), HY_CLOSED);
    hy_err err = close_now(&s);
    CHECK(err == HY_OK || kit_failed_allocation());
    CHECK(now() - began < HY_SECONDS(1));
    CHECK(a.runs <= 2);
    return HY_OK;
}
RUN_SIM(stop_ends_a_backoff)

typedef struct starter {
    hy_scope *scope;
    unit *u;
    hy_err answer;
    bool done;
} starter;

static hy_err starter_run(void *arg) {
    starter *it = (starter *)arg;
    it->answer = unit_start(it->scope, it->u, HY_PERMANENT, NULL);
    it->done = true;
    return HY_OK;
}

static hy_err stop_calls_off_a_start(void *unused) {
    (void)unused;
    unit a = { .name = "a", .gets_ready = HY_SECONDS(20) };
    HY_CLEANUP(close_quietly) hy_scope *s = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &s));
    starter it = { .scope = s, .u = &a };
    hy_err err = HY_OK;
    HY_SCOPE(outside, &err) {
        CHECK_OK(hy_spawn(outside, starter_run, &it, NULL, NULL));
        CHECK_OK(pass(HY_SECONDS(1)));
        hy_scope_stop(s, HY_SECONDS(10));
        CHECK_OK(pass(HY_SECONDS(1)));
        CHECK(it.done);
        CHECK(it.answer == HY_CLOSED || it.answer == HY_NOMEM);
        CHECK_EQ(a.held, 0);
    }
    CHECK_OK(err);
    err = close_now(&s);
    CHECK(err == HY_OK || kit_failed_allocation()); // without a timer there is no grace
    return HY_OK;
}
RUN_SIM(stop_calls_off_a_start)

static hy_err service_that_falls_while_draining_stays_down(void *unused) {
    (void)unused;
    unit a = { .name = "a", .lives = HY_SECONDS(1), .falls = UINT32_MAX, .err = HY_IO };
    unit t = { .name = "t", .lingers = HY_SECONDS(3) };
    HY_CLEANUP(close_quietly) hy_scope *s = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &s));
    CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
    CHECK_OK(hy_spawn(s, errand, &t, NULL, NULL));
    CHECK_OK(pass(HY_MS(10)));
    hy_scope_stop(s, HY_SECONDS(20));
    CHECK_OK(pass(HY_SECONDS(2)));
    CHECK_EQ(a.held, 0);
    CHECK(t.is_up || kit_failed_allocation());
    hy_err err = hy_scope_join(s);
    CHECK(err == HY_OK || kit_failed_allocation());
    CHECK_EQ(a.runs, 1);
    err = close_now(&s);
    CHECK(err == HY_OK || kit_failed_allocation());
    return HY_OK;
}
RUN_SIM(service_that_falls_while_draining_stays_down)

static hy_err cancel_ends_the_grace(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story, .lingers = HY_SECONDS(9) };
    unit b = { .name = "b", .story = &story, .lingers = HY_SECONDS(9) };
    // Once while tasks are at work, once while the services end, once after the tasks' share.
    static const hy_ns at[] = { HY_MS(100), HY_MS(1500), HY_SECONDS(11) };
    static const hy_ns lingers[] = { HY_SECONDS(9), HY_SECONDS(1), HY_NEVER };
    for (int i = 0; i < 3; i++) {
        unit t = { .name = "t", .story = &story, .lingers = lingers[i] };
        HY_CLEANUP(close_quietly) hy_scope *s = NULL;
        CHECK_OK(hy_scope_open(NULL, NULL, &s));
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        CHECK_OK(hy_spawn(s, errand, &t, NULL, NULL));
        CHECK_OK(pass(HY_MS(10)));
        unit_forget(&story);
        hy_scope_stop(s, HY_SECONDS(30));
        CHECK_OK(pass(at[i]));
        hy_scope_cancel(s, HY_CANCELLED);
        CHECK_OK(pass(HY_MS(100)));
        CHECK(unit_story_is(&story, i == 1 ? "t- bx b. ax a." : "tx bx b. ax a."));
        CHECK_ERR(close_now(&s), HY_CANCELLED);
    }
    return HY_OK;
}
RUN_SIM(cancel_ends_the_grace)

static hy_err second_stop_shortens_and_never_lengthens(void *unused) {
    (void)unused;
    for (int i = 0; i < 4; i++) {
        unit a = { .name = "a", .deaf = true }, t = { .name = "t", .deaf = true };
        HY_CLEANUP(close_quietly) hy_scope *s = NULL;
        CHECK_OK(hy_scope_open(NULL, NULL, &s));
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        if (i < 2) CHECK_OK(hy_spawn(s, errand, &t, NULL, NULL));
        CHECK_OK(pass(HY_MS(10)));
        hy_ns began = now();
        hy_scope_stop(s, i % 2 == 0 ? HY_SECONDS(100) : HY_SECONDS(4));
        CHECK_OK(pass(HY_MS(100)));
        hy_scope_stop(s, i % 2 == 0 ? HY_SECONDS(4) : HY_SECONDS(100));
        while (a.held > 0) {
            CHECK_OK(pass(HY_MS(10)));
        }
        CHECK(now() - began < HY_MS(4300));
        CHECK(now() - began > HY_SECONDS(3) || kit_failed_allocation());
        hy_err err = close_now(&s);
        CHECK(err == HY_OK || err == HY_CANCELLED || err == HY_NOMEM);
    }
    return HY_OK;
}
RUN_SIM(second_stop_shortens_and_never_lengthens)

// A scope below that is being stopped while the one above begins to: the earlier end counts.
static hy_err stop_within_a_stop(void *unused) {
    (void)unused;
    for (int i = 0; i < 2; i++) {
        unit a = { .name = "a", .deaf = true }, b = { .name = "b" };
        HY_CLEANUP(close_quietly) hy_scope *s = NULL;
        hy_scope *below = NULL;
        CHECK_OK(hy_scope_open(NULL, NULL, &s));
        CHECK_OK(hy_scope_open(s, NULL, &below));
        CHECK_OK(unit_start(below, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        hy_ns began = now();
        hy_scope_stop(below, i == 0 ? HY_SECONDS(4) : HY_SECONDS(100));
        CHECK_OK(pass(HY_MS(100)));
        hy_scope_stop(s, i == 0 ? HY_SECONDS(100) : HY_SECONDS(8)); // the half of it below
        while (a.held > 0) {
            CHECK_OK(pass(HY_MS(10)));
        }
        CHECK(now() - began < HY_MS(4300));
        CHECK(now() - began > HY_MS(3500) || kit_failed_allocation());
        CHECK_OK(pass(HY_MS(100)));
        CHECK_EQ(b.held, 0);
        hy_err err = close_now(&s);
        CHECK(err == HY_OK || err == HY_CANCELLED || err == HY_NOMEM);
    }
    return HY_OK;
}
RUN_SIM(stop_within_a_stop)

static void release_slowly(void *object) {
    hy_err err = hy_sleep(HY_SECONDS(6));
    *(hy_err *)object = err;
}

// The tasks' share of the grace runs out while resources are released: that is nobody's failure.
static hy_err slow_release_is_no_failure(void *unused) {
    (void)unused;
    hy_err slept = HY_IO, err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_own(s, &slept, release_slowly, HY_SECONDS(60)));
        hy_scope_stop(s, HY_SECONDS(5));
    }
    CHECK(err == HY_OK || kit_failed_allocation());
    CHECK(slept == HY_OK || kit_failed_allocation());
    return HY_OK;
}
RUN_SIM(slow_release_is_no_failure)

static hy_err holds_something_slow(void *arg) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        err = hy_own(s, arg, release_slowly, 0);
        if (err == HY_OK) err = hy_wait_draining();
    }
    return err == HY_CLOSED ? HY_OK : err;
}

// A release far below has no more time than the stop above has left, but a tenth of its own.
static hy_err releases_keep_to_the_grace_above(void *unused) {
    (void)unused;
    static const hy_ns graces[] = { HY_SECONDS(3), HY_MS(1) };
    for (int i = 0; i < 2; i++) {
        hy_err slept = HY_IO, err = HY_OK;
        hy_ns began = 0;
        HY_SCOPE(s, &err) {
            CHECK_OK(hy_spawn(s, holds_something_slow, &slept, NULL, NULL));
            CHECK_OK(pass(HY_MS(10)));
            began = now();
            hy_scope_stop(s, graces[i]);
        }
        CHECK(err == HY_OK || err == HY_CANCELLED || err == HY_NOMEM);
        CHECK(slept == HY_TIMEOUT || kit_failed_allocation());
        CHECK(about(now() - began, i == 0 ? HY_SECONDS(3) : HY_SECONDS(1)) ||
              kit_failed_allocation());
    }
    return HY_OK;
}
RUN_SIM(releases_keep_to_the_grace_above)

static hy_err grace_can_be_without_end(void *unused) {
    (void)unused;
    unit a = { .name = "a", .lingers = HY_SECONDS(100000) }, t = a;
    HY_CLEANUP(close_quietly) hy_scope *s = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &s));
    CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
    CHECK_OK(hy_spawn(s, errand, &t, NULL, NULL));
    CHECK_OK(pass(HY_MS(1)));
    hy_scope_stop(s, HY_NEVER);
    CHECK_OK(pass(HY_SECONDS(199999)));
    CHECK(a.held > 0 || kit_failed_allocation());
    CHECK_OK(pass(HY_SECONDS(2)));
    CHECK_EQ(a.held, 0);
    hy_err err = close_now(&s);
    CHECK(err == HY_OK || kit_failed_allocation());
    return HY_OK;
}
RUN_SIM(grace_can_be_without_end)

// A group on its way down or up, and somebody who waits to start one more.
static hy_err stop_ends_a_group(void *unused) {
    (void)unused;
    // While c goes down; in the pause before the second restart in a row; while a comes up again.
    static const hy_ns at[] = { HY_MS(1500), HY_MS(2500), HY_MS(1100) };
    for (int i = 0; i < 3; i++) {
        unit a = { .name = "a", .gets_ready = i == 2 ? HY_MS(300) : 0 };
        unit b = { .name = "b", .lives = HY_SECONDS(1), .falls = i == 1 ? 9 : 1, .err = HY_IO };
        unit c = { .name = "c", .lingers = i == 0 ? HY_SECONDS(3) : 0 }, d = { .name = "d" };
        unit *units[] = { &a, &b, &c };
        HY_CLEANUP(close_quietly) hy_scope *s = NULL;
        hy_scope_options options = { .size = sizeof options, .policy = hy_one_for_all };
        CHECK_OK(hy_scope_open(NULL, &options, &s));
        for (int j = 0; j < 3; j++) {
            hy_service_spec spec = { .fn = unit_run,
                                     .arg = units[j],
                                     .restart = HY_PERMANENT,
                                     .backoff_min = HY_SECONDS(1000),
                                     .backoff_max = HY_SECONDS(1000) };
            CHECK_OK(hy_start(s, &spec, NULL));
        }
        hy_err err = HY_OK;
        starter it = { .scope = s, .u = &d };
        HY_SCOPE(outside, &err) {
            CHECK_OK(pass(at[i]));
            CHECK_OK(hy_spawn(outside, starter_run, &it, NULL, NULL));
            CHECK_OK(pass(HY_MS(50)));
            CHECK(!it.done || kit_failed_allocation());
            hy_scope_stop(s, HY_SECONDS(10));
        }
        CHECK_OK(err);
        CHECK(it.answer == HY_CLOSED || kit_failed_allocation());
        CHECK(d.runs == 0 || kit_failed_allocation());
        CHECK_OK(pass(HY_SECONDS(4)));
        for (int j = 0; j < 3; j++) {
            CHECK_EQ(units[j]->held, 0);
        }
        err = close_now(&s);
        CHECK(err == HY_OK || kit_failed_allocation());
    }
    return HY_OK;
}
RUN_SIM(stop_ends_a_group)

// ---- from a callback --------------------------------------------------------------------------

typedef struct alarm_clock {
    hy_timer timer;
    hy_scope *scope;
} alarm_clock;

static void on_alarm(hy_timer *timer) {
    CHECK(hy_scope_current() == NULL);
    hy_scope_stop(((alarm_clock *)timer)->scope, HY_SECONDS(10));
}

static hy_err stop_works_from_callbacks(void *unused) {
    (void)unused;
    unit_story story = { 0 };
    unit a = { .name = "a", .story = &story }, b = { .name = "b", .story = &story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_OK(unit_start(s, &b, HY_PERMANENT, NULL));
        alarm_clock clock = { .timer.done = on_alarm, .scope = s };
        CHECK_OK(hy_timer_at(hy_scope_world(s), &clock.timer, now() + HY_SECONDS(1)));
        CHECK_ERR(hy_wait_draining(), HY_CLOSED);
        unit_tell(&story, "body", "-");
    }
    CHECK_OK(err);
    CHECK(unit_story_is(&story, "a+ a* b+ b* body- b- b. a- a."));
    return HY_OK;
}
RUN_SIM(stop_works_from_callbacks)
RUN_REAL(stop_works_from_callbacks)

// Closing from inside is a request to stop.
static hy_err close_from_inside_is_a_stop(void *unused) {
    (void)unused;
    unit a = { .name = "a" };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(unit_start(s, &a, HY_PERMANENT, NULL));
        CHECK_ERR(hy_scope_close(s), HY_BUSY);
        CHECK(hy_draining());
        CHECK(a.is_up);
    }
    CHECK_OK(err);
    CHECK_EQ(a.held, 0);
    return HY_OK;
}
RUN_SIM(close_from_inside_is_a_stop)

KIT_TESTS(KIT_TEST(sim_tasks_then_services_then_resources), KIT_TEST(sim_services_outlive_the_body),
          KIT_TEST(sim_scopes_below_end_first), KIT_TEST(sim_cancel_keeps_the_order),
          KIT_TEST(sim_deadline_keeps_the_order), KIT_TEST(sim_grace_is_divided),
          KIT_TEST(sim_service_can_have_less), KIT_TEST(sim_same_rule_all_the_way_down),
          KIT_TEST(sim_stop_ends_a_backoff), KIT_TEST(sim_stop_calls_off_a_start),
          KIT_TEST(sim_service_that_falls_while_draining_stays_down),
          KIT_TEST(sim_cancel_ends_the_grace),
          KIT_TEST(sim_second_stop_shortens_and_never_lengthens), KIT_TEST(sim_stop_within_a_stop),
          KIT_TEST(sim_stop_works_from_callbacks), KIT_TEST_ONCE(real_stop_works_from_callbacks),
          KIT_TEST(sim_slow_release_is_no_failure), KIT_TEST(sim_grace_can_be_without_end),
          KIT_TEST(sim_releases_keep_to_the_grace_above), KIT_TEST(sim_stop_ends_a_group),
          KIT_TEST(sim_close_from_inside_is_a_stop))
