// preset_test.c - named bundles, and what wins over what.
//
// Bound in the scope over its preset, that over the preset's base, that over what is inherited; a
// preset that is given over one that is found by name; an inner registry over an outer one.
#include "scope/run_suite.h"
#include "kit/kit.h"

HY_KEY(const int *, FIRST);
HY_KEY(const int *, SECOND);
HY_KEY(const int *, THIRD);
HY_KEY_DEFINE(FIRST);
HY_KEY_DEFINE(SECOND);
HY_KEY_DEFINE(THIRD);

static const int inherited = 1, base = 2, preset = 3, bound = 4, built = 5, other = 6;

static hy_err build_five(void *self, hy_scope *scope, void **out_value) {
    (void)scope;
    ++*(int *)self;
    *out_value = (void *)(uintptr_t)&built;
    return HY_OK;
}

static void drop_five(void *self, void *value) {
    CHECK(value == &built);
    --*(int *)self;
}

static int alive;

static const hy_preset_entry base_entries[] = {
    { .key = &FIRST_key, .value = &base },
    { .key = &SECOND_key, .value = &base },
};
static const hy_preset base_preset = { .name = "base", .entries = base_entries, .count = 2 };

static const hy_preset_entry test_entries[] = {
    { .key = &FIRST_key, .value = &preset },
    { .key = &THIRD_key, .provider = { .build = build_five, .drop = drop_five, .self = &alive } },
};
static const hy_preset test_preset = {
    .name = "test", .entries = test_entries, .count = 2, .base = &base_preset
};

static const hy_preset_entry other_entries[] = { { .key = &FIRST_key, .value = &other } };
static const hy_preset other_test_preset = { .name = "test", .entries = other_entries, .count = 1 };

static const hy_preset *const registry[] = { &base_preset, &test_preset, NULL };
static const hy_preset *const inner_registry[] = { &other_test_preset, NULL };

static hy_err bound_over_preset_over_base_over_inherited(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err) {
        CHECK_OK(HY_BIND(outer, FIRST, &inherited));
        CHECK_OK(HY_BIND(outer, SECOND, &inherited));
        HY_SCOPE(s, &err, .preset = &test_preset) {
            CHECK(HY_GET(FIRST) == &preset);
            CHECK(HY_GET(SECOND) == &base);
            CHECK_EQ(alive, 0); // nobody has asked
            const int *third = HY_GET(THIRD);
            if (!third) CHECK_OK(hy_provide_error(&THIRD_key));
            CHECK(third == &built);
            CHECK_EQ(alive, 1);
            CHECK_OK(HY_BIND(s, FIRST, &bound));
            CHECK(HY_GET(FIRST) == &bound);
        }
        CHECK_OK(err);
        CHECK_EQ(alive, 0);
        CHECK(HY_GET(FIRST) == &inherited);
    }
    return err;
}
RUN_SIM(bound_over_preset_over_base_over_inherited)

static hy_err found_by_name_here_and_below(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err, .presets = registry) {
        CHECK(HY_GET(FIRST) == NULL);
        HY_SCOPE(between, &err) {
            CHECK(between != outer);
            HY_SCOPE(s, &err, .name = "test") {
                CHECK(HY_GET(FIRST) == &preset);
                CHECK(hy_scope_get(s, &SECOND_key) == &base);
            }
            CHECK_OK(err);
            HY_SCOPE(s, &err, .name = "unknown") {
                CHECK(hy_scope_get(s, &FIRST_key) == NULL);
            }
            CHECK_OK(err);
        }
        CHECK_OK(err);
    }
    CHECK_OK(err);
    HY_SCOPE(s, &err, .name = "test", .presets = registry) {
        CHECK(hy_scope_get(s, &FIRST_key) == &preset);
    }
    return err;
}
RUN_SIM(found_by_name_here_and_below)

static hy_err an_inner_registry_replaces_the_outer_one(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err, .presets = registry) {
        HY_SCOPE(inner, &err, .presets = inner_registry) {
            HY_SCOPE(s, &err, .name = "test") {
                CHECK(hy_scope_get(s, &FIRST_key) == &other);
                CHECK(hy_scope_get(inner, &FIRST_key) == NULL);
            }
            CHECK_OK(err);
            HY_SCOPE(s, &err, .name = "base") {
                CHECK(hy_scope_get(s, &FIRST_key) == NULL);
            }
            CHECK_OK(err);
        }
        CHECK_OK(err);
        HY_SCOPE(s, &err, .name = "base") {
            CHECK(hy_scope_get(s, &FIRST_key) == &base);
            CHECK(hy_scope_get(outer, &FIRST_key) == NULL);
        }
        CHECK_OK(err);
    }
    return err;
}
RUN_SIM(an_inner_registry_replaces_the_outer_one)

static hy_err a_preset_given_wins_over_one_by_name(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test", .presets = registry, .preset = &other_test_preset) {
        CHECK(HY_GET(FIRST) == &other);
        CHECK(hy_scope_get(s, &SECOND_key) == NULL);
    }
    return err;
}
RUN_SIM(a_preset_given_wins_over_one_by_name)

static hy_err sees_the_preset(void *unused) {
    (void)unused;
    CHECK(HY_GET(FIRST) == &preset);
    return HY_OK;
}

static hy_err the_root_and_dynamic_scopes_have_presets_too(void *unused) {
    (void)unused;
    CHECK(HY_GET(FIRST) == &preset);
    hy_scope *scope = NULL;
    CHECK_OK(hy_scope_open(NULL, HY_OPTIONS(hy_scope, .preset = &other_test_preset), &scope));
    CHECK(hy_scope_get(scope, &FIRST_key) == &other);
    CHECK(hy_scope_get(scope, &SECOND_key) == &base);
    CHECK_OK(hy_spawn(NULL, sees_the_preset, NULL, NULL, NULL));
    return hy_scope_close(scope);
}

static hy_err root_has_a_preset(hy_mem *mem) {
    hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    hy_err err = hy_root_run(
        world,
        HY_OPTIONS(hy_root, .scope = { .size = sizeof(hy_scope_options), .preset = &test_preset }),
        the_root_and_dynamic_scopes_have_presets_too, NULL);
    hy_world_close(world);
    return err;
}

KIT_TESTS(KIT_TEST(sim_bound_over_preset_over_base_over_inherited),
          KIT_TEST(sim_found_by_name_here_and_below),
          KIT_TEST(sim_an_inner_registry_replaces_the_outer_one),
          KIT_TEST(sim_a_preset_given_wins_over_one_by_name), KIT_TEST(root_has_a_preset))
