// roster.c - what a person wants to know of names, pools and topics.
//
// {"names": [{"name", "ref"}], "pools": [{"type", "members"}], "topics": {counts, "subscriptions":
// [{"id", "ref", "protocol", "message", "waiting", "delivered", "dropped", "filtered"}]}}, each
// list cut at 1,000. Refs are texts: JavaScript's numbers end at 53 bits. It is written under the
// lock, a fraction of a millisecond; a publisher that comes meanwhile waits for it.
#include "base/json.h"
#include "broker/inside.h"

#define ROSTER_LIST_MAX 1000u

static void roster_text(hyi_json_writer *json, hy_text key, const char *value) {
    hyi_json_key(json, key);
    hyi_json_add_text(json, hy_bytes_of(value));
}

static void roster_u64(hyi_json_writer *json, hy_text key, uint64_t value) {
    hyi_json_key(json, key);
    hyi_json_add_u64(json, value);
}

static void roster_ref(hyi_json_writer *json, hy_ref ref) {
    char text[21], *at = text + sizeof text - 1;
    *at = 0;
    uint64_t id = ref.id;
    do {
        *--at = (char)('0' + id % 10);
        id /= 10;
    } while (id > 0);
    roster_text(json, HY_BYTES("ref"), at);
}

static void roster_names(hyi_json_writer *json, const hy_broker *broker) {
    uint32_t listed = 0;
    hyi_json_key(json, HY_BYTES("names"));
    hyi_json_begin_array(json);
    const hyi_link *link = broker->named.next;
    for (; link != &broker->named && listed < ROSTER_LIST_MAX; link = link->next) {
        const hyi_named *named = HYI_HOLDER(hyi_named, in_broker, link);
        if (!hy_actor_is_alive(named->ref)) continue;
        hyi_json_begin_object(json);
        roster_text(json, HY_BYTES("name"), named->text);
        roster_ref(json, named->ref);
        hyi_json_end_object(json);
        listed++;
    }
    hyi_json_end_array(json);
}

static void roster_pools(hyi_json_writer *json, const hy_broker *broker) {
    hyi_json_key(json, HY_BYTES("pools"));
    hyi_json_begin_array(json);
    for (hyi_link *link = broker->pools.next; link != &broker->pools; link = link->next) {
        const hy_pool *pool = HYI_HOLDER(hy_pool, in_broker, link);
        hyi_json_begin_object(json);
        roster_text(json, HY_BYTES("type"), pool->type->name);
        roster_u64(json, HY_BYTES("members"), hy_pool_members(pool));
        hyi_json_end_object(json);
    }
    hyi_json_end_array(json);
}

static void roster_subscription(hyi_json_writer *json, hyi_subscription *sub) {
    hyi_json_begin_object(json);
    roster_u64(json, HY_BYTES("id"), (uint32_t)sub->id);
    roster_ref(json, sub->who);
    roster_text(json, HY_BYTES("protocol"), sub->kind->protocol->name);
    roster_text(json, HY_BYTES("message"), sub->kind->name);
    roster_u64(json, HY_BYTES("waiting"), hyi_ticket_waiting(&sub->ticket));
    roster_u64(json, HY_BYTES("delivered"),
               atomic_load_explicit(&sub->ticket.sent, memory_order_relaxed));
    roster_u64(json, HY_BYTES("dropped"),
               atomic_load_explicit(&sub->dropped, memory_order_relaxed));
    roster_u64(json, HY_BYTES("filtered"),
               atomic_load_explicit(&sub->filtered, memory_order_relaxed));
    hyi_json_end_object(json);
}

static void roster_topics(hyi_json_writer *json, const hy_broker *broker) {
    const hyi_pool *places = &broker->places;
    uint32_t listed = 0;
    hyi_json_key(json, HY_BYTES("topics"));
    hyi_json_begin_object(json);
    roster_u64(json, HY_BYTES("published"),
               atomic_load_explicit(&broker->published, memory_order_relaxed));
    roster_u64(json, HY_BYTES("delivered"),
               atomic_load_explicit(&broker->delivered, memory_order_relaxed));
    roster_u64(json, HY_BYTES("dropped"),
               atomic_load_explicit(&broker->dropped, memory_order_relaxed));
    hyi_json_key(json, HY_BYTES("subscriptions"));
    hyi_json_begin_array(json);
    for (uint32_t i = 0; i < places->fresh_index && listed < ROSTER_LIST_MAX; i++) {
        hyi_subscription *sub = (hyi_subscription *)hyi_pool_at(places, i);
        if (atomic_load_explicit(&sub->ended, memory_order_relaxed)) continue;
        roster_subscription(json, sub);
        listed++;
    }
    hyi_json_end_array(json);
    hyi_json_end_object(json);
}

hy_err hy_broker_snapshot(hy_broker *broker, hy_buf *out) {
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    pthread_mutex_lock(&broker->lock);
    hyi_json_begin_object(&json);
    roster_names(&json, broker);
    roster_pools(&json, broker);
    roster_topics(&json, broker);
    hyi_json_end_object(&json);
    pthread_mutex_unlock(&broker->lock);
    return hyi_json_finish(&json);
}
