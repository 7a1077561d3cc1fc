// server_test.c - routes, parameters, answers, records, keep-alive and the order of closing.
//
// What a well-behaved client may rely on; limits_test.c has the others.
#include "net/net_suite.h"

#include <hypha/schema.h>

#include "net/server.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define GUEST(F)                                                                                   \
    F(1, str, name)                                                                                \
    F(2, u32, age)
HY_RECORD(guest, GUEST)
HY_RECORD_DEFINE(guest, GUEST)

// A handler that keeps its requests; the test answers them later.
typedef struct waiting {
    hy_request *requests[8];
    uint32_t handled, gone;
} waiting;

static void gone_later(hy_request *request) {
    ((waiting *)hy_request_data(request))->gone++;
}

static void handle_later(void *self, hy_request *request) {
    waiting *state = self;
    CHECK(state->handled < 8);
    state->requests[state->handled++] = request;
    hy_request_set_data(request, state);
    hy_request_set_gone(request, gone_later);
}

static void handle_echo(void *self, hy_request *request) {
    (void)self;
    hy_request_answer(request, 200, "text/plain", hy_request_body(request));
}

static void handle_param(void *self, hy_request *request) {
    hy_request_answer(request, 200, "text/plain", hy_request_param(request, self));
}

// Sends back what it understood, a year older.
static void handle_guest(void *self, hy_request *request) {
    (void)self;
    guest value;
    hy_why why = { 0 };
    hy_err err = hy_request_record(request, &guest_record, &value, &why);
    if (err != HY_OK) {
        hy_request_refuse(request, 0, err, NULL, &why);
        return;
    }
    value.age++;
    hy_request_answer_record(request, 201, &guest_record, &value);
}

static void handle_conflict(void *self, hy_request *request) {
    (void)self;
    hy_why why = { .text = "that slot is \"gone\"\n", .place = "slot" };
    hy_request_refuse(request, 0, HY_REJECT, "SLOT_TAKEN", &why);
}

static void handle_large(void *self, hy_request *request) {
    hy_request_answer(request, 200, "application/octet-stream", *(hy_bytes *)self);
}

static waiting later;
static uint8_t large_bytes[3 << 20];
static hy_bytes large = { large_bytes, sizeof large_bytes };

static void open_all(net_fixture *fixture) {
    later = (waiting){ 0 };
    static char name[] = "name", y[] = "y";
    const hy_route routes[] = {
        { "POST", "/echo", handle_echo, NULL },        { "GET", "/a/:x/b/:y", handle_param, y },
        { "GET", "/find", handle_param, name },        { "GET", "/later", handle_later, &later },
        { "POST", "/later", handle_later, &later },    { "POST", "/guests", handle_guest, NULL },
        { "GET", "/conflict", handle_conflict, NULL }, { "GET", "/large", handle_large, &large },
    };
    net_open(fixture, NULL, routes, sizeof routes / sizeof routes[0], NULL, 0);
}

