// bus.c - events from those who publish to those who have subscribed.
//
// A subscription is a channel that the bus sends into, so its bound, its policy and its accounting
// are the channel's. What the bus adds is that an event arrives everywhere at one moment: the
// publisher first waits until every subscription that wants to be waited for has room, then sends
// to all without waiting. One publisher of a topic at a time, in order of arrival; nobody else
// fills those queues, so room that was there once stays. That gives all subscribers one order of
// events, and a publisher that is cancelled while it waits has told nobody.
//
// A topic has a record here while it has subscribers or waiting publishers, no longer. Bus and
// subscription may end in either order; each takes itself out of the other. A publisher that waits
// while the bus goes away is marked `gone`, on its own stack, and touches nothing of it again.
#include "scope/channel.h"

#include <hypha/flow.h>

#define BUS_CAPACITY 64u

typedef struct bus_topic {
    hyi_link in_bus;
    hy_bus *bus;
    const hy_topic *topic;
    hyi_list subs;       // in order of subscription
    hyi_list publishers; // that wait: the first for room, the others for their turn
} bus_topic;

typedef struct bus_publisher {
    hyi_wait wait; // for its turn
    hyi_link in_topic;
    bool gone; // the bus was closed
} bus_publisher;

struct hy_bus {
    hy_mem *mem;
    hyi_list topics;
    bool closed;
    hy_bus_state state;
};

struct hy_sub {
    hyi_link in_topic;
    bus_topic *at; // NULL: it has left, fallen behind, or the bus was closed
    hy_scope *scope;
    hy_mem *mem;
    hy_chan *chan;
};

static void bus_end(void *object);
static void bus_shut_topic(bus_topic *at);
static bus_topic *bus_find(const hy_bus *bus, const hy_topic *topic);
static hy_err bus_wait(bus_topic *at, const void *event);
static void bus_next_publisher(bus_topic *at, bus_publisher *me);
static hy_chan *bus_full(const bus_topic *at);
static void bus_tell(bus_topic *at, const void *event);
static void bus_leave(hy_sub *sub);
static void bus_forget_unused(bus_topic *at);
static void bus_sub_end(void *object);

// ---- the bus ------------------------------------------------------------------------------------

hy_err hy_bus_open(hy_scope *scope, hy_bus **out_bus) {
    hy_mem *mem = hy_scope_mem(scope);
    hy_bus *bus = mem != NULL ? hy_mem_alloc_zero(mem, sizeof(hy_bus)) : NULL;
    if (bus == NULL) return HY_NOMEM;
    bus->mem = mem;
    hyi_list_init(&bus->topics);
    hy_err err = hy_own(scope, bus, bus_end, 0);
    if (err == HY_OK) *out_bus = bus;
    return err;
}

static void bus_end(void *object) {
    hy_bus *bus = object;
    hy_bus_close(bus);
    hy_mem_free(bus->mem, bus, sizeof(hy_bus));
}

void hy_bus_close(hy_bus *bus) {
    bus->closed = true;
    hyi_link *link;
    while ((link = hyi_list_first(&bus->topics)) != NULL) {
        bus_shut_topic(HYI_HOLDER(bus_topic, in_bus, link));
    }
}

// The first publisher waits in a channel, and is told by its closing; unless it is about to run.
static void bus_shut_topic(bus_topic *at) {
    hyi_link *link = hyi_list_first(&at->publishers);
    for (bool first = true; link != NULL; first = false) {
        bus_publisher *publisher = HYI_HOLDER(bus_publisher, in_topic, link);
        publisher->gone = true;
        hyi_list_remove(link);
        if (!first) hyi_wake(publisher->wait.task, HY_CLOSED);
        link = hyi_list_first(&at->publishers);
    }
    hyi_link *next;
    for (link = hyi_list_first(&at->subs); link != NULL; link = next) {
        next = hyi_list_after(&at->subs, link);
        hy_sub *sub = HYI_HOLDER(hy_sub, in_topic, link);
        hy_chan_close(sub->chan);
        bus_leave(sub);
    }
    bus_forget_unused(at);
}

