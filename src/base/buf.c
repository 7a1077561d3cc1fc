// buf.c - bytes that grow to a declared limit.
//
// The error is sticky: after the first failed append nothing more is written, so a writer may
// append a hundred pieces and look at `failed` once. What was there before the failure stays whole.
// Invariants: len <= capacity; bytes_max == 0 or capacity <= bytes_max; ptr == NULL iff capacity ==
// 0.
#include <hypha/base.h>
#include "base/memory.h"

#define BUF_CAPACITY_FIRST ((size_t)64)

void hy_buf_init(hy_buf *buf, hy_mem *mem, size_t bytes_max) {
    *buf = (hy_buf){ .mem = mem, .bytes_max = bytes_max };
}

void hy_buf_deinit(hy_buf *buf) {
    hy_mem_free(buf->mem, buf->ptr, buf->capacity);
    *buf = (hy_buf){ .mem = buf->mem, .bytes_max = buf->bytes_max };
}

void hy_buf_clear(hy_buf *buf) {
    buf->len = 0;
    buf->failed = HY_OK;
}

// Makes the capacity at least len + more, by doubling. False leaves the reason in `failed`.
static bool buf_grow(hy_buf *buf, size_t more) {
    size_t limit = buf->bytes_max != 0 ? buf->bytes_max : SIZE_MAX / 2;
    if (more > limit - buf->len) {
        buf->failed = HY_TOO_LARGE;
        return false;
    }
    size_t capacity = buf->capacity < BUF_CAPACITY_FIRST ? BUF_CAPACITY_FIRST : buf->capacity * 2;
    if (capacity < buf->len + more) capacity = buf->len + more;
    if (capacity > limit) capacity = limit;
    uint8_t *ptr = (uint8_t *)buf->mem->resize(buf->mem, buf->ptr, buf->capacity, capacity);
    if (!ptr) {
        buf->failed = HY_NOMEM;
        return false;
    }
    buf->ptr = ptr;
    buf->capacity = capacity;
    return true;
}

uint8_t *hy_buf_reserve(hy_buf *buf, size_t len) {
    HY_ASSERT(buf->len <= buf->capacity);
    if (buf->failed != HY_OK) return NULL;
    bool fits = buf->ptr && len <= buf->capacity - buf->len;
    if (!fits && !buf_grow(buf, len)) return NULL;
    return buf->ptr + buf->len;
}

void hy_buf_add(hy_buf *buf, const void *ptr, size_t len) {
    if (len == 0) return;
    uint8_t *room = hy_buf_reserve(buf, len);
    if (!room) return;
    memcpy(room, ptr, len);
    buf->len += len;
}

void hy_buf_add_text(hy_buf *buf, const char *text) {
    hy_bytes bytes = hy_bytes_of(text);
    hy_buf_add(buf, bytes.ptr, bytes.len);
}

void hy_buf_add_u64(hy_buf *buf, uint64_t value) {
    char digits[20]; // 2^64 - 1 has 20 digits
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    hy_buf_add(buf, digits + at, sizeof digits - at);
}

hy_bytes hy_buf_bytes(const hy_buf *buf) {
    return (hy_bytes){ buf->ptr, buf->len };
}
