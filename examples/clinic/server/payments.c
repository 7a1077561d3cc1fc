// payments.c - attempts at holds, captures and releases.
//
// A hold is known to the provider by the clinic's key for it, the same for every attempt and after
// every crash. So repeating is harmless; but a repeated attempt asks first (GET /holds/:key), which
// settles what happened to an answer that got lost, and creates nothing.
//
//     attempt -> ask -> known: done            (only for a hold that may exist already)
//             \      -> 404: \.
//              -----------------> do -> done
//     whatever else comes, or nothing: failed; the host tries again later
//
// An attempt is a fiber, so it reads like that. The machine decides when to give up (its expiry),
// not this file.

#include "server/payments.h"

#include <stdio.h>
#include <string.h>

#include "server/live.h"
#include "server/said.h"
#include "server/watch.h"

#define PAYMENTS_ATTEMPT_MAX HY_SECONDS(6)
#define PAYMENTS_FETCH_MAX HY_SECONDS(5)
#define PAYMENTS_BACKOFF_MIN HY_MS(500)
#define PAYMENTS_BACKOFF_MAX HY_SECONDS(5)
#define PAYMENTS_DOWN_AFTER 3u // failures without a success between them
#define PAYMENTS_NOTED_MAX 8u  // attempts of one action that are noted; then every 10th

struct clinic_payments {
    clinic_service *service;
    const char *provider;
    uint32_t failures; // since the last answer
    const char *status;
};

typedef struct payments_reply {
    uint32_t status;
    said_what said;
} payments_reply;

static hy_err payments_attempt(void *self, const hy_effect *effect, void *out_completion);

hy_err payments_open(hy_scope *scope, clinic_service *service, const char *provider) {
    clinic_payments *p = hy_scope_alloc(scope, sizeof *p);
    if (p == NULL) return HY_NOMEM;
    *p = (clinic_payments){ .service = service, .provider = provider, .status = "ok" };
    service->payments = p;
    hy_err err = HY_OK;
    for (uint32_t kind = CLINIC_DO_HOLD; kind <= CLINIC_DO_RELEASE && err == HY_OK; kind++) {
        const hy_executor limits = { .kind = kind,
                                     .self = p,
                                     .attempt_max_ns = PAYMENTS_ATTEMPT_MAX,
                                     .backoff_min_ns = PAYMENTS_BACKOFF_MIN,
                                     .backoff_max_ns = PAYMENTS_BACKOFF_MAX };
        err = hy_fleet_executor_in(scope, service->fleet, &limits, payments_attempt);
    }
    return err;
}

const char *payments_status(const clinic_payments *p) {
    return p->status;
}

// ---- what people see ----

static void payments_turn(clinic_payments *p, const char *status) {
    if (p->status == status) return;
    p->status = status;
    live_turned(p->service->live);
}

static const char *payments_verb(uint32_t kind) {
    switch (kind) {
    case CLINIC_DO_HOLD: return "hold";
    case CLINIC_DO_CAPTURE: return "payment";
    default: return "release";
    }
}

static void payments_note(clinic_payments *p, const hy_effect *effect, const char *what) {
    const clinic_payment *payment = effect->body;
    clinic_service *s = p->service;
    if (effect->attempt > PAYMENTS_NOTED_MAX && effect->attempt % 10 != 0) return;
    const uint64_t appointment =
        practice_outside(practice_of_key(effect->instance), payment->appointment);
    notes_add(&s->notes, appointment, hy_world_wall(s->world), "%s, attempt %u: %s",
              payments_verb(effect->kind), effect->attempt, what);
    live_touch(s->live, appointment, payment->patient);
}

static hy_err payments_failed(clinic_payments *p, const hy_effect *effect, hy_err err,
                              const char *what) {
    p->failures++;
    payments_turn(p, p->failures < PAYMENTS_DOWN_AFTER ? "retrying" : "down");
    payments_note(p, effect, what);
    return hy_why_set(effect->why, err, p->provider, what);
}

// ---- one exchange ----

