// world_bench.c - what the door to the outside costs a scheduler that lives on it.
//
// post: a record that posts itself again and again, with the rounds of the loop (timers looked at,
// sockets polled) that happen in between. timer_start_stop and timer_fire: with nothing else
// running, and among a million others. timer_late: how late a lone timer of 200 us is, the
// machine's own lateness included. watch: a byte goes round one socket pair whose reader waits in
// the loop, and the same by hand on epoll. wake: another thread posts to a loop that sleeps, until
// `done` runs. work: out to the pool and back. sim_timer: a simulated million that comes due.
#include "bench/bench.h"

#include <hypha/world.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUNS 7
#define POSTS 2000000u
#define TIMERS 1000000u
#define LATES 200u
#define ROUNDS 100000u
#define WAKES 2000u

typedef double (*world_bench_case)(hy_world *world); // nanoseconds of one

static double world_bench_ns(double since, uint32_t count) {
    return (bench_now() - since) * 1e9 / count;
}

static void world_bench_run(const char *metric, world_bench_case one, const char *extra) {
    double values[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        hy_world *world = NULL;
        bench_must(hy_world_open(NULL, &world), "hy_world_open");
        values[i] = one(world);
        hy_world_close(world);
    }
    bench_report("world", metric, "ns", values, RUNS, extra);
}

// ---- posts --------------------------------------------------------------------------------------

typedef struct world_bench_post {
    hy_post post;
    hy_world *world;
    uint32_t left;
} world_bench_post;

static void world_bench_repost(hy_post *post) {
    world_bench_post *self = (world_bench_post *)post;
    if (--self->left == 0) {
        hy_world_stop(self->world);
    } else {
        hy_world_post(self->world, post);
    }
}

static void world_bench_nothing(hy_timer *timer) {
    (void)timer;
}

static double world_bench_posts(hy_world *world) {
    world_bench_post self = { { .done = world_bench_repost }, world, POSTS };
    hy_timer far = { .done = world_bench_nothing };
    bench_must(hy_timer_at(world, &far, hy_world_now(world) + HY_SECONDS(3600)), "hy_timer_at");
    hy_world_post(world, &self.post);
    double since = bench_now();
    hy_world_run(world);
    double ns = world_bench_ns(since, POSTS);
    hy_timer_stop(world, &far);
    return ns;
}

// ---- timers -------------------------------------------------------------------------------------

static hy_timer *world_bench_timers(void) {
    hy_timer *timers = (hy_timer *)calloc(TIMERS, sizeof *timers);
    if (!timers) bench_must(HY_NOMEM, "calloc");
    for (uint32_t i = 0; i < TIMERS; i++)
        timers[i].done = world_bench_nothing;
    return timers;
}

static uint64_t world_bench_dice(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *state >> 33;
}

static void world_bench_start(hy_world *world, hy_timer *timers, hy_ns from, hy_ns span) {
    uint64_t dice = 1;
    for (uint32_t i = 0; i < TIMERS; i++) {
        hy_ns due = from + (hy_ns)(world_bench_dice(&dice) % (uint64_t)span);
        bench_must(hy_timer_at(world, &timers[i], due), "hy_timer_at");
    }
}

static double world_bench_timer_alone(hy_world *world) {
    hy_timer timer = { .done = world_bench_nothing };
    hy_ns due = hy_world_now(world) + HY_SECONDS(10);
    double since = bench_now();
    for (uint32_t i = 0; i < TIMERS; i++) {
        bench_must(hy_timer_at(world, &timer, due), "hy_timer_at");
        hy_timer_stop(world, &timer);
    }
    return world_bench_ns(since, TIMERS);
}

