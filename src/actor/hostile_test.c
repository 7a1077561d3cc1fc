// hostile_test.c - what only somebody does who wants to break it.
//
// Threads that are no workers send, stop, kill and look while nodes open and close, with refs of
// nodes that are gone. Actors do what their dice say, in any order, also in start, stop and down:
// ask who does not answer, themselves, their parent; stash, become, end, fail out of scopes; spawn
// below those that stop; watch the dead; own, take and drop. In a simulated world and on 1, 2 and
// 4 workers; the node closes in the middle, or all are killed and the account is looked at.
#include "actor/crowd_suite.h"
#include "actor/node_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

#include <stdatomic.h>
#include <string.h>

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err run_in_sim(hy_mem *mem, uint64_t seed, hy_fn body, void *arg, uint64_t *out_digest) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), &world));
    hy_err err = hy_root_run(world, NULL, body, arg);
    *out_digest = hy_sim_digest(world);
    return err;
}

static hy_err run_in_real(hy_mem *mem, hy_fn body, void *arg) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    return hy_root_run(world, NULL, body, arg);
}

// ---- other threads ----------------------------------------------------------------------------

#define STRANGERS 3u
#define PLACES 64u

typedef struct street {
    _Atomic uint64_t refs[PLACES]; // of actors that live, or lived
    _Atomic bool over;
    uint32_t workers;
} street;
static street street_now;

static const hy_actor_type mute_type;

static hy_err mute_handle(hy_actor *self, void *state, hyi_message *message) {
    (void)self, (void)state, (void)message;
    return HY_OK;
}
static const hy_behaviour mute_behaviour = { .name = "mute",
                                             .protocol = &crowd_protocol,
                                             .handle = mute_handle };
static const hy_actor_type mute_type = { .name = "mute", .first = &mute_behaviour };

static hy_err stranger_moves(crowd_ref to) {
    crowd_number *message = NULL;
    hy_err err = HY_MAKE(crowd, note, &message);
    if (err == HY_OK) err = HY_MOVE(crowd, note, to, &message);
    hy_message_drop(message);
    return err;
}

static hy_err stranger_acts(uint64_t dice) {
    crowd_ref to = { { atomic_load(&street_now.refs[(dice >> 8) % PLACES]) } };
    hy_send_options urgent = { .size = sizeof urgent, .lane = HY_LANE_URGENT };
    hy_actor_stats stats;
    switch (dice % 8) {
    case 0: return HY_TELL(crowd, note, to, .number = 1);
    case 1: return HY_TELL(crowd, tell, to, .text = HY_BYTES("who goes there, and when?"));
    case 2: hy_actor_stop(to.ref); return HY_OK;
    case 3: hy_actor_kill(to.ref); return HY_OK;
    case 4: (void)hy_actor_is_alive(to.ref); return HY_OK;
    case 5: return hy_actor_stats_of(to.ref, &stats);
    case 6: return stranger_moves(to);
    default: return HY_TELL_WITH(&urgent, crowd, note, to, .number = 3);
    }
}

static void stranger(void *arg) {
    uint64_t dice = kit_seed() + (uintptr_t)arg;
    while (!atomic_load(&street_now.over)) {
        hy_err err = stranger_acts(kit_random(&dice));
        (void)err; // gone, full, closed: all of it happens
    }
}

static hy_err street_fill(hy_node *node, uint32_t round) {
    for (uint32_t i = 0; i < PLACES; i++) {
        if (hy_actor_is_alive((hy_ref){ atomic_load(&street_now.refs[i]) })) continue;
        hy_actor_options options = { .size = sizeof options };
        options.mailbox.capacity = i % 3 ? 0 : 8;
        options.mailbox.full = i % 6 == HY_FULL_REDIRECT ? HY_FULL_FAIL : (hy_full)(i % 6);
        options.worker = i % 5 == 0 ? street_now.workers : 0;
        crowd_ref ref;
        CHECK_OK(HY_SPAWN(crowd, node, HY_NOBODY, &mute_type, NULL, &options, &ref));
        atomic_store(&street_now.refs[i], ref.ref.id);
    }
    return hy_sleep(HY_US(100 * (1 + round % 3)));
}

static hy_err street_life(void) {
    hy_err err = HY_OK;
    for (uint32_t round = 0; err == HY_OK && round < 12; round++) {
        HY_SCOPE(scope, &err, .name = "round") {
            hy_node *node = NULL;
            err = hy_node_open(scope, HY_OPTIONS(hy_node, .workers = street_now.workers), &node);
            for (uint32_t i = 0; err == HY_OK && i < 3; i++)
                err = street_fill(node, round);
        }
    }
    return err;
}

static hy_err street_body(void *arg) {
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_thread *threads[STRANGERS] = { NULL };
    hy_err err = HY_OK;
    (void)arg;
    for (uintptr_t i = 0; err == HY_OK && i < STRANGERS; i++)
        err = hy_thread_start(world, NULL, stranger, (void *)(i * 7919), &threads[i]);
    if (err == HY_OK) err = street_life();
    atomic_store(&street_now.over, true);
    for (uint32_t i = 0; i < STRANGERS; i++)
        hy_thread_join(threads[i]);
    return err;
}

static hy_err nodes_open_and_close_among_strangers(hy_mem *mem) {
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        memset(&street_now, 0, sizeof street_now);
        street_now.workers = workers;
        CHECK_OK(run_in_real(mem, street_body, NULL));
    }
    return HY_OK;
}

