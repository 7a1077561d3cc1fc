// real_watch.c - descriptors that belong to other libraries, and signals.
//
// One uv_poll per descriptor, kept for its whole life. libuv takes a descriptor out of its epoll
// and registers it anew at each change, even at none: two system calls, which hy_watch_set spares
// who asks for the same again. A simulated world has no descriptors and refuses.
#include "world/real.h"

struct hy_watch {
    hyi_real *real;
    uv_poll_t poll;
    uint32_t events;
    void (*ready)(void *self, uint32_t events);
    void *self;
};

typedef struct hyi_real_signal {
    hy_signal base;
    uv_signal_t handle;
    void (*raised)(void *self);
    void *self;
} hyi_real_signal;

static hy_err watch_err(int status) {
    switch (status) {
    case UV_EEXIST: return HY_EXISTS;
    case UV_EBADF:
    case UV_EPERM:
    case UV_EINVAL: return HY_UNSUPPORTED; // no descriptor, a file, or a signal nobody can catch
    case UV_ENOMEM: return HY_NOMEM;
    case UV_EMFILE:
    case UV_ENFILE: return HY_LIMIT;
    default: return HY_IO;
    }
}

hy_err hy_watch_open(hy_world *world, int fd, void (*ready)(void *self, uint32_t events),
                     void *self, hy_watch **out_watch) {
    if (!world->door->is_real) return HY_UNSUPPORTED;
    hyi_real *real = hyi_real_of(world);
    hy_watch *watch = (hy_watch *)hy_mem_alloc_zero(world->mem, sizeof *watch);
    if (!watch) return HY_NOMEM;
    *watch = (hy_watch){ .real = real, .ready = ready, .self = self };
    int failed = uv_poll_init(&real->loop, &watch->poll, fd);
    if (failed) {
        hy_mem_free(world->mem, watch, sizeof *watch);
        return watch_err(failed);
    }
    watch->poll.data = watch;
    real->handles++;
    *out_watch = watch;
    return HY_OK;
}

static int watch_wanted(uint32_t events) {
    return (events & 1 ? UV_READABLE : 0) | (events & 2 ? UV_WRITABLE : 0);
}

// A broken descriptor is reported as ready for all that was asked: the owner's next call then meets
// the error itself, or first what arrived before it. libuv stops watching at an error; we go on, or
// the owner that read those bytes would never hear of the error behind them.
static void watch_on_ready(uv_poll_t *handle, int status, int got) {
    hy_watch *watch = (hy_watch *)handle->data;
    uint32_t events = (got & UV_READABLE ? 1u : 0u) | (got & UV_WRITABLE ? 2u : 0u);
    if (status < 0) {
        int failed = uv_poll_start(handle, watch_wanted(watch->events), watch_on_ready);
        HY_ASSERT(failed == 0); // nothing is allocated
        events = watch->events;
    }
    watch->ready(watch->self, events);
}

hy_err hy_watch_set(hy_watch *watch, uint32_t events) {
    HY_ASSERT((events & ~3u) == 0);
    if (events == watch->events) return HY_OK;
    int failed = events == 0 ? uv_poll_stop(&watch->poll)
                             : uv_poll_start(&watch->poll, watch_wanted(events), watch_on_ready);
    if (failed) return watch_err(failed);
    watch->events = events;
    return HY_OK;
}

static void watch_on_closed(uv_handle_t *handle) {
    hy_watch *watch = (hy_watch *)handle->data;
    hy_mem_free(watch->real->base.mem, watch, sizeof *watch);
}

void hy_watch_close(hy_watch *watch) {
    if (!watch) return;
    watch->real->handles--;
    uv_close((uv_handle_t *)&watch->poll, watch_on_closed);
}

static void signal_on_raised(uv_signal_t *handle, int number) {
    (void)number;
    hyi_real_signal *signal = (hyi_real_signal *)handle->data;
    signal->raised(signal->self);
}

static void signal_on_closed(uv_handle_t *handle) {
    hyi_real_signal *signal = (hyi_real_signal *)handle->data;
    hy_mem_free(signal->base.world->mem, signal, sizeof *signal);
}

hy_err hyi_real_signal_open(hy_world *world, int number, void (*raised)(void *self), void *self,
                            hy_signal **out_signal) {
    hyi_real *real = hyi_real_of(world);
    hyi_real_signal *signal = (hyi_real_signal *)hy_mem_alloc_zero(world->mem, sizeof *signal);
    if (!signal) return HY_NOMEM;
    *signal = (hyi_real_signal){ .base.world = world, .raised = raised, .self = self };
    int failed = uv_signal_init(&real->loop, &signal->handle);
    if (failed) {
        hy_mem_free(world->mem, signal, sizeof *signal);
        return watch_err(failed);
    }
    signal->handle.data = signal;
    real->handles++;
    failed = uv_signal_start(&signal->handle, signal_on_raised, number);
    if (failed) {
        hyi_real_signal_close(&signal->base);
        return watch_err(failed);
    }
    *out_signal = &signal->base;
    return HY_OK;
}

void hyi_real_signal_close(hy_signal *base) {
    hyi_real_signal *signal = (hyi_real_signal *)base;
    hyi_real_of(base->world)->handles--;
    uv_close((uv_handle_t *)&signal->handle, signal_on_closed);
}
