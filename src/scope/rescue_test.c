// rescue_test.c - an overflow in the user's code ends its fiber, and nothing else; a crash is told.
//
// What is fatal happens in children (kit_death). A rescue is not fatal: it happens here, in the
// simulated world and in the real one, many times, because what it leaves behind (stacks, shadow
// stacks, pages) is what it would get wrong.
#include "kit/kit.h"
#include "scope/above.h"
#include "scope/crash.h"
#include "scope/inside.h"
#include "scope/overflow.h"
#include "scope/run_suite.h"
#include "scope/sanitize.h"
#include "scope/switch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// clang puts its sanitizers' own memset and qsort into the program, where they pass for the user's.
#if defined(__clang__) && (defined(HYI_ASAN) || defined(HYI_TSAN))
enum { LIBRARIES_ARE_APART = 0 };
#else
enum { LIBRARIES_ARE_APART = 1 };
#endif

typedef struct rescue_state {
    char text[64];
    size_t len;
    uint32_t asked, rescued;
    bool may, spawns, returns;
    uintptr_t pc;
} rescue_state;

static void tell(rescue_state *s, char letter) {
    if (s->len + 1 < sizeof s->text) s->text[s->len++] = letter;
    s->text[s->len] = 0;
}

static bool rescue_may(void *self, const hy_task *task, uintptr_t pc) {
    rescue_state *s = (rescue_state *)self;
    s->asked++;
    s->pc = pc;
    return s->may && task->state == HYI_TASK_RUNNING;
}

static void rescue_rescued(void *self, hy_task *task) {
    rescue_state *s = (rescue_state *)self;
    CHECK(task == hyi_current);
    s->rescued++;
    tell(s, '!');
    if (!s->returns) hyi_fiber_exit(HY_LIMIT);
}

static void release_a(void *self) {
    tell((rescue_state *)self, 'a');
}

static void release_b(void *self) {
    tell((rescue_state *)self, 'b');
}

static hy_err wait_long(void *arg) {
    hy_err err = hy_sleep(HY_SECONDS(1000));
    HY_SCOPE(shield, NULL, .shield = HY_NEVER) {
        if (hy_sleep(HY_US(10)) == HY_OK) tell((rescue_state *)arg, 't');
    }
    return err;
}

static hy_err do_nothing(void *unused) {
    (void)unused;
    return HY_OK;
}

// Down for ever; with `spawns` it calls into the room at every level, which then notices first.
static __attribute__((noinline)) int go_down(const rescue_state *s, volatile int *above) {
    volatile int here[16];
    here[0] = *above + 1;
    if (here[0] == 1 << 30) return 0; // never
    if (s->spawns && here[0] % 8 == 0 && hy_spawn(NULL, do_nothing, NULL, NULL, NULL) != HY_OK) {
        return -1;
    }
    return go_down(s, here) + here[1 + *above % 8];
}

static hy_err overflow_in_blocks(void *arg) {
    rescue_state *s = (rescue_state *)arg;
    volatile int start = 0;
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err, .name = "outer", .policy = hy_collect) {
        err = hy_own(outer, s, release_a, 0);
        if (err == HY_OK) err = hy_spawn(outer, wait_long, s, NULL, NULL);
        if (err != HY_OK) break;
        HY_SCOPE(inner, &err, .name = "inner", .timeout = HY_SECONDS(100)) {
            err = hy_own(inner, s, release_b, 0);
            if (err == HY_OK) err = hy_yield();
            if (err != HY_OK) break;
            hyi_fiber_rescuable(true);
            int depth = go_down(s, &start);
            hyi_fiber_rescuable(false);
            if (depth == -1) err = HY_NOMEM;
        }
        break;
    }
    return err;
}

static hy_err run_rescue(rescue_state *s) {
    const hyi_rescue rescue = { rescue_may, rescue_rescued, s };
    hyi_root_on_overflow(hyi_scope_root(hy_scope_current()), &rescue);
    hy_err err = HY_OK;
    HY_SCOPE(all, &err, .name = "all", .policy = hy_collect) {
        hy_task *task = NULL;
        err = hy_spawn(all, overflow_in_blocks, s, NULL, &task);
        if (err != HY_OK) break;
        err = hy_await(task);
        CHECK(err == HY_LIMIT || err == HY_NOMEM);
        CHECK(hyi_list_is_empty(&all->children));
    }
    hyi_root_on_overflow(hyi_scope_root(hy_scope_current()), NULL);
    return err == HY_LIMIT ? HY_OK : err;
}

