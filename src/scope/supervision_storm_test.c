// supervision_storm_test.c - random trees of services that fall at random.
//
// Each seed grows a tree: supervisors (services that start services) and leaves, with random
// policies, kinds of restart, and times. Leaves fall a limited number of times, before or after
// they are ready. While the storm lasts, every run checks what must hold at its beginning; when it
// is over, exactly those that the policies promise must be up, in order; then all is stopped, and
// every release checks that nobody who was started later is still there. Other storms
// are stopped in the middle, with some grace, and then again with less, or cancelled.
//
// The promises are a model that knows nothing of restart.c:
//   - a permanent service is up; a transient one unless it ended well; a temporary one unless it
//     ended in any way. Who is over does not run again until its supervisor begins anew.
//   - nobody runs twice at a time, and nobody begins while its resource is still held.
//   - under one_for_all and rest_for_one nobody begins before those started ahead of it, and who is
//     up in the end began in that order.
#include "kit/kit.h"
#include "base/cleanup.h"

#include <hypha/scope.h>

#include <string.h>

#define STORM_NODES 40u
#define STORM_CHILDREN 4u
#define STORM_DEPTH 3u

typedef enum storm_rule { STORM_ONE, STORM_ALL, STORM_REST } storm_rule;

typedef struct storm_node {
    struct storm *storm;
    struct storm_node *above;
    uint32_t index; // among its siblings, in order of start
    storm_rule rule;
    hy_restart restart;
    uint32_t restarts_max;
    struct storm_node *children[STORM_CHILDREN];
    uint32_t child_count;
    uint32_t falls_left;
    bool is_supervisor, is_held, is_up, is_over;
    hy_ns began;
} storm_node;

typedef struct storm {
    hy_world *world;
    storm_node nodes[STORM_NODES];
    uint32_t count, limit; // nodes
    uint64_t random;
    bool is_ending; // the final stop: releases must come in reverse order
    uint32_t falls, begins;
    hy_err err;
} storm;

static uint32_t below(storm *s, uint32_t bound) {
    return (uint32_t)(kit_random(&s->random) % bound);
}

static storm_node *storm_grow(storm *s, storm_node *above, uint32_t depth) {
    storm_node *node = &s->nodes[s->count++];
    *node = (storm_node){ .storm = s, .above = above };
    node->is_supervisor = depth < STORM_DEPTH && (depth == 0 || below(s, 3) == 0);
    node->restart = below(s, 4) > 0 || node->is_supervisor ? HY_PERMANENT : (hy_restart)below(s, 2);
    node->rule = (storm_rule)below(s, 3);
    node->restarts_max = below(s, 2) == 0 && depth > 0 ? 1 + below(s, 4) : UINT32_MAX;
    if (!node->is_supervisor) {
        node->falls_left = below(s, 4);
        return node;
    }
    uint32_t wanted = 1 + below(s, STORM_CHILDREN);
    while (node->child_count < wanted && s->count < s->limit) {
        storm_node *child = storm_grow(s, node, depth + 1); // at most STORM_DEPTH deep
        child->index = node->child_count;
        node->children[node->child_count++] = child;
    }
    return node;
}

static hy_policy storm_policy(storm_rule rule) {
    switch (rule) {
    case STORM_ONE: return hy_one_for_one;
    case STORM_ALL: return hy_one_for_all;
    case STORM_REST: return hy_rest_for_one;
    }
    return NULL;
}

// ---- what nodes do, and check -----------------------------------------------------------------

// Whoever is told to end, with its group or with all: those that were started later have ended.
static void storm_check_told(const storm_node *node) {
    const storm_node *above = node->above;
    if (!above) return;
    for (uint32_t i = node->index + 1; i < above->child_count; i++) {
        CHECK(!above->children[i]->is_held);
    }
}

static void storm_release(void *object) {
    storm_node *node = (storm_node *)object;
    node->is_held = false;
    if (node->storm->is_ending) storm_check_told(node);
}

