// router.c - pools: one of several actors that do the same.
//
// A pool is no actor and stands in no message's way: picking gives a ref, by a look at an array
// that any thread may read. What may change in that array is few: restarts keep the refs, so only
// growing, shrinking and the death of a member for good write to it, and a pick that meets a dead
// member goes on to the next living one.
//
// By key: jump consistent hash (J. Lamping and E. Veach, "A fast, minimal memory, consistent hash
// algorithm", 2014): no table, and of n members one more moves 1/(n+1) of the keys, all to itself.
// The loop here is theirs without floating point: the jump's division is done in integers.
#include "broker/inside.h"

#include "actor/inside.h"
#include "base/digest.h"
#include "base/options.h"

static void router_free(hy_pool *pool) {
    hyi_list_remove(&pool->in_broker);
    hy_mem_free(pool->broker->mem, pool, sizeof *pool);
}

// Fills the places from `from` up to `members` with new actors. What it could not make stays
// unmade.
static hy_err router_grow(hy_pool *pool, uint32_t from, uint32_t members) {
    for (uint32_t i = from; i < members; i++) {
        hy_ref ref;
        hy_err err = hy_spawn_actor(pool->broker->node, pool->supervisor, pool->type, pool->arg,
                                    &pool->member, &ref);
        if (err) return err;
        atomic_store_explicit(&pool->members[i], ref.id, memory_order_relaxed);
        // Release: pairs with the acquire in hy_pool_members: who counts it sees its ref.
        atomic_store_explicit(&pool->count, i + 1, memory_order_release);
    }
    return HY_OK;
}

static hy_err router_start(hy_pool *pool, hy_ref parent, const hy_pool_options *given) {
    hy_actor_options top = { .size = sizeof top, .name = given->name };
    top.restart = HY_TEMPORARY;
    if (!top.name) top.name = pool->type->name;
    hy_err err = hy_spawn_actor(pool->broker->node, parent, &hy_supervisor_type, NULL, &top,
                                &pool->supervisor);
    if (err) return err;
    uint32_t members = given->members ? given->members : hy_node_workers(pool->broker->node);
    err = router_grow(pool, 0, members);
    if (err) hy_actor_stop(pool->supervisor);
    return err;
}

hy_err hy_pool_open(hy_broker *broker, hy_ref parent, const hy_actor_type *type, const void *arg,
                    const hy_pool_options *options, hy_pool **out_pool) {
    hy_pool_options given;
    hyi_options_read(&given, sizeof given, options);
    if (given.members > HY_POOL_MEMBERS_MAX || given.route > HY_ROUTE_HASH) return HY_RANGE;
    hy_pool *pool = (hy_pool *)hy_mem_alloc_zero(broker->mem, sizeof *pool);
    if (!pool) return HY_NOMEM;
    pool->broker = broker;
    pool->type = type;
    pool->arg = arg;
    pool->route = given.route;
    hyi_options_read(&pool->member, sizeof pool->member, given.member);
    if (!given.member) pool->member.restart = HY_PERMANENT;
    hyi_list_init(&pool->in_broker);
    hy_err err = router_start(pool, parent, &given);
    if (err) {
        router_free(pool);
        return err;
    }
    pthread_mutex_lock(&broker->lock);
    hyi_list_append(&broker->pools, &pool->in_broker);
    pthread_mutex_unlock(&broker->lock);
    *out_pool = pool;
    return HY_OK;
}

void hy_pool_close(hy_pool *pool) {
    hy_broker *broker = pool->broker;
    hy_actor_stop(pool->supervisor);
    pthread_mutex_lock(&broker->lock);
    router_free(pool);
    pthread_mutex_unlock(&broker->lock);
}

void hyi_routes_close(hy_broker *broker) {
    while (!hyi_list_is_empty(&broker->pools)) {
        hy_pool *pool = HYI_HOLDER(hy_pool, in_broker, broker->pools.next);
        hy_actor_stop(pool->supervisor);
        router_free(pool);
    }
}

