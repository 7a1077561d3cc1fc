// node.c - a node's life: opened as a service of a scope, closed with it.
//
// The service's fiber is the node's keeper. In its own scope it leaves a small fiber that waits to
// be told to stop (the watch); it then opens a block behind a shield, in which the dispatchers of
// worker 0 run, starts the other workers' threads, says that it is ready, and waits for the watch.
// The shield is there because actors stop in an order and within a grace of their own: a cancelled
// scope only makes that grace short.
//
//     open     tables, workers, threads; each reports that it runs, or why not
//     serve    nothing
//     close    no more spawns; actors below a scope stop first, then the others; after the grace
//              they are killed; then the threads are told, and joined; then the memory goes
//
// Other threads tell the keeper that something has changed by one post, `look`. It is counted in
// one atomic, so it is never posted twice, and whoever looks then sees all that was written before.
#include "actor/node.h"
#include "actor/dead.h"
#include "actor/ending.h"
#include "actor/incident.h"
#include "actor/for_broker.h"
#include "actor/life.h"
#include "actor/mailbox.h"
#include "actor/share.h"
#include "actor/slab.h"
#include "actor/slab.h"
#include "actor/slot.h"
#include "actor/thread.h"
#include "actor/watchdog.h"
#include "actor/worker.h"

#include "base/options.h"
#include "scope/above.h"

#define NODE_ACTORS_MAX (1u << 24)
#define NODE_TURN_MAX 64u
#define NODE_STOP_MAX HY_SECONDS(10)

static hy_err node_serve(void *arg);
static void node_free(hyi_keeper *keeper);

static inline hyi_keeper *node_keeper(hy_node *node) {
    return HYI_HOLDER(hyi_keeper, node, node);
}

// ---- opening ----------------------------------------------------------------------------------

static hy_err node_fill_options(hy_node_options *options, hy_world *world) {
    bool is_real = hy_world_is_real(world);
    if (!options->name) options->name = "node";
    if (!options->number) options->number = 1;
    if (!options->workers) options->workers = hy_world_cores(world);
    if (options->workers > HYI_WORKERS_MAX) return HY_RANGE;
    if (!is_real) options->workers = 1;
    if (!options->actors_max) options->actors_max = NODE_ACTORS_MAX;
    if (!options->turn_max) options->turn_max = NODE_TURN_MAX;
    if (!options->stuck_after) options->stuck_after = HY_SECONDS(1);
    if (!options->events_max) options->events_max = 1024;
    if (!options->dead_letters_max) options->dead_letters_max = 256;
    if (!options->stop_max) options->stop_max = NODE_STOP_MAX;
    return HY_OK;
}

static void node_on_look(hy_post *post) {
    hyi_keeper *keeper = HYI_HOLDER(hyi_keeper, look, post);
    // Acquire: pairs with the release in hyi_node_look; see there.
    atomic_exchange_explicit(&keeper->look_asked, 0, memory_order_acq_rel);
    hy_event_set(&keeper->changed);
}

void hyi_node_look(hy_node *node) {
    hyi_keeper *keeper = node_keeper(node);
    // Release: pairs with the acquire in node_on_look, also through another one's exchange.
    if (atomic_exchange_explicit(&keeper->look_asked, 1, memory_order_acq_rel) == 0) {
        hy_world_post(keeper->world, &keeper->look);
    }
}

void hyi_node_one_less(hy_node *node) {
    hyi_node_look(node);
}

static hy_err node_new(hy_world *world, const hy_node_options *options, hyi_keeper **out_keeper) {
    hy_mem *mem = hy_world_mem(world);
    hyi_keeper *keeper = (hyi_keeper *)hy_mem_alloc_zero(mem, sizeof *keeper);
    if (!keeper) return HY_NOMEM;
    hy_node *node = &keeper->node;
    keeper->world = world;
    keeper->look.done = node_on_look;
    node->is_real = hy_world_is_real(world);
    node->mem = mem;
    if (!node->is_real) {
        hyi_root_mem_init(&keeper->tracked, mem);
        node->mem = &keeper->tracked.mem;
    }
    node->options = *options;
    *out_keeper = keeper;
    return HY_OK;
}

