// path_test.c - paths: their grammar, and random changes against plain structs.
//
// A random change is made twice: along its path in the value, and by ordinary C in a plain copy.
// The value must then equal one made from the copy, and all older versions what they were.
#include <hypha/value.h>

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "value/value_suite.h"

static hy_path path_of(const char *text) {
    hy_path path;
    hy_why why;
    hy_err err = hy_path_parse(&path, &suite_user_record, hy_bytes_of(text), &why);
    if (err != HY_OK) kit_fail(__FILE__, __LINE__, "%s: %s", text, why.text);
    return path;
}

static hy_err bad_paths_are_refused_with_their_place(hy_mem *mem) {
    (void)mem;
    static const struct {
        const char *text;
        hy_err err;
        uint64_t offset;
    } bad[] = {
        { "", HY_MALFORMED, 0 },
        { "nme", HY_UNKNOWN_FIELD, 0 },
        { "address.", HY_MALFORMED, 8 },
        { "address.town", HY_UNKNOWN_FIELD, 8 },
        { "address[0]", HY_TYPE, 8 },
        { "name.x", HY_TYPE, 5 },
        { "slots.note", HY_TYPE, 6 },
        { "slots[]", HY_MALFORMED, 6 },
        { "slots[0", HY_MALFORMED, 7 },
        { "slots[0]x", HY_MALFORMED, 8 },
        { "slots[0][1]", HY_TYPE, 9 },
        { "slots[99999999999]", HY_RANGE, 6 },
        { "slots[\"a\"]", HY_TYPE, 7 },
        { "prices[\"a", HY_MALFORMED, 8 },
        { "prices[\"a\\", HY_MALFORMED, 8 },
        { "prices[\"a\"", HY_MALFORMED, 10 },
        { "prices[\"\xff\"]", HY_NOT_UTF8, 8 },
        { "prices[\"a\"].x", HY_TYPE, 12 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hy_path path;
        hy_why why;
        hy_err err = hy_path_parse(&path, &suite_user_record, hy_bytes_of(bad[i].text), &why);
        if (err != bad[i].err || why.offset != bad[i].offset) {
            kit_fail(__FILE__, __LINE__, "%s: %s at %u", bad[i].text, hy_err_name(err),
                     (unsigned)why.offset);
        }
    }
    return HY_OK;
}

static hy_err a_path_reads_what_is_there(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&arena, 5, &user));
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &user, &value, NULL));
    hy_path path = path_of("slots[4].prices[0].key");
    CHECK_TEXT(*(const hy_text *)hy_path_get(value, &path), "EUR");
    path = path_of("prices[\"a \\\"b\\\"\"]");
    CHECK_EQ(*(const int64_t *)hy_path_get(value, &path), 200);
    path = path_of("score");
    CHECK_EQ(*(const int32_t *)hy_path_get(value, &path), -7);
    path = path_of("contact.phone");
    CHECK_TEXT(*(const hy_text *)hy_path_get(value, &path), "123");
    static const char *const nothing[] = {
        "slots[5].note", "slots[5]",           "address.street",
        "contact.room",  "contact.visit.note", "prices[\"GBP\"]"
    };
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        path = path_of(nothing[i]);
        CHECK(hy_path_get(value, &path) == NULL);
    }
    bool is_element;
    path = path_of("tags[1]");
    CHECK_EQ(hy_path_field(&path, &is_element)->number, 9);
    CHECK(is_element);
    return HY_OK;
}

static hy_err a_refused_change_names_the_whole_path(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&arena, 5, &user));
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &user, &value, NULL));
    const hy_value *before = value;
    hy_why why;
    hy_path path = path_of("slots[3].minute");
    CHECK_ERR(hy_path_set(&value, &path, &(uint32_t){ 1440 }, &why), HY_RANGE);
    CHECK_TEXT(hy_bytes_of(why.place), "slots[3].minute");
    CHECK_ERR(hy_path_set(&value, &path, &(uint32_t){ 7 }, &why), HY_INVARIANT); // the 4th is 4
    path = path_of("slots[9].minute");
    CHECK_ERR(hy_path_set(&value, &path, &(uint32_t){ 7 }, &why), HY_NOT_FOUND);
    CHECK_TEXT(hy_bytes_of(why.place), "slots[9].minute");
    path = path_of("tags");
    CHECK_ERR(hy_path_push(&value, &path, &HY_BYTES("much too long"), &why), HY_RANGE);
    CHECK_TEXT(hy_bytes_of(why.place), "tags[2]");
    CHECK_ERR(hy_path_push(&value, &path, &HY_BYTES("old"), &why), HY_RANGE); // twice
    CHECK_TEXT(hy_bytes_of(why.place), "tags");
    path = path_of("name");
    CHECK_ERR(hy_path_push(&value, &path, &HY_BYTES("x"), &why), HY_TYPE);
    path = path_of("contact.visit.note");
    CHECK_ERR(hy_path_set(&value, &path, &HY_BYTES("x"), &why), HY_NOT_FOUND);
    CHECK(value == before);
    return HY_OK;
}

