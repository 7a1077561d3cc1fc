// store_bench.c - what it costs to keep a machine in SQLite.
//
//   append      entries a second that are durable, by entries a batch: one transaction and one
//               sync a batch, as a host does it. The entries are made beforehand; stepping is
//               not measured.
//   insert      the peer: the plain sqlite3 library with the same settings, one row of the same
//               size an entry, as many to a transaction
//   append_p99  milliseconds that 99 of 100 appends of 1,000 entries stay below, while what
//               piles up beyond 8 MiB is moved into the tables by the appends themselves
//   checkpoint  entries a second that checkpoint moves into the tables
//   reopen      milliseconds from nothing to a loaded state of `--rows` rows of 64 bytes
//
// The machine is one table of 64-byte rows; every entry changes one row, drawn evenly.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include <hypha/store.h>

#include "bench/bench.h"

#define CELL(F)                                                                                    \
    F(1, u64, number)                                                                              \
    F(2, u64, a)                                                                                   \
    F(3, u64, b)                                                                                   \
    F(4, i64, c)                                                                                   \
    F(5, i64, d)                                                                                   \
    F(6, u64, e)                                                                                   \
    F(7, u32, f)                                                                                   \
    F(8, u32, g)                                                                                   \
    F(9, u64, h)
HY_RECORD(cell, CELL)
HY_RECORD_DEFINE(cell, CELL)
_Static_assert(sizeof(cell) == 64, "the row whose size the figures name");

#define CELL_PUT(F) F(1, u64, number) F(2, u64, value)
HY_RECORD(cell_put, CELL_PUT)
HY_RECORD_DEFINE(cell_put, CELL_PUT)

static hy_err cell_step(hy_txn *txn, const hy_input *input) {
    const cell_put *put = input->body;
    cell *row = hy_row_update(txn, 0, &(cell){ .number = put->number });
    if (row == NULL) row = hy_row_insert(txn, 0, &(cell){ .number = put->number });
    if (row == NULL) return hy_txn_failed(txn);
    row->a++;
    row->b = put->value;
    row->c -= 7;
    row->d = 1234567;
    row->e ^= put->value;
    row->f++;
    row->g = 99;
    row->h = input->seq;
    return HY_OK;
}

static const hy_table cell_tables[] = {
    { .name = "cell", .row = &cell_record, .key_count = 1, .rows_max = 4u << 20 },
};
static const hy_input_kind cell_inputs[] = { { .name = "put", .body = &cell_put_record } };
static const hy_machine cell_machine = { .name = "cells",
                                         .version = 1,
                                         .tables = cell_tables,
                                         .table_count = 1,
                                         .inputs = cell_inputs,
                                         .input_count = 1,
                                         .step = cell_step };

typedef struct options {
    uint64_t entries, rows, wal_bytes, page_bytes;
    size_t runs;
    const char *folder;
} options;

static const char help[] =
    "store_bench - what it costs to keep a machine in SQLite\n\n"
    "  --entries N  entries of an append run (default 200000; at most 4000 batches)\n"
    "  --rows N     rows of the reopening (default 1000000)\n"
    "  --runs R     counted runs (default 5)\n"
    "  --wal-bytes B, --page-bytes B  of the store (default: the store's own)\n"
    "  --folder F   where the files go (default: a new one under the system's place for such)\n"
    "  --help       this\n\n"
    "Prints one JSON object a line.\n";

typedef struct bed {
    options o;
    hy_world *world;
    char folder[256], path[300];
} bed;

static void bed_forget(bed *b) {
    static const char *const tails[] = { "", "-wal", "-shm", "-lock" };
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        char path[320];
        snprintf(path, sizeof path, "%s%s", b->path, tails[i]);
        unlink(path);
    }
}

static hy_store *bed_open(bed *b, uint64_t checkpoint_bytes, uint32_t *out_number) {
    hy_store *store = NULL;
    hy_why why = { 0 };
    hy_err err = hy_store_sqlite_open(
        b->world, b->path,
        HY_OPTIONS(hy_store_sqlite, .checkpoint_bytes = checkpoint_bytes,
                   .wal_bytes = (uint32_t)b->o.wal_bytes, .page_bytes = (uint32_t)b->o.page_bytes),
        &store, &why);
    if (err == HY_OK) err = store->driver->attach(store, &cell_machine, out_number, &why);
    if (err != HY_OK) fprintf(stderr, "%s: %s\n", why.place, why.text);
    bench_must(err, "opening the store");
    return store;
}

// ---- entries ----------------------------------------------------------------------------------

typedef struct maker {
    hy_state *state;
    hy_buf body;
    hy_batch batch;
    uint64_t random, rows;
    bool in_order;
} maker;

static void maker_open(maker *m, uint64_t rows, bool in_order) {
    *m = (maker){ .random = 1, .rows = rows, .in_order = in_order };
    bench_must(hy_state_new(hy_mem_system(), &cell_machine,
                            HY_OPTIONS(hy_state, .record_entries = true), &m->state, NULL),
               "a new state");
    hy_buf_init(&m->body, hy_mem_system(), 0);
}

