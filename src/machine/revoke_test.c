// revoke_test.c - rewinding and releasing, and the journal's way back, against a naive twin.
//
// A long random run of the bank keeps every digest it passed. At random moments it rewinds to one
// of them or releases up to one; after each, the kept digest must be the one computed afresh, and
// the one that was seen at that seq. The journal of the same run, loaded entry by entry into an
// empty state and replayed step by step into another, must meet the same digests.

#include "kit/kit.h"

#include "base/cleanup.h"
#include "machine/bank_suite.h"

enum { RUN_STEPS = 600 };

typedef struct run {
    hy_state *state;
    hy_buf journal;
    uint64_t random, seq;
    uint64_t digests[RUN_STEPS + 1], chains[RUN_STEPS + 1];
    uint64_t steps; // taken so far: digests[seq] is known for every accepted seq
} run;

static void run_deinit(run *r) {
    r->state = hy_state_free(r->state);
    hy_buf_deinit(&r->journal);
}

static hy_err run_init(hy_mem *mem, run *r) {
    hy_buf_init(&r->journal, mem, 0);
    r->random = kit_seed();
    return hy_state_new(
        mem, &bank_machine,
        HY_OPTIONS(hy_state, .keep_undo = true, .record_entries = true, .answers_max = 20),
        &r->state, NULL);
}

static uint64_t run_draw(run *r, uint64_t below) {
    return kit_random(&r->random) % below;
}

static hy_err run_step(run *r, uint64_t seq) {
    static const char *const owners[] = { "ann", "bob", "a somewhat longer name", "" };
    bank_open open = { .owner = hy_bytes_of(owners[run_draw(r, 4)]),
                       .cents = (int64_t)run_draw(r, 50) };
    bank_transfer transfer = { .from = 1 + run_draw(r, 20),
                               .to = 1 + run_draw(r, 20),
                               .cents = (int64_t)run_draw(r, 40) };
    bank_pay_out pay = { .account = 1 + run_draw(r, 20), .cents = (int64_t)run_draw(r, 9) };
    bank_paid paid = { .worked = run_draw(r, 2) == 0 };
    bank_rename rename = { .account = 1 + run_draw(r, 20),
                           .owner = hy_bytes_of(owners[run_draw(r, 4)]) };
    bank_close close = { .account = 1 + run_draw(r, 20) };
    bank_misbehave wrong = { .how = BANK_WRITE_THEN_REJECT };
    const void *bodies[] = { &open, &transfer, &pay, &paid, &rename, &close, NULL, NULL, &wrong };
    uint32_t kind = (uint32_t)run_draw(r, 9);
    if (bodies[kind] == NULL) kind = BANK_IN_TRANSFER;
    char key[2] = { (char)('a' + run_draw(r, 26)), 0 };
    hy_input input = { .seq = seq,
                       .now = (hy_ns)seq,
                       .random = run_draw(r, 1000),
                       .kind = kind,
                       .body = bodies[kind],
                       .action_id = 1 + run_draw(r, 30),
                       .key = run_draw(r, 4) == 0 ? hy_bytes_of(key) : (hy_bytes){ 0 } };
    hy_outcome outcome;
    hy_err err = hy_state_step(r->state, &input, &outcome);
    if (outcome.entry.len > 0) hy_frame_add(&r->journal, outcome.entry);
    r->digests[seq] = hy_state_digest(r->state);
    r->chains[seq] = hy_state_chain(r->state);
    return err == HY_NOMEM || hy_err_is_fault(err) ? err : r->journal.failed;
}

static hy_err run_check(run *r, uint64_t seq) {
    CHECK_EQ(hy_state_digest(r->state), r->digests[seq]);
    CHECK_EQ(hy_state_chain(r->state), r->chains[seq]);
    return hy_state_check(r->state, NULL);
}

static hy_err rewinding_meets_every_digest_again(hy_mem *mem) {
    HY_CLEANUP(run_deinit) run r = { 0 };
    CHECK_OK(run_init(mem, &r));
    uint64_t released = 0;
    for (uint64_t seq = 1; seq <= RUN_STEPS; seq++) {
        CHECK_OK(run_step(&r, seq));
        uint64_t what = run_draw(&r, 20);
        if (what == 0) {
            uint64_t back = released + run_draw(&r, seq - released + 1);
            hy_state_rewind(r.state, back);
            CHECK_OK(run_check(&r, back));
            for (uint64_t i = back + 1; i <= seq; i++) { // steps that never were
                r.digests[i] = r.digests[back];
                r.chains[i] = r.chains[back];
            }
        } else if (what == 1) {
            released += run_draw(&r, seq - released + 1);
            hy_state_release(r.state, released);
            CHECK_OK(run_check(&r, seq));
        }
    }
    return HY_OK;
}

