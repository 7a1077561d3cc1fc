// select_test.c - one of several, whichever comes first; and a storm held to a model.
//
// A select that waits lies in up to 64 lists at once. After each way out (a case, a deadline, a
// cancellation, a closing) the channels are asked whether they still know of it.
#include "kit/kit.h"
#include "base/cleanup.h"
#include "scope/run_suite.h"

#define MANY 64

static hy_err open_chans(hy_scope *scope, hy_chan **chans, int count, uint32_t capacity) {
    for (int i = 0; i < count; i++) {
        hy_err err = hy_chan_open(scope, sizeof(int), capacity, NULL, &chans[i]);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static uint32_t waiting(const hy_chan *chan) {
    hy_chan_state state = hy_chan_state_of(chan);
    return state.senders_waiting + state.receivers_waiting;
}

// ---- at once ------------------------------------------------------------------------------------

static hy_err a_ready_case_is_done_at_once(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chans[3];
        CHECK_OK(open_chans(s, chans, 3, 1));
        int item = 5, got = 0;
        uint32_t index = 9;
        hy_case cases[3] = { { .chan = chans[0], .recv = &got },
                             { .chan = NULL, .recv = &got },
                             { .chan = chans[2], .recv = &got } };
        CHECK_ERR(hy_select(cases, 3, 0, &index), HY_TIMEOUT);
        CHECK_EQ(index, 9);
        CHECK_OK(hy_send(chans[2], &item));
        CHECK_OK(hy_select(cases, 3, HY_NEVER, &index));
        CHECK_EQ(index, 2);
        CHECK_OK(cases[2].err);
        CHECK_EQ(got, 5);
        cases[0] = (hy_case){ .chan = chans[0], .send = &item };
        CHECK_OK(hy_select(cases, 3, 0, &index));
        CHECK_EQ(index, 0);
        CHECK_EQ(hy_chan_state_of(chans[0]).count, 1);
        CHECK_ERR(hy_select(cases, 3, 0, &index), HY_TIMEOUT); // it is full now
        hy_chan_close(chans[2]);
        CHECK_OK(hy_select(cases, 3, HY_NEVER, &index));
        CHECK_EQ(index, 2);
        CHECK_ERR(cases[2].err, HY_END);
        CHECK_ERR(hy_select(cases, MANY + 1, 0, &index), HY_LIMIT);
    }
    return err;
}
RUN_SIM(a_ready_case_is_done_at_once)

// Each of three that are always ready gets its share; also when two selects take turns.
static hy_err ready_cases_share_fairly(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *chans[3];
        CHECK_OK(open_chans(s, chans, 3, 1));
        int got = 0, counts[3] = { 0 };
        hy_case cases[3];
        for (int i = 0; i < 3; i++) {
            hy_chan_close(chans[i]);
            cases[i] = (hy_case){ .chan = chans[i], .recv = &got };
        }
        for (int i = 0; i < 600; i++) {
            uint32_t index = 0, other = 0;
            CHECK_OK(hy_select(cases, 3, HY_NEVER, &index));
            CHECK_OK(hy_select(cases, 2, HY_NEVER, &other));
            counts[index]++;
        }
        for (int i = 0; i < 3; i++) {
            CHECK(counts[i] > 150);
        }
    }
    return err;
}
RUN_SIM(ready_cases_share_fairly)
RUN_REAL(ready_cases_share_fairly)

// ---- waiting ------------------------------------------------------------------------------------

typedef struct chooser {
    hy_case cases[MANY];
    uint32_t count, index;
    hy_ns timeout;
    hy_err err;
    bool done;
} chooser;

static hy_err chooses(void *arg) {
    chooser *c = arg;
    hy_ns deadline = HY_NEVER;
    if (c->timeout > 0) deadline = hy_world_now(hy_scope_world(hy_scope_current())) + c->timeout;
    c->err = hy_select(c->cases, c->count, deadline, &c->index);
    c->done = true;
    return HY_OK;
}

