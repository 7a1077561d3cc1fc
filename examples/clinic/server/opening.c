// opening.c - the first inputs of a new clinic: its practices, and visitors for a demonstration.
//
// Both are ordinary calls with idempotency keys: sent at every start, they happen once. The made-up
// patients go the whole way, the payment provider included.

#include <stdio.h>
#include <string.h>

#include "calendar.h"
#include "server/service.h"

#define OPENING_PARALLEL 16u // demo requests under way at a time

hy_err opening_set_up(clinic_service *service, bool *out_is_new) {
    clinic_setup setup = clinic_demo(hy_world_random(service->world));
    hy_call call = { .kind = CLINIC_IN_SETUP, .body = &setup };
    hy_err err = hy_host_ask(service->host, &call);
    *out_is_new = err == HY_OK;
    bool is_old = err == HY_REJECT && call.rejection == CLINIC_ALREADY_SET_UP;
    return is_old ? HY_OK : err;
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
    hy_err err = hy_host_ask(o->service->host, &call);
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
