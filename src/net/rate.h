// rate.h - how often each address may ask.                        Room: net. Includes: base.
// Threads: a value of its owner. Pure: the time is an argument.
// Limits: remembers HYI_RATE_ADDRESSES addresses; the one that asked longest ago is forgotten
// first, in its set of HYI_RATE_WAYS. Forgetting errs for the client.
#ifndef HYI_NET_RATE_H
#define HYI_NET_RATE_H

#include <hypha/base.h>

#define HYI_RATE_WAYS 8u
#define HYI_RATE_SETS 256u
#define HYI_RATE_ADDRESSES (HYI_RATE_WAYS * HYI_RATE_SETS)

typedef struct hyi_rate_entry {
    hy_id address; // IPv6, or IPv4 mapped into it
    hy_ns full_at; // when its bucket will be full again; the past: it is
    hy_ns asked_at;
    bool used;
} hyi_rate_entry;

typedef struct hyi_rate {
    uint32_t per_second; // also the burst; 0: no limit
    uint64_t seed;       // so that nobody can choose addresses that meet in one set
    hyi_rate_entry entries[HYI_RATE_SETS][HYI_RATE_WAYS];
} hyi_rate;

void hyi_rate_init(hyi_rate *rate, uint32_t per_second, uint64_t seed);

// Counts one request. Returns 0 when it may pass, and otherwise in how long the next one may.
hy_ns hyi_rate_take(hyi_rate *rate, hy_id address, hy_ns now);

#endif