// Started in one order, stopped in another.
static double world_bench_timer_million(hy_world *world) {
    hy_timer *timers = world_bench_timers();
    double since = bench_now();
    world_bench_start(world, timers, hy_world_now(world) + HY_SECONDS(60), HY_SECONDS(60));
    for (uint32_t i = 0; i < TIMERS; i++)
        hy_timer_stop(world, &timers[(uint64_t)i * 7919 % TIMERS]);
    double ns = world_bench_ns(since, TIMERS);
    free(timers);
    return ns;
}

static double world_bench_timer_fires(hy_world *world) {
    hy_timer *timers = world_bench_timers();
    world_bench_start(world, timers, 0, hy_world_now(world));
    double since = bench_now();
    hy_world_run(world);
    double ns = world_bench_ns(since, TIMERS);
    free(timers);
    return ns;
}

typedef struct world_bench_late {
    hy_timer timer;
    hy_world *world;
    hy_ns late;
    uint32_t left;
} world_bench_late;

static void world_bench_on_late(hy_timer *timer) {
    world_bench_late *self = (world_bench_late *)timer;
    hy_ns now = hy_world_now(self->world);
    self->late += now - timer->due;
    if (--self->left > 0) bench_must(hy_timer_at(self->world, timer, now + HY_US(200)), "again");
}

static double world_bench_lateness(hy_world *world) {
    world_bench_late self = { { .done = world_bench_on_late }, world, 0, LATES };
    bench_must(hy_timer_at(world, &self.timer, hy_world_now(world) + HY_US(200)), "hy_timer_at");
    hy_world_run(world);
    return (double)self.late / LATES;
}

static void world_bench_sim(void) {
    double values[RUNS];
    hy_timer *timers = world_bench_timers();
    for (size_t i = 0; i < RUNS; i++) {
        hy_world *world = NULL;
        bench_must(hy_sim_open(NULL, &world), "hy_sim_open");
        double since = bench_now();
        world_bench_start(world, timers, hy_world_now(world), HY_SECONDS(3600));
        hy_world_run(world);
        values[i] = world_bench_ns(since, TIMERS);
        hy_world_close(world);
    }
    bench_report("world", "sim_timer_start_fire_million", "ns", values, RUNS, NULL);
    free(timers);
}

// ---- descriptors --------------------------------------------------------------------------------

typedef struct world_bench_pair {
    int ends[2];
    uint32_t left;
    hy_world *world;
} world_bench_pair;

static void world_bench_pair_open(world_bench_pair *pair) {
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->ends);
    bool sent = failed == 0 && write(pair->ends[0], "x", 1) == 1;
    bench_must(sent ? HY_OK : HY_IO, "socketpair");
    pair->left = ROUNDS;
}

static void world_bench_pass_on(world_bench_pair *pair) {
    char byte;
    bool passed = read(pair->ends[1], &byte, 1) == 1 && write(pair->ends[0], &byte, 1) == 1;
    bench_must(passed ? HY_OK : HY_IO, "passing the byte on");
    pair->left--;
}

static void world_bench_on_ready(void *self, uint32_t events) {
    (void)events;
    world_bench_pair *pair = (world_bench_pair *)self;
    world_bench_pass_on(pair);
    if (pair->left == 0) hy_world_stop(pair->world);
}

static double world_bench_watch(hy_world *world) {
    world_bench_pair pair = { .world = world };
    world_bench_pair_open(&pair);
    hy_watch *watch = NULL;
    bench_must(hy_watch_open(world, pair.ends[1], world_bench_on_ready, &pair, &watch), "watch");
    bench_must(hy_watch_set(watch, 1), "hy_watch_set");
    double since = bench_now();
    hy_world_run(world);
    double ns = world_bench_ns(since, ROUNDS);
    hy_watch_close(watch);
    close(pair.ends[0]);
    close(pair.ends[1]);
    return ns;
}

