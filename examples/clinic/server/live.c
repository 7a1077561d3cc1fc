// live.c - the feed of changes.
//
// The fleet tells an observer of each changed row once it is durable. A change of an appointment
// becomes one or two "slot" messages for every window that shows the practice; they carry the
// step's number, so that a page can tell them from what its snapshot holds already. Nobody learns
// from them whose appointment it is.
//
// The owner of an appointment gets all of it, with its history. It is read from the state, so it is
// asked for once per burst of changes (a look, after a post), and for open windows only.

#include "server/live.h"

#include <string.h>

#include "base/cleanup.h"
#include "server/answers.h"
#include "server/payments.h"

#define LIVE_MESSAGE_MAX ((size_t)256 * 1024)
#define LIVE_TOUCHED_MAX 1024u

typedef struct live_window {
    struct live_window *previous, *next;
    hy_socket *socket;
    uint32_t practice;
    hy_id patient; // zero: nobody in particular
} live_window;

struct clinic_live {
    clinic_service *service;
    live_window *windows;
    hy_post post;
    bool posted;
    uint64_t touched[LIVE_TOUCHED_MAX]; // appointments to tell about
    uint32_t touched_count;
    uint64_t seqs[PRACTICES_SPAN]; // of the latest change of each practice in this process
};

// Reads one appointment for its owner's windows.
typedef struct live_look {
    hy_look look;
    clinic_live *live;
    uint64_t appointment; // its number outside
    hy_id patient;
    hy_arena arena;
    hy_err err;
    answer_live_appointment message;
} live_look;

static void live_changed(void *self, hy_bytes key, uint64_t seq, uint32_t table, const void *before,
                         const void *after);
static void live_posted(hy_post *post);
static void live_begin_look(clinic_live *l, uint64_t appointment);

hy_err live_open(hy_scope *scope, clinic_service *service, clinic_live **out_live) {
    clinic_live *l = hy_scope_alloc(scope, sizeof *l);
    if (l == NULL) return HY_NOMEM;
    *l = (clinic_live){ .service = service, .post.done = live_posted };
    *out_live = l;
    return HY_OK;
}

hy_err live_observe(clinic_live *l) {
    return hy_fleet_observe(l->service->fleet, &(hy_fleet_observer){ live_changed, l });
}

// ---- sending ----

static void live_send(live_window *window, const hy_record *record, const void *message) {
    HY_CLEANUP(hy_buf_deinit) hy_buf text = { 0 };
    hy_buf_init(&text, hy_mem_system(), LIVE_MESSAGE_MAX);
    if (hy_json_encode(record, message, &text) != HY_OK) return;
    // A window that is too slow is closed by the server; it comes back and loads afresh.
    if (hy_socket_send(window->socket, hy_buf_bytes(&text)) != HY_OK) return;
}

static void live_send_status(clinic_live *l, live_window *window) {
    const answer_live_status status = { HY_BYTES("status"),
                                        hy_bytes_of(payments_status(l->service->payments)) };
    live_send(window, &answer_live_status_record, &status);
}

static bool live_is_of(const live_window *window, hy_id patient) {
    return (patient.hi != 0 || patient.lo != 0) && window->patient.hi == patient.hi &&
           window->patient.lo == patient.lo;
}

// ---- slots ----

static void live_tell_slot(clinic_live *l, uint64_t seq, const clinic_appointment *a,
                           answer_slot_state state) {
    const answer_live_slot message = { HY_BYTES("slot"), a->dentist, a->day, a->minute,
                                       a->minutes,       state,      seq };
    for (live_window *w = l->windows; w != NULL; w = w->next) {
        if (w->practice == a->practice) live_send(w, &answer_live_slot_record, &message);
    }
}

static answer_slot_state live_state_of(const clinic_appointment *a) {
    return a == NULL ? ANSWER_FREE : answer_slot_state_of(a->state);
}

static void live_changed(void *self, hy_bytes key, uint64_t seq, uint32_t table, const void *before,
                         const void *after) {
    clinic_live *l = self;
    l->seqs[practice_of_key(key)] = seq;
    if (table != CLINIC_APPOINTMENTS || l->windows == NULL) return;
    const clinic_appointment *from = before;
    const clinic_appointment *to = after;
    answer_slot_state was = live_state_of(from), is = live_state_of(to);
    bool moved =
        from != NULL && to != NULL &&
        (from->dentist != to->dentist || from->day != to->day || from->minute != to->minute);
    if (was != ANSWER_FREE && (is == ANSWER_FREE || moved)) {
        live_tell_slot(l, seq, from, ANSWER_FREE);
    }
    if (is != ANSWER_FREE && (is != was || moved)) live_tell_slot(l, seq, to, is);
    if (to != NULL) live_touch(l, practice_outside(practice_of_key(key), to->id), to->patient);
}

// ---- appointments ----

static bool live_has_window_of(const clinic_live *l, hy_id patient) {
    for (const live_window *w = l->windows; w != NULL; w = w->next) {
        if (live_is_of(w, patient)) return true;
    }
    return false;
}

