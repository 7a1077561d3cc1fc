// world.c - the public functions: check the caller, then go through the door of the maker.
//
// Nothing here decides anything. What a call means is in hypha/world.h; how it happens is in
// real*.c and sim*.c. The calls that only one maker knows (hy_sim_*, hy_watch_*, hy_world_process)
// live with it.
#include "world/door.h"
#include "base/why.h"

#include <arpa/inet.h>
#include <string.h>

void hy_world_run(hy_world *world) {
    world->door->run(world);
}

bool hy_world_turn(hy_world *world) {
    return world->door->turn(world);
}

void hy_world_stop(hy_world *world) {
    world->door->stop(world);
}

hy_world *hy_world_close(hy_world *world) {
    if (world) world->door->close(world);
    return NULL;
}

hy_mem *hy_world_mem(hy_world *world) {
    return world->mem;
}

hy_ns hy_world_now(const hy_world *world) {
    return world->door->now(world);
}

hy_ns hy_world_wall(const hy_world *world) {
    return world->door->wall(world);
}

uint64_t hy_world_random(hy_world *world) {
    return world->door->random(world);
}

uint32_t hy_world_choose(hy_world *world, uint32_t count) {
    HY_ASSERT(count > 0);
    return count == 1 || world->door->is_real ? 0 : world->door->choose(world, count);
}

void hy_world_note(hy_world *world, const char *what, uint64_t subject, uint64_t value) {
    if (world->door->is_real) return;
    world->door->note(world, what, subject, value);
}

bool hy_world_is_real(const hy_world *world) {
    return world->door->is_real;
}

void hy_world_post(hy_world *world, hy_post *post) {
    HY_ASSERT(post->done != NULL);
    world->door->post(world, post);
}

void hy_world_expect(hy_world *world, bool expected) {
    if (world->door->expect) world->door->expect(world, expected);
}

hy_err hy_timer_at(hy_world *world, hy_timer *timer, hy_ns due) {
    HY_ASSERT(timer->done != NULL);
    return world->door->timer_at(world, timer, due);
}

void hy_timer_stop(hy_world *world, hy_timer *timer) {
    world->door->timer_stop(world, timer);
}

hy_err hy_world_work(hy_world *world, hy_work *work) {
    HY_ASSERT(work->run != NULL);
    HY_ASSERT(work->done != NULL);
    HY_ASSERT(work->kind < HY_WORK_KINDS);
    return world->door->work(world, work);
}

hy_err hy_world_unwork(hy_world *world, hy_work *work) {
    return world->door->unwork(world, work);
}

hy_err hy_file_open(hy_world *world, const char *path, uint32_t mode, hy_file **out_file,
                    hy_why *why) {
    HY_ASSERT(mode & (HY_FILE_READ | HY_FILE_WRITE));
    HY_ASSERT(HY_IMPLIES(mode & HY_FILE_CREATE, mode & HY_FILE_WRITE));
    HY_ASSERT(HY_IMPLIES(mode & HY_FILE_EXCLUSIVE, mode & HY_FILE_CREATE));
    return world->door->file_open(world, path, mode, out_file, why);
}

void hy_file_close(hy_file *file) {
    if (file) file->world->door->file_close(file);
}

hy_err hy_file_read(hy_file *file, uint64_t offset, void *ptr, size_t len, size_t *out_len) {
    HY_ASSERT(offset <= INT64_MAX - len);
    return file->world->door->file_read(file, offset, ptr, len, out_len);
}

hy_err hy_file_write(hy_file *file, uint64_t offset, hy_bytes bytes) {
    HY_ASSERT(offset <= INT64_MAX - bytes.len);
    return file->world->door->file_write(file, offset, bytes);
}

hy_err hy_file_sync(hy_file *file) {
    return file->world->door->file_sync(file);
}

hy_err hy_file_size(hy_file *file, uint64_t *out_size) {
    return file->world->door->file_size(file, out_size);
}

hy_err hy_file_truncate(hy_file *file, uint64_t size) {
    HY_ASSERT(size <= INT64_MAX);
    return file->world->door->file_truncate(file, size);
}

