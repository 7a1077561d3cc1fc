// scope.c - a node of the tree: how it begins, whom it waits for, and how it ends.
//
// A scope lies on its opener's stack (block.c) or on the heap (hy_scope_open); both begin with
// hyi_scope_init and end with hyi_scope_finish. The end is always the same:
//
//     open --> wait until nothing below is live --> ENDING: takes nothing new in
//          --> dynamic scopes below, latest first --> services, latest first
//          --> what is owned, latest first --> out of the tree, told to the observer
//
// What is waited for is `live`: tasks owned here and not ended, dynamic scopes below that are live
// themselves, and those who wait to spawn here. A block is not counted in its parent, because the
// fiber that opened it is; a service's scope is not, because it runs until it is stopped. So the
// counters change only at the edge between idle and live, and a long-lived parent keeps nothing of
// children that have ended.
//
// The fiber at the end of a scope waits firmly: whatever cancels that fiber has cancelled the scope
// too (its own block), or the scope has been cancelled by the close (another's).
#include "scope/inside.h"

#include <string.h>

#define SCOPE_INHERITED (HYI_SCOPE_DRAINING | HYI_SCOPE_COUNTS_TASKS | HYI_SCOPE_COUNTS_DESCRIPTORS)

#define SCOPE_CHAIN_MAX 64u // of those who close each other's scopes

typedef enum scope_awaited {
    SCOPE_IDLE,  // nothing below is live
    SCOPE_CHILD, // a scope below has gone
    SCOPE_GONE,  // the scope itself has
} scope_awaited;

typedef struct scope_wait {
    hyi_wait wait;
    hyi_link link; // in scope->joining
    scope_awaited awaited;
    hy_scope *scope;
} scope_wait;

// ---- where a scope is ---------------------------------------------------------------------------

bool hyi_scope_is_below(const hy_scope *scope, const hy_scope *above) {
    while (scope && scope != above) {
        scope = scope->parent;
    }
    return scope != NULL;
}

// A fiber that runs the clean-up of a scope elsewhere is still in the scopes that it came from.
bool hyi_task_is_in(const hy_task *fiber, const hy_scope *scope) {
    const hy_scope *at = fiber->scope;
    if (hyi_scope_is_below(at, scope)) return true;
    for (; at && at->opener == fiber; at = at->outer) {
        if (at->outer != at->parent && hyi_scope_is_below(at->outer, scope)) return true;
    }
    return false;
}

hy_err hyi_scope_refuses(const hy_scope *scope) {
    uint32_t flags = scope->flags;
    if (flags & HYI_SCOPE_ENDING) return HY_CLOSED;
    if (flags & HYI_SCOPE_CANCELLED) return scope->reason;
    if (!(flags & HYI_SCOPE_DRAINING)) return HY_OK;
    return (flags & HYI_SCOPE_BLOCK) && !(flags & HYI_SCOPE_STOPPED) ? HY_OK : HY_CLOSED;
}

hy_err hyi_scope_error(const hy_scope *scope) {
    if (scope->flags & HYI_SCOPE_FINISHED) return HY_OK;
    if (scope->first_err != HY_OK) return scope->first_err;
    bool told = (scope->flags & HYI_SCOPE_CANCELLED) && !(scope->flags & HYI_SCOPE_LEFT);
    return told ? scope->reason : HY_OK;
}

bool hyi_scope_idle(const hy_scope *scope) {
    if (scope->live > 0) return false;
    const hyi_link *at = hyi_list_first(&scope->children);
    for (; at; at = hyi_list_after(&scope->children, at)) {
        if (!(HYI_HOLDER(const hy_scope, in_parent, at)->flags & HYI_SCOPE_SERVICE)) return false;
    }
    return true;
}

// ---- waiting for it -----------------------------------------------------------------------------

static void scope_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(scope_wait, wait, wait)->link);
}

static hy_err scope_await(hy_scope *scope, scope_awaited awaited, bool firm, const char *what) {
    scope_wait wait = {
        .wait = { .unhook = scope_unhook, .what = what, .deadline = HY_NEVER, .firm = firm },
        .awaited = awaited,
        .scope = scope,
    };
    hyi_list_append(&scope->joining, &wait.link);
    return hyi_park(&wait.wait);
}

