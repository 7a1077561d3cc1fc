// thread_test.c - threads begin as they were asked to, and are joined with all they did.
//
// What a thread must be (name, processor, stack, signals) it looks at itself and writes down; the
// join is what makes that readable. One test runs a world of its own in each of several threads,
// which is what the room above does with them.
#include "base/cleanup.h"
#include "kit/kit.h"

#include <hypha/world.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

typedef struct seen {
    char name[16];
    int cpus;
    size_t stack_bytes;
    sigset_t blocked;
    uint32_t cores;
    hy_world *world;
} seen;

static void look_around(void *arg) {
    seen *s = (seen *)arg;
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    s->cpus = CPU_COUNT(&set);
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstacksize(&attributes, &s->stack_bytes);
        pthread_attr_destroy(&attributes);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
    s->cores = hy_world_cores(s->world);
}

static hy_err a_thread_is_as_it_was_asked_for(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    uint32_t cores = hy_world_cores(world);
    CHECK(cores >= 1);
    for (uint32_t cpu = 1; cpu <= cores && cpu <= 4; cpu++) {
        seen s = { .world = world };
        hy_thread *thread = NULL;
        CHECK_OK(hy_thread_start(world,
                                 HY_OPTIONS(hy_thread, .name = "hypha-worker-15", .cpu = cpu,
                                            .stack_bytes = (1u << 20) + 1),
                                 look_around, &s, &thread));
        hy_thread_join(thread);
        CHECK(strcmp(s.name, "hypha-worker-15") == 0);
        CHECK_EQ(s.cpus, 1);
        CHECK(s.stack_bytes > 1u << 20);
        CHECK_EQ(s.cores, cores); // pinned as it is, it counts what the process has
        CHECK(sigismember(&s.blocked, SIGTERM) == 1);
        CHECK(sigismember(&s.blocked, SIGUSR1) == 1);
        CHECK(sigismember(&s.blocked, SIGSEGV) == 0);
        CHECK(sigismember(&s.blocked, SIGABRT) == 0);
    }
    sigset_t ours;
    pthread_sigmask(SIG_SETMASK, NULL, &ours);
    CHECK(sigismember(&ours, SIGTERM) == 0); // and the starter is left as it was
    return HY_OK;
}

static hy_err defaults_are_the_systems(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    seen s = { .world = world };
    hy_thread *thread = NULL;
    CHECK_OK(hy_thread_start(world, NULL, look_around, &s, &thread));
    hy_thread_join(thread);
    hy_thread_join(NULL);
    CHECK_EQ(s.cpus, hy_world_cores(world));
    hy_thread *tiny = NULL;
    CHECK_OK(
        hy_thread_start(world, HY_OPTIONS(hy_thread, .stack_bytes = 1), look_around, &s, &tiny));
    hy_thread_join(tiny);
    CHECK(s.stack_bytes > 1);
    return HY_OK;
}

static void never_run(void *arg) {
    *(bool *)arg = true;
}

static hy_err what_cannot_be_is_refused(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    bool ran = false;
    hy_thread *thread = NULL;
    uint32_t beyond = hy_world_cores(world) + 1;
    CHECK_ERR(
        hy_thread_start(world, HY_OPTIONS(hy_thread, .cpu = beyond), never_run, &ran, &thread),
        HY_RANGE);
    CHECK_ERR(hy_thread_start(world, HY_OPTIONS(hy_thread, .stack_bytes = UINT64_MAX), never_run,
                              &ran, &thread),
              HY_LIMIT);
    HY_CLEANUP(close_world) hy_world *sim = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &sim));
    CHECK_EQ(hy_world_cores(sim), 1);
    CHECK_ERR(hy_thread_start(sim, NULL, never_run, &ran, &thread), HY_UNSUPPORTED);
    CHECK(!ran);
    CHECK(thread == NULL);
    return HY_OK;
}

// ---- a world in each thread ---------------------------------------------------------------------

enum { RING_THREADS = 3, RING_ROUNDS = 200 };

// Each passes the one record on by posting it into the world of the next.
typedef struct ring ring;
typedef struct ring_place {
    ring *ring;
    hy_world *world;
    hy_thread *thread;
} ring_place;
struct ring {
    hy_post post;
    ring_place places[RING_THREADS];
    uint32_t at, hops;
};

static void ring_hop(hy_post *post) {
    ring *r = (ring *)post;
    ring_place *here = &r->places[r->at];
    r->hops++;
    bool last_round = r->hops > RING_ROUNDS * RING_THREADS;
    r->at = (r->at + 1) % RING_THREADS;
    hy_world *next = r->places[r->at].world;
    bool end = last_round && r->hops == RING_ROUNDS * RING_THREADS + RING_THREADS;
    if (!end) hy_world_post(next, post); // from here on the record is the next one's
    if (last_round) hy_world_expect(here->world, false);
}

static void ring_run(void *arg) {
    ring_place *place = (ring_place *)arg;
    hy_world_run(place->world);
}

static void close_ring(ring *r) {
    for (size_t i = 0; i < RING_THREADS; i++)
        hy_world_close(r->places[i].world);
}

static hy_err worlds_of_several_threads_post_to_each_other(hy_mem *mem) {
    HY_CLEANUP(close_ring) ring r = { .post = { .done = ring_hop } };
    for (size_t i = 0; i < RING_THREADS; i++) {
        ring_place *place = &r.places[i];
        place->ring = &r;
        CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &place->world));
    }
    hy_err err = HY_OK;
    size_t started = 0;
    for (; started < RING_THREADS; started++) {
        ring_place *place = &r.places[started];
        hy_world_expect(place->world, true);
        err = hy_thread_start(place->world, NULL, ring_run, place, &place->thread);
        if (err) break;
    }
    if (!err) hy_world_post(r.places[0].world, &r.post);
    for (size_t i = 0; i < started; i++) {
        if (err) hy_world_stop(r.places[i].world);
        hy_thread_join(r.places[i].thread);
    }
    CHECK_OK(err);
    CHECK_EQ(r.hops, RING_ROUNDS * RING_THREADS + RING_THREADS);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(a_thread_is_as_it_was_asked_for), KIT_TEST(defaults_are_the_systems),
          KIT_TEST(what_cannot_be_is_refused),
          KIT_TEST(worlds_of_several_threads_post_to_each_other))
