// alarm_test.c - messages to oneself: when they come, and that they do not come.
//
// A tower sets alarms as it is told and counts what rings. That it is never early holds in every
// world, and is checked in its handler; when exactly it rings only a simulated clock can say, so
// tests that count on that run there alone, and the others wait until it has rung.
#include "kit/kit.h"
#include "actor/alarm.h"
#include "actor/ask.h"
#include "actor/node_suite.h"
#include "actor/soft_suite.h"

#define BELL(F) F(1, u64, n)
HY_RECORD(bell, BELL)
HY_RECORD_DEFINE(bell, BELL)
#define WISH(F)                                                                                    \
    F(1, u64, after)                                                                               \
    F(2, u64, every)                                                                               \
    F(3, u64, n)
HY_RECORD(wish, WISH)
HY_RECORD_DEFINE(wish, WISH)
#define HEARD(F)                                                                                   \
    F(1, u64, count)                                                                               \
    F(2, u64, sum)                                                                                 \
    F(3, u64, at)                                                                                  \
    F(4, u32, alarms)
HY_RECORD(heard, HEARD)
HY_RECORD_DEFINE(heard, HEARD)
#define NOTE(F) F(1, str, text)
HY_RECORD(note, NOTE)
HY_RECORD_DEFINE(note, NOTE)

#define TOWER(TELL, ASK, x)                                                                        \
    TELL(x, 1, ring, bell)                                                                         \
    TELL(x, 2, set, wish)                                                                          \
    TELL(x, 3, stop, bell)                                                                         \
    ASK(x, 4, tell, bell, heard)                                                                   \
    TELL(x, 5, nap, bell)                                                                          \
    TELL(x, 6, stop_late, bell)                                                                    \
    TELL(x, 7, word, note)                                                                         \
    TELL(x, 8, say, wish)                                                                          \
    TELL(x, 9, fail, bell)
HY_PROTOCOL(tower, TOWER);
HY_PROTOCOL_DEFINE(tower, TOWER);

typedef struct tower_state {
    heard heard;
    hy_alarm alarm;
    hy_ns expected;
} tower_state;
HY_BEHAVIOUR(tower, TOWER, tower, tower_state);

static hy_err tower_on_ring(hy_actor *self, tower_state *state, const bell *message) {
    hy_ns now = hy_world_now(hy_actor_world(self));
    CHECK(now >= state->expected); // never early
    state->heard.count++;
    state->heard.sum += message->n;
    state->heard.at = (uint64_t)now;
    return HY_OK;
}

static hy_err tower_on_set(hy_actor *self, tower_state *state, const wish *message) {
    state->expected = hy_world_now(hy_actor_world(self)) + (hy_ns)message->after;
    return HY_AFTER(tower, ring, self, (hy_ns)message->after, (hy_ns)message->every, &state->alarm,
                    .n = message->n);
}

static hy_err tower_on_stop(hy_actor *self, tower_state *state, const bell *message) {
    (void)message;
    hy_alarm_stop(self, state->alarm);
    hy_alarm_stop(self, state->alarm);
    return HY_OK;
}

static hy_err tower_on_tell(hy_actor *self, tower_state *state, const bell *message,
                            heard *out_reply) {
    (void)message;
    *out_reply = state->heard;
    out_reply->alarms = hyi_alarms_count(self);
    return HY_OK;
}

static hy_err tower_on_nap(hy_actor *self, tower_state *state, const bell *message) {
    (void)self, (void)state;
    return hy_sleep((hy_ns)message->n);
}

// Sleeps until the alarm's message is in the mailbox for sure, then stops it.
static hy_err tower_on_stop_late(hy_actor *self, tower_state *state, const bell *message) {
    hy_err err = hy_sleep((hy_ns)message->n);
    hy_alarm_stop(self, state->alarm);
    return err;
}

static hy_err tower_on_word(hy_actor *self, tower_state *state, const note *message) {
    (void)self;
    CHECK_TEXT(message->text, "ding");
    state->heard.count++;
    return HY_OK;
}

static hy_err tower_on_say(hy_actor *self, tower_state *state, const wish *message) {
    char text[] = "ding";
    hy_err err = HY_AFTER(tower, word, self, (hy_ns)message->after, (hy_ns)message->every,
                          &state->alarm, .text = hy_bytes_of(text));
    text[0] = 'x'; // it was copied
    return err;
}

