// crowd_suite.h - an actor that writes down what it is told.     Room: actor (tests). Includes:
// scope. Threads: a keeper's state is its own; the book it writes into is the test's, and one
// worker's.
//
// What tests of mailboxes need: messages with a number and a sender, texts, a question, and
// something to keep the actor from handling more. A keeper writes every number it handles into its
// book.
#ifndef HYI_ACTOR_CROWD_SUITE_H
#define HYI_ACTOR_CROWD_SUITE_H

#include <hypha/actor.h>

#define CROWD_NUMBER(F) F(1, u64, number) F(2, u32, from)
HY_RECORD(crowd_number, CROWD_NUMBER)
#define CROWD_TEXT(F) F(1, str, text) F(2, list(u64), numbers) F(3, u64, number)
HY_RECORD(crowd_text, CROWD_TEXT)
#define CROWD_TIME(F) F(1, i64, ns)
HY_RECORD(crowd_time, CROWD_TIME)
#define CROWD_ERR(F) F(1, u32, err)
HY_RECORD(crowd_err, CROWD_ERR)

#define CROWD(TELL, ASK, x)                                                                        \
    TELL(x, 1, note, crowd_number)                                                                 \
    TELL(x, 2, tell, crowd_text)                                                                   \
    TELL(x, 3, sleep, crowd_time)                                                                  \
    TELL(x, 4, fail, crowd_err)                                                                    \
    ASK(x, 5, last, crowd_number, crowd_number)
HY_PROTOCOL(crowd, CROWD);

#define CROWD_BOOK_MAX 1024u
typedef struct crowd_book {
    uint64_t numbers[CROWD_BOOK_MAX];
    uint32_t count;     // so far; the first ones are kept
    char text[64];      // of the latest text
    uint64_t sum;       // of its numbers
    hy_baggage baggage; // of the latest message; time_left 0: it had none
    hy_ns deadline;     // of its handler's scope
    void (*on_note)(hy_actor *self, const crowd_number *message, void *arg);
    void *arg;
} crowd_book;

typedef struct crowd_arg {
    crowd_book *book;
} crowd_arg;

extern const hy_actor_type crowd_type;

// A fresh book, of eight for each run: it outlives the actors, which end after the body.
crowd_book *crowd_open_book(void);

// A keeper with this mailbox, below nobody.
HY_CHECKED hy_err crowd_spawn(hy_node *node, crowd_book *book, hy_mailbox_options mailbox,
                              crowd_ref *out_ref);
hy_err crowd_tell(crowd_ref to, uint64_t number); // a note, without options
// Did the book get exactly these, in order?
bool crowd_has(const crowd_book *book, const uint64_t *numbers, uint32_t count);
#define CROWD_HAS(book, ...)                                                                       \
    crowd_has((book), (const uint64_t[]){ __VA_ARGS__ },                                           \
              sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))
// Fiber of a simulated world: lets everything that is ready run, and a moment pass.
hy_err crowd_settle(void);
// The body of a test: a fiber with a node of one worker, in a simulated world. The account must
// hold when it returns HY_OK.
typedef hy_err (*crowd_body)(hy_node *node);
HY_CHECKED hy_err crowd_run(hy_mem *mem, crowd_body body);
#define CROWD_TEST(name)                                                                           \
    static hy_err name(hy_mem *mem) {                                                              \
        return crowd_run(mem, name##_body);                                                        \
    }
// What has been dropped for this reason so far, in the whole node.
uint64_t crowd_dropped(const hy_node *node, hy_drop reason);

#endif
