// incident.h - what is written down when a fatal signal ends the process.        Room: actor.
// Includes: scope world. Threads: opened and closed by the keeper; written by whoever crashed.
#ifndef HYI_ACTOR_INCIDENT_H
#define HYI_ACTOR_INCIDENT_H

#include "actor/inside.h"

// With options.incident_path, in a real world: from now on a fatal signal leaves a record there,
// and goes where it would have gone. One node of the process writes it, the first that asked; for
// the others, and where there is nothing to do, HY_OK too. HY_NOMEM. Copies the path.
HY_CHECKED hy_err hyi_incident_open(hy_node *node);
void hyi_incident_close(hy_node *node); // fine if it was not opened

#endif
