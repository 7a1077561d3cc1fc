// server_test.c - routes, parameters, answers, keep-alive and the order of closing.
#include "net/net_suite.h"

#include <string.h>

// A handler that keeps the request; the test answers it later.
typedef struct waiting {
    hy_request *request;
    uint32_t handled, gone;
} waiting;

static void handle_echo(void *self, hy_request *request) {
    (void)self;
    hy_request_answer(request, 200, "text/plain", hy_request_body(request));
}

static void handle_param(void *self, hy_request *request) {
    hy_request_answer(request, 200, "text/plain", hy_request_param(request, self));
}

static void handle_later(void *self, hy_request *request);
static void gone_later(hy_request *request) {
    ((waiting *)hy_request_data(request))->gone++;
}

static void handle_later(void *self, hy_request *request) {
    waiting *state = self;
    state->handled++;
    state->request = request;
    hy_request_set_data(request, state);
    hy_request_set_gone(request, gone_later);
}

static hy_err routes_find_their_handler(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    const hy_route routes[] = {
        { "POST", "/echo", handle_echo, NULL },
        { "GET", "/a/:x/b/:y", handle_param, "y" },
        { "GET", "/find", handle_param, "name" },
    };
    net_open(&fixture, NULL, routes, 3, NULL, 0);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer =
        net_ask(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    CHECK_EQ(answer.status, 200);
    CHECK_TEXT(answer.body, "hello");
    CHECK_TEXT(net_header(&answer, "content-type"), "text/plain");

    answer = net_ask(&client, "GET /a/1/b/caf%C3%A9%2F HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_TEXT(answer.body, "caf\xc3\xa9/");
    answer = net_ask(&client, "GET /find?other=1&name=Ann+%26+Bo HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_TEXT(answer.body, "Ann & Bo");
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err later_answers_reach_their_client(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    waiting state = { 0 };
    const hy_route routes[] = { { "GET", "/later", handle_later, &state } };
    net_open(&fixture, NULL, routes, 1, NULL, 0);
    net_client client;
    net_connect(&fixture, &client);
    net_send_text(&client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    NET_UNTIL(&fixture, state.request != NULL);
    hy_request_answer(state.request, 201, "text/plain", HY_BYTES("done"));
    net_answer answer = net_wait_answer(&client);
    CHECK_EQ(answer.status, 201);
    CHECK_TEXT(answer.body, "done");
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(routes_find_their_handler), KIT_TEST_ONCE(later_answers_reach_their_client))
