// rows_bench.c - what rows cost beside memory that nobody protects.
//
//   commit, reject   ns a touched row: steps that change k random rows of 64 bytes and are
//                    accepted, or rejected and rolled back; over the peer "plain array", which
//                    makes the same changes without keys, log or digest, in the same run
//   undo             ns a row that logging and rolling back add: rejected steps that change k
//                    rows, over rejected steps that only look at them
//   rewind           ns a row that taking accepted steps back takes
//   memory           bytes of a table of a million such rows, as the allocator and the kernel
//                    count them
//   insert, get, delete   rows a second in that table, by keys in no order; sixteen to a step
//
// A small table (1 MiB of rows) is touched, so that the log is measured and not the cache misses;
// the big one is filled, so that these are too. An accepted step includes digest and chain.

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hypha/machine.h>
#include <hypha/world.h>

#include "base/rng.h"
#include "bench/bench.h"

enum { ROWS_SMALL = 16384, ROWS_BIG = 1000000, ROWS_STEP = 16, ROWS_REWIND = 256 };

#define CELL(F)                                                                                    \
    F(1, u64, number)                                                                              \
    F(2, u64, a)                                                                                   \
    F(3, u64, b) F(4, u64, c) F(5, u64, d) F(6, u64, e) F(7, u64, f) F(8, u64, g)
HY_RECORD(cell, CELL)
HY_RECORD_DEFINE(cell, CELL)
_Static_assert(sizeof(cell) == 64, "the row whose size the figures name");

#define WORK(F) F(1, u64, first) F(2, u32, count) F(3, u32, table)
HY_RECORD(work, WORK)
HY_RECORD_DEFINE(work, WORK)

enum { ROWS_HASHED, ROWS_ORDERED, ROWS_TABLES };
enum { ROWS_LOOK, ROWS_REJECT, ROWS_COMMIT, ROWS_INSERT, ROWS_DELETE, ROWS_KINDS };

// Keys in no order, each once.
static uint64_t rows_scatter(uint64_t index) {
    return index * UINT64_C(0x9e3779b97f4a7c15);
}

static void rows_change(cell *row, uint64_t with) {
    row->a++;
    row->c += with;
    row->g ^= with;
}

static hy_err rows_touch(hy_txn *txn, const hy_input *input) {
    const work *in = input->body;
    uint64_t chance = in->first;
    for (uint32_t i = 0; i < in->count; i++) {
        uint64_t drawn = hyi_splitmix64(&chance);
        cell *row =
            hy_row_update(txn, in->table, &(cell){ .number = rows_scatter(drawn % ROWS_SMALL) });
        if (row == NULL) return HY_NOT_FOUND;
        rows_change(row, drawn);
    }
    return input->kind == ROWS_COMMIT ? HY_OK : hy_reject(txn, 1);
}

static hy_err rows_look(hy_txn *txn, const hy_input *input) {
    const work *in = input->body;
    uint64_t chance = in->first, seen = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        uint64_t drawn = hyi_splitmix64(&chance);
        const cell *row = hy_row_get(hy_txn_view(txn), in->table,
                                     &(cell){ .number = rows_scatter(drawn % ROWS_SMALL) });
        seen += row->a + drawn;
    }
    return seen == 0 ? HY_OK : hy_reject(txn, 1);
}

static hy_err rows_step(hy_txn *txn, const hy_input *input) {
    const work *in = input->body;
    if (input->kind == ROWS_LOOK) return rows_look(txn, input);
    if (input->kind < ROWS_INSERT) return rows_touch(txn, input);
    for (uint32_t i = 0; i < in->count; i++) {
        cell row = { .number = rows_scatter(in->first + i), .a = in->first };
        if (input->kind == ROWS_INSERT) hy_row_insert(txn, in->table, &row);
        if (input->kind == ROWS_DELETE) hy_row_delete(txn, in->table, &row);
    }
    return HY_OK;
}

static const hy_table rows_tables[ROWS_TABLES] = {
    [ROWS_HASHED] = { .name = "hashed", .row = &cell_record, .key_count = 1 },
    [ROWS_ORDERED] = { .name = "ordered", .row = &cell_record, .key_count = 1, .ordered = true },
};
static const hy_input_kind rows_inputs[ROWS_KINDS] = {
    [ROWS_LOOK] = { .name = "look", .body = &work_record },
    [ROWS_REJECT] = { .name = "reject", .body = &work_record },
    [ROWS_COMMIT] = { .name = "commit", .body = &work_record },
    [ROWS_INSERT] = { .name = "insert", .body = &work_record },
    [ROWS_DELETE] = { .name = "delete", .body = &work_record },
};
static const hy_rejection rows_rejections[] = { { NULL, NULL, 0 },
                                                { "AS_ASKED", "rejected as asked", 0 } };
