// shared.c - boxes with a count, for values that several fibers read.
//
// One thread, so the count is an ordinary number. A box that was made by hy_shared_copy keeps the
// bytes right behind itself: one allocation, one cache line for short values.
#include <hypha/flow.h>

#include <string.h>

typedef struct shared_copy {
    hy_shared shared;
    uint8_t bytes[];
} shared_copy;

hy_err hy_shared_new(hy_mem *mem, const void *value, size_t bytes,
                     void (*drop)(void *self, const void *value), void *self,
                     hy_shared **out_shared) {
    hy_shared *shared = (hy_shared *)hy_mem_alloc(mem, sizeof *shared);
    if (!shared) {
        if (drop) drop(self, value);
        return HY_NOMEM;
    }
    *shared = (hy_shared){ value, bytes, 1, drop, self, mem };
    *out_shared = shared;
    return HY_OK;
}

// `drop` of a copy is never called: NULL would mean a box of the other kind.
static void shared_nothing(void *self, const void *value) {
    (void)self;
    (void)value;
}

static bool shared_is_copy(const hy_shared *shared) {
    return shared->drop_ == shared_nothing;
}

hy_err hy_shared_copy(hy_mem *mem, hy_bytes bytes, hy_shared **out_shared) {
    shared_copy *copy = (shared_copy *)hy_mem_alloc(mem, sizeof *copy + bytes.len + 1);
    if (!copy) return HY_NOMEM;
    copy->shared = (hy_shared){ copy->bytes, bytes.len, 1, shared_nothing, NULL, mem };
    if (bytes.len > 0) memcpy(copy->bytes, bytes.ptr, bytes.len);
    copy->bytes[bytes.len] = 0;
    *out_shared = &copy->shared;
    return HY_OK;
}

hy_shared *hy_shared_keep(hy_shared *shared) {
    if (!shared) return NULL;
    HY_ASSERT(shared->refs_ > 0 && shared->refs_ < UINT32_MAX);
    shared->refs_++;
    return shared;
}

void hy_shared_drop(hy_shared *shared) {
    if (!shared) return;
    HY_ASSERT(shared->refs_ > 0);
    if (--shared->refs_ > 0) return;
    size_t size = sizeof *shared;
    if (shared_is_copy(shared)) {
        size = sizeof(shared_copy) + shared->bytes + 1;
    } else if (shared->drop_) {
        shared->drop_(shared->self_, shared->value);
    }
    hy_mem_free(shared->mem_, shared, size);
}
