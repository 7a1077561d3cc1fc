// Lists in records: persistent vectors behind an ordinary looking member.
//
// A record's list is { T *ptr; size_t len; } in C. To change one element of a large list in
// O(log n), its elements cannot lie side by side, yet its struct must keep its shape: rows, codecs
// and readers know it. So in a value `len` is the count, as always, and `ptr` is a mark: the
// address of the vector with one bit set that no address of a program has. HY_AT sees the mark, and
// so the same reader works on plain structs and on values. Whoever follows `ptr` by hand is stopped
// by the processor at once, instead of reading something.
//
// The bit is 55: on x86-64 such an address is not canonical, on aarch64 it belongs to the kernel
// (bits above it may be ignored there). With 32 bits it is the highest, so lists need memory below
// 2 GiB. Tools that look for leaks by looking for pointers do not see through the mark.
#include "value/image.h"

#include "base/memory.h"

#define LIST_MARK ((uintptr_t)1 << (sizeof(uintptr_t) == 8 ? 55 : 31))

typedef struct list_member {
    uintptr_t ptr;
    size_t len;
} list_member;

_Static_assert(sizeof(list_member) == sizeof(hy_bytes), "a list looks like bytes");

static list_member list_load(const void *member) {
    list_member loaded;
    memcpy(&loaded, member, sizeof loaded);
    return loaded;
}

hyi_list *hyi_list_of(const void *member) {
    list_member loaded = list_load(member);
    if ((loaded.ptr & LIST_MARK) == 0) return NULL;
    hyi_list *list = (hyi_list *)(loaded.ptr & ~LIST_MARK);
    HY_ASSERT(list->refs > 0);
    return list;
}

void hyi_list_store(uint8_t *member, hyi_list *list) {
    list_member stored = { .len = list->seq.count };
    if (stored.len > 0) {
        stored.ptr = (uintptr_t)list | LIST_MARK;
    } else {
        HY_ASSERT(list->refs == 1);
        hy_mem_free(list->mem, list, sizeof *list);
    }
    memcpy(member, &stored, sizeof stored);
}

hy_err hyi_list_own(hy_mem *mem, uint8_t *member, hyi_list **out_list) {
    hyi_list *old = hyi_list_of(member);
    if (old != NULL && old->refs == 1) {
        *out_list = old;
        return HY_OK;
    }
    hyi_list *list = (hyi_list *)hy_mem_alloc(mem, sizeof *list);
    if (list == NULL) return HY_NOMEM;
    *list = (hyi_list){ .refs = 1, .mem = mem };
    if (old != NULL) {
        list->depth = old->depth;
        list->seq = old->seq;
        hyi_seq_retain(&list->seq);
        old->refs -= 1;
        hyi_list_store(member, list);
    }
    *out_list = list;
    return HY_OK;
}

const void *hy_list_at(const void *list, size_t item_size, size_t index) {
    const hyi_list *marked = hyi_list_of(list);
    if (marked != NULL) return hyi_seq_at(&marked->seq, item_size, index);
    hy_bytes plain;
    memcpy(&plain, list, sizeof plain);
    return index < plain.len ? plain.ptr + index * item_size : NULL;
}

size_t hy_list_span(const void *list, size_t item_size, size_t index, const void **out_items) {
    const hyi_list *marked = hyi_list_of(list);
    if (marked != NULL) return hyi_seq_span(&marked->seq, item_size, index, out_items);
    hy_bytes plain;
    memcpy(&plain, list, sizeof plain);
    if (index >= plain.len) return 0;
    *out_items = plain.ptr + index * item_size;
    return plain.len - index;
}
