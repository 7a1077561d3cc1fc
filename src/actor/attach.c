// attach.c - what lies behind a message's body: its tails, memory of its own, an object.
//
// hy_message_alloc and hy_message_attach work on messages that were made or taken: their block has
// room for the more tail, which begins with the first use. Memory is a chain of blocks, the latest
// first; small pieces share one. The end of the message (hyi_message_free, which calls
// hyi_more_end) gives everything back, on whichever worker that is.
#include "actor/tail.h"

#include <string.h>

// ---- tails ------------------------------------------------------------------------------------

hyi_more_tail *hyi_more_begin(hyi_message *message) {
    hyi_more_tail *more = hyi_tail_at(message, HYI_MESSAGE_MORE);
    if (!(message->flags & HYI_MESSAGE_MORE)) {
        memset(more, 0, sizeof *more);
        message->flags |= HYI_MESSAGE_MORE;
    }
    return more;
}

bool hyi_tail_room(hyi_message **message, size_t used, uint8_t flag) {
    hyi_message *old = *message;
    size_t needed = used + hyi_tail_size((uint8_t)(old->flags | flag));
    size_t has = hyi_block_size(old, old->block_class);
    if (needed <= has) return true;
    uint8_t block_class;
    hyi_message *larger = hyi_block_alloc(needed, &block_class);
    if (!larger) return false;
    memcpy(larger, old, used);
    larger->block_class = block_class;
    size_t tail = hyi_tail_size(old->flags);
    uint8_t *end = (uint8_t *)larger + hyi_block_size(larger, block_class);
    memcpy(end - tail, (uint8_t *)old + has - tail, tail);
    hyi_block_free(old, old->block_class);
    *message = larger;
    return true;
}

// ---- memory -----------------------------------------------------------------------------------

// In front of each block of the chain. Pieces are taken from its end, so the newest block is the
// one that may have room.
typedef struct attach_memory {
    struct attach_memory *next;
    uint32_t left; // bytes behind this header that are not given out
    uint8_t block_class;
} attach_memory;
_Static_assert(sizeof(attach_memory) == 16, "pieces are 16-aligned");

#define ATTACH_BLOCK_MIN 256u // a block for several small pieces

static attach_memory *attach_block(attach_memory *next, size_t size) {
    size_t asked = sizeof(attach_memory) + size;
    uint8_t block_class;
    attach_memory *block =
        hyi_block_alloc(asked < ATTACH_BLOCK_MIN ? ATTACH_BLOCK_MIN : asked, &block_class);
    if (!block) return NULL;
    size_t left = hyi_block_size(block, block_class) - sizeof *block;
    block->next = next;
    block->left = left > UINT32_MAX - 15 ? UINT32_MAX - 15 : (uint32_t)left & ~15u;
    block->block_class = block_class;
    return block;
}

void *hy_message_alloc(void *message, size_t size) {
    if (size > UINT32_MAX - 64) return NULL;
    hyi_message *head = (hyi_message *)message - 1;
    HY_ASSERT(!(head->flags & HYI_MESSAGE_SHARED));
    size = size ? (size + 15) & ~(size_t)15 : 16;
    hyi_more_tail *more = hyi_more_begin(head);
    attach_memory *block = more->memory;
    if (!block || block->left < size) {
        block = attach_block(more->memory, size);
        if (!block) return NULL;
        // A large piece that leaves less than the block before it has goes behind that one.
        attach_memory *latest = more->memory;
        if (latest && latest->left > block->left - size) {
            block->next = latest->next;
            latest->next = block;
        } else {
            more->memory = block;
        }
    }
    block->left -= (uint32_t)size;
    return (uint8_t *)(block + 1) + block->left;
}

static void attach_free_memory(attach_memory *block) {
    while (block) {
        attach_memory *next = block->next;
        hyi_block_free(block, block->block_class);
        block = next;
    }
}

// ---- objects ----------------------------------------------------------------------------------

hy_err hy_message_attach(void *message, void *object, void (*drop)(void *object)) {
    hyi_message *head = (hyi_message *)message - 1;
    HY_ASSERT(object != NULL && drop != NULL);
    hyi_more_tail *more = hyi_more_begin(head);
    if (more->attached) return HY_EXISTS;
    more->attached = object;
    more->attached_drop = drop;
    return HY_OK;
}

void *hy_message_detach(void *message) {
    hyi_more_tail *more = hyi_more_of((hyi_message *)message - 1);
    if (!more) return NULL;
    void *object = more->attached;
    more->attached = NULL;
    return object;
}

// The object first: what it points to may lie in the message's memory.
void hyi_more_end(hyi_message *message) {
    hyi_more_tail *more = hyi_more_of(message);
    if (!more) return;
    if (more->attached) more->attached_drop(more->attached);
    attach_free_memory(more->memory);
    if (more->baggage) hyi_block_free(more->baggage, more->baggage_class);
}
