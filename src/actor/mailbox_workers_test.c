// Full mailboxes between workers, and threads that are none: places promised across threads, waits
// that end at the same moment as they are cut, limits, and the order of each sender.
//
// Receivers are on worker 1 while senders are fibers of worker 0, or threads; so every send goes by
// the inbox, and every wake-up by a call. What is checked is what holds however the threads run.
#include "actor/crowd_suite.h"
#include "actor/mailbox.h"
#include "actor/node_suite.h"
#include "kit/kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define SENDERS_MAX 8u

typedef struct workers_run {
    crowd_ref to;
    uint32_t each; // messages of each sender
    uint32_t capacity;
    _Atomic uint64_t accepted, refused, over, handled, wrong;
    uint64_t last[SENDERS_MAX]; // the receiver's
} workers_run;
static workers_run run_now;

static void workers_note(hy_actor *self, const crowd_number *message, void *arg) {
    (void)self, (void)arg;
    if (message->number <= run_now.last[message->from]) atomic_fetch_add(&run_now.wrong, 1);
    run_now.last[message->from] = message->number;
    atomic_fetch_add(&run_now.handled, 1);
}

static hy_err workers_begin(hy_node *node, hy_mailbox_options mailbox, uint32_t each) {
    memset(&run_now, 0, sizeof run_now);
    run_now.each = each;
    run_now.capacity = mailbox.capacity;
    crowd_book *book = crowd_open_book();
    book->on_note = workers_note;
    crowd_arg arg = { book };
    return HY_SPAWN(crowd, node, HY_NOBODY, &crowd_type, &arg,
                    HY_OPTIONS(hy_actor, .mailbox = mailbox, .worker = 2), &run_now.to);
}

static void workers_send_one(uint32_t from, uint64_t number, const hy_send_options *options) {
    hy_err err = HY_TELL_WITH(options, crowd, note, run_now.to, .number = number, .from = from);
    atomic_fetch_add(err == HY_OK ? &run_now.accepted : &run_now.refused, 1);
    const hy_actor *actor = hyi_find(run_now.to.ref);
    if (!actor) return;
    // In this order: a limit that has grown in between makes it less, never more.
    uint32_t sent = atomic_load(&actor->inbox_sent);
    int32_t over = (int32_t)(sent - atomic_load(&actor->inbox_limit));
    if (over > 0 && (uint32_t)over > atomic_load(&run_now.over)) {
        atomic_store(&run_now.over, (uint32_t)over);
    }
}

static hy_err workers_send(void *arg) {
    uint32_t from = (uint32_t)(uintptr_t)arg;
    for (uint64_t i = 1; i <= run_now.each; i++) {
        workers_send_one(from, i, NULL);
        if (i % 7 == from % 7) CHECK_OK(hy_yield());
    }
    return HY_OK;
}

static hy_err workers_send_all(hy_fn fn) {
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        for (uintptr_t i = 0; i < SENDERS_MAX / 2 && err == HY_OK; i++)
            err = hy_spawn(scope, fn, (void *)i, NULL, NULL);
    }
    return err;
}

// The numbers are of different moments while the other worker is at it; in the end they agree.
static hy_err workers_finish(hy_node *node) {
    hy_account account = hy_node_account(node);
    while (!hy_account_holds(&account) || account.queued > 0) {
        CHECK_OK(hy_yield());
        account = hy_node_account(node);
    }
    CHECK_EQ(run_now.wrong, 0);
    return HY_OK;
}

// By how many messages may its limit have been passed? Places that are given to waiters are counted
// before the limit grows, so with them it says nothing.
static bool workers_kept_limit(hy_full full, uint32_t threads) {
    uint32_t own = full == HY_FULL_DROP_OLD ? run_now.capacity : 0;
    return full == HY_FULL_WAIT || run_now.over <= own + threads - 1;
}

static hy_err waiting_loses_nothing(hy_node *node, void *unused) {
    (void)unused;
    hy_mailbox_options few = { .capacity = 3, .full = HY_FULL_WAIT };
    CHECK_OK(workers_begin(node, few, 2000));
    CHECK_OK(workers_send_all(workers_send));
    CHECK_OK(workers_finish(node));
    CHECK_EQ(run_now.refused, 0);
    CHECK_EQ(run_now.handled, 2000 * SENDERS_MAX / 2);
    return HY_OK;
}

// Waits that are cut, by their own time or their scope's, while places are being given.
static hy_err workers_send_briefly(void *arg) {
    uint32_t from = (uint32_t)(uintptr_t)arg;
    for (uint64_t i = 1; i <= run_now.each; i++) {
        const hy_send_options *brief = HY_OPTIONS(hy_send, .room_wait = HY_US(i % 5 + 1));
        HY_SCOPE(scope, NULL, .timeout = HY_US(i % 7 + 1)) {
            workers_send_one(from, i, i % 2 ? brief : NULL);
        }
    }
    return HY_OK;
}

static hy_err cut_waits_give_back(hy_node *node, void *unused) {
    (void)unused;
    hy_mailbox_options few = { .capacity = 2, .full = HY_FULL_WAIT };
    CHECK_OK(workers_begin(node, few, 1000));
    CHECK_OK(workers_send_all(workers_send_briefly));
    CHECK_OK(workers_finish(node));
    CHECK_EQ(run_now.handled, run_now.accepted);
    // All places become free again: the latest that were given back are on their way.
    const hy_actor *actor = hyi_find(run_now.to.ref);
    CHECK(actor != NULL);
    while (hyi_mailbox_over(actor) != -2)
        CHECK_OK(hy_yield());
    return HY_OK;
}

