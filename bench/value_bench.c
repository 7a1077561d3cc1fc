// value_bench.c - what immutable values cost, beside structures that forget their past.
//
//   vec_push, vec_set, vec_get   ns an item of 8 bytes, a million of them: `held once` is changed
//   in
//                                place; `versions` keeps every version of a thousand steps alive,
//                                so each step copies its way; peer: a plain array
//   vec_walk                     ns an item, by spans; peer: a plain array
//   map_put, map_get, map_walk   ns an entry of 8 + 8 bytes, keys in no order; the same two ways;
//                                peer: hyi_map, the mutable hash index of base (keys of 16 bytes,
//                                values of 4), which cannot be walked
//   map_equal, map_diff          ns to compare, and to find one changed entry between, two versions
//   map_memory                   bytes an entry, as asked of the allocator
//   with, path_set               ns to change one field of a record of 200 bytes with a list of
//                                1,000 records, and one element of that list: in place, and with
//                                the old version kept; peer: copying the struct and the whole list
//   from_json, to_json           MB of text a second, of a record with that list
//
// Sizes are chosen so that the big ones miss the caches, as they will.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hypha/value.h>
#include <hypha/world.h>

#include "base/map.h"
#include "base/rng.h"
#include "bench/bench.h"

enum { VALUE_BIG = 1000000, VALUE_SMALL = 1000, VALUE_VERSIONS = 1000, VALUE_ROUNDS = 20000 };

#define SEAT(F) F(1, u32, number) F(2, str, name) F(3, u64, price)
HY_RECORD(seat, SEAT)
HY_RECORD_DEFINE(seat, SEAT)

#define HALL(F)                                                                                    \
    F(1, str, name)                                                                                \
    F(2, str, city)                                                                                \
    F(3, str, street)                                                                              \
    F(4, u64, visits)                                                                              \
    F(5, u64, a)                                                                                   \
    F(6, u64, b)                                                                                   \
    F(7, u64, c)                                                                                   \
    F(8, opt(u64), d)                                                                              \
    F(9, opt(u64), e)                                                                              \
    F(10, str, note) F(11, str, phone) F(12, str, mail) F(13, list(rec(seat)), seats)
HY_RECORD(hall, HALL)
HY_RECORD_DEFINE(hall, HALL)

static const hy_model value_model = { .record = &hall_record };
static const hy_item value_u64 = { .size = sizeof(uint64_t) };
static volatile uint64_t value_sink; // results go here, so that no loop is left out

static uint64_t value_scatter(uint64_t index) {
    return index * UINT64_C(0x9e3779b97f4a7c15);
}

typedef struct value_counting_mem {
    hy_mem mem;
    size_t bytes;
} value_counting_mem;

static void *value_count_bytes(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    value_counting_mem *counting = (value_counting_mem *)self;
    void *moved = hy_mem_system()->resize(hy_mem_system(), ptr, old_size, new_size);
    if (moved != NULL || new_size == 0) counting->bytes += new_size - old_size;
    return moved;
}

typedef struct value_figure {
    const char *metric, *unit, *extra;
    double (*measure)(void);
} value_figure;

static double value_ns(double start, double count) {
    return (bench_now() - start) * 1e9 / count;
}

// ---- vectors ----------------------------------------------------------------------------------

static hy_vec *value_vec(uint64_t count) {
    hy_vec *vec = NULL;
    bench_must(hy_vec_new(hy_mem_system(), &value_u64, 0, &vec), "a vector");
    for (uint64_t i = 0; i < count; i++) {
        bench_must(hy_vec_push(&vec, &i), "push");
    }
    return vec;
}

static double value_vec_push(void) {
    double start = bench_now();
    hy_vec *vec = value_vec(VALUE_BIG);
    double ns = value_ns(start, VALUE_BIG);
    hy_vec_unref(vec);
    return ns;
}

