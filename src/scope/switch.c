// switch.c - the switch in assembler, for x86-64 and aarch64.
//
// A switch is a call: the compiler expects the registers that belong to the callee to be lost, so
// only the caller's remain to be saved. They go onto the stack that is left, its pointer goes into
// *out_sp, and the same is undone on the other stack.
//
// It leaves by a jump, never by `ret`. The processor predicts a `ret` from the calls it has seen,
// and the call that this one belongs to happened on another stack, long ago: every switch would be
// mispredicted (measured: 11 ns against 2.2). That is also why this file is compiled without shadow
// stacks (cmake/fibers.cmake): the linker then turns them off for the program.
//
// Saved, from the stack pointer upwards:
//
//     x86-64    r15 r14 r13 r12 rbx rbp  return address
//     aarch64   x19 .. x30, d8 .. d15, place to go on
//
// On a stack that has not begun the place to go on is `entry`, and its frame pointer and return
// address are 0: debuggers and unwinders stop there. What the assembler says about frames (.cfi)
// holds at hyi_switch_parked, with either stack: tools/gdb/hypha.py begins there to show a fiber
// that waits.
#include "scope/switch.h"

#ifndef HYI_UCONTEXT

#ifdef __x86_64__
// clang-format off
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl hyi_switch\n"
    ".hidden hyi_switch\n"
    ".type hyi_switch, @function\n"
    "hyi_switch:\n"
    ".cfi_startproc\n"
    "    endbr64\n"
    "    pushq %rbp\n"
    ".cfi_adjust_cfa_offset 8\n"
    ".cfi_rel_offset %rbp, 0\n"
    "    pushq %rbx\n"
    ".cfi_adjust_cfa_offset 8\n"
    ".cfi_rel_offset %rbx, 0\n"
    "    pushq %r12\n"
    ".cfi_adjust_cfa_offset 8\n"
    ".cfi_rel_offset %r12, 0\n"
    "    pushq %r13\n"
    ".cfi_adjust_cfa_offset 8\n"
    ".cfi_rel_offset %r13, 0\n"
    "    pushq %r14\n"
    ".cfi_adjust_cfa_offset 8\n"
    ".cfi_rel_offset %r14, 0\n"
    "    pushq %r15\n"
    ".cfi_adjust_cfa_offset 8\n"
    ".cfi_rel_offset %r15, 0\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    ".globl hyi_switch_parked\n"
    ".hidden hyi_switch_parked\n"
    "hyi_switch_parked:\n"
    "    popq %r15\n"
    ".cfi_adjust_cfa_offset -8\n"
    ".cfi_restore %r15\n"
    "    popq %r14\n"
    ".cfi_adjust_cfa_offset -8\n"
    ".cfi_restore %r14\n"
    "    popq %r13\n"
    ".cfi_adjust_cfa_offset -8\n"
    ".cfi_restore %r13\n"
    "    popq %r12\n"
    ".cfi_adjust_cfa_offset -8\n"
    ".cfi_restore %r12\n"
    "    popq %rbx\n"
    ".cfi_adjust_cfa_offset -8\n"
    ".cfi_restore %rbx\n"
    "    popq %rbp\n"
    ".cfi_adjust_cfa_offset -8\n"
    ".cfi_restore %rbp\n"
    "    popq %rcx\n"
    ".cfi_adjust_cfa_offset -8\n"
    ".cfi_register %rip, %rcx\n"
    "    notrack jmp *%rcx\n"
    ".cfi_endproc\n"
    ".size hyi_switch, . - hyi_switch\n");
// clang-format on

// As after a call: the stack pointer is 8 off a multiple of 16, and points to the return address.
void *hyi_switch_prepare(uint8_t *low, uint8_t *top, void (*entry)(void)) {
    (void)low;
    uintptr_t *sp = (uintptr_t *)(void *)top - 8;
    for (int i = 0; i < 6; i++)
        sp[i] = 0; // r15 r14 r13 r12 rbx rbp
    sp[6] = (uintptr_t)entry;
    sp[7] = 0;
    return sp;
}
#endif

#ifdef __aarch64__
// clang-format off
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl hyi_switch\n"
    ".hidden hyi_switch\n"
    ".type hyi_switch, %function\n"
    "hyi_switch:\n"
    ".cfi_startproc\n"
    "    hint #34\n" // bti c: nothing where it is not known
    "    sub sp, sp, #176\n"
    ".cfi_adjust_cfa_offset 176\n"
    "    stp x19, x20, [sp, #0]\n"
    "    stp x21, x22, [sp, #16]\n"
    "    stp x23, x24, [sp, #32]\n"
    "    stp x25, x26, [sp, #48]\n"
    "    stp x27, x28, [sp, #64]\n"
    "    stp x29, x30, [sp, #80]\n"
    "    stp d8, d9, [sp, #96]\n"
    "    stp d10, d11, [sp, #112]\n"
    "    stp d12, d13, [sp, #128]\n"
    "    stp d14, d15, [sp, #144]\n"
    "    str x30, [sp, #160]\n"
    ".cfi_rel_offset x19, 0\n"
    ".cfi_rel_offset x20, 8\n"
    ".cfi_rel_offset x21, 16\n"
    ".cfi_rel_offset x22, 24\n"
    ".cfi_rel_offset x23, 32\n"
    ".cfi_rel_offset x24, 40\n"
    ".cfi_rel_offset x25, 48\n"
    ".cfi_rel_offset x26, 56\n"
    ".cfi_rel_offset x27, 64\n"
    ".cfi_rel_offset x28, 72\n"
    ".cfi_rel_offset x29, 80\n"
    ".cfi_rel_offset x30, 160\n"
    "    mov x9, sp\n"
    "    str x9, [x0]\n"
    "    mov sp, x1\n"
    ".globl hyi_switch_parked\n"
    ".hidden hyi_switch_parked\n"
    "hyi_switch_parked:\n"
    "    ldp x19, x20, [sp, #0]\n"
    "    ldp x21, x22, [sp, #16]\n"
    "    ldp x23, x24, [sp, #32]\n"
    "    ldp x25, x26, [sp, #48]\n"
    "    ldp x27, x28, [sp, #64]\n"
    "    ldp x29, x30, [sp, #80]\n"
    "    ldp d8, d9, [sp, #96]\n"
    "    ldp d10, d11, [sp, #112]\n"
    "    ldp d12, d13, [sp, #128]\n"
    "    ldp d14, d15, [sp, #144]\n"
    "    ldr x16, [sp, #160]\n"
    "    add sp, sp, #176\n"
    "    br x16\n"
    ".cfi_endproc\n"
    ".size hyi_switch, . - hyi_switch\n");
// clang-format on

void *hyi_switch_prepare(uint8_t *low, uint8_t *top, void (*entry)(void)) {
    (void)low;
    uintptr_t *sp = (uintptr_t *)(void *)top - 22;
    for (int i = 0; i < 22; i++)
        sp[i] = 0; // x29 and x30 too: the bottom of the stack
    sp[20] = (uintptr_t)entry;
    return sp;
}
#endif

#endif
