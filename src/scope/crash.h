// crash.h - a last word before a fatal signal ends the process.    Room: scope.
// Threads: set from any; the word is said on the thread that crashed, inside a signal handler.
//
// For a record of what went wrong (actor/incident.h). SIGSEGV is overflow.c's, which calls
// hyi_crash_tell for every fault that it does not take for a fiber's overflow; SIGBUS, SIGFPE,
// SIGILL and SIGABRT are taken when a hook is first set.
#ifndef HYI_SCOPE_CRASH_H
#define HYI_SCOPE_CRASH_H

#include <signal.h>

#include <hypha/scope.h>

// Async-signal-safe: no memory, no locks, no stdio. `info` and `context` as sigaction(2) has them.
typedef void hyi_crash_hook(void *self, int number, const siginfo_t *info, const void *context);

// One for the process. NULL: no more. HY_BUSY: there is another one; one `self` may set it again.
HY_CHECKED hy_err hyi_crash_on(hyi_crash_hook *hook, void *self);
// The hook is no longer called with this `self`.
void hyi_crash_off(const void *self);
// Calls the hook, once in the life of the process. A second thread that crashes waits a moment, so
// that the first can finish.
void hyi_crash_tell(int number, const siginfo_t *info, const void *context);
// Passes a signal on to whom it belonged before, whose action is *previous, as if we were not
// there.
void hyi_crash_pass_on(const struct sigaction *previous, int number, siginfo_t *info,
                       void *context);

#endif
