// limit.h - a limit of time that comes back as a system message.    Room: actor. Includes: world.
// Threads: any worker; see each function.
//
// A supervisor never sleeps, and an actor may move to another worker at any time. So a limit (a
// backoff, start_max, stop_max, the next look at somebody's health) is a message that waits in the
// wheel of the worker where it was armed; when its time has come it is sent to its actor, wherever
// that is by then, or freed if it has gone. Whoever holds a limit takes it back with
// hyi_limit_stop; if it is on its way already, or in another worker's wheel, it arrives with
// `subject` NULL, and says nothing.
#ifndef HYI_ACTOR_LIMIT_H
#define HYI_ACTOR_LIMIT_H

#include "actor/inside.h"
#include "actor/wheel.h"

typedef struct hyi_limit {
    hyi_message message;
    hyi_due due;
    hyi_worker *worker; // in whose wheel it waits
    hy_ref who;
    void *subject; // the holder's; NULL: taken back
} hyi_limit;

// From the worker of this thread. `subject` is not NULL. HY_NOMEM.
HY_CHECKED hy_err hyi_limit_start(hy_ref who, hyi_system_tag tag, hy_ns after, void *subject,
                                  hyi_limit **out_limit);
// The holder's actor's owner. *limit becomes NULL; NULL is fine.
void hyi_limit_stop(hyi_limit **limit);
// Of a message that has arrived: its subject, and it is freed. NULL: taken back.
void *hyi_limit_take(hyi_message *message);

#endif
