// root_mem.c - memory that is known block by block.
//
// Every block has a link in front of it, in one ring. All of what is in the ring has been handed
// out and not been given back; nothing else is.
#include "scope/root_mem.h"

#include <string.h>

typedef struct root_block {
    hyi_link link;
    size_t size;    // of what the caller got
    size_t padding; // blocks begin at multiples of 16
} root_block;
_Static_assert(sizeof(root_block) % 16 == 0, "what follows is aligned to 16");

static void root_mem_give(hyi_root_mem *tracked, root_block *block) {
    hyi_list_remove(&block->link);
    hy_mem_free(tracked->below, block, sizeof *block + block->size);
}

// Blocks move on every resize: no caller may count on staying in place.
static void *root_mem_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    hyi_root_mem *tracked = HYI_HOLDER(hyi_root_mem, mem, self);
    root_block *old = ptr ? (root_block *)ptr - 1 : NULL;
    HY_ASSERT(!old || old->size == old_size);
    root_block *block = NULL;
    if (new_size > 0) {
        if (new_size > SIZE_MAX - sizeof *block) return NULL;
        block = (root_block *)hy_mem_alloc(tracked->below, sizeof *block + new_size);
        if (!block) return NULL;
        block->size = new_size;
        hyi_list_append(&tracked->blocks, &block->link);
        if (old) memcpy(block + 1, ptr, old_size < new_size ? old_size : new_size);
    }
    if (old) root_mem_give(tracked, old);
    return block ? block + 1 : NULL;
}

void hyi_root_mem_init(hyi_root_mem *tracked, hy_mem *below) {
    tracked->mem.resize = root_mem_resize;
    tracked->below = below;
    hyi_list_init(&tracked->blocks);
}

void hyi_root_mem_free_all(hyi_root_mem *tracked) {
    for (hyi_link *link; (link = hyi_list_first(&tracked->blocks));) {
        root_mem_give(tracked, HYI_HOLDER(root_block, link, link));
    }
}
