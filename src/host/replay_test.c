// replay_test.c - a store proves itself, and a change of code is found at its first step.
//
// A host writes five steps into a memory store; then the bank, or a bank with one line changed, is
// replayed over it. What is compared is what a person would read: the step and the rows.
#include "host/fake_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"
#include <hypha/store.h>
#include <string.h>

typedef struct replay_fixture {
    hy_mem *mem;
    hy_world *world;
    hy_store *store;
    hy_host *host;
    fake_call calls[8];
    uint32_t call_count;
    bool closed;
} replay_fixture;

static void replay_closed(void *self, hy_err err) {
    (void)err;
    ((replay_fixture *)self)->closed = true;
    ((replay_fixture *)self)->host = NULL;
}

static void replay_fixture_deinit(replay_fixture *f) {
    if (f->host != NULL) {
        hy_sim_restart(f->world);
        hy_host_abandon(f->host);
    }
    (void)hy_store_close(f->store);
    if (f->world != NULL) (void)hy_world_close(f->world);
}

static void replay_call_done(hy_call *call) {
    (void)call;
}

static hy_err replay_submit(replay_fixture *f, uint32_t kind, const void *body, const char *key) {
    hy_call *call = &f->calls[f->call_count++].call;
    *call =
        (hy_call){ .kind = kind, .body = body, .key = hy_bytes_of(key), .done = replay_call_done };
    CHECK_OK(hy_host_submit(f->host, call));
    hy_sim_advance(f->world, HY_MS(10)); // a commit of its own
    FAKE_SURVIVED_ONLY();
    CHECK(call->err == HY_OK || call->err == HY_REJECT);
    return HY_OK;
}

// Five steps: two accounts, a transfer, a rejection that is remembered, a payout that stays
// pending.
static hy_err replay_fixture_init(replay_fixture *f, hy_mem *mem) {
    static const bank_open ada = { .owner = HY_BYTES("Ada"), .cents = 1000 };
    static const bank_open bob = { .owner = HY_BYTES("Bob"), .cents = 50 };
    static const bank_transfer transfer = { .from = 1, .to = 2, .cents = 100 };
    static const bank_transfer too_much = { .from = 2, .to = 1, .cents = 100000 };
    static const bank_pay_out pay_out = { .account = 1, .cents = 30 };
    *f = (replay_fixture){ .mem = mem };
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem), &f->world));
    CHECK_OK(hy_store_memory_open(mem, NULL, &f->store));
    CHECK_OK(hy_host_open(f->world, f->store, &bank_machine, NULL, &f->host, NULL));
    CHECK_OK(replay_submit(f, BANK_IN_OPEN, &ada, NULL));
    CHECK_OK(replay_submit(f, BANK_IN_OPEN, &bob, "k1"));
    CHECK_OK(replay_submit(f, BANK_IN_TRANSFER, &transfer, NULL));
    CHECK_OK(replay_submit(f, BANK_IN_TRANSFER, &too_much, "k2"));
    CHECK_OK(replay_submit(f, BANK_IN_PAY_OUT, &pay_out, NULL));
    hy_host_close(f->host, replay_closed, f, HY_NEVER);
    hy_sim_advance(f->world, HY_SECONDS(1));
    return kit_failed_allocation() ? HY_NOMEM : HY_OK;
}

static void replay_count(void *self, uint64_t seq, uint64_t last_seq) {
    CHECK_EQ(seq, last_seq); // five steps are told at the end
    *(uint32_t *)self += 1;
}

static hy_err untouched_store_meets_every_digest(hy_mem *mem) {
    HY_CLEANUP(replay_fixture_deinit) replay_fixture f = { 0 };
    CHECK_OK(replay_fixture_init(&f, mem));
    uint32_t told = 0;
    hy_verify_result result;
    CHECK_OK(hy_host_verify(
        f.store, &bank_machine,
        HY_OPTIONS(hy_verify, .mem = mem, .progress = replay_count, .self = &told), &result, NULL));
    CHECK_EQ(result.steps, 5);
    CHECK_EQ(result.seq, 5);
    CHECK_EQ(told, 1);
    return HY_OK;
}

