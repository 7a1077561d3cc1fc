// flow_test.c - flows: what comes out, how they end, and who is let go when.
//
// Every end is looked at from both sides: what the one who asks gets, and what the feeder of the
// source is told. The storm at the end cuts the one who asks short wherever it waits.
#include <hypha/flow.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "scope/run_suite.h"

#define ITEMS 40

static const int numbers[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

static bool is_odd(void *arg, const void *item) {
    (void)arg;
    return *(const int *)item % 2 == 1;
}

static hy_err squares(void *arg, const void *item, void *out_item) {
    int value = *(const int *)item;
    if (arg != NULL && value == *(const int *)arg) return HY_REJECT;
    *(int64_t *)out_item = (int64_t)value * value;
    return HY_OK;
}

// ---- operators ----------------------------------------------------------------------------------

static hy_err stages_make_one_from_another(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_flow *flow = NULL;
        CHECK_OK(hy_flow_of_array(s, numbers, sizeof(int), 10, &flow));
        CHECK_OK(hy_flow_filter(flow, is_odd, NULL, &flow));
        CHECK_OK(hy_flow_map(flow, sizeof(int64_t), squares, NULL, &flow));
        CHECK_OK(hy_flow_take(flow, 4, &flow));
        int64_t got = 0;
        for (int64_t i = 1; i <= 7; i += 2) {
            CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
            CHECK_EQ(got, i * i);
        }
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_END);
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_END);
        hy_flow_close(flow);
    }
    return err;
}
RUN_SIM(stages_make_one_from_another)

typedef struct spring {
    int next, count;
    hy_err then;
    int closed;
} spring;

static hy_err spring_next(void *self, void *out_item, hy_ns deadline) {
    spring *f = self;
    if (f->next == f->count) return f->then;
    hy_world *world = hy_scope_world(hy_scope_current());
    if (deadline < hy_world_now(world) + HY_MS(2)) {
        hy_err err = hy_sleep_until(deadline);
        return err == HY_OK ? HY_TIMEOUT : err;
    }
    hy_err err = hy_sleep(HY_MS(2));
    if (err == HY_OK) *(int *)out_item = f->next++;
    return err;
}

static void spring_close(void *self) {
    ((spring *)self)->closed++;
}

// A source is closed once, whether it ends, fails, is closed, or is left to the scope; and also
// when there is no memory for it.
static hy_err a_source_is_closed_once(void *unused) {
    (void)unused;
    for (int way = 0; way < 4; way++) {
        spring f = { .count = 3, .then = way == 0 ? HY_END : HY_IO };
        hy_err err = HY_OK;
        HY_SCOPE(s, &err, .name = "test") {
            hy_flow *flow = NULL;
            int got = 0;
            err = hy_flow_open(s, sizeof(int), &(hy_flow_source){ spring_next, spring_close, &f },
                               &flow);
            if (err == HY_OK) err = hy_flow_filter(flow, is_odd, NULL, &flow);
            CHECK_EQ(f.closed, err != HY_OK);
            if (err != HY_OK) break;
            CHECK_ERR(hy_flow_next(flow, &got, 1), HY_TIMEOUT); // and nothing is lost
            CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
            CHECK_EQ(got, 1);
            if (way < 2) {
                CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), f.then);
                CHECK_EQ(f.closed, 1);
                CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), f.then);
            }
            if (way == 2) {
                hy_flow_close(flow);
                CHECK_EQ(f.closed, 1);
            }
        }
        CHECK_EQ(f.closed, 1);
        CHECK_OK(err);
    }
    return HY_OK;
}
RUN_SIM(a_source_is_closed_once)

// ---- ends ---------------------------------------------------------------------------------------

static hy_err the_last_item_of_take_lets_the_source_go(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        hy_flow *flow = NULL;
        int item = 3, got = 0;
        CHECK_OK(hy_chan_open(s, sizeof(int), 2, NULL, &chan));
        CHECK_OK(hy_send(chan, &item));
        CHECK_OK(hy_flow_of_chan(s, chan, &flow));
        CHECK_OK(hy_flow_take(flow, 1, &flow));
        CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
        CHECK_ERR(hy_send(chan, &item), HY_CLOSED);
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_END);
    }
    return err;
}
RUN_SIM(the_last_item_of_take_lets_the_source_go)

