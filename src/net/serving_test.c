// serving_test.c - a server and a client among fibers: requests are tasks, and a stop answers them.
//
// Both ends are fibers of one root, over real sockets on 127.0.0.1. Nothing waits for a time to
// pass but where time is the subject.
#include "net/net_suite.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>

typedef struct place {
    hy_server *server;
    hy_client *client;
    hy_service *service;
    hy_event entered; // a handler waits
    hy_event release; // and goes on
    hy_err seen;      // what its wait said
    hy_err served;    // what hy_server_run returned
    char name[32];    // of the handler's scope
    hy_baggage baggage;
    bool has_deadline;
    uint32_t told; // requests that the server told of
    uint32_t told_status;
    char told_route[32];
    hy_ns answer_max;
} place;

// ---- routes ----

static hy_err answer_text(hy_request *request, const char *text) {
    hy_request_answer(request, 200, "text/plain", hy_bytes_of(text));
    return HY_OK;
}

static hy_err at_once(void *self, hy_request *request, hy_why *why) {
    (void)why;
    place *p = self;
    snprintf(p->name, sizeof p->name, "%s", hy_scope_name(hy_scope_current()));
    p->has_deadline = hy_scope_deadline(hy_scope_current()) != HY_NEVER;
    p->baggage = hy_baggage_here();
    return answer_text(request, "at once");
}

static hy_err wait_for_release(void *self, hy_request *request, hy_why *why) {
    (void)why;
    place *p = self;
    hy_event_set(&p->entered);
    p->seen = hy_event_wait(&p->release);
    return p->seen != HY_OK ? p->seen : answer_text(request, "late");
}

static hy_err refuse(void *self, hy_request *request, hy_why *why) {
    (void)self, (void)request;
    return hy_why_set(why, HY_NOT_FOUND, "cup", "there is no cup");
}

static hy_err forget(void *self, hy_request *request, hy_why *why) {
    (void)self, (void)request, (void)why;
    return HY_OK;
}

// Answers, and its task goes on.
static hy_err answer_and_stay(void *self, hy_request *request, hy_why *why) {
    (void)why;
    place *p = self;
    (void)answer_text(request, "early");
    hy_event_set(&p->entered);
    return hy_event_wait(&p->release);
}

static void tell(void *self, const hy_request *request, uint32_t status, hy_ns took) {
    place *p = self;
    const char *route = hy_request_route(request);
    CHECK(took >= 0);
    p->told++;
    p->told_status = status;
    snprintf(p->told_route, sizeof p->told_route, "%s", route == NULL ? "none" : route);
}

static hy_err serve(void *arg) {
    place *p = arg;
    const hy_task_route routes[] = { { "GET", "/now", at_once, p },
                                     { "GET", "/wait", wait_for_release, p },
                                     { "GET", "/refuse", refuse, p },
                                     { "GET", "/forget", forget, p },
                                     { "GET", "/stay", answer_and_stay, p } };
    p->served = hy_server_run(
        HY_OPTIONS(hy_server, .answer_max_ns = p->answer_max, .answered = tell, .answered_self = p),
        routes, sizeof routes / sizeof routes[0], NULL, 0, &p->server, NULL);
    return p->served;
}

// ---- asking ----

static hy_err ask(place *p, const char *path, hy_fetch *out) {
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", hy_server_port(p->server), path);
    *out = (hy_fetch){ .method = "GET", .url = url };
    return hy_client_ask(p->client, out);
}

static void ask_and_expect(place *p, const char *path, uint32_t status, const char *text) {
    hy_fetch fetch;
    CHECK_EQ(ask(p, path, &fetch), HY_OK);
    CHECK_EQ(fetch.status, status);
    CHECK(net_contains(fetch.response, text));
}

static hy_err ask_for_wait(void *arg) {
    ask_and_expect(arg, "/wait", 200, "late");
    return HY_OK;
}

static hy_err ask_in_vain(void *arg) {
    hy_fetch fetch;
    CHECK_EQ(ask(arg, "/wait", &fetch), HY_IO);
    return HY_OK;
}

// ---- the frame ----

typedef struct frame {
    place *place;
    hy_err (*body)(place *p);
} frame;

static hy_err run_body(void *arg) {
    frame *f = arg;
    place *p = f->place;
    hy_scope *root = hy_scope_current();
    hy_service_spec spec = { .size = sizeof spec, .name = "web", .fn = serve, .arg = p };
    spec.stack = HY_STACK_256K;
    hy_err err = hy_client_open_in(root, 4, &p->client);
    if (err == HY_OK) err = hy_start(root, &spec, &p->service);
    if (err == HY_OK) CHECK(p->server != NULL);
    return err == HY_OK ? f->body(p) : err;
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err run(place *p, hy_err (*body)(place *p)) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_EQ(hy_world_open(NULL, &world), HY_OK);
    frame f = { p, body };
    hy_err err = hy_root_run(world, HY_OPTIONS(hy_root, .stack = HY_STACK_256K), run_body, &f);
    CHECK(p->server == NULL);
    return err;
}

