// top_view.c - a frame: a head that stays, a body that scrolls, and a last line with the keys.
//
// The body is written as a whole, line by line, into one buffer, and then the lines that are to be
// seen are taken out of it: a thousand actors are some hundred KiB of text a second, and so nobody
// has to know in advance how long the body will be. Lines that fold (sections, actors with
// children) have a key; what is folded is kept by the key's digest.
#include "top.h"

#include "base/cleanup.h"
#include "base/digest.h"

#include <stdio.h>
#include <string.h>

#define VIEW_HEAD 3u
#define VIEW_EVENTS 12u
#define VIEW_LETTERS 8u
#define VIEW_DEPTH 32u
#define VIEW_BROTHERS 24u // more than these are shown only where they do something

typedef struct view_frame {
    top_view *view;
    const top_model *model;
    hy_buf body;
    size_t *starts; // of lines, and where the last one ends
    uint64_t *keys; // 0: it does not fold
    uint32_t count, capacity;
    top_line line;
} view_frame;

// ---- lines of the body ------------------------------------------------------------------------

static uint64_t view_key(const char *kind, hy_text name) {
    const uint64_t seed = hyi_digest(1, kind, strlen(kind));
    const uint64_t key = hyi_digest(seed, name.ptr, name.len);
    return key != 0 ? key : 1;
}

static bool view_is_folded(const top_view *view, uint64_t key) {
    for (uint32_t i = 0; i < view->folded_count; i++) {
        if (view->folded[i] == key) return true;
    }
    return false;
}

static bool view_grow(view_frame *f) {
    if (f->count < f->capacity) return true;
    const uint32_t capacity = f->capacity == 0 ? 256 : 2 * f->capacity;
    hy_mem *mem = hy_mem_system();
    size_t *starts =
        mem->resize(mem, f->starts, f->capacity * sizeof *starts, capacity * sizeof *starts);
    if (starts != NULL) f->starts = starts;
    uint64_t *keys = mem->resize(mem, f->keys, f->capacity * sizeof *keys, capacity * sizeof *keys);
    if (keys != NULL) f->keys = keys;
    if (starts == NULL || keys == NULL) return false;
    f->capacity = capacity;
    return true;
}

static void view_frame_free(view_frame *f) {
    hy_mem_free(hy_mem_system(), f->starts, f->capacity * sizeof *f->starts);
    hy_mem_free(hy_mem_system(), f->keys, f->capacity * sizeof *f->keys);
    hy_buf_deinit(&f->body);
}

static top_line view_line(const top_view *view, hy_buf *out) {
    return (
        top_line){ .out = out, .width = view->width, .colour = view->colour, .ascii = view->ascii };
}

// The next line begins. Without memory it is the last one again.
static top_line *view_next(view_frame *f, uint64_t key) {
    if (view_grow(f)) {
        f->starts[f->count] = f->body.len;
        f->keys[f->count++] = key;
    }
    f->line = view_line(f->view, &f->body);
    return &f->line;
}

// A section's title. False: its rows are not wanted.
static bool view_section(view_frame *f, const char *title, const char *note) {
    const uint64_t key = view_key("section", hy_bytes_of(title));
    const bool folded = view_is_folded(f->view, key);
    if (f->count > 0) (void)view_next(f, 0);
    top_line *line = view_next(f, key);
    if (f->view->live) {
        const char *open = line->ascii ? "- " : "▾ ", *shut = line->ascii ? "+ " : "▸ ";
        top_put(line, TOP_SOFT, folded ? shut : open);
    }
    top_put(line, TOP_TITLE, title);
    if (note[0] != 0) top_putf(line, TOP_SOFT, "  %s", note);
    return !folded;
}

// ---- workers ----------------------------------------------------------------------------------

