// libdill_peer.c - the rows of scope_bench that libdill has something for.
//
// Its bundle is a scope without a tree: closing it cancels and waits. Its channels have no buffer.
// A coroutine begins to run in the call that starts it. Stacks are of 256 KiB with a guard page, so
// that not many more than 30,000 fit in a process; 20,000 are parked here.
#define DILL_DISABLE_RAW_NAMES // one of them is `now`
#include "bench/peers/scope/peer.h"

#include <libdill.h>

#define DILL_BUNCH 64u
#define DILL_GROUP 100u
#define DILL_PARKED 20000u

// ---- turns --------------------------------------------------------------------------------------

// Waits until all are there: else the first ones would run while the others are started.
static dill_coroutine void dill_yields(int gate, uint32_t times) {
    uint64_t nothing;
    dill_chrecv(gate, &nothing, sizeof nothing, -1);
    while (times-- > 0)
        dill_yield();
}

static double dill_turns(uint32_t times, uint32_t fibers) {
    int gate[2], bundle = dill_bundle();
    peer_must(dill_chmake(gate) == 0, "chmake");
    for (uint32_t i = 0; i < fibers; i++)
        peer_must(dill_bundle_go(bundle, dill_yields(gate[0], times / fibers)) == 0, "bundle_go");
    double since = bench_now();
    dill_chdone(gate[1]);
    dill_bundle_wait(bundle, -1);
    double seconds = bench_now() - since;
    dill_hclose(bundle);
    dill_hclose(gate[0]);
    dill_hclose(gate[1]);
    return seconds;
}

static double dill_turns_2(uint32_t times) {
    return dill_turns(times, 2);
}

static double dill_turns_1k(uint32_t times) {
    return dill_turns(times, 1000);
}

static double dill_turns_10k(uint32_t times) {
    return dill_turns(times, 10000);
}

// ---- spawning, and bundles ----------------------------------------------------------------------

static dill_coroutine void dill_nothing(void) {}

static double dill_spawn(uint32_t times) {
    int bundle = dill_bundle();
    double since = bench_now();
    for (uint32_t i = 0; i < times; i += DILL_BUNCH) {
        for (uint32_t j = 0; j < DILL_BUNCH; j++)
            peer_must(dill_bundle_go(bundle, dill_nothing()) == 0, "bundle_go");
        dill_yield();
    }
    double seconds = bench_now() - since;
    dill_hclose(bundle);
    return seconds;
}

static double dill_spawn_await(uint32_t times) {
    double since = bench_now();
    for (uint32_t i = 0; i < times; i++) {
        int handle = dill_go(dill_nothing());
        peer_must(handle >= 0 && dill_hclose(handle) == 0, "go");
    }
    return bench_now() - since;
}

static double dill_bundles(uint32_t times, uint32_t children) {
    double since = bench_now();
    for (uint32_t i = 0; i < times; i++) {
        int bundle = dill_bundle();
        for (uint32_t j = 0; j < children; j++)
            peer_must(dill_bundle_go(bundle, dill_nothing()) == 0, "bundle_go");
        if (children > 0) dill_bundle_wait(bundle, -1);
        dill_hclose(bundle);
    }
    return bench_now() - since;
}

static double dill_bundle_empty(uint32_t times) {
    return dill_bundles(times, 0);
}

static double dill_bundle_one(uint32_t times) {
    return dill_bundles(times, 1);
}

static double dill_bundle_group(uint32_t times) {
    return dill_bundles(times / DILL_GROUP, DILL_GROUP);
}

// ---- channels -----------------------------------------------------------------------------------

static dill_coroutine void dill_send_all(int chan, uint32_t times) {
    for (uint64_t i = 0; i < times; i++)
        dill_chsend(chan, &i, sizeof i, -1);
    dill_chdone(chan);
}

static double dill_one_way(uint32_t times) {
    int ends[2];
    uint64_t item;
    peer_must(dill_chmake(ends) == 0, "chmake");
    double since = bench_now();
    int sender = dill_go(dill_send_all(ends[0], times));
    while (dill_chrecv(ends[1], &item, sizeof item, -1) == 0) {
    }
    double seconds = bench_now() - since;
    dill_hclose(sender);
    dill_hclose(ends[0]);
    dill_hclose(ends[1]);
    return seconds;
}

