// fleet_member.c - which machines of a fleet are in memory.
//
// A host is given up only when it could be loaded again and nobody would notice: no call, no look,
// no commit under way, nothing owed but points in time. The earliest of those is kept with the
// member, so that a machine which sleeps is woken like one that stayed. A halted host stays,
// because loading it again would forget that it was halted.
//
// Hosts go in two ways only: from `pumped`, the last thing of a host's turn, and when somebody else
// needs the place; both times nothing of the host is on the stack.
#include "host/fleet.h"

#include <string.h>

#include "store/driver.h"

#define MEMBER_RETRY_NS HY_SECONDS(1)

// ---- by key -------------------------------------------------------------------------------------

static uint64_t member_hash(hy_bytes key) {
    const hy_id id = hy_text_id(key);
    uint64_t hash;
    memcpy(&hash, &id, sizeof hash);
    return hash;
}

static hyi_member **member_place(const hy_fleet *fleet, uint64_t hash, hy_bytes key) {
    hyi_member **place = &fleet->buckets[hash & (fleet->bucket_count - 1)];
    for (; *place != NULL; place = &(*place)->same_hash) {
        const hyi_member *member = *place;
        const hy_bytes is = { (const uint8_t *)member->key, member->key_len };
        if (member->hash == hash && hy_bytes_equal(is, key)) break;
    }
    return place;
}

void hyi_members_init(hy_fleet *fleet) {
    fleet->buckets = fleet->few;
    fleet->bucket_count = (uint32_t)(sizeof fleet->few / sizeof fleet->few[0]);
}

hyi_member *hyi_member_find(const hy_fleet *fleet, hy_bytes key) {
    return *member_place(fleet, member_hash(key), key);
}

// Without memory the chains just get longer.
static void members_grow(hy_fleet *fleet) {
    const uint32_t old_count = fleet->bucket_count;
    if (fleet->member_count < old_count || old_count >= (1u << 30)) return;
    hyi_member **old = fleet->buckets;
    hyi_member **buckets = hy_mem_alloc_zero(fleet->mem, 2 * old_count * sizeof(hyi_member *));
    if (buckets == NULL) return;
    fleet->buckets = buckets;
    fleet->bucket_count = 2 * old_count;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            hyi_member *member = old[i];
            old[i] = member->same_hash;
            hyi_member **bucket = &buckets[member->hash & (fleet->bucket_count - 1)];
            member->same_hash = *bucket;
            *bucket = member;
        }
    }
    if (old != fleet->few) hy_mem_free(fleet->mem, old, old_count * sizeof(hyi_member *));
}

static hyi_member *member_new(hy_fleet *fleet, hy_bytes key) {
    hyi_member *member = hy_mem_alloc_zero(fleet->mem, sizeof *member + key.len);
    if (member == NULL) return NULL;
    member->fleet = fleet;
    member->hash = member_hash(key);
    member->key_len = (uint32_t)key.len;
    memcpy(member->key, key.ptr, key.len);
    members_grow(fleet);
    *member_place(fleet, member->hash, key) = member;
    fleet->member_count++;
    return member;
}

static void member_free(hyi_member *member) {
    hy_fleet *fleet = member->fleet;
    const hy_bytes key = { (const uint8_t *)member->key, member->key_len };
    HY_ASSERT(member->host == NULL && !member->is_idle);
    hyi_due_remove(&fleet->sleepers, &member->wake);
    *member_place(fleet, member->hash, key) = member->same_hash;
    fleet->member_count--;
    hy_mem_free(fleet->mem, member, sizeof *member + member->key_len);
}

// ---- who is idle --------------------------------------------------------------------------------

static void member_set_idle(hyi_member *member, bool is_idle) {
    hy_fleet *fleet = member->fleet;
    if (member->is_idle == is_idle) return;
    member->is_idle = is_idle;
    if (is_idle) {
        member->prev = fleet->idle_last;
        member->next = NULL;
        *(fleet->idle_last != NULL ? &fleet->idle_last->next : &fleet->idle_first) = member;
        fleet->idle_last = member;
        fleet->idle_count++;
        return;
    }
    *(member->prev != NULL ? &member->prev->next : &fleet->idle_first) = member->next;
    *(member->next != NULL ? &member->next->prev : &fleet->idle_last) = member->prev;
    fleet->idle_count--;
}

// Out of memory, until it is needed again.
static void member_rest(hyi_member *member) {
    hy_fleet *fleet = member->fleet;
    HY_ASSERT(!member->host->posted && member->host->store_call.op == HYI_STORE_FREE);
    const hyi_due *timer = member->host->timers.first;
    const bool is_loaded = member->host->open_err == HY_OK;
    hy_ns wake_at = timer != NULL ? timer->at : HY_NEVER;
    if (!is_loaded && member->may_owe) wake_at = hy_world_wall(fleet->world) + MEMBER_RETRY_NS;
    hyi_host_free(member->host);
    *(is_loaded ? &fleet->rested : &fleet->open_failures) += 1;
    if (wake_at == HY_NEVER) {
        member_free(member);
        return;
    }
    member->may_owe = true;
    hyi_due_add(&fleet->sleepers, &member->wake, wake_at);
    hyi_owed_arm(fleet);
}

