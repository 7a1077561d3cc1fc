// api.c - HTTP requests become calls and looks; their answers become HTTP again.
//
// Each request is a task: it asks, waits, and answers; an error that it returns refuses the
// request. A request's own arena holds everything that belongs to it, so answering it is also its
// clean-up. A POST that changes something must carry an Idempotency-Key: without one, a client that
// got no answer could not ask again safely.

#include <stdio.h>
#include <string.h>

#include "server/answers.h"
#include "server/payments.h"
#include "server/said.h"
#include "server/service.h"
#include "server/watch.h"

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

// ---- POST: calls ----

static void api_refuse_rejected(hy_request *request, uint32_t rejection) {
    const hy_rejection *said = &clinic_machine.rejections[rejection];
    hy_why why = { 0 };
    (void)hy_why_set(&why, HY_REJECT, "", said->text);
    hy_request_refuse(request, said->http_status, HY_REJECT, said->name, &why);
}

// Patients are asked to try again; what is wrong, and that it is over, the operator must know.
static void api_tell_operator(clinic_service *s, hy_err err) {
    if (err == HY_OK && s->trouble[0] == 0) return;
    const hy_host_stats stats = hy_fleet_stats_of(s->fleet).machines;
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

// Of whom a request asks something. What it cannot mean (a practice that is not there, an
// appointment of none) goes to the first practice, which refuses it with the right words, in the
// right order.
static uint32_t api_route(const clinic_service *s, uint32_t kind, void *body) {
    uint64_t *appointment = NULL;
    uint32_t practice = 0;
    switch (kind) {
    case CLINIC_IN_REQUEST_SLOT: practice = ((const clinic_request_slot *)body)->practice; break;
    case CLINIC_IN_REQUEST_ANY: practice = ((const clinic_request_any *)body)->practice; break;
    case CLINIC_IN_CANCEL: appointment = &((clinic_cancel *)body)->appointment; break;
    default: appointment = &((clinic_move *)body)->appointment; break;
    }
    if (appointment != NULL) {
        practice = practice_of(*appointment);
        *appointment = practices_have(&s->practices, practice) ? practice_inside(*appointment) : 0;
    }
    return practices_have(&s->practices, practice) ? practice : s->practices.numbers[0];
}

static hy_err api_answer_reply(hy_request *request, uint32_t practice, const hy_call *call) {
    const hy_record *record = clinic_machine.inputs[call->kind].reply;
    hy_arena *arena = hy_request_arena(request);
    void *reply = hy_arena_alloc(arena, record->size);
    if (reply == NULL) return HY_NOMEM;
    hy_err err = hy_wire_decode(record, call->reply, arena, reply, NULL);
    if (err != HY_OK) return err;
    uint64_t *appointment = record == &clinic_requested_record
                                ? &((clinic_requested *)reply)->appointment
                                : &((clinic_accepted *)reply)->appointment;
    *appointment = practice_outside(practice, *appointment);
    hy_request_answer_record(request, 200, record, reply);
    return HY_OK;
}

static hy_err api_call(clinic_service *s, hy_request *request, uint32_t practice, hy_call *call,
                       hy_why *why) {
    const practice_key key = practice_key_of(practice);
    hy_err err = hy_fleet_ask(s->fleet, hy_bytes_of(key.text), call);
    api_tell_operator(s, err);
    switch (err) {
    case HY_OK: return api_answer_reply(request, practice, call);
    case HY_REJECT: api_refuse_rejected(request, call->rejection); return HY_OK;
    case HY_INVARIANT: return hy_why_set(why, err, call->invariant, hy_err_text(err));
    case HY_KEY_REUSED:
        return hy_why_set(why, err, "",
                          "this Idempotency-Key belongs to another request: send a new one");
    default: return err;
    }
}

// A treatment that the records do not know is refused while decoding; it has a name of its own.
static void api_refuse_body(hy_request *request, hy_err err, const hy_why *why) {
    bool treatment = strcmp(why->place, "treatment") == 0 && (err == HY_RANGE || err == HY_TYPE);
    const char *name = treatment ? clinic_machine.rejections[CLINIC_UNKNOWN_TREATMENT].name : NULL;
    hy_request_refuse(request, 0, err, name, why);
}

static void api_refuse_key(hy_request *request) {
    hy_why why = { 0 };
    (void)hy_why_set(&why, HY_MISSING, "idempotency-key",
                     "send a header Idempotency-Key of 1 to 64 bytes, new for each request and "
                     "the same when you repeat one");
    hy_request_refuse(request, 400, HY_MISSING, "BAD_KEY", &why);
}

static hy_err api_post(clinic_service *s, hy_request *request, uint32_t kind, hy_why *why) {
    const hy_record *record = clinic_machine.inputs[kind].body;
    hy_bytes key = hy_request_header(request, "idempotency-key");
    if (key.len == 0 || key.len > HY_KEY_BYTES_MAX) {
        api_refuse_key(request);
        return HY_OK;
    }
    void *body = hy_arena_alloc(hy_request_arena(request), record->size);
    if (body == NULL) return HY_NOMEM;
    hy_err err = hy_request_record(request, record, body, why);
    if (err != HY_OK) {
        api_refuse_body(request, err, why);
        return HY_OK;
    }
    hy_call call = { .kind = kind, .body = body, .key = key };
    return api_call(s, request, api_route(s, kind, body), &call, why);
}

static hy_err api_request_slot(void *self, hy_request *request, hy_why *why) {
    return api_post(self, request, CLINIC_IN_REQUEST_SLOT, why);
}

static hy_err api_request_any(void *self, hy_request *request, hy_why *why) {
    return api_post(self, request, CLINIC_IN_REQUEST_ANY, why);
}

static hy_err api_cancel(void *self, hy_request *request, hy_why *why) {
    return api_post(self, request, CLINIC_IN_CANCEL, why);
}

static hy_err api_move(void *self, hy_request *request, hy_why *why) {
    return api_post(self, request, CLINIC_IN_MOVE, why);
}

// ---- GET: looks ----

// `look` runs where the practice works, while the request waits: it may use what is the request's,
// and of the service what never changes.
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

// Asks one practice. The answer is cleared before each look, because what was seen may not come
// true: then it looks again.
static hy_err api_see(api_look *l, uint32_t practice,
                      void (*look)(hy_look *look, const hy_view *view)) {
    const practice_key key = practice_key_of(practice);
    l->look.look = look;
    l->practice = practice;
    l->answer = hy_arena_alloc(hy_request_arena(l->request), l->record->size);
    if (l->answer == NULL) return HY_NOMEM;
    hy_err err;
    do {
        err = hy_fleet_see(l->service->fleet, hy_bytes_of(key.text), &l->look);
    } while (err == HY_NOT_COMMITTED);
    return err == HY_OK ? l->err : err;
}

static api_look api_look_of(clinic_service *s, hy_request *request, const hy_record *record) {
    return (api_look){ .service = s,
                       .request = request,
                       .record = record,
                       .patient = api_id_of(hy_request_param(request, "patient")) };
}

static void api_look_clinic(hy_look *look, const hy_view *view) {
    api_look *l = (api_look *)look;
    memset(l->answer, 0, l->record->size);
    l->err = answer_clinic_read(view, hy_world_wall(l->service->world),
                                hy_request_arena(l->request), l->answer);
}

// What all practices say, one after the other: each by itself is true, and none waits for another.
static hy_err api_clinic(void *self, hy_request *request, hy_why *why) {
    (void)why;
    clinic_service *s = self;
    api_look l = api_look_of(s, request, &answer_clinic_record);
    answer_clinic all = { 0 };
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < s->practices.count && err == HY_OK; i++) {
        err = api_see(&l, s->practices.numbers[i], api_look_clinic);
        if (err == HY_OK) err = answer_clinic_join(hy_request_arena(request), &all, l.answer);
    }
    if (err == HY_OK) hy_request_answer_record(request, 200, &answer_clinic_record, &all);
    return err;
}

