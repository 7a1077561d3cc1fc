// real_stream.c - TCP through libuv.
//
// Reading. All reads of a world share one buffer, because bytes are only lent to `read` and one
// callback runs at a time.
//
// Writing. First straight into the socket; what it does not take is copied and queued. `drained`
// never comes from inside hy_stream_write: when the socket took everything at once it is posted.
//
// Closing. hy_stream_close is the last thing a caller does; `closed` follows from the loop. The
// record is freed after `closed`, or after the posted `drained` when that is still on its way.
//
// A connection that cannot get a record for lack of memory is accepted and dropped at once: left
// waiting, it would keep libuv from telling us of the next one.
#include "world/real.h"
#include "base/why.h"

#include <string.h>

#define STREAM_OF(pointer, member)                                                                 \
    ((real_stream *)((uint8_t *)(pointer)-offsetof(real_stream, member)))

typedef struct real_stream {
    hy_stream base;
    uv_tcp_t tcp;
    const hy_stream_events *events; // NULL until started
    void *self;
    hy_post drained;
    uv_connect_t connecting;
    hyi_connected connected;
    void *connected_self;
    struct real_stream *next_connecting, **connecting_link; // NULL: is not in the world's list
    bool cancelled;                                         // hy_connect_cancel
    bool drained_posted;
    bool paused;
    bool ended;   // the end was read
    bool failed;  // an error was told
    bool closing; // hy_stream_close was called
    bool gone;    // `closed` was called; only the posted `drained` keeps the record
} real_stream;

typedef struct real_write {
    uv_write_t request;
    size_t size; // of this record with its bytes
    uint8_t bytes[];
} real_write;

typedef struct real_listener {
    hy_listener base;
    uv_tcp_t tcp;
    uv_tcp_t drop; // takes a connection for which there is no memory
    bool dropping; // `drop` is open
    bool waiting;  // another connection came meanwhile
    bool closing;
    uint32_t open; // libuv handles not yet closed
    hyi_accepted accepted;
    void *self;
} real_listener;

static hyi_real *stream_world(const real_stream *stream) {
    return hyi_real_of(stream->base.world);
}

static hy_err stream_err(int status) {
    switch (status) {
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_ENOTCONN:
    case UV_ECANCELED:
    case UV_EPIPE: return HY_CLOSED;
    case UV_ECONNREFUSED:
    case UV_EADDRNOTAVAIL: return HY_NOT_FOUND;
    case UV_ETIMEDOUT: return HY_TIMEOUT;
    case UV_EADDRINUSE: return HY_BUSY;
    case UV_EACCES: return HY_UNSUPPORTED;
    case UV_EMFILE:
    case UV_ENFILE: return HY_LIMIT;
    case UV_ENOMEM: return HY_NOMEM;
    default: return HY_IO;
    }
}

static const char *stream_advice(int status) {
    switch (status) {
    case UV_EACCES: return "needs rights that this user does not have: pass a port from 1024 up";
    case UV_EADDRNOTAVAIL: return "cannot be opened: this machine has no such address";
    case UV_EMFILE:
    case UV_ENFILE: return "cannot be opened: raise the limit of open files (ulimit -n)";
    default: return NULL;
    }
}

static hy_err stream_why(hy_why *why, const char *host, uint16_t port, int status) {
    if (status == UV_EADDRINUSE) return hyi_port_in_use(why, host, port);
    const char *advice = stream_advice(status);
    char words[96] = { 0 };
    if (!advice) {
        uv_strerror_r(status, words, sizeof words);
        advice = words;
    }
    return hyi_why_fmt(why, stream_err(status), host, "port %u on %s %s", (uint64_t)port, host,
                       advice);
}

// The host is known to be a number or "localhost".
static void stream_address(const char *host, uint16_t port, struct sockaddr_storage *out_address) {
    const char *number = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (uv_ip4_addr(number, port, (struct sockaddr_in *)out_address) == 0) return;
    int failed = uv_ip6_addr(number, port, (struct sockaddr_in6 *)out_address);
    HY_ASSERT(failed == 0);
}

// ---- streams ------------------------------------------------------------------------------------

static void stream_on_drained(hy_post *post);

