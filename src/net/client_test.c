// client_test.c - exchanges with a server of our own, and with sockets that behave badly.
//
// Every error of hy_fetch is made to happen for real: a port nobody listens on, a connection that
// ends in the middle of an answer, a deadline, a cancel. `done` must come exactly once each time.
#include "net/net_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct exchange {
    hy_fetch fetch;
    hy_client *client;
    uint32_t done;
    char text[256]; // of the response, which is borrowed only during `done`
} exchange;

static void exchange_done(hy_fetch *fetch) {
    exchange *self = (exchange *)fetch;
    self->done++;
    snprintf(self->text, sizeof self->text, "%.*s", HY_SHOW(fetch->response));
}

static void handle_echo(void *self, hy_request *request) {
    uint32_t *count = self;
    (*count)++;
    hy_bytes type = hy_request_header(request, "content-type");
    char answer[512];
    int len = snprintf(answer, sizeof answer, "%.*s %.*s [%.*s] %.*s",
                       HY_SHOW(hy_request_method(request)), HY_SHOW(hy_request_path(request)),
                       HY_SHOW(type), HY_SHOW(hy_request_body(request)));
    hy_request_answer(request, 200, "text/plain", (hy_bytes){ (uint8_t *)answer, (size_t)len });
}

static void handle_never(void *self, hy_request *request) {
    *(hy_request **)self = request;
}

static void handle_large(void *self, hy_request *request) {
    (void)self;
    static uint8_t body[100000];
    hy_request_answer(request, 200, "text/plain", (hy_bytes){ body, sizeof body });
}

typedef struct pair {
    net_fixture fixture;
    hy_client *client;
    uint32_t echoed;
    hy_request *held;
    char url[128];
} pair;

static void pair_open(pair *both) {
    *both = (pair){ 0 };
    const hy_route routes[] = {
        { "GET", "/echo", handle_echo, &both->echoed },
        { "POST", "/echo", handle_echo, &both->echoed },
        { "DELETE", "/echo", handle_echo, &both->echoed },
        { "GET", "/never", handle_never, &both->held },
        { "GET", "/large", handle_large, NULL },
    };
    net_open(&both->fixture, NULL, routes, 5, NULL, 0);
    CHECK(hy_client_open(both->fixture.world, 2, &both->client) == HY_OK);
}

static void pair_close(pair *both) {
    if (both->held != NULL) hy_request_answer(both->held, 200, NULL, (hy_bytes){ NULL, 0 });
    hy_client_close(both->client);
    net_close(&both->fixture);
}

static void pair_fetch(pair *both, exchange *self, const char *method, const char *path) {
    snprintf(both->url, sizeof both->url, "http://127.0.0.1:%u%s",
             hy_server_port(both->fixture.server), path);
    self->fetch.method = method;
    self->fetch.url = both->url;
    self->fetch.done = exchange_done;
    self->client = both->client;
    if (self->fetch.deadline == 0) {
        self->fetch.deadline = hy_world_now(both->fixture.world) + HY_SECONDS(10);
    }
    CHECK(hy_client_fetch(both->client, &self->fetch) == HY_OK);
}

static hy_err answers_come_back(hy_mem *mem) {
    (void)mem;
    pair both;
    pair_open(&both);
    exchange get = { 0 }, post = { 0 }, gone = { 0 };
    pair_fetch(&both, &get, "GET", "/echo");
    CHECK_EQ(get.done, 0); // never from inside
    NET_UNTIL(&both.fixture, get.done == 1);
    CHECK(get.fetch.err == HY_OK);
    CHECK_EQ(get.fetch.status, 200);
    CHECK(strcmp(get.text, "GET /echo [] ") == 0);

    post.fetch.body = HY_BYTES("{\"a\":1}");
    post.fetch.headers[0] = "Content-Type: application/json";
    pair_fetch(&both, &post, "POST", "/echo");
    NET_UNTIL(&both.fixture, post.done == 1);
    CHECK(strcmp(post.text, "POST /echo [application/json] {\"a\":1}") == 0);

    pair_fetch(&both, &gone, "DELETE", "/nowhere");
    NET_UNTIL(&both.fixture, gone.done == 1);
    CHECK_EQ(gone.fetch.status, 404); // an answer, not an error
    CHECK(gone.fetch.err == HY_OK);
    CHECK_EQ(hy_server_connections(both.fixture.server), 1); // all over the same connection
    pair_close(&both);
    return HY_OK;
}

static hy_err the_deadline_ends_an_exchange(hy_mem *mem) {
    (void)mem;
    pair both;
    pair_open(&both);
    exchange late = { 0 };
    // Long enough that the request reaches the server on a busy machine too.
    late.fetch.deadline = hy_world_now(both.fixture.world) + HY_SECONDS(1);
    pair_fetch(&both, &late, "GET", "/never");
    NET_UNTIL(&both.fixture, late.done == 1);
    CHECK(late.fetch.err == HY_TIMEOUT);
    CHECK(late.fetch.why.code == HY_TIMEOUT);
    CHECK(both.held != NULL);
    pair_close(&both);
    return HY_OK;
}

