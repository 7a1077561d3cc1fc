// channel_test.c - channels: order, bounds, closing; and a storm held to a model.
//
// The seed chooses who runs next, so the tests say only what must be true in every order.
#include "kit/kit.h"
#include "base/cleanup.h"
#include "scope/run_suite.h"

#include <string.h>

// ---- one sender, one receiver -------------------------------------------------------------------

static hy_err a_buffer_keeps_the_order_and_its_bound(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 3, NULL, &chan));
        int got = 0;
        CHECK_ERR(hy_try_recv(chan, &got), HY_BUSY);
        for (int round = 0; round < 5; round++) { // the ring goes round
            for (int i = 1; i <= 3; i++) {
                CHECK_OK(hy_send(chan, &i));
            }
            CHECK_ERR(hy_try_send(chan, &got), HY_BUSY);
            CHECK_EQ(hy_chan_state_of(chan).count, 3);
            for (int i = 1; i <= 3; i++) {
                CHECK_OK(hy_recv(chan, &got));
                CHECK_EQ(got, i);
            }
        }
        CHECK_EQ(hy_chan_state_of(chan).sent, 15);
        CHECK_EQ(hy_chan_state_of(chan).received, 15);
        CHECK_EQ(hy_chan_state_of(chan).item_size, sizeof(int));
    }
    return err;
}
RUN_SIM(a_buffer_keeps_the_order_and_its_bound)

// Every size class of the copy, and the bytes around it.
static hy_err items_of_any_size_arrive_whole(void *unused) {
    (void)unused;
    static const size_t sizes[] = { 0, 1, 3, 4, 7, 8, 12, 16, 31, 32, 33, 200 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            uint8_t in[200], out[202];
            for (size_t i = 0; i < sizeof in; i++) {
                in[i] = (uint8_t)(i * 7 + k);
            }
            memset(out, 0xEE, sizeof out);
            hy_chan *chan = NULL;
            CHECK_OK(hy_chan_open(s, sizes[k], 2, NULL, &chan));
            CHECK_OK(hy_send(chan, in));
            CHECK_OK(hy_recv(chan, out + 1));
            CHECK(memcmp(out + 1, in, sizes[k]) == 0);
            CHECK_EQ(out[0], 0xEE);
            CHECK_EQ(out[1 + sizes[k]], 0xEE);
            CHECK_OK(hy_release(s, chan));
        }
    }
    return err;
}
RUN_SIM(items_of_any_size_arrive_whole)

// ---- waiting ------------------------------------------------------------------------------------

typedef struct party {
    hy_chan *chan;
    int item;
    hy_err err;
    bool done;
} party;

static hy_err sends(void *arg) {
    party *p = arg;
    p->err = hy_send(p->chan, &p->item);
    p->done = true;
    return HY_OK;
}

static hy_err receives(void *arg) {
    party *p = arg;
    p->err = hy_recv(p->chan, &p->item);
    p->done = true;
    return HY_OK;
}

// One after the other, so that they wait in the order of the array.
static hy_err spawn_waiting(hy_scope *scope, hy_fn fn, party *parties, int count, hy_task **tasks) {
    for (int i = 0; i < count; i++) {
        hy_err err = hy_spawn(scope, fn, &parties[i], NULL, tasks ? &tasks[i] : NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(1));
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err senders_meet_receivers_in_turn(void *unused) {
    (void)unused;
    party p[3] = { { .item = 1 }, { .item = 2 }, { .item = 3 } };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 0, NULL, &chan));
        p[0].chan = p[1].chan = p[2].chan = chan;
        CHECK_OK(spawn_waiting(s, sends, p, 3, NULL));
        CHECK(!p[0].done);
        CHECK_EQ(hy_chan_state_of(chan).senders_waiting, 3);
        CHECK_EQ(hy_chan_state_of(chan).sent, 0);
        for (int i = 1; i <= 3; i++) {
            int got = 0;
            CHECK_OK(hy_recv(chan, &got));
            CHECK_EQ(got, i);
        }
        CHECK_OK(hy_scope_join(s));
        CHECK_OK(p[2].err);
        CHECK_EQ(hy_chan_state_of(chan).sent, 3);
    }
    return err;
}
RUN_SIM(senders_meet_receivers_in_turn)
RUN_REAL(senders_meet_receivers_in_turn)

