// tree_dump.c - the tree as it is at this moment, to be read by people and by programs.
//
//     api                    3 fibers, 192 KiB of stacks
//     ├─ body                waits: draining
//     ├─ request             deadline in 1.5 s
//     │  └─ fetch posts      waits: read
//     └─ service: pool       up for 2 min 3 s
//        └─ keep alive       waits: sleep, until in 4.2 s
//
// One walk serves both forms. It goes down by cursors, one a level, so a deep tree costs no stack
// of the machine; what is deeper than DUMP_DEPTH_MAX is counted and not shown, and so are all but
// the first DUMP_WIDTH_MAX of each kind of child: a tree of a million fibers must not become a
// million lines. A service stands for its own scope: what that scope holds is shown below the
// service. The text is walked twice, first for the width of the left column.
//
// In JSON a node is {"kind", "name", ..., "children": [...]}; what is not so is left out, times are
// nanoseconds. `hypha top` reads this form.
#include "scope/service.h"
#include "base/json.h"

#include <string.h>

#define DUMP_DEPTH_MAX 24u
#define DUMP_WIDTH_MAX 32u
#define DUMP_COLUMN_MAX 48u

typedef enum dump_kind {
    DUMP_TASK, // in the order in which a scope's children are shown
    DUMP_SCOPE,
    DUMP_SERVICE,
    DUMP_REST, // more of the kind that came before
    DUMP_KINDS = DUMP_REST
} dump_kind;

typedef struct dump_row {
    dump_kind kind;
    const hy_task *task;       // also a service's; NULL: none
    const hy_scope *scope;     // the scope itself, or the service's own; NULL: none
    const hy_service *service; // DUMP_SERVICE
    uint32_t count;            // DUMP_REST: so many are not shown
    uint32_t depth;
} dump_row;

// Where the walk is among the children of one scope.
typedef struct dump_level {
    const hy_scope *scope;
    dump_kind kind;
    const hyi_link *next; // of that kind
    uint32_t shown;       // of that kind
} dump_level;

typedef struct dump_walk {
    dump_level levels[DUMP_DEPTH_MAX];
    uint32_t depth; // levels in use
} dump_walk;

typedef struct dump_text {
    hy_buf *out;
    hy_ns now;
    uint32_t column; // width of the left one
    bool has_detail; // a comma comes before the next
} dump_text;

static void dump_write_text(const hy_scope *top, hy_buf *out);
static void dump_write_json(const hy_scope *top, hy_buf *out);

void hy_scope_tree(const hy_scope *scope, hy_tree_form form, hy_buf *out) {
    if (form == HY_TREE_JSON) {
        dump_write_json(scope, out);
    } else {
        dump_write_text(scope, out);
    }
}

hy_scope_stats hy_scope_stats_of(const hy_scope *scope) {
    return scope->root->stats;
}

// ---- the walk ---------------------------------------------------------------------------------

static const hyi_list *dump_list(const hy_scope *scope, dump_kind kind) {
    static const hyi_list none = { (hyi_link *)&none, (hyi_link *)&none };
    switch (kind) {
    case DUMP_TASK: return &scope->tasks;
    case DUMP_SCOPE: return &scope->children;
    case DUMP_SERVICE: return scope->more ? &scope->more->services : &none;
    case DUMP_REST: break;
    }
    return &none;
}

// Services' own scopes are among the children, too; they are shown as services.
static bool dump_is_shown(dump_kind kind, const hyi_link *link) {
    if (kind != DUMP_SCOPE) return true;
    return !(HYI_HOLDER(const hy_scope, in_parent, link)->flags & HYI_SCOPE_SERVICE);
}

static const hyi_link *dump_find(const hy_scope *scope, dump_kind kind, const hyi_link *link) {
    while (link && !dump_is_shown(kind, link)) {
        link = hyi_list_after(dump_list(scope, kind), link);
    }
    return link;
}

static void dump_begin_kind(dump_level *level, dump_kind kind) {
    level->kind = kind;
    level->shown = 0;
    level->next = dump_find(level->scope, kind, hyi_list_first(dump_list(level->scope, kind)));
}

// The cursor stands on a child, or at the end of all kinds.
static bool dump_settle(dump_level *level) {
    while (!level->next && level->kind < DUMP_KINDS) {
        dump_begin_kind(level, (dump_kind)(level->kind + 1));
    }
    return level->next != NULL;
}

