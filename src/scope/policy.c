// policy.c - what the end of a child means for its scope.
//
// A policy is a function from an ending to a verdict; the ones with names are here, and what the
// verdicts do. Which services are started again is service.c's; a verdict of restart for a task is
// a mistake, and fails the scope.
//
// What fails is kept once: the first error. The fibers that are cancelled because of it are told
// HY_CANCELLED, not that error, so that nobody takes a neighbour's failure for an answer to his own
// call; the scope's opener gets the error itself.
#include "scope/inside.h"

static bool policy_failed(const hy_ending *ending) {
    return ending->err != HY_OK && !ending->cancelled;
}

hy_verdict hy_fail_fast(const hy_ending *ending) {
    return policy_failed(ending) ? HY_FAIL : HY_IGNORE;
}

hy_verdict hy_collect(const hy_ending *ending) {
    return policy_failed(ending) ? HY_COLLECT : HY_IGNORE;
}

hy_verdict hy_race(const hy_ending *ending) {
    return ending->err == HY_OK ? HY_FINISH : hy_collect(ending);
}

hy_verdict hy_ignore(const hy_ending *ending) {
    (void)ending;
    return HY_IGNORE;
}

hy_verdict hy_one_for_one(const hy_ending *ending) {
    return ending->is_service ? HY_RESTART_ONE : hy_fail_fast(ending);
}

hy_verdict hy_one_for_all(const hy_ending *ending) {
    return ending->is_service ? HY_RESTART_ALL : hy_fail_fast(ending);
}

hy_verdict hy_rest_for_one(const hy_ending *ending) {
    return ending->is_service ? HY_RESTART_REST : hy_fail_fast(ending);
}

// After HY_FINISH nothing is held any more: the scope has got what it was opened for.
static void policy_keep(hy_scope *scope, hy_err err) {
    if (scope->first_err == HY_OK && !(scope->flags & HYI_SCOPE_FINISHED)) scope->first_err = err;
}

// One that was cancelled before, from outside or by an error, stays what it is.
static void policy_finish(hy_scope *scope) {
    if (scope->flags & HYI_SCOPE_CANCELLED) return;
    scope->flags |= HYI_SCOPE_FINISHED;
    hy_scope_cancel(scope, HY_CANCELLED);
}

void hyi_scope_hold(hy_scope *scope, hy_verdict verdict, hy_err err) {
    switch (verdict) {
    case HY_IGNORE: return;
    case HY_COLLECT: policy_keep(scope, err); return;
    case HY_FINISH: policy_finish(scope); return;
    case HY_FAIL:
    case HY_RESTART_ONE:
    case HY_RESTART_ALL:
    case HY_RESTART_REST:
        policy_keep(scope, err);
        hy_scope_cancel(scope, HY_CANCELLED);
        return;
    }
}

void hyi_scope_judge(hy_scope *scope, const hy_ending *ending) {
    hy_policy policy = scope->policy ? scope->policy : hy_fail_fast;
    hyi_scope_hold(scope, policy(ending), ending->err);
}
