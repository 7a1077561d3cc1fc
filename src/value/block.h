// block.h - bytes that several values hold together.            Room: value. Includes: base.
// Threads: one owner.
//
// A text in a value is an ordinary hy_text whose bytes lie behind a small head with their count of
// holders. Nobody who reads it needs to know; who holds it finds the head 16 bytes before the
// bytes. No bytes, no block: an empty text is { NULL, 0 }.
#ifndef HYPHA_VALUE_BLOCK_H
#define HYPHA_VALUE_BLOCK_H

#include <hypha/base.h>

#include "base/memory.h"

typedef struct hyi_block {
    uint32_t refs, unused;
    uint64_t padding;
} hyi_block;

_Static_assert(sizeof(hyi_block) == 16, "the bytes behind it are aligned");

static inline hyi_block *hyi_block_of(hy_bytes bytes) {
    return (hyi_block *)(uintptr_t)(bytes.ptr - sizeof(hyi_block));
}

// A copy of `from` with one holder. HY_NOMEM.
HY_CHECKED static inline hy_err hyi_block_copy(hy_mem *mem, hy_bytes from, hy_bytes *out_bytes) {
    *out_bytes = (hy_bytes){ .ptr = NULL };
    if (from.len == 0) return HY_OK;
    if (from.len > SIZE_MAX / 2) return HY_NOMEM;
    hyi_block *block = (hyi_block *)hy_mem_alloc(mem, sizeof *block + from.len);
    if (block == NULL) return HY_NOMEM;
    *block = (hyi_block){ .refs = 1 };
    memcpy(block + 1, from.ptr, from.len);
    *out_bytes = (hy_bytes){ (const uint8_t *)(block + 1), from.len };
    return HY_OK;
}

static inline void hyi_block_retain(hy_bytes bytes) {
    if (bytes.len > 0) hyi_block_of(bytes)->refs += 1;
}

static inline void hyi_block_release(hy_mem *mem, hy_bytes bytes) {
    if (bytes.len == 0) return;
    hyi_block *block = hyi_block_of(bytes);
    HY_ASSERT(block->refs > 0);
    block->refs -= 1;
    if (block->refs == 0) hy_mem_free(mem, block, sizeof *block + bytes.len);
}

#endif
