// actor_storm_test.c - random trees of actors that fall at random, against a slow model.
//
// Each seed grows a tree of supervisors and leaves, at most four levels deep, with random policies,
// kinds of restart and limits. In the stepwise storm one thing happens at a time (a handler fails,
// an actor is killed, stopped, sick, out of memory, its next starts fail), all comes to rest, and a
// model that knows nothing of supervise.c says who must be up, how often each has started, and in
// which order the siblings of a group went down and came up. The model is a few recursive functions
// over an array: what OTP's book says, without messages, orders or time.
//
// In the wild storm things happen at once, and stops too, in a simulated world and on two real
// workers; there the plants' own checks hold (grove_suite.h), and in the end exactly those are up
// that nobody stopped and that have no reason to be down.
//
// Every storm ends with the node: nothing leaked, nobody held, the account in order.
#include "actor/grove_suite.h"
#include "actor/rounds_suite.h"
#include "kit/kit.h"

#define FOREVER HY_SECONDS(1000000)
#define MANY UINT32_MAX
#define STORMS ROUNDS_OF(1500u)
#define WILD_STORMS ROUNDS_OF(300u)
#define BROKEN_STORMS ROUNDS_OF(500u)

typedef struct storm {
    grove grove;
    uint64_t random;
    uint32_t falls, steps;
    // The model; the root has number GROVE_PLANTS.
    struct model {
        bool is_up, is_over;
        uint32_t starts, restarts, children_restarts, start_fails, groups;
        bool begun_now, released_now; // in this step
    } model[GROVE_PLANTS + 1];
    bool is_dead; // the root has failed
    plant *fallen;
} storm;

static uint32_t below(storm *s, uint32_t bound) {
    return (uint32_t)(kit_random(&s->random) % bound);
}

// ---- the model --------------------------------------------------------------------------------

static void model_begin(storm *s, plant *p);
static void model_judge(storm *s, plant *p, hy_err err);

static hy_policy model_policy(const storm *s, const plant *above) {
    hy_policy policy = above ? above->options.policy : s->grove.policy;
    return policy ? policy : hy_one_for_one;
}

static uint32_t model_number(const plant *p) {
    return p ? p->number : GROVE_PLANTS;
}

static uint32_t model_siblings(storm *s, const plant *above, plant **out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->grove.count; i++) {
        if (s->grove.plants[i].above == above) out[count++] = &s->grove.plants[i];
    }
    return count;
}

static void model_down(storm *s, plant *p) {
    for (uint32_t i = p->child_count; i-- > 0;)
        model_down(s, p->children[i]);
    if (s->model[p->number].is_up) s->model[p->number].released_now = true;
    s->model[p->number].is_up = false;
    s->model[p->number].groups++; // nothing below it goes on
}

static void model_fail_supervisor(storm *s, plant *above) {
    if (!above) {
        plant *tops[GROVE_PLANTS];
        uint32_t count = model_siblings(s, NULL, tops);
        for (uint32_t i = 0; i < count; i++)
            model_down(s, tops[i]);
        s->is_dead = true;
        return;
    }
    model_down(s, above);
    model_judge(s, above, HY_RESTARTS);
}

// All from `first` on go down and come up.
static void model_group(storm *s, const plant *above, uint32_t first) {
    plant *siblings[GROVE_PLANTS];
    uint32_t count = model_siblings(s, above, siblings);
    uint32_t group = ++s->model[model_number(above)].groups;
    for (uint32_t i = count; i-- > first;) {
        struct model *m = &s->model[siblings[i]->number];
        model_down(s, siblings[i]);
        if (siblings[i]->options.restart == HY_TEMPORARY) m->is_over = true;
    }
    for (uint32_t i = first; i < count; i++) {
        if (s->model[siblings[i]->number].is_over) continue;
        model_begin(s, siblings[i]);
        if (s->is_dead || s->model[model_number(above)].groups != group) return;
    }
}

