// storm_test.c - everything at once, by seed: clients that repeat themselves, commits that fail or
// end unknown, a payment provider with moods, crashes and restarts. Afterwards the books must be
// right.
//
// The oracle is a bank on paper. Every operation carries an idempotency key and is repeated until
// it has a final answer; so at the end each has happened exactly once or was rejected, and balances
// follow by adding up. The provider remembers what it was asked under which key; each payout must
// end as the provider decided, and each line of the untracked log may be seen once at most. A spy
// between host and store forges outcomes, and knows what is durable: no answer may come earlier.
#include "host/fake_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"
#include <hypha/store.h>
#include <stdio.h>
#include <string.h>

#define STORM_OPS 60
#define STORM_ACCOUNTS_FIRST 6
#define STORM_IDS_MAX 1024

// ---- the spy ----------------------------------------------------------------------------------

typedef struct storm_spy {
    hy_store port;
    hy_store *inner;
    hy_store_driver driver;
    uint64_t durable_seq;
    uint64_t *dice;
    uint32_t trouble; // percent of appends that go wrong
    bool load_failed; // by the spy
    bool working;     // calls never overlap
} storm_spy;

static hy_err spy_attach(hy_store *port, const hy_machine *machine, uint32_t *out, hy_why *why) {
    hy_store *inner = ((storm_spy *)port)->inner;
    return inner->driver->attach(inner, machine, out, why);
}

static hy_err spy_load(hy_store *port, uint32_t machine, hy_state *state, hy_why *why) {
    storm_spy *spy = (storm_spy *)port;
    CHECK(!spy->working);
    if (kit_random(spy->dice) % 100 < spy->trouble) {
        spy->load_failed = true;
        return HY_IO;
    }
    const hy_err err = spy->inner->driver->load(spy->inner, machine, state, why);
    if (err == HY_OK) {
        CHECK(hy_state_seq(state) >= spy->durable_seq); // what was promised is there
        spy->durable_seq = hy_state_seq(state);
    }
    return err;
}

static hy_commit spy_append(hy_store *port, const hy_batch *batches, size_t count, hy_why *why) {
    storm_spy *spy = (storm_spy *)port;
    CHECK(!spy->working);
    const uint64_t mood = kit_random(spy->dice) % 300;
    if (mood < spy->trouble) return HY_COMMIT_REFUSED;
    if (mood < 2 * spy->trouble) return HY_COMMIT_UNKNOWN;
    spy->working = true;
    const hy_commit commit = spy->inner->driver->append(spy->inner, batches, count, why);
    spy->working = false;
    if (mood < 3 * spy->trouble) return HY_COMMIT_UNKNOWN;
    if (commit == HY_COMMITTED) spy->durable_seq = batches[count - 1].last_seq;
    return commit;
}

static hy_err spy_checkpoint(hy_store *port, hy_why *why) {
    storm_spy *spy = (storm_spy *)port;
    CHECK(!spy->working);
    return spy->inner->driver->checkpoint(spy->inner, why);
}

static hy_err spy_journal_open(hy_store *port, uint32_t machine, uint64_t from_seq,
                               hy_journal_cursor **out, hy_why *why) {
    hy_store *inner = ((storm_spy *)port)->inner;
    return inner->driver->journal_open(inner, machine, from_seq, out, why);
}

// ---- the storm --------------------------------------------------------------------------------

typedef struct storm_op {
    uint32_t kind;
    char key[16];
    fake_call calls[2]; // the same request, perhaps twice at a time
    bool flying[2];
    bool done;
    hy_err err;
    uint64_t account; // of an open
    bank_open open;
    bank_transfer transfer;
    bank_pay_out pay_out;
} storm_op;

typedef struct storm_attempt { // what the provider will do, if it lives to see it
    hy_timer timer;
    struct storm *of;
    hy_effect *effect;
    bool webhook;
    fake_call call;
    bool flying;
} storm_attempt;

