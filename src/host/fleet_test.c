// fleet_test.c - many banks in one fleet: each its own, all in one commit, few in memory.
//
// On the memory store, whose appends fail when they are told to, in a simulated world. Storms are
// in fleet_storm_test.c; here each test is one sentence about the fleet.
#include <hypha/host.h>
#include <hypha/store.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "host/fleet.h"
#include "kit/kit.h"
#include "machine/bank_suite.h"

#define HARBOUR_CALLS 64

typedef struct harbour_call {
    hy_call call; // first member
    struct harbour *of;
    bank_open open;
    bank_remind remind;
    bank_pay_out pay_out;
    bool done;
} harbour_call;

typedef struct harbour {
    hy_world *world;
    hy_store_disk *disk;
    hy_store *store;
    hy_fleet *fleet;
    hy_fleet_options options;
    harbour_call calls[HARBOUR_CALLS];
    uint32_t answered;
    uint32_t paying, paying_max, paid;
    bool holds; // attempts do not end
    hy_effect *held[HARBOUR_CALLS];
    uint32_t held_count;
    char changed[64]; // keys of changed accounts, in order
    bool closed;
    hy_err close_err;
} harbour;

static void harbour_pay(void *self, hy_effect *effect) {
    harbour *h = self;
    if (++h->paying > h->paying_max) h->paying_max = h->paying;
    if (h->holds) {
        h->held[h->held_count++] = effect;
        return;
    }
    h->paying--;
    h->paid++;
    hy_effect_done(effect->host, effect, &(bank_paid){ .worked = true });
}

static void harbour_changed(void *self, hy_bytes key, uint64_t seq, uint32_t table,
                            const void *before, const void *after) {
    harbour *h = self;
    (void)seq, (void)before, (void)after;
    const size_t len = strlen(h->changed);
    if (table == BANK_ACCOUNTS && len + 1 < sizeof h->changed) {
        h->changed[len] = (char)key.ptr[0];
    }
}

static hy_err harbour_open(harbour *h) {
    const hy_executor pay = {
        .kind = BANK_DO_PAY, .self = h, .start = harbour_pay, .parallel_max = 2
    };
    h->options.size = sizeof h->options;
    hy_err err = hy_store_memory_open(hy_world_mem(h->world), h->disk, &h->store);
    if (err == HY_OK) {
        err = hy_fleet_open(h->world, h->store, &bank_machine, &h->options, &h->fleet, NULL);
    }
    if (err == HY_OK) err = hy_fleet_executor(h->fleet, &pay);
    const hy_fleet_observer observer = { .changed = harbour_changed, .self = h };
    if (err == HY_OK) err = hy_fleet_observe(h->fleet, &observer);
    if (err == HY_OK) hy_fleet_start(h->fleet);
    return err;
}

static hy_err harbour_init(harbour *h, hy_mem *mem) {
    *h = (harbour){ 0 };
    hy_err err = hy_sim_open(HY_OPTIONS(hy_sim, .seed = kit_seed(), .mem = mem), &h->world);
    if (err == HY_OK) err = hy_store_disk_new(mem, &h->disk);
    return err == HY_OK ? harbour_open(h) : err;
}

// The process is gone; the disk stays.
static void harbour_crash(harbour *h) {
    hy_sim_restart(h->world);
    hy_fleet_abandon(h->fleet);
    h->fleet = NULL;
    h->store = hy_store_close(h->store);
    h->held_count = h->paying = 0;
}

static void harbour_deinit(harbour *h) {
    if (h->fleet != NULL || h->store != NULL) harbour_crash(h);
    h->world = hy_world_close(h->world);
    h->disk = hy_store_disk_free(h->disk);
}

#define HARBOUR(name)                                                                              \
    HY_CLEANUP(harbour_deinit) harbour name = { 0 };                                               \
    {                                                                                              \
        const hy_err harbour_err = harbour_init(&name, mem);                                       \
        if (harbour_err != HY_OK) return harbour_err;                                              \
    }
