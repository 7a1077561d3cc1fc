// edges_test.c - what happens once a year: each test is a way to lose data or a night's sleep.
//
// Deleted rows that come back, options that are unset, actions that are taken back, entries out of
// order, answers that collide. Most of these were found by reading; each broke something once.

#include "kit/kit.h"

#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "machine/script_suite.h"
#include "machine/state.h"

// ---- rows that die and come back ----

// Longer than what is cut from slabs: a leak is then seen by the kit.
static const char edges_note[301] = "a note";

static hy_err insert_one(hy_txn *txn, const hy_input *input) {
    script_item row = { .id = 1, .value = (int64_t)input->seq, .text = HY_BYTES("first") };
    row.note.has = true;
    row.note.value = (hy_text){ (const uint8_t *)edges_note, sizeof edges_note - 1 };
    hy_row_insert(txn, SCRIPT_ORDERED, &row);
    hy_row_insert(txn, SCRIPT_HASHED, &row);
    return HY_OK;
}

static hy_err delete_one(hy_txn *txn, const hy_input *input) {
    (void)input;
    hy_row_delete(txn, SCRIPT_ORDERED, &(script_item){ .id = 1 });
    hy_row_delete(txn, SCRIPT_HASHED, &(script_item){ .id = 1 });
    return HY_OK;
}

static uint32_t edges_slots(const scripted *s, uint32_t table) {
    const hyi_rows *rows = s->state->tables[table];
    uint32_t dead = 0;
    for (uint32_t slot = rows->free_slot; slot != HYI_NO_SLOT; dead++) {
        memcpy(&slot, hyi_rows_row(rows, slot), sizeof slot);
    }
    return rows->slot_count - dead;
}

// Deleted at 2, inserted again at 3, the delete released, the insert rewound: the row is gone, and
// nothing of it may stay in slot or index.
static hy_err released_delete_and_rewound_insert_leave_nothing(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true), &s));
    CHECK_OK(scripted_do(&s, insert_one));
    CHECK_OK(scripted_do(&s, delete_one));
    CHECK_OK(scripted_do(&s, insert_one));
    hy_state_release(s.state, 2);
    CHECK_OK(hy_state_check(s.state, NULL));
    hy_state_rewind(s.state, 2);
    CHECK(scripted_item(&s, SCRIPT_ORDERED, 1) == NULL);
    CHECK_EQ(edges_slots(&s, SCRIPT_ORDERED), 0);
    CHECK_EQ(edges_slots(&s, SCRIPT_HASHED), 0);
    script_item row = { .id = 1, .text = HY_BYTES("loaded") }; // finds no ghost to replace
    CHECK_OK(hy_state_load_row(s.state, SCRIPT_ORDERED, &row, NULL));
    CHECK_OK(hy_state_load_row(s.state, SCRIPT_HASHED, &row, NULL));
    CHECK_EQ(hy_state_digest(s.state), hy_state_digest_slow(s.state));
    return HY_OK;
}

static hy_err rewinding_both_brings_the_row_back(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true), &s));
    CHECK_OK(scripted_do(&s, insert_one));
    uint64_t digest = hy_state_digest(s.state);
    CHECK_OK(scripted_do(&s, delete_one));
    CHECK_OK(scripted_do(&s, insert_one));
    CHECK_OK(scripted_do(&s, delete_one));
    hy_state_rewind(s.state, 3);
    CHECK_EQ(scripted_item(&s, SCRIPT_HASHED, 1)->value, 3);
    hy_state_rewind(s.state, 1);
    CHECK_EQ(hy_state_digest(s.state), digest);
    CHECK_EQ(hy_state_digest_slow(s.state), digest);
    CHECK_TEXT(scripted_item(&s, SCRIPT_ORDERED, 1)->text, "first");
    CHECK_EQ(scripted_item(&s, SCRIPT_HASHED, 1)->note.value.len, 300);
    hy_state_release(s.state, UINT64_MAX);
    CHECK_EQ(edges_slots(&s, SCRIPT_ORDERED), 1);
    return HY_OK;
}

static hy_err delete_and_insert(hy_txn *txn, const hy_input *input) {
    (void)delete_one(txn, input);
    (void)insert_one(txn, input);
    (void)delete_one(txn, input);
    return insert_one(txn, input);
}

