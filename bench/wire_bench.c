// wire_bench.c - what the wire codec costs for the records that every step writes.
//
// Three records: six integers (a row), a small one with strings, and a list of twenty nested
// records. Each is encoded into a reused buffer and decoded into a reused arena, as the journal
// does it. One JSON line per measure: the median of the runs, with the fastest and the slowest
// beside it.
#include <hypha/schema.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WIRE_BENCH_RUNS 9
#define WIRE_BENCH_CALLS 200000

#define BENCH_ROW(F)                                                                               \
    F(1, u32, practice)                                                                            \
    F(2, u32, dentist) F(3, u16, minute) F(4, u64, user) F(5, i64, paid_at) F(6, u8, state)
HY_RECORD(bench_row, BENCH_ROW)
HY_RECORD_DEFINE(bench_row, BENCH_ROW)

#define BENCH_TEXT(F) F(1, id, key) F(2, str, name) F(3, opt(str), note) F(4, f64, weight)
HY_RECORD(bench_text, BENCH_TEXT)
HY_RECORD_DEFINE(bench_text, BENCH_TEXT)

#define BENCH_LIST(F) F(1, u32, count) F(2, list(rec(bench_row)), rows) F(3, list(u32), numbers)
HY_RECORD(bench_list, BENCH_LIST)
HY_RECORD_DEFINE(bench_list, BENCH_LIST)

typedef struct wire_bench_case {
    const char *name;
    const hy_record *record;
    const void *value;
} wire_bench_case;

typedef struct wire_bench_tools {
    hy_buf out;
    hy_arena arena;
} wire_bench_tools;

static void *wire_bench_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    (void)self;
    (void)old_size;
    if (new_size != 0) return realloc(ptr, new_size);
    free(ptr);
    return NULL;
}

static double wire_bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int wire_bench_order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void wire_bench_must(hy_err err) {
    if (err == HY_OK) return;
    fprintf(stderr, "wire_bench: %s\n", hy_err_text(err));
    exit(1);
}

static void wire_bench_encode(const wire_bench_case *one, wire_bench_tools *tools) {
    for (int i = 0; i < WIRE_BENCH_CALLS; i++) {
        hy_buf_clear(&tools->out);
        wire_bench_must(hy_wire_encode(one->record, one->value, &tools->out));
    }
}

static void wire_bench_decode(const wire_bench_case *one, wire_bench_tools *tools) {
    _Alignas(16) uint8_t value[256];
    for (int i = 0; i < WIRE_BENCH_CALLS; i++) {
        hy_arena_reset(&tools->arena);
        wire_bench_must(
            hy_wire_decode(one->record, hy_buf_bytes(&tools->out), &tools->arena, value, NULL));
    }
}

static void wire_bench_measure(const wire_bench_case *one, wire_bench_tools *tools,
                               const char *what,
                               void (*run)(const wire_bench_case *, wire_bench_tools *)) {
    double ns[WIRE_BENCH_RUNS];
    for (int i = 0; i < WIRE_BENCH_RUNS; i++) {
        double start = wire_bench_now();
        run(one, tools);
        ns[i] = (wire_bench_now() - start) / WIRE_BENCH_CALLS;
    }
    qsort(ns, WIRE_BENCH_RUNS, sizeof ns[0], wire_bench_order);
    printf("{\"bench\":\"wire\",\"metric\":\"%s_%s\",\"value\":%.1f,\"unit\":\"ns\",\"runs\":%d,"
           "\"min\":%.1f,\"median\":%.1f,\"max\":%.1f}\n",
           what, one->name, ns[WIRE_BENCH_RUNS / 2], WIRE_BENCH_RUNS, ns[0],
           ns[WIRE_BENCH_RUNS / 2], ns[WIRE_BENCH_RUNS - 1]);
}

int main(void) {
    hy_mem mem = { .resize = wire_bench_resize };
    wire_bench_tools tools;
    hy_buf_init(&tools.out, &mem, 0);
    hy_arena_init(&tools.arena, &mem, 0);

    bench_row row = { 17, 3, 540, 123456, 1700000000000, 2 };
    bench_row rows[20];
    uint32_t numbers[20];
    for (uint32_t i = 0; i < 20; i++) {
        rows[i] = row;
        numbers[i] = i * 1000;
    }
    bench_text text = { .key = { 1, 2 }, .name = HY_BYTES("Ada Lovelace"), .weight = 1.5 };
    bench_list list = { .count = 20, .rows = { rows, 20 }, .numbers = { numbers, 20 } };
    const wire_bench_case cases[] = { { "row", &bench_row_record, &row },
                                      { "text", &bench_text_record, &text },
                                      { "list", &bench_list_record, &list } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wire_bench_measure(&cases[i], &tools, "encode", wire_bench_encode);
        wire_bench_measure(&cases[i], &tools, "decode", wire_bench_decode);
    }
    hy_buf_deinit(&tools.out);
    hy_arena_deinit(&tools.arena);
    return 0;
}