// With an allocation lost, what was seen so far proves nothing.
#define SURVIVED_ONLY()                                                                            \
    do {                                                                                           \
        if (kit_failed_allocation()) return HY_NOMEM;                                              \
    } while (0)

static void harbour_done(hy_call *call) {
    harbour_call *c = (harbour_call *)call;
    c->done = true;
    c->of->answered++;
}

static hy_err harbour_send(harbour *h, uint32_t n, const char *key, uint32_t kind,
                           const void *body) {
    harbour_call *c = &h->calls[n];
    c->of = h;
    c->done = false;
    c->call = (hy_call){ .kind = kind, .body = body, .done = harbour_done };
    return hy_fleet_submit(h->fleet, hy_bytes_of(key), &c->call);
}

static hy_err harbour_open_account(harbour *h, uint32_t n, const char *key, int64_t cents) {
    bank_open *body = &h->calls[n].open;
    *body = (bank_open){ .owner = HY_BYTES("Ada"), .cents = cents };
    return harbour_send(h, n, key, BANK_IN_OPEN, body);
}

static hy_err harbour_remind(harbour *h, uint32_t n, const char *key, hy_ns after) {
    bank_remind *body = &h->calls[n].remind;
    *body = (bank_remind){ .account = 1, .after = after };
    return harbour_send(h, n, key, BANK_IN_REMIND, body);
}

static hy_err harbour_pay_out(harbour *h, uint32_t n, const char *key) {
    bank_pay_out *body = &h->calls[n].pay_out;
    *body = (bank_pay_out){ .account = 1, .cents = 10 };
    return harbour_send(h, n, key, BANK_IN_PAY_OUT, body);
}

static void harbour_run(harbour *h, hy_ns duration) {
    hy_sim_advance(h->world, duration);
}

