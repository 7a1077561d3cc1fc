// ask_test.c - what an ask ends with, whatever becomes of the one that is asked.
//
// One kind of actor that does with a question all that can be done with it: answers, refuses,
// promises, passes on, stashes, takes it, fails, ends. The tests ask it from fibers, from handlers
// that wait and from handlers that do not, in the simulated world and in the real one. Limits of
// time that are to pass are short; those that are not to are far more than a slow machine needs.
#include "kit/kit.h"
#include "actor/ask.h"
#include "actor/node_suite.h"
#include "actor/soft_suite.h"

#include <string.h>

#define NUMBER(F) F(1, u64, n)
HY_RECORD(number, NUMBER)
HY_RECORD_DEFINE(number, NUMBER)
#define SENTENCE(F)                                                                                \
    F(1, str, text)                                                                                \
    F(2, list(str), words)
HY_RECORD(sentence, SENTENCE)
HY_RECORD_DEFINE(sentence, SENTENCE)
#define TARGET(F)                                                                                  \
    F(1, u64, to)                                                                                  \
    F(2, u64, timeout)
HY_RECORD(target, TARGET)
HY_RECORD_DEFINE(target, TARGET)
#define RESULT(F)                                                                                  \
    F(1, u32, err)                                                                                 \
    F(2, u64, n)
HY_RECORD(result, RESULT)
HY_RECORD_DEFINE(result, RESULT)

// One that does all that can be done with a question.
#define ODD(TELL, ASK, x)                                                                          \
    ASK(x, 1, twice, number, number)     /* answers */                                             \
    ASK(x, 2, refuse, number, number)    /* answers with an error */                               \
    ASK(x, 3, promise, number, number)   /* answers when it is told to */                          \
    TELL(x, 4, keep, number)             /* answers all promises, twice, with this */              \
    ASK(x, 5, speak, sentence, sentence) /* answers with more than it was given */                 \
    ASK(x, 6, pass, target, result)      /* asks another one, and waits */                         \
    ASK(x, 7, pass_then, target, result) /* asks another one, and does not wait */                 \
    ASK(x, 8, die, number, number)       /* fails */                                               \
    ASK(x, 9, stash, number, number)     /* answers after `keep` */                                \
    ASK(x, 10, take, number, number)     /* takes the message, and answers */                      \
    TELL(x, 11, set, target)             /* whom `ring` asks */                                    \
    ASK(x, 12, ring, number, number)     /* the next one's answer */                               \
    ASK(x, 13, sleep, number, number)    /* answers after so many ms */                            \
    ASK(x, 14, unknown, number, number)  /* has no handler */                                      \
    ASK(x, 15, left, number, number)     /* the time left of its scope, in ms */                   \
    TELL(x, 16, then_fail, target)       /* asks another one; its `then` fails */                  \
    TELL(x, 17, nap, number)             /* sleeps so many ms */
HY_PROTOCOL(odd, ODD);
HY_PROTOCOL_DEFINE(odd, ODD);

#define HANDLED(TELL, ASK, x)                                                                      \
    ASK(x, 1, twice, number, number)                                                               \
    ASK(x, 2, refuse, number, number)                                                              \
    ASK(x, 3, promise, number, number)                                                             \
    TELL(x, 4, keep, number)                                                                       \
    ASK(x, 5, speak, sentence, sentence)                                                           \
    ASK(x, 6, pass, target, result)                                                                \
    ASK(x, 7, pass_then, target, result)                                                           \
    ASK(x, 8, die, number, number)                                                                 \
    ASK(x, 9, stash, number, number)                                                               \
    ASK(x, 10, take, number, number)                                                               \
    TELL(x, 11, set, target)                                                                       \
    ASK(x, 12, ring, number, number)                                                               \
    ASK(x, 13, sleep, number, number)                                                              \
    ASK(x, 15, left, number, number)                                                               \
    TELL(x, 16, then_fail, target)                                                                 \
    TELL(x, 17, nap, number)

