// flight.c - of those who ask for one key at the same time, one works.
//
// The work is a task of the flight's scope, not of the one who asked first, so it sees the flight's
// context, and goes on when the first is cancelled but others wait. When nobody waits any more it
// is cancelled, and forgotten at once: who asks for the key next begins anew instead of sharing an
// end that was meant for others.
#include "flow/keyed.h"

#include "base/cleanup.h"
#include "scope/wait.h"

#include <hypha/flow.h>

#include <string.h>

#define FLIGHT_KEY_MAX 65536u

struct hy_flight {
    hy_scope *scope;
    hy_mem *mem;
    hyi_index runs;
    uint32_t keys_max;
};

typedef struct flight_run {
    hyi_keyed keyed;
    hy_flight *flight;
    bool listed;      // in the index
    hyi_list waiting; // flight_place
    hy_scope *scope;  // of the work, while it is at work
    hy_load work;
    void *self;
    uint8_t key[];
} flight_run;

typedef struct flight_place {
    hyi_wait wait;
    hyi_link link;
    flight_run *run;
    hy_shared *shared;
} flight_place;

// ---- one run ----

static flight_run *flight_new(hy_flight *flight, hy_bytes key, uint64_t hash) {
    flight_run *run = (flight_run *)hy_mem_alloc(flight->mem, sizeof *run + key.len);
    if (!run) return NULL;
    *run = (flight_run){ .flight = flight, .listed = true };
    memcpy(run->key, key.ptr, key.len);
    run->keyed = (hyi_keyed){ .hash = hash, .key = { run->key, key.len } };
    hyi_list_init(&run->waiting);
    hyi_index_add(&flight->runs, &run->keyed);
    return run;
}

static void flight_unlist(flight_run *run) {
    if (run->listed) hyi_index_remove(&run->flight->runs, &run->keyed);
    run->listed = false;
}

// Everybody who waits gets a hold of its own.
static void flight_land(flight_run *run, hy_err err, hy_shared *shared) {
    flight_unlist(run);
    for (hyi_link *link; (link = hyi_list_first(&run->waiting)) != NULL;) {
        flight_place *place = HYI_HOLDER(flight_place, link, link);
        hyi_list_remove(link);
        place->shared = err == HY_OK ? hy_shared_keep(shared) : NULL;
        hyi_wake(place->wait.task, err);
    }
    hy_shared_drop(shared);
    hy_mem_free(run->flight->mem, run, sizeof *run + run->keyed.key.len);
}

static hy_err flight_fly(void *arg) {
    flight_run *run = arg;
    hy_err err = HY_OK;
    hy_shared *shared = NULL;
    HY_SCOPE(scope, &err, .name = "flight") {
        run->scope = scope;
        if (hyi_list_is_empty(&run->waiting)) hy_scope_cancel(scope, HY_CANCELLED);
        err = run->work(run->self, run->keyed.key, &shared);
        HY_ASSERT(HY_IMPLIES(err == HY_OK, shared != NULL));
        if (err != HY_OK) break;
    }
    if (err != HY_OK && shared) { // what the work started has failed after it
        hy_shared_drop(shared);
        shared = NULL;
    }
    flight_land(run, err, shared);
    return HY_OK;
}

// ---- waiting for it ----

static void flight_unhook(hyi_wait *wait) {
    flight_place *place = HYI_HOLDER(flight_place, wait, wait);
    flight_run *run = place->run;
    hyi_list_remove(&place->link);
    if (!hyi_list_is_empty(&run->waiting) || !run->listed) return;
    flight_unlist(run);
    if (run->scope) hy_scope_cancel(run->scope, HY_CANCELLED);
}

static hy_err flight_join(flight_run *run, hy_shared **out_shared) {
    flight_place place = {
        .wait = { .unhook = flight_unhook, .what = "flight", .deadline = HY_NEVER }, .run = run
    };
    hyi_list_append(&run->waiting, &place.link);
    hy_err err = hyi_park(&place.wait);
    if (err == HY_OK) *out_shared = place.shared;
    return err;
}

hy_err hy_flight_do(hy_flight *flight, hy_bytes key, hy_load work, void *self,
                    hy_shared **out_shared) {
    HY_ASSERT(key.len > 0);
    if (key.len > FLIGHT_KEY_MAX) return HY_TOO_LARGE;
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    uint64_t hash = hyi_index_hash(&flight->runs, key);
    hyi_keyed *found = hyi_index_find(&flight->runs, key, hash);
    if (found) return flight_join(HYI_HOLDER(flight_run, keyed, found), out_shared);
    if (flight->runs.count >= flight->keys_max) return HY_LIMIT;
    flight_run *run = flight_new(flight, key, hash);
    if (!run) return HY_NOMEM;
    run->work = work;
    run->self = self;
    err = hy_spawn(flight->scope, flight_fly, run, HY_OPTIONS(hy_spawn, .name = "flight"), NULL);
    if (err == HY_OK) return flight_join(run, out_shared);
    flight_land(run, err, NULL);
    return err;
}

// ---- opening ----

static void flight_free(void *object) {
    hy_flight *flight = (hy_flight *)object;
    hyi_index_deinit(&flight->runs);
    hy_mem_free(flight->mem, flight, sizeof *flight);
}

hy_err hy_flight_open(hy_scope *scope, uint32_t keys_max, hy_flight **out_flight) {
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_world_mem(world);
    hy_flight *flight = (hy_flight *)hy_mem_alloc_zero(mem, sizeof *flight);
    if (!flight) return HY_NOMEM;
    flight->scope = scope;
    flight->mem = mem;
    flight->keys_max = keys_max > 0 ? keys_max : 1024;
    hy_err err = hyi_index_init(&flight->runs, mem, hy_world_random(world));
    if (err != HY_OK) {
        flight_free(flight);
        return err;
    }
    err = hy_own(scope, flight, flight_free, 0);
    if (err == HY_OK) *out_flight = flight;
    return err;
}
