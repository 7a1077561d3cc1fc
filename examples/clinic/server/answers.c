// answers.c - reading the state for the page.
//
// Lists are made in two walks, one that counts and one that fills: the view does not change between
// them, and nothing has to grow.

#include "server/answers.h"

#include <string.h>

#include "appointment.h"
#include "calendar.h"

HY_RECORD_DEFINE(answer_treatment, ANSWER_TREATMENT)
HY_RECORD_DEFINE(answer_clinic, ANSWER_CLINIC)
HY_ENUM_DEFINE(answer_slot_state, ANSWER_SLOT_STATE)
HY_RECORD_DEFINE(answer_shift, ANSWER_SHIFT)
HY_RECORD_DEFINE(answer_booking, ANSWER_BOOKING)
HY_RECORD_DEFINE(answer_week, ANSWER_WEEK)
HY_RECORD_DEFINE(answer_event, ANSWER_EVENT)
HY_RECORD_DEFINE(answer_appointment, ANSWER_APPOINTMENT)
HY_RECORD_DEFINE(answer_mine, ANSWER_MINE)
HY_RECORD_DEFINE(answer_hello, ANSWER_HELLO)
HY_RECORD_DEFINE(answer_live_slot, ANSWER_LIVE_SLOT)
HY_RECORD_DEFINE(answer_live_appointment, ANSWER_LIVE_APPOINTMENT)
HY_RECORD_DEFINE(answer_live_status, ANSWER_LIVE_STATUS)
HY_RECORD_DEFINE(answer_health, ANSWER_HEALTH)
HY_RECORD_DEFINE(answer_done, ANSWER_DONE)

#define ANSWER_DAYS 7u

answer_slot_state answer_slot_state_of(clinic_state state) {
    if (!appointment_occupies(state)) return ANSWER_FREE;
    return state == CLINIC_CONFIRMED ? ANSWER_CONFIRMED : ANSWER_HELD;
}

static void *answers_alloc(hy_arena *arena, size_t count, size_t size) {
    void *ptr = hy_arena_alloc(arena, count * size + 1);
    if (ptr != NULL) memset(ptr, 0, count * size + 1);
    return ptr;
}

static hy_text answers_copy(hy_arena *arena, hy_text text, bool *ok) {
    bool copied = false;
    hy_text copy = hy_arena_copy(arena, text, &copied);
    *ok = *ok && copied;
    return copied ? copy : (hy_text){ 0 };
}

// ---- the clinic ----

hy_err answer_clinic_read(const hy_view *view, hy_ns now, hy_arena *arena, answer_clinic *out) {
    bool ok = true;
    out->today = calendar_day_of(now);
    out->now_minute = (uint32_t)((now - calendar_instant_of(out->today, 0)) / HY_SECONDS(60));
    out->practices.ptr =
        answers_alloc(arena, hy_row_count(view, CLINIC_PRACTICES), sizeof(clinic_practice));
    out->dentists.ptr =
        answers_alloc(arena, hy_row_count(view, CLINIC_DENTISTS), sizeof(clinic_dentist));
    out->treatments.ptr = answers_alloc(arena, CLINIC_ROOT_CANAL, sizeof(answer_treatment));
    if (out->practices.ptr == NULL || out->dentists.ptr == NULL || out->treatments.ptr == NULL) {
        return HY_NOMEM;
    }
    hy_cursor practices = hy_cursor_at(view, CLINIC_PRACTICES, NULL);
    for (const clinic_practice *p; (p = hy_cursor_next(&practices)) != NULL;) {
        out->practices.ptr[out->practices.len++] =
            (clinic_practice){ p->practice, answers_copy(arena, p->name, &ok),
                               answers_copy(arena, p->street, &ok) };
    }
    hy_cursor dentists = hy_cursor_at(view, CLINIC_DENTISTS, NULL);
    for (const clinic_dentist *d; (d = hy_cursor_next(&dentists)) != NULL;) {
        out->dentists.ptr[out->dentists.len++] =
            (clinic_dentist){ d->practice, d->dentist, answers_copy(arena, d->name, &ok),
                              d->colour };
    }
    for (clinic_treatment t = CLINIC_CLEANING; t <= CLINIC_ROOT_CANAL; t++) {
        const clinic_treatment_info *info = clinic_treatment_of(t);
        out->treatments.ptr[out->treatments.len++] =
            (answer_treatment){ t, hy_bytes_of(info->label), info->minutes, info->price_cents };
    }
    return ok ? HY_OK : HY_NOMEM;
}

// ---- a week ----

