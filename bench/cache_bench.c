// cache_bench.c - what a cache of flow finds, and what finding costs.
//
//     cache_bench [--requests N]
//
// Ours evicts by SIEVE. Beside it stand LRU and FIFO, written here over the same index, the same
// boxes and the same memory, so that a difference is the policy's. Keys are eight bytes.
//
//     hits_zipf_A_S   of 6 million requests for 500,000 keys, independent and Zipf-distributed with
//                     exponent A, the share that a cache of S entries answers; from empty. After a
//                     miss the value is put
//     hits_scans_S    as zipf_0.9, and every 20,000 requests somebody reads 5,000 others in a row,
//                     which nobody asks for again
//     cache_hit_S     one request that finds, in random order: hash, look up, mark, take a hold of
//                     the value and let go of it
//     cache_put_S     a new key into a full cache: one is evicted
#include "bench/bench.h"
#include "flow/keyed.h"
#include "scope/list.h"

#include <hypha/flow.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_BENCH_KEYS 500000u
#define CACHE_BENCH_REQUESTS 6000000u
#define CACHE_BENCH_HITS 4000000u
#define CACHE_BENCH_PUTS 1000000u
#define CACHE_BENCH_SCAN 5000u
#define CACHE_BENCH_BETWEEN 20000u
#define CACHE_BENCH_RUNS 7u

// ---- LRU and FIFO -------------------------------------------------------------------------------

typedef struct rival_entry {
    hyi_keyed keyed;
    hyi_link link;
    hy_shared *shared;
    uint64_t key;
} rival_entry;

typedef struct rival {
    hy_mem *mem;
    hyi_lookup index;
    hyi_list entries; // the next to go first
    uint32_t entries_max;
    bool moves; // a hit makes it the last to go
} rival;

static void rival_remove(rival *it, rival_entry *entry) {
    hyi_lookup_remove(&it->index, &entry->keyed);
    hyi_list_remove(&entry->link);
    hy_shared_drop(entry->shared);
    hy_mem_free(it->mem, entry, sizeof *entry);
}

static hy_shared *rival_get(rival *it, hy_bytes key) {
    hyi_keyed *found = hyi_lookup_find(&it->index, key, hyi_lookup_hash(&it->index, key));
    if (!found) return NULL;
    rival_entry *entry = HYI_HOLDER(rival_entry, keyed, found);
    if (it->moves) {
        hyi_list_remove(&entry->link);
        hyi_list_append(&it->entries, &entry->link);
    }
    return hy_shared_keep(entry->shared);
}

// `key` is not in it.
static void rival_put(rival *it, uint64_t key, hy_shared *shared) {
    if (it->index.count >= it->entries_max) {
        rival_remove(it, HYI_HOLDER(rival_entry, link, hyi_list_first(&it->entries)));
    }
    rival_entry *entry = (rival_entry *)hy_mem_alloc(it->mem, sizeof *entry);
    if (!entry) return;
    entry->key = key;
    entry->shared = shared;
    hy_bytes own = { (const uint8_t *)&entry->key, sizeof entry->key };
    entry->keyed = (hyi_keyed){ .hash = hyi_lookup_hash(&it->index, own), .key = own };
    hyi_lookup_add(&it->index, &entry->keyed);
    hyi_list_append(&it->entries, &entry->link);
}

// ---- one of the three ---------------------------------------------------------------------------

typedef enum cache_policy { CACHE_OURS, CACHE_LRU, CACHE_FIFO, CACHE_POLICIES } cache_policy;
static const char *const cache_peer[] = { NULL, "\"peer\":\"LRU\"", "\"peer\":\"FIFO\"" };

typedef struct cache_side {
    hy_cache *cache; // NULL: a rival
    rival rival;
    hy_shared *value;
} cache_side;

static bool cache_side_get(cache_side *side, uint64_t key) {
    hy_bytes bytes = { (const uint8_t *)&key, sizeof key };
    hy_shared *shared = NULL;
    if (side->cache) {
        if (hy_cache_get(side->cache, bytes, &shared) != HY_OK) return false;
    } else {
        shared = rival_get(&side->rival, bytes);
    }
    hy_shared_drop(shared);
    return shared != NULL;
}

