// thread.c - a worker's thread: a world, a root, and a body that waits until it is told to go.
//
// The thread reports to the keeper when its worker runs, or could not. From then on whatever it
// does it does as any worker. It is told to go by a call between two turns, when no actor lives any
// more; it closes its root and its world, and is joined.
//
// What the node's scope binds is copied into a preset for the thread's root scope: see inside.h.
#include "actor/thread.h"
#include "actor/worker.h"

#include "scope/above.h"
#include "scope/context.h"

enum { THREAD_STARTING, THREAD_UP, THREAD_FAILED };

struct hyi_worker_thread {
    hyi_worker *worker;
    hyi_keeper *keeper;
    hy_thread *thread;   // NULL: never started
    _Atomic uint32_t is; // THREAD_*; release by the thread, acquire by the keeper
    hy_err err;
    hyi_call leave;
    hy_event left; // the thread's own
};

static void thread_tell(hyi_worker_thread *it, uint32_t is, hy_err err) {
    it->err = err;
    // Release: pairs with the acquire in hyi_threads_are_up.
    atomic_store_explicit(&it->is, is, memory_order_release);
    hyi_node_look(&it->keeper->node);
}

static void thread_on_leave(hyi_call *call, hyi_worker *worker) {
    (void)worker;
    hyi_worker_thread *it = HYI_HOLDER(hyi_worker_thread, leave, call);
    hy_event_set(&it->left);
}

static hy_err thread_body(void *arg) {
    hyi_worker_thread *it = (hyi_worker_thread *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "actors", .policy = hy_ignore) {
        err = hyi_worker_start(it->worker, scope);
        if (err == HY_OK) {
            thread_tell(it, THREAD_UP, HY_OK);
            (void)hy_event_wait(&it->left);
            hyi_worker_stop(it->worker);
        }
    }
    return err;
}

static void thread_run(void *arg) {
    hyi_worker_thread *it = (hyi_worker_thread *)arg;
    hy_world *world = NULL;
    hy_err err = hy_world_open(HY_OPTIONS(hy_world, .mem = it->keeper->node.mem), &world);
    if (err == HY_OK) {
        hy_root_options options = { .size = sizeof options, .name = "worker" };
        options.scope.preset = &it->keeper->context;
        err = hy_root_run(world, &options, thread_body, it);
    }
    if (atomic_load_explicit(&it->is, memory_order_relaxed) == THREAD_STARTING) {
        thread_tell(it, THREAD_FAILED, err == HY_OK ? HY_NOMEM : err);
    }
    hy_world_close(world);
}

hy_err hyi_threads_start(hyi_keeper *keeper) {
    hy_node *node = &keeper->node;
    uint32_t count = node->worker_count - 1;
    if (count == 0) return HY_OK;
    size_t size = count * sizeof(hyi_worker_thread);
    keeper->threads = (hyi_worker_thread *)hy_mem_alloc_zero(node->mem, size);
    if (!keeper->threads) return HY_NOMEM;
    hy_err err = hyi_context_snapshot(node->scope, node->mem, &keeper->context);
    for (uint32_t i = 0; err == HY_OK && i < count; i++) {
        hyi_worker_thread *it = &keeper->threads[i];
        it->worker = node->workers[i + 1];
        it->keeper = keeper;
        it->leave.run = thread_on_leave;
        hy_thread_options options = { .size = sizeof options, .name = "hypha-actors" };
        if (node->options.pin) options.cpu = (i + 1) % hy_world_cores(keeper->world) + 1;
        err = hy_thread_start(keeper->world, &options, thread_run, it, &it->thread);
    }
    return err;
}

bool hyi_threads_are_up(hyi_keeper *keeper, hy_err *out_err) {
    bool all = true;
    for (uint32_t i = 0; i + 1 < keeper->node.worker_count; i++) {
        hyi_worker_thread *it = &keeper->threads[i];
        // Acquire: pairs with the release in thread_tell.
        uint32_t is = atomic_load_explicit(&it->is, memory_order_acquire);
        if (is == THREAD_STARTING) all = false;
        if (is == THREAD_FAILED) *out_err = it->err;
    }
    return all;
}

// Those that failed have gone by themselves; those that are still starting are waited for.
void hyi_threads_stop(hyi_keeper *keeper) {
    if (!keeper->threads) return;
    for (uint32_t i = 0; i + 1 < keeper->node.worker_count; i++) {
        hyi_worker_thread *it = &keeper->threads[i];
        if (!it->thread) continue;
        while (atomic_load_explicit(&it->is, memory_order_acquire) == THREAD_STARTING)
            (void)hy_sleep(HY_US(100));
        if (atomic_load_explicit(&it->is, memory_order_acquire) == THREAD_UP) {
            hyi_worker_call(it->worker, &it->leave);
        }
        hy_thread_join(it->thread); // it has nothing left to wait for
    }
}

void hyi_threads_free(hyi_keeper *keeper) {
    hyi_context_snapshot_free(keeper->node.mem, &keeper->context);
    size_t count = keeper->node.worker_count > 0 ? keeper->node.worker_count - 1 : 0;
    hy_mem_free(keeper->node.mem, keeper->threads, count * sizeof(hyi_worker_thread));
    keeper->threads = NULL;
}
