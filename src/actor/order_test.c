// order_test.c - what one sender sends to one actor is handled in the order of sending.
//
// Whatever way it went: the list of one's own worker, an idle actor that is seized, the inbox from
// another worker, from a thread that is no worker; and although senders and receivers are shared
// and taken by other workers between any two turns. Senders send a few to each receiver at a time,
// so that they become ready again and again, and move; some wait in between, which lends their
// fiber. Receivers know the next number of each sender, and accept no other.
//
// The slots' way is tested, too: actors end and are spawned while others send to them, and no
// message may reach another actor than the one it was for.
#include "actor/node_suite.h"

#include "kit/kit.h"

#include <pthread.h>
#include <stdatomic.h>

#define SENDERS 6u
#define RECEIVERS 3u
#define AT_ONCE 18u // more than are pushed together

#define STEP(F) F(1, u32, sender) F(2, u32, number) F(3, u64, whom)
HY_RECORD(step, STEP)
HY_RECORD_DEFINE(step, STEP)

#define RECEIVER(TELL, ASK, x) TELL(x, 1, come, step)
HY_PROTOCOL(receiver, RECEIVER);
HY_PROTOCOL_DEFINE(receiver, RECEIVER);
#define SENDER(TELL, ASK, x) TELL(x, 1, go, hy_nothing)
HY_PROTOCOL(sender, SENDER);
HY_PROTOCOL_DEFINE(sender, SENDER);

typedef struct order_run {
    uint32_t rounds;
    receiver_ref receivers[RECEIVERS];
    _Atomic uint32_t wrong, come, sending;
} order_run;

static order_run the_run; // actors outlive the bodies of tests

// ---- receivers --------------------------------------------------------------------------------

typedef struct receiver {
    uint32_t next[SENDERS + 1];
} receiver;
HY_BEHAVIOUR(receiver, RECEIVER, receiver, receiver);

static hy_err receiver_on_come(hy_actor *self, receiver *state, const step *message) {
    (void)self;
    if (state->next[message->sender]++ != message->number) atomic_fetch_add(&the_run.wrong, 1);
    atomic_fetch_add(&the_run.come, 1);
    return HY_OK;
}

static const hy_actor_type receiver_type = { .name = "receiver",
                                             .first = &receiver_behaviour,
                                             .state_size = sizeof(receiver) };

// ---- senders ----------------------------------------------------------------------------------

typedef struct sender {
    uint32_t number, next, rounds;
} sender;
HY_BEHAVIOUR(sender, SENDER, sender, sender);

static hy_err send_some(uint32_t number, uint32_t *next) {
    for (uint32_t i = 0; i < AT_ONCE; i++, (*next)++) {
        for (uint32_t to = 0; to < RECEIVERS; to++) {
            hy_err err =
                HY_TELL(receiver, come, the_run.receivers[to], .sender = number, .number = *next);
            if (err != HY_OK) return err;
        }
    }
    return HY_OK;
}

static hy_err sender_start(hy_actor *self, void *state, const void *arg) {
    ((sender *)state)->number = *(const uint32_t *)arg;
    ((sender *)state)->rounds = the_run.rounds;
    return HY_TELL(sender, go, (sender_ref){ hy_self(self) }, 0);
}

static hy_err sender_on_go(hy_actor *self, sender *state, const hy_nothing *message) {
    (void)message;
    hy_err err = send_some(state->number, &state->next);
    if (err == HY_OK && state->number % 2 == 1 && state->rounds % 8 == 0) err = hy_sleep(0);
    if (err != HY_OK) return err;
    if (--state->rounds == 0) {
        atomic_fetch_sub(&the_run.sending, 1);
        hy_actor_end(self);
        return HY_OK;
    }
    return HY_TELL(sender, go, (sender_ref){ hy_self(self) }, 0);
}

