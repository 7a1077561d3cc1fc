// guard.c - pages that notice a write nobody announced.
//
// A machine's tables live in such pages in test builds: writable only while a logged call has them
// open. A write at any other time faults; the handler says what happened, shows the stack, puts the
// previous handler back and returns, so that the same instruction faults again and the process ends
// as it would have without us (core file, debugger, sanitizer's report).
//
// Every mapping has one page of its own in front, which links it into the list that the handler
// walks. The handler runs when the process is lost anyway, so it reads the list without the lock:
// waiting for one in a signal handler would be worse.
//
// The handler is installed when the guard is first asked for, and again when somebody took it away
// since: a child of a death test does that.
#include <hypha/world.h>

#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_FRAMES_MAX 64
#define GUARD_STACK_BYTES 65536

typedef struct guard_head {
    struct guard_head *next;
    size_t size; // without this page
} guard_head;

static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER; // guards all below
static guard_head *guard_first;
static struct sigaction guard_previous;
static uint8_t guard_stack[GUARD_STACK_BYTES]; // for the thread that asked first

static bool guard_owns(const void *address) {
    for (const guard_head *head = guard_first; head; head = head->next) {
        const uint8_t *start = (const uint8_t *)head + HY_GUARD_PAGE;
        const uint8_t *at = (const uint8_t *)address;
        if (at >= start && at < start + head->size) return true;
    }
    return false;
}

static void guard_on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    if (guard_owns(info->si_addr)) {
        static const char text[] = "a row was written that no logged call opened; "
                                   "take the row from hy_row_update in the step that writes it\n";
        ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
        (void)written; // there is nobody left to tell
        void *frames[GUARD_FRAMES_MAX];
        backtrace_symbols_fd(frames, backtrace(frames, GUARD_FRAMES_MAX), STDERR_FILENO);
    }
    sigaction(number, &guard_previous, NULL);
}

static void *guard_map(hy_guard *self, size_t size) {
    (void)self;
    HY_ASSERT(size > 0);
    HY_ASSERT(size % HY_GUARD_PAGE == 0);
    void *ptr = mmap(NULL, size + HY_GUARD_PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ptr == MAP_FAILED) return NULL;
    guard_head *head = (guard_head *)ptr;
    head->size = size;
    pthread_mutex_lock(&guard_lock);
    head->next = guard_first;
    guard_first = head;
    pthread_mutex_unlock(&guard_lock);
    return (uint8_t *)ptr + HY_GUARD_PAGE;
}

static void guard_unmap(hy_guard *self, void *ptr, size_t size) {
    (void)self;
    if (!ptr) return;
    guard_head *head = (guard_head *)(void *)((uint8_t *)ptr - HY_GUARD_PAGE);
    HY_ASSERT(head->size == size);
    pthread_mutex_lock(&guard_lock);
    guard_head **link = &guard_first;
    while (*link != head) {
        HY_ASSERT(*link != NULL); // not a mapping of this guard
        link = &(*link)->next;
    }
    *link = head->next;
    pthread_mutex_unlock(&guard_lock);
    int failed = munmap(head, size + HY_GUARD_PAGE);
    HY_ASSERT(failed == 0);
}

static void guard_protect(hy_guard *self, void *ptr, size_t size, bool writable) {
    (void)self;
    HY_ASSERT((uintptr_t)ptr % HY_GUARD_PAGE == 0);
    HY_ASSERT(size % HY_GUARD_PAGE == 0);
    int failed = mprotect(ptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ);
    HY_ASSERT(failed == 0);
}

// The handler has a stack of its own, so that it also speaks when the thread's stack is used up.
static void guard_install(void) {
    struct sigaction now;
    sigaction(SIGSEGV, NULL, &now);
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == guard_on_fault) return;
    guard_previous = now;
    stack_t stack = { .ss_sp = guard_stack, .ss_size = sizeof guard_stack }, old;
    if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE)) sigaltstack(&stack, NULL);
    void *frame;
    backtrace(&frame, 1); // loads what it needs now; inside the handler it could not
    struct sigaction ours = { .sa_sigaction = guard_on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&ours.sa_mask);
    sigaction(SIGSEGV, &ours, NULL);
}

hy_guard *hy_guard_pages(void) {
    static hy_guard guard = { guard_map, guard_unmap, guard_protect };
    HY_ASSERT(HY_GUARD_PAGE % (size_t)sysconf(_SC_PAGESIZE) == 0);
    pthread_mutex_lock(&guard_lock);
    guard_install();
    pthread_mutex_unlock(&guard_lock);
    return &guard;
}
