// context_test.c - keys, bindings and frames.
//
// Who sees what: the fiber in its blocks, tasks by their owner (rule (a)), frames, what is bound
// late. The last part are the mistakes that only paranoid builds can see.
#include "scope/run_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"
#include "scope/context.h"

#include <string.h>

HY_KEY(const int *, NUMBER);
HY_KEY(const char *, TEXT);
HY_KEY(void *, NOTHING);
HY_KEY_DEFINE(NUMBER);
HY_KEY_DEFINE(TEXT);
HY_KEY_DEFINE(NOTHING);

static const int one = 1, two = 2, three = 3;

// ---- looking up ---------------------------------------------------------------------------------

static hy_err what_is_bound_is_found(void *unused) {
    (void)unused;
    CHECK(HY_GET(NUMBER) == NULL);
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "outer") {
        CHECK_OK(HY_BIND(s, NUMBER, &one));
        CHECK(HY_GET(NUMBER) == &one);
        CHECK(HY_GET(TEXT) == NULL);
        CHECK_OK(HY_BIND(s, TEXT, "text"));
        CHECK(HY_GET(NUMBER) == &one);
        CHECK_TEXT(hy_bytes_of(HY_GET(TEXT)), "text");
        CHECK_OK(HY_BIND(s, NUMBER, &two));
        CHECK(HY_GET(NUMBER) == &two);
        CHECK(HY_GET(NOTHING) == NULL);
    }
    CHECK_OK(err);
    CHECK(HY_GET(NUMBER) == NULL);
    return HY_OK;
}
RUN_SIM(what_is_bound_is_found)

static hy_err an_inner_binding_hides_the_outer_one(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err) {
        CHECK_OK(HY_BIND(outer, NUMBER, &one));
        HY_SCOPE(inner, &err) {
            CHECK(HY_GET(NUMBER) == &one);
            CHECK_OK(HY_BIND(inner, NUMBER, &two));
            CHECK(HY_GET(NUMBER) == &two);
            CHECK(hy_scope_get(outer, &NUMBER_key) == &one);
        }
        CHECK_OK(err);
        CHECK(HY_GET(NUMBER) == &one);
    }
    return err;
}
RUN_SIM(an_inner_binding_hides_the_outer_one)

// Bound in the outer scope while its fiber is in the inner block: seen there afterwards.
static hy_err a_late_binding_is_seen_after_the_inner_block(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err) {
        CHECK_OK(HY_BIND(outer, NUMBER, &one));
        HY_SCOPE(inner, &err) {
            CHECK(inner != outer);
            CHECK_OK(HY_BIND(outer, NUMBER, &two));
            CHECK(HY_GET(NUMBER) == &one); // this block was opened before
            HY_SCOPE(later, &err) {
                CHECK(hy_scope_get(later, &NUMBER_key) == &one);
            }
            CHECK_OK(err);
        }
        CHECK_OK(err);
        CHECK(HY_GET(NUMBER) == &two);
    }
    return err;
}
RUN_SIM(a_late_binding_is_seen_after_the_inner_block)

static hy_err open_deeper(uint32_t depth) {
    if (depth == 0) {
        CHECK(HY_GET(NUMBER) == &one);
        CHECK(HY_GET(TEXT) == NULL);
        return HY_OK;
    }
    hy_err err = HY_OK;
    hy_scope *scope = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &scope));
    HY_SCOPE(block, &err) {
        CHECK(hy_scope_get(block, &NUMBER_key) == &one);
        CHECK(hy_scope_get(scope, &NUMBER_key) == &one);
        err = open_deeper(depth - 1);
    }
    hy_err closed = hy_scope_close(scope);
    CHECK(closed == HY_OK);
    return err;
}

static hy_err at_any_depth(void *arg) {
    return open_deeper(*(uint32_t *)arg);
}

static hy_err deep_root(void *arg) {
    hy_scope *root = hy_scope_current();
    CHECK_OK(HY_BIND(root, NUMBER, &one));
    hy_task *task = NULL;
    CHECK_OK(hy_spawn(
        NULL, at_any_depth, arg,
        (&(hy_spawn_options){ .size = sizeof(hy_spawn_options), .stack = HY_STACK_256K }), &task));
    return hy_await(task);
}

static hy_err depth_300_sees_the_root(hy_mem *mem) {
    uint32_t depth = 300; // that many blocks fit on one stack
    return run_in_sim(mem, deep_root, &depth);
}

static hy_err depth_1000_sees_the_root(void *unused) {
    (void)unused;
    hy_scope *chain[1000];
    hy_scope *root = hy_scope_current();
    CHECK_OK(HY_BIND(root, NUMBER, &one));
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK_OK(hy_scope_open(i ? chain[i - 1] : root, NULL, &chain[i]));
    }
    CHECK(hy_scope_get(chain[999], &NUMBER_key) == &one);
    CHECK_OK(HY_BIND(chain[500], NUMBER, &two));
    hy_scope *below = NULL;
    CHECK_OK(hy_scope_open(chain[500], NULL, &below));
    CHECK(hy_scope_get(below, &NUMBER_key) == &two);
    CHECK(hy_scope_get(chain[501], &NUMBER_key) == &one); // was open already
    return hy_scope_close(chain[0]);
}
RUN_SIM(depth_1000_sees_the_root)

