// What the sender's scope carries arrives in the handler's: trace, tenant, time left.
//
// It goes on from handler to handler, by shared messages too, and does not stick to an actor: the
// next message without any is handled without. That the sender's time has run out is never the
// receiver's failure; that there was no memory for the scope is.
#include "actor/crowd_suite.h"
#include "kit/kit.h"

#include <string.h>

static const hy_baggage carried_bag = {
    .trace = { 1, 2 }, .span = 77, .sampled = true, .tenant = "north"
};

static hy_err nothing_is_carried_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    CHECK_OK(crowd_tell(to, 1));
    CHECK_OK(crowd_settle());
    CHECK_EQ(book->count, 1);
    CHECK(book->baggage.tenant[0] == 0);
    CHECK_EQ(book->deadline, HY_NEVER);
    return HY_OK;
}
CROWD_TEST(nothing_is_carried)

static hy_err baggage_arrives_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    hy_err err = HY_OK;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    CHECK_OK(hy_actor_wait_ready(to.ref, HY_NEVER));
    HY_SCOPE(scope, &err, .baggage = &carried_bag, .timeout = HY_SECONDS(2)) {
        err = crowd_tell(to, 1);
        hy_ns deadline = hy_scope_deadline(scope);
        if (err == HY_OK) err = crowd_settle();
        // Without memory for its scope a message is not handled, and its actor fails.
        if (err == HY_OK && kit_failed_allocation()) err = HY_NOMEM;
        if (err != HY_OK) break;
        CHECK(strcmp(book->baggage.tenant, "north") == 0);
        CHECK(memcmp(&book->baggage.trace, &carried_bag.trace, sizeof(hy_id)) == 0);
        CHECK_EQ(book->baggage.span, 77);
        CHECK(book->deadline <= deadline && book->deadline > deadline - HY_SECONDS(1));
        err = HY_TELL(crowd, tell, to, .text = HY_BYTES("words"), .number = 2);
        if (err == HY_OK) err = crowd_settle();
        if (err == HY_OK && kit_failed_allocation()) err = HY_NOMEM;
        if (err != HY_OK) break;
        CHECK(strcmp(book->baggage.tenant, "north") == 0);
        CHECK(strcmp(book->text, "words") == 0);
    }
    CHECK_OK(err);
    CHECK_OK(crowd_tell(to, 3)); // and it does not stick
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 1, 2, 3));
    CHECK(book->baggage.tenant[0] == 0);
    CHECK_EQ(book->deadline, HY_NEVER);
    return HY_OK;
}
CROWD_TEST(baggage_arrives)

static void carried_relay(hy_actor *self, const crowd_number *message, void *arg) {
    (void)self;
    hy_err err = crowd_tell(*(crowd_ref *)arg, message->number);
    CHECK(err == HY_OK || kit_failed_allocation());
}

// From handler to handler, and shared messages as well.
static hy_err baggage_travels_on_body(hy_node *node) {
    crowd_book *book = crowd_open_book(), *relay_book = crowd_open_book();
    static crowd_ref to;
    crowd_ref relay;
    hy_err err = HY_OK;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    relay_book->on_note = carried_relay;
    relay_book->arg = &to;
    CHECK_OK(crowd_spawn(node, relay_book, (hy_mailbox_options){ 0 }, &relay));
    HY_SCOPE(scope, &err, .baggage = &carried_bag) {
        crowd_number *made = NULL;
        hy_frozen *frozen = NULL;
        err = HY_MAKE(crowd, note, &made);
        if (err == HY_OK) err = HY_FREEZE(crowd, note, &made, &frozen);
        if (err != HY_OK) hy_message_drop(made);
        if (err == HY_OK) err = HY_SHARE(crowd, note, relay, frozen);
        hy_frozen_unref(frozen);
    }
    CHECK_OK(err);
    CHECK_OK(crowd_settle());
    if (!kit_failed_allocation()) {
        CHECK_EQ(book->count, 1);
        CHECK(strcmp(book->baggage.tenant, "north") == 0);
    }
    return HY_OK;
}
CROWD_TEST(baggage_travels_on)

// The time that a message waited is not left; what is late that way is handled all the same.
static hy_err time_passes_on_the_way_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    hy_err err = HY_OK;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    CHECK_OK(HY_TELL(crowd, sleep, to, .ns = HY_MS(50)));
    CHECK_OK(crowd_settle());
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_ns deadline = hy_world_now(world) + HY_MS(100);
    HY_SCOPE(scope, &err, .timeout = HY_MS(100)) {
        err = crowd_tell(to, 1);
    }
    CHECK_OK(err);
    HY_SCOPE(scope, &err, .timeout = HY_MS(10)) {
        err = crowd_tell(to, 2);
    }
    CHECK_OK(err);
    CHECK_OK(hy_sleep(HY_MS(52)));
    if (kit_failed_allocation()) return HY_NOMEM;
    if (book->count == 2) CHECK(book->deadline <= hy_world_now(world));
    CHECK_OK(hy_sleep(HY_MS(10)));
    CHECK(CROWD_HAS(book, 1, 2));
    CHECK(hy_actor_is_alive(to.ref)); // a sender's time is no failure of the handler's
    (void)deadline;
    return HY_OK;
}
CROWD_TEST(time_passes_on_the_way)

KIT_TESTS(KIT_TEST(nothing_is_carried), KIT_TEST(baggage_arrives), KIT_TEST(baggage_travels_on),
          KIT_TEST(time_passes_on_the_way))
