// vec_test.c - vectors against plain arrays, over random histories of many versions.
//
// Eight versions live side by side, each with a copy of what it must hold. A step changes one of
// them, in place or as a branch of another, and then all of them are looked at: a version that was
// changed through another would be seen at once.
#include <hypha/value.h>

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "value/value_suite.h"

enum { VERSIONS = 8, LENGTH_MAX = 3000 };

typedef struct vec_twin {
    hy_vec *vec;
    uint64_t numbers[LENGTH_MAX];
    size_t count;
} vec_twin;

typedef struct vec_history {
    vec_twin twins[VERSIONS];
    uint64_t state;
    size_t item_size;
} vec_history;

static void history_end(vec_history *history) {
    for (uint32_t i = 0; i < VERSIONS; i++) {
        suite_unref_vec(&history->twins[i].vec);
    }
}

static uint64_t history_draw(vec_history *history, uint64_t below) {
    return kit_random(&history->state) % below;
}

static uint64_t number_at(const void *item) {
    uint64_t number;
    CHECK(item != NULL);
    memcpy(&number, item, sizeof number);
    return number;
}

static void twin_check(const vec_twin *twin, size_t item_size) {
    CHECK(hy_vec_holds(twin->vec));
    CHECK_EQ(hy_vec_count(twin->vec), twin->count);
    const void *items;
    size_t at = 0;
    for (size_t n; (n = hy_vec_span(twin->vec, at, &items)) > 0; at += n) {
        for (size_t i = 0; i < n; i++) {
            CHECK_EQ(number_at((const uint8_t *)items + i * item_size), twin->numbers[at + i]);
        }
    }
    CHECK_EQ(at, twin->count);
    CHECK(hy_vec_at(twin->vec, twin->count) == NULL);
}

static hy_err twin_push(vec_twin *twin, uint64_t number) {
    if (twin->count == LENGTH_MAX) return HY_OK;
    suite_wide_counted item = { .number = number };
    hy_err err = hy_vec_push(&twin->vec, &item);
    if (err == HY_OK) twin->numbers[twin->count++] = number;
    return err;
}

static hy_err twin_set(vec_twin *twin, size_t index, uint64_t number) {
    suite_wide_counted item = { .number = number };
    hy_err err = hy_vec_set(&twin->vec, index, &item);
    CHECK(err != HY_OK || index < twin->count);
    if (err == HY_OK) twin->numbers[index] = number;
    return err == HY_RANGE ? HY_OK : err;
}

static hy_err twin_pop(vec_twin *twin) {
    hy_err err = hy_vec_pop(&twin->vec);
    CHECK((err == HY_END) == (twin->count == 0));
    if (err == HY_OK) twin->count -= 1;
    return err == HY_END ? HY_OK : err;
}

