// api.c - HTTP requests become calls and looks; their answers become HTTP again.
//
// A request's own arena holds everything that belongs to it, so answering it is also its clean-up.
// A POST that changes something must carry an Idempotency-Key: without one, a client that got no
// answer could not ask again safely.

#include <stdio.h>
#include <string.h>

#include "server/answers.h"
#include "server/payments.h"
#include "server/said.h"
#include "server/service.h"

// ---- small readers ----

hy_id api_id_of(hy_bytes text) {
    hy_id id = { 0, 0 };
    if (hy_id_parse(text, &id) != HY_OK) return (hy_id){ 0, 0 };
    return id;
}

bool api_u32_of(hy_bytes text, uint32_t *out_value) {
    uint64_t value = 0;
    if (text.len == 0 || text.len > 10) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (value > UINT32_MAX) return false;
    *out_value = (uint32_t)value;
    return true;
}

static void api_refuse(hy_request *request, hy_err err, const char *place, const char *text) {
    hy_why why = { 0 };
    (void)hy_why_set(&why, err, place, text == NULL ? hy_err_text(err) : text);
    hy_request_refuse(request, 0, err, NULL, &why);
}

// ---- POST: calls ----

typedef struct api_call {
    hy_call call;
    clinic_service *service;
    hy_request *request;
} api_call;

static void api_call_rejected(const api_call *c) {
    const hy_rejection *said = &clinic_machine.rejections[c->call.rejection];
    hy_why why = { 0 };
    (void)hy_why_set(&why, HY_REJECT, "", said->text);
    hy_request_refuse(c->request, said->http_status, HY_REJECT, said->name, &why);
}

// Patients are asked to try again; what is wrong, and that it is over, the operator must know.
static void api_tell_operator(clinic_service *s, hy_err err) {
    hy_host_stats stats = hy_host_stats_of(s->host);
    const char *trouble = stats.halted ? stats.halted_by : stats.store_trouble;
    if (err == HY_OK && s->trouble[0] != 0) {
        s->trouble[0] = 0;
        (void)fprintf(stderr, "clinic: requests are stored again\n");
    }
    if (err != HY_NOT_COMMITTED && err != HY_HALTED) return;
    if (strcmp(trouble, s->trouble) == 0) return;
    (void)snprintf(s->trouble, sizeof s->trouble, "%s", trouble);
    (void)fprintf(stderr, "clinic: requests are not stored, and refused: %s\n", trouble);
}

static void api_call_done(hy_call *call) {
    api_call *c = (api_call *)call;
    api_tell_operator(c->service, call->err);
    if (call->err == HY_REJECT) {
        api_call_rejected(c);
        return;
    }
    if (call->err != HY_OK) {
        api_refuse(c->request, call->err, call->invariant == NULL ? "" : call->invariant,
                   call->err == HY_KEY_REUSED
                       ? "this Idempotency-Key belongs to another request: send a new one"
                       : NULL);
        return;
    }
    const hy_record *record = clinic_machine.inputs[call->kind].reply;
    hy_arena *arena = hy_request_arena(c->request);
    void *reply = hy_arena_alloc(arena, record->size);
    hy_err err = reply == NULL ? HY_NOMEM : hy_wire_decode(record, call->reply, arena, reply, NULL);
    if (err != HY_OK) {
        api_refuse(c->request, err, "", NULL);
    } else {
        hy_request_answer_record(c->request, 200, record, reply);
    }
}

// A treatment that the records do not know is refused while decoding; it has a name of its own.
static void api_body_refused(hy_request *request, hy_err err, const hy_why *why) {
    bool treatment = strcmp(why->place, "treatment") == 0 && (err == HY_RANGE || err == HY_TYPE);
    const char *name = treatment ? clinic_machine.rejections[CLINIC_UNKNOWN_TREATMENT].name : NULL;
    hy_request_refuse(request, 0, err, name, why);
}

