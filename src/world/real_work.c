// real_work.c - a bounded pool of threads for calls that block.
//
// libuv has a pool of its own, but the whole process shares it, its size comes from the environment
// and its queue has no end: a slow disk could then hold up name look-ups, and nothing would ever be
// refused. This one belongs to its world and refuses with HY_LIMIT.
//
// The queue is a list under a lock, because blocking work is long compared to a lock. A thread is
// woken only when one sleeps: waking an idle core is the dearest part of a short job. Finished
// records go back through a lock-free stack, and the first one on it wakes the world.
#include "world/real.h"

#include <signal.h>

static hy_work *pool_take(hyi_real_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->stopping) {
        pool->idle++;
        pthread_cond_wait(&pool->filled, &pool->lock);
        pool->idle--;
    }
    hy_work *work = pool->first;
    if (work) {
        pool->first = hyi_work_next(work);
        if (!pool->first) pool->last = NULL;
        pool->queued--;
    }
    pthread_mutex_unlock(&pool->lock);
    return work;
}

static void pool_finish(hyi_real *real, hy_work *work) {
    hy_work *newest = atomic_load_explicit(&real->finished, memory_order_relaxed);
    do {
        hyi_work_link(work, newest);
        // Release: pairs with the acquire in hyi_real_work_deliver, so that `done` sees what `run`
        // wrote.
    } while (!atomic_compare_exchange_weak_explicit(&real->finished, &newest, work,
                                                    memory_order_release, memory_order_relaxed));
    if (!newest) hyi_real_wake(real);
}

static void *pool_thread(void *argument) {
    hyi_real *real = (hyi_real *)argument;
    hy_work *work;
    while ((work = pool_take(&real->pool)) != NULL) {
        work->run(work);
        pool_finish(real, work);
    }
    return NULL;
}

// Signals stay with the threads of the program: ours start with all of them blocked.
static bool pool_start_thread(hyi_real *real) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed =
        pthread_create(&real->pool.threads[real->pool.thread_count], NULL, pool_thread, real);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) return false;
    real->pool.thread_count++;
    return true;
}

hy_err hyi_real_pool_open(hyi_real *real, uint32_t threads, uint32_t queue_max) {
    hyi_real_pool *pool = &real->pool;
    if (threads > HYI_REAL_THREADS_MAX) return HY_LIMIT;
    pool->queue_max = queue_max;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->filled, NULL);
    for (uint32_t i = 0; i < threads; i++) {
        if (pool_start_thread(real)) continue;
        hyi_real_pool_close(real);
        return HY_LIMIT;
    }
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

hy_err hyi_real_work(hy_world *world, hy_work *work) {
    hyi_real *real = hyi_real_of(world);
    hyi_real_pool *pool = &real->pool;
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    if (real->closing) return HY_CLOSED;
    pthread_mutex_lock(&pool->lock);
    bool accepted = pool->queued < pool->queue_max;
    bool sleeping = pool->idle > 0;
    if (accepted) {
        hyi_work_link(work, NULL);
        if (pool->last) {
            hyi_work_link(pool->last, work);
        } else {
            pool->first = work;
        }
        pool->last = work;
        pool->queued++;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!accepted) return HY_LIMIT;
    if (sleeping) pthread_cond_signal(&pool->filled);
    // While work is out something can still happen: the wake-up handle then keeps the loop alive.
    if (pool->in_flight++ == 0) uv_ref((uv_handle_t *)&real->wake);
    return HY_OK;
}

bool hyi_real_work_deliver(hyi_real *real) {
    // Acquire: pairs with the release in pool_finish.
    hy_work *newest = atomic_exchange_explicit(&real->finished, NULL, memory_order_acquire);
    if (!newest) return false;
    hy_work *oldest = NULL;
    while (newest) {
        hy_work *next = hyi_work_next(newest);
        hyi_work_link(newest, oldest);
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        hy_work *next = hyi_work_next(oldest);
        HY_ASSERT(real->pool.in_flight > 0);
        if (--real->pool.in_flight == 0) uv_unref((uv_handle_t *)&real->wake);
        oldest->done(oldest);
        oldest = next;
    }
    return true;
}
