// live.h - tells every open window what has changed.
// Example: clinic, server. Includes: base machine world scope host net.
#ifndef EXAMPLE_CLINIC_LIVE_H
#define EXAMPLE_CLINIC_LIVE_H

#include "server/service.h"

// Lives in memory of `scope`. Opened before the fleet, because it hears the fleet's last changes;
// live_observe then, when there is one. Errors: HY_NOMEM; of hy_fleet_observe.
hy_err live_open(hy_scope *scope, clinic_service *service, clinic_live **out_live);
hy_err live_observe(clinic_live *live);

void live_route(clinic_live *live, hy_socket_route *out_route);

// Something about this appointment (its number outside) of this patient is new: a row, a note.
void live_touch(clinic_live *live, uint64_t appointment, hy_id patient);
// The provider's status has changed.
void live_turned(clinic_live *live);

#endif
