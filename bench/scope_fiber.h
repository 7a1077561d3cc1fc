// scope_fiber.h - the rows of scope_bench about fibers, scopes and stacks.        Folder: bench.
#ifndef HYPHA_BENCH_SCOPE_FIBER_H
#define HYPHA_BENCH_SCOPE_FIBER_H

#include <stdint.h>

// Prints them; `runs` at most BENCH_RUNS_MAX. `parked` fibers are parked at once, each with about
// 4.5 KiB; 0 leaves those rows out.
void scope_fiber_rows(uint32_t runs, uint32_t parked);

#endif
