// monitor_test.c - words about the end of others, and failing together.
//
// Watchers are told by messages what to watch and what to forget, and write down each word that
// they hear. What must hold: one word for each monitor, after the end for good and not before, none
// after hy_unmonitor, none for a start of the watcher that is over; and whoever is linked fails
// with the other, unless it has a `down`. With each allocation failing in turn a word may come
// early, with HY_NOMEM, but none is lost and nothing leaks.
#include "actor/grove_suite.h"
#include "kit/kit.h"

// A watcher does what it is told with its monitors and links, and writes down what it hears.
#define WATCH_WHO(F) F(1, u64, who)
HY_RECORD(watch_who, WATCH_WHO)
HY_RECORD_DEFINE(watch_who, WATCH_WHO)
#define WATCH(TELL, ASK, x)                                                                        \
    ASK(x, 1, monitor, watch_who, watch_who)                                                       \
    ASK(x, 2, unmonitor, watch_who, watch_who)                                                     \
    ASK(x, 3, link, watch_who, watch_who)                                                          \
    ASK(x, 4, unlink, watch_who, watch_who)                                                        \
    TELL(x, 5, fall, watch_who)                                                                    \
    ASK(x, 6, heard, watch_who, watch_who)
HY_PROTOCOL(watch, WATCH);
HY_PROTOCOL_DEFINE(watch, WATCH);

#define BOOK_MAX 64u
typedef struct book {
    hy_down downs[BOOK_MAX];
    uint32_t count, starts, stops;
    hy_err stopped_with;
    hy_err says; // what `down` returns
} book;

typedef struct watcher {
    book *book;
} watcher;
HY_BEHAVIOUR(watch, WATCH, watch, watcher);

static hy_err watch_start(hy_actor *self, void *state, const void *arg) {
    (void)self;
    ((watcher *)state)->book = (book *)(uintptr_t)arg;
    ((watcher *)state)->book->starts++;
    return HY_OK;
}

static void watch_stop(hy_actor *self, void *state, hy_err why) {
    (void)self;
    ((watcher *)state)->book->stops++;
    ((watcher *)state)->book->stopped_with = why;
}

static hy_err watch_down(hy_actor *self, void *state, const hy_down *down) {
    (void)self;
    book *b = ((watcher *)state)->book;
    if (b->count < BOOK_MAX) b->downs[b->count++] = *down;
    return b->says;
}

static hy_err watch_on_monitor(hy_actor *self, watcher *state, const watch_who *message,
                               watch_who *out_reply) {
    (void)state;
    return hy_monitor(self, (hy_ref){ message->who }, &out_reply->who);
}

static hy_err watch_on_unmonitor(hy_actor *self, watcher *state, const watch_who *message,
                                 watch_who *out_reply) {
    (void)state, (void)out_reply;
    hy_unmonitor(self, message->who);
    return HY_OK;
}

static hy_err watch_on_link(hy_actor *self, watcher *state, const watch_who *message,
                            watch_who *out_reply) {
    (void)state, (void)out_reply;
    return hy_link(self, (hy_ref){ message->who });
}

static hy_err watch_on_unlink(hy_actor *self, watcher *state, const watch_who *message,
                              watch_who *out_reply) {
    (void)state, (void)out_reply;
    hy_unlink(self, (hy_ref){ message->who });
    return HY_OK;
}

static hy_err watch_on_heard(hy_actor *self, watcher *state, const watch_who *message,
                             watch_who *out_reply) {
    (void)self, (void)message;
    out_reply->who = state->book->count;
    return HY_OK;
}

static hy_err watch_on_fall(hy_actor *self, watcher *state, const watch_who *message) {
    (void)state;
    if (message->who == 0) hy_actor_end(self);
    return (hy_err)message->who;
}

// With `down`, and without.
static const hy_actor_type hears_type = { .name = "hears",
                                          .first = &watch_behaviour,
                                          .state_size = sizeof(watcher),
                                          .start = watch_start,
                                          .stop = watch_stop,
                                          .down = watch_down };
static const hy_actor_type deaf_type = { .name = "deaf",
                                         .first = &watch_behaviour,
                                         .state_size = sizeof(watcher),
                                         .start = watch_start,
                                         .stop = watch_stop };

