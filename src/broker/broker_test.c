// broker_test.c - names, pools and topics, in a simulated node and in real ones.
//
// Readers are actors that add up what they hear, so a test knows who got what, and in which order.
// Where a subscriber has to be slow it naps in virtual time, and the bound is asked for by
// counting.
#include "actor/node_suite.h"
#include "kit/kit.h"

#include <hypha/broker.h>

#include <string.h>

// ---- an actor that keeps what it got ----------------------------------------------------------

#define NOTE(F) F(1, u64, number) F(2, str, text)
HY_RECORD(note, NOTE)
HY_RECORD_DEFINE(note, NOTE)
#define TOTAL(F) F(1, u64, sum) F(2, u64, count) F(3, bool, in_order) F(4, u64, topics)
HY_RECORD(total, TOTAL)
HY_RECORD_DEFINE(total, TOTAL)

#define READER(TELL, ASK, x)                                                                       \
    TELL(x, 1, note, note)                                                                         \
    TELL(x, 2, nap, note)                                                                          \
    ASK(x, 3, total, hy_nothing, total)
HY_PROTOCOL(reader, READER);
HY_PROTOCOL_DEFINE(reader, READER);

#define OTHER(TELL, ASK, x) TELL(x, 1, note, note)
HY_PROTOCOL(other, OTHER);
HY_PROTOCOL_DEFINE(other, OTHER);

typedef struct keeper {
    total all;
    uint64_t last;
} keeper;
HY_BEHAVIOUR(keeper, READER, reader, keeper);

static hy_err keeper_start(hy_actor *self, void *state, const void *arg) {
    (void)self, (void)arg;
    ((keeper *)state)->all.in_order = true;
    return HY_OK;
}

static hy_err keeper_on_note(hy_actor *self, keeper *state, const note *message) {
    if (message->number < state->last) state->all.in_order = false;
    state->last = message->number;
    state->all.sum += message->number;
    state->all.count++;
    const char *topic = hy_message_topic(self, message);
    if (topic) state->all.topics += strlen(topic);
    return HY_OK;
}

static hy_err keeper_on_nap(hy_actor *self, keeper *state, const note *message) {
    (void)self, (void)state;
    return hy_sleep((hy_ns)message->number);
}

static hy_err keeper_on_total(hy_actor *self, keeper *state, const hy_nothing *message,
                              total *out_reply) {
    (void)self, (void)message;
    *out_reply = state->all;
    return HY_OK;
}

static const hy_actor_type keeper_type = { .name = "keeper",
                                           .first = &keeper_behaviour,
                                           .state_size = sizeof(keeper),
                                           .start = keeper_start };

static hy_err keeper_new(hy_node *node, reader_ref *out_ref) {
    return HY_SPAWN(reader, node, HY_NOBODY, &keeper_type, NULL, NULL, out_ref);
}

static hy_err keeper_total(reader_ref ref, total *out_total) {
    return HY_ASK(reader, total, ref, HY_SECONDS(5), out_total);
}

// ---- names ------------------------------------------------------------------------------------

static hy_err a_name_goes_with_its_actor(hy_node *node, void *unused) {
    (void)unused;
    hy_broker *broker = NULL;
    reader_ref first, second;
    hy_err err = hy_broker_open(node, HY_OPTIONS(hy_broker, .names_max = 2), &broker);
    if (!err) err = keeper_new(node, &first);
    if (!err) err = keeper_new(node, &second);
    if (!err) err = hy_name_set(broker, "hits", first.ref);
    if (err) return err;
    CHECK(hy_name_set(broker, "hits", first.ref) == HY_OK); // it has it already
    CHECK(hy_name_set(broker, "hits", second.ref) == HY_EXISTS);
    CHECK(hy_name_set(broker, "", second.ref) == HY_RANGE);
    CHECK(hy_name_set(broker, "\xff", second.ref) == HY_NOT_UTF8);
    CHECK(hy_name_set(broker, "nobody", HY_NOBODY) == HY_NOT_FOUND);
    CHECK(hy_ref_equal(HY_FIND(reader, broker, "hits").ref, first.ref));
    CHECK(hy_name_find(broker, "misses").id == 0);
    hy_actor_stop(first.ref);
    err = hy_actor_wait_end(first.ref, HY_NEVER);
    if (err) return err;
    CHECK(hy_name_find(broker, "hits").id == 0);
    err = hy_name_set(broker, "hits", second.ref); // free again
    if (!err) err = hy_name_set(broker, "more", second.ref);
    if (err) return err;
    CHECK(hy_name_set(broker, "too many", second.ref) == HY_LIMIT);
    hy_name_clear(broker, "more");
    hy_name_clear(broker, "more");
    CHECK(hy_name_count(broker) == 1);
    return hy_name_set(broker, "not too many", second.ref);
}

