// due_test.c - the heap of times against a sorted list.
//
// Retries and deadlines hang on it, and a heap that loses one record forgets a payment; so random
// additions, removals and takings are compared with a search through all records, after each.
#include "host/due.h"
#include "kit/kit.h"

static hy_err earliest_comes_first_and_equals_in_order(hy_mem *mem) {
    (void)mem;
    hyi_dues dues = { 0 };
    hyi_due a = { 0 }, b = { 0 }, c = { 0 };
    hyi_due_add(&dues, &a, 20);
    hyi_due_add(&dues, &b, 10);
    hyi_due_add(&dues, &c, 20);
    CHECK(hyi_due_take(&dues, 9) == NULL);
    CHECK(hyi_due_take(&dues, 10) == &b);
    CHECK(hyi_due_take(&dues, 30) == &a);
    CHECK(hyi_due_take(&dues, 30) == &c);
    CHECK(hyi_due_take(&dues, 30) == NULL);
    hyi_due_remove(&dues, &a); // is in none: fine
    return HY_OK;
}

#define DUES 300

static hyi_due *slow_first(hyi_due *all) {
    hyi_due *first = NULL;
    for (int i = 0; i < DUES; i++) {
        if (!all[i].added) continue;
        const bool before = first == NULL || all[i].at < first->at ||
                            (all[i].at == first->at && all[i].order < first->order);
        if (before) first = &all[i];
    }
    return first;
}

static hy_err heap_agrees_with_a_slow_one(hy_mem *mem) {
    (void)mem;
    static hyi_due all[DUES];
    hyi_dues dues = { 0 };
    uint64_t dice = kit_seed();
    for (int i = 0; i < 20000; i++) {
        hyi_due *due = &all[kit_random(&dice) % DUES];
        const uint64_t what = kit_random(&dice) % 4;
        if (what == 0) {
            hyi_due_remove(&dues, due);
            CHECK(!due->added);
        } else if (what == 1) {
            hyi_due *expected = slow_first(all);
            const hy_ns now = (hy_ns)(kit_random(&dice) % 100);
            if (expected != NULL && expected->at > now) expected = NULL;
            CHECK(hyi_due_take(&dues, now) == expected);
        } else if (!due->added) {
            hyi_due_add(&dues, due, (hy_ns)(kit_random(&dice) % 100));
        }
        CHECK(dues.first == slow_first(all));
    }
    while (hyi_due_take(&dues, 100) != NULL) {
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(earliest_comes_first_and_equals_in_order), KIT_TEST(heap_agrees_with_a_slow_one))