static const hy_actor_type sender_type = { .name = "sender",
                                           .first = &sender_behaviour,
                                           .state_size = sizeof(sender),
                                           .arg_size = sizeof(uint32_t),
                                           .start = sender_start };

static void *send_from_a_thread(void *arg) {
    (void)arg;
    uint32_t next = 0;
    for (uint32_t i = 0; i < the_run.rounds; i++) {
        if (send_some(SENDERS, &next) != HY_OK) atomic_fetch_add(&the_run.wrong, 1);
    }
    return NULL;
}

// ---- all at once ------------------------------------------------------------------------------

static hy_err spawn_receivers(hy_node *node) {
    hy_actor_options options = { .size = sizeof options, .mailbox = { .capacity = 1u << 20 } };
    for (uint32_t i = 0; i < RECEIVERS; i++) {
        options.worker = i == 0 ? 1 : 0; // one stays where it is
        CHECK_OK(HY_SPAWN(receiver, node, HY_NOBODY, &receiver_type, NULL, &options,
                          &the_run.receivers[i]));
    }
    return HY_OK;
}

static hy_err spawn_senders(hy_node *node) {
    hy_actor_options options = { .size = sizeof options };
    for (uint32_t i = 0; i < SENDERS; i++) {
        sender_ref ref;
        options.worker = i < 2 ? i % hy_node_workers(node) + 1 : 0;
        atomic_fetch_add(&the_run.sending, 1);
        CHECK_OK(HY_SPAWN(sender, node, HY_NOBODY, &sender_type, &i, &options, &ref));
    }
    return HY_OK;
}

static hy_err await_all(uint32_t wanted) {
    while (atomic_load(&the_run.come) < wanted) {
        hy_err err = hy_sleep(HY_US(100));
        if (err != HY_OK) return err;
    }
    CHECK_EQ(atomic_load(&the_run.wrong), 0);
    return HY_OK;
}

static hy_err order_is_kept(hy_node *node, void *arg) {
    the_run = (order_run){ .rounds = *(const uint32_t *)arg };
    CHECK_OK(spawn_receivers(node));
    CHECK_OK(spawn_senders(node));
    return await_all(SENDERS * RECEIVERS * AT_ONCE * the_run.rounds);
}

static hy_err order_is_kept_with_threads(hy_node *node, void *arg) {
    the_run = (order_run){ .rounds = *(const uint32_t *)arg };
    CHECK_OK(spawn_receivers(node));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, send_from_a_thread, NULL), 0);
    hy_err err = spawn_senders(node);
    if (err == HY_OK) err = await_all((SENDERS + 1) * RECEIVERS * AT_ONCE * the_run.rounds);
    pthread_join(thread, NULL);
    return err;
}

static hy_err sim_order_is_kept(hy_mem *mem) {
    uint32_t rounds = 20;
    return node_in_sim(mem, NULL, order_is_kept, &rounds);
}

static hy_err one_order_is_kept(hy_mem *mem) {
    uint32_t rounds = 500;
    return node_in_real(mem, 1, NULL, order_is_kept_with_threads, &rounds);
}

static hy_err two_order_is_kept(hy_mem *mem) {
    uint32_t rounds = 500;
    return node_in_real(mem, 2, NULL, order_is_kept_with_threads, &rounds);
}

static hy_err five_order_is_kept(hy_mem *mem) {
    uint32_t rounds = 500;
    return node_in_real(mem, 5, NULL, order_is_kept_with_threads, &rounds);
}

static hy_err short_turns_keep_order(hy_mem *mem) {
    uint32_t rounds = 300;
    hy_node_options options = { .size = sizeof options, .turn_max = 1 };
    return node_in_real(mem, 3, &options, order_is_kept_with_threads, &rounds);
}

// ---- slots that are used again ----------------------------------------------------------------

// A mayfly ends after a few messages; `whom` says for whom a message was. A board has the refs of
// those that live now, and of some that do not any more.
#define BOARD 4u
static _Atomic uint64_t the_board[BOARD];