static hy_asker handed_out; // of `promise` of 77

typedef struct odd_state {
    hy_asker promised[8];
    uint32_t count;
    hy_asker passed;
    odd_ref next;
    hy_ns timeout;
    bool open;
} odd_state;
HY_BEHAVIOUR(odd, HANDLED, odd, odd_state);

static hy_err odd_on_twice(hy_actor *self, odd_state *state, const number *message,
                           number *out_reply) {
    (void)self, (void)state;
    out_reply->n = message->n * 2;
    return HY_OK;
}

static hy_err odd_on_refuse(hy_actor *self, odd_state *state, const number *message,
                            number *out_reply) {
    (void)self, (void)state, (void)out_reply;
    return message->n ? HY_REJECT : HY_EXISTS;
}

static hy_err odd_on_promise(hy_actor *self, odd_state *state, const number *message,
                             number *out_reply) {
    (void)out_reply;
    hy_asker asker = hy_answer_later(self);
    state->promised[state->count++ % 8] = asker;
    if (message->n == 77) handed_out = asker;
    return HY_OK;
}

static hy_err odd_on_keep(hy_actor *self, odd_state *state, const number *message) {
    for (uint32_t i = 0; i < state->count; i++) {
        HY_ANSWER(odd, promise, state->promised[i], .n = message->n);
        HY_ANSWER(odd, promise, state->promised[i], .n = 0);
    }
    state->count = 0;
    state->open = true;
    hy_unstash(self);
    return HY_OK;
}

static hy_err odd_on_speak(hy_actor *self, odd_state *state, const sentence *message,
                           sentence *out_reply) {
    (void)state;
    hy_text *words = (hy_text *)hy_turn_alloc(self, (message->words.len + 1) * sizeof(hy_text));
    for (size_t i = 0; i < message->words.len; i++)
        words[i + 1] = message->words.ptr[i];
    words[0] = message->text;
    out_reply->text = HY_BYTES("heard");
    out_reply->words.ptr = words;
    out_reply->words.len = message->words.len + 1;
    return HY_OK;
}

static hy_err odd_on_pass(hy_actor *self, odd_state *state, const target *message,
                          result *out_reply) {
    (void)self, (void)state;
    number reply = { 0 };
    odd_ref to = { { message->to } };
    out_reply->err = (uint32_t)HY_ASK(odd, twice, to, (hy_ns)message->timeout, &reply, .n = 21);
    out_reply->n = reply.n;
    return out_reply->err == HY_NOMEM ? HY_NOMEM : HY_OK;
}

static hy_err odd_passed(hy_actor *self, void *state_at, hy_err err, const void *reply) {
    (void)self;
    odd_state *state = (odd_state *)state_at;
    CHECK((reply != NULL) == (err == HY_OK));
    HY_ANSWER(odd, pass_then, state->passed, .err = (uint32_t)err,
              .n = reply ? ((const number *)reply)->n : 0);
    return HY_OK;
}

static hy_err odd_on_pass_then(hy_actor *self, odd_state *state, const target *message,
                               result *out_reply) {
    (void)out_reply;
    odd_ref to = { { message->to } };
    hy_err err = HY_ASK_THEN(odd, promise, self, to, (hy_ns)message->timeout, odd_passed, .n = 0);
    if (err) return err;
    state->passed = hy_answer_later(self);
    return HY_OK;
}

static hy_err odd_on_die(hy_actor *self, odd_state *state, const number *message,
                         number *out_reply) {
    (void)state, (void)out_reply;
    if (message->n == 0) hy_fail(self, HY_INVARIANT, "asked to");
    hy_actor_end(self);
    (void)hy_answer_later(self); // and never answers
    return HY_OK;
}

static hy_err odd_on_stash(hy_actor *self, odd_state *state, const number *message,
                           number *out_reply) {
    out_reply->n = message->n + 1;
    return state->open ? HY_OK : hy_stash(self, message);
}

