// node_test.c - a node opens, its actors start, are told things and end, and it closes.
//
// Each test runs in a simulated world and in a real one with one and with two workers.
#include "actor/node_suite.h"

#include "base/cleanup.h"
#include "kit/kit.h"

#include <stdatomic.h>

#define AMOUNT(F) F(1, u64, by)
HY_RECORD(amount, AMOUNT)
HY_RECORD_DEFINE(amount, AMOUNT)

#define COUNTER(TELL, ASK, x)                                                                      \
    TELL(x, 1, add, amount)                                                                        \
    TELL(x, 2, leave, hy_nothing)                                                                  \
    TELL(x, 3, fall, hy_nothing)
HY_PROTOCOL(counter, COUNTER);
HY_PROTOCOL_DEFINE(counter, COUNTER);

typedef struct tally {
    _Atomic uint64_t started, stopped, sum;
} tally;

typedef struct counter {
    tally *tally;
} counter;

HY_BEHAVIOUR(counter, COUNTER, counter, counter);

static hy_err counter_start(hy_actor *self, void *state, const void *arg) {
    (void)self;
    ((counter *)state)->tally = (tally *)(uintptr_t)arg;
    atomic_fetch_add(&((counter *)state)->tally->started, 1);
    return HY_OK;
}

static void counter_stop(hy_actor *self, void *state, hy_err why) {
    (void)self;
    (void)why;
    atomic_fetch_add(&((counter *)state)->tally->stopped, 1);
}

static hy_err counter_on_add(hy_actor *self, counter *state, const amount *message) {
    (void)self;
    atomic_fetch_add(&state->tally->sum, message->by);
    return HY_OK;
}

static hy_err counter_on_leave(hy_actor *self, counter *state, const hy_nothing *message) {
    (void)state;
    (void)message;
    hy_actor_end(self);
    return HY_OK;
}

static hy_err counter_on_fall(hy_actor *self, counter *state, const hy_nothing *message) {
    (void)self;
    (void)state;
    (void)message;
    return HY_INVARIANT;
}

static const hy_actor_type counter_type = { .name = "counter",
                                            .first = &counter_behaviour,
                                            .state_size = sizeof(counter),
                                            .start = counter_start,
                                            .stop = counter_stop };

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

// Of the run: the actors outlive the body, if only until the node has closed.
static tally *fresh_tally(void) {
    static tally all;
    all = (tally){ 0 };
    return &all;
}

static hy_err a_node_opens_and_closes(hy_node *node, void *unused) {
    (void)unused;
    CHECK(hy_node_workers(node) >= 1);
    CHECK_EQ(hy_node_account(node).sent, 0);
    return HY_OK;
}
NODE_ALL(a_node_opens_and_closes)

static hy_err what_is_told_is_handled(hy_node *node, void *unused) {
    (void)unused;
    tally *all = fresh_tally();
    counter_ref to;
    CHECK_OK(HY_SPAWN(counter, node, HY_NOBODY, &counter_type, all, NULL, &to));
    for (uint64_t i = 1; i <= 10; i++)
        CHECK_OK(HY_TELL(counter, add, to, .by = i));
    CHECK_OK(HY_TELL(counter, leave, to, 0));
    CHECK_ERR(hy_actor_wait_end(to.ref, HY_NEVER), HY_OK);
    CHECK_EQ(all->sum, 55);
    CHECK_EQ(all->started, 1);
    CHECK_EQ(all->stopped, 1);
    CHECK_ERR(HY_TELL(counter, add, to, .by = 1), HY_NOT_FOUND);
    hy_account account = hy_node_account(node);
    CHECK_EQ(account.dropped[HY_DROP_NOBODY], 1);
    CHECK(hy_account_holds(&account));
    return HY_OK;
}
NODE_ALL(what_is_told_is_handled)

static hy_err those_left_stop_with_the_node_body(hy_node *node, void *arg) {
    counter_ref to;
    for (uint32_t i = 0; i < 20; i++) {
        CHECK_OK(HY_SPAWN(counter, node, HY_NOBODY, &counter_type, arg, NULL, &to));
        CHECK_OK(HY_TELL(counter, add, to, .by = 1));
    }
    node_settle(node);
    return HY_OK;
}

static hy_err sim_those_left_stop_with_the_node(hy_mem *mem) {
    tally all = { 0 };
    CHECK_OK(node_in_sim(mem, NULL, those_left_stop_with_the_node_body, &all));
    CHECK_EQ(all.started, 20);
    CHECK_EQ(all.stopped, 20);
    CHECK_EQ(all.sum, 20);
    return HY_OK;
}

static hy_err two_those_left_stop_with_the_node(hy_mem *mem) {
    tally all = { 0 };
    CHECK_OK(node_in_real(mem, 2, NULL, those_left_stop_with_the_node_body, &all));
    CHECK_EQ(all.started, 20);
    CHECK_EQ(all.stopped, 20);
    CHECK_EQ(all.sum, 20);
    return HY_OK;
}