hy_bus_state hy_bus_state_of(const hy_bus *bus) {
    return bus->state;
}

// ---- topics -------------------------------------------------------------------------------------

static bus_topic *bus_find(const hy_bus *bus, const hy_topic *topic) {
    for (hyi_link *link = hyi_list_first(&bus->topics); link != NULL;
         link = hyi_list_after(&bus->topics, link)) {
        bus_topic *at = HYI_HOLDER(bus_topic, in_bus, link);
        if (at->topic == topic) return at;
    }
    return NULL;
}

static bus_topic *bus_find_or_make(hy_bus *bus, const hy_topic *topic) {
    bus_topic *at = bus_find(bus, topic);
    if (at != NULL) return at;
    at = hy_mem_alloc(bus->mem, sizeof(bus_topic));
    if (at == NULL) return NULL;
    *at = (bus_topic){ .bus = bus, .topic = topic };
    hyi_list_init(&at->subs);
    hyi_list_init(&at->publishers);
    hyi_list_append(&bus->topics, &at->in_bus);
    return at;
}

static void bus_forget_unused(bus_topic *at) {
    if (!hyi_list_is_empty(&at->subs) || !hyi_list_is_empty(&at->publishers)) return;
    hyi_list_remove(&at->in_bus);
    hy_mem_free(at->bus->mem, at, sizeof(bus_topic));
}

// ---- publishing ---------------------------------------------------------------------------------

hy_err hy_bus_publish(hy_bus *bus, const hy_topic *topic, const void *event) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    err = hy_bus_try_publish(bus, topic, event);
    return err == HY_BUSY ? bus_wait(bus_find(bus, topic), event) : err;
}

hy_err hy_bus_try_publish(hy_bus *bus, const hy_topic *topic, const void *event) {
    if (bus->closed) return HY_CLOSED;
    bus_topic *at = bus_find(bus, topic);
    if (at == NULL) {
        bus->state.published++;
        bus->state.unheard++;
        return HY_OK;
    }
    if (!hyi_list_is_empty(&at->publishers) || bus_full(at) != NULL) return HY_BUSY;
    bus_tell(at, event);
    bus_forget_unused(at);
    return HY_OK;
}

static void bus_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(bus_publisher, wait, wait)->in_topic);
}

static hy_err bus_wait(bus_topic *at, const void *event) {
    bus_publisher me = { .wait = {
                             .unhook = bus_unhook, .what = "publish", .deadline = HY_NEVER } };
    bool is_first = hyi_list_is_empty(&at->publishers);
    hyi_list_append(&at->publishers, &me.in_topic);
    if (!is_first) {
        hy_err err = hyi_park(&me.wait);
        if (me.gone) return HY_CLOSED;
        if (err != HY_OK) return err;
    }
    hy_err cancelled = hy_check();
    hy_chan *full;
    while (cancelled == HY_OK && (full = bus_full(at)) != NULL) {
        hy_err err = hyi_chan_wait_room(full);
        if (me.gone) return HY_CLOSED;
        cancelled = err == HY_CLOSED ? hy_check() : err; // or the subscription has left
    }
    if (cancelled == HY_OK) bus_tell(at, event);
    bus_next_publisher(at, &me);
    return cancelled;
}

static void bus_next_publisher(bus_topic *at, bus_publisher *me) {
    hyi_list_remove(&me->in_topic);
    hyi_link *next = hyi_list_first(&at->publishers);
    if (next != NULL) hyi_wake(HYI_HOLDER(bus_publisher, in_topic, next)->wait.task, HY_OK);
    bus_forget_unused(at);
}

// The first queue that the publisher has to wait for; NULL: none.
static hy_chan *bus_full(const bus_topic *at) {
    for (const hyi_link *link = at->subs.next; link != &at->subs; link = link->next) {
        hy_chan *chan = HYI_HOLDER(hy_sub, in_topic, link)->chan;
        if (!hyi_chan_can_give(chan)) return chan;
    }
    return NULL;
}

