// channel.h - what channel.c and select.c share.                   Room: scope. Includes: world.
// Threads: a channel belongs to one world's thread.
//
// A waiter is one fiber at one channel: a plain send or receive is one, a select one for each of
// its cases. It lies on the fiber's stack. Whoever meets a waiter moves the item itself and settles
// it, so a fiber that wakes up has its answer and never looks at the channel again: by then the
// channel may be gone.
#ifndef HYI_SCOPE_CHANNEL_H
#define HYI_SCOPE_CHANNEL_H

#include "scope/inside.h"

#include <string.h>

typedef struct hyi_chan_waiter {
    hyi_link link; // in senders or receivers; points to itself when it is in neither
    hy_task *task;
    const void *item;          // of a sender
    void *out_item;            // of a receiver
    struct hyi_select *select; // NULL: a plain send or receive
    uint32_t index;            // of the select's case
} hyi_chan_waiter;

struct hy_chan {
    uint32_t item_size, capacity;
    uint32_t count, head;        // items in the ring; where the oldest is
    hyi_list senders, receivers; // hyi_chan_waiter, in order of arrival
    uint64_t sent, received, dropped;
    bool closed;
    uint8_t overflow; // hy_overflow
    hy_err end_err;   // once closed and empty
    void (*drop)(void *self, void *item);
    void *self;
    hy_mem *mem;
    hyi_link in_scope; // more->channels
    uint8_t *ring;     // behind this struct
};

// Takes a select's waiter out, and with it those in its other lists; its fiber goes on, with `err`
// as the answer of the case. select.c.
void hyi_select_settle(hyi_chan_waiter *waiter, hy_err err);

// What hy_send and hy_recv do without waiting. False: they would have to wait; *out_err is not set.
HY_CHECKED bool hyi_chan_give(hy_chan *chan, const void *item, hy_err *out_err);
HY_CHECKED bool hyi_chan_take(hy_chan *chan, void *out_item, hy_err *out_err);

// Fiber. Waits, as a sender in its turn, until there is room in the ring, and takes none of it.
// HY_CLOSED. Who is the only one to send knows then that the next send does not wait.
HY_CHECKED hy_err hyi_chan_wait_room(hy_chan *chan);

// Whether give and take would have an answer now.
static inline bool hyi_chan_can_give(const hy_chan *chan) {
    return chan->closed || chan->count < chan->capacity || !hyi_list_is_empty(&chan->receivers) ||
           chan->overflow != HY_OVERFLOW_WAIT;
}

static inline bool hyi_chan_can_take(const hy_chan *chan) {
    return chan->closed || chan->count > 0 || !hyi_list_is_empty(&chan->senders);
}

#endif
