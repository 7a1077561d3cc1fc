// attempt_test.c - actions on their way out: restored, retried, cancelled, completed; and timers.
//
// The executor under test does as it is told and writes down every attempt, so each test reads as a
// story: what was started with which key, and what was not. Time is simulated; a day costs nothing.
#include "host/fake_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

#define FIXTURE(machine)                                                                           \
    HY_CLEANUP(fake_deinit) fake_host f = { 0 };                                                   \
    fake_call a = { 0 }, b = { 0 }, c = { 0 };                                                     \
    (void)a, (void)b, (void)c;                                                                     \
    CHECK_OK(fake_init(&f, mem, machine))

// An account with money. Silent.
static void have_account(fake_host *f, fake_call *call) {
    fake_open_account(f, call, 0, NULL, 1000);
    fake_run(f, HY_MS(10));
}

static hy_err action_starts_after_its_commit(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    f.store.trace = &f.trace;
    fake_pay_out(&f, &b, 'B', 1, 30);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "append 2-2 c\nB HY_OK 2\nstart bank/1 try 1 cents 30\n");
    CHECK_EQ(hy_host_stats_of(f.host).pending_actions, 1);
    fake_pay_done(&f, 0, true);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "append 3-3 c\n");
    const hy_host_stats stats = hy_host_stats_of(f.host);
    CHECK_EQ(stats.completions, 1);
    CHECK_EQ(stats.pending_actions, 0);
    return HY_OK;
}

static hy_err action_of_a_lost_step_never_starts(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    f.store.script = "rl";
    fake_pay_out(&f, &b, 'B', 1, 30);
    fake_run(&f, HY_MS(10));
    fake_pay_out(&f, &b, 'B', 1, 30);
    fake_run(&f, HY_MS(40));
    CHECK_TRACE(&f, "B HY_NOT_COMMITTED\nB HY_NOT_COMMITTED\n");
    CHECK_EQ(hy_host_stats_of(f.host).attempts, 0);
    return HY_OK;
}

static hy_err action_of_an_uncertain_step_starts_once_known(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    f.store.script = "k";
    f.store.load_failures = 2;
    fake_pay_out(&f, &b, 'B', 1, 30);
    fake_run(&f, HY_SECONDS(1));
    CHECK_TRACE(&f, "B HY_OK 2\nstart bank/1 try 1 cents 30\n");
    return HY_OK;
}

static hy_err completion_inside_start_is_fine(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.pay_does = FAKE_PAY_DONE;
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 'B', 1, 30);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "B HY_OK 2\nstart bank/1 try 1 cents 30\n");
    CHECK_EQ(hy_host_stats_of(f.host).completions, 1);
    return HY_OK;
}

static hy_err restored_action_keeps_its_key_and_says_so(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_pay_out(&f, &c, 0, 1, 40);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30\nstart bank/3 try 1 cents 40\n");
    fake_crash(&f);
    CHECK_OK(fake_open(&f));
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, ""); // not before hy_host_start
    fake_start(&f);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30 restored\nstart bank/3 try 1 cents 40 restored\n");
    fake_pay_done(&f, 0, true);
    fake_pay_done(&f, 0, false);
    fake_run(&f, HY_MS(10));
    fake_crash(&f);
    CHECK_OK(fake_open(&f));
    fake_start(&f);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "");
    return HY_OK;
}

static hy_err failed_attempt_is_repeated_with_growing_pauses(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.is_quiet = true;
    f.pay_does = FAKE_PAY_FAIL;
    f.pay.backoff_min_ns = HY_MS(100);
    f.pay.backoff_max_ns = HY_SECONDS(2);
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_SECONDS(1000));
    FAKE_SURVIVED_ONLY();
    // Full jitter: on average every second in the end, never faster than the pauses allow.
    const uint64_t attempts = hy_host_stats_of(f.host).attempts;
    CHECK(attempts > 500 && attempts < 2000);
    CHECK_EQ(hy_host_stats_of(f.host).retries, attempts - 1);
    CHECK_TEXT(hy_bytes_of(hy_host_stats_of(f.host).last_failure), "told to fail");
    return HY_OK;
}