// To all, at once. Who has fallen behind, or has closed its channel, is no subscriber any more.
static void bus_tell(bus_topic *at, const void *event) {
    const hy_topic *topic = at->topic;
    hy_bus *bus = at->bus;
    bus->state.published++;
    bus->state.unheard += hyi_list_is_empty(&at->subs);
    hyi_link *next;
    for (hyi_link *link = hyi_list_first(&at->subs); link != NULL; link = next) {
        next = hyi_list_after(&at->subs, link);
        hy_sub *sub = HYI_HOLDER(hy_sub, in_topic, link);
        if (topic->keep != NULL) topic->keep(event);
        hy_err err = hy_try_send(sub->chan, event);
        HY_ASSERT(err != HY_BUSY);
        if (err == HY_OK) continue;
        if (topic->drop != NULL) topic->drop(event);
        hy_chan_fail(sub->chan, err);
        bus_leave(sub);
    }
}

// ---- subscriptions ------------------------------------------------------------------------------

// The topic's own function takes no `self`; the topic is it.
static void bus_drop(void *self, void *event) {
    const hy_topic *topic = self;
    topic->drop(event);
}

hy_err hy_subscribe(hy_bus *bus, hy_scope *scope, const hy_topic *topic,
                    const hy_sub_options *options, hy_sub **out_sub) {
    if (bus->closed) return HY_CLOSED;
    hy_mem *mem = hy_scope_mem(scope);
    hy_sub *sub = mem != NULL ? hy_mem_alloc(mem, sizeof(hy_sub)) : NULL;
    if (sub == NULL) return HY_NOMEM;
    *sub = (hy_sub){ .scope = scope, .mem = mem };
    const hy_chan_options chan_options = {
        .size = sizeof(hy_chan_options),
        .overflow = options != NULL ? options->overflow : HY_OVERFLOW_WAIT,
        .drop = topic->drop != NULL ? bus_drop : NULL,
        .self = (void *)(uintptr_t)topic,
    };
    uint32_t capacity = options != NULL && options->capacity > 0 ? options->capacity : BUS_CAPACITY;
    hy_err err = hy_chan_open(scope, topic->size, capacity, &chan_options, &sub->chan);
    if (err != HY_OK) {
        hy_mem_free(mem, sub, sizeof(hy_sub));
        return err;
    }
    hy_chan *chan = sub->chan;
    err = hy_own(scope, sub, bus_sub_end, 0);
    bus_topic *at = err == HY_OK ? bus_find_or_make(bus, topic) : NULL;
    if (at == NULL) {
        if (err == HY_OK) (void)hy_release(scope, sub);
        (void)hy_release(scope, chan);
        return err == HY_OK ? HY_NOMEM : err;
    }
    hyi_list_append(&at->subs, &sub->in_topic);
    sub->at = at;
    bus->state.subscribers++;
    *out_sub = sub;
    return HY_OK;
}

hy_chan *hy_sub_chan(const hy_sub *sub) {
    return sub->chan;
}

void hy_sub_close(hy_sub *sub) {
    hy_scope *scope = sub->scope;
    hy_chan *chan = sub->chan;
    (void)hy_release(scope, sub);
    (void)hy_release(scope, chan);
}

// The record goes before its channel, so a publisher that waits there finds it out of the topic.
static void bus_sub_end(void *object) {
    hy_sub *sub = object;
    bus_topic *at = sub->at;
    if (at != NULL) {
        bus_leave(sub);
        bus_forget_unused(at);
    }
    hy_mem_free(sub->mem, sub, sizeof(hy_sub));
}

static void bus_leave(hy_sub *sub) {
    hyi_list_remove(&sub->in_topic);
    sub->at->bus->state.subscribers--;
    sub->at = NULL;
}
