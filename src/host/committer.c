// committer.c - one line in front of a store.
//
//     host --post--> appends --+
//                              +-- work: one group, or some reads, or a slice --> post --> host
//     host --post--> reads  ---+
//
// A turn is taken at the end of the round in which calls arrived, so that machines which stepped
// together commit together, even when the store was free. Appends and reads take turns; tidying up
// gets what is left, when nothing has been asked for a while.
//
// Nothing here allocates once it is open: calls bring their own links, and a group has its limit.
// So the way to the disk cannot fail for want of memory.
#include "host/committer.h"

#include <string.h>

#define COMMITTER_READS_MAX 32u // in one piece of work: an append must not wait long behind them
#define COMMITTER_RETRY_NS HY_MS(1)

static void committer_turn(hy_post *post);
static void committer_fired(hy_timer *timer);
static void committer_run(hy_work *work);
static void committer_done(hy_work *work);
static void committer_start(hyi_committer *committer);
static void committer_note(hyi_committer *committer);

static void calls_push(hyi_store_calls *calls, hyi_store_call *call) {
    call->next = NULL;
    *(calls->last != NULL ? &calls->last->next : &calls->first) = call;
    calls->last = call;
}

static hyi_store_call *calls_pop(hyi_store_calls *calls) {
    hyi_store_call *first = calls->first;
    if (first == NULL) return NULL;
    calls->first = first->next;
    if (calls->first == NULL) calls->last = NULL;
    first->next = NULL;
    return first;
}

hy_err hyi_committer_init(hyi_committer *committer, hy_world *world, hy_store *store,
                          size_t group_bytes_max, hy_ns checkpoint_idle_ns) {
    *committer = (hyi_committer){
        .world = world,
        .store = store,
        .work = { .run = committer_run, .done = committer_done, .kind = HY_WORK_SQLITE },
        .turn.done = committer_turn,
        .timer.done = committer_fired,
        .group_bytes_max = group_bytes_max,
        .checkpoint_idle_ns = checkpoint_idle_ns,
        .dirty_at = HY_NEVER
    };
    hy_err err = hy_timer_at(world, &committer->timer, HY_NEVER); // room for it from now on
    if (err == HY_OK) hy_timer_stop(world, &committer->timer);
    return err;
}

void hyi_committer_deinit(hyi_committer *committer) {
    if (committer->world != NULL) hy_timer_stop(committer->world, &committer->timer);
}

// ---- calls come in ------------------------------------------------------------------------------

static void committer_turn_soon(hyi_committer *committer) {
    if (committer->turn_posted || committer->busy) return;
    committer->turn_posted = true;
    hy_world_post(committer->world, &committer->turn);
}

static void committer_arrived(hy_post *post) {
    hyi_store_call *call =
        (hyi_store_call *)(void *)((uint8_t *)post - offsetof(hyi_store_call, post));
    hyi_committer *committer = (hyi_committer *)call->work.private_[0];
    calls_push(call->op == HYI_APPEND ? &committer->appends : &committer->reads, call);
    committer_turn_soon(committer);
}

void hyi_committer_submit(hyi_committer *committer, hyi_store_call *call) {
    HY_ASSERT(call->op == HYI_APPEND || call->op == HYI_LOAD || call->op == HYI_ASK);
    call->work.private_[0] = committer; // not used as work here
    call->post = (hy_post){ .done = committer_arrived };
    hy_world_post(committer->world, &call->post);
}

// ---- a turn -------------------------------------------------------------------------------------

// What goes into the next group: in order of arrival, as much as its limits take.
static void committer_gather_appends(hyi_committer *committer) {
    size_t bytes = 0;
    committer->op = HYI_APPEND;
    committer->batch_count = 0;
    while (committer->appends.first != NULL && committer->batch_count < HYI_GROUP_MAX &&
           bytes < committer->group_bytes_max) {
        hyi_store_call *call = calls_pop(&committer->appends);
        committer->batches[committer->batch_count++] = call->batch;
        bytes += call->batch.body.len;
        calls_push(&committer->group, call);
    }
}

static void committer_gather_reads(hyi_committer *committer) {
    committer->op = HYI_LOAD;
    for (uint32_t i = 0; i < COMMITTER_READS_MAX && committer->reads.first != NULL; i++) {
        calls_push(&committer->group, calls_pop(&committer->reads));
    }
}

static bool committer_wants_checkpoint(hyi_committer *committer) {
    if (committer->dirty_at == HY_NEVER) return false;
    if (committer->drained != NULL) return committer->may_checkpoint;
    const hy_ns idle_since = committer->dirty_at + committer->checkpoint_idle_ns;
    if (hy_world_now(committer->world) >= idle_since) return true;
    // Without memory for the timer the next commit asks again.
    hy_err err = hy_timer_at(committer->world, &committer->timer, idle_since);
    (void)err;
    return false;
}

static void committer_turn(hy_post *post) {
    hyi_committer *committer =
        (hyi_committer *)(void *)((uint8_t *)post - offsetof(hyi_committer, turn));
    committer->turn_posted = false;
    if (committer->busy) return;
    const bool has_reads = committer->reads.first != NULL;
    if (committer->appends.first != NULL && !(has_reads && committer->reads_next)) {
        committer_gather_appends(committer);
    } else if (has_reads) {
        committer_gather_reads(committer);
    } else if (committer_wants_checkpoint(committer)) {
        committer->op = HYI_CHECKPOINT;
    } else {
        void (*drained)(void *, hy_err) = committer->drained;
        committer->drained = NULL;
        if (drained != NULL) drained(committer->drained_self, committer->err);
        return;
    }
    committer_start(committer);
}