// ---- nodes whose time is over -----------------------------------------------------------------

static hy_err stubborn_handle(hy_actor *self, void *state, hyi_message *message) {
    (void)self, (void)state, (void)message;
    hy_err err = HY_OK;
    HY_SCOPE(shield, &err, .name = "stubborn", .shield = HY_SECONDS(1)) {
        err = hy_sleep(HY_MS(50));
    }
    return err;
}
static const hy_behaviour stubborn_behaviour = { .name = "stubborn",
                                                 .protocol = &crowd_protocol,
                                                 .handle = stubborn_handle };
static const hy_actor_type stubborn_type = { .name = "stubborn", .first = &stubborn_behaviour };

static hy_err leave_one_that_goes_on(void *arg) {
    (void)arg;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "short") {
        hy_node *node = NULL;
        crowd_ref ref;
        hy_node_options options = { .size = sizeof options, .workers = 2, .stop_max = HY_MS(2) };
        err = hy_node_open(scope, &options, &node);
        if (err == HY_OK) {
            err = HY_SPAWN(crowd, node, HY_NOBODY, &stubborn_type, NULL, NULL, &ref);
        }
        if (err == HY_OK) err = crowd_tell(ref, 1);
        if (err == HY_OK) err = hy_sleep(HY_MS(1));
    }
    (void)err; // its close took too long, which is no harm
    return HY_OK;
}

// Its grace and its service's may end in either order.
static hy_err a_node_waits_for_what_cannot_be_cut(hy_mem *mem) {
    uint64_t digest;
    for (uint64_t i = 0; i < 32; i++)
        CHECK_OK(run_in_sim(mem, kit_seed() + i, leave_one_that_goes_on, NULL, &digest));
    return run_in_real(mem, leave_one_that_goes_on, NULL);
}

static hy_err open_and_use(void *arg) {
    (void)arg;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "used") {
        hy_node *node = NULL;
        crowd_ref ref;
        hy_actor_stats stats;
        err = hy_node_open(scope, HY_OPTIONS(hy_node, .workers = 2), &node);
        if (err == HY_OK) {
            err = HY_SPAWN(crowd, node, HY_NOBODY, &stubborn_type, NULL,
                           HY_OPTIONS(hy_actor, .mailbox = { .capacity = 2, .full = HY_FULL_WAIT }),
                           &ref);
        }
        for (uint32_t i = 0; err == HY_OK && i < 4; i++)
            err = crowd_tell(ref, i);
        if (err == HY_OK) err = hy_actor_stats_of(ref.ref, &stats);
        if (err == HY_OK) err = hy_actor_wait_end(ref.ref, HY_NEVER);
    }
    return err;
}

static hy_err cut_after(void *arg) {
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "cut") {
        err = hy_spawn(scope, open_and_use, NULL, NULL, NULL);
        for (uint32_t i = 0; i < *(const uint32_t *)arg; i++)
            (void)hy_yield();
        hy_scope_cancel(scope, HY_CANCELLED);
    }
    return HY_OK; // however far it came
}

static hy_err a_node_is_cut_wherever_it_waits(hy_mem *mem) {
    uint64_t digest;
    for (uint32_t yields = 0; yields < 80; yields++) {
        CHECK_OK(run_in_sim(mem, kit_seed(), cut_after, &yields, &digest));
        if (yields % 8 == 0) CHECK_OK(run_in_real(mem, cut_after, &yields));
    }
    return HY_OK;
}

// ---- a fiber actor that has always something to do --------------------------------------------

static hy_err restless_run(hy_actor *self, void *state) {
    (void)state;
    crowd_ref me = { hy_self(self) };
    hy_received got;
    hy_err err = crowd_tell(me, 0);
    while (err == HY_OK) {
        err = hy_receive(self, HY_NEVER, &got);
        if (err == HY_OK) err = crowd_tell(me, 0);
    }
    return HY_OK;
}
static const hy_actor_type restless_type = { .name = "restless",
                                             .run = restless_run,
                                             .protocol = &crowd_protocol };

static hy_err a_restless_fiber_is_not_alone(hy_node *node, void *unused) {
    (void)unused;
    crowd_book *book = crowd_open_book();
    crowd_ref restless, other;
    CHECK_OK(HY_SPAWN(crowd, node, HY_NOBODY, &restless_type, NULL, NULL, &restless));
    CHECK_OK(crowd_spawn(node, book, (hy_mailbox_options){ 0 }, &other));
    crowd_number reply = { 0 };
    for (uint32_t i = 0; i < 20; i++)
        CHECK_OK(HY_ASK(crowd, last, other, HY_NEVER, &reply, .number = i));
    return HY_OK;
}
NODE_ALL(a_restless_fiber_is_not_alone)

KIT_TESTS(KIT_TEST_ONCE(nodes_open_and_close_among_strangers),
          KIT_TEST_ONCE(a_node_waits_for_what_cannot_be_cut),
          KIT_TEST_ONCE(a_node_is_cut_wherever_it_waits),
          KIT_TEST_ONCE(sim_a_restless_fiber_is_not_alone),
          KIT_TEST_ONCE(one_a_restless_fiber_is_not_alone),
          KIT_TEST_ONCE(two_a_restless_fiber_is_not_alone))
