// become.c - another behaviour from the next message on.
//
// A behaviour is a list of handlers of one protocol; the state stays. Which one an actor begins
// with says its type, and each start begins with that again (hyi_begin).
#include "actor/ending.h"

void hy_become(hy_actor *self, const hy_behaviour *behaviour) {
    HY_ASSERT(behaviour != NULL);
    HY_ASSERT(self->type->first != NULL); // a fiber actor has none
    HY_ASSERT(behaviour->protocol == self->type->first->protocol);
    if (!hyi_lives(self)) return; // it is stopping, and handles nothing more
    self->behaviour = behaviour;
}
