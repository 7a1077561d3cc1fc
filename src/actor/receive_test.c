// receive_test.c - actors in blocking style.
//
// A reader adds up what it is told, in a loop around hy_receive, and writes what it is told by that
// call into a story that outlives it. All ways out of the loop are tried: the end of the function,
// its failure from within and from deep below, a stop, a kill; and what comes between two messages.
#include "kit/kit.h"
#include "actor/ask.h"
#include "actor/node_suite.h"
#include "actor/soft_suite.h"

#define PIECE(F) F(1, u64, n)
HY_RECORD(piece, PIECE)
HY_RECORD_DEFINE(piece, PIECE)

#define READER(TELL, ASK, x)                                                                       \
    TELL(x, 1, add, piece)                                                                         \
    ASK(x, 2, sum, piece, piece)                                                                   \
    ASK(x, 3, ignore, piece, piece)                                                                \
    TELL(x, 4, quit, piece)                                                                        \
    ASK(x, 5, other, piece, piece)                                                                 \
    TELL(x, 6, wait, piece)                                                                        \
    TELL(x, 7, later, piece)                                                                       \
    TELL(x, 8, fall, piece)
HY_PROTOCOL(reader, READER);
HY_PROTOCOL_DEFINE(reader, READER);

typedef struct reader_state {
    uint64_t sum, timeouts;
} reader_state;

typedef struct reader_story { // outlives the actor, which outlives the test's body
    uint64_t sum, then_sum;
    hy_err last, timed;
    uint32_t starts, stops;
    reader_ref other;
} reader_story;

static reader_story reader_stories[2];

static reader_story *reader_open(uint32_t index) {
    reader_stories[index] = (reader_story){ 0 };
    return &reader_stories[index];
}

// An ask that does not wait is answered between two receives.
static hy_err reader_then(hy_actor *self, void *state, hy_err err, const void *reply) {
    (void)self;
    if (err) return err;
    reader_stories[0].then_sum = ((reader_state *)state)->sum + ((const piece *)reply)->n;
    return HY_OK;
}

static hy_err reader_loop(hy_actor *self, reader_state *state, reader_story *story) {
    for (;;) {
        hy_received got;
        hy_err err = hy_receive(self, HY_NEVER, &got);
        story->last = err;
        if (err) return err == HY_CLOSED ? HY_OK : err;
        const piece *it = (const piece *)got.body;
        if (got.tag == reader_add_tag) state->sum += it->n;
        if (got.tag == reader_sum_tag) reader_reply_sum(self, &(piece){ .n = state->sum + it->n });
        if (got.tag == reader_wait_tag) {
            hy_ns deadline = hy_world_now(hy_actor_world(self)) + HY_MS(2);
            story->timed = hy_receive(self, deadline, &got);
            continue;
        }
        if (got.tag == reader_later_tag) {
            err = HY_ASK_THEN(reader, sum, self, story->other, 0, reader_then, .n = it->n);
            if (err) return err;
        }
        if (got.tag == reader_fall_tag) hy_fail(self, HY_IO, "told to");
        if (got.tag == reader_quit_tag) return it->n ? HY_INVARIANT : HY_OK;
        if (got.tag == reader_other_tag) {
            piece answer = { 0 };
            err = HY_ASK(reader, sum, story->other, HY_MS(50), &answer, .n = it->n);
            if (err) return err;
            reader_reply_other(self, &answer);
        }
        story->sum = state->sum;
    }
}

static hy_err reader_start(hy_actor *self, void *state, const void *arg) {
    (void)self, (void)state;
    (*(reader_story *const *)arg)->starts++;
    return HY_OK;
}

static void reader_stop(hy_actor *self, void *state, hy_err why) {
    (void)self, (void)state, (void)why;
}

static hy_err reader_run(hy_actor *self, void *state) {
    return reader_loop(self, (reader_state *)state, &reader_stories[0]);
}
static hy_err reader_run_other(hy_actor *self, void *state) {
    return reader_loop(self, (reader_state *)state, &reader_stories[1]);
}

