// fleet_node_test.c - a fleet whose machines work on the workers of a node.
//
// The same program in a simulated world, which has one worker, and in the real one with one and
// with three: many tellers ask many banks at once, money is paid out by attempts on the fleet's own
// thread, machines are given up and loaded again all the time, and an observer adds up what it is
// told. In the end the banks, the observer and the tellers must agree to the cent.
#include <hypha/host.h>
#include <hypha/store.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "machine/bank_suite.h"

#define PORT_BANKS 24u
#define PORT_TELLERS 16u
#define PORT_ROUNDS 12u

typedef struct port port;
struct port {
    hy_mem *mem;
    hy_world *world;
    uint32_t workers;
    hy_store *store;
    hy_node *node;
    hy_fleet *fleet;
    uint64_t opened[PORT_BANKS]; // accounts, as the tellers were told
    int64_t told[PORT_BANKS];    // cents of accounts, as the observer was told
    uint64_t told_rows;
    uint32_t paid;      // attempts that ended well
    uint32_t asked_for; // payouts that were accepted
    uint32_t tellers_done;
    hy_err (*work)(port *p, hy_scope *scope);
};

static void port_key(uint32_t bank, char out[8]) {
    (void)snprintf(out, 8, "bank%02u", bank % 100);
}

static void port_changed(void *self, hy_bytes key, uint64_t seq, uint32_t table, const void *before,
                         const void *after) {
    port *p = self;
    (void)seq;
    if (table != BANK_ACCOUNTS) return;
    CHECK_EQ(key.len, 6);
    const uint32_t bank = (uint32_t)(key.ptr[4] - '0') * 10 + (uint32_t)(key.ptr[5] - '0');
    const bank_account *was = before, *is = after;
    p->told[bank] += (is != NULL ? is->cents : 0) - (was != NULL ? was->cents : 0);
    p->told_rows++;
}

static hy_err port_pay(void *self, const hy_effect *effect, void *out_completion) {
    port *p = self;
    char key[64];
    (void)snprintf(key, sizeof key, "bank/%.*s/", (int)effect->instance.len,
                   (const char *)effect->instance.ptr);
    CHECK(strncmp(effect->key, key, strlen(key)) == 0);
    hy_err err = hy_sleep(HY_MS(1));
    if (err == HY_OK && effect->attempt == 1 && effect->action_id % 5 == 0) {
        err = hy_sleep(HY_SECONDS(60)); // until the deadline
        CHECK(err != HY_OK);
        hy_err cleaning = HY_OK;
        HY_SCOPE(shield, &cleaning, .shield = HY_SECONDS(1)) {
            cleaning = hy_sleep(HY_MS(5));
        }
        CHECK(strncmp(effect->key, key, strlen(key)) == 0); // forgotten by all, and still good
        CHECK(effect->instance.len == 6 && effect->instance.ptr[0] == 'b');
    }
    if (err == HY_OK && effect->attempt == 1 && effect->action_id % 3 == 0) err = HY_IO;
    p->paid += err == HY_OK;
    ((bank_paid *)out_completion)->worked = true;
    return err;
}

static hy_err port_ask(port *p, uint32_t bank, uint32_t kind, const void *body, hy_call *out_call) {
    char key[8];
    port_key(bank, key);
    *out_call = (hy_call){ .kind = kind, .body = body };
    hy_err err = HY_LIMIT;
    while (err == HY_LIMIT) { // all machines in memory are busy: later
        err = hy_fleet_ask(p->fleet, hy_bytes_of(key), out_call);
        if (err == HY_LIMIT && hy_sleep(HY_MS(1)) != HY_OK) return HY_CANCELLED;
    }
    return err;
}

static hy_err port_teller(void *arg) {
    port *p = arg;
    const uint32_t first = p->tellers_done++;
    for (uint32_t round = 0; round < PORT_ROUNDS; round++) {
        const uint32_t bank = (first * 7 + round * 5) % PORT_BANKS;
        const bank_open open = { .owner = HY_BYTES("Ada"), .cents = 100 };
        hy_call call;
        hy_err err = port_ask(p, bank, BANK_IN_OPEN, &open, &call);
        if (err != HY_OK) return err;
        CHECK(call.reply.len > 0);
        p->opened[bank]++;
        if (round % 3 != 0) continue;
        const bank_pay_out pay_out = { .account = 1, .cents = 1 };
        err = port_ask(p, bank, BANK_IN_PAY_OUT, &pay_out, &call);
        if (err != HY_OK) return err;
        p->asked_for++;
    }
    return HY_OK;
}

