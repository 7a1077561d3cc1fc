// fleet.h - what the files of a fleet share.     Room: host. Includes: base machine world scope
// actor store.
// Threads: a part is its world's, and so are its members and their hosts. The rest of hy_fleet is
// set while it is opened, and then only read; but `closing`, the counts of what is open, and the
// committer, which are the fleet's own thread's.
//
//     fleet.c         opening, calls, executors, observers, closing
//     fleet_part.c    the machines of one thread: calls, stats, closing
//     fleet_member.c  which machines are in memory: waking, resting, who is idle
//     fleet_owed.c    who must be woken: debtors at the start, timers later
//     fleet_worker.c  parts on the workers of a node, and the actors of their machines
//     fleet_letter.c  calls and looks that go to another thread, and come back
//     fleet_errand.c  attempts and changes of machines on another thread, carried to the fleet's
//     committer.c     the line in front of the store
//
// A fleet has one part, on its own thread, or one for each worker of a node; the key of a machine
// says which. A member is a key that a part has something to do with. It has a host while it is in
// memory, and is a host like any other, only that its store calls go through the committer. Without
// a host it is asleep: a point in time is known at which it must be woken.
//
// Invariants
//  - Every member has a host, or is in `sleepers`; or its part is closing.
//  - `idle` holds the hosts that could go at any moment, least recently used first; nobody else.
//  - resident_count never passes machines_max.
//  - Between threads there are posts and nothing else: what one carries belongs to its receiver.
#ifndef HYI_HOST_FLEET_H
#define HYI_HOST_FLEET_H

#include <hypha/actor.h>
#include "host/inside.h"
#include <stdatomic.h>

typedef struct hyi_part hyi_part;

// A part on a worker of a node, and the actor there that keeps it.
typedef struct hyi_worker {
    hyi_part *part;
    hy_ref keeper;
    hy_post post;  // to the part, and from it
    hy_post close; // to the part
} hyi_worker;

// What travels between threads: counted, so that the fleet outlives it; and in a simulated world,
// which has one thread, listed, so that a crash can give it back.
typedef struct hyi_carry {
    struct hyi_carry *prev, *next;
    void (*give_back)(struct hyi_carry *carry);
} hyi_carry;

typedef struct hyi_member {
    hyi_part *part;
    hy_host *host; // NULL: asleep
    hy_ref actor;  // with a node, while there is a host: in whose turns it works
    hyi_due wake;  // asleep: when its first timer is due, on the wall clock
    uint64_t hash;
    struct hyi_member *same_hash;
    struct hyi_member *prev, *next; // in the line of idle ones
    bool is_idle, is_opening;
    bool may_owe; // it must be loaded, however often that fails
    uint32_t key_len;
    char key[];
} hyi_member;

typedef enum hyi_owed { // looking for debtors
    HYI_OWED_NOT_YET,
    HYI_OWED_ASKING,  // the store is being asked
    HYI_OWED_WAITING, // for those that were found, or for room
    HYI_OWED_KNOWN,   // all have been woken once
} hyi_owed;

struct hyi_part {
    hyi_home home; // first member: what hosts know of it
    hy_fleet *fleet;
    hy_world *world;
    uint32_t machines_max;

    hyi_member **buckets;
    uint32_t bucket_count, member_count;
    hyi_member *few[16]; // the buckets before the first growth
    hyi_member *idle_first, *idle_last;
    uint32_t resident_count, idle_count, opening_count;
    hyi_quota *shares; // one per action kind
    bool started;

    hyi_dues sleepers; // hy_world_wall
    hyi_store_call owed_call;
    hyi_owed owed;
    hy_buf owed_keys;  // found, each behind its length (one byte)
    hy_buf owed_after; // the last one that was woken
    hy_ns owed_again_at;
    hy_timer timer;
    hy_ns armed_at;

    bool closing;
    bool is_gone; // deinit was here, on the thread of the world
    hy_err close_err;
    void (*closed)(hyi_part *part); // nobody is in memory any more

    hy_host_stats gone; // of hosts that are no longer there
    uint64_t opened, rested, open_failures;
    char open_trouble[160];
    struct hyi_worker *worker; // NULL: on the fleet's own thread
};

struct hy_fleet {
    hy_world *world;
    hy_mem *mem;
    hy_store *store;
    const hy_machine *machine;
    uint32_t machine_number;
    hy_fleet_options options;
    hyi_committer committer;
    hy_executor *executors; // one per action kind
    hy_fleet_observer observers[HYI_OBSERVERS_MAX];
    uint32_t observer_count;

    hyi_part *parts;
    uint32_t part_count, parts_open, parts_left;
    hy_node *node;              // NULL: all on this thread
    _Atomic uint32_t under_way; // letters, errands and news between threads
    hyi_carry *carries;         // of a simulated world
    struct hyi_worker *workers; // with a node, one for each part
    uint32_t *places;           // with a node: limits of executors, 0 once their scope has ended
    bool started, closing, is_drained;
    hy_ns close_deadline;
    hy_timer timer; // of the close
    void (*closed)(void *self, hy_err err);
    void *closed_self;
    hy_err close_err;
};

