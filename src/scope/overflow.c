// overflow.c - a fiber that has used up its stack is told so, with its name.
//
// Below each stack lies a page that faults. The handler runs on a stack of its own, knows the
// running fiber, and looks whether the fault lies in that one's page. Then it writes who, where in
// the tree, spawned by which line, and what to do; puts the previous handler back and returns, so
// that the same instruction faults again and the process ends as it would have without us: core
// file, debugger, sanitizer's report. Rooms print nothing; this is the exception, like hy_panic,
// because nobody is left who could.
//
// Or it is rescued. Where the fiber runs somebody's handler, and whoever runs it (the root's
// hyi_rescue) agrees, and the fault is in the user's own code, so that nothing of ours or of a
// library is half done, the handler changes the interrupted context: the thread goes on in
// hyi_fiber_rescue, which moves the fiber to a fresh stack and ends it from there. The used-up one
// is kept until its blocks are closed. Code of the runtime that such a fiber calls would be half
// done, so it looks at the room that is left before it begins (hyi_stack_need).
//
// Every other fault belongs to whoever had the signal before (crash.c).
//
// All that the handler calls may be called in a handler: write, sigaction, raise.
#include "scope/overflow.h"
#include "scope/crash.h"
#include "scope/inside.h"
#include "scope/sanitize.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#define OVERFLOW_STACK_BYTES 65536u
#define OVERFLOW_DEPTH_MAX 32u
#define OVERFLOW_BELOW_LOOP 4096u // of the world's stack: below the frame that waits there
#define OVERFLOW_DIRECTION_FLAG 0x400
#define OVERFLOW_ENTRY_BYTES 4
#define OVERFLOW_FRAMES_MAX 20000u
#define OVERFLOW_NEED ((size_t)4096 * HYI_STACK_SCALE)

static pthread_mutex_t overflow_lock = PTHREAD_MUTEX_INITIALIZER; // guards the installation
static struct sigaction overflow_previous;
static pthread_once_t overflow_once = PTHREAD_ONCE_INIT;
static pthread_key_t overflow_key; // the thread's stack for handlers, if it is ours
static _Thread_local bool overflow_watched;

static bool overflow_may_rescue(const hy_task *task, uintptr_t pc);

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

void hyi_overflow_look(const hy_task *task) {
    const uint8_t *here = (const uint8_t *)__builtin_frame_address(0);
    const hyi_stack *stack = task->stack;
    if (here < stack->low || here > stack->top || here >= stack->low + OVERFLOW_NEED) return;
    if (overflow_may_rescue(task, 0)) hyi_fiber_rescue();
}

// ---- the handler ------------------------------------------------------------------------------

static bool overflow_is_of(const hy_task *task, const void *address) {
    if (!task || !task->stack) return false;
    const uint8_t *at = (const uint8_t *)address;
    const uint8_t *low = task->stack->low;
    return at < low && at >= low - hyi_stacks_page(task->root->stacks);
}

// Every function of these rooms is listed by the compiler (cmake/room.cmake), where it can.
extern void *const __start___patchable_function_entries[] __attribute__((weak));
extern void *const __stop___patchable_function_entries[] __attribute__((weak));

// Is `pc` in the user's code, and not in these rooms or a library? What the compiler has moved out
// of a function because it is rarely run is not recognised as its function's: that is where a panic
// begins, and little else. Nor is a C library that is
// part of the program (-static).
static bool overflow_in_users_code(uintptr_t pc) {
    extern const char __executable_start[], etext[];
    if (pc < (uintptr_t)__executable_start || pc >= (uintptr_t)etext) return false;
    uintptr_t start = (uintptr_t)_Unwind_FindEnclosingFunction((void *)pc);
    if (start == 0 || !__start___patchable_function_entries) return false;
    void *const *entry = __start___patchable_function_entries;
    for (; entry < __stop___patchable_function_entries; entry++) {
        uintptr_t at = (uintptr_t)*entry; // behind a landing mark (endbr64, bti), if there is one
        if (at >= start && at - start <= OVERFLOW_ENTRY_BYTES) return false;
    }
    return true;
}

