// slot_test.c - refs mean one actor each, for ever, and nodes are found by their number.
//
// A ref is a number that anybody may keep, or make up. So what is tested is what must not be found:
// actors that have ended, whoever is in their slots by now, generations that nobody was given,
// slots and nodes that are not there. And what must not be lost: slots of a node of few, and blocks
// that wait in another node's mailboxes.
#include "actor/slot.h"
#include "actor/node_suite.h"

#include "kit/kit.h"

static const hy_actor_type idle_type = { .name = "idle" };

static hy_err spawn_idle(hy_node *node, hy_ref *out_ref) {
    return hy_spawn_actor(node, HY_NOBODY, &idle_type, NULL, NULL, out_ref);
}

static hy_err stop_and_wait(hy_ref ref) {
    hy_actor_stop(ref);
    return hy_actor_wait_end(ref, HY_NEVER);
}

static hy_err a_ref_outlives_its_actor(hy_node *node, void *unused) {
    (void)unused;
    hy_ref first, second;
    CHECK_OK(spawn_idle(node, &first));
    CHECK(hy_actor_is_alive(first));
    CHECK(hy_node_of(first) == node);
    CHECK_OK(stop_and_wait(first));
    CHECK(!hy_actor_is_alive(first));
    CHECK_OK(spawn_idle(node, &second));
    CHECK(!hy_ref_equal(first, second));
    CHECK(!hy_actor_is_alive(first)); // whoever is in the slot by now
    CHECK(hy_actor_is_alive(second));
    CHECK(!hy_actor_is_alive(HY_NOBODY));
    hy_ref nowhere = { second.id ^ ((uint64_t)0xff << 56) };
    CHECK(hy_node_of(nowhere) == NULL);
    CHECK(!hy_actor_is_alive(nowhere));
    hy_ref beyond = { second.id | UINT32_MAX };
    CHECK(!hy_actor_is_alive(beyond));
    hy_ref next = { first.id + ((uint64_t)1 << 32) }; // nobody was given this one
    CHECK(!hy_actor_is_alive(next));
    CHECK_OK(hy_actor_wait_end(next, HY_NEVER));
    return HY_OK;
}
NODE_ALL(a_ref_outlives_its_actor)

static hy_err a_used_up_slot_is_left(hy_node *node, void *unused) {
    (void)unused;
    hy_ref ref;
    CHECK_OK(spawn_idle(node, &ref));
    CHECK_OK(stop_and_wait(ref));
    hy_actor *actor = hyi_slot_at(node, (uint32_t)ref.id);
    atomic_store(&actor->life, (HYI_GENERATION_MAX - 3) << 8); // as after so many lives
    hy_ref last;
    do {
        CHECK_OK(spawn_idle(node, &last));
    } while ((uint32_t)last.id != (uint32_t)ref.id);
    CHECK_EQ(hyi_ref_generation(last), HYI_GENERATION_MAX - 2);
    CHECK_OK(stop_and_wait(last));
    for (uint32_t i = 0; i < 200; i++) {
        hy_ref other;
        CHECK_OK(spawn_idle(node, &other));
        CHECK((uint32_t)other.id != (uint32_t)last.id);
    }
    return HY_OK;
}

static hy_err sim_a_used_up_slot_is_left(hy_mem *mem) {
    return node_in_sim(mem, NULL, a_used_up_slot_is_left, NULL);
}

static hy_err a_node_has_so_many_actors(hy_node *node, void *unused) {
    (void)unused;
    hy_ref refs[8], more;
    for (uint32_t i = 0; i < 8; i++)
        CHECK_OK(spawn_idle(node, &refs[i]));
    CHECK_ERR(spawn_idle(node, &more), HY_LIMIT);
    CHECK_OK(stop_and_wait(refs[3]));
    CHECK_OK(spawn_idle(node, &more));
    CHECK_ERR(spawn_idle(node, &refs[3]), HY_LIMIT);
    return HY_OK;
}

static hy_err sim_a_node_has_so_many_actors(hy_mem *mem) {
    hy_node_options options = { .size = sizeof options, .actors_max = 8 };
    return node_in_sim(mem, &options, a_node_has_so_many_actors, NULL);
}

