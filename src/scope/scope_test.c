// scope_test.c - scopes: what ends when, and with which error.
//
// All under virtual time; the seed chooses who runs next, so the tests say only what must be true
// in every order.
#include "kit/kit.h"
#include "scope/run_suite.h"

#include <string.h>

static hy_err naps_and_counts(void *arg) {
    hy_err err = hy_sleep(HY_MS(1));
    if (err != HY_OK) return err;
    ++*(int *)arg;
    return HY_OK;
}

// Counts those who were cut short, by any reason but a lack of memory.
static hy_err sleeps_long(void *arg) {
    hy_err err = hy_sleep(HY_SECONDS(1000));
    if (err != HY_OK && err != HY_NOMEM && arg) ++*(int *)arg;
    return err;
}

static hy_err fails(void *arg) {
    (void)arg;
    return HY_IO;
}

// A run in which memory failed is over where the failure has changed what is expected.
#define CHECK_MEMORY()                                                                             \
    do {                                                                                           \
        if (kit_failed_allocation()) return HY_NOMEM;                                              \
    } while (0)

static hy_ns now(void) {
    return hy_world_now(hy_scope_world(hy_scope_current()));
}

// ---- blocks -------------------------------------------------------------------------------------

static hy_err block_waits_for_tasks(void *unused) {
    (void)unused;
    int count = 0;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "block") {
        CHECK(hy_scope_current() == s);
        for (int i = 0; i < 10; i++) {
            CHECK_OK(hy_spawn(s, naps_and_counts, &count, NULL, NULL));
        }
        CHECK_EQ(count, 0);
    }
    CHECK_OK(err);
    CHECK_EQ(count, 10);
    return HY_OK;
}
RUN_SIM(block_waits_for_tasks)
RUN_REAL(block_waits_for_tasks)

static hy_err break_cancels_first(void *unused) {
    (void)unused;
    int cut = 0;
    hy_ns began = now();
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, sleeps_long, &cut, NULL, NULL));
        CHECK_OK(hy_spawn(s, sleeps_long, &cut, NULL, NULL));
        break;
    }
    CHECK_OK(err); // leaving is no error
    CHECK_EQ(cut, 2);
    CHECK(now() - began < HY_SECONDS(1));
    return HY_OK;
}
RUN_SIM(break_cancels_first)
RUN_REAL(break_cancels_first)

static hy_err returns_from_three_blocks(int *cut) {
    HY_SCOPE(a, NULL) {
        CHECK_OK(hy_spawn(a, sleeps_long, cut, NULL, NULL));
        HY_SCOPE(b, NULL) {
            CHECK_OK(hy_spawn(b, sleeps_long, cut, NULL, NULL));
            HY_SCOPE(c, NULL) {
                CHECK_OK(hy_spawn(c, sleeps_long, cut, NULL, NULL));
                return HY_REJECT;
            }
        }
    }
    return HY_OK;
}

static hy_err return_leaves_all_blocks(void *unused) {
    (void)unused;
    int cut = 0;
    hy_scope *outside = hy_scope_current();
    CHECK_ERR(returns_from_three_blocks(&cut), HY_REJECT);
    CHECK(hy_scope_current() == outside);
    CHECK_MEMORY();
    CHECK_EQ(cut, 3);
    return HY_OK;
}
RUN_SIM(return_leaves_all_blocks)

static hy_err the_bodys_error_wins(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
        err = HY_REJECT;
    }
    CHECK_ERR(err, HY_REJECT);
    return HY_OK;
}
RUN_SIM(the_bodys_error_wins)

static hy_err a_body_woken_by_a_failure_gets_the_failure(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
        err = hy_sleep(HY_SECONDS(1000));
        CHECK_ERR(err, HY_CANCELLED);
    }
    CHECK_ERR(err, HY_IO);
    return HY_OK;
}
RUN_SIM(a_body_woken_by_a_failure_gets_the_failure)

