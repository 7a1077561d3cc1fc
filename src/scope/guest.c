// guest.c - a fiber that brings something into a scope that it is not in.
//
// The record of owning is the guest's own, on its stack: entering needs no memory, and who leaves
// in time takes it out again. The scope's end sees to what was owned later, and then to the guest;
// so what the guest has already brought is gone by then, and what it still brings is refused.
#include "scope/guest.h"

static void guest_end(void *object) {
    hyi_guest *guest = (hyi_guest *)object;
    hyi_wait wait = { .what = "a guest", .deadline = HY_NEVER, .firm = true };
    HY_ASSERT(hyi_current && hyi_current != guest->fiber);
    guest->told = true;
    guest->host = &wait;
    bool waits = guest->fiber->state == HYI_TASK_PARKED && !guest->fiber->wait->firm;
    if (waits) hyi_interrupt(guest->fiber, HY_CLOSED);
    hy_err err = hyi_park(&wait);
    HY_ASSERT(err == HY_OK);
}

hy_err hyi_guest_enter(hyi_guest *guest, hy_scope *scope) {
    *guest = (hyi_guest){ .fiber = hyi_current };
    if (hyi_task_is_in(hyi_current, scope)) return HY_OK;
    return hyi_own(scope, &guest->owned, guest, guest_end, HY_NEVER);
}

void hyi_guest_leave(hyi_guest *guest, hy_scope *scope) {
    if (guest->host) {
        hyi_wake(guest->host->task, HY_OK);
    } else {
        hyi_disown(scope, &guest->owned);
    }
}
