// guard_test.c - an unannounced write is caught, an announced one is not.
//
// The faults happen in children (kit_death), which start without signal handlers: each of them asks
// for the guard anew, and so these tests also prove that the handler is put back when it was lost.
#include "kit/kit.h"

#include <hypha/world.h>

#include <signal.h>
#include <string.h>

static hy_err pages_are_clear_and_can_be_opened_again(hy_mem *mem) {
    (void)mem;
    hy_guard *guard = hy_guard_pages();
    size_t size = 3 * HY_GUARD_PAGE;
    uint8_t *pages = (uint8_t *)guard->map(guard, size);
    uint8_t *others = (uint8_t *)guard->map(guard, HY_GUARD_PAGE);
    CHECK(pages != NULL);
    CHECK(others != NULL);
    for (size_t i = 0; i < size; i++)
        CHECK_EQ(pages[i], 0);
    guard->protect(guard, pages, size, false);
    CHECK_EQ(pages[size - 1], 0); // reading is always fine
    guard->protect(guard, pages + HY_GUARD_PAGE, HY_GUARD_PAGE, true);
    memset(pages + HY_GUARD_PAGE, 7, HY_GUARD_PAGE);
    others[0] = 1;
    guard->unmap(guard, pages, size);
    guard->unmap(guard, others, HY_GUARD_PAGE);
    guard->unmap(guard, NULL, 0);
    return HY_OK;
}

// Asks for the guard in the child: a death test starts with all signal handlers taken back.
static void write_without_opening(void *arg) {
    hy_guard *guard = hy_guard_pages();
    volatile uint8_t *pages = (volatile uint8_t *)guard->map(guard, 2 * HY_GUARD_PAGE);
    if (!pages) return;
    guard->protect(guard, (void *)(uintptr_t)pages, 2 * HY_GUARD_PAGE, false);
    pages[HY_GUARD_PAGE + 5] = 1;
    (void)arg;
}

static hy_err a_write_that_nobody_announced_ends_the_program(hy_mem *mem) {
    (void)mem;
    CHECK(kit_death(write_without_opening, NULL));
    CHECK(strstr(kit_last_words(), "a row was written that no logged call opened") != NULL);
    return HY_OK;
}

// Somebody else's bad pointer is not ours to explain.
static void write_to_nowhere(void *arg) {
    (void)arg;
    (void)hy_guard_pages();
    raise(SIGSEGV);
    raise(SIGSEGV); // the first one gave the signal back to whoever had it before
}

static hy_err other_faults_are_passed_on(hy_mem *mem) {
    (void)mem;
    CHECK(kit_death(write_to_nowhere, NULL));
    CHECK(strstr(kit_last_words(), "no logged call") == NULL);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(pages_are_clear_and_can_be_opened_again),
          KIT_TEST_ONCE(a_write_that_nobody_announced_ends_the_program),
          KIT_TEST_ONCE(other_faults_are_passed_on))
