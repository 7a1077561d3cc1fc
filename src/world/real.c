// real.c - the real world: one libuv loop, and the ways into it.
//
// Posts. A stack that any thread pushes onto and only the loop takes, whole, then turned around: so
// posts run in the order of posting and no pop can meet the ABA problem. The first push onto an
// empty stack wakes the loop; later ones find it already woken. A push from the loop's own thread
// needs no system call at all: it starts the idle handle, and the round that follows does not
// sleep. What a post posts runs in the next round, so that posts cannot starve timers and sockets.
//
// Timers. Our own heap (timers.h) in nanoseconds, and one libuv timer for its first record. libuv
// counts milliseconds, so a timer is up to 1 ms late, never early.
//
// Alive. hy_world_run ends when nothing can happen any more. Streams, listeners, watches, signals
// and timers keep the loop alive by themselves; `wake` counts only while work is out.
#include "world/real.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void real_close(hy_world *world);
static void real_run(hy_world *world);
static bool real_turn(hy_world *world);
static void real_stop(hy_world *world);
static hy_ns real_now(const hy_world *world);
static hy_ns real_wall(const hy_world *world);
static uint64_t real_random(hy_world *world);
static void real_post(hy_world *world, hy_post *post);
static hy_err real_timer_at(hy_world *world, hy_timer *timer, hy_ns due);
static void real_timer_stop(hy_world *world, hy_timer *timer);

static const hyi_door real_door = {
    .is_real = true,
    .close = real_close,
    .run = real_run,
    .turn = real_turn,
    .stop = real_stop,
    .now = real_now,
    .wall = real_wall,
    .random = real_random,
    .post = real_post,
    .timer_at = real_timer_at,
    .timer_stop = real_timer_stop,
    .work = hyi_real_work,
    .file_open = hyi_real_file_open,
    .file_close = hyi_real_file_close,
    .file_read = hyi_real_file_read,
    .file_write = hyi_real_file_write,
    .file_sync = hyi_real_file_sync,
    .file_size = hyi_real_file_size,
    .file_truncate = hyi_real_file_truncate,
    .file_lock = hyi_real_file_lock,
    .file_remove = hyi_real_file_remove,
    .file_exists = hyi_real_file_exists,
    .folder_make = hyi_real_folder_make,
    .listen = hyi_real_listen,
    .listener_port = hyi_real_listener_port,
    .listener_close = hyi_real_listener_close,
    .connect = hyi_real_connect,
    .stream_start = hyi_real_stream_start,
    .stream_write = hyi_real_stream_write,
    .stream_close = hyi_real_stream_close,
};

// ---- posts --------------------------------------------------------------------------------------

static bool real_is_ours(hyi_real *real) {
    // Relaxed: only our own thread can have stored our own id.
    return atomic_load_explicit(&real->owner, memory_order_relaxed) == (uintptr_t)pthread_self();
}

bool hyi_real_may_call(const hyi_real *real) {
    uintptr_t owner = atomic_load_explicit(&real->owner, memory_order_relaxed);
    return owner == 0 || owner == (uintptr_t)pthread_self();
}

static void real_on_soon(uv_idle_t *handle);

void hyi_real_wake(hyi_real *real) {
    if (real_is_ours(real)) {
        uv_idle_start(&real->soon, real_on_soon);
    } else {
        uv_async_send(&real->wake);
    }
}

static void real_post(hy_world *world, hy_post *post) {
    hyi_real *real = hyi_real_of(world);
    hy_post *newest = atomic_load_explicit(&real->posts, memory_order_relaxed);
    do {
        post->next_ = newest;
        // Release: pairs with the acquire in real_deliver_posts, so that `done` sees all that the
        // posting thread wrote before.
    } while (!atomic_compare_exchange_weak_explicit(&real->posts, &newest, post,
                                                    memory_order_release, memory_order_relaxed));
    if (!newest) hyi_real_wake(real);
}

static bool real_deliver_posts(hyi_real *real) {
    // Acquire: pairs with the release in real_post.
    hy_post *newest = atomic_exchange_explicit(&real->posts, NULL, memory_order_acquire);
    if (!newest) return false;
    hy_post *oldest = NULL;
    while (newest) {
        hy_post *next = newest->next_;
        newest->next_ = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        hy_post *next = oldest->next_; // `done` may free or post the record again
        oldest->done(oldest);
        oldest = next;
    }
    return true;
}

static bool real_deliver(hyi_real *real) {
    bool some = hyi_real_work_deliver(real);
    return real_deliver_posts(real) || some;
}

static void real_on_soon(uv_idle_t *handle) {
    uv_idle_stop(handle);
    real_deliver((hyi_real *)handle->data);
}

