// console_test.c - the console's document is whole whatever its sections do, and only for us here.
//
// A server with a console and a client are fibers of one root, over real sockets. That the page
// works is for test/browser/console.test.mjs; here is what a program can ask, and who is refused.
#include "net/net_suite.h"

#include "net/console.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

typedef struct stand {
    hy_server *server;
    hy_client *client;
    hy_service *service;
    hy_console *console;
    bool open;
    uint32_t written; // how often the counting section was
} stand;

// ---- sections that behave, and others ----

static hy_err write_count(void *self, hy_buf *out) {
    stand *s = self;
    hy_buf_add_text(out, "{\"count\":");
    hy_buf_add_u64(out, ++s->written);
    hy_buf_add_text(out, "}");
    return HY_OK;
}

static hy_err write_nonsense(void *self, hy_buf *out) {
    (void)self;
    hy_buf_add_text(out, "{\"count\":");
    return HY_OK;
}

static hy_err write_two(void *self, hy_buf *out) {
    (void)self;
    hy_buf_add_text(out, "{} {}");
    return HY_OK;
}

static hy_err write_half_an_answer(void *self, hy_buf *out) {
    (void)self;
    hy_buf_add_text(out, "[1,2]");
    return HY_TIMEOUT;
}

static hy_err write_nothing(void *self, hy_buf *out) {
    (void)self, (void)out;
    return HY_BUSY;
}

static hy_err serve(void *arg) {
    stand *s = arg;
    const hy_console_section sections[] = { { "counts", write_count, s },
                                            { "nonsense", write_nonsense, NULL },
                                            { "two", write_two, NULL },
                                            { "half", write_half_an_answer, NULL },
                                            { "nothing", write_nothing, NULL } };
    hy_err err = hy_console_open_in(hy_scope_current(),
                                    HY_OPTIONS(hy_console, .program = "stand", .open = s->open,
                                               .scope = hy_scope_current(), .sections = sections,
                                               .section_count = 5),
                                    &s->console);
    if (err != HY_OK) return err;
    hy_task_route routes[HY_CONSOLE_ROUTES];
    hy_console_routes(s->console, routes);
    return hy_server_run(NULL, routes, HY_CONSOLE_ROUTES, NULL, 0, &s->server, NULL);
}

typedef struct frame {
    stand *stand;
    hy_err (*body)(stand *s);
} frame;

static hy_err run_body(void *arg) {
    frame *f = arg;
    hy_service_spec spec = { .size = sizeof spec, .name = "web", .fn = serve, .arg = f->stand };
    spec.stack = HY_STACK_256K;
    hy_err err = hy_client_open_in(hy_scope_current(), 4, &f->stand->client);
    if (err == HY_OK) err = hy_start(hy_scope_current(), &spec, &f->stand->service);
    return err == HY_OK ? f->body(f->stand) : err;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static void run(stand *s, hy_err (*body)(stand *s)) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_EQ(hy_world_open(NULL, &world), HY_OK);
    frame f = { s, body };
    CHECK_EQ(hy_root_run(world, HY_OPTIONS(hy_root, .stack = HY_STACK_256K), run_body, &f), HY_OK);
}

// The response lies in memory of the scope that asks.
static hy_fetch ask(stand *s, const char *method, const char *path, const char *header) {
    static char url[96];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", hy_server_port(s->server), path);
    hy_fetch fetch = { .method = method, .url = url, .headers = { header } };
    CHECK_EQ(hy_client_ask(s->client, &fetch), HY_OK);
    return fetch;
}

// ---- the document -------------------------------------------------------------------------------

static hy_err look_at_document(stand *s) {
    hy_fetch fetch = ask(s, "GET", "/_hypha/snapshot", NULL);
    CHECK_EQ(fetch.status, 200);
    hyi_json json;
    hyi_json_init(&json, fetch.response, 0, NULL);
    CHECK_EQ(hyi_json_skip(&json), HY_OK);
    CHECK(net_contains(fetch.response, "\"format\":1,\"program\":\"stand\""));
    CHECK(net_contains(fetch.response, "\"process\":{\"pid\":"));
    CHECK(net_contains(fetch.response, "\"scopes\":{\"kind\":\"scope\""));
    CHECK(net_contains(fetch.response, "\"counts\":{\"count\":1}"));
    CHECK(net_contains(fetch.response, "\"half\":[1,2]"));
    CHECK(net_contains(fetch.response, "\"errors\":{\"nonsense\":\"HY_MALFORMED\",\"two\":"
                                       "\"HY_MALFORMED\",\"half\":\"HY_TIMEOUT\",\"nothing\":"
                                       "\"HY_BUSY\"}"));
    CHECK(!net_contains(fetch.response, "\"nothing\":{"));
    return HY_OK;
}

static hy_err section_that_fails_costs_only_itself(hy_mem *mem) {
    (void)mem;
    stand s = { 0 };
    run(&s, look_at_document);
    return HY_OK;
}

// ---- who may look -------------------------------------------------------------------------------

static hy_err knock(stand *s) {
    static const char *const paths[] = { "/_hypha", "/_hypha/snapshot", "/_hypha/console.js" };
    const uint32_t foreign = s->open ? 200 : 403;
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(ask(s, "GET", paths[i], NULL).status, 200);
        CHECK_EQ(ask(s, "GET", paths[i], "Host: localhost:8080").status, 200);
        CHECK_EQ(ask(s, "GET", paths[i], "Host: rebound.example").status, foreign);
        CHECK_EQ(ask(s, "GET", paths[i], "X-Forwarded-For: 10.0.0.1").status, foreign);
        CHECK_EQ(ask(s, "POST", paths[i], NULL).status, 405);
    }
    CHECK_EQ(ask(s, "GET", "/_hypha/console.c", NULL).status, 404);
    CHECK_EQ(ask(s, "GET", "/_hypha/..%2fconsole.js", NULL).status, 404);
    CHECK(net_contains(ask(s, "GET", "/_hypha", NULL).response, "<title>Hypha console</title>"));
    return HY_OK;
}

static hy_err only_this_machine_may_look(hy_mem *mem) {
    (void)mem;
    stand s = { 0 };
    run(&s, knock);
    return HY_OK;
}

static hy_err opened_it_is_for_all(hy_mem *mem) {
    (void)mem;
    stand s = { .open = true };
    run(&s, knock);
    return HY_OK;
}

static hy_err names_of_this_machine_are_told_from_others(hy_mem *mem) {
    (void)mem;
    static const char *const ours[] = { "localhost",      "LocalHost:80", "127.0.0.1",
                                        "127.0.0.1:8080", "127.9.8.7:1",  "[::1]",
                                        "[::1]:8080" };
    static const char *const others[] = { "",
                                          "example.org",
                                          "localhost.example.org",
                                          "127.0.0.1.example.org",
                                          "127.0.0.1.",
                                          "127.0.0",
                                          "127.0.0.256",
                                          "127.0.0.0001",
                                          "1127.0.0.1",
                                          "128.0.0.1",
                                          "127..0.1",
                                          "10.0.0.1",
                                          "[::2]",
                                          "localhost:80:80",
                                          "localhost:x",
                                          ":80" };
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        CHECK(hyi_console_host_is_local(hy_bytes_of(ours[i])));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK(!hyi_console_host_is_local(hy_bytes_of(others[i])));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(section_that_fails_costs_only_itself),
          KIT_TEST_ONCE(only_this_machine_may_look), KIT_TEST_ONCE(opened_it_is_for_all),
          KIT_TEST_ONCE(names_of_this_machine_are_told_from_others))