// A few changes of one kind in a row.
static hy_err history_step(vec_history *history, uint32_t run_max) {
    vec_twin *twin = &history->twins[history_draw(history, VERSIONS)];
    if (history_draw(history, 3) == 0) { // branch off another version
        vec_twin *from = &history->twins[history_draw(history, VERSIONS)];
        hy_vec *vec = hy_vec_ref(from->vec);
        hy_vec_unref(twin->vec);
        if (twin != from) *twin = *from;
        twin->vec = vec;
    }
    uint64_t kind = history_draw(history, 8);
    for (uint64_t run = 1 + history_draw(history, run_max); run > 0; run--) {
        uint64_t number = history_draw(history, SUITE_COUNTED_MAX);
        hy_err err = HY_OK;
        if (kind < 4) {
            err = twin_push(twin, number);
        } else if (kind < 6) {
            err = twin_set(twin, history_draw(history, twin->count + 1), number);
        } else {
            err = twin_pop(twin);
        }
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static void diff_check(const vec_twin *before, const vec_twin *after) {
    size_t next = 0, index = 0;
    const void *old, *new;
    while (hy_vec_diff(before->vec, after->vec, &index, &old, &new)) {
        for (; next < index; next++) {
            CHECK_EQ(before->numbers[next], after->numbers[next]);
        }
        CHECK((old == NULL) == (index >= before->count));
        CHECK((new == NULL) == (index >= after->count));
        if (old != NULL) CHECK_EQ(number_at(old), before->numbers[index]);
        if (new != NULL) CHECK_EQ(number_at(new), after->numbers[index]);
        index += 1;
        next = index;
    }
    size_t end = before->count > after->count ? before->count : after->count;
    CHECK_EQ(index, end);
    for (; next < end; next++) {
        CHECK_EQ(before->numbers[next], after->numbers[next]);
    }
}

static hy_err history_run(hy_mem *mem, const hy_item *item, uint32_t steps, uint32_t run_max) {
    static vec_history history; // too large for the stack
    memset(&history, 0, sizeof history);
    history.state = kit_seed() + item->size;
    history.item_size = item->size;
    for (uint32_t i = 0; i < VERSIONS; i++) {
        CHECK_OK(hy_vec_new(mem, item, 0, &history.twins[i].vec));
    }
    hy_err err = HY_OK;
    for (uint32_t step = 0; step < steps && err == HY_OK; step++) {
        err = history_step(&history, run_max);
        const vec_twin *a = &history.twins[step % VERSIONS];
        const vec_twin *b = &history.twins[history_draw(&history, VERSIONS)];
        twin_check(a, item->size);
        bool equal = a->count == b->count &&
                     memcmp(a->numbers, b->numbers, a->count * sizeof a->numbers[0]) == 0;
        CHECK(hy_vec_equal(a->vec, b->vec) == equal);
        if (equal) CHECK_EQ(hy_vec_hash(a->vec), hy_vec_hash(b->vec));
        if (step % 4 == 0) diff_check(a, b);
    }
    for (uint32_t i = 0; i < VERSIONS; i++) {
        twin_check(&history.twins[i], item->size);
    }
    history_end(&history);
    CHECK_EQ(suite_held(), 0);
    return err;
}

static hy_err every_version_stays_what_it_was(hy_mem *mem) {
    hy_err err = history_run(mem, &suite_counted_item, 4000, 300);
    return err != HY_OK ? err : history_run(mem, &suite_wide_item, 4000, 60);
}

static hy_err a_change_without_memory_changes_nothing(hy_mem *mem) {
    static vec_history history;
    memset(&history, 0, sizeof history);
    history.state = kit_seed();
    HY_CLEANUP(suite_unref_vec) hy_vec *first = NULL;
    CHECK_OK(hy_vec_new(mem, &suite_counted_item, 0, &first));
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < VERSIONS; i++) {
        history.twins[i].vec = hy_vec_ref(first);
    }
    for (uint32_t step = 0; step < 60 && err == HY_OK; step++) {
        err = history_step(&history, 40);
    }
    for (uint32_t i = 0; i < VERSIONS; i++) {
        twin_check(&history.twins[i], sizeof(suite_counted));
    }
    history_end(&history);
    CHECK_EQ(suite_held(), 0);
    return err;
}

static hy_err an_edit_happens_whole_or_not_at_all(hy_mem *mem) {
    HY_CLEANUP(suite_unref_vec) hy_vec *vec = NULL;
    HY_CLEANUP(suite_unref_vec) hy_vec *edit = NULL;
    static const hy_item numbers = { .size = sizeof(uint32_t) };
    CHECK_OK(hy_vec_new(mem, &numbers, 100, &vec));
    for (uint32_t i = 0; i < 50; i++) {
        CHECK_OK(hy_vec_push(&vec, &i));
    }
    CHECK_OK(hy_vec_edit(vec, &edit));
    for (uint32_t i = 50; i < 100; i++) {
        CHECK_OK(hy_vec_push(&edit, &i));
        CHECK_EQ(hy_vec_count(vec), 50);
    }
    CHECK_ERR(hy_vec_push(&edit, &(uint32_t){ 7 }), HY_LIMIT);
    hy_vec_freeze(&vec, &edit);
    CHECK(edit == NULL);
    CHECK_EQ(hy_vec_count(vec), 100);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_EQ(*(const uint32_t *)hy_vec_at(vec, i), i);
    }
    return HY_OK;
}

static hy_err an_item_of_the_vector_may_be_pushed(hy_mem *mem) {
    HY_CLEANUP(suite_unref_vec) hy_vec *vec = NULL;
    CHECK_OK(hy_vec_new(mem, &hy_item_text, 0, &vec));
    CHECK_OK(hy_vec_push(&vec, &HY_BYTES("again")));
    for (uint32_t i = 0; i < 40; i++) {
        CHECK_OK(hy_vec_push(&vec, hy_vec_at(vec, i)));
        CHECK_OK(hy_vec_set(&vec, 0, hy_vec_at(vec, i)));
    }
    CHECK_TEXT(*(const hy_text *)hy_vec_at(vec, 40), "again");
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(every_version_stays_what_it_was),
          KIT_TEST(a_change_without_memory_changes_nothing),
          KIT_TEST(an_edit_happens_whole_or_not_at_all),
          KIT_TEST(an_item_of_the_vector_may_be_pushed))