typedef struct mayfly {
    uint32_t left;
} mayfly;
#define MAYFLY(TELL, ASK, x) TELL(x, 1, land, step)
HY_PROTOCOL(mayfly, MAYFLY);
HY_PROTOCOL_DEFINE(mayfly, MAYFLY);
HY_BEHAVIOUR(mayfly, MAYFLY, mayfly, mayfly);

static hy_err mayfly_on_land(hy_actor *self, mayfly *state, const step *message) {
    if (message->whom != hy_self(self).id) atomic_fetch_add(&the_run.wrong, 1);
    atomic_fetch_add(&the_run.come, 1);
    if (++state->left == 3) hy_actor_end(self);
    return HY_OK;
}

static const hy_actor_type mayfly_type = { .name = "mayfly",
                                           .first = &mayfly_behaviour,
                                           .state_size = sizeof(mayfly) };

static void *throw_at_the_board(void *arg) {
    uint64_t dice = kit_seed() + (uintptr_t)arg;
    for (uint32_t i = 0; i < the_run.rounds; i++) {
        hy_ref to = { atomic_load(&the_board[kit_random(&dice) % BOARD]) };
        hy_err err = HY_TELL(mayfly, land, (mayfly_ref){ to }, .whom = to.id);
        if (err != HY_OK && err != HY_NOT_FOUND && err != HY_LIMIT) {
            atomic_fetch_add(&the_run.wrong, 1);
        }
    }
    atomic_fetch_sub(&the_run.sending, 1);
    return NULL;
}

// Keeps the board full: whoever has ended is followed by another one, mostly in the same slot.
static hy_err fill_the_board(hy_node *node) {
    for (uint32_t i = 0; i < BOARD; i++) {
        if (hy_actor_is_alive((hy_ref){ atomic_load(&the_board[i]) })) continue;
        mayfly_ref next;
        CHECK_OK(HY_SPAWN(mayfly, node, HY_NOBODY, &mayfly_type, NULL, NULL, &next));
        atomic_store(&the_board[i], next.ref.id);
    }
    return hy_yield();
}

static hy_err refs_never_reach_another(hy_node *node, void *arg) {
    the_run = (order_run){ .rounds = *(const uint32_t *)arg, .sending = 2 };
    for (uint32_t i = 0; i < BOARD; i++)
        atomic_store(&the_board[i], 0);
    CHECK_OK(fill_the_board(node));
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, throw_at_the_board, (void *)i), 0);
    hy_err err = HY_OK;
    while (err == HY_OK && atomic_load(&the_run.sending) > 0)
        err = fill_the_board(node);
    for (uint32_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    if (err != HY_OK) return err;
    node_settle(node);
    CHECK_EQ(atomic_load(&the_run.wrong), 0);
    CHECK(atomic_load(&the_run.come) > 0);
    hy_account account = hy_node_account(node);
    CHECK_EQ(account.handled, atomic_load(&the_run.come));
    return HY_OK;
}

static hy_err one_refs_never_reach_another(hy_mem *mem) {
    uint32_t rounds = 20000;
    return node_in_real(mem, 1, NULL, refs_never_reach_another, &rounds);
}

static hy_err three_refs_never_reach_another(hy_mem *mem) {
    uint32_t rounds = 20000;
    return node_in_real(mem, 3, NULL, refs_never_reach_another, &rounds);
}

KIT_TESTS(KIT_TEST_ONCE(sim_order_is_kept), KIT_TEST_ONCE(one_order_is_kept),
          KIT_TEST_ONCE(two_order_is_kept), KIT_TEST_ONCE(five_order_is_kept),
          KIT_TEST_ONCE(short_turns_keep_order), KIT_TEST_ONCE(one_refs_never_reach_another),
          KIT_TEST_ONCE(three_refs_never_reach_another))
