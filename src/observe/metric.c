// metric.c - counters, gauges and histograms, with a bounded number of series.
//
// The danger of labels is a value that comes from outside: a path, a user. Each metric therefore
// has a limit of series; what is past it is counted together as "other", so the sum stays right and
// the memory bounded. The first series of a metric is its own, or, with labels, that "other".
#include "observe/watch.h"

#include "base/digest.h"

#include <string.h>

#define METRIC_LABELS_MAX 4u
#define METRIC_SERIES_MAX 64u
#define METRIC_VALUE_MAX 128u // bytes of one label's value; longer ones are cut

struct hy_counter {
    hyi_series series;
};
struct hy_gauge {
    hyi_series series;
};
struct hy_histogram {
    hyi_series series;
};

// ---- declaring ----

static hyi_metric *metric_find(const hy_observe *observe, const char *name) {
    for (hyi_metric *metric = observe->metrics; metric; metric = metric->next)
        if (strcmp(metric->options.name, name) == 0) return metric;
    return NULL;
}

static bool metric_name_is_valid(const char *name) {
    for (const char *c = name; *c; c++) {
        bool letter =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_' || *c == ':';
        bool digit = *c >= '0' && *c <= '9';
        if (!letter && (!digit || c == name)) return false;
    }
    return *name != 0;
}

static bool metric_label_is_valid(const char *name) {
    return metric_name_is_valid(name) && !strchr(name, ':') && strcmp(name, "quantile") != 0;
}

static uint32_t metric_labels(const hy_metric_options *options) {
    uint32_t count = 0;
    while (options->labels && options->labels[count]) {
        HY_ASSERT(count < METRIC_LABELS_MAX);
        HY_ASSERT(metric_label_is_valid(options->labels[count]));
        count++;
    }
    return count;
}

static bool metric_same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool metric_same(const hyi_metric *metric, hyi_metric_kind kind,
                        const hy_metric_options *options) {
    if (!metric_same_text(metric->options.unit, options->unit)) return false;
    if (metric->kind != kind || metric->label_count != metric_labels(options)) return false;
    for (uint32_t i = 0; i < metric->label_count; i++)
        if (strcmp(metric->options.labels[i], options->labels[i]) != 0) return false;
    return true;
}

static hy_err metric_new(hy_observe *observe, hyi_metric_kind kind,
                         const hy_metric_options *options, hyi_series **out_series) {
    HY_ASSERT(metric_name_is_valid(options->name));
    hyi_metric *metric = metric_find(observe, options->name);
    if (metric && !metric_same(metric, kind, options)) return HY_EXISTS;
    if (!metric) {
        metric = (hyi_metric *)hy_mem_alloc_zero(observe->mem, sizeof *metric);
        if (!metric) return HY_NOMEM;
        metric->observe = observe;
        metric->kind = kind;
        metric->options = *options;
        if (metric->options.series_max == 0) metric->options.series_max = METRIC_SERIES_MAX;
        metric->label_count = metric_labels(options);
        metric->first.metric = metric;
        hy_hdr_init(&metric->first.hdr, observe->mem);
        if (observe->last_metric) {
            observe->last_metric->next = metric;
        } else {
            observe->metrics = metric;
        }
        observe->last_metric = metric;
    }
    *out_series = &metric->first;
    return HY_OK;
}

hy_err hy_counter_new(hy_observe *observe, const hy_metric_options *options,
                      hy_counter **out_counter) {
    hyi_series *series = NULL;
    hy_err err = metric_new(observe, HYI_COUNTER, options, &series);
    if (err == HY_OK) *out_counter = (hy_counter *)series;
    return err;
}

hy_err hy_gauge_new(hy_observe *observe, const hy_metric_options *options, hy_gauge **out_gauge) {
    hyi_series *series = NULL;
    hy_err err = metric_new(observe, HYI_GAUGE, options, &series);
    if (err == HY_OK) *out_gauge = (hy_gauge *)series;
    return err;
}

hy_err hy_histogram_new(hy_observe *observe, const hy_metric_options *options,
                        hy_histogram **out_histogram) {
    hyi_series *series = NULL;
    hy_err err = metric_new(observe, HYI_HISTOGRAM, options, &series);
    if (err == HY_OK) *out_histogram = (hy_histogram *)series;
    return err;
}

// ---- series ----

