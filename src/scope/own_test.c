// own_test.c - resources: every one is released, once, in reverse order, within its limit.
//
// Each thing writes its letter when it is released, so an order is a word. Limits are looked at by
// the virtual clock: a release that would sleep for a thousand seconds says how long it was let.
#include "kit/kit.h"
#include "scope/run_suite.h"

#include <string.h>

#define CHECK_MEMORY()                                                                             \
    do {                                                                                           \
        if (kit_failed_allocation()) return HY_NOMEM;                                              \
    } while (0)

typedef struct thing {
    char letter;
    hy_ns takes; // to release
    hy_err err;  // of that wait
    hy_ns took;
} thing;

static char order[32];

static hy_ns now(void) {
    return hy_world_now(hy_scope_world(hy_scope_current()));
}

static void release(void *object) {
    thing *t = (thing *)object;
    strncat(order, &t->letter, 1);
    if (t->takes == 0) return;
    hy_ns began = now();
    t->err = hy_sleep(t->takes);
    t->took = now() - began;
}

static hy_err acquire(hy_scope *scope, thing *t, hy_ns max) {
    return hy_own(scope, t, release, max);
}

static hy_err reverse_order(void *unused) {
    (void)unused;
    thing a = { .letter = 'a' }, b = { .letter = 'b' }, c = { .letter = 'c' };
    order[0] = '\0';
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(acquire(s, &a, 0));
        CHECK_OK(acquire(s, &b, 0));
        CHECK_OK(acquire(s, &c, 0));
    }
    CHECK(strcmp(order, "cba") == 0);
    return err;
}
RUN_SIM(reverse_order)
RUN_REAL(reverse_order)

// The third of five does not open: the two before it are released, the two after never were.
static hy_err opens_five(thing *things) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (int i = 0; i < 5; i++) {
            things[i].letter = (char)('a' + i);
            if (i == 2) return HY_IO;
            CHECK_OK(acquire(s, &things[i], 0));
        }
    }
    return err;
}

static hy_err the_third_of_five_fails(void *unused) {
    (void)unused;
    thing things[5] = { 0 };
    order[0] = '\0';
    CHECK_ERR(opens_five(things), HY_IO);
    CHECK(strcmp(order, "ba") == 0);
    return HY_OK;
}
RUN_SIM(the_third_of_five_fails)

static hy_err what_cannot_be_owned_is_released(void *unused) {
    (void)unused;
    thing a = { .letter = 'a' };
    order[0] = '\0';
    hy_err err = HY_OK, owned = HY_OK;
    HY_SCOPE(s, &err) {
        owned = acquire(s, &a, 0);
        CHECK_EQ(strlen(order), owned == HY_OK ? 0 : 1);
    }
    CHECK(strcmp(order, "a") == 0);
    CHECK_OK(owned);
    return err;
}
RUN_SIM(what_cannot_be_owned_is_released)

static hy_scope *closing;
static void owns_more(void *object) {
    hy_err err = hy_own(closing, object, release, 0);
    CHECK(err == HY_CLOSED || kit_failed_allocation());
    strcat(order, "!");
}

static hy_err an_ending_scope_releases_at_once(void *unused) {
    (void)unused;
    thing a = { .letter = 'a' };
    order[0] = '\0';
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        closing = s;
        CHECK_OK(hy_own(s, &a, owns_more, 0));
    }
    CHECK_MEMORY();
    CHECK(strcmp(order, "a!") == 0);
    return err;
}
RUN_SIM(an_ending_scope_releases_at_once)