static hy_err watch_spawn(grove *g, const hy_actor_type *type, hy_restart restart, book *b,
                          watch_ref *out_ref) {
    hy_err err = HY_OK;
    if (g->root.id == 0) err = hy_actors_in(NULL, g->node, NULL, &g->root);
    const hy_actor_options options = { .size = sizeof options, .restart = restart };
    if (err == HY_OK) err = HY_SPAWN(watch, g->node, g->root, type, b, &options, out_ref);
    if (err == HY_OK) err = hy_actor_wait_ready(out_ref->ref, HY_NEVER);
    // Without memory it ends at once, and may have gone before it was asked.
    bool is_gone = err == HY_NOT_FOUND || err == HY_CLOSED;
    return is_gone && kit_failed_allocation() ? HY_NOMEM : err;
}

// Without memory a supervisor may fail, and all that wait in its scope are cancelled.
static hy_err or_no_memory(hy_err err) {
    bool is_over = err == HY_CANCELLED || err == HY_CLOSED || err == HY_NOT_FOUND;
    return is_over && kit_failed_allocation() ? HY_NOMEM : err;
}
#define HEARD_OK(err) CHECK_OK(or_no_memory(err))

// Without memory for a monitor its word comes at once: that is promised, and not what is tested.
static bool heard_of_memory(const book *b) {
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->downs[i].why == HY_NOMEM) return true;
    }
    return false;
}

static hy_err watch_fall(watch_ref ref, hy_err err) {
    hy_err sent = HY_TELL(watch, fall, ref, .who = (uint64_t)err);
    return sent == HY_OK ? grove_settle(HY_MS(50)) : sent;
}

static hy_err a_monitor_tells_of_the_end_for_good(grove *g) {
    static book heard, a, b; // their actors end after this body
    heard = a = b = (book){ .count = 0 };
    watch_ref who, once, again;
    watch_who reply = { 0 };
    HEARD_OK(watch_spawn(g, &hears_type, HY_TEMPORARY, &heard, &who));
    HEARD_OK(watch_spawn(g, &deaf_type, HY_TEMPORARY, &a, &once));
    HEARD_OK(watch_spawn(g, &deaf_type, HY_TRANSIENT, &b, &again));
    HEARD_OK(HY_ASK(watch, monitor, who, 0, &reply, .who = once.ref.id));
    uint64_t first = reply.who;
    HEARD_OK(HY_ASK(watch, monitor, who, 0, &reply, .who = again.ref.id));
    uint64_t second = reply.who;
    CHECK(first != 0 && second != 0 && first != second);
    HEARD_OK(watch_fall(once, HY_IO));
    if (heard_of_memory(&heard)) return HY_NOMEM;
    CHECK_EQ(heard.count, 1);
    CHECK_EQ(heard.downs[0].monitor, first);
    CHECK(hy_ref_equal(heard.downs[0].who, once.ref));
    CHECK_EQ(heard.downs[0].why, HY_IO);
    CHECK(heard.downs[0].incident != 0);
    CHECK_TEXT(hy_bytes_of(heard.downs[0].type), "deaf");
    HEARD_OK(watch_fall(again, HY_IO)); // started again: that is no end
    CHECK_EQ(b.starts, 2);
    CHECK_EQ(heard.count, 1);
    HEARD_OK(watch_fall(again, HY_OK));
    CHECK_EQ(heard.count, 2);
    CHECK_EQ(heard.downs[1].monitor, second);
    CHECK(heard.downs[1].why == HY_OK && heard.downs[1].incident == 0);
    HEARD_OK(HY_ASK(watch, monitor, who, 0, &reply, .who = once.ref.id)); // long gone
    HEARD_OK(grove_settle(HY_MS(10)));
    CHECK_EQ(heard.count, 3);
    CHECK_EQ(heard.downs[2].monitor, reply.who);
    CHECK_EQ(heard.downs[2].why, HY_NOT_FOUND);
    return HY_OK;
}

static hy_err no_word_comes_after_unmonitor(grove *g) {
    static book heard, a; // their actors end after this body
    heard = a = (book){ .count = 0 };
    watch_ref who, it;
    watch_who reply = { 0 };
    HEARD_OK(watch_spawn(g, &hears_type, HY_PERMANENT, &heard, &who));
    HEARD_OK(watch_spawn(g, &deaf_type, HY_TEMPORARY, &a, &it));
    uint64_t ids[3];
    for (uint32_t i = 0; i < 3; i++) {
        HEARD_OK(HY_ASK(watch, monitor, who, 0, &reply, .who = it.ref.id));
        ids[i] = reply.who;
    }
    HEARD_OK(HY_ASK(watch, unmonitor, who, 0, &reply, .who = ids[1]));
    HEARD_OK(HY_ASK(watch, unmonitor, who, 0, &reply, .who = ids[1]));
    hy_actor_stop(it.ref);
    HEARD_OK(HY_ASK(watch, unmonitor, who, 0, &reply, .who = ids[0])); // the word is on its way
    HEARD_OK(grove_settle(HY_MS(50)));
    if (heard_of_memory(&heard)) return HY_NOMEM;
    CHECK(heard.count >= 1);
    CHECK_EQ(heard.downs[heard.count - 1].monitor, ids[2]);
    for (uint32_t i = 0; i < heard.count; i++)
        CHECK(heard.downs[i].monitor != ids[1]);
    return HY_OK;
}