static void dump_down(dump_walk *walk, const hy_scope *scope) {
    HY_ASSERT(walk->depth < DUMP_DEPTH_MAX);
    dump_level *level = &walk->levels[walk->depth++];
    level->scope = scope;
    dump_begin_kind(level, DUMP_TASK);
}

static bool dump_has_more(const dump_level *level) {
    dump_level copy = *level;
    return dump_settle(&copy);
}

static const hyi_link *dump_step(const dump_level *level) {
    const hyi_link *after = hyi_list_after(dump_list(level->scope, level->kind), level->next);
    return dump_find(level->scope, level->kind, after);
}

static dump_row dump_row_of(const dump_level *level, uint32_t depth) {
    dump_row row = { .kind = level->kind, .depth = depth };
    switch (level->kind) {
    case DUMP_TASK: row.task = HYI_HOLDER(const hy_task, in_owner, level->next); break;
    case DUMP_SCOPE: row.scope = HYI_HOLDER(const hy_scope, in_parent, level->next); break;
    case DUMP_SERVICE:
        row.service = HYI_HOLDER(const hy_service, in_scope, level->next);
        row.task = row.service->task;
        row.scope = row.service->own;
        break;
    case DUMP_REST: break;
    }
    return row;
}

// The next row, its children after it. Depth 1 is below the top. False: that was all.
static bool dump_next(dump_walk *walk, dump_row *out_row) {
    while (walk->depth > 0 && !dump_settle(&walk->levels[walk->depth - 1])) {
        walk->depth--;
    }
    if (walk->depth == 0) return false;
    dump_level *level = &walk->levels[walk->depth - 1];
    if (level->shown == DUMP_WIDTH_MAX) {
        *out_row = (dump_row){ .kind = DUMP_REST, .depth = walk->depth };
        for (; level->next; level->next = dump_step(level)) {
            out_row->count++;
        }
        return true;
    }
    *out_row = dump_row_of(level, walk->depth);
    level->shown++;
    level->next = dump_step(level);
    if (out_row->scope && walk->depth < DUMP_DEPTH_MAX) dump_down(walk, out_row->scope);
    return true;
}

// ---- words ------------------------------------------------------------------------------------

// Three digits at least: 1.25 s, 12.5 s, 125 ms.
static void dump_add_parts(hy_buf *out, uint64_t value, uint64_t unit, const char *name) {
    uint64_t whole = value / unit;
    uint64_t hundredths = value % unit * 100 / unit;
    if (whole >= 100) hundredths = 0;
    if (whole >= 10) hundredths -= hundredths % 10;
    hy_buf_add_u64(out, whole);
    if (hundredths > 0) {
        hy_buf_add_text(out, hundredths < 10 ? ".0" : ".");
        hy_buf_add_u64(out, hundredths % 10 == 0 ? hundredths / 10 : hundredths);
    }
    hy_buf_add_text(out, name);
}

static void dump_add_duration(hy_buf *out, hy_ns duration) {
    uint64_t ns = duration > 0 ? (uint64_t)duration : 0;
    uint64_t seconds = ns / 1000000000u;
    if (seconds >= 3600) {
        hy_buf_add_u64(out, seconds / 3600);
        hy_buf_add_text(out, " h ");
        hy_buf_add_u64(out, seconds % 3600 / 60);
        hy_buf_add_text(out, " min");
    } else if (seconds >= 60) {
        hy_buf_add_u64(out, seconds / 60);
        hy_buf_add_text(out, " min ");
        hy_buf_add_u64(out, seconds % 60);
        hy_buf_add_text(out, " s");
    } else if (seconds > 0) {
        dump_add_parts(out, ns, 1000000000u, " s");
    } else if (ns >= 1000000u) {
        dump_add_parts(out, ns, 1000000u, " ms");
    } else {
        dump_add_parts(out, ns, 1000u, " us");
    }
}

static void dump_add_bytes(hy_buf *out, uint64_t bytes) {
    if (bytes >= 1u << 30) {
        dump_add_parts(out, bytes, 1u << 30, " GiB");
    } else if (bytes >= 1u << 20) {
        dump_add_parts(out, bytes, 1u << 20, " MiB");
    } else if (bytes >= 1u << 10) {
        dump_add_parts(out, bytes, 1u << 10, " KiB");
    } else {
        dump_add_parts(out, bytes, 1, " B");
    }
}

static void dump_add_task_name(hy_buf *out, const hy_task *task) {
    if (task->name) {
        hy_buf_add_text(out, task->name);
        return;
    }
    const char *slash = strrchr(task->place->file, '/');
    hy_buf_add_text(out, slash ? slash + 1 : task->place->file);
    hy_buf_add_text(out, ":");
    hy_buf_add_u64(out, task->place->line);
}

