// fail.c - hy_fail: a failure deep in a handler's calls ends the handler there.
//
// No longjmp. What scopes know of on this fiber (blocks, frames) is closed first, as by `break`;
// then the actor's start ends with the failure, here, at the bottom of the abandoned calls; then
// the fiber ends for good (scope/above.h), and a new dispatcher goes on in its place. So a failure
// costs a fiber, and everything that is not owned by a scope or the actor is lost with the calls.
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
