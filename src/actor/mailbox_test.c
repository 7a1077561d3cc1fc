// What a full mailbox does, for each policy, and which lane comes first.
//
// A fiber that sends does not give way, so it fills a mailbox before its actor gets a turn; and an
// actor that sleeps in a handler keeps the message at hand in its place, so that what is sent
// meanwhile stays as it is. Every number that is handled is in the book, in order.
#include "actor/crowd_suite.h"
#include "kit/kit.h"

static hy_err full_refuses_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ .capacity = 3 }, &to));
    for (uint64_t i = 1; i <= 3; i++)
        CHECK_OK(crowd_tell(to, i));
    CHECK_ERR(crowd_tell(to, 4), HY_LIMIT);
    crowd_number *made = NULL;
    CHECK_OK(HY_MAKE(crowd, note, &made));
    made->number = 5;
    hy_err err = HY_MOVE(crowd, note, to, &made);
    CHECK(err == HY_LIMIT && made != NULL); // refused, it stays the caller's
    CHECK_EQ(crowd_dropped(node, HY_DROP_FULL), 2);
    CHECK_OK(crowd_settle());
    err = HY_MOVE(crowd, note, to, &made);
    hy_message_drop(made);
    CHECK_OK(err);
    CHECK(made == NULL);
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 1, 2, 3, 5));
    return HY_OK;
}
CROWD_TEST(full_refuses)

static hy_err drop_new_drops_the_new_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    hy_mailbox_options two = { .capacity = 2, .full = HY_FULL_DROP_NEW };
    CHECK_OK(crowd_spawn(node, book, two, &to));
    for (uint64_t i = 1; i <= 5; i++)
        CHECK_OK(crowd_tell(to, i));
    CHECK_EQ(crowd_dropped(node, HY_DROP_NEW), 3);
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 1, 2));
    return HY_OK;
}
CROWD_TEST(drop_new_drops_the_new)

static hy_err drop_old_drops_the_oldest_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    hy_mailbox_options three = { .capacity = 3, .full = HY_FULL_DROP_OLD };
    CHECK_OK(crowd_spawn(node, book, three, &to));
    for (uint64_t i = 1; i <= 7; i++)
        CHECK_OK(crowd_tell(to, i));
    CHECK_EQ(crowd_dropped(node, HY_DROP_OLD), 4);
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 5, 6, 7));
    return HY_OK;
}
CROWD_TEST(drop_old_drops_the_oldest)

static hy_err crowd_urgent(crowd_ref to, uint64_t number) {
    const hy_send_options *urgent = HY_OPTIONS(hy_send, .lane = HY_LANE_URGENT);
    return HY_TELL_WITH(urgent, crowd, note, to, .number = number);
}

static hy_err mailbox_ignore(hy_actor *self, void *state, hy_err err, const void *reply) {
    (void)self, (void)state, (void)reply;
    return err == HY_NOMEM ? HY_OK : err;
}

// A keeper that asks another one, without waiting for it.
static void mailbox_ask_on(hy_actor *self, const crowd_number *message, void *arg) {
    if (message->number != 100) return;
    crowd_ref *to = arg;
    hy_err err = HY_ASK_THEN(crowd, last, self, *to, HY_SECONDS(1), mailbox_ignore, .number = 50);
    CHECK(err == HY_OK || kit_failed_allocation());
}

static hy_err drop_old_keeps_what_matters_body(hy_node *node) {
    crowd_book *book = crowd_open_book(), *asker_book = crowd_open_book();
    asker_book->on_note = mailbox_ask_on;
    crowd_ref to, asker;
    hy_mailbox_options four = { .capacity = 4, .full = HY_FULL_DROP_OLD };
    CHECK_OK(crowd_spawn(node, book, four, &to));
    CHECK_OK(crowd_spawn(node, asker_book, (hy_mailbox_options){ 0 }, &asker));
    asker_book->arg = &to;
    CHECK_OK(HY_TELL(crowd, sleep, to, .ns = HY_MS(10))); // its mailbox stays as it is
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_tell(asker, 100));
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_urgent(to, 20));
    CHECK_OK(crowd_tell(to, 1));
    CHECK_OK(crowd_tell(to, 2));    // gives up 1
    CHECK_OK(crowd_urgent(to, 21)); // gives up 2: nothing is left that may be
    CHECK_OK(crowd_tell(to, 3));    // so that is dropped
    if (!kit_failed_allocation()) {
        CHECK_EQ(crowd_dropped(node, HY_DROP_OLD), 2);
        CHECK_EQ(crowd_dropped(node, HY_DROP_NEW), 1);
    }
    CHECK_OK(hy_sleep(HY_MS(20)));
    if (!kit_failed_allocation()) CHECK(CROWD_HAS(book, 20, 21, 50));
    return HY_OK;
}
CROWD_TEST(drop_old_keeps_what_matters)