static hy_err an_overflow_ends_its_fiber_alone(void *unused) {
    (void)unused;
    rescue_state s = { .may = true };
    hy_err err = run_rescue(&s);
    if (err != HY_OK) return err;
    CHECK(strcmp(s.text, "!bta") == 0);
    CHECK_EQ(s.asked, 1);
    CHECK(s.pc != 0); // in a handler
    return HY_OK;
}
RUN_SIM(an_overflow_ends_its_fiber_alone)
RUN_REAL(an_overflow_ends_its_fiber_alone)

static hy_err a_rescue_that_returns_ends_it_too(void *unused) {
    (void)unused;
    rescue_state s = { .may = true, .returns = true };
    hy_err err = run_rescue(&s);
    if (err == HY_OK) CHECK(strcmp(s.text, "!bta") == 0);
    return err;
}
RUN_SIM(a_rescue_that_returns_ends_it_too)

static hy_err a_call_that_finds_no_room_does_not_begin(void *unused) {
    (void)unused;
    rescue_state s = { .may = true, .spawns = true };
    hy_err err = run_rescue(&s);
    if (err != HY_OK) return err;
    CHECK_EQ(s.rescued, 1);
    CHECK_EQ(s.pc, 0); // in the spawn itself
    return HY_OK;
}
RUN_REAL(a_call_that_finds_no_room_does_not_begin)

enum { RESCUES = 300 };

static hy_err many_overflows_leave_nothing(void *unused) {
    (void)unused;
    rescue_state s = { .may = true };
    size_t mapped = 0;
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < RESCUES && err == HY_OK; i++) {
        s.len = 0;
        err = run_rescue(&s);
        if (i == 10) mapped = hyi_stacks_mapped(hyi_current->root->stacks);
    }
    if (err == HY_OK) CHECK_EQ(s.rescued, RESCUES);
    if (err == HY_OK) CHECK_EQ(hyi_stacks_mapped(hyi_current->root->stacks), mapped);
    return err;
}
RUN_REAL(many_overflows_leave_nothing)

// ---- what is not rescued ------------------------------------------------------------------------

static hy_err refused(void *unused) {
    (void)unused;
    return run_rescue(&(rescue_state){ .may = false });
}

// The fault is in a function of the C library, which may have taken a lock.
static __attribute__((noinline)) int go_down_in_a_library(volatile int *above) {
    char buffer[32];
    volatile int here[8];
    here[0] = *above + 1;
    uint8_t *low = hyi_current->stack->low;
    if ((uint8_t *)buffer - low < 4096) {
        memset(low - 64, here[0], (size_t)here[0] % 8 + 72); // from below the guard, upwards
        return 0;
    }
    return go_down_in_a_library(here) + here[*above % 8];
}

static hy_err overflow_in_a_library(void *arg) {
    (void)arg;
    volatile int start = 0;
    hyi_fiber_rescuable(true);
    return go_down_in_a_library(&start) == 1 ? HY_OK : HY_BUSY;
}

// The fault is in a function of this room.
static hy_err overflow_in_the_room(void *arg) {
    (void)arg;
    hyi_fiber_rescuable(true);
    uint8_t *guard = hyi_current->stack->low - 64;
    return hyi_switch_prepare(guard - 64, guard, NULL) ? HY_OK : HY_BUSY;
}

// The fault is the user's, but he was called by the C library.
static int compare_for_ever(const void *a, const void *b) {
    volatile int start = *(const int *)a;
    return go_down(&(rescue_state){ 0 }, &start) + *(const int *)b;
}

static hy_err overflow_when_called_back(void *arg) {
    (void)arg;
    int numbers[4] = { 4, 3, 2, 1 };
    hyi_fiber_rescuable(true);
    qsort(numbers, 4, sizeof numbers[0], compare_for_ever);
    return numbers[0] == 1 ? HY_OK : HY_BUSY;
}

