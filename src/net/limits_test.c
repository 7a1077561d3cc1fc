// limits_test.c - what is too slow, too large, too much or malformed, and what it is told.
//
// Each refusal is read to its end by the client that deserved it: a status alone is not enough, and
// a reset that overtakes the answer would show here.
#include "net/net_suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void handle_ok(void *self, hy_request *request) {
    (void)self;
    hy_request_answer(request, 200, "text/plain", HY_BYTES("ok"));
}

static const hy_route limits_routes[] = {
    { "GET", "/", handle_ok, NULL },
    { "POST", "/", handle_ok, NULL },
};

static void limits_open(net_fixture *fixture, const hy_server_options *options) {
    net_open(fixture, options, limits_routes, 2, NULL, 0);
}

// Sends `text` on a new connection, and expects a refusal that ends it.
static void expect_refusal(net_fixture *fixture, const char *text, uint32_t status,
                           const char *error) {
    net_client client;
    net_connect(fixture, &client);
    net_answer answer = net_ask(&client, text);
    if (answer.status != status || !net_contains(answer.body, error)) {
        kit_fail(__FILE__, __LINE__, "%.60s: got %u %.*s", text, answer.status,
                 HY_SHOW(answer.body));
    }
    CHECK_TEXT(net_header(&answer, "content-type"), "application/json");
    CHECK_TEXT(net_header(&answer, "connection"), "close");
    net_wait_end(&client);
    net_disconnect(&client);
}

static hy_err malformed_heads_are_refused(hy_mem *mem) {
    (void)mem;
    static const struct {
        const char *text;
        uint32_t status;
        const char *error;
    } bad[] = {
        { "nonsense\r\n\r\n", 400, "\"place\":\"request line\",\"offset\":8" },
        { "GET /\r\n\r\n", 400, "HY_MALFORMED" },
        { "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "HY_UNSUPPORTED" },
        { "GET / HTTP/1.1\nHost: x\n\n", 400, "CR LF" },
        { "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400, "CR LF" },
        { "GET / HTTP/1.1\r\n\r\n", 400, "\"place\":\"host\"" },
        { "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "\"place\":\"host\"" },
        { "GET / HTTP/1.1\r\nHost: x\r\nName : y\r\n\r\n", 400, "\"offset\":29" },
        { "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400, "HY_MALFORMED" },
        { "GET / HTTP/1.1\r\nHost: x\x01y\r\n\r\n", 400, "control character" },
        { "GET relative HTTP/1.1\r\nHost: x\r\n\r\n", 400, "\"place\":\"path\"" },
        { "GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "percent-encoded" },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400, "-5" },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n", 400, "content-length" },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400,
          "twice" },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          400, "exclude each other" },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501,
          "HY_UNSUPPORTED" },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400,
          "chunks" },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400,
          "\"offset\":3" },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 400,
          "chunks" },
    };
    net_fixture fixture;
    limits_open(&fixture, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_refusal(&fixture, bad[i].text, bad[i].status, bad[i].error);
    }
    net_close(&fixture);
    return HY_OK;
}

static hy_err large_heads_are_refused(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, HY_OPTIONS(hy_server, .header_bytes_max = 512));
    char text[4096] = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
    size_t at = strlen(text);
    memset(text + at, 'a', 600);
    expect_refusal(&fixture, text, 431, "512 bytes"); // without an end
    snprintf(text + at + 600, 8, "\r\n\r\n");
    expect_refusal(&fixture, text, 431, "\"error\":\"HY_TOO_LARGE\""); // with one
    net_close(&fixture);

    limits_open(&fixture, NULL);
    at = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 64; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "a: b\r\n");
    }
    snprintf(text + at, sizeof text - at, "\r\n");
    expect_refusal(&fixture, text, 431, "more than 64 headers");
    net_close(&fixture);
    return HY_OK;
}