static const char *dump_phase(const hy_service *service) {
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

static const char *dump_task_state(const hy_task *task) {
    switch (task->state) {
    case HYI_TASK_RUNNING: return "running";
    case HYI_TASK_PARKED: return "waiting";
    case HYI_TASK_ENDED: return "ended";
    default: return "ready";
    }
}

// ---- text -------------------------------------------------------------------------------------

static void dump_name_row(hy_buf *out, const dump_row *row) {
    switch (row->kind) {
    case DUMP_TASK: dump_add_task_name(out, row->task); break;
    case DUMP_SCOPE: hy_buf_add_text(out, row->scope->name); break;
    case DUMP_SERVICE:
        hy_buf_add_text(out, "service: ");
        hy_buf_add_text(out, row->service->spec.name);
        break;
    case DUMP_REST:
        hy_buf_add_text(out, "and ");
        hy_buf_add_u64(out, row->count);
        hy_buf_add_text(out, " more");
        break;
    }
}

static uint32_t dump_width(hy_bytes text) {
    uint32_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        width += (text.ptr[i] & 0xC0) != 0x80; // the bytes behind a character's first
    }
    return width;
}

static void dump_detail(dump_text *text, const char *words) {
    if (text->has_detail) hy_buf_add_text(text->out, ", ");
    text->has_detail = true;
    hy_buf_add_text(text->out, words);
}

static void dump_detail_time(dump_text *text, const char *words, hy_ns duration) {
    dump_detail(text, words);
    dump_add_duration(text->out, duration);
}

static void dump_task_details(dump_text *text, const hy_task *task) {
    if (task->state != HYI_TASK_PARKED) {
        dump_detail(text, dump_task_state(task));
        if (task->state == HYI_TASK_ENDED && task->result != HY_OK) {
            dump_detail(text, hy_err_name(task->result));
        }
        return;
    }
    dump_detail(text, "waits: ");
    hy_buf_add_text(text->out, task->wait->what ? task->wait->what : "something");
    if (task->wait->deadline != HY_NEVER) {
        dump_detail_time(text, "until in ", task->wait->deadline - text->now);
    }
}

static void dump_scope_details(dump_text *text, const hy_scope *scope) {
    if (scope->flags & HYI_SCOPE_CANCELLED) {
        dump_detail(text, "cancelled: ");
        hy_buf_add_text(text->out, hy_err_name(scope->reason));
    } else if (scope->flags & HYI_SCOPE_ENDING) {
        dump_detail(text, "ending");
    } else if (scope->flags & HYI_SCOPE_DRAINING) {
        dump_detail(text, "draining");
    }
    if (scope->flags & HYI_SCOPE_SHIELD) dump_detail(text, "shielded");
    bool own_deadline = !scope->parent || scope->deadline != scope->parent->deadline;
    if (scope->deadline != HY_NEVER && own_deadline) {
        bool passed = scope->deadline <= text->now;
        dump_detail(text, passed ? "deadline passed" : "deadline in ");
        if (!passed) dump_add_duration(text->out, scope->deadline - text->now);
    }
    if (!scope->more || (scope->more->bytes == 0 && scope->more->bytes_max == 0)) return;
    dump_detail(text, "");
    dump_add_bytes(text->out, scope->more->bytes);
    if (scope->more->bytes_max == 0) return;
    hy_buf_add_text(text->out, " of ");
    dump_add_bytes(text->out, scope->more->bytes_max);
}

static void dump_service_details(dump_text *text, const hy_service *service) {
    dump_detail(text, dump_phase(service));
    hy_buf_add_text(text->out, " for ");
    dump_add_duration(text->out, text->now - service->since);
    if (service->phase == HYI_SERVICE_WAITING) {
        dump_detail_time(text, "next start in ", service->timer.due - text->now);
    }
    if (service->starts > 1) {
        dump_detail(text, "");
        hy_buf_add_u64(text->out, service->starts);
        hy_buf_add_text(text->out, " starts");
    }
    if (service->last_err != HY_OK) {
        dump_detail(text, "last ended with ");
        hy_buf_add_text(text->out, hy_err_name(service->last_err));
    }
}

