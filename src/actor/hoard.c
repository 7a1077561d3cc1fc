// hoard.c - what an actor has until the end of a start: memory, and things to be closed.
//
// Memory of hy_actor_mem is counted, and each block has a small head by which all blocks are in a
// list; so whatever a failed handler has lost is given back. Things to be closed lie on a stack and
// are released the latest first, each out of the stack before its `fini` is called: a `fini` that
// fails is not called again, and the others still are. First the things, then the memory, since the
// former mostly lie in the latter.
//
// memory_max counts what was asked for, without the heads.
#include "actor/ending.h"
#include "actor/slot.h"

#include <string.h>

typedef struct hoard_block { // before each block of memory
    hyi_link link;
    size_t size;
    size_t unused; // what follows is 16-aligned
} hoard_block;
_Static_assert(sizeof(hoard_block) % 16 == 0, "blocks are aligned");

typedef struct hoard_thing {
    struct hoard_thing *below;
    void *object;
    void (*fini)(void *object);
} hoard_thing;

struct hyi_hoard {
    hy_mem mem; // what hy_actor_mem gives
    hy_mem *from;
    hyi_list blocks;
    size_t bytes, bytes_max; // bytes_max 0: no limit
    hoard_thing *things;     // the latest first
};

static void *hoard_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size);

static struct hyi_hoard *hoard_of(hy_actor *actor) {
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin || kin->hoard) return kin ? kin->hoard : NULL;
    hy_mem *mem = hyi_node_of_actor(actor)->mem;
    struct hyi_hoard *hoard = (struct hyi_hoard *)hy_mem_alloc_zero(mem, sizeof *hoard);
    if (!hoard) return NULL;
    hoard->mem.resize = hoard_resize;
    hoard->from = mem;
    hoard->bytes_max = hyi_options(actor)->memory_max;
    hyi_list_init(&hoard->blocks);
    kin->hoard = hoard;
    return hoard;
}

// ---- memory -----------------------------------------------------------------------------------

static void *hoard_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    struct hyi_hoard *hoard = HYI_HOLDER(struct hyi_hoard, mem, self);
    hoard_block *block = ptr ? (hoard_block *)ptr - 1 : NULL;
    HY_ASSERT(HY_IMPLIES(block, block->size == old_size));
    size_t rest = hoard->bytes - (block ? old_size : 0);
    if (new_size > 0 && hoard->bytes_max > 0) {
        if (new_size > hoard->bytes_max || rest > hoard->bytes_max - new_size) return NULL;
    }
    if (new_size > SIZE_MAX - sizeof *block) return NULL;
    if (block) hyi_list_remove(&block->link);
    size_t old_whole = block ? sizeof *block + old_size : 0;
    size_t new_whole = new_size > 0 ? sizeof *block + new_size : 0;
    hoard_block *moved = NULL;
    if (block || new_whole > 0) {
        moved = (hoard_block *)hoard->from->resize(hoard->from, block, old_whole, new_whole);
    }
    if (!moved && new_size > 0) {
        if (block) hyi_list_append(&hoard->blocks, &block->link);
        return NULL;
    }
    hoard->bytes = rest + new_size;
    if (!moved) return NULL; // freed
    moved->size = new_size;
    hyi_list_append(&hoard->blocks, &moved->link);
    return moved + 1;
}

hy_mem *hy_actor_mem(hy_actor *self) {
    struct hyi_hoard *hoard = hoard_of(self);
    if (!hoard) hy_fail(self, HY_NOMEM, "no memory for what the actor owns");
    return &hoard->mem;
}

void *hy_actor_alloc(hy_actor *self, size_t size) {
    struct hyi_hoard *hoard = HYI_HOLDER(struct hyi_hoard, mem, hy_actor_mem(self));
    void *ptr = hy_mem_alloc_zero(&hoard->mem, size > 0 ? size : 1);
    if (ptr) return ptr;
    bool is_over = hoard->bytes_max > 0 && hoard->bytes + size > hoard->bytes_max;
    hy_fail(self, is_over ? HY_LIMIT : HY_NOMEM, is_over ? "memory_max" : "no memory");
}

// ---- things -----------------------------------------------------------------------------------

hy_err hy_actor_own(hy_actor *self, void *object, void (*fini)(void *object)) {
    struct hyi_hoard *hoard = hoard_of(self);
    hoard_thing *thing = NULL;
    if (hoard) thing = (hoard_thing *)hy_mem_alloc(hoard->from, sizeof *thing);
    if (!thing) {
        fini(object); // taken in every case, as hy_own does
        return HY_NOMEM;
    }
    *thing = (hoard_thing){ .below = hoard->things, .object = object, .fini = fini };
    hoard->things = thing;
    return HY_OK;
}

static hoard_thing hoard_take(struct hyi_hoard *hoard) {
    hoard_thing *thing = hoard->things;
    hoard_thing taken = *thing;
    hoard->things = thing->below;
    hy_mem_free(hoard->from, thing, sizeof *thing);
    return taken;
}

static void hoard_free_blocks(struct hyi_hoard *hoard) {
    hyi_link *link = NULL;
    while ((link = hyi_list_first(&hoard->blocks))) {
        hyi_list_remove(link);
        hoard_block *block = HYI_HOLDER(hoard_block, link, link);
        hy_mem_free(hoard->from, block, sizeof *block + block->size);
    }
    hoard->bytes = 0;
}

void hyi_hoard_release(hy_actor *actor) {
    struct hyi_hoard *hoard = actor->kin->hoard;
    if (!hoard) return;
    while (hoard->things) {
        hoard_thing thing = hoard_take(hoard);
        thing.fini(thing.object);
    }
    hoard_free_blocks(hoard);
}

size_t hyi_hoard_bytes(const hy_actor *actor) {
    return actor->kin && actor->kin->hoard ? actor->kin->hoard->bytes : 0;
}

void hyi_hoard_free(hyi_kin *kin) {
    struct hyi_hoard *hoard = kin->hoard;
    if (!hoard) return;
    while (hoard->things)
        (void)hoard_take(hoard);
    hoard_free_blocks(hoard);
    kin->hoard = NULL;
    hy_mem_free(hoard->from, hoard, sizeof *hoard);
}
