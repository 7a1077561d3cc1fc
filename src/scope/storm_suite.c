// storm_suite.c - random trees of scopes.
//
// A tree grows from its seed: each fiber takes a few random steps, and a step sleeps, opens a block
// or a dynamic scope, spawns, owns, awaits, joins, or lays hands on any scope of the tree at all:
// cancels it, stops it, closes it, spawns into it. Everything that is alive is in the list of
// nodes, so a fiber can find what is none of its business.
//
// Beside the real tree stands a simple one of `node`s, that knows what should be: how many fibers
// and scopes are below each, and its stack of resources. The first resource of each scope is its
// node itself, so it is released last, and then all must have ended.
//
// Some sleep longer than the tree may live, so that an end that comes late is an end that somebody
// was not told of.
//
// The plan names one of the calls that may wait, and what happens there: a storm run is repeated
// for each of the calls, so that failure is tried at every suspension point.
#include "scope/storm_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

#include <string.h>

#define STORM_NODES 48
#define STORM_TASKS 60
#define STORM_HELD 12
#define STORM_DEPTH 5
#define STORM_LIVES HY_SECONDS(100)
#define STORM_ENDS HY_SECONDS(20) // shields and releases together take less

typedef struct storm_node {
    hy_scope *scope; // NULL: free
    struct storm_node *parent;
    uint32_t fibers, below;
    uint32_t held; // resources, this one not counted
    uint32_t serials[STORM_HELD];
    bool dynamic;
    bool counted; // in the parent's `below`
} storm_node;

typedef struct storm_thing {
    storm_node *node;
    uint32_t serial;
    bool owned, released;
} storm_thing;

#define STORM_THINGS 400

typedef struct storm_fiber {
    storm_node *node; // its owner
    uint32_t depth;
    bool used;
} storm_fiber;

typedef struct storm {
    storm_plan plan;
    storm_report report;
    uint64_t dice;
    storm_node nodes[STORM_NODES];
    storm_fiber fibers[STORM_TASKS];
    storm_thing things[STORM_THINGS];
    uint32_t thing_count;
    storm_node *top;
    hy_world *world;
    hy_ns told_at; // when the whole tree was told to end
} storm;

static storm *storm_now; // one at a time

static hy_err storm_work(storm_node *node, uint32_t depth);

static uint32_t roll(uint32_t sides) {
    return (uint32_t)(kit_random(&storm_now->dice) % sides);
}

// ---- the simple tree
// ------------------------------------------------------------------------------

// Released last of all that its scope owns.
static void storm_node_ends(void *object) {
    storm_node *node = (storm_node *)object;
    CHECK_EQ(node->fibers, 0);
    CHECK_EQ(node->below, 0);
    CHECK_EQ(node->held, 0);
    if (node->counted) node->parent->below--;
    node->scope = NULL;
}

// Gives the scope its node. NULL: too many, or no memory; then it has none.
static storm_node *storm_node_for(hy_scope *scope, storm_node *parent, bool dynamic) {
    storm_node *node = NULL;
    for (int i = 0; i < STORM_NODES && !node; i++) {
        if (!storm_now->nodes[i].scope) node = &storm_now->nodes[i];
    }
    if (!node) return NULL;
    *node = (storm_node){ .scope = scope, .parent = parent, .dynamic = dynamic };
    node->counted = parent != NULL;
    if (parent) parent->below++;
    storm_now->report.scopes++;
    return hy_own(scope, node, storm_node_ends, 0) == HY_OK ? node : NULL;
}

static storm_node *storm_any_node(void) {
    storm_node *node = &storm_now->nodes[roll(STORM_NODES)];
    return node->scope ? node : NULL;
}

// ---- calls that may wait
// --------------------------------------------------------------------------

static void storm_told(void) {
    hy_ns now = hy_world_now(storm_now->world);
    if (now < storm_now->told_at) storm_now->told_at = now;
}

static hy_err storm_call(void) {
    storm *s = storm_now;
    if (++s->report.calls != s->plan.at) return HY_OK;
    switch (s->plan.blow) {
    case STORM_FAIL: return HY_CORRUPT;
    case STORM_CANCEL: hy_scope_cancel(hy_scope_current(), HY_CORRUPT); break;
    case STORM_CANCEL_ALL:
        storm_told();
        hy_scope_cancel(s->top->scope, HY_CORRUPT); // the node is released last: it is there
        break;
    case STORM_STOP_ALL:
        storm_told();
        hy_scope_stop(s->top->scope, HY_MS(20));
        break;
    default: break;
    }
    return HY_OK;
}

static hy_err storm_sleep(void) {
    hy_err err = storm_call();
    if (err != HY_OK) return err;
    return roll(3) ? hy_sleep((hy_ns)roll(2000) * 10000) : hy_yield();
}

static hy_err storm_sleep_long(void) {
    hy_err err = storm_call();
    return err == HY_OK && roll(12) == 0 ? hy_sleep(HY_SECONDS(500)) : err;
}

