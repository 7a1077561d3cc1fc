// key.h - the 128-bit key of ordered and hashed maps.        Room: base. Includes: hypha/base.h.
// Threads: values.
#ifndef HYI_BASE_KEY_H
#define HYI_BASE_KEY_H

#include <hypha/base.h>

#define HYI_NONE UINT32_MAX // no index, no value

typedef struct hyi_key {
    uint64_t hi, lo; // compared as one 128-bit number
} hyi_key;

// -1, 0, 1.
static inline int hyi_key_compare(hyi_key a, hyi_key b) {
    if (a.hi != b.hi) return a.hi < b.hi ? -1 : 1;
    return a.lo == b.lo ? 0 : a.lo < b.lo ? -1 : 1;
}

static inline bool hyi_key_equal(hyi_key a, hyi_key b) {
    return ((a.hi ^ b.hi) | (a.lo ^ b.lo)) == 0; // one branch, where && would make two
}

#endif
