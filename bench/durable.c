// durable.c - the live mix through a host on SQLite.
//
// Throughput: a window of calls is always under way; an answer counts when `done` is called, which
// is after its batch is durable (write-ahead log, synchronous=FULL). Latency: afterwards one client
// sends the same mix and waits for each answer before the next. Then the store is opened again: the
// digest must be the one that the last answer left, and how long that takes is reported too.

#include "bench/durable.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hypha/host.h>
#include <hypha/store.h>

#include "bench/bench.h"
#include "bench/traffic.h"

enum { DURABLE_WINDOW = 16384, DURABLE_LATENCIES = 2000 };

typedef struct durable durable;

typedef struct durable_slot {
    hy_call call; // first: `done` gets it back
    traffic_op op;
    durable *bench;
    double sent;
} durable_slot;

struct durable {
    hy_world *world;
    hy_store *store;
    hy_host *host;
    traffic traffic;
    durable_slot *slots;
    uint64_t to_send, answered, expected, accepted;
    double latencies[DURABLE_LATENCIES];
    size_t latency_count;
    bool closed;
    char folder[256], path[300];
};

static void durable_send(durable_slot *slot);

static void durable_done(hy_call *call) {
    durable_slot *slot = (durable_slot *)call;
    durable *bench = slot->bench;
    if (call->err != HY_OK && call->err != HY_REJECT) bench_must(call->err, "a call");
    if (bench->latency_count < DURABLE_LATENCIES) {
        bench->latencies[bench->latency_count++] = (bench_now() - slot->sent) * 1e6;
    }
    bench->accepted += call->err == HY_OK;
    traffic_learn(&bench->traffic, &slot->op, call->err, call->reply);
    bench->answered++;
    if (bench->to_send > 0) {
        durable_send(slot);
    } else if (bench->answered == bench->expected) {
        hy_world_stop(bench->world);
    }
}

static void durable_send(durable_slot *slot) {
    durable *bench = slot->bench;
    bench->to_send--;
    traffic_draw(&bench->traffic, &slot->op);
    slot->call =
        (hy_call){ .kind = slot->op.input.kind, .body = slot->op.input.body, .done = durable_done };
    slot->sent = bench_now();
    uint64_t action = slot->op.input.action_id;
    hy_err err = action != 0 ? hy_host_complete(bench->host, action, &slot->call)
                             : hy_host_submit(bench->host, &slot->call);
    bench_must(err, "submitting a call");
}

// Sends `ops` calls, `window` at a time; gives the seconds it took.
static double durable_pump(durable *bench, uint64_t ops, uint64_t window) {
    if (window > ops) window = ops;
    bench->to_send = ops;
    bench->answered = 0;
    bench->expected = ops;
    bench->accepted = 0;
    double start = bench_now();
    for (uint64_t i = 0; i < window; i++) {
        durable_send(&bench->slots[i]);
    }
    if (ops > 0) hy_world_run(bench->world);
    return bench_now() - start;
}

static void durable_opened(hy_call *call) {
    bench_must(call->err, "opening the week");
    hy_world_stop(((durable_slot *)call)->bench->world);
}

static void durable_open(durable *bench) {
    hy_why why = { 0 };
    hy_err err = hy_store_sqlite_open(bench->world, bench->path, NULL, &bench->store, &why);
    if (err == HY_OK) {
        err = hy_host_open(
            bench->world, bench->store, &dentist_live_machine,
            HY_OPTIONS(hy_host, .queue_max = 2 * DURABLE_WINDOW, .batch_max = DURABLE_WINDOW),
            &bench->host, &why);
    }
    if (err != HY_OK) fprintf(stderr, "%s: %s\n", why.place, why.text);
    bench_must(err, "opening the store");
    hy_host_start(bench->host);
}

static void durable_closed(void *self, hy_err err) {
    durable *bench = self;
    bench_must(err, "closing");
    bench->closed = true;
    hy_world_stop(bench->world);
}

static void durable_close(durable *bench) {
    bench->closed = false;
    hy_host_close(bench->host, durable_closed, bench, hy_world_now(bench->world) + HY_SECONDS(60));
    while (!bench->closed) {
        hy_world_run(bench->world);
    }
    bench->store = hy_store_close(bench->store);
}

typedef struct durable_result {
    double ops, transitions, batch, p50, p99, reopen;
} durable_result;

