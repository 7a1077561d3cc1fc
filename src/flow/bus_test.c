// bus_test.c - events: who gets them, in which order, and what a slow subscriber does to whom.
//
// An event arrives everywhere at one moment or nowhere, so all subscribers agree on one order; the
// storm at the end notes the moment of each event in `keep` and holds every subscriber to it.
#include <hypha/flow.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "scope/run_suite.h"

static const hy_topic NUMBERS = { .name = "numbers", .size = sizeof(int) };
static const hy_topic OTHERS = { .name = "others", .size = sizeof(int) };

static hy_err publish_range(hy_bus *bus, const hy_topic *topic, int from, int to) {
    for (int i = from; i < to; i++) {
        hy_err err = hy_bus_publish(bus, topic, &i);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static int next_of(const hy_sub *sub) {
    int got = -1;
    return hy_try_recv(hy_sub_chan(sub), &got) == HY_OK ? got : -1;
}

static hy_err events_reach_those_who_have_subscribed(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_bus *bus = NULL;
        hy_sub *early = NULL, *late = NULL, *other = NULL;
        CHECK_OK(hy_bus_open(s, &bus));
        CHECK_OK(publish_range(bus, &NUMBERS, 0, 2));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, NULL, &early));
        CHECK_OK(hy_subscribe(bus, s, &OTHERS, NULL, &other));
        CHECK_OK(publish_range(bus, &NUMBERS, 2, 4));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, NULL, &late));
        CHECK_OK(publish_range(bus, &NUMBERS, 4, 5));
        for (int i = 2; i < 5; i++) {
            CHECK_EQ(next_of(early), i);
        }
        CHECK_EQ(next_of(early), -1);
        CHECK_EQ(next_of(late), 4);
        CHECK_EQ(next_of(other), -1);
        hy_bus_state state = hy_bus_state_of(bus);
        CHECK_EQ(state.subscribers, 3);
        CHECK_EQ(state.published, 5);
        CHECK_EQ(state.unheard, 2);
        CHECK_EQ(hy_chan_state_of(hy_sub_chan(early)).received, 3);
        hy_sub_close(early);
        hy_sub_close(late);
        CHECK_OK(publish_range(bus, &NUMBERS, 5, 6));
        CHECK_EQ(hy_bus_state_of(bus).unheard, 3);
    }
    return err;
}
RUN_SIM(events_reach_those_who_have_subscribed)

static hy_err closing_ends_all_after_what_they_have(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_bus *bus = NULL;
        hy_sub *sub = NULL, *refused = NULL;
        int got = 0;
        CHECK_OK(hy_bus_open(s, &bus));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, NULL, &sub));
        CHECK_OK(publish_range(bus, &NUMBERS, 7, 8));
        hy_bus_close(bus);
        hy_bus_close(bus);
        CHECK_OK(hy_recv(hy_sub_chan(sub), &got));
        CHECK_EQ(got, 7);
        CHECK_ERR(hy_recv(hy_sub_chan(sub), &got), HY_END);
        CHECK_ERR(hy_bus_publish(bus, &NUMBERS, &got), HY_CLOSED);
        CHECK_ERR(hy_subscribe(bus, s, &NUMBERS, NULL, &refused), HY_CLOSED);
        CHECK_EQ(hy_bus_state_of(bus).subscribers, 0);
    }
    return err;
}
RUN_SIM(closing_ends_all_after_what_they_have)

