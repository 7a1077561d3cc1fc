// asking.c - a host in a scope: opened in it, closed by it, asked by its fibers.
//
// Calls and looks are answered through a callback; here that callback sets an event, and the fiber
// waits for it in a shield without a limit: its call lies on its stack, and the host, which always
// answers, also writes there. So only who has not asked yet can be cancelled.
#include <hypha/host.h>

#include <string.h>

#include "host/inside.h"

#define ASKING_CLOSE_MAX HY_SECONDS(60)

// ---- asking ----

typedef struct asking_call {
    hy_call call; // first: `done` gets it back
    hy_event answered;
    hy_scope *scope;
} asking_call;

// The reply is borrowed during `done` alone.
static void asking_answered(hy_call *call) {
    asking_call *asking = (asking_call *)call;
    if (call->reply.len > 0) {
        uint8_t *copy = hy_scope_alloc(asking->scope, call->reply.len);
        if (copy) memcpy(copy, call->reply.ptr, call->reply.len);
        if (!copy) call->err = HY_NOMEM;
        call->reply = copy ? (hy_bytes){ copy, call->reply.len } : (hy_bytes){ 0 };
    }
    hy_event_set(&asking->answered);
}

static void asking_wait(hy_event *event) {
    hy_err err = HY_OK;
    HY_SCOPE(shield, &err, .name = "ask", .shield = HY_NEVER) {
        err = hy_event_wait(event);
    }
    HY_ASSERT(err == HY_OK); // nobody cancels this scope
}

// Of an input (`action_id` is NULL), or of the completion of an action.
static hy_err asking_ask(hy_host *host, const uint64_t *action_id, hy_call *call) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    asking_call asking = { .call = *call, .scope = hy_scope_current() };
    asking.call.done = asking_answered;
    err = action_id != NULL ? hy_host_complete(host, *action_id, &asking.call)
                            : hy_host_submit(host, &asking.call);
    if (err != HY_OK) return err;
    asking_wait(&asking.answered);
    asking.call.done = call->done;
    *call = asking.call;
    return call->err;
}

hy_err hy_host_ask(hy_host *host, hy_call *call) {
    return asking_ask(host, NULL, call);
}

hy_err hy_host_ask_complete(hy_host *host, uint64_t action_id, hy_call *call) {
    return asking_ask(host, &action_id, call);
}

typedef struct asking_look {
    hy_look look; // first: both functions get it back
    hy_look *theirs;
    hy_event seen;
} asking_look;

static void asking_look_now(hy_look *look, const hy_view *view) {
    hy_look *theirs = ((asking_look *)look)->theirs;
    theirs->look(theirs, view);
}

static void asking_look_done(hy_look *look) {
    hy_event_set(&((asking_look *)look)->seen);
}

hy_err hy_host_see(hy_host *host, hy_look *look) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    asking_look asking = { .look = { .look = asking_look_now, .done = asking_look_done },
                           .theirs = look };
    err = hy_host_look(host, &asking.look);
    if (err != HY_OK) return err;
    asking_wait(&asking.seen);
    look->err = asking.look.err;
    return look->err;
}

// ---- belonging to a scope ----

typedef struct asking_owned {
    hy_host *host;
    hy_world *world;
    hy_mem *mem;
    void (*told)(void *self, hy_err err); // the program, when it wants to know; NULL
    void *told_self;
    hy_event closed;
} asking_owned;

static void asking_closed(void *self, hy_err err) {
    asking_owned *owned = self;
    if (owned->told) owned->told(owned->told_self, err);
    hy_event_set(&owned->closed);
}

static void asking_close(void *object) {
    asking_owned *owned = object;
    // A little earlier than the limit of this wait, so that the host has answered everybody by
    // then. Without memory for a timer there is no limit, and still the host may not wait for ever.
    hy_ns now = hy_world_now(owned->world);
    hy_ns deadline = hy_scope_deadline(hy_scope_current());
    if (deadline > now + ASKING_CLOSE_MAX) deadline = now + ASKING_CLOSE_MAX;
    deadline -= (deadline - now) / 8;
    hy_host_close(owned->host, asking_closed, owned, deadline);
    asking_wait(&owned->closed);
    hy_mem_free(owned->mem, owned, sizeof *owned);
}

hy_err hy_host_open_in(hy_scope *scope, hy_store *store, const hy_machine *machine,
                       const hy_host_options *options, hy_ns close_max, hy_host **out_host,
                       hy_why *why) {
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_world_mem(world);
    asking_owned *owned = hy_mem_alloc_zero(mem, sizeof *owned);
    if (owned == NULL) return hy_why_set(why, HY_NOMEM, machine->name, "no memory");
    *owned = (asking_owned){ .world = world, .mem = mem };
    if (options) owned->told = options->closed, owned->told_self = options->closed_self;
    hy_err err = hy_host_open(world, store, machine, options, &owned->host, why);
    if (err != HY_OK) {
        hy_mem_free(mem, owned, sizeof *owned);
        return err;
    }
    hy_host *host = owned->host;
    err = hy_own(scope, owned, asking_close, close_max); // on an error it has been closed
    if (err == HY_OK) *out_host = host;
    return err;
}
