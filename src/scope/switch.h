// switch.h - from one stack to another.                            Room: scope.
// Threads: both stacks belong to the calling thread.
//
// Kept across a switch: the registers that a called function must keep, and nothing else. The
// floating-point modes (mxcsr, the x87 control word, fpcr) are the thread's: who changes the
// rounding puts it back before it waits. Signal masks are the thread's too.
#ifndef HYI_SCOPE_SWITCH_H
#define HYI_SCOPE_SWITCH_H

#include <stdint.h>

// Everything but x86-64 and aarch64 goes through ucontext, and so does a build with HYPHA_UCONTEXT.
#if !defined(HYI_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define HYI_UCONTEXT 1
#endif

// Leaves in *out_sp what brings the caller back, and goes on with `sp`. Returns when somebody
// switches to what *out_sp got.
__attribute__((visibility("hidden"))) void hyi_switch(void **out_sp, void *sp);

// The `sp` of a stack on which `entry` will begin. It must not return; a debugger that walks the
// stack ends there. `top` is aligned to 16.
void *hyi_switch_prepare(uint8_t *low, uint8_t *top, void (*entry)(void));

#endif
