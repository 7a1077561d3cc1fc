// share_test.c - nobody waits long: not behind one that is flooded, and not behind a long handler.
//
// Waits are counted in handlers of others, never in time. What is shared is taken: with several
// workers, actors that one of them made ready are run by others while it is busy.
#include "actor/node_suite.h"

#include "kit/kit.h"

#include <stdatomic.h>

#define TURN_MAX 64u

#define WORD(F) F(1, u64, n) F(2, u64, whom)
HY_RECORD(word, WORD)
HY_RECORD_DEFINE(word, WORD)
#define TALKER(TELL, ASK, x)                                                                       \
    TELL(x, 1, flood, word)                                                                        \
    TELL(x, 2, visit, word)                                                                        \
    TELL(x, 3, begin, word)                                                                        \
    TELL(x, 4, hold, word)                                                                         \
    TELL(x, 5, help, word)
HY_PROTOCOL(talker, TALKER);
HY_PROTOCOL_DEFINE(talker, TALKER);
typedef struct talker {
    uint64_t unused;
} talker;
HY_BEHAVIOUR(talker, TALKER, talker, talker);
static const hy_actor_type talker_type = { .name = "talker",
                                           .first = &talker_behaviour,
                                           .state_size = sizeof(talker) };

// What the tests see; actors outlive their bodies.
static _Atomic uint64_t flooded, longest, visits, helped, held;

// Two for each that is handled: its mailbox is never empty, and soon full.
static hy_err talker_on_flood(hy_actor *self, talker *state, const word *message) {
    (void)state;
    uint64_t n = atomic_fetch_add(&flooded, 1);
    if (n < message->n) {
        talker_ref me = { hy_self(self) };
        for (uint32_t i = 0; i < 2; i++) {
            hy_err err = HY_TELL(talker, flood, me, .n = message->n, .whom = message->whom);
            if (err != HY_OK && err != HY_LIMIT) return err;
        }
    }
    if (n % 1000 != 500) return HY_OK;
    return HY_TELL(talker, visit, (talker_ref){ { message->whom } }, .n = n);
}

static hy_err talker_on_visit(hy_actor *self, talker *state, const word *message) {
    (void)self;
    (void)state;
    uint64_t waited = atomic_load(&flooded) - message->n;
    if (waited > atomic_load(&longest)) atomic_store(&longest, waited);
    atomic_fetch_add(&visits, 1);
    return HY_OK;
}

// Tells the one that will compute, then those that come behind it.
static hy_err talker_on_begin(hy_actor *self, talker *state, const word *message) {
    (void)state;
    talker_ref holder;
    hy_err err =
        HY_SPAWN(talker, hy_actor_node(self), HY_NOBODY, &talker_type, NULL, NULL, &holder);
    if (err == HY_OK) err = HY_TELL(talker, hold, holder, .n = message->n);
    for (uint64_t i = 0; err == HY_OK && i < message->n; i++) {
        talker_ref helper;
        err = HY_SPAWN(talker, hy_actor_node(self), HY_NOBODY, &talker_type, NULL, NULL, &helper);
        if (err == HY_OK) err = HY_TELL(talker, help, helper, .n = i);
    }
    return err;
}

// Computes until all others have been run, so somewhere else.
static hy_err talker_on_hold(hy_actor *self, talker *state, const word *message) {
    (void)self;
    (void)state;
    while (atomic_load(&helped) < message->n) {
    }
    atomic_store(&held, 1);
    return HY_OK;
}

static hy_err talker_on_help(hy_actor *self, talker *state, const word *message) {
    (void)self;
    (void)state;
    (void)message;
    atomic_fetch_add(&helped, 1);
    return HY_OK;
}

static void forget_all(void) {
    atomic_store(&flooded, 0);
    atomic_store(&longest, 0);
    atomic_store(&visits, 0);
    atomic_store(&helped, 0);
    atomic_store(&held, 0);
}

static hy_err a_flooded_one_holds_up_nobody(hy_node *node, void *arg) {
    forget_all();
    uint64_t n = *(const uint64_t *)arg;
    talker_ref flood, guest;
    const hy_actor_options here = { .size = sizeof here, .worker = 1 };
    CHECK_OK(HY_SPAWN(talker, node, HY_NOBODY, &talker_type, NULL, &here, &flood));
    CHECK_OK(HY_SPAWN(talker, node, HY_NOBODY, &talker_type, NULL, &here, &guest));
    CHECK_OK(HY_TELL(talker, flood, flood, .n = n, .whom = guest.ref.id));
    while (atomic_load(&visits) < n / 1000) {
        hy_err err = hy_sleep(HY_US(100));
        if (err != HY_OK) return err;
    }
    CHECK(atomic_load(&longest) <= 2 * TURN_MAX);
    return HY_OK;
}

static hy_err sim_a_flooded_one_holds_up_nobody(hy_mem *mem) {
    uint64_t n = 5000;
    return node_in_sim(mem, NULL, a_flooded_one_holds_up_nobody, &n);
}

static hy_err one_a_flooded_one_holds_up_nobody(hy_mem *mem) {
    uint64_t n = 100000;
    return node_in_real(mem, 1, NULL, a_flooded_one_holds_up_nobody, &n);
}

static hy_err two_a_flooded_one_holds_up_nobody(hy_mem *mem) {
    uint64_t n = 100000;
    return node_in_real(mem, 2, NULL, a_flooded_one_holds_up_nobody, &n);
}

static hy_err others_run_what_waits_behind_one_that_computes(hy_node *node, void *unused) {
    (void)unused;
    forget_all();
    talker_ref first;
    CHECK_OK(HY_SPAWN(talker, node, HY_NOBODY, &talker_type, NULL, NULL, &first));
    CHECK_OK(HY_TELL(talker, begin, first, .n = 1));
    while (atomic_load(&held) == 0) {
        hy_err err = hy_sleep(HY_US(100));
        if (err != HY_OK) return err;
    }
    CHECK_EQ(atomic_load(&helped), 1);
    return HY_OK;
}

static hy_err two_others_run_what_waits_behind_one_that_computes(hy_mem *mem) {
    return node_in_real(mem, 2, NULL, others_run_what_waits_behind_one_that_computes, NULL);
}

KIT_TESTS(KIT_TEST_ONCE(sim_a_flooded_one_holds_up_nobody),
          KIT_TEST_ONCE(one_a_flooded_one_holds_up_nobody),
          KIT_TEST_ONCE(two_a_flooded_one_holds_up_nobody),
          KIT_TEST_ONCE(two_others_run_what_waits_behind_one_that_computes))
