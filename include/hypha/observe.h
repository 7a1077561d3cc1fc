// hypha/observe.h - seeing what a program does: spans, logs, metrics.   Room: observe.
// Includes: scope, and through it world and base.
// Threads: everything on the world's thread, but what is marked HY_ANY_THREAD.
//
// One hy_observe watches one root. Each scope becomes a span; logs and metrics are told from
// anywhere and carry the scope they came from. What is finished goes to sinks and into bounded
// rings of the latest, never into a list that waits for the root to end. Without a hy_observe every
// call here costs one predictable branch.
//
// Words and numbers follow OpenTelemetry (log severities, span status, W3C trace context) and
// Prometheus (metric types, exposition format).
#ifndef HYPHA_OBSERVE_H
#define HYPHA_OBSERVE_H

#include <hypha/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hy_observe hy_observe;

// ---- fields -----------------------------------------------------------------------------------

typedef enum hy_field_kind {
    HY_FIELD_U64 = 1,
    HY_FIELD_I64,
    HY_FIELD_BOOL,
    HY_FIELD_F64,
    HY_FIELD_TEXT,
    HY_FIELD_NS,  // a duration
    HY_FIELD_ERR, // a hy_err
    HY_FIELD_ID,
} hy_field_kind;
// A name and a value; both borrowed for the call. Names are static text.
typedef struct hy_log_field {
    const char *name;
    hy_field_kind kind;
    union {
        uint64_t u64;
        int64_t i64;
        bool boolean;
        double f64;
        hy_text text;
        hy_id id;
    } as;
} hy_log_field;
#define HY_WITH_U64(name_, v) ((hy_log_field){ name_, HY_FIELD_U64, { .u64 = (v) } })
#define HY_WITH_I64(name_, v) ((hy_log_field){ name_, HY_FIELD_I64, { .i64 = (v) } })
#define HY_WITH_BOOL(name_, v) ((hy_log_field){ name_, HY_FIELD_BOOL, { .boolean = (v) } })
#define HY_WITH_F64(name_, v) ((hy_log_field){ name_, HY_FIELD_F64, { .f64 = (v) } })
#define HY_WITH_NS(name_, v) ((hy_log_field){ name_, HY_FIELD_NS, { .i64 = (v) } })
#define HY_WITH_ERR(v) ((hy_log_field){ "error", HY_FIELD_ERR, { .u64 = (v) } })
#define HY_WITH_TEXT(name_, v) ((hy_log_field){ name_, HY_FIELD_TEXT, { .text = hy_bytes_of(v) } })
#define HY_WITH_BYTES(name_, v) ((hy_log_field){ name_, HY_FIELD_TEXT, { .text = (v) } })
#define HY_WITH_ID(name_, v) ((hy_log_field){ name_, HY_FIELD_ID, { .id = (v) } })

// ---- logs -------------------------------------------------------------------------------------

typedef enum hy_level {
    HY_LEVEL_TRACE = 1,
    HY_LEVEL_DEBUG = 5,
    HY_LEVEL_INFO = 9,
    HY_LEVEL_WARN = 13,
    HY_LEVEL_ERROR = 17,
    HY_LEVEL_OFF = 24,
} hy_level;

// hy_log(HY_LEVEL_WARN, "payment declined", HY_WITH_U64("appointment", id), HY_WITH_ERR(err));
// From the current scope; outside a fiber, with hy_log_in. At most 16 fields; the rest is counted.
// The fields are only evaluated when somebody wants the level.
#define hy_log(level, text, ...)                                                                   \
    (hy_log_is_wanted(level)                                                                       \
         ? hy_log_in(NULL, level, text, (const hy_log_field[]){ { 0 }, __VA_ARGS__ },              \
                     sizeof((const hy_log_field[]){ { 0 }, __VA_ARGS__ }) / sizeof(hy_log_field))  \
         : (void)0)
HY_API bool hy_log_is_wanted(hy_level level); // in the current scope; false outside a fiber
// `text` and the scope's name are borrowed; of what is kept, the first 127 and 47 bytes.
// `fields[0]` is skipped (a zeroed one, so that the list is never empty). NULL: the current scope.
HY_API void hy_log_in(hy_scope *scope, hy_level level, const char *text, const hy_log_field *fields,
                      size_t count);

typedef struct hy_log_record {
    uint64_t number; // from 1
    hy_ns wall;
    hy_level level;
    const char *text;
    const char *scope; // its name
    hy_id trace;       // 0: none
    uint64_t span;
    const hy_log_field *fields;
    uint32_t field_count, fields_dropped;
} hy_log_record;

// ---- spans ------------------------------------------------------------------------------------

#define HY_SPAN_FIELDS_MAX 8

// Each scope is one. These speak of the current scope's.
// Replaces one of the same name; of texts it copies 64 bytes. A ninth field is not taken.
HY_API void hy_span_set(hy_log_field field);
HY_API void hy_span_event(const char *text); // a log of level TRACE that also counts in the span
typedef struct hy_span {
    hy_id trace;
    uint64_t span, parent; // parent 0: none
    bool remote_parent;    // it came with baggage
    const char *name;
    hy_ns wall_start, duration;
    hy_err err; // HY_OK: status ok
    const hy_log_field *fields;
    uint32_t field_count;
    uint32_t events; // hy_span_event in it
    bool slow;       // longer than its threshold
} hy_span;

// ---- metrics ----------------------------------------------------------------------------------
//
// Declared once, by name; labels make series of it, bounded: the series past `series_max` are
// counted together under the label value "other". Of a value the first 128 bytes count; bytes that
// are no UTF-8 become question marks. Handles are borrowed until the observe closes.

