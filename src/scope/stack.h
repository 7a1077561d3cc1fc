// stack.h - stacks for fibers, pooled by size.                     Room: scope.
// Threads: a pool belongs to one thread; the number of guard pages is counted for the process.
//
// Reserved ranges for each class; a guard page below each stack (lightweight guards where the
// kernel has them, else mprotect, and beyond the limit of mappings a page that is looked at when
// the stack goes back). Tops are coloured, so that many parked fibers do not share cache sets.
//
// A task takes its stack when it first runs, but is promised one when it is spawned: so taking
// cannot fail, and tasks that run one after the other share one warm stack.
#ifndef HYI_SCOPE_STACK_H
#define HYI_SCOPE_STACK_H

#include <hypha/base.h>

typedef struct hyi_stacks hyi_stacks;

typedef enum hyi_guard_kind {
    HYI_GUARD_NOT_YET,
    HYI_GUARD_LIGHT,  // MADV_GUARD_INSTALL, Linux 6.13: costs no mapping
    HYI_GUARD_PAGE,   // mprotect: one more mapping a stack, and the system limits those
    HYI_GUARD_CANARY, // nothing stops a write; hyi_stacks_give finds it
} hyi_guard_kind;

typedef struct hyi_stack {
    struct hyi_stack *next; // among the free
    uint8_t *low;           // first usable byte; the guard page ends here
    uint8_t *top;           // behind the last, coloured; aligned to 16
    uint8_t stack_class;    // hy_stack, never HY_STACK_DEFAULT
    uint8_t guard;          // hyi_guard_kind
    bool painted;           // for hyi_stack_use
    bool look_over;         // when a fiber ends on it: painted, or not really guarded
    bool abandoned;         // the latest fiber ended with calls open (hyi_fiber_quit)
    uint32_t valgrind_id;
    void *tsan_fiber; // ThreadSanitizer's
} hyi_stack;

HY_CHECKED hy_err hyi_stacks_open(hy_mem *mem, size_t kept_bytes, hyi_stacks **out_stacks);
void hyi_stacks_close(hyi_stacks *stacks); // NULL is fine; stacks that are out are gone too
// From now on one take of that class will not fail. False: no memory.
HY_CHECKED bool hyi_stacks_promise(hyi_stacks *stacks, uint32_t stack_class);
void hyi_stacks_unpromise(hyi_stacks *stacks, uint32_t stack_class);  // it is not needed
hyi_stack *hyi_stacks_take(hyi_stacks *stacks, uint32_t stack_class); // keeps a promise
// May be the stack that the caller runs on: it stays as it is until the next take.
void hyi_stacks_give(hyi_stacks *stacks, hyi_stack *stack);
// False: somebody has written below it (where only a canary was), and that memory cannot be
// trusted.
bool hyi_stack_is_whole(const hyi_stack *stack);
size_t hyi_stacks_mapped(const hyi_stacks *stacks);      // bytes that may be touched
uint32_t hyi_stacks_unguarded(const hyi_stacks *stacks); // made with a canary only
size_t hyi_stacks_page(const hyi_stacks *stacks);        // of the system; a guard is one
size_t hyi_stacks_class_size(uint32_t stack_class);      // usable bytes, but for the colour
// For tests: the strongest guard that new stacks get.
void hyi_stacks_weaken(hyi_stacks *stacks, hyi_guard_kind strongest);

// The deepest use since hyi_stack_paint, in bytes. Painting touches every page, and is for a stack
// on which nobody runs.
void hyi_stack_paint(hyi_stack *stack);
size_t hyi_stack_use(hyi_stack *stack); // once

#endif
