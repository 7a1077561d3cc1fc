// Waiting for room: in order of arrival, never faster than those who wait, and always to an end.
//
// The receiver sleeps in a handler with a full mailbox, so that everybody who sends has to wait:
// for room, for the end of their own time or their scope's, or for the receiver's end. Whoever can
// wait does (fibers, handlers, actors with a `then`); who cannot is refused.
#include "actor/crowd_suite.h"
#include "kit/kit.h"

typedef struct room_sender {
    crowd_ref to;
    uint64_t number;
    hy_ns room_wait;
    hy_err err;
    bool done;
} room_sender;

static hy_err room_send(void *sender_arg) {
    room_sender *sender = sender_arg;
    const hy_send_options *options = HY_OPTIONS(hy_send, .room_wait = sender->room_wait);
    sender->err = HY_TELL_WITH(options, crowd, note, sender->to, .number = sender->number);
    sender->done = true;
    return sender->err == HY_NOMEM ? HY_NOMEM : HY_OK;
}

// Full with 1 and 2, and asleep for `sleeps` in a message that keeps its place meanwhile.
static hy_err room_full_one(hy_node *node, hy_ns sleeps, crowd_book **out_book, crowd_ref *out_to) {
    *out_book = crowd_open_book();
    hy_mailbox_options three = { .capacity = 3, .full = HY_FULL_WAIT };
    CHECK_OK(crowd_spawn(node, *out_book, three, out_to));
    CHECK_OK(HY_TELL(crowd, sleep, *out_to, .ns = sleeps));
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_tell(*out_to, 1));
    CHECK_OK(crowd_tell(*out_to, 2));
    return HY_OK;
}

static hy_err senders_wait_in_order_body(hy_node *node) {
    crowd_book *book = NULL;
    room_sender senders[5];
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        if ((err = room_full_one(node, HY_MS(10), &book, &senders[0].to)) != HY_OK) break;
        for (uint32_t i = 0; i < 5 && err == HY_OK; i++) {
            senders[i] = (room_sender){ .to = senders[0].to, .number = 3 + i };
            err = hy_spawn(scope, room_send, &senders[i], NULL, NULL);
            if (err == HY_OK) err = crowd_settle();
        }
        for (uint32_t i = 0; i < 5 && err == HY_OK; i++)
            CHECK(!senders[i].done);
        hy_account account = hy_node_account(node);
        CHECK(hy_account_holds(&account));
    }
    CHECK_OK(err);
    CHECK_OK(crowd_settle());
    for (uint32_t i = 0; i < 5; i++)
        CHECK_OK(senders[i].err);
    CHECK(CROWD_HAS(book, 1, 2, 3, 4, 5, 6, 7));
    return HY_OK;
}
CROWD_TEST(senders_wait_in_order)

static hy_err waiting_has_an_end_body(hy_node *node) {
    crowd_book *book = NULL;
    room_sender senders[4];
    hy_err err = HY_OK;
    crowd_ref to;
    CHECK_OK(room_full_one(node, HY_MS(100), &book, &to));
    HY_SCOPE(scope, &err) {
        senders[0] = (room_sender){ .to = to, .number = 3, .room_wait = HY_MS(5) };
        err = hy_spawn(scope, room_send, &senders[0], NULL, NULL);
        hy_ns began = hy_world_now(hy_scope_world(scope));
        if (err == HY_OK) err = hy_scope_join(scope);
        if (err != HY_OK) break;
        CHECK(hy_world_now(hy_scope_world(scope)) - began >= HY_MS(5));
        CHECK_ERR(senders[0].err, HY_LIMIT); // its own time ran out
    }
    CHECK_OK(err);
    HY_SCOPE(timed, &err, .timeout = HY_MS(5)) {
        senders[1] = (room_sender){ .to = to, .number = 4 };
        err = room_send(&senders[1]); // waits in this fiber, and this scope
    }
    CHECK(err == HY_TIMEOUT || err == HY_NOMEM);
    if (err == HY_NOMEM) return HY_NOMEM;
    CHECK_ERR(senders[1].err, HY_TIMEOUT); // its scope's did
    err = HY_OK;
    HY_SCOPE(cut, &err) {
        senders[2] = (room_sender){ .to = to, .number = 5 };
        err = hy_spawn(cut, room_send, &senders[2], NULL, NULL);
        if (err == HY_OK) err = crowd_settle();
        if (err == HY_OK) break;
    }
    CHECK_OK(err);
    CHECK_ERR(senders[2].err, HY_CANCELLED);
    CHECK_OK(hy_sleep(HY_MS(200)));
    CHECK(CROWD_HAS(book, 1, 2));
    return HY_OK;
}
CROWD_TEST(waiting_has_an_end)

