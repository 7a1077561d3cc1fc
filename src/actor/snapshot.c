// snapshot.c - the whole node as JSON: what the console and `hypha top` show.
//
// docs/FORMATS.md says what is in it. Three steps: choose actors, look at them, write.
//
//   choose   one pass over the slots, each looked at from outside (hyi_actor_glance): a million
//            idle actors cost some tens of milliseconds, in parts between which others run, and
//            wake nobody. The busiest stay, in a heap.
//   look     their owners fill rows (numbers.h). Then their parents, and theirs, so that the rows
//            make a tree, in as many rounds as the tree is deep.
//   write    in order of slot: an order that stays the same from one snapshot to the next.
//
// A worker that is stuck answers for none of its actors: it, and they, are marked. The caller's
// fiber waits for it no longer than SNAPSHOT_PATIENCE, all rounds together.
#include "actor/dead.h"
#include "actor/events.h"
#include "actor/numbers.h"
#include "actor/slot.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

#define SNAPSHOT_PATIENCE HY_MS(250)
#define SNAPSHOT_ACTORS 1000u
#define SNAPSHOT_DEPTH 32u      // rounds of parents
#define SNAPSHOT_STRETCH 32768u // slots looked at in a row
#define SNAPSHOT_EVENTS 200u
#define SNAPSHOT_LETTERS 100u

typedef struct snapshot_pick {
    uint64_t score;
    hy_ref ref;
} snapshot_pick;

typedef struct snapshot {
    hy_node *node;
    hy_mem *mem;
    hyi_json_writer json;
    hy_ns now, until;
    snapshot_pick *picks; // a heap, the least busy on top
    uint32_t pick_count, pick_max;
    hyi_look_row *rows; // sorted by ref once they are all there
    uint32_t row_count, row_max;
    uint64_t alive;
    bool stuck[HYI_WORKERS_MAX]; // does not answer
    hy_err err;
} snapshot;

// ---- choosing ---------------------------------------------------------------------------------

static void snapshot_sink(snapshot_pick *heap, uint32_t count, uint32_t at) {
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (heap[child].score < heap[least].score) least = child;
        }
        if (least == at) return;
        const snapshot_pick moved = heap[at];
        heap[at] = heap[least];
        heap[least] = moved;
        at = least;
    }
}

static void snapshot_offer(snapshot *s, snapshot_pick pick) {
    if (s->pick_count < s->pick_max) {
        s->picks[s->pick_count++] = pick;
        if (s->pick_count < s->pick_max) return;
        for (uint32_t i = s->pick_count / 2; i-- > 0;)
            snapshot_sink(s->picks, s->pick_count, i);
    } else if (pick.score > s->picks[0].score) {
        s->picks[0] = pick;
        snapshot_sink(s->picks, s->pick_count, 0);
    }
}

static void snapshot_choose(snapshot *s) {
    hy_actor *actor = NULL;
    for (uint32_t i = 0; (actor = hyi_slot_at(s->node, i)) != NULL; i++) {
        if (i % SNAPSHOT_STRETCH == SNAPSHOT_STRETCH - 1) (void)hy_yield(); // cancelled: goes on
        const uint64_t score = hyi_actor_glance(actor);
        if (score == 0) continue;
        s->alive++;
        snapshot_offer(s, (snapshot_pick){ score, hyi_ref_of(actor) });
    }
}

// ---- looking ----------------------------------------------------------------------------------

static int snapshot_by_ref(const void *a, const void *b) {
    const uint64_t x = ((const hyi_look_row *)a)->stats.ref.id;
    const uint64_t y = ((const hyi_look_row *)b)->stats.ref.id;
    return x < y ? -1 : x > y;
}

// Rows from `from` on are asked for: sorted, and each once.
static void snapshot_look(snapshot *s, uint32_t from) {
    hyi_look_row *rows = s->rows + from;
    uint32_t count = s->row_count - from, kept = 0;
    qsort(rows, count, sizeof *rows, snapshot_by_ref);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || rows[kept - 1].stats.ref.id != rows[i].stats.ref.id) {
            rows[kept++].stats.ref = rows[i].stats.ref;
        }
    }
    s->row_count = from + kept;
    const hy_err err = hyi_look(rows, kept, s->until);
    if (s->err == HY_OK) s->err = err;
    for (uint32_t i = 0; i < kept; i++) {
        const hy_actor_stats *stats = &rows[i].stats;
        if (!rows[i].answered && stats->worker < HYI_WORKERS_MAX) s->stuck[stats->worker] = true;
    }
}

static bool snapshot_has(const snapshot *s, hy_ref ref) {
    for (uint32_t i = 0; i < s->row_count; i++) {
        if (s->rows[i].stats.ref.id == ref.id) return true;
    }
    return false;
}

