// system_mem.c - the C library's heap as a hy_mem.
//
// glibc aligns every block on 16 bytes on our targets, which is what hy_mem promises. The old size
// is not needed here; callers give it so that other allocators can do without headers.
#include <hypha/world.h>

#include <stdlib.h>

_Static_assert(_Alignof(max_align_t) >= 16, "malloc must give what hy_mem promises");

static void *system_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    (void)self;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

hy_mem *hy_mem_system(void) {
    static hy_mem system = { system_resize };
    return &system;
}
