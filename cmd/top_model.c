// top_model.c - what two snapshots, one after the other, say.
//
// Counters only grow, so a rate is a difference; where a counter is smaller than before, the
// program was started again, and there is no rate until the next snapshot. What is wrong is found
// by the same rules as on the console's page (src/net/console/model.js).
#include "top.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MODEL_OLD_NS 1000000000
#define MODEL_RECENT_NS 60000000000

double top_speed(const top_model *model, const top_value *now, const top_value *before,
                 const char *key) {
    if (before == NULL || !(model->seconds > 0) || !top_has(before, key)) return 0;
    const int64_t grown = top_number(now, key) - top_number(before, key);
    return grown > 0 ? (double)grown / model->seconds : 0;
}

const top_value *top_same(const top_value *list, const top_value *is, const char *key) {
    const hy_text wanted = top_text(is, key);
    for (const top_value *at = list != NULL ? list->first : NULL; at != NULL; at = at->next) {
        if (hy_bytes_equal(top_text(at, key), wanted)) return at;
    }
    return NULL;
}

// ---- actors -----------------------------------------------------------------------------------

static int32_t model_parent(const top_model *model, uint32_t of) {
    const hy_text wanted = top_text(model->actors[of].is, "parent");
    if (wanted.len == 0) return -1;
    if (of > 0) { // brothers follow each other
        const int32_t latest = model->actors[of - 1].parent;
        if (latest >= 0 && hy_bytes_equal(top_text(model->actors[latest].is, "ref"), wanted)) {
            return latest;
        }
    }
    for (uint32_t i = 0; i < model->actor_count; i++) {
        if (i != of && hy_bytes_equal(top_text(model->actors[i].is, "ref"), wanted)) {
            return (int32_t)i;
        }
    }
    return -1;
}

// A snapshot may name an actor as its own ancestor only if it is no snapshot; drawing must end
// then, too.
static bool model_is_above(const top_model *model, int32_t above, int32_t below) {
    for (uint32_t steps = 0; below >= 0 && steps <= model->actor_count; steps++) {
        if (below == above) return true;
        below = model->actors[below].parent;
    }
    return below >= 0;
}

static void model_link(top_model *model) {
    int32_t last_root = -1;
    for (uint32_t i = 0; i < model->actor_count; i++) {
        top_actor *actor = &model->actors[i];
        const int32_t parent = model_parent(model, i);
        if (parent >= 0 && !model_is_above(model, (int32_t)i, parent)) actor->parent = parent;
        int32_t *last = actor->parent >= 0 ? &model->actors[actor->parent].last : &last_root;
        int32_t *first =
            actor->parent >= 0 ? &model->actors[actor->parent].first : &model->first_root;
        if (*last >= 0) {
            model->actors[*last].next = (int32_t)i;
        } else {
            *first = (int32_t)i;
        }
        *last = (int32_t)i;
    }
}

static hy_err model_actors(top_model *model, hy_arena *arena) {
    const top_value *list = top_get(top_get(model->now, "node"), "actors");
    const top_value *were = top_get(top_get(model->before, "node"), "actors");
    if (list == NULL || list->count == 0) return HY_OK;
    model->actors = hy_arena_alloc(arena, list->count * sizeof *model->actors);
    if (model->actors == NULL) return HY_NOMEM;
    const top_value *hint = were != NULL ? were->first : NULL; // mostly the same order
    for (const top_value *at = list->first; at != NULL; at = at->next) {
        const top_value *was = hint;
        if (was == NULL || !hy_bytes_equal(top_text(was, "ref"), top_text(at, "ref"))) {
            was = top_same(were, at, "ref");
        }
        if (was != NULL) hint = was->next;
        const double capacity = (double)top_number(at, "capacity");
        model->actors[model->actor_count++] = (top_actor){
            .is = at,
            .rate = top_speed(model, at, was, "handled"),
            .busy = top_speed(model, at, was, "busy_ns") / 1e9,
            .fill = capacity > 0 ? (double)top_number(at, "queued") / capacity : 0,
            .parent = -1,
            .first = -1,
            .last = -1,
            .next = -1,
        };
    }
    model_link(model);
    return HY_OK;
}

// ---- what is wrong ----------------------------------------------------------------------------

HY_PRINTF(3, 4)
static void model_alert(top_model *model, top_style style, const char *format, ...) {
    const uint32_t room = sizeof model->alerts / sizeof model->alerts[0];
    if (model->alert_count++ >= room) return;
    top_alert *alert = &model->alerts[model->alert_count - 1];
    alert->style = style;
    va_list list;
    va_start(list, format);
    (void)vsnprintf(alert->text, sizeof alert->text, format, list);
    va_end(list);
}

static void model_alerts_of_machines(top_model *model) {
    const top_value *machines = top_get(model->now, "machines");
    const top_value *were = top_get(model->before, "machines");
    for (const top_value *m = machines ? machines->first : NULL; m != NULL; m = m->next) {
        const hy_text name = top_text(m, "name"), trouble = top_text(m, "store_trouble");
        if (top_number(m, "halted")) {
            model_alert(model, TOP_BAD, "machine %.*s halted: %.*s", HY_SHOW(name),
                        HY_SHOW(top_text(m, "halted_by")));
        } else if (trouble.len > 0) {
            model_alert(model, TOP_BAD, "machine %.*s stores nothing: %.*s", HY_SHOW(name),
                        HY_SHOW(trouble));
        } else if (top_speed(model, m, top_same(were, m, "name"), "retries") > 0) {
            model_alert(model, TOP_WARN, "machine %.*s: attempts fail: %.*s", HY_SHOW(name),
                        HY_SHOW(top_text(m, "last_failure")));
        }
    }
}