static void dump_root_details(dump_text *text, const hy_scope *scope) {
    if (scope->parent) return;
    const hy_scope_stats *stats = &scope->root->stats;
    dump_detail(text, "");
    hy_buf_add_u64(text->out, stats->fibers);
    hy_buf_add_text(text->out, stats->fibers == 1 ? " fiber" : " fibers");
    if (stats->stack_bytes == 0) return;
    dump_detail(text, "");
    dump_add_bytes(text->out, stats->stack_bytes);
    hy_buf_add_text(text->out, " of stacks");
}

static void dump_details(dump_text *text, const dump_row *row) {
    text->has_detail = false;
    if (row->service) dump_service_details(text, row->service);
    if (row->scope && row->depth == 0) dump_root_details(text, row->scope);
    if (row->scope) dump_scope_details(text, row->scope);
    if (row->task) dump_task_details(text, row->task);
}

// Pads the left column, writes the right one, and ends the line without blanks at its end.
static void dump_end_line(dump_text *text, const dump_row *row, size_t line_start) {
    hy_buf *out = text->out;
    if (out->failed != HY_OK) return;
    size_t left_end = out->len;
    hy_bytes left = { out->ptr + line_start, out->len - line_start };
    for (uint32_t width = dump_width(left); width < text->column + 2; width++) {
        hy_buf_add_text(out, " ");
    }
    dump_details(text, row);
    if (!text->has_detail && out->failed == HY_OK) out->len = left_end;
    hy_buf_add_text(out, "\n");
}

static void dump_add_branch(hy_buf *out, const dump_walk *walk, uint32_t depth) {
    for (uint32_t i = 0; i + 1 < depth; i++) {
        hy_buf_add_text(out, dump_has_more(&walk->levels[i]) ? "│  " : "   ");
    }
    hy_buf_add_text(out, dump_has_more(&walk->levels[depth - 1]) ? "├─ " : "└─ ");
}

static uint32_t dump_measure(const hy_scope *top, hy_buf *scratch) {
    dump_walk walk = { .depth = 0 };
    dump_row row = { .kind = DUMP_SCOPE, .scope = top };
    uint32_t most = 0;
    dump_down(&walk, top);
    do {
        size_t start = scratch->len;
        dump_name_row(scratch, &row);
        if (scratch->failed != HY_OK) return 0;
        hy_bytes name = { scratch->ptr + start, scratch->len - start };
        uint32_t width = dump_width(name) + 3 * row.depth;
        if (width > most && width <= DUMP_COLUMN_MAX) most = width;
        scratch->len = start; // only its width was asked for
    } while (dump_next(&walk, &row));
    return most;
}

static void dump_write_text(const hy_scope *top, hy_buf *out) {
    dump_text text = { .out = out, .now = hy_world_now(top->root->world) };
    text.column = dump_measure(top, out);
    dump_walk walk = { .depth = 0 };
    dump_row row = { .kind = DUMP_SCOPE, .scope = top };
    dump_down(&walk, top);
    do {
        size_t start = out->len;
        if (row.depth > 0) dump_add_branch(out, &walk, row.depth);
        dump_name_row(out, &row);
        dump_end_line(&text, &row, start);
    } while (dump_next(&walk, &row));
}

// ---- JSON -------------------------------------------------------------------------------------

static void dump_json_text(hyi_json_writer *json, hy_text key, const char *value) {
    hyi_json_key(json, key);
    hyi_json_add_text(json, hy_bytes_of(value));
}

static void dump_json_u64(hyi_json_writer *json, hy_text key, uint64_t value) {
    hyi_json_key(json, key);
    hyi_json_add_u64(json, value);
}

static void dump_json_time(hyi_json_writer *json, hy_text key, hy_ns duration) {
    hyi_json_key(json, key);
    hyi_json_add_i64(json, duration);
}

static void dump_json_flag(hyi_json_writer *json, hy_text key, bool is_set) {
    if (!is_set) return;
    hyi_json_key(json, key);
    hyi_json_add_bool(json, true);
}

static void dump_json_task(hyi_json_writer *json, const hy_task *task, hy_ns now) {
    dump_json_text(json, HY_BYTES("state"), dump_task_state(task));
    if (task->state == HYI_TASK_ENDED) {
        dump_json_text(json, HY_BYTES("result"), hy_err_name(task->result));
    }
    if (task->state != HYI_TASK_PARKED) return;
    dump_json_text(json, HY_BYTES("waits"), task->wait->what ? task->wait->what : "something");
    if (task->wait->deadline == HY_NEVER) return;
    dump_json_time(json, HY_BYTES("wait_left_ns"), task->wait->deadline - now);
}

