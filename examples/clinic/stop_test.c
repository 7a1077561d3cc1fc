// stop_test.c - a real clinic is told to stop, as a service manager does it: under load, with a
// provider that never answers, with windows open, and a second time by somebody in a hurry.
//
// What must hold: whoever is under way is answered, whoever was told "booked" is booked, nobody new
// is taken, and it ends within its grace with the right code.

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "site_suite.h"

#define STOP_CLIENTS 48
#define STOP_GRACE_MS 11000 // ten seconds, and what a busy machine needs

// ---- the service manager ----

typedef struct manager {
    int fd;
    char path[300];
    char heard[16384];
    size_t heard_len;
} manager;

static void stop_manage(manager *m, const site *s) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    *m = (manager){ .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
    (void)snprintf(m->path, sizeof m->path, "%s/notify", s->folder);
    CHECK(strlen(m->path) < sizeof address.sun_path);
    memcpy(address.sun_path, m->path, strlen(m->path) + 1);
    CHECK(m->fd >= 0 && bind(m->fd, (const struct sockaddr *)&address, sizeof address) == 0);
}

static void stop_hear(manager *m, const char *text) {
    while (strstr(m->heard, text) == NULL) {
        site_await(m->fd);
        ssize_t len = recv(m->fd, m->heard + m->heard_len, sizeof m->heard - m->heard_len - 2, 0);
        CHECK(len > 0);
        m->heard_len += (size_t)len;
        m->heard[m->heard_len++] = '\n';
    }
}

// ---- clients ----

typedef struct client {
    int fd;
    bool half; // has sent all but the last byte, and knows that the head has arrived
    char patient[40];
    int status;
} client;

static uint32_t stop_today(void) {
    return (uint32_t)(time(NULL) / 86400);
}

// Each asks for any time in a practice of their own choice: there is enough for all.
static void stop_request(const site *s, client *c, int number) {
    char body[600], text[1200];
    *c = (client){ .half = number % 2 == 1 };
    (void)snprintf(c->patient, sizeof c->patient, "7b1c2f9e-52c1-4d59-9d0b-%012d", number);
    uint32_t day = stop_today() + 7 + (uint32_t)number % 14;
    int len = snprintf(body, sizeof body,
                       "{\"patient\":\"%s\",\"name\":\"In Time\",\"email\":\"i@t.me\","
                       "\"practice\":%d,\"dentist\":0,\"days\":[%u,%u,%u,%u],"
                       "\"ranges\":[{\"start\":480,\"end\":1440}],\"treatment\":\"cleaning\"}",
                       c->patient, 1 + number % 3, day, day + 1, day + 2, day + 3);
    (void)snprintf(text, sizeof text,
                   "POST /api/request_any HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   "Idempotency-Key: stop-%d\r\nContent-Length: %d\r\n%s\r\n%.*s",
                   number, len, c->half ? "Expect: 100-continue\r\n" : "", c->half ? 0 : len, body);
    c->fd = site_connect(s, text);
    if (!c->half) return;
    site_await(c->fd);
    CHECK(read(c->fd, text, sizeof text) > 12 && memcmp(text, "HTTP/1.1 100", 12) == 0);
    CHECK(send(c->fd, body, (size_t)len - 1, MSG_NOSIGNAL) == len - 1);
}

// Its answer, to the end of the connection.
static void stop_answer(client *c) {
    char text[4096] = "";
    size_t len = 0;
    for (ssize_t more = 1; more > 0 && len < sizeof text - 1; len += (size_t)more) {
        site_await(c->fd);
        more = read(c->fd, text + len, sizeof text - 1 - len);
        CHECK(more >= 0);
        text[len + (size_t)more] = 0;
    }
    (void)close(c->fd);
    CHECK(memcmp(text, "HTTP/1.1 ", 9) == 0); // nobody is left without one
    c->status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    CHECK(c->status == 200 || c->status == 503);
    if (c->half) CHECK_EQ(c->status, 200); // it was under way
}