static hy_err cancelling_calls_done_at_once(hy_mem *mem) {
    (void)mem;
    pair both;
    pair_open(&both);
    exchange first = { 0 }, second = { 0 };
    pair_fetch(&both, &first, "GET", "/never");
    NET_UNTIL(&both.fixture, both.held != NULL);
    hy_client_cancel(both.client, &first.fetch);
    CHECK_EQ(first.done, 1);
    CHECK(first.fetch.err == HY_CANCELLED);
    hy_client_cancel(both.client, &first.fetch); // nothing happens
    CHECK_EQ(first.done, 1);

    pair_fetch(&both, &second, "GET", "/echo");
    hy_client_close(both.client); // cancels what is under way
    both.client = NULL;
    CHECK_EQ(second.done, 1);
    CHECK(second.fetch.err == HY_CANCELLED);
    pair_close(&both);
    return HY_OK;
}

static hy_err large_answers_are_refused(hy_mem *mem) {
    (void)mem;
    pair both;
    pair_open(&both);
    exchange small = { 0 }, fits = { 0 };
    small.fetch.response_bytes_max = 99999;
    pair_fetch(&both, &small, "GET", "/large");
    NET_UNTIL(&both.fixture, small.done == 1);
    CHECK(small.fetch.err == HY_TOO_LARGE);
    fits.fetch.response_bytes_max = 100000;
    pair_fetch(&both, &fits, "GET", "/large");
    NET_UNTIL(&both.fixture, fits.done == 1);
    CHECK(fits.fetch.err == HY_OK);
    pair_close(&both);
    return HY_OK;
}

static void fetch_url(pair *both, exchange *self, const char *url) {
    *self = (exchange){ .fetch = { .method = "GET", .url = url, .done = exchange_done } };
    self->fetch.deadline = hy_world_now(both->fixture.world) + HY_SECONDS(10);
    CHECK(hy_client_fetch(both->client, &self->fetch) == HY_OK);
    NET_UNTIL(&both->fixture, self->done == 1);
    CHECK(self->fetch.why.text[0] != '\0');
}

static hy_err errors_say_what_happened(hy_mem *mem) {
    (void)mem;
    pair both;
    pair_open(&both);
    // A port that nobody listens on: one that was ours a moment ago.
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    CHECK(bind(fd, (struct sockaddr *)&address, len) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    exchange self;
    fetch_url(&both, &self, url); // bound, but not listening: refused
    CHECK(self.fetch.err == HY_IO);
    close(fd);
    fetch_url(&both, &self, "http://[broken");
    CHECK(self.fetch.err == HY_MALFORMED);
    fetch_url(&both, &self, "file:///etc/hostname");
    CHECK(self.fetch.err == HY_UNSUPPORTED);
    pair_close(&both);
    return HY_OK;
}

// A server that closes without an answer, and one that stops in the middle of it.
static hy_err broken_answers_are_errors(hy_mem *mem) {
    (void)mem;
    pair both;
    pair_open(&both);
    const char *halves[] = { "", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this" };
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof address;
        CHECK(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 1) == 0);
        CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
        exchange self = { .fetch = { .method = "GET", .url = url, .done = exchange_done } };
        self.fetch.deadline = hy_world_now(both.fixture.world) + HY_SECONDS(10);
        CHECK(hy_client_fetch(both.client, &self.fetch) == HY_OK);
        int peer = -1;
        NET_UNTIL(&both.fixture, (peer = accept(fd, NULL, NULL)) >= 0);
        char request[2048];
        NET_UNTIL(&both.fixture, recv(peer, request, sizeof request, MSG_DONTWAIT) > 0);
        CHECK(send(peer, halves[i], strlen(halves[i]), 0) == (ssize_t)strlen(halves[i]));
        close(peer);
        NET_UNTIL(&both.fixture, self.done == 1);
        CHECK(self.fetch.err == HY_IO);
        CHECK_EQ(self.fetch.status, 0);
        close(fd);
    }
    pair_close(&both);
    return HY_OK;
}

static void exchange_again(hy_fetch *fetch) {
    exchange *self = (exchange *)fetch;
    self->done++;
    CHECK(fetch->err == HY_OK);
    if (self->done < 50)
        CHECK(hy_client_fetch(self->client, fetch) == HY_OK);
    else
        hy_client_close(self->client);
}

static hy_err done_may_fetch_again_and_close(hy_mem *mem) {
    (void)mem;
    pair both;
    pair_open(&both);
    exchange self = { 0 };
    pair_fetch(&both, &self, "GET", "/echo");
    self.fetch.done = exchange_again;
    NET_UNTIL(&both.fixture, self.done == 50);
    CHECK_EQ(both.echoed, 50);
    both.client = NULL; // closed from inside its own callback
    pair_close(&both);
    return HY_OK;
}

static hy_err connections_stay_under_their_limit(hy_mem *mem) {
    (void)mem;
    pair both;
    pair_open(&both);
    exchange many[20] = { 0 };
    for (int i = 0; i < 20; i++) {
        pair_fetch(&both, &many[i], "GET", "/echo");
    }
    for (int i = 0; i < 20; i++) {
        NET_UNTIL(&both.fixture, many[i].done == 1);
        CHECK(many[i].fetch.err == HY_OK);
        CHECK(hy_server_connections(both.fixture.server) <= 2);
    }
    pair_close(&both);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(answers_come_back), KIT_TEST_ONCE(the_deadline_ends_an_exchange),
          KIT_TEST_ONCE(cancelling_calls_done_at_once), KIT_TEST_ONCE(large_answers_are_refused),
          KIT_TEST_ONCE(errors_say_what_happened), KIT_TEST_ONCE(broken_answers_are_errors),
          KIT_TEST_ONCE(done_may_fetch_again_and_close),
          KIT_TEST_ONCE(connections_stay_under_their_limit))