static const char *const harbour_keys[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
#define HARBOUR_KEYS 8u

// ---- the sentences ------------------------------------------------------------------------------

static hy_err each_key_is_a_machine_of_its_own(hy_mem *mem) {
    HARBOUR(h);
    for (uint32_t i = 0; i < 12; i++) {
        const hy_err err = harbour_open_account(&h, i, harbour_keys[i % 4], 100);
        if (err != HY_OK) return err;
    }
    harbour_run(&h, HY_MS(100));
    SURVIVED_ONLY();
    CHECK_EQ(h.answered, 12);
    for (uint32_t i = 0; i < 12; i++) {
        CHECK_EQ(h.calls[i].call.err, HY_OK);
        CHECK_EQ(h.calls[i].call.seq, i / 4 + 1); // 1, 2, 3 in each
    }
    const hy_fleet_stats stats = hy_fleet_stats_of(h.fleet);
    CHECK_EQ(stats.resident, 4);
    CHECK_EQ(stats.machines.accepted, 12);
    hy_host_stats one;
    CHECK_OK(hy_fleet_machine_stats(h.fleet, HY_BYTES("b"), &one));
    CHECK_EQ(one.accepted, 3);
    CHECK_EQ(one.durable_seq, 3);
    CHECK_ERR(hy_fleet_machine_stats(h.fleet, HY_BYTES("z"), &one), HY_NOT_FOUND);
    CHECK_EQ(strlen(h.changed), 12);
    return HY_OK;
}

static hy_err batches_of_many_are_one_commit(hy_mem *mem) {
    HARBOUR(h);
    for (int round = 0; round < 2; round++) { // loaded by the first, so the second goes together
        for (uint32_t i = 0; i < HARBOUR_KEYS; i++) {
            const hy_err err = harbour_open_account(&h, i, harbour_keys[i], 1);
            if (err != HY_OK) return err;
        }
        const uint64_t before = hy_fleet_stats_of(h.fleet).commits;
        harbour_run(&h, HY_MS(100));
        SURVIVED_ONLY();
        const hy_fleet_stats stats = hy_fleet_stats_of(h.fleet);
        CHECK_EQ(h.answered, (uint32_t)(round + 1) * HARBOUR_KEYS);
        CHECK_EQ(stats.batches, (uint32_t)(round + 1) * HARBOUR_KEYS);
        if (round == 1) CHECK_EQ(stats.commits - before, 1);
        if (round == 1) CHECK_EQ(stats.batches_max, HARBOUR_KEYS);
    }
    return HY_OK;
}

static hy_err one_outcome_is_everybodys(hy_mem *mem) {
    HARBOUR(h);
    const struct {
        hy_store_disk_faults faults;
        hy_err err;
    } cases[] = {
        { { .refuse_at = 1 }, HY_NOT_COMMITTED },
        { { .unknown_lost_at = 1 }, HY_NOT_COMMITTED },
        { { .unknown_kept_at = 1 }, HY_OK },
    };
    uint64_t seq = 0;
    for (uint32_t i = 0; i < HARBOUR_KEYS; i++) { // all are in memory
        const hy_err err = harbour_open_account(&h, i, harbour_keys[i], 1);
        if (err != HY_OK) return err;
    }
    harbour_run(&h, HY_MS(100));
    SURVIVED_ONLY();
    for (size_t n = 0; n < 3; n++) {
        hy_store_disk_faults faults = cases[n].faults;
        faults.size = sizeof faults;
        hy_store_disk_set_faults(h.disk, &faults);
        for (uint32_t i = 0; i < HARBOUR_KEYS; i++) {
            const hy_err err = harbour_open_account(&h, i, harbour_keys[i], 1);
            if (err != HY_OK) return err;
        }
        harbour_run(&h, HY_MS(500));
        SURVIVED_ONLY();
        for (uint32_t i = 0; i < HARBOUR_KEYS; i++) {
            CHECK(h.calls[i].done);
            CHECK_EQ(h.calls[i].call.err, cases[n].err);
        }
        hy_store_disk_set_faults(h.disk, &(hy_store_disk_faults){ .size = sizeof faults });
        seq += cases[n].err == HY_OK;
        hy_host_stats one;
        CHECK_OK(hy_fleet_machine_stats(h.fleet, HY_BYTES("c"), &one));
        CHECK_EQ(one.durable_seq, 1 + seq);
    }
    CHECK_EQ(hy_fleet_stats_of(h.fleet).machines.reloads, 2 * HARBOUR_KEYS);
    return HY_OK;
}

static hy_err idle_machines_make_room(hy_mem *mem) {
    HY_CLEANUP(harbour_deinit) harbour h = { 0 };
    hy_err err = harbour_init(&h, mem);
    if (err != HY_OK) return err;
    harbour_crash(&h);
    h.options.machines_max = 2;
    err = harbour_open(&h);
    for (uint32_t i = 0; i < HARBOUR_KEYS && err == HY_OK; i++) {
        err = harbour_open_account(&h, i, harbour_keys[i], 100);
        harbour_run(&h, HY_MS(100));
        CHECK(hy_fleet_stats_of(h.fleet).resident <= 2);
    }
    if (err != HY_OK) return err;
    SURVIVED_ONLY();
    CHECK_EQ(h.answered, HARBOUR_KEYS);
    CHECK_EQ(hy_fleet_stats_of(h.fleet).rested, HARBOUR_KEYS - 2);
    // Whom nobody needed longest is gone, and comes back as it was.
    hy_host_stats one;
    CHECK_ERR(hy_fleet_machine_stats(h.fleet, HY_BYTES("a"), &one), HY_NOT_FOUND);
    CHECK_OK(hy_fleet_machine_stats(h.fleet, HY_BYTES("h"), &one));
    SURVIVED_ONLY();
    CHECK_OK(harbour_open_account(&h, 0, "a", 100));
    harbour_run(&h, HY_MS(100));
    SURVIVED_ONLY();
    CHECK_EQ(h.calls[0].call.seq, 2);
    // Who is busy stays; when all are, there is no room.
    h.holds = true;
    SURVIVED_ONLY();
    CHECK_OK(harbour_pay_out(&h, 0, "a"));
    SURVIVED_ONLY();
    CHECK_OK(harbour_pay_out(&h, 1, "h"));
    harbour_run(&h, HY_MS(100));
    SURVIVED_ONLY();
    CHECK_ERR(harbour_open_account(&h, 2, "b", 1), HY_LIMIT);
    CHECK_EQ(h.held_count, 2);
    hy_effect_done(h.held[0]->host, h.held[0], &(bank_paid){ .worked = true });
    harbour_run(&h, HY_MS(100));
    SURVIVED_ONLY();
    SURVIVED_ONLY();
    CHECK_OK(harbour_open_account(&h, 2, "b", 1));
    return HY_OK;
}

static hy_err thousands_share_a_store(hy_mem *mem) {
    HY_CLEANUP(harbour_deinit) harbour h = { 0 };
    CHECK_OK(harbour_init(&h, mem));
    harbour_crash(&h);
    h.options.machines_max = 500;
    CHECK_OK(harbour_open(&h));
    const uint32_t machines = 3000, wave = HARBOUR_CALLS;
    for (uint32_t round = 1; round <= 2; round++) {
        for (uint32_t first = 0; first < machines; first += wave) {
            for (uint32_t i = 0; i < wave && first + i < machines; i++) {
                char key[16];
                (void)snprintf(key, sizeof key, "box-%u", first + i);
                CHECK_OK(harbour_open_account(&h, i, key, 1));
            }
            harbour_run(&h, HY_MS(50));
            for (uint32_t i = 0; i < wave && first + i < machines; i++) {
                CHECK_EQ(h.calls[i].call.err, HY_OK);
                CHECK_EQ(h.calls[i].call.seq, round); // as it was left
            }
        }
    }
    const hy_fleet_stats stats = hy_fleet_stats_of(h.fleet);
    CHECK_EQ(stats.machines.accepted, 2 * machines);
    CHECK_EQ(stats.resident, 500);
    CHECK_EQ(stats.rested, 2 * machines - 500);
    CHECK(stats.commits * 8 < stats.batches); // many in each
    return HY_OK;
}

static hy_err executors_may_come_after_the_first_calls(hy_mem *mem) {
    HY_CLEANUP(harbour_deinit) harbour h = { 0 };
    hy_err err = harbour_init(&h, mem);
    if (err != HY_OK) return err;
    harbour_crash(&h);
    const hy_executor pay = { .kind = BANK_DO_PAY, .self = &h, .start = harbour_pay };
    const hy_fleet_observer observer = { .changed = harbour_changed, .self = &h };
    err = hy_store_memory_open(mem, h.disk, &h.store);
    if (err == HY_OK) {
        err = hy_fleet_open(h.world, h.store, &bank_machine, &h.options, &h.fleet, NULL);
    }
    if (err == HY_OK) err = harbour_open_account(&h, 0, "a", 100);
    if (err == HY_OK) err = harbour_pay_out(&h, 1, "a");
    harbour_run(&h, HY_MS(100));
    if (err == HY_OK) err = harbour_open_account(&h, 2, "b", 100); // is being loaded
    if (err == HY_OK) err = hy_fleet_executor(h.fleet, &pay);
    if (err == HY_OK) err = hy_fleet_observe(h.fleet, &observer);
    if (err != HY_OK) return err;
    CHECK_EQ(h.paid, 0);
    hy_fleet_start(h.fleet);
    harbour_run(&h, HY_MS(100));
    SURVIVED_ONLY();
    CHECK_EQ(h.answered, 3);
    CHECK_EQ(h.paid, 1);
    CHECK(strcmp(h.changed, "b") == 0); // what was before, nobody observed
    return HY_OK;
}

static hy_err attempts_of_all_are_counted_together(hy_mem *mem) {
    HARBOUR(h);
    h.holds = true;
    for (uint32_t i = 0; i < HARBOUR_KEYS; i++) {
        hy_err err = harbour_open_account(&h, i, harbour_keys[i], 100);
        if (err == HY_OK) err = harbour_pay_out(&h, HARBOUR_KEYS + i, harbour_keys[i]);
        if (err != HY_OK) return err;
    }
    harbour_run(&h, HY_MS(100));
    SURVIVED_ONLY();
    for (uint32_t i = 0; i < HARBOUR_KEYS; i++) {
        CHECK_EQ(h.paying, 2); // parallel_max
        h.paying--;
        h.paid++;
        if (i + 2 >= HARBOUR_KEYS) h.paying++; // nobody waits any more
        hy_effect_done(h.held[i]->host, h.held[i], &(bank_paid){ .worked = true });
        harbour_run(&h, HY_MS(100));
        SURVIVED_ONLY();
    }
    CHECK_EQ(h.paying_max, 2);
    CHECK_EQ(h.held_count, HARBOUR_KEYS);
    CHECK_EQ(hy_fleet_stats_of(h.fleet).machines.completions, HARBOUR_KEYS);
    return HY_OK;
}

static hy_err who_sleeps_is_woken_by_its_timer(hy_mem *mem) {
    HY_CLEANUP(harbour_deinit) harbour h = { 0 };
    hy_err err = harbour_init(&h, mem);
    if (err != HY_OK) return err;
    harbour_crash(&h);
    h.options.machines_max = 1;
    err = harbour_open(&h);
    for (uint32_t i = 0; i < 3 && err == HY_OK; i++) {
        err = harbour_open_account(&h, i, harbour_keys[i], 100);
        harbour_run(&h, HY_MS(100));
        if (err == HY_OK) err = harbour_remind(&h, 8 + i, harbour_keys[i], HY_SECONDS(60));
        harbour_run(&h, HY_MS(100));
        SURVIVED_ONLY();
    }
    if (err != HY_OK) return err;
    SURVIVED_ONLY();
    CHECK_EQ(h.answered, 6);
    CHECK_EQ(hy_fleet_stats_of(h.fleet).asleep, 2);
    harbour_run(&h, HY_SECONDS(50));
    SURVIVED_ONLY();
    CHECK_EQ(hy_fleet_stats_of(h.fleet).machines.timers_fired, 0);
    for (int process = 0; process < 2; process++) {
        if (process == 1) { // nobody calls; the fleet finds them itself
            for (uint32_t i = 0; i < 3; i++) {
                SURVIVED_ONLY();
                CHECK_OK(harbour_remind(&h, i, harbour_keys[i], HY_SECONDS(60)));
                harbour_run(&h, HY_MS(100));
                SURVIVED_ONLY();
            }
            harbour_crash(&h);
            SURVIVED_ONLY();
            CHECK_OK(harbour_open(&h));
            harbour_run(&h, HY_SECONDS(50));
            SURVIVED_ONLY();
            CHECK_EQ(hy_fleet_stats_of(h.fleet).machines.timers_fired, 0);
        }
        harbour_run(&h, HY_SECONDS(15));
        SURVIVED_ONLY();
        CHECK_EQ(hy_fleet_stats_of(h.fleet).machines.timers_fired, 3);
        CHECK_EQ(hy_fleet_stats_of(h.fleet).asleep, 0);
    }
    return HY_OK;
}

static hy_err what_is_owed_is_paid_after_a_crash(hy_mem *mem) {
    HARBOUR(h);
    h.holds = true;
    for (uint32_t i = 0; i < HARBOUR_KEYS; i++) {
        hy_err err = harbour_open_account(&h, i, harbour_keys[i], 100);
        if (err == HY_OK && i % 2 == 0) {
            err = harbour_pay_out(&h, HARBOUR_KEYS + i, harbour_keys[i]);
        }
        if (err != HY_OK) return err;
    }
    harbour_run(&h, HY_SECONDS(1));
    SURVIVED_ONLY();
    harbour_crash(&h);
    h.holds = false;
    SURVIVED_ONLY();
    CHECK_OK(harbour_open(&h));
    harbour_run(&h, HY_SECONDS(2));
    SURVIVED_ONLY();
    CHECK_EQ(h.paid, HARBOUR_KEYS / 2);
    CHECK_EQ(hy_fleet_stats_of(h.fleet).machines.completions, HARBOUR_KEYS / 2);
    return HY_OK;
}

static void harbour_closed(void *self, hy_err err) {
    harbour *h = self;
    h->closed = true;
    h->close_err = err;
    h->fleet = NULL;
}

static hy_err closing_answers_everybody(hy_mem *mem) {
    HARBOUR(h);
    for (uint32_t i = 0; i < HARBOUR_KEYS; i++) {
        const hy_err err = harbour_open_account(&h, i, harbour_keys[i], 100);
        if (err != HY_OK) return err;
    }
    hy_fleet_close(h.fleet, harbour_closed, &h, hy_world_now(h.world) + HY_SECONDS(5));
    CHECK_ERR(harbour_open_account(&h, 20, "z", 1), HY_CLOSED);
    harbour_run(&h, HY_SECONDS(6));
    CHECK(h.closed);
    CHECK_EQ(h.answered, HARBOUR_KEYS);
    SURVIVED_ONLY();
    CHECK_EQ(h.close_err, HY_OK);
    for (uint32_t i = 0; i < HARBOUR_KEYS; i++) {
        CHECK_EQ(h.calls[i].call.err, HY_OK);
    }
    return HY_OK;
}

// As when a turn on a worker never returns: at any moment, while a commit is under way or not.
static hy_err who_falls_answers_and_comes_back(hy_mem *mem) {
    HARBOUR(h);
    for (uint32_t n = 0; n < 12; n++) {
        const hy_err err = harbour_open_account(&h, 0, "a", 100);
        if (err == HY_CLOSED) continue; // it has not gone yet
        if (err != HY_OK) return err;
        for (uint32_t turns = 0; turns < n; turns++) {
            (void)hy_world_turn(h.world);
        }
        hyi_member *member = hyi_member_find(&h.fleet->parts[0], HY_BYTES("a"));
        if (member != NULL) hyi_member_fell(member);
        harbour_run(&h, HY_SECONDS(3));
        SURVIVED_ONLY();
        CHECK(h.calls[0].done);
        CHECK(h.calls[0].call.err == HY_OK || h.calls[0].call.err == HY_CLOSED);
        const uint64_t seq = h.calls[0].call.err == HY_OK ? h.calls[0].call.seq : 0;
        CHECK_OK(harbour_open_account(&h, 1, "a", 100));
        harbour_run(&h, HY_SECONDS(1));
        SURVIVED_ONLY();
        CHECK_EQ(h.calls[1].call.err, HY_OK);
        CHECK(seq == 0 || h.calls[1].call.seq == seq + 1); // what was answered is there
    }
    return HY_OK;
}

static hy_err a_key_must_be_a_key(hy_mem *mem) {
    HARBOUR(h);
    char much[HY_INSTANCE_KEY_MAX + 2];
    memset(much, 'k', sizeof much);
    much[sizeof much - 1] = 0;
    CHECK_ERR(harbour_open_account(&h, 0, "", 1), HY_MALFORMED);
    CHECK_ERR(harbour_open_account(&h, 0, "\xff", 1), HY_MALFORMED);
    CHECK_ERR(harbour_open_account(&h, 0, much, 1), HY_TOO_LARGE);
    CHECK_EQ(hy_fleet_stats_of(h.fleet).resident, 0);
    return HY_OK;
}

// ---- among fibers -------------------------------------------------------------------------------

static hy_err fiber_pay(void *self, const hy_effect *effect, void *out_completion) {
    harbour *h = self;
    CHECK_EQ(effect->instance.len, 1);
    hy_err err = hy_sleep(HY_MS(5));
    h->paid += err == HY_OK;
    ((bank_paid *)out_completion)->worked = true;
    return err;
}

static void fiber_count(hy_look *look, const hy_view *view) {
    (void)look;
    CHECK_EQ(hy_row_count(view, BANK_ACCOUNTS), 1);
}

static hy_err fiber_ask(harbour *h, const char *key, uint32_t kind, const void *body) {
    hy_call call = { .kind = kind, .body = body };
    return hy_fleet_ask(h->fleet, hy_bytes_of(key), &call);
}

static hy_err fiber_list(harbour *h) {
    char key[HY_INSTANCE_KEY_MAX + 1] = "";
    size_t len = 0;
    for (uint32_t i = 0; i < 3; i++) {
        hy_err err = hy_fleet_next(h->fleet, (hy_bytes){ (const uint8_t *)key, len }, key, &len);
        if (err != HY_OK) return err;
        CHECK(strcmp(key, harbour_keys[i]) == 0);
    }
    const hy_err err = hy_fleet_next(h->fleet, HY_BYTES("c"), key, &len);
    return err == HY_END ? HY_OK : err;
}

static hy_err fiber_program(void *self) {
    harbour *h = self;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "harbour") {
        const hy_executor limits = { .kind = BANK_DO_PAY, .self = h };
        err = hy_fleet_open_in(scope, h->store, &bank_machine, NULL, 0, &h->fleet, NULL);
        if (err == HY_OK) err = hy_fleet_executor_in(scope, h->fleet, &limits, fiber_pay);
        if (err == HY_OK) hy_fleet_start(h->fleet);
        for (uint32_t i = 0; i < 3 && err == HY_OK; i++) {
            const bank_open open = { .owner = HY_BYTES("Ada"), .cents = 100 };
            const bank_pay_out pay_out = { .account = 1, .cents = 10 };
            hy_look look = { .look = fiber_count };
            err = fiber_ask(h, harbour_keys[i], BANK_IN_OPEN, &open);
            if (err == HY_OK) err = fiber_ask(h, harbour_keys[i], BANK_IN_PAY_OUT, &pay_out);
            if (err == HY_OK) err = hy_fleet_see(h->fleet, hy_bytes_of(harbour_keys[i]), &look);
        }
        if (err == HY_OK) err = fiber_list(h);
        if (err == HY_OK) err = hy_sleep(HY_MS(100));
    }
    h->fleet = NULL;
    return err;
}

