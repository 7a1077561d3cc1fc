// door.h - what a maker of worlds must bring.                      Room: world. Includes: base.
// Threads: as in hypha/world.h.
//
// The public functions (world.c) check the caller and go through this table; real.c and sim.c each
// fill one. A world, a file, a stream, a listener and a signal all begin with the struct declared
// here, so the public function finds the table without knowing the maker. Nobody outside this room
// includes this file.
#ifndef HYI_WORLD_DOOR_H
#define HYI_WORLD_DOOR_H

#include <hypha/world.h>

#define HYI_NOTIFY_MAX 1023u
#define HYI_STREAM_QUEUE_MAX ((size_t)16 << 20)

typedef void (*hyi_accepted)(void *self, hy_stream *stream);
typedef void (*hyi_connected)(void *self, hy_err err, hy_stream *stream);

typedef struct hyi_listen_args {
    const char *host;
    uint16_t port;
    uint32_t backlog;
    hyi_accepted accepted;
    void *self;
} hyi_listen_args;

typedef struct hyi_connect_args {
    const char *host;
    uint16_t port;
    hyi_connected connected;
    void *self;
} hyi_connect_args;

typedef struct hyi_door {
    bool is_real;
    void (*close)(hy_world *world); // frees the world
    void (*run)(hy_world *world);
    bool (*turn)(hy_world *world);
    void (*stop)(hy_world *world);
    hy_ns (*now)(const hy_world *world);
    hy_ns (*wall)(const hy_world *world);
    uint64_t (*random)(hy_world *world);
    uint32_t (*choose)(hy_world *world, uint32_t count); // of 2 or more; simulated only
    void (*note)(hy_world *world, const char *what, uint64_t subject,
                 uint64_t value); // simulated only

    void (*post)(hy_world *world, hy_post *post);
    hy_err (*timer_at)(hy_world *world, hy_timer *timer, hy_ns due);
    void (*timer_stop)(hy_world *world, hy_timer *timer);
    hy_err (*work)(hy_world *world, hy_work *work);
    hy_err (*unwork)(hy_world *world, hy_work *work);

    hy_err (*file_open)(hy_world *world, const char *path, uint32_t mode, hy_file **out_file,
                        hy_why *why);
    void (*file_close)(hy_file *file);
    hy_err (*file_read)(hy_file *file, uint64_t offset, void *ptr, size_t len, size_t *out_len);
    hy_err (*file_write)(hy_file *file, uint64_t offset, hy_bytes bytes);
    hy_err (*file_sync)(hy_file *file);
    hy_err (*file_size)(hy_file *file, uint64_t *out_size);
    hy_err (*file_truncate)(hy_file *file, uint64_t size);
    hy_err (*file_lock)(hy_file *file);
    hy_err (*file_remove)(hy_world *world, const char *path, bool sync_folder, hy_why *why);
    bool (*file_exists)(hy_world *world, const char *path);
    hy_err (*folder_make)(hy_world *world, const char *path, hy_why *why);

    hy_err (*listen)(hy_world *world, const hyi_listen_args *args, hy_listener **out_listener,
                     hy_why *why);
    uint16_t (*listener_port)(const hy_listener *listener);
    void (*listener_close)(hy_listener *listener);
    hy_err (*connect)(hy_world *world, const hyi_connect_args *args, hy_why *why);
    void (*connect_cancel)(hy_world *world, void *self);
    void (*stream_start)(hy_stream *stream, const hy_stream_events *events, void *self);
    hy_err (*stream_write)(hy_stream *stream, hy_bytes bytes);
    bool (*stream_has_drained)(const hy_stream *stream);
    void (*stream_pause)(hy_stream *stream, bool paused);
    void (*stream_close)(hy_stream *stream);

    hy_err (*signal_open)(hy_world *world, int number, void (*raised)(void *self), void *self,
                          hy_signal **out_signal);
    void (*signal_close)(hy_signal *signal);
    hy_err (*notify)(hy_world *world, const char *text);
    void (*expect)(hy_world *world, bool expected); // NULL: takes no notice
} hyi_door;

// Each maker's own struct begins with one of these.
struct hy_world {
    const hyi_door *door;
    hy_mem *mem;
};

struct hy_file {
    hy_world *world;
};

struct hy_stream {
    hy_world *world;
};

struct hy_listener {
    hy_world *world;
};

struct hy_signal {
    hy_world *world;
};

// Copies a NUL-ended text; the caller gives it back with hy_mem_free(mem, text, strlen(text) + 1).
// NULL: no memory.
char *hyi_text_copy(hy_mem *mem, const char *text);

// The part of `path` before its last slash: "." when there is none, "/" for "/x". HY_LIMIT when it
// does not fit.
hy_err hyi_path_folder(const char *path, char *out_folder, size_t size);

// HY_BUSY, and what to do about it.
hy_err hyi_port_in_use(hy_why *why, const char *host, uint16_t port);

#endif