static const hy_machine rows_machine = { .name = "rows",
                                         .version = 1,
                                         .tables = rows_tables,
                                         .table_count = HY_COUNT_OF(rows_tables),
                                         .inputs = rows_inputs,
                                         .input_count = HY_COUNT_OF(rows_inputs),
                                         .rejections = rows_rejections,
                                         .rejection_count = HY_COUNT_OF(rows_rejections),
                                         .step = rows_step };

static const char *const rows_names[ROWS_TABLES] = { "hashed", "ordered" };

static hy_state *rows_open(hy_mem *mem, bool keep_undo) {
    hy_state *state = NULL;
    bench_must(hy_state_new(mem, &rows_machine, HY_OPTIONS(hy_state, .keep_undo = keep_undo),
                            &state, NULL),
               "a new state");
    return state;
}

static void rows_run(hy_state *state, uint64_t seq, uint32_t kind, work body) {
    hy_input input = { .seq = seq, .kind = kind, .body = &body };
    hy_outcome outcome;
    hy_err err = hy_state_step(state, &input, &outcome);
    bool refused = kind == ROWS_LOOK || kind == ROWS_REJECT;
    if (err != (refused ? HY_REJECT : HY_OK)) bench_must(err == HY_OK ? HY_NOT_FOUND : err, "step");
}

// Works through `total` rows, `ROWS_STEP` to a step; gives the seconds.
static double rows_sweep(hy_state *state, uint64_t seq, uint32_t kind, uint32_t table,
                         uint64_t total) {
    double start = bench_now();
    for (uint64_t at = 0; at < total; at += ROWS_STEP) {
        rows_run(state, seq++, kind, (work){ .first = at, .count = ROWS_STEP, .table = table });
    }
    return bench_now() - start;
}

// ---- touching ----

typedef struct rows_touching {
    double array, look, commit, reject, rewind; // ns a row
} rows_touching;

static double rows_per_row(double seconds, uint64_t steps, uint32_t count) {
    return seconds * 1e9 / ((double)steps * count);
}

static double rows_touch_array(cell *cells, uint64_t steps, uint32_t count) {
    double start = bench_now();
    for (uint64_t step = 1; step <= steps; step++) {
        uint64_t chance = step;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t drawn = hyi_splitmix64(&chance);
            rows_change(&cells[drawn % ROWS_SMALL], drawn);
        }
    }
    return rows_per_row(bench_now() - start, steps, count);
}

static double rows_touch_table(hy_state *state, uint32_t kind, uint64_t steps, uint32_t count) {
    uint64_t seq = hy_state_seq(state);
    double start = bench_now();
    for (uint64_t step = 1; step <= steps; step++) {
        rows_run(state, seq + step, kind, (work){ .first = step, .count = count });
    }
    return rows_per_row(bench_now() - start, steps, count);
}

static double rows_rewind(hy_state *state, uint64_t steps, uint32_t count) {
    double seconds = 0;
    uint64_t seq = hy_state_seq(state), digest = hy_state_digest(state);
    for (uint64_t done = 0; done < steps; done += ROWS_REWIND) {
        (void)rows_touch_table(state, ROWS_COMMIT, ROWS_REWIND, count);
        double start = bench_now();
        hy_state_rewind(state, seq);
        seconds += bench_now() - start;
        if (hy_state_digest(state) != digest) bench_must(HY_CORRUPT, "rewinding");
    }
    return rows_per_row(seconds, steps, count);
}

static rows_touching rows_touch_all(uint64_t steps, uint32_t count) {
    cell *cells = calloc(ROWS_SMALL, sizeof *cells);
    if (cells == NULL) exit(1);
    hy_state *state = rows_open(hy_mem_system(), false);
    hy_state *kept = rows_open(hy_mem_system(), true);
    (void)rows_sweep(state, 1, ROWS_INSERT, ROWS_HASHED, ROWS_SMALL);
    (void)rows_sweep(kept, 1, ROWS_INSERT, ROWS_HASHED, ROWS_SMALL);
    hy_state_release(kept, UINT64_MAX);
    (void)rows_touch_array(cells, steps / 8, count);
    rows_touching result = { .array = rows_touch_array(cells, steps, count),
                             .look = rows_touch_table(state, ROWS_LOOK, steps, count),
                             .reject = rows_touch_table(state, ROWS_REJECT, steps, count),
                             .commit = rows_touch_table(state, ROWS_COMMIT, steps, count),
                             .rewind = rows_rewind(kept, steps, count) };
    hy_state_free(kept);
    hy_state_free(state);
    free(cells);
    return result;
}

