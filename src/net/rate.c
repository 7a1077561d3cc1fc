// rate.c - how often each address may ask.
//
// A token bucket, written as one time: `full_at` is when the bucket would be full again. Each
// request moves it one interval later; when it would lie more than a second ahead, the bucket is
// empty.
#include "net/rate.h"

#include "base/digest.h"

#include <string.h>

static hyi_rate_entry *rate_find(hyi_rate *rate, hy_id address);

void hyi_rate_init(hyi_rate *rate, uint32_t per_second, uint64_t seed) {
    memset(rate, 0, sizeof *rate);
    rate->per_second = per_second;
    rate->seed = seed;
}

hy_ns hyi_rate_take(hyi_rate *rate, hy_id address, hy_ns now) {
    if (rate->per_second == 0) return 0;
    hyi_rate_entry *entry = rate_find(rate, address);
    const hy_ns interval = HY_SECONDS(1) / rate->per_second;
    hy_ns full_at = entry->full_at > now ? entry->full_at : now;
    entry->asked_at = now;
    hy_ns too_far = full_at + interval - now - HY_SECONDS(1);
    if (too_far > 0) return too_far;
    entry->full_at = full_at + interval;
    return 0;
}

static hyi_rate_entry *rate_find(hyi_rate *rate, hy_id address) {
    uint64_t set = hyi_digest(rate->seed, &address, sizeof address) % HYI_RATE_SETS;
    hyi_rate_entry *oldest = &rate->entries[set][0];
    for (uint32_t way = 0; way < HYI_RATE_WAYS; way++) {
        hyi_rate_entry *entry = &rate->entries[set][way];
        if (entry->used && entry->address.hi == address.hi && entry->address.lo == address.lo) {
            return entry;
        }
        if (!entry->used || (oldest->used && entry->asked_at < oldest->asked_at)) oldest = entry;
    }
    *oldest = (hyi_rate_entry){ .address = address, .used = true };
    return oldest;
}
