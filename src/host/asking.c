// asking.c - a host, or a fleet, in a scope: opened in it, closed by it, asked by its fibers.
//
// Calls and looks are answered through a callback; here that callback sets an event, and the fiber
// waits for it in a shield without a limit: its call lies on its stack, and the host, which always
// answers, also writes there. So only who has not asked yet can be cancelled.
#include <hypha/host.h>
#include <hypha/store.h>

#include <string.h>

#include "host/fleet.h"

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

void hyi_asking_wait(hy_event *event) {
    hy_err err = HY_OK;
    HY_SCOPE(shield, &err, .name = "ask", .shield = HY_NEVER) {
        err = hy_event_wait(event);
    }
    HY_ASSERT(err == HY_OK); // nobody cancels this scope
}

// Who is asked: a host, or a machine of a fleet.
typedef struct asking_whom {
    hy_host *host;
    hy_fleet *fleet;
    hy_bytes key;
    const uint64_t *action_id; // NULL: an input
} asking_whom;

static hy_err asking_send(const asking_whom *whom, hy_call *call) {
    if (whom->fleet != NULL) { // on whatever worker's thread this fiber is
        hy_world *back = hy_scope_world(hy_scope_current());
        return hyi_fleet_call(whom->fleet, whom->key, whom->action_id, call, back);
    }
    if (whom->action_id != NULL) return hy_host_complete(whom->host, *whom->action_id, call);
    return hy_host_submit(whom->host, call);
}

static hy_err asking_ask(const asking_whom *whom, hy_call *call) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    asking_call asking = { .call = *call, .scope = hy_scope_current() };
    asking.call.done = asking_answered;
    err = asking_send(whom, &asking.call);
    if (err != HY_OK) return err;
    hyi_asking_wait(&asking.answered);
    asking.call.done = call->done;
    *call = asking.call;
    return call->err;
}

hy_err hy_host_ask(hy_host *host, hy_call *call) {
    return asking_ask(&(asking_whom){ .host = host }, call);
}

hy_err hy_host_ask_complete(hy_host *host, uint64_t action_id, hy_call *call) {
    return asking_ask(&(asking_whom){ .host = host, .action_id = &action_id }, call);
}

hy_err hy_fleet_ask(hy_fleet *fleet, hy_bytes key, hy_call *call) {
    return asking_ask(&(asking_whom){ .fleet = fleet, .key = key }, call);
}

hy_err hy_fleet_ask_complete(hy_fleet *fleet, hy_bytes key, uint64_t action_id, hy_call *call) {
    return asking_ask(&(asking_whom){ .fleet = fleet, .key = key, .action_id = &action_id }, call);
}

typedef struct asking_look {
    hy_look look; // first: both functions get it back
    hy_look *theirs;
    hy_event seen;
} asking_look;

static void asking_look_now(hy_look *look, const hy_view *view) {
    hy_look *theirs = ((asking_look *)look)->theirs;
    theirs->seq = look->seq;
    theirs->look(theirs, view);
}

static void asking_look_done(hy_look *look) {
    hy_event_set(&((asking_look *)look)->seen);
}

static hy_err asking_see(const asking_whom *whom, hy_look *look) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    asking_look asking = { .look = { .look = asking_look_now, .done = asking_look_done },
                           .theirs = look };
    if (whom->fleet != NULL) {
        hy_world *back = hy_scope_world(hy_scope_current());
        err = hyi_fleet_look(whom->fleet, whom->key, &asking.look, back);
    } else {
        err = hy_host_look(whom->host, &asking.look);
    }
    if (err != HY_OK) return err;
    hyi_asking_wait(&asking.seen);
    look->err = asking.look.err;
    return look->err;
}

hy_err hy_host_see(hy_host *host, hy_look *look) {
    return asking_see(&(asking_whom){ .host = host }, look);
}

hy_err hy_fleet_see(hy_fleet *fleet, hy_bytes key, hy_look *look) {
    return asking_see(&(asking_whom){ .fleet = fleet, .key = key }, look);
}

typedef struct asking_next {
    hyi_store_call call; // first member
    hy_fleet *fleet;
    hy_bytes after;
    hy_arena arena;
    hy_store_machine found;
    hy_event told;
} asking_next;

static void asking_next_ask(hyi_store_call *call) {
    asking_next *next = (asking_next *)call;
    const hy_fleet *fleet = next->fleet;
    call->err = hy_store_instance_next(fleet->store, fleet->machine_number, next->after,
                                       &next->arena, &next->found, &call->why);
}

static void asking_next_told(hyi_store_call *call) {
    hy_event_set(&((asking_next *)call)->told);
}

hy_err hy_fleet_next(hy_fleet *fleet, hy_bytes after, char out_key[HY_INSTANCE_KEY_MAX + 1],
                     size_t *out_len) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    asking_next next = { .call = { .op = HYI_ASK,
                                   .world = hy_scope_world(hy_scope_current()),
                                   .ask = asking_next_ask,
                                   .told = asking_next_told },
                         .fleet = fleet,
                         .after = after };
    hy_arena_init(&next.arena, fleet->mem, 0);
    hyi_committer_submit(&fleet->committer, &next.call);
    hyi_asking_wait(&next.told);
    if (next.call.err == HY_OK) {
        HY_ASSERT(next.found.key.len <= HY_INSTANCE_KEY_MAX);
        memcpy(out_key, next.found.key.ptr, next.found.key.len);
        out_key[next.found.key.len] = 0;
        *out_len = next.found.key.len;
    }
    hy_arena_deinit(&next.arena);
    return next.call.err;
}

// ---- belonging to a scope ----

typedef struct asking_owned {
    hy_host *host; // or
    hy_fleet *fleet;
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
    if (owned->fleet != NULL) {
        hy_fleet_close(owned->fleet, asking_closed, owned, deadline);
    } else {
        hy_host_close(owned->host, asking_closed, owned, deadline);
    }
    hyi_asking_wait(&owned->closed);
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

hy_err hy_fleet_open_in(hy_scope *scope, hy_store *store, const hy_machine *machine,
                        const hy_fleet_options *options, hy_ns close_max, hy_fleet **out_fleet,
                        hy_why *why) {
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_world_mem(world);
    asking_owned *owned = hy_mem_alloc_zero(mem, sizeof *owned);
    if (owned == NULL) return hy_why_set(why, HY_NOMEM, machine->name, "no memory");
    *owned = (asking_owned){ .world = world, .mem = mem };
    hy_err err = hy_fleet_open(world, store, machine, options, &owned->fleet, why);
    if (err != HY_OK) {
        hy_mem_free(mem, owned, sizeof *owned);
        return err;
    }
    hy_fleet *fleet = owned->fleet;
    owned->told = fleet->options.closed;
    owned->told_self = fleet->options.closed_self;
    err = hy_own(scope, owned, asking_close, close_max); // on an error it has been closed
    if (err == HY_OK) *out_fleet = fleet;
    return err;
}
