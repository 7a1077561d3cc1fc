// fleet_storm_test.c - many machines in one storm: what storm_test.c does to one bank, done to
// several that share a store, a committer and too little memory.
//
// The oracle is again a bank on paper, one for each key. Each operation belongs to one bank and is
// repeated until it has a final answer; a spy between committer and store forges outcomes, and
// knows for each bank what is durable: no answer may come earlier. Fewer banks may be in memory
// than there are, so that they are loaded and given up all the time, also with timers and actions
// owed; and after a crash nobody calls those who owe, so that the fleet must find them itself.
#include "host/fake_suite.h"
#include "host/fleet.h"
#include "base/cleanup.h"
#include "kit/kit.h"
#include <hypha/store.h>
#include <stdio.h>
#include <string.h>

#define STORM_OPS 120
#define STORM_OPS_FIRST 20
#define STORM_IDS_MAX 256
#define STORM_KEYS 6

// ---- the spy ----------------------------------------------------------------------------------

typedef struct storm_spy {
    hy_store port;
    hy_store *inner;
    hy_store_driver driver;
    uint64_t durable_seqs[STORM_KEYS];
    uint32_t numbers[STORM_KEYS]; // in the store; 0: nobody asked
    uint64_t *dice;
    uint32_t trouble; // percent of appends that go wrong
    bool working;     // calls never overlap
} storm_spy;

static hy_err spy_attach(hy_store *port, const hy_machine *machine, uint32_t *out, hy_why *why) {
    hy_store *inner = ((storm_spy *)port)->inner;
    return inner->driver->attach(inner, machine, out, why);
}

static uint64_t *spy_durable(storm_spy *spy, uint32_t number) {
    for (uint32_t i = 0; i < STORM_KEYS; i++) {
        if (spy->numbers[i] == number) return &spy->durable_seqs[i];
    }
    CHECK(false);
    return NULL;
}

static hy_err spy_instance(hy_store *port, uint32_t machine, hy_bytes key, uint32_t *out_number,
                           hy_why *why) {
    storm_spy *spy = (storm_spy *)port;
    const hy_err err = spy->inner->driver->instance(spy->inner, machine, key, out_number, why);
    CHECK(key.len == 1 && key.ptr[0] - 'a' < STORM_KEYS);
    if (err == HY_OK) spy->numbers[key.ptr[0] - 'a'] = *out_number;
    return err;
}

static hy_err spy_owing(hy_store *port, uint32_t machine, hy_bytes after, hy_buf *out_key,
                        hy_why *why) {
    storm_spy *spy = (storm_spy *)port;
    CHECK(!spy->working);
    if (kit_random(spy->dice) % 100 < spy->trouble) return HY_IO;
    return spy->inner->driver->owing(spy->inner, machine, after, out_key, why);
}

