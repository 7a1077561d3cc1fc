// hypha/net.h - HTTP and WebSocket server, HTTP client.          Room: net. Includes: base schema
// world scope. Threads: everything on the world's thread. Real world only (libwebsockets and
// libcurl own sockets).
//
// Records come in and go out as JSON or Protocol Buffers, by content type. Every limit is declared
// and every refusal has a body for programs:
// {"error":"HY_TOO_LARGE","message":"...","place":"..."}.
#ifndef HYPHA_NET_H
#define HYPHA_NET_H

#include <hypha/schema.h>
#include <hypha/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- server -----------------------------------------------------------------------------------

typedef struct hy_server hy_server;
typedef struct hy_request hy_request;
typedef struct hy_socket hy_socket; // one WebSocket

typedef struct hy_server_options {
    size_t size;
    const char *host;                 // NULL: "127.0.0.1"
    uint16_t port;                    // 0: a free one
    uint32_t connections_max;         // 0: 1,024; more are answered 503 and closed
    uint32_t header_bytes_max;        // 0: 8 KiB -> 431 or 400
    size_t body_bytes_max;            // 0: 1 MiB -> 413
    hy_ns request_max_ns;             // time for a request to arrive whole; 0: 10 s -> 408, closed
    hy_ns idle_max_ns;                // keep-alive; 0: 60 s
    uint32_t requests_per_second_max; // per address; 0: no limit -> 429 with Retry-After
    size_t socket_queue_bytes_max; // unsent bytes of one WebSocket; 0: 1 MiB; a slow one is closed
    const char *files;             // folder served for GET when no route fits; NULL: none
    hy_ns answer_max_ns;           // of tasks (hy_task_route); 0: 30 s -> 504
    // Told of every request as it is answered, files and refusals included; `took` is the time
    // since it had arrived whole. NULL: nobody.
    void (*answered)(void *self, const hy_request *request, uint32_t status, hy_ns took);
    void *answered_self;
} hy_server_options;

// `handle` must answer, now or later, exactly once; `self` is the route's.
typedef struct hy_route {
    const char *method; // "GET", "POST" ...
    const char *path;   // "/api/practices/:practice" - a part after ':' matches one segment
    void (*handle)(void *self, hy_request *request);
    void *self;
} hy_route;

typedef struct hy_socket_route {
    const char *path;
    void (*opened)(void *self, hy_socket *socket);
    void (*message)(void *self, hy_socket *socket, hy_bytes text);
    void (*closed)(void *self, hy_socket *socket);
    void *self;
} hy_socket_route;

// Listens at once. HY_BUSY: the port is in use (why says what to do). Copies the routes (their
// strings stay the caller's).
HY_API HY_CHECKED hy_err hy_server_open(hy_world *world, const hy_server_options *options,
                                        const hy_route *routes, size_t route_count,
                                        const hy_socket_route *socket_routes,
                                        size_t socket_route_count, hy_server **out_server,
                                        hy_why *why);
HY_API uint16_t hy_server_port(const hy_server *server);
HY_API uint32_t hy_server_connections(const hy_server *server);

// Graceful stop: accepts no more, lets requests under way be answered until `deadline`, closes
// WebSockets with 1001, then calls `closed`, after which `server` is gone.
HY_API void hy_server_close(hy_server *server, void (*closed)(void *self), void *self,
                            hy_ns deadline);

// A request, whole, with its body. Borrowed until it is answered; `gone` is called if the client
// leaves before that (answering then is fine and does nothing).
HY_API hy_bytes hy_request_method(const hy_request *request);
HY_API hy_bytes hy_request_path(const hy_request *request);
HY_API hy_bytes hy_request_param(const hy_request *request,
                                 const char *name); // path or query; empty: none
HY_API hy_bytes hy_request_header(const hy_request *request, const char *name); // lower case
HY_API hy_bytes hy_request_body(const hy_request *request);
// The path of its route, as the route has it; NULL: no route, but a file or nothing.
HY_API const char *hy_request_route(const hy_request *request);
// It came over the loopback interface, and no proxy says that it stands for somebody else.
HY_API bool hy_request_is_local(const hy_request *request);
HY_API hy_arena *hy_request_arena(hy_request *request); // until the answer is sent
HY_API void hy_request_set_data(hy_request *request, void *data);
HY_API void *hy_request_data(const hy_request *request);
// Called at most once, on the world's thread, when the client leaves before the answer.
HY_API void hy_request_set_gone(hy_request *request, void (*gone)(hy_request *request));

// Decodes the body by its content type: application/json, or application/x-protobuf
// (also application/protobuf). HY_UNSUPPORTED (415), and the decoders' errors.
HY_API HY_CHECKED hy_err hy_request_record(hy_request *request, const hy_record *record,
                                           void *out_value, hy_why *why);

// Answers. Each may be called once; the bytes are copied.
HY_API void hy_request_answer(hy_request *request, uint32_t status, const char *content_type,
                              hy_bytes body);
// As JSON or Protocol Buffers, by the request's Accept (JSON when it does not say).
HY_API void hy_request_answer_record(hy_request *request, uint32_t status, const hy_record *record,
                                     const void *value);
// The status of the error's table row, and the machine-readable body. `name` overrides the error's
// name (a machine's own rejection), `status` 0 means the table's.
HY_API void hy_request_refuse(hy_request *request, uint32_t status, hy_err err, const char *name,
                              const hy_why *why);

