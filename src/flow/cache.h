// cache.h - what the files of the cache share.                     Room: flow. Includes: scope.
// Threads: the world's.
#ifndef HYI_FLOW_CACHE_H
#define HYI_FLOW_CACHE_H

#include "flow/keyed.h"
#include "flow/sieve.h"

#include <hypha/flow.h>

#define HYI_CACHE_WAITING (1u << 20) // loads that may wait for their turn

typedef struct hyi_cache_entry {
    hyi_keyed keyed;
    hyi_sieve_entry sieve;
    hy_shared *shared; // NULL: it is known that there is nothing
    hy_ns expires_at;
    bool refreshing;
    uint8_t key[];
} hyi_cache_entry;

// One at work; lies on the loader's stack.
typedef struct hyi_cache_load {
    hyi_link link;
    hy_bytes key;
    bool forget; // dropped meanwhile
} hyi_cache_load;

struct hy_cache {
    hy_scope *scope;
    hy_world *world;
    hy_mem *mem;
    hy_cache_options options;
    hy_cache_level2 options_level2;
    hyi_lookup index;
    hyi_sieve sieve;
    size_t bytes;
    hyi_list loads;
    hy_gate *gate;
    hy_flight *flight;
    hy_cache_stats stats;
};

#endif