typedef struct answers_week {
    const hy_view *view;
    uint32_t practice, day;
    hy_id patient;
    answer_week *out;
    bool fills; // the second walk
} answers_week;

static void answers_shifts_of(answers_week *week, uint32_t dentist) {
    for (uint32_t day = week->day; day < week->day + ANSWER_DAYS; day++) {
        uint32_t weekday = calendar_weekday_of(day);
        hy_cursor cursor = hy_cursor_at(week->view, CLINIC_SHIFTS,
                                        &(clinic_shift){ week->practice, dentist, weekday, 0, 0 });
        for (const clinic_shift *s; (s = hy_cursor_next(&cursor)) != NULL;) {
            if (s->practice != week->practice || s->dentist != dentist) break;
            if (s->weekday != weekday) break;
            size_t at = week->out->shifts.len++;
            if (!week->fills) continue;
            week->out->shifts.ptr[at] = (answer_shift){ dentist, day, s->start, s->end };
        }
    }
}

static answer_booking answers_booking(const answers_week *week, const clinic_booking *b) {
    const clinic_appointment *a =
        hy_row_get(week->view, CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = b->appointment });
    bool somebody = week->patient.hi != 0 || week->patient.lo != 0;
    return (answer_booking){ .dentist = b->dentist,
                             .day = b->day,
                             .minute = b->minute,
                             .minutes = b->minutes,
                             .state = answer_slot_state_of(a->state),
                             .mine = somebody && a->patient.hi == week->patient.hi &&
                                     a->patient.lo == week->patient.lo };
}

static void answers_bookings_of(answers_week *week, uint32_t dentist) {
    hy_cursor cursor =
        hy_cursor_at(week->view, CLINIC_BOOKINGS,
                     &(clinic_booking){ week->practice, dentist, week->day, 0, 0, 0 });
    for (const clinic_booking *b; (b = hy_cursor_next(&cursor)) != NULL;) {
        if (b->practice != week->practice || b->dentist != dentist) return;
        if (b->day >= week->day + ANSWER_DAYS) return;
        size_t at = week->out->bookings.len++;
        if (week->fills) week->out->bookings.ptr[at] = answers_booking(week, b);
    }
}

static void answers_walk_week(answers_week *week) {
    week->out->shifts.len = week->out->bookings.len = 0;
    hy_cursor cursor =
        hy_cursor_at(week->view, CLINIC_DENTISTS, &(clinic_dentist){ .practice = week->practice });
    for (const clinic_dentist *d; (d = hy_cursor_next(&cursor)) != NULL;) {
        if (d->practice != week->practice) return;
        answers_shifts_of(week, d->dentist);
        answers_bookings_of(week, d->dentist);
    }
}

hy_err answer_week_read(const hy_view *view, uint32_t practice, uint32_t day, hy_id patient,
                        hy_arena *arena, answer_week *out) {
    const clinic_practice key = { .practice = practice };
    if (hy_row_get(view, CLINIC_PRACTICES, &key) == NULL) return HY_NOT_FOUND;
    out->practice = practice;
    out->day = day;
    answers_week week = { view, practice, day, patient, out, false };
    answers_walk_week(&week);
    out->shifts.ptr = answers_alloc(arena, out->shifts.len, sizeof(answer_shift));
    out->bookings.ptr = answers_alloc(arena, out->bookings.len, sizeof(answer_booking));
    if (out->shifts.ptr == NULL || out->bookings.ptr == NULL) {
        out->shifts.len = out->bookings.len = 0;
        return HY_NOMEM;
    }
    week.fills = true;
    answers_walk_week(&week);
    return HY_OK;
}

// ---- appointments ----

static hy_err answers_history(const answer_source *source, const clinic_appointment *a,
                              hy_arena *arena, answer_appointment *out) {
    answer_event *events = answers_alloc(arena, CLINIC_EVENTS_MAX, sizeof *events);
    if (events == NULL) return HY_NOMEM;
    out->history.ptr = events;
    hy_cursor cursor =
        hy_cursor_at(source->view, CLINIC_HISTORIES, &(clinic_history){ .appointment = a->id });
    bool ok = true;
    for (const clinic_history *h; (h = hy_cursor_next(&cursor)) != NULL;) {
        if (h->appointment != a->id || out->history.len == CLINIC_EVENTS_MAX) break;
        const hy_text what = hy_bytes_of(clinic_event_text(h->event));
        events[out->history.len++] =
            (answer_event){ h->at / HY_MS(1), answers_copy(arena, what, &ok) };
    }
    return ok ? HY_OK : HY_NOMEM;
}