// Those who wait are given the scope's error as it is now: they may find no scope when they run.
static void scope_wake(hy_scope *scope, scope_awaited happened, hy_err err) {
    hyi_link *at = hyi_list_first(&scope->joining);
    while (at) {
        hyi_link *after = hyi_list_after(&scope->joining, at);
        scope_wait *wait = HYI_HOLDER(scope_wait, link, at);
        if (happened == SCOPE_GONE || wait->awaited == happened) {
            hyi_list_remove(at);
            hyi_wake(wait->wait.task, err);
        }
        at = after;
    }
}

static bool scope_waits_for(hy_scope *scope, const hy_task *fiber, uint32_t depth);

static bool scope_fiber_waits_for(const hy_scope *scope, const hy_task *waits, const hy_task *fiber,
                                  uint32_t depth) {
    bool here = waits->state == HYI_TASK_PARKED && waits->wait->unhook == scope_unhook;
    if (!here || !waits->wait->firm) return false;
    hy_scope *awaited = HYI_HOLDER(scope_wait, wait, waits->wait)->scope;
    if (hyi_scope_is_below(awaited, scope)) return false; // looked through anyway
    return hyi_task_is_in(fiber, awaited) || scope_waits_for(awaited, fiber, depth + 1);
}

// Does somebody in `scope`, at the end of another scope, wait for `fiber`? Then closing `scope`
// must not wait: both fibers would, for ever, and no cancellation would reach them. Whoever closes
// asks this before, so those who wait already form no ring. A chain that is too long counts as one.
static bool scope_waits_for(hy_scope *scope, const hy_task *fiber, uint32_t depth) {
    if (depth == SCOPE_CHAIN_MAX) return true;
    for (hy_scope *at = scope; at; at = hyi_scope_next(scope, at, true)) {
        if (at->opener && scope_fiber_waits_for(scope, at->opener, fiber, depth)) return true;
        hyi_link *link = hyi_list_first(&at->tasks);
        for (; link; link = hyi_list_after(&at->tasks, link)) {
            hy_task *task = HYI_HOLDER(hy_task, in_owner, link);
            if (scope_fiber_waits_for(scope, task, fiber, depth)) return true;
        }
    }
    return false;
}

static bool scope_keeps_parent_live(const hy_scope *scope) {
    return scope->parent && !(scope->flags & (HYI_SCOPE_BLOCK | HYI_SCOPE_SERVICE));
}

void hyi_scope_live(hy_scope *scope) {
    while (scope->live++ == 0 && scope_keeps_parent_live(scope)) {
        scope = scope->parent;
    }
}

void hyi_scope_unlive(hy_scope *scope) {
    hy_scope *first = scope;
    while (--scope->live == 0) {
        if (!hyi_list_is_empty(&scope->joining)) {
            scope_wake(scope, SCOPE_IDLE, hyi_scope_error(scope));
        }
        if (!scope_keeps_parent_live(scope)) break;
        scope = scope->parent;
    }
    bool is_stopping = (first->flags & (HYI_SCOPE_DRAINING | HYI_SCOPE_CANCELLED)) != 0;
    if (is_stopping && first->live == 0) hyi_stop_progress(first);
}

void hyi_scope_child_gone(hy_scope *scope) {
    if (!hyi_list_is_empty(&scope->joining)) scope_wake(scope, SCOPE_CHILD, HY_OK);
    if (scope->flags & (HYI_SCOPE_DRAINING | HYI_SCOPE_CANCELLED)) hyi_stop_progress(scope);
}

// ---- opening ------------------------------------------------------------------------------------

static void scope_on_timer(hy_timer *timer) {
    hy_scope *scope = HYI_HOLDER(hy_scope, timer, timer);
    scope->flags &= ~(uint32_t)HYI_SCOPE_TIMED;
    bool held = (scope->flags & HYI_SCOPE_HELD) && scope->shield <= scope->deadline;
    hy_scope_cancel(scope, held ? scope->reason : HY_TIMEOUT);
}

// Moves the timer to the first of the scope's own deadline and the end of its shield.
static hy_err scope_arm(hy_scope *scope) {
    hy_ns due = scope->deadline;
    if ((scope->flags & HYI_SCOPE_HELD) && scope->shield < due) due = scope->shield;
    scope->timer.done = scope_on_timer;
    hy_err err = hy_timer_at(scope->root->world, &scope->timer, due);
    if (err == HY_OK) scope->flags |= HYI_SCOPE_TIMED;
    return err;
}