static real_stream *stream_new(hyi_real *real) {
    real_stream *stream = (real_stream *)hy_mem_alloc_zero(real->base.mem, sizeof *stream);
    if (!stream) return NULL;
    stream->base.world = &real->base;
    stream->drained.done = stream_on_drained;
    uv_tcp_init(&real->loop, &stream->tcp); // makes no socket yet, so it cannot fail
    real->handles++;
    return stream;
}

static void stream_free(real_stream *stream) {
    hy_mem_free(stream->base.world->mem, stream, sizeof *stream);
}

static void stream_on_closed(uv_handle_t *handle) {
    real_stream *stream = STREAM_OF(handle, tcp);
    if (stream->events && stream->events->closed) {
        stream->events->closed(stream->self, &stream->base);
    }
    stream->gone = true;
    if (!stream->drained_posted) stream_free(stream);
}

void hyi_real_stream_close(hy_stream *base) {
    real_stream *stream = (real_stream *)base;
    HY_ASSERT(!stream->closing); // once
    HY_ASSERT_SLOW(hyi_real_may_call(stream_world(stream)));
    stream->closing = true;
    stream_world(stream)->handles--;
    uv_close((uv_handle_t *)&stream->tcp, stream_on_closed);
}

static void stream_fail(real_stream *stream, int status) {
    if (stream->closing || stream->failed) return;
    stream->failed = true;
    uv_read_stop((uv_stream_t *)&stream->tcp);
    if (stream->events) {
        stream->events->read(stream->self, &stream->base, stream_err(status), (hy_bytes){ 0 });
    }
}

static void stream_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out_buffer) {
    (void)suggested;
    hyi_real *real = stream_world(STREAM_OF(handle, tcp));
    *out_buffer = uv_buf_init((char *)real->read_buffer, sizeof real->read_buffer);
}

static void stream_on_read(uv_stream_t *handle, ssize_t got, const uv_buf_t *buffer) {
    real_stream *stream = STREAM_OF(handle, tcp);
    if (got == 0 || stream->closing) return; // 0: the socket had nothing after all
    if (got > 0) {
        hy_bytes bytes = { (const uint8_t *)buffer->base, (size_t)got };
        stream->events->read(stream->self, &stream->base, HY_OK, bytes);
    } else if (got == UV_EOF) {
        stream->ended = true;
        uv_read_stop(handle);
        stream->events->read(stream->self, &stream->base, HY_OK, (hy_bytes){ 0 });
    } else {
        stream_fail(stream, (int)got);
    }
}

void hyi_real_stream_start(hy_stream *base, const hy_stream_events *events, void *self) {
    real_stream *stream = (real_stream *)base;
    HY_ASSERT(!stream->closing);
    HY_ASSERT(!stream->events);
    stream->events = events;
    stream->self = self;
    uv_tcp_nodelay(&stream->tcp, 1); // we write whole messages; waiting for more only delays
    int failed = uv_read_start((uv_stream_t *)&stream->tcp, stream_on_alloc, stream_on_read);
    HY_ASSERT(failed == 0);
}

void hyi_real_stream_pause(hy_stream *base, bool paused) {
    real_stream *stream = (real_stream *)base;
    HY_ASSERT(stream->events); // started
    if (stream->paused == paused) return;
    stream->paused = paused;
    if (stream->closing || stream->failed || stream->ended) return;
    uv_stream_t *handle = (uv_stream_t *)&stream->tcp;
    int failed =
        paused ? uv_read_stop(handle) : uv_read_start(handle, stream_on_alloc, stream_on_read);
    HY_ASSERT(failed == 0);
}

bool hyi_real_stream_has_drained(const hy_stream *base) {
    const real_stream *stream = (const real_stream *)base;
    return uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp) == 0;
}

static void stream_tell_drained(real_stream *stream) {
    if (stream->closing || stream->failed || !stream->events || !stream->events->drained) return;
    if (uv_stream_get_write_queue_size((uv_stream_t *)&stream->tcp) > 0) return;
    stream->events->drained(stream->self, &stream->base);
}

static void stream_on_drained(hy_post *post) {
    real_stream *stream = STREAM_OF(post, drained);
    stream->drained_posted = false;
    if (stream->gone) {
        stream_free(stream);
    } else {
        stream_tell_drained(stream);
    }
}

