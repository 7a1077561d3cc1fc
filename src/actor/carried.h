// carried.h - what a message carries besides its body: deadline and baggage.     Room: actor.
// Includes: scope. Threads: the sender's, then the handler's.
//
// A message that is sent with a deadline, or from a scope that has baggage or a deadline of its
// own, carries them in its tail. So the handler's scope continues the sender's trace, tenant and
// time, and what comes too late is dropped instead of handled. From a handler that was given
// nothing, and from callbacks, nothing is carried, which is found out by comparing two pointers.
//
// hyi_message_dress is the slow part of every send: all that a message may need besides the copy of
// its struct is added there, at once, so that its block is made larger at most once.
#ifndef HYI_ACTOR_CARRIED_H
#define HYI_ACTOR_CARRIED_H

#include "actor/deep.h"
#include "actor/tail.h"

// Does what is sent from here carry something?
bool hyi_carries(void);

// Does the send need hyi_message_dress? `copies`: the body is a plain copy of a struct of the
// sender's (tell, ask, alarms), and not made, taken or shared.
static inline bool hyi_needs_dress(const hy_message_kind *kind, const hy_send_options *options,
                                   bool copies) {
    return options != NULL || (copies && !hyi_deep_is_flat(kind)) || hyi_carries();
}

// Adds to `*message`, whose header is filled in but for the lane and next_: copies of what the body
// points to, the lane, the deadline, the sender's baggage. Copies move to a larger block where they
// must. HY_NOMEM, HY_TOO_LARGE, HY_TOO_DEEP: *message is as it was, and the caller's.
HY_CHECKED hy_err hyi_message_dress(const hy_message_kind *kind, hyi_message **message,
                                    const hy_send_options *options, bool copies);

// A turn, of a message with HYI_MESSAGE_MORE: its deadline has passed at the start of the batch.
bool hyi_message_is_late(const hyi_worker *worker, hyi_message *message);
// From hyi_handle, of a message with HYI_MESSAGE_MORE, instead of the behaviour's function: that,
// inside a scope that continues what the message carries, where it does. Without memory for the
// scope it is not called: HY_NOMEM.
hy_err hyi_handle_carried(hyi_worker *worker, hy_actor *actor, hyi_message *message);

#endif
