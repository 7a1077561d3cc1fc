// fleet_worker.c - parts of a fleet on the workers of a node, and an actor for each machine.
//
//     keeper (one a worker)        makes the part on its thread, and takes it apart there
//     `-- machine (one a host)     whose turns run the host: step, answer, start attempts
//
// So machines of different workers step at the same time, each machine by itself, and a node shows
// them like all other actors. What waits for a machine waits in its host's queue, which has a
// limit; in the mailbox of its actor there is at most a word that there is something to do.
//
// A turn that fails (a stack that overflowed in somebody's step) ends the machine's actor, and with
// it the host, whose state means nothing any more: its calls are answered, what is being stored is
// waited for, and the machine is loaded afresh.
#include "host/fleet.h"

#include <string.h>

#define WORKER_TURN(TELL, ASK, x) TELL(x, 1, turn, hy_nothing)
HY_PROTOCOL(fleet_machine, WORKER_TURN);
HY_PROTOCOL_DEFINE(fleet_machine, WORKER_TURN);

// ---- the actor of a machine ---------------------------------------------------------------------

typedef struct worker_machine {
    hyi_part *part;
    uint32_t key_len;
    char key[HY_INSTANCE_KEY_MAX];
} worker_machine;

HY_BEHAVIOUR(worker_turn, WORKER_TURN, fleet_machine, worker_machine);

static hy_err worker_machine_start(hy_actor *self, void *state, const void *arg) {
    (void)self;
    memcpy(state, arg, sizeof(worker_machine));
    return HY_OK;
}

// The member that this actor works for; NULL: it was dismissed.
static hyi_member *worker_member(hy_actor *self, const worker_machine *state) {
    const hy_bytes key = { (const uint8_t *)state->key, state->key_len };
    hyi_member *member = hyi_member_find(state->part, key);
    return member != NULL && hy_ref_equal(member->actor, hy_self(self)) ? member : NULL;
}

static hy_err worker_turn_on_turn(hy_actor *self, worker_machine *state,
                                  const hy_nothing *message) {
    (void)message;
    const hyi_member *member = worker_member(self, state);
    if (member != NULL && member->host->posted) hyi_host_take_turn(member->host); // may free it
    return HY_OK;
}

static void worker_machine_stop(hy_actor *self, void *state, hy_err why) {
    hyi_member *member = worker_member(self, state);
    if (member == NULL) return;
    member->actor = HY_NOBODY; // from now on its turns are the world's
    hy_host *host = member->host;
    if (why != HY_OK) {
        host->posted = false; // the word that there is something to do went with the actor
        hyi_member_fell(member);
    } else if (host->posted) {
        hy_world_post(host->world, &host->post);
    }
}

static const hy_actor_type worker_machine_type = { .name = "machine",
                                                   .first = &worker_turn_behaviour,
                                                   .state_size = sizeof(worker_machine),
                                                   .arg_size = sizeof(worker_machine),
                                                   .start = worker_machine_start,
                                                   .stop = worker_machine_stop };

hy_err hyi_worker_hire(hyi_member *member) {
    hyi_part *part = member->part;
    const hyi_worker *worker = part->worker;
    const hy_fleet *fleet = part->fleet;
    worker_machine arg = { .part = part, .key_len = member->key_len };
    char name[64] = { 0 }; // for people; a long key is cut
    memcpy(arg.key, member->key, member->key_len);
    const size_t len = member->key_len < sizeof name - 1 ? member->key_len : sizeof name - 1;
    memcpy(name, member->key, len);
    const hy_actor_options options = { .size = sizeof options,
                                       .name = name,
                                       .mailbox = { .capacity = 4 },
                                       .worker = (uint32_t)(worker - fleet->workers) + 1,
                                       .restart = HY_TEMPORARY };
    return hy_spawn_actor(fleet->node, worker->keeper, &worker_machine_type, &arg, &options,
                          &member->actor);
}

void hyi_worker_dismiss(hyi_member *member) {
    const hy_ref actor = member->actor;
    member->actor = HY_NOBODY;
    hy_actor_stop(actor);
}

void hyi_worker_pump_soon(hyi_home *home, hy_host *host) {
    (void)home;
    hyi_member *member = host->home_place;
    hyi_member_is_busy(member); // until that turn is over; a stale timer wakes idle ones, too
    const fleet_machine_ref actor = { member->actor };
    if (HY_TELL(fleet_machine, turn, actor, .nothing = true) == HY_OK) return;
    hy_world_post(host->world, &host->post); // it has ended, or there is no memory for a word
}