static hy_err journal_loads_and_replays_to_the_same_state(hy_mem *mem) {
    HY_CLEANUP(run_deinit) run r = { 0 };
    HY_CLEANUP(run_deinit) run loaded = { 0 };
    HY_CLEANUP(run_deinit) run replayed = { 0 };
    CHECK_OK(run_init(mem, &r));
    CHECK_OK(run_init(mem, &loaded));
    CHECK_OK(run_init(mem, &replayed));
    for (uint64_t seq = 1; seq <= RUN_STEPS; seq++) {
        CHECK_OK(run_step(&r, seq));
    }
    hy_arena arena;
    hy_arena_init(&arena, kit_heap(), 0);
    hy_bytes rest = hy_buf_bytes(&r.journal), entry = { 0 };
    hy_err err = HY_OK;
    hy_why why = { 0 };
    while ((err = hy_frame_next(&rest, &entry, &why)) == HY_OK) {
        hy_entry decoded;
        err = hy_state_load_entry(loaded.state, entry, &why);
        if (err == HY_OK) err = hy_entry_decode(entry, &arena, &decoded, &why);
        if (err == HY_OK) err = hy_state_replay(replayed.state, &decoded, &why);
        if (err != HY_OK) break;
    }
    hy_arena_deinit(&arena);
    CHECK_ERR(err, HY_END);
    CHECK_OK(run_check(&r, RUN_STEPS));
    CHECK_EQ(hy_state_digest(loaded.state), hy_state_digest(r.state));
    CHECK_EQ(hy_state_chain(loaded.state), hy_state_chain(r.state));
    CHECK_EQ(hy_state_digest(replayed.state), hy_state_digest(r.state));
    CHECK_EQ(hy_state_seq(loaded.state), hy_state_seq(r.state));
    CHECK_OK(hy_state_check(loaded.state, NULL));
    return HY_OK;
}

static hy_err replay_names_the_first_difference(hy_mem *mem) {
    HY_CLEANUP(run_deinit) run r = { 0 };
    HY_CLEANUP(run_deinit) run other = { 0 };
    CHECK_OK(run_init(mem, &r));
    CHECK_OK(run_init(mem, &other));
    hy_outcome outcome;
    hy_input input = { .seq = 1, .kind = BANK_IN_OPEN, .body = &(bank_open){ .cents = 5 } };
    CHECK_OK(hy_state_step(r.state, &input, &outcome));
    hy_arena arena;
    hy_arena_init(&arena, kit_heap(), 0);
    hy_entry entry = { 0 };
    CHECK_OK(hy_entry_decode(outcome.entry, &arena, &entry, NULL));
    entry.digest ^= 1;
    hy_why why = { 0 };
    hy_err err = hy_state_replay(other.state, &entry, &why);
    hy_arena_deinit(&arena);
    CHECK_ERR(err, HY_NONDETERMINISTIC);
    CHECK_TEXT(hy_bytes_of(why.place), "digest");
    return HY_OK;
}

static hy_err damaged_frames_are_refused_with_the_place(hy_mem *mem) {
    hy_buf buf;
    hy_buf_init(&buf, mem, 0);
    hy_frame_add(&buf, HY_BYTES("an entry"));
    if (buf.failed != HY_OK) return buf.failed;
    for (size_t bit = 0; bit < buf.len * 8; bit++) {
        buf.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        hy_bytes guarded = kit_guard_copy(hy_buf_bytes(&buf)), rest = guarded, entry;
        hy_why why = { 0 };
        CHECK_ERR(hy_frame_next(&rest, &entry, &why), HY_CORRUPT);
        CHECK(why.text[0] != 0);
        kit_guard_free(guarded);
        buf.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 1; len < buf.len; len++) {
        hy_bytes guarded = kit_guard_copy((hy_bytes){ buf.ptr, len }), rest = guarded, entry;
        CHECK_ERR(hy_frame_next(&rest, &entry, NULL), HY_CORRUPT);
        kit_guard_free(guarded);
    }
    hy_buf_deinit(&buf);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(rewinding_meets_every_digest_again),
          KIT_TEST_ONCE(journal_loads_and_replays_to_the_same_state),
          KIT_TEST(replay_names_the_first_difference),
          KIT_TEST(damaged_frames_are_refused_with_the_place))
