// storm_test.c - a few random trees, with a blow at every call that may wait.
//
// storm_sweep_test.c does the same for thousands.
#include "kit/kit.h"
#include "scope/storm_suite.h"

static hy_err storms_end_well(hy_mem *mem) {
    uint64_t dice = kit_seed();
    uint32_t tasks = 0, scopes = 0, resources = 0;
    for (int i = 0; i < 40; i++) {
        storm_report report;
        CHECK_OK(storm_run(mem, &(storm_plan){ .seed = kit_random(&dice) }, &report));
        tasks += report.tasks;
        scopes += report.scopes;
        resources += report.resources;
    }
    CHECK(tasks > 400); // else it was no storm
    CHECK(scopes > 400);
    CHECK(resources > 40);
    return HY_OK;
}

static hy_err a_seed_gives_one_trace(hy_mem *mem) {
    uint64_t dice = kit_seed();
    for (int i = 0; i < 10; i++) {
        storm_report once, again, other;
        uint64_t seed = kit_random(&dice);
        CHECK_OK(storm_run(mem, &(storm_plan){ .seed = seed }, &once));
        CHECK_OK(storm_run(mem, &(storm_plan){ .seed = seed }, &again));
        CHECK_OK(storm_run(mem, &(storm_plan){ .seed = seed + 1 }, &other));
        CHECK_EQ(once.digest, again.digest);
        CHECK(once.digest != other.digest);
    }
    return HY_OK;
}

static hy_err a_blow_at_every_call(hy_mem *mem) {
    uint64_t dice = kit_seed() + 1;
    for (int i = 0; i < 3; i++) {
        storm_plan plan = { .seed = kit_random(&dice) };
        storm_report calm, report;
        CHECK_OK(storm_run(mem, &plan, &calm));
        for (plan.blow = STORM_FAIL; plan.blow < STORM_BLOWS; plan.blow++) {
            for (plan.at = 1; plan.at <= calm.calls; plan.at++) {
                CHECK_OK(storm_run(mem, &plan, &report));
            }
        }
    }
    return HY_OK;
}

static hy_err a_storm_without_memory(hy_mem *mem) {
    storm_report report;
    CHECK_OK(storm_run(mem, &(storm_plan){ .seed = kit_seed() * 3 }, &report));
    return report.err == HY_NOMEM ? HY_NOMEM : HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(storms_end_well), KIT_TEST_ONCE(a_seed_gives_one_trace),
          KIT_TEST_ONCE(a_blow_at_every_call), KIT_TEST(a_storm_without_memory))
