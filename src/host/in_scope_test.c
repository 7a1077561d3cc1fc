// in_scope_test.c - a host among fibers: asked, looked at, its attempts tasks, its end the scope's.
//
// The bank over the fake store, in a simulated world. The executor is written in blocking style and
// cleans up after its cancellation, when the host has already forgotten the effect.
#include "base/cleanup.h"
#include "host/fake_suite.h"
#include "kit/kit.h"

#include <string.h>

typedef struct place {
    hy_world *world;
    fake_store store;
    hy_host *host;
    hy_scope *attempts;
    hy_ns takes;   // of an attempt
    hy_err fails;  // attempts before the `good`th end so
    uint32_t good; // number of the attempt that ends well
    uint32_t begun, ended, cleaned;
    uint32_t closes;
    hy_err close_err;  // of the latest of them
    hy_err seen_err;   // of the latest attempt's wait
    char seen_key[32]; // of the latest attempt
} place;

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err pay(void *self, const hy_effect *effect, void *out_completion) {
    place *p = self;
    const bank_pay_out *body = effect->body;
    p->begun++;
    hy_err err = hy_sleep(p->takes);
    p->seen_err = err;
    hy_err cleaning = HY_OK;
    HY_SCOPE(shield, &cleaning, .shield = HY_SECONDS(1)) {
        cleaning = hy_sleep(HY_MS(1));
    }
    // The copy is still good after the host gave the effect up.
    CHECK_EQ(body->cents, 30);
    size_t len = strlen(effect->key);
    CHECK(len < sizeof p->seen_key);
    memcpy(p->seen_key, effect->key, len + 1);
    p->ended++;
    if (err != HY_OK) return err;
    if (p->begun < p->good) return hy_why_set(effect->why, p->fails, "", "the bank is shut");
    ((bank_paid *)out_completion)->worked = true;
    return HY_OK;
}

static void told(void *self, hy_err err) {
    place *p = self;
    p->close_err = err;
    p->closes++;
}

// Opens host and executor in `scope`, and an account with money.
static hy_err open_bank(place *p, hy_scope *scope) {
    hy_executor limits = {
        .kind = BANK_DO_PAY, .self = p, .attempt_max_ns = HY_SECONDS(1), .backoff_min_ns = HY_MS(10)
    };
    hy_err err = hy_host_open_in(scope, &p->store.port, &bank_machine,
                                 HY_OPTIONS(hy_host, .closed = told, .closed_self = p),
                                 HY_SECONDS(5), &p->host, NULL);
    if (err == HY_OK) err = hy_host_executor_in(p->attempts, p->host, &limits, pay);
    if (err != HY_OK) return err;
    hy_host_start(p->host);
    bank_open body = { .owner = HY_BYTES("Ada"), .cents = 1000 };
    hy_call call = { .kind = BANK_IN_OPEN, .body = &body };
    err = hy_host_ask(p->host, &call);
    if (err != HY_OK) return err;
    bank_opened opened = { 0 };
    hy_arena arena;
    hy_arena_init(&arena, hy_world_mem(p->world), 0);
    err = hy_wire_decode(&bank_opened_record, call.reply, &arena, &opened, NULL);
    hy_arena_deinit(&arena);
    if (err == HY_OK) CHECK_EQ(opened.account, 1);
    return err;
}

static hy_err pay_out(place *p) {
    bank_pay_out body = { .account = 1, .cents = 30 };
    hy_call call = { .kind = BANK_IN_PAY_OUT, .body = &body };
    return hy_host_ask(p->host, &call);
}

static hy_err run(hy_mem *mem, hy_fn body, place *p) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    p->world = world;
    fake_store_init(&p->store, mem, NULL);
    hy_err err = hy_root_run(world, NULL, body, p);
    fake_store_deinit(&p->store);
    return kit_failed_allocation() ? HY_NOMEM : err; // calls may have been refused, attempts failed
}

// ---- asking ----

static uint64_t rows;

static void count_rows(hy_look *look, const hy_view *view) {
    (void)look;
    rows = hy_row_count(view, BANK_ACCOUNTS);
}

static hy_err asked(void *arg) {
    place *p = arg;
    p->attempts = hy_scope_current();
    hy_err err = open_bank(p, p->attempts);
    if (err != HY_OK) return err;
    bank_transfer body = { .from = 1, .to = 9, .cents = 5 };
    hy_call call = { .kind = BANK_IN_TRANSFER, .body = &body };
    err = hy_host_ask(p->host, &call);
    if (err != HY_REJECT) return err;
    CHECK_EQ(call.rejection, BANK_NO_ACCOUNT);
    hy_look look = { .look = count_rows };
    rows = 0;
    err = hy_host_see(p->host, &look);
    if (err != HY_OK) return err;
    CHECK_EQ(rows, 1);
    uint64_t before = hy_host_stats_of(p->host).accepted;
    HY_SCOPE(cancelled, NULL, .name = "cancelled") {
        hy_scope_cancel(cancelled, HY_CANCELLED);
        CHECK_EQ(pay_out(p), HY_CANCELLED);
        CHECK_EQ(hy_host_see(p->host, &look), HY_CANCELLED);
    }
    CHECK_EQ(hy_host_stats_of(p->host).accepted, before); // nothing was submitted
    return HY_OK;
}

static hy_err fiber_asks_and_its_scope_closes_the_host(hy_mem *mem) {
    place p = { 0 };
    hy_err err = run(mem, asked, &p);
    CHECK_EQ(p.closes, 1);
    CHECK_EQ(p.close_err, HY_OK);
    return err;
}

// ---- attempts ----