static double value_array_push(void) {
    double start = bench_now();
    uint64_t *array = NULL;
    for (uint64_t i = 0, room = 0; i < VALUE_BIG; i++) {
        if (i == room) array = realloc(array, (room = room * 2 + 16) * sizeof *array);
        if (array == NULL) exit(1);
        array[i] = i;
    }
    double ns = value_ns(start, VALUE_BIG);
    value_sink += array[value_sink % VALUE_BIG];
    free(array);
    return ns;
}

// Keeps the version before each step; `push` or set.
static double value_vec_versions(bool push) {
    hy_vec *vec = value_vec(VALUE_BIG), **kept = calloc(VALUE_VERSIONS, sizeof *kept);
    if (kept == NULL) exit(1);
    double start = bench_now();
    for (uint64_t i = 0; i < VALUE_VERSIONS; i++) {
        kept[i] = hy_vec_ref(vec);
        bench_must(push ? hy_vec_push(&vec, &i)
                        : hy_vec_set(&vec, value_scatter(i) % VALUE_BIG, &i),
                   "a version");
    }
    double ns = value_ns(start, VALUE_VERSIONS);
    for (uint64_t i = 0; i < VALUE_VERSIONS; i++) {
        hy_vec_unref(kept[i]);
    }
    hy_vec_unref(vec);
    free(kept);
    return ns;
}

static double value_vec_push_versions(void) {
    return value_vec_versions(true);
}

static double value_vec_set_versions(void) {
    return value_vec_versions(false);
}

static double value_vec_set(void) {
    hy_vec *vec = value_vec(VALUE_BIG);
    double start = bench_now();
    for (uint64_t i = 0; i < VALUE_BIG; i++) {
        bench_must(hy_vec_set(&vec, value_scatter(i) % VALUE_BIG, &i), "set");
    }
    double ns = value_ns(start, VALUE_BIG);
    hy_vec_unref(vec);
    return ns;
}

static double value_vec_get(void) {
    hy_vec *vec = value_vec(VALUE_BIG);
    double start = bench_now();
    uint64_t sum = 0;
    for (uint64_t i = 0; i < VALUE_BIG; i++) {
        sum += *(const uint64_t *)hy_vec_at(vec, value_scatter(i) % VALUE_BIG);
    }
    double ns = value_ns(start, VALUE_BIG);
    value_sink += sum;
    hy_vec_unref(vec);
    return ns;
}

static double value_vec_walk(void) {
    hy_vec *vec = value_vec(VALUE_BIG);
    double start = bench_now();
    uint64_t sum = 0;
    const void *items;
    for (size_t at = 0, n; (n = hy_vec_span(vec, at, &items)) > 0; at += n) {
        for (size_t i = 0; i < n; i++) {
            sum += ((const uint64_t *)items)[i];
        }
    }
    double ns = value_ns(start, VALUE_BIG);
    value_sink += sum;
    hy_vec_unref(vec);
    return ns;
}

static double value_array_touch(bool random, bool write) {
    uint64_t *array = calloc(VALUE_BIG, sizeof *array), sum = 0;
    if (array == NULL) exit(1);
    memset(array, 1, VALUE_BIG * sizeof *array);
    double start = bench_now();
    for (uint64_t i = 0; i < VALUE_BIG; i++) {
        uint64_t at = random ? value_scatter(i) % VALUE_BIG : i;
        if (write) array[at] = i;
        sum += array[at];
    }
    double ns = value_ns(start, VALUE_BIG);
    value_sink += sum;
    free(array);
    return ns;
}

static double value_array_set(void) {
    return value_array_touch(true, true);
}

static double value_array_get(void) {
    return value_array_touch(true, false);
}

static double value_array_walk(void) {
    return value_array_touch(false, false);
}

// ---- maps -------------------------------------------------------------------------------------

static hy_pmap *value_map(hy_mem *mem, uint64_t count) {
    hy_pmap *map = NULL;
    bench_must(hy_pmap_new(mem, &value_u64, &value_u64, 0, &map), "a map");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t key = value_scatter(i);
        bench_must(hy_pmap_put(&map, &key, &i), "put");
    }
    return map;
}