hy_err hy_file_lock(hy_file *file) {
    return file->world->door->file_lock(file);
}

hy_err hy_file_remove(hy_world *world, const char *path, bool sync_folder, hy_why *why) {
    return world->door->file_remove(world, path, sync_folder, why);
}

bool hy_file_exists(hy_world *world, const char *path) {
    return world->door->file_exists(world, path);
}

hy_err hy_folder_make(hy_world *world, const char *path, hy_why *why) {
    return world->door->folder_make(world, path, why);
}

// Numbers only: looking up names blocks, and a server that binds to a name is a guess.
static hy_err world_check_host(const char *host, hy_why *why) {
    uint8_t address[sizeof(struct in6_addr)];
    bool number = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (number || strcmp(host, "localhost") == 0) return HY_OK;
    return hyi_why_fmt(why, HY_MALFORMED, host,
                       "%s is not an IP address: pass one in numbers, such as 127.0.0.1", host);
}

hy_err hyi_port_in_use(hy_why *why, const char *host, uint16_t port) {
    return hyi_why_fmt(why, HY_BUSY, host,
                       "port %u on %s is in use: stop the other program or pass another port",
                       (uint64_t)port, host);
}

hy_err hy_listen(hy_world *world, const char *host, uint16_t port, uint32_t backlog,
                 hyi_accepted accepted, void *self, hy_listener **out_listener, hy_why *why) {
    HY_ASSERT(accepted != NULL);
    hy_err err = world_check_host(host, why);
    if (err) return err;
    hyi_listen_args args = { host, port, backlog, accepted, self };
    return world->door->listen(world, &args, out_listener, why);
}

uint16_t hy_listener_port(const hy_listener *listener) {
    return listener->world->door->listener_port(listener);
}

void hy_listener_close(hy_listener *listener) {
    if (listener) listener->world->door->listener_close(listener);
}

hy_err hy_connect(hy_world *world, const char *host, uint16_t port, hyi_connected connected,
                  void *self, hy_why *why) {
    HY_ASSERT(connected != NULL);
    hy_err err = world_check_host(host, why);
    if (err) return err;
    hyi_connect_args args = { host, port, connected, self };
    return world->door->connect(world, &args, why);
}

void hy_connect_cancel(hy_world *world, void *self) {
    world->door->connect_cancel(world, self);
}

void hy_stream_start(hy_stream *stream, const hy_stream_events *events, void *self) {
    HY_ASSERT(events->read != NULL);
    stream->world->door->stream_start(stream, events, self);
}

hy_err hy_stream_write(hy_stream *stream, hy_bytes bytes) {
    return stream->world->door->stream_write(stream, bytes);
}

bool hy_stream_has_drained(const hy_stream *stream) {
    return stream->world->door->stream_has_drained(stream);
}

void hy_stream_pause(hy_stream *stream, bool paused) {
    stream->world->door->stream_pause(stream, paused);
}

void hy_stream_close(hy_stream *stream) {
    stream->world->door->stream_close(stream);
}

hy_err hy_signal_open(hy_world *world, int number, void (*raised)(void *self), void *self,
                      hy_signal **out_signal) {
    return world->door->signal_open(world, number, raised, self, out_signal);
}

void hy_signal_close(hy_signal *signal) {
    if (signal) signal->world->door->signal_close(signal);
}

hy_err hy_world_notify(hy_world *world, const char *text) {
    if (strlen(text) > HYI_NOTIFY_MAX) return HY_TOO_LARGE;
    return world->door->notify(world, text);
}

char *hyi_text_copy(hy_mem *mem, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = (char *)hy_mem_alloc(mem, size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

hy_err hyi_path_folder(const char *path, char *out_folder, size_t size) {
    const char *slash = strrchr(path, '/');
    const char *folder = slash == path ? "/" : slash ? path : ".";
    size_t len = slash > path ? (size_t)(slash - path) : 1;
    if (len >= size) return HY_LIMIT;
    memcpy(out_folder, folder, len);
    out_folder[len] = 0;
    return HY_OK;
}
