// stash_test.c - what was put off comes first later, in its order.
//
// A door that is closed stashes who walks through it. The digits of those who came through, one
// after the other, are one number, which shows the order at a glance.
#include "kit/kit.h"
#include "actor/node_suite.h"
#include "actor/soft_suite.h"

#include <string.h>

#define STEP(F) F(1, u64, n)
HY_RECORD(step, STEP)
HY_RECORD_DEFINE(step, STEP)
#define TRAIL(F)                                                                                   \
    F(1, u64, digits)                                                                              \
    F(2, u64, refused)
HY_RECORD(trail, TRAIL)
HY_RECORD_DEFINE(trail, TRAIL)

#define DOOR(TELL, ASK, x)                                                                         \
    TELL(x, 1, walk, step)                                                                         \
    TELL(x, 2, open, step)                                                                         \
    ASK(x, 3, look, step, trail)                                                                   \
    TELL(x, 4, close, step)                                                                        \
    TELL(x, 5, fail, step)
HY_PROTOCOL(door, DOOR);
HY_PROTOCOL_DEFINE(door, DOOR);

typedef struct door_state {
    bool open;
    trail trail;
} door_state;
HY_BEHAVIOUR(door, DOOR, door, door_state);

static hy_err door_on_walk(hy_actor *self, door_state *state, const step *message) {
    if (!state->open) {
        hy_err err = hy_stash(self, message);
        if (err == HY_LIMIT) state->trail.refused++;
        return err == HY_LIMIT ? HY_OK : err;
    }
    state->trail.digits = state->trail.digits * 10 + message->n;
    return HY_OK;
}
static hy_err door_on_open(hy_actor *self, door_state *state, const step *message) {
    (void)message;
    state->open = true;
    hy_unstash(self);
    hy_unstash(self);
    return HY_OK;
}
static hy_err door_on_look(hy_actor *self, door_state *state, const step *message,
                           trail *out_reply) {
    (void)self, (void)message;
    *out_reply = state->trail;
    return HY_OK;
}
static hy_err door_on_close(hy_actor *self, door_state *state, const step *message) {
    (void)self, (void)message;
    state->open = false;
    return HY_OK;
}
static hy_err door_on_fail(hy_actor *self, door_state *state, const step *message) {
    (void)self, (void)state, (void)message;
    return HY_INVARIANT;
}

static const hy_actor_type door_type = { .name = "door",
                                         .first = &door_behaviour,
                                         .state_size = sizeof(door_state) };

static hy_err stashed_come_first_and_in_order(hy_node *node, void *unused) {
    (void)unused;
    door_ref door;
    trail got = { 0 };
    SOFT_OK(HY_SPAWN(door, node, HY_NOBODY, &door_type, NULL, NULL, &door));
    SOFT_OK(HY_TELL(door, walk, door, .n = 1));
    SOFT_OK(HY_TELL_WITH(HY_OPTIONS(hy_send, .lane = HY_LANE_URGENT), door, walk, door, .n = 2));
    SOFT_OK(HY_TELL(door, walk, door, .n = 3));
    SOFT_OK(HY_ASK(door, look, door, 0, &got, .n = 0));
    SOFT_EQ(got.digits, 0);
    hy_account account = hy_node_account(node);
    SOFT_EQ(account.queued, 3);
    CHECK(hy_account_holds(&account));
    SOFT_OK(HY_TELL(door, open, door, .n = 0));
    SOFT_OK(HY_TELL(door, walk, door, .n = 4));
    SOFT_OK(HY_ASK(door, look, door, 0, &got, .n = 0));
    SOFT_EQ(got.digits, 2134);
    account = hy_node_account(node);
    SOFT_EQ(account.queued, 0);
    return HY_OK;
}

