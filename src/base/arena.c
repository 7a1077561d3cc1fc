// arena.c - memory that is given back as a whole.
//
// A list of chunks, newest first; only the newest is carved. Chunks double in size, so a long turn
// costs few allocations, and a reset keeps the largest one: after a few turns the arena no longer
// allocates at all. The price is that an arena holds on to its greatest chunk until deinit.
//
// Invariants: every block handed out starts at a multiple of 16; chunk->used <= chunk->size;
// used_bytes is the sum of `used` over all chunks, less what the ends of older chunks wasted.
// Paranoid builds fill memory that was given back, so that a late reader sees nonsense at once.
#include <hypha/base.h>
#include "base/memory.h"

#define ARENA_ALIGN 16u
#define ARENA_CHUNK_FIRST ((size_t)4096)
#define ARENA_CHUNK_MAX ((size_t)1 << 20) // a larger one is made only for a block that needs it

struct hyi_arena_chunk {
    struct hyi_arena_chunk *older;
    size_t size; // whole block, this header included
    size_t used; // header included
    size_t padding;
};

#define ARENA_HEADER                                                                               \
    ((sizeof(struct hyi_arena_chunk) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1))

#ifdef HY_PARANOID
static void arena_poison(struct hyi_arena_chunk *chunk) {
    memset((uint8_t *)chunk + ARENA_HEADER, 0xdd, chunk->size - ARENA_HEADER);
}
#else
static void arena_poison(struct hyi_arena_chunk *chunk) {
    (void)chunk;
}
#endif

void hy_arena_init(hy_arena *arena, hy_mem *mem, size_t bytes_max) {
    *arena = (hy_arena){ .mem = mem, .bytes_max = bytes_max };
}

static void arena_free_chunks(hy_arena *arena, const struct hyi_arena_chunk *keep) {
    struct hyi_arena_chunk *chunk = arena->chunk;
    while (chunk) {
        struct hyi_arena_chunk *older = chunk->older;
        arena_poison(chunk);
        if (chunk != keep) hy_mem_free(arena->mem, chunk, chunk->size);
        chunk = older;
    }
}

void hy_arena_deinit(hy_arena *arena) {
    arena_free_chunks(arena, NULL);
    arena->chunk = NULL;
    arena->used_bytes = 0;
}

void hy_arena_reset(hy_arena *arena) {
    struct hyi_arena_chunk *largest = arena->chunk;
    arena->used_bytes = 0;
    if (!largest) return;
    for (struct hyi_arena_chunk *chunk = largest->older; chunk; chunk = chunk->older) {
        if (chunk->size > largest->size) largest = chunk;
    }
    arena_free_chunks(arena, largest);
    largest->older = NULL;
    largest->used = ARENA_HEADER;
    arena->chunk = largest;
}

// Puts a chunk with room for `size` in front. `size` is rounded up already.
static bool arena_grow(hy_arena *arena, size_t size) {
    size_t wanted = ARENA_CHUNK_FIRST;
    if (arena->chunk) wanted = arena->chunk->size * 2;
    if (wanted > ARENA_CHUNK_MAX) wanted = ARENA_CHUNK_MAX;
    if (wanted < size + ARENA_HEADER) wanted = size + ARENA_HEADER;
    struct hyi_arena_chunk *chunk = (struct hyi_arena_chunk *)hy_mem_alloc(arena->mem, wanted);
    if (!chunk) return false;
    *chunk = (struct hyi_arena_chunk){ .older = arena->chunk, .size = wanted };
    chunk->used = ARENA_HEADER;
    arena->chunk = chunk;
    return true;
}

void *hy_arena_alloc(hy_arena *arena, size_t size) {
    if (size > SIZE_MAX / 2) return NULL;
    size = size == 0 ? ARENA_ALIGN : (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (arena->bytes_max != 0) {
        HY_ASSERT(arena->used_bytes <= arena->bytes_max);
        if (size > arena->bytes_max - arena->used_bytes) return NULL;
    }
    struct hyi_arena_chunk *chunk = arena->chunk;
    if (!chunk || size > chunk->size - chunk->used) {
        if (!arena_grow(arena, size)) return NULL;
        chunk = arena->chunk;
    }
    void *ptr = (uint8_t *)chunk + chunk->used;
    chunk->used += size;
    arena->used_bytes += size;
    return ptr;
}

hy_bytes hy_arena_copy(hy_arena *arena, hy_bytes bytes, bool *out_ok) {
    uint8_t *ptr = bytes.len < SIZE_MAX ? (uint8_t *)hy_arena_alloc(arena, bytes.len + 1) : NULL;
    *out_ok = ptr != NULL;
    if (!ptr) return (hy_bytes){ 0 };
    if (bytes.len > 0) memcpy(ptr, bytes.ptr, bytes.len);
    ptr[bytes.len] = 0;
    return (hy_bytes){ ptr, bytes.len };
}
