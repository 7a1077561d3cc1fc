// fail_test.c - a handler that uses up its stack fails its actor, and nobody else.
//
// What hy_fail promises otherwise is tested with supervision; here the calls go down until there is
// no stack left, in the simulated world and in real ones, and the worker goes on.
#include "actor/node_suite.h"

#include "kit/kit.h"

#define DEPTH(F) F(1, u64, times) F(2, bool, waits)
HY_RECORD(depth, DEPTH)
HY_RECORD_DEFINE(depth, DEPTH)

#define DIGGER(TELL, ASK, x)                                                                       \
    TELL(x, 1, dig, depth)                                                                         \
    TELL(x, 2, leave, hy_nothing)
HY_PROTOCOL(digger, DIGGER);
HY_PROTOCOL_DEFINE(digger, DIGGER);

typedef struct digger {
    uint64_t dug;
} digger;
HY_BEHAVIOUR(digger, DIGGER, digger, digger);

static __attribute__((noinline)) uint64_t go_down(volatile uint64_t *above, uint64_t left) {
    volatile uint64_t here[16];
    here[0] = *above + 1;
    if (here[0] >= left) return here[0];
    return go_down(here, left) + here[*above % 8] % 2;
}

static hy_err digger_on_dig(hy_actor *self, digger *state, const depth *message) {
    (void)self;
    uint64_t times = message->times;
    hy_err err = HY_OK;
    if (message->waits) err = hy_sleep(HY_US(10));
    if (err != HY_OK) return err;
    volatile uint64_t start = 0;
    HY_SCOPE(block, &err, .name = "block") {
        state->dug += go_down(&start, times);
    }
    return err;
}

static hy_err digger_on_leave(hy_actor *self, digger *state, const hy_nothing *message) {
    (void)message;
    if (state->dug == 0) return HY_CORRUPT;
    hy_actor_end(self);
    return HY_OK;
}

static const hy_actor_type digger_type = { .name = "digger",
                                           .first = &digger_behaviour,
                                           .state_size = sizeof(digger) };

static hy_err a_used_up_stack_fails_the_actor(hy_node *node, void *unused) {
    (void)unused;
    digger_ref bystander;
    CHECK_OK(HY_SPAWN(digger, node, HY_NOBODY, &digger_type, NULL, NULL, &bystander));
    for (uint32_t i = 0; i < 10; i++) {
        digger_ref deep;
        CHECK_OK(HY_SPAWN(digger, node, HY_NOBODY, &digger_type, NULL, NULL, &deep));
        CHECK_OK(HY_TELL(digger, dig, deep, .times = UINT64_MAX, .waits = i % 2));
        CHECK_OK(HY_TELL(digger, dig, bystander, .times = 3));
        CHECK_ERR(hy_actor_wait_end(deep.ref, HY_NEVER), HY_LIMIT);
    }
    CHECK_OK(HY_TELL(digger, leave, bystander, 0));
    CHECK_ERR(hy_actor_wait_end(bystander.ref, HY_NEVER), HY_OK);
    return HY_OK;
}
NODE_ALL(a_used_up_stack_fails_the_actor)

// The same of a fiber actor.
static hy_err run_deep(hy_actor *self, void *state) {
    (void)self;
    (void)state;
    volatile uint64_t start = 0;
    hy_err err = hy_sleep(HY_US(10));
    return err == HY_OK && go_down(&start, UINT64_MAX) == 0 ? HY_BUSY : err;
}

static const hy_actor_type runner_type = { .name = "runner", .run = run_deep };

static hy_err a_used_up_stack_fails_a_fiber_actor(hy_node *node, void *unused) {
    (void)unused;
    for (uint32_t i = 0; i < 3; i++) {
        hy_ref ref;
        CHECK_OK(hy_spawn_actor(node, HY_NOBODY, &runner_type, NULL, NULL, &ref));
        CHECK_ERR(hy_actor_wait_end(ref, HY_NEVER), HY_LIMIT);
    }
    return HY_OK;
}
NODE_ALL(a_used_up_stack_fails_a_fiber_actor)

KIT_TESTS(KIT_TEST_ONCE(sim_a_used_up_stack_fails_the_actor),
          KIT_TEST_ONCE(one_a_used_up_stack_fails_the_actor),
          KIT_TEST_ONCE(two_a_used_up_stack_fails_the_actor),
          KIT_TEST_ONCE(sim_a_used_up_stack_fails_a_fiber_actor),
          KIT_TEST_ONCE(one_a_used_up_stack_fails_a_fiber_actor),
          KIT_TEST_ONCE(two_a_used_up_stack_fails_a_fiber_actor))
