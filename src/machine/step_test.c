// step_test.c - a step happens whole or not at all, once, and the same every time.
//
// Every test runs the bank (bank_suite.h). What is refused must leave digest, chain, rows and
// ledger as they were, to the bit; the kit repeats each test with every allocation failing in turn.

#include "kit/kit.h"

#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "machine/bank_suite.h"

typedef struct bank {
    hy_state *state;
    uint64_t seq;
    hy_outcome outcome;
} bank;

static void bank_deinit(bank *b) {
    b->state = hy_state_free(b->state);
}

static hy_err bank_init(hy_mem *mem, const hy_state_options *options, bank *b) {
    hy_why why = { 0 };
    return hy_state_new(mem, &bank_machine, options, &b->state, &why);
}

static hy_err bank_send(bank *b, uint32_t kind, const void *body, uint64_t action_id,
                        hy_bytes key) {
    b->seq++;
    hy_input input = { .seq = b->seq,
                       .now = (hy_ns)b->seq * 1000,
                       .random = b->seq * 77,
                       .kind = kind,
                       .body = body,
                       .action_id = action_id,
                       .key = key };
    return hy_state_step(b->state, &input, &b->outcome);
}

#define SEND(b, kind, type, ...) bank_send((b), (kind), &(type){ __VA_ARGS__ }, 0, (hy_bytes){ 0 })

static const bank_account *bank_row(const bank *b, uint64_t id) {
    return hy_row_get(hy_state_view(b->state), BANK_ACCOUNTS, &(bank_account){ .id = id });
}

static hy_err bank_open_two(bank *b) {
    hy_err err = SEND(b, BANK_IN_OPEN, bank_open, .owner = HY_BYTES("ann"), .cents = 100);
    if (err == HY_OK) err = SEND(b, BANK_IN_OPEN, bank_open, .owner = HY_BYTES("bob"), .cents = 50);
    return err;
}

static hy_err accepted_step_changes_rows_and_digest(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_EQ(hy_state_digest(b.state), 0);
    CHECK_OK(bank_open_two(&b));
    uint64_t digest = hy_state_digest(b.state);
    CHECK_OK(SEND(&b, BANK_IN_TRANSFER, bank_transfer, .from = 1, .to = 2, .cents = 30));
    CHECK_EQ(bank_row(&b, 1)->cents, 70);
    CHECK_EQ(bank_row(&b, 2)->cents, 80);
    CHECK_TEXT(bank_row(&b, 2)->owner, "bob");
    CHECK(hy_state_digest(b.state) != digest);
    CHECK_EQ(hy_state_digest(b.state), hy_state_digest_slow(b.state));
    CHECK_EQ(hy_state_change_count(b.state), 2);
    CHECK_EQ(((const bank_account *)hy_state_change(b.state, 0).before)->cents, 100);
    CHECK_EQ(((const bank_account *)hy_state_change(b.state, 0).after)->cents, 70);
    CHECK_OK(hy_state_check(b.state, NULL));
    return HY_OK;
}

// Sends one input that must be refused, and demands that nothing moved.
static hy_err bank_expect_refusal(bank *b, uint32_t how, hy_err expected) {
    uint64_t digest = hy_state_digest(b->state);
    uint64_t chain = hy_state_chain(b->state);
    hy_err err = SEND(b, BANK_IN_MISBEHAVE, bank_misbehave, .how = how);
    if (err == HY_NOMEM) return err;
    CHECK_ERR(err, expected);
    CHECK_EQ(hy_state_digest(b->state), digest);
    CHECK_EQ(hy_state_digest_slow(b->state), digest);
    CHECK_EQ(hy_state_chain(b->state), chain);
    CHECK_EQ(b->outcome.action_count, 0);
    CHECK_EQ(hy_row_count(hy_state_view(b->state), BANK_ACCOUNTS), 2);
    return hy_state_check(b->state, NULL);
}

static hy_err refused_step_leaves_no_trace(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_OK(bank_expect_refusal(&b, BANK_WRITE_THEN_REJECT, HY_REJECT));
    CHECK_OK(bank_expect_refusal(&b, BANK_MAKE_MONEY, HY_INVARIANT));
    CHECK_OK(bank_expect_refusal(&b, BANK_EMIT_TOO_MUCH, HY_LIMIT));
    return HY_OK;
}