static hy_err odd_on_take(hy_actor *self, odd_state *state, const number *message,
                          number *out_reply) {
    (void)state;
    number *mine = (number *)hy_message_take(self, message);
    if (!mine) return HY_NOMEM;
    out_reply->n = mine->n + 7;
    hy_message_drop(mine);
    return HY_OK;
}

static hy_err odd_on_set(hy_actor *self, odd_state *state, const target *message) {
    (void)self;
    state->next = (odd_ref){ { message->to } };
    state->timeout = (hy_ns)message->timeout;
    return HY_OK;
}

static hy_err odd_on_ring(hy_actor *self, odd_state *state, const number *message,
                          number *out_reply) {
    (void)self;
    return HY_ASK(odd, ring, state->next, state->timeout, out_reply, .n = message->n + 1);
}

static hy_err odd_on_sleep(hy_actor *self, odd_state *state, const number *message,
                           number *out_reply) {
    (void)self, (void)state;
    *out_reply = *message;
    return hy_sleep(HY_MS((hy_ns)message->n));
}

static hy_err odd_on_nap(hy_actor *self, odd_state *state, const number *message) {
    (void)self, (void)state;
    return hy_sleep(HY_MS((hy_ns)message->n));
}

static hy_err odd_on_left(hy_actor *self, odd_state *state, const number *message,
                          number *out_reply) {
    (void)state, (void)message;
    hy_ns deadline = hy_scope_deadline(hy_scope_current());
    if (deadline == HY_NEVER) return HY_OK;
    out_reply->n = (uint64_t)((deadline - hy_world_now(hy_actor_world(self))) / HY_MS(1));
    return HY_OK;
}

static hy_err odd_then_returns(hy_actor *self, void *state, hy_err err, const void *reply) {
    (void)self, (void)state, (void)reply;
    return err ? err : HY_INVARIANT;
}
static hy_err odd_then_falls(hy_actor *self, void *state, hy_err err, const void *reply) {
    (void)state, (void)reply;
    hy_fail(self, err ? err : HY_IO, "in then");
}

static hy_err odd_on_then_fail(hy_actor *self, odd_state *state, const target *message) {
    (void)state;
    odd_ref to = { { message->to } };
    hy_text words[1] = { HY_BYTES("word") };
    return HY_ASK_THEN(odd, speak, self, to, 0,
                       message->timeout ? odd_then_falls : odd_then_returns,
                       .text = HY_BYTES("text"), .words = { .ptr = words, .len = 1 });
}

static const hy_actor_type odd_type = { .name = "odd",
                                        .first = &odd_behaviour,
                                        .state_size = sizeof(odd_state) };

static hy_err odd_spawn(hy_node *node, odd_ref *out_ref) {
    return HY_SPAWN(odd, node, HY_NOBODY, &odd_type, NULL, NULL, out_ref);
}

// ---- ends -------------------------------------------------------------------------------------

static hy_err replies_arrive(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    number reply = { 0 };
    SOFT_OK(odd_spawn(node, &odd));
    for (uint64_t i = 0; i < 5; i++) {
        SOFT_OK(HY_ASK(odd, twice, odd, 0, &reply, .n = i));
        SOFT_EQ(reply.n, 2 * i);
    }
    SOFT_ERR(HY_ASK(odd, refuse, odd, 0, &reply, .n = 1), HY_REJECT);
    SOFT_ERR(HY_ASK(odd, refuse, odd, 0, &reply, .n = 0), HY_EXISTS);
    SOFT_ERR(HY_ASK(odd, unknown, odd, 0, &reply, .n = 0), HY_UNSUPPORTED);
    SOFT_OK(HY_ASK(odd, take, odd, 0, &reply, .n = 1));
    SOFT_EQ(reply.n, 8);
    return HY_OK;
}

