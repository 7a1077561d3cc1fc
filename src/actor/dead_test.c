// Dead letters: each one is told, kept and counted, and none causes another.
//
// A letter says to whom, why, and what it was, with the body as long as the call lasts. The
// subscriber here may be a bad one, that sends in the middle of it: what becomes of that is
// counted, and not told, so there is no end to be missed.
#include "actor/dead.h"
#include "actor/crowd_suite.h"
#include "kit/kit.h"

#include <string.h>

typedef struct dead_seen {
    hy_dead_letter latest;
    uint64_t number; // of the body, where it was at hand
    uint32_t count;
    crowd_ref again; // sends there when it hears something; id 0: no
} dead_seen;
static dead_seen dead_here;

static void dead_hear(void *self, const hy_dead_letter *letter) {
    dead_seen *seen = self;
    seen->latest = *letter;
    seen->count++;
    seen->number = 0;
    if (letter->body && strcmp(letter->message, "note") == 0) {
        seen->number = ((const crowd_number *)letter->body)->number;
    }
    if (seen->again.ref.id != 0) {
        hy_err err = crowd_tell(seen->again, 1000); // which it should not
        CHECK(err != HY_OK);
    }
}

static hy_err letters_are_told_body(hy_node *node) {
    dead_here = (dead_seen){ .count = 0 };
    CHECK_OK(hy_dead_letters(node, dead_hear, &dead_here));
    crowd_book *book = crowd_open_book();
    crowd_ref to;
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ .capacity = 2 }, &to));
    CHECK_OK(crowd_tell(to, 0));
    CHECK_OK(crowd_tell(to, 1));
    CHECK_ERR(crowd_tell(to, 2), HY_LIMIT);
    CHECK_EQ(dead_here.count, 1);
    CHECK_EQ(dead_here.latest.reason, HY_DROP_FULL);
    CHECK(hy_ref_equal(dead_here.latest.to, to.ref));
    CHECK(strcmp(dead_here.latest.protocol, "crowd") == 0);
    CHECK(strcmp(dead_here.latest.message, "note") == 0);
    CHECK_EQ(dead_here.latest.tag, crowd_note_tag);
    CHECK_EQ(dead_here.number, 2);

    CHECK_OK(crowd_settle());
    CHECK_OK(HY_TELL(crowd, sleep, to, .ns = HY_MS(5)));
    CHECK_OK(crowd_settle());
    CHECK_OK(crowd_tell(to, 3));
    hy_actor_kill(to.ref);
    CHECK_OK(hy_sleep(HY_MS(10)));
    CHECK_EQ(dead_here.latest.reason, HY_DROP_ENDED);
    CHECK_EQ(dead_here.number, 3);
    CHECK_ERR(crowd_tell(to, 4), HY_NOT_FOUND);
    CHECK_EQ(dead_here.latest.reason, HY_DROP_NOBODY);
    CHECK_EQ(dead_here.number, 4);
    CHECK_ERR(crowd_tell((crowd_ref){ HY_NOBODY }, 5), HY_NOT_FOUND);
    return HY_OK;
}
CROWD_TEST(letters_are_told)

static hy_err letters_cause_no_letters_body(hy_node *node) {
    dead_here = (dead_seen){ .count = 0 };
    crowd_book *book = crowd_open_book();
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ .capacity = 1 }, &dead_here.again));
    CHECK_OK(hy_dead_letters(node, dead_hear, &dead_here));
    CHECK_OK(crowd_tell(dead_here.again, 1));
    CHECK_ERR(crowd_tell(dead_here.again, 2), HY_LIMIT);
    CHECK_EQ(dead_here.count, 1);
    if (!kit_failed_allocation()) CHECK_EQ(crowd_dropped(node, HY_DROP_FULL), 2);
    dead_here.again = (crowd_ref){ HY_NOBODY };
    return HY_OK;
}
CROWD_TEST(letters_cause_no_letters)

static hy_err subscribers_have_a_limit_body(hy_node *node) {
    dead_here = (dead_seen){ .count = 0 };
    for (uint32_t i = 0; i < HYI_LETTERS_HEARD_MAX; i++)
        CHECK_OK(hy_dead_letters(node, dead_hear, &dead_here));
    CHECK_ERR(hy_dead_letters(node, dead_hear, &dead_here), HY_LIMIT);
    CHECK_ERR(crowd_tell((crowd_ref){ HY_NOBODY }, 5), HY_NOT_FOUND);
    CHECK_EQ(dead_here.count, HYI_LETTERS_HEARD_MAX);
    return HY_OK;
}
CROWD_TEST(subscribers_have_a_limit)

static hy_err the_latest_are_kept_body(hy_node *node) {
    hy_dead_letter letter;
    uint64_t cursor = 0;
    CHECK(!hyi_letter_next(node, &cursor, &letter));
    for (uint64_t i = 0; i < 300; i++)
        CHECK_ERR(crowd_tell((crowd_ref){ HY_NOBODY }, i), HY_NOT_FOUND);
    uint32_t count = 0;
    while (hyi_letter_next(node, &cursor, &letter)) {
        CHECK(letter.body == NULL);
        CHECK_EQ(letter.reason, HY_DROP_NOBODY);
        CHECK(strcmp(hy_drop_name(letter.reason), "nobody") == 0);
        count++;
    }
    CHECK_EQ(count, 256);
    CHECK_EQ(cursor, 300);
    CHECK_ERR(crowd_tell((crowd_ref){ HY_NOBODY }, 7), HY_NOT_FOUND);
    CHECK(hyi_letter_next(node, &cursor, &letter));
    CHECK(!hyi_letter_next(node, &cursor, &letter));
    return HY_OK;
}
CROWD_TEST(the_latest_are_kept)

static hy_err every_reason_has_a_name(hy_mem *mem) {
    (void)mem;
    for (uint32_t i = 1; i < HY_DROP_COUNT; i++) {
        CHECK(strcmp(hy_drop_name((hy_drop)i), "?") != 0);
        for (uint32_t j = 1; j < i; j++)
            CHECK(strcmp(hy_drop_name((hy_drop)i), hy_drop_name((hy_drop)j)) != 0);
    }
    CHECK(strcmp(hy_drop_name((hy_drop)0), "?") == 0);
    CHECK(strcmp(hy_drop_name(HY_DROP_COUNT), "?") == 0);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(letters_are_told), KIT_TEST(letters_cause_no_letters),
          KIT_TEST(subscribers_have_a_limit), KIT_TEST_ONCE(the_latest_are_kept),
          KIT_TEST_ONCE(every_reason_has_a_name))
