// request.c - one request, until it is answered.
//
// A request outlives its connection: a handler that will answer later holds a pointer to it, so it
// stays until the answer is given, even when there is nobody left to read it. `connection` is NULL
// from then on, and the answer only frees.
//
// What is decided before a handler is called, in this order: 404 or 426, 405, 403 for a page of
// another origin. So a handler sees only requests that its own pages or plain programs sent.
#include "net/server.h"

#include "net/media.h"

#include "base/cleanup.h"
#include "base/why.h"

#include <string.h>

// Enough for a head of the default size, and for most records.
#define REQUEST_METHODS_TEXT_MAX 160

static bool request_finds_socket(hy_request *request);
static const hy_route *request_find_route(hy_request *request, char *out_allow, size_t allow_size);
static void request_refuse_method(hy_request *request, const char *allow);

hy_request *hyi_request_new(hyi_connection *connection) {
    hy_mem *mem = connection->server->mem;
    hy_request *request = hy_mem_alloc(mem, sizeof *request);
    if (request == NULL) return NULL;
    // Not cleared as a whole: the tables of headers, segments and parameters are kilobytes, and
    // their counts say what of them is in use.
    request->mem = mem;
    request->connection = connection;
    request->server = connection->server;
    request->state = HYI_REQUEST_ARRIVING;
    request->head.header_count = 0;
    request->head.keep_alive = false;
    request->head.method = request->head.path = request->head.query = (hy_bytes){ NULL, 0 };
    request->path.count = 0;
    request->params.count = 0;
    request->chunk = (hyi_http_chunk){ 0 };
    request->body_remaining = 0;
    request->route = NULL;
    request->whole_at = 0;
    request->data = NULL;
    request->gone = NULL;
    request->task = NULL;
    hy_arena_init(&request->arena, mem, 0);
    hy_buf_init(&request->body, mem, connection->server->limits.body_bytes_max);
    return request;
}

hy_request *hyi_request_free(hy_request *request) {
    if (request == NULL) return NULL;
    hy_buf_deinit(&request->body);
    hy_arena_deinit(&request->arena);
    hy_mem_free(request->mem, request, sizeof *request);
    return NULL;
}

void hyi_request_lose(hy_request *request) {
    if (request == NULL) return;
    request->connection = NULL;
    if (request->state != HYI_REQUEST_HANDLED) {
        hyi_request_free(request);
        return;
    }
    if (request->task != NULL) hyi_request_task_lost(request->task);
    void (*gone)(hy_request *) = request->gone;
    request->gone = NULL;
    if (gone != NULL) gone(request);
}

void hyi_request_dispatch(hy_request *request) {
    hy_why why = { 0 };
    hy_err err = HY_OK;
    request->whole_at = hy_world_now(request->server->world);
    if (!hy_bytes_equal(request->head.path, HY_BYTES("*"))) {
        err = hyi_uri_path_parse(request->head.path, &request->arena, &request->path, &why);
    }
    if (err != HY_OK) {
        hyi_http_answer_refuse(request, err == HY_TOO_LARGE ? 414 : 0, err, (hy_bytes){ NULL, 0 },
                               &why);
        return;
    }
    if (request_finds_socket(request)) return;

    char allow[REQUEST_METHODS_TEXT_MAX];
    const hy_route *route = request_find_route(request, allow, sizeof allow);
    if (route == NULL && allow[0] != '\0') {
        request_refuse_method(request, allow);
        return;
    }
    if (route == NULL) {
        hyi_static_file_answer(request);
        return;
    }
    request->route = route->path;
    err = hyi_uri_query_parse(request->head.query, &request->arena, &request->params, &why);
    if (err != HY_OK) {
        hyi_http_answer_refuse(request, err == HY_TOO_LARGE ? 400 : 0, err, (hy_bytes){ NULL, 0 },
                               &why);
        return;
    }
    const bool changes = !hy_bytes_equal(request->head.method, HY_BYTES("GET")) &&
                         !hy_bytes_equal(request->head.method, HY_BYTES("HEAD"));
    if (changes && !hyi_request_is_same_origin(request)) {
        (void)hy_why_set(&why, HY_REJECT, "origin",
                         "a page of another origin may not change anything here");
        hyi_http_answer_refuse(request, 403, HY_REJECT, (hy_bytes){ NULL, 0 }, &why);
        return;
    }
    request->state = HYI_REQUEST_HANDLED;
    route->handle(route->self, request);
}

static hy_bytes request_without_port(hy_bytes host, hy_bytes port) {
    if (host.len <= port.len) return host;
    if (memcmp(host.ptr + host.len - port.len, port.ptr, port.len) != 0) return host;
    return (hy_bytes){ host.ptr, host.len - port.len };
}

static bool request_same_host(hy_bytes a, hy_bytes b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t x = a.ptr[i], y = b.ptr[i];
        if (x >= 'A' && x <= 'Z') x = (uint8_t)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (uint8_t)(y + 32);
        if (x != y) return false;
    }
    return true;
}

// Browsers send Origin with every request that changes something and with every WebSocket; programs
// do not. The scheme does not count: behind a proxy that speaks TLS it is not ours.
bool hyi_request_is_same_origin(const hy_request *request) {
    hy_bytes origin = hyi_http_head_get(&request->head, HY_BYTES("origin"));
    if (origin.ptr == NULL) return true;
    hy_bytes host = hyi_http_head_get(&request->head, HY_BYTES("host"));
    const hy_bytes schemes[] = { HY_BYTES("http://"), HY_BYTES("https://") };
    const hy_bytes ports[] = { HY_BYTES(":80"), HY_BYTES(":443") };
    for (size_t i = 0; i < 2; i++) {
        size_t len = schemes[i].len;
        if (origin.len <= len || memcmp(origin.ptr, schemes[i].ptr, len) != 0) continue;
        hy_bytes authority = { origin.ptr + len, origin.len - len };
        return request_same_host(request_without_port(authority, ports[i]),
                                 request_without_port(host, ports[i]));
    }
    return false; // "null", or something that no browser of ours sends
}

