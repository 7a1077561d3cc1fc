// kit_test.c - proves that the kit can fail.
//
// A test harness that passes everything looks just like a healthy program. So the tests below run
// whole bad tests in a child process (kit_death) and read there what a person would have read.
#include "kit/kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- the bad tests, run in a child ------------------------------------------------------------

static hy_err good(hy_mem *mem) {
    (void)mem;
    return HY_OK;
}

static hy_err returns_an_error(hy_mem *mem) {
    (void)mem;
    return HY_LIMIT;
}

static hy_err runs_out_of_memory_for_no_reason(hy_mem *mem) {
    (void)mem;
    return HY_NOMEM;
}

static hy_err leaks(hy_mem *mem) {
    return mem->resize(mem, NULL, 0, 24) == NULL ? HY_NOMEM : HY_OK;
}

static hy_err leaks_when_the_second_allocation_fails(hy_mem *mem) {
    void *a = mem->resize(mem, NULL, 0, 24);
    if (a == NULL) return HY_NOMEM;
    void *b = mem->resize(mem, NULL, 0, 40);
    if (b == NULL) return HY_NOMEM; // and `a` is lost
    mem->resize(mem, a, 24, 0);
    mem->resize(mem, b, 40, 0);
    return HY_OK;
}

static hy_err trusts_a_second_try(hy_mem *mem) {
    void *a = mem->resize(mem, NULL, 0, 8);
    if (a == NULL) a = mem->resize(mem, NULL, 0, 8);
    CHECK(a != NULL); // holds when one allocation fails, not when all after it do
    mem->resize(mem, a, 8, 0);
    return HY_OK;
}

static hy_err frees_with_a_wrong_size(hy_mem *mem) {
    void *a = mem->resize(mem, NULL, 0, 8);
    if (a == NULL) return HY_NOMEM;
    mem->resize(mem, a, 9, 0);
    return HY_OK;
}

static hy_err compares_numbers(hy_mem *mem) {
    (void)mem;
    CHECK_EQ(-1, UINT64_MAX); // the same bits, not the same number
    return HY_OK;
}

static hy_err expects_another_error(hy_mem *mem) {
    (void)mem;
    CHECK_ERR(HY_RANGE, HY_LIMIT);
    return HY_OK;
}

static hy_err compares_bytes(hy_mem *mem) {
    (void)mem;
    CHECK_BYTES(HY_BYTES("one tree"), HY_BYTES("one three"));
    return HY_OK;
}

static hy_err compares_text(hy_mem *mem) {
    (void)mem;
    CHECK_TEXT(HY_BYTES("here"), "there");
    return HY_OK;
}

static hy_err misses_a_golden_file(hy_mem *mem) {
    (void)mem;
    kit_golden("kit/no_such_file.txt", HY_BYTES("x"));
    return HY_OK;
}

static hy_err differs_from_a_golden_file(hy_mem *mem) {
    (void)mem;
    kit_golden("kit/two_lines.txt", HY_BYTES("the first line\nanother second line\n"));
    return HY_OK;
}

static hy_err panics(hy_mem *mem) {
    (void)mem;
    HY_ASSERT(1 + 1 == 3);
    return HY_OK;
}

static hy_err crashes(hy_mem *mem) {
    (void)mem;
    raise(SIGSEGV);
    return HY_OK;
}

// ---- running one of them ----------------------------------------------------------------------

typedef struct bad_run {
    kit_test test;
    char *filter;
} bad_run;

static void run_bad(void *arg) {
    const bad_run *bad = arg;
    char program[] = "bad_test";
    char *argv[] = { program, bad->filter, NULL };
    unsetenv("KIT_GOLDEN_REWRITE");
    int status = kit_main("test/bad_test.c", &bad->test, 1, bad->filter ? 2 : 1, argv);
    if (status != 0) _exit(status);
}

static bool fails(const char *name, hy_err (*run)(hy_mem *mem)) {
    bad_run bad = { .test = { name, run, false } };
    return kit_death(run_bad, &bad);
}

static bool said(const char *words) {
    if (strstr(kit_last_words(), words) != NULL) return true;
    fprintf(stderr, "expected \"%s\" in:\n%s", words, kit_last_words());
    return false;
}

// ---- the tests --------------------------------------------------------------------------------

static hy_err good_test_passes(hy_mem *mem) {
    (void)mem;
    CHECK(!fails("good", good));
    return HY_OK;
}

static hy_err returned_error_fails(hy_mem *mem) {
    (void)mem;
    CHECK(fails("bad", returns_an_error));
    CHECK(said("returned HY_LIMIT"));
    return HY_OK;
}

static hy_err no_memory_needs_a_reason(hy_mem *mem) {
    (void)mem;
    CHECK(fails("bad", runs_out_of_memory_for_no_reason));
    CHECK(said("returned HY_NOMEM"));
    return HY_OK;
}

static hy_err leak_fails(hy_mem *mem) {
    (void)mem;
    CHECK(fails("bad", leaks));
    CHECK(said("left 24 bytes in 1 blocks"));
    CHECK(said("with all memory"));
    return HY_OK;
}

static hy_err leak_on_a_failure_path_fails(hy_mem *mem) {
    (void)mem;
    CHECK(fails("bad", leaks_when_the_second_allocation_fails));
    CHECK(said("with allocation 2 failing"));
    return HY_OK;
}

