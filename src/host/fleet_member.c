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

uint64_t hyi_member_hash(hy_bytes key) {
    const hy_id id = hy_text_id(key);
    uint64_t hash;
    memcpy(&hash, &id, sizeof hash);
    return hash;
}

static hyi_member **member_place(const hyi_part *part, uint64_t hash, hy_bytes key) {
    hyi_member **place = &part->buckets[hash & (part->bucket_count - 1)];
    for (; *place != NULL; place = &(*place)->same_hash) {
        const hyi_member *member = *place;
        const hy_bytes is = { (const uint8_t *)member->key, member->key_len };
        if (member->hash == hash && hy_bytes_equal(is, key)) break;
    }
    return place;
}

void hyi_members_init(hyi_part *part) {
    part->buckets = part->few;
    part->bucket_count = (uint32_t)(sizeof part->few / sizeof part->few[0]);
}

hyi_member *hyi_member_find(const hyi_part *part, hy_bytes key) {
    return *member_place(part, hyi_member_hash(key), key);
}

// Without memory the chains just get longer.
static void members_grow(hyi_part *part) {
    const uint32_t old_count = part->bucket_count;
    if (part->member_count < old_count || old_count >= (1u << 30)) return;
    hyi_member **old = part->buckets;
    hyi_member **buckets =
        hy_mem_alloc_zero(part->fleet->mem, 2 * old_count * sizeof(hyi_member *));
    if (buckets == NULL) return;
    part->buckets = buckets;
    part->bucket_count = 2 * old_count;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            hyi_member *member = old[i];
            old[i] = member->same_hash;
            hyi_member **bucket = &buckets[member->hash & (part->bucket_count - 1)];
            member->same_hash = *bucket;
            *bucket = member;
        }
    }
    if (old != part->few) hy_mem_free(part->fleet->mem, old, old_count * sizeof(hyi_member *));
}

static hyi_member *member_new(hyi_part *part, hy_bytes key) {
    hyi_member *member = hy_mem_alloc_zero(part->fleet->mem, sizeof *member + key.len);
    if (member == NULL) return NULL;
    member->part = part;
    member->hash = hyi_member_hash(key);
    member->key_len = (uint32_t)key.len;
    memcpy(member->key, key.ptr, key.len);
    members_grow(part);
    *member_place(part, member->hash, key) = member;
    part->member_count++;
    return member;
}

static void member_free(hyi_member *member) {
    hyi_part *part = member->part;
    const hy_bytes key = { (const uint8_t *)member->key, member->key_len };
    HY_ASSERT(member->host == NULL && !member->is_idle);
    hyi_due_remove(&part->sleepers, &member->wake);
    *member_place(part, member->hash, key) = member->same_hash;
    part->member_count--;
    hy_mem_free(part->fleet->mem, member, sizeof *member + member->key_len);
}

// ---- who is idle --------------------------------------------------------------------------------

static void member_set_idle(hyi_member *member, bool is_idle) {
    hyi_part *part = member->part;
    if (member->is_idle == is_idle) return;
    member->is_idle = is_idle;
    if (is_idle) {
        member->prev = part->idle_last;
        member->next = NULL;
        *(part->idle_last != NULL ? &part->idle_last->next : &part->idle_first) = member;
        part->idle_last = member;
        part->idle_count++;
        return;
    }
    *(member->prev != NULL ? &member->prev->next : &part->idle_first) = member->next;
    *(member->next != NULL ? &member->next->prev : &part->idle_last) = member->prev;
    part->idle_count--;
}

void hyi_member_is_busy(hyi_member *member) {
    member_set_idle(member, false);
}

// Out of memory, until it is needed again.
static void member_rest(hyi_member *member) {
    hyi_part *part = member->part;
    HY_ASSERT(!member->host->posted && member->host->store_call.op == HYI_STORE_FREE);
    const hyi_due *timer = member->host->timers.first;
    const bool is_loaded = member->host->open_err == HY_OK;
    hy_ns wake_at = timer != NULL ? timer->at : HY_NEVER;
    if (!is_loaded) {
        const char *trouble = member->host->stats.store_trouble;
        memcpy(part->open_trouble, trouble, sizeof part->open_trouble);
    }
    if (!is_loaded && member->may_owe) wake_at = hy_world_wall(part->world) + MEMBER_RETRY_NS;
    hyi_host_free(member->host);
    *(is_loaded ? &part->rested : &part->open_failures) += 1;
    if (wake_at == HY_NEVER) {
        member_free(member);
        return;
    }
    member->may_owe = true;
    hyi_due_add(&part->sleepers, &member->wake, wake_at);
    hyi_owed_arm(part);
}

static void member_forsaken(void *self, hy_err err) {
    (void)err;
    hyi_member *member = self;
    hyi_part *part = member->part;
    member->may_owe = true;
    hyi_due_add(&part->sleepers, &member->wake, hy_world_wall(part->world) + MEMBER_RETRY_NS);
    hyi_owed_arm(part);
    hyi_owed_go_on(part);
}