void live_touch(clinic_live *l, uint64_t appointment, hy_id patient) {
    if (!live_has_window_of(l, patient)) return;
    for (uint32_t i = 0; i < l->touched_count; i++) {
        if (l->touched[i] == appointment) return;
    }
    // Over the limit the newest burst is cut: its owners see it with the next change, or reload.
    if (l->windows == NULL || l->touched_count == LIVE_TOUCHED_MAX) return;
    l->touched[l->touched_count++] = appointment;
    if (l->posted) return;
    l->posted = true;
    hy_world_post(l->service->world, &l->post);
}

static live_look *live_look_free(live_look *look) {
    hy_arena_deinit(&look->arena);
    hy_mem_free(look->live->service->mem, look, sizeof *look);
    return NULL;
}

static void live_look_at(hy_look *look, const hy_view *view) {
    live_look *ll = (live_look *)look;
    const clinic_appointment *a = hy_row_get(
        view, CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = practice_inside(ll->appointment) });
    ll->err = HY_NOT_FOUND;
    if (a == NULL) return;
    ll->patient = a->patient;
    ll->message.type = HY_BYTES("appointment");
    const answer_source source = { view, practice_of(ll->appointment) };
    ll->err = answer_appointment_read(&source, a->id, &ll->arena, &ll->message.appointment);
}

static void live_looked(hy_look *look) {
    live_look *ll = (live_look *)look;
    clinic_live *l = ll->live;
    if (look->err == HY_NOT_COMMITTED) live_begin_look(l, ll->appointment); // look again
    if (look->err == HY_OK && ll->err == HY_OK) {
        ll->err = answer_notes_add(&l->service->notes, &ll->arena, &ll->message.appointment);
    }
    if (look->err == HY_OK && ll->err == HY_OK) {
        for (live_window *w = l->windows; w != NULL; w = w->next) {
            if (live_is_of(w, ll->patient)) {
                live_send(w, &answer_live_appointment_record, &ll->message);
            }
        }
    }
    live_look_free(ll);
}

static void live_begin_look(clinic_live *l, uint64_t appointment) {
    live_look *ll = hy_mem_alloc_zero(l->service->mem, sizeof *ll);
    if (ll == NULL) return;
    ll->look = (hy_look){ .look = live_look_at, .done = live_looked };
    ll->live = l;
    ll->appointment = appointment;
    hy_arena_init(&ll->arena, l->service->mem, LIVE_MESSAGE_MAX);
    const practice_key key = practice_key_of(practice_of(appointment));
    if (hy_fleet_look(l->service->fleet, hy_bytes_of(key.text), &ll->look) != HY_OK) {
        live_look_free(ll);
    }
}

static void live_posted(hy_post *post) {
    clinic_live *l = (clinic_live *)(void *)((uint8_t *)post - offsetof(clinic_live, post));
    l->posted = false;
    uint64_t touched[LIVE_TOUCHED_MAX];
    uint32_t count = l->touched_count;
    memcpy(touched, l->touched, count * sizeof touched[0]);
    l->touched_count = 0;
    if (l->windows == NULL) return; // nobody looks any more, and there may be no fleet
    for (uint32_t i = 0; i < count; i++)
        live_begin_look(l, touched[i]);
}

void live_turned(clinic_live *l) {
    for (live_window *w = l->windows; w != NULL; w = w->next)
        live_send_status(l, w);
}

// ---- windows ----

static void live_opened(void *self, hy_socket *socket) {
    clinic_live *l = self;
    uint32_t practice = 0;
    if (!api_u32_of(hy_socket_param(socket, "practice"), &practice)) {
        hy_socket_close(socket, 1008, "give practice as a number: /api/live?practice=1");
        return;
    }
    live_window *w = hy_mem_alloc_zero(l->service->mem, sizeof *w);
    if (w == NULL) {
        hy_socket_close(socket, 1013, "no memory");
        return;
    }
    w->socket = socket;
    w->practice = practice;
    w->patient = api_id_of(hy_socket_param(socket, "patient"));
    w->next = l->windows;
    if (w->next != NULL) w->next->previous = w;
    l->windows = w;
    hy_socket_set_data(socket, w);
    const answer_hello hello = { HY_BYTES("hello"),
                                 practice < PRACTICES_SPAN ? l->seqs[practice] : 0 };
    live_send(w, &answer_hello_record, &hello);
    live_send_status(l, w);
}

static void live_closed(void *self, hy_socket *socket) {
    clinic_live *l = self;
    live_window *w = hy_socket_data(socket);
    if (w == NULL) return;
    if (w->previous != NULL) w->previous->next = w->next;
    if (w->next != NULL) w->next->previous = w->previous;
    if (l->windows == w) l->windows = w->next;
    hy_mem_free(l->service->mem, w, sizeof *w);
}

// Windows only listen.
static void live_message(void *self, hy_socket *socket, hy_bytes text) {
    (void)self, (void)socket, (void)text;
}

void live_route(clinic_live *l, hy_socket_route *out_route) {
    *out_route = (hy_socket_route){ .path = "/api/live",
                                    .opened = live_opened,
                                    .message = live_message,
                                    .closed = live_closed,
                                    .self = l };
}