static hy_err each_subscription_has_its_own_policy(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_bus *bus = NULL;
        hy_sub *old = NULL, *new = NULL, *fail = NULL, *wide = NULL;
        CHECK_OK(hy_bus_open(s, &bus));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS,
                              HY_OPTIONS(hy_sub, .capacity = 2, .overflow = HY_OVERFLOW_DROP_OLD),
                              &old));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS,
                              HY_OPTIONS(hy_sub, .capacity = 2, .overflow = HY_OVERFLOW_DROP_NEW),
                              &new));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS,
                              HY_OPTIONS(hy_sub, .capacity = 2, .overflow = HY_OVERFLOW_FAIL),
                              &fail));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, HY_OPTIONS(hy_sub, .capacity = 9), &wide));
        CHECK_OK(publish_range(bus, &NUMBERS, 0, 4));
        int got = 0;
        CHECK_EQ(next_of(old), 2);
        CHECK_EQ(next_of(old), 3);
        CHECK_EQ(next_of(new), 0);
        CHECK_EQ(next_of(new), 1);
        CHECK_EQ(next_of(fail), 0);
        CHECK_EQ(next_of(fail), 1);
        CHECK_ERR(hy_recv(hy_sub_chan(fail), &got), HY_LIMIT); // fell behind, and was told
        CHECK_EQ(hy_chan_state_of(hy_sub_chan(wide)).count, 4);
        CHECK_EQ(hy_chan_state_of(hy_sub_chan(old)).dropped, 2);
        CHECK_EQ(hy_bus_state_of(bus).subscribers, 3);
        hy_sub_close(fail);
        CHECK_ERR(hy_bus_try_publish(bus, &NUMBERS, &got), HY_OK);
    }
    return err;
}
RUN_SIM(each_subscription_has_its_own_policy)

// ---- publishers that wait -----------------------------------------------------------------------

typedef struct publisher {
    hy_bus *bus;
    int event;
    hy_err err;
    bool done;
} publisher;

static hy_err publishes(void *arg) {
    publisher *p = arg;
    p->err = hy_bus_publish(p->bus, &NUMBERS, &p->event);
    p->done = true;
    return HY_OK;
}

static hy_err spawn_waiting(hy_scope *scope, hy_bus *bus, publisher *all, int count,
                            hy_task **tasks) {
    for (int i = 0; i < count; i++) {
        all[i].bus = bus;
        hy_err err = hy_spawn(scope, publishes, &all[i], NULL, &tasks[i]);
        if (err == HY_OK) err = hy_sleep(HY_MS(1));
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err all_get_it_at_one_moment_or_nobody(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_task *tasks[3];
    publisher p[3] = { { .event = 1 }, { .event = 2 }, { .event = 3 } };
    HY_SCOPE(s, &err, .name = "test") {
        hy_bus *bus = NULL;
        hy_sub *fast = NULL, *slow = NULL;
        CHECK_OK(hy_bus_open(s, &bus));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, NULL, &fast));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, HY_OPTIONS(hy_sub, .capacity = 1), &slow));
        CHECK_OK(publish_range(bus, &NUMBERS, 0, 1));
        CHECK_OK(spawn_waiting(s, bus, p, 3, tasks));
        CHECK_ERR(hy_bus_try_publish(bus, &NUMBERS, &p[0].event), HY_BUSY);
        CHECK_EQ(next_of(fast), 0);
        CHECK_EQ(next_of(fast), -1); // the others wait for `slow`
        hy_task_cancel(tasks[1], HY_CANCELLED);
        CHECK_EQ(next_of(slow), 0);
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK_EQ(next_of(fast), 1);
        CHECK_EQ(next_of(slow), 1);
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK_EQ(next_of(fast), 3); // nobody has heard of 2
        CHECK_EQ(next_of(slow), 3);
        CHECK_OK(hy_scope_join(s));
        CHECK_ERR(p[1].err, HY_CANCELLED);
    }
    return err;
}
RUN_SIM(all_get_it_at_one_moment_or_nobody)

static hy_err a_subscriber_that_leaves_lets_publishers_go_on(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_task *tasks[2];
    publisher p[2] = { { .event = 1 }, { .event = 2 } };
    HY_SCOPE(s, &err, .name = "test") {
        hy_bus *bus = NULL;
        hy_sub *fast = NULL, *slow = NULL, *closed = NULL;
        CHECK_OK(hy_bus_open(s, &bus));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, HY_OPTIONS(hy_sub, .capacity = 1), &slow));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, HY_OPTIONS(hy_sub, .capacity = 1), &closed));
        CHECK_OK(hy_subscribe(bus, s, &NUMBERS, NULL, &fast));
        CHECK_OK(publish_range(bus, &NUMBERS, 0, 1));
        CHECK_OK(spawn_waiting(s, bus, p, 2, tasks));
        hy_sub_close(slow);
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK(!p[0].done);
        hy_chan_close(hy_sub_chan(closed)); // leaves as well
        CHECK_OK(hy_scope_join(s));
        CHECK_OK(p[0].err);
        CHECK_OK(p[1].err);
        CHECK_EQ(next_of(fast), 0);
        CHECK_EQ(next_of(fast), 1);
        CHECK_EQ(next_of(fast), 2);
        CHECK_EQ(hy_bus_state_of(bus).subscribers, 1);
    }
    return err;
}
RUN_SIM(a_subscriber_that_leaves_lets_publishers_go_on)

