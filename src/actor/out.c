// out.c - see out.h.
//
// Only what the running handler itself sends is gathered, on the dispatcher's fiber: a lent handler
// and other fibers of the thread push one by one. A worker gathers for four actors at a time, which
// are found by looking at each.
#include "actor/out.h"
#include "actor/mailbox.h"
#include "actor/slot.h"
#include "scope/above.h"

#define OUT_PLACES 4u
#ifdef HY_PARANOID
#define OUT_MAX 3u // mean
#else
#define OUT_MAX 16u
#endif
_Static_assert(sizeof(((hyi_worker *)0)->out) / sizeof(hyi_out) == OUT_PLACES, "the places");

static void out_push(hyi_worker *here, hyi_out *out) {
    if (out->count == 0) return;
    hyi_message *first = out->first, *last = out->last;
    uint32_t count = out->count;
    out->first = out->last = NULL;
    out->count = 0;
    hyi_out_push(here->node, out->to, hyi_ref_generation(out->ref), first, last, count);
}

static bool out_is_open(const hyi_worker *here) {
    return here->running && hyi_current == here->dispatcher->task;
}

// Is there room for all that may be gathered before the next look, and for `more`? Where there is
// not, each message goes by itself, and meets what the mailbox does when it is full.
static bool out_has_room(const hy_actor *actor, uint32_t more) {
    return hyi_mailbox_over(actor) + (int32_t)(OUT_MAX + more) <= 0;
}

bool hyi_out_link(hyi_worker *here, hy_ref to, const hy_protocol *protocol, hyi_message *message) {
    hyi_out *out = here->out;
    while (out < here->out + here->out_count && out->ref.id != to.id)
        out++;
    if (out == here->out + here->out_count) return false;
    if (out->protocol != protocol || !out_is_open(here)) {
        out_push(here, out); // what comes now goes behind it
        return false;
    }
    message->next_ = NULL;
    if (out->last) {
        out->last->next_ = message;
    } else {
        out->first = message;
    }
    out->last = message;
    if (++out->count == OUT_MAX) {
        out_push(here, out);
        if (!out_has_room(out->to, 0)) out->protocol = NULL; // one by one from here on
    }
    return true;
}

void hyi_out_note(hyi_worker *here, hy_actor *actor, hy_ref to, const hy_protocol *protocol) {
    if (here->out_count == OUT_PLACES || !out_is_open(here) || !out_has_room(actor, 1)) return;
    here->out[here->out_count++] = (hyi_out){ .to = actor, .ref = to, .protocol = protocol };
}

void hyi_out_flush(hyi_worker *here) {
    uint32_t count = here->out_count;
    for (uint32_t i = 0; i < count; i++)
        out_push(here, &here->out[i]);
    here->out_count = 0;
}
