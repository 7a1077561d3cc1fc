// websocket.c - upgraded connections, carried by libwebsockets.
//
// This room has read and judged the upgrade request before libwebsockets sees the connection. It is
// then handed the descriptor together with a request of our own making that holds nothing but the
// client's key, so its HTTP parser never meets a stranger's bytes. From there on frames, masks,
// fragments, pings, closing handshakes are its business, on the world's own loop.
//
// A socket is closed by leaving wishes in it (`close_code`) and asking to be called when it is
// writable, since libwebsockets allows writing only then. One that must go at once -
// too slow, silent, or past the server's deadline - has its TCP connection shut down, which
// libwebsockets then notices like any other loss. So `closed` is called from one place only.
//
// A slow reader. What it has not taken waits in `first`; over socket_queue_bytes_max it is cut, so
// one browser that sleeps cannot hold the memory that all others' messages need.
#include "net/server.h"

#include "base/cleanup.h"
#include "base/why.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define WEBSOCKET_KEY_LEN 24u
#define WEBSOCKET_REASON_MAX 123u // what a control frame has room for
#define WEBSOCKET_CLOSE_ROUNDS 3u

typedef struct websocket_message {
    struct websocket_message *next;
    size_t len;
    uint8_t bytes[]; // LWS_PRE of room, then the text
} websocket_message;

struct hyi_websockets {
    hy_server *server;
    struct lws_context *context;
    hy_socket *sockets;  // doubly linked
    hy_socket *adopting; // the one that the next LWS_CALLBACK_ESTABLISHED is about
    uint32_t count;
    hy_timer heartbeat;
    bool heart_beats;

    uv_idle_t tick; // counts rounds of the loop while closing
    uint32_t ticks;
    void (*closed)(hy_server *server);
};

struct hy_socket {
    hyi_websockets *owner;
    hy_socket *previous, *next;
    struct lws *wsi;
    hy_socket_route route;
    hy_arena arena;
    hyi_uri_params *params; // in the arena
    void *data;

    websocket_message *first, *last;
    size_t queued_bytes;
    hy_buf incoming; // the fragments of one message

    hy_ns heard_at;
    bool ping_due;
    bool is_cut;         // its TCP connection was shut down
    uint32_t close_code; // 0: stays open
    bool close_begun;
    char reason[WEBSOCKET_REASON_MAX + 1];
};

static int websocket_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
                              void *in, size_t len);
static hy_socket *websocket_new(hyi_websockets *owner, const hy_socket_route *route,
                                hy_request *request);
static void websocket_free(hy_socket *socket);
static void websocket_adopt(hy_socket *socket, hy_request *request);
static void websocket_cut(hy_socket *socket);
static void websocket_wait(hyi_websockets *websockets);
static void websocket_waited(uv_handle_t *handle);
static void websocket_beat(hy_timer *timer);
static void websocket_start_heart(hyi_websockets *owner);

static const struct lws_protocols websocket_protocols[] = {
    { .name = "hypha", .callback = websocket_callback, .rx_buffer_size = 4096 },
    { .name = NULL },
};

// ---- the whole ---------------------------------------------------------------------------------

// libwebsockets sizes a table by the limit of descriptors. A container may have a million of them,
// which would be megabytes; then it is told to expect no more than ours, and searches instead.
static int websocket_descriptors(const hy_server *server) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= 65536) return 0;
    return (int)server->limits.connections_max + 64;
}

hy_err hyi_websockets_open(hy_server *server, hyi_websockets **out_websockets, hy_why *why) {
    hyi_websockets *owner = hy_mem_alloc_zero(server->mem, sizeof *owner);
    if (owner == NULL) return HY_NOMEM;
    owner->server = server;
    owner->heartbeat.done = websocket_beat;

    // Only cmd/ prints. The level is the process's, but nobody else here uses the library.
    lws_set_log_level(0, NULL);
    void *loops[] = { hy_world_loop(server->world) };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = websocket_protocols,
        .foreign_loops = loops,
        .options = LWS_SERVER_OPTION_LIBUV,
        .gid = -1,
        .uid = -1,
        .user = owner,
        .fd_limit_per_thread = (unsigned)websocket_descriptors(server),
    };
    owner->context = lws_create_context(&info);
    if (owner->context == NULL) {
        hy_mem_free(server->mem, owner, sizeof *owner);
        return hy_why_set(why, HY_IO, "libwebsockets",
                          "libwebsockets does not start: is libwebsockets-evlib-uv installed?");
    }
    *out_websockets = owner;
    return HY_OK;
}

