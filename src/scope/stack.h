// stack.h - stacks for fibers, pooled by size.                     Room: scope.
// Threads: a pool belongs to one thread; the overflow handler is the process's.
//
// One reserved range a class; a guard page below each stack (lightweight guards where the kernel
// has them, else mprotect, and beyond the limit of mappings a canary that is looked at when the
// stack goes back). Tops are coloured, so that many parked fibers do not share cache sets.
#ifndef HYI_SCOPE_STACK_H
#define HYI_SCOPE_STACK_H

#include <hypha/base.h>

typedef struct hyi_stacks hyi_stacks;

typedef struct hyi_stack {
    struct hyi_stack *next; // among the free
    uint8_t *low;           // first usable byte
    uint8_t *top;           // behind the last, coloured; aligned to 16
    uint8_t stack_class;    // hy_stack
    bool guarded;           // false: only a canary
    void *tsan_fiber;       // ThreadSanitizer's
    uint32_t valgrind_id;
} hyi_stack;

HY_CHECKED hy_err hyi_stacks_open(hy_mem *mem, size_t kept_bytes, hyi_stacks **out_stacks);
void hyi_stacks_close(hyi_stacks *stacks);                            // all have been given back
hyi_stack *hyi_stacks_take(hyi_stacks *stacks, uint32_t stack_class); // NULL: no memory
void hyi_stacks_give(hyi_stacks *stacks, hyi_stack *stack);
size_t hyi_stacks_mapped(const hyi_stacks *stacks);
// The deepest use since hyi_stack_paint. Painting touches every page.
void hyi_stack_paint(hyi_stack *stack);
size_t hyi_stack_use(const hyi_stack *stack);

#endif