static hy_err in_somebodys_code(hy_fn fn) {
    rescue_state s = { .may = true };
    const hyi_rescue rescue = { rescue_may, rescue_rescued, &s };
    hyi_root_on_overflow(hyi_scope_root(hy_scope_current()), &rescue);
    hy_err err = HY_OK;
    HY_SCOPE(all, &err, .name = "all") {
        err = hy_spawn(all, fn, &s, NULL, NULL);
    }
    return err;
}

static hy_err in_a_library(void *unused) {
    (void)unused;
    return in_somebodys_code(overflow_in_a_library);
}

static hy_err in_a_callback(void *unused) {
    (void)unused;
    return in_somebodys_code(overflow_when_called_back);
}

static hy_err in_the_room(void *unused) {
    (void)unused;
    return in_somebodys_code(overflow_in_the_room);
}

static void run_dying(void *fn) {
    (void)run_in_real(hy_mem_system(), *(const hy_fn *)fn, NULL);
}

static hy_err what_may_be_half_done_is_not_rescued(hy_mem *mem) {
    (void)mem;
    hy_fn fns[] = { refused, in_the_room, in_a_library, in_a_callback };
    for (size_t i = 0; i < (LIBRARIES_ARE_APART ? 4 : 2); i++) {
        CHECK(kit_death(run_dying, &fns[i]));
        CHECK(strstr(kit_last_words(), "the stack of a fiber overflowed") != NULL);
    }
    return HY_OK;
}

// ---- crashes --------------------------------------------------------------------------------

static void say_crash(void *self, int number, const siginfo_t *info, const void *context) {
    char text[] = "crash 00 at pc?\n";
    text[6] = (char)('0' + number / 10);
    text[7] = (char)('0' + number % 10);
    text[14] = hyi_overflow_pc(context) ? '+' : '-';
    (void)info;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    if (self) raise(SIGABRT); // crashes itself: not told again
}

static int *volatile crash_nowhere = (int *)64; // not 0: a sanitizer would see that one coming

static void crash_here(void *arg) {
    int number = *(int *)arg, self = 0;
    hy_err err = hyi_crash_on(say_crash, number < 0 ? &self : NULL);
    CHECK(err == HY_OK);
    switch (number) {
    case SIGSEGV: *crash_nowhere = 1; break;
    case SIGABRT: abort();
    default: raise(number < 0 ? -number : number);
    }
}

static hy_err a_crash_is_told_once_and_passed_on(hy_mem *mem) {
    (void)mem;
    int numbers[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, -SIGBUS };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CHECK(kit_death(crash_here, &numbers[i]));
        const char *told = strstr(kit_last_words(), "crash ");
        CHECK(told != NULL);
        int number = numbers[i] < 0 ? -numbers[i] : numbers[i];
        CHECK_EQ((told[6] - '0') * 10 + told[7] - '0', number);
        CHECK_EQ(told[14], '+');
        CHECK(strstr(told + 1, "crash ") == NULL);
    }
    return HY_OK;
}

static hy_err there_is_one_to_tell(hy_mem *mem) {
    (void)mem;
    int mine = 0, others = 0;
    CHECK_OK(hyi_crash_on(say_crash, &mine));
    CHECK_OK(hyi_crash_on(say_crash, &mine));
    CHECK_ERR(hyi_crash_on(say_crash, &others), HY_BUSY);
    hyi_crash_off(&others);
    CHECK_ERR(hyi_crash_on(say_crash, &others), HY_BUSY);
    hyi_crash_off(&mine);
    CHECK_OK(hyi_crash_on(say_crash, &others));
    hyi_crash_off(&others);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(sim_an_overflow_ends_its_fiber_alone),
          KIT_TEST_ONCE(real_an_overflow_ends_its_fiber_alone),
          KIT_TEST_ONCE(sim_a_rescue_that_returns_ends_it_too),
          KIT_TEST_ONCE(real_a_call_that_finds_no_room_does_not_begin),
          KIT_TEST_ONCE(real_many_overflows_leave_nothing),
          KIT_TEST_ONCE(what_may_be_half_done_is_not_rescued),
          KIT_TEST_ONCE(a_crash_is_told_once_and_passed_on), KIT_TEST_ONCE(there_is_one_to_tell))