static hy_err spy_load(hy_store *port, uint32_t machine, hy_state *state, hy_why *why) {
    storm_spy *spy = (storm_spy *)port;
    CHECK(!spy->working);
    if (kit_random(spy->dice) % 100 < spy->trouble) return HY_IO;
    const hy_err err = spy->inner->driver->load(spy->inner, machine, state, why);
    if (err == HY_OK) {
        uint64_t *durable = spy_durable(spy, machine);
        CHECK(hy_state_seq(state) >= *durable); // what was promised is there
        *durable = hy_state_seq(state);
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
    for (size_t i = 0; i < count && commit == HY_COMMITTED; i++) {
        *spy_durable(spy, batches[i].machine) = batches[i].last_seq;
    }
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
    uint32_t bank; // which key
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
    hy_fleet *fleet;
    hy_fleet_options options;
    bool on_node; // the machines are actors of a node
    hy_node *node;
    hy_root *root;
    hy_event leave;
    bool booted;
    hy_err boot_err;
    storm_op ops[STORM_OPS];
    uint32_t op_count;
    storm_attempt attempts[4096];
    uint32_t attempt_count;
    int64_t asked[STORM_KEYS][STORM_IDS_MAX]; // cents, by action id: what the provider was asked
    uint32_t logged[STORM_KEYS][STORM_IDS_MAX];
    bool healed;
} storm;

static uint64_t storm_roll(storm *s, uint64_t below) {
    return kit_random(&s->dice) % below;
}

// The provider's decision: the same for a key, whenever it is asked.
static bool provider_agrees(uint32_t bank, uint64_t action_id) {
    return (action_id * 8 + bank) * UINT64_C(0x9e3779b97f4a7c15) >> 62 != 0;
}

static hy_bytes storm_key(uint32_t bank) {
    return (hy_bytes){ (const uint8_t *)"abcdef" + bank, 1 };
}

static uint32_t effect_bank(const hy_effect *effect) {
    CHECK_EQ(effect->instance.len, 1);
    return effect->instance.ptr[0] - 'a';
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
    const uint32_t bank = effect_bank(effect);
    const bank_paid paid = { .worked = provider_agrees(bank, id) };
    if (attempt->webhook) { // says it in another way as well, perhaps first
        attempt->call.body.paid = paid;
        attempt->call.call =
            (hy_call){ .kind = BANK_IN_PAID, .body = &attempt->call.body, .done = webhook_done };
        attempt->flying =
            hy_fleet_complete(s->fleet, storm_key(bank), id, &attempt->call.call) == HY_OK;
    }
    hy_effect_done(effect->host, effect, &paid);
}

static void provider_start(void *self, hy_effect *effect) {
    storm *s = self;
    const uint64_t id = effect->action_id;
    const bank_pay_out *body = effect->body;
    char key[32];
    const uint32_t bank = effect_bank(effect);
    (void)snprintf(key, sizeof key, "bank/%c/%u", (char)('a' + bank), (unsigned)id);
    CHECK(strcmp(key, effect->key) == 0 && id < STORM_IDS_MAX);
    int64_t *asked = &s->asked[bank][id];
    CHECK(*asked == 0 || *asked == body->cents); // one key, one request
    *asked = body->cents;
    const uint64_t mood = s->healed ? 3 : storm_roll(s, 6);
    if (mood == 0) {
        hy_effect_failed(effect->host, effect, "no mood");
        return;
    }
    if (mood == 1) { // at once
        hy_effect_done(effect->host, effect, &(bank_paid){ .worked = provider_agrees(bank, id) });
        return;
    }
    CHECK(s->attempt_count < sizeof s->attempts / sizeof s->attempts[0]);
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
    s->logged[effect_bank(effect)][effect->action_id]++;
    hy_effect_done(effect->host, effect, NULL);
}

// ---- processes --------------------------------------------------------------------------------

// The process: a node, a fleet on it, and then nothing but waiting for the end.
static hy_err storm_process(void *self) {
    storm *s = self;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "storm") {
        err = hy_node_open(scope, HY_OPTIONS(hy_node, .deterministic_ids = true), &s->node);
        if (err == HY_OK) {
            s->options.node = s->node;
            err =
                hy_fleet_open(s->world, &s->spy.port, &bank_machine, &s->options, &s->fleet, NULL);
        }
        s->boot_err = err;
        s->booted = true;
        if (err == HY_OK) err = hy_event_wait(&s->leave);
    }
    return err;
}

static void storm_process_ended(void *self, hy_err err) {
    storm *s = self;
    (void)err;
    s->root = NULL;
    s->node = NULL;
}

// The machine goes down under the process.
static void storm_process_lost(storm *s) {
    if (s->node != NULL) hy_node_abandon(s->node);
    hy_fleet_abandon(s->fleet);
    hy_root_abandon(s->root);
    s->fleet = NULL;
    s->node = NULL;
    s->root = NULL;
}

static void storm_process_leave(storm *s) {
    hy_event_set(&s->leave);
    for (int i = 0; i < 100000 && s->root != NULL && !hy_sim_has_crashed(s->world); i++) {
        hy_sim_advance(s->world, HY_MS(1));
    }
}

