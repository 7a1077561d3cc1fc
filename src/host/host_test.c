// host_test.c - calls, commits and their outcomes, on a store that does as it is told.
//
// Most tests compare a trace of what happened in which order: an answer that leaves before its
// append, or at all after a refused one, shows as a line in the wrong place. The world is simulated
// and its choices are seeded; HY_SEED shakes the order of everything that the host does not
// promise.
#include "host/fake_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"
#include <string.h>

#define FIXTURE(machine)                                                                           \
    HY_CLEANUP(fake_deinit) fake_host f = { 0 };                                                   \
    fake_call a = { 0 }, b = { 0 }, c = { 0 };                                                     \
    (void)a, (void)b, (void)c;                                                                     \
    CHECK_OK(fake_init(&f, mem, machine));                                                         \
    f.store.trace = &f.trace

// Runs until the first commit is on its way, so that what is submitted now is stepped on top of it.
static void until_in_flight(fake_host *f, uint32_t count) {
    for (uint32_t i = 0; i < 1000 && hy_host_stats_of(f->host).in_flight_count < count; i++) {
        (void)hy_world_turn(f->world);
    }
}

static hy_err reply_leaves_after_the_commit(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', NULL, 100);
    CHECK_EQ(f.trace.len, 0);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\n");
    const hy_host_stats stats = hy_host_stats_of(f.host);
    CHECK_EQ(stats.durable_seq, 1);
    CHECK_EQ(stats.accepted, 1);
    CHECK_EQ(stats.commits, 1);
    return HY_OK;
}

static hy_err one_commit_carries_many_steps(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_call calls[5] = { 0 };
    for (int i = 0; i < 5; i++) {
        fake_open_account(&f, &calls[i], (char)('A' + i), NULL, 100);
    }
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-5 c\nA HY_OK 1 reply 1\nB HY_OK 2 reply 2\nC HY_OK 3 reply 3\n"
                    "D HY_OK 4 reply 4\nE HY_OK 5 reply 5\n");
    return HY_OK;
}

static hy_err batch_max_bounds_a_commit(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_crash(&f);
    f.options.batch_max = 2;
    CHECK_OK(fake_open(&f));
    fake_call calls[5] = { 0 };
    for (int i = 0; i < 5; i++) {
        fake_open_account(&f, &calls[i], 0, NULL, 100);
    }
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-2 c\nappend 3-4 c\nappend 5-5 c\n");
    return HY_OK;
}

static hy_err batch_bytes_max_bounds_a_commit(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_crash(&f);
    f.options.batch_bytes_max = 1; // reached by every entry
    CHECK_OK(fake_open(&f));
    fake_open_account(&f, &a, 0, NULL, 100);
    fake_open_account(&f, &b, 0, NULL, 100);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nappend 2-2 c\n");
    return HY_OK;
}

static hy_err stepping_goes_on_while_a_commit_is_in_flight(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', NULL, 100);
    until_in_flight(&f, 1);
    fake_open_account(&f, &b, 'B', NULL, 100);
    until_in_flight(&f, 2);
    FAKE_SURVIVED_ONLY();
    CHECK(!a.done && !b.done);
    CHECK_EQ(f.store.appends, 0);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\nappend 2-2 c\nB HY_OK 2 reply 2\n");
    return HY_OK;
}

static hy_err full_queue_refuses(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_crash(&f);
    f.options.queue_max = 1;
    CHECK_OK(fake_open(&f));
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_open_account(&f, &b, 'B', NULL, 100);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "B not taken HY_LIMIT\nappend 1-1 c\nA HY_OK 1 reply 1\n");
    return HY_OK;
}

static hy_err refused_commit_takes_back_later_steps_too(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.store.script = "r";
    fake_open_account(&f, &a, 'A', NULL, 100);
    until_in_flight(&f, 1);
    fake_transfer(&f, &b, 'B', NULL, 1, 1, 5); // could see A's account
    until_in_flight(&f, 2);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 r\nA HY_NOT_COMMITTED\nB HY_NOT_COMMITTED\n");
    fake_open_account(&f, &c, 'C', NULL, 100);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nC HY_OK 1 reply 1\n");
    CHECK_EQ(hy_host_stats_of(f.host).commits_refused, 1);
    return HY_OK;
}

