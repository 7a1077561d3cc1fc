// broker_storm_test.c - publishers, subscribers and names, all at once.
//
// Publishers are actors, on as many workers as there are; the test's fiber meanwhile subscribes,
// unsubscribes, names, kills and spawns readers by the dice. What must hold when all is quiet:
// whatever was delivered was handled by somebody or is in the account under a reason (node_suite
// asks for that); without deaths, readers have counted exactly what publishers were told; no
// subscription of a living reader that was not ended has lost what had room.
#include "actor/node_suite.h"
#include "kit/kit.h"

#include <hypha/broker.h>

#include <stdio.h>

#define ORDER(F) F(1, u64, seed) F(2, u32, count)
HY_RECORD(order, ORDER)
HY_RECORD_DEFINE(order, ORDER)
#define NEWS(F) F(1, u64, number)
HY_RECORD(news, NEWS)
HY_RECORD_DEFINE(news, NEWS)
#define COUNT(F) F(1, u64, count)
HY_RECORD(counted, COUNT)
HY_RECORD_DEFINE(counted, COUNT)

#define PRESS(TELL, ASK, x) ASK(x, 1, print, order, counted)
HY_PROTOCOL(press, PRESS);
HY_PROTOCOL_DEFINE(press, PRESS);
#define FOLK(TELL, ASK, x)                                                                         \
    TELL(x, 1, news, news)                                                                         \
    ASK(x, 2, count, hy_nothing, counted)
HY_PROTOCOL(folk, FOLK);
HY_PROTOCOL_DEFINE(folk, FOLK);

enum { READERS = 12, PRINTERS = 3, TOPICS = 6 };

static const char *const storm_topics[TOPICS] = { "a", "a.b", "a.b.c", "a.c.c", "d.b.c", "d.e" };
static const char *const storm_patterns[] = { ">",   "a",     "a.>", "a.*.c", "*.b.c",
                                              "d.>", "*.*.c", "d.e", "*",     "a.b.c" };

// ---- actors -----------------------------------------------------------------------------------

typedef struct printer {
    hy_broker *broker;
} printer;
HY_BEHAVIOUR(printer, PRESS, press, printer);

static hy_err printer_start(hy_actor *self, void *state, const void *arg) {
    (void)self;
    ((printer *)state)->broker = *(hy_broker *const *)arg;
    return HY_OK;
}

static hy_err printer_on_print(hy_actor *self, printer *state, const order *message,
                               counted *out_reply) {
    (void)self;
    uint64_t dice = message->seed;
    for (uint32_t i = 0; i < message->count; i++) {
        uint32_t heard = 0;
        const char *topic = storm_topics[kit_random(&dice) % TOPICS];
        hy_err err = HY_PUBLISH(folk, news, state->broker, topic, &heard, .number = i);
        if (err) return err;
        out_reply->count += heard;
    }
    return HY_OK;
}

static const hy_actor_type printer_type = { .name = "printer",
                                            .first = &printer_behaviour,
                                            .state_size = sizeof(printer),
                                            .arg_size = sizeof(hy_broker *),
                                            .start = printer_start };

HY_BEHAVIOUR(reader, FOLK, folk, counted);

static hy_err reader_on_news(hy_actor *self, counted *state, const news *message) {
    (void)self, (void)message;
    state->count++;
    return HY_OK;
}

static hy_err reader_on_count(hy_actor *self, counted *state, const hy_nothing *message,
                              counted *out_reply) {
    (void)self, (void)message;
    *out_reply = *state;
    return HY_OK;
}

static const hy_actor_type reader_type = { .name = "reader",
                                           .first = &reader_behaviour,
                                           .state_size = sizeof(counted) };

// ---- the storm --------------------------------------------------------------------------------

typedef struct storm {
    hy_node *node;
    hy_broker *broker;
    uint64_t dice;
    bool kills;
    press_ref printers[PRINTERS];
    folk_ref readers[READERS];
    uint64_t subscriptions[64];
    uint32_t subscription_count;
    uint64_t printed; // what publishers were told of
    hy_err err;       // of a task
} storm;

static hy_err storm_reader(storm *all, uint32_t index) {
    char name[16];
    snprintf(name, sizeof name, "reader %u", (unsigned)index);
    hy_err err =
        HY_SPAWN(folk, all->node, HY_NOBODY, &reader_type, NULL,
                 HY_OPTIONS(hy_actor, .mailbox = { .capacity = 1u << 20 }), &all->readers[index]);
    if (!err) err = hy_name_set(all->broker, name, all->readers[index].ref);
    return err == HY_EXISTS ? HY_OK : err; // the one before is on its way out
}