static void scope_disarm(hy_scope *scope) {
    if (!(scope->flags & HYI_SCOPE_TIMED)) return;
    hy_timer_stop(scope->root->world, &scope->timer);
    scope->flags &= ~(uint32_t)HYI_SCOPE_TIMED;
}

// What a scope inherits of `deadline`: its shield puts it off.
static hy_ns scope_inherited(const hy_scope *scope, hy_ns deadline) {
    return scope->flags & HYI_SCOPE_SHIELD ? hy_ns_add(deadline, scope->shield) : deadline;
}

// All that is before the first nanosecond is as long past as that.
static hy_ns scope_moment(hy_ns when) {
    return when > 0 ? when : 1;
}

// The clock is read only for those who give a time.
static hy_err scope_set_deadline(hy_scope *scope, const hy_scope_options *options) {
    hy_ns deadline = options->deadline != 0 ? options->deadline : HY_NEVER;
    hy_ns now = hy_world_now(scope->root->world);
    if (options->timeout != 0) {
        hy_ns after = hy_ns_add(now, options->timeout);
        if (after < deadline) deadline = after;
    }
    hy_ns sent = hyi_baggage_deadline(options->baggage, now);
    if (sent < deadline) deadline = sent;
    if (deadline >= scope->deadline) return HY_OK;
    scope->deadline = scope_moment(deadline);
    if (deadline > now) return scope_arm(scope);
    scope->flags |= HYI_SCOPE_CANCELLED;
    scope->reason = HY_TIMEOUT;
    return HY_OK;
}

bool hyi_scope_hold_off(hy_scope *scope, hy_err why) {
    HY_ASSERT(scope->flags & HYI_SCOPE_SHIELD);
    if (scope->shield == HY_NEVER) return true;
    // At its end there is nothing left to be told, and no timer may begin.
    if (scope->flags & (HYI_SCOPE_HELD | HYI_SCOPE_ENDING)) return true;
    scope->flags |= HYI_SCOPE_HELD;
    scope->reason = why;
    scope->shield = hy_ns_add(hy_world_now(scope->root->world), scope->shield);
    if (scope_arm(scope) == HY_OK) return true;
    scope->flags &= ~(uint32_t)HYI_SCOPE_HELD;
    return false;
}

// Opened where waiting is over already: so is it here, or soon.
static void scope_inherit_reason(hy_scope *scope, hy_err why) {
    if (scope->flags & HYI_SCOPE_CANCELLED) return;
    if ((scope->flags & HYI_SCOPE_SHIELD) && hyi_scope_hold_off(scope, why)) return;
    scope->flags |= HYI_SCOPE_CANCELLED;
    scope->reason = why;
}

static bool scope_is_limited(const hy_scope_options *o) {
    return (o->stop_max | o->restarts_within) != 0 || (o->bytes_max != 0) ||
           (o->tasks_max | o->descriptors_max | o->restarts_max) != 0;
}

// Where the deadline above has passed already, the time that the shield gives begins now.
static void scope_set_shield(hy_scope *scope, hy_ns shield) {
    scope->flags |= HYI_SCOPE_SHIELD;
    scope->shield = shield;
    if (scope->deadline == HY_NEVER) return;
    hy_ns now = hy_world_now(scope->root->world);
    scope->deadline = scope_inherited(scope, scope->deadline > now ? scope->deadline : now);
}

// All that few scopes ask for. On an error nothing is left to undo.
static hy_err scope_set_options(hy_scope *scope, const hy_scope_options *options) {
    if (options->shield > 0) scope_set_shield(scope, options->shield);
    if (scope_is_limited(options)) {
        hy_err err = hyi_more_limits(scope, options);
        if (err != HY_OK) return err;
    }
    hy_err err = HY_OK;
    if ((options->timeout | options->deadline) != 0 || options->baggage) {
        err = scope_set_deadline(scope, options);
    }
    if (err != HY_OK && scope->more) hyi_more_free(scope);
    return err;
}

// Options of an older program are shorter; those inside another options struct have no size.
static const hy_scope_options *scope_whole_options(const hy_scope_options *given,
                                                   hy_scope_options *storage) {
    *storage = (hy_scope_options){ .size = sizeof *storage };
    if (!given) return storage;
    if (given->size == 0) return given;
    HY_ASSERT(given->size <= sizeof *storage); // built against a newer header
    memcpy(storage, given, given->size);
    return storage;
}