static void storm_check_begin(const storm_node *node) {
    CHECK(!node->is_held);
    CHECK(!node->is_over);
    CHECK(!node->storm->is_ending);
    const storm_node *above = node->above;
    if (!above || above->rule == STORM_ONE) return;
    for (uint32_t i = 0; i < node->index; i++) {
        const storm_node *earlier = above->children[i];
        CHECK(earlier->is_held || earlier->is_over);
    }
}

static hy_err storm_run(void *arg);

static hy_err storm_start(storm_node *node) {
    hy_service_spec spec = {
        .size = sizeof spec,
        .name = node->is_supervisor ? "supervisor" : "leaf",
        .fn = storm_run,
        .arg = node,
        .restart = node->restart,
        .restarts_max = node->restarts_max,
        .backoff_max = HY_SECONDS(1),
        .scope.policy = storm_policy(node->rule),
    };
    return hy_start(NULL, &spec, NULL);
}

static hy_err storm_serve(storm_node *node) {
    node->is_up = true;
    hy_err err = hy_wait_draining();
    node->is_up = false;
    bool is_told = err == HY_CLOSED || !node->is_supervisor; // else its own scope may have failed
    if (is_told) storm_check_told(node);
    if (err == HY_CLOSED && below(node->storm, 2) == 0) {
        (void)hy_sleep(HY_MS(below(node->storm, 3000))); // in time, or cut short
    }
    if (node->restart == HY_TEMPORARY) node->is_over = true;
    return err == HY_CLOSED ? HY_OK : err;
}

static hy_err storm_supervise(storm_node *node) {
    for (uint32_t i = 0; i < node->child_count; i++) {
        node->children[i]->is_over = false;
    }
    for (uint32_t i = 0; i < node->child_count; i++) {
        hy_err err = storm_start(node->children[i]);
        if (err != HY_OK) return err;
    }
    hy_ready();
    return storm_serve(node);
}

static bool storm_is_told(void) {
    return hy_draining() || hy_check() != HY_OK;
}

static hy_err storm_fall(storm_node *node, bool was_ready, bool has_ended_well) {
    node->storm->falls++;
    node->falls_left--;
    // Told just now, with its group, it comes back; a temporary one only while it is first started.
    bool is_told = storm_is_told();
    if (node->restart == HY_TEMPORARY) node->is_over = was_ready || !is_told;
    if (node->restart == HY_TRANSIENT) node->is_over = has_ended_well && !is_told;
    return has_ended_well ? HY_OK : HY_IO;
}

static hy_err storm_leaf(storm_node *node) {
    storm *s = node->storm;
    hy_err err = hy_sleep(HY_MS(below(s, 500)));
    if (err != HY_OK) return err;
    bool has_ended_well = below(s, 3) == 0;
    if (node->falls_left > 0 && below(s, 4) == 0) return storm_fall(node, false, has_ended_well);
    if (storm_is_told()) return HY_OK; // too late to be ready
    hy_ready();
    if (node->falls_left == 0) return storm_serve(node);
    node->is_up = true;
    err = hy_sleep(HY_MS(below(s, 5000)));
    node->is_up = false;
    if (err == HY_OK) return storm_fall(node, true, has_ended_well);
    storm_check_told(node);
    if (node->restart == HY_TEMPORARY) node->is_over = true;
    return err;
}

static hy_err storm_run(void *arg) {
    storm_node *node = (storm_node *)arg;
    storm_check_begin(node);
    node->storm->begins++;
    node->is_held = true;
    node->began = hy_world_now(node->storm->world);
    hy_err err = hy_own(hy_scope_current(), node, storm_release, 0);
    if (err != HY_OK) return err;
    return node->is_supervisor ? storm_supervise(node) : storm_leaf(node);
}

// ---- afterwards -------------------------------------------------------------------------------