// The last of 64, and of few; afterwards no channel knows of the select any more.
static hy_err a_waiting_select_gets_one_and_leaves_all(void *unused) {
    (void)unused;
    static const int counts[] = { 1, 2, 8, 9, MANY };
    hy_err err = HY_OK;
    for (int k = 0; k < 5 && err == HY_OK; k++) {
        hy_chan *chans[MANY];
        int items[MANY] = { 0 }, last = counts[k] - 1;
        chooser c = { .count = (uint32_t)counts[k] };
        HY_SCOPE(s, &err, .name = "test") {
            CHECK_OK(open_chans(s, chans, counts[k], 0));
            for (int i = 0; i <= last; i++) {
                c.cases[i] = (hy_case){ .chan = chans[i], .recv = &items[i] };
                if (i % 3 == 1 && i != last) {
                    c.cases[i] = (hy_case){ .chan = chans[i], .send = &items[i] };
                }
            }
            CHECK_OK(hy_spawn(s, chooses, &c, NULL, NULL));
            CHECK_OK(hy_sleep(HY_MS(1)));
            for (int i = 0; i <= last; i++) {
                CHECK_EQ(waiting(chans[i]), 1);
            }
            int item = 42;
            CHECK_OK(hy_send(chans[last], &item));
            for (int i = 0; i <= last; i++) {
                CHECK_EQ(waiting(chans[i]), 0);
            }
            CHECK_OK(hy_scope_join(s));
            CHECK_OK(c.err);
            CHECK_EQ(c.index, last);
            CHECK_EQ(items[last], 42);
        }
    }
    return err;
}
RUN_SIM(a_waiting_select_gets_one_and_leaves_all)

static hy_err a_late_or_cancelled_select_leaves_all(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_chan *chans[2];
    int got = 0;
    chooser late = { .count = 2, .timeout = HY_MS(5) }, cancelled = { .count = 2 };
    HY_SCOPE(s, &err, .name = "test") {
        CHECK_OK(open_chans(s, chans, 2, 0));
        late.cases[0] = cancelled.cases[0] = (hy_case){ .chan = chans[0], .recv = &got };
        late.cases[1] = cancelled.cases[1] = (hy_case){ .chan = chans[1], .send = &got };
        hy_task *task = NULL;
        CHECK_OK(hy_spawn(s, chooses, &late, NULL, NULL));
        CHECK_OK(hy_spawn(s, chooses, &cancelled, NULL, &task));
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK(!late.done);
        CHECK_EQ(waiting(chans[1]), 2);
        hy_task_cancel(task, HY_REJECT);
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK_EQ(waiting(chans[1]), 1);
        CHECK_OK(hy_scope_join(s));
        CHECK_EQ(waiting(chans[0]) + waiting(chans[1]), 0);
        CHECK_ERR(late.err, HY_TIMEOUT);
        CHECK_EQ(cancelled.err, HY_REJECT);
    }
    return err;
}
RUN_SIM(a_late_or_cancelled_select_leaves_all)

static hy_err closing_a_channel_is_a_case(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_chan *chans[2];
    int got = 0;
    chooser sends = { .count = 2 }, receives = { .count = 2 };
    HY_SCOPE(s, &err, .name = "test") {
        CHECK_OK(open_chans(s, chans, 2, 0));
        sends.cases[0] = (hy_case){ .chan = chans[0], .send = &got };
        sends.cases[1] = receives.cases[1] = (hy_case){ .chan = chans[1], .recv = &got };
        CHECK_OK(hy_spawn(s, chooses, &sends, NULL, NULL));
        CHECK_OK(hy_sleep(HY_MS(1)));
        hy_chan_close(chans[0]);
        CHECK_EQ(waiting(chans[1]), 0);
        CHECK_OK(hy_scope_join(s));
        CHECK_OK(sends.err);
        CHECK_EQ(sends.cases[0].err, HY_CLOSED);
        CHECK_OK(hy_spawn(s, chooses, &receives, NULL, NULL));
        CHECK_OK(hy_sleep(HY_MS(1)));
        hy_chan_fail(chans[1], HY_IO);
        CHECK_OK(hy_scope_join(s));
        CHECK_EQ(receives.index, 1);
        CHECK_EQ(receives.cases[1].err, HY_IO);
    }
    return err;
}
RUN_SIM(closing_a_channel_is_a_case)