static hy_err texts_and_lists_are_copied(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    SOFT_OK(odd_spawn(node, &odd));
    hy_text words[2] = { HY_BYTES("so"), HY_BYTES("what") };
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "talk") {
        sentence reply = { .text = { NULL, 0 } };
        err = HY_ASK(odd, speak, odd, 0, &reply, .text = HY_BYTES("and"),
                     .words = { .ptr = words, .len = 2 });
        if (err == HY_CLOSED && kit_failed_allocation()) err = HY_NOMEM; // of the one that answers
        if (err) break;
        CHECK_TEXT(reply.text, "heard");
        SOFT_EQ(reply.words.len, 3);
        CHECK_TEXT(reply.words.ptr[0], "and");
        CHECK_TEXT(reply.words.ptr[2], "what");
    }
    return err;
}

static hy_err nobody_and_full_ones_refuse(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd, nobody = { HY_NOBODY };
    number reply = { 0 };
    SOFT_ERR(HY_ASK(odd, twice, nobody, 0, &reply, .n = 1), HY_NOT_FOUND);
    SOFT_OK(HY_SPAWN(odd, node, HY_NOBODY, &odd_type, NULL,
                     HY_OPTIONS(hy_actor, .mailbox.capacity = 1), &odd));
    SOFT_OK(hy_actor_wait_ready(odd.ref, HY_NEVER));
    SOFT_OK(HY_TELL(odd, keep, odd, .n = 1)); // it does not run before we wait
    SOFT_ERR(HY_ASK(odd, twice, odd, 0, &reply, .n = 1), HY_LIMIT);
    hy_actor_kill(odd.ref);
    hy_err ended = hy_actor_wait_end(odd.ref, HY_NEVER);
    CHECK(ended == HY_OK || ended == HY_CANCELLED || ended == HY_NOMEM);
    SOFT_ERR(HY_ASK(odd, twice, odd, 0, &reply, .n = 1), HY_NOT_FOUND);
    return HY_OK;
}

// Waiting for room is a part of the time that an ask has.
static hy_err waiting_for_room_counts(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    number reply = { 0 };
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_mailbox_options waits = { .capacity = 1, .full = HY_FULL_WAIT };
    SOFT_OK(HY_SPAWN(odd, node, HY_NOBODY, &odd_type, NULL, HY_OPTIONS(hy_actor, .mailbox = waits),
                     &odd));
    SOFT_OK(hy_actor_wait_ready(odd.ref, HY_NEVER));
    SOFT_OK(HY_TELL(odd, nap, odd, .n = 100)); // for so many ms
    hy_ns before = hy_world_now(world);
    hy_err err = HY_ASK(odd, twice, odd, HY_MS(10), &reply, .n = 1);
    CHECK(err == HY_LIMIT || err == HY_TIMEOUT || kit_failed_allocation());
    CHECK(hy_world_now(world) < before + HY_MS(50));
    SOFT_OK(HY_ASK(odd, twice, odd, HY_SECONDS(10), &reply, .n = 3)); // there is room in time
    SOFT_EQ(reply.n, 6);
    return HY_OK;
}

// On their way from another worker they may take a moment.
static hy_err answers_are_dropped(hy_node *node, uint64_t count) {
    while (hy_node_account(node).dropped[HY_DROP_ANSWER] < count) {
        if (kit_failed_allocation()) return HY_NOMEM;
        hy_err err = hy_sleep(HY_MS(1));
        if (err) return err;
    }
    CHECK_EQ(hy_node_account(node).dropped[HY_DROP_ANSWER], count);
    return HY_OK;
}

static hy_err dropped_questions_say_so(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    number reply = { 0 };
    hy_mailbox_options drop_new = { .capacity = 1, .full = HY_FULL_DROP_NEW };
    SOFT_OK(HY_SPAWN(odd, node, HY_NOBODY, &odd_type, NULL,
                     HY_OPTIONS(hy_actor, .mailbox = drop_new), &odd));
    SOFT_OK(hy_actor_wait_ready(odd.ref, HY_NEVER));
    SOFT_OK(HY_TELL(odd, keep, odd, .n = 1)); // it does not run before we wait
    SOFT_ERR(HY_ASK(odd, twice, odd, HY_SECONDS(99), &reply, .n = 1), HY_LIMIT);
    return HY_OK;
}