static void model_judge(storm *s, plant *p, hy_err err) {
    struct model *m = &s->model[p->number], *above = &s->model[model_number(p->above)];
    const hy_actor_options *options = &p->options;
    bool is_wanted =
        options->restart == HY_PERMANENT || (options->restart == HY_TRANSIENT && err != HY_OK);
    if (!is_wanted) {
        m->is_over = true;
        return;
    }
    uint32_t all_max = p->above ? p->above->options.children_restarts_max : 0;
    uint32_t own_max = options->restarts_max;
    if (++m->restarts > own_max || (++above->children_restarts > all_max && all_max > 0)) {
        m->is_over = true;
        model_fail_supervisor(s, p->above);
        return;
    }
    hy_policy policy = model_policy(s, p->above);
    if (policy == hy_one_for_one) {
        model_begin(s, p);
    } else {
        model_group(s, p->above, policy == hy_one_for_all ? 0 : p->index);
    }
}

static void model_begin(storm *s, plant *p) {
    struct model *m = &s->model[p->number];
    uint32_t start = ++m->starts;
    m->begun_now = true;
    if (m->start_fails > 0) {
        m->start_fails--;
        model_judge(s, p, HY_IO);
        return;
    }
    m->is_up = true;
    m->children_restarts = 0;
    m->groups++;
    for (uint32_t i = 0; i < p->child_count; i++) {
        struct model *child = &s->model[p->children[i]->number];
        child->is_over = child->is_up = false;
        child->restarts = 0;
    }
    for (uint32_t i = 0; i < p->child_count; i++) {
        const struct model *child = &s->model[p->children[i]->number];
        if (!child->is_up && !child->is_over) model_begin(s, p->children[i]);
        if (s->is_dead || m->starts != start || !m->is_up) return;
    }
}

static void model_fall(storm *s, plant *p, grove_how how) {
    model_down(s, p);
    if (how == GROVE_STOP) {
        s->model[p->number].is_over = true;
    } else {
        model_judge(s, p, how == GROVE_END ? HY_OK : HY_IO);
    }
}

// ---- trees ------------------------------------------------------------------------------------

static hy_policy storm_policy(storm *s) {
    switch (below(s, 3)) {
    case 0: return hy_one_for_one;
    case 1: return hy_one_for_all;
    default: return hy_rest_for_one;
    }
}

static void storm_grow(storm *s, plant *above, uint32_t depth, bool has_limits) {
    uint32_t wanted = depth == 0 ? 2 + below(s, 3) : below(s, GROVE_CHILDREN + 1);
    for (uint32_t i = 0; i < wanted && s->grove.count < GROVE_PLANTS - 4; i++) {
        bool is_permanent = !has_limits || below(s, 4) > 0;
        hy_actor_options options = {
            .size = sizeof options,
            .restart = is_permanent ? HY_PERMANENT : (hy_restart)below(s, 2),
            .restarts_max = has_limits && below(s, 2) == 0 ? 1 + below(s, 3) : MANY,
            .restarts_within = FOREVER,
            .backoff_min = HY_MS(1),
            .backoff_max = HY_MS(20),
            .policy = storm_policy(s),
            .children_restarts_max = has_limits && below(s, 4) == 0 ? 1 + below(s, 3) : 0,
            .children_restarts_within = FOREVER,
            .memory_max = 16000,
            .health_every = below(s, 4) == 0 ? HY_MS(100) : 0,
            .health_failures = 2,
        };
        plant *p = grove_plant(&s->grove, above, &options);
        p->stop_takes = below(s, 8) == 0 ? HY_MS(below(s, 20)) : 0;
        p->start_takes = below(s, 8) == 0 ? HY_MS(below(s, 20)) : 0;
        if (depth < 3 && below(s, 5 - depth) > 1) storm_grow(s, p, depth + 1, has_limits);
    }
}

static hy_err storm_plant_all(storm *s) {
    hy_actor_options root = { .size = sizeof root, .policy = storm_policy(s) };
    s->grove.policy = root.policy;
    hy_err err = hy_actors_in(NULL, s->grove.node, &root, &s->grove.root);
    for (uint32_t i = 0; err == HY_OK && i < s->grove.count; i++) {
        plant *p = &s->grove.plants[i];
        if (p->above) continue;
        err = grove_spawn(p, s->grove.root);
        if (err == HY_OK) model_begin(s, p);
    }
    return err;
}

// ---- step by step -----------------------------------------------------------------------------

