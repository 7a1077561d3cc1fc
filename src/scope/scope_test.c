// scope_test.c - the tree: what ends when, and with which error.
//
// All under virtual time; the seed chooses who runs next, so the tests say only what must be true
// in every order.
#include "kit/kit.h"
#include "scope/run_suite.h"

static hy_err naps_and_counts(void *arg) {
    hy_err err = hy_sleep(HY_MS(1));
    if (err != HY_OK) return err;
    ++*(int *)arg;
    return HY_OK;
}

// ---- blocks -------------------------------------------------------------------------------------

static hy_err block_waits_for_tasks(void *unused) {
    (void)unused;
    int count = 0;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "block") {
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

KIT_TESTS(KIT_TEST(sim_block_waits_for_tasks), KIT_TEST(real_block_waits_for_tasks))