typedef struct storm {
    uint64_t dice;
    bool on_disk; // SQLite on the simulated disk, else memory
    hy_world *world;
    hy_store_disk *disk;
    hy_store *store;
    storm_spy spy;
    hy_host *host;
    storm_op ops[STORM_OPS];
    uint32_t op_count;
    storm_attempt attempts[STORM_IDS_MAX];
    uint32_t attempt_count;
    int64_t asked[STORM_IDS_MAX]; // cents, by action id: what the provider was asked
    uint32_t logged[STORM_IDS_MAX];
    bool healed;
} storm;

static uint64_t storm_roll(storm *s, uint64_t below) {
    return kit_random(&s->dice) % below;
}

// The provider's decision: the same for a key, whenever it is asked.
static bool provider_agrees(uint64_t action_id) {
    return action_id * UINT64_C(0x9e3779b97f4a7c15) >> 62 != 0;
}

static void webhook_done(hy_call *call) {
    storm_attempt *attempt =
        (storm_attempt *)(void *)((uint8_t *)call - offsetof(storm_attempt, call));
    attempt->flying = false;
}

static void provider_answers(hy_timer *timer) {
    storm_attempt *attempt = (storm_attempt *)timer;
    storm *s = attempt->of;
    hy_effect *effect = attempt->effect;
    if (effect == NULL) return; // cancelled
    attempt->effect = NULL;
    const uint64_t id = effect->action_id;
    const bank_paid paid = { .worked = provider_agrees(id) };
    if (attempt->webhook) { // says it in another way as well, perhaps first
        attempt->call.body.paid = paid;
        attempt->call.call =
            (hy_call){ .kind = BANK_IN_PAID, .body = &attempt->call.body, .done = webhook_done };
        attempt->flying = hy_host_complete(s->host, id, &attempt->call.call) == HY_OK;
    }
    hy_effect_done(s->host, effect, &paid);
}

static void provider_start(void *self, hy_effect *effect) {
    storm *s = self;
    const uint64_t id = effect->action_id;
    const bank_pay_out *body = effect->body;
    char key[32];
    (void)snprintf(key, sizeof key, "bank/%u", (unsigned)id);
    CHECK(strcmp(key, effect->key) == 0 && id < STORM_IDS_MAX);
    CHECK(s->asked[id] == 0 || s->asked[id] == body->cents); // one key, one request
    s->asked[id] = body->cents;
    const uint64_t mood = s->healed ? 3 : storm_roll(s, 6);
    if (mood == 0) {
        hy_effect_failed(s->host, effect, "no mood");
        return;
    }
    if (mood == 1) { // at once
        hy_effect_done(s->host, effect, &(bank_paid){ .worked = provider_agrees(id) });
        return;
    }
    CHECK(s->attempt_count < STORM_IDS_MAX);
    storm_attempt *attempt = &s->attempts[s->attempt_count++];
    *attempt = (storm_attempt){
        .timer.done = provider_answers, .of = s, .effect = effect, .webhook = mood == 4
    };
    effect->executor_data = attempt;
    if (mood == 2) return; // never answers: the deadline will come
    const hy_ns delay = HY_MS(storm_roll(s, 30));
    CHECK(hy_timer_at(s->world, &attempt->timer, hy_world_now(s->world) + delay) == HY_OK);
}

static void provider_cancel(void *self, hy_effect *effect) {
    (void)self;
    ((storm_attempt *)effect->executor_data)->effect = NULL;
}

static void log_start(void *self, hy_effect *effect) {
    storm *s = self;
    CHECK(effect->action_id < STORM_IDS_MAX);
    s->logged[effect->action_id]++;
    hy_effect_done(s->host, effect, NULL);
}

// ---- processes --------------------------------------------------------------------------------

