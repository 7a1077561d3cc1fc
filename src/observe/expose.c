// expose.c - everything that is known, for a page or a tool: Prometheus text, and JSON.
//
// Histograms become summaries (quantiles, sum, count): the exact buckets of a log-linear histogram
// are hundreds of lines that nobody reads. (Prometheus exposition format, version 0.0.4.)
#include "observe/watch.h"

#include "base/json.h"

#include <string.h>

static const struct {
    uint32_t ppm;
    const char *text;
} expose_quantiles[] = {
    { 500000, "0.5" }, { 900000, "0.9" }, { 990000, "0.99" }, { 999000, "0.999" }
};
#define EXPOSE_QUANTILES (sizeof expose_quantiles / sizeof expose_quantiles[0])

// A labelled metric's own series is "other": not shown before something was counted there.
static bool expose_is_shown(const hyi_series *series) {
    const hyi_metric *metric = series->metric;
    if (series->values || metric->label_count == 0) return true;
    return series->counter > 0 || series->gauge != 0 || series->hdr.count > 0;
}

// ---- Prometheus ----

static void expose_escaped(hy_buf *out, const char *text, bool quotes) {
    for (const char *c = text; *c; c++) {
        if (*c == '\n') {
            hy_buf_add_text(out, "\\n");
        } else {
            if (*c == '\\' || (*c == '"' && quotes)) hy_buf_add_text(out, "\\");
            hy_buf_add(out, c, 1);
        }
    }
}

static void expose_labels(hy_buf *out, const hyi_series *series, const char *quantile) {
    const hyi_metric *metric = series->metric;
    const char *value = series->values;
    const char *before = "{";
    for (uint32_t i = 0; i < metric->label_count; i++) {
        hy_buf_add_text(out, before);
        hy_buf_add_text(out, metric->options.labels[i]);
        hy_buf_add_text(out, "=\"");
        expose_escaped(out, value ? value : "other", true);
        hy_buf_add_text(out, "\"");
        if (value) value += strlen(value) + 1;
        before = ",";
    }
    if (quantile) {
        hy_buf_add_text(out, before);
        hy_buf_add_text(out, "quantile=\"");
        hy_buf_add_text(out, quantile);
        hy_buf_add_text(out, "\"");
        before = ",";
    }
    if (*before == ',') hy_buf_add_text(out, "}");
}

static void expose_line(hy_buf *out, const hyi_series *series, const char *suffix,
                        const char *quantile, bool negative, uint64_t value) {
    hy_buf_add_text(out, series->metric->options.name);
    hy_buf_add_text(out, suffix);
    expose_labels(out, series, quantile);
    hy_buf_add_text(out, negative ? " -" : " ");
    hy_buf_add_u64(out, value);
    hy_buf_add_text(out, "\n");
}

static void expose_series(hy_buf *out, const hyi_series *series) {
    int64_t gauge = series->gauge;
    switch (series->metric->kind) {
    case HYI_COUNTER: expose_line(out, series, "", NULL, false, series->counter); break;
    case HYI_GAUGE:
        expose_line(out, series, "", NULL, gauge < 0,
                    gauge < 0 ? 0 - (uint64_t)gauge : (uint64_t)gauge);
        break;
    case HYI_HISTOGRAM:
        for (size_t i = 0; i < EXPOSE_QUANTILES; i++)
            expose_line(out, series, "", expose_quantiles[i].text, false,
                        hy_hdr_percentile(&series->hdr, expose_quantiles[i].ppm));
        expose_line(out, series, "_sum", NULL, false, series->hdr.sum);
        expose_line(out, series, "_count", NULL, false, series->hdr.count);
        break;
    }
}

static void expose_head(hy_buf *out, const hyi_metric *metric) {
    static const char *const types[] = { "", "counter", "gauge", "summary" };
    if (metric->options.help) {
        hy_buf_add_text(out, "# HELP ");
        hy_buf_add_text(out, metric->options.name);
        hy_buf_add_text(out, " ");
        expose_escaped(out, metric->options.help, false);
        hy_buf_add_text(out, "\n");
    }
    hy_buf_add_text(out, "# TYPE ");
    hy_buf_add_text(out, metric->options.name);
    hy_buf_add_text(out, " ");
    hy_buf_add_text(out, types[metric->kind]);
    hy_buf_add_text(out, "\n");
}

