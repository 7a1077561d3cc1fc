// tree_test.c - the tree against its slow twin, a sorted array.
//
// Phases of growth and decline drive splits and joins at every level; few distinct keys make
// inserts meet existing ones. The reserve is proven with an allocator that is switched off.
#include "base/tree.h"

#include "base/cleanup.h"
#include "kit/kit.h"

enum { TWIN_MAX = 6000 };

// A sorted array with the same operations, each done the plain way.
typedef struct tree_twin {
    hyi_key keys[TWIN_MAX];
    uint32_t values[TWIN_MAX];
    uint32_t count;
} tree_twin;

static uint32_t twin_rank(const tree_twin *twin, hyi_key key) {
    uint32_t from = 0, to = twin->count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (hyi_key_compare(twin->keys[middle], key) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static bool twin_has(const tree_twin *twin, uint32_t rank, hyi_key key) {
    return rank < twin->count && hyi_key_compare(twin->keys[rank], key) == 0;
}

static void twin_insert(tree_twin *twin, hyi_key key, uint32_t value) {
    uint32_t rank = twin_rank(twin, key);
    for (uint32_t i = twin->count; i > rank; i--) {
        twin->keys[i] = twin->keys[i - 1];
        twin->values[i] = twin->values[i - 1];
    }
    twin->keys[rank] = key;
    twin->values[rank] = value;
    twin->count++;
}

static void twin_erase(tree_twin *twin, hyi_key key) {
    uint32_t rank = twin_rank(twin, key);
    twin->count--;
    for (uint32_t i = rank; i < twin->count; i++) {
        twin->keys[i] = twin->keys[i + 1];
        twin->values[i] = twin->values[i + 1];
    }
}

// Few distinct keys, so that inserts meet existing ones; also the smallest and the greatest key.
static hyi_key random_key(uint64_t *state, uint32_t spread) {
    uint64_t draw = kit_random(state);
    if (draw % 97 == 0) return (hyi_key){ UINT64_MAX, UINT64_MAX };
    if (draw % 97 == 1) return (hyi_key){ 0, 0 };
    uint64_t n = kit_random(state) % spread;
    return (hyi_key){ n % 3 == 0 ? UINT64_MAX - n : n / 7, (draw & 1) ? n : UINT64_MAX - n };
}

static void check_seek(const hyi_tree *tree, const tree_twin *twin, hyi_key key) {
    uint32_t rank = twin_rank(twin, key);
    hyi_tree_cursor forward = hyi_tree_seek(tree, key), back = forward;
    hyi_key got;
    uint32_t value;
    for (uint32_t i = rank; i < rank + 70; i++) {
        bool found = hyi_tree_next(&forward, &got, &value);
        CHECK(found == (i < twin->count));
        if (!found) break;
        CHECK(hyi_key_compare(got, twin->keys[i]) == 0);
        CHECK_EQ(value, twin->values[i]);
    }
    for (uint32_t i = 0; i < 70; i++) {
        bool found = hyi_tree_prev(&back, &got, &value);
        CHECK(found == (i < rank));
        if (!found) break;
        CHECK(hyi_key_compare(got, twin->keys[rank - 1 - i]) == 0);
        CHECK_EQ(value, twin->values[rank - 1 - i]);
    }
}

static hy_err step(hyi_tree *tree, tree_twin *twin, uint64_t *state, uint32_t insert_percent) {
    hyi_key key = random_key(state, 20000);
    uint32_t rank = twin_rank(twin, key), value = (uint32_t)kit_random(state) >> 1;
    bool has = twin_has(twin, rank, key);
    CHECK_EQ(hyi_tree_get(tree, key), has ? twin->values[rank] : HYI_NONE);
    if (kit_random(state) % 100 < insert_percent) {
        hy_err err = hyi_tree_insert(tree, key, value);
        if (err == HY_NOMEM) return err;
        CHECK_ERR(err, has ? HY_EXISTS : twin->count == TWIN_MAX ? HY_LIMIT : HY_OK);
        if (err == HY_OK) twin_insert(twin, key, value);
        return HY_OK;
    }
    if (!has && twin->count > 0 && kit_random(state) % 4 != 0) {
        key = twin->keys[kit_random(state) % twin->count]; // one that is there
        rank = twin_rank(twin, key);
        has = true;
    }
    uint32_t erased = 0;
    CHECK(hyi_tree_erase(tree, key, &erased) == has);
    if (has) CHECK_EQ(erased, twin->values[rank]);
    if (has) twin_erase(twin, key);
    return HY_OK;
}

static hy_err agrees_with_its_slow_twin(hy_mem *mem) {
    static const uint32_t insert_percents[] = { 90, 10, 60, 45, 99, 2 };
    static tree_twin twin; // too large for the stack
    twin.count = 0;
    HY_CLEANUP(hyi_tree_deinit) hyi_tree tree = { 0 };
    hyi_tree_init(&tree, mem, TWIN_MAX);
    uint64_t state = kit_seed();
    for (uint32_t phase = 0; phase < 6; phase++) {
        for (uint32_t i = 0; i < 9000; i++) {
            CHECK_OK(step(&tree, &twin, &state, insert_percents[phase]));
            CHECK_EQ(hyi_tree_count(&tree), twin.count);
            if (i % 16 == 0) check_seek(&tree, &twin, random_key(&state, 20000));
            if (i % 256 == 0) CHECK(hyi_tree_holds(&tree));
        }
    }
    while (twin.count > 0) { // to the last one, from a random end
        hyi_key key = twin.keys[kit_random(&state) % 2 == 0 ? 0 : twin.count - 1];
        CHECK(hyi_tree_erase(&tree, key, NULL));
        twin_erase(&twin, key);
        if (twin.count % 64 < 2) CHECK(hyi_tree_holds(&tree));
    }
    CHECK_EQ(tree.leaves.used_count, 0);
    CHECK_EQ(tree.inners.used_count, 0);
    return HY_OK;
}

static hy_err an_insert_that_fails_changes_nothing(hy_mem *mem) {
    HY_CLEANUP(hyi_tree_deinit) hyi_tree tree = { 0 };
    hyi_tree_init(&tree, mem, 0);
    for (uint32_t i = 0; i < 3000; i++) {
        hy_err err = hyi_tree_insert(&tree, (hyi_key){ i * 7919 % 3001, 1 }, i);
        CHECK(hyi_tree_holds(&tree) || i % 64 != 0);
        CHECK_EQ(hyi_tree_count(&tree), err == HY_OK ? i + 1 : i);
        CHECK_OK(err);
    }
    CHECK_ERR(hyi_tree_insert(&tree, (hyi_key){ 7919 % 3001, 1 }, 9), HY_EXISTS);
    return HY_OK;
}

static hy_err keys_in_order_fill_the_leaves(hy_mem *mem) {
    HY_CLEANUP(hyi_tree_deinit) hyi_tree tree = { 0 };
    hyi_tree_init(&tree, mem, 0);
    for (uint32_t i = 0; i < 32000; i++)
        CHECK_OK(hyi_tree_insert(&tree, (hyi_key){ 0, i }, i));
    CHECK(hyi_tree_holds(&tree));
    CHECK_EQ(tree.leaves.used_count, 1000);
    return HY_OK;
}

static hy_err a_full_tree_refuses(hy_mem *mem) {
    HY_CLEANUP(hyi_tree_deinit) hyi_tree tree = { 0 };
    hyi_tree_init(&tree, mem, 2);
    CHECK_OK(hyi_tree_insert(&tree, (hyi_key){ 1, 1 }, 1));
    CHECK_OK(hyi_tree_insert(&tree, (hyi_key){ 1, 2 }, 2));
    CHECK_ERR(hyi_tree_insert(&tree, (hyi_key){ 1, 3 }, 3), HY_LIMIT);
    CHECK_ERR(hyi_tree_insert(&tree, (hyi_key){ 1, 2 }, 3), HY_EXISTS);
    CHECK_EQ(hyi_tree_get(&tree, (hyi_key){ 1, 2 }), 2);
    return HY_OK;
}

static hy_err an_empty_tree_has_nothing(hy_mem *mem) {
    HY_CLEANUP(hyi_tree_deinit) hyi_tree tree = { 0 };
    hyi_tree_init(&tree, mem, 0);
    hyi_tree_cursor cursor = hyi_tree_seek(&tree, (hyi_key){ 0, 0 });
    CHECK(!hyi_tree_next(&cursor, NULL, NULL));
    CHECK(!hyi_tree_prev(&cursor, NULL, NULL));
    CHECK_EQ(hyi_tree_get(&tree, (hyi_key){ UINT64_MAX, UINT64_MAX }), HYI_NONE);
    CHECK(!hyi_tree_erase(&tree, (hyi_key){ UINT64_MAX, UINT64_MAX }, NULL));
    return HY_OK;
}

static hy_err a_cursor_turns_round_in_place(hy_mem *mem) {
    HY_CLEANUP(hyi_tree_deinit) hyi_tree tree = { 0 };
    hyi_tree_init(&tree, mem, 0);
    for (uint32_t i = 0; i < 100; i++)
        CHECK_OK(hyi_tree_insert(&tree, (hyi_key){ 0, i }, i));
    for (uint32_t i = 0; i < 100; i++) {
        hyi_tree_cursor cursor = hyi_tree_seek(&tree, (hyi_key){ 0, i });
        uint32_t value = 0;
        CHECK(hyi_tree_next(&cursor, NULL, &value));
        CHECK_EQ(value, i);
        CHECK(hyi_tree_prev(&cursor, NULL, &value));
        CHECK_EQ(value, i);
    }
    return HY_OK;
}

// A memory that can be switched off, to prove that a reserve was enough.
typedef struct switched_mem {
    hy_mem mem;
    hy_mem *inner;
    bool off;
} switched_mem;

static void *switched_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    switched_mem *switched = (switched_mem *)self;
    if (switched->off && new_size > old_size) return NULL;
    return switched->inner->resize(switched->inner, ptr, old_size, new_size);
}

// Random inserts and erases with no memory but what was reserved.
static hy_err live_on_reserve(hyi_tree *tree, switched_mem *switched, uint64_t *state,
                              uint32_t extra) {
    hy_err err = hyi_tree_reserve(tree, extra);
    if (err != HY_OK) return err;
    switched->off = true;
    uint64_t base = kit_random(state) % 40000;
    for (uint32_t inserted = 0; inserted < extra;) {
        hyi_key key = { 0, base + kit_random(state) % 5000 };
        if (kit_random(state) % 4 == 0) (void)hyi_tree_erase(tree, key, NULL);
        err = hyi_tree_insert(tree, key, 1);
        CHECK(err == HY_OK || err == HY_EXISTS);
        inserted++;
    }
    switched->off = false;
    return HY_OK;
}

static hy_err inserts_within_the_reserve_do_not_fail(hy_mem *mem) {
    switched_mem switched = { .mem.resize = switched_resize, .inner = mem };
    HY_CLEANUP(hyi_tree_deinit) hyi_tree tree = { 0 };
    hyi_tree_init(&tree, &switched.mem, 0);
    uint64_t state = kit_seed();
    for (uint32_t i = 0; i < 60; i++)
        CHECK_OK(live_on_reserve(&tree, &switched, &state, 1 + i * i));
    // Every leaf full: the worst start for what follows.
    for (uint32_t i = 0; i < 4096; i++)
        CHECK_OK(hyi_tree_insert(&tree, (hyi_key){ 1, (uint64_t)i << 32 }, i));
    CHECK_OK(hyi_tree_reserve(&tree, 4096));
    switched.off = true;
    for (uint32_t i = 0; i < 4096; i++)
        CHECK_OK(hyi_tree_insert(&tree, (hyi_key){ 1, (uint64_t)(i * 61 % 4096) << 32 | 1 }, i));
    CHECK(hyi_tree_holds(&tree));
    return HY_OK;
}

// The most nodes that a number of inserts can need: each one hits another full leaf.
static hy_err the_reserve_covers_a_split_for_each_insert(hy_mem *mem) {
    enum { LEAVES = 4096, LEAF_WIDTH = 32 };
    switched_mem switched = { .mem.resize = switched_resize, .inner = mem };
    HY_CLEANUP(hyi_tree_deinit) hyi_tree tree = { 0 };
    hyi_tree_init(&tree, &switched.mem, 0);
    for (uint32_t i = 0; i < LEAVES * LEAF_WIDTH; i++)
        CHECK_OK(hyi_tree_insert(&tree, (hyi_key){ i, 0 }, i));
    CHECK_EQ(tree.leaves.used_count, LEAVES);
    CHECK_OK(hyi_tree_reserve(&tree, LEAVES));
    switched.off = true;
    for (uint32_t i = 0; i < LEAVES; i++)
        CHECK_OK(hyi_tree_insert(&tree, (hyi_key){ i * LEAF_WIDTH + 9, 1 }, i));
    CHECK_EQ(tree.leaves.used_count, 2 * LEAVES);
    CHECK(hyi_tree_holds(&tree));
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(agrees_with_its_slow_twin), KIT_TEST(an_insert_that_fails_changes_nothing),
          KIT_TEST(keys_in_order_fill_the_leaves), KIT_TEST(a_full_tree_refuses),
          KIT_TEST(an_empty_tree_has_nothing), KIT_TEST(a_cursor_turns_round_in_place),
          KIT_TEST_ONCE(inserts_within_the_reserve_do_not_fail),
          KIT_TEST_ONCE(the_reserve_covers_a_split_for_each_insert))
