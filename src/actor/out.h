// out.h - what a handler sends to actors of other workers, pushed together.       Room: actor.
// Includes: scope. Threads: the worker's.
//
// The first message of a handler to a foreign actor goes at once, so that nobody waits for the end
// of a handler. Further ones are linked and pushed with one exchange: 16 of them, or at the end of
// the handler, or before it waits. An exchange on a line that another core holds costs as much as
// handling some messages; one in sixteen does not count.
//
// Order: while `out_count` is not 0 every send of the worker looks here first, and what is pending
// for an actor goes before anything else that could make the worker its owner.
#ifndef HYI_ACTOR_OUT_H
#define HYI_ACTOR_OUT_H

#include "actor/inside.h"

// Is something pending for `to`, or about to be? Then the message is linked behind it, without a
// look at the actor: there was room for 16. So only senders of several workers together can pass a
// limit, each by so many. `message` has no flags.
bool hyi_out_link(hyi_worker *here, hy_ref to, const hy_protocol *protocol, hyi_message *message);
// A message was pushed to `actor`, which is not this worker's: the next ones will be linked.
void hyi_out_note(hyi_worker *here, hy_actor *actor, hy_ref to, const hy_protocol *protocol);
// Pushes all that is pending, and forgets the actors: the end of a handler.
void hyi_out_flush(hyi_worker *here);
// send.c: pushes; whoever owns the actor by that makes it ready.
void hyi_out_push(hy_node *node, hy_actor *actor, uint32_t generation, hyi_message *first,
                  hyi_message *last, uint32_t count);

#endif