static hy_err each_has_its_limit(void *unused) {
    (void)unused;
    thing a = { .letter = 'a', .takes = HY_SECONDS(1) };
    thing b = { .letter = 'b', .takes = HY_SECONDS(1000) };
    thing c = { .letter = 'c', .takes = HY_SECONDS(1000) };
    order[0] = '\0';
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .stop_max = HY_SECONDS(30)) {
        CHECK_OK(acquire(s, &a, HY_SECONDS(5)));
        CHECK_OK(acquire(s, &b, HY_SECONDS(2)));
        CHECK_OK(acquire(s, &c, 0)); // a third of the scope's 30 s
        hy_scope_cancel(s, HY_REJECT);
    }
    CHECK(err == HY_NOMEM || strcmp(order, "cba") == 0);
    CHECK_MEMORY();
    CHECK_ERR(err, HY_REJECT);
    CHECK_OK(a.err);
    CHECK_ERR(b.err, HY_TIMEOUT);
    CHECK(b.took >= HY_SECONDS(2) && b.took < HY_SECONDS(3));
    CHECK_ERR(c.err, HY_TIMEOUT);
    CHECK(c.took >= HY_SECONDS(10) && c.took < HY_SECONDS(11));
    return HY_OK;
}
RUN_SIM(each_has_its_limit)

static hy_err sleeps_long(void *arg) {
    hy_err err = hy_sleep(HY_SECONDS(1000));
    ++*(int *)arg;
    return err;
}

static int cut;
static void spawns(void *object) {
    strcat(order, "s");
    hy_err err = hy_spawn(NULL, sleeps_long, &cut, NULL, NULL);
    if (err == HY_OK) err = hy_sleep(HY_MS(1));
    *(hy_err *)object = err;
}

static hy_err a_release_may_spawn(void *unused) {
    (void)unused;
    order[0] = '\0';
    cut = 0;
    hy_err err = HY_OK, released = HY_REJECT;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_own(s, &released, spawns, HY_SECONDS(1)));
    }
    CHECK_OK(err);
    CHECK_MEMORY();
    CHECK_OK(released);
    CHECK_EQ(cut, 1); // it left the task behind, and the task was cancelled
    return HY_OK;
}
RUN_SIM(a_release_may_spawn)

static hy_err release_and_disown(void *unused) {
    (void)unused;
    thing a = { .letter = 'a' }, b = { .letter = 'b' }, c = { .letter = 'c' };
    order[0] = '\0';
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(acquire(s, &a, 0));
        CHECK_OK(acquire(s, &b, 0));
        CHECK_OK(acquire(s, &c, 0));
        CHECK_OK(hy_release(s, &b));
        CHECK(strcmp(order, "b") == 0);
        CHECK_ERR(hy_release(s, &b), HY_NOT_FOUND);
        CHECK_OK(hy_disown(s, &c));
        CHECK_ERR(hy_disown(s, &c), HY_NOT_FOUND);
    }
    CHECK(strcmp(order, "ba") == 0);
    return err;
}
RUN_SIM(release_and_disown)

static hy_err fails(void *arg) {
    (void)arg;
    return HY_IO;
}

static void releases_another(void *object) {
    thing *other = (thing *)object;
    strcat(order, "r");
    CHECK_EQ(hy_release(closing, other), HY_OK);
}

static hy_err a_release_may_release_others(void *unused) {
    (void)unused;
    thing a = { .letter = 'a' }, b = { .letter = 'b' };
    order[0] = '\0';
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        closing = s;
        CHECK_OK(acquire(s, &a, 0));
        CHECK_OK(acquire(s, &b, 0));
        CHECK_OK(hy_own(s, &a, releases_another, 0)); // the latest owned `a` is then the first
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
    }
    CHECK_ERR(err, HY_IO);
    CHECK(strcmp(order, "rab") == 0);
    return HY_OK;
}
RUN_SIM(a_release_may_release_others)

KIT_TESTS(KIT_TEST(sim_reverse_order), KIT_TEST(real_reverse_order),
          KIT_TEST(sim_the_third_of_five_fails), KIT_TEST(sim_what_cannot_be_owned_is_released),
          KIT_TEST(sim_an_ending_scope_releases_at_once), KIT_TEST(sim_each_has_its_limit),
          KIT_TEST(sim_a_release_may_spawn), KIT_TEST(sim_release_and_disown),
          KIT_TEST(sim_a_release_may_release_others))
