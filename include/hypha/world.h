// hypha/world.h - the only door to everything outside.            Room: world. Includes: base.
// Threads: a world runs on the thread that calls hy_world_run; HY_ANY_THREAD marks the rest.
//
// Clock, dice, timers, blocking work, files, streams and signals, behind one interface with two
// makers: the real world (libuv) and the simulated one (virtual time; what runs next, every delay
// and every fault drawn from one seed). Code that is given a world cannot tell which it lives in.
//
// Every asynchronous thing is a record that the caller owns and embeds. One `done` per accepted
// submit; one that was refused or withdrawn never completes. `done` runs on the world's thread.
#ifndef HYPHA_WORLD_H
#define HYPHA_WORLD_H

#include <hypha/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hy_world hy_world;

// ---- making and running -----------------------------------------------------------------------

// What blocking work waits for, so that much of one never holds up another.
typedef enum hy_work_kind {
    HY_WORK_ANY,
    HY_WORK_DISK,
    HY_WORK_DNS,
    HY_WORK_SQLITE,
    HY_WORK_CRYPTO,
    HY_WORK_KINDS
} hy_work_kind;

typedef struct hy_world_options {
    size_t size;
    // Threads for blocking work are started when they are needed, up to this many (at most 64). 0:
    // as many as all kinds may run at once; with fewer, a kind may have to wait for another.
    uint32_t work_threads;
    uint32_t work_queue_max; // waiting, of each kind; 0: 1,024; more is refused with HY_LIMIT
    hy_mem *mem;             // NULL: the system's; must be thread-safe
    // How much of each kind runs at once; 0: 4, and of crypto 2.
    uint32_t work_at_once[HY_WORK_KINDS];
} hy_world_options;

HY_API HY_CHECKED hy_err hy_world_open(const hy_world_options *options, hy_world **out_world);

// Simulated. Faults are off unless asked for; `random` and every choice come from `seed`.
typedef struct hy_sim_options {
    size_t size;
    uint64_t seed;
    hy_ns wall_start;                     // 0: 2026-01-05 00:00:00 UTC, a Monday
    hy_ns delay_max;                      // of work, timers' lateness and streams; 0: 1 ms
    hy_mem *mem;                          // NULL: the system's
    uint32_t event_log_max;               // events kept for a failure report; 0: 4,096
    uint32_t work_at_once[HY_WORK_KINDS]; // as in hy_world_options
} hy_sim_options;
HY_API HY_CHECKED hy_err hy_sim_open(const hy_sim_options *options, hy_world **out_world);

// Runs until hy_world_stop, or until nothing can happen any more. A stop that came before counts.
HY_API void hy_world_run(hy_world *world);
// One round; the real world waits for nothing. False: nothing is left.
HY_API bool hy_world_turn(hy_world *world);
HY_API HY_ANY_THREAD void hy_world_stop(hy_world *world);
// NULL is fine. Waits for work and runs what was posted; all else must be closed. Returns NULL.
HY_API hy_world *hy_world_close(hy_world *world);

HY_API hy_mem *hy_world_mem(hy_world *world); // thread-safe
HY_API hy_mem *hy_mem_system(void);           // malloc's; thread-safe

HY_API HY_ANY_THREAD hy_ns
hy_world_now(const hy_world *world); // monotonic: for deadlines and durations
HY_API HY_ANY_THREAD hy_ns hy_world_wall(const hy_world *world); // since 1970, UTC; may step back
HY_API uint64_t hy_world_random(hy_world *world);

// Which of `count` (at least 1) ready things runs next: 0 .. count - 1, 0 the oldest. The real
// world always takes the oldest; a simulated one throws its seed's dice, but none for a count of 1.
HY_API uint32_t hy_world_choose(hy_world *world, uint32_t count);
// A line in the event log and the digest of a simulated world (hy_sim_log_next); nothing in the
// real one. `what` is static text.
HY_API void hy_world_note(hy_world *world, const char *what, uint64_t subject, uint64_t value);

// ---- posts, timers, work ----------------------------------------------------------------------

// Runs `done` on the world's thread soon, in order of posting. Cheap from that thread itself: a
// post that posts itself again costs no system call, and still holds up neither timers nor sockets.
typedef struct hy_post hy_post;
struct hy_post {
    void (*done)(hy_post *post);
    struct hy_post *next_; // the world's
};
HY_API HY_ANY_THREAD void hy_world_post(hy_world *world, hy_post *post); // never refuses
// Another thread is going to post: until it is taken back with `false`, the world does not end for
// want of anything to do. Counted. A simulated world has no other threads, and takes no notice.
HY_API void hy_world_expect(hy_world *world, bool expected);