// ---- what handlers ask -------------------------------------------------------------------------

const char *hy_request_route(const hy_request *request) {
    return request->route;
}

// Addresses are kept as IPv6 has them: ::1, or ::ffff:127.0.0.0/8.
bool hy_request_is_local(const hy_request *request) {
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t one[16] = { [15] = 1 };
    if (request->connection == NULL) return false;
    uint8_t bytes[16];
    memcpy(bytes, &request->connection->address, sizeof bytes);
    bool is_loopback = memcmp(bytes, one, sizeof one) == 0 ||
                       (memcmp(bytes, mapped, sizeof mapped) == 0 && bytes[12] == 127);
    return is_loopback && hy_request_header(request, "forwarded").ptr == NULL &&
           hy_request_header(request, "x-forwarded-for").ptr == NULL;
}

hy_bytes hy_request_method(const hy_request *request) {
    return request->head.method;
}

hy_bytes hy_request_path(const hy_request *request) {
    return request->head.path;
}

hy_bytes hy_request_param(const hy_request *request, const char *name) {
    return hyi_uri_param(&request->params, name);
}

hy_bytes hy_request_header(const hy_request *request, const char *name) {
    return hyi_http_head_get(&request->head, hy_bytes_of(name));
}

hy_bytes hy_request_body(const hy_request *request) {
    return hy_buf_bytes(&request->body);
}

hy_arena *hy_request_arena(hy_request *request) {
    return &request->arena;
}

void hy_request_set_data(hy_request *request, void *data) {
    request->data = data;
}

void *hy_request_data(const hy_request *request) {
    return request->data;
}

void hy_request_set_gone(hy_request *request, void (*gone)(hy_request *request)) {
    request->gone = gone;
}

hy_err hy_request_record(hy_request *request, const hy_record *record, void *out_value,
                         hy_why *why) {
    hy_bytes type = hyi_http_head_get(&request->head, HY_BYTES("content-type"));
    hy_bytes body = hy_buf_bytes(&request->body);
    switch (hyi_media_of(type)) {
    case HYI_MEDIA_IS_JSON: return hy_json_decode(record, body, &request->arena, out_value, why);
    case HYI_MEDIA_IS_PROTOBUF:
        return hy_wire_decode(record, body, &request->arena, out_value, why);
    case HYI_MEDIA_OTHER: break;
    }
    memset(out_value, 0, record->size);
    if (type.len == 0) type = HY_BYTES("nothing");
    return hyi_why_fmt(why, HY_UNSUPPORTED, "content-type",
                       "send application/json or application/x-protobuf, not %b", &type);
}

// ---- routes ------------------------------------------------------------------------------------

static bool request_finds_socket(hy_request *request) {
    hy_server *server = request->server;
    for (size_t i = 0; i < server->socket_route_count; i++) {
        const hy_socket_route *route = &server->socket_routes[i];
        if (!hyi_uri_match(route->path, &request->path, &request->params)) continue;
        hyi_websocket_upgrade(request, route);
        return true;
    }
    return false;
}

static void request_add_method(char *allow, size_t size, const char *method) {
    size_t len = strlen(allow), more = strlen(method);
    if (len + more + 3 > size) return;
    if (len > 0) {
        memcpy(allow + len, ", ", 2);
        len += 2;
    }
    memcpy(allow + len, method, more + 1);
}

// The first route, in the order they were given, whose path and method fit. When only paths fit,
// `out_allow` lists their methods; it is empty when none does.
static const hy_route *request_find_route(hy_request *request, char *out_allow, size_t allow_size) {
    hy_server *server = request->server;
    hy_bytes method = request->head.method;
    out_allow[0] = '\0';
    for (size_t i = 0; i < server->route_count; i++) {
        const hy_route *route = &server->routes[i];
        if (!hyi_uri_match(route->path, &request->path, NULL)) continue;
        const bool is_get = strcmp(route->method, "GET") == 0;
        if (hy_bytes_equal(hy_bytes_of(route->method), method) ||
            (is_get && hy_bytes_equal(method, HY_BYTES("HEAD")))) {
            (void)hyi_uri_match(route->path, &request->path, &request->params);
            return route;
        }
        request_add_method(out_allow, allow_size, is_get ? "GET, HEAD" : route->method);
    }
    return NULL;
}

static void request_refuse_method(hy_request *request, const char *allow) {
    HY_CLEANUP(hy_buf_deinit) hy_buf headers = { 0 };
    hy_buf_init(&headers, request->mem, 0);
    hy_buf_add_text(&headers, "Allow: ");
    hy_buf_add_text(&headers, allow);
    hy_buf_add_text(&headers, "\r\n");
    hy_bytes lines = headers.failed == HY_OK ? hy_buf_bytes(&headers) : (hy_bytes){ NULL, 0 };
    hy_why why;
    (void)hyi_why_fmt(&why, HY_UNSUPPORTED, "method", "this path takes %s", allow);
    hyi_http_answer_refuse(request, 405, HY_UNSUPPORTED, lines, &why);
}
