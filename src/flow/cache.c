// cache.c - level 1: values in memory, found by key, evicted by SIEVE.
//
//     get -- fresh ----------------------------> value
//         -- stale, within the window ---------> value now, and one load in the background
//         -- known not to exist ---------------> HY_NOT_FOUND
//         -- nothing there --> flight --> gate --> level 2 --> loader --> put, level 2 --> value
//
// An entry is one allocation with its key; its value is a shared box, so a value that somebody
// reads outlives its entry. Entries that cannot expire are found without asking the clock.
//
// A drop or a put during a load must win over what the load brings, which may be older than the
// reason for it. So loads under way stand in a list, and those of the key are marked: their value
// is given to those who wait, and not kept. Who asks after that begins a load of its own.
//
// Callbacks (`evicted`, the drop of a box) may call the cache. So an entry is out of everything
// before anybody is told of it, and what makes room for a new entry goes when that one is in.
#include "flow/cache.h"
#include "base/options.h"

#include "flow/flight.h"

#include <string.h>

#define CACHE_KEY_MAX HYI_FLIGHT_KEY_MAX

// ---- entries ----

static size_t cache_entry_size(const hyi_cache_entry *entry) {
    return sizeof *entry + entry->keyed.key.len;
}

static size_t cache_entry_weight(const hyi_cache_entry *entry) {
    return entry->keyed.key.len + (entry->shared ? entry->shared->bytes : 0);
}

// Out of everything, and the caller's to give back.
static void cache_take_out(hy_cache *cache, hyi_cache_entry *entry) {
    hyi_lookup_remove(&cache->index, &entry->keyed);
    hyi_sieve_remove(&cache->sieve, &entry->sieve);
    cache->bytes -= cache_entry_weight(entry);
}

static void cache_give_back(hy_cache *cache, hyi_cache_entry *entry, bool told) {
    if (told && entry->shared && cache->options.evicted) {
        cache->options.evicted(cache->options.self, entry->keyed.key, entry->shared);
    }
    hy_mem *mem = cache->mem;
    hy_shared_drop(entry->shared);
    hy_mem_free(mem, entry, cache_entry_size(entry));
}

static void cache_remove(hy_cache *cache, hyi_cache_entry *entry) {
    if (!entry) return;
    cache_take_out(cache, entry);
    cache_give_back(cache, entry, false);
}

static bool cache_is_over(const hy_cache *cache, size_t more) {
    if (cache->index.count >= cache->options.entries_max) return true;
    return cache->options.bytes_max > 0 && cache->bytes + more > cache->options.bytes_max;
}

// Takes out what must go for so many bytes `more`, and gives it as a list, by keyed.next.
static hyi_keyed *cache_make_room(hy_cache *cache, size_t more) {
    hyi_keyed *gone = NULL, **last = &gone;
    while (cache->index.count > 0 && cache_is_over(cache, more)) {
        hyi_sieve_entry *victim = hyi_sieve_victim(&cache->sieve);
        hyi_cache_entry *entry = HYI_HOLDER(hyi_cache_entry, sieve, victim);
        cache_take_out(cache, entry);
        cache->stats.evicted++;
        *last = &entry->keyed;
        last = &entry->keyed.next;
        *last = NULL;
    }
    return gone;
}

static void cache_give_back_all(hy_cache *cache, hyi_keyed *gone) {
    for (hyi_keyed *next; gone; gone = next) {
        next = gone->next;
        cache_give_back(cache, HYI_HOLDER(hyi_cache_entry, keyed, gone), true);
    }
}

static hyi_cache_entry *cache_find(const hy_cache *cache, hy_bytes key) {
    uint64_t hash = hyi_lookup_hash(&cache->index, key);
    hyi_keyed *found = hyi_lookup_find(&cache->index, key, hash);
    return found ? HYI_HOLDER(hyi_cache_entry, keyed, found) : NULL;
}

static hyi_cache_entry *cache_entry_new(hy_cache *cache, hy_bytes key, hy_shared *shared,
                                        hy_ns time_to_live) {
    hyi_cache_entry *entry = (hyi_cache_entry *)hy_mem_alloc(cache->mem, sizeof *entry + key.len);
    if (!entry) return NULL;
    memcpy(entry->key, key.ptr, key.len);
    hy_bytes own = { entry->key, key.len };
    hy_ns now = time_to_live == HY_NEVER ? 0 : hy_world_now(cache->world);
    entry->keyed = (hyi_keyed){ .hash = hyi_lookup_hash(&cache->index, own), .key = own };
    entry->shared = shared;
    entry->expires_at = hy_ns_add(now, time_to_live);
    entry->refreshing = false;
    return entry;
}

