// frozen.h - shells of shared messages, for those who queue and free them.       Room: actor.
// Includes: scope. Threads: as said. The calls for everybody are in hypha/actor.h and for_broker.h.
//
// Each of these is for a message with HYI_MESSAGE_SHARED, but for the last.
#ifndef HYI_ACTOR_FROZEN_H
#define HYI_ACTOR_FROZEN_H

#include "actor/inside.h"

// Any thread. The end of a shell, from hyi_message_free: what it points to is let go, and its
// ticket's end is counted. For a shell with a ticket that was queued: on its actor's owner only.
void hyi_shared_end(hyi_message *message);
// Any thread: the sender drops it, instead of queueing it (or it reached nobody): its ticket is
// taken back. Before hyi_message_free; twice is fine.
void hyi_shared_unsent(hyi_message *message);
// The owner, in a turn: is it one of those that its ticket says are to be dropped (HY_DROP_OLD)?
bool hyi_shared_skips(hyi_message *message);

// Any thread. A message as if made, with all that `body` points to in its own memory: what is taken
// of a shared message. Gives the body. HY_NOMEM, HY_TOO_LARGE, HY_TOO_DEEP.
HY_CHECKED hy_err hyi_made_copy(const hy_message_kind *kind, const void *body, void **out_body);

// The worker's own thread: lets go of what hyi_shared_end has gathered. Whenever nothing is ready,
// and at the end of a slice.
void hyi_frozen_flush(hyi_worker *worker);

#endif