static hy_err redirect_goes_elsewhere_once_body(hy_node *node) {
    crowd_book *book = crowd_open_book(), *other_book = crowd_open_book();
    crowd_book *third_book = crowd_open_book();
    crowd_ref to, other, third;
    CHECK_OK(crowd_spawn(node, third_book, (hy_mailbox_options){ 0 }, &third));
    hy_mailbox_options one = { .capacity = 1, .full = HY_FULL_REDIRECT, .redirect = third.ref };
    CHECK_OK(crowd_spawn(node, other_book, one, &other));
    one.redirect = other.ref;
    CHECK_OK(crowd_spawn(node, book, one, &to));
    CHECK_OK(crowd_tell(to, 1));
    CHECK_OK(crowd_tell(to, 2));
    CHECK_ERR(crowd_tell(to, 3), HY_LIMIT); // not to the third: once is enough
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 1));
    CHECK(CROWD_HAS(other_book, 2));
    CHECK_EQ(third_book->count, 0);
    CHECK_EQ(crowd_dropped(node, HY_DROP_FULL), 1);

    hy_actor_stop(other.ref);
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_tell(to, 4));
    hy_err err = crowd_tell(to, 5); // where there is nobody
    CHECK(err == HY_NOT_FOUND || err == HY_NOMEM);
    return HY_OK;
}
CROWD_TEST(redirect_goes_elsewhere_once)

static hy_err redirect_is_for_the_same_protocol_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    hy_ref stranger;
    CHECK_OK(hy_spawn_actor(node, HY_NOBODY, &hy_supervisor_type, NULL, NULL, &stranger));
    hy_mailbox_options one = { .capacity = 1, .full = HY_FULL_REDIRECT, .redirect = stranger };
    CHECK_OK(crowd_spawn(node, book, one, &to));
    CHECK_OK(crowd_tell(to, 1));
    CHECK_ERR(crowd_tell(to, 2), HY_LIMIT);
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 1));
    return HY_OK;
}
CROWD_TEST(redirect_is_for_the_same_protocol)

static hy_err redirect_to_a_full_one_refuses_body(hy_node *node) {
    crowd_book *book = crowd_open_book(), *other_book = crowd_open_book();
    crowd_ref to, other;
    CHECK_OK(crowd_spawn(node, other_book, (hy_mailbox_options){ .capacity = 1 }, &other));
    hy_mailbox_options one = { .capacity = 1, .full = HY_FULL_REDIRECT, .redirect = other.ref };
    CHECK_OK(crowd_spawn(node, book, one, &to));
    hy_mailbox_options none = { .full = HY_FULL_REDIRECT };
    crowd_ref nobody;
    CHECK_ERR(crowd_spawn(node, book, none, &nobody), HY_RANGE);
    none = (hy_mailbox_options){ .capacity = (1u << 24) + 1 };
    CHECK_ERR(crowd_spawn(node, book, none, &nobody), HY_RANGE);
    CHECK_OK(crowd_tell(other, 1));
    CHECK_OK(crowd_tell(to, 2));
    CHECK_ERR(crowd_tell(to, 3), HY_LIMIT);
    return HY_OK;
}
CROWD_TEST(redirect_to_a_full_one_refuses)

static crowd_ref mailbox_stops;
static hy_err mailbox_stopped;
static hy_err mailbox_await_end(void *unused) {
    (void)unused;
    mailbox_stopped = hy_actor_wait_end(mailbox_stops.ref, HY_NEVER);
    return HY_OK;
}

