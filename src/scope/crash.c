// crash.c - who is told when the process is lost, and to whom the signal goes then.
//
// The hook is called on the thread that crashed, before the signal goes where it would have gone
// without us: a core file, a debugger, a sanitizer's report. It is called once: what crashes inside
// the hook is not told again, it only ends the process. Two threads that crash together must not
// cut each other's words short, so the second waits until the first has passed its signal on, which
// ends both; but not for ever, for the first may hang.
//
// A handler of somebody else that was there before ours is called as it would have been. It may
// repair and return (collectors do), or give up and put back what it had found, which may have been
// ours: then the two would pass the fault to each other for ever, so that case ends with the
// default.
//
// All that runs in a handler here may run there: sigaction, raise, poll.
#include "scope/crash.h"
#include "scope/overflow.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#define CRASH_WAIT_MS 2000

static const int crash_signals[] = { SIGBUS, SIGFPE, SIGILL, SIGABRT };
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof crash_signals[0] };

static pthread_mutex_t crash_lock = PTHREAD_MUTEX_INITIALIZER; // guards installing and setting
static struct sigaction crash_previous[CRASH_SIGNALS];
// Written before `crash_hook` (release) and read after it (acquire), in the handler.
static void *_Atomic crash_self;
static hyi_crash_hook *_Atomic crash_hook;
static atomic_flag crash_told = ATOMIC_FLAG_INIT;

void hyi_crash_tell(int number, const siginfo_t *info, const void *context) {
    // Acquire: pairs with hyi_crash_on.
    hyi_crash_hook *hook = atomic_load_explicit(&crash_hook, memory_order_acquire);
    if (!hook) return;
    int saved_errno = errno;
    if (!atomic_flag_test_and_set(&crash_told)) {
        hook(atomic_load_explicit(&crash_self, memory_order_relaxed), number, info, context);
    } else {
        (void)poll(NULL, 0, CRASH_WAIT_MS);
    }
    errno = saved_errno;
}

void hyi_crash_pass_on(const struct sigaction *given, int number, siginfo_t *info, void *context) {
    struct sigaction ours, after, none = { 0 };
    none.sa_handler = SIG_DFL;
    const struct sigaction previous = *given;
    bool is_call = (previous.sa_flags & SA_SIGINFO) ||
                   (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN);
    if (!is_call) {
        sigaction(number, &previous, NULL);
        if (info->si_code <= 0) raise(number); // sent, so no instruction will do it again
        return;
    }
    sigaction(number, &none, &ours);
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else {
        previous.sa_handler(number);
    }
    sigaction(number, NULL, &after);
    bool untouched = !(after.sa_flags & SA_SIGINFO) && after.sa_handler == SIG_DFL;
    bool is_ours = (after.sa_flags & SA_SIGINFO) && after.sa_sigaction == ours.sa_sigaction;
    if (untouched) sigaction(number, &ours, NULL);
    if (is_ours) sigaction(number, &none, NULL);
}

static void crash_on_signal(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    hyi_crash_tell(number, info, context);
    for (size_t i = 0; i < CRASH_SIGNALS; i++) {
        if (crash_signals[i] == number) {
            hyi_crash_pass_on(&crash_previous[i], number, info, context);
        }
    }
    errno = saved_errno;
}

// Also again where somebody took them away since: children of death tests do.
static void crash_install(void) {
    for (size_t i = 0; i < CRASH_SIGNALS; i++) {
        struct sigaction now;
        sigaction(crash_signals[i], NULL, &now);
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == crash_on_signal) continue;
        crash_previous[i] = now;
        struct sigaction ours = { .sa_sigaction = crash_on_signal,
                                  .sa_flags = SA_SIGINFO | SA_ONSTACK };
        sigemptyset(&ours.sa_mask);
        sigaction(crash_signals[i], &ours, NULL);
    }
}

hy_err hyi_crash_on(hyi_crash_hook *hook, void *self) {
    hy_err err = HY_BUSY;
    pthread_mutex_lock(&crash_lock);
    bool is_free = !atomic_load_explicit(&crash_hook, memory_order_relaxed);
    if (is_free || atomic_load_explicit(&crash_self, memory_order_relaxed) == self) {
        atomic_store_explicit(&crash_self, self, memory_order_relaxed);
        // Release: pairs with hyi_crash_tell, so that the hook sees its `self`.
        atomic_store_explicit(&crash_hook, hook, memory_order_release);
        crash_install();
        err = HY_OK;
    }
    pthread_mutex_unlock(&crash_lock);
    hyi_overflow_install();
    return err;
}

void hyi_crash_off(const void *self) {
    pthread_mutex_lock(&crash_lock);
    if (atomic_load_explicit(&crash_self, memory_order_relaxed) == self) {
        atomic_store_explicit(&crash_hook, NULL, memory_order_release);
        atomic_store_explicit(&crash_self, NULL, memory_order_relaxed);
    }
    pthread_mutex_unlock(&crash_lock);
}