static hy_err attempted(void *arg) {
    place *p = arg;
    p->attempts = hy_scope_current();
    hy_err err = open_bank(p, p->attempts);
    if (err == HY_OK) err = pay_out(p);
    if (err == HY_OK) err = hy_sleep(HY_SECONDS(10));
    if (err != HY_OK) return err;
    if (kit_failed_allocation()) return HY_NOMEM;
    hy_host_stats stats = hy_host_stats_of(p->host);
    CHECK_EQ(stats.completions, 1);
    CHECK_EQ(stats.pending_actions, 0);
    if (p->good > 1) CHECK(strcmp(stats.last_failure, "the bank is shut") == 0);
    CHECK(strcmp(p->seen_key, "bank/1") == 0);
    return HY_OK;
}

static hy_err attempt_that_ends_well_completes_the_action(hy_mem *mem) {
    place p = { .takes = HY_MS(20) };
    hy_err err = run(mem, attempted, &p);
    if (err == HY_OK) CHECK_EQ(p.ended, 1);
    return err;
}

static hy_err attempt_that_fails_is_made_again(hy_mem *mem) {
    place p = { .takes = HY_MS(20), .good = 3, .fails = HY_IO };
    hy_err err = run(mem, attempted, &p);
    if (err == HY_OK) CHECK_EQ(p.ended, 3);
    return err;
}

static hy_err late(void *arg) {
    place *p = arg;
    p->attempts = hy_scope_current();
    hy_err err = open_bank(p, p->attempts);
    if (err == HY_OK) err = pay_out(p);
    if (err == HY_OK) err = hy_sleep(HY_MS(1500)); // the deadline of an attempt is a second
    if (err != HY_OK || kit_failed_allocation()) {
        hy_scope_cancel(p->attempts, HY_CANCELLED);
        return HY_NOMEM;
    }
    CHECK_EQ(p->seen_err, HY_TIMEOUT);
    CHECK(p->ended >= 1);
    CHECK_EQ(hy_host_stats_of(p->host).pending_actions, 1); // tried again
    hy_scope_cancel(p->attempts, HY_CANCELLED);             // or it would be, for ever
    return HY_OK;
}

static hy_err attempt_is_cancelled_at_its_deadline(hy_mem *mem) {
    place p = { .takes = HY_SECONDS(100) };
    hy_err err = run(mem, late, &p);
    return err == HY_CANCELLED ? HY_OK : err;
}

// ---- stopping ----

static hy_err stopped(void *arg) {
    place *p = arg;
    hy_scope *root = hy_scope_current();
    hy_err err = hy_scope_open(
        root, &(hy_scope_options){ .size = sizeof(hy_scope_options), .name = "attempts" },
        &p->attempts);
    if (err == HY_OK) err = open_bank(p, root);
    if (err == HY_OK) err = pay_out(p);
    if (err == HY_OK) err = hy_sleep(HY_MS(10));
    if (err == HY_OK && p->begun == 1) hy_scope_stop(root, HY_SECONDS(2));
    return err;
}

static hy_err attempt_under_way_is_drained(hy_mem *mem) {
    place p = { .takes = HY_MS(500) };
    hy_err err = run(mem, stopped, &p);
    if (err != HY_OK || kit_failed_allocation()) return HY_NOMEM;
    CHECK_EQ(p.ended, 1);
    CHECK_EQ(p.seen_err, HY_OK);
    CHECK_EQ(p.store.last_seq, 3); // opened, asked to pay, paid
    return HY_OK;
}

// The host goes on without its executors' scope, and the ledger keeps what comes.
static hy_err outlived(void *arg) {
    place *p = arg;
    hy_scope *root = hy_scope_current();
    hy_err err = hy_scope_open(
        root, &(hy_scope_options){ .size = sizeof(hy_scope_options), .name = "attempts" },
        &p->attempts);
    if (err == HY_OK) err = open_bank(p, root);
    if (err == HY_OK) err = hy_scope_close(p->attempts);
    if (err == HY_OK) err = pay_out(p);
    if (err == HY_OK) err = hy_sleep(HY_SECONDS(60));
    if (err != HY_OK) return err;
    CHECK_EQ(p->begun, 0);
    CHECK_EQ(hy_host_stats_of(p->host).pending_actions, 1);
    return HY_OK;
}

static hy_err host_may_outlive_the_scope_of_its_attempts(hy_mem *mem) {
    place p = { .takes = HY_MS(1) };
    return run(mem, outlived, &p);
}

static hy_err ended_first(void *arg) {
    place *p = arg;
    hy_err err = HY_OK;
    p->attempts = hy_scope_current();
    HY_SCOPE(inner, &err, .name = "inner") {
        err = open_bank(p, inner);
        if (err == HY_OK) err = pay_out(p);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
    }
    return err;
}

static hy_err scope_of_attempts_may_outlive_the_host(hy_mem *mem) {
    place p = { .takes = HY_MS(100) };
    hy_err err = run(mem, ended_first, &p);
    if (err == HY_OK) CHECK_EQ(p.ended, 1);
    return err;
}

// Once: a host without memory tries again until there is some, and who asked waits as long.
KIT_TESTS(KIT_TEST_ONCE(fiber_asks_and_its_scope_closes_the_host),
          KIT_TEST_ONCE(attempt_that_ends_well_completes_the_action),
          KIT_TEST_ONCE(attempt_that_fails_is_made_again),
          KIT_TEST_ONCE(attempt_is_cancelled_at_its_deadline),
          KIT_TEST_ONCE(attempt_under_way_is_drained),
          KIT_TEST_ONCE(host_may_outlive_the_scope_of_its_attempts),
          KIT_TEST_ONCE(scope_of_attempts_may_outlive_the_host))