static bool cache_takes(const hy_cache *cache, hy_bytes key, const hy_shared *shared) {
    size_t most = cache->options.bytes_max;
    if (most == 0) return true;
    return key.len <= most && (!shared || shared->bytes <= most - key.len);
}

// Takes one hold of `shared` (NULL: remembers that there is nothing). On an error too the key's old
// value is gone: it is not what is true now.
static hy_err cache_insert(hy_cache *cache, hy_bytes key, hy_shared *shared, hy_ns time_to_live) {
    bool fits = cache_takes(cache, key, shared);
    // Copied first: the key may lie in the entry that makes room.
    hyi_cache_entry *entry = fits ? cache_entry_new(cache, key, shared, time_to_live) : NULL;
    hyi_cache_entry *old = cache_find(cache, key);
    if (!entry) {
        cache_remove(cache, old);
        hy_shared_drop(shared);
        return fits ? HY_NOMEM : HY_TOO_LARGE;
    }
    if (old) cache_take_out(cache, old);
    hyi_keyed *gone = cache_make_room(cache, cache_entry_weight(entry));
    hyi_lookup_add(&cache->index, &entry->keyed);
    hyi_sieve_add(&cache->sieve, &entry->sieve);
    cache->bytes += cache_entry_weight(entry);
    if (old) cache_give_back(cache, old, false);
    cache_give_back_all(cache, gone);
    return HY_OK;
}

// What is loaded for `key` now is given to those who wait for it, and not kept.
static void cache_forget_loads(hy_cache *cache, hy_bytes key) {
    for (hyi_link *link = hyi_list_first(&cache->loads); link;
         link = hyi_list_after(&cache->loads, link)) {
        hyi_cache_load *load = HYI_HOLDER(hyi_cache_load, link, link);
        load->forget |= hy_bytes_equal(load->key, key);
    }
    hyi_flight_forget(cache->flight, key);
}

// ---- loading ----

// A value that was loaded, kept unless it was dropped meanwhile. The value is given out even when
// there is no memory to keep it.
static void cache_keep(hy_cache *cache, const hyi_cache_load *load, hy_shared *shared, hy_ns ttl) {
    if (load->forget || ttl < 0) return;
    hy_err err = cache_insert(cache, load->key, hy_shared_keep(shared), ttl);
    (void)err; // HY_NOMEM, HY_TOO_LARGE: loaded again next time
}

// The loader says that there is nothing: also not the stale value that may be here.
static void cache_keep_nothing(hy_cache *cache, const hyi_cache_load *load) {
    if (cache->options.negative > 0) {
        hy_err err = cache_insert(cache, load->key, NULL, cache->options.negative);
        (void)err; // not remembered: asked again
    } else {
        cache_remove(cache, cache_find(cache, load->key));
    }
}

// A drop that came while level 2 was told must win there, too.
static void cache_tell_level2(hy_cache *cache, const hyi_cache_load *load, const hy_shared *shared,
                              hy_ns ttl) {
    const hy_cache_level2 *level2 = &cache->options_level2;
    if (!level2->put || load->forget) return;
    hy_err err = level2->put(level2->self, load->key, shared, ttl);
    cache->stats.level2_errors += err != HY_OK;
    if (!load->forget || !level2->drop) return;
    err = level2->drop(level2->self, load->key);
    cache->stats.level2_errors += err != HY_OK;
}

static hy_err cache_from_level2(hy_cache *cache, hyi_cache_load *load, hy_shared **out_shared) {
    const hy_cache_level2 *level2 = &cache->options_level2;
    if (!level2->get) return HY_NOT_FOUND;
    hy_ns left = HY_NEVER;
    hy_err err = level2->get(level2->self, load->key, out_shared, &left);
    if (err != HY_OK) {
        cache->stats.level2_errors += err != HY_NOT_FOUND;
        hy_err stopped = hy_check();
        return stopped != HY_OK ? stopped : HY_NOT_FOUND;
    }
    cache->stats.level2_hits++;
    if (left > 0) cache_keep(cache, load, *out_shared, left);
    return HY_OK;
}

