// Lists that grow in an arena; field_list.h says where the capacity lies and why.
//
// An arena takes nothing back, so the old elements stay behind as waste; doubling bounds that waste
// by the size of the list itself. Invariant: len <= capacity, and capacity * size fits a size_t.
#include "schema/field_list.h"

typedef struct field_list_head {
    size_t capacity;
    size_t padding[16 / sizeof(size_t) - 1];
} field_list_head;

_Static_assert(sizeof(field_list_head) == 16, "elements stay aligned");

uint8_t *hyi_field_list_extend(hy_arena *arena, uint8_t *member, size_t size, size_t more) {
    hyi_field_list list = hyi_field_list_load(member);
    size_t capacity = 0;
    if (list.ptr != NULL) {
        field_list_head head;
        memcpy(&head, list.ptr - sizeof head, sizeof head);
        capacity = head.capacity;
        HY_ASSERT(list.len <= capacity);
    }
    if (list.ptr == NULL || more > capacity - list.len) {
        field_list_head head = { .capacity = list.len + more };
        if (head.capacity < capacity * 2) head.capacity = capacity * 2;
        size_t bytes;
        if (__builtin_mul_overflow(head.capacity, size, &bytes)) return NULL;
        if (bytes > SIZE_MAX / 2) return NULL;
        uint8_t *block = (uint8_t *)hy_arena_alloc(arena, sizeof head + bytes);
        if (block == NULL) return NULL;
        memcpy(block, &head, sizeof head);
        block += sizeof head;
        if (list.len > 0) memcpy(block, list.ptr, list.len * size);
        list.ptr = block;
        hyi_field_list_store(member, list);
    }
    return list.ptr + list.len * size;
}