static void scope_clear(hy_scope *scope, hy_root *root, hy_scope *parent, uint32_t flags) {
    scope->root = root;
    scope->parent = parent;
    scope->flags = flags | (parent ? parent->flags & SCOPE_INHERITED : 0);
    scope->task_count = scope->live = 0;
    scope->reason = scope->first_err = scope->body_err = HY_OK;
    scope->table = NULL;
    hyi_list_init(&scope->tasks);
    hyi_list_init(&scope->children);
    hyi_list_init(&scope->in_parent);
    hyi_list_init(&scope->joining);
    scope->opener = NULL;
    scope->outer = NULL;
    scope->outer_table = NULL;
    scope->deadline = parent ? parent->deadline : HY_NEVER;
    scope->shield = 0;
    scope->timer = (hy_timer){ 0 };
    scope->owned = NULL;
    scope->more = NULL;
    scope->baggage = NULL;
}

// The running fiber's innermost scope is now this one.
static void scope_enter(hy_scope *scope, hy_task *fiber) {
    scope->outer_table = hyi_table_outer(fiber);
    fiber->scope = scope;
    fiber->table = scope->table;
}

static void scope_tell_opened(hy_scope *scope) {
    const hy_scope_observer *observer = scope->root->observer;
    memset(scope->slots, 0, sizeof scope->slots);
    if (!observer || (scope->flags & HYI_SCOPE_QUIET)) return;
    if (observer->opened) observer->opened(scope->root->observer_self, scope, scope->slots);
}

static void scope_tell_closed(hy_scope *scope, hy_err err) {
    const hy_scope_observer *observer = scope->root->observer;
    if (!observer || (scope->flags & HYI_SCOPE_QUIET)) return;
    if (observer->closed) observer->closed(scope->root->observer_self, scope, scope->slots, err);
}

hy_err hyi_scope_init(hy_scope *scope, hy_root *root, hy_scope *parent,
                      const hy_scope_options *options, uint32_t flags) {
    hy_scope_options storage;
    if (!options || options->size != sizeof *options) {
        options = scope_whole_options(options, &storage);
    }
    hy_task *fiber = flags & HYI_SCOPE_BLOCK ? hyi_current : NULL;
    scope_clear(scope, root, parent, flags);
    scope->policy = options->policy;
    scope->name = options->name ? options->name : "scope";
    if (fiber) {
        scope->opener = fiber;
        scope->outer = fiber->scope;
    }

    hy_err err = scope_set_options(scope, options);
    if (err != HY_OK) return err;
    hyi_table *from = fiber && fiber->scope == parent ? fiber->table
                      : parent                        ? parent->table
                                                      : NULL;
    err = hyi_context_open(scope, from, options);
    if (err != HY_OK) {
        scope_disarm(scope);
        if (scope->more) hyi_more_free(scope);
        return err;
    }
    hy_err why = fiber && fiber->scope == parent ? hyi_cancel_reason(fiber) : HY_OK;
    if (parent && (parent->flags & HYI_SCOPE_CANCELLED)) why = parent->reason;
    if (why != HY_OK) scope_inherit_reason(scope, why);
    if (parent) hyi_list_append(&parent->children, &scope->in_parent);
    if (fiber) scope_enter(scope, fiber);
    root->stats.scopes_opened++;
    scope_tell_opened(scope);
    return HY_OK;
}

hy_err hy_scope_open(hy_scope *parent, const hy_scope_options *options, hy_scope **out_scope) {
    HY_ASSERT(parent || hyi_current);
    if (!parent) parent = hyi_current->scope;
    hy_err err = hyi_scope_refuses(parent);
    if (err != HY_OK) return err;
    hy_root *root = parent->root;
    hy_scope *scope = (hy_scope *)hy_mem_alloc(root->mem, sizeof *scope);
    if (!scope) return HY_NOMEM;
    err = hyi_scope_init(scope, root, parent, options, 0);
    if (err != HY_OK) {
        hy_mem_free(root->mem, scope, sizeof *scope);
        return err;
    }
    *out_scope = scope;
    return HY_OK;
}

