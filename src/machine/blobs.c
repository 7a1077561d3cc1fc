// blobs.c - cutting, reusing and giving back.
//
// A free blob holds the pointer to the next free one of its class, so a class costs one pointer and
// no blob a header: its owner knows the length. Slabs are never given back before the end; what a
// machine once needed for names it will need again.

#include "machine/blobs.h"

#include "base/memory.h"

enum { BLOBS_SLAB_BYTES = 4096, BLOBS_SLAB_HEAD = 16 };

struct blobs_slab {
    struct blobs_slab *next;
};

_Static_assert(sizeof(struct blobs_slab) <= BLOBS_SLAB_HEAD, "blobs in a slab are aligned to 16");

static bool blobs_is_large(size_t len) {
#ifdef HY_PARANOID
    return len > 0;
#else
    return len > (size_t)HYI_BLOB_STEP * HYI_BLOB_CLASSES;
#endif
}

static uint32_t blobs_class(size_t len) {
    return (uint32_t)((len - 1) / HYI_BLOB_STEP);
}

void hyi_blobs_deinit(hyi_blobs *blobs) {
    while (blobs->slabs != NULL) {
        struct blobs_slab *slab = blobs->slabs;
        blobs->slabs = slab->next;
        hy_mem_free(blobs->mem, slab, BLOBS_SLAB_BYTES);
    }
    *blobs = (hyi_blobs){ 0 };
}

static void *blobs_cut(hyi_blobs *blobs, uint32_t size) {
    if (blobs->slabs == NULL || blobs->slab_used + size > BLOBS_SLAB_BYTES) {
        struct blobs_slab *slab = hy_mem_alloc(blobs->mem, BLOBS_SLAB_BYTES);
        if (slab == NULL) return NULL;
        slab->next = blobs->slabs;
        blobs->slabs = slab;
        blobs->slab_used = BLOBS_SLAB_HEAD;
    }
    void *blob = (uint8_t *)blobs->slabs + blobs->slab_used;
    blobs->slab_used += size;
    return blob;
}

static void *blobs_take(hyi_blobs *blobs, size_t len) {
    if (blobs_is_large(len)) return hy_mem_alloc(blobs->mem, len);
    uint32_t class = blobs_class(len);
    void *blob = blobs->free[class];
    if (blob == NULL) return blobs_cut(blobs, (class + 1) * HYI_BLOB_STEP);
    memcpy(&blobs->free[class], blob, sizeof(void *));
    return blob;
}

bool hyi_blobs_copy(hyi_blobs *blobs, hy_bytes bytes, hy_bytes *out_copy) {
    *out_copy = (hy_bytes){ NULL, 0 };
    if (bytes.len == 0) return true;
    uint8_t *ptr = blobs_take(blobs, bytes.len);
    if (ptr == NULL) return false;
    memcpy(ptr, bytes.ptr, bytes.len);
    *out_copy = (hy_bytes){ ptr, bytes.len };
    return true;
}

void hyi_blobs_free(hyi_blobs *blobs, hy_bytes blob) {
    if (blob.len == 0) return;
    void *ptr = (void *)(uintptr_t)blob.ptr;
    if (blobs_is_large(blob.len)) {
        hy_mem_free(blobs->mem, ptr, blob.len);
        return;
    }
    uint32_t class = blobs_class(blob.len);
    memcpy(ptr, &blobs->free[class], sizeof(void *));
    blobs->free[class] = ptr;
}
