// scope_fiber.c - the rows of scope_bench about fibers, scopes and stacks.
//
// All in the real world, on one thread:
//     switch         from one stack to another, and nothing else; two stacks, both hot
//     yield          through the scheduler, two fibers that are always ready
//     yield_1k ...   round robin over so many fibers with stacks of 16 KiB: what the caches cost
//     spawn          a task that does nothing, spawned and ended; 64 spawned, then one yield
//     spawn_await    spawned, waited for by its handle
//     scope_empty    a block opened and closed
//     scope_spawn    a block with one task
//     scope_spawn_100  a block with a hundred, per task
//     park, wake     a fiber is spawned, runs and waits for an event; all go on and end
//     parked_bytes   what each of them holds meanwhile: resident memory and page tables
#include "bench/scope_fiber.h"
#include "bench/bench.h"
#include "scope/switch.h"

#include <hypha/scope.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE_FIBER_TURNS 4000000u
#define SCOPE_FIBER_BUNCH 64u
#define SCOPE_FIBER_STACK 65536u

typedef struct scope_fiber_run {
    uint32_t fibers;
    uint32_t waiting;
    hy_event go;
    double seconds, wake_seconds;
    double bytes; // of each parked fiber
} scope_fiber_run;

typedef struct scope_fiber_row {
    const char *name;
    hy_fn body;
    uint32_t fibers;
} scope_fiber_row;

static const hy_spawn_options scope_fiber_small = { .size = sizeof scope_fiber_small,
                                                    .stack = HY_STACK_16K };

static void scope_fiber_run_root(hy_fn body, scope_fiber_run *run) {
    hy_world *world = NULL;
    bench_must(hy_world_open(NULL, &world), "opening a world");
    hy_root_options options = { .size = sizeof options, .fibers_max = 4000000 };
    bench_must(hy_root_run(world, &options, body, run), "running a root");
    hy_world_close(world);
}

// ---- the bare switch --------------------------------------------------------------------------

static void *scope_fiber_here, *scope_fiber_there;

static void scope_fiber_bounce(void) {
    for (;;)
        hyi_switch(&scope_fiber_there, scope_fiber_here);
}

static void scope_fiber_switch(uint32_t runs) {
    double values[BENCH_RUNS_MAX];
    uint8_t *stack = (uint8_t *)aligned_alloc(4096, SCOPE_FIBER_STACK);
    if (!stack) bench_must(HY_NOMEM, "a stack");
    uint8_t *top = stack + SCOPE_FIBER_STACK - 512; // not the colour of ours
    scope_fiber_there = hyi_switch_prepare(stack, top, scope_fiber_bounce);
    for (uint32_t run = 0; run < runs; run++) {
        double start = bench_now();
        for (uint32_t i = 0; i < SCOPE_FIBER_TURNS; i++)
            hyi_switch(&scope_fiber_here, scope_fiber_there);
        values[run] = (bench_now() - start) * 1e9 / (2.0 * SCOPE_FIBER_TURNS);
    }
    free(stack);
    bench_report("scope", "switch", "ns", values, runs, NULL);
}

// ---- turns ------------------------------------------------------------------------------------

static hy_err scope_fiber_yield(void *arg) {
    const scope_fiber_run *run = (const scope_fiber_run *)arg;
    hy_err err = HY_OK;
    for (uint32_t i = SCOPE_FIBER_TURNS / run->fibers; i > 0 && err == HY_OK; i--)
        err = hy_yield();
    return err;
}

// The first turn of each is not counted: it would touch a new stack.
static hy_err scope_fiber_turns(void *arg) {
    scope_fiber_run *run = (scope_fiber_run *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "turns") {
        for (uint32_t i = 0; i < run->fibers && err == HY_OK; i++)
            err = hy_spawn(s, scope_fiber_yield, run, &scope_fiber_small, NULL);
        if (err == HY_OK) err = hy_yield();
        if (err != HY_OK) break;
        run->seconds = bench_now();
    }
    run->seconds = bench_now() - run->seconds;
    return err;
}

// ---- spawning, and scopes ---------------------------------------------------------------------

static hy_err scope_fiber_nothing(void *unused) {
    (void)unused;
    return HY_OK;
}

static hy_err scope_fiber_spawn(void *arg) {
    scope_fiber_run *run = (scope_fiber_run *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "spawn") {
        run->seconds = bench_now();
        for (uint32_t i = 0; i < SCOPE_FIBER_TURNS && err == HY_OK; i += SCOPE_FIBER_BUNCH) {
            for (uint32_t j = 0; j < SCOPE_FIBER_BUNCH && err == HY_OK; j++)
                err = hy_spawn(s, scope_fiber_nothing, NULL, NULL, NULL);
            if (err == HY_OK) err = hy_yield();
        }
        run->seconds = bench_now() - run->seconds;
    }
    return err;
}