static hy_err node_open_parts(hy_node *node) {
    hy_err err = hyi_slots_open(node);
    if (err == HY_OK) err = hyi_letters_open(node);
    if (err == HY_OK) err = hyi_mailboxes_open(node);
    if (err == HY_OK) err = hyi_incident_open(node);
    for (uint32_t i = 0; err == HY_OK && i < node->options.workers; i++) {
        err = hyi_worker_new(node, (uint8_t)i, &node->workers[i]);
        if (err == HY_OK) node->worker_count++;
    }
    return err == HY_OK ? hyi_node_enter(node) : err;
}

hy_err hy_node_open(hy_scope *scope, const hy_node_options *given, hy_node **out_node) {
    HY_ASSERT(hyi_current != NULL); // it waits: only from a fiber
    hy_node_options options;
    hyi_options_read(&options, sizeof options, given);
    if (!scope) scope = hy_scope_current();
    hy_world *world = hy_scope_world(scope);
    hy_err err = node_fill_options(&options, world);
    if (err != HY_OK) return err;
    hyi_keeper *keeper = NULL;
    err = node_new(world, &options, &keeper);
    if (err != HY_OK) return err;
    keeper->opening = true;
    err = node_open_parts(&keeper->node);
    if (err == HY_OK) *out_node = &keeper->node; // from here on a crash leaves something behind
    hy_service_spec spec = { .size = sizeof spec,
                             .name = options.name,
                             .fn = node_serve,
                             .arg = keeper,
                             .restart = HY_TEMPORARY,
                             .stop_max = options.stop_max };
    if (err == HY_OK) err = hy_start(scope, &spec, NULL);
    keeper->opening = false;
    if (err == HY_OK && keeper->ended) err = HY_CLOSED;
    if (err != HY_OK) {
        node_free(keeper);
        *out_node = NULL;
        return err;
    }
    return HY_OK;
}

uint32_t hy_node_workers(const hy_node *node) {
    return node->worker_count;
}

// ---- the keeper -------------------------------------------------------------------------------

// The first time it is told to drain, the second time that its time is over.
static hy_err node_watch(void *arg) {
    hyi_keeper *keeper = (hyi_keeper *)arg;
    bool drains = hy_wait_draining() == HY_CLOSED;
    keeper->told = true;
    keeper->is_cut = !drains;
    hy_event_set(&keeper->changed);
    if (drains) (void)hy_sleep_until(HY_NEVER);
    keeper->is_cut = true;
    hy_event_set(&keeper->changed);
    return HY_OK;
}

// Waits until something has changed, or `deadline`.
static void node_wait(hyi_keeper *keeper, hy_ns deadline) {
    if (!keeper->changed.is_set) {
        hy_err err = HY_OK;
        if (deadline == HY_NEVER) {
            err = hy_event_wait(&keeper->changed);
        } else {
            HY_SCOPE(limit, &err, .name = "wait", .deadline = deadline) {
                err = hy_event_wait(&keeper->changed);
            }
        }
        (void)err; // whatever it was, the caller looks
    }
    hy_event_clear(&keeper->changed);
}

static void node_poke_all(hy_node *node, uint8_t orders) {
    uint32_t used = atomic_load_explicit(&node->slots_used, memory_order_acquire);
    while (used-- > 0) {
        hy_actor *actor = hyi_slot_at(node, used);
        hyi_poke(actor, orders);
    }
}

static void node_await_actors(hyi_keeper *keeper, hy_ns deadline, bool until_cut) {
    hy_node *node = &keeper->node;
    while (hyi_node_born(node) > 0 && !(until_cut && keeper->is_cut) &&
           (deadline == HY_NEVER || hy_world_now(keeper->world) < deadline)) {
        node_wait(keeper, deadline);
    }
}

static void node_stop_actors(hyi_keeper *keeper) {
    hy_node *node = &keeper->node;
    hy_ns deadline = hy_ns_add(hy_world_now(keeper->world), node->options.stop_max);
    atomic_store_explicit(&node->closing, true, memory_order_seq_cst);
    if (!keeper->is_cut) {
        node_poke_all(node, HYI_ORDER_LOOK); // the owners see who is below nobody: hyi_turn
        node_await_actors(keeper, deadline, true);
    }
    while (hyi_node_born(node) > 0) {
        node_poke_all(node, HYI_ORDER_KILL);
        node_await_actors(keeper, hy_ns_add(hy_world_now(keeper->world), HY_MS(100)), false);
    }
}