static hy_err a_block_opens_where_all_is_cancelled(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    bool ran = false;
    HY_SCOPE(s, &err) {
        hy_scope_cancel(s, HY_REJECT);
        hy_scope_cancel(s, HY_IO); // too late: the first reason stays
        HY_SCOPE(t, &inner) {
            ran = true;
            CHECK_ERR(hy_check(), HY_REJECT);
            CHECK_ERR(hy_spawn(t, fails, NULL, NULL, NULL), HY_REJECT);
        }
        CHECK_ERR(inner, HY_REJECT);
    }
    CHECK(ran);
    CHECK_ERR(err, HY_REJECT);
    return HY_OK;
}
RUN_SIM(a_block_opens_where_all_is_cancelled)

static hy_err nobody_asks_for_the_error(void *unused) {
    (void)unused;
    HY_SCOPE(s, NULL) {
        CHECK_OK(hy_spawn(s, fails, NULL, NULL, NULL));
    }
    return HY_OK;
}
RUN_SIM(nobody_asks_for_the_error)

// ---- deadlines ----------------------------------------------------------------------------------

static hy_err a_timeout_takes_the_subtree(void *unused) {
    (void)unused;
    int cut = 0;
    hy_ns began = now();
    hy_err err = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(2)) {
        CHECK_OK(hy_spawn(s, sleeps_long, &cut, NULL, NULL));
        HY_SCOPE(t, &inner, .timeout = HY_SECONDS(100)) {
            CHECK_EQ(hy_scope_deadline(t), hy_scope_deadline(s)); // it only tightens
            CHECK_OK(hy_spawn(t, sleeps_long, &cut, NULL, NULL));
        }
        CHECK_ERR(inner, HY_TIMEOUT);
        CHECK_ERR(hy_sleep(1), HY_TIMEOUT); // sticky
    }
    CHECK_ERR(err, HY_TIMEOUT);
    CHECK_EQ(cut, 2);
    CHECK(now() - began >= HY_SECONDS(2));
    CHECK(now() - began < HY_SECONDS(3));
    return HY_OK;
}
RUN_SIM(a_timeout_takes_the_subtree)

static hy_err an_inner_timeout_is_the_inner_ones(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(100)) {
        HY_SCOPE(t, &inner, .timeout = HY_SECONDS(1)) {
            inner = hy_sleep(HY_SECONDS(50));
        }
        CHECK_ERR(inner, HY_TIMEOUT);
        CHECK_OK(hy_sleep(HY_SECONDS(1)));
        CHECK_OK(hy_scope_reason(s));
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(an_inner_timeout_is_the_inner_ones)

static hy_err a_deadline_that_has_passed(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .deadline = 1) {
        CHECK_ERR(hy_check(), HY_TIMEOUT);
    }
    CHECK_ERR(err, HY_TIMEOUT);
    return HY_OK;
}
RUN_SIM(a_deadline_that_has_passed)

static hy_err tightening_reaches_below(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK, deep = HY_OK;
    hy_ns began = now();
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(100)) {
        HY_SCOPE(t, &inner, .timeout = HY_SECONDS(50)) {
            HY_SCOPE(u, &deep) {
                CHECK_OK(hy_scope_tighten(s, began + HY_SECONDS(200))); // never grows
                CHECK_EQ(hy_scope_deadline(s), began + HY_SECONDS(100));
                CHECK_OK(hy_scope_tighten(s, began + HY_SECONDS(3)));
                CHECK_EQ(hy_scope_deadline(u), began + HY_SECONDS(3));
                deep = hy_sleep(HY_SECONDS(20));
            }
        }
    }
    CHECK_MEMORY();
    CHECK_ERR(deep, HY_TIMEOUT);
    CHECK_ERR(inner, HY_TIMEOUT);
    CHECK_ERR(err, HY_TIMEOUT);
    CHECK(now() - began < HY_SECONDS(4));
    return HY_OK;
}
RUN_SIM(tightening_reaches_below)

