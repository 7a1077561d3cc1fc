// watch.c - metrics, the tree of scopes, and lines for people.
//
// What changes all the time is counted where it happens (requests, attempts). What the fleet and
// the scopes count anyway is copied from them when somebody asks for the metrics.

#include "server/watch.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define WATCH_PAGE_MAX ((size_t)1 << 20)
#define WATCH_LINE_MAX 4096u

typedef enum watch_number {
    WATCH_CONNECTIONS,
    WATCH_QUEUE,
    WATCH_PENDING,
    WATCH_DURABLE,
    WATCH_ACCEPTED,
    WATCH_DUPLICATES,
    WATCH_REFUSED,
    WATCH_COMMITS,
    WATCH_FIBERS,
    WATCH_STACKS,
    WATCH_NUMBERS,
} watch_number;

static const struct {
    const char *name, *help;
    bool grows; // a counter
} watch_numbers[WATCH_NUMBERS] = {
    [WATCH_CONNECTIONS] = { "clinic_connections", "clients that are connected", false },
    [WATCH_QUEUE] = { "clinic_queue", "calls that wait to be stepped", false },
    [WATCH_PENDING] = { "clinic_pending_actions", "actions in the ledger", false },
    [WATCH_DURABLE] = { "clinic_durable_steps_total", "steps that are stored", true },
    [WATCH_ACCEPTED] = { "clinic_accepted_total", "calls that changed the state", true },
    [WATCH_DUPLICATES] = { "clinic_duplicates_total", "calls answered from memory", true },
    [WATCH_REFUSED] = { "clinic_refused_total", "calls that were refused", true },
    [WATCH_COMMITS] = { "clinic_commits_total", "commits, of many steps each", true },
    [WATCH_FIBERS] = { "clinic_fibers", "fibers that live", false },
    [WATCH_STACKS] = { "clinic_stack_bytes", "memory mapped for stacks", false },
};

struct clinic_watch {
    clinic_service *service;
    hy_mem *mem;
    hy_observe *observe;
    hy_level shown; // lines from this level on
    hy_counter *requests, *attempts;
    hy_histogram *took;
    hy_gauge *gauges[WATCH_NUMBERS];
    hy_counter *counters[WATCH_NUMBERS];
    uint64_t seen[WATCH_NUMBERS]; // what the counters have been told
};

static hy_err watch_declare(clinic_watch *w);
static void watch_print(void *self, const hy_log_record *record);

// ---- opening ----

static hy_level watch_level(const char *log) {
    if (log == NULL) return HY_LEVEL_OFF;
    if (strcmp(log, "debug") == 0) return HY_LEVEL_DEBUG;
    if (strcmp(log, "info") == 0) return HY_LEVEL_INFO;
    return strcmp(log, "warn") == 0 ? HY_LEVEL_WARN : HY_LEVEL_OFF;
}

bool watch_is_level(const char *log) {
    return watch_level(log) != HY_LEVEL_OFF;
}

hy_err watch_open(clinic_service *service, const char *log, clinic_watch **out_watch) {
    clinic_watch *w = hy_mem_alloc_zero(service->mem, sizeof *w);
    if (w == NULL) return HY_NOMEM;
    w->service = service;
    w->mem = service->mem;
    w->shown = watch_level(log);
    hy_err err =
        hy_observe_open(service->world,
                        HY_OPTIONS(hy_observe, .sinks = { { .log = watch_print, .self = w } },
                                   .level = w->shown < HY_LEVEL_INFO ? w->shown : HY_LEVEL_INFO),
                        &w->observe);
    if (err == HY_OK) err = watch_declare(w);
    if (err != HY_OK) return watch_close(w), err;
    *out_watch = w;
    return HY_OK;
}

clinic_watch *watch_close(clinic_watch *w) {
    if (w == NULL) return NULL;
    hy_observe_close(w->observe);
    hy_mem_free(w->mem, w, sizeof *w);
    return NULL;
}

hy_observe *watch_observe(const clinic_watch *w) {
    return w->observe;
}

static hy_err watch_declare(clinic_watch *w) {
    static const char *const of_request[] = { "route", "status", NULL };
    static const char *const of_attempt[] = { "action", "outcome", NULL };
    hy_err err =
        hy_counter_new(w->observe,
                       HY_OPTIONS(hy_metric, .name = "clinic_requests_total",
                                  .help = "requests that were answered", .labels = of_request),
                       &w->requests);
    if (err == HY_OK) {
        err = hy_histogram_new(w->observe,
                               HY_OPTIONS(hy_metric, .name = "clinic_request_microseconds",
                                          .help = "from a request's last byte to its answer",
                                          .unit = "microseconds"),
                               &w->took);
    }
    if (err == HY_OK) {
        err = hy_counter_new(w->observe,
                             HY_OPTIONS(hy_metric, .name = "clinic_attempts_total",
                                        .help = "attempts at payments", .labels = of_attempt),
                             &w->attempts);
    }
    for (uint32_t i = 0; i < WATCH_NUMBERS && err == HY_OK; i++) {
        const hy_metric_options *options =
            HY_OPTIONS(hy_metric, .name = watch_numbers[i].name, .help = watch_numbers[i].help);
        err = watch_numbers[i].grows ? hy_counter_new(w->observe, options, &w->counters[i])
                                     : hy_gauge_new(w->observe, options, &w->gauges[i]);
    }
    return err;
}

// ---- where it happens ----

