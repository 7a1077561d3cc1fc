// net_suite.c - a server and raw clients for the tests of this room.
//
// Server and clients share one thread: a client's read never waits, and waiting turns the loop that
// serves it. So a test that hangs fails after a number of turns, at the line that waited.
#include "net/net_suite.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Counted before the world is opened; the second time nothing more may be open than the first.
static uint32_t net_descriptors_before;

uint32_t net_count_descriptors(void) {
    uint32_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

void net_open(net_fixture *fixture, const hy_server_options *options, const hy_route *routes,
              size_t route_count, const hy_socket_route *socket_routes, size_t socket_route_count) {
    *fixture = (net_fixture){ 0 };
    // The first loop of a process opens descriptors that stay: they are not the server's.
    CHECK(hy_world_open(NULL, &fixture->world) == HY_OK);
    hy_world_close(fixture->world);
    net_descriptors_before = net_count_descriptors();
    CHECK(hy_world_open(NULL, &fixture->world) == HY_OK);
    hy_why why = { 0 };
    hy_err err = hy_server_open(fixture->world, options, routes, route_count, socket_routes,
                                socket_route_count, &fixture->server, &why);
    if (err != HY_OK) kit_fail(__FILE__, __LINE__, "%s: %s", hy_err_name(err), why.text);
    CHECK(hy_server_port(fixture->server) != 0);
}

static void net_on_closed(void *self) {
    net_fixture *fixture = self;
    fixture->closed = true;
    fixture->server = NULL;
}

void net_close_begin(net_fixture *fixture, hy_ns patience) {
    hy_server_close(fixture->server, net_on_closed, fixture,
                    hy_world_now(fixture->world) + patience);
}

void net_close(net_fixture *fixture) {
    if (!fixture->closed) {
        if (fixture->server != NULL) net_close_begin(fixture, HY_SECONDS(1));
        NET_UNTIL(fixture, fixture->closed);
    }
    // Closed handles are given back when the loop turns.
    for (int i = 0; i < 10; i++) {
        (void)hy_world_turn(fixture->world);
    }
    hy_world_close(fixture->world);
    CHECK_EQ(net_count_descriptors(), net_descriptors_before);
}

// ---- clients -----------------------------------------------------------------------------------

void net_connect(net_fixture *fixture, net_client *client) {
    *client = (net_client){ .fixture = fixture };
    hy_buf_init(&client->in, hy_mem_system(), 0);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(client->fd >= 0);
    int on = 1;
    CHECK(setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(hy_server_port(fixture->server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int result = connect(client->fd, (struct sockaddr *)&address, sizeof address);
    CHECK(result == 0 || errno == EINPROGRESS);
}

void net_disconnect(net_client *client) {
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
    hy_buf_deinit(&client->in);
}

void net_send(net_client *client, hy_bytes bytes) {
    uint32_t turns = 0;
    while (bytes.len > 0) {
        ssize_t sent = send(client->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0) {
            // The server may have answered and closed while a body was still on its way.
            if (errno == EPIPE || errno == ECONNRESET) return;
            CHECK(errno == EAGAIN || errno == EINTR || errno == ENOTCONN);
            CHECK(++turns < NET_TURNS_MAX);
            (void)hy_world_turn(client->fixture->world);
            net_poll(client);
            continue;
        }
        bytes.ptr += sent;
        bytes.len -= (size_t)sent;
    }
}

void net_send_text(net_client *client, const char *text) {
    net_send(client, hy_bytes_of(text));
}

void net_poll(net_client *client) {
    uint8_t chunk[65536];
    while (!client->ended) {
        ssize_t got = recv(client->fd, chunk, sizeof chunk, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) return;
        if (got <= 0) {
            client->ended = true;
            return;
        }
        hy_buf_add(&client->in, chunk, (size_t)got);
        CHECK(client->in.failed == HY_OK);
    }
}

static hy_bytes net_pending(net_client *client) {
    net_poll(client);
    return (hy_bytes){ client->in.ptr + client->taken, client->in.len - client->taken };
}

static size_t net_find(hy_bytes bytes, const char *text) {
    const uint8_t *found = bytes.len == 0 ? NULL : memmem(bytes.ptr, bytes.len, text, strlen(text));
    return found == NULL ? SIZE_MAX : (size_t)(found - bytes.ptr);
}

bool net_contains(hy_bytes bytes, const char *text) {
    return net_find(bytes, text) != SIZE_MAX;
}

static size_t net_head_len(net_client *client) {
    size_t end = net_find(net_pending(client), "\r\n\r\n");
    if (end == SIZE_MAX && client->ended) {
        kit_fail(__FILE__, __LINE__, "the server closed the connection without an answer");
    }
    return end == SIZE_MAX ? 0 : end + 4;
}

// The digits at the start; the bytes are not NUL-ended, so atoi would read past them.
static size_t net_number(hy_bytes bytes) {
    size_t number = 0;
    for (size_t i = 0; i < bytes.len && bytes.ptr[i] >= '0' && bytes.ptr[i] <= '9'; i++) {
        number = number * 10 + (size_t)(bytes.ptr[i] - '0');
    }
    return number;
}

static net_answer net_take(net_client *client, bool has_body) {
    NET_UNTIL(client->fixture, net_head_len(client) > 0);
    net_answer answer = { 0 };
    answer.head = (hy_bytes){ net_pending(client).ptr, net_head_len(client) };
    CHECK(answer.head.len > 12 && memcmp(answer.head.ptr, "HTTP/1.1 ", 9) == 0);
    answer.status = (uint32_t)net_number((hy_bytes){ answer.head.ptr + 9, answer.head.len - 9 });
    size_t head_len = answer.head.len, body_len = 0;
    hy_bytes length = net_header(&answer, "content-length");
    if (has_body && length.ptr != NULL) body_len = net_number(length);
    NET_UNTIL(client->fixture, net_pending(client).len >= head_len + body_len || client->ended);
    hy_bytes all = net_pending(client);
    CHECK(all.len >= head_len + body_len);
    answer.head.ptr = all.ptr; // the buffer may have moved
    answer.body = (hy_bytes){ all.ptr + head_len, body_len };
    client->taken += head_len + body_len;
    return answer;
}

net_answer net_wait_answer(net_client *client) {
    return net_take(client, true);
}

net_answer net_wait_head(net_client *client) {
    return net_take(client, false);
}

void net_wait_end(net_client *client) {
    NET_UNTIL(client->fixture, (net_poll(client), client->ended));
    CHECK_EQ(client->in.len, client->taken);
}

net_answer net_ask(net_client *client, const char *text) {
    net_send_text(client, text);
    return net_wait_answer(client);
}

hy_bytes net_header(const net_answer *answer, const char *name) {
    size_t len = strlen(name);
    hy_bytes rest = answer->head;
    for (;;) {
        size_t end = net_find(rest, "\r\n");
        if (end == SIZE_MAX || end == 0) return (hy_bytes){ NULL, 0 };
        if (end > len && rest.ptr[len] == ':' &&
            strncasecmp((const char *)rest.ptr, name, len) == 0) {
            return (hy_bytes){ rest.ptr + len + 2, end - len - 2 };
        }
        rest.ptr += end + 2;
        rest.len -= end + 2;
    }
}

// ---- WebSocket ---------------------------------------------------------------------------------

void net_upgrade(net_client *client, const char *path) {
    char text[512];
    snprintf(text, sizeof text,
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive, Upgrade\r\n"
             "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
             path);
    net_send_text(client, text);
    net_answer answer = net_wait_head(client);
    CHECK_EQ(answer.status, 101);
    CHECK_TEXT(net_header(&answer, "sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

void net_send_frame(net_client *client, uint8_t first_byte, hy_bytes payload) {
    static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    hy_buf frame;
    hy_buf_init(&frame, hy_mem_system(), 0);
    uint8_t head[10] = { first_byte };
    size_t head_len = 2;
    if (payload.len < 126) {
        head[1] = (uint8_t)(0x80 | payload.len);
    } else {
        head[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++) {
            head[2 + i] = (uint8_t)((uint64_t)payload.len >> (56 - 8 * i));
        }
        head_len = 10;
    }
    hy_buf_add(&frame, head, head_len);
    hy_buf_add(&frame, mask, sizeof mask);
    for (size_t i = 0; i < payload.len; i++) {
        uint8_t masked = payload.ptr[i] ^ mask[i % 4];
        hy_buf_add(&frame, &masked, 1);
    }
    net_send(client, hy_buf_bytes(&frame));
    hy_buf_deinit(&frame);
}

// The length of the first frame in `bytes`, or 0 when it is not whole.
static size_t net_frame_len(hy_bytes bytes, size_t *out_payload_at) {
    if (bytes.len < 2) return 0;
    size_t len = bytes.ptr[1] & 0x7f, at = 2;
    size_t width = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (bytes.len < at + width) return 0;
    if (width > 0) {
        len = 0;
        for (size_t i = 0; i < width; i++) {
            len = len << 8 | bytes.ptr[at + i];
        }
        at += width;
    }
    *out_payload_at = at;
    return bytes.len >= at + len ? at + len : 0;
}

net_frame net_wait_frame(net_client *client) {
    size_t at = 0;
    NET_UNTIL(client->fixture, net_frame_len(net_pending(client), &at) > 0 || client->ended);
    hy_bytes all = net_pending(client);
    size_t len = net_frame_len(all, &at);
    if (len == 0) kit_fail(__FILE__, __LINE__, "the server closed without a frame");
    client->taken += len;
    return (net_frame){ all.ptr[0], { all.ptr + at, len - at } };
}
