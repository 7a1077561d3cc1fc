// haiway_defects_test.c - what Haiway gets wrong, and Hypha must not.
//
// The numbers are those of section 1.8 of the scopes' specification; docs/HAIWAY.md has the rest.
#include "scope/run_suite.h"
#include "kit/kit.h"

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

KIT_TESTS(KIT_TEST(sim_item_3_no_task_sees_values_that_end_before_it))