static double value_map_put(void) {
    double start = bench_now();
    hy_pmap *map = value_map(hy_mem_system(), VALUE_BIG);
    double ns = value_ns(start, VALUE_BIG);
    hy_pmap_unref(map);
    return ns;
}

static double value_map_put_versions(void) {
    hy_pmap *map = value_map(hy_mem_system(), VALUE_BIG);
    hy_pmap **kept = calloc(VALUE_VERSIONS, sizeof *kept);
    if (kept == NULL) exit(1);
    double start = bench_now();
    for (uint64_t i = 0; i < VALUE_VERSIONS; i++) {
        uint64_t key = value_scatter(VALUE_BIG + i);
        kept[i] = hy_pmap_ref(map);
        bench_must(hy_pmap_put(&map, &key, &i), "put");
    }
    double ns = value_ns(start, VALUE_VERSIONS);
    for (uint64_t i = 0; i < VALUE_VERSIONS; i++) {
        hy_pmap_unref(kept[i]);
    }
    hy_pmap_unref(map);
    free(kept);
    return ns;
}

static double value_map_get(void) {
    hy_pmap *map = value_map(hy_mem_system(), VALUE_BIG);
    double start = bench_now();
    uint64_t sum = 0;
    for (uint64_t i = 0; i < VALUE_BIG; i++) {
        uint64_t key = value_scatter(i * 7 % VALUE_BIG);
        sum += *(const uint64_t *)hy_pmap_get(map, &key);
    }
    double ns = value_ns(start, VALUE_BIG);
    value_sink += sum;
    hy_pmap_unref(map);
    return ns;
}

static double value_map_walk(void) {
    hy_pmap *map = value_map(hy_mem_system(), VALUE_BIG);
    double start = bench_now();
    uint64_t sum = 0;
    hy_pmap_cursor cursor = hy_pmap_first(map);
    for (const void *key, *value; hy_pmap_next(&cursor, &key, &value);) {
        sum += *(const uint64_t *)value;
    }
    double ns = value_ns(start, VALUE_BIG);
    value_sink += sum;
    hy_pmap_unref(map);
    return ns;
}

static double value_map_memory(void) {
    value_counting_mem counting = { .mem.resize = value_count_bytes };
    hy_pmap *map = value_map(&counting.mem, VALUE_BIG);
    double bytes = (double)counting.bytes / VALUE_BIG;
    hy_pmap_unref(map);
    if (counting.bytes != 0) bench_must(HY_CORRUPT, "giving all memory back");
    return bytes;
}

// Two versions of a big map that differ in one entry.
static double value_map_pair(bool diff) {
    hy_pmap *map = value_map(hy_mem_system(), VALUE_BIG), *old = hy_pmap_ref(map);
    uint64_t key = value_scatter(5), found = 0;
    bench_must(hy_pmap_put(&map, &key, &key), "put");
    double start = bench_now();
    for (uint32_t i = 0; i < VALUE_ROUNDS; i++) {
        if (!diff) {
            found += hy_pmap_equal(old, map);
            continue;
        }
        hy_pmap_diff walk = hy_pmap_diff_first(old, map);
        for (hy_pmap_change change; hy_pmap_diff_next(&walk, &change);) {
            found += change.before != NULL;
        }
    }
    double ns = value_ns(start, VALUE_ROUNDS);
    if (found != (diff ? VALUE_ROUNDS : 0)) bench_must(HY_CORRUPT, "comparing");
    hy_pmap_unref(map);
    hy_pmap_unref(old);
    return ns;
}

static double value_map_equal(void) {
    return value_map_pair(false);
}

static double value_map_diff(void) {
    return value_map_pair(true);
}

