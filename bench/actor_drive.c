// actor_drive.c - see the header. One row: a child process, a world, a root, a node, runs, a line.
//
// Each row has a process of its own, so that what one leaves behind (pools, warm pages, threads)
// is not what the next one begins with; a fork before any thread exists is safe. In it the row goes
// once with a tenth of the work, then ACTOR_RUNS times in full. After each of them the account of
// all messages must hold with nothing queued: sent = handled + dropped. A row that loses a message
// ends the program.
//
// The line has, besides what every line has: workers; cpu_ms and ctx_switches of one run (who spins
// is seen there); rss_bytes at the end; p99 where some of many were timed; sent, handled, dropped.
#include "bench/actor_drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACTOR_RUNS 5u
#define ACTOR_SAMPLES_MAX (1u << 21)

typedef struct drive_run {
    const actor_row *row;
    uint32_t workers, runs;
    uint64_t times;
    hy_account account;
} drive_run;

static double *drive_samples;
static size_t drive_sample_count;
static char drive_extra[160];

static void drive_child(drive_run *run);
static hy_err drive_body(void *arg);
static hy_err drive_alone(drive_run *run);
static double drive_once(hy_node *node, drive_run *run, uint64_t times);
static void drive_settle(hy_node *node, drive_run *run);
static void drive_report(const drive_run *run, double *values, const struct rusage *before);

HY_RECORD_DEFINE(crew_item, CREW_ITEM)
HY_RECORD_DEFINE(crew_from, CREW_FROM)
HY_PROTOCOL_DEFINE(crew, CREW);

void actor_drive(const actor_row *row, uint32_t workers, uint64_t quick) {
    drive_run run = { .row = row, .workers = workers, .runs = ACTOR_RUNS, .times = row->times };
    if (row->once || quick > 1) run.runs = 1;
    run.times = row->times > quick ? row->times / quick : 1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // nobody runs on when the program is stopped
        drive_child(&run);
        exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "%s on %u workers failed\n", row->metric, workers);
        exit(1);
    }
}

static void drive_child(drive_run *run) {
    hy_world *world = NULL;
    drive_samples = malloc(ACTOR_SAMPLES_MAX * sizeof *drive_samples);
    if (!drive_samples) bench_must(HY_NOMEM, "samples");
    if (run->row->workers == ACTOR_ROW_ALONE) {
        bench_must(drive_alone(run), "a row without a node");
        return;
    }
    bench_must(hy_world_open(NULL, &world), "opening a world");
    bench_must(hy_root_run(world, NULL, drive_body, run), "running a root");
    hy_world_close(world);
}

static hy_err drive_body(void *arg) {
    drive_run *run = (drive_run *)arg;
    hy_node *node = NULL;
    hy_node_options options = { .size = sizeof options, .workers = run->workers };
    hy_err err = hy_node_open(NULL, &options, &node);
    if (err != HY_OK) return err;
    double values[BENCH_RUNS_MAX];
    struct rusage before;
    if (!run->row->once) drive_once(node, run, run->times > 10 ? run->times / 10 : 1);
    drive_sample_count = 0;
    getrusage(RUSAGE_SELF, &before);
    for (uint32_t i = 0; i < run->runs; i++)
        values[i] = drive_once(node, run, run->times);
    drive_report(run, values, &before);
    return HY_OK;
}

static hy_err drive_alone(drive_run *run) {
    double values[BENCH_RUNS_MAX];
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    run->row->body(NULL, run->times > 10 ? run->times / 10 : 1);
    for (uint32_t i = 0; i < run->runs; i++)
        values[i] = run->row->body(NULL, run->times) / (double)run->times;
    drive_report(run, values, &before);
    return HY_OK;
}

static double drive_once(hy_node *node, drive_run *run, uint64_t times) {
    size_t first = drive_sample_count;
    double took = run->row->body(node, times);
    drive_settle(node, run);
    if (took < 0) return bench_quantile(drive_samples + first, drive_sample_count - first, 0.5);
    return strcmp(run->row->unit, "ms") == 0 ? took / 1e6 : took / (double)times;
}

