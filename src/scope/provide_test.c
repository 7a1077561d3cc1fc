// provide_test.c - values that are built when they are asked for.
//
// Each test tells a story of builds and drops ("+a+b-b-a"): once each, dropped in reverse, and only
// what somebody asked for; whoever asks, fails, is cancelled or waits in a ring meanwhile.
#include "scope/run_suite.h"
#include "kit/kit.h"

#include <string.h>

typedef struct part {
    char letter;
} part;

HY_KEY(part *, ALPHA);
HY_KEY(part *, BETA);
HY_KEY_DEFINE(ALPHA);
HY_KEY_DEFINE(BETA);

// What one provider does, and what happened to it. `story` is shared: "+a" built, "-a" dropped.
typedef struct plan {
    part made;
    char *story;
    hy_err fail;         // what the next build returns
    hy_ns takes;         // it sleeps so long
    part *(*also)(void); // another key, asked for first
    uint32_t builds;
} plan;

static void tell(char *story, char sign, char letter) {
    size_t len = strlen(story);
    CHECK(len + 3 < 64);
    story[len] = sign;
    story[len + 1] = letter;
    story[len + 2] = 0;
}

static hy_err plan_build(void *self, hy_scope *scope, void **out_value) {
    plan *p = (plan *)self;
    CHECK(hy_scope_current() == scope);
    p->builds++;
    if (p->takes) {
        hy_err err = hy_sleep(p->takes);
        if (err != HY_OK) return err;
    }
    if (p->also && !p->also()) return HY_DEADLOCK;
    if (p->fail != HY_OK) return p->fail;
    tell(p->story, '+', p->made.letter);
    *out_value = &p->made;
    return HY_OK;
}

static void plan_drop(void *self, void *value) {
    plan *p = (plan *)self;
    CHECK(value == &p->made);
    tell(p->story, '-', p->made.letter);
}

static hy_provider plan_provider(plan *p) {
    return (hy_provider){ .build = plan_build, .drop = plan_drop, .self = p };
}

// Both keys in `scope`.
static hy_err plan_provide(hy_scope *scope, plan *alpha, plan *beta) {
    hy_provider a = plan_provider(alpha), b = plan_provider(beta);
    hy_err err = hy_provide(scope, &ALPHA_key, &a);
    return err == HY_OK ? hy_provide(scope, &BETA_key, &b) : err;
}

static part *alpha_of_here(void) {
    return HY_GET(ALPHA);
}

static part *beta_of_here(void) {
    return HY_GET(BETA);
}

// HY_NOMEM comes out of a build as its error.
#define CHECK_BUILT(key, value)                                                                    \
    do {                                                                                           \
        part *built = HY_GET(key);                                                                 \
        if (!built) CHECK_OK(hy_provide_error(&key##_key));                                        \
        CHECK(built == (value));                                                                   \
    } while (0)

// ---- building and dropping ----------------------------------------------------------------------

static hy_err built_once_and_dropped_in_reverse(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story }, beta = { .made = { 'b' }, .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        CHECK_TEXT(hy_bytes_of(story), "");
        HY_SCOPE(inner, &err) {
            CHECK(inner != s);
            CHECK_BUILT(BETA, &beta.made);
            CHECK_BUILT(ALPHA, &alpha.made);
            CHECK_BUILT(BETA, &beta.made);
        }
        CHECK_OK(err);
        CHECK_BUILT(ALPHA, &alpha.made);
        CHECK_TEXT(hy_bytes_of(story), "+b+a");
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+b+a-a-b");
    CHECK(HY_GET(ALPHA) == NULL);
    return HY_OK;
}
RUN_SIM(built_once_and_dropped_in_reverse)

static hy_err what_nobody_asks_for_is_not_built(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story }, beta = { .made = { 'b' }, .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "");
    return HY_OK;
}
RUN_SIM(what_nobody_asks_for_is_not_built)

static hy_err one_may_need_another(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story, .also = beta_of_here };
    plan beta = { .made = { 'b' }, .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        part *built = HY_GET(ALPHA);
        if (!built) CHECK_OK(hy_provide_error(&BETA_key) ? hy_provide_error(&BETA_key) : HY_NOMEM);
        CHECK(built == &alpha.made);
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+b+a-a-b");
    return HY_OK;
}
RUN_SIM(one_may_need_another)

static hy_err a_failed_build_is_tried_again(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story, .fail = HY_IO }, beta = { .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        CHECK(HY_GET(ALPHA) == NULL);
        CHECK_EQ(hy_provide_error(&ALPHA_key), HY_IO);
        CHECK_EQ(hy_provide_error(&BETA_key), HY_OK);
        alpha.fail = HY_OK;
        CHECK_BUILT(ALPHA, &alpha.made);
        CHECK_EQ(hy_provide_error(&ALPHA_key), HY_OK);
        CHECK_EQ(alpha.builds, 2);
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+a-a");
    return HY_OK;
}
RUN_SIM(a_failed_build_is_tried_again)

// ---- several who ask ----------------------------------------------------------------------------

static hy_err ask_alpha(void *arg) {
    part *got = HY_GET(ALPHA);
    if (!got) return hy_provide_error(&ALPHA_key);
    CHECK(got == arg);
    return HY_OK;
}

static hy_err one_builds_and_the_others_wait(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story, .takes = HY_MS(5) }, beta = { .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        for (int i = 0; i < 5; i++)
            CHECK_OK(hy_spawn(s, ask_alpha, &alpha.made, NULL, NULL));
        CHECK_OK(hy_scope_join(s));
        CHECK_EQ(alpha.builds, 1);
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+a-a");
    return HY_OK;
}
RUN_SIM(one_builds_and_the_others_wait)

static hy_err a_failure_is_everybodys(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .story = story, .takes = HY_MS(5), .fail = HY_IO }, beta = { .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        hy_task *tasks[3];
        HY_SCOPE(asking, &err, .policy = hy_ignore) {
            for (int i = 0; i < 3; i++)
                CHECK_OK(hy_spawn(asking, ask_alpha, NULL, NULL, &tasks[i]));
            for (int i = 0; i < 3; i++)
                CHECK_ERR(hy_await(tasks[i]), HY_IO);
        }
        CHECK_OK(err);
        CHECK_EQ(alpha.builds, 1);
    }
    return err;
}
RUN_SIM(a_failure_is_everybodys)