// ---- shields ------------------------------------------------------------------------------------

static hy_err a_shield_gives_time(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    hy_ns began = now();
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(1)) {
        HY_SCOPE(t, &inner, .shield = HY_SECONDS(5)) {
            CHECK_EQ(hy_scope_deadline(t), hy_scope_deadline(s) + HY_SECONDS(5));
            CHECK_OK(hy_sleep(HY_SECONDS(3)));
            CHECK_ERR(hy_scope_reason(s), HY_TIMEOUT);
            inner = hy_sleep(HY_SECONDS(30));
        }
        CHECK_ERR(inner, HY_TIMEOUT);
    }
    CHECK_ERR(err, HY_TIMEOUT);
    CHECK(now() - began >= HY_SECONDS(6));
    CHECK(now() - began < HY_SECONDS(7));
    return HY_OK;
}
RUN_SIM(a_shield_gives_time)

static hy_err a_shield_where_all_is_cancelled(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &err) {
        hy_scope_cancel(s, HY_REJECT);
        HY_SCOPE(t, &inner, .shield = HY_SECONDS(5)) {
            CHECK_MEMORY(); // no memory for its timer: no shield
            CHECK_OK(hy_sleep(HY_SECONDS(4)));
            CHECK_ERR(hy_sleep(HY_SECONDS(4)), HY_REJECT);
        }
        CHECK_ERR(inner, HY_REJECT);
        inner = HY_OK;
        HY_SCOPE(t, &inner, .shield = HY_NEVER, .timeout = HY_SECONDS(9)) {
            CHECK_OK(hy_sleep(HY_SECONDS(8)));
            CHECK_ERR(hy_sleep(HY_SECONDS(8)), HY_TIMEOUT); // its own
        }
        CHECK_ERR(inner, HY_TIMEOUT);
    }
    CHECK_ERR(err, HY_REJECT);
    return HY_OK;
}
RUN_SIM(a_shield_where_all_is_cancelled)

static hy_err a_shield_can_be_cancelled_itself(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .shield = HY_NEVER) {
        hy_scope_cancel(s, HY_REJECT);
        CHECK_ERR(hy_yield(), HY_REJECT);
    }
    CHECK_ERR(err, HY_REJECT);
    return HY_OK;
}
RUN_SIM(a_shield_can_be_cancelled_itself)

// ---- the dynamic form ---------------------------------------------------------------------------

static char order[64];

static void note_a(void *object) {
    (void)object;
    strcat(order, "a");
}
static void note_b(void *object) {
    (void)object;
    strcat(order, "b");
}
static void note_c(void *object) {
    (void)object;
    strcat(order, "c");
}

static hy_err a_parent_closes_in_reverse_order(void *unused) {
    (void)unused;
    order[0] = '\0';
    hy_err err = HY_OK;
    bool all = false;
    HY_SCOPE(s, &err) {
        hy_scope *a = NULL, *b = NULL, *c = NULL;
        CHECK_OK(hy_own(s, order, note_a, 0));
        CHECK_OK(hy_scope_open(s, NULL, &a));
        CHECK_OK(hy_scope_open(s, NULL, &b));
        CHECK_OK(hy_scope_open(a, NULL, &c));
        CHECK_OK(hy_own(a, order, note_a, 0));
        CHECK_OK(hy_own(b, order, note_b, 0));
        CHECK_OK(hy_own(c, order, note_c, 0));
        all = true;
    }
    CHECK_OK(err);
    CHECK(all);
    CHECK(strcmp(order, "bcaa") == 0);
    return HY_OK;
}
RUN_SIM(a_parent_closes_in_reverse_order)

