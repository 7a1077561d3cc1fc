// adopt.h - children that somebody else spawned: SYSTEM_ADOPT.      Room: actor. Includes: scope.
// Threads: as said.
#ifndef HYI_ACTOR_ADOPT_H
#define HYI_ACTOR_ADOPT_H

#include "actor/inside.h"

// The parent's owner. The child is listed and started, or let go.
void hyi_adopt(hy_actor *actor, hyi_message *message);
// The parent has gone: the child ends with HY_CLOSED.
HY_ANY_THREAD void hyi_adopt_refused(hyi_message *message);

#endif
