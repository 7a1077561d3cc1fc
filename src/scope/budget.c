// budget.c - how many tasks, descriptors and bytes a subtree may have.
//
// A limit counts what its scope and all scopes below have. Taking asks every scope upwards before
// it counts in any; scopes whose way up has no limit carry no flag, and do not ask. Who finds a
// scope full waits in that scope's list, first come, first woken. Being woken is no promise: the
// woken one asks again, and may find another scope full; then it wakes the next in the list that
// it came from, so that no room is left unused while somebody waits for it.
//
// Who waits to take something in a scope keeps that scope alive (hyi_scope_live), and is sent away
// when it is cancelled or drained.
#include "scope/inside.h"

#include "scope/budget.h"

typedef enum budget_kind { BUDGET_TASKS, BUDGET_DESCRIPTORS } budget_kind;

typedef struct budget {
    uint32_t max; // 0: no limit here
    uint32_t *used;
    hyi_list *waiting;
} budget;

typedef struct budget_wait {
    hyi_wait wait;
    hyi_link link; // in the full scope's list
    const hy_scope *target;
} budget_wait;

static budget budget_of(const hy_scope *scope, budget_kind kind) {
    hyi_more *more = scope->more;
    if (!more) return (budget){ 0 };
    if (kind == BUDGET_TASKS) {
        return (budget){ more->tasks_max, &more->tasks_below, &more->spawning };
    }
    return (budget){ more->descriptors_max, &more->descriptors, &more->descriptors_waiting };
}

// The nearest scope without room, or NULL.
static hy_scope *budget_full(hy_scope *scope, budget_kind kind) {
    for (; scope; scope = scope->parent) {
        budget of = budget_of(scope, kind);
        if (of.max > 0 && *of.used >= of.max) return scope;
    }
    return NULL;
}

static void budget_count(const hy_scope *scope, budget_kind kind) {
    for (; scope; scope = scope->parent) {
        budget of = budget_of(scope, kind);
        if (of.max > 0) ++*of.used;
    }
}

static void budget_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(budget_wait, wait, wait)->link);
}

static void budget_wake(const hy_scope *scope, budget_kind kind) {
    hyi_link *at = hyi_list_first(budget_of(scope, kind).waiting);
    if (!at) return;
    hyi_list_remove(at);
    hyi_wake(HYI_HOLDER(budget_wait, link, at)->wait.task, HY_OK);
}

static hy_err budget_wait_for(const hy_scope *full, hy_scope *target, budget_kind kind) {
    budget_wait wait = { .wait = { .unhook = budget_unhook,
                                   .what = kind == BUDGET_TASKS ? "room for a task"
                                                                : "room for a descriptor",
                                   .deadline = HY_NEVER },
                         .target = target };
    hyi_list_append(budget_of(full, kind).waiting, &wait.link);
    hyi_scope_live(target);
    hy_err err = hyi_park(&wait.wait);
    hyi_scope_unlive(target); // the caller goes on without a wait, so the scope is there
    return err;
}

static hy_err budget_take(hy_scope *scope, budget_kind kind, bool wait) {
    const hy_scope *woken_by = NULL;
    for (;;) {
        const hy_scope *full = budget_full(scope, kind);
        if (full && !wait) return HY_LIMIT;
        // Who is in no list hears of no end: it is asked for before and after each wait.
        hy_err err = full || woken_by ? hyi_scope_refuses(scope) : HY_OK;
        if (!full && err == HY_OK) {
            budget_count(scope, kind);
            return HY_OK;
        }
        if (woken_by && (err != HY_OK || woken_by != full)) budget_wake(woken_by, kind);
        if (err == HY_OK) err = budget_wait_for(full, scope, kind);
        if (err != HY_OK) return err;
        woken_by = full;
    }
}

static void budget_give(const hy_scope *scope, budget_kind kind) {
    for (; scope; scope = scope->parent) {
        budget of = budget_of(scope, kind);
        if (of.max == 0) continue;
        HY_ASSERT(*of.used > 0);
        --*of.used;
        budget_wake(scope, kind);
    }
}

static void budget_refuse_in(const hyi_list *waiting, const hy_scope *target, hy_err why) {
    hyi_link *at = hyi_list_first(waiting);
    while (at) {
        budget_wait *wait = HYI_HOLDER(budget_wait, link, at);
        at = hyi_list_after(waiting, at);
        if (wait->target == target) hyi_interrupt(wait->wait.task, why);
    }
}

void hyi_budget_refuse(hy_scope *scope, hy_err why) {
    for (const hy_scope *at = scope; at; at = at->parent) {
        if (!at->more) continue;
        budget_refuse_in(&at->more->spawning, scope, why);
        budget_refuse_in(&at->more->descriptors_waiting, scope, why);
    }
}

hy_err hyi_budget_take_task(hy_scope *scope, bool wait) {
    return budget_take(scope, BUDGET_TASKS, wait);
}

void hyi_budget_add_task(hy_scope *scope) {
    budget_count(scope, BUDGET_TASKS);
}

void hyi_budget_give_task(hy_scope *scope) {
    budget_give(scope, BUDGET_TASKS);
}

hy_err hyi_budget_take_descriptor(hy_scope *scope, bool wait) {
    if (!(scope->flags & HYI_SCOPE_COUNTS_DESCRIPTORS)) return HY_OK;
    return budget_take(scope, BUDGET_DESCRIPTORS, wait);
}

void hyi_budget_give_descriptor(hy_scope *scope) {
    if (scope->flags & HYI_SCOPE_COUNTS_DESCRIPTORS) budget_give(scope, BUDGET_DESCRIPTORS);
}

// ---- memory -------------------------------------------------------------------------------------
//
// Counted in the scope itself, for the tree, and above it wherever there is a limit.

static bool budget_has_bytes(const hy_scope *scope, size_t size) {
    for (; scope; scope = scope->parent) {
        const hyi_more *more = scope->more;
        if (!more || more->bytes_max == 0) continue;
        if (more->bytes > more->bytes_max || size > more->bytes_max - more->bytes) return false;
    }
    return true;
}

// `bytes` may be the two's complement of what is given back.
static void budget_add_bytes(const hy_scope *scope, size_t bytes) {
    scope->more->bytes += bytes;
    for (const hy_scope *at = scope->parent; at; at = at->parent) {
        if (at->more && at->more->bytes_max > 0) at->more->bytes += bytes;
    }
}

static void *budget_resize(hy_mem *self, void *ptr, size_t old_size, size_t new_size) {
    const hy_scope *scope = HYI_HOLDER(hyi_more, mem, self)->scope;
    hy_mem *mem = scope->root->mem;
    if (new_size > old_size && !budget_has_bytes(scope, new_size - old_size)) return NULL;
    void *block = mem->resize(mem, ptr, old_size, new_size);
    if (block || new_size == 0) budget_add_bytes(scope, new_size - old_size);
    return block;
}

void hyi_budget_mem_init(hy_mem *mem) {
    mem->resize = budget_resize;
}

void hyi_budget_forget_bytes(hy_scope *scope) {
    budget_add_bytes(scope, (size_t)0 - scope->more->bytes);
}

hy_mem *hy_scope_mem(hy_scope *scope) {
    hyi_more *more = hyi_scope_more(scope);
    return more ? &more->mem : NULL;
}

void *hy_scope_alloc(hy_scope *scope, size_t size) {
    hyi_more *more = hyi_scope_more(scope);
    return more ? hy_arena_alloc(&more->arena, size) : NULL;
}