static void real_on_wake(uv_async_t *handle) {
    hyi_real *real = (hyi_real *)handle->data;
    real_deliver(real);
    if (atomic_load_explicit(&real->stop_asked, memory_order_acquire)) uv_stop(&real->loop);
}

// ---- timers -------------------------------------------------------------------------------------

static void real_on_alarm(uv_timer_t *handle);

// Rounded up: a timer may be late, never early.
static uint64_t real_alarm_ms(hy_ns due) {
    if (due <= 0) return 0;
    return (uint64_t)due / 1000000 + (due % 1000000 != 0);
}

static void real_arm(hyi_real *real) {
    const hy_timer *first = hyi_timers_first(&real->timers);
    uint64_t ms = first ? real_alarm_ms(first->due) : HYI_REAL_NO_ALARM;
    if (ms == real->alarm_ms) return;
    real->alarm_ms = ms;
    if (!first) {
        uv_timer_stop(&real->alarm);
        return;
    }
    uint64_t loop_ms = uv_now(&real->loop);
    uv_timer_start(&real->alarm, real_on_alarm, ms > loop_ms ? ms - loop_ms : 0, 0);
}

// A timer that is started from inside waits for the next round, even when it is due: otherwise a
// timer that repeats at once would never let go of the loop.
static void real_on_alarm(uv_timer_t *handle) {
    hyi_real *real = (hyi_real *)handle->data;
    real->alarm_ms = HYI_REAL_NO_ALARM;
    uint64_t order_end = real->timers.next_order;
    hy_ns now = real_now(&real->base);
    for (;;) {
        hy_timer *timer = hyi_timers_first(&real->timers);
        if (!timer || timer->due > now || timer->order_ >= order_end) break;
        hyi_timers_stop(&real->timers, timer);
        timer->done(timer);
    }
    real_arm(real);
}

static hy_err real_timer_at(hy_world *world, hy_timer *timer, hy_ns due) {
    hyi_real *real = hyi_real_of(world);
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    hy_err err = hyi_timers_start(&real->timers, timer, due);
    if (err == HY_OK) real_arm(real);
    return err;
}

static void real_timer_stop(hy_world *world, hy_timer *timer) {
    hyi_real *real = hyi_real_of(world);
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    hyi_timers_stop(&real->timers, timer);
    real_arm(real);
}

// ---- clock and dice -----------------------------------------------------------------------------

static hy_ns real_clock(clockid_t id) {
    struct timespec at;
    int failed = clock_gettime(id, &at);
    HY_ASSERT(failed == 0);
    return (hy_ns)at.tv_sec * 1000000000 + at.tv_nsec;
}

// libuv counts on the same clock; real_arm depends on it.
static hy_ns real_now(const hy_world *world) {
    (void)world;
    return real_clock(CLOCK_MONOTONIC);
}

static hy_ns real_wall(const hy_world *world) {
    (void)world;
    return real_clock(CLOCK_REALTIME);
}

static uint64_t real_random(hy_world *world) {
    hyi_real *real = hyi_real_of(world);
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    if (real->random_left == 0) {
        ssize_t got;
        do {
            got = getrandom(real->random, sizeof real->random, 0);
        } while (got < 0 && errno == EINTR);
        HY_ASSERT(got == (ssize_t)sizeof real->random);
        real->random_left = HYI_REAL_RANDOM_WORDS;
    }
    return real->random[--real->random_left];
}

// ---- running ------------------------------------------------------------------------------------

static void real_enter(hyi_real *real) {
    uintptr_t nobody = 0;
    bool free_to_run =
        atomic_compare_exchange_strong(&real->owner, &nobody, (uintptr_t)pthread_self());
    HY_ASSERT(free_to_run); // run and turn do not nest
}

static void real_leave(hyi_real *real) {
    atomic_store(&real->owner, 0);
}

static void real_run(hy_world *world) {
    hyi_real *real = hyi_real_of(world);
    real_enter(real);
    while (!atomic_load_explicit(&real->stop_asked, memory_order_acquire)) {
        bool alive = uv_run(&real->loop, UV_RUN_DEFAULT) != 0;
        if (atomic_load_explicit(&real->stop_asked, memory_order_acquire)) break;
        // Posts alone do not keep the loop alive, so what came in last is looked for here.
        if (!real_deliver(real) && !alive && !uv_loop_alive(&real->loop)) break;
    }
    // Consumed here, so a stop that came before run still ends the next run, and only that one.
    atomic_store(&real->stop_asked, false);
    real_leave(real);
}

