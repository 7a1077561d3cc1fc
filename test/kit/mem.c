// mem.c - memory that fails on request and remembers what is out.
//
// Every block carries its size and a generation in front. The size proves that callers pass the
// exact old_size that the hy_mem contract demands. The generation keeps a block that one run leaked
// from being counted in the next. Blocks move on every resize and are filled with junk when they
// are born and when they die, so that a pointer kept across a resize is noticed even without a
// sanitizer.
//
// Tests may start threads, so the counters are atomic; no counter guards other memory, hence
// relaxed.
#include "kit/internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEM_MAGIC 0x68797068616b6974u
#define MEM_FRESH 0xa5
#define MEM_DEAD 0xdd

typedef struct mem_head {
    uint64_t magic;
    uint64_t size;
    uint64_t generation; // 0: the heap without a plan, never counted
    uint64_t padding;    // keeps the block behind it on 16 bytes
} mem_head;

_Static_assert(sizeof(mem_head) % 16 == 0, "blocks stay on 16 bytes");

static void *mem_resize_test(hy_mem *self, void *ptr, size_t old_size, size_t new_size);
static void *mem_resize_heap(hy_mem *self, void *ptr, size_t old_size, size_t new_size);

static hy_mem mem_test = { mem_resize_test };
static hy_mem mem_heap = { mem_resize_heap };
static kit_plan mem_plan;
static atomic_uint_fast64_t mem_generation, mem_allocations, mem_injected, mem_blocks, mem_bytes;

static uint64_t mem_read(atomic_uint_fast64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void mem_add(atomic_uint_fast64_t *counter, uint64_t by) {
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

hy_mem *kit_mem_begin(kit_plan plan) {
    mem_plan = plan;
    mem_add(&mem_generation, 1);
    atomic_store(&mem_allocations, 0);
    atomic_store(&mem_injected, 0);
    atomic_store(&mem_blocks, 0);
    atomic_store(&mem_bytes, 0);
    return &mem_test;
}

kit_account kit_mem_account(void) {
    return (kit_account){ .allocations = mem_read(&mem_allocations),
                          .injected = mem_read(&mem_injected),
                          .live_blocks = mem_read(&mem_blocks),
                          .live_bytes = mem_read(&mem_bytes) };
}

hy_mem *kit_heap(void) {
    return &mem_heap;
}

bool kit_failed_allocation(void) {
    return mem_read(&mem_injected) > 0;
}

static void mem_count(const mem_head *head, int64_t sign) {
    if (head->generation == 0 || head->generation != mem_read(&mem_generation)) return;
    mem_add(&mem_blocks, (uint64_t)sign);
    mem_add(&mem_bytes, (uint64_t)sign * head->size);
}

static HY_NORETURN void mem_misuse(const char *what, uint64_t is, uint64_t said) {
    fprintf(stderr, "kit: %s (the block has %llu bytes, the caller says %llu)\n", what,
            (unsigned long long)is, (unsigned long long)said);
    abort();
}

static mem_head *mem_head_of(void *ptr, size_t old_size) {
    mem_head *head = (mem_head *)ptr - 1;
    if (head->magic != MEM_MAGIC) mem_misuse("not a block, or freed twice", 0, old_size);
    if (head->size != old_size) mem_misuse("wrong old_size", head->size, old_size);
    return head;
}

static void *mem_move(void *ptr, size_t old_size, size_t new_size, uint64_t generation) {
    mem_head *old = ptr == NULL ? NULL : mem_head_of(ptr, old_size);
    if (old == NULL && old_size != 0) mem_misuse("old_size without a block", 0, old_size);
    uint8_t *body = NULL;
    if (new_size > 0) {
        mem_head *head = malloc(sizeof *head + new_size);
        if (head == NULL) return NULL;
        *head = (mem_head){ MEM_MAGIC, new_size, generation, 0 };
        body = (uint8_t *)(head + 1);
        memset(body, MEM_FRESH, new_size);
        if (old != NULL) memcpy(body, ptr, old_size < new_size ? old_size : new_size);
        mem_count(head, 1);
    }
    if (old != NULL) {
        mem_count(old, -1);
        old->magic = 0;
        memset(ptr, MEM_DEAD, old_size);
        free(old);
    }
    return body;
}

static void *mem_resize_heap(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    (void)self;
    return mem_move(ptr, old_size, new_size, 0);
}

// Only growth fails: to shrink or to free cannot run out of memory.
static void *mem_resize_test(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    (void)self;
    if (new_size > old_size) {
        uint64_t number = atomic_fetch_add(&mem_allocations, 1) + 1;
        bool fails = mem_plan.fail_at != 0 && (number == mem_plan.fail_at ||
                                               (mem_plan.persistent && number > mem_plan.fail_at));
        if (fails) {
            mem_add(&mem_injected, 1);
            return NULL;
        }
    }
    return mem_move(ptr, old_size, new_size, mem_read(&mem_generation));
}
