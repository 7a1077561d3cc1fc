// websocket_test.c - upgrades, messages, limits and goodbyes.
//
// The frames are made by hand, so that those no browser would send can be sent too. Whatever ends a
// socket, `closed` comes exactly once for each that was opened.
#include "net/net_suite.h"

#include <stdio.h>
#include <string.h>

#define SOCKETS_MAX 8

// What the server's side of the test has seen.
typedef struct room {
    hy_socket *sockets[SOCKETS_MAX];
    uint32_t count, opened, messages, closed;
    char said[64]; // the parameter of the latest that came
} room;

static void room_opened(void *self, hy_socket *socket) {
    room *here = self;
    CHECK(here->count < SOCKETS_MAX);
    here->sockets[here->count++] = socket;
    here->opened++;
    snprintf(here->said, sizeof here->said, "%.*s", HY_SHOW(hy_socket_param(socket, "room")));
}

// What one says, everyone hears.
static void room_message(void *self, hy_socket *socket, hy_bytes text) {
    room *here = self;
    here->messages++;
    if (hy_bytes_equal(text, HY_BYTES("bye"))) {
        hy_socket_close(socket, 4000, "as you wish");
        return;
    }
    for (uint32_t i = 0; i < here->count; i++) {
        CHECK(hy_socket_send(here->sockets[i], text) == HY_OK);
    }
}

static void room_closed(void *self, hy_socket *socket) {
    room *here = self;
    here->closed++;
    for (uint32_t i = 0; i < here->count; i++) {
        if (here->sockets[i] != socket) continue;
        here->sockets[i] = here->sockets[--here->count];
        return;
    }
    kit_fail(__FILE__, __LINE__, "a socket that never opened was closed");
}

static void room_open(net_fixture *fixture, room *here, const hy_server_options *options) {
    *here = (room){ 0 };
    const hy_socket_route routes[] = {
        { "/live/:room", room_opened, room_message, room_closed, here },
    };
    net_open(fixture, options, NULL, 0, routes, 1);
}

static uint32_t close_code(const net_frame *frame) {
    CHECK_EQ(frame->first_byte, 0x88);
    CHECK(frame->payload.len >= 2);
    return (uint32_t)(frame->payload.ptr[0] << 8 | frame->payload.ptr[1]);
}

static hy_err messages_reach_everyone(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, NULL);
    net_client ann, bob;
    net_connect(&fixture, &ann);
    net_connect(&fixture, &bob);
    net_upgrade(&ann, "/live/north%20wing");
    net_upgrade(&bob, "/live/south");
    CHECK(strcmp(here.said, "south") == 0);
    CHECK_EQ(hy_server_connections(fixture.server), 2);

    net_send_frame(&ann, 0x81, HY_BYTES("hello"));
    net_frame frame = net_wait_frame(&bob);
    CHECK_EQ(frame.first_byte, 0x81);
    CHECK_TEXT(frame.payload, "hello");
    frame = net_wait_frame(&ann);
    CHECK_TEXT(frame.payload, "hello");

    net_disconnect(&ann);
    NET_UNTIL(&fixture, here.closed == 1);
    net_disconnect(&bob);
    NET_UNTIL(&fixture, here.closed == 2);
    net_close(&fixture);
    return HY_OK;
}

static hy_err fragments_are_joined(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, NULL);
    net_client ann;
    net_connect(&fixture, &ann);
    net_upgrade(&ann, "/live/1");
    net_send_frame(&ann, 0x01, HY_BYTES("caf\xc3")); // cut inside a character
    net_send_frame(&ann, 0x89, HY_BYTES("are you there"));
    net_send_frame(&ann, 0x00, HY_BYTES("\xa9 "));
    net_send_frame(&ann, 0x80, HY_BYTES("now"));
    net_frame frame = net_wait_frame(&ann);
    CHECK_EQ(frame.first_byte, 0x8a); // the pong may come between
    CHECK_TEXT(frame.payload, "are you there");
    frame = net_wait_frame(&ann);
    CHECK_TEXT(frame.payload, "caf\xc3\xa9 now");
    CHECK_EQ(here.messages, 1);
    net_disconnect(&ann);
    net_close(&fixture);
    return HY_OK;
}