static hy_err an_error_in_the_middle_ends_both_sides(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        hy_flow *flow = NULL;
        int items[3] = { 1, 2, 3 }, bad = 2;
        int64_t got = 0;
        CHECK_OK(hy_chan_open(s, sizeof(int), 4, NULL, &chan));
        for (int i = 0; i < 3; i++) {
            CHECK_OK(hy_send(chan, &items[i]));
        }
        CHECK_OK(hy_flow_of_chan(s, chan, &flow));
        CHECK_OK(hy_flow_map(flow, sizeof(int64_t), squares, &bad, &flow));
        CHECK_OK(hy_flow_take(flow, 9, &flow));
        CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_REJECT);
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_REJECT);
        CHECK_ERR(hy_send(chan, &items[0]), HY_CLOSED);
    }
    return err;
}
RUN_SIM(an_error_in_the_middle_ends_both_sides)

static hy_err a_channels_error_comes_behind_its_items(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        hy_flow *flow = NULL;
        int item = 1;
        hy_items got = { NULL, 0 };
        CHECK_OK(hy_chan_open(s, sizeof(int), 4, NULL, &chan));
        CHECK_OK(hy_send(chan, &item));
        CHECK_OK(hy_send(chan, &item));
        hy_chan_fail(chan, HY_TIMEOUT); // an error, although nobody was late
        CHECK_OK(hy_flow_of_chan(s, chan, &flow));
        CHECK_OK(hy_flow_filter(flow, is_odd, NULL, &flow));
        CHECK_OK(hy_flow_batch(flow, 3, HY_SECONDS(1), &flow));
        CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
        CHECK_EQ(got.count, 2);
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_TIMEOUT);
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_TIMEOUT);
    }
    return err;
}
RUN_SIM(a_channels_error_comes_behind_its_items)

// ---- batches ------------------------------------------------------------------------------------

typedef struct feeder {
    hy_chan *chan;
    int from, count;
    hy_ns pause;
    hy_err err;
} feeder;

static hy_err feeds(void *arg) {
    feeder *f = arg;
    for (int i = 0; i < f->count; i++) {
        int item = f->from + i;
        f->err = f->pause > 0 ? hy_sleep(f->pause) : HY_OK;
        if (f->err == HY_OK) f->err = hy_send(f->chan, &item);
        if (f->err != HY_OK) hy_chan_fail(f->chan, f->err);
        if (f->err != HY_OK) return HY_OK;
    }
    hy_chan_close(f->chan);
    return HY_OK;
}

static hy_err batches_are_full_or_in_time(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    feeder f = { .count = 10, .pause = HY_MS(10) };
    HY_SCOPE(s, &err, .name = "test") {
        hy_flow *flow = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 0, NULL, &f.chan));
        CHECK_OK(hy_spawn(s, feeds, &f, NULL, NULL));
        CHECK_OK(hy_flow_of_chan(s, f.chan, &flow));
        CHECK_OK(hy_flow_batch(flow, 4, HY_MS(35), &flow));
        hy_world *world = hy_scope_world(s);
        hy_items got;
        int next = 0;
        for (;;) {
            err = hy_flow_next(flow, &got, HY_NEVER);
            if (err != HY_OK) break;
            CHECK(got.count >= 1 && got.count <= 4);
            for (uint32_t i = 0; i < got.count; i++) {
                CHECK_EQ(((const int *)got.items)[i], next++);
            }
        }
        CHECK_ERR(err, HY_END);
        CHECK_EQ(next, 10);
        CHECK(hy_world_now(world) > 0);
        err = HY_OK;
    }
    return err;
}
RUN_SIM(batches_are_full_or_in_time)

static hy_err a_slow_source_gives_small_batches(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        hy_flow *flow = NULL;
        int item = 1;
        CHECK_OK(hy_chan_open(s, sizeof(int), 9, NULL, &chan));
        CHECK_OK(hy_flow_of_chan(s, chan, &flow));
        CHECK_OK(hy_flow_batch(flow, 5, HY_MS(20), &flow));
        hy_world *world = hy_scope_world(s);
        hy_items got = { NULL, 0 };
        hy_ns begun = hy_world_now(world);
        CHECK_ERR(hy_flow_next(flow, &got, begun + HY_MS(50)), HY_TIMEOUT);
        CHECK_OK(hy_send(chan, &item));
        CHECK_OK(hy_send(chan, &item));
        begun = hy_world_now(world);
        CHECK_ERR(hy_flow_next(flow, &got, begun + HY_MS(5)), HY_TIMEOUT); // they stay
        CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
        CHECK_EQ(got.count, 2);
        CHECK(hy_world_now(world) - begun >= HY_MS(20));
        CHECK(hy_world_now(world) - begun < HY_MS(25));
        for (int i = 0; i < 7; i++) {
            CHECK_OK(hy_send(chan, &item));
        }
        CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
        CHECK_EQ(got.count, 5);
        hy_chan_close(chan);
        CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
        CHECK_EQ(got.count, 2);
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_END);
    }
    return err;
}
RUN_SIM(a_slow_source_gives_small_batches)

