// real.h - what the files of the real world share.                 Room: world. Includes: base.
// Threads: everything belongs to the world's thread, but `posts`, `finished`, `stop_asked`, `owner`
// and the pool, which say how they are shared.
#ifndef HYI_WORLD_REAL_H
#define HYI_WORLD_REAL_H

#include "world/door.h"
#include "world/timers.h"

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
    hy_work *first, *last; // waiting, joined by hyi_work_next
    uint32_t queued, queue_max, idle;
    bool stopping;
    uint32_t thread_count;
    pthread_t threads[HYI_REAL_THREADS_MAX];
    uint32_t in_flight; // accepted and not yet done; the world's thread only
} hyi_real_pool;

typedef struct hyi_real {
    hy_world base;
    uv_loop_t loop;
    uv_async_t wake;   // from other threads: posts, finished work, stop
    uv_idle_t soon;    // from our own thread: the next round does not sleep
    uv_timer_t alarm;  // armed for the first of `timers`
    uint64_t alarm_ms; // what it is armed for, on libuv's clock; HYI_REAL_NO_ALARM
    hyi_timers timers;
    _Atomic(hy_post *) posts;    // newest first; any thread pushes, ours takes all
    _Atomic(hy_work *) finished; // the same, from the pool
    atomic_bool stop_asked;
    atomic_uintptr_t owner; // pthread_self() of the thread inside run or turn; 0: nobody
    hyi_real_pool pool;
    bool closing;
    atomic_uint files; // open; any thread opens and closes them
    uint32_t handles;  // open streams, listeners, connects, watches, signals
    uint32_t random_left;
    uint64_t random[HYI_REAL_RANDOM_WORDS];
    uint8_t read_buffer[HYI_REAL_READ_BUFFER]; // lent to one read at a time
} hyi_real;

#define HYI_REAL_NO_ALARM UINT64_MAX

// The link of a work record inside a list; one list at a time.
static inline hy_work *hyi_work_next(const hy_work *work) {
    return (hy_work *)work->private_[0];
}

static inline void hyi_work_link(hy_work *work, hy_work *next) {
    work->private_[0] = next;
}

static inline hyi_real *hyi_real_of(const hy_world *world) {
    return (hyi_real *)(uintptr_t)world;
}

// real.c
bool hyi_real_may_call(const hyi_real *real); // our thread, or nobody runs the world
void hyi_real_wake(hyi_real *real);           // any thread

// real_work.c. HY_LIMIT, HY_CLOSED.
HY_CHECKED hy_err hyi_real_pool_open(hyi_real *real, uint32_t threads, uint32_t queue_max);
void hyi_real_pool_close(hyi_real *real); // nothing may be in flight
hy_err hyi_real_work(hy_world *world, hy_work *work);
bool hyi_real_work_deliver(hyi_real *real); // calls `done` of what has finished; true: some

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
void hyi_real_stream_start(hy_stream *stream, const hy_stream_events *events, void *self);
hy_err hyi_real_stream_write(hy_stream *stream, hy_bytes bytes);
void hyi_real_stream_close(hy_stream *stream);

#endif
