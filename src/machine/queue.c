// queue.c - the slow half of queue.h: making room.
//
// Sliding to the front is tried before growing, but only when at least half of the storage is
// forgotten: so between two slides as many elements are pushed as were moved, and a push costs O(1)
// on average.

#include "machine/queue.h"

#include "base/memory.h"

void hyi_queue_deinit(hyi_queue *queue) {
    if (queue->mem != NULL)
        hy_mem_free(queue->mem, queue->ptr, queue->capacity * queue->element_size);
    *queue = (hyi_queue){ 0 };
}

hy_err hyi_queue_grow(hyi_queue *queue, size_t more) {
    size_t needed = queue->count + more;
    if (queue->skip >= queue->capacity / 2 && needed <= queue->capacity) {
        memmove(queue->ptr, queue->ptr + queue->skip * queue->element_size,
                queue->count * queue->element_size);
        queue->skip = 0;
        return HY_OK;
    }
    size_t capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
    while (capacity < queue->skip + needed) {
        capacity *= 2;
    }
    uint8_t *ptr = queue->mem->resize(queue->mem, queue->ptr, queue->capacity * queue->element_size,
                                      capacity * queue->element_size);
    if (ptr == NULL) return HY_NOMEM;
    queue->ptr = ptr;
    queue->capacity = capacity;
    return HY_OK;
}
