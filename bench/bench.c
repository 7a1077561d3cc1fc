// bench.c - see the header. Medians, because these machines are shared and noisy.

#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void bench_must(hy_err err, const char *doing) {
    if (err == HY_OK) return;
    fprintf(stderr, "%s: %s (%s)\n", doing, hy_err_text(err), hy_err_name(err));
    exit(1);
}

static int bench_order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(double *values, size_t count, double q) {
    if (count == 0) return 0;
    qsort(values, count, sizeof *values, bench_order);
    size_t index = (size_t)(q * (double)(count - 1) + 0.5);
    return values[index];
}

void bench_report(const char *bench, const char *metric, const char *unit, double *values,
                  size_t runs, const char *extra) {
    double median = bench_quantile(values, runs, 0.5);
    printf("{\"bench\":\"%s\",\"metric\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"runs\":%zu,"
           "\"min\":%.6g,\"median\":%.6g,\"max\":%.6g%s%s}\n",
           bench, metric, median, unit, runs, values[0], median, values[runs - 1],
           extra == NULL ? "" : ",", extra == NULL ? "" : extra);
    fflush(stdout);
}
