// overflow.h - what is said when a fiber has used up its stack.     Room: scope.
// Threads: the handler is the process's, the stack it runs on each thread's.
//
// A handler can be taken away by others, so it is looked for whenever a root opens; a thread gets
// its stack when it first runs a fiber.
#ifndef HYI_SCOPE_OVERFLOW_H
#define HYI_SCOPE_OVERFLOW_H

#include <hypha/scope.h>

// Puts the handler of SIGSEGV in, or back in where somebody took it away.
void hyi_overflow_install(void);
// Gives the calling thread a stack for handlers, unless it has one: a fault on a stack that is used
// up could not be handled there.
void hyi_overflow_watch_thread(void);
// Where the thread was, of a handler's third argument; 0: unknown.
uintptr_t hyi_overflow_pc(const void *context);
// For a stack that nothing guards: somebody has written below it.
HY_NORETURN void hyi_overflow_panic(const hy_task *task);

#endif
