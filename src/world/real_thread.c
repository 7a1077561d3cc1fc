// real_thread.c - threads, which nothing but this room may start.
//
// Two kinds of callers: the pool for blocking work (real_work.c), and rooms above that run one
// world a thread (hy_thread_start). What they share is the signals. Those that are sent to the
// process stay with the threads of the program, which decides who handles them: ours begin with
// them blocked. The signals of faults are left alone: the kernel answers a blocked fault by killing
// the process without asking any handler, and with it would go the words that guard.c and a fiber's
// overflow have to say.
//
// A thread is told its processor and its stack before it begins, and names itself when it does. The
// record belongs to whoever joins; the thread only reads it, so nothing in it is atomic: creating
// and joining are the two synchronisations there are.
#include "world/real.h"
#include "base/options.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define THREAD_NAME_SIZE 16u // with the NUL: the kernel's limit

struct hy_thread {
    hy_mem *mem;
    void (*run)(void *arg);
    void *arg;
    pthread_t thread;
    char name[THREAD_NAME_SIZE];
};

bool hyi_real_thread_create(pthread_t *out_thread, const pthread_attr_t *attributes,
                            void *(*run)(void *), void *arg) {
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int failed = pthread_create(out_thread, attributes, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

// ---- processors -------------------------------------------------------------------------------

// Of the process, that is its first thread: a thread that is pinned asks for the others too.
static void thread_allowed(cpu_set_t *out_set) {
    if (sched_getaffinity(getpid(), sizeof *out_set, out_set) == 0) return;
    CPU_ZERO(out_set); // more processors than the set has bits: the first of them will do
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        CPU_SET(i, out_set);
}

uint32_t hy_world_cores(const hy_world *world) {
    if (!world->door->is_real) return 1;
    cpu_set_t set;
    thread_allowed(&set);
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}

// HY_RANGE: fewer than that are allowed.
static hy_err thread_pin(pthread_attr_t *attributes, uint32_t index) {
    cpu_set_t allowed, one;
    thread_allowed(&allowed);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &allowed) || index-- > 0) continue;
        CPU_SET(i, &one);
        return pthread_attr_setaffinity_np(attributes, sizeof one, &one) ? HY_NOMEM : HY_OK;
    }
    return HY_RANGE;
}

// ---- starting and joining ---------------------------------------------------------------------

static void *thread_main(void *argument) {
    hy_thread *self = (hy_thread *)argument;
    if (self->name[0]) pthread_setname_np(pthread_self(), self->name);
    self->run(self->arg);
    return NULL;
}

static hy_err thread_set_stack(pthread_attr_t *attributes, uint64_t stack_bytes) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), least = (uint64_t)PTHREAD_STACK_MIN;
    uint64_t bytes = stack_bytes > least ? stack_bytes : least;
    if (bytes > SIZE_MAX - page) return HY_LIMIT;
    size_t whole = (size_t)((bytes + page - 1) / page * page);
    return pthread_attr_setstacksize(attributes, whole) ? HY_LIMIT : HY_OK;
}

static hy_err thread_create(hy_thread *thread, const hy_thread_options *options) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return HY_NOMEM;
    hy_err err = HY_OK;
    if (options->stack_bytes > 0) err = thread_set_stack(&attributes, options->stack_bytes);
    if (err == HY_OK && options->cpu > 0) err = thread_pin(&attributes, options->cpu - 1);
    if (err == HY_OK &&
        !hyi_real_thread_create(&thread->thread, &attributes, thread_main, thread)) {
        err = HY_LIMIT;
    }
    pthread_attr_destroy(&attributes);
    return err;
}

hy_err hy_thread_start(hy_world *world, const hy_thread_options *given, void (*run)(void *arg),
                       void *arg, hy_thread **out_thread) {
    HY_ASSERT(run != NULL);
    hy_thread_options options;
    hyi_options_read(&options, sizeof options, given);
    if (!world->door->is_real) return HY_UNSUPPORTED;
    hy_thread *thread = (hy_thread *)hy_mem_alloc_zero(world->mem, sizeof *thread);
    if (!thread) return HY_NOMEM;
    thread->mem = world->mem;
    thread->run = run;
    thread->arg = arg;
    if (options.name) {
        size_t len = strlen(options.name);
        HY_ASSERT(len < THREAD_NAME_SIZE);
        memcpy(thread->name, options.name, len);
    }
    hy_err err = thread_create(thread, &options);
    if (err) {
        hy_mem_free(world->mem, thread, sizeof *thread);
        return err;
    }
    *out_thread = thread;
    return HY_OK;
}

void hy_thread_join(hy_thread *thread) {
    if (!thread) return;
    HY_ASSERT(!pthread_equal(thread->thread, pthread_self()));
    int failed = pthread_join(thread->thread, NULL);
    HY_ASSERT(failed == 0);
    hy_mem_free(thread->mem, thread, sizeof *thread);
}
