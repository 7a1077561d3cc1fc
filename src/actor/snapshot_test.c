// snapshot_test.c - who looks sees all that answer, and waits for nobody who does not.
//
// Each snapshot is read as JSON before anything is looked for in it: it must be whole in every run,
// also without memory. A worker is made not to answer by a handler that computes until the test
// lets it go, so nothing here depends on a time.
#include "actor/node_suite.h"
#include "actor/numbers.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "kit/kit.h"

#include <string.h>

#define COUNT(F) F(1, u64, by)
HY_RECORD(count, COUNT)
HY_RECORD_DEFINE(count, COUNT)

#define CLERK(TELL, ASK, x)                                                                        \
    TELL(x, 1, add, count)                                                                         \
    TELL(x, 2, fall, hy_nothing)                                                                   \
    TELL(x, 3, hold, hy_nothing)                                                                   \
    ASK(x, 4, read, hy_nothing, count)
HY_PROTOCOL(clerk, CLERK);
HY_PROTOCOL_DEFINE(clerk, CLERK);

typedef struct clerk {
    uint64_t sum;
} clerk;
HY_BEHAVIOUR(clerk, CLERK, clerk, clerk);

static _Atomic uint32_t clerk_holds, clerk_may_go; // of `hold`

static hy_err clerk_on_add(hy_actor *self, clerk *state, const count *message) {
    (void)self;
    state->sum += message->by;
    return HY_OK;
}

static hy_err clerk_on_fall(hy_actor *self, clerk *state, const hy_nothing *message) {
    (void)self, (void)state, (void)message;
    return HY_INVARIANT;
}

// Computes until it is told that it may go.
static hy_err clerk_on_hold(hy_actor *self, clerk *state, const hy_nothing *message) {
    (void)self, (void)state, (void)message;
    atomic_store(&clerk_holds, 1);
    while (!atomic_load(&clerk_may_go)) {
    }
    return HY_OK;
}

static hy_err clerk_on_read(hy_actor *self, clerk *state, const hy_nothing *message,
                            count *out_reply) {
    (void)self, (void)message;
    out_reply->by = state->sum;
    return HY_OK;
}

static const hy_actor_type clerk_type = { .name = "clerk",
                                          .first = &clerk_behaviour,
                                          .state_size = sizeof(clerk) };

// ---- reading a snapshot -----------------------------------------------------------------------

static bool contains(hy_bytes bytes, const char *text) {
    return memmem(bytes.ptr, bytes.len, text, strlen(text)) != NULL;
}