uint32_t hyi_websockets_count(const hyi_websockets *websockets) {
    return websockets == NULL ? 0 : websockets->count;
}

void hyi_websockets_stop(hyi_websockets *websockets) {
    for (hy_socket *socket = websockets->sockets; socket != NULL; socket = socket->next) {
        hy_socket_close(socket, 1001, "the server is stopping");
    }
}

void hyi_websockets_abort(hyi_websockets *websockets) {
    for (hy_socket *socket = websockets->sockets; socket != NULL; socket = socket->next) {
        websocket_cut(socket);
    }
}

void hyi_websockets_close(hyi_websockets *websockets, void (*closed)(hy_server *server)) {
    HY_ASSERT(websockets->count == 0);
    hy_timer_stop(websockets->server->world, &websockets->heartbeat);
    websockets->closed = closed;
    // Over somebody else's loop this only begins to close handles.
    lws_context_destroy(websockets->context);
    websocket_wait(websockets);
}

// libwebsockets may be destroyed a second time, which frees it, only when the loop has closed its
// handles: one round for the pipe, and one for the timers that it closes then. It does not say when
// that is; a handle of our own that is closed in the same rounds does.
static void websocket_wait(hyi_websockets *websockets) {
    websockets->tick.data = websockets;
    (void)uv_idle_init(hy_world_loop(websockets->server->world), &websockets->tick);
    uv_close((uv_handle_t *)&websockets->tick, websocket_waited);
}

static void websocket_waited(uv_handle_t *handle) {
    hyi_websockets *websockets = handle->data;
    if (++websockets->ticks < WEBSOCKET_CLOSE_ROUNDS) {
        websocket_wait(websockets);
        return;
    }
    hy_server *server = websockets->server;
    void (*closed)(hy_server *) = websockets->closed;
    lws_context_destroy(websockets->context);
    hy_mem_free(server->mem, websockets, sizeof *websockets);
    closed(server);
}

// ---- the upgrade -------------------------------------------------------------------------------

static void websocket_refuse(hy_request *request, uint32_t status, hy_err err, const char *place,
                             const char *text) {
    const hy_bytes headers = status == 426
                                 ? HY_BYTES("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")
                                 : (hy_bytes){ NULL, 0 };
    hy_why why;
    (void)hy_why_set(&why, err, place, text);
    hyi_http_answer_refuse(request, status, err, headers, &why);
}

// A key is 16 bytes in base64, which always looks like this.
static bool websocket_is_key(hy_bytes key) {
    if (key.len != WEBSOCKET_KEY_LEN || memcmp(key.ptr + 22, "==", 2) != 0) return false;
    for (size_t i = 0; i < 22; i++) {
        uint8_t c = key.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/')) {
            return false;
        }
    }
    return true;
}

static bool websocket_request_is_fit(hy_request *request) {
    const hyi_http_head *head = &request->head;
    if (!head->upgrade) {
        websocket_refuse(request, 426, HY_UNSUPPORTED, "upgrade", "this path is a WebSocket");
        return false;
    }
    if (!hy_bytes_equal(head->method, HY_BYTES("GET")) || request->body.len > 0) {
        websocket_refuse(request, 400, HY_MALFORMED, "method",
                         "a WebSocket begins with GET, without a body");
        return false;
    }
    if (!hy_bytes_equal(hyi_http_head_get(head, HY_BYTES("sec-websocket-version")),
                        HY_BYTES("13"))) {
        websocket_refuse(request, 426, HY_UNSUPPORTED, "sec-websocket-version",
                         "the version of the WebSocket protocol here is 13");
        return false;
    }
    if (!websocket_is_key(hyi_http_head_get(head, HY_BYTES("sec-websocket-key")))) {
        websocket_refuse(request, 400, HY_MALFORMED, "sec-websocket-key",
                         "the key must be 16 bytes in base64");
        return false;
    }
    if (!hyi_request_is_same_origin(request)) {
        websocket_refuse(request, 403, HY_REJECT, "origin",
                         "a page of another origin may not open a WebSocket here");
        return false;
    }
    return true;
}

