// sqlite_crash_test.c - the machine stops, the disk fails or is full, at every single call of a
// run.
//
// The oracle never looks at a store: it is the list of digests that the machine gave while it made
// the entries in memory. Every point is played from an empty disk with a seed of its own, so what
// is lost, torn or reordered differs from point to point.
#include "store/crash_script_suite.h"

#include "base/cleanup.h"
#include "kit/kit.h"

// Under a sanitizer everything takes four times as long: every third point, other ones for every
// seed.
#ifdef __SANITIZE_ADDRESS__
#define SWEEP_STRIDE 3u
#else
#define SWEEP_STRIDE 1u
#endif

static uint64_t sweep_start(void) {
    return 1 + kit_seed() % SWEEP_STRIDE;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_world *open_world(uint64_t seed) {
    hy_world *world = NULL;
    hy_err err = hy_sim_open(
        HY_OPTIONS(hy_sim, .seed = seed, .mem = hy_mem_system(), .event_log_max = 64), &world);
    CHECK(err == HY_OK);
    return world;
}

// Crash at one call, restart, judge. False: the run is over before that call.
static bool crash_once(const crash_script *script, uint64_t at) {
    HY_CLEANUP(close_world) hy_world *world = open_world(kit_seed() * 1000003 + at);
    crash_play play = { 0 };
    hy_sim_crash_at(world, at);
    crash_play_run(&play, script, world);
    crash_play_close(&play);
    if (!hy_sim_has_crashed(world)) return false;
    hy_sim_restart(world);
    crash_play_judge(&play, script, world);
    crash_play_close(&play);
    return true;
}

static hy_err every_crash_leaves_before_or_after(hy_mem *mem) {
    (void)mem;
    crash_script script;
    crash_script_make(&script, 1000, 0);
    uint64_t at = sweep_start();
    while (crash_once(&script, at)) {
        at += SWEEP_STRIDE;
    }
    CHECK(at > 800); // a run that has shrunk to nothing would prove nothing
    crash_script_free(&script);
    return HY_OK;
}

// The machine stops again while it recovers from the first stop.
static bool crash_twice(const crash_script *script, uint64_t at, uint64_t later) {
    HY_CLEANUP(close_world) hy_world *world = open_world(kit_seed() * 1000033 + at);
    crash_play play = { 0 };
    hy_sim_crash_at(world, at);
    crash_play_run(&play, script, world);
    crash_play_close(&play);
    if (!hy_sim_has_crashed(world)) return false;
    hy_sim_restart(world);
    hy_sim_crash_at(world, hy_sim_disk_calls(world) + later);
    crash_play second = { .confirmed = play.confirmed };
    crash_play_recover(&second, world);
    crash_play_close(&second);
    if (hy_sim_has_crashed(world)) hy_sim_restart(world);
    hy_sim_crash_at(world, 0);
    crash_play_judge(&play, script, world);
    crash_play_close(&play);
    return true;
}

static hy_err a_crash_while_recovering_changes_nothing(hy_mem *mem) {
    (void)mem;
    crash_script script;
    crash_script_make(&script, 300, 0);
    uint64_t points = 0;
    for (uint64_t at = sweep_start(); crash_twice(&script, at, 1 + at % 9); at += SWEEP_STRIDE) {
        points++;
    }
    CHECK(points > 200 / SWEEP_STRIDE);
    crash_script_free(&script);
    return HY_OK;
}

// ---- failing calls ------------------------------------------------------------------------------

typedef struct fault_plan {
    bool full;  // no room, else an I/O error
    bool stays; // until healed, else once
    bool drops; // a failed sync forgets
} fault_plan;

static void set_fault(hy_world *world, fault_plan plan, uint64_t at) {
    hy_sim_faults faults = { .sync_error_drops = plan.drops, .fault_stays = plan.stays };
    *(plan.full ? &faults.full_at : &faults.error_at) = at;
    hy_sim_set_faults(world, &faults);
}

// The process lives on: what it is told by load must be what it finds after the machine was
// stopped.
static bool fail_once(const crash_script *script, uint64_t at, fault_plan plan) {
    HY_CLEANUP(close_world) hy_world *world = open_world(kit_seed() * 1000037 + at);
    crash_play play = { 0 };
    set_fault(world, plan, at);
    crash_play_run(&play, script, world);
    if (hy_sim_disk_calls(world) < at) {
        crash_play_close(&play);
        return false;
    }
    set_fault(world, plan, 0);
    crash_play_judge(&play, script, world);
    play.in_flight = 0;
    crash_play_run(&play, script, world); // as if nothing had been; then the plug is pulled
    hy_sim_restart(world);
    crash_play_close(&play);
    crash_play_judge(&play, script, world);
    CHECK_EQ(play.confirmed, script->batches[script->batch_count - 1].last_seq);
    crash_play_close(&play);
    return true;
}

static hy_err fail_everywhere(fault_plan plan) {
    crash_script script;
    crash_script_make(&script, 250, 0);
    uint64_t points = 0;
    for (uint64_t at = sweep_start(); fail_once(&script, at, plan); at += SWEEP_STRIDE) {
        points++;
    }
    CHECK(points > 200 / SWEEP_STRIDE);
    crash_script_free(&script);
    return HY_OK;
}

static hy_err an_error_at_any_call_is_survived(hy_mem *mem) {
    (void)mem;
    return fail_everywhere((fault_plan){ 0 });
}

static hy_err a_sync_may_fail_and_forget(hy_mem *mem) {
    (void)mem;
    return fail_everywhere((fault_plan){ .drops = true });
}

static hy_err errors_from_any_call_on_are_survived(hy_mem *mem) {
    (void)mem;
    return fail_everywhere((fault_plan){ .stays = true, .drops = true });
}

// A sync fails and forgets, the process ends, and the machine stops while the next process opens
// the store: what it settles must not rest on bytes that only the kernel's memory still shows.
static bool forget_then_crash(const crash_script *script, uint64_t at, uint64_t later) {
    HY_CLEANUP(close_world) hy_world *world = open_world(kit_seed() * 1000039 + at);
    crash_play play = { 0 };
    set_fault(world, (fault_plan){ .drops = true }, at);
    crash_play_run(&play, script, world);
    set_fault(world, (fault_plan){ 0 }, 0);
    bool reached = hy_sim_disk_calls(world) >= at;
    hy_sim_crash_at(world, hy_sim_disk_calls(world) + later);
    crash_play_close(&play);
    crash_play second = { .confirmed = play.confirmed };
    crash_play_recover(&second, world);
    hy_sim_restart(world);
    crash_play_close(&second);
    if (reached) crash_play_judge(&play, script, world);
    crash_play_close(&play);
    return reached;
}

static hy_err a_crash_after_a_forgetful_sync_is_survived(hy_mem *mem) {
    (void)mem;
    crash_script script;
    crash_script_make(&script, 250, 0);
    uint64_t points = 0;
    for (uint64_t at = sweep_start(); forget_then_crash(&script, at, 1 + at % 11);
         at += SWEEP_STRIDE) {
        points++;
    }
    CHECK(points > 200 / SWEEP_STRIDE);
    crash_script_free(&script);
    return HY_OK;
}

// A lazy store may lose its latest batches, but what it holds must be a state that once was.
static void check_lazy_rest(const crash_script *script, hy_world *world) {
    hy_state *state = NULL;
    crash_play play = { .lazy = true };
    crash_play_recover(&play, world);
    CHECK(!play.stopped);
    CHECK(hy_state_new(hy_mem_system(), &vault_machine, NULL, &state, NULL) == HY_OK);
    CHECK(play.store->driver->load(play.store, play.number, state, NULL) == HY_OK);
    teller_mark mark = teller_mark_at(&script->maker_teller, hy_state_seq(state));
    CHECK_EQ(hy_state_digest_slow(state), mark.digest);
    CHECK_EQ(hy_state_chain(state), mark.chain);
    hy_state_free(state);
    crash_play_close(&play);
}

static hy_err a_lazy_store_may_be_forgotten_but_not_torn(hy_mem *mem) {
    (void)mem;
    crash_script script;
    crash_script_make(&script, 1000, 0);
    bool reached = true;
    uint64_t at = sweep_start();
    for (; reached; at += SWEEP_STRIDE) {
        HY_CLEANUP(close_world) hy_world *world = open_world(kit_seed() * 1000081 + at);
        crash_play play = { .lazy = true };
        set_fault(world, (fault_plan){ .drops = true }, at);
        hy_sim_crash_at(world, at + 20 + at % 97); // until the log is copied again
        crash_play_run(&play, &script, world);
        crash_play_close(&play);
        reached = hy_sim_has_crashed(world) || play.stopped;
        hy_sim_restart(world);
        set_fault(world, (fault_plan){ 0 }, 0);
        check_lazy_rest(&script, world);
    }
    CHECK(at > 500);
    crash_script_free(&script);
    return HY_OK;
}

static hy_err a_full_disk_at_any_call_is_survived(hy_mem *mem) {
    (void)mem;
    return fail_everywhere((fault_plan){ .full = true });
}

static hy_err a_disk_that_stays_full_is_survived(hy_mem *mem) {
    (void)mem;
    return fail_everywhere((fault_plan){ .full = true, .stays = true });
}

KIT_TESTS(KIT_TEST_ONCE(every_crash_leaves_before_or_after),
          KIT_TEST_ONCE(a_crash_while_recovering_changes_nothing),
          KIT_TEST_ONCE(an_error_at_any_call_is_survived),
          KIT_TEST_ONCE(a_sync_may_fail_and_forget),
          KIT_TEST_ONCE(errors_from_any_call_on_are_survived),
          KIT_TEST_ONCE(a_crash_after_a_forgetful_sync_is_survived),
          KIT_TEST_ONCE(a_lazy_store_may_be_forgotten_but_not_torn),
          KIT_TEST_ONCE(a_full_disk_at_any_call_is_survived),
          KIT_TEST_ONCE(a_disk_that_stays_full_is_survived))
