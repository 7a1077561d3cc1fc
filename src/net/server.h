// server.h - what the files of the HTTP server share.             Room: net. Includes: base world.
// Threads: the world's thread only.
//
//   server.c      listening, accepting, closing in order; owns everything below
//   connection.c  one client: bytes in, requests one after another, bytes out, time limits
//   request.c     one request: its routes, parameters and body, until it is answered
//   http_answer.c      what goes back: heads, refusals, records
//   static_file.c files of a folder
//   websocket.c   upgraded connections, carried by libwebsockets
//   serving.c     the server as a fiber, its requests as tasks
#ifndef HYI_NET_SERVER_H
#define HYI_NET_SERVER_H

#include <hypha/net.h>

#include "net/http_chunk.h"
#include "net/http_head.h"
#include "net/rate.h"
#include "net/uri.h"

typedef struct hyi_connection hyi_connection;
typedef struct hyi_websockets hyi_websockets;
typedef struct hyi_request_task hyi_request_task;

typedef struct hyi_server_limits {
    uint32_t connections_max;
    uint32_t header_bytes_max;
    size_t body_bytes_max;
    hy_ns request_max_ns;
    hy_ns idle_max_ns;
    size_t socket_queue_bytes_max;
} hyi_server_limits;

// Bytes are received here and copied to the connection: one buffer for all, not one for each.
#define HYI_SERVER_SCRATCH 65536u

struct hy_server {
    hy_world *world;
    hy_mem *mem;
    hyi_server_limits limits;
    hy_route *routes;
    size_t route_count;
    hy_socket_route *socket_routes;
    size_t socket_route_count;
    const char *files; // or NULL
    void (*answered)(void *self, const hy_request *request, uint32_t status, hy_ns took);
    void *answered_self;

    int listen_fd; // -1 once closing
    int spare_fd;  // given up for a moment when descriptors run out
    hy_watch *listen_watch;
    uint16_t port;

    hyi_connection *connections; // doubly linked
    uint32_t connection_count;   // of HTTP, refused ones included
    uint32_t dying_count;        // closed, but their post has yet to run
    uint32_t work_count;         // files being read
    hyi_websockets *websockets;
    hyi_rate rate;

    hy_ns date_at; // the second that `date` shows
    char date[40];

    bool closing;
    bool finishing; // nothing is left; libwebsockets is being taken down
    bool finish_posted;
    hy_ns close_deadline;
    hy_timer close_timer;
    hy_post finish_post;
    void (*closed)(void *self);
    void *closed_self;

    uint8_t scratch[HYI_SERVER_SCRATCH];
};

// ---- server.c ----------------------------------------------------------------------------------

// Looks, in the next round, whether a closing server has nothing left.
void hyi_server_check_finished(hy_server *server);
// A closing server's patience ends now.
void hyi_server_cut(hy_server *server);
// "Thu, 20 Nov 2026 12:00:00 GMT"
const char *hyi_server_date(hy_server *server);

// ---- connection.c ------------------------------------------------------------------------------

typedef enum hyi_connection_state {
    HYI_CONNECTION_HEAD,   // waits for a request, or for the rest of its head
    HYI_CONNECTION_BODY,   // the head is there, the body is coming
    HYI_CONNECTION_ANSWER, // the request is with its handler
    HYI_CONNECTION_DRAIN,  // the last answer is queued; what still comes is dropped
    HYI_CONNECTION_DEAD,   // closed; waits for its post
} hyi_connection_state;

struct hyi_connection {
    hy_server *server;
    hyi_connection *previous, *next;
    int fd;
    hy_watch *watch;
    uint32_t watched; // what `watch` was last asked for
    hyi_connection_state state;
    hy_id address;

    hy_buf in;
    size_t in_used;    // of `in`, by requests before
    size_t in_scanned; // of what follows, for the end of a head
    bool ended;        // the client has sent all it will send

    hy_buf out;
    size_t out_sent;
    bool last;     // after this answer the connection ends
    bool fin_sent; // our end is closed
    bool pumping;

    hy_request *request;
    hy_ns request_deadline; // for the request to arrive whole

    hy_timer timer;
    hy_ns timer_due; // 0: not running
    hy_ns deadline;  // what the timer is for; may move away from it, never before it
    hy_post post;
    bool posted;
};

