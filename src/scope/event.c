// event.c - a flag that fibers wait for.
//
// The record is the caller's and a zeroed one is ready, so there is no list head to set up: the
// waiters are a ring without one, and the event points to the one that came first. Nobody waits
// while the event is set.
#include "scope/inside.h"

typedef struct event_wait {
    hyi_wait wait;
    hyi_link link;
    hy_event *event;
} event_wait;

static void event_remove(hy_event *event, hyi_link *link) {
    if (event->waiters_ == link) event->waiters_ = link->next != link ? link->next : NULL;
    hyi_list_remove(link);
}

static void event_unhook(hyi_wait *wait) {
    event_wait *waiter = HYI_HOLDER(event_wait, wait, wait);
    event_remove(waiter->event, &waiter->link);
}

hy_err hy_event_wait(hy_event *event) {
    HY_ASSERT(hyi_current != NULL);
    hy_err err = hyi_cancel_reason(hyi_current);
    if (err != HY_OK || event->is_set) return err;
    event_wait waiter = {
        .wait = { .unhook = event_unhook, .what = "event", .deadline = HY_NEVER },
        .event = event,
    };
    hyi_list_init(&waiter.link);
    if (event->waiters_ == NULL) {
        event->waiters_ = &waiter.link;
    } else {
        hyi_list_append(event->waiters_, &waiter.link);
    }
    return hyi_park(&waiter.wait);
}

void hy_event_set(hy_event *event) {
    event->is_set = true;
    hyi_link *link;
    while ((link = event->waiters_) != NULL) {
        event_remove(event, link);
        hyi_wake(HYI_HOLDER(event_wait, link, link)->wait.task, HY_OK);
    }
}

void hy_event_clear(hy_event *event) {
    event->is_set = false;
}

// On the world's thread. The record may be gone as soon as its event is set.
static void event_posted(hy_post *post) {
    hy_event_set(&HYI_HOLDER(hy_remote_event, post, post)->event);
}

hy_err hy_remote_event_wait(hy_remote_event *remote) {
    hy_world *world = hyi_current->root->world;
    hy_world_expect(world, true);
    hy_err err = hy_event_wait(&remote->event);
    hy_world_expect(world, false);
    return err;
}

void hy_remote_event_set(hy_world *world, hy_remote_event *remote) {
    remote->post.done = event_posted;
    hy_world_post(world, &remote->post);
}