typedef struct port_look {
    hy_look look;
    int64_t cents;
    uint32_t accounts, payouts, owed;
} port_look;

static void port_count(hy_look *look, const hy_view *view) {
    port_look *l = (port_look *)look;
    hy_cursor cursor = hy_cursor_at(view, BANK_ACCOUNTS, NULL);
    const bank_account *account = NULL;
    while ((account = hy_cursor_next(&cursor)) != NULL) {
        l->cents += account->cents;
    }
    l->accounts = hy_row_count(view, BANK_ACCOUNTS);
    l->payouts = hy_row_count(view, BANK_PAYOUTS);
    l->owed = hy_row_count(view, HY_LEDGER);
}

static hy_err port_see(port *p, uint32_t bank, port_look *out_look) {
    char key[8];
    port_key(bank, key);
    *out_look = (port_look){ .look.look = port_count };
    return hy_fleet_see(p->fleet, hy_bytes_of(key), &out_look->look);
}

// Everybody agrees, once nothing is owed any more.
static hy_err port_audit(port *p) {
    uint32_t payouts = 0;
    for (uint32_t bank = 0; bank < PORT_BANKS; bank++) {
        port_look look = { 0 };
        hy_err err = HY_OK;
        for (int tries = 0; tries < 5000; tries++) {
            err = port_see(p, bank, &look);
            if (err == HY_OK && look.owed == 0) break;
            err = hy_sleep(HY_MS(2));
            if (err != HY_OK) return err;
        }
        CHECK_EQ(look.owed, 0);
        CHECK_EQ(look.accounts, p->opened[bank]);
        payouts += look.payouts;
        // What observers are told may come a moment after the answers.
        for (int tries = 0; tries < 5000 && p->told[bank] != look.cents; tries++) {
            err = hy_sleep(HY_MS(1));
            if (err != HY_OK) return err;
        }
        CHECK_EQ(p->told[bank], look.cents);
    }
    CHECK_EQ(payouts, p->asked_for);
    CHECK_EQ(p->paid, p->asked_for);
    const hy_fleet_stats stats = hy_fleet_stats_of(p->fleet);
    CHECK_EQ(stats.machines.accepted,
             PORT_TELLERS * PORT_ROUNDS + p->asked_for + stats.machines.completions);
    CHECK_EQ(stats.machines.completions, p->asked_for);
    CHECK(stats.machines.deadlines_passed > 0 && stats.machines.retries > 0);
    CHECK(stats.resident <= 8 && stats.rested > 0);
    CHECK(stats.batches_max > 1 && stats.commits < stats.batches);
    CHECK(hy_node_account(p->node).handled > PORT_TELLERS * PORT_ROUNDS); // turns of actors
    return HY_OK;
}

static hy_err port_work(port *p, hy_scope *scope) {
    const hy_executor limits = { .kind = BANK_DO_PAY,
                                 .self = p,
                                 .attempt_max_ns = HY_MS(50),
                                 .backoff_min_ns = HY_MS(1),
                                 .backoff_max_ns = HY_MS(2) };
    const hy_fleet_observer observer = { .changed = port_changed, .self = p };
    hy_err err = hy_fleet_open_in(scope, p->store, &bank_machine,
                                  HY_OPTIONS(hy_fleet, .node = p->node, .machines_max = 8), 0,
                                  &p->fleet, NULL);
    if (err == HY_OK) err = hy_fleet_observe(p->fleet, &observer);
    if (err == HY_OK) err = hy_fleet_executor_in(scope, p->fleet, &limits, port_pay);
    if (err != HY_OK) return err;
    hy_fleet_start(p->fleet);
    HY_SCOPE(tellers, &err, .name = "tellers") {
        for (uint32_t i = 0; i < PORT_TELLERS && err == HY_OK; i++) {
            err = hy_spawn(tellers, port_teller, p, NULL, NULL);
        }
        if (err == HY_OK) err = hy_scope_join(tellers);
    }
    return err == HY_OK ? port_audit(p) : err;
}

