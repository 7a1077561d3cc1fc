// scope_chan.c - the rows of scope_bench about channels and what is made of them.
//
// All on one worker, in the real world, eight-byte items:
//     chan_rendezvous  capacity 0, one fiber sends, one receives: each message is handed over, and
//                      half of them cost a switch to either side
//     chan_ping_pong   two channels, a message there and one back: both wait for each, so a message
//                      is a send, a receive and a whole switch through the scheduler
//     chan_buffered    capacity 64, as rendezvous
//     chan_ready       send and receive in one fiber, nobody waits
//     select_two       as ping_pong, received by select over two channels
//     select_ready     a select of two in which one is ready
//     batch            items from a channel in batches of 100, per item
//     map_each         per item, a function that does nothing, limit 8
//     bus              an event to one subscriber that waits for it
#include "bench/scope_chan.h"
#include "bench/bench.h"

#include <hypha/flow.h>

#define SCOPE_CHAN_MESSAGES 1000000u

typedef struct scope_chan_run {
    hy_chan *there, *back;
    hy_bus *bus;
    hy_sub *sub;
    uint32_t capacity;
    bool select;
} scope_chan_run;

typedef struct scope_chan_row {
    const char *name;
    hy_err (*body)(void *run);
    uint32_t capacity;
    bool select;
} scope_chan_row;

static const hy_topic scope_chan_topic = { .name = "bench", .size = sizeof(uint64_t) };

static hy_err scope_chan_send_all(void *arg) {
    scope_chan_run *run = arg;
    hy_err err = HY_OK;
    for (uint64_t i = 0; i < SCOPE_CHAN_MESSAGES && err == HY_OK; i++) {
        err = hy_send(run->there, &i);
    }
    hy_chan_close(run->there);
    return err;
}

static hy_err scope_chan_one_way(void *arg) {
    scope_chan_run *run = arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "one way") {
        err = hy_chan_open(s, sizeof(uint64_t), run->capacity, NULL, &run->there);
        if (err == HY_OK) err = hy_spawn(s, scope_chan_send_all, run, NULL, NULL);
        uint64_t item;
        while (err == HY_OK) {
            err = hy_recv(run->there, &item);
        }
        if (err == HY_END) err = HY_OK;
    }
    return err;
}

// Receives from `back`; with select, from whichever of the two has something.
static hy_err scope_chan_answer(void *arg) {
    scope_chan_run *run = arg;
    for (;;) {
        uint64_t item;
        hy_err err = hy_recv(run->there, &item);
        if (err == HY_OK) err = hy_send(run->back, &item);
        if (err != HY_OK) return err == HY_END ? HY_OK : err;
    }
}

static hy_err scope_chan_two_ways(void *arg) {
    scope_chan_run *run = arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "two ways") {
        hy_chan *idle = NULL;
        err = hy_chan_open(s, sizeof(uint64_t), 1, NULL, &run->there);
        if (err == HY_OK) err = hy_chan_open(s, sizeof(uint64_t), 1, NULL, &run->back);
        if (err == HY_OK) err = hy_chan_open(s, sizeof(uint64_t), 1, NULL, &idle);
        if (err == HY_OK) err = hy_spawn(s, scope_chan_answer, run, NULL, NULL);
        for (uint64_t i = 0; i < SCOPE_CHAN_MESSAGES / 2 && err == HY_OK; i++) {
            uint64_t item;
            uint32_t index;
            hy_case cases[2] = { { .chan = idle, .recv = &item },
                                 { .chan = run->back, .recv = &item } };
            err = hy_send(run->there, &i);
            if (err != HY_OK) break;
            err = run->select ? hy_select(cases, 2, HY_NEVER, &index) : hy_recv(run->back, &item);
        }
        if (err == HY_OK) hy_chan_close(run->there);
    }
    return err;
}

