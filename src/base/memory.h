// memory.h - the four functions that every C compiler may call.      Room: base. Includes: nothing.
// Threads: any.
//
// The pure rooms also build for wasm32, where no <string.h> exists. A compiler is free to emit
// calls of exactly these four even in freestanding code, so they are the only libc names we use.
#ifndef HYI_BASE_MEMORY_H
#define HYI_BASE_MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict target, const void *restrict source, size_t size);
void *memmove(void *target, const void *source, size_t size);
void *memset(void *target, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#endif