// ---- two selects meet ---------------------------------------------------------------------------

// Both would send and would receive on the same two channels: exactly one item passes.
static hy_err two_selects_meet_once(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_chan *chans[2];
    int out[2] = { 1, 2 }, in[2] = { 0, 0 };
    chooser c[2];
    HY_SCOPE(s, &err, .name = "test") {
        CHECK_OK(open_chans(s, chans, 2, 0));
        for (int i = 0; i < 2; i++) {
            c[i] = (chooser){ .count = 4,
                              .cases = { { .chan = chans[0], .send = &out[i] },
                                         { .chan = chans[0], .recv = &in[i] },
                                         { .chan = chans[1], .send = &out[i] },
                                         { .chan = chans[1], .recv = &in[i] } } };
            CHECK_OK(hy_spawn(s, chooses, &c[i], NULL, NULL));
        }
        CHECK_OK(hy_scope_join(s));
        CHECK_OK(c[0].err);
        CHECK_OK(c[1].err);
        CHECK_EQ(c[0].index / 2, c[1].index / 2);
        CHECK(c[0].index != c[1].index);
        CHECK_EQ(in[0] + in[1], in[0] != 0 ? 2 : 1);
        CHECK_EQ(hy_chan_state_of(chans[0]).sent + hy_chan_state_of(chans[1]).sent, 1);
    }
    return err;
}
RUN_SIM(two_selects_meet_once)
RUN_REAL(two_selects_meet_once)

// ---- the storm ----------------------------------------------------------------------------------
//
// Fibers that select at random among sends and receives on a few channels, with deadlines, cancels
// and closings. Each item that was sent, and no other, is received once or left.

#define STORM_FIBERS 6
#define STORM_CHANS 4
#define STORM_ITEMS 512
#define STORM_SEEDS 400

typedef struct storm {
    uint64_t dice;
    hy_chan *chans[STORM_CHANS];
    hy_task *tasks[STORM_FIBERS];
    uint32_t next;                // item
    uint8_t sent[STORM_ITEMS];    // 1: an answer said so
    uint8_t arrived[STORM_ITEMS]; // 1: received or left
} storm;

static void storm_left(void *self, void *item) {
    storm *m = self;
    uint32_t number = *(const uint32_t *)item;
    CHECK_EQ(m->arrived[number], 0);
    m->arrived[number] = 1;
}

static hy_err storm_fiber(void *arg) {
    storm *m = arg;
    uint32_t items[STORM_CHANS * 2], got[STORM_CHANS * 2];
    hy_case cases[STORM_CHANS * 2];
    hy_world *world = hy_scope_world(hy_scope_current());
    for (int round = 0; round < 12; round++) {
        uint32_t count = 1 + (uint32_t)(kit_random(&m->dice) % (STORM_CHANS * 2));
        for (uint32_t i = 0; i < count; i++) {
            cases[i] =
                (hy_case){ .chan = m->chans[kit_random(&m->dice) % STORM_CHANS], .recv = &got[i] };
            if (kit_random(&m->dice) % 2 == 0 && m->next < STORM_ITEMS) {
                items[i] = m->next++;
                cases[i].send = &items[i];
            }
        }
        hy_ns deadline = HY_NEVER;
        if (kit_random(&m->dice) % 2) {
            deadline = hy_world_now(world) + (hy_ns)(kit_random(&m->dice) % 3000);
        }
        uint32_t index = 0;
        hy_err err = hy_select(cases, count, deadline, &index);
        if (err == HY_TIMEOUT) continue;
        if (err != HY_OK) return HY_OK;
        if (cases[index].err != HY_OK) continue;
        if (cases[index].send != NULL) {
            m->sent[items[index]] = 1;
        } else {
            storm_left(m, &got[index]);
        }
    }
    return HY_OK;
}

