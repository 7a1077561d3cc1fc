// trace_test.c - the ring keeps the newest and gives the oldest of them first.
//
// Every fill level from empty to several times round, and a reader that was overtaken.
#include "base/trace.h"

#include "kit/kit.h"

static void add(hyi_trace *trace, uint64_t n) {
    hyi_trace_add(trace, (hyi_trace_record){ .at = HY_MS(n), .code = 3, .a = n, .b = ~n });
}

static hy_err the_newest_records_are_kept_in_order(hy_mem *mem) {
    (void)mem;
    hyi_trace_record records[4];
    hyi_trace trace;
    hyi_trace_init(&trace, records, 4);
    for (uint64_t added = 0; added < 20; added++) {
        uint64_t held = added < 4 ? added : 4;
        CHECK_EQ(hyi_trace_count(&trace), held);
        hyi_trace_cursor cursor = hyi_trace_oldest(&trace);
        hyi_trace_record record;
        for (uint64_t i = added - held; i < added; i++) {
            CHECK(hyi_trace_next(&cursor, &record));
            CHECK_EQ(record.a, i);
            CHECK_EQ(record.at, HY_MS(i));
        }
        CHECK(!hyi_trace_next(&cursor, &record));
        add(&trace, added);
    }
    hyi_trace_clear(&trace);
    CHECK_EQ(hyi_trace_count(&trace), 0);
    return HY_OK;
}

static hy_err a_slow_reader_skips_what_was_overwritten(hy_mem *mem) {
    (void)mem;
    hyi_trace_record records[3], record;
    hyi_trace trace;
    hyi_trace_init(&trace, records, 3);
    hyi_trace_cursor cursor = hyi_trace_oldest(&trace);
    CHECK(!hyi_trace_next(&cursor, &record));
    for (uint64_t n = 0; n < 5; n++)
        add(&trace, n);
    CHECK(hyi_trace_next(&cursor, &record));
    CHECK_EQ(record.a, 2);
    add(&trace, 5);
    CHECK(hyi_trace_next(&cursor, &record));
    CHECK_EQ(record.a, 3);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(the_newest_records_are_kept_in_order),
          KIT_TEST(a_slow_reader_skips_what_was_overwritten))
