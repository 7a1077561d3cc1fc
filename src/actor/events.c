// events.c - what happened, kept as long as the ring is.
//
// One writer, the worker, and readers on any thread, none of whom it ever waits for. A place holds
// an event and its number, and is a seqlock (H.-J. Boehm, "Can seqlocks get along with programming
// language memory models?", 2012): the writer takes the number away, writes the words, and puts the
// number in; a reader that does not find the same number before and after has read a torn event,
// and tries the next, because what it wanted is gone. All words are atomic and relaxed, so nothing
// here is a race; numbers have no gaps, so a reader knows how many it has missed.
//
// An event costs its eight stores and no clock: its time is that of the slice it happened in.
#include "actor/events.h"

typedef struct events_place {
    _Atomic uint64_t number; // 0: being written
    _Atomic int64_t at;
    _Atomic uint64_t who, value;
    _Atomic(const char *) type;
    _Atomic uint32_t kind;
} events_place;

typedef struct hyi_ring {
    uint32_t mask;
    _Atomic uint64_t last; // the latest number that is there
    events_place places[];
} hyi_ring;

static size_t events_size(uint32_t count) {
    return sizeof(hyi_ring) + count * sizeof(events_place);
}

hy_err hyi_events_open(hyi_worker *worker) {
    uint32_t count = 16;
    while (count < worker->node->options.events_max && count < 1u << 20)
        count *= 2;
    hyi_ring *ring = (hyi_ring *)hy_mem_alloc_zero(worker->node->mem, events_size(count));
    if (!ring) return HY_NOMEM;
    ring->mask = count - 1;
    worker->events = ring;
    return HY_OK;
}

void hyi_events_close(hyi_worker *worker) {
    hyi_ring *ring = worker->events;
    if (ring) hy_mem_free(worker->node->mem, ring, events_size(ring->mask + 1));
    worker->events = NULL;
}

void hyi_event(hyi_worker *worker, hy_node_event_kind kind, const hy_actor *actor, uint64_t value) {
    hyi_ring *ring = worker->events;
    uint64_t number = atomic_load_explicit(&ring->last, memory_order_relaxed) + 1;
    events_place *place = &ring->places[number & ring->mask];
    atomic_store_explicit(&place->number, 0, memory_order_relaxed);
    // Pairs with the acquire fence in events_read: who sees a new word sees that the number is
    // gone.
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&place->at, worker->batch_began, memory_order_relaxed);
    atomic_store_explicit(&place->who, actor ? hyi_ref_of(actor).id : 0, memory_order_relaxed);
    atomic_store_explicit(&place->value, value, memory_order_relaxed);
    atomic_store_explicit(&place->type, actor && actor->type ? actor->type->name : "",
                          memory_order_relaxed);
    atomic_store_explicit(&place->kind, kind, memory_order_relaxed);
    // Release: pairs with the acquire in events_read.
    atomic_store_explicit(&place->number, number, memory_order_release);
    atomic_store_explicit(&ring->last, number, memory_order_release);
}

uint64_t hyi_events_count(const hyi_worker *worker) {
    return worker->events ? atomic_load_explicit(&worker->events->last, memory_order_acquire) : 0;
}

// False: it has been overwritten, or is just being.
static bool events_read(const hyi_ring *ring, uint64_t number, hy_node_event *out_event) {
    const events_place *place = &ring->places[number & ring->mask];
    if (atomic_load_explicit(&place->number, memory_order_acquire) != number) return false;
    out_event->number = number;
    out_event->at = atomic_load_explicit(&place->at, memory_order_relaxed);
    out_event->who.id = atomic_load_explicit(&place->who, memory_order_relaxed);
    out_event->value = atomic_load_explicit(&place->value, memory_order_relaxed);
    out_event->type = atomic_load_explicit(&place->type, memory_order_relaxed);
    out_event->kind = (uint8_t)atomic_load_explicit(&place->kind, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire); // before the second look: a seqlock's
    return atomic_load_explicit(&place->number, memory_order_relaxed) == number;
}

bool hy_node_event_next(const hy_node *node, uint32_t worker, uint64_t *cursor,
                        hy_node_event *out_event) {
    HY_ASSERT(worker < node->worker_count);
    const hyi_ring *ring = node->workers[worker]->events;
    hy_node_event event = { .worker = (uint8_t)worker };
    for (uint64_t number = *cursor + 1;; number++) {
        uint64_t last = atomic_load_explicit(&ring->last, memory_order_acquire);
        if (last > ring->mask && number < last - ring->mask) number = last - ring->mask;
        if (number > last) return false;
        if (!events_read(ring, number, &event)) continue;
        *cursor = number;
        *out_event = event;
        return true;
    }
}