static void maker_close(maker *m) {
    m->state = hy_state_free(m->state);
    hy_buf_deinit(&m->body);
}

static const hy_batch *maker_batch(maker *m, uint32_t machine, uint32_t count) {
    hy_buf_clear(&m->body);
    m->batch = (hy_batch){ .machine = machine, .first_seq = hy_state_seq(m->state) + 1 };
    for (uint32_t i = 0; i < count; i++) {
        uint64_t seq = hy_state_seq(m->state) + 1;
        m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        cell_put put = { m->in_order ? seq : 1 + (m->random >> 33) % m->rows, m->random };
        hy_input input = { .seq = seq, .random = m->random, .kind = 0, .body = &put };
        hy_outcome outcome;
        bench_must(hy_state_step(m->state, &input, &outcome), "a step");
        hy_frame_add(&m->body, outcome.entry);
    }
    m->batch.entry_count = count;
    m->batch.last_seq = hy_state_seq(m->state);
    m->batch.body = hy_buf_bytes(&m->body);
    return &m->batch;
}

static double bed_append(hy_store *store, const hy_batch *batch) {
    hy_why why = { 0 };
    double start = bench_now();
    hy_commit outcome = store->driver->append(store, batch, 1, &why);
    double took = bench_now() - start;
    if (outcome != HY_COMMITTED) {
        fprintf(stderr, "append: %s %s\n", why.place, why.text);
        exit(1);
    }
    return took;
}

// ---- append against plain inserts -------------------------------------------------------------

static uint64_t bed_batches(const bed *b, uint32_t batch) {
    uint64_t count = b->o.entries / batch;
    return count < 1 ? 1 : count > 4000 ? 4000 : count;
}

static double append_run(bed *b, uint32_t batch, double *out_entry_bytes) {
    uint32_t number;
    uint64_t batches = bed_batches(b, batch), bytes = 0;
    double took = 0;
    maker m;
    bed_forget(b);
    maker_open(&m, 100000, false);
    hy_store *store = bed_open(b, UINT64_MAX, &number);
    for (uint64_t i = 0; i < batches; i++) {
        const hy_batch *made = maker_batch(&m, number, batch);
        bytes += made->body.len;
        took += bed_append(store, made);
    }
    hy_store_close(store);
    maker_close(&m);
    *out_entry_bytes = (double)bytes / (double)(batches * batch);
    return (double)(batches * batch) / took;
}