hy_err hy_scope_tighten(hy_scope *scope, hy_ns deadline) {
    if (deadline >= scope->deadline) return HY_OK;
    if (scope->flags & (HYI_SCOPE_CANCELLED | HYI_SCOPE_ENDING)) return HY_OK;
    hy_ns before = scope->deadline;
    scope->deadline = scope_moment(deadline);
    if (deadline <= hy_world_now(scope->root->world)) {
        hy_scope_cancel(scope, HY_TIMEOUT);
        return HY_OK;
    }
    hy_err err = scope_arm(scope);
    if (err != HY_OK) {
        scope->deadline = before;
        return err;
    }
    // Below, what was tighter stays, and what is not needs no timer of its own any more.
    for (hy_scope *at = hyi_scope_next(scope, scope, true); at;) {
        hy_ns inherited = scope_inherited(at, at->parent->deadline);
        bool loosened = at->deadline > inherited && !(at->flags & HYI_SCOPE_HELD);
        if (loosened) {
            at->deadline = inherited;
            scope_disarm(at);
        }
        at = hyi_scope_next(scope, at, loosened);
    }
    return HY_OK;
}

// ---- the end ------------------------------------------------------------------------------------

// The latest dynamic scope below that has none below itself, or one that somebody is closing.
static hy_scope *scope_last_leaf(const hy_scope *scope) {
    hy_scope *leaf = NULL;
    const hyi_link *at = hyi_list_last(&scope->children);
    while (at) {
        hy_scope *child = HYI_HOLDER(hy_scope, in_parent, at);
        const hy_scope *parent = child->parent;
        if (child->flags & HYI_SCOPE_SERVICE) {
            at = hyi_list_before(&parent->children, at);
            continue;
        }
        leaf = child;
        if (child->flags & HYI_SCOPE_CLOSING) break;
        at = hyi_list_last(&child->children);
    }
    return leaf;
}

static void scope_free(hy_scope *scope) {
    hy_mem_free(scope->root->mem, scope, sizeof *scope);
}

// Nobody else closed it, so what it ends with is told to its parent's policy.
static void scope_close_leaf(hy_scope *leaf) {
    HY_ASSERT(!(leaf->flags & HYI_SCOPE_BLOCK)); // a block has its fiber, and that is not idle
    hy_scope *parent = leaf->parent;
    hy_err err = hyi_scope_finish(leaf, true);
    bool told = (leaf->flags & HYI_SCOPE_CANCELLED) && err == leaf->reason;
    hyi_scope_judge(parent, &(hy_ending){ .scope = parent,
                                          .name = leaf->name,
                                          .err = err,
                                          .cancelled = err != HY_OK && told });
    scope_free(leaf);
}

static void scope_close_children(hy_scope *scope) {
    for (;;) {
        hy_scope *leaf = scope_last_leaf(scope);
        if (!leaf) return;
        if (leaf->flags & HYI_SCOPE_CLOSING) {
            (void)scope_await(leaf->parent, SCOPE_CHILD, true, "a scope's close");
        } else {
            scope_close_leaf(leaf);
        }
    }
}

static void scope_await_idle(hy_scope *scope) {
    while (scope->live > 0) {
        (void)scope_await(scope, SCOPE_IDLE, true, "tasks");
    }
}

static void scope_forget_tasks(hy_scope *scope) {
    for (hyi_link *at; (at = hyi_list_first(&scope->tasks));) {
        hy_task *task = HYI_HOLDER(hy_task, in_owner, at);
        HY_ASSERT(task->state == HYI_TASK_ENDED);
        hyi_list_remove(at);
        hyi_task_free(task);
    }
}

// What a scope may have besides tasks.
static void scope_finish_rest(hy_scope *scope) {
    scope_close_children(scope);
    hyi_more *more = scope->more;
    if (more && !hyi_list_is_empty(&more->services)) {
        hyi_services_stop_all(scope,
                              hy_ns_add(hy_world_now(scope->root->world), hyi_stop_left(scope)));
    }
    scope_disarm(scope);
    if (scope->owned) hyi_own_release_all(scope);
    scope_forget_tasks(scope);
    if (scope->more) hyi_stop_free(scope);
}

static bool scope_has_rest(const hy_scope *scope) {
    return !hyi_list_is_empty(&scope->children) || !hyi_list_is_empty(&scope->tasks) ||
           scope->owned || scope->more || (scope->flags & HYI_SCOPE_TIMED);
}

