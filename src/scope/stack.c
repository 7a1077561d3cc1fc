// stack.c - pools of stacks.
//
//     range:  | guard | stack 0 ... top | guard | stack 1 ... top | ...      16,384 of one class
//
// A range is reserved whole and costs nothing; from its start slabs of 32 stacks are made usable,
// and their control records come from hy_mem, so that a parked fiber's memory holds nothing but its
// own frames. Ranges never shrink: they go when the pool closes.
//
// Free stacks are in two lists. The warm ones still have their pages, latest first, because the
// latest is in the cache. Over `kept_bytes` (a warm stack is counted as a quarter of its size: few
// use more) the second latest is given its pages back and becomes cold. Not the latest: the fiber
// that gives its stack back is still running on it.
//
// Guards. Linux 6.13 has MADV_GUARD_INSTALL: a mark in the page table that needs no mapping of its
// own. Where it is missing each guard is an mprotect, which splits mappings, of which a process may
// have vm.max_map_count (65,530): so the first 16,384 stacks of the process get one. Beyond, the
// guard page is only looked at: nobody else writes there, so it must be zero.
#include "scope/stack.h"
#include "scope/sanitize.h"

#include <hypha/scope.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define STACK_CLASSES 3u
#define STACK_RANGE_STACKS 16384u
#define STACK_SLAB_STACKS 32u
#define STACK_RANGE_SLABS (STACK_RANGE_STACKS / STACK_SLAB_STACKS)
#define STACK_GUARD_PAGES_MAX 16384u
#define STACK_CANARY_BYTES 512u
#define STACK_COLOUR_BYTES 64u // a cache line
#define STACK_COLOURS 32u      // half a page: what a parked fiber uses still fits its top page
#define STACK_KEPT_DEFAULT ((size_t)16 << 20)
#define STACK_PAINT UINT64_C(0xf1be25a5f1be25a5)

typedef struct stack_range {
    struct stack_range *next;
    uint8_t *base;
    size_t size;
    uint32_t slab_count;
    hyi_stack *slabs[STACK_RANGE_SLABS];
} stack_range;

typedef struct stack_pool {
    hyi_stack *warm, *cold;
    uint32_t free_count; // in both
    uint32_t promised;   // of the free ones
    size_t size, stride;
    stack_range *ranges; // the newest grows, the others are full
} stack_pool;

struct hyi_stacks {
    stack_pool pools[STACK_CLASSES];
    hy_mem *mem;
    size_t page;
    size_t warm_bytes, kept_bytes;
    size_t mapped_bytes;
    uint32_t unguarded_count;
    hyi_guard_kind strongest;
};

// Guard pages by mprotect in the process. Relaxed: it only keeps away from a limit.
static atomic_uint stack_guard_pages;

static stack_pool *stack_pool_of(hyi_stacks *stacks, uint32_t stack_class) {
    HY_ASSERT(stack_class >= HY_STACK_16K);
    HY_ASSERT(stack_class <= HY_STACK_256K);
    return &stacks->pools[stack_class - HY_STACK_16K];
}

size_t hyi_stacks_class_size(uint32_t stack_class) {
    return ((size_t)16 << 10) * HYI_STACK_SCALE << (stack_class - HY_STACK_16K) * 2;
}

// ---- opening and closing ----------------------------------------------------------------------

hy_err hyi_stacks_open(hy_mem *mem, size_t kept_bytes, hyi_stacks **out_stacks) {
    hyi_stacks *stacks = (hyi_stacks *)hy_mem_alloc_zero(mem, sizeof *stacks);
    if (!stacks) return HY_NOMEM;
    stacks->mem = mem;
    stacks->page = (size_t)sysconf(_SC_PAGESIZE);
    stacks->kept_bytes = kept_bytes > 0 ? kept_bytes : STACK_KEPT_DEFAULT;
    stacks->strongest = HYI_GUARD_LIGHT;
    for (uint32_t i = 0; i < STACK_CLASSES; i++) {
        stack_pool *pool = &stacks->pools[i];
        pool->size = hyi_stacks_class_size(HY_STACK_16K + i);
        pool->stride = pool->size + stacks->page;
        HY_ASSERT(pool->size % stacks->page == 0);
    }
    *out_stacks = stacks;
    return HY_OK;
}

static void stack_drop_record(hyi_stack *stack) {
    if (stack->guard == HYI_GUARD_NOT_YET) return;
    hyi_asan_allow(stack->low, (size_t)(stack->top - stack->low)); // for who is next at this place
    if (stack->tsan_fiber) hyi_tsan_drop(stack->tsan_fiber);
    if (stack->valgrind_id) hyi_valgrind_remove(stack->valgrind_id - 1);
    if (stack->guard == HYI_GUARD_PAGE) {
        atomic_fetch_sub_explicit(&stack_guard_pages, 1, memory_order_relaxed);
    }
}