static hy_err node_run(hyi_keeper *keeper, hy_scope *scope) {
    hy_node *node = &keeper->node;
    node->scope = scope;
    hy_err err = hyi_worker_start(node->workers[0], scope);
    if (err != HY_OK) return err;
    err = hyi_watchdog_open(node, keeper->world);
    if (err == HY_OK) err = hyi_threads_start(keeper);
    while (err == HY_OK && !hyi_threads_are_up(keeper, &err))
        node_wait(keeper, HY_NEVER);
    if (err == HY_OK) {
        hyi_node_show(node);
        hy_ready();
        while (!keeper->told)
            node_wait(keeper, HY_NEVER);
        node_stop_actors(keeper);
    }
    hyi_watchdog_stop(node);
    hyi_threads_stop(keeper);
    hyi_worker_stop(node->workers[0]);
    return err;
}

static hy_err node_serve(void *arg) {
    hyi_keeper *keeper = (hyi_keeper *)arg;
    hy_task *watch = NULL;
    hy_err err = hy_spawn(NULL, node_watch, keeper, NULL, &watch);
    if (err != HY_OK) {
        keeper->ended = true;
        return err;
    }
    HY_SCOPE(scope, &err, .name = "actors", .shield = HY_NEVER, .policy = hy_ignore) {
        err = node_run(keeper, scope);
        hy_task_cancel(watch, HY_CANCELLED);
        hy_err watched = hy_await(watch);
        HY_ASSERT(watched == HY_OK);
        // Acquire: pairs with the release in hyi_node_look: its post may be under way.
        while (atomic_load_explicit(&keeper->look_asked, memory_order_acquire))
            (void)hy_yield();
    }
    keeper->ended = true;
    hyi_node_forget(&keeper->node);
    if (!keeper->opening) node_free(keeper);
    return err;
}

// ---- the end ----------------------------------------------------------------------------------

// What other threads pushed to actors that had just ended: nobody has found it since.
static void node_wipe_slots(hy_node *node) {
    hy_actor *actor = NULL;
    for (uint32_t i = 0; (actor = hyi_slot_at(node, i)); i++) {
        hyi_life_wipe(actor);
    }
}

// False: messages of its slabs wait in mailboxes of other nodes of the process, which will give
// them back to its workers. Then the slabs, workers and the node's record stay for good: it is
// rare, and bounded, and a lock around each end of a message is not.
static bool node_is_whole(hy_node *node) {
    if (!atomic_load_explicit(&node->exported, memory_order_relaxed)) return true;
    bool is_whole = true;
    for (uint32_t i = 0; i < node->worker_count; i++)
        is_whole = is_whole && hyi_slabs_are_whole(node->workers[i]);
    return is_whole;
}

static void node_free(hyi_keeper *keeper) {
    hy_node *node = &keeper->node;
    hy_mem *mem = hy_world_mem(keeper->world);
    hyi_node_forget(node);
    hyi_incident_close(node);
    hyi_watchdog_close(node);
    hyi_threads_free(keeper);
    hyi_mailboxes_close(node);
    hyi_letters_close(node);
    node_wipe_slots(node);
    bool is_whole = node_is_whole(node);
    for (uint32_t i = 0; is_whole && i < node->worker_count; i++)
        hyi_worker_free(node->workers[i]);
    hyi_slots_close(node);
    while (node->later) {
        hyi_later *later = node->later;
        node->later = later->next;
        later->free_it(later);
    }
    if (is_whole) hy_mem_free(mem, keeper, sizeof *keeper);
}

void hy_node_abandon(hy_node *node) {
    if (!node || !hyi_node_is_entered(node)) return;
    hyi_keeper *keeper = node_keeper(node);
    HY_ASSERT(!node->is_real); // a real process is simply gone
    hyi_node_forget(node);
    if (hyi_here && hyi_here->node == node) hyi_here = NULL;
    for (uint32_t i = 0; i < node->worker_count; i++)
        hyi_slabs_allow(node->workers[i]);
    hyi_root_mem_free_all(&keeper->tracked);
    hy_mem_free(hy_world_mem(keeper->world), keeper, sizeof *keeper);
}
