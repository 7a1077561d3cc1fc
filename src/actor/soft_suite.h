// soft_suite.h - checks of what somebody else may have had no memory for.   Room: actor (tests).
// Includes: the kit.
//
// When the kit makes an allocation fail, it may be an actor's, which then fails, and whoever asks
// it is told HY_CLOSED or HY_NOT_FOUND. Such a run ends there, with HY_NOMEM.
#ifndef HYI_ACTOR_SOFT_SUITE_H
#define HYI_ACTOR_SOFT_SUITE_H

#include "kit/kit.h"

#define SOFT_ERR(err, expected)                                                                    \
    do {                                                                                           \
        hy_err soft_got = (err);                                                                   \
        if (soft_got != (expected) && kit_failed_allocation()) return HY_NOMEM;                    \
        CHECK_ERR(soft_got, expected);                                                             \
    } while (0)
#define SOFT_OK(err) SOFT_ERR(err, HY_OK)
#define SOFT_EQ(a, b)                                                                              \
    do {                                                                                           \
        if ((a) != (b) && kit_failed_allocation()) return HY_NOMEM;                                \
        CHECK_EQ(a, b);                                                                            \
    } while (0)

#endif
