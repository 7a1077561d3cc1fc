// frozen.c - messages that are shared: made once, changed never again, sent to many.
//
// A frozen message is the message that was frozen. It is in no queue, so its link holds the number
// of those who have it: refs of the maker, and of the shells that are under way. A shell is the
// smallest block, with a pointer to the frozen one where its body would be; it alone is queued.
//
// A shell may carry a ticket (for_broker.h). Its end is counted by the owner of the actor it went
// to; where the sender itself drops it, the ticket is given back instead, as it was never used.
#include "actor/frozen.h"
#include "actor/carried.h"
#include "actor/for_broker.h"

#include <string.h>

typedef struct frozen_shell { // of a message with HYI_MESSAGE_SHARED
    hyi_message head;
    const void *body; // the frozen one's: hyi_message_body reads this
    hyi_ticket *ticket;
} frozen_shell;

static hyi_message *frozen_message(const hy_frozen *frozen) {
    return (hyi_message *)(uintptr_t)frozen;
}

static uintptr_t *frozen_count(hy_frozen *frozen) {
    return (uintptr_t *)(void *)&frozen_message(frozen)->next_;
}

const void *hyi_frozen_body(const hy_frozen *frozen) {
    return frozen_message(frozen) + 1;
}

// ---- freezing ---------------------------------------------------------------------------------

hy_err hyi_freeze_as(const hy_message_kind *kind, void *message, hy_bytes label,
                     hy_frozen **out_frozen) {
    hyi_message *head = (hyi_message *)message - 1;
    HY_ASSERT(!(head->flags & HYI_MESSAGE_SHARED));
    if (label.len) {
        char *copy = hy_message_alloc(message, label.len + 1);
        if (!copy) return HY_NOMEM;
        memcpy(copy, label.ptr, label.len);
        copy[label.len] = 0;
        hyi_more_begin(head)->label = copy;
    }
    head->tag = (uint16_t)kind->tag;
    *out_frozen = (hy_frozen *)(void *)head;
    __atomic_store_n(frozen_count(*out_frozen), 1, __ATOMIC_RELAXED);
    return HY_OK;
}

hy_err hyi_freeze(const hy_message_kind *kind, void *message, hy_frozen **out_frozen) {
    return hyi_freeze_as(kind, message, (hy_bytes){ 0 }, out_frozen);
}

hy_frozen *hy_frozen_ref(hy_frozen *frozen) {
    // Relaxed: who has one already may hand on another.
    __atomic_fetch_add(frozen_count(frozen), 1, __ATOMIC_RELAXED);
    return frozen;
}

void hyi_frozen_hold(hy_frozen *frozen, uint32_t count) {
    __atomic_fetch_add(frozen_count(frozen), count, __ATOMIC_RELAXED); // as above
}

void hyi_frozen_release(hy_frozen *frozen, uint32_t count) {
    // Release and acquire: whoever frees sees what all others did with it before they let go.
    if (__atomic_sub_fetch(frozen_count(frozen), count, __ATOMIC_ACQ_REL) > 0) return;
    hyi_message_free(frozen_message(frozen));
}

void hy_frozen_unref(hy_frozen *frozen) {
    if (frozen) hyi_frozen_release(frozen, 1);
}

// What is sent to many on one worker is let go by one after another: the worker gathers that, and
// lets go once, with the next slice or when it meets another one.
static void frozen_let_go(hy_frozen *frozen) {
    hyi_worker *here = hyi_here;
    if (!here) {
        hyi_frozen_release(frozen, 1);
    } else if (here->let_go == frozen) {
        here->let_go_count++;
    } else {
        hyi_frozen_flush(here);
        here->let_go = frozen;
        here->let_go_count = 1;
    }
}

void hyi_frozen_flush(hyi_worker *worker) {
    hy_frozen *frozen = worker->let_go;
    if (!frozen) return;
    worker->let_go = NULL;
    hyi_frozen_release(frozen, worker->let_go_count);
}

// ---- sharing ----------------------------------------------------------------------------------

