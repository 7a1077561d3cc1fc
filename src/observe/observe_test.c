// observe_test.c - spans, logs and metrics as a program sees them, and that nothing grows.
//
// The sinks write down what they are told. Where an allocation fails on purpose a scope may go
// unfollowed; it is counted as lost, and the test then has nothing to say.
#include <hypha/observe.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "kit/kit.h"
#include "observe/watch.h"

#include <string.h>

typedef struct counting {
    hy_mem mem;
    hy_mem *below;
    size_t live;
} counting;

static void *count(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    counting *c = (counting *)self;
    void *now = c->below->resize(c->below, ptr, old_size, new_size);
    if (now || new_size == 0) c->live += new_size - old_size;
    return now;
}

typedef struct seen {
    hy_observe *observe;
    counting *memory;
    hy_span spans[8];
    uint32_t span_count, log_count;
    uint32_t fields;
    char line[512];
} seen;

static void see_span(void *self, const hy_span *span) {
    seen *s = self;
    if (s->span_count < 8) s->spans[s->span_count] = *span; // names are literals here
    s->span_count++;
}

static void see_log(void *self, const hy_log_record *record) {
    seen *s = self;
    hy_buf line;
    hy_buf_init(&line, hy_mem_system(), sizeof s->line - 1);
    hy_log_line(record, false, &line);
    memcpy(s->line, line.ptr, line.len);
    s->line[line.len] = 0;
    hy_buf_deinit(&line);
    s->log_count++;
    s->fields = record->field_count;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

// Runs `body` watched, in a simulated world; `s` is its argument.
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

// ---- spans ----

static hy_err nested(void *arg) {
    (void)arg;
    hy_err err = HY_OK;
    HY_SCOPE(request, &err, .name = "request") {
        hy_span_set(HY_WITH_U64("practice", 3));
        hy_span_set(HY_WITH_U64("practice", 7));
        HY_SCOPE(query, &err, .name = "query") {
            err = hy_sleep(HY_MS(3));
            if (err == HY_OK) err = HY_BUSY;
            break;
        }
        if (err == HY_BUSY) err = HY_OK;
        if (err != HY_OK) break;
    }
    HY_SCOPE(other, &err, .name = "other") {}
    return err;
}

static hy_err scopes_are_spans(hy_mem *mem) {
    seen s = { 0 };
    hy_observe_options options = { 0 };
    hy_err err = watched(mem, &options, nested, &s);
    if (err != HY_OK) return err;
    if (s.span_count != 4) return HY_NOMEM; // one could not be followed
    const hy_span *query = &s.spans[0], *request = &s.spans[1], *other = &s.spans[2];
    const hy_span *root = &s.spans[3];
    CHECK(strcmp(query->name, "query") == 0 && strcmp(root->name, "root") == 0);
    CHECK_EQ(query->parent, request->span);
    CHECK_EQ(request->parent, root->span);
    CHECK(query->trace.lo == request->trace.lo && query->trace.hi == request->trace.hi);
    CHECK(other->trace.lo != request->trace.lo); // a request each
    CHECK_EQ(root->trace.hi | root->trace.lo, 0);
    CHECK_EQ(query->err, HY_BUSY);
    CHECK(query->duration >= HY_MS(3));
    return HY_OK;
}

static hy_err continued(void *arg) {
    hy_baggage sent = { .time_left = HY_NEVER };
    CHECK_EQ(hy_traceparent_parse(
                 HY_BYTES("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &sent),
             HY_OK);
    hy_err err = HY_OK;
    const seen *s = arg;
    HY_SCOPE(request, &err, .name = "request", .baggage = &sent) {
        if (s->observe->spans_lost > 0) return HY_NOMEM;
        hy_baggage here = hy_baggage_here();
        CHECK(here.span != 0 && here.span != sent.span);
        CHECK_EQ(here.trace.hi, sent.trace.hi);
    }
    return err;
}

static hy_err trace_of_the_sender_goes_on(hy_mem *mem) {
    seen s = { 0 };
    hy_observe_options options = { 0 };
    hy_err err = watched(mem, &options, continued, &s);
    if (err != HY_OK || s.span_count < 2) return HY_NOMEM;
    CHECK_EQ(s.spans[0].parent, UINT64_C(0xb7ad6b7169203331));
    CHECK(s.spans[0].remote_parent);
    CHECK_EQ(s.spans[0].trace.hi, UINT64_C(0x0af7651916cd43dd));
    return HY_OK;
}

static hy_err slow_one(void *arg) {
    seen *s = arg;
    hy_err err = HY_OK;
    HY_SCOPE(report, &err, .name = "report") {
        hy_span_set(HY_WITH_TEXT("kind", "yearly"));
        err = hy_sleep(HY_SECONDS(2));
    }
    hy_span span;
    uint64_t cursor = 0;
    if (err != HY_OK) return err;
    if (s->observe->spans_lost > 0) return HY_NOMEM;
    CHECK(hy_span_next(s->observe, true, &cursor, &span));
    CHECK(strcmp(span.name, "report") == 0);
    CHECK_EQ(span.field_count, 1);
    CHECK_TEXT(span.fields[0].as.text, "yearly");
    CHECK(!hy_span_next(s->observe, true, &cursor, &span));
    return HY_OK;
}

static hy_err slow_spans_are_kept_and_said(hy_mem *mem) {
    seen s = { 0 };
    hy_observe_options options = { .sample_ppm =
                                       1 }; // hardly any trace; the slow ones all the same
    hy_err err = watched(mem, &options, slow_one, &s);
    if (err != HY_OK) return err;
    CHECK_EQ(s.log_count, 1);
    CHECK(strstr(s.line, "WARN  report: slow took=2s threshold=1s error=HY_OK") != NULL);
    return HY_OK;
}

static hy_err many(void *arg) {
    seen *s = arg;
    for (uint32_t i = 0; i < 100000; i++) {
        hy_err err = HY_OK;
        HY_SCOPE(request, &err, .name = "request") {
            hy_log(HY_LEVEL_INFO, "handled", HY_WITH_U64("number", i));
        }
        if (err != HY_OK) return err;
    }
    CHECK_EQ(s->span_count, 100000);
    size_t before = s->memory->live;
    for (uint32_t i = 0; i < 100000; i++) {
        hy_err err = HY_OK;
        HY_SCOPE(request, &err, .name = "request") {}
        if (err != HY_OK) return err;
    }
    CHECK_EQ(s->memory->live, before);
    return HY_OK;
}

static hy_err nothing_grows_below_a_root_that_lives_on(hy_mem *mem) {
    counting memory = { { count }, mem, 0 };
    seen s = { .memory = &memory };
    hy_observe_options options = { 0 };
    return watched(&memory.mem, &options, many, &s);
}

// ---- logs ----

static hy_err talk(void *arg) {
    seen *s = arg;
    hy_err err = HY_OK;
    HY_SCOPE(pay, &err, .name = "pay") {
        hy_log(HY_LEVEL_DEBUG, "not wanted", HY_WITH_U64("n", 1));
        CHECK_EQ(s->log_count, 0);
        hy_log(HY_LEVEL_WARN, "declined", HY_WITH_I64("cents", -5), HY_WITH_TEXT("who", "Ada L."),
               HY_WITH_NS("after", 3250000), HY_WITH_ERR(HY_TIMEOUT), HY_WITH_BOOL("again", true),
               HY_WITH_F64("share", 0.5));
        CHECK_EQ(s->log_count, 1);
        CHECK_EQ(s->fields, 6);
        CHECK(strstr(s->line, "WARN  pay: declined cents=-5 who=\"Ada L.\" after=3.2ms "
                              "error=HY_TIMEOUT again=true share=0.5") != NULL);
        hy_observe_level(s->observe, HY_LEVEL_TRACE);
        hy_span_event("half-way");
        CHECK_EQ(s->log_count, 2);
    }
    hy_log_record record;
    uint64_t cursor = 0;
    if (err != HY_OK) return err;
    CHECK(hy_log_next(s->observe, &cursor, &record));
    CHECK_TEXT(record.fields[1].as.text, "Ada L.");
    CHECK(hy_log_next(s->observe, &cursor, &record));
    CHECK(!hy_log_next(s->observe, &cursor, &record));
    return HY_OK;
}

static hy_err logs_have_fields_and_a_place(hy_mem *mem) {
    seen s = { 0 };
    hy_observe_options options = { 0 };
    return watched(mem, &options, talk, &s);
}

// ---- metrics ----

static bool is_json(hy_bytes text) {
    hyi_json json;
    hyi_json_token token;
    hyi_json_init(&json, text, 0, NULL);
    do {
        if (hyi_json_next(&json, &token) != HY_OK) return false;
    } while (token.kind != HYI_JSON_END);
    return true;
}

static hy_err metrics_are_bounded_and_readable(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = 1), &world));
    hy_observe *o = NULL;
    hy_err err = hy_observe_open(world, NULL, &o);
    static const char *const labels[] = { "path", NULL };
    hy_counter *requests = NULL, *again = NULL;
    hy_gauge *open = NULL, *wrong = NULL;
    hy_histogram *took = NULL;
    const hy_metric_options counted = { .size = sizeof counted,
                                        .name = "requests_total",
                                        .help = "Requests, by path.",
                                        .labels = labels,
                                        .series_max = 2 };
    if (err == HY_OK) err = hy_counter_new(o, &counted, &requests);
    if (err == HY_OK) err = hy_counter_new(o, &counted, &again);
    if (err == HY_OK) err = hy_gauge_new(o, HY_OPTIONS(hy_metric, .name = "open"), &open);
    if (err == HY_OK) {
        err = hy_histogram_new(o, HY_OPTIONS(hy_metric, .name = "took", .unit = "ns"), &took);
    }
    if (err == HY_OK) {
        CHECK(again == requests);
        CHECK_EQ(hy_gauge_new(o, &counted, &wrong), HY_EXISTS);
        const char *paths[] = { "/", "/a\"b", "/c", "/d", "/" };
        for (int i = 0; i < 5; i++)
            hy_counter_add(
                hy_counter_of(requests, &(hy_text){ (const uint8_t *)paths[i], strlen(paths[i]) }),
                1);
        hy_gauge_add(open, -4);
        for (uint64_t i = 1; i <= 100; i++)
            hy_histogram_add(took, i);
        hy_counter_add(NULL, 1);
        hy_buf out, json;
        hy_buf_init(&out, mem, 0);
        hy_buf_init(&json, mem, 0);
        hy_metrics_prometheus(o, &out);
        hy_observe_json(o, &json);
        err = out.failed != HY_OK ? out.failed : json.failed;
        bool whole = hy_histogram_values(took)->lost == 0;
        if (err == HY_OK) CHECK(is_json(hy_buf_bytes(&json)));
        if (err == HY_OK && whole && hy_counter_of(requests, &HY_BYTES("/c")) == requests) {
            kit_golden("observe/metrics.prom", hy_buf_bytes(&out));
        }
        hy_buf_deinit(&out);
        hy_buf_deinit(&json);
        if (!whole) err = HY_NOMEM;
    }
    hy_observe_close(o);
    return err;
}

KIT_TESTS(KIT_TEST(scopes_are_spans), KIT_TEST(trace_of_the_sender_goes_on),
          KIT_TEST(slow_spans_are_kept_and_said),
          KIT_TEST_ONCE(nothing_grows_below_a_root_that_lives_on),
          KIT_TEST(logs_have_fields_and_a_place), KIT_TEST(metrics_are_bounded_and_readable))