static hy_err storm_boot_once(storm *s, hy_why *why) {
    hy_err err = s->on_disk ? hy_store_sqlite_open(s->world, "storm.db", NULL, &s->store, why)
                            : hy_store_memory_open(hy_mem_system(), s->disk, &s->store);
    if (err != HY_OK) return err;
    s->spy.inner = s->store;
    const hy_host_options options = { .size = sizeof options,
                                      .queue_max = 2 + (uint32_t)storm_roll(s, 16),
                                      .batch_max = 1 + (uint32_t)storm_roll(s, 8),
                                      .twin = storm_roll(s, 2) == 0,
                                      .guard = storm_roll(s, 2) == 0 ? hy_guard_pages() : NULL,
                                      .checkpoint_idle_ns = HY_MS(1 + storm_roll(s, 20)) };
    err = hy_host_open(s->world, &s->spy.port, &bank_machine, &options, &s->host, why);
    if (err != HY_OK) s->store = hy_store_close(s->store); // a process that could not start
    return err;
}

static void storm_boot(storm *s) {
    for (int tries = 0; s->host == NULL; tries++) {
        CHECK(tries < 100);
        hy_why why = { 0 };
        const hy_err err = storm_boot_once(s, &why);
        if (err == HY_OK) break;
        // The spy may fail the load, and the power may go while the file is opened.
        if (hy_sim_has_crashed(s->world)) {
            hy_sim_restart(s->world);
            hy_sim_crash_at(s->world, 0);
        } else if (s->spy.load_failed || (err == HY_IO && s->spy.trouble > 0)) {
            s->spy.load_failed = false;
        } else {
            kit_fail(__FILE__, __LINE__, "boot: %s %s %s", hy_err_name(err), why.place, why.text);
        }
    }
    const hy_executor pay = { .kind = BANK_DO_PAY,
                              .self = s,
                              .start = provider_start,
                              .cancel = provider_cancel,
                              .attempt_max_ns = HY_MS(50),
                              .backoff_min_ns = HY_MS(1),
                              .backoff_max_ns = HY_MS(20),
                              .parallel_max = 3 };
    const hy_executor log = { .kind = BANK_DO_LOG, .self = s, .start = log_start };
    CHECK(hy_host_executor(s->host, &pay) == HY_OK && hy_host_executor(s->host, &log) == HY_OK);
    hy_host_start(s->host);
}

// The disk stops first, so that closing the store frees its memory and cannot tidy up: a process
// that is gone does not.
static void storm_crash(storm *s) {
    if (!hy_sim_has_crashed(s->world)) {
        hy_sim_crash_at(s->world, hy_sim_disk_calls(s->world) + 1);
    }
    s->store = hy_store_close(s->store);
    hy_sim_restart(s->world);
    hy_sim_crash_at(s->world, 0);
    hy_host_abandon(s->host);
    s->host = NULL;
    s->spy.working = false;
    for (uint32_t i = 0; i < s->op_count; i++) {
        s->ops[i].flying[0] = s->ops[i].flying[1] = false; // nobody will answer those
    }
    for (uint32_t i = 0; i < s->attempt_count; i++) {
        s->attempts[i] = (storm_attempt){ 0 };
    }
}

static void storm_closed(void *self, hy_err err) {
    storm *s = self;
    CHECK(err == HY_OK || err == HY_TIMEOUT || err == HY_IO); // a last checkpoint may fail
    s->host = NULL;
}

// ---- clients ----------------------------------------------------------------------------------

static void client_done(hy_call *call) {
    fake_call *c = (fake_call *)call;
    storm *s = (storm *)(void *)c->of;
    storm_op *op = &s->ops[(uint8_t)c->name];
    op->flying[c == &op->calls[1]] = false;
    const bool is_final = call->err == HY_OK || call->err == HY_REJECT;
    if (!is_final) {
        CHECK(call->err == HY_NOT_COMMITTED || call->err == HY_CLOSED ||
              call->err == HY_OUTCOME_UNKNOWN);
        return;
    }
    CHECK(call->seq <= s->spy.durable_seq); // not before it is durable
    if (op->done) {
        CHECK(op->err == call->err); // the same key, the same answer
    }
    uint64_t account = 0;
    if (op->kind == BANK_IN_OPEN && call->err == HY_OK) {
        HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
        hy_arena_init(&arena, hy_mem_system(), 0);
        bank_opened opened;
        CHECK(hy_wire_decode(&bank_opened_record, call->reply, &arena, &opened, NULL) == HY_OK);
        account = opened.account;
        CHECK(op->account == 0 || op->account == account);
    }
    op->done = true;
    op->err = call->err;
    op->account = account;
}