static hy_err unknown_commit_that_was_stored_is_answered_as_done(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.store.script = "k";
    fake_open_account(&f, &a, 'A', NULL, 100);
    until_in_flight(&f, 1);
    fake_open_account(&f, &b, 'B', NULL, 100);
    until_in_flight(&f, 2);
    fake_run(&f, HY_MS(40));
    CHECK_TRACE(&f, "append 1-1 k\nB HY_NOT_COMMITTED\nA HY_OK 1 reply 1\n");
    CHECK_EQ(hy_host_stats_of(f.host).reloads, 1);
    CHECK_EQ(hy_host_stats_of(f.host).durable_seq, 1);
    fake_open_account(&f, &c, 'C', NULL, 100);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 2-2 c\nC HY_OK 2 reply 2\n");
    return HY_OK;
}

static hy_err unknown_commit_that_was_lost_is_refused(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.store.script = "l";
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_run(&f, HY_MS(40));
    CHECK_TRACE(&f, "append 1-1 l\nA HY_NOT_COMMITTED\n");
    fake_open_account(&f, &b, 'B', NULL, 100);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nB HY_OK 1 reply 1\n");
    return HY_OK;
}

static hy_err reload_is_tried_until_it_works(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.store.script = "k";
    f.store.load_failures = 3;
    fake_open_account(&f, &a, 'A', NULL, 100);
    until_in_flight(&f, 1);
    fake_run(&f, HY_MS(2));
    FAKE_SURVIVED_ONLY();
    CHECK(!a.done); // never guessed
    CHECK(hy_host_stats_of(f.host).reloading);
    CHECK(strstr(hy_host_stats_of(f.host).store_trouble, "told to") != NULL);
    fake_open_account(&f, &b, 'B', NULL, 100); // waits in the queue
    fake_run(&f, HY_SECONDS(2));
    CHECK_TRACE(&f,
                "append 1-1 k\nA HY_OK 1 reply 1\nappend 2-2 c\nB HY_OK 2 reply 2\ncheckpoint\n");
    CHECK_EQ(f.store.loads, 5);
    CHECK_EQ(hy_host_stats_of(f.host).store_trouble[0], 0); // it is over
    return HY_OK;
}

// Somebody else wrote: as many steps as ours, but others; and too few.
static hy_err foreign_history_halts(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.store.script = "f";
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_run(&f, HY_MS(40));
    CHECK_TRACE(&f, "append 1-1 f\nA HY_OUTCOME_UNKNOWN\n");
    fake_crash(&f);
    f.store.journal.len = 0;
    f.store.last_seq = 0;
    CHECK_OK(fake_open(&f));
    f.store.script = "f";
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_open_account(&f, &b, 'B', NULL, 100);
    fake_run(&f, HY_MS(40));
    fake_open_account(&f, &c, 'C', NULL, 100);
    CHECK_TRACE(&f, "append 1-2 f\nA HY_OUTCOME_UNKNOWN\nB HY_OUTCOME_UNKNOWN\n"
                    "C not taken HY_HALTED\n");
    return HY_OK;
}

static hy_err refusal_waits_for_the_steps_it_could_see(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', NULL, 100);
    until_in_flight(&f, 1);
    fake_pay_out(&f, &b, 'B', 1, 500); // too poor: tells what A has
    until_in_flight(&f, 2);
    FAKE_SURVIVED_ONLY();
    CHECK(!b.done);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\nB HY_REJECT TOO_POOR\n");
    return HY_OK;
}

static hy_err refusal_of_a_lost_state_is_not_told(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.store.script = "r";
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_pay_out(&f, &b, 'B', 1, 500);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 r\nA HY_NOT_COMMITTED\nB HY_NOT_COMMITTED\n");
    return HY_OK;
}

static hy_err refusal_alone_needs_no_commit(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_transfer(&f, &a, 'A', NULL, 1, 2, 5);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "A HY_REJECT NO_ACCOUNT\n");
    CHECK_EQ(f.store.appends, 0);
    return HY_OK;
}

static hy_err same_key_gives_the_same_answer(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', "k1", 100);
    fake_open_account(&f, &b, 'B', "k1", 100); // still queued: answered after the first
    fake_open_account(&f, &c, 'C', "k1", 7);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\nB HY_OK again reply 1\nC HY_KEY_REUSED\n");
    fake_crash(&f);
    CHECK_OK(fake_open(&f));
    fake_open_account(&f, &a, 'A', "k1", 100);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "A HY_OK again reply 1\n");
    return HY_OK;
}

