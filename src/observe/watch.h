// watch.h - what the files of the room share.                      Room: observe. Includes: scope.
// Threads: the world's.
//
// Everything that is kept is kept in rings that were made when the watcher was opened: nothing that
// a program does later can fail for want of memory here, or make the memory grow.
#ifndef HYI_OBSERVE_WATCH_H
#define HYI_OBSERVE_WATCH_H

#include <hypha/observe.h>

#include "scope/list.h"

#define HYI_LOG_FIELDS_MAX 16u
#define HYI_TEXT_ROOM 512u // bytes of all texts of a record that is kept
#define HYI_NAME_ROOM 48u
#define HYI_LINE_ROOM 128u // of what a log says

// ---- a scope that is open ---------------------------------------------------------------------

typedef struct hyi_live_span {
    struct hyi_live_span *next_free, *next_made;
    hy_id trace;
    uint64_t span, parent;
    bool remote_parent, sampled;
    hy_ns start, wall_start;
    uint32_t field_count;
    uint32_t events;
    hy_log_field fields[HY_SPAN_FIELDS_MAX];
    char texts[HY_SPAN_FIELDS_MAX][64];
} hyi_live_span;

// ---- what is kept -----------------------------------------------------------------------------

typedef struct hyi_kept_span {
    hy_span span;
    hy_log_field fields[HY_SPAN_FIELDS_MAX];
    char name[HYI_NAME_ROOM];
    char texts[HYI_TEXT_ROOM];
} hyi_kept_span;

typedef struct hyi_kept_log {
    hy_log_record record;
    hy_log_field fields[HYI_LOG_FIELDS_MAX];
    char name[HYI_NAME_ROOM];
    char text[HYI_LINE_ROOM];
    char texts[HYI_TEXT_ROOM];
} hyi_kept_log;

typedef struct hyi_span_ring {
    hyi_kept_span *slots;
    uint32_t capacity;
    uint64_t next; // number of the next one, from 1
} hyi_span_ring;

typedef enum hyi_metric_kind { HYI_COUNTER = 1, HYI_GAUGE, HYI_HISTOGRAM } hyi_metric_kind;

typedef struct hyi_metric hyi_metric;

// One line of a metric. hy_counter, hy_gauge and hy_histogram are this, seen from outside.
typedef struct hyi_series {
    hyi_metric *metric;
    struct hyi_series *next;
    uint64_t hash;
    char *values; // the labels' values, each NUL-ended; NULL: of the metric itself, or "other"
    size_t values_size;
    uint64_t counter;
    int64_t gauge;
    hy_hdr hdr;
} hyi_series;

struct hyi_metric {
    hyi_metric *next;
    hy_observe *observe;
    hyi_metric_kind kind;
    hy_metric_options options;
    uint32_t label_count, series_count;
    hyi_series first; // without labels the only one; else "other"
};

struct hy_observe {
    hy_world *world;
    hy_mem *mem;
    hy_observe_options options;
    hyi_live_span *free_spans, *made_spans; // made: all of them
    uint64_t spans_open, spans_lost;        // lost: no memory to follow them
    hyi_span_ring spans, slow;
    hyi_kept_log *logs;
    uint64_t next_log;
    hyi_metric *metrics, *last_metric; // in order of declaration
    bool telling;                      // a sink is being told of a log
    bool is_real;                      // the world
};

// observe.c: the watcher of the scope's root; NULL: none of ours
hy_observe *hyi_observe_of(const hy_scope *scope);

// span.c
void hyi_span_opened(void *self, hy_scope *scope, uint64_t slots[3]);
void hyi_span_closed(void *self, hy_scope *scope, uint64_t slots[3], hy_err err);
void hyi_span_baggage(void *self, const hy_scope *scope, const uint64_t slots[3],
                      hy_baggage *out_baggage);
hyi_live_span *hyi_span_of(const hy_scope *scope); // NULL: not followed
void hyi_spans_free(hy_observe *observe);

// log.c: hy_log_in for a watcher that is known
void hyi_log_to(hy_observe *observe, hy_scope *scope, hy_level level, const char *text,
                const hy_log_field *fields, size_t count);

// keep.c: copies fields into a record that stays. Texts past the room are cut, at a character.
uint32_t hyi_keep_fields(hy_log_field *out, uint32_t out_max, char *texts, size_t room,
                         const hy_log_field *fields, size_t count);
void hyi_keep_name(char *out, size_t room, const char *name);

// metric.c
void hyi_metrics_free(hy_observe *observe);

#endif