static hy_err stop_fails_the_actor_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    hy_mailbox_options two = { .capacity = 2, .full = HY_FULL_STOP };
    CHECK_OK(crowd_spawn(node, book, two, &mailbox_stops));
    CHECK_OK(hy_actor_wait_ready(mailbox_stops.ref, HY_NEVER));
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        err = hy_spawn(scope, mailbox_await_end, NULL, NULL, NULL);
        if (err == HY_OK) err = crowd_settle();
        if (err == HY_OK) err = crowd_tell(mailbox_stops, 1);
        if (err == HY_OK) err = crowd_tell(mailbox_stops, 2);
        if (err == HY_OK) err = crowd_tell(mailbox_stops, 3);
        if (err == HY_LIMIT) err = HY_OK;
        if (err != HY_OK) break;
    }
    CHECK_OK(err);
    CHECK_ERR(mailbox_stopped, HY_LIMIT);
    CHECK_EQ(book->count, 0);
    CHECK_EQ(crowd_dropped(node, HY_DROP_FULL), 1);
    CHECK_EQ(crowd_dropped(node, HY_DROP_ENDED), 2);
    return HY_OK;
}
CROWD_TEST(stop_fails_the_actor)

static hy_err urgent_overtakes_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ .capacity = 4 }, &to));
    CHECK_OK(crowd_tell(to, 1));
    CHECK_OK(crowd_urgent(to, 10));
    CHECK_OK(crowd_tell(to, 2));
    CHECK_OK(crowd_urgent(to, 11));
    CHECK_ERR(crowd_urgent(to, 12), HY_LIMIT); // one capacity for all lanes
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 10, 11, 1, 2));
    return HY_OK;
}
CROWD_TEST(urgent_overtakes)

static hy_err late_messages_are_dropped_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    CHECK_OK(hy_actor_wait_ready(to.ref, HY_NEVER));
    hy_ns now = hy_world_now(hy_scope_world(hy_scope_current()));
    const hy_send_options *soon = HY_OPTIONS(hy_send, .deadline = now + HY_MS(1));
    const hy_send_options *later = HY_OPTIONS(hy_send, .deadline = now + HY_MS(100));
    CHECK_OK(HY_TELL(crowd, sleep, to, .ns = HY_MS(10)));
    CHECK_OK(HY_TELL_WITH(soon, crowd, note, to, .number = 1));
    CHECK_OK(HY_TELL_WITH(later, crowd, note, to, .number = 2));
    CHECK_OK(HY_TELL_WITH(soon, crowd, tell, to, .text = HY_BYTES("late"), .number = 3));
    CHECK_OK(crowd_tell(to, 4));
    CHECK_OK(hy_sleep(HY_MS(20)));
    CHECK(CROWD_HAS(book, 2, 4));
    CHECK_EQ(crowd_dropped(node, HY_DROP_LATE), 2);
    return HY_OK;
}
CROWD_TEST(late_messages_are_dropped)

// Places that were given up, refused or late are places again.
static hy_err room_comes_back_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ .capacity = 2 }, &to));
    for (uint64_t round = 0; round < 20; round++) {
        hy_ns now = hy_world_now(hy_scope_world(hy_scope_current()));
        const hy_send_options *past = HY_OPTIONS(hy_send, .deadline = now - 1);
        CHECK_OK(HY_TELL_WITH(past, crowd, note, to, .number = 1000));
        CHECK_OK(crowd_tell(to, round));
        CHECK_ERR(crowd_tell(to, 2000), HY_LIMIT);
        CHECK_OK(crowd_settle());
    }
    CHECK_EQ(book->count, 20);
    CHECK_EQ(crowd_dropped(node, HY_DROP_LATE), 20);
    return HY_OK;
}
CROWD_TEST(room_comes_back)

KIT_TESTS(KIT_TEST(full_refuses), KIT_TEST(drop_new_drops_the_new),
          KIT_TEST(drop_old_drops_the_oldest), KIT_TEST(drop_old_keeps_what_matters),
          KIT_TEST(redirect_goes_elsewhere_once), KIT_TEST(redirect_to_a_full_one_refuses),
          KIT_TEST(redirect_is_for_the_same_protocol), KIT_TEST(stop_fails_the_actor),
          KIT_TEST(urgent_overtakes), KIT_TEST(late_messages_are_dropped),
          KIT_TEST(room_comes_back))