static hy_err duplicate_waits_until_its_answer_is_durable(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.store.script = "r";
    fake_open_account(&f, &a, 'A', "k1", 100);
    until_in_flight(&f, 1);
    fake_open_account(&f, &b, 'B', "k1", 100);
    until_in_flight(&f, 2);
    FAKE_SURVIVED_ONLY();
    CHECK(!b.done);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 r\nA HY_NOT_COMMITTED\nB HY_NOT_COMMITTED\n");
    fake_open_account(&f, &b, 'B', "k1", 100);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nB HY_OK 1 reply 1\n");
    return HY_OK;
}

static hy_err internal_and_unknown_kinds_are_not_taken(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_call *d = &a;
    d->call = (hy_call){ .kind = BANK_IN_PAID, .body = &d->body, .done = (void (*)(hy_call *))1 };
    CHECK(hy_host_submit(f.host, &d->call) == HY_UNKNOWN_KIND);
    d->call.kind = 99;
    CHECK(hy_host_submit(f.host, &d->call) == HY_UNKNOWN_KIND);
    CHECK(hy_host_complete(f.host, 1, &d->call) == HY_UNKNOWN_KIND);
    d->call.kind = BANK_IN_OPEN;
    CHECK(hy_host_complete(f.host, 1, &d->call) == HY_UNKNOWN_KIND);
    static const char long_key[] =
        "a key of sixty-five letters is one letter longer than what is kept";
    d->call.key = (hy_bytes){ (const uint8_t *)long_key, 65 };
    CHECK(hy_host_submit(f.host, &d->call) == HY_TOO_LARGE);
    return HY_OK;
}

// ---- looks ------------------------------------------------------------------------------------

typedef struct test_look {
    hy_look look;
    fake_host *of;
    uint32_t accounts;
    bool done;
} test_look;

static void look_at_accounts(hy_look *look, const hy_view *view) {
    ((test_look *)look)->accounts = hy_row_count(view, BANK_ACCOUNTS);
}

static void look_done(hy_look *look) {
    test_look *is = (test_look *)look;
    is->done = true;
    fake_note(&is->of->trace, "look %u %s\n", is->accounts, hy_err_name(look->err));
}

static hy_err look_waits_for_what_it_saw(hy_mem *mem) {
    FIXTURE(&bank_machine);
    test_look look = { .look = { .look = look_at_accounts, .done = look_done }, .of = &f };
    fake_open_account(&f, &a, 'A', NULL, 100);
    until_in_flight(&f, 1);
    CHECK_OK(hy_host_look(f.host, &look.look));
    FAKE_SURVIVED_ONLY();
    CHECK(!look.done);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\nlook 1 HY_OK\n");
    CHECK_OK(hy_host_look(f.host, &look.look));
    fake_run(&f, HY_US(1));
    CHECK_TRACE(&f, "look 1 HY_OK\n");
    return HY_OK;
}

static hy_err look_at_lost_steps_is_told_so(hy_mem *mem) {
    FIXTURE(&bank_machine);
    test_look look = { .look = { .look = look_at_accounts, .done = look_done }, .of = &f };
    test_look before = look;
    f.store.script = "cl";
    fake_open_account(&f, &a, 'A', NULL, 100);
    until_in_flight(&f, 1);
    CHECK_OK(hy_host_look(f.host, &before.look)); // sees A only
    fake_open_account(&f, &b, 'B', NULL, 100);
    until_in_flight(&f, 2);
    CHECK_OK(hy_host_look(f.host, &look.look)); // sees A and B
    fake_run(&f, HY_MS(40));
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\nlook 1 HY_OK\nappend 2-2 l\n"
                    "B HY_NOT_COMMITTED\nlook 2 HY_NOT_COMMITTED\n");
    return HY_OK;
}

// ---- observers --------------------------------------------------------------------------------

static void observe_change(void *self, uint64_t seq, uint32_t table, const void *before,
                           const void *after) {
    fake_host *f = self;
    if (table == HY_LEDGER) {
        fake_note(&f->trace, "%d ledger%s%s\n", (int)seq, before ? " was" : "", after ? " is" : "");
    }
    if (table != BANK_ACCOUNTS) return;
    const bank_account *was = before, *is = after;
    CHECK(is != NULL);
    fake_note(&f->trace, "%d account %d -> %d %.*s\n", (int)seq, was ? (int)was->cents : -1,
              (int)is->cents, HY_SHOW(is->owner));
}

