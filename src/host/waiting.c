// waiting.c - a host for programs that wait: one call, one answer, nothing else to do.
//
// Services never wait like this; they have other callers. A tool, a test or a first example may:
// each function here runs the world itself until what it waits for has happened.

#include <hypha/host.h>

#include <hypha/store.h>

#include "host/inside.h"

hy_err hy_host_open_file(const char *path, const hy_machine *machine, hy_host **out_host,
                         hy_why *why) {
    hy_world *world = NULL;
    hy_store *store = NULL;
    hy_host *host = NULL;
    hy_err err = hy_world_open(NULL, &world);
    if (err == HY_OK) err = hy_store_sqlite_open(world, path, NULL, &store, why);
    if (err == HY_OK) err = hy_host_open(world, store, machine, NULL, &host, why);
    if (err != HY_OK) {
        (void)hy_store_close(store);
        (void)hy_world_close(world);
        return err;
    }
    host->owns_world = true;
    *out_host = host;
    return HY_OK;
}

typedef struct waiting_call {
    hy_call call; // first: `done` gets it back
    hy_host *host;
    bool answered;
} waiting_call;

static void waiting_answered(hy_call *call) {
    waiting_call *waiting = (waiting_call *)call;
    hy_buf *kept = &waiting->host->waiting_reply;
    hy_buf_clear(kept);
    hy_buf_add(kept, call->reply.ptr, call->reply.len);
    if (kept->failed != HY_OK && call->err == HY_OK) call->err = kept->failed;
    call->reply = hy_buf_bytes(kept);
    waiting->answered = true;
    hy_world_stop(waiting->host->world);
}

hy_err hy_host_call(hy_host *host, hy_call *call) {
    waiting_call waiting = { .call = *call, .host = host };
    waiting.call.done = waiting_answered;
    host->waiting_record = NULL;
    hy_err err = hy_host_submit(host, &waiting.call);
    if (err != HY_OK) return err;
    while (!waiting.answered) {
        hy_world_run(host->world);
    }
    waiting.call.done = call->done;
    *call = waiting.call;
    if (call->reply.len > 0) host->waiting_record = host->machine->inputs[call->kind].reply;
    return call->err;
}

hy_err hy_host_reply(hy_host *host, void *out_reply) {
    if (host->waiting_record == NULL) return HY_MISSING;
    hy_arena_reset(&host->waiting_arena);
    return hy_wire_decode(host->waiting_record, hy_buf_bytes(&host->waiting_reply),
                          &host->waiting_arena, out_reply, NULL);
}

typedef struct waiting_end {
    hy_world *world;
    hy_err err;
    bool closed;
} waiting_end;

static void waiting_closed(void *self, hy_err err) {
    waiting_end *end = self;
    end->err = err;
    end->closed = true;
    hy_world_stop(end->world);
}

hy_err hy_host_finish(hy_host *host) {
    if (host == NULL) return HY_OK;
    waiting_end end = { .world = host->world };
    hy_store *store = host->store;
    bool owns_world = host->owns_world;
    hy_host_close(host, waiting_closed, &end, hy_world_now(end.world) + HY_SECONDS(10));
    while (!end.closed) {
        hy_world_run(end.world);
    }
    if (owns_world) {
        (void)hy_store_close(store);
        (void)hy_world_close(end.world);
    }
    return end.err;
}