// ---- the keeper of a part -----------------------------------------------------------------------

static hy_err worker_keeper_start(hy_actor *self, void *state, const void *arg) {
    hyi_worker *worker = *(hyi_worker *const *)arg;
    hy_fleet *fleet = worker->part->fleet;
    *(hyi_worker **)state = worker;
    uint32_t room = fleet->options.machines_max / fleet->part_count;
    hy_err err = hyi_part_init(worker->part, fleet, hy_actor_world(self), room > 0 ? room : 1);
    if (err != HY_OK) return err;
    worker->part->worker = worker;
    worker->part->home.pump_soon = hyi_worker_pump_soon;
    worker->part->home.tell = hyi_news_send;
    return HY_OK;
}

static void worker_part_gone(hy_post *post) {
    const hyi_worker *worker =
        (const hyi_worker *)(void *)((uint8_t *)post - offsetof(hyi_worker, post));
    hyi_fleet_part_closed(worker->part->fleet, worker->part->close_err);
}

// After all machines' actors: they are its children.
static void worker_keeper_stop(hy_actor *self, void *state, hy_err why) {
    (void)self, (void)why;
    hyi_worker *worker = *(hyi_worker **)state;
    const bool was_closed = worker->part->closing;
    hyi_part_deinit(worker->part);
    if (!was_closed) return; // it has never been used
    worker->post.done = worker_part_gone;
    hy_world_post(worker->part->fleet->world, &worker->post);
}

static const hy_actor_type worker_keeper_type = { .name = "fleet",
                                                  .state_size = sizeof(hyi_worker *),
                                                  .arg_size = sizeof(hyi_worker *),
                                                  .start = worker_keeper_start,
                                                  .stop = worker_keeper_stop };

static hy_err worker_open(hy_fleet *fleet, hyi_worker *worker) {
    const hy_actor_options options = { .size = sizeof options,
                                       .name = fleet->machine->name,
                                       .worker = (uint32_t)(worker - fleet->workers) + 1 };
    hy_err err = hy_spawn_actor(fleet->node, HY_NOBODY, &worker_keeper_type, &worker, &options,
                                &worker->keeper);
    return err == HY_OK ? hy_actor_wait_ready(worker->keeper, HY_NEVER) : err;
}

hy_err hyi_workers_open(hy_fleet *fleet) {
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < fleet->part_count && err == HY_OK; i++) {
        fleet->workers[i].part = &fleet->parts[i];
        fleet->parts[i].fleet = fleet;
        err = worker_open(fleet, &fleet->workers[i]);
    }
    if (err == HY_OK) return HY_OK;
    for (uint32_t i = 0; i < fleet->part_count; i++) {
        hy_actor_stop(fleet->workers[i].keeper);
        (void)hy_actor_wait_end(fleet->workers[i].keeper, HY_NEVER);
    }
    return err;
}

// ---- orders to parts ----------------------------------------------------------------------------

static hyi_part *worker_part_of(hy_post *post) {
    return ((hyi_worker *)(void *)((uint8_t *)post - offsetof(hyi_worker, post)))->part;
}

static void worker_part_closed(hyi_part *part) {
    hy_actor_stop(part->worker->keeper);
}

static void worker_close(hy_post *post) {
    hyi_part_close(worker_part_of(post), worker_part_closed);
}

static void worker_start(hy_post *post) {
    hyi_part_start(worker_part_of(post));
}

// A start may still be on its way: then the close goes behind it.
static void worker_close_after(hy_post *post) {
    hyi_worker *worker = (hyi_worker *)(void *)((uint8_t *)post - offsetof(hyi_worker, close));
    worker->post.done = worker_close;
    worker_close(&worker->post);
}

void hyi_workers_start(hy_fleet *fleet) {
    for (uint32_t i = 0; i < fleet->part_count; i++) {
        hyi_worker *worker = &fleet->workers[i];
        worker->post.done = worker_start;
        hy_world_post(worker->part->world, &worker->post);
    }
}

void hyi_workers_close(hy_fleet *fleet) {
    for (uint32_t i = 0; i < fleet->part_count; i++) {
        hyi_worker *worker = &fleet->workers[i];
        worker->close.done = worker_close_after;
        hy_world_post(worker->part->world, &worker->close);
    }
}