static void cache_side_put(cache_side *side, uint64_t key) {
    hy_bytes bytes = { (const uint8_t *)&key, sizeof key };
    hy_shared_keep(side->value);
    if (side->cache) {
        bench_must(hy_cache_put(side->cache, bytes, side->value, 0), "putting");
    } else {
        rival_put(&side->rival, key, side->value);
    }
}

static void cache_side_open(cache_side *side, hy_scope *scope, cache_policy policy, uint32_t max) {
    hy_mem *mem = hy_world_mem(hy_scope_world(scope));
    *side = (cache_side){ .rival = { .mem = mem, .entries_max = max } };
    bench_must(hy_shared_copy(mem, HY_BYTES("value"), &side->value), "a value");
    if (policy == CACHE_OURS) {
        hy_err err = hy_cache_open(scope, HY_OPTIONS(hy_cache, .entries_max = max), &side->cache);
        bench_must(err, "opening a cache");
        return;
    }
    side->rival.moves = policy == CACHE_LRU;
    hyi_list_init(&side->rival.entries);
    bench_must(hyi_lookup_init(&side->rival.index, mem, 1), "an index");
}

static void cache_side_close(cache_side *side) { // a cache closes with its scope
    if (!side->cache) {
        for (hyi_link *link; (link = hyi_list_first(&side->rival.entries)) != NULL;)
            rival_remove(&side->rival, HYI_HOLDER(rival_entry, link, link));
        hyi_lookup_deinit(&side->rival.index);
    }
    hy_shared_drop(side->value);
}

// ---- what is asked for --------------------------------------------------------------------------

typedef struct cache_trace {
    const char *name;
    double exponent;
    bool scans;
} cache_trace;

static uint64_t cache_random(uint64_t *state) { // splitmix64
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void *cache_memory(size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) bench_must(HY_NOMEM, "a trace");
    return memory;
}

// sums[k]: how likely one of the keys 0 ... k is.
static double *cache_zipf_sums(double exponent) {
    double *sums = (double *)cache_memory(CACHE_BENCH_KEYS * sizeof *sums), sum = 0;
    for (uint32_t i = 0; i < CACHE_BENCH_KEYS; i++) {
        sum += pow(i + 1.0, -exponent);
        sums[i] = sum;
    }
    for (uint32_t i = 0; i < CACHE_BENCH_KEYS; i++)
        sums[i] /= sum;
    return sums;
}