hy_err answer_notes_add(const clinic_notes *notes, hy_arena *arena,
                        answer_appointment *appointment) {
    const uint64_t id = appointment->appointment;
    size_t count = appointment->history.len;
    for (uint64_t at = 0; notes_next(notes, id, &at) != NULL;)
        count++;
    answer_event *events = answers_alloc(arena, count, sizeof *events);
    if (events == NULL) return HY_NOMEM;
    uint64_t noted = 0;
    const notes_line *note = notes_next(notes, id, &noted);
    bool ok = true;
    size_t old = 0;
    for (size_t i = 0; i < count; i++) {
        const answer_event *event =
            old < appointment->history.len ? &appointment->history.ptr[old] : NULL;
        if (event != NULL && (note == NULL || event->at <= note->at / HY_MS(1))) {
            events[i] = *event;
            old++;
        } else if (note != NULL) {
            const hy_text what = hy_bytes_of(note->text);
            events[i] = (answer_event){ note->at / HY_MS(1), answers_copy(arena, what, &ok) };
            note = notes_next(notes, id, &noted);
        }
    }
    appointment->history.ptr = events;
    appointment->history.len = count;
    return ok ? HY_OK : HY_NOMEM;
}

hy_err answer_appointment_read(const answer_source *source, uint64_t appointment, hy_arena *arena,
                               answer_appointment *out) {
    const clinic_appointment *a =
        hy_row_get(source->view, CLINIC_APPOINTMENTS, &(clinic_appointment){ .id = appointment });
    if (a == NULL) return HY_NOT_FOUND;
    *out = (answer_appointment){ .appointment = practice_outside(source->practice, a->id),
                                 .practice = a->practice,
                                 .dentist = a->dentist,
                                 .day = a->day,
                                 .minute = a->minute,
                                 .minutes = a->minutes,
                                 .treatment = a->treatment,
                                 .state = a->state,
                                 .price_cents = a->price_cents };
    return answers_history(source, a, arena, out);
}

hy_err answer_mine_read(const answer_source *source, hy_id patient, hy_arena *arena,
                        answer_mine *out) {
    const hy_view *view = source->view;
    const clinic_patient *p =
        hy_row_get(view, CLINIC_PATIENTS, &(clinic_patient){ .patient = patient });
    if (p == NULL) return HY_OK; // nobody yet: no appointments
    out->appointments.ptr = answers_alloc(arena, p->visits, sizeof(answer_appointment));
    if (out->appointments.ptr == NULL) return HY_NOMEM;
    hy_cursor cursor = hy_cursor_at(view, CLINIC_VISITS, &(clinic_visit){ p->number, 0 });
    for (const clinic_visit *v; (v = hy_cursor_next(&cursor)) != NULL;) {
        if (v->patient_number != p->number) break;
        hy_err err = answer_appointment_read(source, v->appointment, arena,
                                             &out->appointments.ptr[out->appointments.len++]);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// ---- of several practices ----

// A new list with the items of both; NULL: no memory.
static void *answers_join(hy_arena *arena, const void *first, size_t first_len, const void *more,
                          size_t more_len, size_t size) {
    uint8_t *joined = answers_alloc(arena, first_len + more_len, size);
    if (joined == NULL) return NULL;
    if (first_len > 0) memcpy(joined, first, first_len * size);
    if (more_len > 0) memcpy(joined + first_len * size, more, more_len * size);
    return joined;
}

hy_err answer_clinic_join(hy_arena *arena, answer_clinic *all, const answer_clinic *more) {
    void *practices =
        answers_join(arena, all->practices.ptr, all->practices.len, more->practices.ptr,
                     more->practices.len, sizeof(clinic_practice));
    void *dentists = answers_join(arena, all->dentists.ptr, all->dentists.len, more->dentists.ptr,
                                  more->dentists.len, sizeof(clinic_dentist));
    if (practices == NULL || dentists == NULL) return HY_NOMEM;
    all->practices.ptr = practices;
    all->practices.len += more->practices.len;
    all->dentists.ptr = dentists;
    all->dentists.len += more->dentists.len;
    all->treatments = more->treatments; // the same everywhere
    all->today = more->today;
    all->now_minute = more->now_minute;
    return HY_OK;
}

hy_err answer_mine_join(hy_arena *arena, answer_mine *all, const answer_mine *more) {
    void *joined =
        answers_join(arena, all->appointments.ptr, all->appointments.len, more->appointments.ptr,
                     more->appointments.len, sizeof(answer_appointment));
    if (joined == NULL) return HY_NOMEM;
    all->appointments.ptr = joined;
    all->appointments.len += more->appointments.len;
    return HY_OK;
}