static hy_err receivers_are_served_in_turn(void *unused) {
    (void)unused;
    party p[3] = { { .item = 0 } };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 2, NULL, &chan));
        p[0].chan = p[1].chan = p[2].chan = chan;
        CHECK_OK(spawn_waiting(s, receives, p, 3, NULL));
        CHECK_EQ(hy_chan_state_of(chan).receivers_waiting, 3);
        for (int i = 1; i <= 3; i++) {
            CHECK_OK(hy_try_send(chan, &i));
        }
        CHECK_EQ(hy_chan_state_of(chan).count, 0); // handed over, not queued
        CHECK_OK(hy_scope_join(s));
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(p[i].item, i + 1);
        }
    }
    return err;
}
RUN_SIM(receivers_are_served_in_turn)

// A place that becomes free goes to the sender that waits, not to one that comes just then.
static hy_err nobody_overtakes_a_waiting_sender(void *unused) {
    (void)unused;
    party p = { .item = 2 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 1, NULL, &chan));
        int one = 1, got = 0;
        CHECK_OK(hy_send(chan, &one));
        p.chan = chan;
        CHECK_OK(spawn_waiting(s, sends, &p, 1, NULL));
        CHECK_OK(hy_recv(chan, &got));
        CHECK_ERR(hy_try_send(chan, &one), HY_BUSY);
        CHECK_OK(hy_recv(chan, &got));
        CHECK_EQ(got, 2);
    }
    return err;
}
RUN_SIM(nobody_overtakes_a_waiting_sender)

// ---- overflow -----------------------------------------------------------------------------------

typedef struct dropped {
    int items[8];
    int count;
} dropped;

static void note_dropped(void *self, void *item) {
    dropped *d = self;
    d->items[d->count++ % 8] = *(const int *)item;
}

static hy_err full_channels_do_as_they_were_told(void *unused) {
    (void)unused;
    dropped old = { .count = 0 }, new = { .count = 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *drop_old = NULL, *drop_new = NULL, *fail = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 2,
                              HY_OPTIONS(hy_chan, .overflow = HY_OVERFLOW_DROP_OLD,
                                         .drop = note_dropped, .self = &old),
                              &drop_old));
        CHECK_OK(hy_chan_open(s, sizeof(int), 2,
                              HY_OPTIONS(hy_chan, .overflow = HY_OVERFLOW_DROP_NEW,
                                         .drop = note_dropped, .self = &new),
                              &drop_new));
        CHECK_OK(hy_chan_open(s, sizeof(int), 2, HY_OPTIONS(hy_chan, .overflow = HY_OVERFLOW_FAIL),
                              &fail));
        for (int i = 1; i <= 3; i++) {
            CHECK_OK(hy_send(drop_old, &i));
            CHECK_OK(hy_send(drop_new, &i));
            CHECK_ERR(hy_send(fail, &i), i < 3 ? HY_OK : HY_LIMIT);
        }
        int got = 0;
        CHECK_EQ(old.items[0], 1);
        CHECK_OK(hy_recv(drop_old, &got));
        CHECK_EQ(got, 2);
        CHECK_EQ(new.items[0], 3);
        CHECK_OK(hy_recv(drop_new, &got));
        CHECK_EQ(got, 1);
        CHECK_EQ(hy_chan_state_of(drop_new).sent, 3);
        CHECK_EQ(hy_chan_state_of(drop_new).dropped, 1);
        CHECK_EQ(hy_chan_state_of(fail).sent, 2);
    }
    if (err != HY_OK) return err;
    CHECK_EQ(old.count, 2); // the scope's end told of what was left
    CHECK_EQ(old.items[1], 3);
    CHECK_EQ(new.count, 2);
    return HY_OK;
}
RUN_SIM(full_channels_do_as_they_were_told)

// ---- the end ------------------------------------------------------------------------------------

