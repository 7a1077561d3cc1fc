// Shared messages: one body for all, gone with the last; labels and tickets.
//
// Something is attached to each, so that its end is seen: not before the last receiver has handled
// it, and once. A ticket counts what waits, and is as it was after a send that was refused.
#include "actor/crowd_suite.h"
#include "actor/for_broker.h"
#include "kit/kit.h"

#include <string.h>

static uint32_t frozen_dropped;
static void frozen_drop(void *object) {
    (void)object;
    frozen_dropped++;
}

// A frozen note of this number, with something attached, so that its end is seen.
static hy_err frozen_note(uint64_t number, const char *label, hy_frozen **out_frozen) {
    static int object;
    crowd_number *made = NULL;
    CHECK_OK(HY_MAKE(crowd, note, &made));
    made->number = number;
    hy_err err = hy_message_attach(made, &object, frozen_drop);
    CHECK(err == HY_OK);
    err = hyi_freeze_as(&crowd_note_kind, made, hy_bytes_of(label), out_frozen);
    if (err != HY_OK) hy_message_drop(made);
    return err;
}

static hy_err the_last_one_frees_body(hy_node *node) {
    crowd_book *a_book = crowd_open_book(), *b_book = crowd_open_book();
    crowd_ref a, b;
    hy_frozen *frozen = NULL;
    CHECK_OK(crowd_spawn(node, a_book, (hy_mailbox_options){ .capacity = 2 }, &a));
    CHECK_OK(crowd_spawn(node, b_book, (hy_mailbox_options){ 0 }, &b));
    CHECK_OK(HY_TELL(crowd, sleep, b, .ns = HY_MS(5)));
    CHECK_OK(crowd_settle());
    frozen_dropped = 0;
    CHECK_OK(frozen_note(7, "", &frozen));
    hy_err err = HY_SHARE(crowd, note, a, frozen);
    if (err == HY_OK) err = HY_SHARE(crowd, note, a, frozen);
    if (err == HY_OK) CHECK(HY_SHARE(crowd, note, a, frozen) != HY_OK); // full, and no leak
    if (err == HY_OK) err = HY_SHARE(crowd, note, b, frozen);
    hy_frozen_unref(hy_frozen_ref(frozen));
    hy_frozen_unref(frozen);
    CHECK_OK(err);
    CHECK_EQ(frozen_dropped, 0);
    CHECK_OK(crowd_settle());
    CHECK_EQ(a_book->count, 2);
    CHECK_EQ(frozen_dropped, 0); // b has it still
    CHECK_OK(hy_sleep(HY_MS(10)));
    CHECK(CROWD_HAS(b_book, 7));
    CHECK_EQ(frozen_dropped, 1);
    return HY_OK;
}
CROWD_TEST(the_last_one_frees)

static char frozen_label[16];
static void frozen_read_label(hy_actor *self, const crowd_number *message, void *arg) {
    (void)arg;
    const char *label = hyi_message_label(self, message);
    strncpy(frozen_label, label ? label : "none", sizeof frozen_label - 1);
}

static hy_err labels_are_read_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    hy_frozen *frozen = NULL;
    book->on_note = frozen_read_label;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &to));
    CHECK_OK(frozen_note(1, "prices.eur", &frozen));
    CHECK_EQ(((const crowd_number *)hyi_frozen_body(frozen))->number, 1);
    hy_err err = HY_SHARE(crowd, note, to, frozen);
    hy_frozen_unref(frozen);
    CHECK_OK(err);
    CHECK_OK(crowd_settle());
    CHECK(strcmp(frozen_label, "prices.eur") == 0);
    CHECK_OK(crowd_tell(to, 2));
    CHECK_OK(crowd_settle());
    CHECK(strcmp(frozen_label, "none") == 0);
    return HY_OK;
}
CROWD_TEST(labels_are_read)

static hyi_ticket frozen_ticket;

static hy_err tickets_are_counted_body(hy_node *node) {
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    hy_frozen *frozen = NULL;
    memset(&frozen_ticket, 0, sizeof frozen_ticket);
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ .capacity = 3 }, &to));
    CHECK_OK(frozen_note(7, "", &frozen));
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < 3 && err == HY_OK; i++)
        err = hyi_share_with(to.ref, &crowd_note_kind, hy_frozen_ref(frozen), &frozen_ticket);
    if (err == HY_OK) {
        CHECK_EQ(hyi_ticket_waiting(&frozen_ticket), 3);
        hy_err full =
            hyi_share_with(to.ref, &crowd_note_kind, hy_frozen_ref(frozen), &frozen_ticket);
        CHECK(full == HY_LIMIT || full == HY_NOMEM);
        CHECK_EQ(hyi_ticket_waiting(&frozen_ticket), 3); // given back
        atomic_store(&frozen_ticket.skip, 2);
    }
    hy_frozen_unref(frozen);
    CHECK_OK(err);
    CHECK_OK(crowd_settle());
    CHECK_EQ(hyi_ticket_waiting(&frozen_ticket), 0);
    CHECK_EQ(book->count, 1);
    CHECK_EQ(crowd_dropped(node, HY_DROP_OLD), 2);
    return HY_OK;
}
CROWD_TEST(tickets_are_counted)

static hy_err deepened_copies_own_their_texts(hy_mem *mem) {
    (void)mem;
    char text[] = "some words that are longer than a block of the smallest size is wide";
    crowd_text *copy = hyi_message_new(&crowd_tell_kind, sizeof *copy);
    if (!copy) return HY_NOMEM;
    *copy = (crowd_text){ .text = { (const uint8_t *)text, sizeof text - 1 }, .number = 5 };
    void *body = copy;
    hy_err err = hyi_message_deepen(&crowd_tell_kind, &body);
    memset(text, 'x', sizeof text - 1);
    copy = body;
    if (err == HY_OK) CHECK(memcmp(copy->text.ptr, "some words", 10) == 0);
    if (err == HY_OK && !hy_message_alloc(copy, 1000)) err = HY_NOMEM; // like a made one
    if (err == HY_OK) CHECK(memcmp(copy->text.ptr, "some words", 10) == 0);
    hy_message_drop(copy);
    return err;
}

KIT_TESTS(KIT_TEST(the_last_one_frees), KIT_TEST(labels_are_read), KIT_TEST(tickets_are_counted),
          KIT_TEST_ONCE(deepened_copies_own_their_texts))
