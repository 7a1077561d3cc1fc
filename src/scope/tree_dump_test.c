// tree_dump_test.c - the tree as text and as JSON.
//
// The seed and the delays are fixed, so that every time in the golden files is.
#include "kit/kit.h"
#include "base/cleanup.h"
#include "scope/run_suite.h"
#include "scope/unit_suite.h"

#include "base/json.h"

#include <string.h>

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err run_fixed(hy_mem *mem, hy_fn body, void *arg) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = 7, .delay_max = 1), &world));
    return hy_root_run(world, NULL, body, arg);
}

static hy_err sleeper(void *arg) {
    return hy_sleep(*(const hy_ns *)arg);
}

static hy_err waits_for_event(void *arg) {
    return hy_event_wait((hy_event *)arg);
}

static hy_err ends_badly(void *arg) {
    (void)arg;
    return HY_NOT_FOUND;
}

static hy_err handler(void *arg) {
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "transaction", .timeout = HY_SECONDS(200), .shield = HY_SECONDS(1)) {
        err = hy_event_wait((hy_event *)arg);
    }
    return err;
}

static hy_spawn_options named(const char *name) {
    return (hy_spawn_options){ .size = sizeof(hy_spawn_options), .name = name };
}

static hy_err pool_run(void *arg) {
    static const hy_ns often = HY_SECONDS(250);
    const hy_spawn_options name = named("keep alive");
    hy_err err = hy_spawn(NULL, sleeper, (void *)(uintptr_t)&often, &name, NULL);
    if (err != HY_OK) return err;
    hy_ready();
    return hy_event_wait((hy_event *)arg);
}

typedef struct shown {
    hy_event never;
    unit flaky, gone;
    hy_tree_form form;
    const char *golden;
} shown;

static hy_err grow(hy_scope *s, shown *it, hy_scope **out_below) {
    static const hy_ns long_time = HY_SECONDS(7500);
    const hy_spawn_options names[] = { named("warm the cache"), named("lookup"), named("handle") };
    hy_task *kept = NULL;
    CHECK_OK(hy_spawn(s, sleeper, (void *)(uintptr_t)&long_time, &names[0], NULL));
    CHECK_OK(hy_spawn(s, ends_badly, NULL, &names[1], &kept));
    hy_scope_options request = { .size = sizeof request,
                                 .name = "request",
                                 .policy = hy_collect,
                                 .bytes_max = (size_t)1 << 20 };
    hy_scope *below = NULL;
    CHECK_OK(hy_scope_open(s, &request, &below));
    CHECK(hy_scope_alloc(below, 1000) != NULL);
    CHECK_OK(hy_spawn(below, handler, &it->never, &names[2], NULL));
    hy_service_spec pool = { .name = "pool", .fn = pool_run, .arg = &it->never };
    CHECK_OK(hy_start(s, &pool, NULL));
    it->flaky = (unit){ .name = "flaky", .lives = 1, .falls = 100, .err = HY_IO };
    hy_service_spec flaky = { .name = "flaky",
                              .fn = unit_run,
                              .arg = &it->flaky,
                              .restart = HY_PERMANENT,
                              .backoff_min = HY_SECONDS(1000),
                              .backoff_max = HY_SECONDS(1000) };
    CHECK_OK(hy_start(s, &flaky, NULL));
    CHECK_OK(hy_sleep(HY_SECONDS(123)));
    for (int i = 0; i < 35; i++) {
        CHECK_OK(hy_spawn(below, waits_for_event, &it->never, &names[2], NULL));
    }
    CHECK_OK(hy_sleep(HY_MS(1)));
    hy_scope_stop(below, HY_SECONDS(60));
    *out_below = below;
    return HY_OK;
}

// Times in whole seconds: how many events lie between two moments is not what is shown here.
static void drop_fractions(hy_buf *json) {
    static const char mark[] = "_ns\":";
    size_t to = 0;
    for (size_t from = 0; from < json->len;) {
        json->ptr[to++] = json->ptr[from++];
        if (to < sizeof mark - 1 || memcmp(json->ptr + to - 5, mark, 5) != 0) continue;
        size_t digits = 0;
        while (json->ptr[from + digits] >= '0' && json->ptr[from + digits] <= '9') {
            digits++;
        }
        CHECK(digits > 9);
        memmove(json->ptr + to, json->ptr + from, digits - 9);
        to += digits - 9;
        from += digits;
    }
    json->len = to;
}

