// keyed.c - a chained hash table of records that the caller owns. What for is in keyed.h.
//
// Chained, because records then never move and removing needs no tombstones; the load is kept at
// one a bucket, so a chain is short, and each link first compares the whole hash.
#include "flow/keyed.h"

#include "base/digest.h"

#include <string.h>

#define KEYED_FIRST 64u

hy_err hyi_lookup_init(hyi_lookup *index, hy_mem *mem, uint64_t seed) {
    *index = (hyi_lookup){ .mem = mem, .seed = seed, .bucket_count = KEYED_FIRST };
    index->buckets = (hyi_keyed **)hy_mem_alloc_zero(mem, KEYED_FIRST * sizeof(hyi_keyed *));
    return index->buckets ? HY_OK : HY_NOMEM;
}

void hyi_lookup_deinit(hyi_lookup *index) {
    HY_ASSERT(index->count == 0);
    if (!index->buckets) return;
    hy_mem_free(index->mem, index->buckets, index->bucket_count * sizeof(hyi_keyed *));
    index->buckets = NULL;
}

uint64_t hyi_lookup_hash(const hyi_lookup *index, hy_bytes key) {
    return hyi_digest(index->seed, key.ptr, key.len);
}

static hyi_keyed **keyed_bucket(const hyi_lookup *index, uint64_t hash) {
    return &index->buckets[hash & (index->bucket_count - 1)];
}

hyi_keyed *hyi_lookup_find(const hyi_lookup *index, hy_bytes key, uint64_t hash) {
    for (hyi_keyed *record = *keyed_bucket(index, hash); record; record = record->next) {
        if (record->hash == hash && record->key.len == key.len &&
            memcmp(record->key.ptr, key.ptr, key.len) == 0) {
            return record;
        }
    }
    return NULL;
}

static void keyed_link(hyi_lookup *index, hyi_keyed *record) {
    hyi_keyed **bucket = keyed_bucket(index, record->hash);
    record->next = *bucket;
    *bucket = record;
}

static void keyed_grow(hyi_lookup *index) {
    uint32_t old_count = index->bucket_count;
    hyi_keyed **old = index->buckets;
    size_t size = (size_t)old_count * 2 * sizeof(hyi_keyed *);
    hyi_keyed **buckets = (hyi_keyed **)hy_mem_alloc_zero(index->mem, size);
    if (!buckets) return;
    index->buckets = buckets;
    index->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        for (hyi_keyed *record = old[i], *next; record; record = next) {
            next = record->next;
            keyed_link(index, record);
        }
    }
    hy_mem_free(index->mem, old, old_count * sizeof(hyi_keyed *));
}

void hyi_lookup_add(hyi_lookup *index, hyi_keyed *record) {
    if (index->count >= index->bucket_count && index->bucket_count <= UINT32_MAX / 4) {
        keyed_grow(index);
    }
    keyed_link(index, record);
    index->count++;
}

void hyi_lookup_remove(hyi_lookup *index, hyi_keyed *record) {
    hyi_keyed **at = keyed_bucket(index, record->hash);
    while (*at != record)
        at = &(*at)->next;
    *at = record->next;
    index->count--;
}