static void dump_json_scope(hyi_json_writer *json, const hy_scope *scope, hy_ns now) {
    dump_json_flag(json, HY_BYTES("draining"), scope->flags & HYI_SCOPE_DRAINING);
    dump_json_flag(json, HY_BYTES("ending"), scope->flags & HYI_SCOPE_ENDING);
    dump_json_flag(json, HY_BYTES("shielded"), scope->flags & HYI_SCOPE_SHIELD);
    if (scope->flags & HYI_SCOPE_CANCELLED) {
        dump_json_text(json, HY_BYTES("cancelled"), hy_err_name(scope->reason));
    }
    if (scope->deadline != HY_NEVER) {
        dump_json_time(json, HY_BYTES("time_left_ns"), scope->deadline - now);
    }
    dump_json_u64(json, HY_BYTES("tasks"), scope->task_count);
    if (!scope->more) return;
    dump_json_u64(json, HY_BYTES("bytes"), scope->more->bytes);
    if (scope->more->bytes_max == 0) return;
    dump_json_u64(json, HY_BYTES("bytes_max"), scope->more->bytes_max);
}

static void dump_json_service(hyi_json_writer *json, const hy_service *service, hy_ns now) {
    dump_json_text(json, HY_BYTES("phase"), dump_phase(service));
    dump_json_time(json, HY_BYTES("since_ns"), now - service->since);
    dump_json_u64(json, HY_BYTES("starts"), service->starts);
    if (service->last_err != HY_OK) {
        dump_json_text(json, HY_BYTES("last_err"), hy_err_name(service->last_err));
    }
    if (service->phase != HYI_SERVICE_WAITING) return;
    dump_json_time(json, HY_BYTES("next_start_ns"), service->timer.due - now);
}

static void dump_json_task_name(hyi_json_writer *json, const hy_task *task) {
    hyi_json_key(json, HY_BYTES("name"));
    if (task->name) {
        hyi_json_add_text(json, hy_bytes_of(task->name));
        return;
    }
    hyi_json_add_text(json, hy_bytes_of(task->place->file));
    dump_json_u64(json, HY_BYTES("line"), task->place->line);
}

// Begins the row's object; its children follow, and then the end.
static void dump_json_row(hyi_json_writer *json, const dump_row *row, hy_ns now) {
    static const char *const kinds[] = { "task", "scope", "service", "more" };
    hyi_json_begin_object(json);
    dump_json_text(json, HY_BYTES("kind"), kinds[row->kind]);
    switch (row->kind) {
    case DUMP_TASK: dump_json_task_name(json, row->task); break;
    case DUMP_SCOPE: dump_json_text(json, HY_BYTES("name"), row->scope->name); break;
    case DUMP_SERVICE:
        dump_json_text(json, HY_BYTES("name"), row->service->spec.name);
        dump_json_service(json, row->service, now);
        break;
    case DUMP_REST: dump_json_u64(json, HY_BYTES("count"), row->count); break;
    }
    if (row->task) dump_json_task(json, row->task, now);
    if (row->scope) dump_json_scope(json, row->scope, now);
    if (row->depth > 0 || row->scope->parent) return;
    const hy_scope_stats *stats = &row->scope->root->stats;
    dump_json_u64(json, HY_BYTES("fibers"), stats->fibers);
    dump_json_u64(json, HY_BYTES("stack_bytes"), stats->stack_bytes);
}

static void dump_json_end(hyi_json_writer *json, bool has_children) {
    if (has_children) hyi_json_end_array(json);
    hyi_json_end_object(json);
}

static void dump_write_json(const hy_scope *top, hy_buf *out) {
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hy_ns now = hy_world_now(top->root->world);
    dump_walk walk = { .depth = 0 };
    dump_row row = { .kind = DUMP_SCOPE, .scope = top };
    bool has_children[DUMP_DEPTH_MAX + 1] = { false };
    uint32_t open = 0; // rows whose object has not ended
    dump_down(&walk, top);
    do {
        while (open > row.depth) {
            dump_json_end(&json, has_children[--open]);
        }
        if (open > 0 && !has_children[open - 1]) {
            has_children[open - 1] = true;
            hyi_json_key(&json, HY_BYTES("children"));
            hyi_json_begin_array(&json);
        }
        dump_json_row(&json, &row, now);
        has_children[open++] = false;
    } while (dump_next(&walk, &row));
    while (open > 0) {
        dump_json_end(&json, has_children[--open]);
    }
    hy_err err = hyi_json_finish(&json);
    if (out->failed == HY_OK) out->failed = err; // a name that is not UTF-8
}