static hy_err observers_see_each_step_as_it_was(hy_mem *mem) {
    FIXTURE(&bank_machine);
    CHECK_OK(hy_host_observe(f.host, &(hy_observer){ .changed = observe_change, .self = &f }));
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_open_account(&f, &b, 'B', NULL, 100);
    fake_transfer(&f, &c, 'C', NULL, 1, 2, 30);
    fake_call d = { 0 };
    fake_pay_out(&f, &d, 'D', 2, 30);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-4 c\nA HY_OK 1 reply 1\nB HY_OK 2 reply 2\nC HY_OK 3\nD HY_OK 4\n"
                    "1 account -1 -> 100 Ada\n2 account -1 -> 100 Ada\n"
                    "3 account 100 -> 70 Ada\n3 account 100 -> 130 Ada\n"
                    "4 account 130 -> 100 Ada\n4 ledger is\n");
    return HY_OK;
}

static hy_err observers_never_see_what_was_lost(hy_mem *mem) {
    FIXTURE(&bank_machine);
    CHECK_OK(hy_host_observe(f.host, &(hy_observer){ .changed = observe_change, .self = &f }));
    f.store.script = "rl";
    fake_open_account(&f, &a, 0, NULL, 100);
    fake_run(&f, HY_MS(20));
    fake_open_account(&f, &b, 0, NULL, 100);
    fake_run(&f, HY_MS(40));
    CHECK_TRACE(&f, "append 1-1 r\nappend 1-1 l\n");
    for (int i = 0; i < 15; i++) {
        CHECK_OK(hy_host_observe(f.host, &(hy_observer){ .changed = observe_change }));
    }
    CHECK(hy_host_observe(f.host, &(hy_observer){ .changed = observe_change }) == HY_LIMIT);
    return HY_OK;
}

// ---- invariants -------------------------------------------------------------------------------

static hy_err veto_is_answered_and_changes_nothing(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_misbehave(&f, &b, 'B', BANK_MAKE_MONEY);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\nB HY_INVARIANT\n");
    CHECK_TEXT(hy_bytes_of(b.call.invariant), "bank_money_is_kept");
    return HY_OK;
}

static hy_err halting_invariant_stops_the_host(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_call d = { 0 };
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_misbehave(&f, &b, 'B', BANK_BREAK_HALTING);
    fake_open_account(&f, &c, 'C', NULL, 100);
    fake_run(&f, HY_MS(20));
    fake_open_account(&f, &d, 'D', NULL, 100);
    // What was accepted before is stored and answered; nothing is taken any more.
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\nB HY_HALTED\nC HY_HALTED\n"
                    "D not taken HY_HALTED\n");
    const hy_host_stats stats = hy_host_stats_of(f.host);
    CHECK(stats.halted);
    CHECK_TEXT(hy_bytes_of(stats.halted_by), "bank_owner_has_name");
    return HY_OK;
}

static hy_err reporting_invariant_is_counted(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_misbehave(&f, &b, 'B', BANK_BREAK_REPORTING);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "append 1-2 c\nA HY_OK 1 reply 1\nB HY_OK 2\n");
    CHECK_EQ(hy_host_stats_of(f.host).invariant_reports, 1);
    return HY_OK;
}

// ---- time -------------------------------------------------------------------------------------

static hy_err last_input_time(fake_host *f, hy_ns *out_now) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, f->mem, 0);
    hy_bytes rest = hy_buf_bytes(&f->store.journal), bytes;
    hy_entry entry = { 0 };
    while (hy_frame_next(&rest, &bytes, NULL) == HY_OK) {
        CHECK_OK(hy_entry_decode(bytes, &arena, &entry, NULL));
        CHECK(entry.now >= *out_now);
        *out_now = entry.now;
    }
    return HY_OK;
}

static hy_err machine_time_never_goes_back(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 0, NULL, 100);
    fake_run(&f, HY_MS(20));
    hy_sim_step_wall(f.world, -HY_SECONDS(3600));
    fake_open_account(&f, &b, 0, NULL, 100);
    fake_run(&f, HY_MS(20));
    fake_crash(&f);
    CHECK_OK(fake_open(&f)); // the new process learns it from the journal
    fake_open_account(&f, &c, 0, NULL, 100);
    fake_run(&f, HY_MS(20));
    FAKE_SURVIVED_ONLY();
    hy_ns now = 0;
    CHECK_EQ(f.store.last_seq, 3);
    CHECK_OK(last_input_time(&f, &now));
    CHECK(now > hy_world_wall(f.world));
    return HY_OK;
}

