// opening.c - the first inputs of a new clinic: its practices, and visitors for a demonstration.
//
// Both are ordinary calls: sent at every start, they happen once. The made-up
// patients go the whole way, the payment provider included.

#include <stdio.h>
#include <string.h>

#include "calendar.h"
#include "server/service.h"

#define OPENING_PARALLEL 16u // demo requests under way at a time

// The part of the setup that is about one practice. The lists are shortened copies: they stand in
// order of practice.
static clinic_setup opening_part_of(const clinic_setup *all, size_t nth, uint64_t salt) {
    const uint32_t practice = all->practices.ptr[nth].practice;
    clinic_setup part = { .salt = salt, .practices = { &all->practices.ptr[nth], 1 } };
    for (size_t i = 0; i < all->dentists.len; i++) {
        if (all->dentists.ptr[i].practice != practice) continue;
        if (part.dentists.len++ == 0) part.dentists.ptr = &all->dentists.ptr[i];
    }
    for (size_t i = 0; i < all->shifts.len; i++) {
        if (all->shifts.ptr[i].practice != practice) continue;
        if (part.shifts.len++ == 0) part.shifts.ptr = &all->shifts.ptr[i];
    }
    return part;
}

static hy_err opening_set_up_one(clinic_service *service, const clinic_setup *part,
                                 bool *out_is_new) {
    const practice_key key = practice_key_of(part->practices.ptr[0].practice);
    hy_call call = { .kind = CLINIC_IN_SETUP, .body = part };
    hy_err err = hy_fleet_ask(service->fleet, hy_bytes_of(key.text), &call);
    if (err == HY_OK) *out_is_new = true;
    bool is_old = err == HY_REJECT && call.rejection == CLINIC_ALREADY_SET_UP;
    return is_old ? HY_OK : err;
}

// What the store knows: also practices that today's setup does not have any more.
static hy_err opening_list(clinic_service *service) {
    char key[HY_INSTANCE_KEY_MAX + 1] = "";
    size_t len = 0;
    for (;;) {
        hy_err err =
            hy_fleet_next(service->fleet, (hy_bytes){ (const uint8_t *)key, len }, key, &len);
        if (err == HY_END) return HY_OK;
        const uint32_t practice = practice_of_key(hy_bytes_of(key));
        if (err == HY_OK && practice != 0) err = practices_add(&service->practices, practice);
        if (err != HY_OK) return err;
    }
}

hy_err opening_set_up(clinic_service *service, bool *out_is_new) {
    const clinic_setup all = clinic_demo(0);
    hy_err err = HY_OK;
    *out_is_new = false;
    for (size_t i = 0; i < all.practices.len && err == HY_OK; i++) {
        const clinic_setup part = opening_part_of(&all, i, hy_world_random(service->world));
        err = opening_set_up_one(service, &part, out_is_new);
    }
    return err == HY_OK ? opening_list(service) : err;
}

// ---- visitors ----

typedef struct opening_visits {
    clinic_service *service;
    uint32_t sent;
    bool over; // the clinic takes no more
} opening_visits;

typedef struct opening_visit {
    char key[24];
    uint32_t days[5];
    clinic_range range;
    clinic_request_any body;
} opening_visit;

static void opening_fill(opening_visits *o, opening_visit *v) {
    static const char *const names[] = { "Mara Lindqvist", "Jonas Weber",  "Priya Nair",
                                         "Oscar Nilsen",   "Chloe Martin", "Tariq Aziz",
                                         "Hana Sato",      "Leo Rossi" };
    clinic_service *s = o->service;
    uint32_t number = o->sent++;
    uint64_t dice = hy_world_random(s->world);
    uint32_t today = calendar_day_of(hy_world_wall(s->world));
    for (uint32_t i = 0; i < HY_COUNT_OF(v->days); i++) {
        v->days[i] = today + (uint32_t)(dice % 12) + i;
    }
    uint32_t start = 480 + (uint32_t)(dice >> 8) % 36 * CLINIC_GRID_MINUTES;
    v->range = (clinic_range){ start, CLINIC_DAY_MINUTES };
    v->body = (clinic_request_any){ .patient = { 0xd0d0, number + 1 },
                                    .name = hy_bytes_of(names[number % HY_COUNT_OF(names)]),
                                    .email = HY_BYTES("demo@clinic.example"),
                                    .practice = 1 + number % 3,
                                    .days = { v->days, HY_COUNT_OF(v->days) },
                                    .ranges = { &v->range, 1 },
                                    .treatment = CLINIC_CLEANING + (uint32_t)(dice >> 40) % 4 };
    (void)snprintf(v->key, sizeof v->key, "demo-%u", number);
}

// A refused one (no slot is left) is not repeated.
static hy_err opening_visit_once(void *visits) {
    opening_visits *o = visits;
    opening_visit visit;
    opening_fill(o, &visit);
    hy_call call = { .kind = CLINIC_IN_REQUEST_ANY,
                     .body = &visit.body,
                     .key = hy_bytes_of(visit.key) };
    const practice_key practice = practice_key_of(visit.body.practice);
    hy_err err = hy_fleet_ask(o->service->fleet, hy_bytes_of(practice.text), &call);
    if (err != HY_OK && err != HY_REJECT) o->over = true;
    return HY_OK;
}

hy_err opening_run_demo(void *demo) {
    const opening_demo *d = demo;
    opening_visits o = { .service = d->service };
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "demo", .tasks_max = OPENING_PARALLEL) {
        for (uint32_t i = 0; i < d->visits && !o.over && !hy_draining(); i++) {
            err = hy_spawn(scope, opening_visit_once, &o, NULL, NULL); // waits while it is full
            if (err != HY_OK) break;
        }
    }
    return err == HY_CLOSED ? HY_OK : err; // a stop is no failure
}