static hy_err scope_chan_alone(void *arg) {
    scope_chan_run *run = arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "alone") {
        hy_chan *idle = NULL;
        err = hy_chan_open(s, sizeof(uint64_t), 4, NULL, &run->there);
        if (err == HY_OK) err = hy_chan_open(s, sizeof(uint64_t), 4, NULL, &idle);
        for (uint64_t i = 0; i < SCOPE_CHAN_MESSAGES && err == HY_OK; i++) {
            uint64_t item;
            uint32_t index;
            hy_case cases[2] = { { .chan = idle, .recv = &item },
                                 { .chan = run->there, .recv = &item } };
            err = hy_send(run->there, &i);
            if (err != HY_OK) break;
            err = run->select ? hy_select(cases, 2, HY_NEVER, &index) : hy_recv(run->there, &item);
        }
    }
    return err;
}

static hy_err scope_chan_batches(void *arg) {
    scope_chan_run *run = arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "batches") {
        hy_flow *flow = NULL;
        err = hy_chan_open(s, sizeof(uint64_t), run->capacity, NULL, &run->there);
        if (err == HY_OK) err = hy_spawn(s, scope_chan_send_all, run, NULL, NULL);
        if (err == HY_OK) err = hy_flow_of_chan(s, run->there, &flow);
        if (err == HY_OK) err = hy_flow_batch(flow, 100, HY_MS(10), &flow);
        hy_items batch;
        while (err == HY_OK) {
            err = hy_flow_next(flow, &batch, HY_NEVER);
        }
        if (err == HY_END) err = HY_OK;
    }
    return err;
}

static hy_err scope_chan_nothing(void *arg, size_t index) {
    (void)arg;
    (void)index;
    return HY_OK;
}

static hy_err scope_chan_map(void *arg) {
    return hy_map_each(SCOPE_CHAN_MESSAGES, scope_chan_nothing, arg,
                       HY_OPTIONS(hy_map, .limit = 8));
}

static hy_err scope_chan_publish_all(void *arg) {
    scope_chan_run *run = arg;
    hy_err err = HY_OK;
    for (uint64_t i = 0; i < SCOPE_CHAN_MESSAGES && err == HY_OK; i++) {
        err = hy_bus_publish(run->bus, &scope_chan_topic, &i);
    }
    hy_bus_close(run->bus);
    return err;
}

static hy_err scope_chan_events(void *arg) {
    scope_chan_run *run = arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "bus") {
        err = hy_bus_open(s, &run->bus);
        if (err == HY_OK) err = hy_subscribe(run->bus, s, &scope_chan_topic, NULL, &run->sub);
        if (err == HY_OK) err = hy_spawn(s, scope_chan_publish_all, run, NULL, NULL);
        uint64_t item;
        while (err == HY_OK) {
            err = hy_recv(hy_sub_chan(run->sub), &item);
        }
        if (err == HY_END) err = HY_OK;
    }
    return err;
}

static const scope_chan_row scope_chan_all[] = {
    { "chan_rendezvous", scope_chan_one_way, 0, false },
    { "chan_ping_pong", scope_chan_two_ways, 1, false },
    { "chan_buffered", scope_chan_one_way, 64, false },
    { "chan_ready", scope_chan_alone, 4, false },
    { "select_two", scope_chan_two_ways, 1, true },
    { "select_ready", scope_chan_alone, 4, true },
    { "batch", scope_chan_batches, 128, false },
    { "map_each", scope_chan_map, 0, false },
    { "bus", scope_chan_events, 0, false },
};

void scope_chan_rows(uint32_t runs) {
    hy_world *world = NULL;
    bench_must(hy_world_open(NULL, &world), "opening a world");
    for (size_t row = 0; row < sizeof scope_chan_all / sizeof scope_chan_all[0]; row++) {
        double values[BENCH_RUNS_MAX];
        for (uint32_t i = 0; i < runs && i < BENCH_RUNS_MAX; i++) {
            scope_chan_run run = { .capacity = scope_chan_all[row].capacity,
                                   .select = scope_chan_all[row].select };
            double begun = bench_now();
            bench_must(hy_root_run(world, NULL, scope_chan_all[row].body, &run), "running a row");
            values[i] = (bench_now() - begun) * 1e9 / SCOPE_CHAN_MESSAGES;
        }
        bench_report("scope", scope_chan_all[row].name, "ns", values, runs, NULL);
    }
    (void)hy_world_close(world);
}
