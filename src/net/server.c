// server.c - listening, accepting, and closing in order.
//
// This room owns its sockets and reads HTTP/1.1 itself; libwebsockets carries what was upgraded to
// a WebSocket. Its own HTTP role (4.1.6, tried) closes without a word when a head is malformed or
// too large, does not decode chunked bodies and waits for ever for a POST without a length, so it
// could not keep this room's promise: every refusal has a body that a program can read.
//
// Closing, in this order, each step in its own round of the loop where it must be:
//   1. the backlog is accepted a last time, the listener closed;
//   2. idle connections end, WebSockets get 1001, requests under way are answered;
//   3. at the deadline, or before when nothing is left, what remains is cut;
//   4. libwebsockets gives back its handles, which takes rounds of the loop;
//   5. `closed` is called; then the server is freed.
#include "net/server.h"

#include "base/why.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// An accept loop that never ended would starve the connections it accepted.
#define SERVER_ACCEPTS_PER_ROUND 64

static void server_init(hy_server *server, const hy_server_options *options);
static hy_err server_copy_routes(hy_server *server, const hy_route *routes, size_t route_count,
                                 const hy_socket_route *socket_routes, size_t socket_route_count);
static hy_err server_listen(hy_server *server, const char *host, uint16_t port, hy_why *why);
static void server_accept(void *self, uint32_t events);
static void server_stop_listening(hy_server *server);
static void server_close_is_due(hy_timer *timer);
static void server_finish(hy_post *post);
static void server_finished(hy_server *server);
static void server_free(hy_server *server);

hy_err hy_server_open(hy_world *world, const hy_server_options *options, const hy_route *routes,
                      size_t route_count, const hy_socket_route *socket_routes,
                      size_t socket_route_count, hy_server **out_server, hy_why *why) {
    static const hy_server_options defaults = { .size = sizeof(hy_server_options) };
    if (options == NULL) options = &defaults;
    HY_ASSERT(options->size == sizeof *options);
    if (hy_world_loop(world) == NULL) {
        return hy_why_set(why, HY_UNSUPPORTED, "world", "an HTTP server needs the real world");
    }

    hy_server *server = hy_mem_alloc_zero(hy_world_mem(world), sizeof *server);
    if (server == NULL) return HY_NOMEM;
    server->world = world;
    server->mem = hy_world_mem(world);
    server->listen_fd = server->spare_fd = -1;
    server_init(server, options);
    hy_err err = server_copy_routes(server, routes, route_count, socket_routes, socket_route_count);
    if (err == HY_OK) {
        err = server_listen(server, options->host != NULL ? options->host : "127.0.0.1",
                            options->port, why);
    }
    // Last, because what it opens can only be closed by running the loop.
    if (err == HY_OK) err = hyi_websockets_open(server, &server->websockets, why);
    if (err != HY_OK) {
        server_free(server);
        return err;
    }
    *out_server = server;
    return HY_OK;
}

uint16_t hy_server_port(const hy_server *server) {
    return server->port;
}

uint32_t hy_server_connections(const hy_server *server) {
    return server->connection_count + hyi_websockets_count(server->websockets);
}

void hy_server_close(hy_server *server, void (*closed)(void *self), void *self, hy_ns deadline) {
    HY_ASSERT(!server->closing);
    server_accept(server, 1); // who is in the backlog deserves an answer
    server->closing = true;
    server->closed = closed;
    server->closed_self = self;
    server->close_deadline = deadline;
    server_stop_listening(server);

    hyi_connection *connection = server->connections;
    while (connection != NULL) {
        hyi_connection *next = connection->next;
        hyi_connection_stop(connection);
        connection = next;
    }
    hyi_websockets_stop(server->websockets);

    server->close_timer.done = server_close_is_due;
    if (deadline != HY_NEVER &&
        hy_timer_at(server->world, &server->close_timer, deadline) != HY_OK) {
        server_close_is_due(&server->close_timer); // no memory for patience
    }
    hyi_server_check_finished(server);
}