// HY_OK: the provider has said something, perhaps 404.
static hy_err payments_exchange(clinic_payments *p, const hy_effect *effect, hy_fetch *fetch,
                                payments_reply *out_reply) {
    char key[sizeof "Idempotency-Key: " + CLINIC_HOLD_TEXT_MAX];
    const clinic_payment *payment = effect->body;
    (void)snprintf(key, sizeof key, "Idempotency-Key: %.*s", HY_SHOW(payment->hold));
    fetch->headers[0] = key;
    fetch->headers[1] = "Content-Type: application/json";
    fetch->response_bytes_max = 65536;
    fetch->deadline = hy_world_now(p->service->world) + PAYMENTS_FETCH_MAX;
    hy_err err = hy_client_ask(p->service->client, fetch);
    if (err == HY_CANCELLED) return err; // we are being stopped, which says nothing about anybody
    if (err != HY_OK) {
        return payments_failed(p, effect, err, "the provider does not answer, trying again");
    }
    if (fetch->status >= 500 || fetch->status == 429) {
        return payments_failed(p, effect, HY_IO, "the provider has trouble, trying again");
    }
    *out_reply = (payments_reply){ fetch->status, said_read(fetch->response, NULL) };
    p->failures = 0;
    payments_turn(p, "ok");
    return HY_OK;
}

static hy_err payments_ask(clinic_payments *p, const hy_effect *effect, payments_reply *out_reply) {
    const clinic_payment *payment = effect->body;
    char url[320];
    (void)snprintf(url, sizeof url, "%s/holds/%.*s", p->provider, HY_SHOW(payment->hold));
    return payments_exchange(p, effect, &(hy_fetch){ .method = "GET", .url = url }, out_reply);
}

static hy_err payments_do(clinic_payments *p, const hy_effect *effect, payments_reply *out_reply) {
    const clinic_payment *payment = effect->body;
    char url[320], body[128] = "", patient[HY_ID_TEXT_LEN + 1];
    if (effect->kind == CLINIC_DO_HOLD) {
        hy_id_format(payment->patient, patient);
        (void)snprintf(url, sizeof url, "%s/holds", p->provider);
        (void)snprintf(body, sizeof body, "{\"amount_cents\":%u,\"user_id\":\"%s\"}",
                       payment->amount_cents, patient);
    } else {
        (void)snprintf(url, sizeof url, "%s/holds/%.*s/%s", p->provider, HY_SHOW(payment->hold),
                       effect->kind == CLINIC_DO_CAPTURE ? "capture" : "release");
    }
    hy_fetch fetch = { .method = "POST", .url = url, .body = hy_bytes_of(body) };
    return payments_exchange(p, effect, &fetch, out_reply);
}

// ---- what it means ----

typedef enum payments_verdict {
    PAYMENTS_UNCLEAR,
    PAYMENTS_WORKED,
    PAYMENTS_DECLINED,
} payments_verdict;

static payments_verdict payments_judge(uint32_t kind, const payments_reply *reply) {
    const said_what said = reply->said;
    switch (kind) {
    case CLINIC_DO_HOLD:
        if (said == SAID_HELD || said == SAID_CAPTURED) return PAYMENTS_WORKED;
        if (said == SAID_DECLINED || said == SAID_RELEASED) return PAYMENTS_DECLINED;
        return PAYMENTS_UNCLEAR;
    case CLINIC_DO_CAPTURE:
        // A provider that says it will not or cannot capture has not taken anything: the machine
        // releases.
        if (said == SAID_CAPTURED) return PAYMENTS_WORKED;
        if (said == SAID_DECLINED || said == SAID_RELEASED) return PAYMENTS_DECLINED;
        return reply->status == 404 ? PAYMENTS_DECLINED : PAYMENTS_UNCLEAR;
    default:
        if (said == SAID_RELEASED || said == SAID_DECLINED) return PAYMENTS_WORKED;
        return PAYMENTS_UNCLEAR;
    }
}

static hy_err payments_settle(clinic_payments *p, const hy_effect *effect, clinic_done *out_done) {
    const clinic_payment *payment = effect->body;
    const bool may_exist =
        effect->kind == CLINIC_DO_HOLD && (effect->restored || effect->attempt > 1);
    payments_reply reply = { .status = 404 };
    hy_err err = may_exist ? payments_ask(p, effect, &reply) : HY_OK;
    if (err == HY_OK && reply.status == 404) err = payments_do(p, effect, &reply);
    if (err != HY_OK) return err;
    payments_verdict said = payments_judge(effect->kind, &reply);
    if (said == PAYMENTS_UNCLEAR) {
        return payments_failed(p, effect, HY_MALFORMED,
                               "the provider's answer says nothing yet, trying again");
    }
    *out_done = (clinic_done){ payment->appointment, said == PAYMENTS_WORKED };
    return HY_OK;
}

static hy_err payments_attempt(void *self, const hy_effect *effect, void *out_completion) {
    clinic_payments *p = self;
    clinic_done *done = out_completion;
    if (effect->restored && effect->attempt == 1) {
        payments_note(p, effect, "taken up again after a restart");
    }
    hy_err err = payments_settle(p, effect, done);
    watch_attempt(p->service->watch, payments_verb(effect->kind), effect, err, done->worked);
    return err;
}
