// kit.c - runs the tests: once plainly, then with every allocation failing in turn.
//
// cmocka reports and isolates the tests; what a "test" means is decided here. A failed CHECK prints
// its place and leaves through cmocka's longjmp, which skips the cleanup of the test's locals:
// memory is then lost, but the test has failed already, and nothing more is asked of it. Because
// longjmp only works on the thread that called the test, a CHECK on any other thread aborts
// instead.
//
// Allocations are counted in the plain run. Up to RUNNER_POINTS of them fail one by one; a test
// that makes more gets all of the first half and an even spread of the rest, so that a big test
// costs a bounded number of runs. The spread shifts with the seed.
#include "kit/internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the four headers above to come first.
#include <cmocka.h>

#define RUNNER_POINTS 256u
#define RUNNER_NAMES_MAX 8

typedef struct runner {
    const char *program;  // as somebody at the root of the repository would call it
    const kit_test *test; // the one that runs now
    kit_plan plan;        // and how
    bool unfinished;      // a test that crashes into cmocka's signal handler never comes back here
    pthread_t thread;
    const char *failed[RUNNER_NAMES_MAX];
    size_t failed_count;
} runner;

static runner runner_now;

static void runner_settle(void);

// ---- the loop over failing allocations --------------------------------------------------------

static void runner_describe(char *out, size_t size) {
    if (runner_now.plan.fail_at == 0) {
        snprintf(out, size, "with all memory");
        return;
    }
    snprintf(out, size, "with allocation %llu%s failing",
             (unsigned long long)runner_now.plan.fail_at,
             runner_now.plan.persistent ? " and all after it" : "");
}

// Runs the test under one plan, and judges what it returned and what it left.
static kit_account runner_run(const kit_test *test, kit_plan plan) {
    runner_now.plan = plan;
    hy_err err = test->run(kit_mem_begin(plan));
    kit_account account = kit_mem_account();

    bool excused = err == HY_NOMEM && account.injected > 0;
    if (err != HY_OK && !excused) kit_fail(test->name, 0, "returned %s", kit_err_name(err));
    if (account.live_blocks > 0) {
        kit_fail(test->name, 0, "left %llu bytes in %llu blocks (it returned %s)",
                 (unsigned long long)account.live_bytes, (unsigned long long)account.live_blocks,
                 kit_err_name(err));
    }
    return account;
}

static uint64_t runner_next_point(uint64_t point, uint64_t total) {
    if (total <= RUNNER_POINTS || point < RUNNER_POINTS / 2) return point + 1;
    uint64_t stride = (total - RUNNER_POINTS / 2) / (RUNNER_POINTS / 2) + 1;
    uint64_t shift = point == RUNNER_POINTS / 2 ? kit_seed() % stride : 0;
    return point + stride - shift;
}

static void runner_fail_each(const kit_test *test, uint64_t total, bool persistent) {
    uint64_t point = 1;
    while (point <= total) {
        kit_account run = runner_run(test, (kit_plan){ point, persistent });
        if (run.injected == 0)
            return; // a survived failure made this run shorter than the plain one
        point = runner_next_point(point, total);
    }
}

static void runner_test(void **state) {
    runner_settle();
    const kit_test *test = *state;
    runner_now.test = test;
    runner_now.unfinished = true;
    kit_account plain = runner_run(test, (kit_plan){ 0 });
    if (!test->once) {
        runner_fail_each(test, plain.allocations, false);
        runner_fail_each(test, plain.allocations, true);
    }
    runner_now.unfinished = false;
}

// ---- failures ---------------------------------------------------------------------------------

static void runner_remember(const kit_test *test) {
    if (test == NULL || runner_now.failed_count == RUNNER_NAMES_MAX) return;
    for (size_t i = 0; i < runner_now.failed_count; i++) {
        if (runner_now.failed[i] == test->name) return;
    }
    runner_now.failed[runner_now.failed_count++] = test->name;
}

// Called between tests: one that did not reach its end has failed, whoever stopped it.
static void runner_settle(void) {
    if (runner_now.unfinished) runner_remember(runner_now.test);
    runner_now.unfinished = false;
}

static void runner_print_repeat(void) {
    fflush(stdout);
    fprintf(stderr, "seed %llu; to repeat:\n", (unsigned long long)kit_seed());
    for (size_t i = 0; i < runner_now.failed_count; i++) {
        fprintf(stderr, "    HY_SEED=%llu %s %s\n", (unsigned long long)kit_seed(),
                runner_now.program, runner_now.failed[i]);
    }
    fflush(stderr);
}

void kit_fail(const char *file, int line, const char *format, ...) {
    char how[80];
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    runner_describe(how, sizeof how);
    fflush(stdout);
    if (line > 0) fprintf(stderr, "%s:%d: ", file, line);
    fprintf(stderr, "%s\n    in %s, %s\n", text, runner_now.test ? runner_now.test->name : "?",
            how);
    runner_remember(runner_now.test);
    if (runner_now.test == NULL || !pthread_equal(pthread_self(), runner_now.thread)) abort();
    _fail(file, line);
    abort(); // cmocka does not say that _fail never returns
}

// A panic or a sanitizer ends the process: say how to repeat it before it is gone. This is not what
// a signal handler may do in general, but the process is lost already, and the line is worth it.
static void runner_on_abort(int signal_number) {
    runner_remember(runner_now.test);
    runner_print_repeat();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

// ---- main -------------------------------------------------------------------------------------

static bool runner_wildcards(const char *name) {
    return strpbrk(name, "*?") != NULL;
}

static bool runner_has(const kit_test *tests, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tests[i].name, name) == 0) return true;
    }
    return runner_wildcards(name);
}

static const char *runner_program(const char *argv0) {
    const char *root = KIT_SOURCE_DIR "/";
    return strncmp(argv0, root, strlen(root)) == 0 ? argv0 + strlen(root) : argv0;
}

static int runner_usage(const char *program, const kit_test *tests, size_t count) {
    fprintf(stderr, "usage: [HY_SEED=n] %s [test]\ntests:\n", program);
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "    %s\n", tests[i].name);
    }
    return 2;
}

int kit_main(const char *file, const kit_test *tests, size_t count, int argc, char **argv) {
    const char *slash = strrchr(file, '/');
    const char *group = slash ? slash + 1 : file;
    runner_now = (runner){ .program = runner_program(argv[0]), .thread = pthread_self() };
    if (argc > 2 || (argc == 2 && !runner_has(tests, count, argv[1]))) {
        return runner_usage(runner_now.program, tests, count);
    }
    if (argc == 2) cmocka_set_test_filter(argv[1]);
    signal(SIGABRT, runner_on_abort);

    struct CMUnitTest *units = calloc(count, sizeof *units);
    if (units == NULL) return 2;
    for (size_t i = 0; i < count; i++) {
        units[i] = (struct CMUnitTest){ .name = tests[i].name,
                                        .test_func = runner_test,
                                        .initial_state = (void *)(uintptr_t)&tests[i] };
    }
    int failures = _cmocka_run_group_tests(group, units, count, NULL, NULL);
    free(units);
    runner_settle();
    if (failures != 0) runner_print_repeat();
    return failures == 0 ? 0 : 1;
}
