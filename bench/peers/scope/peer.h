// peer.h - what the peers of scope_bench that are C programs share.       Folder:
// bench/peers/scope.
//
// They are built by scripts/bench-peers and by nothing else, each with peer.c and bench.c. Rows
// have the names of scope_bench's: what a name means is in bench/scope_fiber.c, scope_chan.c,
// scope_io.c.
#ifndef HYPHA_BENCH_PEERS_SCOPE_PEER_H
#define HYPHA_BENCH_PEERS_SCOPE_PEER_H

#include "bench/bench.h"

#define PEER_RUNS 7u

typedef struct peer_row {
    const char *metric;
    double (*body)(uint32_t times); // does it so often, and says in how many seconds
    uint32_t times;
} peer_row;

// Runs each row PEER_RUNS times, and prints it in nanoseconds a time.
void peer_rows(const char *peer, const peer_row *rows, size_t count);

// What so many parked fibers took: to start all, to end all, and to hold each.
typedef struct peer_parked {
    uint32_t fibers;
    double park_seconds, wake_seconds, bytes;
} peer_parked;
void peer_report_parked(const char *peer, const peer_parked *parked);

// Resident memory of this process with its page tables.
double peer_bytes(void);

// Ends the program when it is not so.
void peer_must(bool so, const char *what);

// Two connected sockets that do not block; and a byte read from one and written back.
void peer_pair(int ends[2]);
void peer_pass_on(int fd);

#endif