// Cut at a character. What is no text, and a NUL, which would end it, becomes question marks.
static size_t metric_pack_value(hy_text value, char *out) {
    size_t len = value.len < METRIC_VALUE_MAX ? value.len : METRIC_VALUE_MAX;
    while (len < value.len && len > 0 && (value.ptr[len] & 0xc0) == 0x80)
        len--;
    bool is_text = hy_text_is_utf8((hy_text){ value.ptr, len });
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = value.ptr[i];
        out[i] = byte == 0 || (byte >= 0x80 && !is_text) ? '?' : (char)byte;
    }
    out[len] = 0;
    return len + 1;
}

static size_t metric_pack(const hyi_metric *metric, const hy_text *values, char *out) {
    size_t size = 0;
    for (uint32_t i = 0; i < metric->label_count; i++)
        size += metric_pack_value(values[i], out + size);
    return size;
}

// Who calls his own value so meets those past the limit: two series of one name would be wrong.
static bool metric_is_other(const hyi_metric *metric, const hy_text *values) {
    for (uint32_t i = 0; i < metric->label_count; i++)
        if (!hy_bytes_equal(values[i], HY_BYTES("other"))) return false;
    return true;
}

static hyi_series *metric_series_new(hyi_metric *metric, const char *packed, size_t size,
                                     uint64_t hash) {
    if (metric->series_count >= metric->options.series_max) return NULL;
    hy_mem *mem = metric->observe->mem;
    hyi_series *series = (hyi_series *)hy_mem_alloc_zero(mem, sizeof *series);
    char *values = series ? (char *)hy_mem_alloc(mem, size) : NULL;
    if (!values) {
        hy_mem_free(mem, series, sizeof *series);
        return NULL;
    }
    memcpy(values, packed, size);
    series->metric = metric;
    series->hash = hash;
    series->values = values;
    series->values_size = size;
    hy_hdr_init(&series->hdr, mem);
    series->next = metric->first.next;
    metric->first.next = series;
    metric->series_count++;
    return series;
}

static hyi_series *metric_of(hyi_series *first, const hy_text *values) {
    if (!first) return NULL;
    hyi_metric *metric = first->metric;
    HY_ASSERT(first == &metric->first);
    if (metric_is_other(metric, values)) return first; // and without labels
    char packed[METRIC_LABELS_MAX * (METRIC_VALUE_MAX + 1)];
    size_t size = metric_pack(metric, values, packed);
    uint64_t hash = hyi_digest(0, packed, size);
    for (hyi_series *series = first->next; series; series = series->next) {
        if (series->hash == hash && series->values_size == size &&
            memcmp(series->values, packed, size) == 0) {
            return series;
        }
    }
    hyi_series *series = metric_series_new(metric, packed, size, hash);
    return series ? series : first;
}

hy_counter *hy_counter_of(hy_counter *counter, const hy_text *values) {
    return (hy_counter *)metric_of((hyi_series *)counter, values);
}

hy_gauge *hy_gauge_of(hy_gauge *gauge, const hy_text *values) {
    return (hy_gauge *)metric_of((hyi_series *)gauge, values);
}

hy_histogram *hy_histogram_of(hy_histogram *histogram, const hy_text *values) {
    return (hy_histogram *)metric_of((hyi_series *)histogram, values);
}

// ---- counting ----

void hy_counter_add(hy_counter *counter, uint64_t by) {
    if (counter) counter->series.counter += by;
}

void hy_gauge_set(hy_gauge *gauge, int64_t value) {
    if (gauge) gauge->series.gauge = value;
}

// Wraps as two's complement does, rather than being undefined.
void hy_gauge_add(hy_gauge *gauge, int64_t by) {
    if (gauge) gauge->series.gauge = (int64_t)((uint64_t)gauge->series.gauge + (uint64_t)by);
}

void hy_histogram_add(hy_histogram *histogram, uint64_t value) {
    if (histogram) hy_hdr_add(&histogram->series.hdr, value);
}

const hy_hdr *hy_histogram_values(const hy_histogram *histogram) {
    return histogram ? &histogram->series.hdr : NULL;
}

void hyi_metrics_free(hy_observe *observe) {
    hy_mem *mem = observe->mem;
    for (hyi_metric *metric = observe->metrics, *next; metric; metric = next) {
        next = metric->next;
        for (hyi_series *series; (series = metric->first.next) != NULL;) {
            metric->first.next = series->next;
            hy_hdr_deinit(&series->hdr);
            hy_mem_free(mem, series->values, series->values_size);
            hy_mem_free(mem, series, sizeof *series);
        }
        hy_hdr_deinit(&metric->first.hdr);
        hy_mem_free(mem, metric, sizeof *metric);
    }
    observe->metrics = observe->last_metric = NULL;
}
