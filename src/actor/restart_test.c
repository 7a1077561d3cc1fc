// restart_test.c - what a restart keeps and what not, how often there is one, and when.
//
// One rule of supervision a test, in a simulated world, where pauses cost nothing and can be
// measured. What must hold: the state is fresh (the plants check that), the mailbox and the ref are
// the old ones; the message that failed is not handled again, or, where that does no harm, so often
// as the options say; intensity is counted for each child and for all together, and whatever was
// decided can be seen in the events.
#include "actor/grove_suite.h"
#include "kit/kit.h"

static hy_err root_of(grove *g, const hy_actor_options *options) {
    g->policy = options && options->policy ? options->policy : hy_one_for_one;
    return hy_actors_in(NULL, g->node, options, &g->root);
}

#define ROOT(g, ...)                                                                               \
    root_of((g), &(hy_actor_options){ .size = sizeof(hy_actor_options), __VA_ARGS__ })
#define PLANT(g, above, ...)                                                                       \
    grove_plant((g), (above), &(hy_actor_options){ .size = sizeof(hy_actor_options), __VA_ARGS__ })
#define MANY UINT32_MAX

// A permanent plant below a supervisor, settled.
static hy_err one_plant(grove *g, const hy_actor_options *options, plant **out_plant) {
    hy_err err = ROOT(g, .restarts_max = 0);
    if (err != HY_OK) return err;
    plant *p = grove_plant(g, NULL, options);
    err = grove_spawn(p, g->root);
    if (err == HY_OK) err = hy_actor_wait_ready(p->ref.ref, HY_NEVER);
    *out_plant = p;
    return err;
}

#define ONE_PLANT(g, out, ...)                                                                     \
    one_plant((g), &(hy_actor_options){ .size = sizeof(hy_actor_options), __VA_ARGS__ }, (out))

static hy_err restarts_keep_the_mailbox_and_the_ref(grove *g) {
    plant *p = NULL;
    CHECK_OK(ONE_PLANT(g, &p, .restart = HY_PERMANENT));
    hy_ref ref = p->ref.ref;
    CHECK_OK(HY_TELL(grove, note, p->ref, .number = 1));
    CHECK_OK(HY_TELL(grove, fall, p->ref, .how = GROVE_ERROR));
    CHECK_OK(HY_TELL(grove, note, p->ref, .number = 2));
    CHECK_OK(HY_TELL(grove, note, p->ref, .number = 3));
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    CHECK_EQ(p->starts, 2); // the state is checked by `start`
    CHECK_EQ(p->stops, 1);
    CHECK_EQ(p->notes, 3); // the one that failed is not handled again
    CHECK(hy_ref_equal(ref, p->ref.ref));
    CHECK(hy_actor_is_alive(ref));
    CHECK_EQ(hy_node_account(g->node).dropped[HY_DROP_FAILED], 1);
    CHECK_EQ(grove_events(g->node, HY_EVENT_RESTARTED), 1);
    CHECK_EQ(grove_events(g->node, HY_EVENT_FAILED), 1);
    return HY_OK;
}

static hy_err every_way_to_fail_is_restarted(grove *g) {
    plant *p = NULL;
    CHECK_OK(ONE_PLANT(g, &p, .restart = HY_PERMANENT, .restarts_max = MANY, .memory_max = 64000));
    const grove_how hows[] = { GROVE_ERROR, GROVE_FAIL, GROVE_MEMORY, GROVE_END, GROVE_KILL };
    for (uint32_t i = 0; i < sizeof hows / sizeof hows[0]; i++) {
        CHECK_OK(grove_let_fall(p, hows[i]));
        CHECK_OK(grove_settle(HY_SECONDS(20)));
        CHECK_EQ(p->starts, i + 2);
        CHECK_EQ(p->releases, i + 1);
        CHECK(p->is_up);
    }
    CHECK_EQ(p->stops, 4); // a killed one does not
    CHECK_EQ(grove_events(g->node, HY_EVENT_RESTARTED), 5);
    return HY_OK;
}

static hy_err what_harms_nobody_is_handled_again_until_it_is_poison(grove *g) {
    plant *p = NULL;
    CHECK_OK(ONE_PLANT(g, &p, .restart = HY_PERMANENT, .restarts_max = MANY));
    CHECK_OK(HY_TELL(grove, retry, p->ref, .how = GROVE_FAIL));
    CHECK_OK(HY_TELL(grove, note, p->ref, .number = 1));
    CHECK_OK(grove_settle(HY_SECONDS(20)));
    CHECK_EQ(p->notes, 4); // three times, and the other one
    CHECK_EQ(p->starts, 4);
    CHECK_EQ(hy_node_account(g->node).dropped[HY_DROP_POISON], 1);
    CHECK_EQ(hy_node_account(g->node).dropped[HY_DROP_FAILED], 0);
    CHECK_EQ(grove_events(g->node, HY_EVENT_POISON), 1);
    return HY_OK;
}

