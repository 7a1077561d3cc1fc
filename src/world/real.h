// real.h - what the files of the real world share.                 Room: world. Includes: base.
// Threads: everything belongs to the world's thread, but `posts`, `finished`, `stop_asked`, `owner`
// and the pool, which say how they are shared.
#ifndef HYI_WORLD_REAL_H
#define HYI_WORLD_REAL_H

#include "world/door.h"
#include "world/timers.h"
#include "world/works.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#define HYI_REAL_THREADS_MAX 64u
#define HYI_REAL_READ_BUFFER 65536u
#define HYI_REAL_RANDOM_WORDS 32u // 256 bytes: what getrandom gives without a short read

// The threads for blocking work. `lock` guards all fields but `in_flight`.
typedef struct hyi_real_pool {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    hyi_works works;
    uint32_t idle; // threads without work, asleep or on their way
    bool stopping;
    uint32_t thread_count, threads_max;
    pthread_t threads[HYI_REAL_THREADS_MAX];
    uint32_t in_flight; // accepted and neither done nor withdrawn; the world's thread only
} hyi_real_pool;

// The alarm that wakes the loop for the first of `timers`; real_alarm.c.
typedef struct hyi_real_alarm {
    int fd;            // a timerfd; -1: there was none to be had, `coarse` is used
    uv_poll_t poll;    // of the timerfd, for the whole life of the world
    uv_timer_t coarse; // in milliseconds
    hy_ns at;          // what it is armed for: never later than the first timer when the loop
                       // sleeps, often earlier. HY_NEVER: not armed
    bool unread;       // the timerfd has rung and was neither read nor armed again
    bool rang;         // something may be due: look at the clock before sleeping
} hyi_real_alarm;

typedef struct hyi_real {
    hy_world base;
    hy_post *first_post, *last_post; // to be run, oldest first; our own thread alone
    hyi_timers timers;
    hyi_real_alarm alarm;
    bool may_sleep;    // in run, not in turn
    uint32_t expected; // hy_world_expect, and work that is out: `wake` then keeps the loop alive
    bool closing;
    uint32_t handles; // open streams, listeners, connects, watches, signals
    uv_loop_t loop;
    uv_async_t wake;     // from other threads, when the loop sleeps
    uv_prepare_t before; // right before the loop sleeps
    uv_check_t after;    // right after it has polled
    uv_idle_t soon;      // while it runs, the next poll does not sleep
    uint32_t random_left;
    uint64_t random[HYI_REAL_RANDOM_WORDS];

    _Atomic(hy_post *) posts;    // of other threads, newest first; ours takes all
    _Atomic(hy_work *) finished; // the same, from the pool
    atomic_bool stop_asked;
    atomic_bool sleeping;   // in the poll, or about to be: whoever brings something wakes it
    atomic_uintptr_t owner; // pthread_self() of the thread inside run or turn; 0: nobody
    atomic_uint files;      // open; any thread opens and closes them
    hyi_real_pool pool;
    struct real_stream *connecting;            // real_stream.c
    uint8_t read_buffer[HYI_REAL_READ_BUFFER]; // lent to one read at a time
} hyi_real;

static inline hyi_real *hyi_real_of(const hy_world *world) {
    return (hyi_real *)(uintptr_t)world;
}

// real.c
hy_ns hyi_real_now(const hy_world *world);    // any thread
bool hyi_real_may_call(const hyi_real *real); // our thread, or nobody runs the world

// A share of the loop's time: how long one kind of call may go on before sockets are polled again.
// Zeroed at the start. The clock is read rarely, and first when there is a second call to make.
typedef struct hyi_real_share {
    hy_ns since, now; // 0: the clock was not read yet
    uint32_t left, group;
} hyi_real_share;