static hy_err cache_from_loader(hy_cache *cache, hyi_cache_load *load, hy_shared **out_shared) {
    const hy_cache_options *o = &cache->options;
    if (!o->load) return HY_NOT_FOUND;
    cache->stats.loads++;
    hy_err err = o->load(o->self, load->key, out_shared);
    if (err == HY_NOT_FOUND && !load->forget) cache_keep_nothing(cache, load);
    if (err != HY_OK) {
        cache->stats.load_errors += err != HY_NOT_FOUND;
        return err;
    }
    HY_ASSERT(*out_shared);
    hy_ns ttl = o->ttl ? o->ttl(o->self, load->key, *out_shared) : 0;
    if (ttl == 0) ttl = o->time_to_live;
    cache_keep(cache, load, *out_shared, ttl);
    cache_tell_level2(cache, load, *out_shared, ttl);
    return HY_OK;
}

// The work of a flight: runs once for all who ask at the same time, in the cache's own scope.
static hy_err cache_work(void *self, hy_bytes key, hy_shared **out_shared) {
    hy_cache *cache = self;
    hy_pass pass;
    hy_err err = hy_gate_enter(cache->gate, &pass);
    if (err != HY_OK) return err;
    hyi_cache_load load = { .key = key };
    hyi_list_append(&cache->loads, &load.link);
    err = cache_from_level2(cache, &load, out_shared);
    if (err == HY_NOT_FOUND) err = cache_from_loader(cache, &load, out_shared);
    hyi_list_remove(&load.link);
    hy_gate_leave(&pass, err);
    return err;
}

typedef struct cache_refresh {
    hy_cache *cache;
    size_t key_len;
    uint8_t key[];
} cache_refresh;

static hy_err cache_refresh_run(void *arg) {
    cache_refresh *refresh = arg;
    hy_cache *cache = refresh->cache;
    hy_bytes key = { refresh->key, refresh->key_len };
    hy_shared *shared = NULL;
    hy_err err = hy_flight_do(cache->flight, key, cache_work, cache, &shared);
    if (err == HY_OK) hy_shared_drop(shared);
    // The stale value, if it is still there, stays as long as it may; the next who asks tries
    // again.
    hyi_cache_entry *entry = cache_find(cache, key);
    if (entry) entry->refreshing = false;
    hy_mem_free(cache->mem, refresh, sizeof *refresh + refresh->key_len);
    return HY_OK;
}

static bool cache_loads(const hy_cache *cache) {
    return cache->options.load || cache->options_level2.get;
}

static void cache_refresh_begin(hy_cache *cache, hyi_cache_entry *entry) {
    if (entry->refreshing || !cache_loads(cache)) return;
    hy_bytes key = entry->keyed.key;
    cache_refresh *refresh = (cache_refresh *)hy_mem_alloc(cache->mem, sizeof *refresh + key.len);
    if (!refresh) return; // the next one tries
    refresh->cache = cache;
    refresh->key_len = key.len;
    memcpy(refresh->key, key.ptr, key.len);
    hy_err err = hyi_flight_spawn(cache->scope, cache_refresh_run, refresh, "cache refresh");
    entry->refreshing = err == HY_OK; // no room: the next one tries
    if (err != HY_OK) hy_mem_free(cache->mem, refresh, sizeof *refresh + refresh->key_len);
}

// ---- asking ----

typedef enum cache_age { CACHE_FRESH, CACHE_STALE, CACHE_GONE } cache_age;

static cache_age cache_age_of(const hy_cache *cache, const hyi_cache_entry *entry) {
    if (__builtin_expect(entry->expires_at == HY_NEVER, 1)) return CACHE_FRESH;
    hy_ns now = hy_world_now(cache->world);
    if (now < entry->expires_at) return CACHE_FRESH;
    bool stale = entry->shared && now - entry->expires_at < cache->options.stale;
    return stale ? CACHE_STALE : CACHE_GONE;
}

// HY_BUSY: it has to be loaded.
static hy_err cache_look(hy_cache *cache, hy_bytes key, hy_shared **out_shared) {
    hyi_cache_entry *entry = cache_find(cache, key);
    if (!entry) return HY_BUSY;
    cache_age age = cache_age_of(cache, entry);
    if (age == CACHE_GONE) {
        cache->stats.expired++;
        cache_take_out(cache, entry);
        cache_give_back(cache, entry, true);
        return HY_BUSY;
    }
    hyi_sieve_hit(&entry->sieve);
    if (!entry->shared) {
        cache->stats.negative_hits++;
        return HY_NOT_FOUND;
    }
    *out_shared = hy_shared_keep(entry->shared);
    if (age == CACHE_FRESH) {
        cache->stats.hits++;
    } else {
        cache->stats.stale_hits++;
        cache_refresh_begin(cache, entry);
    }
    return HY_OK;
}

static hy_err cache_key_is_fine(hy_bytes key) {
    if (__builtin_expect(key.len - 1 < CACHE_KEY_MAX, 1)) return HY_OK;
    return key.len == 0 ? HY_RANGE : HY_TOO_LARGE;
}

