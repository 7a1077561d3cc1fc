// publish.c - topics: who wants a message, and getting it to them.
//
//     publish    lock; the match of the topic (made, or kept from the last time); unlock
//                freeze the payload once; for each subscription: its filter, its bound, share
//                lock; the match is out of use; unlock
//
// A subscription's bound is kept by its ticket: what was sent less what ended. At the bound
// DROP_NEW leaves the message out, FAIL ends the subscription, and DROP_OLD tells the ticket to
// skip the oldest, which is still in the mailbox: so twice the bound may lie there, and beyond that
// even DROP_OLD drops the new one. A subscriber that has gone is found when something is sent to
// it.
#include "actor/inside.h"
#include "base/digest.h"
#include "base/memory.h"
#include "base/options.h"
#include "broker/inside.h"

#include <string.h>

#define PUBLISH_QUEUE_MAX 256u
#define PUBLISH_MATCH_FIRST 8u

static void publish_end(hy_broker *broker, hyi_subscription *sub);

// ---- opening and closing ----------------------------------------------------------------------

hy_err hyi_topics_init(hy_broker *broker) {
    hyi_pool_init(&broker->places, broker->mem, sizeof(hyi_subscription),
                  broker->options.subscriptions_max);
    return hyi_subjects_init(&broker->subjects, broker->mem);
}

static void publish_match_free(hy_broker *broker, hyi_match *match) {
    for (uint32_t i = 0; i < match->count; i++)
        match->subscriptions[i]->matches--;
    hy_mem_free(broker->mem, match->subscriptions, match->capacity * sizeof(hyi_subscription *));
    hy_mem_free(broker->mem, match, sizeof *match);
}

void hyi_topics_deinit(hy_broker *broker) {
    for (uint32_t i = 0; i < HYI_MATCHES; i++)
        if (broker->matches[i]) publish_match_free(broker, broker->matches[i]);
    hyi_subjects_deinit(&broker->subjects);
    hyi_pool_deinit(&broker->places);
}

// ---- subscriptions ----------------------------------------------------------------------------

static hyi_subscription *publish_at(const hy_broker *broker, uint32_t index) {
    return (hyi_subscription *)hyi_pool_at(&broker->places, index);
}

static hyi_subscription *publish_find(const hy_broker *broker, uint64_t id) {
    uint32_t index = (uint32_t)id;
    if (id == 0 || index >= broker->places.fresh_index) return NULL;
    hyi_subscription *sub = publish_at(broker, index);
    return sub->id == id ? sub : NULL;
}

static bool publish_is_quiet(hyi_subscription *sub) {
    return sub->id != 0 && atomic_load_explicit(&sub->ended, memory_order_relaxed) &&
           sub->matches == 0 && hyi_ticket_waiting(&sub->ticket) == 0;
}

// A place whose subscription has ended and is used by nobody, or a new one.
static hyi_subscription *publish_place(hy_broker *broker, uint32_t *out_index) {
    hyi_pool *places = &broker->places;
    uint32_t index = broker->subscription_count < places->fresh_index ? 0 : places->fresh_index;
    for (; index < places->fresh_index; index++) {
        hyi_subscription *sub = publish_at(broker, index);
        if (!publish_is_quiet(sub)) continue;
        *out_index = index;
        return sub;
    }
    hyi_subscription *sub = (hyi_subscription *)hyi_pool_take(places, out_index);
    if (sub) memset(sub, 0, sizeof *sub);
    return sub;
}

// Ends the subscriptions of all who have ended themselves, and that nobody has published to since.
static void publish_sweep(hy_broker *broker) {
    for (uint32_t i = 0; i < broker->places.fresh_index; i++) {
        hyi_subscription *sub = publish_at(broker, i);
        if (!hy_actor_is_alive(sub->who)) publish_end(broker, sub);
    }
}

