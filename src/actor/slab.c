// slab.c - the blocks that messages and states lie in.
//
// The way of a block in a steady state is two loads and a store to take it and the same to give it
// back, without any look at another thread: first the free list of the class, then what others have
// freed, then a place in a page that was never used, then a new page. Pages come in spans that
// double, so that small nodes (tests have hundreds) stay small and large ones ask rarely.
//
// Invariants: a block in a free list belongs to this worker and to the list's class. `away[n]`
// holds blocks of worker n only. In builds with AddressSanitizer all of a free block but its link
// is forbidden.
#include "actor/slab.h"

#define SLAB_PAGE_BYTES HYI_PAGE_BYTES
#define SLAB_HEADER_BYTES 64u
#define SLAB_BAG_BLOCKS 6u
#define SLAB_AWAY_BAGS 5u // are handed over together
#define SLAB_SPAN_PAGES_FIRST 1u
#define SLAB_SPAN_PAGES_MAX 128u // 8 MiB

_Static_assert(sizeof(hyi_page) <= SLAB_HEADER_BYTES, "blocks are lines");

typedef struct slab_span {
    struct slab_span *next;
    size_t size;
} slab_span;

// A free block with the addresses of others of its class.
typedef struct slab_bag {
    struct slab_bag *next;
    uint32_t count;
    uint32_t block_class;
    void *blocks[SLAB_BAG_BLOCKS];
} slab_bag;
_Static_assert(sizeof(slab_bag) <= 64, "the smallest block is a bag");

typedef struct slab_away {
    slab_bag *open[HYI_BLOCK_CLASSES]; // that is being filled; NULL: none
    slab_bag *first, *last;            // full ones
    uint32_t count;
} slab_away;

typedef struct hyi_slabs {
    uint8_t *fresh[HYI_BLOCK_CLASSES]; // never used so far, of the newest page of the class
    uint8_t *fresh_end[HYI_BLOCK_CLASSES];
    uint32_t pages_of[HYI_BLOCK_CLASSES];
    slab_bag *bags[HYI_BLOCK_CLASSES]; // that came back
    slab_away *away[HYI_WORKERS_MAX];  // NULL: nothing so far
    slab_span *spans;
    uint8_t *pages, *pages_end; // of the newest span, not used so far
    uint32_t span_pages;        // of the next span
    _Atomic size_t bytes;
} hyi_slabs;

typedef struct slab_large { // before a block of no class
    hy_node *node;          // NULL: the system's memory
    size_t size;            // with this
} slab_large;
_Static_assert(sizeof(slab_large) == 16, "blocks are 16-aligned");

static void *slab_large_alloc(size_t size);
static void slab_free_foreign(void *block, hyi_page *page);

// ---- opening and closing ----------------------------------------------------------------------

hy_err hyi_slabs_open(hyi_worker *worker) {
    hyi_slabs *slabs = (hyi_slabs *)hy_mem_alloc_zero(worker->node->mem, sizeof *slabs);
    if (!slabs) return HY_NOMEM;
    slabs->span_pages = SLAB_SPAN_PAGES_FIRST;
    worker->slabs = slabs;
    return HY_OK;
}

void hyi_slabs_close(hyi_worker *worker) {
    hyi_slabs *slabs = worker->slabs;
    if (!slabs) return;
    while (slabs->spans) {
        slab_span *span = slabs->spans;
        slabs->spans = span->next;
        hyi_asan_allow(span, span->size);
        hy_mem_free(worker->node->mem, span, span->size);
    }
    for (uint32_t i = 0; i < HYI_WORKERS_MAX; i++)
        hy_mem_free(worker->node->mem, slabs->away[i], slabs->away[i] ? sizeof(slab_away) : 0);
    hy_mem_free(worker->node->mem, slabs, sizeof *slabs);
    worker->slabs = NULL;
}

void hyi_slabs_allow(hyi_worker *worker) {
    for (slab_span *span = worker->slabs->spans; span; span = span->next)
        hyi_asan_allow(span, span->size);
}

size_t hyi_slabs_bytes(const hyi_worker *worker) {
    return worker->slabs ? atomic_load_explicit(&worker->slabs->bytes, memory_order_relaxed) : 0;
}

// ---- taking -----------------------------------------------------------------------------------

void *hyi_block_alloc(size_t size, uint8_t *out_class) {
    hyi_worker *worker = hyi_here;
    uint32_t block_class = hyi_block_class_of(size);
    if (__builtin_expect(!worker || block_class == HYI_BLOCK_LARGE, 0)) {
        *out_class = HYI_BLOCK_LARGE;
        return slab_large_alloc(size);
    }
    *out_class = (uint8_t)block_class;
    return hyi_block_take(worker, block_class);
}

size_t hyi_block_size(const void *block, uint8_t block_class) {
    if (block_class < HYI_BLOCK_CLASSES) return hyi_block_class_size(block_class);
    return ((const slab_large *)block)[-1].size - sizeof(slab_large);
}

