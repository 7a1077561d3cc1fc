// cancel_storm_test.c - everything of the room at once, cancelled at any moment.
//
// A dozen fibers take random steps: flights, cached values over two levels, gates, rates, hedges,
// retries, limits in time, one in the other. Meanwhile random fibers are cancelled for random
// reasons, keys are dropped and put, and at last the home of it all drains, is cancelled, or ends
// by itself. The seeds differ in when that is, so over many of them each suspension point is hit.
//
// What must be true however it goes: no place of a gate is lost, no key is worked at twice without
// a drop between, a value is of its key, every box is given back, and nobody waits for ever.
#include <hypha/flow.h>

#include "base/cleanup.h"
#include "base/rng.h"
#include "kit/kit.h"

#define STORM_FIBERS 12
#define STORM_KEYS 3
#define STORM_STEPS 12
#define STORM_ENDS HY_SECONDS(60)

typedef struct storm {
    uint64_t dice;
    hy_mem *mem;
    hy_scope *home, *outside;
    hy_gate *gate;
    hy_rate *rate;
    hy_cache *cache;
    hy_flight *flight;
    hy_budget *budget;
    const hy_scope *at_work[STORM_KEYS]; // the flight's
    uint32_t inside, boxes;
    bool is_open;
    uint32_t answers;
} storm;

static uint32_t roll(storm *s, uint32_t sides) {
    return (uint32_t)(hyi_splitmix64(&s->dice) % sides);
}

static hy_err nap(storm *s) {
    return roll(s, 4) == 0 ? hy_yield() : hy_sleep(HY_US(roll(s, 5000)));
}

static const char *const names[STORM_KEYS] = { "a", "b", "c" };

static hy_bytes key_of(uint32_t index) {
    return hy_bytes_of(names[index]);
}

// ---- boxes ----

static void box_dropped(void *self, const void *value) {
    (void)value;
    ((storm *)self)->boxes--;
}

static hy_err box_new(storm *s, hy_bytes key, hy_shared **out_shared) {
    s->boxes++;
    return hy_shared_new(s->mem, names[key.ptr[0] - 'a'], 1 + roll(s, 40), box_dropped, s,
                         out_shared);
}

static void take_answer(storm *s, hy_err err, hy_bytes key, hy_shared *shared) {
    if (err != HY_OK) return;
    CHECK(*(const char *)shared->value == (char)key.ptr[0]);
    hy_shared_drop(shared);
    s->answers++;
}

// ---- what is called ----

static hy_err load(void *self, hy_bytes key, hy_shared **out_shared) {
    storm *s = self;
    hy_err err = nap(s);
    uint32_t outcome = roll(s, 8);
    if (err == HY_OK && outcome == 0) err = HY_NOT_FOUND;
    if (err == HY_OK && outcome == 1) err = HY_IO;
    return err != HY_OK ? err : box_new(s, key, out_shared);
}

static hy_err work(void *self, hy_bytes key, hy_shared **out_shared) {
    storm *s = self;
    const hy_scope **at_work = &s->at_work[key.ptr[0] - 'a'], *here = hy_scope_current();
    CHECK(!*at_work || hy_scope_reason(*at_work) != HY_OK); // nobody waits for that one any more
    *at_work = here;
    hy_err err = nap(s);
    if (*at_work == here) *at_work = NULL;
    return err != HY_OK ? err : box_new(s, key, out_shared);
}

static hy_err far_get(void *self, hy_bytes key, hy_shared **out_shared, hy_ns *out_time_left) {
    storm *s = self;
    hy_err err = nap(s);
    if (err != HY_OK) return err;
    if (roll(s, 3) > 0) return roll(s, 2) ? HY_NOT_FOUND : HY_IO;
    *out_time_left = HY_MS(roll(s, 3));
    return box_new(s, key, out_shared);
}

static hy_err far_put(void *self, hy_bytes key, const hy_shared *value, hy_ns time_to_live) {
    (void)key;
    (void)value;
    (void)time_to_live;
    return nap(self);
}

static hy_err far_drop(void *self, hy_bytes key) {
    (void)key;
    return nap(self);
}

