// provider.c - a payment provider to practise with, as an HTTP service.
//
// The provider itself is honest: one hold, one charge, one release per key, on disk before it says
// so. What it is told to do badly concerns only when and whether its answers arrive, and how often
// the webhook is called. So whoever is charged twice was charged by two keys, and /ledger shows it.
//
//     request -> fate (dice, mode) -> ledger -> durable -> webhook -> delay -> answer
//
// A `provider_answer` stands for a request on this way; it lives in the request's arena.
#include "provider/provider.h"

#include "base/cleanup.h"
#include "base/why.h"

#include <string.h>

HY_ENUM_DEFINE(provider_mode, PROVIDER_MODE)
HY_RECORD_DEFINE(provider_behaviour, PROVIDER_BEHAVIOUR)
HY_RECORD_DEFINE(provider_ask, PROVIDER_ASK)
HY_RECORD_DEFINE(provider_hold, PROVIDER_HOLD)
HY_RECORD_DEFINE(provider_total, PROVIDER_TOTAL)
HY_RECORD_DEFINE(provider_ledger, PROVIDER_LEDGER)

#define PROVIDER_SLOW_MS 1000u
#define PROVIDER_LATE_MS 8000u // longer than any client here waits
#define PROVIDER_HOOK_TRIES 5u
#define PROVIDER_HOOK_PAUSE HY_MS(200)
#define PROVIDER_HOOK_MAX HY_SECONDS(5)

typedef struct provider_answer provider_answer;
typedef struct provider_hook provider_hook;

struct provider {
    hy_world *world;
    hy_mem *mem;
    provider_options options;
    provider_behaviour behaviour;
    uint64_t dice;
    ledger *book;
    hy_server *server;
    hy_client *client;
    provider_answer *answers; // doubly linked: not yet given
    provider_hook *hooks;     // the same
    bool is_stopping;         // the server is gone
    ledger_wait last_wait;
    hy_post last_post;
    void (*closed)(void *self);
    void *closed_self;
};

// What will happen to one request, apart from its work.
typedef struct provider_fate {
    bool fails_before, fails_after;
    hy_ns delay;
    uint32_t hooks;
} provider_fate;

struct provider_answer {
    provider_answer *previous, *next;
    provider *p;
    hy_request *request;
    provider_fate fate;
    ledger_wait wait;
    hy_timer timer;
    bool is_delayed; // it waits for its timer
    uint32_t status;
    bool is_news; // for the webhook
    provider_hold hold;
};

struct provider_hook {
    hy_fetch fetch;
    provider_hook *previous, *next;
    provider *p;
    hy_timer timer;
    uint32_t tries;
    hy_buf body;
};

static void provider_post_hold(void *self, hy_request *request);
static void provider_get_hold(void *self, hy_request *request);
static void provider_post_capture(void *self, hy_request *request);
static void provider_post_release(void *self, hy_request *request);
static void provider_get_ledger(void *self, hy_request *request);
static void provider_get_behaviour(void *self, hy_request *request);
static void provider_post_behaviour(void *self, hy_request *request);
static void provider_give(provider_answer *answer);
static void provider_send_hook(provider *p, const provider_hold *hold);
static void provider_end_hook(provider_hook *hook);

// ---- opening and closing -----------------------------------------------------------------------

static void provider_free(provider *p) {
    ledger_close(p->book);
    hy_client_close(p->client);
    hy_mem_free(p->mem, p, sizeof *p);
}

hy_err provider_open(hy_world *world, const provider_options *options, provider **out_provider,
                     hy_why *why) {
    hy_mem *mem = hy_world_mem(world);
    provider *p = hy_mem_alloc_zero(mem, sizeof *p);
    if (p == NULL) return HY_NOMEM;
    p->world = world;
    p->mem = mem;
    p->options = *options;
    p->dice = hy_world_random(world);
    const hy_route routes[] = {
        { "POST", "/holds", provider_post_hold, p },
        { "GET", "/holds/:key", provider_get_hold, p },
        { "POST", "/holds/:key/capture", provider_post_capture, p },
        { "POST", "/holds/:key/release", provider_post_release, p },
        { "GET", "/ledger", provider_get_ledger, p },
        { "GET", "/behaviour", provider_get_behaviour, p },
        { "POST", "/behaviour", provider_post_behaviour, p },
    };
    const hy_server_options server = { .size = sizeof server,
                                       .host = options->host,
                                       .port = options->port };
    hy_err err = ledger_open(world, options->ledger, &p->book, why);
    if (err == HY_OK) err = hy_client_open(world, 8, &p->client);
    if (err == HY_OK) {
        err = hy_server_open(world, &server, routes, sizeof routes / sizeof routes[0], NULL, 0,
                             &p->server, why);
    }
    if (err != HY_OK) {
        provider_free(p);
        return err;
    }
    *out_provider = p;
    return HY_OK;
}