static uint32_t storm_check_calm(const storm *s) {
    uint32_t up = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const storm_node *node = &s->nodes[i];
        CHECK_EQ(node->is_up, !node->is_over);
        CHECK_EQ(node->is_held, node->is_up);
        up += node->is_up;
        if (!node->is_supervisor || node->rule == STORM_ONE) continue;
        hy_ns latest = 0;
        for (uint32_t j = 0; j < node->child_count; j++) {
            if (!node->children[j]->is_up) continue;
            CHECK(node->children[j]->began >= latest);
            latest = node->children[j]->began;
        }
    }
    return up;
}

static hy_err storm_body(void *arg) {
    storm *s = (storm *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        do {
            err = storm_start(&s->nodes[0]); // until the first round of falls is over
        } while (err != HY_OK && !kit_failed_allocation());
        if (err != HY_OK) break;
        err = hy_sleep(HY_SECONDS(5000));
        if (err != HY_OK) break;
        if (!kit_failed_allocation()) {
            CHECK_EQ(storm_check_calm(s) + 1, hy_scope_stats_of(scope).fibers);
        }
        s->is_ending = true;
    }
    return err;
}

static hy_err storm_starter(void *arg) {
    hy_err err = HY_CLOSED;
    do {
        err = storm_start((storm_node *)arg);
    } while (err == HY_IO || err == HY_RESTARTS || err == HY_END);
    return HY_OK;
}

// A stop in the middle: while things start, wait, fall, go down and come up.
static hy_err storm_stopped_body(void *arg) {
    storm *s = (storm *)arg;
    hy_err err = HY_OK;
    hy_ns grace = HY_MS(1 + below(s, 20000)), began = 0;
    HY_SCOPE(scope, &err, .stop_max = HY_SECONDS(1)) {
        err = hy_spawn(scope, storm_starter, &s->nodes[0], NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(below(s, 20000)));
        if (err != HY_OK) break;
        began = hy_world_now(s->world);
        hy_scope_stop(scope, grace);
        if (below(s, 2) == 0) break; // leaves, and cancels what has not ended
        err = hy_sleep(HY_MS(below(s, 5000)));
        if (err != HY_OK || below(s, 2) == 0) break;
        if (below(s, 2) == 0) {
            hy_scope_cancel(scope, HY_CANCELLED);
        } else {
            hy_scope_stop(scope, grace / 2);
        }
    }
    CHECK(hy_world_now(s->world) - began <= grace + HY_MS(50) || began == 0);
    return err == HY_NOMEM ? err : HY_OK;
}

static hy_err storm_blow(hy_mem *mem, storm *s, hy_fn body, uint64_t seed, uint32_t limit,
                         uint64_t *out_digest) {
    memset(s, 0, sizeof *s);
    s->random = seed;
    s->limit = limit;
    (void)storm_grow(s, NULL, 0);
    hy_sim_options options = { .size = sizeof options, .mem = mem, .seed = seed };
    hy_err err = hy_sim_open(&options, &s->world);
    if (err != HY_OK) return err;
    err = hy_root_run(s->world, NULL, body, s);
    *out_digest = hy_sim_digest(s->world);
    s->world = hy_world_close(s->world);
    for (uint32_t i = 0; i < s->count; i++) {
        CHECK(!s->nodes[i].is_held);
    }
    return err;
}

static hy_err after_the_storm_the_promised_are_up(hy_mem *mem) {
    static storm s;
    uint64_t falls = 0, begins = 0;
    for (uint64_t i = 0; i < 300; i++) {
        uint64_t digest = 0;
        CHECK_OK(storm_blow(mem, &s, storm_body, kit_seed() * 1000 + i, STORM_NODES, &digest));
        falls += s.falls;
        begins += s.begins;
    }
    CHECK(falls > 1000); // there was a storm
    CHECK(begins > 2 * falls);
    return HY_OK;
}

static hy_err same_seed_same_storm(hy_mem *mem) {
    static storm s;
    uint64_t last = 0;
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t first = 0, second = 0;
        CHECK_OK(storm_blow(mem, &s, storm_body, kit_seed() * 1000 + i, STORM_NODES, &first));
        CHECK_OK(storm_blow(mem, &s, storm_body, kit_seed() * 1000 + i, STORM_NODES, &second));
        CHECK_EQ(first, second);
        CHECK(first != last);
        last = first;
    }
    return HY_OK;
}