static hyi_message *frozen_shell_new(const hy_message_kind *kind, hy_frozen *frozen,
                                     hyi_ticket *ticket) {
    HY_ASSERT(frozen_message(frozen)->tag == kind->tag);
    void *body = hyi_message_new(kind, sizeof(frozen_shell) - sizeof(hyi_message));
    if (!body) return NULL;
    frozen_shell *shell = (frozen_shell *)(void *)((hyi_message *)body - 1);
    shell->head.flags |= HYI_MESSAGE_SHARED;
    shell->body = hyi_frozen_body(frozen);
    shell->ticket = ticket;
    // Relaxed: it only counts; the message itself travels by the queue.
    if (ticket) atomic_fetch_add_explicit(&ticket->sent, 1, memory_order_relaxed);
    return &shell->head;
}

// Uses up one ref in every case.
static hy_err frozen_send(hy_ref to, const hy_message_kind *kind, hy_frozen *frozen,
                          hyi_ticket *ticket, const hy_send_options *options) {
    hyi_message *shell = frozen_shell_new(kind, frozen, ticket);
    if (!shell) {
        hy_frozen_unref(frozen);
        return HY_NOMEM;
    }
    if (hyi_needs_dress(kind, options, false)) {
        hy_err err = hyi_message_dress(kind, &shell, options, false);
        if (err != HY_OK) {
            hyi_shared_unsent(shell);
            hyi_message_free(shell);
            return err;
        }
    }
    return hyi_send(to, kind, shell, options);
}

hy_err hyi_share(hy_ref to, const hy_message_kind *kind, hy_frozen *frozen,
                 const hy_send_options *options) {
    return frozen_send(to, kind, hy_frozen_ref(frozen), NULL, options);
}

hy_err hyi_share_with(hy_ref to, const hy_message_kind *kind, hy_frozen *frozen,
                      hyi_ticket *ticket) {
    return frozen_send(to, kind, frozen, ticket, NULL);
}

// The sender's own drop. Its place was never the receiver's to give back.
void hyi_shared_unsent(hyi_message *message) {
    frozen_shell *shell = (frozen_shell *)(void *)message;
    if (!shell->ticket) return;
    // Relaxed: as above.
    atomic_fetch_sub_explicit(&shell->ticket->sent, 1, memory_order_relaxed);
    shell->ticket = NULL;
}

void hyi_shared_end(hyi_message *message) {
    frozen_shell *shell = (frozen_shell *)(void *)message;
    if (shell->ticket) hyi_ticket_end(shell->ticket);
    frozen_let_go((hy_frozen *)(uintptr_t)((const hyi_message *)shell->body - 1));
}

bool hyi_shared_skips(hyi_message *message) {
    frozen_shell *shell = (frozen_shell *)(void *)message;
    return shell->ticket && hyi_ticket_skips(shell->ticket);
}

// ---- reading ----------------------------------------------------------------------------------

const char *hyi_message_label(const hy_actor *self, const void *body) {
    hyi_message *handling = hyi_handling(self);
    if (!handling || hyi_message_body(handling) != body) return NULL;
    if (!(handling->flags & HYI_MESSAGE_SHARED)) return NULL;
    hyi_more_tail *more = hyi_more_of((hyi_message *)(uintptr_t)body - 1);
    return more ? more->label : NULL;
}

hy_err hyi_made_copy(const hy_message_kind *kind, const void *body, void **out_body) {
    size_t deep = 0;
    if (!hyi_deep_is_flat(kind)) {
        hy_err err = hyi_deep_size(kind->record, body, &deep);
        if (err != HY_OK) return err;
    }
    void *copy = hyi_message_make(kind);
    void *behind = copy && deep ? hy_message_alloc(copy, deep) : NULL;
    if (!copy || (deep && !behind)) {
        hy_message_drop(copy);
        return HY_NOMEM;
    }
    memcpy(copy, body, kind->size);
    if (deep) hyi_deep_move(kind->record, copy, behind);
    *out_body = copy;
    return HY_OK;
}