static void stack_drop_range(hyi_stacks *stacks, stack_range *range) {
    for (uint32_t i = 0; i < range->slab_count; i++) {
        for (uint32_t j = 0; j < STACK_SLAB_STACKS; j++)
            stack_drop_record(&range->slabs[i][j]);
        hy_mem_free(stacks->mem, range->slabs[i], STACK_SLAB_STACKS * sizeof(hyi_stack));
    }
    int failed = munmap(range->base, range->size);
    HY_ASSERT(failed == 0);
    hy_mem_free(stacks->mem, range, sizeof *range);
}

void hyi_stacks_close(hyi_stacks *stacks) {
    if (!stacks) return;
    for (uint32_t i = 0; i < STACK_CLASSES; i++) {
        while (stacks->pools[i].ranges) {
            stack_range *range = stacks->pools[i].ranges;
            stacks->pools[i].ranges = range->next;
            stack_drop_range(stacks, range);
        }
    }
    hy_mem_free(stacks->mem, stacks, sizeof *stacks);
}

// ---- growing ----------------------------------------------------------------------------------

static stack_range *stack_range_new(hyi_stacks *stacks, stack_pool *pool) {
    stack_range *range = (stack_range *)hy_mem_alloc_zero(stacks->mem, sizeof *range);
    if (!range) return NULL;
    range->size = pool->stride * STACK_RANGE_STACKS;
    void *base =
        mmap(NULL, range->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        hy_mem_free(stacks->mem, range, sizeof *range);
        return NULL;
    }
    range->base = (uint8_t *)base;
    // A huge page would hold thirty stacks and make all of them resident. Refused where the kernel
    // has no huge pages, which is as good.
    (void)madvise(base, range->size, MADV_NOHUGEPAGE);
    range->next = pool->ranges;
    pool->ranges = range;
    return range;
}

// The records of stacks that have never run. Lowest first: neighbours share page tables.
static void stack_slab_fill(stack_pool *pool, uint32_t stack_class, hyi_stack *slab,
                            uint8_t *base) {
    for (uint32_t i = STACK_SLAB_STACKS; i > 0; i--) {
        hyi_stack *stack = &slab[i - 1];
        uint8_t *guard = base + (i - 1) * pool->stride;
        *stack = (hyi_stack){
            .next = pool->cold,
            .low = guard + (pool->stride - pool->size),
            .top = guard + pool->stride - (i - 1) % STACK_COLOURS * STACK_COLOUR_BYTES,
            .stack_class = (uint8_t)stack_class,
        };
        pool->cold = stack;
    }
    pool->free_count += STACK_SLAB_STACKS;
}

static bool stack_pool_grow(hyi_stacks *stacks, uint32_t stack_class) {
    stack_pool *pool = stack_pool_of(stacks, stack_class);
    stack_range *range = pool->ranges;
    if (!range || range->slab_count == STACK_RANGE_SLABS) range = stack_range_new(stacks, pool);
    if (!range) return false;
    size_t slab_bytes = pool->stride * STACK_SLAB_STACKS;
    hyi_stack *slab = (hyi_stack *)hy_mem_alloc(stacks->mem, STACK_SLAB_STACKS * sizeof(hyi_stack));
    if (!slab) return false;
    uint8_t *base = range->base + range->slab_count * slab_bytes;
    if (mprotect(base, slab_bytes, PROT_READ | PROT_WRITE) != 0) {
        hy_mem_free(stacks->mem, slab, STACK_SLAB_STACKS * sizeof(hyi_stack));
        return false;
    }
    range->slabs[range->slab_count++] = slab;
    stacks->mapped_bytes += slab_bytes;
    stack_slab_fill(pool, stack_class, slab, base);
    return true;
}

// ---- guards -----------------------------------------------------------------------------------

static bool stack_guard_by_page(uint8_t *page, size_t size) {
    // Relaxed: the limit may be missed by the number of threads, and it is far from the system's.
    uint32_t before = atomic_fetch_add_explicit(&stack_guard_pages, 1, memory_order_relaxed);
    if (before < STACK_GUARD_PAGES_MAX && mprotect(page, size, PROT_NONE) == 0) return true;
    atomic_fetch_sub_explicit(&stack_guard_pages, 1, memory_order_relaxed);
    return false;
}

static hyi_guard_kind stack_guard(hyi_stacks *stacks, uint8_t *page) {
    if (stacks->strongest <= HYI_GUARD_LIGHT) {
        if (madvise(page, stacks->page, MADV_GUARD_INSTALL) == 0) return HYI_GUARD_LIGHT;
        if (errno == EINVAL) stacks->strongest = HYI_GUARD_PAGE; // unknown to this kernel
    }
    if (stacks->strongest <= HYI_GUARD_PAGE && stack_guard_by_page(page, stacks->page)) {
        return HYI_GUARD_PAGE;
    }
    stacks->unguarded_count++;
    return HYI_GUARD_CANARY;
}

