// trace.h - the last things that happened, in a ring.         Room: base. Includes: hypha/base.h.
// Threads: one owner. Ownership: the records are the caller's memory. Limits: as many records as
// given; a new one overwrites the oldest. Adding never fails and never allocates.
#ifndef HYI_BASE_TRACE_H
#define HYI_BASE_TRACE_H

#include <hypha/base.h>

typedef struct hyi_trace_record {
    hy_ns at;
    uint64_t a, b;    // what they mean is the code's business
    uint32_t code;    // what happened
    uint32_t text_id; // an interned name, or 0
} hyi_trace_record;

typedef struct hyi_trace {
    hyi_trace_record *records;
    uint32_t capacity;
    uint64_t added_count; // ever; so added_count - capacity records are lost
} hyi_trace;

// Borrows `records`; capacity >= 1.
void hyi_trace_init(hyi_trace *trace, hyi_trace_record *records, uint32_t capacity);
void hyi_trace_add(hyi_trace *trace, hyi_trace_record record);
void hyi_trace_clear(hyi_trace *trace);
uint32_t hyi_trace_count(const hyi_trace *trace); // records held now

// Goes from the oldest record held to the newest. A record added meanwhile is met, too; one that is
// overwritten before it was met is skipped.
typedef struct hyi_trace_cursor {
    const hyi_trace *trace;
    uint64_t number; // of the next record; the first ever added is 0
} hyi_trace_cursor;

hyi_trace_cursor hyi_trace_oldest(const hyi_trace *trace);
bool hyi_trace_next(hyi_trace_cursor *cursor, hyi_trace_record *out_record);

#endif
