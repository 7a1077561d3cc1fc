// payments.h - carries out what the clinic wants from the payment provider.
// Example: clinic, server. Includes: base machine world scope host net.
//
// One executor for each of hold, capture and release. An attempt that may not be the first asks the
// provider what it knows before it repeats anything.
#ifndef EXAMPLE_CLINIC_PAYMENTS_H
#define EXAMPLE_CLINIC_PAYMENTS_H

#include "server/service.h"

// Registers the executors, before hy_fleet_start; attempts are tasks of `scope`. `provider` is
// borrowed: "http://127.0.0.1:7070".
hy_err payments_open(hy_scope *scope, clinic_service *service, const char *provider);

// "ok", "retrying" or "down".
const char *payments_status(const clinic_payments *payments);

#endif