// ---- requests are tasks ----

static hy_err ask_everything(place *p) {
    ask_and_expect(p, "/now", 200, "at once");
    CHECK(strcmp(p->name, "/now") == 0);
    CHECK(p->has_deadline);
    CHECK_EQ(p->told, 1);
    CHECK(strcmp(p->told_route, "/now") == 0);
    ask_and_expect(p, "/refuse", 404, "\"message\":\"there is no cup\",\"place\":\"cup\"");
    CHECK_EQ(p->told_status, 404);
    ask_and_expect(p, "/forget", 500, "nobody has answered");
    ask_and_expect(p, "/nowhere", 404, "HY_NOT_FOUND");
    CHECK_EQ(p->told, 4);
    CHECK(strcmp(p->told_route, "none") == 0);
    return HY_OK;
}

static hy_err request_is_a_task_and_its_error_the_answer(hy_mem *mem) {
    (void)mem;
    place p = { 0 };
    CHECK_EQ(run(&p, ask_everything), HY_OK);
    CHECK_EQ(p.served, HY_OK);
    return HY_OK;
}

// A request that says where it comes from is continued; the client says it where there is a trace.
static hy_err ask_with_trace(place *p) {
    const hy_baggage sent = { .trace = { 7, 9 }, .span = 3, .sampled = true };
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "traced", .baggage = &sent) {
        ask_and_expect(p, "/now", 200, "at once");
    }
    CHECK_EQ(p->baggage.trace.hi, 7);
    CHECK_EQ(p->baggage.trace.lo, 9);
    CHECK_EQ(p->baggage.span, 3);
    CHECK(p->baggage.sampled);
    return err;
}

static hy_err trace_goes_along(hy_mem *mem) {
    (void)mem;
    place p = { 0 };
    CHECK_EQ(run(&p, ask_with_trace), HY_OK);
    return HY_OK;
}

static hy_err ask_too_long(place *p) {
    ask_and_expect(p, "/wait", 504, "HY_TIMEOUT");
    CHECK_EQ(p->seen, HY_TIMEOUT);
    return HY_OK;
}

static hy_err task_has_so_much_time(hy_mem *mem) {
    (void)mem;
    place p = { .answer_max = HY_MS(50) };
    CHECK_EQ(run(&p, ask_too_long), HY_OK);
    return HY_OK;
}

static hy_err leave_early(place *p) {
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "impatient", .timeout = HY_MS(200)) {
        hy_fetch fetch;
        CHECK_EQ(ask(p, "/wait", &fetch), HY_TIMEOUT);
        err = HY_OK;
    }
    while (p->seen == HY_OK) {
        err = hy_sleep(HY_MS(1));
        if (err != HY_OK) return err;
    }
    CHECK_EQ(p->seen, HY_CANCELLED);
    return HY_OK;
}

static hy_err client_that_leaves_cancels_its_task(hy_mem *mem) {
    (void)mem;
    place p = { 0 };
    hy_err err = run(&p, leave_early);
    CHECK(err == HY_OK || err == HY_TIMEOUT);
    CHECK_EQ(p.served, HY_OK);
    return HY_OK;
}

static hy_err ask_one_that_stays(place *p) {
    ask_and_expect(p, "/stay", 200, "early");
    CHECK(p->entered.is_set);
    ask_and_expect(p, "/now", 200, "at once"); // over the same connection
    hy_event_set(&p->release);
    return HY_OK;
}

static hy_err task_may_go_on_after_its_answer(hy_mem *mem) {
    (void)mem;
    place p = { 0 };
    CHECK_EQ(run(&p, ask_one_that_stays), HY_OK);
    return HY_OK;
}

// ---- the end ----

static hy_err release_soon(void *arg) {
    place *p = arg;
    hy_err err = hy_sleep(HY_MS(30));
    CHECK(p->server != NULL); // it waits for the request under way
    hy_event_set(&p->release);
    return err;
}

static hy_err stop_with_one_under_way(place *p) {
    hy_scope *root = hy_scope_current();
    hy_err err = hy_spawn(root, ask_for_wait, p, NULL, NULL);
    if (err == HY_OK) err = hy_event_wait(&p->entered);
    if (err == HY_OK) err = hy_spawn(root, release_soon, p, NULL, NULL);
    uint16_t port = hy_server_port(p->server);
    if (err == HY_OK) err = hy_service_stop(p->service, HY_SECONDS(5));
    CHECK_EQ(err, HY_OK);
    CHECK(p->server == NULL);
    CHECK_EQ(p->seen, HY_OK);
    hy_conn *conn = NULL;
    CHECK(hy_conn_open(root, "127.0.0.1", port, &conn, NULL) != HY_OK); // nobody listens
    return HY_OK;
}

