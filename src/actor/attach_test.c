// What belongs to a message: its texts, memory of its own, an object; made, taken, moved, dropped.
//
// All of it ends with the message, wherever that is: after its handler, in the mailbox of one who
// has gone, or in the sender's hands. Texts of a told message are spoilt by their sender right
// after the send, so that a copy that was none is seen.
#include "actor/crowd_suite.h"
#include "kit/kit.h"

#include <string.h>

static uint32_t attach_dropped;
static void attach_drop(void *object) {
    (void)object;
    attach_dropped++;
}

static hy_err texts_are_copied_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    char text[] = "hello";
    uint64_t numbers[300];
    for (uint64_t i = 0; i < 300; i++)
        numbers[i] = i;
    crowd_text message = { .text = { (const uint8_t *)text, 5 }, .number = 7 };
    CHECK_OK(HY_TELL(crowd, tell, to, .text = message.text, .number = 1)); // in the same block
    message.numbers.ptr = numbers;
    message.numbers.len = 300; // in a larger one
    CHECK_OK(crowd_tell_tell(to, &message, NULL));
    memset(text, 'x', 5), memset(numbers, 0xff, sizeof numbers);
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 1, 7));
    CHECK(strcmp(book->text, "hello") == 0);
    CHECK_EQ(book->sum, 300 * 299 / 2);
    return HY_OK;
}
CROWD_TEST(texts_are_copied)

static hy_err made_messages_have_memory_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    crowd_text *made = NULL;
    CHECK_OK(HY_MAKE(crowd, tell, &made));
    CHECK(made->text.ptr == NULL && made->number == 0);
    bool ok = true;
    for (size_t size = 0; size < 20000 && ok; size = size * 2 + 1) {
        uint8_t *memory = hy_message_alloc(made, size);
        ok = memory != NULL;
        CHECK(((uintptr_t)memory & 15) == 0);
        if (memory) memset(memory, (int)size, size);
    }
    uint64_t *numbers = ok ? hy_message_alloc(made, 4 * sizeof *numbers) : NULL;
    if (!numbers) {
        hy_message_drop(made);
        return HY_NOMEM;
    }
    for (uint64_t i = 0; i < 4; i++)
        numbers[i] = i;
    made->numbers.ptr = numbers;
    made->numbers.len = 4;
    made->number = 3;
    hy_err err = HY_MOVE(crowd, tell, to, &made);
    hy_message_drop(made);
    CHECK_OK(err);
    CHECK_OK(crowd_settle());
    CHECK(CROWD_HAS(book, 3));
    CHECK_EQ(book->sum, 6);
    return HY_OK;
}
CROWD_TEST(made_messages_have_memory)

static hy_err objects_end_with_the_message_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    attach_dropped = 0;
    static int object;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    crowd_number *made = NULL;
    CHECK_OK(HY_MAKE(crowd, note, &made));
    hy_err err = hy_message_attach(made, &object, attach_drop);
    CHECK(err == HY_OK);
    CHECK(hy_message_attach(made, &object, attach_drop) == HY_EXISTS);
    CHECK(hy_message_detach(made) == &object);
    CHECK(hy_message_detach(made) == NULL);
    CHECK(hy_message_attach(made, &object, attach_drop) == HY_OK);
    err = HY_MOVE(crowd, note, to, &made);
    if (err != HY_OK) hy_message_drop(made);
    CHECK_OK(err);
    CHECK_EQ(attach_dropped, 0);
    CHECK_OK(crowd_settle());
    CHECK_EQ(attach_dropped, 1); // handled

    CHECK_OK(HY_MAKE(crowd, note, &made));
    CHECK(hy_message_attach(made, &object, attach_drop) == HY_OK);
    hy_message_drop(made);
    CHECK_EQ(attach_dropped, 2);

    CHECK_OK(HY_MAKE(crowd, note, &made));
    CHECK(hy_message_attach(made, &object, attach_drop) == HY_OK);
    hy_actor_stop(to.ref);
    err = HY_MOVE(crowd, note, to, &made);
    if (err != HY_OK) hy_message_drop(made);
    CHECK(err == HY_OK || err == HY_NOT_FOUND);
    CHECK_OK(crowd_settle());
    CHECK_EQ(attach_dropped, 3); // in the mailbox at the end
    return HY_OK;
}
CROWD_TEST(objects_end_with_the_message)

// Takes what it is told, changes it, and moves it on.
static void attach_forward(hy_actor *self, const crowd_number *message, void *arg) {
    crowd_number *taken = hy_message_take(self, message);
    if (!taken) return;
    taken->number += 100;
    if (!hy_message_alloc(taken, 100)) CHECK(kit_failed_allocation());
    hy_err err = HY_MOVE(crowd, note, *(crowd_ref *)arg, &taken);
    CHECK(err == HY_OK || kit_failed_allocation());
    hy_message_drop(taken);
}

static hy_err taken_messages_move_on_body(hy_node *node) {
    crowd_book *book = crowd_open_book(), *forwarder_book = crowd_open_book();
    static crowd_ref to;
    crowd_ref forwarder;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    forwarder_book->on_note = attach_forward;
    forwarder_book->arg = &to;
    CHECK_OK(crowd_spawn(node, forwarder_book, (hy_mailbox_options){ 0 }, &forwarder));
    CHECK_OK(crowd_tell(forwarder, 1));
    crowd_number *made = NULL;
    CHECK_OK(HY_MAKE(crowd, note, &made));
    made->number = 2;
    hy_err err = HY_MOVE(crowd, note, forwarder, &made);
    hy_message_drop(made);
    CHECK_OK(err);
    CHECK_OK(HY_MAKE(crowd, note, &made));
    made->number = 3;
    hy_frozen *frozen = NULL;
    err = HY_FREEZE(crowd, note, &made, &frozen);
    if (err != HY_OK) hy_message_drop(made);
    CHECK_OK(err);
    err = HY_SHARE(crowd, note, forwarder, frozen);
    if (err == HY_OK) err = HY_SHARE(crowd, note, to, frozen);
    hy_frozen_unref(frozen);
    CHECK_OK(err);
    CHECK_OK(crowd_settle());
    if (!kit_failed_allocation()) CHECK_EQ(book->count, 4);
    if (!kit_failed_allocation()) CHECK_EQ(forwarder_book->count, 3);
    bool changed = false;
    for (uint32_t i = 0; i < book->count; i++)
        changed = changed || book->numbers[i] == 103;
    CHECK(changed || kit_failed_allocation());
    CHECK(book->numbers[book->count - 1] != 3 || book->count < 4 || kit_failed_allocation());
    return HY_OK;
}
CROWD_TEST(taken_messages_move_on)

KIT_TESTS(KIT_TEST(texts_are_copied), KIT_TEST(made_messages_have_memory),
          KIT_TEST(objects_end_with_the_message), KIT_TEST(taken_messages_move_on))