static hy_err persistent_failure_is_tried(hy_mem *mem) {
    (void)mem;
    CHECK(fails("bad", trusts_a_second_try));
    CHECK(said("with allocation 1 and all after it failing"));
    return HY_OK;
}

static hy_err wrong_old_size_stops_the_program(hy_mem *mem) {
    (void)mem;
    CHECK(fails("bad", frees_with_a_wrong_size));
    CHECK(said("wrong old_size (the block has 8 bytes, the caller says 9)"));
    return HY_OK;
}

static hy_err checks_show_both_sides(hy_mem *mem) {
    (void)mem;
    CHECK(fails("bad", compares_numbers));
    CHECK(said("left:  -1"));
    CHECK(said("right: 18446744073709551615 (0xffffffffffffffff)"));
    CHECK(fails("bad", expects_another_error));
    CHECK(said("gave HY_RANGE, not HY_LIMIT"));
    CHECK(fails("bad", compares_bytes));
    CHECK(said(" 74>72 65 65"));
    CHECK(said("first difference at byte 5"));
    CHECK(fails("bad", compares_text));
    CHECK(said("wanted: there"));
    return HY_OK;
}

static hy_err golden_files_are_compared(hy_mem *mem) {
    (void)mem;
    kit_golden("kit/two_lines.txt", HY_BYTES("the first line\nthe second line\n"));
    CHECK(fails("bad", misses_a_golden_file));
    CHECK(said("there is no such golden file"));
    CHECK(fails("bad", differs_from_a_golden_file));
    CHECK(said("golden: the second line"));
    CHECK(said("now:    another second line"));
    return HY_OK;
}

static hy_err panic_names_its_place_and_the_repeat(hy_mem *mem) {
    (void)mem;
    CHECK(fails("panics", panics));
    CHECK(said("panic: 1 + 1 == 3"));
    return HY_OK;
}

static hy_err crash_names_its_test(hy_mem *mem) {
    (void)mem;
    CHECK(fails("wild", crashes));
    return HY_OK;
}

static hy_err last_line_is_the_command_that_repeats(hy_mem *mem) {
    (void)mem;
    setenv("HY_SEED", "77", 1);
    bool failed = fails("unlucky", returns_an_error);
    unsetenv("HY_SEED");
    CHECK(failed);
    const char *words = kit_last_words();
    const char *wanted = "seed 77; to repeat:\n    HY_SEED=77 bad_test unlucky\n";
    CHECK(strlen(words) > strlen(wanted));
    CHECK(strcmp(words + strlen(words) - strlen(wanted), wanted) == 0);
    return HY_OK;
}

static hy_err unknown_test_name_fails(hy_mem *mem) {
    (void)mem;
    char filter[] = "no_such_test";
    bad_run bad = { .test = { "good", good, false }, .filter = filter };
    CHECK(kit_death(run_bad, &bad));
    CHECK(said("usage: [HY_SEED=n] bad_test [test]"));
    return HY_OK;
}

static void read_past(void *arg) {
    const hy_bytes *bytes = arg;
    volatile uint8_t byte = bytes->ptr[bytes->len];
    (void)byte;
}

static void read_last(void *arg) {
    const hy_bytes *bytes = arg;
    volatile uint8_t byte = bytes->ptr[bytes->len - 1];
    (void)byte;
}

static hy_err guarded_copy_ends_at_a_cliff(hy_mem *mem) {
    (void)mem;
    hy_bytes copy = kit_guard_copy(HY_BYTES("brink"));
    CHECK_TEXT(copy, "brink");
    CHECK(!kit_death(read_last, &copy));
    CHECK(kit_death(read_past, &copy));
    kit_guard_free(copy);

    hy_bytes empty = kit_guard_copy(HY_BYTES(""));
    CHECK(kit_death(read_past, &empty));
    kit_guard_free(empty);
    return HY_OK;
}

static hy_err random_numbers_are_splitmix64(hy_mem *mem) {
    (void)mem;
    uint64_t state = 1234567; // the reference's first outputs for this seed
    CHECK_EQ(kit_random(&state), 6457827717110365317u);
    CHECK_EQ(kit_random(&state), 3203168211198807973u);
    return HY_OK;
}

static hy_err heap_never_fails_on_purpose(hy_mem *mem) {
    void *mine = mem->resize(mem, NULL, 0, 16);
    void *block = kit_heap()->resize(kit_heap(), NULL, 0, 16);
    CHECK(block != NULL);
    kit_heap()->resize(kit_heap(), block, 16, 0);
    CHECK_EQ(mine == NULL, kit_failed_allocation());
    if (mine == NULL) return HY_NOMEM;
    mem->resize(mem, mine, 16, 0);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(good_test_passes), KIT_TEST(returned_error_fails),
          KIT_TEST(no_memory_needs_a_reason), KIT_TEST(leak_fails),
          KIT_TEST(leak_on_a_failure_path_fails), KIT_TEST(persistent_failure_is_tried),
          KIT_TEST(wrong_old_size_stops_the_program), KIT_TEST(checks_show_both_sides),
          KIT_TEST(golden_files_are_compared), KIT_TEST(panic_names_its_place_and_the_repeat),
          KIT_TEST(crash_names_its_test), KIT_TEST(last_line_is_the_command_that_repeats),
          KIT_TEST(unknown_test_name_fails), KIT_TEST(guarded_copy_ends_at_a_cliff),
          KIT_TEST(random_numbers_are_splitmix64), KIT_TEST(heap_never_fails_on_purpose))
