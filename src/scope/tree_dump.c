// tree_dump.c - the tree as it is at this moment, for people.
//
//     api                    3 fibers, 192 KiB of stacks
//     ├─ body                waits: draining
//     ├─ request             deadline in 1.5 s
//     │  └─ fetch posts      waits: read
//     └─ service: pool       up for 2 min 3 s
//        └─ keep alive       waits: sleep, until in 4.2 s
//
// The tree is walked twice (tree_walk.h), first for the width of the left column. Lines have no
// blanks at their ends.
#include "scope/tree_walk.h"

#include <string.h>

#define DUMP_COLUMN_MAX 48u

typedef struct dump_text {
    hy_buf *out;
    hy_ns now;
    uint32_t column; // width of the left one
    bool has_detail; // a comma comes before the next
} dump_text;

static void dump_write_text(const hy_scope *top, hy_buf *out);

void hy_scope_tree(const hy_scope *scope, hy_tree_form form, hy_buf *out) {
    if (form == HY_TREE_JSON) {
        hyi_tree_json(scope, out);
    } else {
        dump_write_text(scope, out);
    }
}

hy_scope_stats hy_scope_stats_of(const hy_scope *scope) {
    return scope->root->stats;
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

// ---- text -------------------------------------------------------------------------------------

static void dump_name_row(hy_buf *out, const hyi_tree_row *row) {
    switch (row->kind) {
    case HYI_TREE_TASK: dump_add_task_name(out, row->task); break;
    case HYI_TREE_SCOPE: hy_buf_add_text(out, row->scope->name); break;
    case HYI_TREE_SERVICE:
        hy_buf_add_text(out, "service: ");
        hy_buf_add_text(out, row->service->spec.name);
        break;
    case HYI_TREE_REST:
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
        dump_detail(text, hyi_tree_task_state(task));
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
    dump_detail(text, hyi_tree_phase(service));
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

static void dump_details(dump_text *text, const hyi_tree_row *row) {
    text->has_detail = false;
    if (row->service) dump_service_details(text, row->service);
    if (row->scope && row->depth == 0) dump_root_details(text, row->scope);
    if (row->scope) dump_scope_details(text, row->scope);
    if (row->task) dump_task_details(text, row->task);
}

// Pads the left column, writes the right one, and ends the line without blanks at its end.
static void dump_end_line(dump_text *text, const hyi_tree_row *row, size_t line_start) {
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

static void dump_add_branch(hy_buf *out, const hyi_tree_walk *walk, uint32_t depth) {
    for (uint32_t i = 0; i + 1 < depth; i++) {
        hy_buf_add_text(out, hyi_tree_has_more(walk, i + 1) ? "│  " : "   ");
    }
    hy_buf_add_text(out, hyi_tree_has_more(walk, depth) ? "├─ " : "└─ ");
}

static uint32_t dump_measure(const hy_scope *top, hy_buf *scratch) {
    hyi_tree_walk walk;
    hyi_tree_row row = hyi_tree_begin(&walk, top);
    uint32_t most = 0;
    do {
        size_t start = scratch->len;
        dump_name_row(scratch, &row);
        if (scratch->failed != HY_OK) return 0;
        hy_bytes name = { scratch->ptr + start, scratch->len - start };
        uint32_t width = dump_width(name) + 3 * row.depth;
        if (width > most && width <= DUMP_COLUMN_MAX) most = width;
        scratch->len = start; // only its width was asked for
    } while (hyi_tree_walk_next(&walk, &row));
    return most;
}

static void dump_write_text(const hy_scope *top, hy_buf *out) {
    dump_text text = { .out = out, .now = hy_world_now(top->root->world) };
    text.column = dump_measure(top, out);
    hyi_tree_walk walk;
    hyi_tree_row row = hyi_tree_begin(&walk, top);
    do {
        size_t start = out->len;
        if (row.depth > 0) dump_add_branch(out, &walk, row.depth);
        dump_name_row(out, &row);
        dump_end_line(&text, &row, start);
    } while (hyi_tree_walk_next(&walk, &row));
}