// ---- resources
// ------------------------------------------------------------------------------------

static void storm_release(void *object) {
    storm_thing *thing = (storm_thing *)object;
    CHECK(!thing->released);
    thing->released = true;
    if (!thing->owned) return; // it could not be owned
    storm_node *node = thing->node;
    CHECK(node->held > 0);
    CHECK_EQ(node->serials[node->held - 1], thing->serial);
    node->held--;
    if (roll(4) == 0) (void)storm_sleep();
    if (roll(8) == 0) {
        HY_SCOPE(s, NULL, .timeout = HY_MS(5)) {
            (void)storm_sleep();
        }
    }
}

// For any scope at all: also one that is ending, which then has it released at once.
static hy_err storm_acquire(storm_node *node) {
    storm *s = storm_now;
    if (node->held == STORM_HELD || s->thing_count == STORM_THINGS) return HY_OK;
    storm_thing *thing = &s->things[s->thing_count++];
    *thing = (storm_thing){ .node = node, .serial = s->thing_count, .owned = true };
    node->serials[node->held++] = thing->serial;
    s->report.resources++;
    hy_err err = hy_own(node->scope, thing, storm_release, roll(2) ? HY_MS(roll(9) + 1) : 0);
    CHECK((err == HY_OK) != thing->released);
    return err;
}

static hy_err storm_give_back(storm_node *node) {
    if (node->held == 0) return HY_OK;
    storm_thing *thing = &storm_now->things[node->serials[node->held - 1] - 1];
    if (roll(2)) {
        CHECK_OK(hy_release(node->scope, thing));
        CHECK(thing->released);
    } else {
        CHECK_OK(hy_disown(node->scope, thing));
        node->held--;
        thing->released = true;
    }
    return HY_OK;
}

// ---- fibers
// ---------------------------------------------------------------------------------------

static hy_err storm_fiber_run(void *arg) {
    storm_fiber *fiber = (storm_fiber *)arg;
    CHECK(fiber->node->scope == hy_scope_current());
    hy_err err = storm_work(fiber->node, fiber->depth);
    fiber->node->fibers--;
    fiber->used = false;
    return err;
}

static hy_err storm_spawn(storm_node *node, uint32_t depth, hy_task **out_task) {
    storm_fiber *fiber = NULL;
    for (int i = 0; i < STORM_TASKS && !fiber; i++) {
        if (!storm_now->fibers[i].used) fiber = &storm_now->fibers[i];
    }
    hy_err err = storm_call();
    if (!fiber || err != HY_OK) return err;
    *fiber = (storm_fiber){ .node = node, .depth = depth + 1, .used = true };
    node->fibers++;
    err = hy_spawn(node->scope, storm_fiber_run, fiber, NULL, out_task);
    if (err != HY_OK) {
        node->fibers--;
        fiber->used = false;
    } else {
        storm_now->report.tasks++;
    }
    return err;
}

// Awaited, cancelled, or left to the end of the scope.
static hy_err storm_spawn_kept(storm_node *node, uint32_t depth) {
    hy_task *task = NULL;
    hy_err err = storm_spawn(node, depth, &task);
    if (err != HY_OK || !task) return err;
    if (roll(3) == 0) {
        err = storm_sleep();
        hy_task_cancel(task, HY_REJECT);
    }
    if (err == HY_OK && roll(3) > 0) {
        err = storm_call();
        if (err == HY_OK) (void)(hy_await(task) == HY_OK); // its error is its scope's
        return err == HY_OK ? hy_check() : err;
    }
    return err;
}

// ---- scopes
// ---------------------------------------------------------------------------------------

static hy_policy storm_policy(void) {
    const hy_policy policies[] = { NULL, hy_collect, hy_race, hy_ignore, hy_fail_fast };
    return policies[roll(5)];
}

static hy_scope_options storm_options(void) {
    return (hy_scope_options){
        .size = sizeof(hy_scope_options),
        .name = "storm",
        .policy = storm_policy(),
        .timeout = roll(3) ? 0 : HY_MS(1 + roll(60)),
        .shield = roll(5) ? 0 : HY_MS(1 + roll(30)),
        .stop_max = roll(4) ? 0 : HY_MS(1 + roll(50)),
        .tasks_max = roll(4) ? 0 : 1 + roll(3),
    };
}

static hy_err storm_block(storm_node *parent, uint32_t depth) {
    hy_err err = HY_OK;
    const hy_scope_options o = storm_options();
    HY_SCOPE(s, &err, .name = "block", .policy = o.policy, .timeout = o.timeout, .shield = o.shield,
             .stop_max = o.stop_max, .tasks_max = o.tasks_max) {
        storm_node *node = storm_node_for(s, parent, false);
        if (!node) break;
        hy_err work = storm_work(node, depth + 1);
        if (work != HY_OK && roll(2)) return work;
        err = work;
        if (roll(4) == 0) break;
    }
    return err;
}

