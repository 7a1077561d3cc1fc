// root.c - the tree's root: a scope on a world, and the fiber of its body.
//
// The body's fiber is the opener of the root scope as a block's fiber is of its block: when the
// body has returned it waits for the tasks, and closes the scope. It is the only task that belongs
// to no scope. The root itself goes away in a post of its own, because the end of the last fiber is
// told on that fiber's stack.
//
// The root scope has its record for stopping from the start: a signal must not meet a lack of
// memory.
//
// After a crash of a simulated machine there is nobody to run the ends of anything. The root of a
// simulated world therefore knows all of its memory (root_mem.h), and hy_root_abandon gives it back
// without looking into it.
#include "scope/root_mem.h"
#include "base/options.h"
#include "scope/root_signals.h"
#include "scope/service.h"

#include <string.h>

typedef struct root_record {
    hy_root root;
    hy_scope scope;
    struct hyi_root_signals signals;
    hyi_root_mem tracked; // a simulated world's
    hy_post gone;
    hy_fn body;
    void *arg;
    hy_err err;
} root_record;

static hyi_place root_place = { "root", 0, 0 };

// ---- the end ----------------------------------------------------------------------------------

static void root_free(root_record *it) {
    hy_root *root = &it->root;
    hyi_root_signals_close(&it->signals);
    hyi_root_scheduler_close(root);
    hyi_fds_close(root);
    hyi_tables_free(root);
    hy_mem_free(hy_world_mem(root->world), it, sizeof *it);
}

static void root_on_gone(hy_post *post) {
    root_record *it = HYI_HOLDER(root_record, gone, post);
    void (*done)(void *, hy_err) = it->root.done;
    void *self = it->root.done_self;
    hy_err err = it->err;
    root_free(it);
    if (done) done(self, err);
}

void hyi_root_body_ended(hy_task *task) {
    root_record *it = HYI_HOLDER(root_record, root, task->root);
    it->err = task->result;
    it->scope.opener = NULL; // the scope can still be asked and cancelled until `done`
    hyi_task_free(task);
    hyi_root_signals_close(&it->signals); // there is no scope any more that could be stopped
    hy_world_post(it->root.world, &it->gone);
}

void hy_root_abandon(hy_root *root) {
    if (!root) return;
    root_record *it = HYI_HOLDER(root_record, root, root);
    HY_ASSERT(!root->is_real); // real memory is not tracked, and a real process is simply gone
    HY_ASSERT(!root->running);
    hyi_root_signals_close(&it->signals);
    hyi_root_scheduler_close(root);
    hyi_root_mem_free_all(&it->tracked);
    hy_mem_free(hy_world_mem(root->world), it, sizeof *it);
}

// ---- the beginning ----------------------------------------------------------------------------

static hy_err root_body(void *arg) {
    root_record *it = (root_record *)arg;
    hy_scope *scope = &it->scope;
    hy_err body = it->body(it->arg);
    hyi_root_stopping(&it->root);
    hy_err why = hy_scope_reason(scope);
    hy_err err = hyi_scope_finish(scope, body != HY_OK);
    return body == HY_OK || body == why ? err : body;
}

static hy_err root_open_scope(root_record *it, const hy_root_options *options) {
    hy_root *root = &it->root;
    hy_scope_options scope = options->scope;
    if (!scope.name) scope.name = options->name ? options->name : "root";
    if (!scope.stop_max) scope.stop_max = options->stop_max;
    if (!scope.stop_max) scope.stop_max = HYI_STOP_MAX_DEFAULT; // so that it has hyi_more
    return hyi_scope_init(&it->scope, root, NULL, &scope, 0);
}

static hy_err root_open(root_record *it, const hy_root_options *options) {
    hy_root *root = &it->root;
    hy_task *task = NULL;
    hy_err err = hyi_task_new(root, root_body, it, HY_STACK_DEFAULT, &root_place, &task);
    if (err != HY_OK) return err;
    err = root_open_scope(it, options);
    if (err != HY_OK) {
        hyi_task_free(task);
        return err;
    }
    HY_ASSERT(it->scope.more != NULL);
    root->scope = &it->scope;
    it->scope.opener = task;
    task->name = it->scope.name;
    task->scope = &it->scope;
    task->table = it->scope.table;
    hyi_task_ready(task);
    return HY_OK;
}

static void root_set(root_record *it, hy_world *world, const hy_root_options *options) {
    hy_root *root = &it->root;
    root->world = world;
    root->mem = hy_world_mem(world);
    if (!hy_world_is_real(world)) {
        hyi_root_mem_init(&it->tracked, root->mem);
        root->mem = &it->tracked.mem;
    }
    root->stack_default = options->stack;
    root->fibers_max = options->fibers_max;
    root->observer = options->observer;
    root->observer_self = options->observer_self;
    it->gone.done = root_on_gone;
}

hy_err hy_root_start(hy_world *world, const hy_root_options *given, hy_fn body, void *arg,
                     void (*done)(void *self, hy_err err), void *self, hy_root **out_root) {
    hy_root_options options;
    hyi_options_read(&options, sizeof options, given);
    root_record *it = (root_record *)hy_mem_alloc_zero(hy_world_mem(world), sizeof *it);
    if (!it) return HY_NOMEM;
    root_set(it, world, &options);
    it->root.done = done;
    it->root.done_self = self;
    it->body = body;
    it->arg = arg;
    hy_err err = hyi_root_scheduler_open(&it->root, options.stacks_kept);
    if (err != HY_OK) {
        hy_mem_free(hy_world_mem(world), it, sizeof *it);
        return err;
    }
    err = hyi_root_signals_open(&it->signals, &it->root, &options);
    if (err == HY_OK) err = root_open(it, &options);
    if (err != HY_OK) {
        root_free(it);
        return err;
    }
    *out_root = &it->root;
    return HY_OK;
}

hy_scope *hy_root_scope(hy_root *root) {
    return root->scope;
}

// ---- the whole of many programs ---------------------------------------------------------------

typedef struct root_run {
    hy_world *world;
    bool done;
    hy_err err;
} root_run;

static void root_on_done(void *self, hy_err err) {
    root_run *run = (root_run *)self;
    run->err = err;
    run->done = true;
    hy_world_stop(run->world);
}

// The world came back before the root had ended: somebody stopped the world, or everybody waits for
// something that nobody will do. The tree is told, so that everything in it is given back, also in
// a world that is stopped once more. Only who waits for nothing behind a shield stays.
static hy_err root_cut_short(hy_world *world, hy_root *root, root_run *run) {
    hy_err why = hy_world_turn(world) ? HY_CANCELLED : HY_DEADLOCK;
    if (!run->done) hy_scope_cancel(root->scope, why);
    bool is_left = true;
    while (!run->done && is_left) {
        hy_world_run(world);
        is_left = run->done || hy_world_turn(world);
    }
    if (run->done) return run->err != HY_OK ? run->err : why;
    root->done = NULL; // `run` goes
    if (!root->is_real) hy_root_abandon(root);
    return why;
}

hy_err hy_root_run(hy_world *world, const hy_root_options *options, hy_fn body, void *arg) {
    root_run run = { .world = world };
    hy_root *root = NULL;
    hy_err err = hy_root_start(world, options, body, arg, root_on_done, &run, &root);
    if (err != HY_OK) return err;
    hy_world_run(world);
    if (run.done) return run.err;
    if (!root->is_real && hy_sim_has_crashed(world)) {
        hy_root_abandon(root);
        return HY_CLOSED;
    }
    return root_cut_short(world, root, &run);
}
