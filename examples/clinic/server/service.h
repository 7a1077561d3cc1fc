// service.h - the parts of the running clinic, and who they are to each other.
// Example: clinic, server. Includes: base machine world scope host net.
// Threads: everything on the world's thread.
//
//   main.c      the tree of scopes: opening, the two services, the end
//   opening.c   the first inputs of a new clinic
//   practices.c which practice is meant; appointments' numbers outside
//   api.c       HTTP requests, each a task: calls and looks
//   answers.c   the state, as the page sees it
//   live.c      changes -> WebSockets
//   payments.c  tracked actions, each attempt a task -> the payment provider
//   said.c      what the provider says
//   notices.c   untracked actions -> a log of notifications
//   watch.c     what the operator sees: metrics, the tree, lines on standard error
//   shown.c     the console at /_hypha
#ifndef EXAMPLE_CLINIC_SERVICE_H
#define EXAMPLE_CLINIC_SERVICE_H

#include <hypha/host.h>
#include <hypha/net.h>

#include "clinic.h"
#include "server/notes.h"
#include "server/practices.h"

typedef struct clinic_live clinic_live;
typedef struct clinic_payments clinic_payments;
typedef struct clinic_watch clinic_watch;

typedef struct clinic_service {
    hy_world *world;
    hy_mem *mem;
    hy_scope *root;
    hy_fleet *fleet; // the practices: each a machine
    clinic_practices practices;
    hy_server *server; // NULL: does not serve
    hy_client *client;
    clinic_live *live;
    clinic_payments *payments;
    clinic_watch *watch;
    clinic_notes notes;
    char trouble[160]; // why requests are not stored, as the operator was told; empty: they are
} clinic_service;

// ---- api.c: the routes; their `self` is the service ----

#define API_ROUTES 12u
void api_routes(clinic_service *service, hy_task_route out_routes[API_ROUTES]);

// A UUID; zero when the text is none.
hy_id api_id_of(hy_bytes text);
// A decimal number that fits; else false.
bool api_u32_of(hy_bytes text, uint32_t *out_value);

// ---- opening.c ----

// Fiber. Sends each practice its setup and waits until that is durable; *out_is_new: it was not
// there before. Then the service knows its practices, those of an older setup too.
hy_err opening_set_up(clinic_service *service, bool *out_is_new);

// A task for a new clinic: requests of `visits` made-up patients, a few at a time, until there are
// enough or the clinic is being stopped.
typedef struct opening_demo {
    clinic_service *service;
    uint32_t visits;
} opening_demo;
hy_err opening_run_demo(void *demo);

#endif