static hy_err row_replaced_in_one_step_is_one_change(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true), &s));
    CHECK_OK(scripted_do(&s, insert_one));
    CHECK_OK(scripted_do(&s, delete_and_insert));
    CHECK_EQ(hy_state_change_count(s.state), 2);
    CHECK_EQ(((const script_item *)hy_state_change(s.state, 0).before)->value, 1);
    CHECK_EQ(((const script_item *)hy_state_change(s.state, 0).after)->value, 2);
    hy_state_rewind(s.state, 1);
    CHECK_EQ(scripted_item(&s, SCRIPT_ORDERED, 1)->value, 1);
    CHECK_OK(hy_state_check(s.state, NULL));
    return HY_OK;
}

static void edges_rewind_too_far(void *arg) {
    hy_state_rewind(((scripted *)arg)->state, 1);
}

static hy_err what_was_released_cannot_be_rewound(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true), &s));
    CHECK_OK(scripted_do(&s, insert_one));
    CHECK_OK(scripted_do(&s, delete_one));
    hy_state_release(s.state, 2);
    CHECK(kit_death(edges_rewind_too_far, &s));
    return HY_OK;
}

// ---- options ----

static hy_err unset_note(hy_txn *txn, const hy_input *input) {
    (void)input;
    script_item *row = hy_row_update(txn, SCRIPT_ORDERED, &(script_item){ .id = 1 });
    if (row != NULL) row->note.has = false;
    return HY_OK;
}

static hy_err set_note_flag(hy_txn *txn, const hy_input *input) {
    (void)input;
    script_item *row = hy_row_update(txn, SCRIPT_ORDERED, &(script_item){ .id = 1 });
    if (row != NULL) row->note.has = true;
    return HY_OK;
}

// The journal does not know what an unset option held; so nor may the state.
static hy_err unset_text_does_not_come_back(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    HY_CLEANUP(scripted_deinit) scripted loaded = { 0 };
    CHECK_OK(
        scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true, .record_entries = true), &s));
    CHECK_OK(scripted_init(mem, NULL, &loaded));
    hy_err (*const steps[])(hy_txn *, const hy_input *) = { insert_one, unset_note, set_note_flag };
    for (size_t i = 0; i < HY_COUNT_OF(steps); i++) {
        CHECK_OK(scripted_do(&s, steps[i]));
        CHECK_OK(hy_state_load_entry(loaded.state, s.outcome.entry, NULL));
    }
    CHECK_EQ(scripted_item(&s, SCRIPT_ORDERED, 1)->note.value.len, 0);
    CHECK(scripted_item(&loaded, SCRIPT_ORDERED, 1)->note.has);
    CHECK_EQ(hy_state_digest_slow(loaded.state), hy_state_digest_slow(s.state));
    hy_state_rewind(s.state, 1);
    CHECK_EQ(scripted_item(&s, SCRIPT_ORDERED, 1)->note.value.len, 300);
    return HY_OK;
}

static hy_err loaded_row_hides_nothing_behind_an_unset_option(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    HY_CLEANUP(scripted_deinit) scripted plain = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    CHECK_OK(scripted_init(mem, NULL, &plain));
    script_item row = { .id = 1 };
    CHECK_OK(hy_state_load_row(plain.state, SCRIPT_HASHED, &row, NULL));
    row.note.value = HY_BYTES("hidden");
    row.mark.value = 77;
    CHECK_OK(hy_state_load_row(s.state, SCRIPT_HASHED, &row, NULL));
    CHECK_EQ(scripted_item(&s, SCRIPT_HASHED, 1)->mark.value, 0);
    CHECK_EQ(scripted_item(&s, SCRIPT_HASHED, 1)->note.value.len, 0);
    CHECK_EQ(hy_state_digest(s.state), hy_state_digest(plain.state));
    row.note.has = true; // replaced by one that has it: nothing of the old one leaks
    CHECK_OK(hy_state_load_row(s.state, SCRIPT_HASHED, &row, NULL));
    CHECK_TEXT(scripted_item(&s, SCRIPT_HASHED, 1)->note.value, "hidden");
    CHECK_EQ(hy_state_digest(s.state), hy_state_digest_slow(s.state));
    CHECK_EQ(hy_row_count(hy_state_view(s.state), SCRIPT_HASHED), 1);
    return HY_OK;
}

