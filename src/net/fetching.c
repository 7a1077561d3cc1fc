// fetching.c - a client in a scope, asked by fibers.
//
// The record of the exchange lies on the fiber's stack, so the fiber does not leave before `done`:
// one that is cancelled cancels the exchange, which calls `done` at once.
#include <hypha/net.h>

#include <string.h>

#define FETCHING_HEADERS_MAX (sizeof((hy_fetch *)0)->headers / sizeof(const char *))
#define FETCHING_TRACE "traceparent: "

typedef struct fetching {
    hy_fetch fetch; // first: `done` gets it back
    hy_event done;
    hy_scope *scope;
    char trace[sizeof FETCHING_TRACE + HY_TRACEPARENT_LEN];
} fetching;

static void fetching_close(void *object) {
    hy_client_close(object);
}

hy_err hy_client_open_in(hy_scope *scope, uint32_t connections_max, hy_client **out_client) {
    hy_client *client = NULL;
    hy_err err = hy_client_open(hy_scope_world(scope), connections_max, &client);
    if (err != HY_OK) return err;
    err = hy_own(scope, client, fetching_close, 0); // on an error it has been closed
    if (err == HY_OK) *out_client = client;
    return err;
}

// The response is borrowed during `done` alone.
static void fetching_done(hy_fetch *fetch) {
    fetching *f = (fetching *)fetch;
    size_t len = fetch->response.len;
    void *copy = len > 0 ? hy_scope_alloc(f->scope, len) : NULL;
    if (copy != NULL) memcpy(copy, fetch->response.ptr, len);
    if (copy == NULL && len > 0 && fetch->err == HY_OK) fetch->err = HY_NOMEM;
    fetch->response = (hy_bytes){ copy, copy != NULL ? len : 0 };
    hy_event_set(&f->done);
}

static void fetching_add_trace(fetching *f) {
    hy_baggage here = hy_baggage_here();
    if ((here.trace.hi | here.trace.lo) == 0 || here.span == 0) return;
    size_t count = 0;
    while (count < FETCHING_HEADERS_MAX && f->fetch.headers[count] != NULL) {
        if (strncasecmp(f->fetch.headers[count], FETCHING_TRACE, 12) == 0) return;
        count++;
    }
    if (count == FETCHING_HEADERS_MAX) return;
    memcpy(f->trace, FETCHING_TRACE, sizeof FETCHING_TRACE - 1);
    hy_traceparent_format(&here, f->trace + sizeof FETCHING_TRACE - 1);
    f->fetch.headers[count] = f->trace;
}

hy_err hy_client_ask(hy_client *client, hy_fetch *fetch) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    fetching f = { .fetch = *fetch, .scope = hy_scope_current() };
    f.fetch.done = fetching_done;
    if (f.fetch.deadline == 0) f.fetch.deadline = HY_NEVER;
    fetching_add_trace(&f);
    err = hy_client_fetch(client, &f.fetch);
    if (err != HY_OK) return err;
    err = hy_event_wait(&f.done);
    if (err != HY_OK && !f.done.is_set) hy_client_cancel(client, &f.fetch);
    fetch->err = err != HY_OK ? err : f.fetch.err;
    fetch->status = f.fetch.status;
    fetch->response = f.fetch.response;
    fetch->why = f.fetch.why;
    return fetch->err;
}