static void stream_on_written(uv_write_t *request, int status) {
    real_stream *stream = STREAM_OF(request->handle, tcp);
    real_write *record = (real_write *)request;
    hy_mem_free(stream->base.world->mem, record, record->size);
    if (status) {
        stream_fail(stream, status);
    } else {
        stream_tell_drained(stream);
    }
}

static hy_err stream_queue(real_stream *stream, hy_bytes bytes) {
    hy_mem *mem = stream->base.world->mem;
    size_t size = sizeof(real_write) + bytes.len;
    real_write *record = (real_write *)hy_mem_alloc(mem, size);
    if (!record) return HY_NOMEM;
    record->size = size;
    memcpy(record->bytes, bytes.ptr, bytes.len);
    uv_buf_t buffer = uv_buf_init((char *)record->bytes, (unsigned)bytes.len);
    int failed =
        uv_write(&record->request, (uv_stream_t *)&stream->tcp, &buffer, 1, stream_on_written);
    if (!failed) return HY_OK;
    hy_mem_free(mem, record, size);
    return stream_err(failed);
}

// Refused as a whole or taken as a whole: when there is no memory for the rest of bytes that the
// socket took in part, the stream is broken and says so.
hy_err hyi_real_stream_write(hy_stream *base, hy_bytes bytes) {
    real_stream *stream = (real_stream *)base;
    HY_ASSERT_SLOW(hyi_real_may_call(stream_world(stream)));
    if (stream->closing || stream->failed) return HY_CLOSED;
    if (bytes.len == 0) return HY_OK;
    uv_stream_t *handle = (uv_stream_t *)&stream->tcp;
    size_t queued = uv_stream_get_write_queue_size(handle);
    if (bytes.len > HYI_STREAM_QUEUE_MAX - queued) return HY_LIMIT;

    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
    int put = queued > 0 ? UV_EAGAIN : uv_try_write(handle, &buffer, 1);
    if (put < 0 && put != UV_EAGAIN) return stream_err(put);
    size_t done = put < 0 ? 0 : (size_t)put;
    if (done == bytes.len) {
        if (!stream->drained_posted) {
            stream->drained_posted = true;
            hy_world_post(base->world, &stream->drained);
        }
        return HY_OK;
    }
    hy_err err = stream_queue(stream, (hy_bytes){ bytes.ptr + done, bytes.len - done });
    if (err && done > 0) stream->failed = true; // half a message is out: nothing may follow it
    return err;
}

// ---- listening ----------------------------------------------------------------------------------

static void listener_on_connection(uv_stream_t *handle, int status);

static void listener_on_closed(uv_handle_t *handle) {
    real_listener *listener = (real_listener *)handle->data;
    if (--listener->open > 0) return;
    hy_mem_free(listener->base.world->mem, listener, sizeof *listener);
}

static void listener_on_dropped(uv_handle_t *handle) {
    real_listener *listener = (real_listener *)handle->data;
    listener->dropping = false;
    bool again = listener->waiting && !listener->closing;
    listener->waiting = false;
    if (again) listener_on_connection((uv_stream_t *)&listener->tcp, 0);
    listener_on_closed(handle);
}

static void listener_drop(real_listener *listener) {
    if (listener->dropping) {
        listener->waiting = true;
        return;
    }
    hyi_real *real = hyi_real_of(listener->base.world);
    uv_tcp_init(&real->loop, &listener->drop);
    listener->drop.data = listener;
    listener->dropping = true;
    listener->open++;
    int failed = uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&listener->drop);
    (void)failed; // either way the connection is gone when `drop` is closed
    uv_close((uv_handle_t *)&listener->drop, listener_on_dropped);
}

static void listener_on_connection(uv_stream_t *handle, int status) {
    real_listener *listener = (real_listener *)handle->data;
    if (status != 0 || listener->closing) return;
    real_stream *stream = stream_new(hyi_real_of(listener->base.world));
    if (!stream) {
        listener_drop(listener);
    } else if (uv_accept(handle, (uv_stream_t *)&stream->tcp) != 0) {
        hyi_real_stream_close(&stream->base); // the peer has gone again
    } else {
        listener->accepted(listener->self, &stream->base);
    }
}

