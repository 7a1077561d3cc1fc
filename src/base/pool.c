// pool.c - slabs of equal objects.
//
// A slab is about 16 KiB, so a small table costs little and a large one few allocations; it never
// moves, which keeps addresses stable. Only the directory of slabs is reallocated. Objects that
// were given back form a list through their own first bytes, so free objects cost nothing extra.
//
// Invariants: used_count + (length of the given list) == fresh_index; fresh_index <= slab_count <<
// slab_shift; used_count <= count_max.
#include "base/pool.h"
#include "base/memory.h"

#define POOL_SLAB_SIZE 16384u
#define POOL_SLAB_SHIFT_MAX 12u

static size_t pool_slab_size(const hyi_pool *pool) {
    return (size_t)pool->object_size << pool->slab_shift;
}

void hyi_pool_init(hyi_pool *pool, hy_mem *mem, uint32_t object_size, uint32_t count_max) {
    HY_ASSERT(object_size > 0);
    if (object_size < sizeof(uint32_t)) object_size = sizeof(uint32_t); // the list needs them
    if (count_max == 0 || count_max == HYI_NONE) count_max = HYI_NONE - 1;
    *pool = (hyi_pool){ .mem = mem, .object_size = object_size, .count_max = count_max };
    pool->given_index = HYI_NONE;
    while (pool->slab_shift < POOL_SLAB_SHIFT_MAX && (1u << pool->slab_shift) < count_max &&
           (2 * object_size) << pool->slab_shift <= POOL_SLAB_SIZE) {
        pool->slab_shift++;
    }
}

void hyi_pool_deinit(hyi_pool *pool) {
    for (uint32_t i = 0; i < pool->slab_count; i++)
        hy_mem_free(pool->mem, pool->slabs[i], pool_slab_size(pool));
    hy_mem_free(pool->mem, pool->slabs, pool->slab_room * sizeof *pool->slabs);
    *pool = (hyi_pool){ 0 };
}

static bool pool_grow(hyi_pool *pool) {
    if (pool->slab_count == pool->slab_room) {
        uint32_t room = pool->slab_room == 0 ? 4 : pool->slab_room * 2;
        void *slabs =
            pool->mem->resize(pool->mem, pool->slabs, pool->slab_room * sizeof *pool->slabs,
                              room * sizeof *pool->slabs);
        if (!slabs) return false;
        pool->slabs = (uint8_t **)slabs;
        pool->slab_room = room;
    }
    uint8_t *slab = (uint8_t *)hy_mem_alloc(pool->mem, pool_slab_size(pool));
    if (!slab) return false;
    pool->slabs[pool->slab_count++] = slab;
    return true;
}

bool hyi_pool_is_full(const hyi_pool *pool) {
    return pool->used_count == pool->count_max;
}

void *hyi_pool_take(hyi_pool *pool, uint32_t *out_index) {
    if (hyi_pool_is_full(pool)) return NULL;
    uint32_t index = pool->given_index;
    if (index != HYI_NONE) {
        void *object = hyi_pool_at(pool, index);
        memcpy(&pool->given_index, object, sizeof pool->given_index);
        pool->used_count++;
        *out_index = index;
        return object;
    }
    index = pool->fresh_index;
    if (index >> pool->slab_shift == pool->slab_count && !pool_grow(pool)) return NULL;
    pool->fresh_index++;
    pool->used_count++;
    *out_index = index;
    return hyi_pool_at(pool, index);
}

#ifdef HY_PARANOID
static void pool_poison(void *object, uint32_t size) {
    memset(object, 0xdd, size);
}
#else
static void pool_poison(void *object, uint32_t size) {
    (void)object, (void)size;
}
#endif

void hyi_pool_give(hyi_pool *pool, uint32_t index) {
    HY_ASSERT(index < pool->fresh_index);
    HY_ASSERT(pool->used_count > 0);
    HY_ASSERT(index != pool->given_index); // the commonest form of giving twice
    void *object = hyi_pool_at(pool, index);
    pool_poison(object, pool->object_size);
    memcpy(object, &pool->given_index, sizeof pool->given_index);
    pool->given_index = index;
    pool->used_count--;
}

hy_err hyi_pool_reserve(hyi_pool *pool, uint32_t extra) {
    uint64_t wanted = (uint64_t)pool->used_count + extra;
    if (wanted > pool->count_max) wanted = pool->count_max; // beyond it, taking fails anyway
    while ((uint64_t)pool->slab_count << pool->slab_shift < wanted) {
        if (!pool_grow(pool)) return HY_NOMEM;
    }
    return HY_OK;
}

uint32_t hyi_pool_index_of(const hyi_pool *pool, const void *object) {
    uintptr_t address = (uintptr_t)object;
    for (uint32_t i = 0; i < pool->slab_count; i++) {
        uintptr_t slab = (uintptr_t)pool->slabs[i];
        if (address < slab || address - slab >= pool_slab_size(pool)) continue;
        uint32_t index = (i << pool->slab_shift) + (uint32_t)((address - slab) / pool->object_size);
        return index < pool->fresh_index ? index : HYI_NONE;
    }
    return HYI_NONE;
}