// Takes `fd`. Over the limit the client is told 503. On an error `fd` is closed.
void hyi_connection_open(hy_server *server, int fd, hy_id address);
// Gives up at once: no answer, no goodbye. A request that waits for its answer is told.
void hyi_connection_abort(hyi_connection *connection);
// The server closes: an idle one ends now, others after their answer.
void hyi_connection_stop(hyi_connection *connection);
// Called by http_answer.c, once per request, when its answer is in `out`.
void hyi_connection_answered(hyi_connection *connection);

// ---- request.c ---------------------------------------------------------------------------------

typedef enum hyi_request_state {
    HYI_REQUEST_ARRIVING,
    HYI_REQUEST_HANDLED, // a handler has it
    HYI_REQUEST_ANSWERED,
} hyi_request_state;

struct hy_request {
    hy_mem *mem;
    hyi_connection *connection; // NULL: the client is gone
    hy_server *server;          // not to be touched when the client is gone
    hyi_request_state state;
    hy_arena arena;
    hy_bytes head_bytes; // in the arena; `head` borrows from them
    hyi_http_head head;
    hyi_uri_path path;
    hyi_uri_params params;
    hyi_http_chunk chunk;
    uint64_t body_remaining; // of a body with a length
    hy_buf body;
    const char *route; // the path of its route, or NULL
    hy_ns whole_at;    // hy_world_now; 0: it has not arrived whole
    void *data;
    void (*gone)(hy_request *request);
    hyi_request_task *task; // that answers it, or NULL
};

// NULL: no memory.
hy_request *hyi_request_new(hyi_connection *connection);
hy_request *hyi_request_free(hy_request *request); // NULL is fine
// The request is whole: finds its route and calls the handler, or refuses.
void hyi_request_dispatch(hy_request *request);
// Its connection is closing. Frees a request that no handler has.
void hyi_request_lose(hy_request *request);
// Does the page that sends this come from this server? True when no Origin is given.
bool hyi_request_is_same_origin(const hy_request *request);

// ---- http_answer.c ----------------------------------------------------------------------------

typedef struct hyi_http_answer {
    uint32_t status;
    const char *content_type; // NULL: no body, no type
    hy_bytes body;
    const char *cache; // Cache-Control; NULL: "no-store"
    hy_bytes headers;  // more header lines, each with its CR LF
} hyi_http_answer;

// Ends the request; it is gone afterwards. What hy_request_answer and the others are made of.
void hyi_http_answer_send(hy_request *request, const hyi_http_answer *answer);
// hy_request_refuse with more header lines.
void hyi_http_answer_refuse(hy_request *request, uint32_t status, hy_err err, hy_bytes headers,
                            const hy_why *why);
// A refusal where there is no request: appends the whole answer, which closes the connection.
void hyi_http_answer_refuse_connection(hyi_connection *connection, uint32_t status, hy_err err,
                                       hy_bytes headers, const hy_why *why);

// ---- serving.c ---------------------------------------------------------------------------------

void hyi_request_task_answered(hyi_request_task *task); // its request is about to be freed
void hyi_request_task_lost(hyi_request_task *task);     // the client has left

// ---- static_file.c -----------------------------------------------------------------------------

// Answers GET and HEAD from the server's folder, later.
void hyi_static_file_answer(hy_request *request);

// ---- websocket.c -------------------------------------------------------------------------------

HY_CHECKED hy_err hyi_websockets_open(hy_server *server, hyi_websockets **out_websockets,
                                      hy_why *why);
uint32_t hyi_websockets_count(const hyi_websockets *websockets);
void hyi_websockets_stop(hyi_websockets *websockets);  // 1001 to everyone
void hyi_websockets_abort(hyi_websockets *websockets); // at once
// No socket may be left. Calls `closed` some rounds later, when all of it is gone.
void hyi_websockets_close(hyi_websockets *websockets, void (*closed)(hy_server *server));
// Refuses a request that is no proper upgrade, and else takes its connection's descriptor.
void hyi_websocket_upgrade(hy_request *request, const hy_socket_route *route);

// connection.c, for the upgrade: gives up the descriptor and ends the connection, with its request.
// *out_rest are bytes that came behind the head, borrowed until the next round.
int hyi_connection_give(hyi_connection *connection, hy_bytes *out_rest);

#endif