static hy_err closed_channels_are_emptied_first(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *closed = NULL, *failed = NULL;
        int item = 7, got = 0;
        CHECK_OK(hy_chan_open(s, sizeof(int), 2, NULL, &closed));
        CHECK_OK(hy_chan_open(s, sizeof(int), 2, NULL, &failed));
        CHECK_OK(hy_send(closed, &item));
        CHECK_OK(hy_send(failed, &item));
        hy_chan_close(closed);
        hy_chan_close(closed);
        hy_chan_fail(failed, HY_BUSY); // an error as good as any
        hy_chan_close(failed);
        CHECK_ERR(hy_send(closed, &item), HY_CLOSED);
        CHECK_OK(hy_recv(closed, &got));
        CHECK_ERR(hy_recv(closed, &got), HY_END);
        CHECK_ERR(hy_try_recv(closed, &got), HY_END);
        CHECK_OK(hy_recv(failed, &got));
        CHECK_ERR(hy_recv(failed, &got), HY_BUSY);
        CHECK(hy_chan_state_of(failed).closed);
    }
    return err;
}
RUN_SIM(closed_channels_are_emptied_first)

static hy_err closing_tells_all_who_wait(void *unused) {
    (void)unused;
    party out[2] = { { .item = 1 }, { .item = 2 } }, in[2] = { { .item = 0 } };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *full = NULL, *empty = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 0, NULL, &full));
        CHECK_OK(hy_chan_open(s, sizeof(int), 4, NULL, &empty));
        out[0].chan = out[1].chan = full;
        in[0].chan = in[1].chan = empty;
        CHECK_OK(spawn_waiting(s, sends, out, 2, NULL));
        CHECK_OK(spawn_waiting(s, receives, in, 2, NULL));
        hy_chan_close(full);
        hy_chan_fail(empty, HY_IO);
        CHECK_OK(hy_scope_join(s));
        CHECK_EQ(out[1].err, HY_CLOSED);
        CHECK_EQ(in[1].err, HY_IO);
        CHECK_EQ(hy_chan_state_of(full).sent, 0);
    }
    return err;
}
RUN_SIM(closing_tells_all_who_wait)

// The channel of an inner scope, in the hands of a fiber of the outer one.
static hy_err the_scopes_end_tells_a_fiber_outside(void *unused) {
    (void)unused;
    party p = { .item = 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "outer") {
        HY_SCOPE(inner, &err, .name = "inner") {
            CHECK_OK(hy_chan_open(inner, sizeof(int), 1, NULL, &p.chan));
            CHECK_OK(spawn_waiting(s, receives, &p, 1, NULL));
        }
        CHECK_OK(err);
        CHECK_OK(hy_scope_join(s));
        CHECK_EQ(p.err, HY_END);
    }
    return err;
}
RUN_SIM(the_scopes_end_tells_a_fiber_outside)

static hy_err a_cancelled_fiber_leaves_the_line(void *unused) {
    (void)unused;
    party p[3] = { { .item = 1 }, { .item = 2 }, { .item = 3 } };
    hy_task *tasks[3];
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        CHECK_OK(hy_chan_open(s, sizeof(int), 0, NULL, &chan));
        p[0].chan = p[1].chan = p[2].chan = chan;
        CHECK_OK(spawn_waiting(s, sends, p, 3, tasks));
        hy_task_cancel(tasks[1], HY_CANCELLED);
        int got = 0;
        CHECK_OK(hy_recv(chan, &got));
        CHECK_EQ(got, 1);
        CHECK_OK(hy_recv(chan, &got));
        CHECK_EQ(got, 3);
        CHECK_OK(hy_scope_join(s));
        CHECK_EQ(p[1].err, HY_CANCELLED);
    }
    return err;
}
RUN_SIM(a_cancelled_fiber_leaves_the_line)

static hy_err a_cancelled_fiber_neither_sends_nor_receives(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chan = NULL;
        int item = 1;
        CHECK_OK(hy_chan_open(s, sizeof(int), 2, NULL, &chan));
        CHECK_OK(hy_send(chan, &item));
        HY_SCOPE(inner, NULL, .name = "inner") {
            hy_scope_cancel(inner, HY_REJECT);
            CHECK_ERR(hy_send(chan, &item), HY_REJECT);
            CHECK_ERR(hy_recv(chan, &item), HY_REJECT);
        }
        CHECK_EQ(hy_chan_state_of(chan).count, 1);
    }
    return err;
}
RUN_SIM(a_cancelled_fiber_neither_sends_nor_receives)