// ---- rule (a) -----------------------------------------------------------------------------------

static hy_err expects_one(void *unused) {
    (void)unused;
    CHECK(HY_GET(NUMBER) == &one);
    CHECK(HY_GET(TEXT) == NULL);
    return HY_OK;
}

static hy_err a_fiber_sees_its_owners_context(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err) {
        CHECK_OK(HY_BIND(outer, NUMBER, &one));
        HY_SCOPE(inner, &err) {
            CHECK_OK(HY_BIND(inner, NUMBER, &two));
            CHECK_OK(HY_BIND(inner, TEXT, "inner"));
            CHECK_OK(hy_spawn(outer, expects_one, NULL, NULL, NULL));
        }
        CHECK_OK(err);
    }
    return err;
}
RUN_SIM(a_fiber_sees_its_owners_context)

static hy_err sees_one_then_yields(void *arg) {
    CHECK(HY_GET(NUMBER) == &one);
    for (int i = 0; i < 3; i++) {
        hy_err err = hy_yield();
        if (err != HY_OK) return err; // the spawner ran out of memory
    }
    CHECK(HY_GET(NUMBER) == &one); // what was bound later is for those who come later
    return arg ? HY_OK : HY_REJECT;
}

static hy_err a_running_fiber_keeps_what_it_was_spawned_with(void *unused) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(HY_BIND(s, NUMBER, &one));
        CHECK_OK(hy_spawn(s, sees_one_then_yields, &err, NULL, NULL));
        CHECK_OK(HY_BIND(s, NUMBER, &two));
        CHECK(HY_GET(NUMBER) == &two);
    }
    (void)unused;
    return err;
}
RUN_SIM(a_running_fiber_keeps_what_it_was_spawned_with)

// ---- frames -------------------------------------------------------------------------------------

static hy_err in_a_second_frame(void) {
    hy_err err = HY_OK;
    HY_WITH(&err, NUMBER, &three) {
        CHECK(HY_GET(NUMBER) == &three);
    }
    return err;
}

static hy_err a_frame_binds_for_its_block(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_scope *root = hy_scope_current();
    CHECK_OK(HY_BIND(root, NUMBER, &one));
    HY_WITH(&err, NUMBER, &two) {
        CHECK(HY_GET(NUMBER) == &two);
        CHECK_OK(in_a_second_frame());
        CHECK(HY_GET(NUMBER) == &two);
        CHECK(hy_scope_get(root, &NUMBER_key) == &one);
        HY_SCOPE(inside, &err) { // a block in the frame is as lexical as the frame
            CHECK(HY_GET(NUMBER) == &two);
            CHECK(hy_scope_get(inside, &NUMBER_key) == &two);
        }
        CHECK_OK(err);
        CHECK(HY_GET(NUMBER) == &two);
    }
    CHECK_OK(err);
    CHECK(HY_GET(NUMBER) == &one);
    return HY_OK;
}
RUN_SIM(a_frame_binds_for_its_block)

static const int *leave_early(hy_err *err) {
    HY_WITH(err, NUMBER, &two) {
        return HY_GET(NUMBER);
    }
    return NULL;
}

static hy_err a_frame_ends_on_every_way_out(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    hy_scope *root = hy_scope_current();
    CHECK_OK(HY_BIND(root, NUMBER, &one));
    const int *seen = leave_early(&err);
    CHECK_OK(err);
    CHECK(seen == &two);
    CHECK(HY_GET(NUMBER) == &one);
    HY_WITH(&err, NUMBER, &two) {
        CHECK_OK(HY_BIND(root, NUMBER, &three));
        CHECK(HY_GET(NUMBER) == &two);
        break;
    }
    CHECK_OK(err);
    CHECK(HY_GET(NUMBER) == &three); // bound in the root while the frame hid it
    return HY_OK;
}
RUN_SIM(a_frame_ends_on_every_way_out)

static hy_err what_a_frame_spawns_does_not_see_it(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(HY_BIND(s, NUMBER, &one));
        HY_WITH(&err, NUMBER, &two) {
            hy_task *task = NULL;
            CHECK_OK(hy_spawn(s, expects_one, NULL, NULL, &task));
            CHECK_OK(hy_await(task));
            CHECK(HY_GET(NUMBER) == &two);
        }
        CHECK_OK(err);
    }
    return err;
}
RUN_SIM(what_a_frame_spawns_does_not_see_it)

// ---- edges --------------------------------------------------------------------------------------

static hy_err outside_of_fibers_nothing_is_bound(hy_mem *mem) {
    (void)mem;
    CHECK(HY_GET(NUMBER) == NULL);
    CHECK_EQ(hy_provide_error(&NUMBER_key), HY_OK);
    CHECK_EQ(hy_baggage_here().time_left, HY_NEVER);
    return HY_OK;
}

