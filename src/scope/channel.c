// channel.c - bounded queues of items between fibers of one world.
//
// A ring of items and two lists of fibers that wait. The rule that keeps it fair and fast: an item
// goes to the receiver that has waited longest before it would go into the ring, and a place in the
// ring goes to the sender that has waited longest before anybody else can take it. So nobody who
// comes later overtakes, and a fiber that wakes up has nothing left to do.
//
// Invariants (channel_holds):
//     receivers wait      => the ring is empty and no sender waits (but a select may be both)
//     senders wait        => the ring is full, and the policy is to wait
//     closed              => nobody waits
//     sent = received + dropped + count
//
// An item that was handed to a receiver is received, even when that fiber is cancelled before it
// runs: its call returns HY_OK, and the next one the reason. Nothing is lost between the two.
#include "scope/channel.h"

#include <stdint.h>

typedef struct channel_wait {
    hyi_wait wait;
    hyi_chan_waiter waiter;
} channel_wait;

// The item of a sender that only waits for room.
static const uint8_t channel_no_item;

static void channel_end(void *object);
static bool channel_holds(const hy_chan *chan);
static void channel_shut(hy_chan *chan, hy_err end_err);
static inline void channel_settle(hyi_chan_waiter *waiter, hy_err err);
static bool channel_overflow(hy_chan *chan, const void *item, hy_err *out_err);
static inline hy_err channel_park(hyi_list *list, const void *item, void *out_item,
                                  const char *what);

// ---- items --------------------------------------------------------------------------------------

// Most items are a pointer or two; with a constant size the copy is a load and a store. Optimised
// at link time this ends up in the caller, where gcc sees the item and warns about the sizes that
// it does not have; the empty instruction makes it forget where the pointers came from.
static inline void channel_copy(const hy_chan *chan, void *to, const void *from) {
    __asm__("" : "+r"(to), "+r"(from));
    switch (chan->item_size) {
    case 0: return;
    case 4: memcpy(to, from, 4); return;
    case 8: memcpy(to, from, 8); return;
    case 16: memcpy(to, from, 16); return;
    case 32: memcpy(to, from, 32); return;
    default: memcpy(to, from, chan->item_size); return;
    }
}

static inline uint8_t *channel_slot(const hy_chan *chan, uint32_t offset) {
    uint64_t index = (uint64_t)chan->head + offset;
    if (index >= chan->capacity) index -= chan->capacity;
    return chan->ring + index * chan->item_size;
}

static inline void channel_put(hy_chan *chan, const void *item) {
    channel_copy(chan, channel_slot(chan, chan->count), item);
    chan->count++;
}

// The oldest item is gone from the ring; its bytes are there until the next put.
static inline uint8_t *channel_pop(hy_chan *chan) {
    uint8_t *slot = channel_slot(chan, 0);
    chan->head = chan->head + 1 == chan->capacity ? 0 : chan->head + 1;
    chan->count--;
    return slot;
}

static inline hyi_chan_waiter *channel_first(const hyi_list *list) {
    hyi_link *link = hyi_list_first(list);
    return link != NULL ? HYI_HOLDER(hyi_chan_waiter, link, link) : NULL;
}

// ---- opening and closing ------------------------------------------------------------------------

hy_err hy_chan_open(hy_scope *scope, size_t item_size, uint32_t capacity,
                    const hy_chan_options *options, hy_chan **out_chan) {
    hy_overflow overflow = options != NULL ? options->overflow : HY_OVERFLOW_WAIT;
    HY_ASSERT(HY_IMPLIES(capacity == 0, overflow == HY_OVERFLOW_WAIT));
    HY_ASSERT(item_size <= UINT32_MAX);
    if (capacity != 0 && item_size > (SIZE_MAX / 2) / capacity) return HY_NOMEM;

    hyi_more *more = hyi_scope_more(scope);
    hy_mem *mem = more != NULL ? hy_scope_mem(scope) : NULL;
    if (mem == NULL) return HY_NOMEM;
    hy_chan *chan = hy_mem_alloc(mem, sizeof(hy_chan) + item_size * capacity);
    if (chan == NULL) return HY_NOMEM;
    *chan = (hy_chan){
        .item_size = (uint32_t)item_size,
        .capacity = capacity,
        .overflow = (uint8_t)overflow,
        .drop = options != NULL ? options->drop : NULL,
        .self = options != NULL ? options->self : NULL,
        .mem = mem,
        .ring = (uint8_t *)(chan + 1),
    };
    hyi_list_init(&chan->senders);
    hyi_list_init(&chan->receivers);
    hyi_list_append(&more->channels, &chan->in_scope);
    hy_err err = hy_own(scope, chan, channel_end, 0);
    if (err != HY_OK) return err;
    *out_chan = chan;
    return HY_OK;
}