static double value_index(bool get) {
    hyi_map map;
    hyi_map_init(&map, hy_mem_system(), 0);
    double start = bench_now();
    for (uint32_t i = 0; i < VALUE_BIG; i++) {
        bench_must(hyi_map_insert(&map, (hyi_key){ 0, value_scatter(i) }, i), "insert");
    }
    double ns = value_ns(start, VALUE_BIG);
    start = bench_now();
    for (uint64_t i = 0; i < VALUE_BIG && get; i++) {
        value_sink += hyi_map_get(&map, (hyi_key){ 0, value_scatter(i * 7 % VALUE_BIG) });
    }
    if (get) ns = value_ns(start, VALUE_BIG);
    hyi_map_deinit(&map);
    return ns;
}

static double value_index_put(void) {
    return value_index(false);
}

static double value_index_get(void) {
    return value_index(true);
}

// ---- records ----------------------------------------------------------------------------------

static hall value_hall(seat *seats) {
    for (uint32_t i = 0; i < VALUE_SMALL; i++) {
        seats[i] = (seat){ .number = i, .name = HY_BYTES("in the middle"), .price = 1200 };
    }
    return (hall){ .name = HY_BYTES("Elbphilharmonie"),
                   .city = HY_BYTES("Hamburg"),
                   .street = HY_BYTES("Platz der Deutschen Einheit"),
                   .note = HY_BYTES("large"),
                   .phone = HY_BYTES("1234567"),
                   .mail = HY_BYTES("hall@example.org"),
                   .seats = { seats, VALUE_SMALL } };
}

static hy_value *value_new_hall(void) {
    static seat seats[VALUE_SMALL];
    hall made = value_hall(seats);
    hy_value *value = NULL;
    bench_must(hy_value_new(hy_mem_system(), &value_model, &made, &value, NULL), "a value");
    return value;
}

static double value_with(void) {
    hy_value *value = value_new_hall();
    double start = bench_now();
    for (uint64_t i = 1; i <= VALUE_ROUNDS; i++) {
        bench_must(hy_value_with(&value, &(hy_value_change){ "visits", &i }, 1, NULL), "with");
    }
    double ns = value_ns(start, VALUE_ROUNDS);
    hy_value_unref(value);
    return ns;
}

static double value_path_change(bool keep) {
    hy_value *value = value_new_hall();
    hy_path path;
    bench_must(hy_path_parse(&path, &hall_record, HY_BYTES("seats[500].price"), NULL), "a path");
    double start = bench_now();
    for (uint64_t i = 1; i <= VALUE_ROUNDS; i++) {
        hy_value *old = keep ? hy_value_ref(value) : NULL;
        bench_must(hy_path_set(&value, &path, &i, NULL), "set");
        hy_value_unref(old);
    }
    double ns = value_ns(start, VALUE_ROUNDS);
    hy_value_unref(value);
    return ns;
}

static double value_path_set(void) {
    return value_path_change(false);
}

static double value_path_set_kept(void) {
    return value_path_change(true);
}

// What a copy of everything costs, texts still shared.
static double value_copy_all(void) {
    static seat seats[VALUE_SMALL];
    hall *old = malloc(sizeof *old);
    if (old == NULL) exit(1);
    *old = value_hall(seats);
    old->seats.ptr = NULL;
    double start = bench_now();
    for (uint64_t i = 1; i <= VALUE_ROUNDS; i++) {
        hall *copy = malloc(sizeof *copy);
        seat *all = malloc(sizeof seats);
        if (copy == NULL || all == NULL) exit(1);
        *copy = *old;
        memcpy(all, old->seats.ptr != NULL ? old->seats.ptr : seats, sizeof seats);
        all[500].price = i;
        copy->seats.ptr = all;
        free(old->seats.ptr);
        free(old);
        old = copy;
    }
    double ns = value_ns(start, VALUE_ROUNDS);
    value_sink += old->seats.ptr[500].price;
    free(old->seats.ptr);
    free(old);
    return ns;
}

