// in_scope.c - actors as a part of a scope: hy_actors_in.
//
// The supervisor is an actor below nobody, and in the scope there is a service that stands
// for it: it is ready when the supervisor has started, and its stop is the supervisor's. So actors
// stop in reverse order of start among the scope's services, after its tasks, within their share of
// the grace, and the supervisor's failure is put before the scope's policy like any service's.
//
// What the policy may not have is another start of it. The children were spawned from outside, so
// nobody could make them again, and an empty supervisor under the old ref would be a lie. Where the
// policy wants it started again the second run says at once what the first one said, which is one
// restart too many: the scope fails with HY_RESTARTS.
#include "actor/ending.h"

#include <string.h>

typedef struct in_scope {
    hy_ref supervisor;
    hy_err failed; // what its first run said
} in_scope;

// Told to stop, or cancelled when the grace is over: then without grace.
static void in_scope_stop(const in_scope *in) {
    hy_actor_stop(in->supervisor);
    hy_err err = hy_actor_wait_end(in->supervisor, HY_NEVER);
    if (!hy_actor_is_alive(in->supervisor)) return;
    (void)err; // cancelled
    hy_actor_kill(in->supervisor);
    HY_SCOPE(shield, NULL, .name = "kill", .shield = HY_NEVER) {
        err = hy_actor_wait_end(in->supervisor, HY_NEVER);
    }
}

static hy_err in_scope_run(void *arg) {
    in_scope *in = (in_scope *)arg;
    if (in->failed != HY_OK) return in->failed;
    hy_ready();
    hy_err err = hyi_wait_end_or_draining(in->supervisor);
    if (hy_actor_is_alive(in->supervisor)) { // told to stop, or without memory to wait
        in_scope_stop(in);
        if (err == HY_CLOSED) return HY_OK;
    }
    in->failed = err;
    return err;
}

hy_err hy_actors_in(hy_scope *scope, hy_node *node, const hy_actor_options *options,
                    hy_ref *out_supervisor) {
    if (!scope) scope = hy_scope_current();
    in_scope *in = (in_scope *)hy_scope_alloc(scope, sizeof *in); // it outlives the node's memory
    if (!in) return HY_NOMEM;
    *in = (in_scope){ .failed = HY_OK };
    hy_actor_options own = { .size = sizeof own };
    if (options) {
        size_t size = options->size > 0 ? options->size : sizeof own;
        HY_ASSERT(size <= sizeof own); // built against a newer header
        memcpy(&own, options, size);
        own.size = sizeof own;
    }
    own.restart = HY_TEMPORARY;
    hy_err err = hy_spawn_actor(node, HY_NOBODY, &hy_supervisor_type, NULL, &own, &in->supervisor);
    if (err == HY_OK) {
        const hy_service_spec spec = {
            .size = sizeof spec,
            .name = "actors",
            .fn = in_scope_run,
            .arg = in,
            .restart = HY_TRANSIENT,
            .restarts_max = 1,
        };
        err = hy_start(scope, &spec, NULL);
        if (err != HY_OK) hy_actor_stop(in->supervisor);
    }
    if (err == HY_OK) *out_supervisor = in->supervisor;
    return err;
}
