// machine_bench.c - the dentist's calendar in four modes, as `--mode` says:
//
//   replica      the golden stream; after every operation the original's check of everything (all
//   pairs
//                of bookings, all requests): comparable with the original's headline
//   incremental  the same stream and results; the machine's invariants look at touched rows after
//   every
//                step, and at everything every 1,000 operations and at the end
//   live         64 practices, with cancelling: most operations change rows; all invariants, state
//                digest and digest chain after every step; in memory
//   durable      as live, through a host on SQLite: every accepted step is journaled and committed
//                before its answer leaves; then the latency of one client that waits for each
//                answer
//
// Everything runs inside transactions with rollback. Drawing the operations is part of the time, as
// in the original. One line a run with what the golden vectors know, then the summary line.

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hypha/world.h>

#include "bench/bench.h"
#include "bench/durable.h"
#include "bench/traffic.h"

typedef struct options {
    const char *mode;
    uint64_t seed, ops;
    size_t runs;
} options;

static const char help[] =
    "machine_bench - how fast a machine steps\n\n"
    "  --mode replica|incremental|live|durable   what to run (default incremental)\n"
    "  --seed S     of the operations (default 12345)\n"
    "  --ops N      operations in a run (default 10000 replica, 2000000 others)\n"
    "  --runs R     counted runs, after one that is not (default 5)\n"
    "  --help       this\n\n"
    "Prints one JSON object a line: one for each run, then the summary.\n";

static hy_state *machine_open(const hy_machine *machine) {
    hy_state *state = NULL;
    hy_why why = { 0 };
    hy_err err = hy_state_new(hy_mem_system(), machine, NULL, &state, &why);
    if (err != HY_OK) fprintf(stderr, "%s: %s\n", why.place, why.text);
    bench_must(err, "a new state");
    hy_input open_week = { .seq = 1, .kind = DENTIST_IN_OPEN_WEEK };
    hy_outcome outcome;
    bench_must(hy_state_step(state, &open_week, &outcome), "opening the week");
    return state;
}

static void machine_step(hy_state *state, traffic *t, traffic_op *op, uint64_t seq) {
    traffic_draw(t, op);
    op->input.seq = seq;
    hy_outcome outcome;
    hy_err err = hy_state_step(state, &op->input, &outcome);
    if (err != HY_OK && err != HY_REJECT) {
        fprintf(stderr, "operation %" PRIu64 ": %s %s\n", seq, hy_err_name(err),
                outcome.invariant == NULL ? "" : outcome.invariant);
        exit(1);
    }
    traffic_learn(t, op, err, outcome.reply);
}

static void machine_demand(bool holds, const char *mode, uint64_t op) {
    if (holds) return;
    fprintf(stderr, "%s: the check of everything failed after operation %" PRIu64 "\n", mode, op);
    exit(1);
}

static void machine_run_checked(const options *o, hy_state *state, traffic *t) {
    const hy_view *view = hy_state_view(state);
    bool replica = strcmp(o->mode, "replica") == 0, live = t->live;
    traffic_op drawn;
    for (uint64_t op = 1; op <= o->ops; op++) {
        machine_step(state, t, &drawn, op + 1);
        if (replica || (!live && op % 1000 == 0))
            machine_demand(dentist_check_all(view), o->mode, op);
    }
    if (!replica) machine_demand(hy_state_check(state, NULL) == HY_OK, o->mode, o->ops);
}

static double machine_run(const options *o, size_t run) {
    bool live = strcmp(o->mode, "live") == 0;
    bool replica = strcmp(o->mode, "replica") == 0;
    hy_state *state = machine_open(live      ? &dentist_live_machine
                                   : replica ? &dentist_bare_machine
                                             : &dentist_machine);
    traffic *t = malloc(sizeof *t);
    if (t == NULL) exit(1);
    traffic_init(t, o->seed, live);
    double start = bench_now();
    machine_run_checked(o, state, t);
    double seconds = bench_now() - start;
    double rate = (double)o->ops / seconds;
    const hy_view *view = hy_state_view(state);
    if (run > 0) {
        printf("{\"bench\":\"machine\",\"mode\":\"%s\",\"metric\":\"ops_per_second\",\"run\":%zu,"
               "\"value\":%.0f,\"unit\":\"ops/s\",\"seed\":%" PRIu64 ",\"ops\":%" PRIu64
               ",\"bookings\":%" PRIu64 ",\"conflicts\":%" PRIu64 ",\"payment_failures\":%" PRIu64
               ",\"next_id\":%" PRIu64 ",\"next_user\":%" PRIu64 ",\"state_hash\":\"%016" PRIx64
               "\",\"next_word\":\"%08" PRIx32 "\",\"changed\":%.3f,\"rows\":%u}\n",
               o->mode, run, rate, o->seed, o->ops, t->bookings, t->conflicts, t->payment_failures,
               dentist_next_id(view), t->next_user, dentist_state_hash(view), hyi_rng_u32(&t->rng),
               (double)t->changes / (double)o->ops,
               hy_row_count(view, DENTIST_BOOKINGS) + hy_row_count(view, DENTIST_REQUESTS));
        fflush(stdout);
    }
    traffic_deinit(t);
    free(t);
    hy_state_free(state);
    return rate;
}

static bool machine_mode_is_known(const char *mode) {
    static const char *const modes[] = { "replica", "incremental", "live", "durable" };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(mode, modes[i]) == 0) return true;
    }
    return false;
}

static options machine_parse(int argc, char **argv) {
    static const struct option longs[] = {
        { "mode", required_argument, NULL, 'm' }, { "seed", required_argument, NULL, 's' },
        { "ops", required_argument, NULL, 'o' },  { "runs", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },       { NULL, 0, NULL, 0 },
    };
    options o = { .mode = "incremental", .seed = 12345, .runs = 5 };
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'm': o.mode = optarg; break;
        case 's': o.seed = strtoull(optarg, NULL, 10); break;
        case 'o': o.ops = strtoull(optarg, NULL, 10); break;
        case 'r': o.runs = strtoul(optarg, NULL, 10); break;
        case 'h': fputs(help, stdout); exit(0);
        default: fputs(help, stderr); exit(2);
        }
    }
    if (!machine_mode_is_known(o.mode) || o.runs == 0 || o.runs > BENCH_RUNS_MAX) {
        fprintf(stderr,
                "machine_bench: --mode is one of replica, incremental, live, durable; "
                "--runs 1 to %d\n",
                BENCH_RUNS_MAX);
        exit(2);
    }
    if (o.ops == 0) o.ops = strcmp(o.mode, "replica") == 0 ? 10000 : 2000000;
    return o;
}

int main(int argc, char **argv) {
    options o = machine_parse(argc, argv);
    if (strcmp(o.mode, "durable") == 0) return durable_bench(o.seed, o.ops, o.runs);
    double rates[BENCH_RUNS_MAX];
    (void)machine_run(&o, 0);
    for (size_t run = 1; run <= o.runs; run++) {
        rates[run - 1] = machine_run(&o, run);
    }
    char extra[64];
    snprintf(extra, sizeof extra, "\"mode\":\"%s\",\"seed\":%" PRIu64 ",\"ops\":%" PRIu64, o.mode,
             o.seed, o.ops);
    bench_report("machine", "ops_per_second", "ops/s", rates, o.runs, extra);
    return 0;
}