// The first who asks is cancelled: that is not the fault of the second, who builds it.
static hy_err a_cancelled_builder_is_followed(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story, .takes = HY_MS(50) }, beta = { .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        hy_task *first = NULL, *second = NULL;
        CHECK_OK(hy_spawn(s, ask_alpha, &alpha.made, NULL, &first));
        CHECK_OK(hy_sleep(HY_MS(10)));
        CHECK_OK(hy_spawn(s, ask_alpha, &alpha.made, NULL, &second));
        CHECK_OK(hy_sleep(HY_MS(10)));
        CHECK_EQ(alpha.builds, 1);
        hy_task_cancel(first, HY_CANCELLED);
        CHECK_ERR(hy_await(first), HY_CANCELLED);
        CHECK_OK(hy_await(second));
        CHECK_EQ(alpha.builds, 2);
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+a-a");
    return HY_OK;
}
RUN_SIM(a_cancelled_builder_is_followed)

static hy_err who_waits_can_be_cancelled(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story, .takes = HY_MS(50) }, beta = { .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        hy_task *first = NULL, *second = NULL;
        CHECK_OK(hy_spawn(s, ask_alpha, &alpha.made, NULL, &first));
        CHECK_OK(hy_sleep(HY_MS(10)));
        CHECK_OK(hy_spawn(s, ask_alpha, &alpha.made, NULL, &second));
        CHECK_OK(hy_sleep(HY_MS(10)));
        hy_task_cancel(second, HY_TIMEOUT);
        CHECK_ERR(hy_await(second), HY_TIMEOUT);
        CHECK_OK(hy_await(first));
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+a-a");
    return HY_OK;
}
RUN_SIM(who_waits_can_be_cancelled)

// ---- waiting for oneself ------------------------------------------------------------------------

static hy_err asking_for_itself_is_a_deadlock(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story, .also = beta_of_here };
    plan beta = { .made = { 'b' }, .story = story, .also = alpha_of_here };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        CHECK(HY_GET(ALPHA) == NULL);
        CHECK_EQ(hy_provide_error(&ALPHA_key), HY_DEADLOCK);
        CHECK_EQ(hy_provide_error(&BETA_key), HY_DEADLOCK);
        beta.also = NULL;
        CHECK_BUILT(BETA, &beta.made);
        CHECK_BUILT(ALPHA, &alpha.made);
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+b+a-a-b");
    return HY_OK;
}
RUN_SIM(asking_for_itself_is_a_deadlock)

static hy_err ask_beta_ignoring(void *unused) {
    (void)unused;
    (void)HY_GET(BETA);
    return HY_OK;
}

// Two fibers, each building what the other one's build asks for.
static hy_err a_ring_of_two_builders_is_a_deadlock(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .story = story, .also = beta_of_here, .takes = HY_MS(20) };
    plan beta = { .story = story, .also = alpha_of_here, .takes = HY_MS(20) };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        CHECK_OK(hy_spawn(s, ask_beta_ignoring, NULL, NULL, NULL));
        CHECK(HY_GET(ALPHA) == NULL);
        CHECK_ERR(hy_provide_error(&ALPHA_key), HY_DEADLOCK);
        CHECK_OK(hy_scope_join(s));
        CHECK_ERR(hy_provide_error(&BETA_key), HY_DEADLOCK);
    }
    return err;
}
RUN_SIM(a_ring_of_two_builders_is_a_deadlock)

static hy_err ask_alpha_ignoring(void *arg) {
    *(hy_err *)arg = HY_GET(ALPHA) ? HY_OK : hy_provide_error(&ALPHA_key);
    return HY_OK;
}

