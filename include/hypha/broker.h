// hypha/broker.h - actors by name, in pools, by topic.              Room: broker. Includes: actor.
// Threads: HY_ANY_THREAD marks what any thread may call; the rest as said. No call here waits for
// an actor, and none holds a lock while user code runs.
//
// A broker belongs to a node and finds actors for those who have no ref: by a name; one of a pool;
// or all who subscribed to a topic. It never stands between sender and mailbox: a name or a pool
// gives a ref, and what is published goes from the publisher into the subscribers' mailboxes.
#ifndef HYPHA_BROKER_H
#define HYPHA_BROKER_H

#include <hypha/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hy_broker hy_broker;

typedef struct hy_broker_options {
    size_t size;
    uint32_t names_max;         // 0: 65,536
    uint32_t subscriptions_max; // 0: 65,536
} hy_broker_options;

// Belongs to `node`, and ends with it, after its actors. Any fiber or handler. HY_NOMEM.
HY_API HY_CHECKED hy_err hy_broker_open(hy_node *node, const hy_broker_options *options,
                                        hy_broker **out_broker);

// ---- names ------------------------------------------------------------------------------------

#define HY_NAME_BYTES_MAX 80u

// One actor a name, any number of names an actor. The name goes with the actor's end; restarts keep
// it, because they keep the ref. Copies `name`: 1 to 80 bytes of UTF-8 (HY_RANGE, HY_NOT_UTF8).
// HY_EXISTS: a living actor has it; HY_NOT_FOUND: `ref` is nobody; HY_LIMIT, HY_NOMEM.
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_name_set(hy_broker *broker, const char *name, hy_ref ref);
HY_API HY_ANY_THREAD hy_ref hy_name_find(hy_broker *broker, const char *name); // or HY_NOBODY
HY_API HY_ANY_THREAD void hy_name_clear(hy_broker *broker, const char *name);
HY_API HY_ANY_THREAD uint32_t hy_name_count(hy_broker *broker);
// Typed: counter_ref c = HY_FIND(counter, broker, "hits"). The node checks the protocol when
// something is sent: HY_TYPE.
#define HY_FIND(protocol, broker, name) ((protocol##_ref){ hy_name_find((broker), (name)) })

// ---- pools ------------------------------------------------------------------------------------

typedef enum hy_pool_route {
    HY_ROUTE_ROUND_ROBIN,  // one after another
    HY_ROUTE_LEAST_LOADED, // of two taken at random, the one with the shorter mailbox
    HY_ROUTE_HASH,         // by key: the same key, the same member, as long as there are as many;
                           // one more member moves the keys that it gets, and no others
} hy_pool_route;

#define HY_POOL_MEMBERS_MAX 1024u

typedef struct hy_pool_options {
    size_t size;
    const char *name; // of its supervisor; NULL: the type's
    uint32_t members; // 0: as many as the node has workers; at most 1,024
    hy_pool_route route;
    const hy_actor_options *member; // of each; NULL: permanent, else as hy_spawn_actor
} hy_pool_options;

// Members below a supervisor of their own, which is below `parent`; when it fails or is stopped,
// the pool is empty. The pool belongs to the broker, and ends with it or by hy_pool_close.
// HY_RANGE, and as hy_spawn_actor. Any fiber or handler.
typedef struct hy_pool hy_pool;
HY_API HY_CHECKED hy_err hy_pool_open(hy_broker *broker, hy_ref parent, const hy_actor_type *type,
                                      const void *arg, const hy_pool_options *options,
                                      hy_pool **out_pool);
// Who gets the next message; `key` counts for HY_ROUTE_HASH alone. HY_NOBODY: no member lives.
HY_API HY_ANY_THREAD hy_ref hy_pool_pick(hy_pool *pool, uint64_t key);
#define HY_PICK(protocol, pool, key) ((protocol##_ref){ hy_pool_pick((pool), (key)) })
// For bytes as a key: FNV-1a, stable across runs and machines.
HY_API HY_ANY_THREAD uint64_t hy_pool_key(hy_bytes bytes);
HY_API HY_ANY_THREAD uint32_t hy_pool_members(const hy_pool *pool);              // that live
HY_API HY_ANY_THREAD hy_ref hy_pool_member(const hy_pool *pool, uint32_t index); // or HY_NOBODY
// More members are spawned; fewer: the last are stopped, when what is in their mailboxes then is
// lost to the dead letters. One at a time: HY_BUSY.
HY_API HY_CHECKED hy_err hy_pool_resize(hy_pool *pool, uint32_t members);
HY_API void hy_pool_close(hy_pool *pool); // stops the members; nobody may pick any more

