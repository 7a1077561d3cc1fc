// panic.c - the end of a program whose assumptions proved wrong.
//
// hy_panic is the only function that the pure rooms ask of outside, so this file needs nothing but
// the C library: no event loop, no allocation of ours, no lock. It says where and what, shows the
// stack, and aborts, so that a debugger or a core file sees the frame that made the mistake.
// It is its own archive (hypha_panic), and the tests of pure rooms link it alone.
#include <hypha/base.h>

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PANIC_FRAMES_MAX 64

void hy_panic(const char *file, int line, const char *text) {
    void *frames[PANIC_FRAMES_MAX];
    char message[512];
    int len = snprintf(message, sizeof message, "%s:%d: panic: %s\n", file, line, text);
    size_t count = len < 0 ? 0 : (size_t)len;
    if (count >= sizeof message) count = sizeof message - 1;

    // write, not fprintf: another thread may hold the lock of stderr and never give it back.
    ssize_t written = write(STDERR_FILENO, message, count);
    (void)written; // there is nobody left to tell
    backtrace_symbols_fd(frames, backtrace(frames, PANIC_FRAMES_MAX), STDERR_FILENO);
    abort();
}