static hy_err the_end_wakes_all_body(hy_node *node) {
    crowd_book *book = NULL;
    room_sender senders[3];
    crowd_ref to;
    hy_err err = HY_OK;
    CHECK_OK(room_full_one(node, HY_SECONDS(1), &book, &to));
    HY_SCOPE(scope, &err) {
        for (uint32_t i = 0; i < 3 && err == HY_OK; i++) {
            senders[i] = (room_sender){ .to = to, .number = 3 + i };
            err = hy_spawn(scope, room_send, &senders[i], NULL, NULL);
        }
        if (err == HY_OK) err = crowd_settle();
        if (err != HY_OK) break;
        hy_actor_kill(to.ref);
    }
    CHECK_OK(err);
    for (uint32_t i = 0; i < 3; i++)
        CHECK_ERR(senders[i].err, HY_NOT_FOUND);
    CHECK_EQ(book->count, 0);
    return HY_OK;
}
CROWD_TEST(the_end_wakes_all)

// A call-back of the world cannot wait.
typedef struct room_callback {
    hy_post post;
    crowd_ref to;
    hy_err err;
} room_callback;

static void room_post_done(hy_post *post) {
    room_callback *callback = (room_callback *)(void *)post;
    callback->err = crowd_tell(callback->to, 99);
}

static hy_err who_cannot_wait_is_refused_body(hy_node *node) {
    crowd_book *book = NULL;
    static room_callback callback;
    CHECK_OK(room_full_one(node, HY_MS(10), &book, &callback.to));
    callback.post.done = room_post_done;
    callback.err = HY_OK;
    hy_world_post(hy_scope_world(hy_scope_current()), &callback.post);
    CHECK_OK(crowd_settle());
    CHECK_ERR(callback.err, HY_LIMIT);
    CHECK_OK(hy_sleep(HY_MS(20)));
    CHECK(CROWD_HAS(book, 1, 2));
    return HY_OK;
}
CROWD_TEST(who_cannot_wait_is_refused)

// Handlers wait as fibers do; but not for their own actor.
static hy_err room_self_err;
static void room_send_to_self(hy_actor *self, const crowd_number *message, void *arg) {
    (void)arg;
    crowd_ref me = { hy_self(self) };
    if (message->number == 1) room_self_err = crowd_tell(me, 50);
}

static hy_err oneself_is_not_waited_for_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    book->on_note = room_send_to_self;
    hy_mailbox_options two = { .capacity = 2, .full = HY_FULL_WAIT };
    CHECK_OK(crowd_spawn(node, book, two, &to));
    CHECK_OK(crowd_tell(to, 1));
    CHECK_OK(crowd_tell(to, 2));
    room_self_err = HY_OK;
    CHECK_OK(hy_actor_wait_ready(to.ref, HY_NEVER));
    CHECK_OK(crowd_settle());
    CHECK(room_self_err == HY_OK || room_self_err == HY_LIMIT || room_self_err == HY_NOMEM);
    return HY_OK;
}
CROWD_TEST(oneself_is_not_waited_for)

// Relay: what it is told it tells the next one, and waits for room there.
static void room_relay(hy_actor *self, const crowd_number *message, void *arg) {
    (void)self;
    hy_err err = crowd_tell(*(crowd_ref *)arg, message->number);
    CHECK(err == HY_OK || kit_failed_allocation());
}

static hy_err handlers_wait_body(hy_node *node) {
    crowd_book *book = NULL, *relay_book = crowd_open_book();
    static crowd_ref to;
    crowd_ref relay;
    CHECK_OK(room_full_one(node, HY_MS(10), &book, &to));
    relay_book->on_note = room_relay;
    relay_book->arg = &to;
    CHECK_OK(crowd_spawn(node, relay_book, (hy_mailbox_options){ 0 }, &relay));
    for (uint64_t i = 3; i < 9; i++)
        CHECK_OK(crowd_tell(relay, i));
    CHECK_OK(crowd_settle());
    CHECK_EQ(relay_book->count, 1); // it waits in its first message
    CHECK_OK(hy_sleep(HY_MS(30)));
    if (!kit_failed_allocation()) CHECK(CROWD_HAS(book, 1, 2, 3, 4, 5, 6, 7, 8));
    return HY_OK;
}
CROWD_TEST(handlers_wait)