static hy_err kinds_of_restart_are_those_of_services(grove *g) {
    CHECK_OK(ROOT(g, .restarts_max = 0));
    static const struct {
        hy_restart restart;
        grove_how how;
        bool comes_back;
    } cases[] = {
        { HY_TEMPORARY, GROVE_ERROR, false }, { HY_TEMPORARY, GROVE_END, false },
        { HY_TRANSIENT, GROVE_ERROR, true },  { HY_TRANSIENT, GROVE_END, false },
        { HY_TRANSIENT, GROVE_KILL, true },   { HY_PERMANENT, GROVE_ERROR, true },
        { HY_PERMANENT, GROVE_END, true },    { HY_PERMANENT, GROVE_STOP, false },
        { HY_TRANSIENT, GROVE_STOP, false },  { HY_TEMPORARY, GROVE_KILL, false },
    };
    const uint32_t count = sizeof cases / sizeof cases[0];
    for (uint32_t i = 0; i < count; i++) {
        plant *p = PLANT(g, NULL, .restart = cases[i].restart);
        CHECK_OK(grove_spawn(p, g->root));
        CHECK_OK(grove_settle(HY_SECONDS(1)));
        CHECK_OK(grove_let_fall(p, cases[i].how));
        CHECK_OK(grove_settle(HY_SECONDS(20)));
        CHECK_EQ(p->is_up, cases[i].comes_back);
        CHECK_EQ(grove_lives(p), cases[i].comes_back);
    }
    return HY_OK;
}

static hy_err the_first_restart_is_at_once_the_next_ones_wait(grove *g) {
    plant *p = NULL;
    CHECK_OK(ONE_PLANT(g, &p, .restart = HY_PERMANENT, .restarts_max = MANY,
                       .backoff_min = HY_SECONDS(100), .backoff_max = HY_SECONDS(200),
                       .restarts_within = HY_SECONDS(1000)));
    hy_world *world = hy_scope_world(hy_scope_current());
    uint32_t late = 0;
    for (uint32_t i = 0; i < 8; i++) {
        hy_ns fell = hy_world_now(world);
        CHECK_OK(grove_let_fall(p, GROVE_ERROR));
        CHECK_OK(grove_settle(HY_SECONDS(201)));
        CHECK_EQ(p->starts, i + 2);
        hy_ns pause = p->began - fell;
        if (i == 0) CHECK(pause < HY_MS(10));
        CHECK(pause < (i < 2 ? HY_SECONDS(101) : HY_SECONDS(201)));
        late += pause > HY_SECONDS(10);
    }
    CHECK(late >= 3); // of seven: full jitter
    CHECK_OK(grove_settle(HY_SECONDS(1001)));
    hy_ns fell = hy_world_now(world);
    CHECK_OK(grove_let_fall(p, GROVE_ERROR)); // it was up for so long: the first one again
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    CHECK(p->began >= fell && p->began - fell < HY_MS(10));
    return HY_OK;
}

static hy_err who_is_stopped_in_a_pause_is_gone(grove *g) {
    plant *p = NULL;
    CHECK_OK(ONE_PLANT(g, &p, .restart = HY_PERMANENT, .restarts_max = MANY,
                       .backoff_min = HY_SECONDS(1000000), .backoff_max = HY_SECONDS(1000000)));
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_OK(grove_let_fall(p, GROVE_ERROR));
        CHECK_OK(grove_settle(HY_MS(50)));
    }
    CHECK(!p->is_up && grove_lives(p)); // it waits
    CHECK_EQ(p->starts, 2);
    CHECK_OK(HY_TELL(grove, note, p->ref, .number = 1)); // and its mailbox is open
    hy_actor_stop(p->ref.ref);
    CHECK_ERR(hy_actor_wait_end(p->ref.ref, HY_NEVER), HY_IO);
    CHECK_OK(grove_settle(HY_MS(50)));
    CHECK(!grove_lives(p));
    CHECK_EQ(hy_node_account(g->node).dropped[HY_DROP_ENDED], 1);
    return HY_OK;
}