// Parents of rows from `from` on that are no rows yet. Children of one parent mostly follow each
// other, so a parent is looked for once for many.
static bool snapshot_add_parents(snapshot *s, uint32_t from) {
    const uint32_t to = s->row_count;
    hy_ref latest = HY_NOBODY;
    for (uint32_t i = from; i < to && s->row_count < s->row_max; i++) {
        const hy_ref parent = s->rows[i].stats.parent;
        if (parent.id == 0 || parent.id == latest.id) continue;
        latest = parent;
        if (snapshot_has(s, parent)) continue;
        s->rows[s->row_count++] = (hyi_look_row){ .stats = { .ref = parent } };
    }
    return s->row_count > to;
}

static void snapshot_look_all(snapshot *s) {
    for (uint32_t i = 0; i < s->pick_count; i++) {
        s->rows[s->row_count++] = (hyi_look_row){ .stats = { .ref = s->picks[i].ref } };
    }
    uint32_t from = 0;
    snapshot_look(s, from);
    for (uint32_t round = 0; round < SNAPSHOT_DEPTH; round++) {
        const uint32_t next = s->row_count;
        if (!snapshot_add_parents(s, from)) break;
        from = next;
        snapshot_look(s, from);
    }
    qsort(s->rows, s->row_count, sizeof *s->rows, snapshot_by_ref);
}

// ---- writing ----------------------------------------------------------------------------------

static void snapshot_u64(hyi_json_writer *json, const char *key, uint64_t value) {
    hyi_json_key(json, hy_bytes_of(key));
    hyi_json_add_u64(json, value);
}

static void snapshot_time(hyi_json_writer *json, const char *key, hy_ns value) {
    hyi_json_key(json, hy_bytes_of(key));
    hyi_json_add_i64(json, value);
}

static void snapshot_bool(hyi_json_writer *json, const char *key, bool value) {
    hyi_json_key(json, hy_bytes_of(key));
    hyi_json_add_bool(json, value);
}

// Names are a program's: what is not UTF-8 must not cost the whole document.
static void snapshot_text(hyi_json_writer *json, const char *key, const char *value) {
    hy_bytes text = hy_bytes_of(value);
    hyi_json_key(json, hy_bytes_of(key));
    hyi_json_add_text(json, hy_text_is_utf8(text) ? text : HY_BYTES("?"));
}

static void snapshot_ref(hyi_json_writer *json, const char *key, hy_ref ref) {
    char text[32] = "";
    if (ref.id != 0) {
        (void)snprintf(text, sizeof text, "%u.%u", (unsigned)(uint32_t)ref.id,
                       (unsigned)hyi_ref_generation(ref));
    }
    snapshot_text(json, key, text);
}

static void snapshot_account(snapshot *s) {
    hyi_json_writer *json = &s->json;
    const hy_account account = hy_node_account(s->node);
    hyi_json_key(json, HY_BYTES("account"));
    hyi_json_begin_object(json);
    snapshot_u64(json, "sent", account.sent);
    snapshot_u64(json, "handled", account.handled);
    snapshot_u64(json, "queued", account.queued);
    hyi_json_key(json, HY_BYTES("dropped"));
    hyi_json_begin_object(json);
    for (uint32_t i = 1; i < HY_DROP_COUNT; i++) {
        if (account.dropped[i]) snapshot_u64(json, hy_drop_name((hy_drop)i), account.dropped[i]);
    }
    hyi_json_end_object(json);
    hyi_json_end_object(json);
}

static void snapshot_worker(snapshot *s, uint32_t number, uint64_t *restarts) {
    hyi_json_writer *json = &s->json;
    const hy_worker_stats w = hy_worker_stats_of(s->node, number);
    *restarts += w.restarts;
    hyi_json_begin_object(json);
    snapshot_u64(json, "number", number);
    snapshot_bool(json, "answered", !s->stuck[number] && !w.stuck);
    snapshot_bool(json, "parked", w.parked);
    snapshot_bool(json, "stuck", w.stuck);
    snapshot_time(json, "busy_ns", w.busy);
    snapshot_u64(json, "turns", w.turns);
    snapshot_u64(json, "handled", w.handled);
    snapshot_u64(json, "shared", w.shared);
    snapshot_u64(json, "taken", w.taken);
    snapshot_u64(json, "parks", w.parks);
    snapshot_u64(json, "wakes", w.wakes);
    snapshot_u64(json, "restarts", w.restarts);
    snapshot_u64(json, "events", w.events);
    snapshot_u64(json, "actors", w.actors);
    snapshot_u64(json, "ready", w.ready);
    snapshot_u64(json, "messages_bytes", w.messages_bytes);
    hyi_json_end_object(json);
}

