// supervise_test.c - supervision across workers and threads, and how high a failure climbs.
//
// A supervisor and its children may run on different workers, and be spawned and stopped by threads
// that are none. Nothing here may depend on who is faster: the tests ask until they are answered,
// and then look at what the plants have noted, which tsan watches. The ladder is the worst crash
// loop there is: each level starts the next one again as often as it may, and the number of starts
// at the bottom is known beforehand.
#include "actor/grove_suite.h"
#include "kit/kit.h"

#define PLANT(g, above, ...)                                                                       \
    grove_plant((g), (above), &(hy_actor_options){ .size = sizeof(hy_actor_options), __VA_ARGS__ })
#define MANY UINT32_MAX

// ---- two workers ------------------------------------------------------------------------------

static hy_err starts_of(const plant *p, uint64_t *out_starts) {
    grove_ref ref = { { p->ref_id } };
    grove_word word = { 0 };
    hy_err err = HY_ASK(grove, count, ref, HY_SECONDS(50), &word, .number = 1);
    *out_starts = word.number;
    return err;
}

// A parent on worker 2, its children on 1 and 2 by turns, the test on 1.
static hy_err groups_keep_their_order_across_workers(grove *g) {
    g->policy = hy_one_for_one;
    CHECK_OK(hy_actors_in(NULL, g->node, NULL, &g->root));
    plant *parent = PLANT(g, NULL, .restart = HY_PERMANENT, .policy = hy_one_for_all, .worker = 2);
    plant *children[4];
    for (uint32_t i = 0; i < 4; i++) {
        children[i] = PLANT(g, parent, .restart = HY_PERMANENT, .restarts_max = MANY,
                            .backoff_max = 1000, .worker = 1 + i % 2);
    }
    CHECK_OK(grove_spawn(parent, g->root));
    CHECK_OK(hy_actor_wait_ready(parent->ref.ref, HY_NEVER));
    for (uint32_t i = 0; i < 4; i++)
        CHECK_OK(hy_actor_wait_ready((hy_ref){ children[i]->ref_id }, HY_NEVER));
    for (uint32_t round = 0; round < 20; round++) {
        grove_ref ref = { { children[round % 4]->ref_id } };
        CHECK_OK(HY_TELL(grove, fall, ref, .how = 1 + round % 2));
        uint64_t starts = 0;
        for (uint32_t i = 0; i < 4; i++) { // the last one is up when all are
            do
                CHECK_OK(starts_of(children[i], &starts));
            while (starts < round + 2);
        }
        for (uint32_t i = 1; i < 4; i++) {
            CHECK(children[i]->began_as > children[i - 1]->began_as);
            bool by_itself = i == round % 4 || i - 1 == round % 4;
            CHECK(by_itself || children[i]->released_as < children[i - 1]->released_as);
        }
    }
    hy_actor_stop(parent->ref.ref);
    CHECK_OK(hy_actor_wait_end(parent->ref.ref, HY_NEVER));
    CHECK_EQ(parent->stops, 1);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQ(children[i]->stops, children[i]->starts);
    return HY_OK;
}

// Spawned by an actor of one worker below one of another, which is stopped meanwhile.
static hy_err spawns_and_stops_meet_anywhere(grove *g) {
    g->policy = hy_one_for_one;
    CHECK_OK(hy_actors_in(NULL, g->node, NULL, &g->root));
    for (uint32_t round = 0; round < 200; round++) {
        g->count = 0;
        plant *parent = PLANT(g, NULL, .restart = HY_TEMPORARY, .worker = 2);
        plant *children[3];
        CHECK_OK(grove_spawn(parent, g->root));
        uint32_t spawned = 0;
        for (uint32_t i = 0; i < 3; i++) {
            if (i == round % 4) hy_actor_stop(parent->ref.ref);
            children[i] = &g->plants[1 + i];
            *children[i] = (plant){ .grove = g, .options = { .size = sizeof(hy_actor_options) } };
            hy_err err = grove_spawn(children[i], parent->ref.ref);
            CHECK(err == HY_OK || err == HY_NOT_FOUND || err == HY_CLOSED);
            spawned += err == HY_OK;
        }
        hy_actor_stop(parent->ref.ref);
        CHECK_OK(hy_actor_wait_end(parent->ref.ref, HY_NEVER));
        for (uint32_t i = 0; i < spawned; i++)
            (void)hy_actor_wait_end((hy_ref){ children[i]->ref_id }, HY_NEVER);
        for (uint32_t i = 0; i < 3; i++)
            CHECK(children[i]->starts == children[i]->releases && !children[i]->is_held);
    }
    return HY_OK;
}

// ---- foreign threads --------------------------------------------------------------------------

typedef struct stranger {
    grove *grove;
    plant *parent, *child, *orphan;
    hy_event done;
    hy_post post;
    hy_world *world;
    hy_err err;
} stranger;

static void stranger_done(hy_post *post) {
    stranger *s = (stranger *)(void *)((char *)post - offsetof(stranger, post));
    hy_event_set(&s->done);
}

static void stranger_run(void *arg) {
    stranger *s = (stranger *)arg;
    s->err = grove_spawn(s->child, s->parent->ref.ref);
    if (s->err == HY_OK) s->err = grove_spawn(s->orphan, HY_NOBODY);
    if (s->err == HY_OK) s->err = HY_TELL(grove, note, s->child->ref, .number = 1);
    if (s->err == HY_OK) s->err = HY_TELL(grove, fall, s->child->ref, .how = GROVE_ERROR);
    if (s->err == HY_OK) s->err = HY_TELL(grove, note, s->orphan->ref, .number = 1);
    hy_world_post(s->world, &s->post);
}

