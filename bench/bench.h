// bench.h - what every benchmark shares: a clock, an order, a line of JSON.        Folder: bench.
//
// A benchmark prints one JSON object a line: `bench`, `metric`, `value` (the median), `unit`,
// `runs`, `min`, `median`, `max`, and `peer` where the line is about somebody else. What a program
// really measures stands in the essay of its file.
#ifndef HYPHA_BENCH_BENCH_H
#define HYPHA_BENCH_BENCH_H

#include <hypha/base.h>

#define BENCH_RUNS_MAX 64

double bench_now(void); // seconds, monotonic

// Ends the program with the error's text when `err` is not HY_OK.
void bench_must(hy_err err, const char *doing);

// The q-th part (0..1) of the values, which it sorts.
double bench_quantile(double *values, size_t count, double q);

// Prints the line; `extra` is more members ("\"peer\":\"node\"") or NULL. Sorts the values.
void bench_report(const char *bench, const char *metric, const char *unit, double *values,
                  size_t runs, const char *extra);

#endif