static hy_err wait_room_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ .capacity = 2 }, &to));
    CHECK_OK(hy_wait_room(to.ref, HY_NEVER));
    CHECK_OK(HY_TELL(crowd, sleep, to, .ns = HY_MS(10)));
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_tell(to, 1));
    hy_ns now = hy_world_now(hy_scope_world(hy_scope_current()));
    CHECK_ERR(hy_wait_room(to.ref, now + HY_MS(1)), HY_TIMEOUT);
    CHECK_OK(hy_wait_room(to.ref, HY_NEVER));
    CHECK_OK(crowd_tell(to, 2));
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 1, 2));
    hy_actor_stop(to.ref);
    CHECK_OK(crowd_settle());
    CHECK_ERR(hy_wait_room(to.ref, HY_NEVER), HY_NOT_FOUND);
    return HY_OK;
}
CROWD_TEST(wait_room)

// Of the default mailbox, too, and whoever waits there is told of its end.
static hy_err wait_room_ends_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    CHECK_OK(HY_TELL(crowd, sleep, to, .ns = HY_MS(3)));
    CHECK_OK(crowd_settle());
    for (uint64_t i = 0; i < 1023; i++)
        CHECK_OK(crowd_tell(to, i));
    CHECK_ERR(crowd_tell(to, 0), HY_LIMIT);
    hy_actor_stop(to.ref);
    CHECK_ERR(hy_wait_room(to.ref, HY_NEVER), HY_NOT_FOUND);
    return HY_OK;
}
CROWD_TEST(wait_room_ends)

static crowd_ref room_other;
static uint32_t room_told;
static hy_err room_there_is(hy_actor *self, void *state, hy_err err, const void *reply) {
    (void)self, (void)state;
    CHECK(reply == NULL);
    CHECK(err == HY_OK || err == HY_NOT_FOUND);
    room_told += err == HY_OK ? 1 : 100;
    return HY_OK;
}
static void room_ask_for_room(hy_actor *self, const crowd_number *message, void *arg) {
    (void)message, (void)arg;
    hy_err err = hy_room_then(self, room_other.ref, room_there_is);
    CHECK(err == HY_OK || kit_failed_allocation());
}

static hy_err room_then_body(hy_node *node) {
    crowd_book *book = crowd_open_book(), *asker_book = crowd_open_book();
    crowd_ref asker;
    asker_book->on_note = room_ask_for_room;
    room_told = 0;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ .capacity = 2 }, &room_other));
    CHECK_OK(crowd_spawn(node, asker_book, (hy_mailbox_options){ 0 }, &asker));
    CHECK_OK(crowd_tell(asker, 1));
    CHECK_OK(crowd_settle());
    if (!kit_failed_allocation()) CHECK_EQ(room_told, 1); // there was room
    CHECK_OK(HY_TELL(crowd, sleep, room_other, .ns = HY_MS(10)));
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_tell(room_other, 1));
    CHECK_OK(crowd_tell(asker, 2));
    CHECK_OK(crowd_tell(asker, 3));
    CHECK_OK(crowd_settle());
    if (!kit_failed_allocation()) CHECK_EQ(room_told, 1);
    CHECK_OK(hy_sleep(HY_MS(20)));
    if (!kit_failed_allocation()) CHECK_EQ(room_told, 3);

    CHECK_OK(HY_TELL(crowd, sleep, room_other, .ns = HY_MS(10)));
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_tell(room_other, 1));
    CHECK_OK(crowd_tell(asker, 4));
    CHECK_OK(crowd_settle());
    hy_actor_kill(room_other.ref);
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_tell(asker, 5));
    CHECK_OK(crowd_settle());
    if (!kit_failed_allocation()) CHECK_EQ(room_told, 203);
    return HY_OK;
}
CROWD_TEST(room_then)

KIT_TESTS(KIT_TEST(senders_wait_in_order), KIT_TEST(waiting_has_an_end),
          KIT_TEST(the_end_wakes_all), KIT_TEST(who_cannot_wait_is_refused),
          KIT_TEST(oneself_is_not_waited_for), KIT_TEST(handlers_wait), KIT_TEST(wait_room),
          KIT_TEST_ONCE(wait_room_ends), KIT_TEST(room_then))
