// switch.c - how a stack begins, and the switch where no assembler has been written.
//
// The fallback is the C library's: slow (two system calls for the signal mask), and right
// everywhere. A context lies on the stack that it describes: that of a stack that is left in the
// frame of hyi_switch, that of one which has not begun at its top.
#include "scope/switch.h"

#include <hypha/base.h>

#ifdef HYI_UCONTEXT
#include <ucontext.h>

void hyi_switch(void **out_sp, void *sp) {
    ucontext_t here;
    *out_sp = &here;
    int failed = swapcontext(&here, (const ucontext_t *)sp);
    HY_ASSERT(failed == 0);
}

void *hyi_switch_prepare(uint8_t *low, uint8_t *top, void (*entry)(void)) {
    ucontext_t *context = (ucontext_t *)(void *)(top - (sizeof *context + 15) / 16 * 16);
    int failed = getcontext(context);
    HY_ASSERT(failed == 0);
    context->uc_link = NULL;
    context->uc_stack.ss_sp = low;
    context->uc_stack.ss_size = (size_t)((uint8_t *)context - low);
    makecontext(context, entry, 0);
    return context;
}

#else

// x86-64: `entry` begins as after a call, the stack pointer 8 off a multiple of 16, and at it the
// return address. aarch64: the second word is the frame pointer.
void *hyi_switch_prepare(uint8_t *low, uint8_t *top, void (*entry)(void)) {
    (void)low;
    uintptr_t *sp = (uintptr_t *)(void *)top - 2;
    sp[0] = (uintptr_t)entry;
    sp[1] = 0;
    return sp;
}

#endif
