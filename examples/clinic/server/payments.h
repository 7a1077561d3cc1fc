// payments.h - carries out what the clinic wants from the payment provider.
// Example: clinic, server. Includes: base machine world host net.
//
// One executor for each of hold, capture and release. An attempt that may not be the first asks the
// provider what it knows before it repeats anything.
#ifndef EXAMPLE_CLINIC_PAYMENTS_H
#define EXAMPLE_CLINIC_PAYMENTS_H

#include <hypha/host.h>
#include <hypha/net.h>

#include "clinic.h"
#include "server/notes.h"

typedef struct clinic_payments clinic_payments;

typedef struct payments_options {
    hy_world *world;
    hy_host *host;
    hy_client *client;
    const char *provider; // "http://127.0.0.1:7070"; borrowed
    clinic_notes *notes;  // borrowed
    // Told after a note was added, and after the provider's status has changed.
    void (*noted)(void *self, uint64_t appointment);
    void (*turned)(void *self);
    void *self;
} payments_options;

// Registers the executors; before hy_host_start. Free it after host and client were closed.
hy_err payments_new(const payments_options *options, clinic_payments **out_payments);
clinic_payments *payments_free(clinic_payments *payments); // NULL is fine

// "ok", "retrying" or "down".
const char *payments_status(const clinic_payments *payments);

#endif
