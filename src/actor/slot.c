// slot.c - where actors live, and how a ref finds them.
//
// Slots are taken from the worker's own free ones, then, a handful at a time, from the node's
// (those that were given back, then those that were never used). A worker that has too many gives
// half of them to the node. So spawning and ending touch no lock most of the time. A node of few
// actors keeps all free slots in one place, so that none is missing on one worker while another has
// it.
//
// Invariants: a free slot's inbox is OWNED, by the list it is in: nobody who pushes late can own
// it. Generations of free slots are even, those of actors odd: so a ref that nobody was ever given
// finds nobody, not the next one either. A slot is given back only when its inbox is clear (see
// hyi_actor_gone).
#include "actor/slot.h"
#include "actor/mailbox.h"

#define SLOT_FREE_MAX 1024u // of a worker
#define SLOT_HANDFUL 64u
#define SLOT_SMALL_NODE 4096u // actors_max below which workers keep none

_Atomic(hy_node *) hyi_nodes[256];
static _Atomic(hy_node *) slot_open[256]; // those that may still be found
static _Atomic uint32_t slot_holders[256];

// ---- nodes ------------------------------------------------------------------------------------

hy_err hyi_node_enter(hy_node *node) {
    hy_node *nobody = NULL;
    // Acquire: pairs with the release in hyi_node_forget of the one before.
    return atomic_compare_exchange_strong_explicit(&hyi_nodes[node->options.number], &nobody, node,
                                                   memory_order_acq_rel, memory_order_relaxed)
               ? HY_OK
               : HY_EXISTS;
}

bool hyi_node_is_entered(const hy_node *node) {
    for (uint32_t number = 1; number < 256; number++) {
        if (atomic_load_explicit(&hyi_nodes[number], memory_order_relaxed) == node) return true;
    }
    return false;
}

void hyi_node_show(hy_node *node) {
    // Release: pairs with the acquire in hyi_node_hold.
    atomic_store_explicit(&slot_open[node->options.number], node, memory_order_release);
}

hy_node *hyi_node_hold(uint8_t number) {
    // Sequential, both: pairs with hyi_node_forget, which does the two the other way round. Either
    // it sees this count, or the node is gone from the table here.
    atomic_fetch_add_explicit(&slot_holders[number], 1, memory_order_seq_cst);
    hyi_yield_point("hold: counted");
    hy_node *node = atomic_load_explicit(&slot_open[number], memory_order_seq_cst);
    if (!node) hyi_node_let_go(number);
    return node;
}

void hyi_node_let_go(uint8_t number) {
    // Release: pairs with the acquire in hyi_node_forget; what was done with the node is over.
    atomic_fetch_sub_explicit(&slot_holders[number], 1, memory_order_release);
}

void hyi_node_forget(hy_node *node) {
    uint8_t number = node->options.number;
    if (atomic_load_explicit(&hyi_nodes[number], memory_order_relaxed) != node) return;
    atomic_store_explicit(&slot_open[number], NULL, memory_order_seq_cst);
    // Whoever holds it is in the middle of a push, and does not wait. It may still ask an actor for
    // its node.
    while (atomic_load_explicit(&slot_holders[number], memory_order_seq_cst) > 0) {
        hyi_yield_point("forget: held");
    }
    // Release: pairs with the acquire in hyi_node_enter.
    atomic_store_explicit(&hyi_nodes[number], NULL, memory_order_release);
}

hy_node *hy_node_of(hy_ref ref) {
    return atomic_load_explicit(&slot_open[hyi_ref_node(ref)], memory_order_acquire);
}

// ---- finding ----------------------------------------------------------------------------------

hy_ref hyi_ref_of(const hy_actor *actor) {
    uint64_t generation = atomic_load_explicit(&actor->life, memory_order_relaxed) >> 8;
    return (hy_ref){ (uint64_t)actor->node << 56 | generation << 32 | actor->slot };
}

hy_actor *hyi_find_in(const hy_node *node, hy_ref ref) {
    uint32_t slot = (uint32_t)ref.id;
    if (__builtin_expect(slot >= node->options.actors_max, 0)) return NULL;
    // Acquire: pairs with the release in slot_chunk; the chunk was cleared before.
    hy_actor *chunk =
        atomic_load_explicit(&node->chunks[slot / HYI_CHUNK_SLOTS], memory_order_acquire);
    if (__builtin_expect(!chunk, 0)) return NULL;
    hy_actor *actor = chunk + slot % HYI_CHUNK_SLOTS;
    // Acquire: pairs with the release in hyi_actor_new: `type` is this actor's.
    uint32_t life = atomic_load_explicit(&actor->life, memory_order_acquire);
    uint32_t generation = hyi_ref_generation(ref);
    return life >> 8 == generation && (generation & 1) != 0 ? actor : NULL;
}