static const hy_actor_type reader_type = { .name = "reader",
                                           .state_size = sizeof(reader_state),
                                           .arg_size = sizeof(reader_story *),
                                           .start = reader_start,
                                           .stop = reader_stop,
                                           .run = reader_run,
                                           .protocol = &reader_protocol };
static const hy_actor_type other_type = { .name = "other reader",
                                          .state_size = sizeof(reader_state),
                                          .run = reader_run_other,
                                          .stack = HY_STACK_256K,
                                          .protocol = &reader_protocol };

static hy_err reader_spawn(hy_node *node, reader_story *story, hy_ref parent, hy_restart restart,
                           reader_ref *out_ref) {
    return HY_SPAWN(reader, node, parent, &reader_type, &story,
                    HY_OPTIONS(hy_actor, .restart = restart), out_ref);
}

static hy_err messages_are_received_in_order(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0);
    reader_ref it;
    piece got = { 0 };
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_OK(HY_TELL(reader, add, it, .n = 1));
    SOFT_OK(HY_TELL(reader, add, it, .n = 2));
    SOFT_OK(HY_ASK(reader, sum, it, 0, &got, .n = 10));
    SOFT_EQ(got.n, 13);
    SOFT_OK(HY_TELL(reader, add, it, .n = 3));
    SOFT_OK(HY_ASK(reader, sum, it, 0, &got, .n = 0));
    SOFT_EQ(got.n, 6);
    return HY_OK;
}

static hy_err what_is_not_answered_says_so(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0);
    reader_ref it;
    piece got = { 0 };
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_ERR(HY_ASK(reader, ignore, it, HY_SECONDS(90), &got, .n = 1), HY_UNSUPPORTED);
    SOFT_OK(HY_ASK(reader, sum, it, 0, &got, .n = 0));
    return HY_OK;
}

static hy_err stop_closes_the_receive(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0);
    reader_ref it;
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_OK(hy_actor_wait_ready(it.ref, HY_NEVER));
    SOFT_OK(hy_sleep(HY_MS(5)));
    hy_actor_stop(it.ref);
    SOFT_OK(hy_actor_wait_end(it.ref, HY_NEVER));
    SOFT_ERR(story->last, HY_CLOSED);
    return HY_OK;
}

static hy_err kill_cancels_the_receive(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0);
    reader_ref it;
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_OK(hy_sleep(HY_MS(5)));
    hy_actor_kill(it.ref);
    SOFT_ERR(hy_actor_wait_end(it.ref, HY_NEVER), HY_CANCELLED);
    SOFT_ERR(story->last, HY_CANCELLED);
    return HY_OK;
}

static hy_err returning_ends_or_fails(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0);
    reader_ref it;
    piece got = { 0 };
    hy_ref top;
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_OK(HY_TELL(reader, quit, it, .n = 0));
    SOFT_OK(hy_actor_wait_end(it.ref, HY_NEVER));
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_OK(HY_TELL(reader, quit, it, .n = 1));
    SOFT_ERR(hy_actor_wait_end(it.ref, HY_NEVER), HY_INVARIANT);
    SOFT_OK(hy_spawn_actor(node, HY_NOBODY, &hy_supervisor_type, NULL, NULL, &top));
    story->starts = 0;
    SOFT_OK(reader_spawn(node, story, top, HY_PERMANENT, &it));
    SOFT_OK(HY_TELL(reader, quit, it, .n = 1));
    SOFT_OK(HY_TELL(reader, add, it, .n = 4)); // for the next start
    SOFT_OK(HY_ASK(reader, sum, it, 0, &got, .n = 0));
    SOFT_EQ(got.n, 4);
    SOFT_EQ(story->starts, 2);
    return HY_OK;
}

static hy_err fiber_actors_ask_each_other(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0), *other_story = reader_open(1);
    reader_ref it, other;
    piece got = { 0 };
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_OK(HY_SPAWN(reader, node, HY_NOBODY, &other_type, NULL, NULL, &other));
    story->other = other;
    other_story->other = it;
    SOFT_OK(HY_TELL(reader, add, other, .n = 5));
    SOFT_OK(HY_ASK(reader, other, it, 0, &got, .n = 1));
    SOFT_EQ(got.n, 6);
    return HY_OK;
}

