// slab.h - blocks of few sizes, from the worker's own memory.             Room: actor.
// Includes: scope. Threads: said for each function; hyi_block_* of inside.h are everybody's.
//
// A page is 64 KiB at a multiple of 64 KiB, has one owner and one class, and is never given back
// before the node closes. So the owner and the class of a block are found by masking its address,
// and a block may be freed wherever the message ended: at home it goes on the class's free list; on
// another worker it goes into a bag for its owner: a free block with the addresses of six others.
// Bags are handed over with one exchange when there are five, or before the worker sleeps, and the
// owner takes from them when a free list is empty. So it does not follow a chain through lines that
// lie in another core's cache. (Pages and batches are those of Pony's pools,
// src/libponyrt/mem/POOL_ARENA.md.)
//
// What is larger than the largest class, or asked for by no worker, comes from a hy_mem, which is
// written before the block.
#ifndef HYI_ACTOR_SLAB_H
#define HYI_ACTOR_SLAB_H

#include "actor/inside.h"
#include "scope/sanitize.h"

#define HYI_BLOCK_LARGE HYI_BLOCK_CLASSES // the class of what has none

// A slab's worth of blocks for `worker`. HY_NOMEM.
HY_CHECKED hy_err hyi_slabs_open(hyi_worker *worker);
// Gives all pages back, whoever holds blocks of them. After all workers have stopped. NULL is fine.
void hyi_slabs_close(hyi_worker *worker);
// Before its memory is taken away from it: free blocks may be written to again.
void hyi_slabs_allow(hyi_worker *worker);
// Is every block back? After all workers have flushed and stopped. Looks at all of them.
bool hyi_slabs_are_whole(hyi_worker *worker);
// Owner: hands over what was freed here and belongs to others.
void hyi_slabs_flush(hyi_worker *worker);
size_t hyi_slabs_bytes(const hyi_worker *worker); // pages so far; any thread

// ---- the short ways -------------------------------------------------------------------------

#define HYI_PAGE_BYTES 65536u

typedef struct hyi_page { // at the start of each page
    hyi_worker *worker;
    uint32_t block_class;
} hyi_page;

static inline hyi_page *hyi_page_of(const void *block) {
    return (hyi_page *)((uintptr_t)block & ~(uintptr_t)(HYI_PAGE_BYTES - 1));
}

static inline uint32_t hyi_block_class_of(size_t size) {
    if (size <= 64) return 0;
    if (size <= 1024) return 26 - (uint32_t)__builtin_clz((uint32_t)size - 1);
    return size <= 4096 ? HYI_BLOCK_CLASSES - 1 : HYI_BLOCK_LARGE;
}

static inline uint32_t hyi_block_class_size(uint32_t block_class) {
    return block_class < HYI_BLOCK_CLASSES - 1 ? 64u << block_class : 4096u;
}

// The worker's own, of this thread. NULL: no memory.
void *hyi_block_fetch(hyi_worker *worker, uint32_t block_class);
static inline void *hyi_block_take(hyi_worker *worker, uint32_t block_class) {
    hyi_free_block *block = worker->free_blocks[block_class];
    if (__builtin_expect(!block, 0)) return hyi_block_fetch(worker, block_class);
    hyi_asan_allow(block, hyi_block_class_size(block_class));
    worker->free_blocks[block_class] = block->next;
    __builtin_prefetch(block->next, 1); // with many in use it has left the cache
    return block;
}

static inline void hyi_block_keep(hyi_worker *worker, void *block, uint32_t block_class) {
    hyi_free_block *freed = (hyi_free_block *)block;
    freed->next = worker->free_blocks[block_class];
    worker->free_blocks[block_class] = freed;
    hyi_asan_forbid(freed + 1, hyi_block_class_size(block_class) - sizeof *freed);
}

static inline void hyi_block_give(hyi_worker *here, void *block, uint8_t block_class) {
    if (__builtin_expect(block_class < HYI_BLOCK_CLASSES && hyi_page_of(block)->worker == here,
                         1)) {
        hyi_block_keep(here, block, block_class);
    } else {
        hyi_block_free(block, block_class);
    }
}

#endif
