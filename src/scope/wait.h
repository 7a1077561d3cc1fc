// wait.h - how a fiber waits for something.                        Room: scope. Includes: world.
// Threads: the world's.
//
// What every waiting call of this room and of the rooms above is made of:
//
//     my_wait wait = { .wait = { .unhook = my_unhook, .what = "gate", .deadline = HY_NEVER } };
//     hyi_list_append(&gate->waiting, &wait.link);
//     hy_err err = hyi_park(&wait.wait);
//
// and the other side takes the first out of the list and calls hyi_wake(wait->task, HY_OK). A wait
// lies on its fiber's stack: after the wake it is not touched again. When the fiber is told
// something else (cancelled, draining, late), `unhook` has taken it out of the list.
#ifndef HYI_SCOPE_WAIT_H
#define HYI_SCOPE_WAIT_H

#include <hypha/scope.h>

#include "scope/list.h"

typedef struct hyi_wait {
    hy_task *task;                         // set by hyi_park
    void (*unhook)(struct hyi_wait *wait); // takes it out of what it waits in; NULL: nothing to do
    const char *what;                      // for the tree: "receive", "sleep"
    hy_ns deadline;                        // HY_NEVER: none but the scope's; then HY_TIMEOUT
    bool intake;                           // draining ends it with HY_CLOSED
    bool firm;                             // cancellation does not end it
} hyi_wait;

// The running fiber waits. hyi_cancel_reason is asked first (not for firm waits), and then `unhook`
// is called; so the caller hooks first and asks nothing. Gives what hyi_wake was given, the reason
// of a cancellation, HY_CLOSED (intake, draining), or HY_TIMEOUT (wait->deadline). HY_NOMEM: no
// timer for the deadline; unhooked.
HY_CHECKED hy_err hyi_park(hyi_wait *wait);
// The task has been taken out of what it waited in, and goes on with `err`.
void hyi_wake(hy_task *task, hy_err err);

#endif
