// rows_test.c - tables of every key shape, ordered and hashed, against a naive twin.
//
// The twin is an array per table with a place for every key there is; its order comes from
// comparing key fields one by one, never from a packed key. Random steps insert, update and delete,
// some are refused half-way, some are rewound later; after each the whole table is compared, by
// key, by count, and walked in both directions from random places. Inside a step the same
// comparisons hold: a step sees its own writes.

#include "kit/kit.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "machine/state.h"

// ---- the shapes ----

#define ROWS_REST(F) F(8, u64, value) F(9, str, text)
#define ROWS_U8(F) F(1, u8, a) ROWS_REST(F)
HY_RECORD(rows_u8, ROWS_U8)
HY_RECORD_DEFINE(rows_u8, ROWS_U8)
#define ROWS_U16U16(F) F(1, u16, a) F(2, u16, b) ROWS_REST(F)
HY_RECORD(rows_u16u16, ROWS_U16U16)
HY_RECORD_DEFINE(rows_u16u16, ROWS_U16U16)
#define ROWS_U64(F) F(1, u64, a) ROWS_REST(F)
HY_RECORD(rows_u64, ROWS_U64)
HY_RECORD_DEFINE(rows_u64, ROWS_U64)
#define ROWS_I32(F) F(1, i32, a) ROWS_REST(F)
HY_RECORD(rows_i32, ROWS_I32)
HY_RECORD_DEFINE(rows_i32, ROWS_I32)
#define ROWS_I64(F) F(1, i64, a) ROWS_REST(F)
HY_RECORD(rows_i64, ROWS_I64)
HY_RECORD_DEFINE(rows_i64, ROWS_I64)
#define ROWS_ID(F) F(1, id, a) ROWS_REST(F)
HY_RECORD(rows_id, ROWS_ID)
HY_RECORD_DEFINE(rows_id, ROWS_ID)
#define ROWS_MIX(F) F(1, u64, a) F(2, u32, b) F(3, u16, c) ROWS_REST(F)
HY_RECORD(rows_mix, ROWS_MIX)
HY_RECORD_DEFINE(rows_mix, ROWS_MIX)
#define ROWS_SMALL_FIRST(F) F(1, i8, a) F(2, i16, b) F(3, i64, c) ROWS_REST(F)
HY_RECORD(rows_small_first, ROWS_SMALL_FIRST)
HY_RECORD_DEFINE(rows_small_first, ROWS_SMALL_FIRST)
#define ROWS_COLOUR(E) E(0, ROWS_RED, red) E(1, ROWS_BLUE, blue)
HY_ENUM(rows_colour, ROWS_COLOUR)
HY_ENUM_DEFINE(rows_colour, ROWS_COLOUR)
#define ROWS_FLAG(F) F(1, enm(rows_colour), a) F(2, bool, b) ROWS_REST(F)
HY_RECORD(rows_flag, ROWS_FLAG)
HY_RECORD_DEFINE(rows_flag, ROWS_FLAG)

typedef union rows_any {
    rows_u8 u8;
    rows_u16u16 u16u16;
    rows_u64 u64;
    rows_i32 i32;
    rows_i64 i64;
    rows_id id;
    rows_mix mix;
    rows_small_first small_first;
    rows_flag flag;
} rows_any;

enum { KEYS = 90 };

