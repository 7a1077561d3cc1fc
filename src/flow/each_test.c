// each_test.c - many items, a few at a time: over an array and over a channel.
//
// The calls nap for random times, so they end in any order: what must hold is the limit, the order
// where it was asked for, and that every call's error or result turns up once.
#include <hypha/flow.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "scope/run_suite.h"

#define ITEMS 40

typedef struct work {
    uint64_t dice; // 0: no naps
    uint32_t inside, most;
    uint32_t calls[ITEMS];
    int results[ITEMS];
    int fails_at; // -1: nowhere
    hy_err fails_with;
    uint32_t told;
} work;

static hy_err nap(work *w) {
    return w->dice != 0 ? hy_sleep((hy_ns)(kit_random(&w->dice) % 5000)) : HY_OK;
}

static hy_err enter(work *w, size_t index) {
    w->calls[index]++;
    if (++w->inside > w->most) w->most = w->inside;
    hy_err err = nap(w);
    w->inside--;
    return err;
}

static hy_err doubles_index(void *arg, size_t index) {
    work *w = arg;
    hy_err err = enter(w, index);
    if (err != HY_OK) return err;
    if ((int)index == w->fails_at) return w->fails_with;
    w->results[index] = (int)index * 2;
    return HY_OK;
}

static void is_told(void *self, size_t index, hy_err err) {
    work *w = self;
    w->told++;
    if (err == HY_NOMEM) return; // the kit's doing
    CHECK_EQ(index, w->fails_at);
    CHECK_EQ(err, w->fails_with);
}

// ---- over an array ------------------------------------------------------------------------------

static hy_err each_item_is_done_once_within_the_limit(void *unused) {
    (void)unused;
    static const uint32_t limits[] = { 1, 3, 0, 100 };
    for (int k = 0; k < 4; k++) {
        work w = { .dice = kit_seed() + 1, .fails_at = -1 };
        CHECK_OK(hy_map_each(ITEMS, doubles_index, &w, HY_OPTIONS(hy_map, .limit = limits[k])));
        if (limits[k] < ITEMS) CHECK_EQ(w.most, limits[k] == 0 ? 8 : limits[k]);
        for (int i = 0; i < ITEMS; i++) {
            CHECK_EQ(w.calls[i], 1);
            CHECK_EQ(w.results[i], 2 * i);
        }
    }
    CHECK_OK(hy_map_each(0, doubles_index, NULL, NULL));
    return HY_OK;
}
RUN_SIM(each_item_is_done_once_within_the_limit)

static hy_err the_first_error_cancels_the_rest(void *unused) {
    (void)unused;
    work w = { .dice = kit_seed() + 1, .fails_at = 5, .fails_with = HY_REJECT };
    CHECK_ERR(hy_map_each(ITEMS, doubles_index, &w, HY_OPTIONS(hy_map, .limit = 4)), HY_REJECT);
    CHECK_EQ(w.inside, 0);
    uint32_t begun = 0;
    for (int i = 0; i < ITEMS; i++) {
        begun += w.calls[i];
    }
    CHECK(begun < ITEMS);
    return HY_OK;
}
RUN_SIM(the_first_error_cancels_the_rest)

// The map's own fiber waits at the scope's limit of tasks when the first call fails.
static hy_err the_first_error_counts_however_few_fibers(void *unused) {
    (void)unused;
    work w = { .dice = kit_seed() + 1, .fails_at = 1, .fails_with = HY_REJECT };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "narrow", .tasks_max = 2) {
        err = hy_map_each(ITEMS, doubles_index, &w, HY_OPTIONS(hy_map, .limit = 6));
        if (err != HY_OK) break;
    }
    CHECK_ERR(err, HY_REJECT);
    CHECK_EQ(w.most, 2);
    return HY_OK;
}
RUN_SIM(the_first_error_counts_however_few_fibers)

static hy_err errors_can_be_values(void *unused) {
    (void)unused;
    work w = { .dice = kit_seed() + 1, .fails_at = 7, .fails_with = HY_IO };
    hy_err results[ITEMS];
    CHECK_OK(hy_map_each(ITEMS, doubles_index, &w,
                         HY_OPTIONS(hy_map, .limit = 4, .errors = HY_MAP_GO_ON, .failed = is_told,
                                    .self = &w, .results = results)));
    if (kit_failed_allocation()) return HY_OK;
    CHECK_EQ(w.told, 1);
    for (int i = 0; i < ITEMS; i++) {
        CHECK_ERR(results[i], i == 7 ? HY_IO : HY_OK);
    }
    return HY_OK;
}
RUN_SIM(errors_can_be_values)

static hy_err a_cancelled_map_begins_nothing_more(void *unused) {
    (void)unused;
    work w = { .dice = kit_seed() + 1, .fails_at = -1 };
    hy_err results[ITEMS], err = HY_NOMEM;
    HY_SCOPE(s, NULL, .name = "late", .timeout = HY_US(6)) {
        err = hy_map_each(ITEMS, doubles_index, &w,
                          HY_OPTIONS(hy_map, .limit = 2, .errors = HY_MAP_GO_ON, .failed = is_told,
                                     .self = &w, .results = results));
    }
    CHECK_ERR(err, HY_TIMEOUT);
    CHECK_EQ(w.told, 0);
    uint32_t begun = 0;
    for (int i = 0; i < ITEMS; i++) {
        begun += w.calls[i];
        CHECK(w.calls[i] == 1 || results[i] == HY_CANCELLED);
    }
    CHECK(begun < ITEMS);
    return HY_OK;
}
RUN_SIM(a_cancelled_map_begins_nothing_more)