static hy_err storm_boot_on_node(storm *s) {
    s->leave = (hy_event){ 0 };
    s->booted = false;
    CHECK(hy_root_start(s->world, NULL, storm_process, s, storm_process_ended, s, &s->root) ==
          HY_OK);
    for (int i = 0; i < 100000 && !s->booted; i++) {
        CHECK(!hy_sim_has_crashed(s->world)); // attaching is done at once
        hy_sim_advance(s->world, HY_MS(1));
    }
    CHECK(s->booted);
    if (s->boot_err != HY_OK) {
        s->fleet = NULL;
        storm_process_leave(s);
    }
    return s->boot_err;
}

static hy_err storm_boot_once(storm *s, hy_why *why) {
    hy_err err = s->on_disk ? hy_store_sqlite_open(s->world, "storm.db", NULL, &s->store, why)
                            : hy_store_memory_open(hy_mem_system(), s->disk, &s->store);
    if (err != HY_OK) return err;
    s->spy.inner = s->store;
    const hy_fleet_options options = { .size = sizeof options,
                                       .machines_max = 2 + (uint32_t)storm_roll(s, STORM_KEYS),
                                       .queue_max = 2 + (uint32_t)storm_roll(s, 16),
                                       .batch_max = 1 + (uint32_t)storm_roll(s, 8),
                                       .twin = storm_roll(s, 2) == 0,
                                       .guard = storm_roll(s, 2) == 0 ? hy_guard_pages() : NULL,
                                       .group_bytes_max = 1 + storm_roll(s, 4000),
                                       .checkpoint_idle_ns = HY_MS(1 + storm_roll(s, 20)) };
    memset(s->spy.numbers, 0, sizeof s->spy.numbers); // a new process, perhaps new numbers
    s->options = options;
    if (s->on_node) {
        err = storm_boot_on_node(s);
        s->options.node = NULL;
    } else {
        err = hy_fleet_open(s->world, &s->spy.port, &bank_machine, &options, &s->fleet, why);
    }
    if (err != HY_OK) s->store = hy_store_close(s->store); // a process that could not start
    return err;
}