static hy_err policies_between_workers(hy_node *node, void *unused) {
    (void)unused;
    for (hy_full full = HY_FULL_FAIL; full <= HY_FULL_DROP_OLD; full++) {
        hy_mailbox_options few = { .capacity = 8, .full = full };
        CHECK_OK(workers_begin(node, few, 2000));
        CHECK_OK(workers_send_all(workers_send));
        CHECK_OK(workers_finish(node));
        CHECK(workers_kept_limit(full, 1));
        hy_actor_stop(run_now.to.ref);
        CHECK_OK(hy_actor_wait_end(run_now.to.ref, HY_NEVER));
    }
    return HY_OK;
}

// Threads that are no workers: they cannot wait, and may pass the limit by what they send at once.
static void *workers_thread(void *arg) {
    uint32_t from = (uint32_t)(uintptr_t)arg;
    for (uint64_t i = 1; i <= run_now.each; i++)
        workers_send_one(from, i, NULL);
    return NULL;
}

static hy_err threads_are_refused(hy_node *node, void *unused) {
    (void)unused;
    for (hy_full full = HY_FULL_FAIL; full <= HY_FULL_DROP_OLD; full++) {
        hy_mailbox_options few = { .capacity = 8, .full = full };
        CHECK_OK(workers_begin(node, few, 2000));
        pthread_t threads[2];
        uint32_t started = 0;
        for (uintptr_t i = 0; i < 2; i++) {
            started += pthread_create(&threads[i], NULL, workers_thread,
                                      (void *)(SENDERS_MAX / 2 + i)) == 0;
        }
        hy_err err = workers_send_all(workers_send);
        for (uint32_t i = 0; i < started; i++)
            pthread_join(threads[i], NULL);
        CHECK_OK(err);
        CHECK_OK(workers_finish(node));
        CHECK(workers_kept_limit(full, 3));
        hy_actor_stop(run_now.to.ref);
        CHECK_OK(hy_actor_wait_end(run_now.to.ref, HY_NEVER));
    }
    return HY_OK;
}

// The receiver dies again and again, and another takes its place, while senders wait.
static hy_err workers_replace(void *node_arg) {
    for (uint32_t i = 0; i < 40; i++) {
        CHECK_OK(hy_sleep(HY_US(300)));
        crowd_ref old = run_now.to;
        crowd_book *book = crowd_open_book();
        crowd_arg arg = { book };
        hy_mailbox_options few = { .capacity = 2, .full = HY_FULL_WAIT };
        CHECK_OK(HY_SPAWN(crowd, (hy_node *)node_arg, HY_NOBODY, &crowd_type, &arg,
                          HY_OPTIONS(hy_actor, .mailbox = few, .worker = 2), &run_now.to));
        hy_actor_kill(old.ref);
    }
    return HY_OK;
}

static hy_err receivers_come_and_go(hy_node *node, void *unused) {
    (void)unused;
    hy_mailbox_options few = { .capacity = 2, .full = HY_FULL_WAIT };
    CHECK_OK(workers_begin(node, few, 3000));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        err = hy_spawn(scope, workers_replace, node, NULL, NULL);
        for (uintptr_t i = 0; i < SENDERS_MAX / 2 && err == HY_OK; i++)
            err = hy_spawn(scope, workers_send, (void *)i, NULL, NULL);
    }
    CHECK_OK(err);
    return workers_finish(node);
}

// A handler that sends more at once than there is room for: what is gathered knows the limit.
static void workers_on_flood(hy_actor *self, const crowd_number *message, void *arg) {
    (void)self, (void)message, (void)arg;
    for (uint64_t i = 1; i <= run_now.each; i++)
        workers_send_one(0, i, NULL);
}

static hy_err handlers_keep_limits(hy_node *node, void *unused) {
    (void)unused;
    for (uint32_t capacity = 1; capacity < 200; capacity = capacity * 3 + 1) {
        CHECK_OK(workers_begin(node, (hy_mailbox_options){ .capacity = capacity }, 500));
        crowd_book *book = crowd_open_book();
        crowd_arg arg = { book };
        crowd_ref flooder;
        book->on_note = workers_on_flood;
        CHECK_OK(HY_TELL(crowd, sleep, run_now.to, .ns = HY_MS(1))); // it is held up at first
        CHECK_OK(HY_SPAWN(crowd, node, HY_NOBODY, &crowd_type, &arg,
                          HY_OPTIONS(hy_actor, .worker = 1), &flooder));
        CHECK_OK(crowd_tell(flooder, 1));
        CHECK_OK(workers_finish(node));
        CHECK_EQ(run_now.accepted + run_now.refused, 500);
        CHECK_EQ(run_now.handled, run_now.accepted);
        CHECK(workers_kept_limit(HY_FULL_FAIL, 1));
    }
    return HY_OK;
}

#define ON_TWO(name)                                                                               \
    static hy_err two_##name(hy_mem *mem) {                                                        \
        return node_in_real(mem, 2, NULL, name, NULL);                                             \
    }
ON_TWO(waiting_loses_nothing)
ON_TWO(cut_waits_give_back)
ON_TWO(policies_between_workers)
ON_TWO(threads_are_refused)
ON_TWO(receivers_come_and_go)
ON_TWO(handlers_keep_limits)

KIT_TESTS(KIT_TEST_ONCE(two_waiting_loses_nothing), KIT_TEST_ONCE(two_cut_waits_give_back),
          KIT_TEST_ONCE(two_policies_between_workers), KIT_TEST_ONCE(two_threads_are_refused),
          KIT_TEST_ONCE(two_receivers_come_and_go), KIT_TEST_ONCE(two_handlers_keep_limits))
