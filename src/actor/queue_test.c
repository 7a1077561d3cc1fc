// queue_test.c - the inbox keeps what is pushed, in order, and has one owner at a time.
//
// First each step by itself, the gap included: a pusher is stopped between its exchange and its
// link by doing only the first half by hand. Then all at once: threads push, and whoever becomes
// the owner drains and lets go, as workers do.
#include "actor/queue.h"

#include "kit/kit.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

typedef struct parcel {
    hyi_message head;
    uint32_t from, number;
} parcel;

static hy_actor fresh_actor(void) {
    hy_actor actor;
    memset(&actor, 0, sizeof actor);
    atomic_init(&actor.inbox_newest, HYI_INBOX_EMPTY);
    atomic_init(&actor.life, 7u << 8);
    atomic_init(&actor.owner, HYI_NO_OWNER);
    return actor;
}

static parcel numbered(uint32_t number) {
    return (parcel){ .head = { .tag = 1 }, .number = number };
}

static void count_stale(hy_actor *actor, hyi_message *message) {
    (void)message;
    actor->handled++;
}

static hyi_pushed push(hy_actor *actor, parcel *first, parcel *last, uint32_t count) {
    bool stale = false;
    hyi_chain chain = { &first->head, &last->head, count };
    return hyi_inbox_push(actor, 7, chain, count_stale, &stale);
}

static uint32_t taken_number(hy_actor *actor) {
    const hyi_message *message = hyi_local_take(actor);
    return message ? ((const parcel *)(const void *)message)->number : 0;
}

// ---- step by step -----------------------------------------------------------------------------

static hy_err the_first_to_push_owns(hy_mem *mem) {
    (void)mem;
    hy_actor actor = fresh_actor();
    parcel a = numbered(1), b = numbered(2);
    CHECK_EQ(push(&actor, &a, &a, 1), HYI_PUSHED_OWNING);
    CHECK_EQ(push(&actor, &b, &b, 1), HYI_PUSHED);
    CHECK(!hyi_inbox_seize(&actor));
    CHECK(!hyi_inbox_let_go(&actor, 3)); // there is something in it
    CHECK(hyi_inbox_drain(&actor));
    CHECK_EQ(actor.local_count, 2);
    CHECK_EQ(taken_number(&actor), 1);
    CHECK_EQ(taken_number(&actor), 2);
    CHECK(hyi_inbox_let_go(&actor, 3));
    CHECK(hyi_inbox_seize(&actor));
    CHECK(!hyi_inbox_seize(&actor));
    CHECK_EQ(push(&actor, &a, &a, 1), HYI_PUSHED); // it has an owner, if an idle one
    return HY_OK;
}

static hy_err chains_keep_their_order(hy_mem *mem) {
    (void)mem;
    hy_actor actor = fresh_actor();
    parcel p[6];
    for (uint32_t i = 0; i < 6; i++)
        p[i] = numbered(i + 1);
    p[1].head.next_ = &p[2];
    p[2].head.next_ = &p[3];
    CHECK_EQ(push(&actor, &p[0], &p[0], 1), HYI_PUSHED_OWNING);
    CHECK_EQ(push(&actor, &p[1], &p[3], 3), HYI_PUSHED);
    CHECK_EQ(push(&actor, &p[4], &p[4], 1), HYI_PUSHED);
    CHECK_EQ(atomic_load(&actor.inbox_sent), 5);
    CHECK(hyi_inbox_drain(&actor));
    for (uint32_t i = 1; i <= 5; i++)
        CHECK_EQ(taken_number(&actor), i);
    return HY_OK;
}

// The first half of a push.
static uintptr_t begin_push(hy_actor *actor, parcel *p) {
    return atomic_exchange(&actor->inbox_newest, (uintptr_t)&p->head);
}

static hy_err a_gap_is_waited_for(hy_mem *mem) {
    (void)mem;
    hy_actor actor = fresh_actor();
    parcel a = numbered(1), b = numbered(2), c = numbered(3);
    // The very first is on its way: nothing is there, and yet the inbox is not clear.
    CHECK_EQ(begin_push(&actor, &a), HYI_INBOX_EMPTY);
    CHECK(!hyi_inbox_is_clear(&actor));
    CHECK(!hyi_inbox_drain(&actor));
    CHECK(!hyi_inbox_let_go(&actor, 1));
    atomic_store(&actor.inbox_oldest, &a.head);
    // The next is on its way: what is before it stays, because its pusher still writes to it.
    CHECK(begin_push(&actor, &b) == (uintptr_t)&a.head);
    CHECK_EQ(push(&actor, &c, &c, 1), HYI_PUSHED);
    CHECK(!hyi_inbox_drain(&actor));
    CHECK_EQ(actor.local_count, 0);
    a.head.next_ = &b.head;
    CHECK(hyi_inbox_drain(&actor));
    CHECK_EQ(taken_number(&actor), 1);
    CHECK_EQ(taken_number(&actor), 2);
    CHECK_EQ(taken_number(&actor), 3);
    CHECK(hyi_inbox_let_go(&actor, 1));
    return HY_OK;
}

static hy_err some_are_taken_in_at_a_time(hy_mem *mem) {
    (void)mem;
    hy_actor actor = fresh_actor();
    static parcel p[200];
    for (uint32_t i = 0; i < 200; i++) {
        p[i] = numbered(i + 1);
        (void)push(&actor, &p[i], &p[i], 1);
    }
    CHECK(!hyi_inbox_drain_some(&actor));
    CHECK(actor.local_count > 0 && actor.local_count < 200);
    CHECK(!hyi_inbox_let_go(&actor, 1));
    CHECK(hyi_inbox_drain(&actor));
    for (uint32_t i = 1; i <= 200; i++)
        CHECK_EQ(taken_number(&actor), i);
    return HY_OK;
}