hy_server *provider_server(provider *p) {
    return p->server;
}

uint64_t provider_events(const provider *p) {
    return ledger_events(p->book);
}

static void provider_is_done(hy_post *post) {
    provider *p = (provider *)((char *)post - offsetof(provider, last_post));
    void (*closed)(void *) = p->closed;
    void *self = p->closed_self;
    provider_free(p);
    if (closed != NULL) closed(self);
}

// The ledger is still on the stack here, so it is freed a round later.
static void provider_is_durable(ledger_wait *wait, hy_err err) {
    (void)err; // whoever asked for that line has been told
    provider *p = (provider *)((char *)wait - offsetof(provider, last_wait));
    p->last_post.done = provider_is_done;
    hy_world_post(p->world, &p->last_post);
}

static void provider_forget_answer(provider_answer *answer) {
    if (answer->previous != NULL) {
        answer->previous->next = answer->next;
    } else {
        answer->p->answers = answer->next;
    }
    if (answer->next != NULL) answer->next->previous = answer->previous;
    hy_timer_stop(answer->p->world, &answer->timer);
}

static provider_answer *provider_next_delayed(provider *p) {
    provider_answer *answer = p->answers;
    while (answer != NULL && !answer->is_delayed) {
        answer = answer->next;
    }
    return answer;
}

// Nobody hears the answers that are left; giving them frees their requests. Those that wait for the
// disk are given when it has spoken, which is before `last_wait` is told.
static void provider_server_closed(void *self) {
    provider *p = self;
    p->is_stopping = true;
    provider_answer *answer;
    while ((answer = provider_next_delayed(p)) != NULL) {
        provider_give(answer);
    }
    while (p->hooks != NULL) {
        hy_client_cancel(p->client, &p->hooks->fetch);
        provider_end_hook(p->hooks);
    }
    p->last_wait.done = provider_is_durable;
    ledger_when_durable(p->book, NULL, &p->last_wait);
}

void provider_close(provider *p, void (*closed)(void *self), void *self, hy_ns deadline) {
    p->closed = closed;
    p->closed_self = self;
    hy_server_close(p->server, provider_server_closed, p, deadline);
}

// ---- fate --------------------------------------------------------------------------------------

