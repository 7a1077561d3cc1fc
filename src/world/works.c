// works.c - see the header.
//
// A queue is linked both ways, because withdrawing takes from the middle. Of a record's private
// words the first is the next one, the second the one before, the third the state with the
// generation above it; the fourth is the simulated world's.
#include "world/works.h"

#include <string.h>

#define WORKS_STATE_BITS 2u

// Disks and name servers answer slowly and cost no processor while they do: several at once.
// Crypto costs nothing else.
static const uint32_t works_at_once[HY_WORK_KINDS] = {
    [HY_WORK_ANY] = 4,    [HY_WORK_DISK] = 4,   [HY_WORK_DNS] = 4,
    [HY_WORK_SQLITE] = 4, [HY_WORK_CRYPTO] = 2,
};

void hyi_works_init(hyi_works *works, const uint32_t *at_once, uint32_t waiting_max) {
    *works = (hyi_works){ .waiting_max = waiting_max ? waiting_max : HYI_WORKS_WAITING_MAX };
    for (uint32_t kind = 0; kind < HY_WORK_KINDS; kind++)
        works->kinds[kind].at_once = at_once[kind] ? at_once[kind] : works_at_once[kind];
}

uint32_t hyi_works_at_once(const hyi_works *works) {
    uint64_t sum = 0;
    for (uint32_t kind = 0; kind < HY_WORK_KINDS; kind++)
        sum += works->kinds[kind].at_once;
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

hyi_work_state hyi_works_state(const hyi_works *works, const hy_work *work) {
    if (!hyi_works_knows(works, work)) return HYI_WORK_OUT;
    return (hyi_work_state)((uintptr_t)work->private_[2] & ((1u << WORKS_STATE_BITS) - 1));
}

void hyi_works_set_state(const hyi_works *works, hy_work *work, hyi_work_state state) {
    uintptr_t word = (uintptr_t)works->generation << WORKS_STATE_BITS | (uintptr_t)state;
    work->private_[2] = (void *)word;
}

bool hyi_works_knows(const hyi_works *works, const hy_work *work) {
    return (uintptr_t)work->private_[2] >> WORKS_STATE_BITS == (uintptr_t)works->generation;
}

hy_err hyi_works_add(hyi_works *works, hy_work *work) {
    hyi_works_kind *kind = &works->kinds[work->kind];
    if (kind->waiting >= works->waiting_max) return HY_LIMIT;
    hyi_work_link(work, NULL);
    work->private_[1] = kind->last;
    hyi_works_set_state(works, work, HYI_WORK_WAITING);
    if (kind->last) {
        hyi_work_link(kind->last, work);
    } else {
        kind->first = work;
    }
    kind->last = work;
    kind->waiting++;
    return HY_OK;
}

void hyi_works_remove(hyi_works *works, hy_work *work) {
    HY_ASSERT(hyi_works_state(works, work) == HYI_WORK_WAITING);
    hyi_works_kind *kind = &works->kinds[work->kind];
    HY_ASSERT(kind->waiting > 0);
    hy_work *next = hyi_work_next(work), *before = (hy_work *)work->private_[1];
    if (before) {
        hyi_work_link(before, next);
    } else {
        kind->first = next;
    }
    if (next) {
        next->private_[1] = before;
    } else {
        kind->last = before;
    }
    kind->waiting--;
    hyi_works_set_state(works, work, HYI_WORK_OUT);
}

static uint32_t works_kind_startable(const hyi_works_kind *kind) {
    uint32_t places = kind->at_once > kind->running ? kind->at_once - kind->running : 0;
    return places < kind->waiting ? places : kind->waiting;
}

hy_work *hyi_works_take(hyi_works *works) {
    for (uint32_t i = 0; i < HY_WORK_KINDS; i++) {
        hyi_works_kind *kind = &works->kinds[(works->turn + i) % HY_WORK_KINDS];
        if (works_kind_startable(kind) == 0) continue;
        hy_work *work = kind->first;
        hyi_works_remove(works, work);
        hyi_works_set_state(works, work, HYI_WORK_TAKEN);
        kind->running++;
        works->turn = (work->kind + 1) % HY_WORK_KINDS;
        return work;
    }
    return NULL;
}

uint32_t hyi_works_startable(const hyi_works *works) {
    uint32_t count = 0;
    for (uint32_t kind = 0; kind < HY_WORK_KINDS; kind++)
        count += works_kind_startable(&works->kinds[kind]);
    return count;
}

void hyi_works_leave(hyi_works *works, uint32_t kind) {
    HY_ASSERT(works->kinds[kind].running > 0);
    works->kinds[kind].running--;
}

void hyi_works_forget(hyi_works *works) {
    works->generation++;
    for (uint32_t i = 0; i < HY_WORK_KINDS; i++) {
        hyi_works_kind *kind = &works->kinds[i];
        *kind = (hyi_works_kind){ .at_once = kind->at_once };
    }
}