static void client_submit(storm *s, uint32_t index, uint32_t which) {
    storm_op *op = &s->ops[index];
    if (op->flying[which]) return;
    fake_call *c = &op->calls[which];
    c->of = (fake_host *)(void *)s;
    c->name = (char)index;
    const void *body = op->kind == BANK_IN_OPEN       ? (const void *)&op->open
                       : op->kind == BANK_IN_TRANSFER ? (const void *)&op->transfer
                                                      : (const void *)&op->pay_out;
    c->call = (hy_call){
        .kind = op->kind, .body = body, .key = hy_bytes_of(op->key), .done = client_done
    };
    const hy_err err = hy_host_submit(s->host, &c->call);
    CHECK(err == HY_OK || err == HY_LIMIT || err == HY_CLOSED);
    op->flying[which] = err == HY_OK;
}

// An account that the paper bank knows, or 0.
static uint64_t client_account(storm *s) {
    const storm_op *op = &s->ops[storm_roll(s, s->op_count)];
    return op->account;
}

static void client_new_op(storm *s) {
    if (s->op_count == STORM_OPS) return;
    storm_op *op = &s->ops[s->op_count];
    *op = (storm_op){ 0 };
    (void)snprintf(op->key, sizeof op->key, "op-%u", s->op_count);
    const uint64_t from = s->op_count > STORM_ACCOUNTS_FIRST ? client_account(s) : 0;
    const uint64_t to = from != 0 ? client_account(s) : 0;
    const int64_t cents = 1 + (int64_t)storm_roll(s, 400);
    if (from == 0) {
        op->kind = BANK_IN_OPEN;
        op->open = (bank_open){ .owner = HY_BYTES("Ada"), .cents = cents };
    } else if (to != 0 && to != from && storm_roll(s, 2) == 0) {
        op->kind = BANK_IN_TRANSFER;
        op->transfer = (bank_transfer){ .from = from, .to = to, .cents = cents };
    } else {
        op->kind = BANK_IN_PAY_OUT;
        op->pay_out = (bank_pay_out){ .account = from, .cents = cents };
    }
    s->op_count++;
}

static void clients_act(storm *s) {
    if (storm_roll(s, 3) > 0) client_new_op(s);
    for (uint32_t i = 0; i < s->op_count; i++) {
        storm_op *op = &s->ops[i];
        // Some repeat themselves although they were answered.
        if (op->done && (s->healed || storm_roll(s, 40) > 0)) continue;
        if (storm_roll(s, 3) == 0) client_submit(s, i, 0);
        if (storm_roll(s, 6) == 0) client_submit(s, i, 1);
    }
}

// ---- the books --------------------------------------------------------------------------------

typedef struct storm_audit {
    hy_look look;
    storm *of;
    bool done;
} storm_audit;

static void audit_payouts(storm *s, const hy_view *view, int64_t *balances) {
    hy_cursor cursor = hy_cursor_at(view, BANK_PAYOUTS, NULL);
    const bank_payout *payout = NULL;
    uint32_t count = 0;
    while ((payout = hy_cursor_next(&cursor)) != NULL) {
        CHECK(payout->id < STORM_IDS_MAX);
        CHECK_EQ(s->asked[payout->id], payout->cents); // asked at least once, for just that
        CHECK_EQ(payout->state,
                 provider_agrees(payout->id) ? BANK_PAYOUT_PAID : BANK_PAYOUT_REFUNDED);
        if (payout->state == BANK_PAYOUT_REFUNDED) balances[payout->account] += payout->cents;
        count++;
    }
    for (uint32_t i = 0; i < s->op_count; i++) {
        count -= s->ops[i].kind == BANK_IN_PAY_OUT && s->ops[i].err == HY_OK;
    }
    CHECK_EQ(count, 0); // as many payouts as were answered with yes
}