// Reading a page that was never written shows the system's page of zeros and costs no memory.
bool hyi_stack_is_whole(const hyi_stack *stack) {
    if (stack->guard != HYI_GUARD_CANARY) return true;
    const uint64_t *words = (const uint64_t *)(const void *)(stack->low - STACK_CANARY_BYTES);
    uint64_t any = 0;
    for (size_t i = 0; i < STACK_CANARY_BYTES / sizeof *words; i++)
        any |= words[i];
    return any == 0;
}

void hyi_stacks_weaken(hyi_stacks *stacks, hyi_guard_kind strongest) {
    stacks->strongest = strongest;
}

// ---- taking and giving ------------------------------------------------------------------------

bool hyi_stacks_promise(hyi_stacks *stacks, uint32_t stack_class) {
    stack_pool *pool = stack_pool_of(stacks, stack_class);
    if (pool->promised == pool->free_count && !stack_pool_grow(stacks, stack_class)) return false;
    pool->promised++;
    return true;
}

void hyi_stacks_unpromise(hyi_stacks *stacks, uint32_t stack_class) {
    stack_pool *pool = stack_pool_of(stacks, stack_class);
    HY_ASSERT(pool->promised > 0);
    pool->promised--;
}

static void stack_first_use(hyi_stacks *stacks, hyi_stack *stack) {
    stack->guard = (uint8_t)stack_guard(stacks, stack->low - stacks->page);
    stack->look_over = stack->guard == HYI_GUARD_CANARY;
    stack->tsan_fiber = hyi_tsan_make();
    if (hyi_valgrind_runs()) stack->valgrind_id = hyi_valgrind_add(stack->low, stack->top) + 1;
}

// ThreadSanitizer counts the calls of each of its fibers; these never returned.
static void stack_forget_calls(hyi_stack *stack) {
    stack->abandoned = false;
    if (stack->tsan_fiber) hyi_tsan_drop(stack->tsan_fiber);
    stack->tsan_fiber = hyi_tsan_make();
}

hyi_stack *hyi_stacks_take(hyi_stacks *stacks, uint32_t stack_class) {
    stack_pool *pool = stack_pool_of(stacks, stack_class);
    HY_ASSERT(pool->promised > 0);
    HY_ASSERT(pool->promised <= pool->free_count);
    pool->promised--;
    pool->free_count--;
    hyi_stack *stack = pool->warm;
    if (stack) {
        pool->warm = stack->next;
        stacks->warm_bytes -= pool->size / 4;
    } else {
        stack = pool->cold;
        pool->cold = stack->next;
        if (stack->guard == HYI_GUARD_NOT_YET) stack_first_use(stacks, stack);
    }
    hyi_asan_allow(stack->low, pool->size); // of frames that were never left
    if (__builtin_expect(stack->abandoned, 0)) stack_forget_calls(stack);
    return stack;
}

static void stack_cool(hyi_stacks *stacks, stack_pool *pool, hyi_stack *stack) {
    int failed = madvise(stack->low, pool->size, MADV_DONTNEED);
    HY_ASSERT(failed == 0);
    stacks->warm_bytes -= pool->size / 4;
    stack->next = pool->cold;
    pool->cold = stack;
}

void hyi_stacks_give(hyi_stacks *stacks, hyi_stack *stack) {
    stack_pool *pool = stack_pool_of(stacks, stack->stack_class);
    hyi_stack *second = pool->warm;
    stack->next = second;
    pool->warm = stack;
    pool->free_count++;
    stacks->warm_bytes += pool->size / 4;
    if (second && stacks->warm_bytes > stacks->kept_bytes) {
        stack->next = second->next;
        stack_cool(stacks, pool, second);
    }
}

size_t hyi_stacks_mapped(const hyi_stacks *stacks) {
    return stacks->mapped_bytes;
}

uint32_t hyi_stacks_unguarded(const hyi_stacks *stacks) {
    return stacks->unguarded_count;
}

size_t hyi_stacks_page(const hyi_stacks *stacks) {
    return stacks->page;
}

// ---- how deep ---------------------------------------------------------------------------------

void hyi_stack_paint(hyi_stack *stack) {
    hyi_valgrind_allow(stack->low, stack->top - stack->low);
    uint64_t *end = (uint64_t *)(void *)stack->top;
    for (uint64_t *at = (uint64_t *)(void *)stack->low; at < end; at++)
        *at = STACK_PAINT;
    stack->painted = stack->look_over = true;
}

HYI_ASAN_BLIND size_t hyi_stack_use(hyi_stack *stack) {
    hyi_valgrind_allow(stack->low, stack->top - stack->low); // what is below the stack pointer
    stack->painted = false;
    stack->look_over = stack->guard == HYI_GUARD_CANARY;
    const uint64_t *at = (const uint64_t *)(const void *)stack->low;
    const uint64_t *end = (const uint64_t *)(const void *)stack->top;
    while (at < end && *at == STACK_PAINT)
        at++;
    return (size_t)((const uint8_t *)end - (const uint8_t *)at);
}