static hy_err time_runs_out(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    number reply = { 0 };
    SOFT_OK(odd_spawn(node, &odd));
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_ns before = hy_world_now(world);
    SOFT_ERR(HY_ASK(odd, promise, odd, HY_MS(20), &reply, .n = 1), HY_TIMEOUT);
    CHECK(hy_world_now(world) >= before + HY_MS(20));
    SOFT_OK(HY_TELL(odd, keep, odd, .n = 1)); // late, and twice
    SOFT_OK(HY_ASK(odd, twice, odd, 0, &reply, .n = 4));
    SOFT_EQ(reply.n, 8);
    return answers_are_dropped(node, 2);
}

static hy_err keep_soon(void *odd_arg) {
    odd_ref *odd = (odd_ref *)odd_arg;
    hy_err err = hy_sleep(HY_MS(3));
    return err ? err : HY_TELL(odd, keep, *odd, .n = 9);
}

static hy_err kill_soon(void *odd_arg) {
    hy_err err = hy_sleep(HY_MS(3));
    hy_actor_kill(((odd_ref *)odd_arg)->ref);
    return err;
}

static hy_err promises_are_kept_once(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    SOFT_OK(odd_spawn(node, &odd));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "promise") {
        number reply = { 0 };
        err = hy_spawn(scope, keep_soon, &odd, NULL, NULL);
        if (err) break;
        err = HY_ASK(odd, promise, odd, 0, &reply, .n = 1);
        if (err) break;
        SOFT_EQ(reply.n, 9);
    }
    SOFT_OK(err);
    return answers_are_dropped(node, 1);
}

static hy_err stashed_questions_are_answered(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    SOFT_OK(odd_spawn(node, &odd));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "stash") {
        number reply = { 0 };
        err = hy_spawn(scope, keep_soon, &odd, NULL, NULL);
        if (err) break;
        err = HY_ASK(odd, stash, odd, 0, &reply, .n = 1);
        if (err) break;
        SOFT_EQ(reply.n, 2);
    }
    return err;
}

static hy_err the_dying_say_so(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    number reply = { 0 };
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_ns before = hy_world_now(world);
    SOFT_OK(odd_spawn(node, &odd));
    SOFT_ERR(HY_ASK(odd, die, odd, HY_SECONDS(100), &reply, .n = 0), HY_CLOSED);
    SOFT_OK(odd_spawn(node, &odd));
    SOFT_ERR(HY_ASK(odd, die, odd, HY_SECONDS(100), &reply, .n = 1), HY_CLOSED);
    SOFT_OK(odd_spawn(node, &odd));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "kill") {
        err = hy_spawn(scope, kill_soon, &odd, NULL, NULL);
        if (err) break;
        err = HY_ASK(odd, promise, odd, HY_SECONDS(100), &reply, .n = 1);
    }
    SOFT_ERR(err, HY_CLOSED);
    SOFT_OK(odd_spawn(node, &odd));
    HY_SCOPE(scope, &err, .name = "kill a waiting one") {
        err = hy_spawn(scope, kill_soon, &odd, NULL, NULL);
        if (err) break;
        err = HY_ASK(odd, sleep, odd, HY_SECONDS(100), &reply, .n = 90000);
    }
    CHECK(err != HY_OK);
    if (err == HY_NOMEM) return err;
    CHECK(hy_world_now(world) < before + HY_SECONDS(60)); // at once
    return HY_OK;
}

static hy_err cancelled_asks_leave_nothing(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    number reply = { 0 };
    SOFT_OK(odd_spawn(node, &odd));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "short", .timeout = HY_MS(5)) {
        err = HY_ASK(odd, promise, odd, 0, &reply, .n = 1);
    }
    if (err == HY_CLOSED && kit_failed_allocation()) return HY_NOMEM;
    SOFT_ERR(err, HY_TIMEOUT);
    SOFT_OK(HY_TELL(odd, keep, odd, .n = 1));
    SOFT_OK(HY_ASK(odd, twice, odd, 0, &reply, .n = 4));
    SOFT_EQ(hyi_here->asks->count, 0);
    SOFT_EQ(hyi_here->wheel->count, 0);
    return HY_OK;
}