// ---- topics -----------------------------------------------------------------------------------
//
// Names of 1 to 16 words between dots, each of 1 to 63 bytes of UTF-8 other than dot, star,
// greater- than and space: "clinic.7.booked". A pattern may have `*` for any one word and, as its
// last word,
// `>` for one or more: "clinic.*.booked", "clinic.>". (As NATS has it.)

typedef struct hy_subscribe_options {
    size_t size;
    // What waits unhandled of this subscription, on top of the mailbox's own limit. 0: 256
    uint32_t queue_max;
    // Then: DROP_NEW, DROP_OLD, or FAIL: the subscription ends, and the subscriber is told as of a
    // failed send by an event. (WAIT is no choice: HY_RANGE.)
    hy_overflow overflow;
    // Only what it says true to. Called on the publisher's thread; it may not wait or send.
    bool (*filter)(void *self, const char *topic, const void *body);
    void *filter_self; // borrowed until the subscription has ended
} hy_subscribe_options;

// `who` gets each `kind` message that is published under a topic that fits: HY_SUBSCRIBE(counter,
// add, broker, "clinic.>", ref, NULL, &id). Of one subscription in order of publishing. It goes
// with the subscriber's end, and stays over its restarts. An actor whose two subscriptions fit gets
// two. HY_MALFORMED (pattern), HY_NOT_FOUND (who), HY_TYPE, HY_LIMIT, HY_NOMEM.
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_broker_subscribe(hy_broker *broker, const char *pattern,
                                                           hy_ref who, const hy_message_kind *kind,
                                                           const hy_subscribe_options *options,
                                                           uint64_t *out_subscription);
#define HY_SUBSCRIBE(protocol, name, broker, pattern, who, options, out_subscription)              \
    hy_broker_subscribe((broker), (pattern), ((protocol##_ref)(who)).ref,                          \
                        &protocol##_##name##_kind, (options), (out_subscription))
// What is in the mailbox already still comes. Twice is fine.
HY_API HY_ANY_THREAD void hy_broker_unsubscribe(hy_broker *broker, uint64_t subscription);

// One payload, shared by all who get it: taken and frozen, in every case. *out_count (may be NULL):
// how many mailboxes it went to. HY_MALFORMED (topic), HY_NOMEM: some may not have got it.
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_broker_publish(hy_broker *broker, const char *topic,
                                                         const hy_message_kind *kind, void *message,
                                                         uint32_t *out_count);
// HY_PUBLISH(counter, add, broker, "clinic.7.booked", &count, .by = 2): copies as HY_TELL does.
#define HY_PUBLISH(protocol, name, broker, topic, out_count, ...)                                  \
    hyi_publish((broker), (topic), &protocol##_##name##_kind,                                      \
                hyi_copy_##protocol##_##name(&(protocol##_##name##_message){ __VA_ARGS__ }),       \
                (out_count))
// In a handler: the topic under which the message at hand was published. NULL: it was sent.
HY_API const char *hy_message_topic(const hy_actor *self, const void *message);

typedef struct hy_topic_stats {
    uint64_t published, delivered, dropped; // delivered: into mailboxes
    uint32_t subscriptions;
} hy_topic_stats;
HY_API HY_ANY_THREAD hy_topic_stats hy_topic_stats_of(hy_broker *broker);
typedef struct hy_subscription_stats {
    uint64_t delivered, dropped, filtered;
    uint32_t waiting; // unhandled
    bool ended;
} hy_subscription_stats;
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_subscription_stats_of(hy_broker *broker,
                                                                uint64_t subscription,
                                                                hy_subscription_stats *out_stats);

// Names, pools and topics as JSON, for the console.
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_broker_snapshot(hy_broker *broker, hy_buf *out);

HY_API HY_ANY_THREAD HY_CHECKED hy_err hyi_publish(hy_broker *broker, const char *topic,
                                                   const hy_message_kind *kind, void *copy,
                                                   uint32_t *out_count);

#ifdef __cplusplus
}
#endif
#endif
