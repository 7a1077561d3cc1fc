// neco_peer.c - the rows of scope_bench that neco has something for.
//
// It has no scopes. A coroutine begins to run in the call that starts it. Stacks are 8 MiB of
// address space each, asked for in ever larger groups, until the kernel refuses a group that is
// larger than the machine's memory: so many are parked as can be started, 100,000 at most.
#include "bench/peers/scope/peer.h"

#include <neco.h>
#include <stdlib.h>
#include <unistd.h>

#define NECO_BUNCH 64u
#define NECO_PARKED 100000u
#define NECO_FIBER(name) static void name(int argc, void **argv)

typedef struct neco_run {
    neco_chan *there, *back, *idle;
    uint32_t times, left;
    int ends[2];
    neco_waitgroup group;
} neco_run;

static neco_run *neco_run_of(int argc, void **argv) {
    peer_must(argc == 1, "starting");
    return argv[0];
}

static void neco_go(void (*fn)(int, void **), void *arg) {
    peer_must(neco_start(fn, 1, arg) == NECO_OK, "neco_start");
}

static neco_chan *neco_chan_new(size_t capacity) {
    neco_chan *chan = NULL;
    peer_must(neco_chan_make(&chan, sizeof(uint64_t), capacity) == NECO_OK, "neco_chan_make");
    return chan;
}

// ---- turns, and starting ------------------------------------------------------------------------

NECO_FIBER(neco_yields) {
    neco_run *run = neco_run_of(argc, argv);
    uint64_t nothing; // all begin together: else the first would run while others are started
    neco_chan_recv(run->there, &nothing);
    for (uint32_t i = run->times; i > 0; i--)
        neco_yield();
    neco_waitgroup_done(&run->group);
}

static double neco_turns(uint32_t times, uint32_t fibers) {
    neco_run run = { .there = neco_chan_new(0), .times = times / fibers };
    neco_waitgroup_init(&run.group);
    neco_waitgroup_add(&run.group, (int)fibers);
    for (uint32_t i = 0; i < fibers; i++)
        neco_go(neco_yields, &run);
    double since = bench_now();
    neco_chan_close(run.there);
    neco_waitgroup_wait(&run.group);
    double seconds = bench_now() - since;
    neco_chan_release(run.there);
    return seconds;
}

static double neco_turns_2(uint32_t times) {
    return neco_turns(times, 2);
}

static double neco_turns_1k(uint32_t times) {
    return neco_turns(times, 1000);
}

NECO_FIBER(neco_nothing) {
    (void)argc;
    (void)argv;
}

static double neco_spawn(uint32_t times) {
    double since = bench_now();
    for (uint32_t i = 0; i < times; i += NECO_BUNCH) {
        for (uint32_t j = 0; j < NECO_BUNCH; j++)
            neco_go(neco_nothing, NULL);
        neco_yield();
    }
    return bench_now() - since;
}

static double neco_spawn_await(uint32_t times) {
    double since = bench_now();
    for (uint32_t i = 0; i < times; i++) {
        neco_go(neco_nothing, NULL);
        (void)neco_join(neco_lastid()); // not found: it has ended
    }
    return bench_now() - since;
}

// ---- channels -----------------------------------------------------------------------------------

NECO_FIBER(neco_send_all) {
    neco_run *run = neco_run_of(argc, argv);
    for (uint64_t i = 0; i < run->times; i++)
        neco_chan_send(run->there, &i);
    neco_chan_close(run->there);
}

static double neco_one_way(uint32_t times, size_t capacity) {
    neco_run run = { .there = neco_chan_new(capacity), .times = times };
    uint64_t item;
    double since = bench_now();
    neco_go(neco_send_all, &run);
    while (neco_chan_recv(run.there, &item) == NECO_OK) {
    }
    double seconds = bench_now() - since;
    neco_chan_release(run.there);
    return seconds;
}

static double neco_rendezvous(uint32_t times) {
    return neco_one_way(times, 0);
}

static double neco_buffered(uint32_t times) {
    return neco_one_way(times, 64);
}

NECO_FIBER(neco_answer) {
    neco_run *run = neco_run_of(argc, argv);
    uint64_t item;
    while (neco_chan_recv(run->there, &item) == NECO_OK)
        neco_chan_send(run->back, &item);
}

static bool neco_receive(neco_run *run, neco_chan *from, bool select, uint64_t *item) {
    if (!select) return neco_chan_recv(from, item) == NECO_OK;
    return neco_chan_select(2, run->idle, from) == 1 && neco_chan_case(from, item) == NECO_OK;
}