static hy_err an_unchanged_place_is_the_same_value(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&arena, 5, &user));
    HY_CLEANUP(suite_unref_value) hy_value *value = NULL;
    HY_CLEANUP(suite_unref_value) hy_value *old = NULL;
    CHECK_OK(hy_value_new(mem, &suite_user_model, &user, &value, NULL));
    old = hy_value_ref(value);
    hy_path path = path_of("slots[3].note");
    CHECK_OK(hy_path_set(&value, &path, &HY_BYTES("free"), NULL));
    path = path_of("address.street");
    CHECK_OK(hy_path_set(&value, &path, NULL, NULL));
    CHECK(value == old);
    path = path_of("slots[3].note");
    CHECK_OK(hy_path_set(&value, &path, &HY_BYTES("mine"), NULL));
    CHECK(value != old);
    path = path_of("slots[3]");
    CHECK_TEXT(((const suite_slot *)hy_path_get(old, &path))->note, "free");
    return HY_OK;
}

// ---- random changes ---------------------------------------------------------------------------

enum { HISTORY = 6, SLOTS = 70 };

typedef struct path_history {
    hy_value *versions[HISTORY];
    hy_buf texts[HISTORY]; // what each must stay
    uint64_t state;
    hy_arena arena;
} path_history;

static void history_end(path_history *history) {
    for (uint32_t i = 0; i < HISTORY; i++) {
        suite_unref_value(&history->versions[i]);
        if (history->texts[i].mem != NULL) hy_buf_deinit(&history->texts[i]);
    }
    hy_arena_deinit(&history->arena);
}

static uint64_t history_draw(path_history *history, uint64_t below) {
    return kit_random(&history->state) % below;
}

static hy_text history_text(path_history *history) {
    static const char *const texts[] = { "", "a", "bb", "free", "a longer text", "\xc3\xa9" };
    return hy_bytes_of(texts[history_draw(history, 6)]);
}

static const char *number_in(char text[64], const char *before, uint64_t number,
                             const char *after) {
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = 0;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    strcpy(text, before);
    strcat(text, digits + at);
    return strcat(text, after);
}

// Makes one change in both; `plain` has room for one element more in its lists.
static hy_err history_change(path_history *history, hy_value **value, suite_user *plain) {
    char text[64];
    hy_path path;
    hy_text word = history_text(history);
    uint64_t at = plain->slots.len > 0 ? history_draw(history, plain->slots.len) : 0;
    switch (history_draw(history, 9)) {
    case 0:
        path = path_of("name");
        plain->name = word;
        return hy_path_set(value, &path, &word, NULL);
    case 1:
        path = path_of("address.street");
        plain->address.street.has = word.len > 0;
        plain->address.street.value = word;
        return hy_path_set(value, &path, word.len > 0 ? &word : NULL, NULL);
    case 2:
        if (plain->slots.len == 0) return HY_OK;
        path = path_of(number_in(text, "slots[", at, "].note"));
        plain->slots.ptr[at].note = word;
        return hy_path_set(value, &path, &word, NULL);
    case 3:
        path = path_of("contact.phone");
        plain->contact = (suite_contact){ .which = 1, .phone = word };
        return hy_path_set(value, &path, &word, NULL);
    case 4: {
        path = path_of("contact.room");
        plain->contact = (suite_contact){ .which = 3, .room = (uint32_t)at };
        return hy_path_set(value, &path, &plain->contact.room, NULL);
    }
    case 5: {
        path = path_of("prices[\"new\"]");
        int64_t price = (int64_t)at - 3;
        size_t i = 0;
        while (i < plain->prices.len && !hy_bytes_equal(plain->prices.ptr[i].key, HY_BYTES("new")))
            i++;
        plain->prices.ptr[i] = (suite_price){ .key = HY_BYTES("new"), .value = price };
        if (i == plain->prices.len) plain->prices.len += 1;
        return hy_path_set(value, &path, &price, NULL);
    }
    case 6:
        if (plain->slots.len == 0) return HY_OK;
        path = path_of("slots");
        plain->slots.len -= 1;
        return hy_path_pop(value, &path, NULL);
    default: {
        if (plain->slots.len == SLOTS) return HY_OK;
        path = path_of("slots");
        suite_slot slot = { .minute = (uint32_t)at, .note = word };
        slot.prices.ptr = plain->prices.ptr;
        slot.prices.len = at % 3;
        plain->slots.ptr[plain->slots.len++] = slot;
        return hy_path_push(value, &path, &slot, NULL);
    }
    }
}