static void peer_must(sqlite3 *db, int rc) {
    if (rc == SQLITE_OK || rc == SQLITE_DONE) return;
    fprintf(stderr, "sqlite3: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static double peer_run(bed *b, uint32_t batch, size_t entry_bytes) {
    sqlite3 *db = NULL;
    sqlite3_stmt *add = NULL;
    static uint8_t body[4096];
    uint64_t batches = bed_batches(b, batch), row = 0;
    bed_forget(b);
    peer_must(db, sqlite3_open(b->path, &db));
    peer_must(db, sqlite3_exec(db,
                               "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                               "CREATE TABLE j(seq INTEGER PRIMARY KEY, body BLOB)",
                               NULL, NULL, NULL));
    peer_must(db, sqlite3_prepare_v2(db, "INSERT INTO j VALUES(?, ?)", -1, &add, NULL));
    double start = bench_now();
    for (uint64_t i = 0; i < batches; i++) {
        peer_must(db, sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
        for (uint32_t k = 0; k < batch; k++) {
            sqlite3_bind_int64(add, 1, (int64_t)++row);
            sqlite3_bind_blob(add, 2, body, (int)entry_bytes, SQLITE_STATIC);
            peer_must(db, sqlite3_step(add));
            sqlite3_reset(add);
        }
        peer_must(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
    }
    double took = bench_now() - start;
    sqlite3_finalize(add);
    sqlite3_close(db);
    return (double)(batches * batch) / took;
}

static void bench_append(bed *b, uint32_t batch) {
    double ours[BENCH_RUNS_MAX], peers[BENCH_RUNS_MAX], entry_bytes = 0;
    for (size_t run = 0; run < b->o.runs; run++) {
        ours[run] = append_run(b, batch, &entry_bytes);
        peers[run] = peer_run(b, batch, (size_t)entry_bytes);
    }
    char extra[128];
    snprintf(extra, sizeof extra, "\"batch\":%u,\"entry_bytes\":%.0f", batch, entry_bytes);
    bench_report("store", "append", "entries/s", ours, b->o.runs, extra);
    snprintf(extra, sizeof extra, "\"batch\":%u,\"entry_bytes\":%.0f,\"peer\":\"sqlite3\"", batch,
             entry_bytes);
    bench_report("store", "insert", "rows/s", peers, b->o.runs, extra);
}

// ---- checkpoints ------------------------------------------------------------------------------

static void bench_checkpoint(bed *b) {
    double worst[BENCH_RUNS_MAX], rate[BENCH_RUNS_MAX], each[300];
    for (size_t run = 0; run < b->o.runs; run++) {
        uint32_t number;
        maker m;
        bed_forget(b);
        maker_open(&m, 100000, false);
        hy_store *store = bed_open(b, 8u << 20, &number);
        for (size_t i = 0; i < 300; i++) {
            each[i] = bed_append(store, maker_batch(&m, number, 1000)) * 1e3;
        }
        worst[run] = bench_quantile(each, 300, 0.99);
        hy_store_close(store);
        store = bed_open(b, UINT64_MAX, &number);
        for (size_t i = 0; i < 100; i++) {
            (void)bed_append(store, maker_batch(&m, number, 1000));
        }
        double start = bench_now();
        bench_must(store->driver->checkpoint(store, NULL), "a checkpoint");
        rate[run] = 100000 / (bench_now() - start);
        hy_store_close(store);
        maker_close(&m);
    }
    bench_report("store", "append_p99", "ms", worst, b->o.runs, "\"batch\":1000");
    bench_report("store", "checkpoint", "entries/s", rate, b->o.runs, NULL);
}

// ---- reopening --------------------------------------------------------------------------------

static void reopen_fill(bed *b) {
    uint32_t number;
    maker m;
    bed_forget(b);
    maker_open(&m, b->o.rows, true);
    hy_store *store = bed_open(b, UINT64_MAX, &number);
    for (uint64_t made = 0; made < b->o.rows; made += 10000) {
        (void)bed_append(store, maker_batch(&m, number, 10000));
    }
    bench_must(store->driver->checkpoint(store, NULL), "a checkpoint");
    hy_store_close(store);
    maker_close(&m);
}

static void bench_reopen(bed *b) {
    double took[BENCH_RUNS_MAX];
    reopen_fill(b);
    for (size_t run = 0; run < b->o.runs; run++) {
        uint32_t number;
        hy_state *state = NULL;
        hy_why why = { 0 };
        double start = bench_now();
        hy_store *store = bed_open(b, UINT64_MAX, &number);
        bench_must(hy_state_new(hy_mem_system(), &cell_machine, NULL, &state, NULL), "a state");
        hy_err err = store->driver->load(store, number, state, &why);
        took[run] = (bench_now() - start) * 1e3;
        if (err != HY_OK) fprintf(stderr, "%s: %s\n", why.place, why.text);
        bench_must(err, "loading");
        hy_state_free(state);
        hy_store_close(store);
    }
    char extra[64];
    snprintf(extra, sizeof extra, "\"rows\":%" PRIu64 ",\"row_bytes\":64", b->o.rows);
    bench_report("store", "reopen", "ms", took, b->o.runs, extra);
    bed_forget(b);
}

// ---- main -------------------------------------------------------------------------------------

static options bed_read_options(int argc, char **argv) {
    options o = { .entries = 200000, .rows = 1000000, .runs = 5 };
    static const struct option names[] = { { "entries", required_argument, NULL, 'e' },
                                           { "rows", required_argument, NULL, 'r' },
                                           { "runs", required_argument, NULL, 'n' },
                                           { "folder", required_argument, NULL, 'f' },
                                           { "wal-bytes", required_argument, NULL, 'w' },
                                           { "page-bytes", required_argument, NULL, 'p' },
                                           { "help", no_argument, NULL, 'h' },
                                           { 0 } };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'e': o.entries = strtoull(optarg, NULL, 10); break;
        case 'r': o.rows = strtoull(optarg, NULL, 10); break;
        case 'n': o.runs = strtoull(optarg, NULL, 10); break;
        case 'w': o.wal_bytes = strtoull(optarg, NULL, 10); break;
        case 'p': o.page_bytes = strtoull(optarg, NULL, 10); break;
        case 'f': o.folder = optarg; break;
        case 'h': fputs(help, stdout); exit(0);
        default: fputs(help, stderr); exit(2);
        }
    }
    if (o.runs < 1 || o.runs > BENCH_RUNS_MAX || o.rows < 1 || o.entries < 1) {
        fputs(help, stderr);
        exit(2);
    }
    return o;
}

int main(int argc, char **argv) {
    bed b = { .o = bed_read_options(argc, argv) };
    const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : P_tmpdir;
    if (b.o.folder != NULL) {
        snprintf(b.folder, sizeof b.folder, "%s", b.o.folder);
    } else {
        snprintf(b.folder, sizeof b.folder, "%s/hypha-bench-XXXXXX", base);
        if (mkdtemp(b.folder) == NULL) bench_must(HY_IO, "a folder for the files");
    }
    snprintf(b.path, sizeof b.path, "%s/store.db", b.folder);
    bench_must(hy_world_open(NULL, &b.world), "a world");
    static const uint32_t batches[] = { 1, 10, 100, 1000, 4000 };
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        bench_append(&b, batches[i]);
    }
    bench_checkpoint(&b);
    bench_reopen(&b);
    hy_world_close(b.world);
    bed_forget(&b);
    if (b.o.folder == NULL) rmdir(b.folder);
    return 0;
}