static hy_err rejection_has_its_code(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_ERR(SEND(&b, BANK_IN_TRANSFER, bank_transfer, .from = 1, .to = 2, .cents = 1000),
              HY_REJECT);
    CHECK_EQ(b.outcome.rejection, BANK_TOO_POOR);
    CHECK_EQ(bank_row(&b, 1)->cents, 100);
    return HY_OK;
}

// A step that runs out of memory anywhere is refused; the kit makes every allocation fail in turn.
static hy_err step_without_memory_is_rolled_back(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    hy_err err = bank_init(mem, HY_OPTIONS(hy_state, .record_entries = true), &b);
    if (err != HY_OK) return err;
    for (uint64_t i = 0; i < 40 && err == HY_OK; i++) {
        uint64_t digest = hy_state_digest(b.state);
        hy_bytes key = i % 3 == 0 ? HY_BYTES("a key") : (hy_bytes){ 0 };
        bank_open body = { .owner = HY_BYTES("somebody with a name"), .cents = 5 };
        err = bank_send(&b, BANK_IN_OPEN, &body, 0, key);
        if (err != HY_OK) CHECK_EQ(hy_state_digest_slow(b.state), digest);
        CHECK_EQ(hy_state_digest(b.state), hy_state_digest_slow(b.state));
    }
    return err;
}

static hy_err halting_invariant_stops_the_machine(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_OK(bank_expect_refusal(&b, BANK_BREAK_HALTING, HY_HALTED));
    CHECK_ERR(SEND(&b, BANK_IN_OPEN, bank_open, .cents = 1), HY_HALTED);
    CHECK_TEXT(hy_bytes_of(b.outcome.invariant), "bank_owner_has_name");
    return HY_OK;
}

static hy_err reporting_invariant_keeps_the_step(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_OK(SEND(&b, BANK_IN_MISBEHAVE, bank_misbehave, .how = BANK_BREAK_REPORTING));
    CHECK_TEXT(hy_bytes_of(b.outcome.invariant), "bank_owner_is_not_shouting");
    CHECK_TEXT(bank_row(&b, 1)->owner, "LOUD!");
    return HY_OK;
}

static hy_err step_invariant_sees_before_and_after(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_OK(SEND(&b, BANK_IN_PAY_OUT, bank_pay_out, .account = 1, .cents = 10));
    CHECK_OK(bank_send(&b, BANK_IN_PAID, &(bank_paid){ .worked = true }, 1, (hy_bytes){ 0 }));
    CHECK_OK(bank_expect_refusal(&b, BANK_PAYOUT_BACKWARDS, HY_INVARIANT));
    CHECK_TEXT(hy_bytes_of(b.outcome.invariant), "bank_payout_moves_forward");
    return HY_OK;
}

static hy_err tracked_action_stays_in_the_ledger_until_completed(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_OK(SEND(&b, BANK_IN_PAY_OUT, bank_pay_out, .account = 1, .cents = 10));
    CHECK_EQ(b.outcome.action_count, 2);
    CHECK(b.outcome.actions[0].tracked);
    CHECK(!b.outcome.actions[1].tracked);
    const hy_view *view = hy_state_view(b.state);
    CHECK(hy_action_is_pending(view, 1));
    CHECK_EQ(hy_row_count(view, HY_LEDGER), 1);

    bank_paid paid = { .worked = true };
    CHECK_ERR(bank_send(&b, BANK_IN_PAID, &paid, 99, (hy_bytes){ 0 }), HY_NOT_FOUND);
    CHECK_OK(bank_send(&b, BANK_IN_PAID, &paid, 1, (hy_bytes){ 0 }));
    CHECK(!hy_action_is_pending(view, 1));
    uint64_t digest = hy_state_digest(b.state);
    paid.worked = false; // a late contradiction: answered before user code runs
    CHECK_ERR(bank_send(&b, BANK_IN_PAID, &paid, 1, (hy_bytes){ 0 }), HY_ALREADY_DONE);
    CHECK_EQ(hy_state_digest(b.state), digest);
    return HY_OK;
}

static hy_err rejected_completion_uses_the_action_up(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(SEND(&b, BANK_IN_OPEN, bank_open, .cents = 0));
    CHECK_OK(SEND(&b, BANK_IN_REMIND, bank_remind, .account = 1, .after = 5));
    CHECK_OK(SEND(&b, BANK_IN_CLOSE, bank_close, .account = 1));
    bank_remind body = { .account = 1 }; // for an account that is gone
    CHECK_ERR(bank_send(&b, BANK_IN_REMINDED, &body, 1, (hy_bytes){ 0 }), HY_REJECT);
    CHECK(!hy_action_is_pending(hy_state_view(b.state), 1));
    CHECK_ERR(bank_send(&b, BANK_IN_REMINDED, &body, 1, (hy_bytes){ 0 }), HY_ALREADY_DONE);
    return HY_OK;
}