void hyi_server_cut(hy_server *server) {
    HY_ASSERT(server->closing);
    server_close_is_due(&server->close_timer);
}

void hyi_server_check_finished(hy_server *server) {
    if (!server->closing || server->finishing || server->finish_posted) return;
    server->finish_posted = true;
    server->finish_post.done = server_finish;
    hy_world_post(server->world, &server->finish_post);
}

const char *hyi_server_date(hy_server *server) {
    static const char days[][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    hy_ns second = hy_world_wall(server->world) / HY_SECONDS(1);
    if (second == server->date_at) return server->date;
    server->date_at = second;

    // Days to a date, by eras of 400 years that begin in March, so that a leap day ends its year.
    uint32_t day = (uint32_t)(second / 86400), time = (uint32_t)(second % 86400);
    uint32_t shifted = day + 719468, era = shifted / 146097, of_era = shifted % 146097;
    uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint32_t march = (5 * of_year + 2) / 153, month = march < 10 ? march + 2 : march - 10;
    snprintf(server->date, sizeof server->date, "%s, %02u %s %04u %02u:%02u:%02u GMT",
             days[day % 7], (of_year - (153 * march + 2) / 5 + 1) % 100, months[month],
             (year + era * 400 + (month < 2)) % 10000, time / 3600, time / 60 % 60, time % 60);
    return server->date;
}

static void server_init(hy_server *server, const hy_server_options *options) {
    hyi_server_limits *limits = &server->limits;
    limits->connections_max = options->connections_max ? options->connections_max : 1024;
    limits->header_bytes_max = options->header_bytes_max ? options->header_bytes_max : 8192;
    limits->body_bytes_max = options->body_bytes_max ? options->body_bytes_max : 1 << 20;
    limits->request_max_ns = options->request_max_ns ? options->request_max_ns : HY_SECONDS(10);
    limits->idle_max_ns = options->idle_max_ns ? options->idle_max_ns : HY_SECONDS(60);
    limits->socket_queue_bytes_max =
        options->socket_queue_bytes_max ? options->socket_queue_bytes_max : 1 << 20;
    server->files = options->files;
    server->answered = options->answered;
    server->answered_self = options->answered_self;
    hyi_rate_init(&server->rate, options->requests_per_second_max, hy_world_random(server->world));
}

static hy_err server_copy_routes(hy_server *server, const hy_route *routes, size_t route_count,
                                 const hy_socket_route *socket_routes, size_t socket_route_count) {
    if (route_count > 0) {
        server->routes = hy_mem_alloc(server->mem, route_count * sizeof *routes);
        if (server->routes == NULL) return HY_NOMEM;
        memcpy(server->routes, routes, route_count * sizeof *routes);
        server->route_count = route_count;
    }
    if (socket_route_count > 0) {
        server->socket_routes =
            hy_mem_alloc(server->mem, socket_route_count * sizeof *socket_routes);
        if (server->socket_routes == NULL) return HY_NOMEM;
        memcpy(server->socket_routes, socket_routes, socket_route_count * sizeof *socket_routes);
        server->socket_route_count = socket_route_count;
    }
    return HY_OK;
}

// ---- listening ---------------------------------------------------------------------------------

static hy_err server_listen_err(int number, const char *host, uint16_t port, hy_why *why) {
    if (number == EADDRINUSE) {
        return hyi_why_fmt(
            why, HY_BUSY, host,
            "port %u is in use: stop the program that holds it (`ss -ltnp` names it) "
            "or choose another port",
            (uint64_t)port);
    }
    if (number == EACCES) {
        return hyi_why_fmt(why, HY_IO, host, "port %u needs privileges: choose one above 1023",
                           (uint64_t)port);
    }
    return hyi_why_fmt(why, HY_IO, host, "cannot listen on port %u: %s", (uint64_t)port,
                       strerror(number));
}

static int server_socket(const struct addrinfo *address) {
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int on = 1;
    // Without this a restart would wait for the last connections to leave TIME_WAIT.
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 511) == 0) return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static uint16_t server_bound_port(int fd) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) return 0;
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static hy_err server_listen(hy_server *server, const char *host, uint16_t port, hy_why *why) {
    // Numbers only: looking up a name would block the loop and may give what nobody meant.
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                              .ai_socktype = SOCK_STREAM };
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo *address = NULL;
    const char *number = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (getaddrinfo(number, service, &hints, &address) != 0) {
        return hyi_why_fmt(why, HY_MALFORMED, host,
                           "not an address to listen on: give an IP address such as 127.0.0.1");
    }
    server->listen_fd = server_socket(address);
    int failure = errno;
    freeaddrinfo(address);
    if (server->listen_fd < 0) return server_listen_err(failure, host, port, why);
    server->port = server_bound_port(server->listen_fd);
    server->spare_fd = fcntl(server->listen_fd, F_DUPFD_CLOEXEC, 0);
    if (server->spare_fd < 0) return HY_LIMIT;

    hy_err err = hy_watch_open(server->world, server->listen_fd, server_accept, server,
                               &server->listen_watch);
    if (err != HY_OK) return err;
    return hy_watch_set(server->listen_watch, 1);
}