static hy_err publish_add(hy_broker *broker, hy_bytes pattern, hy_ref who,
                          const hy_message_kind *kind, const hy_subscribe_options *options,
                          uint64_t *out_subscription) {
    uint32_t index;
    hyi_subscription *sub = publish_place(broker, &index);
    if (!sub && hyi_pool_is_full(&broker->places)) {
        publish_sweep(broker);
        sub = publish_place(broker, &index);
        if (!sub) return HY_LIMIT;
    }
    if (!sub) return HY_NOMEM;
    uint64_t generation = (sub->id >> 32) + 1;
    memset(sub, 0, sizeof *sub);
    sub->id = generation << 32 | index;
    hy_err err = hyi_subjects_add(&broker->subjects, pattern, &sub->link);
    if (err) {
        atomic_store_explicit(&sub->ended, true, memory_order_relaxed);
        return err;
    }
    sub->who = who;
    sub->kind = kind;
    sub->queue_max = options->queue_max ? options->queue_max : PUBLISH_QUEUE_MAX;
    sub->overflow = options->overflow;
    sub->filter = options->filter;
    sub->filter_self = options->filter_self;
    broker->subscription_count++;
    broker->epoch++;
    *out_subscription = sub->id;
    return HY_OK;
}

hy_err hy_broker_subscribe(hy_broker *broker, const char *pattern, hy_ref who,
                           const hy_message_kind *kind, const hy_subscribe_options *options,
                           uint64_t *out_subscription) {
    hy_subscribe_options given;
    hyi_options_read(&given, sizeof given, options);
    if (!options) given.overflow = HY_OVERFLOW_DROP_NEW;
    if (given.overflow == HY_OVERFLOW_WAIT || given.overflow > HY_OVERFLOW_FAIL) return HY_RANGE;
    hy_err err = hyi_subject_check(hy_bytes_of(pattern), true, NULL);
    if (err) return err;
    err = hyi_speaks(who, kind->protocol);
    if (err) return err;
    uint64_t id = 0;
    pthread_mutex_lock(&broker->lock);
    err = publish_add(broker, hy_bytes_of(pattern), who, kind, &given, &id);
    pthread_mutex_unlock(&broker->lock);
    if (err) return err;
    *out_subscription = id;
    if (hyi_here) hyi_event(hyi_here, HY_EVENT_SUBSCRIBED, hyi_find(who), id);
    return HY_OK;
}

// Under the lock. What is on its way stays; the place is given on when that has come home.
static void publish_end(hy_broker *broker, hyi_subscription *sub) {
    if (atomic_exchange_explicit(&sub->ended, true, memory_order_relaxed)) return;
    hyi_subjects_remove(&broker->subjects, &sub->link);
    broker->subscription_count--;
    broker->epoch++;
}

void hy_broker_unsubscribe(hy_broker *broker, uint64_t subscription) {
    pthread_mutex_lock(&broker->lock);
    hyi_subscription *sub = publish_find(broker, subscription);
    if (sub) publish_end(broker, sub);
    pthread_mutex_unlock(&broker->lock);
}

static void publish_fell_out(hy_broker *broker, hyi_subscription *sub) {
    pthread_mutex_lock(&broker->lock);
    publish_end(broker, sub);
    pthread_mutex_unlock(&broker->lock);
    if (hyi_here) hyi_event(hyi_here, HY_EVENT_UNSUBSCRIBED, hyi_find(sub->who), sub->id);
}

// ---- matches: all under the lock --------------------------------------------------------------

typedef struct publish_search {
    hy_broker *broker;
    hyi_match *match;
    bool failed;
} publish_search;

static bool publish_room(hy_broker *broker, hyi_match *match) {
    uint32_t capacity = match->capacity ? match->capacity * 2 : PUBLISH_MATCH_FIRST;
    hyi_subscription **more =
        (hyi_subscription **)hy_mem_alloc(broker->mem, capacity * sizeof(hyi_subscription *));
    if (!more) return false;
    if (match->count > 0) memcpy(more, match->subscriptions, match->count * sizeof *more);
    hy_mem_free(broker->mem, match->subscriptions, match->capacity * sizeof *more);
    match->subscriptions = more;
    match->capacity = capacity;
    return true;
}

