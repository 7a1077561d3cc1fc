// observe_edges_test.c - what comes from outside, what is at its limit, and what ends badly.
//
// Bytes that are no text, labels and fields past their number, sinks that log, worlds that crash:
// the output is well-formed, the numbers are right, and the memory is given back.
#include <hypha/observe.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "kit/kit.h"
#include "observe/watch.h"

#include <string.h>

typedef struct seen {
    hy_observe *observe;
    uint32_t spans, events, logs, dropped;
    bool says_more;
} seen;

static void see_span(void *self, const hy_span *span) {
    seen *s = self;
    s->spans++;
    s->events += span->events;
}

static void see_log(void *self, const hy_log_record *record) {
    seen *s = self;
    s->logs++;
    s->dropped += record->fields_dropped;
    if (s->says_more) hy_log(HY_LEVEL_WARN, "the sink has something to say");
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err watched(hy_mem *mem, hy_observe_options *options, hy_fn body, seen *s) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    options->size = sizeof *options;
    options->sinks[0] = (hy_sink){ see_span, see_log, s };
    CHECK_OK(hy_observe_open(world, options, &s->observe));
    hy_err err = hy_root_run(
        world, HY_OPTIONS(hy_root, .observer = hy_observe_scopes(), .observer_self = s->observe),
        body, s);
    hy_observe_close(s->observe);
    return err;
}

static bool is_json(hy_bytes text) {
    hyi_json json;
    hyi_json_token token;
    hyi_json_init(&json, text, 0, NULL);
    do {
        if (hyi_json_next(&json, &token) != HY_OK) return false;
    } while (token.kind != HYI_JSON_END);
    return true;
}

// ---- spans ----

static hy_err many_requests(void *arg) {
    (void)arg;
    hy_err err = HY_OK;
    for (int i = 0; i < 20000 && err == HY_OK; i++)
        HY_SCOPE(request, &err, .name = "request") {}
    return err;
}

static hy_err samples_are_the_share_that_was_asked_for(hy_mem *mem) {
    const uint32_t shares[] = { 10000, 100000, 500000, 900000 };
    for (size_t i = 0; i < 4; i++) {
        seen s = { 0 };
        hy_observe_options options = { .sample_ppm = shares[i] };
        CHECK_OK(watched(mem, &options, many_requests, &s));
        uint32_t wanted = shares[i] / 50;
        CHECK(s.spans > wanted * 8 / 10 && s.spans < wanted * 12 / 10);
    }
    return HY_OK;
}

static hy_err with_events(void *arg) {
    (void)arg;
    hy_err err = HY_OK;
    HY_SCOPE(request, &err, .name = "request") {
        for (int i = 0; i < 3; i++)
            hy_span_event("step");
    }
    return err;
}

static hy_err events_count_in_the_span(hy_mem *mem) {
    seen s = { 0 };
    hy_observe_options options = { 0 };
    hy_err err = watched(mem, &options, with_events, &s);
    if (err != HY_OK || s.spans < 2) return HY_NOMEM;
    CHECK_EQ(s.events, 3);
    CHECK_EQ(s.logs, 0); // of a level that nobody wants
    return HY_OK;
}

static hy_err open_and_wait(void *arg) {
    (void)arg;
    hy_err err = HY_OK;
    HY_SCOPE(request, &err, .name = "request") {
        hy_span_set(HY_WITH_U64("n", 1));
        err = hy_sleep(HY_SECONDS(60));
    }
    return err;
}

static void say_done(void *self, hy_err err) {
    (void)err;
    *(bool *)self = true;
}

// Whoever is abandoned is not told to close: its spans stay open, and are given back all the same.
static hy_err crashed_world_leaves_nothing_open(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    hy_observe *observe = NULL;
    CHECK_OK(hy_observe_open(world, NULL, &observe));
    hy_root_options options = { .size = sizeof options,
                                .observer = hy_observe_scopes(),
                                .observer_self = observe };
    hy_root *root = NULL;
    bool done = false;
    hy_err err = hy_root_start(world, &options, open_and_wait, NULL, say_done, &done, &root);
    if (err == HY_OK) hy_sim_advance(world, HY_SECONDS(30));
    if (err == HY_OK && !done) {
        hy_sim_restart(world);
        hy_root_abandon(root);
    }
    hy_observe_close(observe);
    return err;
}

