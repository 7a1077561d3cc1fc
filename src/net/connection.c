// connection.c - one client: bytes in, requests one after another, bytes out, time limits.
//
//     HEAD --head whole--> BODY --body whole--> ANSWER --answered--> HEAD (keep-alive)
//       \---------------------\--------------------\--refused, last--> DRAIN --> DEAD
//
// One request at a time: the bytes of the next wait in `in` until the one before is answered, which
// is what keeps pipelined answers in order. `pump` moves the states as far as the bytes reach. It
// is never entered from inside a handler: an answer given there only changes the state, and an
// answer given later posts, so a handler is never called from inside another's answer.
//
// Back-pressure: no next request is begun while more than OUT_PAUSE bytes wait to be sent, and
// nothing is read while more than IN_PAUSE bytes wait to be understood.
//
// DRAIN: after the last answer our end is closed, and what the client still sends is read and
// dropped for a moment. Closing with unread bytes would make the kernel send a reset, which can
// overtake the answer and destroy it - the 413 would never be seen.
#include "net/server.h"

#include "base/why.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTION_IN_PAUSE 65536u
#define CONNECTION_OUT_PAUSE 262144u
#define CONNECTION_KEEP_BYTES 16384u // a buffer that grew larger is given back when it is empty
#define CONNECTION_DRAIN_NS HY_SECONDS(2)
#define CONNECTION_REFUSED_MAX 64u // that many over the limit get to read why

static void connection_ready(void *self, uint32_t events);
static void connection_posted(hy_post *post);
static void connection_is_due(hy_timer *timer);
static void connection_pump(hyi_connection *connection);
static bool connection_step(hyi_connection *connection);
static bool connection_step_head(hyi_connection *connection);
static bool connection_begin(hyi_connection *connection, size_t head_len);
static bool connection_step_body(hyi_connection *connection);
static bool connection_flush(hyi_connection *connection);
static void connection_settle(hyi_connection *connection);
static void connection_close(hyi_connection *connection);
static void connection_refuse(hyi_connection *connection, uint32_t status, hy_err err,
                              const hy_why *why);

static hy_bytes connection_pending(const hyi_connection *connection) {
    return (hy_bytes){ connection->in.ptr + connection->in_used,
                       connection->in.len - connection->in_used };
}

static size_t connection_unsent(const hyi_connection *connection) {
    return connection->out.len - connection->out_sent;
}

// ---- from outside ------------------------------------------------------------------------------

static hyi_connection *connection_new(hy_server *server, int fd, hy_id address) {
    hyi_connection *connection = hy_mem_alloc_zero(server->mem, sizeof *connection);
    if (connection == NULL) return NULL;
    connection->server = server;
    connection->fd = fd;
    connection->address = address;
    connection->timer.done = connection_is_due;
    connection->post.done = connection_posted;
    hy_buf_init(&connection->in, server->mem, 0);
    hy_buf_init(&connection->out, server->mem, 0);
    if (hy_watch_open(server->world, fd, connection_ready, connection, &connection->watch) !=
        HY_OK) {
        hy_mem_free(server->mem, connection, sizeof *connection);
        return NULL;
    }
    connection->next = server->connections;
    if (connection->next != NULL) connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    return connection;
}

void hyi_connection_open(hy_server *server, int fd, hy_id address) {
    const uint32_t max = server->limits.connections_max;
    const uint32_t count = hy_server_connections(server);
    hyi_connection *connection = NULL;
    if (count < max + CONNECTION_REFUSED_MAX) connection = connection_new(server, fd, address);
    if (connection == NULL) {
        close(fd);
        return;
    }
    connection->deadline = hy_world_now(server->world) + server->limits.idle_max_ns;
    if (count >= max) {
        hy_why why;
        (void)hyi_why_fmt(&why, HY_LIMIT, "connections",
                          "this server serves %u connections at a time; try again", (uint64_t)max);
        connection_refuse(connection, 503, HY_LIMIT, &why);
    }
    connection_pump(connection);
}

void hyi_connection_abort(hyi_connection *connection) {
    connection_close(connection);
}