static hy_err stop_answers_what_is_under_way(hy_mem *mem) {
    (void)mem;
    place p = { 0 };
    CHECK_EQ(run(&p, stop_with_one_under_way), HY_OK);
    CHECK_EQ(p.served, HY_OK);
    return HY_OK;
}

static hy_err stop_service(void *arg) {
    return hy_service_stop(((place *)arg)->service, HY_SECONDS(5));
}

// The head has arrived when the stop begins, the last byte of the body has not.
static hy_err stop_with_one_half_sent(place *p) {
    hy_scope *root = hy_scope_current();
    hy_conn *conn = NULL;
    char text[1024];
    size_t len = 0;
    hy_err err = hy_conn_open(root, "127.0.0.1", hy_server_port(p->server), &conn, NULL);
    if (err == HY_OK) {
        err = hy_conn_write(conn, HY_BYTES("GET /now HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                                           "Expect: 100-continue\r\n\r\n"));
    }
    if (err == HY_OK) err = hy_conn_read(conn, text, sizeof text, &len); // the head is there
    CHECK(len > 12 && memcmp(text, "HTTP/1.1 100", 12) == 0);
    if (err == HY_OK) err = hy_spawn(root, stop_service, p, NULL, NULL);
    while (err == HY_OK && !hy_service_state_of(p->service).draining) {
        err = hy_sleep(HY_MS(1));
    }
    if (err == HY_OK) err = hy_sleep(HY_MS(20));
    if (err == HY_OK) err = hy_conn_write(conn, HY_BYTES("ok"));
    if (err == HY_OK) err = hy_conn_read(conn, text, sizeof text, &len);
    if (err == HY_OK) CHECK(len > 12 && memcmp(text, "HTTP/1.1 200", 12) == 0);
    return err;
}

static hy_err stop_waits_for_the_rest_of_a_request(hy_mem *mem) {
    (void)mem;
    place p = { 0 };
    CHECK_EQ(run(&p, stop_with_one_half_sent), HY_OK);
    CHECK_EQ(p.served, HY_OK);
    return HY_OK;
}

static hy_err stop_without_patience(place *p) {
    hy_scope *root = hy_scope_current();
    hy_err err = hy_spawn(root, ask_in_vain, p, NULL, NULL);
    if (err == HY_OK) err = hy_event_wait(&p->entered);
    if (err == HY_OK) err = hy_service_stop(p->service, HY_MS(30));
    CHECK_EQ(p->seen, HY_CANCELLED);
    CHECK(p->server == NULL);
    return HY_OK;
}

static hy_err end_of_the_grace_cuts_what_is_left(hy_mem *mem) {
    (void)mem;
    place p = { 0 };
    CHECK_EQ(run(&p, stop_without_patience), HY_OK);
    CHECK_EQ(p.served, HY_CANCELLED);
    return HY_OK;
}

// ---- the client ----

static hy_err ask_in_bad_times(place *p) {
    hy_fetch fetch;
    HY_SCOPE(cancelled, NULL, .name = "cancelled") {
        hy_scope_cancel(cancelled, HY_CANCELLED);
        CHECK_EQ(ask(p, "/now", &fetch), HY_CANCELLED);
    }
    CHECK_EQ(p->told, 0);
    fetch =
        (hy_fetch){ .method = "GET",
                    .url = "http://127.0.0.1:1/",
                    .deadline = hy_world_now(hy_scope_world(hy_scope_current())) + HY_SECONDS(5) };
    CHECK_EQ(hy_client_ask(p->client, &fetch), HY_IO); // nobody listens there
    CHECK_EQ(fetch.why.code, HY_IO);
    return HY_OK;
}

static hy_err client_says_what_went_wrong(hy_mem *mem) {
    (void)mem;
    place p = { 0 };
    CHECK_EQ(run(&p, ask_in_bad_times), HY_OK);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(request_is_a_task_and_its_error_the_answer),
          KIT_TEST_ONCE(trace_goes_along), KIT_TEST_ONCE(task_has_so_much_time),
          KIT_TEST_ONCE(client_that_leaves_cancels_its_task),
          KIT_TEST_ONCE(task_may_go_on_after_its_answer),
          KIT_TEST_ONCE(stop_answers_what_is_under_way),
          KIT_TEST_ONCE(stop_waits_for_the_rest_of_a_request),
          KIT_TEST_ONCE(end_of_the_grace_cuts_what_is_left),
          KIT_TEST_ONCE(client_says_what_went_wrong))