static void snapshot_workers(snapshot *s) {
    uint64_t restarts = 0;
    hyi_json_key(&s->json, HY_BYTES("workers"));
    hyi_json_begin_array(&s->json);
    for (uint32_t i = 0; i < s->node->worker_count; i++)
        snapshot_worker(s, i, &restarts);
    hyi_json_end_array(&s->json);
    snapshot_u64(&s->json, "restarts", restarts);
}

static void snapshot_actor(hyi_json_writer *json, const hyi_look_row *row) {
    static const char *const phases[] = { "unknown", "starting", "running",
                                          "waiting", "stopping", "gone" };
    const hy_actor_stats *a = &row->stats;
    hyi_json_begin_object(json);
    snapshot_ref(json, "ref", a->ref);
    snapshot_ref(json, "parent", a->parent);
    snapshot_text(json, "type", a->type);
    snapshot_text(json, "name", a->name);
    snapshot_u64(json, "worker", a->worker);
    snapshot_text(json, "phase", phases[a->state]);
    snapshot_u64(json, "restarts", a->restarts);
    snapshot_u64(json, "children", a->children);
    snapshot_u64(json, "handled", a->handled);
    snapshot_u64(json, "dropped", a->dropped);
    snapshot_u64(json, "queued", a->queued);
    snapshot_u64(json, "queued_peak", a->queued_peak);
    snapshot_u64(json, "capacity", a->capacity);
    snapshot_u64(json, "stashed", a->stashed);
    snapshot_time(json, "busy_ns", a->busy);
    snapshot_time(json, "oldest_ns", a->oldest_age);
    snapshot_u64(json, "memory_bytes", a->memory);
    if (a->last_err != HY_OK) snapshot_text(json, "last_err", hy_err_name(a->last_err));
    hyi_json_end_object(json);
}

static void snapshot_actors(snapshot *s) {
    uint64_t shown = 0;
    hyi_json_key(&s->json, HY_BYTES("actors"));
    hyi_json_begin_array(&s->json);
    for (uint32_t i = 0; i < s->row_count; i++) {
        const hyi_look_row *row = &s->rows[i];
        if (row->stats.state == HY_PHASE_GONE || !row->stats.type) continue;
        snapshot_actor(&s->json, row);
        shown++;
    }
    hyi_json_end_array(&s->json);
    snapshot_u64(&s->json, "actors_alive", s->alive);
    snapshot_u64(&s->json, "actors_shown", shown);
}

static void snapshot_event(hyi_json_writer *json, const hy_node_event *event) {
    static const char *const kinds[] = {
        [HY_EVENT_SPAWNED] = "spawned",
        [HY_EVENT_STARTED] = "started",
        [HY_EVENT_FAILED] = "failed",
        [HY_EVENT_RESTARTED] = "restarted",
        [HY_EVENT_ENDED] = "ended",
        [HY_EVENT_RESTARTS] = "restarts",
        [HY_EVENT_ESCALATED] = "escalated",
        [HY_EVENT_HEALTH] = "health",
        [HY_EVENT_FULL] = "full",
        [HY_EVENT_DROPPED] = "dropped",
        [HY_EVENT_STUCK] = "stuck",
        [HY_EVENT_POISON] = "poison",
        [HY_EVENT_SUBSCRIBED] = "subscribed",
        [HY_EVENT_UNSUBSCRIBED] = "unsubscribed",
        [HY_EVENT_NODE] = "node",
    };
    const char *kind = event->kind <= HY_EVENT_NODE ? kinds[event->kind] : NULL;
    const bool has_err = event->kind == HY_EVENT_FAILED || event->kind == HY_EVENT_ENDED ||
                         event->kind == HY_EVENT_HEALTH;
    hyi_json_begin_object(json);
    snapshot_u64(json, "worker", event->worker);
    snapshot_u64(json, "number", event->number);
    snapshot_time(json, "at_ns", event->at);
    snapshot_text(json, "kind", kind ? kind : "?");
    snapshot_ref(json, "ref", event->who);
    snapshot_text(json, "type", event->type ? event->type : "");
    snapshot_u64(json, "value", event->value);
    if (has_err && event->value != HY_OK) {
        snapshot_text(json, "err", hy_err_name((hy_err)event->value));
    }
    if (event->kind == HY_EVENT_DROPPED && event->value < HY_DROP_COUNT) {
        snapshot_text(json, "reason", hy_drop_name((hy_drop)event->value));
    }
    hyi_json_end_object(json);
}