// ---- the storm ----------------------------------------------------------------------------------
//
// Some fibers send, some receive, one cancels at random and closes in the end. Every item is sent
// once and has a fate; at the end the fates, what hy_send answered and the channel's own accounting
// must agree. Cancels fall at every point at which a fiber can wait, over the seeds.

#define STORM_PARTIES 4
#define STORM_ITEMS 24
#define STORM_SEEDS 400

typedef struct storm_item {
    uint32_t sender, number;
    char padding[12]; // any size but a class of the copy
} storm_item;

typedef enum storm_fate { STORM_NONE, STORM_RECEIVED, STORM_DROPPED } storm_fate;

typedef struct storm {
    uint64_t dice;
    hy_chan *chan;
    uint32_t senders, receivers;
    hy_task *tasks[STORM_PARTIES * 2];
    hy_err sent[STORM_PARTIES][STORM_ITEMS];
    uint8_t fate[STORM_PARTIES][STORM_ITEMS];
    hy_chan_state state;
    hy_err end; // what receivers got last, unless cancelled
} storm;

typedef struct storm_party {
    storm *storm;
    uint32_t index;
} storm_party;

static void storm_note(storm *m, const storm_item *item, storm_fate fate) {
    CHECK(item->sender < m->senders);
    CHECK(item->number < STORM_ITEMS);
    CHECK_EQ(m->fate[item->sender][item->number], STORM_NONE); // nothing twice
    m->fate[item->sender][item->number] = (uint8_t)fate;
}

static void storm_dropped(void *self, void *item) {
    storm_note(self, item, STORM_DROPPED);
}

static hy_err storm_pause(storm *m) {
    uint64_t throw = kit_random(&m->dice) % 4;
    if (throw == 0) return hy_sleep((hy_ns)(kit_random(&m->dice) % 1000));
    return throw == 1 ? hy_yield() : HY_OK;
}

static hy_err storm_send(void *arg) {
    storm_party *p = arg;
    storm *m = p->storm;
    for (uint32_t i = 0; i < STORM_ITEMS; i++) {
        storm_item item = { .sender = p->index, .number = i };
        hy_err err = storm_pause(m);
        if (err == HY_OK && kit_random(&m->dice) % 8 == 0) {
            err = hy_try_send(m->chan, &item);
            if (err == HY_BUSY) err = hy_send(m->chan, &item);
        } else if (err == HY_OK) {
            err = hy_send(m->chan, &item);
        }
        m->sent[p->index][i] = err;
        if (err != HY_OK && err != HY_LIMIT) return HY_OK;
    }
    return HY_OK;
}

static hy_err storm_receive(void *arg) {
    storm *m = ((storm_party *)arg)->storm;
    int64_t latest[STORM_PARTIES] = { -1, -1, -1, -1 };
    for (;;) {
        storm_item item;
        hy_err err = storm_pause(m);
        if (err == HY_OK) err = hy_recv(m->chan, &item);
        if (err != HY_OK) {
            if (err != HY_CANCELLED) m->end = err;
            return HY_OK;
        }
        storm_note(m, &item, STORM_RECEIVED);
        CHECK((int64_t)item.number > latest[item.sender]); // each sender's in order
        latest[item.sender] = item.number;
    }
}