static void storm_check_orders(storm *s, const plant *above, bool in_group) {
    plant *siblings[GROVE_PLANTS];
    uint32_t count = model_siblings(s, above, siblings);
    bool above_ended = above && s->model[above->number].released_now;
    bool above_began = above && s->model[above->number].begun_now;
    const plant *last = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct model *m = &s->model[siblings[i]->number];
        bool is_fallen = false;
        for (const plant *p = s->fallen; p; p = p->above)
            is_fallen = is_fallen || p == siblings[i];
        if (!m->released_now || is_fallen || !(in_group || above_ended)) continue;
        if (last) CHECK(siblings[i]->released_as < last->released_as);
        last = siblings[i];
    }
    last = NULL;
    for (uint32_t i = 0; i < count && in_group && !above_began; i++) {
        if (!s->model[siblings[i]->number].begun_now) continue;
        if (last) CHECK(siblings[i]->began_as > last->began_as);
        last = siblings[i];
    }
}

static void storm_check(storm *s, bool counts) {
    for (uint32_t i = 0; i < s->grove.count; i++) {
        const plant *p = &s->grove.plants[i];
        CHECK_EQ(p->is_up, s->model[i].is_up);
        CHECK_EQ(p->is_held, s->model[i].is_up);
        CHECK_EQ(grove_lives(p), s->model[i].is_up);
        if (counts) CHECK_EQ(p->starts, s->model[i].starts);
    }
    if (!counts || !s->fallen) return; // or all began at the same time
    storm_check_orders(s, NULL, s->grove.policy != hy_one_for_one);
    for (uint32_t i = 0; i < s->grove.count; i++) {
        const plant *p = &s->grove.plants[i];
        if (p->child_count > 0) storm_check_orders(s, p, p->options.policy != hy_one_for_one);
    }
}

static plant *storm_pick(storm *s) {
    plant *up[GROVE_PLANTS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->grove.count; i++) {
        if (s->model[i].is_up) up[count++] = &s->grove.plants[i];
    }
    return count > 0 ? up[below(s, count)] : NULL;
}

static hy_err storm_step(storm *s) {
    static const grove_how hows[] = { GROVE_ERROR, GROVE_ERROR, GROVE_FAIL, GROVE_MEMORY,
                                      GROVE_END,   GROVE_KILL,  GROVE_STOP, GROVE_SICK };
    plant *p = storm_pick(s);
    if (!p) return HY_END;
    grove_how how = hows[below(s, sizeof hows / sizeof hows[0])];
    if (how == GROVE_SICK && p->options.health_every == 0) how = GROVE_ERROR;
    for (uint32_t i = 0; i < s->grove.count; i++) {
        struct model *m = &s->model[i];
        m->begun_now = m->released_now = false;
        m->start_fails = 0;
        s->grove.plants[i].start_fails = 0;
        m->starts = s->grove.plants[i].starts;
    }
    uint32_t start_fails = below(s, 4) == 0 ? 1 + below(s, 3) : 0;
    s->model[p->number].start_fails = start_fails;
    p->start_fails = start_fails;
    s->fallen = p;
    s->falls++;
    model_fall(s, p, how);
    hy_err err = grove_let_fall(p, how);
    if (err == HY_OK) err = grove_settle(HY_SECONDS(2));
    if (s->is_dead) return HY_END;
    if (err == HY_OK) storm_check(s, start_fails == 0);
    return err;
}

static hy_err storm_stepwise(grove *g) {
    storm *s = (storm *)(void *)g;
    hy_err err = storm_plant_all(s);
    if (err == HY_OK) err = grove_settle(HY_SECONDS(2));
    if (err == HY_OK) storm_check(s, true);
    for (uint32_t i = 0; err == HY_OK && i < s->steps; i++)
        err = storm_step(s);
    if (!s->is_dead) return err == HY_END ? HY_OK : err;
    err = grove_settle(HY_SECONDS(2)); // the scope has failed
    for (uint32_t i = 0; i < g->count; i++)
        CHECK(!g->plants[i].is_held);
    return err == HY_CANCELLED ? HY_OK : HY_END;
}

static hy_err storm_blow(hy_mem *mem, storm *s, grove_body body, uint64_t seed, bool has_limits,
                         uint64_t *out_digest) {
    *s = (storm){ .random = seed, .steps = 12 };
    storm_grow(s, NULL, 0, has_limits);
    hy_err err = grove_in_sim(mem, seed, &s->grove, body, out_digest);
    return s->is_dead && err == HY_RESTARTS ? HY_OK : err;
}