// splitmix64, so that a seed gives the same mishaps again.
static uint64_t provider_throw(provider *p, uint64_t sides) {
    uint64_t z = (p->dice += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % sides;
}

static hy_ns provider_delay(const provider *p, uint32_t otherwise_ms) {
    return HY_MS(p->behaviour.delay_ms != 0 ? p->behaviour.delay_ms : otherwise_ms);
}

static provider_fate provider_flaky_fate(provider *p) {
    provider_fate fate = { .hooks = (uint32_t)provider_throw(p, 3) };
    switch (provider_throw(p, 8)) {
    case 0: fate.fails_before = true; break;
    case 1: fate.fails_after = true; break;
    case 2: fate.delay = provider_delay(p, PROVIDER_LATE_MS); break;
    case 3:
    case 4:
        fate.delay = (hy_ns)provider_throw(p, (uint64_t)provider_delay(p, PROVIDER_SLOW_MS));
        break;
    default: break;
    }
    return fate;
}

static provider_fate provider_next_fate(provider *p) {
    switch (p->behaviour.mode) {
    case PROVIDER_SLOW:
        return (provider_fate){ .delay = provider_delay(p, PROVIDER_SLOW_MS), .hooks = 1 };
    case PROVIDER_DOWN: return (provider_fate){ .fails_before = true };
    case PROVIDER_LATE:
        return (provider_fate){ .delay = provider_delay(p, PROVIDER_LATE_MS), .hooks = 1 };
    case PROVIDER_TWICE: return (provider_fate){ .hooks = 2 };
    case PROVIDER_FLAKY: return provider_flaky_fate(p);
    default: return (provider_fate){ .hooks = 1 };
    }
}

static bool provider_declines(provider *p, uint64_t amount_cents) {
    if (amount_cents % 100 == 13) return true;
    const uint32_t percent = p->behaviour.decline_percent;
    return percent > 0 && provider_throw(p, 100) < percent;
}

// ---- the way of one request --------------------------------------------------------------------

static void provider_refuse(hy_request *request, hy_err err, const char *place, const char *text) {
    hy_why why;
    (void)hy_why_set(&why, err, place, text);
    hy_request_refuse(request, 0, err, NULL, &why);
}

static void provider_give(provider_answer *answer) {
    provider_forget_answer(answer);
    if (answer->fate.fails_after) {
        provider_refuse(answer->request, HY_BUSY, "provider", "the provider has trouble");
        return;
    }
    hy_request_answer_record(answer->request, answer->status, &provider_hold_record, &answer->hold);
}

static void provider_is_due(hy_timer *timer) {
    provider_give((provider_answer *)((char *)timer - offsetof(provider_answer, timer)));
}

static void provider_is_written(ledger_wait *wait, hy_err err) {
    provider_answer *answer = (provider_answer *)((char *)wait - offsetof(provider_answer, wait));
    provider *p = answer->p;
    if (err != HY_OK) {
        provider_forget_answer(answer);
        provider_refuse(answer->request, err, "ledger", "the provider cannot write its ledger");
        return;
    }
    for (uint32_t i = 0; !p->is_stopping && answer->is_news && i < answer->fate.hooks; i++) {
        provider_send_hook(p, &answer->hold);
    }
    hy_ns due = hy_world_now(p->world) + answer->fate.delay;
    answer->is_delayed = answer->fate.delay > 0 && !p->is_stopping &&
                         hy_timer_at(p->world, &answer->timer, due) == HY_OK;
    if (!answer->is_delayed) provider_give(answer);
}

// NULL: the request was refused.
static provider_answer *provider_begin(provider *p, hy_request *request) {
    provider_fate fate = provider_next_fate(p);
    if (fate.fails_before) {
        provider_refuse(request, HY_BUSY, "provider", "the provider is down; try again");
        return NULL;
    }
    provider_answer *answer = hy_arena_alloc(hy_request_arena(request), sizeof *answer);
    if (answer == NULL) {
        provider_refuse(request, HY_NOMEM, "provider", "no memory");
        return NULL;
    }
    *answer = (provider_answer){ .p = p, .request = request, .fate = fate, .status = 200 };
    answer->wait.done = provider_is_written;
    answer->timer.done = provider_is_due;
    answer->next = p->answers;
    if (answer->next != NULL) answer->next->previous = answer;
    p->answers = answer;
    return answer;
}

static void provider_stop(provider_answer *answer, hy_err err, const char *place,
                          const char *text) {
    hy_request *request = answer->request;
    provider_forget_answer(answer);
    provider_refuse(request, err, place, text);
}

// What is known now; waits until the disk knows it too.
static void provider_finish(provider_answer *answer, const ledger_entry *entry) {
    answer->hold.hold = entry->hold;
    answer->hold.key = entry->key;
    answer->hold.amount_cents = entry->amount_cents;
    if (answer->hold.status == LEDGER_UNKNOWN) answer->hold.status = entry->status;
    ledger_when_durable(answer->p->book, entry, &answer->wait);
}

static bool provider_do(provider_answer *answer, ledger_event_kind kind, const provider_ask *ask,
                        const ledger_entry **out_entry) {
    hy_err err = ledger_do(answer->p->book, kind, ask->key.value, ask->amount_cents, ask->user_id,
                           out_entry);
    if (err != HY_OK) provider_stop(answer, err, "ledger", hy_err_text(err));
    answer->is_news = true;
    return err == HY_OK;
}

static bool provider_key_is_fit(hy_text key) {
    return key.len > 0 && key.len <= LEDGER_KEY_MAX && hy_text_is_utf8(key);
}

// ---- holds -------------------------------------------------------------------------------------

static hy_err provider_read_ask(hy_request *request, provider_ask *out_ask, hy_why *why) {
    hy_err err = hy_request_record(request, &provider_ask_record, out_ask, why);
    if (err != HY_OK) return err;
    hy_text header = hy_request_header(request, "idempotency-key");
    if (header.len > 0 && out_ask->key.has && !hy_bytes_equal(header, out_ask->key.value)) {
        return hy_why_set(why, HY_KEY_REUSED, "key", "the header and the body name two keys");
    }
    if (header.len > 0) out_ask->key.value = header;
    out_ask->key.has = true;
    if (!provider_key_is_fit(out_ask->key.value)) {
        return hy_why_set(why, HY_MISSING, "key",
                          "a hold needs a key of 1 to 128 bytes, in Idempotency-Key or \"key\"");
    }
    if (out_ask->amount_cents == 0 || out_ask->amount_cents > UINT64_C(100000000)) {
        return hy_why_set(why, HY_RANGE, "amount_cents", "an amount is 1 to 100000000 cents");
    }
    return HY_OK;
}

static void provider_post_hold(void *self, hy_request *request) {
    provider *p = self;
    provider_ask ask;
    hy_why why = { 0 };
    hy_err err = provider_read_ask(request, &ask, &why);
    if (err != HY_OK) {
        hy_request_refuse(request, 0, err, NULL, &why);
        return;
    }
    const ledger_entry *entry = ledger_find(p->book, ask.key.value);
    if (entry != NULL && entry->holds > 0 && entry->amount_cents != ask.amount_cents) {
        provider_refuse(request, HY_KEY_REUSED, "amount_cents",
                        "this key was used for another amount");
        return;
    }
    provider_answer *answer = provider_begin(p, request);
    if (answer == NULL) return;
    if (entry == NULL) {
        const bool declines = provider_declines(p, ask.amount_cents);
        if (!provider_do(answer, declines ? LEDGER_DO_DECLINE : LEDGER_DO_HOLD, &ask, &entry)) {
            return;
        }
        answer->status = 201;
    } else if (entry->holds == 0) {
        answer->hold.status = LEDGER_DECLINED; // declined before, or released before it was held
    }
    provider_finish(answer, entry);
}

static void provider_get_hold(void *self, hy_request *request) {
    provider *p = self;
    provider_answer *answer = provider_begin(p, request);
    if (answer == NULL) return;
    const ledger_entry *entry = ledger_find(p->book, hy_request_param(request, "key"));
    if (entry == NULL) {
        provider_stop(answer, HY_NOT_FOUND, "key", "no hold has this key");
        return;
    }
    provider_finish(answer, entry);
}

static void provider_post_capture(void *self, hy_request *request) {
    provider *p = self;
    provider_answer *answer = provider_begin(p, request);
    if (answer == NULL) return;
    const ledger_entry *entry = ledger_find(p->book, hy_request_param(request, "key"));
    if (entry == NULL) {
        provider_stop(answer, HY_NOT_FOUND, "key", "no hold has this key");
        return;
    }
    if (entry->status == LEDGER_HELD) {
        const provider_ask ask = { .key = { true, entry->key },
                                   .amount_cents = entry->amount_cents };
        if (!provider_do(answer, LEDGER_DO_CAPTURE, &ask, &entry)) return;
    } else if (entry->status != LEDGER_CAPTURED) {
        answer->status = 409;
        answer->hold.error.has = answer->hold.message.has = true;
        answer->hold.error.value = HY_BYTES("HY_REJECT");
        answer->hold.message.value = HY_BYTES("there is no held money under this key");
    }
    provider_finish(answer, entry);
}

static void provider_post_release(void *self, hy_request *request) {
    provider *p = self;
    hy_text key = hy_request_param(request, "key");
    if (!provider_key_is_fit(key)) {
        provider_refuse(request, HY_RANGE, "key", "a key has 1 to 128 bytes");
        return;
    }
    provider_answer *answer = provider_begin(p, request);
    if (answer == NULL) return;
    const ledger_entry *entry = ledger_find(p->book, key);
    const ledger_status status = entry == NULL ? LEDGER_UNKNOWN : entry->status;
    const provider_ask ask = { .key = { true, key },
                               .amount_cents = entry == NULL ? 0 : entry->amount_cents };
    if (status == LEDGER_UNKNOWN || status == LEDGER_HELD) {
        if (!provider_do(answer, LEDGER_DO_RELEASE, &ask, &entry)) return;
    } else if (status == LEDGER_CAPTURED) {
        if (!provider_do(answer, LEDGER_DO_REFUND, &ask, &entry)) return;
    }
    provider_finish(answer, entry);
}

// ---- the judge ---------------------------------------------------------------------------------

static void provider_count(provider_total *total, const ledger_entry *entry) {
    total->keys++;
    total->holds += entry->holds;
    total->declined += entry->status == LEDGER_DECLINED;
    total->charges += entry->charges;
    total->charged_cents += entry->charges * entry->amount_cents;
    total->releases += entry->releases;
    total->refunds += entry->refunds;
    total->refunded_cents += entry->refunds * entry->amount_cents;
    total->charged_twice += entry->charges > 1;
}

static void provider_get_ledger(void *self, hy_request *request) {
    provider *p = self;
    const uint32_t count = ledger_count(p->book);
    provider_ledger all = { .total.events = ledger_events(p->book) };
    all.holds.ptr =
        hy_arena_alloc(hy_request_arena(request), (count > 0 ? count : 1) * sizeof(ledger_entry));
    if (all.holds.ptr == NULL) {
        provider_refuse(request, HY_NOMEM, "ledger", "no memory for the whole ledger");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        all.holds.ptr[all.holds.len++] = *ledger_at(p->book, i);
        provider_count(&all.total, ledger_at(p->book, i));
    }
    hy_request_answer_record(request, 200, &provider_ledger_record, &all);
}

static void provider_get_behaviour(void *self, hy_request *request) {
    provider *p = self;
    hy_request_answer_record(request, 200, &provider_behaviour_record, &p->behaviour);
}

static void provider_post_behaviour(void *self, hy_request *request) {
    provider *p = self;
    provider_behaviour behaviour;
    hy_why why = { 0 };
    hy_err err = hy_request_record(request, &provider_behaviour_record, &behaviour, &why);
    if (err == HY_OK && behaviour.decline_percent > 100) {
        err = hy_why_set(&why, HY_RANGE, "decline_percent", "a percentage is 0 to 100");
    }
    if (err == HY_OK && behaviour.delay_ms > 600000) {
        err = hy_why_set(&why, HY_RANGE, "delay_ms", "a delay is at most 600000 ms");
    }
    if (err != HY_OK) {
        hy_request_refuse(request, 0, err, NULL, &why);
        return;
    }
    p->behaviour = behaviour;
    if (behaviour.seed != 0) p->dice = behaviour.seed;
    hy_request_answer_record(request, 200, &provider_behaviour_record, &behaviour);
}

// ---- the webhook -------------------------------------------------------------------------------

static void provider_end_hook(provider_hook *hook) {
    provider *p = hook->p;
    if (hook->previous != NULL) {
        hook->previous->next = hook->next;
    } else {
        p->hooks = hook->next;
    }
    if (hook->next != NULL) hook->next->previous = hook->previous;
    hy_timer_stop(p->world, &hook->timer);
    hy_buf_deinit(&hook->body);
    hy_mem_free(p->mem, hook, sizeof *hook);
}

static void provider_try_hook(provider_hook *hook) {
    hook->tries++;
    hook->fetch.deadline = hy_world_now(hook->p->world) + PROVIDER_HOOK_MAX;
    if (hy_client_fetch(hook->p->client, &hook->fetch) != HY_OK) provider_end_hook(hook);
}

static void provider_hook_is_due(hy_timer *timer) {
    provider_try_hook((provider_hook *)((char *)timer - offsetof(provider_hook, timer)));
}

static void provider_hook_done(hy_fetch *fetch) {
    provider_hook *hook = (provider_hook *)fetch; // its first member
    if (fetch->err == HY_CANCELLED) return;       // whoever cancelled ends it
    const bool was_heard = fetch->err == HY_OK && fetch->status < 500;
    hy_ns due = hy_world_now(hook->p->world) + (PROVIDER_HOOK_PAUSE << hook->tries);
    if (was_heard || hook->tries == PROVIDER_HOOK_TRIES ||
        hy_timer_at(hook->p->world, &hook->timer, due) != HY_OK) {
        provider_end_hook(hook);
    }
}

// Best effort: whoever depends on it asks with GET as well.
static void provider_send_hook(provider *p, const provider_hold *hold) {
    if (p->options.webhook == NULL) return;
    provider_hook *hook = hy_mem_alloc_zero(p->mem, sizeof *hook);
    if (hook == NULL) return;
    hook->p = p;
    hook->timer.done = provider_hook_is_due;
    hy_buf_init(&hook->body, p->mem, 0);
    hook->next = p->hooks;
    if (hook->next != NULL) hook->next->previous = hook;
    p->hooks = hook;
    if (hy_json_encode(&provider_hold_record, hold, &hook->body) != HY_OK) {
        provider_end_hook(hook);
        return;
    }
    hook->fetch = (hy_fetch){ .method = "POST",
                              .url = p->options.webhook,
                              .body = hy_buf_bytes(&hook->body),
                              .headers = { "Content-Type: application/json" },
                              .done = provider_hook_done };
    provider_try_hook(hook);
}