// ---- pools ------------------------------------------------------------------------------------

static hy_err pool_totals(hy_pool *pool, uint32_t members, total *out_each) {
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < members && !err; i++)
        err = keeper_total((reader_ref){ hy_pool_member(pool, i) }, &out_each[i]);
    return err;
}

static hy_err pools_route(hy_node *node, void *unused) {
    (void)unused;
    enum { MEMBERS = 4, NOTES = 400 };
    hy_broker *broker = NULL;
    hy_pool *turns = NULL, *keys = NULL, *loads = NULL;
    total each[MEMBERS + 1] = { 0 };
    hy_err err = hy_broker_open(node, NULL, &broker);
    if (!err) {
        err = hy_pool_open(broker, HY_NOBODY, &keeper_type, NULL,
                           HY_OPTIONS(hy_pool, .members = MEMBERS), &turns);
    }
    if (!err) {
        err = hy_pool_open(broker, HY_NOBODY, &keeper_type, NULL,
                           HY_OPTIONS(hy_pool, .members = MEMBERS, .route = HY_ROUTE_LEAST_LOADED),
                           &loads);
    }
    if (!err) {
        err = hy_pool_open(broker, HY_NOBODY, &keeper_type, NULL,
                           HY_OPTIONS(hy_pool, .members = MEMBERS, .route = HY_ROUTE_HASH), &keys);
    }
    for (uint64_t i = 0; i < NOTES && !err; i++) {
        err = HY_TELL(reader, note, HY_PICK(reader, turns, 0), .number = i);
        if (!err) err = HY_TELL(reader, note, HY_PICK(reader, loads, 0), .number = i);
        uint64_t key = hy_pool_key((hy_bytes){ (const uint8_t *)&i, sizeof i });
        if (!err) err = HY_TELL(reader, note, HY_PICK(reader, keys, key), .number = i);
    }
    if (!err) err = pool_totals(turns, MEMBERS, each);
    if (err) return err;
    for (uint32_t i = 0; i < MEMBERS; i++)
        CHECK(each[i].count == NOTES / MEMBERS && each[i].in_order);
    err = pool_totals(loads, MEMBERS, each);
    if (err) return err;
    for (uint32_t i = 0; i < MEMBERS; i++)
        CHECK(each[i].count > NOTES / MEMBERS / 2 && each[i].count < NOTES / MEMBERS * 2);
    err = pool_totals(keys, MEMBERS, each);
    if (err) return err;
    for (uint32_t i = 0; i < MEMBERS; i++)
        CHECK(each[i].count > NOTES / MEMBERS / 2 && each[i].count < NOTES / MEMBERS * 2);
    hy_ref before[NOTES];
    for (uint64_t i = 0; i < NOTES; i++)
        before[i] = hy_pool_pick(keys, i * UINT64_C(0x9e3779b97f4a7c15));
    err = hy_pool_resize(keys, MEMBERS + 1);
    if (err) return err;
    uint32_t moved = 0;
    for (uint64_t i = 0; i < NOTES; i++) {
        hy_ref now = hy_pool_pick(keys, i * UINT64_C(0x9e3779b97f4a7c15));
        if (hy_ref_equal(now, before[i])) continue;
        CHECK(hy_ref_equal(now, hy_pool_member(keys, MEMBERS))); // to the new one, to no other
        moved++;
    }
    CHECK(moved > NOTES / 10 && moved < NOTES / 3); // a fifth, about
    err = hy_pool_resize(keys, 1);
    if (err) return err;
    CHECK(hy_ref_equal(hy_pool_pick(keys, 7), hy_pool_member(keys, 0)));
    CHECK(hy_pool_resize(keys, 0) == HY_RANGE);
    hy_pool_close(turns);
    return HY_OK;
}