typedef struct hy_counter hy_counter;
typedef struct hy_gauge hy_gauge;
typedef struct hy_histogram hy_histogram;

typedef struct hy_metric_options {
    size_t size;
    const char *name; // [a-zA-Z_:][a-zA-Z0-9_:]*; borrowed, as all here
    const char *help;
    const char *unit;          // "seconds", "bytes"; NULL: none
    const char *const *labels; // [a-zA-Z_][a-zA-Z0-9_]*, NULL-ended; NULL: none; at most 4
    uint32_t series_max;       // 0: 64
} hy_metric_options;
// HY_EXISTS: a metric of another kind, unit or other labels has the name; the same again gives the
// same handle. A name that is not valid, or the label "quantile", stops the program. HY_NOMEM.
HY_API HY_CHECKED hy_err hy_counter_new(hy_observe *observe, const hy_metric_options *options,
                                        hy_counter **out_counter);
HY_API HY_CHECKED hy_err hy_gauge_new(hy_observe *observe, const hy_metric_options *options,
                                      hy_gauge **out_gauge);
HY_API HY_CHECKED hy_err hy_histogram_new(hy_observe *observe, const hy_metric_options *options,
                                          hy_histogram **out_histogram);
// One of the series: `values` in the order of the labels. Never NULL: without memory, "other".
HY_API hy_counter *hy_counter_of(hy_counter *counter, const hy_text *values);
HY_API hy_gauge *hy_gauge_of(hy_gauge *gauge, const hy_text *values);
HY_API hy_histogram *hy_histogram_of(hy_histogram *histogram, const hy_text *values);
HY_API void hy_counter_add(hy_counter *counter, uint64_t by); // NULL is fine, here and below
HY_API void hy_gauge_set(hy_gauge *gauge, int64_t value);
HY_API void hy_gauge_add(hy_gauge *gauge, int64_t by);
HY_API void hy_histogram_add(hy_histogram *histogram, uint64_t value);

// Counts of values by size, log-linear with 128 steps an octave (after HdrHistogram, G. Tene): the
// error of a percentile is under 0.8 %, over the whole range of 64 bits, in at most 58 KiB; memory
// is taken as sizes appear. Usable alone: hy_hdr_init and a hy_mem.
typedef struct hy_hdr {
    hy_mem *mem;
    uint64_t *octaves[58];          // NULL: nothing of that size yet
    uint64_t count, min, max, lost; // lost: for want of memory, counted nowhere else
    uint64_t sum;                   // UINT64_MAX: that or more
} hy_hdr;
HY_API void hy_hdr_init(hy_hdr *hdr, hy_mem *mem);
HY_API void hy_hdr_deinit(hy_hdr *hdr); // empty again
HY_API void hy_hdr_add(hy_hdr *hdr, uint64_t value);
HY_API void hy_hdr_merge(hy_hdr *into, const hy_hdr *from); // without memory all of it is lost
// 990,000: p99; at most 1,000,000. Never below the true one. 0 when empty.
HY_API uint64_t hy_hdr_percentile(const hy_hdr *hdr, uint32_t ppm);
HY_API const hy_hdr *hy_histogram_values(const hy_histogram *histogram);

// ---- the watcher ------------------------------------------------------------------------------

// Where finished spans and logs go. Called on the world's thread; must not wait; records are
// borrowed for the call. One that fails is its own concern: nothing here depends on it. What it
// logs itself is kept, and told to no sink.
typedef struct hy_sink {
    void (*span)(void *self, const hy_span *span);        // NULL: not interested
    void (*log)(void *self, const hy_log_record *record); // NULL: not interested
    void *self;
} hy_sink;

typedef struct hy_observe_options {
    size_t size;
    hy_level level;      // logs below it are dropped at once; 0: HY_LEVEL_INFO
    hy_ns slow;          // spans that take longer are kept apart and logged; 0: 1 s; HY_NEVER: none
    uint32_t spans_kept; // of the latest, and of the slow; 0: 256
    uint32_t logs_kept;  // 0: 256
    uint32_t sample_ppm; // of new traces; 0: all. Logs, metrics and slow spans are never sampled
    hy_sink sinks[4];    // copied
} hy_observe_options;
HY_API HY_CHECKED hy_err hy_observe_open(hy_world *world, const hy_observe_options *options,
                                         hy_observe **out_observe);
HY_API void hy_observe_close(hy_observe *observe); // after its root has closed; NULL is fine
// For hy_root_options: .observer = hy_observe_scopes(), .observer_self = observe.
HY_API const hy_scope_observer *hy_observe_scopes(void);
HY_API hy_observe *hy_observe_here(void); // of the current fiber's root; NULL: none
HY_API void hy_observe_level(hy_observe *observe, hy_level level);

// A log record or span as one line: for people ("12:30:01.250 WARN request: payment declined
// appointment=7 error=HY_TIMEOUT") or as a JSON object. Without a newline.
HY_API void hy_log_line(const hy_log_record *record, bool json, hy_buf *out);
HY_API void hy_span_line(const hy_span *span, bool json, hy_buf *out);

// Everything that is known, for a page or a tool.
HY_API void hy_metrics_prometheus(const hy_observe *observe, hy_buf *out);
HY_API void hy_observe_json(const hy_observe *observe, hy_buf *out); // metrics, slow spans, logs
// The latest, oldest first; start with *cursor = 0. Borrowed until the next span or log.
HY_API bool hy_span_next(const hy_observe *observe, bool slow, uint64_t *cursor, hy_span *out_span);
HY_API bool hy_log_next(const hy_observe *observe, uint64_t *cursor, hy_log_record *out_record);

#ifdef __cplusplus
}
#endif
#endif
