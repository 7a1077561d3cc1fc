// stack_test.c - pools of stacks: promises, guards, colours, warm and cold.
//
// Each kind of guard is tested by asking for nothing stronger, whatever this kernel has; the writes
// below a stack happen in children.
#include "scope/inside.h"
#include "scope/sanitize.h"
#include "kit/kit.h"

#include <string.h>

static void close_stacks(hyi_stacks **stacks) {
    hyi_stacks_close(*stacks);
}

static hyi_stack *take(hyi_stacks *stacks, uint32_t stack_class) {
    return hyi_stacks_promise(stacks, stack_class) ? hyi_stacks_take(stacks, stack_class) : NULL;
}

static size_t room_of(const hyi_stack *stack) {
    return (size_t)(stack->top - stack->low);
}

static hy_err every_byte_of_every_class_can_be_used(hy_mem *mem) {
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks));
    CHECK_EQ(hyi_stacks_mapped(stacks), 0);
    for (uint32_t kind = HY_STACK_16K; kind <= HY_STACK_256K; kind++) {
        hyi_stack *stack = take(stacks, kind);
        if (!stack) return HY_NOMEM;
        CHECK_EQ(stack->stack_class, kind);
        CHECK_EQ((uintptr_t)stack->top % 16, 0);
        CHECK(room_of(stack) > hyi_stacks_class_size(kind) - hyi_stacks_page(stacks));
        CHECK(room_of(stack) <= hyi_stacks_class_size(kind));
        memset(stack->low, 0xa5, room_of(stack));
        hyi_stacks_give(stacks, stack);
        CHECK(hyi_stack_is_whole(stack));
    }
    CHECK(hyi_stacks_mapped(stacks) > hyi_stacks_class_size(HY_STACK_256K));
    return HY_OK;
}

static hy_err the_latest_that_was_given_is_taken_first(hy_mem *mem) {
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks));
    hyi_stack *a = take(stacks, HY_STACK_16K), *b = take(stacks, HY_STACK_16K);
    if (!a || !b) return HY_NOMEM;
    CHECK(a != b);
    hyi_stacks_give(stacks, a);
    hyi_stacks_give(stacks, b);
    CHECK(take(stacks, HY_STACK_16K) == b);
    CHECK(take(stacks, HY_STACK_16K) == a);
    return HY_OK;
}

// A slab holds 32: the promises are kept whatever happens to memory afterwards.
static hy_err a_promise_is_kept(hy_mem *mem) {
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks));
    uint32_t promised = 0;
    while (promised < 100 && hyi_stacks_promise(stacks, HY_STACK_16K))
        promised++;
    uint8_t *lowest = NULL;
    for (uint32_t i = 0; i + 1 < promised; i++) {
        hyi_stack *stack = hyi_stacks_take(stacks, HY_STACK_16K);
        CHECK(stack->low != lowest);
        lowest = stack->low;
    }
    if (promised > 0) hyi_stacks_unpromise(stacks, HY_STACK_16K);
    return promised < 100 ? HY_NOMEM : HY_OK;
}

static hy_err tops_have_many_colours(hy_mem *mem) {
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks));
    size_t page = hyi_stacks_page(stacks);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < 32; i++) {
        hyi_stack *stack = take(stacks, HY_STACK_64K);
        if (!stack) return HY_NOMEM;
        seen |= UINT64_C(1) << (uintptr_t)stack->top % page / 64 % 64;
        CHECK((size_t)(-(uintptr_t)stack->top % page) <= 2048); // half the top page is left
    }
    CHECK_EQ(__builtin_popcountll(seen), 32);
    return HY_OK;
}

// Two quarters of 16 KiB are more than one: the first of two stacks loses its pages, the latest
// not.
static hy_err pages_above_what_is_kept_go_back(hy_mem *mem) {
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, hyi_stacks_class_size(HY_STACK_16K) / 4, &stacks));
    hyi_stack *a = take(stacks, HY_STACK_16K), *b = take(stacks, HY_STACK_16K);
    if (!a || !b) return HY_NOMEM;
    memset(a->low, 1, room_of(a));
    memset(b->low, 2, room_of(b));
    hyi_stacks_give(stacks, a);
    CHECK_EQ(a->low[0], 1);
    hyi_stacks_give(stacks, b);
    CHECK_EQ(a->low[0], 0);
    CHECK_EQ(b->low[0], 2);
    CHECK(take(stacks, HY_STACK_16K) == b); // warm before cold
    CHECK(take(stacks, HY_STACK_16K) == a);
    memset(a->low, 3, room_of(a));
    return HY_OK;
}