static hy_err set_note(hy_txn *txn, const hy_input *input) {
    (void)input;
    script_item *row = hy_row_insert(txn, SCRIPT_HASHED, &(script_item){ .id = 2 });
    CHECK(row != NULL || hy_txn_failed(txn) != HY_OK);
    hy_row_set_bytes(txn, SCRIPT_HASHED, row, offsetof(script_item, note.value), HY_BYTES("set"));
    return HY_OK;
}

static hy_err setting_a_text_sets_its_option(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    CHECK_OK(scripted_do(&s, set_note));
    CHECK(scripted_item(&s, SCRIPT_HASHED, 2)->note.has);
    CHECK_TEXT(scripted_item(&s, SCRIPT_HASHED, 2)->note.value, "set");
    return HY_OK;
}

// ---- failures ----

static hy_err fail_twice(hy_txn *txn, const hy_input *input) {
    (void)insert_one(txn, input);
    if (hy_txn_failed(txn) == HY_EXISTS) (void)hy_txn_alloc(txn, SIZE_MAX);
    return hy_reject(txn, SCRIPT_NO);
}

static hy_err the_first_failure_is_the_answer(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    CHECK_OK(scripted_do(&s, insert_one));
    CHECK_ERR(scripted_do(&s, fail_twice), HY_EXISTS);
    CHECK_EQ(s.outcome.rejection, 0);
    return HY_OK;
}

// ---- what cannot be stored is not accepted ----

static hy_err insert_no_text(hy_txn *txn, const hy_input *input) {
    (void)input;
    hy_row_insert(txn, SCRIPT_HASHED, &(script_item){ .id = 1, .text = HY_BYTES("\xff\xfe") });
    return HY_OK;
}

static hy_err row_that_would_not_load_is_refused(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &s));
    CHECK_ERR(scripted_do(&s, insert_no_text), HY_NOT_UTF8);
    CHECK_EQ(hy_state_digest_slow(s.state), 0);
    CHECK_EQ(hy_state_seq(s.state), 0);
    CHECK_OK(scripted_do(&s, insert_one));
    return HY_OK;
}

// ---- actions ----

static hy_err emit_and_cancel(hy_txn *txn, const hy_input *input) {
    uint64_t first = hy_action_emit(txn, SCRIPT_PAY, &(script_item){ .value = 1 });
    uint64_t second = hy_action_emit(txn, SCRIPT_PAY, &(script_item){ .value = 2 });
    uint64_t third = hy_action_at(txn, SCRIPT_RANG, input->now + 5, NULL);
    (void)second;
    CHECK(hy_txn_failed(txn) || hy_action_cancel(txn, first) || hy_txn_failed(txn));
    CHECK(hy_txn_failed(txn) || hy_action_cancel(txn, third) || hy_txn_failed(txn));
    CHECK(!hy_action_cancel(txn, 99));
    CHECK(!hy_action_cancel(txn, 0));
    return HY_OK;
}

static hy_err action_cancelled_by_its_own_step_is_not_done(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    CHECK_OK(scripted_do(&s, emit_and_cancel));
    CHECK_EQ(s.outcome.action_count, 1);
    CHECK_EQ(s.outcome.actions[0].id, 2);
    CHECK_EQ(hy_row_count(hy_state_view(s.state), HY_LEDGER), 1);
    return HY_OK;
}

static hy_err emit_one(hy_txn *txn, const hy_input *input) {
    (void)input;
    hy_action_emit(txn, SCRIPT_PAY, &(script_item){ 0 });
    return HY_OK;
}

static hy_err set_timer_at_the_beginning_of_time(hy_txn *txn, const hy_input *input) {
    (void)input;
    hy_action_at(txn, SCRIPT_RANG, 0, NULL);
    return HY_OK;
}