static hy_err the_time_left_travels(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    number reply = { 0 };
    SOFT_OK(odd_spawn(node, &odd));
    SOFT_OK(HY_ASK(odd, left, odd, 0, &reply, .n = 0));
    SOFT_EQ(reply.n, 0); // none
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "long", .timeout = HY_SECONDS(1000)) {
        err = HY_ASK(odd, left, odd, HY_SECONDS(500), &reply, .n = 0);
    }
    SOFT_OK(err);
    CHECK(reply.n > 400000 && reply.n <= 500000); // what the ask has left, not the scope
    HY_SCOPE(scope, &err, .name = "short", .timeout = HY_SECONDS(200)) {
        err = HY_ASK(odd, left, odd, HY_SECONDS(500), &reply, .n = 0);
    }
    SOFT_OK(err);
    CHECK(reply.n > 100000 && reply.n <= 200000);
    return HY_OK;
}

static void answer_outside(void *asker) {
    HY_ANSWER(odd, promise, *(hy_asker *)asker, .n = 123);
    hy_answer_err(*(hy_asker *)asker, HY_REJECT); // a second one
}

static hy_err answer_by_thread(void *unused) {
    (void)unused;
    while (handed_out.private_[0] == 0) {
        hy_err err = hy_sleep(HY_MS(1));
        if (err) return err;
    }
    return hy_offload(HY_WORK_ANY, answer_outside, &handed_out);
}

// Worker 0 alone has actors here, so the token is its thread's until it is given away.
static hy_err other_threads_may_answer(hy_node *node, void *unused) {
    (void)unused;
    odd_ref odd;
    number reply = { 0 };
    handed_out = (hy_asker){ { 0 } };
    SOFT_OK(
        HY_SPAWN(odd, node, HY_NOBODY, &odd_type, NULL, HY_OPTIONS(hy_actor, .worker = 1), &odd));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "answer") {
        err = hy_spawn(scope, answer_by_thread, NULL, NULL, NULL);
        if (err) break;
        err = HY_ASK(odd, promise, odd, 0, &reply, .n = 77);
        if (err) break;
    }
    SOFT_OK(err);
    CHECK_EQ(reply.n, 123);
    return answers_are_dropped(node, 1);
}

// ---- actors that ask --------------------------------------------------------------------------

static hy_err handlers_may_wait_for_answers(hy_node *node, void *unused) {
    (void)unused;
    odd_ref a, b;
    result got = { 0 };
    SOFT_OK(odd_spawn(node, &a));
    SOFT_OK(odd_spawn(node, &b));
    SOFT_OK(HY_ASK(odd, pass, a, 0, &got, .to = b.ref.id, .timeout = 0));
    SOFT_ERR((hy_err)got.err, HY_OK);
    SOFT_EQ(got.n, 42);
    SOFT_OK(HY_ASK(odd, pass, a, 0, &got, .to = 0, .timeout = 0));
    SOFT_ERR((hy_err)got.err, HY_NOT_FOUND);
    SOFT_OK(HY_ASK(odd, pass, a, 0, &got, .to = a.ref.id, .timeout = 0));
    SOFT_ERR((hy_err)got.err, HY_DEADLOCK);
    return HY_OK;
}