hy_actor *hyi_find(hy_ref ref) {
    const hyi_worker *here = hyi_here;
    uint8_t number = hyi_ref_node(ref);
    if (here && here->node->options.number == number) return hyi_find_in(here->node, ref);
    const hy_node *node = hy_node_of(ref);
    return node ? hyi_find_in(node, ref) : NULL;
}

static bool slot_is_at_home(hy_ref ref) {
    const hyi_worker *here = hyi_here;
    return here && here->node->options.number == hyi_ref_node(ref);
}

hy_actor *hyi_find_hold(hy_ref ref) {
    if (slot_is_at_home(ref)) return hyi_find_in(hyi_here->node, ref);
    const hy_node *node = ref.id ? hyi_node_hold(hyi_ref_node(ref)) : NULL;
    hy_actor *actor = node ? hyi_find_in(node, ref) : NULL;
    if (node && !actor) hyi_node_let_go(hyi_ref_node(ref));
    return actor;
}

void hyi_find_let_go(hy_ref ref) {
    if (!slot_is_at_home(ref)) hyi_node_let_go(hyi_ref_node(ref));
}

hy_actor *hyi_slot_at(const hy_node *node, uint32_t index) {
    if (index >= atomic_load_explicit(&node->slots_used, memory_order_acquire)) return NULL;
    hy_actor *chunk =
        atomic_load_explicit(&node->chunks[index / HYI_CHUNK_SLOTS], memory_order_acquire);
    return chunk + index % HYI_CHUNK_SLOTS;
}

// ---- opening and closing ----------------------------------------------------------------------

static size_t slot_chunk_count(const hy_node *node) {
    return ((size_t)node->options.actors_max + HYI_CHUNK_SLOTS - 1) / HYI_CHUNK_SLOTS;
}

// Chunks are allocated one by one while they are few, then sixteen in one block: what a block costs
// besides its slots (a line, and up to a page of the allocator's) would be 3 % of a chunk.
#define SLOT_BLOCK_CHUNKS 16u
static uint32_t slot_block_chunks(uint32_t first) {
    return first < SLOT_BLOCK_CHUNKS ? 1 : SLOT_BLOCK_CHUNKS;
}

