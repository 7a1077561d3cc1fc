// actor_message.c - the rows of actor_bench about messages.
//
//     pingpong           a message there and one back, two actors
//     pingpong_apart     the same, each held on a worker of its own
//     enqueue            sending alone, allocation and copy included, to an actor of one's own
//                        worker that does not run meanwhile
//     enqueue_apart      to an actor of another worker, which is held in a handler meanwhile
//     stream             one sender, one receiver, from the first sent to the last handled; the
//                        receiver's mailbox has room for 1,024, and the sender waits for room
//     stream_apart       the same, each held on a worker of its own
//     n_to_1_N           N senders, one receiver
//     ask                a request and its reply in blocking style, with a timeout armed
//     ask_then           the same, the reply coming as a turn
//     broadcast_N        published under a topic with N subscribers, each of them, until all
//                        handled it; 64 rounds at a time
//     share_N            the same without a topic: one frozen payload sent to each of N
//     timer_churn        a timer armed and stopped
#include "bench/actor_drive.h"

#include <hypha/broker.h>

#include <stdatomic.h>
#include <stdlib.h>

#define MESSAGE_WINDOW 64u
#define MESSAGE_SUBSCRIBERS_MAX 1000u

typedef struct message_nothing {
    uint64_t nothing;
} message_nothing;

// What a run's actors share. Set before the first of them is spawned.
static struct {
    crew_ref gate, to;
    uint64_t times;
    uint32_t subscribers;
    hy_broker *broker;
    crew_ref subscriber[MESSAGE_SUBSCRIBERS_MAX];
    double ns;
} message_run;
static atomic_bool message_held;             // release: the sender; acquire: held_on_go
static atomic_uint_fast64_t message_handled; // both sides add; the last one tells

static const hy_actor_options message_on_first = { .size = sizeof message_on_first, .worker = 1 };
static const hy_actor_options message_on_second = { .size = sizeof message_on_second, .worker = 2 };
static const hy_actor_options message_roomy = { .size = sizeof message_roomy,
                                                .worker = 1,
                                                .mailbox = { .capacity = 1u << 24 } };
static const hy_actor_options message_roomy_second = { .size = sizeof message_roomy_second,
                                                       .worker = 2,
                                                       .mailbox = { .capacity = 1u << 24 } };
static const hy_actor_options message_waiting = { .size = sizeof message_waiting,
                                                  .mailbox = { .full = HY_FULL_WAIT } };
static const hy_actor_options message_waiting_second = { .size = sizeof message_waiting_second,
                                                         .worker = 2,
                                                         .mailbox = { .full = HY_FULL_WAIT } };

// ---- there and back ---------------------------------------------------------------------------

typedef struct bounce {
    double since;
} bounce;
HY_BEHAVIOUR(bounce, CREW_FROMS, crew, bounce);
static const hy_actor_type bounce_type = { .name = "bounce",
                                           .first = &bounce_behaviour,
                                           .state_size = sizeof(bounce) };

// The one with the even numbers times its round trips.
static hy_err bounce_on_from(hy_actor *self, bounce *state, const crew_from *message) {
    if ((message->value & 1) == 0) {
        actor_sample_end(state->since);
        state->since = actor_sample_start(message->value / 2);
    }
    if (message->value == 0) {
        actor_gate_open(message_run.gate);
        return HY_OK;
    }
    return HY_TELL(crew, from, crew_of(message->from), .value = message->value - 1,
                   .from = hy_self(self).id);
}

static double message_bounce(hy_node *node, uint64_t times, const hy_actor_options *one,
                             const hy_actor_options *other) {
    message_run.gate = actor_gate(node);
    crew_ref a = actor_spawned(node, HY_NOBODY, &bounce_type, NULL, one);
    crew_ref b = actor_spawned(node, HY_NOBODY, &bounce_type, NULL, other);
    double start = bench_now();
    bench_must(HY_TELL(crew, from, a, .value = times * 2, .from = b.ref.id), "telling");
    actor_gate_wait(message_run.gate);
    double seconds = bench_now() - start;
    actor_stop_wait(a);
    actor_stop_wait(b);
    return seconds * 1e9;
}

