// options.h - options as a caller's header had them.     Room: base. Includes: base/memory.h.
// Threads: a copy; no state. Ownership: nothing is kept.
//
// An option struct begins with its size (HY_OPTIONS), and grows only at its end. So a program built
// against an older header gives fewer bytes, and what it does not know of is zero, the default. One
// built against a newer header asks for what this library does not have: that is refused loudly.
#ifndef HYI_BASE_OPTIONS_H
#define HYI_BASE_OPTIONS_H

#include <hypha/base.h>

#include "base/memory.h"

// Fills *out, which holds `size` bytes and begins with a size_t, from what was given (NULL: all
// defaults).
static inline void hyi_options_read(void *out, size_t size, const void *given) {
    size_t known = sizeof(size_t);
    memset(out, 0, size);
    if (given) {
        memcpy(&known, given, sizeof known);
        HY_ASSERT(known >= sizeof known && known <= size);
        memcpy(out, given, known);
    }
    memcpy(out, &size, sizeof size);
}

#endif
