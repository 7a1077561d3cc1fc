// watch.h - what the operator sees of the running clinic.
// Example: clinic, server. Includes: base world scope observe host net.
//
//   /metrics        counters and times, as Prometheus reads them        (to this machine only)
//   /debug/scopes   the tree: who runs, and what for it waits           (to this machine only)
//   --log LEVEL     lines on standard error: slow spans, warnings, and what the level adds
#ifndef EXAMPLE_CLINIC_WATCH_H
#define EXAMPLE_CLINIC_WATCH_H

#include <hypha/observe.h>

#include "server/service.h"

// Before the root: observes it, and lives on until it has closed. `log`: "warn", "info" or "debug",
// or NULL for silence; borrowed. HY_NOMEM.
hy_err watch_open(clinic_service *service, const char *log, clinic_watch **out_watch);
clinic_watch *watch_close(clinic_watch *watch); // NULL is fine; returns NULL
hy_observe *watch_observe(const clinic_watch *watch);

// True: `log` is one of the levels.
bool watch_is_level(const char *log);

// An attempt at a payment has ended.
void watch_attempt(clinic_watch *watch, const char *verb, const hy_effect *effect, hy_err err,
                   bool worked);
// For hy_server_options: `self` is the watch.
void watch_answered(void *self, const hy_request *request, uint32_t status, hy_ns took);

// Routes; their `self` is the service.
hy_err watch_answer_metrics(void *service, hy_request *request, hy_why *why);
hy_err watch_answer_scopes(void *service, hy_request *request, hy_why *why);

#endif