void hyi_member_fell(hyi_member *member) {
    if (member->host == NULL || member->host->closing != HYI_OPEN) return;
    member_set_idle(member, false);
    hyi_host_forsake(member->host, member_forsaken, member);
}

bool hyi_members_have_room(const hyi_part *part) {
    return part->resident_count < part->machines_max || part->idle_first != NULL;
}

static void member_is_open(hyi_member *member) {
    if (!member->is_opening) return;
    member->is_opening = false;
    member->part->opening_count--;
}

void hyi_member_pumped(hyi_home *home, hy_host *host) {
    hyi_part *part = (hyi_part *)home;
    hyi_member *member = host->home_place;
    if (!host->is_opening) member_is_open(member);
    if (!host->is_opening && host->open_err == HY_OK) member->may_owe = false; // its own business
    const bool is_idle = hyi_host_is_idle(host);
    if (is_idle && host->open_err != HY_OK) {
        member_rest(member); // the next call tries again
    } else {
        member_set_idle(member, is_idle);
    }
    hyi_owed_go_on(part);
}

void hyi_member_freed(hyi_home *home, hy_host *host) {
    hyi_part *part = (hyi_part *)home;
    hyi_member *member = host->home_place;
    const hy_host_stats stats = hy_host_stats_of(host);
    hyi_fleet_add_stats(&part->gone, &stats);
    member_is_open(member);
    member_set_idle(member, false);
    member->host = NULL;
    part->resident_count--;
    if (part->worker != NULL) hyi_worker_dismiss(member);
}

// ---- waking -------------------------------------------------------------------------------------

static void member_changed(void *self, uint64_t seq, uint32_t table, const void *before,
                           const void *after) {
    const hyi_member *member = self;
    const hyi_part *part = member->part;
    const hy_bytes key = { (const uint8_t *)member->key, member->key_len };
    for (uint32_t i = 0; i < part->fleet->observer_count; i++) {
        const hy_fleet_observer *observer = &part->fleet->observers[i];
        observer->changed(observer->self, key, seq, table, before, after);
    }
}

void hyi_member_equip(hyi_member *member) {
    hyi_part *part = member->part;
    hy_host *host = member->host;
    const hy_fleet *fleet = part->fleet;
    HY_ASSERT(!host->started);
    host->observers[0] = (hy_observer){ .changed = member_changed, .self = member };
    host->observer_count = fleet->observer_count > 0;
    for (uint32_t kind = 0; kind < fleet->machine->action_count; kind++) {
        host->executors[kind].is =
            part->worker != NULL ? hyi_errand_executor(part, kind) : fleet->executors[kind];
        host->executors[kind].share = &part->shares[kind];
    }
}

static hy_err member_load(hyi_member *member) {
    hyi_part *part = member->part;
    const hy_fleet *fleet = part->fleet;
    const hy_fleet_options *is = &fleet->options;
    hy_host *host = NULL;
    hy_err err = hyi_host_new(
        part->world, fleet->store, fleet->machine,
        HY_OPTIONS(hy_host, .queue_max = is->queue_max, .batch_max = is->batch_max,
                   .batch_bytes_max = is->batch_bytes_max, .answers_max = is->answers_max,
                   .twin = is->twin, .guard = is->guard),
        &host, NULL);
    if (err == HY_OK && part->worker != NULL) err = hyi_worker_hire(member);
    if (err != HY_OK) {
        if (host != NULL) hyi_host_free(host);
        return err;
    }
    host->home = &part->home;
    host->home_place = member;
    host->machine_number = fleet->machine_number;
    host->key = (hy_bytes){ (const uint8_t *)member->key, member->key_len };
    hyi_due_remove(&part->sleepers, &member->wake);
    member->host = host;
    hyi_member_equip(member);
    member->is_opening = true;
    part->resident_count++;
    part->opening_count++;
    part->opened++;
    hyi_host_begin(host);
    return HY_OK;
}

hy_err hyi_member_wake(hyi_part *part, hy_bytes key, hyi_member **out_member) {
    hy_err err = hyi_instance_key_check(key, NULL);
    if (err != HY_OK || key.len == 0) return err != HY_OK ? err : HY_MALFORMED;
    hyi_member *member = hyi_member_find(part, key);
    if (member == NULL || member->host == NULL) {
        if (!hyi_members_have_room(part)) return HY_LIMIT;
        if (part->resident_count >= part->machines_max) member_rest(part->idle_first);
        if (member == NULL) member = member_new(part, key);
        if (member == NULL) return HY_NOMEM;
        err = member_load(member);
        if (err != HY_OK && !member->wake.added) member_free(member);
        if (err != HY_OK) return err;
    }
    member_set_idle(member, false);
    *out_member = member;
    return HY_OK;
}

void hyi_members_free(hyi_part *part) {
    for (uint32_t i = 0; i < part->bucket_count; i++) {
        while (part->buckets[i] != NULL) {
            hyi_member *member = part->buckets[i];
            if (member->host != NULL) hyi_host_free(member->host);
            member_free(member);
        }
    }
    if (part->buckets != part->few) {
        hy_mem_free(part->fleet->mem, part->buckets, part->bucket_count * sizeof(hyi_member *));
    }
    hyi_members_init(part);
}