static int stop_booked(const site *s, const client *c) {
    char path[100];
    site_answer answer;
    int count = 0;
    (void)snprintf(path, sizeof path, "/api/mine?patient=%s", c->patient);
    site_ask(s, "GET", path, "", HY_BYTES(""), &answer);
    CHECK_EQ(answer.status, 200);
    for (const char *at = answer.body; (at = strstr(at, "\"appointment\":")) != NULL; at++)
        count++;
    return count;
}

static bool stop_is_refused(const site *s) {
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(s->port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = connect(fd, (const struct sockaddr *)&address, sizeof address) != 0;
    (void)close(fd);
    return refused;
}

static long stop_now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// ---- tests ----

static hy_err stop_under_load_answers_all_and_loses_nothing(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    static client clients[STOP_CLIENTS];
    manager m;
    site_init(&s);
    stop_manage(&m, &s);
    CHECK(site_open(&s, &(site_start){ .notify = m.path }));
    stop_hear(&m, "READY=1");
    for (int i = 0; i < STOP_CLIENTS; i++)
        stop_request(&s, &clients[i], i);
    long begin = stop_now_ms();
    CHECK(kill(s.pid, SIGTERM) == 0);
    stop_hear(&m, "STOPPING=1");
    while (!stop_is_refused(&s)) // the server is told a moment later
        (void)usleep(1000);
    for (int i = 0; i < STOP_CLIENTS; i++) // the last byte comes when it is stopping already
        if (clients[i].half) CHECK(send(clients[i].fd, "}", 1, MSG_NOSIGNAL) == 1);
    for (int i = 0; i < STOP_CLIENTS; i++)
        stop_answer(&clients[i]);
    site_wait(&s);
    CHECK_EQ(s.exit_code, 0);
    CHECK(stop_now_ms() - begin < STOP_GRACE_MS);
    CHECK(site_said(&s, "clinic: stopping"));
    CHECK(site_open(&s, NULL));
    for (int i = 0; i < STOP_CLIENTS; i++)
        CHECK_EQ(stop_booked(&s, &clients[i]), clients[i].status == 200);
    (void)close(m.fd);
    return HY_OK;
}

// A provider that takes a request and never answers it: the attempt under way gets its share of the
// time, and what it wanted stays in the ledger.
static void stop_with_hanging_provider(site *s, int *out_listener, int *out_attempt) {
    char provider[64];
    uint16_t port = 0;
    client c;
    site_init(s);
    *out_listener = site_listen(&port);
    (void)snprintf(provider, sizeof provider, "http://127.0.0.1:%u", port);
    CHECK(site_open(s, &(site_start){ .provider = provider }));
    stop_request(s, &c, 0);
    site_await(*out_listener);
    *out_attempt = accept(*out_listener, NULL, NULL);
    CHECK(*out_attempt >= 0);
    site_await(*out_attempt);
    (void)close(c.fd);
}

static hy_err stop_gives_attempts_their_share_only(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    int listener, attempt;
    stop_with_hanging_provider(&s, &listener, &attempt);
    long begin = stop_now_ms();
    site_stop(&s);
    CHECK_EQ(s.exit_code, 0);
    CHECK(stop_now_ms() - begin < STOP_GRACE_MS);
    CHECK(site_open(&s, NULL));
    site_answer answer;
    site_ask(&s, "GET", "/api/mine?patient=7b1c2f9e-52c1-4d59-9d0b-000000000000", "", HY_BYTES(""),
             &answer);
    CHECK(strstr(answer.body, "\"state\":\"holding\"") != NULL); // it is asked for again
    (void)close(attempt);
    (void)close(listener);
    return HY_OK;
}

static hy_err second_signal_cuts_it_short(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    int listener, attempt;
    stop_with_hanging_provider(&s, &listener, &attempt);
    long begin = stop_now_ms();
    CHECK(kill(s.pid, SIGTERM) == 0);
    (void)usleep(200000); // signals of one kind that come together are one
    CHECK(kill(s.pid, SIGINT) == 0);
    site_wait(&s);
    CHECK(stop_now_ms() - begin < 2500); // less than the share of the attempt
    CHECK_EQ(s.exit_code, 1);
    CHECK(site_said(&s, "clinic: cut short"));
    CHECK(site_open(&s, NULL));
    CHECK_EQ(stop_booked(&s, &(client){ .patient = "7b1c2f9e-52c1-4d59-9d0b-000000000000" }), 1);
    (void)close(attempt);
    (void)close(listener);
    return HY_OK;
}

static hy_err windows_are_told_goodbye(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    static const char goodbye[] = { '\x03', '\xe9' }; // 1001: going away
    char text[4096];
    size_t len = 0;
    site_init(&s);
    CHECK(site_open(&s, NULL));
    int fd = site_connect(&s, "GET /api/live?practice=1 HTTP/1.1\r\nHost: x\r\n"
                              "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    while (memmem(text, len, "\"hello\"", 7) == NULL) {
        site_await(fd);
        ssize_t more = read(fd, text + len, sizeof text - len);
        CHECK(more > 0);
        len += (size_t)more;
    }
    CHECK(kill(s.pid, SIGTERM) == 0);
    while (memmem(text, len, goodbye, sizeof goodbye) == NULL) {
        site_await(fd);
        ssize_t more = read(fd, text + len, sizeof text - len);
        CHECK(more > 0);
        len += (size_t)more;
    }
    (void)close(fd);
    site_wait(&s);
    CHECK_EQ(s.exit_code, 0);
    return HY_OK;
}