static void api_look_week(hy_look *look, const hy_view *view) {
    api_look *l = (api_look *)look;
    answer_week *week = l->answer;
    memset(week, 0, sizeof *week);
    week->seq = look->seq; // what comes later, the live feed tells
    l->err =
        answer_week_read(view, l->practice, l->day, l->patient, hy_request_arena(l->request), week);
}

static hy_err api_week(void *self, hy_request *request, hy_why *why) {
    clinic_service *s = self;
    api_look l = api_look_of(s, request, &answer_week_record);
    uint32_t practice = 0;
    bool ok = api_u32_of(hy_request_param(request, "practice"), &practice) &&
              api_u32_of(hy_request_param(request, "day"), &l.day) && l.day < 1000000;
    if (!ok) {
        return hy_why_set(why, HY_RANGE, "practice, day",
                          "give practice and day as numbers: /api/week?practice=1&day=20044");
    }
    if (!practices_have(&s->practices, practice)) return HY_NOT_FOUND;
    hy_err err = api_see(&l, practice, api_look_week);
    if (err == HY_OK) hy_request_answer_record(request, 200, l.record, l.answer);
    return err;
}

static void api_look_mine(hy_look *look, const hy_view *view) {
    api_look *l = (api_look *)look;
    const answer_source source = { view, l->practice };
    memset(l->answer, 0, l->record->size);
    l->err = answer_mine_read(&source, l->patient, hy_request_arena(l->request), l->answer);
}

