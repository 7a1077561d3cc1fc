// blobs.h - the strings and bytes that rows own.               Room: machine. Includes: base.
// Threads: one owner. Limits: none but memory.
//
// Rows come and go with their names and notes, so blobs come and go as fast as rows. Small ones (up
// to 256 bytes) are cut from slabs in classes of 16 bytes and reused last-in first-out; larger ones
// come from the caller's allocator one by one. In paranoid builds all do, so that the sanitizers
// see each.
#ifndef HYI_MACHINE_BLOBS_H
#define HYI_MACHINE_BLOBS_H

#include <hypha/base.h>

#define HYI_BLOB_STEP 16u
#define HYI_BLOB_CLASSES 16u

typedef struct hyi_blobs {
    hy_mem *mem;
    void *free[HYI_BLOB_CLASSES]; // lists through the blobs themselves
    struct blobs_slab *slabs;     // newest first; blobs are cut from it
    uint32_t slab_used;
} hyi_blobs;

static inline void hyi_blobs_init(hyi_blobs *blobs, hy_mem *mem) {
    *blobs = (hyi_blobs){ .mem = mem };
}
// Small blobs go with it; each large one must have been given back.
void hyi_blobs_deinit(hyi_blobs *blobs);

// A copy of the bytes; no bytes for none. False: no memory.
bool hyi_blobs_copy(hyi_blobs *blobs, hy_bytes bytes, hy_bytes *out_copy);
void hyi_blobs_free(hyi_blobs *blobs, hy_bytes blob); // no bytes is fine

#endif