// ---- what the operator sees ----

static void stop_page(const site *s, const char *path, const char *headers, int status,
                      const char *says) {
    site_answer answer;
    site_ask(s, "GET", path, headers, HY_BYTES(""), &answer);
    if (answer.status != status || strstr(answer.body, says) == NULL) {
        kit_fail(__FILE__, __LINE__, "%s: %d %s", path, answer.status, answer.body);
    }
}

static hy_err operator_sees_what_happens(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_init(&s);
    CHECK(site_open(&s, &(site_start){ .log = "debug" }));
    stop_page(&s, "/api/clinic", "", 200, "practices");
    stop_page(&s, "/metrics", "", 200,
              "clinic_requests_total{route=\"/api/clinic\",status=\"200\"} 1\n");
    stop_page(&s, "/metrics", "", 200, "\nclinic_request_microseconds_count ");
    stop_page(&s, "/debug/scopes", "", 200, "service: server");
    stop_page(&s, "/debug/scopes?form=json", "", 200, "{\"kind\":\"scope\",\"name\":\"clinic\"");
    stop_page(&s, "/metrics", "X-Forwarded-For: 203.0.113.7\r\n", 403, "LOCAL_ONLY");
    stop_page(&s, "/debug/scopes", "Forwarded: for=203.0.113.7\r\n", 403, "LOCAL_ONLY");
    CHECK(kill(s.pid, SIGQUIT) == 0); // prints the tree, and nothing else happens
    stop_page(&s, "/health", "", 200, "ok");
    site_stop(&s);
    CHECK_EQ(s.exit_code, 0);
    CHECK(site_said(&s, "DEBUG /api/clinic: request method=GET path=/api/clinic status=200"));
    CHECK(site_said(&s, "service: executors"));
    CHECK(!site_open(&s, &(site_start){ .log = "loud" }));
    CHECK_EQ(s.exit_code, 2);
    CHECK(site_said(&s, "--log"));
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(stop_under_load_answers_all_and_loses_nothing),
          KIT_TEST_ONCE(stop_gives_attempts_their_share_only),
          KIT_TEST_ONCE(second_signal_cuts_it_short), KIT_TEST_ONCE(windows_are_told_goodbye),
          KIT_TEST_ONCE(operator_sees_what_happens))
