// stash.c - messages that wait for a better time.
//
// A stashed message has not been handled: it is counted as queued, keeps its place in the mailbox's
// limit, and its asker waits on. The stash is a list of the actor's; unstashed, the whole list goes
// in front of its lane, so what was stashed comes before what came later, in the order of arrival.
// The end of a start unstashes too (ending.c): it is for the next one, or dropped with the mailbox.

#include "actor/mailbox.h"

hy_err hy_stash(hy_actor *self, const void *body) {
    hyi_message *message = hyi_handling(self);
    HY_ASSERT(message && hyi_message_body(message) == body); // the one at hand
    HY_ASSERT(!(message->flags & HYI_MESSAGE_SYSTEM));
    hyi_kin *kin = hyi_kin_of(self);
    if (!kin) return HY_NOMEM;
    if (kin->stashed >= hyi_mailbox_capacity(self)) return HY_LIMIT;
    message->next_ = NULL;
    if (kin->stash_first) {
        kin->stash_last->next_ = message;
    } else {
        kin->stash_first = message;
    }
    kin->stash_last = message;
    kin->stashed++;
    self->flags |= HYI_ACTOR_STASHED;
    hyi_handling_over(self, false);
    return HY_OK;
}

typedef struct stash_list {
    hyi_message *first, *last;
    uint32_t count;
} stash_list;

static void stash_append(stash_list *list, hyi_message *message) {
    message->next_ = NULL;
    if (list->first) {
        list->last->next_ = message;
    } else {
        list->first = message;
    }
    list->last = message;
    list->count++;
}

static void stash_put_in_front(const stash_list *list, hyi_message **first, hyi_message **last) {
    if (!list->first) return;
    list->last->next_ = *first;
    if (!*first) *last = list->last;
    *first = list->first;
}

void hy_unstash(hy_actor *self) {
    hyi_kin *kin = self->kin;
    if (!kin || !kin->stash_first) return;
    stash_list normal = { .first = NULL }, urgent = { .first = NULL };
    hyi_message *message = kin->stash_first;
    while (message) {
        hyi_message *next = (hyi_message *)message->next_;
        stash_append(message->flags & HYI_MESSAGE_URGENT ? &urgent : &normal, message);
        message = next;
    }
    stash_put_in_front(&urgent, &kin->urgent_first, &kin->urgent_last);
    stash_put_in_front(&normal, &self->local_first, &self->local_last);
    self->local_count += normal.count;
    kin->stash_first = kin->stash_last = NULL;
    kin->stashed = 0;
    self->flags &= (uint8_t)~HYI_ACTOR_STASHED;
}
