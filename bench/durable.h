// durable.h - the durable mode of machine_bench.                                  Folder: bench.
#ifndef HYPHA_BENCH_DURABLE_H
#define HYPHA_BENCH_DURABLE_H

#include <stddef.h>
#include <stdint.h>

// Runs and prints it; gives the program's exit status.
int durable_bench(uint64_t seed, uint64_t ops, size_t runs);

#endif
