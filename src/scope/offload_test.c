// offload_test.c - blocking work: it has run, or it never will.
//
// Whatever moment a fiber is cancelled at, what it is told is what has happened. The real world is
// asked with threads that are held up, the simulated one by the seed.
#include "scope/run_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

#include <semaphore.h>

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

typedef struct job {
    uint32_t runs;
    hy_err err;
} job;

static void job_run(void *arg) {
    ((job *)arg)->runs++;
}

static hy_err offload_job(void *arg) {
    job *j = (job *)arg;
    j->err = hy_offload(HY_WORK_ANY, job_run, j);
    return j->err;
}

static hy_err the_fiber_waits_for_it(void *unused) {
    (void)unused;
    job j = { 0 };
    CHECK_OK(hy_offload(HY_WORK_DISK, job_run, &j));
    CHECK_EQ(j.runs, 1);
    return HY_OK;
}
RUN_SIM(the_fiber_waits_for_it)
RUN_REAL(the_fiber_waits_for_it)

static hy_err many_at_once(void *unused) {
    (void)unused;
    job jobs[50] = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (int i = 0; i < 50; i++)
            CHECK_OK(hy_spawn(s, offload_job, &jobs[i], NULL, NULL));
    }
    CHECK_OK(err);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(jobs[i].runs, 1);
    return HY_OK;
}
RUN_SIM(many_at_once)
RUN_REAL(many_at_once)

// Cancelled at any moment: who is told HY_OK has its work done, who is told why has it not.
static hy_err cancelled_somewhere(void *unused) {
    (void)unused;
    job jobs[40] = { 0 };
    hy_err err = HY_OK;
    hy_world *world = hy_scope_world(hy_scope_current());
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        for (int i = 0; i < 40; i++)
            CHECK_OK(hy_spawn(s, offload_job, &jobs[i], NULL, NULL));
        uint32_t turns = hy_world_choose(world, 60);
        for (uint32_t i = 0; i < turns; i++)
            CHECK_OK(hy_yield());
        hy_scope_cancel(s, HY_CANCELLED);
    }
    CHECK_ERR(err, HY_CANCELLED);
    for (int i = 0; i < 40; i++) {
        if (jobs[i].err == HY_NOMEM) return HY_NOMEM;
        CHECK(jobs[i].err == HY_OK || jobs[i].err == HY_CANCELLED);
        CHECK_EQ(jobs[i].runs, jobs[i].err == HY_OK ? 1 : 0);
    }
    return HY_OK;
}

static hy_err sim_cancelled_somewhere(hy_mem *mem) {
    return run_in_sim(mem, cancelled_somewhere, NULL);
}

static hy_err real_cancelled_somewhere(hy_mem *mem) {
    return run_in_real(mem, cancelled_somewhere, NULL);
}

// ---- begun, and then cancelled ------------------------------------------------------------------

typedef struct slow {
    sem_t begun, go_on;
    bool ended;
    hy_err err, next;
} slow;

static void slow_run(void *arg) {
    slow *it = (slow *)arg;
    sem_post(&it->begun);
    sem_wait(&it->go_on);
    it->ended = true;
}

static hy_err slow_offload(void *arg) {
    slow *it = (slow *)arg;
    it->err = hy_offload(HY_WORK_ANY, slow_run, it);
    it->next = hy_yield();
    return it->err;
}

static hy_err what_has_begun_is_waited_for(void *unused) {
    (void)unused;
    slow it = { .ended = false };
    sem_init(&it.begun, 0, 0);
    sem_init(&it.go_on, 0, 0);
    hy_task *task = NULL;
    CHECK_OK(hy_spawn(NULL, slow_offload, &it, NULL, &task));
    CHECK_OK(hy_yield());
    sem_wait(&it.begun); // on its thread
    hy_task_cancel(task, HY_TIMEOUT);
    CHECK_OK(hy_yield());
    CHECK(!hy_task_ended(task));
    CHECK(!it.ended);
    sem_post(&it.go_on);
    CHECK_OK(hy_await(task));
    CHECK(it.ended);
    CHECK_EQ(it.err, HY_OK);
    CHECK_EQ(it.next, HY_TIMEOUT);
    sem_destroy(&it.begun);
    sem_destroy(&it.go_on);
    return HY_OK;
}
RUN_REAL(what_has_begun_is_waited_for)

// All that may run at once is running, so the fifth waits in the world.
static hy_err what_has_not_begun_is_withdrawn(void *unused) {
    (void)unused;
    slow it[4] = { { .ended = false } };
    job fifth = { 0 };
    hy_task *tasks[4] = { NULL }, *waiting = NULL;
    for (int i = 0; i < 4; i++) {
        sem_init(&it[i].begun, 0, 0);
        sem_init(&it[i].go_on, 0, 0);
        CHECK_OK(hy_spawn(NULL, slow_offload, &it[i], NULL, &tasks[i]));
    }
    CHECK_OK(hy_yield());
    for (int i = 0; i < 4; i++)
        sem_wait(&it[i].begun);
    CHECK_OK(hy_spawn(NULL, offload_job, &fifth, NULL, &waiting));
    CHECK_OK(hy_yield());
    hy_task_cancel(waiting, HY_TIMEOUT);
    CHECK_ERR(hy_await(waiting), HY_TIMEOUT);
    for (int i = 0; i < 4; i++) {
        sem_post(&it[i].go_on);
        CHECK_OK(hy_await(tasks[i]));
        sem_destroy(&it[i].begun);
        sem_destroy(&it[i].go_on);
    }
    CHECK_EQ(fifth.runs, 0);
    return HY_OK;
}

static hy_err real_what_has_not_begun_is_withdrawn(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem, .work_at_once = { 4 }), &world));
    return hy_root_run(world, HY_OPTIONS(hy_root, .scope = { .policy = hy_ignore }),
                       what_has_not_begun_is_withdrawn, NULL);
}

static hy_err a_cancelled_fiber_begins_nothing(void *unused) {
    (void)unused;
    job j = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        hy_scope_cancel(s, HY_REJECT);
        CHECK_EQ(hy_offload(HY_WORK_ANY, job_run, &j), HY_REJECT);
    }
    CHECK_ERR(err, HY_REJECT);
    CHECK_EQ(j.runs, 0);
    return HY_OK;
}
RUN_SIM(a_cancelled_fiber_begins_nothing)

KIT_TESTS(KIT_TEST(sim_the_fiber_waits_for_it), KIT_TEST(real_the_fiber_waits_for_it),
          KIT_TEST(sim_many_at_once), KIT_TEST_ONCE(real_many_at_once),
          KIT_TEST(sim_cancelled_somewhere), KIT_TEST_ONCE(real_cancelled_somewhere),
          KIT_TEST_ONCE(real_what_has_begun_is_waited_for),
          KIT_TEST_ONCE(real_what_has_not_begun_is_withdrawn),
          KIT_TEST(sim_a_cancelled_fiber_begins_nothing))