// A ledger row tells a timer from an action by its due, which therefore is never 0.
static hy_err timer_of_1970_is_still_a_timer(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    const hy_bytes none = { NULL, 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    CHECK_OK(scripted_do(&s, set_timer_at_the_beginning_of_time));
    CHECK_EQ(s.outcome.actions[0].due, 1);
    CHECK_ERR(scripted_send(&s, SCRIPT_DONE, 1, none, emit_one), HY_UNKNOWN_KIND);
    CHECK_OK(scripted_send(&s, SCRIPT_RANG, 1, none, emit_one));
    return HY_OK;
}

static hy_err say_no(hy_txn *txn, const hy_input *input) {
    (void)input;
    return hy_reject(txn, SCRIPT_NO);
}

static hy_err fail_otherwise(hy_txn *txn, const hy_input *input) {
    (void)input;
    hy_row_insert(txn, SCRIPT_ORDERED, &(script_item){ .id = 1 });
    return HY_RANGE;
}

// Only a no uses the action up; any other failure may be better next time.
static hy_err completion_stays_owed_until_it_is_judged(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    const hy_bytes none = { NULL, 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &s));
    CHECK_OK(scripted_do(&s, emit_one));
    CHECK_ERR(scripted_send(&s, SCRIPT_DONE, 0, none, say_no), HY_NOT_FOUND);
    CHECK_ERR(scripted_send(&s, SCRIPT_DONE, 2, none, say_no), HY_NOT_FOUND);
    CHECK_ERR(scripted_send(&s, SCRIPT_RANG, 1, none, say_no), HY_UNKNOWN_KIND);
    CHECK_ERR(scripted_send(&s, SCRIPT_DONE, 1, none, fail_otherwise), HY_RANGE);
    CHECK(hy_action_is_pending(hy_state_view(s.state), 1));
    CHECK_EQ(s.outcome.entry.len, 0);
    CHECK_ERR(scripted_send(&s, SCRIPT_DONE, 1, none, say_no), HY_REJECT);
    CHECK_EQ(s.outcome.rejection, SCRIPT_NO);
    CHECK(s.outcome.entry.len > 0); // the end of the action is stored
    CHECK(!hy_action_is_pending(hy_state_view(s.state), 1));
    CHECK_ERR(scripted_send(&s, SCRIPT_DONE, 1, none, say_no), HY_ALREADY_DONE);
    CHECK_OK(hy_state_check(s.state, NULL));
    return HY_OK;
}

// A ledger row that another program stored must not make this one read past its kinds.
static hy_err ledger_row_of_an_unknown_kind_is_refused(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    hy_counter_row counter = { .of_table = HY_LEDGER, .next = 9 };
    CHECK_OK(hy_state_load_row(s.state, HY_COUNTER, &counter, NULL));
    CHECK_OK(
        hy_state_load_row(s.state, HY_LEDGER, &(hy_ledger_row){ .id = 3, .kind = 1u << 30 }, NULL));
    const hy_bytes none = { NULL, 0 };
    CHECK_ERR(scripted_send(&s, SCRIPT_DONE, 3, none, say_no), HY_UNKNOWN_KIND);
    CHECK_OK(hy_state_load_row(s.state, HY_LEDGER, &(hy_ledger_row){ .id = 9 }, NULL));
    hy_why why = { 0 };
    CHECK_ERR(hy_state_check(s.state, &why), HY_INVARIANT); // never numbered
    CHECK_TEXT(hy_bytes_of(why.place), "hy_ledger");
    return HY_OK;
}

// ---- answers ----

static hy_err nothing(hy_txn *txn, const hy_input *input) {
    (void)txn, (void)input;
    return HY_OK;
}

// Two keys with one id, which only chance or malice makes: never the other's answer.
static hy_err colliding_key_is_refused_and_changes_nothing(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    hy_answer_row other = { .key_id = hy_text_id(HY_BYTES("mine")),
                            .seq = 1,
                            .reply = HY_BYTES("secret"),
                            .key = HY_BYTES("somebody else's") };
    CHECK_OK(hy_state_load_row(s.state, HY_ANSWER, &other, NULL));
    CHECK_ERR(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("mine"), insert_one), HY_EXISTS);
    CHECK_EQ(s.outcome.reply.len, 0);
    CHECK_EQ(hy_state_digest_slow(s.state), 0);
    CHECK_EQ(hy_state_seq(s.state), 0);
    return HY_OK;
}

static hy_err rejection_is_remembered_after_loading(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    HY_CLEANUP(scripted_deinit) scripted loaded = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &s));
    CHECK_OK(scripted_init(mem, NULL, &loaded));
    CHECK_ERR(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("k"), say_no), HY_REJECT);
    CHECK_OK(hy_state_load_entry(loaded.state, s.outcome.entry, NULL));
    CHECK_ERR(scripted_send(&loaded, SCRIPT_DO, 0, HY_BYTES("k"), insert_one), HY_REJECT);
    CHECK(loaded.outcome.duplicate);
    CHECK_EQ(loaded.outcome.rejection, SCRIPT_NO);
    CHECK_EQ(hy_state_chain(loaded.state), hy_state_chain(s.state));
    CHECK_ERR(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("f"), fail_otherwise), HY_RANGE);
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("f"), nothing)); // was not remembered
    return HY_OK;
}

