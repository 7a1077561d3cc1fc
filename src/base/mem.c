// mem.c - asking an allocator for memory.
//
// `resize` does everything; these three give its common uses their names. A size of zero is a bad
// caller: it could not be told from a failure, and an allocator without headers could not free it.
#include <hypha/base.h>
#include "base/memory.h"

void *hy_mem_alloc(hy_mem *mem, size_t size) {
    HY_ASSERT(size > 0);
    return mem->resize(mem, NULL, 0, size);
}

void *hy_mem_alloc_zero(hy_mem *mem, size_t size) {
    void *ptr = hy_mem_alloc(mem, size);
    if (ptr) memset(ptr, 0, size);
    return ptr;
}

void hy_mem_free(hy_mem *mem, void *ptr, size_t size) {
    if (!ptr) return;
    HY_ASSERT(size > 0);
    (void)mem->resize(mem, ptr, size, 0);
}
