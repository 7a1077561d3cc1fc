// Overload: ten times more is sent than can be handled, for a virtual minute, whatever the policy.
// Memory stays flat, every message is accounted for, and others wait no longer than before.
#include "actor/crowd_suite.h"
#include "actor/mailbox.h"
#include "actor/node_suite.h"
#include "actor/slab.h"
#include "kit/kit.h"

#define OVERLOAD_PRODUCERS 10u
#define OVERLOAD_CAPACITY 100u
#define OVERLOAD_STEP HY_MS(20) // what handling one takes, and how often each producer sends one
#define OVERLOAD_LASTS HY_SECONDS(60)
#define OVERLOAD_BATCH 64u

typedef struct overload {
    crowd_ref to;
    hy_ns until;
    hy_full full;
    uint64_t refused;
    crowd_ref bystander;
    uint64_t waited_turns; // the longest that a message to it waited
    uint64_t sent_at;      // in turns
} overload;
static overload overload_now;

static hy_ns overload_clock(void) {
    return hy_world_now(hy_scope_world(hy_scope_current()));
}

static void overload_slow(hy_actor *self, const crowd_number *message, void *arg) {
    (void)self, (void)message, (void)arg;
    hy_err err = hy_sleep(OVERLOAD_STEP);
    CHECK(err == HY_OK || err == HY_CANCELLED);
}

static hy_err overload_produce(void *unused) {
    (void)unused;
    while (overload_clock() < overload_now.until) {
        hy_err err = crowd_tell(overload_now.to, 1);
        CHECK(err == HY_OK || err == HY_LIMIT);
        if (err == HY_LIMIT) overload_now.refused++;
        CHECK_OK(hy_sleep(OVERLOAD_STEP));
    }
    return HY_OK;
}

static void overload_look(hy_actor *self, const crowd_number *message, void *arg) {
    (void)self, (void)arg;
    uint64_t turns = atomic_load(&hyi_here->turns) - message->number;
    if (turns > overload_now.waited_turns) overload_now.waited_turns = turns;
}

static hy_err overload_pass_by(void *unused) {
    (void)unused;
    while (overload_clock() < overload_now.until) {
        CHECK_OK(crowd_tell(overload_now.bystander, atomic_load(&hyi_here->turns)));
        CHECK_OK(hy_sleep(HY_MS(7)));
    }
    return HY_OK;
}

static hy_err overload_watch(void *unused) {
    (void)unused;
    CHECK_OK(hy_sleep(OVERLOAD_LASTS / 10));
    size_t bytes = hyi_slabs_bytes(hyi_here);
    while (overload_clock() < overload_now.until) {
        CHECK_EQ(hyi_slabs_bytes(hyi_here), bytes);
        hy_account account = hy_node_account(hyi_here->node);
        CHECK(hy_account_holds(&account));
        CHECK(account.queued <= 2 * OVERLOAD_CAPACITY + 2);
        CHECK_OK(hy_sleep(HY_MS(500)));
    }
    return HY_OK;
}

static hy_err overload_minute(hy_node *node) {
    crowd_book *book = crowd_open_book(), *other_book = crowd_open_book();
    crowd_book *bystander_book = crowd_open_book();
    crowd_ref other;
    hy_mailbox_options mailbox = { .capacity = OVERLOAD_CAPACITY, .full = overload_now.full };
    book->on_note = other_book->on_note = overload_slow;
    bystander_book->on_note = overload_look;
    CHECK_OK(crowd_spawn(node, other_book, (hy_mailbox_options){ .capacity = OVERLOAD_CAPACITY },
                         &other));
    mailbox.redirect = other.ref;
    CHECK_OK(crowd_spawn(node, book, mailbox, &overload_now.to));
    CHECK_OK(crowd_spawn(node, bystander_book, (hy_mailbox_options){ 0 }, &overload_now.bystander));
    overload_now.until = overload_clock() + OVERLOAD_LASTS;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        for (uint32_t i = 0; i < OVERLOAD_PRODUCERS && err == HY_OK; i++)
            err = hy_spawn(scope, overload_produce, NULL, NULL, NULL);
        if (err == HY_OK) err = hy_spawn(scope, overload_pass_by, NULL, NULL, NULL);
        if (err == HY_OK) err = hy_spawn(scope, overload_watch, NULL, NULL, NULL);
    }
    CHECK_OK(err);
    CHECK_OK(hy_sleep(2 * OVERLOAD_CAPACITY * OVERLOAD_STEP));
    hy_account account = hy_node_account(node);
    CHECK(hy_account_holds(&account));
    CHECK_EQ(account.queued, 0);
    CHECK_EQ(account.dropped[HY_DROP_FULL], overload_now.refused);
    CHECK(book->count > OVERLOAD_LASTS / OVERLOAD_STEP * 9 / 10); // it was busy all the time
    CHECK(overload_now.waited_turns <= 2 * OVERLOAD_BATCH);
    return HY_OK;
}