// The dynamic scopes below are idle too, and must stay so: closing them one after the other may
// wait, and meanwhile somebody could spawn into the next one. Blocks down there belong to fibers
// that are closing something, and services have their turn.
static void scope_take_nothing_new(hy_scope *scope) {
    scope->flags |= HYI_SCOPE_ENDING;
    hy_scope *at = hyi_scope_next(scope, scope, true);
    while (at) {
        bool dynamic = !(at->flags & (HYI_SCOPE_BLOCK | HYI_SCOPE_SERVICE));
        if (dynamic) at->flags |= HYI_SCOPE_ENDING;
        at = hyi_scope_next(scope, at, dynamic);
    }
}

hy_err hyi_scope_finish(hy_scope *scope, bool cancel) {
    HY_ASSERT(hyi_current);
    HY_ASSERT(!(scope->flags & HYI_SCOPE_CLOSING));
    scope->flags |= HYI_SCOPE_CLOSING;
    if (scope->live > 0) {
        if (cancel && !(scope->flags & HYI_SCOPE_CANCELLED)) {
            scope->flags |= HYI_SCOPE_LEFT;
            hyi_scope_cancel_tasks(scope, HY_CANCELLED);
        }
        scope_await_idle(scope);
    }
    scope_take_nothing_new(scope);
    if (scope_has_rest(scope)) scope_finish_rest(scope);

    HY_ASSERT(scope->live == 0);
    HY_ASSERT(hyi_list_is_empty(&scope->children));
    HY_ASSERT(!(scope->flags & HYI_SCOPE_TIMED));
    hy_err err = hyi_scope_error(scope);
    scope_tell_closed(scope, scope->body_err != HY_OK ? scope->body_err : err);
    hyi_context_close(scope);
    if (scope->more) hyi_more_free(scope);
    hyi_list_remove(&scope->in_parent);
    if (!hyi_list_is_empty(&scope->joining)) scope_wake(scope, SCOPE_GONE, err);
    if (scope->parent && !(scope->flags & HYI_SCOPE_BLOCK)) hyi_scope_child_gone(scope->parent);
    return err;
}

hy_err hy_scope_join(hy_scope *scope) {
    hy_task *fiber = hyi_current;
    HY_ASSERT(fiber);
    bool own = fiber->scope == scope && scope->opener == fiber;
    if (!own && hyi_task_is_in(fiber, scope)) return HY_DEADLOCK;
    if (own) {
        scope_await_idle(scope);
        return hyi_scope_error(scope);
    }
    if (scope->live == 0) return hyi_scope_error(scope);
    return scope_await(scope, SCOPE_IDLE, false, "tasks");
}

hy_err hy_scope_close(hy_scope *scope) {
    hy_task *fiber = hyi_current;
    HY_ASSERT(fiber);
    if (hyi_task_is_in(fiber, scope) || scope_waits_for(scope, fiber, 0)) {
        hy_scope_stop(scope, 0);
        return HY_BUSY;
    }
    // Somebody else's to end: his block, or he is at it.
    if (scope->opener || (scope->flags & HYI_SCOPE_CLOSING)) {
        if (!(scope->flags & HYI_SCOPE_ENDING)) hy_scope_cancel(scope, HY_CANCELLED);
        return scope_await(scope, SCOPE_GONE, true, "a scope's close");
    }
    hy_err err = hyi_scope_finish(scope, true);
    scope_free(scope);
    return err;
}

// ---- what can be asked --------------------------------------------------------------------------

hy_scope *hy_scope_current(void) {
    return hyi_current ? hyi_current->scope : NULL;
}

const char *hy_scope_name(const hy_scope *scope) {
    return scope->name;
}

hy_ns hy_scope_deadline(const hy_scope *scope) {
    bool held = (scope->flags & HYI_SCOPE_HELD) && scope->shield < scope->deadline;
    return held ? scope->shield : scope->deadline;
}

hy_err hy_scope_reason(const hy_scope *scope) {
    return scope->flags & HYI_SCOPE_CANCELLED ? scope->reason : HY_OK;
}

hy_world *hy_scope_world(const hy_scope *scope) {
    return scope->root->world;
}

const hy_scope *hy_scope_parent(const hy_scope *scope) {
    return scope->parent;
}

uint64_t *hy_scope_slots(hy_scope *scope) {
    return scope->slots;
}
