// soak_test.c - a million children in one parent.
//
// In every build, since a leak of one record a child is the defect that Haiway has with its scopes;
// storm_sweep_test.c runs ten million.
#include "kit/kit.h"
#include "scope/soak_suite.h"

static hy_err a_long_lived_parent_does_not_grow(hy_mem *mem) {
    return soak_run(mem, 1000000);
}

KIT_TESTS(KIT_TEST_ONCE(a_long_lived_parent_does_not_grow))
