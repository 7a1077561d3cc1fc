// dead.h - letters about messages that nobody handled.          Room: actor. Includes: scope.
// Threads: as said for each function.
//
// Every message that is not handled ends here with a reason: those that were refused, given up or
// late, and those whose receiver has gone. hyi_drop (send.c) counts it, calls hyi_letter and frees
// it. So does who refuses a move, but for the freeing.
//
// A letter is told to the subscribers, on the thread where it happens, and its head is kept in a
// ring: the latest of a node are what the snapshot shows. What a subscriber drops in turn (it
// should send nothing) is counted and kept, but told to nobody: so letters cause no letters.
#ifndef HYI_ACTOR_DEAD_H
#define HYI_ACTOR_DEAD_H

#include "actor/inside.h"

#define HYI_LETTERS_HEARD_MAX 8u

// HY_NOMEM. As many are kept as the node's options say.
HY_CHECKED hy_err hyi_letters_open(hy_node *node);
void hyi_letters_close(hy_node *node); // fine if it was not opened

// Any thread. `kind` NULL: not known. The message stays the caller's. A system message is no
// letter.
HY_ANY_THREAD void hyi_letter(hy_node *node, hy_ref to, const hy_message_kind *kind,
                              hyi_message *message, hy_drop reason);

// Any thread: the next that is kept, oldest first, after number *cursor (0: the oldest), without
// its body. False: no more.
HY_ANY_THREAD bool hyi_letter_next(hy_node *node, uint64_t *cursor, hy_dead_letter *out_letter);

#endif