static void view_worker(view_frame *f, const top_value *w, const top_value *were) {
    const top_value *was = top_same(were, w, "number");
    const double busy = top_speed(f->model, w, was, "busy_ns") / 1e9;
    const bool dead = top_has(w, "answered") && !top_number(w, "answered");
    const bool known = f->model->before != NULL;
    top_line *line = view_next(f, 0);
    top_putf(line, TOP_STRONG, "%4lld ", (long long)top_number(w, "number"));
    top_put_bar(line, dead ? TOP_BAD : busy > 0.9 ? TOP_WARN : TOP_GOOD, 20, dead ? 1 : busy);
    if (dead) {
        top_put(line, TOP_BAD, "  does not answer");
        return;
    }
    top_put_right(line, TOP_PLAIN, 7, known ? top_percent(busy).text : "-");
    top_put_right(line, TOP_PLAIN, 10,
                  known ? top_rate(top_speed(f->model, w, was, "handled")).text : "-");
    top_put(line, TOP_SOFT, " /s");
    top_putf(line, TOP_SOFT, "  %s ready", top_count((double)top_number(w, "ready")).text);
    top_putf(line, TOP_SOFT, "  %s taken", top_count((double)top_number(w, "taken")).text);
    if (top_number(w, "restarts") > 0) {
        top_putf(line, TOP_SOFT, "  %s restarts",
                 top_count((double)top_number(w, "restarts")).text);
    }
    if (top_number(w, "parked")) top_put(line, TOP_SOFT, "  parked");
}

static void view_workers(view_frame *f) {
    const top_value *list = top_get(top_get(f->model->now, "node"), "workers");
    const top_value *were = top_get(top_get(f->model->before, "node"), "workers");
    if (list == NULL || !view_section(f, "WORKERS", "")) return;
    for (const top_value *at = list->first; at != NULL; at = at->next)
        view_worker(f, at, were);
}

// ---- actors -----------------------------------------------------------------------------------

static bool view_is_wide(const view_frame *f) {
    return f->view->width >= 92;
}

// Where the numbers begin.
static uint32_t view_numbers_at(const view_frame *f) {
    const uint32_t taken = view_is_wide(f) ? 64 : 40;
    return f->view->width > taken + 16 ? f->view->width - taken : 16;
}

static void view_actor_numbers(view_frame *f, top_line *line, const top_actor *a) {
    char queue[80];
    const int64_t oldest = top_number(a->is, "oldest_ns"), restarts = top_number(a->is, "restarts");
    const top_style full = a->fill >= 0.98 ? TOP_BAD : a->fill >= 0.8 ? TOP_WARN : TOP_GOOD;
    const bool known = f->model->before != NULL;
    top_tab(line, view_numbers_at(f));
    top_put_right(line, a->rate > 0 ? TOP_PLAIN : TOP_SOFT, 8,
                  known ? a->rate > 0 ? top_rate(a->rate).text : "-" : "?");
    top_put_right(line, TOP_PLAIN, 7, a->busy >= 0.0005 ? top_percent(a->busy).text : "");
    top_put(line, TOP_PLAIN, " ");
    if (view_is_wide(f)) top_put_bar(line, full, 8, a->fill);
    (void)snprintf(queue, sizeof queue, "%s/%s",
                   top_count((double)top_number(a->is, "queued")).text,
                   top_count((double)top_number(a->is, "capacity")).text);
    top_put_right(line, a->fill >= 0.8 ? full : TOP_PLAIN, 12, queue);
    if (view_is_wide(f)) {
        top_put_right(line, oldest > 1000000000 ? TOP_WARN : TOP_SOFT, 8,
                      oldest > 0 ? top_duration(oldest).text : "");
    }
    top_put_right(line, restarts > 0 ? TOP_BAD : TOP_PLAIN, 6,
                  restarts > 0 ? top_count((double)restarts).text : "");
    if (!top_is(a->is, "phase", "running")) {
        top_put(line, TOP_PLAIN, "  ");
        top_put_text(line, TOP_WARN, top_text(a->is, "phase"));
    }
}