// real_loop.c
HY_CHECKED hy_err hyi_real_loop_open(hyi_real *real);
void hyi_real_loop_close(hyi_real *real); // all that others opened on it must be closed
void hyi_real_enter(hyi_real *real);
void hyi_real_leave(hyi_real *real);
void hyi_real_run(hy_world *world);
bool hyi_real_turn(hy_world *world);
void hyi_real_stop(hy_world *world);
void hyi_real_finish(hyi_real *real); // waits for work and runs all posts
void hyi_real_post(hy_world *world, hy_post *post);
void hyi_real_expect(hy_world *world, bool expected);
void hyi_real_wake(hyi_real *real); // any thread, after it has stored what it brings
bool hyi_real_stopping(const hyi_real *real);
// Between two calls: true when the loop is to be stopped or the share is used up.
bool hyi_real_share_spent(hyi_real *real, hyi_real_share *share);

// real_alarm.c
void hyi_real_alarm_open(hyi_real *real);
void hyi_real_alarm_close(hyi_real *real);
void hyi_real_alarm_keep(hyi_real *real);            // a running timer keeps the loop alive
void hyi_real_alarm_arm(hyi_real *real);             // before sleeping
void hyi_real_alarm_look(hyi_real *real, hy_ns now); // the clock was read: is something due?
bool hyi_real_alarm_fire(hyi_real *real);            // calls `done` of what is due; true: some
hy_err hyi_real_timer_at(hy_world *world, hy_timer *timer, hy_ns due);
void hyi_real_timer_stop(hy_world *world, hy_timer *timer);

// real_work.c. HY_LIMIT, HY_CLOSED.
HY_CHECKED hy_err hyi_real_pool_open(hyi_real *real, const hy_world_options *options);
void hyi_real_pool_close(hyi_real *real); // nothing may be in flight
hy_err hyi_real_work(hy_world *world, hy_work *work);
hy_err hyi_real_unwork(hy_world *world, hy_work *work);
bool hyi_real_work_deliver(hyi_real *real); // calls `done` of what has finished; true: some

// real_thread.c
// Starts a thread in which only the signals of faults are delivered. `attributes` may be NULL.
// False: the system has no thread left.
HY_CHECKED bool hyi_real_thread_create(pthread_t *out_thread, const pthread_attr_t *attributes,
                                       void *(*run)(void *), void *arg);

// real_file.c
hy_err hyi_real_errno(int number); // the system's error as ours
hy_err hyi_real_file_open(hy_world *world, const char *path, uint32_t mode, hy_file **out_file,
                          hy_why *why);
void hyi_real_file_close(hy_file *file);
hy_err hyi_real_file_read(hy_file *file, uint64_t offset, void *ptr, size_t len, size_t *out_len);
hy_err hyi_real_file_write(hy_file *file, uint64_t offset, hy_bytes bytes);
hy_err hyi_real_file_sync(hy_file *file);
hy_err hyi_real_file_size(hy_file *file, uint64_t *out_size);
hy_err hyi_real_file_truncate(hy_file *file, uint64_t size);
hy_err hyi_real_file_lock(hy_file *file);
hy_err hyi_real_file_remove(hy_world *world, const char *path, bool sync_folder, hy_why *why);
bool hyi_real_file_exists(hy_world *world, const char *path);
hy_err hyi_real_folder_make(hy_world *world, const char *path, hy_why *why);

// real_stream.c
hy_err hyi_real_listen(hy_world *world, const hyi_listen_args *args, hy_listener **out_listener,
                       hy_why *why);
uint16_t hyi_real_listener_port(const hy_listener *listener);
void hyi_real_listener_close(hy_listener *listener);
hy_err hyi_real_connect(hy_world *world, const hyi_connect_args *args, hy_why *why);
void hyi_real_connect_cancel(hy_world *world, void *self);
void hyi_real_stream_start(hy_stream *stream, const hy_stream_events *events, void *self);
hy_err hyi_real_stream_write(hy_stream *stream, hy_bytes bytes);
bool hyi_real_stream_has_drained(const hy_stream *stream);
void hyi_real_stream_pause(hy_stream *stream, bool paused);
void hyi_real_stream_close(hy_stream *stream);

// real_watch.c
hy_err hyi_real_signal_open(hy_world *world, int number, void (*raised)(void *self), void *self,
                            hy_signal **out_signal);
void hyi_real_signal_close(hy_signal *signal);

// real_process.c
hy_err hyi_real_notify(hy_world *world, const char *text);

#endif