static void committer_told(hy_post *post) {
    hyi_store_call *call =
        (hyi_store_call *)(void *)((uint8_t *)post - offsetof(hyi_store_call, post));
    call->told(call);
}

static void committer_answer(hyi_committer *committer) {
    hyi_store_call *call;
    while ((call = calls_pop(&committer->group)) != NULL) {
        if (committer->op == HYI_APPEND) {
            call->commit = committer->commit;
            call->why = committer->why;
        }
        call->post = (hy_post){ .done = committer_told };
        hy_world_post(call->world, &call->post); // the call is the asker's again
    }
}

// Too much else is being worked on: the group goes back to the head of its line.
static void committer_put_back(hyi_committer *committer) {
    hyi_store_calls *line = committer->op == HYI_APPEND ? &committer->appends : &committer->reads;
    if (committer->group.first != NULL) {
        committer->group.last->next = line->first;
        line->first = committer->group.first;
        if (line->last == NULL) line->last = committer->group.last;
        committer->group = (hyi_store_calls){ 0 };
    }
    const hy_ns again = hy_world_now(committer->world) + COMMITTER_RETRY_NS;
    if (hy_timer_at(committer->world, &committer->timer, again) == HY_OK) return;
    committer_turn_soon(committer); // no memory even for a pause
}

// The world is going, or has no memory: surely nothing was stored, and everybody is told so.
static void committer_give_up(hyi_committer *committer, hy_err err) {
    for (hyi_store_call *call = committer->group.first; call != NULL; call = call->next) {
        call->err = err;
    }
    committer->err = err;
    if (committer->op == HYI_CHECKPOINT) committer_note(committer);
    committer_answer(committer);
    committer_turn_soon(committer);
}

static void committer_start(hyi_committer *committer) {
    committer->why = (hy_why){ 0 };
    committer->commit = HY_COMMIT_REFUSED; // also what a group is that could not be tried
    committer->busy = true;
    const hy_err err = hy_world_work(committer->world, &committer->work);
    if (err == HY_OK) return;
    committer->busy = false;
    if (err == HY_LIMIT) {
        committer_put_back(committer);
    } else {
        committer_give_up(committer, err);
    }
}

static void committer_fired(hy_timer *timer) {
    committer_turn_soon(
        (hyi_committer *)(void *)((uint8_t *)timer - offsetof(hyi_committer, timer)));
}

// ---- on another thread --------------------------------------------------------------------------

static void committer_slice(hyi_committer *committer) {
    hy_store *store = committer->store;
    if (store->driver->checkpoint_slice == NULL) {
        committer->has_more = false;
        committer->err = store->driver->checkpoint(store, &committer->why);
        return;
    }
    committer->err = store->driver->checkpoint_slice(store, &committer->has_more, &committer->why);
}

static void committer_run(hy_work *work) {
    hyi_committer *committer =
        (hyi_committer *)(void *)((uint8_t *)work - offsetof(hyi_committer, work));
    switch (committer->op) {
    case HYI_APPEND:
        committer->commit = committer->store->driver->append(
            committer->store, committer->batches, committer->batch_count, &committer->why);
        break;
    case HYI_CHECKPOINT: committer_slice(committer); break;
    default:
        for (hyi_store_call *call = committer->group.first; call != NULL; call = call->next) {
            call->ask(call);
        }
    }
}

static void committer_note(hyi_committer *committer) {
    if (committer->why.text[0] != 0) {
        memcpy(committer->trouble, committer->why.text, sizeof committer->trouble);
    } else if (committer->op == HYI_APPEND && committer->commit == HY_COMMITTED) {
        committer->trouble[0] = 0; // it is over
    }
    switch (committer->op) {
    case HYI_APPEND:
        committer->reads_next = true;
        if (committer->commit == HY_COMMIT_REFUSED) return;
        committer->dirty_at = hy_world_now(committer->world);
        committer->groups++;
        committer->grouped += committer->batch_count;
        if (committer->batch_count > committer->group_largest) {
            committer->group_largest = (uint32_t)committer->batch_count;
        }
        return;
    case HYI_CHECKPOINT:
        // A failed one loses nothing: the journal has it all. The next commit asks again.
        if (committer->err == HY_OK && committer->has_more) return;
        committer->dirty_at = HY_NEVER;
        *(committer->err == HY_OK ? &committer->checkpoints : &committer->checkpoints_failed) += 1;
        return;
    default: committer->reads_next = false;
    }
}

static void committer_done(hy_work *work) {
    hyi_committer *committer =
        (hyi_committer *)(void *)((uint8_t *)work - offsetof(hyi_committer, work));
    committer->busy = false;
    committer_note(committer);
    committer_answer(committer);
    committer_turn_soon(committer);
}

// ---- the way out --------------------------------------------------------------------------------

void hyi_committer_drain(hyi_committer *committer, void (*drained)(void *self, hy_err err),
                         void *self) {
    committer->drained = drained;
    committer->drained_self = self;
    committer->may_checkpoint = true;
    committer->err = HY_OK;
    committer_turn_soon(committer);
}

void hyi_committer_hurry(hyi_committer *committer) {
    committer->may_checkpoint = false;
}
