// arena_test.c - memory that is given back as a whole, and the allocator behind it.
//
// The arena's promises are about addresses: blocks never overlap, never move, and come from kept
// storage after a reset. So the tests fill every block and look at all of them again.
#include "base/cleanup.h"
#include "kit/kit.h"

#include <string.h>

static hy_err blocks_are_apart_and_aligned(hy_mem *mem) {
    enum { COUNT = 400 };
    uint8_t *blocks[COUNT];
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = (uint8_t *)hy_arena_alloc(&arena, i * 7 % 300);
            if (!blocks[i]) return HY_NOMEM;
            CHECK_EQ((uintptr_t)blocks[i] % 16, 0);
            memset(blocks[i], (int)(i & 255), i * 7 % 300);
        }
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t k = 0; k < i * 7 % 300; k++)
                CHECK_EQ(blocks[i][k], i & 255);
        }
        hy_arena_reset(&arena);
        CHECK_EQ(arena.used_bytes, 0);
    }
    return HY_OK;
}

static hy_err a_reset_arena_allocates_no_more(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    if (!hy_arena_alloc(&arena, 10000)) return HY_NOMEM;
    if (!hy_arena_alloc(&arena, 100)) return HY_NOMEM;
    hy_arena_reset(&arena);
    const void *first = hy_arena_alloc(&arena, 10000); // from the chunk that was kept
    CHECK(first != NULL);
    hy_arena_reset(&arena);
    CHECK(hy_arena_alloc(&arena, 1) == first);
    return HY_OK;
}

static hy_err a_limit_is_kept(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 100); // what is handed out counts in steps of 16
    if (!hy_arena_alloc(&arena, 90)) return HY_NOMEM;
    CHECK(!hy_arena_alloc(&arena, 5));
    CHECK(!hy_arena_alloc(&arena, SIZE_MAX));
    hy_arena_reset(&arena);
    CHECK(hy_arena_alloc(&arena, 96));
    return HY_OK;
}

static hy_err a_copy_has_a_nul_behind(hy_mem *mem) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, mem, 0);
    bool ok = false;
    hy_bytes copy = hy_arena_copy(&arena, HY_BYTES("0123456789abcdef"), &ok);
    if (!ok) return HY_NOMEM;
    CHECK_TEXT(copy, "0123456789abcdef");
    CHECK_EQ(copy.ptr[copy.len], 0);
    copy = hy_arena_copy(&arena, (hy_bytes){ 0 }, &ok);
    CHECK(ok);
    CHECK_EQ(copy.len, 0);
    CHECK_EQ(copy.ptr[0], 0);
    return HY_OK;
}

static hy_err memory_comes_cleared_when_asked(hy_mem *mem) {
    uint8_t *ptr = (uint8_t *)hy_mem_alloc_zero(mem, 100);
    if (!ptr) return HY_NOMEM;
    for (size_t i = 0; i < 100; i++)
        CHECK_EQ(ptr[i], 0);
    hy_mem_free(mem, ptr, 100);
    hy_mem_free(mem, NULL, 0);
    return HY_OK;
}

static void allocate_nothing(void *mem) {
    (void)hy_mem_alloc((hy_mem *)mem, 0);
}

static hy_err asking_for_nothing_is_a_bad_caller(hy_mem *mem) {
    CHECK(kit_death(allocate_nothing, mem));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(blocks_are_apart_and_aligned), KIT_TEST(a_reset_arena_allocates_no_more),
          KIT_TEST(a_limit_is_kept), KIT_TEST(a_copy_has_a_nul_behind),
          KIT_TEST(memory_comes_cleared_when_asked),
          KIT_TEST_ONCE(asking_for_nothing_is_a_bad_caller))