static hy_err answers_are_forgotten_one_by_one(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .answers_max = 2), &s));
    char key[] = "a";
    for (; key[0] < 'g'; key[0]++) {
        CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, hy_bytes_of(key), nothing));
        uint32_t count = key[0] == 'a' ? 1 : 2;
        CHECK_EQ(hy_row_count(hy_state_view(s.state), HY_ANSWER), count);
        CHECK_EQ(hy_row_count(hy_state_view(s.state), HY_ANSWER_ORDER), count);
    }
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("e"), nothing));
    CHECK(s.outcome.duplicate);
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("d"), nothing));
    CHECK(!s.outcome.duplicate);
    return HY_OK;
}

// A rewound answer was never given.
static hy_err rewound_answer_is_forgotten(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true, .answers_max = 1), &s));
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("a"), nothing));
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("b"), nothing)); // puts "a" out
    hy_state_rewind(s.state, 1);
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("a"), insert_one));
    CHECK(s.outcome.duplicate);
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("b"), insert_one));
    CHECK(!s.outcome.duplicate);
    return HY_OK;
}

// ---- the journal ----

static hy_err think_better_of_it(hy_txn *txn, const hy_input *input) {
    (void)hy_reject(txn, SCRIPT_NO);
    return insert_one(txn, input);
}

// Decodes the outcome's entry and replays it on `on`.
static hy_err edges_replay(const scripted *s, scripted *on, uint64_t seq_xor, hy_why *why) {
    hy_arena arena;
    hy_arena_init(&arena, kit_heap(), 0);
    hy_entry entry = { 0 };
    hy_err err = hy_entry_decode(s->outcome.entry, &arena, &entry, why);
    entry.seq ^= seq_xor;
    if (err == HY_OK) err = hy_state_replay(on->state, &entry, why);
    hy_arena_deinit(&arena);
    return err;
}

static hy_err forgotten_rejection_replays(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    HY_CLEANUP(scripted_deinit) scripted again = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &s));
    CHECK_OK(scripted_init(mem, NULL, &again));
    CHECK_OK(scripted_do(&s, think_better_of_it));
    CHECK_EQ(s.outcome.rejection, 0);
    hy_why why = { 0 };
    CHECK_OK(edges_replay(&s, &again, 0, &why));
    return HY_OK;
}

static hy_err reply_and_emit(hy_txn *txn, const hy_input *input) {
    (void)emit_one(txn, input);
    return hy_reply(txn, &(script_item){ .id = 4 });
}

static void edges_spoil(int part, hy_entry *entry) {
    switch (part) {
    case 0: entry->err = HY_REJECT; return;
    case 1: entry->rejection = SCRIPT_NO; return;
    case 2: entry->reply = HY_BYTES("other"); return;
    case 3: entry->digest++; return;
    case 4: entry->chain++; return;
    default: entry->kind = 99; return;
    }
}

static hy_err replay_tells_what_differs(hy_mem *mem) {
    static const char *const places[] = {
        "answer", "answer", "reply", "digest", "actions", "kind"
    };
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &s));
    CHECK_OK(scripted_do(&s, reply_and_emit));
    for (int part = 0; part < 6; part++) {
        HY_CLEANUP(scripted_deinit) scripted on = { 0 };
        CHECK_OK(scripted_init(mem, NULL, &on));
        hy_arena arena;
        hy_arena_init(&arena, kit_heap(), 0);
        hy_entry entry = { 0 };
        hy_why why = { 0 };
        hy_err err = hy_entry_decode(s.outcome.entry, &arena, &entry, NULL);
        edges_spoil(part, &entry);
        if (err == HY_OK) err = hy_state_replay(on.state, &entry, &why);
        hy_arena_deinit(&arena);
        CHECK_ERR(err, part == 5 ? HY_UNKNOWN_KIND : HY_NONDETERMINISTIC);
        CHECK_BYTES(hy_bytes_of(why.place), hy_bytes_of(places[part]));
    }
    return HY_OK;
}