static hy_err busy(void *arg, size_t index) {
    work *w = arg;
    w->calls[index % ITEMS]++;
    return HY_OK;
}

static hy_err a_map_runs_in_the_real_world(void *unused) {
    (void)unused;
    work w = { .dice = 0 };
    CHECK_OK(hy_map_each(1000, busy, &w, NULL));
    CHECK_EQ(w.calls[0], 25);
    return HY_OK;
}
RUN_REAL(a_map_runs_in_the_real_world)

// ---- over a channel -----------------------------------------------------------------------------

typedef struct plant {
    work work;
    hy_chan *in, *out;
    hy_map_options options;
    uint32_t sent;
    int got[ITEMS];
    uint32_t got_count;
    hy_err map_err, end_err;
} plant;

static hy_err doubles_item(void *arg, const void *item, void *out_item) {
    work *w = arg;
    int index = *(const int *)item;
    hy_err err = enter(w, (size_t)index);
    if (err != HY_OK) return err;
    if (index == w->fails_at) return w->fails_with;
    *(int64_t *)out_item = index * 2;
    return HY_OK;
}

static hy_err feeds(void *arg) {
    plant *p = arg;
    for (int i = 0; i < ITEMS; i++) {
        hy_err err = hy_send(p->in, &i);
        if (err != HY_OK) return HY_OK;
        p->sent++;
    }
    hy_chan_close(p->in);
    return HY_OK;
}

static hy_err maps(void *arg) {
    plant *p = arg;
    p->map_err = hy_map_chan(p->in, p->out, doubles_item, &p->work, &p->options);
    return p->map_err == HY_NOMEM ? HY_NOMEM : HY_OK;
}

static hy_err plant_run(plant *p, hy_map_options options) {
    p->options = options;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "plant") {
        CHECK_OK(hy_chan_open(s, sizeof(int), 0, NULL, &p->in));
        CHECK_OK(hy_chan_open(s, sizeof(int64_t), 0, NULL, &p->out));
        CHECK_OK(hy_spawn(s, feeds, p, NULL, NULL));
        CHECK_OK(hy_spawn(s, maps, p, NULL, NULL));
        int64_t got;
        while ((err = hy_recv(p->out, &got)) == HY_OK) {
            p->got[p->got_count++] = (int)got;
            uint64_t taken = hy_chan_state_of(p->in).received;
            CHECK(taken - p->got_count - p->work.told <= options.limit); // back-pressure
        }
        p->end_err = err;
        err = HY_OK;
        hy_chan_close(p->in);
    }
    return err;
}

static hy_err results_leave_in_order(void *unused) {
    (void)unused;
    for (uint32_t limit = 1; limit <= 5; limit += 2) {
        plant p = { .work = { .dice = kit_seed() + 1, .fails_at = -1 } };
        CHECK_OK(plant_run(&p, (hy_map_options){ .limit = limit, .ordered = true }));
        CHECK_OK(p.map_err);
        CHECK_ERR(p.end_err, HY_END);
        CHECK_EQ(p.work.most, limit);
        CHECK_EQ(p.got_count, ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            CHECK_EQ(p.got[i], 2 * i);
        }
    }
    return HY_OK;
}
RUN_SIM(results_leave_in_order)

static hy_err results_leave_as_they_come(void *unused) {
    (void)unused;
    plant p = { .work = { .dice = kit_seed() + 1, .fails_at = -1 } };
    CHECK_OK(plant_run(&p, (hy_map_options){ .limit = 4 }));
    int64_t sum = 0;
    for (uint32_t i = 0; i < p.got_count; i++) {
        sum += p.got[i];
    }
    CHECK_EQ(p.got_count, ITEMS);
    CHECK_EQ(sum, ITEMS * (ITEMS - 1));
    return HY_OK;
}
RUN_SIM(results_leave_as_they_come)

static hy_err an_error_fails_both_ends(void *unused) {
    (void)unused;
    for (int ordered = 0; ordered < 2; ordered++) {
        plant p = { .work = { .dice = kit_seed() + 1, .fails_at = 9, .fails_with = HY_REJECT } };
        CHECK_OK(plant_run(&p, (hy_map_options){ .limit = 3, .ordered = ordered }));
        CHECK_ERR(p.map_err, HY_REJECT);
        CHECK_ERR(p.end_err, HY_REJECT);
        CHECK(p.sent < ITEMS);
    }
    return HY_OK;
}
RUN_SIM(an_error_fails_both_ends)

