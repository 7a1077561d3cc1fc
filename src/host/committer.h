// committer.h - one line in front of a store, for all machines that share it.  Room: host.
// Includes: base machine world.
// Threads: `submit` from the thread of any world; everything else on the committer's own world.
// Ownership: calls are their hosts', and the committer's from submit until they are posted back.
//
// While one append is under way, the batches of all machines gather; then they go as one: one
// transaction, one sync, one outcome. So a thousand machines cost the disk what one costs.
#ifndef HYI_HOST_COMMITTER_H
#define HYI_HOST_COMMITTER_H

#include <hypha/machine.h>
#include <hypha/world.h>

#define HYI_GROUP_MAX 512u // batches in one commit

typedef enum hyi_store_op {
    HYI_STORE_FREE,
    HYI_APPEND,
    HYI_LOAD,
    HYI_CHECKPOINT,
    HYI_ASK, // anything else that reads: call->ask
} hyi_store_op;

typedef struct hyi_store_call {
    hy_work work; // of a host alone
    hy_post post; // with a committer: there, and back
    struct hyi_store_call *next;
    hyi_store_op op;
    hy_world *world; // whose thread asks
    struct hy_host *host;
    void (*ask)(struct hyi_store_call *call);  // on another thread: reads the store
    void (*told)(struct hyi_store_call *call); // on the asker's thread: it is done
    hy_batch batch;                            // append: what goes in
    hy_commit commit;                          // append: what came out
    hy_state *state;                           // load, fill: what came out
    uint32_t number;                           // fill: of the instance
    hy_ns last_now;                            // fill: of the latest input
    hy_err err;                                // load, ask, checkpoint; HY_CLOSED: was not tried
    bool has_more;                             // checkpoint: this was a piece of it
    bool is_done;                              // the pump has to look at it
    hy_why why;
} hyi_store_call;

typedef struct hyi_store_calls { // first in, first out
    hyi_store_call *first, *last;
} hyi_store_calls;

typedef struct hyi_committer {
    hy_world *world;
    hy_store *store;
    hy_work work;
    hy_post turn;
    hy_timer timer; // idle checkpoints; and trying again when no work could be started
    bool turn_posted, busy, reads_next;
    hyi_store_calls appends, reads;
    hyi_store_calls group; // under way
    hy_batch batches[HYI_GROUP_MAX];
    size_t batch_count, group_bytes_max;
    hyi_store_op op; // what is under way
    hy_commit commit;
    hy_err err;
    bool has_more;
    hy_why why;
    char trouble[160]; // of the store's last failure; empty: it has committed since
    hy_ns dirty_at;    // of the latest commit that no checkpoint covers; HY_NEVER: none
    hy_ns checkpoint_idle_ns;
    void (*drained)(void *self, hy_err err); // closing: nothing waits, all is in the tables
    void *drained_self;
    bool may_checkpoint; // while closing: there is time for it
    uint64_t groups, grouped, checkpoints, checkpoints_failed;
    uint32_t group_largest;
} hyi_committer;

// HY_NOMEM: the world has no room for a timer. Borrows world and store.
HY_CHECKED hy_err hyi_committer_init(hyi_committer *committer, hy_world *world, hy_store *store,
                                     size_t group_bytes_max, hy_ns checkpoint_idle_ns);
void hyi_committer_deinit(hyi_committer *committer); // nothing is under way

// Posts the call over; `call->told` runs on the thread of call->world once it is done.
void hyi_committer_submit(hyi_committer *committer, hyi_store_call *call);

// Nobody submits any more. Waits for what is under way, checkpoints if it may, and says so; never
// from inside this call. hyi_committer_hurry: no checkpoint after all.
void hyi_committer_drain(hyi_committer *committer, void (*drained)(void *self, hy_err err),
                         void *self);
void hyi_committer_hurry(hyi_committer *committer);

#endif