static bool publish_found(void *self, hyi_subject_link *link) {
    publish_search *search = (publish_search *)self;
    hyi_subscription *sub = (hyi_subscription *)(void *)link;
    hyi_match *match = search->match;
    if (sub->kind != match->kind) return true;
    if (match->count == match->capacity && !publish_room(search->broker, match)) {
        search->failed = true;
        return false;
    }
    match->subscriptions[match->count++] = sub;
    sub->matches++;
    return true;
}

static hyi_match *publish_match_new(hy_broker *broker, hy_bytes topic,
                                    const hy_message_kind *kind) {
    hyi_match *match = (hyi_match *)hy_mem_alloc_zero(broker->mem, sizeof *match);
    if (!match) return NULL;
    match->epoch = broker->epoch;
    match->kind = kind;
    memcpy(match->topic, topic.ptr, topic.len);
    publish_search search = { broker, match, false };
    hyi_subjects_match(&broker->subjects, topic, publish_found, &search);
    if (!search.failed) return match;
    publish_match_free(broker, match);
    return NULL;
}

static void publish_match_unuse(hy_broker *broker, hyi_match *match) {
    if (--match->users == 0) publish_match_free(broker, match);
}

static bool publish_match_is(const hyi_match *match, const hy_broker *broker, hy_bytes topic,
                             const hy_message_kind *kind) {
    return match && match->epoch == broker->epoch && match->kind == kind &&
           hy_bytes_equal(hy_bytes_of(match->topic), topic);
}

// In use until publish_match_unuse. NULL: no memory.
static hyi_match *publish_match(hy_broker *broker, hy_bytes topic, const hy_message_kind *kind) {
    uint64_t hash = hyi_digest(kind->tag, topic.ptr, topic.len);
    hyi_match **place = &broker->matches[hash % HYI_MATCHES];
    if (!publish_match_is(*place, broker, topic, kind)) {
        hyi_match *match = publish_match_new(broker, topic, kind);
        if (!match) return NULL;
        if (*place) publish_match_unuse(broker, *place);
        match->users = 1;
        *place = match;
    }
    (*place)->users++;
    return *place;
}

// ---- publishing -------------------------------------------------------------------------------

