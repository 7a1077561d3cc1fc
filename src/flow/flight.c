// flight.c - of those who ask for one key at the same time, one works.
//
// The work is a task of the flight's scope, not of the one who asked first, so it sees the flight's
// context, and goes on when the first is cancelled but others wait. When nobody waits any more it
// is cancelled, and forgotten at once: who asks for the key next begins anew instead of sharing an
// end that was meant for others.
//
// Where the scope takes no task, because it drains or is full, the one who began the run works
// himself, in his own context: requests under way are answered while a program stops, and a scope
// whose tasks all wait for loads does not wait for ever. He is the run's leader then. A leader that
// is cancelled hands the run over to the first of those who wait, who begins the work again, so a
// cancellation is nobody else's.
#include "flow/flight.h"

#include "flow/keyed.h"
#include "scope/above.h"
#include "scope/list.h"

#include <string.h>

struct hy_flight {
    hy_scope *scope;
    hy_mem *mem;
    hyi_lookup runs;
    uint32_t keys_max;
};

typedef struct flight_run {
    hyi_keyed keyed;
    hy_flight *flight;
    bool listed;      // in the index
    bool led;         // somebody who is not in `waiting` does the work
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
    bool leads; // it is the leader now
} flight_place;

// ---- one run ----

static flight_run *flight_new(hy_flight *flight, hy_bytes key, uint64_t hash) {
    flight_run *run = (flight_run *)hy_mem_alloc(flight->mem, sizeof *run + key.len);
    if (!run) return NULL;
    *run = (flight_run){ .flight = flight, .listed = true };
    memcpy(run->key, key.ptr, key.len);
    run->keyed = (hyi_keyed){ .hash = hash, .key = { run->key, key.len } };
    hyi_list_init(&run->waiting);
    hyi_lookup_add(&flight->runs, &run->keyed);
    return run;
}

static void flight_unlist(flight_run *run) {
    if (run->listed) hyi_lookup_remove(&run->flight->runs, &run->keyed);
    run->listed = false;
}

static flight_place *flight_first(const flight_run *run) {
    hyi_link *link = hyi_list_first(&run->waiting);
    return link ? HYI_HOLDER(flight_place, link, link) : NULL;
}

// Everybody who waits gets a hold of its own.
static void flight_land(flight_run *run, hy_err err, hy_shared *shared) {
    flight_unlist(run);
    for (flight_place *place; (place = flight_first(run)) != NULL;) {
        hyi_list_remove(&place->link);
        place->shared = err == HY_OK ? hy_shared_keep(shared) : NULL;
        hyi_wake(place->wait.task, err);
    }
    hy_shared_drop(shared);
    hy_mem_free(run->flight->mem, run, sizeof *run + run->keyed.key.len);
}

static hy_err flight_work(flight_run *run, hy_shared **out_shared) {
    hy_err err = HY_OK;
    hy_shared *shared = NULL;
    HY_SCOPE(scope, &err, .name = "flight") {
        run->scope = scope;
        bool wanted = run->led || flight_first(run);
        if (!wanted) hy_scope_cancel(scope, HY_CANCELLED);
        err = run->work(run->self, run->keyed.key, &shared);
        HY_ASSERT(HY_IMPLIES(err == HY_OK, shared != NULL));
        if (err != HY_OK) break;
    }
    run->scope = NULL;
    if (err == HY_OK) {
        *out_shared = shared;
    } else {
        hy_shared_drop(shared); // what the work started has failed after it
    }
    return err;
}

static hy_err flight_task(void *arg) {
    flight_run *run = arg;
    hy_shared *shared = NULL;
    hy_err err = flight_work(run, &shared);
    flight_land(run, err, shared);
    return HY_OK;
}

// ---- leading it ----

static hy_err flight_lead(flight_run *run, hy_shared **out_shared);

static void flight_unhook(hyi_wait *wait) {
    flight_place *place = HYI_HOLDER(flight_place, wait, wait);
    flight_run *run = place->run;
    hyi_list_remove(&place->link);
    if (run->led || flight_first(run)) return;
    flight_unlist(run);
    if (run->scope) hy_scope_cancel(run->scope, HY_CANCELLED);
}

static hy_err flight_join(flight_run *run, hy_shared **out_shared) {
    flight_place place = {
        .wait = { .unhook = flight_unhook, .what = "flight", .deadline = HY_NEVER }, .run = run
    };
    hyi_list_append(&run->waiting, &place.link);
    hy_err err = hyi_park(&place.wait);
    if (err == HY_OK && place.leads) return flight_lead(run, out_shared);
    if (err == HY_OK) *out_shared = place.shared;
    return err;
}

