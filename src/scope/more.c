// more.c - what few scopes have: limits, memory of their own, services, baggage.
//
// Most scopes are open for microseconds and have tasks at most. So the rest lies in a record that
// is made by the first who needs it. A limit is fixed when the scope opens: budget.c relies on it.
#include "scope/inside.h"

#include "scope/budget.h"

hyi_more *hyi_scope_more(hy_scope *scope) {
    if (scope->more) return scope->more;
    hyi_more *more = (hyi_more *)hy_mem_alloc_zero(scope->root->mem, sizeof *more);
    if (!more) return NULL;
    more->scope = scope;
    hyi_list_init(&more->services);
    hyi_list_init(&more->channels);
    hyi_list_init(&more->spawning);
    hyi_list_init(&more->descriptors_waiting);
    hyi_budget_mem_init(&more->mem);
    hy_arena_init(&more->arena, &more->mem, 0);
    scope->more = more;
    return more;
}

hy_err hyi_more_limits(hy_scope *scope, const hy_scope_options *options) {
    hyi_more *more = hyi_scope_more(scope);
    if (!more) return HY_NOMEM;
    more->stop_max = options->stop_max;
    more->tasks_max = options->tasks_max;
    more->bytes_max = options->bytes_max;
    more->descriptors_max = options->descriptors_max;
    more->restarts_max = options->restarts_max;
    more->restarts_within = options->restarts_within;
    if (more->tasks_max > 0) scope->flags |= HYI_SCOPE_COUNTS_TASKS;
    if (more->descriptors_max > 0) scope->flags |= HYI_SCOPE_COUNTS_DESCRIPTORS;
    return HY_OK;
}

void hyi_more_free(hy_scope *scope) {
    hyi_more *more = scope->more;
    HY_ASSERT(hyi_list_is_empty(&more->spawning));
    HY_ASSERT(hyi_list_is_empty(&more->descriptors_waiting));
    HY_ASSERT(more->tasks_below == 0); // what was taken has been given back, on every path
    HY_ASSERT(more->descriptors == 0);
    hy_arena_deinit(&more->arena);
    HY_ASSERT_SLOW(more->bytes == 0);
    hyi_budget_forget_bytes(scope);
    hy_mem_free(scope->root->mem, more, sizeof *more);
    scope->more = NULL;
}