// ---- logs ----

static uint32_t asked;

static uint64_t expensive(void) {
    return ++asked;
}

static hy_err log_at_the_edges(void *arg) {
    seen *s = arg;
    hy_err err = HY_OK;
    asked = 0;
    HY_SCOPE(bad, &err, .name = "no \xff text") {
        hy_log(HY_LEVEL_DEBUG, "not wanted", HY_WITH_U64("n", expensive()));
        CHECK_EQ(asked, 0);
        hy_log(HY_LEVEL_WARN, "wanted", HY_WITH_U64("n", expensive()));
        CHECK_EQ(asked, 1);
        hy_log(HY_LEVEL_WARN, "no fields");
        char text[64] = "made here";
        const char *none = NULL;
        hy_log(HY_LEVEL_WARN, text, HY_WITH_F64("nan", __builtin_nan("")),
               HY_WITH_F64("inf", -__builtin_inf()), HY_WITH_TEXT("none", none),
               HY_WITH_BYTES("raw", HY_BYTES("\xff\xfe")), HY_WITH_NS("ns", INT64_MIN),
               HY_WITH_I64("i", INT64_MIN), (hy_log_field){ "kind", (hy_field_kind)99, { 0 } });
        memset(text, 'x', sizeof text - 1);
        const hy_log_field many[20] = { [1] = HY_WITH_TEXT("a", "1"), [2] = HY_WITH_U64("b", 2) };
        hy_log_field named[20];
        for (int i = 0; i < 20; i++)
            named[i] = i < 3 ? many[i] : (hy_log_field)HY_WITH_U64("c", 3);
        hy_log_in(NULL, HY_LEVEL_WARN, "many", named, 20);
        CHECK_EQ(s->dropped, 3);
    }
    hy_log_record record;
    uint64_t cursor = 0;
    CHECK(hy_log_next(s->observe, &cursor, &record));
    CHECK(hy_log_next(s->observe, &cursor, &record));
    CHECK(hy_log_next(s->observe, &cursor, &record));
    CHECK(strcmp(record.text, "made here") == 0); // its own copy
    hy_buf line, json;
    hy_buf_init(&line, hy_mem_system(), 0);
    hy_buf_init(&json, hy_mem_system(), 0);
    hy_log_line(&record, false, &line);
    hy_observe_json(s->observe, &json);
    if (err == HY_OK && json.failed != HY_NOMEM) {
        CHECK(hy_text_is_utf8(hy_buf_bytes(&line)));
        CHECK_EQ(json.failed, HY_OK);
        CHECK(is_json(hy_buf_bytes(&json)));
        CHECK(memmem(json.ptr, json.len, "\"fields_dropped\":3", 18) != NULL);
    }
    hy_buf_deinit(&line);
    hy_buf_deinit(&json);
    return err;
}

static hy_err logs_are_well_formed_whatever_is_in_them(hy_mem *mem) {
    seen s = { 0 };
    hy_observe_options options = { 0 };
    return watched(mem, &options, log_at_the_edges, &s);
}

static hy_err say_one_thing(void *arg) {
    const seen *s = arg;
    hy_log(HY_LEVEL_WARN, "one thing", HY_WITH_U64("n", 1));
    hy_log_record record;
    uint64_t cursor = 0, kept = 0;
    while (hy_log_next(s->observe, &cursor, &record))
        kept++;
    CHECK_EQ(kept, 2); // its own words are kept, and told to nobody
    return HY_OK;
}