void hy_metrics_prometheus(const hy_observe *observe, hy_buf *out) {
    for (const hyi_metric *metric = observe->metrics; metric; metric = metric->next) {
        expose_head(out, metric);
        for (const hyi_series *series = &metric->first; series; series = series->next)
            if (expose_is_shown(series)) expose_series(out, series);
    }
}

// ---- JSON ----

static void expose_key(hyi_json_writer *json, const char *name) {
    hyi_json_key(json, hy_bytes_of(name));
}

static void expose_json_labels(hyi_json_writer *json, const hyi_series *series) {
    const hyi_metric *metric = series->metric;
    const char *value = series->values;
    expose_key(json, "labels");
    hyi_json_begin_object(json);
    for (uint32_t i = 0; i < metric->label_count; i++) {
        expose_key(json, metric->options.labels[i]);
        hy_text text = hy_bytes_of(value ? value : "other");
        hyi_json_add_text(json, hy_text_is_utf8(text) ? text : hy_bytes_of("(not UTF-8)"));
        if (value) value += strlen(value) + 1;
    }
    hyi_json_end_object(json);
}

static void expose_json_hdr(hyi_json_writer *json, const hy_hdr *hdr) {
    for (size_t i = 0; i < EXPOSE_QUANTILES; i++) {
        expose_key(json, expose_quantiles[i].text);
        hyi_json_add_u64(json, hy_hdr_percentile(hdr, expose_quantiles[i].ppm));
    }
    expose_key(json, "max");
    hyi_json_add_u64(json, hdr->max);
    expose_key(json, "count");
    hyi_json_add_u64(json, hdr->count);
    expose_key(json, "sum");
    hyi_json_add_u64(json, hdr->sum);
}

static void expose_json_series(hyi_json_writer *json, const hyi_series *series) {
    const hyi_metric *metric = series->metric;
    hyi_json_begin_object(json);
    expose_key(json, "name");
    hyi_json_add_text(json, hy_bytes_of(metric->options.name));
    if (metric->options.unit) {
        expose_key(json, "unit");
        hyi_json_add_text(json, hy_bytes_of(metric->options.unit));
    }
    if (metric->label_count > 0) expose_json_labels(json, series);
    if (metric->kind == HYI_HISTOGRAM) {
        expose_json_hdr(json, &series->hdr);
    } else {
        expose_key(json, "value");
        if (metric->kind == HYI_COUNTER) hyi_json_add_u64(json, series->counter);
        if (metric->kind == HYI_GAUGE) hyi_json_add_i64(json, series->gauge);
    }
    hyi_json_end_object(json);
}

// Lines that are JSON already, into an array.
static void expose_json_lines(const hy_observe *observe, hyi_json_writer *json, bool logs) {
    hy_span span;
    hy_log_record record;
    uint64_t cursor = 0;
    hyi_json_begin_array(json);
    while (logs ? hy_log_next(observe, &cursor, &record)
                : hy_span_next(observe, true, &cursor, &span)) {
        hy_buf line;
        hy_buf_init(&line, observe->mem, 65536);
        if (logs) hy_log_line(&record, true, &line);
        if (!logs) hy_span_line(&span, true, &line);
        if (line.failed != HY_OK) json->buf->failed = line.failed;
        if (line.failed == HY_OK) hyi_json_add_raw(json, hy_buf_bytes(&line));
        hy_buf_deinit(&line);
    }
    hyi_json_end_array(json);
}

void hy_observe_json(const hy_observe *observe, hy_buf *out) {
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hyi_json_begin_object(&json);
    expose_key(&json, "metrics");
    hyi_json_begin_array(&json);
    for (const hyi_metric *metric = observe->metrics; metric; metric = metric->next)
        for (const hyi_series *series = &metric->first; series; series = series->next)
            if (expose_is_shown(series)) expose_json_series(&json, series);
    hyi_json_end_array(&json);
    expose_key(&json, "slow");
    expose_json_lines(observe, &json, false);
    expose_key(&json, "logs");
    expose_json_lines(observe, &json, true);
    expose_key(&json, "spans_open");
    hyi_json_add_u64(&json, observe->spans_open);
    expose_key(&json, "spans_lost");
    hyi_json_add_u64(&json, observe->spans_lost);
    hyi_json_end_object(&json);
}
