// net_suite.h - a server and raw clients for the tests of this room.   Room: net (tests only).
// Threads: the test's.
//
// Clients are bare sockets on 127.0.0.1 that send exactly the bytes a test gives, malformed or not.
// Nothing sleeps: waiting means turning the world's loop until a condition holds, a bounded number
// of times. A test that fails leaves its fixture open; the process ends anyway.
#ifndef HYI_NET_SUITE_H
#define HYI_NET_SUITE_H

#include <hypha/net.h>

#include "kit/kit.h"

#define NET_TURNS_MAX 20000000u

typedef struct net_fixture {
    hy_world *world;
    hy_server *server;
    bool closed;
} net_fixture;

// Opens a world and a server in it. `options` may be NULL.
void net_open(net_fixture *fixture, const hy_server_options *options, const hy_route *routes,
              size_t route_count, const hy_socket_route *socket_routes, size_t socket_route_count);
// Closes the server (waiting at most `patience`), and the world; demands that no descriptor is
// left.
void net_close(net_fixture *fixture);
void net_close_begin(net_fixture *fixture, hy_ns patience); // the server only

// Turns the loop until the condition holds.
#define NET_UNTIL(fixture, condition)                                                              \
    do {                                                                                           \
        uint32_t net_turns = 0;                                                                    \
        while (!(condition)) {                                                                     \
            if (++net_turns > NET_TURNS_MAX) {                                                     \
                kit_fail(__FILE__, __LINE__, "never came true: %s", #condition);                   \
            }                                                                                      \
            (void)hy_world_turn((fixture)->world);                                                 \
        }                                                                                          \
    } while (0)

// One bare TCP connection.
typedef struct net_client {
    net_fixture *fixture;
    int fd;
    hy_buf in;
    size_t taken; // of `in`, by answers and frames before
    bool ended;   // the server closed its end
} net_client;

void net_connect(net_fixture *fixture, net_client *client);
void net_disconnect(net_client *client);
// Sends all of it, turning the loop while the socket is full.
void net_send(net_client *client, hy_bytes bytes);
void net_send_text(net_client *client, const char *text);
// Reads what has arrived. Never waits.
void net_poll(net_client *client);

typedef struct net_answer {
    uint32_t status;
    hy_bytes head; // with the status line
    hy_bytes body;
} net_answer;

// Waits for one whole answer; its bytes are valid until the next call with this client.
net_answer net_wait_answer(net_client *client);
// The same for an answer without a body, whatever its Content-Length says (to HEAD, or 304).
net_answer net_wait_head(net_client *client);
// Waits until the server closes the connection; fails if more bytes come.
void net_wait_end(net_client *client);
// Sends and waits for the answer.
net_answer net_ask(net_client *client, const char *text);
// The value of a header, by its lower-case name; empty when it is not there.
hy_bytes net_header(const net_answer *answer, const char *name);
bool net_contains(hy_bytes bytes, const char *text);

// WebSocket: the upgrade, frames as a browser sends them (masked), and what comes back.
void net_upgrade(net_client *client, const char *path);
void net_send_frame(net_client *client, uint8_t first_byte, hy_bytes payload);
typedef struct net_frame {
    uint8_t first_byte; // fin and opcode: 0x81 is a whole text
    hy_bytes payload;
} net_frame;
net_frame net_wait_frame(net_client *client);

uint32_t net_count_descriptors(void);

#endif
