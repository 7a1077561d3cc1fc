// overflow_test.c - a used-up stack is told with names; every other fault goes where it went
// before.
//
// The fatal ones happen in children (kit_death), which start without signal handlers: opening a
// root puts ours in, also where it had been lost.
#include "scope/inside.h"
#include "scope/overflow.h"
#include "scope/run_suite.h"
#include "kit/kit.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// ---- words ------------------------------------------------------------------------------------

static __attribute__((noinline)) int go_down_for_ever(volatile int *above) {
    volatile int here[64];
    here[0] = *above + 1;
    if (here[0] == 1 << 30) return 0; // never
    return go_down_for_ever(here) + here[1 + *above % 8];
}

static hy_err run_for_ever(void *unused) {
    (void)unused;
    volatile int start = 0;
    return go_down_for_ever(&start) == 1 ? HY_OK : HY_BUSY;
}

// One frame that is larger than guard page and stack together: it must be noticed on its way.
static __attribute__((noinline)) hy_err take_a_big_frame(void *unused) {
    (void)unused;
    volatile char big[1 << 20];
    for (size_t i = 0; i < 8; i++)
        big[i] = (char)i;
    return hy_yield() == HY_OK && big[3] == 3 ? HY_OK : HY_BUSY;
}

static hy_err spawn_in_a_request(hy_fn fn, hy_stack stack) {
    hy_err err = HY_OK;
    hy_spawn_options options = { .size = sizeof options, .name = "fetch", .stack = stack };
    HY_SCOPE(web, &err, .name = "web") {
        HY_SCOPE(request, &err, .name = "request") {
            err = hy_spawn(request, fn, NULL, &options, NULL);
            if (err) break;
        }
        if (err) break;
    }
    return err;
}

static hy_err small_body(void *unused) {
    (void)unused;
    return spawn_in_a_request(run_for_ever, HY_STACK_16K);
}

static hy_err large_body(void *unused) {
    (void)unused;
    return spawn_in_a_request(run_for_ever, HY_STACK_256K);
}

static hy_err big_frame_body(void *unused) {
    (void)unused;
    return spawn_in_a_request(take_a_big_frame, HY_STACK_64K);
}

static hy_err page_guard_body(void *unused) {
    hyi_stacks_weaken(hyi_current->root->stacks, HYI_GUARD_PAGE);
    return small_body(unused);
}

static void run_body(void *body) {
    (void)run_in_real(hy_mem_system(), *(const hy_fn *)body, NULL);
}

static void run_body_in_sim(void *body) {
    (void)run_in_sim(hy_mem_system(), *(const hy_fn *)body, NULL);
}

static bool words_have(const char *text) {
    return strstr(kit_last_words(), text) != NULL;
}

static hy_err the_words_say_who_and_where(hy_mem *mem) {
    (void)mem;
    const hy_fn bodies[] = { small_body, page_guard_body };
    for (size_t i = 0; i < 2; i++) {
        CHECK(kit_death(i ? run_body : run_body_in_sim, (void *)&bodies[i]));
        CHECK(words_have("the stack of a fiber overflowed: task fetch in root / web / request"));
        CHECK(words_have("overflow_test.c:"));
        CHECK(words_have("KiB; spawn it with .stack = HY_STACK_64K"));
    }
    return HY_OK;
}

static hy_err the_largest_class_has_other_advice(hy_mem *mem) {
    (void)mem;
    hy_fn body = large_body;
    CHECK(kit_death(run_body, (void *)&body));
    CHECK(words_have("task fetch in root / web / request"));
    CHECK(words_have("that is the largest: keep big arrays"));
    return HY_OK;
}

static hy_err a_big_frame_does_not_jump_the_guard(hy_mem *mem) {
    (void)mem;
    hy_fn body = big_frame_body;
    CHECK(kit_death(run_body, (void *)&body));
    CHECK(words_have("task fetch in root / web / request"));
    CHECK(words_have("HY_STACK_256K"));
    return HY_OK;
}

// ---- canaries ---------------------------------------------------------------------------------

static hy_err write_below(void *unused) {
    (void)unused;
    memset(hyi_current->stack->low - 100, 7, 50);
    return HY_OK;
}