static hy_err storm_subscribe(storm *all) {
    uint64_t id;
    if (all->subscription_count == sizeof all->subscriptions / sizeof *all->subscriptions) {
        return HY_OK;
    }
    const char *pattern =
        storm_patterns[kit_random(&all->dice) % (sizeof storm_patterns / sizeof *storm_patterns)];
    folk_ref reader = all->readers[kit_random(&all->dice) % READERS];
    hy_subscribe_options options = { .size = sizeof options, .overflow = HY_OVERFLOW_DROP_NEW };
    options.queue_max = all->kills && kit_random(&all->dice) % 2 ? 3 : 1u << 20;
    if (all->kills && kit_random(&all->dice) % 3 == 0) options.overflow = HY_OVERFLOW_DROP_OLD;
    if (all->kills && kit_random(&all->dice) % 5 == 0) options.overflow = HY_OVERFLOW_FAIL;
    hy_err err = HY_SUBSCRIBE(folk, news, all->broker, pattern, reader, &options, &id);
    if (err == HY_OK) all->subscriptions[all->subscription_count++] = id;
    return err == HY_NOT_FOUND ? HY_OK : err;
}

static hy_err storm_step(storm *all) {
    switch (kit_random(&all->dice) % 5) {
    case 0:
    case 1: return storm_subscribe(all);
    case 2:
        if (all->subscription_count > 0) {
            uint32_t which = (uint32_t)(kit_random(&all->dice) % all->subscription_count);
            hy_broker_unsubscribe(all->broker, all->subscriptions[which]);
            all->subscriptions[which] = all->subscriptions[--all->subscription_count];
        }
        return HY_OK;
    case 3: {
        uint32_t which = (uint32_t)(kit_random(&all->dice) % READERS);
        if (!all->kills) return HY_OK;
        hy_actor_kill(all->readers[which].ref);
        return storm_reader(all, which);
    }
    default: return hy_yield();
    }
}

typedef struct storm_print {
    storm *all;
    uint32_t printer;
    uint64_t seed;
} storm_print;

static hy_err storm_ask(void *arg) {
    storm_print *print = (storm_print *)arg;
    counted reply = { 0 };
    hy_err err = HY_ASK(press, print, print->all->printers[print->printer], HY_SECONDS(60), &reply,
                        .seed = print->seed, .count = 100);
    print->all->printed += reply.count;
    return err;
}

static hy_err storm_blow(storm *all) {
    hy_err err = HY_OK;
    storm_print prints[PRINTERS];
    HY_SCOPE(scope, &err, .name = "storm") {
        for (uint32_t i = 0; i < PRINTERS && !err; i++) {
            prints[i] = (storm_print){ all, i, kit_random(&all->dice) };
            err = hy_spawn(scope, storm_ask, &prints[i], NULL, NULL);
        }
        for (uint32_t i = 0; i < 60 && !err; i++)
            err = storm_step(all);
        if (err) break;
    }
    return err;
}

static hy_err storm_check(storm *all) {
    uint64_t read = 0;
    node_settle(all->node);
    for (uint32_t i = 0; i < READERS; i++) {
        counted reply = { 0 };
        hy_err err = HY_ASK(folk, count, all->readers[i], HY_SECONDS(60), &reply);
        if (err) return err;
        read += reply.count;
    }
    hy_topic_stats stats = hy_topic_stats_of(all->broker);
    CHECK(stats.delivered == all->printed);
    CHECK(all->kills ? read <= all->printed : read == all->printed);
    for (uint32_t i = 0; i < all->subscription_count; i++) {
        hy_subscription_stats sub = { 0 };
        hy_err err = HY_OK;
        // The account knows of a message a moment before its ticket is given back.
        do {
            err = hy_subscription_stats_of(all->broker, all->subscriptions[i], &sub);
        } while (err == HY_OK && sub.waiting > 0 && hy_yield() == HY_OK);
        CHECK(err == HY_OK || err == HY_NOT_FOUND); // its place may be another's by now
        if (err == HY_OK) CHECK(sub.waiting == 0);
    }
    return HY_OK;
}

static hy_err storm_rages(hy_node *node, bool kills) {
    storm all = { .node = node, .dice = kit_seed() + kills, .kills = kills };
    hy_err err = hy_broker_open(node, NULL, &all.broker);
    for (uint32_t i = 0; i < PRINTERS && !err; i++) {
        err = HY_SPAWN(press, node, HY_NOBODY, &printer_type, &all.broker, NULL, &all.printers[i]);
    }
    for (uint32_t i = 0; i < READERS && !err; i++)
        err = storm_reader(&all, i);
    for (uint32_t round = 0; round < 8 && !err; round++) {
        err = storm_blow(&all);
        if (!err) err = storm_check(&all);
    }
    return err;
}

static hy_err nothing_is_lost(hy_node *node, void *unused) {
    (void)unused;
    return storm_rages(node, false);
}

static hy_err deaths_are_survived(hy_node *node, void *unused) {
    (void)unused;
    return storm_rages(node, true);
}

NODE_ALL(nothing_is_lost)
NODE_ALL(deaths_are_survived)

KIT_TESTS(KIT_TEST_ONCE(sim_nothing_is_lost), KIT_TEST_ONCE(one_nothing_is_lost),
          KIT_TEST_ONCE(two_nothing_is_lost), KIT_TEST_ONCE(sim_deaths_are_survived),
          KIT_TEST_ONCE(one_deaths_are_survived), KIT_TEST_ONCE(two_deaths_are_survived))