static hy_err large_bodies_are_refused(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, HY_OPTIONS(hy_server, .body_bytes_max = 1000));
    expect_refusal(&fixture, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413,
                   "1000 bytes"); // before a byte of it was sent
    expect_refusal(&fixture,
                   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999999999\r\n\r\n", 413,
                   "HY_TOO_LARGE");

    // Chunked, and the client goes on sending: it still gets to read why.
    net_client client;
    net_connect(&fixture, &client);
    net_send_text(&client, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    static char chunk[100008];
    memcpy(chunk, "186a0\r\n", 7);
    memset(chunk + 7, 'x', 100000);
    for (int i = 0; i < 5; i++) {
        net_send(&client, (hy_bytes){ (const uint8_t *)chunk, sizeof chunk - 1 });
        net_send_text(&client, "\r\n");
    }
    net_answer answer = net_wait_answer(&client);
    CHECK_EQ(answer.status, 413);
    CHECK(net_contains(answer.body, "\"place\":\"body\""));
    net_wait_end(&client);
    net_disconnect(&client);

    net_connect(&fixture, &client);
    memset(chunk, 'x', 1000);
    net_send_text(&client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    net_send(&client, (hy_bytes){ (const uint8_t *)chunk, 1000 });
    CHECK_EQ(net_wait_answer(&client).status, 200); // exactly the limit
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err slow_requests_time_out(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, HY_OPTIONS(hy_server, .request_max_ns = HY_MS(30)));
    expect_refusal(&fixture, "GET / HTTP/1.1\r\nHo", 408, "\"place\":\"header\"");
    expect_refusal(&fixture, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", 408,
                   "\"place\":\"body\"");
    // Dripping does not help: the whole request has one time.
    net_client client;
    net_connect(&fixture, &client);
    hy_ns begin = hy_world_now(fixture.world);
    uint32_t drops = 0;
    NET_UNTIL(&fixture,
              (net_poll(&client),
               client.in.len > 0 || (++drops % 1000 == 0 && (net_send_text(&client, "G"), false))));
    CHECK(hy_world_now(fixture.world) - begin >= HY_MS(30));
    CHECK_EQ(net_wait_answer(&client).status, 408);
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err idle_connections_end_silently(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, HY_OPTIONS(hy_server, .idle_max_ns = HY_MS(200)));
    net_client silent, used;
    net_connect(&fixture, &silent);
    net_connect(&fixture, &used);
    CHECK_EQ(net_ask(&used, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    net_wait_end(&silent);
    net_wait_end(&used);
    CHECK_EQ(hy_server_connections(fixture.server), 0);
    net_disconnect(&silent);
    net_disconnect(&used);
    net_close(&fixture);
    return HY_OK;
}

static hy_err too_many_connections_are_told(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, HY_OPTIONS(hy_server, .connections_max = 2));
    net_client first, second, third;
    net_connect(&fixture, &first);
    net_connect(&fixture, &second);
    CHECK_EQ(net_ask(&first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    CHECK_EQ(net_ask(&second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    net_connect(&fixture, &third);
    net_answer answer = net_ask(&third, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 503);
    CHECK(net_contains(answer.body, "\"error\":\"HY_LIMIT\""));
    CHECK(net_contains(answer.body, "2 connections"));
    net_wait_end(&third);
    net_disconnect(&third);
    net_disconnect(&first);
    NET_UNTIL(&fixture, hy_server_connections(fixture.server) == 1);
    net_connect(&fixture, &third); // there is room again
    CHECK_EQ(net_ask(&third, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    net_disconnect(&third);
    net_disconnect(&second);
    net_close(&fixture);
    return HY_OK;
}

static hy_err a_flood_of_connections_is_survived(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, HY_OPTIONS(hy_server, .connections_max = 10));
    static net_client clients[200];
    for (int i = 0; i < 200; i++) {
        net_connect(&fixture, &clients[i]);
        (void)hy_world_turn(fixture.world);
    }
    for (int i = 0; i < 1000; i++) {
        (void)hy_world_turn(fixture.world);
    }
    CHECK(hy_server_connections(fixture.server) <= 10 + 64);
    CHECK_EQ(net_ask(&clients[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    for (int i = 0; i < 200; i++) {
        net_disconnect(&clients[i]);
    }
    net_close(&fixture);
    return HY_OK;
}

// The last descriptor goes to the client; the server cannot accept it, and must not spin on it.
static hy_err without_descriptors_others_are_served(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, NULL);
    net_client served, dropped;
    net_connect(&fixture, &served);
    CHECK_EQ(net_ask(&served, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    struct rlimit before, tight;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    int lowest = dup(0);
    CHECK(lowest >= 0 && close(lowest) == 0);
    tight = before;
    tight.rlim_cur = (rlim_t)lowest + 1;
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    for (int i = 0; i < 3; i++) {
        net_connect(&fixture, &dropped);
        CHECK_EQ(dropped.fd, lowest);
        net_wait_end(&dropped);
        net_disconnect(&dropped);
        CHECK_EQ(net_ask(&served, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    net_disconnect(&served);
    net_close(&fixture);
    return HY_OK;
}

static hy_err too_many_requests_are_told_when(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, HY_OPTIONS(hy_server, .requests_per_second_max = 1));
    net_client client;
    net_connect(&fixture, &client);
    CHECK_EQ(net_ask(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    net_answer answer = net_ask(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 429);
    CHECK_TEXT(net_header(&answer, "retry-after"), "1");
    CHECK(net_contains(answer.body, "\"place\":\"address\""));
    // The connection lives on, and after a while it is served again.
    uint32_t tries = 0;
    do {
        CHECK(++tries < 1000000);
        answer = net_ask(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    } while (answer.status == 429);
    CHECK_EQ(answer.status, 200);
    net_disconnect(&client);
    net_close(&fixture);
    return HY_OK;
}

static hy_err garbage_never_harms(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    limits_open(&fixture, NULL);
    static const char *words[] = { "GET / HTTP/1.1\r\n",
                                   "Host: x\r\n",
                                   "\r\n",
                                   "POST",
                                   "\0",
                                   "%",
                                   "Content-Length: 3\r\n",
                                   "Transfer-Encoding: chunked\r\n",
                                   "3\r\nabc\r\n",
                                   "0\r\n\r\n",
                                   "\xff\xfe",
                                   "Upgrade: websocket\r\n",
                                   "Connection: Upgrade\r\n" };
    uint64_t random = kit_seed();
    for (int i = 0; i < 300; i++) {
        net_client client;
        net_connect(&fixture, &client);
        for (int k = 0; k < 12; k++) {
            const char *word = words[kit_random(&random) % (sizeof words / sizeof words[0])];
            net_send(&client, (hy_bytes){ (const uint8_t *)word, strlen(word) + (*word == '\0') });
            if (kit_random(&random) % 3 == 0) (void)hy_world_turn(fixture.world);
        }
        (void)hy_world_turn(fixture.world);
        net_disconnect(&client);
    }
    NET_UNTIL(&fixture, hy_server_connections(fixture.server) == 0);
    net_close(&fixture);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(malformed_heads_are_refused), KIT_TEST_ONCE(large_heads_are_refused),
          KIT_TEST_ONCE(large_bodies_are_refused), KIT_TEST_ONCE(slow_requests_time_out),
          KIT_TEST_ONCE(idle_connections_end_silently),
          KIT_TEST_ONCE(too_many_connections_are_told),
          KIT_TEST_ONCE(a_flood_of_connections_is_survived),
          KIT_TEST_ONCE(without_descriptors_others_are_served),
          KIT_TEST_ONCE(too_many_requests_are_told_when), KIT_TEST_ONCE(garbage_never_harms))