static hy_err large_messages_pass_whole(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, NULL);
    net_client ann;
    net_connect(&fixture, &ann);
    net_upgrade(&ann, "/live/1");
    static uint8_t text[500000];
    memset(text, 'x', sizeof text);
    net_send_frame(&ann, 0x81, (hy_bytes){ text, sizeof text });
    net_frame frame = net_wait_frame(&ann);
    CHECK_BYTES(frame.payload, ((hy_bytes){ text, sizeof text }));
    net_disconnect(&ann);
    net_close(&fixture);
    return HY_OK;
}

static uint32_t code_for(uint8_t first_byte, hy_bytes payload, size_t body_bytes_max) {
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, HY_OPTIONS(hy_server, .body_bytes_max = body_bytes_max));
    net_client ann;
    net_connect(&fixture, &ann);
    net_upgrade(&ann, "/live/1");
    net_send_frame(&ann, first_byte, payload);
    net_frame frame = net_wait_frame(&ann);
    uint32_t code = close_code(&frame);
    CHECK_EQ(here.messages, 0);
    net_disconnect(&ann);
    NET_UNTIL(&fixture, here.closed == 1);
    net_close(&fixture);
    return code;
}

static hy_err bad_messages_are_told_why(hy_mem *mem) {
    (void)mem;
    CHECK_EQ(code_for(0x82, HY_BYTES("binary"), 0), 1003);
    CHECK_EQ(code_for(0x81, HY_BYTES("\xff\xfe"), 0), 1007);
    CHECK_EQ(code_for(0x81, HY_BYTES("longer than sixteen bytes"), 16), 1009);
    CHECK_EQ(code_for(0x83, HY_BYTES("no such opcode"), 0), 1002);
    return HY_OK;
}

static hy_err handlers_close_with_their_code(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, NULL);
    net_client ann;
    net_connect(&fixture, &ann);
    net_upgrade(&ann, "/live/1");
    net_send_frame(&ann, 0x81, HY_BYTES("bye"));
    net_frame frame = net_wait_frame(&ann);
    CHECK_EQ(close_code(&frame), 4000);
    hy_bytes reason = { frame.payload.ptr + 2, frame.payload.len - 2 };
    CHECK_TEXT(reason, "as you wish");
    CHECK(hy_socket_send(here.sockets[0], HY_BYTES("late")) == HY_CLOSED);
    net_send_frame(&ann, 0x88, HY_BYTES("\x0f\xa0"));
    NET_UNTIL(&fixture, here.closed == 1);
    net_wait_end(&ann);
    net_disconnect(&ann);
    net_close(&fixture);
    return HY_OK;
}

static hy_err a_slow_reader_is_cut(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, HY_OPTIONS(hy_server, .socket_queue_bytes_max = 262144));
    net_client slow, quick;
    net_connect(&fixture, &slow);
    net_connect(&fixture, &quick);
    net_upgrade(&slow, "/live/1");
    hy_socket *slow_socket = here.sockets[0];
    net_upgrade(&quick, "/live/1");
    static uint8_t text[60000];
    memset(text, 'x', sizeof text);
    // The kernel's buffers swallow some megabytes before anything waits here.
    hy_err err = HY_OK;
    for (int i = 0; i < 2000 && err == HY_OK; i++) {
        (void)hy_world_turn(fixture.world);
        err = hy_socket_send(slow_socket, (hy_bytes){ text, sizeof text });
    }
    CHECK_EQ(err, HY_LIMIT);
    CHECK_EQ(hy_socket_send(slow_socket, HY_BYTES("more")), HY_CLOSED);
    NET_UNTIL(&fixture, here.closed == 1);
    CHECK(hy_socket_send(here.sockets[0], HY_BYTES("others live on")) == HY_OK);
    net_frame frame = net_wait_frame(&quick);
    CHECK_TEXT(frame.payload, "others live on");
    net_disconnect(&slow);
    net_disconnect(&quick);
    net_close(&fixture);
    return HY_OK;
}