// A bank that gives a cent on each transfer, and takes it from the other.
static hy_err generous_step(hy_txn *txn, const hy_input *input) {
    if (input->kind != BANK_IN_TRANSFER) return bank_machine.step(txn, input);
    bank_transfer more = *(const bank_transfer *)input->body;
    more.cents++;
    hy_input changed = *input;
    changed.body = &more;
    return bank_machine.step(txn, &changed);
}

static hy_err changed_code_is_found_at_its_first_step(hy_mem *mem) {
    HY_CLEANUP(replay_fixture_deinit) replay_fixture f = { 0 };
    CHECK_OK(replay_fixture_init(&f, mem));
    hy_machine generous = bank_machine;
    generous.step = generous_step;
    HY_CLEANUP(hy_buf_deinit) hy_buf difference = { 0 };
    hy_buf_init(&difference, mem, 0);
    hy_verify_result result;
    hy_why why = { 0 };
    CHECK_ERR(hy_host_verify(f.store, &generous,
                             HY_OPTIONS(hy_verify, .mem = mem, .difference = &difference), &result,
                             &why),
              HY_NONDETERMINISTIC);
    CHECK_EQ(result.seq, 3);
    CHECK_EQ(result.steps, 2);
    CHECK_TEXT(hy_buf_bytes(&difference),
               "{\"table\":\"account\",\"before\":{\"id\":1,\"cents\":1000,\"owner\":\"Ada\"},"
               "\"stored\":{\"id\":1,\"cents\":900,\"owner\":\"Ada\"},"
               "\"stepped\":{\"id\":1,\"cents\":899,\"owner\":\"Ada\"}}\n"
               "{\"table\":\"account\",\"before\":{\"id\":2,\"cents\":50,\"owner\":\"Bob\"},"
               "\"stored\":{\"id\":2,\"cents\":150,\"owner\":\"Bob\"},"
               "\"stepped\":{\"id\":2,\"cents\":151,\"owner\":\"Bob\"}}\n");
    CHECK(strstr(why.text, "entry 3") != NULL);
    return HY_OK;
}

// A bank that refuses what it took: the stored rows are told against those that stay.
static hy_err stingy_step(hy_txn *txn, const hy_input *input) {
    return input->kind == BANK_IN_PAY_OUT ? hy_reject(txn, BANK_TOO_POOR)
                                          : bank_machine.step(txn, input);
}

static hy_err refusing_what_was_accepted_is_a_difference(hy_mem *mem) {
    HY_CLEANUP(replay_fixture_deinit) replay_fixture f = { 0 };
    CHECK_OK(replay_fixture_init(&f, mem));
    hy_machine stingy = bank_machine;
    stingy.step = stingy_step;
    HY_CLEANUP(hy_buf_deinit) hy_buf difference = { 0 };
    hy_buf_init(&difference, mem, 0);
    hy_verify_result result;
    CHECK_ERR(hy_host_verify(f.store, &stingy,
                             HY_OPTIONS(hy_verify, .mem = mem, .difference = &difference), &result,
                             NULL),
              HY_NONDETERMINISTIC);
    CHECK_EQ(result.seq, 5);
    hy_buf_add(&difference, "", 1);
    CHECK_OK(difference.failed);
    const char *text = (const char *)difference.ptr;
    CHECK(strstr(text, "\"table\":\"hy_ledger\",\"before\":null,\"stored\":{\"id\":1,") != NULL);
    CHECK(strstr(text, "\"stepped\":null}") != NULL);
    return HY_OK;
}

static hy_err other_version_and_other_name_are_refused(hy_mem *mem) {
    HY_CLEANUP(replay_fixture_deinit) replay_fixture f = { 0 };
    CHECK_OK(replay_fixture_init(&f, mem));
    hy_machine other = bank_machine;
    other.version = 2;
    hy_verify_result result;
    hy_why why = { 0 };
    const hy_verify_options options = { .size = sizeof options, .mem = mem };
    CHECK_ERR(hy_host_verify(f.store, &other, &options, &result, &why), HY_UNSUPPORTED);
    CHECK(strstr(why.text, "version 1") != NULL);
    other = bank_machine;
    other.name = "casino";
    CHECK_ERR(hy_host_verify(f.store, &other, &options, &result, &why), HY_NOT_FOUND);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(untouched_store_meets_every_digest),
          KIT_TEST(changed_code_is_found_at_its_first_step),
          KIT_TEST(refusing_what_was_accepted_is_a_difference),
          KIT_TEST(other_version_and_other_name_are_refused))
