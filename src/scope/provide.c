// provide.c - values that are built when somebody first asks for them.
//
//     idle --first ask--> building --HY_OK--> built --scope closes--> dropped
//       ^                    |
//       +------ an error ----+
//
// A build runs on the fiber that asks, but in the scope that provides: there its cancellation and
// its deadline come from, there it binds and owns, because what it makes serves everybody below and
// not only the one who came first. Whoever asks meanwhile waits. What was built is owned by the
// scope from that moment, so it is dropped in reverse order of building, under its own limit.
//
// A build that would wait for itself is refused with HY_DEADLOCK: it asks for its own key, or for
// one whose builder waits for this one, or it is a fiber in a block of the build that asks.
#include "scope/context.h"

typedef struct provide_wait {
    hyi_wait wait;
    hyi_link link;
    hyi_provided *on;
} provide_wait;

// A fiber that asks from outside (hy_scope_get) is none of those that the scope waits for: it is
// counted while it builds or waits. The caller goes on without a wait after hyi_scope_unlive, so
// the scope is there until then.
static bool provide_arrive(const hyi_provided *it) {
    bool is_guest = hyi_current && !hyi_task_is_in(hyi_current, it->scope);
    if (is_guest) hyi_scope_live(it->scope);
    return is_guest;
}

// ---- building -----------------------------------------------------------------------------------

static void provide_drop(void *object) {
    hyi_provided *it = (hyi_provided *)object;
    void *value = (void *)(uintptr_t)it->value;
    it->value = NULL;
    it->state = HYI_PROVIDED_DROPPED;
    it->err = HY_CLOSED;
    if (it->provider.drop) it->provider.drop(it->provider.self, value);
}

// Cancelled while it was away from its blocks: they have not heard of it.
static void provide_tell_blocks(hy_task *task) {
    hy_err why = task->told;
    task->told = HY_OK;
    hy_task_cancel(task, why);
}

// The fiber moves to the providing scope for the time of the build. What it came from may be that
// scope's own block, whose table the build may replace.
static hy_err provide_call_there(hyi_provided *it, hy_task *task, void **out_value) {
    hy_scope *scope = task->scope;
    hyi_table *outer = hyi_table_outer(task);
    hyi_table *borrowed = hyi_table_keep(it->scope->table);
    hy_err told = task->told;
    task->scope = it->scope;
    task->table = borrowed;
    task->must_return++;
    hy_err err = it->provider.build(it->provider.self, it->scope, out_value);
    task->must_return--;
    HY_ASSERT(task->scope == it->scope); // the build has closed its blocks
    task->scope = scope;
    hyi_table_return(task, outer);
    hyi_table_drop(task->root, borrowed);
    if (told == HY_OK && task->told != HY_OK) provide_tell_blocks(task);
    return err;
}

static hy_err provide_call(hyi_provided *it) {
    hy_task *task = hyi_current;
    void *value = NULL;
    bool is_guest = provide_arrive(it);
    hy_err err = task ? provide_call_there(it, task, &value)
                      : it->provider.build(it->provider.self, it->scope, &value);
    if (is_guest) hyi_scope_unlive(it->scope);
    if (err == HY_OK) it->value = value;
    return err;
}

// With HY_BUSY the others try again: it was only the builder that was cancelled, not the build.
static void provide_wake_all(hyi_provided *it, hy_err err) {
    hyi_link *link;
    while ((link = hyi_list_first(&it->waiting)) != NULL) {
        hyi_list_remove(link);
        hyi_wake(HYI_HOLDER(provide_wait, link, link)->wait.task, err);
    }
}

static void provide_build(hyi_provided *it) {
    it->state = HYI_PROVIDED_BUILDING;
    it->builder = hyi_current;
    hy_err err = provide_call(it);
    if (err == HY_OK) {
        err = hyi_own(it->scope, &it->owned, it, provide_drop, it->provider.drop_max_ns);
        if (err != HY_OK) provide_drop(it); // the scope has begun to end meanwhile
    }
    it->builder = NULL;
    it->err = err;
    it->state = err == HY_OK ? HYI_PROVIDED_BUILT : HYI_PROVIDED_IDLE;
    bool was_told = err != HY_OK && hyi_current && hyi_cancel_reason(hyi_current) != HY_OK;
    provide_wake_all(it, was_told ? HY_BUSY : err);
}

