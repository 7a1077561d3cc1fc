// tree_walk.c - going through a tree of scopes row by row.
//
// A level's cursor stands on the child that comes next. Kinds follow each other: tasks, scopes,
// services; a cursor at the end of one kind moves to the next when it is asked. Services' own
// scopes are among a scope's children, too, and are passed over there: they come with their
// services.
#include "scope/tree_walk.h"

static const hyi_list *walk_list(const hy_scope *scope, hyi_tree_kind kind) {
    static const hyi_list none = { (hyi_link *)&none, (hyi_link *)&none };
    switch (kind) {
    case HYI_TREE_TASK: return &scope->tasks;
    case HYI_TREE_SCOPE: return &scope->children;
    case HYI_TREE_SERVICE: return scope->more ? &scope->more->services : &none;
    case HYI_TREE_REST: break;
    }
    return &none;
}

// Services' own scopes are among the children, too; they are shown as services.
static bool walk_is_shown(hyi_tree_kind kind, const hyi_link *link) {
    if (kind != HYI_TREE_SCOPE) return true;
    return !(HYI_HOLDER(const hy_scope, in_parent, link)->flags & HYI_SCOPE_SERVICE);
}

static const hyi_link *walk_find(const hy_scope *scope, hyi_tree_kind kind, const hyi_link *link) {
    while (link && !walk_is_shown(kind, link)) {
        link = hyi_list_after(walk_list(scope, kind), link);
    }
    return link;
}

static void walk_begin_kind(hyi_tree_level *level, hyi_tree_kind kind) {
    level->kind = kind;
    level->shown = 0;
    level->next = walk_find(level->scope, kind, hyi_list_first(walk_list(level->scope, kind)));
}

// The cursor stands on a child, or at the end of all kinds.
static bool walk_settle(hyi_tree_level *level) {
    while (!level->next && level->kind < HYI_TREE_KINDS) {
        walk_begin_kind(level, (hyi_tree_kind)(level->kind + 1));
    }
    return level->next != NULL;
}

static void walk_down(hyi_tree_walk *walk, const hy_scope *scope) {
    HY_ASSERT(walk->depth < HYI_TREE_DEPTH);
    hyi_tree_level *level = &walk->levels[walk->depth++];
    level->scope = scope;
    walk_begin_kind(level, HYI_TREE_TASK);
}

bool hyi_tree_has_more(const hyi_tree_walk *walk, uint32_t depth) {
    hyi_tree_level copy = walk->levels[depth - 1];
    return walk_settle(&copy);
}

static const hyi_link *walk_step(const hyi_tree_level *level) {
    const hyi_link *after = hyi_list_after(walk_list(level->scope, level->kind), level->next);
    return walk_find(level->scope, level->kind, after);
}

static hyi_tree_row walk_row_of(const hyi_tree_level *level, uint32_t depth) {
    hyi_tree_row row = { .kind = level->kind, .depth = depth };
    switch (level->kind) {
    case HYI_TREE_TASK: row.task = HYI_HOLDER(const hy_task, in_owner, level->next); break;
    case HYI_TREE_SCOPE: row.scope = HYI_HOLDER(const hy_scope, in_parent, level->next); break;
    case HYI_TREE_SERVICE:
        row.service = HYI_HOLDER(const hy_service, in_scope, level->next);
        row.task = row.service->task;
        row.scope = row.service->own;
        break;
    case HYI_TREE_REST: break;
    }
    return row;
}

bool hyi_tree_walk_next(hyi_tree_walk *walk, hyi_tree_row *out_row) {
    while (walk->depth > 0 && !walk_settle(&walk->levels[walk->depth - 1])) {
        walk->depth--;
    }
    if (walk->depth == 0) return false;
    hyi_tree_level *level = &walk->levels[walk->depth - 1];
    if (level->shown == HYI_TREE_WIDTH) {
        *out_row = (hyi_tree_row){ .kind = HYI_TREE_REST, .depth = walk->depth };
        for (; level->next; level->next = walk_step(level)) {
            out_row->count++;
        }
        return true;
    }
    *out_row = walk_row_of(level, walk->depth);
    level->shown++;
    level->next = walk_step(level);
    if (out_row->scope && walk->depth < HYI_TREE_DEPTH) walk_down(walk, out_row->scope);
    return true;
}

hyi_tree_row hyi_tree_begin(hyi_tree_walk *walk, const hy_scope *top) {
    walk->depth = 0;
    walk_down(walk, top);
    return (hyi_tree_row){ .kind = HYI_TREE_SCOPE, .scope = top };
}

const char *hyi_tree_phase(const hy_service *service) {
    switch (service->phase) {
    case HYI_SERVICE_STARTING: return "starting";
    case HYI_SERVICE_UP: return "up";
    case HYI_SERVICE_STOPPING: return "stopping";
    case HYI_SERVICE_WAITING: return "waiting";
    case HYI_SERVICE_DOWN: return "down";
    case HYI_SERVICE_ENDED: return "ended";
    }
    return "";
}

const char *hyi_tree_task_state(const hy_task *task) {
    switch (task->state) {
    case HYI_TASK_RUNNING: return "running";
    case HYI_TASK_PARKED: return "waiting";
    case HYI_TASK_ENDED: return "ended";
    default: return "ready";
    }
}
