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
// The machine decides when to give up (its expiry), not this file.

#include "server/payments.h"

#include <stdio.h>
#include <string.h>

#include "server/said.h"

#define PAYMENTS_ATTEMPT_MAX HY_SECONDS(6)
#define PAYMENTS_FETCH_MAX HY_SECONDS(5)
#define PAYMENTS_BACKOFF_MIN HY_MS(500)
#define PAYMENTS_BACKOFF_MAX HY_SECONDS(5)
#define PAYMENTS_DOWN_AFTER 3u // failures without a success between them
#define PAYMENTS_NOTED_MAX 8u  // attempts of one action that are noted; then every 10th

struct clinic_payments {
    payments_options is;
    hy_mem *mem;
    uint32_t failures; // since the last answer
    const char *status;
};

typedef struct payments_attempt {
    hy_fetch fetch;
    clinic_payments *payments;
    hy_effect *effect; // NULL: the host no longer wants to know
    bool asking;
    char url[320];
    char key[sizeof "Idempotency-Key: " + CLINIC_HOLD_TEXT_MAX];
    char body[128];
} payments_attempt;

static void payments_start(void *self, hy_effect *effect);
static void payments_cancel(void *self, hy_effect *effect);
static void payments_send(payments_attempt *attempt);
static void payments_fetched(hy_fetch *fetch);

hy_err payments_new(const payments_options *options, clinic_payments **out_payments) {
    hy_mem *mem = hy_world_mem(options->world);
    clinic_payments *p = hy_mem_alloc_zero(mem, sizeof *p);
    if (p == NULL) return HY_NOMEM;
    p->is = *options;
    p->mem = mem;
    p->status = "ok";
    for (uint32_t kind = CLINIC_DO_HOLD; kind <= CLINIC_DO_RELEASE; kind++) {
        hy_executor executor = { .kind = kind,
                                 .self = p,
                                 .start = payments_start,
                                 .cancel = payments_cancel,
                                 .attempt_max_ns = PAYMENTS_ATTEMPT_MAX,
                                 .backoff_min_ns = PAYMENTS_BACKOFF_MIN,
                                 .backoff_max_ns = PAYMENTS_BACKOFF_MAX };
        hy_err err = hy_host_executor(options->host, &executor);
        if (err != HY_OK) {
            payments_free(p);
            return err;
        }
    }
    *out_payments = p;
    return HY_OK;
}

clinic_payments *payments_free(clinic_payments *p) {
    if (p != NULL) hy_mem_free(p->mem, p, sizeof *p);
    return NULL;
}

const char *payments_status(const clinic_payments *p) {
    return p->status;
}

// ---- what people see ----

static void payments_turn(clinic_payments *p, const char *status) {
    if (p->status == status) return;
    p->status = status;
    p->is.turned(p->is.self);
}

static void payments_answered(clinic_payments *p) {
    p->failures = 0;
    payments_turn(p, "ok");
}

static void payments_unanswered(clinic_payments *p) {
    p->failures++;
    payments_turn(p, p->failures < PAYMENTS_DOWN_AFTER ? "retrying" : "down");
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
    if (effect->attempt > PAYMENTS_NOTED_MAX && effect->attempt % 10 != 0) return;
    notes_add(p->is.notes, payment->appointment, hy_world_wall(p->is.world), "%s, attempt %u: %s",
              payments_verb(effect->kind), effect->attempt, what);
    p->is.noted(p->is.self, payment->appointment);
}

// ---- one attempt ----

static void payments_attempt_free(payments_attempt *attempt) {
    hy_mem_free(attempt->payments->mem, attempt, sizeof *attempt);
}

static void payments_start(void *self, hy_effect *effect) {
    clinic_payments *p = self;
    payments_attempt *attempt = hy_mem_alloc_zero(p->mem, sizeof *attempt);
    if (attempt == NULL) {
        hy_effect_failed(p->is.host, effect, "no memory");
        return;
    }
    attempt->payments = p;
    attempt->effect = effect;
    attempt->asking = effect->kind == CLINIC_DO_HOLD && (effect->restored || effect->attempt > 1);
    effect->executor_data = attempt;
    if (effect->restored && effect->attempt == 1) {
        payments_note(p, effect, "taken up again after a restart");
    }
    payments_send(attempt);
}

static void payments_cancel(void *self, hy_effect *effect) {
    clinic_payments *p = self;
    payments_attempt *attempt = effect->executor_data;
    if (hy_world_now(p->is.world) >= effect->deadline) payments_unanswered(p);
    attempt->effect = NULL;
    hy_client_cancel(p->is.client, &attempt->fetch);
}

static void payments_end_failed(payments_attempt *attempt, const char *reason) {
    clinic_payments *p = attempt->payments;
    hy_effect *effect = attempt->effect;
    payments_attempt_free(attempt);
    hy_effect_failed(p->is.host, effect, reason);
}