// Calls `done` once `due` (hy_world_now) has come: never early, late by what the scheduler of the
// system and the callbacks before it take (simulated: up to delay_max). Start again from inside
// `done` to repeat. Starting and stopping cost no system call.
typedef struct hy_timer hy_timer;
struct hy_timer {
    void (*done)(hy_timer *timer);
    hy_ns due;
    uint64_t order_; // the world's: equal dues fire in order of start
    uint32_t index_; // the world's: place in the heap, 0 when not running
};
HY_API HY_CHECKED hy_err hy_timer_at(hy_world *world, hy_timer *timer,
                                     hy_ns due);             // moves a running one; HY_NOMEM
HY_API void hy_timer_stop(hy_world *world, hy_timer *timer); // fine when not running

// `run` on another thread (simulated: later, on this one), then `done` here. Work of one kind
// starts in the order of submitting, at most work_at_once of it at a time.
typedef struct hy_work hy_work;
struct hy_work {
    void (*run)(hy_work *work);
    void (*done)(hy_work *work);
    uint32_t kind;     // hy_work_kind
    void *private_[4]; // the world's
};
HY_API HY_CHECKED hy_err hy_world_work(hy_world *world, hy_work *work); // HY_LIMIT, HY_CLOSED
// Withdraws work whose `done` has not come yet. HY_OK: it will neither run nor complete. HY_BUSY:
// it runs or has run, and `done` will come.
HY_API HY_CHECKED hy_err hy_world_unwork(hy_world *world, hy_work *work);

// ---- threads ----------------------------------------------------------------------------------
//
// For rooms that run one world a thread (actors' workers). All else that blocks is work, see above.

typedef struct hy_thread hy_thread;

typedef struct hy_thread_options {
    size_t size;
    const char *name;     // at most 15 bytes, as debuggers and top show it; copied; NULL: none
    uint32_t cpu;         // 0: any; else it stays on the (cpu - 1)th of those hy_world_cores counts
    uint64_t stack_bytes; // 0: the system's default; rounded up to what the system asks for
} hy_thread_options;

// Runs run(arg) on a thread of its own. No signal is delivered there but those of faults. Only the
// memory and the kind of `world` matter: the thread may open and run one of its own. HY_NOMEM,
// HY_LIMIT (threads or memory for the stack), HY_RANGE (no such cpu), HY_UNSUPPORTED (simulated).
HY_API HY_ANY_THREAD HY_CHECKED hy_err hy_thread_start(hy_world *world,
                                                       const hy_thread_options *options,
                                                       void (*run)(void *arg), void *arg,
                                                       hy_thread **out_thread);
// Waits until `run` has returned, then frees; NULL is fine. Once, before the world is closed, and
// not from the thread itself. Blocks: it is for threads that run no world at the moment.
HY_API HY_ANY_THREAD void hy_thread_join(hy_thread *thread);
// Processors that this process may use (its affinity, not cgroup quotas); simulated: 1.
HY_API HY_ANY_THREAD uint32_t hy_world_cores(const hy_world *world);

// ---- files ------------------------------------------------------------------------------------
// Blocking and positional; call them from work. Errors: HY_NOT_FOUND, HY_IO, HY_DISK_FULL,
// HY_READ_ONLY, HY_LOCKED, HY_NOMEM, HY_LIMIT (descriptors); `why` has the path and the system's
// words.

typedef struct hy_file hy_file;

typedef enum hy_file_mode {
    HY_FILE_READ = 1,
    HY_FILE_WRITE = 2,     // read and write
    HY_FILE_CREATE = 4,    // with WRITE: make it if it is not there
    HY_FILE_EXCLUSIVE = 8, // with CREATE: HY_EXISTS if it is there
} hy_file_mode;

HY_API HY_CHECKED hy_err hy_file_open(hy_world *world, const char *path, uint32_t mode,
                                      hy_file **out_file, hy_why *why);
HY_API void hy_file_close(hy_file *file); // NULL is fine; does not sync
// Reads up to `len`; *out_len < len only at the end of the file.
HY_API HY_CHECKED hy_err hy_file_read(hy_file *file, uint64_t offset, void *ptr, size_t len,
                                      size_t *out_len);
HY_API HY_CHECKED hy_err hy_file_write(hy_file *file, uint64_t offset, hy_bytes bytes); // all of it
HY_API HY_CHECKED hy_err hy_file_sync(hy_file *file); // data and size are durable
HY_API HY_CHECKED hy_err hy_file_size(hy_file *file, uint64_t *out_size);
HY_API HY_CHECKED hy_err hy_file_truncate(hy_file *file, uint64_t size);
// Whole-file advisory lock against other processes, kept until close. HY_LOCKED.
HY_API HY_CHECKED hy_err hy_file_lock(hy_file *file);
HY_API HY_CHECKED hy_err hy_file_remove(hy_world *world, const char *path, bool sync_folder,
                                        hy_why *why);
