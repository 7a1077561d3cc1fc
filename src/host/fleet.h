// fleet.h - what the files of a fleet share.     Room: host. Includes: base machine world store.
// Threads: the fleet's world's.
//
//     fleet.c         opening, calls, executors, observers, closing
//     fleet_member.c  which machines are in memory: waking, resting, who is idle
//     fleet_owed.c    who must be woken: debtors at the start, timers later
//     committer.c     the line in front of the store
//
// A member is a key that the fleet has something to do with. It has a host while it is in memory,
// and is a host like any other, only that its store calls go through the committer. Without a host
// it is asleep: a point in time is known at which it must be woken.
//
// Invariants
//  - Every member has a host, or is in `sleepers`.
//  - `idle` holds the hosts that could go at any moment, least recently used first; nobody else.
//  - resident_count never passes machines_max.
#ifndef HYI_HOST_FLEET_H
#define HYI_HOST_FLEET_H

#include "host/inside.h"

typedef struct hyi_member {
    hy_fleet *fleet;
    hy_host *host; // NULL: asleep
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

struct hy_fleet {
    hyi_home home; // first member: what hosts know of it
    hy_world *world;
    hy_mem *mem;
    hy_store *store;
    const hy_machine *machine;
    uint32_t machine_number;
    hy_fleet_options options;
    hyi_committer committer;

    hyi_member **buckets;
    uint32_t bucket_count, member_count;
    hyi_member *few[16]; // the buckets before the first growth
    hyi_member *idle_first, *idle_last;
    uint32_t resident_count, idle_count, opening_count;

    hy_executor *executors; // one per action kind
    hyi_share *shares;
    hy_fleet_observer observers[HYI_OBSERVERS_MAX];
    uint32_t observer_count;
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
    hy_ns close_deadline;
    void (*closed)(void *self, hy_err err);
    void *closed_self;
    hy_err close_err;

    hy_host_stats gone; // of hosts that are no longer there
    uint64_t opened, rested, open_failures;
};

// fleet.c
void hyi_fleet_free(hy_fleet *fleet);
void hyi_fleet_closing_advance(hy_fleet *fleet); // may free it
void hyi_fleet_add_stats(hy_host_stats *sum, const hy_host_stats *of);

// fleet_member.c
void hyi_members_init(hy_fleet *fleet);
// The member, with a host that takes calls. HY_NOMEM, HY_LIMIT, and what is wrong with the key.
HY_CHECKED hy_err hyi_member_wake(hy_fleet *fleet, hy_bytes key, hyi_member **out_member);
hyi_member *hyi_member_find(const hy_fleet *fleet, hy_bytes key); // or NULL
void hyi_member_pumped(hyi_home *home, hy_host *host);
void hyi_member_freed(hyi_home *home, hy_host *host);
bool hyi_members_have_room(const hy_fleet *fleet);
void hyi_members_free(hy_fleet *fleet); // crash: whatever they are doing

// fleet_owed.c
void hyi_owed_begin(hy_fleet *fleet);
void hyi_owed_go_on(hy_fleet *fleet); // there may be room now
void hyi_owed_fired(hy_timer *timer);
void hyi_owed_arm(hy_fleet *fleet);

#endif
