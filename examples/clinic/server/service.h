// service.h - the parts of the running clinic, and who they are to each other.
// Example: clinic, server. Includes: base machine world host net.
// Threads: everything on the world's thread.
//
//   main.c      flags, opening and closing in order, signals
//   opening.c   the first inputs of a new clinic
//   api.c       HTTP requests -> calls and looks
//   answers.c   the state, as the page sees it
//   live.c      changes -> WebSockets
//   payments.c  tracked actions -> the payment provider
//   said.c      what the provider says
//   notices.c   untracked actions -> a log of notifications
#ifndef EXAMPLE_CLINIC_SERVICE_H
#define EXAMPLE_CLINIC_SERVICE_H

#include <hypha/host.h>
#include <hypha/net.h>

#include "clinic.h"
#include "server/notes.h"

typedef struct clinic_live clinic_live;
typedef struct clinic_payments clinic_payments;
typedef struct clinic_notices clinic_notices;

typedef struct clinic_service {
    hy_world *world;
    hy_mem *mem;
    hy_store *store;
    hy_host *host;
    hy_server *server;
    hy_client *client;
    clinic_live *live;
    clinic_payments *payments;
    clinic_notices *notices;
    clinic_notes notes;
    char trouble[160]; // why requests are not stored, as the operator was told; empty: they are
} clinic_service;

// ---- api.c: the routes; their `self` is the service ----

#define API_ROUTES 10u
void api_routes(clinic_service *service, hy_route out_routes[API_ROUTES]);

// A UUID; zero when the text is none.
hy_id api_id_of(hy_bytes text);
// A decimal number that fits; else false.
bool api_u32_of(hy_bytes text, uint32_t *out_value);

// ---- opening.c ----

// Submits the setup and, in a clinic that is new, `visits` requests of made-up patients. `opened`
// is called when the setup is durable, or with the error that it met.
hy_err opening_begin(clinic_service *service, uint32_t visits,
                     void (*opened)(clinic_service *, hy_err err));

#endif
