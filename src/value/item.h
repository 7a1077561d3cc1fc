// item.h - doing with an item what its table says.            Room: value. Includes: base.
// Threads: the functions work only on what they are given.
#ifndef HYPHA_VALUE_ITEM_H
#define HYPHA_VALUE_ITEM_H

#include <hypha/value.h>

#include "base/digest.h"
#include "base/memory.h"

#define HYI_VALUE_SEED UINT64_C(0x6879706861766131) // fixed: order depends on contents only

static inline void hyi_item_retain(const hy_item *item, const void *at) {
    if (item->retain != NULL) item->retain(item, at);
}

static inline void hyi_item_release(const hy_item *item, hy_mem *mem, void *at) {
    if (item->release != NULL) item->release(item, mem, at);
}

static inline int hyi_item_compare(const hy_item *item, const void *a, const void *b) {
    if (item->compare != NULL) return item->compare(item, a, b);
    return item->size == 0 ? 0 : memcmp(a, b, item->size);
}

static inline uint64_t hyi_item_hash(const hy_item *item, const void *at) {
    if (item->hash != NULL) return item->hash(item, at);
    return item->size == 0 ? HYI_VALUE_SEED : hyi_digest(HYI_VALUE_SEED, at, item->size);
}

// Joins the hash of a sequence with that of its next part.
static inline uint64_t hyi_hash_join(uint64_t hash, uint64_t next) {
    return hyi_digest_fold(hash ^ UINT64_C(0x9e3779b97f4a7c15),
                           next ^ UINT64_C(0xa0761d6478bd642f));
}

// An item of one's own; what `keep` says.
static inline hy_err hyi_item_keep(const hy_item *item, hy_mem *mem, void *to, const void *from) {
    if (item->keep != NULL) return item->keep(item, mem, to, from);
    if (item->size > 0) memcpy(to, from, item->size);
    hyi_item_retain(item, to);
    return HY_OK;
}

// Room for an item that is made before it is known whether there is a place for it: on the stack
// when it is small.
#define HYI_SCRATCH_BYTES 256u
typedef struct hyi_scratch {
    hy_mem *mem;
    uint8_t *ptr;
    size_t size;
    _Alignas(16) uint8_t local[HYI_SCRATCH_BYTES];
} hyi_scratch;

// HY_NOMEM.
HY_CHECKED static inline hy_err hyi_scratch_init(hyi_scratch *scratch, hy_mem *mem, size_t size) {
    scratch->mem = mem;
    scratch->size = size;
    scratch->ptr = size <= sizeof scratch->local ? scratch->local : hy_mem_alloc(mem, size);
    return scratch->ptr != NULL ? HY_OK : HY_NOMEM;
}

static inline void hyi_scratch_deinit(hyi_scratch *scratch) {
    if (scratch->ptr != scratch->local) hy_mem_free(scratch->mem, scratch->ptr, scratch->size);
}

#endif