// Waits until all that was sent is accounted for: those that end tell nobody when they are done.
static void drive_settle(hy_node *node, drive_run *run) {
    for (uint32_t waited = 0; waited < 20000; waited++) {
        run->account = hy_node_account(node);
        if (hy_account_holds(&run->account) && run->account.queued == 0) return;
        bench_must(hy_sleep(HY_MS(1)), "sleeping");
    }
    const hy_account *account = &run->account;
    fprintf(stderr, "%s: sent %llu, handled %llu, queued %llu\n", run->row->metric,
            (unsigned long long)account->sent, (unsigned long long)account->handled,
            (unsigned long long)account->queued);
    exit(1);
}

static double drive_ms(struct timeval time) {
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static void drive_report(const drive_run *run, double *values, const struct rusage *before) {
    char extra[768], p99[64] = "", workers[32] = "", account[128] = "";
    struct rusage now;
    getrusage(RUSAGE_SELF, &now);
    uint64_t dropped = 0;
    for (int i = 0; i < HY_DROP_COUNT; i++)
        dropped += run->account.dropped[i];
    double cpu = drive_ms(now.ru_utime) + drive_ms(now.ru_stime) - drive_ms(before->ru_utime) -
                 drive_ms(before->ru_stime);
    long switches = now.ru_nvcsw + now.ru_nivcsw - before->ru_nvcsw - before->ru_nivcsw;
    if (drive_sample_count > 0)
        snprintf(p99, sizeof p99, "\"p99\":%.6g,",
                 bench_quantile(drive_samples, drive_sample_count, 0.99));
    if (run->row->workers != ACTOR_ROW_ALONE) {
        snprintf(workers, sizeof workers, ",\"workers\":%u", run->workers);
        snprintf(account, sizeof account, ",\"sent\":%llu,\"handled\":%llu,\"dropped\":%llu",
                 (unsigned long long)run->account.sent, (unsigned long long)run->account.handled,
                 (unsigned long long)dropped);
    }
    snprintf(extra, sizeof extra,
             "%s\"cpu_ms\":%.6g,\"ctx_switches\":%.6g,\"rss_bytes\":%.0f%s%s%s", p99,
             cpu / run->runs, (double)switches / run->runs, actor_resident(), workers, account,
             drive_extra);
    bench_report("actor", run->row->metric, run->row->unit, values, run->runs, extra);
}

// ---- for bodies -------------------------------------------------------------------------------

void actor_sample(double ns) {
    if (drive_sample_count < ACTOR_SAMPLES_MAX) drive_samples[drive_sample_count++] = ns;
}

void actor_extra(const char *members) {
    drive_extra[0] = '\0';
    if (members) snprintf(drive_extra, sizeof drive_extra, ",%s", members);
}

double actor_resident(void) {
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0)
            kib += strtod(line + 6, NULL);
    }
    fclose(file);
    return kib * 1024;
}

crew_ref actor_spawned(hy_node *node, hy_ref parent, const hy_actor_type *type, const void *arg,
                       const hy_actor_options *options) {
    crew_ref ref = { HY_NOBODY };
    bench_must(HY_SPAWN(crew, node, parent, type, arg, options, &ref), "spawning");
    return ref;
}

typedef struct gate {
    uint64_t nothing;
} gate;
HY_BEHAVIOUR(gate, CREW_ITEMS, crew, gate);
static const hy_actor_type gate_type = { .name = "gate", .first = &gate_behaviour };

static hy_err gate_on_item(hy_actor *self, gate *state, const crew_item *message) {
    (void)state, (void)message;
    hy_actor_end(self);
    return HY_OK;
}

crew_ref actor_gate(hy_node *node) {
    return actor_spawned(node, HY_NOBODY, &gate_type, NULL, NULL);
}

void actor_gate_wait(crew_ref which) {
    bench_must(hy_actor_wait_end(which.ref, HY_NEVER), "waiting for a gate");
}

void actor_stop_wait(crew_ref ref) {
    hy_actor_stop(ref.ref);
    bench_must(hy_actor_wait_end(ref.ref, HY_NEVER), "waiting for an end");
}
