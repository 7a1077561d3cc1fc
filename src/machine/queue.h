// queue.h - a vector with a moving front, addressed by positions that never change.   Room:
// machine. Threads: one owner.
//
// What an undo log needs: push at the back, forget from the front (what became durable), cut from
// the back (what was rolled back). Positions count from the birth of the queue. Storage is doubled
// when it is full and slid to the front when half of it is forgotten, so every element moves O(1)
// times.
#ifndef HYI_MACHINE_QUEUE_H
#define HYI_MACHINE_QUEUE_H

#include <hypha/base.h>

typedef struct hyi_queue {
    hy_mem *mem;
    uint8_t *ptr;
    size_t element_size;
    size_t capacity; // elements
    size_t skip;     // forgotten elements still in front of the storage
    size_t count;    // live elements
    uint64_t front;  // position of the first live element
} hyi_queue;

static inline void hyi_queue_init(hyi_queue *queue, hy_mem *mem, size_t element_size) {
    *queue = (hyi_queue){ .mem = mem, .element_size = element_size };
}
void hyi_queue_deinit(hyi_queue *queue);

static inline uint64_t hyi_queue_end(const hyi_queue *queue) {
    return queue->front + queue->count;
}

static inline void *hyi_queue_at(const hyi_queue *queue, uint64_t position) {
    return queue->ptr + (queue->skip + (size_t)(position - queue->front)) * queue->element_size;
}

HY_CHECKED hy_err hyi_queue_grow(hyi_queue *queue, size_t more); // HY_NOMEM

// Room for `n` more at the back (uninitialised); NULL: no memory. Pointers into the queue may move.
static inline void *hyi_queue_push(hyi_queue *queue, size_t n) {
    if (queue->skip + queue->count + n > queue->capacity && hyi_queue_grow(queue, n) != HY_OK) {
        return NULL;
    }
    void *at = queue->ptr + (queue->skip + queue->count) * queue->element_size;
    queue->count += n;
    return at;
}

static inline void hyi_queue_cut(hyi_queue *queue, uint64_t end) { // keeps positions below `end`
    queue->count = (size_t)(end - queue->front);
    if (queue->count == 0) queue->skip = 0;
}

static inline void hyi_queue_forget(hyi_queue *queue,
                                    uint64_t front) { // keeps positions from `front`
    size_t gone = (size_t)(front - queue->front);
    queue->front = front;
    queue->count -= gone;
    queue->skip = queue->count == 0 ? 0 : queue->skip + gone;
}

#endif