static void evicted(void *self, hy_bytes key, const hy_shared *value) {
    storm *s = self;
    CHECK(*(const char *)value->value == (char)key.ptr[0]);
    if (s->is_open && roll(s, 4) == 0) hy_cache_clear(s->cache);
}

// ---- steps ----

static hy_err through_the_gate(storm *s) {
    hy_pass pass;
    hy_err err = hy_gate_enter(s->gate, &pass);
    if (err != HY_OK) return err;
    CHECK(++s->inside <= 2);
    err = nap(s);
    s->inside--;
    hy_gate_leave(&pass, err);
    return err;
}

static hy_err get(storm *s) {
    hy_bytes key = key_of(roll(s, STORM_KEYS));
    hy_shared *shared = NULL;
    hy_err err = hy_cache_get(s->cache, key, &shared);
    take_answer(s, err, key, shared);
    return err;
}

static hy_err fly(storm *s) {
    hy_bytes key = key_of(roll(s, STORM_KEYS));
    hy_shared *shared = NULL;
    hy_err err = hy_flight_do(s->flight, key, work, s, &shared);
    take_answer(s, err, key, shared);
    return err;
}

static hy_err put(storm *s) {
    hy_bytes key = key_of(roll(s, STORM_KEYS));
    hy_shared *shared = NULL;
    hy_err err = box_new(s, key, &shared);
    return err != HY_OK ? err : hy_cache_put(s->cache, key, shared, HY_US(roll(s, 3000)));
}

static hy_err step(storm *s, uint32_t depth, bool at_home);

typedef struct inner {
    storm *s;
    uint32_t depth;
} inner;

static hy_err inner_step(void *arg) {
    inner *in = arg;
    return step(in->s, in->depth + 1, true);
}

static hy_err inner_copy(void *arg, uint32_t copy) {
    (void)copy;
    return inner_step(arg);
}

static hy_err nested(storm *s, uint32_t depth) {
    inner in = { s, depth };
    switch (roll(s, 3)) {
    case 0:
        return hy_hedge(HY_OPTIONS(hy_hedge, .delay = HY_US(1 + roll(s, 2000)),
                                   .copies_max = 1 + roll(s, 3), .budget = s->budget),
                        inner_copy, &in, NULL);
    case 1:
        return hy_retry(HY_OPTIONS(hy_retry, .calls_max = 1 + roll(s, 4), .delay = HY_US(500),
                                   .each_max = HY_US(roll(s, 4000)), .budget = s->budget),
                        inner_step, &in);
    default: return hy_within(HY_US(roll(s, 5000)), inner_step, &in);
    }
}

// Those from outside take only what may outlive its home: they hold nothing of it while they wait.
static hy_err step(storm *s, uint32_t depth, bool at_home) {
    if (!s->is_open && !at_home) return HY_CLOSED;
    if (!at_home) return roll(s, 2) ? get(s) : fly(s);
    switch (roll(s, depth < 3 ? 9 : 7)) {
    case 0: return through_the_gate(s);
    case 1: return hy_rate_take(s->rate, 1 + roll(s, 3));
    case 2: return get(s);
    case 3: return fly(s);
    case 4: return put(s);
    case 5: return hy_cache_drop(s->cache, key_of(roll(s, STORM_KEYS)));
    case 6: return nap(s);
    default: return nested(s, depth);
    }
}

static hy_err live_at_home(void *arg) {
    for (int i = 0; i < STORM_STEPS; i++)
        (void)step(arg, 0, true);
    return HY_OK;
}

static hy_err live_outside(void *arg) {
    for (int i = 0; i < STORM_STEPS; i++)
        (void)step(arg, 0, false);
    return HY_OK;
}

// ---- one storm ----