static int listener_bind(real_listener *listener, const struct sockaddr_storage *address,
                         uint32_t backlog) {
    int failed = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)address, 0);
    if (failed) return failed;
    int length = backlog > 0 && backlog < 65536 ? (int)backlog : 511;
    return uv_listen((uv_stream_t *)&listener->tcp, length, listener_on_connection);
}

hy_err hyi_real_listen(hy_world *world, const hyi_listen_args *args, hy_listener **out_listener,
                       hy_why *why) {
    struct sockaddr_storage address;
    stream_address(args->host, args->port, &address);
    real_listener *listener = (real_listener *)hy_mem_alloc_zero(world->mem, sizeof *listener);
    if (!listener) return hy_why_set(why, HY_NOMEM, args->host, hy_err_text(HY_NOMEM));
    hyi_real *real = hyi_real_of(world);
    listener->base.world = world;
    listener->accepted = args->accepted;
    listener->self = args->self;
    uv_tcp_init(&real->loop, &listener->tcp);
    listener->tcp.data = listener;
    listener->open = 1;
    real->handles++;
    int failed = listener_bind(listener, &address, args->backlog);
    if (failed) {
        hyi_real_listener_close(&listener->base);
        return stream_why(why, args->host, args->port, failed);
    }
    *out_listener = &listener->base;
    return HY_OK;
}

uint16_t hyi_real_listener_port(const hy_listener *base) {
    const real_listener *listener = (const real_listener *)base;
    struct sockaddr_storage address;
    int size = sizeof address;
    int failed = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&address, &size);
    HY_ASSERT(failed == 0);
    // The port stands at the same place in both kinds of address, in network order.
    const uint8_t *port = (const uint8_t *)&((struct sockaddr_in *)&address)->sin_port;
    return (uint16_t)(port[0] << 8 | port[1]);
}

void hyi_real_listener_close(hy_listener *base) {
    real_listener *listener = (real_listener *)base;
    HY_ASSERT(!listener->closing);
    listener->closing = true;
    hyi_real_of(base->world)->handles--;
    uv_close((uv_handle_t *)&listener->tcp, listener_on_closed);
}

// ---- connecting ---------------------------------------------------------------------------------

static void stream_leave_connecting(real_stream *stream) {
    *stream->connecting_link = stream->next_connecting;
    if (stream->next_connecting) stream->next_connecting->connecting_link = stream->connecting_link;
    stream->connecting_link = NULL;
}

static void stream_enter_connecting(real_stream *stream) {
    real_stream **first = &stream_world(stream)->connecting;
    stream->next_connecting = *first;
    stream->connecting_link = first;
    if (*first) (*first)->connecting_link = &stream->next_connecting;
    *first = stream;
}

static void stream_on_connected(uv_connect_t *request, int status) {
    real_stream *stream = STREAM_OF(request, connecting);
    stream_leave_connecting(stream);
    hyi_connected connected = stream->connected;
    void *self = stream->connected_self;
    if (status == 0) {
        connected(self, HY_OK, &stream->base);
        return;
    }
    if (!stream->cancelled) hyi_real_stream_close(&stream->base);
    connected(self, stream->cancelled ? HY_CANCELLED : stream_err(status), NULL);
}

// libuv tells a connect that its socket was closed, when the close is carried out.
void hyi_real_connect_cancel(hy_world *world, void *self) {
    real_stream *stream = hyi_real_of(world)->connecting;
    while (stream && (stream->connected_self != self || stream->cancelled))
        stream = stream->next_connecting;
    if (!stream) return;
    stream->cancelled = true;
    hyi_real_stream_close(&stream->base);
}

hy_err hyi_real_connect(hy_world *world, const hyi_connect_args *args, hy_why *why) {
    struct sockaddr_storage address;
    stream_address(args->host, args->port, &address);
    real_stream *stream = stream_new(hyi_real_of(world));
    if (!stream) return hy_why_set(why, HY_NOMEM, args->host, hy_err_text(HY_NOMEM));
    stream->connected = args->connected;
    stream->connected_self = args->self;
    int failed = uv_tcp_connect(&stream->connecting, &stream->tcp,
                                (const struct sockaddr *)&address, stream_on_connected);
    if (!failed) {
        stream_enter_connecting(stream);
        return HY_OK;
    }
    hyi_real_stream_close(&stream->base);
    return stream_why(why, args->host, args->port, failed);
}