static hy_err an_error_that_nobody_took_is_judged(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_scope *a = NULL;
        CHECK_OK(hy_scope_open(s, NULL, &a));
        CHECK_OK(hy_spawn(a, fails, NULL, NULL, NULL));
    }
    CHECK_ERR(err, HY_IO);
    err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        hy_scope *a = NULL;
        CHECK_OK(hy_scope_open(s, NULL, &a));
        CHECK_OK(hy_spawn(a, fails, NULL, NULL, NULL));
    }
    CHECK_OK(err);
    HY_SCOPE(s, &err) {
        hy_scope *a = NULL;
        CHECK_OK(hy_scope_open(s, NULL, &a));
        hy_scope_cancel(a, HY_REJECT); // what was told to end is held against nobody
    }
    CHECK_OK(err);
    return HY_OK;
}
RUN_SIM(an_error_that_nobody_took_is_judged)

static hy_err close_gives_the_error_and_frees(void *unused) {
    (void)unused;
    static int cut;
    cut = 0;
    hy_scope *a = NULL;
    CHECK_OK(hy_scope_open(NULL, HY_OPTIONS(hy_scope, .policy = hy_collect), &a));
    CHECK_OK(hy_spawn(a, fails, NULL, NULL, NULL));
    CHECK_ERR(hy_scope_join(a), HY_IO);
    CHECK_OK(hy_spawn(a, sleeps_long, &cut, NULL, NULL)); // it goes on: only collecting
    CHECK_ERR(hy_scope_close(a), HY_IO);
    CHECK_EQ(cut, 1);
    return HY_OK;
}
RUN_SIM(close_gives_the_error_and_frees)

static hy_err closes_it(void *arg) {
    if (kit_failed_allocation()) return HY_NOMEM; // it may have been closed already
    (void)hy_scope_close((hy_scope *)arg);
    return HY_OK;
}

static hy_err slow_end(void *arg) {
    (void)arg;
    HY_SCOPE(s, NULL, .shield = HY_SECONDS(3)) {
        hy_err err = hy_sleep(HY_SECONDS(2));
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err two_close_one_joins(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_scope *a = NULL;
        CHECK_OK(hy_scope_open(s, NULL, &a));
        CHECK_OK(hy_spawn(a, slow_end, NULL, NULL, NULL));
        hy_err spawned = hy_spawn(s, closes_it, a, NULL, NULL);
        hy_err yielded = spawned == HY_OK ? hy_yield() : HY_OK;
        CHECK_MEMORY(); // it may have been closed already
        CHECK_OK(yielded);
        hy_err closed = hy_scope_close(a);
        if (spawned != HY_OK) return spawned;
        CHECK_OK(closed);
    }
    return err;
}
RUN_SIM(two_close_one_joins)

static hy_err a_scope_that_somebody_closes_is_waited_for(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &err) {
        HY_SCOPE(t, &inner) {
            hy_scope *a = NULL;
            CHECK_OK(hy_scope_open(t, NULL, &a));
            CHECK_OK(hy_spawn(a, slow_end, NULL, NULL, NULL));
            CHECK_OK(hy_spawn(s, closes_it, a, NULL, NULL));
            CHECK_OK(hy_sleep(HY_MS(100)));
        }
    }
    CHECK_OK(inner);
    return err;
}
RUN_SIM(a_scope_that_somebody_closes_is_waited_for)

static hy_err closes_its_owner(void *arg) {
    CHECK_ERR(hy_scope_join((hy_scope *)arg), HY_DEADLOCK);
    CHECK_ERR(hy_scope_close((hy_scope *)arg), HY_BUSY);
    CHECK(hy_draining());
    return HY_OK;
}

static void takes_a_second(void *object) {
    *(hy_err *)object = hy_sleep(HY_SECONDS(1));
}

typedef struct late {
    hy_scope *into;
    hy_err got;
} late;

