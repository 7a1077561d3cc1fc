// real_work.c - a bounded pool of threads for calls that block.
//
// libuv has a pool of its own, but the whole process shares it, its size comes from the environment
// and its queue has no end: a slow disk could then hold up name look-ups, and nothing would ever be
// refused. This one belongs to its world, keeps the kinds apart (works.h) and refuses with
// HY_LIMIT.
//
// The queues are under one lock, because blocking work is long compared to a lock. Threads are
// started when there is more to start than there are threads without work: `idle` counts those that
// sleep, those that were woken and those that are still on their way, so no work is promised a
// thread that another one also counts on. A thread is woken only when one is idle: waking an idle
// core is the dearest part of a short job. Finished records go back through a lock-free stack, and
// the first one on it wakes the world.
#include "world/real.h"

static void pool_finish(hyi_real *real, hy_work *work) {
    hy_work *newest = atomic_load_explicit(&real->finished, memory_order_relaxed);
    do {
        hyi_work_link(work, newest);
        // Seq_cst: a release for hyi_real_work_deliver, so that `done` sees what `run` wrote, and
        // in one order with `sleeping` (real_loop.c).
    } while (!atomic_compare_exchange_weak(&real->finished, &newest, work));
    if (!newest) hyi_real_wake(real);
}

// The record belongs to the world again from pool_finish on: its kind is kept.
static void *pool_thread(void *argument) {
    hyi_real *real = (hyi_real *)argument;
    hyi_real_pool *pool = &real->pool;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        hy_work *work = hyi_works_take(&pool->works);
        if (!work) {
            pthread_cond_wait(&pool->filled, &pool->lock);
            continue;
        }
        uint32_t kind = work->kind;
        pool->idle--;
        pthread_mutex_unlock(&pool->lock);
        work->run(work);
        pool_finish(real, work);
        pthread_mutex_lock(&pool->lock);
        hyi_works_leave(&pool->works, kind);
        pool->idle++;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool pool_start_thread(hyi_real *real) {
    hyi_real_pool *pool = &real->pool;
    pthread_t *thread = &pool->threads[pool->thread_count];
    if (!hyi_real_thread_create(thread, NULL, pool_thread, real)) return false;
    pool->thread_count++;
    pool->idle++;
    return true;
}

hy_err hyi_real_pool_open(hyi_real *real, const hy_world_options *options) {
    hyi_real_pool *pool = &real->pool;
    if (options->work_threads > HYI_REAL_THREADS_MAX) return HY_LIMIT;
    hyi_works_init(&pool->works, options->work_at_once, options->work_queue_max);
    uint32_t all = hyi_works_at_once(&pool->works);
    uint32_t most = all < HYI_REAL_THREADS_MAX ? all : HYI_REAL_THREADS_MAX;
    pool->threads_max = options->work_threads ? options->work_threads : most;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->filled, NULL);
    return HY_OK;
}

void hyi_real_pool_close(hyi_real *real) {
    hyi_real_pool *pool = &real->pool;
    HY_ASSERT(pool->in_flight == 0);
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->filled);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pool->thread_count = 0;
    pthread_cond_destroy(&pool->filled);
    pthread_mutex_destroy(&pool->lock);
}

// Under the lock. HY_LIMIT: nobody would ever run it.
static hy_err pool_add(hyi_real *real, hy_work *work) {
    hyi_real_pool *pool = &real->pool;
    hy_err err = hyi_works_add(&pool->works, work);
    if (err) return err;
    bool short_of_threads = hyi_works_startable(&pool->works) > pool->idle;
    if (short_of_threads && pool->thread_count < pool->threads_max) pool_start_thread(real);
    if (pool->thread_count > 0) return HY_OK;
    hyi_works_remove(&pool->works, work);
    return HY_LIMIT;
}

hy_err hyi_real_work(hy_world *world, hy_work *work) {
    hyi_real *real = hyi_real_of(world);
    hyi_real_pool *pool = &real->pool;
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    if (real->closing) return HY_CLOSED;
    pthread_mutex_lock(&pool->lock);
    hy_err err = pool_add(real, work);
    bool wake = err == HY_OK && pool->idle > 0;
    pthread_mutex_unlock(&pool->lock);
    if (err) return err;
    if (wake) pthread_cond_signal(&pool->filled);
    pool->in_flight++;
    hyi_real_expect(world, true); // while work is out something can still happen
    return HY_OK;
}

static void pool_came_back(hyi_real *real, hy_work *work) {
    HY_ASSERT(real->pool.in_flight > 0);
    hyi_works_set_state(&real->pool.works, work, HYI_WORK_OUT);
    real->pool.in_flight--;
    hyi_real_expect(&real->base, false);
}

hy_err hyi_real_unwork(hy_world *world, hy_work *work) {
    hyi_real *real = hyi_real_of(world);
    hyi_real_pool *pool = &real->pool;
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    pthread_mutex_lock(&pool->lock);
    hyi_work_state state = hyi_works_state(&pool->works, work);
    if (state == HYI_WORK_WAITING) hyi_works_remove(&pool->works, work);
    pthread_mutex_unlock(&pool->lock);
    HY_ASSERT(state != HYI_WORK_OUT);
    if (state != HYI_WORK_WAITING) return HY_BUSY;
    pool_came_back(real, work);
    return HY_OK;
}

bool hyi_real_work_deliver(hyi_real *real) {
    // Relaxed: a look that is cheap in every round. Acquire: pairs with the push in pool_finish.
    if (!atomic_load_explicit(&real->finished, memory_order_relaxed)) return false;
    hy_work *newest = atomic_exchange_explicit(&real->finished, NULL, memory_order_acquire);
    hy_work *oldest = NULL;
    while (newest) {
        hy_work *next = hyi_work_next(newest);
        hyi_work_link(newest, oldest);
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        hy_work *next = hyi_work_next(oldest);
        pool_came_back(real, oldest);
        oldest->done(oldest);
        oldest = next;
    }
    return true;
}