static hy_err attempt_is_cancelled_at_its_deadline(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.pay.attempt_max_ns = HY_SECONDS(2);
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(1900));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30\n");
    fake_run(&f, HY_MS(500));
    CHECK_TRACE(&f, "cancel bank/1 try 1\nstart bank/1 try 2 cents 30\n");
    CHECK_EQ(hy_host_stats_of(f.host).deadlines_passed, 1);
    return HY_OK;
}

static hy_err attempts_at_a_time_are_bounded(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.pay.parallel_max = 2;
    fake_start(&f);
    have_account(&f, &a);
    fake_call calls[4] = { 0 };
    for (int i = 0; i < 4; i++) {
        fake_pay_out(&f, &calls[i], 0, 1, 10 + i);
    }
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 10\nstart bank/3 try 1 cents 11\n");
    fake_pay_done(&f, 1, true);
    fake_run(&f, HY_MS(20));
    CHECK_TRACE(&f, "start bank/5 try 1 cents 12\n");
    return HY_OK;
}

static hy_err last_attempt_gives_up_with_a_completion(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.pay_does = FAKE_PAY_FAIL;
    f.pay.attempts_max = 3;
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_SECONDS(5));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30\nstart bank/1 try 2 cents 30\n"
                    "start bank/1 try 3 cents 30\ngive up bank/1 after 3\n");
    fake_pay_out(&f, &b, 'B', 1, 1000); // refunded: all of it is there again
    fake_run(&f, HY_MS(5));
    CHECK_EQ(hy_host_stats_of(f.host).gave_up, 1);
    CHECK_EQ(hy_host_stats_of(f.host).completions, 1);
    return HY_OK;
}

static hy_err executor_must_be_able_to_give_up(hy_mem *mem) {
    FIXTURE(&bank_machine);
    hy_executor executor = f.pay;
    executor.attempts_max = 3;
    executor.give_up = NULL;
    CHECK(hy_host_executor(f.host, &executor) == HY_MISSING);
    executor.kind = 9;
    CHECK(hy_host_executor(f.host, &executor) == HY_UNKNOWN_KIND);
    CHECK(hy_host_executor(f.host, &f.pay) == HY_OK);
    CHECK(hy_host_executor(f.host, &f.pay) == HY_EXISTS);
    return HY_OK;
}

static hy_err untracked_action_runs_at_most_once(hy_mem *mem) {
    FIXTURE(&bank_machine);
    f.log_effects = true;
    f.pay_does = FAKE_PAY_HOLD;
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30\nlog bank/2\n");
    fake_crash(&f);
    CHECK_OK(fake_open(&f));
    fake_start(&f);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30 restored\n");
    return HY_OK;
}

static hy_err action_without_executor_stays_and_is_counted(hy_mem *mem) {
    FIXTURE(&bank_machine);
    hy_host_start(f.host);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(10));
    FAKE_SURVIVED_ONLY();
    hy_host_stats stats = hy_host_stats_of(f.host);
    CHECK_EQ(stats.without_executor, 1);
    CHECK_EQ(stats.pending_actions, 1);
    CHECK_EQ(stats.untracked_dropped, 1);
    fake_crash(&f);
    CHECK_OK(fake_open(&f));
    CHECK_EQ(hy_host_stats_of(f.host).pending_actions, 1);
    fake_start(&f); // now there is one
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30 restored\n");
    CHECK_EQ(hy_host_stats_of(f.host).without_executor, 0);
    return HY_OK;
}

static hy_err cancelled_action_drops_its_attempt(hy_mem *mem) {
    FIXTURE(fake_cancelling_bank());
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(10));
    f.store.trace = &f.trace;
    fake_cancel(&f, &c, 'C', 1);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30\nappend 3-3 c\nC HY_OK 3\ncancel bank/1 try 1\n");
    return HY_OK;
}

static hy_err cancelling_that_was_not_stored_cancels_nothing(hy_mem *mem) {
    FIXTURE(fake_cancelling_bank());
    f.pay.parallel_max = 1;
    fake_start(&f);
    have_account(&f, &a);
    fake_call d = { 0 };
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_pay_out(&f, &c, 0, 1, 40);
    fake_run(&f, HY_MS(10));
    f.store.script = "r";
    fake_cancel(&f, &d, 'D', 3); // the one that waits in line
    for (int i = 0; i < 100 && hy_host_stats_of(f.host).in_flight_count == 0; i++) {
        (void)hy_world_turn(f.world);
    }
    FAKE_SURVIVED_ONLY();
    fake_pay_done(&f, 0, true); // its turn has come, but a step took its row away: it is parked
    fake_run(&f, HY_MS(40));
    CHECK_TRACE(&f,
                "start bank/1 try 1 cents 30\nD HY_NOT_COMMITTED\nstart bank/3 try 1 cents 40\n");
    return HY_OK;
}

