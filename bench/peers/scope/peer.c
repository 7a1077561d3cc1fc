// peer.c - see the header.
#include "bench/peers/scope/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void peer_rows(const char *peer, const peer_row *rows, size_t count) {
    char extra[128];
    snprintf(extra, sizeof extra, "\"peer\":\"%s\"", peer);
    for (size_t i = 0; i < count; i++) {
        double values[PEER_RUNS];
        for (uint32_t run = 0; run < PEER_RUNS; run++)
            values[run] = rows[i].body(rows[i].times) * 1e9 / rows[i].times;
        bench_report("scope", rows[i].metric, "ns", values, PEER_RUNS, extra);
    }
}

void peer_report_parked(const char *peer, const peer_parked *parked) {
    char extra[128];
    snprintf(extra, sizeof extra, "\"fibers\":%u,\"peer\":\"%s\"", parked->fibers, peer);
    double park = parked->park_seconds * 1e9 / parked->fibers;
    double wake = parked->wake_seconds * 1e9 / parked->fibers;
    double bytes = parked->bytes / parked->fibers;
    bench_report("scope", "park", "ns", &park, 1, extra);
    bench_report("scope", "wake", "ns", &wake, 1, extra);
    bench_report("scope", "parked_bytes", "bytes", &bytes, 1, extra);
}

// Kibibytes behind `name` in the status of this process.
static double peer_status(const char *name) {
    char line[256];
    double value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0) value = atof(line + strlen(name));
    }
    fclose(file);
    return value;
}

double peer_bytes(void) {
    return (peer_status("VmRSS:") + peer_status("VmPTE:")) * 1024;
}

void peer_must(bool so, const char *what) {
    if (so) return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

void peer_pair(int ends[2]) {
    peer_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0, "socketpair");
}

void peer_pass_on(int fd) {
    char byte = 0;
    peer_must(read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1, "read and write");
}