static hy_err fibers_ask_and_see(hy_mem *mem) {
    HY_CLEANUP(harbour_deinit) harbour h = { 0 };
    hy_err err = harbour_init(&h, mem);
    if (err != HY_OK) return err;
    harbour_crash(&h);
    err = hy_store_memory_open(mem, h.disk, &h.store);
    if (err != HY_OK) return err;
    err = hy_root_run(h.world, NULL, fiber_program, &h);
    SURVIVED_ONLY();
    CHECK_OK(err);
    CHECK_EQ(h.paid, 3);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(each_key_is_a_machine_of_its_own), KIT_TEST(batches_of_many_are_one_commit),
          KIT_TEST(one_outcome_is_everybodys), KIT_TEST(idle_machines_make_room),
          KIT_TEST_ONCE(thousands_share_a_store),
          KIT_TEST(executors_may_come_after_the_first_calls),
          KIT_TEST(attempts_of_all_are_counted_together),
          KIT_TEST(who_sleeps_is_woken_by_its_timer), KIT_TEST(what_is_owed_is_paid_after_a_crash),
          KIT_TEST(closing_answers_everybody), KIT_TEST(who_falls_answers_and_comes_back),
          KIT_TEST(a_key_must_be_a_key), KIT_TEST(fibers_ask_and_see))