static hy_err storm_open(storm_node *parent) {
    const hy_scope_options o = storm_options();
    hy_scope *scope = NULL;
    hy_err err = hy_scope_open(parent->scope, &o, &scope);
    if (err != HY_OK) return err;
    (void)storm_node_for(scope, parent, true);
    return HY_OK;
}

// A scope that may be anywhere. Its node is gone when the call comes back.
static hy_err storm_meddle(uint32_t depth) {
    storm_node *node = storm_any_node();
    if (!node) return HY_OK;
    hy_scope *scope = node->scope;
    switch (roll(7)) {
    case 0:
        if (node == storm_now->top) storm_told();
        hy_scope_cancel(scope, roll(2) ? HY_REJECT : HY_CANCELLED);
        return HY_OK;
    case 1:
        if (node == storm_now->top) return HY_OK;
        hy_scope_stop(scope, HY_MS(1 + roll(30)));
        return HY_OK;
    case 2:
        if (node == storm_now->top) return HY_OK;
        if (node->dynamic) (void)hy_scope_close(scope);
        return hy_check();
    case 3: (void)(hy_scope_join(scope) == HY_OK); return hy_check();
    case 4: return hy_scope_tighten(scope, hy_world_now(hy_scope_world(scope)) + HY_MS(roll(100)));
    case 5: (void)(storm_spawn(node, depth, NULL) == HY_OK); return hy_check();
    default: (void)(storm_open(node) == HY_OK); return HY_OK;
    }
}

// ---- the work of one fiber in one scope
// -------------------------------------------------------------

static hy_err storm_step(storm_node *node, uint32_t depth) {
    bool deep = depth >= STORM_DEPTH;
    storm_node *any = storm_any_node();
    if (!any || roll(2)) any = node;
    switch (roll(9)) {
    case 0: return storm_sleep();
    case 1: return storm_sleep_long();
    case 2: return deep ? storm_sleep() : storm_block(node, depth);
    case 3: return deep ? storm_sleep() : storm_spawn(node, depth, NULL);
    case 4: return deep ? storm_sleep() : storm_spawn_kept(node, depth);
    case 5: return storm_open(node);
    case 6: return storm_acquire(any);
    case 7: return roll(3) ? storm_acquire(any) : storm_give_back(any);
    default: return storm_meddle(depth);
    }
}

static hy_err storm_work(storm_node *node, uint32_t depth) {
    CHECK(node->scope == hy_scope_current());
    uint32_t steps = roll(depth < 2 ? 10 : 6);
    for (uint32_t i = 0; i < steps; i++) {
        hy_err err = storm_step(node, depth);
        if (err != HY_OK && (hy_check() != HY_OK || roll(3) == 0)) return err;
    }
    return HY_OK;
}

// ---- a run
// ----------------------------------------------------------------------------------------

static hy_err storm_body(void *arg) {
    (void)arg;
    hy_err err = HY_OK;
    storm_now->told_at = hy_world_now(storm_now->world) + STORM_LIVES;
    HY_SCOPE(s, &err, .name = "storm", .timeout = STORM_LIVES, .policy = hy_collect) {
        storm_now->top = storm_node_for(s, NULL, false);
        if (!storm_now->top) return HY_NOMEM;
        for (uint32_t i = 0; i < 8; i++) {
            (void)(storm_spawn(storm_now->top, 0, NULL) == HY_OK);
        }
        err = storm_work(storm_now->top, 0);
        if (err != HY_OK) break;
    }
    return err;
}

static void storm_close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static void storm_look(const storm *s) {
    for (uint32_t i = 0; i < s->thing_count; i++) {
        CHECK(s->things[i].released);
    }
    for (int i = 0; i < STORM_NODES; i++) {
        CHECK(s->nodes[i].scope == NULL);
    }
    for (int i = 0; i < STORM_TASKS; i++) {
        CHECK(!s->fibers[i].used);
    }
}

hy_err storm_run(hy_mem *mem, const storm_plan *plan, storm_report *out_report) {
    static storm s;
    s = (storm){ .plan = *plan, .dice = plan->seed };
    storm_now = &s;
    HY_CLEANUP(storm_close_world) hy_world *world = NULL;
    hy_err err = hy_sim_open(
        HY_OPTIONS(hy_sim, .mem = mem, .seed = plan->seed, .event_log_max = 16), &world);
    if (err != HY_OK) return err;
    s.world = world;
    s.report.err = hy_root_run(world, NULL, storm_body, NULL);
    if (s.told_at > 0) CHECK(hy_world_now(world) < s.told_at + STORM_ENDS);
    s.report.digest = hy_sim_digest(world);
    CHECK(s.report.err != HY_DEADLOCK);
    storm_look(&s);
    *out_report = s.report;
    return HY_OK;
}