static hy_err strangers_may_spawn(grove *g) {
    static stranger s;
    g->policy = hy_one_for_one;
    CHECK_OK(hy_actors_in(NULL, g->node, NULL, &g->root));
    s = (stranger){ .grove = g, .world = hy_scope_world(hy_scope_current()) };
    s.post.done = stranger_done;
    s.parent = PLANT(g, NULL, .restart = HY_PERMANENT);
    s.child = PLANT(g, NULL, .restart = HY_PERMANENT, .name = "child");
    s.orphan = PLANT(g, NULL, .restart = HY_PERMANENT);
    CHECK_OK(grove_spawn(s.parent, g->root));
    CHECK_OK(hy_actor_wait_ready(s.parent->ref.ref, HY_NEVER));
    hy_thread *thread = NULL;
    hy_world_expect(s.world, true);
    CHECK_OK(hy_thread_start(s.world, NULL, stranger_run, &s, &thread));
    CHECK_OK(hy_event_wait(&s.done));
    hy_thread_join(thread);
    hy_world_expect(s.world, false);
    CHECK_OK(s.err);
    uint64_t starts = 0;
    do
        CHECK_OK(starts_of(s.child, &starts));
    while (starts < 2);
    CHECK_EQ(s.child->notes, 1);
    CHECK_OK(starts_of(s.orphan, &starts));
    CHECK_EQ(starts, 1);
    hy_actor_stop(s.orphan->ref.ref);
    hy_actor_stop(s.parent->ref.ref);
    (void)hy_actor_wait_end(s.orphan->ref.ref, HY_NEVER);
    CHECK_OK(hy_actor_wait_end(s.parent->ref.ref, HY_NEVER));
    CHECK_EQ(s.child->stops, 2);
    return HY_OK;
}

static hy_err in_real(hy_mem *mem, grove_body body) {
    static grove g;
    g = (grove){ .is_wild = true };
    return grove_in_real(mem, 2, &g, body);
}

static hy_err two_groups_keep_their_order(hy_mem *mem) {
    return in_real(mem, groups_keep_their_order_across_workers);
}

static hy_err two_spawns_and_stops_meet(hy_mem *mem) {
    return in_real(mem, spawns_and_stops_meet_anywhere);
}

static hy_err two_strangers_may_spawn(hy_mem *mem) {
    return in_real(mem, strangers_may_spawn);
}

// ---- how high ---------------------------------------------------------------------------------

typedef struct ladder {
    uint32_t depth, restarts_max, leaves;
} ladder;
static ladder the_ladder;

static hy_err ladder_start(hy_actor *self, void *state, const void *arg);
static const hy_actor_type ladder_type = { .name = "step", .start = ladder_start };

// Each level spawns the next; the lowest one's start fails.
static hy_err ladder_start(hy_actor *self, void *state, const void *arg) {
    (void)state;
    uintptr_t depth = (uintptr_t)arg;
    if (depth == the_ladder.depth) {
        the_ladder.leaves++;
        return HY_IO;
    }
    const hy_actor_options options = { .size = sizeof options,
                                       .restart = HY_PERMANENT,
                                       .restarts_max = the_ladder.restarts_max,
                                       .restarts_within = HY_SECONDS(1000),
                                       .backoff_max = 1 };
    hy_ref ref;
    return hy_spawn_actor(hy_actor_node(self), hy_self(self), &ladder_type,
                          (const void *)(depth + 1), &options, &ref);
}

static hy_err ladder_body(grove *g) {
    hy_err err = hy_actors_in(NULL, g->node, NULL, &g->root);
    const hy_actor_options options = { .size = sizeof options,
                                       .restart = HY_PERMANENT,
                                       .restarts_max = the_ladder.restarts_max,
                                       .restarts_within = HY_SECONDS(1000),
                                       .backoff_max = 1 };
    hy_ref ref;
    if (err == HY_OK) {
        err = hy_spawn_actor(g->node, g->root, &ladder_type, (const void *)1, &options, &ref);
    }
    if (err == HY_OK) err = hy_sleep(HY_SECONDS(1000));
    uint64_t limits = 1;
    for (uint32_t i = 1; i < the_ladder.depth; i++)
        limits = limits * (the_ladder.restarts_max + 1) + 1;
    CHECK_EQ(grove_events(g->node, HY_EVENT_RESTARTS), limits);
    return err == HY_CANCELLED ? HY_OK : err;
}

// What always fails is tried (r + 1) times by each level above it; then everybody has given up.
static hy_err restart_storms_stop_at_the_limit(hy_mem *mem) {
    static grove g;
    for (uint32_t depth = 1; depth <= 3; depth++) {
        for (uint32_t r = 1; r <= 4; r++) {
            g = (grove){ .count = 0 };
            the_ladder = (ladder){ .depth = depth, .restarts_max = r };
            CHECK_ERR(grove_in_sim(mem, kit_seed(), &g, ladder_body, NULL), HY_RESTARTS);
            uint32_t wanted = 1;
            for (uint32_t i = 0; i < depth; i++)
                wanted *= r + 1;
            CHECK_EQ(the_ladder.leaves, wanted);
        }
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(restart_storms_stop_at_the_limit),
          KIT_TEST_ONCE(two_groups_keep_their_order), KIT_TEST_ONCE(two_spawns_and_stops_meet),
          KIT_TEST_ONCE(two_strangers_may_spawn))