static hy_err overload_with(hy_mem *mem, hy_full full) {
    overload_now = (overload){ .full = full };
    return crowd_run(mem, overload_minute);
}

static hy_err a_minute_of_refusals(hy_mem *mem) {
    return overload_with(mem, HY_FULL_FAIL);
}
static hy_err a_minute_of_waiting(hy_mem *mem) {
    hy_err err = overload_with(mem, HY_FULL_WAIT);
    if (err == HY_OK) CHECK_EQ(overload_now.refused, 0);
    return err;
}
static hy_err a_minute_of_dropping_the_new(hy_mem *mem) {
    return overload_with(mem, HY_FULL_DROP_NEW);
}
static hy_err a_minute_of_dropping_the_old(hy_mem *mem) {
    return overload_with(mem, HY_FULL_DROP_OLD);
}
static hy_err a_minute_of_redirecting(hy_mem *mem) {
    return overload_with(mem, HY_FULL_REDIRECT);
}

// A flood that is handled at full speed, in batches, and somebody beside it: how many messages are
// handled before theirs?
static hy_err overload_flood(void *unused) {
    (void)unused;
    for (uint32_t i = 0; i < 2000; i++) {
        hy_err err = HY_OK;
        for (uint32_t j = 0; j < 640 && err == HY_OK; j++)
            err = crowd_tell(overload_now.to, i);
        CHECK(err == HY_OK || err == HY_LIMIT);
        if (i % 4 == 0) {
            overload_now.sent_at = atomic_load(&hyi_here->handled);
            CHECK_OK(crowd_tell(overload_now.bystander, i));
        }
        CHECK_OK(hy_yield());
    }
    return HY_OK;
}

static void overload_count(hy_actor *self, const crowd_number *message, void *arg) {
    (void)self, (void)message, (void)arg;
    uint64_t handled = atomic_load(&hyi_here->handled) - overload_now.sent_at;
    if (handled > overload_now.waited_turns) overload_now.waited_turns = handled;
}

static hy_err overload_beside_a_flood(hy_node *node, void *unused) {
    (void)unused;
    crowd_book *book = crowd_open_book(), *bystander_book = crowd_open_book();
    overload_now = (overload){ .full = HY_FULL_FAIL };
    bystander_book->on_note = overload_count;
    hy_mailbox_options much = { .capacity = 4096 };
    CHECK_OK(crowd_spawn(node, book, much, &overload_now.to));
    CHECK_OK(crowd_spawn(node, bystander_book, (hy_mailbox_options){ 0 }, &overload_now.bystander));
    CHECK_OK(overload_flood(NULL));
    node_settle(node);
    CHECK_EQ(bystander_book->count, 500);
    CHECK(overload_now.waited_turns <= 2 * OVERLOAD_BATCH);
    return HY_OK;
}

static hy_err others_are_handled_beside_a_flood(hy_mem *mem) {
    return node_in_real(mem, 1, NULL, overload_beside_a_flood, NULL);
}

KIT_TESTS(KIT_TEST_ONCE(a_minute_of_refusals), KIT_TEST_ONCE(a_minute_of_waiting),
          KIT_TEST_ONCE(a_minute_of_dropping_the_new), KIT_TEST_ONCE(a_minute_of_dropping_the_old),
          KIT_TEST_ONCE(a_minute_of_redirecting), KIT_TEST_ONCE(others_are_handled_beside_a_flood))
