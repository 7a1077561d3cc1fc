// storm_sweep_test.c - thousands of random trees, and ten million children in one parent.
//
// What storm_test.c does for a few seeds and soak_test.c for a million children.
#include "kit/kit.h"
#include "scope/soak_suite.h"
#include "scope/storm_suite.h"

static hy_err thousands_of_storms(hy_mem *mem) {
    uint64_t dice = kit_seed() + 2;
    storm_report report;
    for (int i = 0; i < 20000; i++) {
        storm_plan plan = { .seed = kit_random(&dice) };
        plan.blow = (storm_blow)(plan.seed % STORM_BLOWS);
        plan.at = 1 + (uint32_t)(plan.seed >> 32) % 80;
        CHECK_OK(storm_run(mem, &plan, &report));
    }
    return HY_OK;
}

static hy_err every_blow_at_every_call(hy_mem *mem) {
    uint64_t dice = kit_seed() + 3;
    storm_report calm, report;
    for (int i = 0; i < 60; i++) {
        storm_plan plan = { .seed = kit_random(&dice) };
        CHECK_OK(storm_run(mem, &plan, &calm));
        for (plan.blow = STORM_FAIL; plan.blow < STORM_BLOWS; plan.blow++) {
            for (plan.at = 1; plan.at <= calm.calls; plan.at++) {
                CHECK_OK(storm_run(mem, &plan, &report));
            }
        }
    }
    return HY_OK;
}

static hy_err ten_million_children(hy_mem *mem) {
    return soak_run(mem, 10000000);
}

KIT_TESTS(KIT_TEST_ONCE(thousands_of_storms), KIT_TEST_ONCE(every_blow_at_every_call),
          KIT_TEST_ONCE(ten_million_children))