void hyi_websocket_upgrade(hy_request *request, const hy_socket_route *route) {
    if (!websocket_request_is_fit(request)) return;
    hy_why why = { 0 };
    hy_err err = hyi_uri_query_parse(request->head.query, &request->arena, &request->params, &why);
    if (err != HY_OK) {
        hyi_http_answer_refuse(request, err == HY_TOO_LARGE ? 400 : 0, err, (hy_bytes){ NULL, 0 },
                               &why);
        return;
    }
    hy_socket *socket = websocket_new(request->server->websockets, route, request);
    if (socket == NULL) {
        websocket_refuse(request, 503, HY_NOMEM, "server", "no memory for a WebSocket");
        return;
    }
    websocket_adopt(socket, request);
}

static bool websocket_copy_params(hy_socket *socket, const hyi_uri_params *params) {
    bool ok = true;
    socket->params = hy_arena_alloc(&socket->arena, sizeof *socket->params);
    if (socket->params == NULL) return false;
    socket->params->count = params->count;
    for (uint32_t i = 0; i < params->count && ok; i++) {
        socket->params->items[i].name = hy_arena_copy(&socket->arena, params->items[i].name, &ok);
        if (!ok) return false;
        socket->params->items[i].value = hy_arena_copy(&socket->arena, params->items[i].value, &ok);
    }
    return ok;
}

static hy_socket *websocket_new(hyi_websockets *owner, const hy_socket_route *route,
                                hy_request *request) {
    hy_server *server = owner->server;
    hy_socket *socket = hy_mem_alloc_zero(server->mem, sizeof *socket);
    if (socket == NULL) return NULL;
    socket->owner = owner;
    socket->route = *route;
    socket->heard_at = hy_world_now(server->world);
    hy_arena_init(&socket->arena, server->mem, 0);
    hy_buf_init(&socket->incoming, server->mem, server->limits.body_bytes_max);
    if (!websocket_copy_params(socket, &request->params)) {
        hy_arena_deinit(&socket->arena);
        hy_mem_free(server->mem, socket, sizeof *socket);
        return NULL;
    }
    socket->next = owner->sockets;
    if (socket->next != NULL) socket->next->previous = socket;
    owner->sockets = socket;
    owner->count++;
    return socket;
}

// Ends the request and its connection; the descriptor lives on in libwebsockets.
static void websocket_adopt(hy_socket *socket, hy_request *request) {
    hyi_websockets *owner = socket->owner;
    hy_buf head;
    hy_buf_init(&head, owner->server->mem, 0);
    hy_bytes key = hyi_http_head_get(&request->head, HY_BYTES("sec-websocket-key"));
    hy_buf_add_text(&head, "GET / HTTP/1.1\r\nHost: hypha\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: ");
    hy_buf_add(&head, key.ptr, key.len);
    hy_buf_add_text(&head, "\r\n\r\n");
    hy_bytes rest;
    int fd = hyi_connection_give(request->connection, &rest);
    hy_buf_add(&head, rest.ptr, rest.len);
    if (head.failed != HY_OK) {
        close(fd);
        websocket_free(socket);
        hy_buf_deinit(&head);
        return;
    }

    owner->adopting = socket;
    struct lws_vhost *vhost = lws_get_vhost_by_name(owner->context, "default");
    (void)lws_adopt_socket_vhost_readbuf(vhost, fd, (const char *)head.ptr, head.len);
    hy_buf_deinit(&head);
    if (owner->adopting == NULL) return; // established; perhaps closed again already
    owner->adopting = NULL;
    websocket_free(socket); // libwebsockets has closed the descriptor
}

static void websocket_free(hy_socket *socket) {
    hyi_websockets *owner = socket->owner;
    hy_mem *mem = owner->server->mem;
    if (socket->previous != NULL)
        socket->previous->next = socket->next;
    else
        owner->sockets = socket->next;
    if (socket->next != NULL) socket->next->previous = socket->previous;
    owner->count--;
    while (socket->first != NULL) {
        websocket_message *message = socket->first;
        socket->first = message->next;
        hy_mem_free(mem, message, sizeof *message + LWS_PRE + message->len);
    }
    hy_buf_deinit(&socket->incoming);
    hy_arena_deinit(&socket->arena);
    hy_mem_free(mem, socket, sizeof *socket);
    hyi_server_check_finished(owner->server);
}