static hy_err tower_on_fail(hy_actor *self, tower_state *state, const bell *message) {
    (void)self, (void)state, (void)message;
    return HY_INVARIANT;
}

static const hy_actor_type tower_type = { .name = "tower",
                                          .first = &tower_behaviour,
                                          .state_size = sizeof(tower_state) };

static hy_err tower_spawn(hy_node *node, tower_ref *out_ref) {
    return HY_SPAWN(tower, node, HY_NOBODY, &tower_type, NULL, NULL, out_ref);
}

// ---- tests ------------------------------------------------------------------------------------

// Until it has rung so often. A real clock may take its time.
static hy_err tower_has_rung(tower_ref tower, uint64_t count, heard *out_heard) {
    for (;;) {
        SOFT_OK(HY_ASK(tower, tell, tower, 0, out_heard, .n = 0));
        if (out_heard->count >= count) return HY_OK;
        if (kit_failed_allocation()) return HY_NOMEM;
        CHECK_OK(hy_sleep(HY_MS(1)));
    }
}

static hy_err once_rings_once(hy_node *node, void *unused) {
    (void)unused;
    tower_ref tower;
    heard got = { 0 };
    SOFT_OK(tower_spawn(node, &tower));
    SOFT_OK(HY_TELL(tower, set, tower, .after = (uint64_t)HY_MS(10), .n = 5));
    CHECK_OK(tower_has_rung(tower, 1, &got));
    CHECK_OK(hy_sleep(HY_MS(20)));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    SOFT_EQ(got.count, 1);
    SOFT_EQ(got.sum, 5);
    SOFT_EQ(got.alarms, 0);
    return HY_OK;
}

static hy_err every_rings_until_stopped(hy_node *node, void *unused) {
    (void)unused;
    tower_ref tower;
    heard got = { 0 };
    SOFT_OK(tower_spawn(node, &tower));
    SOFT_OK(HY_TELL(tower, set, tower, .after = (uint64_t)HY_MS(2), .every = (uint64_t)HY_MS(2),
                    .n = 1));
    CHECK_OK(tower_has_rung(tower, 5, &got));
    SOFT_EQ(got.alarms, 1);
    SOFT_OK(HY_TELL(tower, stop, tower, .n = 0));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    SOFT_EQ(got.alarms, 0);
    uint64_t count = got.count;
    CHECK_OK(hy_sleep(HY_MS(20)));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    SOFT_EQ(got.count, count);
    return HY_OK;
}

// In virtual time they come when they should.
static hy_err rings_are_in_time(hy_node *node, void *unused) {
    (void)unused;
    tower_ref tower;
    heard got = { 0 };
    SOFT_OK(tower_spawn(node, &tower));
    SOFT_OK(HY_TELL(tower, set, tower, .after = (uint64_t)HY_MS(10), .every = (uint64_t)HY_MS(10),
                    .n = 1));
    CHECK_OK(hy_sleep(HY_MS(106)));
    SOFT_OK(HY_TELL(tower, stop, tower, .n = 0));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    CHECK(kit_failed_allocation() || (got.count >= 9 && got.count <= 10));
    return HY_OK;
}

static hy_err at_most_one_of_them_waits(hy_node *node, void *unused) {
    (void)unused;
    tower_ref tower;
    heard got = { 0 };
    SOFT_OK(tower_spawn(node, &tower));
    SOFT_OK(HY_TELL(tower, set, tower, .after = (uint64_t)HY_MS(2), .every = (uint64_t)HY_MS(2),
                    .n = 1));
    SOFT_OK(HY_TELL(tower, nap, tower, .n = (uint64_t)HY_MS(100)));
    SOFT_OK(HY_TELL(tower, stop, tower, .n = 0));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    CHECK(got.count <= 1); // the one that waited came before `stop`
    return HY_OK;
}

static hy_err stop_is_exact(hy_node *node, void *unused) {
    (void)unused;
    tower_ref tower;
    heard got = { 0 };
    SOFT_OK(tower_spawn(node, &tower));
    SOFT_OK(HY_TELL(tower, set, tower, .after = (uint64_t)HY_MS(2), .n = 1));
    SOFT_OK(HY_TELL(tower, stop_late, tower, .n = (uint64_t)HY_MS(20)));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    SOFT_EQ(got.count, 0);
    SOFT_EQ(got.alarms, 0);
    SOFT_EQ(hy_node_account(node).dropped[HY_DROP_ALARM], 1);
    return HY_OK;
}