static void view_actor_row(view_frame *f, uint32_t index, uint32_t depth, bool tree) {
    const top_actor *a = &f->model->actors[index];
    const uint64_t key = view_key("actor", top_text(a->is, "ref"));
    const bool folds = tree && a->first >= 0;
    top_line *line = view_next(f, folds ? key : 0);
    const uint32_t width = line->width;
    const uint32_t names_end = view_numbers_at(f);
    line->width = names_end - 1; // the name gives way to the numbers
    top_tab(line, 2 + 2 * depth);
    if (f->view->live && folds) {
        const bool folded = view_is_folded(f->view, key);
        top_put(line, TOP_SOFT, line->ascii ? folded ? "+ " : "- " : folded ? "▸ " : "▾ ");
    } else if (f->view->live) {
        top_put(line, TOP_PLAIN, "  ");
    }
    const bool quiet = a->rate <= 0 && top_number(a->is, "queued") == 0;
    top_put_text(line, quiet ? TOP_PLAIN : TOP_STRONG, top_text(a->is, "name"));
    if (!hy_bytes_equal(top_text(a->is, "name"), top_text(a->is, "type"))) {
        top_put(line, TOP_PLAIN, " ");
        top_put_text(line, TOP_SOFT, top_text(a->is, "type"));
    }
    line->width = width;
    view_actor_numbers(f, line, a);
}

// One of many brothers that does nothing, and has nothing to say.
static bool view_is_quiet(const top_actor *a) {
    return a->first < 0 && a->rate <= 0 && top_number(a->is, "queued") == 0 &&
           top_number(a->is, "restarts") == 0 && top_is(a->is, "phase", "running");
}

typedef struct view_group { // of brothers, on the way down the tree
    int32_t at;
    bool many;
    uint32_t quiet; // left out so far
} view_group;

static view_group view_group_of(const view_frame *f, int32_t first) {
    uint32_t count = 0;
    for (int32_t at = first; at >= 0; at = f->model->actors[at].next)
        count++;
    return (view_group){ .at = first, .many = count > VIEW_BROTHERS };
}

static void view_group_end(view_frame *f, const view_group *group, uint32_t depth) {
    if (group->quiet == 0) return;
    top_line *line = view_next(f, 0);
    top_tab(line, 2 + 2 * depth + (f->view->live ? 2 : 0));
    top_putf(line, TOP_SOFT, "and %s more that idle", top_count(group->quiet).text);
}

static void view_actor_tree(view_frame *f) {
    view_group path[VIEW_DEPTH];
    uint32_t depth = 0;
    path[0] = view_group_of(f, f->model->first_root);
    for (;;) {
        view_group *group = &path[depth];
        if (group->at < 0) {
            view_group_end(f, group, depth);
            if (depth == 0) return;
            depth--;
            continue;
        }
        const uint32_t index = (uint32_t)group->at;
        const top_actor *a = &f->model->actors[index];
        group->at = a->next;
        if (group->many && view_is_quiet(a)) {
            group->quiet++;
            continue;
        }
        view_actor_row(f, index, depth, true);
        const uint64_t key = view_key("actor", top_text(a->is, "ref"));
        if (a->first >= 0 && depth + 1 < VIEW_DEPTH && !view_is_folded(f->view, key)) {
            path[++depth] = view_group_of(f, a->first);
        }
    }
}

static double view_score(const view_frame *f, uint32_t index) {
    const top_actor *a = &f->model->actors[index];
    switch (f->view->order) {
    case TOP_BY_RATE: return a->rate;
    case TOP_BY_BUSY: return a->busy;
    case TOP_BY_QUEUE: return (double)top_number(a->is, "queued");
    case TOP_BY_RESTARTS: return (double)top_number(a->is, "restarts");
    case TOP_TREE: break;
    }
    return 0;
}

static bool view_matches(const view_frame *f, uint32_t index) {
    const char *wanted = f->view->filter;
    const size_t len = strlen(wanted);
    static const char *const keys[] = { "name", "type", "ref", "phase" };
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        const hy_text text = top_text(f->model->actors[index].is, keys[k]);
        for (size_t i = 0; i + len <= text.len; i++) {
            if (strncasecmp((const char *)text.ptr + i, wanted, len) == 0) return true;
        }
    }
    return false;
}

