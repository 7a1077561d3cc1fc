// frame.c - entries in a row, each behind its length and CRC-32C.
//
// The length is checked against what is there before the CRC is computed, and the CRC before
// anybody decodes: so a flipped bit anywhere is found here, and its place is told.

#include <hypha/machine.h>

#include "base/digest.h"
#include "base/memory.h"
#include "base/why.h"

static void frame_put_u32(uint8_t *at, uint32_t value) {
    for (uint32_t i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t frame_get_u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void hy_frame_add(hy_buf *out, hy_bytes entry) {
    uint8_t head[HY_FRAME_HEAD_BYTES];
    frame_put_u32(head, (uint32_t)entry.len);
    frame_put_u32(head + 4, hyi_crc32c(0, entry.ptr, entry.len));
    if (hy_buf_reserve(out, sizeof head + entry.len) == NULL) return; // `failed` is set
    hy_buf_add(out, head, sizeof head);
    hy_buf_add(out, entry.ptr, entry.len);
}

hy_err hy_frame_next(hy_bytes *rest, hy_bytes *out_entry, hy_why *why) {
    if (rest->len == 0) return HY_END;
    if (rest->len < HY_FRAME_HEAD_BYTES) {
        return hyi_why_fmt(why, HY_CORRUPT, "frame",
                           "%u bytes where a frame's 8-byte head should be", (uint64_t)rest->len);
    }
    uint32_t len = frame_get_u32(rest->ptr);
    if (len > rest->len - HY_FRAME_HEAD_BYTES) {
        return hyi_why_fmt(why, HY_CORRUPT, "frame", "the frame says %u bytes, %u are left",
                           (uint64_t)len, (uint64_t)(rest->len - HY_FRAME_HEAD_BYTES));
    }
    hy_bytes entry = { rest->ptr + HY_FRAME_HEAD_BYTES, len };
    if (hyi_crc32c(0, entry.ptr, entry.len) != frame_get_u32(rest->ptr + 4)) {
        return hy_why_set(why, HY_CORRUPT, "frame", "the entry's bytes do not fit their CRC-32C");
    }
    *out_entry = entry;
    *rest = (hy_bytes){ entry.ptr + len, rest->len - HY_FRAME_HEAD_BYTES - len };
    return HY_OK;
}