static void rows_report_touching(uint32_t count, size_t runs) {
    double array[BENCH_RUNS_MAX], commit[BENCH_RUNS_MAX], reject[BENCH_RUNS_MAX],
        undo[BENCH_RUNS_MAX], rewind[BENCH_RUNS_MAX];
    uint64_t steps = 1024 * 1024 / count;
    for (size_t run = 0; run < runs; run++) {
        rows_touching r = rows_touch_all(steps, count);
        array[run] = r.array;
        commit[run] = r.commit - r.array;
        reject[run] = r.reject - r.array;
        undo[run] = r.reject - r.look;
        rewind[run] = r.rewind;
    }
    char extra[64], peer[96];
    snprintf(extra, sizeof extra, "\"rows_per_step\":%" PRIu32, count);
    snprintf(peer, sizeof peer, "%s,\"peer\":\"plain array\"", extra);
    bench_report("rows", "touched", "ns/row", array, runs, peer);
    bench_report("rows", "commit_over_array", "ns/row", commit, runs, extra);
    bench_report("rows", "reject_over_array", "ns/row", reject, runs, extra);
    bench_report("rows", "undo", "ns/row", undo, runs, extra);
    bench_report("rows", "rewind", "ns/row", rewind, runs, extra);
}

// ---- a million rows ----

typedef struct rows_counting_mem {
    hy_mem mem;
    size_t bytes;
} rows_counting_mem;

static void *rows_count_bytes(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    rows_counting_mem *counting = (rows_counting_mem *)self;
    void *moved = hy_mem_system()->resize(hy_mem_system(), ptr, old_size, new_size);
    if (moved != NULL || new_size == 0) counting->bytes += new_size - old_size;
    return moved;
}

static double rows_resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long whole = 0, resident = 0;
    if (file == NULL || fscanf(file, "%lu %lu", &whole, &resident) != 2) return 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double rows_get_all(const hy_state *state, uint32_t table) {
    const hy_view *view = hy_state_view(state);
    uint64_t chance = 1;
    double start = bench_now();
    for (uint64_t i = 0; i < ROWS_BIG; i++) {
        cell key = { .number = rows_scatter(hyi_splitmix64(&chance) % ROWS_BIG) };
        if (hy_row_get(view, table, &key) == NULL) bench_must(HY_NOT_FOUND, "a row");
    }
    return bench_now() - start;
}

static void rows_report_rate(const char *metric, double *seconds, size_t runs, const char *extra) {
    for (size_t run = 0; run < runs; run++) {
        seconds[run] = ROWS_BIG / seconds[run];
    }
    bench_report("rows", metric, "rows/s", seconds, runs, extra);
}

static void rows_report_big(uint32_t table, size_t runs) {
    double counted = 0, resident = 0, insert[BENCH_RUNS_MAX], get[BENCH_RUNS_MAX],
           delete[BENCH_RUNS_MAX];
    for (size_t run = 0; run < runs; run++) {
        double before = rows_resident_bytes();
        rows_counting_mem counting = { .mem.resize = rows_count_bytes };
        hy_state *state = rows_open(&counting.mem, false);
        insert[run] = rows_sweep(state, 1, ROWS_INSERT, table, ROWS_BIG);
        if (run == 0) resident = rows_resident_bytes() - before; // later runs reuse the heap
        counted = (double)counting.bytes;
        get[run] = rows_get_all(state, table);
        delete[run] = rows_sweep(state, ROWS_BIG, ROWS_DELETE, table, ROWS_BIG);
        hy_state_free(state);
        if (counting.bytes != 0) bench_must(HY_CORRUPT, "giving all memory back");
    }
    char extra[64];
    snprintf(extra, sizeof extra, "\"table\":\"%s\",\"rows\":%d", rows_names[table], ROWS_BIG);
    bench_report("rows", "memory_counted", "bytes", &counted, 1, extra);
    bench_report("rows", "memory_resident", "bytes", &resident, 1, extra);
    rows_report_rate("insert", insert, runs, extra);
    rows_report_rate("get", get, runs, extra);
    rows_report_rate("delete", delete, runs, extra);
}

// In a process of its own, so that no table is charged for what another left behind.
static void rows_report_big_alone(uint32_t table, size_t runs) {
    pid_t child = fork();
    if (child == 0) {
        rows_report_big(table, runs);
        exit(0);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) exit(1);
}

static const char rows_help[] = "rows_bench - what rows cost beside memory that nobody protects\n\n"
                                "  --runs R     runs of each measure (default 5)\n"
                                "  --help       this\n\n"
                                "Prints one JSON object a line.\n";

int main(int argc, char **argv) {
    static const struct option longs[] = { { "runs", required_argument, NULL, 'r' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    size_t runs = 5;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'r') runs = strtoul(optarg, NULL, 10);
        if (c == 'h') fputs(rows_help, stdout);
        if (c != 'r') return c == 'h' ? 0 : 2;
    }
    if (runs == 0 || runs > BENCH_RUNS_MAX) {
        fprintf(stderr, "rows_bench: --runs 1 to %d\n", BENCH_RUNS_MAX);
        return 2;
    }
    for (uint32_t table = 0; table < ROWS_TABLES; table++) {
        rows_report_big_alone(table, runs);
    }
    static const uint32_t counts[] = { 1, 4, 16 };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        rows_report_touching(counts[i], runs);
    }
    return 0;
}
