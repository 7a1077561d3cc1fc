// limits_test.c - every declared limit, met from both sides.
//
// At the limit all is well; one more is refused, and the refusal changes nothing. What was accepted
// within the limits must also load and replay within them: a limit that depends on the order or the
// time of things would make a store that nobody can open.

#include "kit/kit.h"

#include "base/cleanup.h"
#include "machine/script_suite.h"

static hy_err limits_insert(hy_txn *txn, uint32_t table, uint64_t id) {
    hy_row_insert(txn, table, &(script_item){ .id = id, .text = HY_BYTES("some text") });
    return HY_OK;
}

static hy_err fill(hy_txn *txn, const hy_input *input) {
    (void)input;
    for (uint64_t id = 1; id <= SCRIPT_ROWS_MAX; id++) {
        (void)limits_insert(txn, SCRIPT_ORDERED, id);
        (void)limits_insert(txn, SCRIPT_HASHED, id);
    }
    return HY_OK;
}

static hy_err one_more_ordered(hy_txn *txn, const hy_input *input) {
    (void)input;
    return limits_insert(txn, SCRIPT_ORDERED, 9);
}

static hy_err one_more_hashed(hy_txn *txn, const hy_input *input) {
    (void)input;
    return limits_insert(txn, SCRIPT_HASHED, 9);
}

static hy_err insert_one_twice(hy_txn *txn, const hy_input *input) {
    (void)input;
    return limits_insert(txn, SCRIPT_ORDERED, 2);
}

static hy_err one_row_too_many_is_refused(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    CHECK_OK(scripted_do(&s, fill));
    uint64_t digest = hy_state_digest(s.state);
    CHECK_ERR(scripted_do(&s, one_more_ordered), HY_LIMIT);
    CHECK_ERR(scripted_do(&s, one_more_hashed), HY_LIMIT);
    CHECK_ERR(scripted_do(&s, insert_one_twice), HY_EXISTS); // not the limit: the key is the reason
    CHECK_EQ(hy_state_digest_slow(s.state), digest);
    CHECK_EQ(hy_row_count(hy_state_view(s.state), SCRIPT_ORDERED), SCRIPT_ROWS_MAX);
    CHECK_OK(hy_state_check(s.state, NULL));
    return HY_OK;
}

static hy_err delete_one(hy_txn *txn, const hy_input *input) {
    (void)input;
    CHECK(hy_row_delete(txn, SCRIPT_ORDERED, &(script_item){ .id = 1 }) || hy_txn_failed(txn));
    CHECK(hy_row_delete(txn, SCRIPT_HASHED, &(script_item){ .id = 1 }) || hy_txn_failed(txn));
    (void)one_more_ordered(txn, input);
    return one_more_hashed(txn, input);
}

static hy_err bring_back_ordered(hy_txn *txn, const hy_input *input) {
    (void)input;
    return limits_insert(txn, SCRIPT_ORDERED, 1);
}

static hy_err bring_back_hashed(hy_txn *txn, const hy_input *input) {
    (void)input;
    return limits_insert(txn, SCRIPT_HASHED, 1);
}

// Whether the deleted row still lies in its slot (kept for undo) must not decide.
static hy_err deleted_row_comes_back_within_the_limit(hy_mem *mem) {
    for (int released = 0; released < 2; released++) {
        HY_CLEANUP(scripted_deinit) scripted s = { 0 };
        CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true), &s));
        CHECK_OK(scripted_do(&s, fill));
        CHECK_OK(scripted_do(&s, delete_one));
        if (released) hy_state_release(s.state, UINT64_MAX);
        CHECK_ERR(scripted_do(&s, bring_back_ordered), HY_LIMIT);
        CHECK_ERR(scripted_do(&s, bring_back_hashed), HY_LIMIT);
        CHECK_OK(hy_state_check(s.state, NULL));
    }
    return HY_OK;
}