static hy_err monitors_end_with_the_watchers_start(grove *g) {
    static book heard, a; // their actors end after this body
    heard = a = (book){ .count = 0 };
    watch_ref who, it;
    watch_who reply = { 0 };
    HEARD_OK(watch_spawn(g, &hears_type, HY_PERMANENT, &heard, &who));
    HEARD_OK(watch_spawn(g, &deaf_type, HY_TEMPORARY, &a, &it));
    HEARD_OK(HY_ASK(watch, monitor, who, 0, &reply, .who = it.ref.id));
    HEARD_OK(watch_fall(who, HY_IO));
    if (heard_of_memory(&heard)) return HY_NOMEM;
    CHECK_EQ(heard.starts, 2);
    HEARD_OK(watch_fall(it, HY_IO));
    CHECK_EQ(heard.count, 0);
    HEARD_OK(HY_ASK(watch, monitor, who, 0, &reply, .who = it.ref.id));
    hy_actor_stop(who.ref); // with a word under way
    HEARD_OK(grove_settle(HY_MS(50)));
    return HY_OK;
}

static hy_err linked_ones_fail_together(grove *g) {
    static const struct {
        bool first_falls; // who linked
        hy_err why;
    } cases[] = { { true, HY_IO }, { false, HY_IO }, { true, HY_OK }, { false, HY_OK } };
    for (uint32_t i = 0; i < 4; i++) {
        static book a, b; // their actors end after this body
        a = b = (book){ .count = 0 };
        watch_ref first, second;
        watch_who reply = { 0 };
        HEARD_OK(watch_spawn(g, &deaf_type, HY_TEMPORARY, &a, &first));
        HEARD_OK(watch_spawn(g, &deaf_type, HY_TEMPORARY, &b, &second));
        HEARD_OK(HY_ASK(watch, link, first, 0, &reply, .who = second.ref.id));
        HEARD_OK(HY_ASK(watch, link, first, 0, &reply, .who = second.ref.id)); // once is enough
        HEARD_OK(HY_ASK(watch, link, second, 0, &reply, .who = first.ref.id));
        HEARD_OK(watch_fall(cases[i].first_falls ? first : second, cases[i].why));
        uint32_t ended = cases[i].why == HY_OK ? 1 : 2;
        CHECK_EQ(a.stops + b.stops, ended);
        const book *other = cases[i].first_falls ? &b : &a;
        if (ended == 2) CHECK_EQ(other->stopped_with, cases[i].why);
        hy_actor_stop(first.ref);
        hy_actor_stop(second.ref);
        HEARD_OK(grove_settle(HY_MS(50)));
    }
    return HY_OK;
}

static hy_err who_hears_of_a_link_goes_on(grove *g) {
    static book a, b; // their actors end after this body
    a = b = (book){ .count = 0 };
    watch_ref first, second;
    watch_who reply = { 0 };
    HEARD_OK(watch_spawn(g, &hears_type, HY_TRANSIENT, &a, &first));
    HEARD_OK(watch_spawn(g, &hears_type, HY_TRANSIENT, &b, &second));
    HEARD_OK(HY_ASK(watch, link, first, 0, &reply, .who = second.ref.id));
    HEARD_OK(watch_fall(second, HY_IO)); // each start is an end for links
    CHECK_EQ(a.count, 1);
    CHECK(a.downs[0].monitor == 0 && a.downs[0].why == HY_IO);
    CHECK_EQ(b.starts, 2);
    HEARD_OK(watch_fall(second, HY_IO)); // the link was over
    CHECK_EQ(a.count, 1);
    HEARD_OK(HY_ASK(watch, link, second, 0, &reply, .who = first.ref.id));
    HEARD_OK(HY_ASK(watch, unlink, first, 0, &reply, .who = second.ref.id));
    HEARD_OK(watch_fall(first, HY_IO));
    CHECK_EQ(b.count, 0);
    HEARD_OK(HY_ASK(watch, link, second, 0, &reply, .who = first.ref.id));
    b.says = HY_CORRUPT; // what `down` returns is a failure
    HEARD_OK(watch_fall(first, HY_IO));
    CHECK_EQ(b.count, 1);
    CHECK_EQ(b.stopped_with, HY_CORRUPT);
    return HY_OK;
}