static hy_err row_that_is_referred_to_cannot_go(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(SEND(&b, BANK_IN_OPEN, bank_open, .cents = 10));
    CHECK_OK(SEND(&b, BANK_IN_PAY_OUT, bank_pay_out, .account = 1, .cents = 10));
    CHECK_ERR(SEND(&b, BANK_IN_CLOSE, bank_close, .account = 1), HY_INVARIANT);
    CHECK_OK(bank_send(&b, BANK_IN_PAID, &(bank_paid){ .worked = true }, 1, (hy_bytes){ 0 }));
    CHECK_OK(SEND(&b, BANK_IN_CLOSE, bank_close, .account = 1));
    return HY_OK;
}

static hy_err timer_is_an_action_whose_completion_is_a_time(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_OK(SEND(&b, BANK_IN_REMIND, bank_remind, .account = 1, .after = 500));
    CHECK_EQ(b.outcome.action_count, 1);
    CHECK_EQ(b.outcome.actions[0].due, 3 * 1000 + 500);
    bank_remind body = { .account = 1 };
    CHECK_OK(bank_send(&b, BANK_IN_REMINDED, &body, b.outcome.actions[0].id, (hy_bytes){ 0 }));
    CHECK_TEXT(bank_row(&b, 1)->owner, "reminded");
    CHECK_EQ(hy_row_count(hy_state_view(b.state), HY_LEDGER), 0);
    return HY_OK;
}

static hy_err same_key_gets_the_same_answer(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &b));
    bank_open ann = { .owner = HY_BYTES("ann"), .cents = 100 };
    CHECK_OK(bank_send(&b, BANK_IN_OPEN, &ann, 0, HY_BYTES("k1")));
    hy_bytes reply = b.outcome.reply;
    CHECK(reply.len > 0 && !b.outcome.duplicate);
    CHECK_OK(bank_send(&b, BANK_IN_OPEN, &ann, 0, HY_BYTES("k1")));
    CHECK(b.outcome.duplicate);
    CHECK_TEXT(b.outcome.reply, "\x08\x01"); // field 1, account 1
    CHECK_EQ(hy_row_count(hy_state_view(b.state), BANK_ACCOUNTS), 1);

    ann.cents = 101;
    CHECK_ERR(bank_send(&b, BANK_IN_OPEN, &ann, 0, HY_BYTES("k1")), HY_KEY_REUSED);

    bank_transfer poor = { .from = 1, .to = 2, .cents = 5000 };
    CHECK_OK(bank_send(&b, BANK_IN_OPEN, &ann, 0, (hy_bytes){ 0 }));
    CHECK_ERR(bank_send(&b, BANK_IN_TRANSFER, &poor, 0, HY_BYTES("k2")), HY_REJECT);
    CHECK_ERR(bank_send(&b, BANK_IN_TRANSFER, &poor, 0, HY_BYTES("k2")), HY_REJECT);
    CHECK(b.outcome.duplicate);
    CHECK_EQ(b.outcome.rejection, BANK_TOO_POOR);
    return HY_OK;
}

static hy_err oldest_answer_is_forgotten_first(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, HY_OPTIONS(hy_state, .answers_max = 2), &b));
    bank_open body = { .cents = 1 };
    CHECK_OK(bank_send(&b, BANK_IN_OPEN, &body, 0, HY_BYTES("a")));
    CHECK_OK(bank_send(&b, BANK_IN_OPEN, &body, 0, HY_BYTES("b")));
    CHECK_OK(bank_send(&b, BANK_IN_OPEN, &body, 0, HY_BYTES("c")));
    CHECK_OK(bank_send(&b, BANK_IN_OPEN, &body, 0, HY_BYTES("b")));
    CHECK(b.outcome.duplicate);
    CHECK_OK(bank_send(&b, BANK_IN_OPEN, &body, 0, HY_BYTES("a")));
    CHECK(!b.outcome.duplicate);
    return HY_OK;
}