// The leader has been told to go. False: nobody else is there.
static bool flight_hand_over(flight_run *run) {
    flight_place *place = flight_first(run);
    if (!place) return false;
    hyi_scope_live(run->flight->scope); // until the new one has begun, nobody else keeps it
    hyi_list_remove(&place->link);
    place->leads = true;
    hyi_wake(place->wait.task, HY_OK);
    return true;
}

// In this fiber; the scope waits for it.
static hy_err flight_work_here(flight_run *run, hy_shared **out_shared) {
    hy_scope *scope = run->flight->scope;
    hyi_scope_live(scope);
    hy_shared *shared = NULL;
    hy_err err = flight_work(run, &shared);
    bool handed_over = err != HY_OK && hy_check() != HY_OK && flight_hand_over(run);
    if (err == HY_OK) *out_shared = hy_shared_keep(shared);
    if (!handed_over) flight_land(run, err, shared);
    hyi_scope_unlive(scope);
    return err;
}

hy_err hyi_flight_spawn(hy_scope *scope, hy_fn fn, void *arg, const char *name) {
    hy_err err = hyi_spawn_refuses(scope);
    return err != HY_OK ? err : hy_spawn(scope, fn, arg, HY_OPTIONS(hy_spawn, .name = name), NULL);
}

static hy_err flight_begin(flight_run *run, hy_shared **out_shared) {
    hy_scope *scope = run->flight->scope;
    hy_err err = hyi_flight_spawn(scope, flight_task, run, "flight");
    run->led = (err == HY_CLOSED || err == HY_LIMIT) && hyi_scope_lives(scope);
    if (run->led) return flight_work_here(run, out_shared);
    if (err == HY_OK) return flight_join(run, out_shared);
    flight_land(run, err, NULL);
    return err;
}

// After a hand-over, which keeps the scope until here.
static hy_err flight_lead(flight_run *run, hy_shared **out_shared) {
    hy_scope *scope = run->flight->scope;
    hy_err err = flight_begin(run, out_shared);
    hyi_scope_unlive(scope);
    return err;
}

// ---- asking ----

// Does the one who asks do the work, or something for it? Then it would wait for itself.
static bool flight_is_in(const flight_run *run) {
    return run->scope && hyi_task_is_in(hyi_current, run->scope);
}

hy_err hy_flight_do(hy_flight *flight, hy_bytes key, hy_load work, void *self,
                    hy_shared **out_shared) {
    if (key.len == 0) return HY_RANGE;
    if (key.len > HYI_FLIGHT_KEY_MAX) return HY_TOO_LARGE;
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    uint64_t hash = hyi_lookup_hash(&flight->runs, key);
    hyi_keyed *found = hyi_lookup_find(&flight->runs, key, hash);
    if (found) {
        flight_run *run = HYI_HOLDER(flight_run, keyed, found);
        return flight_is_in(run) ? HY_DEADLOCK : flight_join(run, out_shared);
    }
    if (flight->runs.count >= flight->keys_max) return HY_LIMIT;
    flight_run *run = flight_new(flight, key, hash);
    if (!run) return HY_NOMEM;
    run->work = work;
    run->self = self;
    return flight_begin(run, out_shared);
}

void hyi_flight_forget(hy_flight *flight, hy_bytes key) {
    if (flight->runs.count == 0) return;
    hyi_keyed *found = hyi_lookup_find(&flight->runs, key, hyi_lookup_hash(&flight->runs, key));
    if (found) flight_unlist(HYI_HOLDER(flight_run, keyed, found));
}

void hyi_flight_forget_all(hy_flight *flight) {
    for (uint32_t i = 0; flight->runs.count > 0 && i < flight->runs.bucket_count; i++)
        while (flight->runs.buckets[i])
            flight_unlist(HYI_HOLDER(flight_run, keyed, flight->runs.buckets[i]));
}

// ---- opening ----

static void flight_free(void *object) {
    hy_flight *flight = (hy_flight *)object;
    hyi_lookup_deinit(&flight->runs);
    hy_mem_free(flight->mem, flight, sizeof *flight);
}

hy_err hy_flight_open(hy_scope *scope, uint32_t keys_max, hy_flight **out_flight) {
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_scope_mem(scope);
    hy_flight *flight = mem ? (hy_flight *)hy_mem_alloc_zero(mem, sizeof *flight) : NULL;
    if (!flight) return HY_NOMEM;
    flight->scope = scope;
    flight->mem = mem;
    flight->keys_max = keys_max > 0 ? keys_max : 1024;
    hy_err err = hyi_lookup_init(&flight->runs, mem, hy_world_random(world));
    if (err != HY_OK) {
        flight_free(flight);
        return err;
    }
    err = hy_own(scope, flight, flight_free, 0);
    if (err == HY_OK) *out_flight = flight;
    return err;
}