// Sorts what others have freed into the bags of its class.
static void slab_take_in(hyi_worker *worker) {
    if (!atomic_load_explicit(&worker->blocks_inbox, memory_order_relaxed)) return;
    // Acquire: pairs with the release in slab_hand_over; the bags and blocks are the owner's now.
    void *all = atomic_exchange_explicit(&worker->blocks_inbox, NULL, memory_order_acquire);
    for (slab_bag *bag = (slab_bag *)all; bag;) {
        slab_bag *next = bag->next;
        __builtin_prefetch(next);
        bag->next = worker->slabs->bags[bag->block_class];
        worker->slabs->bags[bag->block_class] = bag;
        bag = next;
    }
}

// Out of the bags, at last the bag itself. NULL: there is none.
static void *slab_from_bags(hyi_slabs *slabs, uint32_t block_class) {
    slab_bag *bag = slabs->bags[block_class];
    if (!bag) return NULL;
    void *block = bag;
    if (bag->count > 0) {
        block = bag->blocks[--bag->count];
    } else {
        slabs->bags[block_class] = bag->next;
        if (bag->next) __builtin_prefetch(bag->next);
    }
    hyi_asan_allow(block, hyi_block_class_size(block_class));
    return block;
}

// Counted against messages_bytes_max, by whole spans: what is in the slabs may be needed at any
// moment. NULL: no memory, or too much.
static void *slab_from_node(hy_node *node, size_t size) {
    size_t max = node->options.messages_bytes_max;
    size_t before = atomic_fetch_add_explicit(&node->messages_bytes, size, memory_order_relaxed);
    void *got = max > 0 && before + size > max ? NULL : hy_mem_alloc(node->mem, size);
    if (!got) atomic_fetch_sub_explicit(&node->messages_bytes, size, memory_order_relaxed);
    return got;
}

static bool slab_new_span(hyi_worker *worker) {
    hyi_slabs *slabs = worker->slabs;
    hy_node *node = worker->node;
    // One page more than is used, for the alignment.
    size_t size = ((size_t)slabs->span_pages + 1) * SLAB_PAGE_BYTES;
    slab_span *span = (slab_span *)slab_from_node(node, size);
    if (!span) return false;
    span->next = slabs->spans;
    span->size = size;
    slabs->spans = span;
    uintptr_t first =
        ((uintptr_t)(span + 1) + SLAB_PAGE_BYTES - 1) & ~(uintptr_t)(SLAB_PAGE_BYTES - 1);
    slabs->pages = (uint8_t *)first;
    slabs->pages_end =
        slabs->pages + ((uintptr_t)span + size - first) / SLAB_PAGE_BYTES * SLAB_PAGE_BYTES;
    if (slabs->span_pages < SLAB_SPAN_PAGES_MAX) slabs->span_pages *= 2;
    HYI_BUMP(slabs->bytes, size);
    return true;
}

static bool slab_new_page(hyi_worker *worker, uint32_t block_class) {
    hyi_slabs *slabs = worker->slabs;
    if (slabs->pages == slabs->pages_end && !slab_new_span(worker)) return false;
    hyi_page *page = (hyi_page *)(void *)slabs->pages;
    slabs->pages += SLAB_PAGE_BYTES;
    page->worker = worker;
    page->block_class = block_class;
    slabs->pages_of[block_class]++;
    uint32_t size = hyi_block_class_size(block_class);
    slabs->fresh[block_class] = (uint8_t *)page + SLAB_HEADER_BYTES;
    slabs->fresh_end[block_class] =
        slabs->fresh[block_class] + (SLAB_PAGE_BYTES - SLAB_HEADER_BYTES) / size * size;
    return true;
}

void *hyi_block_fetch(hyi_worker *worker, uint32_t block_class) {
    hyi_slabs *slabs = worker->slabs;
    void *block = slab_from_bags(slabs, block_class);
    if (block) return block;
    slab_take_in(worker);
    block = slab_from_bags(slabs, block_class);
    if (block) return block;
    if (slabs->fresh[block_class] == slabs->fresh_end[block_class] &&
        !slab_new_page(worker, block_class)) {
        return NULL;
    }
    void *fresh = slabs->fresh[block_class];
    slabs->fresh[block_class] += hyi_block_class_size(block_class);
    return fresh;
}

static void *slab_large_alloc(size_t size) {
    hy_node *node = hyi_here ? hyi_here->node : NULL;
    if (size > SIZE_MAX - sizeof(slab_large) - 15) return NULL;
    size = (size + sizeof(slab_large) + 15) & ~(size_t)15; // tails lie at the end, see tail.h
    void *got = node ? slab_from_node(node, size) : hy_mem_alloc(hy_mem_system(), size);
    slab_large *large = (slab_large *)got;
    if (!large) return NULL;
    large->node = node;
    large->size = size;
    return large + 1;
}