static hy_err what_is_for_another_is_marked(hy_mem *mem) {
    (void)mem;
    hy_actor actor = fresh_actor();
    parcel a = numbered(1), b = numbered(2), c = numbered(3);
    atomic_store(&actor.life, 8u << 8); // the one with 7 has ended
    b.head.next_ = &c.head;
    CHECK_EQ(push(&actor, &a, &a, 1), HYI_PUSHED_OWNING);
    CHECK_EQ(push(&actor, &b, &c, 2), HYI_PUSHED);
    CHECK_EQ(actor.handled, 3); // told of each
    CHECK_EQ(a.head.tag, 0);
    CHECK_EQ(c.head.tag, 0);
    CHECK_EQ(atomic_load(&actor.inbox_sent), 0); // and none takes room
    return HY_OK;
}

static hy_err an_order_is_seen_by_who_lets_go(hy_mem *mem) {
    (void)mem;
    hy_actor actor = fresh_actor();
    CHECK(hyi_inbox_seize(&actor));
    atomic_fetch_or(&actor.life, HYI_ORDER_STOP); // after the owner's last look
    CHECK(!hyi_inbox_let_go(&actor, 5));
    CHECK_EQ(atomic_load(&actor.owner), 5);
    CHECK(hyi_inbox_is_clear(&actor)); // owned again
    return HY_OK;
}

static hy_err higher_lanes_come_first(hy_mem *mem) {
    (void)mem;
    hy_actor actor = fresh_actor();
    hyi_kin kin = { .actor = &actor };
    actor.kin = &kin;
    parcel p[4];
    for (uint32_t i = 0; i < 4; i++) {
        p[i] = numbered(i + 1);
        if (i == 1 || i == 3) p[i].head.flags = HYI_MESSAGE_URGENT;
        if (i == 2) p[i].head.flags = HYI_MESSAGE_SYSTEM;
        (void)push(&actor, &p[i], &p[i], 1);
    }
    CHECK(hyi_inbox_drain(&actor));
    CHECK(hyi_mailbox_take(&actor) == &p[2].head);
    CHECK(hyi_mailbox_take(&actor) == &p[1].head);
    CHECK(hyi_mailbox_take(&actor) == &p[3].head);
    CHECK(hyi_mailbox_take(&actor) == &p[0].head);
    CHECK(hyi_mailbox_take(&actor) == NULL);
    return HY_OK;
}

// ---- all at once ------------------------------------------------------------------------------

#define THREADS 4u
#define EACH 5000u

static struct {
    hy_actor actor;
    parcel parcels[THREADS][EACH];
    uint32_t next[THREADS]; // the owner's
    _Atomic uint32_t owners, got, wrong;
} all;

// The owner, until it has let go. Whoever has become the owner by a push is one.
static void own(void) {
    if (atomic_fetch_add(&all.owners, 1) != 0) atomic_fetch_add(&all.wrong, 1);
    for (;;) {
        (void)hyi_inbox_drain_some(&all.actor);
        hyi_message *message = NULL;
        while ((message = hyi_local_take(&all.actor))) {
            const parcel *p = (const parcel *)(const void *)message;
            if (all.next[p->from]++ != p->number) atomic_fetch_add(&all.wrong, 1);
            atomic_fetch_add(&all.got, 1);
        }
        if (!hyi_inbox_is_clear(&all.actor)) {
            sched_yield();
            continue;
        }
        atomic_fetch_sub(&all.owners, 1);
        if (hyi_inbox_let_go(&all.actor, 1)) return;
        atomic_fetch_add(&all.owners, 1);
    }
}

static void *push_all(void *arg) {
    uint32_t from = (uint32_t)(uintptr_t)arg;
    for (uint32_t i = 0; i < EACH;) {
        parcel *first = &all.parcels[from][i], *last = first;
        uint32_t count = i % 3 == 0 && i + 5 < EACH ? 5 : 1;
        for (uint32_t n = 0; n < count; n++, i++) {
            last = &all.parcels[from][i];
            *last = (parcel){ .head = { .tag = 1 }, .from = from, .number = i };
            if (n + 1 < count) last->head.next_ = last + 1;
        }
        if (push(&all.actor, first, last, count) == HYI_PUSHED_OWNING) own();
    }
    return NULL;
}

static hy_err nothing_is_lost_and_one_owns(hy_mem *mem) {
    (void)mem;
    memset(&all, 0, sizeof all);
    all.actor = fresh_actor();
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, push_all, (void *)i), 0);
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(atomic_load(&all.got), THREADS * EACH);
    CHECK_EQ(atomic_load(&all.wrong), 0);
    CHECK_EQ(atomic_load(&all.actor.inbox_newest), HYI_INBOX_EMPTY);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(the_first_to_push_owns), KIT_TEST(chains_keep_their_order),
          KIT_TEST(a_gap_is_waited_for), KIT_TEST(some_are_taken_in_at_a_time),
          KIT_TEST(what_is_for_another_is_marked), KIT_TEST(an_order_is_seen_by_who_lets_go),
          KIT_TEST(higher_lanes_come_first), KIT_TEST_ONCE(nothing_is_lost_and_one_owns))