// Leaves a full table in which the row that was touched first came back last.
static hy_err swap_in_a_full_table(hy_txn *txn, const hy_input *input) {
    (void)input;
    for (uint32_t table = SCRIPT_ORDERED; table <= SCRIPT_HASHED; table++) {
        hy_row_delete(txn, table, &(script_item){ .id = 1 });
        (void)limits_insert(txn, table, 7);
        hy_row_delete(txn, table, &(script_item){ .id = 2 });
        (void)limits_insert(txn, table, 1);
    }
    return HY_OK;
}

// Loads the outcome's entry into `to`.
static hy_err limits_load(const scripted *from, scripted *to) {
    hy_why why = { 0 };
    hy_err err = hy_state_load_entry(to->state, from->outcome.entry, &why);
    if (err != HY_OK && err != HY_NOMEM) kit_fail(why.place, 0, "load: %s", why.text);
    CHECK_EQ(err == HY_OK ? hy_state_digest(from->state) : 0,
             err == HY_OK ? hy_state_digest_slow(to->state) : 0);
    return err;
}

static hy_err what_a_full_table_accepted_loads(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    HY_CLEANUP(scripted_deinit) scripted loaded = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &s));
    CHECK_OK(scripted_init(mem, NULL, &loaded));
    CHECK_OK(scripted_do(&s, fill));
    CHECK_OK(limits_load(&s, &loaded));
    CHECK_OK(scripted_do(&s, swap_in_a_full_table));
    CHECK_OK(limits_load(&s, &loaded));
    CHECK(scripted_item(&loaded, SCRIPT_ORDERED, 2) == NULL);
    CHECK_TEXT(scripted_item(&loaded, SCRIPT_HASHED, 7)->text, "some text");
    return HY_OK;
}

static hy_err insert_many_wide(hy_txn *txn, const hy_input *input) {
    for (uint64_t id = 1; id <= 500; id++) {
        hy_row_insert(txn, SCRIPT_WIDES, &(script_wide){ .id = input->seq * 1000 + id });
    }
    return HY_OK;
}

static hy_err allocate(hy_txn *txn, const hy_input *input) {
    (void)input;
    uint8_t *ptr = hy_txn_alloc(txn, (size_t)script.number);
    CHECK(ptr != NULL || hy_txn_failed(txn) == HY_NOMEM);
    CHECK(ptr == NULL || (ptr[0] == 0 && ptr[script.number - 1] == 0));
    if (ptr != NULL) ptr[0] = 7; // the next step must find it cleared
    return HY_OK;
}

static hy_err what_a_small_arena_accepted_loads(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    HY_CLEANUP(scripted_deinit) scripted loaded = { 0 };
    const hy_state_options *options =
        HY_OPTIONS(hy_state, .record_entries = true, .step_bytes_max = 100000);
    CHECK_OK(scripted_init(mem, options, &s));
    CHECK_OK(scripted_init(mem, options, &loaded));
    CHECK_OK(scripted_do(&s, insert_many_wide));
    CHECK_OK(limits_load(&s, &loaded)); // 500 rows of 328 bytes: more than 100,000
    CHECK_OK(scripted_do(&loaded, insert_many_wide));
    script.number = 100001;
    CHECK(scripted_do(&loaded, allocate) ==
          HY_NOMEM); // loading took the limit away only for itself
    return HY_OK;
}

static hy_err emit_some(hy_txn *txn, const hy_input *input) {
    (void)input;
    for (int64_t i = 0; i < script.number; i++) {
        bool failed = hy_txn_failed(txn) != HY_OK;
        uint64_t id = hy_action_emit(txn, i % 2 == 0 ? SCRIPT_PAY : SCRIPT_TELL,
                                     &(script_item){ .value = i });
        CHECK((id == 0) == (failed || hy_txn_failed(txn) != HY_OK));
    }
    return HY_OK;
}