static hy_err spawns_late(void *arg) {
    late *l = (late *)arg;
    hy_err err = hy_sleep(HY_MS(500));
    if (kit_failed_allocation()) return HY_NOMEM; // it may have been closed already
    if (err == HY_OK) l->got = hy_spawn(l->into, sleeps_long, NULL, NULL, NULL);
    return err;
}

// While the last of its scopes is being closed, the first one is as closed as its parent.
static hy_err nothing_begins_below_an_ending_scope(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK, released = HY_OK;
    late l = { 0 };
    HY_SCOPE(s, &err) {
        HY_SCOPE(t, &inner) {
            hy_scope *last = NULL;
            CHECK_OK(hy_scope_open(t, NULL, &l.into));
            CHECK_OK(hy_scope_open(t, NULL, &last));
            CHECK_OK(hy_own(last, &released, takes_a_second, 0));
            CHECK_OK(hy_spawn(s, spawns_late, &l, NULL, NULL));
        }
    }
    CHECK_OK(inner);
    CHECK_OK(err);
    CHECK_MEMORY();
    CHECK_ERR(l.got, HY_CLOSED);
    return HY_OK;
}
RUN_SIM(nothing_begins_below_an_ending_scope)

static hy_err closing_from_inside_is_a_stop(void *unused) {
    (void)unused;
    int count = 0;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, closes_its_owner, s, NULL, NULL));
        HY_SCOPE(t, NULL) {
            CHECK_ERR(hy_scope_join(s), HY_DEADLOCK);
        }
        hy_err joined = hy_scope_join(s); // its own block: that waits for the others
        CHECK_MEMORY();                   // no memory for a stop: it is a cancel
        CHECK_OK(joined);
        CHECK(hy_draining());
        CHECK_ERR(hy_spawn(s, fails, NULL, NULL, NULL), HY_CLOSED);
        hy_scope *a = NULL;
        CHECK_ERR(hy_scope_open(s, NULL, &a), HY_CLOSED);
        HY_SCOPE(t, NULL) { // a block below may still spawn what it needs to finish
            CHECK_OK(hy_spawn(t, naps_and_counts, &count, NULL, NULL));
        }
    }
    return err;
}
RUN_SIM(closing_from_inside_is_a_stop)

typedef struct pair {
    hy_scope *own, *other;
    hy_err got;
} pair;

static hy_err closes_the_other(void *arg) {
    pair *p = (pair *)arg;
    if (kit_failed_allocation()) return HY_NOMEM; // it may have been closed already
    p->got = hy_scope_close(p->other);
    return HY_OK;
}

// Each closes the scope that the next one is in: who closes the ring is told that he cannot wait.
static hy_err ring_of(int count) {
    hy_err err = HY_OK;
    pair all[3] = { 0 };
    HY_SCOPE(s, &err) {
        for (int i = 0; i < count; i++) {
            CHECK_OK(hy_scope_open(s, NULL, &all[i].own));
        }
        for (int i = 0; i < count; i++) {
            all[i].other = all[(i + 1) % count].own;
            CHECK_OK(hy_spawn(all[i].own, closes_the_other, &all[i], NULL, NULL));
        }
    }
    CHECK_OK(err);
    int refused = 0;
    for (int i = 0; i < count; i++) {
        refused += all[i].got == HY_BUSY;
    }
    CHECK_EQ(refused, 1);
    return HY_OK;
}

static hy_err rings_of_closers_are_broken(void *unused) {
    (void)unused;
    hy_err err = ring_of(2);
    return err == HY_OK ? ring_of(3) : err;
}
RUN_SIM(rings_of_closers_are_broken)

static hy_err closes_others_block(void *arg) {
    if (kit_failed_allocation()) return HY_NOMEM; // the block may have ended
    CHECK_ERR(hy_scope_close((hy_scope *)arg), HY_CANCELLED);
    return HY_OK;
}