// fleet.c
void hyi_fleet_free(hy_fleet *fleet);
hyi_part *hyi_fleet_part(const hy_fleet *fleet, hy_bytes key);
// As a part's, wherever it is; the answer comes on the thread of `back`.
HY_CHECKED hy_err hyi_fleet_call(hy_fleet *fleet, hy_bytes key, const uint64_t *action_id,
                                 hy_call *call, hy_world *back);
HY_CHECKED hy_err hyi_fleet_look(hy_fleet *fleet, hy_bytes key, hy_look *look, hy_world *back);
// Before it is posted; and after it has been read, in two steps: out of the list, then, when it has
// been freed, out of the count.
void hyi_carry_begin(hy_fleet *fleet, hyi_carry *carry, void (*give_back)(hyi_carry *carry));
void hyi_carry_end(hy_fleet *fleet, hyi_carry *carry);
void hyi_carry_is_over(hy_fleet *fleet);
void hyi_carries_free(hy_fleet *fleet);                  // a crash
void hyi_fleet_part_closed(hy_fleet *fleet, hy_err err); // on the fleet's thread
void hyi_fleet_add_stats(hy_host_stats *sum, const hy_host_stats *of);

// fleet_part.c
// Storage is the fleet's. HY_NOMEM.
HY_CHECKED hy_err hyi_part_init(hyi_part *part, hy_fleet *fleet, hy_world *world,
                                uint32_t machines_max);
void hyi_part_deinit(hyi_part *part); // works on a zeroed one, and twice; crash: whatever happens
void hyi_part_start(hyi_part *part);
void hyi_part_close(hyi_part *part, void (*closed)(hyi_part *part));
HY_CHECKED hy_err hyi_part_submit(hyi_part *part, hy_bytes key, hy_call *call);
HY_CHECKED hy_err hyi_part_complete(hyi_part *part, hy_bytes key, uint64_t action_id,
                                    hy_call *call);
HY_CHECKED hy_err hyi_part_look(hyi_part *part, hy_bytes key, hy_look *look);
void hyi_part_stats(const hyi_part *part, hy_fleet_stats *stats); // adds to it
void hyi_part_closing_advance(hyi_part *part);

// fleet_member.c
void hyi_members_init(hyi_part *part);
uint64_t hyi_member_hash(hy_bytes key);
// The member, with a host that takes calls. HY_NOMEM, HY_LIMIT, and what is wrong with the key.
HY_CHECKED hy_err hyi_member_wake(hyi_part *part, hy_bytes key, hyi_member **out_member);
hyi_member *hyi_member_find(const hyi_part *part, hy_bytes key); // or NULL
// Gives its host what it works with: the fleet's executors and observers, or who carries to them.
// Before the host is started.
void hyi_member_equip(hyi_member *member);
void hyi_member_is_busy(hyi_member *member); // its host must not go before its next turn
void hyi_member_pumped(hyi_home *home, hy_host *host);
void hyi_member_freed(hyi_home *home, hy_host *host);
bool hyi_members_have_room(const hyi_part *part);
void hyi_members_free(hyi_part *part); // crash: whatever they are doing

// The turn of its actor ended in the middle: whatever the host holds is answered, and it goes; the
// machine is loaded again, soon or when it is called.
void hyi_member_fell(hyi_member *member);

// fleet_worker.c
// Fiber. A part for each worker of the node, and an actor there that keeps it.
HY_CHECKED hy_err hyi_workers_open(hy_fleet *fleet);
void hyi_workers_start(hy_fleet *fleet);
void hyi_workers_close(hy_fleet *fleet);
HY_CHECKED hy_err hyi_worker_hire(hyi_member *member); // an actor for its machine
void hyi_worker_dismiss(hyi_member *member);
void hyi_worker_pump_soon(hyi_home *home, hy_host *host);

// fleet_letter.c
// As the calls of a part, on whatever thread that is; `done` comes on the thread of `back`, and so
// does everything that a part would refuse at once. HY_NOMEM, and what is wrong with the key.
HY_CHECKED hy_err hyi_letter_call(hy_fleet *fleet, hy_bytes key, const uint64_t *action_id,
                                  hy_call *call, hy_world *back);
HY_CHECKED hy_err hyi_letter_look(hy_fleet *fleet, hy_bytes key, hy_look *look, hy_world *back);
// Runs `visit` on the thread of the part. Fiber, where that is another.
HY_CHECKED hy_err hyi_letter_visit(const hyi_part *part,
                                   void (*visit)(const hyi_part *part, void *arg), void *arg);
void hyi_asking_wait(hy_event *event); // asking.c

// fleet_errand.c
hy_executor hyi_errand_executor(hyi_part *part, uint32_t kind);
void hyi_errand_done(hy_effect *effect, const void *completion_body);
void hyi_errand_failed(hy_effect *effect, const char *reason);
// Takes the batch's changes and their memory along to the observers.
void hyi_news_send(hyi_home *home, hy_host *host, hyi_batch *batch);

// fleet_owed.c
void hyi_owed_begin(hyi_part *part);
void hyi_owed_go_on(hyi_part *part); // there may be room now
void hyi_owed_fired(hy_timer *timer);
void hyi_owed_arm(hyi_part *part);

#endif
