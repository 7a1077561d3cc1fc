// actor_crash_test.c - actors in front of a machine, on a computer that loses power.
//
// A bank in a store on simulated files, and in front of it a teller for each account: an actor
// below a supervisor, who asks the machine and answers when the machine has. Clients are fibers
// that ask tellers for transfers, each with a key of its own, and repeat one until it is answered.
// Tellers also fail now and then, watch each other, and have alarms, so that all of that is under
// way when the power goes: at a random call to the disk, or between two turns of the world.
//
// The next process knows nothing but the store: it makes a teller for each account that it finds
// there. What was answered before a crash is in what the machine knows after it, and in the end
// the accounts are what paper says. Nothing of the processes that are gone stays in memory.
#include <hypha/actor.h>
#include <hypha/store.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "machine/bank_suite.h"
#include <hypha/host.h>

#include <stdio.h>

#define ACCOUNTS 4u
#define OPS 120u
#define CLIENTS 3u
#define FIRST_CENTS 1000

#define TELLER_ORDER(F) F(1, u64, to) F(2, u64, op)
HY_RECORD(teller_order, TELLER_ORDER)
HY_RECORD_DEFINE(teller_order, TELLER_ORDER)
#define TELLER_RECEIPT(F) F(1, u64, seq)
HY_RECORD(teller_receipt, TELLER_RECEIPT)
HY_RECORD_DEFINE(teller_receipt, TELLER_RECEIPT)
#define TELLER(TELL, ASK, x)                                                                       \
    ASK(x, 1, move, teller_order, teller_receipt)                                                  \
    TELL(x, 2, tick, hy_nothing)
HY_PROTOCOL(teller, TELLER);
HY_PROTOCOL_DEFINE(teller, TELLER);

typedef struct office { // of one process
    struct town *town;
    hy_host *host;
    hy_node *node;
    hy_ref supervisor;
    teller_ref tellers[ACCOUNTS + 1]; // by account
    uint32_t teller_count;
    bool is_over;
    hy_err ended;
} office;

typedef struct town { // what outlives them
    hy_world *world;
    hy_store *store;
    uint64_t dice;
    struct {
        uint64_t from, to;
        bool done;
    } ops[OPS];
    uint64_t answered_seq; // of the latest step that somebody was told of
    uint32_t crashes, failures;
    office office;
} town;

static uint64_t town_roll(town *t, uint64_t bound) {
    return kit_random(&t->dice) % bound;
}

// ---- tellers ----------------------------------------------------------------------------------

typedef struct teller {
    town *town;
    uint64_t account;
} teller;
HY_BEHAVIOUR(teller, TELLER, teller, teller);

static hy_err teller_start(hy_actor *self, void *state, const void *arg) {
    teller *it = state;
    *it = *(const teller *)arg;
    hy_alarm alarm;
    return HY_AFTER(teller, tick, self, HY_MS(1), HY_MS(1), &alarm, .nothing = true);
}

static hy_err teller_on_tick(hy_actor *self, teller *it, const hy_nothing *message) {
    (void)message;
    const office *o = &it->town->office;
    hy_ref other = o->tellers[1 + town_roll(it->town, ACCOUNTS)].ref;
    uint64_t monitor = 0;
    if (town_roll(it->town, 4) == 0 && other.id) return hy_monitor(self, other, &monitor);
    if (town_roll(it->town, 30) > 0) return HY_OK;
    it->town->failures++;
    return HY_IO;
}

static hy_err teller_on_move(hy_actor *self, teller *it, const teller_order *message,
                             teller_receipt *out_reply) {
    if (town_roll(it->town, 12) == 0) hy_fail(self, HY_REJECT, "a bad day"); // before or
    char key[16];
    int len = snprintf(key, sizeof key, "op %u", (unsigned)message->op);
    bank_transfer body = { .from = it->account, .to = message->to, .cents = 1 };
    hy_call call = { .kind = BANK_IN_TRANSFER, .body = &body };
    call.key = (hy_bytes){ (const uint8_t *)key, (size_t)len };
    hy_err err = hy_host_ask(it->town->office.host, &call);
    if (town_roll(it->town, 12) == 0) hy_fail(self, HY_REJECT, "a bad day"); // after it is durable
    out_reply->seq = call.seq;
    return err;
}

static hy_err teller_down(hy_actor *self, void *state, const hy_down *down) {
    (void)self, (void)state, (void)down;
    return HY_OK;
}

static const hy_actor_type teller_type = { .name = "teller",
                                           .first = &teller_behaviour,
                                           .state_size = sizeof(teller),
                                           .arg_size = sizeof(teller),
                                           .start = teller_start,
                                           .down = teller_down };

// ---- a process --------------------------------------------------------------------------------

typedef struct census {
    hy_look look;
    town *town;
    int64_t cents[ACCOUNTS + 1];
    uint32_t count;
} census;