static hy_err sink_that_logs_is_not_told_of_itself(hy_mem *mem) {
    seen s = { .says_more = true };
    hy_observe_options options = { 0 };
    hy_err err = watched(mem, &options, say_one_thing, &s);
    if (err == HY_OK) CHECK_EQ(s.logs, 1);
    return err;
}

// ---- metrics ----

static uint32_t count_of(hy_bytes text, const char *part) {
    uint32_t count = 0;
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= text.len; i++)
        count += memcmp(text.ptr + i, part, len) == 0;
    return count;
}

static hy_err fill_metrics(hy_observe *o, hy_buf *out, hy_buf *json) {
    static const char *const labels[] = { "path", NULL };
    hy_metric_options options = {
        .size = sizeof options, .name = "calls", .unit = "bytes", .labels = labels, .series_max = 3
    };
    hy_counter *calls = NULL, *same = NULL;
    CHECK_OK(hy_counter_new(o, &options, &calls));
    options.unit = "seconds";
    CHECK_ERR(hy_counter_new(o, &options, &same), HY_EXISTS);
    uint8_t lengthy[300];
    memset(lengthy, 0xc3, sizeof lengthy); // cut in the middle of what is no text
    const hy_text values[] = { HY_BYTES("other"),
                               HY_BYTES("a\0b\n\"\\"),
                               HY_BYTES("\xff\xc3"),
                               { lengthy, sizeof lengthy },
                               HY_BYTES("past the limit") };
    for (size_t i = 0; i < 5; i++)
        hy_counter_add(hy_counter_of(calls, &values[i]), 1);
    hy_gauge *gauge = NULL;
    CHECK_OK(hy_gauge_new(o, HY_OPTIONS(hy_metric, .name = "lowest"), &gauge));
    hy_gauge_set(gauge, INT64_MIN);
    hy_histogram *sizes = NULL;
    CHECK_OK(hy_histogram_new(o, HY_OPTIONS(hy_metric, .name = "sizes"), &sizes));
    hy_histogram_add(sizes, UINT64_MAX);
    hy_histogram_add(sizes, UINT64_MAX);
    if (hy_histogram_values(sizes)->lost > 0) return HY_NOMEM;
    CHECK_EQ(hy_histogram_values(sizes)->sum, UINT64_MAX); // as much as there is, not wrapped
    hy_metrics_prometheus(o, out);
    hy_observe_json(o, json);
    return out->failed != HY_OK ? out->failed : json->failed;
}

static hy_err metrics_are_well_formed_whatever_is_in_them(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = 1), &world));
    hy_observe *o = NULL;
    CHECK_OK(hy_observe_open(world, NULL, &o));
    hy_buf out, json;
    hy_buf_init(&out, mem, 0);
    hy_buf_init(&json, mem, 0);
    hy_err err = fill_metrics(o, &out, &json);
    if (err == HY_OK) {
        hy_bytes text = hy_buf_bytes(&out);
        CHECK(hy_text_is_utf8(text));
        CHECK(is_json(hy_buf_bytes(&json)));
        CHECK_EQ(count_of(text, "path=\"other\""), 1); // one series, whoever is in it
        CHECK_EQ(count_of(text, "lowest -9223372036854775808\n"), 1);
        if (!kit_failed_allocation()) {
            CHECK_EQ(count_of(text, "calls{path=\"other\"} 2\n"), 1);
            CHECK_EQ(count_of(text, "calls{path=\"a?b\\n\\\"\\\\\"} 1\n"), 1);
        }
    }
    hy_buf_deinit(&out);
    hy_buf_deinit(&json);
    hy_observe_close(o);
    return err;
}

KIT_TESTS(KIT_TEST_ONCE(samples_are_the_share_that_was_asked_for),
          KIT_TEST(events_count_in_the_span), KIT_TEST(crashed_world_leaves_nothing_open),
          KIT_TEST(logs_are_well_formed_whatever_is_in_them),
          KIT_TEST(sink_that_logs_is_not_told_of_itself),
          KIT_TEST(metrics_are_well_formed_whatever_is_in_them))