static hy_err receives_have_deadlines(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0);
    reader_ref it;
    piece got = { 0 };
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_OK(HY_TELL(reader, wait, it, .n = 0));
    CHECK_OK(hy_sleep(HY_MS(20)));
    SOFT_OK(HY_ASK(reader, sum, it, 0, &got, .n = 3));
    SOFT_EQ(got.n, 3);
    SOFT_ERR(story->timed, HY_TIMEOUT);
    return HY_OK;
}

static hy_err thens_run_between_receives(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0);
    reader_ref it;
    piece got = { 0 };
    (void)reader_open(1);
    SOFT_OK(reader_spawn(node, story, HY_NOBODY, HY_TEMPORARY, &it));
    SOFT_OK(HY_SPAWN(reader, node, HY_NOBODY, &other_type, NULL, NULL, &story->other));
    SOFT_OK(HY_TELL(reader, add, it, .n = 4));
    SOFT_OK(HY_TELL(reader, later, it, .n = 10));
    while (story->then_sum == 0) {
        SOFT_OK(HY_ASK(reader, sum, it, 0, &got, .n = 0));
        CHECK_OK(hy_sleep(HY_MS(1)));
    }
    CHECK_EQ(story->then_sum, 14);
    return HY_OK;
}

static hy_err failing_ends_the_fiber(hy_node *node, void *unused) {
    (void)unused;
    reader_story *story = reader_open(0);
    reader_ref it;
    piece got = { 0 };
    hy_ref top;
    SOFT_OK(hy_spawn_actor(node, HY_NOBODY, &hy_supervisor_type, NULL, NULL, &top));
    SOFT_OK(reader_spawn(node, story, top, HY_PERMANENT, &it));
    SOFT_OK(HY_TELL(reader, fall, it, .n = 0));
    SOFT_OK(HY_TELL(reader, add, it, .n = 4));
    SOFT_OK(HY_ASK(reader, sum, it, 0, &got, .n = 0));
    SOFT_EQ(got.n, 4);
    SOFT_EQ(story->starts, 2);
    return HY_OK;
}

NODE_SIM(receives_have_deadlines)
NODE_SIM(thens_run_between_receives)
NODE_ALL(failing_ends_the_fiber)
NODE_ALL(messages_are_received_in_order)
NODE_ALL(what_is_not_answered_says_so)
NODE_ALL(stop_closes_the_receive)
NODE_ALL(kill_cancels_the_receive)
NODE_ALL(returning_ends_or_fails)
NODE_ALL(fiber_actors_ask_each_other)

KIT_TESTS(KIT_TEST(sim_receives_have_deadlines), KIT_TEST(sim_thens_run_between_receives),
          KIT_TEST(sim_failing_ends_the_fiber), KIT_TEST_ONCE(one_failing_ends_the_fiber),
          KIT_TEST_ONCE(two_failing_ends_the_fiber), KIT_TEST(sim_messages_are_received_in_order),
          KIT_TEST_ONCE(one_messages_are_received_in_order),
          KIT_TEST_ONCE(two_messages_are_received_in_order),
          KIT_TEST(sim_what_is_not_answered_says_so),
          KIT_TEST_ONCE(one_what_is_not_answered_says_so),
          KIT_TEST_ONCE(two_what_is_not_answered_says_so), KIT_TEST(sim_stop_closes_the_receive),
          KIT_TEST_ONCE(one_stop_closes_the_receive), KIT_TEST_ONCE(two_stop_closes_the_receive),
          KIT_TEST(sim_kill_cancels_the_receive), KIT_TEST_ONCE(one_kill_cancels_the_receive),
          KIT_TEST_ONCE(two_kill_cancels_the_receive), KIT_TEST(sim_returning_ends_or_fails),
          KIT_TEST_ONCE(one_returning_ends_or_fails), KIT_TEST_ONCE(two_returning_ends_or_fails),
          KIT_TEST(sim_fiber_actors_ask_each_other), KIT_TEST_ONCE(one_fiber_actors_ask_each_other),
          KIT_TEST_ONCE(two_fiber_actors_ask_each_other))