static dill_coroutine void dill_answer(int chan) {
    uint64_t item;
    while (dill_chrecv(chan, &item, sizeof item, -1) == 0)
        dill_chsend(chan, &item, sizeof item, -1);
}

static double dill_two_ways(uint32_t times, bool choose) {
    int ends[2], idle[2];
    peer_must(dill_chmake(ends) == 0 && dill_chmake(idle) == 0, "chmake");
    double since = bench_now();
    int other = dill_go(dill_answer(ends[0]));
    for (uint64_t i = 0; i < times / 2; i++) {
        uint64_t item;
        struct dill_chclause clauses[2] = {
            { .op = DILL_CHRECV, .ch = idle[1], .val = &item, .len = sizeof item },
            { .op = DILL_CHRECV, .ch = ends[1], .val = &item, .len = sizeof item },
        };
        dill_chsend(ends[1], &i, sizeof i, -1);
        int got = choose ? dill_choose(clauses, 2, -1) == 1 ? 0 : -1
                         : dill_chrecv(ends[1], &item, sizeof item, -1);
        peer_must(got == 0 && item == i, "an answer");
    }
    double seconds = bench_now() - since;
    dill_hclose(other);
    for (int i = 0; i < 2; i++) {
        dill_hclose(ends[i]);
        dill_hclose(idle[i]);
    }
    return seconds;
}

static double dill_ping_pong(uint32_t times) {
    return dill_two_ways(times, false);
}

static double dill_select(uint32_t times) {
    return dill_two_ways(times, true);
}

// ---- waiting ------------------------------------------------------------------------------------

static uint32_t dill_hops_left;

static dill_coroutine void dill_hop(int fd) {
    while (dill_hops_left > 0) {
        if (dill_fdin(fd, -1) != 0) return;
        if (dill_hops_left == 0) return;
        peer_pass_on(fd);
        dill_hops_left--;
    }
}

static double dill_hops(uint32_t times) {
    int ends[2];
    peer_pair(ends);
    dill_hops_left = times;
    double since = bench_now();
    int one = dill_go(dill_hop(ends[0])), other = dill_go(dill_hop(ends[1]));
    peer_must(write(ends[0], "x", 1) == 1, "write");
    while (dill_hops_left > 0)
        dill_msleep(dill_now() + 1);
    double seconds = bench_now() - since;
    dill_hclose(one);
    dill_hclose(other);
    for (int i = 0; i < 2; i++) {
        dill_fdclean(ends[i]);
        close(ends[i]);
    }
    return seconds;
}

static dill_coroutine void dill_park(int chan) {
    uint64_t item;
    dill_chrecv(chan, &item, sizeof item, -1);
}

static peer_parked dill_parking(void) {
    peer_parked parked = { .fibers = DILL_PARKED };
    int ends[2], bundle = dill_bundle();
    peer_must(bundle >= 0 && dill_chmake(ends) == 0, "chmake");
    double before = peer_bytes(), since = bench_now();
    for (uint32_t i = 0; i < parked.fibers; i++)
        peer_must(dill_bundle_go(bundle, dill_park(ends[0])) == 0, "bundle_go");
    parked.park_seconds = bench_now() - since;
    parked.bytes = peer_bytes() - before;
    since = bench_now();
    dill_chdone(ends[1]);
    dill_bundle_wait(bundle, -1);
    parked.wake_seconds = bench_now() - since;
    return parked;
}

int main(void) {
    static const peer_row rows[] = {
        { "yield", dill_turns_2, 4000000 },
        { "yield_1k", dill_turns_1k, 4000000 },
        { "yield_10k", dill_turns_10k, 4000000 },
        { "spawn", dill_spawn, 4000000 },
        { "spawn_await", dill_spawn_await, 4000000 },
        { "scope_empty", dill_bundle_empty, 4000000 },
        { "scope_spawn", dill_bundle_one, 2000000 },
        { "scope_spawn_100", dill_bundle_group, 4000000 },
        { "chan_rendezvous", dill_one_way, 1000000 },
        { "chan_ping_pong", dill_ping_pong, 1000000 },
        { "select_two", dill_select, 1000000 },
        { "fd_hop", dill_hops, 100000 },
    };
    peer_parked parked = dill_parking(); // first, while the stacks are new
    peer_report_parked("libdill", &parked);
    peer_rows("libdill", rows, sizeof rows / sizeof rows[0]);
    return 0;
}