static hy_err a_failed_item_leaves_a_gap(void *unused) {
    (void)unused;
    plant p = { .work = { .dice = kit_seed() + 1, .fails_at = 9, .fails_with = HY_IO } };
    CHECK_OK(plant_run(&p, (hy_map_options){ .limit = 3,
                                             .ordered = true,
                                             .errors = HY_MAP_GO_ON,
                                             .failed = is_told,
                                             .self = &p.work }));
    CHECK_OK(p.map_err);
    if (kit_failed_allocation()) return HY_OK;
    CHECK_EQ(p.got_count, ITEMS - 1);
    CHECK_EQ(p.got[8], 16);
    CHECK_EQ(p.got[9], 20);
    CHECK_EQ(p.work.told, 1);
    return HY_OK;
}
RUN_SIM(a_failed_item_leaves_a_gap)

// ---- cancelled anywhere -------------------------------------------------------------------------
//
// Results are things that must be given back: each is received, or dropped, once.

#define STORM_SEEDS 150

typedef struct storm {
    uint64_t dice;
    hy_chan *in, *out;
    hy_map_options options;
    uint32_t made, seen;
    uint8_t alive[ITEMS];
} storm;

static void storm_gone(void *self, void *item) {
    storm *m = self;
    int64_t number = *(const int64_t *)item;
    CHECK_EQ(m->alive[number], 1);
    m->alive[number] = 0;
    m->seen++;
}

static hy_err storm_make(void *arg, const void *item, void *out_item) {
    storm *m = arg;
    int64_t number = *(const int *)item;
    hy_err err = hy_sleep((hy_ns)(kit_random(&m->dice) % 3000));
    if (err != HY_OK) return err;
    if (kit_random(&m->dice) % 64 == 0) return HY_REJECT;
    m->alive[number] = 1;
    m->made++;
    *(int64_t *)out_item = number;
    return HY_OK;
}

static hy_err storm_feed(void *arg) {
    storm *m = arg;
    hy_err err = HY_OK;
    for (int i = 0; i < ITEMS && err == HY_OK; i++) {
        err = hy_send(m->in, &i);
    }
    hy_chan_close(m->in);
    return HY_OK;
}

static hy_err storm_map(void *arg) {
    storm *m = arg;
    hy_err err = hy_map_chan(m->in, m->out, storm_make, m, &m->options);
    return err == HY_NOMEM ? err : HY_OK;
}

static hy_err storm_take(void *arg) {
    storm *m = arg;
    int64_t number, latest = -1;
    while (hy_recv(m->out, &number) == HY_OK) {
        CHECK(!m->options.ordered || number > latest);
        latest = number;
        storm_gone(m, &number);
    }
    return HY_OK;
}

static hy_err storm_run(void *arg) {
    storm *m = arg;
    m->options.limit = 1 + (uint32_t)(kit_random(&m->dice) % 5);
    m->options.ordered = kit_random(&m->dice) % 2;
    m->options.errors = kit_random(&m->dice) % 2 ? HY_MAP_GO_ON : HY_MAP_FAIL_FAST;
    hy_err err = HY_OK;
    hy_task *tasks[3];
    HY_SCOPE(s, &err, .name = "storm") {
        CHECK_OK(hy_chan_open(s, sizeof(int), 1, NULL, &m->in));
        CHECK_OK(hy_chan_open(s, sizeof(int64_t), (uint32_t)(kit_random(&m->dice) % 3),
                              HY_OPTIONS(hy_chan, .drop = storm_gone, .self = m), &m->out));
        CHECK_OK(hy_spawn(s, storm_feed, m, NULL, &tasks[0]));
        CHECK_OK(hy_spawn(s, storm_map, m, NULL, &tasks[1]));
        CHECK_OK(hy_spawn(s, storm_take, m, NULL, &tasks[2]));
        CHECK_OK(hy_sleep((hy_ns)(kit_random(&m->dice) % 60000)));
        hy_task_cancel(tasks[kit_random(&m->dice) % 3], HY_CANCELLED);
        CHECK_OK(hy_sleep(HY_MS(1)));
        hy_chan_close(m->in);
        hy_chan_close(m->out);
    }
    return err;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err storms_give_every_result_back(hy_mem *mem) {
    for (uint64_t i = 0; i < STORM_SEEDS; i++) {
        storm m = { .dice = kit_seed() * 1000 + i };
        HY_CLEANUP(close_world) hy_world *world = NULL;
        CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = m.dice), &world));
        CHECK_OK(hy_root_run(world, NULL, storm_run, &m));
        CHECK_EQ(m.made, m.seen);
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(sim_each_item_is_done_once_within_the_limit),
          KIT_TEST(sim_the_first_error_cancels_the_rest),
          KIT_TEST(sim_the_first_error_counts_however_few_fibers),
          KIT_TEST(sim_errors_can_be_values), KIT_TEST(sim_a_cancelled_map_begins_nothing_more),
          KIT_TEST(real_a_map_runs_in_the_real_world), KIT_TEST(sim_results_leave_in_order),
          KIT_TEST(sim_results_leave_as_they_come), KIT_TEST(sim_an_error_fails_both_ends),
          KIT_TEST(sim_a_failed_item_leaves_a_gap), KIT_TEST_ONCE(storms_give_every_result_back))