// A small one, with each allocation failing in turn: it ends, and leaves nothing.
static hy_err storm_without_memory_ends(hy_mem *mem) {
    static storm s;
    uint64_t digest = 0;
    hy_err err = storm_blow(mem, &s, storm_body, kit_seed(), 5, &digest);
    CHECK(err == HY_OK || kit_failed_allocation());
    return err == HY_OK ? HY_OK : HY_NOMEM;
}

static hy_err storms_can_be_stopped(hy_mem *mem) {
    static storm s;
    for (uint64_t i = 0; i < 500; i++) {
        uint64_t digest = 0;
        CHECK_OK(
            storm_blow(mem, &s, storm_stopped_body, kit_seed() * 2000 + i, STORM_NODES, &digest));
    }
    return HY_OK;
}

static hy_err storm_without_memory_can_be_stopped(hy_mem *mem) {
    static storm s;
    uint64_t digest = 0;
    hy_err err = storm_blow(mem, &s, storm_stopped_body, kit_seed(), 5, &digest);
    CHECK(err == HY_OK || kit_failed_allocation());
    return err == HY_OK ? HY_OK : HY_NOMEM;
}

// ---- limits -----------------------------------------------------------------------------------

typedef struct ladder {
    uint32_t depth, restarts_max;
    uint32_t at;     // how deep the fiber is that begins next
    uint32_t leaves; // runs of the lowest
} ladder;

static hy_err ladder_leaf(void *arg) {
    ((ladder *)arg)->leaves++;
    hy_ready();
    return HY_IO;
}

static hy_err ladder_start(ladder *l, hy_fn fn) {
    hy_service_spec spec = {
        .size = sizeof spec,
        .fn = fn,
        .arg = l,
        .restart = HY_PERMANENT,
        .restarts_max = l->restarts_max,
        .restarts_within = HY_SECONDS(1000),
        .backoff_min = 1,
        .backoff_max = 1,
    };
    return hy_start(NULL, &spec, NULL);
}

static hy_err ladder_step(void *arg) {
    ladder *l = (ladder *)arg;
    hy_ready(); // what is below falls after this one is up, so that each level has its restarts
    uint32_t depth = ++l->at;
    hy_err err = ladder_start(l, depth < l->depth ? ladder_step : ladder_leaf);
    if (err == HY_OK) err = hy_wait_draining();
    l->at--;
    return err == HY_CLOSED ? HY_OK : err;
}

static hy_err ladder_body(void *arg) {
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        err = ladder_start((ladder *)arg, ladder_step);
        if (err == HY_OK) err = hy_sleep(HY_SECONDS(100));
    }
    return err;
}

// What always falls is tried (r + 1) times by each level above it, and then everybody has given up.
static hy_err restart_storms_stop_at_the_limit(hy_mem *mem) {
    for (uint32_t depth = 1; depth <= 3; depth++) {
        for (uint32_t r = 1; r <= 4; r++) {
            hy_world *world = NULL;
            CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
            ladder l = { .depth = depth, .restarts_max = r };
            hy_err err = hy_root_run(world, NULL, ladder_body, &l);
            hy_world_close(world);
            CHECK_ERR(err, HY_RESTARTS);
            uint32_t wanted = r + 1;
            for (uint32_t i = 0; i < depth; i++) {
                wanted *= r + 1;
            }
            CHECK_EQ(l.leaves, wanted);
        }
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(after_the_storm_the_promised_are_up), KIT_TEST_ONCE(same_seed_same_storm),
          KIT_TEST(storm_without_memory_ends), KIT_TEST_ONCE(storms_can_be_stopped),
          KIT_TEST(storm_without_memory_can_be_stopped),
          KIT_TEST_ONCE(restart_storms_stop_at_the_limit))