static void watch_print(void *self, const hy_log_record *record) {
    const clinic_watch *w = self;
    if (record->level < w->shown) return;
    HY_CLEANUP(hy_buf_deinit) hy_buf line = { 0 };
    hy_buf_init(&line, w->mem, WATCH_LINE_MAX);
    hy_log_line(record, false, &line);
    if (line.failed == HY_OK) (void)fprintf(stderr, "%.*s\n", HY_SHOW(hy_buf_bytes(&line)));
}

void watch_attempt(clinic_watch *w, const char *verb, const hy_effect *effect, hy_err err,
                   bool worked) {
    const clinic_payment *payment = effect->body;
    const char *outcome = err != HY_OK ? "failed" : worked ? "done" : "declined";
    hy_counter_add(
        hy_counter_of(w->attempts, (hy_text[]){ hy_bytes_of(verb), hy_bytes_of(outcome) }), 1);
    hy_span_set(HY_WITH_TEXT("action", verb));
    hy_span_set(HY_WITH_U64("appointment", payment->appointment));
    hy_span_set(HY_WITH_U64("attempt", effect->attempt));
    if (err == HY_OK || err == HY_CANCELLED) return;
    hy_log(HY_LEVEL_WARN, "attempt failed", HY_WITH_TEXT("action", verb),
           HY_WITH_U64("appointment", payment->appointment),
           HY_WITH_U64("attempt", effect->attempt), HY_WITH_TEXT("reason", effect->why->text),
           HY_WITH_ERR(err));
}

void watch_answered(void *self, const hy_request *request, uint32_t status, hy_ns took) {
    clinic_watch *w = self;
    const char *route = hy_request_route(request);
    char number[12];
    (void)snprintf(number, sizeof number, "%u", status);
    hy_text labels[] = { hy_bytes_of(route == NULL ? "file" : route), hy_bytes_of(number) };
    hy_counter_add(hy_counter_of(w->requests, labels), 1);
    hy_histogram_add(w->took, (uint64_t)took / 1000);
    const hy_log_field fields[] = { { 0 },
                                    HY_WITH_BYTES("method", hy_request_method(request)),
                                    HY_WITH_BYTES("path", hy_request_path(request)),
                                    HY_WITH_U64("status", status),
                                    HY_WITH_NS("took", took) };
    hy_scope *scope = hy_scope_current();
    hy_log_in(scope != NULL ? scope : w->service->root, HY_LEVEL_DEBUG, "request", fields,
              HY_COUNT_OF(fields));
}

// ---- who asks ----

static void watch_take(clinic_watch *w, watch_number which, uint64_t value) {
    if (!watch_numbers[which].grows) {
        hy_gauge_set(w->gauges[which], (int64_t)value);
        return;
    }
    hy_counter_add(w->counters[which], value - w->seen[which]);
    w->seen[which] = value;
}

static void watch_take_all(clinic_watch *w) {
    const clinic_service *s = w->service;
    const hy_host_stats host = hy_fleet_stats_of(s->fleet).machines;
    const hy_scope_stats scopes = hy_scope_stats_of(s->root);
    watch_take(w, WATCH_CONNECTIONS, hy_server_connections(s->server));
    watch_take(w, WATCH_QUEUE, host.queue_count);
    watch_take(w, WATCH_PENDING, host.pending_actions);
    watch_take(w, WATCH_DURABLE, host.durable_seq);
    watch_take(w, WATCH_ACCEPTED, host.accepted);
    watch_take(w, WATCH_DUPLICATES, host.duplicates);
    watch_take(w, WATCH_REFUSED, host.refused);
    watch_take(w, WATCH_COMMITS, host.commits);
    watch_take(w, WATCH_FIBERS, scopes.fibers);
    watch_take(w, WATCH_STACKS, scopes.stack_bytes);
}

// These pages say much about the inside. A proxy on this machine says for whom it asks.
static bool watch_is_refused(hy_request *request) {
    if (hy_request_is_local(request)) return false;
    hy_why why = { 0 };
    (void)hy_why_set(&why, HY_REJECT, "", "only programs on this machine may see this");
    hy_request_refuse(request, 403, HY_REJECT, "LOCAL_ONLY", &why);
    return true;
}

static hy_err watch_answer(hy_request *request, const char *type, const hy_buf *page) {
    if (page->failed == HY_OK) hy_request_answer(request, 200, type, hy_buf_bytes(page));
    return page->failed;
}

hy_err watch_answer_metrics(void *service, hy_request *request, hy_why *why) {
    (void)why;
    clinic_watch *w = ((clinic_service *)service)->watch;
    if (watch_is_refused(request)) return HY_OK;
    HY_CLEANUP(hy_buf_deinit) hy_buf page = { 0 };
    hy_buf_init(&page, w->mem, WATCH_PAGE_MAX);
    watch_take_all(w);
    hy_metrics_prometheus(w->observe, &page);
    return watch_answer(request, "text/plain; version=0.0.4; charset=utf-8", &page);
}

hy_err watch_answer_scopes(void *service, hy_request *request, hy_why *why) {
    (void)why;
    const clinic_service *s = service;
    if (watch_is_refused(request)) return HY_OK;
    bool is_json = hy_bytes_equal(hy_request_param(request, "form"), HY_BYTES("json"));
    HY_CLEANUP(hy_buf_deinit) hy_buf page = { 0 };
    hy_buf_init(&page, s->mem, WATCH_PAGE_MAX);
    hy_scope_tree(s->root, is_json ? HY_TREE_JSON : HY_TREE_TEXT, &page);
    return watch_answer(request, is_json ? "application/json" : "text/plain; charset=utf-8", &page);
}