// ---- merges -------------------------------------------------------------------------------------

static hy_err open_merge(hy_scope *scope, feeder *feeders, uint32_t count, hy_merge_end end,
                         hy_flow **out_flow) {
    hy_flow *flows[4] = { NULL };
    for (uint32_t i = 0; i < count; i++) {
        hy_err err = hy_chan_open(scope, sizeof(int), 0, NULL, &feeders[i].chan);
        if (err == HY_OK) err = hy_flow_of_chan(scope, feeders[i].chan, &flows[i]);
        if (err == HY_OK) err = hy_spawn(scope, feeds, &feeders[i], NULL, NULL);
        if (err != HY_OK) return err;
    }
    return hy_flow_merge(flows, count, end, out_flow);
}

static hy_err a_merge_gives_all_of_all(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    feeder f[3] = { { .from = 0, .count = 10, .pause = HY_MS(3) },
                    { .from = 100, .count = 5 },
                    { .from = 200, .count = 0 } };
    HY_SCOPE(s, &err, .name = "test") {
        hy_flow *flow = NULL;
        CHECK_OK(open_merge(s, f, 3, HY_MERGE_ALL, &flow));
        int got, next[3] = { 0, 100, 200 }, count = 0;
        while ((err = hy_flow_next(flow, &got, HY_NEVER)) == HY_OK) {
            CHECK_EQ(got, next[got / 100]++); // each in its order
            count++;
        }
        CHECK_ERR(err, HY_END);
        CHECK_EQ(count, 15);
        CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_END);
        err = HY_OK;
    }
    return err;
}
RUN_SIM(a_merge_gives_all_of_all)
RUN_REAL(a_merge_gives_all_of_all)

static hy_err a_merge_can_end_with_the_first(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    feeder f[2] = { { .from = 0, .count = 1000, .pause = HY_MS(10) },
                    { .from = 5000, .count = 5, .pause = HY_MS(10) } };
    HY_SCOPE(s, &err, .name = "test") {
        hy_flow *flow = NULL;
        CHECK_OK(open_merge(s, f, 2, HY_MERGE_FIRST, &flow));
        int got, count = 0;
        while ((err = hy_flow_next(flow, &got, HY_NEVER)) == HY_OK) {
            count++;
        }
        CHECK_ERR(err, HY_END);
        CHECK(count >= 9 && count <= 11);
        CHECK_OK(hy_scope_join(s)); // the other feeder was let go
        CHECK_ERR(f[0].err, HY_CLOSED);
        err = HY_OK;
    }
    return err;
}
RUN_SIM(a_merge_can_end_with_the_first)

static hy_err an_error_of_one_ends_the_merge(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    feeder f[2] = { { .from = 0, .count = 1000, .pause = HY_MS(1) }, { .count = 0 } };
    int bad = 3;
    HY_SCOPE(s, &err, .name = "test") {
        hy_flow *flows[2] = { NULL }, *flow = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 0, NULL, &f[0].chan));
        CHECK_OK(hy_flow_of_chan(s, f[0].chan, &flows[0]));
        CHECK_OK(hy_spawn(s, feeds, &f[0], NULL, NULL));
        CHECK_OK(hy_flow_map(flows[0], sizeof(int64_t), squares, &bad, &flows[0]));
        CHECK_OK(hy_flow_of_array(s, numbers, sizeof(int), 2, &flows[1]));
        CHECK_OK(hy_flow_map(flows[1], sizeof(int64_t), squares, NULL, &flows[1]));
        CHECK_OK(hy_flow_merge(flows, 2, HY_MERGE_ALL, &flow));
        int64_t got;
        int count = 0;
        while ((err = hy_flow_next(flow, &got, HY_NEVER)) == HY_OK) {
            count++;
        }
        CHECK_ERR(err, HY_REJECT);
        CHECK_EQ(count, 5);
        hy_flow_close(flow);
        CHECK_OK(hy_scope_join(s));
        CHECK_ERR(f[0].err, HY_CLOSED);
        err = HY_OK;
    }
    return err;
}
RUN_SIM(an_error_of_one_ends_the_merge)

