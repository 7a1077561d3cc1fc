// string.h - all of the C library that pure rooms may call, for builds that have none.
//
// The wasm build finds this file as <string.h>. Calling anything else of string.h there is a
// compile error, which is the purity rule as a header. The page that loads the wasm file, or
// clang's own builtins, provide the four functions.
#ifndef HYPHA_WASM_STRING_H
#define HYPHA_WASM_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

#endif