static hy_verdict collect_and_restart(const hy_ending *ending) {
    return ending->is_service ? HY_RESTART_ONE : hy_collect(ending);
}

static hy_err show(void *arg) {
    shown *it = (shown *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, NULL, .name = "api", .policy = collect_and_restart) {
        hy_scope *below = NULL;
        CHECK_OK(grow(s, it, &below));
        HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
        hy_buf_init(&out, kit_heap(), 0);
        hy_scope_tree(s, it->form, &out);
        CHECK_OK(out.failed);
        if (it->golden) {
            if (it->form == HY_TREE_JSON) {
                drop_fractions(&out);
                hy_buf_add_text(&out, "\n"); // as files end
            }
            kit_golden(it->golden, hy_buf_bytes(&out));
        } else {
            hyi_json json;
            hy_why why = { 0 };
            hyi_json_init(&json, hy_buf_bytes(&out), 0, &why);
            CHECK_OK(hyi_json_skip(&json));
        }
        break;
    }
    return err;
}

static hy_err text_is_pleasant_to_read(hy_mem *mem) {
    shown it = { .form = HY_TREE_TEXT, .golden = "scope/tree.txt" };
    return run_fixed(mem, show, &it);
}

static hy_err json_says_the_same(hy_mem *mem) {
    shown it = { .form = HY_TREE_JSON, .golden = "scope/tree.json" };
    return run_fixed(mem, show, &it);
}

static hy_err json_is_json(hy_mem *mem) {
    shown it = { .form = HY_TREE_JSON };
    return run_fixed(mem, show, &it);
}

// Deeper than is shown: the rest is left out, and the text still ends.
static hy_err show_deep(void *arg) {
    (void)arg;
    hy_scope *deepest = hy_scope_current();
    for (int i = 0; i < 60; i++) {
        hy_scope_options options = { .size = sizeof options, .name = "level" };
        CHECK_OK(hy_scope_open(deepest, &options, &deepest));
    }
    for (int form = HY_TREE_TEXT; form <= HY_TREE_JSON; form++) {
        HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
        hy_buf_init(&out, kit_heap(), 0);
        hy_scope_tree(hy_scope_current(), (hy_tree_form)form, &out);
        CHECK_OK(out.failed);
        size_t levels = 0;
        for (size_t i = 0; i + 5 <= out.len; i++) {
            levels += memcmp(out.ptr + i, "level", 5) == 0;
        }
        CHECK_EQ(levels, 24);
    }
    return HY_OK;
}

static hy_err deep_trees_are_cut(hy_mem *mem) {
    return run_fixed(mem, show_deep, NULL);
}

static hy_err show_root(void *arg) {
    (void)arg;
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, kit_heap(), 0);
    hy_scope_tree(hy_scope_current(), HY_TREE_TEXT, &out);
    CHECK_TEXT(((hy_bytes){ out.ptr, out.len < 13 ? out.len : 13 }), "root  1 fiber");
    return HY_OK;
}

static hy_err root_counts_its_fibers(hy_mem *mem) {
    return run_fixed(mem, show_root, NULL);
}

// A buffer that is too small keeps its failure, and nothing is written behind its end.
static hy_err show_small(void *arg) {
    (void)arg;
    for (size_t size = 1; size < 60; size++) {
        HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
        hy_buf_init(&out, kit_heap(), size);
        hy_scope_tree(hy_scope_current(), size % 2 ? HY_TREE_TEXT : HY_TREE_JSON, &out);
        CHECK(out.len <= size);
        CHECK(out.failed == HY_OK || out.failed == HY_TOO_LARGE);
    }
    return HY_OK;
}

static hy_err small_buffers_say_so(hy_mem *mem) {
    return run_fixed(mem, show_small, NULL);
}

KIT_TESTS(KIT_TEST_ONCE(text_is_pleasant_to_read), KIT_TEST_ONCE(json_says_the_same),
          KIT_TEST_ONCE(json_is_json), KIT_TEST_ONCE(deep_trees_are_cut),
          KIT_TEST_ONCE(root_counts_its_fibers), KIT_TEST(small_buffers_say_so))