static hy_err one_that_fails_ends(hy_node *node, void *unused) {
    (void)unused;
    tally *all = fresh_tally();
    counter_ref to;
    CHECK_OK(HY_SPAWN(counter, node, HY_NOBODY, &counter_type, all, NULL, &to));
    CHECK_OK(HY_TELL(counter, fall, to, 0));
    CHECK_ERR(hy_actor_wait_end(to.ref, HY_NEVER), HY_INVARIANT);
    CHECK_EQ(all->stopped, 1);
    CHECK_EQ(hy_node_account(node).dropped[HY_DROP_FAILED], 1);
    return HY_OK;
}
NODE_ALL(one_that_fails_ends)

// ---- what handlers see, and when they wait -----------------------------------------------------

HY_KEY(const uint64_t *, ANSWER);
HY_KEY_DEFINE(ANSWER);

#define WAITER(TELL, ASK, x)                                                                       \
    TELL(x, 1, look, hy_nothing)                                                                   \
    TELL(x, 2, sleep, hy_nothing)
HY_PROTOCOL(waiter, WAITER);
HY_PROTOCOL_DEFINE(waiter, WAITER);
typedef struct waiter {
    uint64_t unused;
} waiter;
HY_BEHAVIOUR(waiter, WAITER, waiter, waiter);

static _Atomic uint64_t looks, cut_short, sleeping;

static hy_err waiter_on_look(hy_actor *self, waiter *state, const hy_nothing *message) {
    (void)self;
    (void)state;
    (void)message;
    const uint64_t *answer = HY_GET(ANSWER);
    if (answer && *answer == 42) atomic_fetch_add(&looks, 1);
    return HY_OK;
}

static hy_err waiter_on_sleep(hy_actor *self, waiter *state, const hy_nothing *message) {
    (void)self;
    (void)state;
    (void)message;
    atomic_fetch_add(&sleeping, 1);
    hy_err err = hy_sleep_until(HY_NEVER);
    if (err == HY_CANCELLED) atomic_fetch_add(&cut_short, 1);
    return err;
}

static const hy_actor_type waiter_type = { .name = "waiter",
                                           .first = &waiter_behaviour,
                                           .state_size = sizeof(waiter) };

static hy_err spawn_waiter(hy_node *node, uint32_t worker, waiter_ref *out_ref) {
    const hy_actor_options options = { .size = sizeof options, .worker = worker };
    return HY_SPAWN(waiter, node, HY_NOBODY, &waiter_type, NULL, &options, out_ref);
}

static hy_err look_on_each_worker(hy_node *node) {
    for (uint32_t i = 1; i <= hy_node_workers(node); i++) {
        waiter_ref ref;
        CHECK_OK(spawn_waiter(node, i, &ref));
        CHECK_OK(HY_TELL(waiter, look, ref, 0));
    }
    node_settle(node);
    return HY_OK;
}

static hy_err handlers_see_what_the_scope_binds(void *arg) {
    static const uint64_t answer = 42;
    hy_err err = HY_OK;
    atomic_store(&looks, 0);
    HY_SCOPE(scope, &err, .name = "bound") {
        hy_node *node = NULL;
        err = HY_BIND(scope, ANSWER, &answer);
        if (err == HY_OK) err = hy_node_open(scope, (const hy_node_options *)arg, &node);
        if (err == HY_OK) err = look_on_each_worker(node);
    }
    return err;
}

static hy_err three_handlers_see_what_the_scope_binds(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    hy_node_options options = { .size = sizeof options, .workers = 3 };
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    CHECK_OK(hy_root_run(world, NULL, handlers_see_what_the_scope_binds, &options));
    CHECK_EQ(atomic_load(&looks), 3);
    return HY_OK;
}

