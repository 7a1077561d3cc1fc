// http_chunk.h - a body that comes in chunks.                     Room: net. Includes: base.
// Threads: a value of its owner. Pure. Limits: a size has at most 8 hex digits; extensions and
// trailers together are dropped up to HYI_HTTP_CHUNK_EXTRA_MAX bytes, then refused.
#ifndef HYI_NET_HTTP_CHUNK_H
#define HYI_NET_HTTP_CHUNK_H

#include <hypha/base.h>

#define HYI_HTTP_CHUNK_EXTRA_MAX 4096u

// A zeroed one is ready.
typedef struct hyi_http_chunk {
    uint32_t state;
    uint32_t digits;
    uint64_t remaining; // of the chunk's data
    uint32_t extra;     // bytes of extensions and trailers so far
    bool line_empty;    // of the trailers
    bool done;
} hyi_http_chunk;

// Reads what it can of `bytes`: *out_used says how much of them was taken, *out_data is a piece of
// the body among them (perhaps empty). Call again with the rest until nothing is used or `done`.
// HY_MALFORMED, with *out_used at the byte that is wrong.
HY_CHECKED hy_err hyi_http_chunk_read(hyi_http_chunk *chunk, hy_bytes bytes, size_t *out_used,
                                      hy_bytes *out_data);

#endif