void hyi_connection_stop(hyi_connection *connection) {
    connection->last = true;
    if (connection->state != HYI_CONNECTION_HEAD) return; // it ends after the answer under way
    // What has arrived but was not read yet is a request too, and is told why it comes too late.
    connection_ready(connection, 1);
    if (connection->state != HYI_CONNECTION_HEAD || connection_pending(connection).len > 0) return;
    connection->state = HYI_CONNECTION_DRAIN;
    connection->ended = true; // nobody is owed anything: what is queued is sent, and that is all
    connection_pump(connection);
}

void hyi_connection_answered(hyi_connection *connection) {
    HY_ASSERT(connection->state != HYI_CONNECTION_DEAD);
    connection->request = NULL;
    connection->state = connection->last ? HYI_CONNECTION_DRAIN : HYI_CONNECTION_HEAD;
    hy_server *server = connection->server;
    const hy_ns now = hy_world_now(server->world);
    connection->deadline = now + server->limits.idle_max_ns;
    connection->request_deadline = now + server->limits.request_max_ns; // if the next waits already
    if (connection->pumping || connection->posted) return;
    connection->posted = true;
    hy_world_post(server->world, &connection->post);
}

int hyi_connection_give(hyi_connection *connection, hy_bytes *out_rest) {
    hy_server *server = connection->server;
    hy_bytes rest = connection_pending(connection);
    if (rest.len > sizeof server->scratch) rest.len = sizeof server->scratch;
    if (rest.len > 0) memcpy(server->scratch, rest.ptr, rest.len);
    *out_rest = (hy_bytes){ server->scratch, rest.len };

    int fd = connection->fd;
    connection->fd = -1;
    connection_close(connection);
    return fd;
}

// ---- the loop calls ----------------------------------------------------------------------------

static void connection_read(hyi_connection *connection) {
    hy_server *server = connection->server;
    ssize_t got = recv(connection->fd, server->scratch, sizeof server->scratch, 0);
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        connection_close(connection);
        return;
    }
    if (got == 0) {
        connection->ended = true;
        return;
    }
    if (connection->state == HYI_CONNECTION_DRAIN) return; // read only to be dropped
    const bool was_empty = connection_pending(connection).len == 0;
    hy_buf_add(&connection->in, server->scratch, (size_t)got);
    if (connection->in.failed != HY_OK) {
        connection_close(connection);
        return;
    }
    if (was_empty && connection->state == HYI_CONNECTION_HEAD) {
        connection->request_deadline = hy_world_now(server->world) + server->limits.request_max_ns;
    }
}

static void connection_ready(void *self, uint32_t events) {
    hyi_connection *connection = self;
    if (connection->state == HYI_CONNECTION_DEAD) return;
    if ((events & 1) != 0 && !connection->ended) connection_read(connection);
    if (connection->state == HYI_CONNECTION_DEAD) return;
    connection_pump(connection);
}

static void connection_posted(hy_post *post) {
    hyi_connection *connection = (hyi_connection *)((char *)post - offsetof(hyi_connection, post));
    connection->posted = false;
    if (connection->state != HYI_CONNECTION_DEAD) {
        connection_pump(connection);
        return;
    }
    hy_server *server = connection->server;
    server->dying_count--;
    hy_mem_free(server->mem, connection, sizeof *connection);
    hyi_server_check_finished(server);
}

static void connection_is_due(hy_timer *timer) {
    hyi_connection *connection =
        (hyi_connection *)((char *)timer - offsetof(hyi_connection, timer));
    hy_server *server = connection->server;
    connection->timer_due = 0;
    if (connection->deadline > hy_world_now(server->world)) { // it has moved away meanwhile
        connection_settle(connection);
        return;
    }
    const bool arriving =
        connection->state == HYI_CONNECTION_BODY ||
        (connection->state == HYI_CONNECTION_HEAD && connection_pending(connection).len > 0);
    if (!arriving || connection_unsent(connection) > 0) {
        connection_close(connection); // idle too long, or not reading what it asked for
        return;
    }
    hy_why why;
    (void)hyi_why_fmt(&why, HY_TIMEOUT,
                      connection->state == HYI_CONNECTION_BODY ? "body" : "header",
                      "the request was not whole after %u ms",
                      (uint64_t)(server->limits.request_max_ns / HY_MS(1)));
    connection_refuse(connection, 408, HY_TIMEOUT, &why);
    connection_pump(connection);
}