static hy_err storm_run(void *arg) {
    storm *m = arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "storm", .policy = hy_collect) {
        for (int i = 0; i < STORM_CHANS; i++) {
            CHECK_OK(hy_chan_open(s, sizeof(uint32_t), (uint32_t)(kit_random(&m->dice) % 3),
                                  HY_OPTIONS(hy_chan, .drop = storm_left, .self = m),
                                  &m->chans[i]));
        }
        for (int i = 0; i < STORM_FIBERS; i++) {
            CHECK_OK(hy_spawn(s, storm_fiber, m, NULL, &m->tasks[i]));
        }
        for (uint64_t cancels = kit_random(&m->dice) % 6; cancels > 0; cancels--) {
            CHECK_OK(hy_sleep((hy_ns)(kit_random(&m->dice) % 4000)));
            hy_task_cancel(m->tasks[kit_random(&m->dice) % STORM_FIBERS], HY_CANCELLED);
        }
        for (int i = 0; i < STORM_CHANS; i++) {
            CHECK_OK(hy_sleep((hy_ns)(kit_random(&m->dice) % 10000)));
            hy_chan_close(m->chans[i]);
        }
        CHECK_OK(hy_scope_join(s));
        for (int i = 0; i < STORM_CHANS; i++) {
            CHECK_EQ(waiting(m->chans[i]), 0);
        }
    }
    return err;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err storm_of(hy_mem *mem, uint64_t seed, uint64_t *out_digest) {
    storm m = { .dice = seed };
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), &world));
    hy_err err = hy_root_run(world, NULL, storm_run, &m);
    for (uint32_t i = 0; err == HY_OK && i < m.next; i++) {
        CHECK_EQ(m.sent[i], m.arrived[i]);
    }
    *out_digest = hy_sim_digest(world);
    return err;
}

static hy_err storms_lose_and_double_nothing(hy_mem *mem) {
    for (uint64_t i = 0; i < STORM_SEEDS; i++) {
        uint64_t digest;
        CHECK_OK(storm_of(mem, kit_seed() * 1000 + i, &digest));
    }
    return HY_OK;
}

static hy_err the_same_seed_gives_the_same_storm(hy_mem *mem) {
    uint64_t first, again, other;
    CHECK_OK(storm_of(mem, kit_seed(), &first));
    CHECK_OK(storm_of(mem, kit_seed(), &again));
    CHECK_OK(storm_of(mem, kit_seed() + 1, &other));
    CHECK(first == again);
    CHECK(first != other);
    return HY_OK;
}

static hy_err a_storm_without_memory(hy_mem *mem) {
    uint64_t digest;
    hy_err err = storm_of(mem, kit_seed(), &digest);
    return err == HY_NOMEM || kit_failed_allocation() ? HY_OK : err;
}

KIT_TESTS(KIT_TEST(sim_a_ready_case_is_done_at_once), KIT_TEST(sim_ready_cases_share_fairly),
          KIT_TEST(real_ready_cases_share_fairly),
          KIT_TEST(sim_a_waiting_select_gets_one_and_leaves_all),
          KIT_TEST(sim_a_late_or_cancelled_select_leaves_all),
          KIT_TEST(sim_closing_a_channel_is_a_case), KIT_TEST(sim_two_selects_meet_once),
          KIT_TEST(real_two_selects_meet_once), KIT_TEST_ONCE(storms_lose_and_double_nothing),
          KIT_TEST_ONCE(the_same_seed_gives_the_same_storm), KIT_TEST(a_storm_without_memory))
