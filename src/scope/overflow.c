// overflow.c - a fiber that has used up its stack is told so, with its name.
//
// Below each stack lies a page that faults. The handler runs on a stack of its own, knows the
// running fiber, and looks whether the fault lies in that one's page. Then it writes who, where in
// the tree, spawned by which line, and what to do; puts the previous handler back and returns, so
// that the same instruction faults again and the process ends as it would have without us: core
// file, debugger, sanitizer's report. Rooms print nothing; this is the exception, like hy_panic,
// because nobody is left who could.
//
// Every other fault belongs to whoever had the signal before. A previous handler may repair and
// return (collectors do), or give up and put back what it had found, which may have been ours:
// then the two would pass the fault to each other for ever, so that case ends with the default.
//
// All that the handler calls may be called in a handler: write, sigaction, raise.
#include "scope/overflow.h"
#include "scope/inside.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OVERFLOW_STACK_BYTES 65536u
#define OVERFLOW_DEPTH_MAX 32u

static pthread_mutex_t overflow_lock = PTHREAD_MUTEX_INITIALIZER; // guards the installation
static struct sigaction overflow_previous;
static pthread_once_t overflow_once = PTHREAD_ONCE_INIT;
static pthread_key_t overflow_key; // the thread's stack for handlers, if it is ours
static _Thread_local bool overflow_watched;

// ---- the words --------------------------------------------------------------------------------

typedef struct overflow_text {
    char text[1024];
    size_t len;
} overflow_text;

static void overflow_add(overflow_text *out, const char *text) {
    while (*text && out->len < sizeof out->text - 1)
        out->text[out->len++] = *text++;
    out->text[out->len] = 0;
}

static void overflow_add_number(overflow_text *out, size_t number) {
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    overflow_add(out, digits + at);
}

// "root / web / request"; of a very deep one the innermost.
static void overflow_add_path(overflow_text *out, const hy_scope *scope) {
    const hy_scope *path[OVERFLOW_DEPTH_MAX];
    size_t depth = 0;
    for (; scope && depth < OVERFLOW_DEPTH_MAX; scope = scope->parent)
        path[depth++] = scope;
    if (scope) overflow_add(out, "... / ");
    while (depth > 0) {
        overflow_add(out, path[--depth]->name);
        if (depth > 0) overflow_add(out, " / ");
    }
}

static void overflow_add_advice(overflow_text *out, uint32_t stack_class) {
    static const char *const next[] = { NULL, "HY_STACK_64K", "HY_STACK_256K" };
    overflow_add(out, " KiB; ");
    if (stack_class < HY_STACK_256K) {
        overflow_add(out, "spawn it with .stack = ");
        overflow_add(out, next[stack_class]);
        overflow_add(out, " in hy_spawn_options, or keep big arrays off the stack\n");
    } else {
        overflow_add(out,
                     "that is the largest: keep big arrays and deep recursion off the stack\n");
    }
}

static void overflow_describe(const hy_task *task, overflow_text *out) {
    out->len = 0;
    overflow_add(out, "the stack of a fiber overflowed: task ");
    overflow_add(out, task->name ? task->name : "without a name");
    overflow_add(out, " in ");
    overflow_add_path(out, task->scope);
    if (task->place) {
        overflow_add(out, ", spawned at ");
        overflow_add(out, task->place->file);
        overflow_add(out, ":");
        overflow_add_number(out, task->place->line);
    }
    overflow_add(out, ", had ");
    overflow_add_number(out, hyi_stacks_class_size(task->stack_class) >> 10);
    overflow_add_advice(out, task->stack_class);
}

void hyi_overflow_panic(const hy_task *task) {
    overflow_text out;
    overflow_describe(task, &out);
    out.text[out.len - 1] = 0; // the panic ends the line
    hy_panic(__FILE__, __LINE__, out.text);
}

// ---- the handler ------------------------------------------------------------------------------

static bool overflow_is_of(const hy_task *task, const void *address) {
    if (!task || !task->stack) return false;
    const uint8_t *at = (const uint8_t *)address;
    const uint8_t *low = task->stack->low;
    return at < low && at >= low - hyi_stacks_page(task->root->stacks);
}

// Whoever had the signal before us.
static void overflow_pass_on(int number, siginfo_t *info, void *context) {
    struct sigaction ours, after, none = { 0 };
    none.sa_handler = SIG_DFL;
    const struct sigaction previous = overflow_previous;
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

static void overflow_on_fault(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    if (info->si_code > 0 && overflow_is_of(hyi_current, info->si_addr)) {
        overflow_text out;
        overflow_describe(hyi_current, &out);
        ssize_t written = write(STDERR_FILENO, out.text, out.len);
        (void)written; // there is nobody left to tell
        sigaction(number, &overflow_previous, NULL);
    } else {
        overflow_pass_on(number, info, context);
    }
    errno = saved_errno;
}

void hyi_overflow_install(void) {
    pthread_mutex_lock(&overflow_lock);
    struct sigaction now;
    sigaction(SIGSEGV, NULL, &now);
    if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != overflow_on_fault) {
        overflow_previous = now;
        struct sigaction ours = { .sa_sigaction = overflow_on_fault,
                                  .sa_flags = SA_SIGINFO | SA_ONSTACK };
        sigemptyset(&ours.sa_mask);
        sigaction(SIGSEGV, &ours, NULL);
    }
    pthread_mutex_unlock(&overflow_lock);
}

// ---- a stack for it, in every thread that runs fibers -----------------------------------------

static void overflow_drop_stack(void *stack) {
    stack_t none = { .ss_flags = SS_DISABLE };
    sigaltstack(&none, NULL);
    munmap(stack, OVERFLOW_STACK_BYTES);
}

static void overflow_make_key(void) {
    int failed = pthread_key_create(&overflow_key, overflow_drop_stack);
    HY_ASSERT(failed == 0);
}

void hyi_overflow_watch_thread(void) {
    if (overflow_watched) return;
    overflow_watched = true;
    stack_t now;
    if (sigaltstack(NULL, &now) != 0 || !(now.ss_flags & SS_DISABLE)) return;
    void *stack = mmap(NULL, OVERFLOW_STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) return; // an overflow will then end the process without words
    stack_t ours = { .ss_sp = stack, .ss_size = OVERFLOW_STACK_BYTES };
    pthread_once(&overflow_once, overflow_make_key);
    if (sigaltstack(&ours, NULL) != 0 || pthread_setspecific(overflow_key, stack) != 0) {
        overflow_drop_stack(stack);
    }
}
