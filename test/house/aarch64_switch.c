// aarch64_switch.c - a program for `scripts/check aarch64`: the switch of src/scope/switch.h,
// alone.
//
// The machines that test us are x86-64, so the room's own tests never run the other assembler. This
// program needs nothing but switch.[ch] and a C library, so that it can be compiled for an aarch64
// and run by an emulator. It is as much of a scheduler as that takes: fibers[0] is the stack of
// main, the others begin on stacks of ours, whoever runs chooses by its own dice who goes on, and
// fibers end and begin anew on the same stack.
//
// What must hold, whatever the optimiser does:
//
//   entry     a stack begins at its top, aligned, with no frame and no return address before it,
//   and
//             unwinding it ends there; the fiber finds its function and its argument
//   marks     x19-x28, d8-d15, the frame and the stack pointer are those of before when a function
//             returns that switched
//   live      more values than there are registers, live across an inlined switch, are kept: a
//             register that the switch forgets to call spoiled is one that the compiler will use
//   nested    calls on a fiber's stack are aligned to 16, and doubles find their way through `...`
//   fences    nobody writes above a stack
#include "scope/switch.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>
#ifdef __ARM_FEATURE_SVE
#include <arm_sve.h>
#endif

#ifndef __aarch64__
#error "this is for an aarch64: scripts/check aarch64"
#endif

enum { FIBERS = 9, SWITCHES = 100000, STACK_BYTES = 65536, FENCE_WORDS = 8, FRAMES_MAX = 64 };
#define FENCE 0x6665666566656665u

// x19-x28, d8-d15, then x29 and sp.
enum { MARKS = 18, MARK_FRAME = MARKS, MARK_STACK, MARKS_SEEN };

typedef struct fiber {
    void *sp; // NULL: it has not begun
    void (*fn)(void *arg);
    void *arg;
    uint64_t dice;
    uint64_t steps_left;
} fiber;

typedef struct stack {
    _Alignas(16) uint8_t room[STACK_BYTES];
    uint64_t fence[FENCE_WORDS];
} stack;

static stack stacks[FIBERS];
static fiber fibers[FIBERS];
static fiber *current = &fibers[0];
static void *never_sp; // of fibers that have ended
static uint64_t switched, born, ended;

// Both are assembler, at the end of this file. `entry` hands the registers that it finds to
// entry_found. `marks_cross` fills the registers with `marks`, calls marks_give_way, and writes
// down what is in them then.
void entry(void);
void marks_cross(const uint64_t *marks, uint64_t *out_seen);

_Noreturn void entry_found(uintptr_t sp, uintptr_t frame, uintptr_t back);
void marks_give_way(void);

#define CHECK(cond) ((cond) ? (void)0 : fail(#cond, __LINE__))

_Noreturn static void fail(const char *what, int line) {
    fprintf(stderr, "aarch64_switch.c:%d: FAILED: %s (fiber %d, after %llu switches)\n", line, what,
            (int)(current - fibers), (unsigned long long)switched);
    exit(1);
}

static uint64_t roll(uint64_t *dice) {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return *dice;
}

static uint64_t mixed(uint64_t seed, uint64_t i) {
    return (seed + i * 2 + 1) * 0x9e3779b97f4a7c15u;
}

// ---- the scheduler ------------------------------------------------------------------------------

static void live_steps(void *arg);

// The argument says which fiber it is for.
static void fiber_bear(fiber *it) {
    static uint64_t seeds[FIBERS];
    size_t index = (size_t)(it - fibers);
    seeds[index] = mixed(index, ++born) | 1;
    it->fn = live_steps;
    it->arg = &seeds[index];
    it->dice = seeds[index];
    it->steps_left = 20 + it->dice % 200;
    uint8_t *low = stacks[index].room;
    it->sp = hyi_switch_prepare(low, low + STACK_BYTES, entry);
}

static fiber *choose(void) {
    if (switched >= SWITCHES && current != &fibers[0]) return &fibers[0];
    fiber *to = &fibers[roll(&current->dice) % FIBERS];
    return to == current ? &fibers[(to - fibers + 1) % FIBERS] : to;
}

// Inlined, as in fiber.c: what the caller has live must live through it.
__attribute__((always_inline)) static inline void give_way_to(fiber *to) {
    fiber *from = current;
    if (!to->sp) fiber_bear(to);
    switched++;
    current = to;
    hyi_switch(&from->sp, to->sp);
    CHECK(current == from);
}

_Noreturn static void fiber_end(void) {
    fiber *to = choose();
    if (!to->sp) fiber_bear(to);
    current->sp = NULL;
    ended++;
    switched++;
    current = to;
    hyi_switch(&never_sp, to->sp);
    fail("a fiber went on after its end", __LINE__);
}