static hy_err canary_body(void *unused) {
    (void)unused;
    hyi_stacks_weaken(hyi_current->root->stacks, HYI_GUARD_CANARY);
    return spawn_in_a_request(write_below, HY_STACK_16K);
}

static hy_err a_broken_canary_panics_with_the_same_words(hy_mem *mem) {
    (void)mem;
    hy_fn body = canary_body;
    CHECK(kit_death(run_body, (void *)&body));
    CHECK(words_have("panic: the stack of a fiber overflowed: task fetch in root / web / request"));
    return HY_OK;
}

// ---- the faults of others ---------------------------------------------------------------------

static void *volatile overflow_test_page;

static void say_mine(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    bool right = info->si_addr == overflow_test_page;
    const char *text = right ? "mine" : "not mine";
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
    _exit(3);
}

static void repair(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    (void)context;
    mprotect(overflow_test_page, 4096, PROT_READ | PROT_WRITE);
}

static void handle_with(void (*handler)(int, siginfo_t *, void *), struct sigaction *out_before) {
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, out_before);
}

static hy_err write_to_the_page(void *unused) {
    (void)unused;
    *(volatile char *)overflow_test_page = 1;
    return HY_OK;
}

static hy_err page_body(void *unused) {
    (void)unused;
    return spawn_in_a_request(write_to_the_page, HY_STACK_64K);
}

static bool map_the_page(void) {
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    overflow_test_page = page;
    return page != MAP_FAILED;
}

static void fault_for_another_handler(void *unused) {
    (void)unused;
    if (!map_the_page()) return;
    handle_with(say_mine, NULL);
    hy_fn body = page_body;
    run_body(&body);
}

static hy_err other_faults_go_to_who_had_them_before(hy_mem *mem) {
    (void)mem;
    CHECK(kit_death(fault_for_another_handler, NULL));
    CHECK(strcmp(kit_last_words(), "mine") == 0);
    return HY_OK;
}

static hy_err a_handler_before_us_may_repair(hy_mem *mem) {
    struct sigaction before;
    handle_with(repair, &before);
    hy_err err = HY_OK;
    for (int i = 0; i < 3 && err == HY_OK; i++) { // and we stay installed
        CHECK(map_the_page());
        err = run_in_real(mem, page_body, NULL);
        CHECK_EQ(*(volatile char *)overflow_test_page, 1);
        munmap(overflow_test_page, 4096);
    }
    sigaction(SIGSEGV, &before, NULL);
    return err;
}

static void fault_without_handler(void *unused) {
    (void)unused;
    if (!map_the_page()) return;
    hy_fn body = page_body;
    run_body(&body);
}

static hy_err send_it(void *unused) {
    (void)unused;
    raise(SIGSEGV);
    return HY_OK;
}

static void send_it_to_ourselves(void *unused) {
    (void)unused;
    (void)run_in_real(hy_mem_system(), send_it, NULL);
}

static hy_err without_a_handler_the_process_ends(hy_mem *mem) {
    (void)mem;
    CHECK(kit_death(fault_without_handler, NULL));
    CHECK(!words_have("of a fiber overflowed"));
    CHECK(kit_death(send_it_to_ourselves, NULL));
    CHECK(!words_have("of a fiber overflowed"));
    return HY_OK;
}

// The guard of machines puts back whom it found, which is us, and we call whom we found, which is
// the guard.
static void fault_between_two_handlers(void *unused) {
    (void)unused;
    (void)hy_guard_pages();
    hyi_overflow_install();
    (void)hy_guard_pages();
    *(volatile char *)overflow_test_page = 1;
}

static hy_err two_handlers_do_not_play_ball(hy_mem *mem) {
    (void)mem;
    CHECK(map_the_page());
    CHECK(kit_death(fault_between_two_handlers, NULL));
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(the_words_say_who_and_where),
          KIT_TEST_ONCE(the_largest_class_has_other_advice),
          KIT_TEST_ONCE(a_big_frame_does_not_jump_the_guard),
          KIT_TEST_ONCE(a_broken_canary_panics_with_the_same_words),
          KIT_TEST_ONCE(other_faults_go_to_who_had_them_before),
          KIT_TEST_ONCE(a_handler_before_us_may_repair),
          KIT_TEST_ONCE(without_a_handler_the_process_ends),
          KIT_TEST_ONCE(two_handlers_do_not_play_ball))