// ---- requests ----------------------------------------------------------------------------------

static void connection_pump(hyi_connection *connection) {
    if (connection->pumping) return;
    connection->pumping = true;
    do {
        while (connection_step(connection)) {
        }
        // Sending may make room for the next request that waits in `in`.
    } while (connection->state != HYI_CONNECTION_DEAD && connection_flush(connection));
    connection->pumping = false;
    if (connection->state != HYI_CONNECTION_DEAD) connection_settle(connection);
}

static bool connection_step(hyi_connection *connection) {
    switch (connection->state) {
    case HYI_CONNECTION_HEAD: return connection_step_head(connection);
    case HYI_CONNECTION_BODY: return connection_step_body(connection);
    case HYI_CONNECTION_DRAIN: connection->in_used = connection->in.len; return false;
    case HYI_CONNECTION_ANSWER:
    case HYI_CONNECTION_DEAD: return false;
    }
    return false;
}

static void connection_refuse(hyi_connection *connection, uint32_t status, hy_err err,
                              const hy_why *why) {
    hyi_request_lose(connection->request); // no handler has it yet
    connection->request = NULL;
    connection->last = true;
    hyi_http_answer_refuse_connection(connection, status, err, (hy_bytes){ NULL, 0 }, why);
    connection->state = HYI_CONNECTION_DRAIN;
    connection->deadline = hy_world_now(connection->server->world) + CONNECTION_DRAIN_NS;
}

static void connection_skip_empty_lines(hyi_connection *connection) {
    hy_bytes pending = connection_pending(connection);
    while (pending.len >= 2 && pending.ptr[0] == '\r' && pending.ptr[1] == '\n') {
        pending.ptr += 2;
        pending.len -= 2;
        connection->in_used += 2;
        connection->in_scanned = 0;
    }
}

static bool connection_step_head(hyi_connection *connection) {
    if (connection_unsent(connection) > CONNECTION_OUT_PAUSE) return false;
    connection_skip_empty_lines(connection);
    const size_t max = connection->server->limits.header_bytes_max;
    hy_bytes pending = connection_pending(connection);
    size_t len = hyi_http_head_len(pending, connection->in_scanned);
    connection->in_scanned = pending.len;
    if (len > max || (len == 0 && pending.len > max)) {
        hy_why why;
        (void)hyi_why_fmt(&why, HY_TOO_LARGE, "header",
                          "the request's header is longer than %u bytes", (uint64_t)max);
        connection_refuse(connection, 431, HY_TOO_LARGE, &why);
        return true;
    }
    if (len == 0) return false;
    connection->in_scanned = 0;
    return connection_begin(connection, len);
}

// Refusals that need no more than the head, and that spare the client its body.
static bool connection_admits(hyi_connection *connection, hy_request *request) {
    hy_server *server = connection->server;
    const hyi_http_head *head = &request->head;
    hy_why why;
    if (server->closing) {
        (void)hy_why_set(&why, HY_CLOSED, "server", "this server is stopping; try again");
        connection_refuse(connection, 503, HY_CLOSED, &why);
        return false;
    }
    if (head->content_length > server->limits.body_bytes_max) {
        (void)hyi_why_fmt(&why, HY_TOO_LARGE, "body", "the body is longer than %u bytes",
                          (uint64_t)server->limits.body_bytes_max);
        connection_refuse(connection, 413, HY_TOO_LARGE, &why);
        return false;
    }
    return true;
}

