// actor_drive.h - what the rows of actor_bench share: a node, a protocol, a gate, a line.
// Folder: bench.
//
// A row is a body that does something so many times on a node and says how long all of it took. The
// driver gives it a process, a node with so many workers, a first go that is not counted, and looks
// after each run whether all messages are accounted for; see actor_drive.c.
#ifndef HYPHA_BENCH_ACTOR_DRIVE_H
#define HYPHA_BENCH_ACTOR_DRIVE_H

#include "bench/bench.h"

#include <hypha/actor.h>

// One small protocol for all rows, as one enum is all messages of a peer. `from` is a ref's id.
#define CREW_ITEM(F) F(1, u64, value)
HY_RECORD(crew_item, CREW_ITEM)
#define CREW_FROM(F) F(1, u64, value) F(2, u64, from)
HY_RECORD(crew_from, CREW_FROM)

#define CREW(TELL, ASK, x)                                                                         \
    TELL(x, 1, item, crew_item)                                                                    \
    TELL(x, 2, from, crew_from)                                                                    \
    TELL(x, 3, go, crew_from)                                                                      \
    ASK(x, 4, echo, crew_item, crew_item)
HY_PROTOCOL(crew, CREW);

// Lists of behaviours that handle a part of it.
#define CREW_ITEMS(TELL, ASK, x) TELL(x, 1, item, crew_item)
#define CREW_FROMS(TELL, ASK, x) TELL(x, 2, from, crew_from)
#define CREW_GOES(TELL, ASK, x) TELL(x, 3, go, crew_from)
#define CREW_ECHOES(TELL, ASK, x) ASK(x, 4, echo, crew_item, crew_item)
#define CREW_ITEMS_FROMS(TELL, ASK, x) CREW_ITEMS(TELL, ASK, x) CREW_FROMS(TELL, ASK, x)
#define CREW_ITEMS_GOES(TELL, ASK, x) CREW_ITEMS(TELL, ASK, x) CREW_GOES(TELL, ASK, x)

typedef struct actor_row {
    const char *metric, *unit; // "ns" each, "ms" of all, "bytes" each
    // Says the nanoseconds (bytes) of all; -1: the median of the samples is the value.
    double (*body)(hy_node *node, uint64_t times);
    uint64_t times;
    uint32_t workers; // that it needs at least; ACTOR_ROW_ALONE: it has no node
    bool once;        // one run, in a fresh process, because nothing gives memory back
} actor_row;
#define ACTOR_ROW_ALONE UINT32_MAX

typedef struct actor_rows {
    const actor_row *rows;
    size_t count;
} actor_rows;
#define ACTOR_ROWS(array) ((actor_rows){ (array), sizeof(array) / sizeof((array)[0]) })

actor_rows actor_message_rows(void); // actor_message.c
actor_rows actor_life_rows(void);    // actor_life.c
actor_rows actor_savina_rows(void);  // actor_savina.c
actor_rows actor_twin_rows(void);    // actor_twin.c

// Runs it in a process of its own and prints its line. `quick` divides the work; 1 for real.
void actor_drive(const actor_row *row, uint32_t workers, uint64_t quick);

// ---- for bodies -------------------------------------------------------------------------------

static inline crew_ref crew_of(uint64_t id) {
    return (crew_ref){ { .id = id } };
}

// An actor, or the end of the program. `parent` and `options` as hy_spawn_actor takes them.
crew_ref actor_spawned(hy_node *node, hy_ref parent, const hy_actor_type *type, const void *arg,
                       const hy_actor_options *options);

// What a run waits for: an actor that ends when it is told `item`.
crew_ref actor_gate(hy_node *node);
void actor_gate_wait(crew_ref gate); // fiber
static inline void actor_gate_open(crew_ref gate) {
    bench_must(HY_TELL(crew, item, gate, .value = 0), "opening a gate");
}

void actor_stop_wait(crew_ref ref); // fiber: tells it to stop, and waits until it has

// How long one of many took, in ns: for the p99 of the line, and its median where the body says
// -1. One actor of a run does it. Most rows time one in 256, because asking the clock takes as long
// as a message.
void actor_sample(double ns);
static inline double actor_sample_start(uint64_t nth) { // 0: this one is not timed
    return (nth & 255) == 0 ? bench_now() : 0;
}
static inline void actor_sample_end(double since) {
    if (since > 0) actor_sample((bench_now() - since) * 1e9);
}
// More members for the line: "\"dropped\":7". NULL: none.
void actor_extra(const char *members);
// Resident memory with page tables, in bytes.
double actor_resident(void);

#endif