static void census_take(hy_look *look, const hy_view *view) {
    census *c = (census *)look; // its first field
    hy_cursor cursor = hy_cursor_at(view, BANK_ACCOUNTS, NULL);
    const bank_account *row = NULL;
    c->count = 0;
    while ((row = (const bank_account *)hy_cursor_next(&cursor))) {
        CHECK(row->id > 0 && row->id <= ACCOUNTS);
        c->cents[row->id] = row->cents;
        c->count++;
    }
}

static void census_taken(hy_look *look) {
    (void)look;
}

static hy_err office_take_census(office *o, census *out) {
    *out = (census){ .look = { .look = census_take }, .town = o->town };
    hy_err err = hy_host_see(o->host, &out->look);
    // What somebody was told before the crash is known after it.
    if (err == HY_OK) CHECK(out->look.seq >= o->town->answered_seq);
    return err;
}

static hy_err office_open_accounts(office *o) {
    for (uint32_t i = 1; i <= ACCOUNTS; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "open %u", i);
        bank_open body = { .owner = HY_BYTES("Ada"), .cents = FIRST_CENTS };
        hy_call call = { .kind = BANK_IN_OPEN, .body = &body };
        call.key = (hy_bytes){ (const uint8_t *)key, (size_t)len };
        hy_err err = hy_host_ask(o->host, &call);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// A teller for each account that the machine knows.
static hy_err office_hire(office *o, hy_scope *scope) {
    census c;
    hy_err err = office_take_census(o, &c);
    if (err == HY_OK && c.count < ACCOUNTS) err = office_open_accounts(o);
    if (err == HY_OK && c.count < ACCOUNTS) err = office_take_census(o, &c);
    if (err == HY_OK) CHECK_EQ(c.count, ACCOUNTS);
    if (err == HY_OK) {
        err = hy_actors_in(scope, o->node, HY_OPTIONS(hy_actor, .policy = hy_one_for_one),
                           &o->supervisor);
    }
    for (uint64_t account = 1; err == HY_OK && account <= ACCOUNTS; account++) {
        teller arg = { o->town, account };
        hy_actor_options options = { .size = sizeof options,
                                     .restart = HY_PERMANENT,
                                     .restarts_max = UINT32_MAX,
                                     .backoff_min = HY_US(100),
                                     .backoff_max = HY_MS(1) };
        err = HY_SPAWN(teller, o->node, o->supervisor, &teller_type, &arg, &options,
                       &o->tellers[account]);
    }
    return err;
}

static hy_err client(void *arg) {
    office *o = (office *)arg;
    town *t = o->town;
    for (;;) {
        uint32_t first = (uint32_t)town_roll(t, OPS), i = 0;
        while (i < OPS && t->ops[(first + i) % OPS].done)
            i++;
        if (i == OPS) return HY_OK;
        uint32_t op = (first + i) % OPS;
        teller_receipt receipt = { 0 };
        hy_err err = HY_ASK(teller, move, o->tellers[t->ops[op].from], HY_SECONDS(1), &receipt,
                            .to = t->ops[op].to, .op = op);
        if (err == HY_OK) {
            t->ops[op].done = true;
            if (receipt.seq > t->answered_seq) t->answered_seq = receipt.seq;
            continue;
        }
        if (err != HY_CLOSED && err != HY_TIMEOUT && err != HY_REJECT) return err;
        err = hy_sleep(HY_US(1 + town_roll(t, 300))); // its teller had a bad day
        if (err != HY_OK) return err;
    }
}

static hy_err office_work(office *o) {
    hy_err err = HY_OK;
    HY_SCOPE(clients, &err, .name = "clients") {
        for (uint32_t i = 0; err == HY_OK && i < CLIENTS; i++)
            err = hy_spawn(clients, client, o, NULL, NULL);
    }
    return err;
}

static hy_err office_run(void *arg) {
    office *o = (office *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "office") {
        err = hy_node_open(scope, NULL, &o->node);
        HY_SCOPE(actors, &err, .name = "tellers") {
            if (err == HY_OK) err = office_hire(o, actors);
            if (err == HY_OK) err = office_work(o);
        }
        if (err == HY_OK) err = hy_sleep(HY_MS(1));
        hy_account account = hy_node_account(o->node);
        CHECK(err != HY_OK || (hy_account_holds(&account) && account.queued == 0));
    }
    o->node = NULL;
    return err;
}

static void office_over(void *self, hy_err err) {
    office *o = (office *)self;
    o->is_over = true;
    o->ended = err;
}

static void do_nothing(void *self, hy_effect *effect) {
    hy_effect_done(((town *)self)->office.host, effect, NULL);
}

// ---- the power --------------------------------------------------------------------------------

static hy_err town_boot(town *t) {
    hy_why why = { 0 };
    hy_err err = hy_store_sqlite_open(t->world, "bank.db", NULL, &t->store, &why);
    if (err == HY_OK) {
        err = hy_host_open(t->world, t->store, &bank_machine, NULL, &t->office.host, &why);
    }
    if (err != HY_OK) {
        t->store = hy_store_close(t->store);
        CHECK(hy_sim_has_crashed(t->world));
        return err;
    }
    const hy_executor pay = { .kind = BANK_DO_PAY, .self = t, .start = do_nothing };
    const hy_executor log = { .kind = BANK_DO_LOG, .self = t, .start = do_nothing };
    CHECK(hy_host_executor(t->office.host, &pay) == HY_OK);
    CHECK(hy_host_executor(t->office.host, &log) == HY_OK);
    hy_host_start(t->office.host);
    return HY_OK;
}

// The process is gone: what it had in memory goes, and nothing of it runs.
static void town_go_dark(town *t, hy_root *root) {
    if (!hy_sim_has_crashed(t->world)) {
        hy_sim_crash_at(t->world, hy_sim_disk_calls(t->world) + 1);
    }
    t->store = hy_store_close(t->store);
    hy_sim_restart(t->world);
    hy_sim_crash_at(t->world, 0);
    hy_node_abandon(t->office.node);
    hy_host_abandon(t->office.host);
    hy_root_abandon(root);
}

// One process, until the power goes or its work is done.
static void town_live(town *t, bool crashes) {
    t->office = (office){ .town = t };
    hy_root *root = NULL;
    if (crashes && town_roll(t, 3) > 0) {
        hy_sim_crash_at(t->world, hy_sim_disk_calls(t->world) + 1 + town_roll(t, 60));
    }
    uint64_t turns = crashes && town_roll(t, 2) == 0 ? town_roll(t, 600) : UINT64_MAX;
    if (town_boot(t) == HY_OK) {
        hy_err err =
            hy_root_start(t->world, NULL, office_run, &t->office, office_over, &t->office, &root);
        CHECK(err == HY_OK);
        while (!t->office.is_over && !hy_sim_has_crashed(t->world) && turns-- > 0)
            (void)hy_world_turn(t->world);
    }
    if (t->office.is_over) {
        CHECK(t->office.ended == HY_OK || hy_sim_has_crashed(t->world));
        root = NULL; // it has ended, and is gone
    } else {
        t->crashes++;
    }
    town_go_dark(t, root);
}

static void town_check_books(town *t) {
    int64_t paper[ACCOUNTS + 1];
    for (uint32_t i = 1; i <= ACCOUNTS; i++)
        paper[i] = FIRST_CENTS;
    for (uint32_t i = 0; i < OPS; i++) {
        CHECK(t->ops[i].done);
        paper[t->ops[i].from]--;
        paper[t->ops[i].to]++;
    }
    t->office = (office){ .town = t };
    CHECK(town_boot(t) == HY_OK);
    census c = { .look = { .look = census_take, .done = census_taken }, .town = t };
    CHECK(hy_host_look(t->office.host, &c.look) == HY_OK);
    CHECK(c.look.seq >= t->answered_seq);
    for (uint32_t i = 1; i <= ACCOUNTS; i++)
        CHECK_EQ(c.cents[i], paper[i]);
    town_go_dark(t, NULL);
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err town_run(hy_mem *mem, uint64_t seed, uint64_t *out_digest, uint32_t *out_crashes) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), &world));
    town t = { .world = world, .dice = seed };
    for (uint32_t i = 0; i < OPS; i++) {
        t.ops[i].from = 1 + town_roll(&t, ACCOUNTS);
        t.ops[i].to = 1 + t.ops[i].from % ACCOUNTS;
    }
    for (uint32_t lives = 0; lives < 12; lives++)
        town_live(&t, true);
    town_live(&t, false);
    CHECK(t.office.is_over);
    town_check_books(&t);
    *out_crashes += t.crashes;
    *out_digest = hy_sim_digest(world);
    return HY_OK;
}

static hy_err what_was_answered_survives_every_crash(hy_mem *mem) {
    uint32_t crashes = 0;
    for (uint64_t i = 0; i < 30; i++) {
        uint64_t digest = 0;
        CHECK_OK(town_run(mem, kit_seed() * 1000 + i, &digest, &crashes));
    }
    CHECK(crashes > 60);
    return HY_OK;
}

static hy_err equal_seeds_give_equal_crashes(hy_mem *mem) {
    uint64_t first = 0, second = 0;
    uint32_t crashes = 0;
    CHECK_OK(town_run(mem, kit_seed() * 1000 + 500, &first, &crashes));
    CHECK_OK(town_run(mem, kit_seed() * 1000 + 500, &second, &crashes));
    CHECK_EQ(first, second);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(what_was_answered_survives_every_crash),
          KIT_TEST_ONCE(equal_seeds_give_equal_crashes))
