// Deep copies: equal to what was copied, of the measured size, and independent of it.
//
// Random records with a field of every type in every form are copied into one block with junk
// behind it, which must stay; measuring the copy gives the same size again. The rest are the
// limits, and which records are known to have nothing behind them.
#include "actor/deep.h"
#include "kit/kit.h"
#include "schema/schema_suite.h"

#include <string.h>

#include "base/cleanup.h"

#define DEEP_PLAIN(F) F(1, u32, a) F(2, opt(rec(suite_point)), b) F(3, id, c)
HY_RECORD(deep_plain, DEEP_PLAIN)
HY_RECORD_DEFINE(deep_plain, DEEP_PLAIN)
#define DEEP_NESTED(F) F(1, rec(deep_plain), plain) F(2, opt(one(suite_shape)), shape)
HY_RECORD(deep_nested, DEEP_NESTED)
HY_RECORD_DEFINE(deep_nested, DEEP_NESTED)
#define DEEP_LISTS(F) F(1, list(u64), numbers) F(2, list(str), names) F(3, str, last)
HY_RECORD(deep_lists, DEEP_LISTS)
HY_RECORD_DEFINE(deep_lists, DEEP_LISTS)

static hy_err flat_records_are_known(hy_mem *mem) {
    (void)mem;
    CHECK(hyi_deep_record_is_flat(NULL));
    CHECK(hyi_deep_record_is_flat(&suite_point_record));
    CHECK(hyi_deep_record_is_flat(&deep_plain_record));
    CHECK(!hyi_deep_record_is_flat(&deep_nested_record)); // a union with a text, in an option
    CHECK(!hyi_deep_record_is_flat(&deep_lists_record));
    CHECK(!hyi_deep_record_is_flat(&suite_tree_record));

    uint8_t note = HYI_KIND_UNKNOWN;
    CHECK_EQ(hyi_deep_look(&deep_plain_record, &note), HYI_KIND_FLAT);
    CHECK_EQ(note, HYI_KIND_FLAT);
    CHECK_EQ(hyi_deep_look(&deep_lists_record, &note), HYI_KIND_FLAT); // the note is believed
    CHECK_EQ(hyi_deep_look(&deep_lists_record, NULL), HYI_KIND_DEEP);
    return HY_OK;
}

// Copies `value` into one block, with junk behind it that must stay, then spoils the original.
static hy_err deep_round(hy_mem *mem, const hy_record *record, hy_arena *arena, void *value) {
    size_t size = 0;
    CHECK_OK(hyi_deep_size(record, value, &size));
    size_t head = ((size_t)record->size + 15) & ~(size_t)15;
    uint8_t *block = hy_arena_alloc(arena, head + size + 16);
    uint8_t *twin = hy_arena_alloc(arena, record->size);
    if (!block || !twin) return HY_NOMEM;
    (void)mem;
    memset(block, 0xa5, head + size + 16);
    memcpy(block, value, record->size);
    memcpy(twin, value, record->size);
    hyi_deep_move(record, block, block + head);
    for (size_t i = 0; i < 16; i++)
        CHECK_EQ(block[head + size + i], 0xa5);
    CHECK(suite_equal(record, value, block));
    CHECK(memcmp(value, twin, record->size) == 0); // the original still points where it did
    size_t again = 0;
    CHECK_OK(hyi_deep_size(record, block, &again));
    CHECK_EQ(again, size);
    return HY_OK;
}

static hy_err copies_are_equal(hy_mem *mem) {
    suite_random random = { .state = kit_seed(), .depth_max = 4, .keep_unknown = true };
    for (uint32_t round = 0; round < 40; round++) {
        HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
        hy_arena_init(&arena, mem, 0);
        random.arena = &arena;
        suite_wide *wide = hy_arena_alloc(&arena, sizeof *wide);
        if (!wide) return HY_NOMEM;
        CHECK_OK(suite_fill(&random, &suite_wide_record, wide));
        CHECK_OK(deep_round(mem, &suite_wide_record, &arena, wide));
    }
    return HY_OK;
}

static hy_err copies_do_not_share(hy_mem *mem) {
    (void)mem;
    char text[] = "abc", last[] = "xyz";
    uint64_t numbers[] = { 1, 2, 3 };
    hy_text names[] = { { (const uint8_t *)text, 3 }, { NULL, 0 } };
    deep_lists value = { .numbers = { numbers, 3 }, .names = { names, 2 } };
    value.last = (hy_text){ (const uint8_t *)last, 3 };
    size_t size = 0;
    CHECK_OK(hyi_deep_size(&deep_lists_record, &value, &size));
    CHECK_EQ(size, sizeof numbers + sizeof names + 3 + 3);
    _Alignas(16) uint8_t into[128];
    deep_lists copy = value;
    hyi_deep_move(&deep_lists_record, &copy, into);
    memset(text, 'q', 3), memset(last, 'q', 3), memset(numbers, 0, sizeof numbers);
    memset(names, 0, sizeof names);
    CHECK_EQ(copy.numbers.len, 3);
    CHECK_EQ(copy.numbers.ptr[2], 3);
    CHECK_TEXT(copy.names.ptr[0], "abc");
    CHECK_EQ(copy.names.ptr[1].len, 0);
    CHECK(copy.names.ptr[1].ptr == NULL);
    CHECK_TEXT(copy.last, "xyz");
    return HY_OK;
}

static hy_err what_is_behind_has_limits(hy_mem *mem) {
    (void)mem;
    uint64_t number = 0;
    size_t size = 7;
    deep_lists value = { .numbers = { &number, SIZE_MAX / 8 } };
    CHECK_ERR(hyi_deep_size(&deep_lists_record, &value, &size), HY_TOO_LARGE);
    value.numbers.len = SIZE_MAX / 2; // times 8 it would wrap around
    CHECK_ERR(hyi_deep_size(&deep_lists_record, &value, &size), HY_TOO_LARGE);
    CHECK_EQ(size, 7);

    suite_tree trees[HY_DEPTH_MAX + 1] = { 0 };
    for (uint32_t i = 0; i < HY_DEPTH_MAX; i++) {
        trees[i].children.ptr = &trees[i + 1];
        trees[i].children.len = 1;
    }
    CHECK_OK(hyi_deep_size(&suite_tree_record, &trees[1], &size));
    CHECK_ERR(hyi_deep_size(&suite_tree_record, &trees[0], &size), HY_TOO_DEEP);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(flat_records_are_known), KIT_TEST(copies_are_equal),
          KIT_TEST_ONCE(copies_do_not_share), KIT_TEST_ONCE(what_is_behind_has_limits))
