// serving.c - a server as a fiber, its requests as tasks.
//
// The fiber opens the server, waits until its scope is being stopped, and closes it. Requests come
// in from the world's callbacks and become tasks of a scope that lies between: a block, because a
// block takes new tasks while it drains, and a request whose last bytes arrive after the stop began
// was under way, too. The observer is not told of that scope: a request belongs to the trace of its
// client or begins one, and not to one trace of all that was ever served.
//
//     scope of the caller (a service's own)
//       `- requests
//            |- /api/week        one scope per request, by the path of its route
//            `- /api/move
//
// Request and task end in either order. Answered, the request is gone while its task may clean up;
// left by its client, it stays until its task, which is cancelled, has refused it.
#include "net/server.h"

#include "base/why.h"
#include "scope/inside.h"

#include <string.h>

#define SERVING_ANSWER_MAX HY_SECONDS(30)

typedef struct serving {
    hy_server *server;
    hy_server **shown; // the caller's
    hy_scope requests;
    hy_mem *mem;
    hy_ns answer_max;
    hy_event closed;
} serving;

typedef struct serving_route {
    serving *serving;
    hy_task_route is;
} serving_route;

struct hyi_request_task {
    const serving_route *route;
    hy_request *request; // NULL: answered
    hy_scope *scope;     // while it runs
    bool lost;           // nobody waits for the answer
};

static hy_err serving_until_told(serving *s);
static void serving_handle(void *self, hy_request *request);
static hy_err serving_task(void *arg);

// ---- the server ---------------------------------------------------------------------------------

// hy_server_open copies the plain routes; what they point to stays until the end.
static hy_err serving_open(serving *s, const hy_server_options *options,
                           const hy_task_route *routes, serving_route *own, size_t count,
                           const hy_socket_route *socket_routes, size_t socket_route_count,
                           hy_why *why) {
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_route *plain = hy_mem_alloc(s->mem, (count + 1) * sizeof *plain);
    if (plain == NULL) return hy_why_set(why, HY_NOMEM, "server", "no memory");
    for (size_t i = 0; i < count; i++) {
        own[i] = (serving_route){ s, routes[i] };
        plain[i] = (hy_route){ routes[i].method, routes[i].path, serving_handle, &own[i] };
    }
    hy_err err = hy_server_open(world, options, plain, count, socket_routes, socket_route_count,
                                &s->server, why);
    hy_mem_free(s->mem, plain, (count + 1) * sizeof *plain);
    return err;
}

static hy_err serving_serve(serving *s) {
    const hy_scope_options options = { .size = sizeof options, .name = "requests" };
    hy_task *fiber = hyi_current;
    hy_err err = hyi_scope_init(&s->requests, fiber->root, fiber->scope, &options,
                                HYI_SCOPE_BLOCK | HYI_SCOPE_QUIET);
    HY_ASSERT(err == HY_OK); // nothing in it needs memory
    *s->shown = s->server;
    hy_ready();
    err = serving_until_told(s);
    hy_err of_tasks = hyi_scope_finish(&s->requests, false);
    hyi_scope_leave(&s->requests);
    return err != HY_OK ? err : of_tasks;
}

hy_err hy_server_run(const hy_server_options *options, const hy_task_route *routes,
                     size_t route_count, const hy_socket_route *socket_routes,
                     size_t socket_route_count, hy_server **out_server, hy_why *why) {
    hy_mem *mem = hy_world_mem(hy_scope_world(hy_scope_current()));
    size_t size = (route_count + 1) * sizeof(serving_route);
    serving_route *own = hy_mem_alloc(mem, size);
    if (own == NULL) return hy_why_set(why, HY_NOMEM, "server", "no memory");
    serving s = { .shown = out_server, .mem = mem, .answer_max = SERVING_ANSWER_MAX };
    if (options != NULL && options->answer_max_ns != 0) s.answer_max = options->answer_max_ns;
    hy_err err =
        serving_open(&s, options, routes, own, route_count, socket_routes, socket_route_count, why);
    if (err == HY_OK) err = serving_serve(&s);
    hy_mem_free(mem, own, size);
    return err;
}

static void serving_closed(void *self) {
    serving *s = self;
    *s->shown = NULL;
    hy_event_set(&s->closed);
}

static hy_err serving_until_told(serving *s) {
    hy_err err = hy_wait_draining();
    hy_server_close(s->server, serving_closed, s, HY_NEVER);
    if (err == HY_CLOSED) err = hy_event_wait(&s->closed);
    if (s->closed.is_set) return err;
    hyi_server_cut(s->server);
    hy_err ignored = HY_OK;
    HY_SCOPE(shield, &ignored, .name = "close", .shield = HY_NEVER) { // some rounds of the loop
        ignored = hy_event_wait(&s->closed);
    }
    return err;
}

// ---- a request ----------------------------------------------------------------------------------

static void serving_handle(void *self, hy_request *request) {
    const serving_route *route = self;
    serving *s = route->serving;
    hyi_request_task *task = hy_mem_alloc(s->mem, sizeof *task);
    hy_err err = HY_NOMEM;
    if (task != NULL) {
        *task = (hyi_request_task){ .route = route, .request = request };
        request->task = task;
        err = hy_spawn(&s->requests, serving_task, task,
                       HY_OPTIONS(hy_spawn, .name = route->is.path), NULL);
    }
    if (err == HY_OK) return;
    request->task = NULL;
    hy_mem_free(s->mem, task, sizeof *task);
    hy_request_refuse(request, 0, err, NULL, NULL);
}

void hyi_request_task_answered(hyi_request_task *task) {
    task->request = NULL;
}

void hyi_request_task_lost(hyi_request_task *task) {
    task->lost = true;
    if (task->scope != NULL) hy_scope_cancel(task->scope, HY_CANCELLED);
}

static void serving_refuse(hyi_request_task *task, hy_err err, const hy_why *why) {
    if (task->request == NULL) return;
    hy_request_refuse(task->request, 0, err, NULL, why->code == err ? why : NULL);
}

static hy_err serving_answer(hyi_request_task *task, hy_why *why) {
    const hy_task_route *route = &task->route->is;
    hy_err err = task->lost ? HY_CANCELLED : hy_check(); // it may be over before it begins
    if (err != HY_OK) return err;
    hy_baggage baggage;
    hy_bytes trace = hy_request_header(task->request, "traceparent");
    bool is_traced = trace.len > 0 && hy_traceparent_parse(trace, &baggage) == HY_OK;
    HY_SCOPE(scope, &err, .name = route->path, .timeout = task->route->serving->answer_max,
             .baggage = is_traced ? &baggage : NULL) {
        task->scope = scope;
        err = route->answer(route->self, task->request, why);
        if (err != HY_OK) serving_refuse(task, err, why); // here, so that it is seen in the trace
        task->scope = NULL;
    }
    return err;
}

static hy_err serving_task(void *arg) {
    hyi_request_task *task = arg;
    hy_mem *mem = task->route->serving->mem;
    hy_why why = { 0 };
    hy_err err = serving_answer(task, &why);
    if (task->request != NULL && err == HY_OK) {
        (void)hy_why_set(&why, HY_MISSING, task->route->is.path, "nobody has answered");
        hy_request_refuse(task->request, 500, HY_MISSING, NULL, &why);
    } else {
        serving_refuse(task, err, &why);
    }
    hy_mem_free(mem, task, sizeof *task);
    return HY_OK; // what a request met is nobody else's failure
}
