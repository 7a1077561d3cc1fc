// incident.c - the record of a crash: which signal, where, and what the worker was doing.
//
// After a SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT nothing can be trusted, so nothing is
// repaired. What can be done is to tell whoever starts the process again: a small text file, a line
// for each fact, written in the signal handler with nothing but open and write. The facts come in
// three parts, each written before the next is looked for, because looking may crash:
//
//     the signal     number, address, program counter, process
//     the work       worker, actor (ref, type, name), message: read through pointers of the runtime
//     the calls      return addresses, and where the image begins, for addr2line
//
// The record is `key: value` in lines; it ends with "end: 1" if nothing crashed on the way. The
// signal is told by scope/crash.h, once in the life of the process.
#include "actor/incident.h"

#include "scope/above.h"
#include "scope/crash.h"
#include "scope/overflow.h"

#include <execinfo.h>
#include <string.h>
#include <unistd.h>

#define INCIDENT_FRAMES_MAX 64
#define INCIDENT_TEXT_MAX 4096u
#define INCIDENT_NAME_MAX 128u

typedef struct incident {
    hy_node *node;
    size_t path_size;
    char text[INCIDENT_TEXT_MAX]; // of the part that is being made
    size_t len;
    bool more; // the file has a part already
    char path[];
} incident;

// The one that is set; read by hyi_incident_close alone, under the keeper's turn.
static _Atomic(incident *) incident_set;

// ---- lines ------------------------------------------------------------------------------------

static void incident_add(incident *it, const char *text) {
    while (*text && it->len < INCIDENT_TEXT_MAX)
        it->text[it->len++] = *text++;
}

// A name of the program's: printed as far as it is one.
static void incident_add_name(incident *it, const char *name) {
    for (size_t i = 0; name && name[i] && i < INCIDENT_NAME_MAX; i++) {
        bool plain = name[i] >= ' ' && name[i] < 127;
        incident_add(it, (char[]){ plain ? name[i] : '?', 0 });
    }
}

static void incident_add_number(incident *it, uint64_t number, uint32_t base) {
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    if (base == 16) incident_add(it, "0x");
    incident_add(it, digits + at);
}

static void incident_line(incident *it, const char *key, uint64_t number, uint32_t base) {
    incident_add(it, key);
    incident_add(it, ": ");
    incident_add_number(it, number, base);
    incident_add(it, "\n");
}

static void incident_text_line(incident *it, const char *key, const char *text) {
    incident_add(it, key);
    incident_add(it, ": ");
    incident_add_name(it, text);
    incident_add(it, "\n");
}

static void incident_flush(incident *it) {
    (void)hy_last_words(it->path, (hy_bytes){ (const uint8_t *)it->text, it->len }, it->more);
    it->more = true;
    it->len = 0;
}

// ---- the parts --------------------------------------------------------------------------------

static const char *incident_signal_name(int number) {
    switch (number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    case SIGABRT: return "SIGABRT";
    default: return "signal";
    }
}

static void incident_say_signal(incident *it, int number, const siginfo_t *info,
                                const void *context) {
    extern const char __executable_start[];
    incident_line(it, "incident", 1, 10);
    incident_text_line(it, "signal", incident_signal_name(number));
    incident_line(it, "signal number", (uint64_t)number, 10);
    bool is_fault = info->si_code > 0;
    if (is_fault) incident_line(it, "address", (uintptr_t)info->si_addr, 16);
    incident_line(it, "pc", hyi_overflow_pc(context), 16);
    incident_line(it, "image", (uintptr_t)__executable_start, 16);
    incident_line(it, "process", (uint64_t)getpid(), 10);
    incident_flush(it);
}

static void incident_say_actor(incident *it, const hy_actor *actor, const hyi_message *message) {
    incident_line(it, "actor", hyi_ref_of(actor).id, 16);
    incident_text_line(it, "type", actor->type ? actor->type->name : NULL);
    if (actor->kin && actor->kin->name[0]) incident_text_line(it, "name", actor->kin->name);
    if (message) incident_line(it, "message", message->tag, 10);
}

// A worker's own thread, or none of this node's. The handler may have waited: then its fiber knows
// whose it is.
static void incident_say_work(incident *it) {
    const hyi_worker *worker = hyi_here;
    incident_text_line(it, "node", it->node->options.name);
    if (worker && worker->node == it->node) {
        incident_line(it, "worker", worker->number, 10);
        const hyi_dispatcher *at =
            hyi_current ? (const hyi_dispatcher *)hyi_task_word(hyi_current) : NULL;
        bool is_lent = at && at->actor;
        const hy_actor *actor = is_lent ? at->actor : worker->running;
        if (actor) incident_say_actor(it, actor, is_lent ? at->handling : worker->handling);
    }
    incident_flush(it);
}

static void incident_say_calls(incident *it) {
    void *frames[INCIDENT_FRAMES_MAX];
    int count = backtrace(frames, INCIDENT_FRAMES_MAX);
    for (int i = 0; i < count; i++)
        incident_line(it, "call", (uintptr_t)frames[i], 16);
    incident_line(it, "end", 1, 10);
    incident_flush(it);
}

static void incident_write(void *self, int number, const siginfo_t *info, const void *context) {
    incident *it = (incident *)self;
    incident_say_signal(it, number, info, context);
    incident_say_work(it);
    incident_say_calls(it);
}

// ---- opening and closing ----------------------------------------------------------------------

hy_err hyi_incident_open(hy_node *node) {
    const char *path = node->options.incident_path;
    if (!path || !node->is_real) return HY_OK;
    size_t path_size = strlen(path) + 1;
    incident *it = (incident *)hy_mem_alloc_zero(node->mem, sizeof *it + path_size);
    if (!it) return HY_NOMEM;
    it->node = node;
    it->path_size = path_size;
    memcpy(it->path, path, path_size);
    void *frame;
    backtrace(&frame, 1); // loads what it needs now; inside the handler it could not
    if (hyi_crash_on(incident_write, it) == HY_OK) {
        // Relaxed: read by the keeper of the same node only.
        atomic_store_explicit(&incident_set, it, memory_order_relaxed);
    } else {
        hy_mem_free(node->mem, it, sizeof *it + path_size);
    }
    return HY_OK;
}

void hyi_incident_close(hy_node *node) {
    incident *it = atomic_load_explicit(&incident_set, memory_order_relaxed);
    if (!it || it->node != node) return;
    atomic_store_explicit(&incident_set, NULL, memory_order_relaxed);
    hyi_crash_off(it);
    hy_mem_free(node->mem, it, sizeof *it + it->path_size);
}
