// fleet_owed.c - machines that nobody calls, and that must be woken all the same.
//
// Two kinds. Those that owe something since a process before this one: the store names them, a
// handful at a time, when the fleet starts; each is loaded, which brings its actions and timers
// back, and may then rest like any other. And those that rest with a timer: they are kept in order
// of time. The wall clock may be moved by people, so nobody sleeps past a second of it.
//
// Debtors are loaded some at a time, because all of them at once would be all the memory there is,
// and would stand in the way of those who are called.
#include "host/fleet.h"

#include <string.h>

#define OWED_AT_ONCE 32u
#define OWED_WALL_NS HY_SECONDS(1)
#define OWED_RETRY_NS HY_MS(100)

static void owed_ask(hyi_store_call *call);
static void owed_told(hyi_store_call *call);

void hyi_owed_begin(hyi_part *part) {
    part->owed = HYI_OWED_ASKING;
    part->owed_call =
        (hyi_store_call){ .op = HYI_ASK, .world = part->world, .ask = owed_ask, .told = owed_told };
    part->owed_call.work.private_[1] = part;
    hyi_committer_submit(&part->fleet->committer, &part->owed_call);
}

static hyi_part *owed_part(const hyi_store_call *call) {
    return call->work.private_[1];
}

// On another thread: the next keys, one behind the other.
static void owed_ask(hyi_store_call *call) {
    hyi_part *part = owed_part(call);
    hy_store *store = part->fleet->store;
    hy_buf *keys = &part->owed_keys;
    uint8_t last[HY_INSTANCE_KEY_MAX];
    size_t len = part->owed_after.len;
    if (len > 0) memcpy(last, part->owed_after.ptr, len);
    hy_buf_clear(keys);
    for (uint32_t i = 0; i < OWED_AT_ONCE; i++) {
        const size_t at = keys->len;
        hy_buf_add(keys, "", 1); // for the length
        call->err = store->driver->owing(store, part->fleet->machine_number,
                                         (hy_bytes){ last, len }, keys, &call->why);
        if (call->err == HY_OK) call->err = keys->failed;
        if (call->err != HY_OK) {
            keys->len = at;
            return;
        }
        len = keys->len - at - 1;
        HY_ASSERT(len > 0 && len <= HY_INSTANCE_KEY_MAX);
        memcpy(last, keys->ptr + at + 1, len);
        keys->ptr[at] = (uint8_t)len;
    }
}

static void owed_pause(hyi_part *part) {
    part->owed = HYI_OWED_WAITING;
    part->owed_again_at = hy_world_now(part->world) + OWED_RETRY_NS;
    hyi_owed_arm(part);
}

// Wakes those that were found. False: not all, for want of room or memory; they are found again.
static bool owed_wake(hyi_part *part) {
    hy_bytes rest = hy_buf_bytes(&part->owed_keys);
    while (rest.len > 0) {
        const hy_bytes key = { rest.ptr + 1, rest.ptr[0] };
        const bool is_ours = hyi_fleet_part(part->fleet, key) == part;
        hyi_member *member = hyi_member_find(part, key);
        if (is_ours && member == NULL && hyi_member_wake(part, key, &member) != HY_OK) return false;
        if (is_ours && member->host != NULL && member->host->is_opening) member->may_owe = true;
        hy_buf_clear(&part->owed_after);
        hy_buf_add(&part->owed_after, key.ptr, key.len); // there is room: it was reserved
        rest = (hy_bytes){ key.ptr + key.len, rest.len - 1 - key.len };
    }
    return true;
}

static void owed_told(hyi_store_call *call) {
    hyi_part *part = owed_part(call);
    part->owed = HYI_OWED_WAITING;
    if (part->closing) {
        hyi_part_closing_advance(part);
        return;
    }
    const bool is_all = call->err == HY_END;
    const bool woken = owed_wake(part);
    if (is_all && woken) {
        part->owed = HYI_OWED_KNOWN;
        return;
    }
    if (!woken || call->err != HY_OK) owed_pause(part);
    hyi_owed_go_on(part);
}

void hyi_owed_go_on(hyi_part *part) {
    const bool may = part->owed == HYI_OWED_WAITING && !part->closing && part->opening_count == 0 &&
                     hyi_members_have_room(part);
    if (may && hy_world_now(part->world) >= part->owed_again_at) hyi_owed_begin(part);
}

// ---- timers -------------------------------------------------------------------------------------

void hyi_owed_arm(hyi_part *part) {
    hy_ns next = HY_NEVER;
    const hy_ns now = hy_world_now(part->world);
    // Past that moment it waits for a host, whose turns call hyi_owed_go_on.
    if (part->owed == HYI_OWED_WAITING && part->owed_again_at > now) next = part->owed_again_at;
    if (part->sleepers.first != NULL) {
        const hy_ns wall = hy_world_wall(part->world), at = part->sleepers.first->at;
        hy_ns wait = at <= wall ? 0 : at - wall;
        if (wait > OWED_WALL_NS) wait = OWED_WALL_NS;
        if (now + wait < next) next = now + wait;
    }
    if (next >= part->armed_at) return;
    part->armed_at = next;
    // Without memory for a timer, which there was when the fleet was opened, the next wakes it.
    if (hy_timer_at(part->world, &part->timer, next) != HY_OK) part->armed_at = HY_NEVER;
}

static void owed_wake_sleepers(hyi_part *part) {
    const hy_ns wall = hy_world_wall(part->world);
    hyi_due *due = NULL;
    while (part->started && (due = hyi_due_take(&part->sleepers, wall)) != NULL) {
        hyi_member *member = (hyi_member *)(void *)((uint8_t *)due - offsetof(hyi_member, wake));
        const hy_bytes key = { (const uint8_t *)member->key, member->key_len };
        hyi_due_add(&part->sleepers, due, wall + OWED_RETRY_NS); // where it stays if it fails
        hyi_member *woken = NULL;
        if (hyi_member_wake(part, key, &woken) != HY_OK) continue;
    }
}

void hyi_owed_fired(hy_timer *timer) {
    hyi_part *part = (hyi_part *)(void *)((uint8_t *)timer - offsetof(hyi_part, timer));
    part->armed_at = HY_NEVER;
    if (part->closing) return;
    owed_wake_sleepers(part);
    hyi_owed_go_on(part);
    hyi_owed_arm(part);
}