static hy_err build_by_a_fiber_that_asks(void *self, hy_scope *scope, void **out_value) {
    (void)scope;
    (void)out_value;
    hy_err err = HY_OK, heard = HY_OK;
    HY_SCOPE(inside, &err) {
        err = hy_spawn(inside, ask_alpha_ignoring, &heard, NULL, NULL);
    }
    *(hy_err *)self = heard;
    return err == HY_OK ? HY_IO : err;
}

static hy_err a_fiber_of_the_build_is_the_build(void *unused) {
    (void)unused;
    hy_err err = HY_OK, heard = HY_OK;
    HY_SCOPE(s, &err) {
        hy_provider provider = { .build = build_by_a_fiber_that_asks, .self = &heard };
        CHECK_OK(hy_provide(s, &ALPHA_key, &provider));
        CHECK(HY_GET(ALPHA) == NULL);
        CHECK_ERR(hy_provide_error(&ALPHA_key), HY_IO);
        CHECK_EQ(heard, HY_DEADLOCK);
    }
    return err;
}
RUN_SIM(a_fiber_of_the_build_is_the_build)

// ---- the providing scope ------------------------------------------------------------------------

// The build belongs to the scope that provides: a short deadline of who asks does not cut it.
static hy_err a_build_has_the_deadline_of_its_scope(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story, .takes = HY_MS(50) }, beta = { .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        hy_err late = HY_OK;
        HY_SCOPE(hurried, &late, .timeout = HY_MS(5)) {
            CHECK_BUILT(ALPHA, &alpha.made);
            CHECK_EQ(hy_scope_reason(hurried), HY_TIMEOUT);
        }
        CHECK_ERR(late, HY_TIMEOUT);
        CHECK_EQ(alpha.builds, 1);
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+a-a");
    return HY_OK;
}
RUN_SIM(a_build_has_the_deadline_of_its_scope)

static hy_err build_sees_beta(void *self, hy_scope *scope, void **out_value) {
    (void)scope;
    *out_value = HY_GET(BETA);
    return HY_GET(BETA) == self ? HY_OK : HY_REJECT;
}

static hy_err a_build_sees_the_context_of_its_scope(void *unused) {
    (void)unused;
    part outer = { 'o' }, inner = { 'i' };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_provider provider = { .build = build_sees_beta, .self = &outer };
        CHECK_OK(HY_BIND(s, BETA, &outer));
        CHECK_OK(hy_provide(s, &ALPHA_key, &provider));
        HY_SCOPE(below, &err) {
            CHECK_OK(HY_BIND(below, BETA, &inner));
            CHECK_BUILT(ALPHA, &outer);
            CHECK(HY_GET(BETA) == &inner);
        }
        CHECK_OK(err);
    }
    return err;
}
RUN_SIM(a_build_sees_the_context_of_its_scope)

static void ask_again(void *object) {
    (void)object;
    if (kit_failed_allocation()) return; // perhaps that of hy_own itself
    CHECK(HY_GET(ALPHA) == NULL);
}

// What was owned before the build is released after the value is gone, and does not find it.
static hy_err nothing_is_found_after_the_drop(void *unused) {
    (void)unused;
    char story[64] = "";
    plan alpha = { .made = { 'a' }, .story = story }, beta = { .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        CHECK_OK(hy_own(s, story, ask_again, 0));
        CHECK_BUILT(ALPHA, &alpha.made);
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+a-a");
    return HY_OK;
}
RUN_SIM(nothing_is_found_after_the_drop)

static hy_err a_binding_replaces_a_provider(void *unused) {
    (void)unused;
    char story[64] = "";
    part mine = { 'm' };
    plan alpha = { .made = { 'a' }, .story = story }, beta = { .story = story };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(plan_provide(s, &alpha, &beta));
        CHECK_BUILT(ALPHA, &alpha.made);
        CHECK_OK(HY_BIND(s, ALPHA, &mine));
        CHECK(HY_GET(ALPHA) == &mine);
        CHECK_EQ(hy_provide_error(&ALPHA_key), HY_OK);
    }
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(story), "+a-a");
    return HY_OK;
}
RUN_SIM(a_binding_replaces_a_provider)

KIT_TESTS(KIT_TEST(sim_built_once_and_dropped_in_reverse),
          KIT_TEST(sim_what_nobody_asks_for_is_not_built), KIT_TEST(sim_one_may_need_another),
          KIT_TEST(sim_a_failed_build_is_tried_again), KIT_TEST(sim_one_builds_and_the_others_wait),
          KIT_TEST(sim_a_failure_is_everybodys), KIT_TEST(sim_a_cancelled_builder_is_followed),
          KIT_TEST(sim_who_waits_can_be_cancelled), KIT_TEST(sim_asking_for_itself_is_a_deadlock),
          KIT_TEST(sim_a_ring_of_two_builders_is_a_deadlock),
          KIT_TEST(sim_a_fiber_of_the_build_is_the_build),
          KIT_TEST(sim_a_build_has_the_deadline_of_its_scope),
          KIT_TEST(sim_a_build_sees_the_context_of_its_scope),
          KIT_TEST(sim_nothing_is_found_after_the_drop),
          KIT_TEST(sim_a_binding_replaces_a_provider))