static void publish_count(_Atomic uint64_t *counter, uint64_t by) {
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

// May one more wait? What is dropped is counted.
static bool publish_has_room(hy_broker *broker, hyi_subscription *sub) {
    uint32_t waiting = hyi_ticket_waiting(&sub->ticket);
    uint32_t skip = atomic_load_explicit(&sub->ticket.skip, memory_order_relaxed);
    if (waiting - (skip < waiting ? skip : waiting) < sub->queue_max) return true;
    publish_count(&sub->dropped, 1);
    if (sub->overflow == HY_OVERFLOW_FAIL) publish_fell_out(broker, sub);
    if (sub->overflow != HY_OVERFLOW_DROP_OLD || waiting >= 2 * sub->queue_max) return false;
    atomic_fetch_add_explicit(&sub->ticket.skip, 1, memory_order_relaxed);
    return true;
}

typedef struct publish_tally {
    uint32_t delivered, shared; // shared: refs that were used up
} publish_tally;

static void publish_to(hy_broker *broker, hyi_subscription *sub, const hyi_match *match,
                       hy_frozen *frozen, publish_tally *tally) {
    if (atomic_load_explicit(&sub->ended, memory_order_relaxed)) return;
    if (sub->filter && !sub->filter(sub->filter_self, match->topic, hyi_frozen_body(frozen))) {
        publish_count(&sub->filtered, 1);
        return;
    }
    if (!publish_has_room(broker, sub)) return;
    tally->shared++;
    hy_err err = hyi_share_with(sub->who, sub->kind, frozen, &sub->ticket);
    if (err == HY_OK) {
        tally->delivered++; // of this subscription: counted by the ticket
        return;
    }
    publish_count(&sub->dropped, 1);
    if (err == HY_NOT_FOUND) publish_fell_out(broker, sub);
}

static uint32_t publish_all(hy_broker *broker, const hyi_match *match, hy_frozen *frozen) {
    publish_tally tally = { 0, 0 };
    hyi_frozen_hold(frozen, match->count);
    for (uint32_t i = 0; i < match->count; i++)
        publish_to(broker, match->subscriptions[i], match, frozen, &tally);
    if (tally.shared < match->count) hyi_frozen_release(frozen, match->count - tally.shared);
    publish_count(&broker->published, 1);
    publish_count(&broker->delivered, tally.delivered);
    publish_count(&broker->dropped, match->count - tally.delivered);
    return tally.delivered;
}

hy_err hy_broker_publish(hy_broker *broker, const char *topic, const hy_message_kind *kind,
                         void *message, uint32_t *out_count) {
    hy_bytes text = hy_bytes_of(topic);
    hy_frozen *frozen = NULL;
    hy_err err = hyi_subject_check(text, false, NULL);
    if (!err) err = hyi_freeze_as(kind, message, text, &frozen);
    if (err) {
        hy_message_drop(message);
        return err;
    }
    pthread_mutex_lock(&broker->lock);
    hyi_match *match = publish_match(broker, text, kind);
    pthread_mutex_unlock(&broker->lock);
    uint32_t count = match ? publish_all(broker, match, frozen) : 0;
    hy_frozen_unref(frozen);
    if (!match) return HY_NOMEM;
    pthread_mutex_lock(&broker->lock);
    publish_match_unuse(broker, match);
    pthread_mutex_unlock(&broker->lock);
    if (out_count) *out_count = count;
    return HY_OK;
}

hy_err hyi_publish(hy_broker *broker, const char *topic, const hy_message_kind *kind, void *copy,
                   uint32_t *out_count) {
    if (!copy) return HY_NOMEM;
    hy_err err = hyi_message_deepen(kind, &copy);
    if (err) {
        hy_message_drop(copy);
        return err;
    }
    return hy_broker_publish(broker, topic, kind, copy, out_count);
}

// ---- seeing -----------------------------------------------------------------------------------

hy_topic_stats hy_topic_stats_of(hy_broker *broker) {
    hy_topic_stats stats = {
        .published = atomic_load_explicit(&broker->published, memory_order_relaxed),
        .delivered = atomic_load_explicit(&broker->delivered, memory_order_relaxed),
        .dropped = atomic_load_explicit(&broker->dropped, memory_order_relaxed),
    };
    pthread_mutex_lock(&broker->lock);
    stats.subscriptions = broker->subscription_count;
    pthread_mutex_unlock(&broker->lock);
    return stats;
}

hy_err hy_subscription_stats_of(hy_broker *broker, uint64_t subscription,
                                hy_subscription_stats *out_stats) {
    pthread_mutex_lock(&broker->lock);
    hyi_subscription *sub = publish_find(broker, subscription);
    if (sub) {
        *out_stats = (hy_subscription_stats){
            .delivered = atomic_load_explicit(&sub->ticket.sent, memory_order_relaxed),
            .dropped = atomic_load_explicit(&sub->dropped, memory_order_relaxed),
            .filtered = atomic_load_explicit(&sub->filtered, memory_order_relaxed),
            .waiting = hyi_ticket_waiting(&sub->ticket),
            .ended = atomic_load_explicit(&sub->ended, memory_order_relaxed),
        };
    }
    pthread_mutex_unlock(&broker->lock);
    return sub ? HY_OK : HY_NOT_FOUND;
}

const char *hy_message_topic(const hy_actor *self, const void *message) {
    return hyi_message_label(self, message);
}