static uint32_t cache_zipf_key(const double *sums, uint64_t *random) {
    double at = (double)(cache_random(random) >> 11) / 9007199254740992.0;
    uint32_t low = 0, high = CACHE_BENCH_KEYS - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (sums[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint32_t *cache_requests(const cache_trace *trace, uint32_t count) {
    uint32_t *requests = (uint32_t *)cache_memory(count * sizeof *requests);
    double *sums = cache_zipf_sums(trace->exponent);
    uint32_t scanned = CACHE_BENCH_KEYS;
    uint64_t random = 20240416;
    for (uint32_t i = 0; i < count; i++) {
        bool scan = trace->scans && i % CACHE_BENCH_BETWEEN < CACHE_BENCH_SCAN;
        requests[i] = scan ? scanned++ : cache_zipf_key(sums, &random);
    }
    free(sums);
    return requests;
}

// ---- the rows -----------------------------------------------------------------------------------

typedef struct cache_run {
    const uint32_t *requests;
    uint32_t count, entries;
    cache_policy policy;
    double result;
} cache_run;

static hy_err cache_ratio(void *arg) {
    cache_run *run = (cache_run *)arg;
    cache_side side;
    cache_side_open(&side, hy_scope_current(), run->policy, run->entries);
    uint32_t hits = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        if (cache_side_get(&side, run->requests[i])) {
            hits++;
        } else {
            cache_side_put(&side, run->requests[i]);
        }
    }
    cache_side_close(&side);
    run->result = (double)hits / run->count;
    return HY_OK;
}

static hy_err cache_hits(void *arg) {
    cache_run *run = (cache_run *)arg;
    cache_side side;
    cache_side_open(&side, hy_scope_current(), run->policy, run->entries);
    for (uint32_t key = 0; key < run->entries; key++)
        cache_side_put(&side, key);
    uint32_t hits = 0;
    double since = bench_now();
    for (uint32_t i = 0; i < run->count; i++)
        hits += cache_side_get(&side, run->requests[i]);
    run->result = (bench_now() - since) * 1e9 / run->count;
    cache_side_close(&side);
    return hits == run->count ? HY_OK : HY_REJECT;
}

static hy_err cache_puts(void *arg) {
    cache_run *run = (cache_run *)arg;
    cache_side side;
    cache_side_open(&side, hy_scope_current(), run->policy, run->entries);
    for (uint32_t key = 0; key < run->entries; key++)
        cache_side_put(&side, key);
    double since = bench_now();
    for (uint32_t i = 0; i < run->count; i++)
        cache_side_put(&side, run->entries + i);
    run->result = (bench_now() - since) * 1e9 / run->count;
    cache_side_close(&side);
    return HY_OK;
}

// Each policy in turn, so that a drifting machine drifts for all.
static void cache_row(hy_fn body, cache_run run, const char *metric, const char *unit,
                      uint32_t runs) {
    double values[CACHE_POLICIES][CACHE_BENCH_RUNS];
    for (uint32_t i = 0; i < runs; i++) {
        for (int policy = 0; policy < CACHE_POLICIES; policy++) {
            hy_world *world = NULL;
            run.policy = (cache_policy)policy;
            bench_must(hy_world_open(NULL, &world), "opening a world");
            bench_must(hy_root_run(world, NULL, body, &run), "running a root");
            hy_world_close(world);
            values[policy][i] = run.result;
        }
    }
    for (int policy = 0; policy < CACHE_POLICIES; policy++)
        bench_report("cache", metric, unit, values[policy], runs, cache_peer[policy]);
}

static void cache_ratio_rows(uint32_t count) {
    static const cache_trace traces[] = { { "zipf_0.7", 0.7, false },
                                          { "zipf_0.9", 0.9, false },
                                          { "zipf_1.0", 1.0, false },
                                          { "scans", 0.9, true } };
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
        uint32_t *requests = cache_requests(&traces[i], count);
        for (uint32_t entries = 5000; entries <= 50000; entries *= 10) {
            char metric[64];
            snprintf(metric, sizeof metric, "hits_%s_%uk", traces[i].name, entries / 1000);
            cache_run run = { .requests = requests, .count = count, .entries = entries };
            cache_row(cache_ratio, run, metric, "share", 1);
        }
        free(requests);
    }
}

static void cache_cost_rows(void) {
    uint32_t *requests = (uint32_t *)cache_memory(CACHE_BENCH_HITS * sizeof *requests);
    for (uint32_t entries = 5000; entries <= 500000; entries *= 10) {
        char hit[64], put[64];
        uint64_t random = entries;
        for (uint32_t i = 0; i < CACHE_BENCH_HITS; i++)
            requests[i] = (uint32_t)(cache_random(&random) % entries);
        snprintf(hit, sizeof hit, "cache_hit_%uk", entries / 1000);
        snprintf(put, sizeof put, "cache_put_%uk", entries / 1000);
        cache_run run = { .requests = requests, .count = CACHE_BENCH_HITS, .entries = entries };
        cache_row(cache_hits, run, hit, "ns", CACHE_BENCH_RUNS);
        run.count = CACHE_BENCH_PUTS;
        cache_row(cache_puts, run, put, "ns", CACHE_BENCH_RUNS);
    }
    free(requests);
}

int main(int argc, char **argv) {
    uint32_t requests = CACHE_BENCH_REQUESTS;
    bool given = argc == 3 && strcmp(argv[1], "--requests") == 0;
    if (given) requests = (uint32_t)strtoul(argv[2], NULL, 10);
    if ((argc != 1 && !given) || requests == 0) {
        fprintf(stderr, "usage: cache_bench [--requests N]\n");
        return 2;
    }
    cache_cost_rows();
    cache_ratio_rows(requests);
    return 0;
}