// The plain struct of a value, whose lists have room.
static hy_err history_plain(path_history *history, const hy_value *value, suite_user *out_plain) {
    hy_err err = hy_value_plain(value, &history->arena, out_plain);
    suite_slot *slots = hy_arena_alloc(&history->arena, (SLOTS + 1) * sizeof *slots);
    suite_price *prices = hy_arena_alloc(&history->arena, 8 * sizeof *prices);
    if (err != HY_OK || slots == NULL || prices == NULL) return HY_NOMEM;
    if (out_plain->slots.len > 0) {
        memcpy(slots, out_plain->slots.ptr, out_plain->slots.len * sizeof *slots);
    }
    memcpy(prices, out_plain->prices.ptr, out_plain->prices.len * sizeof *prices);
    out_plain->slots.ptr = slots;
    out_plain->prices.ptr = prices;
    return HY_OK;
}

static hy_err history_step(path_history *history, hy_mem *mem, const hy_model *model) {
    hy_arena_reset(&history->arena);
    uint32_t to = (uint32_t)history_draw(history, HISTORY);
    if (history_draw(history, 2) == 0) {
        hy_value *from = hy_value_ref(history->versions[history_draw(history, HISTORY)]);
        hy_value_unref(history->versions[to]);
        history->versions[to] = from;
    }
    for (uint64_t run = history_draw(history, 4); run < 4; run++) {
        hy_value **value = &history->versions[to];
        suite_user plain;
        HY_CLEANUP(suite_unref_value) hy_value *wanted = NULL;
        CHECK_OK(history_plain(history, *value, &plain));
        hy_value *before = hy_value_ref(*value);
        hy_err err = history_change(history, value, &plain);
        if (err != HY_OK) CHECK(hy_value_equal(before, *value));
        hy_value_unref(before);
        CHECK_OK(err);
        CHECK(hy_value_holds(*value));
        CHECK_OK(hy_value_new(mem, model, &plain, &wanted, NULL));
        CHECK(hy_value_equal(*value, wanted));
        CHECK_EQ(hy_value_hash(*value), hy_value_hash(wanted));
    }
    hy_buf_clear(&history->texts[to]);
    CHECK_OK(hy_value_to_json(history->versions[to], &history->texts[to]));
    return HY_OK;
}

static hy_err history_check(path_history *history, hy_mem *mem) {
    for (uint32_t i = 0; i < HISTORY; i++) {
        HY_CLEANUP(hy_buf_deinit) hy_buf now = { 0 };
        hy_buf_init(&now, mem, 0);
        CHECK_OK(hy_value_to_json(history->versions[i], &now));
        CHECK_BYTES(hy_buf_bytes(&now), hy_buf_bytes(&history->texts[i]));
    }
    return HY_OK;
}

static hy_err history_run(hy_mem *mem, const hy_model *model, uint32_t steps) {
    HY_CLEANUP(history_end) path_history history = { .state = kit_seed() };
    hy_arena_init(&history.arena, mem, 0);
    suite_user user;
    CHECK_OK(suite_user_make(&history.arena, 3, &user));
    HY_CLEANUP(suite_unref_value) hy_value *first = NULL;
    CHECK_OK(hy_value_new(mem, model, &user, &first, NULL));
    for (uint32_t i = 0; i < HISTORY; i++) {
        history.versions[i] = hy_value_ref(first);
        hy_buf_init(&history.texts[i], mem, 0);
        CHECK_OK(hy_value_to_json(first, &history.texts[i]));
    }
    for (uint32_t step = 0; step < steps; step++) {
        CHECK_OK(history_step(&history, mem, model));
        if (step % 8 == 7) CHECK_OK(history_check(&history, mem));
    }
    return history_check(&history, mem);
}

static hy_err every_version_stays_what_it_was(hy_mem *mem) {
    return history_run(mem, &suite_plain_model, 1500);
}

static hy_err a_change_without_memory_changes_nothing(hy_mem *mem) {
    return history_run(mem, &suite_plain_model, 6);
}

// As above, with a verifier on the way: changes are then made on a version of their own.
static hy_err accept_all(void *context, const void *value, hy_why *why) {
    (void)context;
    (void)value;
    (void)why;
    return HY_OK;
}

static hy_err watched_changes_are_the_same(hy_mem *mem) {
    static const hy_shape shapes[] = { { .record = &suite_user_record, .verify = accept_all },
                                       { .record = &suite_price_record, .verify = accept_all } };
    static const hy_model model = { .record = &suite_user_record,
                                    .shapes = shapes,
                                    .shape_count = 2 };
    return history_run(mem, &model, 300);
}

KIT_TESTS(KIT_TEST(bad_paths_are_refused_with_their_place), KIT_TEST(a_path_reads_what_is_there),
          KIT_TEST(a_refused_change_names_the_whole_path),
          KIT_TEST(an_unchanged_place_is_the_same_value),
          KIT_TEST_ONCE(every_version_stays_what_it_was),
          KIT_TEST(a_change_without_memory_changes_nothing),
          KIT_TEST_ONCE(watched_changes_are_the_same))