static hy_err open_all(storm *s) {
    static const hy_cache_level2 far = { far_get, far_put, far_drop, NULL };
    hy_cache_level2 level2 = far;
    level2.self = s;
    hy_err err = hy_gate_open(s->home, HY_OPTIONS(hy_gate, .limit = 2, .waiting_max = 4), &s->gate);
    if (err == HY_OK) {
        err = hy_rate_open(s->home,
                           HY_OPTIONS(hy_rate, .kind = (hy_rate_kind)roll(s, 2), .limit = 3,
                                      .period = HY_MS(2), .waiting_max = 5),
                           &s->rate);
    }
    if (err == HY_OK) {
        err = hy_cache_open(s->home,
                            HY_OPTIONS(hy_cache, .entries_max = 2, .bytes_max = 60, .load = load,
                                       .self = s, .time_to_live = HY_MS(3), .stale = HY_MS(5),
                                       .negative = HY_MS(2), .loads_max = 2,
                                       .level2 = roll(s, 2) ? &level2 : NULL, .evicted = evicted),
                            &s->cache);
    }
    if (err == HY_OK) err = hy_flight_open(s->home, 0, &s->flight);
    if (err == HY_OK) err = hy_budget_open(s->home, NULL, &s->budget);
    return err;
}

static const hy_err reasons[] = { HY_CANCELLED, HY_CLOSED, HY_TIMEOUT, HY_BUSY, HY_LIMIT };

static hy_err blow(storm *s, hy_task **tasks) {
    hy_err err = HY_OK;
    for (uint32_t i = roll(s, 15); i > 0 && err == HY_OK; i--) {
        err = hy_sleep(HY_US(roll(s, 3000)));
        hy_task_cancel(tasks[roll(s, STORM_FIBERS)], reasons[roll(s, 5)]);
    }
    if (err != HY_OK) return err;
    switch (roll(s, 4)) {
    case 0: hy_scope_stop(s->home, HY_MS(1 + roll(s, 20))); break;
    case 1: hy_scope_cancel(s->home, reasons[roll(s, 5)]); break;
    case 2: return hy_scope_join(s->home);
    default: break;
    }
    return hy_sleep(HY_US(roll(s, 5000)));
}

static hy_err storm_body(void *arg) {
    storm *s = arg;
    hy_err err = HY_OK;
    HY_SCOPE(all, &err, .policy = hy_ignore) {
        hy_task *tasks[STORM_FIBERS] = { NULL };
        err = hy_scope_open(all, HY_OPTIONS(hy_scope, .policy = hy_ignore), &s->outside);
        if (err == HY_OK) {
            err = hy_scope_open(
                all, HY_OPTIONS(hy_scope, .policy = hy_ignore, .tasks_max = roll(s, 2) ? 14 : 0),
                &s->home);
        }
        if (err == HY_OK) err = open_all(s);
        s->is_open = err == HY_OK;
        for (uint32_t i = 0; i < STORM_FIBERS && err == HY_OK; i++) {
            bool at_home = i % 3 > 0;
            err = hy_spawn(at_home ? s->home : s->outside, at_home ? live_at_home : live_outside, s,
                           NULL, &tasks[i]);
        }
        if (err != HY_OK) break;
        hy_err blown = blow(s, tasks);
        (void)blown;
        s->is_open = false;
        (void)hy_scope_close(s->home);
        CHECK_EQ(s->inside, 0);
    }
    CHECK_EQ(s->boxes, 0);
    CHECK(hy_world_now(hy_scope_world(hy_scope_current())) < STORM_ENDS);
    return err;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err storm_run(hy_mem *mem, uint64_t seed, uint32_t *answers) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), &world));
    storm s = { .dice = seed, .mem = mem };
    hy_err err = hy_root_run(world, NULL, storm_body, &s);
    *answers += s.answers;
    return err;
}

static hy_err nothing_is_lost_in_many_storms(hy_mem *mem) {
    uint32_t answers = 0;
    for (uint64_t i = 0; i < 1000; i++)
        CHECK_OK(storm_run(mem, kit_seed() * 100000 + i, &answers));
    CHECK(answers > 10000); // it is not all cancelled before it begins
    return HY_OK;
}

static hy_err nothing_is_lost_without_memory(hy_mem *mem) {
    uint32_t answers = 0;
    return storm_run(mem, kit_seed(), &answers);
}

KIT_TESTS(KIT_TEST_ONCE(nothing_is_lost_in_many_storms), KIT_TEST(nothing_is_lost_without_memory))
