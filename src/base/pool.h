// pool.h - objects of one size with addresses that stay.    Room: base. Includes: hypha/base.h.
// Threads: one owner. Ownership: the pool owns all storage; an object is lent from take to give.
// Limits: count_max objects at once, declared at birth. Memory is kept until deinit.
//
// Every object has an index (a u32, half the size of a pointer and the same in every run) and an
// address; both stay until it is given back. Indexes are dense: the next one never taken before is
// used only when no object was given back; the one given back last is taken first.
#ifndef HYI_BASE_POOL_H
#define HYI_BASE_POOL_H

#include <hypha/base.h>
#include "base/key.h"

typedef struct hyi_pool {
    hy_mem *mem;
    uint8_t **slabs;     // each holds 1 << slab_shift objects
    uint32_t slab_count; // slabs that exist
    uint32_t slab_room;  // entries of `slabs`
    uint32_t object_size;
    uint32_t slab_shift;
    uint32_t count_max;
    uint32_t used_count;  // lent now
    uint32_t fresh_index; // the first index never lent
    uint32_t given_index; // newest object given back, or HYI_NONE; the list goes on inside them
} hyi_pool;

// Allocates nothing. object_size >= 1; count_max 0 means as many as an index can name.
void hyi_pool_init(hyi_pool *pool, hy_mem *mem, uint32_t object_size, uint32_t count_max);
void hyi_pool_deinit(hyi_pool *pool); // works on a zeroed pool; lent objects die with it

// Lends an object, not cleared, aligned to 16 when object_size is a multiple of 16. NULL when
// count_max are out or memory is short; tell them apart with hyi_pool_is_full.
void *hyi_pool_take(hyi_pool *pool, uint32_t *out_index);
void hyi_pool_give(hyi_pool *pool, uint32_t index);
bool hyi_pool_is_full(const hyi_pool *pool);

// After HY_OK the next `extra` takes cannot fail for want of memory. HY_NOMEM.
HY_CHECKED hy_err hyi_pool_reserve(hyi_pool *pool, uint32_t extra);

// The address of an object; the index must have been lent.
static inline void *hyi_pool_at(const hyi_pool *pool, uint32_t index) {
    uint32_t in_slab = index & ((1u << pool->slab_shift) - 1);
    return pool->slabs[index >> pool->slab_shift] + (size_t)in_slab * pool->object_size;
}

// The way back, HYI_NONE for a stranger. Looks at every slab: for checkers, not for hot paths.
uint32_t hyi_pool_index_of(const hyi_pool *pool, const void *object);

#endif
