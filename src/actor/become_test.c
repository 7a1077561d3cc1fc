// become_test.c - behaviours change with the next message, and starts begin with the first again.
//
// Two behaviours of one protocol answer the same question differently, over the same state, and one
// of them lacks a handler: what it cannot handle is a dead letter, not the other one's business.
#include "kit/kit.h"
#include "actor/node_suite.h"
#include "actor/soft_suite.h"

#define MOOD(F) F(1, u64, n)
HY_RECORD(mood, MOOD)
HY_RECORD_DEFINE(mood, MOOD)

#define MOODY(TELL, ASK, x)                                                                        \
    ASK(x, 1, ask, mood, mood)                                                                     \
    TELL(x, 2, turn, mood)                                                                         \
    TELL(x, 3, fail, mood)
HY_PROTOCOL(moody, MOODY);
HY_PROTOCOL_DEFINE(moody, MOODY);

typedef struct moody_state {
    uint64_t turns;
} moody_state;

#define SHORT(TELL, ASK, x)                                                                        \
    ASK(x, 1, ask, mood, mood)                                                                     \
    TELL(x, 2, turn, mood)
HY_BEHAVIOUR(glad, MOODY, moody, moody_state);
HY_BEHAVIOUR(sad, SHORT, moody, moody_state);

// The names of records and handlers go by the behaviour; the messages are moody's.
static hy_err glad_on_ask(hy_actor *self, moody_state *state, const mood *message,
                          mood *out_reply) {
    (void)self, (void)message;
    out_reply->n = 100 + state->turns;
    return HY_OK;
}
static hy_err glad_on_turn(hy_actor *self, moody_state *state, const mood *message) {
    (void)message;
    state->turns++;
    hy_become(self, &sad_behaviour);
    return HY_OK;
}
static hy_err glad_on_fail(hy_actor *self, moody_state *state, const mood *message) {
    (void)self, (void)state, (void)message;
    return HY_INVARIANT;
}
static hy_err sad_on_ask(hy_actor *self, moody_state *state, const mood *message, mood *out_reply) {
    (void)self, (void)message;
    out_reply->n = state->turns;
    return HY_OK;
}
static hy_err sad_on_turn(hy_actor *self, moody_state *state, const mood *message) {
    (void)message;
    state->turns++;
    hy_become(self, &glad_behaviour);
    return HY_OK;
}

static const hy_actor_type moody_type = { .name = "moody",
                                          .first = &glad_behaviour,
                                          .state_size = sizeof(moody_state) };

static hy_err behaviours_change(hy_node *node, void *unused) {
    (void)unused;
    moody_ref it;
    mood got = { 0 };
    SOFT_OK(HY_SPAWN(moody, node, HY_NOBODY, &moody_type, NULL, NULL, &it));
    SOFT_OK(HY_ASK(moody, ask, it, 0, &got, .n = 0));
    SOFT_EQ(got.n, 100);
    SOFT_OK(HY_TELL(moody, turn, it, .n = 0));
    SOFT_OK(HY_ASK(moody, ask, it, 0, &got, .n = 0));
    SOFT_EQ(got.n, 1);
    SOFT_OK(HY_TELL(moody, fail, it, .n = 0)); // the sad one has no handler for it
    SOFT_OK(HY_ASK(moody, ask, it, 0, &got, .n = 0));
    SOFT_EQ(got.n, 1);
    SOFT_EQ(hy_node_account(node).dropped[HY_DROP_UNHANDLED], 1);
    SOFT_OK(HY_TELL(moody, turn, it, .n = 0));
    SOFT_OK(HY_ASK(moody, ask, it, 0, &got, .n = 0));
    SOFT_EQ(got.n, 102);
    return HY_OK;
}

NODE_ALL(behaviours_change)

KIT_TESTS(KIT_TEST(sim_behaviours_change), KIT_TEST_ONCE(one_behaviours_change),
          KIT_TEST_ONCE(two_behaviours_change))