static double value_json(bool read) {
    enum { VALUE_TEXTS = 50 };
    hy_value *value = value_new_hall();
    hy_buf text;
    hy_buf_init(&text, hy_mem_system(), 0);
    double start = bench_now();
    for (uint32_t i = 0; i < VALUE_TEXTS; i++) {
        hy_buf_clear(&text);
        bench_must(hy_value_to_json(value, &text), "to JSON");
    }
    double seconds = bench_now() - start;
    start = bench_now();
    for (uint32_t i = 0; i < VALUE_TEXTS && read; i++) {
        hy_value *back = NULL;
        bench_must(
            hy_value_from_json(hy_mem_system(), &value_model, hy_buf_bytes(&text), &back, NULL),
            "from JSON");
        hy_value_unref(back);
    }
    if (read) seconds = bench_now() - start;
    double megabytes = (double)text.len * VALUE_TEXTS / 1e6;
    hy_buf_deinit(&text);
    hy_value_unref(value);
    return megabytes / seconds;
}

static double value_from_json(void) {
    return value_json(true);
}

static double value_to_json(void) {
    return value_json(false);
}

// ---- the whole --------------------------------------------------------------------------------

#define VALUE_ONCE "\"way\":\"held once\""
#define VALUE_KEPT "\"way\":\"versions\""
#define VALUE_ARRAY "\"peer\":\"plain array\""
#define VALUE_INDEX "\"peer\":\"hyi_map\""

static const value_figure value_figures[] = {
    { "vec_push", "ns", VALUE_ONCE, value_vec_push },
    { "vec_push", "ns", VALUE_KEPT, value_vec_push_versions },
    { "vec_push", "ns", VALUE_ARRAY, value_array_push },
    { "vec_set", "ns", VALUE_ONCE, value_vec_set },
    { "vec_set", "ns", VALUE_KEPT, value_vec_set_versions },
    { "vec_set", "ns", VALUE_ARRAY, value_array_set },
    { "vec_get", "ns", NULL, value_vec_get },
    { "vec_get", "ns", VALUE_ARRAY, value_array_get },
    { "vec_walk", "ns", NULL, value_vec_walk },
    { "vec_walk", "ns", VALUE_ARRAY, value_array_walk },
    { "map_put", "ns", VALUE_ONCE, value_map_put },
    { "map_put", "ns", VALUE_KEPT, value_map_put_versions },
    { "map_put", "ns", VALUE_INDEX, value_index_put },
    { "map_get", "ns", NULL, value_map_get },
    { "map_get", "ns", VALUE_INDEX, value_index_get },
    { "map_walk", "ns", NULL, value_map_walk },
    { "map_equal", "ns", NULL, value_map_equal },
    { "map_diff", "ns", NULL, value_map_diff },
    { "map_memory", "bytes/entry", NULL, value_map_memory },
    { "with", "ns", VALUE_ONCE, value_with },
    { "path_set", "ns", VALUE_ONCE, value_path_set },
    { "path_set", "ns", VALUE_KEPT, value_path_set_kept },
    { "path_set", "ns", "\"peer\":\"copy all\"", value_copy_all },
    { "from_json", "MB/s", NULL, value_from_json },
    { "to_json", "MB/s", NULL, value_to_json },
};

static const char value_help[] = "value_bench - what immutable values cost\n\n"
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
        if (c == 'h') fputs(value_help, stdout);
        if (c != 'r') return c == 'h' ? 0 : 2;
    }
    if (runs == 0 || runs > BENCH_RUNS_MAX) {
        fprintf(stderr, "value_bench: --runs 1 to %d\n", BENCH_RUNS_MAX);
        return 2;
    }
    for (size_t i = 0; i < sizeof value_figures / sizeof value_figures[0]; i++) {
        const value_figure *figure = &value_figures[i];
        double values[BENCH_RUNS_MAX];
        for (size_t run = 0; run < runs; run++) {
            values[run] = figure->measure();
        }
        bench_report("value", figure->metric, figure->unit, values, runs, figure->extra);
    }
    return 0;
}