typedef struct overflow_walk {
    uintptr_t pc;        // of the fault: what is above it are handlers; 0: in a call of ours
    bool begun, in_user; // a frame of the user's was seen; the latest was one
    bool is_called_back; // by somebody who is in the middle of something
    uint32_t frames;
} overflow_walk;

static _Unwind_Reason_Code overflow_step(struct _Unwind_Context *frame, void *arg) {
    overflow_walk *walk = (overflow_walk *)arg;
    int is_exact = 0;
    uintptr_t pc = _Unwind_GetIPInfo(frame, &is_exact);
    if (walk->pc != 0) {
        if (pc != walk->pc) return _URC_NO_REASON;
        walk->pc = 0;
        is_exact = 1;
    }
    bool in_user = overflow_in_users_code(is_exact ? pc : pc - 1);
    if (in_user && walk->begun && !walk->in_user) walk->is_called_back = true;
    if (in_user) walk->begun = true;
    walk->in_user = in_user;
    return ++walk->frames < OVERFLOW_FRAMES_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// Only what was called by nobody but the user's own code, up to the one call by these rooms that
// everything on a fiber begins with. Other libraries call back, too, and may hold a lock meanwhile;
// and our own rooms may be half way through what their caller relies on. A recursion that is too
// deep to be walked is taken for what its innermost frames are.
static bool overflow_is_the_users(uintptr_t pc) {
    overflow_walk walk = { .pc = pc };
    if (pc != 0 && !overflow_in_users_code(pc)) return false;
    (void)_Unwind_Backtrace(overflow_step, &walk);
    return walk.begun && !walk.is_called_back;
}

// All that can be known here: the fiber can be ended where it is, and whoever runs it says that it
// was in nobody's code but the user's.
static bool overflow_may_rescue(const hy_task *task, uintptr_t pc) {
    const hyi_rescue *rescue = task->root->rescue;
    if (!rescue || !task->rescuable || task->spoilt) return false;
    return hyi_fiber_can_exit() && rescue->may(rescue->self, task, pc) && overflow_is_the_users(pc);
}

// The interrupted thread goes on in hyi_fiber_rescue, on the world's stack, well below the place
// where that waits for the fibers.
static bool overflow_redirect(const hy_task *task, ucontext_t *context) {
    uintptr_t pc = hyi_overflow_pc(context);
    uintptr_t sp = ((uintptr_t)task->root->loop_sp - OVERFLOW_BELOW_LOOP) & ~(uintptr_t)15;
    if (!overflow_may_rescue(task, pc)) return false;
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)hyi_fiber_rescue;
    context->uc_mcontext.gregs[REG_RSP] = (greg_t)(sp - 8); // as behind a call
    context->uc_mcontext.gregs[REG_RBP] = 0;
    context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)OVERFLOW_DIRECTION_FLAG;
    return true;
#elif defined(__aarch64__)
    context->uc_mcontext.pc = (uintptr_t)hyi_fiber_rescue;
    context->uc_mcontext.sp = sp;
    context->uc_mcontext.regs[29] = context->uc_mcontext.regs[30] = 0;
    return true;
#else
    (void)sp;
    return false;
#endif
}

uintptr_t hyi_overflow_pc(const void *context) {
    const ucontext_t *from = (const ucontext_t *)context;
#if defined(__x86_64__)
    return (uintptr_t)from->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)from->uc_mcontext.pc;
#else
    (void)from;
    return 0;
#endif
}

static void overflow_on_fault(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    if (info->si_code > 0 && overflow_is_of(hyi_current, info->si_addr)) {
        if (overflow_redirect(hyi_current, (ucontext_t *)context)) {
            errno = saved_errno;
            return;
        }
        overflow_text out;
        overflow_describe(hyi_current, &out);
        ssize_t written = write(STDERR_FILENO, out.text, out.len);
        (void)written; // there is nobody left to tell
        hyi_crash_tell(number, info, context);
        sigaction(number, &overflow_previous, NULL);
    } else {
        hyi_crash_tell(number, info, context);
        hyi_crash_pass_on(&overflow_previous, number, info, context);
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