// The highest score first; of equals, the order of the snapshot.
static void view_actor_list(view_frame *f) {
    const uint32_t count = f->model->actor_count;
    uint32_t *order = hy_mem_alloc(hy_mem_system(), (count + 1) * sizeof *order), found = 0;
    if (order == NULL) return;
    for (uint32_t i = 0; i < count; i++) {
        if (!view_matches(f, i)) continue;
        uint32_t low = 0, high = found;
        while (low < high) {
            const uint32_t middle = (low + high) / 2;
            if (view_score(f, order[middle]) >= view_score(f, i)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        memmove(order + low + 1, order + low, (found - low) * sizeof *order);
        order[low] = i;
        found++;
    }
    for (uint32_t i = 0; i < found; i++)
        view_actor_row(f, order[i], 0, false);
    hy_mem_free(hy_mem_system(), order, (count + 1) * sizeof *order);
}

static const char *const view_orders[TOP_ORDERS] = { "as a tree", "by rate", "by time", "by queue",
                                                     "by restarts" };

static void view_actors(view_frame *f) {
    const top_value *node = top_get(f->model->now, "node");
    if (!top_has(node, "actors")) return;
    char note[120];
    const int64_t alive = top_number(node, "actors_alive");
    (void)snprintf(note, sizeof note, "%s%s, %s%s%s",
                   alive > f->model->actor_count ? "the busiest of " : "",
                   top_count((double)alive).text, view_orders[f->view->order],
                   f->view->filter[0] != 0 ? ", only " : "", f->view->filter);
    if (!view_section(f, "ACTORS", note)) return;
    top_line *line = view_next(f, 0);
    top_tab(line, view_numbers_at(f));
    top_put_right(line, TOP_SOFT, 8, "per s");
    top_put_right(line, TOP_SOFT, 7, "time");
    top_put_right(line, TOP_SOFT, view_is_wide(f) ? 21 : 13, "mailbox");
    if (view_is_wide(f)) top_put_right(line, TOP_SOFT, 8, "oldest");
    top_put_right(line, TOP_SOFT, 6, "again");
    if (f->view->order == TOP_TREE && f->view->filter[0] == 0) {
        view_actor_tree(f);
    } else {
        view_actor_list(f);
    }
}

// ---- events and dead letters ------------------------------------------------------------------

static hy_text view_name_of(const view_frame *f, hy_text ref, hy_text otherwise) {
    for (uint32_t i = 0; i < f->model->actor_count; i++) {
        const top_value *is = f->model->actors[i].is;
        if (hy_bytes_equal(top_text(is, "ref"), ref)) return top_text(is, "name");
    }
    return otherwise.len > 0 ? otherwise : ref;
}

static void view_time(const view_frame *f, top_line *line, const top_value *at) {
    const int64_t ago =
        top_number(top_get(f->model->now, "node"), "now_ns") - top_number(at, "at_ns");
    top_putf(line, TOP_SOFT, "  %s  ",
             top_clock(top_number(f->model->now, "wall_ms") - ago / 1000000).text);
}

static top_style view_style_of(const top_value *event) {
    static const char *const bad[] = { "failed", "stuck", "escalated", "restarts", "poison" };
    static const char *const warn[] = { "full", "dropped", "health", "restarted" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (top_is(event, "kind", bad[i])) return TOP_BAD;
    for (size_t i = 0; i < sizeof warn / sizeof warn[0]; i++)
        if (top_is(event, "kind", warn[i])) return TOP_WARN;
    return TOP_GOOD;
}

static void view_event(view_frame *f, const top_value *event) {
    top_line *line = view_next(f, 0);
    const int64_t value = top_number(event, "value");
    view_time(f, line, event);
    top_put_text(line, view_style_of(event), top_text(event, "kind"));
    top_tab(line, 24);
    top_put_text(line, TOP_STRONG,
                 view_name_of(f, top_text(event, "ref"), top_text(event, "type")));
    top_put(line, TOP_PLAIN, " ");
    if (top_has(event, "err")) {
        top_put_text(line, TOP_PLAIN, top_text(event, "err"));
    } else if (top_has(event, "reason")) {
        top_put_text(line, TOP_PLAIN, top_text(event, "reason"));
    } else if (top_is(event, "kind", "stuck")) {
        top_putf(line, TOP_PLAIN, "for %s", top_duration(value).text);
    } else if (top_is(event, "kind", "restarted")) {
        top_putf(line, TOP_PLAIN, "%lld restart%s", (long long)value, value == 1 ? "" : "s");
    } else if (top_is(event, "kind", "full")) {
        top_putf(line, TOP_PLAIN, "%lld wait", (long long)value);
    }
}

static void view_letter(view_frame *f, const top_value *letter) {
    top_line *line = view_next(f, 0);
    view_time(f, line, letter);
    top_put_text(line, TOP_WARN, top_text(letter, "reason"));
    top_tab(line, 24);
    top_put_text(line, TOP_STRONG, top_text(letter, "protocol"));
    top_put(line, TOP_STRONG, ".");
    top_put_text(line, TOP_STRONG, top_text(letter, "message"));
    top_put(line, TOP_SOFT, " to ");
    top_put_text(line, TOP_PLAIN, view_name_of(f, top_text(letter, "to"), (hy_text){ NULL, 0 }));
}

// The latest of a list that has the oldest first, the latest first.
static void view_latest(view_frame *f, const top_value *list, uint32_t most,
                        void (*draw)(view_frame *f, const top_value *one)) {
    const top_value *shown[64];
    const uint32_t skip = list->count > most ? list->count - most : 0;
    uint32_t index = 0, count = 0;
    for (const top_value *at = list->first; at != NULL; at = at->next) {
        if (index++ >= skip) shown[count++] = at;
    }
    while (count > 0)
        draw(f, shown[--count]);
}

static void view_feeds(view_frame *f) {
    const top_value *node = top_get(f->model->now, "node");
    const top_value *events = top_get(node, "events"), *letters = top_get(node, "dead_letters");
    if (events != NULL && events->count > 0 && view_section(f, "EVENTS", "the latest first")) {
        view_latest(f, events, VIEW_EVENTS, view_event);
    }
    const top_value *dropped = top_get(top_get(node, "account"), "dropped");
    if (letters == NULL || (letters->count == 0 && (!dropped || dropped->count == 0))) return;
    char note[160] = "";
    size_t len = 0;
    for (const top_value *at = dropped ? dropped->first : NULL; at != NULL; at = at->next) {
        if (len + 48 > sizeof note) break;
        len +=
            (size_t)snprintf(note + len, sizeof note - len, "%s%s %.*s", len > 0 ? ", " : "",
                             top_count((double)at->number).text,
                             at->key.len < 20 ? (int)at->key.len : 20, (const char *)at->key.ptr);
    }
    if (view_section(f, "DEAD LETTERS", note)) view_latest(f, letters, VIEW_LETTERS, view_letter);
}

// ---- machines, stores, scopes -----------------------------------------------------------------

static void view_fact(top_line *line, const char *name, const char *value) {
    top_putf(line, TOP_SOFT, "  %s ", name);
    top_put(line, TOP_PLAIN, value);
}

static void view_machine(view_frame *f, const top_value *m, const top_value *were) {
    static const char *const facts[][2] = {
        { "queue", "queue" },     { "in_flight", "in flight" }, { "pending_actions", "owed" },
        { "refused", "refused" }, { "retries", "retries" },     { "instances", "instances" }
    };
    const bool halted = top_number(m, "halted"), troubled = top_text(m, "store_trouble").len > 0;
    top_line *line = view_next(f, 0);
    top_put(line, TOP_PLAIN, "  ");
    top_put_text(line, TOP_STRONG, top_text(m, "name"));
    top_tab(line, 20);
    top_putf(line, TOP_SOFT, "step ");
    top_put(line, TOP_PLAIN, top_count((double)top_number(m, "durable_seq")).text);
    if (f->model->before != NULL) {
        view_fact(line, "per s",
                  top_rate(top_speed(f->model, m, top_same(were, m, "name"), "durable_seq")).text);
    }
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        if (!top_has(m, facts[i][0])) continue;
        view_fact(line, facts[i][1], top_count((double)top_number(m, facts[i][0])).text);
    }
    if (!halted && !troubled) return;
    line = view_next(f, 0);
    top_tab(line, 20);
    if (halted) top_put(line, TOP_BAD, "halted: ");
    top_put_text(line, TOP_BAD, top_text(m, halted ? "halted_by" : "store_trouble"));
}

static void view_store(view_frame *f, const top_value *s) {
    top_line *line = view_next(f, 0);
    top_put(line, TOP_PLAIN, "  ");
    top_put_text(line, TOP_STRONG, top_text(s, "name"));
    top_tab(line, 20);
    top_put_text(line, TOP_PLAIN, top_text(s, "kind"));
    if (top_has(s, "bytes")) {
        top_putf(line, TOP_PLAIN, "  %s", top_bytes((double)top_number(s, "bytes")).text);
    }
    if (top_has(s, "log_bytes")) {
        view_fact(line, "log", top_bytes((double)top_number(s, "log_bytes")).text);
    }
    if (top_text(s, "trouble").len == 0) return;
    top_put(line, TOP_PLAIN, "  ");
    top_put_text(line, TOP_BAD, top_text(s, "trouble"));
}

static void view_durable(view_frame *f) {
    const top_value *machines = top_get(f->model->now, "machines");
    const top_value *were = top_get(f->model->before, "machines");
    const top_value *stores = top_get(f->model->now, "stores");
    if (machines != NULL && machines->count > 0 && view_section(f, "MACHINES", "")) {
        for (const top_value *at = machines->first; at != NULL; at = at->next)
            view_machine(f, at, were);
    }
    if (stores == NULL || !stores->is_list || stores->count == 0 || !view_section(f, "STORES", ""))
        return;
    for (const top_value *at = stores->first; at != NULL; at = at->next)
        view_store(f, at);
}

static void view_scope_says(top_line *line, const top_value *s) {
    if (top_is(s, "kind", "service")) {
        const bool up = top_is(s, "phase", "up");
        top_put(line, TOP_PLAIN, " ");
        top_put_text(line, up ? TOP_GOOD : TOP_WARN, top_text(s, "phase"));
    }
    if (top_number(s, "starts") > 1) {
        view_fact(line, "starts", top_count((double)top_number(s, "starts")).text);
    }
    if (top_has(s, "last_err")) {
        top_put(line, TOP_PLAIN, "  ");
        top_put_text(line, TOP_BAD, top_text(s, "last_err"));
    }
    if (top_number(s, "draining")) top_put(line, TOP_WARN, "  draining");
    if (top_is(s, "kind", "task") && top_has(s, "waits")) {
        top_put(line, TOP_SOFT, "  waits: ");
        top_put_text(line, TOP_SOFT, top_text(s, "waits"));
    }
    if (top_number(s, "wait_left_ns") > 0) {
        top_putf(line, TOP_SOFT, ", %s", top_duration(top_number(s, "wait_left_ns")).text);
    }
    if (top_number(s, "next_start_ns") > 0) {
        view_fact(line, "starts in", top_duration(top_number(s, "next_start_ns")).text);
    }
    if (top_number(s, "bytes") > 0) {
        top_putf(line, TOP_SOFT, "  %s", top_bytes((double)top_number(s, "bytes")).text);
    }
}

static void view_scope(view_frame *f, const top_value *s, uint32_t depth) {
    top_line *line = view_next(f, 0);
    for (uint32_t i = 0; i <= depth; i++)
        top_put(line, TOP_PLAIN, "  ");
    if (top_is(s, "kind", "more")) {
        top_putf(line, TOP_SOFT, "and %lld more", (long long)top_number(s, "count"));
        return;
    }
    hy_text name = top_text(s, "name");
    for (size_t i = name.len; top_has(s, "line") && i-- > 0;) {
        if (name.ptr[i] != '/') continue;
        name = (hy_text){ name.ptr + i + 1, name.len - i - 1 };
        break;
    }
    top_put_text(line, top_is(s, "kind", "task") ? TOP_PLAIN : TOP_STRONG, name);
    if (top_has(s, "line")) top_putf(line, TOP_SOFT, ":%lld", (long long)top_number(s, "line"));
    view_scope_says(line, s);
    const top_value *children = top_get(s, "children");
    for (const top_value *at = children ? children->first : NULL; at != NULL; at = at->next)
        view_scope(f, at, depth + 1); // as deep as the JSON reader allows
}

static void view_scopes(view_frame *f) {
    const top_value *scopes = top_get(f->model->now, "scopes");
    if (top_has(scopes, "kind") && view_section(f, "SCOPES", "")) view_scope(f, scopes, 0);
}

// ---- head and foot ----------------------------------------------------------------------------

static void view_end(hy_buf *out) {
    while (out->len > 0 && out->ptr[out->len - 1] == ' ')
        out->len--;
    hy_buf_add_text(out, "\n");
}

static void view_title(const top_view *view, const top_model *model, hy_buf *out) {
    const top_value *now = model->now, *process = top_get(now, "process");
    top_line line = view_line(view, out);
    top_put_text(&line, TOP_TITLE, top_text(now, "program"));
    top_putf(&line, TOP_SOFT, "  %s", view->source);
    if (top_has(process, "pid")) {
        top_putf(&line, TOP_SOFT, "  process %lld", (long long)top_number(process, "pid"));
    }
    top_putf(&line, TOP_SOFT, "  up %s", top_duration(top_number(now, "uptime_ns")).text);
    if (view->trouble[0] != 0) {
        top_putf(&line, TOP_BAD, "  lost: %s", view->trouble);
    } else if (view->paused) {
        top_put(&line, TOP_WARN, "  paused");
    }
    if (line.column + 10 < line.width) top_tab(&line, line.width - 8);
    top_put(&line, TOP_SOFT, top_clock(top_number(now, "wall_ms")).text);
    view_end(out);
}

static void view_figure(top_line *line, const char *name, const char *value) {
    if (line->column > 0) top_put(line, TOP_PLAIN, "   ");
    top_putf(line, TOP_SOFT, "%s ", name);
    top_put(line, TOP_STRONG, value);
}

static void view_figures(const top_view *view, const top_model *model, hy_buf *out) {
    const top_value *node = top_get(model->now, "node"), *process = top_get(model->now, "process");
    const bool known = model->before != NULL;
    top_line line = view_line(view, out);
    if (node != NULL) {
        char text[48];
        (void)snprintf(text, sizeof text, "%s/s ", known ? top_rate(model->messages).text : "? ");
        view_figure(&line, "messages", text);
        top_put_spark(&line, view->messages, view->history < 16 ? view->history : 16);
        const int64_t queued = top_number(top_get(node, "account"), "queued");
        (void)snprintf(text, sizeof text, "%s ", top_count((double)queued).text);
        view_figure(&line, "waiting", text);
        top_put_spark(&line, view->queued, view->history < 16 ? view->history : 16);
        (void)snprintf(text, sizeof text, "%s/s", known ? top_rate(model->dropped).text : "? ");
        view_figure(&line, "dropped", text);
        view_figure(&line, "restarts", top_count((double)top_number(node, "restarts")).text);
    }
    if (top_has(process, "pid")) {
        view_figure(&line, "cpu", known ? top_percent(model->cpu).text : "?");
        view_figure(&line, "memory", top_bytes((double)top_number(process, "resident_bytes")).text);
    }
    view_end(out);
}

static void view_alerts(const top_view *view, const top_model *model, hy_buf *out) {
    top_line line = view_line(view, out);
    const uint32_t room = sizeof model->alerts / sizeof model->alerts[0];
    const uint32_t there = model->alert_count < room ? model->alert_count : room;
    if (there == 0) top_put(&line, TOP_GOOD, "all is well");
    for (uint32_t i = 0; i < there; i++) {
        const uint32_t left = line.width - line.column;
        if (i > 0 && strlen(model->alerts[i].text) + 14 > left) {
            top_putf(&line, TOP_SOFT, "; and %u more", model->alert_count - i);
            break;
        }
        top_put(&line, TOP_SOFT, i > 0 ? "; " : "");
        top_put(&line, model->alerts[i].style, model->alerts[i].text);
    }
    view_end(out);
}

static void view_foot(const top_view *view, hy_buf *out) {
    top_line line = view_line(view, out);
    if (view->filtering) {
        top_putf(&line, TOP_STRONG, "filter: %s_", view->filter);
        top_put(&line, TOP_SOFT, "   Enter keeps it, Escape takes it away");
        return;
    }
    static const char *const keys[][2] = { { "q", "quit" },     { "p", "pause" },
                                           { "s", "order" },    { "/", "filter" },
                                           { "Enter", "fold" }, { "arrows, PgUp, PgDn", "move" } };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        top_put(&line, TOP_STRONG, keys[i][0]);
        top_putf(&line, TOP_SOFT, " %s   ", keys[i][1]);
    }
}

// ---- the frame --------------------------------------------------------------------------------

void top_view_note(top_view *view, const top_model *model) {
    const uint32_t most = 16;
    if (model->before == NULL) return;
    if (view->history == most) {
        memmove(view->messages, view->messages + 1, (most - 1) * sizeof *view->messages);
        memmove(view->queued, view->queued + 1, (most - 1) * sizeof *view->queued);
        view->history--;
    }
    view->messages[view->history] = model->messages;
    view->queued[view->history++] =
        (double)top_number(top_get(top_get(model->now, "node"), "account"), "queued");
}

static void view_body(view_frame *f) {
    view_workers(f);
    view_actors(f);
    view_feeds(f);
    view_durable(f);
    view_scopes(f);
    if (view_grow(f)) f->starts[f->count] = f->body.len;
}

static void view_frame_make(view_frame *f, top_view *view, const top_model *model) {
    *f = (view_frame){ .view = view, .model = model };
    hy_buf_init(&f->body, hy_mem_system(), 0);
    view_body(f);
}

// Scrolls so that the cursor is seen; both stay within the body.
static uint32_t view_place(top_view *view, uint32_t count) {
    const uint32_t used = VIEW_HEAD + 2; // and a blank line, and the foot
    const uint32_t rows = view->height > used ? view->height - used : 1;
    if (count == 0) count = 1;
    if (view->cursor >= count) view->cursor = count - 1;
    if (view->scroll > view->cursor) view->scroll = view->cursor;
    if (view->cursor >= view->scroll + rows) view->scroll = view->cursor - rows + 1;
    if (count <= rows) view->scroll = 0;
    return rows;
}

static void view_show_line(const view_frame *f, uint32_t index, bool marked, hy_buf *out) {
    hy_bytes line = { f->body.ptr + f->starts[index], f->starts[index + 1] - f->starts[index] };
    while (line.len > 0 && line.ptr[line.len - 1] == ' ')
        line.len--;
    if (marked) hy_buf_add_text(out, "\033[7m");
    hy_buf_add(out, line.ptr, line.len);
    if (marked && line.len == 0) hy_buf_add_text(out, " ");
    if (marked) hy_buf_add_text(out, "\033[0m");
    hy_buf_add_text(out, "\n");
}

void top_view_draw(top_view *view, const top_model *model, hy_buf *out) {
    HY_CLEANUP(view_frame_free) view_frame f = { 0 };
    view_title(view, model, out);
    view_figures(view, model, out);
    view_alerts(view, model, out);
    hy_buf_add_text(out, "\n");
    view_frame_make(&f, view, model);
    if (!view->live) {
        for (uint32_t i = 0; i < f.count; i++)
            view_show_line(&f, i, false, out);
        return;
    }
    const uint32_t rows = view_place(view, f.count);
    for (uint32_t i = view->scroll; i < view->scroll + rows; i++) {
        if (i < f.count) {
            view_show_line(&f, i, i == view->cursor, out);
        } else {
            hy_buf_add_text(out, "\n");
        }
    }
    view_foot(view, out);
}

void top_view_fold(top_view *view, const top_model *model) {
    HY_CLEANUP(view_frame_free) view_frame f;
    view_frame_make(&f, view, model);
    const uint64_t key = view->cursor < f.count ? f.keys[view->cursor] : 0;
    if (key == 0) return;
    for (uint32_t i = 0; i < view->folded_count; i++) {
        if (view->folded[i] != key) continue;
        view->folded[i] = view->folded[--view->folded_count];
        return;
    }
    if (view->folded_count < sizeof view->folded / sizeof view->folded[0]) {
        view->folded[view->folded_count++] = key;
    }
}
