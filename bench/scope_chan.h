// scope_chan.h - the rows of scope_bench about channels and what is made of them.  Folder: bench.
#ifndef HYPHA_BENCH_SCOPE_CHAN_H
#define HYPHA_BENCH_SCOPE_CHAN_H

#include <stdint.h>

// Prints them; `runs` at most BENCH_RUNS_MAX.
void scope_chan_rows(uint32_t runs);

#endif
