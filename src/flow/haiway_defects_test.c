// haiway_defects_test.c - what the starting point got wrong and this room must not.
//
// Each test is named after an item of the list of defects in docs/HAIWAY.md. Memory is counted, so
// "pins nothing" is a number.
#include <hypha/flow.h>

#include "base/cleanup.h"
#include "kit/kit.h"

#define EVENTS 10000

typedef struct counted {
    hy_mem mem;
    hy_mem *below;
    size_t live;
} counted;

static void *counted_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    counted *c = (counted *)(void *)self;
    void *block = c->below->resize(c->below, ptr, old_size, new_size);
    if (block != NULL || new_size == 0) c->live += new_size - old_size;
    return block;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

// Runs `body` with the counter as its argument, in a simulated world whose memory is counted.
static hy_err run_counted(hy_mem *mem, hy_fn body) {
    counted c = { .mem = { counted_resize }, .below = mem };
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = &c.mem, .seed = kit_seed()), &world));
    return hy_root_run(world, NULL, body, &c);
}

// ---- 6: unbounded or silently dropping queues, subscriptions that pin memory --------------------

static int64_t boxes_held, boxes_held_most;

static void keep_box(const void *event) {
    (void)event;
    if (++boxes_held > boxes_held_most) boxes_held_most = boxes_held;
}

static void drop_box(const void *event) {
    (void)event;
    boxes_held--;
}

static const hy_topic BOXES = { .name = "boxes", .size = 8, .keep = keep_box, .drop = drop_box };

// There, each subscriber has a place in an endless list, and one that never asks keeps all of it.
static hy_err abandon_a_subscription(void *arg) {
    const counted *memory = arg;
    boxes_held = boxes_held_most = 0;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_bus *bus = NULL;
        hy_sub *sub = NULL, *behind = NULL;
        uint64_t event = 0;
        CHECK_OK(hy_bus_open(s, &bus));
        size_t before = 0;
        for (int round = 0; round < 3; round++) {
            HY_SCOPE(inner, &err, .name = "abandons it") {
                CHECK_OK(hy_subscribe(
                    bus, inner, &BOXES,
                    HY_OPTIONS(hy_sub, .capacity = 4, .overflow = HY_OVERFLOW_DROP_OLD), &sub));
                CHECK_OK(hy_subscribe(
                    bus, inner, &BOXES,
                    HY_OPTIONS(hy_sub, .capacity = 4, .overflow = HY_OVERFLOW_FAIL), &behind));
                size_t subscribed = memory->live;
                for (; event % EVENTS != EVENTS - 1; event++) {
                    CHECK_OK(hy_bus_publish(bus, &BOXES, &event));
                }
                event++;
                CHECK_EQ(memory->live, subscribed);                                   // flat
                CHECK_EQ(hy_chan_state_of(hy_sub_chan(sub)).dropped, EVENTS - 1 - 4); // and counted
                CHECK(hy_chan_state_of(hy_sub_chan(behind)).closed); // told, not forgotten
            }
            CHECK_OK(err);
            CHECK_EQ(boxes_held, 0);
            CHECK_EQ(hy_bus_state_of(bus).subscribers, 0);
            if (round == 0) before = memory->live;
            CHECK_EQ(memory->live, before);
        }
        CHECK(boxes_held_most <= 2 * 4 + 1);
    }
    return err;
}

static hy_err defect_6_an_abandoned_subscription_pins_nothing(hy_mem *mem) {
    return run_counted(mem, abandon_a_subscription);
}

// There, a queue without a bound grows, and one with a bound drops the oldest without a word.
static hy_err fill_a_queue(void *arg) {
    const counted *memory = arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "test") {
        hy_chan *queue = NULL;
        uint64_t item = 0, got = 0;
        CHECK_OK(hy_chan_open(s, sizeof item, 8, NULL, &queue));
        size_t opened = memory->live;
        uint32_t taken = 0;
        for (; item < EVENTS; item++) {
            taken += hy_try_send(queue, &item) == HY_OK;
        }
        CHECK_EQ(taken, 8);
        CHECK_EQ(memory->live, opened);
        CHECK_EQ(hy_chan_state_of(queue).dropped, 0);
        for (uint64_t i = 0; i < 8; i++) {
            CHECK_OK(hy_recv(queue, &got));
            CHECK_EQ(got, i); // what was accepted is there
        }
    }
    return err;
}

static hy_err defect_6_a_full_queue_neither_grows_nor_drops_in_silence(hy_mem *mem) {
    return run_counted(mem, fill_a_queue);
}

// ---- 5: fifty misses are fifty loads; what is empty is never cached outside ---------------------

typedef struct loader {
    hy_cache *cache;
    hy_mem *mem;
    uint32_t loads, answered;
    bool empty;
} loader;

static hy_err load_slowly(void *self, hy_bytes key, hy_shared **out_shared) {
    loader *l = self;
    l->loads++;
    hy_err err = hy_sleep(HY_MS(5));
    if (err != HY_OK) return err;
    if (l->empty) key.len = 0; // there is a value, and it is empty
    return hy_shared_copy(l->mem, key, out_shared);
}

static hy_err miss(void *arg) {
    loader *l = arg;
    hy_shared *value = NULL;
    hy_err err = hy_cache_get(l->cache, HY_BYTES("k"), &value);
    hy_shared_drop(value);
    l->answered += err == HY_OK;
    return err;
}

static hy_err fifty_misses(void *arg) {
    counted *c = arg;
    loader l = { .mem = &c->mem, .empty = true };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "fifty") {
        err = hy_cache_open(s, HY_OPTIONS(hy_cache, .load = load_slowly, .self = &l), &l.cache);
        for (int i = 0; i < 50 && err == HY_OK; i++)
            err = hy_spawn(s, miss, &l, NULL, NULL);
        if (err == HY_OK) err = hy_scope_join(s);
        if (err != HY_OK) break;
        if (kit_failed_allocation()) return HY_NOMEM; // what is not kept is loaded again
        CHECK_EQ(l.answered, 50);
        CHECK_EQ(l.loads, 1);
        err = miss(&l);
        if (err != HY_OK) break;
        const hy_shared *kept = hy_cache_peek(l.cache, HY_BYTES("k"));
        CHECK(kept != NULL && kept->bytes == 0); // an empty value is a value
        CHECK_EQ(l.loads, 1);
    }
    return err;
}

static hy_err defect_5_misses_together_load_once_and_empty_values_are_kept(hy_mem *mem) {
    return run_counted(mem, fifty_misses);
}

KIT_TESTS(KIT_TEST(defect_5_misses_together_load_once_and_empty_values_are_kept),
          KIT_TEST(defect_6_an_abandoned_subscription_pins_nothing),
          KIT_TEST(defect_6_a_full_queue_neither_grows_nor_drops_in_silence))
