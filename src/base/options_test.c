// options_test.c - options of an older header are completed, those of a newer one refused.
//
// The struct grew by one field; a program that does not know of it gives fewer bytes, and what lies
// behind them in its memory must not be read.
#include "base/options.h"

#include "kit/kit.h"

typedef struct old_options {
    size_t size;
    uint64_t limit;
} old_options;

typedef struct new_options {
    size_t size;
    uint64_t limit;
    uint64_t added;
} new_options;

static hy_err older_options_are_completed(hy_mem *mem) {
    (void)mem;
    struct {
        old_options given;
        uint64_t behind;
    } caller = { { sizeof(old_options), 7 }, 99 };
    new_options read;
    hyi_options_read(&read, sizeof read, &caller.given);
    CHECK_EQ(read.size, sizeof read);
    CHECK_EQ(read.limit, 7);
    CHECK_EQ(read.added, 0);
    hyi_options_read(&read, sizeof read, NULL);
    CHECK_EQ(read.size, sizeof read);
    CHECK_EQ(read.limit, 0);
    return HY_OK;
}

static void read_newer(void *unused) {
    (void)unused;
    new_options given = { sizeof given, 1, 2 };
    old_options read;
    hyi_options_read(&read, sizeof read, &given);
}

static hy_err newer_options_are_refused(hy_mem *mem) {
    (void)mem;
    CHECK(kit_death(read_newer, NULL));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(older_options_are_completed), KIT_TEST_ONCE(newer_options_are_refused))
