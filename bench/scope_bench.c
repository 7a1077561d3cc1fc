// scope_bench.c - what fibers, scopes, context, channels and waiting cost.
//
//     scope_bench [--runs N] [--parked N]
//
// The rows and what they mean are in scope_fiber.c, scope_chan.c and scope_io.c. A million parked
// fibers (--parked, 0 for none) hold 4.5 GiB; where less than 8 GiB are free there are fewer.
#include "bench/bench.h"
#include "bench/scope_chan.h"
#include "bench/scope_fiber.h"
#include "bench/scope_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCOPE_BENCH_RUNS 9u
#define SCOPE_BENCH_PARKED 1000000u
#define SCOPE_BENCH_PARKED_BYTES 8192.0 // with room for everybody else

typedef struct scope_bench_options {
    uint32_t runs, parked;
} scope_bench_options;

static uint32_t scope_bench_fitting(uint32_t parked) {
    double free_bytes = (double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double fitting = free_bytes / SCOPE_BENCH_PARKED_BYTES;
    return fitting < parked ? (uint32_t)fitting : parked;
}

static bool scope_bench_read(int argc, char **argv, scope_bench_options *out) {
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) return false;
        uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--runs") == 0) {
            out->runs = value;
        } else if (strcmp(argv[i], "--parked") == 0) {
            out->parked = value;
        } else {
            return false;
        }
    }
    return out->runs >= 1 && out->runs <= BENCH_RUNS_MAX;
}

int main(int argc, char **argv) {
    scope_bench_options options = { SCOPE_BENCH_RUNS, SCOPE_BENCH_PARKED };
    if (!scope_bench_read(argc, argv, &options)) {
        fprintf(stderr, "usage: scope_bench [--runs 1..%d] [--parked N]\n", BENCH_RUNS_MAX);
        return 2;
    }
    scope_fiber_rows(options.runs, scope_bench_fitting(options.parked));
    scope_chan_rows(options.runs);
    scope_io_bench();
    return 0;
}