static hy_err restarts_long_ago_do_not_count(grove *g) {
    plant *p = NULL;
    CHECK_OK(ONE_PLANT(g, &p, .restart = HY_PERMANENT, .restarts_max = 2,
                       .restarts_within = HY_SECONDS(10), .backoff_max = HY_SECONDS(1)));
    for (uint32_t i = 0; i < 10; i++) {
        CHECK_OK(grove_let_fall(p, GROVE_ERROR));
        CHECK_OK(grove_settle(HY_SECONDS(6)));
        CHECK_EQ(p->starts, i + 2);
    }
    CHECK_EQ(grove_events(g->node, HY_EVENT_RESTARTS), 0);
    return HY_OK;
}

// parent (2 restarts) above a child (1 restart): a child that always falls takes the parent along,
// and in the end the root.
static hy_err too_many_restarts_escalate(grove *g) {
    CHECK_OK(ROOT(g, .restarts_max = 0));
    plant *parent = PLANT(g, NULL, .restart = HY_PERMANENT, .restarts_max = 1,
                          .restarts_within = HY_SECONDS(1000));
    plant *child = PLANT(g, parent, .restart = HY_PERMANENT, .restarts_max = 1,
                         .restarts_within = HY_SECONDS(1000));
    CHECK_OK(grove_spawn(parent, g->root));
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_OK(grove_let_fall(child, GROVE_ERROR));
        CHECK_OK(grove_settle(HY_SECONDS(20)));
        CHECK_EQ(parent->starts, i < 1 ? 1 : 2);
        CHECK_EQ(child->starts, i + 2);
        CHECK_EQ(parent->stopped_with, i < 1 ? HY_OK : HY_RESTARTS);
    }
    CHECK_EQ(grove_events(g->node, HY_EVENT_RESTARTS), 1);
    CHECK_OK(grove_let_fall(child, GROVE_ERROR)); // the parent's second: the root fails
    CHECK_ERR(grove_settle(HY_SECONDS(20)), HY_CANCELLED);
    CHECK_EQ(grove_events(g->node, HY_EVENT_RESTARTS), 3);
    return HY_OK;
}

static hy_err escalation_ends_the_scope(hy_mem *mem) {
    static grove g;
    g = (grove){ .count = 0 };
    CHECK_ERR(grove_in_sim(mem, kit_seed(), &g, too_many_restarts_escalate, NULL), HY_RESTARTS);
    return HY_OK;
}

static hy_err all_children_together_have_a_limit(grove *g) {
    CHECK_OK(ROOT(g, .restarts_max = 0));
    plant *parent = PLANT(g, NULL, .restart = HY_TEMPORARY, .children_restarts_max = 3);
    plant *children[3];
    for (uint32_t i = 0; i < 3; i++)
        children[i] = PLANT(g, parent, .restart = HY_PERMANENT);
    CHECK_OK(grove_spawn(parent, g->root));
    CHECK_OK(grove_settle(HY_SECONDS(1)));
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(parent->is_up);
        CHECK_OK(grove_let_fall(children[i % 3], GROVE_ERROR));
        CHECK_OK(grove_settle(HY_SECONDS(1)));
    }
    CHECK(!parent->is_up);
    CHECK_EQ(parent->stopped_with, HY_RESTARTS);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(!grove_lives(children[i]));
    return HY_OK;
}

GROVE_SIM(restarts_keep_the_mailbox_and_the_ref)
GROVE_SIM(every_way_to_fail_is_restarted)
GROVE_SIM(what_harms_nobody_is_handled_again_until_it_is_poison)
GROVE_SIM(kinds_of_restart_are_those_of_services)
GROVE_SIM(the_first_restart_is_at_once_the_next_ones_wait)
GROVE_SIM(who_is_stopped_in_a_pause_is_gone)
GROVE_SIM(restarts_long_ago_do_not_count)
GROVE_SIM(all_children_together_have_a_limit)

KIT_TESTS(KIT_TEST_ONCE(sim_restarts_keep_the_mailbox_and_the_ref),
          KIT_TEST_ONCE(sim_every_way_to_fail_is_restarted),
          KIT_TEST_ONCE(sim_what_harms_nobody_is_handled_again_until_it_is_poison),
          KIT_TEST_ONCE(sim_kinds_of_restart_are_those_of_services),
          KIT_TEST_ONCE(sim_the_first_restart_is_at_once_the_next_ones_wait),
          KIT_TEST_ONCE(sim_who_is_stopped_in_a_pause_is_gone),
          KIT_TEST_ONCE(sim_restarts_long_ago_do_not_count),
          KIT_TEST_ONCE(escalation_ends_the_scope),
          KIT_TEST_ONCE(sim_all_children_together_have_a_limit))