static hy_err webhook_completes_once(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(10));
    fake_webhook(&f, &b, 'B', 1, true);
    fake_webhook(&f, &c, 'C', 1, true); // says it twice
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f,
                "start bank/1 try 1 cents 30\nB HY_OK 3\nC HY_ALREADY_DONE\ncancel bank/1 try 1\n");
    fake_webhook(&f, &b, 'B', 77, true);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "B HY_NOT_FOUND\n");
    return HY_OK;
}

static hy_err late_completion_of_the_executor_changes_nothing(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(10));
    FAKE_SURVIVED_ONLY();
    fake_webhook(&f, &b, 'B', 1, true);
    fake_pay_done(&f, 0, false); // behind the webhook in the queue
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30\nB HY_OK 3\n");
    CHECK_EQ(f.store.last_seq, 3);
    CHECK_EQ(hy_host_stats_of(f.host).pending_actions, 0);
    return HY_OK;
}

static hy_err crash_with_a_late_completion_leaks_nothing(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(10));
    FAKE_SURVIVED_ONLY();
    fake_webhook(&f, &b, 'B', 1, true);
    for (int i = 0; i < 1000 && hy_host_stats_of(f.host).in_flight_count == 0; i++) {
        (void)hy_world_turn(f.world);
        FAKE_SURVIVED_ONLY();
    }
    fake_pay_done(&f, 0, true); // stepped on top of the webhook's
    for (int i = 0; i < 1000 && !b.done; i++) {
        (void)hy_world_turn(f.world);
        FAKE_SURVIVED_ONLY();
    }
    fake_crash(&f);
    return HY_OK;
}

static hy_err completion_is_not_refused_by_a_full_queue(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_crash(&f);
    f.options.queue_max = 1;
    CHECK_OK(fake_open(&f));
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(10));
    FAKE_SURVIVED_ONLY();
    f.trace.len = 0;
    fake_open_account(&f, &a, 'A', NULL, 1);
    fake_open_account(&f, &b, 'B', NULL, 1);
    fake_pay_done(&f, 0, true);
    fake_webhook(&f, &c, 'C', 1, true);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "B not taken HY_LIMIT\nA HY_OK 3 reply 2\nC HY_ALREADY_DONE\n");
    CHECK_EQ(hy_host_stats_of(f.host).completions, 1);
    return HY_OK;
}

static hy_err completion_that_was_not_stored_is_given_again(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_run(&f, HY_MS(10));
    FAKE_SURVIVED_ONLY();
    f.store.script = "rlrk";
    fake_pay_done(&f, 0, true);
    fake_run(&f, HY_SECONDS(2));
    // The outside is asked once.
    CHECK_TRACE(&f, "start bank/1 try 1 cents 30\n");
    CHECK_EQ(hy_host_stats_of(f.host).completions, 1);
    CHECK_EQ(hy_host_stats_of(f.host).attempts, 1);
    CHECK_EQ(f.store.last_seq, 3);
    return HY_OK;
}

static hy_err rejected_completion_ends_the_action(hy_mem *mem) {
    FIXTURE(fake_cancelling_bank());
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 1000);
    fake_run(&f, HY_MS(10));
    FAKE_SURVIVED_ONLY();
    fake_pay_done(&f, 0, false);
    fake_run(&f, HY_SECONDS(1));
    CHECK_TRACE(&f, "start bank/1 try 1 cents 1000\n");
    CHECK_EQ(hy_host_stats_of(f.host).completions, 1);
    CHECK_EQ(hy_host_stats_of(f.host).pending_actions, 0);
    fake_crash(&f);
    CHECK_OK(fake_open(&f));
    CHECK_EQ(hy_host_stats_of(f.host).pending_actions, 0);
    return HY_OK;
}