static hy_err entries_out_of_order_are_damage(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    HY_CLEANUP(scripted_deinit) scripted on = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &s));
    CHECK_OK(scripted_init(mem, NULL, &on));
    CHECK_OK(scripted_send(&s, SCRIPT_DO, 0, HY_BYTES("k"), nothing)); // leaves the digest alone
    CHECK_OK(hy_state_load_entry(on.state, s.outcome.entry, NULL));
    hy_why why = { 0 };
    CHECK_ERR(hy_state_load_entry(on.state, s.outcome.entry, &why), HY_CORRUPT);
    CHECK_TEXT(hy_bytes_of(why.text), "entry 1 comes after entry 1");
    CHECK_ERR(edges_replay(&s, &on, 0, &why), HY_CORRUPT);
    CHECK_TEXT(hy_bytes_of(why.place), "seq");
    CHECK_ERR(edges_replay(&s, &on, 1, &why), HY_CORRUPT);              // seq 0
    CHECK_OK(scripted_send(&on, SCRIPT_DO, 0, HY_BYTES("l"), nothing)); // the state lives on
    return HY_OK;
}

// Damage that the frame's CRC cannot know: an entry that does not fit the rows before it.
static hy_err entry_that_does_not_fit_the_rows_is_damage(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    HY_CLEANUP(scripted_deinit) scripted on = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &s));
    CHECK_OK(scripted_init(mem, NULL, &on));
    CHECK_OK(hy_state_load_row(on.state, SCRIPT_HASHED, &(script_item){ .id = 8 }, NULL));
    CHECK_OK(scripted_do(&s, insert_one));
    hy_why why = { 0 };
    CHECK_ERR(hy_state_load_entry(on.state, s.outcome.entry, &why), HY_CORRUPT);
    CHECK_TEXT(((hy_text){ (const uint8_t *)why.text, 26 }), "after entry 1 the digest i");
    CHECK_EQ(hy_state_seq(on.state), 0);
    return HY_OK;
}

// Every way to run out of memory, the last one behind the finished entry, leaves none to store.
static hy_err refused_step_has_no_entry(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(
        scripted_init(mem, HY_OPTIONS(hy_state, .keep_undo = true, .record_entries = true), &s));
    for (uint64_t i = 1; i <= 130; i++) { // past two growths of the log of steps
        hy_err err = scripted_do(&s, emit_one);
        CHECK_EQ(s.outcome.entry.len > 0, err == HY_OK);
        CHECK_EQ(s.outcome.action_count, err == HY_OK);
        CHECK_EQ(hy_state_digest(s.state), hy_state_digest_slow(s.state));
        CHECK_OK(err);
    }
    return HY_OK;
}

static hy_err rows_are_compared_with_the_digest(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, NULL, &s));
    CHECK_OK(hy_state_load_row(s.state, SCRIPT_ORDERED, &(script_item){ .id = 1 }, NULL));
    uint64_t digest = hy_state_digest(s.state);
    hy_why why = { 0 };
    CHECK_ERR(hy_state_loaded(s.state, 5, digest + 1, 7, &why), HY_CORRUPT);
    CHECK_EQ(hy_state_seq(s.state), 0);
    CHECK_OK(hy_state_loaded(s.state, 5, 0, 7, &why)); // migrated: not compared
    CHECK_OK(hy_state_loaded(s.state, 5, digest, 7, &why));
    CHECK_EQ(hy_state_seq(s.state), 5);
    CHECK_EQ(hy_state_chain(s.state), 7);
    return HY_OK;
}

// ---- guarded pages ----