// ---- what handlers ask -------------------------------------------------------------------------

hy_err hy_socket_send(hy_socket *socket, hy_bytes text) {
    hy_server *server = socket->owner->server;
    if (socket->close_code != 0 || socket->is_cut) return HY_CLOSED;
    if (socket->queued_bytes + text.len > server->limits.socket_queue_bytes_max) {
        websocket_cut(socket);
        return HY_LIMIT;
    }
    websocket_message *message = hy_mem_alloc(server->mem, sizeof *message + LWS_PRE + text.len);
    if (message == NULL) return HY_NOMEM;
    message->next = NULL;
    message->len = text.len;
    if (text.len > 0) memcpy(message->bytes + LWS_PRE, text.ptr, text.len);
    if (socket->first == NULL)
        socket->first = message;
    else
        socket->last->next = message;
    socket->last = message;
    socket->queued_bytes += text.len;
    (void)lws_callback_on_writable(socket->wsi);
    return HY_OK;
}

void hy_socket_close(hy_socket *socket, uint32_t code, const char *reason) {
    HY_ASSERT(code >= 1000 && code <= 4999);
    if (socket->close_code != 0 || socket->is_cut) return;
    socket->close_code = code;
    snprintf(socket->reason, sizeof socket->reason, "%s", reason != NULL ? reason : "");
    (void)lws_callback_on_writable(socket->wsi);
}

void hy_socket_set_data(hy_socket *socket, void *data) {
    socket->data = data;
}

void *hy_socket_data(const hy_socket *socket) {
    return socket->data;
}

hy_bytes hy_socket_param(const hy_socket *socket, const char *name) {
    return hyi_uri_param(socket->params, name);
}

static void websocket_cut(hy_socket *socket) {
    if (socket->is_cut) return;
    socket->is_cut = true;
    (void)shutdown(lws_get_socket_fd(socket->wsi), SHUT_RDWR);
}

// ---- libwebsockets calls -----------------------------------------------------------------------