static hy_err stashing_again_keeps_the_order(hy_node *node, void *unused) {
    (void)unused;
    door_ref door;
    trail got = { 0 };
    SOFT_OK(HY_SPAWN(door, node, HY_NOBODY, &door_type, NULL, NULL, &door));
    for (uint64_t n = 1; n <= 3; n++)
        SOFT_OK(HY_TELL(door, walk, door, .n = n));
    SOFT_OK(HY_TELL(door, open, door, .n = 0));
    SOFT_OK(HY_TELL_WITH(HY_OPTIONS(hy_send, .lane = HY_LANE_URGENT), door, close, door, .n = 0));
    for (uint64_t n = 4; n <= 6; n++)
        SOFT_OK(HY_TELL(door, walk, door, .n = n));
    SOFT_OK(HY_ASK(door, look, door, 0, &got, .n = 0));
    SOFT_OK(HY_TELL(door, close, door, .n = 0));
    SOFT_OK(HY_TELL(door, walk, door, .n = 7));
    SOFT_OK(HY_TELL(door, open, door, .n = 0));
    SOFT_OK(HY_ASK(door, look, door, 0, &got, .n = 0));
    SOFT_EQ(got.digits, 1234567);
    return HY_OK;
}

static hy_err the_stash_has_a_limit(hy_node *node, void *unused) {
    (void)unused;
    door_ref door;
    trail got = { 0 };
    SOFT_OK(HY_SPAWN(door, node, HY_NOBODY, &door_type, NULL,
                     HY_OPTIONS(hy_actor, .mailbox.capacity = 3), &door));
    SOFT_OK(hy_actor_wait_ready(door.ref, HY_NEVER));
    for (uint64_t n = 1; n <= 2; n++)
        SOFT_OK(HY_TELL(door, walk, door, .n = n));
    SOFT_OK(HY_ASK(door, look, door, 0, &got, .n = 0)); // there is room for it
    SOFT_OK(HY_TELL(door, walk, door, .n = 3));
    SOFT_ERR(HY_ASK(door, look, door, 0, &got, .n = 0), HY_LIMIT); // they count as queued
    hy_actor_stop(door.ref);
    SOFT_OK(hy_actor_wait_end(door.ref, HY_NEVER));
    hy_account account = hy_node_account(node);
    SOFT_EQ(account.dropped[HY_DROP_ENDED], 3);
    return HY_OK;
}

static hy_err the_next_start_handles_what_was_stashed(hy_node *node, void *unused) {
    (void)unused;
    door_ref door;
    trail got = { 0 };
    hy_ref top;
    SOFT_OK(hy_spawn_actor(node, HY_NOBODY, &hy_supervisor_type, NULL, NULL, &top));
    SOFT_OK(HY_SPAWN(door, node, top, &door_type, NULL,
                     HY_OPTIONS(hy_actor, .restart = HY_PERMANENT), &door));
    SOFT_OK(HY_TELL(door, walk, door, .n = 1));
    SOFT_OK(HY_TELL(door, walk, door, .n = 2));
    SOFT_OK(HY_TELL(door, fail, door, .n = 0));
    SOFT_OK(HY_TELL(door, open, door, .n = 0));
    SOFT_OK(HY_ASK(door, look, door, 0, &got, .n = 0));
    SOFT_EQ(got.digits, 12);
    return HY_OK;
}

NODE_ALL(stashed_come_first_and_in_order)
NODE_ALL(stashing_again_keeps_the_order)
NODE_SIM(the_stash_has_a_limit)
NODE_ALL(the_next_start_handles_what_was_stashed)

KIT_TESTS(KIT_TEST(sim_stashed_come_first_and_in_order),
          KIT_TEST_ONCE(one_stashed_come_first_and_in_order),
          KIT_TEST_ONCE(two_stashed_come_first_and_in_order),
          KIT_TEST(sim_stashing_again_keeps_the_order),
          KIT_TEST_ONCE(one_stashing_again_keeps_the_order),
          KIT_TEST_ONCE(two_stashing_again_keeps_the_order), KIT_TEST(sim_the_stash_has_a_limit),

          KIT_TEST(sim_the_next_start_handles_what_was_stashed),
          KIT_TEST_ONCE(one_the_next_start_handles_what_was_stashed),
          KIT_TEST_ONCE(two_the_next_start_handles_what_was_stashed))
