// message.c - messages as memory: made, taken, freed.
//
// A message is a block: 16 bytes of header, the body, and at the end what few have (tail.h). The
// sender's macro fills a copy right where it will lie, so a send copies once. Made and taken
// messages belong to a handler for a while, and may get memory and an attachment of their own, so
// they have room for that from the start.
#include "actor/ask.h"
#include "actor/deep.h"
#include "actor/frozen.h"
#include "actor/inside.h"
#include "actor/slab.h"
#include "actor/tail.h"

#include <string.h>

HY_RECORD_DEFINE(hy_nothing, HY_NOTHING)

static inline hyi_message *message_of(const void *body) {
    return (hyi_message *)(uintptr_t)body - 1;
}

static inline void message_begin(hyi_message *message, const hy_message_kind *kind,
                                 uint8_t block_class) {
    const hyi_worker *here = hyi_here;
    message->next_ = NULL;
    message->tag = (uint16_t)kind->tag;
    message->flags = 0;
    message->block_class = block_class;
    message->stamp = here ? here->batch_stamp : 0;
}

void *hyi_message_new(const hy_message_kind *kind, size_t size) {
    hyi_worker *here = hyi_here;
    // A question's asker lies behind it: with room for that from the start it need not move.
    size_t bytes = sizeof(hyi_message) + size + (kind->reply ? HYI_TAIL_ASKED : 0);
    uint32_t usual = hyi_block_class_of(bytes);
    if (__builtin_expect(here && usual != HYI_BLOCK_LARGE, 1)) {
        hyi_message *block = (hyi_message *)hyi_block_take(here, usual);
        if (__builtin_expect(!block, 0)) return NULL;
        message_begin(block, kind, (uint8_t)usual);
        return block + 1;
    }
    uint8_t block_class = 0;
    hyi_message *message = (hyi_message *)hyi_block_alloc(bytes, &block_class);
    if (__builtin_expect(!message, 0)) return NULL;
    message_begin(message, kind, block_class);
    return message + 1;
}

void *hyi_message_make(const hy_message_kind *kind) {
    uint8_t block_class = 0;
    size_t size = sizeof(hyi_message) + kind->size + sizeof(hyi_more_tail);
    hyi_message *message = (hyi_message *)hyi_block_alloc(size, &block_class);
    if (!message) return NULL;
    message_begin(message, kind, block_class);
    message->flags = HYI_MESSAGE_KEPT;
    memset(message + 1, 0, kind->size);
    return message + 1;
}

// ---- the end ----------------------------------------------------------------------------------

static void message_free_rest(hyi_message *message) {
    if (message->flags & HYI_MESSAGE_ASKED) hyi_ask_dropped(message, HY_DROP_NOBODY);
    if ((message->flags & HYI_MESSAGE_SYSTEM) && message->tag == HYI_SYSTEM_ANSWER) {
        hyi_then_end(message);
    }
    if (message->flags & HYI_MESSAGE_SHARED) hyi_shared_end(message);
    if (message->flags & HYI_MESSAGE_MORE) hyi_more_end(message);
}

void hyi_message_free(hyi_message *message) {
    if (__builtin_expect((message->flags & ~HYI_MESSAGE_KEPT) != 0, 0)) {
        if (message->flags & HYI_MESSAGE_EMBEDDED) return;
        message_free_rest(message);
    }
    hyi_block_give(hyi_here, message, message->block_class);
}

void hy_message_drop(void *message) {
    if (message) hyi_message_free(message_of(message));
}

// ---- taking -----------------------------------------------------------------------------------

static const hy_message_kind *message_kind(const hy_actor *actor, uint32_t tag) {
    const hy_actor_type *type = actor->type;
    const hy_protocol *protocol = type->first ? type->first->protocol : type->protocol;
    for (uint32_t i = 0; protocol && i < protocol->count; i++) {
        if (protocol->kinds[i]->tag == tag) return protocol->kinds[i];
    }
    return NULL;
}

static bool message_has_room(const hyi_message *message, const hy_message_kind *kind) {
    size_t used = sizeof *message + kind->size + hyi_tail_size(message->flags | HYI_MESSAGE_MORE);
    return used <= hyi_block_size(message, message->block_class);
}

void *hy_message_take(hy_actor *self, const void *body) {
    hyi_message *message = hyi_handling(self);
    if (!message || hyi_message_body(message) != body) return NULL;
    const hy_message_kind *kind = message_kind(self, message->tag);
    if (!kind || (message->flags & HYI_MESSAGE_SYSTEM)) return NULL;
    bool is_own = (message->flags & HYI_MESSAGE_KEPT) || hyi_deep_is_flat(kind);
    if ((message->flags & HYI_MESSAGE_SHARED) || !is_own || !message_has_room(message, kind)) {
        // The handler keeps what it was given until it returns, and gets a copy that can grow.
        void *copy = NULL;
        return hyi_made_copy(kind, body, &copy) == HY_OK ? copy : NULL;
    }
    if ((message->flags & HYI_MESSAGE_ASKED) && hyi_ask_taken(self, message) != HY_OK) return NULL;
    message->flags |= HYI_MESSAGE_KEPT;
    hyi_handling_over(self, true);
    return message + 1;
}