// Once: when the worlds of two threads cannot be opened, libuv closes descriptors by system calls
// that ThreadSanitizer does not see, and takes their next use for a race.
static hy_err three_a_node_has_so_many_actors(hy_mem *mem) {
    hy_node_options options = { .size = sizeof options, .actors_max = 8 };
    return node_in_real(mem, 3, &options, a_node_has_so_many_actors, NULL);
}

static hy_err a_number_is_taken_once(hy_node *node, void *unused) {
    (void)unused;
    hy_node *other = NULL;
    hy_ref ref;
    CHECK_ERR(hy_node_open(NULL, HY_OPTIONS(hy_node, .workers = 1), &other), HY_EXISTS);
    CHECK_OK(hy_node_open(NULL, HY_OPTIONS(hy_node, .workers = 1, .number = 9), &other));
    CHECK_OK(spawn_idle(other, &ref));
    CHECK_EQ(hyi_ref_node(ref), 9);
    CHECK(hy_node_of(ref) == other && other != node);
    return stop_and_wait(ref);
}
NODE_ALL(a_number_is_taken_once)

// ---- between nodes ----------------------------------------------------------------------------

#define HEARER(TELL, ASK, x) TELL(x, 1, hear, hy_nothing)
HY_PROTOCOL(hearer, HEARER);
HY_PROTOCOL_DEFINE(hearer, HEARER);
typedef struct hearer {
    uint64_t unused;
} hearer;
HY_BEHAVIOUR(hearer, HEARER, hearer, hearer);
static _Atomic uint32_t heard;

static hy_err hearer_on_hear(hy_actor *self, hearer *state, const hy_nothing *message) {
    (void)self;
    (void)state;
    (void)message;
    atomic_fetch_add(&heard, 1);
    return HY_OK;
}

static const hy_actor_type hearer_type = { .name = "hearer",
                                           .first = &hearer_behaviour,
                                           .state_size = sizeof(hearer) };

static hy_err nodes_of_a_process_can_talk(hy_node *node, void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hearer_ref here, there = { HY_NOBODY };
    atomic_store(&heard, 0);
    CHECK_OK(HY_SPAWN(hearer, node, HY_NOBODY, &hearer_type, NULL, NULL, &here));
    HY_SCOPE(scope, &err, .name = "second") {
        hy_node *other = NULL;
        err = hy_node_open(scope, HY_OPTIONS(hy_node, .workers = 2, .number = 9), &other);
        if (err != HY_OK) break;
        err = HY_SPAWN(hearer, other, HY_NOBODY, &hearer_type, NULL, NULL, &there);
        for (uint32_t i = 0; err == HY_OK && i < 100; i++) {
            err = HY_TELL(hearer, hear, there, 0);
            if (err == HY_OK) err = HY_TELL(hearer, hear, here, 0);
        }
        while (err == HY_OK && atomic_load(&heard) < 200)
            err = hy_sleep(HY_US(50));
    }
    if (err != HY_OK) return err;
    CHECK_ERR(HY_TELL(hearer, hear, there, 0), HY_NOT_FOUND);
    CHECK_OK(HY_TELL(hearer, hear, here, 0));
    return HY_OK;
}
NODE_ALL(nodes_of_a_process_can_talk)

KIT_TESTS(KIT_TEST(sim_nodes_of_a_process_can_talk), KIT_TEST_ONCE(one_nodes_of_a_process_can_talk),
          KIT_TEST_ONCE(two_nodes_of_a_process_can_talk), KIT_TEST(sim_a_ref_outlives_its_actor),
          KIT_TEST(one_a_ref_outlives_its_actor), KIT_TEST(two_a_ref_outlives_its_actor),
          KIT_TEST_ONCE(sim_a_used_up_slot_is_left), KIT_TEST(sim_a_node_has_so_many_actors),
          KIT_TEST_ONCE(three_a_node_has_so_many_actors), KIT_TEST(sim_a_number_is_taken_once),
          KIT_TEST(one_a_number_is_taken_once), KIT_TEST(two_a_number_is_taken_once))