static hy_err anothers_block_is_cancelled_and_waited_for(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &err) {
        HY_SCOPE(t, &inner) {
            CHECK_OK(hy_spawn(s, closes_others_block, t, NULL, NULL));
            inner = hy_sleep(HY_SECONDS(1000));
        }
        CHECK_ERR(inner, HY_CANCELLED);
    }
    return err;
}
RUN_SIM(anothers_block_is_cancelled_and_waited_for)

static hy_err joins_with_a_deadline(void *unused) {
    (void)unused;
    hy_scope *a = NULL;
    static int cut;
    cut = 0;
    CHECK_OK(hy_scope_open(NULL, NULL, &a));
    CHECK_OK(hy_spawn(a, sleeps_long, &cut, NULL, NULL));
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(1)) {
        err = hy_scope_join(a);
    }
    CHECK_ERR(err, HY_TIMEOUT);
    CHECK_EQ(cut, 0); // the join was cancelled, not what it waited for
    CHECK_OK(hy_scope_close(a));
    CHECK_EQ(cut, 1);
    return HY_OK;
}
RUN_SIM(joins_with_a_deadline)

static hy_err a_deep_chain_needs_no_deep_stack(void *unused) {
    (void)unused;
    hy_scope *first = NULL, *at = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &first));
    at = first;
    for (int i = 0; i < 20000; i++) {
        CHECK_OK(hy_scope_open(at, NULL, &at));
    }
    CHECK_OK(hy_spawn(at, sleeps_long, NULL, NULL, NULL));
    CHECK_OK(hy_yield());
    CHECK_OK(hy_yield());
    CHECK_OK(hy_scope_close(first));
    return HY_OK;
}
RUN_SIM(a_deep_chain_needs_no_deep_stack)

static hy_err the_root_gives_what_the_body_returned(void *unused) {
    (void)unused;
    CHECK_OK(hy_spawn(NULL, sleeps_long, NULL, NULL, NULL));
    return HY_REJECT;
}

static hy_err errors_of_the_root(hy_mem *mem) {
    CHECK_ERR(run_in_sim(mem, the_root_gives_what_the_body_returned, NULL), HY_REJECT);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(sim_block_waits_for_tasks), KIT_TEST(real_block_waits_for_tasks),
          KIT_TEST(sim_break_cancels_first), KIT_TEST(real_break_cancels_first),
          KIT_TEST(sim_return_leaves_all_blocks), KIT_TEST(sim_the_bodys_error_wins),
          KIT_TEST(sim_a_body_woken_by_a_failure_gets_the_failure),
          KIT_TEST(sim_a_block_opens_where_all_is_cancelled),
          KIT_TEST(sim_nobody_asks_for_the_error), KIT_TEST(sim_a_timeout_takes_the_subtree),
          KIT_TEST(sim_an_inner_timeout_is_the_inner_ones),
          KIT_TEST(sim_a_deadline_that_has_passed), KIT_TEST(sim_tightening_reaches_below),
          KIT_TEST(sim_a_shield_gives_time), KIT_TEST(sim_a_shield_where_all_is_cancelled),
          KIT_TEST(sim_a_shield_can_be_cancelled_itself),
          KIT_TEST(sim_a_parent_closes_in_reverse_order),
          KIT_TEST(sim_an_error_that_nobody_took_is_judged),
          KIT_TEST(sim_close_gives_the_error_and_frees), KIT_TEST(sim_two_close_one_joins),
          KIT_TEST(sim_a_scope_that_somebody_closes_is_waited_for),
          KIT_TEST(sim_nothing_begins_below_an_ending_scope),
          KIT_TEST(sim_closing_from_inside_is_a_stop),
          KIT_TEST(sim_anothers_block_is_cancelled_and_waited_for),
          KIT_TEST(sim_rings_of_closers_are_broken), KIT_TEST(sim_joins_with_a_deadline),
          KIT_TEST_ONCE(sim_a_deep_chain_needs_no_deep_stack), KIT_TEST(errors_of_the_root))
