// live.h - tells every open window what has changed.
// Example: clinic, server. Includes: base machine world host net.
#ifndef EXAMPLE_CLINIC_LIVE_H
#define EXAMPLE_CLINIC_LIVE_H

#include "server/service.h"

// Observes the host; free it after the server was closed.
hy_err live_new(clinic_service *service, clinic_live **out_live);
clinic_live *live_free(clinic_live *live); // NULL is fine

void live_route(clinic_live *live, hy_socket_route *out_route);

// Something about this appointment is new that is no row: a note.
void live_touch(clinic_live *live, uint64_t appointment);
// The provider's status has changed.
void live_turned(clinic_live *live);

#endif