static hy_err api_mine(void *self, hy_request *request, hy_why *why) {
    clinic_service *s = self;
    api_look l = api_look_of(s, request, &answer_mine_record);
    answer_mine all = { 0 };
    hy_err err = HY_OK;
    if (l.patient.hi == 0 && l.patient.lo == 0) {
        return hy_why_set(why, HY_RANGE, "patient",
                          "give the patient's id: /api/mine?patient=<uuid>");
    }
    for (uint32_t i = 0; i < s->practices.count && err == HY_OK; i++) {
        err = api_see(&l, s->practices.numbers[i], api_look_mine);
        answer_mine *mine = l.answer;
        for (size_t n = 0; err == HY_OK && n < mine->appointments.len; n++) {
            err =
                answer_notes_add(&s->notes, hy_request_arena(request), &mine->appointments.ptr[n]);
        }
        if (err == HY_OK) err = answer_mine_join(hy_request_arena(request), &all, l.answer);
    }
    if (err == HY_OK) hy_request_answer_record(request, 200, &answer_mine_record, &all);
    return err;
}

// ---- the provider calls back ----

// A hold's name begins with the salt of a practice, so each is asked whether it is one of its own.
// First a look: what does the appointment wait for? Then, if the provider's word answers that, the
// completion. Saying it twice, or too late, is fine and changes nothing.
typedef struct api_hook {
    hy_look look;
    said_what said;
    char key[CLINIC_HOLD_TEXT_MAX];
    uint64_t action; // 0: nothing waits for this
    uint32_t kind;   // of the completion
    clinic_done done;
} api_hook;

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
    h->kind = kinds[a->state];
    h->done = (clinic_done){ id, h->said != SAID_DECLINED };
}

// HY_OK also where nothing has changed.
static hy_err api_hook_complete(clinic_service *s, const practice_key *key, const api_hook *h,
                                bool *out_changed) {
    hy_call call = { .kind = h->kind, .body = &h->done };
    hy_err err = hy_fleet_ask_complete(s->fleet, hy_bytes_of(key->text), h->action, &call);
    bool late =
        err == HY_ALREADY_DONE || err == HY_REJECT || err == HY_NOT_FOUND || err == HY_UNKNOWN_KIND;
    *out_changed = err == HY_OK;
    return late ? HY_OK : err;
}

static hy_err api_webhook(void *self, hy_request *request, hy_why *why) {
    clinic_service *s = self;
    api_hook h = { .look = { .look = api_hook_look } };
    bool changed = false;
    h.said = said_read(hy_request_body(request), h.key);
    if (h.said == SAID_UNCLEAR || h.key[0] == 0) {
        return hy_why_set(why, HY_MALFORMED, "body",
                          "send a JSON object with the hold's key and its status");
    }
    for (uint32_t i = 0; i < s->practices.count && h.action == 0; i++) {
        const practice_key key = practice_key_of(s->practices.numbers[i]);
        hy_err err = hy_fleet_see(s->fleet, hy_bytes_of(key.text), &h.look);
        if (err == HY_OK && h.action != 0) err = api_hook_complete(s, &key, &h, &changed);
        if (err != HY_OK) return err; // the provider will call again
    }
    hy_request_answer_record(request, 200, &answer_done_record, &(answer_done){ changed });
    return HY_OK;
}

// ---- how it is ----

static hy_err api_health(void *self, hy_request *request, hy_why *why) {
    (void)why;
    const clinic_service *s = self;
    const hy_host_stats stats = hy_fleet_stats_of(s->fleet).machines;
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
    return HY_OK;
}

// ---- the routes ----

void api_routes(clinic_service *s, hy_task_route out_routes[API_ROUTES]) {
    const hy_task_route routes[] = {
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
        { "GET", "/metrics", watch_answer_metrics, s },
        { "GET", "/debug/scopes", watch_answer_scopes, s },
    };
    _Static_assert(sizeof routes == API_ROUTES * sizeof routes[0], "API_ROUTES counts them");
    memcpy(out_routes, routes, sizeof routes);
}