static hy_err alarms_die_with_their_start(hy_node *node, void *unused) {
    (void)unused;
    tower_ref tower;
    heard got = { 0 };
    SOFT_OK(HY_SPAWN(tower, node, HY_NOBODY, &tower_type, NULL, NULL, &tower));
    SOFT_OK(HY_TELL(tower, set, tower, .after = (uint64_t)HY_MS(2), .every = (uint64_t)HY_MS(2),
                    .n = 1));
    SOFT_OK(hy_sleep(HY_MS(20)));
    SOFT_OK(HY_TELL(tower, fail, tower, .n = 0));
    CHECK(hy_actor_wait_end(tower.ref, HY_NEVER) != HY_OK);
    SOFT_ERR(HY_ASK(tower, tell, tower, 0, &got, .n = 0), HY_NOT_FOUND);
    SOFT_OK(hy_sleep(HY_MS(20)));
    SOFT_EQ(hyi_here->wheel->count, 0);
    return HY_OK;
}

static hy_err texts_ring_too(hy_node *node, void *unused) {
    (void)unused;
    tower_ref tower;
    heard got = { 0 };
    SOFT_OK(tower_spawn(node, &tower));
    SOFT_OK(HY_TELL(tower, say, tower, .after = (uint64_t)HY_MS(2), .every = (uint64_t)HY_MS(2)));
    SOFT_OK(hy_sleep(HY_MS(21)));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    CHECK(kit_failed_allocation() || got.count >= 5);
    return HY_OK;
}

static hy_err full_mailbox_loses_no_alarm(hy_node *node, void *unused) {
    (void)unused;
    tower_ref tower;
    heard got = { 0 };
    SOFT_OK(HY_SPAWN(tower, node, HY_NOBODY, &tower_type, NULL,
                     HY_OPTIONS(hy_actor, .mailbox.capacity = 2), &tower));
    SOFT_OK(HY_TELL(tower, set, tower, .after = (uint64_t)HY_MS(2), .n = 1));
    SOFT_OK(HY_TELL(tower, nap, tower, .n = (uint64_t)HY_MS(20)));
    SOFT_OK(hy_sleep(HY_MS(1)));
    hy_err err = HY_OK;
    while (err == HY_OK) // until it is full
        err = HY_TELL(tower, nap, tower, .n = 0);
    SOFT_ERR(err, HY_LIMIT);
    SOFT_OK(hy_sleep(HY_MS(40)));
    SOFT_OK(HY_ASK(tower, tell, tower, 0, &got, .n = 0));
    SOFT_EQ(got.count, 1);
    return HY_OK;
}

NODE_ALL(once_rings_once)
NODE_ALL(every_rings_until_stopped)
NODE_ALL(at_most_one_of_them_waits)
NODE_ALL(texts_ring_too)
NODE_SIM(rings_are_in_time)
NODE_SIM(stop_is_exact)
NODE_SIM(alarms_die_with_their_start)
NODE_SIM(full_mailbox_loses_no_alarm)

KIT_TESTS(KIT_TEST(sim_once_rings_once), KIT_TEST_ONCE(one_once_rings_once),
          KIT_TEST_ONCE(two_once_rings_once), KIT_TEST(sim_every_rings_until_stopped),
          KIT_TEST_ONCE(one_every_rings_until_stopped),
          KIT_TEST_ONCE(two_every_rings_until_stopped), KIT_TEST(sim_at_most_one_of_them_waits),
          KIT_TEST_ONCE(one_at_most_one_of_them_waits),
          KIT_TEST_ONCE(two_at_most_one_of_them_waits), KIT_TEST(sim_texts_ring_too),
          KIT_TEST_ONCE(one_texts_ring_too), KIT_TEST_ONCE(two_texts_ring_too),
          KIT_TEST(sim_rings_are_in_time), KIT_TEST(sim_stop_is_exact),
          KIT_TEST(sim_alarms_die_with_their_start), KIT_TEST(sim_full_mailbox_loses_no_alarm))