static void audit_look(hy_look *look, const hy_view *view) {
    storm *s = ((storm_audit *)look)->of;
    int64_t balances[STORM_IDS_MAX] = { 0 };
    uint32_t accounts = 0;
    for (uint32_t i = 0; i < s->op_count; i++) {
        const storm_op *op = &s->ops[i];
        if (op->err != HY_OK) continue;
        switch (op->kind) {
        case BANK_IN_OPEN:
            accounts++;
            balances[op->account] += op->open.cents;
            break;
        case BANK_IN_TRANSFER:
            balances[op->transfer.from] -= op->transfer.cents;
            balances[op->transfer.to] += op->transfer.cents;
            break;
        default: balances[op->pay_out.account] -= op->pay_out.cents;
        }
    }
    audit_payouts(s, view, balances);
    CHECK_EQ(hy_row_count(view, BANK_ACCOUNTS), accounts);
    CHECK_EQ(hy_row_count(view, HY_LEDGER), 0);
    hy_cursor cursor = hy_cursor_at(view, BANK_ACCOUNTS, NULL);
    const bank_account *account = NULL;
    while ((account = hy_cursor_next(&cursor)) != NULL) {
        CHECK_EQ(account->cents, balances[account->id]);
    }
    for (uint32_t i = 0; i < STORM_IDS_MAX; i++) {
        CHECK(s->logged[i] <= 1);
    }
}

static void audit_done(hy_look *look) {
    CHECK(look->err == HY_OK);
    ((storm_audit *)look)->done = true;
}

// ---- the weather ------------------------------------------------------------------------------

// Trouble at the device, too; or the end of all trouble.
static void storm_weather(storm *s, bool is_rough) {
    hy_sim_faults faults = { 0 };
    if (is_rough) {
        faults.read_error_ppm = (uint32_t)storm_roll(s, 1000);
        faults.write_error_ppm = (uint32_t)storm_roll(s, 3000);
        faults.sync_error_ppm = (uint32_t)storm_roll(s, 6000);
        faults.sync_error_drops = storm_roll(s, 2) == 0;
    }
    hy_sim_set_faults(s->world, &faults);
    s->spy.trouble = is_rough ? 1 + (uint32_t)storm_roll(s, 30) : 0;
}

static bool storm_is_over(const storm *s) {
    if (s->op_count < STORM_OPS) return false;
    for (uint32_t i = 0; i < s->op_count; i++) {
        if (!s->ops[i].done || s->ops[i].flying[0] || s->ops[i].flying[1]) return false;
    }
    return hy_host_stats_of(s->host).pending_actions == 0;
}

static void storm_restart_now_and_then(storm *s) {
    const uint64_t fate = s->healed ? 99 : storm_roll(s, 40);
    if (fate == 0) { // power off
        storm_crash(s);
        storm_boot(s);
    }
    if (fate == 1 && s->on_disk) { // power off in the middle of writing
        hy_sim_crash_at(s->world, hy_sim_disk_calls(s->world) + 1 + storm_roll(s, 20));
    }
    if (hy_sim_has_crashed(s->world)) {
        storm_crash(s);
        storm_boot(s);
    }
    if (fate == 2) { // an orderly restart
        hy_host_close(s->host, storm_closed, s, hy_world_now(s->world) + HY_MS(storm_roll(s, 200)));
        for (int i = 0; i < 100000 && s->host != NULL && !hy_sim_has_crashed(s->world); i++) {
            hy_sim_advance(s->world, HY_MS(1));
        }
        if (s->host != NULL) { // the power went meanwhile
            storm_crash(s);
        } else {
            s->store = hy_store_close(s->store);
        }
        storm_boot(s);
    }
}