HY_API bool hy_file_exists(hy_world *world, const char *path);
HY_API HY_CHECKED hy_err hy_folder_make(hy_world *world, const char *path,
                                        hy_why *why); // fine if there

// Where the real world keeps its files open to a library that insists on doing its own I/O
// (SQLite): true in the real world, false in a simulated one, where the library must go through the
// calls above.
HY_API bool hy_world_is_real(const hy_world *world);

// ---- streams ----------------------------------------------------------------------------------
//
// TCP in the real world, byte pipes in the simulated one. Reads push: `read` is called with
// borrowed bytes, with len 0 at the end, or with an error; then `closed` follows close. Hosts are
// IP addresses in numbers or "localhost" (HY_MALFORMED). Nobody listens: HY_NOT_FOUND; the other
// end is gone: HY_CLOSED.

typedef struct hy_listener hy_listener;
typedef struct hy_stream hy_stream;

typedef struct hy_stream_events {
    void (*read)(void *self, hy_stream *stream, hy_err err, hy_bytes bytes);
    void (*drained)(void *self, hy_stream *stream); // everything written has left
    void (*closed)(void *self, hy_stream *stream);  // last call; the stream is gone afterwards
} hy_stream_events;

HY_API HY_CHECKED hy_err hy_listen(hy_world *world, const char *host, uint16_t port,
                                   uint32_t backlog,
                                   void (*accepted)(void *self, hy_stream *stream), void *self,
                                   hy_listener **out_listener, hy_why *why); // HY_BUSY: port in use
HY_API uint16_t hy_listener_port(const hy_listener *listener); // port 0 asks for a free one
HY_API void hy_listener_close(hy_listener *listener);
HY_API HY_CHECKED hy_err hy_connect(hy_world *world, const char *host, uint16_t port,
                                    void (*connected)(void *self, hy_err err, hy_stream *stream),
                                    void *self, hy_why *why);
// Gives up what was asked with this `self`, if that is still under way: `connected` then comes
// soon, with HY_CANCELLED.
HY_API void hy_connect_cancel(hy_world *world, void *self);
HY_API void hy_stream_start(hy_stream *stream, const hy_stream_events *events, void *self);
HY_API HY_CHECKED hy_err hy_stream_write(hy_stream *stream,
                                         hy_bytes bytes);   // copies; HY_LIMIT over 16 MiB queued
HY_API bool hy_stream_has_drained(const hy_stream *stream); // everything written has left
// No `read` while paused; what arrives then waits, and in the end holds up the other side.
HY_API void hy_stream_pause(hy_stream *stream, bool paused);
HY_API void hy_stream_close(hy_stream *stream); // once; what has not drained may be lost

// ---- descriptors (real world only; a simulated one refuses with HY_UNSUPPORTED) ---------------

// Calls `ready` while `fd` is readable (1) or writable (2), as asked for: for libraries that own
// their sockets (libcurl, libwebsockets), and for fibers. A watch stays registered: asking for what
// it is asked for already costs nothing, a change costs two system calls. So who reads until there
// is nothing leaves it on while doing something else, and pauses only when `ready` comes at a time
// when nobody wants to read: what is ready and not read makes every round of the loop call again.
typedef struct hy_watch hy_watch;
HY_API HY_CHECKED hy_err hy_watch_open(hy_world *world, int fd,
                                       void (*ready)(void *self, uint32_t events), void *self,
                                       hy_watch **out_watch);
HY_API HY_CHECKED hy_err hy_watch_set(hy_watch *watch, uint32_t events); // 0: pause
HY_API void hy_watch_close(hy_watch *watch);
HY_API void *hy_world_loop(hy_world *world); // the uv_loop_t, for `net` alone; NULL when simulated

// ---- signals and the process ------------------------------------------------------------------

// Calls `raised` on the world's thread after the signal came; once for several that come together.
// HY_UNSUPPORTED: nobody can catch that one. Simulated: hy_sim_raise.
typedef struct hy_signal hy_signal;
HY_API HY_CHECKED hy_err hy_signal_open(hy_world *world, int number, void (*raised)(void *self),
                                        void *self, hy_signal **out_signal);
HY_API void hy_signal_close(hy_signal *signal);

// Limits of the whole process, set within what the system allows it; 0: as it is. Above that
// nothing is set: HY_LIMIT, and `why` says which limit to raise. Simulated: HY_UNSUPPORTED.
typedef struct hy_process_limits {
    size_t size;
    uint64_t memory_bytes_max; // of addresses, not of what is resident; stacks and files count
    uint64_t files_max;        // open descriptors
} hy_process_limits;
HY_API HY_CHECKED hy_err hy_world_limit_process(hy_world *world, const hy_process_limits *limits,
                                                hy_why *why);

