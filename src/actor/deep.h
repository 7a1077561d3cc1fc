// deep.h - copies of what a record points to.                   Room: actor. Includes: schema.
// Threads: any; the value that is copied is the caller's.
//
// A message is sent as a copy of a struct, and the struct may hold texts, bytes and lists: views of
// memory that is the sender's. They are copied too, behind the body, into the same block: one
// allocation, one free. For that the whole is measured first, then copied. Records without such
// fields, which most messages are, are known as flat: that is found out once for each kind, and
// noted in the kind.
//
// Limits: HY_DEPTH_MAX records inside each other. What is behind a value is at most 4 GiB.
#ifndef HYI_ACTOR_DEEP_H
#define HYI_ACTOR_DEEP_H

#include <hypha/actor.h>

#define HYI_DEEP_BYTES_MAX UINT32_MAX

// Is nothing behind any value of `record`? Walks the description.
bool hyi_deep_record_is_flat(const hy_record *record);

// The same for messages and replies of a kind, remembered: HYI_KIND_FLAT or HYI_KIND_DEEP.
enum { HYI_KIND_UNKNOWN, HYI_KIND_FLAT, HYI_KIND_DEEP };
uint8_t hyi_deep_look(const hy_record *record, uint8_t *note);

static inline bool hyi_deep_is_flat(const hy_message_kind *kind) {
    // Relaxed: whoever looks finds out the same, and the description is constant.
    uint8_t note = kind->notes ? __atomic_load_n(&kind->notes->body, __ATOMIC_RELAXED) : 0;
    if (__builtin_expect(note == HYI_KIND_FLAT, 1)) return true;
    return hyi_deep_look(kind->record, kind->notes ? &kind->notes->body : NULL) == HYI_KIND_FLAT;
}

static inline bool hyi_deep_reply_is_flat(const hy_message_kind *kind) {
    uint8_t note = kind->notes ? __atomic_load_n(&kind->notes->reply, __ATOMIC_RELAXED) : 0;
    if (__builtin_expect(note == HYI_KIND_FLAT, 1)) return true;
    return hyi_deep_look(kind->reply, kind->notes ? &kind->notes->reply : NULL) == HYI_KIND_FLAT;
}

// How many bytes are behind `value`, with what the alignment of each needs; `start` is the address
// at which they will lie, modulo 16, so 0 for a block of their own. HY_TOO_LARGE, HY_TOO_DEEP.
HY_CHECKED hy_err hyi_deep_size(const hy_record *record, const void *value, size_t *out_size);

// `value` is a plain copy of a struct: copies what it points to into `into` (16-aligned, as many
// bytes as hyi_deep_size said of the same value) and makes it point there.
void hyi_deep_move(const hy_record *record, void *value, void *into);

#endif
