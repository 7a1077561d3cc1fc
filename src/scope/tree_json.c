// tree_json.c - the tree for programs.
//
// A node is {"kind", "name", ..., "children": [...]}; what is not so is left out, times are
// nanoseconds. `hypha top` reads this form. Rows come in order of depth first, so a node's object
// stays open until a row of its own depth or less comes.
#include "scope/tree_walk.h"
#include "base/json.h"

static void tree_json_text(hyi_json_writer *json, hy_text key, const char *value) {
    hyi_json_key(json, key);
    hyi_json_add_text(json, hy_bytes_of(value));
}

static void tree_json_u64(hyi_json_writer *json, hy_text key, uint64_t value) {
    hyi_json_key(json, key);
    hyi_json_add_u64(json, value);
}

static void tree_json_time(hyi_json_writer *json, hy_text key, hy_ns duration) {
    hyi_json_key(json, key);
    hyi_json_add_i64(json, duration);
}

static void tree_json_flag(hyi_json_writer *json, hy_text key, bool is_set) {
    if (!is_set) return;
    hyi_json_key(json, key);
    hyi_json_add_bool(json, true);
}

static void tree_json_task(hyi_json_writer *json, const hy_task *task, hy_ns now) {
    tree_json_text(json, HY_BYTES("state"), hyi_tree_task_state(task));
    if (task->state == HYI_TASK_ENDED) {
        tree_json_text(json, HY_BYTES("result"), hy_err_name(task->result));
    }
    if (task->state != HYI_TASK_PARKED) return;
    tree_json_text(json, HY_BYTES("waits"), task->wait->what ? task->wait->what : "something");
    if (task->wait->deadline == HY_NEVER) return;
    tree_json_time(json, HY_BYTES("wait_left_ns"), task->wait->deadline - now);
}

static void tree_json_scope(hyi_json_writer *json, const hy_scope *scope, hy_ns now) {
    tree_json_flag(json, HY_BYTES("draining"), scope->flags & HYI_SCOPE_DRAINING);
    tree_json_flag(json, HY_BYTES("ending"), scope->flags & HYI_SCOPE_ENDING);
    tree_json_flag(json, HY_BYTES("shielded"), scope->flags & HYI_SCOPE_SHIELD);
    if (scope->flags & HYI_SCOPE_CANCELLED) {
        tree_json_text(json, HY_BYTES("cancelled"), hy_err_name(scope->reason));
    }
    if (scope->deadline != HY_NEVER) {
        tree_json_time(json, HY_BYTES("time_left_ns"), scope->deadline - now);
    }
    tree_json_u64(json, HY_BYTES("tasks"), scope->task_count);
    if (!scope->more) return;
    tree_json_u64(json, HY_BYTES("bytes"), scope->more->bytes);
    if (scope->more->bytes_max == 0) return;
    tree_json_u64(json, HY_BYTES("bytes_max"), scope->more->bytes_max);
}

static void tree_json_service(hyi_json_writer *json, const hy_service *service, hy_ns now) {
    tree_json_text(json, HY_BYTES("phase"), hyi_tree_phase(service));
    tree_json_time(json, HY_BYTES("since_ns"), now - service->since);
    tree_json_u64(json, HY_BYTES("starts"), service->starts);
    if (service->last_err != HY_OK) {
        tree_json_text(json, HY_BYTES("last_err"), hy_err_name(service->last_err));
    }
    if (service->phase != HYI_SERVICE_WAITING) return;
    tree_json_time(json, HY_BYTES("next_start_ns"), service->timer.due - now);
}

static void tree_json_task_name(hyi_json_writer *json, const hy_task *task) {
    hyi_json_key(json, HY_BYTES("name"));
    if (task->name) {
        hyi_json_add_text(json, hy_bytes_of(task->name));
        return;
    }
    hyi_json_add_text(json, hy_bytes_of(task->place->file));
    tree_json_u64(json, HY_BYTES("line"), task->place->line);
}

// Begins the row's object; its children follow, and then the end.
static void tree_json_row(hyi_json_writer *json, const hyi_tree_row *row, hy_ns now) {
    static const char *const kinds[] = { "task", "scope", "service", "more" };
    hyi_json_begin_object(json);
    tree_json_text(json, HY_BYTES("kind"), kinds[row->kind]);
    switch (row->kind) {
    case HYI_TREE_TASK: tree_json_task_name(json, row->task); break;
    case HYI_TREE_SCOPE: tree_json_text(json, HY_BYTES("name"), row->scope->name); break;
    case HYI_TREE_SERVICE:
        tree_json_text(json, HY_BYTES("name"), row->service->spec.name);
        tree_json_service(json, row->service, now);
        break;
    case HYI_TREE_REST: tree_json_u64(json, HY_BYTES("count"), row->count); break;
    }
    if (row->task) tree_json_task(json, row->task, now);
    if (row->scope) tree_json_scope(json, row->scope, now);
    if (row->depth > 0 || row->scope->parent) return;
    const hy_scope_stats *stats = &row->scope->root->stats;
    tree_json_u64(json, HY_BYTES("fibers"), stats->fibers);
    tree_json_u64(json, HY_BYTES("stack_bytes"), stats->stack_bytes);
}

static void tree_json_end(hyi_json_writer *json, bool has_children) {
    if (has_children) hyi_json_end_array(json);
    hyi_json_end_object(json);
}

void hyi_tree_json(const hy_scope *top, hy_buf *out) {
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hy_ns now = hy_world_now(top->root->world);
    hyi_tree_walk walk;
    hyi_tree_row row = hyi_tree_begin(&walk, top);
    bool has_children[HYI_TREE_DEPTH + 1] = { false };
    uint32_t open = 0; // rows whose object has not ended
    do {
        while (open > row.depth) {
            tree_json_end(&json, has_children[--open]);
        }
        if (open > 0 && !has_children[open - 1]) {
            has_children[open - 1] = true;
            hyi_json_key(&json, HY_BYTES("children"));
            hyi_json_begin_array(&json);
        }
        tree_json_row(&json, &row, now);
        has_children[open++] = false;
    } while (hyi_tree_walk_next(&walk, &row));
    while (open > 0) {
        tree_json_end(&json, has_children[--open]);
    }
    hy_err err = hyi_json_finish(&json);
    if (out->failed == HY_OK) out->failed = err; // a name that is not UTF-8
}