static hy_err one_action_too_many_is_refused(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    script.number = HY_ACTIONS_PER_STEP;
    CHECK_OK(scripted_do(&s, emit_some));
    CHECK_EQ(s.outcome.action_count, HY_ACTIONS_PER_STEP);
    CHECK_EQ(s.outcome.actions[63].id, 64);
    CHECK_EQ(hy_row_count(hy_state_view(s.state), HY_LEDGER), HY_ACTIONS_PER_STEP / 2);
    script.number = HY_ACTIONS_PER_STEP + 1;
    CHECK_ERR(scripted_do(&s, emit_some), HY_LIMIT);
    CHECK_EQ(s.outcome.action_count, 0);
    script.number = 1;
    CHECK_OK(scripted_do(&s, emit_some));
    CHECK_EQ(s.outcome.actions[0].id, 65); // the refused ones were rolled back
    return HY_OK;
}

static hy_err touch_three(hy_txn *txn, const hy_input *input) {
    (void)input;
    for (uint64_t id = 1; id <= 3; id++) {
        for (int again = 0; again < 2; again++) { // the second time costs nothing
            script_item *row = hy_row_update(txn, SCRIPT_HASHED, &(script_item){ .id = id });
            if (row != NULL) row->value++;
        }
    }
    return HY_OK;
}

static hy_err unreleased_rows_are_bounded(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true, .undo_rows_max = 8), &s));
    CHECK_OK(scripted_do(&s, fill)); // exactly eight
    CHECK_ERR(scripted_do(&s, touch_three), HY_LIMIT);
    CHECK_EQ(scripted_item(&s, SCRIPT_HASHED, 1)->value, 0);
    hy_state_release(s.state, 1);
    CHECK_OK(scripted_do(&s, touch_three));
    CHECK_OK(scripted_do(&s, touch_three));
    CHECK_ERR(scripted_do(&s, touch_three), HY_LIMIT);
    hy_state_rewind(s.state, 2);
    CHECK_OK(scripted_do(&s, touch_three));
    CHECK_EQ(scripted_item(&s, SCRIPT_HASHED, 3)->value, 4);
    return HY_OK;
}

static hy_err memory_of_a_step_is_bounded(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .step_bytes_max = 20000), &s));
    script.number = 15000;
    CHECK_OK(scripted_do(&s, allocate));
    CHECK_OK(scripted_do(&s, allocate));
    script.number = 20001;
    CHECK(scripted_do(&s, allocate) == HY_NOMEM);
    script.number = 15000;
    CHECK_OK(scripted_do(&s, allocate));
    return HY_OK;
}

static hy_err nothing(hy_txn *txn, const hy_input *input) {
    (void)txn, (void)input;
    return HY_OK;
}

static hy_err keys_are_bounded(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    uint8_t key[HY_KEY_BYTES_MAX + 1] = { 1 };
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, (hy_bytes){ key, HY_KEY_BYTES_MAX }, nothing));
    CHECK_ERR(scripted_send(&s, SCRIPT_DO, 0, (hy_bytes){ key, HY_KEY_BYTES_MAX + 1 }, nothing),
              HY_TOO_LARGE);
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, (hy_bytes){ key, HY_KEY_BYTES_MAX }, nothing));
    CHECK(s.outcome.duplicate);
    return HY_OK;
}

// Options of a program that was built with an older header: the fields behind are defaults.
static hy_err options_of_an_older_size_are_read_as_far_as_they_go(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    hy_state_options options = { .size = offsetof(hy_state_options, record_entries),
                                 .keep_undo = true,
                                 .record_entries = true,
                                 .undo_rows_max = 1 };
    CHECK_OK(scripted_init(mem, &options, &s));
    CHECK_OK(scripted_do(&s, fill));
    CHECK_EQ(s.outcome.entry.len, 0);
    hy_state_rewind(s.state, 0); // keep_undo was within the size
    CHECK_EQ(hy_state_digest(s.state), 0);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(one_row_too_many_is_refused), KIT_TEST(deleted_row_comes_back_within_the_limit),
          KIT_TEST(what_a_full_table_accepted_loads),
          KIT_TEST_ONCE(what_a_small_arena_accepted_loads),
          KIT_TEST(one_action_too_many_is_refused), KIT_TEST(unreleased_rows_are_bounded),
          KIT_TEST_ONCE(memory_of_a_step_is_bounded), KIT_TEST(keys_are_bounded),
          KIT_TEST(options_of_an_older_size_are_read_as_far_as_they_go))