// The scope's: whoever still waits (in a scope above) is told, what is left is dropped.
static void channel_end(void *object) {
    hy_chan *chan = object;
    channel_shut(chan, HY_END);
    while (chan->count > 0) {
        void *item = channel_pop(chan);
        if (chan->drop != NULL) chan->drop(chan->self, item);
    }
    hyi_list_remove(&chan->in_scope);
    hy_mem_free(chan->mem, chan, sizeof(hy_chan) + (size_t)chan->item_size * chan->capacity);
}

static void channel_shut(hy_chan *chan, hy_err end_err) {
    if (chan->closed) return;
    chan->closed = true;
    chan->end_err = end_err;
    hyi_chan_waiter *waiter;
    while ((waiter = channel_first(&chan->senders)) != NULL) {
        channel_settle(waiter, HY_CLOSED);
    }
    while ((waiter = channel_first(&chan->receivers)) != NULL) {
        channel_settle(waiter, end_err);
    }
    HY_ASSERT_SLOW(channel_holds(chan));
}

void hy_chan_close(hy_chan *chan) {
    channel_shut(chan, HY_END);
}

void hy_chan_fail(hy_chan *chan, hy_err err) {
    HY_ASSERT(err != HY_OK);
    channel_shut(chan, err);
}

// ---- sending ------------------------------------------------------------------------------------

static inline bool channel_give(hy_chan *chan, const void *item, hy_err *out_err) {
    *out_err = HY_OK;
    hyi_chan_waiter *receiver = channel_first(&chan->receivers);
    if (receiver != NULL) {
        channel_copy(chan, receiver->out_item, item);
        chan->sent++;
        chan->received++;
        channel_settle(receiver, HY_OK);
        return true;
    }
    if (__builtin_expect(chan->closed, 0)) {
        *out_err = HY_CLOSED;
        return true;
    }
    if (chan->count == chan->capacity) return channel_overflow(chan, item, out_err);
    channel_put(chan, item);
    chan->sent++;
    return true;
}

// Kept out of the way of the common case.
static __attribute__((noinline)) bool channel_overflow(hy_chan *chan, const void *item,
                                                       hy_err *out_err) {
    if (chan->overflow == HY_OVERFLOW_WAIT) return false;
    *out_err = chan->overflow == HY_OVERFLOW_FAIL ? HY_LIMIT : HY_OK;
    if (*out_err != HY_OK) return true;
    chan->sent++;
    chan->dropped++;
    if (chan->overflow == HY_OVERFLOW_DROP_NEW) {
        if (chan->drop != NULL) chan->drop(chan->self, (void *)(uintptr_t)item);
        return true;
    }
    void *oldest = channel_pop(chan);
    if (chan->drop != NULL) chan->drop(chan->self, oldest);
    channel_put(chan, item);
    return true;
}

bool hyi_chan_give(hy_chan *chan, const void *item, hy_err *out_err) {
    return channel_give(chan, item, out_err);
}

hy_err hy_send(hy_chan *chan, const void *item) {
    HY_ASSERT(hyi_current != NULL);
    hy_err err = hyi_cancel_reason(hyi_current);
    if (__builtin_expect(err != HY_OK, 0)) return err;
    bool settled = channel_give(chan, item, &err);
    HY_ASSERT_SLOW(channel_holds(chan));
    if (settled) return err;
    return channel_park(&chan->senders, item, NULL, "send");
}

hy_err hy_try_send(hy_chan *chan, const void *item) {
    hy_err err;
    return channel_give(chan, item, &err) ? err : HY_BUSY;
}