HY_API HY_CHECKED hy_err hy_socket_send(hy_socket *socket,
                                        hy_bytes text); // copies; HY_LIMIT: closed as slow
HY_API void hy_socket_close(hy_socket *socket, uint32_t code, const char *reason);
HY_API void hy_socket_set_data(hy_socket *socket, void *data);
HY_API void *hy_socket_data(const hy_socket *socket);
HY_API hy_bytes hy_socket_param(const hy_socket *socket, const char *name);

// ---- client -----------------------------------------------------------------------------------

typedef struct hy_client hy_client;
typedef struct hy_fetch hy_fetch;

// One exchange; the caller owns the record until `done`, which is called once.
struct hy_fetch {
    const char *method;
    const char *url;
    hy_bytes body;
    const char *headers[8];    // "Name: value"; NULL ends
    size_t response_bytes_max; // 0: 1 MiB
    hy_ns deadline;            // hy_world_now
    void (*done)(hy_fetch *fetch);

    hy_err err; // HY_OK: there is a status; HY_TIMEOUT, HY_IO, HY_CANCELLED, HY_TOO_LARGE
    uint32_t status;
    hy_bytes response; // borrowed during `done`
    hy_why why;
    void *client_[4]; // the client's
};

HY_API HY_CHECKED hy_err hy_client_open(hy_world *world, uint32_t connections_max,
                                        hy_client **out_client);
HY_API HY_CHECKED hy_err hy_client_fetch(hy_client *client, hy_fetch *fetch); // HY_CLOSED, HY_NOMEM
HY_API void hy_client_cancel(hy_client *client,
                             hy_fetch *fetch);  // `done` is called at once, HY_CANCELLED
HY_API void hy_client_close(hy_client *client); // cancels what is under way; NULL is fine

// ---- in scopes --------------------------------------------------------------------------------
//
// The same server and client, for programs whose parts are fibers (hypha/scope.h).

// A route whose requests are tasks. `answer` may wait, and has answered when it returns HY_OK; an
// error refuses the request, in the words of `why` where it filled them. Each task has a scope of
// its own, named like the path, which ends after answer_max_ns, continues the trace that the
// request's `traceparent` names, and is cancelled when the client leaves.
typedef struct hy_task_route {
    const char *method;
    const char *path;
    hy_err (*answer)(void *self, hy_request *request, hy_why *why);
    void *self;
} hy_task_route;

// Fiber; the body of a service. Listens, calls hy_ready, and serves until the current scope is
// being stopped. Then it accepts no more, answers what is under way, closes WebSockets with 1001,
// and returns HY_OK. When the scope is cancelled, at the end of its grace at the latest, tasks are,
// too, and what is left is cut off; it returns the reason. *out_server is there from hy_ready until
// the last connection has ended, then NULL. The strings of routes and options stay the caller's.
// Errors of hy_server_open.
HY_API HY_CHECKED hy_err hy_server_run(const hy_server_options *options,
                                       const hy_task_route *routes, size_t route_count,
                                       const hy_socket_route *socket_routes,
                                       size_t socket_route_count, hy_server **out_server,
                                       hy_why *why);

// The client belongs to `scope`, and is closed with it.
HY_API HY_CHECKED hy_err hy_client_open_in(hy_scope *scope, uint32_t connections_max,
                                           hy_client **out_client); // HY_CLOSED too
// Fiber. Fetches and waits; `done` is not used, and a `deadline` of 0 is the scope's. Tells the
// other side our trace (`traceparent`), where there is one and a header is free. fetch->err, or why
// the caller was cancelled: then the exchange is. The response lies in memory of the current scope.
HY_API HY_CHECKED hy_err hy_client_ask(hy_client *client, hy_fetch *fetch);

// ---- the console ------------------------------------------------------------------------------

// What a program does, for people and for `hypha top`: a page at /_hypha, and one JSON document at
// /_hypha/snapshot (docs/FORMATS.md says what is in it). It can be read, and changes nothing. Only
// for browsers and programs on this machine, unless it is opened: the console has no other door.
typedef struct hy_console hy_console;

// A part of the document. Fiber: `write` may wait, for two seconds, and appends one JSON value. An
// error is reported in the document; what was written is used all the same if it is whole.
typedef struct hy_console_section {
    const char *name; // "node", "machines", "stores" are known to the page; others show as they are
    hy_err (*write)(void *self, hy_buf *out);
    void *self;
} hy_console_section;

typedef struct hy_console_options {
    size_t size;
    const char *program;                // its name; NULL: "program"
    hy_scope *scope;                    // whose tree is shown; NULL: none
    const hy_console_section *sections; // copied; their strings stay the caller's
    uint32_t section_count;
    bool open;        // for everybody who can reach the server: then something else must guard it
    size_t bytes_max; // of the document; 0: 8 MiB
} hy_console_options;

// Belongs to `scope`. HY_NOMEM, HY_CLOSED.
HY_API HY_CHECKED hy_err hy_console_open_in(hy_scope *scope, const hy_console_options *options,
                                            hy_console **out_console);
// To be given to hy_server_run, with others. Documents are written in the requests' tasks.
#define HY_CONSOLE_ROUTES 3u
HY_API void hy_console_routes(hy_console *console, hy_task_route out_routes[HY_CONSOLE_ROUTES]);

#ifdef __cplusplus
}
#endif
#endif