static hy_err the_silent_are_pinged_and_cut(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    room here;
    // Long, because whoever is held up for half of it by a busy machine is cut as well.
    room_open(&fixture, &here, HY_OPTIONS(hy_server, .idle_max_ns = HY_MS(1500)));
    net_client ann;
    net_connect(&fixture, &ann);
    net_upgrade(&ann, "/live/1");
    for (int i = 0; i < 3; i++) { // alive as long as it answers
        net_frame frame = net_wait_frame(&ann);
        CHECK_EQ(frame.first_byte, 0x89);
        net_send_frame(&ann, 0x8a, frame.payload);
        CHECK_EQ(here.closed, 0);
    }
    NET_UNTIL(&fixture, here.closed == 1);
    net_disconnect(&ann);
    net_close(&fixture);
    return HY_OK;
}

static hy_err a_graceful_stop_says_1001(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, NULL);
    net_client polite, rude;
    net_connect(&fixture, &polite);
    net_connect(&fixture, &rude);
    net_upgrade(&polite, "/live/1");
    net_upgrade(&rude, "/live/1"); // never answers the close frame
    net_close_begin(&fixture, HY_MS(500));
    net_frame frame = net_wait_frame(&polite);
    CHECK_EQ(close_code(&frame), 1001);
    net_send_frame(&polite, 0x88, HY_BYTES("\x03\xe9"));
    NET_UNTIL(&fixture, fixture.closed);
    CHECK_EQ(here.closed, 2);
    net_disconnect(&polite);
    net_disconnect(&rude);
    net_close(&fixture);
    return HY_OK;
}

static uint32_t upgrade_status(const char *lines) {
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, NULL);
    net_client client;
    net_connect(&fixture, &client);
    char text[512];
    snprintf(text, sizeof text, "GET /live/1 HTTP/1.1\r\nHost: clinic.test:8080\r\n%s\r\n", lines);
    net_send_text(&client, text);
    net_answer answer = net_wait_head(&client);
    uint32_t status = answer.status;
    CHECK_EQ(here.opened, status == 101);
    net_disconnect(&client);
    net_close(&fixture);
    return status;
}

#define UPGRADE                                                                                    \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static hy_err improper_upgrades_are_refused(hy_mem *mem) {
    (void)mem;
    CHECK_EQ(upgrade_status(UPGRADE), 101);
    CHECK_EQ(upgrade_status(UPGRADE "Origin: http://clinic.test:8080\r\n"), 101);
    CHECK_EQ(upgrade_status(UPGRADE "Origin: http://evil.test\r\n"), 403);
    CHECK_EQ(upgrade_status(UPGRADE "Origin: http://clinic.test\r\n"), 403); // another port
    CHECK_EQ(upgrade_status(UPGRADE "Origin: null\r\n"), 403);
    CHECK_EQ(upgrade_status(""), 426);
    CHECK_EQ(upgrade_status("Connection: Upgrade\r\nUpgrade: websocket\r\n"), 426);
    CHECK_EQ(upgrade_status("Connection: Upgrade\r\nUpgrade: websocket\r\n"
                            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"),
             400);
    return HY_OK;
}

static hy_err frames_behind_the_upgrade_are_not_lost(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    room here;
    room_open(&fixture, &here, NULL);
    net_client ann;
    net_connect(&fixture, &ann);
    const char early[] = "GET /live/1 HTTP/1.1\r\nHost: x\r\n" UPGRADE "\r\n"
                         "\x81\x82\x01\x01\x01\x01\x69\x68"; // "hi", masked with ones
    net_send(&ann, (hy_bytes){ (const uint8_t *)early, sizeof early - 1 });
    net_answer answer = net_wait_head(&ann);
    CHECK_EQ(answer.status, 101);
    net_frame frame = net_wait_frame(&ann);
    CHECK_TEXT(frame.payload, "hi");
    net_disconnect(&ann);
    net_close(&fixture);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(messages_reach_everyone), KIT_TEST_ONCE(fragments_are_joined),
          KIT_TEST_ONCE(large_messages_pass_whole), KIT_TEST_ONCE(bad_messages_are_told_why),
          KIT_TEST_ONCE(handlers_close_with_their_code), KIT_TEST_ONCE(a_slow_reader_is_cut),
          KIT_TEST_ONCE(the_silent_are_pinged_and_cut), KIT_TEST_ONCE(a_graceful_stop_says_1001),
          KIT_TEST_ONCE(improper_upgrades_are_refused),
          KIT_TEST_ONCE(frames_behind_the_upgrade_are_not_lost))