static hy_err then_runs_with_all_ends(hy_node *node, void *unused) {
    (void)unused;
    odd_ref a, b;
    result got = { 0 };
    SOFT_OK(odd_spawn(node, &a));
    SOFT_OK(odd_spawn(node, &b));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "then") {
        err = hy_spawn(scope, keep_soon, &b, NULL, NULL);
        if (err) break;
        err =
            HY_ASK(odd, pass_then, a, 0, &got, .to = b.ref.id, .timeout = (uint64_t)HY_SECONDS(10));
    }
    SOFT_OK(err);
    SOFT_ERR((hy_err)got.err, HY_OK);
    SOFT_EQ(got.n, 9);
    SOFT_OK(HY_ASK(odd, pass_then, a, 0, &got, .to = b.ref.id, .timeout = (uint64_t)HY_MS(9)));
    SOFT_ERR((hy_err)got.err, HY_TIMEOUT);
    SOFT_ERR(HY_ASK(odd, pass_then, a, 0, &got, .to = 0, .timeout = 0), HY_NOT_FOUND);
    HY_SCOPE(scope, &err, .name = "then") {
        err = hy_spawn(scope, kill_soon, &b, NULL, NULL);
        if (err) break;
        err =
            HY_ASK(odd, pass_then, a, 0, &got, .to = b.ref.id, .timeout = (uint64_t)HY_SECONDS(10));
    }
    SOFT_OK(err);
    SOFT_ERR((hy_err)got.err, HY_CLOSED);
    return HY_OK;
}

static hy_err a_then_may_fail_its_actor(hy_node *node, void *unused) {
    (void)unused;
    odd_ref a, b;
    SOFT_OK(odd_spawn(node, &b));
    for (uint64_t how = 0; how < 2; how++) {
        SOFT_OK(odd_spawn(node, &a));
        SOFT_OK(HY_TELL(odd, then_fail, a, .to = b.ref.id, .timeout = how));
        hy_err why = hy_actor_wait_end(a.ref, HY_NEVER); // HY_OK: it was gone by then
        CHECK(why == HY_OK || why == (how ? HY_IO : HY_INVARIANT) || kit_failed_allocation());
        CHECK(!hy_actor_is_alive(a.ref) || kit_failed_allocation());
    }
    return HY_OK;
}

static hy_err then_of_a_dead_one_is_forgotten(hy_node *node, void *unused) {
    (void)unused;
    odd_ref a, b;
    result got = { 0 };
    SOFT_OK(odd_spawn(node, &a));
    SOFT_OK(odd_spawn(node, &b));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "then") {
        err = hy_spawn(scope, kill_soon, &a, NULL, NULL);
        if (err) break;
        err =
            HY_ASK(odd, pass_then, a, 0, &got, .to = b.ref.id, .timeout = (uint64_t)HY_SECONDS(10));
    }
    if (kit_failed_allocation()) return HY_NOMEM; // b may have failed first
    SOFT_ERR(err, HY_CLOSED);
    SOFT_OK(HY_TELL(odd, keep, b, .n = 5)); // to one that has gone
    number reply;
    SOFT_OK(HY_ASK(odd, twice, b, 0, &reply, .n = 4));
    return HY_OK;
}

// ---- circles ----------------------------------------------------------------------------------

#define RING_MAX 12u

static hy_err ring_ends_with(hy_node *node, uint32_t size, hy_ns timeout, hy_err wanted) {
    odd_ref ring[RING_MAX];
    number reply = { 0 };
    for (uint32_t i = 0; i < size; i++)
        SOFT_OK(odd_spawn(node, &ring[i]));
    for (uint32_t i = 0; i < size; i++) {
        SOFT_OK(HY_TELL(odd, set, ring[i], .to = ring[(i + 1) % size].ref.id,
                        .timeout = (uint64_t)timeout));
    }
    SOFT_ERR(HY_ASK(odd, ring, ring[0], 0, &reply, .n = 0), wanted);
    for (uint32_t i = 0; i < size; i++)
        hy_actor_stop(ring[i].ref);
    return HY_OK;
}

static hy_err circles_of_up_to_eight_are_found(hy_node *node, void *unused) {
    (void)unused;
    for (uint32_t size = 1; size <= 8; size++) {
        hy_err err = ring_ends_with(node, size, HY_SECONDS(10), HY_DEADLOCK);
        if (err) return err;
    }
    return ring_ends_with(node, RING_MAX, HY_MS(50), HY_TIMEOUT);
}