bool hyi_members_have_room(const hy_fleet *fleet) {
    return fleet->resident_count < fleet->options.machines_max || fleet->idle_first != NULL;
}

static void member_is_open(hyi_member *member) {
    if (!member->is_opening) return;
    member->is_opening = false;
    member->fleet->opening_count--;
}

void hyi_member_pumped(hyi_home *home, hy_host *host) {
    hy_fleet *fleet = (hy_fleet *)home;
    hyi_member *member = host->home_place;
    if (!host->is_opening) member_is_open(member);
    if (!host->is_opening && host->open_err == HY_OK) member->may_owe = false; // its own business
    const bool is_idle = hyi_host_is_idle(host);
    if (is_idle && host->open_err != HY_OK) {
        member_rest(member); // the next call tries again
    } else {
        member_set_idle(member, is_idle);
    }
    hyi_owed_go_on(fleet);
}

void hyi_member_freed(hyi_home *home, hy_host *host) {
    hy_fleet *fleet = (hy_fleet *)home;
    hyi_member *member = host->home_place;
    const hy_host_stats stats = hy_host_stats_of(host);
    hyi_fleet_add_stats(&fleet->gone, &stats);
    member_is_open(member);
    member_set_idle(member, false);
    member->host = NULL;
    fleet->resident_count--;
}

// ---- waking -------------------------------------------------------------------------------------

static void member_changed(void *self, uint64_t seq, uint32_t table, const void *before,
                           const void *after) {
    const hyi_member *member = self;
    const hy_fleet *fleet = member->fleet;
    const hy_bytes key = { (const uint8_t *)member->key, member->key_len };
    for (uint32_t i = 0; i < fleet->observer_count; i++) {
        const hy_fleet_observer *observer = &fleet->observers[i];
        observer->changed(observer->self, key, seq, table, before, after);
    }
}

static hy_err member_load(hyi_member *member) {
    hy_fleet *fleet = member->fleet;
    const hy_fleet_options *is = &fleet->options;
    hy_host *host = NULL;
    hy_err err = hyi_host_new(
        fleet->world, fleet->store, fleet->machine,
        HY_OPTIONS(hy_host, .queue_max = is->queue_max, .batch_max = is->batch_max,
                   .batch_bytes_max = is->batch_bytes_max, .answers_max = is->answers_max,
                   .twin = is->twin, .guard = is->guard),
        &host, NULL);
    if (err != HY_OK) return err;
    host->home = &fleet->home;
    host->home_place = member;
    host->machine_number = fleet->machine_number;
    host->key = (hy_bytes){ (const uint8_t *)member->key, member->key_len };
    if (fleet->observer_count > 0) {
        host->observers[host->observer_count++] =
            (hy_observer){ .changed = member_changed, .self = member };
    }
    for (uint32_t kind = 0; kind < fleet->machine->action_count; kind++) {
        host->executors[kind].is = fleet->executors[kind];
        host->executors[kind].share = &fleet->shares[kind];
    }
    hyi_due_remove(&fleet->sleepers, &member->wake);
    member->host = host;
    member->is_opening = true;
    fleet->resident_count++;
    fleet->opening_count++;
    fleet->opened++;
    hyi_host_begin(host);
    return HY_OK;
}

hy_err hyi_member_wake(hy_fleet *fleet, hy_bytes key, hyi_member **out_member) {
    hy_err err = hyi_instance_key_check(key, NULL);
    if (err != HY_OK || key.len == 0) return err != HY_OK ? err : HY_MALFORMED;
    hyi_member *member = hyi_member_find(fleet, key);
    if (member == NULL || member->host == NULL) {
        if (!hyi_members_have_room(fleet)) return HY_LIMIT;
        if (fleet->resident_count >= fleet->options.machines_max) member_rest(fleet->idle_first);
        if (member == NULL) member = member_new(fleet, key);
        if (member == NULL) return HY_NOMEM;
        err = member_load(member);
        if (err != HY_OK && !member->wake.added) member_free(member);
        if (err != HY_OK) return err;
    }
    member_set_idle(member, false);
    *out_member = member;
    return HY_OK;
}

void hyi_members_free(hy_fleet *fleet) {
    for (uint32_t i = 0; i < fleet->bucket_count; i++) {
        while (fleet->buckets[i] != NULL) {
            hyi_member *member = fleet->buckets[i];
            if (member->host != NULL) hyi_host_free(member->host);
            member_free(member);
        }
    }
    if (fleet->buckets != fleet->few) {
        hy_mem_free(fleet->mem, fleet->buckets, fleet->bucket_count * sizeof(hyi_member *));
    }
    hyi_members_init(fleet);
}