static hy_err closing_waits_for_attempts_and_cancels_at_the_deadline(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_pay_out(&f, &b, 0, 1, 30);
    fake_pay_out(&f, &c, 0, 1, 40);
    fake_run(&f, HY_MS(10));
    FAKE_SURVIVED_ONLY();
    f.trace.len = 0;
    fake_close(&f, HY_SECONDS(5));
    fake_run(&f, HY_SECONDS(1));
    fake_pay_done(&f, 0, true);
    fake_run(&f, HY_SECONDS(1));
    FAKE_SURVIVED_ONLY();
    CHECK_EQ(f.store.last_seq, 4); // still taken in
    CHECK(!f.closed);
    fake_run(&f, HY_SECONDS(5));
    CHECK_TRACE(&f, "cancel bank/3 try 1\nclosed HY_TIMEOUT\n");
    CHECK_OK(fake_open(&f));
    fake_start(&f);
    fake_run(&f, HY_MS(10));
    CHECK_TRACE(&f, "start bank/3 try 1 cents 40 restored\n");
    return HY_OK;
}

// ---- timers -----------------------------------------------------------------------------------

static hy_err timer_fires_when_the_wall_says_so(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_remind(&f, &b, 'B', 1, HY_SECONDS(60));
    fake_run(&f, HY_SECONDS(59));
    CHECK_TRACE(&f, "B HY_OK 2\n");
    CHECK_EQ(hy_host_stats_of(f.host).timers_fired, 0);
    CHECK_EQ(hy_host_stats_of(f.host).pending_actions, 1);
    fake_run(&f, HY_SECONDS(2));
    FAKE_SURVIVED_ONLY();
    CHECK_EQ(hy_host_stats_of(f.host).timers_fired, 1);
    CHECK_EQ(hy_host_stats_of(f.host).pending_actions, 0);
    CHECK_EQ(f.store.last_seq, 3);
    return HY_OK;
}

static hy_err timer_survives_a_restart(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_remind(&f, &b, 'B', 1, HY_SECONDS(60));
    fake_remind(&f, &c, 'C', 1, HY_SECONDS(3600));
    fake_run(&f, HY_SECONDS(1));
    fake_crash(&f);
    hy_sim_step_wall(f.world, HY_SECONDS(120)); // the first fell due while nobody ran
    CHECK_OK(fake_open(&f));
    fake_start(&f);
    fake_run(&f, HY_SECONDS(2));
    FAKE_SURVIVED_ONLY();
    CHECK_EQ(hy_host_stats_of(f.host).timers_fired, 1);
    CHECK_EQ(hy_host_stats_of(f.host).pending_actions, 1);
    return HY_OK;
}

static hy_err timer_follows_the_wall_clock(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_remind(&f, &b, 0, 1, HY_SECONDS(3600));
    fake_run(&f, HY_SECONDS(1));
    hy_sim_step_wall(f.world, HY_SECONDS(3600)); // summer time, set by hand
    fake_run(&f, HY_SECONDS(2));
    FAKE_SURVIVED_ONLY();
    CHECK_EQ(hy_host_stats_of(f.host).timers_fired, 1);
    fake_remind(&f, &c, 0, 1, HY_SECONDS(10));
    fake_run(&f, HY_SECONDS(1));
    hy_sim_step_wall(f.world, -HY_SECONDS(100)); // back: it fires later, not now
    fake_run(&f, HY_SECONDS(60));
    FAKE_SURVIVED_ONLY();
    CHECK_EQ(hy_host_stats_of(f.host).timers_fired, 1);
    fake_run(&f, HY_SECONDS(60));
    FAKE_SURVIVED_ONLY();
    CHECK_EQ(hy_host_stats_of(f.host).timers_fired, 2);
    return HY_OK;
}

static hy_err cancelled_timer_does_not_fire(hy_mem *mem) {
    FIXTURE(fake_cancelling_bank());
    fake_start(&f);
    have_account(&f, &a);
    fake_remind(&f, &b, 0, 1, HY_SECONDS(60));
    fake_run(&f, HY_SECONDS(1));
    fake_cancel(&f, &c, 'C', 1);
    fake_run(&f, HY_SECONDS(120));
    CHECK_TRACE(&f, "C HY_OK 3\n");
    CHECK_EQ(hy_host_stats_of(f.host).timers_fired, 0);
    return HY_OK;
}