static hy_err storm_run(void *arg) {
    storm *m = arg;
    storm_party parties[STORM_PARTIES * 2];
    uint32_t capacity = (uint32_t)(kit_random(&m->dice) % 4);
    hy_overflow overflow = (hy_overflow)(capacity ? kit_random(&m->dice) % 4 : 0);
    hy_err end = kit_random(&m->dice) % 2 ? HY_END : HY_IO;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "storm", .policy = hy_collect) {
        CHECK_OK(hy_chan_open(
            s, sizeof(storm_item), capacity,
            HY_OPTIONS(hy_chan, .overflow = overflow, .drop = storm_dropped, .self = m), &m->chan));
        uint32_t all = m->senders + m->receivers;
        for (uint32_t i = 0; i < all; i++) {
            bool sender = i < m->senders;
            parties[i] = (storm_party){ m, sender ? i : i - m->senders };
            CHECK_OK(
                hy_spawn(s, sender ? storm_send : storm_receive, &parties[i], NULL, &m->tasks[i]));
        }
        for (uint64_t cancels = kit_random(&m->dice) % 6; cancels > 0; cancels--) {
            CHECK_OK(hy_sleep((hy_ns)(kit_random(&m->dice) % 4000)));
            hy_task_cancel(m->tasks[kit_random(&m->dice) % all], HY_CANCELLED);
        }
        CHECK_OK(hy_sleep((hy_ns)(kit_random(&m->dice) % 40000)));
        if (end == HY_END) hy_chan_close(m->chan);
        if (end != HY_END) hy_chan_fail(m->chan, end);
        CHECK_OK(hy_scope_join(s));
        CHECK(m->end == HY_OK || m->end == end);
        m->state = hy_chan_state_of(m->chan);
    }
    return err;
}

static void storm_settle(const storm *m) {
    uint64_t sent = 0, received = 0, gone = 0;
    for (uint32_t s = 0; s < m->senders; s++) {
        for (uint32_t i = 0; i < STORM_ITEMS; i++) {
            bool was_sent = m->sent[s][i] == HY_OK;
            CHECK_EQ(m->fate[s][i] != STORM_NONE, was_sent); // nothing lost, nothing made up
            sent += was_sent;
            received += m->fate[s][i] == STORM_RECEIVED;
            gone += m->fate[s][i] == STORM_DROPPED;
        }
    }
    CHECK_EQ(m->state.sent, sent);
    CHECK_EQ(m->state.received, received);
    CHECK_EQ(m->state.dropped + m->state.count, gone);
    CHECK_EQ(m->state.senders_waiting + m->state.receivers_waiting, 0);
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err storm_of(hy_mem *mem, uint64_t seed) {
    storm m = { .dice = seed };
    m.senders = 1 + (uint32_t)(kit_random(&m.dice) % STORM_PARTIES);
    m.receivers = (uint32_t)(kit_random(&m.dice) % (STORM_PARTIES + 1));
    for (uint32_t s = 0; s < STORM_PARTIES; s++) {
        for (uint32_t i = 0; i < STORM_ITEMS; i++) {
            m.sent[s][i] = HY_CANCELLED;
        }
    }
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), &world));
    hy_err err = hy_root_run(world, NULL, storm_run, &m);
    if (err == HY_OK) storm_settle(&m);
    return err;
}

static hy_err storms_lose_and_double_nothing(hy_mem *mem) {
    for (uint64_t i = 0; i < STORM_SEEDS; i++) {
        CHECK_OK(storm_of(mem, kit_seed() * 1000 + i));
    }
    return HY_OK;
}

static hy_err a_storm_without_memory(hy_mem *mem) {
    return storm_of(mem, kit_seed());
}

KIT_TESTS(KIT_TEST(sim_a_buffer_keeps_the_order_and_its_bound),
          KIT_TEST(sim_items_of_any_size_arrive_whole),
          KIT_TEST(sim_senders_meet_receivers_in_turn),
          KIT_TEST(real_senders_meet_receivers_in_turn), KIT_TEST(sim_receivers_are_served_in_turn),
          KIT_TEST(sim_nobody_overtakes_a_waiting_sender),
          KIT_TEST(sim_full_channels_do_as_they_were_told),
          KIT_TEST(sim_closed_channels_are_emptied_first), KIT_TEST(sim_closing_tells_all_who_wait),
          KIT_TEST(sim_the_scopes_end_tells_a_fiber_outside),
          KIT_TEST(sim_a_cancelled_fiber_leaves_the_line),
          KIT_TEST(sim_a_cancelled_fiber_neither_sends_nor_receives),
          KIT_TEST_ONCE(storms_lose_and_double_nothing), KIT_TEST(a_storm_without_memory))
