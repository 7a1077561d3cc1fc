// soak_suite.c - a parent that lives long, and what memory it takes.
//
// Every byte goes through a counting hy_mem between the test's and the world. The first thousand
// children fill the pools; from then on the count must stand still to the byte, since pools that
// grow slowly would look flat in any coarser measure.
#include "scope/soak_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

#define SOAK_WARM 1000u
#define SOAK_AT_ONCE 10u

typedef struct soak_mem {
    hy_mem mem;
    hy_mem *below;
    size_t bytes;
} soak_mem;

typedef struct soak {
    soak_mem *mem;
    uint64_t children, ended;
} soak;

static void *soak_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    soak_mem *mem = (soak_mem *)self;
    void *block = mem->below->resize(mem->below, ptr, old_size, new_size);
    if (block || new_size == 0) mem->bytes += new_size - old_size;
    return block;
}

static hy_err soak_child(void *arg) {
    ++*(uint64_t *)arg;
    return HY_OK;
}

static void soak_release(void *object) {
    ++*(uint64_t *)object;
}

static hy_err soak_scope(hy_scope *parent, soak *s) {
    hy_scope *scope = NULL;
    CHECK_OK(hy_scope_open(parent, NULL, &scope));
    CHECK_OK(hy_own(scope, &s->ended, soak_release, 0));
    return hy_scope_close(scope);
}

static hy_err soak_block(soak *s) {
    hy_err err = HY_OK;
    HY_SCOPE(b, &err) {
        CHECK_OK(hy_spawn(b, soak_child, &s->ended, NULL, NULL));
    }
    return err;
}

// Ten at a time, of which one is awaited, one is a block and one a dynamic scope.
static hy_err soak_round(hy_scope *parent, soak *s) {
    hy_task *kept = NULL;
    for (uint32_t i = 0; i < SOAK_AT_ONCE - 3; i++) {
        CHECK_OK(hy_spawn(parent, soak_child, &s->ended, NULL, NULL));
    }
    CHECK_OK(hy_spawn(parent, soak_child, &s->ended, NULL, &kept));
    CHECK_OK(soak_scope(parent, s));
    CHECK_OK(soak_block(s));
    return hy_await(kept);
}

static hy_err soak_body(void *arg) {
    soak *s = (soak *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(parent, &err, .name = "parent") {
        size_t bytes = 0;
        for (uint64_t done = 0; done < s->children; done += SOAK_AT_ONCE) {
            CHECK_OK(soak_round(parent, s));
            if (done == SOAK_WARM) bytes = s->mem->bytes;
        }
        CHECK_OK(hy_scope_join(parent));
        CHECK_EQ(s->mem->bytes, bytes);
    }
    CHECK_EQ(s->ended, s->children);
    return err;
}

static void soak_close(hy_world **world) {
    *world = hy_world_close(*world);
}

hy_err soak_run(hy_mem *mem, uint64_t children) {
    soak_mem counted = { .mem = { soak_resize }, .below = mem };
    soak s = { .mem = &counted, .children = children };
    HY_CLEANUP(soak_close) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = &counted.mem), &world));
    return hy_root_run(world, NULL, soak_body, &s);
}
