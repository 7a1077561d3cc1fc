// switch.h - from one stack to another.                            Room: scope.
// Threads: both stacks belong to the calling thread.
//
// A switch is inline assembler that claims to spoil every register: the compiler then keeps in the
// frame what it still needs, and knows better than we what that is. What remains to be saved is the
// frame pointer and the place to go on. Two words on the stack that is left, then the same undone
// on the other one:
//
//     sp ->  place to go on, frame pointer
//
// It is left by a jump, and it is no call. The processor predicts each `ret` by the calls that it
// has seen: a switch that leaves by `ret` goes where it did not come from, and one that is called
// but never returns leaves that list off by one, so that all returns behind it are mispredicted
// (measured, yield: 14 ns with a called switch, 7 with this one).
//
// On a stack that has not begun the place to go on is `entry`, and it finds a frame pointer and a
// return address of 0: debuggers and unwinders stop there. tools/gdb/hypha.py knows this layout.
//
// Not kept: the floating-point modes (mxcsr, the x87 control word, fpcr) are the thread's, so who
// changes the rounding puts it back before it waits; signal masks are the thread's too. Nor ffr, of
// which compilers have no use of their own. Shadow stacks (CET) do not know what happens here:
// cmake/fibers.cmake keeps them off.
#ifndef HYI_SCOPE_SWITCH_H
#define HYI_SCOPE_SWITCH_H

#include <stdint.h>

// Everything but x86-64 and aarch64 goes through ucontext, and so does a build with HYPHA_UCONTEXT.
#if !defined(HYI_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define HYI_UCONTEXT 1
#endif

// The `sp` of a stack on which `entry` will begin. It must not return; a debugger that walks the
// stack ends there. `top` is aligned to 16.
void *hyi_switch_prepare(uint8_t *low, uint8_t *top, void (*entry)(void));

// In `entry`: who walks the stack ends here.
#if defined(HYI_UCONTEXT)
#define HYI_SWITCH_BOTTOM() ((void)0)
#elif defined(__x86_64__)
#define HYI_SWITCH_BOTTOM() __asm__ volatile(".cfi_undefined rip")
#else
#define HYI_SWITCH_BOTTOM() __asm__ volatile(".cfi_undefined x30")
#endif

#if defined(HYI_UCONTEXT)

// Leaves in *out_sp what brings the caller back, and goes on with `sp`. Returns when somebody
// switches to what *out_sp got.
void hyi_switch(void **out_sp, void *sp);

#elif defined(__x86_64__)

// The 128 bytes below the stack pointer may hold locals of a function that calls nobody. Stepping
// over them costs nothing but a cache line for each fiber; fiber.c is compiled without such bytes.
#ifdef HYI_NO_RED_ZONE
#define HYI_SWITCH_SKIPPED 0
#else
#define HYI_SWITCH_SKIPPED 128
#endif
#ifdef __AVX512F__
#define HYI_SWITCH_WIDE                                                                            \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6",  \
        "k7"
#else
#define HYI_SWITCH_WIDE
#endif

__attribute__((always_inline)) static inline void hyi_switch(void **out_sp, void *sp) {
    __asm__ volatile("leaq -%c2(%%rsp), %%rsp\n\t"
                     "pushq %%rbp\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "movq %%rsp, (%0)\n\t"
                     "movq %1, %%rsp\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "popq %%rax\n\t"
                     "notrack jmp *%%rax\n"
                     "1:\n\t"
                     "popq %%rbp\n\t"
                     "leaq %c2(%%rsp), %%rsp"
                     : "+D"(out_sp), "+S"(sp)
                     : "i"(HYI_SWITCH_SKIPPED)
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc",
                       "memory" HYI_SWITCH_WIDE);
}

#else // aarch64

// The scalable vectors have no names of their own, they are what v0-v31 are the beginning of. The
// predicates have.
#ifdef __ARM_FEATURE_SVE
#define HYI_SWITCH_WIDE                                                                            \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13",      \
        "p14", "p15"
#else
#define HYI_SWITCH_WIDE
#endif

__attribute__((always_inline)) static inline void hyi_switch(void **out_sp, void *sp) {
    register void **out __asm__("x0") = out_sp;
    register void *to __asm__("x1") = sp;
    __asm__ volatile("adr x16, 1f\n\t"
                     "stp x16, x29, [sp, #-16]!\n\t"
                     "mov x9, sp\n\t"
                     "str x9, [%0]\n\t"
                     "mov sp, %1\n\t"
                     "ldp x16, x29, [sp], #16\n\t"
                     "mov x30, xzr\n\t"
                     "br x16\n"
                     "1:\n\t"
                     "hint #36" // bti j: nothing where it is not known
                     : "+r"(out), "+r"(to)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                       "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                       "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",
                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
                       "v29", "v30", "v31", "cc", "memory" HYI_SWITCH_WIDE);
}

#endif

#endif
