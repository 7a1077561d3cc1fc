// provider.h - a payment provider to practise with, as an HTTP service.
// Example: clinic, provider. Includes: base schema world net.
// Threads: the world's.
//
//   POST /holds                 {"amount_cents":5000,"user_id":"..."} and an Idempotency-Key header
//   (or
//                               "key" in the body): reserves the money, once per key
//   GET  /holds/:key            what became of it; 404: never heard of that key
//   POST /holds/:key/capture    takes the money, once; 404 and 409 when there is nothing to take
//   POST /holds/:key/release    gives it up, or back; an unknown key is remembered as released, and
//   a
//                               hold that comes later is declined
//   GET  /ledger                everything it ever did, with totals: the judge
//   GET, POST /behaviour        {"mode":"slow","delay_ms":500,"decline_percent":10,"seed":1}
//
// Answers about a hold: {"hold":7,"key":"...","status":"held","amount_cents":5000}. An amount whose
// cents end in 13 (50.13) is always declined, for demonstrations. A webhook gets the same body.
#ifndef EXAMPLE_CLINIC_PROVIDER_H
#define EXAMPLE_CLINIC_PROVIDER_H

#include <hypha/net.h>

#include "provider/ledger.h"

#define PROVIDER_MODE(E)                                                                           \
    E(0, PROVIDER_NORMAL, normal)                                                                  \
    E(1, PROVIDER_SLOW, slow)   /* answers after delay_ms (1000) */                                \
    E(2, PROVIDER_DOWN, down)   /* 503, and nothing is done */                                     \
    E(3, PROVIDER_LATE, late)   /* does it, answers after delay_ms (8000), when nobody waits */    \
    E(4, PROVIDER_TWICE, twice) /* calls the webhook twice */                                      \
    E(5, PROVIDER_FLAKY, flaky) /* all of it by dice: also 503 after it was done */
HY_ENUM(provider_mode, PROVIDER_MODE)

#define PROVIDER_BEHAVIOUR(F)                                                                      \
    F(1, enm(provider_mode), mode)                                                                 \
    F(2, u32, delay_ms)                                                                            \
    F(3, u32, decline_percent)                                                                     \
    F(4, u64, seed)
HY_RECORD(provider_behaviour, PROVIDER_BEHAVIOUR)

#define PROVIDER_ASK(F) F(1, opt(str), key) F(2, u64, amount_cents) F(3, str, user_id)
HY_RECORD(provider_ask, PROVIDER_ASK)

#define PROVIDER_HOLD(F)                                                                           \
    F(1, u64, hold)                                                                                \
    F(2, str, key)                                                                                 \
    F(3, enm(ledger_status), status)                                                               \
    F(4, u64, amount_cents)                                                                        \
    F(5, opt(str), error)                                                                          \
    F(6, opt(str), message)
HY_RECORD(provider_hold, PROVIDER_HOLD)

#define PROVIDER_TOTAL(F)                                                                          \
    F(1, u64, keys)                                                                                \
    F(2, u64, events)                                                                              \
    F(3, u64, holds)                                                                               \
    F(4, u64, declined)                                                                            \
    F(5, u64, charges)                                                                             \
    F(6, u64, charged_cents)                                                                       \
    F(7, u64, releases)                                                                            \
    F(8, u64, refunds)                                                                             \
    F(9, u64, refunded_cents)                                                                      \
    F(10, u64, charged_twice)
HY_RECORD(provider_total, PROVIDER_TOTAL)

#define PROVIDER_LEDGER(F) F(1, rec(provider_total), total) F(2, list(rec(ledger_entry)), holds)
HY_RECORD(provider_ledger, PROVIDER_LEDGER)

typedef struct provider_options {
    const char *host; // NULL: 127.0.0.1
    uint16_t port;
    const char *ledger;  // NULL: in memory
    const char *webhook; // NULL: none
} provider_options;

typedef struct provider provider;

// The strings stay the caller's. The errors of ledger_open, hy_server_open and hy_client_open.
HY_CHECKED hy_err provider_open(hy_world *world, const provider_options *options,
                                provider **out_provider, hy_why *why);
hy_server *provider_server(provider *p);
uint64_t provider_events(const provider *p);
// Lets requests under way be answered until `deadline`, then calls `closed`; `p` is gone then.
void provider_close(provider *p, void (*closed)(void *self), void *self, hy_ns deadline);

#endif