// Slots begin at multiples of a line: the block is a line larger, and its start is found in it.
static size_t slot_block_bytes(uint32_t first) {
    return (size_t)slot_block_chunks(first) * HYI_CHUNK_SLOTS * HYI_SLOT_BYTES + 64u;
}
static hy_actor *slot_block_actors(void *block) {
    return (hy_actor *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
}

hy_err hyi_slots_open(hy_node *node) {
    pthread_mutex_init(&node->slots_lock, NULL);
    size_t size = slot_chunk_count(node) * sizeof *node->chunks;
    node->chunks = (_Atomic(hy_actor *) *)hy_mem_alloc_zero(node->mem, size);
    node->chunk_blocks = (void **)hy_mem_alloc_zero(node->mem, size);
    return node->chunks && node->chunk_blocks ? HY_OK : HY_NOMEM;
}

void hyi_slots_close(hy_node *node) {
    size_t count = slot_chunk_count(node);
    for (uint32_t i = 0; node->chunk_blocks && i < count; i += slot_block_chunks(i)) {
        hy_mem_free(node->mem, node->chunk_blocks[i], slot_block_bytes(i));
    }
    hy_mem_free(node->mem, (void *)node->chunks, count * sizeof *node->chunks);
    hy_mem_free(node->mem, (void *)node->chunk_blocks, count * sizeof *node->chunk_blocks);
    node->chunks = NULL;
    node->chunk_blocks = NULL;
    pthread_mutex_destroy(&node->slots_lock);
}

// ---- taking and giving ------------------------------------------------------------------------

// Under the lock: the chunk of slot `index`. NULL: no memory.
static hy_actor *slot_chunk(hy_node *node, uint32_t index) {
    uint32_t number = index / HYI_CHUNK_SLOTS;
    hy_actor *chunk = atomic_load_explicit(&node->chunks[number], memory_order_relaxed);
    if (chunk) return chunk;
    void *block = hy_mem_alloc_zero(node->mem, slot_block_bytes(number));
    if (!block) return NULL;
    node->chunk_blocks[number] = block;
    chunk = slot_block_actors(block);
    uint32_t last = number + slot_block_chunks(number);
    for (uint32_t i = number; i < last && i < slot_chunk_count(node); i++) {
        // Release: pairs with the acquire in hyi_find_in.
        atomic_store_explicit(&node->chunks[i], chunk + (i - number) * HYI_CHUNK_SLOTS,
                              memory_order_release);
    }
    return chunk;
}

// Under the lock.
static hy_err slot_fresh(hy_node *node, hy_actor **out_actor) {
    uint32_t index = atomic_load_explicit(&node->slots_used, memory_order_relaxed);
    if (index == node->options.actors_max) return HY_LIMIT;
    hy_actor *chunk = slot_chunk(node, index);
    if (!chunk) return HY_NOMEM;
    hy_actor *actor = chunk + index % HYI_CHUNK_SLOTS;
    actor->slot = index;
    actor->node = node->options.number;
    atomic_store_explicit(&actor->inbox_limit, HYI_MAILBOX_CAPACITY, memory_order_relaxed); // empty
    atomic_store_explicit(&actor->owner, HYI_NO_OWNER, memory_order_relaxed);
    // Release: pairs with the acquire in hyi_slot_at.
    atomic_store_explicit(&node->slots_used, index + 1, memory_order_release);
    *out_actor = actor;
    return HY_OK;
}

// Under the lock.
static hy_err slot_of_node(hy_node *node, hy_actor **out_actor) {
    hy_actor *actor = node->free_slots;
    if (!actor) return slot_fresh(node, out_actor);
    node->free_slots = actor->next;
    *out_actor = actor;
    return HY_OK;
}

static bool slot_worker_keeps(const hy_node *node) {
    return node->options.actors_max >= SLOT_SMALL_NODE || node->worker_count == 1;
}

static hy_err slot_take_slow(hy_node *node, hyi_worker *here, hy_actor **out_actor) {
    pthread_mutex_lock(&node->slots_lock);
    hy_err err = slot_of_node(node, out_actor);
    uint32_t more = here && slot_worker_keeps(node) ? SLOT_HANDFUL - 1 : 0;
    hy_actor *actor = NULL;
    if (more > node->options.actors_max / 64) more = node->options.actors_max / 64;
    hy_actor **end = here ? &here->free_slots : NULL;
    for (uint32_t i = 0; err == HY_OK && i < more && slot_of_node(node, &actor) == HY_OK; i++) {
        actor->next = NULL;
        *end = actor;
        end = &actor->next;
        here->free_slot_count++;
    }
    pthread_mutex_unlock(&node->slots_lock);
    return err;
}

hy_err hyi_slot_take(hy_node *node, hy_actor **out_actor) {
    hyi_worker *here = hyi_here && hyi_here->node == node ? hyi_here : NULL;
    if (__builtin_expect(here && here->free_slots, 1)) {
        hy_actor *actor = here->free_slots;
        here->free_slots = actor->next;
        here->free_slot_count--;
        *out_actor = actor;
    } else {
        hy_err err = slot_take_slow(node, here, out_actor);
        if (err != HY_OK) return err;
    }
    if (here) {
        HYI_BUMP(here->born, 1);
    } else {
        atomic_fetch_add_explicit(&node->born, 1, memory_order_relaxed);
    }
    return HY_OK;
}

static void slot_to_node(hy_node *node, hy_actor *actor) {
    pthread_mutex_lock(&node->slots_lock);
    actor->next = node->free_slots;
    node->free_slots = actor;
    pthread_mutex_unlock(&node->slots_lock);
}

// Half of them, those that were given back last.
static void slot_share(hy_node *node, hyi_worker *here) {
    hy_actor *first = here->free_slots, *last = first;
    for (uint32_t i = 1; i < SLOT_FREE_MAX / 2; i++)
        last = last->next;
    here->free_slots = last->next;
    here->free_slot_count -= SLOT_FREE_MAX / 2;
    pthread_mutex_lock(&node->slots_lock);
    last->next = node->free_slots;
    node->free_slots = first;
    pthread_mutex_unlock(&node->slots_lock);
}

void hyi_slot_give(hy_node *node, hy_actor *actor) {
    hyi_worker *here = hyi_here && hyi_here->node == node ? hyi_here : NULL;
    if (here) {
        HYI_BUMP(here->born, -1);
    } else {
        atomic_fetch_sub_explicit(&node->born, 1, memory_order_relaxed);
    }
    uint32_t generation = atomic_load_explicit(&actor->life, memory_order_relaxed) >> 8;
    if (generation >= HYI_GENERATION_MAX - 1) return; // the next one's would be the last
    if (!here || !slot_worker_keeps(node)) {
        slot_to_node(node, actor);
        return;
    }
    actor->next = here->free_slots;
    here->free_slots = actor;
    if (++here->free_slot_count >= SLOT_FREE_MAX && node->worker_count > 1) slot_share(node, here);
}

int64_t hyi_node_born(const hy_node *node) {
    int64_t born = atomic_load_explicit(&node->born, memory_order_relaxed);
    for (uint32_t i = 0; i < node->worker_count; i++) {
        if (!node->workers[i]) continue;
        born += atomic_load_explicit(&node->workers[i]->born, memory_order_relaxed);
    }
    return born;
}