static uint32_t occurrences(hy_bytes bytes, const char *text) {
    uint32_t n = 0;
    const uint8_t *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    while (at < end && (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL)
        n++, at++;
    return n;
}

static void close_buf(hy_buf *buf) {
    hy_buf_deinit(buf);
}

static hy_err take(hy_node *node, uint32_t actors_max, hy_buf *out) {
    hy_buf_init(out, hy_mem_system(), 0);
    const hy_err err = hy_node_snapshot(node, actors_max, out);
    if (err == HY_NOMEM) return err;
    hyi_json json;
    hyi_json_init(&json, hy_buf_bytes(out), 0, NULL);
    CHECK_EQ(hyi_json_skip(&json), HY_OK);
    return err;
}

// ---- what is in it ----------------------------------------------------------------------------

typedef struct office {
    hy_ref boss;
    clerk_ref ann, bob;
} office;

static hy_err office_open(hy_node *node, office *o) {
    hy_err err = hy_spawn_actor(node, HY_NOBODY, &hy_supervisor_type, NULL,
                                HY_OPTIONS(hy_actor, .name = "boss"), &o->boss);
    if (err == HY_OK) {
        err = HY_SPAWN(clerk, node, o->boss, &clerk_type, NULL,
                       HY_OPTIONS(hy_actor, .name = "ann", .restart = HY_PERMANENT), &o->ann);
    }
    if (err == HY_OK) {
        err = HY_SPAWN(clerk, node, o->boss, &clerk_type, NULL,
                       HY_OPTIONS(hy_actor, .name = "bob", .mailbox = { .capacity = 7 }), &o->bob);
    }
    return err == HY_OK ? hy_actor_wait_ready(o->bob.ref, HY_NEVER) : err;
}

static hy_err a_snapshot_shows_the_tree_and_its_numbers(hy_node *node, void *unused) {
    (void)unused;
    office o;
    CHECK_OK(office_open(node, &o));
    for (uint32_t i = 0; i < 5; i++)
        CHECK_OK(HY_TELL(clerk, add, o.ann, 1));
    CHECK_OK(HY_TELL(clerk, fall, o.ann, 0));
    node_settle(node);
    const hy_err ready = hy_actor_wait_ready(o.ann.ref, HY_NEVER);
    if (ready != HY_OK && kit_failed_allocation()) return HY_NOMEM; // not started again
    CHECK_OK(ready);
    HY_CLEANUP(close_buf) hy_buf out = { 0 };
    CHECK_OK(take(node, 0, &out));
    const hy_bytes json = hy_buf_bytes(&out);
    if (kit_failed_allocation()) return HY_OK; // whole JSON, though something may be missing
    CHECK(contains(json, "\"format\":1,\"name\":\"node\",\"number\":"));
    CHECK(contains(json, "\"parent\":\"\",\"type\":\"supervisor\",\"name\":\"boss\""));
    CHECK(contains(json, "\"type\":\"clerk\",\"name\":\"ann\""));
    CHECK(contains(json, "\"restarts\":1,\"children\":0,\"handled\":"));
    CHECK(contains(json, "\"last_err\":\"HY_INVARIANT\""));
    CHECK(contains(json, "\"capacity\":7"));
    CHECK(contains(json, "\"kind\":\"failed\"") && contains(json, "\"err\":\"HY_INVARIANT\""));
    CHECK(contains(json, "\"dropped\":{\"failed\":1}"));
    CHECK(contains(json, "\"reason\":\"failed\",\"protocol\":\"clerk\",\"message\":\"fall\""));
    CHECK_EQ(occurrences(json, "\"answered\":true"), hy_node_workers(node));
    return HY_OK;
}
NODE_ALL(a_snapshot_shows_the_tree_and_its_numbers)

static hy_err stats_of_one_say_what_it_did(hy_node *node, void *unused) {
    (void)unused;
    office o;
    hy_actor_stats stats;
    CHECK_OK(office_open(node, &o));
    CHECK_OK(hy_actor_stats_of(o.bob.ref, &stats));
    CHECK_EQ(stats.handled, 0);
    for (uint32_t i = 0; i < 5; i++)
        CHECK_OK(HY_TELL(clerk, add, o.bob, 1));
    node_settle(node);
    CHECK_OK(hy_actor_stats_of(o.bob.ref, &stats));
    CHECK_EQ(stats.handled, 5);
    CHECK_EQ(stats.queued, 0);
    CHECK_EQ(stats.capacity, 7);
    CHECK(strcmp(stats.name, "bob") == 0 && strcmp(stats.type, "clerk") == 0);
    CHECK_EQ(stats.parent.id, o.boss.id);
    CHECK_EQ(stats.state, HY_PHASE_RUNNING);
    CHECK_OK(hy_actor_stats_of(o.boss, &stats));
    CHECK_EQ(stats.children, 2);
    uint64_t handled = 0, events = 0;
    for (uint32_t i = 0; i < hy_node_workers(node); i++) {
        const hy_worker_stats worker = hy_worker_stats_of(node, i);
        CHECK(!worker.stuck);
        handled += worker.handled;
        events += worker.events;
    }
    CHECK_EQ(handled, 5);
    CHECK(events >= 6); // three were spawned, and started
    hy_actor_stop(o.boss);
    CHECK_OK(hy_actor_wait_end(o.boss, HY_NEVER));
    CHECK_OK(hy_actor_wait_end(o.bob.ref, HY_NEVER));
    CHECK_ERR(hy_actor_stats_of(o.bob.ref, &stats), HY_NOT_FOUND);
    return HY_OK;
}
NODE_ALL(stats_of_one_say_what_it_did)

// Only the busiest are shown, and those above them.
static hy_err of_many_the_busiest_are_shown(hy_node *node, void *unused) {
    (void)unused;
    office o;
    CHECK_OK(office_open(node, &o));
    for (uint32_t i = 0; i < 50; i++) {
        clerk_ref more;
        CHECK_OK(HY_SPAWN(clerk, node, o.boss, &clerk_type, NULL, NULL, &more));
        CHECK_OK(hy_actor_wait_ready(more.ref, HY_NEVER));
    }
    for (uint32_t i = 0; i < 500; i++)
        CHECK_OK(HY_TELL(clerk, add, o.ann, 1));
    node_settle(node);
    HY_CLEANUP(close_buf) hy_buf out = { 0 };
    CHECK_OK(take(node, 1, &out));
    const hy_bytes json = hy_buf_bytes(&out);
    CHECK(contains(json, "\"name\":\"ann\"") && contains(json, "\"name\":\"boss\""));
    CHECK_EQ(occurrences(json, "\"parent\":"), 2);
    CHECK(contains(json, "\"actors_shown\":2"));
    return HY_OK;
}
NODE_ALL(of_many_the_busiest_are_shown)

// ---- who does not answer ----------------------------------------------------------------------

static hy_err stuck_body(hy_node *node, void *unused) {
    (void)unused;
    clerk_ref busy, idle;
    atomic_store(&clerk_holds, 0);
    atomic_store(&clerk_may_go, 0);
    CHECK_OK(HY_SPAWN(clerk, node, HY_NOBODY, &clerk_type, NULL,
                      HY_OPTIONS(hy_actor, .name = "busy", .worker = 2), &busy));
    CHECK_OK(HY_SPAWN(clerk, node, HY_NOBODY, &clerk_type, NULL,
                      HY_OPTIONS(hy_actor, .name = "idle", .worker = 1), &idle));
    CHECK_OK(HY_TELL(clerk, hold, busy, 0));
    while (!atomic_load(&clerk_holds))
        (void)hy_yield();
    HY_CLEANUP(close_buf) hy_buf out = { 0 };
    hy_actor_stats stats;
    const hy_err err = take(node, 0, &out);
    const hy_err of_one = hy_actor_stats_of(busy.ref, &stats);
    atomic_store(&clerk_may_go, 1); // before anything is checked: a failed check must not hang
    CHECK_ERR(err, HY_TIMEOUT);
    CHECK_ERR(of_one, HY_TIMEOUT);
    const hy_bytes json = hy_buf_bytes(&out);
    CHECK(contains(json, "\"number\":0,\"answered\":true"));
    CHECK(contains(json, "\"number\":1,\"answered\":false"));
    CHECK(contains(json, "\"phase\":\"unknown\""));
    CHECK(contains(json, "\"name\":\"idle\""));
    CHECK_EQ(stats.worker, 1);
    return HY_OK;
}

static hy_err stuck_worker_does_not_hold_up_the_rest(hy_mem *mem) {
    return node_in_real(mem, 2, NULL, stuck_body, NULL);
}

KIT_TESTS(KIT_TEST(sim_a_snapshot_shows_the_tree_and_its_numbers),
          KIT_TEST_ONCE(one_a_snapshot_shows_the_tree_and_its_numbers),
          KIT_TEST_ONCE(two_a_snapshot_shows_the_tree_and_its_numbers),
          KIT_TEST_ONCE(sim_stats_of_one_say_what_it_did),
          KIT_TEST_ONCE(one_stats_of_one_say_what_it_did),
          KIT_TEST_ONCE(two_stats_of_one_say_what_it_did),
          KIT_TEST_ONCE(sim_of_many_the_busiest_are_shown),
          KIT_TEST_ONCE(one_of_many_the_busiest_are_shown),
          KIT_TEST_ONCE(two_of_many_the_busiest_are_shown),
          KIT_TEST_ONCE(stuck_worker_does_not_hold_up_the_rest))