static hy_err chains_of_links_fall_as_one(grove *g) {
    static book books[20];
    watch_ref refs[20];
    watch_who reply = { 0 };
    for (uint32_t i = 0; i < 20; i++) {
        books[i] = (book){ .count = 0 };
        HEARD_OK(watch_spawn(g, &deaf_type, HY_TEMPORARY, &books[i], &refs[i]));
        if (i == 0) continue;
        watch_ref who = i % 2 ? refs[i] : refs[i - 1], other = i % 2 ? refs[i - 1] : refs[i];
        HEARD_OK(HY_ASK(watch, link, who, 0, &reply, .who = other.ref.id));
    }
    HEARD_OK(watch_fall(refs[10], HY_LIMIT));
    for (uint32_t i = 0; i < 20; i++) {
        CHECK_EQ(books[i].stops, 1);
        CHECK_EQ(books[i].stopped_with, HY_LIMIT);
    }
    return HY_OK;
}

// ---- two workers ------------------------------------------------------------------------------

static hy_err pinned_spawn(grove *g, book *b, uint32_t worker, watch_ref *out_ref) {
    const hy_actor_options options = { .size = sizeof options, .worker = worker };
    hy_err err = HY_SPAWN(watch, g->node, HY_NOBODY, &hears_type, b, &options, out_ref);
    return err == HY_OK ? hy_actor_wait_ready(out_ref->ref, HY_NEVER) : err;
}

// The end, the monitor and its taking back meet in every order: one word, or none.
static hy_err words_cross_workers(grove *g) {
    static book heard, books[300];
    heard = (book){ .count = 0 };
    watch_ref who;
    watch_who reply = { 0 };
    CHECK_OK(pinned_spawn(g, &heard, 1, &who));
    for (uint32_t i = 0; i < 300; i++) {
        watch_ref it;
        books[i] = (book){ .count = 0 };
        heard.count = 0; // nobody tells it anything now
        CHECK_OK(pinned_spawn(g, &books[i], 2, &it));
        if (i % 3 == 0) CHECK_OK(HY_TELL(watch, fall, it, .who = HY_IO));
        CHECK_OK(HY_ASK(watch, monitor, who, 0, &reply, .who = it.ref.id));
        uint64_t monitor = reply.who;
        if (i % 3 > 0) CHECK_OK(HY_TELL(watch, fall, it, .who = HY_IO));
        if (i % 3 == 2) CHECK_OK(HY_ASK(watch, unmonitor, who, 0, &reply, .who = monitor));
        (void)hy_actor_wait_end(it.ref, HY_NEVER);
        CHECK_OK(HY_ASK(watch, heard, who, 0, &reply, .who = 0));
        while (i % 3 < 2 && reply.who == 0)
            CHECK_OK(HY_ASK(watch, heard, who, 0, &reply, .who = 0));
        CHECK(reply.who <= 1);
        if (reply.who == 0) continue;
        CHECK_EQ(heard.downs[0].monitor, monitor);
        CHECK(heard.downs[0].why == HY_IO || heard.downs[0].why == HY_NOT_FOUND);
    }
    return HY_OK;
}

static hy_err two_words_cross_workers(hy_mem *mem) {
    static grove g;
    g = (grove){ .is_wild = true };
    return grove_in_real(mem, 2, &g, words_cross_workers);
}

GROVE_SIM(a_monitor_tells_of_the_end_for_good)
GROVE_SIM(no_word_comes_after_unmonitor)
GROVE_SIM(monitors_end_with_the_watchers_start)
GROVE_SIM(linked_ones_fail_together)
GROVE_SIM(who_hears_of_a_link_goes_on)
GROVE_SIM(chains_of_links_fall_as_one)

KIT_TESTS(KIT_TEST(sim_a_monitor_tells_of_the_end_for_good),
          KIT_TEST(sim_no_word_comes_after_unmonitor),
          KIT_TEST(sim_monitors_end_with_the_watchers_start),
          KIT_TEST_ONCE(sim_linked_ones_fail_together),
          KIT_TEST_ONCE(sim_who_hears_of_a_link_goes_on),
          KIT_TEST_ONCE(sim_chains_of_links_fall_as_one), KIT_TEST_ONCE(two_words_cross_workers))