static hy_err scope_fiber_spawn_await(void *arg) {
    scope_fiber_run *run = (scope_fiber_run *)arg;
    hy_err err = HY_OK;
    run->seconds = bench_now();
    for (uint32_t i = 0; i < SCOPE_FIBER_TURNS && err == HY_OK; i++) {
        hy_task *task = NULL;
        err = hy_spawn(NULL, scope_fiber_nothing, NULL, NULL, &task);
        if (err == HY_OK) err = hy_await(task);
    }
    run->seconds = bench_now() - run->seconds;
    return err;
}

static hy_err scope_fiber_empty(void *arg) {
    scope_fiber_run *run = (scope_fiber_run *)arg;
    hy_err err = HY_OK;
    run->seconds = bench_now();
    for (uint32_t i = 0; i < SCOPE_FIBER_TURNS && err == HY_OK; i++) {
        HY_SCOPE(s, &err, .name = "empty") {}
    }
    run->seconds = bench_now() - run->seconds;
    return err;
}

// Blocks with `fibers` tasks in each.
static hy_err scope_fiber_groups(void *arg) {
    scope_fiber_run *run = (scope_fiber_run *)arg;
    hy_err err = HY_OK;
    run->seconds = bench_now();
    for (uint32_t i = 0; i < SCOPE_FIBER_TURNS && err == HY_OK; i += run->fibers) {
        HY_SCOPE(s, &err, .name = "group") {
            for (uint32_t j = 0; j < run->fibers && err == HY_OK; j++)
                err = hy_spawn(s, scope_fiber_nothing, NULL, NULL, NULL);
        }
    }
    run->seconds = bench_now() - run->seconds;
    return err;
}

// ---- parking ----------------------------------------------------------------------------------

// Kibibytes behind `name` in /proc/self/status.
static double scope_fiber_status(const char *name) {
    char line[256];
    double value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0) value = atof(line + strlen(name));
    }
    fclose(file);
    return value;
}

static double scope_fiber_bytes(void) {
    return (scope_fiber_status("VmRSS:") + scope_fiber_status("VmPTE:")) * 1024;
}

static hy_err scope_fiber_park(void *arg) {
    scope_fiber_run *run = (scope_fiber_run *)arg;
    run->waiting++;
    return hy_event_wait(&run->go);
}

static hy_err scope_fiber_parked(void *arg) {
    scope_fiber_run *run = (scope_fiber_run *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "parked") {
        double before = scope_fiber_bytes();
        run->seconds = bench_now();
        for (uint32_t i = 0; i < run->fibers && err == HY_OK; i++)
            err = hy_spawn(s, scope_fiber_park, run, &scope_fiber_small, NULL);
        while (err == HY_OK && run->waiting < run->fibers)
            err = hy_yield();
        if (err != HY_OK) break;
        run->seconds = bench_now() - run->seconds;
        run->bytes = (scope_fiber_bytes() - before) / run->fibers;
        run->wake_seconds = bench_now();
        hy_event_set(&run->go);
    }
    run->wake_seconds = bench_now() - run->wake_seconds;
    return err;
}

static void scope_fiber_parking(uint32_t fibers) {
    scope_fiber_run run = { .fibers = fibers };
    scope_fiber_run_root(scope_fiber_parked, &run);
    char extra[40];
    snprintf(extra, sizeof extra, "\"fibers\":%u", fibers);
    double park = run.seconds * 1e9 / fibers, wake = run.wake_seconds * 1e9 / fibers;
    bench_report("scope", "park", "ns", &park, 1, extra);
    bench_report("scope", "wake", "ns", &wake, 1, extra);
    bench_report("scope", "parked_bytes", "bytes", &run.bytes, 1, extra);
}

// ---- all --------------------------------------------------------------------------------------

static void scope_fiber_measure(const scope_fiber_row *row, uint32_t runs) {
    double values[BENCH_RUNS_MAX];
    for (uint32_t i = 0; i < runs; i++) {
        scope_fiber_run run = { .fibers = row->fibers };
        scope_fiber_run_root(row->body, &run);
        values[i] = run.seconds * 1e9 / SCOPE_FIBER_TURNS;
    }
    bench_report("scope", row->name, "ns", values, runs, NULL);
}

void scope_fiber_rows(uint32_t runs, uint32_t parked) {
    static const scope_fiber_row rows[] = {
        { "yield", scope_fiber_turns, 2 },
        { "yield_1k", scope_fiber_turns, 1000 },
        { "yield_10k", scope_fiber_turns, 10000 },
        { "yield_100k", scope_fiber_turns, 100000 },
        { "spawn", scope_fiber_spawn, 0 },
        { "spawn_await", scope_fiber_spawn_await, 0 },
        { "scope_empty", scope_fiber_empty, 0 },
        { "scope_spawn", scope_fiber_groups, 1 },
        { "scope_spawn_100", scope_fiber_groups, 100 },
    };
    scope_fiber_switch(runs);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        scope_fiber_measure(&rows[i], runs);
    if (parked > 0) scope_fiber_parking(parked);
}