// The latest of all workers, merged by time: each worker's own are in order.
static void snapshot_events(snapshot *s) {
    const hy_node *node = s->node;
    uint64_t cursors[HYI_WORKERS_MAX] = { 0 };
    hy_node_event heads[HYI_WORKERS_MAX];
    bool has[HYI_WORKERS_MAX] = { false };
    const uint32_t each = SNAPSHOT_EVENTS / node->worker_count + 1;
    for (uint32_t i = 0; i < node->worker_count; i++) {
        const uint64_t count = hyi_events_count(node->workers[i]);
        cursors[i] = count > each ? count - each : 0;
        has[i] = hy_node_event_next(node, i, &cursors[i], &heads[i]);
    }
    hyi_json_key(&s->json, HY_BYTES("events"));
    hyi_json_begin_array(&s->json);
    for (uint32_t written = 0; written < 2 * SNAPSHOT_EVENTS; written++) {
        uint32_t first = HYI_WORKERS_MAX;
        for (uint32_t i = 0; i < node->worker_count; i++) {
            if (has[i] && (first == HYI_WORKERS_MAX || heads[i].at < heads[first].at)) first = i;
        }
        if (first == HYI_WORKERS_MAX) break;
        snapshot_event(&s->json, &heads[first]);
        has[first] = hy_node_event_next(node, first, &cursors[first], &heads[first]);
    }
    hyi_json_end_array(&s->json);
}

static void snapshot_letters(snapshot *s) {
    hyi_json_writer *json = &s->json;
    hy_dead_letter letter;
    uint64_t cursor = 0, count = 0, skipped = 0;
    while (hyi_letter_next(s->node, &cursor, &letter))
        count++;
    cursor = 0;
    hyi_json_key(json, HY_BYTES("dead_letters"));
    hyi_json_begin_array(json);
    while (hyi_letter_next(s->node, &cursor, &letter)) {
        if (count > SNAPSHOT_LETTERS && skipped++ < count - SNAPSHOT_LETTERS) continue;
        hyi_json_begin_object(json);
        snapshot_time(json, "at_ns", letter.at);
        snapshot_ref(json, "to", letter.to);
        snapshot_text(json, "reason", hy_drop_name(letter.reason));
        snapshot_text(json, "protocol", letter.protocol ? letter.protocol : "?");
        snapshot_text(json, "message", letter.message ? letter.message : "?");
        snapshot_u64(json, "tag", letter.tag);
        hyi_json_end_object(json);
    }
    hyi_json_end_array(json);
}

static hy_err snapshot_write(snapshot *s, hy_buf *out) {
    const hy_node *node = s->node;
    hyi_json_writer *json = &s->json;
    hyi_json_writer_init(json, out);
    hyi_json_begin_object(json);
    snapshot_u64(json, "format", 1);
    snapshot_text(json, "name", node->options.name ? node->options.name : "node");
    snapshot_u64(json, "number", node->options.number);
    snapshot_time(json, "now_ns", s->now);
    snapshot_bool(json, "closing", atomic_load_explicit(&node->closing, memory_order_relaxed));
    snapshot_u64(json, "incidents", atomic_load_explicit(&node->incidents, memory_order_relaxed));
    snapshot_account(s);
    snapshot_workers(s);
    snapshot_actors(s);
    snapshot_events(s);
    snapshot_letters(s);
    hyi_json_end_object(json);
    return hyi_json_finish(json);
}

hy_err hy_node_snapshot(hy_node *node, uint32_t actors_max, hy_buf *out) {
    hy_world *world = hy_scope_world(hy_scope_current());
    snapshot s = { .node = node, .mem = node->mem, .now = hy_world_now(world) };
    s.until = s.now + SNAPSHOT_PATIENCE;
    s.pick_max = actors_max > 0 ? actors_max : SNAPSHOT_ACTORS;
    const uint32_t used = atomic_load_explicit(&node->slots_used, memory_order_acquire);
    if (s.pick_max > used) s.pick_max = used > 0 ? used : 1;
    s.row_max = 2 * s.pick_max + SNAPSHOT_DEPTH; // with parents
    const size_t picks = s.pick_max * sizeof *s.picks, rows = s.row_max * sizeof *s.rows;
    s.picks = (snapshot_pick *)hy_mem_alloc(s.mem, picks);
    s.rows = (hyi_look_row *)hy_mem_alloc(s.mem, rows);
    hy_err err = HY_NOMEM;
    if (s.picks && s.rows) {
        snapshot_choose(&s);
        snapshot_look_all(&s);
        err = snapshot_write(&s, out);
        if (err == HY_OK) err = s.err;
    }
    hy_mem_free(s.mem, s.picks, picks);
    hy_mem_free(s.mem, s.rows, rows);
    return err;
}