typedef struct hy_process_facts {
    uint64_t resident_bytes, resident_bytes_peak;
    hy_ns cpu; // of all threads, since the start
    uint32_t files_open;
} hy_process_facts;
// Some 20 us: it reads /proc. What cannot be known, and everything in a simulated world, is 0.
HY_API HY_ANY_THREAD void hy_world_process(hy_world *world, hy_process_facts *out_facts);

// Tells the service manager, as sd_notify(3) does: "READY=1", "STOPPING=1", "STATUS=...". Does not
// wait. HY_MISSING: $NOTIFY_SOCKET is not set, so nobody wants to know; HY_MALFORMED: it is neither
// a path nor an @name; HY_NOT_FOUND, HY_BUSY, HY_TOO_LARGE (past 1,023 bytes), HY_IO.
HY_API HY_CHECKED hy_err hy_world_notify(hy_world *world, const char *text);

// For the handler of a fatal signal: async-signal-safe, needs no world, and belongs to the real
// one. Replaces the file, or (`more`) appends to it; readable by its owner alone. HY_IO: nobody
// will read it.
HY_API HY_ANY_THREAD hy_err hy_last_words(const char *path, hy_bytes words, bool more);

// ---- what a simulated world can be told to do -------------------------------------------------

// Faults of the disk, each 0 (never) to 1,000,000 (always) per call, drawn from the seed.
typedef struct hy_sim_faults {
    uint32_t read_error_ppm, write_error_ppm, sync_error_ppm; // EIO once
    uint32_t disk_full_ppm;
    uint64_t disk_bytes_max; // 0: no limit; beyond it writes fail with HY_DISK_FULL
    bool dead_disk;          // every further call fails
    // The call with this number (counted like crash points) fails, and only that one: with an I/O
    // error, or because the disk is full. 0: none. A write that fails for want of room is never
    // whole.
    uint64_t error_at, full_at;
    bool fault_stays;      // the calls after it fail too
    bool sync_error_drops; // a failed sync forgets: reads show it, no later sync saves it
} hy_sim_faults;
HY_API void hy_sim_set_faults(hy_world *world, const hy_sim_faults *faults);

// Crash points: every disk call that changes something has a number, from 1. At number `at` the
// call happens in full, in part or not at all (seeded), and from then on every call fails until
// restart, and hy_world_run and hy_world_turn run nothing.
HY_API uint64_t hy_sim_disk_calls(const hy_world *world);
HY_API void hy_sim_crash_at(hy_world *world, uint64_t at); // 0: never
HY_API bool hy_sim_has_crashed(const hy_world *world);
// The machine comes up again: synced bytes are there; each unsynced write is, seeded, there, gone,
// or torn at a 512-byte sector, in any order. Open files are invalid, streams and listeners dead:
// they may still be closed, or are freed with the world. Pending posts, timers and work are gone,
// their records untouched. Called from outside the world's callbacks; without a crash before, it
// is the power that goes.
HY_API void hy_sim_restart(hy_world *world);
HY_API void hy_sim_flip_bit(hy_world *world, const char *path, uint64_t bit); // bit rot
// Lets virtual time pass, running what falls due.
HY_API void hy_sim_advance(hy_world *world, hy_ns duration);
HY_API void hy_sim_step_wall(hy_world *world, hy_ns by); // the wall clock jumps
// The signal arrives after a seeded delay at each hy_signal that is open for it now; nobody else is
// hurt. Raised again before that, it arrives once.
HY_API void hy_sim_raise(hy_world *world, int number);
// What hy_world_notify was last given since the last restart, or "". Borrowed until the next one.
HY_API const char *hy_sim_notified(const hy_world *world);
// FNV-1a of everything the world was asked and answered: equal seeds and programs give equal
// digests.
HY_API uint64_t hy_sim_digest(const hy_world *world);

// The latest events, oldest first, for a failure report; `event_log_max` of them are kept. Start
// with *cursor = 0; anything that runs in the world invalidates nothing but may drop the oldest.
typedef struct hy_sim_event {
    uint64_t number; // from 1
    hy_ns at;
    const char *what; // static text: "file write", "timer"...
    uint64_t subject; // number of the file, stream, timer or work
    uint64_t value;   // offset, bytes, delay or hy_err: what the kind of event has
} hy_sim_event;
HY_API bool hy_sim_log_next(const hy_world *world, uint64_t *cursor, hy_sim_event *out_event);

// ---- pages that can be write-protected --------------------------------------------------------
//
// What hypha/machine.h asks of a test's world: a write that was not logged then faults, and a
// handler prints the stack. `world` may not know `machine`, so the port is declared in
// hypha/base.h.
HY_API hy_guard *hy_guard_pages(void); // one for the process, never freed

#ifdef __cplusplus
}
#endif
#endif
