// sim.h - what the files of the simulated world share.             Room: world. Includes: base.
// Threads: one. A simulated world has no threads at all; only hy_world_stop may come from another.
//
// Everything that could go this way or that asks hyi_sim_below, and every answer goes into the
// digest. Each part of the world has its own dice, so that one more throw in one part does not
// shift the throws of another.
#ifndef HYI_WORLD_SIM_H
#define HYI_WORLD_SIM_H

#include "world/door.h"
#include "world/timers.h"
#include "world/works.h"

#include <stdatomic.h>

#define HYI_SIM_READ_BUFFER 65536u
#define HYI_SIM_SECTOR 512u

typedef enum hyi_sim_dice {
    HYI_DICE_RANDOM,   // hy_world_random
    HYI_DICE_SCHEDULE, // what runs next
    HYI_DICE_WORK,     // delays of work
    HYI_DICE_STREAM,   // delays, splits and losses of streams
    HYI_DICE_READ,     // read errors
    HYI_DICE_WRITE,    // write errors and full disks
    HYI_DICE_SYNC,     // sync errors
    HYI_DICE_CRASH,    // what a crash leaves behind
    HYI_DICE_CHOOSE,   // hy_world_choose
    HYI_DICE_UNWORK,   // whether work can still be withdrawn
    HYI_DICE_SIGNAL,   // delays of signals
    HYI_DICE_COUNT
} hyi_sim_dice;

typedef struct hyi_sim hyi_sim;

// Something that happens at a time. The heap is ordered by (at, order).
typedef struct hyi_sim_due {
    hy_ns at;
    uint64_t order;
    void (*fire)(hyi_sim *sim, void *self);
    void *self;
} hyi_sim_due;

struct hyi_sim_node;
struct hyi_sim_name;
struct hyi_sim_file;
struct hyi_sim_stream;
struct hyi_sim_listener;
struct hyi_sim_signal;

typedef struct hyi_sim_disk {
    struct hyi_sim_node *nodes; // contents, also of removed files that are still open
    struct hyi_sim_name *names; // what paths mean, now and after a crash
    struct hyi_sim_file *files; // open, also those that a restart made invalid
    uint64_t next_node;
    uint64_t bytes_used; // of all contents, as a running system sees them
    uint64_t generation; // grows with each restart
    uint64_t calls;      // that changed something
    uint64_t crash_at;   // 0: never
    bool crashed;
    hy_sim_faults faults;
} hyi_sim_disk;

typedef struct hyi_sim_net {
    struct hyi_sim_stream *streams;
    struct hyi_sim_listener *listeners;
    uint64_t next_number;
    uint16_t next_port;
    uint32_t closing; // streams whose `closed` is on its way
} hyi_sim_net;

struct hyi_sim {
    hy_world base;
    uint64_t seed;
    uint64_t dice[HYI_DICE_COUNT];
    hy_ns now, wall_ahead, delay_max; // wall = now + wall_ahead
    hyi_timers timers;
    hy_post *first_post, *last_post;
    hyi_sim_due *due;
    uint32_t due_count, due_capacity;
    uint32_t due_promised; // places that are kept free for those who may not fail later
    uint64_t next_order;
    hyi_works works;
    uint32_t works_out; // accepted and neither done nor withdrawn
    atomic_bool stop_asked;
    hyi_sim_disk disk;
    hyi_sim_net net;
    struct hyi_sim_signal *signals;
    char notified[HYI_NOTIFY_MAX + 1];
    uint64_t digest;
    hy_sim_event *log;
    uint32_t log_capacity;
    uint64_t log_next; // number of the next event, from 1
    uint8_t read_buffer[HYI_SIM_READ_BUFFER];
};

static inline hyi_sim *hyi_sim_of(const hy_world *world) {
    return (hyi_sim *)(uintptr_t)world;
}