static void api_post(clinic_service *s, hy_request *request, uint32_t kind) {
    const hy_record *record = clinic_machine.inputs[kind].body;
    hy_bytes key = hy_request_header(request, "idempotency-key");
    if (key.len == 0 || key.len > HY_KEY_BYTES_MAX) {
        hy_why why = { 0 };
        (void)hy_why_set(&why, HY_MISSING, "idempotency-key",
                         "send a header Idempotency-Key of 1 to 64 bytes, new for each request and "
                         "the same when you repeat one");
        hy_request_refuse(request, 400, HY_MISSING, "BAD_KEY", &why);
        return;
    }
    hy_arena *arena = hy_request_arena(request);
    api_call *c = hy_arena_alloc(arena, sizeof *c);
    void *body = hy_arena_alloc(arena, record->size);
    hy_why why = { 0 };
    if (c == NULL || body == NULL) {
        api_refuse(request, HY_NOMEM, "", NULL);
        return;
    }
    hy_err err = hy_request_record(request, record, body, &why);
    if (err != HY_OK) {
        api_body_refused(request, err, &why);
        return;
    }
    *c = (api_call){ .call = { .kind = kind, .body = body, .key = key, .done = api_call_done },
                     .service = s,
                     .request = request };
    err = hy_host_submit(s->host, &c->call);
    if (err == HY_OK) return;
    api_tell_operator(s, err);
    api_refuse(request, err, "", NULL);
}

static void api_request_slot(void *self, hy_request *request) {
    api_post(self, request, CLINIC_IN_REQUEST_SLOT);
}

static void api_request_any(void *self, hy_request *request) {
    api_post(self, request, CLINIC_IN_REQUEST_ANY);
}

static void api_cancel(void *self, hy_request *request) {
    api_post(self, request, CLINIC_IN_CANCEL);
}

static void api_move(void *self, hy_request *request) {
    api_post(self, request, CLINIC_IN_MOVE);
}

// ---- GET: looks ----

typedef struct api_look {
    hy_look look;
    clinic_service *service;
    hy_request *request;
    uint32_t practice, day;
    hy_id patient;
    const hy_record *record; // of `answer`
    void *answer;
    hy_err err; // of reading it
} api_look;

static void api_looked(hy_look *look) {
    api_look *l = (api_look *)look;
    hy_err err = look->err;
    if (err == HY_NOT_COMMITTED) { // what was seen did not come true
        err = hy_host_look(l->service->host, look);
        if (err == HY_OK) return;
    }
    if (err == HY_OK) err = l->err;
    if (err == HY_OK) {
        hy_request_answer_record(l->request, 200, l->record, l->answer);
    } else {
        api_refuse(l->request, err, "", NULL);
    }
}

// The answer is cleared before each look, because a look may be repeated.
static void api_begin_look(api_look *l, const hy_record *record,
                           void (*look)(hy_look *look, const hy_view *view)) {
    l->look = (hy_look){ .look = look, .done = api_looked };
    l->record = record;
    l->answer = hy_arena_alloc(hy_request_arena(l->request), record->size);
    hy_err err = l->answer == NULL ? HY_NOMEM : hy_host_look(l->service->host, &l->look);
    if (err != HY_OK) api_refuse(l->request, err, "", NULL);
}

static api_look *api_new_look(clinic_service *s, hy_request *request) {
    api_look *l = hy_arena_alloc(hy_request_arena(request), sizeof *l);
    if (l == NULL) {
        api_refuse(request, HY_NOMEM, "", NULL);
        return NULL;
    }
    *l = (api_look){ .service = s, .request = request };
    l->patient = api_id_of(hy_request_param(request, "patient"));
    return l;
}

static void api_look_clinic(hy_look *look, const hy_view *view) {
    api_look *l = (api_look *)look;
    memset(l->answer, 0, l->record->size);
    l->err = answer_clinic_read(view, hy_world_wall(l->service->world),
                                hy_request_arena(l->request), l->answer);
}