// Key number n of each shape: far apart, on both sides of zero, with equal first fields.
static void rows_key_u8(uint32_t n, rows_any *r) {
    r->u8.a = (uint8_t)(n * 2 + n / 50);
}
static void rows_key_u16u16(uint32_t n, rows_any *r) {
    r->u16u16.a = (uint16_t)(n % 7 * 9362);
    r->u16u16.b = (uint16_t)(n / 7 * 4681);
}
static void rows_key_u64(uint32_t n, rows_any *r) {
    r->u64.a = n == 0 ? UINT64_MAX : n * UINT64_C(0x0123456789abcdef);
}
static void rows_key_i32(uint32_t n, rows_any *r) {
    r->i32.a = n == 0 ? INT32_MIN : ((int32_t)n - 45) * 47000000;
}
static void rows_key_i64(uint32_t n, rows_any *r) {
    r->i64.a = n == 0 ? INT64_MAX : ((int64_t)n - 45) * INT64_C(200000000000000000);
}
static void rows_key_id(uint32_t n, rows_any *r) {
    r->id.a = (hy_id){ n % 5 * UINT64_C(0x3333333333333333), n / 5 * UINT64_C(0x0e38e38e38e38e38) };
}
static void rows_key_mix(uint32_t n, rows_any *r) {
    r->mix.a = n % 3 * UINT64_C(0x7fffffffffffffff);
    r->mix.b = n / 3 % 5 * UINT32_C(0x33333333);
    r->mix.c = (uint16_t)(n / 15 * 9362);
}
static void rows_key_small_first(uint32_t n, rows_any *r) {
    r->small_first.a = (int8_t)((int32_t)(n % 4) * 60 - 120);
    r->small_first.b = (int16_t)((int32_t)(n / 4 % 5) * 9000 - 20000);
    r->small_first.c = (int64_t)(n / 20) - 2;
}
static void rows_key_flag(uint32_t n, rows_any *r) {
    r->flag.a = n / 2 * 10;
    r->flag.b = n % 2 == 1;
}

#define ROWS_COMPARE(x, y)                                                                         \
    if ((x) != (y)) return (x) < (y) ? -1 : 1
static int rows_compare_u8(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->u8.a, y->u8.a);
    return 0;
}
static int rows_compare_u16u16(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->u16u16.a, y->u16u16.a);
    ROWS_COMPARE(x->u16u16.b, y->u16u16.b);
    return 0;
}
static int rows_compare_u64(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->u64.a, y->u64.a);
    return 0;
}
static int rows_compare_i32(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->i32.a, y->i32.a);
    return 0;
}
static int rows_compare_i64(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->i64.a, y->i64.a);
    return 0;
}
static int rows_compare_id(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->id.a.hi, y->id.a.hi);
    ROWS_COMPARE(x->id.a.lo, y->id.a.lo);
    return 0;
}
static int rows_compare_mix(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->mix.a, y->mix.a);
    ROWS_COMPARE(x->mix.b, y->mix.b);
    ROWS_COMPARE(x->mix.c, y->mix.c);
    return 0;
}
static int rows_compare_small_first(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->small_first.a, y->small_first.a);
    ROWS_COMPARE(x->small_first.b, y->small_first.b);
    ROWS_COMPARE(x->small_first.c, y->small_first.c);
    return 0;
}
static int rows_compare_flag(const rows_any *x, const rows_any *y) {
    ROWS_COMPARE(x->flag.a, y->flag.a);
    ROWS_COMPARE(x->flag.b, y->flag.b);
    return 0;
}

typedef struct rows_shape {
    size_t value, text; // offsets
    void (*key)(uint32_t n, rows_any *row);
    int (*compare)(const rows_any *x, const rows_any *y);
} rows_shape;

