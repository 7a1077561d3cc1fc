// tail.h - what a message has besides its body.                Room: actor. Includes: base scope.
// Threads: whoever has the message.
//
// Most messages have nothing but a body. What the others have lies at the end of their block, and
// so costs those without it nothing: from the end of the block backwards
//
//     HYI_MESSAGE_ASKED   HYI_TAIL_ASKED bytes: who asks (ask.c)
//     HYI_MESSAGE_ALARM   HYI_TAIL_ALARM bytes: of which alarm it is (alarm.c)
//     HYI_MESSAGE_MORE    hyi_more_tail: deadline, baggage, what is attached, memory, failures
//
// each only where its flag is set. So they are added in this order: first that it is asked, or an
// alarm's; then the rest, at any time.
//
// A block has room for a tail, or the message moves to a larger one. Only where a message was made
// or taken, and so may be pointed to, room for HYI_MESSAGE_MORE is there from the start.
#ifndef HYI_ACTOR_TAIL_H
#define HYI_ACTOR_TAIL_H

#include "actor/inside.h"

#define HYI_TAIL_ASKED 32u
#define HYI_TAIL_ALARM 16u

static inline size_t hyi_tail_size(uint8_t flags) {
    return ((flags & HYI_MESSAGE_ASKED) ? HYI_TAIL_ASKED : 0) +
           ((flags & HYI_MESSAGE_ALARM) ? HYI_TAIL_ALARM : 0) +
           ((flags & HYI_MESSAGE_MORE) ? sizeof(hyi_more_tail) : 0);
}

// Where the tail of `flag` lies. The flags of those before it are set already; its own need not be.
static inline void *hyi_tail_at(hyi_message *message, uint8_t flag) {
    uint8_t before = (uint8_t)(flag | (flag - 1u));
    if (flag == HYI_MESSAGE_MORE) {
        before = HYI_MESSAGE_MORE | HYI_MESSAGE_ASKED | HYI_MESSAGE_ALARM;
    } else if (flag == HYI_MESSAGE_ALARM) {
        before = HYI_MESSAGE_ALARM | HYI_MESSAGE_ASKED;
    }
    uint8_t there = (uint8_t)((message->flags | flag) & before);
    size_t size = hyi_block_size(message, message->block_class);
    return (uint8_t *)message + size - hyi_tail_size(there);
}

// NULL: it has none.
static inline hyi_more_tail *hyi_more_of(hyi_message *message) {
    if (__builtin_expect((message->flags & HYI_MESSAGE_MORE) == 0, 1)) return NULL;
    return hyi_tail_at(message, HYI_MESSAGE_MORE);
}

// The more tail of a message that has room for one, cleared if it is new.
hyi_more_tail *hyi_more_begin(hyi_message *message);
// Gives back what the more tail owns: the end of a message, from hyi_message_free.
void hyi_more_end(hyi_message *message);

// Room for the tail of `flag` behind `used` bytes of header and body: the same message, or a copy
// of its header and body in a larger block, after which the old one is freed. What the body points
// to in its own block is not moved: add the tail first, or see hyi_message_dress. False: no memory,
// nothing has changed.
HY_CHECKED bool hyi_tail_room(hyi_message **message, size_t used, uint8_t flag);

#endif
