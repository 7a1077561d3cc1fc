// task.c - fibers as members of the tree: spawn, await, and what their end means.
//
// A task belongs to the scope it was spawned in and has that scope's context. At its end it is out
// of all lists and freed, unless somebody has its handle: then it waits for hy_await, or for the
// end of its scope. A spawned function always runs, also when it was cancelled before it began: its
// `arg` may be something that only it gives back. Its first wait then tells it.
#include "scope/inside.h"

#define TASK_ASKS                                                                                  \
    (HYI_SCOPE_ENDING | HYI_SCOPE_DRAINING | HYI_SCOPE_CANCELLED | HYI_SCOPE_COUNTS_TASKS)

// ---- spawning -----------------------------------------------------------------------------------

// What few spawns have to ask: may something begin here, and is there room in the budgets?
static hy_err task_admit(hy_scope *scope) {
    hy_err err = hyi_scope_refuses(scope);
    if (err != HY_OK || !(scope->flags & HYI_SCOPE_COUNTS_TASKS)) return err;
    return hyi_budget_take_task(scope, hyi_current != NULL);
}

hy_err hyi_spawn(hy_scope *scope, hy_fn fn, void *arg, const hy_spawn_options *options,
                 hy_task **out_task, hyi_place *place) {
    HY_ASSERT(fn);
    hyi_stack_need(hyi_current);
    if (!scope) {
        HY_ASSERT(hyi_current);
        scope = hyi_current->scope;
    }
    if (__builtin_expect((scope->flags & TASK_ASKS) != 0, 0)) {
        hy_err err = task_admit(scope);
        if (err != HY_OK) return err;
    }
    hy_stack stack = options ? options->stack : HY_STACK_DEFAULT;
    hy_task *task = NULL;
    hy_err err = hyi_task_new(scope->root, fn, arg, stack, place, &task);
    if (err != HY_OK) {
        if (scope->flags & HYI_SCOPE_COUNTS_TASKS) hyi_budget_give_task(scope);
        return err;
    }
    task->scope = task->owner = scope;
    task->table = hyi_table_keep(scope->table);
    task->name = options ? options->name : NULL;
    task->kept = out_task != NULL;
    hyi_list_append(&scope->tasks, &task->in_owner);
    scope->task_count++;
    hyi_scope_live(scope);
    if (out_task) *out_task = task;
    hyi_task_ready(task);
    return HY_OK;
}

// ---- ending -------------------------------------------------------------------------------------

// Did it do no more than pass on that it was told to end? As with Trio, a real error out of a
// cancelled task's clean-up is an error.
static bool task_was_told(const hy_task *task) {
    const hy_scope *owner = task->owner;
    hy_err err = task->result;
    bool owner_told = (owner->flags & HYI_SCOPE_CANCELLED) != 0;
    if (!owner_told && task->told == HY_OK) {
        return (owner->flags & HYI_SCOPE_DRAINING) && err == HY_CLOSED;
    }
    return err == HY_CANCELLED || (owner_told && err == owner->reason) || err == task->told;
}

static void task_judge(const hy_task *task) {
    hy_ending ending = { .scope = task->owner,
                         .name = task->name ? task->name : task->place->file,
                         .err = task->result,
                         .cancelled = task->result != HY_OK && task_was_told(task) };
    hyi_scope_judge(task->owner, &ending);
}

static void task_tell_awaiting(hy_task *task);

void hyi_task_ended(hy_task *task) {
    if (task->is_service) {
        hyi_service_task_ended(task);
        return;
    }
    hy_scope *owner = task->owner;
    if (!owner) {
        hyi_root_body_ended(task);
        return;
    }
    hyi_table_drop(task->root, task->table);
    if (task->result != HY_OK || owner->policy) task_judge(task);
    if (!hyi_list_is_empty(&task->awaiting)) task_tell_awaiting(task);
    if (!task->kept) {
        hyi_list_remove(&task->in_owner);
        hyi_task_free(task);
    }
    owner->task_count--;
    if (owner->flags & HYI_SCOPE_COUNTS_TASKS) hyi_budget_give_task(owner);
    hyi_scope_unlive(owner);
}

bool hy_task_ended(const hy_task *task) {
    return task->state == HYI_TASK_ENDED;
}

// ---- awaiting -----------------------------------------------------------------------------------

typedef struct task_wait {
    hyi_wait wait;
    hyi_link link; // in task->awaiting
    const hy_task *awaited;
} task_wait;

static void task_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(task_wait, wait, wait)->link);
}

// Who awaits takes the result with the wake, and the handle is used up: nothing is left to free
// when he runs.
static void task_tell_awaiting(hy_task *task) {
    for (hyi_link *at; (at = hyi_list_first(&task->awaiting));) {
        hyi_list_remove(at);
        hyi_wake(HYI_HOLDER(task_wait, link, at)->wait.task, task->result);
    }
    task->kept = false;
}

static bool task_opened_above(const hy_task *task, const hy_scope *scope) {
    for (; scope; scope = scope->parent) {
        if (scope->opener == task) return true;
    }
    return false;
}

// Does `task` wait for `fiber`? It does for what runs in its blocks, and for whom it awaits.
static bool task_waits_for(const hy_task *task, const hy_task *fiber) {
    while (task != fiber) {
        if (task_opened_above(task, fiber->scope)) return true;
        bool awaits = task->state == HYI_TASK_PARKED && task->wait->unhook == task_unhook;
        if (!awaits) return false;
        task = HYI_HOLDER(task_wait, wait, task->wait)->awaited;
    }
    return true;
}

hy_err hy_await(hy_task *task) {
    hy_task *fiber = hyi_current;
    HY_ASSERT(fiber);
    HY_ASSERT(task->kept);
    if (task->state == HYI_TASK_ENDED) {
        hy_err result = task->result;
        hyi_list_remove(&task->in_owner);
        hyi_task_free(task);
        return result;
    }
    if (task_waits_for(task, fiber)) return HY_DEADLOCK;
    task_wait wait = { .wait = { .unhook = task_unhook, .what = "await", .deadline = HY_NEVER },
                       .awaited = task };
    hyi_list_append(&task->awaiting, &wait.link);
    return hyi_park(&wait.wait);
}