hy_err hyi_chan_wait_room(hy_chan *chan) {
    HY_ASSERT(hyi_current != NULL);
    HY_ASSERT(chan->capacity > 0);
    hy_err err = hyi_cancel_reason(hyi_current);
    if (err != HY_OK) return err;
    if (chan->closed) return HY_CLOSED;
    if (chan->count < chan->capacity) return HY_OK;
    return channel_park(&chan->senders, &channel_no_item, NULL, "room");
}

// ---- receiving ----------------------------------------------------------------------------------

static inline bool channel_take(hy_chan *chan, void *out_item, hy_err *out_err) {
    *out_err = HY_OK;
    hyi_chan_waiter *sender = channel_first(&chan->senders);
    bool brings = sender != NULL && sender->item != &channel_no_item;
    if (chan->count > 0) {
        channel_copy(chan, out_item, channel_pop(chan));
        if (brings) channel_put(chan, sender->item);
    } else if (sender != NULL) {
        channel_copy(chan, out_item, sender->item);
    } else {
        *out_err = chan->end_err;
        return chan->closed;
    }
    chan->received++;
    if (sender != NULL) {
        chan->sent += brings;
        channel_settle(sender, HY_OK);
    }
    return true;
}

bool hyi_chan_take(hy_chan *chan, void *out_item, hy_err *out_err) {
    return channel_take(chan, out_item, out_err);
}

hy_err hy_recv(hy_chan *chan, void *out_item) {
    HY_ASSERT(hyi_current != NULL);
    hy_err err = hyi_cancel_reason(hyi_current);
    if (__builtin_expect(err != HY_OK, 0)) return err;
    bool settled = channel_take(chan, out_item, &err);
    HY_ASSERT_SLOW(channel_holds(chan));
    if (settled) return err;
    return channel_park(&chan->receivers, NULL, out_item, "receive");
}

hy_err hy_try_recv(hy_chan *chan, void *out_item) {
    hy_err err;
    return channel_take(chan, out_item, &err) ? err : HY_BUSY;
}

// ---- waiting ------------------------------------------------------------------------------------

static void channel_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(channel_wait, wait, wait)->waiter.link);
}

static inline hy_err channel_park(hyi_list *list, const void *item, void *out_item,
                                  const char *what) {
    channel_wait wait = {
        .wait = { .unhook = channel_unhook, .what = what, .deadline = HY_NEVER },
        .waiter = { .task = hyi_current, .item = item, .out_item = out_item },
    };
    hyi_list_append(list, &wait.waiter.link);
    return hyi_park(&wait.wait);
}

// Takes the waiter out of where it waits and lets its fiber go on with `err` as its answer.
static inline void channel_settle(hyi_chan_waiter *waiter, hy_err err) {
    if (__builtin_expect(waiter->select != NULL, 0)) {
        hyi_select_settle(waiter, err);
        return;
    }
    hyi_list_remove(&waiter->link);
    hyi_wake(waiter->task, err);
}

// ---- seeing -------------------------------------------------------------------------------------

static uint32_t channel_waiting(const hyi_list *list) {
    uint32_t count = 0;
    for (const hyi_link *link = list->next; link != list; link = link->next) {
        count++;
    }
    return count;
}

hy_chan_state hy_chan_state_of(const hy_chan *chan) {
    return (hy_chan_state){
        .item_size = chan->item_size,
        .count = chan->count,
        .capacity = chan->capacity,
        .senders_waiting = channel_waiting(&chan->senders),
        .receivers_waiting = channel_waiting(&chan->receivers),
        .sent = chan->sent,
        .received = chan->received,
        .dropped = chan->dropped,
        .closed = chan->closed,
    };
}

static bool channel_holds(const hy_chan *chan) {
    bool senders = !hyi_list_is_empty(&chan->senders);
    bool receivers = !hyi_list_is_empty(&chan->receivers);
    HY_ASSERT(chan->count <= chan->capacity);
    HY_ASSERT(HY_IMPLIES(receivers, chan->count == 0));
    HY_ASSERT(HY_IMPLIES(senders, chan->count == chan->capacity));
    HY_ASSERT(HY_IMPLIES(senders, chan->overflow == HY_OVERFLOW_WAIT));
    HY_ASSERT(HY_IMPLIES(chan->closed, !senders && !receivers));
    HY_ASSERT(chan->sent == chan->received + chan->dropped + chan->count);
    return true;
}