// The bus ends while one waits for room and two for their turn, and a subscription outlives it.
static hy_err publishers_hear_of_the_end(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    publisher p[3] = { { .event = 1 }, { .event = 2 }, { .event = 3 } };
    hy_task *tasks[3];
    HY_SCOPE(outer, &err, .name = "outer") {
        hy_sub *slow = NULL;
        HY_SCOPE(inner, &err, .name = "inner") {
            hy_bus *bus = NULL;
            CHECK_OK(hy_bus_open(inner, &bus));
            CHECK_OK(hy_subscribe(bus, outer, &NUMBERS, HY_OPTIONS(hy_sub, .capacity = 1), &slow));
            CHECK_OK(publish_range(bus, &NUMBERS, 0, 1));
            CHECK_OK(spawn_waiting(outer, bus, p, 3, tasks));
        }
        CHECK_OK(err);
        CHECK_OK(hy_scope_join(outer));
        for (int i = 0; i < 3; i++) {
            CHECK_ERR(p[i].err, HY_CLOSED);
        }
        int got = -1;
        CHECK_OK(hy_recv(hy_sub_chan(slow), &got));
        CHECK_EQ(got, 0);
        CHECK_ERR(hy_recv(hy_sub_chan(slow), &got), HY_END);
        hy_sub_close(slow);
    }
    return err;
}
RUN_SIM(publishers_hear_of_the_end)

// ---- the storm ----------------------------------------------------------------------------------
//
// Publishers, and subscribers that come and go, with every policy; cancels, and a bus that closes
// at some point. Events are counted boxes: each copy that was kept is dropped once. All subscribers
// see one order.

#define STORM_SEEDS 200
#define STORM_PUBLISHERS 3
#define STORM_SUBSCRIBERS 5
#define STORM_EVENTS 12

typedef struct storm_event {
    struct storm *storm;
    uint32_t number;
} storm_event;

typedef struct storm {
    uint64_t dice;
    hy_bus *bus;
    hy_task *tasks[STORM_PUBLISHERS + STORM_SUBSCRIBERS];
    int64_t held[STORM_PUBLISHERS * STORM_EVENTS];
    uint8_t published[STORM_PUBLISHERS * STORM_EVENTS];
    uint32_t place[STORM_PUBLISHERS * STORM_EVENTS]; // in the one order; 0: nobody has seen it
    uint64_t kept, told;
    uint32_t next;
} storm;

static void storm_keep(const void *event) {
    const storm_event *e = event;
    e->storm->held[e->number]++;
    e->storm->kept++;
    // All copies of one event are made at one moment: the order of the first copies is the order.
    if (e->storm->place[e->number] == 0) e->storm->place[e->number] = ++e->storm->next;
}

static void storm_drop(const void *event) {
    const storm_event *e = event;
    e->storm->held[e->number]--;
    CHECK(e->storm->held[e->number] >= 0);
}

static const hy_topic STORM = {
    .name = "storm", .size = sizeof(storm_event), .keep = storm_keep, .drop = storm_drop
};

typedef struct storm_party {
    storm *storm;
    uint32_t index;
} storm_party;

static hy_err storm_publish(void *arg) {
    storm_party *p = arg;
    storm *m = p->storm;
    for (uint32_t i = 0; i < STORM_EVENTS; i++) {
        storm_event event = { m, p->index * STORM_EVENTS + i };
        hy_err err = hy_sleep((hy_ns)(kit_random(&m->dice) % 1000));
        if (err == HY_OK) err = hy_bus_publish(m->bus, &STORM, &event);
        if (err != HY_OK) return HY_OK;
        m->published[event.number] = 1;
    }
    return HY_OK;
}