static double neco_two_ways(uint32_t times, bool alone, bool select) {
    size_t capacity = alone ? 4 : 1;
    neco_run run = { neco_chan_new(capacity), neco_chan_new(capacity), neco_chan_new(capacity),
                     .times = times };
    double since = bench_now();
    if (!alone) neco_go(neco_answer, &run);
    for (uint64_t i = 0; i < (alone ? times : times / 2); i++) {
        uint64_t item = 0;
        neco_chan_send(run.there, &i);
        bool got = neco_receive(&run, alone ? run.there : run.back, select, &item);
        peer_must(got && item == i, "an answer");
    }
    double seconds = bench_now() - since;
    neco_chan_close(run.there);
    neco_yield();
    neco_chan_release(run.there);
    neco_chan_release(run.back);
    neco_chan_release(run.idle);
    return seconds;
}

static double neco_ping_pong(uint32_t times) {
    return neco_two_ways(times, false, false);
}

static double neco_ready(uint32_t times) {
    return neco_two_ways(times, true, false);
}

static double neco_select_two(uint32_t times) {
    return neco_two_ways(times, false, true);
}

static double neco_select_ready(uint32_t times) {
    return neco_two_ways(times, true, true);
}

// ---- waiting ------------------------------------------------------------------------------------

NECO_FIBER(neco_hop) {
    neco_run *run = neco_run_of(argc, argv);
    int fd = run->ends[run->times++];
    while (run->left > 0) {
        if (neco_wait(fd, NECO_WAIT_READ) != NECO_OK) break;
        if (run->left == 0) break;
        peer_pass_on(fd);
        run->left--;
    }
    neco_waitgroup_done(&run->group);
}

static double neco_hops(uint32_t times) {
    neco_run run = { .left = times };
    peer_pair(run.ends);
    neco_waitgroup_init(&run.group);
    neco_waitgroup_add(&run.group, 1); // the other may wait for ever
    double since = bench_now();
    neco_go(neco_hop, &run);
    neco_go(neco_hop, &run);
    peer_must(write(run.ends[0], "x", 1) == 1, "write");
    neco_waitgroup_wait(&run.group);
    double seconds = bench_now() - since;
    neco_waitgroup_add(&run.group, 1);
    for (int i = 0; i < 2; i++) // whoever waits reads this
        peer_must(write(run.ends[i], "x", 1) == 1, "write");
    neco_waitgroup_wait(&run.group);
    for (int i = 0; i < 2; i++)
        close(run.ends[i]);
    return seconds;
}

NECO_FIBER(neco_park) {
    neco_run *run = neco_run_of(argc, argv);
    uint64_t item;
    neco_chan_recv(run->there, &item);
    neco_waitgroup_done(&run->group);
}

static void neco_parking(void) {
    peer_parked parked = { 0 };
    neco_run run = { .there = neco_chan_new(0) };
    neco_waitgroup_init(&run.group);
    double before = peer_bytes(), since = bench_now();
    while (parked.fibers < NECO_PARKED && neco_start(neco_park, 1, &run) == NECO_OK)
        parked.fibers++;
    parked.park_seconds = bench_now() - since;
    parked.bytes = peer_bytes() - before;
    neco_waitgroup_add(&run.group, (int)parked.fibers);
    since = bench_now();
    neco_chan_close(run.there);
    neco_waitgroup_wait(&run.group);
    parked.wake_seconds = bench_now() - since;
    neco_chan_release(run.there);
    peer_report_parked("neco", &parked);
}

// ---- all ----------------------------------------------------------------------------------------

NECO_FIBER(neco_all) {
    static const peer_row rows[] = {
        { "yield", neco_turns_2, 4000000 },
        { "yield_1k", neco_turns_1k, 4000000 },
        { "spawn", neco_spawn, 4000000 },
        { "spawn_await", neco_spawn_await, 4000000 },
        { "chan_rendezvous", neco_rendezvous, 1000000 },
        { "chan_ping_pong", neco_ping_pong, 1000000 },
        { "chan_buffered", neco_buffered, 1000000 },
        { "chan_ready", neco_ready, 1000000 },
        { "select_two", neco_select_two, 1000000 },
        { "select_ready", neco_select_ready, 1000000 },
        { "fd_hop", neco_hops, 100000 },
    };
    (void)argc;
    (void)argv;
    neco_parking();
    peer_rows("neco", rows, sizeof rows / sizeof rows[0]);
    exit(0);
}

int main(void) {
    return neco_start(neco_all, 0) == NECO_OK ? 0 : 1;
}
