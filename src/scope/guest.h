// guest.h - a fiber that brings something into a scope that it is not in.      Room: scope.
// Includes: world. Threads: the world's.
//
// A scope waits for the fibers in it and below. One that accepts or opens a connection for another
// scope is none of those, and must not find its memory when the scope has gone meanwhile. While it
// is a guest it stands among what the scope owns: at the scope's end its wait is answered with
// HY_CLOSED, and the end goes on when it has left.
#ifndef HYI_SCOPE_GUEST_H
#define HYI_SCOPE_GUEST_H

#include "scope/inside.h"

typedef struct hyi_guest {
    hyi_owned owned;
    hy_task *fiber;
    hyi_wait *host; // of the fiber that ends the scope
    bool told;      // to leave: to be asked before each wait
} hyi_guest;

// On the running fiber. Who is in `scope` is no guest, and stays what it is. HY_CLOSED: it is
// ending; nobody has entered.
HY_CHECKED hy_err hyi_guest_enter(hyi_guest *guest, hy_scope *scope);
void hyi_guest_leave(hyi_guest *guest, hy_scope *scope);

#endif