hy_err hy_pool_resize(hy_pool *pool, uint32_t members) {
    if (members == 0 || members > HY_POOL_MEMBERS_MAX) return HY_RANGE;
    pthread_mutex_lock(&pool->broker->lock);
    bool busy = pool->resizing;
    pool->resizing = true;
    pthread_mutex_unlock(&pool->broker->lock);
    if (busy) return HY_BUSY;
    hy_err err = HY_OK;
    uint32_t count = atomic_load_explicit(&pool->count, memory_order_relaxed);
    if (members > count) err = router_grow(pool, count, members);
    while (count > members) { // nobody picks it any more, then it stops
        atomic_store_explicit(&pool->count, --count, memory_order_release);
        hy_actor_stop((hy_ref){ atomic_load(&pool->members[count]) });
    }
    pthread_mutex_lock(&pool->broker->lock);
    pool->resizing = false;
    pthread_mutex_unlock(&pool->broker->lock);
    return err;
}

// ---- picking ----------------------------------------------------------------------------------

static uint32_t router_count(const hy_pool *pool) {
    return atomic_load_explicit(&pool->count, memory_order_acquire);
}

static hy_ref router_ref(const hy_pool *pool, uint32_t index) {
    return (hy_ref){ atomic_load_explicit(&pool->members[index], memory_order_relaxed) };
}

// (b + 1) * 2^31 / ((key >> 33) + 1), as the paper has it in doubles.
static uint32_t router_jump(uint64_t key, uint32_t count) {
    int64_t bucket = -1, next = 0;
    while (next < (int64_t)count) {
        bucket = next;
        key = key * UINT64_C(2862933555777941757) + 1;
        next = (int64_t)(((uint64_t)(bucket + 1) << 31) / ((key >> 33) + 1));
    }
    return (uint32_t)bucket;
}

// Two that a mixed counter names: random enough for the power of two choices (M. Mitzenmacher,
// 2001) and the same in every run of a simulated world.
static uint32_t router_shorter(hy_pool *pool, uint32_t count) {
    uint64_t turn = atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);
    uint64_t dice = hyi_digest_fold(turn + 1, UINT64_C(0x9e3779b97f4a7c15));
    uint32_t first = (uint32_t)(dice >> 32) % count;
    uint32_t second = (first + 1 + (uint32_t)dice % (count > 1 ? count - 1 : 1)) % count;
    uint32_t at_first = hyi_queued(router_ref(pool, first));
    return hyi_queued(router_ref(pool, second)) < at_first ? second : first;
}

hy_ref hy_pool_pick(hy_pool *pool, uint64_t key) {
    uint32_t count = router_count(pool), index;
    if (count == 0) return HY_NOBODY;
    switch (pool->route) {
    case HY_ROUTE_HASH: index = router_jump(key, count); break;
    case HY_ROUTE_LEAST_LOADED: index = router_shorter(pool, count); break;
    default: {
        uint64_t turn = atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);
        index = (uint32_t)(turn % count);
    }
    }
    for (uint32_t i = 0; i < count; i++) {
        hy_ref ref = router_ref(pool, (index + i) % count);
        if (hy_actor_is_alive(ref)) return ref;
    }
    return HY_NOBODY;
}

uint64_t hy_pool_key(hy_bytes bytes) {
    return hyi_fnv1a(HYI_FNV1A_START, bytes.ptr, bytes.len);
}

uint32_t hy_pool_members(const hy_pool *pool) {
    uint32_t count = router_count(pool), alive = 0;
    for (uint32_t i = 0; i < count; i++)
        alive += hy_actor_is_alive(router_ref(pool, i));
    return alive;
}

hy_ref hy_pool_member(const hy_pool *pool, uint32_t index) {
    return index < router_count(pool) ? router_ref(pool, index) : HY_NOBODY;
}