static hy_err storm_listen(storm *m, hy_scope *scope) {
    hy_sub *sub = NULL;
    hy_err err =
        hy_subscribe(m->bus, scope, &STORM,
                     HY_OPTIONS(hy_sub, .capacity = 1 + (uint32_t)(kit_random(&m->dice) % 3),
                                .overflow = (hy_overflow)(kit_random(&m->dice) % 4)),
                     &sub);
    uint32_t latest = 0;
    for (uint64_t left = kit_random(&m->dice) % 20; err == HY_OK && left > 0; left--) {
        storm_event event;
        err = hy_recv(hy_sub_chan(sub), &event);
        if (err != HY_OK) break;
        m->told++;
        storm_drop(&event);
        CHECK(m->place[event.number] > latest);
        latest = m->place[event.number];
        err = hy_sleep((hy_ns)(kit_random(&m->dice) % 1500));
    }
    if (sub != NULL && kit_random(&m->dice) % 2) hy_sub_close(sub);
    return err;
}

static hy_err storm_subscribe(void *arg) {
    storm *m = ((storm_party *)arg)->storm;
    for (int rounds = 0; rounds < 3; rounds++) {
        hy_err err = hy_sleep((hy_ns)(kit_random(&m->dice) % 3000));
        HY_SCOPE(s, NULL, .name = "listener") {
            if (err == HY_OK) err = storm_listen(m, s);
            break;
        }
        if (err != HY_OK && err != HY_LIMIT) return HY_OK;
    }
    return HY_OK;
}

static hy_err storm_run(void *arg) {
    storm *m = arg;
    storm_party parties[STORM_PUBLISHERS + STORM_SUBSCRIBERS];
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "storm") {
        HY_SCOPE(inner, &err, .name = "bus") {
            CHECK_OK(hy_bus_open(inner, &m->bus));
            uint32_t all = STORM_PUBLISHERS + STORM_SUBSCRIBERS;
            for (uint32_t i = 0; i < all; i++) {
                parties[i] = (storm_party){ m, i };
                CHECK_OK(hy_spawn(inner, i < STORM_PUBLISHERS ? storm_publish : storm_subscribe,
                                  &parties[i], NULL, &m->tasks[i]));
            }
            for (uint64_t cancels = kit_random(&m->dice) % 6; cancels > 0; cancels--) {
                CHECK_OK(hy_sleep((hy_ns)(kit_random(&m->dice) % 4000)));
                hy_task_cancel(m->tasks[kit_random(&m->dice) % all], HY_CANCELLED);
            }
            CHECK_OK(hy_sleep((hy_ns)(kit_random(&m->dice) % 30000)));
            hy_bus_close(m->bus);
            CHECK_OK(hy_scope_join(inner));
            CHECK_EQ(hy_bus_state_of(m->bus).subscribers, 0);
        }
    }
    return err;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err storm_of(hy_mem *mem, uint64_t seed) {
    storm m = { .dice = seed };
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), &world));
    hy_err err = hy_root_run(world, NULL, storm_run, &m);
    for (uint32_t i = 0; i < STORM_PUBLISHERS * STORM_EVENTS; i++) {
        CHECK_EQ(m.held[i], 0);
        CHECK(m.published[i] || m.place[i] == 0); // who was cancelled has told nobody
    }
    CHECK(m.told <= m.kept);
    return err;
}

static hy_err storms_give_every_copy_back(hy_mem *mem) {
    for (uint64_t i = 0; i < STORM_SEEDS; i++) {
        CHECK_OK(storm_of(mem, kit_seed() * 1000 + i));
    }
    return HY_OK;
}

static hy_err a_storm_without_memory(hy_mem *mem) {
    hy_err err = storm_of(mem, kit_seed());
    return kit_failed_allocation() ? HY_OK : err;
}

KIT_TESTS(KIT_TEST(sim_events_reach_those_who_have_subscribed),
          KIT_TEST(sim_closing_ends_all_after_what_they_have),
          KIT_TEST(sim_each_subscription_has_its_own_policy),
          KIT_TEST(sim_all_get_it_at_one_moment_or_nobody),
          KIT_TEST(sim_a_subscriber_that_leaves_lets_publishers_go_on),
          KIT_TEST(sim_publishers_hear_of_the_end), KIT_TEST_ONCE(storms_give_every_copy_back),
          KIT_TEST(a_storm_without_memory))