// ---- waiting for a build ------------------------------------------------------------------------

static void provide_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(provide_wait, wait, wait)->link);
}

// What `task` waits for, if it is a build.
static hyi_provided *provide_waited_for(const hy_task *task) {
    if (task->state != HYI_TASK_PARKED || task->wait->unhook != provide_unhook) return NULL;
    return HYI_HOLDER(provide_wait, wait, task->wait)->on;
}

// Whether `task` runs in a block that the build has opened: the builder cannot leave it before.
static bool provide_is_inside(const hyi_provided *it, const hy_task *task) {
    const hy_scope *block = it->builder->scope;
    for (; block && block != it->scope; block = block->outer) {
        if (hyi_scope_is_below(task->scope, block)) return true;
    }
    return false;
}

static bool provide_would_deadlock(const hyi_provided *it, const hy_task *task) {
    while (it && it->state == HYI_PROVIDED_BUILDING && it->builder) {
        if (it->builder == task || provide_is_inside(it, task)) return true;
        it = provide_waited_for(it->builder);
    }
    return false;
}

// HY_OK: it is built. HY_BUSY: look again.
static hy_err provide_wait_for(hyi_provided *it) {
    hy_task *task = hyi_current;
    if (!task || !it->builder) return HY_DEADLOCK; // outside of fibers nobody can wait
    if (provide_would_deadlock(it, task)) return HY_DEADLOCK;
    provide_wait wait = {
        .wait = { .unhook = provide_unhook, .what = "build", .deadline = HY_NEVER },
        .on = it,
    };
    hyi_list_append(&it->waiting, &wait.link);
    bool is_guest = provide_arrive(it);
    hy_err err = hyi_park(&wait.wait);
    if (is_guest) hyi_scope_unlive(it->scope);
    return err;
}

const void *hyi_provided_get(hyi_provided *it) {
    while (it->state != HYI_PROVIDED_BUILT) {
        if (it->state == HYI_PROVIDED_BUILDING) {
            hy_err err = provide_wait_for(it);
            if (err == HY_OK || err == HY_BUSY) continue;
            it->err = err;
            return NULL;
        }
        if (it->state == HYI_PROVIDED_DROPPED || (it->scope->flags & HYI_SCOPE_ENDING)) {
            it->err = HY_CLOSED;
            return NULL;
        }
        provide_build(it);
        if (it->state != HYI_PROVIDED_BUILT) return NULL;
    }
    return it->value;
}

// ---- of a scope ---------------------------------------------------------------------------------

hy_err hyi_provided_new(hy_scope *scope, const hy_key *key, const hy_provider *provider) {
    HY_ASSERT(provider->build);
    hyi_more *more = hyi_scope_more(scope);
    if (!more) return HY_NOMEM;
    hyi_provided *it = (hyi_provided *)hy_mem_alloc_zero(scope->root->mem, sizeof *it);
    if (!it) return HY_NOMEM;
    it->scope = scope;
    it->provider = *provider;
    hyi_list_init(&it->waiting);
    it->next = more->provided;
    more->provided = it;
    // Without memory for the binding the record stays with the scope, and nobody sees it.
    return hyi_context_set(scope, key, (uintptr_t)it | HYI_PROVIDED_BIT);
}

void hyi_provided_cancel(const hy_scope *scope) {
    for (const hyi_provided *it = scope->more->provided; it; it = it->next) {
        hy_task *task = it->builder;
        if (!task || task->scope != scope || task->state != HYI_TASK_PARKED) continue;
        if (!task->wait->firm) hyi_interrupt(task, hyi_cancel_reason(task));
    }
}

void hyi_provided_free_all(hy_scope *scope) {
    while (scope->more && scope->more->provided) {
        hyi_provided *it = scope->more->provided;
        scope->more->provided = it->next;
        hy_mem_free(scope->root->mem, it, sizeof *it);
    }
}

hy_err hy_provide(hy_scope *scope, const hy_key *key, const hy_provider *provider) {
    if (scope->flags & HYI_SCOPE_ENDING) return HY_CLOSED;
    return hyi_provided_new(scope, key, provider);
}

hy_err hy_provide_error(const hy_key *key) {
    if (!hyi_current) return HY_OK;
    const hyi_provided *it = hyi_provided_of(hyi_context_at(hyi_current->table, key));
    return it ? it->err : HY_OK;
}