// sim.c
uint64_t hyi_sim_below(hyi_sim *sim, hyi_sim_dice dice, uint64_t bound); // 0 .. bound - 1
bool hyi_sim_strikes(hyi_sim *sim, hyi_sim_dice dice, uint32_t ppm);     // no throw when 0
hy_ns hyi_sim_delay(hyi_sim *sim, hyi_sim_dice dice);                    // 0 .. delay_max
void hyi_sim_note(hyi_sim *sim, const char *what, uint64_t subject, uint64_t value);
void hyi_sim_note_bytes(hyi_sim *sim, hy_bytes bytes); // into the digest only
// Keeps `count` places free in the heap, so that as many calls of hyi_sim_after cannot fail.
HY_CHECKED hy_err hyi_sim_promise(hyi_sim *sim, uint32_t count);
void hyi_sim_unpromise(hyi_sim *sim, uint32_t count);
void hyi_sim_after(hyi_sim *sim, hy_ns delay, void (*fire)(hyi_sim *sim, void *self), void *self);
void hyi_sim_forget(hyi_sim *sim, const void *self); // takes its one event out of the heap

// sim_work.c
hy_err hyi_sim_work(hy_world *world, hy_work *work);
hy_err hyi_sim_unwork(hy_world *world, hy_work *work);
void hyi_sim_work_restart(hyi_sim *sim); // the heap is empty already

// sim_signal.c
hy_err hyi_sim_signal_open(hy_world *world, int number, void (*raised)(void *self), void *self,
                           hy_signal **out_signal);
void hyi_sim_signal_close(hy_signal *signal);
void hyi_sim_signals_restart(hyi_sim *sim);
void hyi_sim_signals_free(hyi_sim *sim); // no live signal may be open
hy_err hyi_sim_notify(hy_world *world, const char *text);

// sim_disk.c
void hyi_sim_disk_restart(hyi_sim *sim);
void hyi_sim_disk_free(hyi_sim *sim); // no valid file may be open
hy_err hyi_sim_file_open(hy_world *world, const char *path, uint32_t mode, hy_file **out_file,
                         hy_why *why);
void hyi_sim_file_close(hy_file *file);
hy_err hyi_sim_file_read(hy_file *file, uint64_t offset, void *ptr, size_t len, size_t *out_len);
hy_err hyi_sim_file_write(hy_file *file, uint64_t offset, hy_bytes bytes);
hy_err hyi_sim_file_sync(hy_file *file);
hy_err hyi_sim_file_size(hy_file *file, uint64_t *out_size);
hy_err hyi_sim_file_truncate(hy_file *file, uint64_t size);
hy_err hyi_sim_file_lock(hy_file *file);
hy_err hyi_sim_file_remove(hy_world *world, const char *path, bool sync_folder, hy_why *why);
bool hyi_sim_file_exists(hy_world *world, const char *path);
hy_err hyi_sim_folder_make(hy_world *world, const char *path, hy_why *why);

// sim_stream.c
void hyi_sim_net_restart(hyi_sim *sim);
void hyi_sim_net_free(hyi_sim *sim); // no live stream or listener may be open
hy_err hyi_sim_listen(hy_world *world, const hyi_listen_args *args, hy_listener **out_listener,
                      hy_why *why);
uint16_t hyi_sim_listener_port(const hy_listener *listener);
void hyi_sim_listener_close(hy_listener *listener);
hy_err hyi_sim_connect(hy_world *world, const hyi_connect_args *args, hy_why *why);
void hyi_sim_connect_cancel(hy_world *world, void *self);
void hyi_sim_stream_start(hy_stream *stream, const hy_stream_events *events, void *self);
hy_err hyi_sim_stream_write(hy_stream *stream, hy_bytes bytes);
bool hyi_sim_stream_has_drained(const hy_stream *stream);
void hyi_sim_stream_pause(hy_stream *stream, bool paused);
void hyi_sim_stream_close(hy_stream *stream);

#endif
