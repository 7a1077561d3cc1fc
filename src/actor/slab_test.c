// slab_test.c - blocks have the size they were asked for, come home, and are counted.
//
// The slabs are a worker's, so each test runs in a node, on the fiber of its body, which is on
// worker 0's thread.
#include "actor/node_suite.h"
#include "actor/slab.h"

#include "kit/kit.h"

#include <pthread.h>
#include <string.h>

static hy_err each_size_has_a_class(hy_node *node, void *unused) {
    (void)node;
    (void)unused;
    static const struct {
        size_t asked, given;
    } sizes[] = { { 1, 64 },      { 64, 64 },     { 65, 128 },    { 128, 128 },
                  { 129, 256 },   { 257, 512 },   { 512, 512 },   { 1024, 1024 },
                  { 1025, 4096 }, { 4096, 4096 }, { 4097, 4112 }, { 100000, 100000 } };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t block_class = 0;
        void *block = hyi_block_alloc(sizes[i].asked, &block_class);
        if (!block) return HY_NOMEM;
        CHECK_EQ((uintptr_t)block % 16, 0);
        CHECK_EQ(hyi_block_size(block, block_class), sizes[i].given);
        memset(block, 0x5a, sizes[i].asked);
        hyi_block_free(block, block_class);
    }
    CHECK(hyi_block_alloc(SIZE_MAX - 8, &(uint8_t){ 0 }) == NULL);
    return HY_OK;
}
NODE_SIM(each_size_has_a_class)

static hy_err what_is_given_back_is_taken_next(hy_node *node, void *unused) {
    (void)node;
    (void)unused;
    uint8_t block_class = 0;
    void *a = hyi_block_alloc(100, &block_class);
    void *b = hyi_block_alloc(100, &block_class);
    if (!a || !b) return HY_NOMEM;
    CHECK(a != b);
    hyi_block_free(a, block_class);
    CHECK(hyi_block_alloc(100, &block_class) == a);
    hyi_block_free(a, block_class);
    hyi_block_free(b, block_class);
    hyi_block_free(NULL, block_class);
    return HY_OK;
}
NODE_SIM(what_is_given_back_is_taken_next)

#define FEW 100u
typedef struct handful {
    void *blocks[FEW];
    uint8_t block_class;
} handful;

static void *free_elsewhere(void *arg) {
    handful *h = (handful *)arg;
    for (uint32_t i = 0; i < FEW; i++)
        hyi_block_free(h->blocks[i], h->block_class);
    return NULL;
}

static bool handful_has(const handful *h, const void *block) {
    for (uint32_t i = 0; i < FEW; i++) {
        if (h->blocks[i] == block) return true;
    }
    return false;
}

// By a thread that is no worker, one by one.
static hy_err what_others_give_back_comes_home(hy_node *node, void *unused) {
    (void)unused;
    static handful first, again;
    for (uint32_t i = 0; i < FEW; i++)
        CHECK((first.blocks[i] = hyi_block_alloc(4000, &first.block_class)) != NULL);
    size_t bytes = hyi_slabs_bytes(hyi_here);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, free_elsewhere, &first), 0);
    pthread_join(thread, NULL);
    uint32_t same = 0;
    for (uint32_t i = 0; i < FEW; i++) {
        CHECK((again.blocks[i] = hyi_block_alloc(4000, &again.block_class)) != NULL);
        same += handful_has(&first, again.blocks[i]);
    }
    CHECK(same > FEW / 2); // the rest was never used before
    CHECK_EQ(hyi_slabs_bytes(hyi_here), bytes);
    for (uint32_t i = 0; i < FEW; i++)
        hyi_block_free(again.blocks[i], again.block_class);
    CHECK(hy_node_workers(node) >= 1);
    return HY_OK;
}

static hy_err one_what_others_give_back_comes_home(hy_mem *mem) {
    return node_in_real(mem, 1, NULL, what_others_give_back_comes_home, NULL);
}

static hy_err a_node_has_so_many_bytes(hy_node *node, void *unused) {
    (void)node;
    (void)unused;
    uint8_t block_class = 0;
    void *blocks[1024];
    uint32_t count = 0;
    while (count < 1024 && (blocks[count] = hyi_block_alloc(4096, &block_class)) != NULL)
        count++;
    CHECK(count >= 15 && count < 256); // one page at least, and no more than 1 MiB
    uint8_t large_class = 0;
    CHECK(hyi_block_alloc((size_t)1 << 20, &large_class) == NULL);
    for (uint32_t i = 0; i < count; i++)
        hyi_block_free(blocks[i], block_class);
    void *block = hyi_block_alloc(4096, &block_class); // what was given back can be used
    CHECK(block != NULL);
    hyi_block_free(block, block_class);
    return HY_OK;
}

static hy_err sim_a_node_has_so_many_bytes(hy_mem *mem) {
    hy_node_options options = { .size = sizeof options, .messages_bytes_max = 1u << 20 };
    return node_in_sim(mem, &options, a_node_has_so_many_bytes, NULL);
}

KIT_TESTS(KIT_TEST(sim_each_size_has_a_class), KIT_TEST(sim_what_is_given_back_is_taken_next),
          KIT_TEST_ONCE(one_what_others_give_back_comes_home),
          KIT_TEST_ONCE(sim_a_node_has_so_many_bytes))
