// fail.c - hy_fail: a failure deep in a handler's calls ends the handler there.
//
// No longjmp. What scopes know of on this fiber (blocks, frames) is closed first, as by `break`;
// then the actor's start ends with the failure, here, at the bottom of the abandoned calls; then
// the fiber ends for good (scope/above.h), and a new dispatcher goes on in its place. So a failure
// costs a fiber, and everything that is not owned by a scope or the actor is lost with the calls.
//
// A handler that uses up its stack fails in the same way, with HY_LIMIT: scope/overflow.c has seen
// that it was in nobody's code but the user's, and goes on here, on a fresh stack. Only a handler,
// or a fiber actor's function: what else a worker calls (policies, drops, starts and stops) has
// callers that rely on its return.
#include "actor/ending.h"
#include "actor/mailbox.h"
#include "actor/share.h"
#include "actor/turn.h"

void hy_fail(hy_actor *self, hy_err err, const char *text) {
    hyi_dispatcher *me = hyi_current ? (hyi_dispatcher *)hyi_task_word(hyi_current) : NULL;
    HY_ASSERT(me && (me->actor ? me->actor : me->worker->running) == self); // in its handler
    hyi_fiber_unwind(err == HY_OK ? HY_INVARIANT : err);
    hyi_turn_fail(me, self, err == HY_OK ? HY_INVARIANT : err, text);
    hyi_fiber_lend(false);
    hyi_worker *worker = me->worker;
    hyi_task_set_word(hyi_current, NULL);
    if (worker->dispatcher == me) {
        worker->dispatcher = NULL;
        worker->dispatcher_parked = true;
    }
    hyi_worker_attend(worker);
    hyi_fiber_exit(HY_OK);
}

// ---- used-up stacks -----------------------------------------------------------------------------

// In a signal handler.
static bool fail_may_rescue(void *unused, const hy_task *task, uintptr_t pc) {
    (void)unused;
    (void)pc;
    const hyi_dispatcher *me = (const hyi_dispatcher *)hyi_task_word(task);
    if (!me) return false;
    const hy_actor *actor = me->actor ? me->actor : me->worker->running;
    if (!actor || actor->phase != HYI_RUNNING) return false;
    const hyi_message *handling = me->actor ? me->handling : me->worker->handling;
    return handling || (me->actor && (actor->flags & HYI_ACTOR_FIBER));
}

static void fail_rescued(void *unused, hy_task *task) {
    (void)unused;
    const hyi_dispatcher *me = (const hyi_dispatcher *)hyi_task_word(task); // on the used-up stack
    hy_fail(me->actor ? me->actor : me->worker->running, HY_LIMIT, "the stack was used up");
}

void hyi_fail_watch(hyi_worker *worker) {
    static const hyi_rescue rescue = { fail_may_rescue, fail_rescued, NULL };
    hyi_root_on_overflow(worker->root, &rescue);
}