static hy_err routes_find_their_handler(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer =
        net_ask(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    CHECK_EQ(answer.status, 200);
    CHECK_TEXT(answer.body, "hello");
    CHECK_TEXT(net_header(&answer, "content-type"), "text/plain");
    CHECK_TEXT(net_header(&answer, "x-content-type-options"), "nosniff");
    CHECK_TEXT(net_header(&answer, "cache-control"), "no-store");
    CHECK_EQ(net_header(&answer, "date").len, 29);

    answer = net_ask(&client, "GET /a/1/b/caf%C3%A9%2F HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_TEXT(answer.body, "caf\xc3\xa9/");
    answer = net_ask(&client, "GET /find?other=1&name=Ann+%26+Bo HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_TEXT(answer.body, "Ann & Bo");
    answer = net_ask(&client, "GET http://x/find?name=absolute HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_TEXT(answer.body, "absolute");
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err head_is_get_without_its_body(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_send_text(&client, "HEAD /find?name=four HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /find?name=next HTTP/1.1\r\nHost: x\r\n\r\n");
    net_answer answer = net_wait_head(&client);
    CHECK_EQ(answer.status, 200);
    CHECK_TEXT(net_header(&answer, "content-length"), "4");
    answer = net_wait_answer(&client); // what follows is the next answer, not a body
    CHECK_TEXT(answer.body, "next");
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err unknown_paths_and_methods_differ(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer = net_ask(&client, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 404);
    CHECK_TEXT(answer.body, "{\"error\":\"HY_NOT_FOUND\",\"message\":\"there is nothing at this "
                            "path\",\"place\":\"path\"}\n");
    CHECK_TEXT(net_header(&answer, "content-type"), "application/json");
    answer = net_ask(&client, "DELETE /later HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 405);
    CHECK_TEXT(net_header(&answer, "allow"), "GET, HEAD, POST");
    CHECK(net_contains(answer.body, "\"error\":\"HY_UNSUPPORTED\""));
    answer = net_ask(&client, "BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 405);
    CHECK_TEXT(net_header(&answer, "allow"), "POST");
    answer = net_ask(&client, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 404);
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err parameters_are_utf8(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer = net_ask(&client, "GET /find?name=%FF HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 400);
    CHECK(net_contains(answer.body, "\"error\":\"HY_NOT_UTF8\""));
    CHECK(net_contains(answer.body, "\"place\":\"query\""));
    answer = net_ask(&client, "GET /find?a=1&name=%2 HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 400);
    CHECK(net_contains(answer.body, "\"offset\":9"));
    answer = net_ask(&client, "GET /a/%00/b/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 400);
    CHECK(net_contains(answer.body, "\"place\":\"path\",\"offset\":3"));
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err records_go_both_ways(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer = net_ask(&client, "POST /guests HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                         "application/json; charset=utf-8\r\nContent-Length: "
                                         "23\r\n\r\n{\"name\":\"Ann\",\"age\":41}");
    CHECK_EQ(answer.status, 201);
    CHECK_TEXT(net_header(&answer, "content-type"), "application/json");
    CHECK_TEXT(answer.body, "{\"name\":\"Ann\",\"age\":42}");

    const char wire[] = "POST /guests HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf"
                        "\r\nAccept: application/json;q=0.5, application/protobuf\r\n"
                        "Content-Length: 7\r\n\r\n\x0a\x03"
                        "Bob\x10\x07";
    net_send(&client, (hy_bytes){ (const uint8_t *)wire, sizeof wire - 1 });
    answer = net_wait_answer(&client);
    CHECK_EQ(answer.status, 201);
    CHECK_TEXT(net_header(&answer, "content-type"), "application/x-protobuf");
    CHECK_TEXT(answer.body, "\x0a\x03"
                            "Bob\x10\x08");
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err bad_bodies_are_refused(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer =
        net_ask(&client, "POST /guests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         "Content-Length: 14\r\n\r\n{\"name\":\"Ann\",");
    CHECK_EQ(answer.status, 400);
    CHECK(net_contains(answer.body, "\"error\":\"HY_MALFORMED\""));
    CHECK(net_contains(answer.body, "\"offset\":14"));
    answer = net_ask(&client, "POST /guests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
                              "\r\nContent-Length: 13\r\n\r\n{\"age\":\"old\"}");
    CHECK_EQ(answer.status, 422);
    CHECK(net_contains(answer.body, "\"error\":\"HY_TYPE\""));
    CHECK(net_contains(answer.body, "\"place\":\"age\""));
    answer = net_ask(&client, "POST /guests HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
                              "Content-Length: 3\r\n\r\na,b");
    CHECK_EQ(answer.status, 415);
    CHECK(net_contains(answer.body, "\"place\":\"content-type\""));
    CHECK(net_contains(answer.body, "text/csv"));
    answer = net_ask(&client, "GET /conflict HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 409);
    CHECK_TEXT(answer.body, "{\"error\":\"SLOT_TAKEN\",\"message\":\"that slot is "
                            "\\\"gone\\\"\\u000a\",\"place\":\"slot\"}\n");
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err pipelined_answers_keep_their_order(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_send_text(&client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
                           "\r\n" // allowed in front of a request
                           "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"
                           "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "2;x=y\r\n23\r\n1\r\n4\r\n0\r\nTrailer: x\r\n\r\n"
                           "GET /find?name=last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    NET_UNTIL(&fixture, later.handled == 1);
    for (int i = 0; i < 100; i++) { // nothing overtakes
        (void)hy_world_turn(fixture.world);
        net_poll(&client);
        CHECK_EQ(client.in.len, 0);
    }
    hy_request_answer(later.requests[0], 200, "text/plain", HY_BYTES("first"));
    CHECK_TEXT(net_wait_answer(&client).body, "first");
    CHECK_TEXT(net_wait_answer(&client).body, "1");
    CHECK_TEXT(net_wait_answer(&client).body, "234");
    net_answer answer = net_wait_answer(&client);
    CHECK_TEXT(answer.body, "last");
    CHECK_TEXT(net_header(&answer, "connection"), "close");
    net_wait_end(&client);
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

// Every cut of the same bytes must mean the same.
static hy_err bytes_may_come_one_by_one(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    const char *text = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "a\r\n0123456789\r\n3\r\nabc\r\n0\r\n\r\n";
    for (const char *at = text; *at != '\0'; at++) {
        net_send(&client, (hy_bytes){ (const uint8_t *)at, 1 });
        (void)hy_world_turn(fixture.world);
    }
    CHECK_TEXT(net_wait_answer(&client).body, "0123456789abc");
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err a_client_that_waits_is_told_to_continue(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_send_text(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                           "Content-Length: 4\r\n\r\n");
    net_answer answer = net_wait_head(&client);
    CHECK_EQ(answer.status, 100);
    answer = net_ask(&client, "body");
    CHECK_EQ(answer.status, 200);
    CHECK_TEXT(answer.body, "body");
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err a_client_that_left_is_noticed(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_send_text(&client, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    NET_UNTIL(&fixture, later.handled == 1);
    net_disconnect(&client);
    NET_UNTIL(&fixture, later.gone == 1);
    CHECK_EQ(hy_server_connections(fixture.server), 0);
    // The request is still there, and answering it does nothing but free it.
    CHECK_TEXT(hy_request_body(later.requests[0]), "body");
    hy_request_answer(later.requests[0], 200, "text/plain", HY_BYTES("too late"));
    CHECK_EQ(later.gone, 1);
    net_close(&fixture);
    return HY_OK;
}

// A reset comes right behind the bytes: they are read first, and the reset is still noticed.
static hy_err a_client_that_breaks_off_is_noticed(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    static const char *const halves[] = { "GET /plain HT", "POST /later HTTP/1.1\r\nHost: x\r\n"
                                                           "Content-Length: 4\r\n\r\nb" };
    for (size_t i = 0; i < 20; i++) {
        net_client client;
        net_connect(&fixture, &client);
        NET_UNTIL(&fixture, hy_server_connections(fixture.server) == 1);
        net_send_text(&client, halves[i % 2]);
        const struct linger at_once = { .l_onoff = 1 };
        CHECK(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        net_disconnect(&client);
        NET_UNTIL(&fixture, hy_server_connections(fixture.server) == 0);
    }
    net_close(&fixture);
    return HY_OK;
}

static hy_err large_answers_wait_for_their_reader(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    for (size_t i = 0; i < sizeof large_bytes; i++) {
        large_bytes[i] = (uint8_t)(i * 7 + i / 4096);
    }
    net_client client;
    net_connect(&fixture, &client);
    for (int i = 0; i < 8; i++) { // 24 MiB, more than any buffer between us
        net_send_text(&client, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (int i = 0; i < 1000; i++) { // the client does not read
        (void)hy_world_turn(fixture.world);
    }
    // One answer waits, and not eight: the next request begins when this one has left.
    hyi_connection *connection = fixture.server->connections;
    CHECK(connection->out.len - connection->out_sent > 0);
    CHECK(connection->out.len < 2 * sizeof large_bytes);
    for (int i = 0; i < 8; i++) {
        CHECK_BYTES(net_wait_answer(&client).body, large);
    }
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err old_clients_are_served(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer = net_ask(&client, "GET /find?name=old HTTP/1.0\r\n\r\n");
    CHECK_TEXT(answer.body, "old");
    CHECK_TEXT(net_header(&answer, "connection"), "close");
    net_wait_end(&client);
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err other_origins_change_nothing(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer = net_ask(&client, "POST /echo HTTP/1.1\r\nHost: clinic.test:8080\r\nOrigin: "
                                         "http://evil.test\r\nContent-Length: 2\r\n\r\nhi");
    CHECK_EQ(answer.status, 403);
    CHECK(net_contains(answer.body, "\"place\":\"origin\""));
    answer = net_ask(&client, "POST /echo HTTP/1.1\r\nHost: clinic.test:8080\r\nOrigin: "
                              "null\r\nContent-Length: 2\r\n\r\nhi");
    CHECK_EQ(answer.status, 403);
    answer = net_ask(&client, "POST /echo HTTP/1.1\r\nHost: clinic.test:8080\r\nOrigin: "
                              "http://Clinic.test:8080\r\nContent-Length: 2\r\n\r\nhi");
    CHECK_EQ(answer.status, 200);
    answer = net_ask(&client, "POST /echo HTTP/1.1\r\nHost: clinic.test\r\nOrigin: "
                              "https://clinic.test:443\r\nContent-Length: 2\r\n\r\nhi");
    CHECK_EQ(answer.status, 200);
    answer = net_ask(&client, "GET /find?name=read HTTP/1.1\r\nHost: clinic.test\r\n"
                              "Origin: http://evil.test\r\n\r\n");
    CHECK_EQ(answer.status, 200); // reading is what the browser guards by itself
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err a_used_port_says_what_to_do(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    hy_server *second = NULL;
    hy_why why = { 0 };
    const hy_server_options options = { .size = sizeof options,
                                        .port = hy_server_port(fixture.server) };
    CHECK_ERR(hy_server_open(fixture.world, &options, NULL, 0, NULL, 0, &second, &why), HY_BUSY);
    CHECK(second == NULL);
    CHECK(strstr(why.text, "choose another port") != NULL);
    const hy_server_options nowhere = { .size = sizeof nowhere, .host = "not an address" };
    CHECK_ERR(hy_server_open(fixture.world, &nowhere, NULL, 0, NULL, 0, &second, &why),
              HY_MALFORMED);
    net_close(&fixture);
    return HY_OK;
}

static hy_err a_stop_lets_requests_finish(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client idle, busy, late;
    net_connect(&fixture, &idle);
    net_connect(&fixture, &busy);
    net_connect(&fixture, &late);
    (void)net_ask(&idle, "GET /find?name=x HTTP/1.1\r\nHost: x\r\n\r\n");
    net_send_text(&busy, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    NET_UNTIL(&fixture, later.handled == 1);
    (void)net_ask(&late, "GET /find?name=x HTTP/1.1\r\nHost: x\r\n\r\n");
    net_send_text(&late, "GET /find?name=x HTTP/1.1\r\nHost: x\r\n\r\n"); // on its way at the stop

    net_close_begin(&fixture, HY_SECONDS(5));
    net_wait_end(&idle);
    net_answer answer = net_wait_answer(&late);
    CHECK_EQ(answer.status, 503);
    CHECK(net_contains(answer.body, "\"error\":\"HY_CLOSED\""));
    net_wait_end(&late);
    net_disconnect(&late);
    CHECK(!fixture.closed);
    hy_request_answer(later.requests[0], 200, "text/plain", HY_BYTES("in time"));
    answer = net_wait_answer(&busy);
    CHECK_TEXT(answer.body, "in time");
    CHECK_TEXT(net_header(&answer, "connection"), "close");
    net_wait_end(&busy);
    net_disconnect(&busy);
    net_disconnect(&idle);
    NET_UNTIL(&fixture, fixture.closed);
    net_close(&fixture);
    return HY_OK;
}

static hy_err a_stop_cuts_at_its_deadline(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client busy, half;
    net_connect(&fixture, &busy);
    net_connect(&fixture, &half);
    net_send_text(&busy, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    net_send_text(&half, "GET /fi");
    NET_UNTIL(&fixture, later.handled == 1);
    net_close_begin(&fixture, HY_MS(20));
    NET_UNTIL(&fixture, fixture.closed);
    CHECK_EQ(later.gone, 1);
    net_wait_end(&busy);
    net_wait_end(&half);
    // The server is gone; its request is not.
    hy_request_answer(later.requests[0], 200, "text/plain", HY_BYTES("nobody hears"));
    net_disconnect(&busy);
    net_disconnect(&half);
    net_close(&fixture);
    return HY_OK;
}

static hy_err twenty_thousand_requests_leave_nothing(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    open_all(&fixture);
    net_client clients[4];
    for (int i = 0; i < 4; i++) {
        net_connect(&fixture, &clients[i]);
    }
    for (int i = 0; i < 20000; i++) {
        net_client *client = &clients[i % 4];
        net_answer answer =
            net_ask(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        CHECK_EQ(answer.status, 200);
        hy_buf_clear(&client->in);
        client->taken = 0;
    }
    CHECK_EQ(hy_server_connections(fixture.server), 4);
    for (int i = 0; i < 4; i++) {
        net_disconnect(&clients[i]);
    }
    net_close(&fixture);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(routes_find_their_handler), KIT_TEST_ONCE(head_is_get_without_its_body),
          KIT_TEST_ONCE(unknown_paths_and_methods_differ), KIT_TEST_ONCE(parameters_are_utf8),
          KIT_TEST_ONCE(records_go_both_ways), KIT_TEST_ONCE(bad_bodies_are_refused),
          KIT_TEST_ONCE(pipelined_answers_keep_their_order),
          KIT_TEST_ONCE(bytes_may_come_one_by_one),
          KIT_TEST_ONCE(a_client_that_waits_is_told_to_continue),
          KIT_TEST_ONCE(a_client_that_left_is_noticed),
          KIT_TEST_ONCE(a_client_that_breaks_off_is_noticed),
          KIT_TEST_ONCE(large_answers_wait_for_their_reader), KIT_TEST_ONCE(old_clients_are_served),
          KIT_TEST_ONCE(other_origins_change_nothing), KIT_TEST_ONCE(a_used_port_says_what_to_do),
          KIT_TEST_ONCE(a_stop_lets_requests_finish), KIT_TEST_ONCE(a_stop_cuts_at_its_deadline),
          KIT_TEST_ONCE(twenty_thousand_requests_leave_nothing))