static bool real_turn(hy_world *world) {
    hyi_real *real = hyi_real_of(world);
    real_enter(real);
    bool some = real_deliver(real);
    bool alive = uv_run(&real->loop, UV_RUN_NOWAIT) != 0;
    real_leave(real);
    return some || alive || uv_loop_alive(&real->loop) ||
           atomic_load_explicit(&real->posts, memory_order_relaxed) != NULL;
}

static void real_stop(hy_world *world) {
    hyi_real *real = hyi_real_of(world);
    atomic_store_explicit(&real->stop_asked, true, memory_order_release);
    if (real_is_ours(real)) {
        uv_stop(&real->loop);
    } else {
        uv_async_send(&real->wake);
    }
}

// ---- making and closing -------------------------------------------------------------------------

// Writing to a connection that the peer has closed must be an error, not the end of the program.
// Left alone when the program has decided otherwise.
static void real_ignore_broken_pipes(void) {
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) != 0 || now.sa_handler != SIG_DFL) return;
    struct sigaction ignore = { 0 };
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, NULL);
}

// Each of these only fails for lack of descriptors or memory.
static hy_err real_open_loop(hyi_real *real) {
    int failed = uv_loop_init(&real->loop);
    if (failed) return failed == UV_ENOMEM ? HY_NOMEM : HY_LIMIT;
    failed = uv_async_init(&real->loop, &real->wake, real_on_wake);
    if (failed) {
        uv_loop_close(&real->loop);
        return failed == UV_ENOMEM ? HY_NOMEM : HY_LIMIT;
    }
    uv_idle_init(&real->loop, &real->soon);
    uv_timer_init(&real->loop, &real->alarm);
    real->wake.data = real->soon.data = real->alarm.data = real;
    uv_unref((uv_handle_t *)&real->wake);
    return HY_OK;
}

static void real_forbid_open(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (uv_is_closing(handle)) return;
    hy_panic(__FILE__, __LINE__,
             "hy_world_close: something is still open: close streams, listeners, watches, "
             "signals and the library that uses hy_world_loop first");
}

static void real_close_loop(hyi_real *real) {
    uv_close((uv_handle_t *)&real->wake, NULL);
    uv_close((uv_handle_t *)&real->soon, NULL);
    uv_close((uv_handle_t *)&real->alarm, NULL);
    uv_walk(&real->loop, real_forbid_open, NULL);
    do { // a stop that was asked for while nothing ran makes the first round return at once
        uv_run(&real->loop, UV_RUN_DEFAULT);
    } while (uv_loop_alive(&real->loop));
    int busy = uv_loop_close(&real->loop);
    HY_ASSERT(busy == 0);
}

static void real_free(hyi_real *real) {
    hyi_timers_deinit(&real->timers);
    hy_mem_free(real->base.mem, real, sizeof *real);
}

static hy_world_options real_options(const hy_world_options *given) {
    hy_world_options options = { .size = sizeof options };
    HY_ASSERT(HY_IMPLIES(given, given->size <= sizeof options)); // built against a newer header
    if (given) memcpy(&options, given, given->size);
    if (options.work_threads == 0) options.work_threads = 2;
    if (options.work_queue_max == 0) options.work_queue_max = HYI_WORK_QUEUE_MAX;
    if (!options.mem) options.mem = hy_mem_system();
    return options;
}

hy_err hy_world_open(const hy_world_options *given, hy_world **out_world) {
    hy_world_options options = real_options(given);
    hyi_real *real = (hyi_real *)hy_mem_alloc_zero(options.mem, sizeof *real);
    if (!real) return HY_NOMEM;
    real->base = (hy_world){ .door = &real_door, .mem = options.mem };
    real->alarm_ms = HYI_REAL_NO_ALARM;
    hyi_timers_init(&real->timers, options.mem);
    hy_err err = real_open_loop(real);
    if (err == HY_OK) {
        err = hyi_real_pool_open(real, options.work_threads, options.work_queue_max);
        if (err) real_close_loop(real);
    }
    if (err) {
        real_free(real);
        return err;
    }
    real_ignore_broken_pipes();
    *out_world = &real->base;
    return HY_OK;
}

// Work that is out is waited for, and posts that are in are run: each of them was promised a call.
static void real_close(hy_world *world) {
    hyi_real *real = hyi_real_of(world);
    real->closing = true;
    real_enter(real);
    while (real_deliver(real) || real->pool.in_flight > 0)
        uv_run(&real->loop, real->pool.in_flight > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    hyi_real_pool_close(real);
    HY_ASSERT(real->handles == 0);
    HY_ASSERT(atomic_load(&real->files) == 0);
    real_close_loop(real);
    real_leave(real);
    real_free(real);
}

void *hy_world_loop(hy_world *world) {
    return world->door->is_real ? &hyi_real_of(world)->loop : NULL;
}