static void api_clinic(void *self, hy_request *request) {
    api_look *l = api_new_look(self, request);
    if (l != NULL) api_begin_look(l, &answer_clinic_record, api_look_clinic);
}

// The number that goes with a week is of the last durable step: what the look saw is at least as
// new. A page may so hear once more of what it knows, but never misses a change.
static void api_look_week(hy_look *look, const hy_view *view) {
    api_look *l = (api_look *)look;
    answer_week *week = l->answer;
    memset(week, 0, sizeof *week);
    week->seq = hy_host_stats_of(l->service->host).durable_seq;
    l->err =
        answer_week_read(view, l->practice, l->day, l->patient, hy_request_arena(l->request), week);
}

static void api_week(void *self, hy_request *request) {
    api_look *l = api_new_look(self, request);
    if (l == NULL) return;
    bool ok = api_u32_of(hy_request_param(request, "practice"), &l->practice) &&
              api_u32_of(hy_request_param(request, "day"), &l->day) && l->day < 1000000;
    if (!ok) {
        api_refuse(request, HY_RANGE, "practice, day",
                   "give practice and day as numbers: /api/week?practice=1&day=20044");
        return;
    }
    api_begin_look(l, &answer_week_record, api_look_week);
}

static void api_look_mine(hy_look *look, const hy_view *view) {
    api_look *l = (api_look *)look;
    memset(l->answer, 0, l->record->size);
    l->err = answer_mine_read(view, l->patient, &l->service->notes, hy_request_arena(l->request),
                              l->answer);
}

static void api_mine(void *self, hy_request *request) {
    api_look *l = api_new_look(self, request);
    if (l == NULL) return;
    if (l->patient.hi == 0 && l->patient.lo == 0) {
        api_refuse(request, HY_RANGE, "patient", "give the patient's id: /api/mine?patient=<uuid>");
        return;
    }
    api_begin_look(l, &answer_mine_record, api_look_mine);
}

// ---- the provider calls back ----

// First a look: what does the appointment wait for? Then, if the provider's word answers that, the
// completion. Saying it twice, or too late, is fine and changes nothing.
typedef struct api_hook {
    hy_look look;
    hy_call call;
    clinic_service *service;
    hy_request *request;
    said_what said;
    const char *key;
    uint64_t action; // 0: nothing waits for this
    clinic_done done;
} api_hook;

static void api_hook_answer(api_hook *h, bool changed) {
    hy_request_answer_record(h->request, 200, &answer_done_record, &(answer_done){ changed });
}

static void api_hook_look(hy_look *look, const hy_view *view) {
    api_hook *h = (api_hook *)look;
    h->action = 0;
    const clinic_office *office = hy_row_get(view, CLINIC_OFFICES, &(clinic_office){ .key = 0 });
    if (office == NULL) return;
    uint64_t id = clinic_hold_parse(office->salt, hy_bytes_of(h->key));
    const clinic_appointment *a =
        hy_row_get(view, CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = id });
    if (a == NULL || a->action == 0) return;
    static const uint32_t kinds[] = { [CLINIC_HOLDING] = CLINIC_IN_HOLD_DONE,
                                      [CLINIC_CONFIRMING] = CLINIC_IN_CAPTURE_DONE,
                                      [CLINIC_RELEASING] = CLINIC_IN_RELEASE_DONE };
    bool fits =
        (a->state == CLINIC_HOLDING && (h->said == SAID_HELD || h->said == SAID_DECLINED)) ||
        (a->state == CLINIC_CONFIRMING && h->said == SAID_CAPTURED) ||
        (a->state == CLINIC_RELEASING && h->said == SAID_RELEASED);
    if (!fits) return;
    h->action = a->action;
    h->call.kind = kinds[a->state];
    h->done = (clinic_done){ id, h->said != SAID_DECLINED };
}