static double world_bench_epoll(hy_world *world) {
    world_bench_pair pair = { .world = world };
    world_bench_pair_open(&pair);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN }, got[64];
    bool added = epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, pair.ends[1], &event) == 0;
    bench_must(added ? HY_OK : HY_IO, "epoll_ctl");
    double since = bench_now();
    while (pair.left > 0) {
        if (epoll_wait(epoll, got, 64, -1) == 1) world_bench_pass_on(&pair);
    }
    double ns = world_bench_ns(since, ROUNDS);
    close(epoll);
    close(pair.ends[0]);
    close(pair.ends[1]);
    return ns;
}

// In turn, so that a drifting machine drifts for both.
static void world_bench_watches(void) {
    double ours[RUNS], theirs[RUNS];
    hy_world *world = NULL;
    bench_must(hy_world_open(NULL, &world), "hy_world_open");
    for (size_t i = 0; i < RUNS; i++) {
        ours[i] = world_bench_watch(world);
        theirs[i] = world_bench_epoll(world);
    }
    hy_world_close(world);
    bench_report("world", "watch_round", "ns", ours, RUNS, NULL);
    bench_report("world", "watch_round", "ns", theirs, RUNS, "\"peer\":\"epoll\"");
}

// ---- other threads ------------------------------------------------------------------------------

typedef struct world_bench_wake {
    hy_post post;
    hy_world *world;
    _Atomic uint32_t arrived; // stored by the loop, awaited by the sender
    double sent_at, total;
} world_bench_wake;

static void world_bench_on_wake(hy_post *post) {
    world_bench_wake *self = (world_bench_wake *)post;
    self->total += bench_now() - self->sent_at;
    atomic_fetch_add(&self->arrived, 1); // seq_cst: pairs with the load of the sender
}

static void *world_bench_sender(void *argument) {
    world_bench_wake *self = (world_bench_wake *)argument;
    for (uint32_t i = 0; i < WAKES; i++) {
        usleep(50); // until the loop sleeps
        self->sent_at = bench_now();
        hy_world_post(self->world, &self->post);
        while (atomic_load(&self->arrived) == i) {
        }
    }
    hy_world_stop(self->world);
    return NULL;
}

static double world_bench_wakes(hy_world *world) {
    world_bench_wake self = { .post = { .done = world_bench_on_wake }, .world = world };
    hy_timer far = { .done = world_bench_nothing };
    bench_must(hy_timer_at(world, &far, HY_NEVER), "hy_timer_at");
    pthread_t thread;
    bool started = pthread_create(&thread, NULL, world_bench_sender, &self) == 0;
    bench_must(started ? HY_OK : HY_LIMIT, "pthread_create");
    hy_world_run(world);
    pthread_join(thread, NULL);
    hy_timer_stop(world, &far);
    return self.total * 1e9 / WAKES;
}

typedef struct world_bench_work {
    hy_work work;
    hy_world *world;
    uint32_t left;
} world_bench_work;

static void world_bench_work_run(hy_work *work) {
    (void)work;
}

static void world_bench_work_done(hy_work *work) {
    world_bench_work *self = (world_bench_work *)work;
    if (--self->left > 0) bench_must(hy_world_work(self->world, work), "hy_world_work");
}

static double world_bench_works(hy_world *world) {
    world_bench_work self = { { .run = world_bench_work_run, .done = world_bench_work_done },
                              world,
                              WAKES };
    bench_must(hy_world_work(world, &self.work), "hy_world_work");
    double since = bench_now();
    hy_world_run(world);
    return world_bench_ns(since, WAKES);
}

int main(void) {
    world_bench_run("post", world_bench_posts, NULL);
    world_bench_run("timer_start_stop", world_bench_timer_alone, NULL);
    world_bench_run("timer_start_stop_million", world_bench_timer_million, NULL);
    world_bench_run("timer_fire_million", world_bench_timer_fires, NULL);
    world_bench_run("timer_late_200us", world_bench_lateness, NULL);
    world_bench_watches();
    world_bench_run("wake", world_bench_wakes, NULL);
    world_bench_run("work", world_bench_works, NULL);
    world_bench_sim();
    return 0;
}
