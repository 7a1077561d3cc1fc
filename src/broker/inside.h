// inside.h - what the files of the room share.                     Room: broker. Includes: actor.
// Threads: a broker is everybody's, under its lock, which is held for a few look-ups and never
// while a message is sent or a user's function runs.
//
// What publishing needs of a broker is found under the lock and used without it: a `match`, the
// list of all who want a topic, is made once for each topic and kept until somebody subscribes or
// leaves. Publishers count themselves into it; the last one out frees one that is out of date.
//
// A subscription is used by three: the tree, matches, and the messages of it that wait in mailboxes
// (its ticket). So it is not freed but retired: when it has ended, no match has it and its ticket
// has come home, its place is given to the next. The broker is freed after the last message of its
// node.
#ifndef HYI_BROKER_INSIDE_H
#define HYI_BROKER_INSIDE_H

#include <hypha/broker.h>

#include "actor/for_broker.h"
#include "base/cleanup.h"
#include "broker/subjects.h"
#include "scope/list.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct hyi_subscription {
    hyi_subject_link link; // first: the tree gives it back
    hyi_ticket ticket;     // what of it waits in mailboxes; actor/for_broker.h
    uint64_t id;           // index and generation; 0: free
    hy_ref who;
    const hy_message_kind *kind;
    uint32_t queue_max;
    uint32_t matches; // that have it; under the lock
    hy_overflow overflow;
    _Atomic bool ended;
    bool (*filter)(void *self, const char *topic, const void *body);
    void *filter_self;
    // Publishers add, relaxed: they are only read for people. What was delivered the ticket knows.
    _Atomic uint64_t dropped, filtered;
} hyi_subscription;

// All that fit a topic, for one kind. Immutable, but for `users`, which the lock guards.
typedef struct hyi_match {
    uint64_t epoch;
    uint32_t users; // publishers at it, and 1 for the cache
    uint32_t count, capacity;
    const hy_message_kind *kind;
    hyi_subscription **subscriptions; // behind the topic
    char topic[HYI_SUBJECT_BYTES_MAX];
} hyi_match;

#define HYI_MATCHES 256u // kept; a place each, by the topic's digest

typedef struct hyi_named { // names.c
    hyi_link in_broker;
    uint32_t index; // in the pool
    hy_ref ref;
    uint8_t len;
    char text[HY_NAME_BYTES_MAX + 1];
} hyi_named;

struct hy_pool {
    hyi_link in_broker;
    hy_broker *broker;
    const hy_actor_type *type;
    const void *arg;
    hy_actor_options member;
    hy_ref supervisor;
    hy_pool_route route;
    _Atomic uint32_t count; // of members: grows after the ref is there
    _Atomic uint64_t turn;
    bool resizing;
    _Atomic uint64_t members[HY_POOL_MEMBERS_MAX]; // hy_ref ids
};

struct hy_broker {
    hyi_later later; // the node frees it
    hy_node *node;
    hy_mem *mem;
    hy_broker_options options;
    pthread_mutex_t lock;
    hyi_pool names; // hyi_named
    hyi_list named; // all that are set, in order of setting
    hyi_map by_name;
    hyi_list pools;
    hyi_subjects subjects;
    hyi_pool places; // hyi_subscription
    uint32_t subscription_count;
    uint64_t epoch;
    hyi_match *matches[HYI_MATCHES];
    _Atomic uint64_t published, delivered, dropped;
};

void hyi_names_init(hy_broker *broker);
void hyi_names_deinit(hy_broker *broker);
void hyi_routes_close(hy_broker *broker); // all pools
HY_CHECKED hy_err hyi_topics_init(hy_broker *broker);
void hyi_topics_deinit(hy_broker *broker);

#endif