static hy_err twin_run_finds_a_step_that_depends_on_chance(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, HY_OPTIONS(hy_state, .twin = true), &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_OK(SEND(&b, BANK_IN_TRANSFER, bank_transfer, .from = 1, .to = 2, .cents = 30));
    CHECK_EQ(bank_row(&b, 1)->cents, 70); // run twice, done once
    CHECK_OK(bank_expect_refusal(&b, BANK_DEPEND_ON_CHANCE, HY_NONDETERMINISTIC));
    return HY_OK;
}

// The port's other side, as a world would give it: without the stack trace.
static void *step_map(hy_guard *self, size_t size) {
    (void)self;
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return ptr == MAP_FAILED ? NULL : ptr;
}
static void step_unmap(hy_guard *self, void *ptr, size_t size) {
    (void)self;
    CHECK(munmap(ptr, size) == 0);
}
static void step_protect(hy_guard *self, void *ptr, size_t size, bool writable) {
    (void)self;
    CHECK(mprotect(ptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0);
}
static hy_guard step_guard = { step_map, step_unmap, step_protect };

static void step_write_raw(void *arg) {
    hy_mem *mem = arg;
    bank b = { 0 };
    if (bank_init(mem, HY_OPTIONS(hy_state, .guard = &step_guard), &b) != HY_OK) return;
    for (uint32_t i = 0; i < 400; i++) { // enough that account 200 lies on another page than 1
        if (SEND(&b, BANK_IN_OPEN, bank_open, .cents = 1) != HY_OK) return;
    }
    (void)SEND(&b, BANK_IN_MISBEHAVE, bank_misbehave, .how = BANK_RAW_WRITE);
}

static hy_err raw_write_faults_in_guarded_pages(hy_mem *mem) {
    CHECK(kit_death(step_write_raw, mem));
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, HY_OPTIONS(hy_state, .guard = &step_guard), &b));
    CHECK_OK(bank_open_two(&b));
    CHECK_OK(SEND(&b, BANK_IN_CLOSE, bank_close, .account = 77) == HY_REJECT ? HY_OK : HY_IO);
    CHECK_OK(SEND(&b, BANK_IN_TRANSFER, bank_transfer, .from = 2, .to = 1, .cents = 50));
    CHECK_OK(SEND(&b, BANK_IN_CLOSE, bank_close, .account = 2));
    CHECK_OK(SEND(&b, BANK_IN_OPEN, bank_open, .cents = 1));
    return HY_OK;
}

static hy_err unset_option_has_no_hidden_value(hy_mem *mem) {
    HY_CLEANUP(bank_deinit) bank a = { 0 };
    HY_CLEANUP(bank_deinit) bank b = { 0 };
    CHECK_OK(bank_init(mem, NULL, &a));
    CHECK_OK(bank_init(mem, NULL, &b));
    CHECK_OK(SEND(&a, BANK_IN_OPEN, bank_open, .owner = HY_BYTES("odd"), .cents = 1));
    CHECK_OK(SEND(&b, BANK_IN_OPEN, bank_open, .owner = HY_BYTES("x"), .cents = 1));
    CHECK_OK(SEND(&b, BANK_IN_RENAME, bank_rename, .account = 1, .owner = HY_BYTES("odd")));
    CHECK_EQ(bank_row(&b, 1)->limit.value, 0);
    CHECK_EQ(hy_state_digest(a.state), hy_state_digest(b.state));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(accepted_step_changes_rows_and_digest), KIT_TEST(refused_step_leaves_no_trace),
          KIT_TEST(rejection_has_its_code), KIT_TEST(step_without_memory_is_rolled_back),
          KIT_TEST(halting_invariant_stops_the_machine),
          KIT_TEST(reporting_invariant_keeps_the_step),
          KIT_TEST(step_invariant_sees_before_and_after),
          KIT_TEST(tracked_action_stays_in_the_ledger_until_completed),
          KIT_TEST(rejected_completion_uses_the_action_up),
          KIT_TEST(row_that_is_referred_to_cannot_go),
          KIT_TEST(timer_is_an_action_whose_completion_is_a_time),
          KIT_TEST(same_key_gets_the_same_answer), KIT_TEST(oldest_answer_is_forgotten_first),
          KIT_TEST(twin_run_finds_a_step_that_depends_on_chance),
          KIT_TEST_ONCE(raw_write_faults_in_guarded_pages),
          KIT_TEST(unset_option_has_no_hidden_value))
