// time_test.c - adding to a point in time: never past its ends, and never back from HY_NEVER.
//
// Deadlines are sums of what callers give; a sum that wrapped would be a deadline in the past, and
// everything that waits for it would end at once.
#include <hypha/base.h>

#include "kit/kit.h"

static hy_err sums_end_at_never(hy_mem *mem) {
    (void)mem;
    CHECK_EQ(hy_ns_add(5, 7), 12);
    CHECK_EQ(hy_ns_add(5, -7), -2);
    CHECK_EQ(hy_ns_add(HY_NEVER - 5, 5), HY_NEVER);
    CHECK_EQ(hy_ns_add(HY_NEVER - 5, 6), HY_NEVER);
    CHECK_EQ(hy_ns_add(1, HY_NEVER), HY_NEVER);
    CHECK_EQ(hy_ns_add(HY_NEVER, -5), HY_NEVER);
    CHECK_EQ(hy_ns_add(-5, HY_NEVER), HY_NEVER - 5);
    CHECK_EQ(hy_ns_add(INT64_MIN, -1), INT64_MIN);
    CHECK_EQ(hy_ns_add(-2, INT64_MIN), INT64_MIN);
    CHECK_EQ(hy_ns_add(0, INT64_MIN), INT64_MIN);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(sums_end_at_never))