// A member that died for good is passed over; without any, nobody is picked.
static hy_err pools_pass_over_the_dead(hy_node *node, void *unused) {
    (void)unused;
    hy_broker *broker = NULL;
    hy_pool *pool = NULL;
    hy_actor_options temporary = { .size = sizeof temporary, .restart = HY_TEMPORARY };
    hy_err err = hy_broker_open(node, NULL, &broker);
    if (!err) {
        err = hy_pool_open(broker, HY_NOBODY, &keeper_type, NULL,
                           HY_OPTIONS(hy_pool, .members = 2, .member = &temporary), &pool);
    }
    if (err) return err;
    hy_ref first = hy_pool_member(pool, 0), second = hy_pool_member(pool, 1);
    hy_actor_kill(first);
    err = hy_actor_wait_end(first, HY_NEVER);
    if (err == HY_NOMEM) return err;
    CHECK(err == HY_OK || err == HY_CANCELLED);
    for (uint32_t i = 0; i < 4; i++)
        CHECK(hy_ref_equal(hy_pool_pick(pool, i), second));
    hy_actor_kill(second);
    err = hy_actor_wait_end(second, HY_NEVER);
    if (err == HY_NOMEM) return err;
    CHECK(err == HY_OK || err == HY_CANCELLED);
    CHECK(hy_pool_pick(pool, 0).id == 0 && hy_pool_members(pool) == 0);
    return HY_OK;
}

// ---- topics -----------------------------------------------------------------------------------

static bool even(void *self, const char *topic, const void *body) {
    (void)self, (void)topic;
    return ((const note *)body)->number % 2 == 0;
}

static hy_err topics_reach_who_fits(hy_node *node, void *unused) {
    (void)unused;
    hy_broker *broker = NULL;
    reader_ref one, all, evens;
    uint64_t id_one, id_all, id_evens;
    uint32_t count = 0;
    total sum = { 0 };
    hy_err err = hy_broker_open(node, NULL, &broker);
    if (!err) err = keeper_new(node, &one);
    if (!err) err = keeper_new(node, &all);
    if (!err) err = keeper_new(node, &evens);
    if (!err) err = HY_SUBSCRIBE(reader, note, broker, "clinic.*.booked", one, NULL, &id_one);
    if (!err) err = HY_SUBSCRIBE(reader, note, broker, ">", all, NULL, &id_all);
    if (!err) {
        err = HY_SUBSCRIBE(reader, note, broker, "clinic.>", evens,
                           HY_OPTIONS(hy_subscribe, .overflow = HY_OVERFLOW_FAIL, .filter = even),
                           &id_evens);
    }
    if (!err) err = HY_PUBLISH(reader, note, broker, "clinic.7.booked", &count, .number = 1);
    if (err) return err;
    CHECK(count == 2);
    err = HY_PUBLISH(reader, note, broker, "clinic.7.moved", &count, .number = 2,
                     .text = HY_BYTES("a text"));
    if (err) return err;
    CHECK(count == 2);
    err = HY_PUBLISH(reader, nap, broker, "clinic.7.moved", &count, .number = 0);
    if (err) return err;
    CHECK(count == 0); // another message: nobody subscribed to it
    err = keeper_total(one, &sum);
    if (err) return err;
    CHECK(sum.count == 1 && sum.sum == 1 && sum.topics == strlen("clinic.7.booked"));
    err = keeper_total(all, &sum);
    if (err) return err;
    CHECK(sum.count == 2 && sum.sum == 3 && sum.in_order);
    err = keeper_total(evens, &sum);
    if (err) return err;
    CHECK(sum.count == 1 && sum.sum == 2);
    hy_broker_unsubscribe(broker, id_all);
    hy_broker_unsubscribe(broker, id_all);
    hy_actor_stop(one.ref);
    err = hy_actor_wait_end(one.ref, HY_NEVER);
    if (!err) err = HY_PUBLISH(reader, note, broker, "clinic.8.booked", &count, .number = 4);
    if (err) return err;
    CHECK(count == 1); // the one that is left, and is even
    hy_subscription_stats stats;
    CHECK(hy_subscription_stats_of(broker, id_one, &stats) == HY_OK && stats.ended);
    CHECK(hy_topic_stats_of(broker).subscriptions == 1);
    return HY_OK;
}

