// scope_io.h - rows of scope_bench about descriptors, connections and context.      Folder: bench.
#ifndef HYPHA_BENCH_SCOPE_IO_H
#define HYPHA_BENCH_SCOPE_IO_H

void scope_io_bench(void);

#endif