static _Unwind_Reason_Code frame_counted(struct _Unwind_Context *context, void *count) {
    (void)context;
    return ++*(int *)count > FRAMES_MAX ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

// Where fibers begin, in C.
_Noreturn void entry_found(uintptr_t sp, uintptr_t frame, uintptr_t back) {
    HYI_SWITCH_BOTTOM();
    CHECK(sp == (uintptr_t)stacks[current - fibers].room + STACK_BYTES);
    CHECK(sp % 16 == 0);
    CHECK(frame == 0);
    CHECK(back == 0);
    int frames = 0;
    CHECK(_Unwind_Backtrace(frame_counted, &frames) == _URC_END_OF_STACK);
    CHECK(frames >= 1 && frames <= 3);
    current->fn(current->arg);
    fiber_end();
}

// ---- what must survive --------------------------------------------------------------------------

__attribute__((noinline)) void marks_give_way(void) {
    give_way_to(choose());
}

static void marks_survive(uint64_t seed) {
    uint64_t marks[MARKS], seen[MARKS_SEEN] = { 0 };
    for (size_t i = 0; i < MARKS; i++) {
        marks[i] = mixed(seed, i);
    }
    marks_cross(marks, seen);
    for (size_t i = 0; i < MARKS; i++) {
        CHECK(seen[i] == marks[i]);
    }
    CHECK(seen[MARK_FRAME] == seen[MARK_STACK]); // marks_cross has its frame at its stack pointer
}

typedef uint64_t pair __attribute__((vector_size(16)));

// The empty assembler hides from the compiler what is in them: it cannot make them anew afterwards.
#define EIGHT(X, t) X(t##0) X(t##1) X(t##2) X(t##3) X(t##4) X(t##5) X(t##6) X(t##7)
#define THIRTY_TWO(X) EIGHT(X, 1) EIGHT(X, 2) EIGHT(X, 3) EIGHT(X, 4)
#define WORD_MADE(n)                                                                               \
    uint64_t word##n = mixed(seed, n);                                                             \
    __asm__ volatile("" : "+r"(word##n));
#define WORD_KEPT(n) CHECK(word##n == mixed(seed, n));
#define PAIR_MADE(n)                                                                               \
    pair pair##n = { mixed(seed, n), mixed(seed, n + 64) };                                        \
    __asm__ volatile("" : "+w"(pair##n));
#define PAIR_KEPT(n) CHECK(pair##n[0] == mixed(seed, n) && pair##n[1] == mixed(seed, n + 64));
#define DOUBLE_MADE(n)                                                                             \
    double double##n = (double)(seed % 1000) + n;                                                  \
    __asm__ volatile("" : "+w"(double##n));
#define DOUBLE_KEPT(n) CHECK(double##n == (double)(seed % 1000) + n);

__attribute__((noinline)) static void words_survive(uint64_t seed) {
    THIRTY_TWO(WORD_MADE)
    give_way_to(choose());
    THIRTY_TWO(WORD_KEPT)
}

__attribute__((noinline)) static void pairs_survive(uint64_t seed) {
    THIRTY_TWO(PAIR_MADE)
    give_way_to(choose());
    THIRTY_TWO(PAIR_KEPT)
}

__attribute__((noinline)) static void doubles_survive(uint64_t seed) {
    THIRTY_TWO(DOUBLE_MADE)
    give_way_to(choose());
    THIRTY_TWO(DOUBLE_KEPT)
}

// The scalable registers, and those that say which of their lanes count.
#ifdef __ARM_FEATURE_SVE
#define LANES_MADE(n)                                                                              \
    svuint64_t lanes##n = svindex_u64(seed + n, 1);                                                \
    svbool_t some##n = svwhilelt_b8_u64(0, (seed + n) % 16);                                       \
    __asm__ volatile("" : "+w"(lanes##n), "+Upa"(some##n));
#define LANES_KEPT(n)                                                                              \
    CHECK(svaddv_u64(svptrue_b64(), lanes##n) ==                                                   \
          svcntd() * (seed + n) + svcntd() * (svcntd() - 1) / 2);                                  \
    CHECK(svcntp_b8(svptrue_b8(), some##n) == (seed + n) % 16);

__attribute__((noinline)) static void lanes_survive(uint64_t seed) {
    THIRTY_TWO(LANES_MADE)
    give_way_to(choose());
    THIRTY_TWO(LANES_KEPT)
}
#else
#define lanes_survive words_survive
#endif

__attribute__((noinline, format(printf, 2, 3))) static void say(char *text, const char *format,
                                                                ...) {
    va_list rest;
    va_start(rest, format);
    vsnprintf(text, 128, format, rest);
    va_end(rest);
}

// Twelve doubles: eight in registers, four on the stack; and a long double, which is aligned to 16.
__attribute__((noinline)) static unsigned nested_survive(unsigned depth, unsigned n) {
    uintptr_t sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    CHECK(sp % 16 == 0);
    double x = n + 0.25;
    char text[128], wanted[128];
    say(text, "%u %.2f %g %g %g %g %g %g %g %g %g %g %.3f %d %.2Lf", depth, x, 1.5, 2.5, 3.5, 4.5,
        5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 2 * x, 7, (long double)x);
    unsigned below = depth > 0 ? nested_survive(depth - 1, n + 1) : 0;
    if (depth == 0) give_way_to(choose());
    say(wanted, "%u %u.25 1.5 2.5 3.5 4.5 5.5 6.5 7.5 8.5 9.5 10.5 %u.500 7 %u.25", depth, n, 2 * n,
        n);
    CHECK(strcmp(text, wanted) == 0);
    return below + 1;
}

static void live_step(uint64_t seed) {
    if (seed % 64 == 0) { // an emulated printf of doubles is slow
        CHECK(nested_survive(5, (unsigned)(seed >> 32) % 10000) == 6);
        return;
    }
    switch (seed % 5) {
    case 0: words_survive(seed); return;
    case 1: doubles_survive(seed); return;
    case 2: pairs_survive(seed); return;
    case 3: lanes_survive(seed); return;
    default: marks_survive(seed); return;
    }
}

// The life of a fiber.
static void live_steps(void *arg) {
    uint64_t seed = *(uint64_t *)arg;
    CHECK(seed == current->dice); // nobody else's argument
    while (current->steps_left-- > 0 && switched < SWITCHES) {
        live_step(roll(&current->dice));
    }
}

int main(void) {
    for (size_t i = 0; i < FIBERS; i++) {
        for (size_t j = 0; j < FENCE_WORDS; j++) {
            stacks[i].fence[j] = FENCE;
        }
    }
    fibers[0].dice = 1;
    while (switched < SWITCHES) {
        live_step(roll(&fibers[0].dice));
    }
    for (size_t i = 1; i < FIBERS; i++) { // those that live come to their end, and back here
        while (fibers[i].sp) {
            give_way_to(&fibers[i]);
        }
    }
    for (size_t i = 0; i < FIBERS; i++) {
        for (size_t j = 0; j < FENCE_WORDS; j++) {
            CHECK(stacks[i].fence[j] == FENCE);
        }
    }
    CHECK(born == ended);
    CHECK(born > SWITCHES / 300);
    printf("%llu switches, %llu fibers\n", (unsigned long long)switched, (unsigned long long)born);
    return 0;
}

// ---- assembler ----------------------------------------------------------------------------------

#define MARKS_MOVED(op, at)                                                                        \
    op " x19, x20, [" at "]\n" op " x21, x22, [" at "+16]\n" op " x23, x24, [" at "+32]\n" op      \
       " x25, x26, [" at "+48]\n" op " x27, x28, [" at "+64]\n" op " d8, d9, [" at "+80]\n" op     \
       " d10, d11, [" at "+96]\n" op " d12, d13, [" at "+112]\n" op " d14, d15, [" at "+128]\n"

__asm__(".text\n"
        ".p2align 2\n"
        ".globl entry\n"
        ".type entry, %function\n"
        "entry:\n"
        "hint #34\n" // bti c
        "mov x0, sp\n"
        "mov x1, x29\n"
        "mov x2, x30\n"
        "b entry_found\n"
        ".size entry, . - entry\n"

        ".globl marks_cross\n"
        ".type marks_cross, %function\n"
        "marks_cross:\n"
        "stp x29, x30, [sp, #-176]!\n"
        "mov x29, sp\n" MARKS_MOVED("stp", "sp, #16") // ours, for who called
        "str x1, [sp, #160]\n" MARKS_MOVED(
            "ldp", "x0, #0") "bl marks_give_way\n"
                             "ldr x1, [sp, #160]\n" MARKS_MOVED(
                                 "stp",
                                 "x1, #0") "mov x9, sp\n"
                                           "stp x29, x9, [x1, #144]\n" MARKS_MOVED(
                                               "ldp",
                                               "sp, #16") "ldp x29, x30, [sp], #176\n"
                                                          "ret\n"
                                                          ".size marks_cross, . - marks_cross\n");