static bool connection_begin(hyi_connection *connection, size_t head_len) {
    hy_request *request = hyi_request_new(connection);
    bool copied = false;
    if (request != NULL) {
        hy_bytes head = { connection->in.ptr + connection->in_used, head_len };
        request->head_bytes = hy_arena_copy(&request->arena, head, &copied);
    }
    connection->in_used += head_len;
    connection->request = request;
    if (!copied) {
        connection_refuse(connection, 503, HY_NOMEM, NULL);
        return true;
    }

    uint32_t status = 0;
    hy_why why = { 0 };
    hy_err err = hyi_http_head_parse((uint8_t *)(uintptr_t)request->head_bytes.ptr, head_len,
                                     &request->head, &status, &why);
    if (err != HY_OK) {
        connection_refuse(connection, status, err, &why);
        return true;
    }
    connection->last = !request->head.keep_alive;
    if (!connection_admits(connection, request)) return true;
    request->body_remaining = request->head.content_length;
    connection->state = HYI_CONNECTION_BODY;
    const bool has_body = request->head.chunked || request->body_remaining > 0;
    if (request->head.expect_continue && has_body && connection_pending(connection).len == 0) {
        hy_buf_add_text(&connection->out, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    return true;
}

// Takes what there is of the body. False: the body is malformed, and was refused.
static bool connection_take_body(hyi_connection *connection, hy_request *request) {
    while (request->head.chunked ? !request->chunk.done : request->body_remaining > 0) {
        hy_bytes pending = connection_pending(connection);
        size_t used = pending.len;
        hy_bytes data = pending;
        hy_err err = HY_OK;
        if (request->head.chunked) {
            err = hyi_http_chunk_read(&request->chunk, pending, &used, &data);
        } else {
            if (used > request->body_remaining) used = data.len = (size_t)request->body_remaining;
            request->body_remaining -= used;
        }
        if (err != HY_OK) {
            hy_why why;
            (void)hy_why_set(&why, err, "body", "the body's chunks do not follow their format");
            why.offset = request->body.len;
            connection_refuse(connection, 400, err, &why);
            return false;
        }
        if (data.len > 0) hy_buf_add(&request->body, data.ptr, data.len);
        connection->in_used += used;
        if (used == 0 || request->body.failed != HY_OK) break;
    }
    return true;
}

static bool connection_step_body(hyi_connection *connection) {
    hy_request *request = connection->request;
    if (!connection_take_body(connection, request)) return true;
    if (request->body.failed != HY_OK) {
        const bool too_large = request->body.failed == HY_TOO_LARGE;
        hy_why why;
        (void)hyi_why_fmt(&why, request->body.failed, "body", "the body is longer than %u bytes",
                          (uint64_t)connection->server->limits.body_bytes_max);
        connection_refuse(connection, too_large ? 413 : 503, request->body.failed,
                          too_large ? &why : NULL);
        return true;
    }
    if (request->head.chunked ? !request->chunk.done : request->body_remaining > 0) return false;

    connection->state = HYI_CONNECTION_ANSWER;
    hy_ns now = hy_world_now(connection->server->world);
    hy_ns wait = hyi_rate_take(&connection->server->rate, connection->address, now);
    if (wait > 0) {
        hy_why why;
        (void)hyi_why_fmt(&why, HY_LIMIT, "address",
                          "at most %u requests a second from one address",
                          (uint64_t)connection->server->rate.per_second);
        // Retry-After has whole seconds, and a bucket is full again after one.
        hyi_http_answer_refuse(request, 429, HY_LIMIT, HY_BYTES("Retry-After: 1\r\n"), &why);
        return true;
    }
    hyi_request_dispatch(request);
    return connection->state != HYI_CONNECTION_DEAD;
}

// ---- sending and settling ----------------------------------------------------------------------

static void connection_trim(hy_buf *buf) {
    if (buf->capacity > CONNECTION_KEEP_BYTES) {
        hy_mem *mem = buf->mem;
        hy_buf_deinit(buf);
        hy_buf_init(buf, mem, 0);
    } else {
        hy_buf_clear(buf);
    }
}

// True: all is sent, and there was something to send, so there may be room for more work.
static bool connection_flush(hyi_connection *connection) {
    if (connection->out.failed != HY_OK) {
        connection_close(connection); // half an answer is worse than none
        return false;
    }
    const bool paused = connection_unsent(connection) > CONNECTION_OUT_PAUSE;
    while (connection_unsent(connection) > 0) {
        ssize_t sent = send(connection->fd, connection->out.ptr + connection->out_sent,
                            connection_unsent(connection), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) return false;
        if (sent < 0) {
            connection_close(connection);
            return false;
        }
        connection->out_sent += (size_t)sent;
        hy_server *server = connection->server;
        connection->deadline = hy_world_now(server->world) + server->limits.idle_max_ns;
    }
    connection_trim(&connection->out);
    connection->out_sent = 0;
    return paused;
}

// A client that ended is gone, unless it is still owed an answer that is already on its way.
static bool connection_is_over(hyi_connection *connection) {
    if (connection_unsent(connection) > 0) return false;
    return connection->ended;
}

static void connection_set_deadline(hyi_connection *connection) {
    if (connection_unsent(connection) > 0) return; // set when something was sent
    if (connection->state == HYI_CONNECTION_ANSWER) {
        connection->deadline = HY_NEVER; // the handler's time, not the client's
    } else if (connection->state == HYI_CONNECTION_BODY ||
               (connection->state == HYI_CONNECTION_HEAD &&
                connection_pending(connection).len > 0)) {
        connection->deadline = connection->request_deadline;
    }
}

static void connection_arm(hyi_connection *connection) {
    if (connection->deadline == HY_NEVER) return; // a running timer then finds it moved away
    if (connection->timer_due != 0 && connection->timer_due <= connection->deadline) return;
    hy_world *world = connection->server->world;
    connection->timer_due = connection->deadline;
    if (hy_timer_at(world, &connection->timer, connection->deadline) != HY_OK) {
        connection_close(connection); // without a limit it could stay for ever
    }
}

// After each round of work: what to wait for next.
static void connection_settle(hyi_connection *connection) {
    if (connection_is_over(connection)) {
        connection_close(connection);
        return;
    }
    if (connection_pending(connection).len == 0) {
        connection_trim(&connection->in);
        connection->in_used = connection->in_scanned = 0;
    } else if (connection->in_used > CONNECTION_KEEP_BYTES) {
        hy_bytes pending = connection_pending(connection);
        memmove(connection->in.ptr, pending.ptr, pending.len);
        connection->in.len = pending.len;
        connection->in_used = 0;
    }
    if (connection->state == HYI_CONNECTION_DRAIN && !connection->fin_sent &&
        connection_unsent(connection) == 0) {
        connection->fin_sent = true;
        (void)shutdown(connection->fd, SHUT_WR);
        connection->deadline = hy_world_now(connection->server->world) + CONNECTION_DRAIN_NS;
    }

    uint32_t wanted = connection_unsent(connection) > 0 ? 2 : 0;
    if (!connection->ended && connection_pending(connection).len < CONNECTION_IN_PAUSE) wanted |= 1;
    if (wanted != connection->watched) {
        connection->watched = wanted;
        if (hy_watch_set(connection->watch, wanted) != HY_OK) {
            connection_close(connection);
            return;
        }
    }
    connection_set_deadline(connection);
    connection_arm(connection);
}

// The memory stays until the post has run: a post cannot be called back, and somebody further up
// the stack may still look at the state.
static void connection_close(hyi_connection *connection) {
    if (connection->state == HYI_CONNECTION_DEAD) return;
    hy_server *server = connection->server;
    connection->state = HYI_CONNECTION_DEAD;
    hy_timer_stop(server->world, &connection->timer);
    hy_watch_close(connection->watch);
    if (connection->fd >= 0) close(connection->fd);
    connection->watch = NULL;
    connection->fd = -1;
    hy_buf_deinit(&connection->in);
    hy_buf_deinit(&connection->out);
    connection->in_used = connection->out_sent = 0;

    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL) connection->next->previous = connection->previous;
    server->connection_count--;
    server->dying_count++;

    hy_request *request = connection->request;
    connection->request = NULL;
    hyi_request_lose(request);
    if (connection->posted) return;
    connection->posted = true;
    hy_world_post(server->world, &connection->post);
}