static void api_hook_done(hy_call *call) {
    api_hook *h = (api_hook *)(void *)((uint8_t *)call - offsetof(api_hook, call));
    bool late = call->err == HY_ALREADY_DONE || call->err == HY_REJECT ||
                call->err == HY_NOT_FOUND || call->err == HY_UNKNOWN_KIND;
    if (call->err == HY_OK || late) {
        api_hook_answer(h, call->err == HY_OK);
    } else {
        api_refuse(h->request, call->err, "", NULL);
    }
}

static void api_hook_looked(hy_look *look) {
    api_hook *h = (api_hook *)look;
    hy_err err = look->err;
    if (err == HY_OK && h->action == 0) {
        api_hook_answer(h, false);
        return;
    }
    if (err == HY_OK) {
        h->call.body = &h->done;
        h->call.done = api_hook_done;
        err = hy_host_complete(h->service->host, h->action, &h->call);
    }
    if (err != HY_OK) api_refuse(h->request, err, "", NULL); // the provider will call again
}

static void api_webhook(void *self, hy_request *request) {
    clinic_service *s = self;
    api_hook *h = hy_arena_alloc(hy_request_arena(request), sizeof *h);
    char *key = hy_arena_alloc(hy_request_arena(request), CLINIC_HOLD_TEXT_MAX);
    if (h == NULL || key == NULL) {
        api_refuse(request, HY_NOMEM, "", NULL);
        return;
    }
    *h = (api_hook){ .service = s, .request = request, .key = key };
    h->look = (hy_look){ .look = api_hook_look, .done = api_hook_looked };
    h->said = said_read(hy_request_body(request), key);
    if (h->said == SAID_UNCLEAR || key[0] == 0) {
        api_refuse(request, HY_MALFORMED, "body",
                   "send a JSON object with the hold's key and its status");
        return;
    }
    hy_err err = hy_host_look(s->host, &h->look);
    if (err != HY_OK) api_refuse(request, err, "", NULL);
}

// ---- how it is ----

static void api_health(void *self, hy_request *request) {
    clinic_service *s = self;
    hy_host_stats stats = hy_host_stats_of(s->host);
    // Whoever watches looks at the status code alone: a store that refuses is not well.
    const bool is_troubled = stats.store_trouble[0] != 0;
    const answer_health health = {
        .status = hy_bytes_of(stats.halted  ? "halted"
                              : is_troubled ? "store in trouble"
                                            : "ok"),
        .provider = hy_bytes_of(payments_status(s->payments)),
        .durable_seq = stats.durable_seq,
        .queue = stats.queue_count,
        .in_flight = stats.in_flight_count,
        .pending_actions = stats.pending_actions,
        .accepted = stats.accepted,
        .refused = stats.refused,
        .duplicates = stats.duplicates,
        .commits = stats.commits,
        .retries = stats.retries,
        .connections = hy_server_connections(s->server),
        .halted_by = hy_bytes_of(stats.halted_by),
        .last_failure = hy_bytes_of(stats.last_failure),
        .store_trouble = hy_bytes_of(stats.store_trouble),
    };
    hy_request_answer_record(request, stats.halted || is_troubled ? 503 : 200,
                             &answer_health_record, &health);
}

// ---- the routes ----

void api_routes(clinic_service *s, hy_route out_routes[API_ROUTES]) {
    const hy_route routes[] = {
        { "GET", "/api/clinic", api_clinic, s },
        { "GET", "/api/week", api_week, s },
        { "GET", "/api/mine", api_mine, s },
        { "POST", "/api/request_slot", api_request_slot, s },
        { "POST", "/api/request_any", api_request_any, s },
        { "POST", "/api/cancel", api_cancel, s },
        { "POST", "/api/move", api_move, s },
        { "POST", "/webhook/payments", api_webhook, s },
        { "GET", "/health", api_health, s },
        { "GET", "/api/health", api_health, s },
    };
    _Static_assert(sizeof routes == API_ROUTES * sizeof routes[0], "API_ROUTES counts them");
    memcpy(out_routes, routes, sizeof routes);
}