static void durable_setup(durable *bench, uint64_t seed) {
    bench_must(hy_world_open(NULL, &bench->world), "opening the world");
    const char *base = getenv("TMPDIR");
    snprintf(bench->folder, sizeof bench->folder, "%s/hypha-bench-XXXXXX", base ? base : "/tmp");
    if (mkdtemp(bench->folder) == NULL) bench_must(HY_IO, bench->folder);
    snprintf(bench->path, sizeof bench->path, "%s/dentist.db", bench->folder);
    traffic_init(&bench->traffic, seed, true);
    bench->slots = calloc(DURABLE_WINDOW, sizeof *bench->slots);
    if (bench->slots == NULL) exit(1);
    for (size_t i = 0; i < DURABLE_WINDOW; i++) {
        bench->slots[i].bench = bench;
    }
    durable_open(bench);
    bench->slots[0].call = (hy_call){ .kind = DENTIST_IN_OPEN_WEEK, .done = durable_opened };
    bench_must(hy_host_submit(bench->host, &bench->slots[0].call), "opening the week");
    hy_world_run(bench->world);
}

static void durable_teardown(durable *bench) {
    durable_close(bench);
    static const char *const suffixes[] = { "", "-wal", "-shm", "-lock" };
    char path[320];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", bench->path, suffixes[i]);
        unlink(path);
    }
    rmdir(bench->folder);
    hy_world_close(bench->world);
    traffic_deinit(&bench->traffic);
    free(bench->slots);
}

static durable_result durable_run(uint64_t seed, uint64_t ops) {
    durable *bench = calloc(1, sizeof *bench);
    if (bench == NULL) exit(1);
    durable_setup(bench, seed);
    bench->latency_count = DURABLE_LATENCIES; // not of these
    double seconds = durable_pump(bench, ops, DURABLE_WINDOW);
    hy_host_stats stats = hy_host_stats_of(bench->host);
    durable_result result = { .ops = (double)ops / seconds,
                              .transitions = (double)bench->accepted / seconds,
                              .batch = (double)stats.accepted / (double)stats.commits };
    bench->latency_count = 0;
    (void)durable_pump(bench, DURABLE_LATENCIES, 1);
    result.p50 = bench_quantile(bench->latencies, bench->latency_count, 0.5);
    result.p99 = bench_quantile(bench->latencies, bench->latency_count, 0.99);
    uint64_t seq = hy_host_stats_of(bench->host).durable_seq;
    durable_close(bench);
    double start = bench_now();
    durable_open(bench);
    result.reopen = (bench_now() - start) * 1e3;
    if (hy_host_stats_of(bench->host).durable_seq != seq) bench_must(HY_CORRUPT, "reopening");
    durable_teardown(bench);
    free(bench);
    return result;
}

int durable_bench(uint64_t seed, uint64_t ops, size_t runs) {
    double rates[BENCH_RUNS_MAX], transitions[BENCH_RUNS_MAX], p50[BENCH_RUNS_MAX],
        p99[BENCH_RUNS_MAX], reopen[BENCH_RUNS_MAX];
    for (size_t run = 0; run < runs; run++) {
        durable_result r = durable_run(seed, ops);
        rates[run] = r.ops;
        transitions[run] = r.transitions;
        p50[run] = r.p50;
        p99[run] = r.p99;
        reopen[run] = r.reopen;
        printf(
            "{\"bench\":\"machine\",\"mode\":\"durable\",\"metric\":\"ops_per_second\",\"run\":%zu,"
            "\"value\":%.0f,\"unit\":\"ops/s\",\"seed\":%" PRIu64 ",\"ops\":%" PRIu64
            ",\"transitions_per_second\":%.0f,\"steps_per_commit\":%.0f,\"p50_us\":%.0f,"
            "\"p99_us\":%.0f,\"reopen_ms\":%.1f}\n",
            run + 1, r.ops, seed, ops, r.transitions, r.batch, r.p50, r.p99, r.reopen);
        fflush(stdout);
    }
    bench_report("machine", "single_client_p50", "us", p50, runs, "\"mode\":\"durable\"");
    bench_report("machine", "single_client_p99", "us", p99, runs, "\"mode\":\"durable\"");
    bench_report("machine", "reopen", "ms", reopen, runs, "\"mode\":\"durable\"");
    bench_report("machine", "transitions_per_second", "steps/s", transitions, runs,
                 "\"mode\":\"durable\"");
    bench_report("machine", "ops_per_second", "ops/s", rates, runs, "\"mode\":\"durable\"");
    return 0;
}