static hy_err paint_shows_the_deepest_use(hy_mem *mem) {
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks));
    hyi_stack *stack = take(stacks, HY_STACK_16K);
    if (!stack) return HY_NOMEM;
    hyi_stack_paint(stack);
    CHECK_EQ(hyi_stack_use(stack), 0);
    hyi_stack_paint(stack);
    memset(stack->top - 5000, 0, 8);
    memset(stack->top - 100, 0, 100);
    CHECK_EQ(hyi_stack_use(stack), 5000);
    return HY_OK;
}

// ---- guards -----------------------------------------------------------------------------------

typedef struct guard_try {
    hyi_stacks *stacks;
    hyi_stack *stack;
} guard_try;

static void write_below(void *arg) {
    guard_try *try = (guard_try *)arg;
    volatile uint8_t *below = try->stack->low - 1;
    *below = 1;
}

static hy_err guard_of(hy_mem *mem, hyi_guard_kind strongest) {
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks));
    hyi_stacks_weaken(stacks, strongest);
    hyi_stack *stack = take(stacks, HY_STACK_16K);
    if (!stack) return HY_NOMEM;
    guard_try try = { stacks, stack };
    CHECK(stack->guard >= strongest);
    if (stack->guard == HYI_GUARD_CANARY) return HY_OK;
    CHECK(kit_death(write_below, &try));
    stack->low[0] = 1; // the last byte above is fine
    CHECK_EQ(hyi_stacks_unguarded(stacks), 0);
    return HY_OK;
}

static hy_err the_best_guard_stops_a_write(hy_mem *mem) {
    return guard_of(mem, HYI_GUARD_LIGHT);
}

static hy_err a_guard_page_stops_a_write(hy_mem *mem) {
    return guard_of(mem, HYI_GUARD_PAGE);
}

static hy_err a_canary_tells_of_a_write(hy_mem *mem) {
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks));
    hyi_stacks_weaken(stacks, HYI_GUARD_CANARY);
    hyi_stack *stack = take(stacks, HY_STACK_16K);
    if (!stack) return HY_NOMEM;
    CHECK_EQ(stack->guard, HYI_GUARD_CANARY);
    CHECK_EQ(hyi_stacks_unguarded(stacks), 1);
    CHECK(stack->look_over);
    CHECK(hyi_stack_is_whole(stack));
    guard_try try = { stacks, stack };
    write_below(&try);
    CHECK(!hyi_stack_is_whole(stack));
    return HY_OK;
}

// The system limits mappings, and others need some of them.
static hy_err guard_pages_end_before_the_system_does(hy_mem *mem) {
    if (hyi_tsan_runs()) return HY_OK; // it has not enough threads for so many stacks
    HY_CLEANUP(close_stacks) hyi_stacks *stacks = NULL;
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks));
    hyi_stacks_weaken(stacks, HYI_GUARD_PAGE);
    const uint32_t count = 16384 + 100;
    hyi_stack *last = NULL;
    for (uint32_t i = 0; i < count; i++) {
        last = take(stacks, HY_STACK_16K);
        if (!last) return HY_NOMEM;
        if (i < 1000) CHECK_EQ(last->guard, HYI_GUARD_PAGE);
    }
    CHECK_EQ(last->guard, HYI_GUARD_CANARY);
    CHECK(hyi_stacks_unguarded(stacks) >= 100);
    memset(last->low, 1, room_of(last));
    CHECK(hyi_stack_is_whole(last));
    hyi_stacks_close(stacks);
    CHECK_OK(hyi_stacks_open(mem, 0, &stacks)); // what was counted has been given back
    hyi_stacks_weaken(stacks, HYI_GUARD_PAGE);
    last = take(stacks, HY_STACK_16K);
    CHECK(last != NULL);
    CHECK_EQ(last->guard, HYI_GUARD_PAGE);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(every_byte_of_every_class_can_be_used),
          KIT_TEST(the_latest_that_was_given_is_taken_first), KIT_TEST(a_promise_is_kept),
          KIT_TEST(tops_have_many_colours), KIT_TEST(pages_above_what_is_kept_go_back),
          KIT_TEST(paint_shows_the_deepest_use), KIT_TEST_ONCE(the_best_guard_stops_a_write),
          KIT_TEST_ONCE(a_guard_page_stops_a_write), KIT_TEST(a_canary_tells_of_a_write),
          KIT_TEST_ONCE(guard_pages_end_before_the_system_does))