static hy_err timer_whose_commit_failed_fires_again(hy_mem *mem) {
    FIXTURE(&bank_machine);
    fake_start(&f);
    have_account(&f, &a);
    fake_remind(&f, &b, 0, 1, HY_SECONDS(60));
    fake_run(&f, HY_SECONDS(1));
    f.store.script = "rl";
    fake_run(&f, HY_SECONDS(70));
    FAKE_SURVIVED_ONLY();
    CHECK_EQ(hy_host_stats_of(f.host).timers_fired, 1);
    CHECK_EQ(f.store.last_seq, 3);
    return HY_OK;
}

// The commit below it is unknown and stays so until the deadline: whatever the payment brings then
// must not be stepped on memory that may be ahead of the store, or the journal would have a gap.
// The deadline falls at another point of the search for the truth each time.
static hy_err unknown_until_the_deadline(hy_mem *mem, hy_ns deadline) {
    HY_CLEANUP(fake_deinit) fake_host f = { 0 };
    fake_call a = { 0 }, b = { 0 }, c = { 0 };
    CHECK_OK(fake_init_slow(&f, mem, &bank_machine, HY_MS(30)));
    fake_start(&f);
    fake_open_account(&f, &a, 0, NULL, 1000);
    fake_run(&f, HY_SECONDS(1));
    fake_pay_out(&f, &b, 'B', 1, 30);
    fake_run(&f, HY_SECONDS(1));
    CHECK_TRACE(&f, "B HY_OK 2\nstart bank/1 try 1 cents 30\n");
    f.store.script = "l";
    f.store.load_failures = 1000000;
    fake_transfer(&f, &c, 'C', NULL, 1, 1, 5);
    for (uint32_t i = 0; i < 1000 && hy_host_stats_of(f.host).in_flight_count == 0; i++) {
        (void)hy_world_turn(f.world);
    }
    fake_pay_done(&f, 0, true);
    fake_close(&f, deadline);
    fake_run(&f, HY_SECONDS(20));
    CHECK_EQ(f.store.appends, 3); // the account, the payout, and C: none on top
    CHECK_TRACE(&f, "C HY_OUTCOME_UNKNOWN\nclosed HY_TIMEOUT\n");
    return HY_OK;
}

static hy_err nothing_is_stepped_above_an_unknown_commit(hy_mem *mem) {
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(unknown_until_the_deadline(mem, HY_US(101) * i));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(nothing_is_stepped_above_an_unknown_commit),
          KIT_TEST(action_starts_after_its_commit), KIT_TEST(action_of_a_lost_step_never_starts),
          KIT_TEST(action_of_an_uncertain_step_starts_once_known),
          KIT_TEST(completion_inside_start_is_fine),
          KIT_TEST(restored_action_keeps_its_key_and_says_so),
          KIT_TEST(failed_attempt_is_repeated_with_growing_pauses),
          KIT_TEST(attempt_is_cancelled_at_its_deadline), KIT_TEST(attempts_at_a_time_are_bounded),
          KIT_TEST(last_attempt_gives_up_with_a_completion),
          KIT_TEST(executor_must_be_able_to_give_up), KIT_TEST(untracked_action_runs_at_most_once),
          KIT_TEST(action_without_executor_stays_and_is_counted),
          KIT_TEST(cancelled_action_drops_its_attempt),
          KIT_TEST(cancelling_that_was_not_stored_cancels_nothing),
          KIT_TEST(webhook_completes_once),
          KIT_TEST(late_completion_of_the_executor_changes_nothing),
          KIT_TEST(crash_with_a_late_completion_leaks_nothing),
          KIT_TEST(completion_is_not_refused_by_a_full_queue),
          KIT_TEST(completion_that_was_not_stored_is_given_again),
          KIT_TEST(rejected_completion_ends_the_action),
          KIT_TEST(closing_waits_for_attempts_and_cancels_at_the_deadline),
          KIT_TEST(timer_fires_when_the_wall_says_so), KIT_TEST(timer_survives_a_restart),
          KIT_TEST(timer_follows_the_wall_clock), KIT_TEST(cancelled_timer_does_not_fire),
          KIT_TEST(timer_whose_commit_failed_fires_again))