#define ROWS_SHAPE(name)                                                                           \
    {                                                                                              \
        offsetof(rows_##name, value), offsetof(rows_##name, text), rows_key_##name,                \
            rows_compare_##name                                                                    \
    }
#define ROWS_TABLES(shape_, keys)                                                                  \
    {                                                                                              \
        .name = #shape_ "_o", .row = &rows_##shape_##_record, .key_count = (keys), .ordered = true \
    },                                                                                             \
    {                                                                                              \
        .name = #shape_ "_h", .row = &rows_##shape_##_record, .key_count = (keys)                  \
    }

// Tables 2 i and 2 i + 1 have shape i: ordered, hashed.
static const rows_shape rows_shapes[] = {
    ROWS_SHAPE(u8), ROWS_SHAPE(u16u16), ROWS_SHAPE(u64),         ROWS_SHAPE(i32), ROWS_SHAPE(i64),
    ROWS_SHAPE(id), ROWS_SHAPE(mix),    ROWS_SHAPE(small_first), ROWS_SHAPE(flag)
};
static const hy_table rows_tables[] = { ROWS_TABLES(u8, 1),  ROWS_TABLES(u16u16, 2),
                                        ROWS_TABLES(u64, 1), ROWS_TABLES(i32, 1),
                                        ROWS_TABLES(i64, 1), ROWS_TABLES(id, 1),
                                        ROWS_TABLES(mix, 3), ROWS_TABLES(small_first, 3),
                                        ROWS_TABLES(flag, 2) };
enum { TABLES = 18 };
_Static_assert(HY_COUNT_OF(rows_tables) == TABLES, "two for each shape");

// ---- the twin ----

typedef struct rows_cell {
    bool is_there;
    uint8_t text_len;
    uint64_t value;
} rows_cell;

typedef struct rows_model {
    rows_cell cells[TABLES][KEYS];
} rows_model;

enum { HISTORY = 16 };

typedef struct rows_run {
    hy_state *state;
    uint64_t dice;
    rows_model now, trial;
    rows_model past[HISTORY]; // by seq modulo HISTORY: after that seq
    uint64_t seq, released;
    uint8_t order[HY_COUNT_OF(rows_shapes)][KEYS]; // key numbers, sorted
} rows_run;

static rows_run *rows_current; // whose step is running
static const char rows_letters[] =
    "a text long enough to be cut to any length that a row of this test may have, and to leave "
    "the classes of small blobs: it goes on for two hundred and eighty bytes and more, because a "
    "blob of more than two hundred and fifty-six bytes comes from the allocator itself, and so "
    "must be given back to it, whatever happened to the row.";

static uint64_t rows_draw(rows_run *r, uint64_t below) {
    return kit_random(&r->dice) % below;
}

static rows_any rows_make(uint32_t table, uint32_t n, rows_cell cell) {
    const rows_shape *shape = &rows_shapes[table / 2];
    rows_any row;
    memset(&row, 0, sizeof row);
    shape->key(n, &row);
    hy_text text = { (const uint8_t *)rows_letters, cell.text_len + cell.text_len / 8 };
    memcpy((uint8_t *)&row + shape->value, &cell.value, sizeof cell.value);
    memcpy((uint8_t *)&row + shape->text, &text, sizeof text);
    return row;
}

static void rows_sort(rows_run *r) {
    for (uint32_t shape = 0; shape < HY_COUNT_OF(rows_shapes); shape++) {
        for (uint32_t n = 0; n < KEYS; n++) {
            rows_any row = rows_make(2 * shape, n, (rows_cell){ 0 });
            uint32_t at = n;
            for (; at > 0; at--) {
                rows_any other = rows_make(2 * shape, r->order[shape][at - 1], (rows_cell){ 0 });
                int order = rows_shapes[shape].compare(&other, &row);
                CHECK(order != 0);
                if (order < 0) break;
                r->order[shape][at] = r->order[shape][at - 1];
            }
            r->order[shape][at] = (uint8_t)n;
        }
    }
}

static bool rows_is(const void *got, uint32_t table, uint32_t n, rows_cell cell) {
    const rows_shape *shape = &rows_shapes[table / 2];
    rows_any wanted = rows_make(table, n, cell);
    uint64_t value;
    hy_text text, wanted_text;
    memcpy(&value, (const uint8_t *)got + shape->value, sizeof value);
    memcpy(&text, (const uint8_t *)got + shape->text, sizeof text);
    memcpy(&wanted_text, (const uint8_t *)&wanted + shape->text, sizeof text);
    rows_any key;
    memset(&key, 0, sizeof key);
    memcpy(&key, got, rows_tables[table].row->size);
    return shape->compare(&key, &wanted) == 0 && value == cell.value &&
           hy_bytes_equal(text, wanted_text);
}

// Walks from before the key at `rank`, zigzag, and compares each row.
static void rows_check_walk(rows_run *r, const hy_view *view, uint32_t table,
                            const rows_model *model, uint32_t rank) {
    const uint8_t *order = r->order[table / 2];
    rows_any from = rows_make(table, order[rank % KEYS], (rows_cell){ 0 });
    hy_cursor cursor = hy_cursor_at(view, table, rank < KEYS ? &from : NULL);
    int32_t at = rank < KEYS ? (int32_t)rank : 0; // the key behind the cursor
    for (uint32_t i = 0; i < 2 * KEYS; i++) {
        bool ahead = i % 3 != 2;
        int32_t next = ahead ? at : at - 1;
        while (next >= 0 && next < KEYS && !model->cells[table][order[next]].is_there) {
            next += ahead ? 1 : -1;
        }
        const void *row = ahead ? hy_cursor_next(&cursor) : hy_cursor_prev(&cursor);
        bool is_there = next >= 0 && next < KEYS;
        CHECK((row != NULL) == is_there);
        at = ahead ? (is_there ? next + 1 : KEYS) : (is_there ? next : 0);
        if (row == NULL) continue;
        CHECK(rows_is(row, table, order[next], model->cells[table][order[next]]));
    }
}

static void rows_check_table(rows_run *r, const hy_view *view, uint32_t table,
                             const rows_model *model, bool in_step) {
    uint32_t count = 0;
    for (uint32_t n = 0; n < KEYS; n++) {
        rows_any key = rows_make(table, n, (rows_cell){ 0 });
        const void *row = hy_row_get(view, table, &key);
        rows_cell cell = model->cells[table][n];
        CHECK((row != NULL) == cell.is_there);
        if (row != NULL) CHECK(rows_is(row, table, n, cell));
        count += cell.is_there;
    }
    CHECK_EQ(hy_row_count(view, table), count);
    if (rows_tables[table].ordered) {
        rows_check_walk(r, view, table, model, (uint32_t)rows_draw(r, KEYS + 1));
    } else if (!in_step) {
        hy_cursor cursor = hy_cursor_at(view, table, NULL);
        uint32_t walked = 0;
        while (hy_cursor_next(&cursor) != NULL) {
            walked++;
        }
        CHECK_EQ(walked, count);
    }
}

static void rows_check_all(rows_run *r) {
    for (uint32_t table = 0; table < TABLES; table++) {
        rows_check_table(r, hy_state_view(r->state), table, &r->now, false);
    }
    CHECK_EQ(hy_state_digest(r->state), hy_state_digest_slow(r->state));
    for (uint32_t table = 0; table < TABLES; table += 2) {
        CHECK(hyi_tree_holds(&r->state->tables[table]->tree));
    }
}

// ---- the step ----

static void rows_update(hy_txn *txn, uint32_t table, uint32_t n, rows_cell *cell, rows_cell to) {
    const rows_shape *shape = &rows_shapes[table / 2];
    rows_any wanted = rows_make(table, n, to);
    uint8_t *row = hy_row_update(txn, table, &wanted);
    CHECK(HY_IMPLIES(row != NULL, cell->is_there));
    if (row == NULL) return;
    memcpy(row + shape->value, &to.value, sizeof to.value);
    hy_text text;
    memcpy(&text, (uint8_t *)&wanted + shape->text, sizeof text);
    if (hy_row_set_bytes(txn, table, row, shape->text, text)) *cell = to;
}

static void rows_change(rows_run *r, hy_txn *txn) {
    uint32_t table = (uint32_t)rows_draw(r, TABLES), n = (uint32_t)rows_draw(r, KEYS);
    rows_cell *cell = &r->trial.cells[table][n];
    rows_cell to = { true, (uint8_t)rows_draw(r, 250), rows_draw(r, UINT64_MAX) };
    uint64_t what = rows_draw(r, 10);
    if (what < 3) {
        rows_update(txn, table, n, cell, to);
    } else if (what < 6) {
        rows_any key = rows_make(table, n, (rows_cell){ 0 });
        bool deleted = hy_row_delete(txn, table, &key);
        CHECK(deleted == cell->is_there || hy_txn_failed(txn) != HY_OK);
        if (deleted) *cell = (rows_cell){ 0 };
    } else if (!cell->is_there || what == 9) { // now and then one that is there: that fails
        rows_any row = rows_make(table, n, to);
        bool taken = cell->is_there;
        bool done = hy_row_insert(txn, table, &row) != NULL;
        CHECK(HY_IMPLIES(taken, !done));
        if (done) *cell = to;
    }
    if (hy_txn_failed(txn) == HY_OK) {
        rows_check_table(r, hy_txn_view(txn), table, &r->trial, true);
    }
}

static hy_err rows_step(hy_txn *txn, const hy_input *input) {
    rows_run *r = rows_current;
    (void)input;
    r->trial = r->now;
    uint64_t count = rows_draw(r, 14);
    for (uint64_t i = 0; i < count; i++) {
        rows_change(r, txn);
    }
    return rows_draw(r, 5) == 0 ? HY_RANGE : HY_OK;
}

static const hy_input_kind rows_inputs[] = { { .name = "go" } };
static const hy_machine rows_machine = { .name = "rows",
                                         .version = 1,
                                         .tables = rows_tables,
                                         .table_count = TABLES,
                                         .inputs = rows_inputs,
                                         .input_count = 1,
                                         .step = rows_step };

static void rows_run_deinit(rows_run *r) {
    r->state = hy_state_free(r->state);
}

static hy_err rows_go(rows_run *r, uint32_t steps) {
    rows_sort(r);
    rows_current = r;
    for (uint32_t i = 0; i < steps; i++) {
        hy_outcome outcome;
        hy_input input = { .seq = r->seq + 1 };
        hy_err err = hy_state_step(r->state, &input, &outcome);
        if (err == HY_OK) {
            r->now = r->trial;
            r->past[++r->seq % HISTORY] = r->now;
        }
        rows_check_all(r);
        if (err == HY_NOMEM) return err;
        CHECK(err == HY_OK || err == HY_RANGE || err == HY_EXISTS);
        uint64_t back = rows_draw(r, r->seq - r->released + 1);
        if (rows_draw(r, 4) == 0 && back < HISTORY - 1) {
            hy_state_rewind(r->state, r->seq - back);
            r->seq -= back;
            r->now = r->past[r->seq % HISTORY];
            rows_check_all(r);
        }
        if (rows_draw(r, 3) == 0 || r->seq - r->released > HISTORY - 2) {
            r->released += rows_draw(r, r->seq - r->released + 1);
            if (r->seq - r->released > HISTORY - 3) r->released = r->seq;
            hy_state_release(r->state, r->released);
            rows_check_all(r);
        }
    }
    return HY_OK;
}

static hy_err tables_are_what_the_twin_says(hy_mem *mem) {
    static rows_run r; // the models are too large for the stack
    r = (rows_run){ .dice = kit_seed() };
    CHECK_OK(
        hy_state_new(mem, &rows_machine, HY_OPTIONS(hy_state, .keep_undo = true), &r.state, NULL));
    hy_err err = rows_go(&r, 4000);
    rows_run_deinit(&r);
    return err;
}

static hy_err a_short_run_survives_failing_memory(hy_mem *mem) {
    static rows_run r;
    r = (rows_run){ .dice = kit_seed() + 7 };
    CHECK_OK(
        hy_state_new(mem, &rows_machine, HY_OPTIONS(hy_state, .keep_undo = true), &r.state, NULL));
    hy_err err = rows_go(&r, 6);
    rows_run_deinit(&r);
    return err;
}

static hy_err a_run_loads_from_its_journal(hy_mem *mem) {
    static rows_run r;
    r = (rows_run){ .dice = kit_seed() + 99 };
    CHECK_OK(hy_state_new(mem, &rows_machine,
                          HY_OPTIONS(hy_state, .keep_undo = true, .record_entries = true), &r.state,
                          NULL));
    hy_state *loaded = NULL;
    hy_err err = hy_state_new(mem, &rows_machine, NULL, &loaded, NULL);
    rows_sort(&r);
    rows_current = &r;
    for (uint64_t seq = 1; seq <= 300 && err == HY_OK; seq++) {
        hy_outcome outcome;
        hy_input input = { .seq = seq };
        if (hy_state_step(r.state, &input, &outcome) != HY_OK) continue;
        r.now = r.trial;
        err = hy_state_load_entry(loaded, outcome.entry, NULL);
        hy_state_release(r.state, seq);
    }
    if (err == HY_OK) {
        hy_state *first = r.state;
        r.state = loaded;
        rows_check_all(&r);
        r.state = first;
    }
    hy_state_free(loaded);
    rows_run_deinit(&r);
    return err;
}

KIT_TESTS(KIT_TEST_ONCE(tables_are_what_the_twin_says),
          KIT_TEST(a_short_run_survives_failing_memory),
          KIT_TEST_ONCE(a_run_loads_from_its_journal))
