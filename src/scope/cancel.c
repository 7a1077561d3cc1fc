// cancel.c - walking the tree: cancellation and draining.
//
// Cancelling marks every scope below, and wakes the fibers whose innermost scope is marked. A fiber
// is found in two ways: in the list of the scope that owns it, or as the opener of the block it is
// in; it is woken at the visit of its innermost scope, because only then hyi_cancel_reason knows.
//
// Cancellation is sticky, so the first reason stays. It stops at shields, which get a timer
// instead, and at services: those are ended by stop.c, after the tasks that use them. Nothing in a
// walk changes the shape of the tree: fibers are made ready and do not run.
#include "scope/inside.h"

hy_scope *hyi_scope_next(const hy_scope *top, hy_scope *at, bool deeper) {
    hyi_link *link = deeper ? hyi_list_first(&at->children) : NULL;
    while (!link) {
        if (at == top) return NULL;
        link = hyi_list_after(&at->parent->children, &at->in_parent);
        if (!link) at = at->parent;
    }
    return HYI_HOLDER(hy_scope, in_parent, link);
}

// ---- cancelling ---------------------------------------------------------------------------------

static void cancel_interrupt(hy_task *task) {
    if (task->state != HYI_TASK_PARKED || task->wait->firm) return;
    hy_err why = hyi_cancel_reason(task);
    if (why != HY_OK) hyi_interrupt(task, why);
}

static void cancel_mark(hy_scope *scope, hy_err why) {
    if (scope->flags & HYI_SCOPE_TIMED) hy_timer_stop(scope->root->world, &scope->timer);
    scope->flags &= ~(uint32_t)(HYI_SCOPE_HELD | HYI_SCOPE_TIMED);
    scope->flags |= HYI_SCOPE_CANCELLED;
    scope->reason = why;
    scope->root->stats.cancelled++;
    if (scope->flags & (HYI_SCOPE_COUNTS_TASKS | HYI_SCOPE_COUNTS_DESCRIPTORS)) {
        hyi_budget_refuse(scope, why);
    }
    if (scope->more && scope->more->provided) hyi_provided_cancel(scope);
    if (scope->opener) cancel_interrupt(scope->opener);
    hyi_link *link = hyi_list_first(&scope->tasks);
    while (link) {
        cancel_interrupt(HYI_HOLDER(hy_task, in_owner, link));
        link = hyi_list_after(&scope->tasks, link);
    }
}

// False: the walk does not go below.
static bool cancel_reaches(hy_scope *scope, hy_err why) {
    if (scope->flags & (HYI_SCOPE_CANCELLED | HYI_SCOPE_SERVICE)) return false;
    return !(scope->flags & HYI_SCOPE_SHIELD) || !hyi_scope_hold_off(scope, why);
}

void hyi_scope_cancel_tasks(hy_scope *scope, hy_err why) {
    if (scope->flags & HYI_SCOPE_CANCELLED) return;
    cancel_mark(scope, why);
    hy_scope *at = hyi_scope_next(scope, scope, true);
    while (at) {
        bool reached = cancel_reaches(at, why);
        if (reached) cancel_mark(at, why);
        // Also where only the tasks' grace was over: now that of the services is, too.
        bool is_over = (at->flags & HYI_SCOPE_CANCELLED) && !(at->flags & HYI_SCOPE_SERVICE);
        if (is_over && at->more) hyi_stop_cut(at);
        at = hyi_scope_next(scope, at, reached);
    }
}

void hy_scope_cancel(hy_scope *scope, hy_err why) {
    hyi_scope_cancel_tasks(scope, why == HY_OK ? HY_CANCELLED : why);
    if (scope->more) hyi_stop_cut(scope);
}

// A task that was told is in its outermost block as below a cancelled scope.
void hy_task_cancel(hy_task *task, hy_err why) {
    if (task->state == HYI_TASK_ENDED || task->told != HY_OK) return;
    if (why == HY_OK) why = HY_CANCELLED;
    task->told = why;
    hy_scope *outermost = NULL;
    for (hy_scope *at = task->scope; at && at->opener == task; at = at->outer) {
        if (at->flags & HYI_SCOPE_BLOCK) outermost = at;
    }
    if (!outermost) {
        cancel_interrupt(task);
    } else if (cancel_reaches(outermost, why)) {
        hy_scope_cancel(outermost, why);
    }
}

hy_err hy_check(void) {
    HY_ASSERT(hyi_current);
    return hyi_cancel_reason(hyi_current);
}

// ---- draining -----------------------------------------------------------------------------------

static void drain_interrupt(hy_task *task) {
    if (task->state != HYI_TASK_PARKED || !task->wait->intake) return;
    if (task->scope->flags & HYI_SCOPE_DRAINING) hyi_interrupt(task, HY_CLOSED);
}

static void drain_mark(hy_scope *scope) {
    scope->flags |= HYI_SCOPE_DRAINING;
    if (scope->flags & (HYI_SCOPE_COUNTS_TASKS | HYI_SCOPE_COUNTS_DESCRIPTORS)) {
        hy_err why = hyi_scope_refuses(scope);
        if (why != HY_OK) hyi_budget_refuse(scope, why);
    }
    if (scope->opener) drain_interrupt(scope->opener);
    hyi_link *link = hyi_list_first(&scope->tasks);
    while (link) {
        drain_interrupt(HYI_HOLDER(hy_task, in_owner, link));
        link = hyi_list_after(&scope->tasks, link);
    }
}

void hyi_scope_drain(hy_scope *scope) {
    drain_mark(scope);
    hy_scope *at = hyi_scope_next(scope, scope, true);
    while (at) {
        bool reached = !(at->flags & (HYI_SCOPE_DRAINING | HYI_SCOPE_SERVICE));
        if (reached) drain_mark(at);
        at = hyi_scope_next(scope, at, reached);
    }
}

bool hy_draining(void) {
    HY_ASSERT(hyi_current);
    return (hyi_current->scope->flags & HYI_SCOPE_DRAINING) != 0;
}