hy_err hy_cache_get(hy_cache *cache, hy_bytes key, hy_shared **out_shared) {
    hy_err err = cache_key_is_fine(key);
    if (err == HY_OK) err = cache_look(cache, key, out_shared);
    if (err != HY_BUSY) return err;
    cache->stats.misses++;
    if (!cache_loads(cache)) return HY_NOT_FOUND;
    return hy_flight_do(cache->flight, key, cache_work, cache, out_shared);
}

const hy_shared *hy_cache_peek(hy_cache *cache, hy_bytes key) {
    hyi_cache_entry *entry = cache_find(cache, key);
    if (!entry || cache_age_of(cache, entry) != CACHE_FRESH) return NULL;
    return entry->shared;
}

hy_err hy_cache_put(hy_cache *cache, hy_bytes key, hy_shared *value, hy_ns time_to_live) {
    hy_err err = cache_key_is_fine(key);
    if (err != HY_OK) {
        hy_shared_drop(value);
        return err;
    }
    if (time_to_live == 0) time_to_live = cache->options.time_to_live;
    cache_forget_loads(cache, key);
    return cache_insert(cache, key, value, time_to_live);
}

hy_err hy_cache_drop(hy_cache *cache, hy_bytes key) {
    hy_err err = cache_key_is_fine(key);
    if (err != HY_OK) return err;
    cache_forget_loads(cache, key);
    cache_remove(cache, cache_find(cache, key));
    const hy_cache_level2 *level2 = &cache->options_level2;
    return level2->drop ? level2->drop(level2->self, key) : HY_OK;
}

static void cache_empty(hy_cache *cache) {
    for (hyi_link *link; (link = hyi_list_first(&cache->sieve.entries)) != NULL;) {
        hyi_sieve_entry *entry = HYI_HOLDER(hyi_sieve_entry, link, link);
        cache_remove(cache, HYI_HOLDER(hyi_cache_entry, sieve, entry));
    }
}

void hy_cache_clear(hy_cache *cache) {
    for (hyi_link *link = hyi_list_first(&cache->loads); link;
         link = hyi_list_after(&cache->loads, link))
        HYI_HOLDER(hyi_cache_load, link, link)->forget = true;
    hyi_flight_forget_all(cache->flight);
    cache_empty(cache);
}

hy_cache_stats hy_cache_stats_of(const hy_cache *cache) {
    hy_cache_stats stats = cache->stats;
    stats.entries = cache->index.count;
    stats.bytes = cache->bytes;
    stats.loading = hy_gate_state_of(cache->gate).inside;
    return stats;
}

// ---- opening ----

static void cache_free(void *object) {
    hy_cache *cache = (hy_cache *)object;
    cache_empty(cache);
    hyi_lookup_deinit(&cache->index);
    hy_mem_free(cache->mem, cache, sizeof *cache);
}

static hy_cache_options cache_options(const hy_cache_options *given) {
    hy_cache_options o;
    hyi_options_read(&o, sizeof o, given);
    if (o.entries_max == 0) o.entries_max = 1024;
    if (o.time_to_live == 0) o.time_to_live = HY_NEVER;
    if (o.loads_max == 0) o.loads_max = 64;
    return o;
}

hy_err hy_cache_open(hy_scope *scope, const hy_cache_options *options, hy_cache **out_cache) {
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_scope_mem(scope);
    hy_cache *cache = mem ? (hy_cache *)hy_mem_alloc_zero(mem, sizeof *cache) : NULL;
    if (!cache) return HY_NOMEM;
    cache->scope = scope;
    cache->world = world;
    cache->mem = mem;
    cache->options = cache_options(options);
    if (cache->options.level2) cache->options_level2 = *cache->options.level2;
    hyi_list_init(&cache->loads);
    hyi_sieve_init(&cache->sieve);
    hy_err err = hyi_lookup_init(&cache->index, mem, hy_world_random(world));
    if (err != HY_OK) {
        hy_mem_free(mem, cache, sizeof *cache);
        return err;
    }
    err = hy_own(scope, cache, cache_free, 0);
    if (err != HY_OK) return err; // it has been freed
    hy_gate_options gate = { .size = sizeof gate,
                             .limit = cache->options.loads_max,
                             .waiting_max = HYI_CACHE_WAITING };
    err = hy_gate_open(scope, &gate, &cache->gate);
    if (err == HY_OK) err = hy_flight_open(scope, HYI_CACHE_WAITING, &cache->flight);
    if (err == HY_OK) *out_cache = cache;
    return err;
}
