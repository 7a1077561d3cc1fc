// above.c - fibers that run what rooms above give them: visits, moves, and ends without a return.
//
// A dispatcher of actors is one fiber that acts for many, one after the other. While it acts it
// visits: its innermost scope is the other's, so that HY_GET, deadlines and cancellation are those
// of whom it acts for, and nothing is allocated or linked. Only one that has to wait is worth a
// place in the tree: it is moved there, in the `lent` hook, right before it parks, and from then on
// all that scopes promise of their tasks holds for it.
//
// Ending early. A failure deep in somebody's calls ends its fiber without longjmp: there is no
// frame to go back to. The calls are left where they are, the fiber closes what scopes know of
// (blocks and frames, innermost first, each as `break` would), says its result, and switches away
// for ever; its stack goes to the pool. Blocks lie on that stack, so it is kept until they are
// closed.
//
// The chain of blocks leads through `outer`, from the innermost scope of the fiber to its base:
// the scope it visits, or its owner. What is on that way and is no block of this fiber belongs to a
// caller in the middle of something (a release, a build), and then the fiber may not end here.
#include "scope/above.h"
#include "scope/inside.h"

// ---- visiting ---------------------------------------------------------------------------------

void hyi_fiber_visit(hy_scope *scope) {
    hy_task *task = hyi_current;
    HY_ASSERT(task->scope == task->owner && !task->visited && !task->frame);
    HY_ASSERT(scope->root == task->root);
    task->visited = scope;
    task->home = task->table;
    task->scope = scope;
    task->table = hyi_table_keep(scope->table);
}

void hyi_fiber_leave(void) {
    hy_task *task = hyi_current;
    HY_ASSERT(task->visited && task->scope == task->visited && !task->frame);
    hyi_table_drop(task->root, task->table);
    task->visited = NULL;
    task->scope = task->owner;
    task->table = task->home;
}

hy_scope *hyi_fiber_visited(void) {
    return hyi_current->visited;
}

// What it saw during the visit is counted as what tasks see: only the home's is given back.
void hyi_task_move(hy_task *task) {
    hy_scope *from = task->owner, *to = task->visited;
    HY_ASSERT(to && task->state == HYI_TASK_RUNNING);
    HY_ASSERT(!(to->flags & HYI_SCOPE_ENDING));
    HY_ASSERT(!task->kept); // its handle would be freed by another scope than its holder expects
    task->owner = to;
    task->visited = NULL;
    hyi_table_drop(task->root, task->home);
    hyi_list_remove(&task->in_owner);
    hyi_list_append(&to->tasks, &task->in_owner);
    if (to->flags & HYI_SCOPE_COUNTS_TASKS) hyi_budget_add_task(to);
    to->task_count++;
    hyi_scope_live(to);
    from->task_count--;
    if (from->flags & HYI_SCOPE_COUNTS_TASKS) hyi_budget_give_task(from);
    hyi_scope_unlive(from);
}

// ---- lending ----------------------------------------------------------------------------------

void hyi_fiber_lend(bool on) {
    hyi_current->lends = on && hyi_current->root->lent;
}

bool hyi_fiber_lends(void) {
    return hyi_current->lends;
}

void hyi_root_on_lent(hy_root *root, void (*lent)(void *self, hy_task *task), void *self) {
    root->lent = lent;
    root->lent_self = self;
}

// ---- ending early -----------------------------------------------------------------------------

static bool above_is_own_block(const hy_scope *scope, const hy_task *task) {
    return scope && scope->opener == task && (scope->flags & HYI_SCOPE_BLOCK) &&
           !(scope->flags & HYI_SCOPE_CLOSING) && scope->outer == scope->parent;
}

static hy_scope *above_base(const hy_task *task) {
    return task->visited ? task->visited : task->owner;
}

bool hyi_fiber_can_exit(void) {
    const hy_task *task = hyi_current;
    const hy_scope *base = above_base(task), *at = task->scope;
    if (!base || task->must_return > 0) return false;
    while (at != base && above_is_own_block(at, task)) {
        at = at->outer;
    }
    return at == base;
}

static void above_end_frames(const hy_task *task) {
    while (task->frame && task->frame->private_[3] == task->scope) {
        hyi_frame_end(task->frame);
    }
}

// As block.c leaves a block by `break`. The variable for its error lies in a call that never goes
// on, so nobody is told it but the observer.
__attribute__((cold)) static void above_end_block(hy_scope *scope, hy_err err) {
    scope->body_err = err == hy_scope_reason(scope) ? HY_OK : err;
    (void)hyi_scope_finish(scope, true);
    hyi_scope_leave(scope);
}

void hyi_fiber_unwind(hy_err err) {
    const hy_task *task = hyi_current;
    HY_ASSERT(task); // a fiber
    if (!hyi_fiber_can_exit()) {
        hy_panic(__FILE__, __LINE__,
                 "a fiber was ended in the release of a resource, in a provider's build or in a "
                 "root's body: these must return");
    }
    above_end_frames(task);
    while (task->scope != above_base(task)) {
        above_end_block(task->scope, err);
        above_end_frames(task);
    }
    HY_ASSERT(task->frame == NULL);
    if (task->visited) hyi_fiber_leave();
}

void hyi_fiber_exit(hy_err err) {
    hyi_fiber_unwind(err);
    hyi_current->lends = hyi_current->rescuable = false;
    hyi_current->result = err;
    hyi_fiber_quit();
}

// ---- when the stack is used up ----------------------------------------------------------------

void hyi_fiber_rescuable(bool on) {
    hyi_current->rescuable = on;
}

void hyi_root_on_overflow(hy_root *root, const hyi_rescue *rescue) {
    root->rescue = rescue;
}

void hyi_fiber_need_stack(void) {
    hyi_stack_need(hyi_current);
}

// ---- a fiber and its scope --------------------------------------------------------------------

hy_root *hyi_scope_root(const hy_scope *scope) {
    return scope->root;
}

hy_ns hyi_root_clock(const hy_root *root) {
    return root->slice_began;
}

void *hyi_task_word(const hy_task *task) {
    return task->word;
}

void hyi_task_set_word(hy_task *task, void *word) {
    task->word = word;
}

bool hyi_scope_lives(const hy_scope *scope) {
    return (scope->flags & (HYI_SCOPE_CANCELLED | HYI_SCOPE_ENDING)) == 0;
}

hy_err hyi_spawn_refuses(hy_scope *scope) {
    hy_err err = hyi_scope_refuses(scope);
    if (err != HY_OK || !(scope->flags & HYI_SCOPE_COUNTS_TASKS)) return err;
    err = hyi_budget_take_task(scope, false);
    if (err == HY_OK) hyi_budget_give_task(scope);
    return err;
}

void *hyi_scope_observed_by(const hy_scope *scope, const hy_scope_observer *observer) {
    return scope->root->observer == observer ? scope->root->observer_self : NULL;
}
