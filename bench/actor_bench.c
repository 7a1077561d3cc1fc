// actor_bench.c - what actors cost, row by row, on two workers and on one.
//
//     actor_bench [--workers N] [metric...]
//
// Without metrics all rows run. What a row does is said where its body is (actor_message.c,
// actor_life.c, actor_savina.c, actor_twin.c), how it is driven in actor_drive.c, and what peers do
// under the same name in bench/README.md. HYPHA_PEER_QUICK=N in the environment divides the work by
// N and runs each row once, for a look at whether all is well; such figures mean nothing.
//
// On a virtual machine the wake of an idle core takes tens of microseconds: rows that wait for
// another core, those named _apart, measure that as soon as a worker parks.
#include "bench/actor_drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct actor_bench_options {
    uint32_t workers; // 0: two, then one
    uint64_t quick;
    char **metrics;
    int metric_count;
} actor_bench_options;

static bool actor_bench_read(int argc, char **argv, actor_bench_options *out) {
    const char *quick = getenv("HYPHA_PEER_QUICK");
    out->quick = quick ? strtoull(quick, NULL, 10) : 1;
    if (out->quick == 0) out->quick = 1;
    int at = 1;
    if (at < argc && strcmp(argv[at], "--workers") == 0) {
        if (at + 1 == argc) return false;
        out->workers = (uint32_t)strtoul(argv[at + 1], NULL, 10);
        if (out->workers == 0 || out->workers > 64) return false;
        at += 2;
    }
    out->metrics = argv + at;
    out->metric_count = argc - at;
    return out->metric_count == 0 || argv[at][0] != '-';
}

static bool actor_bench_wanted(const actor_bench_options *options, const char *metric) {
    for (int i = 0; i < options->metric_count; i++) {
        if (strcmp(options->metrics[i], metric) == 0) return true;
    }
    return options->metric_count == 0;
}

static void actor_bench_run(actor_rows list, const actor_bench_options *options, uint32_t workers,
                            bool is_first) {
    for (size_t i = 0; i < list.count; i++) {
        const actor_row *row = &list.rows[i];
        bool fits = row->workers == ACTOR_ROW_ALONE ? is_first : row->workers <= workers;
        if (fits && actor_bench_wanted(options, row->metric))
            actor_drive(row, workers, options->quick);
    }
}

int main(int argc, char **argv) {
    actor_bench_options options = { 0 };
    if (!actor_bench_read(argc, argv, &options)) {
        fprintf(stderr, "usage: actor_bench [--workers 1..64] [metric...]\n");
        return 2;
    }
    uint32_t first = options.workers ? options.workers : 2;
    uint32_t last = options.workers ? options.workers : 1;
    for (uint32_t workers = first; workers >= last; workers--) {
        actor_bench_run(actor_message_rows(), &options, workers, workers == first);
        actor_bench_run(actor_life_rows(), &options, workers, workers == first);
        actor_bench_run(actor_savina_rows(), &options, workers, workers == first);
        actor_bench_run(actor_twin_rows(), &options, workers, workers == first);
    }
    return 0;
}
