// stash.h - messages that wait for a better time.                  Room: actor. Includes: scope.
// Threads: the actor's owner.
#ifndef HYI_ACTOR_STASH_H
#define HYI_ACTOR_STASH_H

#include "actor/inside.h"

// The end of a start: what it stashed is for the next one, or is dropped with the mailbox.
void hyi_stash_end(hy_actor *actor);

#endif