// Nobody asks any more, and nobody closes: the scope ends all the same, and lets the feeders go.
static hy_err an_abandoned_merge_holds_nothing_up(void *unused) {
    (void)unused;
    feeder f[2] = { { .from = 0, .count = 1000 }, { .from = 5000, .count = 1000 } };
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err, .name = "outer") {
        HY_SCOPE(inner, &err, .name = "inner") {
            hy_flow *flows[2] = { NULL }, *flow = NULL;
            for (int i = 0; i < 2; i++) {
                CHECK_OK(hy_chan_open(outer, sizeof(int), 0, NULL, &f[i].chan));
                CHECK_OK(hy_spawn(outer, feeds, &f[i], NULL, NULL));
                CHECK_OK(hy_flow_of_chan(inner, f[i].chan, &flows[i]));
            }
            CHECK_OK(hy_flow_merge(flows, 2, HY_MERGE_ALL, &flow));
            int got;
            CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
        }
        CHECK_OK(err);
        CHECK_OK(hy_scope_join(outer));
        CHECK_ERR(f[0].err, HY_CLOSED);
        CHECK_ERR(f[1].err, HY_CLOSED);
    }
    return err;
}
RUN_SIM(an_abandoned_merge_holds_nothing_up)

static hy_err a_merge_can_be_closed_by_a_cancelled_fiber(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    feeder f[2] = { { .from = 0, .count = 1000 }, { .from = 5000, .count = 1000 } };
    HY_SCOPE(s, &err, .name = "test") {
        hy_flow *flow = NULL;
        CHECK_OK(open_merge(s, f, 2, HY_MERGE_ALL, &flow));
        int got;
        CHECK_OK(hy_flow_next(flow, &got, HY_NEVER));
        HY_SCOPE(inner, NULL, .name = "inner") {
            hy_scope_cancel(inner, HY_CANCELLED);
            CHECK_ERR(hy_flow_next(flow, &got, HY_NEVER), HY_CANCELLED);
            hy_flow_close(flow);
        }
        CHECK_OK(hy_scope_join(s));
        CHECK_ERR(f[1].err, HY_CLOSED);
    }
    return err;
}
RUN_SIM(a_merge_can_be_closed_by_a_cancelled_fiber)

// ---- into a channel -----------------------------------------------------------------------------

typedef struct pourer {
    hy_flow *flow;
    hy_chan *chan;
    hy_err err;
} pourer;

static hy_err pours(void *arg) {
    pourer *p = arg;
    p->err = hy_flow_into(p->flow, p->chan);
    return p->err == HY_NOMEM ? p->err : HY_OK;
}

static hy_err the_end_travels_into_a_channel(void *unused) {
    (void)unused;
    for (int way = 0; way < 3; way++) {
        hy_err err = HY_OK;
        spring f = { .count = 3, .then = way == 1 ? HY_IO : HY_END };
        pourer p = { .flow = NULL };
        HY_SCOPE(s, &err, .name = "test") {
            CHECK_OK(hy_chan_open(s, sizeof(int), 1, NULL, &p.chan));
            CHECK_OK(hy_flow_open(s, sizeof(int),
                                  &(hy_flow_source){ spring_next, spring_close, &f }, &p.flow));
            CHECK_OK(hy_spawn(s, pours, &p, NULL, NULL));
            int got;
            for (int i = 0; i < 3; i++) {
                CHECK_OK(hy_recv(p.chan, &got));
                CHECK_EQ(got, i);
                if (way == 2) hy_chan_close(p.chan);
                if (way == 2) break;
            }
            if (way < 2) CHECK_ERR(hy_recv(p.chan, &got), f.then);
            CHECK_OK(hy_scope_join(s));
            CHECK_ERR(p.err, way == 0 ? HY_OK : way == 1 ? HY_IO : HY_CLOSED);
            CHECK_EQ(f.closed, 1);
        }
        CHECK_OK(err);
    }
    return HY_OK;
}
RUN_SIM(the_end_travels_into_a_channel)

// ---- cancelled anywhere -------------------------------------------------------------------------
//
// Who asks is cut short again and again, wherever it waits: in the source, in a map, in a merge, in
// a batch. Whoever asks next goes on there: every item arrives once.

#define STORM_SEEDS 150

typedef struct storm {
    uint64_t dice;
    feeder feeders[2];
    hy_flow *flow;
    uint32_t batch_max;
    uint8_t seen[200];
    uint32_t count;
} storm;