static hy_err topics_refuse_what_is_wrong(hy_node *node, void *unused) {
    (void)unused;
    hy_broker *broker = NULL;
    reader_ref one;
    uint64_t id;
    hy_err err = hy_broker_open(node, HY_OPTIONS(hy_broker, .subscriptions_max = 1), &broker);
    if (!err) err = keeper_new(node, &one);
    if (err) return err;
    hy_subscribe_options wait = { .size = sizeof wait, .overflow = HY_OVERFLOW_WAIT };
    CHECK(HY_SUBSCRIBE(reader, note, broker, "a..b", one, NULL, &id) == HY_MALFORMED);
    CHECK(HY_SUBSCRIBE(reader, note, broker, "a", one, &wait, &id) == HY_RANGE);
    CHECK(hy_broker_subscribe(broker, "a", one.ref, &other_note_kind, NULL, &id) == HY_TYPE);
    CHECK(hy_broker_subscribe(broker, "a", HY_NOBODY, &reader_note_kind, NULL, &id) ==
          HY_NOT_FOUND);
    CHECK(HY_PUBLISH(reader, note, broker, "a.*", NULL, .number = 1) != HY_OK);
    err = HY_SUBSCRIBE(reader, note, broker, "a", one, NULL, &id);
    if (err) return err;
    uint64_t second;
    CHECK(HY_SUBSCRIBE(reader, note, broker, "b", one, NULL, &second) == HY_LIMIT);
    hy_broker_unsubscribe(broker, id);
    err = HY_SUBSCRIBE(reader, note, broker, "b", one, NULL, &second); // its place again
    CHECK(err != HY_OK || second != id);
    return err;
}

// A subscriber that sleeps: each policy keeps to its bound.
static hy_err a_slow_subscriber_is_bounded(hy_node *node, void *unused) {
    (void)unused;
    enum { NOTES = 40, BOUND = 8 };
    static const hy_overflow policies[] = { HY_OVERFLOW_DROP_NEW, HY_OVERFLOW_DROP_OLD,
                                            HY_OVERFLOW_FAIL };
    hy_broker *broker = NULL;
    hy_err err = hy_broker_open(node, NULL, &broker);
    for (uint32_t p = 0; p < 3 && !err; p++) {
        reader_ref slow;
        uint64_t id, heard = 0;
        total sum = { 0 };
        err = keeper_new(node, &slow);
        if (!err) {
            err = HY_SUBSCRIBE(
                reader, note, broker, "news", slow,
                HY_OPTIONS(hy_subscribe, .queue_max = BOUND, .overflow = policies[p]), &id);
        }
        if (!err) err = HY_TELL(reader, nap, slow, .number = HY_MS(50));
        if (!err) err = hy_sleep(HY_MS(10)); // virtual time: it naps by now
        for (uint64_t i = 1; i <= NOTES && !err; i++) {
            uint32_t count = 0;
            err = HY_PUBLISH(reader, note, broker, "news", &count, .number = i);
            heard += count;
        }
        if (!err) err = keeper_total(slow, &sum);
        if (err) break;
        hy_subscription_stats stats;
        CHECK(hy_subscription_stats_of(broker, id, &stats) == HY_OK);
        CHECK(stats.waiting == 0 && stats.delivered == heard);
        CHECK(stats.ended == (policies[p] == HY_OVERFLOW_FAIL));
        CHECK(sum.in_order && sum.count == BOUND);
        uint64_t oldest = policies[p] == HY_OVERFLOW_DROP_OLD ? BOUND + 1 : 1;
        CHECK(sum.sum == BOUND * (oldest + oldest + BOUND - 1) / 2);
        hy_broker_unsubscribe(broker, id);
        hy_actor_stop(slow.ref);
    }
    return err;
}

NODE_ALL(a_name_goes_with_its_actor)
NODE_ALL(pools_route)
NODE_SIM(pools_pass_over_the_dead)
NODE_ALL(topics_reach_who_fits)
NODE_SIM(topics_refuse_what_is_wrong)
NODE_SIM(a_slow_subscriber_is_bounded)

KIT_TESTS(KIT_TEST(sim_a_name_goes_with_its_actor), KIT_TEST_ONCE(one_a_name_goes_with_its_actor),
          KIT_TEST_ONCE(two_a_name_goes_with_its_actor), KIT_TEST(sim_pools_route),
          KIT_TEST_ONCE(one_pools_route), KIT_TEST_ONCE(two_pools_route),
          KIT_TEST(sim_pools_pass_over_the_dead), KIT_TEST(sim_topics_reach_who_fits),
          KIT_TEST_ONCE(one_topics_reach_who_fits), KIT_TEST_ONCE(two_topics_reach_who_fits),
          KIT_TEST(sim_topics_refuse_what_is_wrong), KIT_TEST(sim_a_slow_subscriber_is_bounded))