static void slab_large_free(void *block) {
    slab_large *large = (slab_large *)block - 1;
    hy_node *node = large->node;
    if (node) atomic_fetch_sub_explicit(&node->messages_bytes, large->size, memory_order_relaxed);
    hy_mem_free(node ? node->mem : hy_mem_system(), large, large->size);
}

// ---- counting ---------------------------------------------------------------------------------

static size_t slab_back(const hyi_worker *worker, uint32_t block_class) {
    size_t count = 0;
    const hyi_free_block *block = worker->free_blocks[block_class];
    for (; block; block = block->next)
        count++;
    for (const slab_bag *bag = worker->slabs->bags[block_class]; bag; bag = bag->next)
        count += 1 + bag->count;
    return count;
}

static size_t slab_used(const hyi_slabs *slabs, uint32_t block_class) {
    size_t size = hyi_block_class_size(block_class);
    size_t all = slabs->pages_of[block_class] * ((SLAB_PAGE_BYTES - SLAB_HEADER_BYTES) / size);
    return all - (size_t)(slabs->fresh_end[block_class] - slabs->fresh[block_class]) / size;
}

bool hyi_slabs_are_whole(hyi_worker *worker) {
    if (!worker->slabs) return true;
    slab_take_in(worker);
    for (uint32_t block_class = 0; block_class < HYI_BLOCK_CLASSES; block_class++) {
        if (slab_back(worker, block_class) != slab_used(worker->slabs, block_class)) return false;
    }
    return true;
}

// ---- giving back ------------------------------------------------------------------------------

void hyi_block_free(void *block, uint8_t block_class) {
    if (!block) return;
    if (__builtin_expect(block_class == HYI_BLOCK_LARGE, 0)) {
        slab_large_free(block);
        return;
    }
    hyi_page *page = hyi_page_of(block);
    HY_ASSERT_SLOW(page->block_class == block_class);
    if (__builtin_expect(page->worker == hyi_here, 1)) {
        hyi_block_keep(page->worker, block, block_class);
        return;
    }
    slab_free_foreign(block, page);
}

static void slab_hand_over(hyi_worker *owner, slab_bag *first, slab_bag *last) {
    void *head = atomic_load_explicit(&owner->blocks_inbox, memory_order_relaxed);
    do {
        last->next = (slab_bag *)head;
        hyi_yield_point("blocks handed over");
        // Release: pairs with the acquire in slab_take_in. The owner takes all at once, so that an
        // address which has come back means no harm.
    } while (!atomic_compare_exchange_weak_explicit(&owner->blocks_inbox, &head, first,
                                                    memory_order_release, memory_order_relaxed));
}

static slab_bag *slab_bag_of(void *block, uint32_t block_class) {
    slab_bag *bag = (slab_bag *)block;
    bag->next = NULL;
    bag->count = 0;
    bag->block_class = block_class;
    return bag;
}

static void slab_flush_one(hyi_worker *owner, slab_away *away) {
    if (away->first) slab_hand_over(owner, away->first, away->last);
    away->first = away->last = NULL;
    away->count = 0;
}

static void slab_close_bag(slab_away *away, uint32_t block_class) {
    slab_bag *bag = away->open[block_class];
    if (!bag) return;
    away->open[block_class] = NULL;
    bag->next = away->first;
    if (!away->first) away->last = bag;
    away->first = bag;
    away->count++;
}

static slab_away *slab_away_of(hyi_worker *here, const hyi_worker *owner) {
    slab_away **away = &here->slabs->away[owner->number];
    if (!*away) *away = (slab_away *)hy_mem_alloc_zero(here->node->mem, sizeof **away);
    return *away;
}

static void slab_free_foreign(void *block, hyi_page *page) {
    hyi_worker *here = hyi_here, *owner = page->worker;
    uint32_t block_class = page->block_class;
    slab_away *away = here && here->node == owner->node ? slab_away_of(here, owner) : NULL;
    if (!away) {
        slab_bag *bag = slab_bag_of(block, block_class);
        slab_hand_over(owner, bag, bag);
        return;
    }
    slab_bag *open = away->open[block_class];
    if (!open) {
        away->open[block_class] = slab_bag_of(block, block_class);
        return;
    }
    open->blocks[open->count++] = block;
    hyi_asan_forbid(block, hyi_block_class_size(block_class));
    if (open->count < SLAB_BAG_BLOCKS) return;
    slab_close_bag(away, block_class);
    if (away->count == SLAB_AWAY_BAGS) slab_flush_one(owner, away);
}

void hyi_slabs_flush(hyi_worker *worker) {
    for (uint32_t i = 0; i < worker->node->worker_count; i++) {
        slab_away *away = worker->slabs->away[i];
        if (!away) continue;
        for (uint32_t block_class = 0; block_class < HYI_BLOCK_CLASSES; block_class++)
            slab_close_bag(away, block_class);
        slab_flush_one(worker->node->workers[i], away);
    }
}
