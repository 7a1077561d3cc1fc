// works_test.c - limits, order and turns of waiting work.
//
// Without a thread, so that what starts next is decided by the test alone. What real threads make
// of it is in real_test.c.
#include "kit/kit.h"
#include "world/works.h"

#include <string.h>

static hy_work of_kind(hy_work_kind kind) {
    return (hy_work){ .kind = kind };
}

static hy_err a_kind_runs_in_order_and_up_to_its_limit(hy_mem *mem) {
    (void)mem;
    hyi_works works;
    hyi_works_init(&works, (uint32_t[HY_WORK_KINDS]){ [HY_WORK_DISK] = 2 }, 0);
    hy_work w[4];
    for (size_t i = 0; i < 4; i++) {
        w[i] = of_kind(HY_WORK_DISK);
        CHECK_OK(hyi_works_add(&works, &w[i]));
    }
    CHECK_EQ(hyi_works_startable(&works), 2);
    CHECK(hyi_works_take(&works) == &w[0]);
    CHECK(hyi_works_take(&works) == &w[1]);
    CHECK(hyi_works_take(&works) == NULL);
    hyi_works_leave(&works, HY_WORK_DISK);
    CHECK(hyi_works_take(&works) == &w[2]);
    CHECK(hyi_works_take(&works) == NULL);
    return HY_OK;
}

static hy_err a_long_queue_of_one_kind_holds_up_no_other(hy_mem *mem) {
    (void)mem;
    hyi_works works;
    hyi_works_init(&works, (uint32_t[HY_WORK_KINDS]){ 8, 8, 8, 8, 8 }, 3);
    hy_work dns[4], disk = of_kind(HY_WORK_DISK);
    for (size_t i = 0; i < 4; i++) {
        dns[i] = of_kind(HY_WORK_DNS);
        CHECK_EQ(hyi_works_add(&works, &dns[i]), i < 3 ? HY_OK : HY_LIMIT);
    }
    CHECK_OK(hyi_works_add(&works, &disk)); // each kind has room of its own
    CHECK_EQ(hyi_works_startable(&works), 4);
    CHECK(hyi_works_take(&works) == &disk);
    CHECK(hyi_works_take(&works) == &dns[0]);
    disk = of_kind(HY_WORK_DISK);
    CHECK_OK(hyi_works_add(&works, &disk));
    hy_work sqlite = of_kind(HY_WORK_SQLITE);
    CHECK_OK(hyi_works_add(&works, &sqlite));
    CHECK(hyi_works_take(&works) == &sqlite); // in turns
    CHECK(hyi_works_take(&works) == &disk);
    CHECK(hyi_works_take(&works) == &dns[1]);
    return HY_OK;
}

static hy_err any_of_those_that_wait_can_be_removed(hy_mem *mem) {
    (void)mem;
    for (size_t gone = 0; gone < 3; gone++) {
        hyi_works works;
        hyi_works_init(&works, (uint32_t[HY_WORK_KINDS]){ 0 }, 0);
        hy_work w[3] = { { .kind = 0 } };
        for (size_t i = 0; i < 3; i++)
            CHECK_OK(hyi_works_add(&works, &w[i]));
        hyi_works_remove(&works, &w[gone]);
        CHECK_EQ(hyi_works_state(&works, &w[gone]), HYI_WORK_OUT);
        CHECK(hyi_works_take(&works) == &w[gone == 0 ? 1 : 0]);
        CHECK_OK(hyi_works_add(&works, &w[gone])); // now the last
        CHECK(hyi_works_take(&works) == &w[gone == 2 ? 1 : 2]);
        CHECK(hyi_works_take(&works) == &w[gone]);
        CHECK_EQ(hyi_works_state(&works, &w[gone]), HYI_WORK_TAKEN);
        CHECK(hyi_works_take(&works) == NULL);
    }
    return HY_OK;
}

static hy_err what_was_forgotten_is_not_known(hy_mem *mem) {
    (void)mem;
    hyi_works works;
    hyi_works_init(&works, (uint32_t[HY_WORK_KINDS]){ 0 }, 0);
    hy_work old = of_kind(HY_WORK_ANY), fresh = of_kind(HY_WORK_ANY);
    CHECK_OK(hyi_works_add(&works, &old));
    hyi_works_forget(&works);
    CHECK(!hyi_works_knows(&works, &old));
    CHECK(hyi_works_take(&works) == NULL);
    CHECK_OK(hyi_works_add(&works, &fresh));
    CHECK(hyi_works_knows(&works, &fresh));
    CHECK(hyi_works_take(&works) == &fresh);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(a_kind_runs_in_order_and_up_to_its_limit),
          KIT_TEST(a_long_queue_of_one_kind_holds_up_no_other),
          KIT_TEST(any_of_those_that_wait_can_be_removed),
          KIT_TEST(what_was_forgotten_is_not_known))
