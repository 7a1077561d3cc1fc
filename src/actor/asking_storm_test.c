// asking_storm_test.c - actors that ask each other while they fail, end and are killed.
//
// A dozen actors do with each question what chance says: answer, ask another one and wait, ask and
// go on, promise and keep it or forget it, sleep, fail, end. Fibers ask them from outside, with
// short times and in scopes that are cancelled. Whatever happens:
//
//   - every ask ends, with an error that it may end with, and a reply is the one to this question
//   - a `then` runs at most once for each ask, and exactly once while its start lives
//   - when all is over no ask waits, nothing is armed, and the account holds (node_suite)
#include "kit/kit.h"
#include "actor/ask.h"
#include "actor/node_suite.h"

#include <stdatomic.h>

#define ACTORS 12u
#define ASKERS 6u
#define ROUNDS 60u
#define MAGIC 0x5851f42d4c957f2dull

#define STORM_QUESTION(F)                                                                          \
    F(1, u64, n)                                                                                   \
    F(2, u32, depth)
HY_RECORD(storm_question, STORM_QUESTION)
HY_RECORD_DEFINE(storm_question, STORM_QUESTION)
#define STORM_REPLY(F)                                                                             \
    F(1, u64, n)                                                                                   \
    F(2, str, text)
HY_RECORD(storm_reply, STORM_REPLY)
HY_RECORD_DEFINE(storm_reply, STORM_REPLY)

#define GALE(TELL, ASK, x)                                                                         \
    ASK(x, 1, ask, storm_question, storm_reply)                                                    \
    TELL(x, 2, keep, storm_question)
HY_PROTOCOL(gale, GALE);
HY_PROTOCOL_DEFINE(gale, GALE);

typedef struct gale_state {
    hy_asker asker; // promised; or of a `then` that is out
    uint64_t n;
    bool owes, asks;
} gale_state;
HY_BEHAVIOUR(gale, GALE, gale, gale_state);

// What all share: written by many threads.
static struct {
    _Atomic uint64_t refs[ACTORS];
    _Atomic uint64_t asked, ended, thens, thens_ended, by_err[HY_ERR_COUNT];
    _Atomic bool over;
} storm;

static gale_ref storm_pick(uint64_t dice) {
    return (gale_ref){ { atomic_load(&storm.refs[dice % ACTORS]) } };
}

static void storm_check(hy_err err, const storm_reply *reply, uint64_t n) {
    atomic_fetch_add(&storm.ended, 1);
    atomic_fetch_add(&storm.by_err[err], 1);
    switch (err) {
    case HY_OK:
        CHECK_EQ(reply->n, n ^ MAGIC);
        CHECK_TEXT(reply->text, "as asked");
        return;
    case HY_TIMEOUT:
    case HY_CLOSED:
    case HY_NOT_FOUND:
    case HY_LIMIT:
    case HY_DEADLOCK:
    case HY_CANCELLED:
    case HY_REJECT: return;
    default: CHECK_EQ(err, HY_OK);
    }
}

static hy_ns storm_timeout(uint64_t dice) {
    static const hy_ns timeouts[] = { 1, HY_US(300), HY_MS(2), HY_MS(9), HY_MS(40), 0 };
    return timeouts[dice % 6];
}

// ---- the actors -------------------------------------------------------------------------------

static void gale_answer(storm_reply *out_reply, uint64_t n) {
    out_reply->n = n ^ MAGIC;
    out_reply->text = HY_BYTES("as asked");
}

static hy_err gale_on_then(hy_actor *self, void *state_at, hy_err err, const void *reply) {
    (void)self;
    gale_state *state = (gale_state *)state_at;
    CHECK(state->asks); // once
    state->asks = false;
    atomic_fetch_add(&storm.thens_ended, 1);
    storm_check(err, (const storm_reply *)reply, state->n + 1);
    if (err == HY_OK) {
        storm_reply mine;
        gale_answer(&mine, state->n);
        HY_ANSWER(gale, ask, state->asker, .n = mine.n, .text = mine.text);
    } else {
        hy_answer_err(state->asker, HY_REJECT);
    }
    return HY_OK;
}

static hy_err gale_pass_on(hy_actor *self, const storm_question *message, storm_reply *out_reply,
                           uint64_t dice) {
    (void)self;
    storm_reply got = { 0 };
    atomic_fetch_add(&storm.asked, 1);
    hy_err err = HY_ASK(gale, ask, storm_pick(dice >> 8), storm_timeout(dice >> 16), &got,
                        .n = message->n + 1, .depth = message->depth + 1);
    storm_check(err, &got, message->n + 1);
    gale_answer(out_reply, message->n);
    return err == HY_OK ? HY_OK : HY_REJECT;
}

