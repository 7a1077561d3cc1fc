// real.c - the real world: what it is made of, its clock and its dice.
//
// The loop is in real_loop.c, timers in real_alarm.c, and each other thing of the outside in a file
// of its own: real_file.c, real_stream.c, real_watch.c, real_work.c, real_process.c.
#include "world/real.h"
#include "base/options.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void real_close(hy_world *world);
static hy_ns real_wall(const hy_world *world);
static uint64_t real_random(hy_world *world);

static const hyi_door real_door = {
    .is_real = true,
    .close = real_close,
    .run = hyi_real_run,
    .turn = hyi_real_turn,
    .stop = hyi_real_stop,
    .now = hyi_real_now,
    .wall = real_wall,
    .random = real_random,
    .post = hyi_real_post,
    .timer_at = hyi_real_timer_at,
    .timer_stop = hyi_real_timer_stop,
    .work = hyi_real_work,
    .unwork = hyi_real_unwork,
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
    .connect_cancel = hyi_real_connect_cancel,
    .stream_start = hyi_real_stream_start,
    .stream_write = hyi_real_stream_write,
    .stream_has_drained = hyi_real_stream_has_drained,
    .stream_pause = hyi_real_stream_pause,
    .stream_close = hyi_real_stream_close,
    .signal_open = hyi_real_signal_open,
    .signal_close = hyi_real_signal_close,
    .notify = hyi_real_notify,
    .expect = hyi_real_expect,
};

bool hyi_real_may_call(const hyi_real *real) {
    uintptr_t owner = atomic_load_explicit(&real->owner, memory_order_relaxed);
    return owner == 0 || owner == (uintptr_t)pthread_self();
}

// ---- clock and dice -----------------------------------------------------------------------------

static hy_ns real_clock(clockid_t id) {
    struct timespec at;
    int failed = clock_gettime(id, &at);
    HY_ASSERT(failed == 0);
    return (hy_ns)at.tv_sec * 1000000000 + at.tv_nsec;
}

// libuv counts on the same clock; real_alarm.c depends on it.
hy_ns hyi_real_now(const hy_world *world) {
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

static void real_free(hyi_real *real) {
    hyi_timers_deinit(&real->timers);
    hy_mem_free(real->base.mem, real, sizeof *real);
}

static hy_world_options real_options(const hy_world_options *given) {
    hy_world_options options;
    hyi_options_read(&options, sizeof options, given);
    if (!options.mem) options.mem = hy_mem_system();
    return options;
}

hy_err hy_world_open(const hy_world_options *given, hy_world **out_world) {
    hy_world_options options = real_options(given);
    hyi_real *real = (hyi_real *)hy_mem_alloc_zero(options.mem, sizeof *real);
    if (!real) return HY_NOMEM;
    real->base = (hy_world){ .door = &real_door, .mem = options.mem };
    hyi_timers_init(&real->timers, options.mem);
    hy_err err = hyi_real_loop_open(real);
    if (err == HY_OK) {
        err = hyi_real_pool_open(real, &options);
        if (err) hyi_real_loop_close(real);
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
    hyi_real_enter(real);
    hyi_real_finish(real);
    hyi_real_pool_close(real);
    HY_ASSERT(real->handles == 0);
    HY_ASSERT(atomic_load(&real->files) == 0);
    hyi_real_loop_close(real);
    hyi_real_leave(real);
    real_free(real);
}

void *hy_world_loop(hy_world *world) {
    return world->door->is_real ? &hyi_real_of(world)->loop : NULL;
}