static hy_err bind_when_ending(void *arg) {
    (void)arg;
    hy_scope *scope = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &scope));
    scope->flags |= HYI_SCOPE_ENDING;
    CHECK_EQ(HY_BIND(scope, NUMBER, &one), HY_CLOSED);
    scope->flags &= ~(uint32_t)HYI_SCOPE_ENDING;
    return hy_scope_close(scope);
}

static hy_err an_ending_scope_takes_no_binding(hy_mem *mem) {
    return run_in_sim(mem, bind_when_ending, NULL);
}

HY_KEY(hy_fn, CALL);
HY_KEY_DEFINE(CALL);

static hy_err any_address_can_be_bound(void *unused) {
    (void)unused;
    hy_scope *root = hy_scope_current();
    const char *text = "0123456789";
    for (; *text; text++) { // even and odd ones
        CHECK_OK(HY_BIND(root, TEXT, text));
        CHECK(HY_GET(TEXT) == text);
    }
    CHECK_OK(HY_BIND(root, CALL, any_address_can_be_bound));
    CHECK(HY_GET(CALL) == any_address_can_be_bound);
    return HY_OK;
}
RUN_SIM(any_address_can_be_bound)

// Tables are used again: a thousand scopes that bind need as many as are open at once.
static hy_err many_that_bind(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    const hyi_table *seen = NULL;
    for (int i = 0; i < 1000; i++) {
        HY_SCOPE(s, &err) {
            CHECK_OK(HY_BIND(s, NUMBER, &one));
            if (!seen) seen = s->table;
            CHECK(s->table == seen);
        }
        CHECK_OK(err);
    }
    return HY_OK;
}
RUN_SIM(many_that_bind)

// ---- what paranoid builds catch -----------------------------------------------------------------

#ifdef HY_PARANOID
static hy_err bind_my_local_above(void *arg) {
    int local = 1;
    CHECK_OK(HY_BIND((hy_scope *)arg, NUMBER, &local));
    return HY_OK;
}

static hy_err spawn_one_that_binds_its_local(void *unused) {
    (void)unused;
    return hy_spawn(NULL, bind_my_local_above, hy_scope_current(), NULL, NULL);
}

static void let_go(void *object) {
    (void)object;
}

static hy_err bind_what_ends_earlier(void *unused) {
    static int owned = 1;
    (void)unused;
    hy_err err = HY_OK;
    hy_scope *outer = hy_scope_current();
    HY_SCOPE(inner, &err) {
        CHECK_OK(hy_own(inner, &owned, let_go, 0));
        CHECK_OK(HY_BIND(outer, NUMBER, &owned));
    }
    return err;
}

static hy_err see_a_siblings_table(void *unused) {
    (void)unused;
    hy_scope *sibling = NULL;
    CHECK_OK(hy_scope_open(NULL, NULL, &sibling));
    CHECK_OK(HY_BIND(sibling, NUMBER, &one));
    hyi_current->table = sibling->table; // what rule (a) forbids
    CHECK(HY_GET(NUMBER) == &one);
    return HY_OK;
}

static void die_in(void *body) {
    (void)run_in_sim(kit_heap(), *(hy_fn *)body, NULL);
}

static hy_err short_lived_values_are_caught(hy_mem *mem) {
    (void)mem;
    hy_fn local = spawn_one_that_binds_its_local, earlier = bind_what_ends_earlier;
    CHECK(kit_death(die_in, &local));
    CHECK(strstr(kit_last_words(), "context_outlives"));
    CHECK(kit_death(die_in, &earlier));
    CHECK(strstr(kit_last_words(), "context_outlives"));
    return HY_OK;
}

static hy_err a_foreign_context_is_caught(hy_mem *mem) {
    (void)mem;
    hy_fn foreign = see_a_siblings_table;
    CHECK(kit_death(die_in, &foreign));
    CHECK(strstr(kit_last_words(), "table_is_of"));
    return HY_OK;
}
#define PARANOID_TESTS                                                                             \
    KIT_TEST_ONCE(short_lived_values_are_caught), KIT_TEST_ONCE(a_foreign_context_is_caught),
#else
#define PARANOID_TESTS
#endif

KIT_TESTS(KIT_TEST(sim_what_is_bound_is_found), KIT_TEST(sim_an_inner_binding_hides_the_outer_one),
          KIT_TEST(sim_a_late_binding_is_seen_after_the_inner_block),
          KIT_TEST_ONCE(depth_300_sees_the_root), KIT_TEST_ONCE(sim_depth_1000_sees_the_root),
          KIT_TEST(sim_a_fiber_sees_its_owners_context),
          KIT_TEST(sim_a_running_fiber_keeps_what_it_was_spawned_with),
          KIT_TEST(sim_a_frame_binds_for_its_block), KIT_TEST(sim_a_frame_ends_on_every_way_out),
          KIT_TEST(sim_what_a_frame_spawns_does_not_see_it),
          KIT_TEST(outside_of_fibers_nothing_is_bound), KIT_TEST(an_ending_scope_takes_no_binding),
          KIT_TEST_ONCE(sim_many_that_bind), PARANOID_TESTS KIT_TEST(sim_any_address_can_be_bound))