static hy_err gale_pass_then(hy_actor *self, gale_state *state, const storm_question *message,
                             uint64_t dice) {
    hy_err err = HY_ASK_THEN(gale, ask, self, storm_pick(dice >> 8), storm_timeout(dice >> 16),
                             gale_on_then, .n = message->n + 1, .depth = message->depth + 1);
    if (err) return HY_REJECT;
    atomic_fetch_add(&storm.asked, 1);
    atomic_fetch_add(&storm.thens, 1);
    state->asks = true;
    state->n = message->n;
    state->asker = hy_answer_later(self);
    return HY_OK;
}

static hy_err gale_promise(hy_actor *self, gale_state *state, const storm_question *message) {
    state->n = message->n;
    state->asker = hy_answer_later(self);
    state->owes = true;
    return HY_OK;
}

static hy_err gale_on_ask(hy_actor *self, gale_state *state, const storm_question *message,
                          storm_reply *out_reply) {
    uint64_t dice = hy_world_random(hy_actor_world(self));
    bool busy = state->asks || state->owes;
    gale_answer(out_reply, message->n);
    switch (dice % 16) {
    case 0: return HY_REJECT;
    case 1: hy_fail(self, HY_INVARIANT, "by chance");
    case 2: hy_actor_end(self); return HY_OK;
    case 3: return hy_sleep(storm_timeout(dice >> 8)) == HY_OK ? HY_OK : HY_REJECT;
    case 4:
    case 5:
    case 6:
    case 7: return message->depth < 10 ? gale_pass_on(self, message, out_reply, dice) : HY_OK;
    case 8:
    case 9:
    case 10: return busy ? HY_OK : gale_pass_then(self, state, message, dice);
    case 11:
    case 12: return busy ? HY_OK : gale_promise(self, state, message);
    case 13: (void)hy_answer_later(self); return HY_OK; // forgotten
    default: return HY_OK;
    }
}

static hy_err gale_on_keep(hy_actor *self, gale_state *state, const storm_question *message) {
    (void)self, (void)message;
    if (!state->owes) return HY_OK;
    state->owes = false;
    storm_reply mine;
    gale_answer(&mine, state->n);
    HY_ANSWER(gale, ask, state->asker, .n = mine.n, .text = mine.text);
    if (message->n % 3 == 0) hy_answer_err(state->asker, HY_REJECT); // a second one
    return HY_OK;
}

static const hy_actor_type gale_type = { .name = "gale",
                                         .first = &gale_behaviour,
                                         .state_size = sizeof(gale_state) };

static hy_err gale_spawn(hy_node *node, hy_ref top, uint32_t index) {
    gale_ref ref;
    hy_actor_options options = { .size = sizeof options,
                                 .restart = HY_PERMANENT,
                                 .restarts_max = UINT32_MAX,
                                 .backoff_min = HY_MS(1),
                                 .backoff_max = HY_MS(3),
                                 .mailbox.capacity = 8 };
    hy_err err = HY_SPAWN(gale, node, top, &gale_type, NULL, &options, &ref);
    if (err == HY_OK) atomic_store(&storm.refs[index], ref.ref.id);
    return err;
}

// ---- those outside ----------------------------------------------------------------------------

typedef struct asker_arg {
    uint64_t state, next;
} asker_arg;

static hy_err asker_once(asker_arg *arg) {
    uint64_t dice = kit_random(&arg->state), n = arg->next++;
    storm_reply got = { 0 };
    atomic_fetch_add(&storm.asked, 1);
    hy_err err = HY_ASK(gale, ask, storm_pick(dice), storm_timeout(dice >> 16), &got, .n = n);
    storm_check(err, &got, n);
    return HY_OK;
}

static hy_err asker_run(void *asker_at) {
    asker_arg *arg = (asker_arg *)asker_at;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t dice = kit_random(&arg->state);
        hy_err err = HY_OK;
        HY_SCOPE(scope, &err, .name = "storm", .timeout = storm_timeout(dice)) {
            err = asker_once(arg);
            if (dice % 7 == 0) hy_scope_cancel(scope, HY_CANCELLED);
            if (dice % 3 == 0) err = asker_once(arg);
        }
        if (dice % 5 == 0) err = hy_sleep(storm_timeout(dice >> 8));
    }
    return HY_OK;
}

typedef struct wind_arg {
    hy_node *node;
    hy_ref top;
    uint64_t state;
} wind_arg;

