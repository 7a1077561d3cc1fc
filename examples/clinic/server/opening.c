// opening.c - the first inputs of a new clinic: its practices, and visitors for a demonstration.
//
// Both are ordinary calls with idempotency keys: sent at every start, they happen once. The made-up
// patients go the whole way, the payment provider included.

#include <stdio.h>
#include <string.h>

#include "calendar.h"
#include "server/service.h"

#define OPENING_PARALLEL 16u // demo requests under way at a time

typedef struct opening {
    hy_call call; // the setup
    clinic_service *service;
    clinic_setup setup;
    uint32_t visits, sent, ended;
    void (*opened)(clinic_service *service, hy_err err);
} opening;

typedef struct opening_visit {
    hy_call call;
    opening *opening;
    char key[24];
    uint32_t days[5];
    clinic_range range;
    clinic_request_any body;
} opening_visit;

static void opening_set_up(hy_call *call);
static void opening_send(opening *o);
static void opening_visited(hy_call *call);

hy_err opening_begin(clinic_service *service, uint32_t visits,
                     void (*opened)(struct clinic_service *, hy_err)) {
    opening *o = hy_mem_alloc_zero(service->mem, sizeof *o);
    if (o == NULL) return HY_NOMEM;
    o->service = service;
    o->visits = visits;
    o->opened = opened;
    o->setup = clinic_demo(hy_world_random(service->world));
    o->call = (hy_call){ .kind = CLINIC_IN_SETUP, .body = &o->setup, .done = opening_set_up };
    hy_err err = hy_host_submit(service->host, &o->call);
    if (err != HY_OK) hy_mem_free(service->mem, o, sizeof *o);
    return err;
}

static void opening_end(opening *o) {
    hy_mem_free(o->service->mem, o, sizeof *o);
}

static void opening_set_up(hy_call *call) {
    opening *o = (opening *)call;
    bool is_old = call->err == HY_REJECT && call->rejection == CLINIC_ALREADY_SET_UP;
    o->opened(o->service, is_old ? HY_OK : call->err);
    if (call->err != HY_OK || o->visits == 0) {
        opening_end(o);
        return;
    }
    opening_send(o);
}

static void opening_fill(opening *o, opening_visit *v) {
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
    v->call = (hy_call){ .kind = CLINIC_IN_REQUEST_ANY,
                         .body = &v->body,
                         .key = hy_bytes_of(v->key),
                         .done = opening_visited };
}

// Keeps OPENING_PARALLEL requests under way; a refused one (no slot is left) is not repeated.
static void opening_send(opening *o) {
    while (o->sent < o->visits && o->sent - o->ended < OPENING_PARALLEL) {
        opening_visit *v = hy_mem_alloc_zero(o->service->mem, sizeof *v);
        if (v == NULL) break;
        v->opening = o;
        opening_fill(o, v);
        if (hy_host_submit(o->service->host, &v->call) == HY_OK) continue;
        hy_mem_free(o->service->mem, v, sizeof *v);
        o->visits = o->sent = o->sent - 1;
    }
    if (o->ended == o->sent) opening_end(o);
}

static void opening_visited(hy_call *call) {
    opening_visit *v = (opening_visit *)call;
    opening *o = v->opening;
    hy_mem_free(o->service->mem, v, sizeof *v);
    o->ended++;
    opening_send(o);
}