static hy_err the_model_knows_who_is_up(hy_mem *mem) {
    static storm s;
    uint64_t falls = 0, dead = 0;
    for (uint64_t i = 0; i < STORMS; i++) {
        uint64_t seed = kit_seed() * 10000 + i;
        hy_err err = storm_blow(mem, &s, storm_stepwise, seed, i % 3 > 0, NULL);
        if (err != HY_OK) kit_fail(__FILE__, __LINE__, "storm %d: %s", (int)i, hy_err_name(err));
        falls += s.falls;
        dead += s.is_dead;
    }
    CHECK(falls > STORMS * 20 / 3); // there was a storm
    CHECK(dead > STORMS / 30 && dead < STORMS / 3 * 2);
    return HY_OK;
}

static hy_err same_seed_same_storm(hy_mem *mem) {
    static storm s;
    uint64_t last = 0;
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t first = 0, second = 0;
        CHECK_OK(storm_blow(mem, &s, storm_stepwise, kit_seed() * 1000 + i, true, &first));
        CHECK_OK(storm_blow(mem, &s, storm_stepwise, kit_seed() * 1000 + i, true, &second));
        CHECK_EQ(first, second);
        CHECK(first != last);
        last = first;
    }
    return HY_OK;
}

// ---- all at once ------------------------------------------------------------------------------

static hy_err wild_fall(storm *s, bool may_stop) {
    plant *p = &s->grove.plants[below(s, s->grove.count)];
    grove_ref ref = { { p->ref_id } };
    s->falls++;
    switch (below(s, 12)) {
    case 0: hy_actor_kill(ref.ref); return HY_OK;
    case 1: p->is_sick = true; return HY_OK;
    case 2: p->start_fails = below(s, 3); return HY_OK;
    case 3: return HY_TELL(grove, retry, ref, .how = GROVE_ERROR);
    case 4: return HY_TELL(grove, sleep, ref, .number = below(s, 10));
    case 5:
        if (!may_stop || !p->above) break;
        p->is_told = true; // it may come back, with its parent
        hy_actor_stop(ref.ref);
        return HY_OK;
    default: break;
    }
    return HY_TELL(grove, fall, ref, .how = 1 + below(s, GROVE_END));
}

static hy_err wild_falls(storm *s, uint32_t count, bool may_stop) {
    for (uint32_t i = 0; i < count; i++) {
        hy_err err = wild_fall(s, may_stop);
        if (err != HY_OK && err != HY_NOT_FOUND && err != HY_LIMIT) return err;
        if (below(s, 4) == 0) err = hy_sleep(HY_US(below(s, may_stop ? 20000 : 500)));
        if (err != HY_OK && err != HY_NOT_FOUND && err != HY_LIMIT) return err;
    }
    return HY_OK;
}

static void wild_check(const storm *s) {
    for (uint32_t i = 0; i < s->grove.count; i++) {
        const plant *p = &s->grove.plants[i];
        bool must_be_up = !p->is_told && (!p->above || p->above->is_up);
        CHECK(p->is_up || !must_be_up);
        CHECK_EQ(p->is_up, p->is_held);
        CHECK_EQ(p->is_up, grove_lives(p));
        if (p->is_up && p->above) CHECK(p->above->is_up);
    }
}

static hy_err storm_wild(grove *g) {
    storm *s = (storm *)(void *)g;
    g->is_wild = true;
    hy_err err = storm_plant_all(s);
    for (uint32_t i = 0; err == HY_OK && i < 3; i++) {
        err = wild_falls(s, 30, true);
        if (err == HY_OK) err = grove_settle(HY_SECONDS(5));
        if (err == HY_OK) wild_check(s);
    }
    return err;
}

// The node is closed while all of this goes on.
static hy_err storm_broken_off(grove *g) {
    storm *s = (storm *)(void *)g;
    g->is_wild = true;
    hy_err err = storm_plant_all(s);
    if (err == HY_OK) err = wild_falls(s, below(s, 60), true);
    return err == HY_OK ? HY_CLOSED : err; // not at rest: the account is not looked at
}

static hy_err after_the_wild_storm_all_are_up(hy_mem *mem) {
    static storm s;
    uint64_t falls = 0;
    for (uint64_t i = 0; i < WILD_STORMS; i++) {
        uint64_t seed = kit_seed() * 20000 + i;
        hy_err err = storm_blow(mem, &s, storm_wild, seed, false, NULL);
        if (err != HY_OK) kit_fail(__FILE__, __LINE__, "storm %d: %s", (int)i, hy_err_name(err));
        falls += s.falls;
    }
    CHECK(falls > WILD_STORMS * 100 / 3);
    return HY_OK;
}