// The documented way to close, -1 from a callback, loses the close frame here: as Debian builds it
// (with _DEBUG), libwebsockets then closes a second time as a test of its own, before the frame has
// left. Killing by timeout goes to the same place, once: with a reason given it sends the frame,
// waits some seconds for the client's, and only then closes.
static void websocket_begin_close(hy_socket *socket) {
    socket->close_begun = true;
    lws_close_reason(socket->wsi, (enum lws_close_status)socket->close_code,
                     (unsigned char *)socket->reason, strlen(socket->reason));
    lws_set_timeout(socket->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

static int websocket_end(hy_socket *socket, uint32_t code, const char *reason) {
    hy_socket_close(socket, code, reason);
    return 0;
}

static int websocket_received(hy_socket *socket, hy_bytes part) {
    socket->heard_at = hy_world_now(socket->owner->server->world);
    if (socket->close_code != 0) return 0; // it has been told; what it still says does not count
    if (lws_frame_is_binary(socket->wsi)) {
        return websocket_end(socket, 1003, "only text messages are understood here");
    }
    hy_buf_add(&socket->incoming, part.ptr, part.len);
    if (socket->incoming.failed == HY_TOO_LARGE) {
        return websocket_end(socket, 1009, "the message is too large");
    }
    if (socket->incoming.failed != HY_OK) return websocket_end(socket, 1011, "no memory");
    if (!lws_is_final_fragment(socket->wsi) || lws_remaining_packet_payload(socket->wsi) > 0) {
        return 0;
    }
    hy_bytes text = hy_buf_bytes(&socket->incoming);
    if (!hy_text_is_utf8(text)) return websocket_end(socket, 1007, "the text is not UTF-8");
    if (socket->route.message != NULL) {
        socket->route.message(socket->route.self, socket, text);
    }
    hy_buf_clear(&socket->incoming);
    return 0;
}

static int websocket_write(hy_socket *socket) {
    hy_mem *mem = socket->owner->server->mem;
    while (socket->first != NULL && !lws_send_pipe_choked(socket->wsi)) {
        websocket_message *message = socket->first;
        int sent = lws_write(socket->wsi, message->bytes + LWS_PRE, message->len, LWS_WRITE_TEXT);
        if (sent < (int)message->len) return -1;
        socket->first = message->next;
        socket->queued_bytes -= message->len;
        hy_mem_free(mem, message, sizeof *message + LWS_PRE + message->len);
    }
    if (socket->first == NULL && socket->ping_due && !lws_send_pipe_choked(socket->wsi)) {
        // Not empty: libwebsockets does not report a pong without payload.
        uint8_t payload[LWS_PRE + 1] = { [LWS_PRE] = '?' };
        socket->ping_due = false;
        if (lws_write(socket->wsi, payload + LWS_PRE, 1, LWS_WRITE_PING) < 0) return -1;
    }
    if (socket->first != NULL || socket->ping_due) {
        (void)lws_callback_on_writable(socket->wsi);
        return 0;
    }
    if (socket->close_code != 0 && !socket->close_begun) websocket_begin_close(socket);
    return 0;
}

static int websocket_established(struct lws *wsi) {
    hyi_websockets *owner = lws_context_user(lws_get_context(wsi));
    hy_socket *socket = owner->adopting;
    if (socket == NULL) return -1; // we adopt one at a time, so this cannot be ours
    owner->adopting = NULL;
    socket->wsi = wsi;
    lws_set_opaque_user_data(wsi, socket);
    websocket_start_heart(owner);
    // Also makes the loop look at bytes that came behind the upgrade request.
    (void)lws_callback_on_writable(wsi);
    if (socket->route.opened != NULL) socket->route.opened(socket->route.self, socket);
    return 0;
}

static void websocket_closed(hy_socket *socket) {
    lws_set_opaque_user_data(socket->wsi, NULL);
    socket->is_cut = true; // whoever still sends is told HY_CLOSED
    if (socket->route.closed != NULL) socket->route.closed(socket->route.self, socket);
    websocket_free(socket);
}

static int websocket_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
                              void *in, size_t len) {
    (void)user;
    if (reason == LWS_CALLBACK_ESTABLISHED) return websocket_established(wsi);
    hy_socket *socket = wsi == NULL ? NULL : lws_get_opaque_user_data(wsi);
    if (socket == NULL) return 0;
    switch (reason) {
    case LWS_CALLBACK_RECEIVE: return websocket_received(socket, (hy_bytes){ in, len });
    case LWS_CALLBACK_RECEIVE_PONG:
        socket->heard_at = hy_world_now(socket->owner->server->world);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return websocket_write(socket);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: websocket_closed(socket); return 0;
    default: return 0;
    }
}

// ---- the heartbeat -----------------------------------------------------------------------------

// A browser that lost its network sends no goodbye. Whoever is silent for half of idle_max_ns is
// pinged (browsers answer by themselves), whoever stays silent for all of it is cut.
static void websocket_start_heart(hyi_websockets *owner) {
    if (owner->heart_beats) return;
    hy_server *server = owner->server;
    hy_ns due = hy_world_now(server->world) + server->limits.idle_max_ns / 4;
    owner->heart_beats = hy_timer_at(server->world, &owner->heartbeat, due) == HY_OK;
}

static void websocket_beat(hy_timer *timer) {
    hyi_websockets *owner = (hyi_websockets *)((char *)timer - offsetof(hyi_websockets, heartbeat));
    const hy_ns now = hy_world_now(owner->server->world);
    const hy_ns idle_max = owner->server->limits.idle_max_ns;
    owner->heart_beats = false;
    for (hy_socket *socket = owner->sockets; socket != NULL; socket = socket->next) {
        const hy_ns silent = now - socket->heard_at;
        if (silent >= idle_max) {
            websocket_cut(socket);
        } else if (silent >= idle_max / 2 && !socket->ping_due) {
            socket->ping_due = true;
            (void)lws_callback_on_writable(socket->wsi);
        }
    }
    if (owner->sockets != NULL) websocket_start_heart(owner);
}
