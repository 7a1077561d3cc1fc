// keyed.h - records found by the bytes of their key.               Room: flow. Includes: base.
// Threads: one owner. Ownership: the records are the caller's, and embed hyi_keyed; so do the bytes
// of their keys. The index owns only its buckets.
//
// Hashing is seeded by the world's dice, so nobody outside can choose keys that meet in one bucket.
#ifndef HYI_FLOW_KEYED_H
#define HYI_FLOW_KEYED_H

#include <hypha/base.h>

typedef struct hyi_keyed {
    struct hyi_keyed *next; // in the bucket
    uint64_t hash;
    hy_bytes key;
} hyi_keyed;

typedef struct hyi_lookup {
    hy_mem *mem;
    uint64_t seed;
    hyi_keyed **buckets;
    uint32_t bucket_count; // a power of two
    uint32_t count;
} hyi_lookup;

HY_CHECKED hy_err hyi_lookup_init(hyi_lookup *index, hy_mem *mem, uint64_t seed);
void hyi_lookup_deinit(hyi_lookup *index); // no record is in it; works on a zeroed index
uint64_t hyi_lookup_hash(const hyi_lookup *index, hy_bytes key);
hyi_keyed *hyi_lookup_find(const hyi_lookup *index, hy_bytes key, uint64_t hash); // NULL: none
// `record` has its key and hash; no other has that key. Growing is tried, and done without when
// there is no memory: only slower.
void hyi_lookup_add(hyi_lookup *index, hyi_keyed *record);
void hyi_lookup_remove(hyi_lookup *index, hyi_keyed *record);

#endif
