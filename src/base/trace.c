// trace.c - a ring of records.
//
// Records are numbered from 0 and never renumbered; record n lives at n modulo the capacity. So
// there is no head and no tail, and a cursor that fell behind sees by its number alone what it
// missed.
#include "base/trace.h"

void hyi_trace_init(hyi_trace *trace, hyi_trace_record *records, uint32_t capacity) {
    HY_ASSERT(capacity > 0);
    *trace = (hyi_trace){ .records = records, .capacity = capacity };
}

void hyi_trace_add(hyi_trace *trace, hyi_trace_record record) {
    trace->records[trace->added_count % trace->capacity] = record;
    trace->added_count++;
}

void hyi_trace_clear(hyi_trace *trace) {
    trace->added_count = 0;
}

uint32_t hyi_trace_count(const hyi_trace *trace) {
    if (trace->added_count > trace->capacity) return trace->capacity;
    return (uint32_t)trace->added_count;
}

static uint64_t trace_oldest_number(const hyi_trace *trace) {
    return trace->added_count - hyi_trace_count(trace);
}

hyi_trace_cursor hyi_trace_oldest(const hyi_trace *trace) {
    return (hyi_trace_cursor){ .trace = trace, .number = trace_oldest_number(trace) };
}

bool hyi_trace_next(hyi_trace_cursor *cursor, hyi_trace_record *out_record) {
    const hyi_trace *trace = cursor->trace;
    uint64_t oldest = trace_oldest_number(trace);
    if (cursor->number < oldest) cursor->number = oldest;
    if (cursor->number >= trace->added_count) return false;
    *out_record = trace->records[cursor->number++ % trace->capacity];
    return true;
}