static void storm_boot(storm *s) {
    for (int tries = 0; s->fleet == NULL; tries++) {
        CHECK(tries < 100);
        hy_why why = { 0 };
        const hy_err err = storm_boot_once(s, &why);
        if (err == HY_OK) break;
        // The spy may fail the load, and the power may go while the file is opened.
        if (hy_sim_has_crashed(s->world)) {
            hy_sim_restart(s->world);
            hy_sim_crash_at(s->world, 0);
        } else if (err != HY_IO || s->spy.trouble == 0) {
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
    CHECK(hy_fleet_executor(s->fleet, &pay) == HY_OK && hy_fleet_executor(s->fleet, &log) == HY_OK);
    hy_fleet_start(s->fleet);
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
    storm_process_lost(s);
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
    s->fleet = NULL;
}

// ---- clients ----------------------------------------------------------------------------------

static void client_done(hy_call *call) {
    fake_call *c = (fake_call *)call;
    storm *s = (storm *)(void *)c->of;
    storm_op *op = &s->ops[(uint8_t)c->name];
    op->flying[c == &op->calls[1]] = false;
    const bool is_final = call->err == HY_OK || call->err == HY_REJECT;
    if (!is_final) {
        CHECK(call->err == HY_NOT_COMMITTED || call->err == HY_CLOSED || call->err == HY_IO ||
              call->err == HY_OUTCOME_UNKNOWN || (s->on_node && call->err == HY_LIMIT));
        return;
    }
    CHECK(call->seq <= s->spy.durable_seqs[op->bank]); // not before it is durable
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
    const hy_err err = hy_fleet_submit(s->fleet, storm_key(op->bank), &c->call);
    CHECK(err == HY_OK || err == HY_LIMIT || err == HY_CLOSED);
    op->flying[which] = err == HY_OK;
}

// An account that the paper bank knows, or 0.
static uint64_t client_account(storm *s, uint32_t bank) {
    const storm_op *op = &s->ops[storm_roll(s, s->op_count)];
    return op->bank == bank ? op->account : 0;
}

static void client_new_op(storm *s) {
    if (s->op_count == STORM_OPS) return;
    storm_op *op = &s->ops[s->op_count];
    *op = (storm_op){ 0 };
    (void)snprintf(op->key, sizeof op->key, "op-%u", s->op_count);
    op->bank = (uint32_t)storm_roll(s, STORM_KEYS);
    const uint64_t from = s->op_count > STORM_OPS_FIRST ? client_account(s, op->bank) : 0;
    const uint64_t to = from != 0 ? client_account(s, op->bank) : 0;
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
    uint32_t bank;
    bool done;
} storm_audit;

static void audit_payouts(storm *s, uint32_t bank, const hy_view *view, int64_t *balances) {
    hy_cursor cursor = hy_cursor_at(view, BANK_PAYOUTS, NULL);
    const bank_payout *payout = NULL;
    uint32_t count = 0;
    while ((payout = hy_cursor_next(&cursor)) != NULL) {
        CHECK(payout->id < STORM_IDS_MAX);
        CHECK_EQ(s->asked[bank][payout->id], payout->cents); // asked at least once, for just that
        CHECK_EQ(payout->state,
                 provider_agrees(bank, payout->id) ? BANK_PAYOUT_PAID : BANK_PAYOUT_REFUNDED);
        if (payout->state == BANK_PAYOUT_REFUNDED) balances[payout->account] += payout->cents;
        count++;
    }
    for (uint32_t i = 0; i < s->op_count; i++) {
        const storm_op *op = &s->ops[i];
        count -= op->bank == bank && op->kind == BANK_IN_PAY_OUT && op->err == HY_OK;
    }
    CHECK_EQ(count, 0); // as many payouts as were answered with yes
}

static void audit_look(hy_look *look, const hy_view *view) {
    storm *s = ((storm_audit *)look)->of;
    const uint32_t bank = ((storm_audit *)look)->bank;
    int64_t balances[STORM_IDS_MAX] = { 0 };
    uint32_t accounts = 0;
    for (uint32_t i = 0; i < s->op_count; i++) {
        const storm_op *op = &s->ops[i];
        if (op->bank != bank || op->err != HY_OK) continue;
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
    audit_payouts(s, bank, view, balances);
    CHECK_EQ(hy_row_count(view, BANK_ACCOUNTS), accounts);
    CHECK_EQ(hy_row_count(view, HY_LEDGER), 0);
    hy_cursor cursor = hy_cursor_at(view, BANK_ACCOUNTS, NULL);
    const bank_account *account = NULL;
    while ((account = hy_cursor_next(&cursor)) != NULL) {
        CHECK_EQ(account->cents, balances[account->id]);
    }
    for (uint32_t i = 0; i < STORM_IDS_MAX; i++) {
        CHECK(s->logged[bank][i] <= 1);
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
    hy_fleet_stats stats = { 0 };
    hyi_part_stats(&s->fleet->parts[0], &stats); // one thread, whatever it runs on
    return stats.machines.pending_actions == 0 && stats.asleep == 0 && stats.opening == 0;
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
        hy_fleet_close(s->fleet, storm_closed, s,
                       hy_world_now(s->world) + HY_MS(storm_roll(s, 200)));
        for (int i = 0; i < 100000 && s->fleet != NULL && !hy_sim_has_crashed(s->world); i++) {
            hy_sim_advance(s->world, HY_MS(1));
        }
        if (s->fleet != NULL) { // the power went meanwhile
            storm_crash(s);
        } else {
            if (s->on_node) storm_process_leave(s);
            if (s->root != NULL) { // the power went now
                storm_crash(s);
            } else {
                s->store = hy_store_close(s->store);
            }
        }
        storm_boot(s);
    }
}

static void storm_freep(storm **s) {
    if (*s == NULL) return;
    if ((*s)->fleet != NULL || (*s)->root != NULL) storm_crash(*s);
    (void)hy_store_close((*s)->store);
    (void)hy_world_close((*s)->world);
    (void)hy_store_disk_free((*s)->disk);
    hy_mem_free(hy_mem_system(), *s, sizeof **s);
}

static void storm_verify(storm *s, uint32_t bank) {
    hy_verify_result result = { 0 };
    hy_why why = { 0 };
    if (s->spy.durable_seqs[bank] == 0) return; // nobody came
    const hy_err err = hy_host_verify(
        s->store, &bank_machine, HY_OPTIONS(hy_verify, .instance = storm_key(bank)), &result, &why);
    if (err != HY_OK) kit_fail(__FILE__, __LINE__, "verify: %s %s", why.place, why.text);
    CHECK_EQ(result.seq, s->spy.durable_seqs[bank]);
}

static hy_err storm_run(uint64_t seed, bool on_disk, bool on_node, uint64_t *out_digest) {
    HY_CLEANUP(storm_freep) storm *s = hy_mem_alloc_zero(hy_mem_system(), sizeof *s);
    CHECK(s != NULL);
    s->dice = seed;
    s->on_disk = on_disk;
    s->on_node = on_node;
    s->spy.driver = (hy_store_driver){ .name = "spy",
                                       .attach = spy_attach,
                                       .instance = spy_instance,
                                       .owing = spy_owing,
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
        if (turns == 2500) { // the weather clears: from now on there must be progress
            s->healed = true;
            storm_weather(s, false);
        }
        CHECK(turns < 6000);
        clients_act(s);
        hy_sim_advance(s->world, (hy_ns)storm_roll(s, (uint64_t)HY_MS(4)));
        storm_restart_now_and_then(s);
    }
    storm_weather(s, false);
    hy_sim_crash_at(s->world, 0);             // no more power cuts but those below
    hy_sim_advance(s->world, HY_SECONDS(10)); // what is still under way ends
    for (int i = 0; i < 2; i++) {             // as it stands, and as the next process finds it
        for (uint32_t bank = 0; bank < STORM_KEYS; bank++) {
            storm_audit audit = { .look = { .look = audit_look, .done = audit_done },
                                  .of = s,
                                  .bank = bank };
            CHECK_OK(hy_fleet_look(s->fleet, storm_key(bank), &audit.look));
            hy_sim_advance(s->world, HY_SECONDS(1));
            CHECK(audit.done);
        }
        storm_crash(s);
        storm_boot(s);
    }
    for (uint32_t bank = 0; bank < STORM_KEYS; bank++) {
        storm_verify(s, bank);
    }
    *out_digest = hy_sim_digest(s->world);
    return HY_OK;
}

static hy_err storms_leave_the_books_right_in_memory(hy_mem *mem) {
    (void)mem;
    for (uint64_t i = 0; i < 80; i++) {
        uint64_t digest = 0;
        CHECK_OK(storm_run(kit_seed() * 1000 + i, false, false, &digest));
    }
    return HY_OK;
}

static hy_err storms_leave_the_books_right_on_a_faulty_disk(hy_mem *mem) {
    (void)mem;
    for (uint64_t i = 0; i < 40; i++) {
        uint64_t digest = 0;
        CHECK_OK(storm_run(kit_seed() * 1000 + i, true, false, &digest));
    }
    return HY_OK;
}

static hy_err actors_leave_the_books_right(hy_mem *mem) {
    (void)mem;
    for (uint64_t i = 0; i < 60; i++) {
        uint64_t digest = 0;
        CHECK_OK(storm_run(kit_seed() * 1000 + i, i % 3 == 0, true, &digest));
    }
    return HY_OK;
}

// Everything that a fleet does follows from its seed: a failure can be run again.
static hy_err the_same_seed_is_the_same_storm(hy_mem *mem) {
    (void)mem;
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t first = 0, second = 0;
        CHECK_OK(storm_run(kit_seed() * 1000 + i, i % 2 == 0, i % 3 == 0, &first));
        CHECK_OK(storm_run(kit_seed() * 1000 + i, i % 2 == 0, i % 3 == 0, &second));
        CHECK_EQ(first, second);
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(storms_leave_the_books_right_in_memory),
          KIT_TEST_ONCE(storms_leave_the_books_right_on_a_faulty_disk),
          KIT_TEST_ONCE(actors_leave_the_books_right),
          KIT_TEST_ONCE(the_same_seed_is_the_same_storm))