static double message_pingpong(hy_node *node, uint64_t times) {
    return message_bounce(node, times, NULL, NULL);
}

static double message_pingpong_apart(hy_node *node, uint64_t times) {
    return message_bounce(node, times, &message_on_first, &message_on_second);
}

// ---- one way ----------------------------------------------------------------------------------

typedef struct taker {
    uint64_t taken;
} taker;
HY_BEHAVIOUR(taker, CREW_ITEMS_GOES, crew, taker);
static const hy_actor_type taker_type = { .name = "taker",
                                          .first = &taker_behaviour,
                                          .state_size = sizeof(taker) };

static hy_err taker_on_item(hy_actor *self, taker *state, const crew_item *message) {
    (void)message;
    if (++state->taken < message_run.times) return HY_OK;
    actor_gate_open(message_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

// Holds its worker until all are sent.
static hy_err taker_on_go(hy_actor *self, taker *state, const crew_from *message) {
    (void)self, (void)state, (void)message;
    atomic_store_explicit(&message_held, true, memory_order_release);
    while (atomic_load_explicit(&message_held, memory_order_acquire))
        ;
    return HY_OK;
}

// Sends so many at once; asks the clock around them.
HY_BEHAVIOUR(sender, CREW_GOES, crew, message_nothing);
static const hy_actor_type sender_type = { .name = "sender", .first = &sender_behaviour };

static hy_err sender_on_go(hy_actor *self, message_nothing *state, const crew_from *message) {
    (void)state;
    crew_ref to = crew_of(message->from);
    double start = bench_now();
    for (uint64_t i = 0; i < message->value; i++) {
        hy_err err = HY_TELL(crew, item, to, .value = i);
        if (err != HY_OK) return err;
    }
    message_run.ns = (bench_now() - start) * 1e9;
    hy_actor_end(self);
    return HY_OK;
}

static double message_enqueue(hy_node *node, uint64_t times) {
    message_run.times = times;
    message_run.gate = actor_gate(node);
    crew_ref to = actor_spawned(node, HY_NOBODY, &taker_type, NULL, &message_roomy);
    crew_ref from = actor_spawned(node, HY_NOBODY, &sender_type, NULL, &message_on_first);
    bench_must(HY_TELL(crew, go, from, .value = times, .from = to.ref.id), "telling");
    actor_gate_wait(message_run.gate);
    return message_run.ns;
}

static double message_enqueue_apart(hy_node *node, uint64_t times) {
    message_run.times = times;
    message_run.gate = actor_gate(node);
    crew_ref to = actor_spawned(node, HY_NOBODY, &taker_type, NULL, &message_roomy_second);
    crew_ref from = actor_spawned(node, HY_NOBODY, &sender_type, NULL, &message_on_first);
    bench_must(HY_TELL(crew, go, to, .value = 0), "telling");
    while (!atomic_load_explicit(&message_held, memory_order_acquire))
        bench_must(hy_yield(), "yielding");
    bench_must(HY_TELL(crew, go, from, .value = times, .from = to.ref.id), "telling");
    bench_must(hy_actor_wait_end(from.ref, HY_NEVER), "waiting for the sender");
    atomic_store_explicit(&message_held, false, memory_order_release);
    actor_gate_wait(message_run.gate);
    return message_run.ns;
}

static double message_flood(hy_node *node, uint32_t senders, uint64_t times,
                            const hy_actor_options *one, const hy_actor_options *other) {
    uint64_t each = times > senders ? times / senders : 1;
    message_run.times = each * senders;
    message_run.gate = actor_gate(node);
    double start = bench_now();
    crew_ref to = actor_spawned(node, HY_NOBODY, &taker_type, NULL, other);
    for (uint32_t i = 0; i < senders; i++) {
        crew_ref from = actor_spawned(node, HY_NOBODY, &sender_type, NULL, one);
        bench_must(HY_TELL(crew, go, from, .value = each, .from = to.ref.id), "telling");
    }
    actor_gate_wait(message_run.gate);
    return (bench_now() - start) * 1e9;
}

static double message_stream(hy_node *node, uint64_t times) {
    return message_flood(node, 1, times, NULL, &message_waiting);
}

static double message_stream_apart(hy_node *node, uint64_t times) {
    return message_flood(node, 1, times, &message_on_first, &message_waiting_second);
}

static double message_2_to_1(hy_node *node, uint64_t times) {
    return message_flood(node, 2, times, NULL, &message_waiting);
}

static double message_4_to_1(hy_node *node, uint64_t times) {
    return message_flood(node, 4, times, NULL, &message_waiting);
}

static double message_8_to_1(hy_node *node, uint64_t times) {
    return message_flood(node, 8, times, NULL, &message_waiting);
}

// ---- asking -----------------------------------------------------------------------------------

HY_BEHAVIOUR(echoer, CREW_ECHOES, crew, message_nothing);
static const hy_actor_type echoer_type = { .name = "echoer", .first = &echoer_behaviour };

static hy_err echoer_on_echo(hy_actor *self, message_nothing *state, const crew_item *message,
                             crew_item *out_reply) {
    (void)self, (void)state;
    out_reply->value = message->value;
    return HY_OK;
}

HY_BEHAVIOUR(asker, CREW_GOES, crew, message_nothing);
static const hy_actor_type asker_type = { .name = "asker", .first = &asker_behaviour };

static hy_err asker_on_go(hy_actor *self, message_nothing *state, const crew_from *message) {
    (void)state;
    crew_ref to = crew_of(message->from);
    for (uint64_t i = 0; i < message->value; i++) {
        crew_item reply = { 0 };
        double since = actor_sample_start(i);
        hy_err err = HY_ASK(crew, echo, to, HY_SECONDS(5), &reply, .value = i);
        if (err != HY_OK) return err;
        actor_sample_end(since);
        if (reply.value != i) return HY_INVARIANT;
    }
    actor_gate_open(message_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

typedef struct thener {
    double since;
    uint64_t left;
    crew_ref to;
} thener;
HY_BEHAVIOUR(thener, CREW_GOES, crew, thener);
static const hy_actor_type thener_type = { .name = "thener",
                                           .first = &thener_behaviour,
                                           .state_size = sizeof(thener) };

static hy_err thener_answered(hy_actor *self, void *state_at, hy_err err, const void *reply) {
    thener *state = (thener *)state_at;
    if (err != HY_OK) return err;
    if (((const crew_item *)reply)->value != state->left) return HY_INVARIANT;
    actor_sample_end(state->since);
    if (--state->left > 0) {
        state->since = actor_sample_start(state->left);
        return HY_ASK_THEN(crew, echo, self, state->to, HY_SECONDS(5), thener_answered,
                           .value = state->left);
    }
    actor_gate_open(message_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

static hy_err thener_on_go(hy_actor *self, thener *state, const crew_from *message) {
    *state = (thener){ .left = message->value, .to = crew_of(message->from) };
    return HY_ASK_THEN(crew, echo, self, state->to, HY_SECONDS(5), thener_answered,
                       .value = state->left);
}

static double message_asking(hy_node *node, const hy_actor_type *type, uint64_t times) {
    message_run.gate = actor_gate(node);
    crew_ref to = actor_spawned(node, HY_NOBODY, &echoer_type, NULL, NULL);
    crew_ref from = actor_spawned(node, HY_NOBODY, type, NULL, NULL);
    double start = bench_now();
    bench_must(HY_TELL(crew, go, from, .value = times, .from = to.ref.id), "telling");
    actor_gate_wait(message_run.gate);
    double seconds = bench_now() - start;
    actor_stop_wait(to);
    return seconds * 1e9;
}

static double message_ask(hy_node *node, uint64_t times) {
    return message_asking(node, &asker_type, times);
}

static double message_ask_then(hy_node *node, uint64_t times) {
    return message_asking(node, &thener_type, times);
}

// ---- to many ----------------------------------------------------------------------------------

HY_BEHAVIOUR(subscriber, CREW_FROMS, crew, message_nothing);
static const hy_actor_type subscriber_type = { .name = "subscriber",
                                               .first = &subscriber_behaviour };

static hy_err subscriber_on_from(hy_actor *self, message_nothing *state, const crew_from *message) {
    (void)self, (void)state;
    uint64_t all = (uint64_t)MESSAGE_WINDOW * message_run.subscribers;
    uint64_t nth = atomic_fetch_add_explicit(&message_handled, 1, memory_order_acq_rel) + 1;
    if (nth % all != 0) return HY_OK;
    return HY_TELL(crew, item, crew_of(message->from), .value = 0);
}

typedef struct publisher {
    uint64_t left; // windows
} publisher;
HY_BEHAVIOUR(publisher, CREW_ITEMS_GOES, crew, publisher);
static const hy_actor_type publisher_type = { .name = "publisher",
                                              .first = &publisher_behaviour,
                                              .state_size = sizeof(publisher) };

static hy_err publisher_share(uint64_t round, uint64_t from) {
    crew_from *message = NULL;
    hy_frozen *frozen = NULL;
    hy_err err = HY_MAKE(crew, from, &message);
    if (err != HY_OK) return err;
    *message = (crew_from){ .value = round, .from = from };
    err = HY_FREEZE(crew, from, &message, &frozen);
    if (err != HY_OK) hy_message_drop(message);
    for (uint32_t i = 0; i < message_run.subscribers && err == HY_OK; i++)
        err = HY_SHARE(crew, from, message_run.subscriber[i], frozen);
    hy_frozen_unref(frozen);
    return err;
}

static hy_err publisher_window(hy_actor *self) {
    hy_err err = HY_OK;
    uint64_t from = hy_self(self).id;
    for (uint64_t round = 0; round < MESSAGE_WINDOW && err == HY_OK; round++) {
        if (message_run.broker) {
            err = HY_PUBLISH(crew, from, message_run.broker, "bench.news", NULL, .value = round,
                             .from = from);
        } else {
            err = publisher_share(round, from);
        }
    }
    return err;
}

static hy_err publisher_on_go(hy_actor *self, publisher *state, const crew_from *message) {
    state->left = message->value;
    return publisher_window(self);
}

static hy_err publisher_on_item(hy_actor *self, publisher *state, const crew_item *message) {
    (void)message;
    if (--state->left > 0) return publisher_window(self);
    actor_gate_open(message_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

static void message_subscribe(hy_node *node, uint32_t count) {
    message_run.subscribers = count;
    atomic_store(&message_handled, 0);
    for (uint32_t i = 0; i < count; i++) {
        crew_ref ref = actor_spawned(node, HY_NOBODY, &subscriber_type, NULL, NULL);
        message_run.subscriber[i] = ref;
        if (!message_run.broker) continue;
        uint64_t id = 0;
        hy_broker *broker = message_run.broker;
        bench_must(HY_SUBSCRIBE(crew, from, broker, "bench.>", ref, NULL, &id), "subscribing");
    }
}

static double message_to_many(hy_node *node, uint32_t count, uint64_t times) {
    uint64_t window = (uint64_t)MESSAGE_WINDOW * count;
    uint64_t windows = times > window ? times / window : 1;
    message_subscribe(node, count);
    message_run.gate = actor_gate(node);
    crew_ref from = actor_spawned(node, HY_NOBODY, &publisher_type, NULL, NULL);
    double start = bench_now();
    bench_must(HY_TELL(crew, go, from, .value = windows), "telling");
    actor_gate_wait(message_run.gate);
    double ns = (bench_now() - start) * 1e9;
    for (uint32_t i = 0; i < count; i++)
        actor_stop_wait(message_run.subscriber[i]);
    return ns * (double)times / (double)(windows * window);
}

static double message_share(hy_node *node, uint32_t count, uint64_t times) {
    message_run.broker = NULL;
    return message_to_many(node, count, times);
}

// The broker is opened once, and ends with the root.
static double message_broadcast(hy_node *node, uint32_t count, uint64_t times) {
    if (!message_run.broker)
        bench_must(hy_broker_open(node, NULL, &message_run.broker), "opening a broker");
    return message_to_many(node, count, times);
}

#define MESSAGE_TO_MANY(count)                                                                     \
    static double message_share_##count(hy_node *node, uint64_t times) {                           \
        return message_share(node, count, times);                                                  \
    }                                                                                              \
    static double message_broadcast_##count(hy_node *node, uint64_t times) {                       \
        return message_broadcast(node, count, times);                                              \
    }
MESSAGE_TO_MANY(1)
MESSAGE_TO_MANY(10)
MESSAGE_TO_MANY(100)
MESSAGE_TO_MANY(1000)

// ---- timers -----------------------------------------------------------------------------------

HY_BEHAVIOUR(churner, CREW_ITEMS_GOES, crew, message_nothing);
static const hy_actor_type churner_type = { .name = "churner", .first = &churner_behaviour };

static hy_err churner_on_item(hy_actor *self, message_nothing *state, const crew_item *message) {
    (void)self, (void)state, (void)message;
    return HY_INVARIANT; // none of the timers is ever due
}

static hy_err churner_on_go(hy_actor *self, message_nothing *state, const crew_from *message) {
    (void)state;
    for (uint64_t i = 0; i < message->value; i++) {
        hy_alarm alarm = { 0 };
        double since = actor_sample_start(i);
        hy_err err = HY_AFTER(crew, item, self, HY_SECONDS(3600), 0, &alarm, .value = i);
        if (err != HY_OK) return err;
        hy_alarm_stop(self, alarm);
        actor_sample_end(since);
    }
    hy_actor_end(self);
    return HY_OK;
}

static double message_timer_churn(hy_node *node, uint64_t times) {
    crew_ref churner = actor_spawned(node, HY_NOBODY, &churner_type, NULL, NULL);
    double start = bench_now();
    bench_must(HY_TELL(crew, go, churner, .value = times), "telling");
    bench_must(hy_actor_wait_end(churner.ref, HY_NEVER), "waiting for the churner");
    return (bench_now() - start) * 1e9;
}

static const actor_row message_rows[] = {
    { "pingpong", "ns", message_pingpong, 1000000, 1, false },
    { "pingpong_apart", "ns", message_pingpong_apart, 20000, 2, false },
    { "enqueue", "ns", message_enqueue, 500000, 1, false },
    { "enqueue_apart", "ns", message_enqueue_apart, 500000, 2, false },
    { "stream", "ns", message_stream, 2000000, 1, false },
    { "stream_apart", "ns", message_stream_apart, 2000000, 2, false },
    { "n_to_1_1", "ns", message_stream, 2000000, 1, false },
    { "n_to_1_2", "ns", message_2_to_1, 2000000, 1, false },
    { "n_to_1_4", "ns", message_4_to_1, 2000000, 1, false },
    { "n_to_1_8", "ns", message_8_to_1, 2000000, 1, false },
    { "ask", "ns", message_ask, 500000, 1, false },
    { "ask_then", "ns", message_ask_then, 500000, 1, false },
    { "broadcast_1", "ns", message_broadcast_1, 1000000, 1, false },
    { "broadcast_10", "ns", message_broadcast_10, 1000000, 1, false },
    { "broadcast_100", "ns", message_broadcast_100, 2000000, 1, false },
    { "broadcast_1000", "ns", message_broadcast_1000, 2000000, 1, false },
    { "share_1", "ns", message_share_1, 1000000, 1, false },
    { "share_10", "ns", message_share_10, 1000000, 1, false },
    { "share_100", "ns", message_share_100, 2000000, 1, false },
    { "share_1000", "ns", message_share_1000, 2000000, 1, false },
    { "timer_churn", "ns", message_timer_churn, 500000, 1, false },
};

actor_rows actor_message_rows(void) {
    return ACTOR_ROWS(message_rows);
}
