// out.c - see out.h.
//
// Only what the running handler itself sends is gathered, on the dispatcher's fiber: a lent handler
// and other fibers of the thread push one by one. A worker gathers for four actors at a time, which
// are found by looking at each.
#include "actor/out.h"
#include "scope/above.h"

#define OUT_PLACES 4u
#define OUT_MAX 16u
_Static_assert(sizeof(((hyi_worker *)0)->out) / sizeof(hyi_out) == OUT_PLACES, "the places");

static void out_push(hyi_worker *here, hyi_out *out) {
    if (out->count == 0) return;
    hyi_message *first = out->first, *last = out->last;
    uint32_t count = out->count;
    out->first = out->last = NULL;
    out->count = 0;
    hyi_out_push(here->node, out->to, out->generation, first, last, count);
}

bool hyi_out_add(hyi_worker *here, hy_actor *actor, uint32_t generation, hyi_message *message) {
    if (!here->running || hyi_current != here->dispatcher->task) return false;
    uint32_t place = 0;
    while (place < here->out_count && here->out[place].to != actor)
        place++;
    if (place == OUT_PLACES) return false;
    hyi_out *out = &here->out[place];
    if (place == here->out_count || out->generation != generation) {
        if (place < here->out_count) {
            out_push(here, out); // of another actor that had this slot
        } else {
            here->out_count++;
        }
        *out = (hyi_out){ .to = actor, .generation = generation };
        return false;
    }
    message->next_ = NULL;
    if (out->last) {
        out->last->next_ = message;
    } else {
        out->first = message;
    }
    out->last = message;
    if (++out->count == OUT_MAX) out_push(here, out);
    return true;
}

void hyi_out_flush(hyi_worker *here) {
    uint32_t count = here->out_count;
    for (uint32_t i = 0; i < count; i++)
        out_push(here, &here->out[i]);
    here->out_count = 0;
}