NODE_ALL(replies_arrive)
NODE_ALL(texts_and_lists_are_copied)
NODE_SIM(nobody_and_full_ones_refuse)
NODE_SIM(waiting_for_room_counts)
NODE_SIM(dropped_questions_say_so)
NODE_ALL(time_runs_out)
NODE_ALL(promises_are_kept_once)
NODE_ALL(stashed_questions_are_answered)
NODE_ALL(the_dying_say_so)
NODE_ALL(cancelled_asks_leave_nothing)
NODE_ALL(handlers_may_wait_for_answers)
NODE_ALL(then_runs_with_all_ends)
NODE_ALL(then_of_a_dead_one_is_forgotten)
NODE_ALL(a_then_may_fail_its_actor)
NODE_ALL(the_time_left_travels)
NODE_ALL(other_threads_may_answer)
NODE_ALL(circles_of_up_to_eight_are_found)

KIT_TESTS(
    KIT_TEST(sim_replies_arrive), KIT_TEST_ONCE(one_replies_arrive),
    KIT_TEST_ONCE(two_replies_arrive), KIT_TEST(sim_texts_and_lists_are_copied),
    KIT_TEST_ONCE(one_texts_and_lists_are_copied), KIT_TEST_ONCE(two_texts_and_lists_are_copied),
    KIT_TEST(sim_nobody_and_full_ones_refuse),

    KIT_TEST(sim_waiting_for_room_counts), KIT_TEST(sim_dropped_questions_say_so),
    KIT_TEST(sim_time_runs_out), KIT_TEST_ONCE(one_time_runs_out), KIT_TEST_ONCE(two_time_runs_out),
    KIT_TEST(sim_promises_are_kept_once), KIT_TEST_ONCE(one_promises_are_kept_once),
    KIT_TEST_ONCE(two_promises_are_kept_once), KIT_TEST(sim_stashed_questions_are_answered),
    KIT_TEST_ONCE(one_stashed_questions_are_answered),
    KIT_TEST_ONCE(two_stashed_questions_are_answered), KIT_TEST(sim_the_dying_say_so),
    KIT_TEST_ONCE(one_the_dying_say_so), KIT_TEST_ONCE(two_the_dying_say_so),
    KIT_TEST(sim_cancelled_asks_leave_nothing), KIT_TEST_ONCE(one_cancelled_asks_leave_nothing),
    KIT_TEST_ONCE(two_cancelled_asks_leave_nothing), KIT_TEST(sim_handlers_may_wait_for_answers),
    KIT_TEST_ONCE(one_handlers_may_wait_for_answers),
    KIT_TEST_ONCE(two_handlers_may_wait_for_answers), KIT_TEST(sim_then_runs_with_all_ends),
    KIT_TEST_ONCE(one_then_runs_with_all_ends), KIT_TEST_ONCE(two_then_runs_with_all_ends),
    KIT_TEST(sim_then_of_a_dead_one_is_forgotten),
    KIT_TEST_ONCE(one_then_of_a_dead_one_is_forgotten),
    KIT_TEST_ONCE(two_then_of_a_dead_one_is_forgotten), KIT_TEST(sim_a_then_may_fail_its_actor),
    KIT_TEST_ONCE(one_a_then_may_fail_its_actor), KIT_TEST_ONCE(two_a_then_may_fail_its_actor),
    KIT_TEST(sim_the_time_left_travels), KIT_TEST_ONCE(one_the_time_left_travels),
    KIT_TEST_ONCE(two_the_time_left_travels), KIT_TEST(sim_other_threads_may_answer),
    KIT_TEST_ONCE(one_other_threads_may_answer), KIT_TEST_ONCE(two_other_threads_may_answer),
    KIT_TEST(sim_circles_of_up_to_eight_are_found),
    KIT_TEST_ONCE(one_circles_of_up_to_eight_are_found),
    KIT_TEST_ONCE(two_circles_of_up_to_eight_are_found))