static void *edges_map(hy_guard *self, size_t size) {
    (void)self;
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return ptr == MAP_FAILED ? NULL : ptr;
}
static void edges_unmap(hy_guard *self, void *ptr, size_t size) {
    (void)self;
    CHECK(munmap(ptr, size) == 0);
}
static void edges_protect(hy_guard *self, void *ptr, size_t size, bool writable) {
    (void)self;
    CHECK(mprotect(ptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0);
}
static hy_guard edges_guard = { edges_map, edges_unmap, edges_protect };

static hy_err write_after_refused_insert(hy_txn *txn, const hy_input *input) {
    (void)input;
    script_item *row = hy_row_update(txn, SCRIPT_ORDERED, &(script_item){ .id = 1 });
    hy_row_insert(txn, SCRIPT_ORDERED, &(script_item){ .id = 1 });
    if (row != NULL) row->value = 5; // a step may write first and look once
    return HY_OK;
}

static hy_err refused_insert_leaves_the_page_open(hy_mem *mem) {
    HY_CLEANUP(scripted_deinit) scripted s = { 0 };
    CHECK_OK(scripted_init(mem, HY_OPTIONS(hy_state, .guard = &edges_guard), &s));
    CHECK_OK(scripted_do(&s, insert_one));
    CHECK_ERR(scripted_do(&s, write_after_refused_insert), HY_EXISTS);
    CHECK_OK(scripted_do(&s, delete_and_insert));
    CHECK_OK(hy_state_check(s.state, NULL));
    return HY_OK;
}

// ---- what paranoid builds notice ----

#ifdef HY_PARANOID
static hy_err write_key(hy_txn *txn, const hy_input *input) {
    (void)input;
    script_item *row = hy_row_update(txn, SCRIPT_ORDERED, &(script_item){ .id = 1 });
    if (row != NULL) row->id = 2;
    return HY_OK;
}

static hy_err write_new_key(hy_txn *txn, const hy_input *input) {
    (void)input;
    script_item *row = hy_row_insert(txn, SCRIPT_HASHED, &(script_item){ .id = 5 });
    if (row != NULL) row->id = 6;
    return HY_OK;
}

static hy_err write_text(hy_txn *txn, const hy_input *input) {
    (void)input;
    script_item *row = hy_row_update(txn, SCRIPT_HASHED, &(script_item){ .id = 1 });
    if (row != NULL) row->text = HY_BYTES("not owned");
    return HY_OK;
}

static hy_err walk_on_after_a_write(hy_txn *txn, const hy_input *input) {
    (void)input;
    hy_cursor cursor = hy_cursor_at(hy_txn_view(txn), SCRIPT_ORDERED, NULL);
    hy_row_insert(txn, SCRIPT_ORDERED, &(script_item){ .id = 3 });
    (void)hy_cursor_next(&cursor);
    return HY_OK;
}

static void edges_sin(void *arg) {
    hy_err (*const *step)(hy_txn *, const hy_input *) = arg;
    scripted s = { 0 };
    if (scripted_init(kit_heap(), NULL, &s) != HY_OK) return;
    if (scripted_do(&s, insert_one) != HY_OK) return;
    (void)scripted_do(&s, *step);
}

static hy_err writing_around_the_log_is_noticed(hy_mem *mem) {
    (void)mem;
    hy_err (*steps[])(hy_txn *, const hy_input *) = { write_key, write_new_key, write_text,
                                                      walk_on_after_a_write };
    for (size_t i = 0; i < HY_COUNT_OF(steps); i++) {
        CHECK(kit_death(edges_sin, &steps[i]));
    }
    return HY_OK;
}
#else
static hy_err writing_around_the_log_is_noticed(hy_mem *mem) {
    (void)mem;
    return HY_OK; // only paranoid builds look
}
#endif

KIT_TESTS(
    KIT_TEST(released_delete_and_rewound_insert_leave_nothing),
    KIT_TEST(rewinding_both_brings_the_row_back), KIT_TEST(row_replaced_in_one_step_is_one_change),
    KIT_TEST_ONCE(what_was_released_cannot_be_rewound), KIT_TEST(unset_text_does_not_come_back),
    KIT_TEST(loaded_row_hides_nothing_behind_an_unset_option),
    KIT_TEST(setting_a_text_sets_its_option), KIT_TEST(the_first_failure_is_the_answer),
    KIT_TEST(row_that_would_not_load_is_refused),
    KIT_TEST(action_cancelled_by_its_own_step_is_not_done),
    KIT_TEST(completion_stays_owed_until_it_is_judged), KIT_TEST(timer_of_1970_is_still_a_timer),
    KIT_TEST(answers_are_forgotten_one_by_one), KIT_TEST(ledger_row_of_an_unknown_kind_is_refused),
    KIT_TEST(colliding_key_is_refused_and_changes_nothing),
    KIT_TEST(rejection_is_remembered_after_loading), KIT_TEST(rewound_answer_is_forgotten),
    KIT_TEST(forgotten_rejection_replays), KIT_TEST(replay_tells_what_differs),
    KIT_TEST(entries_out_of_order_are_damage), KIT_TEST(entry_that_does_not_fit_the_rows_is_damage),
    KIT_TEST(refused_step_has_no_entry), KIT_TEST(rows_are_compared_with_the_digest),
    KIT_TEST_ONCE(refused_insert_leaves_the_page_open),
    KIT_TEST_ONCE(writing_around_the_log_is_noticed))
