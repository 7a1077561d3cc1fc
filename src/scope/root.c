// root.c - the tree's root: a scope on a world, and the fiber of its body.
//
// The body's fiber is the opener of the root scope as a block's fiber is of its block: when the
// body has returned it waits for the tasks, and closes the scope. It is the only task that belongs
// to no scope. The root itself goes away in a post of its own, because the end of the last fiber is
// told on that fiber's stack.
#include "scope/service.h"

#include <string.h>

typedef struct root_record {
    hy_root root;
    hy_scope scope;
    hy_post gone;
    hy_fn body;
    void *arg;
    hy_err err;
} root_record;

static hyi_place root_place = { "root", 0, 0 };

static void root_free(root_record *it) {
    hy_root *root = &it->root;
    hyi_root_scheduler_close(root);
    hyi_tables_free(root);
    hy_mem_free(root->mem, it, sizeof *it);
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
    hyi_task_free(task);
    hy_world_post(it->root.world, &it->gone);
}

static hy_err root_body(void *arg) {
    root_record *it = (root_record *)arg;
    hy_scope *scope = &it->scope;
    hy_err body = it->body(it->arg);
    hy_err why = hy_scope_reason(scope);
    hy_err err = hyi_scope_finish(scope, body != HY_OK);
    return body == HY_OK || body == why ? err : body;
}

static void root_set(hy_root *root, const hy_root_options *options) {
    root->stack_default = options->stack;
    root->fibers_max = options->fibers_max;
    root->observer = options->observer;
    root->observer_self = options->observer_self;
}

static hy_err root_open(root_record *it, const hy_root_options *options) {
    hy_root *root = &it->root;
    hy_scope_options scope = options->scope;
    if (!scope.name) scope.name = options->name ? options->name : "root";
    if (!scope.stop_max) scope.stop_max = options->stop_max;
    hy_task *task = NULL;
    hy_err err = hyi_task_new(root, root_body, it, HY_STACK_DEFAULT, &root_place, &task);
    if (err != HY_OK) return err;
    err = hyi_scope_init(&it->scope, root, NULL, &scope, 0);
    if (err != HY_OK) {
        hyi_task_free(task);
        return err;
    }
    root->scope = &it->scope;
    it->scope.opener = task;
    task->name = it->scope.name;
    task->scope = &it->scope;
    task->table = it->scope.table;
    hyi_task_ready(task);
    return HY_OK;
}

hy_err hy_root_start(hy_world *world, const hy_root_options *given, hy_fn body, void *arg,
                     void (*done)(void *self, hy_err err), void *self, hy_root **out_root) {
    hy_root_options options = { .size = sizeof options };
    if (given) {
        HY_ASSERT(given->size <= sizeof options); // built against a newer header
        memcpy(&options, given, given->size);
    }
    hy_mem *mem = hy_world_mem(world);
    root_record *it = (root_record *)hy_mem_alloc_zero(mem, sizeof *it);
    if (!it) return HY_NOMEM;
    it->root.world = world;
    it->root.mem = mem;
    it->root.done = done;
    it->root.done_self = self;
    it->gone.done = root_on_gone;
    it->body = body;
    it->arg = arg;
    root_set(&it->root, &options);
    hy_err err = hyi_root_scheduler_open(&it->root, options.stacks_kept);
    if (err != HY_OK) {
        hy_mem_free(mem, it, sizeof *it);
        return err;
    }
    err = root_open(it, &options);
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

void hyi_root_ready(hy_root *root) {
    (void)root;
}

typedef struct root_run {
    hy_world *world;
    hy_err err;
} root_run;

static void root_on_done(void *self, hy_err err) {
    root_run *run = (root_run *)self;
    run->err = err;
    hy_world_stop(run->world);
}

hy_err hy_root_run(hy_world *world, const hy_root_options *options, hy_fn body, void *arg) {
    root_run run = { .world = world, .err = HY_DEADLOCK };
    hy_root *root = NULL;
    hy_err err = hy_root_start(world, options, body, arg, root_on_done, &run, &root);
    if (err != HY_OK) return err;
    hy_world_run(world);
    return run.err;
}