// Others go on while it waits.
static hy_err one_that_waits_holds_up_nobody(hy_node *node, void *unused) {
    (void)unused;
    atomic_store(&sleeping, 0);
    atomic_store(&cut_short, 0);
    for (uint32_t i = 0; i < 4; i++) {
        waiter_ref ref;
        CHECK_OK(spawn_waiter(node, 0, &ref));
        CHECK_OK(HY_TELL(waiter, sleep, ref, 0));
    }
    counter_ref other;
    CHECK_OK(HY_SPAWN(counter, node, HY_NOBODY, &counter_type, fresh_tally(), NULL, &other));
    CHECK_OK(HY_TELL(counter, leave, other, 0));
    CHECK_ERR(hy_actor_wait_end(other.ref, HY_NEVER), HY_OK);
    while (atomic_load(&sleeping) < 4) {
        hy_err err = hy_sleep(HY_US(50));
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// And when the grace of the node is over it is cancelled.
static hy_err sim_one_that_waits_is_cancelled_in_the_end(hy_mem *mem) {
    CHECK_OK(node_in_sim(mem, NULL, one_that_waits_holds_up_nobody, NULL));
    CHECK_EQ(atomic_load(&cut_short), 4);
    return HY_OK;
}

static hy_err two_one_that_waits_is_cancelled_in_the_end(hy_mem *mem) {
    hy_node_options options = { .size = sizeof options, .stop_max = HY_MS(2) };
    CHECK_OK(node_in_real(mem, 2, &options, one_that_waits_holds_up_nobody, NULL));
    CHECK_EQ(atomic_load(&cut_short), 4);
    return HY_OK;
}

// Wherever it waits, and although its worker has nothing else to do.
static hy_err one_that_waits_can_be_killed(hy_node *node, void *unused) {
    (void)unused;
    for (uint32_t worker = 1; worker <= hy_node_workers(node); worker++) {
        waiter_ref ref;
        atomic_store(&sleeping, 0);
        CHECK_OK(spawn_waiter(node, worker, &ref));
        CHECK_OK(HY_TELL(waiter, sleep, ref, 0));
        while (atomic_load(&sleeping) < 1) {
            hy_err err = hy_sleep(HY_US(50));
            if (err != HY_OK) return err;
        }
        hy_actor_kill(ref.ref);
        CHECK_ERR(hy_actor_wait_end(ref.ref, HY_NEVER), HY_CANCELLED);
    }
    return HY_OK;
}
NODE_ALL(one_that_waits_can_be_killed)

static hy_err digest_of_a_run(hy_mem *mem, uint64_t seed, uint64_t *out_digest) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    hy_node_options options = { .size = sizeof options };
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), &world));
    CHECK_OK(hy_root_run(world, NULL, handlers_see_what_the_scope_binds, &options));
    *out_digest = hy_sim_digest(world);
    return HY_OK;
}

static hy_err the_same_seed_gives_the_same_run(hy_mem *mem) {
    uint64_t first = 0, second = 0, other = 0;
    CHECK_OK(digest_of_a_run(mem, kit_seed(), &first));
    CHECK_OK(digest_of_a_run(mem, kit_seed(), &second));
    CHECK_OK(digest_of_a_run(mem, kit_seed() + 1, &other));
    CHECK_EQ(first, second);
    CHECK(first != other);
    return HY_OK;
}

// ---- the machine crashes ----------------------------------------------------------------------

typedef struct crashed {
    hy_node *node;
} crashed;

static hy_err work_until_the_crash(void *arg) {
    crashed *c = (crashed *)arg;
    CHECK_OK(hy_node_open(NULL, NULL, &c->node));
    counter_ref to[3];
    for (uint32_t i = 0; i < 3; i++)
        CHECK_OK(HY_SPAWN(counter, c->node, HY_NOBODY, &counter_type, fresh_tally(), NULL, &to[i]));
    for (uint64_t i = 0; i < 1000; i++) {
        CHECK_OK(HY_TELL(counter, add, to[i % 3], .by = i));
        CHECK_OK(hy_sleep(1000));
    }
    return HY_OK;
}

static hy_err crash_after(hy_mem *mem, uint32_t turns) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    crashed c = { 0 };
    hy_root *root = NULL;
    CHECK_OK(hy_root_start(world, NULL, work_until_the_crash, &c, NULL, NULL, &root));
    while (turns-- > 0)
        (void)hy_world_turn(world);
    hy_sim_restart(world);
    hy_node_abandon(c.node);
    hy_root_abandon(root);
    hy_node_abandon(NULL);
    return HY_OK;
}

// Whenever it is, all memory is back; and the number can be taken again.
static hy_err a_node_is_abandoned(hy_mem *mem) {
    for (uint32_t turns = 20; turns < 200; turns += 7) {
        hy_err err = crash_after(mem, turns);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(a_node_is_abandoned), KIT_TEST_ONCE(sim_one_that_waits_can_be_killed),
          KIT_TEST_ONCE(one_one_that_waits_can_be_killed),
          KIT_TEST_ONCE(two_one_that_waits_can_be_killed),
          KIT_TEST(three_handlers_see_what_the_scope_binds),
          KIT_TEST(sim_one_that_waits_is_cancelled_in_the_end),
          KIT_TEST_ONCE(two_one_that_waits_is_cancelled_in_the_end),
          KIT_TEST_ONCE(the_same_seed_gives_the_same_run), KIT_TEST(sim_a_node_opens_and_closes),
          KIT_TEST(one_a_node_opens_and_closes), KIT_TEST(two_a_node_opens_and_closes),
          KIT_TEST(sim_what_is_told_is_handled), KIT_TEST(one_what_is_told_is_handled),
          KIT_TEST(two_what_is_told_is_handled), KIT_TEST(sim_those_left_stop_with_the_node),
          KIT_TEST(two_those_left_stop_with_the_node), KIT_TEST(sim_one_that_fails_ends),
          KIT_TEST(one_one_that_fails_ends), KIT_TEST(two_one_that_fails_ends))