static hy_err storms_can_be_broken_off(hy_mem *mem) {
    static storm s;
    for (uint64_t i = 0; i < BROKEN_STORMS; i++) {
        uint64_t seed = kit_seed() * 30000 + i;
        hy_err err = storm_blow(mem, &s, storm_broken_off, seed, i % 2 == 0, NULL);
        if (i % 2 == 0 && err == HY_RESTARTS) continue; // the root had failed by then
        CHECK_ERR(err, HY_CLOSED);
    }
    return HY_OK;
}

// A small one, with each allocation failing in turn: it ends somehow, and leaves nothing.
static hy_err storm_small(grove *g) {
    storm *s = (storm *)(void *)g;
    g->is_wild = true;
    hy_err err = storm_plant_all(s);
    if (err == HY_OK) err = wild_falls(s, 12, true);
    if (err == HY_OK) err = grove_settle(HY_SECONDS(3));
    return err;
}

static hy_err storms_without_memory_end(hy_mem *mem) {
    static storm s;
    s = (storm){ .random = kit_seed() };
    while (s.grove.count < 6) {
        hy_actor_options options = { .size = sizeof options,
                                     .restart = HY_PERMANENT,
                                     .restarts_max = s.grove.count % 2 ? 3 : MANY,
                                     .backoff_max = HY_MS(10),
                                     .health_every = HY_MS(100),
                                     .memory_max = 16000,
                                     .policy = storm_policy(&s) };
        uint32_t count = s.grove.count;
        plant *p = grove_plant(&s.grove, count < 2 ? NULL : &s.grove.plants[count / 2], &options);
        p->start_takes = count % 3 == 0 ? HY_MS(1) : 0;
    }
    hy_err err = grove_in_sim(mem, kit_seed(), &s.grove, storm_small, NULL);
    CHECK(err == HY_OK || kit_failed_allocation());
    return err == HY_OK ? HY_OK : HY_NOMEM;
}

// ---- two workers ------------------------------------------------------------------------------

// Everybody answers, so what was sent before has been handled, by whatever start.
static hy_err real_ask_all(const grove *g) {
    for (uint32_t i = 0; i < g->count; i++) {
        hy_err err = HY_NOT_FOUND;
        while (err != HY_OK) {
            grove_ref ref = { { g->plants[i].ref_id } };
            grove_word word = { 0 };
            err = HY_ASK(grove, count, ref, HY_MS(50), &word, .number = 1);
            if (err == HY_NOT_FOUND || err == HY_CLOSED) (void)hy_yield(); // a new one comes
            bool is_usual = err == HY_OK || err == HY_NOT_FOUND || err == HY_CLOSED ||
                            err == HY_TIMEOUT || err == HY_LIMIT;
            if (!is_usual) return err;
        }
    }
    return HY_OK;
}

static hy_err storm_real(grove *g) {
    storm *s = (storm *)(void *)g;
    g->is_wild = true;
    hy_err err = storm_plant_all(s);
    for (uint32_t i = 0; err == HY_OK && i < 4; i++) {
        if (err == HY_OK) err = wild_falls(s, 40, false);
        for (uint32_t j = 0; j < g->count; j++)
            g->plants[j].is_sick = false;
        if (err == HY_OK) err = real_ask_all(g);
        if (err == HY_OK) err = real_ask_all(g); // and what that took along is up again
    }
    return err;
}

static hy_err two_workers_bear_storms(hy_mem *mem) {
    static storm s;
    for (uint64_t i = 0; i < 6; i++) {
        s = (storm){ .random = kit_seed() * 40000 + i };
        storm_grow(&s, NULL, 0, false);
        CHECK_OK(grove_in_real(mem, 2, &s.grove, storm_real));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(the_model_knows_who_is_up), KIT_TEST_ONCE(same_seed_same_storm),
          KIT_TEST_ONCE(after_the_wild_storm_all_are_up), KIT_TEST_ONCE(storms_can_be_broken_off),
          KIT_TEST(storms_without_memory_end), KIT_TEST_ONCE(two_workers_bear_storms))