static hy_err port_program(void *arg) {
    port *p = arg;
    hy_err err = HY_OK;
    HY_SCOPE(outer, &err, .name = "port") {
        err = hy_node_open(outer, HY_OPTIONS(hy_node, .workers = p->workers), &p->node);
        if (err == HY_OK) {
            HY_SCOPE(inner, &err, .name = "fleet") {
                err = p->work(p, inner);
            }
        }
    }
    return err;
}

static hy_err port_run(hy_mem *mem, uint32_t workers, hy_err (*work)(port *p, hy_scope *scope)) {
    port p = { .mem = mem, .work = work, .workers = workers > 0 ? workers : 1 };
    hy_err err = workers == 0
                     ? hy_sim_open(HY_OPTIONS(hy_sim, .seed = kit_seed(), .mem = mem), &p.world)
                     : hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &p.world);
    if (err == HY_OK) err = hy_store_memory_open(mem, NULL, &p.store);
    if (err == HY_OK) err = hy_root_run(p.world, NULL, port_program, &p);
    (void)hy_store_close(p.store);
    (void)hy_world_close(p.world);
    return err;
}

static hy_err banks_agree_in_a_simulated_world(hy_mem *mem) {
    (void)mem;
    for (int i = 0; i < 20; i++) {
        CHECK_OK(port_run(hy_mem_system(), 0, port_work));
    }
    return HY_OK;
}

static hy_err banks_agree_on_one_worker(hy_mem *mem) {
    (void)mem;
    CHECK_OK(port_run(hy_mem_system(), 1, port_work));
    return HY_OK;
}

static hy_err banks_agree_on_three_workers(hy_mem *mem) {
    (void)mem;
    CHECK_OK(port_run(hy_mem_system(), 3, port_work));
    return HY_OK;
}

// ---- a step that never returns ------------------------------------------------------------------

// Recursion that no compiler makes a loop of, until the stack is used up.
static uint32_t port_deep(volatile uint32_t *down) {
    volatile uint8_t much[512];
    much[0] = (uint8_t)*down;
    return *down == 0 ? 0 : much[0] + port_deep(down) + much[511];
}

static hy_err port_step(hy_txn *txn, const hy_input *input) {
    if (input->kind != BANK_IN_RENAME) return bank_machine.step(txn, input);
    volatile uint32_t down = 1;
    (void)hy_row_next_id(txn, BANK_ACCOUNTS); // something that must not be seen
    return port_deep(&down) == 0 ? HY_OK : HY_RANGE;
}

// Twice in one bank, while the other goes on.
static hy_err port_fall(port *p, hy_scope *scope) {
    static hy_machine machine;
    machine = bank_machine;
    machine.step = port_step;
    const bank_open open = { .owner = HY_BYTES("Ada"), .cents = 100 };
    const bank_rename rename = { .account = 1, .owner = HY_BYTES("Eve") };
    hy_call call;
    hy_err err = hy_fleet_open_in(scope, p->store, &machine, HY_OPTIONS(hy_fleet, .node = p->node),
                                  0, &p->fleet, NULL);
    if (err != HY_OK) return err;
    hy_fleet_start(p->fleet);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        CHECK_OK(port_ask(p, 1, BANK_IN_OPEN, &open, &call));
        CHECK_EQ(call.seq, seq); // what was stored is there, and nothing else
        CHECK_OK(port_ask(p, 2, BANK_IN_OPEN, &open, &call));
        CHECK_EQ(call.seq, seq);
        err = port_ask(p, 1, BANK_IN_RENAME, &rename, &call);
        CHECK_ERR(err, HY_CLOSED); // answered, though its turn never ended
        hy_host_stats stats = { 0 };
        for (int tries = 0; tries < 5000; tries++) { // until the fallen one is gone
            err = hy_fleet_machine_stats(p->fleet, HY_BYTES("bank01"), &stats);
            if (err == HY_NOT_FOUND) break;
            CHECK_OK(hy_sleep(HY_MS(1)));
        }
    }
    CHECK(hy_fleet_stats_of(p->fleet).opened >= 3);
    return HY_OK;
}

static hy_err a_step_that_overflows_falls_alone(hy_mem *mem) {
    (void)mem;
    for (uint32_t workers = 0; workers <= 2; workers++) {
        CHECK_OK(port_run(hy_mem_system(), workers, port_fall));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(banks_agree_in_a_simulated_world), KIT_TEST_ONCE(banks_agree_on_one_worker),
          KIT_TEST_ONCE(banks_agree_on_three_workers),
          KIT_TEST_ONCE(a_step_that_overflows_falls_alone))