static hy_err storm_pass(void *arg, const void *item, void *out_item) {
    storm *m = arg;
    *(int *)out_item = *(const int *)item;
    return kit_random(&m->dice) % 2 ? hy_sleep((hy_ns)(kit_random(&m->dice) % 2000)) : HY_OK;
}

static void storm_see(storm *m, int item) {
    CHECK_EQ(m->seen[item], 0);
    m->seen[item] = 1;
    m->count++;
}

static hy_err storm_ask(storm *m) {
    hy_ns deadline = HY_NEVER;
    hy_world *world = hy_scope_world(hy_scope_current());
    if (kit_random(&m->dice) % 4 == 0) {
        deadline = hy_world_now(world) + (hy_ns)(kit_random(&m->dice) % 2000);
    }
    int item;
    hy_items batch = { &item, 1 };
    hy_err err = hy_flow_next(m->flow, m->batch_max > 0 ? (void *)&batch : (void *)&item, deadline);
    for (uint32_t i = 0; err == HY_OK && i < batch.count; i++) {
        storm_see(m, ((const int *)batch.items)[i]);
    }
    return err;
}

static hy_err storm_build(storm *m, hy_scope *scope) {
    hy_err err = HY_OK;
    if (kit_random(&m->dice) % 2) {
        err = open_merge(scope, m->feeders, 2, HY_MERGE_ALL, &m->flow);
    } else {
        m->feeders[1].count = 0;
        err = hy_chan_open(scope, sizeof(int), 1, NULL, &m->feeders[0].chan);
        if (err == HY_OK) err = hy_flow_of_chan(scope, m->feeders[0].chan, &m->flow);
        if (err == HY_OK) err = hy_spawn(scope, feeds, &m->feeders[0], NULL, NULL);
    }
    if (err == HY_OK) err = hy_flow_map(m->flow, sizeof(int), storm_pass, m, &m->flow);
    m->batch_max = (uint32_t)(kit_random(&m->dice) % 5);
    hy_ns wait_max = (hy_ns)(kit_random(&m->dice) % 4000);
    if (err == HY_OK && m->batch_max > 0) {
        err = hy_flow_batch(m->flow, m->batch_max, wait_max, &m->flow);
    }
    return err;
}

static hy_err storm_run(void *arg) {
    storm *m = arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "storm") {
        m->feeders[0] = (feeder){ .from = 0, .count = 30, .pause = 800 };
        m->feeders[1] = (feeder){ .from = 100, .count = 20, .pause = 1100 };
        CHECK_OK(storm_build(m, s));
        while (err != HY_END) {
            HY_SCOPE(inner, NULL, .name = "ask",
                     .timeout = 1 + (hy_ns)(kit_random(&m->dice) % 9000)) {
                do {
                    err = storm_ask(m);
                } while (err == HY_OK);
            }
            CHECK_ERR(err, err == HY_END ? HY_END : HY_TIMEOUT);
        }
        CHECK_EQ(m->count, (uint32_t)m->feeders[0].count + (uint32_t)m->feeders[1].count);
        err = HY_OK;
    }
    return err;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err storms_lose_and_double_nothing(hy_mem *mem) {
    for (uint64_t i = 0; i < STORM_SEEDS; i++) {
        storm m = { .dice = kit_seed() * 1000 + i };
        HY_CLEANUP(close_world) hy_world *world = NULL;
        CHECK_OK(
            hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = m.dice, .delay_max = 500), &world));
        CHECK_OK(hy_root_run(world, NULL, storm_run, &m));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(sim_stages_make_one_from_another), KIT_TEST(sim_a_source_is_closed_once),
          KIT_TEST(sim_the_last_item_of_take_lets_the_source_go),
          KIT_TEST(sim_an_error_in_the_middle_ends_both_sides),
          KIT_TEST(sim_a_channels_error_comes_behind_its_items),
          KIT_TEST(sim_batches_are_full_or_in_time),
          KIT_TEST(sim_a_slow_source_gives_small_batches), KIT_TEST(sim_a_merge_gives_all_of_all),
          KIT_TEST(real_a_merge_gives_all_of_all), KIT_TEST(sim_a_merge_can_end_with_the_first),
          KIT_TEST(sim_an_error_of_one_ends_the_merge),
          KIT_TEST(sim_an_abandoned_merge_holds_nothing_up),
          KIT_TEST(sim_a_merge_can_be_closed_by_a_cancelled_fiber),
          KIT_TEST(sim_the_end_travels_into_a_channel),
          KIT_TEST_ONCE(storms_lose_and_double_nothing))