// ---- checkpoints and closing ------------------------------------------------------------------

static hy_err idle_host_checkpoints_once(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_run(&f, HY_SECONDS(1));
    CHECK_TRACE(&f, "append 1-1 c\nA HY_OK 1 reply 1\ncheckpoint\n");
    fake_run(&f, HY_SECONDS(10));
    CHECK_TRACE(&f, "");
    return HY_OK;
}

static hy_err closing_drains_and_checkpoints(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', NULL, 100);
    fake_close(&f, HY_SECONDS(5));
    fake_open_account(&f, &b, 'B', NULL, 100);
    fake_run(&f, HY_SECONDS(1));
    CHECK_TRACE(&f, "B not taken HY_CLOSED\nappend 1-1 c\nA HY_OK 1 reply 1\ncheckpoint\n"
                    "closed HY_OK\n");
    return HY_OK;
}

static hy_err closing_ends_at_its_deadline(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.store.script = "l";
    f.store.load_failures = 1000000;
    fake_open_account(&f, &a, 'A', NULL, 100);
    until_in_flight(&f, 1);
    fake_run(&f, HY_MS(5));
    fake_open_account(&f, &b, 'B', NULL, 100);
    // Long enough, or while a load runs.
    fake_close(&f, kit_seed() % 2 == 0 ? HY_US(kit_seed() % 1000) : HY_SECONDS(5));
    fake_run(&f, HY_SECONDS(20));
    // Nobody knows about A, and nobody pretends to.
    CHECK_TRACE(&f, "append 1-1 l\nB HY_CLOSED\nA HY_OUTCOME_UNKNOWN\nclosed HY_TIMEOUT\n");
    return HY_OK;
}

static void close_from_done(hy_call *call) {
    fake_call *c = (fake_call *)call;
    c->done = true;
    fake_close(c->of, HY_SECONDS(5));
}

static hy_err host_may_be_closed_from_an_answer(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_open_account(&f, &a, 'A', NULL, 100);
    a.call.done = close_from_done;
    fake_open_account(&f, &b, 'B', NULL, 100);
    fake_run(&f, HY_SECONDS(1));
    CHECK_TRACE(&f, "append 1-2 c\nB HY_OK 2 reply 2\ncheckpoint\nclosed HY_OK\n");
    return HY_OK;
}

KIT_TESTS(KIT_TEST(reply_leaves_after_the_commit), KIT_TEST(one_commit_carries_many_steps),
          KIT_TEST(batch_max_bounds_a_commit), KIT_TEST(batch_bytes_max_bounds_a_commit),
          KIT_TEST(stepping_goes_on_while_a_commit_is_in_flight), KIT_TEST(full_queue_refuses),
          KIT_TEST(refused_commit_takes_back_later_steps_too),
          KIT_TEST(unknown_commit_that_was_stored_is_answered_as_done),
          KIT_TEST(unknown_commit_that_was_lost_is_refused),
          KIT_TEST(reload_is_tried_until_it_works), KIT_TEST(foreign_history_halts),
          KIT_TEST(refusal_waits_for_the_steps_it_could_see),
          KIT_TEST(refusal_of_a_lost_state_is_not_told), KIT_TEST(refusal_alone_needs_no_commit),
          KIT_TEST(same_key_gives_the_same_answer),
          KIT_TEST(duplicate_waits_until_its_answer_is_durable),
          KIT_TEST(internal_and_unknown_kinds_are_not_taken), KIT_TEST(look_waits_for_what_it_saw),
          KIT_TEST(look_at_lost_steps_is_told_so), KIT_TEST(observers_see_each_step_as_it_was),
          KIT_TEST(observers_never_see_what_was_lost),
          KIT_TEST(veto_is_answered_and_changes_nothing),
          KIT_TEST(halting_invariant_stops_the_host), KIT_TEST(reporting_invariant_is_counted),
          KIT_TEST(machine_time_never_goes_back), KIT_TEST(idle_host_checkpoints_once),
          KIT_TEST(closing_drains_and_checkpoints), KIT_TEST(closing_ends_at_its_deadline),
          KIT_TEST(host_may_be_closed_from_an_answer))