static void storm_freep(storm **s) {
    if (*s == NULL) return;
    if ((*s)->host != NULL) storm_crash(*s);
    (void)hy_store_close((*s)->store);
    (void)hy_world_close((*s)->world);
    (void)hy_store_disk_free((*s)->disk);
    hy_mem_free(hy_mem_system(), *s, sizeof **s);
}

static hy_err storm_run(uint64_t seed, bool on_disk) {
    HY_CLEANUP(storm_freep) storm *s = hy_mem_alloc_zero(hy_mem_system(), sizeof *s);
    CHECK(s != NULL);
    s->dice = seed;
    s->on_disk = on_disk;
    s->spy.driver = (hy_store_driver){ .name = "spy",
                                       .attach = spy_attach,
                                       .load = spy_load,
                                       .append = spy_append,
                                       .checkpoint = spy_checkpoint,
                                       .journal_open = spy_journal_open };
    s->spy.port.driver = &s->spy.driver;
    s->spy.dice = &s->dice;
    CHECK_OK(
        hy_sim_open(HY_OPTIONS(hy_sim, .seed = seed, .delay_max = HY_MS(1 + seed % 5)), &s->world));
    CHECK_OK(hy_store_disk_new(hy_mem_system(), &s->disk));
    storm_weather(s, seed % 8 != 0);
    storm_boot(s);
    const hy_store_driver *inner = s->store->driver; // cursors are the inner store's
    s->spy.driver.journal_next = inner->journal_next;
    s->spy.driver.journal_close = inner->journal_close;
    for (int turns = 0; !storm_is_over(s); turns++) {
        if (turns == 1500) { // the weather clears: from now on there must be progress
            s->healed = true;
            storm_weather(s, false);
        }
        CHECK(turns < 4000);
        clients_act(s);
        hy_sim_advance(s->world, (hy_ns)storm_roll(s, (uint64_t)HY_MS(4)));
        storm_restart_now_and_then(s);
    }
    storm_weather(s, false);
    hy_sim_crash_at(s->world, 0); // no more power cuts but those below
    storm_audit audit = { .look = { .look = audit_look, .done = audit_done }, .of = s };
    hy_sim_advance(s->world, HY_SECONDS(10)); // what is still under way ends
    for (int i = 0; i < 2; i++) {             // as it stands, and as the next process finds it
        audit.done = false;
        CHECK_OK(hy_host_look(s->host, &audit.look));
        hy_sim_advance(s->world, HY_SECONDS(1));
        CHECK(audit.done);
        storm_crash(s);
        storm_boot(s);
    }
    hy_verify_result result = { 0 };
    hy_why why = { 0 };
    const hy_err err = hy_host_verify(s->store, &bank_machine, NULL, &result, &why);
    if (err != HY_OK) kit_fail(__FILE__, __LINE__, "verify: %s %s", why.place, why.text);
    CHECK_EQ(result.seq, s->spy.durable_seq);
    return HY_OK;
}

static hy_err storms_leave_the_books_right_in_memory(hy_mem *mem) {
    (void)mem;
    for (uint64_t i = 0; i < 150; i++) {
        const uint64_t seed = kit_seed() * 1000 + i;
        CHECK_OK(storm_run(seed, false));
    }
    return HY_OK;
}

static hy_err storms_leave_the_books_right_on_a_faulty_disk(hy_mem *mem) {
    (void)mem;
    for (uint64_t i = 0; i < 100; i++) {
        const uint64_t seed = kit_seed() * 1000 + i;
        CHECK_OK(storm_run(seed, true));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(storms_leave_the_books_right_in_memory),
          KIT_TEST_ONCE(storms_leave_the_books_right_on_a_faulty_disk))