static void model_alerts_of_workers(top_model *model) {
    const top_value *workers = top_get(top_get(model->now, "node"), "workers");
    for (const top_value *w = workers ? workers->first : NULL; w != NULL; w = w->next) {
        if (!top_has(w, "answered") || top_number(w, "answered")) continue;
        model_alert(model, TOP_BAD, "worker %lld does not answer",
                    (long long)top_number(w, "number"));
    }
}

static void model_alerts_of_actors(top_model *model, top_style style) {
    for (uint32_t i = 0; i < model->actor_count; i++) {
        const top_actor *a = &model->actors[i];
        const hy_text name = top_text(a->is, "name");
        const bool waits = top_is(a->is, "phase", "waiting");
        const bool is_full = a->fill >= 0.98;
        if (a->fill >= 0.8 && is_full == (style == TOP_BAD)) {
            model_alert(model, style, "%.*s: mailbox %s full", HY_SHOW(name),
                        top_percent(a->fill).text);
        }
        if (style == TOP_BAD) continue;
        if (waits) {
            model_alert(model, style, "%.*s waits for its next start", HY_SHOW(name));
        } else if (a->fill < 0.8 && top_number(a->is, "oldest_ns") > MODEL_OLD_NS) {
            model_alert(model, style, "%.*s: a message waits since %s", HY_SHOW(name),
                        top_duration(top_number(a->is, "oldest_ns")).text);
        }
    }
}

static void model_alerts_of_scopes(top_model *model, const top_value *scope) {
    if (scope == NULL) return;
    if (top_is(scope, "kind", "service") && top_is(scope, "phase", "waiting")) {
        model_alert(model, TOP_WARN, "service %.*s waits for its next start",
                    HY_SHOW(top_text(scope, "name")));
    }
    const top_value *children = top_get(scope, "children");
    for (const top_value *at = children ? children->first : NULL; at != NULL; at = at->next) {
        model_alerts_of_scopes(model, at); // as deep as the JSON reader allows
    }
}

static void model_alerts(top_model *model) {
    model_alerts_of_machines(model);
    model_alerts_of_workers(model);
    model_alerts_of_actors(model, TOP_BAD);
    model_alerts_of_actors(model, TOP_WARN);
    model_alerts_of_scopes(model, top_get(model->now, "scopes"));
    const top_value *errors = top_get(model->now, "errors");
    for (const top_value *at = errors ? errors->first : NULL; at != NULL; at = at->next) {
        model_alert(model, TOP_WARN, "%.*s could not all be read (%.*s)", HY_SHOW(at->key),
                    HY_SHOW(at->text));
    }
    const top_value *node = top_get(model->now, "node"), *events = top_get(node, "events");
    uint32_t restarts = 0;
    for (const top_value *at = events ? events->first : NULL; at != NULL; at = at->next) {
        restarts += top_is(at, "kind", "restarted") &&
                    top_number(node, "now_ns") - top_number(at, "at_ns") < MODEL_RECENT_NS;
    }
    if (restarts > 0) {
        model_alert(model, TOP_WARN, "%u restart%s in the last minute", restarts,
                    restarts == 1 ? "" : "s");
    }
}

// ---- all of it --------------------------------------------------------------------------------

hy_err top_model_make(top_model *model, top_snapshot *now, const top_snapshot *before) {
    *model = (top_model){ .now = now->root, .before = before ? before->root : NULL };
    model->first_root = -1;
    if (model->before != NULL) {
        const int64_t passed =
            top_number(model->now, "now_ns") - top_number(model->before, "now_ns");
        const bool same =
            top_number(model->now, "uptime_ns") >= top_number(model->before, "uptime_ns");
        if (passed <= 0 || !same) model->before = NULL;
        model->seconds = model->before != NULL ? (double)passed / 1e9 : 0;
    }
    const top_value *account = top_get(top_get(now->root, "node"), "account");
    const top_value *was = top_get(top_get(model->before, "node"), "account");
    model->messages = top_speed(model, account, was, "handled");
    const top_value *dropped = top_get(account, "dropped"), *were = top_get(was, "dropped");
    for (const top_value *at = dropped ? dropped->first : NULL; at != NULL; at = at->next) {
        int64_t old = 0;
        for (const top_value *o = were ? were->first : NULL; o != NULL; o = o->next) {
            if (hy_bytes_equal(o->key, at->key)) old = o->number;
        }
        if (were != NULL) model->dropped += (double)(at->number - old) / model->seconds;
    }
    model->cpu = top_speed(model, top_get(now->root, "process"), top_get(model->before, "process"),
                           "cpu_ns") /
                 1e9;
    const hy_err err = model_actors(model, &now->arena);
    if (err == HY_OK) model_alerts(model);
    return err;
}
