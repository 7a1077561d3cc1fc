// bytes.c - borrowed bytes: from a C string, equal, in order.
//
// Comparing goes byte by byte and unsigned, so the order is that of memcmp: the same on every
// machine, and for UTF-8 the order of code points. No pointer is touched when there are no bytes.
#include <hypha/base.h>
#include "base/memory.h"

hy_bytes hy_bytes_of(const char *text) {
    if (!text) return (hy_bytes){ 0 };
    // Read as volatile: a compiler may otherwise recognise the loop and call strlen, a libc
    // function that the pure rooms do not have.
    const volatile char *end = text;
    while (*end)
        end++;
    return (hy_bytes){ (const uint8_t *)text, (size_t)(end - text) };
}

bool hy_bytes_equal(hy_bytes a, hy_bytes b) {
    if (a.len != b.len) return false;
    return a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0;
}

int hy_bytes_compare(hy_bytes a, hy_bytes b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);
    if (order != 0) return order < 0 ? -1 : 1;
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}