static hy_id server_address(const struct sockaddr_storage *address) {
    uint8_t bytes[16] = { 0 };
    if (address->ss_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    } else {
        bytes[10] = bytes[11] = 0xff;
        memcpy(bytes + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    }
    hy_id id;
    memcpy(&id, bytes, sizeof id);
    return id;
}

// No descriptor is left, and the client would wake us for ever. The spare one is given up to accept
// it, so that it is at least hung up on.
static void server_accept_and_drop(hy_server *server) {
    if (server->spare_fd >= 0) close(server->spare_fd);
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    server->spare_fd = fcntl(server->listen_fd, F_DUPFD_CLOEXEC, 0);
}

static void server_accept(void *self, uint32_t events) {
    (void)events;
    hy_server *server = self;
    for (int i = 0; i < SERVER_ACCEPTS_PER_ROUND; i++) {
        struct sockaddr_storage address = { 0 };
        socklen_t len = sizeof address;
        int fd = accept4(server->listen_fd, (struct sockaddr *)&address, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) server_accept_and_drop(server);
            if (errno == EINTR || errno == ECONNABORTED) continue;
            return;
        }
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        hyi_connection_open(server, fd, server_address(&address));
    }
}

static void server_stop_listening(hy_server *server) {
    hy_watch_close(server->listen_watch); // before its descriptor, as libuv wants it
    server->listen_watch = NULL;
    if (server->listen_fd >= 0) close(server->listen_fd);
    if (server->spare_fd >= 0) close(server->spare_fd); // or the port would stay taken
    server->listen_fd = server->spare_fd = -1;
}

// ---- closing -----------------------------------------------------------------------------------

static void server_close_is_due(hy_timer *timer) {
    hy_server *server = (hy_server *)((char *)timer - offsetof(hy_server, close_timer));
    while (server->connections != NULL) {
        hyi_connection_abort(server->connections);
    }
    hyi_websockets_abort(server->websockets);
    hyi_server_check_finished(server);
}

static void server_finish(hy_post *post) {
    hy_server *server = (hy_server *)((char *)post - offsetof(hy_server, finish_post));
    server->finish_posted = false;
    if (hy_server_connections(server) > 0 || server->dying_count > 0) return;
    if (server->work_count > 0) return;
    server->finishing = true;
    hy_timer_stop(server->world, &server->close_timer);
    hyi_websockets_close(server->websockets, server_finished);
}

static void server_finished(hy_server *server) {
    HY_ASSERT(!server->finish_posted); // nothing was left that could have asked
    void (*closed)(void *self) = server->closed;
    void *self = server->closed_self;
    server_free(server);
    if (closed != NULL) closed(self);
}

static void server_free(hy_server *server) {
    server_stop_listening(server);
    hy_mem_free(server->mem, server->routes, server->route_count * sizeof *server->routes);
    hy_mem_free(server->mem, server->socket_routes,
                server->socket_route_count * sizeof *server->socket_routes);
    hy_mem_free(server->mem, server, sizeof *server);
}