// Kills, stops, replaces; and reminds of promises.
static hy_err wind_run(void *wind_at) {
    wind_arg *arg = (wind_arg *)wind_at;
    while (!atomic_load(&storm.over)) {
        uint64_t dice = kit_random(&arg->state);
        uint32_t index = (uint32_t)(dice >> 8) % ACTORS;
        gale_ref ref = storm_pick(index);
        hy_err err = HY_OK;
        if (dice % 8 == 0) hy_actor_kill(ref.ref);
        if (dice % 8 == 1) hy_actor_stop(ref.ref);
        if (dice % 8 > 3) err = HY_TELL(gale, keep, ref, .n = dice);
        if (!hy_actor_is_alive(ref.ref)) err = gale_spawn(arg->node, arg->top, index);
        if (err != HY_OK && err != HY_NOT_FOUND && err != HY_LIMIT) return err;
        err = hy_sleep(storm_timeout(dice >> 40 | 2));
        if (err) return err;
    }
    return HY_OK;
}

static hy_err storm_rages(hy_node *node, wind_arg *wind) {
    asker_arg askers[ASKERS];
    hy_err err = HY_OK;
    HY_SCOPE(all, &err, .name = "all") {
        err = hy_spawn(all, wind_run, wind, NULL, NULL);
        hy_err inner = HY_OK;
        HY_SCOPE(scope, &inner, .name = "askers") {
            for (uint32_t i = 0; i < ASKERS && inner == HY_OK; i++) {
                askers[i] = (asker_arg){ kit_random(&wind->state), (uint64_t)i << 32 };
                inner = hy_spawn(scope, asker_run, &askers[i], NULL, NULL);
            }
        }
        atomic_store(&storm.over, true);
        if (err == HY_OK) err = inner;
    }
    (void)node;
    return err;
}

static hy_err storms_pass(hy_node *node, void *number) {
    uint64_t seed = kit_seed() + (number ? *(const uint32_t *)number * MAGIC : 0);
    wind_arg wind = { .node = node, .state = seed };
    atomic_store(&storm.over, false);
    atomic_store(&storm.asked, 0), atomic_store(&storm.ended, 0);
    atomic_store(&storm.thens, 0), atomic_store(&storm.thens_ended, 0);
    hy_actor_options options = { .size = sizeof options, .children_restarts_max = 0 };
    CHECK_OK(hy_spawn_actor(node, HY_NOBODY, &hy_supervisor_type, NULL, &options, &wind.top));
    for (uint32_t i = 0; i < ACTORS; i++)
        CHECK_OK(gale_spawn(node, wind.top, i));
    CHECK_OK(storm_rages(node, &wind));
    hy_actor_stop(wind.top);
    hy_err err = hy_actor_wait_end(wind.top, HY_NEVER);
    CHECK(err == HY_OK);
    // All asks of fibers and handlers have ended; of `then`s those whose start went are forgotten.
    CHECK_EQ(atomic_load(&storm.asked) - atomic_load(&storm.thens),
             atomic_load(&storm.ended) - atomic_load(&storm.thens_ended));
    CHECK(atomic_load(&storm.thens_ended) <= atomic_load(&storm.thens));
    return HY_OK;
}

static uint64_t storm_digest; // of the latest simulated world

// Of a simulated world the only worker's slots and wheel may be looked at, when all timeouts have
// passed.
static hy_err nothing_is_left(hy_node *node, void *number) {
    CHECK_OK(storms_pass(node, number));
    CHECK_OK(hy_sleep(HY_SECONDS(6)));
    CHECK_EQ(hyi_here->asks->count, 0);
    CHECK_EQ(hyi_here->wheel->count, 0);
    storm_digest = hy_sim_digest(hy_scope_world(hy_scope_current()));
    return HY_OK;
}

static hy_err storms_pass_in_many_worlds(hy_mem *mem) {
    for (uint32_t i = 0; i < 20; i++)
        CHECK_OK(node_in_sim(mem, NULL, nothing_is_left, &i));
    return HY_OK;
}

static hy_err equal_seeds_give_equal_storms(hy_mem *mem) {
    uint32_t number = 3;
    CHECK_OK(node_in_sim(mem, NULL, nothing_is_left, &number));
    uint64_t first = storm_digest;
    CHECK_OK(node_in_sim(mem, NULL, nothing_is_left, &number));
    CHECK_EQ(storm_digest, first);
    number = 4;
    CHECK_OK(node_in_sim(mem, NULL, nothing_is_left, &number));
    CHECK(storm_digest != first);
    return HY_OK;
}

NODE_REAL(storms_pass)

KIT_TESTS(KIT_TEST_ONCE(equal_seeds_give_equal_storms), KIT_TEST_ONCE(storms_pass_in_many_worlds),
          KIT_TEST_ONCE(one_storms_pass), KIT_TEST_ONCE(two_storms_pass))