static void payments_fill(payments_attempt *attempt) {
    const clinic_payment *payment = attempt->effect->body;
    const char *provider = attempt->payments->is.provider;
    const char *verb = attempt->effect->kind == CLINIC_DO_CAPTURE   ? "/capture"
                       : attempt->effect->kind == CLINIC_DO_RELEASE ? "/release"
                                                                    : "";
    char patient[HY_ID_TEXT_LEN + 1];
    hy_id_format(payment->patient, patient);
    bool creates = attempt->effect->kind == CLINIC_DO_HOLD && !attempt->asking;
    if (creates) {
        (void)snprintf(attempt->url, sizeof attempt->url, "%s/holds", provider);
        (void)snprintf(attempt->body, sizeof attempt->body,
                       "{\"amount_cents\":%u,\"user_id\":\"%s\"}", payment->amount_cents, patient);
    } else {
        (void)snprintf(attempt->url, sizeof attempt->url, "%s/holds/%.*s%s", provider,
                       HY_SHOW(payment->hold), verb);
        attempt->body[0] = 0;
    }
    (void)snprintf(attempt->key, sizeof attempt->key, "Idempotency-Key: %.*s",
                   HY_SHOW(payment->hold));
}

static void payments_send(payments_attempt *attempt) {
    clinic_payments *p = attempt->payments;
    payments_fill(attempt);
    attempt->fetch = (hy_fetch){ .method = attempt->asking ? "GET" : "POST",
                                 .url = attempt->url,
                                 .body = hy_bytes_of(attempt->body),
                                 .headers = { attempt->key, "Content-Type: application/json" },
                                 .response_bytes_max = 65536,
                                 .deadline = hy_world_now(p->is.world) + PAYMENTS_FETCH_MAX,
                                 .done = payments_fetched };
    hy_err err = hy_client_fetch(p->is.client, &attempt->fetch);
    if (err != HY_OK) payments_end_failed(attempt, hy_err_text(err));
}

// ---- its answer ----

static void payments_complete(payments_attempt *attempt, bool worked) {
    clinic_payments *p = attempt->payments;
    hy_effect *effect = attempt->effect;
    const clinic_payment *payment = effect->body;
    clinic_done done = { payment->appointment, worked };
    payments_attempt_free(attempt);
    hy_effect_done(p->is.host, effect, &done);
}

static void payments_retry(payments_attempt *attempt, const char *reason) {
    payments_unanswered(attempt->payments);
    payments_note(attempt->payments, attempt->effect, reason);
    payments_end_failed(attempt, reason);
}

static void payments_judge_hold(payments_attempt *attempt, uint32_t status, said_what said) {
    if (attempt->asking && status == 404) {
        attempt->asking = false;
        payments_send(attempt);
    } else if (said == SAID_HELD || said == SAID_CAPTURED) {
        payments_complete(attempt, true);
    } else if (said == SAID_DECLINED || said == SAID_RELEASED) {
        payments_complete(attempt, false);
    } else {
        payments_retry(attempt, "the provider's answer says nothing yet, trying again");
    }
}

// A provider that says it will not or cannot capture has not taken anything: the machine releases.
static void payments_judge_capture(payments_attempt *attempt, uint32_t status, said_what said) {
    if (said == SAID_CAPTURED) {
        payments_complete(attempt, true);
    } else if (said == SAID_DECLINED || said == SAID_RELEASED || status == 404) {
        payments_complete(attempt, false);
    } else {
        payments_retry(attempt, "the provider's answer says nothing yet, trying again");
    }
}

static void payments_judge_release(payments_attempt *attempt, said_what said) {
    if (said == SAID_RELEASED || said == SAID_DECLINED) {
        payments_complete(attempt, true);
    } else {
        payments_retry(attempt, "the provider's answer says nothing yet, trying again");
    }
}

static void payments_fetched(hy_fetch *fetch) {
    payments_attempt *attempt = (payments_attempt *)fetch; // its first member
    if (attempt->effect == NULL) {                         // cancelled
        payments_attempt_free(attempt);
        return;
    }
    if (fetch->err != HY_OK) {
        payments_retry(attempt, "the provider does not answer, trying again");
        return;
    }
    if (fetch->status >= 500 || fetch->status == 429) {
        payments_retry(attempt, "the provider has trouble, trying again");
        return;
    }
    said_what said = said_read(fetch->response, NULL);
    payments_answered(attempt->payments);
    switch (attempt->effect->kind) {
    case CLINIC_DO_HOLD: payments_judge_hold(attempt, fetch->status, said); break;
    case CLINIC_DO_CAPTURE: payments_judge_capture(attempt, fetch->status, said); break;
    default: payments_judge_release(attempt, said); break;
    }
}
