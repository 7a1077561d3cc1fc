// crowd_suite.c - an actor that writes down what it is told.
//
// Books are static, a few for each run: the actors that write into them end with the node, which is
// after the body of the test has returned, and its variables are gone. After a body that went well
// everything that is ready gets its turn, and then the account must hold.
#include "actor/crowd_suite.h"
#include "actor/node_suite.h"

#include "kit/kit.h"

#include <string.h>

HY_RECORD_DEFINE(crowd_number, CROWD_NUMBER)
HY_RECORD_DEFINE(crowd_text, CROWD_TEXT)
HY_RECORD_DEFINE(crowd_time, CROWD_TIME)
HY_RECORD_DEFINE(crowd_err, CROWD_ERR)
HY_PROTOCOL_DEFINE(crowd, CROWD);

typedef struct crowd_state {
    crowd_book *book;
    uint64_t last;
} crowd_state;
HY_BEHAVIOUR(crowd, CROWD, crowd, crowd_state);

static hy_err crowd_start(hy_actor *self, void *state_at, const void *arg) {
    (void)self;
    crowd_state *state = state_at;
    state->book = ((const crowd_arg *)arg)->book;
    return HY_OK;
}

const hy_actor_type crowd_type = {
    .name = "keeper",
    .first = &crowd_behaviour,
    .state_size = sizeof(crowd_state),
    .arg_size = sizeof(crowd_arg),
    .start = crowd_start,
};

static void crowd_write(hy_actor *self, crowd_book *book, uint64_t number) {
    if (book->count < CROWD_BOOK_MAX) book->numbers[book->count] = number;
    book->count++;
    const hy_baggage *baggage = hy_message_baggage(self);
    book->baggage = baggage ? *baggage : (hy_baggage){ 0 };
    book->deadline = hy_scope_deadline(hy_scope_current());
}

static hy_err crowd_on_note(hy_actor *self, crowd_state *state, const crowd_number *message) {
    crowd_write(self, state->book, message->number);
    state->last = message->number;
    if (state->book->on_note) state->book->on_note(self, message, state->book->arg);
    return HY_OK;
}

static hy_err crowd_on_tell(hy_actor *self, crowd_state *state, const crowd_text *message) {
    crowd_write(self, state->book, message->number);
    CHECK(message->text.len < sizeof state->book->text);
    if (message->text.len) memcpy(state->book->text, message->text.ptr, message->text.len);
    state->book->text[message->text.len] = 0;
    state->book->sum = 0;
    for (size_t i = 0; i < message->numbers.len; i++)
        state->book->sum += message->numbers.ptr[i];
    return HY_OK;
}

static hy_err crowd_on_sleep(hy_actor *self, crowd_state *state, const crowd_time *message) {
    (void)self, (void)state;
    return hy_sleep(message->ns);
}

static hy_err crowd_on_fail(hy_actor *self, crowd_state *state, const crowd_err *message) {
    (void)self, (void)state;
    return (hy_err)message->err;
}

static hy_err crowd_on_last(hy_actor *self, crowd_state *state, const crowd_number *message,
                            crowd_number *out_reply) {
    crowd_write(self, state->book, message->number);
    out_reply->number = state->last;
    return HY_OK;
}

hy_err crowd_spawn(hy_node *node, crowd_book *book, hy_mailbox_options mailbox,
                   crowd_ref *out_ref) {
    crowd_arg arg = { book };
    return HY_SPAWN(crowd, node, HY_NOBODY, &crowd_type, &arg,
                    HY_OPTIONS(hy_actor, .mailbox = mailbox), out_ref);
}

hy_err crowd_tell(crowd_ref to, uint64_t number) {
    return HY_TELL(crowd, note, to, .number = number);
}

bool crowd_has(const crowd_book *book, const uint64_t *numbers, uint32_t count) {
    if (book->count != count) return false;
    return memcmp(book->numbers, numbers, count * sizeof *numbers) == 0;
}

hy_err crowd_settle(void) {
    return hy_sleep(HY_MS(1));
}

static crowd_book crowd_books[8];
static uint32_t crowd_books_open;

crowd_book *crowd_open_book(void) {
    crowd_book *book = &crowd_books[crowd_books_open++ % 8];
    *book = (crowd_book){ .count = 0 };
    return book;
}

static hy_err crowd_in_node(hy_node *node, void *body_arg) {
    crowd_body body = *(crowd_body *)body_arg;
    CHECK_OK(body(node));
    CHECK_OK(crowd_settle());
    hy_account account = hy_node_account(node);
    CHECK(hy_account_holds(&account));
    return HY_OK;
}

hy_err crowd_run(hy_mem *mem, crowd_body body) {
    crowd_books_open = 0;
    return node_in_sim(mem, NULL, crowd_in_node, &body);
}

uint64_t crowd_dropped(const hy_node *node, hy_drop reason) {
    return hy_node_account(node).dropped[reason];
}
